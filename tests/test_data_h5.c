/* test_data_h5.c: what is answered about the rarer stored files of tests/hostile/hdf5, most of which are
 * read, and of files that are made here.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <sys/stat.h>

#include "data/h5_copy.h"
#include "data/h5_ways.h"
#include "tests/away.h"
#include "tests/hostile.h"

enum { ROWS = 12, WIDTH = 8 };

static struct sr_h5 *open_stored(const char *name) {
    char file[100];
    snprintf(file, sizeof file, "hdf5/%s.h5", name);
    return hostile_open(file);
}

static struct sr_h5 *create_in(char path[300], const char *folder) {
    struct sr_h5 *f = NULL;
    struct sr_error err = {0};
    snprintf(path, 300, "%s/a.h5", folder);
    cr_assert_eq(sr_h5_create(&f, path, path, &err), 0, "%s", err.text);
    return f;
}

static struct sr_h5 *again(struct sr_h5 *f, const char *path) {
    struct sr_error err = {0};
    cr_assert_eq(sr_h5_close(f, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_open(&f, path, &err), 0, "%s", err.text);
    return f;
}

/* ---- names and objects ---- */

Test(data_h5, a_path_may_have_more_slashes_than_steps) {
    struct sr_h5 *f = open_stored("cycle");
    cr_expect(sr_h5_has(f, "a//b/") && sr_h5_has(f, "/a/b"));
    cr_expect(!sr_h5_has(f, "/") && !sr_h5_has(f, "") && !sr_h5_has(f, "//"));
    sr_h5_close(f, NULL);
}

/* Nor is that a fault of the file. */
Test(data_h5, there_is_nothing_in_a_dataset) {
    static const char *const names[] = {"features/x", "features//x/y", "label/0"};
    struct sr_error err = {0};
    struct sr_h5 *f = open_stored("attribute_empty");
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        cr_expect_not(sr_h5_has(f, names[i]), "%s", names[i]);
        cr_expect_eq(sr_h5_check(f, &err), 0, "%s: %s", names[i], err.text);
    }
    sr_h5_close(f, NULL);
}

/* That cannot be known of a damaged one, whatever is asked for. */
Test(data_h5, what_cannot_be_looked_for) {
    static const char *const names[] = {"/features", "features", "features/x"};
    struct sr_error err = {0};
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        struct sr_h5 *f = open_stored("links_apart_checksum");
        cr_expect_eq(sr_h5_check(f, &err), 0, "%s", err.text);
        cr_expect_not(sr_h5_has(f, names[i]), "%s", names[i]);
        cr_expect_eq(sr_h5_check(f, &err), SR_DATA, "%s", names[i]);
        sr_h5_close(f, &err);
    }
}

/* Nor has what cannot be opened any. */
static void expect_no_attribute(const char *file, const char *object) {
    char *value, **list;
    size_t n = 1;
    struct sr_error err = {0};
    struct sr_h5 *f = open_stored(file);
    cr_expect_not(sr_h5_has_attribute(f, object, "names"), "%s", object);
    cr_expect_eq(sr_h5_attribute(f, object, "names", &value, &err), 0, "%s", err.text);
    cr_expect_null(value);
    cr_expect_eq(sr_h5_attribute_list(f, object, "names", &list, &n, &err), 0, "%s", err.text);
    cr_expect(!list && n == 0);
    sr_h5_close(f, NULL);
}

Test(data_h5, what_is_not_there_has_no_attributes) {
    expect_no_attribute("cycle", "nothing");
    expect_no_attribute("link_soft_label", "label");
    expect_no_attribute("layout_version_9", "features");
}

