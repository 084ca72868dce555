/* loop.c: the training loop, the published recipe step by step.
 *
 *     where training begins with given weights: validate them, as epoch 0
 *     for each epoch: learning rate from the schedule
 *         for each batch of draws: forward, loss, backward, clip, AdamW
 *         validate; keep the weights if AUPRC is the best so far; stop after `patience` epochs without a best
 *
 * Everything random is a function of (seed, epoch or step), so the position is all that a checkpoint must
 * know besides the numbers themselves. At the end of an epoch: best, checkpoint, metrics, in this order; a
 * run killed between any two of them repeats what is missing and ends in the same bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "eval/eval.h"
#include "infer/infer.h"
#include "train/loop.h"
#include "train/parent.h"

static int checkpoint(struct sr_trainer *t, struct sr_error *err) {
    char path[SR_RUN_PATH];
    t->last_checkpoint = sr_log_clock();
    return sr_checkpoint_save(sr_run_file(t->run, "checkpoint.safetensors", path), &t->state, &t->identity,
                              err);
}

int64_t sr_best_epoch(const struct sr_position *at, const struct sr_history *h) {
    return at->best > 0 ? (int64_t)h->epoch[at->best - 1].epoch : 0;
}

/* The model's tensors as they are saved: a first Linear that reads normalized features is folded. */
static void tensors_list(struct sr_trainer *t, struct sr_tensor *list) {
    const struct sr_normalization *n = &t->normalization;
    sr_model_tensors(t->state.model, list);
    if (!n->shift)
        return;
    const size_t out = (size_t)list[0].shape[0]; /* the first layer's weight and bias lead the list */
    real *weight = t->folded, *bias = t->folded + out * n->width;
    sr_normalization_fold(weight, bias, list[0].data, list[1].data, out, n);
    list[0].data = weight;
    list[1].data = bias;
}

/* The stats.* of the weights training began with, as they are in them. */
static size_t parent_stats(struct sr_tensor *list, const struct sr_safetensors *parent) {
    size_t n = 0;
    for (size_t i = 0; i < sr_safetensors_count(parent) && n < SR_STATS_TENSORS; i++)
        if (strncmp(sr_safetensors_at(parent, i)->name, "stats.", 6) == 0)
            list[n++] = *sr_safetensors_at(parent, i);
    return n;
}

/* Measured only once weights are to be saved: not before the first step. */
static int stats_measure(struct sr_trainer *t, struct sr_error *err) {
    const struct sr_feed *f = t->feed;
    if (t->stats.width > 0)
        return SR_OK;
    return sr_stats_measure(&t->stats, f->train.data, &f->train_scan, f->train.row, f->train.n, err);
}

/* Saves the weights of the history's last row: the model's, or the untouched ones training began with. */
static int weights(struct sr_trainer *t, const char *name, struct sr_error *err) {
    char path[SR_RUN_PATH];
    const struct sr_history *h = &t->state.history;
    const struct sr_epoch *row = &h->epoch[h->n - 1];
    size_t n = sr_model_tensor_count(t->state.model);
    struct sr_safetensors *parent = NULL;
    const struct sr_provenance *from = row->epoch == 0 ? &t->parent_provenance : &t->provenance;
    struct sr_tensor *list = sr_alloc(n + SR_STATS_TENSORS, sizeof *list, err);
    int status = list ? SR_OK : SR_NOMEM;
    if (status == SR_OK)
        status = row->epoch == 0 ? sr_parent_open(&parent, t->run, err) : stats_measure(t, err);
    if (status == SR_OK) {
        tensors_list(t, list);
        for (size_t i = 0; parent && i < n; i++)
            list[i] = *sr_safetensors_find(parent, list[i].name); /* the model was loaded from them */
        n += parent ? parent_stats(list + n, parent) : sr_stats_tensors(list + n, &t->stats);
        status = sr_weights_save(sr_run_file(t->run, name, path), list, n, row, &t->identity, from,
                                 t->feed->train_data, err);
    }
    sr_safetensors_close(parent);
    sr_free(list);
    return status;
}

/* One optimiser step. Returns the mean loss of the batch. */
static double step(struct sr_trainer *t, const struct sr_batch *batch, double lr) {
    struct sr_state *s = &t->state;
    struct sr_model *m = s->model;
    const struct sr_pass pass = {
        .training = true, .seed = (uint64_t)t->config->seed, .step = (uint64_t)s->at.step};
    const struct sr_adamw adamw = sr_config_adamw(t->config, lr);

    sr_model_forward(m, &pass, batch->x, batch->rows);
    const double loss =
        sr_focal_mean(t->dlogit, sr_model_logits(m), batch->y, batch->weight, batch->rows, &t->loss);
    sr_model_backward(m, t->dlogit, batch->rows);
    s->at.step++;
    sr_adamw_step(m->params, s->exp_avg, s->exp_avg_sq, m->grads, m->n_params, &adamw, (uint64_t)s->at.step);

    s->at.batch++;
    s->at.rows += (int64_t)batch->rows;
    s->at.loss_sum += loss * (double)batch->rows;
    return loss;
}

