/* h5_heap.h: memory for what HDF5 makes while it reads strings and lists of variable length. For h5*.c, under
 * the lock of h5.h.
 *
 * Many rows may name one string of the file, and HDF5 makes it for each of them before anybody can look at
 * one. So it is given no more memory than a file may ask for. H5Aread takes no heap, and for one string HDF5
 * takes memory by its length before it asks: see h5_count.h for both.
 *
 *     sr_h5_heap_open(&h);
 *     sr_h5_heap_begin(&h, left, most);
 *     read = H5Dread(..., h.transfer, out) >= 0;
 *     sr_h5_heap_end(&h, read);          // true: until H5Dvlen_reclaim(..., h.transfer, out)
 *     sr_h5_heap_close(&h);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_H5_HEAP_H
#define SR_H5_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#include "nn/base/base.h"

struct sr_h5_block;

struct sr_h5_heap {
    int64_t transfer; /* a list of properties for H5Dread and H5Dvlen_reclaim */
    uint64_t left, most;
    struct sr_h5_block *block; /* the last one of this read */
    bool reads;
    struct sr_error why; /* what failed in this read: SR_DATA, more than `most`; SR_NOMEM */
};

/* It is not to be moved until it is closed. */
void sr_h5_heap_open(struct sr_h5_heap *h);
void sr_h5_heap_close(struct sr_h5_heap *h); /* one that was never opened and is all zeros is fine */

/* left: bytes that may be made now, of `most` in all, which the message tells. */
void sr_h5_heap_begin(struct sr_h5_heap *h, uint64_t left, uint64_t most);

/* keep: what was read stays, until HDF5 reclaims it; else all of it is freed, that too which HDF5 has
 * forgotten of after an error. */
void sr_h5_heap_end(struct sr_h5_heap *h, bool keep);

#endif
