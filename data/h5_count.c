/* h5_count.c: strings and lists of variable length counted before they are made. See h5_count.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_count.h"

#include <hdf5.h>
#include <string.h>

#include "data/h5.h"
#include "data/h5_rows.h"
#include "data/h5_ways.h"
#include "nn/base/sizes.h"

#define BAND ((uint64_t)16 << 20) /* bytes of rows at a time that are only looked at */

/* In place of HDF5's own conversion, which goes to the heap of the file that a handle names, and takes as
 * much memory as the length of one string tells before it asks for more. A conversion has no argument of its
 * own; it runs under the lock. */
static struct {
    struct sr_h5_collections *collections;
    uint64_t bytes;
    struct sr_error why;
} counted;

static bool is_list(hid_t type) {
    return H5Tis_variable_str(type) > 0 || H5Tget_class(type) == H5T_VLEN;
}

/* Bytes of a piece of a list, or 0: its pieces are lists, whose handles lie in the heap themselves. */
static size_t unit_of(hid_t list) {
    const hid_t piece = H5Tget_super(list);
    const size_t unit = H5Tis_variable_str(list) > 0 ? 1 : sr_h5_is_variable(piece) ? 0 : H5Tget_size(piece);
    H5Tclose(piece);
    return unit;
}

static void count_handle(const unsigned char *handle, size_t unit) {
    const uint64_t pieces = sr_little_endian(handle, 4);
    counted.bytes = sr_size_sum(counted.bytes, sr_size_times(pieces, unit));
    if (counted.why.status < 0)
        return;
    if (unit == 0)
        sr_fail(&counted.why, SR_DATA, "it holds lists of strings or of lists");
    else
        sr_h5_collections_check(counted.collections, handle, unit, &counted.why);
}

static herr_t count_lists(hid_t from, hid_t to, H5T_cdata_t *how, size_t n, size_t stride, size_t skip,
                          void *values, void *background, hid_t transfer) {
    (void)skip;
    (void)background;
    (void)transfer;
    if (how->command == H5T_CONV_INIT)
        return is_list(from) && is_list(to) ? 0 : -1;
    if (how->command != H5T_CONV_CONV)
        return 0;
    const size_t unit = unit_of(from),
                 handle = stride ? stride : sr_h5_collections_handle(counted.collections),
                 made = H5Tget_class(to) == H5T_VLEN ? sizeof(hvl_t) : sizeof(char *);
    for (size_t i = 0; i < n; i++)
        count_handle((const unsigned char *)values + i * handle, unit);
    for (size_t i = 0; i < n; i++) /* no strings */
        memset((unsigned char *)values + i * (stride ? stride : made), 0, made);
    return 0;
}

static bool begin(struct sr_h5_collections *c) {
    const hid_t any = H5Tvlen_create(H5T_NATIVE_CHAR);
    counted.collections = c;
    counted.bytes = 0;
    counted.why = (struct sr_error){0};
    const bool begun = H5Tregister(H5T_PERS_SOFT, "lengths of strings", any, any, count_lists) >= 0;
    H5Tclose(any);
    return begun;
}

/* read: HDF5 has; else it has said why not. */
static int end(bool read, uint64_t *bytes, struct sr_error *why) {
    struct sr_error of_hdf5 = {0};
    if (!read)
        sr_h5_fail(&of_hdf5, SR_DATA, "the file may be damaged");
    H5Tunregister(H5T_PERS_SOFT, "lengths of strings", -1, -1, count_lists);
    *bytes = counted.bytes;
    *why = counted.why.status < 0 ? counted.why : of_hdf5;
    return why->status;
}

int sr_h5_count_rows(struct sr_h5_collections *c, int64_t dataset, int64_t type, void *values, uint64_t first,
                     uint64_t n, uint64_t *bytes, struct sr_error *why) {
    return end(begin(c) && sr_h5_read_rows(dataset, type, H5P_DEFAULT, values, first, n), bytes, why);
}

