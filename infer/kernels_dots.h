/* kernels_dots.h: sums of products of int8 for 16 outputs, and how they grow by four inputs, for AVX-512 with
 * VNNI, AVX-512, AVX2, NEON with and without dot products, and plain C.
 *
 * Inputs come 128 too large, as unsigned bytes, which is what vpdpbusd multiplies with; the panel's heads
 * take that off. Without VNNI bytes are widened to 16 bits before they are multiplied, because vpmaddubsw
 * saturates. Everything is modulo 2^32, and so exact.
 *
 * SPDX-License-Identifier: MIT
 */
/* products of constants and counters of a tile:
 * NOLINTBEGIN(bugprone-implicit-widening-of-multiplication-result) */
#ifndef SR_KERNELS_DOTS_H
#define SR_KERNELS_DOTS_H

#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "infer/kernels_isa.h"

/* dots: the sums of 16 outputs. quad: four inputs of a row. block: their 64 weights. dots_store adds the
 * heads of the outputs, where they are needed. */

#if defined(__AVX512VNNI__)
#define DOTS_ROWS 12
#define DOTS_WIDE 2 /* times 16 outputs */
typedef __m512i dots, quad, block;
SR_INLINE dots dots_zero(void) {
    return _mm512_setzero_si512();
}
SR_INLINE quad quad_load(const uint8_t *x) {
    int32_t four;
    memcpy(&four, x, sizeof four);
    return _mm512_set1_epi32(four);
}
SR_INLINE block block_load(const int8_t *w) {
    return _mm512_loadu_si512(w);
}
SR_INLINE dots dots_add(dots s, quad x, block w) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(s) : "v"(x), "v"(w)); /* of the intrinsic gcc 12 copies every sum */
    return s;
}
SR_INLINE void dots_store(int32_t *sum, dots s, const int8_t *heads) {
    _mm512_storeu_si512(sum, _mm512_add_epi32(s, _mm512_loadu_si512(heads)));
}
#elif defined(__AVX512BW__)
#define DOTS_ROWS  6
#define DOTS_WIDE  1
typedef __m512i quad;
typedef struct {
    __m512i half[2]; /* of eight outputs, two partial sums each */
} dots, block;
SR_INLINE dots dots_zero(void) {
    return (dots){{_mm512_setzero_si512(), _mm512_setzero_si512()}};
}
SR_INLINE quad quad_load(const uint8_t *x) {
    int32_t four;
    memcpy(&four, x, sizeof four);
    return _mm512_cvtepu8_epi16(_mm256_set1_epi32(four));
}
SR_INLINE block block_load(const int8_t *w) {
    const __m256i *half = (const __m256i *)(const void *)w;
    return (block){
        {_mm512_cvtepi8_epi16(_mm256_loadu_si256(half)), _mm512_cvtepi8_epi16(_mm256_loadu_si256(half + 1))}};
}
SR_INLINE dots dots_add(dots s, quad x, block w) {
    s.half[0] = _mm512_add_epi32(s.half[0], _mm512_madd_epi16(x, w.half[0]));
    s.half[1] = _mm512_add_epi32(s.half[1], _mm512_madd_epi16(x, w.half[1]));
    return s;
}
#define DOTS_PAIRS /* dots_store is below */
#elif defined(__AVX2__)
#define DOTS_ROWS 3
#define DOTS_WIDE 1
typedef __m256i quad;
typedef struct {
    __m256i half[4]; /* of four outputs, two partial sums each */
} dots, block;
SR_INLINE dots dots_zero(void) {
    const __m256i zero = _mm256_setzero_si256();
    return (dots){{zero, zero, zero, zero}};
}
SR_INLINE quad quad_load(const uint8_t *x) {
    int32_t four;
    memcpy(&four, x, sizeof four);
    return _mm256_cvtepu8_epi16(_mm_set1_epi32(four));
}
SR_INLINE block block_load(const int8_t *w) {
    block b;
    SR_UNROLL
    for (int i = 0; i < 4; i++)
        b.half[i] = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)w + i));
    return b;
}
SR_INLINE dots dots_add(dots s, quad x, block w) {
    SR_UNROLL
    for (int i = 0; i < 4; i++)
        s.half[i] = _mm256_add_epi32(s.half[i], _mm256_madd_epi16(x, w.half[i]));
    return s;
}
#define DOTS_PAIRS
#elif defined(__aarch64__)
#define DOTS_ROWS 6
#define DOTS_WIDE 1
typedef int8x16_t quad;
typedef struct {
    int32x4_t part[4];
} dots;
typedef struct {
    int8x16_t part[4];
} block;
SR_INLINE dots dots_zero(void) {
    const int32x4_t zero = vdupq_n_s32(0);
    return (dots){{zero, zero, zero, zero}};
}
SR_INLINE quad quad_load(const uint8_t *x) { /* signed again: there is no product of unsigned by signed */
    uint32_t four;
    memcpy(&four, x, sizeof four);
    return vreinterpretq_s8_u32(vdupq_n_u32(four ^ 0x80808080u));
}
SR_INLINE block block_load(const int8_t *w) {
    return (block){{vld1q_s8(w), vld1q_s8(w + 16), vld1q_s8(w + 32), vld1q_s8(w + 48)}};
}
/* Four outputs' sums of four products. */
#ifdef __ARM_FEATURE_DOTPROD
SR_INLINE int32x4_t part_add(int32x4_t s, int8x16_t x, int8x16_t w) {
    return vdotq_s32(s, w, x);
}
#else /* two products of at most 127 * 128 fit 16 bits: inputs are never -128 */
SR_INLINE int32x4_t part_add(int32x4_t s, int8x16_t x, int8x16_t w) {
    const int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(x)), high = vmull_high_s8(w, x);
    return vpadalq_s16(s, vpaddq_s16(low, high));
}
#endif
SR_INLINE dots dots_add(dots s, quad x, block w) {
    SR_UNROLL
    for (int i = 0; i < 4; i++)
        s.part[i] = part_add(s.part[i], x, w.part[i]);
    return s;
}
SR_INLINE void dots_store(int32_t *sum, dots s, const int8_t *heads) {
    (void)heads;
    SR_UNROLL
    for (int i = 0; i < 4; i++)
        vst1q_s32(sum + 4 * i, s.part[i]);
}
#else
#define DOTS_ROWS 2
#define DOTS_WIDE 1
typedef struct {
    int32_t sum[16];
} dots;
typedef struct {
    int16_t x[4];
} quad;
typedef struct {
    int8_t w[16][4];
} block;
SR_INLINE dots dots_zero(void) {
    return (dots){{0}};
}
SR_INLINE quad quad_load(const uint8_t *x) {
    return (quad){
        {(int16_t)(x[0] - 128), (int16_t)(x[1] - 128), (int16_t)(x[2] - 128), (int16_t)(x[3] - 128)}};
}
SR_INLINE block block_load(const int8_t *w) {
    block b;
    memcpy(&b, w, sizeof b);
    return b;
}
SR_INLINE dots dots_add(dots s, quad x, block w) {
    for (int i = 0; i < 16; i++)
        s.sum[i] += x.x[0] * w.w[i][0] + x.x[1] * w.w[i][1] + x.x[2] * w.w[i][2] + x.x[3] * w.w[i][3];
    return s;
}
SR_INLINE void dots_store(int32_t *sum, dots s, const int8_t *heads) {
    (void)heads;
    memcpy(sum, s.sum, sizeof s.sum);
}
#endif

#ifdef DOTS_PAIRS
SR_INLINE void dots_store(int32_t *sum, dots s, const int8_t *heads) {
    uint32_t pair[32], head[16];
    memcpy(pair, &s, sizeof pair);
    memcpy(head, heads, sizeof head);
    for (int i = 0; i < 16; i++)
        sum[i] = (int32_t)(pair[2 * i] + pair[2 * i + 1] + head[i]);
}
#endif

#endif
/* NOLINTEND(bugprone-implicit-widening-of-multiplication-result) */
