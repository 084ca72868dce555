/* test_data_label.c: values that are not known, verdicts cut at thresholds, and labels held against them.
 *
 * The dumps, and NumPy's verdicts in them, are written by scripts/make_dumps.py.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "tests/dump_fixture.h"

enum { U = SR_UNKNOWN };

static const uint8_t label[FIXTURE_ROWS] = {0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0}; /* of small_prob at .5 */

static void expect_refused(const char *names, const struct sr_data_options *options, int status,
                           const char *const *words) {
    char text[2048];
    struct sr_data *d = NULL;
    struct sr_error err = {0};
    cr_expect_eq(sr_data_open(&d, fixture_paths(text, names), options, &err), status, "%s: %s", names,
                 err.text);
    cr_expect_null(d);
    for (; *words; words++)
        cr_expect(strstr(err.text, *words), "%s: no '%s' in: %s", names, *words, err.text);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* NULL: the contract has no such pair. */
static const char *contract_value(const struct sr_data *d, const char *key) {
    for (size_t i = 0; i < d->contract_count; i++)
        if (strcmp(d->contract[i].key, key) == 0)
            return d->contract[i].value;
    return NULL;
}

static void expect_pair(const struct sr_data *d, const char *key, const char *value) {
    const char *got = contract_value(d, key);
    cr_expect(got ? value && strcmp(got, value) == 0 : !value, "%s is %s, not %s", key, got ? got : "absent",
              value ? value : "absent");
}

/* ---- unknown values ---- */

Test(data_label, what_follows_from_unknown_is_unknown) {
    struct sr_data *d = open_fixture("unknown_int8", NULL);
    uint8_t want[FIXTURE_ROWS];
    memcpy(want, label, sizeof want);
    want[1] = want[2] = want[3] = U;
    cr_expect(d->label_derived);
    cr_expect_arr_eq(d->label, want, FIXTURE_ROWS);
    for (size_t i = 0; i < FIXTURE_ROWS; i++) {
        cr_expect_eq(d->gold[i] == U, i == 1, "row %zu", i);
        cr_expect_eq(d->small_pred[i] == U, i == 2, "row %zu", i);
        cr_expect_eq(d->large_pred[i] == U, i == 3, "row %zu", i);
        cr_expect_eq(isnan(d->large_prob[i]) != 0, i == 3, "row %zu", i);
    }
    cr_expect_eq(d->unknown.label, 3);
    cr_expect_eq(d->unknown.gold, 1);
    cr_expect_eq(d->unknown.small, 1);
    cr_expect_eq(d->unknown.large, 1);
    sr_data_close(d);
}

/* Rows where either label is unknown are not compared. */
Test(data_label, unknown_floats_and_stored_labels) {
    struct sr_data *d = open_fixture("unknown_float", NULL);
    uint8_t want[FIXTURE_ROWS];
    memcpy(want, label, sizeof want);
    want[4] = want[5] = U;
    cr_expect_not(d->label_derived);
    cr_expect_arr_eq(d->label, want, FIXTURE_ROWS);
    cr_expect_eq(d->gold[1], U);
    cr_expect_eq(d->small_pred[2], U);
    cr_expect_eq(d->large_pred[3], U);
    cr_expect_eq(d->unknown.label, 2);
    cr_expect_eq(d->unknown.gold + d->unknown.small + d->unknown.large, 3);
    sr_data_close(d);
}

Test(data_label, unknown_is_counted_over_all_files) {
    struct sr_data *d = open_fixture("unknown_int8,unknown_float", NULL);
    cr_expect_eq(d->unknown.label, 5);
    cr_expect_eq(d->unknown.gold, 2);
    cr_expect_eq(d->label[FIXTURE_ROWS + 4], U);
    sr_data_close(d);
    d = open_fixture("unknown_int8,half", NULL);
    cr_expect_eq(d->unknown.label, 3);
    cr_expect_eq(d->unknown.gold, 0, "one file has no gold, so the set has none");
    sr_data_close(d);
}

/* The definition of data_id, and that it tells unknown from 0. */
Test(data_label, data_id_sees_unknown_labels) {
    char id[2][65];
    for (int known = 0; known < 2; known++) {
        struct sr_data *d = open_fixture("unknown_int8", NULL);
        struct sr_scan scan;
        for (size_t i = 0; known && i < d->rows; i++)
            d->label[i] = d->label[i] == U ? 0 : d->label[i];
        cr_assert_eq(sr_data_scan(d, &scan, NULL, NULL, NULL), 0);
        memcpy(id[known], scan.data_id, sizeof scan.data_id);
        sr_scan_free(&scan);
        sr_data_close(d);
    }
    cr_expect_str_neq(id[0], id[1]);
}

Test(data_label, the_largest_unsigned_values_are_not_unknown) {
    expect_refused("bad_unknown_uint8", NULL, SR_DATA,
                   WORDS("bad_unknown_uint8.h5: /gold row 4 is 255", "-1 or NaN"));
    expect_refused("bad_unknown_uint64", NULL, SR_DATA, WORDS("/label row 4 is 1.8446744073709552e+19"));
}

/* ---- thresholds ---- */

/* Gold is read from what NumPy says. */
Test(data_label, verdicts_are_those_of_numpy) {
    static const char *const forms[] = {"cut_half", "cut_float", "cut_double", "cut_bfloat"};
    static const char *const numpy[] = {"numpy_0.1", "numpy_0.3", "numpy_0.7"};
    static const double at[] = {.1, .3, .7};
    for (size_t f = 0; f < SR_COUNT(forms); f++)
        for (size_t t = 0; t < SR_COUNT(at); t++) {
            const struct sr_data_options options = {
                .names.gold = numpy[t], .small_threshold = at[t], .labels = SR_LABELS_STORED};
            struct sr_data *d = open_fixture(forms[f], &options);
            for (size_t i = 0; i < FIXTURE_ROWS; i++)
                cr_expect_eq(d->small_pred[i], d->gold[i], "%s at %g: row %zu, %.9g", forms[f], at[t], i,
                             (double)d->small_prob[i]);
            cr_expect_eq(d->small_pred[11], U);
            cr_expect_eq(d->unknown.small, 1);
            cr_expect_eq(d->unknown.large, 0);
            cr_expect_eq(d->small_cut.at, at[t]);
            cr_expect_str_eq(d->small_cut.origin, "given");
            cr_expect_eq(d->large_cut.at, .5);
            cr_expect_str_eq(d->large_cut.origin, "default");
            sr_data_close(d);
        }
}

Test(data_label, a_threshold_given_wins_over_stored_verdicts) {
    const struct sr_data_options half = {.small_threshold = .5}, low = {.small_threshold = .25};
    struct sr_data *d = open_fixture("full_other_sources", NULL);
    cr_expect_eq(d->small_pred[0], 0, "stored, the opposite of the probabilities'");
    cr_expect(isnan(d->small_cut.at));
    cr_expect_str_eq(d->small_cut.origin, "");
    sr_data_close(d);
    d = open_fixture("full_other_sources", &half);
    for (size_t i = 0; i < FIXTURE_ROWS; i++)
        cr_expect_eq(d->small_pred[i], i % 2 == 0, "row %zu", i);
    cr_expect_arr_eq(d->label, label, FIXTURE_ROWS);
    sr_data_close(d);
    d = open_fixture("full_other_sources", &low);
    for (size_t i = 0; i < FIXTURE_ROWS; i++)
        cr_expect_eq(d->small_pred[i], 1, "row %zu", i);
    sr_data_close(d);
}

Test(data_label, nothing_to_cut_is_refused) {
    const struct sr_data_options small = {.small_threshold = .3}, large = {.large_threshold = .3};
    expect_refused("full_other_sources", &large, SR_DATA,
                   WORDS("--large-threshold", "no dataset /large_prob", "large_pred [12] uint8"));
    expect_refused("half", &small, SR_DATA, WORDS("--small-threshold", "/small_prob", "label [12] uint8"));
}

Test(data_label, thresholds_given_are_numbers_from_0_to_1) {
    static const double bad[] = {-.1, 1.5, (double)NAN, (double)INFINITY};
    for (size_t i = 0; i < SR_COUNT(bad); i++) {
        const struct sr_data_options options = {.large_threshold = bad[i]};
        expect_refused("full", &options, SR_USAGE, WORDS("--large-threshold"));
    }
    const struct sr_data_options above = {.large_threshold = 1.0000001};
    expect_refused("full", &above, SR_USAGE, WORDS("is 1.0000001, but"));
}

Test(data_label, the_dump_states_its_threshold_as_number_or_text) {
    static const char *const names[] = {"threshold_double", "threshold_float", "threshold_text",
                                        "threshold_bytes"};
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        struct sr_data *d = open_fixture(names[i], NULL);
        cr_expect_eq(d->small_cut.at, .3, "%s: %.17g", names[i], d->small_cut.at);
        cr_expect_str_eq(d->small_cut.origin, "the dump's");
        expect_pair(d, "small_threshold", "0.3");
        expect_pair(d, "large_threshold", "0.5");
        sr_data_close(d);
    }
}

