/* bench_epoch.c: whole epochs from dumps: rows read, drawn and gathered while the steps of the recipe run.
 *
 * Features are streamed from the files, whether they would fit into memory or not, and drawn class-balanced
 * over the recipe's window. Without validation, checkpoints and files.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "train/bench.h"
#include "train/bench_step.h"
#include "train/config.h"

#define LONG_SECONDS 10 /* once epochs have taken so long, no other begins */

struct epochs {
    struct sr_data *data;
    uint32_t *row;
    size_t n, positives;
    struct sr_loader *loader;
    struct sr_bench_step step;
    double *seconds, *waited, *rate; /* [rounds] */
    size_t done;
    struct sr_arena arena;
};

static void carve(struct epochs *e, size_t rounds) {
    e->seconds = sr_arena_take(&e->arena, rounds, sizeof(double));
    e->waited = sr_arena_take(&e->arena, rounds, sizeof(double));
    e->rate = sr_arena_take(&e->arena, rounds, sizeof(double));
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
    if (!e->data->label)
        return "the dump has no labels";
    if (e->positives == 0 || e->positives == e->n)
        return "the dump's labels are all the same, and batches are drawn from both classes";
    return "";
}

static int epochs_begin(struct epochs *e, const struct sr_bench *b, struct sr_error *err) {
    struct sr_config recipe;
    struct sr_options defaults;
    carve(e, b->rounds);
    int status = sr_arena_allocate(&e->arena, err);
    if (status == SR_OK)
        status = sr_options_begin(&defaults, sr_config_table, sr_config_count, &recipe, err);
    if (status < 0)
        return status;
    carve(e, b->rounds);
    const struct sr_loader_options how = {.order = SR_ORDER_BALANCED,
                                          .seed = 1,
                                          .batch = (size_t)recipe.batch,
                                          .window = (size_t)recipe.window};
    status = sr_loader_create(&e->loader, e->data, e->row, e->n, &how, err);
    if (status == SR_OK)
        status = sr_bench_step_create(&e->step, e->data->width, how.batch + 1, err);
    sr_options_end(&defaults);
    return status;
}

static void epochs_end(struct epochs *e) {
    sr_bench_step_free(&e->step);
    sr_loader_free(e->loader);
    sr_data_close(e->data);
    sr_free(e->row);
    sr_free(e->arena.base);
}

static int epoch_run(struct epochs *e, const struct sr_bench *b, struct sr_error *err) {
    struct sr_batch batch;
    const double began = sr_log_clock(), waited = sr_loader_waited(e->loader);
    size_t rows = 0, all = sr_loader_rows(e->loader);
    int got = sr_loader_start(e->loader, e->done, 0, err);
    while (got >= 0 && (got = sr_loader_next(e->loader, &batch, err)) > 0) {
        sr_bench_step(&e->step, batch.x, batch.y, batch.rows);
        rows += batch.rows;
        sr_bench_progress(b, e->done * all + rows, b->rounds * all);
    }
    const double seconds = sr_log_clock() - began;
    e->waited[e->done] = (sr_loader_waited(e->loader) - waited) / seconds;
    e->rate[e->done] = (double)rows / seconds;
    e->seconds[e->done++] = seconds;
    return got;
}

static void epochs_report(struct sr_bench_result *out, struct epochs *e, struct sr_bench *b) {
    struct sr_json *o = out->json = sr_json_object(), *seconds = sr_json_array();
    const size_t rows = sr_loader_rows(e->loader);
    double forward, backward;
    sr_bench_step_work(&forward, &backward, &e->step.model->spec, rows);
    const double median = sr_bench_median(e->seconds, e->done);
    for (size_t i = 0; i < e->done; i++)
        sr_json_append(seconds, sr_json_number(e->seconds[i]));
    sr_json_set(o, "data", sr_json_string(b->data));
    sr_bench_set_integer(o, "rows", rows);
    sr_bench_set_integer(o, "features", e->data->width);
    sr_bench_set_integer(o, "batch", e->step.model->max_rows - 1);
    sr_json_set(o, "threads", sr_json_integer(b->threads));
    sr_bench_set_integer(o, "rounds", e->done);
    sr_json_set(o, "seconds", seconds);
    sr_bench_set_number(o, "seconds_median", median);
    sr_bench_set(o, "rows_per_second", e->rate, e->done);
    sr_bench_set(o, "waiting", e->waited, e->done);
    sr_bench_set_number(o, "step_of_peak", (forward + backward) / sr_bench_fma(b, b->threads) / median);
    snprintf(out->title, sizeof out->title,
             "epoch of %.200s\n%zu rows of %zu %s, streamed, read %s\n"
             "behind rows/s: share of the FMA peak; waiting: share of the time without rows",
             b->data, rows, e->data->width, sr_data_feature_type(e->data), sr_data_way(e->data));
}

static int run(struct sr_bench_result *out, struct sr_bench *b, struct sr_error *err) {
    struct epochs e = {0};
    const double began = sr_log_clock();
    int status = data_open(&e, b, err);
    if (status == SR_OK)
        snprintf(out->left_out, sizeof out->left_out, "%s", data_lacks(&e));
    const bool possible = status == SR_OK && !out->left_out[0];
    if (possible)
        status = epochs_begin(&e, b, err);
    while (possible && status == SR_OK && e.done < b->rounds &&
           (e.done == 0 || sr_log_clock() - began < LONG_SECONDS))
        status = epoch_run(&e, b, err);
    if (possible && status == SR_OK)
        epochs_report(out, &e, b);
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
               {"waiting", .key = "waiting", .percent = true},
               {0}},
};
