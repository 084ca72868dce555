/* bench_machine.c: the machine, and what it can do at most: the limits that every other part is a share of.
 *
 * Reading is measured at the sizes of the published router's weights in int8, bfloat16 and float32, which is
 * what one row has to read, and beyond the caches.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "nn/nn.h"
#include "train/bench.h"
#include "train/peak.h"

#define BEYOND_CACHES ((size_t)256 << 20)
#define LIMITS        10

/* Numbers of the published router that a row is multiplied with. */
static size_t weights_count(const struct sr_model_spec *s) {
    size_t in = s->in, n = 0;
    for (size_t l = 0; l < s->n_hidden; l++) {
        n += in * s->hidden[l];
        in = s->hidden[l];
    }
    return n + in;
}

/* And all its parameters: with bias, and BatchNorm's two. */
static size_t params_count(const struct sr_model_spec *s) {
    size_t n = weights_count(s) + 1;
    for (size_t l = 0; l < s->n_hidden; l++)
        n += 3 * s->hidden[l];
    return n;
}

static struct sr_json *limit_new(struct sr_json *list, const char *name, const char *what, int threads,
                                 double value, const char *unit) {
    struct sr_json *o = sr_json_object();
    sr_json_set(o, "name", sr_json_string(name));
    sr_json_set(o, "what", sr_json_string(what));
    sr_json_set(o, "threads", sr_json_integer(threads));
    sr_bench_set_number(o, "value", value / 1e9);
    sr_json_set(o, "unit", sr_json_string(unit));
    sr_json_append(list, o);
    return o;
}

/* What one thread, or all, can do. */
static int compute_limits(struct sr_json *list, struct sr_bench *b, int threads, size_t *done,
                          struct sr_error *err) {
    const struct sr_model_spec spec = sr_model_spec_seed(SR_BENCH_WIDTH);
    const struct sr_peak *peak = sr_peak();
    char what[96];
    double update;
    snprintf(what, sizeof what, "multiply and add float32, in registers (%s)", peak->fma_name);
    limit_new(list, "fma", what, threads, sr_bench_fma(b, threads), "GFLOP/s");
    sr_bench_progress(b, ++*done, LIMITS);
    snprintf(what, sizeof what, "multiply and add int8, in registers (%s)", peak->dot_name);
    limit_new(list, "int8", what, threads, sr_bench_dot(b, threads), "GOP/s");
    sr_bench_progress(b, ++*done, LIMITS);
    const size_t params = params_count(&spec);
    const int status = sr_bench_update(&update, b, threads, params, err);
    if (status < 0)
        return status;
    snprintf(what, sizeof what, "read 4 and write 3 arrays of %.2f million float32, as AdamW",
             (double)params / 1e6);
    sr_bench_set_integer(limit_new(list, "update", what, threads, update, "GB/s"), "bytes",
                         7 * sizeof(float) * params);
    sr_bench_progress(b, ++*done, LIMITS);
    return SR_OK;
}

static int read_limits(struct sr_json *list, struct sr_bench *b, size_t *done, struct sr_error *err) {
    const struct sr_model_spec spec = sr_model_spec_seed(SR_BENCH_WIDTH);
    const size_t n = weights_count(&spec), sizes[] = {n, 2 * n, 4 * n, BEYOND_CACHES};
    static const char *const of[] = {"weights in int8", "weights in bfloat16", "weights in float32",
                                     "beyond the caches"};
    for (size_t i = 0; i < SR_COUNT(sizes); i++) {
        char what[96];
        double rate;
        const int status = sr_bench_read(&rate, b, sizes[i], err);
        if (status < 0)
            return status;
        snprintf(what, sizeof what, "read %.2f MB (%s)", (double)sizes[i] / 1e6, of[i]);
        sr_bench_set_integer(limit_new(list, "read", what, 1, rate, "GB/s"), "bytes", sizes[i]);
        sr_bench_progress(b, ++*done, LIMITS);
    }
    return SR_OK;
}

static struct sr_json *machine_describe(char *title, size_t size, const struct sr_bench *b) {
    const struct sr_blas *blas = sr_blas_begin();
    struct sr_json *o = sr_json_object();
    sr_json_set(o, "version", sr_json_string(SR_VERSION));
    sr_json_set(o, "compiler", sr_json_string(__VERSION__));
    sr_json_set(o, "cpu", sr_json_string(sr_cpu_name()));
    sr_json_set(o, "cpu_features", sr_json_string(sr_cpu_features()));
    sr_json_set(o, "isa", sr_json_string(sr_isa_name(sr_isa_best())));
    sr_json_set(o, "threads", sr_json_integer(b->threads));
    sr_json_set(o, "matrix_products", sr_json_string(sr_matmul()->name));
    sr_json_set(o, "blas", sr_json_string(blas->config));
    sr_json_set(o, "blas_core", sr_json_string(blas->core));
    sr_json_set(o, "blas_core_at_load", sr_json_string(blas->core_before));
    sr_json_set(o, "blas_core_action", sr_json_string(blas->action));
    sr_json_set(o, "blas_core_weak", sr_json_bool(blas->weak));
    snprintf(title, size,
             "%s, %d thread%s, instruction set %s%s\n"
             "matrix products of training by %s; OpenBLAS core %s; the core at load, %s:\n%s%s\n"
             "best of many short runs, on one thread and on all",
             sr_cpu_name(), b->threads, b->threads == 1 ? "" : "s", sr_isa_name(sr_isa_best()),
             sr_isa_best() < sr_isa_cpu() ? " (WEAKER THAN THE CPU: SAFEROUTE_ISA is set)" : "",
             sr_matmul()->name, blas->core, blas->core_before, blas->action,
             sr_matmul_is_blas() && blas->weak
                 ? "\nWARNING: with such a core training is slower than this machine allows"
                 : "");
    return o;
}

static int run(struct sr_bench_result *out, struct sr_bench *b, struct sr_error *err) {
    size_t done = 0;
    struct sr_json *limits = sr_json_array();
    int status = compute_limits(limits, b, 1, &done, err);
    if (status == SR_OK && b->threads > 1)
        status = compute_limits(limits, b, b->threads, &done, err);
    if (status == SR_OK)
        status = read_limits(limits, b, &done, err);
    if (status < 0) {
        sr_json_free(limits);
        return status;
    }
    out->json = machine_describe(out->title, sizeof out->title, b);
    sr_json_set(out->json, "limits", limits);
    return SR_OK;
}

const struct sr_bench_part sr_bench_part_machine = {
    .name = "machine",
    .run = run,
    .rows = "limits",
    .column = {{"at most", .key = "what"},
               {"threads", .key = "threads"},
               {"", .key = "value", .decimals = 1},
               {"", .key = "unit"},
               {0}},
};
