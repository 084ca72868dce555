/* test_nn_vec.c: the kernels of vec.c: the same bits on every instruction set, and the right numbers.
 *
 * Every table this CPU has runs every kernel over odd lengths and off-alignment pointers and is compared with
 * the base table byte for byte, what lies behind the output included. Then base's numbers: GELU against libm
 * in double, 16-bit conversions over all 65,536 values, masks against Philox, sums against plain loops.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/hash_fill.h"
#include "tests/one_layer.h"

#define ROOM    4096 /* numbers a buffer */
#define BUFFERS 12

/* Buffers of hashed numbers; a kernel reads and writes in them from `shift` numbers off alignment. */
struct bench {
    size_t n, shift;
    real *buffer[BUFFERS]; /* in +-4, all of them inputs and outputs */
    double *wide[2];
    uint8_t *byte;
    uint16_t *half;
};

static struct bench bench_create(size_t n, size_t shift) {
    struct bench b = {.n = n, .shift = shift};
    for (uint32_t i = 0; i < BUFFERS; i++) {
        b.buffer[i] = test_alloc(ROOM, sizeof(real));
        hash_fill(b.buffer[i], ROOM, i, 4, 0);
    }
    b.wide[0] = test_alloc(ROOM, sizeof(double));
    b.wide[1] = test_alloc(ROOM, sizeof(double));
    b.byte = test_alloc(ROOM, 1);
    b.half = test_alloc(ROOM, sizeof *b.half);
    for (size_t i = 0; i < ROOM; i++) {
        b.wide[0][i] = hash_value(20, i);
        b.wide[1][i] = hash_value(21, i);
        b.byte[i] = hash_bits(22, i) & 1;
        b.half[i] = (uint16_t)hash_bits(23, i);
    }
    return b;
}

static void bench_free(struct bench *b) {
    for (int i = 0; i < BUFFERS; i++)
        sr_free(b->buffer[i]);
    sr_free(b->wide[0]);
    sr_free(b->wide[1]);
    sr_free(b->byte);
    sr_free(b->half);
}

static real *at(const struct bench *b, int i) {
    return b->buffer[i] + b->shift;
}

/* ---- one function a kernel ---- */

static void run_gelu(const struct sr_vec *v, struct bench *b) {
    v->gelu(at(b, 0), at(b, 1), b->n);
    v->gelu(at(b, 2), at(b, 2), b->n);
    v->gelu_float(at(b, 3), at(b, 4), b->n);
}
static void run_gelu_backward(const struct sr_vec *v, struct bench *b) {
    v->gelu_backward(at(b, 0), at(b, 1), at(b, 2), b->n);
}
static void run_dropout_mask(const struct sr_vec *v, struct bench *b) {
    v->dropout_mask(b->byte + b->shift, b->n, 4 * b->shift, 0.3, 0x123456789abcdefu, 0xfedcba987654321u);
    v->dropout_mask(b->byte + 2000, b->n, (size_t)1 << 34, 0.3, 1, 2); /* the counter's upper word */
}
static void run_dropout(const struct sr_vec *v, struct bench *b) {
    v->dropout(at(b, 0), at(b, 1), b->byte + b->shift, b->n, 1.25f);
    v->dropout(at(b, 2), at(b, 2), b->byte, b->n, 1.25f);
}
static void run_adamw(const struct sr_vec *v, struct bench *b) {
    const struct sr_adamw_step s = {.keep = 0.99f,
                                    .beta1 = 0.9f,
                                    .beta2 = 0.999f,
                                    .rest1 = 0.1f,
                                    .rest2 = 0.001f,
                                    .scale = 0.7f,
                                    .step = 0.005f,
                                    .root = 3.1f,
                                    .eps = 1e-8f};
    for (size_t i = 0; i < ROOM; i++)
        b->buffer[2][i] = fabsf(b->buffer[2][i]); /* the second moment */
    v->adamw(at(b, 0), at(b, 1), at(b, 2), at(b, 3), b->n, &s);
}
static void run_sum_squares(const struct sr_vec *v, struct bench *b) {
    b->wide[0][0] = v->sum_squares(at(b, 0), b->n);
}

