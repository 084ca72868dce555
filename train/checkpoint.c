/* checkpoint.c: checkpoints (weights, moments, position, history) and weights files.
 *
 * Tensors of a checkpoint: the state dict under its own keys, optim.exp_avg.KEY and optim.exp_avg_sq.KEY for
 * every parameter, run.position (I64), run.sums (F64), run.history (F64 [epochs, columns of history.h]).
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/checkpoint.h"

#define FORMAT         "saferoute-checkpoint"
#define VERSION        "2"
#define POSITION_WHOLE 6 /* leading int64 members of struct sr_position; loss_sum follows */
#define POSITION_SUMS  1
#define OWN_TENSORS    3
#define COUNT_MOST     ((int64_t)1 << 53) /* steps and rows: a history's doubles count as far */

static size_t param_count(const struct sr_model *m) {
    size_t n = 0;
    for (size_t i = 0; i < m->n_layers; i++)
        for (size_t t = 0; t < m->layer[i].n_tensors; t++)
            n += m->layer[i].tensor[t].role == SR_ROLE_PARAM;
    return n;
}

/* The moments as tensors; they lie in their blocks as the parameters do in theirs. */
static size_t moment_tensors(const struct sr_model *m, real *block, const char *prefix,
                             struct sr_tensor *list) {
    size_t n = 0;
    for (size_t i = 0; i < m->n_layers; i++)
        for (size_t t = 0; t < m->layer[i].n_tensors; t++) {
            const struct sr_layer_tensor *p = &m->layer[i].tensor[t];
            char key[SR_TENSOR_NAME];
            if (p->role != SR_ROLE_PARAM)
                continue;
            list[n] = (struct sr_tensor){.dtype = sizeof(real) == 4 ? SR_F32 : SR_F64,
                                         .rank = p->rank,
                                         .shape = {p->shape[0], p->shape[1]},
                                         .data = block + (p->data - m->params)};
            snprintf(list[n].name, SR_TENSOR_NAME, "%s.%.100s", prefix, sr_model_key(&m->layer[i], p, key));
            n++;
        }
    return n;
}

/* Weights and moments: the tensors whose place in memory is fixed. NULL when out of memory. */
static struct sr_tensor *state_tensors(const struct sr_state *s, size_t *n, struct sr_error *err) {
    const size_t weights = sr_model_tensor_count(s->model), params = param_count(s->model);
    struct sr_tensor *list = sr_alloc(weights + 2 * params + OWN_TENSORS, sizeof *list, err);
    if (!list)
        return NULL;
    sr_model_tensors(s->model, list);
    *n = weights;
    *n += moment_tensors(s->model, s->exp_avg, "optim.exp_avg", list + *n);
    *n += moment_tensors(s->model, s->exp_avg_sq, "optim.exp_avg_sq", list + *n);
    return list;
}

static struct sr_tensor own_tensor(const char *name, enum sr_dtype dtype, int rank, size_t rows,
                                   size_t columns, const void *data) {
    struct sr_tensor t = {.dtype = dtype, .rank = rank, .shape = {rows, columns}};
    memcpy(&t.data, &data, sizeof t.data); /* the writer only reads */
    snprintf(t.name, sizeof t.name, "%s", name);
    return t;
}

int sr_checkpoint_save(const char *path, const struct sr_state *s, const struct sr_identity *id,
                       struct sr_error *err) {
    size_t n;
    struct sr_tensor *list = state_tensors(s, &n, err);
    if (!list)
        return SR_NOMEM;
    list[n++] = own_tensor("run.position", SR_I64, 1, POSITION_WHOLE, 0, &s->at);
    list[n++] = own_tensor("run.sums", SR_F64, 1, POSITION_SUMS, 0, &s->at.loss_sum);
    list[n++] = own_tensor("run.history", SR_F64, 2, s->history.n, SR_EPOCH_COLUMNS, s->history.epoch);
    const struct sr_pair metadata[] = {
        {"format", FORMAT},
        {"format_version", VERSION},
#define X(field, complaint) {#field, id->field},
        SR_IDENTITY_LIST(X)
#undef X
            {"products", id->products},
    };
    const int status = sr_safetensors_write(path, list, n, metadata, SR_COUNT(metadata), err);
    sr_free(list);
    return status;
}

static const char *metadata_get(const void *from, const char *key) {
    return sr_safetensors_metadata(from, key);
}

