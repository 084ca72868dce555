/* test_infer_quantise.c: numbers made smaller: rows to int8 on the fly, weights to bfloat16 and int8 when a
 * router is opened, against their definitions.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "infer/router.h"
#include "tests/hash_fill.h"

/* ---- quantising ---- */

Test(infer_kernels, quantise_rounds_ties_to_even) {
    const float x[] = {127, .5f, 1.5f, 2.5f, -.5f, -1.5f, -2.5f, 2.4999998f, 126.5f, -126.5f, -127, 0};
    const int want[] = {127, 0, 2, 2, 0, -2, -2, 2, 126, -126, -127, 0};
    uint8_t q[SR_COUNT(x)];
    cr_assert_eq(SR_COUNT(x), SR_QUADS(SR_COUNT(x)));
    cr_expect_eq(sr_kernels()->quantise(q, x, SR_COUNT(x)), 1);
    for (size_t i = 0; i < SR_COUNT(x); i++)
        cr_expect_eq(q[i] - 128, want[i], "%g gives %d", (double)x[i], q[i] - 128);
}

Test(infer_kernels, quantise_of_nothing) {
    const float rows[][3] = {{0, -0.f, 0}, {9e-31f, -9e-31f, 0}, {1e-45f, 0, 0}};
    for (size_t i = 0; i < SR_COUNT(rows); i++) {
        uint8_t q[4] = {9, 9, 9, 9};
        cr_expect_eq(sr_kernels()->quantise(q, rows[i], 3), 0);
        for (size_t k = 0; k < SR_COUNT(q); k++)
            cr_expect_eq(q[k], 128, "row %zu: %d", i, q[k]);
    }
    cr_expect_eq(sr_kernels()->quantise(NULL, NULL, 0), 0);
}

/* Over all of float's range: within the int8 range, the largest at its end, none off by more than half a
 * step (and what rounding of the step itself adds). */
Test(infer_kernels, quantise_of_any_size) {
    enum { N = 37 };
    for (int e = -99; e <= 127; e++) {
        float x[N];
        uint8_t q[SR_QUADS(N)];
        int most = 0;
        for (size_t i = 0; i < N; i++)
            x[i] = ldexpf((float)hash_value(11, i + (size_t)(e + 100) * N), e);
        const double scale = (double)sr_kernels()->quantise(q, x, N);
        cr_assert(scale > 0);
        for (size_t i = 0; i < N; i++) {
            const int value = q[i] - 128;
            cr_assert_geq(value, -127, "2^%d: %d", e, value);
            most = abs(value) > most ? abs(value) : most;
            cr_assert(fabs((double)x[i] - scale * value) <= scale * .50002, "2^%d: %g became %d", e,
                      (double)x[i], value);
        }
        cr_assert_eq(most, 127, "2^%d: largest is %d", e, most);
    }
}

Test(infer_kernels, quantise_returns_the_step) {
    uint8_t q[4];
    cr_expect_eq(sr_kernels()->quantise(q, (const float[]){-254, 3}, 2), 2);
    cr_expect(q[0] == 1 && q[1] == 130 && q[2] == 128 && q[3] == 128);
}

/* ---- weights in other precisions ---- */

static uint16_t bfloat16_of(float x) {
    uint16_t panels[SR_PANEL_STEP];
    float bias = 0, bias_out;
    struct sr_router_layer to = {.inputs = 1,
                                 .outputs = 1,
                                 .precision = SAFEROUTE_COMPUTE_BFLOAT16,
                                 .panels = panels,
                                 .bias = &bias_out};
    cr_assert_eq(sr_precision_convert(&to, &x, &bias, NULL), 0);
    return panels[0];
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
    int8_t panels[SR_PANEL_STEP * 8], q[4];
    float scale[2], bias_out[2];
    struct sr_router_layer to = {.inputs = 2,
                                 .outputs = 2,
                                 .precision = SAFEROUTE_COMPUTE_INT8,
                                 .panels = panels,
                                 .scale = scale,
                                 .bias = bias_out};
    cr_assert_eq(sr_panels_bytes_int8(2, 2), sizeof panels);
    cr_assert_eq(sr_precision_convert(&to, w, bias, NULL), 0);
    sr_panels_unpack_int8(q, panels, 2, 2);
    cr_expect_eq(scale[0], 1 / 127.f);
    cr_expect_eq(scale[1], 1000 / 127.f);
    cr_expect(q[0] == 127 && q[1] == -64 && q[2] == 127 && q[3] == 16); /* -63.5 is a tie */
    cr_expect(bias_out[0] == 3 && bias_out[1] == 4);
}
