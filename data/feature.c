/* feature.c: raw feature values to float and back. See feature.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/feature.h"

#include <string.h>

#include "nn/base/base.h"

size_t sr_feature_size(enum sr_feature type) {
    return type == SR_FEATURE_FLOAT ? sizeof(float) : sizeof(uint16_t);
}

const char *sr_feature_name(enum sr_feature type) {
    return type == SR_FEATURE_HALF ? "float16" : type == SR_FEATURE_BFLOAT ? "bfloat16" : "float32";
}

void sr_feature_to_float(float *y, const void *x, size_t n, enum sr_feature type) {
    switch (type) {
    case SR_FEATURE_HALF:
        sr_vec()->half_to_float(y, x, n);
        break;
    case SR_FEATURE_BFLOAT:
        sr_vec()->bfloat16_to_float(y, x, n);
        break;
    case SR_FEATURE_FLOAT:
        memcpy(y, x, n * sizeof(float));
        break;
    }
}

/* A carry out of the fraction into the exponent is right, up to infinity. */
static uint16_t to_bfloat(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return 0x7fc0;
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

void sr_feature_from_float(void *y, const float *x, size_t n, enum sr_feature type) {
    uint16_t *to = y;
    switch (type) {
    case SR_FEATURE_HALF:
        sr_vec()->float_to_half(y, x, n);
        break;
    case SR_FEATURE_BFLOAT:
        for (size_t i = 0; i < n; i++)
            to[i] = to_bfloat(x[i]);
        break;
    case SR_FEATURE_FLOAT:
        memcpy(y, x, n * sizeof(float));
        break;
    }
}