/* Columns: n of them, at most 64, in rows of stride n + 2. */
static void run_columns(const struct sr_vec *v, struct bench *b) {
    const size_t n = b->n < 64 ? b->n : 64, stride = n + 2, rows = 7;
    v->column_sum(at(b, 0), at(b, 1), rows, n, stride);
    v->column_moments(b->wide[0], b->wide[1], at(b, 1), rows, n, stride);
    v->normalise(at(b, 2), at(b, 1), at(b, 3), at(b, 4), at(b, 5), at(b, 6), rows, n, stride);
    v->normalise_sums(at(b, 9), at(b, 10), at(b, 7), at(b, 1), at(b, 3), at(b, 4), rows, n, stride);
    v->normalise_backward(at(b, 8), at(b, 7), at(b, 1), at(b, 3), at(b, 4), at(b, 5), at(b, 9), at(b, 10),
                          rows, n, stride);
    v->normalise_backward(at(b, 7), at(b, 7), at(b, 1), at(b, 3), at(b, 4), at(b, 5), at(b, 9), at(b, 10),
                          rows, n, stride);
}
static void run_convert(const struct sr_vec *v, struct bench *b) {
    v->half_to_float(at(b, 0), b->half + b->shift, b->n);
    v->bfloat16_to_float(at(b, 1), b->half + b->shift, b->n);
    v->float_to_half(b->half + ROOM / 2 + b->shift, at(b, 0), b->n); /* of every kind of half */
    v->float_to_half(b->half + b->shift, at(b, 2), b->n);
}
static void run_finite(const struct sr_vec *v, struct bench *b) {
    b->byte[0] = (uint8_t)v->all_finite(at(b, 0), b->n);
    if (b->n)
        at(b, 0)[b->n - 1] = INFINITY;
    b->byte[1] = (uint8_t)v->all_finite(at(b, 0), b->n);
}
static void (*const kernels[])(const struct sr_vec *, struct bench *) = {
    run_gelu,        run_gelu_backward, run_dropout_mask, run_dropout, run_adamw,
    run_sum_squares, run_columns,       run_convert,      run_finite};

/* ---- the same bits ---- */

static bool same_bytes(const struct bench *a, const struct bench *b) {
    bool same = !memcmp(a->byte, b->byte, ROOM) && !memcmp(a->half, b->half, ROOM * sizeof *a->half);
    for (int i = 0; i < BUFFERS; i++)
        same = same && !memcmp(a->buffer[i], b->buffer[i], ROOM * sizeof(real));
    for (int i = 0; i < 2; i++)
        same = same && !memcmp(a->wide[i], b->wide[i], ROOM * sizeof(double));
    return same;
}

static void compare_tables(const struct sr_vec *table, size_t kernel, size_t n, size_t shift) {
    const struct sr_vec *base = sr_vec_for(SR_ISA_BASE);
    struct bench a = bench_create(n, shift), b = bench_create(n, shift);
    kernels[kernel](base, &a);
    kernels[kernel](table, &b);
    cr_expect(same_bytes(&a, &b), "kernel %zu: %s is not base, n %zu, shift %zu", kernel,
              sr_isa_name(table->isa), n, shift);
    bench_free(&a);
    bench_free(&b);
}

Test(nn_vec, every_isa_gives_the_same_bits) {
    static const size_t lengths[] = {0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 255, 1021};
    int tables = 0;
    for (int isa = SR_ISA_BASE + 1; isa < SR_ISA_COUNT; isa++) {
        const struct sr_vec *table = sr_vec_for((enum sr_isa)isa);
        if (!table)
            continue;
        cr_expect_eq((int)table->isa, isa);
        tables++;
        for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++)
            for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
                for (size_t shift = 0; shift < 16; shift += 5)
                    compare_tables(table, k, lengths[i], shift);
    }
    if (!tables)
        cr_skip_test("this CPU or SAFEROUTE_ISA leaves only the base kernels: nothing to compare");
}

