/* test_data_h5_library.c: what is made here with functions of HDF5 that the program does not call: a filter
 * of somebody else, an attribute that is too large, attributes that are shared, an image of its cache,
 * reasons of its own, an index that lies; and a call of it that fails. Declared by hand: <hdf5.h> is included
 * by data/h5*.c alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>

#include "data/h5_copy.h"
#include "tests/hostile.h"

enum { ROWS = 12, WIDTH = 8, CHUNKS = 2100 };

struct filter { /* H5Z_class2_t */
    int version, id;
    unsigned packs, unpacks;
    const char *name;
    const void *can_apply, *set_local;
    size_t (*filter)(unsigned flags, size_t n, const unsigned values[], size_t bytes, size_t *room,
                     void **buffer);
};
int H5Zregister(const void *filter);
int H5Eclear2(int64_t stack);
int H5Epush2(int64_t stack, const char *file, const char *function, unsigned line, int64_t class,
             int64_t major, int64_t minor, const char *format, ...);
extern int64_t H5E_ERR_CLS_g, H5E_IO_g, H5E_READERROR_g, H5T_C_S1_g;
int64_t H5Tcopy(int64_t type);
int H5Tset_size(int64_t type, size_t size);
int H5Tclose(int64_t type);
int64_t H5Screate(int class);
int H5Sclose(int64_t space);
int64_t H5Acreate2(int64_t object, const char *name, int64_t type, int64_t space, int64_t create,
                   int64_t access);
int H5Awrite(int64_t attribute, int64_t type, const void *values);
int H5Aclose(int64_t attribute);
int H5open(void);
extern int64_t H5P_CLS_FILE_CREATE_ID_g, H5P_CLS_FILE_ACCESS_ID_g; /* known behind H5open */
struct image {                                                     /* H5AC_cache_image_config_t */
    int version;
    bool is_made, saves_size;
    int age_out;
};
int H5Pset_mdc_image_config(int64_t access, const struct image *how);
int H5Pset_libver_bounds(int64_t access, int least, int most);
int64_t H5Pcreate(int64_t class);
int H5Pset_shared_mesg_nindexes(int64_t create, unsigned n);
int H5Pset_shared_mesg_index(int64_t create, unsigned index, unsigned kinds, unsigned least);
int H5Pclose(int64_t list);
int64_t H5Fcreate(const char *path, unsigned flags, int64_t create, int64_t access);
int H5Fclose(int64_t file);
int64_t H5Gcreate2(int64_t file, const char *name, int64_t link, int64_t create, int64_t access);
int64_t H5Oopen(int64_t file, const char *name, int64_t access);
int H5Oclose(int64_t object);

/* ---- a filter of somebody else ---- */

static size_t do_nothing(unsigned flags, size_t n, const unsigned values[], size_t bytes, size_t *room,
                         void **buffer) {
    (void)flags;
    (void)n;
    (void)values;
    (void)room;
    (void)buffer;
    return bytes;
}

/* HDF5 reads what goes through one, and it is not looked at before. */
Test(data_h5_library, a_filter_of_somebody_else) {
    static const struct filter nothing = {1, 400, 1, 1, "nothing", NULL, NULL, do_nothing};
    float x[ROWS * WIDTH];
    struct sr_h5_matrix *m = NULL;
    struct sr_error err = {0};
    struct sr_h5 *f = hostile_open("hdf5/filter_other.h5");
    cr_expect_eq(sr_h5_matrix_open(&m, f, "features", SR_FEATURE_HALF, &err), SR_DATA);
    cr_expect(strstr(err.text, "an unnamed filter (HDF5 filter 400)"), "%s", err.text);
    cr_assert_geq(H5Zregister(&nothing), 0);
    cr_assert_eq(sr_h5_matrix_open(&m, f, "features", SR_FEATURE_HALF, &err), 0, "%s", err.text);
    cr_expect_str_eq(sr_h5_matrix_way(m), "through HDF5");
    cr_assert_eq(sr_h5_matrix_read(m, x, 0, ROWS, SR_FEATURE_FLOAT, &err), 0, "%s", err.text);
    for (size_t i = 0; i < SR_COUNT(x); i++)
        cr_assert_eq(x[i], ((float)i - 40) / 16, "%zu: %g", i, (double)x[i]);
    sr_h5_matrix_close(m);
    sr_h5_close(f, NULL);
}

