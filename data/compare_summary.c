/* compare_summary.c: the features of all pairs in a few numbers, and how the two dumps are scaled. See
 * compare.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "data/compare.h"
#include "data/dump_facts.h"
#include "data/quantile.h"

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

/* Below this, what a cosine lacks to 1 is rounding of bfloat16 (2^-8 of the length, squared and halved). */
#define COSINE_ROUNDING 1e-5

struct spread {
    double low, middle, high; /* quantiles .01, .5 and .99; NaN of nothing */
};

static double cosine(const struct sr_row_difference *row) {
    return row->cosine;
}
static double length_a(const struct sr_row_difference *row) {
    return (double)row->length[0];
}
static double length_b(const struct sr_row_difference *row) {
    return (double)row->length[1];
}
static double ratio(const struct sr_row_difference *row) {
    return row->length[0] > 0 ? length_b(row) / length_a(row) : (double)NAN;
}

/* Of a number of the good rows, where they have it; value: room for all. */
static struct spread spread_of(double (*number)(const struct sr_row_difference *row), double *value,
                               const struct sr_row_difference *row, size_t n) {
    size_t good = 0;
    for (size_t i = 0; i < n; i++)
        if (!row[i].bad && !isnan(value[good] = number(&row[i])))
            good++;
    sr_quantile_sort(value, good);
    return (struct spread){sr_quantile(value, good, .01), sr_quantile(value, good, .5),
                           sr_quantile(value, good, .99)};
}

static bool is_unit(struct spread length) {
    return sr_is_unit_length(length.low) && sr_is_unit_length(length.high);
}

static bool points_the_same_way(const struct sr_feature_summary *s) {
    const double lacks = 1 - s->cosine_1;
    const bool is_nearer = isnan(s->unrelated) || lacks <= COSINE_ROUNDING || lacks <= (1 - s->unrelated) / 2;
    return s->cosine_1 >= .99 && is_nearer;
}

static enum sr_scale scale_of(const struct sr_feature_summary *s, struct spread a, struct spread b) {
    if (!points_the_same_way(s))
        return SR_SCALE_OTHER;
    if (isnan(s->ratio_50))
        return SR_SCALE_NONE;
    if (s->ratio_1 > .99 && s->ratio_99 < 1.01)
        return SR_SCALE_SAME;
    if (is_unit(a) != is_unit(b))
        return is_unit(a) ? SR_SCALE_UNIT_A : SR_SCALE_UNIT_B;
    return s->ratio_99 < 1.01 * s->ratio_1 ? SR_SCALE_CONSTANT : SR_SCALE_VARIES;
}

static void sum_up(struct sr_feature_summary *s, double *value, const struct sr_row_difference *row,
                   size_t n) {
    const struct spread cosines = spread_of(cosine, value, row, n), ratios = spread_of(ratio, value, row, n),
                        a = spread_of(length_a, value, row, n), b = spread_of(length_b, value, row, n);
    s->cosine_min = s->n_worst ? row[s->worst[0]].cosine : (double)NAN;
    s->cosine_1 = cosines.low;
    s->cosine_50 = cosines.middle;
    s->ratio_1 = ratios.low;
    s->ratio_50 = ratios.middle;
    s->ratio_99 = ratios.high;
    s->scale = scale_of(s, a, b);
}

int sr_feature_summary_make(struct sr_feature_summary *out, const struct sr_row_difference *row, size_t n,
                            double unrelated, struct sr_error *err) {
    struct sr_feature_summary s = {.unrelated = unrelated};
    double *value = sr_alloc(n, sizeof *value, err);
    if (!value)
        return SR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        s.bad[row[i].bad]++;
        s.bad_same += row[i].bad == 3 && row[i].same;
        if (row[i].bad)
            continue;
        note_worst(&s, row, i);
        note_largest(&s, row, i);
        s.n++;
    }
    sum_up(&s, value, row, n);
    sr_free(value);
    *out = s;
    return 0;
}