Test(data_label, a_stated_threshold_must_be_one) {
    static const char *const names[] = {"bad_threshold_zero", "bad_threshold_above", "bad_threshold_nan",
                                        "bad_threshold_list", "bad_threshold_bool",  "bad_threshold_text"};
    const struct sr_data_options given = {.small_threshold = .3}, scoring = {.features_only = true};
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        expect_refused(names[i], NULL, SR_DATA, WORDS(names[i], "small_threshold", "--small-threshold T"));
        expect_refused(names[i], &scoring, SR_DATA, WORDS(names[i], "small_threshold"));
        sr_data_close(open_fixture(names[i], &given));
    }
}

/* ---- stored against derived ---- */

static void expect_stored(const char *name, const char *dataset, const struct sr_data_options *options) {
    const struct sr_data_options stored = {.names.label = dataset, .labels = SR_LABELS_STORED};
    struct sr_data *d = open_fixture(name, options), *want = open_fixture(name, &stored);
    cr_expect_arr_eq(d->label, want->label, FIXTURE_ROWS);
    sr_data_close(want);
    sr_data_close(d);
}

Test(data_label, labels_of_another_threshold_are_counted) {
    const struct sr_data_options given = {.small_threshold = .3}, other = {.names.label = "at_half"};
    expect_refused("disagree", NULL, SR_DATA,
                   WORDS("disagree.h5: 2 of 12 stored labels disagree", "small guard cut at 0.5 (default)",
                         "large guard cut at 0.5 (default)", "first row 1: 1 stored, 0 derived",
                         "--small-threshold", "--labels=stored", "--labels=derived"));
    expect_refused("half,disagree", NULL, SR_DATA, WORDS("disagree.h5: 2 of 12", "first row 1"));
    expect_refused("threshold_double", &other, SR_DATA, WORDS("2 of 12", "cut at 0.3 (the dump's)"));
    expect_stored("disagree", "label", &given);
    expect_stored("disagree", "at_half", &other);
}

