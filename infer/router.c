/* router.c: a weights file opened as a router.
 *
 * Hidden layer i is the Linear cls.{4i} and the BatchNorm cls.{4i+1}; the last Linear is cls.{4n}. Depth
 * follows from the highest number under cls., widths from the shapes. A file is taken only if every tensor
 * that belongs to such a network is there, has its shape and holds finite numbers, and if nothing else lies
 * under cls.: a network of another kind must not be run as if it were this one. Tensors under other names
 * (stats., calibration., optim.) are not looked at.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer/router.h"

#define FORMAT_VERSION "1"

/* A weights file while it is being taken apart. width[l] numbers go into layer l, width[l+1] come out. */
struct parts {
    const struct sr_safetensors *file;
    const char *path;
    size_t layers;
    size_t width[SR_ROUTER_DEEPEST + 2];
};

static const char *key_of(char key[SR_TENSOR_NAME], size_t index, const char *what) {
    snprintf(key, SR_TENSOR_NAME, "cls.%zu.%s", index, what);
    return key;
}

/* "cls.8.bias": 8 and "bias". */
static bool parse_key(const char *key, size_t *index, const char **what) {
    char *end;
    if (strncmp(key, "cls.", 4) != 0 || key[4] < '0' || key[4] > '9')
        return false;
    const unsigned long n = strtoul(key + 4, &end, 10);
    if (*end != '.' || n > 4 * SR_ROUTER_DEEPEST)
        return false;
    *index = n;
    *what = end + 1;
    return true;
}

static bool is_one_of(const char *word, const char *const *list) {
    while (*list && strcmp(word, *list) != 0)
        list++;
    return *list != NULL;
}

/* True if a router of that many layers has a tensor of this name. */
static bool belongs(const char *key, size_t layers) {
    static const char *const linear[] = {"weight", "bias", NULL};
    static const char *const norm[] = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked",
                                       NULL};
    char canonical[SR_TENSOR_NAME];
    size_t index;
    const char *what;
    if (!parse_key(key, &index, &what) || strcmp(key_of(canonical, index, what), key) != 0)
        return false;
    return index / 4 < layers && ((index % 4 == 0 && is_one_of(what, linear)) ||
                                  (index % 4 == 1 && index / 4 + 1 < layers && is_one_of(what, norm)));
}

/* Weights of our own say which version of the format they are; state dicts from elsewhere say nothing. */
static int check_version(const struct parts *p, struct sr_error *err) {
    const char *format = sr_safetensors_metadata(p->file, "format");
    const char *version = sr_safetensors_metadata(p->file, "format_version");
    if (!format || strncmp(format, "saferoute", 9) != 0 || !version || strcmp(version, FORMAT_VERSION) == 0)
        return 0;
    return sr_fail(err, SR_DATA,
                   "%s: format_version is \"%s\", this program reads \"%s\": use the version that wrote it",
                   p->path, version, FORMAT_VERSION);
}

static int find_layers(struct parts *p, struct sr_error *err) {
    const size_t n = sr_safetensors_count(p->file);
    size_t highest = 0, found = 0;
    for (size_t i = 0; i < n; i++) {
        size_t index;
        const char *what;
        if (parse_key(sr_safetensors_at(p->file, i)->name, &index, &what)) {
            highest = index > highest ? index : highest;
            found++;
        }
    }
    if (found == 0)
        return sr_fail(err, SR_DATA, "%s: no tensor cls.0.weight: these are not a router's weights", p->path);
    p->layers = (highest + 3) / 4 + 1;
    for (size_t i = 0; i < n; i++) {
        const char *key = sr_safetensors_at(p->file, i)->name;
        if (strncmp(key, "cls.", 4) == 0 && !belongs(key, p->layers))
            return sr_fail(
                err, SR_DATA,
                "%s: tensor %s has no place in a router of %zu hidden layers (Linear cls.0, cls.4, ..., "
                "BatchNorm cls.1, cls.5, ..., last Linear cls.%zu; at most %d hidden layers)",
                p->path, key, p->layers - 1, 4 * (p->layers - 1), SR_ROUTER_DEEPEST);
    }
    return 0;
}

