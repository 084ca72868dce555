/* loop.c: the training loop, the published recipe step by step.
 *
 *     for each epoch: learning rate from the schedule
 *         for each batch of class-balanced draws: forward, focal loss, backward, clip, AdamW
 *         validate; keep the weights if AUPRC is the best so far; stop when it has not been for `patience`
 * epochs
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

static int checkpoint(struct sr_trainer *t, struct sr_error *err) {
    char path[SR_RUN_PATH];
    t->last_checkpoint = sr_log_clock();
    return sr_checkpoint_save(sr_run_file(t->run, "checkpoint.safetensors", path), &t->state, &t->identity,
                              err);
}

static int weights(struct sr_trainer *t, const char *name, struct sr_error *err) {
    char path[SR_RUN_PATH];
    const struct sr_history *h = &t->state.history;
    const struct sr_data *d = t->feed->train_data;
    return sr_weights_save(sr_run_file(t->run, name, path), t->state.model, &h->epoch[h->n - 1], &t->identity,
                           d->contract, d->contract_count, err);
}

/* One optimiser step. Returns the mean loss of the batch. */
static double step(struct sr_trainer *t, const struct sr_batch *batch, double lr) {
    struct sr_state *s = &t->state;
    struct sr_model *m = s->model;
    const struct sr_pass pass = {
        .training = true, .seed = (uint64_t)t->config->seed, .step = (uint64_t)s->at.step};
    const struct sr_adamw adamw = sr_config_adamw(t->config, lr);

    sr_model_zero_grad(m);
    sr_model_forward(m, &pass, batch->x, batch->rows);
    const double loss = sr_focal_mean(t->dlogit, sr_model_logits(m), batch->y, batch->rows, &t->focal);
    sr_model_backward(m, &pass, batch->x, t->dlogit, batch->rows);
    const double scale = sr_clip_scale(sr_gradient_norm(m->grads, m->n_params), t->config->clip);
    s->at.step++;
    sr_adamw_step(m->params, s->exp_avg, s->exp_avg_sq, m->grads, m->n_params, &adamw, (uint64_t)s->at.step,
                  scale);

    s->at.batch++;
    s->at.rows += (int64_t)batch->rows;
    s->at.loss_sum += loss * (double)batch->rows;
    return loss;
}

/* The steps of an epoch, from the batch where the position stands. */
static int epoch_train(struct sr_trainer *t, double lr, struct sr_error *err) {
    struct sr_position *at = &t->state.at;
    struct sr_loader *loader = t->feed->train.loader;
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
    if (t->epoch_seconds > 0)
        t->waited = (sr_loader_waited(loader) - waited) / t->epoch_seconds;
    return got;
}

