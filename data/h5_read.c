/* h5_read.c: columns, whole or a band at a time. See h5.h.
 *
 * HDF5 converts them to one type; only 16-bit floats are converted by ourselves. Bands need a chunk cache
 * that holds a chunk, else each band would unpack it again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#include "data/h5.h"
#include "data/h5_rows.h"
#include "data/h5_sound.h"
#include "data/h5_ways.h"
#include "nn/base/sizes.h"

#define COLUMN_BAND ((size_t)65536) /* rows of a column at a time */

static void swap_bytes(uint16_t *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = (uint16_t)(x[i] << 8 | x[i] >> 8);
}

static bool is_big_endian(hid_t type) {
    return H5Tget_order(type) == H5T_ORDER_BE;
}

/* ---- columns ---- */

/* With all its chunks looked at: a handle, or a negative status. */
static hid_t open_column(const struct sr_h5 *f, const char *name, struct sr_error *err) {
    char where[SR_H5_WHERE];
    const hid_t dataset = sr_h5_open_values(f, name, err);
    const int status = dataset < 0 ? 0 : sr_h5_sound_whole(dataset, sr_h5_where(where, f, name), err);
    if (status < 0)
        H5Dclose(dataset);
    return status < 0 ? status : dataset;
}

static int read_column(const struct sr_h5 *f, const char *name, hid_t dataset, hid_t type, void *out,
                       size_t rows, struct sr_error *err) {
    if (!sr_h5_read_rows(dataset, type, H5P_DEFAULT, out, 0, rows))
        return sr_h5_fail(err, SR_DATA, "%s: /%s cannot be read", f->path, name);
    return 0;
}

int sr_h5_here_read_integers(const struct sr_h5 *f, const char *name, int64_t *out, size_t rows,
                             struct sr_error *err) {
    sr_h5_lock();
    const hid_t dataset = open_column(f, name, err);
    int status = (int)dataset;
    if (dataset >= 0) {
        const hid_t type = H5Dget_type(dataset);
        const bool has_sign = H5Tget_class(type) == H5T_ENUM || H5Tget_sign(type) == H5T_SGN_2;
        status =
            read_column(f, name, dataset, has_sign ? H5T_NATIVE_INT64 : H5T_NATIVE_UINT64, out, rows, err);
        H5Tclose(type);
        H5Dclose(dataset);
    }
    sr_h5_unlock();
    return status;
}

/* raw may be swapped in place. */
static void halves_to_doubles(double *out, uint16_t *raw, size_t n, enum sr_h5_kind kind, bool swap) {
    if (swap)
        swap_bytes(raw, n);
    for (size_t i = 0; i < n; i++) {
        float value;
        sr_feature_to_float(&value, raw + i, 1, kind == SR_H5_HALF ? SR_FEATURE_HALF : SR_FEATURE_BFLOAT);
        out[i] = (double)value;
    }
}

static int read_halves(const struct sr_h5 *f, const char *name, hid_t dataset, double *out, size_t rows,
                       enum sr_h5_kind kind, struct sr_error *err) {
    uint16_t *raw = sr_alloc(rows, sizeof *raw, err);
    if (!raw)
        return SR_NOMEM;
    hid_t type = H5Dget_type(dataset);
    int status = read_column(f, name, dataset, type, raw, rows, err);
    halves_to_doubles(out, raw, rows, kind, is_big_endian(type));
    H5Tclose(type);
    sr_free(raw);
    return status;
}

int sr_h5_here_read_doubles(const struct sr_h5 *f, const char *name, double *out, size_t rows,
                            struct sr_error *err) {
    struct sr_h5_info info;
    int status;
    sr_h5_lock();
    status = sr_h5_info(f, name, &info, err);
    const hid_t dataset = status < 0 ? status : open_column(f, name, err);
    if (dataset >= 0) {
        if (info.kind == SR_H5_HALF || info.kind == SR_H5_BFLOAT)
            status = read_halves(f, name, dataset, out, rows, info.kind, err);
        else
            status = read_column(f, name, dataset, H5T_NATIVE_DOUBLE, out, rows, err);
        H5Dclose(dataset);
    } else {
        status = (int)dataset;
    }
    sr_h5_unlock();
    return status;
}

/* ---- columns by bands ---- */

struct bands {
    hid_t dataset, type; /* type: of memory; the file's own for 16-bit values */
    enum sr_h5_kind kind;
    hsize_t rows;
    double *values; /* [COLUMN_BAND] */
    uint16_t *raw;  /* [COLUMN_BAND], of 16-bit values */
};

int64_t sr_h5_open_column(const struct sr_h5 *f, const char *name, struct sr_error *err) {
    const hid_t dataset = open_column(f, name, err);
    return dataset < 0 ? dataset : sr_h5_reopen_cached(f, name, dataset, 1, err);
}

static int open_bands(struct bands *b, const struct sr_h5 *f, const char *name, struct sr_error *err) {
    struct sr_h5_info info;
    const int status = sr_h5_info(f, name, &info, err);
    if (status < 0)
        return status;
    b->kind = info.kind;
    b->rows = info.shape[0];
    b->dataset = sr_h5_open_column(f, name, err);
    if (b->dataset < 0)
        return (int)b->dataset;
    const bool is_half = info.kind == SR_H5_HALF || info.kind == SR_H5_BFLOAT;
    b->type = is_half ? H5Dget_type(b->dataset) : H5Tcopy(H5T_NATIVE_DOUBLE);
    b->values = sr_alloc(COLUMN_BAND, sizeof *b->values, err);
    b->raw = sr_alloc(is_half ? COLUMN_BAND : 0, sizeof *b->raw, err);
    return b->values && b->raw ? 0 : SR_NOMEM;
}

static void close_bands(struct bands *b) {
    if (b->type >= 0)
        H5Tclose(b->type);
    if (b->dataset >= 0)
        H5Dclose(b->dataset);
    sr_free(b->values);
    sr_free(b->raw);
}

static int read_band(struct bands *b, const struct sr_h5 *f, const char *name, hsize_t first, hsize_t n,
                     struct sr_error *err) {
    const bool is_half = b->kind == SR_H5_HALF || b->kind == SR_H5_BFLOAT;
    void *out = is_half ? (void *)b->raw : (void *)b->values;
    if (!sr_h5_read_rows(b->dataset, b->type, H5P_DEFAULT, out, first, n))
        return sr_h5_fail(err, SR_DATA, "%s: /%s cannot be read", f->path, name);
    if (is_half)
        halves_to_doubles(b->values, b->raw, (size_t)n, b->kind, is_big_endian(b->type));
    return 0;
}

int sr_h5_here_each_double(const struct sr_h5 *f, const char *name,
                           int (*take)(void *user, const double *values, size_t n, struct sr_error *err),
                           void *user, struct sr_error *err) {
    struct bands b = {.dataset = -1, .type = -1};
    sr_h5_lock();
    int status = open_bands(&b, f, name, err);
    for (hsize_t first = 0; status == 0 && first < b.rows; first += COLUMN_BAND) {
        const hsize_t left = b.rows - first, n = left < COLUMN_BAND ? left : COLUMN_BAND;
        status = read_band(&b, f, name, first, n, err);
        if (status == 0)
            status = take(user, b.values, (size_t)n, err);
    }
    close_bands(&b);
    sr_h5_unlock();
    return status;
}
