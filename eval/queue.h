/* queue.h: who is routed first: safety against the share of rows that the large guard judges; internal to
 * eval.
 *
 * A score puts the rows in a queue, the highest first; a share of the rows is then the front of the queue. So
 * a router, the small guard's entropy, random routing (all scores equal) and the oracle (first the rows where
 * only the large guard is right, last those where only the small one is) are the same thing with another
 * score. Rows of one score stand side by side: of a share that cuts through them, each is routed with the
 * same probability, and counts are the expected ones.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_QUEUE_H
#define SR_QUEUE_H

#include "eval/tally.h"

struct sr_queue {
    size_t n;
    struct sr_stand {
        uint32_t row;
        uint8_t kind; /* gold and verdicts, sr_tally_kind */
        bool last;    /* of those with this score */
    } * stand;        /* [n] */
};

/* Takes the rows whose kind is known, by falling score; NaN stands first: what cannot be scored is routed.
 * Allocates 24 bytes a row, keeps 8. Free with sr_queue_free, which an all-zero struct may have too. */
int sr_queue_sort(struct sr_queue *out, const uint8_t *kind, const double *score, size_t n,
                  struct sr_error *err);
void sr_queue_free(struct sr_queue *q);

/* Expected counts of the system's verdicts against gold. */
struct sr_mass {
    double tp, fp, tn, fn;
};
double sr_mass_f1(struct sr_mass m); /* 2TP/(2TP+FP+FN) */

/* The system when the first `routed` rows of the queue are; rows counted as often as count says (NULL: once).
 * area (may be NULL): under the curve of safety F1 against share, from 0 to 1; undefined without unsafe rows.
 * O(n). */
struct sr_mass sr_queue_measure(double *area, const struct sr_queue *q, double routed, const uint32_t *count);

/* The curve itself at n >= 2 shares i/(n-1): f1[i], NaN where undefined. */
void sr_queue_curve(double *f1, size_t n, const struct sr_queue *q);

#endif