/* Losses, probabilities and labels of all validation rows. */
static int validation_score(struct sr_trainer *t, struct sr_epoch *row, struct sr_error *err) {
    struct sr_model *m = t->state.model;
    const struct sr_pass pass = {.training = false};
    double loss = 0, bce = 0;
    size_t n = 0;
    struct sr_batch batch;
    int got = sr_loader_start(t->feed->val.loader, 0, 0, err);
    if (got < 0)
        return got;
    while ((got = sr_loader_next(t->feed->val.loader, &batch, err)) > 0) {
        sr_model_forward(m, &pass, batch.x, batch.rows);
        const real *logit = sr_model_logits(m);
        for (size_t i = 0; i < batch.rows; i++, n++) {
            loss += sr_focal((double)logit[i], batch.y[i], &t->focal, NULL);
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

/* Moves the position past the epoch, writes what the epoch leaves behind. */
static int epoch_close(struct sr_trainer *t, const struct sr_epoch *row, struct sr_error *err) {
    struct sr_position *at = &t->state.at;
    const bool is_best = at->best_epoch == 0 || row->val_auprc > at->best_auprc;
    at->epoch++;
    at->batch = at->rows = 0;
    at->loss_sum = 0;
    if (is_best) {
        at->best_epoch = at->epoch;
        at->best_auprc = row->val_auprc;
    }
    const int64_t patience = t->config->patience;
    at->finished = at->epoch >= t->config->epochs || (patience > 0 && at->epoch - at->best_epoch >= patience);

    int status = sr_history_append(&t->state.history, row, err);
    if (status == SR_OK && is_best)
        status = weights(t, "best.safetensors", err);
    if (status == SR_OK && at->finished)
        status = weights(t, "last.safetensors", err);
    /* a new best is checkpointed at once, so that best.safetensors is never ahead of the checkpoint for long
     */
    if (status == SR_OK &&
        (is_best || at->finished || sr_log_clock() - t->last_checkpoint > t->config->checkpoint_seconds))
        status = checkpoint(t, err);
    if (status == SR_OK)
        status = sr_history_write(&t->state.history, t->run, err);
    if (status == SR_OK)
        status = sr_run_timing(t->run, at->epoch, t->epoch_seconds, t->rows_per_second, t->waited, err);
    if (status == SR_OK && t->watch.epoch)
        t->watch.epoch(t->watch.user, t, is_best);
    return status;
}

int sr_train(struct sr_trainer *t, struct sr_error *err) {
    struct sr_position *at = &t->state.at;
    const struct sr_schedule schedule = sr_config_schedule(t->config);
    int status = at->epoch > 0 ? sr_history_write(&t->state.history, t->run, err)
                               : SR_OK; /* as the checkpoint has them */
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
    const size_t params = t->state.model->n_params, n = t->feed->val.n;
    t->state.exp_avg = sr_arena_take(&t->arena, params, sizeof(real));
    t->state.exp_avg_sq = sr_arena_take(&t->arena, params, sizeof(real));
    t->dlogit = sr_arena_take(&t->arena, (size_t)t->config->batch + 1, sizeof(real));
    t->score = sr_arena_take(&t->arena, n, sizeof *t->score);
    t->prob = sr_arena_take(&t->arena, n, sizeof *t->prob);
    t->label = sr_arena_take(&t->arena, n, 1);
    t->decided = sr_arena_take(&t->arena, n, 1);
}

static void identity_set(struct sr_trainer *t, const struct sr_options *options) {
    struct sr_identity *id = &t->identity;
    sr_config_hash(options, id->config);
    snprintf(id->train_id, sizeof id->train_id, "%s", t->feed->train_scan.data_id);
    snprintf(id->val_id, sizeof id->val_id, "%s", sr_feed_val_id(t->feed));
    sr_feed_rows_hash(t->feed, id->rows);
    snprintf(id->blas_core, sizeof id->blas_core, "%s", sr_blas_begin()->core);
    snprintf(id->isa, sizeof id->isa, "%s", sr_isa_name(sr_vec()->isa));
}

static int state_load(struct sr_trainer *t, struct sr_error *err) {
    char path[SR_RUN_PATH];
    const int status = sr_checkpoint_load(sr_run_file(t->run, "checkpoint.safetensors", path), &t->state,
                                          &t->identity, t->warning, err);
    if (status == SR_NOINPUT)
        return SR_OK; /* killed before the first one: begin at the beginning */
    if (status == SR_OK && t->state.at.batch > (int64_t)sr_loader_batches(t->feed->train.loader))
        return sr_fail(err, SR_DATA, "%s: it stands behind the end of an epoch", path);
    return status;
}

static int data_json_write(struct sr_trainer *t, const char *path, struct sr_error *err) {
    struct sr_json *o = sr_feed_json(t->feed), *identity = sr_json_object();
#define X(field, complaint) sr_json_set(identity, #field, sr_json_string(t->identity.field));
    SR_IDENTITY_LIST(X)
#undef X
    sr_json_set(o, "identity", identity);
    char *text = sr_json_text(o, 1, err);
    sr_json_free(o);
    const int status = text ? sr_atomic_file_write(path, text, strlen(text), err) : SR_NOMEM;
    sr_free(text);
    return status;
}

static const char *json_get(const void *from, const char *key) {
    return sr_json_as_string(sr_json_get(from, key));
}

/* data.json is there before the first step, so that a run without a checkpoint knows its data too. */
static int data_json_agree(struct sr_trainer *t, struct sr_error *err) {
    char path[SR_RUN_PATH];
    void *text;
    size_t size;
    struct sr_json *o;
    int status = sr_file_read(&text, &size, sr_run_file(t->run, "data.json", path), 64 << 20, err);
    if (status == SR_NOINPUT)
        return data_json_write(t, path, err);
    if (status < 0)
        return status;
    status = sr_json_parse(&o, text, size, err);
    if (status == SR_OK) {
        status = sr_identity_check(&t->identity, json_get, sr_json_get(o, "identity"), path, err);
        sr_json_free(o);
    }
    sr_free(text);
    return status;
}

int sr_trainer_open(struct sr_trainer *t, const struct sr_config *config, const struct sr_options *options,
                    struct sr_feed *feed, struct sr_run *run, const struct sr_watch *watch,
                    struct sr_error *err) {
    *t = (struct sr_trainer){.config = config,
                             .run = run,
                             .watch = *watch,
                             .feed = feed,
                             .focal = {.alpha = config->alpha, .gamma = config->gamma}};
    identity_set(t, options);
    const struct sr_model_spec spec = sr_config_model(config, feed->train_data->width);
    int status = data_json_agree(t, err);
    if (status == SR_OK)
        status = sr_model_create(&t->state.model, &spec, (size_t)config->batch + 1, err);
    if (status < 0)
        return status;
    carve(t);
    status = sr_arena_allocate(&t->arena, err);
    if (status < 0)
        return status;
    carve(t);
    sr_model_init(t->state.model, (uint64_t)config->seed);
    t->last_checkpoint = sr_log_clock();
    return state_load(t, err);
}

void sr_trainer_close(struct sr_trainer *t) {
    sr_model_free(t->state.model);
    sr_history_free(&t->state.history);
    sr_free(t->arena.base);
    *t = (struct sr_trainer){0};
}
