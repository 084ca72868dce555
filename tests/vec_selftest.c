/* vec_selftest.c: the elementwise kernels give the same bits on every architecture and instruction set.
 *
 *   vec_selftest         the instruction set that is chosen for this CPU
 *   vec_selftest avx2    that one; exit status 77 where the CPU does not have it
 *
 * test_nn_vec compares the instruction sets of one CPU with each other and checks the numbers; this holds
 * CPUs of different architectures to one set of values. Lengths are odd and even, starts off alignment.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "nn/base/base.h"
#include "tests/hash_fill.h"
#include "tests/selftest.h"

#define ROOM    2304 /* numbers a buffer: the longest length, the widest rows */
#define BUFFERS 10

static real x[BUFFERS][ROOM]; /* in +-4.1; inputs and outputs, each hashed whole */
static double wide[2][ROOM];
static uint8_t byte[ROOM];
static uint16_t half[ROOM];

static const size_t lengths[] = {0, 1, 3, 8, 15, 16, 17, 31, 64, 65, 100, 1021, 2048};

static void begin(void) {
    for (uint32_t i = 0; i < BUFFERS; i++)
        hash_fill(x[i], ROOM, i, 4.1, 0); /* of 24 bits, so that every product is rounded */
    memset(wide, 0, sizeof wide);
    for (size_t i = 0; i < ROOM; i++) {
        byte[i] = hash_bits(20, i) & 1;
        half[i] = (uint16_t)hash_bits(21, i);
    }
}

static uint64_t hash_all(uint64_t hash) {
    hash = selftest_hash(hash, x, sizeof x);
    hash = selftest_hash(hash, wide, sizeof wide);
    hash = selftest_hash(hash, byte, sizeof byte);
    return selftest_hash(hash, half, sizeof half);
}

/* One kernel at every length, the starts moved on by one number from length to length. */
static uint64_t each_length(void (*run)(const struct sr_vec *v, size_t n, size_t shift)) {
    uint64_t hash = SELFTEST_START;
    for (size_t i = 0; i < SR_COUNT(lengths); i++) {
        begin();
        run(sr_vec(), lengths[i], i % 16);
        hash = hash_all(hash);
    }
    return hash;
}

static void gelu(const struct sr_vec *v, size_t n, size_t shift) {
    v->gelu(x[0] + shift, x[1] + shift, n);
    v->gelu(x[2] + shift, x[2] + shift, n);
    v->gelu_float(x[3] + shift, x[4] + shift, n);
    hash_fill(x[5], ROOM, 5, 30.1, 0); /* where the tail ends */
    v->gelu(x[6] + shift, x[5] + shift, n);
}
static void gelu_backward(const struct sr_vec *v, size_t n, size_t shift) {
    v->gelu_backward(x[0] + shift, x[1] + shift, x[2] + shift, n);
    hash_fill(x[5], ROOM, 5, 30.1, 0);
    v->gelu_backward(x[3] + shift, x[4] + shift, x[5] + shift, n);
}
static void dropout_mask(const struct sr_vec *v, size_t n, size_t shift) {
    v->dropout_mask(byte + shift, n, 4 * shift, 0.3, 0x123456789abcdefu, 0xfedcba987654321u);
}
static void dropout(const struct sr_vec *v, size_t n, size_t shift) {
    v->dropout(x[0] + shift, x[1] + shift, byte + shift, n, 1.25f);
    v->dropout(x[2] + shift, x[2] + shift, byte, n, 1.4285715f);
}
static void adamw(const struct sr_vec *v, size_t n, size_t shift) {
    const struct sr_adamw_step step = {.keep = 0.999995f,
                                       .beta1 = 0.9f,
                                       .beta2 = 0.999f,
                                       .rest1 = 0.1f,
                                       .rest2 = 0.001f,
                                       .scale = 0.7f,
                                       .step = 0.005f,
                                       .root = 3.1f,
                                       .eps = 1e-8f};
    for (size_t i = 0; i < ROOM; i++)
        x[2][i] = (real)fabs((double)x[2][i]); /* the second moment */
    v->adamw(x[0] + shift, x[1] + shift, x[2] + shift, x[3] + shift, n, &step);
}
static void sum_squares(const struct sr_vec *v, size_t n, size_t shift) {
    wide[0][0] = v->sum_squares(x[0] + shift, n);
}

/* n columns, at most 64, in rows of stride n + 2. */
static void columns(const struct sr_vec *v, size_t n, size_t shift) {
    const size_t rows = 7, most = n < 64 ? n : 64, stride = most + 2;
    v->column_sum(x[0] + shift, x[1] + shift, rows, most, stride);
    v->column_moments(wide[0], wide[1], x[1] + shift, rows, most, stride);
}
static void normalise(const struct sr_vec *v, size_t n, size_t shift) {
    const size_t rows = 7, most = n < 64 ? n : 64, stride = most + 2;
    v->normalise(x[2] + shift, x[1] + shift, x[3], x[4] + shift, x[5], x[6], rows, most, stride);
    v->normalise_sums(x[0], x[9], x[7] + shift, x[1] + shift, x[3], x[4], rows, most, stride);
    v->normalise_backward(x[8] + shift, x[7] + shift, x[1] + shift, x[3], x[4], x[5], x[0], x[9], rows, most,
                          stride);
}
static void to_float(const struct sr_vec *v, size_t n, size_t shift) {
    v->half_to_float(x[0] + shift, half + shift, n);
    v->bfloat16_to_float(x[1] + shift, half + shift, n);
}
static void to_half(const struct sr_vec *v, size_t n, size_t shift) {
    v->bfloat16_to_float(x[0] + shift, half + shift, n); /* floats of every kind */
    v->float_to_half(half + shift, x[0] + shift, n);
}
static void all_finite(const struct sr_vec *v, size_t n, size_t shift) {
    byte[0] = (uint8_t)v->all_finite(x[0] + shift, n);
    if (n > 0)
        x[0][shift + n - 1] = INFINITY;
    byte[1] = (uint8_t)v->all_finite(x[0] + shift, n);
}

#define CASE(kernel)                                                                                         \
    static uint64_t case_##kernel(void) {                                                                    \
        return each_length(kernel);                                                                          \
    }
CASE(gelu)
CASE(gelu_backward)
CASE(dropout_mask)
CASE(dropout)
CASE(adamw)
CASE(sum_squares)
CASE(columns)
CASE(normalise)
CASE(to_float)
CASE(to_half)
CASE(all_finite)

static const struct selftest_case cases[] = {
    {"gelu", case_gelu, 0xc4672a69c4dc3929},
    {"gelu_backward", case_gelu_backward, 0x26e7dc3cf817c062},
    {"dropout_mask", case_dropout_mask, 0x9f0371f3519f8b88},
    {"dropout", case_dropout, 0xd7c664b2693fe148},
    {"adamw", case_adamw, 0xfad128d43506e283},
    {"sum_squares", case_sum_squares, 0x7a79024646f88012},
    {"columns", case_columns, 0x0d12697c9d123e23},
    {"normalise", case_normalise, 0x512d9ebe202264c0},
    {"to_float", case_to_float, 0xf0a1b8cb63385f85},
    {"to_half", case_to_half, 0xdf7706d403cd9285},
    {"all_finite", case_all_finite, 0xe59132caa99f51b3},
};

int main(int argc, char **argv) {
    const char *asked = selftest_asks(argc, argv), *isa = sr_isa_name(sr_isa_best());
    if (asked && strcmp(asked, isa) != 0)
        return selftest_skip(asked);
    return selftest_run(cases, SR_COUNT(cases), isa);
}
