/* cmd_train.c: `saferoute train`: settings, signals, what people see.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer/infer.h"
#include "train/loop.h"

static volatile sig_atomic_t stop_asked;

static void on_signal(int number) {
    (void)number;
    stop_asked = 1;
}

/* The first signal asks for a checkpoint and an orderly end, a second one of the same kind ends the program
 * at once. A signal that whoever started us has switched off (nohup) stays off. */
static void signals_catch(void) {
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)(SA_RESTART | SA_RESETHAND)}, before;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < SR_COUNT(numbers); i++)
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
}

/* What the display needs to know between calls. */
struct display {
    double began; /* clock at the first step here */
    double done;  /* epochs, and part of one, done before that */
};

static bool watch_stop(void *user) {
    (void)user;
    return stop_asked;
}

static void scan_progress(void *user, double fraction) {
    (void)user;
    sr_log_progress(fraction, "looking through the data");
}

static double epochs_done(const struct sr_trainer *t) {
    return (double)t->state.at.epoch +
           (double)t->state.at.batch / (double)sr_loader_batches(t->feed->train.loader);
}

/* Seconds until the epoch limit, judged by the speed so far. */
static double seconds_left(const struct display *d, const struct sr_trainer *t) {
    const double all = epochs_done(t), done = all - d->done;
    return done > 0 ? (sr_log_clock() - d->began) / done * ((double)t->config->epochs - all) : 0;
}

static void watch_step(void *user, const struct sr_trainer *t, double loss) {
    const struct display *d = user;
    const struct sr_position *at = &t->state.at;
    if (!sr_log_is_terminal())
        return;
    char eta[24];
    const struct sr_schedule schedule = sr_config_schedule(t->config);
    sr_log_progress((double)at->batch / (double)sr_loader_batches(t->feed->train.loader),
                    "epoch %lld/%lld  loss %.4f  lr %.2e  %.0f rows/s  at most %s left",
                    (long long)at->epoch + 1, (long long)t->config->epochs, loss,
                    sr_schedule_lr(&schedule, (uint64_t)at->epoch), t->rows_per_second,
                    sr_log_duration(seconds_left(d, t), eta));
}

static void watch_epoch(void *user, const struct sr_trainer *t, bool is_best) {
    const struct display *d = user;
    const struct sr_epoch *e = &t->state.history.epoch[t->state.history.n - 1];
    char eta[24];
    sr_log_info("epoch %3.0f/%lld  loss %.4f  val loss %.4f  AUPRC %.4f%s AUROC %.4f  lr %.2e  %.0f rows/s  "
                "at most %s left",
                e->epoch, (long long)t->config->epochs, e->train_loss, e->val_loss, e->val_auprc,
                is_best ? "*" : " ", e->val_auroc, e->lr, t->rows_per_second,
                sr_log_duration(seconds_left(d, t), eta));
}

static const char usage[] =
    "usage: saferoute train --train A.h5[,B.h5] (--val V.h5 | --val-fraction F) --out RUN [--KEY VALUE ...]\n"
    "       saferoute train --resume RUN\n"
    "\n"
    "Trains a router from feature dumps (HDF5) and keeps the epoch with the best validation AUPRC. Without "
    "further\n"
    "settings this is the published recipe. Every setting below can also stand in a file (--config FILE, "
    "one\n"
    "\"key: value\" a line) or be given as --set key=value; later ones win. The effective settings are "
    "printed and\n"
    "saved in RUN/config.yaml.";

static const char notes[] =
    "RUN holds best.safetensors (the router), last.safetensors, checkpoint.safetensors, config.yaml, "
    "data.json,\n"
    "metrics.csv, metrics.jsonl, timing.csv and train.log. Ctrl-C and SIGTERM write a checkpoint first; "
    "--resume goes\n"
    "on from it and ends in the same bytes as a run never interrupted.\n"
    "\n"
    "exit status: 0 done, 2 wrong usage, 65 bad data, 66 no such file, 71 out of memory, 74 input/output "
    "error,\n"
    "75 stopped by a signal with a checkpoint to resume from.\n"
    "\n"
    "examples:\n"
    "  saferoute train --train train.h5 --val val.h5 --out runs/monday\n"
    "  saferoute train --train a.h5,b.h5 --val-fraction 0.1 --epochs 30 --patience 0 --out runs/short\n"
    "  saferoute train --resume runs/monday";

static void part_print(const char *what, const struct sr_part *p) {
    sr_log_info("%-10s %zu rows x %zu features, %zu positive (%.1f %%), %s%s", what, p->n, p->data->width,
                p->positives, 100 * (double)p->positives / (double)p->n,
                sr_data_kept(p->data) ? "in memory" : "streamed",
                p->data->label_derived ? ", labels derived from gold and verdicts" : "");
}

