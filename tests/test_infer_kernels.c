/* test_infer_kernels.c: the inner products of the deployed router: the same bits on every instruction set,
 * and the right numbers.
 *
 * Every table this CPU has is compared with the base table byte for byte, what lies behind the outputs
 * included, over odd sizes, strides of both signs and starts off alignment. Then base's numbers: sums against
 * loops in double, int8 against 64-bit integers, quantising against its definition.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "infer/router.h"
#include "tests/hash_fill.h"

#define MOST   2048 /* inputs */
#define ROWS   9
#define GAP    5  /* numbers between two rows, at most */
#define BEHIND 16 /* numbers behind an output, which must stay */
#define ROOM   (ROWS * (MOST + GAP) + 64)

/* Numbers that kernels read, and two places that they write to. */
struct bench {
    float *x, *w, *bias, *out[2];
    uint16_t *half;
    int8_t *small, *small_w;
};

static void *room(size_t n, size_t size) {
    void *p = sr_alloc(n, size, NULL);
    cr_assert_not_null(p);
    return p;
}

static struct bench bench_begin(void) {
    struct bench b = {.x = room(ROOM, sizeof(float)), .w = room(ROOM, sizeof(float))};
    b.bias = room(MOST, sizeof(float));
    b.half = room(ROOM, sizeof *b.half);
    b.small = room(ROOM, 1);
    b.small_w = room(ROOM, 1);
    b.out[0] = room(ROOM, sizeof(float));
    b.out[1] = room(ROOM, sizeof(float));
    hash_fill(b.x, ROOM, 1, 4, 0);
    hash_fill(b.w, ROOM, 2, 1, 0);
    hash_fill(b.bias, MOST, 3, 1, 0);
    for (size_t i = 0; i < ROOM; i++) {
        uint32_t bits;
        memcpy(&bits, &b.w[i], sizeof bits);
        b.half[i] = (uint16_t)(bits >> 16);
        b.small[i] = (int8_t)(hash_bits(4, i) % 255 - 127);
        b.small_w[i] = (int8_t)(hash_bits(5, i) % 256 - 128);
    }
    return b;
}

static void bench_end(struct bench *b) {
    void *all[] = {b->x, b->w, b->bias, b->half, b->small, b->small_w, b->out[0], b->out[1]};
    for (size_t i = 0; i < SR_COUNT(all); i++)
        sr_free(all[i]);
}

/* One call. */
struct shape {
    size_t rows, in, outputs, out_stride, shift; /* shift: of every start, in items */
    ptrdiff_t x_stride;
    bool bias;
};

static const float *first_row(const struct bench *b, const struct shape *s) {
    const ptrdiff_t back = s->x_stride < 0 ? -s->x_stride * (ptrdiff_t)(s->rows ? s->rows - 1 : 0) : 0;
    return b->x + s->shift + back;
}

static void run_linear(const struct sr_kernels *k, const struct bench *b, const struct shape *s, float *out) {
    k->linear(out, s->out_stride, first_row(b, s), s->x_stride, b->w + s->shift, s->bias ? b->bias : NULL,
              s->rows, s->in, s->outputs);
}
static void run_bfloat16(const struct sr_kernels *k, const struct bench *b, const struct shape *s,
                         float *out) {
    k->linear_bfloat16(out, s->out_stride, first_row(b, s), s->x_stride, b->half + s->shift,
                       s->bias ? b->bias : NULL, s->rows, s->in, s->outputs);
}
static void run_int8(const struct sr_kernels *k, const struct bench *b, const struct shape *s, float *out) {
    k->linear_int8(out, s->out_stride, b->small + s->shift, b->x, b->small_w + s->shift, b->w,
                   s->bias ? b->bias : NULL, s->rows, s->in, s->outputs);
}
/* The scale, and the int8 numbers behind it. */
static void run_quantise(const struct sr_kernels *k, const struct bench *b, const struct shape *s,
                         float *out) {
    out[0] = k->quantise((int8_t *)(out + 1) + s->shift, b->x + s->shift, s->in);
}
static void run_standardise(const struct sr_kernels *k, const struct bench *b, const struct shape *s,
                            float *out) {
    k->standardise(out + s->shift, b->x + s->shift, b->w + s->shift, b->w + 7, s->in);
}
static void run_range(const struct sr_kernels *k, const struct bench *b, const struct shape *s, float *out) {
    k->range_sums(out, b->x + s->shift, b->w + s->shift, b->w + 7, s->in);
}

