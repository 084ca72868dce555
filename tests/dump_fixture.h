/* dump_fixture.h: the small dumps of tests/dumps (written by scripts/make_dumps.py), and dumps made on the
 * spot.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_DUMP_FIXTURE_H
#define SR_TEST_DUMP_FIXTURE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/data.h"

enum { FIXTURE_ROWS = 12, FIXTURE_WIDTH = 8 };

/* Row r, column k of every fixture; exact in every float type down to bfloat16. */
static inline float fixture_value(size_t r, size_t k) {
    return (float)(8 * (int)r + (int)k - 40) / 16;
}

/* Paths of the fixtures named in a comma-separated list, into text. */
static inline const char *fixture_paths(char text[2048], const char *names) {
    char list[512], *rest = list;
    size_t used = 0;
    snprintf(list, sizeof list, "%s", names);
    text[0] = '\0';
    for (char *name; (name = strsep(&rest, ","));)
        used += (size_t)snprintf(text + used, 2048 - used, "%s%s/tests/dumps/%s.h5", used ? "," : "",
                                 SR_SOURCE_DIR, name);
    return text;
}

static inline struct sr_data *open_paths(const char *paths, const struct sr_data_options *options) {
    struct sr_data *d = NULL;
    struct sr_error err = {0};
    cr_assert_eq(sr_data_open(&d, paths, options, &err), 0, "%s", err.text);
    return d;
}

static inline struct sr_data *open_fixture(const char *names, const struct sr_data_options *options) {
    char text[2048];
    return open_paths(fixture_paths(text, names), options);
}

/* 0, 1, ..., n-1; free with sr_free. */
static inline uint32_t *all_rows(size_t n) {
    uint32_t *rows = sr_alloc(n, sizeof *rows, NULL);
    for (size_t i = 0; i < n; i++)
        rows[i] = (uint32_t)i;
    return rows;
}

/* All features as floats, through a loader; free with sr_free. */
static inline float *all_features(struct sr_data *d) {
    struct sr_error err = {0};
    struct sr_loader *l;
    struct sr_batch b;
    struct sr_loader_options how = {.order = SR_ORDER_FILE, .batch = 100};
    uint32_t *rows = all_rows(d->rows);
    float *x = sr_alloc(d->rows, d->width * sizeof *x, NULL);
    size_t at = 0;
    cr_assert_eq(sr_loader_create(&l, d, rows, d->rows, &how, &err), 0, "%s", err.text);
    cr_assert_eq(sr_loader_start(l, 0, 0, &err), 0);
    int got;
    while ((got = sr_loader_next(l, &b, &err)) > 0) {
        memcpy(x + at * d->width, b.x, b.rows * d->width * sizeof *x);
        at += b.rows;
    }
    cr_assert_eq(got, 0, "%s", err.text);
    cr_assert_eq(at, d->rows);
    sr_loader_free(l);
    sr_free(rows);
    return x;
}

static inline struct sr_scan scan_of(struct sr_data *d) {
    struct sr_scan scan;
    struct sr_error err = {0};
    cr_assert_eq(sr_data_scan(d, &scan, NULL, NULL, &err), 0, "%s", err.text);
    return scan;
}

/* A temporary file's name in text, of a synthetic dump; remove it with unlink. */
static inline const char *make_synth(char text[64], size_t rows, size_t width, uint64_t seed) {
    struct sr_error err = {0};
    struct sr_synth how = {.rows = rows, .width = width, .seed = seed, .world = 1};
    snprintf(text, 64, "/tmp/sr_test_%d_%zu_%zu_%llu.h5", (int)getpid(), rows, width,
             (unsigned long long)seed);
    cr_assert_eq(sr_synth_write(text, &how, &err), 0, "%s", err.text);
    return text;
}

#endif
