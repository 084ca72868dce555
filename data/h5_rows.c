/* h5_rows.c: see h5_rows.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <hdf5.h>

#include "data/h5_rows.h"
#include "nn/base/sizes.h"

struct rows {
    hid_t dataset, space, type, transfer;
    int rank;
    hsize_t shape[H5S_MAX_RANK];
    uint64_t at_once; /* rows: whole chunks */
    size_t bytes;     /* a row in memory, which the caller has room for */
};

static uint64_t rows_at_once(const struct rows *r) {
    hsize_t chunk[H5S_MAX_RANK] = {0};
    const hid_t create = H5Dget_create_plist(r->dataset);
    const bool chunked =
        H5Pget_layout(create) == H5D_CHUNKED && H5Pget_chunk(create, H5S_MAX_RANK, chunk) == r->rank;
    uint64_t strip = 1; /* chunks side by side */
    for (int i = 1; chunked && i < r->rank; i++)
        strip = sr_size_times(strip, sr_size_pieces(r->shape[i], chunk[i]));
    H5Pclose(create);
    if (!chunked)
        return UINT64_MAX;
    return sr_size_times(chunk[0], strip < SR_H5_STRIP_CHUNKS ? SR_H5_STRIP_CHUNKS / strip : 1);
}

/* HDF5 forgets why it has not read as soon as it is asked for something else. */
static bool close_space(hid_t space, bool read) {
    const hid_t why = read ? H5I_INVALID_HID : H5Eget_current_stack();
    H5Sclose(space);
    if (!read)
        H5Eset_current_stack(why); /* and closes it */
    return read;
}

/* One selection. */
static bool read_some(const struct rows *r, void *out, uint64_t first, uint64_t n) {
    hsize_t start[H5S_MAX_RANK] = {first}, count[H5S_MAX_RANK];
    for (int i = 0; i < r->rank; i++)
        count[i] = i == 0 ? n : r->shape[i];
    const hid_t memory = H5Screate_simple(r->rank, count, NULL);
    const bool read = H5Sselect_hyperslab(r->space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
                      H5Dread(r->dataset, r->type, memory, r->space, r->transfer, out) >= 0;
    return close_space(memory, read);
}

static bool read_all(struct rows *r, unsigned char *out, uint64_t first, uint64_t n) {
    if (r->rank == 0)
        return H5Dread(r->dataset, r->type, H5S_ALL, H5S_ALL, r->transfer, out) >= 0;
    r->at_once = rows_at_once(r);
    r->bytes = H5Tget_size(r->type);
    for (int i = 1; i < r->rank; i++)
        r->bytes = sr_size_times(r->bytes, r->shape[i]);
    for (uint64_t done = 0; done < n;) {
        const uint64_t left = n - done, whole = r->at_once - (first + done) % r->at_once,
                       some = left < whole ? left : whole;
        if (!read_some(r, out + done * r->bytes, first + done, some))
            return false;
        done += some;
    }
    return true;
}

bool sr_h5_read_rows(int64_t dataset, int64_t type, int64_t transfer, void *out, uint64_t first, uint64_t n) {
    struct rows r = {.dataset = dataset, .space = H5Dget_space(dataset), .type = type, .transfer = transfer};
    r.rank = H5Sget_simple_extent_dims(r.space, r.shape, NULL);
    const bool read = r.rank >= 0 && read_all(&r, out, first, n);
    return close_space(r.space, read);
}
