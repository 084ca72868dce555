/* test_data_convert_dump.c: a dump as the source of `data convert`: the same rows, written anew; and what is
 * refused, as it is where the dump itself is used.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/convert_sample.h"

TestSuite(convert_dump, .init = convert_begin, .fini = convert_end);

static const struct sr_data_options any = {.label_optional = true};

static void expect_same_row(const struct sr_data *a, const struct sr_data *b, size_t i, const char *name) {
    cr_expect_eq(!a->id, !b->id, "%s: ids", name);
    cr_expect_eq(!a->group, !b->group, "%s: groups", name);
    cr_expect_eq(!a->source, !b->source, "%s: sources", name);
    cr_expect_eq(!a->weight, !b->weight, "%s: weights", name);
    cr_expect_eq(!a->small_prob, !b->small_prob, "%s: probabilities", name);
    if (a->id && b->id)
        cr_expect_str_eq(a->id[i], b->id[i], "%s row %zu", name, i);
    if (a->group && b->group)
        cr_expect_eq(a->group[i], b->group[i], "%s row %zu", name, i);
    if (a->source && b->source)
        cr_expect_str_eq(a->source_names[a->source[i]], b->source_names[b->source[i]], "%s row %zu", name, i);
    if (a->weight && b->weight)
        cr_expect_eq(a->weight[i], b->weight[i], "%s row %zu", name, i);
    if (a->small_prob && b->small_prob)
        cr_expect(a->small_prob[i] == b->small_prob[i] || isnan(a->small_prob[i]), "%s row %zu", name, i);
    if (a->label && b->label)
        cr_expect_eq(a->label[i], b->label[i], "%s row %zu", name, i);
}

static void expect_same(struct sr_data *a, struct sr_data *b, const char *name) {
    cr_assert(a->rows == b->rows && a->width == b->width, "%s", name);
    float *x = all_features(a), *y = all_features(b);
    for (size_t i = 0; i < a->rows * a->width; i++)
        cr_expect(x[i] == y[i] || (isnan(x[i]) && isnan(y[i])), "%s value %zu: %g and %g", name, i,
                  (double)x[i], (double)y[i]);
    for (size_t i = 0; i < a->rows; i++)
        expect_same_row(a, b, i, name);
    sr_free(x);
    sr_free(y);
}

Test(convert_dump, rows_are_those_of_the_dump) {
    static const char *const names[] = {"full",          "half",          "half_big_endian",
                                        "half_chunked",  "float",         "float_big_endian",
                                        "double",        "bfloat",        "bfloat_big_endian",
                                        "bfloat_opaque", "checked_gzip",  "id_s16",
                                        "label_bool",    "label_column",  "label_double",
                                        "label_half",    "label_int64",   "no_label",
                                        "not_finite",    "unknown_float", "unknown_gold",
                                        "unknown_int8",  "user_block",    "verdicts",
                                        "weight_double", "weight_uint8",  "full_other_sources"};
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        struct sr_data *from = open_fixture(names[i], &any);
        struct run r = convert_fine("%s/tests/dumps/%s.h5 --dtype keep", SR_SOURCE_DIR, names[i]);
        run_end(&r);
        struct sr_data *to = open_paths("out.h5", &any);
        expect_same(from, to, names[i]);
        sr_data_close(from);
        sr_data_close(to);
        unlink("out.h5");
    }
}

Test(convert_dump, other_names) {
    struct run r = convert_fine("--features %s/tests/dumps/other_names.h5:deep/activations --label "
                                "%s/tests/dumps/other_names.h5:route --dtype keep",
                                SR_SOURCE_DIR, SR_SOURCE_DIR);
    run_end(&r);
    struct sr_data *to = open_paths("out.h5", &any);
    expect_features(to, 1, 0);
    sr_data_close(to);
}

Test(convert_dump, what_was_not_taken_is_named) {
    struct run r = convert_fine("--features %s/tests/dumps/full.h5", SR_SOURCE_DIR);
    expect_in(r.out, "not taken of");
    expect_in(r.out, "gold [12] uint8");
    cr_expect_null(strstr(r.out, "features [12,8]"), "%s", r.out);
    run_end(&r);
}

Test(convert_dump, refuses_what_a_dump_may_not_have) {
    static const struct {
        const char *name, *word;
    } refused[] = {
        {"bad_damaged", "rows 4 to 7 cannot be read"},
        {"bad_filter", "which is not installed"},
        {"bad_forms", "no dataset /features; the file holds: "},
        {"bad_group_for_dataset", "not a readable dataset but a group"},
        {"bad_integers", "features are floats; saferoute data repack takes bit patterns"},
        {"bfloat_uint16", "features are floats; saferoute data repack takes bit patterns"},
        {"bad_label_half", "row 5: label is \"0.5\""},
        {"bad_label_text", "/label holds strings of rank 1, but numbers are needed"},
        {"bad_rank_features", "of rank 3, but features have two axes"},
        {"bad_rank_label", "of rank 2, but a column has one value a row"},
        {"bad_axes_label", "of rank 5, but a column has one value a row"},
        {"bad_text_features", "but features are float16, float32, float64 or bfloat16"},
        {"bad_opaque_features", "but features are float16, float32, float64 or bfloat16"},
        {"broken_labels", "of rank 3, but a column has one value a row"},
        {"bad_row_count", "/label has 11 rows, but /features has 12"},
        {"bad_source", "its attribute names lists only 3"},
        {"bad_two_aliases", "both X and embeddings could be the features"},
        {"bad_zero_width", "0 features a row"},
    };
    char path[512];
    for (size_t i = 0; i < SR_COUNT(refused); i++) {
        snprintf(path, sizeof path, "%s/tests/dumps/%s.h5", SR_SOURCE_DIR, refused[i].name);
        convert_refuses(65, refused[i].word, path);
    }
}

/* ---- columns of other kinds than any fixture has ---- */

