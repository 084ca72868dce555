/* adamw.h: AdamW behind the global-norm clip.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_ADAMW_H
#define SR_ADAMW_H

#include <stddef.h>
#include <stdint.h>

#include "nn/base/base.h"

struct sr_adamw {
    double lr; /* > 0 */
    double beta1, beta2;
    double eps;
    double weight_decay; /* on every parameter */
    double max_norm;     /* gradients are scaled down to this Euclidean norm; 0: never */
};

/* Factor that brings a gradient of this norm to at most max: min(1, max / (norm + 1e-6)) (PyTorch's
 * clip_grad_norm_). 1 if max is 0. */
double sr_clip_scale(double norm, double max);

/* One step over n parameters: t is the number of this step, from 1. exp_avg and exp_avg_sq are the moments,
 * zero before the first step. Returns the Euclidean norm of grads before clipping, summed in double. Runs on
 * one team of OpenMP threads over blocks that depend on n alone: the same bits for any number of threads. */
double sr_adamw_step(real *params, real *exp_avg, real *exp_avg_sq, const real *grads, size_t n,
                     const struct sr_adamw *how, uint64_t t);

#endif