static const struct {
    const char *name;
    void (*run)(const struct sr_kernels *, const struct bench *, const struct shape *, float *out);
} kernels[] = {{"linear", run_linear},     {"linear_bfloat16", run_bfloat16}, {"linear_int8", run_int8},
               {"quantise", run_quantise}, {"standardise", run_standardise},  {"range_sums", run_range}};

/* Every kernel on this shape, by base and by every other table. */
static void check_shape(struct bench *b, const struct shape *s) {
    for (size_t i = 0; i < SR_COUNT(kernels); i++)
        for (int isa = SR_ISA_AVX2; isa < SR_ISA_COUNT; isa++) {
            const struct sr_kernels *k = sr_kernels_for((enum sr_isa)isa);
            const size_t used = s->rows * s->out_stride + s->in + s->shift + BEHIND;
            if (!k)
                continue;
            hash_fill(b->out[0], used, 9, 1, 0);
            hash_fill(b->out[1], used, 9, 1, 0);
            kernels[i].run(sr_kernels_for(SR_ISA_BASE), b, s, b->out[0]);
            kernels[i].run(k, b, s, b->out[1]);
            cr_assert_eq(memcmp(b->out[0], b->out[1], used * sizeof(float)), 0,
                         "%s on %s: other bits at %zu rows, %zu inputs, %zu outputs, stride %td, shift %zu",
                         kernels[i].name, sr_isa_name((enum sr_isa)isa), s->rows, s->in, s->outputs,
                         s->x_stride, s->shift);
        }
}

Test(infer_kernels, every_instruction_set_gives_the_same_bits) {
    struct bench b = bench_begin();
    for (size_t in = 0; in <= MOST; in = in == 100 ? MOST : in + 1)
        for (size_t way = 0; way < 8; way++) {
            const ptrdiff_t width = (ptrdiff_t)in, strides[] = {width, width + GAP, -width, -width - 3, 0};
            const size_t outputs = in == MOST ? 1 + way : (in + way) % 7;
            const struct shape s = {.rows = (in + 3 * way) % (ROWS + 1),
                                    .in = in,
                                    .outputs = outputs,
                                    .out_stride = outputs + way % 3,
                                    .shift = way % 4,
                                    .x_stride = strides[(in + way) % SR_COUNT(strides)],
                                    .bias = way % 2 == 0};
            check_shape(&b, &s);
        }
    bench_end(&b);
}

Test(infer_kernels, the_best_table_is_the_one_in_use) {
    cr_expect_eq(sr_kernels(), sr_kernels_for(sr_isa_best()));
    cr_expect_not_null(sr_kernels_for(SR_ISA_BASE));
    if (sr_isa_best() < SR_ISA_AVX512)
        cr_expect_null(sr_kernels_for(SR_ISA_AVX512));
    if (sr_isa_best() == SR_ISA_BASE)
        cr_skip_test("this CPU has one instruction set: no two to compare");
}

/* ---- floats against loops ---- */

/* Rows of a stride by weights of float or bfloat16, with guards behind each row of outputs. */
static void check_against_double(bool half, ptrdiff_t x_stride, bool bias) {
    enum { IN = 77, OUT = 13, STRIDE = 15 };
    struct bench b = bench_begin();
    const struct shape s = {ROWS, IN, OUT, STRIDE, 0, x_stride, bias};
    const float *x = first_row(&b, &s);
    hash_fill(b.out[0], ROWS * STRIDE, 9, 1, 0);
    (half ? run_bfloat16 : run_linear)(sr_kernels(), &b, &s, b.out[0]);
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t o = 0; o < OUT; o++) {
            double want = bias ? (double)b.bias[o] : 0;
            for (size_t k = 0; k < IN; k++) {
                const uint32_t bits = (uint32_t)b.half[o * IN + k] << 16;
                float w;
                memcpy(&w, &bits, sizeof w);
                want +=
                    (double)x[(ptrdiff_t)r * x_stride + (ptrdiff_t)k] * (double)(half ? w : b.w[o * IN + k]);
            }
            /* 77 terms of up to 4, each rounded to 6e-8 of a running sum that stays below 80 */
            cr_expect_float_eq(b.out[0][r * STRIDE + o], want, 4e-5, "row %zu, output %zu", r, o);
        }
        for (size_t o = OUT; o < STRIDE; o++)
            cr_expect_eq(b.out[0][r * STRIDE + o], (float)hash_value(9, r * STRIDE + o),
                         "written behind a row");
    }
    bench_end(&b);
}

Test(infer_kernels, linear_against_loops) {
    for (int half = 0; half < 2; half++) {
        check_against_double(half, 77, true);
        check_against_double(half, -80, false);
        check_against_double(half, 0, true);
    }
}