static void make(const char *name, int (*fill)(const struct sr_h5 *f, struct sr_error *err)) {
    struct sr_error err = {0};
    struct sr_h5 *f;
    const uint16_t features[3 * 2] = {0x3c00, 0x4000, 0x3c00, 0x4000, 0x3c00, 0x4000};
    cr_assert_eq(sr_h5_create(&f, name, name, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_matrix(f, "features", 3, 2, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_rows(f, "features", features, 0, 3, 2, &err), 0, "%s", err.text);
    cr_assert_eq(fill(f, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_close(f, &err), 0, "%s", err.text);
}

static int with_integers(const struct sr_h5 *f, struct sr_error *err) {
    const int64_t id[] = {7, -8, INT64_MAX}, group[] = {5, -1, INT64_MIN}, source[] = {2, 1, 2};
    const int status = sr_h5_write_column(f, "id", SR_H5_WRITE_I64, id, 3, err) < 0 ||
                       sr_h5_write_column(f, "group", SR_H5_WRITE_I64, group, 3, err) < 0 ||
                       sr_h5_write_column(f, "source", SR_H5_WRITE_I64, source, 3, err) < 0;
    return -status;
}

/* Ids, groups and sources may be numbers; a source without a list of names is its number. */
Test(convert_dump, integers_as_texts) {
    make("in.h5", with_integers);
    struct sr_data *from = open_paths("in.h5", &any);
    struct run r = convert_fine("in.h5");
    run_end(&r);
    struct sr_data *to = open_paths("out.h5", &any);
    cr_expect_str_eq(to->id[1], "-8");
    cr_expect_eq(to->group[0] == to->group[2], false);
    expect_same(from, to, "in.h5");
    sr_data_close(from);
    sr_data_close(to);
}

static int with_text_weight(const struct sr_h5 *f, struct sr_error *err) {
    const char *const weight[] = {"1", "2", "3"};
    return sr_h5_write_column(f, "weight", SR_H5_WRITE_TEXT, (const void *)weight, 3, err);
}

static int with_float_id(const struct sr_h5 *f, struct sr_error *err) {
    const float id[] = {1, 2, 3};
    return sr_h5_write_column(f, "id", SR_H5_WRITE_F32, id, 3, err);
}

Test(convert_dump, kinds_that_do_not_fit) {
    make("in.h5", with_text_weight);
    convert_refuses(65, "/weight holds strings of rank 1, but numbers are needed", "in.h5");
    make("id.h5", with_float_id);
    convert_refuses(65, "/id holds float32 of rank 1, but strings or integers are needed", "id.h5");
    convert_refuses(65, "features have two axes", "--features in.h5:weight");
    make("text.h5", with_text_weight);
    convert_refuses(65, "no dataset /nothing; the file holds: features [3,2] float16, weight [3] strings",
                    "--features text.h5:nothing");
}
