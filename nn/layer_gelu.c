/* layer_gelu.c: y = x Phi(x), the erf form of Hendrycks and Gimpel 2016 (not the tanh approximation).
 *
 * Backward: dx = dy (Phi(x) + x phi(x)). The kernels are in nn/base/vec.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/nn.h"

static void forward(struct sr_layer *l, const struct sr_pass *pass, real *y, const real *x, size_t rows,
                    size_t b) {
    (void)l;
    (void)pass;
    const size_t at = sr_block_at(rows, b);
    sr_vec()->gelu(y + at, x + at, rows * SR_BLOCK);
}

static void backward(struct sr_layer *l, real *dx, const real *dy, const real *x, size_t rows, size_t b) {
    (void)l;
    const size_t at = sr_block_at(rows, b);
    sr_vec()->gelu_backward(dx + at, dy + at, x + at, rows * SR_BLOCK);
}

const struct sr_layer_kind sr_layer_gelu = {
    .name = "gelu", .columnwise = true, .forward = forward, .backward = backward};
