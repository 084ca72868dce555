/* test_data_items.c: rows of a dataset as they are, and columns by bands: what is refused before HDF5 reads
 * it, and how a new dataset is laid out. The stored files are those of test_trust_hostile_h5.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/copy.h"
#include "data/h5_copy.h"
#include "tests/dump_fixture.h"
#include "tests/failing_memory.h"
#include "tests/hostile.h"

enum { ROWS = 12, WIDTH = 8 };

static struct sr_h5 *create_new(char path[64]) {
    struct sr_h5 *f;
    struct sr_error err = {0};
    snprintf(path, 64, "/tmp/sr_test_items_%d.h5", (int)getpid());
    cr_assert_eq(sr_h5_create(&f, path, path, &err), 0, "%s", err.text);
    return f;
}

/* ---- what is refused ---- */

Test(data_items, rows_that_cannot_be) {
    static const struct {
        const char *file, *name, *word;
    } bad[] = {{"hdf5/shape_scalar.h5", "features", "has no rows"},
               {"hdf5/claim_row.h5", "other", "a row is more than memory can address"},
               {"hdf5/filter_edges.h5", "label", "leaves filters out for chunks at its edges"},
               {"hdf5/filter_twice.h5", "features", "goes through the HDF5 filter 1 twice"}};
    for (size_t i = 0; i < SR_COUNT(bad); i++) {
        struct sr_h5 *f = hostile_open(bad[i].file);
        struct sr_h5_items *t = NULL;
        struct sr_error err = {0};
        cr_expect_eq(sr_h5_items_open(&t, f, bad[i].name, &err), SR_DATA, "%s", bad[i].file);
        cr_expect(strstr(err.text, bad[i].word), "%s: %s", bad[i].file, err.text);
        sr_h5_close(f, NULL);
    }
}

static int take_none(void *user, const double *values, size_t n, struct sr_error *err) {
    (void)user;
    (void)values;
    (void)n;
    (void)err;
    return 0;
}

/* Of these HDF5 would take what lies behind the bytes that there are. */
Test(data_items, chunks_are_looked_at) {
    static const struct {
        const char *file, *name;
        bool numbers;
    } bad[] = {{"hdf5/filter_short_label.h5", "label", true},
               {"hdf5/filter_short_id.h5", "id", false},
               {"hdf5/filter_bomblet.h5", "features", false}};
    for (size_t i = 0; i < SR_COUNT(bad); i++) {
        static unsigned char rows[ROWS * WIDTH * 2];
        struct sr_h5 *f = hostile_open(bad[i].file);
        struct sr_h5_items *t = NULL;
        struct sr_error err = {0};
        cr_assert_eq(sr_h5_items_open(&t, f, bad[i].name, &err), 0, "%s: %s", bad[i].file, err.text);
        cr_expect_eq(sr_h5_items_read(t, rows, 0, ROWS, &err), SR_DATA, "%s", bad[i].file);
        cr_expect(strstr(err.text, "rows 4 to 7 cannot be read") && strstr(err.text, "cannot be unpacked"),
                  "%s: %s", bad[i].file, err.text);
        err = (struct sr_error){0};
        if (bad[i].numbers) {
            cr_expect_eq(sr_h5_each_double(f, bad[i].name, take_none, NULL, &err), SR_DATA);
            cr_expect(strstr(err.text, "cannot be unpacked"), "%s: %s", bad[i].file, err.text);
        }
        sr_h5_items_close(t);
        sr_h5_close(f, NULL);
    }
}

/* ---- bands ---- */

static int take_labels(void *user, const double *values, size_t n, struct sr_error *err) {
    (void)err;
    memcpy(user, values, n * sizeof *values);
    return 0;
}

