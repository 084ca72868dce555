/* layer_batchnorm.c: BatchNorm1d over the rows of a batch.
 *
 * y = gamma * xhat + beta, xhat = (x - mean) / sqrt(var + eps). Training takes mean and biased variance of
 * the batch and moves the running statistics by momentum .1, the variance with n/(n-1) (PyTorch's
 * convention); evaluation takes the running ones. Backward: Ioffe and Szegedy 2015, section 3, simplified:
 *     dbeta = sum dy, dgamma = sum dy xhat, dx = gamma/sqrt(var + eps) (dy - dbeta/n - xhat dgamma/n).
 * Statistics are double; the mean and variance of each column are found in two passes, summed over rows in
 * order.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "nn/nn.h"

enum { WEIGHT, BIAS, MEAN, VAR, BATCHES };

static void describe(struct sr_layer *l) {
    const size_t n = l->out;
    l->n_tensors = 5;
    l->tensor[WEIGHT] = (struct sr_layer_tensor){"weight", SR_ROLE_PARAM, 1, {n, 0}, NULL, NULL, NULL};
    l->tensor[BIAS] = (struct sr_layer_tensor){"bias", SR_ROLE_PARAM, 1, {n, 0}, NULL, NULL, NULL};
    l->tensor[MEAN] = (struct sr_layer_tensor){"running_mean", SR_ROLE_STATE, 1, {n, 0}, NULL, NULL, NULL};
    l->tensor[VAR] = (struct sr_layer_tensor){"running_var", SR_ROLE_STATE, 1, {n, 0}, NULL, NULL, NULL};
    l->tensor[BATCHES] =
        (struct sr_layer_tensor){"num_batches_tracked", SR_ROLE_COUNTER, 0, {0, 0}, NULL, NULL, NULL};
}

/* saved: the batch's mean and 1/sqrt(var + eps), [out] each. */
static size_t saved_size(const struct sr_layer *l, size_t max_rows) {
    (void)max_rows;
    return 2 * l->out * sizeof(real);
}

static void init(struct sr_layer *l, uint64_t seed) {
    (void)seed;
    for (size_t j = 0; j < l->out; j++) {
        l->tensor[WEIGHT].data[j] = 1;
        l->tensor[BIAS].data[j] = 0;
        l->tensor[MEAN].data[j] = 0;
        l->tensor[VAR].data[j] = 1;
    }
    *l->tensor[BATCHES].counter = 0;
}

/* Statistics of n columns from j on: mean and 1/sqrt(var + eps) to normalise with. x is their block. */
static void batch_statistics(struct sr_layer *l, real *mean, real *scale, const real *x, size_t rows,
                             size_t j, size_t n) {
    double m[SR_BLOCK], v[SR_BLOCK];
    sr_vec()->column_moments(m, v, x, rows, n, SR_BLOCK);
    real *running_mean = l->tensor[MEAN].data + j, *running_var = l->tensor[VAR].data + j;
    for (size_t i = 0; i < n; i++) {
        const double unbiased = v[i] * (double)rows / ((double)rows - 1);
        mean[j + i] = (real)m[i];
        scale[j + i] = (real)(1 / sqrt(v[i] + SR_BATCHNORM_EPS));
        running_mean[i] += (real)(SR_BATCHNORM_MOMENTUM * (m[i] - (double)running_mean[i]));
        running_var[i] += (real)(SR_BATCHNORM_MOMENTUM * (unbiased - (double)running_var[i]));
    }
}

static void running_statistics(const struct sr_layer *l, real *mean, real *scale, size_t j, size_t n) {
    for (size_t i = j; i < j + n; i++) {
        mean[i] = l->tensor[MEAN].data[i];
        scale[i] = (real)(1 / sqrt((double)l->tensor[VAR].data[i] + SR_BATCHNORM_EPS));
    }
}

static void forward(struct sr_layer *l, const struct sr_pass *pass, real *y, const real *x, size_t rows,
                    size_t b) {
    const size_t at = sr_block_at(rows, b), j = b * SR_BLOCK, n = sr_block_columns(l->out, b);
    real *mean = l->saved, *scale = mean + l->out;
    if (pass->training)
        batch_statistics(l, mean, scale, x + at, rows, j, n);
    else
        running_statistics(l, mean, scale, j, n);
    sr_vec()->normalise(y + at, x + at, mean + j, scale + j, l->tensor[WEIGHT].data + j,
                        l->tensor[BIAS].data + j, rows, n, SR_BLOCK);
    if (pass->training && b == 0)
        ++*l->tensor[BATCHES].counter;
}

static void gradient(struct sr_layer *l, const real *dy, const real *x, size_t rows, size_t b) {
    const size_t at = sr_block_at(rows, b), j = b * SR_BLOCK;
    const real *mean = l->saved, *scale = mean + l->out;
    sr_vec()->normalise_sums(l->tensor[BIAS].grad + j, l->tensor[WEIGHT].grad + j, dy + at, x + at, mean + j,
                             scale + j, rows, sr_block_columns(l->out, b), SR_BLOCK);
}

static void backward(struct sr_layer *l, real *dx, const real *dy, const real *x, size_t rows, size_t b) {
    const size_t at = sr_block_at(rows, b), j = b * SR_BLOCK;
    const real *mean = l->saved, *scale = mean + l->out;
    sr_vec()->normalise_backward(dx + at, dy + at, x + at, mean + j, scale + j, l->tensor[WEIGHT].data + j,
                                 l->tensor[BIAS].grad + j, l->tensor[WEIGHT].grad + j, rows,
                                 sr_block_columns(l->out, b), SR_BLOCK);
}

const struct sr_layer_kind sr_layer_batchnorm = {.name = "batchnorm",
                                                 .columnwise = true,
                                                 .describe = describe,
                                                 .saved_size = saved_size,
                                                 .init = init,
                                                 .forward = forward,
                                                 .gradient = gradient,
                                                 .backward = backward};