static void plan_print(const struct sr_trainer *t, const struct sr_options *o, int threads) {
    const struct sr_blas *blas = sr_blas_begin();
    char list[64];
    part_print("train", &t->feed->train);
    part_print("val", &t->feed->val);
    sr_log_info("plan       at most %lld epochs of %zu steps", (long long)t->config->epochs,
                sr_loader_batches(t->feed->train.loader));
    const size_t bad = t->feed->train_scan.bad_rows + t->feed->val_scan.bad_rows;
    if (bad)
        sr_log_warn("%zu rows with a NaN or an infinity are left out (--on-bad-row=skip)", bad);
    for (size_t i = 0; i < o->count; i++)
        if (strcmp(o->table[i].key, "hidden") == 0)
            sr_log_info("model      %zu-%s-1, %zu parameters", t->feed->train_data->width,
                        sr_options_text(o, i, list, sizeof list), t->state.model->n_params);
    sr_log_info("machine    %d thread%s, %s kernels, OpenBLAS core %s (%s: %s)", threads,
                threads == 1 ? "" : "s", sr_isa_name(sr_vec()->isa), blas->core, blas->core_before,
                blas->action);
    if (t->warning[0])
        sr_log_warn("%s", t->warning);
}

static void settings_print(const struct sr_options *o) {
    char value[4096];
    for (size_t i = 0; i < o->count; i++) {
        if (o->table[i].flag_only)
            continue;
        sr_options_text(o, i, value, sizeof value);
        if (value[0])
            sr_log_info("  %-20s %-24s %s", o->table[i].key, value, sr_origin_name(o->origins[i]));
    }
}

static void undefined_or(char text[16], double value) {
    snprintf(text, 16, isnan(value) ? "undefined" : "%.4f", value);
}

static void summary_print(const struct sr_position *at, const struct sr_history *h,
                          const struct sr_run *run) {
    const struct sr_epoch *e = &h->epoch[at->best_epoch - 1];
    char f1[16], precision[16], recall[16], path[SR_RUN_PATH];
    undefined_or(f1, e->val_f1);
    undefined_or(precision, e->val_precision);
    undefined_or(recall, e->val_recall);
    printf("best epoch     %lld of %zu\n", (long long)at->best_epoch, h->n);
    printf("AUPRC          %.4f   (chance would get the share of positive rows, %.4f)\n", e->val_auprc,
           e->val_base_rate);
    printf("AUROC          %.4f\n", e->val_auroc);
    printf("threshold      unset; at %.1f: F1 %s, precision %s, recall %s, %.1f %% routed\n",
           (double)SR_THRESHOLD_UNSET, f1, precision, recall, 100 * e->val_share_routed);
    printf("router         %s\n", sr_run_file(run, "best.safetensors", path));
    printf("next           saferoute eval --model %s --data TEST.h5\n", path);
}

/* On --resume the settings are those of the run; only what never changes results may be given again. */
static int resume_settings(struct sr_options *o, const struct sr_run *run, int argc, char **argv,
                           struct sr_error *err) {
    static const char *const allowed[] = {"resume", "memory", "threads", "checkpoint_seconds",
                                          "train",  "val"};
    char path[SR_RUN_PATH];
    for (size_t i = 0; i < o->count; i++) {
        bool may = false;
        for (size_t j = 0; j < SR_COUNT(allowed); j++)
            may |= strcmp(o->table[i].key, allowed[j]) == 0;
        if (!may && o->origins[i] != SR_ORIGIN_DEFAULT)
            return sr_fail(
                err, SR_USAGE,
                "%s cannot be changed in a resumed run: its settings are those in %s; start a new run with "
                "--out",
                o->table[i].key, sr_run_file(run, "config.yaml", path));
    }
    const int status = sr_config_read(o, sr_run_file(run, "config.yaml", path), err);
    return status < 0 ? status : sr_options_arguments(o, argc, argv, err);
}

/* Settings in the order of precedence; flags were read once already, to find --config and --resume. */
static int settings(struct sr_config *c, struct sr_options *o, struct sr_run *run, int argc, char **argv,
                    struct sr_error *err) {
    int status = SR_OK;
    if (c->resume) {
        status = sr_run_open(run, c->resume, err);
        return status < 0 ? status : resume_settings(o, run, argc, argv, err);
    }
    if (!c->out)
        return sr_fail(err, SR_USAGE, "no run folder: give --out RUN (or --resume RUN to go on with one)");
    if (c->config) {
        status = sr_config_read(o, c->config, err);
        if (status == SR_OK)
            status = sr_options_arguments(o, argc, argv, err);
    }
    return status;
}

/* Prints the comma-separated paths, those that exist made absolute; of the others the reader says that they
 * are missing. */
static void paths_print(FILE *to, const char *paths) {
    char absolute[PATH_MAX];
    for (const char *p = paths; *p; p += *p == ',') {
        const size_t length = strcspn(p, ",");
        char *one = strndup(p, length);
        fprintf(to, "%s%s", p == paths ? "" : ",", !one ? "" : realpath(one, absolute) ? absolute : one);
        free(one);
        p += length;
    }
}