/* A kernel writes its n numbers and nothing else. */
Test(nn_vec, nothing_is_written_behind_the_end) {
    for (int isa = SR_ISA_BASE; isa < SR_ISA_COUNT; isa++) {
        const struct sr_vec *table = sr_vec_for((enum sr_isa)isa);
        for (size_t n = 0; table && n < 70; n++) {
            struct bench b = bench_create(n, 3), fresh = bench_create(n, 3);
            run_gelu(table, &b);
            run_convert(table, &b);
            for (int i = 0; i < BUFFERS; i++) {
                cr_assert_eq(memcmp(b.buffer[i], fresh.buffer[i], 3 * sizeof(real)), 0);
                cr_assert_eq(memcmp(at(&b, i) + n, at(&fresh, i) + n, (ROOM - 3 - n) * sizeof(real)), 0);
            }
            table->dropout_mask(b.byte + 3, n, 0, 0.5, 1, 1);
            cr_assert_eq(memcmp(b.byte + 3 + n, fresh.byte + 3 + n, ROOM - 3 - n), 0);
            bench_free(&b);
            bench_free(&fresh);
        }
    }
}

/* ---- GELU ---- */

static double gelu_true(double x) {
    return x < -40 ? 0 : 0.5 * x * erfc(-x * 0.70710678118654752440);
}
static double gelu_slope_true(double x) {
    if (fabs(x) > 40)
        return x > 0;
    return 0.5 * erfc(-x * 0.70710678118654752440) + x * 0.39894228040143267794 * exp(-0.5 * x * x);
}

/* Every 997th float there is, zero, subnormal and huge ones among them, NaNs left out; and densely the range
 * where GELU bends. A huge x must come back as it is. */
Test(nn_vec, gelu_within_1e_6_of_libm) {
    const struct sr_vec *vec = sr_vec();
    double worst = 0, worst_slope = 0;
    for (uint64_t i = 0; i < 12000000; i++) {
        uint32_t bits = (uint32_t)(i * 997);
        float x, y, slope;
        const float one = 1;
        memcpy(&x, &bits, sizeof x);
        if (i * 997 > UINT32_MAX)
            x = (float)(i % 4000000) * 6e-6f - 12.0f;
        if (!isfinite(x))
            continue;
        vec->gelu(&y, &x, 1);
        vec->gelu_backward(&slope, &one, &x, 1);
        const double want = gelu_true((double)x);
        const double error = fabs((double)y - want);
        const double slope_error = fabs((double)slope - gelu_slope_true((double)x));
        worst = error <= worst ? worst : error;
        worst_slope = slope_error <= worst_slope ? worst_slope : slope_error;
        cr_assert(error <= 1e-6, "GELU(%a) = %a, libm %a", (double)x, (double)y, want);
        cr_assert(slope_error <= 1e-6, "slope at %a = %a, libm %a", (double)x, (double)slope,
                  gelu_slope_true((double)x));
    }
    cr_log_info("largest error of GELU %.2e, of its slope %.2e", worst, worst_slope);
}

Test(nn_vec, gelu_special_values) {
    const real x[] = {0, -0.0f, INFINITY, -INFINITY, 3.4e38f, -3.4e38f, 1e-45f, -1e-45f, 1e-38f, NAN};
    real y[10];
    for (int isa = SR_ISA_BASE; isa < SR_ISA_COUNT; isa++) {
        if (!sr_vec_for((enum sr_isa)isa))
            continue;
        sr_vec_for((enum sr_isa)isa)->gelu(y, x, 10);
        cr_expect_eq(y[0], 0);
        cr_expect(y[1] == 0 && signbit(y[1]));
        cr_expect_eq(y[2], INFINITY);
        cr_expect_eq(y[3], 0, "GELU(-inf) = %g", (double)y[3]);
        cr_expect_eq(y[4], 3.4e38f);
        cr_expect_eq(y[5], 0);
        cr_expect(y[6] >= 0 && y[6] <= 1e-45f && y[7] <= 0 && y[7] >= -1e-45f);
        cr_expect(fabsf(y[8] - 5e-39f) < 1e-44f);
        cr_expect(isnan(y[9]), "GELU(NaN) = %g", (double)y[9]);
    }
}

