/* cmd_train_screen.c: what `saferoute train` shows; see cmd_train_screen.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/cmd_train_screen.h"
#include "train/parent.h"
#include "train/summary.h"

#define WARM_STEPS  5  /* not timed: caches and threads wake up */
#define TIMED_STEPS 20 /* enough to tell minutes from hours */
#define VAL_STEP_COST                                                                                        \
    .4 /* of a validation batch against a training step, which also goes backward and updates */

bool sr_display_time_is_up(const struct sr_display *d) {
    return d->deadline > 0 && sr_log_clock() > d->deadline;
}

static double epochs_done(const struct sr_trainer *t) {
    return (double)t->state.at.epoch + (double)t->state.at.batch / (double)sr_loader_batches(t->train_loader);
}

/* Seconds until the epoch limit, judged by the speed so far. */
static double seconds_left(const struct sr_display *d, const struct sr_trainer *t) {
    const double all = epochs_done(t), done = all - d->done;
    return done > 0 ? (sr_log_clock() - d->began) / done * ((double)t->config->epochs - all) : 0;
}

/* Once a few steps were timed: how long this can take at most. */
static void worst_case_print(struct sr_display *d, const struct sr_trainer *t) {
    const double now = sr_log_clock();
    if (++d->steps == WARM_STEPS)
        d->warm = now;
    if (d->steps != WARM_STEPS + TIMED_STEPS)
        return;
    const double step = (now - d->warm) / TIMED_STEPS, batches = (double)sr_loader_batches(t->train_loader);
    const double epoch = step * (batches + VAL_STEP_COST * (double)sr_loader_batches(t->val_loader));
    const double worst = epoch * ((double)t->config->epochs - epochs_done(t));
    char text[24];
    sr_log_info("duration   about %s left at most, at %.1f s an epoch%s", sr_log_duration(worst, text), epoch,
                worst > 3600 && d->deadline == 0
                    ? "; --max-minutes ends it earlier, --epochs and --epoch-rows make it shorter"
                    : "");
}

void sr_display_begin(struct sr_display *d, const struct sr_trainer *t) {
    d->began = sr_log_clock();
    d->done = epochs_done(t);
    d->steps = 0;
}

void sr_display_step(void *user, const struct sr_trainer *t, double loss) {
    struct sr_display *d = user;
    const struct sr_position *at = &t->state.at;
    worst_case_print(d, t);
    if (!sr_log_is_terminal())
        return;
    char eta[24];
    const struct sr_schedule schedule = sr_config_schedule(t->config);
    sr_log_progress((double)at->batch / (double)sr_loader_batches(t->train_loader),
                    "epoch %lld/%lld  loss %.4f  lr %.2e  %.0f rows/s  at most %s left",
                    (long long)at->epoch + 1, (long long)t->config->epochs, loss,
                    sr_schedule_lr(&schedule, (uint64_t)at->epoch), t->rows_per_second,
                    sr_log_duration(seconds_left(d, t), eta));
}

void sr_display_epoch(void *user, const struct sr_trainer *t, bool is_best) {
    const struct sr_display *d = user;
    const struct sr_epoch *e = &t->state.history.epoch[t->state.history.n - 1];
    char eta[24], speed[80] = "";
    if (e->epoch == 0) {
        sr_log_info("epoch   0/%lld  the weights training begins with: val loss %.4f  AUPRC %.4f  AUROC %.4f",
                    (long long)t->config->epochs, e->val_loss, e->val_auprc, e->val_auroc);
        return;
    }
    if (t->rows_per_second > 0) /* else its last step was done before the run was resumed */
        snprintf(speed, sizeof speed, "  %.0f rows/s  at most %s left", t->rows_per_second,
                 sr_log_duration(seconds_left(d, t), eta));
    sr_log_info("epoch %3.0f/%lld  loss %.4f  val loss %.4f  AUPRC %.4f%s AUROC %.4f  lr %.2e%s", e->epoch,
                (long long)t->config->epochs, e->train_loss, e->val_loss, e->val_auprc, is_best ? "*" : " ",
                e->val_auroc, e->lr, speed);
}

void sr_display_speed(const struct sr_trainer *t) {
    if (t->trained.rows > 0)
        sr_log_info("speed      %.0f rows/s, %.1f %% of the time waiting for training rows",
                    (double)t->trained.rows / t->trained.seconds,
                    100 * t->trained.waited / t->trained.seconds);
}

void sr_display_scan(void *user, double fraction) {
    (void)user;
    sr_log_progress(fraction, "looking through the data");
}

static void part_print(const char *what, const struct sr_part *p) {
    sr_log_info("%-10s %zu rows x %zu features, %zu positive (%.1f %%), %s%s", what, p->n, p->data->width,
                p->positives, 100 * (double)p->positives / (double)p->n,
                sr_data_kept(p->data) ? "in memory" : "streamed",
                p->data->weight ? ", weighted by /weight in training; metrics count every row as 1" : "");
    if (p->unlabelled)
        sr_log_warn("%zu more rows have no known label and are left out", p->unlabelled);
}

