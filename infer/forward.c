/* forward.c: rows to logits, in plain float32.
 *
 * Rows go through the network a few at a time, as many as the scratch on the stack holds; two halves of it
 * take turns as a layer's input and output. Nothing is allocated. Every inner product is summed in an order
 * that depends on the layer alone, so a row's bits do not depend on the rows beside it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "infer/router.h"

static void forward_block(const struct sr_router *r, float *logit, const float *x, size_t rows) {
    _Alignas(64) float scratch[2][SR_ROUTER_WIDEST];
    const struct sr_vec *vec = sr_vec();
    for (size_t l = 0; l + 1 < r->layers; l++) {
        const struct sr_router_layer *layer = &r->layer[l];
        float *out = scratch[l % 2];
        vec->linear(out, x, layer->w, layer->bias, rows, layer->inputs, layer->outputs, layer->outputs);
        vec->gelu_float(out, out, rows * layer->outputs);
        x = out;
    }
    const struct sr_router_layer *last = &r->layer[r->layers - 1];
    vec->linear(logit, x, last->w, last->bias, rows, last->inputs, 1, 1);
}

void sr_router_logits(const struct sr_router *r, float *logit, const float *x, size_t rows) {
    const size_t width = sr_router_width(r), most = SR_ROUTER_WIDEST / r->widest;
    for (size_t done = 0; done < rows; done += most)
        forward_block(r, logit + done, x + done * width, rows - done < most ? rows - done : most);
}

float sr_router_prob(float logit) {
    return (float)(1 / (1 + exp(-(double)logit)));
}