static void expect_missing(struct sr_h5 *f, const char *name) {
    struct sr_h5_spelling how;
    struct sr_h5_storage storage;
    struct sr_error err = {0};
    double values[ROWS];
    int64_t whole[ROWS];
    char **texts;
    cr_expect_eq(sr_h5_spelling(&how, f, name, &err), SR_DATA);
    cr_expect_eq(sr_h5_storage(f, name, &storage, &err), SR_DATA);
    cr_expect_eq(sr_h5_read_doubles(f, name, values, ROWS, &err), SR_DATA);
    cr_expect_eq(sr_h5_each_double(f, name, NULL, NULL, &err), SR_DATA);
    cr_expect_eq(sr_h5_read_integers(f, name, whole, ROWS, &err), SR_DATA);
    cr_expect_eq(sr_h5_read_texts(f, name, &texts, ROWS, &err), SR_DATA);
    cr_expect(strstr(err.text, "there is no /nothing"), "%s", err.text);
}

Test(data_h5, what_is_not_there_is_said_to_be) {
    struct sr_h5 *f = open_stored("cycle");
    expect_missing(f, "nothing");
    sr_h5_close(f, NULL);
}

/* Whoever reads with the program's own right alone: the superuser may read all. */
Test(data_h5, a_file_that_may_not_be_read) {
    char path[300], *folder = folder_begin();
    struct sr_error err = {0};
    struct sr_h5 *f = create_in(path, folder);
    sr_h5_close(f, NULL);
    cr_assert_eq(chmod(path, 0), 0);
    const bool root = geteuid() == 0;
    if (root)
        cr_assert_eq(setresuid(65534, (uid_t)-1, (uid_t)-1), 0);
    cr_expect_eq(sr_h5_open(&f, path, &err), SR_IO, "%s", err.text);
    cr_expect(strstr(err.text, strerror(EACCES)), "%s", err.text);
    if (root)
        cr_assert_eq(setresuid(0, (uid_t)-1, (uid_t)-1), 0);
    folder_end(folder);
}

Test(data_h5, a_file_that_cannot_be_there) {
    char path[800], *folder = folder_begin(), long_name[400];
    struct sr_error err = {0};
    struct sr_h5 *f = create_in(path, folder);
    sr_h5_close(f, NULL);
    strcat(path, "/b.h5");
    cr_expect_eq(sr_h5_check_path(path, &err), SR_NOINPUT);
    cr_expect(strstr(err.text, "no such file"), "%s", err.text);
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    cr_expect_eq(sr_h5_check_path(long_name, &err), SR_IO);
    cr_expect(strstr(err.text, strerror(ENAMETOOLONG)), "%s", err.text);
    folder_end(folder);
}

/* Of a group whose names are in order it is known that it has no such member; of another one it is not. */
Test(data_h5, what_is_not_there_in_a_group) {
    struct sr_error err = {0};
    struct sr_h5 *f = open_stored("cycle");
    cr_expect_not(sr_h5_has(f, "a/nothing"));
    cr_expect_eq(sr_h5_check(f, &err), 0, "%s", err.text);
    sr_h5_close(f, NULL);
    f = open_stored("names_not_found_inside");
    cr_expect_not(sr_h5_has(f, "about/nothing"));
    cr_expect_eq(sr_h5_check(f, &err), SR_DATA);
    sr_h5_close(f, NULL);
}

/* ---- how a dataset lies in its file ---- */

Test(data_h5, storage) {
    static const struct {
        const char *file, *name, *filters;
        bool packed, filtered;
        uint64_t pieces, unwritten;
    } cases[] = {
        {"filter_lzf", "features", "lzf (HDF5 filter 32000)", true, true, 3, 0},
        {"filter_unnamed", "features", "gzip 4, unnamed (HDF5 filter 400), fletcher32", true, true, 3, 3},
        {"filter_many", "features", "unnamed (HDF5 filter 400), unnamed (HDF5 filter 401), ...", true, true,
         3, 3},
        {"filter_shuffle_label", "label", "shuffle", false, true, 3, 0},
        {"filter_fletcher_old", "features", "fletcher32", false, true, 3, 0},
        {"claim_grid_one_less", "features", "", false, false, 4097, 4096},
        {"claim_rank_6", "other", "", false, false, 12, 12},
        {"cycle", "features", "", false, false, 1, 0},
    };
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        struct sr_h5_storage s;
        struct sr_error err = {0};
        struct sr_h5 *f = open_stored(cases[i].file);
        cr_expect_eq(sr_h5_storage(f, cases[i].name, &s, &err), 0, "%s", err.text);
        cr_expect_str_eq(s.filters, cases[i].filters, "%s", cases[i].file);
        cr_expect(s.packed == cases[i].packed && s.filtered == cases[i].filtered, "%s", cases[i].file);
        cr_expect(s.pieces == cases[i].pieces && s.unwritten == cases[i].unwritten, "%s: %llu of %llu",
                  cases[i].file, (unsigned long long)s.unwritten, (unsigned long long)s.pieces);
        sr_h5_close(f, NULL);
    }
}

