/* history.h: what is written down about every epoch.
 *
 * Rows are kept as doubles in the order of the list, which is also the order of columns in metrics.csv and
 * the keys of metrics.jsonl. Nothing in them depends on a clock. NaN stands for undefined.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_HISTORY_H
#define SR_HISTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "nn/base/base.h"
#include "train/run_folder.h"

#define SR_METRICS_SCHEMA                                                                                    \
    1 /* schema_version of metrics.jsonl; a new key leaves it, a changed one raises it */

/* X(field, key, is a whole number) */
#define SR_EPOCH_LIST(X)                                                                                     \
    X(step, "step", 1)             /* optimiser steps done */                                                \
    X(epoch, "epoch", 1)           /* epochs done, from 1; 0: the weights that training began with */        \
    X(lr, "lr", 0)                 /* learning rate of this epoch; undefined for epoch 0 */                  \
    X(train_loss, "train/loss", 0) /* mean loss of the drawn rows, with dropout and row weights */           \
    X(val_loss, "val/loss", 0)     /* mean loss of the validation rows, each counting 1, as do all below */  \
    X(val_bce, "val/bce", 0)       /* mean plain cross-entropy */                                            \
    X(val_auprc, "val/auprc", 0)   /* average precision; selects the best epoch */                           \
    X(val_auroc, "val/auroc", 0)   /* area under the ROC curve */                                            \
    X(val_f1, "val/f1", 0)         /* at the threshold used while none is chosen, as below */                \
    X(val_precision, "val/precision", 0)                                                                     \
    X(val_recall, "val/recall", 0)                                                                           \
    X(val_share_routed, "val/share_routed", 0)                                                               \
    X(val_base_rate, "val/base_rate", 0) /* share of positive rows, the AUPRC of chance */

struct sr_epoch {
#define X(field, key, whole) double field;
    SR_EPOCH_LIST(X)
#undef X
};

#define SR_EPOCH_COLUMNS (sizeof(struct sr_epoch) / sizeof(double))

/* The same as an array of doubles has them: what each is called, and whether it is a whole number. */
struct sr_epoch_column {
    const char *key;
    bool whole;
};
extern const struct sr_epoch_column sr_epoch_column[SR_EPOCH_COLUMNS];

/* An object with a member for each column, null where it is undefined; free it by sr_json_free. */
struct sr_json *sr_epoch_json(const struct sr_epoch *epoch);

struct sr_history {
    struct sr_epoch *epoch; /* [n] */
    size_t n, room;
};

int sr_history_append(struct sr_history *h, const struct sr_epoch *epoch, struct sr_error *err);
void sr_history_free(struct sr_history *h);

/* metrics.csv and metrics.jsonl of a run from the whole history, each by sr_run_write. */
int sr_history_write(const struct sr_history *h, const struct sr_run *run, struct sr_error *err);

#endif
