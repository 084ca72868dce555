/* test_data_dump.c: every accepted form of a dump gives the same numbers, every bad one its own message.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <sys/file.h>

#include "data/h5.h"
#include "tests/dump_fixture.h"
#include "tests/failing_memory.h"

static const uint8_t gold[FIXTURE_ROWS] = {1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0};
static const uint8_t small_pred[FIXTURE_ROWS] = {1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0};
static const uint8_t large_pred[FIXTURE_ROWS] = {1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 1};
/* small wrong and large right */
static const uint8_t label[FIXTURE_ROWS] = {0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0};

static void expect_values(struct sr_data *d, const char *name) {
    float *x = all_features(d);
    cr_assert_eq(d->rows, FIXTURE_ROWS);
    cr_assert_eq(d->width, FIXTURE_WIDTH);
    for (size_t r = 0; r < d->rows; r++)
        for (size_t k = 0; k < d->width; k++)
            cr_assert_eq(x[r * d->width + k], fixture_value(r, k), "%s: row %zu column %zu is %g", name, r, k,
                         (double)x[r * d->width + k]);
    sr_free(x);
}

Test(data_dump, every_form_of_features_and_labels) {
    static const char *const names[] = {"half",       "half_big_endian",       "half_chunked",
                                        "float",      "float_big_endian",      "double",
                                        "bfloat",     "bfloat_big_endian",     "bfloat_opaque",
                                        "label_bool", "label_int64",           "label_double",
                                        "label_half", "label_half_big_endian", "label_column",
                                        "aliases"};
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        struct sr_data *d = open_fixture(names[i], NULL);
        cr_expect_arr_eq(d->label, label, FIXTURE_ROWS, "%s", names[i]);
        cr_expect_not(d->label_derived);
        cr_expect_null(d->gold);
        expect_values(d, names[i]);
        struct sr_error err = {0};
        cr_assert_eq(sr_data_keep(d, SIZE_MAX, &err), 0, "%s", err.text);
        cr_expect(sr_data_kept(d));
        expect_values(d, names[i]);
        sr_data_close(d);
    }
}

Test(data_dump, sixteen_bit_values_stay_sixteen_bit) {
    static const struct {
        const char *name;
        size_t size;
    } form[] = {{"half", 2}, {"bfloat", 2}, {"float", 4}, {"double", 4}};
    for (size_t i = 0; i < SR_COUNT(form); i++) {
        struct sr_data *d = open_fixture(form[i].name, NULL);
        cr_expect_eq(sr_data_bytes(d), FIXTURE_ROWS * FIXTURE_WIDTH * form[i].size, "%s", form[i].name);
        struct sr_error err;
        cr_expect_eq(sr_data_keep(d, sr_data_bytes(d) - 1, &err), 0);
        cr_expect_not(sr_data_kept(d), "%s: kept in less memory than it takes", form[i].name);
        sr_data_close(d);
    }
}

Test(data_dump, integers_are_bfloat_only_when_asked) {
    static const char *const names[] = {"bfloat_uint16", "bfloat_int16"};
    const struct sr_data_options as_bfloat = {.uint16_is_bfloat = true};
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        char text[2048];
        struct sr_data *d = NULL;
        struct sr_error err = {0};
        cr_expect_eq(sr_data_open(&d, fixture_paths(text, names[i]), NULL, &err), SR_DATA);
        cr_expect(strstr(err.text, "--uint16-is-bfloat"), "%s", err.text);
        cr_expect_null(d);
        d = open_fixture(names[i], &as_bfloat);
        expect_values(d, names[i]);
        sr_data_close(d);
    }
}

Test(data_dump, names_given_by_the_caller) {
    const struct sr_data_options options = {.names = {.features = "deep/activations", .label = "route"}};
    struct sr_data *d = open_fixture("other_names", &options);
    cr_expect_arr_eq(d->label, label, FIXTURE_ROWS);
    expect_values(d, "other_names");
    sr_data_close(d);
}

Test(data_dump, label_follows_from_gold_and_verdicts) {
    struct sr_data *d = open_fixture("full", NULL);
    cr_expect(d->label_derived);
    cr_expect_arr_eq(d->label, label, FIXTURE_ROWS);
    cr_expect_arr_eq(d->gold, gold, FIXTURE_ROWS);
    cr_expect_arr_eq(d->small_pred, small_pred, FIXTURE_ROWS);
    cr_expect_arr_eq(d->large_pred, large_pred, FIXTURE_ROWS);
    cr_expect_eq(d->small_prob[0], .5f);
    cr_expect_eq(d->large_prob[0], .875f);
    sr_data_close(d);
}

