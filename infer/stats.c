/* stats.c: where training's features lie, measured once and kept in the weights for range.c.
 *
 * Mean and variance are those of the scan. The main directions are found by subspace iteration (Halko,
 * Martinsson and Tropp 2011, algorithm 4.4) on some of the rows of training; a few rounds are enough, since
 * only the length of rows inside the subspace counts, not its axes. Each round reads those rows again rather
 * than keep them, and they come in runs, so that little of a large file is read. The limits are quantiles
 * over more rows than that. The same bits for any number of threads: every output is summed by one thread, in
 * order. Part of the program, not of the shipped library.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/data.h"
#include "infer/router.h"

#define DIRECTIONS 96    /* with 64 a row in a thousand with its columns reversed passes, with 96 none */
#define FIT_ROWS   4096  /* that directions are found on */
#define FIT_RUN    8     /* of them side by side */
#define LIMIT_ROWS 65536 /* that limits are taken from */
#define ROUNDS     4
#define TAIL       1e-4 /* share of rows beyond a limit */
#define BATCH      256
#define BLOCK      64 /* columns that one thread takes at once */

void sr_stats_free(struct sr_stats *s) {
    sr_free(s->block);
    *s = (struct sr_stats){0};
}

/* ---- rows ---- */

/* At most `most` of n rows: all, or runs of `run` rows side by side, evenly spaced. run divides most. */
static uint32_t *sample(size_t *n, const uint32_t *row, size_t most, size_t run, struct sr_error *err) {
    const size_t m = *n < most ? *n : most, runs = most / run;
    uint32_t *some = sr_alloc(m, sizeof *some, err);
    for (size_t i = 0; some && i < m; i++)
        some[i] = m < most ? row[i] : row[(uint64_t)(i / run) * *n / runs + i % run];
    *n = m;
    return some;
}

/* Calls take(user, x, rows) for the rows in order, some at a time. */
static int each_batch(struct sr_data *d, const uint32_t *row, size_t n,
                      void (*take)(void *user, const float *x, size_t rows), void *user,
                      struct sr_error *err) {
    const struct sr_loader_options how = {.order = SR_ORDER_FILE, .batch = BATCH};
    struct sr_loader *loader = NULL;
    struct sr_batch batch;
    int status = sr_loader_create(&loader, d, row, n, &how, err);
    if (status == 0)
        status = sr_loader_start(loader, 0, 0, err);
    while (status == 0 && (status = sr_loader_next(loader, &batch, err)) > 0) {
        take(user, batch.x, batch.rows);
        status = 0;
    }
    sr_loader_free(loader);
    return status;
}

/* ---- main directions ---- */

struct fit {
    const struct sr_stats *stats;
    float *panels; /* basis * inverse, as kernels read it */
    float *along;  /* [BATCH, directions] of the rows at hand */
    float *next;   /* [directions, width] */
};

/* The basis times inverse in panels; scaled is scratch of its size. */
static void pack_scaled(float *panels, float *scaled, const struct sr_stats *s) {
    for (size_t i = 0; i < s->directions * s->width; i++)
        scaled[i] = s->basis[i] * s->inverse[i % s->width];
    sr_panels_pack(panels, scaled, s->width, s->directions);
}

/* With u = x * inverse: along = u basis', then next += along' u. */
static void fit_take(void *user, const float *x, size_t rows) {
    struct fit *f = user;
    const size_t width = f->stats->width, k = f->stats->directions;
    const float *inverse = f->stats->inverse;
    const struct sr_kernels *kernels = sr_kernels();
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r += BLOCK)
        kernels->linear(f->along + r * k, k, x + r * width, (ptrdiff_t)width, f->panels, NULL,
                        rows - r < BLOCK ? rows - r : BLOCK, width, k);
