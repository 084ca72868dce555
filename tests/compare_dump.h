/* compare_dump.h: dumps that `saferoute data compare` is given: rows in memory, changed and written.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_COMPARE_DUMP_H
#define SR_TEST_COMPARE_DUMP_H

#include <math.h>

#include "data/h5.h"
#include "tests/dump_fixture.h"
#include "tests/run_program.h"

enum { N_ROWS = 700, N_FEATURES = 24 };

static inline float normal(uint64_t stream, size_t i) {
    return (float)sr_random_normal(11, sr_stream(SR_STREAM_TEST, stream, 0), i);
}

/* What a test's dump holds; filled by make and changed before it is written. */
struct rows {
    size_t n;
    float x[N_ROWS][N_FEATURES];
    char *id[N_ROWS];
    float small_prob[N_ROWS], large_prob[N_ROWS];
    uint8_t gold[N_ROWS];
    bool bare;            /* written without what the guards and people say */
    float weight[N_ROWS]; /* written where the first is not 0 */
    const char *model;    /* feature_model, or NULL */
};

static inline struct rows *make(void) {
    struct rows *r = sr_alloc(1, sizeof *r, NULL);
    r->n = N_ROWS;
    for (size_t i = 0; i < N_ROWS; i++) {
        r->id[i] = sr_alloc(16, 1, NULL);
        snprintf(r->id[i], 16, "id-%zu", i);
        for (size_t k = 0; k < N_FEATURES; k++)
            r->x[i][k] = normal(1, i * N_FEATURES + k);
        r->small_prob[i] = (float)(i % 101) / 101; /* never .5 */
        r->large_prob[i] = (float)(i % 57) / 57;
        r->gold[i] = i % 3 == 0;
    }
    return r;
}

static inline void rows_free(struct rows *r) {
    for (size_t i = 0; i < N_ROWS; i++)
        sr_free(r->id[i]);
    sr_free(r);
}

/* Row i becomes row (i * 331) % N_ROWS of the file. */
static inline void permute(struct rows *r) {
    struct rows *from = sr_alloc(1, sizeof *from, NULL);
    *from = *r;
    for (size_t i = 0; i < N_ROWS; i++) {
        const size_t to = i * 331 % N_ROWS;
        memcpy(r->x[to], from->x[i], sizeof r->x[to]);
        r->id[to] = from->id[i];
        r->small_prob[to] = from->small_prob[i];
        r->large_prob[to] = from->large_prob[i];
        r->gold[to] = from->gold[i];
    }
    sr_free(from);
}

static inline const char *path_in(char path[256], const char *folder, const char *name) {
    snprintf(path, 256, "%s/%s", folder, name);
    return path;
}

static inline int write_opinions(const struct sr_h5 *f, const struct rows *r, struct sr_error *err) {
    int status = sr_h5_write_column(f, "small_prob", SR_H5_WRITE_F32, r->small_prob, r->n, err);
    if (status == 0)
        status = sr_h5_write_column(f, "large_prob", SR_H5_WRITE_F32, r->large_prob, r->n, err);
    return status < 0 ? status : sr_h5_write_column(f, "gold", SR_H5_WRITE_U8, r->gold, r->n, err);
}

static inline void write_rows(const char *folder, const char *name, const struct rows *r,
                              enum sr_feature type) {
    const struct sr_h5_layout layout = {.type = type, .rows = r->n, .width = N_FEATURES};
    struct sr_h5 *f;
    struct sr_error err;
    char path[256];
    void *raw = sr_alloc(r->n * N_FEATURES, sizeof(float), NULL);
    sr_feature_from_float(raw, r->x[0], r->n * N_FEATURES, type);
    cr_assert_eq(sr_h5_create(&f, path_in(path, folder, name), path, &err), 0, "%s", err.text);
    int status = sr_h5_write_layout(f, "features", &layout, 256, &err);
    status = status < 0 ? status : sr_h5_write_rows(f, "features", raw, 0, r->n, N_FEATURES, &err);
    status = status < 0 ? status : sr_h5_write_column(f, "id", SR_H5_WRITE_TEXT, r->id, r->n, &err);
    if (status == 0 && !r->bare)
        status = write_opinions(f, r, &err);
    if (status == 0 && r->weight[0] > 0)
        status = sr_h5_write_column(f, "weight", SR_H5_WRITE_F32, r->weight, r->n, &err);
    if (status == 0 && r->model)
        status = sr_h5_write_attribute(f, "/", "feature_model", r->model, &err);
    cr_assert_eq(status, 0, "%s", err.text);
    cr_assert_eq(sr_h5_close(f, &err), 0, "%s", err.text);
    sr_free(raw);
}

static inline struct sr_data *open_in(const char *folder, const char *name) {
    char path[256];
    return open_paths(path_in(path, folder, name), NULL);
}

/* What the command says of a.h5 and b.h5, and its status. */
static inline void expect_compared(const char *folder, const char *more, int status, const char *out,
                                   const char *message) {
    struct run r = run_program(folder, "data compare %s/a.h5 %s/b.h5 %s", folder, folder, more);
    cr_expect_eq(r.status, status, "%s: %d %s", more, r.status, r.err);
    expect_in(r.out, out);
    expect_in(r.err, message);
    run_end(&r);
}

static inline void write_both(const char *folder, const struct rows *a, const struct rows *b) {
    write_rows(folder, "a.h5", a, SR_FEATURE_FLOAT);
    write_rows(folder, "b.h5", b, SR_FEATURE_FLOAT);
}

#endif
