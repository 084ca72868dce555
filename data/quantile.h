/* quantile.h: quantiles, interpolated linearly as NumPy's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_QUANTILE_H
#define SR_QUANTILE_H

#include <math.h>
#include <stdlib.h>

static inline int sr_quantile_order(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Makes x [n], without NaN, rise. */
static inline void sr_quantile_sort(double *x, size_t n) {
    /* cppcheck-suppress uninitvar ; filled by the caller */
    qsort(x, n, sizeof *x, sr_quantile_order);
}

/* Quantile q, 0 to 1, of numbers that rise; NaN of none. */
static inline double sr_quantile(const double *rising, size_t n, double q) {
    if (n == 0)
        return (double)NAN;
    const double at = q * (double)(n - 1);
    const size_t low = (size_t)at, high = low + 1 < n ? low + 1 : low;
    return rising[low] + (at - (double)low) * (rising[high] - rising[low]);
}

#endif
