/* forward.c: rows to logits.
 *
 * Rows go through the network a few at a time, as many as the scratch on the stack holds; a layer reads from
 * one end of it and writes to the other. Nothing is allocated. A call of few rows gets by with a small
 * scratch; one of many takes a larger one, so that weights are fetched from memory once for dozens of rows.
 * Every inner product is summed in an order that depends on the layer alone, so a row's bits do not depend on
 * the rows beside it. Rows of float32 are read where they lie; others are widened first, which is exact. What
 * an int8 layer reads is quantised row by row.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "infer/router.h"

struct scratch {
    float *value;       /* [room] */
    uint8_t *quantised; /* [room_int8] */
    float scale[SR_BLOCK_MOST];
    size_t room;
};

/* Rows of floats: row r is x + r * stride. */
struct view {
    const float *x;
    ptrdiff_t stride;
};

static ptrdiff_t stride_of(const struct saferoute_rows *rows) {
    const size_t item = rows->dtype == SAFEROUTE_FLOAT32 ? 4 : 2;
    return rows->stride ? rows->stride : (ptrdiff_t)(rows->width * item);
}

static const char *row_at(const struct saferoute_rows *rows, size_t i) {
    return (const char *)rows->features + (ptrdiff_t)i * stride_of(rows);
}

/* True if layer 0 reads floats; a router of int8 has its last layer in float32, which may be its only one. */
static bool reads_floats(const struct sr_router *r) {
    return r->layer[0].precision != SAFEROUTE_COMPUTE_INT8;
}

/* True if rows can be read where they lie. */
static bool is_direct(const struct sr_router *r, const struct saferoute_rows *rows) {
    return rows->dtype == SAFEROUTE_FLOAT32 && !(r->standardised && reads_floats(r)) &&
           (uintptr_t)rows->features % 4 == 0 && stride_of(rows) % 4 == 0;
}

/* Floats of a row that lie in the scratch at the same time. An int8 layer's inputs are quantised before it
 * writes, so only the widest layer counts; a row of features is alone there while it is quantised. */
static size_t floats_of(const struct sr_router *r, const struct saferoute_rows *rows) {
    size_t floats = 1;
    for (size_t l = 0; l < r->layers; l++) {
        const struct sr_router_layer *layer = &r->layer[l];
        const bool quantised = layer->precision == SAFEROUTE_COMPUTE_INT8;
        const size_t in = quantised || (l == 0 && is_direct(r, rows)) ? 0 : layer->inputs,
                     out = l == 0 && r->range.basis.outputs > layer->outputs ? r->range.basis.outputs
                                                                             : layer->outputs;
        floats = in + out > floats ? in + out : floats;
    }
    return floats;
}

/* Rows that go through the network together in a scratch of that size, at least 1: routers whose layers do
 * not fit are not opened. */
static size_t most_of(const struct sr_router *r, const struct saferoute_rows *rows, size_t room,
                      size_t room_int8) {
    size_t most = room / floats_of(r, rows), widest = 1;
    for (size_t l = 0; l < r->layers; l++)
        widest = SR_QUADS(r->layer[l].inputs) > widest ? SR_QUADS(r->layer[l].inputs) : widest;
    if (r->precision == SAFEROUTE_COMPUTE_INT8 && room_int8 / widest < most)
        most = room_int8 / widest;
    return most < SR_BLOCK_MOST ? most : SR_BLOCK_MOST;
}

size_t sr_forward_most(const struct sr_router *r, const struct saferoute_rows *rows) {
    const size_t few = most_of(r, rows, SR_SCRATCH, SR_SCRATCH_INT8);
    return rows->rows <= few ? few : most_of(r, rows, SR_SCRATCH_MANY, SR_SCRATCH_MANY_INT8);
}

