/* safetensors_header.h: what stands in front of a safetensors file's bytes: names, types, shapes, places.
 *
 * Reading it is separate from reading the data, so that a file of any size can be looked into and read by
 * parts. All rules of the format but the hash are checked here (see safetensors.h): when reading succeeds the
 * tensors tile the data section exactly, and tensor i begins where tensor i-1 ends.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_SAFETENSORS_HEADER_H
#define SR_SAFETENSORS_HEADER_H

#include <stdio.h>

#include "nn/base/safetensors.h"

#define SR_SAFETENSORS_METADATA "__metadata__" /* the header's one key that is no tensor */

/* Bytes of a header. The format allows ten times as many, which hold a tree of 2.4 GB that takes 10 s to
 * make; this is room for 100,000 tensors. */
#define SR_SAFETENSORS_HEADER_MAX 10000000u

/* The metadata's checksum of the header itself: "sha256" is one of the data, and a flipped bit of a threshold
 * or a shape is no less wrong than one of a weight. Made by the writer, compared and taken out by the reader.
 */
#define SR_SAFETENSORS_SUM "header_sha256"

struct sr_safetensors_header {
    uint64_t data_at;          /* byte of the file where the data section begins */
    uint64_t data_bytes;       /* its length */
    struct sr_tensor *tensors; /* [count] in the order of their bytes; data is NULL */
    size_t count;
    struct sr_pair *pairs; /* [pair_count], metadata in file order; strings belong to the header */
    size_t pair_count;
    struct sr_json *json; /* owns the strings */
};

/* Reads the header of a regular file of file_bytes bytes from `from`, which stands at its beginning and
 * stands at the data section afterwards. SR_DATA, SR_IO, SR_NOMEM; path is for messages. Free also after a
 * failure. */
int sr_safetensors_header_read(struct sr_safetensors_header *h, FILE *from, uint64_t file_bytes,
                               const char *path, struct sr_error *err);
void sr_safetensors_header_free(struct sr_safetensors_header *h);

/* SHA-256, in hex, of a header's length (8 bytes, little-endian) and text, in which the value of
 * SR_SAFETENSORS_SUM counts as 64 zeros. Returns where in text that value stands, or NULL: there is none as
 * the writer writes it. */
char *sr_safetensors_sum(char hex[65], char *text, size_t length);

/* Bytes that a tensor takes in the file. */
uint64_t sr_tensor_bytes(const struct sr_tensor *t);

/* The next bytes of a file that is being read in order. SR_IO; SR_DATA if it ends before. */
int sr_safetensors_next_bytes(void *to, uint64_t bytes, FILE *from, const char *path, struct sr_error *err);

#endif
