/* amplification.h: how many bytes are read, or unpacked, for the rows that are wanted.
 *
 * Chunks are read whole, and those that lie side by side together (h5_chunks.c), so that rows cost what their
 * chunks hold: h5py's automatic chunks, such as 782 rows of 32 columns, hand out a row of 2,048 numbers from
 * 64 chunks. Strips of chunks of more than SR_H5_STRIP_MAX are left to HDF5, which reads of an uncompressed
 * chunk that its cache cannot hold only what is wanted. Said of a file's layout alone; nothing is timed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_AMPLIFICATION_H
#define SR_AMPLIFICATION_H

#include "data/h5.h"

struct sr_amplification {
    double chunks; /* touched for the rows, on average over all places; 0 without chunks */
    double bytes;  /* what these hold; without chunks those wanted */
    double wanted; /* bytes of the rows' values */
    double ratio;  /* bytes / wanted, of all places together; 1 is best */
    bool is_kept;  /* one strip has all rows, and stays in memory, ours or that of HDF5's cache */
};

/* Of a dataset of rank 2, shape[0] > 0, read in bands of `band` rows (the last may be shorter) that begin at
 * multiples of it; 1: row by row. What was read for one band is not there for the next. */
struct sr_amplification sr_amplification_of(const struct sr_h5_info *info,
                                            const struct sr_h5_storage *storage, uint64_t band);

#endif
