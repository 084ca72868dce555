/* test_data_near.c: near and exact duplicates: what is found, what is not, and that it does not depend on
 * threads or on where features are kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "data/near.h"
#include "data/h5.h"
#include "tests/dump_fixture.h"

enum { WIDTH = 256 };

/* Not SR_STREAM_TEST, whose number moves with every purpose that is added. */
static double normal(uint64_t part, size_t row, size_t k) {
    return sr_random_normal(77, (uint64_t)250 << 56 | part << 40, row * WIDTH + k);
}

/* Rows of independent normal numbers around a large common vector: two of them have a cosine of about 0 once
 * the mean is taken out, sd 1/16. Free with sr_free. */
static float *random_rows(size_t n) {
    float *x = sr_alloc(n, WIDTH * sizeof *x, NULL);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < WIDTH; k++)
            x[i * WIDTH + k] = (float)(10 * sin((double)k) + (k % 7 == 0 ? 30 : 1) * normal(0, i, k));
    return x;
}

/* Row `to` becomes row `from` but for noise that leaves the given cosine of their standardised values. */
static void plant(float *x, size_t from, size_t to, double cosine) {
    const double noise = sqrt(1 - cosine * cosine);
    for (size_t k = 0; k < WIDTH; k++) {
        const double spread = k % 7 == 0 ? 30 : 1, mean = 10 * sin((double)k);
        const double z = ((double)x[from * WIDTH + k] - mean) / spread;
        x[to * WIDTH + k] = (float)(mean + spread * (cosine * z + noise * normal(1, to, k)));
    }
}

