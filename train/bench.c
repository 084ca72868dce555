/* bench.c: what the parts of `saferoute bench` share: timing, medians, made-up rows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "train/bench.h"

double sr_bench_time(void (*work)(void *user), void *user, double seconds) {
    const double began = sr_log_clock();
    double spent;
    size_t calls = 0;
    do {
        work(user);
        calls++;
        spent = sr_log_clock() - began;
    } while (spent < seconds);
    return spent / (double)calls;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void sr_bench_sort(double *x, size_t n) {
    qsort(x, n, sizeof *x, ascending);
}

double sr_bench_median(double *x, size_t n) {
    sr_bench_sort(x, n);
    return (x[(n - 1) / 2] + x[n / 2]) / 2;
}

double sr_bench_percentile(const double *x, size_t n, double p) {
    const double rank = ceil(p * (double)n);
    return x[rank < 1 ? 0 : (size_t)rank - 1];
}

double sr_bench_set(struct sr_json *o, const char *key, double *x, size_t n) {
    char name[64];
    const double median = sr_bench_median(x, n);
    struct sr_json *range = sr_json_array();
    sr_json_append(range, sr_json_number(x[0]));
    sr_json_append(range, sr_json_number(x[n - 1]));
    snprintf(name, sizeof name, "%s_range", key);
    sr_bench_set_number(o, key, median);
    sr_json_set(o, name, range);
    return median;
}

double sr_bench_set_milliseconds(struct sr_json *o, const char *key, double *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] *= 1e3;
    return sr_bench_set(o, key, x, n) / 1e3;
}

void sr_bench_set_number(struct sr_json *o, const char *key, double x) {
    sr_json_set(o, key, sr_json_number(x));
}

void sr_bench_set_integer(struct sr_json *o, const char *key, size_t n) {
    sr_json_set(o, key, sr_json_integer((int64_t)n));
}

void sr_bench_progress(const struct sr_bench *b, size_t done, size_t all) {
    if (b->progress)
        b->progress(b->user, (double)done / (double)all);
}

void sr_bench_features(float *x, size_t n) {
    for (size_t i = 0; i < n; i += 4) {
        const struct sr_philox4 r = sr_philox(1, sr_stream(SR_STREAM_SYNTH, 0, 0), i / 4);
        for (size_t j = 0; j < 4 && i + j < n; j++)
            x[i + j] = ((float)(r.v[j] >> 8) * 0x1p-24f - 0.5f) * 3.4641016f; /* sqrt 12 */
    }
}