#pragma omp parallel for schedule(static)
    for (size_t j = 0; j < width; j += BLOCK) {
        const size_t wide = width - j < BLOCK ? width - j : BLOCK;
        for (size_t d = 0; d < k; d++) {
            float sum[BLOCK];
            memcpy(sum, f->next + d * width + j, wide * sizeof *sum);
            for (size_t r = 0; r < rows; r++)
                for (size_t i = 0; i < wide; i++)
                    sum[i] += f->along[r * k + d] * (x[r * width + j + i] * inverse[j + i]);
            memcpy(f->next + d * width + j, sum, wide * sizeof *sum);
        }
    }
}

static double dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Gram and Schmidt, twice, which is enough (Giraud et al. 2005). A direction that has nothing of its own
 * left, because the rows have fewer, becomes 0 and counts nothing. */
static void orthonormalise(float *basis, size_t k, size_t width) {
    for (size_t d = 0; d < k; d++) {
        float *own = basis + d * width;
        const double before = sqrt(dot(own, own, width));
        for (size_t again = 0; again < 2; again++)
            for (size_t e = 0; e < d; e++) {
                const double along = dot(own, basis + e * width, width);
                for (size_t i = 0; i < width; i++)
                    own[i] = (float)((double)own[i] - along * (double)basis[e * width + i]);
            }
        const double left = sqrt(dot(own, own, width)), scale = left > 1e-5 * before ? 1 / left : 0;
        for (size_t i = 0; i < width; i++)
            own[i] = (float)((double)own[i] * scale);
    }
}

static int find_directions(struct sr_stats *s, struct sr_data *d, const uint32_t *row, size_t n,
                           struct sr_error *err) {
    const size_t items = s->directions * s->width;
    struct fit f = {.stats = s};
    uint32_t *some = sample(&n, row, FIT_ROWS, FIT_RUN, err);
    f.panels = sr_alloc(sr_panels_items(s->width, s->directions), sizeof *f.panels, err);
    f.along = sr_alloc(BATCH * s->directions, sizeof *f.along, err);
    f.next = sr_alloc(items, sizeof *f.next, err);
    int status = some && f.panels && f.along && f.next ? 0 : SR_NOMEM;
    for (size_t i = 0; status == 0 && i < items; i++)
        s->basis[i] = (float)sr_random_normal(1, sr_stream(SR_STREAM_STATS, 0, 0), i);
    for (int round = 0; status == 0 && round < ROUNDS; round++) {
        orthonormalise(s->basis, s->directions, s->width);
        pack_scaled(f.panels, f.next, s);
        memset(f.next, 0, items * sizeof *f.next);
        status = each_batch(d, some, n, fit_take, &f, err);
        memcpy(s->basis, f.next, items * sizeof *f.next);
    }
    if (status == 0)
        orthonormalise(s->basis, s->directions, s->width);
    sr_free(f.next);
    sr_free(f.along);
    sr_free(f.panels);
    sr_free(some);
    return status;
}

/* ---- limits ---- */

struct limits {
    const struct sr_stats *stats;
    const float *panels; /* basis * inverse, as kernels read it */
    size_t n;
    float *t, *share; /* [rows] */
};

static void limits_take(void *user, const float *x, size_t rows) {
    struct limits *l = user;
    const struct sr_kernels *kernels = sr_kernels();
    const size_t width = l->stats->width, k = l->stats->directions;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++) {
        float along[DIRECTIONS], sums[2];
        kernels->range_sums(sums, x + r * width, l->stats->mean, l->stats->inverse, width);
        kernels->linear(along, k, x + r * width, (ptrdiff_t)width, l->panels, NULL, 1, width, k);
        l->t[l->n + r] = sums[0] / (float)width;
        l->share[l->n + r] = sums[1] > 0 ? (float)dot(along, along, k) / sums[1] : 0;
    }
    l->n += rows;
}

