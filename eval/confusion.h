/* confusion.h: decisions, the four counts, and the ratios made of them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CONFUSION_H
#define SR_CONFUSION_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* decided[i] = sr_is_routed(prob[i], threshold), as a deployed router decides. */
void sr_decide(uint8_t *decided, const float *prob, size_t n, float threshold);

/* Counts of decision (1 = positive) against truth; rows whose truth is unknown are left out. */
struct sr_confusion {
    uint64_t tp, fp, tn, fn;
};
struct sr_confusion sr_confusion_count(const uint8_t *truth, const uint8_t *decided, size_t n);

/* NaN where 0/0. */
double sr_precision(struct sr_confusion c);         /* TP/(TP+FP) */
double sr_recall(struct sr_confusion c);            /* TP/(TP+FN) */
double sr_f1(struct sr_confusion c);                /* 2TP/(2TP+FP+FN) */
double sr_accuracy(struct sr_confusion c);          /* (TP+TN)/n */
double sr_balanced_accuracy(struct sr_confusion c); /* (TP/(TP+FN) + TN/(TN+FP)) / 2 */
double sr_mcc(struct sr_confusion c); /* Matthews correlation; NaN where a row or column of the table is 0 */
double sr_share(struct sr_confusion c); /* (TP+FP)/n, the share decided positive */

#endif
