/* values.h: raw values of a tensor as numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_VALUES_H
#define SR_VALUES_H

#include <stdbool.h>
#include <stddef.h>

#include "data/feature.h"
#include "nn/base/base.h"

/* float16, bfloat16, float32 or float64. */
bool sr_dtype_is_float(enum sr_dtype dtype);

/* out[0..n) = raw[0..n), values of dtype; exact but for integers past 2^53. */
void sr_values_to_double(double *out, const void *raw, size_t n, enum sr_dtype dtype);

/* Features raw[0..n) of a float dtype as `to`, each rounded once, to nearest even. scratch has room for n
 * floats. What is beyond the type's largest becomes an infinity. */
void sr_values_to_feature(void *out, const void *raw, size_t n, enum sr_dtype dtype, enum sr_feature to,
                          float *scratch);

/* True if all of x[0..n) are finite. */
bool sr_values_finite(const void *x, size_t n, enum sr_dtype dtype);

#endif
