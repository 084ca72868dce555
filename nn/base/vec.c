/* vec.c: elementwise kernels in plain C, compiled once per instruction set (SR_VEC_ISA).
 *
 * The compiler vectorises the loops; nothing here depends on how wide. Sums run over 16 fixed lanes, folded
 * in one fixed order, and contraction is off for the whole project, so that every instruction set gives the
 * same bits. In the float build the normal distribution comes from short formulas (phi_tail and exp_negative,
 * errors stated there, constants from scripts/fit_phi.py); the double build takes libm's erf and exp.
 *
 * SPDX-License-Identifier: MIT
 */
/* products of constants and small counters: NOLINTBEGIN(bugprone-implicit-widening-of-multiplication-result)
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "nn/base/philox.h"
#include "nn/base/vec.h"

#define LANES  16
#define STRIPE 64 /* columns whose sums are kept at once */

/* Before a loop whose numbers do not depend on each other, in place or not: no check for overlap. Where clang
 * is told to optimise little it makes no vectors, and need not say so. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wpass-failed"
#define ELEMENTWISE _Pragma("clang loop vectorize(assume_safety)")
#else
#define ELEMENTWISE _Pragma("GCC ivdep")
#endif

/* exp(x) for x <= 0, relative error below 2e-7; 0 below -87.3. x = n ln2 + r, |r| <= ln2/2; Taylor to r^7; n
 * goes to the exponent bits. ln2 in two parts (Cody and Waite): the first has 9 bits, so n times it is exact.
 */
static inline float exp_negative(float x) {
    const float clamped = x < -87.3f ? -87.3f : x;
    const float shifted = clamped * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: rounds to an integer */
    const float n = shifted - 12582912.0f;
    const float r = (clamped - n * 0.693359375f) - n * -2.12194440e-4f;
    float y = 1.0f / 5040;
    y = y * r + 1.0f / 720;
    y = y * r + 1.0f / 120;
    y = y * r + 1.0f / 24;
    y = y * r + 1.0f / 6;
    y = y * r + 0.5f;
    y = y * r + 1.0f;
    y = y * r + 1.0f;
    const uint32_t bits = (uint32_t)((int32_t)n + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return x < -87.3f ? 0.0f : y * power;
}

/* Q(z)/exp(-z^2/2) for z >= 0, Q = 1 - Phi; see scripts/fit_phi.py. */
static inline float phi_tail(float z) {
    const float t = 1.0f / (1.0f + 0.30f * z);
    float s = 3.674161434e-02f;
    s = s * t + -1.616794616e-01f;
    s = s * t + 2.141330987e-01f;
    s = s * t + -6.092004478e-02f;
    s = s * t + 1.324401647e-01f;
    s = s * t + 9.871925414e-02f;
    s = s * t + 1.209490597e-01f;
    s = s * t + 1.196162775e-01f;
    return s * t;
}

/* |x|, or 16 from there on (Q is 0 in float long before): infinities and NaN stay out of the formulas. */
static inline float phi_argument(float x) {
    const float z = fabsf(x);
    return z < 16.0f ? z : 16.0f;
}

/* GELU, absolute error below 3e-7 up to |x| = 4, relative beyond. GELU(-inf) is 0, its limit. */
static inline float gelu_one_float(float x) {
    const float z = phi_argument(x);
    const float q = exp_negative(-0.5f * z * z) * phi_tail(z);
    return x < 0 ? -z * q : x - z * q;
}

#ifdef SR_REAL_DOUBLE
static inline real gelu_one(real x) {
    return 0.5 * x * (1 + erf(x * 0.70710678118654752440));
}
static inline real gelu_slope(real x) {
    return 0.5 * (1 + erf(x * 0.70710678118654752440)) + x * 0.39894228040143267794 * exp(-0.5 * x * x);
}
#else
static inline real gelu_one(real x) {
    return gelu_one_float(x);
}
static inline real gelu_slope(real x) {
    const float z = phi_argument(x);
    const float e = exp_negative(-0.5f * z * z), q = e * phi_tail(z);
    return (x < 0 ? q : 1 - q) + x * (0.398942280f * e);
}
#endif

static void gelu(real *y, const real *x, size_t n) {
    ELEMENTWISE
    for (size_t i = 0; i < n; i++)
        y[i] = gelu_one(x[i]);
}

/* By way of copies: clang makes no vectors of a loop that may write where it reads, as routers do. */
static void gelu_float(float *y, const float *x, size_t n) {
    ELEMENTWISE
    for (size_t i = 0; i < n; i++)
        y[i] = gelu_one_float(x[i]);
}

static void gelu_backward(real *dx, const real *dy, const real *x, size_t n) {
    ELEMENTWISE
    for (size_t i = 0; i < n; i++)
        dx[i] = dy[i] * gelu_slope(x[i]);
}

/* Philox calls call..call+LANES-1 of one stream, side by side: words[w][lane]. Same numbers as sr_philox. */
static void philox_lanes(uint32_t words[4][LANES], uint64_t call, uint64_t seed, uint64_t stream) {
    uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES];
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int i = 0; i < LANES; i++) {
        c0[i] = (uint32_t)(call + (uint64_t)i);
        c1[i] = (uint32_t)((call + (uint64_t)i) >> 32);
        c2[i] = (uint32_t)stream;
        c3[i] = (uint32_t)(stream >> 32);
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < LANES; i++) {
            const uint64_t p0 = (uint64_t)0xD2511F53u * c0[i], p1 = (uint64_t)0xCD9E8D57u * c2[i];
            c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
            c1[i] = (uint32_t)p1;
            c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
            c3[i] = (uint32_t)p0;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    memcpy(words[0], c0, sizeof c0);
    memcpy(words[1], c1, sizeof c1);
    memcpy(words[2], c2, sizeof c2);
    memcpy(words[3], c3, sizeof c3);
}

