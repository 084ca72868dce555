/* h5_write.c: columns and features into a new HDF5 file. See h5.h.
 *
 * Everything whose size is known is contiguous, unless it is to be compressed: features of a network hardly
 * compress, and a contiguous file is read at memory speed. The caller writes to a temporary file and renames
 * it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <hdf5.h>

#include "data/h5.h"

/* Without HDF5's times of change, so that the same rows are the same bytes whenever they are written. */
static hid_t creation_list(void) {
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(list, false);
    return list;
}

static int write_whole(const struct sr_h5 *f, const char *name, hid_t type, const void *items, size_t rows,
                       struct sr_error *err) {
    int status = 0;
    hsize_t shape = rows;
    hid_t space = H5Screate_simple(1, &shape, NULL);
    hid_t create = creation_list();
    hid_t dataset = H5Dcreate2(f->id, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    if (dataset < 0 || H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, items) < 0)
        status = sr_h5_fail(err, SR_IO, "%s: /%s cannot be written", f->path, name);
    if (dataset >= 0)
        H5Dclose(dataset);
    H5Pclose(create);
    H5Sclose(space);
    return status;
}

static hid_t string_type(size_t size) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    if (size == H5T_VARIABLE)
        H5Tset_cset(type, H5T_CSET_UTF8);
    else
        H5Tset_strpad(type, H5T_STR_NULLPAD);
    return type;
}

/* A float of 16 bits, little-endian: IEEE binary16 as h5py writes numpy.float16, or bfloat16. The fields fit
 * into 16 bits before the size shrinks to them. */
static hid_t float16_type(size_t exponent, size_t mantissa, size_t bias) {
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(type, 15, mantissa, exponent, 0, mantissa);
    H5Tset_size(type, 2);
    H5Tset_ebias(type, bias);
    return type;
}

static hid_t half_type(void) {
    return float16_type(5, 10, 15);
}

static hid_t bfloat_type(void) {
    return float16_type(8, 7, 127);
}

static hid_t column_type(enum sr_h5_type type) {
    switch (type) {
    case SR_H5_WRITE_U8:
        return H5Tcopy(H5T_NATIVE_UINT8);
    case SR_H5_WRITE_I8:
        return H5Tcopy(H5T_NATIVE_INT8);
    case SR_H5_WRITE_U32:
        return H5Tcopy(H5T_NATIVE_UINT32);
    case SR_H5_WRITE_I64:
        return H5Tcopy(H5T_NATIVE_INT64);
    case SR_H5_WRITE_HALF:
        return half_type();
    case SR_H5_WRITE_BFLOAT:
        return bfloat_type();
    case SR_H5_WRITE_F32:
        return H5Tcopy(H5T_NATIVE_FLOAT);
    case SR_H5_WRITE_F64:
        return H5Tcopy(H5T_NATIVE_DOUBLE);
    case SR_H5_WRITE_TEXT:
        break;
    }
    return string_type(H5T_VARIABLE);
}

int sr_h5_write_column(const struct sr_h5 *f, const char *name, enum sr_h5_type type, const void *items,
                       size_t rows, struct sr_error *err) {
    sr_h5_lock();
    hid_t stored = column_type(type);
    int status = write_whole(f, name, stored, items, rows, err);
    H5Tclose(stored);
    sr_h5_unlock();
    return status;
}

int sr_h5_write_fixed(const struct sr_h5 *f, const char *name, const char *items, size_t rows, size_t size,
                      struct sr_error *err) {
    sr_h5_lock();
    hid_t type = string_type(size);
    int status = write_whole(f, name, type, items, rows, err);
    H5Tclose(type);
    sr_h5_unlock();
    return status;
}

hid_t sr_h5_feature_type(enum sr_feature type) {
    return type == SR_FEATURE_HALF     ? half_type()
           : type == SR_FEATURE_BFLOAT ? bfloat_type()
                                       : H5Tcopy(H5T_IEEE_F32LE);
}

/* Bytes of a value that change alike are put together first (shuffle), without which floats do not compress.
 */
static hid_t matrix_list(const struct sr_h5_layout *layout, size_t band) {
    const hsize_t chunk[2] = {band < layout->rows ? band : layout->rows, layout->width};
    hid_t list = creation_list();
    H5Pset_fill_time(list, H5D_FILL_TIME_NEVER); /* every row is written, so filling would write twice */
    if (layout->rows != SR_H5_GROWS && layout->gzip == 0)
        return list;
    H5Pset_chunk(list, 2, chunk);
    if (layout->gzip > 0) {
        H5Pset_shuffle(list);
        H5Pset_deflate(list, (unsigned)layout->gzip);
    }
    return list;
}

int sr_h5_write_layout(const struct sr_h5 *f, const char *name, const struct sr_h5_layout *layout,
                       size_t band, struct sr_error *err) {
    int status = 0;
    const bool grows = layout->rows == SR_H5_GROWS;
    const hsize_t shape[2] = {grows ? 0 : layout->rows, layout->width};
    const hsize_t most[2] = {grows ? H5S_UNLIMITED : layout->rows, layout->width};
    sr_h5_lock();
    hid_t type = sr_h5_feature_type(layout->type);
    hid_t space = H5Screate_simple(2, shape, most);
    hid_t create = matrix_list(layout, band);
    hid_t dataset = H5Dcreate2(f->id, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    if (dataset < 0)
        status = sr_h5_fail(err, SR_IO, "%s: /%s [%llu, %zu] cannot be created", f->path, name,
                            (unsigned long long)shape[0], layout->width);
    else
        H5Dclose(dataset);
    H5Pclose(create);
    H5Sclose(space);
    H5Tclose(type);
    sr_h5_unlock();
    return status;
}

int sr_h5_write_matrix(const struct sr_h5 *f, const char *name, size_t rows, size_t width,
                       struct sr_error *err) {
    const struct sr_h5_layout layout = {.type = SR_FEATURE_HALF, .rows = rows, .width = width};
    return sr_h5_write_layout(f, name, &layout, 0, err);
}

/* The space of a dataset, which has `rows` rows afterwards if it had fewer. */
static hid_t grown_space(hid_t dataset, hsize_t rows) {
    hsize_t shape[2];
    hid_t space = H5Dget_space(dataset);
    H5Sget_simple_extent_dims(space, shape, NULL);
    if (rows <= shape[0])
        return space;
    shape[0] = rows;
    H5Dset_extent(dataset, shape);
    H5Sclose(space);
    return H5Dget_space(dataset);
}

int sr_h5_write_rows(const struct sr_h5 *f, const char *name, const void *values, size_t first, size_t rows,
                     size_t width, struct sr_error *err) {
    int status = 0;
    hsize_t start[2] = {first, 0}, count[2] = {rows, width};
    sr_h5_lock();
    hid_t dataset = H5Dopen2(f->id, name, H5P_DEFAULT);
    hid_t type = H5Dget_type(dataset);
    hid_t target = grown_space(dataset, first + rows);
    hid_t source = H5Screate_simple(2, count, NULL);
    if (H5Sselect_hyperslab(target, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
        H5Dwrite(dataset, type, source, target, H5P_DEFAULT, values) < 0)
        status = sr_h5_fail(err, SR_IO, "%s: /%s rows %zu to %zu cannot be written; is the disk full?",
                            f->path, name, first, first + rows - 1);
    H5Sclose(source);
    H5Sclose(target);
    H5Tclose(type);
    H5Dclose(dataset);
    sr_h5_unlock();
    return status;
}