Test(infer_kernels, a_row_has_the_same_bits_alone) {
    struct bench b = bench_begin();
    for (size_t i = 0; i < 3; i++) {
        const struct shape all = {ROWS, 77, 5, 5, 0, 77, true}, one = {1, 77, 5, 5, 0, 77, true};
        kernels[i].run(sr_kernels(), &b, &all, b.out[0]);
        for (size_t r = 0; r < ROWS; r++) {
            struct bench at = b;
            at.x += i == 2 ? r : r * 77; /* scales of int8 rows are taken from x */
            at.small += r * 77;
            kernels[i].run(sr_kernels(), &at, &one, b.out[1]);
            cr_expect_eq(memcmp(b.out[1], b.out[0] + r * 5, 5 * sizeof(float)), 0, "%s: row %zu",
                         kernels[i].name, r);
        }
    }
    bench_end(&b);
}

Test(infer_kernels, range_sums_against_loops) {
    struct bench b = bench_begin();
    for (size_t n = 0; n <= 100; n++) {
        double centred = 0, raw = 0;
        float sums[2];
        sr_kernels()->range_sums(sums, b.x, b.w, b.bias, n);
        for (size_t i = 0; i < n; i++) {
            const double x = (double)b.x[i], s = (double)b.bias[i], z = (x - (double)b.w[i]) * s;
            centred += z * z;
            raw += x * s * x * s;
        }
        /* each term is rounded four times by 6e-8 of itself, each of at most 7 sums a lane once */
        cr_expect_float_eq(sums[0], centred, 1e-6 * centred, "%zu", n);
        cr_expect_float_eq(sums[1], raw, 1e-6 * raw, "%zu", n);
    }
    bench_end(&b);
}

/* ---- int8 ---- */

/* Sums below 2^24 are exact as floats, so scales of 1 show them. */
Test(infer_kernels, int8_sums_are_exact) {
    struct bench b = bench_begin();
    for (size_t i = 0; i < ROWS; i++)
        b.x[i] = b.w[i] = 1;
    for (size_t in = 0; in <= 100; in++) {
        const struct shape s = {5, in, 3, 3, in % 4, 0, false};
        run_int8(sr_kernels(), &b, &s, b.out[0]);
        for (size_t r = 0; r < s.rows; r++)
            for (size_t o = 0; o < s.outputs; o++) {
                int64_t want = 0;
                for (size_t k = 0; k < in; k++)
                    want += (int64_t)b.small[s.shift + r * in + k] * b.small_w[s.shift + o * in + k];
                cr_expect_eq((int64_t)b.out[0][r * 3 + o], want, "%zu inputs, row %zu, output %zu", in, r, o);
            }
    }
    bench_end(&b);
}

Test(infer_kernels, int8_extremes_do_not_saturate) {
    enum { IN = 16384 };
    static const int8_t ends[][2] = {{127, 127}, {-127, 127}, {-127, -128}, {127, -128}};
    const float one = 1;
    int8_t *x = room(IN, 1), *w = room(IN, 1);
    for (int isa = 0; isa < SR_ISA_COUNT; isa++)
        for (size_t i = 0; sr_kernels_for((enum sr_isa)isa) && i < SR_COUNT(ends); i++) {
            float out;
            memset(x, ends[i][0], IN);
            memset(w, ends[i][1], IN);
            sr_kernels_for((enum sr_isa)isa)->linear_int8(&out, 1, x, &one, w, &one, NULL, 1, IN, 1);
            /* at most 14 bits and a power of two: exact as a float */
            cr_expect_eq((int64_t)out, (int64_t)IN * ends[i][0] * ends[i][1], "%s, %d by %d",
                         sr_isa_name((enum sr_isa)isa), ends[i][0], ends[i][1]);
        }
    sr_free(x);
    sr_free(w);
}

Test(infer_kernels, int8_scales_and_bias) {
    const int8_t x[] = {1, 2, 3, 4}, w[] = {5, 6, 7, 8};
    const float scale_x[] = {.5f, 2}, scale_w[] = {4, .25f}, bias[] = {1, -1};
    float out[4];
    sr_kernels()->linear_int8(out, 2, x, scale_x, w, scale_w, bias, 2, 2, 2);
    cr_expect_eq(out[0], 1 + 17 * .5f * 4);
    cr_expect_eq(out[1], -1 + 23 * .5f * .25f);
    cr_expect_eq(out[2], 1 + 39 * 2.f * 4);
    cr_expect_eq(out[3], -1 + 53 * 2.f * .25f);
}

/* ---- quantising ---- */