static int format_check(const struct sr_safetensors *file, const char *path, struct sr_error *err) {
    const char *format = sr_safetensors_metadata(file, "format");
    const char *version = sr_safetensors_metadata(file, "format_version");
    if (format && strcmp(format, FORMAT) == 0 && version && strcmp(version, VERSION) == 0)
        return SR_OK;
    return sr_fail(err, SR_DATA, "%s: not a checkpoint of this version of the program; begin anew with --out",
                   path);
}

static void machine_compare(const struct sr_safetensors *file, const struct sr_identity *id,
                            char warning[256]) {
    const char *products = sr_safetensors_metadata(file, "products");
    warning[0] = '\0';
    if (!products)
        snprintf(warning, 256,
                 "this run began with an earlier version of the program, which drew other "
                 "dropout masks: results will not be the same bits as without the interruption");
    else if (strcmp(products, id->products) != 0)
        snprintf(warning, 256,
                 "this run began with matrix products by %.31s, now they are by %.31s: results will not be "
                 "the same bits as without the interruption",
                 products, id->products);
}

static int tensors_copy(const struct sr_safetensors *file, struct sr_state *s, struct sr_error *err) {
    size_t n;
    struct sr_tensor *list = state_tensors(s, &n, err);
    const int status = list ? sr_safetensors_copy(file, list, n, err) : SR_NOMEM;
    sr_free(list);
    return status;
}

/* Nothing of a file is believed before it is checked: the sum only tells that it is whole. Numbers of steps
 * and epochs become integers again, which no double beyond 2^53 and no NaN does. */
static bool epoch_is_sound(const struct sr_epoch *e) {
    const double *value = (const double *)e;
    for (size_t c = 0; c < SR_EPOCH_COLUMNS; c++)
        if (sr_epoch_column[c].whole && !(value[c] >= 0 && value[c] <= 0x1p53 && value[c] == floor(value[c])))
            return false;
    return true;
}

static bool position_is_sound(const struct sr_position *at, const struct sr_history *h) {
    const int64_t rows = (int64_t)h->n;
    const double epoch = rows ? h->epoch[rows - 1].epoch : 0; /* may be NaN, or more than an int64 holds */
    const double steps = rows ? h->epoch[rows - 1].step : 0;
    return (double)at->epoch == epoch && at->best <= rows && at->best >= (rows > 0) &&
           (double)at->step >= steps && at->step <= COUNT_MOST && at->batch >= 0 && at->rows >= at->batch &&
           at->rows <= COUNT_MOST && (at->finished == 0 || (at->finished == 1 && at->epoch > 0));
}

static int position_copy(const struct sr_safetensors *file, struct sr_position *at, struct sr_history *h,
                         const char *path, struct sr_error *err) {
    const uint64_t whole[] = {POSITION_WHOLE}, sums[] = {POSITION_SUMS};
    const struct sr_tensor *position = sr_safetensors_need(file, "run.position", SR_I64, 1, whole, err);
    const struct sr_tensor *sum = sr_safetensors_need(file, "run.sums", SR_F64, 1, sums, err);
    const struct sr_tensor *history = sr_safetensors_find(file, "run.history");
    if (!position || !sum)
        return SR_DATA;
    if (!history || history->dtype != SR_F64 || history->rank != 2 || history->shape[1] != SR_EPOCH_COLUMNS)
        return sr_fail(err, SR_DATA, "%s: run.history is missing or has another shape", path);
    memcpy(at, position->data, POSITION_WHOLE * sizeof(int64_t));
    memcpy(&at->loss_sum, sum->data, sizeof at->loss_sum);
    const struct sr_epoch *epoch = history->data;
    for (uint64_t i = 0; i < history->shape[0]; i++) {
        const int status =
            epoch_is_sound(&epoch[i])
                ? sr_history_append(h, &epoch[i], err)
                : sr_fail(err, SR_DATA, "%s: run.history has a step or an epoch that is no whole number",
                          path);
        if (status < 0)
            return status;
    }
    return position_is_sound(at, h) ? SR_OK
                                    : sr_fail(err, SR_DATA, "%s: run.position contradicts run.history", path);
}

static int checkpoint_open(struct sr_safetensors **out, const char *path, struct sr_error *err) {
    struct sr_error why = {0};
    const int status = sr_safetensors_open(out, path, &why);
    return status == SR_OK
               ? SR_OK
               : sr_fail(err, status, "%.400s%s", why.text,
                         status == SR_DATA ? ": put it back from a copy, or train anew with another --out"
                                           : "");
}

