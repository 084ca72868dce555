/* test_infer_kernels.c: the inner products of the deployed router, on every instruction set this CPU has.
 *
 * Floats are held to the chains that kernels.h promises, computed from rows of weights with libm's fmaf, to
 * the bit, and these to sums in double; int8 to sums of 64-bit integers, to the bit; over odd sizes, strides
 * of both signs and starts off alignment, with guards behind every row of outputs. Then rows alone against
 * rows among others, panels against rows of weights, and quantising against its definition.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "infer/router.h"
#include "tests/hash_fill.h"

#define INPUTS  2048
#define OUTPUTS 1024
#define ROWS    14
#define GAP     5  /* numbers between two rows, at most */
#define BEHIND  16 /* numbers behind an output, which must stay */
#define SHIFT   3  /* numbers by which a start is off alignment, at most */

/* Rows of inputs, weights and what they are multiplied and added with. */
struct numbers {
    float *x, *w, *bias, *scale;
    uint16_t *half;
    uint8_t *q;
    int8_t *small;
    void *panels;
    float *out, *want;
};

static void *room(size_t n, size_t size) {
    void *p = sr_alloc(n, size, NULL);
    cr_assert_not_null(p);
    return p;
}

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float widened(uint16_t half) {
    const uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static struct numbers numbers_begin(void) {
    const size_t rows = ROWS * (INPUTS + GAP) + SHIFT, weights = INPUTS * OUTPUTS,
                 outputs = ROWS * (OUTPUTS + GAP) + BEHIND;
    struct numbers n = {.x = room(rows, sizeof(float)), .w = room(weights, sizeof(float))};
    n.bias = room(OUTPUTS, sizeof(float));
    n.scale = room(OUTPUTS, sizeof(float));
    n.half = room(weights, sizeof *n.half);
    n.q = room(rows, 1);
    n.small = room(weights, 1);
    n.panels = room(weights + OUTPUTS + SHIFT + 1, sizeof(float));
    n.out = room(outputs, sizeof(float));
    n.want = room(outputs, sizeof(float));
    hash_fill(n.x, rows, 1, 4, 0);
    hash_fill(n.w, weights, 2, 1, 0);
    hash_fill(n.bias, OUTPUTS, 3, 1, 0);
    hash_fill(n.scale, OUTPUTS, 6, .01, 0);
    for (size_t i = 0; i < weights; i++) {
        n.half[i] = (uint16_t)(bits_of(n.w[i]) >> 16);
        n.small[i] = (int8_t)(hash_bits(5, i) % 256 - 128);
    }
    for (size_t i = 0; i < rows; i++)
        n.q[i] = (uint8_t)(hash_bits(4, i) % 255 + 1);
    return n;
}

static void numbers_end(struct numbers *n) {
    void *all[] = {n->x, n->w, n->bias, n->scale, n->half, n->q, n->small, n->panels, n->out, n->want};
    for (size_t i = 0; i < SR_COUNT(all); i++)
        sr_free(all[i]);
}

/* One call. */
struct shape {
    size_t rows, in, outputs, gap,
        shift; /* gap: behind a row of outputs; shift: of x and of the panels, in items */
    ptrdiff_t x_stride;
    bool bias;
};

static const float *row_of(const struct numbers *n, const struct shape *s, size_t r) {
    const ptrdiff_t back = s->x_stride < 0 ? -s->x_stride * (ptrdiff_t)(s->rows ? s->rows - 1 : 0) : 0;
    return n->x + s->shift + back + (ptrdiff_t)r * s->x_stride;
}

/* ---- what is promised ---- */

/* kernels.h, word for word. */
static float chains(const float *x, const float *w, const uint16_t *half, size_t in) {
    float sum = 0;
    for (size_t j = 0; j < in; j += SR_CHAIN) {
        float s = 0;
        for (size_t k = j; k < in && k < j + SR_CHAIN; k++)
            s = fmaf(x[k], half ? widened(half[k]) : w[k], s);
        sum = j ? sum + s : s;
    }
    return sum;
}

static float want_float(const struct numbers *n, const struct shape *s, size_t r, size_t o, bool half) {
    const float *x = row_of(n, s, r);
    const float sum = chains(x, n->w + o * s->in, half ? n->half + o * s->in : NULL, s->in);
    double exact = 0, size = 0;
    for (size_t k = 0; k < s->in; k++) {
        const double term =
            (double)x[k] * (double)(half ? widened(n->half[o * s->in + k]) : n->w[o * s->in + k]);
        exact += term;
        size += fabs(term);
    }
    /* SR_CHAIN roundings by 6e-8 of a running sum that stays far below what its terms would be without signs,
     * which come by chance: a tenth of that bound is far more than is seen. */
    cr_assert(fabs((double)sum - exact) <= .1 * SR_CHAIN * 6e-8 * size + 1e-30,
              "%zu inputs: %g, in double %g", s->in, (double)sum, exact);
    return sum + (s->bias ? n->bias[o] : 0);
}

static float want_int8(const struct numbers *n, const struct shape *s, size_t r, size_t o) {
    const uint8_t *x = n->q + s->shift + r * SR_QUADS(s->in);
    int64_t sum = 0;
    for (size_t k = 0; k < s->in; k++)
        sum += ((int64_t)x[k] - 128) * n->small[o * s->in + k];
    return (float)sum * (n->scale[r] * n->scale[o]) + (s->bias ? n->bias[o] : 0);
}

/* ---- the three kernels ---- */

enum kernel { FLOAT, BFLOAT16, INT8, KERNELS };
static const char *const names[KERNELS] = {"linear", "linear_bfloat16", "linear_int8"};

/* Packs the weights of this shape where `shift` says; returns where that is. */
static void *pack(const struct numbers *n, const struct shape *s, enum kernel kernel) {
    if (kernel == INT8) {
        int8_t *to = (int8_t *)n->panels + s->shift;
        sr_panels_pack_int8(to, n->small, s->in, s->outputs);
        return to;
    }
    if (kernel == BFLOAT16) {
        uint16_t *to = (uint16_t *)n->panels + s->shift;
        sr_panels_pack_bfloat16(to, n->half, s->in, s->outputs);
        return to;
    }
    float *to = (float *)n->panels + s->shift;
    sr_panels_pack(to, n->w, s->in, s->outputs);
    return to;
}

/* Rows first..first+rows of the shape's. */
static void run(const struct sr_kernels *k, const struct numbers *n, const struct shape *s,
                enum kernel kernel, const void *panels, size_t first, size_t rows, float *out) {
    const size_t stride = s->outputs + s->gap;
    const float *bias = s->bias ? n->bias : NULL;
    if (kernel == INT8)
        k->linear_int8(out, stride, n->q + s->shift + first * SR_QUADS(s->in), n->scale + first, panels,
                       n->scale, bias, rows, s->in, s->outputs);
    else if (kernel == BFLOAT16)
        k->linear_bfloat16(out, stride, row_of(n, s, first), s->x_stride, panels, bias, rows, s->in,
                           s->outputs);
    else
        k->linear(out, stride, row_of(n, s, first), s->x_stride, panels, bias, rows, s->in, s->outputs);
}

/* By every table, guards and all. */
static void check_shape(const struct numbers *n, const struct shape *s, enum kernel kernel) {
    const size_t stride = s->outputs + s->gap, used = s->rows * stride + BEHIND;
    const void *panels = pack(n, s, kernel);
    hash_fill(n->want, used, 9, 1, 0);
    for (size_t r = 0; r < s->rows; r++)
        for (size_t o = 0; o < s->outputs; o++)
            n->want[r * stride + o] =
                kernel == INT8 ? want_int8(n, s, r, o) : want_float(n, s, r, o, kernel == BFLOAT16);
    for (int isa = 0; isa < SR_ISA_COUNT; isa++) {
        if (!sr_kernels_for((enum sr_isa)isa))
            continue;
        hash_fill(n->out, used, 9, 1, 0);
        run(sr_kernels_for((enum sr_isa)isa), n, s, kernel, panels, 0, s->rows, n->out);
        for (size_t i = 0; i < used; i++)
            cr_assert_eq(
                bits_of(n->out[i]), bits_of(n->want[i]),
                "%s on %s: %g, not %g, at row %zu, output %zu of %zu rows, %zu inputs, %zu outputs, stride "
                "%td, shift %zu",
                names[kernel], sr_isa_name((enum sr_isa)isa), (double)n->out[i], (double)n->want[i],
                i / stride, i % stride, s->rows, s->in, s->outputs, s->x_stride, s->shift);
    }
}

/* Around vectors of 4 to 16, panels of 64 and chains of 128. */
static const size_t inputs[] = {0, 1, 2, 3, 4, 5, 15, 16, 17, 33, 127, 128, 129, 300};
static const size_t outputs[] = {1, 2, 15, 16, 17, 31, 33, 48, 63, 64, 65, 96, 130};

static void check_shapes(enum kernel kernel) {
    struct numbers n = numbers_begin();
    size_t way = 0;
    for (size_t i = 0; i < SR_COUNT(inputs); i++)
        for (size_t o = 0; o < SR_COUNT(outputs); o++, way++) {
            const ptrdiff_t width = (ptrdiff_t)inputs[i],
                            strides[] = {width, width + GAP, -width, -width - 3, 0};
            const struct shape s = {.rows = (i + 4 * o) % (ROWS + 1),
                                    .in = inputs[i],
                                    .outputs = outputs[o],
                                    .gap = way % 3,
                                    .shift = way % (SHIFT + 1),
                                    .x_stride = strides[way % SR_COUNT(strides)],
                                    .bias = way % 2 == 0};
            check_shape(&n, &s, kernel);
        }
    numbers_end(&n);
}

Test(infer_kernels, linear_keeps_its_promise) {
    check_shapes(FLOAT);
}
Test(infer_kernels, linear_bfloat16_keeps_its_promise) {
    check_shapes(BFLOAT16);
}
Test(infer_kernels, linear_int8_keeps_its_promise) {
    check_shapes(INT8);
}

/* Every height that a batch may have: tiles and what is left of them. */
Test(infer_kernels, any_number_of_rows) {
    struct numbers n = numbers_begin();
    for (size_t rows = 0; rows <= ROWS; rows++)
        for (int kernel = 0; kernel < KERNELS; kernel++) {
            const struct shape s = {.rows = rows, .in = 37, .outputs = 50, .x_stride = 37, .bias = true};
            check_shape(&n, &s, (enum kernel)kernel);
        }
    numbers_end(&n);
}

Test(infer_kernels, the_first_layer_of_the_recipe) {
    struct numbers n = numbers_begin();
    for (size_t rows = 1; rows <= 3; rows += 2)
        for (int kernel = 0; kernel < KERNELS; kernel++) {
            const struct shape s = {
                .rows = rows, .in = INPUTS, .outputs = OUTPUTS, .x_stride = INPUTS, .bias = true};
            check_shape(&n, &s, (enum kernel)kernel);
        }
    numbers_end(&n);
}

Test(infer_kernels, a_row_has_the_same_bits_alone) {
    struct numbers n = numbers_begin();
    const struct shape s = {.rows = ROWS, .in = 200, .outputs = 70, .x_stride = 200, .bias = true};
    for (int isa = 0; isa < SR_ISA_COUNT; isa++)
        for (int kernel = 0; sr_kernels_for((enum sr_isa)isa) && kernel < KERNELS; kernel++) {
            const void *panels = pack(&n, &s, (enum kernel)kernel);
            const struct sr_kernels *k = sr_kernels_for((enum sr_isa)isa);
            run(k, &n, &s, (enum kernel)kernel, panels, 0, ROWS, n.want);
            for (size_t r = 0; r < ROWS; r++) {
                run(k, &n, &s, (enum kernel)kernel, panels, r, 1, n.out);
                cr_expect_eq(memcmp(n.out, n.want + r * s.outputs, s.outputs * sizeof(float)), 0,
                             "%s on %s: row %zu", names[kernel], sr_isa_name((enum sr_isa)isa), r);
            }
        }
    numbers_end(&n);
}

Test(infer_kernels, the_best_table_is_the_one_in_use) {
    cr_expect_eq(sr_kernels(), sr_kernels_for(sr_isa_best()));
    cr_expect_not_null(sr_kernels_for(SR_ISA_BASE));
    for (int isa = (int)sr_isa_best() + 1; isa < SR_ISA_COUNT; isa++)
        cr_expect_null(sr_kernels_for((enum sr_isa)isa));
    if (sr_isa_best() == SR_ISA_BASE)
        cr_skip_test("this CPU has one instruction set: no two to compare");
}

/* ---- fused, at the ends of float ---- */

/* Sums that a product and an addition, each rounded, or a sum rounded to double first, would give otherwise:
 * halves of the last place, results below the smallest normal float, and sums that overflow. */
Test(infer_kernels, one_rounding_and_not_two) {
    const float one = 1 + 0x1p-12f, tiny = 0x1p-75f, odd = 1 + 0x1p-23f;
    const float part = 0x1p-24f * odd, less = 1 - 0x1p-23f; /* their product is 2^-24 (1 - 2^-46) */
    const float cases[][4] = {                              /* x0 w0 x1 w1 */
                              {1, -1, one, one},
                              {1, 0x1p-25f, 1, 1},
                              {1, 0x1p-25f, 1 + 0x1p-23f, 1},
                              {one, one, -one, one},
                              {1, -0x1p-24f, one, one},
                              {tiny, tiny, 1.5f * tiny, tiny},
                              {tiny, 0x1p-60f, -tiny, 0x1p-73f},
                              {0x1p100f, 0x1p27f, 0x1.8p100f, 0x1p27f},
                              {-0x1p100f, 0x1p28f, 1, 1},
                              {1, odd, part, less}, /* in double, too, these four are a tie of floats */
                              {1, odd, -part, less},
                              {-1, odd, part, less},
                              {-1, odd, -part, less},
                              {0, -1, 0, -1}};
    for (int isa = 0; isa < SR_ISA_COUNT; isa++)
        for (size_t i = 0; sr_kernels_for((enum sr_isa)isa) && i < SR_COUNT(cases); i++) {
            const float x[] = {cases[i][0], cases[i][2]}, w[] = {cases[i][1], cases[i][3]};
            float panels[2 * SR_PANEL_STEP], out;
            sr_panels_pack(panels, w, 2, 1);
            sr_kernels_for((enum sr_isa)isa)->linear(&out, 1, x, 2, panels, NULL, 1, 2, 1);
            const float want = fmaf(x[1], w[1], fmaf(x[0], w[0], 0)) + 0;
            cr_expect_eq(bits_of(out), bits_of(want), "case %zu on %s: %a, not %a", i,
                         sr_isa_name((enum sr_isa)isa), (double)out, (double)want);
        }
}

/* Numbers of all sizes, so that what one term adds lies anywhere below the last place of the sum. */
Test(infer_kernels, one_rounding_of_any_numbers) {
    enum { IN = 100, TIMES = 400 };
    float x[IN], w[IN], panels[IN * SR_PANEL_STEP];
    for (size_t t = 0; t < TIMES; t++) {
        for (size_t k = 0; k < IN; k++) {
            x[k] = ldexpf((float)hash_value(12, t * IN + k), (int)(hash_bits(13, t * IN + k) % 60) - 30);
            w[k] = ldexpf((float)hash_value(14, t * IN + k), (int)(hash_bits(15, t * IN + k) % 60) - 30);
        }
        sr_panels_pack(panels, w, IN, 1);
        const float want = chains(x, w, NULL, IN);
        for (int isa = 0; isa < SR_ISA_COUNT; isa++) {
            float out;
            if (!sr_kernels_for((enum sr_isa)isa))
                continue;
            sr_kernels_for((enum sr_isa)isa)->linear(&out, 1, x, IN, panels, NULL, 1, IN, 1);
            cr_assert_eq(bits_of(out), bits_of(want), "%zu on %s: %a, not %a", t,
                         sr_isa_name((enum sr_isa)isa), (double)out, (double)want);
        }
    }
}

/* ---- int8 at its ends ---- */

/* All alike and as large as they may be, over as many inputs as are allowed: the sums come close to 2^31 and
 * the unsigned ones go beyond it. */
Test(infer_kernels, int8_extremes_do_not_saturate) {
    enum { IN = 1 << 17, OUT = 2 };
    static const int8_t ends[][2] = {{127, 127}, {-127, 127}, {-127, -128}, {127, -128}};
    const float one[OUT] = {1, 1};
    uint8_t *x = room(ROWS * IN, 1);
    int8_t *w = room(OUT * IN, 1), *panels = room(sr_panels_bytes_int8(IN, OUT), 1);
    for (size_t i = 0; i < SR_COUNT(ends); i++) {
        memset(x, ends[i][0] + 128, 3 * IN);
        memset(w, ends[i][1], OUT * IN);
        sr_panels_pack_int8(panels, w, IN, OUT);
        const int64_t want = (int64_t)IN * ends[i][0] * ends[i][1];
        for (int isa = 0; isa < SR_ISA_COUNT; isa++)
            for (size_t rows = 1; sr_kernels_for((enum sr_isa)isa) && rows <= 3; rows += 2) {
                const float scale[] = {1, 1, 1};
                float out[3 * OUT];
                sr_kernels_for((enum sr_isa)isa)
                    ->linear_int8(out, OUT, x, scale, panels, one, NULL, rows, IN, OUT);
                for (size_t r = 0; r < rows * OUT;
                     r++) /* at most 14 bits and a power of two: exact as a float */
                    cr_expect_eq((int64_t)out[r], want, "%s, %d by %d", sr_isa_name((enum sr_isa)isa),
                                 ends[i][0], ends[i][1]);
            }
    }
    sr_free(x);
    sr_free(w);
    sr_free(panels);
}

Test(infer_kernels, int8_scales_and_bias) {
    const uint8_t x[] = {129, 130, 0, 0, 131, 132, 9, 9}; /* what lies behind the inputs counts nothing */
    const int8_t w[] = {5, 6, 7, 8};
    const float scale_x[] = {.5f, 2}, scale_w[] = {4, .25f}, bias[] = {1, -1};
    int8_t panels[SR_PANEL_STEP * 8];
    float out[4];
    cr_assert_eq(sr_panels_bytes_int8(2, 2), sizeof panels);
    sr_panels_pack_int8(panels, w, 2, 2);
    sr_kernels()->linear_int8(out, 2, x, scale_x, panels, scale_w, bias, 2, 2, 2);
    cr_expect_eq(out[0], 1 + 17 * .5f * 4);
    cr_expect_eq(out[1], -1 + 23 * .5f * .25f);
    cr_expect_eq(out[2], 1 + 39 * 2.f * 4);
    cr_expect_eq(out[3], -1 + 53 * 2.f * .25f);
}

/* ---- panels ---- */

Test(infer_panels, rows_come_back) {
    struct numbers n = numbers_begin();
    for (size_t i = 0; i < SR_COUNT(inputs); i++)
        for (size_t o = 0; o < SR_COUNT(outputs); o++) {
            const struct shape s = {.in = inputs[i], .outputs = outputs[o]};
            const size_t items = s.in * s.outputs;
            void *back = room(items, sizeof(float));
            sr_panels_unpack(back, pack(&n, &s, FLOAT), s.in, s.outputs);
            cr_expect_eq(memcmp(back, n.w, items * sizeof *n.w), 0, "%zu by %zu", s.outputs, s.in);
            sr_panels_unpack_bfloat16(back, pack(&n, &s, BFLOAT16), s.in, s.outputs);
            cr_expect_eq(memcmp(back, n.half, items * sizeof *n.half), 0, "%zu by %zu", s.outputs, s.in);
            sr_panels_unpack_int8(back, pack(&n, &s, INT8), s.in, s.outputs);
            cr_expect_eq(memcmp(back, n.small, items), 0, "%zu by %zu", s.outputs, s.in);
            sr_free(back);
        }
    numbers_end(&n);
}

/* As the header draws them: 70 outputs are a panel of 64 and one of 16. */
Test(infer_panels, lie_as_they_are_drawn) {
    enum { IN = 3, OUT = 70 };
    float w[OUT * IN], panels[80 * IN];
    int8_t small[OUT * IN], bytes[80 * 8];
    int32_t heads[64], last[16];
    for (int i = 0; i < OUT * IN; i++) {
        w[i] = (float)i;
        small[i] = (int8_t)(i % 100 - 50);
    }
    cr_assert_eq(sr_panels_items(IN, OUT), SR_COUNT(panels));
    sr_panels_pack(panels, w, IN, OUT);
    cr_expect_eq(panels[2 * 64 + 5], w[5 * IN + 2]);
    cr_expect_eq(panels[64 * IN + 1 * 16 + 5], w[69 * IN + 1]);
    cr_expect_eq(panels[64 * IN + 1 * 16 + 6], 0);
    cr_assert_eq(sr_panels_bytes_int8(IN, OUT), sizeof bytes);
    sr_panels_pack_int8(bytes, small, IN, OUT);
    memcpy(heads, bytes, sizeof heads);
    memcpy(last, bytes + 64 * 8, sizeof last);
    cr_expect_eq(heads[7], -128 * (small[21] + small[22] + small[23]));
    cr_expect_eq(last[5], -128 * (small[207] + small[208] + small[209]));
    cr_expect_eq(last[6], 0);
    cr_expect_eq(bytes[64 * 4 + 7 * 4 + 2], small[23]);
    cr_expect_eq(bytes[64 * 4 + 7 * 4 + 3], 0);
    cr_expect_eq(bytes[64 * 8 + 16 * 4 + 5 * 4 + 1], small[208]);
}

/* ---- where a row lies ---- */

/* The row kernels of every table against base's, byte for byte. */
Test(infer_kernels, row_kernels_have_the_same_bits_everywhere) {
    struct numbers n = numbers_begin();
    const struct sr_kernels *base = sr_kernels_for(SR_ISA_BASE);
    uint8_t *q = room(INPUTS + BEHIND, 1), *q_base = room(INPUTS + BEHIND, 1);
    for (int isa = SR_ISA_BASE + 1; isa < SR_ISA_COUNT; isa++)
        for (size_t in = 0; sr_kernels_for((enum sr_isa)isa) && in <= INPUTS;
             in = in == 100 ? INPUTS : in + 1) {
            const struct sr_kernels *k = sr_kernels_for((enum sr_isa)isa);
            const float *x = n.x + in % 4;
            float sums[2][2];
            memset(q, 9, INPUTS + BEHIND);
            memset(q_base, 9, INPUTS + BEHIND);
            cr_assert_eq(bits_of(k->quantise(q, x, in)), bits_of(base->quantise(q_base, x, in)));
            cr_assert_eq(memcmp(q, q_base, INPUTS + BEHIND), 0, "quantise on %s: %zu",
                         sr_isa_name((enum sr_isa)isa), in);
            k->range_sums(sums[0], x, n.w + 1, n.w + 7, in);
            base->range_sums(sums[1], x, n.w + 1, n.w + 7, in);
            cr_assert_eq(memcmp(sums[0], sums[1], sizeof sums[0]), 0, "range_sums: %zu", in);
            hash_fill(n.out, in + BEHIND, 9, 1, 0);
            hash_fill(n.want, in + BEHIND, 9, 1, 0);
            k->standardise(n.out, x, n.w + 1, n.w + 7, in);
            base->standardise(n.want, x, n.w + 1, n.w + 7, in);
            cr_assert_eq(memcmp(n.out, n.want, (in + BEHIND) * sizeof(float)), 0, "standardise: %zu", in);
        }
    sr_free(q);
    sr_free(q_base);
    numbers_end(&n);
}

Test(infer_kernels, range_sums_against_loops) {
    struct numbers b = numbers_begin();
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
    numbers_end(&b);
}