/* A fixture with the first `size` bytes like `from` turned into `to`, under a name of its own; unlink it. */
static const char *make_patched(char path[64], const char *name, const void *from, const void *to,
                                size_t size) {
    char text[2048];
    void *bytes;
    size_t length;
    struct sr_error err = {0};
    snprintf(path, 64, "/tmp/sr_test_%d_%s.h5", (int)getpid(), name);
    cr_assert_eq(sr_file_read(&bytes, &length, fixture_paths(text, name), 1 << 20, &err), 0, "%s", err.text);
    void *at = memmem(bytes, length, from, size);
    cr_assert_not_null(at);
    memcpy(at, to, size);
    cr_assert_eq(sr_atomic_file_write(path, bytes, length, &err), 0, "%s", err.text);
    sr_free(bytes);
    return path;
}

/* bad_prob holds .5 in float64 everywhere but for 1.5 in row 6. The nearest float of 0.49999999 is .5. */
Test(data_dump, verdicts_follow_from_probabilities_as_they_are) {
    const double from = 1.5, below = 0.49999999;
    char path[64];
    struct sr_data *d = open_paths(make_patched(path, "bad_prob", &from, &below, sizeof from), NULL);
    for (size_t i = 0; i < FIXTURE_ROWS; i++)
        cr_expect_eq(d->small_pred[i], i != 6, "row %zu", i);
    cr_expect_eq(d->small_prob[6], .5f);
    sr_data_close(d);
    unlink(path);
}

/* What a softmax in float32 may give; six digits would call it 1. */
Test(data_dump, a_probability_just_above_1_is_shown_in_full) {
    const double from = 1.5, above = 1.0000001;
    char path[64];
    struct sr_data *d = NULL;
    struct sr_error err = {0};
    cr_expect_eq(sr_data_open(&d, make_patched(path, "bad_prob", &from, &above, sizeof from), NULL, &err),
                 SR_DATA);
    cr_expect(strstr(err.text, "/small_prob row 6 is 1.0000001, "), "%s", err.text);
    unlink(path);
}

Test(data_dump, damaged_attribute_is_named) {
    char path[64];
    struct sr_data *d = NULL;
    struct sr_error err = {0};
    make_patched(path, "bad_contract", "GCOL", "XXXX", 4); /* the heap that holds its only string */
    cr_expect_eq(sr_data_open(&d, path, NULL, &err), SR_DATA);
    cr_expect(strstr(err.text, path) && strstr(err.text, "attribute feature_model of / cannot be read"), "%s",
              err.text);
    unlink(path);
}

Test(data_dump, more_features_than_any_hidden_state_are_refused) {
    for (size_t width = 65536; width <= 65537; width++) {
        static const uint16_t half[65537];
        const uint8_t zero = 0;
        char path[64];
        struct sr_data *d = NULL;
        struct sr_h5 *f;
        struct sr_error err = {0};
        snprintf(path, sizeof path, "/tmp/sr_test_%d_wide.h5", (int)getpid());
        cr_assert_eq(sr_h5_create(&f, path, path, &err), 0, "%s", err.text);
        cr_assert_eq(sr_h5_write_matrix(f, "features", 1, width, &err), 0, "%s", err.text);
        cr_assert_eq(sr_h5_write_rows(f, "features", half, 0, 1, width, &err), 0, "%s", err.text);
        cr_assert_eq(sr_h5_write_column(f, "label", SR_H5_WRITE_U8, &zero, 1, &err), 0, "%s", err.text);
        cr_assert_eq(sr_h5_close(f, &err), 0, "%s", err.text);
        cr_expect_eq(sr_data_open(&d, path, NULL, &err), width > 65536 ? SR_DATA : 0, "%s", err.text);
        cr_expect(width == 65536 || strstr(err.text, "/features has 65537 features a row; at most 65536"),
                  "%s", err.text);
        sr_data_close(d);
        unlink(path);
    }
}

Test(data_dump, pred_wins_over_prob) {
    struct sr_data *d = open_fixture("full_other_sources", NULL);
    for (size_t i = 0; i < FIXTURE_ROWS; i++) {
        uint8_t turned = 1 - small_pred[i];
        cr_expect_eq(d->small_pred[i], turned);
        cr_expect_eq(d->label[i], turned != gold[i] && large_pred[i] == gold[i]);
    }
    cr_expect_null(d->large_prob);
    sr_data_close(d);
}

