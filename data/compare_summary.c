/* compare_summary.c: the features of all pairs in a few numbers, and how the two dumps are scaled. See
 * compare.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/compare.h"
#include "data/dump_facts.h"

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *rising, size_t n, double q) {
    const double at = q * (double)(n - 1);
    const size_t low = (size_t)at, high = low + 1 < n ? low + 1 : low;
    return rising[low] + (at - (double)low) * (rising[high] - rising[low]);
}

/* Keeps the lowest cosines, rising; of equal ones the earlier pairs. */
static void note_worst(struct sr_feature_summary *s, const struct sr_row_difference *row, size_t pair) {
    size_t at = s->n_worst;
    while (at > 0 && row[s->worst[at - 1]].cosine > row[pair].cosine)
        at--;
    if (at == SR_COSINE_WORST)
        return;
    s->n_worst += s->n_worst < SR_COSINE_WORST;
    memmove(s->worst + at + 1, s->worst + at, (s->n_worst - 1 - at) * sizeof *s->worst);
    s->worst[at] = pair;
}

static void note_largest(struct sr_feature_summary *s, const struct sr_row_difference *row, size_t pair) {
    if (s->n == 0 || row[pair].largest > row[s->largest_pair].largest)
        s->largest_pair = pair;
    if (s->n == 0 || row[pair].relative > row[s->relative_pair].relative)
        s->relative_pair = pair;
}

static bool is_unit(double low, double high) {
    return sr_is_unit_length(low) && sr_is_unit_length(high);
}

/* length: room for the lengths of one dump, NaN for bad rows left out; [2] quantiles .01 and .99. */
static void length_quantiles(double out[2], double *length, const struct sr_row_difference *row, size_t n,
                             int side) {
    size_t good = 0;
    for (size_t i = 0; i < n; i++)
        if (!row[i].bad)
            length[good++] = (double)row[i].length[side];
    qsort(length, good, sizeof *length, by_value);
    out[0] = quantile(length, good, .01);
    out[1] = quantile(length, good, .99);
}

static enum sr_scale scale_of(const struct sr_feature_summary *s, const double a[2], const double b[2]) {
    if (!(s->cosine_1 >= .99))
        return SR_SCALE_OTHER;
    if (s->ratio_1 > .99 && s->ratio_99 < 1.01)
        return SR_SCALE_SAME;
    if (is_unit(a[0], a[1]) != is_unit(b[0], b[1]))
        return is_unit(a[0], a[1]) ? SR_SCALE_UNIT_A : SR_SCALE_UNIT_B;
    return s->ratio_99 < 1.01 * s->ratio_1 ? SR_SCALE_CONSTANT : SR_SCALE_VARIES;
}

static void sum_up(struct sr_feature_summary *s, double *value, const struct sr_row_difference *row,
                   size_t n) {
    double a[2], b[2];
    size_t good = 0;
    for (size_t i = 0; i < n; i++)
        if (!row[i].bad)
            value[good++] = row[i].cosine;
    qsort(value, good, sizeof *value, by_value);
    s->cosine_min = value[0];
    s->cosine_1 = quantile(value, good, .01);
    s->cosine_50 = quantile(value, good, .5);
    good = 0;
    for (size_t i = 0; i < n; i++)
        if (!row[i].bad && row[i].length[0] > 0)
            value[good++] = (double)row[i].length[1] / (double)row[i].length[0];
    qsort(value, good, sizeof *value, by_value);
    s->ratio_1 = good ? quantile(value, good, .01) : (double)NAN;
    s->ratio_50 = good ? quantile(value, good, .5) : (double)NAN;
    s->ratio_99 = good ? quantile(value, good, .99) : (double)NAN;
    length_quantiles(a, value, row, n, 0);
    length_quantiles(b, value, row, n, 1);
    s->scale = scale_of(s, a, b);
}

int sr_feature_summary_make(struct sr_feature_summary *out, const struct sr_row_difference *row, size_t n,
                            struct sr_error *err) {
    const double nan = (double)NAN;
    struct sr_feature_summary s = {.cosine_min = nan,
                                   .cosine_1 = nan,
                                   .cosine_50 = nan,
                                   .ratio_1 = nan,
                                   .ratio_50 = nan,
                                   .ratio_99 = nan};
    double *value = sr_alloc(n, sizeof *value, err);
    if (!value)
        return SR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        s.bad[row[i].bad]++;
        if (row[i].bad)
            continue;
        note_worst(&s, row, i);
        note_largest(&s, row, i);
        s.n++;
    }
    if (s.n > 0)
        sum_up(&s, value, row, n);
    sr_free(value);
    *out = s;
    return 0;
}
