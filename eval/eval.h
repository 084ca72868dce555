/* eval.h: the door of eval: arrays in, numbers out. No files, no networks, no printing.
 *
 * A quantity that is 0/0 is undefined and returned as NaN, never as 0 or 1. All functions are pure and may be
 * called by any thread.
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

#include <stddef.h>
#include <stdint.h>

#include "nn/base/base.h"

/* decided[i] = prob[i] > threshold, float to float, as a deployed router decides; NaN is decided 1 (fail
 * closed). */
void sr_decide(uint8_t *decided, const float *prob, size_t n, float threshold);

/* Counts of decision (1 = positive) against truth. */
struct sr_confusion {
    uint64_t tp, fp, tn, fn;
};
struct sr_confusion sr_confusion_count(const uint8_t *truth, const uint8_t *decided, size_t n);
double sr_precision(struct sr_confusion c); /* TP/(TP+FP) */
double sr_recall(struct sr_confusion c);    /* TP/(TP+FN) */
double sr_f1(struct sr_confusion c);        /* 2TP/(2TP+FP+FN) */
double sr_accuracy(struct sr_confusion c);  /* (TP+TN)/n */
double sr_share(struct sr_confusion c);     /* (TP+FP)/n, the share decided positive */

/* Average precision, sum over distinct scores of (R_k - R_{k-1}) P_k with ties grouped (scikit-learn's
 * average_precision_score; no interpolation), and area under the ROC curve (ties count half). Undefined (NaN)
 * when a class needed is missing: AP without positives, ROC without either class. Scores must not be NaN
 * (SR_BUG). O(n log n); allocates n items. Either output may be NULL. */
int sr_ranking(double *average_precision, double *roc_area, const uint8_t *label, const double *score,
               size_t n, struct sr_error *err);

/* The guards together, against gold (1 = unsafe). */
struct sr_guard {
    double f1, precision, recall, accuracy; /* of verdicts against gold */
};
struct sr_system {
    struct sr_guard small, large, routed, oracle;
    /* who was right: first small, second large; c right, w wrong */
    uint64_t cc, cw, wc, ww;
    double share_routed, share_oracle; /* the oracle routes exactly the wc rows */
};
/* routed[i] = 1: row i takes the large guard's verdict. */
void sr_system_measure(struct sr_system *out, const uint8_t *gold, const uint8_t *small_pred,
                       const uint8_t *large_pred, const uint8_t *routed, size_t n);

#endif
