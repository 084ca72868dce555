/* hash_fill.h: test data without files: numbers as a hash of (stream, index).
 *
 * scripts/make_vectors.py computes the same ones, so that weights, rows, labels and dropout masks of whole
 * training runs need not be stored. The hash is the finaliser of splitmix64 (Steele, Lea, Flood, OOPSLA
 * 2014), upper 32 bits. Values have 16 bits: exact in float, also after a power of two and after 1 + value/4.
 * It is not the program's own generator on purpose: a fault of that one must not cancel out here.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_HASH_FILL_H
#define SR_TEST_HASH_FILL_H

#include <stddef.h>
#include <stdint.h>

#include "nn/base/base.h"

static inline uint32_t hash_bits(uint32_t stream, uint64_t index) {
    uint64_t z = ((uint64_t)stream << 32) + 1 + index;
    z *= 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ (z >> 31)) >> 32);
}

/* A multiple of 2^-15 in [-1, 1). */
static inline double hash_value(uint32_t stream, uint64_t index) {
    return (hash_bits(stream, index) >> 16) / 32768.0 - 1;
}

/* offset + scale * value */
static inline void hash_fill(real *out, size_t n, uint32_t stream, double scale, double offset) {
    for (size_t i = 0; i < n; i++)
        out[i] = (real)(offset + scale * hash_value(stream, i));
}

/* A dropout mask: 1 where the 32 bits are not below p. */
static inline void hash_keep(uint8_t *keep, size_t n, uint32_t stream, double p) {
    const uint32_t limit = (uint32_t)(p * 4294967296.0);
    for (size_t i = 0; i < n; i++)
        keep[i] = hash_bits(stream, i) >= limit;
}

#endif
