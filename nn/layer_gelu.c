/* layer_gelu.c: y = x Phi(x), the erf form of Hendrycks and Gimpel 2016 (not the tanh approximation).
 *
 * Backward: dx = dy (Phi(x) + x phi(x)). The kernels are in nn/base/vec.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/nn.h"

#define BLOCK 16384 /* numbers a task; fixed, see nn.h */

static void forward(struct sr_layer *l, const struct sr_pass *pass, real *y, const real *x, size_t rows) {
    (void)pass;
    const size_t n = rows * l->out;
    const struct sr_vec *vec = sr_vec();
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += BLOCK)
        vec->gelu(y + i, x + i, n - i < BLOCK ? n - i : BLOCK);
}

static void backward(struct sr_layer *l, const struct sr_pass *pass, real *dx, const real *dy, const real *x,
                     size_t rows) {
    (void)pass;
    if (!dx)
        return;
    const size_t n = rows * l->out;
    const struct sr_vec *vec = sr_vec();
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += BLOCK)
        vec->gelu_backward(dx + i, dy + i, x + i, n - i < BLOCK ? n - i : BLOCK);
}

const struct sr_layer_kind sr_layer_gelu = {
    .name = "gelu", .same_width = true, .forward = forward, .backward = backward};