/* ---- 16-bit numbers ---- */

/* The bits of a half's value as float, from the definition (IEEE 754-2019, 3.4): sign, 5 bits of exponent
 * with bias 15, 10 bits of fraction. */
static uint32_t half_reference(uint16_t h) {
    const uint32_t sign = (uint32_t)(h >> 15) << 31, exponent = h >> 10 & 31, fraction = h & 1023;
    if (exponent == 31)
        return sign | 0x7f800000u | fraction << 13;
    const float magnitude =
        exponent ? ldexpf((float)(1024 + fraction), (int)exponent - 25) : ldexpf((float)fraction, -24);
    uint32_t bits;
    memcpy(&bits, &magnitude, sizeof bits);
    return sign | bits;
}

Test(nn_vec, sixteen_bit_numbers_exhaustively) {
    enum { ALL = 65536 };
    uint16_t *x = test_alloc(ALL, sizeof *x);
    float *y = test_alloc(ALL, sizeof *y);
    uint32_t bits;
    for (int i = 0; i < ALL; i++)
        x[i] = (uint16_t)i;
    for (int isa = SR_ISA_BASE; isa < SR_ISA_COUNT; isa++) {
        const struct sr_vec *table = sr_vec_for((enum sr_isa)isa);
        if (!table)
            continue;
        table->half_to_float(y, x, ALL);
        for (int i = 0; i < ALL; i++) {
            memcpy(&bits, y + i, sizeof bits);
            cr_assert_eq(bits, half_reference((uint16_t)i), "half %04x is %08x, not %08x", i, bits,
                         half_reference((uint16_t)i));
        }
        table->bfloat16_to_float(y, x, ALL);
        for (int i = 0; i < ALL; i++) {
            memcpy(&bits, y + i, sizeof bits);
            cr_assert_eq(bits, (uint32_t)i << 16);
        }
    }
    sr_free(x);
    sr_free(y);
}

/* x and -x must become that half with their signs. */
static void expect_half(const struct sr_vec *table, float x, uint16_t half) {
    const float both[] = {x, -x};
    uint16_t got[2];
    table->float_to_half(got, both, 2);
    cr_assert_eq(got[0], half, "%a is %04x, not %04x", (double)x, got[0], half);
    cr_assert_eq(got[1], half == 0 ? 0 : half | 0x8000, "%a is %04x", -(double)x, got[1]);
}

/* Between two neighbouring halves lies one number as near to either: it goes to the even one, the floats next
 * to it to the nearer. 65536, where the next half would be, stands for infinity. */
Test(nn_vec, floats_become_the_nearest_halves) {
    for (int isa = SR_ISA_BASE; isa < SR_ISA_COUNT; isa++) {
        const struct sr_vec *table = sr_vec_for((enum sr_isa)isa);
        for (uint16_t h = 0; table && h < 0x7c00; h++) {
            const uint16_t pair[] = {h, (uint16_t)(h + 1)};
            float end[2];
            table->half_to_float(end, pair, 2);
            const float low = end[0], high = pair[1] < 0x7c00 ? end[1] : 65536, middle = (low + high) / 2;
            expect_half(table, low, h);
            expect_half(table, nextafterf(middle, low), h);
            expect_half(table, middle, h % 2 ? pair[1] : h);
            expect_half(table, nextafterf(middle, high), pair[1]);
        }
    }
}

