/* eval.h: the door of eval: arrays in, numbers out. No files, no networks, no printing.
 *
 * A quantity that is 0/0 is undefined and returned as NaN, never as 0 or 1. Of a label, gold or verdict 0 and
 * 1 are known and anything else is unknown; rows where what is asked needs it are left out. All functions are
 * pure and may be called by any thread.
 *
 *     struct sr_confusion c = sr_confusion_count(label, routed, n);
 *     double f1 = sr_f1(c);
 *     double ap, area;
 *     sr_ranking(&ap, &area, label, score, n, err);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_EVAL_H
#define SR_EVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "eval/binomial.h"
#include "eval/calibration.h"
#include "eval/confusion.h"
#include "eval/curves.h"
#include "eval/evaluation.h"
#include "eval/gate.h"
#include "eval/headroom.h"
#include "eval/interval.h"
#include "eval/prices.h"
#include "eval/report.h"
#include "eval/rows.h"
#include "eval/rule.h"
#include "eval/screen.h"
#include "eval/sweep.h"
#include "eval/sweep_columns.h"
#include "nn/base/base.h"

/* Average precision, sum over distinct scores of (R_k - R_{k-1}) P_k with ties grouped (scikit-learn's
 * average_precision_score; no interpolation), and area under the ROC curve (ties count half). Undefined (NaN)
 * when a class needed is missing: AP without positives, ROC without either class. Rows of unknown label are
 * left out. Scores must not be NaN (SR_BUG). O(n log n); allocates n items. Either output may be NULL. */
int sr_ranking(double *average_precision, double *roc_area, const uint8_t *label, const double *score,
               size_t n, struct sr_error *err);

/* The same in two steps: sorted once, measured often. Place k holds the row with the k-th highest score, of a
 * tie the negatives first; rows of unknown label or NaN score have none. n at most 2^32 - 1. */
struct sr_place {
    uint32_t row;
    bool positive, last; /* last: of those with this score */
};
struct sr_ranks {
    size_t n, positives;
    struct sr_place *place; /* [n] */
};
/* O(n log n); allocates 24 bytes a row, keeps 8. Free with sr_ranks_free, which an all-zero struct may have
 * too. */
int sr_ranks_sort(struct sr_ranks *out, const uint8_t *label, const double *score, size_t n,
                  struct sr_error *err);
void sr_ranks_free(struct sr_ranks *r);
/* As if row i were there count[i] times (NULL: every row once): the same bits as sr_ranking on rows repeated
 * like that. The sum of counts must be below 2^32. O(n). Either output may be NULL. */
void sr_ranks_measure(double *average_precision, double *roc_area, const struct sr_ranks *r,
                      const uint32_t *count);

/* Binary entropy of each probability in bits, 0..1; NaN for NaN. The small guard's doubt, and so the baseline
 * of a router that needs no training. */
void sr_entropy(double *score, const float *prob, size_t n);

/* AUPRC within slices of the rows, before and after: what was gained, what was forgotten. */
struct sr_slice {
    const char *name;       /* borrowed */
    size_t rows, positives; /* labelled rows with both scores */
    double before, after;   /* average precision */
};
/* slice[i] numbers the slice of row i, below n_slices; negative: none. before may be NULL, and is NaN in the
 * result then. Rows with a NaN prob are left out. names and out: [n_slices]. */
int sr_slices_measure(struct sr_slice *out, const char *const *names, size_t n_slices, const int32_t *slice,
                      const uint8_t *label, const float *before, const float *after, size_t n,
                      struct sr_error *err);
/* A blank line and a table under a heading ("source"), an array of {name, rows, positives, before, after};
 * slices without rows are left out, and in the table `before` where it is undefined everywhere. */
void sr_slices_print(FILE *to, const char *heading, const struct sr_slice *slice, size_t n_slices);
struct sr_json *sr_slices_json(const struct sr_slice *slice, size_t n_slices);

#endif