static void widen_row(const struct sr_router *r, float *to, const char *row, int dtype, size_t width) {
    uint16_t part[256];
    if (dtype == SAFEROUTE_FLOAT32) {
        memcpy(to, row, width * sizeof *to);
        return;
    }
    for (size_t i = 0; i < width; i += SR_COUNT(part)) { /* by way of a copy: rows may be unaligned */
        const size_t n = width - i < SR_COUNT(part) ? width - i : SR_COUNT(part);
        memcpy(part, row + 2 * i, 2 * n);
        if (dtype == SAFEROUTE_FLOAT16)
            r->vec->half_to_float(to + i, part, n);
        else
            r->vec->bfloat16_to_float(to + i, part, n);
    }
}

/* Quantised rows (of INT8) or in (of others) by a layer. */
static void multiply(const struct sr_router *r, const struct sr_router_layer *layer, float *out,
                     struct view in, size_t rows, const struct scratch *s) {
    const struct sr_kernels *k = r->kernels;
    const size_t outputs = layer->outputs;
    switch (layer->precision) {
    case SAFEROUTE_COMPUTE_BFLOAT16:
        k->linear_bfloat16(out, outputs, in.x, in.stride, layer->panels, layer->bias, rows, layer->inputs,
                           outputs);
        return;
    case SAFEROUTE_COMPUTE_INT8:
        k->linear_int8(out, outputs, s->quantised, s->scale, layer->panels, layer->scale, layer->bias, rows,
                       layer->inputs, outputs);
        return;
    default:
        k->linear(out, outputs, in.x, in.stride, layer->panels, layer->bias, rows, layer->inputs, outputs);
    }
}

static void quantise_row(const struct sr_router *r, struct scratch *s, size_t i, const float *x, size_t n) {
    s->scale[i] = r->kernels->quantise(s->quantised + i * SR_QUADS(n), x, n);
}

/* One row as layer 0 reads it, in `own` or, where it can stay, where it lies; whether it is finite, and its
 * sums for the range. A row of NaN becomes zeros, of which nothing is kept. */
static const float *prepare_row(const struct sr_router *r, struct sr_scored *out, float sums[2], float *own,
                                const struct saferoute_rows *rows, size_t row, bool direct, bool ranged) {
    const size_t width = rows->width;
    const float *x = direct ? (const float *)(const void *)row_at(rows, row) : own;
    if (!direct)
        widen_row(r, own, row_at(rows, row), rows->dtype, width);
    const bool finite = r->vec->all_finite(x, width);
    *out = (struct sr_scored){.reason = finite ? SAFEROUTE_REASON_SCORE : SAFEROUTE_REASON_NOT_FINITE};
    if (ranged)
        r->kernels->range_sums(sums, x, r->range.mean, r->range.inverse, width);
    if (!finite && (!direct || r->precision == SAFEROUTE_COMPUTE_INT8))
        return memset(own, 0, width * sizeof *own);
    if (r->standardised) {
        r->kernels->standardise(own, x, r->range.mean, r->range.inverse, width);
        return own;
    }
    return x;
}

/* What layer 0 and the range read: quantised rows, of a router of int8, and the view that is returned. Rows
 * that stay where they lie have no place in the scratch: one that is replaced by zeros is there alone. */
static struct view prepare(const struct sr_router *r, struct sr_scored *out, float sums[][2],
                           const struct saferoute_rows *rows, size_t first, size_t n, struct scratch *s,
                           bool ranged) {
    const size_t width = rows->width;
    const bool direct = is_direct(r, rows), floats = reads_floats(r);
    for (size_t i = 0; i < n; i++) {
        float *own = s->value + (floats && !direct ? i * width : 0);
        const float *x = prepare_row(r, &out[i], sums[i], own, rows, first + i, direct, ranged);
        if (r->precision == SAFEROUTE_COMPUTE_INT8)
            quantise_row(r, s, i, x, width);
    }
    if (direct)
        return (struct view){(const float *)(const void *)row_at(rows, first), stride_of(rows) / 4};
    return (struct view){s->value, (ptrdiff_t)width};
}

