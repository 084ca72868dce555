/* cmd_train.c: `saferoute train`: runs made, resumed, repeated with several seeds; signals.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "train/cmd_train_screen.h"
#include "train/parent.h"
#include "train/seeds.h"
#include "train/settings.h"
#include "train/summary.h"

static volatile sig_atomic_t stop_asked;

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
static struct sigaction before[SR_COUNT(signals)]; /* set once, before the first handler can run */

/* The first signal asks for a checkpoint and an orderly end; a second one of the same kind does what it does
 * to any command: it ends the program at once, and half-written files with it. */
static void on_signal(int number) {
    stop_asked = 1;
    for (size_t i = 0; i < SR_COUNT(signals); i++)
        if (signals[i] == number)
            sigaction(number, &before[i], NULL);
}

/* A signal that whoever started us has switched off (nohup) stays off. */
static void signals_catch(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < SR_COUNT(signals); i++)
        if (sigaction(signals[i], NULL, &before[i]) == 0 && before[i].sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
}

static bool watch_stop(void *user) {
    return stop_asked || sr_display_time_is_up(user);
}

static const char usage[] =
    "usage: saferoute train --train A.h5 [--train B.h5] (--val V.h5 | --val-fraction F) --out RUN [--KEY "
    "VALUE ...]\n"
    "       saferoute train --init W --train NEW.h5 --val V.h5 --out RUN      (goes on from weights W)\n"
    "       saferoute train --resume RUN\n"
    "       saferoute train ... --out RUN --resume auto                       (begins, or goes on: for "
    "jobs)\n"
    "\n"
    "Trains a router from feature dumps (HDF5) and keeps the epoch with the best validation AUPRC. Without "
    "further\n"
    "settings this is the published recipe; --recipe names others. Every setting below can also stand in a "
    "file\n"
    "(--config FILE, one \"key: value\" a line) or be given as --set key=value; later ones win. The "
    "effective\n"
    "settings are printed and saved in RUN/config.yaml.";

static const char notes[] =
    "RUN holds best.safetensors (the router), last.safetensors, checkpoint.safetensors, summary.txt, "
    "summary.json,\n"
    "config.yaml, data.json, metrics.csv, metrics.jsonl, timing.csv and train.log; with --init "
    "parent.safetensors;\n"
    "with --seeds one such folder a seed, seeds.json, the median run's best.safetensors, and what all seeds "
    "begin\n"
    "with: config.yaml, data.json, parent.safetensors. Ctrl-C and SIGTERM write a checkpoint first; --resume "
    "goes on\n"
    "from it and ends in the same bytes as a run never interrupted.\n"
    "\n"
    "exit status: 0 done, 2 wrong usage, 65 bad data, 66 no such file, 71 out of memory, 74 input/output "
    "error,\n"
    "75 stopped by a signal (or by --max-minutes before there was a result) with a checkpoint to resume "
    "from.\n"
    "\n"
    "examples:\n"
    "  saferoute train --train train.h5 --val val.h5 --out runs/monday\n"
    "  saferoute train --init live.safetensors --train old.h5 --train 'new/*.h5' --train-weight 1,3 --val "
    "val.h5 \\\n"
    "                  --out runs/tuesday --resume auto --max-minutes 50\n"
    "  saferoute train --train a.h5,b.h5 --val-fraction 0.1 --recipe plain --seeds 3 --out runs/short";

/* ---- one run ---- */

/* What is shared by the runs of a command. */
struct job {
    struct sr_config *config;
    struct sr_options *options;
    struct sr_run *run;   /* of the command; with several seeds of them all */
    int64_t first, seeds; /* as the command has them: in `config` they become each seed's own */
    struct sr_feed feed;
    struct sr_identity identity; /* that the feed and the weights of --init give */
    bool data_tried;
    int data_status; /* of opening the feed, once it was tried */
    struct sr_error data_error;
    struct sr_display display;
};

