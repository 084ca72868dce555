/* test_data_set.c: several dumps as one set of rows.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5.h"
#include "tests/dump_fixture.h"

/* A dump of FIXTURE_ROWS rows with these groups, if any; remove it with unlink. */
static const char *make_grouped(char path[64], const char *name, enum sr_h5_type kind, const void *group) {
    static const uint16_t half[FIXTURE_ROWS];
    static const uint8_t label[FIXTURE_ROWS];
    struct sr_error err = {0};
    struct sr_h5 *f;
    snprintf(path, 64, "/tmp/sr_test_%d_%s.h5", (int)getpid(), name);
    cr_assert_eq(sr_h5_create(&f, path, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_matrix(f, "features", FIXTURE_ROWS, 1, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_rows(f, "features", half, 0, FIXTURE_ROWS, 1, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_column(f, "label", SR_H5_WRITE_U8, label, FIXTURE_ROWS, &err), 0);
    if (group)
        cr_assert_eq(sr_h5_write_column(f, "group", kind, group, FIXTURE_ROWS, &err), 0);
    cr_assert_eq(sr_h5_close(f, &err), 0, "%s", err.text);
    return path;
}

/* Rows that share the row's group, itself among them. */
static size_t group_size(const struct sr_data *d, size_t row) {
    size_t n = 0;
    for (size_t i = 0; i < d->rows; i++)
        n += d->group[i] == d->group[row];
    return n;
}

Test(data_set, rows_follow_each_other) {
    struct sr_data *d = open_fixture("half,float,bfloat", NULL);
    cr_assert_eq(d->rows, 3 * FIXTURE_ROWS);
    cr_expect_eq(d->files, 3);
    for (int kept = 0; kept < 2; kept++) {
        struct sr_error err = {0};
        cr_assert_eq(sr_data_keep(d, kept ? SIZE_MAX : 0, &err), 0, "%s", err.text);
        float *x = all_features(d);
        for (size_t r = 0; r < d->rows; r++)
            for (size_t k = 0; k < d->width; k++)
                cr_assert_eq(x[r * d->width + k], fixture_value(r % FIXTURE_ROWS, k), "row %zu", r);
        sr_free(x);
    }
    cr_expect_eq(sr_data_bytes(d), d->rows * d->width * sizeof(float), "mixed types are kept as float");
    sr_data_close(d);
}

Test(data_set, locate_gives_file_and_row) {
    struct sr_data *d = open_fixture("half,float", NULL);
    static const struct {
        size_t row, in_file;
        const char *name;
    } place[] = {{0, 0, "/half.h5"}, {11, 11, "/half.h5"}, {12, 0, "/float.h5"}, {23, 11, "/float.h5"}};
    for (size_t i = 0; i < SR_COUNT(place); i++) {
        const char *path;
        size_t row;
        sr_data_locate(d, place[i].row, &path, &row);
        cr_expect(strstr(path, place[i].name), "%s", path);
        cr_expect_eq(row, place[i].in_file);
    }
    sr_data_close(d);
}

Test(data_set, sources_are_joined_by_name) {
    struct sr_data *d = open_fixture("full,full_other_sources", NULL);
    cr_expect_eq(d->sources, 4, "forum, news, chat and mail, chat being in both");
    cr_expect_str_eq(d->source_names[d->source[2]], "chat");
    cr_expect_eq(d->source[2], d->source[12]);
    cr_expect_str_eq(d->source_names[d->source[13]], "mail");
    sr_data_close(d);
}

Test(data_set, sources_numbered_by_a_file_are_renumbered) {
    struct sr_data *d = open_fixture("full_other_sources,full", NULL);
    static const char *const names[] = {"forum", "news", "chat"};
    for (size_t i = 0; i < FIXTURE_ROWS; i++)
        cr_expect_str_eq(d->source_names[d->source[FIXTURE_ROWS + i]], names[i % 3], "row %zu", i);
    sr_data_close(d);
}

Test(data_set, a_column_one_file_lacks_is_absent) {
    struct sr_data *d = open_fixture("full,full_other_sources", NULL);
    cr_expect_null(d->large_prob);
    cr_expect_not_null(d->small_prob);
    cr_expect_str_eq(d->id[11], "row-11");
    cr_expect_str_eq(d->id[12], "80808080808080808080808080808080");
    cr_expect_eq(d->contract_count, 1, "feature_layer is in one file only");
    sr_data_close(d);
    d = open_fixture("full,half", NULL);
    cr_expect_null(d->id);
    cr_expect_null(d->source);
    cr_expect_null(d->gold);
    cr_expect_not_null(d->label);
    cr_expect(d->label_derived, "one file's labels are derived");
    sr_data_close(d);
}

Test(data_set, groups_survive_a_file_without_them) {
    struct sr_data *d = open_fixture("half,full,float", NULL);
    cr_assert_not_null(d->group, "twins of full.h5 would be split");
    for (size_t i = 0; i < d->rows; i++)
        cr_expect_eq(group_size(d, i), i / FIXTURE_ROWS == 1 ? 2 : 1, "row %zu", i);
    sr_data_close(d);
    d = open_fixture("half,float", NULL);
    cr_expect_null(d->group);
    sr_data_close(d);
}

Test(data_set, an_empty_string_is_no_group) {
    char path[2][64], paths[160], a[] = "a", none[] = "";
    char *const groups[FIXTURE_ROWS] = {a, none, a, none, a, none, a, none, a, none, a, none};
    snprintf(paths, sizeof paths, "%s,%s", make_grouped(path[0], "grouped", SR_H5_WRITE_TEXT, groups),
             make_grouped(path[1], "ungrouped", SR_H5_WRITE_TEXT, NULL));
    struct sr_data *d = open_paths(paths, NULL);
    cr_assert_not_null(d->group);
    for (size_t i = 0; i < d->rows; i++)
        cr_expect_eq(group_size(d, i), i < FIXTURE_ROWS && i % 2 == 0 ? 6 : 1, "row %zu", i);
    sr_data_close(d);
    unlink(path[0]);
    unlink(path[1]);
}

Test(data_set, minus_one_is_no_group) {
    char path[64];
    const int64_t groups[FIXTURE_ROWS] = {5, -1, 5, -1, -2, -1, -2, -1, 0, -1, 0, -1};
    struct sr_data *d = open_paths(make_grouped(path, "numbered", SR_H5_WRITE_I64, groups), NULL);
    for (size_t i = 0; i < d->rows; i++)
        cr_expect_eq(group_size(d, i), groups[i] == -1 ? 1 : 2, "row %zu", i);
    sr_data_close(d);
    unlink(path);
}

Test(data_set, weights_are_joined) {
    struct sr_data *d = open_fixture("weight_uint8,full,weight_double", NULL);
    cr_assert_not_null(d->weight);
    for (size_t i = 0; i < FIXTURE_ROWS; i++) {
        cr_expect_eq(d->weight[i], (float)i);
        cr_expect_eq(d->weight[FIXTURE_ROWS + i], 1.0f, "a file without weights");
        cr_expect_eq(d->weight[2 * FIXTURE_ROWS + i], (float)i / 4);
    }
    sr_data_close(d);
    d = open_fixture("full,half", NULL);
    cr_expect_null(d->weight);
    sr_data_close(d);
}

Test(data_set, weights_by_another_name) {
    const struct sr_data_options options = {.names.weight = "large_prob"};
    struct sr_data *d = open_fixture("weight_double", &options);
    cr_expect_eq(d->weight[0], .875f);
    sr_data_close(d);
}
