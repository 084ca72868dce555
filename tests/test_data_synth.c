/* test_data_synth.c: the synthetic dump: same bytes, right shape, something to learn; and written scores.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <time.h>

#include "tests/dump_fixture.h"

static void expect_same_files(const char *a, const char *b) {
    void *x, *y;
    size_t n, m;
    struct sr_error err = {0};
    cr_assert_eq(sr_file_read(&x, &n, a, (size_t)1 << 30, &err), 0, "%s", err.text);
    cr_assert_eq(sr_file_read(&y, &m, b, (size_t)1 << 30, &err), 0, "%s", err.text);
    cr_assert_eq(n, m);
    cr_expect_arr_eq(x, y, n);
    sr_free(x);
    sr_free(y);
}

/* Until the clock shows another second, the unit of the times HDF5 would write. */
static void wait_for_next_second(void) {
    const struct timespec pause = {.tv_nsec = 10000000};
    for (time_t now = time(NULL); time(NULL) == now;)
        nanosleep(&pause, NULL);
}

Test(data_synth, same_bytes_at_any_time_for_any_thread_count) {
    char one[64], three[64], other[64];
    sr_cpu_threads(1);
    make_synth(one, 1000, 65, 1);
    snprintf(other, sizeof other, "%.50s.again", one);
    cr_assert_eq(rename(one, other), 0);
    wait_for_next_second();
    sr_cpu_threads(3);
    expect_same_files(make_synth(three, 1000, 65, 1), other);
    unlink(three);
    unlink(other);
}

Test(data_synth, has_the_shape_of_a_real_dump) {
    char path[64];
    struct sr_error err = {0};
    struct sr_data *d = open_paths(make_synth(path, 8000, 64, 1), NULL);
    size_t positives = 0, unsafe = 0, small = 0, large = 0, twins = 0;
    for (size_t i = 0; i < d->rows; i++) {
        positives += d->label[i];
        unsafe += d->gold[i];
        small += d->small_pred[i] == d->gold[i];
        large += d->large_pred[i] == d->gold[i];
        twins += i > 0 && d->group[i] == d->group[i - 1];
        cr_assert_eq(d->label[i], d->small_pred[i] != d->gold[i] && d->large_pred[i] == d->gold[i]);
    }
    /* of 8,000 rows */
    cr_expect(positives > 960 && positives < 2000, "%zu positives", positives);
    cr_expect(unsafe > 2400 && unsafe < 4800, "%zu unsafe", unsafe);
    cr_expect(small > 5200 && small < 6400, "%zu right by small", small);
    cr_expect(large > small + 300, "%zu right by large", large);
    cr_expect(twins > 100 && twins < 220, "%zu twins", twins);
    cr_expect_eq(d->sources, 6);
    cr_assert_eq(d->contract_count, 10);
    cr_expect_str_eq(d->contract[6].value, "synthetic large guard, world 1");
    cr_expect_eq(strlen(d->id[0]), 16);
    cr_expect_not(d->label_derived);
    struct sr_scan scan;
    cr_assert_eq(sr_data_scan(d, &scan, NULL, NULL, &err), 0, "%s", err.text);
    cr_expect_eq(scan.bad_rows, 0);
    for (size_t k = 0; k < d->width; k++)
        cr_expect(scan.deviation[k] > .15 && scan.deviation[k] < 1.5, "column %zu: %g", k, scan.deviation[k]);
    sr_scan_free(&scan);
    sr_data_close(d);
    unlink(path);
}

/* Correlation of a least-mean-squares fit with the labels, on rows of another seed: there is something to
 * learn. */
Test(data_synth, another_seed_poses_the_same_problem) {
    enum { WIDTH = 64, ROWS = 4000 };
    char train[64], val[64];
    struct sr_data *a = open_paths(make_synth(train, ROWS, WIDTH, 1), NULL);
    struct sr_data *b = open_paths(make_synth(val, ROWS, WIDTH, 2), NULL);
    float *x = all_features(a), *v = all_features(b);
    double w[WIDTH + 1] = {0}, sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
    for (int step = 0; step < 20 * ROWS; step++) {
        const float *row = x + step % ROWS * WIDTH;
        double error = a->label[step % ROWS] - w[WIDTH];
        for (int k = 0; k < WIDTH; k++)
            error -= w[k] * (double)row[k];
        for (int k = 0; k < WIDTH; k++)
            w[k] += 1e-3 * error * (double)row[k];
        w[WIDTH] += 1e-3 * error;
    }
    for (int i = 0; i < ROWS; i++) {
        double s = 0, y = b->label[i];
        for (int k = 0; k < WIDTH; k++)
            s += w[k] * (double)v[i * WIDTH + k];
        sx += s, sy += y, sxx += s * s, syy += y * y, sxy += s * y;
    }
    double r = (sxy - sx * sy / ROWS) / sqrt((sxx - sx * sx / ROWS) * (syy - sy * sy / ROWS));
    /* chance is 0 with deviation 1/sqrt(4000) = .016; a line sees part of a nonlinear problem */
    cr_expect_gt(r, .2, "correlation %g", r);
    cr_expect_neq(a->label[0] + 2 * memcmp(a->label, b->label, ROWS), 0);
    sr_free(x);
    sr_free(v);
    sr_data_close(a);
    sr_data_close(b);
    unlink(train);
    unlink(val);
}

Test(data_synth, what_cannot_be_made_is_refused) {
    struct sr_error err = {0};
    struct sr_synth none = {.rows = 0, .width = 8}, some = {.rows = 10, .width = 8},
                    wide = {.rows = 1, .width = 65537};
    cr_expect_eq(sr_synth_write("/tmp/sr_none.h5", &wide, &err), SR_USAGE);
    cr_expect_eq(sr_synth_write("/tmp/sr_none.h5", &none, &err), SR_USAGE);
    cr_expect_eq(sr_synth_write("/nowhere/there.h5", &some, &err), SR_IO);
    cr_expect(strstr(err.text, "/nowhere/there.h5"), "%s", err.text);
}

Test(data_scores, are_written_row_by_row) {
    char path[64];
    struct sr_error err = {0};
    struct sr_data *d = open_fixture("full", NULL);
    float logit[FIXTURE_ROWS], prob[FIXTURE_ROWS];
    uint8_t decision[FIXTURE_ROWS];
    const char *reason[FIXTURE_ROWS];
    for (int i = 0; i < FIXTURE_ROWS; i++) {
        logit[i] = (float)i - 6;
        prob[i] = 1 / (1 + expf(-logit[i]));
        decision[i] = prob[i] > .6f;
        reason[i] = i ? "" : "none";
    }
    snprintf(path, sizeof path, "/tmp/sr_scores_%d.h5", (int)getpid());
    const struct sr_score_columns columns = {
        .logit = logit, .prob = prob, .decision = decision, .reason = reason};
    cr_assert_eq(sr_data_write_scores(path, d, &columns, &err), 0, "%s", err.text);
    sr_data_close(d);
    /* read back as a dump whose features would be a matrix: names it holds are in the message */
    cr_expect_eq(sr_data_open(&d, path, NULL, &err), SR_DATA);
    cr_expect(strstr(err.text, "decision [12] uint8, id [12] strings, logit [12] float32, prob [12] float32, "
                               "reason [12] strings, row [12]"),
              "%s", err.text);
    unlink(path);
}
