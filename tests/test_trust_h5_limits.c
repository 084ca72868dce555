/* test_trust_h5_limits.c: what HDF5 files may cost and claim, where no stored file can show it: descriptors,
 * files that are large or made here. The stored ones: test_trust_hostile_h5.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_copy.h"
#include "data/h5_ways.h"
#include "tests/failing_memory.h"
#include "tests/hostile.h"

/* ---- descriptors ---- */

Test(h5_limits, a_descriptor_that_cannot_be_looked_at_is_an_error_of_the_system) {
    struct sr_h5 *f = NULL;
    struct sr_error err = {0};
    cr_expect_eq(sr_h5_here_open_descriptor(&f, 1000, "given.h5", &err), SR_IO);
    cr_expect(strstr(err.text, "Bad file descriptor"), "%s", err.text);
}

/* ---- an index that lies ---- */

enum { MANY = 4200 };

/* Of more chunks than are asked for their places, each half as large as it is if one believes the index. */
static struct sr_h5 *open_many(void) {
    char path[300];
    struct sr_h5 *f = NULL;
    struct sr_error err = {0};
    cr_assert_eq(sr_h5_open(&f, hostile_path(path, "hdf5/index_many.h5"), &err), 0, "%s", err.text);
    return f;
}

Test(h5_limits, features_are_right_whatever_size_the_index_tells) {
    static float x[MANY];
    struct sr_h5 *f = open_many();
    struct sr_h5_matrix *m = NULL;
    struct sr_error err = {0};
    cr_assert_eq(sr_h5_matrix_open(&m, f, "features", SR_FEATURE_FLOAT, &err), 0, "%s", err.text);
    cr_expect_str_eq(sr_h5_matrix_way(m), "through HDF5");
    for (size_t first = 0; first < MANY; first += 700)
        cr_assert_eq(sr_h5_matrix_read(m, x + first, first, 700, SR_FEATURE_FLOAT, &err), 0, "%s", err.text);
    for (size_t i = 0; i < MANY; i++)
        cr_assert_eq(x[i], (float)(i + 1), "row %zu: %g", i, (double)x[i]);
    sr_h5_matrix_close(m);
    sr_h5_close(f, NULL);
}

static int expect_labels(void *user, const double *values, size_t n, struct sr_error *err) {
    (void)user;
    (void)err;
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(values[i], (double)(i / 2 % 2), "row %zu: %g", i, values[i]);
    return n == MANY ? 0 : SR_BUG;
}