Test(data_dump, labels_may_be_optional) {
    const struct sr_data_options optional = {.features_only = true};
    struct sr_data *d = open_fixture("no_label", &optional);
    cr_expect_null(d->label);
    expect_values(d, "no_label");
    sr_data_close(d);
}

/* A dump of one guard, whose other columns are still worth a look. */
Test(data_dump, a_dump_without_labels_keeps_its_other_columns) {
    const struct sr_data_options optional = {.label_optional = true};
    char text[256];
    struct sr_data *d = open_fixture("label_column", &optional);
    cr_expect_not_null(d->label);
    sr_data_close(d);
    d = open_fixture("no_label", &optional);
    cr_expect_null(d->label);
    sr_data_labels_text(text, d);
    cr_expect_str_eq(text, "none");
    sr_data_close(d);
}

Test(data_dump, ids_groups_sources) {
    struct sr_data *d = open_fixture("full", NULL);
    cr_expect_str_eq(d->id[11], "row-11");
    cr_expect_eq(d->group[5], 2);
    cr_expect_eq(d->sources, 3);
    cr_expect_str_eq(d->source_names[d->source[4]], "news");
    sr_data_close(d);

    d = open_fixture("full_other_sources", NULL);
    cr_expect_str_eq(d->id[3], "83838383838383838383838383838383");
    cr_expect_eq(d->group[3], d->group[5]);
    cr_expect_neq(d->group[2], d->group[3]);
    cr_expect_str_eq(d->source_names[d->source[1]], "mail");
    sr_data_close(d);

    d = open_fixture("id_s16", NULL);
    cr_expect_str_eq(d->id[10], "000000000000000a");
    cr_expect_eq(d->group[0], -12, "unsigned groups keep their bits");
    cr_expect_str_eq(d->source_names[d->source[0]], "-1");
    sr_data_close(d);
}

Test(data_dump, contract_of_features) {
    struct sr_data *d = open_fixture("full", NULL);
    cr_assert_eq(d->contract_count, 4, "with both thresholds");
    cr_expect_str_eq(d->contract[0].key, "feature_model");
    cr_expect_str_eq(d->contract[0].value, "model-a");
    cr_expect_str_eq(d->contract[1].key, "feature_layer");
    cr_expect_str_eq(d->contract[1].value, "-1");
    sr_data_close(d);
}

static const struct {
    const char *names; /* fixtures, or a path with '/' */
    int status;
    const char *words[3]; /* the message holds each */
} bad[] = {
    {"bad_no_features", SR_DATA, {"/features", "the file holds: label [12] uint8"}},
    {"bad_rank_features", SR_DATA, {"/features", "rank 3"}},
    {"bad_rank_label", SR_DATA, {"/label", "rank 2"}},
    {"bad_axes_label", SR_DATA, {"/label", "rank 5"}},
    {"bad_opaque_features", SR_DATA, {"/features holds", "float16, float32, float64 or bfloat16"}},
    {"bad_text_features", SR_DATA, {"/features holds strings", "float16, float32, float64 or bfloat16"}},
    {"bad_weight_text", SR_DATA, {"/weight holds strings", "floats or integers"}},
    {"bad_group_float", SR_DATA, {"/group holds float32", "integers or strings"}},
    {"bad_row_count", SR_DATA, {"/label has 11 rows", "12"}},
    {"bad_label_two", SR_DATA, {"/label row 4 is 2"}},
    {"bad_label_half", SR_DATA, {"/label row 5 is 0.5"}},
    {"bad_label_text", SR_DATA, {"/label holds strings"}},
    {"bad_zero_rows", SR_DATA, {"/features is empty: [0, 8]"}},
    {"bad_zero_width", SR_DATA, {"/features is empty: [12, 0]"}},
    {"bad_integers", SR_DATA, {"/features holds int32"}},
    {"bad_prob", SR_DATA, {"/small_prob row 6 is 1.5"}},
    {"bad_two_aliases", SR_DATA, {"/X", "/embeddings", "--features"}},
    {"bad_source", SR_DATA, {"/source row 3 is 3", "names lists only 3"}},
    {"bad_group_for_dataset", SR_DATA, {"/features is not a readable dataset"}},
    {"no_label", SR_DATA, {"/label", "gold", "features [12,8] float32"}},
    {"half,bad_width", SR_DATA, {"half.h5 has 8 features", "bad_width.h5 has 7"}},
    {"full,bad_contract", SR_DATA, {"feature_model", "'model-a'", "'model-b'"}},
    {"bad_weight_negative", SR_DATA, {"/weight row 3 is -0.5"}},
    {"bad_weight_nan", SR_DATA, {"/weight row 4 is nan"}},
    {"bad_weight_huge", SR_DATA, {"/weight row 5 is 1e+300"}},
    {"bad_filter", SR_DATA, {"bad_filter.h5: /features", "lzf", "gzip"}},
    {"bad_truncated", SR_DATA, {"bad_truncated.h5", "truncated"}},
    {"bad_foreign", SR_DATA, {"bad_foreign.h5", "signature"}},
    {"bad_empty", SR_DATA, {"bad_empty.h5: the file is empty"}},
    {"half,nowhere", SR_NOINPUT, {"nowhere.h5", "no such file"}},
    {"/dev/zero", SR_DATA, {"not a regular file"}},
    {"/tmp", SR_NOINPUT, {"/tmp is a folder"}},
    {"/", SR_NOINPUT, {"/ is a folder"}},
};

