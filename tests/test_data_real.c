/* test_data_real.c: dumps of real guards, where $SAFEROUTE_DATA names their folder.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "tests/dump_fixture.h"

static struct sr_data *open_real_as(const char *name, const struct sr_data_options *options) {
    const char *folder = getenv("SAFEROUTE_DATA");
    char path[1024];
    if (!folder)
        cr_skip_test("SAFEROUTE_DATA is not set: no real dumps to read");
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (access(path, R_OK) != 0)
        cr_skip_test("%s is not there", path);
    return open_paths(path, options);
}

static struct sr_data *open_real(const char *name) {
    return open_real_as(name, NULL);
}

Test(data_real, train_is_as_documented) {
    struct sr_data *d = open_real("guard-train.h5");
    size_t positives = 0, unsafe = 0, agree = 0;
    for (size_t i = 0; i < d->rows; i++) {
        positives += d->label[i];
        unsafe += d->gold[i];
        agree += d->label[i] == (d->small_pred[i] != d->gold[i] && d->large_pred[i] == d->gold[i]);
    }
    cr_expect_eq(d->rows, 13319);
    cr_expect_eq(d->width, 2048);
    cr_expect_float_eq((double)positives / 13319, .152, .0005, "%zu positives", positives);
    cr_expect_float_eq((double)unsafe / 13319, .423, .0005, "%zu unsafe", unsafe);
    cr_expect_eq(agree, d->rows, "labels follow from gold and verdicts");
    cr_expect_str_eq(d->id[0], "e07927d761855692");
    cr_expect_eq(d->group[0], 280536976141719204);
    cr_expect_eq(d->sources, 18);
    cr_expect_str_eq(d->source_names[d->source[1]], "diasafety");
    sr_data_close(d);
}

Test(data_real, kept_and_streamed_scans_agree) {
    struct sr_data *d = open_real("guard-val.h5");
    struct sr_error err = {0};
    struct sr_scan a, b;
    cr_assert_eq(sr_data_scan(d, &a, NULL, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(sr_data_keep(d, SIZE_MAX, &err), 0, "%s", err.text);
    cr_assert_eq(sr_data_scan(d, &b, NULL, NULL, &err), 0, "%s", err.text);
    cr_expect_str_eq(a.data_id, b.data_id);
    cr_expect_arr_eq(a.mean, b.mean, d->width * sizeof(double));
    cr_expect_arr_eq(a.deviation, b.deviation, d->width * sizeof(double));
    cr_expect_eq(a.bad_rows, 0);
    cr_expect_float_eq(a.mean[0], b.mean[0], 0);
    sr_scan_free(&a);
    sr_scan_free(&b);
    sr_data_close(d);
}

Test(data_real, split_keeps_groups_and_shares) {
    struct sr_data *d = open_real("guard-train.h5");
    struct sr_error err = {0};
    uint32_t *rows = all_rows(d->rows), *train, *val;
    size_t n_train, n_val, positives = 0;
    cr_assert_eq(sr_data_split(d, rows, d->rows, .25, 3, &train, &n_train, &val, &n_val, &err), 0, "%s",
                 err.text);
    for (size_t i = 0; i < n_val; i++)
        positives += d->label[val[i]];
    /* most groups are single rows, so both quotas are met to the row */
    cr_expect_leq(labs((long)n_val - 13319 / 4), 2);
    cr_expect_float_eq((double)positives / (double)n_val, .152, .001);
    sr_free(train);
    sr_free(val);
    sr_free(rows);
    sr_data_close(d);
}

/* NumPy: ((small_prob >= .3) != gold) & ((large_prob >= .5) == gold) is not /label in 2358 of 13319 rows. */
Test(data_real, another_threshold_asks_another_question) {
    const struct sr_data_options options = {.labels = SR_LABELS_DERIVED, .small_threshold = .3};
    struct sr_data *stored = open_real("guard-train.h5"), *d = open_real_as("guard-train.h5", &options);
    size_t changed = 0, positives = 0;
    for (size_t i = 0; i < d->rows; i++) {
        changed += d->label[i] != stored->label[i];
        positives += d->label[i];
    }
    cr_expect_eq(changed, 2358, "%zu", changed);
    cr_expect_eq(positives, 2449, "%zu", positives);
    sr_data_close(stored);
    sr_data_close(d);
}

Test(data_real, labels_of_another_threshold_are_refused) {
    const struct sr_data_options options = {.small_threshold = .3};
    char path[1024];
    struct sr_data *d = open_real("guard-train.h5"); /* or skips */
    struct sr_error err = {0};
    sr_data_close(d);
    snprintf(path, sizeof path, "%s/guard-train.h5", getenv("SAFEROUTE_DATA"));
    cr_expect_eq(sr_data_open(&d, path, &options, &err), SR_DATA);
    cr_expect(strstr(err.text, "2358 of 13319 stored labels disagree") &&
                  strstr(err.text, "small guard cut at 0.3 (given)"),
              "%s", err.text);
}
