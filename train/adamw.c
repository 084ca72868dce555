/* adamw.c: AdamW (Loshchilov and Hutter 2019, algorithm 2) in PyTorch's form, and the global-norm clip.
 *
 *     g *= min(1, max_norm / (|g| + 1e-6))
 *     w -= lr wd w;  m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2
 *     w -= lr/(1-b1^t) m / (sqrt(v)/sqrt(1-b2^t) + eps)
 * Gradients are read twice, for their norm and for the step; everything else once. The elementwise part is
 * sr_vec()->adamw. eps stands outside the root and behind its bias correction.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "train/adamw.h"

#define BLOCKS 256 /* enough for any number of threads, and few partial sums */

double sr_clip_scale(double norm, double max) {
    const double scale = max / (norm + 1e-6);
    return max > 0 && scale < 1 ? scale : 1;
}

static struct sr_adamw_step constants(const struct sr_adamw *how, uint64_t t, double norm) {
    return (struct sr_adamw_step){
        .keep = (real)(1 - how->lr * how->weight_decay),
        .beta1 = (real)how->beta1,
        .beta2 = (real)how->beta2,
        .rest1 = (real)(1 - how->beta1),
        .rest2 = (real)(1 - how->beta2),
        .scale = (real)sr_clip_scale(norm, how->max_norm),
        .step = (real)(how->lr / (1 - pow(how->beta1, (double)t))),
        .root = (real)(1 / sqrt(1 - pow(how->beta2, (double)t))),
        .eps = (real)how->eps,
    };
}

/* Of the squares of blocks, in order. */
static double norm_of(const double *squares) {
    double sum = 0;
    for (size_t b = 0; b < BLOCKS; b++)
        sum += squares[b];
    return sqrt(sum);
}

double sr_adamw_step(real *params, real *exp_avg, real *exp_avg_sq, const real *grads, size_t n,
                     const struct sr_adamw *how, uint64_t t) {
    const struct sr_vec *vec = sr_vec();
    const size_t block = n / BLOCKS + 1;
    double squares[BLOCKS] = {0};
#pragma omp parallel
    {
#pragma omp for schedule(static)
        for (size_t b = 0; b < BLOCKS; b++)
            if (b * block < n)
                squares[b] =
                    vec->sum_squares(grads + b * block, n - b * block < block ? n - b * block : block);
        const struct sr_adamw_step step = constants(how, t, norm_of(squares));
#pragma omp for schedule(static)
        for (size_t i = 0; i < n; i += block)
            vec->adamw(params + i, exp_avg + i, exp_avg_sq + i, grads + i, n - i < block ? n - i : block,
                       &step);
    }
    return norm_of(squares);
}