Test(h5_limits, columns_are_right_whatever_size_the_index_tells) {
    static int64_t label[MANY];
    static unsigned char item[MANY];
    struct sr_h5 *f = open_many();
    struct sr_h5_items *t = NULL;
    struct sr_error err = {0};
    cr_assert_eq(sr_h5_read_integers(f, "label", label, MANY, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_each_double(f, "label", expect_labels, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_items_open(&t, f, "label", &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_items_read(t, item, 0, MANY, &err), 0, "%s", err.text);
    for (size_t i = 0; i < MANY; i++)
        cr_assert(label[i] == (int64_t)(i / 2 % 2) && item[i] == label[i], "row %zu: %lld, %d", i,
                  (long long)label[i], item[i]);
    sr_h5_items_close(t);
    sr_h5_close(f, NULL);
}

/* Nobody has asked where each of so many chunks is: HDF5 finds that one is not there. */
Test(h5_limits, a_chunk_that_only_HDF5_looks_for) {
    static float x[MANY];
    static int64_t label[MANY];
    static double number[MANY];
    static unsigned char item[MANY];
    char path[300];
    struct sr_h5 *f = NULL;
    struct sr_h5_matrix *m = NULL;
    struct sr_h5_items *t = NULL;
    struct sr_error err = {0};
    cr_assert_eq(sr_h5_open(&f, hostile_path(path, "hdf5/index_many_behind.h5"), &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_matrix_open(&m, f, "features", SR_FEATURE_FLOAT, &err), 0, "%s", err.text);
    cr_expect_eq(sr_h5_matrix_read(m, x, 0, MANY, SR_FEATURE_FLOAT, &err), SR_DATA);
    cr_expect_eq(sr_h5_read_integers(f, "label", label, MANY, &err), SR_DATA);
    cr_expect_eq(sr_h5_read_doubles(f, "label", number, MANY, &err), SR_DATA);
    cr_expect_eq(sr_h5_each_double(f, "label", expect_labels, NULL, &err), SR_DATA);
    cr_assert_eq(sr_h5_items_open(&t, f, "label", &err), 0, "%s", err.text);
    cr_expect_eq(sr_h5_items_read(t, item, 0, MANY, &err), SR_DATA);
    sr_h5_items_close(t);
    sr_h5_matrix_close(m);
    sr_h5_close(f, NULL);
}

/* ---- few bytes for many rows ---- */

enum { ROWS = 4096, LONG = 60000, VERY_LONG = 1000003, SHORT = 5 };

static const struct sr_h5_layout one_feature = {.type = SR_FEATURE_HALF, .rows = ROWS, .width = 1, .gzip = 9};

/* Columns that the caller goes on with; a temporary folder's a.h5. */
static struct sr_h5 *dump_begin(char path[300], const char *folder) {
    static uint16_t x[ROWS];
    static uint8_t label[ROWS] = {1};
    struct sr_h5 *f = NULL;
    struct sr_error err = {0};
    snprintf(path, 300, "%s/a.h5", folder);
    cr_assert_eq(sr_h5_create(&f, path, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_layout(f, "features", &one_feature, ROWS, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_rows(f, "features", x, 0, ROWS, 1, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_column(f, "label", SR_H5_WRITE_U8, label, ROWS, &err), 0, "%s", err.text);
    return f;
}

static char *long_text(size_t n) {
    char *text = calloc(1, n + 1);
    cr_assert_not_null(text);
    memset(text, 'A', n);
    return text;
}

static void expect_refusal(const char *folder, const char *command, const char *path, const char *message) {
    struct run r = run_program(folder, "%s %s --out %s/new.h5", command, path, folder);
    cr_expect_eq(r.status, 65, "%s: %d: %s", command, r.status, r.err);
    cr_expect(strstr(r.err, message), "%s: %s", command, r.err);
    run_end(&r);
}

/* A file of 70 KB, whose texts are 245 MB. */
Test(h5_limits, a_long_name_of_many_rows_is_not_written_out) {
    static const uint8_t source[ROWS];
    char path[300], *folder = folder_begin(), *name = long_text(LONG);
    struct sr_error err = {0};
    struct sr_h5 *f = dump_begin(path, folder);
    cr_assert_eq(sr_h5_write_column(f, "source", SR_H5_WRITE_U8, source, ROWS, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_attribute_list(f, "source", "names", (const char *const[]){name}, 1, &err), 0,
                 "%s", err.text);
    sr_h5_close(f, NULL);
    expect_refusal(folder, "data convert", path, "/source: strings come to more than");
    expect_refusal(folder, "data convert --isolate", path, "/source: strings come to more than");
    free(name);
    folder_end(folder);
}

/* ---- many handles of one string ---- */

static uint32_t length_at(const unsigned char *bytes) {
    uint32_t n;
    memcpy(&n, bytes, sizeof n);
    return n;
}

/* n strings, the first of which is very long, lie in a file as handles of 16 bytes that begin with their
 * lengths: all of them become the first's. */
static void share_first(const char *path, size_t n) {
    enum { HANDLE = 16 };
    struct sr_error err = {0};
    void *content;
    size_t size, at = 0;
    cr_assert_eq(sr_file_read(&content, &size, path, (size_t)1 << 26, &err), 0, "%s", err.text);
    unsigned char *bytes = content;
    while (at + n * HANDLE <= size &&
           (length_at(bytes + at) != VERY_LONG || length_at(bytes + at + HANDLE) != SHORT))
        at++;
    cr_assert_leq(at + n * HANDLE, size, "no handles");
    for (size_t i = 1; i < n; i++)
        memcpy(bytes + at + i * HANDLE, bytes + at, HANDLE);
    cr_assert_eq(sr_atomic_file_write(path, content, size, &err), 0, "%s", err.text);
    sr_free(content);
}

/* Texts: the first very long, the others short. */
static char **texts_begin(size_t n) {
    static char few[] = "short";
    char **text = calloc(n, sizeof *text);
    cr_assert_not_null(text);
    text[0] = long_text(VERY_LONG);
    for (size_t i = 1; i < n; i++)
        text[i] = few;
    return text;
}

static void texts_end(char **text) {
    free(text[0]);
    free(text);
}

/* Bands of 1,024 rows are read at a time: 1 GB, if all of it were made. */
Test(h5_limits, strings_are_counted_while_HDF5_makes_them) {
    char path[300], **id = texts_begin(ROWS), **out = NULL, *folder = folder_begin();
    struct sr_error err = {0};
    struct sr_h5 *f = dump_begin(path, folder);
    cr_assert_eq(sr_h5_write_column(f, "id", SR_H5_WRITE_TEXT, id, ROWS, &err), 0, "%s", err.text);
    sr_h5_close(f, NULL);
    share_first(path, ROWS);
    cr_assert_eq(sr_h5_open(&f, path, &err), 0, "%s", err.text);
    hostile_limit_memory();
    cr_expect_eq(sr_h5_read_texts(f, "id", &out, ROWS, &err), SR_DATA, "%s", err.text);
    cr_expect(strstr(err.text, "/id: strings come to more than"), "%s", err.text);
    sr_h5_close(f, NULL);
    texts_end(id);
    folder_end(folder);
}

/* As they are copied. */
Test(h5_limits, strings_of_any_column_are_counted_while_HDF5_makes_them) {
    static char *item[ROWS];
    char path[300], **text = texts_begin(ROWS), *folder = folder_begin();
    struct sr_error err = {0};
    struct sr_h5_items *t = NULL;
    struct sr_h5 *f = dump_begin(path, folder);
    cr_assert_eq(sr_h5_write_column(f, "other", SR_H5_WRITE_TEXT, text, ROWS, &err), 0, "%s", err.text);
    sr_h5_close(f, NULL);
    cr_assert_eq(sr_h5_open(&f, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_items_open(&t, f, "other", &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_items_read(t, item, 0, ROWS, &err), 0, "%s", err.text);
    cr_expect(strlen(item[0]) == VERY_LONG && strcmp(item[ROWS - 1], "short") == 0);
    sr_h5_items_release(t, item, ROWS);
    sr_h5_items_close(t);
    sr_h5_close(f, NULL);
    share_first(path, ROWS);
    cr_assert_eq(sr_h5_open(&f, path, &err), 0, "%s", err.text);
    hostile_limit_memory();
    memset(item, 1, sizeof item);
    memory_begin(0);
    cr_assert_eq(sr_h5_items_open(&t, f, "other", &err), 0, "%s", err.text);
    cr_expect_eq(sr_h5_items_read(t, item, 0, ROWS, &err), SR_DATA, "%s", err.text);
    cr_expect(strstr(err.text, "/other rows 0 to 4095 cannot be read: strings come to more than"), "%s", err.text);
    sr_h5_items_release(t, item, ROWS); /* they point to nothing */
    sr_h5_items_close(t);
    cr_expect_eq(memory_end().live, 0, "strings are left");
    sr_h5_close(f, NULL);
    texts_end(text);
    folder_end(folder);
}

/* Columns that are only copied. */
static void expect_heap(const char *file) {
    static unsigned char item[12 * 64];
    char path[300];
    struct sr_error err = {0};
    struct sr_h5_items *t = NULL;
    struct sr_h5 *f = NULL;
    cr_assert_eq(sr_h5_open(&f, hostile_path(path, file), &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_items_open(&t, f, "other", &err), 0, "%s", err.text);
    cr_assert(12 * sr_h5_items_bytes(t) <= sizeof item);
    cr_expect_eq(sr_h5_items_read(t, item, 0, 12, &err), SR_DATA, "%s: %s", file, err.text);
    cr_expect(strstr(err.text, "/other rows 0 to 11 cannot be read: its values lie in a heap that is damaged"), "%s: %s",
              file, err.text);
    sr_h5_items_release(t, item, 12);
    sr_h5_items_close(t);
    sr_h5_close(f, NULL);
}

Test(h5_limits, a_heap_is_looked_at_before_HDF5_goes_through_it) {
    expect_heap("hdf5/heap_items_strings.h5");
    expect_heap("hdf5/heap_items_lists.h5");
    expect_heap("hdf5/heap_items_pairs.h5");
}

Test(h5_limits, strings_of_a_list_are_counted_before_HDF5_makes_them) {
    enum { NAMES = 1000 };
    char path[300], **name = texts_begin(NAMES), **out = NULL, *folder = folder_begin();
    char other[300], *other_folder = folder_begin();
    size_t n = 0;
    struct sr_error err = {0};
    struct sr_h5 *f = dump_begin(path, folder);
    cr_assert_eq(sr_h5_write_attribute_list(f, "label", "names", (const char *const *)name, NAMES, &err), 0,
                 "%s", err.text);
    sr_h5_close(f, NULL);
    cr_assert_eq(sr_h5_open(&f, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_attribute_list(f, "label", "names", &out, &n, &err), 0, "%s", err.text);
    cr_expect(n == NAMES && strlen(out[0]) == VERY_LONG && strcmp(out[NAMES - 1], "short") == 0);
    sr_free(out);
    sr_h5_close(f, NULL);
    share_first(path, NAMES);
    struct sr_h5 *copy = dump_begin(other, other_folder);
    cr_assert_eq(sr_h5_open(&f, path, &err), 0, "%s", err.text);
    hostile_limit_memory();
    cr_expect_eq(sr_h5_attribute_list(f, "label", "names", &out, &n, &err), SR_DATA, "%s", err.text);
    cr_expect(strstr(err.text, "attribute names of label says that its strings have more than 16 MB"), "%s",
              err.text);
    cr_expect_eq(sr_h5_copy_attributes(copy, f, "label", NULL, &err), SR_DATA, "%s", err.text);
    cr_expect(strstr(err.text, "attribute names of label says that it has more than 64 MB"), "%s", err.text);
    sr_h5_close(copy, NULL);
    sr_h5_close(f, NULL);
    texts_end(name);
    folder_end(folder);
    folder_end(other_folder);
}

/* ---- lists of names ---- */

/* The names of /source of a stored file; NULL: they are no list. */
static void expect_names(const char *file, const char *const *names, size_t n) {
    char path[300], **list;
    size_t count;
    struct sr_h5 *f = NULL;
    struct sr_error err = {0};
    cr_assert_eq(sr_h5_open(&f, hostile_path(path, file), &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_attribute_list(f, "source", "names", &list, &count, &err), 0, "%s", err.text);
    cr_expect_eq(count, n, "%s: %zu names", file, count);
    cr_expect_eq(list != NULL, n > 0, "%s", file);
    for (size_t i = 0; i < n && i < count; i++)
        cr_expect_str_eq(list[i], names[i], "%s", file);
    sr_free(list);
    sr_h5_close(f, NULL);
}

Test(h5_limits, names_end_where_they_end) {
    expect_names("hdf5/attribute_names_fixed.h5", (const char *const[]){"abc", "d", "efg"}, 3);
    expect_names("hdf5/attribute_names_unwritten.h5", (const char *const[]){"", ""}, 2);
    expect_names("hdf5/attribute_names_numbers.h5", NULL, 0);
    expect_names("hdf5/attribute_names_none.h5", NULL, 0);
}

static void expect_copy(const char *file, size_t n, int wanted) {
    char path[300], other[300], *folder = folder_begin(), **list;
    size_t count = 0;
    struct sr_h5 *f = NULL, *to = dump_begin(other, folder);
    struct sr_error err = {0};
    cr_assert_eq(sr_h5_open(&f, hostile_path(path, file), &err), 0, "%s", err.text);
    const int status = sr_h5_copy_attributes_to(to, "label", f, "source", NULL, &err);
    cr_expect_eq(status, wanted, "%s: %d: %s", file, status, err.text);
    if (status == 0) {
        cr_expect_eq(sr_h5_attribute_list(to, "label", "names", &list, &count, &err), 0, "%s", err.text);
        cr_expect_eq(count, n, "%s: %zu names", file, count);
        sr_free(list);
    }
    sr_h5_close(f, NULL);
    sr_h5_close(to, NULL);
    folder_end(folder);
}

Test(h5_limits, names_are_copied_or_not_at_all) {
    expect_copy("hdf5/attribute_names_fixed.h5", 3, 0);
    expect_copy("hdf5/attribute_names_unwritten.h5", 2, 0);
    expect_copy("hdf5/attribute_names_empty.h5", 0, 0);
    expect_copy("hdf5/attribute_names_none.h5", 0, 0);
    expect_copy("hdf5/attribute_names_behind.h5", 0, SR_DATA);
    expect_copy("hdf5/attribute_names_long.h5", 0, SR_DATA);
}

/* In the format in which an attribute may be so large. */
static void expect_long_list(size_t n, bool read) {
    char path[300], newer[300], *folder = folder_begin(), **list;
    const char **name = calloc(n, sizeof *name);
    size_t count;
    struct sr_h5 *f = NULL, *like = NULL;
    struct sr_error err = {0};
    cr_assert_not_null(name);
    for (size_t i = 0; i < n; i++)
        name[i] = "";
    snprintf(path, sizeof path, "%s/a.h5", folder);
    snprintf(newer, sizeof newer, "%s/tests/dumps/checked_gzip.h5", SR_SOURCE_DIR);
    cr_assert_eq(sr_h5_open(&like, newer, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_create_like(&f, path, path, like, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_attribute_list(f, "/", "names", name, n, &err), 0, "%s", err.text);
    sr_h5_close(like, NULL);
    sr_h5_close(f, NULL);
    cr_assert_eq(sr_h5_open(&f, path, &err), 0, "%s", err.text);
    cr_expect_eq(sr_h5_attribute_list(f, "/", "names", &list, &count, &err), 0, "%s", err.text);
    cr_expect_eq(count, read ? n : 0, "%zu names", count);
    sr_free(list);
    sr_h5_close(f, NULL);
    free(name);
    folder_end(folder);
}

Test(h5_limits, a_list_of_names_has_an_end) {
    expect_long_list(SR_H5_LIST_MAX, true);
    expect_long_list(SR_H5_LIST_MAX + 1, false);
}

/* ---- what is shown ---- */

Test(h5_limits, a_line_of_a_strangers_text_is_not_shown_as_one_of_ours) {
    char path[300], *folder = folder_begin();
    struct run r = run_program(folder, "data inspect %s", hostile_path(path, "hdf5/attribute_line.h5"));
    cr_expect_eq(r.status, 0, "%s", r.err);
    cr_expect(strstr(r.out, "a?labels"), "%s", r.out);
    run_end(&r);
    folder_end(folder);
}