Test(nn_vec, halves_of_what_has_none) {
    for (int isa = SR_ISA_BASE; isa < SR_ISA_COUNT; isa++) {
        const struct sr_vec *table = sr_vec_for((enum sr_isa)isa);
        if (!table)
            continue;
        expect_half(table, 1e-45f, 0);
        expect_half(table, 1.17549435e-38f, 0);
        expect_half(table, 3.40282347e38f, 0x7c00);
        expect_half(table, INFINITY, 0x7c00);
        const uint32_t nan[] = {0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff, 0x7fc00000};
        for (size_t i = 0; i < sizeof nan / sizeof *nan; i++) {
            float x;
            uint16_t half;
            memcpy(&x, &nan[i], sizeof x);
            table->float_to_half(&half, &x, 1);
            cr_expect_eq(half, 0x7e00, "%08x", nan[i]);
        }
    }
}

Test(nn_vec, all_finite) {
    float x[100];
    const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    hash_fill(x, 100, 1, 1, 0);
    x[3] = 3.4e38f;
    x[4] = -1e-45f;
    cr_expect(sr_vec()->all_finite(x, 100));
    cr_expect(sr_vec()->all_finite(x, 0));
    for (size_t i = 0; i < 100; i++)
        for (int b = 0; b < 4; b++) {
            const float good = x[i];
            x[i] = bad[b];
            cr_expect_not(sr_vec()->all_finite(x, 100), "%g at %zu", (double)bad[b], i);
            cr_expect(sr_vec()->all_finite(x, i));
            x[i] = good;
        }
}

/* ---- masks ---- */

Test(nn_vec, mask_rate_and_purity) {
    enum { COUNT = 1 << 20 };
    static const double p[] = {0, 0.1, 0.3, 0.5, 0.9, 0.999};
    uint8_t *keep = test_alloc(COUNT, 1), *part = test_alloc(COUNT, 1);
    const struct sr_vec *vec = sr_vec();
    for (size_t c = 0; c < sizeof p / sizeof *p; c++) {
        double kept = 0;
        vec->dropout_mask(keep, COUNT, 0, p[c], 77, 88);
        for (size_t i = 0; i < COUNT; i++) {
            cr_assert_leq(keep[i], 1);
            kept += keep[i];
        }
        /* five standard deviations of a binomial count */
        cr_expect(fabs(kept - COUNT * (1 - p[c])) <= 5 * sqrt(COUNT * p[c] * (1 - p[c])),
                  "p %g: kept %g of %d", p[c], kept, COUNT);
    }
    vec->dropout_mask(keep, COUNT, 0, 0.3, 77, 88);
    for (size_t first = 4; first < 5000; first += 4 * 37) { /* any piece is the piece of the whole */
        vec->dropout_mask(part, 501, first, 0.3, 77, 88);
        cr_assert_eq(memcmp(part, keep + first, 501), 0);
    }
    for (size_t i = 0; i < 5000; i++) /* word i % 4 of Philox call i / 4 */
        cr_assert_eq(keep[i], sr_philox(77, 88, i / 4).v[i % 4] >= (uint32_t)(0.3 * 4294967296.0));
    vec->dropout_mask(part, COUNT, 0, 0.3, 78, 88);
    cr_expect_neq(memcmp(part, keep, COUNT), 0);
    vec->dropout_mask(part, COUNT, 0, 0.3, 77, 89);
    cr_expect_neq(memcmp(part, keep, COUNT), 0);
    sr_free(keep);
    sr_free(part);
}

Test(nn_vec, sums_against_loops) {
    enum { N = 1000, WIDTH = 10 };
    real x[N], sum[WIDTH];
    double squares = 0;
    hash_fill(x, N, 1, 1, 0);
    for (size_t i = 0; i < N; i++)
        squares += (double)x[i] * (double)x[i];
    cr_expect(fabs(sr_vec()->sum_squares(x, N) / squares - 1) < 1e-13);
    sr_vec()->column_sum(sum, x, N / WIDTH, WIDTH, WIDTH);
    for (size_t j = 0; j < WIDTH; j++) {
        double want = 0;
        for (size_t r = 0; r < N / WIDTH; r++)
            want += (double)x[r * WIDTH + j];
        cr_expect(fabs((double)sum[j] - want) < 1e-5); /* one rounding of a sum below 60 */
    }
}
