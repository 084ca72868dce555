/* cmd_eval_measure.c: `saferoute eval` measures: all rows, slices, a second router, traffic; see cmd_eval.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/cmd_eval.h"
#include "eval/cmd_rows.h"

/* The share of positives that training saw: what prevalence corrects from. NaN: the weights do not say. */
static int train_share(double *out, const struct sr_eval_result *r, struct sr_error *err) {
    const struct sr_scoring *s = r->scoring;
    const char *text = s->router ? sr_router_metadata(s->router, "train_share") : NULL;
    char *end;
    *out = (double)NAN;
    if (!text)
        return 0;
    const double share = strtod(text, &end);
    if (end != text && !*end && share > 0 && share < 1)
        *out = share;
    return !isnan(*out) || isnan(r->options->prevalence)
               ? 0
               : sr_fail(err, SR_DATA,
                         "%s: metadata train_share is \"%.40s\", not a number above 0 and below 1",
                         s->model_path, text);
}

static int how_fill(struct sr_eval_result *r, struct sr_error *err) {
    r->how = (struct sr_measure_options){.threshold = r->scoring->threshold,
                                         .draws = SR_DRAWS,
                                         .prices = r->options->prices,
                                         .prevalence = r->options->prevalence};
    return train_share(&r->how.train_share, r, err);
}

/* The same with a bar. */
static struct sr_measure_options staged(const struct sr_eval_result *r, struct sr_log_stage *stage) {
    struct sr_measure_options how = r->how;
    how.progress = sr_log_stage_show;
    how.progress_user = stage;
    return how;
}

static int all_measure(struct sr_eval_result *r, struct sr_error *err) {
    struct sr_log_stage stage = sr_log_stage_begin("measuring");
    const struct sr_measure_options how = staged(r, &stage);
    return sr_evaluate(&r->all, &r->rows, &how, err);
}

static int slices_measure(struct sr_eval_result *r, struct sr_error *err) {
    const struct sr_data *d = r->scoring->data;
    const size_t slices = sr_rows_slices(d);
    if (slices == 0)
        return 0;
    struct sr_log_stage stage = sr_log_stage_begin("measuring each source");
    const struct sr_measure_options how = staged(r, &stage);
    r->names = (const char *const *)d->source_names;
    r->slices = slices;
    r->slice = sr_alloc(r->slices, sizeof *r->slice, err);
    return r->slice ? sr_evaluate_slices(r->slice, r->slices, d->source, &r->rows, &how, err) : SR_NOMEM;
}

/* ---- a second router ---- */

static uint64_t distance(uint64_t a, uint64_t b) {
    return a > b ? a - b : b - a;
}

/* The new router at the threshold at which it routes as many rows as the old one or, where rows of one score
 * stand in the way, as nearly as it can; of two the one that routes fewer. */
static int equal_share_compare(struct sr_eval_result *r, const float *old_prob, float old_threshold,
                               struct sr_error *err) {
    struct sr_log_stage stage = sr_log_stage_begin("comparing at equal share");
    struct sr_measure_options how = staged(r, &stage);
    struct sr_sweep sweep;
    size_t i = 0;
    int status = sr_sweep_make(&sweep, &r->rows, err);
    if (status < 0)
        return status;
    while (i + 1 < sweep.n && distance(sweep.point[i + 1].routed, r->change.old.routed) <=
                                  distance(sweep.point[i].routed, r->change.old.routed))
        i++;
    how.threshold = r->equal_threshold = sweep.point[i].threshold;
    sr_sweep_free(&sweep);
    return sr_compare(&r->equal_share, &r->rows, &how, old_prob, old_threshold, err);
}

static int old_compare(struct sr_eval_result *r, const float *old_prob, float old_threshold,
                       struct sr_error *err) {
    const struct sr_data *d = r->scoring->data;
    struct sr_log_stage stage = sr_log_stage_begin("comparing");
    const struct sr_measure_options how = staged(r, &stage);
    int status = sr_compare(&r->change, &r->rows, &how, old_prob, old_threshold, err);
    if (status == 0)
        status = equal_share_compare(r, old_prob, old_threshold, err);
    if (status < 0 || r->slices == 0)
        return status;
    r->slice_change = sr_alloc(r->slices, sizeof *r->slice_change, err);
    if (!r->slice_change)
        return SR_NOMEM;
    stage = sr_log_stage_begin("comparing each source");
    return sr_compare_slices(r->slice_change, r->slices, d->source, &r->rows, &how, old_prob, old_threshold,
                             err);
}

