/* adamw.c: AdamW (Loshchilov and Hutter 2019, algorithm 2) in PyTorch's form, and the global-norm clip.
 *
 *     w -= lr wd w;  m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2
 *     w -= lr/(1-b1^t) m / (sqrt(v)/sqrt(1-b2^t) + eps)
 * The elementwise part is sr_vec()->adamw. eps stands outside the root and behind its bias correction.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "train/adamw.h"

#define BLOCK      16384 /* numbers a task: four streams of it fit a core's L2 */
#define NORM_GROUP 256   /* partial sums kept at a time */

double sr_gradient_norm(const real *grads, size_t n) {
    const struct sr_vec *vec = sr_vec();
    double sum = 0;
    for (size_t group = 0; group < n; group += (size_t)BLOCK * NORM_GROUP) {
        const size_t left = n - group, blocks = left / BLOCK + (left % BLOCK != 0);
        const size_t count = blocks < NORM_GROUP ? blocks : NORM_GROUP;
        double partial[NORM_GROUP];
#pragma omp parallel for schedule(static)
        for (size_t b = 0; b < count; b++) {
            const size_t first = group + b * BLOCK;
            partial[b] = vec->sum_squares(grads + first, n - first < BLOCK ? n - first : BLOCK);
        }
        for (size_t b = 0; b < count; b++)
            sum += partial[b];
    }
    return sqrt(sum);
}

double sr_clip_scale(double norm, double max) {
    const double scale = max / (norm + 1e-6);
    return max > 0 && scale < 1 ? scale : 1;
}

void sr_adamw_step(real *params, real *exp_avg, real *exp_avg_sq, const real *grads, size_t n,
                   const struct sr_adamw *how, uint64_t t, double grad_scale) {
    const struct sr_vec *vec = sr_vec();
    const struct sr_adamw_step step = {
        .keep = (real)(1 - how->lr * how->weight_decay),
        .beta1 = (real)how->beta1,
        .beta2 = (real)how->beta2,
        .rest1 = (real)(1 - how->beta1),
        .rest2 = (real)(1 - how->beta2),
        .scale = (real)grad_scale,
        .step = (real)(how->lr / (1 - pow(how->beta1, (double)t))),
        .root = (real)(1 / sqrt(1 - pow(how->beta2, (double)t))),
        .eps = (real)how->eps,
    };
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += BLOCK)
        vec->adamw(params + i, exp_avg + i, exp_avg_sq + i, grads + i, n - i < BLOCK ? n - i : BLOCK, &step);
}
