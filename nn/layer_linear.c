/* layer_linear.c: y = x W^T + b.
 *
 * W is (out, in) row-major, as PyTorch stores it. Backward: dx = dy W, dW += dy^T x, db += column sums of dy.
 * The work is cut into stripes of output columns (forward), weight rows (dW) and input columns (dx), eight of
 * each however many threads there are, each one serial GEMM, so that results do not depend on the thread
 * count.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "nn/nn.h"

enum { WEIGHT, BIAS };

#define STRIPES    8  /* enough for eight threads; wider stripes pay less for packing x again */
#define STRIPE_MIN 32 /* narrower ones waste the GEMM kernel */

static size_t stripe_width(size_t n) {
    size_t width = (n + STRIPES - 1) / STRIPES;
    width = (width + 15) / 16 * 16;
    return width < STRIPE_MIN ? STRIPE_MIN : width;
}

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
    for (size_t i = 0; i < n; i++)
        weight[i] = (real)(deviation * sr_random_normal(seed, stream, i));
    memset(l->tensor[BIAS].data, 0, l->out * sizeof(real));
}

static void forward(struct sr_layer *l, const struct sr_pass *pass, real *y, const real *x, size_t rows) {
    (void)pass;
    const real *weight = l->tensor[WEIGHT].data, *bias = l->tensor[BIAS].data;
    const size_t in = l->in, out = l->out, width = stripe_width(out);
#pragma omp parallel for schedule(static)
    for (size_t o = 0; o < out; o += width) {
        const size_t n = out - o < width ? out - o : width;
        for (size_t r = 0; r < rows; r++)
            memcpy(y + r * out + o, bias + o, n * sizeof(real));
        sr_gemm(false, true, rows, n, in, x, in, weight + o * in, in, 1, y + o, out);
    }
}

static void weight_gradient(struct sr_layer *l, const real *dy, const real *x, size_t rows) {
    real *dweight = l->tensor[WEIGHT].grad, *dbias = l->tensor[BIAS].grad;
    const size_t in = l->in, out = l->out, width = stripe_width(out);
    const struct sr_vec *vec = sr_vec();
#pragma omp parallel for schedule(static)
    for (size_t o = 0; o < out; o += width) {
        const size_t n = out - o < width ? out - o : width;
        sr_gemm(true, false, n, in, rows, dy + o, out, x, in, 1, dweight + o * in, in);
        vec->column_add(dbias + o, dy + o, rows, n, out);
    }
}

static void input_gradient(const struct sr_layer *l, real *dx, const real *dy, size_t rows) {
    const real *weight = l->tensor[WEIGHT].data;
    const size_t in = l->in, out = l->out, width = stripe_width(in);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < in; i += width) {
        const size_t n = in - i < width ? in - i : width;
        sr_gemm(false, false, rows, n, out, dy, out, weight + i, in, 0, dx + i, in);
    }
}

static void backward(struct sr_layer *l, const struct sr_pass *pass, real *dx, const real *dy, const real *x,
                     size_t rows) {
    (void)pass;
    weight_gradient(l, dy, x, rows);
    if (dx)
        input_gradient(l, dx, dy, rows);
}

const struct sr_layer_kind sr_layer_linear = {
    .name = "linear", .describe = describe, .init = init, .forward = forward, .backward = backward};