Test(infer_kernels, quantise_rounds_ties_to_even) {
    const float x[] = {127, .5f, 1.5f, 2.5f, -.5f, -1.5f, -2.5f, 2.4999998f, 126.5f, -126.5f, -127, 0};
    const int8_t want[] = {127, 0, 2, 2, 0, -2, -2, 2, 126, -126, -127, 0};
    int8_t q[SR_COUNT(x)];
    cr_expect_eq(sr_kernels()->quantise(q, x, SR_COUNT(x)), 1);
    for (size_t i = 0; i < SR_COUNT(x); i++)
        cr_expect_eq(q[i], want[i], "%g gives %d", (double)x[i], q[i]);
}

Test(infer_kernels, quantise_of_nothing) {
    const float rows[][3] = {{0, -0.f, 0}, {9e-31f, -9e-31f, 0}, {1e-45f, 0, 0}};
    for (size_t i = 0; i < SR_COUNT(rows); i++) {
        int8_t q[3] = {9, 9, 9};
        cr_expect_eq(sr_kernels()->quantise(q, rows[i], 3), 0);
        cr_expect(q[0] == 0 && q[1] == 0 && q[2] == 0, "row %zu: %d %d %d", i, q[0], q[1], q[2]);
    }
    cr_expect_eq(sr_kernels()->quantise(NULL, NULL, 0), 0);
}

/* Over all of float's range: within the int8 range, the largest at its end, none off by more than half a
 * step (and what rounding of the step itself adds). */
Test(infer_kernels, quantise_of_any_size) {
    enum { N = 37 };
    for (int e = -99; e <= 127; e++) {
        float x[N];
        int8_t q[N];
        int most = 0;
        for (size_t i = 0; i < N; i++)
            x[i] = ldexpf((float)hash_value(11, i + (size_t)(e + 100) * N), e);
        const double scale = (double)sr_kernels()->quantise(q, x, N);
        cr_assert(scale > 0);
        for (size_t i = 0; i < N; i++) {
            cr_assert_geq(q[i], -127, "2^%d: %d", e, q[i]);
            most = abs(q[i]) > most ? abs(q[i]) : most;
            cr_assert(fabs((double)x[i] - scale * q[i]) <= scale * .50002, "2^%d: %g became %d", e,
                      (double)x[i], q[i]);
        }
        cr_assert_eq(most, 127, "2^%d: largest is %d", e, most);
    }
}

Test(infer_kernels, quantise_returns_the_step) {
    int8_t q[2];
    cr_expect_eq(sr_kernels()->quantise(q, (const float[]){-254, 3}, 2), 2);
    cr_expect(q[0] == -127 && q[1] == 2);
}

/* ---- weights in other precisions ---- */

static uint16_t bfloat16_of(float x) {
    uint16_t w;
    float bias = 0, bias_out;
    struct sr_router_layer to = {.inputs = 1,
                                 .outputs = 1,
                                 .precision = SAFEROUTE_COMPUTE_BFLOAT16,
                                 .w_bfloat16 = &w,
                                 .bias = &bias_out};
    sr_precision_convert(&to, &x, &bias);
    return w;
}

Test(infer_precision, bfloat16_is_the_nearest_ties_to_even) {
    static const struct {
        uint32_t bits;
        uint16_t want;
    } cases[] = {{0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81},
                 {0x3f807fff, 0x3f80}, {0xbf818000, 0xbf82}, {0x00000000, 0x0000}, {0x80000000, 0x8000},
                 {0x00000001, 0x0000}, {0x3fffffff, 0x4000}, {0x7f7f0000, 0x7f7f}};
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        float x;
        memcpy(&x, &cases[i].bits, sizeof x);
        cr_expect_eq(bfloat16_of(x), cases[i].want, "%08x gives %04x", cases[i].bits, bfloat16_of(x));
    }
}

Test(infer_precision, int8_has_a_scale_for_each_output) {
    const float w[] = {1, -.5f, 1000, 127}, bias[] = {3, 4};
    int8_t q[4];
    float scale[2], bias_out[2];
    struct sr_router_layer to = {.inputs = 2,
                                 .outputs = 2,
                                 .precision = SAFEROUTE_COMPUTE_INT8,
                                 .w_int8 = q,
                                 .scale = scale,
                                 .bias = bias_out};
    sr_precision_convert(&to, w, bias);
    cr_expect_eq(scale[0], 1 / 127.f);
    cr_expect_eq(scale[1], 1000 / 127.f);
    cr_expect(q[0] == 127 && q[1] == -64 && q[2] == 127 && q[3] == 16); /* -63.5 is a tie */
    cr_expect(bias_out[0] == 3 && bias_out[1] == 4);
}
