/* provenance.h: what weights tell of the rows they come from, so that eval sees them again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_PROVENANCE_H
#define SR_PROVENANCE_H

#include "train/feed.h"

/* Texts, each for the key of its name in the metadata of weights. The sketches (data/sketch.h) have the
 * parent's rows too. */
struct sr_provenance {
    char *rows_trained, *rows_selected; /* sketches of the training and of the validation rows */
    char train_share[SR_DECIMAL_TEXT];  /* of positives, as training draws rows and its loss weighs them: the
                                            prior of the probabilities; "": not known */
};

/* parent: the weights training begins with, or NULL; those that do not say which rows were used for them add
 * none. parent_path is for messages. SR_DATA if a key of the parent holds no sketch. Free also after a
 * failure. */
int sr_provenance_make(struct sr_provenance *out, const struct sr_feed *f, const struct sr_config *c,
                       const struct sr_safetensors *parent, const char *parent_path, struct sr_error *err);
void sr_provenance_free(struct sr_provenance *p);

#endif
