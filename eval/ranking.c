/* ranking.c: how well scores order the rows, whatever the threshold: average precision and area under the ROC
 * curve.
 *
 * Rows are sorted by falling score once and measured as often as one likes, each row as often as its count
 * says, so that a resample costs no sort. Rows of one score form a run that a threshold can only take whole,
 * so both sums go over runs. With TP, FP counted up to and including run k, t and f the run's own counts, P
 * and N all rows:
 *     average precision = sum_k (t_k / P) * TP_k / (TP_k + FP_k)      (step function, no interpolation)
 *     ROC area          = sum_k f_k * (TP_{k-1} + t_k / 2) / (P * N)  (Mann-Whitney, ties count half)
 * The ROC sum is kept doubled, in integers, and so is exact.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "eval/eval.h"

struct scored {
    double score;
    uint32_t row;
    bool positive;
};

/* Ties by label, so that sums over the order have one rounding, however the rows came; then by row, so that
 * there is one order whatever qsort does with equals. */
static int by_falling_score(const void *a, const void *b) {
    const struct scored *x = a, *y = b;
    const int fall = (x->score < y->score) - (x->score > y->score), label = x->positive - y->positive;
    return fall ? fall : label ? label : (x->row > y->row) - (x->row < y->row);
}

/* The rows that can be ranked, sorted; returns how many. */
static size_t sort_rows(struct scored *to, const uint8_t *label, const double *score, size_t n) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (label[i] <= 1 && !isnan(score[i]))
            to[kept++] = (struct scored){score[i], (uint32_t)i, label[i] == 1};
    qsort(to, kept, sizeof *to, by_falling_score);
    return kept;
}

int sr_ranks_sort(struct sr_ranks *out, const uint8_t *label, const double *score, size_t n,
                  struct sr_error *err) {
    *out = (struct sr_ranks){0};
    struct scored *row = sr_alloc(n, sizeof *row, err);
    if (!row)
        return SR_NOMEM;
    struct sr_ranks r = {.n = sort_rows(row, label, score, n)};
    r.place = sr_alloc(r.n, sizeof *r.place, err);
    for (size_t k = 0; r.place && k < r.n; k++) {
        const bool last = k + 1 == r.n || row[k + 1].score != row[k].score;
        r.place[k] = (struct sr_place){row[k].row, row[k].positive, last};
        r.positives += row[k].positive;
    }
    sr_free(row);
    if (!r.place)
        return SR_NOMEM;
    *out = r;
    return 0;
}

void sr_ranks_free(struct sr_ranks *r) {
    sr_free(r->place);
    *r = (struct sr_ranks){0};
}

void sr_ranks_measure(double *average_precision, double *roc_area, const struct sr_ranks *r,
                      const uint32_t *count) {
    uint64_t tp = 0, fp = 0, t = 0, f = 0, area_twice = 0;
    double precision_sum = 0;
    for (size_t k = 0; k < r->n; k++) {
        const struct sr_place p = r->place[k];
        const uint64_t times = count ? count[p.row] : 1;
        t += p.positive * times;
        f += !p.positive * times;
        if (!p.last)
            continue;
        area_twice += f * (2 * tp + t); /* in all at most n*n/2: no overflow below 2^32 rows */
        tp += t;
        fp += f;
        if (t > 0) /* a run that was not drawn may have nothing above it either: no 0 * (0/0) */
            precision_sum += (double)t * ((double)tp / (double)(tp + fp));
        t = f = 0;
    }
    if (average_precision)
        *average_precision = precision_sum / (double)tp;
    if (roc_area)
        *roc_area = (double)area_twice / (2 * (double)tp * (double)fp);
}

int sr_ranking(double *average_precision, double *roc_area, const uint8_t *label, const double *score,
               size_t n, struct sr_error *err) {
    struct sr_ranks ranks;
    for (size_t i = 0; i < n; i++)
        if (isnan(score[i]))
            return sr_fail(err, SR_BUG, "score of row %zu is NaN: rows without a score cannot be ranked", i);
    const int status = sr_ranks_sort(&ranks, label, score, n, err);
    if (status == 0)
        sr_ranks_measure(average_precision, roc_area, &ranks, NULL);
    sr_ranks_free(&ranks);
    return status;
}
