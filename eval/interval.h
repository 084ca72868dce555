/* interval.h: how sure a number is: intervals by resampling.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_INTERVAL_H
#define SR_INTERVAL_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "nn/base/base.h"

struct sr_interval {
    double low, high; /* both NaN: undefined */
};

/* The wider of both at either end; of one that is undefined, the other. */
static inline struct sr_interval sr_interval_hull(struct sr_interval a, struct sr_interval b) {
    return (struct sr_interval){fmin(a.low, b.low), fmax(a.high, b.high)};
}

/* Statistics of resampled rows, written to value[0..k): count[i] says how often row i was drawn. Called by
 * many threads at once. */
typedef void (*sr_statistic)(double *value, const uint32_t *count, const void *user);

struct sr_resampling {
    const int64_t *group; /* [n]; NULL: every row is one */
    size_t n;             /* rows, at most 2^32 - 1 */
    size_t draws;
    uint64_t seed;
    void (*progress)(void *user, double fraction); /* or NULL; called by the calling thread */
    void *progress_user;
};

/* 95 % percentile intervals of k statistics by bootstrap (Efron and Tibshirani 1993, chapter 13): resamples
 * of whole groups with replacement (as many as there are groups; cluster bootstrap, so that twins stay
 * together). A draw in which a statistic is NaN does not count for it; an interval with less than half of its
 * draws left is undefined. A pure function of (group, n, draws, seed) and the statistic; the same bits for
 * any number of threads. Memory: 16 bytes a row, up to 8 a row and thread, 8 a draw and statistic. */
int sr_bootstrap(struct sr_interval *out, size_t k, sr_statistic statistic, const void *user,
                 const struct sr_resampling *how, struct sr_error *err);

#endif
