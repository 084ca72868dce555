/* h5_chunks.h: the rows of a chunked HDF5 dataset, unpacked by ourselves. For h5*.c.
 *
 * HDF5 only hands out the stored bytes of a chunk, which takes its lock for microseconds; what filters did to
 * them is undone outside of it, by all threads that OpenMP gives the caller (chunk.h). The chunks beside each
 * other, which hold the same rows, are a strip. A strip that a read covers in part is kept unpacked for the
 * next one, so that reading on unpacks each chunk once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_H5_CHUNKS_H
#define SR_H5_CHUNKS_H

#include <hdf5.h>

#include "data/h5.h"

struct sr_h5_chunks;

/* Of a dataset of rank 2, borrowed, whose values, of `size` bytes, 2 or 4, are read as they are. file: HDF5's
 * descriptor of the file, or -1 where there is none or a user block moves what is in it. *out is NULL where
 * only HDF5 can read it: no chunks, chunks nobody wrote, filters other than shuffle, gzip and fletcher32 in
 * this order, strips beyond 64 MB, many chunks without filters. Under the lock. */
int sr_h5_chunks_open(struct sr_h5_chunks **out, hid_t dataset, size_t size, int file, struct sr_error *err);
void sr_h5_chunks_close(struct sr_h5_chunks *c); /* NULL is fine */

/* Gives back the memory that reading on would save time with: a strip. */
void sr_h5_chunks_forget(struct sr_h5_chunks *c);

/* Rows first .. first+rows, which exist, as they are in the file. By one thread at a time, without the lock.
 * SR_DATA: a chunk is damaged or missing in the file. where: "file.h5: /features", for messages. */
int sr_h5_chunks_read(struct sr_h5_chunks *c, void *out, size_t first, size_t rows, const char *where,
                      struct sr_error *err);

#endif
