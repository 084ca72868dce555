/* near_exact.c: candidates compared exactly: their rows are read again. See near_parts.h.
 *
 * Pairs are taken in blocks whose first rows fit SR_NEAR_BYTES. The first rows of a block are read into
 * memory, then its second rows pass by, both in the order of the rows and a band at a time, because a
 * compressed band costs the same whether one row of it is wanted or all.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/near_parts.h"

#define PIECE ((size_t)1024) /* features of a row at a time, on the stack */

/* Of the other set's spread. Where half the rows are one crowd it is .75, and a cosine of .99 reads .96. */
#define SPREAD_MIN .75

struct exact {
    const struct sr_near *near;
    size_t row_bytes;     /* of the widest set */
    unsigned char *first; /* [room] rows a of the block at work, raw */
    uint32_t *a;          /* [room] their numbers, ascending */
    size_t room, held;
    unsigned char *band; /* SR_BAND_ROWS rows, raw */
};

int sr_near_read(const struct sr_data *d, unsigned char *out, size_t first, size_t n, struct sr_error *err) {
    const size_t bytes = d->in->row_bytes;
    if (!d->in->kept)
        return sr_set_read(d, out, first, n, err);
    memcpy(out, d->in->kept + first * bytes, n * bytes);
    return 0;
}

/* The last row, at least `row`, of the set and band that row is in. */
static size_t band_end(const struct sr_near *near, size_t row) {
    const size_t set = sr_near_set(near, row), first = near->first[set];
    const size_t end = first + ((row - first) / SR_BAND_ROWS + 1) * SR_BAND_ROWS;
    return (end < near->first[set + 1] ? end : near->first[set + 1]) - 1;
}

/* Reads rows first .. last, which are of one band, into e->band. */
static int read_band(struct exact *e, size_t first, size_t last, struct sr_error *err) {
    const size_t set = sr_near_set(e->near, first);
    return sr_near_read(e->near->sets[set], e->band, first - e->near->first[set], last - first + 1, err);
}

/* Row i of those in e->band, which begin with row `first`. */
static const unsigned char *band_row(const struct exact *e, size_t first, size_t i) {
    return e->band + (i - first) * e->near->sets[sr_near_set(e->near, first)]->in->row_bytes;
}

/* ---- a pair ---- */

/* Features at .. at+n of a raw row of a set. */
static void widen(float *x, const struct sr_data *d, const unsigned char *raw, size_t at, size_t n) {
    sr_feature_to_float(x, raw + at * sr_feature_size(d->in->type), n, d->in->type);
}

/* Lanes make the sums short as well as fast. */
static double dot(const float *x, const float *y, size_t n) {
    float lane[SR_NEAR_LANES] = {0};
    double sum = 0;
    size_t at = 0;
    for (; at + SR_NEAR_LANES <= n; at += SR_NEAR_LANES)
        for (size_t l = 0; l < SR_NEAR_LANES; l++)
            lane[l] += x[at + l] * y[at + l];
    for (; at < n; at++)
        lane[0] += x[at] * y[at];
    for (size_t l = 0; l < SR_NEAR_LANES; l++)
        sum += (double)lane[l];
    return sum;
}

/* A row of a set, as read. */
struct row {
    const struct sr_data *d;
    const unsigned char *raw;
};

/* Of a row without a length (it is the mean) NaN, which is near to none. */
static float cosine_by(const struct sr_near_scale *by, struct row a, struct row b) {
    float x[PIECE], y[PIECE];
    double xy = 0, xx = 0, yy = 0;
    for (size_t at = 0; at < a.d->width; at += PIECE) {
        const size_t n = a.d->width - at < PIECE ? a.d->width - at : PIECE;
        widen(x, a.d, a.raw, at, n);
        widen(y, b.d, b.raw, at, n);
        sr_near_standardise(x, x, by->shift + at, by->scale + at, n);
        sr_near_standardise(y, y, by->shift + at, by->scale + at, n);
        xy += dot(x, y, n);
        xx += dot(x, x, n);
        yy += dot(y, y, n);
    }
    return (float)(xy / sqrt(xx * yy));
}

static const struct sr_near_scale *scale_of(const struct sr_near *near, size_t set) {
    return near->own[set].shift ? &near->own[set] : &near->space[near->space_of[set]].all;
}

/* Of rows of two sets by the mean and deviation of either, the smaller one: a row may lie far from the rest
 * of its set. But not by those of a set that has much less spread than the other: such a set is little more
 * than a crowd around its mean, and there a cosine is noise. */
static float cosine(const struct sr_near *near, const struct sr_near_pair *pair, const unsigned char *a,
                    const unsigned char *b) {
    const size_t s = sr_near_set(near, pair->a), t = sr_near_set(near, pair->b);
    const struct row x = {near->sets[s], a}, y = {near->sets[t], b};
    const double spread_a = near->own[s].spread, spread_b = near->own[t].spread;
    if (s == t || spread_b < SPREAD_MIN * spread_a)
        return cosine_by(scale_of(near, s), x, y);
    if (spread_a < SPREAD_MIN * spread_b || scale_of(near, s) == scale_of(near, t))
        return cosine_by(scale_of(near, t), x, y);
    return fminf(cosine_by(scale_of(near, s), x, y), cosine_by(scale_of(near, t), x, y));
}