static struct sr_identity identity_of(const struct job *job, int64_t seed) {
    struct sr_identity id = job->identity;
    sr_config_hash(job->options, seed, id.config);
    return id;
}

/* The folder of one of several seeds. */
static const char *seed_folder(const struct job *job, int64_t seed, char path[SR_RUN_PATH]) {
    char name[32];
    snprintf(name, sizeof name, "seed-%lld", (long long)seed);
    return sr_run_file(job->run, name, path);
}

/* The command's run, and what there is of its seeds, must have begun with what there is now: where the run's
 * own data.json is lost, its seeds say so. */
static int run_agree(const struct job *job, struct sr_error *err) {
    struct sr_identity id = identity_of(job, job->first);
    int status = sr_identity_agree(&id, job->run, err);
    for (int64_t i = 0; status == SR_OK && job->seeds > 1 && i < job->seeds; i++) {
        struct sr_run seed = {.lock = -1};
        seed_folder(job, job->first + i, seed.folder);
        id = identity_of(job, job->first + i);
        status = sr_identity_agree(&id, &seed, err);
    }
    return status;
}

static int data_open(struct job *job, struct sr_error *err) {
    const char *init = job->config->init;
    char path[SR_RUN_PATH], parent[65] = "";
    int status = sr_feed_open(&job->feed, job->config, sr_display_scan, NULL, err);
    if (status == SR_OK && init)
        status = sr_parent_hash(parent, sr_parent_path(job->run, init, path), err);
    if (status < 0)
        return status;
    sr_identity_make(&job->identity, &job->feed, job->config, parent);
    return job->run->lock >= 0 ? run_agree(job, err) : SR_OK;
}

/* The data is looked through once, before anything is written: what cannot be trained on leaves nothing
 * behind, and a run that began with something else stays as it is. */
static int data_need(struct job *job, struct sr_error *err) {
    if (!job->data_tried)
        job->data_status = data_open(job, &job->data_error);
    job->data_tried = true; /* to be closed also after a failure */
    if (job->data_status < 0)
        *err = job->data_error;
    return job->data_status;
}

/* What a run begins with besides its settings, where it is not there yet. Of several seeds each begins with
 * the copy of the weights that belongs to them all. */
static int run_fill(const struct job *job, const struct sr_run *run, struct sr_error *err) {
    const struct sr_identity id = identity_of(job, job->config->seed);
    const char *init = job->config->init;
    char path[SR_RUN_PATH];
    const int status =
        init ? sr_parent_keep(run, sr_parent_path(job->run, init, path), id.parent, err) : SR_OK;
    return status == SR_OK ? sr_identity_keep(&id, &job->feed, run, err) : status;
}

struct beginning {
    const struct job *job;
    const char *settings;
};

static int run_begin(void *user, const struct sr_run *run, struct sr_error *err) {
    const struct beginning *b = user;
    const int status = sr_run_write(run, "config.yaml", b->settings, strlen(b->settings), err);
    return status == SR_OK ? run_fill(b->job, run, err) : status;
}

static int run_create(struct job *job, struct sr_run *run, const char *folder, struct sr_error *err) {
    const char *init = job->config->init;
    char path[SR_RUN_PATH];
    int status = data_need(job, err);
    if (status == SR_OK && init)
        status = sr_parent_fits(sr_parent_path(job->run, init, path), job->feed.train_data->width, err);
    if (status == SR_OK)
        status = sr_config_fits(job->config, job->feed.train_data->width, err);
    char *text = status == SR_OK ? sr_settings_text(job->options, err) : NULL;
    if (status < 0 || !text)
        return status < 0 ? status : err->status;
    status = sr_run_create(run, folder, run_begin, &(struct beginning){job, text}, err);
    sr_free(text);
    return status;
}

