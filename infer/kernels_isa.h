/* kernels_isa.h: what the files that are compiled once per instruction set share.
 *
 * SR_VEC_ISA is the instruction set's name, as in sr_isa_name; every function and table of theirs bears it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_KERNELS_ISA_H
#define SR_KERNELS_ISA_H

#include "infer/kernels.h"

#define SR_ISA_JOIN(name, isa) name##_##isa
#define SR_ISA_GIVE(name, isa) SR_ISA_JOIN(name, isa)
#define SR_ISA_NAME(name)      SR_ISA_GIVE(name, SR_VEC_ISA)
#define SR_INLINE              static inline __attribute__((always_inline))

/* The next loop, whose count is a constant, is written out, so that arrays it walks are registers. */
#ifdef __clang__
#define SR_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SR_UNROLL _Pragma("GCC unroll 32")
#endif

extern const struct sr_kernels SR_ISA_NAME(sr_kernels_table);

void SR_ISA_NAME(sr_linear)(float *out, size_t out_stride, const float *x, ptrdiff_t x_stride, const float *w,
                            const float *bias, size_t rows, size_t in, size_t outputs);
void SR_ISA_NAME(sr_linear_bfloat16)(float *out, size_t out_stride, const float *x, ptrdiff_t x_stride,
                                     const uint16_t *w, const float *bias, size_t rows, size_t in,
                                     size_t outputs);
void SR_ISA_NAME(sr_linear_int8)(float *out, size_t out_stride, const uint8_t *x, const float *scale_x,
                                 const int8_t *w, const float *scale_w, const float *bias, size_t rows,
                                 size_t in, size_t outputs);

#endif
