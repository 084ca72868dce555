/* test_data_near.c: near and exact duplicates: what is found, what is not, and that it does not depend on
 * threads or on where features are kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "data/near.h"
#include "data/near_list.h"
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

/* x: [n, width]. */
static const char *write_matrix(char path[64], const char *name, const float *x, size_t n, size_t width,
                                const int64_t *group, bool half) {
    struct sr_error err = {0};
    struct sr_h5 *f;
    const struct sr_h5_layout layout = {
        .type = half ? SR_FEATURE_HALF : SR_FEATURE_FLOAT, .rows = n, .width = width};
    uint8_t *label = sr_alloc(n, 1, NULL);
    void *raw = sr_alloc(n, width * sizeof(float), NULL);
    snprintf(path, 64, "/tmp/sr_near_%d_%s.h5", (int)getpid(), name);
    label[0] = 1;
    sr_feature_from_float(raw, x, n * width, layout.type);
    cr_assert_eq(sr_h5_create(&f, path, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_layout(f, "features", &layout, 0, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_rows(f, "features", raw, 0, n, width, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_column(f, "label", SR_H5_WRITE_U8, label, n, &err), 0);
    if (group)
        cr_assert_eq(sr_h5_write_column(f, "group", SR_H5_WRITE_I64, group, n, &err), 0);
    cr_assert_eq(sr_h5_close(f, &err), 0);
    sr_free(label);
    sr_free(raw);
    return path;
}

static const char *write_rows(char path[64], const char *name, const float *x, size_t n, const int64_t *group,
                              bool half) {
    return write_matrix(path, name, x, n, WIDTH, group, half);
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

/* ---- what hid near duplicates, or made some up ---- */

/* The pairs of n matrices of rows, float16 ones: how many, and root of all rows (free with sr_free). */
static size_t pairs_of(uint32_t **root, const float *const *x, const size_t *rows, size_t n) {
    char path[4][64], name[32];
    struct sr_data *sets[4];
    size_t count, all = 0;
    for (size_t s = 0; s < n; s++) {
        snprintf(name, sizeof name, "set%zu", s);
        sets[s] = open_paths(write_rows(path[s], name, x[s], rows[s], NULL, true), NULL);
        all += rows[s];
    }
    struct sr_near *near = near_of(sets, n, SR_NEAR_COSINE);
    sr_near_pairs(near, &count);
    *root = sr_alloc(all, sizeof **root, NULL);
    memcpy(*root, sr_near_root(near), all * sizeof **root);
    sr_near_free(near);
    for (size_t s = 0; s < n; s++) {
        sr_data_close(sets[s]);
        unlink(path[s]);
    }
    return count;
}

enum { FAMILIES = 20, MEMBERS = 20 };

/* Family i, MEMBERS rows from row first + i MEMBERS on, lies around row base + i. */
static void plant_families(float *x, size_t first, size_t base) {
    for (size_t i = 0; i < FAMILIES * MEMBERS; i++)
        plant(x, base + i / MEMBERS, first + i, .9985);
}

/* Families of more rows than a list keeps from row 0 on, and from n/2 on one near each of them (members at
 * .972, sd .004): every row's list is full of its own family. */
static float *twin_families(size_t n) {
    float *x = random_rows(n);
    const size_t base = n - FAMILIES, other = base - FAMILIES;
    for (size_t i = 0; i < FAMILIES; i++)
        plant(x, base + i, other + i, .975);
    plant_families(x, 0, base);
    plant_families(x, n / 2, other);
    for (size_t i = other; i < n; i++) /* nothing else is left that connects them */
        plant(x, 0, i, 0);
    return x;
}

Test(data_near, families_in_one_set_are_connected) {
    enum { N = 3000 };
    float *x = twin_families(N);
    uint32_t *root;
    pairs_of(&root, (const float *const[]){x}, (const size_t[]){N}, 1);
    size_t connected = 0;
    for (size_t i = 0; i < FAMILIES * MEMBERS; i++)
        connected += root[N / 2 + i] == i / MEMBERS * MEMBERS;
    cr_expect_eq(connected, FAMILIES * MEMBERS);
    sr_free(root);
    sr_free(x);
}

Test(data_near, each_row_of_a_family_is_near_one_of_the_other_set) {
    enum { N = 3000 };
    char path[2][64];
    float *x = twin_families(N);
    struct sr_data *sets[2] = {
        open_paths(write_rows(path[0], "a", x, N / 2, NULL, true), NULL),
        open_paths(write_rows(path[1], "b", x + N / 2 * WIDTH, N / 2, NULL, true), NULL)};
    struct sr_near *near = near_of(sets, 2, SR_NEAR_COSINE);
    uint8_t *seen = sr_alloc(N, 1, NULL);
    size_t count, found = 0;
    const struct sr_near_pair *pair = sr_near_pairs(near, &count);
    for (size_t i = 0; i < count; i++)
        if (pair[i].a < N / 2 && pair[i].b >= N / 2)
            seen[pair[i].b] = 1;
    for (size_t i = 0; i < N; i++)
        found += seen[i];
    cr_expect_eq(found, FAMILIES * MEMBERS);
    sr_near_free(near);
    for (size_t s = 0; s < 2; s++) {
        sr_data_close(sets[s]);
        unlink(path[s]);
    }
    sr_free(seen);
    sr_free(x);
}

/* 100 deviations of one column are more than all other columns have together. */
Test(data_near, one_column_far_out_makes_no_rows_alike) {
    enum { N = 8000 };
    float *x = random_rows(N);
    uint32_t *root;
    for (size_t i = 100; i < 140; i++)
        x[i * WIDTH + 9] = 100;
    cr_expect_eq(pairs_of(&root, (const float *const[]){x}, (const size_t[]){N}, 1), 0);
    sr_free(root);
    sr_free(x);
}

/* By a mean between the two all rows of one set would be alike; a copy of a row is found across nevertheless.
 */
Test(data_near, sets_that_lie_apart_have_a_mean_of_their_own) {
    enum { N = 1500 };
    float *x = random_rows(2 * N);
    uint32_t *root;
    for (size_t i = N; i < 2 * N; i++)
        for (size_t k = 0; k < WIDTH; k++)
            x[i * WIDTH + k] += k % 7 == 0 ? 300 : 10;
    for (size_t k = 0; k < WIDTH; k++)
        x[(N + 7) * WIDTH + k] = x[5 * WIDTH + k] + (k % 7 == 0 ? 3 : .1f) * (float)normal(1, 0, k);
    const float *const sets[] = {x, x + (size_t)N * WIDTH};
    cr_expect_eq(pairs_of(&root, sets, (const size_t[]){N, N}, 2), 1);
    cr_expect_eq(root[N + 7], 5);
    sr_free(root);
    sr_free(x);
}

/* A column of ones that is 1.001 in 20 rows has 12 deviations there; it is rounding all the same. */
Test(data_near, a_step_of_rounding_in_a_constant_column_hides_nothing) {
    enum { N = 3000 };
    float *x = random_rows(N);
    uint32_t *root;
    for (size_t i = 0; i < N; i++)
        x[i * WIDTH + 9] = 1;
    for (size_t i = 0; i < 20; i++) {
        plant(x, i, 100 + i, .99);
        x[(100 + i) * WIDTH + 9] = 1.001f;
    }
    cr_expect_eq(pairs_of(&root, (const float *const[]){x}, (const size_t[]){N}, 1), 20);
    sr_free(root);
    sr_free(x);
}

/* float16 has steps of 8 at 10,000: it would round all rows to one or two. */
Test(data_near, rows_of_float32_are_the_same_only_in_all_bits) {
    enum { N = 500 };
    char path[64];
    float *x = random_rows(N);
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < WIDTH; k++)
            x[i * WIDTH + k] = (float)(10000 + normal(0, i, k));
    memcpy(x + 400 * WIDTH, x + 3 * WIDTH, WIDTH * sizeof *x);
    struct sr_data *d = open_paths(write_rows(path, "offset", x, N, NULL, false), NULL);
    struct sr_near *near = near_of(&d, 1, 0);
    for (size_t i = 0; i < N; i++)
        cr_expect_eq(sr_near_same(near)[i], i == 400 ? 3 : i);
    sr_near_free(near);
    sr_data_close(d);
    unlink(path);
    sr_free(x);
}

Test(data_near, sets_of_two_widths_are_searched_side_by_side) {
    enum { N = 1000, NARROW = 96 };
    char path[3][64];
    float *x = random_rows(3 * N);
    plant(x, N + 5, 2 * N + 9, .99);
    memcpy(x + (2 * N + 20) * WIDTH, x + (N + 8) * WIDTH, WIDTH * sizeof *x);
    struct sr_data *sets[3] = {
        open_paths(write_matrix(path[0], "narrow", x, N, NARROW, NULL, true), NULL),
        open_paths(write_rows(path[1], "wide1", x + (size_t)N * WIDTH, N, NULL, true), NULL),
        open_paths(write_rows(path[2], "wide2", x + (size_t)2 * N * WIDTH, N, NULL, true), NULL)};
    struct sr_near *near = near_of(sets, 3, SR_NEAR_COSINE);
    cr_expect_eq(sr_near_root(near)[2 * N + 9], N + 5);
    cr_expect_eq(sr_near_same(near)[2 * N + 20], N + 8);
    sr_near_free(near);
    for (size_t s = 0; s < 3; s++) {
        sr_data_close(sets[s]);
        unlink(path[s]);
    }
    sr_free(x);
}

/* By the mean of the second set, which is the crowd, noise is all there is. */
Test(data_near, a_set_that_is_one_crowd_is_near_its_original) {
    enum { N = 1500 };
    float *x = random_rows(2 * N);
    uint32_t *root;
    for (size_t i = N; i < 2 * N - 100; i++)
        plant(x, 5, i, .99);
    const float *const sets[] = {x, x + (size_t)N * WIDTH};
    pairs_of(&root, sets, (const size_t[]){N, N}, 2);
    size_t found = 0;
    for (size_t i = N; i < 2 * N - 100; i++)
        found += root[i] == 5;
    cr_expect_eq(found, N - 100);
    sr_free(root);
    sr_free(x);
}

/* ---- a list ---- */

static void offer(struct sr_near_list *list, uint32_t row, uint16_t distance, uint16_t set) {
    sr_near_list_offer(list, (struct sr_near_candidate){row, distance, set});
}

Test(data_near, a_list_keeps_the_nearest_and_one_of_each_set) {
    struct sr_near_list list = {.count = 0};
    for (uint32_t i = 0; i < SR_NEAR_KEPT; i++)
        offer(&list, 100 + i, (uint16_t)(10 + i), 0);
    offer(&list, 100, 10, 0);
    cr_expect_eq(list.full, 0, "a row that is there already takes no room");
    offer(&list, 300, 40, 1); /* the farthest, but the only one of its set */
    cr_expect(sr_near_list_has(&list, 300));
    cr_expect(!sr_near_list_has(&list, 100 + SR_NEAR_KEPT - 1), "the farthest of the other set went");
    cr_expect_eq(list.full, 1);
    offer(&list, 200, 5, 0);
    cr_expect(sr_near_list_has(&list, 300));
    cr_expect(!sr_near_list_has(&list, 100 + SR_NEAR_KEPT - 2));
    offer(&list, 301, 30, 1); /* a nearer one of that set */
    cr_expect(sr_near_list_has(&list, 301) && !sr_near_list_has(&list, 300));
    offer(&list, 201, 50, 0);
    cr_expect(!sr_near_list_has(&list, 201));
    for (uint32_t i = 1; i < SR_NEAR_KEPT; i++)
        cr_expect_leq(list.nearest[i - 1].distance, list.nearest[i].distance);
}
