/* bench_router.c: see bench_router.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nn/nn.h"
#include "train/bench_router.h"

#define DIRECTIONS 96 /* of the range check, as infer/stats.c finds them */
#define PATH       512

static const struct {
    const char *name;
    enum saferoute_precision precision;
    size_t size;
} precisions[SR_BENCH_PRECISIONS] = {{"float32", SAFEROUTE_COMPUTE_FLOAT32, 4},
                                     {"bfloat16", SAFEROUTE_COMPUTE_BFLOAT16, 2},
                                     {"int8", SAFEROUTE_COMPUTE_INT8, 1}};

/* ---- made-up weights ---- */

static void stats_carve(struct sr_stats *s, struct sr_arena *arena) {
    s->mean = sr_arena_take(arena, s->width, sizeof(float));
    s->variance = sr_arena_take(arena, s->width, sizeof(float));
    s->basis = sr_arena_take(arena, s->directions * s->width, sizeof(float));
}

/* Rows of mean 0 and variance 1, with directions along some of the axes. */
static int stats_make(struct sr_stats *s, struct sr_error *err) {
    struct sr_arena arena = {0};
    *s = (struct sr_stats){.width = SR_BENCH_WIDTH, .directions = DIRECTIONS, .range = {0.2f, 4, 0.01f}};
    stats_carve(s, &arena);
    const int status = sr_arena_allocate(&arena, err);
    if (status < 0)
        return status;
    stats_carve(s, &arena);
    s->block = arena.base;
    for (size_t i = 0; i < s->width; i++)
        s->variance[i] = 1;
    for (size_t k = 0; k < s->directions; k++)
        s->basis[k * s->width + k * (SR_BENCH_WIDTH / DIRECTIONS)] = 1;
    return SR_OK;
}

static int weights_write(const char *path, struct sr_error *err) {
    const struct sr_model_spec spec = sr_model_spec_seed(SR_BENCH_WIDTH);
    struct sr_model *m = NULL;
    struct sr_stats stats = {0};
    struct sr_tensor *list = NULL;
    size_t n = 0;
    int status = sr_model_create(&m, &spec, 1, err);
    if (status == SR_OK)
        status = stats_make(&stats, err);
    if (status == SR_OK) {
        sr_model_init(m, 1);
        n = sr_model_tensor_count(m);
        list = sr_alloc(n + SR_STATS_TENSORS, sizeof *list, err);
        status = list ? SR_OK : SR_NOMEM;
    }
    if (status == SR_OK) {
        sr_model_tensors(m, list);
        n += sr_stats_tensors(list + n, &stats);
        status = sr_safetensors_write(path, list, n, NULL, 0, err);
    }
    sr_free(list);
    sr_stats_free(&stats);
    sr_model_free(m);
    return status;
}

/* Files are the only form that weights have, so these are one for a moment. */
static int weights_make(void **bytes, size_t *size, struct sr_error *err) {
    char path[PATH];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/saferoute-bench-XXXXXX", folder && *folder ? folder : "/tmp");
    const int file = mkstemp(path);
    if (file < 0)
        return sr_fail(err, SR_IO,
                       "%s: a temporary file for made-up weights: %s; set TMPDIR, or give --model", path,
                       strerror(errno));
    close(file);
    int status = weights_write(path, err);
    if (status == SR_OK)
        status = sr_file_read(bytes, size, path, (size_t)1 << 30, err);
    unlink(path);
    return status;
}

/* ---- opening ---- */

/* Numbers of the matrices that a row meets: layers, folded or not, and the directions of the range check. */
static int numbers_count(size_t *numbers, const void *bytes, size_t size, const char *path,
                         struct sr_error *err) {
    struct sr_safetensors *file;
    const int status = sr_safetensors_open_memory(&file, bytes, size, path, err);
    if (status < 0)
        return status;
    *numbers = 0;
    for (size_t i = 0; i < sr_safetensors_count(file); i++) {
        const struct sr_tensor *t = sr_safetensors_at(file, i);
        if (t->rank == 2 && strncmp(t->name, "optim.", 6) != 0)
            *numbers += (size_t)sr_tensor_items(t);
    }
    sr_safetensors_close(file);
    return SR_OK;
}

/* A folded file computes in one precision only, which is what it opens in when nothing is asked for. */
static int routers_open(struct sr_bench_routers *r, const void *bytes, size_t size, const char *path,
                        struct sr_error *err) {
    struct sr_router *stored;
    size_t numbers = 0;
    int status = numbers_count(&numbers, bytes, size, path, err);
    if (status == SR_OK)
        status = sr_router_open_bytes(&stored, bytes, size, path, NULL, err);
    if (status != 0)
        return status;
    const enum saferoute_precision own = saferoute_precision(sr_router_shipped(stored));
    r->width = sr_router_width(stored);
    sr_router_close(stored);
    for (size_t i = 0; status == SR_OK && i < SR_BENCH_PRECISIONS; i++) {
        const struct saferoute_options how = {.precision = precisions[i].precision};
        struct sr_router *router;
        if (own != SAFEROUTE_COMPUTE_FLOAT32 && own != precisions[i].precision)
            continue;
        status = sr_router_open_bytes(&router, bytes, size, path, &how, err);
        if (status == SR_OK)
            r->of[r->n++] = (struct sr_bench_router){precisions[i].name, sr_router_shipped(router), numbers,
                                                     numbers * precisions[i].size};
    }
    return status;
}

int sr_bench_routers_open(struct sr_bench_routers *r, const struct sr_bench *b, struct sr_error *err) {
    void *bytes = NULL;
    size_t size;
    *r = (struct sr_bench_routers){0};
    int status = b->model ? sr_file_read(&bytes, &size, b->model, (size_t)1 << 32, err)
                          : weights_make(&bytes, &size, err);
    if (status == SR_OK)
        status = routers_open(r, bytes, size, b->model ? b->model : "made-up weights", err);
    sr_free(bytes);
    if (status == SR_OK)
        snprintf(r->title, sizeof r->title, "%.160s: %zu features, %.2f million weights",
                 b->model ? b->model : "made-up weights", r->width, (double)r->of[0].numbers / 1e6);
    return status;
}

void sr_bench_routers_close(struct sr_bench_routers *r) {
    for (size_t i = 0; i < r->n; i++)
        sr_router_close((struct sr_router *)(uintptr_t)r->of[i].router);
    *r = (struct sr_bench_routers){0};
}

/* ---- limit ---- */

int sr_bench_router_least(double *seconds, const struct sr_bench_router *r, size_t rows, struct sr_bench *b,
                          struct sr_error *err) {
    double rate;
    const int status = sr_bench_read(&rate, b, r->bytes, err);
    if (status < 0)
        return status;
    const double peak = r->bytes == r->numbers ? sr_bench_dot(b, 1) : sr_bench_fma(b, 1);
    const double products = 2 * (double)rows * (double)r->numbers / peak;
    const double reading = (double)r->bytes / rate;
    *seconds = products > reading ? products : reading;
    return SR_OK;
}
