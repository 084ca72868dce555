/* h5_sound.h: chunks held against what their filters say, before HDF5 unpacks them. For h5*.c.
 *
 * HDF5 1.10 trusts a packed chunk: it unpacks as many bytes as come, which from 1 MB may be 1 GB, and reads
 * on behind a chunk that gave fewer than its values take. So where HDF5 is to read, its chunks are unpacked
 * once by ourselves (chunk.h) into room for exactly their values, and checksums looked at.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_H5_SOUND_H
#define SR_H5_SOUND_H

#include "data/h5.h"

struct sr_h5_sound;

/* Of a dataset (its handle), borrowed. where: "file.h5: /label", borrowed. *out is NULL where there is
 * nothing to look at: no chunks, no gzip or fletcher32, or another filter behind them. Under the lock, like
 * what follows. */
int sr_h5_sound_open(struct sr_h5_sound **out, int64_t dataset, const char *where, struct sr_error *err);
void sr_h5_sound_close(struct sr_h5_sound *s); /* NULL is fine */

/* SR_DATA where a chunk that holds some of rows first .. first+rows is damaged. Each is looked at once. s:
 * NULL is fine. */
int sr_h5_sound_check(struct sr_h5_sound *s, uint64_t first, uint64_t rows, struct sr_error *err);

/* All rows of a dataset at once. */
int sr_h5_sound_whole(int64_t dataset, const char *where, struct sr_error *err);

#endif