static const char *write_rows(char path[64], const char *name, const float *x, size_t n, const int64_t *group,
                              bool half) {
    struct sr_error err = {0};
    struct sr_h5 *f;
    const struct sr_h5_layout layout = {
        .type = half ? SR_FEATURE_HALF : SR_FEATURE_FLOAT, .rows = n, .width = WIDTH};
    uint8_t *label = sr_alloc(n, 1, NULL);
    void *raw = sr_alloc(n, WIDTH * sizeof(float), NULL);
    snprintf(path, 64, "/tmp/sr_near_%d_%s.h5", (int)getpid(), name);
    label[0] = 1;
    sr_feature_from_float(raw, x, n * WIDTH, layout.type);
    cr_assert_eq(sr_h5_create(&f, path, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_layout(f, "features", &layout, 0, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_rows(f, "features", raw, 0, n, WIDTH, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_column(f, "label", SR_H5_WRITE_U8, label, n, &err), 0);
    if (group)
        cr_assert_eq(sr_h5_write_column(f, "group", SR_H5_WRITE_I64, group, n, &err), 0);
    cr_assert_eq(sr_h5_close(f, &err), 0);
    sr_free(label);
    sr_free(raw);
    return path;
}

static struct sr_near *near_of(struct sr_data **sets, size_t n, double cosine) {
    struct sr_error err = {0};
    struct sr_near *near;
    cr_assert_eq(sr_near_begin(&near, sets, n, cosine, &err), 0, "%s", err.text);
    for (size_t s = 0; s < n; s++) {
        struct sr_scan scan;
        cr_assert_eq(sr_scan_visit(sets[s], &scan, sr_near_visitor(near, s), 1, NULL, NULL, &err), 0);
        sr_scan_free(&scan);
    }
    cr_assert_eq(sr_near_finish(near, NULL, NULL, &err), 0, "%s", err.text);
    return near;
}

/* Of `pairs` planted pairs among n rows at a cosine, the share that is found at SR_NEAR_COSINE. */
static double share_found(size_t n, size_t pairs, double cosine) {
    char path[64];
    float *x = random_rows(n);
    for (size_t i = 0; i < pairs; i++)
        plant(x, i, n - 1 - i, cosine);
    struct sr_data *d = open_paths(write_rows(path, "share", x, n, NULL, true), NULL);
    struct sr_near *near = near_of(&d, 1, SR_NEAR_COSINE);
    size_t count, found = 0;
    const struct sr_near_pair *pair = sr_near_pairs(near, &count);
    for (size_t i = 0; i < count; i++) {
        cr_expect_eq(pair[i].a + pair[i].b, n - 1, "%u and %u are no pair", pair[i].a, pair[i].b);
        cr_expect(pair[i].cosine >= (float)SR_NEAR_COSINE);
        found += pair[i].a < pairs;
    }
    cr_expect_eq(found, count);
    sr_near_free(near);
    sr_data_close(d);
    unlink(path);
    sr_free(x);
    return (double)found / (double)pairs;
}

/* What the method owes of pairs at cosine c, with p = acos(c)/pi: signatures of 256 bits differ in h ~
 * Binomial(256, p), a table of k bits misses the pair with probability 1 - (1 - h/256)^k, and there are 17
 * tables of 12 bits for 4,000 rows and a cosine of .95: all but .0001 at .98, .0017 at .97. A pair planted at
 * .97 has .97 +- .004 (256 numbers), hence about 1.5 of 500 are missed; more than 5 would be chance once in
 * 200 seeds. .90 +- .012 is too far. */
Test(data_near, planted_pairs_are_found) {
    cr_expect_geq(share_found(4000, 500, .999), 1);
    cr_expect_geq(share_found(4000, 500, .98), .998);
    cr_expect_geq(share_found(4000, 500, .97), .99);
    cr_expect_leq(share_found(4000, 500, .90), .01);
}

/* The cosine is that of standardised rows, whatever the scale of a column and the common vector. */
Test(data_near, cosine_is_of_standardised_rows) {
    char path[64];
    float *x = random_rows(3000);
    plant(x, 5, 2000, .98);
    struct sr_data *d = open_paths(write_rows(path, "cosine", x, 3000, NULL, false), NULL);
    struct sr_near *near = near_of(&d, 1, SR_NEAR_COSINE);
    size_t count;
    const struct sr_near_pair *pair = sr_near_pairs(near, &count);
    double xy = 0, xx = 0, yy = 0;
    for (size_t k = 0; k < WIDTH; k++) {
        const double mean = 10 * sin((double)k), spread = k % 7 == 0 ? 30 : 1;
        const double a = ((double)x[5 * WIDTH + k] - mean) / spread,
                     b = ((double)x[2000 * WIDTH + k] - mean) / spread;
        xy += a * b, xx += a * a, yy += b * b;
    }
    cr_assert_eq(count, 1);
    cr_expect_eq(pair->a, 5);
    cr_expect_eq(pair->b, 2000);
    /* the finder's mean and deviation are of 3,000 rows: off by 1/55 each, the cosine by about (1/55)^2 */
    cr_expect_float_eq((double)pair->cosine, xy / sqrt(xx * yy), 1e-3);
    sr_near_free(near);
    sr_data_close(d);
    unlink(path);
    sr_free(x);
}

Test(data_near, across_sets_of_different_types) {
    char path_a[64], path_b[64];
    float *x = random_rows(3000);
    plant(x, 5, 2000, .99);
    memcpy(x + 2500 * WIDTH, x + 7 * WIDTH, WIDTH * sizeof *x);
    struct sr_data *sets[2] = {
        open_paths(write_rows(path_a, "a", x, 1500, NULL, true), NULL),
        open_paths(write_rows(path_b, "b", x + 1500 * WIDTH, 1500, NULL, false), NULL)};
    struct sr_near *near = near_of(sets, 2, SR_NEAR_COSINE);
    size_t count;
    const struct sr_near_pair *pair = sr_near_pairs(near, &count);
    cr_assert_eq(count, 1);
    cr_expect_eq(pair->a, 5);
    cr_expect_eq(pair->b, 2000);
    cr_expect_eq(sr_near_root(near)[2000], 5);
    cr_expect_eq(sr_near_same(near)[2500], 7);
    cr_expect_eq(sr_near_root(near)[2500], 7);
    cr_expect_eq(sr_near_same(near)[2000], 2000);
    sr_near_free(near);
    sr_data_close(sets[0]);
    sr_data_close(sets[1]);
    unlink(path_a);
    unlink(path_b);
    sr_free(x);
}

Test(data_near, same_for_any_thread_count_kept_or_streamed) {
    char path[64];
    struct sr_error err = {0};
    float *x = random_rows(6000);
    for (size_t i = 0; i < 300; i++)
        plant(x, i, 3000 + i, .96);
    for (size_t i = 0; i < 400; i++)
        plant(x, 1000, 4000 + i, .98); /* a crowd */
    struct sr_data *d = open_paths(write_rows(path, "threads", x, 6000, NULL, true), NULL);
    sr_cpu_threads(1);
    struct sr_near *first = near_of(&d, 1, SR_NEAR_COSINE);
    size_t wanted, count;
    const struct sr_near_pair *pair = sr_near_pairs(first, &wanted);
    cr_expect_gt(wanted, 700);
    for (int threads = 2; threads <= 3; threads++) {
        sr_cpu_threads(threads);
        struct sr_near *near = near_of(&d, 1, SR_NEAR_COSINE);
        cr_expect_arr_eq(sr_near_pairs(near, &count), pair, wanted * sizeof *pair);
        cr_expect_eq(count, wanted);
        cr_expect_arr_eq(sr_near_root(near), sr_near_root(first), d->rows * sizeof(uint32_t));
        sr_near_free(near);
        cr_assert_eq(sr_data_keep(d, SIZE_MAX, &err), 0, "%s", err.text);
    }
    sr_near_free(first);
    sr_data_close(d);
    unlink(path);
    sr_free(x);
}

/* A crowd: 1,000 noisy copies of one row are one component, and each keeps a few of its pairs only. */
Test(data_near, a_crowd_is_one_component_and_not_quadratic) {
    enum { N = 8000, CROWD = 1000 };
    char path[64];
    float *x = random_rows(N);
    for (size_t i = 1; i < CROWD; i++)
        plant(x, 0, i, .99);
    struct sr_data *d = open_paths(write_rows(path, "crowd", x, N, NULL, true), NULL);
    struct sr_near *near = near_of(&d, 1, SR_NEAR_COSINE);
    size_t count, members = 0;
    sr_near_pairs(near, &count);
    for (size_t i = 0; i < CROWD; i++)
        members += sr_near_root(near)[i] == 0;
    cr_expect_eq(members, CROWD);
    cr_expect_leq(count, SR_NEAR_KEPT * CROWD);
    sr_near_free(near);
    sr_data_close(d);
    unlink(path);
    sr_free(x);
}

Test(data_near, rows_all_the_same_zero_or_bad) {
    enum { N = 5000 };
    char path[64];
    float *x = random_rows(N);
    for (size_t i = 0; i < 4000; i++)
        memcpy(x + i * WIDTH, x, WIDTH * sizeof *x);
    memset(x + 4000 * WIDTH, 0, 500 * WIDTH * sizeof *x);
    x[4600 * WIDTH + 3] = NAN;
    x[4601 * WIDTH + 3] = NAN;
    memcpy(x + 4601 * WIDTH, x + 4600 * WIDTH, WIDTH * sizeof *x);
    struct sr_data *d = open_paths(write_rows(path, "same", x, N, NULL, false), NULL);
    struct sr_near *near = near_of(&d, 1, SR_NEAR_COSINE);
    cr_expect_eq(sr_near_root(near)[3999], 0);
    cr_expect_eq(sr_near_root(near)[4499], 4000);
    cr_expect_eq(sr_near_same(near)[4499], 4000);
    cr_expect_eq(sr_near_root(near)[4601], 4601, "a bad row is the same as no other");
    sr_near_free(near);
    sr_data_close(d);
    unlink(path);
    sr_free(x);
}

Test(data_near, groups_join_what_is_near_and_what_has_one_group) {
    char path[64];
    struct sr_error err = {0};
    float *x = random_rows(1000);
    int64_t *group = sr_alloc(1000, sizeof *group, NULL), *out = sr_alloc(1000, sizeof *out, NULL);
    for (size_t i = 0; i < 1000; i++)
        group[i] = (int64_t)(5000 + i);
    group[700] = group[20];  /* 700 shares the group of 20 ... */
    plant(x, 700, 900, .99); /* ... and is near 900 */
    memcpy(x + 950 * WIDTH, x + 900 * WIDTH, WIDTH * sizeof *x);
    struct sr_data *d = open_paths(write_rows(path, "groups", x, 1000, group, true), NULL);
    cr_assert_eq(sr_near_groups(out, d, SR_NEAR_COSINE, NULL, NULL, &err), 0, "%s", err.text);
    size_t alone = 0;
    for (size_t i = 0; i < 1000; i++)
        alone += out[i] == (int64_t)i;
    cr_expect_eq(alone, 997);
    cr_expect_eq(out[700], 20);
    cr_expect_eq(out[900], 20);
    cr_expect_eq(out[950], 20);
    cr_assert_eq(sr_near_groups(out, d, 0, NULL, NULL, &err), 0, "%s", err.text);
    cr_expect_eq(out[900], 900, "cosine 0 is exact duplicates only");
    cr_expect_eq(out[950], 900);
    cr_expect_eq(out[700], 20);
    cr_expect_eq(sr_near_groups(out, d, .5, NULL, NULL, &err), SR_USAGE);
    sr_data_close(d);
    unlink(path);
    sr_free(x);
    sr_free(group);
    sr_free(out);
}