static void dropout_mask(uint8_t *keep, size_t n, size_t first, double p, uint64_t seed, uint64_t stream) {
    const uint32_t limit = (uint32_t)(p * 4294967296.0); /* p < 1 */
    for (size_t i = 0; i < n; i += 4 * LANES) {
        uint32_t words[4][LANES];
        uint8_t group[4 * LANES];
        philox_lanes(words, (first + i) / 4, seed, stream);
        for (size_t lane = 0; lane < LANES; lane++)
            for (size_t w = 0; w < 4; w++)
                group[4 * lane + w] = words[w][lane] >= limit;
        memcpy(keep + i, group, n - i < sizeof group ? n - i : sizeof group);
    }
}

static void dropout(real *y, const real *x, const uint8_t *keep, size_t n, real scale) {
    ELEMENTWISE
    for (size_t i = 0; i < n; i++)
        y[i] = keep[i] ? x[i] * scale : 0;
}

static void adamw(real *restrict w, real *restrict m, real *restrict v, const real *restrict g, size_t n,
                  const struct sr_adamw_step *s) {
    const struct sr_adamw_step k = *s;
    for (size_t i = 0; i < n; i++) {
        const real d = g[i] * k.scale;
        m[i] = k.beta1 * m[i] + k.rest1 * d;
        v[i] = k.beta2 * v[i] + k.rest2 * d * d;
#ifdef SR_REAL_DOUBLE
        const real root = sqrt(v[i]);
#else
        const real root = sqrtf(v[i]);
#endif
        w[i] = w[i] * k.keep - k.step * m[i] / (root * k.root + k.eps);
    }
}

static double sum_squares(const real *x, size_t n) {
    double lane[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] += (double)x[i + j] * (double)x[i + j];
    for (size_t j = 0; i < n; i++, j++)
        lane[j] += (double)x[i] * (double)x[i];
    for (size_t j = 0; j < LANES; j++)
        sum += lane[j];
    return sum;
}

static void column_sum(real *sum, const real *x, size_t rows, size_t n, size_t stride) {
    double total[STRIPE] = {0};
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < n; j++)
            total[j] += (double)x[r * stride + j];
    for (size_t j = 0; j < n; j++)
        sum[j] = (real)total[j];
}

static void column_moments(double *restrict mean, double *restrict variance, const real *restrict x,
                           size_t rows, size_t n, size_t stride) {
    double total[STRIPE] = {0}, squares[STRIPE] = {0};
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < n; j++)
            total[j] += (double)x[r * stride + j];
    for (size_t j = 0; j < n; j++)
        mean[j] = total[j] / (double)rows;
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < n; j++) {
            const double d = (double)x[r * stride + j] - mean[j];
            squares[j] += d * d;
        }
    for (size_t j = 0; j < n; j++)
        variance[j] = squares[j] / (double)rows;
}

static void normalise(real *y, const real *x, const real *mean, const real *scale, const real *gamma,
                      const real *beta, size_t rows, size_t n, size_t stride) {
    for (size_t r = 0; r < rows; r++) {
        ELEMENTWISE
        for (size_t j = 0; j < n; j++)
            y[r * stride + j] = (x[r * stride + j] - mean[j]) * scale[j] * gamma[j] + beta[j];
    }
}