/* The steps of an epoch, from the batch where the position stands. */
static int epoch_train(struct sr_trainer *t, double lr, struct sr_error *err) {
    struct sr_position *at = &t->state.at;
    struct sr_loader *loader = t->train_loader;
    const double began = sr_log_clock(), waited = sr_loader_waited(loader);
    const int64_t rows = at->rows;
    struct sr_batch batch;
    int got = sr_loader_start(loader, (uint64_t)at->epoch, (size_t)at->batch, err);
    if (got < 0)
        return got;
    while ((got = sr_loader_next(loader, &batch, err)) > 0) {
        const double loss = step(t, &batch, lr);
        if (!isfinite(loss))
            return sr_fail(
                err, SR_DATA,
                "the loss is %g at step %lld of epoch %lld: training has diverged; lower lr (now %g)", loss,
                (long long)at->step, (long long)at->epoch + 1, t->config->lr);
        t->epoch_seconds = sr_log_clock() - began;
        t->rows_per_second = (double)(at->rows - rows) / t->epoch_seconds;
        if (t->watch.step)
            t->watch.step(t->watch.user, t, loss);
        const bool stop = t->watch.stop && t->watch.stop(t->watch.user);
        if (stop || sr_log_clock() - t->last_checkpoint > t->config->checkpoint_seconds) {
            const int status = checkpoint(t, err);
            if (status < 0)
                return status;
        }
        if (stop)
            return sr_fail(err, SR_STOPPED,
                           "stopped at step %lld; continue with: saferoute train --resume %s",
                           (long long)at->step, t->run->folder);
    }
    if (t->epoch_seconds > 0) {
        const double here = sr_loader_waited(loader) - waited;
        t->waited = here / t->epoch_seconds;
        t->trained.seconds += t->epoch_seconds;
        t->trained.waited += here;
        t->trained.rows += at->rows - rows;
    }
    return got;
}

/* Losses, probabilities and labels of all validation rows. */
static int validation_score(struct sr_trainer *t, struct sr_epoch *row, struct sr_error *err) {
    struct sr_model *m = t->state.model;
    const struct sr_pass pass = {.training = false};
    double loss = 0, bce = 0;
    size_t n = 0;
    struct sr_batch batch;
    int got = sr_loader_start(t->val_loader, 0, 0, err);
    if (got < 0)
        return got;
    while ((got = sr_loader_next(t->val_loader, &batch, err)) > 0) {
        sr_model_forward(m, &pass, batch.x, batch.rows);
        const real *logit = sr_model_logits(m);
        for (size_t i = 0; i < batch.rows; i++, n++) {
            loss += sr_focal((double)logit[i], batch.y[i], &t->loss, NULL);
            bce += sr_bce((double)logit[i], batch.y[i]);
            t->label[n] = batch.y[i];
            t->prob[n] = sr_router_prob((float)logit[i]);
            t->score[n] = (double)t->prob[n];
        }
    }
    row->val_loss = loss / (double)n;
    row->val_bce = bce / (double)n;
    return got;
}

static int epoch_validate(struct sr_trainer *t, struct sr_epoch *row, struct sr_error *err) {
    const size_t n = t->feed->val.n;
    int status = validation_score(t, row, err);
    if (status < 0)
        return status;
    if (!isfinite(row->val_bce))
        return sr_fail(err, SR_DATA,
                       "the validation loss is not finite: training has diverged; lower lr (now %g)",
                       t->config->lr);
    status = sr_ranking(&row->val_auprc, &row->val_auroc, t->label, t->score, n, err);
    sr_decide(t->decided, t->prob, n, SR_THRESHOLD_UNSET);
    const struct sr_confusion c = sr_confusion_count(t->label, t->decided, n);
    row->val_f1 = sr_f1(c);
    row->val_precision = sr_precision(c);
    row->val_recall = sr_recall(c);
    row->val_share_routed = sr_share(c);
    row->val_base_rate = (double)t->feed->val.positives / (double)n;
    return status;
}

