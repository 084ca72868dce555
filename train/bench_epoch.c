/* bench_epoch.c: whole epochs from dumps, by phase and size of batch: rows read, drawn and gathered while the
 * steps of the recipe run, and what of that steps have to wait for.
 *
 * Features are streamed from the files, whether they would fit into memory or not, and drawn class-balanced
 * over the recipe's window. Without validation, checkpoints and files. One size of batch after the other:
 * each has a window in memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "train/bench.h"
#include "train/bench_step.h"
#include "train/config.h"

#define LONG_SECONDS 10 /* once epochs of one batch have taken so long, no other begins */

static const size_t batches[] = {64, 256, 1024};

struct epochs {
    struct sr_data *data;
    uint32_t *row;
    size_t n, positives;
    struct sr_loader *loader;
    struct sr_bench_step step;
    double *seconds, *rate, *waited; /* [rounds]; waited: share of the seconds */
    double *phase[SR_PHASES], *wait; /* [rounds], seconds a step */
    size_t done;                     /* epochs of this batch */
    struct sr_arena arena;
};

static void carve(struct epochs *e, size_t rounds) {
    double **const all[] = {&e->seconds,
                            &e->rate,
                            &e->waited,
                            &e->phase[SR_PHASE_FORWARD],
                            &e->phase[SR_PHASE_BACKWARD],
                            &e->phase[SR_PHASE_UPDATE],
                            &e->wait};
    for (size_t i = 0; i < SR_COUNT(all); i++)
        *all[i] = sr_arena_take(&e->arena, rounds, sizeof(double));
}

/* What is wrong with the labels is not looked at: they only have to be there. */
static int data_open(struct epochs *e, const struct sr_bench *b, struct sr_error *err) {
    struct sr_troubles troubles = {0};
    struct sr_data_options how = b->how;
    how.features_only = false;
    how.label_optional = true;
    how.troubles = &troubles;
    int status = sr_data_open(&e->data, b->data, &how, err);
    if (status < 0)
        return status;
    e->row = sr_alloc(e->data->rows, sizeof *e->row, err);
    if (!e->row)
        return SR_NOMEM;
    for (size_t r = 0; e->data->label && r < e->data->rows; r++)
        if (e->data->label[r] != SR_UNKNOWN) {
            e->row[e->n++] = (uint32_t)r;
            e->positives += e->data->label[r];
        }
    return SR_OK;
}

/* "" or why no epoch can be trained. */
static const char *data_lacks(const struct epochs *e) {
    if (!e->data->label || e->n == 0)
        return "the dump has no labels";
    if (e->positives == 0 || e->positives == e->n)
        return "the dump's labels are all the same, and batches are drawn from both classes";
    return "";
}

static int batch_begin(struct epochs *e, size_t batch, struct sr_error *err) {
    struct sr_config recipe;
    struct sr_options defaults;
    int status = sr_options_begin(&defaults, sr_config_table, sr_config_count, &recipe, err);
    if (status < 0)
        return status;
    const struct sr_loader_options how = {
        .order = SR_ORDER_BALANCED, .seed = 1, .batch = batch, .window = (size_t)recipe.window};
    sr_options_end(&defaults);
    e->done = 0;
    status = sr_loader_create(&e->loader, e->data, e->row, e->n, &how, err);
    return status < 0 ? status : sr_bench_step_create(&e->step, e->data->width, batch + 1, err);
}

static void batch_end(struct epochs *e) {
    sr_bench_step_free(&e->step);
    sr_loader_free(e->loader);
    e->loader = NULL;
}

static void epochs_end(struct epochs *e) {
    batch_end(e);
    sr_data_close(e->data);
    sr_free(e->row);
    sr_free(e->arena.base);
}

/* `before` of `all` epochs' rows were done before this batch. */
static int epoch_run(struct epochs *e, const struct sr_bench *b, size_t before, struct sr_error *err) {
    struct sr_batch batch;
    const double began = sr_log_clock(), waited = sr_loader_waited(e->loader);
    const size_t all = sr_loader_rows(e->loader), steps = sr_loader_batches(e->loader);
    size_t rows = 0;
    memset(e->step.seconds, 0, sizeof e->step.seconds);
    int got = sr_loader_start(e->loader, e->done, 0, err);
    while (got >= 0 && (got = sr_loader_next(e->loader, &batch, err)) > 0) {
        sr_bench_step(&e->step, batch.x, batch.y, batch.rows);
        rows += batch.rows;
        sr_bench_progress(b, (before + e->done) * all + rows, SR_COUNT(batches) * b->rounds * all);
    }
    const double seconds = sr_log_clock() - began, wait = sr_loader_waited(e->loader) - waited;
    for (int p = 0; p < SR_PHASES; p++)
        e->phase[p][e->done] = e->step.seconds[p] / (double)steps;
    e->wait[e->done] = wait / (double)steps;
    e->waited[e->done] = wait / seconds;
    e->rate[e->done] = (double)rows / seconds;
    e->seconds[e->done++] = seconds;
    return got;
}

