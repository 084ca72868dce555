/* tensors.h: a file of named tensors from elsewhere: PyTorch's torch.save, safetensors, NumPy's .npy.
 *
 * The format is told by content, never by the file's ending. Opening reads and checks everything but the
 * tensors' bytes; these are read by parts, so that a file may be larger than memory:
 *
 *     struct sr_tensors *t;
 *     sr_tensors_open(&t, "train_features.pt", err);
 *     const struct sr_tensor_info *x = sr_tensors_at(t, 0);        // SR_F16 [N, D], say
 *     for (row = 0; row < x->shape[0]; row += n)
 *         sr_tensors_read(t, 0, row * D, band, n * D, err);        // raw float16
 *     sr_tensors_close(t);
 *
 * Nothing in a file is run, and what a file says of sizes is held against the file before it is used.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TENSORS_H
#define SR_TENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "nn/base/base.h"

#define SR_HDF5_MAGIC "\x89HDF\r\n\x1a\n" /* the first 8 bytes of an HDF5 file */

/* 1 where a file begins as HDF5 does, else 0. SR_NOINPUT: no such file, or no regular one. SR_IO, SR_NOMEM.
 */
int sr_is_hdf5(const char *path, struct sr_error *err);

struct sr_tensors; /* open for reading; belongs to one thread */

/* One tensor. Its number of items, and of bytes, is known to fit into 64 bits. */
struct sr_tensor_info {
    char name[SR_TENSOR_NAME]; /* unique in the file; keys of nested dicts and lists joined by "."; "" where a
                                  file is one bare tensor */
    enum sr_dtype dtype;
    int rank; /* 0: a scalar */
    uint64_t shape[SR_TENSOR_RANK];
};

/* SR_NOINPUT: no such file, or no regular one. SR_DATA: not of a format known here, damaged, or with
 * something that is no tensor and no plain value (named). Formats that are recognised but not read (PyTorch
 * before 1.6, TorchScript, .npz, HDF5) are refused with what to do. Close with sr_tensors_close; *out is NULL
 * after a failure. */
int sr_tensors_open(struct sr_tensors **out, const char *path, struct sr_error *err);
void sr_tensors_close(struct sr_tensors *t); /* NULL is fine */

/* "torch.save", "safetensors" or ".npy"; static storage. */
const char *sr_tensors_format(const struct sr_tensors *t);

size_t sr_tensors_count(const struct sr_tensors *t);

/* Tensor i in file order, or NULL past the last; lives as long as t. Two may share bytes (tied weights). */
const struct sr_tensor_info *sr_tensors_at(const struct sr_tensors *t, size_t i);

/* Number of the tensor of that name, or sr_tensors_count. */
size_t sr_tensors_find(const struct sr_tensors *t, const char *name);

/* Items of a tensor: the product of its shape, 1 for a scalar. */
uint64_t sr_tensor_info_items(const struct sr_tensor_info *info);

#define SR_SHAPE_TEXT (2 + 22 * SR_TENSOR_RANK + 1)

/* Its shape as "[2, 3]". Returns text. */
const char *sr_tensor_info_shape(const struct sr_tensor_info *info, char text[SR_SHAPE_TEXT]);

/* Items [first, first + n) of tensor i, row-major, as raw little-endian values of its dtype, into out. Any
 * order, but ascending bands are what it is made for. Of a torch.save file the first read of a record
 * compares its checksum. SR_IO. SR_DATA: the file is damaged or became shorter, or has a boolean that is
 * neither 0 nor 1. SR_BUG: i or the range is not in the file. */
int sr_tensors_read(struct sr_tensors *t, size_t i, uint64_t first, void *out, size_t n,
                    struct sr_error *err);

/* The same of a tensor of floats, each rounded once to float32; what is beyond its largest becomes an
 * infinity. SR_BUG too: tensor i is not float16, bfloat16, float32 or float64. */
int sr_tensors_read_float(struct sr_tensors *t, size_t i, uint64_t first, float *out, size_t n,
                          struct sr_error *err);

/* What the file says besides its tensors, or NULL: safetensors metadata; the numbers, strings and bools of a
 * torch.save file as text under the key a tensor there would have ("layer_idx" is "23", True is "true"). */
const char *sr_tensors_metadata(const struct sr_tensors *t, const char *key);

/* All of it in file order; *n may be 0. */
const struct sr_pair *sr_tensors_pairs(const struct sr_tensors *t, size_t *n);

/* ---- writing ---- */

/* Writes {"state_dict": OrderedDict of the tensors, then the pairs} as torch.save does, for
 * torch.load(weights_only=True); atomically, and the same bytes for the same arguments. Tensors are SR_F32 or
 * SR_I64 (SR_BUG else), little-endian like this machine. A pair's value that is a whole number becomes an
 * int, other text a str, NULL None. */
int sr_tensors_write_pt(const char *path, const struct sr_tensor *tensors, size_t n,
                        const struct sr_pair *pairs, size_t n_pairs, struct sr_error *err);

#endif
