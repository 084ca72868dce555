/* h5_superblock.h: what the first block of an HDF5 file says of the numbers in it. For h5*.c, under the lock
 * of h5.h.
 *
 * Source: HDF5 File Format Specification, II.A "Disk Format: Level 0A - Format Signature and Superblock".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_H5_SUPERBLOCK_H
#define SR_H5_SUPERBLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "nn/base/base.h"

struct sr_h5_superblock {
    uint64_t base;      /* bytes before it ("user block"): places count from here */
    size_t place_bytes; /* of a place in the file ("size of offsets"); at most 8 */
    size_t size_bytes;  /* and of a size ("size of lengths") */
};

/* Of a file (its handle), or of the one that an object lies in. 0, or SR_DATA, with *s all 0, where its
 * numbers have more than 8 bytes, which nothing here looks at, or where HDF5 does not tell. */
int sr_h5_superblock(struct sr_h5_superblock *s, int64_t object, struct sr_error *err);

#endif
