/* feature.h: how feature values are stored, in files and in memory.
 *
 * 16-bit values stay 16-bit until a batch is made; everything else is float. Conversions to float are exact,
 * those from float round once.
 * HDF5 is never asked to convert 16-bit values: it does so in software, eighty times slower.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_FEATURE_H
#define SR_FEATURE_H

#include <stddef.h>

enum sr_feature { SR_FEATURE_HALF, SR_FEATURE_BFLOAT, SR_FEATURE_FLOAT };

size_t sr_feature_size(enum sr_feature type);      /* bytes a value */
const char *sr_feature_name(enum sr_feature type); /* "float16"; static storage */

/* y[0..n) = the values at x, which need no alignment beyond their size and do not overlap y. */
void sr_feature_to_float(float *y, const void *x, size_t n, enum sr_feature type);

/* The nearest values of a type to x[0..n), ties to even; beyond its largest an infinity. Zeros of float16 are
 * positive. */
void sr_feature_from_float(void *y, const float *x, size_t n, enum sr_feature type);

#endif
