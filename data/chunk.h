/* chunk.h: one chunk of an HDF5 dataset of rows: from its bytes in the file to values in their rows.
 *
 * HDF5 may have shuffled the bytes of a chunk (all first bytes of the values, then all second ones, ...),
 * compressed that with zlib, and put a checksum behind it (fletcher32); each chunk may say that it was left
 * out. This undoes the three without HDF5, which is not needed here and can so be done in any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CHUNK_H
#define SR_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nn/base/base.h"

#define SR_CHUNK_VALUE_MAX ((size_t)4) /* bytes a value */

/* What was done to the chunks of a dataset, in this order. */
enum sr_chunk_filter { SR_CHUNK_SHUFFLE, SR_CHUNK_GZIP, SR_CHUNK_FLETCHER, SR_CHUNK_FILTERS };

struct sr_chunk_form {
    size_t rows, width, size; /* values a chunk; bytes a value, 2 or 4 */
    /* The bit that says in a chunk's mask that the filter was left out; 0: the dataset has no such filter. */
    uint32_t bit[SR_CHUNK_FILTERS];
};

size_t sr_chunk_bytes(const struct sr_chunk_form *form); /* of the values */

/* Bytes a chunk may have in the file: more than any compressor makes of what does not compress. */
size_t sr_chunk_stored_max(const struct sr_chunk_form *form);

/* What a thread that decodes chunks needs. */
struct sr_chunk_decoder;

int sr_chunk_decoder_create(struct sr_chunk_decoder **out, const struct sr_chunk_form *form,
                            struct sr_error *err);
void sr_chunk_decoder_free(struct sr_chunk_decoder *d); /* NULL is fine */

/* Room for the bytes of a chunk as they are in the file: sr_chunk_stored_max of them. */
unsigned char *sr_chunk_stored(struct sr_chunk_decoder *d);

/* Values of the chunk whose `size` bytes were put into sr_chunk_stored: the first `rows` rows and `width`
 * columns of it to `out`, a row every `stride` bytes. NULL, or what is wrong with the chunk (static); that
 * there was room for so many is not believed. */
const char *sr_chunk_decode(struct sr_chunk_decoder *d, unsigned char *out, size_t stride, size_t rows,
                            size_t width, size_t size, uint32_t mask);

/* CRC-32 of IEEE 802.3, which zip archives carry; here because libdeflate, which has it, is known here only.
 * Begin with 0 and pass on what is returned. */
uint32_t sr_chunk_crc32(uint32_t crc, const void *bytes, size_t n);

#endif