/* Adds the row to the history, moves the position past its epoch, writes what the epoch leaves behind. */
static int epoch_close(struct sr_trainer *t, const struct sr_epoch *row, struct sr_error *err) {
    struct sr_position *at = &t->state.at;
    struct sr_history *h = &t->state.history;
    const int64_t patience = t->config->patience;
    const bool is_best = at->best == 0 || row->val_auprc > h->epoch[at->best - 1].val_auprc;
    int status = sr_history_append(h, row, err);
    if (status < 0)
        return status;
    at->best = is_best ? (int64_t)h->n : at->best;
    at->epoch = (int64_t)row->epoch;
    at->batch = at->rows = 0;
    at->loss_sum = 0;
    at->finished =
        at->epoch >= t->config->epochs || (patience > 0 && at->epoch - sr_best_epoch(at, h) >= patience);

    if (is_best)
        status = weights(t, "best.safetensors", err);
    if (status == SR_OK && at->finished)
        status = weights(t, "last.safetensors", err);
    /* a new best is checkpointed at once, so that best.safetensors is never ahead of the checkpoint for long
     */
    if (status == SR_OK &&
        (is_best || at->finished || sr_log_clock() - t->last_checkpoint > t->config->checkpoint_seconds))
        status = checkpoint(t, err);
    if (status == SR_OK)
        status = sr_history_write(h, t->run, err);
    if (status == SR_OK)
        status = sr_run_timing(t->run, at->epoch, t->epoch_seconds, t->rows_per_second, t->waited, err);
    if (status == SR_OK && t->watch.epoch)
        t->watch.epoch(t->watch.user, t, is_best);
    return status;
}

/* The weights that training begins with, unchanged, are a result to beat. */
static int parent_validate(struct sr_trainer *t, struct sr_error *err) {
    struct sr_epoch row = {.epoch = 0, .lr = (double)NAN, .train_loss = (double)NAN};
    const int status = epoch_validate(t, &row, err);
    return status < 0 ? status : epoch_close(t, &row, err);
}

int sr_train(struct sr_trainer *t, struct sr_error *err) {
    struct sr_position *at = &t->state.at;
    const struct sr_history *h = &t->state.history;
    const struct sr_schedule schedule = sr_config_schedule(t->config);
    int status = SR_OK;
    if (h->n > 0)
        status = sr_history_write(h, t->run, err); /* as the checkpoint has them */
    else if (t->identity.parent[0] && at->step == 0)
        status = parent_validate(t, err);
    while (status == SR_OK && !at->finished) {
        struct sr_epoch row = {.epoch = (double)(at->epoch + 1),
                               .lr = sr_schedule_lr(&schedule, (uint64_t)at->epoch)};
        status = epoch_train(t, row.lr, err);
        if (status < 0)
            break;
        row.step = (double)at->step;
        row.train_loss = at->loss_sum / (double)at->rows;
        status = epoch_validate(t, &row, err);
        if (status == SR_OK)
            status = epoch_close(t, &row, err);
    }
    return status;
}

static void carve(struct sr_trainer *t) {
    const struct sr_model *m = t->state.model;
    const size_t params = m->n_params, n = t->feed->val.n, first = m->layer[0].out;
    t->state.exp_avg = sr_arena_take(&t->arena, params, sizeof(real));
    t->state.exp_avg_sq = sr_arena_take(&t->arena, params, sizeof(real));
    t->folded = sr_arena_take(&t->arena, t->normalization.shift ? first * (m->spec.in + 1) : 0, sizeof(real));
    t->x = sr_arena_take(&t->arena, ((size_t)t->config->batch + 1) * m->spec.in, sizeof *t->x);
    t->dlogit = sr_arena_take(&t->arena, (size_t)t->config->batch + 1, sizeof(real));
    t->score = sr_arena_take(&t->arena, n, sizeof *t->score);
    t->prob = sr_arena_take(&t->arena, n, sizeof *t->prob);
    t->label = sr_arena_take(&t->arena, n, 1);
    t->decided = sr_arena_take(&t->arena, n, 1);
}

static int state_load(struct sr_trainer *t, struct sr_error *err) {
    char path[SR_RUN_PATH];
    const int status = sr_checkpoint_load(sr_run_file(t->run, "checkpoint.safetensors", path), &t->state,
                                          &t->identity, t->warning, err);
    if (status == SR_NOINPUT && sr_run_unsaved(t->run))
        return SR_OK; /* killed before the first one: begin at the beginning */
    if (status == SR_NOINPUT)
        return sr_fail(
            err, SR_NOINPUT,
            "%s: the run's checkpoint is lost or is no file: put it back from a copy, or train anew "
            "with another --out",
            path);
    if (status == SR_OK && t->state.at.batch > (int64_t)sr_loader_batches(t->train_loader))
        return sr_fail(err, SR_DATA, "%s: it stands behind the end of an epoch", path);
    if (status == SR_OK && t->state.at.best > 0) /* of which epoch is asked at the end: it may be ahead */
        return sr_weights_need(sr_run_file(t->run, "best.safetensors", path), NULL, err);
    return status;
}

