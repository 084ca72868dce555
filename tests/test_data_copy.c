/* test_data_copy.c: rows of a dump into a new file, and rows dealt out to parts. What h5py sees of it is in
 * tests/consumers/test_data_commands.py.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/copy.h"
#include "data/deal.h"
#include "data/set.h"
#include "tests/dump_fixture.h"

enum { ROWS = 3000, WIDTH = 40 };

/* Copies a dump as how says, and opens the result. */
static struct sr_data *copied(const char *path, struct sr_copy how) {
    struct sr_error err = {0};
    struct sr_h5 *from, *to;
    char target[64];
    snprintf(target, sizeof target, "/tmp/sr_test_copy_%d.h5", (int)getpid());
    how.features = "features";
    cr_assert_eq(sr_h5_open(&from, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_create(&to, target, target, &err), 0, "%s", err.text);
    cr_assert_eq(sr_copy_rows(to, from, &how, NULL, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_close(to, &err), 0);
    sr_h5_close(from, NULL);
    struct sr_data *d = open_paths(target, NULL);
    unlink(target);
    return d;
}

static void expect_rows(struct sr_data *old, struct sr_data *new, const uint32_t *rows, size_t n) {
    float *x = all_features(old), *y = all_features(new);
    cr_assert_eq(new->rows, n);
    for (size_t i = 0; i < n; i++) {
        const size_t r = rows ? rows[i] : i;
        cr_assert_arr_eq(x + r * old->width, y + i * new->width, old->width * sizeof *x, "row %zu", i);
        cr_expect_str_eq(old->id[r], new->id[i]);
        cr_expect_eq(old->label[r], new->label[i], "row %zu", i);
        cr_expect_eq(old->group[r], new->group[i], "row %zu", i);
        cr_expect_str_eq(old->source_names[old->source[r]], new->source_names[new->source[i]]);
    }
    cr_expect_eq(old->contract_count, new->contract_count);
    sr_free(x);
    sr_free(y);
}

/* Few neighbours, whole stretches, every row backwards, and a shuffle: each takes another way through
 * gather.c. */
Test(data_copy, rows_in_any_order) {
    char path[64];
    static uint32_t rows[ROWS];
    struct sr_data *old = open_paths(make_synth(path, ROWS, WIDTH, 5), NULL);
    for (int kind = 0; kind < 4; kind++) {
        size_t n = 0;
        for (uint32_t i = 0; i < ROWS; i++)
            if (kind == 0 ? i % 7 == 3 : kind == 1 ? i < 1200 || i > 2900 : true)
                rows[n++] = kind == 2 ? ROWS - 1 - i : i;
        if (kind == 3)
            sr_random_shuffle(rows, n, 1, sr_stream(SR_STREAM_TEST, 0, 0));
        struct sr_data *new = copied(path, (struct sr_copy){.rows = rows, .n = n, .type = SR_CONVERT_KEEP});
        expect_rows(old, new, rows, n);
        sr_data_close(new);
    }
    sr_data_close(old);
    unlink(path);
}

Test(data_copy, the_form_does_not_change_the_rows) {
    char path[64];
    struct sr_data *old = open_paths(make_synth(path, ROWS, WIDTH, 6), NULL);
    struct sr_scan was = scan_of(old);
    const struct sr_copy forms[] = {{.type = SR_CONVERT_KEEP},
                                    {.type = SR_CONVERT_FLOAT},
                                    {.type = SR_CONVERT_KEEP, .gzip = 4},
                                    {.type = SR_CONVERT_FLOAT, .gzip = 1, .band = 77},
                                    {.type = SR_CONVERT_HALF, .band = 5000, .chunked = true}};
    for (size_t i = 0; i < SR_COUNT(forms); i++) {
        struct sr_data *new = copied(path, forms[i]);
        struct sr_scan is = scan_of(new);
        expect_rows(old, new, NULL, ROWS);
        cr_expect_str_eq(was.data_id, is.data_id, "form %zu", i);
        cr_expect_eq(new->in->type, forms[i].type == SR_CONVERT_FLOAT ? SR_FEATURE_FLOAT : SR_FEATURE_HALF);
        sr_scan_free(&is);
        sr_data_close(new);
    }
    sr_scan_free(&was);
    sr_data_close(old);
    unlink(path);
}

/* ---- parts ---- */

enum { MEMBERS = 1200 };

static size_t count(const uint8_t *part, const uint32_t *stratum, int p, uint32_t s) {
    size_t n = 0;
    for (size_t i = 0; i < MEMBERS; i++)
        n += part[i] == p && stratum[i] == s;
    return n;
}

Test(data_copy, parts_get_their_quotas_and_groups_stay_whole) {
    static uint8_t part[MEMBERS];
    static uint32_t stratum[MEMBERS];
    static int64_t group[MEMBERS];
    const size_t quota[] = {0, 0, 0, 100, 60, 21, 50, 90, 0};
    struct sr_error err = {0};
    struct sr_deal deal;
    uint32_t *rows = all_rows(MEMBERS);
    for (size_t i = 0; i < MEMBERS; i++) {
        stratum[i] = (uint32_t)(i / 4 % 3);
        group[i] = (int64_t)i / 4 * 1000003;
    }
    cr_assert_eq(sr_deal_begin(&deal, rows, MEMBERS, group, 9, &err), 0);
    cr_assert_eq(sr_deal_fill(&deal, part, 3, stratum, 3, quota, &err), 0);
    sr_deal_end(&deal);
    for (int p = 1; p < 3; p++)
        for (uint32_t s = 0; s < 3; s++) /* groups of four fill what is left of them */
            cr_expect_eq(count(part, stratum, p, s), quota[3 * p + (int)s] / 4 * 4, "part %d, stratum %u", p,
                         s);
    for (size_t i = 1; i < MEMBERS; i++)
        cr_expect(group[i] != group[i - 1] || part[i] == part[i - 1], "row %zu", i);
    sr_free(rows);
}

Test(data_copy, what_is_dealt_stays_and_counts) {
    static uint8_t part[MEMBERS];
    static uint32_t stratum[MEMBERS];
    const size_t quota[] = {0, 300};
    struct sr_error err = {0};
    struct sr_deal deal;
    uint32_t *rows = all_rows(MEMBERS);
    memset(part, 1, 200);
    cr_assert_eq(sr_deal_begin(&deal, rows, MEMBERS, NULL, 9, &err), 0);
    cr_assert_eq(sr_deal_fill(&deal, part, 2, stratum, 1, quota, &err), 0);
    sr_deal_end(&deal);
    cr_expect_eq(count(part, stratum, 1, 0), 300);
    for (size_t i = 0; i < 200; i++)
        cr_expect_eq(part[i], 1);
    sr_free(rows);
}