/* So that a run can be resumed from another folder. */
static int paths_absolute(struct sr_options *o, const char *key, const char *paths, struct sr_error *err) {
    if (!paths)
        return SR_OK;
    char *list = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&list, &size);
    if (!to)
        return sr_fail(err, SR_NOMEM, "out of memory for a list of files");
    paths_print(to, paths);
    int status = fclose(to) == 0 ? SR_OK : sr_fail(err, SR_NOMEM, "out of memory for a list of files");
    if (status == SR_OK)
        status = sr_options_set(o, key, list, sr_options_origin(o, key), err);
    free(list);
    return status;
}

/* What config.yaml says must be readable when the run is resumed; a file name of odd bytes is not. */
static int text_check(const char *text, struct sr_error *err) {
    struct sr_config scratch;
    struct sr_options o;
    struct sr_error inner = {0};
    int status = sr_options_begin(&o, sr_config_table, sr_config_count, &scratch, err);
    if (status == SR_OK && sr_config_parse(&o, text, strlen(text), "config.yaml", &inner) < 0)
        status =
            sr_fail(err, SR_USAGE,
                    "a path or name cannot be kept in the run's settings (%s): use names of printable UTF-8",
                    inner.text);
    sr_options_end(&o);
    return status;
}

static int run_create(const struct sr_config *c, struct sr_options *o, struct sr_run *run,
                      struct sr_error *err) {
    int status = paths_absolute(o, "train", c->train, err);
    if (status == SR_OK)
        status = paths_absolute(o, "val", c->val, err);
    if (status < 0)
        return status;
    char *text = sr_config_text(o, err);
    if (!text)
        return SR_NOMEM;
    status = text_check(text, err);
    if (status == SR_OK)
        status = sr_run_create(run, c->out, text, err);
    sr_free(text);
    return status;
}

static int train(const struct sr_config *c, struct sr_options *o, struct sr_feed *feed, struct sr_run *run,
                 int threads, struct sr_error *err) {
    struct display display = {0};
    struct sr_trainer t;
    const struct sr_watch watch = {
        .user = &display, .step = watch_step, .epoch = watch_epoch, .stop = watch_stop};
    const double began = sr_log_clock();
    int status = sr_trainer_open(&t, c, o, feed, run, &watch, err);
    if (status == SR_OK) {
        plan_print(&t, o, threads);
        display.began = sr_log_clock();
        display.done = epochs_done(&t);
        status = sr_train(&t, err);
    }
    if (status == SR_OK) {
        char time[24];
        summary_print(&t.state.at, &t.state.history, run);
        sr_log_info("trained for %s, peak memory %.0f MB", sr_log_duration(sr_log_clock() - began, time),
                    (double)sr_memory_peak() / 1e6);
    }
    sr_trainer_close(&t);
    return status;
}

/* The data is looked through before a new run's folder is made: what cannot be trained on leaves nothing
 * behind. */
static int feed_and_train(struct sr_config *c, struct sr_options *o, struct sr_run *run,
                          struct sr_error *err) {
    char path[SR_RUN_PATH];
    struct sr_feed feed;
    const int threads = sr_cpu_threads((int)c->threads);
    int status = sr_feed_open(&feed, c, scan_progress, NULL, err);
    if (status == SR_OK && !c->resume)
        status = run_create(c, o, run, err);
    if (status == SR_OK)
        status = sr_log_file(sr_run_file(run, "train.log", path), err);
    if (status == SR_OK) {
        sr_log_info("saferoute %s, run %s%s", SR_VERSION, run->folder, c->resume ? " (resumed)" : "");
        settings_print(o);
        status = train(c, o, &feed, run, threads, err);
    }
    sr_feed_close(&feed);
    return status;
}

/* A finished run is as it was, whatever has become of its data since: 0. 1: there is something left to do. */
static int finished_print(const struct sr_run *run, struct sr_error *err) {
    char path[SR_RUN_PATH];
    struct sr_position at;
    struct sr_history history = {0};
    int status = sr_checkpoint_finished(sr_run_file(run, "checkpoint.safetensors", path), &at, &history, err);
    if (status == 1) {
        status = sr_history_write(&history, run, err);
        if (status == SR_OK)
            summary_print(&at, &history, run);
    } else if (status == 0) {
        status = 1;
    }
    sr_history_free(&history);
    return status;
}

int sr_cmd_train(int argc, char **argv) {
    const struct sr_command command = {
        .name = "train", .usage = usage, .notes = notes, .table = sr_config_table, .count = sr_config_count};
    struct sr_config c;
    struct sr_options o;
    struct sr_run run = {.lock = -1};
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &c, argc, argv, &err);
    if (status > 0) {
        signals_catch();
        sr_blas_begin();
        status = settings(&c, &o, &run, argc, argv, &err);
        if (status == SR_OK)
            status = sr_config_check(&c, &err);
        if (status == SR_OK)
            status = c.resume ? finished_print(&run, &err) : sr_run_absent(c.out, &err) < 0 ? SR_USAGE : 1;
        if (status == 1)
            status = feed_and_train(&c, &o, &run, &err);
    }
    status = sr_command_end(&o, status, &err);
    sr_log_file(NULL, NULL); /* after the last word */
    sr_run_close(&run);
    return status;
}
