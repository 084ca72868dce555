/* curves.c: curves as JSON; see curves.h.
 *
 * A curve of a million points helps nobody who looks at it: above ten thousand, points are taken at even
 * distances. Curves of precision, recall and rates follow from the counts of the sweep.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "eval/curves.h"
#include "eval/sweep_columns.h"
#include "eval/view.h"

#define SHARES    101
#define HISTOGRAM 40

/* ---- sweep ---- */

static bool decides_like(const struct sr_sweep *s, size_t i, size_t n, const float *mark, size_t marks) {
    for (size_t m = 0; m < marks; m++)
        if (mark[m] >= s->point[i].threshold && (i + 1 == n || mark[m] < s->point[i + 1].threshold))
            return true;
    return false;
}

/* Leaves points at even distances, the first and the last among them, and those that decide like a mark. */
static void thin(struct sr_sweep *s, const float *mark, size_t marks) {
    const size_t n = s->n;
    size_t even = 0;
    if (n <= SR_CURVE_POINTS)
        return;
    s->n = 0;
    for (size_t i = 0; i < n; i++) {
        const bool is_even = i == even * (n - 1) / (SR_CURVE_POINTS - 1);
        even += is_even;
        if (is_even || decides_like(s, i, n, mark, marks))
            s->point[s->n++] = s->point[i]; /* at i or below: what is still to be read stays */
    }
}

/* ---- quality against share ---- */

static struct sr_json *numbers_json(const double *value, size_t n) {
    struct sr_json *list = sr_json_array();
    for (size_t i = 0; i < n; i++)
        sr_json_append(list, sr_json_number(value[i]));
    return list;
}

static struct sr_json *queue_json(const struct sr_queue *q) {
    double f1[SHARES];
    if (q->n == 0)
        return sr_json_null();
    sr_queue_curve(f1, SHARES, q);
    return numbers_json(f1, SHARES);
}

static struct sr_json *quality_json(const struct sr_view *v) {
    double share[SHARES];
    if (v->queue[SR_QUEUE_ROUTED].n == 0)
        return sr_json_null();
    struct sr_json *o = sr_json_object();
    for (size_t i = 0; i < SHARES; i++)
        share[i] = (double)i / (SHARES - 1);
    sr_json_set(o, "share", numbers_json(share, SHARES));
    sr_json_set(o, "router", queue_json(&v->queue[SR_QUEUE_ROUTED]));
    sr_json_set(o, "entropy", queue_json(&v->queue[SR_QUEUE_ENTROPY]));
    sr_json_set(o, "random", queue_json(&v->queue[SR_QUEUE_RANDOM]));
    sr_json_set(o, "oracle", queue_json(&v->queue[SR_QUEUE_ORACLE]));
    return o;
}

/* ---- rows by prob ---- */

/* Rows by prob, in bins of equal width; prob 1 is in the last. */
static struct sr_json *histogram_json(const struct sr_rows *rows) {
    static const char *const keys[] = {"negative", "positive", "unlabelled"};
    int64_t n[SR_COUNT(keys)][HISTOGRAM] = {{0}};
    struct sr_json *o = sr_json_object(), *low = sr_json_array(), *high = sr_json_array();
    for (size_t i = 0; i < rows->n; i++) {
        if (isnan(rows->prob[i]))
            continue;
        const size_t bin = (size_t)((double)rows->prob[i] * HISTOGRAM);
        n[rows->label[i] > 1 ? 2 : rows->label[i]][bin < HISTOGRAM ? bin : HISTOGRAM - 1]++;
    }
    for (size_t b = 0; b < HISTOGRAM; b++) {
        sr_json_append(low, sr_json_number((double)b / HISTOGRAM));
        sr_json_append(high, sr_json_number((double)(b + 1) / HISTOGRAM));
    }
    sr_json_set(o, "low", low);
    sr_json_set(o, "high", high);
    for (size_t k = 0; k < SR_COUNT(keys); k++) {
        struct sr_json *list = sr_json_array();
        for (size_t b = 0; b < HISTOGRAM; b++)
            sr_json_append(list, sr_json_integer(n[k][b]));
        sr_json_set(o, keys[k], list);
    }
    return o;
}

struct sr_json *sr_calibration_json(const struct sr_calibration_scores *s) {
    struct sr_json *o = sr_json_object();
#define X(key) sr_json_set(o, #key, sr_json_number(s->key));
    SR_CALIBRATION_SCORE_LIST(X)
#undef X
    return o;
}

struct sr_json *sr_bins_json(const struct sr_bin bin[SR_BINS]) {
    struct sr_json *list = sr_json_array();
    for (size_t b = 0; b < SR_BINS; b++) {
        struct sr_json *o = sr_json_object();
        sr_json_set(o, "low", sr_json_number(bin[b].low));
        sr_json_set(o, "high", sr_json_number(bin[b].high));
        sr_json_set(o, "rows", sr_json_number(bin[b].rows));
        sr_json_set(o, "positives", sr_json_number(bin[b].positives));
        sr_json_set(o, "mean_prob", sr_json_number(bin[b].mean_prob));
        sr_json_append(list, o);
    }
    return list;
}

static struct sr_json *reliability_json(const struct sr_reliability *r) {
    struct sr_json *o = sr_json_object();
    struct sr_bin width[SR_BINS], mass[SR_BINS];
    sr_reliability_bins(width, mass, r);
    sr_json_set(o, "width", sr_bins_json(width));
    sr_json_set(o, "mass", sr_bins_json(mass));
    return o;
}

static int set_reliability(struct sr_json *to, const struct sr_view *v, const struct sr_rows *rows,
                           const struct sr_calibrator *c, struct sr_error *err) {
    struct sr_json *o = reliability_json(v->reliability);
    struct sr_reliability *calibrated = NULL;
    const int status =
        c ? sr_calibrator_reliability(&calibrated, c, rows->label, rows->prob, rows->n, err) : 0;
    sr_json_set(o, "calibrated", calibrated ? reliability_json(calibrated) : sr_json_null());
    sr_json_set(to, "reliability", o);
    sr_reliability_free(calibrated);
    return status;
}

/* ---- all of them ---- */

int sr_curves_json(struct sr_json *to, const struct sr_rows *rows, const float *mark, size_t marks,
                   const struct sr_calibrator *calibrator, struct sr_error *err) {
    const struct sr_measure_options how = {
        .prices = sr_prices_unknown, .prevalence = (double)NAN, .train_share = (double)NAN};
    struct sr_sweep sweep = {0};
    struct sr_view v = {0};
    int status = sr_sweep_make(&sweep, rows, err);
    if (status == 0)
        status = sr_view_make(&v, rows, &how, false, err);
    if (status == 0)
        status = set_reliability(to, &v, rows, calibrator, err);
    if (status == 0) {
        const size_t points = sweep.n;
        thin(&sweep, mark, marks);
        struct sr_json *columns = sr_sweep_json(&sweep);
        sr_json_set(columns, "points", sr_json_integer((int64_t)points)); /* how many there were */
        sr_json_set(to, "sweep", columns);
        sr_json_set(to, "quality", quality_json(&v));
        sr_json_set(to, "histogram", histogram_json(rows));
    }
    sr_view_free(&v);
    sr_sweep_free(&sweep);
    return status;
}
