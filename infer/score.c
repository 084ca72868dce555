/* score.c: a dump scored by a router; where data and infer meet.
 *
 * Rows come from a loader in file order, are cut into blocks of a fixed number of rows, and the blocks are
 * spread over threads. A row's bits depend on the row alone, so neither threads nor batches show in the
 * result. Also here: what the commands that score have in common (opening, the threshold that holds, rows
 * that the weights have seen before). Part of the program, not of the library.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/data.h"
#include "infer/infer.h"

#define BATCH_ROWS 1024
#define BLOCK_ROWS 16 /* one thread's piece: small, so that many threads share a batch evenly */

const char *sr_reason_text(int reason) {
    return reason == SAFEROUTE_REASON_SCORE ? ""
           : reason == SR_REASON_NOT_SCORED ? "no score in the file of scores"
                                            : saferoute_reason_text(reason);
}

const char *sr_use_key(enum sr_use use) {
    static const char *const keys[] = {
#define X(name, key, text) key,
        SR_USE_LIST(X)
#undef X
    };
    return keys[use];
}

/* Rows first .. first+rows of s, whose features are x. */
static void score_block(struct sr_scores *s, size_t first, const struct sr_router *r, const float *x,
                        size_t rows) {
    const size_t width = sr_router_width(r);
    struct saferoute_decision decision[BLOCK_ROWS];
    saferoute_decide(
        sr_router_shipped(r), decision,
        &(struct saferoute_rows){.features = x, .dtype = SAFEROUTE_FLOAT32, .rows = rows, .width = width},
        NULL);
    for (size_t i = 0; i < rows; i++) {
        s->hash[first + i] = sr_row_hash(x + i * width, width);
        s->logit[first + i] = decision[i].logit;
        s->prob[first + i] = decision[i].prob;
        s->range[first + i] = decision[i].range;
        s->reason[first + i] = decision[i].reason;
    }
}

static void score_batch(struct sr_scores *s, size_t first, const struct sr_router *r, const float *x,
                        size_t rows) {
    const size_t width = sr_router_width(r);
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < rows; i += BLOCK_ROWS)
        score_block(s, first + i, r, x + i * width, rows - i < BLOCK_ROWS ? rows - i : BLOCK_ROWS);
}

static void count_row(struct sr_scores *s, size_t i) {
    s->bad_rows += isnan(s->prob[i]) != 0;
    s->out_of_range += s->reason[i] == SAFEROUTE_REASON_OUT_OF_RANGE;
}

static int score_all(struct sr_scores *s, const struct sr_router *r, struct sr_loader *loader,
                     void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    struct sr_batch batch;
    size_t done = 0;
    int status = sr_loader_start(loader, 0, 0, err);
    while (status == 0 && (status = sr_loader_next(loader, &batch, err)) > 0) {
        score_batch(s, done, r, batch.x, batch.rows);
        for (size_t i = 0; i < batch.rows; i++)
            count_row(s, done + i);
        done += batch.rows;
        if (progress)
            progress(user, (double)done / (double)s->rows);
        status = 0;
    }
    return status;
}

static int check_width(const struct sr_router *r, const struct sr_data *d, struct sr_error *err) {
    const char *path;
    size_t row;
    if (d->width == sr_router_width(r))
        return 0;
    sr_data_locate(d, 0, &path, &row);
    return sr_fail(
        err, SR_DATA,
        "%s: rows of %zu features, but the router reads %zu: dump and weights are of different models "
        "or layers",
        path, d->width, sr_router_width(r));
}

int sr_score_rows(struct sr_scores *out, const struct sr_router *r, struct sr_data *d, const uint32_t *row,
                  size_t n, void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    const struct sr_loader_options how = {.order = SR_ORDER_FILE, .batch = BATCH_ROWS};
    struct sr_scores s = {.rows = n};
    struct sr_loader *loader = NULL;
    int status = check_width(r, d, err);
    if (status < 0)
        return status;
    s.logit = sr_alloc(n, sizeof *s.logit, err);
    s.prob = sr_alloc(n, sizeof *s.prob, err);
    s.range = sr_alloc(n, sizeof *s.range, err);
    s.reason = sr_alloc(n, 1, err);
    s.hash = sr_alloc(n, sizeof *s.hash, err);
    status = s.logit && s.prob && s.range && s.reason && s.hash
                 ? sr_loader_create(&loader, d, row, n, &how, err)
                 : SR_NOMEM;
    if (status == 0)
        status = score_all(&s, r, loader, progress, user, err);
    sr_loader_free(loader);
    if (status == 0)
        *out = s;
    else
        sr_scores_free(&s);
    return status;
}

int sr_score_data(struct sr_scores *out, const struct sr_router *r, struct sr_data *d,
                  void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    uint32_t *row = sr_alloc(d->rows, sizeof *row, err);
    if (!row)
        return SR_NOMEM;
    for (size_t i = 0; i < d->rows; i++)
        row[i] = (uint32_t)i;
    const int status = sr_score_rows(out, r, d, row, d->rows, progress, user, err);
    sr_free(row);
    return status;
}

