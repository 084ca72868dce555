/* view.h: rows prepared so that every figure of any resample is a few passes over counts; internal to eval.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_VIEW_H
#define SR_VIEW_H

#include "eval/eval.h"
#include "eval/queue.h"

enum sr_queue_of { SR_QUEUE_ROUTED, SR_QUEUE_ENTROPY, SR_QUEUE_RANDOM, SR_QUEUE_ORACLE, SR_QUEUES };

struct sr_view {
    size_t n;
    struct sr_measure_options how;
    bool ranks_bad;
    uint8_t *label;   /* [n], unknown where the row has no prob, unless such rows are ranked */
    uint8_t *outcome; /* [n], label and decision, see view.c */
    uint8_t *kind;    /* [n], gold, verdicts and decision */
    double *risk;     /* [n], log loss of the large guard less that of the small one; NaN: unknown */
    double *score;    /* [n], scratch */
    struct sr_shifted {
        double brier, log_loss;
    } * shifted; /* [n], losses of the prob at the prevalence; NULL without */
    struct sr_ranks own, entropy;
    struct sr_queue queue[SR_QUEUES];
    struct sr_reliability *reliability;
    void *block;
};

/* ranks_bad: rows without prob are routed at any threshold, so they rank before all others; else they have no
 * part in what compares with labels. Allocates about 150 bytes a row. Free after a failure too. */
int sr_view_make(struct sr_view *v, const struct sr_rows *rows, const struct sr_measure_options *how,
                 bool ranks_bad, struct sr_error *err);
void sr_view_free(struct sr_view *v);

/* All figures of the rows, each as often as count says (NULL: once). of (may be NULL): for a proportion the
 * rows it is of, else 0. Any thread, allocates nothing. */
void sr_view_measure(double value[SR_FIGURES], double of[SR_FIGURES], const struct sr_view *v,
                     const uint32_t *count);

/* Counts of rows, of the whole view. */
void sr_view_count(struct sr_evaluation *out, const struct sr_view *v);

#endif
