/* precision.c: a layer's weights in float32, bfloat16 or int8.
 *
 * int8: each output has its own scale, max|w| / 127, so that a small row of weights is not rounded by a large
 * one's step. Inputs are quantised on the fly, one scale a row; where the statistics of training are known
 * the first layer reads standardised features, or the few large features that language models have would take
 * all the steps from the others (Dettmers et al. 2022, "LLM.int8()", section 4; Xiao et al. 2023,
 * "SmoothQuant", eq. 3, moves scales the same way).
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "infer/router.h"

void sr_precision_carve(struct sr_arena *arena, struct sr_router_layer *layer) {
    const size_t inputs = layer->inputs, outputs = layer->outputs;
    const bool is_int8 = layer->precision == SAFEROUTE_COMPUTE_INT8;
    if (is_int8)
        layer->panels = sr_arena_take(arena, sr_panels_bytes_int8(inputs, outputs), 1);
    else
        layer->panels =
            sr_arena_take(arena, sr_panels_items(inputs, outputs),
                          layer->precision == SAFEROUTE_COMPUTE_BFLOAT16 ? sizeof(uint16_t) : sizeof(float));
    layer->scale = is_int8 ? sr_arena_take(arena, outputs, sizeof *layer->scale) : NULL;
    layer->bias = sr_arena_take(arena, outputs, sizeof *layer->bias);
}

static void carve_rows(struct sr_arena *arena, struct sr_router_layer *layer) {
    const size_t items = layer->inputs * layer->outputs;
    if (layer->precision == SAFEROUTE_COMPUTE_INT8)
        layer->w_int8 = sr_arena_take(arena, items, sizeof *layer->w_int8);
    else if (layer->precision == SAFEROUTE_COMPUTE_BFLOAT16)
        layer->w_bfloat16 = sr_arena_take(arena, items, sizeof *layer->w_bfloat16);
    else
        layer->w = sr_arena_take(arena, items, sizeof *layer->w);
}

static void unpack(const struct sr_router_layer *layer) {
    if (layer->w_int8)
        sr_panels_unpack_int8(layer->w_int8, layer->panels, layer->inputs, layer->outputs);
    else if (layer->w_bfloat16)
        sr_panels_unpack_bfloat16(layer->w_bfloat16, layer->panels, layer->inputs, layer->outputs);
    else
        sr_panels_unpack(layer->w, layer->panels, layer->inputs, layer->outputs);
}

int sr_router_unpack(struct sr_router *r, struct sr_error *err) {
    struct sr_arena arena = {0};
    for (size_t l = 0; l < r->layers; l++)
        carve_rows(&arena, &r->layer[l]);
    const int status = sr_arena_allocate(&arena, err);
    r->rows = arena.base;
    for (size_t l = 0; status == 0 && l < r->layers; l++) {
        carve_rows(&arena, &r->layer[l]);
        unpack(&r->layer[l]);
    }
    return status;
}

/* The nearest bfloat16, ties to even; weights are finite. */
static uint16_t to_bfloat16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static int convert_bfloat16(struct sr_router_layer *to, const float *w, struct sr_error *err) {
    const size_t items = to->inputs * to->outputs;
    uint16_t *half = sr_alloc(items, sizeof *half, err);
    if (!half)
        return SR_NOMEM;
    for (size_t i = 0; i < items; i++)
        half[i] = to_bfloat16(w[i]);
    sr_panels_pack_bfloat16(to->panels, half, to->inputs, to->outputs);
    sr_free(half);
    return 0;
}

static int convert_int8(struct sr_router_layer *to, const float *w, struct sr_error *err) {
    const size_t inputs = to->inputs;
    int8_t *small = sr_alloc(inputs * to->outputs, 1, err);
    uint8_t *q = sr_alloc(SR_QUADS(inputs), 1, err);
    for (size_t o = 0; small && q && o < to->outputs; o++) {
        to->scale[o] = sr_kernels()->quantise(q, w + o * inputs, inputs);
        for (size_t k = 0; k < inputs; k++)
            small[o * inputs + k] = (int8_t)(q[k] - 128);
    }
    const int status = small && q ? 0 : SR_NOMEM;
    if (status == 0)
        sr_panels_pack_int8(to->panels, small, inputs, to->outputs);
    sr_free(small);
    sr_free(q);
    return status;
}

int sr_precision_convert(struct sr_router_layer *to, const float *w, const float *bias,
                         struct sr_error *err) {
    memcpy(to->bias, bias, to->outputs * sizeof *bias);
    if (to->precision == SAFEROUTE_COMPUTE_BFLOAT16)
        return convert_bfloat16(to, w, err);
    if (to->precision == SAFEROUTE_COMPUTE_INT8)
        return convert_int8(to, w, err);
    sr_panels_pack(to->panels, w, to->inputs, to->outputs);
    return 0;
}

void sr_precision_standardise(const struct sr_router_range *range, float *w, float *bias, size_t inputs,
                              size_t outputs) {
    for (size_t o = 0; o < outputs; o++) {
        double moved = (double)bias[o];
        for (size_t i = 0; i < inputs; i++) {
            moved += (double)w[o * inputs + i] * (double)range->mean[i];
            w[o * inputs + i] /= range->inverse[i];
        }
        bias[o] = (float)moved;
    }
}
