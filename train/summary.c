/* summary.c: the summary of a run; see summary.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "eval/eval.h"
#include "infer/infer.h"
#include "train/loop.h"
#include "train/parent.h"
#include "train/summary.h"

/* The validation rows' columns and scores, side by side. */
struct rows {
    size_t n;
    uint8_t *label, *gold, *small_pred, *large_pred; /* the last three NULL unless all are there */
    float *prob, *parent_prob, *small_prob;          /* the last two may be NULL */
    int64_t *group;                                  /* may be NULL */
    int32_t *file, *source;                          /* source may be NULL */
    struct sr_arena arena;
};

static void rows_carve(struct rows *r, const struct sr_data *d, bool has_parent) {
    struct sr_arena *a = &r->arena;
    const bool guards = d->gold && d->small_pred && d->large_pred;
    r->label = sr_arena_take(a, r->n, 1);
    r->gold = guards ? sr_arena_take(a, r->n, 1) : NULL;
    r->small_pred = guards ? sr_arena_take(a, r->n, 1) : NULL;
    r->large_pred = guards ? sr_arena_take(a, r->n, 1) : NULL;
    r->prob = sr_arena_take(a, r->n, sizeof(float));
    r->parent_prob = has_parent ? sr_arena_take(a, r->n, sizeof(float)) : NULL;
    r->small_prob = d->small_prob ? sr_arena_take(a, r->n, sizeof(float)) : NULL;
    r->group = d->group ? sr_arena_take(a, r->n, sizeof(int64_t)) : NULL;
    r->file = sr_arena_take(a, r->n, sizeof(int32_t));
    r->source = d->source ? sr_arena_take(a, r->n, sizeof(int32_t)) : NULL;
}

static int rows_gather(struct rows *r, const struct sr_part *p, bool has_parent, struct sr_error *err) {
    const struct sr_data *d = p->data;
    *r = (struct rows){.n = p->n};
    rows_carve(r, d, has_parent);
    const int status = sr_arena_allocate(&r->arena, err);
    if (status < 0)
        return status;
    rows_carve(r, d, has_parent);
    for (size_t i = 0; i < p->n; i++) {
        const size_t row = p->row[i];
        r->label[i] = d->label[row];
        if (r->gold) {
            r->gold[i] = d->gold[row];
            r->small_pred[i] = d->small_pred[row];
            r->large_pred[i] = d->large_pred[row];
        }
        if (r->small_prob)
            r->small_prob[i] = d->small_prob[row];
        if (r->group)
            r->group[i] = d->group[row];
        if (r->source)
            r->source[i] = d->source[row];
        r->file[i] = (int32_t)sr_data_file(d, row);
    }
    return SR_OK;
}

/* The probabilities of one weights file, and the threshold it decides at. */
static int weights_score(float *prob, float *threshold, const struct sr_run *run, const char *name,
                         const struct sr_part *p, struct sr_error *err) {
    char path[SR_RUN_PATH];
    struct sr_router *router;
    struct sr_scores scores = {0};
    int status = sr_router_open(&router, sr_run_file(run, name, path), err);
    if (status < 0)
        return status;
    *threshold = SR_THRESHOLD_UNSET;
    sr_router_threshold(router, threshold);
    status = sr_score_rows(&scores, router, p->data, p->row, p->n, NULL, NULL, err);
    if (status == SR_OK)
        memcpy(prob, scores.prob, p->n * sizeof *prob);
    sr_scores_free(&scores);
    sr_router_close(router);
    return status;
}

/* One table of slices: by file, or by source. */
struct slices {
    const char *heading;
    struct sr_slice *slice; /* [n] */
    size_t n;
};

static int slices_measure(struct slices *s, const char *heading, const char *const *names, size_t n,
                          const int32_t *number, const struct rows *r, struct sr_error *err) {
    *s = (struct slices){.heading = heading};
    if (!number)
        return SR_OK;
    s->slice = sr_alloc(n, sizeof *s->slice, err);
    if (!s->slice)
        return SR_NOMEM;
    s->n = n;
    return sr_slices_measure(s->slice, names, n, number, r->label, r->parent_prob, r->prob, r->n, err);
}

