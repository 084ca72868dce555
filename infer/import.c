/* import.c: a network found in a file of tensors, written as a router's weights; see import.h.
 *
 * Values become float32, which changes nothing but float64, and must be finite: a router is not to be found
 * broken when it serves. The new file is written beside its name, opened as a router, and then named.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/data.h"
#include "infer/import.h"

#define BAND 4096 /* items looked at while they are in the cache */

/* Tensors of the new file, and what they were made from. */
struct writer {
    const struct sr_import_network *network;
    struct sr_tensors *from;
    const char *path;
    struct sr_tensor *list;
    size_t n;        /* whose data belongs to the writer */
    size_t borrowed; /* behind those */
};

/* ---- values ---- */

static int check_value(const struct writer *w, const struct sr_tensor_info *info, const float *value,
                       size_t n, uint64_t first, bool variance, struct sr_error *err) {
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(value[i]))
            return sr_fail(
                err, SR_DATA,
                "%s: tensor '%s' is %g at item %llu: the training that wrote it diverged, or it does "
                "not fit into float32",
                w->path, info->name, (double)value[i], (unsigned long long)(first + i));
        if (variance && value[i] < 0)
            return sr_fail(err, SR_DATA, "%s: tensor '%s' is %g at item %llu; a variance is not below 0",
                           w->path, info->name, (double)value[i], (unsigned long long)(first + i));
    }
    return 0;
}

static int read_floats(const struct writer *w, float *to, size_t tensor, bool variance,
                       struct sr_error *err) {
    const struct sr_tensor_info *info = sr_tensors_at(w->from, tensor);
    const uint64_t items = sr_tensor_info_items(info);
    int status = 0;
    for (uint64_t at = 0; status == 0 && at < items; at += BAND) {
        const size_t n = items - at < BAND ? (size_t)(items - at) : BAND;
        status = sr_tensors_read_float(w->from, tensor, at, to + at, n, err);
        if (status == 0)
            status = check_value(w, info, to + at, n, at, variance, err);
    }
    return status;
}

/* ---- tensors ---- */

/* The next tensor of the new file, with room for its data; NULL with err. */
static struct sr_tensor *next_tensor(struct writer *w, const char *name, enum sr_dtype dtype,
                                     const struct sr_tensor_info *like, struct sr_error *err) {
    struct sr_tensor *t = &w->list[w->n];
    t->dtype = dtype;
    t->rank = like->rank;
    memcpy(t->shape, like->shape, sizeof t->shape);
    snprintf(t->name, sizeof t->name, "%s", name);
    t->data = sr_alloc((size_t)sr_tensor_items(t), sr_dtype_size(dtype), err);
    w->n += t->data != NULL;
    return t->data ? t : NULL;
}

static int add_floats(struct writer *w, size_t index, const char *what, size_t tensor, struct sr_error *err) {
    char name[SR_TENSOR_NAME];
    snprintf(name, sizeof name, "cls.%zu.%s", index, what);
    struct sr_tensor *t = next_tensor(w, name, SR_F32, sr_tensors_at(w->from, tensor), err);
    return t ? read_floats(w, t->data, tensor, strcmp(what, "running_var") == 0, err) : SR_NOMEM;
}

/* 0 where the file has none: it plays no part in scoring, but a strict load_state_dict wants it. */
static int add_batches(struct writer *w, size_t index, size_t tensor, struct sr_error *err) {
    static const struct sr_tensor_info scalar = {.rank = 0};
    char name[SR_TENSOR_NAME];
    snprintf(name, sizeof name, "cls.%zu.num_batches_tracked", index);
    struct sr_tensor *t = next_tensor(w, name, SR_I64, &scalar, err);
    if (!t)
        return SR_NOMEM;
    return tensor == SR_IMPORT_NONE ? 0 : sr_tensors_read(w->from, tensor, 0, t->data, 1, err);
}

static int add_layer(struct writer *w, size_t l, struct sr_error *err) {
    const struct sr_import_layer *a = &w->network->layer[l];
    const size_t linear = 4 * l, norm = linear + 1;
    int status;
    if ((status = add_floats(w, linear, "weight", a->weight, err)) < 0 ||
        (status = add_floats(w, linear, "bias", a->bias, err)) < 0 || l + 1 == w->network->layers)
        return status;
    if ((status = add_floats(w, norm, "weight", a->gamma, err)) < 0 ||
        (status = add_floats(w, norm, "bias", a->beta, err)) < 0 ||
        (status = add_floats(w, norm, "running_mean", a->mean, err)) < 0 ||
        (status = add_floats(w, norm, "running_var", a->variance, err)) < 0)
        return status;
    return add_batches(w, norm, a->batches, err);
}

/* Tensors of ours that are no part of the network, as they are. */
static int add_carried(struct writer *w, bool stats, struct sr_error *err) {
    int status = 0;
    for (size_t i = 0; status == 0 && i < sr_tensors_count(w->from); i++) {
        const struct sr_tensor_info *info = sr_tensors_at(w->from, i);
        if (strncmp(info->name, "calibration.", 12) != 0 && !(stats && strncmp(info->name, "stats.", 6) == 0))
            continue;
        struct sr_tensor *t = next_tensor(w, info->name, info->dtype, info, err);
        status =
            t ? sr_tensors_read(w->from, i, 0, t->data, (size_t)sr_tensor_info_items(info), err) : SR_NOMEM;
    }
    return status;
}

static int make_tensors(struct writer *w, bool own, const struct sr_stats *stats, struct sr_error *err) {
    const size_t room = 7 * w->network->layers + (own ? sr_tensors_count(w->from) : 0) + SR_STATS_TENSORS;
    int status = 0;
    w->list = sr_alloc(room, sizeof *w->list, err);
    if (!w->list)
        return SR_NOMEM;
    for (size_t l = 0; status == 0 && l < w->network->layers; l++)
        status = add_layer(w, l, err);
    if (status == 0 && own)
        status = add_carried(w, !stats, err);
    w->borrowed = status == 0 && stats ? sr_stats_tensors(w->list + w->n, stats) : 0;
    return status;
}

/* ---- the file ---- */

/* What serves later opens it now. */
static int verify(const char *path, char sha256[65], struct sr_error *err) {
    struct sr_router *router;
    const int status = sr_router_open(&router, path, err);
    if (status < 0)
        return status;
    snprintf(sha256, 65, "%s", sr_router_metadata(router, "sha256"));
    sr_router_close(router);
    return 0;
}

int sr_import_write(const char *out, char sha256[65], const struct sr_import_network *n, struct sr_tensors *t,
                    const char *path, const struct sr_pair *metadata, size_t pairs, bool own,
                    const struct sr_stats *stats, struct sr_error *err) {
    struct writer w = {.network = n, .from = t, .path = path};
    struct sr_staged to;
    int status = sr_staged_open(&to, out, err);
    if (status == 0)
        status = make_tensors(&w, own, stats, err);
    if (status == 0)
        status = sr_safetensors_write(to.path, w.list, w.n + w.borrowed, metadata, pairs, err);
    if (status == 0)
        status = verify(to.path, sha256, err);
    if (status == 0)
        status = sr_staged_name(&to, err);
    status = sr_staged_close(&to, status, err);
    for (size_t i = 0; i < w.n; i++)
        sr_free(w.list[i].data);
    sr_free(w.list);
    return status;
}
