/* kernels.c: inner products of the deployed router, compiled once per instruction set (SR_VEC_ISA).
 *
 * Sums of floats run over 16 fixed lanes, folded in one fixed order, and contraction is off for the whole
 * project, so that every instruction set gives the same bits. Sums of int8 products are integers: exact in
 * any order. AVX2 and AVX-512 widen to 16 bits before they multiply, because vpmaddubsw, which would not,
 * saturates.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "infer/kernels.h"

#define LANES 16

/* Sixteen numbers that the compiler keeps in one, two or four registers. */
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef uint32_t wide_lanes __attribute__((vector_size(LANES * sizeof(uint32_t))));
typedef uint16_t half_lanes
    __attribute__((vector_size(LANES * sizeof(uint16_t)), aligned(sizeof(uint16_t)), may_alias));

/* One fixed order: halves onto halves. */
static inline float lanes_sum(const lanes *v) {
    float s[LANES];
    memcpy(s, v, sizeof s);
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t j = 0; j < half; j++)
            s[j] += s[j + half];
    return s[0];
}

/* n floats, at most 16, and zeros behind them. */
static inline void load(lanes *to, const float *x, size_t n) {
    float part[LANES] = {0};
    if (n >= LANES) {
        *to = *(const lanes *)(const void *)x;
        return;
    }
    memcpy(part, x, n * sizeof *part);
    *to = *(const lanes *)(const void *)part;
}

/* ---- weights of float32 and bfloat16 ---- */

/* A row of weights of either type; is_half is a constant wherever this is used. */
struct weights {
    const float *f;
    const uint16_t *h;
};

static inline struct weights weights_row(const struct weights *w, size_t at, int is_half) {
    return is_half ? (struct weights){.h = w->h + at} : (struct weights){.f = w->f + at};
}

static inline void load_bfloat16(lanes *to, const uint16_t *h, size_t n) {
    uint16_t part[LANES] = {0};
    if (n < LANES)
        h = memcpy(part, h, n * sizeof *part);
    const wide_lanes bits = __builtin_convertvector(*(const half_lanes *)(const void *)h, wide_lanes) << 16;
    memcpy(to, &bits, sizeof bits);
}

static inline void load_weights(lanes *to, const struct weights *w, size_t k, size_t n, int is_half) {
    if (is_half)
        load_bfloat16(to, w->h + k, n);
    else
        load(to, w->f + k, n);
}

/* R rows by two outputs: the tile whose sums stay in registers. Rows beyond the last and an odd last output
 * repeat the tile's first, and are not stored. */
#ifdef __AVX512F__
#define TILE_ROWS 4
#else
#define TILE_ROWS 2 /* fewer registers */
#endif
static inline __attribute__((always_inline)) void tile_step(lanes s[TILE_ROWS][2],
                                                            const float *const x[TILE_ROWS],
                                                            const struct weights w[2], size_t k, size_t n,
                                                            int is_half) {
    lanes a0, a1, b;
    load_weights(&a0, &w[0], k, n, is_half);
    load_weights(&a1, &w[1], k, n, is_half);
    for (size_t r = 0; r < TILE_ROWS; r++) {
        load(&b, x[r] + k, n);
        s[r][0] += a0 * b;
        s[r][1] += a1 * b;
    }
}

static inline __attribute__((always_inline)) void
linear_tile(float *out, const float *const x[TILE_ROWS], const struct weights w[2], size_t in, int is_half) {
    lanes s[TILE_ROWS][2];
    memset(s, 0, sizeof s);
    const size_t whole = in / LANES * LANES;
    for (size_t k = 0; k < whole; k += LANES)
        tile_step(s, x, w, k, LANES, is_half);
    if (in > whole)
        tile_step(s, x, w, whole, in - whole, is_half);
    for (size_t r = 0; r < TILE_ROWS; r++) {
        out[2 * r] = lanes_sum(&s[r][0]);
        out[2 * r + 1] = lanes_sum(&s[r][1]);
    }
}

