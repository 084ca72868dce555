/* range.c: is a row like those that the router was trained on?
 *
 * A wrong vector (of another layer, before the final norm instead of behind it, scaled to unit length,
 * columns in another order) has as good a logit as any other; nothing downstream notices. Two numbers of a
 * row tell:
 *
 *   t = mean_j ((x_j - mean_j) / deviation_j)^2          far too small or too large: another scale or layer
 *   s = |B u|^2 / |u|^2,  u_j = x_j / deviation_j        too small: other directions, whatever the scale
 *
 * B holds the main directions (orthonormal) of the training rows' u, not centred, so that s of rows with
 * other columns or another norm falls to about k/D while rows of training have several times as much of their
 * length in them. On training rows low and high are the .0001 and .9999 quantiles of t, share the .0001
 * quantile of s. range is how far outside of those a row is,
 *
 *   max(low / t, t / high, share / s),
 *
 * 1 at the edge. The limit is 1.02, or what `saferoute sweep` found: .1 % of the calibration rows are beyond
 * it. (Of 4,424 rows of the kind that trained, 3 to 5 had more than 1 and 1 more than 1.02; the same rows
 * times .1, of length 1, or with columns reversed began at 1.05, 1.04 and 1.32.)
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "infer/router.h"

/* A feature that was constant in training must not divide by 0, and may vary a little from rounding. */
#define LEAST_VARIANCE 1e-6 /* of the mean over all features */

float sr_range_inverse(double variance, double mean_variance) {
    const double least = mean_variance * LEAST_VARIANCE, v = variance > least ? variance : least;
    return v > 0 ? (float)(1 / sqrt(v)) : 0;
}

float sr_range_of(const struct sr_router_range *range, const float sums[2], const float *coordinate,
                  size_t width) {
    const float t = sums[0] / (float)width;
    float inside = 0;
    for (size_t i = 0; i < range->basis.outputs; i++)
        inside += coordinate[i] * coordinate[i];
    float far = t > 0 ? range->low / t : range->low > 0 ? INFINITY : 0;
    far = t / range->high > far ? t / range->high : far;
    const float aside = inside > 0 ? range->share * (sums[1] / inside) : range->share > 0 ? INFINITY : 0;
    return aside > far ? aside : far;
}

static const float *read_vector(const struct sr_safetensors *file, const char *name, size_t n,
                                struct sr_error *err) {
    const struct sr_tensor *t = sr_safetensors_need(file, name, SR_F32, 1, (const uint64_t[]){n}, err);
    return t ? t->data : NULL;
}

static int check_finite(const char *path, const char *name, const float *x, size_t n, struct sr_error *err) {
    return sr_vec()->all_finite(x, n)
               ? 0
               : sr_fail(err, SR_DATA, "%s: tensor %s holds a NaN or an infinity", path, name);
}

static int check_values(const struct sr_router_range *range, const char *path, const float *variance,
                        size_t width, struct sr_error *err) {
    for (size_t i = 0; i < width; i++)
        if (!(variance[i] >= 0))
            return sr_fail(err, SR_DATA, "%s: tensor %s is %g at %zu; a variance is not below 0", path,
                           SR_STATS_VAR, (double)variance[i], i);
    if (!(range->low >= 0 && range->high > 0 && range->low <= range->high && range->share >= 0 &&
          range->share <= 1))
        return sr_fail(
            err, SR_DATA,
            "%s: tensor %s is %g, %g, %g; it must be 0 or more, above 0 and not less than that, 0 to 1", path,
            SR_STATS_RANGE, (double)range->low, (double)range->high, (double)range->share);
    return 0;
}

static int read_limit(struct sr_router_range *range, const struct sr_safetensors *file, const char *path,
                      struct sr_error *err) {
    const char *text = sr_safetensors_metadata(file, SR_RANGE_LIMIT);
    double limit = SR_RANGE_LIMIT_UNSET;
    if (text && (!sr_decimal_parse(&limit, text) || !((float)limit > 0) || !isfinite((float)limit)))
        return sr_fail(err, SR_DATA, "%s: metadata " SR_RANGE_LIMIT " is \"%.60s\", not a number above 0",
                       path, text);
    range->limit = (float)limit;
    return 0;
}

int sr_range_read(struct sr_router_range *range, const struct sr_safetensors *file, const char *path,
                  size_t width, struct sr_error *err) {
    const struct sr_tensor *basis = sr_safetensors_find(file, SR_STATS_BASIS);
    int status;
    *range = (struct sr_router_range){.limit = (float)SR_RANGE_LIMIT_UNSET};
    if (!sr_safetensors_find(file, SR_STATS_MEAN) && !sr_safetensors_find(file, SR_STATS_VAR) && !basis &&
        !sr_safetensors_find(file, SR_STATS_RANGE))
        return 0;
    const float *mean = read_vector(file, SR_STATS_MEAN, width, err),
                *variance = mean ? read_vector(file, SR_STATS_VAR, width, err) : NULL,
                *limits = variance ? read_vector(file, SR_STATS_RANGE, 3, err) : NULL;
    if (!limits)
        return SR_DATA;
    if (!basis || basis->dtype != SR_F32 || basis->rank != 2 || basis->shape[1] != width ||
        basis->shape[0] == 0 || basis->shape[0] > width)
        return sr_fail(err, SR_DATA, "%s: tensor %s is missing, or not float32 of (directions, %zu)", path,
                       SR_STATS_BASIS, width);
    if (width + (size_t)basis->shape[0] > SR_SCRATCH) /* a row and its coordinates lie there together */
        return sr_fail(err, SR_DATA, "%s: tensor %s has %llu directions of %zu numbers; together at most %d",
                       path, SR_STATS_BASIS, (unsigned long long)basis->shape[0], width, SR_SCRATCH);
    range->low = limits[0];
    range->high = limits[1];
    range->share = limits[2];
    range->basis.inputs = width;
    range->basis.outputs = (size_t)basis->shape[0];
    if ((status = check_finite(path, SR_STATS_MEAN, mean, width, err)) < 0 ||
        (status = check_finite(path, SR_STATS_VAR, variance, width, err)) < 0 ||
        (status = check_finite(path, SR_STATS_RANGE, limits, 3, err)) < 0 ||
        (status = check_finite(path, SR_STATS_BASIS, basis->data, width * (size_t)basis->shape[0], err)) <
            0 ||
        (status = check_values(range, path, variance, width, err)) < 0)
        return status;
    range->known = true;
    return read_limit(range, file, path, err);
}
