/* chunk_pack.h: one chunk of values as HDF5 stores it with shuffle and gzip. Needs no HDF5, so any thread may
 * do it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CHUNK_PACK_H
#define SR_CHUNK_PACK_H

#include <stddef.h>

#include "nn/base/base.h"

/* Most bytes that a chunk of so many takes. */
size_t sr_chunk_pack_bound(size_t bytes);

/* What a thread that packs chunks needs. */
struct sr_chunk_packer;

/* level: 1 to 9. Chunks of `values` values of `size` bytes each. */
int sr_chunk_packer_create(struct sr_chunk_packer **out, int level, size_t values, size_t size,
                           struct sr_error *err);
void sr_chunk_packer_free(struct sr_chunk_packer *p); /* NULL is fine */

/* The chunk whose first n values are at x, the others 0, into out [sr_chunk_pack_bound]. Returns its bytes.
 * The same bytes for any thread. */
size_t sr_chunk_pack(struct sr_chunk_packer *p, unsigned char *out, const unsigned char *x, size_t n);

#endif
