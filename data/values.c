/* values.c: conversions of whole rows. See values.h.
 *
 * A double on its way to 16 bits goes through float. Rounding twice may differ from rounding once, unless the
 * first rounding is to odd: towards zero, with the last bit set where anything was cut off. Then a float that
 * only looks like a tie is none (Boldo and Melquiond, Emulation of FMA and correctly rounded sums: proved
 * algorithms using rounding to odd, 2008).
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/values.h"

#include <math.h>
#include <string.h>

bool sr_dtype_is_float(enum sr_dtype dtype) {
    return dtype == SR_F16 || dtype == SR_BF16 || dtype == SR_F32 || dtype == SR_F64;
}

static void halves_to_double(double *out, const uint16_t *raw, size_t n, enum sr_feature type) {
    for (size_t i = 0; i < n; i++) {
        float value;
        sr_feature_to_float(&value, raw + i, 1, type);
        out[i] = (double)value;
    }
}

#define EACH(type)                                                                                           \
    for (size_t i = 0; i < n; i++)                                                                           \
    out[i] = (double)((const type *)raw)[i]

void sr_values_to_double(double *out, const void *raw, size_t n, enum sr_dtype dtype) {
    switch (dtype) {
    case SR_F16:
        halves_to_double(out, raw, n, SR_FEATURE_HALF);
        break;
    case SR_BF16:
        halves_to_double(out, raw, n, SR_FEATURE_BFLOAT);
        break;
    case SR_F32:
        EACH(float);
        break;
    case SR_F64:
        EACH(double);
        break;
    case SR_BOOL:
    case SR_U8:
        EACH(uint8_t);
        break;
    case SR_I8:
        EACH(int8_t);
        break;
    case SR_I16:
        EACH(int16_t);
        break;
    case SR_U16:
        EACH(uint16_t);
        break;
    case SR_I32:
        EACH(int32_t);
        break;
    case SR_U32:
        EACH(uint32_t);
        break;
    case SR_I64:
        EACH(int64_t);
        break;
    case SR_U64:
        EACH(uint64_t);
        break;
    case SR_DTYPE_COUNT:
        break;
    }
}

/* ---- features ---- */

static float round_to_odd(double x) {
    float near = (float)x;
    if ((double)near == x || !isfinite(x))
        return near;
    const float below = fabs((double)near) > fabs(x) ? nextafterf(near, 0) : near;
    uint32_t bits;
    memcpy(&bits, &below, sizeof bits);
    bits |= 1;
    memcpy(&near, &bits, sizeof near);
    return near;
}

static void to_float(float *out, const void *raw, size_t n, enum sr_dtype dtype, bool on_the_way) {
    const double *x = raw;
    switch (dtype) {
    case SR_F16:
        sr_feature_to_float(out, raw, n, SR_FEATURE_HALF);
        break;
    case SR_BF16:
        sr_feature_to_float(out, raw, n, SR_FEATURE_BFLOAT);
        break;
    case SR_F32:
        memcpy(out, raw, n * sizeof *out);
        break;
    default:
        for (size_t i = 0; i < n; i++)
            out[i] = on_the_way ? round_to_odd(x[i]) : (float)x[i];
    }
}

static enum sr_dtype dtype_of(enum sr_feature type) {
    return type == SR_FEATURE_HALF ? SR_F16 : type == SR_FEATURE_BFLOAT ? SR_BF16 : SR_F32;
}

void sr_values_to_feature(void *out, const void *raw, size_t n, enum sr_dtype dtype, enum sr_feature to,
                          float *scratch) {
    if (dtype == dtype_of(to)) {
        memcpy(out, raw, n * sr_dtype_size(dtype));
        return;
    }
    if (to == SR_FEATURE_FLOAT) {
        to_float(out, raw, n, dtype, false);
        return;
    }
    to_float(scratch, raw, n, dtype, true);
    sr_feature_from_float(out, scratch, n, to);
}

static bool halves_finite(const uint16_t *x, size_t n, uint16_t exponent) {
    unsigned bad = 0;
    for (size_t i = 0; i < n; i++)
        bad |= (x[i] & exponent) == exponent;
    return !bad;
}

static bool doubles_finite(const double *x, size_t n) {
    unsigned bad = 0;
    for (size_t i = 0; i < n; i++)
        bad |= !isfinite(x[i]);
    return !bad;
}

bool sr_values_finite(const void *x, size_t n, enum sr_dtype dtype) {
    switch (dtype) {
    case SR_F16:
        return halves_finite(x, n, 0x7c00);
    case SR_BF16:
        return halves_finite(x, n, 0x7f80);
    case SR_F32:
        return sr_vec()->all_finite(x, n);
    default:
        return doubles_finite(x, n);
    }
}
