/* test_data_scan.c: what one pass over the features finds.
 *
 * SPDX-License-Identifier: MIT
 */
#include <endian.h>
#include <math.h>

#include "tests/dump_fixture.h"

Test(data_scan, mean_and_deviation) {
    struct sr_data *d = open_fixture("half", NULL);
    struct sr_scan scan = scan_of(d);
    for (size_t k = 0; k < d->width; k++) {
        double mean = 0, variance = 0;
        for (size_t r = 0; r < d->rows; r++)
            mean += (double)fixture_value(r, k) / 12;
        for (size_t r = 0; r < d->rows; r++)
            variance += pow((double)fixture_value(r, k) - mean, 2) / 12;
        /* sums of twelve numbers below 5 in double: a few units in the last place */
        cr_expect_float_eq(scan.mean[k], mean, 1e-14);
        cr_expect_float_eq(scan.deviation[k], sqrt(variance), 1e-14);
    }
    cr_expect_eq(scan.bad_rows, 0);
    sr_scan_free(&scan);
    sr_data_close(d);
}

Test(data_scan, rows_that_are_not_finite_are_found_and_left_out) {
    struct sr_data *d = open_fixture("not_finite,half", NULL);
    struct sr_scan scan = scan_of(d);
    cr_assert_eq(scan.bad_rows, 2);
    cr_expect_eq(scan.bad_row[0], 3);
    cr_expect_eq(scan.bad_row[1], 7);
    double sum = 0;
    for (size_t r = 0; r < d->rows; r++)
        sum += r == 3 || r == 7 ? 0 : (double)fixture_value(r % FIXTURE_ROWS, 2);
    cr_expect_float_eq(scan.mean[2], sum / 22, 1e-14);
    sr_scan_free(&scan);
    sr_data_close(d);
}

static void expect_hashes(struct sr_data *d) {
    struct sr_scan scan = scan_of(d);
    float *x = all_features(d);
    for (size_t r = 0; r < d->rows; r++)
        cr_expect_eq(scan.hash[r], sr_row_hash(x + r * d->width, d->width), "row %zu", r);
    sr_free(x);
    sr_scan_free(&scan);
    sr_data_close(d);
}

Test(data_scan, every_row_has_its_hash) {
    char path[64];
    expect_hashes(open_paths(make_synth(path, 2500, 5, 5), NULL));
    expect_hashes(open_fixture("not_finite,half", NULL));
    unlink(path);
}

Test(data_scan, every_good_row_has_its_length) {
    struct sr_data *d = open_fixture("not_finite,half", NULL);
    struct sr_scan scan = scan_of(d);
    for (size_t r = 0; r < d->rows; r++) {
        double sum = 0;
        for (size_t k = 0; k < d->width; k++)
            sum += pow((double)fixture_value(r % FIXTURE_ROWS, k), 2);
        /* rounded once from double to float */
        if (r == 3 || r == 7)
            cr_expect(isnan(scan.length[r]));
        else
            cr_expect_eq(scan.length[r], (float)sqrt(sum), "row %zu", r);
    }
    sr_scan_free(&scan);
    sr_data_close(d);
}

static void add_number(struct sr_sha256 *sha, uint64_t value) {
    value = htole64(value);
    sr_sha256_add(sha, &value, sizeof value);
}

/* The definition, computed from outside: rows, width, labels, then the sampled rows as little-endian floats.
 */
static void expected_id(char hex[65], struct sr_data *d) {
    struct sr_sha256 sha;
    float *x = all_features(d);
    size_t samples = d->rows < 1024 ? d->rows : 1024;
    sr_sha256_begin(&sha);
    add_number(&sha, d->rows);
    add_number(&sha, d->width);
    sr_sha256_add(&sha, d->label, d->rows);
    for (size_t i = 0; i < samples; i++) {
        float *row = x + i * d->rows / samples * d->width;
        for (size_t k = 0; k < d->width; k++) {
            uint32_t bits;
            memcpy(&bits, row + k, sizeof bits);
            bits = htole32(bits);
            sr_sha256_add(&sha, &bits, sizeof bits);
        }
    }
    sr_sha256_end(&sha, hex);
    sr_free(x);
}

Test(data_scan, data_id_is_as_defined) {
    char path[64], hex[65];
    struct sr_data *d = open_paths(make_synth(path, 2500, 5, 3), NULL);
    struct sr_scan scan = scan_of(d);
    expected_id(hex, d);
    cr_expect_str_eq(scan.data_id, hex);
    sr_scan_free(&scan);
    sr_data_close(d);
    unlink(path);
}

Test(data_scan, data_id_and_hashes_do_not_see_the_form) {
    static const char *const names[] = {"half",   "half_big_endian", "half_chunked",
                                        "double", "bfloat",          "label_bool"};
    struct sr_data *d = open_fixture("float", NULL);
    struct sr_scan first = scan_of(d);
    sr_data_close(d);
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        d = open_fixture(names[i], NULL);
        struct sr_scan scan = scan_of(d);
        cr_expect_str_eq(scan.data_id, first.data_id, "%s", names[i]);
        cr_expect_arr_eq(scan.hash, first.hash, d->rows * sizeof *scan.hash, "%s", names[i]);
        sr_scan_free(&scan);
        sr_data_close(d);
    }
    d = open_fixture("not_finite", NULL);
    struct sr_scan other = scan_of(d);
    cr_expect_str_neq(other.data_id, first.data_id);
    sr_scan_free(&other);
    sr_scan_free(&first);
    sr_data_close(d);
}

static void note(void *user, double fraction) {
    double *last = user;
    cr_expect_gt(fraction, *last);
    *last = fraction;
}

Test(data_scan, same_bits_for_any_thread_count_kept_or_streamed) {
    char path[64];
    struct sr_error err = {0};
    struct sr_data *d = open_paths(make_synth(path, 2600, 300, 4), NULL);
    sr_cpu_threads(1);
    struct sr_scan first = scan_of(d);
    for (int threads = 1; threads <= 3; threads++) {
        struct sr_scan scan;
        double last = 0;
        sr_cpu_threads(threads);
        cr_assert_eq(sr_data_scan(d, &scan, note, &last, &err), 0, "%s", err.text);
        cr_expect_eq(last, 1.0);
        cr_expect_arr_eq(scan.mean, first.mean, d->width * sizeof(double));
        cr_expect_arr_eq(scan.deviation, first.deviation, d->width * sizeof(double));
        cr_expect_arr_eq(scan.hash, first.hash, d->rows * sizeof *scan.hash);
        cr_expect_str_eq(scan.data_id, first.data_id);
        sr_scan_free(&scan);
        cr_assert_eq(sr_data_keep(d, SIZE_MAX, &err), 0, "%s", err.text);
    }
    sr_scan_free(&first);
    sr_data_close(d);
    unlink(path);
}
