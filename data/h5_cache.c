/* h5_cache.c: HDF5's chunk cache, for datasets that pay for it. See h5.h.
 *
 * Files are opened without a chunk cache. HDF5 brings each chunk of a dataset with filters through one all
 * the same, but a chunk without filters only where the cache could hold it, and then it reads as many bytes
 * as the file's index says into a buffer of just that size, from which it takes a whole chunk. Without a
 * cache it reads the rows that are wanted from where they are. So only what goes through filters gets one,
 * large enough that reading on unpacks each chunk once.
 *
 * SPDX-License-Identifier: MIT
 */
#include <hdf5.h>

#include "data/h5.h"
#include "data/h5_pipeline.h"
#include "nn/base/sizes.h"

#define SLOTS 12289 /* a prime, far above the chunks held */

/* Bytes of the chunks that hold one row, cut at 2^64 - 1; 0 for a dataset without packed chunks. */
static uint64_t strip_bytes(hid_t dataset) {
    hsize_t chunk[H5S_MAX_RANK] = {0}, shape[H5S_MAX_RANK] = {0};
    const hid_t create = H5Dget_create_plist(dataset), space = H5Dget_space(dataset),
                type = H5Dget_type(dataset);
    const int rank = H5Sget_simple_extent_dims(space, shape, NULL);
    uint64_t bytes = 0;
    const struct sr_h5_pipeline p = sr_h5_pipeline(create);
    if (p.n > 0 && H5Pget_chunk(create, H5S_MAX_RANK, chunk) == rank) {
        bytes = sr_h5_item_bytes(dataset);
        bytes = bytes ? bytes : 2 * H5Tget_size(type); /* handles are larger in the file */
        bytes = sr_size_times(bytes, chunk[0]);
        for (int i = 1; i < rank; i++)
            bytes = sr_size_times(bytes, sr_size_times(sr_size_pieces(shape[i], chunk[i]), chunk[i]));
    }
    H5Tclose(type);
    H5Sclose(space);
    H5Pclose(create);
    return bytes;
}

int64_t sr_h5_reopen_cached(const struct sr_h5 *f, const char *name, int64_t dataset, unsigned strips,
                            struct sr_error *err) {
    const uint64_t strip = strip_bytes(dataset);
    if (strip == 0)
        return dataset;
    const hid_t access_list = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_chunk_cache(access_list, SLOTS,
                       strip < SR_H5_CACHE_MAX / strips ? (size_t)strip * strips : SR_H5_CACHE_MAX, 1.0);
    H5Dclose(dataset); /* one that stays open keeps its cache */
    const hid_t cached = sr_h5_open_dataset(f, name, access_list, err);
    H5Pclose(access_list);
    return cached;
}
