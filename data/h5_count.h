/* h5_count.h: strings and lists of variable length counted before they are made. For h5*.c, under the lock of
 * h5.h.
 *
 * HDF5 reads values so that it makes no strings and lists, alone or in other values, but NULL of each. Their
 * bytes are added up as the file tells them, and each is held against the block of the file that it lies in
 * (h5_collections.h). Nothing else may go to such a block before. Rows of a band are then made within a
 * limit: h5_heap.h.
 *
 * Each returns 0, or why in `why`, whose text goes behind "file.h5: /id cannot be read: ".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_H5_COUNT_H
#define SR_H5_COUNT_H

#include <stdint.h>

#include "data/h5_collections.h"
#include "nn/base/base.h"

/* Rows first .. first+n of a dataset whose chunks are sound. type: of memory and of the file; values: [n, row
 * of that type]; bytes: what the strings and lists come to. */
int sr_h5_count_rows(struct sr_h5_collections *c, int64_t dataset, int64_t type, void *values, uint64_t first,
                     uint64_t n, uint64_t *bytes, struct sr_error *why);

/* All of an attribute. */
int sr_h5_count_attribute(int64_t attribute, int64_t type, void *values, uint64_t *bytes,
                          struct sr_error *why);

/* The value of rows that nobody wrote, which HDF5 makes wherever it hands out the properties of a dataset. */
int sr_h5_count_fill(int64_t dataset, struct sr_error *why);

/* All of a dataset whose chunks are sound, or of an attribute, whatever its type. where: "file.h5: /id", with
 * which the text of err begins. */
int sr_h5_count_whole(int64_t object, const char *where, struct sr_error *err);

#endif