/* ---- features ---- */

/* Rows of (8 * row + column - 40) / 16, whatever the form. */
static void expect_rows(const char *file, enum sr_feature type, const char *way) {
    float x[ROWS * WIDTH], y[ROWS * WIDTH];
    struct sr_h5_matrix *m = NULL;
    struct sr_error err = {0};
    struct sr_h5 *f = open_stored(file);
    cr_assert_eq(sr_h5_matrix_open(&m, f, "features", type, &err), 0, "%s", err.text);
    cr_expect_str_eq(sr_h5_matrix_way(m), way, "%s", file);
    cr_assert_eq(sr_h5_matrix_read(m, x, 0, ROWS, SR_FEATURE_FLOAT, &err), 0, "%s", err.text);
    for (size_t i = 0; i < SR_COUNT(x); i++)
        cr_assert_eq(x[i], ((float)i - 40) / 16, "%s: %zu: %g", file, i, (double)x[i]);
    sr_h5_matrix_forget(m);
    sr_h5_matrix_through_hdf5(m);
    cr_assert_eq(sr_h5_matrix_read(m, y, 0, ROWS, SR_FEATURE_FLOAT, &err), 0, "%s", err.text);
    cr_expect_arr_eq(x, y, sizeof x, "%s", file);
    sr_h5_matrix_close(m);
    sr_h5_close(f, NULL);
}

Test(data_h5, features_of_rarer_forms) {
    expect_rows("cycle", SR_FEATURE_HALF, "in one piece");
    expect_rows("filter_gzip", SR_FEATURE_HALF, "by chunks");
    expect_rows("filter_shuffle_of_4", SR_FEATURE_HALF, "through HDF5");
    expect_rows("big_endian", SR_FEATURE_FLOAT, "in one piece");
    expect_rows("big_endian_chunks", SR_FEATURE_FLOAT, "by chunks");
    expect_rows("big_endian_fletcher_first", SR_FEATURE_FLOAT, "through HDF5");
    expect_rows("big_endian_half", SR_FEATURE_HALF, "through HDF5");
}

Test(data_h5, a_matrix_has_two_dimensions_of_its_type) {
    static const struct {
        const char *name;
        enum sr_feature type;
    } bad[] = {{"label", SR_FEATURE_FLOAT}, {"features", SR_FEATURE_HALF}};
    for (size_t i = 0; i < SR_COUNT(bad); i++) {
        struct sr_h5_matrix *m = NULL;
        struct sr_error err = {0};
        struct sr_h5 *f = open_stored("big_endian");
        cr_expect_eq(sr_h5_matrix_open(&m, f, bad[i].name, bad[i].type, &err), SR_DATA);
        cr_expect(strstr(err.text, "has not rows of values of"), "%s", err.text);
        sr_h5_close(f, NULL);
    }
}