/* Everything the two files are written from. */
struct report {
    struct sr_evaluation evaluation;
    struct sr_comparison comparison; /* with the parent */
    struct sr_screen_words words;
    struct slices slices[2];
    bool has_parent;
    const struct sr_epoch *best;
};

static void text_print(FILE *to, const struct report *r) {
    sr_screen_print(to, &r->evaluation, r->has_parent ? &r->comparison : NULL, &r->words);
    if (!r->has_parent)
        fputs(&SR_SUMMARY_MORE[1], to); /* what is before it ended its line */
    for (size_t i = 0; i < SR_COUNT(r->slices); i++)
        if (r->slices[i].n > 0)
            sr_slices_print(to, r->slices[i].heading, r->slices[i].slice, r->slices[i].n);
    if (r->has_parent)
        fputs(&SR_SUMMARY_MORE[1], to); /* what is before it ended its line */
    fputs("\nbest epoch\n", to);
    const double *value = (const double *)r->best;
    for (size_t c = 0; c < SR_EPOCH_COLUMNS; c++) {
        fprintf(to, "%-18s ", sr_epoch_column[c].key);
        if (isnan(value[c]))
            fprintf(to, "%12s\n", "undefined");
        else
            fprintf(to, sr_epoch_column[c].whole ? "%12.0f\n" : "%12.6g\n", value[c]);
    }
}

static struct sr_json *report_json(const struct report *r) {
    struct sr_json *o = sr_json_object();
    sr_json_set(o, "schema_version", sr_json_integer(2));
    sr_evaluation_json(o, &r->evaluation);
    sr_json_set(o, "threshold_origin", sr_json_string(r->words.threshold_origin));
    sr_json_set(o, "labels", sr_json_string(r->words.labels));
    sr_json_set(o, "best_epoch", sr_json_integer(r->words.best_epoch));
    sr_json_set(o, "epochs", sr_json_integer(r->words.epochs));
    sr_comparison_json(o, r->has_parent ? &r->comparison : NULL);
    for (size_t i = 0; i < SR_COUNT(r->slices); i++)
        sr_json_set(o, r->slices[i].heading, sr_slices_json(r->slices[i].slice, r->slices[i].n));
    sr_json_set(o, "metrics", sr_epoch_json(r->best));
    return o;
}

static int files_write(const struct sr_run *run, const struct report *r, struct sr_error *err) {
    char path[SR_RUN_PATH];
    struct sr_atomic_file *f;
    int status = sr_atomic_file_open(&f, sr_run_file(run, SR_SUMMARY_TEXT, path), err);
    if (status < 0)
        return status;
    text_print(sr_atomic_file_stream(f), r);
    status = sr_atomic_file_commit(f, err);
    if (status < 0)
        return status;
    struct sr_json *o = report_json(r);
    char *json = sr_json_text(o, 1, err);
    sr_json_free(o);
    status = json ? sr_atomic_file_write(sr_run_file(run, SR_SUMMARY_JSON, path), json, strlen(json), err)
                  : SR_NOMEM;
    sr_free(json);
    return status;
}

/* 1 with the text (free with sr_free) of a file of the run, 0 where there is none to be read. */
static int text_read(char **text, size_t *size, const struct sr_run *run, const char *name,
                     struct sr_error *err) {
    char path[SR_RUN_PATH];
    void *bytes = NULL;
    const int status = sr_file_read_regular(&bytes, size, sr_run_file(run, name, path), "a run's summary",
                                            SR_SUMMARY_BYTES, err);
    *text = bytes;
    if (status == SR_OK && bytes)
        return 1;
    return status == SR_NOMEM || status == SR_IO ? status : 0;
}

static int json_look(const struct sr_run *run, const struct sr_epoch *best, struct sr_error *err) {
    char *text;
    size_t size;
    struct sr_json *o;
    int64_t step;
    int status = text_read(&text, &size, run, SR_SUMMARY_JSON, err);
    if (status != 1)
        return status;
    status = sr_json_parse(&o, text, size, err);
    sr_free(text);
    if (status < 0)
        return status == SR_NOMEM ? status : 0;
    const bool same = sr_json_as_integer(sr_json_get(sr_json_get(o, "metrics"), "step"), &step) &&
                      (double)step == best->step;
    sr_json_free(o);
    return same;
}

