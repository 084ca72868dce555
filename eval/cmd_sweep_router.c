/* cmd_sweep_router.c: the router with its threshold, as a new file; see cmd_sweep.h.
 *
 * Only metadata changes: the tensors, and so the hash over them, stay those of the weights it came from. What
 * is written is opened again and compared before it counts as done.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "eval/cmd_sweep.h"

/* Everything of the new metadata that was allocated. */
struct texts {
    char threshold[SR_DECIMAL_TEXT], range_limit[SR_DECIMAL_TEXT]; /* "": not known */
    char *metrics, *calibration, *rows;
    struct sr_scan scan;
};

static void texts_free(struct texts *t) {
    sr_free(t->metrics);
    sr_free(t->calibration);
    sr_free(t->rows);
    sr_scan_free(&t->scan);
}

static bool chooses(const struct sr_sweep_result *r) {
    return r->options->rule_given || r->options->threshold_given;
}

/* The rows that calibrated the file before count on where it keeps what they chose. */
static int rows_text(struct texts *t, const struct sr_sweep_result *r, struct sr_error *err) {
    const struct sr_router *router = r->scoring->router;
    const char *key = sr_use_key(SR_USE_CALIBRATED), *before = sr_router_metadata(router, key);
    const bool keeps_threshold = !chooses(r) && sr_router_metadata(router, "threshold");
    const bool keeps_calibration = !r->calibrated.calibrator && sr_router_metadata(router, "calibration");
    struct sr_sketch now, old;
    sr_sketch_make(&now, t->scan.hash, NULL, r->rows.n);
    if (before && (keeps_threshold || keeps_calibration)) {
        const int status = sr_sketch_parse(&old, before, r->options->score.model, key, err);
        if (status < 0)
            return status;
        sr_sketch_merge(&now, &old);
    }
    t->rows = sr_sketch_text(&now, err);
    return t->rows ? 0 : SR_NOMEM;
}

/* What the threshold does on the calibration rows, as eval --json says it. */
static int metrics_text(struct texts *t, const struct sr_sweep_result *r, struct sr_error *err) {
    struct sr_log_stage stage = sr_log_stage_begin("measuring");
    const struct sr_measure_options how = {.threshold = r->choice[0].threshold,
                                           .draws = SR_DRAWS,
                                           .prices = r->options->prices,
                                           .prevalence = (double)NAN,
                                           .train_share = (double)NAN,
                                           .progress = sr_log_stage_show,
                                           .progress_user = &stage};
    struct sr_evaluation e;
    const int status = sr_evaluate(&e, &r->rows, &how, err);
    if (status < 0)
        return status;
    struct sr_json *o = sr_json_object();
    sr_evaluation_json(o, &e);
    t->metrics = sr_json_text(o, 0, err);
    sr_json_free(o);
    return t->metrics ? 0 : SR_NOMEM;
}

/* Rows that are like those of training to the router are so by the rows it is calibrated on. */
static int range_text(struct texts *t, const struct sr_sweep_result *r, struct sr_error *err) {
    float limit;
    size_t beyond;
    const struct sr_scores *scores = &r->scoring->scores;
    const int status = sr_scores_range_limit(&limit, &beyond, scores, err);
    if (status > 0)
        sr_log_info("range limit %s: %zu of %zu calibration rows are beyond it",
                    sr_decimal_float(t->range_limit, limit), beyond, scores->rows);
    else if (status == 0 && scores->out_of_range > 0)
        sr_log_warn("the range limit stays as it is: too many of the calibration rows, or too far ones, are "
                    "beyond it "
                    "(or they are fewer than %d)",
                    SR_RANGE_ROWS);
    return status < 0 ? status : 0;
}

static int texts_make(struct texts *t, const struct sr_sweep_result *r, struct sr_error *err) {
    struct sr_log_stage stage = sr_log_stage_begin("looking through the data");
    int status = sr_data_scan(r->scoring->data, &t->scan, sr_log_stage_show, &stage, err);
    if (status == 0)
        status = rows_text(t, r, err);
    if (status == 0)
        status = range_text(t, r, err);
    if (status == 0 && chooses(r)) {
        sr_decimal_float(t->threshold, r->choice[0].threshold);
        status = metrics_text(t, r, err);
    }
    if (status == 0 && r->calibrated.calibrator) {
        t->calibration = sr_calibrator_text(r->calibrated.calibrator, err);
        status = t->calibration ? 0 : SR_NOMEM;
    }
    return status;
}