Test(data_h5_library, a_filter_with_a_long_name) {
    struct sr_h5_storage s;
    struct sr_error err = {0};
    struct sr_h5 *f = hostile_open("hdf5/filter_long_name.h5");
    cr_expect_eq(sr_h5_storage(f, "features", &s, &err), 0, "%s", err.text);
    cr_expect_str_eq(s.filters, "...");
    sr_h5_close(f, NULL);
}

/* ---- reasons ---- */

static void expect_reason(const char *said, const char *shown) {
    struct sr_error err = {0};
    sr_h5_lock();
    H5Eclear2(0);
    H5Epush2(0, "f", "g", 1, H5E_ERR_CLS_g, H5E_IO_g, H5E_READERROR_g, "%s", said);
    cr_expect_eq(sr_h5_fail(&err, SR_DATA, "a"), SR_DATA);
    sr_h5_unlock();
    cr_expect_str_eq(err.text, shown);
}

Test(data_h5_library, reasons_tell_no_addresses) {
    expect_reason("ran off the end", "a (HDF5: ran off the end)");
    expect_reason("ran off the end: current p = 0x5601, size 4", "a (HDF5: ran off the end)");
    expect_reason("0x5601 is not mapped", "a (HDF5: )");
}

/* ---- attributes ---- */

