/* kernels.h: inner products of the deployed router, one table per instruction set.
 *
 * kernels_float.c, kernels_int8.c and kernels_row.c are compiled once per instruction set, as vec.c is, and
 * every table gives the same bits. A sum of floats is one chain of fused multiplications and additions in the
 * order of the inputs, begun anew every SR_CHAIN inputs; what the chains give is added in order, and the bias
 * at the end:
 *
 *     s_j = fma(x_k, w_k, ... fma(x_1, w_1, fma(x_0, w_0, 0)))   inputs j SR_CHAIN to (j+1) SR_CHAIN - 1
 *     out = (((s_0 + s_1) + s_2) + ...) + bias
 *
 * Vector lanes are outputs, so neither the width of a vector nor the rows beside a row changes a bit. Sums of
 * int8 products are exact. Weights lie as panels.h says. Kernels are pure, allocate nothing, start no thread;
 * any alignment will do.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_KERNELS_H
#define SR_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "infer/panels.h"
#include "nn/base/base.h"

/* Shorter chains round less and give a CPU that waits four cycles for a sum something else to do; longer ones
 * need fewer additions. */
#define SR_CHAIN 128

struct sr_kernels {
    /* out[r*out_stride + o] = bias[o] + sum_k x[r*x_stride + k] * w(o, k), r < rows, o < outputs; w in
     * panels. Strides in floats. bias may be NULL (0). */
    void (*linear)(float *out, size_t out_stride, const float *x, ptrdiff_t x_stride, const float *w,
                   const float *bias, size_t rows, size_t in, size_t outputs);
    /* The same with bfloat16 weights, widened exactly. */
    void (*linear_bfloat16)(float *out, size_t out_stride, const float *x, ptrdiff_t x_stride,
                            const uint16_t *w, const float *bias, size_t rows, size_t in, size_t outputs);
    /* out[r*out_stride + o] = bias[o] + scale_x[r]*scale_w[o] * sum_k (x[r*SR_QUADS(in) + k] - 128) * w(o,
     * k), the sum in int32: in at most 2^17. */
    void (*linear_int8)(float *out, size_t out_stride, const uint8_t *x, const float *scale_x,
                        const int8_t *w, const float *scale_w, const float *bias, size_t rows, size_t in,
                        size_t outputs);
    /* q = 128 + x / scale, rounded to the nearest, ties to even, 1 to 255; returns scale = max|x| / 127, 0
     * where max|x| is below 1e-30. x is finite. q has room for SR_QUADS(n), 128 behind the last. */
    float (*quantise)(uint8_t *q, const float *x, size_t n);
    /* z = (x - mean) * inverse; in place is allowed. */
    void (*standardise)(float *z, const float *x, const float *mean, const float *inverse, size_t n);
    /* sums[0] = sum ((x - mean) * inverse)^2, sums[1] = sum (x * inverse)^2. */
    void (*range_sums)(float sums[2], const float *x, const float *mean, const float *inverse, size_t n);
};

const struct sr_kernels *sr_kernels(void);                /* for this CPU; see sr_isa_best */
const struct sr_kernels *sr_kernels_for(enum sr_isa isa); /* NULL if the build or the CPU does not have it */

#endif
