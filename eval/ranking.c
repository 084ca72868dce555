/* ranking.c: how well scores order the rows, whatever the threshold: average precision and area under the ROC
 * curve.
 *
 * Rows are sorted by falling score; rows of one score form a group that a threshold can only take whole, so
 * both sums run over groups. With TP, FP counted up to and including group k, t and f the group's own counts,
 * P and N all rows: average precision = sum_k (t_k / P) * TP_k / (TP_k + FP_k)              (step function,
 * no interpolation) ROC area          = sum_k f_k * (TP_{k-1} + t_k / 2) / (P * N)          (Mann-Whitney,
 * ties count half) The ROC sum is kept doubled, in integers, and so is exact.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "eval/eval.h"

struct scored {
    double score;
    bool positive;
};

static int by_falling_score(const void *a, const void *b) {
    const double x = ((const struct scored *)a)->score, y = ((const struct scored *)b)->score;
    return (x < y) - (x > y);
}

static struct scored *sort_rows(const uint8_t *label, const double *score, size_t n, struct sr_error *err) {
    struct scored *row = sr_alloc(n, sizeof *row, err);
    if (!row)
        return NULL;
    for (size_t i = 0; i < n; i++)
        row[i] = (struct scored){score[i], label[i] != 0};
    qsort(row, n, sizeof *row, by_falling_score);
    return row;
}

static void measure(double *average_precision, double *roc_area, const struct scored *row, size_t n) {
    uint64_t tp = 0, fp = 0, area_twice = 0;
    double precision_sum = 0;
    for (size_t i = 0; i < n;) {
        uint64_t t = 0, f = 0;
        for (const double score = row[i].score; i < n && row[i].score == score; i++)
            row[i].positive ? t++ : f++;
        area_twice += f * (2 * tp + t); /* in all at most n*n/2: no overflow below 2^32 rows */
        tp += t;
        fp += f;
        precision_sum += (double)t * ((double)tp / (double)(tp + fp));
    }
    *average_precision = precision_sum / (double)tp;
    *roc_area = (double)area_twice / (2 * (double)tp * (double)fp);
}

int sr_ranking(double *average_precision, double *roc_area, const uint8_t *label, const double *score,
               size_t n, struct sr_error *err) {
    double ap, area;
    for (size_t i = 0; i < n; i++)
        if (isnan(score[i]))
            return sr_fail(err, SR_BUG, "score of row %zu is NaN: rows without a score cannot be ranked", i);
    struct scored *row = sort_rows(label, score, n, err);
    if (!row)
        return SR_NOMEM;
    measure(&ap, &area, row, n);
    sr_free(row);
    if (average_precision)
        *average_precision = ap;
    if (roc_area)
        *roc_area = area;
    return 0;
}
