/* test_data_forms.c: features in every form that HDF5 stores them in, held to what HDF5 itself reads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5.h"
#include "tests/dump_fixture.h"
#include "tests/hostile.h"

enum { ROWS = 70, WIDTH = 10 };

static const struct form {
    const char *name, *way;
    enum sr_feature type;
    bool whole; /* every row was written */
} forms[] = {
    {"half", "in one piece", SR_FEATURE_HALF, true},
    {"half_big", "in one piece", SR_FEATURE_HALF, true},
    {"float", "in one piece", SR_FEATURE_FLOAT, true},
    {"float_big", "in one piece", SR_FEATURE_FLOAT, true},
    {"half_chunks", "by chunks", SR_FEATURE_HALF, true},
    {"half_big_chunks", "by chunks", SR_FEATURE_HALF, true},
    {"float_chunks", "by chunks", SR_FEATURE_FLOAT, true},
    {"float_big_chunks", "by chunks", SR_FEATURE_FLOAT, true},
    {"half_gzip", "by chunks", SR_FEATURE_HALF, true},
    {"half_big_gzip", "by chunks", SR_FEATURE_HALF, true},
    {"float_gzip", "by chunks", SR_FEATURE_FLOAT, true},
    {"float_big_gzip", "by chunks", SR_FEATURE_FLOAT, true},
    {"rows", "by chunks", SR_FEATURE_HALF, true},
    {"rows_gzip", "by chunks", SR_FEATURE_HALF, true},
    {"one_chunk", "by chunks", SR_FEATURE_HALF, true},
    {"one_row", "by chunks", SR_FEATURE_HALF, true},
    {"wide_chunk", "by chunks", SR_FEATURE_HALF, true},
    {"grows", "by chunks", SR_FEATURE_HALF, true},
    {"gzip_only", "by chunks", SR_FEATURE_HALF, true},
    {"shuffle_only", "by chunks", SR_FEATURE_FLOAT, true},
    {"fletcher", "by chunks", SR_FEATURE_HALF, true},
    {"fletcher_odd", "by chunks", SR_FEATURE_HALF, true},
    {"all_filters", "by chunks", SR_FEATURE_HALF, true},
    {"masked", "by chunks", SR_FEATURE_HALF, true},
    {"missing", "through HDF5", SR_FEATURE_HALF, false},
    {"missing_zero", "through HDF5", SR_FEATURE_HALF, false},
    {"double", "through HDF5", SR_FEATURE_FLOAT, true},
    {"double_gzip", "through HDF5", SR_FEATURE_FLOAT, true},
    {"nothing", "through HDF5", SR_FEATURE_HALF, false},
    {"compact", "through HDF5", SR_FEATURE_FLOAT, true},
};

static struct sr_h5 *open_file(const char *name) {
    char text[2048];
    struct sr_h5 *f;
    struct sr_error err = {0};
    cr_assert_eq(sr_h5_open(&f, fixture_paths(text, name), &err), 0, "%s", err.text);
    return f;
}

static struct sr_h5_matrix *open_form(const struct sr_h5 *f, const char *name, enum sr_feature type) {
    struct sr_h5_matrix *m;
    struct sr_error err = {0};
    cr_assert_eq(sr_h5_matrix_open(&m, f, name, type, &err), 0, "%s", err.text);
    return m;
}

/* As HDF5 reads it, converted by nobody but feature.c. */
static struct sr_h5_matrix *open_oracle(const struct sr_h5 *f, const char *name, enum sr_feature type) {
    struct sr_h5_matrix *m = open_form(f, name, type);
    sr_h5_matrix_through_hdf5(m);
    cr_assert_str_eq(sr_h5_matrix_way(m), "through HDF5");
    return m;
}

static void read_rows(struct sr_h5_matrix *m, void *out, size_t first, size_t n, enum sr_feature wanted) {
    struct sr_error err = {0};
    cr_assert_eq(sr_h5_matrix_read(m, out, first, n, wanted, &err), 0, "%s", err.text);
}

/* Any rows in any order, as the type of the file or as float; what a range leaves behind is there for the
 * next. */
static void expect_as_hdf5(const struct sr_h5 *f, const struct form *form) {
    struct sr_h5_matrix *m = open_form(f, form->name, form->type);
    struct sr_h5_matrix *oracle = open_oracle(f, form->name, form->type);
    cr_expect_str_eq(sr_h5_matrix_way(m), form->way, "%s", form->name);
    for (uint64_t i = 0; i < 300; i++) {
        float got[ROWS * WIDTH + 8] = {0}, expected[ROWS * WIDTH + 8] = {0};
        const size_t first = i == 0 ? 0 : (size_t)sr_random_below(1, 0, 3 * i, ROWS);
        const size_t n = i == 0 ? ROWS : 1 + (size_t)sr_random_below(1, 0, 3 * i + 1, ROWS - first);
        const enum sr_feature wanted = sr_random_below(1, 0, 3 * i + 2, 2) ? form->type : SR_FEATURE_FLOAT;
        read_rows(m, got, first, n, wanted);
        read_rows(oracle, expected, first, n, wanted);
        cr_assert_arr_eq(got, expected, sizeof got, "%s rows %zu to %zu", form->name, first, first + n - 1);
    }
    sr_h5_matrix_close(m);
    sr_h5_matrix_close(oracle);
}

