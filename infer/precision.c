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
    const size_t items = layer->inputs * layer->outputs;
    const int precision = layer->precision;
    layer->w = precision == SAFEROUTE_COMPUTE_FLOAT32 ? sr_arena_take(arena, items, sizeof *layer->w) : NULL;
    layer->w_bfloat16 = precision == SAFEROUTE_COMPUTE_BFLOAT16
                            ? sr_arena_take(arena, items, sizeof *layer->w_bfloat16)
                            : NULL;
    layer->w_int8 =
        precision == SAFEROUTE_COMPUTE_INT8 ? sr_arena_take(arena, items, sizeof *layer->w_int8) : NULL;
    layer->scale = precision == SAFEROUTE_COMPUTE_INT8
                       ? sr_arena_take(arena, layer->outputs, sizeof *layer->scale)
                       : NULL;
    layer->bias = sr_arena_take(arena, layer->outputs, sizeof *layer->bias);
}

/* The nearest bfloat16, ties to even; weights are finite. */
static uint16_t to_bfloat16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

void sr_precision_convert(struct sr_router_layer *to, const float *w, const float *bias) {
    const size_t items = to->inputs * to->outputs;
    memcpy(to->bias, bias, to->outputs * sizeof *bias);
    switch (to->precision) {
    case SAFEROUTE_COMPUTE_BFLOAT16:
        for (size_t i = 0; i < items; i++)
            to->w_bfloat16[i] = to_bfloat16(w[i]);
        return;
    case SAFEROUTE_COMPUTE_INT8:
        for (size_t o = 0; o < to->outputs; o++)
            to->scale[o] =
                sr_kernels()->quantise(to->w_int8 + o * to->inputs, w + o * to->inputs, to->inputs);
        return;
    default:
        memcpy(to->w, w, items * sizeof *w);
    }
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
