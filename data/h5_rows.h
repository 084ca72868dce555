/* h5_rows.h: rows of a dataset through HDF5. For h5*.c, under the lock of h5.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_H5_ROWS_H
#define SR_H5_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#define SR_H5_STRIP_CHUNKS 4096 /* that may hold parts of one row, see sr_h5_info */

/* Rows first .. first+n of a dataset of any rank, as values of that type (handles, and that of a list for the
 * transfer, or H5P_DEFAULT), to out; of a dataset without axes its one value, where n is 1. False: HDF5 has
 * said why, see sr_h5_fail.
 *
 * HDF5 keeps 4 to 7 KB for each chunk that a read touches until it ends: here a read is of as many rows as
 * lie in 4096 chunks, 30 MB. */
bool sr_h5_read_rows(int64_t dataset, int64_t type, int64_t transfer, void *out, uint64_t first, uint64_t n);

#endif
