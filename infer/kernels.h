/* kernels.h: inner products of the deployed router, one table per instruction set.
 *
 * kernels.c is compiled once per instruction set, as vec.c is, and every table gives the same bits: float
 * sums run over 16 fixed lanes, integer sums are exact. Kernels are pure, allocate nothing, start no thread.
 * A row's result does not depend on the rows around it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_KERNELS_H
#define SR_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "nn/base/base.h"

struct sr_kernels {
    /* out[r*out_stride + o] = bias[o] + sum_k x[r*x_stride + k] * w[o*in + k], r < rows, o < outputs. Strides
     * in floats. bias may be NULL (0). */
    void (*linear)(float *out, size_t out_stride, const float *x, ptrdiff_t x_stride, const float *w,
                   const float *bias, size_t rows, size_t in, size_t outputs);
    /* The same with bfloat16 weights, widened exactly. */
    void (*linear_bfloat16)(float *out, size_t out_stride, const float *x, ptrdiff_t x_stride,
                            const uint16_t *w, const float *bias, size_t rows, size_t in, size_t outputs);
    /* out[r*out_stride + o] = bias[o] + scale_x[r]*scale_w[o] * sum_k x[r*in + k] * w[o*in + k], the sum in
     * int32: in at most 2^17. */
    void (*linear_int8)(float *out, size_t out_stride, const int8_t *x, const float *scale_x, const int8_t *w,
                        const float *scale_w, const float *bias, size_t rows, size_t in, size_t outputs);
    /* q = x / scale rounded to the nearest, ties to even, |q| <= 127; returns scale = max|x| / 127, 0 where
     * max|x| is below 1e-30. x is finite. */
    float (*quantise)(int8_t *q, const float *x, size_t n);
    /* z = (x - mean) * inverse; in place is allowed. */
    void (*standardise)(float *z, const float *x, const float *mean, const float *inverse, size_t n);
    /* sums[0] = sum ((x - mean) * inverse)^2, sums[1] = sum (x * inverse)^2. */
    void (*range_sums)(float sums[2], const float *x, const float *mean, const float *inverse, size_t n);
};

const struct sr_kernels *sr_kernels(void);                /* for this CPU; see sr_isa_best */
const struct sr_kernels *sr_kernels_for(enum sr_isa isa); /* NULL if the build or the CPU does not have it */

#endif