/* Time was up: what there is is the result, if there is anything. */
static int time_up(const struct sr_trainer *t, struct sr_error *err) {
    const struct sr_position *at = &t->state.at;
    char path[SR_RUN_PATH];
    if (at->best == 0)
        return sr_fail(
            err, SR_STOPPED,
            "--max-minutes %g was over before the first epoch was: there is no result yet; continue with "
            "--resume %s, and shorten epochs with --epoch-rows",
            t->config->max_minutes, t->run->folder);
    const int status = sr_weights_are(sr_run_file(t->run, "best.safetensors", path),
                                      &t->state.history.epoch[at->best - 1], err);
    if (status < 0)
        return status;
    if (status == 0) /* killed between the two, and not as far again */
        return sr_fail(
            err, SR_STOPPED,
            "--max-minutes %g was over before the run was where it had been; continue with --resume %s",
            t->config->max_minutes, t->run->folder);
    sr_log_info("time is up (--max-minutes %g) after %lld of at most %lld epochs; to go on: saferoute train "
                "--resume %s",
                t->config->max_minutes, (long long)at->epoch, (long long)t->config->epochs, t->run->folder);
    return SR_OK;
}

/* What is called the run's result must be it: a good router is not replaced by another, and a summary tells
 * of what it says. */
static int best_need(const struct sr_run *run, const struct sr_position *at, const struct sr_history *history,
                     struct sr_error *err) {
    char path[SR_RUN_PATH];
    return sr_weights_need(sr_run_file(run, "best.safetensors", path), &history->epoch[at->best - 1], err);
}

/* A full disk, say: nothing is lost but what came behind the last checkpoint. */
static int fail_resumable(const struct job *job, struct sr_error *err) {
    const struct sr_error why = *err;
    return sr_fail(err, why.status,
                   "%.300s; once that is mended, go on with: saferoute train --resume %.200s", why.text,
                   job->run->folder);
}

static int run_train(struct job *job, struct sr_run *run, struct sr_error *err) {
    struct sr_display *d = &job->display;
    struct sr_trainer t = {0};
    const struct sr_watch watch = {
        .user = d, .step = sr_display_step, .epoch = sr_display_epoch, .stop = watch_stop};
    const double began = sr_log_clock();
    const struct sr_identity id = identity_of(job, job->config->seed);
    char time[24];
    int status = sr_trainer_open(&t, job->config, &job->feed, run, &id, &watch, err);
    if (status == SR_OK) {
        sr_display_plan(&t, job->options);
        sr_display_begin(d, &t);
        if (!t.state.at.finished)
            sr_summary_remove(run); /* of an earlier end by --max-minutes */
        status = sr_train(&t, err);
        if (status == SR_IO)
            status = fail_resumable(job, err);
        sr_display_speed(&t);
        if (status == SR_STOPPED && !stop_asked && sr_display_time_is_up(d))
            status = time_up(&t, err);
    }
    sr_trainer_release(&t); /* the router that the summary scores with takes its place */
    if (status == SR_OK)
        status = best_need(run, &t.state.at, &t.state.history, err);
    if (status == SR_OK)
        status = sr_summary_write(run, job->config, &job->feed, &t.state.at, &t.state.history, err);
    if (status == SR_OK)
        sr_log_info("trained for %s, peak memory %.0f MB", sr_log_duration(sr_log_clock() - began, time),
                    (double)sr_memory_peak() / 1e6);
    sr_trainer_close(&t);
    return status;
}

static void log_begin(const struct job *job, const struct sr_run *run, bool resumed) {
    sr_log_info("saferoute %s, run %s%s", SR_VERSION, run->folder, resumed ? " (resumed)" : "");
    sr_display_settings(job->options);
}

/* 1 if the run is finished and its result there: router, metrics, which are mended, and summary. */
static int result_look(const struct sr_run *run, struct sr_error *err) {
    char path[SR_RUN_PATH];
    struct sr_position at;
    struct sr_history history = {0};
    int status = sr_checkpoint_finished(sr_run_file(run, "checkpoint.safetensors", path), &at, &history, err);
    if (status == 1 && (status = best_need(run, &at, &history, err)) == SR_OK &&
        (status = sr_history_write(&history, run, err)) == SR_OK)
        status = sr_summary_look(run, &history.epoch[at.best - 1], err);
    sr_history_free(&history);
    return status;
}

