/* h5_pipeline.c: the filters of a dataset, as its header tells them. See h5_pipeline.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_pipeline.h"

#include <hdf5.h>

/* Which of chunk.h's a filter is; SR_CHUNK_FILTERS for another one. */
static enum sr_chunk_filter ours(H5Z_filter_t id) {
    return id == H5Z_FILTER_SHUFFLE      ? SR_CHUNK_SHUFFLE
           : id == H5Z_FILTER_DEFLATE    ? SR_CHUNK_GZIP
           : id == H5Z_FILTER_FLETCHER32 ? SR_CHUNK_FLETCHER
                                         : SR_CHUNK_FILTERS;
}

struct sr_h5_pipeline sr_h5_pipeline(int64_t create) {
    unsigned flags, options = 0;
    struct sr_h5_pipeline p = {.chunked = H5Pget_layout(create) == H5D_CHUNKED,
                               .said = H5Pget_nfilters(create)};
    p.edges = p.chunked && (H5Pget_chunk_opts(create, &options) < 0 || options != 0);
    p.foreign = p.said < 0 || p.said > SR_H5_FILTERS;
    for (; p.n < p.said && p.n < SR_H5_FILTERS; p.n++) {
        struct sr_h5_filter *f = &p.filter[p.n];
        f->values = 1;
        f->id = H5Pget_filter2(create, (unsigned)p.n, &flags, &f->values, &f->value, sizeof f->name, f->name,
                               NULL);
        if (ours(f->id) == SR_CHUNK_FILTERS)
            p.foreign = true;
        else
            p.bit[ours(f->id)] = 1u << p.n;
    }
    return p;
}