static int find_widths(struct parts *p, struct sr_error *err) {
    char key[SR_TENSOR_NAME];
    for (size_t l = 0; l < p->layers; l++) {
        const struct sr_tensor *w = sr_safetensors_find(p->file, key_of(key, 4 * l, "weight"));
        if (!w)
            return sr_fail(err, SR_DATA, "%s: tensor %s is missing (a router of %zu hidden layers has it)",
                           p->path, key, p->layers - 1);
        if (w->rank != 2 || w->shape[0] == 0 || w->shape[1] == 0)
            return sr_fail(err, SR_DATA, "%s: tensor %s is not a matrix (outputs, inputs)", p->path, key);
        if (l > 0 && w->shape[1] != p->width[l])
            return sr_fail(err, SR_DATA, "%s: tensor %s reads %llu numbers, but the layer before gives %zu",
                           p->path, key, (unsigned long long)w->shape[1], p->width[l]);
        if (l + 1 == p->layers && w->shape[0] != 1)
            return sr_fail(err, SR_DATA, "%s: tensor %s, the last, has %llu outputs; a router has one logit",
                           p->path, key, (unsigned long long)w->shape[0]);
        if (w->shape[0] > SR_ROUTER_WIDEST)
            return sr_fail(err, SR_DATA, "%s: tensor %s has %llu outputs; a hidden layer has at most %d",
                           p->path, key, (unsigned long long)w->shape[0], SR_ROUTER_WIDEST);
        p->width[l] = (size_t)w->shape[1];
        p->width[l + 1] = (size_t)w->shape[0];
    }
    return 0;
}

/* The float32 values of a tensor, (outputs, inputs), or (outputs) if inputs is 0; NULL with err. */
static const float *need(const struct parts *p, size_t index, const char *what, size_t outputs, size_t inputs,
                         struct sr_error *err) {
    char key[SR_TENSOR_NAME];
    const uint64_t shape[2] = {outputs, inputs};
    const struct sr_tensor *t =
        sr_safetensors_need(p->file, key_of(key, index, what), SR_F32, inputs ? 2 : 1, shape, err);
    if (!t)
        return NULL;
    const size_t items = (size_t)sr_tensor_items(t);
    const float *value = t->data;
    if (!sr_vec()->all_finite(value, items)) {
        sr_fail(err, SR_DATA, "%s: tensor %s holds a NaN or an infinity: the training that wrote it diverged",
                p->path, key);
        return NULL;
    }
    for (size_t i = 0; strcmp(what, "running_var") == 0 && i < items; i++)
        if (value[i] < 0) {
            sr_fail(err, SR_DATA, "%s: tensor %s is %g at %zu; a variance is not below 0", p->path, key,
                    (double)value[i], i);
            return NULL;
        }
    return value;
}

/* num_batches_tracked plays no part in scoring: it may be absent, but not be something else. */
static int check_counter(const struct parts *p, size_t index, struct sr_error *err) {
    char key[SR_TENSOR_NAME];
    if (!sr_safetensors_find(p->file, key_of(key, index, "num_batches_tracked")))
        return 0;
    return sr_safetensors_need(p->file, key, SR_I64, 0, NULL, err) ? 0 : SR_DATA;
}

static int fill_hidden(struct sr_router *r, const struct parts *p, size_t l, struct sr_error *err) {
    char name[SR_TENSOR_NAME];
    const size_t linear = 4 * l, norm = linear + 1, outputs = p->width[l + 1];
    struct sr_fold from;
    if (!(from.w = need(p, linear, "weight", outputs, p->width[l], err)) ||
        !(from.bias = need(p, linear, "bias", outputs, 0, err)) ||
        !(from.gamma = need(p, norm, "weight", outputs, 0, err)) ||
        !(from.beta = need(p, norm, "bias", outputs, 0, err)) ||
        !(from.mean = need(p, norm, "running_mean", outputs, 0, err)) ||
        !(from.variance = need(p, norm, "running_var", outputs, 0, err)) || check_counter(p, norm, err) < 0)
        return SR_DATA;
    snprintf(name, sizeof name, "cls.%zu", linear);
    return sr_fold_layer(&r->layer[l], &from, name, err);
}

