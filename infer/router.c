/* router.c: a weights file opened as a router.
 *
 * Hidden layer i is the Linear cls.{4i} and the BatchNorm cls.{4i+1}; the last Linear is cls.{4n}. Depth
 * follows from the highest number under cls., widths from the shapes. A file is taken only if every tensor
 * that belongs to such a network is there, has its shape and holds finite numbers, and if nothing else lies
 * under cls.: a network of another kind must not be run as if it were this one. Tensors under other names
 * (but stats., see range.c) are not looked at.
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
    bool folded; /* as export --dtype writes it, see folded.c */
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
    if (*end != '.' || n > 4ul * SR_ROUTER_DEEPEST)
        return false;
    *index = n;
    *what = end + 1;
    return true;
}

/* True if a router of enough layers has a tensor of this name. */
static bool belongs(const char *key) {
    static const char *const linear[] = {"weight", "bias", NULL};
    static const char *const norm[] = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked",
                                       NULL};
    char canonical[SR_TENSOR_NAME];
    size_t index;
    const char *what;
    if (!parse_key(key, &index, &what) || strcmp(key_of(canonical, index, what), key) != 0)
        return false;
    return (index % 4 == 0 && sr_is_listed(what, linear)) || (index % 4 == 1 && sr_is_listed(what, norm));
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
    p->layers = (highest + 3) / 4 + 1; /* and behind a BatchNorm comes another Linear */
    for (size_t i = 0; i < n; i++) {
        const char *key = sr_safetensors_at(p->file, i)->name;
        if (strncmp(key, "cls.", 4) == 0 && !belongs(key))
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

static int find_shape(struct parts *p, struct sr_error *err) {
    const int status = find_layers(p, err);
    return status < 0 ? status : find_widths(p, err);
}

int sr_router_check_widths(const size_t *width, size_t layers, const char *what, struct sr_error *err) {
    for (size_t l = 0; l < layers; l++) {
        const size_t outputs = l + 1 < layers ? width[l + 1] : 1;
        if (width[l] + outputs > SR_SCRATCH)
            return sr_fail(err, SR_DATA,
                           "%s: layer %zu reads %zu numbers and gives %zu; together they may be %d at most, "
                           "for a router scores without allocating",
                           what, l, width[l], outputs, SR_SCRATCH);
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

/* Fold and convert go through float32: `to` is the layer as it will be, `wide` has room for it in float32. */
static int fill_hidden(struct sr_router_layer *wide, const struct parts *p, size_t l, struct sr_error *err) {
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
    return sr_fold_layer(wide, &from, name, err);
}

static int fill_last(struct sr_router_layer *wide, const struct parts *p, struct sr_error *err) {
    const size_t l = p->layers - 1;
    const float *w = need(p, 4 * l, "weight", 1, p->width[l], err);
    const float *bias = w ? need(p, 4 * l, "bias", 1, 0, err) : NULL;
    if (!bias)
        return SR_DATA;
    memcpy(wide->w, w, p->width[l] * sizeof *w);
    memcpy(wide->bias, bias, sizeof *bias);
    return 0;
}

static int fill_layer(struct sr_router *r, struct sr_router_layer *wide, const struct parts *p, size_t l,
                      struct sr_error *err) {
    wide->inputs = p->width[l];
    wide->outputs = p->width[l + 1];
    const int status = l + 1 < p->layers ? fill_hidden(wide, p, l, err) : fill_last(wide, p, err);
    if (status == 0 && l == 0 && r->standardised)
        sr_precision_standardise(&r->range, wide->w, wide->bias, wide->inputs, wide->outputs);
    return status < 0 ? status : sr_precision_convert(&r->layer[l], wide->w, wide->bias, err);
}

static int fill_layers(struct sr_router *r, const struct parts *p, struct sr_error *err) {
    struct sr_router_layer wide = {0};
    size_t most = 0;
    for (size_t l = 0; l < p->layers; l++)
        most = p->width[l] * p->width[l + 1] > most ? p->width[l] * p->width[l + 1] : most;
    wide.w = sr_alloc(most, sizeof *wide.w, err);
    wide.bias = sr_alloc(r->widest, sizeof *wide.bias, err);
    int status = wide.w && wide.bias ? 0 : SR_NOMEM;
    for (size_t l = 0; status == 0 && l < p->layers; l++)
        status = fill_layer(r, &wide, p, l, err);
    sr_free(wide.w);
    sr_free(wide.bias);
    return status;
}

/* The .basis of range.h reads what layer 0 reads: (x - mean) * inverse, or x, and always gives B (x *
 * inverse).
 */
static int fill_range(struct sr_router *r, const struct sr_safetensors *file, struct sr_error *err) {
    struct sr_router_range *range = &r->range;
    const size_t width = range->basis.inputs, n = range->basis.outputs;
    const float *mean = sr_safetensors_find(file, SR_STATS_MEAN)->data,
                *variance = sr_safetensors_find(file, SR_STATS_VAR)->data,
                *basis = sr_safetensors_find(file, SR_STATS_BASIS)->data;
    float *w = sr_alloc(width * n, sizeof *w, err), *bias = sr_alloc(n, sizeof *bias, err);
    double mean_variance = 0;
    int status = SR_NOMEM;
    if (w && bias) {
        memcpy(range->mean, mean, width * sizeof *mean);
        for (size_t i = 0; i < width; i++)
            mean_variance += (double)variance[i] / (double)width;
        for (size_t i = 0; i < width; i++)
            range->inverse[i] = sr_range_inverse((double)variance[i], mean_variance);
        for (size_t k = 0; k < n; k++)
            for (size_t i = 0; i < width; i++) {
                const double inverse = (double)range->inverse[i], b = (double)basis[k * width + i];
                w[k * width + i] = (float)(r->standardised ? b : b * inverse);
                bias[k] += r->standardised ? (float)(b * inverse * (double)mean[i]) : 0;
            }
        status = sr_precision_convert(&range->basis, w, bias, err);
    }
    sr_free(w);
    sr_free(bias);
    return status;
}

/* A number of the metadata, 0..1. */
static int fill_threshold(struct sr_router *r, const char *path, struct sr_error *err) {
    const char *text = sr_router_metadata(r, "threshold");
    double value;
    r->threshold = SR_THRESHOLD_UNSET;
    if (text && *text) {
        if (!sr_decimal_parse(&value, text) || !(value >= 0 && value <= 1))
            return sr_fail(err, SR_DATA, "%s: metadata threshold is \"%s\", not a number from 0 to 1", path,
                           text);
        r->threshold = (float)value;
        r->has_threshold = true;
    }
    if (r->options.has_threshold) {
        r->threshold = r->options.threshold;
        r->has_threshold = true;
    }
    return 0;
}

/* A copy of text in the arena; NULL while it counts. */
static const char *carve_text(struct sr_arena *arena, const char *text) {
    const size_t size = strlen(text) + 1;
    char *copy = sr_arena_take(arena, size, 1);
    return copy ? memcpy(copy, text, size) : NULL;
}

static void carve_range(struct sr_arena *arena, struct sr_router_range *range, int precision) {
    if (!range->known)
        return;
    range->mean = sr_arena_take(arena, range->basis.inputs, sizeof *range->mean);
    range->inverse = sr_arena_take(arena, range->basis.inputs, sizeof *range->inverse);
    range->basis.precision = precision;
    sr_precision_carve(arena, &range->basis);
}

static void carve(struct sr_arena *arena, struct sr_router *r, const struct parts *p) {
    const struct sr_pair *pairs = sr_safetensors_pairs(p->file, &r->n_metadata);
    for (size_t l = 0; l < p->layers; l++) {
        r->layer[l].inputs = p->width[l];
        r->layer[l].outputs = p->width[l + 1];
        r->layer[l].precision = l + 1 < p->layers ? r->precision : SAFEROUTE_COMPUTE_FLOAT32;
        sr_precision_carve(arena, &r->layer[l]);
        r->widest = p->width[l + 1] > r->widest ? p->width[l + 1] : r->widest;
    }
    r->layers = p->layers;
    carve_range(arena, &r->range, r->precision);
    r->metadata = sr_arena_take(arena, r->n_metadata, sizeof *r->metadata);
    for (size_t i = 0; i < r->n_metadata; i++) {
        const struct sr_pair copy = {carve_text(arena, pairs[i].key), carve_text(arena, pairs[i].value)};
        if (r->metadata)
            r->metadata[i] = copy;
    }
}

static int build(struct sr_router *r, const struct parts *p, struct sr_error *err) {
    struct sr_arena arena = {0};
    int status = sr_range_read(&r->range, p->file, p->path, p->width[0], err);
    if (status < 0)
        return status;
    r->standardised = r->precision == SAFEROUTE_COMPUTE_INT8 && r->range.known;
    if (p->folded && (status = sr_folded_check_inputs(r, p->file, p->path, err)) < 0)
        return status;
    carve(&arena, r, p);
    if ((status = sr_arena_allocate_huge(&arena, err)) < 0)
        return status;
    r->block = arena.base;
    carve(&arena, r, p);
    if (r->range.known && (status = fill_range(r, p->file, err)) < 0)
        return status;
    if ((status = p->folded ? sr_folded_read(r, p->file, p->path, err) : fill_layers(r, p, err)) < 0 ||
        (status = fill_threshold(r, p->path, err)) < 0)
        return status;
    return sr_calibrator_of_weights(&r->calibrator, p->path, sr_router_metadata(r, "calibration"), err);
}

/* Which precision, of the options and of what is stored. */
static int set_precision(struct sr_router *r, const struct parts *p, struct sr_error *err) {
    const int asked = r->options.precision;
    if (!p->folded) {
        r->precision = asked == SAFEROUTE_AS_STORED ? SAFEROUTE_COMPUTE_FLOAT32 : asked;
        return 0;
    }
    r->precision = sr_folded_precision(p->file);
    if (asked == SAFEROUTE_AS_STORED || asked == r->precision)
        return 0;
    return sr_fail(
        err, SR_USAGE,
        "%s holds weights of %s and cannot compute in %s; open the float32 weights it was made from", p->path,
        sr_precision_name(r->precision), sr_precision_name(asked));
}

static void set_artefact(struct sr_router *r, const void *bytes, size_t size) {
    sr_sha256(bytes, size, r->artefact_text);
    for (size_t i = 0; i < sizeof r->artefact; i++) {
        const char digits[3] = {r->artefact_text[2 * i], r->artefact_text[2 * i + 1]};
        r->artefact[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
}

int sr_router_open_bytes(struct sr_router **out, const void *bytes, size_t size, const char *path,
                         const struct saferoute_options *options, struct sr_error *err) {
    struct sr_safetensors *file = NULL;
    struct parts parts = {.path = path};
    struct sr_router *r = NULL;
    *out = NULL;
    int status = sr_safetensors_open_memory(&file, bytes, size, path, err);
    if (status < 0)
        return status;
    parts.file = file;
    parts.folded = sr_folded_precision(file) != SAFEROUTE_AS_STORED;
    if ((status = check_version(&parts, err)) < 0)
        goto out;
    if ((status = parts.folded ? sr_folded_widths(parts.width, &parts.layers, file, path, err)
                               : find_shape(&parts, err)) < 0 ||
        (status = sr_router_check_widths(parts.width, parts.layers, path, err)) < 0)
        goto out;
    if (!(r = sr_alloc(1, sizeof *r, err))) {
        status = SR_NOMEM;
        goto out;
    }
    r->users = 1;
    r->kernels = sr_kernels();
    r->vec = sr_vec();
    r->options = options ? *options : (struct saferoute_options){0};
    if ((status = set_precision(r, &parts, err)) < 0 || (status = build(r, &parts, err)) < 0)
        goto out;
    set_artefact(r, bytes, size);
    *out = r;
    r = NULL;
out:
    sr_router_close(r);
    sr_safetensors_close(file);
    return status;
}

int sr_router_open_with(struct sr_router **out, const char *path, const struct saferoute_options *options,
                        struct sr_error *err) {
    void *bytes;
    size_t size;
    *out = NULL;
    int status = sr_safetensors_bytes(&bytes, &size, path, err);
    if (status < 0)
        return status;
    status = sr_router_open_bytes(out, bytes, size, path, options, err);
    sr_free(bytes);
    return status;
}

int sr_router_open(struct sr_router **out, const char *path, struct sr_error *err) {
    return sr_router_open_with(out, path, NULL, err);
}

void sr_router_close(struct sr_router *r) {
    if (!r || atomic_fetch_sub_explicit(&r->users, 1, memory_order_acq_rel) > 1)
        return;
    sr_calibrator_free(r->calibrator);
    sr_free(r->block);
    sr_free(r->rows);
    sr_free(r);
}

size_t sr_router_width(const struct sr_router *r) {
    return r->layer[0].inputs;
}

const char *sr_router_precision(const struct sr_router *r) {
    return sr_precision_name(r->precision);
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

const char *sr_router_artefact(const struct sr_router *r) {
    return r->artefact_text;
}