/* Outputs outside, so that a row of weights is read once for all rows of the call. */
static inline __attribute__((always_inline)) void linear_any(float *out, size_t out_stride, const float *x,
                                                             ptrdiff_t x_stride, struct weights w,
                                                             const float *bias, size_t rows, size_t in,
                                                             size_t outputs, int is_half) {
    for (size_t o = 0; o < outputs; o += 2) {
        const size_t wide = outputs - o < 2 ? 1 : 2;
        const struct weights pair[2] = {weights_row(&w, o * in, is_half),
                                        weights_row(&w, (o + wide - 1) * in, is_half)};
        for (size_t r = 0; r < rows; r += TILE_ROWS) {
            const size_t tall = rows - r < TILE_ROWS ? rows - r : TILE_ROWS;
            const float *tile_x[TILE_ROWS];
            float sum[2 * TILE_ROWS];
            for (size_t i = 0; i < TILE_ROWS; i++)
                tile_x[i] = x + (ptrdiff_t)(r + (i < tall ? i : 0)) * x_stride;
            linear_tile(sum, tile_x, pair, in, is_half);
            for (size_t i = 0; i < tall; i++)
                for (size_t j = 0; j < wide; j++)
                    out[(r + i) * out_stride + o + j] = sum[2 * i + j] + (bias ? bias[o + j] : 0);
        }
    }
}

static void linear(float *out, size_t out_stride, const float *x, ptrdiff_t x_stride, const float *w,
                   const float *bias, size_t rows, size_t in, size_t outputs) {
    linear_any(out, out_stride, x, x_stride, (struct weights){.f = w}, bias, rows, in, outputs, 0);
}

static void linear_bfloat16(float *out, size_t out_stride, const float *x, ptrdiff_t x_stride,
                            const uint16_t *w, const float *bias, size_t rows, size_t in, size_t outputs) {
    linear_any(out, out_stride, x, x_stride, (struct weights){.h = w}, bias, rows, in, outputs, 1);
}

/* ---- int8 ---- */

#if defined(__AVX512BW__)
#define INT8_STEP 32
typedef __m512i sum_lanes;
static inline sum_lanes sum_zero(void) {
    return _mm512_setzero_si512();
}
static inline __m512i load_int8(const int8_t *x) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)x));
}
static inline sum_lanes sum_add(sum_lanes s, __m512i a, __m512i b) {
    return _mm512_add_epi32(s, _mm512_madd_epi16(a, b));
}
static inline int32_t sum_of(sum_lanes s) {
    return _mm512_reduce_add_epi32(s);
}
#elif defined(__AVX2__)
#define INT8_STEP 16
typedef __m256i sum_lanes;
static inline sum_lanes sum_zero(void) {
    return _mm256_setzero_si256();
}
static inline __m256i load_int8(const int8_t *x) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)x));
}
static inline sum_lanes sum_add(sum_lanes s, __m256i a, __m256i b) {
    return _mm256_add_epi32(s, _mm256_madd_epi16(a, b));
}
static inline int32_t sum_of(sum_lanes s) {
    int32_t part[8], sum = 0;
    memcpy(part, &s, sizeof part);
    for (int i = 0; i < 8; i++)
        sum += part[i];
    return sum;
}
#else
#define INT8_STEP 16
typedef struct {
    int32_t v[INT8_STEP];
} sum_lanes;
typedef const int8_t *int8_lanes;
static inline sum_lanes sum_zero(void) {
    return (sum_lanes){{0}};
}
static inline int8_lanes load_int8(const int8_t *x) {
    return x;
}
static inline sum_lanes sum_add(sum_lanes s, int8_lanes a, int8_lanes b) {
    for (int i = 0; i < INT8_STEP; i++)
        s.v[i] += a[i] * b[i];
    return s;
}
static inline int32_t sum_of(sum_lanes s) {
    int32_t sum = 0;
    for (int i = 0; i < INT8_STEP; i++)
        sum += s.v[i];
    return sum;
}
#endif