Test(data_items, bands_of_the_other_order_of_bytes) {
    char text[2048];
    struct sr_h5 *f;
    struct sr_h5_info info;
    struct sr_error err = {0};
    double whole[1000], band[1000];
    cr_assert_eq(sr_h5_open(&f, fixture_paths(text, "label_half_big_endian"), &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_info(f, "label", &info, &err), 0, "%s", err.text);
    const size_t n = (size_t)info.shape[0];
    cr_assert(n > 0 && n <= SR_COUNT(whole) && info.kind == SR_H5_HALF);
    cr_assert_eq(sr_h5_read_doubles(f, "label", whole, n, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_each_double(f, "label", take_labels, band, &err), 0, "%s", err.text);
    cr_expect_arr_eq(whole, band, n * sizeof *whole);
    sr_h5_close(f, NULL);
}

/* ---- how rows are laid out ---- */

struct piece {
    size_t first, n;
};

static void write_pieces(struct sr_h5_items *to, const uint16_t *x, const struct piece *piece) {
    struct sr_error err = {0};
    for (; piece->n > 0; piece++)
        cr_assert_eq(sr_h5_items_write(to, x + piece->first * WIDTH, piece->first, piece->n, &err), 0, "%s",
                     err.text);
}

static void read_all(uint16_t x[ROWS * WIDTH], const struct sr_h5 *f) {
    struct sr_h5_items *t;
    struct sr_error err = {0};
    cr_assert_eq(sr_h5_items_open(&t, f, "features", &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_items_read(t, x, 0, ROWS, &err), 0, "%s", err.text);
    sr_h5_items_close(t);
}

/* Chunks of 4 rows are packed here where all of them is there, by HDF5 where not. */
Test(data_items, rows_may_come_in_any_pieces) {
    static const struct piece pieces[][5] = {{{0, 12}},
                                             {{0, 2}, {2, 10}},
                                             {{0, 4}, {4, 2}, {6, 6}},
                                             {{0, 4}, {4, 4}, {8, 3}, {11, 1}},
                                             {{8, 4}, {6, 2}, {4, 2}, {0, 4}}};
    uint16_t x[ROWS * WIDTH], y[ROWS * WIDTH];
    char path[64];
    struct sr_error err = {0};
    struct sr_h5 *from = hostile_open("hdf5/filter_fletcher_gzip.h5");
    read_all(x, from);
    for (size_t i = 0; i < SR_COUNT(pieces); i++) {
        struct sr_h5_items *old, *new;
        struct sr_h5 *to = create_new(path);
        const struct sr_h5_form form = {.laid_out = true, .gzip = 4, .band = 4};
        cr_assert_eq(sr_h5_items_open(&old, from, "features", &err), 0, "%s", err.text);
        cr_assert_eq(sr_h5_items_create(&new, to, "features", old, ROWS, &form, &err), 0, "%s", err.text);
        write_pieces(new, x, pieces[i]);
        sr_h5_items_close(new);
        sr_h5_items_close(old);
        sr_h5_close(to, NULL);
        cr_assert_eq(sr_h5_open(&to, path, &err), 0, "%s", err.text);
        read_all(y, to);
        cr_expect_arr_eq(x, y, sizeof x, "case %zu", i);
        sr_h5_close(to, NULL);
    }
    sr_h5_close(from, NULL);
    unlink(path);
}

Test(data_items, rows_are_alike_in_type_and_shape) {
    static const struct {
        const char *file, *name;
        bool alike;
    } others[] = {{"hdf5/type_committed.h5", "features", true},
                  {"hdf5/type_16_bits.h5", "features", false},
                  {"hdf5/shape_rank_1.h5", "features", false},
                  {"hdf5/shape_rank_3.h5", "features", false},
                  {"hdf5/shape_no_width.h5", "features", false}};
    struct sr_error err = {0};
    struct sr_h5 *f = hostile_open("hdf5/shape_resized.h5");
    struct sr_h5_items *t, *other;
    cr_assert_eq(sr_h5_items_open(&t, f, "features", &err), 0, "%s", err.text);
    for (size_t i = 0; i < SR_COUNT(others); i++) {
        struct sr_h5 *g = hostile_open(others[i].file);
        cr_assert_eq(sr_h5_items_open(&other, g, others[i].name, &err), 0, "%s", err.text);
        cr_expect_eq(sr_h5_items_alike(t, other), others[i].alike, "%s", others[i].file);
        cr_expect_eq(sr_h5_items_alike(other, t), others[i].alike, "%s", others[i].file);
        sr_h5_items_close(other);
        sr_h5_close(g, NULL);
    }
    sr_h5_items_close(t);
    sr_h5_close(f, NULL);
}

/* There is nothing to pack, and no chunk may have a side of 0. */
Test(data_items, rows_of_no_bytes) {
    char path[64];
    struct sr_error err = {0};
    struct sr_h5_items *old, *new;
    struct sr_h5 *from = hostile_open("hdf5/shape_no_width.h5"), *to = create_new(path);
    const struct sr_h5_form form = {.laid_out = true, .gzip = 4, .band = 4};
    cr_assert_eq(sr_h5_items_open(&old, from, "features", &err), 0, "%s", err.text);
    cr_expect_eq(sr_h5_items_create(&new, to, "features", old, ROWS, &form, &err), 0, "%s", err.text);
    sr_h5_items_close(new);
    sr_h5_items_close(old);
    sr_h5_close(to, NULL);
    sr_h5_close(from, NULL);
    unlink(path);
}

/* The first n rows, and what the dataset's filters have become. */
static void expect_filters(const char *file, const char *name, size_t n, const char *filters) {
    static const uint32_t rows[ROWS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    const struct sr_copy how = {
        .features = "features", .type = SR_CONVERT_KEEP, .gzip = SR_H5_GZIP_KEEP, .rows = rows, .n = n};
    char path[64];
    struct sr_error err = {0};
    struct sr_h5_storage s = {0};
    struct sr_h5 *from = hostile_open(file), *to = create_new(path);
    cr_expect_eq(sr_copy_rows(to, from, &how, NULL, NULL, &err), 0, "%s: %s", file, err.text);
    cr_expect_eq(sr_h5_storage(to, name, &s, &err), 0, "%s: %s", file, err.text);
    cr_expect_str_eq(s.filters, filters, "%s", file);
    sr_h5_close(to, NULL);
    sr_h5_close(from, NULL);
    unlink(path);
}

Test(data_items, compression_is_kept) {
    expect_filters("hdf5/filter_fletcher_gzip.h5", "features", ROWS, "shuffle, gzip 4");
    expect_filters("hdf5/filter_gzip_77.h5", "features", ROWS, "shuffle, gzip 1");
    expect_filters("hdf5/filter_gzip_no_level.h5", "features", ROWS, "shuffle, gzip 1");
    expect_filters("hdf5/shape_no_width_packed.h5", "other", ROWS, "gzip 4");
    expect_filters("hdf5/filter_fletcher_first.h5", "label", ROWS, "fletcher32, shuffle, gzip 4");
    expect_filters("hdf5/filter_fletcher_first.h5", "label", 2, "fletcher32, shuffle, gzip 4");
}

/* HDF5 would note when. */
Test(data_items, the_same_rows_are_the_same_bytes) {
    void *bytes[2];
    size_t size[2];
    struct sr_error err = {0};
    for (int i = 0; i < 2; i++) {
        char path[64];
        struct sr_h5 *from = hostile_open("hdf5/filter_fletcher_first.h5"), *to = create_new(path);
        const struct sr_copy how = {.features = "features", .type = SR_CONVERT_KEEP};
        cr_assert_eq(sr_copy_rows(to, from, &how, NULL, NULL, &err), 0, "%s", err.text);
        sr_h5_close(to, NULL);
        sr_h5_close(from, NULL);
        cr_assert_eq(sr_file_read(&bytes[i], &size[i], path, (size_t)1 << 20, &err), 0, "%s", err.text);
        unlink(path);
        if (i == 0)
            usleep(1100000);
    }
    cr_expect(size[0] == size[1] && memcmp(bytes[0], bytes[1], size[0]) == 0);
    sr_free(bytes[0]);
    sr_free(bytes[1]);
}

/* Strings of variable length are HDF5's until they are released, also of rows that are picked. */
static void expect_released(const char *file, const uint32_t *rows, size_t n) {
    char path[64], **old, **new;
    struct sr_error err = {0};
    const struct sr_copy how = {.features = "features", .type = SR_CONVERT_KEEP, .rows = rows, .n = n};
    struct sr_h5 *from, *to = create_new(path);
    cr_assert_eq(sr_h5_open(&from, file, &err), 0, "%s", err.text);
    memory_begin(0);
    cr_expect_eq(sr_copy_rows(to, from, &how, NULL, NULL, &err), 0, "%s", err.text);
    const struct memory_report r = memory_end();
    cr_expect_eq(r.live, 0, "%zu blocks are left, the first of %zu bytes", r.live, r.first_bytes);
    cr_assert_eq(sr_h5_read_texts(from, "id", &old, n, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_read_texts(to, "id", &new, n, &err), 0, "%s", err.text);
    for (size_t i = 0; i < n; i++)
        cr_expect_str_eq(new[i], old[rows ? rows[i] : i]);
    sr_free(old);
    sr_free(new);
    sr_h5_close(to, NULL);
    sr_h5_close(from, NULL);
    unlink(path);
}

Test(data_items, strings_are_released) {
    char file[2048];
    struct sr_h5 *f;
    struct sr_h5_info info;
    static uint32_t backwards[1000];
    struct sr_error err = {0};
    cr_assert_eq(sr_h5_open(&f, fixture_paths(file, "full"), &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_info(f, "id", &info, &err), 0, "%s", err.text);
    const size_t n = (size_t)info.shape[0];
    cr_assert(n > 1 && n <= SR_COUNT(backwards) && info.kind == SR_H5_TEXT);
    for (size_t i = 0; i < n; i++)
        backwards[i] = (uint32_t)(n - 1 - i);
    expect_released(file, NULL, n);
    expect_released(file, backwards, n);
    sr_h5_close(f, NULL);
}