static int compare(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Linear between the ranks, as NumPy's. Sorts. */
static float quantile(float *x, size_t n, double q) {
    const double at = q * (double)(n - 1);
    const size_t below = (size_t)at, above = below + 1 < n ? below + 1 : below;
    qsort(x, n, sizeof *x, compare);
    return (float)((double)x[below] + (at - (double)below) * ((double)x[above] - (double)x[below]));
}

static int find_limits(struct sr_stats *s, struct sr_data *d, const uint32_t *row, size_t n,
                       struct sr_error *err) {
    uint32_t *some = sample(&n, row, LIMIT_ROWS, 1, err);
    float *scaled = sr_alloc(s->directions * s->width, sizeof *scaled, err),
          *panels = sr_alloc(sr_panels_items(s->width, s->directions), sizeof *panels, err);
    struct limits l = {.stats = s, .panels = panels};
    l.t = sr_alloc(n, sizeof *l.t, err);
    l.share = sr_alloc(n, sizeof *l.share, err);
    int status = some && scaled && panels && l.t && l.share ? 0 : SR_NOMEM;
    if (status == 0) {
        pack_scaled(panels, scaled, s);
        status = each_batch(d, some, n, limits_take, &l, err);
    }
    if (status == 0) {
        s->range[0] = quantile(l.t, n, TAIL);
        s->range[1] = quantile(l.t, n, 1 - TAIL);
        s->range[2] = quantile(l.share, n, TAIL);
    }
    sr_free(l.share);
    sr_free(l.t);
    sr_free(panels);
    sr_free(scaled);
    sr_free(some);
    return status;
}

/* ---- all of it ---- */

/* At most an eighth of the width, so that rows have somewhere else to be, and of the rows. */
static size_t direction_count(size_t width, size_t rows) {
    const size_t least = width < rows ? width : rows, some = least / 8;
    return some > DIRECTIONS ? DIRECTIONS : some > 0 ? some : 1;
}

static void carve(struct sr_arena *arena, struct sr_stats *s) {
    s->mean = sr_arena_take(arena, s->width, sizeof *s->mean);
    s->variance = sr_arena_take(arena, s->width, sizeof *s->variance);
    s->inverse = sr_arena_take(arena, s->width, sizeof *s->inverse);
    s->basis = sr_arena_take(arena, s->directions * s->width, sizeof *s->basis);
}

int sr_stats_measure(struct sr_stats *out, struct sr_data *d, const struct sr_scan *scan, const uint32_t *row,
                     size_t n, struct sr_error *err) {
    struct sr_stats s = {.width = d->width, .directions = direction_count(d->width, n)};
    struct sr_arena arena = {0};
    double mean_variance = 0;
    *out = s;
    carve(&arena, &s);
    int status = sr_arena_allocate(&arena, err);
    if (status < 0)
        return status;
    s.block = arena.base;
    carve(&arena, &s);
    for (size_t i = 0; i < s.width; i++) {
        s.mean[i] = (float)scan->mean[i];
        s.variance[i] = (float)(scan->deviation[i] * scan->deviation[i]);
        mean_variance += (double)s.variance[i] / (double)s.width;
    }
    for (size_t i = 0; i < s.width; i++)
        s.inverse[i] = sr_range_inverse((double)s.variance[i], mean_variance);
    if ((status = find_directions(&s, d, row, n, err)) == 0)
        status = find_limits(&s, d, row, n, err);
    if (status == 0 && s.range[1] > 0) /* rows that are all alike have no range */
        *out = s;
    else
        sr_free(s.block);
    return status;
}

size_t sr_stats_tensors(struct sr_tensor list[SR_STATS_TENSORS], const struct sr_stats *s) {
    if (!s->block)
        return 0;
    const struct sr_tensor own[SR_STATS_TENSORS] = {
        {SR_STATS_MEAN, SR_F32, 1, {s->width}, s->mean},
        {SR_STATS_VAR, SR_F32, 1, {s->width}, s->variance},
        {SR_STATS_BASIS, SR_F32, 2, {s->directions, s->width}, s->basis},
        {SR_STATS_RANGE, SR_F32, 1, {3}, (void *)(uintptr_t)s->range},
    };
    memcpy(list, own, sizeof own);
    return SR_STATS_TENSORS;
}
