/* router.h: what a router is made of; private to infer/.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_ROUTER_H
#define SR_ROUTER_H

#include "infer/infer.h"

/* Floats of forward.c's scratch: 64 KiB on the stack, two halves that layers read from and write to by turns.
 * A hidden layer must fit one half. */
#define SR_SCRATCH        16384
#define SR_ROUTER_WIDEST  (SR_SCRATCH / 2)
#define SR_ROUTER_DEEPEST 64 /* hidden layers; the recipe has three */

/* out = w x + bias, w (outputs, inputs) row-major; GELU behind every layer but the last. */
struct sr_router_layer {
    size_t inputs, outputs;
    float *w, *bias;
};

struct sr_router {
    struct sr_router_layer layer[SR_ROUTER_DEEPEST + 1];
    size_t layers; /* hidden ones and the last, whose one output is the logit */
    size_t widest; /* outputs of the widest layer, at most SR_ROUTER_WIDEST */
    bool has_threshold;
    float threshold;
    struct sr_pair *metadata;
    size_t n_metadata;
    void *block; /* what the pointers above point to */
};

/* One Linear and the BatchNorm behind it, as they lie in the weights file: w (outputs, inputs), the rest
 * (outputs). */
struct sr_fold {
    const float *w, *bias, *gamma, *beta, *mean, *variance;
};
/* Fills layer->w and layer->bias. SR_DATA if a result is no finite float. */
int sr_fold_layer(struct sr_router_layer *layer, const struct sr_fold *from, const char *name,
                  struct sr_error *err);

#endif
