/* tensors_format.h: what a format of tensor files provides; private to data/. One file a format:
 * tensors_npy.c, tensors_safetensors.c, tensors_pt.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TENSORS_FORMAT_H
#define SR_TENSORS_FORMAT_H

#include <stdbool.h>
#include <stdio.h>

#include "data/tensors.h"

struct sr_tensors_format {
    const char *name; /* for messages */
    /* By the first bytes of the file, up to SR_TENSORS_HEAD; head is padded with zeros. */
    bool (*is)(const unsigned char *head);
    /* Fills info and count, pairs and pair_count, and `in`. close follows also after a failure. */
    int (*open)(struct sr_tensors *t, struct sr_error *err);
    void (*close)(struct sr_tensors *t); /* frees `in` and pairs, whatever of them there is */
    /* Bytes [at, at + bytes) of tensor i, a range that was checked and is not empty. */
    int (*read)(struct sr_tensors *t, size_t i, uint64_t at, void *out, size_t bytes, struct sr_error *err);
};

#define SR_TENSORS_HEAD 512

extern const struct sr_tensors_format sr_tensors_npy, sr_tensors_pt, sr_tensors_safetensors;

struct sr_tensors {
    const struct sr_tensors_format *format;
    char *path;
    int descriptor;
    FILE *from; /* of the descriptor; stands at the beginning when a format's open is called */
    uint64_t file_bytes;
    struct sr_tensor_info *info; /* [count] */
    size_t count;
    struct sr_pair *pairs; /* [pair_count] */
    size_t pair_count;
    void *in; /* the format's own */
};

/* Bytes [at, at + bytes) of the file. SR_IO; SR_DATA if it ends before. */
int sr_tensors_bytes(const struct sr_tensors *t, uint64_t at, void *out, size_t bytes, struct sr_error *err);

#endif
