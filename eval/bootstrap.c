/* bootstrap.c: how much a number would change with other rows of the same kind: percentile intervals.
 *
 * A draw takes as many groups as there are, with replacement, and a row is counted as often as its group was
 * taken; twins thus come together or not at all, as they came into the data (cluster bootstrap; Davison and
 * Hinkley, Bootstrap Methods, 1997, section 3.8). The ends of an interval are the quantiles .025 and .975 of
 * the draws, interpolated linearly (definition 7 of Hyndman and Fan 1996, NumPy's default). No correction for
 * bias: at the row counts of guard data it is far inside the interval.
 *
 * Draw d is stream d of the generator and has its own place in the result, so that the threads that share the
 * draws do not show.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "eval/eval.h"
#include "eval/group.h"

#define TAIL .025 /* outside a 95 % interval, on either side */

static int threads_most(void) {
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

static int thread_number(void) {
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

/* ---- draws ---- */

/* How often each group is taken in this draw. */
static void groups_take(uint32_t *taken, size_t groups, uint64_t seed, size_t draw) {
    const uint64_t stream = sr_stream(SR_STREAM_BOOTSTRAP, 0, draw);
    memset(taken, 0, groups * sizeof *taken);
    for (size_t i = 0; i < groups; i++)
        taken[sr_random_below(seed, stream, i, groups)]++;
}

struct plan {
    size_t n, groups, draws, k, threads;
    uint32_t *number; /* [n], of the groups */
    double *value;    /* [draws][k] */
    double *sorted;   /* [draws] */
    uint32_t *count;  /* [threads]: a thread's count [n] and taken [groups] */
};

static int plan_allocate(struct plan *p, const int64_t *group, struct sr_error *err) {
    p->number = sr_alloc(p->n, sizeof *p->number, err);
    const int status = p->number ? sr_groups_number(p->number, &p->groups, group, p->n, err) : SR_NOMEM;
    if (status < 0)
        return status;
    p->threads = (size_t)threads_most();
    p->value = sr_alloc(p->draws, p->k * sizeof *p->value, err);
    p->sorted = sr_alloc(p->draws, sizeof *p->sorted, err);
    p->count = sr_alloc(p->threads, (p->n + p->groups) * sizeof *p->count, err);
    return p->value && p->sorted && p->count ? 0 : SR_NOMEM;
}

static void plan_free(struct plan *p) {
    sr_free(p->number);
    sr_free(p->value);
    sr_free(p->sorted);
    sr_free(p->count);
}

static void draw(const struct plan *p, size_t d, sr_statistic statistic, const void *user, uint64_t seed) {
    uint32_t *count = p->count + (size_t)thread_number() * (p->n + p->groups), *taken = count + p->n;
    groups_take(taken, p->groups, seed, d);
    for (size_t i = 0; i < p->n; i++)
        count[i] = taken[p->number[i]];
    statistic(p->value + d * p->k, count, user);
}

/* ---- quantiles ---- */

static int rising(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of sorted values, n >= 1. */
static double quantile(const double *sorted, size_t n, double q) {
    const double at = q * (double)(n - 1);
    const size_t below = (size_t)at, above = below + 1 < n ? below + 1 : below;
    return sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
}

/* Of the statistic in column s of the draws. */
static struct sr_interval interval(const struct plan *p, size_t s) {
    size_t n = 0;
    for (size_t d = 0; d < p->draws; d++)
        if (!isnan(p->value[d * p->k + s]))
            p->sorted[n++] = p->value[d * p->k + s];
    if (n == 0 || 2 * n < p->draws)
        return (struct sr_interval){(double)NAN, (double)NAN};
    qsort(p->sorted, n, sizeof *p->sorted, rising);
    return (struct sr_interval){quantile(p->sorted, n, TAIL), quantile(p->sorted, n, 1 - TAIL)};
}

int sr_bootstrap(struct sr_interval *out, size_t k, sr_statistic statistic, const void *user,
                 const struct sr_resampling *how, struct sr_error *err) {
    struct plan p = {.n = how->n, .draws = how->draws, .k = k};
    const int status = plan_allocate(&p, how->group, err);
    if (status == 0) {
#pragma omp parallel for schedule(dynamic) num_threads((int)p.threads)
        for (size_t d = 0; d < p.draws; d++) {
            draw(&p, d, statistic, user, how->seed);
            if (how->progress && thread_number() == 0)
                how->progress(how->progress_user, (double)(d + 1) / (double)p.draws);
        }
        for (size_t s = 0; s < k; s++)
            out[s] = interval(&p, s);
    }
    plan_free(&p);
    return status;
}