static void measure_range(const struct sr_router *r, struct sr_scored *out, float sums[][2], struct view in,
                          size_t n, struct scratch *s) {
    const size_t k = r->range.basis.outputs;
    float *coordinate = s->value + s->room - n * k;
    multiply(r, &r->range.basis, coordinate, in, n, s);
    for (size_t i = 0; i < n; i++)
        if (out[i].reason == SAFEROUTE_REASON_SCORE)
            out[i].range = sr_range_of(&r->range, sums[i], coordinate + i * k, r->range.basis.inputs);
}

/* What overflows in a layer must not become a number again further on: GELU of -inf is 0, and of rows without
 * a finite number int8 keeps nothing. */
static void find_overflow(const struct sr_router *r, struct sr_scored *out, const float *y, size_t n,
                          size_t outputs) {
    for (size_t i = 0; i < n; i++)
        if (out[i].reason == SAFEROUTE_REASON_SCORE && !r->vec->all_finite(y + i * outputs, outputs))
            out[i].reason = SAFEROUTE_REASON_OVERFLOW;
}

static void forward(const struct sr_router *r, struct sr_scored *out, const struct saferoute_rows *rows,
                    size_t first, size_t n, struct scratch *s) {
    const bool ranged = r->range.known && r->options.range != SAFEROUTE_RANGE_OFF;
    float sums[SR_BLOCK_MOST][2];
    struct view in = prepare(r, out, sums, rows, first, n, s, ranged);
    if (ranged)
        measure_range(r, out, sums, in, n, s);
    for (size_t l = 0; l < r->layers; l++) {
        const struct sr_router_layer *layer = &r->layer[l];
        float *to = l % 2 ? s->value : s->value + s->room - n * layer->outputs;
        for (size_t i = 0; l > 0 && layer->precision == SAFEROUTE_COMPUTE_INT8 && i < n; i++)
            quantise_row(r, s, i, in.x + (ptrdiff_t)i * in.stride, layer->inputs);
        multiply(r, layer, to, in, n, s);
        find_overflow(r, out, to, n, layer->outputs);
        if (l + 1 < r->layers)
            r->vec->gelu_float(to, to, n * layer->outputs);
        in = (struct view){to, (ptrdiff_t)layer->outputs};
    }
    for (size_t i = 0; i < n; i++) {
        out[i].logit = in.x[(ptrdiff_t)i * in.stride];
        if (out[i].reason != SAFEROUTE_REASON_SCORE)
            out[i].logit = NAN;
    }
}

/* Functions of their own, so that the large scratch is not on the stack of a call of one row. */
static __attribute__((noinline)) void forward_few(const struct sr_router *r, struct sr_scored *out,
                                                  const struct saferoute_rows *rows, size_t first, size_t n) {
    _Alignas(64) float value[SR_SCRATCH];
    _Alignas(64) uint8_t quantised[SR_SCRATCH_INT8];
    struct scratch s = {.value = value, .quantised = quantised, .room = SR_SCRATCH};
    forward(r, out, rows, first, n, &s);
}

static __attribute__((noinline)) void forward_many(const struct sr_router *r, struct sr_scored *out,
                                                   const struct saferoute_rows *rows, size_t first,
                                                   size_t n) {
    _Alignas(64) float value[SR_SCRATCH_MANY];
    _Alignas(64) uint8_t quantised[SR_SCRATCH_MANY_INT8];
    struct scratch s = {.value = value, .quantised = quantised, .room = SR_SCRATCH_MANY};
    forward(r, out, rows, first, n, &s);
}

void sr_forward(const struct sr_router *r, struct sr_scored *out, const struct saferoute_rows *rows,
                size_t first, size_t n) {
    if (n <= most_of(r, rows, SR_SCRATCH, SR_SCRATCH_INT8))
        forward_few(r, out, rows, first, n);
    else
        forward_many(r, out, rows, first, n);
}

float sr_router_prob(float logit) {
    return (float)(1 / (1 + exp(-(double)logit)));
}