static int fill_last(struct sr_router *r, const struct parts *p, struct sr_error *err) {
    const size_t l = p->layers - 1;
    const float *w = need(p, 4 * l, "weight", 1, p->width[l], err);
    const float *bias = w ? need(p, 4 * l, "bias", 1, 0, err) : NULL;
    if (!bias)
        return SR_DATA;
    memcpy(r->layer[l].w, w, p->width[l] * sizeof *w);
    memcpy(r->layer[l].bias, bias, sizeof *bias);
    return 0;
}

static int fill_threshold(struct sr_router *r, const char *path, struct sr_error *err) {
    const char *text = sr_router_metadata(r, "threshold");
    char *end;
    if (!text || !*text)
        return 0;
    const double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0 && value <= 1))
        return sr_fail(err, SR_DATA, "%s: metadata threshold is \"%s\", not a number from 0 to 1", path,
                       text);
    r->threshold = (float)value;
    r->has_threshold = true;
    return 0;
}

/* A copy of text in the arena; NULL while it counts. */
static const char *carve_text(struct sr_arena *arena, const char *text) {
    const size_t size = strlen(text) + 1;
    char *copy = sr_arena_take(arena, size, 1);
    return copy ? memcpy(copy, text, size) : NULL;
}

static void carve(struct sr_arena *arena, struct sr_router *r, const struct parts *p) {
    const struct sr_pair *pairs = sr_safetensors_pairs(p->file, &r->n_metadata);
    for (size_t l = 0; l < p->layers; l++) {
        r->layer[l] = (struct sr_router_layer){.inputs = p->width[l], .outputs = p->width[l + 1]};
        r->layer[l].w = sr_arena_take(arena, p->width[l] * p->width[l + 1], sizeof(float));
        r->layer[l].bias = sr_arena_take(arena, p->width[l + 1], sizeof(float));
        r->widest = p->width[l + 1] > r->widest ? p->width[l + 1] : r->widest;
    }
    r->layers = p->layers;
    r->metadata = sr_arena_take(arena, r->n_metadata, sizeof *r->metadata);
    for (size_t i = 0; i < r->n_metadata; i++) {
        const struct sr_pair copy = {carve_text(arena, pairs[i].key), carve_text(arena, pairs[i].value)};
        if (r->metadata)
            r->metadata[i] = copy;
    }
}

static int build(struct sr_router *r, const struct parts *p, struct sr_error *err) {
    struct sr_arena arena = {0};
    carve(&arena, r, p);
    int status = sr_arena_allocate(&arena, err);
    if (status < 0)
        return status;
    r->block = arena.base;
    carve(&arena, r, p);
    for (size_t l = 0; status == 0 && l + 1 < r->layers; l++)
        status = fill_hidden(r, p, l, err);
    if (status == 0)
        status = fill_last(r, p, err);
    return status == 0 ? fill_threshold(r, p->path, err) : status;
}

int sr_router_open(struct sr_router **out, const char *path, struct sr_error *err) {
    struct sr_safetensors *file = NULL;
    struct parts parts = {.path = path};
    struct sr_router *r = NULL;
    int status = sr_safetensors_open(&file, path, err);
    if (status < 0)
        return status;
    parts.file = file;
    if ((status = check_version(&parts, err)) < 0 || (status = find_layers(&parts, err)) < 0 ||
        (status = find_widths(&parts, err)) < 0)
        goto out;
    if (!(r = sr_alloc(1, sizeof *r, err))) {
        status = SR_NOMEM;
        goto out;
    }
    if ((status = build(r, &parts, err)) < 0)
        goto out;
    *out = r;
    r = NULL;
out:
    sr_router_close(r);
    sr_safetensors_close(file);
    return status;
}

void sr_router_close(struct sr_router *r) {
    if (r)
        sr_free(r->block);
    sr_free(r);
}

size_t sr_router_width(const struct sr_router *r) {
    return r->layer[0].inputs;
}

bool sr_router_threshold(const struct sr_router *r, float *threshold) {
    if (r->has_threshold)
        *threshold = r->threshold;
    return r->has_threshold;
}

const char *sr_router_metadata(const struct sr_router *r, const char *key) {
    for (size_t i = 0; i < r->n_metadata; i++)
        if (strcmp(r->metadata[i].key, key) == 0)
            return r->metadata[i].value;
    return NULL;
}
