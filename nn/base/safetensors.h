/* safetensors.h: the one kind of weights file.
 *
 * Format: an 8-byte little-endian header length, a JSON object {name: {dtype, shape, data_offsets}} with an
 * optional string map "__metadata__", then the tensors' bytes without holes (huggingface/safetensors, README
 * "Format"). The reader checks every rule of the format before it hands out a pointer: header size, keys,
 * shapes times item size against offsets, no overlap, no hole, no trailing bytes, and, if the metadata has
 * "sha256", that hash over the data section, and if it has "header_sha256", that over the header (it is then
 * not among the metadata given out). The writer adds both itself and replaces the target atomically. A file
 * read is immutable; any number of threads may look into it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_SAFETENSORS_H
#define SR_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "nn/base/error.h"

/* X(name, text in the file, bytes an item) */
#define SR_DTYPE_LIST(X)                                                                                     \
    X(BOOL, "BOOL", 1)                                                                                       \
    X(U8, "U8", 1)                                                                                           \
    X(I8, "I8", 1)                                                                                           \
    X(I16, "I16", 2)                                                                                         \
    X(U16, "U16", 2)                                                                                         \
    X(F16, "F16", 2)                                                                                         \
    X(BF16, "BF16", 2)                                                                                       \
    X(I32, "I32", 4)                                                                                         \
    X(U32, "U32", 4)                                                                                         \
    X(F32, "F32", 4)                                                                                         \
    X(F64, "F64", 8)                                                                                         \
    X(I64, "I64", 8)                                                                                         \
    X(U64, "U64", 8)

enum sr_dtype {
#define X(name, text, size) SR_##name,
    SR_DTYPE_LIST(X)
#undef X
        SR_DTYPE_COUNT
};

size_t sr_dtype_size(enum sr_dtype dtype);
const char *sr_dtype_name(enum sr_dtype dtype);

#define SR_TENSOR_NAME 128
#define SR_TENSOR_RANK 8

/* What a message about a folder says was wanted in its place (sr_file_open). */
#define SR_SAFETENSORS_WANTED "a weights file; in a run folder that is best.safetensors"

/* The bytes of a weights file (free with sr_free), for what is opened from them in several ways: it may be
 * replaced under its name meanwhile. Errors as of sr_file_read_regular. */
int sr_safetensors_bytes(void **bytes, size_t *size, const char *path, struct sr_error *err);

struct sr_tensor {
    char name[SR_TENSOR_NAME];
    enum sr_dtype dtype;
    int rank; /* 0: a scalar */
    uint64_t shape[SR_TENSOR_RANK];
    void *data; /* row-major; aligned to 8 bytes at least when read */
};

/* Items of the tensor: the product of its shape (1 for a scalar). */
uint64_t sr_tensor_items(const struct sr_tensor *t);

struct sr_pair {
    const char *key, *value;
};

/* Writes tensors and metadata to path, in the order given. Bytes of the file depend on nothing else. Pairs
 * without a value (NULL) are left out, and so is "sha256", which is always made anew. SR_BUG if a name occurs
 * twice. */
int sr_safetensors_write(const char *path, const struct sr_tensor *tensors, size_t n_tensors,
                         const struct sr_pair *metadata, size_t n_metadata, struct sr_error *err);

struct sr_safetensors; /* a file that was read and found valid */

/* SR_NOINPUT: no such file. SR_DATA: not a valid file (which rule, where). Free with sr_safetensors_close. */
int sr_safetensors_open(struct sr_safetensors **out, const char *path, struct sr_error *err);
/* The same from bytes in memory, which are not needed afterwards; name is for messages. */
int sr_safetensors_open_memory(struct sr_safetensors **out, const void *bytes, size_t size, const char *name,
                               struct sr_error *err);
void sr_safetensors_close(struct sr_safetensors *s);

/* SHA-256 of the data section in hex: what "sha256" in the metadata says where there is one. */
const char *sr_safetensors_hash(const struct sr_safetensors *s);

size_t sr_safetensors_count(const struct sr_safetensors *s);
const struct sr_tensor *sr_safetensors_at(const struct sr_safetensors *s, size_t index); /* file order */
const struct sr_tensor *sr_safetensors_find(const struct sr_safetensors *s, const char *name); /* or NULL */

/* The tensor of that name if it has this type and shape, else NULL with SR_DATA in err, which names the file.
 */
const struct sr_tensor *sr_safetensors_need(const struct sr_safetensors *s, const char *name,
                                            enum sr_dtype dtype, int rank, const uint64_t *shape,
                                            struct sr_error *err);

/* Copies into each of n entries' data the file's tensor of the entry's name, dtype and shape. SR_DATA if one
 * is missing or different; entries before it are copied then. */
int sr_safetensors_copy(const struct sr_safetensors *s, const struct sr_tensor *list, size_t n,
                        struct sr_error *err);

/* A metadata value or NULL. */
const char *sr_safetensors_metadata(const struct sr_safetensors *s, const char *key);

/* Writes the same tensors to a path, which may be the one they came from, with these pairs of metadata set in
 * place, or removed where their value is NULL; new ones come last, the others stay. The data section, and so
 * "sha256", is the same. SR_BUG if a key is given twice. */
int sr_safetensors_rewrite(const char *to, const struct sr_safetensors *from, const struct sr_pair *pairs,
                           size_t n, struct sr_error *err);

/* All metadata in file order. */
const struct sr_pair *sr_safetensors_pairs(const struct sr_safetensors *s, size_t *n);

#endif