/* 1 if the run is finished and its summary written: whatever has become of its data since, it is as it was.
 * --resume auto promises the result for today's data, so that is compared where it is still there. */
static int run_finished(struct job *job, const struct sr_run *run, struct sr_error *err) {
    int status = result_look(run, err);
    if (status != 1 || !sr_settings_auto(job->config))
        return status;
    status = data_need(job, err);
    if (status == SR_NOINPUT)
        sr_log_warn("the run is finished and its data is gone, so it cannot be compared: %s", err->text);
    return status == SR_OK || status == SR_NOINPUT ? 1 : status;
}

/* Goes on with an open run, or makes the folder, and trains to the end. */
static int run_one(struct job *job, struct sr_run *run, const char *folder, struct sr_error *err) {
    char path[SR_RUN_PATH];
    const bool exists = run->lock >= 0;
    int status = exists ? run_finished(job, run, err) : run_create(job, run, folder, err);
    if (status == 1)
        sr_log_info("%s is finished: nothing is left to train, this is its result", run->folder);
    if (status == 1 || status < 0)
        return status < 0 ? status : SR_OK;
    status = data_need(job, err);
    if (status == SR_OK && exists)
        status = run_fill(job, run, err);
    if (status == SR_OK)
        status = sr_log_file(sr_run_file(run, "train.log", path), err);
    if (status < 0)
        return status;
    log_begin(job, run, exists);
    return run_train(job, run, err);
}

/* ---- several seeds ---- */

