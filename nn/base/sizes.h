/* sizes.h: arithmetic on sizes and offsets that a file claims.
 *
 * A parser adds and multiplies numbers that somebody else wrote. In C an overflow there is silent, and a sum
 * that wrapped around passes every check behind it. So parsers do such arithmetic by these alone, and
 * tests/test_trust_sizes.c looks for other ways; a place in memory, in a block that was allocated for as many
 * items, is a pointer's own arithmetic. Those with *out return whether it is right; it is not to be used
 * otherwise. Those without are for what a check before has shown to fit: should it not, the largest number
 * comes out, which lies in no file. All are pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_SIZES_H
#define SR_SIZES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The number that up to 8 bytes of a file are, the least first. */
static inline uint64_t sr_little_endian(const void *bytes, size_t n) {
    uint64_t x = 0;
    memcpy(&x, bytes, n);
    return le64toh(x);
}

/* a + b, a * b: false where they are 2^64 or more. */
static inline bool sr_size_add(uint64_t *out, uint64_t a, uint64_t b) {
    return !__builtin_add_overflow(a, b, out);
}

static inline bool sr_size_mul(uint64_t *out, uint64_t a, uint64_t b) {
    return !__builtin_mul_overflow(a, b, out);
}

/* a - b: false where b is more than a. */
static inline bool sr_size_sub(uint64_t *out, uint64_t a, uint64_t b) {
    return !__builtin_sub_overflow(a, b, out);
}

/* Pieces of so many that n make, the last one perhaps cut short. No overflow: not (n + piece - 1) / piece. */
static inline uint64_t sr_size_pieces(uint64_t n, uint64_t piece) {
    return n / piece + (n % piece != 0);
}

/* a + b, a * b, or 2^64 - 1. */
static inline uint64_t sr_size_sum(uint64_t a, uint64_t b) {
    const uint64_t sum = a + b;
    return sum | (uint64_t) - (uint64_t)(sum < a);
}

static inline uint64_t sr_size_times(uint64_t a, uint64_t b) {
    uint64_t product;
    const bool over = __builtin_mul_overflow(a, b, &product);
    return product | (uint64_t) - (uint64_t)over;
}

/* Whether the n from `at` on, [at, at + n), lie within `total`. */
static inline bool sr_size_within(uint64_t at, uint64_t n, uint64_t total) {
    return at <= total && n <= total - at;
}

/* unit * extent[0] * ... * extent[n - 1]. A 0 does not save a product that is too large on the way to it. */
static inline bool sr_size_product(uint64_t *out, uint64_t unit, const uint64_t *extent, size_t n) {
    *out = unit;
    for (size_t i = 0; i < n; i++)
        if (!sr_size_mul(out, *out, extent[i]))
            return false;
    return true;
}

#endif
