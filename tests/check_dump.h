/* check_dump.h: a clean dump in memory, to be spoilt in one way and written, for tests of data check.
 *
 * Features are an RMSNorm's output, small_prob is what the output head says of them, the guards are right
 * more often than not, labels follow: `data check` has nothing to say of two such dumps of different seeds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_CHECK_DUMP_H
#define SR_TEST_CHECK_DUMP_H

#include <math.h>

#include "data/check.h"
#include "data/h5.h"
#include "data/near.h"
#include "tests/dump_fixture.h"

enum { CHECK_WIDTH = 64, CHECK_ROWS = 1200 };

struct check_dump {
    char path[64];
    size_t rows;
    float *x; /* [rows, CHECK_WIDTH] */
    uint8_t *label, *gold;
    float *small_prob, *large_prob, *weight; /* weight: NULL, not written */
    int64_t *group;
    char (*id)[24];
    float head[2 * CHECK_WIDTH];
    size_t head_width;
    enum sr_feature head_type;
    bool no_label, no_large, no_id;
    struct sr_pair attribute[6];
};

/* Not SR_STREAM_TEST, whose number moves with every purpose that is added. */
static inline double check_normal(uint64_t seed, uint64_t part, size_t i) {
    return sr_random_normal(seed, (uint64_t)251 << 56 | part << 40, i);
}

static inline double check_uniform(uint64_t seed, uint64_t part, size_t i) {
    return sr_random_uniform(seed, (uint64_t)251 << 56 | part << 40, i);
}

/* Rounded to float16, as they are stored, so that the head can give small_prob exactly. */
static inline void check_row(float *x, uint64_t seed, size_t row) {
    double squares = 0, h[CHECK_WIDTH];
    uint16_t half[CHECK_WIDTH];
    for (size_t k = 0; k < CHECK_WIDTH; k++) {
        h[k] = check_normal(0, 0, k) + check_normal(seed, 1, row * CHECK_WIDTH + k);
        squares += h[k] * h[k];
    }
    for (size_t k = 0; k < CHECK_WIDTH; k++)
        x[k] = (float)(exp(.5 * check_normal(0, 2, k)) * h[k] / sqrt(squares / CHECK_WIDTH));
    sr_feature_from_float(half, x, CHECK_WIDTH, SR_FEATURE_HALF);
    sr_feature_to_float(x, half, CHECK_WIDTH, SR_FEATURE_HALF);
}

static inline float check_prob(const struct check_dump *d, const float *x) {
    double margin = 0;
    for (size_t k = 0; k < CHECK_WIDTH; k++)
        margin += (double)x[k] * ((double)d->head[CHECK_WIDTH + k] - (double)d->head[k]);
    return (float)(1 / (1 + exp(-margin)));
}

static inline void check_label(struct check_dump *d, size_t i) {
    d->label[i] = (d->small_prob[i] >= .5f) != d->gold[i] && (d->large_prob[i] >= .5f) == (d->gold[i] == 1);
}

static inline void check_dump_fill(struct check_dump *d, uint64_t seed) {
    for (size_t i = 0; i < d->rows; i++) {
        check_row(d->x + i * CHECK_WIDTH, seed, i);
        d->small_prob[i] = check_prob(d, d->x + i * CHECK_WIDTH);
        d->gold[i] = (d->small_prob[i] >= .5f) != (check_uniform(seed, 3, i) < .25);
        const double sure = .5 + .5 * check_uniform(seed, 4, i);
        d->large_prob[i] =
            (float)((d->gold[i] == 1) != (check_uniform(seed, 5, i) < .1) ? sure : 1 - sure - 1e-3);
        d->large_prob[i] = d->large_prob[i] < 0 ? 0 : d->large_prob[i];
        d->group[i] = (int64_t)(seed * 1000000 + i);
        snprintf(d->id[i], sizeof d->id[i], "%llu-%zu", (unsigned long long)seed, i);
        check_label(d, i);
    }
}

static inline void check_dump_begin(struct check_dump *d, const char *name, uint64_t seed) {
    static const struct sr_pair said[6] = {
        {"feature_model", "m"},   {"feature_revision", "1"},   {"feature_layer", "last"},
        {"feature_norm", "post"}, {"feature_pooling", "last"}, {"feature_template", "t"},
    };
    memset(d, 0, sizeof *d);
    d->rows = CHECK_ROWS;
    d->head_width = CHECK_WIDTH;
    d->head_type = SR_FEATURE_FLOAT;
    snprintf(d->path, sizeof d->path, "/tmp/sr_check_%d_%s.h5", (int)getpid(), name);
    d->x = sr_alloc(d->rows, CHECK_WIDTH * sizeof(float), NULL);
    d->label = sr_alloc(d->rows, 1, NULL);
    d->gold = sr_alloc(d->rows, 1, NULL);
    d->small_prob = sr_alloc(d->rows, sizeof(float), NULL);
    d->large_prob = sr_alloc(d->rows, sizeof(float), NULL);
    d->group = sr_alloc(d->rows, sizeof(int64_t), NULL);
    d->id = sr_alloc(d->rows, sizeof *d->id, NULL);
    memcpy(d->attribute, said, sizeof said);
    for (size_t k = 0; k < 2 * CHECK_WIDTH; k++)
        d->head[k] = (float)(.3 * check_normal(0, 6, k));
    check_dump_fill(d, seed);
}

