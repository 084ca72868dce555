/* cmd_eval_json.c: everything `saferoute eval` measured, as one tree of JSON; see cmd_eval.h.
 *
 * Every key is there always; undefined and unknown are null.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/cmd_eval.h"
#include "eval/cmd_rows.h"

#define METRICS_MAX ((size_t)64 << 20) /* bytes of a metrics.jsonl */

/* Thresholds that somebody or some rule has chosen. */
struct mark {
    const char *rule;
    float threshold;
};
#define MARKS_MAX 3

static size_t marks_of(struct mark mark[MARKS_MAX], const struct sr_eval_result *r) {
    const struct sr_router *router = r->scoring->router;
    const char *rule = router ? sr_router_metadata(router, "threshold_rule") : NULL;
    size_t n = 0;
    float stored;
    mark[n++] = (struct mark){"in use", r->scoring->threshold};
    if (router && sr_router_threshold(router, &stored))
        mark[n++] = (struct mark){rule ? rule : "stored", stored};
    if (r->has_old)
        mark[n++] = (struct mark){"as many rows as the baseline", r->equal_threshold};
    return n;
}

static void set_threshold(struct sr_json *o, const struct sr_eval_result *r) {
    struct sr_json *list = sr_json_array();
    struct mark mark[MARKS_MAX];
    const size_t n = marks_of(mark, r);
    for (size_t i = 0; i < n; i++) {
        struct sr_json *one = sr_json_object();
        sr_json_set(one, "rule", sr_json_string(mark[i].rule));
        sr_json_set(one, "threshold", sr_json_number(sr_decimal_number(mark[i].threshold)));
        sr_json_append(list, one);
    }
    sr_json_set(o, "threshold_origin", sr_json_string(r->scoring->threshold_origin));
    sr_json_set(o, "thresholds", list);
    sr_json_set(o, "threshold_is_set", sr_json_bool(r->scoring->threshold_is_set));
}

static struct sr_json *overlap_json(const struct sr_overlap *overlap) {
    const bool known = overlap->seen > 0 || !isnan(overlap->share);
    struct sr_json *o = known ? sr_json_object() : sr_json_null();
    if (known) {
        sr_json_set(o, "rows", sr_json_integer((int64_t)overlap->seen));
        sr_json_set(o, "share", sr_json_number(overlap->share));
    }
    return o;
}

static struct sr_json *used_json(const struct sr_overlap used[SR_USES]) {
    static const char *const keys[SR_USES] = {"trained", "selected", "calibrated"};
    struct sr_json *o = sr_json_object();
    for (size_t u = 0; u < SR_USES; u++)
        sr_json_set(o, keys[u], overlap_json(&used[u]));
    return o;
}

static void set_calibrated(struct sr_json *o, const struct sr_eval_result *r) {
    struct sr_json *c = r->calibrator ? sr_calibration_json(&r->calibrated) : sr_json_null();
    for (size_t i = 0; r->calibrator && i < SR_CALIBRATION_SCORES; i++) {
        char key[32];
        snprintf(key, sizeof key, "%s_ci", sr_calibration_key(i));
        sr_json_set(c, key, sr_interval_json(r->calibrated_ci[i]));
    }
    if (r->calibrator)
        sr_json_set(c, "method", sr_json_string(sr_calibrator_method(r->calibrator)));
    sr_json_set(o, "calibrated", c);
}

/* ---- slices ---- */

static struct sr_json *slice_json(const struct sr_eval_result *r, size_t s) {
    struct sr_json *o = sr_json_object();
    sr_json_set(o, "name", sr_json_string(r->names[s]));
    sr_evaluation_json(o, &r->slice[s]);
    return o;
}

static void set_slices(struct sr_json *o, const struct sr_eval_result *r) {
    const size_t worst = sr_worst_slice(r->slice, r->slices, SR_FIGURE_F1);
    struct sr_json *list = sr_json_array();
    for (size_t s = 0; s < r->slices; s++)
        if (r->slice[s].rows > 0)
            sr_json_append(list, slice_json(r, s));
    sr_json_set(o, "slices", list);
    sr_json_set(o, "worst_slice", worst < r->slices ? slice_json(r, worst) : sr_json_null());
}

/* ---- a second router ---- */

static struct sr_json *equal_share_json(const struct sr_eval_result *r) {
    const struct sr_comparison *c = &r->equal_share;
    struct sr_json *o = sr_json_object(), *old = sr_json_object(), *now = sr_json_object(),
                   *delta = sr_json_object();
    double value[SR_FIGURES];
    for (size_t f = 0; f < SR_FIGURES; f++)
        value[f] = c->old.value[f] + c->delta[f];
    sr_figures_json(old, c->old.value, NULL);
    sr_figures_json(now, value, NULL);
    sr_figures_json(delta, c->delta, c->ci);
    sr_json_set(o, "share", sr_json_number(c->old.value[SR_FIGURE_SHARE_ROUTED]));
    sr_json_set(o, "threshold_new", sr_json_number(sr_decimal_number(r->equal_threshold)));
    sr_json_set(o, "threshold_old", sr_json_number(sr_decimal_number(c->old.threshold)));
    sr_json_set(o, "old", old);
    sr_json_set(o, "new", now);
    sr_json_set(o, "delta", delta);
    return o;
}