int sr_h5_count_attribute(int64_t attribute, int64_t type, void *values, uint64_t *bytes,
                          struct sr_error *why) {
    struct sr_h5_collections *c;
    int status = sr_h5_collections_open(&c, attribute, why);
    if (status < 0)
        return status;
    status = end(begin(c) && H5Aread(attribute, type, values) >= 0, bytes, why);
    sr_h5_collections_close(c);
    return status;
}

int sr_h5_count_fill(int64_t dataset, struct sr_error *why) {
    struct sr_h5_collections *c;
    uint64_t bytes;
    const hid_t type = H5Dget_type(dataset);
    const bool variable = sr_h5_is_variable(type);
    H5Tclose(type);
    int status = variable ? sr_h5_collections_open(&c, dataset, why) : 0;
    if (status < 0 || !variable)
        return status;
    const hid_t list = begin(c) ? H5Dget_create_plist(dataset) : H5I_INVALID_HID;
    status = end(list >= 0, &bytes, why);
    if (list >= 0)
        H5Pclose(list);
    sr_h5_collections_close(c);
    return status;
}

/* ---- whole objects ---- */

/* Bytes of the points of a space, or of a row of them, in memory; false: none, or more than can be addressed.
 */
static bool bytes_of(uint64_t *bytes, hid_t type, hid_t space, bool row) {
    hsize_t shape[H5S_MAX_RANK];
    const int rank = H5Sget_simple_extent_dims(space, shape, NULL);
    *bytes = H5Tget_size(type);
    for (int i = row ? 1 : 0; i < rank; i++)
        if (!sr_size_mul(bytes, *bytes, shape[i]))
            return false;
    return rank >= 0 && *bytes > 0;
}

static int whole_attribute(hid_t attribute, hid_t type, hid_t space, struct sr_error *why) {
    uint64_t bytes;
    if (!bytes_of(&bytes, type, space, false))
        return sr_fail(why, SR_DATA, "it has no shape that memory could hold; the file may be damaged");
    void *values = sr_alloc(bytes, 1, why);
    const int status = values ? sr_h5_count_attribute(attribute, type, values, &bytes, why) : SR_NOMEM;
    sr_free(values);
    return status;
}

/* In bands; without axes it is one row. */
static int whole_dataset(hid_t dataset, hid_t type, hid_t space, struct sr_error *why) {
    uint64_t row, bytes;
    hsize_t shape[H5S_MAX_RANK] = {1};
    struct sr_h5_collections *c = NULL;
    if (!bytes_of(&row, type, space, true))
        return sr_fail(why, SR_DATA, "it has no shape that memory could hold; the file may be damaged");
    H5Sget_simple_extent_dims(space, shape, NULL);
    const hsize_t rows = shape[0], fit = BAND / row + 1, band = fit < rows ? fit : rows;
    void *values = sr_alloc(band, row, why);
    int status = values ? sr_h5_collections_open(&c, dataset, why) : SR_NOMEM;
    for (hsize_t first = 0; first < rows && status == 0; first += band)
        status = sr_h5_count_rows(c, dataset, type, values, first, rows - first < band ? rows - first : band,
                                  &bytes, why);
    sr_h5_collections_close(c);
    sr_free(values);
    return status;
}

int sr_h5_count_whole(int64_t object, const char *where, struct sr_error *err) {
    struct sr_error why = {0};
    const bool attribute = H5Iget_type(object) == H5I_ATTR;
    const hid_t stored = attribute ? H5Aget_type(object) : H5Dget_type(object),
                space = attribute ? H5Aget_space(object) : H5Dget_space(object),
                type = H5Tcopy(stored); /* a named type is one of its file only */
    const bool holds = sr_h5_is_variable(type) && H5Sget_simple_extent_npoints(space) > 0;
    const int status = !holds      ? 0
                       : attribute ? whole_attribute(object, type, space, &why)
                                   : whole_dataset(object, type, space, &why);
    H5Tclose(type);
    H5Sclose(space);
    H5Tclose(stored);
    return status < 0 ? sr_fail(err, status, "%s cannot be read: %s", where, why.text) : 0;
}
