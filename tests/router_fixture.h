/* router_fixture.h: a weights file made on the spot, with or without what is known of training's rows, and
 * rows that look like those.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_ROUTER_FIXTURE_H
#define SR_TEST_ROUTER_FIXTURE_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "infer/router.h"

#define NETWORK_TENSORS 64

/* Tensors and metadata, to be changed before they are written. network_end frees their numbers. */
struct network {
    struct sr_tensor tensor[NETWORK_TENSORS];
    void *own[NETWORK_TENSORS]; /* what tensors[i].data was allocated as */
    size_t n;
    struct sr_pair metadata[8];
    size_t n_metadata;
    size_t width, directions; /* directions 0: nothing is known of training's rows */
};

static inline float network_normal(uint64_t stream, size_t i) {
    return (float)sr_random_normal(5, sr_stream(SR_STREAM_TEST, stream, 0), i);
}

/* A tensor of normal numbers, (outputs, inputs) or (outputs) where inputs is 0: offset + scale * normal. */
static inline float *network_add(struct network *n, const char *name, size_t outputs, size_t inputs,
                                 float scale, float offset) {
    const size_t items = outputs * (inputs ? inputs : 1);
    float *x = sr_alloc(items, sizeof *x, NULL);
    struct sr_tensor *t = &n->tensor[n->n];
    cr_assert_lt(n->n, (size_t)NETWORK_TENSORS);
    for (size_t i = 0; i < items; i++)
        x[i] = offset + (scale != 0 ? scale * network_normal(n->n, i) : 0);
    *t = (struct sr_tensor){.dtype = SR_F32, .rank = inputs ? 2 : 1, .shape = {outputs, inputs}, .data = x};
    snprintf(t->name, sizeof t->name, "%s", name);
    n->own[n->n++] = x;
    return x;
}

static inline void network_add_layer(struct network *n, size_t l, size_t in, size_t out, bool last) {
    static const struct {
        const char *what;
        float scale, offset;
    } norm[] = {{"weight", .2f, 1}, {"bias", .3f, 0}, {"running_mean", .3f, 0}, {"running_var", 0, 1.5f}};
    char name[SR_TENSOR_NAME];
    snprintf(name, sizeof name, "cls.%zu.weight", 4 * l);
    network_add(n, name, out, in, sqrtf(2 / (float)in), 0);
    snprintf(name, sizeof name, "cls.%zu.bias", 4 * l);
    network_add(n, name, out, 0, .1f, 0);
    for (size_t i = 0; !last && i < SR_COUNT(norm); i++) {
        snprintf(name, sizeof name, "cls.%zu.%s", 4 * l + 1, norm[i].what);
        network_add(n, name, out, 0, norm[i].scale, norm[i].offset);
    }
}

/* A feature's mean and deviation among the rows of training. */
static inline float network_mean(size_t feature) {
    return (float)(feature % 5) * .25f - .5f;
}
static inline float network_deviation(size_t feature) {
    return (float)(feature % 3) + .5f;
}

/* What would be known of training's rows: directions along the features 0, 2, 4, ..., so that about as large
 * a part of a row lies in them as they are part of the width. */
static inline void network_add_stats(struct network *n, size_t directions) {
    float *mean = network_add(n, SR_STATS_MEAN, n->width, 0, 0, 0),
          *variance = network_add(n, SR_STATS_VAR, n->width, 0, 0, 0),
          *basis = network_add(n, SR_STATS_BASIS, directions, n->width, 0, 0),
          *range = network_add(n, SR_STATS_RANGE, 3, 0, 0, 0);
    for (size_t i = 0; i < n->width; i++) {
        mean[i] = network_mean(i);
        variance[i] = network_deviation(i) * network_deviation(i);
    }
    for (size_t k = 0; k < directions; k++)
        basis[k * n->width + 2 * k] = 1;
    range[0] = .2f;
    range[1] = 4;
    range[2] = .01f;
    n->directions = directions;
}

/* Layers of width[0], ..., width[layers] numbers; the last is 1. */
static inline void network_begin(struct network *n, const size_t *width, size_t layers, size_t directions) {
    memset(n, 0, sizeof *n);
    n->width = width[0];
    for (size_t l = 0; l < layers; l++)
        network_add_layer(n, l, width[l], width[l + 1], l + 1 == layers);
    if (directions)
        network_add_stats(n, directions);
}

static inline void network_end(struct network *n) {
    for (size_t i = 0; i < n->n; i++)
        sr_free(n->own[i]);
    n->n = 0;
}

static inline struct sr_tensor *network_find(struct network *n, const char *name) {
    for (size_t i = 0; i < n->n; i++)
        if (strcmp(n->tensor[i].name, name) == 0)
            return &n->tensor[i];
    cr_assert(false, "no tensor %s", name);
    return NULL;
}

/* The tensor is left out; its numbers are kept for network_end. */
static inline void network_remove(struct network *n, const char *name) {
    struct sr_tensor *t = network_find(n, name), *last = &n->tensor[n->n - 1];
    void **own = &n->own[t - n->tensor], *gone = *own;
    *own = n->own[n->n - 1];
    *t = *last;
    n->n--;
    sr_free(gone);
}

static inline void network_says(struct network *n, const char *key, const char *value) {
    n->metadata[n->n_metadata++] = (struct sr_pair){key, value};
}

static inline void network_write(const struct network *n, const char *path) {
    struct sr_error err = {0};
    cr_assert_eq(sr_safetensors_write(path, n->tensor, n->n, n->metadata, n->n_metadata, &err), 0, "%s",
                 err.text);
}

/* A new file's name; remove it with unlink. */
static inline const char *temporary(char path[64]) {
    snprintf(path, 64, "/tmp/sr_test_router_XXXXXX");
    const int fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
    return path;
}

/* Status of opening them, with *out and error filled. */
static inline int network_open(struct saferoute_router **out, const struct network *n,
                               const struct saferoute_options *o, struct saferoute_error *error) {
    char path[64];
    network_write(n, temporary(path));
    const int status = saferoute_open(out, path, o, error);
    unlink(path);
    return status;
}

/* A router of three hidden layers that reads WIDTH features. */
enum { WIDTH = 40, DIRECTIONS = 8 };
static const size_t small_widths[] = {WIDTH, 24, 16, 8, 1};
#define SMALL small_widths, 4

static inline struct saferoute_router *router_begin(const struct saferoute_options *o, size_t directions) {
    struct network n;
    struct saferoute_router *r;
    struct saferoute_error why;
    network_begin(&n, SMALL, directions);
    cr_assert_eq(network_open(&r, &n, o, &why), 0, "%s", why.text);
    network_end(&n);
    return r;
}

/* Rows such as training had; free with sr_free. */
static inline float *rows_begin(size_t rows, size_t width, uint64_t stream) {
    float *x = sr_alloc(rows * width, sizeof *x, NULL);
    cr_assert_not_null(x);
    for (size_t i = 0; i < rows * width; i++)
        x[i] = network_mean(i % width) + network_deviation(i % width) * network_normal(stream, i);
    return x;
}

static inline struct saferoute_rows rows_of(const float *x, size_t rows) {
    return (struct saferoute_rows){.features = x, .dtype = SAFEROUTE_FLOAT32, .rows = rows, .width = WIDTH};
}

/* Bits of two blocks, NaN like any other. */
static inline bool same_bits(const void *a, const void *b, size_t n) {
    return memcmp(a, b, n) == 0;
}

#endif