static struct sr_json *regressions_json(const struct sr_eval_result *r) {
    struct sr_json *list = sr_json_array();
    for (size_t s = 0; s < r->slices; s++) {
        const struct sr_comparison *c = &r->slice_change[s];
        if (!sr_comparison_is_worse(c))
            continue;
        struct sr_json *o = sr_json_object(), *delta = sr_json_object();
        sr_json_set(o, "name", sr_json_string(r->names[s]));
        sr_json_set(o, "rows", sr_json_integer((int64_t)c->old.rows));
        sr_json_set(o, "positives", sr_json_integer((int64_t)c->old.positives));
        sr_figures_json(delta, c->delta, c->ci);
        sr_json_set(o, "delta", delta);
        sr_json_append(list, o);
    }
    return list;
}

static void set_old(struct sr_json *o, const struct sr_eval_result *r) {
    sr_json_set(o, "baseline", sr_json_string(sr_path_name(r->options->baseline)));
    sr_comparison_json(o, r->has_old ? &r->change : NULL);
    sr_json_set(o, "old_used", r->has_old ? used_json(r->old_used) : sr_json_null());
    sr_json_set(o, "equal_share", r->has_old ? equal_share_json(r) : sr_json_null());
    sr_json_set(o, "regressions", r->has_old ? regressions_json(r) : sr_json_null());
}

static void set_traffic(struct sr_json *o, const struct sr_eval_result *r) {
    struct sr_json *t = r->has_traffic ? sr_json_object() : sr_json_null();
    if (r->has_traffic) {
        sr_json_set(t, "rows", sr_json_integer((int64_t)r->traffic.rows));
        sr_json_set(t, "share_routed", sr_json_number((double)r->traffic.routed / (double)r->traffic.rows));
        sr_json_set(t, "share_routed_ci",
                    sr_interval_json(sr_wilson((double)r->traffic.routed, (double)r->traffic.rows)));
        sr_json_set(t, "latency_ms", sr_json_number(r->traffic.latency_ms));
        sr_json_set(t, "price", sr_json_number(r->traffic.price));
    }
    sr_json_set(o, "traffic", t);
}

/* ---- training ---- */

static int lines_parse(struct sr_json *list, char *text, const char *path, struct sr_error *err) {
    char *rest = text;
    size_t number = 1;
    for (char *line; (line = strsep(&rest, "\n")); number++) {
        struct sr_json *epoch;
        struct sr_error why;
        if (!*line)
            continue;
        const int status = sr_json_parse(&epoch, line, strlen(line), &why);
        if (status < 0)
            return sr_fail(err, status, "%s: line %zu is damaged: %.200s; leave out --run, or repair it",
                           path, number, why.text);
        sr_json_append(list, epoch);
    }
    return 0;
}

/* The lines of a run's metrics.jsonl, or null without a run. */
static int set_training(struct sr_json *o, const char *run, struct sr_error *err) {
    char path[4096];
    void *text;
    size_t size;
    if (!run) {
        sr_json_set(o, "training", sr_json_null());
        return 0;
    }
    if (snprintf(path, sizeof path, "%s/metrics.jsonl", run) >= (int)sizeof path)
        return sr_fail(err, SR_USAGE, "--run: the name of the folder is too long");
    int status = sr_file_read(&text, &size, path, METRICS_MAX, err);
    if (status < 0)
        return status;
    struct sr_json *list = sr_json_array();
    status = lines_parse(list, text, path, err);
    sr_free(text);
    sr_json_set(o, "training", list);
    return status;
}

static int set_curves(struct sr_json *o, const struct sr_eval_result *r, struct sr_error *err) {
    struct mark mark[MARKS_MAX];
    float exact[MARKS_MAX];
    const size_t marks = marks_of(mark, r);
    for (size_t i = 0; i < marks; i++)
        exact[i] = mark[i].threshold;
    return sr_curves_json(o, &r->rows, exact, marks, r->calibrator, err);
}

/* Which weights were measured: their hash, as far as they carry it. */
static void set_hash(struct sr_json *o, const struct sr_router *router) {
    sr_json_set(o, "model_sha256", sr_json_string(router ? sr_router_metadata(router, "sha256") : NULL));
}

int sr_eval_json(struct sr_eval_result *r, struct sr_error *err) {
    struct sr_json *o = r->evaluation = sr_json_object();
    sr_json_set(o, "schema_version", sr_json_integer(2));
    sr_rows_files_json(o, r->options->score.model, r->scoring->data);
    set_hash(o, r->scoring->router);
    sr_evaluation_json(o, &r->all);
    sr_json_set(o, "prevalence_at", sr_json_number(r->how.prevalence));
    sr_json_set(o, "train_share", sr_json_number(r->how.train_share));
    set_threshold(o, r);
    sr_rows_labels_json(o, r->scoring->data);
    sr_json_set(o, "prices", sr_prices_json(&r->options->prices));
    sr_json_set(o, "used", used_json(r->used));
    set_slices(o, r);
    set_calibrated(o, r);
    set_old(o, r);
    set_traffic(o, r);
    const int status = set_training(o, r->options->run, err);
    return status == 0 ? set_curves(o, r, err) : status;
}
