/* forward.c: rows to logits.
 *
 * Rows go through the network a few at a time, as many as the scratch on the stack holds; a layer reads from
 * one end of it and writes to the other. Nothing is allocated. Every inner product is summed in an order that
 * depends on the layer alone, so a row's bits do not depend on the rows beside it. Rows of float32 are read
 * where they lie; others are widened first, which is exact.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "infer/router.h"

struct scratch {
    _Alignas(64) float value[SR_SCRATCH];
    _Alignas(64) int8_t quantised[SR_SCRATCH_INT8];
    float scale[SR_BLOCK_MOST];
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

/* True if layer 0 can read the rows where they lie. */
static bool is_direct(const struct sr_router *r, const struct saferoute_rows *rows) {
    return rows->dtype == SAFEROUTE_FLOAT32 && !r->standardised && (uintptr_t)rows->features % 4 == 0 &&
           stride_of(rows) % 4 == 0;
}

size_t sr_forward_most(const struct sr_router *r, const struct saferoute_rows *rows) {
    size_t floats = 1, widest = 1;
    for (size_t l = 0; l < r->layers; l++) {
        const size_t in = l == 0 && is_direct(r, rows) ? 0 : r->layer[l].inputs,
                     out = l == 0 && r->range.basis.outputs > r->layer[l].outputs ? r->range.basis.outputs
                                                                                  : r->layer[l].outputs;
        floats = in + out > floats ? in + out : floats;
        widest = r->layer[l].inputs > widest ? r->layer[l].inputs : widest;
    }
    size_t most = SR_SCRATCH / floats;
    if (r->precision == SAFEROUTE_COMPUTE_INT8 && SR_SCRATCH_INT8 / widest < most)
        most = SR_SCRATCH_INT8 / widest;
    return most < SR_BLOCK_MOST ? most : SR_BLOCK_MOST;
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

/* Layer l of `rows` rows. */
static void apply(const struct sr_router *r, const struct sr_router_layer *layer, float *out,
                  size_t out_stride, struct view in, size_t rows, struct scratch *s) {
    const struct sr_kernels *k = r->kernels;
    switch (layer->precision) {
    case SAFEROUTE_COMPUTE_BFLOAT16:
        k->linear_bfloat16(out, out_stride, in.x, in.stride, layer->w_bfloat16, layer->bias, rows,
                           layer->inputs, layer->outputs);
        return;
    case SAFEROUTE_COMPUTE_INT8:
        for (size_t i = 0; i < rows; i++)
            s->scale[i] =
                k->quantise(s->quantised + i * layer->inputs, in.x + (ptrdiff_t)i * in.stride, layer->inputs);
        k->linear_int8(out, out_stride, s->quantised, s->scale, layer->w_int8, layer->scale, layer->bias,
                       rows, layer->inputs, layer->outputs);
        return;
    default:
        k->linear(out, out_stride, in.x, in.stride, layer->w, layer->bias, rows, layer->inputs,
                  layer->outputs);
    }
}

/* What layer 0 reads, and of every row whether it is finite and its sums for the range. Rows of NaN become
 * zeros, of which nothing is kept. */
static struct view prepare(const struct sr_router *r, struct sr_scored *out, float sums[][2],
                           const struct saferoute_rows *rows, size_t first, size_t n, struct scratch *s) {
    const size_t width = rows->width;
    const bool direct = is_direct(r, rows),
               ranged = r->range.known && r->options.range != SAFEROUTE_RANGE_OFF;
    struct view in = {s->value, (ptrdiff_t)width};
    if (direct)
        in = (struct view){(const float *)(const void *)row_at(rows, first), stride_of(rows) / 4};
    for (size_t i = 0; i < n; i++) {
        float *own = s->value + i * width;
        if (!direct)
            widen_row(r, own, row_at(rows, first + i), rows->dtype, width);
        const float *x = direct ? in.x + (ptrdiff_t)i * in.stride : own;
        const bool finite = r->vec->all_finite(x, width);
        out[i] = (struct sr_scored){.reason = finite ? SAFEROUTE_REASON_SCORE : SAFEROUTE_REASON_NOT_FINITE};
        if (ranged)
            r->kernels->range_sums(sums[i], x, r->range.mean, r->range.inverse, width);
        if (!finite && !direct)
            memset(own, 0, width * sizeof *own);
        else if (r->standardised)
            r->kernels->standardise(own, own, r->range.mean, r->range.inverse, width);
    }
    return in;
}

static void measure_range(const struct sr_router *r, struct sr_scored *out, float sums[][2], struct view in,
                          size_t n, struct scratch *s) {
    const size_t k = r->range.basis.outputs;
    float *coordinate = s->value + SR_SCRATCH - n * k;
    if (!r->range.known || r->options.range == SAFEROUTE_RANGE_OFF)
        return;
    apply(r, &r->range.basis, coordinate, k, in, n, s);
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

void sr_forward(const struct sr_router *r, struct sr_scored *out, const struct saferoute_rows *rows,
                size_t first, size_t n) {
    struct scratch s;
    float sums[SR_BLOCK_MOST][2];
    struct view in = prepare(r, out, sums, rows, first, n, &s);
    measure_range(r, out, sums, in, n, &s);
    for (size_t l = 0; l < r->layers; l++) {
        const struct sr_router_layer *layer = &r->layer[l];
        float *to = l % 2 ? s.value : s.value + SR_SCRATCH - n * layer->outputs;
        apply(r, layer, to, layer->outputs, in, n, &s);
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

float sr_router_prob(float logit) {
    return (float)(1 / (1 + exp(-(double)logit)));
}
