/* kernels_row.c: what happens to a row around the inner products, compiled once per instruction set
 * (SR_VEC_ISA), and the table of all kernels.
 *
 * Plain C that the compiler makes vectors of. Sums of floats run over 16 fixed lanes, folded in one fixed
 * order, and contraction is off for the whole project, so that every instruction set gives the same bits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "infer/kernels_isa.h"

#define LANES 16

/* Sixteen numbers that the compiler keeps in one, two or four registers. */
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

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

/* The largest |x|. Floats without their sign are ordered as the integers of their bits. */
static float largest(const float *x, size_t n) {
    int32_t most = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= 0x7fffffff;
        most = bits > most ? bits : most;
    }
    float value;
    memcpy(&value, &most, sizeof value);
    return value;
}

/* Adding 1.5 * 2^23 leaves the nearest integer, ties to even, in the low bits of a float's fraction. */
static float quantise(uint8_t *q, const float *x, size_t n) {
    const float shift = 12582912.0f, most = largest(x, n);
    const int nothing = !(most >= 1e-30f);
    const float inverse = nothing ? 0 : 127 / most;
    for (size_t i = 0; i < n; i++) {
        const float shifted = x[i] * inverse + shift;
        int32_t bits;
        memcpy(&bits, &shifted, sizeof bits);
        q[i] = (uint8_t)(bits - 0x4b400000 + 128);
    }
    for (size_t i = n; i < SR_QUADS(n); i++)
        q[i] = 128;
    return nothing ? 0 : most / 127;
}

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

const struct sr_kernels SR_ISA_NAME(sr_kernels_table) = {
    .linear = SR_ISA_NAME(sr_linear),
    .linear_bfloat16 = SR_ISA_NAME(sr_linear_bfloat16),
    .linear_int8 = SR_ISA_NAME(sr_linear_int8),
    .quantise = quantise,
    .standardise = standardise,
    .range_sums = range_sums,
};
