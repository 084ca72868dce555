/* curves.c: curves as JSON; see curves.h.
 *
 * A curve of a million points helps nobody who looks at it: points are taken at even distances, first and
 * last always. `sweep --csv` writes them all.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "eval/curves.h"
#include "eval/sweep_columns.h"
#include "eval/view.h"

#define SHARES    101
#define HISTOGRAM 40

/* Precision and recall or rates of an axis, at the points that the sweep's columns are taken at. */
static void set_axis(struct sr_json *to, const char *key, const struct sr_sweep *s,
                     double (*value)(struct sr_confusion c)) {
    struct sr_json *list = sr_json_array();
    const size_t n = s->n < SR_CURVE_POINTS ? s->n : SR_CURVE_POINTS;
    for (size_t i = 0; i < n; i++)
        sr_json_append(list, sr_json_number(value(sr_sweep_taken(s, i, n)->label)));
    sr_json_set(to, key, list);
}

static double false_positive_rate(struct sr_confusion c) {
    return (double)c.fp / (double)(c.fp + c.tn);
}

static struct sr_json *share_json(const struct sr_queue *q) {
    struct sr_json *o = sr_json_object(), *share = sr_json_array(), *f1 = sr_json_array();
    double curve[SHARES];
    sr_queue_curve(curve, SHARES, q);
    for (size_t i = 0; i < SHARES; i++) {
        sr_json_append(share, sr_json_number((double)i / (SHARES - 1)));
        sr_json_append(f1, sr_json_number(curve[i]));
    }
    sr_json_set(o, "share", share);
    sr_json_set(o, "f1", f1);
    return o;
}

static struct sr_json *curves_json(const struct sr_sweep *s, const struct sr_view *v) {
    static const struct {
        const char *key;
        enum sr_queue_of queue;
    } queues[] = {{"router", SR_QUEUE_ROUTED},
                  {"entropy", SR_QUEUE_ENTROPY},
                  {"random", SR_QUEUE_RANDOM},
                  {"oracle", SR_QUEUE_ORACLE}};
    struct sr_json *o = sr_json_object(), *pr = sr_json_object(), *roc = sr_json_object();
    struct sr_json *share = v->queue[SR_QUEUE_ROUTED].n > 0 ? sr_json_object() : sr_json_null();
    set_axis(pr, "recall", s, sr_recall);
    set_axis(pr, "precision", s, sr_precision);
    set_axis(roc, "fpr", s, false_positive_rate);
    set_axis(roc, "tpr", s, sr_recall);
    for (size_t q = 0; v->queue[SR_QUEUE_ROUTED].n > 0 && q < SR_COUNT(queues); q++)
        sr_json_set(share, queues[q].key,
                    v->queue[queues[q].queue].n > 0 ? share_json(&v->queue[queues[q].queue])
                                                    : sr_json_null());
    sr_json_set(o, "pr", pr);
    sr_json_set(o, "roc", roc);
    sr_json_set(o, "share", share);
    return o;
}

/* Rows by prob, in bins of equal width; prob 1 is in the last. */
static struct sr_json *histogram_json(const struct sr_rows *rows) {
    static const char *const keys[] = {"negative", "positive", "unlabelled"};
    int64_t n[SR_COUNT(keys)][HISTOGRAM] = {{0}};
    struct sr_json *o = sr_json_object(), *low = sr_json_array(), *high = sr_json_array();
    for (size_t i = 0; i < rows->n; i++) {
        if (isnan(rows->prob[i]))
            continue;
        const size_t bin = (size_t)(rows->prob[i] * HISTOGRAM);
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
    sr_json_set(o, "brier", sr_json_number(s->brier));
    sr_json_set(o, "log_loss", sr_json_number(s->log_loss));
    sr_json_set(o, "ece", sr_json_number(s->ece));
    sr_json_set(o, "ece_mass", sr_json_number(s->ece_mass));
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
    int status = 0;
    for (size_t i = 0; c && i < v->n; i++)
        v->score[i] = sr_calibrator_apply(c, (double)rows->prob[i]);
    if (c)
        status = sr_reliability_create(&calibrated, v->label, v->score, v->n, err);
    sr_json_set(o, "calibrated", calibrated ? reliability_json(calibrated) : sr_json_null());
    sr_json_set(to, "reliability", o);
    sr_reliability_free(calibrated);
    return status;
}

int sr_curves_json(struct sr_json *to, const struct sr_rows *rows, const struct sr_calibrator *calibrator,
                   struct sr_error *err) {
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
        sr_json_set(to, "sweep", sr_sweep_json(&sweep, SR_CURVE_POINTS, SR_SWEEP_COUNTS, &sr_prices_unknown));
        sr_json_set(to, "curves", curves_json(&sweep, &v));
        sr_json_set(to, "histogram", histogram_json(rows));
    }
    sr_view_free(&v);
    sr_sweep_free(&sweep);
    return status;
}