/* Row `to` becomes row `from`, with all that follows from features. */
static inline void check_copy(struct check_dump *d, size_t to, const struct check_dump *from, size_t row) {
    memcpy(d->x + to * CHECK_WIDTH, from->x + row * CHECK_WIDTH, CHECK_WIDTH * sizeof(float));
    d->small_prob[to] = from->small_prob[row];
    d->large_prob[to] = from->large_prob[row];
    d->gold[to] = from->gold[row];
    d->label[to] = from->label[row];
}

static inline void check_dump_columns(const struct check_dump *d, const struct sr_h5 *f) {
    const size_t n = d->rows;
    cr_assert_eq(sr_h5_write_column(f, "gold", SR_H5_WRITE_I8, d->gold, n, NULL), 0);
    cr_assert_eq(sr_h5_write_column(f, "small_prob", SR_H5_WRITE_F32, d->small_prob, n, NULL), 0);
    if (!d->no_large)
        cr_assert_eq(sr_h5_write_column(f, "large_prob", SR_H5_WRITE_F32, d->large_prob, n, NULL), 0);
    cr_assert_eq(sr_h5_write_column(f, "group", SR_H5_WRITE_I64, d->group, n, NULL), 0);
    if (!d->no_id)
        cr_assert_eq(sr_h5_write_fixed(f, "id", d->id[0], n, sizeof d->id[0], NULL), 0);
    if (!d->no_label)
        cr_assert_eq(sr_h5_write_column(f, "label", SR_H5_WRITE_I8, d->label, n, NULL), 0);
    if (d->weight)
        cr_assert_eq(sr_h5_write_column(f, "weight", SR_H5_WRITE_F32, d->weight, n, NULL), 0);
}

static inline void check_dump_matrix(const struct sr_h5 *f, const char *name, const float *x, size_t rows,
                                     size_t width, enum sr_feature type) {
    const struct sr_h5_layout layout = {.type = type, .rows = rows, .width = width};
    void *raw = sr_alloc(rows, width * sizeof(float), NULL);
    sr_feature_from_float(raw, x, rows * width, type);
    cr_assert_eq(sr_h5_write_layout(f, name, &layout, 0, NULL), 0);
    cr_assert_eq(sr_h5_write_rows(f, name, raw, 0, rows, width, NULL), 0);
    sr_free(raw);
}

/* Returns its path. Unknown gold is 255, which reads as -1. */
static inline const char *check_dump_write(const struct check_dump *d) {
    struct sr_h5 *f;
    cr_assert_eq(sr_h5_create(&f, d->path, d->path, NULL), 0);
    check_dump_matrix(f, "features", d->x, d->rows, CHECK_WIDTH, SR_FEATURE_HALF);
    if (d->head_width)
        check_dump_matrix(f, "verdict_head", d->head, 2, d->head_width, d->head_type);
    check_dump_columns(d, f);
    for (size_t i = 0; i < SR_COUNT(d->attribute); i++)
        if (d->attribute[i].value)
            cr_assert_eq(sr_h5_write_attribute(f, "/", d->attribute[i].key, d->attribute[i].value, NULL), 0);
    cr_assert_eq(sr_h5_close(f, NULL), 0);
    return d->path;
}

static inline void check_dump_end(struct check_dump *d) {
    void *blocks[] = {d->x, d->label, d->gold, d->small_prob, d->large_prob, d->weight, d->group, d->id};
    for (size_t i = 0; i < SR_COUNT(blocks); i++)
        sr_free(blocks[i]);
    unlink(d->path);
}

/* ---- two of them ---- */

/* Two clean dumps, and what was done to them. */
struct plan {
    struct check_dump a, b;
    struct sr_check_options how;
    struct sr_check_imbalance imbalance;
    bool serious;     /* what was planted should be */
    const char *also; /* other kinds that are found with it, or NULL */
    char more[80];    /* ",PATH" of a third file, which goes with the others, or "" */
};

static inline void plan_begin(struct plan *p) {
    memset(p, 0, sizeof *p);
    check_dump_begin(&p->a, "a", 1);
    check_dump_begin(&p->b, "b", 2);
    p->how.near = SR_NEAR_COSINE;
    p->serious = true;
}

static inline struct sr_check *plan_run(struct plan *p) {
    char paths[240];
    struct sr_error err = {0};
    struct sr_check *check;
    snprintf(paths, sizeof paths, "%s,%s%s", check_dump_write(&p->a), check_dump_write(&p->b), p->more);
    cr_assert_eq(sr_check_run(&check, paths, &p->how, NULL, NULL, &err), 0, "%s", err.text);
    return check;
}

static inline void plan_end(struct plan *p, struct sr_check *check) {
    sr_check_free(check);
    check_dump_end(&p->a);
    check_dump_end(&p->b);
    if (p->more[0])
        unlink(p->more + 1);
}

/* ---- what was found ---- */

static inline const struct sr_finding *check_find(const struct sr_check *check, const char *kind) {
    for (size_t i = 0; i < check->findings; i++)
        if (strcmp(check->finding[i]->kind, kind) == 0)
            return check->finding[i];
    return NULL;
}

static inline double check_number(const struct sr_finding *f, const char *name) {
    for (size_t i = 0; i < f->numbers; i++)
        if (strcmp(f->number[i].name, name) == 0)
            return f->number[i].value;
    cr_assert_fail("%s has no number %s", f->kind, name);
    return 0;
}

#endif