/* Of all NULs. */
static void add_text(int64_t object, const char *name, size_t bytes) {
    char *value = calloc(1, bytes);
    const int64_t type = H5Tcopy(H5T_C_S1_g), space = H5Screate(0);
    H5Tset_size(type, bytes);
    const int64_t attribute = H5Acreate2(object, name, type, space, 0, 0);
    cr_assert(value && attribute >= 0 && H5Awrite(attribute, type, value) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    free(value);
}

Test(data_h5_library, a_text_of_17_MB) {
    char path[300], newer[300], *folder = folder_begin(), *read;
    struct sr_h5 *f = NULL, *like = NULL;
    struct sr_error err = {0};
    snprintf(path, sizeof path, "%s/a.h5", folder);
    snprintf(newer, sizeof newer, "%s/tests/dumps/checked_gzip.h5", SR_SOURCE_DIR);
    cr_assert_eq(sr_h5_open(&like, newer, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_create_like(&f, path, path, like, &err), 0, "%s", err.text);
    const int64_t root = H5Oopen(f->id, "/", 0);
    add_text(root, "note", (size_t)17 << 20);
    H5Oclose(root);
    sr_h5_close(like, NULL);
    cr_assert_eq(sr_h5_close(f, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_open(&f, path, &err), 0, "%s", err.text);
    cr_expect_eq(sr_h5_attribute(f, "/", "note", &read, &err), SR_DATA);
    cr_expect(strstr(err.text, "attribute note of / says that its strings have more than 16 MB"), "%s",
              err.text);
    sr_h5_close(f, NULL);
    folder_end(folder);
}

static int members_of(const struct sr_h5 *f, struct sr_error *err) {
    struct sr_h5_members members;
    const int status = sr_h5_members(&members, f, ROWS, false, err);
    sr_h5_members_free(&members);
    return status;
}

/* What their messages have is a place in the file's heap, no name and no type. HDF5 does not copy them right.
 */
Test(data_h5_library, attributes_that_a_file_keeps_once) {
    enum { SHARED_ATTRIBUTES = 1 << 12, LEAST = 16, OVERWRITE = 2 };
    char path[300], *folder = folder_begin(), *read = NULL;
    struct sr_h5 *f = NULL;
    struct sr_error err = {0};
    snprintf(path, sizeof path, "%s/a.h5", folder);
    cr_assert(H5open() >= 0);
    const int64_t create = H5Pcreate(H5P_CLS_FILE_CREATE_ID_g);
    cr_assert(H5Pset_shared_mesg_nindexes(create, 1) >= 0 &&
              H5Pset_shared_mesg_index(create, 0, SHARED_ATTRIBUTES, LEAST) >= 0);
    const int64_t file = H5Fcreate(path, OVERWRITE, create, 0);
    cr_assert_geq(file, 0);
    for (const char *name = "ab"; *name; name++) {
        const int64_t group = H5Gcreate2(file, (const char[]){*name, '\0'}, 0, 0, 0);
        add_text(group, "note", 1000);
        H5Oclose(group);
    }
    H5Pclose(create);
    cr_assert(H5Fclose(file) >= 0);
    cr_assert_eq(sr_h5_open(&f, path, &err), 0, "%s", err.text);
    cr_expect_eq(sr_h5_attribute(f, "b", "note", &read, &err), 0, "%s", err.text);
    cr_expect(read && !*read);
    sr_free(read);
    cr_expect_eq(members_of(f, &err), SR_DATA);
    cr_expect(strstr(err.text, "its objects share messages"), "%s", err.text);
    sr_h5_close(f, NULL);
    folder_end(folder);
}

static bool lost; /* HDF5 finds no chunk */

int H5Dget_chunk_info_by_coord(int64_t dataset, const uint64_t *row, unsigned *mask, uint64_t *place,
                               uint64_t *bytes);
int H5Dget_chunk_info_by_coord(int64_t dataset, const uint64_t *row, unsigned *mask, uint64_t *place,
                               uint64_t *bytes) {
    static int (*next)(int64_t, const uint64_t *, unsigned *, uint64_t *, uint64_t *);
    if (!next)
        next = (int (*)(int64_t, const uint64_t *, unsigned *, uint64_t *, uint64_t *))(uintptr_t)dlsym(
            RTLD_NEXT, "H5Dget_chunk_info_by_coord");
    return lost && row[0] == 1000 ? -1 : next(dataset, row, mask, place, bytes);
}

/* ---- an image of the cache ---- */

/* HDF5 takes headers from it, not from where they are looked at. */
Test(data_h5_library, headers_in_an_image_of_the_cache) {
    enum { LATEST = 2, OVERWRITE = 2 };
    static const struct image how = {1, true, false, -1};
    char path[300], *folder = folder_begin();
    struct sr_h5 *f = NULL;
    struct sr_error err = {0};
    snprintf(path, sizeof path, "%s/a.h5", folder);
    cr_assert(H5open() >= 0);
    const int64_t access = H5Pcreate(H5P_CLS_FILE_ACCESS_ID_g);
    cr_assert(H5Pset_libver_bounds(access, LATEST, LATEST) >= 0 &&
              H5Pset_mdc_image_config(access, &how) >= 0);
    const int64_t file = H5Fcreate(path, OVERWRITE, 0, access), group = H5Gcreate2(file, "a", 0, 0, 0);
    add_text(group, "note", 100);
    H5Oclose(group);
    H5Pclose(access);
    cr_assert(H5Fclose(file) >= 0);
    cr_expect_eq(sr_h5_open(&f, path, &err), SR_DATA);
    cr_expect(strstr(err.text, "a.h5: HDF5 takes its headers from an image of a cache"), "%s", err.text);
    folder_end(folder);
}

/* ---- an index that lies, of more chunks than are asked for their places ---- */

/* In the file's index the key of the chunk of row 1000: its bytes, a mask, its first row and column, a 0;
 * then its place. */
static unsigned char *key_of(unsigned char *bytes, size_t size) {
    const uint64_t wanted[3] = {1000, 0, 0};
    for (size_t at = 8; at + 32 <= size; at++)
        if (memcmp(bytes + at, wanted, sizeof wanted) == 0 && memcmp(bytes + at - 4, "\0\0\0\0", 4) == 0 &&
            bytes[at - 8] > 0)
            return bytes + at - 8;
    cr_assert_fail("no key");
    return NULL;
}

static void expect_lie(int gzip, size_t field, uint64_t value, size_t n, const char *wrong) {
    static uint16_t x[CHUNKS * WIDTH];
    const struct sr_h5_layout layout = {
        .type = SR_FEATURE_HALF, .rows = SR_H5_GROWS, .width = WIDTH, .gzip = gzip};
    char path[300], *folder = folder_begin();
    void *content;
    size_t size;
    struct sr_h5_matrix *m = NULL;
    struct sr_h5 *f = NULL;
    struct sr_error err = {0};
    snprintf(path, sizeof path, "%s/a.h5", folder);
    cr_assert_eq(sr_h5_create(&f, path, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_layout(f, "features", &layout, 1, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_rows(f, "features", x, 0, CHUNKS, WIDTH, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_close(f, &err), 0, "%s", err.text);
    cr_assert_eq(sr_file_read(&content, &size, path, (size_t)1 << 26, &err), 0, "%s", err.text);
    memcpy(key_of(content, size) + field, &value, n);
    cr_assert_eq(sr_atomic_file_write(path, content, size, &err), 0, "%s", err.text);
    sr_free(content);
    cr_assert_eq(sr_h5_open(&f, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_matrix_open(&m, f, "features", SR_FEATURE_HALF, &err), 0, "%s", err.text);
    cr_expect_str_eq(sr_h5_matrix_way(m), "by chunks");
    cr_expect_eq(sr_h5_matrix_read(m, x, 0, CHUNKS, SR_FEATURE_HALF, &err), SR_DATA, "%s: %s", wrong,
                 err.text);
    cr_expect(strstr(err.text, "rows 1000 to 1000 cannot be read") && strstr(err.text, wrong), "%s: %s",
              wrong, err.text);
    sr_h5_matrix_close(m);
    sr_h5_close(f, NULL);
    folder_end(folder);
}

Test(data_h5_library, an_index_of_many_chunks_that_lies) {
    enum { SIZE = 0, ROW = 8, PLACE = 32 };
    expect_lie(0, SIZE, 15, 4, "a chunk has another size than its rows");
    expect_lie(0, ROW, 1 << 20, 8, "a chunk has another size than its rows");
    expect_lie(0, PLACE, 0, 8, "a chunk is not found");
    expect_lie(0, PLACE, UINT64_MAX, 8, "a chunk is not found");
    expect_lie(0, PLACE, (uint64_t)1 << 40, 8, "a chunk lies behind its end");
    expect_lie(1, PLACE, UINT64_MAX - 9, 8, "HDF5 cannot read a chunk");
    lost = true;
    expect_lie(0, PLACE, 0, 0, "a chunk is not found");
    lost = false;
}

/* ---- a call that fails ---- */

/* The call that fails, counted from 1; 0: none does any more. */
static size_t refused /* of H5Fget_create_plist */, unsized /* of H5Tget_size */,
    unlisted /* of H5Aiterate2 */;

int64_t H5Fget_create_plist(int64_t file);
int64_t H5Fget_create_plist(int64_t file) {
    static int64_t (*next)(int64_t);
    if (!next)
        next = (int64_t(*)(int64_t))(uintptr_t)dlsym(RTLD_NEXT, "H5Fget_create_plist");
    return refused > 0 && --refused == 0 ? -1 : next(file);
}

size_t H5Tget_size(int64_t type);
size_t H5Tget_size(int64_t type) {
    static size_t (*next)(int64_t);
    if (!next)
        next = (size_t(*)(int64_t))(uintptr_t)dlsym(RTLD_NEXT, "H5Tget_size");
    return unsized > 0 && --unsized == 0 ? 0 : next(type);
}

int H5Aiterate2(int64_t object, int by, int order, uint64_t *n, void *visit, void *user);
int H5Aiterate2(int64_t object, int by, int order, uint64_t *n, void *visit, void *user) {
    static int (*next)(int64_t, int, int, uint64_t *, void *, void *);
    if (!next)
        next = (int (*)(int64_t, int, int, uint64_t *, void *, void *))(uintptr_t)dlsym(RTLD_NEXT,
                                                                                        "H5Aiterate2");
    return unlisted > 0 && --unlisted == 0 ? -1 : next(object, by, order, n, visit, user);
}

static struct sr_h5 *open_dump(const char *name, int status, const char *words) {
    char path[300];
    struct sr_h5 *f = NULL;
    struct sr_error err = {0};
    snprintf(path, sizeof path, "%s/tests/dumps/%s", SR_SOURCE_DIR, name);
    cr_assert_eq(sr_h5_open(&f, path, &err), status, "%s", err.text);
    cr_assert(strstr(err.text, words), "%s", err.text);
    return f;
}

/* Whichever call fails, ids are right or there is an error; and calls do fail. */
static void expect_texts(size_t *call, const char *dump, const char *first) {
    char **id;
    size_t failures = 0;
    struct sr_error err = {0};
    *call = 0;
    struct sr_h5 *f = open_dump(dump, 0, "");
    for (size_t nth = 1; *call == 0; nth++) {
        *call = nth;
        const int status = sr_h5_read_texts(f, "id", &id, ROWS, &err);
        failures += status < 0;
        cr_expect(status == SR_DATA || (status == 0 && strcmp(id[0], first) == 0), "%zu: %d: %s", nth, status,
                  err.text);
        if (status == 0)
            sr_free(id);
    }
    *call = 0;
    cr_expect_gt(failures, 0);
    sr_h5_close(f, NULL);
}

/* Where HDF5 does not tell how wide a file's numbers are, those are not looked at: no file is opened, nothing
 * in one that is open is trusted, and what is read is right. */
Test(data_h5_library, numbers_of_an_unknown_size) {
    enum { MANY = 48, WIDE = 10 };
    float x[MANY * WIDE], right[MANY * WIDE] = {0};
    size_t failures = 0;
    struct sr_error err = {0};
    refused = 1;
    cr_expect_null(
        open_dump("full.h5", SR_DATA, "full.h5: places or sizes in this file have more than 8 bytes"));

    struct sr_h5 *f = open_dump("checked_gzip.h5", 0, "");
    for (size_t nth = 0; refused == 0; nth++) {
        struct sr_h5_matrix *m = NULL;
        refused = nth;
        int status = sr_h5_matrix_open(&m, f, "features", SR_FEATURE_HALF, &err);
        if (status == 0)
            status = sr_h5_matrix_read(m, nth > 0 ? x : right, 0, MANY, SR_FEATURE_FLOAT, &err);
        sr_h5_matrix_close(m);
        failures += status < 0;
        cr_expect(status == SR_DATA || (status == 0 && (nth == 0 || memcmp(x, right, sizeof x) == 0)),
                  "%zu: %d: %s", nth, status, err.text);
    }
    cr_expect_gt(failures, 0);
    sr_h5_close(f, NULL);

    expect_texts(&refused, "full.h5", "row-00");
}

/* Bands of rows are as many of them as so many bytes hold. */
Test(data_h5_library, texts_of_an_unknown_size) {
    expect_texts(&unsized, "full_other_sources.h5", "80808080808080808080808080808080");
}

static int names_of(const struct sr_h5 *f, struct sr_error *err) {
    char **names;
    size_t n;
    const int status = sr_h5_attribute_names(f, "/", &names, &n, err);
    if (status == 0)
        sr_free(names);
    return status;
}

/* Whichever call fails, there is an answer or an error that says so; at least so many calls are errors. */
static void expect_errors(size_t *call, struct sr_h5 *f,
                          int (*ask)(const struct sr_h5 *f, struct sr_error *err), size_t least,
                          const char *word) {
    size_t failures = 0;
    *call = 0;
    for (size_t nth = 1; *call == 0; nth++) {
        struct sr_error err = {0};
        *call = nth;
        const int status = ask(f, &err);
        failures += status < 0;
        cr_expect(status == 0 || (status == SR_DATA && strstr(err.text, word)), "%zu: %d: %s", nth, status,
                  err.text);
    }
    *call = 0;
    cr_expect_geq(failures, least);
    sr_h5_close(f, NULL);
}

/* Four walks each: what attributes there are is not told by halves. */
Test(data_h5_library, attributes_that_cannot_be_listed) {
    expect_errors(&unlisted, open_dump("full.h5", 0, ""), names_of, 4, "cannot be listed");
    expect_errors(&unlisted, open_dump("full.h5", 0, ""), members_of, 4, "cannot be listed");
}

/* Strings in a dataset of other rows are counted a row at least at a time. */
Test(data_h5_library, strings_of_an_unknown_size) {
    expect_errors(&unsized, hostile_open("hdf5/heap_latest.h5"), members_of, 1, "");
}