static int old_measure(struct sr_eval_result *r, struct sr_error *err) {
    struct sr_router *old = NULL;
    struct sr_scores scores = {0};
    float threshold = SR_THRESHOLD_UNSET;
    if (!r->options->baseline)
        return 0;
    int status = sr_router_open(&old, r->options->baseline, err);
    if (status < 0)
        return status;
    if (!sr_router_threshold(old, &threshold))
        sr_log_warn("%s has no threshold; 0.6 is used for it", r->options->baseline);
    struct sr_log_stage stage = sr_log_stage_begin("scoring with the old router");
    sr_router_compare(old, r->scoring->data, "the dump", "the weights of --baseline");
    status = sr_score_data(&scores, old, r->scoring->data, sr_log_stage_show, &stage, err);
    if (status == 0)
        status = sr_rows_used(r->old_used, old, r->options->baseline, &scores, SR_USE_CALIBRATED,
                              "the weights of --baseline", "the old router looks better than it is", err);
    if (status == 0)
        status = old_compare(r, scores.prob, threshold, err);
    r->has_old = status == 0;
    sr_scores_free(&scores);
    sr_router_close(old);
    return status;
}

/* ---- traffic ---- */

static int traffic_measure(struct sr_eval_result *r, struct sr_error *err) {
    const struct sr_eval_options *o = r->options;
    struct sr_traffic *t = &r->traffic;
    struct sr_scores scores = {0};
    if (!o->traffic)
        return 0;
    const int status = sr_rows_traffic(&scores, NULL, r->scoring, o->traffic, &o->how, err);
    if (status < 0)
        return status;
    t->rows = scores.rows;
    for (size_t i = 0; i < scores.rows; i++)
        t->routed += sr_is_routed(scores.prob[i], r->how.threshold);
    const double share = (double)t->routed / (double)t->rows;
    t->latency_ms = sr_prices_latency(&o->prices, share);
    t->price = sr_prices_price(&o->prices, share);
    r->has_traffic = true;
    sr_scores_free(&scores);
    return 0;
}

/* ---- calibration ---- */

static void calibrated_statistics(double *value, const uint32_t *count, const void *user) {
    struct sr_calibration_scores s;
    sr_reliability_measure(&s, user, count);
    memcpy(value, &s, sizeof s);
}

static int calibrated_resample(struct sr_eval_result *r, const struct sr_reliability *reliability,
                               struct sr_error *err) {
    const struct sr_resampling how = {.group = r->rows.group, .n = r->rows.n, .draws = SR_DRAWS};
    for (size_t i = 0; i < SR_CALIBRATION_SCORES; i++)
        r->calibrated_ci[i] = (struct sr_interval){(double)NAN, (double)NAN};
    return r->all.groups < SR_FEW ? 0
                                  : sr_bootstrap(r->calibrated_ci, SR_CALIBRATION_SCORES,
                                                 calibrated_statistics, reliability, &how, err);
}

/* What the calibrated probabilities are worth on these rows. */
static int calibrated_measure(struct sr_eval_result *r, struct sr_error *err) {
    const struct sr_router *router = r->scoring->router;
    const char *text = router ? sr_router_metadata(router, "calibration") : NULL;
    struct sr_reliability *reliability;
    int status = sr_calibrator_of_weights(&r->calibrator, r->scoring->model_path, text, err);
    if (status < 0 || !r->calibrator)
        return status;
    status =
        sr_calibrator_reliability(&reliability, r->calibrator, r->rows.label, r->rows.prob, r->rows.n, err);
    if (status < 0)
        return status;
    sr_reliability_measure(&r->calibrated, reliability, NULL);
    status = calibrated_resample(r, reliability, err);
    sr_reliability_free(reliability);
    return status;
}

int sr_eval_measure(struct sr_eval_result *r, const struct sr_eval_options *o, const struct sr_scoring *s,
                    struct sr_error *err) {
    int status;
    *r = (struct sr_eval_result){.options = o, .scoring = s, .rows = sr_rows_of(s)};
    if ((status = how_fill(r, err)) < 0)
        return status;
    sr_data_labels_text(r->labels, s->data);
    if (s->data->weight)
        sr_log_info("metrics count every row as 1; /weight only matters in training");
    if ((status = sr_rows_used(r->used, s->router, s->model_path, &s->scores, SR_USE_CALIBRATED,
                               "the weights", "what is measured here is too good", err)) < 0 ||
        (status = all_measure(r, err)) < 0 || (status = slices_measure(r, err)) < 0 ||
        (status = calibrated_measure(r, err)) < 0 || (status = old_measure(r, err)) < 0)
        return status;
    return traffic_measure(r, err);
}

void sr_eval_free(struct sr_eval_result *r) {
    sr_free(r->slice);
    sr_free(r->slice_change);
    sr_calibrator_free(r->calibrator);
    sr_json_free(r->evaluation);
    *r = (struct sr_eval_result){0};
}