#define PAIRS 9

/* Pairs of a threshold replace all that was said of the one before. */
static size_t pairs_make(struct sr_pair pairs[PAIRS], const struct texts *t,
                         const struct sr_sweep_result *r) {
    size_t n = 0;
    if (chooses(r)) {
        pairs[n++] = (struct sr_pair){"threshold", t->threshold};
        pairs[n++] = (struct sr_pair){"threshold_rule", r->choice[0].rule};
        pairs[n++] = (struct sr_pair){"threshold_data", t->scan.data_id};
        pairs[n++] = (struct sr_pair){"threshold_traffic", r->traffic_id[0] ? r->traffic_id : NULL};
        pairs[n++] = (struct sr_pair){"threshold_metrics", t->metrics};
    }
    if (t->calibration) {
        pairs[n++] = (struct sr_pair){"calibration", t->calibration};
        pairs[n++] = (struct sr_pair){"calibration_data", t->scan.data_id};
    }
    if (t->range_limit[0])
        pairs[n++] = (struct sr_pair){SR_RANGE_LIMIT, t->range_limit};
    pairs[n++] = (struct sr_pair){sr_use_key(SR_USE_CALIBRATED), t->rows};
    return n;
}

/* What stands in the file decides as what was measured. */
static int verify(const struct sr_sweep_result *r, const char *path, struct sr_error *err) {
    struct sr_router *router;
    float threshold;
    const int status = sr_router_open(&router, path, err);
    if (status < 0)
        return status;
    const bool same =
        !chooses(r) || (sr_router_threshold(router, &threshold) && threshold == r->choice[0].threshold);
    sr_router_close(router);
    return same ? 0 : sr_fail(err, SR_BUG, "%s: the threshold written is not the one chosen", path);
}

/* The file that the scores are of: it may have been replaced under its name since. */
static int open_scored(struct sr_safetensors **from, const struct sr_sweep_result *r, struct sr_error *err) {
    const char *path = r->options->score.model;
    char artefact[65];
    void *bytes;
    size_t size;
    int status = sr_safetensors_bytes(&bytes, &size, path, err);
    if (status < 0)
        return status;
    sr_sha256(bytes, size, artefact);
    if (strcmp(artefact, sr_router_artefact(r->scoring->router)) == 0)
        status = sr_safetensors_open_memory(from, bytes, size, path, err);
    else
        status =
            sr_fail(err, SR_DATA, "%s was replaced while its scores were looked at; run this again", path);
    sr_free(bytes);
    return status;
}

static int router_write(const struct sr_sweep_result *r, const struct sr_safetensors *from,
                        const struct texts *t, struct sr_error *err) {
    struct sr_pair pairs[PAIRS];
    struct sr_staged to;
    int status = sr_staged_open(&to, r->options->out, err);
    if (status == 0)
        status = sr_safetensors_rewrite(to.path, from, pairs, pairs_make(pairs, t, r), err);
    if (status == 0)
        status = verify(r, to.path, err);
    if (status == 0)
        status = sr_staged_name(&to, err);
    return sr_staged_close(&to, status, err);
}

int sr_sweep_router_write(const struct sr_sweep_result *r, struct sr_error *err) {
    const struct sr_sweep_options *o = r->options;
    struct sr_safetensors *from = NULL;
    struct texts t = {0};
    int status = texts_make(&t, r, err);
    if (status == 0)
        status = open_scored(&from, r, err);
    if (status == 0)
        status = router_write(r, from, &t, err);
    if (status == 0)
        sr_log_info("%s: the tensors of %s (sha256 %.16s...)%s%s%s; measure it on rows that chose nothing: "
                    "saferoute eval --model %s --data TEST.h5",
                    o->out, o->score.model, sr_safetensors_hash(from), chooses(r) ? ", threshold " : "",
                    t.threshold, t.calibration ? ", a calibration" : "", o->out);
    sr_safetensors_close(from);
    texts_free(&t);
    return status;
}
