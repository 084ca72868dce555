/* confusion.c: decisions, the four counts, and the ratios made of them.
 *
 * Every ratio here is a quotient of counts, computed in double from exact integers. 0/0 comes out as NaN,
 * which is what IEEE division gives: a precision without decisions is undefined, not 0 and not 1.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "eval/eval.h"

void sr_decide(uint8_t *decided, const float *prob, size_t n, float threshold) {
    for (size_t i = 0; i < n; i++)
        decided[i] = sr_is_routed(prob[i], threshold);
}

struct sr_confusion sr_confusion_count(const uint8_t *truth, const uint8_t *decided, size_t n) {
    uint64_t count[2][2] = {{0}};
    for (size_t i = 0; i < n; i++)
        if (truth[i] <= 1)
            count[truth[i]][decided[i] != 0]++;
    return (struct sr_confusion){.tp = count[1][1], .fp = count[0][1], .tn = count[0][0], .fn = count[1][0]};
}

static double ratio(uint64_t part, uint64_t whole) {
    return (double)part / (double)whole;
}

double sr_precision(struct sr_confusion c) {
    return ratio(c.tp, c.tp + c.fp);
}

double sr_recall(struct sr_confusion c) {
    return ratio(c.tp, c.tp + c.fn);
}

double sr_f1(struct sr_confusion c) {
    return ratio(2 * c.tp, 2 * c.tp + c.fp + c.fn);
}

double sr_accuracy(struct sr_confusion c) {
    return ratio(c.tp + c.tn, c.tp + c.fp + c.tn + c.fn);
}

double sr_share(struct sr_confusion c) {
    return ratio(c.tp + c.fp, c.tp + c.fp + c.tn + c.fn);
}

double sr_balanced_accuracy(struct sr_confusion c) {
    return (ratio(c.tp, c.tp + c.fn) + ratio(c.tn, c.tn + c.fp)) / 2;
}

/* The square root of each factor by itself: their product may pass 2^64. */
double sr_mcc(struct sr_confusion c) {
    const double tp = (double)c.tp, fp = (double)c.fp, tn = (double)c.tn, fn = (double)c.fn;
    return (tp * tn - fp * fn) / (sqrt(tp + fp) * sqrt(tp + fn) * sqrt(tn + fp) * sqrt(tn + fn));
}
