/* kernels_lanes.h: a register of floats and the few things that kernels_float.c does with it, for AVX-512,
 * AVX2, NEON and plain C.
 *
 * Plain C computes the fused sum where the compiler has no instruction for it from two exact steps in double:
 * the product of two floats has 48 bits and fits, and the sum, rounded to odd (Boldo and Melquiond 2008,
 * "Emulation of FMA and correctly rounded sums"), rounds to the same float as the exact sum does. That is
 * several times faster than a call of fmaf, and the compiler makes vectors of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_KERNELS_LANES_H
#define SR_KERNELS_LANES_H

#include <math.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#include "infer/kernels_isa.h"

/* VEC: floats of a register. A tile of TILE_ROWS rows by TILE_WIDE outputs has its sums in registers and
 * leaves room for what it reads. */
#if defined(__AVX512F__)
#define VEC       16
#define TILE_ROWS 12
#define TILE_WIDE 32
typedef __m512 vec;
SR_INLINE vec vec_zero(void) {
    return _mm512_setzero_ps();
}
SR_INLINE vec vec_splat(const float *x) {
    return _mm512_set1_ps(*x);
}
SR_INLINE vec vec_load(const float *x) {
    return _mm512_loadu_ps(x);
}
SR_INLINE vec vec_load_bfloat16(const uint16_t *h) {
    const __m256i half = _mm256_loadu_si256((const __m256i *)(const void *)h);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
SR_INLINE void vec_store(float *x, vec v) {
    _mm512_storeu_ps(x, v);
}
SR_INLINE vec vec_add(vec a, vec b) {
    return _mm512_add_ps(a, b);
}
SR_INLINE vec vec_fused(vec a, vec b, vec sum) {
    return _mm512_fmadd_ps(a, b, sum);
}
#elif defined(__AVX2__)
#define VEC       8
#define TILE_ROWS 6
#define TILE_WIDE 16
typedef __m256 vec;
SR_INLINE vec vec_zero(void) {
    return _mm256_setzero_ps();
}
SR_INLINE vec vec_splat(const float *x) {
    return _mm256_broadcast_ss(x);
}
SR_INLINE vec vec_load(const float *x) {
    return _mm256_loadu_ps(x);
}
SR_INLINE vec vec_load_bfloat16(const uint16_t *h) {
    const __m128i half = _mm_loadu_si128((const __m128i *)(const void *)h);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
SR_INLINE void vec_store(float *x, vec v) {
    _mm256_storeu_ps(x, v);
}
SR_INLINE vec vec_add(vec a, vec b) {
    return _mm256_add_ps(a, b);
}
SR_INLINE vec vec_fused(vec a, vec b, vec sum) {
    return _mm256_fmadd_ps(a, b, sum);
}
#elif defined(__ARM_NEON) && defined(__aarch64__)
#define VEC       4
#define TILE_ROWS 6
#define TILE_WIDE 16
typedef float32x4_t vec;
SR_INLINE vec vec_zero(void) {
    return vdupq_n_f32(0);
}
SR_INLINE vec vec_splat(const float *x) {
    return vld1q_dup_f32(x);
}
SR_INLINE vec vec_load(const float *x) {
    return vld1q_f32(x);
}
SR_INLINE vec vec_load_bfloat16(const uint16_t *h) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(h), 16));
}
SR_INLINE void vec_store(float *x, vec v) {
    vst1q_f32(x, v);
}
SR_INLINE vec vec_add(vec a, vec b) {
    return vaddq_f32(a, b);
}
SR_INLINE vec vec_fused(vec a, vec b, vec sum) {
    return vfmaq_f32(sum, a, b);
}
#else
#define VEC       16
#define TILE_ROWS 2
#define TILE_WIDE 16
typedef struct {
    float lane[VEC];
} vec;
SR_INLINE vec vec_zero(void) {
    return (vec){{0}};
}
SR_INLINE vec vec_splat(const float *x) {
    vec v;
    for (int i = 0; i < VEC; i++)
        v.lane[i] = *x;
    return v;
}
SR_INLINE vec vec_load(const float *x) {
    vec v;
    memcpy(v.lane, x, sizeof v.lane);
    return v;
}
SR_INLINE vec vec_load_bfloat16(const uint16_t *h) {
    vec v;
    for (int i = 0; i < VEC; i++) {
        const uint32_t bits = (uint32_t)h[i] << 16;
        memcpy(&v.lane[i], &bits, sizeof bits);
    }
    return v;
}
SR_INLINE void vec_store(float *x, vec v) {
    memcpy(x, v.lane, sizeof v.lane);
}
SR_INLINE vec vec_add(vec a, vec b) {
    for (int i = 0; i < VEC; i++)
        a.lane[i] += b.lane[i];
    return a;
}
#ifdef FP_FAST_FMAF
SR_INLINE float fused(float a, float b, float sum) {
    return fmaf(a, b, sum);
}
#else
/* To odd: where the sum was rounded and its last bit is 0, the number on the other side of the exact one. Of
 * infinities and NaN no error is known, and they stay. */
SR_INLINE float fused(float a, float b, float sum) {
    const double product = (double)a * (double)b, c = (double)sum, rounded = product + c;
    const double part = rounded - product, error = (product - (rounded - part)) + (c - part);
    int64_t bits;
    double odd;
    memcpy(&bits, &rounded, sizeof bits);
    const int64_t away = (error > 0) == (rounded > 0) ? 1 : -1;
    bits += (error > 0 || error < 0) && !(bits & 1) ? away : 0;
    memcpy(&odd, &bits, sizeof odd);
    return (float)odd;
}
#endif
SR_INLINE vec vec_fused(vec a, vec b, vec sum) {
    for (int i = 0; i < VEC; i++)
        sum.lane[i] = fused(a.lane[i], b.lane[i], sum.lane[i]);
    return sum;
}
#endif

#endif
