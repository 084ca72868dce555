/* tensors_pt_write.c: a checkpoint as torch.save of PyTorch 2 writes it.
 *
 * A pickle of protocol 2 that names no other globals than tensors need (OrderedDict, _rebuild_tensor_v2, a
 * storage of the type), so that torch.load(weights_only=True) takes it, and each tensor's bytes as a record
 * of its own, stored and aligned. Nothing is memoised: a global is spelt out each time, which costs a few
 * bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/tensors.h"
#include "data/zip.h"

#define FOLDER    "archive" /* torch.load takes any; the file's own name would make renamed files differ */
#define NAME_ROOM 64

/* Bytes that grow; `failed` is looked at once, at the end. */
struct pickle_out {
    unsigned char *bytes;
    size_t size, room;
    int status;
    struct sr_error *err;
};

static void put(struct pickle_out *p, const void *bytes, size_t n) {
    if (p->status == 0 && n > p->room - p->size) {
        const size_t room = 2 * p->room + n + 1024;
        unsigned char *larger = sr_realloc(p->bytes, p->size, room, p->err);
        p->status = larger ? 0 : SR_NOMEM;
        p->bytes = larger ? larger : p->bytes;
        p->room = larger ? room : p->room;
    }
    if (p->status < 0)
        return;
    memcpy(p->bytes + p->size, bytes, n);
    p->size += n;
}

static void put_codes(struct pickle_out *p, const char *opcodes) {
    put(p, opcodes, strlen(opcodes));
}

static void put_little(struct pickle_out *p, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) {
        const unsigned char byte = (unsigned char)(value >> (8 * i));
        put(p, &byte, 1);
    }
}

/* BINUNICODE */
static void put_text(struct pickle_out *p, const char *text) {
    const size_t n = strlen(text);
    put_codes(p, "X");
    put_little(p, n, 4);
    put(p, text, n);
}

/* BININT of what fits into it, else LONG1; sizes are below 2^63. */
static void put_integer(struct pickle_out *p, int64_t value) {
    const bool small = value >= INT32_MIN && value <= INT32_MAX;
    put_codes(p, small ? "J" : "\x8a\x08");
    put_little(p, (uint64_t)value, small ? 4 : 8);
}

static void put_global(struct pickle_out *p, const char *module, const char *name) {
    put_codes(p, "c");
    put_codes(p, module);
    put_codes(p, "\n");
    put_codes(p, name);
    put_codes(p, "\n");
}

static void put_ordered_dict(struct pickle_out *p) {
    put_global(p, "collections", "OrderedDict");
    put_codes(p, ")R"); /* of an empty tuple */
}

/* The shape, then the strides of a row-major tensor, each a tuple. */
static void put_shape(struct pickle_out *p, const struct sr_tensor *t) {
    uint64_t stride[SR_TENSOR_RANK], below = 1;
    for (int k = t->rank - 1; k >= 0; k--) {
        stride[k] = below;
        below *= t->shape[k] ? t->shape[k] : 1;
    }
    put_codes(p, "(");
    for (int k = 0; k < t->rank; k++)
        put_integer(p, (int64_t)t->shape[k]);
    put_codes(p, "t(");
    for (int k = 0; k < t->rank; k++)
        put_integer(p, (int64_t)stride[k]);
    put_codes(p, "t");
}

static const char *storage_of(enum sr_dtype dtype) {
    return dtype == SR_F32 ? "FloatStorage" : dtype == SR_I64 ? "LongStorage" : NULL;
}

/* _rebuild_tensor_v2(storage, offset 0, shape, strides, requires_grad False, no hooks), the storage a
 * persistent id ("storage", type, number of the record, "cpu", items). */
static void put_tensor(struct pickle_out *p, const struct sr_tensor *t, size_t number) {
    char key[NAME_ROOM];
    snprintf(key, sizeof key, "%zu", number);
    put_global(p, "torch._utils", "_rebuild_tensor_v2");
    put_codes(p, "((");
    put_text(p, "storage");
    put_global(p, "torch", storage_of(t->dtype));
    put_text(p, key);
    put_text(p, "cpu");
    put_integer(p, (int64_t)sr_tensor_items(t));
    put_codes(p, "tQ");
    put_integer(p, 0);
    put_shape(p, t);
    put_codes(p, "\x89");
    put_ordered_dict(p);
    put_codes(p, "tR");
}

/* A whole number as one, other text as text, NULL as None. */
static void put_value(struct pickle_out *p, const char *text) {
    char again[NAME_ROOM];
    const long long value = text ? strtoll(text, NULL, 10) : 0;
    snprintf(again, sizeof again, "%lld", value);
    if (!text)
        put_codes(p, "N");
    else if (strcmp(again, text) == 0)
        put_integer(p, value);
    else
        put_text(p, text);
}

static void put_checkpoint(struct pickle_out *p, const struct sr_tensor *tensors, size_t n,
                           const struct sr_pair *pairs, size_t n_pairs) {
    put_codes(p, "\x80\x02}(");
    put_text(p, "state_dict");
    put_ordered_dict(p);
    put_codes(p, "(");
    for (size_t i = 0; i < n; i++) {
        put_text(p, tensors[i].name);
        put_tensor(p, &tensors[i], i);
    }
    put_codes(p, "u");
    for (size_t i = 0; i < n_pairs; i++) {
        put_text(p, pairs[i].key);
        put_value(p, pairs[i].value);
    }
    put_codes(p, "u.");
}

static int write_archive(const char *path, const struct pickle_out *p, const struct sr_tensor *tensors,
                         size_t n, struct sr_error *err) {
    struct sr_zip_part *part = sr_alloc(n + 3, sizeof *part, err);
    char(*name)[NAME_ROOM] = sr_alloc(n, sizeof *name, err);
    int status = part && name ? 0 : SR_NOMEM;
    if (status == 0) {
        part[0] = (struct sr_zip_part){FOLDER "/data.pkl", p->bytes, p->size};
        part[1] = (struct sr_zip_part){FOLDER "/byteorder", "little", strlen("little")};
        for (size_t i = 0; i < n; i++) {
            snprintf(name[i], sizeof name[i], FOLDER "/data/%zu", i);
            part[2 + i] =
                (struct sr_zip_part){name[i], tensors[i].data,
                                     (size_t)sr_tensor_items(&tensors[i]) * sr_dtype_size(tensors[i].dtype)};
        }
        part[2 + n] = (struct sr_zip_part){FOLDER "/version", "3\n", strlen("3\n")};
        status = sr_zip_write(path, part, n + 3, err);
    }
    sr_free(name);
    sr_free(part);
    return status;
}

int sr_tensors_write_pt(const char *path, const struct sr_tensor *tensors, size_t n,
                        const struct sr_pair *pairs, size_t n_pairs, struct sr_error *err) {
    struct pickle_out p = {.err = err};
    for (size_t i = 0; i < n; i++)
        if (!storage_of(tensors[i].dtype))
            return sr_fail(err, SR_BUG, "%s: tensor %s has type %s; only F32 and I64 are written", path,
                           tensors[i].name, sr_dtype_name(tensors[i].dtype));
    put_checkpoint(&p, tensors, n, pairs, n_pairs);
    const int status = p.status < 0 ? p.status : write_archive(path, &p, tensors, n, err);
    sr_free(p.bytes);
    return status;
}
