/* test_data_values.c: conversions of raw values: every type to double, features of every float type to each
 * other, and which are finite.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>

#include "data/values.h"

#define AS_DOUBLE(type, dtype, ...)                                                                          \
    do {                                                                                                     \
        const type raw[] = {__VA_ARGS__};                                                                    \
        const double wanted[] = {__VA_ARGS__};                                                               \
        double doubles[SR_COUNT(raw)];                                                                       \
        sr_values_to_double(doubles, raw, SR_COUNT(raw), dtype);                                             \
        cr_expect_arr_eq(doubles, wanted, sizeof wanted, #type);                                             \
    } while (0)

Test(values, every_type_as_doubles) {
    const uint16_t half[] = {0x3c00, 0xc000, 0x0001}, bfloat[] = {0x3f80, 0xc000, 0x0001};
    const double of_half[] = {1, -2, 0x1p-24}, of_bfloat[] = {1, -2, 0x1p-133};
    double got[3];
    sr_values_to_double(got, half, 3, SR_F16);
    cr_expect_arr_eq(got, of_half, sizeof got);
    sr_values_to_double(got, bfloat, 3, SR_BF16);
    cr_expect_arr_eq(got, of_bfloat, sizeof got);
    AS_DOUBLE(float, SR_F32, .5, -3, 0x1p-126);
    AS_DOUBLE(double, SR_F64, .1, -3, 0x1p-1074);
    AS_DOUBLE(uint8_t, SR_BOOL, 0, 1);
    AS_DOUBLE(uint8_t, SR_U8, 0, 255);
    AS_DOUBLE(int8_t, SR_I8, -128, 127);
    AS_DOUBLE(int16_t, SR_I16, -32768, 32767);
    AS_DOUBLE(uint16_t, SR_U16, 0, 65535);
    AS_DOUBLE(int32_t, SR_I32, INT32_MIN, INT32_MAX);
    AS_DOUBLE(uint32_t, SR_U32, 0, UINT32_MAX);
    AS_DOUBLE(int64_t, SR_I64, -(1ll << 53), 1ll << 53);
    AS_DOUBLE(uint64_t, SR_U64, 0, 1ull << 53);
}

/* 1, -2.5, an infinity, and the smallest that is no 0, as each type has them. */
static const uint16_t half[] = {0x3c00, 0xc100, 0x7c00, 0x0001};
static const uint16_t bfloat[] = {0x3f80, 0xc020, 0x7f80, 0x3380};
static const float floats[] = {1, -2.5f, INFINITY, 0x1p-24f};
static const double doubles[] = {1, -2.5, (double)INFINITY, 0x1p-24};

Test(values, features_of_every_type_as_every_other) {
    static const struct {
        const void *raw;
        enum sr_dtype dtype;
    } from[] = {{half, SR_F16}, {bfloat, SR_BF16}, {floats, SR_F32}, {doubles, SR_F64}};
    for (size_t i = 0; i < SR_COUNT(from); i++) {
        float scratch[4], as_float[4];
        uint16_t as_half[4], as_bfloat[4];
        sr_values_to_feature(as_half, from[i].raw, 4, from[i].dtype, SR_FEATURE_HALF, scratch);
        sr_values_to_feature(as_bfloat, from[i].raw, 4, from[i].dtype, SR_FEATURE_BFLOAT, scratch);
        sr_values_to_feature(as_float, from[i].raw, 4, from[i].dtype, SR_FEATURE_FLOAT, scratch);
        cr_expect_arr_eq(as_half, half, sizeof half, "of %s", sr_dtype_name(from[i].dtype));
        cr_expect_arr_eq(as_bfloat, bfloat, sizeof bfloat, "of %s", sr_dtype_name(from[i].dtype));
        cr_expect_arr_eq(as_float, floats, sizeof floats, "of %s", sr_dtype_name(from[i].dtype));
    }
}

/* A tie in 16 bits that is none in 64: just above, on and just below, of both signs. */
Test(values, a_double_is_rounded_once) {
    const double tie = 1 + 0x1p-11, x[] = {nextafter(tie, 2), tie, nextafter(tie, 0), -nextafter(tie, 2)};
    const uint16_t wanted[] = {0x3c01, 0x3c00, 0x3c00, 0xbc01};
    uint16_t got[4];
    float scratch[4];
    sr_values_to_feature(got, x, 4, SR_F64, SR_FEATURE_HALF, scratch);
    cr_expect_arr_eq(got, wanted, sizeof wanted);
}

Test(values, what_is_not_finite_is_seen_in_every_type) {
    const uint16_t half_nan[] = {0x3c00, 0x7e00}, bfloat_nan[] = {0x3f80, 0x7fc0};
    const float float_nan[] = {1, NAN};
    const double double_nan[] = {1, (double)NAN};
    cr_expect(sr_values_finite(half, 2, SR_F16) && !sr_values_finite(half, 3, SR_F16));
    cr_expect(sr_values_finite(bfloat, 2, SR_BF16) && !sr_values_finite(bfloat, 3, SR_BF16));
    cr_expect(sr_values_finite(floats, 2, SR_F32) && !sr_values_finite(floats, 3, SR_F32));
    cr_expect(sr_values_finite(doubles, 2, SR_F64) && !sr_values_finite(doubles, 3, SR_F64));
    cr_expect_not(sr_values_finite(half_nan, 2, SR_F16));
    cr_expect_not(sr_values_finite(bfloat_nan, 2, SR_BF16));
    cr_expect_not(sr_values_finite(float_nan, 2, SR_F32));
    cr_expect_not(sr_values_finite(double_nan, 2, SR_F64));
}