static int loaders_create(struct sr_trainer *t, struct sr_error *err) {
    const struct sr_config *c = t->config;
    const struct sr_feed *f = t->feed;
    struct sr_loader_options how = {
        .order = c->sampler == SR_SAMPLER_BALANCED ? SR_ORDER_BALANCED : SR_ORDER_SHUFFLED,
        .seed = (uint64_t)c->seed,
        .batch = (size_t)c->batch,
        .window = (size_t)c->window,
        .epoch_rows = (size_t)c->epoch_rows,
        .file_weight = c->train_weight.n > 0 ? c->train_weight.v : NULL,
        .shift = t->normalization.shift,
        .scale = t->normalization.scale,
        .x = t->x,
    };
    int status = sr_loader_create(&t->train_loader, f->train.data, f->train.row, f->train.n, &how, err);
    how.order = SR_ORDER_FILE;
    how.epoch_rows = 0;
    how.file_weight = NULL;
    if (status == SR_OK)
        status = sr_loader_create(&t->val_loader, f->val.data, f->val.row, f->val.n, &how, err);
    return status;
}

/* First values: random, or the parent's. */
static int model_begin(struct sr_trainer *t, const struct sr_safetensors *parent, struct sr_error *err) {
    struct sr_model *m = t->state.model;
    sr_model_init(m, (uint64_t)t->config->seed);
    const int status = parent ? sr_model_load(m, parent, err) : SR_OK;
    if (status == SR_OK && parent && t->normalization.shift) {
        const struct sr_layer_tensor *weight = &m->layer[0].tensor[0], *bias = &m->layer[0].tensor[1];
        sr_normalization_unfold(weight->data, bias->data, weight->data, bias->data, m->layer[0].out,
                                &t->normalization);
    }
    return status;
}

/* Everything that is planned and allocated. */
static int parts_create(struct sr_trainer *t, struct sr_error *err) {
    const size_t width = t->feed->train_data->width;
    const struct sr_model_spec spec = sr_config_model(t->config, width);
    int status = sr_config_fits(t->config, width, err);
    if (status == SR_OK)
        status = sr_model_create(&t->state.model, &spec, (size_t)t->config->batch + 1, err);
    if (status == SR_OK && t->config->normalize == SR_NORMALIZE_STANDARD)
        status = sr_normalization_measure(&t->normalization, t->feed, err);
    if (status < 0)
        return status;
    carve(t);
    status = sr_arena_allocate(&t->arena, err);
    if (status < 0)
        return status;
    carve(t);
    return loaders_create(t, err);
}

int sr_trainer_open(struct sr_trainer *t, const struct sr_config *config, struct sr_feed *feed,
                    const struct sr_run *run, const struct sr_identity *identity,
                    const struct sr_watch *watch, struct sr_error *err) {
    char path[SR_RUN_PATH];
    struct sr_safetensors *parent = NULL;
    *t = (struct sr_trainer){.config = config,
                             .run = run,
                             .watch = *watch,
                             .feed = feed,
                             .identity = *identity,
                             .loss = sr_config_loss(config)};
    int status = config->init ? sr_parent_open(&parent, run, err) : SR_OK;
    if (status == SR_OK)
        status = sr_provenance_make(&t->provenance, feed, config, parent,
                                    sr_run_file(run, SR_PARENT_FILE, path), err);
    if (status == SR_OK && parent)
        status = sr_provenance_of_parent(&t->parent_provenance, parent, &t->provenance, err);
    if (status == SR_OK)
        status = parts_create(t, err);
    if (status == SR_OK)
        status = model_begin(t, parent, err);
    sr_safetensors_close(parent);
    t->last_checkpoint = sr_log_clock();
    return status == SR_OK ? state_load(t, err) : status;
}

void sr_trainer_release(struct sr_trainer *t) {
    sr_loader_free(t->train_loader);
    sr_loader_free(t->val_loader);
    sr_stats_free(&t->stats);
    sr_model_free(t->state.model);
    sr_free(t->arena.base);
    t->train_loader = t->val_loader = NULL;
    t->state.model = NULL;
    t->arena.base = NULL;
}

void sr_trainer_close(struct sr_trainer *t) {
    sr_trainer_release(t);
    sr_normalization_free(&t->normalization);
    sr_provenance_free(&t->provenance);
    sr_provenance_free(&t->parent_provenance);
    sr_history_free(&t->state.history);
    *t = (struct sr_trainer){0};
}
