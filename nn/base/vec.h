/* vec.h: the elementwise kernels, one table per instruction set.
 *
 * vec.c is plain C over fixed groups of 16 and is compiled once per instruction set; every table gives the
 * same bits, because nothing is contracted, reordered or reduced in a width-dependent way. sr_vec() is the
 * table chosen for this CPU. Kernels are pure, allocate nothing, start no thread; any alignment will do.
 * In-place (y == x) is allowed for elementwise kernels unless said otherwise.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_VEC_H
#define SR_VEC_H

#include <stddef.h>
#include <stdint.h>

#include "nn/base/cpu.h"
#include "nn/base/real.h"

/* What AdamW does to one group of numbers; see train/adamw.c for the formula. */
struct sr_adamw_step {
    real keep; /* 1 - lr*weight_decay */
    real beta1, beta2;
    real rest1, rest2; /* 1 - beta, rounded once from double */
    real scale;        /* factor on the gradient (clipping), 1 if none */
    real step;         /* lr / (1 - beta1^t) */
    real root;         /* 1 / sqrt(1 - beta2^t) */
    real eps;
};

struct sr_vec {
    enum sr_isa isa;

    /* y = GELU(x) = x * Phi(x), erf form. */
    void (*gelu)(real *y, const real *x, size_t n);
    /* dx = dy * (Phi(x) + x*phi(x)). */
    void (*gelu_backward)(real *dx, const real *dy, const real *x, size_t n);

    /* keep[i] = 1 with probability 1 - p, else 0. Element i is number first + i of the stream: word (first +
     * i) % 4 of Philox call (first + i) / 4. first is a multiple of 4. */
    void (*dropout_mask)(uint8_t *keep, size_t n, size_t first, double p, uint64_t seed, uint64_t stream);
    /* y = keep ? x*scale : 0. */
    void (*dropout)(real *y, const real *x, const uint8_t *keep, size_t n, real scale);

    /* w, m, v updated in place from g. */
    void (*adamw)(real *w, real *m, real *v, const real *g, size_t n, const struct sr_adamw_step *s);
    /* Sum of squares in double over 16 fixed lanes. */
    double (*sum_squares)(const real *x, size_t n);

    /* Columns of x [rows, n], n <= 64, rows `stride` apart, summed over the rows in order, in double.
     * column_sum:         sum[j] = the column's sum.
     * column_moments:     mean and population variance (two passes).
     * normalise:          y = (x - mean) * scale * gamma + beta, y with the stride of x.
     * normalise_sums:     sum of dy, and dot of dy with xhat = (x - mean) * scale.
     * normalise_backward: dx = gamma*scale * (dy - sum/rows - xhat*dot/rows). */
    void (*column_sum)(real *sum, const real *x, size_t rows, size_t n, size_t stride);
    void (*column_moments)(double *mean, double *variance, const real *x, size_t rows, size_t n,
                           size_t stride);
    void (*normalise)(real *y, const real *x, const real *mean, const real *scale, const real *gamma,
                      const real *beta, size_t rows, size_t n, size_t stride);
    void (*normalise_sums)(real *sum, real *dot, const real *dy, const real *x, const real *mean,
                           const real *scale, size_t rows, size_t n, size_t stride);
    void (*normalise_backward)(real *dx, const real *dy, const real *x, const real *mean, const real *scale,
                               const real *gamma, const real *sum, const real *dot, size_t rows, size_t n,
                               size_t stride);

    /* Exact conversions of raw 16-bit values: IEEE half (subnormals, infinities and NaN kept) and bfloat16.
     */
    void (*half_to_float)(float *y, const uint16_t *x, size_t n);
    void (*bfloat16_to_float)(float *y, const uint16_t *x, size_t n);
    /* The nearest halves, ties to even, infinite from 65520 on; there is one zero, 0, and one NaN, 0x7e00. */
    void (*float_to_half)(uint16_t *y, const float *x, size_t n);
    /* 1 if every x is finite. */
    int (*all_finite)(const float *x, size_t n);

    /* y = GELU(x) in float, whatever the real type. */
    void (*gelu_float)(float *y, const float *x, size_t n);
};

const struct sr_vec *sr_vec(void);                /* for this CPU; see sr_isa_best */
const struct sr_vec *sr_vec_for(enum sr_isa isa); /* NULL if the build or the CPU does not have it */

#endif
