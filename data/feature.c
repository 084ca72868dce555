/* feature.c: raw feature values to float. See feature.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/feature.h"

#include <string.h>

#include "nn/base/base.h"

size_t sr_feature_size(enum sr_feature type) {
    return type == SR_FEATURE_FLOAT ? sizeof(float) : sizeof(uint16_t);
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