static void batch_report(struct sr_json *o, struct epochs *e, size_t batch, struct sr_bench *b) {
    struct sr_json *seconds = sr_json_array();
    const size_t rows = sr_loader_rows(e->loader);
    double forward, backward;
    sr_bench_step_work(&forward, &backward, &e->step.model->spec, rows);
    const double median = sr_bench_median(e->seconds, e->done);
    for (size_t i = 0; i < e->done; i++)
        sr_json_append(seconds, sr_json_number(e->seconds[i]));
    sr_json_set(o, "data", sr_json_string(b->data));
    sr_bench_set_integer(o, "rows", rows);
    sr_bench_set_integer(o, "features", e->data->width);
    sr_bench_set_integer(o, "batch", batch);
    sr_json_set(o, "threads", sr_json_integer(b->threads));
    sr_bench_set_integer(o, "rounds", e->done);
    sr_json_set(o, "seconds", seconds);
    sr_bench_set_number(o, "seconds_median", median);
    sr_bench_set_milliseconds(o, "forward_ms", e->phase[SR_PHASE_FORWARD], e->done);
    sr_bench_set_milliseconds(o, "backward_ms", e->phase[SR_PHASE_BACKWARD], e->done);
    sr_bench_set_milliseconds(o, "update_ms", e->phase[SR_PHASE_UPDATE], e->done);
    sr_bench_set_milliseconds(o, "waiting_ms", e->wait, e->done);
    sr_bench_set(o, "rows_per_second", e->rate, e->done);
    sr_bench_set(o, "waiting", e->waited, e->done);
    sr_bench_set_number(o, "step_of_peak", (forward + backward) / sr_bench_fma(b, b->threads) / median);
}

/* Batch number i of the list: all its epochs. */
static int batch_measure(struct sr_json *list, struct epochs *e, size_t i, struct sr_bench *b,
                         struct sr_error *err) {
    const double began = sr_log_clock();
    int status = batch_begin(e, batches[i], err);
    while (status == SR_OK && e->done < b->rounds && (e->done == 0 || sr_log_clock() - began < LONG_SECONDS))
        status = epoch_run(e, b, i * b->rounds, err);
    if (status == SR_OK) {
        struct sr_json *o = sr_json_object();
        batch_report(o, e, batches[i], b);
        sr_json_append(list, o);
    }
    batch_end(e);
    return status;
}

static int epochs_measure(struct sr_bench_result *out, struct epochs *e, struct sr_bench *b,
                          struct sr_error *err) {
    carve(e, b->rounds);
    int status = sr_arena_allocate(&e->arena, err);
    if (status < 0)
        return status;
    carve(e, b->rounds);
    struct sr_json *list = sr_json_array();
    for (size_t i = 0; status == SR_OK && i < SR_COUNT(batches); i++)
        status = batch_measure(list, e, i, b, err);
    out->json = list;
    snprintf(out->title, sizeof out->title,
             "epoch of %.200s\n%zu rows of %zu %s, streamed, read %s; milliseconds a step\n"
             "behind rows/s: share of the FMA peak; behind waiting: share of the time without rows",
             b->data, e->n, e->data->width, sr_data_feature_type(e->data), sr_data_way(e->data));
    return status;
}

static int run(struct sr_bench_result *out, struct sr_bench *b, struct sr_error *err) {
    struct epochs e = {0};
    int status = data_open(&e, b, err);
    if (status == SR_OK)
        snprintf(out->left_out, sizeof out->left_out, "%s", data_lacks(&e));
    if (status == SR_OK && !out->left_out[0])
        status = epochs_measure(out, &e, b, err);
    epochs_end(&e);
    return status;
}

const struct sr_bench_part sr_bench_part_epoch = {
    .name = "epoch",
    .needs_data = true,
    .run = run,
    .column = {{"batch", .key = "batch"},
               {"threads", .key = "threads"},
               {"seconds", .key = "seconds_median", .decimals = 3},
               {"rows/s", .key = "rows_per_second", .range = true, .share = "step_of_peak"},
               {"forward", .key = "forward_ms", .decimals = 2},
               {"backward", .key = "backward_ms", .decimals = 2},
               {"update", .key = "update_ms", .decimals = 2},
               {"waiting", .key = "waiting_ms", .decimals = 2, .share = "waiting"},
               {0}},
};