Test(data_dump, every_fault_has_its_message) {
    for (size_t i = 0; i < SR_COUNT(bad); i++) {
        char text[2048];
        struct sr_data *d = NULL;
        struct sr_error err = {0};
        const char *paths = bad[i].names[0] == '/' ? bad[i].names : fixture_paths(text, bad[i].names);
        cr_expect_eq(sr_data_open(&d, paths, NULL, &err), bad[i].status, "%s: %s", bad[i].names, err.text);
        cr_expect_null(d);
        for (size_t w = 0; w < 3 && bad[i].words[w]; w++)
            cr_expect(strstr(err.text, bad[i].words[w]), "%s: no '%s' in: %s", bad[i].names, bad[i].words[w],
                      err.text);
    }
}

/* Twice the same 16 bytes are one group; an id that is empty is none. */
Test(data_dump, groups_of_sixteen_bytes) {
    struct sr_data *d = open_fixture("id_some", NULL);
    cr_assert(d->group && d->id);
    for (size_t i = 1; i < d->rows; i++)
        cr_expect_neq(d->group[i], d->group[i - 1], "row %zu", i);
    cr_expect_str_eq(d->id[1], "");
    cr_expect_str_eq(d->id[2], "2");
    sr_data_close(d);
}

/* A number of a name is none of those that follow the last, and none before the first. */
Test(data_dump, sources_of_negative_numbers) {
    static const char *const list[] = {"forum", "news"};
    const uint16_t half[2] = {0};
    const int8_t source[2] = {1, -1}, known[2] = {0, 1};
    char path[64];
    struct sr_data *d = NULL;
    struct sr_h5 *f;
    struct sr_error err = {0};
    snprintf(path, sizeof path, "/tmp/sr_test_%d_negative.h5", (int)getpid());
    cr_assert_eq(sr_h5_create(&f, path, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_matrix(f, "features", 2, 1, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_rows(f, "features", half, 0, 2, 1, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_column(f, "label", SR_H5_WRITE_I8, known, 2, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_column(f, "source", SR_H5_WRITE_I8, source, 2, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_attribute_list(f, "source", "names", list, 2, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_close(f, &err), 0, "%s", err.text);
    cr_expect_eq(sr_data_open(&d, path, NULL, &err), SR_DATA);
    cr_expect(strstr(err.text, "/source row 1 is -1, but its attribute names lists only 2"), "%s", err.text);
    unlink(path);
}

/* Who scores needs the same features, whatever the large guard was. */
Test(data_dump, contracts_where_only_features_are_read) {
    const struct sr_data_options scoring = {.features_only = true};
    char text[2048];
    struct sr_data *d = NULL;
    struct sr_error err = {0};
    cr_expect_eq(sr_data_open(&d, fixture_paths(text, "full,bad_contract"), &scoring, &err), SR_DATA);
    cr_expect(strstr(err.text, "feature_model"), "%s", err.text);
    cr_expect_eq(sr_data_open(&d, fixture_paths(text, "full,bad_large_model"), NULL, &err), SR_DATA);
    cr_expect(strstr(err.text, "large_model"), "%s", err.text);
    cr_expect_eq(sr_data_open(&d, fixture_paths(text, "full,bad_large_model"), &scoring, &err), 0, "%s",
                 err.text);
    sr_data_close(d);
}

/* Probabilities are floats: a column of integers is another one. */
Test(data_dump, a_prob_of_integers_is_refused) {
    const struct sr_data_options options = {.names = {.small_prob = "gold"}};
    char text[2048];
    struct sr_data *d = NULL;
    struct sr_error err = {0};
    cr_expect_eq(sr_data_open(&d, fixture_paths(text, "full"), &options, &err), SR_DATA);
    cr_expect(strstr(err.text, "/gold"), "%s", err.text);
}

/* Who does not ask why is told of a trouble all the same. */
Test(data_dump, a_column_is_forgiven_without_a_reason) {
    struct sr_troubles troubles = {.n = 0};
    const struct sr_data_options options = {.troubles = &troubles};
    char text[2048];
    struct sr_data *d = NULL;
    cr_assert_eq(sr_data_open(&d, fixture_paths(text, "bad_group_float"), &options, NULL), 0);
    cr_assert_eq(troubles.n, 1);
    cr_expect_str_eq(troubles.text[0], "a column cannot be used");
    cr_expect_null(d->group);
    sr_data_close(d);
}

/* An id of that name is asked for, so a dump without it is not forgiven. */
Test(data_dump, ids_that_are_not_there) {
    struct sr_troubles troubles = {.n = 0};
    const struct sr_data_options options = {.names = {.id = "nobody"}, .troubles = &troubles};
    char text[2048];
    struct sr_data *d = NULL;
    struct sr_error err = {0};
    cr_expect_eq(sr_data_open(&d, fixture_paths(text, "full"), &options, &err), SR_DATA);
    cr_expect(strstr(err.text, "/nobody"), "%s", err.text);
    cr_expect_eq(troubles.n, 0);
}

/* Each allocation of ours fails once, in dumps whose columns differ. */
Test(data_dump, columns_that_there_is_no_memory_for) {
    static const char *const names[] = {"weight_double", "full", "full_other_sources"};
    char text[2048];
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        bool failed = true;
        for (uint64_t nth = 1; failed; nth++) {
            struct sr_data *d = NULL;
            struct sr_error err = {0};
            memory_begin(nth);
            const int status = sr_data_open(&d, fixture_paths(text, names[i]), NULL, &err);
            sr_data_close(d);
            const struct memory_report r = memory_end();
            failed = r.failed;
            cr_expect_eq(status, failed ? SR_NOMEM : 0, "%s, %d: %s", names[i], (int)nth, err.text);
            cr_expect_eq(r.live, 0, "%s, %d: %zu blocks leaked", names[i], (int)nth, r.live);
        }
    }
}

Test(data_dump, names_that_are_not_there) {
    const struct sr_data_options options = {.names = {.gold = "human"}};
    char text[2048];
    struct sr_data *d = NULL;
    struct sr_error err = {0};
    cr_expect_eq(sr_data_open(&d, fixture_paths(text, "full"), &options, &err), SR_DATA);
    cr_expect(strstr(err.text, "/human"), "%s", err.text);
    cr_expect_eq(sr_data_open(&d, "a.h5,,b.h5", NULL, &err), SR_USAGE);
    snprintf(text, sizeof text, "%s/tests/dumps/half.h5,", SR_SOURCE_DIR);
    cr_expect_eq(sr_data_open(&d, text, NULL, &err), SR_USAGE);
}

Test(data_dump, damaged_chunk_is_found_when_read) {
    struct sr_error err = {0};
    struct sr_data *d = open_fixture("bad_damaged", NULL);
    cr_expect_eq(sr_data_keep(d, SIZE_MAX, &err), SR_DATA);
    cr_expect(strstr(err.text, "bad_damaged.h5: /features rows 4 to 7"), "%s", err.text);
    cr_expect_not(sr_data_kept(d));
    struct sr_loader *l;
    struct sr_batch b;
    struct sr_loader_options how = {.order = SR_ORDER_FILE, .batch = 5};
    uint32_t *rows = all_rows(d->rows);
    cr_assert_eq(sr_loader_create(&l, d, rows, d->rows, &how, &err), 0);
    err.text[0] = '\0';
    cr_assert_eq(sr_loader_start(l, 0, 0, &err), 0);
    cr_expect_eq(sr_loader_next(l, &b, &err), SR_DATA, "the reading thread's error comes out");
    cr_expect(strstr(err.text, "bad_damaged.h5: /features"), "%s", err.text);
    sr_loader_free(l);
    sr_free(rows);
    sr_data_close(d);
}

Test(data_dump, a_lock_somebody_holds_does_not_matter) {
    char text[2048];
    int fd = open(fixture_paths(text, "half"), O_RDONLY);
    cr_assert_geq(fd, 0);
    cr_assert_eq(flock(fd, LOCK_EX), 0);
    struct sr_data *d = open_fixture("half", NULL);
    expect_values(d, "half");
    sr_data_close(d);
    close(fd);
}

Test(data_dump, library_version) {
    unsigned major, minor, release;
    cr_expect_eq(sscanf(sr_data_hdf5_version(), "%u.%u.%u", &major, &minor, &release), 3);
}
