/* cmd_rows.c: what the commands that measure scored rows have in common; see cmd_rows.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/cmd_rows.h"

int sr_rows_check(const struct sr_scoring *s, int on_bad_row, struct sr_error *err) {
    const struct sr_scores *scores = &s->scores;
    size_t first = 0, row;
    const char *path;
    if (scores->out_of_range > 0)
        sr_log_warn(
            "%zu of %zu rows are far from those of training: here their score counts, but a serving router "
            "sends them to the large guard (reason OUT_OF_RANGE)",
            scores->out_of_range, scores->rows);
    if (scores->bad_rows == 0)
        return 0;
    if (on_bad_row == SR_ON_BAD_ROW_LEAVE_OUT) {
        sr_log_warn("%zu of %zu rows cannot be scored: left out of what compares scores with labels, and "
                    "routed to the large guard everywhere else",
                    scores->bad_rows, scores->rows);
        return 0;
    }
    while (!isnan(scores->prob[first]))
        first++;
    sr_data_locate(s->data, first, &path, &row);
    return sr_fail(err, SR_DATA,
                   "%s: row %zu has no score to measure: %s (%zu of %zu rows have none): repair the dump, or "
                   "leave such rows out with --on-bad-row=skip",
                   path, row, sr_reason_text(scores->reason[first]), scores->bad_rows, scores->rows);
}

struct sr_rows sr_rows_of(const struct sr_scoring *s) {
    const struct sr_data *d = s->data;
    const bool guards = d->gold && d->small_pred && d->large_pred;
    return (struct sr_rows){
        .n = d->rows,
        .label = d->label,
        .prob = s->scores.prob,
        .gold = guards ? d->gold : NULL,
        .small_pred = guards ? d->small_pred : NULL,
        .large_pred = guards ? d->large_pred : NULL,
        .small_prob = d->small_prob,
        .large_prob = d->large_prob,
        .group = d->group,
    };
}

int sr_rows_used(struct sr_overlap used[SR_USES], const struct sr_router *router, const char *path,
                 const struct sr_scores *scores, enum sr_use last, const char *weights, const char *so_what,
                 struct sr_error *err) {
    static const char *const texts[SR_USES] = {
#define X(name, key, text) text,
        SR_USE_LIST(X)
#undef X
    };
    const int status = sr_router_used(used, router, path, scores, err);
    if (router && !scores->hash)
        sr_log_info("whether %s were made with these rows is not known: --scores brings no features to know "
                    "them by",
                    weights);
    for (enum sr_use u = 0; status == 0 && u < SR_USES && u <= last; u++) {
        char share[SR_OVERLAP_TEXT];
        if (used[u].seen > 0)
            sr_log_warn("%s of these rows (at least %zu) were %s %s: %s; use rows that they have never seen",
                        sr_overlap_text(share, &used[u]), used[u].seen, texts[u], weights, so_what);
    }
    return status;
}

size_t sr_rows_slices(const struct sr_data *d) {
    if (d->sources <= SR_SLICES_MOST)
        return d->source ? d->sources : 0;
    sr_log_warn(
        "%zu sources are too many to measure each (%d at most), so there are no slices: --source names "
        "a coarser dataset",
        d->sources, SR_SLICES_MOST);
    return 0;
}

static int id_of(char *data_id, struct sr_data *d, struct sr_error *err) {
    struct sr_scan scan;
    const int status = sr_data_scan(d, &scan, NULL, NULL, err);
    if (status < 0)
        return status;
    memcpy(data_id, scan.data_id, sizeof scan.data_id);
    sr_scan_free(&scan);
    return 0;
}

int sr_rows_traffic(struct sr_scores *out, char *data_id, const struct sr_scoring *s, const char *paths,
                    const struct sr_data_options *how, struct sr_error *err) {
    struct sr_data_options features = *how;
    struct sr_data *d = NULL;
    struct sr_log_stage stage = sr_log_stage_begin("scoring the traffic");
    features.features_only = true;
    int status = sr_data_open(&d, paths, &features, err);
    if (status == 0)
        sr_router_compare(s->router, d, "the traffic", "the weights");
    if (status == 0)
        status = sr_score_data(out, s->router, d, sr_log_stage_show, &stage, err);
    if (status == 0 && out->bad_rows > 0)
        sr_log_warn("%zu of %zu rows of traffic cannot be scored and are routed at any threshold",
                    out->bad_rows, out->rows);
    if (status == 0 && data_id)
        status = id_of(data_id, d, err);
    sr_data_close(d);
    return status;
}

void sr_rows_files_json(struct sr_json *to, const char *model, const struct sr_data *d) {
    struct sr_json *data = sr_json_array();
    for (size_t f = 0; f < d->files; f++)
        sr_json_append(data, sr_json_string(sr_path_name(sr_data_path(d, f))));
    sr_json_set(to, "model", sr_json_string(sr_path_name(model)));
    sr_json_set(to, "data", data);
}

static void set_cut(struct sr_json *o, const char *key, const char *key_origin, const struct sr_cut *cut) {
    const bool known = cut->at > 0;
    sr_json_set(o, key, known ? sr_json_number(cut->at) : sr_json_null());
    sr_json_set(o, key_origin, sr_json_string(known ? cut->origin : NULL));
}

void sr_rows_labels_json(struct sr_json *to, const struct sr_data *d) {
    char labels[256];
    sr_data_labels_text(labels, d);
    sr_json_set(to, "labels", sr_json_string(labels));
    set_cut(to, "small_threshold", "small_threshold_origin", &d->small_cut);
    set_cut(to, "large_threshold", "large_threshold_origin", &d->large_cut);
}

const char *sr_slices_by(const struct sr_data_options *how) {
    return how->names.source ? how->names.source : "source";
}

int sr_json_print(const struct sr_json *tree, int indent, struct sr_error *err) {
    char *text = sr_json_text(tree, indent, err);
    if (text)
        puts(text);
    sr_free(text);
    return text ? 0 : SR_NOMEM;
}