static void normalise_sums(real *sum, real *dot, const real *dy, const real *x, const real *mean,
                           const real *scale, size_t rows, size_t n, size_t stride) {
    double total[STRIPE] = {0}, product[STRIPE] = {0};
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < n; j++) {
            const double d = (double)dy[r * stride + j];
            total[j] += d;
            product[j] += d * (double)((x[r * stride + j] - mean[j]) * scale[j]);
        }
    for (size_t j = 0; j < n; j++) {
        sum[j] = (real)total[j];
        dot[j] = (real)product[j];
    }
}

static void normalise_backward(real *dx, const real *dy, const real *x, const real *mean, const real *scale,
                               const real *gamma, const real *sum, const real *dot, size_t rows, size_t n,
                               size_t stride) {
    real mean_dy[STRIPE], mean_dot[STRIPE];
    for (size_t j = 0; j < n; j++) {
        mean_dy[j] = (real)((double)sum[j] / (double)rows);
        mean_dot[j] = (real)((double)dot[j] / (double)rows);
    }
    for (size_t r = 0; r < rows; r++) {
        ELEMENTWISE
        for (size_t j = 0; j < n; j++) {
            const real xhat = (x[r * stride + j] - mean[j]) * scale[j];
            dx[r * stride + j] = gamma[j] * scale[j] * (dy[r * stride + j] - mean_dy[j] - xhat * mean_dot[j]);
        }
    }
}

/* The exponent is moved from bias 15 to 127 by a multiplication, which makes subnormals right too; infinities
 * and NaN get the exponent 255 they need. */
static void half_to_float(float *y, const uint16_t *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t h = x[i], magnitude = h & 0x7fffu, sign = (h & 0x8000u) << 16;
        const uint32_t moved = magnitude << 13;
        float f;
        uint32_t bits;
        memcpy(&f, &moved, sizeof f);
        f *= 5.192296858534828e33f; /* 2^112 */
        memcpy(&bits, &f, sizeof f);
        bits = (magnitude >= 0x7c00u ? moved | 0x7f800000u : bits) | sign;
        memcpy(y + i, &bits, sizeof bits);
    }
}

static void bfloat16_to_float(float *y, const uint16_t *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = (uint32_t)x[i] << 16;
        memcpy(y + i, &bits, sizeof bits);
    }
}

/* A float of magnitude m below 2^-14 has the fraction of a subnormal half in the last places of m + 1/2;
 * above it the fraction is rounded on the bits, where a carry into the exponent is right, and the bias is
 * moved. */
static void float_to_half(uint16_t *y, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float raised = fabsf(x[i]) + 0.5f;
        int32_t bits, low;
        memcpy(&bits, x + i, sizeof bits);
        memcpy(&low, &raised, sizeof low);
        const int32_t magnitude = bits & 0x7fffffff;
        const int32_t capped = magnitude < 0x47800000 ? magnitude : 0x47800000; /* 65536: infinity */
        const int32_t high = (capped + 0xfff + (capped >> 13 & 1) - (112 << 23)) >> 13;
        const int32_t half = magnitude < 0x38800000 ? low - 0x3f000000 : high;
        const int32_t sign = half > 0 ? bits >> 16 & 0x8000 : 0;
        y[i] = (uint16_t)(magnitude > 0x7f800000 ? 0x7e00 : sign | half);
    }
}

static int all_finite(const float *x, size_t n) {
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bad |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return !bad;
}

#define NAME_JOIN(isa)   sr_vec_table_##isa
#define NAME(isa)        NAME_JOIN(isa)
#define INDEX_base       SR_ISA_BASE
#define INDEX_avx2       SR_ISA_AVX2
#define INDEX_avx512     SR_ISA_AVX512
#define INDEX_avx512vnni SR_ISA_AVX512VNNI
#define INDEX_dotprod    SR_ISA_DOTPROD
#define INDEX_JOIN(isa)  INDEX_##isa
#define INDEX(isa)       INDEX_JOIN(isa)

extern const struct sr_vec NAME(SR_VEC_ISA);
const struct sr_vec NAME(SR_VEC_ISA) = {
    .isa = INDEX(SR_VEC_ISA),
    .gelu = gelu,
    .gelu_backward = gelu_backward,
    .dropout_mask = dropout_mask,
    .dropout = dropout,
    .adamw = adamw,
    .sum_squares = sum_squares,
    .column_sum = column_sum,
    .column_moments = column_moments,
    .normalise = normalise,
    .normalise_sums = normalise_sums,
    .normalise_backward = normalise_backward,
    .half_to_float = half_to_float,
    .bfloat16_to_float = bfloat16_to_float,
    .float_to_half = float_to_half,
    .all_finite = all_finite,
    .gelu_float = gelu_float,
};
/* NOLINTEND(bugprone-implicit-widening-of-multiplication-result) */