void sr_scores_free(struct sr_scores *s) {
    sr_free(s->logit);
    sr_free(s->prob);
    sr_free(s->range);
    sr_free(s->reason);
    sr_free(s->hash);
    *s = (struct sr_scores){0};
}

static int compare_ranges(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

int sr_scores_range_limit(float *limit, size_t *beyond, const struct sr_scores *s, struct sr_error *err) {
    float *falling = sr_alloc(s->rows, sizeof *falling, err);
    size_t n = 0;
    if (!falling)
        return SR_NOMEM;
    for (size_t i = 0; s->range && i < s->rows; i++)
        if (s->range[i] > 0)
            falling[n++] = s->range[i];
    qsort(falling, n, sizeof *falling, compare_ranges);
    if (n >= SR_RANGE_ROWS)
        *limit = falling[(size_t)((double)n * SR_RANGE_TRIPS)];
    const bool set = n >= SR_RANGE_ROWS && *limit <= (float)SR_RANGE_LIMIT_MOST;
    for (*beyond = 0; set && falling[*beyond] > *limit;)
        ++*beyond;
    sr_free(falling);
    return set;
}

static void set_threshold(struct sr_scoring *s, double given, bool is_given) {
    const char *rule = s->router ? sr_router_metadata(s->router, "threshold_rule") : NULL;
    const char *origin = s->router ? "unset in the weights, so this is used; --threshold gives another"
                                   : "no weights were given, so this is used; --threshold gives another";
    bool stored = false;
    s->threshold = SR_THRESHOLD_UNSET;
    if (is_given) {
        s->threshold = (float)given;
        origin = "given by --threshold";
    } else if ((stored = s->router && sr_router_threshold(s->router, &s->threshold)))
        origin = rule ? "stored in the weights, rule " : "stored in the weights";
    s->threshold_is_set = is_given || stored;
    const size_t n = strlen(origin); /* metadata is free text of strangers */
    memcpy(s->threshold_origin, origin, n + 1);
    if (stored && rule)
        sr_utf8_clean(s->threshold_origin + n, sizeof s->threshold_origin - n, rule);
    sr_decimal_float(s->threshold_text, s->threshold);
}

int sr_scoring_open(struct sr_scoring *s, const struct sr_score_options *o, const struct sr_data_options *how,
                    bool threshold_given, struct sr_error *err) {
    int status;
    *s = (struct sr_scoring){0};
    if (!o->model && !o->scores)
        return sr_fail(err, SR_USAGE, "--model is missing: the weights to score with");
    if (!o->data)
        return sr_fail(err, SR_USAGE, "--data is missing: the feature dump to score");
    sr_cpu_threads((int)o->threads);
    s->model_path = o->model;
    s->scores_path = o->scores;
    if ((o->model && (status = sr_router_open(&s->router, o->model, err)) < 0) ||
        (status = sr_data_open(&s->data, o->data, how, err)) < 0 ||
        (s->router && (status = check_width(s->router, s->data, err)) < 0))
        return status;
    set_threshold(s, o->threshold, threshold_given);
    if (o->scores)
        return 0;
    const size_t memory =
        o->memory < 0 ? sr_memory_available(NULL) / 2 : (size_t)o->memory; /* below 0: auto */
    return memory > 0 ? sr_data_keep(s->data, memory, err) : 0;
}

void sr_scoring_close(struct sr_scoring *s) {
    sr_scores_free(&s->scores);
    sr_data_close(s->data);
    sr_router_close(s->router);
    *s = (struct sr_scoring){0};
}

int sr_router_used(struct sr_overlap *overlap, const struct sr_router *r, const char *path,
                   const struct sr_scores *scores, struct sr_error *err) {
    for (enum sr_use u = 0; u < SR_USES; u++) {
        const char *text = r && scores->hash ? sr_router_metadata(r, sr_use_key(u)) : NULL;
        struct sr_sketch sketch;
        overlap[u] = (struct sr_overlap){.share = (double)NAN};
        if (!text)
            continue;
        const int status = sr_sketch_parse(&sketch, text, path, sr_use_key(u), err);
        if (status < 0)
            return status;
        overlap[u] = sr_sketch_overlap(&sketch, scores->hash, scores->rows);
    }
    return 0;
}

const struct sr_pair *sr_router_differs(const struct sr_router *r, const struct sr_data *d, size_t *i) {
    while (r && *i < d->contract_count) {
        const struct sr_pair *of_dump = &d->contract[(*i)++];
        const char *of_weights = sr_router_metadata(r, of_dump->key);
        if (of_weights && strcmp(of_weights, of_dump->value) != 0)
            return of_dump;
    }
    return NULL;
}
