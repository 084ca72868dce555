/* h5_everything.h: all that can be asked of a small HDF5 file, one thing after the other, and a number that
 * tells whether the answers were the same. For tests in which one call of the system fails.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_H5_EVERYTHING_H
#define SR_TEST_H5_EVERYTHING_H

#include <criterion/criterion.h>

#include "data/h5_copy.h"
#include "data/h5_ways.h"
#include "tests/hostile.h"

struct everything {
    struct sr_h5 *file;
    uint64_t answers; /* a hash */
    struct sr_error *err;
};

static inline void everything_note(struct everything *e, const void *bytes, size_t n) {
    const unsigned char *at = bytes;
    for (size_t i = 0; i < n; i++)
        e->answers = (e->answers ^ at[i]) * UINT64_C(0x100000001B3);
}

/* The first two thirds of the rows, then the last two: a strip of chunks is kept, and read again. */
static inline int everything_matrix(struct everything *e, const struct sr_h5_info *info) {
    const enum sr_feature type = info->kind == SR_H5_HALF ? SR_FEATURE_HALF : SR_FEATURE_FLOAT;
    const size_t rows = (size_t)info->shape[0], width = (size_t)info->shape[1], some = rows - rows / 3;
    static float x[1 << 16];
    struct sr_h5_matrix *m = NULL;
    cr_assert_leq(rows * width, SR_COUNT(x));
    int status = sr_h5_matrix_open(&m, e->file, "features", type, e->err);
    if (status < 0)
        return status;
    status = sr_h5_matrix_read(m, x, 0, some, SR_FEATURE_FLOAT, e->err);
    if (status == 0) {
        everything_note(e, x, some * width * sizeof *x);
        status = sr_h5_matrix_read(m, x, rows - some, some, SR_FEATURE_FLOAT, e->err);
    }
    if (status == 0)
        everything_note(e, x, some * width * sizeof *x);
    sr_h5_matrix_forget(m);
    sr_h5_matrix_close(m);
    return status;
}

static inline int everything_take(void *user, const double *values, size_t n, struct sr_error *err) {
    (void)err;
    everything_note(user, values, n * sizeof *values);
    return 0;
}

static inline int everything_texts(struct everything *e, const char *name, size_t rows) {
    struct sr_h5_spelling how;
    char **text;
    int status = sr_h5_spelling(&how, e->file, name, e->err);
    if (status == 0)
        status = sr_h5_read_texts(e->file, name, &text, rows, e->err);
    if (status < 0)
        return status;
    for (size_t i = 0; i < rows; i++)
        everything_note(e, text[i], strlen(text[i]) + 1);
    sr_free(text);
    return 0;
}

static inline int everything_numbers(struct everything *e, const char *name, size_t rows) {
    static double fraction[4200];
    static int64_t whole[4200];
    cr_assert_leq(rows, SR_COUNT(whole));
    int status = sr_h5_each_double(e->file, name, everything_take, e, e->err);
    if (status == 0)
        status = sr_h5_read_doubles(e->file, name, fraction, rows, e->err);
    if (status == 0)
        status = sr_h5_read_integers(e->file, name, whole, rows, e->err);
    if (status == 0)
        everything_note(e, fraction, rows * sizeof *fraction);
    if (status == 0)
        everything_note(e, whole, rows * sizeof *whole);
    return status;
}

static inline int everything_items(struct everything *e, const char *name, size_t rows) {
    static void *item[1 << 16];
    struct sr_h5_items *t = NULL;
    int status = sr_h5_items_open(&t, e->file, name, e->err);
    if (status < 0)
        return status;
    cr_assert_leq(rows * sr_h5_items_bytes(t), sizeof item);
    memset(item, 0, sizeof item);
    status = sr_h5_items_read(t, item, 0, rows, e->err);
    if (status == 0 && !sr_h5_items_own(t))
        everything_note(e, item, rows * sr_h5_items_bytes(t));
    sr_h5_items_release(t, item, rows);
    sr_h5_items_close(t);
    return status;
}

/* A member of the root, if it is a dataset. */
static inline int everything_member(struct everything *e, const char *name, bool by_rows) {
    struct sr_h5_info info;
    struct sr_h5_storage storage;
    if (!by_rows)
        return 0;
    int status = sr_h5_info(e->file, name, &info, e->err);
    if (status == 0)
        status = sr_h5_storage(e->file, name, &storage, e->err);
    if (status == 0)
        everything_note(e, storage.filters, strlen(storage.filters));
    const size_t rows = (size_t)info.shape[0];
    if (status == 0 && info.rank == 2)
        status = everything_matrix(e, &info);
    if (status == 0 && info.rank == 1 && info.kind <= SR_H5_INTEGER)
        status = everything_numbers(e, name, rows);
    if (status == 0 && info.rank == 1 && info.kind >= SR_H5_INTEGER && info.kind != SR_H5_OTHER)
        status = everything_texts(e, name, rows);
    return status < 0 ? status : everything_items(e, name, rows);
}

static inline int everything_attributes(struct everything *e) {
    char *value = NULL, **list = NULL;
    size_t n = 0;
    int status = sr_h5_attribute(e->file, "/", "feature_model", &value, e->err);
    if (status == 0 && value)
        everything_note(e, value, strlen(value));
    if (status == 0)
        status = sr_h5_attribute_list(e->file, "source", "names", &list, &n, e->err);
    for (size_t i = 0; i < n && list; i++)
        everything_note(e, list[i], strlen(list[i]));
    sr_free(value);
    sr_free(list);
    return status;
}

static inline int everything_inside(struct everything *e) {
    struct sr_h5_members members;
    struct sr_h5_info info;
    char text[400];
    int status = sr_h5_info(e->file, "features", &info, e->err);
    if (status < 0)
        return status;
    status = sr_h5_members(&members, e->file, (size_t)info.shape[0], false, e->err);
    for (size_t i = 0; i < members.n && status == 0; i++)
        status = everything_member(e, members.item[i].name, members.item[i].by_rows);
    sr_h5_members_free(&members);
    if (status == 0)
        status = everything_attributes(e);
    sr_h5_list(e->file, text, sizeof text); /* as much as can be told */
    cr_expect(status < 0 || strstr(text, "features"), "%s", text);
    return status;
}

/* path: a file of hostile.h or another one. */
static inline int everything_of(uint64_t *answers, const char *path, struct sr_error *err) {
    struct everything e = {.answers = 1, .err = err};
    int status = sr_h5_here_open(&e.file, path, err);
    if (status < 0)
        return status;
    status = sr_h5_settle(e.file, everything_inside(&e), err);
    sr_h5_close(e.file, NULL);
    *answers = e.answers;
    return status;
}

/* Read in every way there is. */
static const char *const everything_files[] = {"hdf5/heap_many.h5",
                                               "hdf5/heap_lists.h5",
                                               "hdf5/heap_user_block.h5",
                                               "hdf5/attribute_names_fixed.h5",
                                               "hdf5/filter_fletcher_gzip.h5",
                                               "hdf5/filter_fletcher_first.h5",
                                               "hdf5/filter_pairs.h5",
                                               "hdf5/filter_texts_inside.h5",
                                               "hdf5/shape_resized.h5",
                                               "hdf5/header_new_of_pieces.h5"};

#endif