/* Where the new data is not what the weights were made for. */
static void parent_compare(const struct sr_trainer *t) {
    const struct sr_data *d = t->feed->train_data;
    struct sr_safetensors *parent;
    if (!t->config->init || sr_parent_open(&parent, t->run, NULL) < 0)
        return;
    for (size_t i = 0; i < d->contract_count; i++) {
        const char *was = sr_safetensors_metadata(parent, d->contract[i].key);
        if (was && strcmp(was, d->contract[i].value) != 0)
            sr_log_warn("%s is \"%s\" in the data, but \"%s\" in the weights of --init", d->contract[i].key,
                        d->contract[i].value, was);
    }
    sr_safetensors_close(parent);
}

void sr_display_plan(const struct sr_trainer *t, const struct sr_options *o) {
    const struct sr_blas *blas = sr_blas_begin();
    const struct sr_feed *feed = t->feed;
    char list[256];
    part_print("train", &feed->train);
    part_print("val", &feed->val);
    sr_data_labels_text(list, feed->train_data);
    sr_log_info("labels     %s", list);
    parent_compare(t);
    const size_t bad = feed->train_scan.bad_rows + feed->val_scan.bad_rows;
    if (bad)
        sr_log_warn("%zu rows with a NaN or an infinity are left out (--on-bad-row=skip)", bad);
    if (feed->train.n < SR_STATS_ROWS)
        sr_log_info(
            "%zu training rows are few to measure a range by: the router will find more than one in ten "
            "thousand rows like them far outside (sweep --out sets the limit by the calibration rows)",
            feed->train.n);
    if (feed->known.seen > 0)
        sr_log_warn(
            "%s of the validation rows (at least %zu) are training rows too: the best epoch is the one "
            "that knows them by heart, and its metrics are too good; validate on other rows",
            sr_overlap_text(list, &feed->known), feed->known.seen);
    if (feed->warning[0])
        sr_log_warn("%s", feed->warning);
    sr_log_info("plan       at most %lld epochs of %zu steps, %zu rows", (long long)t->config->epochs,
                sr_loader_batches(t->train_loader), sr_loader_rows(t->train_loader));
    for (size_t i = 0; sr_config_remark(o, i, list); i++)
        sr_log_info("note       %s", list);
    for (size_t i = 0; i < o->count; i++)
        if (strcmp(o->table[i].key, "hidden") == 0)
            sr_log_info("model      %zu-%s-1, %zu parameters", feed->train_data->width,
                        sr_options_text(o, i, list, sizeof list), t->state.model->n_params);
    if (sr_matmul_is_blas())
        sr_log_info("machine    %s kernels, matrix products by OpenBLAS, core %s (%s: %s)",
                    sr_isa_name(sr_vec()->isa), blas->core, blas->core_before, blas->action);
    else
        sr_log_info("machine    %s kernels, matrix products by %s", sr_isa_name(sr_vec()->isa),
                    sr_matmul()->name);
    if (t->warning[0])
        sr_log_warn("%s", t->warning);
}

void sr_display_settings(const struct sr_options *o) {
    char value[4096];
    for (size_t i = 0; i < o->count; i++) {
        if (o->table[i].flag_only)
            continue;
        sr_options_text(o, i, value, sizeof value);
        if (value[0])
            sr_log_info("  %-20s %-24s %s", o->table[i].key, value, sr_origin_name(o->origins[i]));
    }
}

void sr_display_machine(const struct sr_config *c) {
    const char *processors, *memory;
    const int threads = sr_cpu_threads((int)c->threads);
    sr_cpu_count(&processors);
    const size_t bytes = sr_memory_available(&memory);
    sr_log_info("saferoute %s: %d thread%s (%s), %.1f GB of memory (%s)", SR_VERSION, threads,
                threads == 1 ? "" : "s",
                c->threads > 0              ? "--threads"
                : getenv("OMP_NUM_THREADS") ? "OMP_NUM_THREADS"
                                            : processors,
                (double)(c->memory < 0 ? bytes : (size_t)c->memory) / 1e9,
                c->memory < 0 ? memory : "--memory");
}

/* ---- the summary ---- */

/* Prints a file of the run, up to a line if that is given. */
static int file_print(const struct sr_run *run, const char *name, const char *until, struct sr_error *err) {
    char path[SR_RUN_PATH];
    void *text;
    size_t size;
    const int status = sr_file_read_regular(&text, &size, sr_run_file(run, name, path), "a run's summary",
                                            SR_SUMMARY_BYTES, err);
    if (status < 0)
        return status;
    char *end = until ? strstr(text, until) : NULL;
    if (end)
        end[1] = '\0'; /* behind the newline that until begins with */
    fputs(text, stdout);
    sr_free(text);
    return SR_OK;
}

int sr_display_summary(const struct sr_run *run, const struct sr_config *c, struct sr_error *err) {
    char path[SR_RUN_PATH];
    if (c->json) {
        const int status = file_print(run, SR_SUMMARY_JSON, NULL, err);
        putchar('\n');
        return status;
    }
    const int status = file_print(run, SR_SUMMARY_TEXT, c->full ? NULL : SR_SUMMARY_MORE, err);
    if (status == SR_OK) {
        printf("router         %s\n", sr_run_file(run, "best.safetensors", path));
        printf("next           saferoute sweep --model %s --data CALIBRATION.h5 --rule R --out ROUTER\n"
               "               saferoute eval --model ROUTER --data TEST.h5\n",
               path);
    }
    return status;
}
