/* h5_write.c: columns and features into a new HDF5 file. See h5.h.
 *
 * Everything is contiguous: features of a network hardly compress, and a contiguous file is read at memory
 * speed. The caller writes to a temporary file and renames it.
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

static hid_t column_type(enum sr_h5_type type) {
    switch (type) {
    case SR_H5_WRITE_U8:
        return H5Tcopy(H5T_NATIVE_UINT8);
    case SR_H5_WRITE_U32:
        return H5Tcopy(H5T_NATIVE_UINT32);
    case SR_H5_WRITE_I64:
        return H5Tcopy(H5T_NATIVE_INT64);
    case SR_H5_WRITE_F32:
        return H5Tcopy(H5T_NATIVE_FLOAT);
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

/* IEEE binary16, little-endian, as h5py writes numpy.float16. */
static hid_t half_type(void) {
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(type, 15, 10, 5, 0, 10);
    H5Tset_size(type, 2);
    H5Tset_ebias(type, 15);
    return type;
}

int sr_h5_write_matrix(const struct sr_h5 *f, const char *name, size_t rows, size_t width,
                       struct sr_error *err) {
    int status = 0;
    hsize_t shape[2] = {rows, width};
    sr_h5_lock();
    hid_t type = half_type();
    hid_t space = H5Screate_simple(2, shape, NULL);
    hid_t create = creation_list();
    H5Pset_fill_time(create, H5D_FILL_TIME_NEVER); /* every row is written, so filling would write twice */
    hid_t dataset = H5Dcreate2(f->id, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    if (dataset < 0)
        status = sr_h5_fail(err, SR_IO, "%s: /%s [%zu, %zu] cannot be created", f->path, name, rows, width);
    else
        H5Dclose(dataset);
    H5Pclose(create);
    H5Sclose(space);
    H5Tclose(type);
    sr_h5_unlock();
    return status;
}

int sr_h5_write_rows(const struct sr_h5 *f, const char *name, const uint16_t *half, size_t first, size_t rows,
                     size_t width, struct sr_error *err) {
    int status = 0;
    hsize_t start[2] = {first, 0}, count[2] = {rows, width};
    sr_h5_lock();
    hid_t dataset = H5Dopen2(f->id, name, H5P_DEFAULT);
    hid_t type = H5Dget_type(dataset);
    hid_t target = H5Dget_space(dataset);
    hid_t source = H5Screate_simple(2, count, NULL);
    if (H5Sselect_hyperslab(target, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
        H5Dwrite(dataset, type, source, target, H5P_DEFAULT, half) < 0)
        status = sr_h5_fail(err, SR_IO, "%s: /%s rows %zu to %zu cannot be written; is the disk full?",
                            f->path, name, first, first + rows - 1);
    H5Sclose(source);
    H5Sclose(target);
    H5Tclose(type);
    H5Dclose(dataset);
    sr_h5_unlock();
    return status;
}