Test(data_label, stored_labels_are_kept_when_asked) {
    const struct sr_data_options stored = {.labels = SR_LABELS_STORED};
    struct sr_data *d = open_fixture("disagree", &stored);
    cr_expect_not(d->label_derived);
    cr_expect_eq(d->label[1], 1);
    cr_expect_eq(d->small_cut.at, .5);
    expect_pair(d, "small_threshold", NULL); /* a default that the labels may contradict is no claim */
    expect_pair(d, "large_threshold", NULL);
    sr_data_close(d);
    d = open_fixture("threshold_double", &stored);
    expect_pair(d, "small_threshold", "0.3");
    expect_pair(d, "large_threshold", NULL);
    sr_data_close(d);
    expect_refused("full", &stored, SR_DATA, WORDS("no dataset /label", "--labels=stored", "gold [12]"));
}

Test(data_label, derived_labels_are_made_when_asked) {
    const struct sr_data_options derived = {.labels = SR_LABELS_DERIVED};
    struct sr_data *d = open_fixture("disagree", &derived);
    cr_expect(d->label_derived);
    cr_expect_eq(d->label[1], 0);
    expect_pair(d, "small_threshold", "0.5");
    sr_data_close(d);
    expect_stored("disagree", "at_half", &derived);
    expect_refused("half", &derived, SR_DATA,
                   WORDS("--labels=derived lacks gold small_prob (or small_pred) large_prob (or large_pred)",
                         "label [12] uint8"));
}

/* The message is cut at SR_ERROR_TEXT: what to do about it must not be what a long path costs. */
Test(data_label, a_long_path_leaves_the_advice) {
    char path[2048] = SR_SOURCE_DIR;
    struct sr_data *d = NULL;
    struct sr_error err = {0};
    while (strlen(path) < 200)
        strcat(path, "/.");
    strcat(path, "/tests/dumps/disagree.h5");
    cr_expect_eq(sr_data_open(&d, path, NULL, &err), SR_DATA);
    cr_expect(strstr(err.text, "--labels=stored") && strstr(err.text, "--labels=derived"), "%s", err.text);
}

/* A name given must be there even where something else wins over its column. */
Test(data_label, names_that_are_not_read_must_be_there) {
    const struct sr_data_options recut = {.names.small_pred = "nope", .small_threshold = .3},
                                 derived = {.names.label = "nope", .labels = SR_LABELS_DERIVED};
    expect_refused("full", &recut, SR_DATA, WORDS("no dataset /nope", "small_prob [12] float32"));
    expect_refused("full", &derived, SR_DATA, WORDS("no dataset /nope"));
}

