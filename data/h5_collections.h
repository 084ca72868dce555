/* h5_collections.h: the blocks of a file in which its strings and lists of variable length lie ("global heap
 * collections"), looked at before HDF5 goes through them. For h5*.c, under the lock of h5.h.
 *
 * HDF5 1.10 trusts a collection: an object of no bytes keeps it for ever, one that ends elsewhere takes it
 * out of the block, and it copies an object as long as the block says to where a handle has room. So each
 * block that a handle names is walked here first, once, by its bytes in the file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_H5_COLLECTIONS_H
#define SR_H5_COLLECTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "nn/base/base.h"

struct sr_h5_collections;

/* Of the file in which an object (its handle) lies. A file that this process writes is not looked at. */
int sr_h5_collections_open(struct sr_h5_collections **out, int64_t object, struct sr_error *err);
void sr_h5_collections_close(struct sr_h5_collections *c); /* NULL is fine */

/* Bytes of a handle in that file: 4 of length, a place, 4 of number. */
size_t sr_h5_collections_handle(const struct sr_h5_collections *c);

/* What a handle says, whose length is one of pieces of `unit` bytes: 0, or SR_DATA where what it names is not
 * there in just that length or the block is damaged, SR_IO, SR_NOMEM. */
int sr_h5_collections_check(struct sr_h5_collections *c, const unsigned char *handle, size_t unit,
                            struct sr_error *err);

#endif