/* Whichever worker is the first to fail. */
Test(data_h5, the_first_bad_chunk_is_the_one_that_is_told) {
    struct sr_h5_matrix *m = NULL;
    struct sr_error err = {0};
    struct sr_h5 *f = open_stored("filter_bomblets");
    uint16_t x[ROWS * WIDTH];
    setenv("OMP_NUM_THREADS", "3", 1);
    sr_cpu_threads(3);
    cr_assert_eq(sr_h5_matrix_open(&m, f, "features", SR_FEATURE_HALF, &err), 0, "%s", err.text);
    for (int i = 0; i < 2000; i++) {
        cr_expect_eq(sr_h5_matrix_read(m, x, 0, ROWS, SR_FEATURE_HALF, &err), SR_DATA);
        cr_assert(strstr(err.text, "rows 0 to 3 cannot be read"), "%s", err.text);
    }
    sr_h5_matrix_close(m);
    sr_h5_close(f, NULL);
}

/* Rows of zeros but for the last, in chunks of `band`. */
static void expect_large(size_t rows, size_t band, int gzip, const char *way) {
    const struct sr_h5_layout layout = {
        .type = SR_FEATURE_HALF, .rows = gzip ? rows : SR_H5_GROWS, .width = WIDTH, .gzip = gzip};
    char path[300], *folder = folder_begin();
    uint16_t *x = calloc(rows, WIDTH * sizeof *x);
    struct sr_h5_matrix *m = NULL;
    struct sr_error err = {0};
    struct sr_h5 *f = create_in(path, folder);
    cr_assert_not_null(x);
    x[rows * WIDTH - 1] = 0x3c00;
    cr_assert_eq(sr_h5_write_layout(f, "features", &layout, band, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_rows(f, "features", x, 0, rows, WIDTH, &err), 0, "%s", err.text);
    f = again(f, path);
    cr_assert_eq(sr_h5_matrix_open(&m, f, "features", SR_FEATURE_HALF, &err), 0, "%s", err.text);
    cr_expect_str_eq(sr_h5_matrix_way(m), way, "%zu", rows);
    if (rows < 10000000)
        cr_assert_eq(sr_h5_matrix_read(m, x, rows - 3, 3, SR_FEATURE_HALF, &err), 0, "%s", err.text);
    cr_expect(rows >= 10000000 || (x[0] == 0 && x[3 * WIDTH - 1] == 0x3c00));
    sr_h5_matrix_close(m);
    sr_h5_close(f, NULL);
    free(x);
    folder_end(folder);
}

Test(data_h5, large_chunks_and_many) {
    expect_large(2500000, 2500000, 1, "by chunks");
    expect_large(4500000, 4500000, 1, "through HDF5");
    expect_large(17000000, 17000000, 1, "through HDF5"); /* is not read: that takes 500 MB */
    expect_large(16385, 1, 0, "through HDF5");
}

/* ---- columns ---- */

Test(data_h5, numbers_as_texts) {
    static const int64_t whole[2] = {INT64_MIN, 7};
    static const uint32_t natural[2] = {UINT32_MAX, 0};
    char path[300], **text, *folder = folder_begin();
    struct sr_h5_spelling how;
    struct sr_error err = {0};
    struct sr_h5 *f = create_in(path, folder);
    cr_assert_eq(sr_h5_write_column(f, "a", SR_H5_WRITE_I64, whole, 2, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_column(f, "b", SR_H5_WRITE_U32, natural, 2, &err), 0, "%s", err.text);
    f = again(f, path);
    cr_assert_eq(sr_h5_read_texts(f, "a", &text, 2, &err), 0, "%s", err.text);
    cr_expect(strcmp(text[0], "-9223372036854775808") == 0 && strcmp(text[1], "7") == 0, "%s", text[0]);
    sr_free(text);
    cr_assert_eq(sr_h5_read_texts(f, "b", &text, 2, &err), 0, "%s", err.text);
    cr_expect(strcmp(text[0], "4294967295") == 0 && strcmp(text[1], "0") == 0, "%s", text[0]);
    sr_free(text);
    cr_expect_eq(sr_h5_spelling(&how, f, "a", &err), 0, "%s", err.text);
    cr_expect(how.bytes == 0 && !how.opaque);
    sr_h5_close(f, NULL);
    folder_end(folder);
}

static int take_some(void *user, const double *values, size_t n, struct sr_error *err) {
    (void)err;
    memcpy(user, values, n * sizeof *values);
    return 0;
}

Test(data_h5, enumerations_and_bfloat16) {
    double band[ROWS], all[ROWS];
    int64_t whole[ROWS];
    char **text;
    struct sr_error err = {0};
    struct sr_h5 *f = open_stored("type_enum_and_bfloat");
    cr_assert_eq(sr_h5_read_integers(f, "id", whole, ROWS, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_read_texts(f, "id", &text, ROWS, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_each_double(f, "weight", take_some, band, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_read_doubles(f, "weight", all, ROWS, &err), 0, "%s", err.text);
    for (int i = 0; i < ROWS; i++) {
        cr_expect_eq(whole[i], i % 2);
        cr_expect_str_eq(text[i], i % 2 ? "1" : "0");
        cr_expect(band[i] == i && all[i] == i, "%d: %g", i, band[i]);
    }
    sr_free(text);
    sr_h5_close(f, NULL);
}

/* ---- rows as they are ---- */

Test(data_h5, rows_that_cannot_be_created) {
    char path[300], *folder = folder_begin();
    struct sr_h5_items *old = NULL, *new = NULL;
    struct sr_error err = {0};
    const struct sr_h5_form kept = {0}, wider = {.typed = true, .type = SR_FEATURE_FLOAT};
    struct sr_h5 *from = open_stored("claim_wide_row"), *to = create_in(path, folder);
    cr_assert_eq(sr_h5_items_open(&old, from, "label", &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_items_create(&new, to, "label", old, ROWS, &kept, &err), 0, "%s", err.text);
    sr_h5_items_close(new);
    cr_expect_eq(sr_h5_items_create(&new, to, "label", old, ROWS, &kept, &err), SR_IO);
    cr_expect(strstr(err.text, "/label cannot be created"), "%s", err.text);
    sr_h5_items_close(old);
    cr_assert_eq(sr_h5_items_open(&old, from, "other", &err), 0, "%s", err.text);
    cr_expect_eq(sr_h5_items_create(&new, to, "other", old, 0, &wider, &err), SR_DATA);
    cr_expect(strstr(err.text, "a row is more than memory can address"), "%s", err.text);
    sr_h5_items_close(old);
    sr_h5_close(from, NULL);
    sr_h5_close(to, NULL);
    folder_end(folder);
}

/* Nothing is asked of HDF5. */
Test(data_h5, no_rows_and_rows_of_no_bytes) {
    char path[300], *folder = folder_begin(), rows[ROWS] = {0};
    struct sr_error err = {0};
    const struct sr_h5_form kept = {0};
    struct sr_h5 *from = open_stored("shape_no_width_packed"), *to = create_in(path, folder);
    static const char *const names[] = {"other", "label"};
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        struct sr_h5_items *old = NULL, *new = NULL;
        cr_assert_eq(sr_h5_items_open(&old, from, names[i], &err), 0, "%s", err.text);
        cr_assert_eq(sr_h5_items_create(&new, to, names[i], old, ROWS, &kept, &err), 0, "%s", err.text);
        for (size_t n = 0; n <= ROWS; n += ROWS) {
            cr_expect_eq(sr_h5_items_read(old, rows, 0, n, &err), 0, "%s", err.text);
            cr_expect_eq(sr_h5_items_write(new, rows, 0, n, &err), 0, "%s", err.text);
        }
        sr_h5_items_close(old);
        sr_h5_items_close(new);
    }
    sr_h5_close(from, NULL);
    sr_h5_close(to, NULL);
    folder_end(folder);
}

/* What is read away from here HDF5 cannot copy. */
Test(data_h5, rows_are_not_copied_away_from_here) {
    char path[300];
    struct away a;
    struct sr_h5 *f = NULL;
    struct sr_h5_items *t = NULL;
    struct sr_error err = {0};
    away_begin(&a);
    cr_assert_eq(sr_h5_open(&f, hostile_path(path, "hdf5/cycle.h5"), &err), 0, "%s", err.text);
    cr_expect_eq(sr_h5_items_open(&t, f, "label", &err), SR_USAGE, "%s", err.text);
    sr_h5_close(f, NULL);
    away_end(&a);
}

/* Of a column that is only copied, the strings of one block are not released a second time when the next
 * cannot be read. */
Test(data_h5, strings_are_released_once) {
    char path[300], *folder = folder_begin();
    struct run r = run_program(folder, "data repack %s --out %s/new.h5",
                               hostile_path(path, "hdf5/filter_short_texts_late.h5"), folder);
    cr_expect_eq(r.status, 65, "%d: %s", r.status, r.err);
    cr_expect(strstr(r.err, "/note rows 8192 to 12287 cannot be read"), "%s", r.err);
    run_end(&r);
    folder_end(folder);
}

/* Where all rows are wanted, those in a group are too. */
Test(data_h5, rows_in_a_group) {
    struct sr_h5_members members;
    struct sr_error err = {0};
    struct sr_h5 *f = open_stored("inside_rows");
    cr_expect_eq(sr_h5_members(&members, f, ROWS, true, &err), SR_DATA);
    cr_expect(strstr(err.text, "/about/x has 12 rows as the features have, but lies in a group"), "%s",
              err.text);
    sr_h5_members_free(&members);
    cr_expect_eq(sr_h5_members(&members, f, ROWS + 1, true, &err), 0, "%s", err.text);
    sr_h5_members_free(&members);
    sr_h5_close(f, NULL);
}

/* ---- writing ---- */

Test(data_h5, an_attribute_is_written_once) {
    char path[300], *folder = folder_begin();
    struct sr_error err = {0};
    struct sr_h5 *f = create_in(path, folder);
    cr_expect_eq(sr_h5_write_attribute(f, "/", "note", "a", &err), 0, "%s", err.text);
    cr_expect_eq(sr_h5_write_attribute(f, "/", "note", "b", &err), SR_IO);
    cr_expect(strstr(err.text, "attribute note of / cannot be written"), "%s", err.text);
    sr_h5_close(f, NULL);
    folder_end(folder);
}

/* More collections of strings than there is room for at first, and strings of 5 MB each. */
Test(data_h5, many_strings_and_long_ones) {
    enum { MANY = 600, LONG = 5 << 20 };
    static char text[MANY][9100], *item[MANY];
    char path[300], **out, *folder = folder_begin(), *fixed = calloc(2, LONG);
    struct sr_error err = {0};
    struct sr_h5 *f = create_in(path, folder);
    cr_assert_not_null(fixed);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(item[i] = text[i], sizeof text[i], "%0*zu", (int)(i * i * 7 % 9000) + 5, i);
    }
    memset(fixed, 'a', LONG);
    fixed[LONG] = 'b';
    cr_assert_eq(sr_h5_write_column(f, "id", SR_H5_WRITE_TEXT, item, MANY, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_fixed(f, "group", fixed, 2, LONG, &err), 0, "%s", err.text);
    f = again(f, path);
    cr_assert_eq(sr_h5_read_texts(f, "id", &out, MANY, &err), 0, "%s", err.text);
    for (size_t i = 0; i < MANY; i++)
        cr_assert_str_eq(out[i], item[i]);
    sr_free(out);
    cr_assert_eq(sr_h5_read_texts(f, "group", &out, 2, &err), 0, "%s", err.text);
    cr_expect(strlen(out[0]) == LONG && strcmp(out[1], "b") == 0);
    sr_free(out);
    cr_assert_eq(sr_h5_read_texts(f, "id", &out, 0, &err), 0, "%s", err.text);
    sr_free(out);
    sr_h5_close(f, NULL);
    free(fixed);
    folder_end(folder);
}