/* Two rows by two outputs; sum[2r + o]. */
static inline void int8_tile(int32_t sum[4], const int8_t *x0, const int8_t *x1, const int8_t *w0,
                             const int8_t *w1, size_t in) {
    sum_lanes s00 = sum_zero(), s01 = sum_zero(), s10 = sum_zero(), s11 = sum_zero();
    size_t k = 0;
    for (; k + INT8_STEP <= in; k += INT8_STEP) {
        s00 = sum_add(s00, load_int8(x0 + k), load_int8(w0 + k));
        s01 = sum_add(s01, load_int8(x0 + k), load_int8(w1 + k));
        s10 = sum_add(s10, load_int8(x1 + k), load_int8(w0 + k));
        s11 = sum_add(s11, load_int8(x1 + k), load_int8(w1 + k));
    }
    sum[0] = sum_of(s00);
    sum[1] = sum_of(s01);
    sum[2] = sum_of(s10);
    sum[3] = sum_of(s11);
    for (; k < in; k++) {
        sum[0] += x0[k] * w0[k];
        sum[1] += x0[k] * w1[k];
        sum[2] += x1[k] * w0[k];
        sum[3] += x1[k] * w1[k];
    }
}

static void linear_int8(float *out, size_t out_stride, const int8_t *x, const float *scale_x, const int8_t *w,
                        const float *scale_w, const float *bias, size_t rows, size_t in, size_t outputs) {
    for (size_t o = 0; o < outputs; o += 2) {
        const size_t wide = outputs - o < 2 ? 1 : 2;
        for (size_t r = 0; r < rows; r += 2) {
            const size_t tall = rows - r < 2 ? 1 : 2;
            int32_t sum[4];
            int8_tile(sum, x + r * in, x + (r + tall - 1) * in, w + o * in, w + (o + wide - 1) * in, in);
            for (size_t i = 0; i < tall; i++)
                for (size_t j = 0; j < wide; j++)
                    out[(r + i) * out_stride + o + j] =
                        (float)sum[2 * i + j] * (scale_x[r + i] * scale_w[o + j]) + (bias ? bias[o + j] : 0);
        }
    }
}

/* Adding 1.5 * 2^23 leaves the nearest integer, ties to even, in the low bits of a float's fraction. */
static float quantise(int8_t *q, const float *x, size_t n) {
    const float shift = 12582912.0f;
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    const int nothing = !(most >= 1e-30f);
    const float inverse = nothing ? 0 : 127 / most;
    for (size_t i = 0; i < n; i++) {
        const float shifted = x[i] * inverse + shift;
        int32_t bits;
        memcpy(&bits, &shifted, sizeof bits);
        q[i] = (int8_t)(bits - 0x4b400000);
    }
    return nothing ? 0 : most / 127;
}

/* ---- where a row lies ---- */

static void standardise(float *z, const float *x, const float *mean, const float *inverse, size_t n) {
    for (size_t i = 0; i < n; i++)
        z[i] = (x[i] - mean[i]) * inverse[i];
}

static void range_sums(float sums[2], const float *x, const float *mean, const float *inverse, size_t n) {
    lanes centred = {0}, raw = {0}, v, m, s;
    for (size_t k = 0; k < n; k += LANES) {
        load(&v, x + k, n - k);
        load(&m, mean + k, n - k);
        load(&s, inverse + k, n - k);
        const lanes z = (v - m) * s, u = v * s;
        centred += z * z;
        raw += u * u;
    }
    sums[0] = lanes_sum(&centred);
    sums[1] = lanes_sum(&raw);
}

#define NAME_JOIN(isa) sr_kernels_table_##isa
#define NAME(isa)      NAME_JOIN(isa)

extern const struct sr_kernels NAME(SR_VEC_ISA);
const struct sr_kernels NAME(SR_VEC_ISA) = {
    .linear = linear,
    .linear_bfloat16 = linear_bfloat16,
    .linear_int8 = linear_int8,
    .quantise = quantise,
    .standardise = standardise,
    .range_sums = range_sums,
};