/* ---- the label contract ---- */

Test(data_label, contract_of_labels) {
    struct sr_data *d = open_fixture("threshold_double", NULL);
    expect_pair(d, "large_model", "guard-l");
    expect_pair(d, "large_revision", "7");
    cr_expect_str_eq(d->contract[d->contract_count - 1].key, "large_threshold", "labels come last");
    sr_data_close(d);
    d = open_fixture("threshold_double,threshold_float", NULL);
    expect_pair(d, "large_model", "guard-l");
    expect_pair(d, "large_revision", NULL); /* in one file only */
    expect_pair(d, "small_threshold", "0.3");
    cr_expect_eq(d->small_cut.at, .3);
    sr_data_close(d);
    d = open_fixture("half", NULL);
    cr_expect_eq(d->contract_count, 0, "labels alone say nothing of thresholds");
    sr_data_close(d);
}

Test(data_label, labels_compared_with_nothing_confirm_no_default) {
    struct sr_data *d = open_fixture("unknown_gold", NULL);
    cr_expect_eq(d->small_cut.at, .5);
    cr_expect_eq(d->unknown.gold, FIXTURE_ROWS);
    cr_expect_eq(d->unknown.label, 0);
    expect_pair(d, "small_threshold", NULL);
    sr_data_close(d);
}

Test(data_label, stored_verdicts_were_cut_where_the_dump_says) {
    struct sr_data *d = open_fixture("verdicts", NULL);
    cr_expect(isnan(d->small_cut.at));
    expect_pair(d, "small_threshold", "0.4");
    expect_pair(d, "large_threshold", NULL);
    sr_data_close(d);
}

Test(data_label, files_of_different_makes_are_refused) {
    const struct sr_data_options given = {.small_threshold = .3}, scoring = {.features_only = true};
    expect_refused(
        "full,threshold_double", NULL, SR_DATA,
        WORDS("small_threshold of ", "full.h5 is '0.5'", "threshold_double.h5 '0.3'", "--small-threshold T"));
    expect_refused("verdicts,full", NULL, SR_DATA, WORDS("verdicts.h5 is '0.4'", "full.h5 '0.5'"));
    expect_refused("threshold_double,bad_large_model", NULL, SR_DATA,
                   WORDS("large_model", "'guard-l'", "'guard-m'", "large guards"));
    struct sr_data *d = open_fixture("full,threshold_double", &given);
    cr_expect_eq(d->small_cut.at, .3);
    expect_pair(d, "small_threshold", "0.3");
    sr_data_close(d);
    d = open_fixture("full,threshold_double,bad_large_model", &scoring);
    expect_pair(d, "large_model", NULL); /* scoring looks at no label */
    sr_data_close(d);
}

/* A cut that only some files know is no cut of the set. */
Test(data_label, a_cut_of_some_files_is_none_of_all) {
    struct sr_data *d = open_fixture("full,half", NULL);
    cr_expect(isnan(d->small_cut.at));
    expect_pair(d, "small_threshold", NULL);
    sr_data_close(d);
}

/* ---- scoring ---- */

Test(data_label, scoring_looks_at_features_ids_and_contract_only) {
    const struct sr_data_options scoring = {.features_only = true, .small_threshold = .7};
    struct sr_data *d = open_fixture("broken_labels", &scoring);
    cr_expect_str_eq(d->id[11], "11");
    cr_expect_null(d->label);
    cr_expect_null(d->gold);
    cr_expect_null(d->small_prob);
    cr_expect_null(d->small_pred);
    cr_expect_null(d->group);
    cr_expect_null(d->source);
    cr_expect_null(d->weight);
    cr_assert_eq(d->contract_count, 2);
    expect_pair(d, "large_model", "guard-l");
    expect_pair(d, "small_threshold", "0.3");
    cr_expect_eq(d->unknown.label + d->unknown.gold, 0);
    float *x = all_features(d);
    cr_expect_eq(x[FIXTURE_WIDTH], fixture_value(1, 0));
    sr_free(x);
    sr_data_close(d);
    d = open_fixture("full", &(const struct sr_data_options){.features_only = true});
    cr_expect_null(d->label);
    cr_expect_null(d->small_prob);
    cr_expect_str_eq(d->id[11], "row-11");
    cr_expect_eq(d->contract_count, 2, "no threshold is stated");
    sr_data_close(d);
}
