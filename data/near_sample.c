/* near_sample.c: mean and deviation of each column, from a sample of the rows of each set. See near_parts.h.
 *
 * A set has its own, because sets may lie in different places: by a common mean all rows of one would look
 * alike. Signatures need one for all sets of a width.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "data/near_parts.h"

#define SAMPLE_BLOCKS ((size_t)256) /* spread evenly over the rows of a set */
#define BLOCK_ROWS    ((size_t)16)
#define OWN_ROWS      64 /* of the sample; with fewer a set has no mean of its own */

/* Least deviation of a column by its mean, the distance of two bfloat16 numbers: below it is rounding. */
#define DEVIATION_MIN (1. / 256)
/* The share of the columns that has to be left by it: else the features lie far from zero as a whole. */
#define SHARE_LEFT .5
#define RATIO_MAX  4.

struct sample {
    unsigned char *raw;
    float *x, *reference;
    double *mean, *squares; /* sums of x - reference, then mean and variance */
    size_t width;
    double rows;
};

static void sample_free(struct sample *s) {
    void *blocks[] = {s->raw, s->x, s->reference, s->mean, s->squares};
    for (size_t i = 0; i < SR_COUNT(blocks); i++)
        sr_free(blocks[i]);
}

static int sample_begin(struct sample *s, size_t width, struct sr_error *err) {
    *s = (struct sample){.width = width};
    s->raw = sr_alloc(width, BLOCK_ROWS * sizeof(float), err);
    s->x = sr_alloc(width, sizeof(float), err);
    s->reference = sr_alloc(width, sizeof(float), err);
    s->mean = sr_alloc(width, sizeof(double), err);
    s->squares = sr_alloc(width, sizeof(double), err);
    return s->raw && s->x && s->reference && s->mean && s->squares ? 0 : SR_NOMEM;
}

static void sample_add(struct sample *s) {
    if (!sr_vec()->all_finite(s->x, s->width))
        return;
    if (s->rows == 0) /* sums of differences lose nothing to a mean far from zero */
        memcpy(s->reference, s->x, s->width * sizeof(float));
    s->rows++;
    for (size_t k = 0; k < s->width; k++) {
        const double shifted = (double)s->x[k] - (double)s->reference[k];
        s->mean[k] += shifted;
        s->squares[k] += shifted * shifted;
    }
}

static int sample_block(struct sample *s, const struct sr_data *d, size_t row, struct sr_error *err) {
    const size_t left = d->rows - row, n = left < BLOCK_ROWS ? left : BLOCK_ROWS;
    const int status = sr_near_read(d, s->raw, row, n, err);
    for (size_t r = 0; status == 0 && r < n; r++) {
        sr_feature_to_float(s->x, s->raw + r * d->in->row_bytes, s->width, d->in->type);
        sample_add(s);
    }
    return status;
}

static int sample_set(struct sample *s, const struct sr_data *d, struct sr_error *err) {
    const size_t blocks = (d->rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    const size_t n = blocks < SAMPLE_BLOCKS ? blocks : SAMPLE_BLOCKS;
    int status = 0;
    s->rows = 0;
    memset(s->mean, 0, s->width * sizeof(double));
    memset(s->squares, 0, s->width * sizeof(double));
    for (size_t b = 0; status == 0 && b < n; b++)
        status = sample_block(s, d, b * blocks / n * BLOCK_ROWS, err);
    for (size_t k = 0; k < s->width && s->rows > 0; k++) {
        const double shift = s->mean[k] / s->rows, variance = s->squares[k] / s->rows - shift * shift;
        s->mean[k] = (double)s->reference[k] + shift;
        s->squares[k] = variance > 0 ? variance : 0;
    }
    return status;
}

/* Takes a set into all, by the numbers of their rows (Chan, Golub, LeVeque 1979). */
static void merge(struct sample *all, const struct sample *s, double rows) {
    const double sum = all->rows + rows, share = rows / sum;
    if (s->rows == 0)
        return;
    for (size_t k = 0; k < all->width; k++) {
        const double apart = s->mean[k] - all->mean[k];
        all->mean[k] += share * apart;
        all->squares[k] += share * (s->squares[k] - all->squares[k]) + share * (1 - share) * apart * apart;
    }
    all->rows = sum;
}

static double floor_of(const struct sample *s, size_t k) {
    const double least = s->mean[k] * DEVIATION_MIN;
    return least * least;
}

/* Whether with floors about as many columns have a say as without: (sum v)^2 / sum v^2 of what a column
 * contributes to z.z. */
static bool can_have_floors(const struct sample *s) {
    double columns = 0, sum = 0, squares = 0;
    for (size_t k = 0; k < s->width; k++) {
        if (!(s->squares[k] > 0))
            continue;
        const double v = s->squares[k] / (s->squares[k] + floor_of(s, k));
        columns++;
        sum += v;
        squares += v * v;
    }
    return sum * sum >= SHARE_LEFT * columns * squares;
}

/* A column without spread in the sample says nothing about who is near whom. */
static int make_scale(struct sr_near_scale *out, const struct sample *s, struct sr_error *err) {
    const bool floors = can_have_floors(s);
    out->shift = sr_alloc(s->width, sizeof(float), err);
    out->scale = sr_alloc(s->width, sizeof(float), err);
    if (!out->shift || !out->scale)
        return SR_NOMEM;
    for (size_t k = 0; k < s->width; k++) {
        const double inverse = 1 / sqrt(s->squares[k] + (floors ? floor_of(s, k) : 0));
        out->shift[k] = (float)s->mean[k];
        out->scale[k] = s->squares[k] > 0 && isfinite((float)inverse) ? (float)inverse : 0;
    }
    return 0;
}

/* What a single column adds is limited: a rare one of the set can be nearly constant elsewhere. */
static double spread_of(const struct sr_near_scale *own, const struct sr_near_scale *all, size_t width) {
    double sum = 0;
    for (size_t k = 0; own->shift && k < width; k++) {
        const double ratio = own->scale[k] > 0 ? (double)all->scale[k] / (double)own->scale[k] : 0;
        sum += fmin(ratio * ratio, RATIO_MAX);
    }
    return sum;
}

static int sample_space(struct sr_near *near, size_t space, struct sample *s, struct sample *all,
                        struct sr_error *err) {
    int status = 0;
    for (size_t i = 0; status == 0 && i < near->n; i++) {
        if (near->space_of[i] != space)
            continue;
        status = sample_set(s, near->sets[i], err);
        if (status == 0 && s->rows >= OWN_ROWS)
            status = make_scale(&near->own[i], s, err);
        merge(all, s, (double)near->sets[i]->rows);
    }
    struct sr_near_scale *whole = &near->space[space].all;
    if (status == 0)
        status = make_scale(whole, all, err);
    for (size_t i = 0; status == 0 && i < near->n; i++)
        if (near->space_of[i] == space)
            near->own[i].spread = spread_of(&near->own[i], whole, all->width);
    return status;
}

int sr_near_sample(struct sr_near *near, struct sr_error *err) {
    int status = 0;
    for (size_t p = 0; status == 0 && p < near->spaces; p++) {
        struct sample s = {0}, all = {0};
        status = sample_begin(&s, near->space[p].width, err);
        if (status == 0)
            status = sample_begin(&all, near->space[p].width, err);
        if (status == 0)
            status = sample_space(near, p, &s, &all, err);
        sample_free(&s);
        sample_free(&all);
    }
    return status;
}