Test(data_forms, all_are_read_as_hdf5_reads_them) {
    struct sr_h5 *f = open_file("forms");
    for (int threads = 1; threads <= 3; threads += 2) {
        sr_cpu_threads(threads);
        for (size_t i = 0; i < SR_COUNT(forms); i++)
            expect_as_hdf5(f, &forms[i]);
    }
    sr_h5_close(f, NULL);
}

/* The values of a virtual one lie in this very file, but they might lie in any. */
Test(data_forms, some_are_refused) {
    static const struct {
        const char *name, *word;
    } refused[] = {{"virtual", "/virtual is a virtual dataset"},
                   {"other_order", "/other_order is shuffled after it was compressed"}};
    struct sr_h5 *f = open_file("forms");
    for (size_t i = 0; i < SR_COUNT(refused); i++) {
        struct sr_h5_matrix *m;
        struct sr_error err = {0};
        cr_expect_eq(sr_h5_matrix_open(&m, f, refused[i].name, SR_FEATURE_FLOAT, &err), SR_DATA);
        cr_expect(strstr(err.text, refused[i].word), "%s", err.text);
    }
    sr_h5_close(f, NULL);
}

/* Bytes of somebody else in front of the HDF5 file. */
Test(data_forms, a_user_block_moves_everything) {
    static const struct form moved[] = {{"features", "in one piece", SR_FEATURE_HALF, true},
                                        {"chunks", "by chunks", SR_FEATURE_HALF, true}};
    struct sr_h5 *f = open_file("user_block");
    for (size_t i = 0; i < SR_COUNT(moved); i++)
        expect_as_hdf5(f, &moved[i]);
    sr_h5_close(f, NULL);
}

/* Of chunks without filters the places are asked for, and not all versions of HDF5 count such bytes in. */
Test(data_forms, places_behind_a_user_block_are_not_believed) {
    enum { N = 12, D = 8 };
    char path[300];
    float x[N * D];
    struct sr_error err = {0};
    struct sr_h5 *f;
    hostile_path(path, "hdf5/super_user_block_chunks.h5");
    cr_assert_eq(sr_h5_open(&f, path, &err), 0, "%s", err.text);
    struct sr_h5_matrix *m = open_form(f, "features", SR_FEATURE_HALF);
    cr_expect_str_eq(sr_h5_matrix_way(m), "through HDF5");
    read_rows(m, x, 0, N, SR_FEATURE_FLOAT);
    for (int i = 0; i < N * D; i++)
        cr_expect_eq(x[i], (float)(i - 40) / 16, "value %d: %g", i, (double)x[i]);
    sr_h5_matrix_close(m);
    sr_h5_close(f, NULL);
}

/* What h5py was given, so that HDF5 and we are not wrong together. */
Test(data_forms, all_are_what_was_written) {
    struct sr_h5 *f = open_file("forms");
    for (size_t i = 0; i < SR_COUNT(forms); i++) {
        float x[ROWS * WIDTH];
        struct sr_h5_matrix *m = open_form(f, forms[i].name, forms[i].type);
        read_rows(m, x, 0, ROWS, SR_FEATURE_FLOAT);
        for (size_t r = 0; forms[i].whole && r < ROWS; r++)
            for (size_t k = 0; k < WIDTH; k++)
                cr_assert_eq(x[r * WIDTH + k], fixture_value(r, k), "%s row %zu, column %zu", forms[i].name,
                             r, k);
        sr_h5_matrix_close(m);
    }
    sr_h5_close(f, NULL);
}

Test(data_forms, chunks_nobody_wrote_are_the_fill_value) {
    struct sr_h5 *f = open_file("forms");
    static const struct {
        const char *name;
        float fill;
    } missing[] = {{"missing", 1.5f}, {"missing_zero", 0}, {"nothing", 2.5f}};
    for (size_t i = 0; i < SR_COUNT(missing); i++) {
        float x[ROWS * WIDTH];
        struct sr_h5_matrix *m = open_form(f, missing[i].name, SR_FEATURE_HALF);
        read_rows(m, x, 0, ROWS, SR_FEATURE_FLOAT);
        cr_expect_eq(x[5 * WIDTH + 9], missing[i].fill);
        cr_expect_eq(x[40 * WIDTH], missing[i].fill);
        cr_expect_eq(x[19 * WIDTH + 3], i < 2 ? fixture_value(19, 3) : missing[i].fill);
        cr_expect_eq(x[69 * WIDTH + 9], i < 2 ? fixture_value(69, 9) : missing[i].fill);
        sr_h5_matrix_close(m);
    }
    sr_h5_close(f, NULL);
}