/* The run of one seed, in its own folder; its best epoch's row into *best. */
static int seed_run(struct job *job, int64_t seed, struct sr_epoch *best, struct sr_error *err) {
    const char *folder = job->run->folder;
    char number[32], path[SR_RUN_PATH];
    struct sr_run run = {.lock = -1};
    struct sr_position at = {0};
    struct sr_history history = {0};
    snprintf(number, sizeof number, "%lld", (long long)seed);
    seed_folder(job, seed, path);
    int status = sr_options_set(job->options, "seed", number, SR_ORIGIN_FLAG, err);
    if (status == SR_OK)
        status = sr_options_set(job->options, "seeds", "1", SR_ORIGIN_FLAG, err);
    if (status == SR_OK && access(path, F_OK) == 0)
        status = sr_run_open(&run, path, err);
    if (status == SR_OK)
        status = run_one(job, &run, path, err);
    if (status == SR_STOPPED)
        sr_fail(err, SR_STOPPED, "stopped in the run of seed %s; continue with: saferoute train --resume %s",
                number, folder);
    if (status == SR_OK)
        status =
            sr_checkpoint_finished(sr_run_file(&run, "checkpoint.safetensors", path), &at, &history, err);
    if (status == 0)
        status =
            sr_fail(err, SR_STOPPED, "time was up with seed %s: continue with --resume %s", number, folder);
    if (status == 1)
        /* 1 says that there is a best epoch. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
        *best = history.epoch[at.best - 1];
    sr_history_free(&history);
    sr_run_close(&run);
    return status == 1 ? SR_OK : status;
}

/* Copies a file of the median run's folder into the folder of them all. best: its row, for the router. */
static int deliver(const struct sr_run *run, int64_t seed, const char *name, const struct sr_epoch *best,
                   struct sr_error *err) {
    char from[SR_RUN_PATH + 64];
    void *bytes = NULL;
    size_t size = 0;
    snprintf(from, sizeof from, "%s/seed-%lld/%s", run->folder, (long long)seed, name);
    int status = best ? sr_weights_need(from, best, err) : SR_OK;
    if (status == SR_OK)
        status = sr_file_read_regular(&bytes, &size, from, "a run's result", SIZE_MAX / 2, err);
    if (status < 0)
        return status;
    status = sr_run_write(run, name, bytes, size, err);
    sr_free(bytes);
    return status;
}

static int seeds_write(const struct sr_run *run, const struct sr_seeds *s, struct sr_error *err) {
    static const char *const delivered[] = {"best.safetensors", SR_SUMMARY_TEXT, SR_SUMMARY_JSON};
    struct sr_json *o = sr_seeds_json(s);
    char *text = sr_json_text(o, 1, err);
    sr_json_free(o);
    int status = text ? sr_run_write(run, SR_SEEDS_JSON, text, strlen(text), err) : SR_NOMEM;
    for (size_t i = 0; status == SR_OK && i < SR_COUNT(delivered); i++)
        status = deliver(run, s->seed[s->median], delivered[i], i == 0 ? &s->best[s->median] : NULL, err);
    sr_free(text);
    return status;
}

static int seeds_train(struct job *job, const struct sr_run *run, struct sr_seeds *s, struct sr_error *err) {
    int status = SR_OK;
    for (size_t i = 0; status == SR_OK && i < s->n; i++) {
        s->seed[i] = job->first + (int64_t)i;
        status = seed_run(job, s->seed[i], &s->best[i], err);
    }
    if (status < 0)
        return status;
    sr_seeds_measure(s);
    status = seeds_write(run, s, err);
    if (status == SR_OK && !job->config->json) {
        sr_seeds_print(stdout, s);
        putchar('\n');
    }
    return status;
}

static int run_seeds(struct job *job, struct sr_run *run, struct sr_error *err) {
    struct sr_seeds s = {.n = (size_t)job->seeds};
    int status = run->lock >= 0 ? SR_OK : run_create(job, run, job->config->out, err);
    s.seed = sr_alloc(s.n, sizeof *s.seed, err);
    s.best = sr_alloc(s.n, sizeof *s.best, err);
    if (status == SR_OK)
        status = s.seed && s.best ? seeds_train(job, run, &s, err) : SR_NOMEM;
    sr_free(s.seed);
    sr_free(s.best);
    return status;
}

/* ---- the command ---- */

static int train(struct job *job, struct sr_run *run, struct sr_error *err) {
    const struct sr_config *c = job->config;
    job->first = c->seed;
    job->seeds = c->seeds;
    if (c->max_minutes > 0)
        job->display.deadline = sr_log_clock() + 60 * c->max_minutes;
    sr_display_machine(c);
    int status = SR_OK;
    if (run->lock >= 0 && c->init && sr_settings_auto(c))
        status = sr_parent_same(run, c->init, err);
    if (status == SR_OK)
        status = job->seeds > 1 ? run_seeds(job, run, err) : run_one(job, run, c->out, err);
    if (job->data_tried)
        sr_feed_close(&job->feed);
    return status == SR_OK ? sr_display_summary(run, c, err) : status;
}

int sr_cmd_train(int argc, char **argv) {
    const struct sr_command command = {
        .name = "train", .usage = usage, .notes = notes, .table = sr_config_table, .count = sr_config_count};
    struct sr_config c = {0};
    struct sr_options o;
    struct sr_run run = {.lock = -1};
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &c, argc, argv, &err);
    if (status > 0) {
        struct job job = {.config = &c, .options = &o, .run = &run};
        sr_blas_begin();
        status = sr_settings_complete(&c, &o, &run, argc, argv, &err);
        if (status == SR_OK) {
            signals_catch(); /* before, there is nothing to be saved */
            status = train(&job, &run, &err);
        }
    }
    status = sr_command_end(&o, status, &err);
    if (sr_log_end(&err) < 0) { /* after the last word */
        sr_log_error("%s", err.text);
        status = status ? status : sr_status_exit(SR_IO);
    }
    sr_run_close(&run);
    return status;
}