static const unsigned char *held_row(const struct exact *e, uint32_t row) {
    size_t low = 0, high = e->held;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (e->a[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return e->first + low * e->row_bytes;
}

/* ---- a block of pairs ---- */

/* How many of the n pairs go into the block: those of the next e->room rows a. Reads these. */
static int hold_rows(size_t *taken, struct exact *e, const struct sr_near_pair *pair, size_t n,
                     struct sr_error *err) {
    e->held = 0;
    for (*taken = 0; *taken < n; ++*taken) {
        if (e->held > 0 && e->a[e->held - 1] == pair[*taken].a)
            continue;
        if (e->held == e->room)
            break;
        e->a[e->held++] = pair[*taken].a;
    }
    for (size_t i = 0, next; i < e->held; i = next) {
        const size_t first = e->a[i], end = band_end(e->near, first);
        for (next = i + 1; next < e->held && e->a[next] <= end;)
            next++;
        const int status = read_band(e, first, e->a[next - 1], err);
        if (status < 0)
            return status;
        const size_t bytes = e->near->sets[sr_near_set(e->near, first)]->in->row_bytes;
        for (size_t k = i; k < next; k++)
            memcpy(e->first + k * e->row_bytes, band_row(e, first, e->a[k]), bytes);
    }
    return 0;
}

static int compare_b(const void *pa, const void *pb) {
    const struct sr_near_pair *x = pa, *y = pb;
    if (x->b != y->b)
        return x->b < y->b ? -1 : 1;
    return x->a < y->a ? -1 : x->a > y->a;
}

/* Pairs whose rows b are of one band: these are in e->band from row `first` on. */
static void compare_band(const struct exact *e, struct sr_near_pair *pair, size_t n, size_t first) {
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++)
        pair[i].cosine = cosine(e->near, &pair[i], held_row(e, pair[i].a), band_row(e, first, pair[i].b));
}

static int compare_block(struct exact *e, struct sr_near_pair *pair, size_t n, struct sr_error *err) {
    int status = 0;
    qsort(pair, n, sizeof *pair, compare_b);
    for (size_t i = 0, next; status == 0 && i < n; i = next) {
        const size_t first = pair[i].b, end = band_end(e->near, first);
        for (next = i + 1; next < n && pair[next].b <= end;)
            next++;
        status = read_band(e, first, pair[next - 1].b, err);
        if (status == 0)
            compare_band(e, pair + i, next - i, first);
    }
    return status;
}

/* ---- all pairs ---- */

static int allocate(struct exact *e, size_t pairs, struct sr_error *err) {
    for (size_t s = 0; s < e->near->n; s++) {
        const size_t bytes = e->near->sets[s]->in->row_bytes;
        e->row_bytes = bytes > e->row_bytes ? bytes : e->row_bytes;
    }
    /* a set has at least one feature. NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
    e->room = SR_NEAR_BYTES / e->row_bytes;
    e->room = e->room < SR_BAND_ROWS ? SR_BAND_ROWS : e->room;
    e->room = e->room < pairs ? e->room : pairs;
    e->first = sr_alloc(e->room, e->row_bytes, err);
    e->a = sr_alloc(e->room, sizeof *e->a, err);
    e->band = sr_alloc(SR_BAND_ROWS, e->row_bytes, err);
    return e->first && e->a && e->band ? 0 : SR_NOMEM;
}

int sr_near_compare_pairs(const void *pa, const void *pb) {
    const struct sr_near_pair *x = pa, *y = pb;
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    return x->b < y->b ? -1 : x->b > y->b;
}

/* Returns how many are left. */
static size_t drop_far(struct sr_near_pair *pair, size_t pairs, double cosine) {
    size_t n = 0;
    for (size_t i = 0; i < pairs; i++)
        if (pair[i].cosine >= (float)cosine)
            pair[n++] = pair[i];
    qsort(pair, n, sizeof *pair, sr_near_compare_pairs);
    return n;
}

int sr_near_exact(struct sr_near_pair *pair, size_t *pairs, const struct sr_near *near,
                  void (*done)(void *user, double fraction), void *user, struct sr_error *err) {
    struct exact e = {.near = near};
    const size_t n = *pairs;
    int status = allocate(&e, n, err);
    for (size_t at = 0, taken; status == 0 && at < n; at += taken) {
        status = hold_rows(&taken, &e, pair + at, n - at, err);
        if (status == 0)
            status = compare_block(&e, pair + at, taken, err);
        if (done)
            done(user, (double)(at + taken) / (double)n);
    }
    if (status == 0)
        *pairs = drop_far(pair, n, near->cosine);
    sr_free(e.first);
    sr_free(e.a);
    sr_free(e.band);
    return status;
}