/* Rows and what is wrong are named; chunks before and behind can be read, also after the failure. */
Test(data_forms, damaged_chunks_are_named) {
    static const struct {
        const char *name, *word;
    } bad[] = {{"not_zlib", "cannot be unpacked"},
               {"short_zlib", "cannot be unpacked"},
               {"long_zlib", "cannot be unpacked"},
               {"cut_zlib", "cannot be unpacked"},
               {"wrong_adler", "cannot be unpacked"},
               {"huge", "another size"},
               {"one_byte", "cannot be unpacked"},
               {"masked_short", "another size"},
               {"wrong_sum", "checksum"},
               {"no_sum", "checksum"}};
    struct sr_h5 *f = open_file("bad_forms");
    for (int threads = 1; threads <= 3; threads += 2)
        for (size_t i = 0; i < SR_COUNT(bad); i++) {
            uint16_t x[ROWS * WIDTH];
            struct sr_error err = {0};
            struct sr_h5_matrix *m = open_form(f, bad[i].name, SR_FEATURE_HALF);
            sr_cpu_threads(threads);
            for (int again = 0; again < 2; again++) {
                cr_expect_eq(sr_h5_matrix_read(m, x, 0, ROWS, SR_FEATURE_HALF, &err), SR_DATA, "%s",
                             bad[i].name);
                cr_expect(strstr(err.text, "bad_forms.h5: /") && strstr(err.text, bad[i].name) &&
                              strstr(err.text, " rows 32 to 47 ") && strstr(err.text, bad[i].word),
                          "%s: %s", bad[i].name, err.text);
                cr_expect_eq(sr_h5_matrix_read(m, x, 40, 1, SR_FEATURE_HALF, &err), SR_DATA);
                read_rows(m, x, 0, 32, SR_FEATURE_HALF);
                read_rows(m, x, 48, ROWS - 48, SR_FEATURE_HALF);
            }
            sr_h5_matrix_close(m);
        }
    sr_h5_close(f, NULL);
}

/* HDF5 would copy as many bytes as the index says, wherever they are to go. */
Test(data_forms, sizes_in_the_index_are_not_believed) {
    static const char *const names[] = {"bad_index_short", "bad_index_long", "bad_index_short_rows",
                                        "bad_index_long_rows"};
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        struct sr_error err = {0};
        struct sr_h5_matrix *m;
        struct sr_h5 *f = open_file(names[i]);
        cr_expect_eq(sr_h5_matrix_open(&m, f, "features", SR_FEATURE_HALF, &err), SR_DATA, "%s", names[i]);
        cr_expect(strstr(err.text, " rows 32 to 47 ") && strstr(err.text, "another size"), "%s", err.text);
        sr_h5_close(f, NULL);
    }
}

Test(data_forms, rows_behind_the_end_of_the_file) {
    struct sr_h5 *f = open_file("bad_offset");
    struct sr_h5_matrix *m = NULL;
    struct sr_error err = {0};
    cr_expect_eq(sr_h5_matrix_open(&m, f, "features", SR_FEATURE_HALF, &err), SR_DATA);
    cr_expect_null(m);
    cr_expect(strstr(err.text, "bad_offset.h5: /features") && strstr(err.text, "end of the file"), "%s",
              err.text);
    sr_h5_close(f, NULL);
}

/* Somebody copies over the file or the disk is full: an error, not a signal. */
Test(data_forms, a_file_cut_short_while_it_is_read) {
    enum { N = 2000, D = 64 };
    char path[64];
    struct sr_error err = {0};
    struct sr_data *d = open_paths(make_synth(path, N, D, 1), NULL);
    cr_expect_str_eq(sr_data_way(d), "in one piece");
    cr_assert_eq(truncate(path, N * D), 0); /* about half */
    cr_expect_eq(sr_data_keep(d, SIZE_MAX, &err), SR_DATA);
    cr_expect(strstr(err.text, path) && strstr(err.text, "cut short"), "%s", err.text);
    struct sr_scan scan;
    cr_expect_eq(sr_data_scan(d, &scan, NULL, NULL, &err), SR_DATA);
    sr_data_close(d);
    unlink(path);
}

/* A string of no bytes: HDF5 opens it, and how many fit into a buffer is a division by zero. */
Test(data_forms, values_of_no_bytes_are_refused) {
    static const unsigned char type[] = {0x13, 1, 0, 0, 16, 0, 0, 0}; /* fixed, 16 bytes, padded with NUL */
    char text[2048], path[64];
    struct sr_error err = {0};
    struct sr_data *d = NULL;
    void *bytes;
    size_t size;
    snprintf(path, sizeof path, "/tmp/sr_test_forms_%d.h5", (int)getpid());
    cr_assert_eq(sr_file_read(&bytes, &size, fixture_paths(text, "id_s16"), (size_t)1 << 26, &err), 0);
    unsigned char *at = memmem(bytes, size, type, sizeof type);
    cr_assert_not_null(at);
    at[4] = 0;
    cr_assert_eq(sr_atomic_file_write(path, bytes, size, &err), 0);
    cr_expect_eq(sr_data_open(&d, path, NULL, &err), SR_DATA);
    cr_expect(strstr(err.text, "values of 0 bytes"), "%s", err.text);
    sr_free(bytes);
    unlink(path);
}
