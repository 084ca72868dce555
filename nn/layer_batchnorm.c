/* layer_batchnorm.c: BatchNorm1d over the rows of a batch.
 *
 * y = gamma * xhat + beta, xhat = (x - mean) / sqrt(var + eps). Training takes mean and biased variance of
 * the batch and moves the running statistics by momentum .1, the variance with n/(n-1) (PyTorch's
 * convention); evaluation takes the running ones. Backward: Ioffe and Szegedy 2015, section 3, simplified:
 *     dbeta = sum dy, dgamma = sum dy xhat, dx = gamma/sqrt(var + eps) (dy - dbeta/n - xhat dgamma/n).
 * Statistics are double; the mean and variance of each column are found in two passes. Columns are cut into
 * stripes of fixed width, each summed over rows in order.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "nn/nn.h"

enum { WEIGHT, BIAS, MEAN, VAR, BATCHES };

#define STRIPE 64

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

/* Statistics of columns j..j+n: mean and 1/sqrt(var + eps) to normalise with. */
static void batch_statistics(struct sr_layer *l, real *mean, real *scale, const real *x, size_t rows,
                             size_t j, size_t n) {
    double m[STRIPE], v[STRIPE];
    sr_vec()->column_moments(m, v, x + j, rows, n, l->out);
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

static void forward(struct sr_layer *l, const struct sr_pass *pass, real *y, const real *x, size_t rows) {
    const size_t width = l->out;
    real *mean = l->saved, *scale = mean + width;
    const real *gamma = l->tensor[WEIGHT].data, *beta = l->tensor[BIAS].data;
    const struct sr_vec *vec = sr_vec();
#pragma omp parallel for schedule(static)
    for (size_t j = 0; j < width; j += STRIPE) {
        const size_t n = width - j < STRIPE ? width - j : STRIPE;
        if (pass->training)
            batch_statistics(l, mean, scale, x, rows, j, n);
        else
            running_statistics(l, mean, scale, j, n);
        vec->normalise(y + j, x + j, mean + j, scale + j, gamma + j, beta + j, rows, n, width);
    }
    if (pass->training)
        ++*l->tensor[BATCHES].counter;
}

static void backward(struct sr_layer *l, const struct sr_pass *pass, real *dx, const real *dy, const real *x,
                     size_t rows) {
    (void)pass;
    const size_t width = l->out;
    const real *mean = l->saved, *scale = mean + width, *gamma = l->tensor[WEIGHT].data;
    real *dgamma = l->tensor[WEIGHT].grad, *dbeta = l->tensor[BIAS].grad;
    const struct sr_vec *vec = sr_vec();
#pragma omp parallel for schedule(static)
    for (size_t j = 0; j < width; j += STRIPE) {
        const size_t n = width - j < STRIPE ? width - j : STRIPE;
        double sum[STRIPE], dot[STRIPE]; /* of dy, and of dy with xhat */
        vec->normalise_sums(sum, dot, dy + j, x + j, mean + j, scale + j, rows, n, width);
        for (size_t i = 0; i < n; i++) {
            dbeta[j + i] += (real)sum[i];
            dgamma[j + i] += (real)dot[i];
        }
        if (dx)
            vec->normalise_backward(dx + j, dy + j, x + j, mean + j, scale + j, gamma + j, sum, dot, rows, n,
                                    width);
    }
}

const struct sr_layer_kind sr_layer_batchnorm = {.name = "batchnorm",
                                                 .same_width = true,
                                                 .describe = describe,
                                                 .saved_size = saved_size,
                                                 .init = init,
                                                 .forward = forward,
                                                 .backward = backward};
