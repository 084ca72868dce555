/* h5_heap.h: memory for what HDF5 makes while it reads strings and lists of variable length. For h5*.c, under
 * the lock of h5.h.
 *
 * Many rows may name one string of the file, and HDF5 makes it for each of them before anybody can look at
 * one. So it is given no more memory than a file may ask for.
 *
 * There are two ways because neither does for all: a heap has a limit for anything of variable length, but
 * H5Aread takes none, and for one string HDF5 takes memory by its length before it asks the heap; counting
 * comes before that and knows attributes too.
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

#include "data/h5_collections.h"
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

/* ---- strings and lists counted before they are made ---- */

/* Until sr_h5_count_end, HDF5 makes no strings and lists of variable length where it reads them, alone or in
 * other values, but NULL of each; it adds up their bytes as the file tells them, and each is held against the
 * block of the file that it lies in. Nothing else may go to such a block before. c: of the file; borrowed.
 * False: it cannot. */
bool sr_h5_count_begin(struct sr_h5_collections *c);

/* why: status 0, or what is wrong with the first that is. */
uint64_t sr_h5_count_end(struct sr_error *why);

/* Looks so at all of a dataset whose chunks are sound, or of an attribute (its handle), whatever its type.
 * where: "file.h5: /id". */
int sr_h5_count_whole(int64_t object, const char *where, struct sr_error *err);

#endif