int sr_summary_look(const struct sr_run *run, const struct sr_epoch *best, struct sr_error *err) {
    char *text;
    size_t size;
    int status = json_look(run, best, err);
    if (status == 1)
        status = text_read(&text, &size, run, SR_SUMMARY_TEXT, err);
    if (status != 1)
        return status;
    const bool whole = strstr(text, SR_SUMMARY_MORE) && text[size - 1] == '\n';
    sr_free(text);
    return whole;
}

void sr_summary_remove(const struct sr_run *run) {
    char path[SR_RUN_PATH];
    unlink(sr_run_file(run, SR_SUMMARY_JSON, path));
    unlink(sr_run_file(run, SR_SUMMARY_TEXT, path));
}

/* Both at the same threshold: that of the parent, if it has one, was chosen for it. */
static int evaluation_measure(struct report *r, const struct rows *rows, float threshold,
                              struct sr_error *err) {
    const struct sr_rows in = {.n = rows->n,
                               .label = rows->label,
                               .prob = rows->prob,
                               .gold = rows->gold,
                               .small_pred = rows->small_pred,
                               .large_pred = rows->large_pred,
                               .small_prob = rows->small_prob,
                               .group = rows->group};
    const struct sr_measure_options how = {.threshold = threshold,
                                           .draws = SR_DRAWS,
                                           .prices = sr_prices_unknown,
                                           .prevalence = (double)NAN,
                                           .train_share = (double)NAN};
    const int status = sr_evaluate(&r->evaluation, &in, &how, err);
    if (status < 0 || !r->has_parent)
        return status;
    return sr_compare(&r->comparison, &in, &how, rows->parent_prob, threshold, err);
}

static int report_measure(struct report *r, const struct rows *rows, float threshold, const struct sr_data *d,
                          struct sr_error *err) {
    const char **files = sr_alloc(d->files, sizeof *files, err);
    if (!files)
        return SR_NOMEM;
    for (size_t f = 0; f < d->files; f++)
        files[f] = sr_path_name(sr_data_path(d, f));
    int status = evaluation_measure(r, rows, threshold, err);
    if (status == SR_OK)
        status = slices_measure(&r->slices[0], "files", files, d->files, rows->file, rows, err);
    if (status == SR_OK)
        status = slices_measure(&r->slices[1], "sources", (const char *const *)d->source_names, d->sources,
                                rows->source, rows, err);
    sr_free(files);
    return status;
}

int sr_summary_write(const struct sr_run *run, const struct sr_config *c, struct sr_feed *feed,
                     const struct sr_position *at, const struct sr_history *history, struct sr_error *err) {
    float threshold = 0, parent_threshold = 0;
    char labels_text[256];
    struct rows rows;
    struct report r = {
        .has_parent = c->init,
        .best = &history->epoch[at->best - 1],
        .words = {.threshold_origin = "none is chosen yet, so this one is used",
                  .against = "parent",
                  .best_epoch = sr_best_epoch(at, history),
                  .epochs = at->epoch},
    };
    int status = rows_gather(&rows, &feed->val, r.has_parent, err);
    if (status == SR_OK)
        status = weights_score(rows.prob, &threshold, run, "best.safetensors", &feed->val, err);
    if (status == SR_OK && r.has_parent)
        status = weights_score(rows.parent_prob, &parent_threshold, run, SR_PARENT_FILE, &feed->val, err);
    if (status == SR_OK) {
        sr_data_labels_text(labels_text, feed->val.data);
        r.words.labels = labels_text;
        status = report_measure(&r, &rows, threshold, feed->val.data, err);
    }
    if (status == SR_OK)
        status = files_write(run, &r, err);
    for (size_t i = 0; i < SR_COUNT(r.slices); i++)
        sr_free(r.slices[i].slice);
    sr_free(rows.arena.base);
    return status;
}