int sr_checkpoint_load(const char *path, struct sr_state *s, const struct sr_identity *id, char warning[256],
                       struct sr_error *err) {
    struct sr_safetensors *file;
    int status = checkpoint_open(&file, path, err);
    if (status < 0)
        return status;
    status = format_check(file, path, err);
    if (status == SR_OK)
        status = sr_identity_check(id, metadata_get, file, path, err);
    if (status == SR_OK)
        status = tensors_copy(file, s, err);
    if (status == SR_OK)
        status = position_copy(file, &s->at, &s->history, path, err);
    machine_compare(file, id, warning);
    sr_safetensors_close(file);
    return status;
}

int sr_checkpoint_finished(const char *path, struct sr_position *at, struct sr_history *history,
                           struct sr_error *err) {
    struct sr_safetensors *file;
    int status = checkpoint_open(&file, path, err);
    if (status < 0)
        return status == SR_NOINPUT ? 0 : status;
    status = format_check(file, path, err);
    if (status == SR_OK)
        status = position_copy(file, at, history, path, err);
    sr_safetensors_close(file);
    return status < 0 ? status : at->finished != 0;
}

static char *metrics_text(const struct sr_epoch *e, struct sr_error *err) {
    struct sr_json *o = sr_epoch_json(e);
    char *text = sr_json_text(o, 0, err);
    sr_json_free(o);
    return text;
}

int sr_weights_save(const char *path, const struct sr_tensor *tensors, size_t n, const struct sr_epoch *epoch,
                    const struct sr_identity *id, const struct sr_provenance *provenance,
                    const struct sr_data *trained_on, struct sr_error *err) {
    char *metrics = metrics_text(epoch, err);
    const struct sr_pair own[] = {
        {"format", "saferoute"},
        {"format_version", "1"},
        {"metrics", metrics},
        {"trained_on", id->train_id},
        {"selected_on", id->val_id},
        {"parent", id->parent[0] ? id->parent : NULL},
        {"rows_trained", provenance->rows_trained},
        {"rows_selected", provenance->rows_selected},
        {"train_share", provenance->train_share[0] ? provenance->train_share : NULL},
    };
    const size_t pairs = SR_COUNT(own) + trained_on->contract_count;
    struct sr_pair *metadata = sr_alloc(pairs, sizeof *metadata, err);
    int status = metrics && metadata ? SR_OK : SR_NOMEM;
    if (status == SR_OK) {
        memcpy(metadata, own, sizeof own);
        for (size_t i = 0; i < trained_on->contract_count; i++)
            metadata[SR_COUNT(own) + i] = trained_on->contract[i];
        status = sr_safetensors_write(path, tensors, n, metadata, pairs, err);
    }
    sr_free(metadata);
    sr_free(metrics);
    return status;
}

int sr_weights_are(const char *path, const struct sr_epoch *epoch, struct sr_error *err) {
    struct sr_safetensors *file;
    const int status = sr_safetensors_open(&file, path, err);
    if (status < 0)
        return status;
    char *metrics = metrics_text(epoch, err);
    const char *saved = sr_safetensors_metadata(file, "metrics");
    const int same = !metrics ? SR_NOMEM : saved && strcmp(saved, metrics) == 0;
    sr_free(metrics);
    sr_safetensors_close(file);
    return same;
}

static int weights_are_any(const char *path, struct sr_error *err) {
    struct sr_safetensors *file;
    const int status = sr_safetensors_open(&file, path, err);
    if (status == SR_OK)
        sr_safetensors_close(file);
    return status < 0 ? status : 1;
}

int sr_weights_need(const char *path, const struct sr_epoch *epoch, struct sr_error *err) {
    struct sr_error why = {0};
    const int status = epoch ? sr_weights_are(path, epoch, &why) : weights_are_any(path, &why);
    if (status == 1)
        return SR_OK;
    if (status == SR_NOMEM)
        return sr_fail(err, status, "%s", why.text);
    if (status == 0)
        snprintf(why.text, sizeof why.text, "%.300s: its figures are those of another run or epoch", path);
    return sr_fail(
        err, status == 0 ? SR_DATA : status,
        "%.600s; it should be this run's router: put it back from a copy, or train anew with another "
        "--out",
        why.text);
}
