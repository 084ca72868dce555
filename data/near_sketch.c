/* near_sketch.c: 256 bits a row, such that near rows differ in few of them. See near_parts.h.
 *
 * A bit is the side of a random hyperplane that the row lies on: two rows at angle t differ in a bit with
 * probability t / pi (Charikar 2002). Instead of 256 dense random vectors the standardised row is folded to
 * 256 sums under random signs, a count sketch (Charikar, Chen, Farach-Colton 2002), and those are rotated
 * twice by random signs and a Hadamard transform (Ailon and Chazelle 2009; Andoni, Indyk, Laarhoven,
 * Razenshteyn, Schmidt 2015, who rotate three times without folding). That takes 4 operations a feature
 * instead of 512.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "data/near_parts.h"

#define SAMPLE_BLOCKS ((size_t)64) /* spread evenly over all rows */
#define BLOCK_ROWS    ((size_t)64)

/* ---- mean and deviation of a sample ---- */

struct sample {
    unsigned char *raw;
    float *x;
    double *sum, *squares, *reference;
    size_t rows;
};

static void sample_add(struct sample *s, const float *x, size_t width) {
    if (!sr_vec()->all_finite(x, width))
        return;
    for (size_t k = 0; s->rows == 0 && k < width; k++)
        s->reference[k] = (double)x[k]; /* sums of differences lose nothing to a mean far from zero */
    s->rows++;
    for (size_t k = 0; k < width; k++) {
        const double shifted = (double)x[k] - s->reference[k];
        s->sum[k] += shifted;
        s->squares[k] += shifted * shifted;
    }
}

static int sample_block(struct sample *s, const struct sr_near *near, size_t row, struct sr_error *err) {
    const size_t set = sr_near_set(near, row), left = near->first[set + 1] - row;
    const struct sr_data *d = near->sets[set];
    const size_t n = left < BLOCK_ROWS ? left : BLOCK_ROWS;
    const int status = sr_near_read(d, s->raw, row - near->first[set], n, err);
    for (size_t r = 0; status == 0 && r < n; r++) {
        sr_feature_to_float(s->x, s->raw + r * d->in->row_bytes, near->width, d->in->type);
        sample_add(s, s->x, near->width);
    }
    return status;
}

/* A column without spread in the sample says nothing about who is near whom. */
static void sample_finish(struct sr_near *near, const struct sample *s) {
    for (size_t k = 0; k < near->width; k++) {
        const double n = s->rows ? (double)s->rows : 1, shift = s->sum[k] / n;
        const double variance = s->squares[k] / n - shift * shift, inverse = 1 / sqrt(variance);
        near->shift[k] = (float)(s->reference[k] + shift);
        near->scale[k] = variance > 0 && isfinite((float)inverse) ? (float)inverse : 0;
    }
}

static int sample_rows(struct sr_near *near, struct sr_error *err) {
    const size_t width = near->width, room = BLOCK_ROWS * sizeof(float);
    const size_t blocks = (near->rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    const size_t n = blocks < SAMPLE_BLOCKS ? blocks : SAMPLE_BLOCKS;
    struct sample s = {.raw = sr_alloc(width, room, err), .x = sr_alloc(width, sizeof(float), err)};
    s.sum = sr_alloc(width, sizeof(double), err);
    s.squares = sr_alloc(width, sizeof(double), err);
    s.reference = sr_alloc(width, sizeof(double), err);
    int status = s.raw && s.x && s.sum && s.squares && s.reference ? 0 : SR_NOMEM;
    for (size_t b = 0; status == 0 && b < n; b++)
        status = sample_block(&s, near, b * blocks / n * BLOCK_ROWS, err);
    if (status == 0)
        sample_finish(near, &s);
    sr_free(s.raw);
    sr_free(s.x);
    sr_free(s.sum);
    sr_free(s.squares);
    sr_free(s.reference);
    return status;
}

/* ---- signatures ---- */

static float random_sign(uint64_t stream, size_t i) {
    return sr_random_bits(0, stream, i) >> 63 ? -1.0f : 1.0f;
}

int sr_near_sketch_begin(struct sr_near *near, struct sr_error *err) {
    const uint64_t stream = sr_stream(SR_STREAM_NEAR, 0, 0);
    near->shift = sr_alloc(near->width, sizeof(float), err);
    near->scale = sr_alloc(near->width, sizeof(float), err);
    near->fold = sr_alloc(near->width, sizeof(float), err);
    near->sign = sr_alloc(2 * SR_NEAR_BITS, sizeof(float), err);
    if (!near->shift || !near->scale || !near->fold || !near->sign)
        return SR_NOMEM;
    const int status = sample_rows(near, err);
    for (size_t k = 0; k < near->width; k++)
        near->fold[k] = near->scale[k] * random_sign(stream, 2 * SR_NEAR_BITS + k);
    for (size_t i = 0; i < 2 * SR_NEAR_BITS; i++)
        near->sign[i] = random_sign(stream, i);
    return status;
}

/* Walsh-Hadamard transform of SR_NEAR_BITS numbers, in place, not scaled. */
static void hadamard(float *y) {
    for (size_t half = 1; half < SR_NEAR_BITS; half *= 2)
        for (size_t at = 0; at < SR_NEAR_BITS; at += 2 * half)
            for (size_t i = at; i < at + half; i++) {
                const float a = y[i], b = y[i + half];
                y[i] = a + b;
                y[i + half] = a - b;
            }
}

void sr_near_sketch(struct sr_near_signature *out, const struct sr_near *near, const float *x) {
    float y[SR_NEAR_BITS] = {0};
    for (size_t at = 0; at < near->width; at += SR_NEAR_BITS) {
        const size_t n = near->width - at < SR_NEAR_BITS ? near->width - at : SR_NEAR_BITS;
        for (size_t i = 0; i < n; i++)
            y[i] += (x[at + i] - near->shift[at + i]) * near->fold[at + i];
    }
    for (size_t turn = 0; turn < 2; turn++) {
        hadamard(y);
        for (size_t i = 0; i < SR_NEAR_BITS; i++)
            y[i] *= near->sign[turn * SR_NEAR_BITS + i];
    }
    hadamard(y);
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < SR_NEAR_BITS; i++)
        out->word[i / 64] |= (uint64_t)(y[i] > 0) << i % 64;
}
