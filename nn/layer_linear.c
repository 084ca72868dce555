/* layer_linear.c: y = x W^T + b.
 *
 * W is (out, in) row-major, as PyTorch stores it. Backward: dx = dy W, dW = dy^T x, db = column sums of dy.
 * The products are in matmul.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "nn/nn.h"

enum { WEIGHT, BIAS };

static void describe(struct sr_layer *l) {
    l->n_tensors = 2;
    l->tensor[WEIGHT] =
        (struct sr_layer_tensor){"weight", SR_ROLE_PARAM, 2, {l->out, l->in}, NULL, NULL, NULL};
    l->tensor[BIAS] = (struct sr_layer_tensor){"bias", SR_ROLE_PARAM, 1, {l->out, 0}, NULL, NULL, NULL};
}

static void init(struct sr_layer *l, uint64_t seed) {
    const uint64_t stream = sr_stream(SR_STREAM_INIT, l->index, 0);
    const double deviation = sqrt(2.0 / (double)l->in);
    real *weight = l->tensor[WEIGHT].data;
    const size_t n = l->in * l->out;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += 2) {
        double pair[2];
        sr_random_normal_pair(pair, seed, stream, i / 2);
        weight[i] = (real)(deviation * pair[0]);
        if (i + 1 < n)
            weight[i + 1] = (real)(deviation * pair[1]);
    }
    memset(l->tensor[BIAS].data, 0, l->out * sizeof(real));
}

static void forward(struct sr_layer *l, const struct sr_pass *pass, real *y, const real *x, size_t rows,
                    size_t b) {
    (void)pass;
    const real *weight = l->tensor[WEIGHT].data, *bias = l->tensor[BIAS].data;
    const size_t o = b * SR_BLOCK;
    sr_matmul()->forward(y + sr_block_at(rows, b), x, weight + o * l->in, bias + o, rows, l->in,
                         sr_block_columns(l->out, b));
}

static void gradient(struct sr_layer *l, const real *dy, const real *x, size_t rows, size_t b) {
    real *dweight = l->tensor[WEIGHT].grad, *dbias = l->tensor[BIAS].grad;
    const size_t o = b * SR_BLOCK, n = sr_block_columns(l->out, b);
    dy += sr_block_at(rows, b);
    sr_matmul()->gradient(dweight + o * l->in, dy, x, rows, l->in, n);
    sr_vec()->column_sum(dbias + o, dy, rows, n, SR_BLOCK);
}

static void backward(struct sr_layer *l, real *dx, const real *dy, const real *x, size_t rows, size_t b) {
    (void)x;
    sr_matmul()->backward(dx + sr_block_at(rows, b), dy, l->tensor[WEIGHT].data + b * SR_BLOCK, rows, l->out,
                          l->in, sr_block_columns(l->in, b));
}

const struct sr_layer_kind sr_layer_linear = {.name = "linear",
                                              .describe = describe,
                                              .init = init,
                                              .forward = forward,
                                              .gradient = gradient,
                                              .backward = backward};
