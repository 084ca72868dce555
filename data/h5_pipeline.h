/* h5_pipeline.h: the filters that the chunks of a dataset go through. For h5*.c, under the lock of h5.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_H5_PIPELINE_H
#define SR_H5_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/chunk.h"

#define SR_H5_FILTERS 8 /* h5py sets up to four */

struct sr_h5_filter {
    int id;         /* H5Z_filter_t */
    unsigned value; /* its first: gzip's level, the bytes of a value that are shuffled */
    size_t values;  /* 0: it has none, and value is 0 */
    char name[40];  /* as the file tells it; "" for none */
};

/* In the order of writing. */
struct sr_h5_pipeline {
    bool chunked; /* else filters that are said do nothing */
    bool edges;   /* chunks at the edges leave filters out, or may */
    int said;     /* filters that the file has for it; negative where HDF5 cannot tell */
    int n;        /* of these here: the first, SR_H5_FILTERS at most */
    struct sr_h5_filter filter[SR_H5_FILTERS];
    uint32_t bit[SR_CHUNK_FILTERS]; /* those that chunk.h undoes, by their place, so that of two the smaller
                                       bit was done first; as in sr_chunk_form */
    bool foreign;                   /* there are others too */
};

/* Of a dataset with these properties (their list's handle). */
struct sr_h5_pipeline sr_h5_pipeline(int64_t create);

#endif
