/* safetensors.c: reads and writes the weights file; see safetensors.h.
 *
 * Nothing of a file is believed: only when its header was found valid (safetensors_header.c) is memory taken
 * for the tensors. Each is read into a place of its own, aligned for its type whatever its offset in the
 * file, and hashed on the way. The file is read rather than mapped: a mapped file that somebody truncates
 * kills the process.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/base/alloc.h"
#include "nn/base/atomic_file.h"
#include "nn/base/file.h"
#include "nn/base/json.h"
#include "nn/base/safetensors.h"
#include "nn/base/safetensors_header.h"
#include "nn/base/sha256.h"
#include "nn/base/sizes.h"

#define HASH   "sha256"
#define MOST   ((size_t)1 << 33) /* bytes of a weights file */
#define NO_SUM "0000000000000000000000000000000000000000000000000000000000000000"

static const struct {
    const char *name;
    size_t size;
} dtypes[SR_DTYPE_COUNT] = {
#define X(name, text, size) [SR_##name] = {text, size},
    SR_DTYPE_LIST(X)
#undef X
};

size_t sr_dtype_size(enum sr_dtype dtype) {
    return dtypes[dtype].size;
}

const char *sr_dtype_name(enum sr_dtype dtype) {
    return dtypes[dtype].name;
}

uint64_t sr_tensor_items(const struct sr_tensor *t) {
    uint64_t items = 1;
    for (int i = 0; i < t->rank; i++)
        items = sr_size_times(items, t->shape[i]);
    return items;
}

/* ---- writing ---- */

static void hash_tensors(char hex[65], const struct sr_tensor *tensors, size_t n) {
    struct sr_sha256 s;
    sr_sha256_begin(&s);
    for (size_t i = 0; i < n; i++)
        sr_sha256_add(&s, tensors[i].data, sr_tensor_bytes(&tensors[i]));
    sr_sha256_end(&s, hex);
}

static struct sr_json *tensor_entry(const struct sr_tensor *t, uint64_t begin, uint64_t end) {
    struct sr_json *entry = sr_json_object(), *shape = sr_json_array(), *offsets = sr_json_array();
    for (int i = 0; i < t->rank; i++)
        sr_json_append(shape, sr_json_integer((int64_t)t->shape[i]));
    sr_json_append(offsets, sr_json_integer((int64_t)begin));
    sr_json_append(offsets, sr_json_integer((int64_t)end));
    sr_json_set(entry, "dtype", sr_json_string(dtypes[t->dtype].name));
    sr_json_set(entry, "shape", shape);
    sr_json_set(entry, "data_offsets", offsets);
    return entry;
}

/* The text, spaces behind it, and its checksum in it. */
static void put_header(char *to, size_t length, const char *text) {
    char hex[65];
    snprintf(to, sr_size_sum(length, 1), "%-*s", (int)length, text);
    char *sum = sr_safetensors_sum(hex, to, length);
    if (sum) /* always: the metadata has one */
        memcpy(sum, hex, 64);
}

/* The header's text, padded with spaces so that the data section starts at a multiple of 8. NULL: a status in
 * err. */
static char *header_text(size_t *length, const struct sr_tensor *tensors, size_t n_tensors,
                         const struct sr_pair *metadata, size_t n_metadata, struct sr_error *err) {
    struct sr_json *header = sr_json_object(), *pairs = sr_json_object();
    char hex[65], *padded = NULL;
    uint64_t at = 0;
    size_t kept = 0;
    for (size_t i = 0; i < n_metadata; i++) {
        if (!metadata[i].value || strcmp(metadata[i].key, HASH) == 0 ||
            strcmp(metadata[i].key, SR_SAFETENSORS_SUM) == 0)
            continue;
        sr_json_set(pairs, metadata[i].key, sr_json_string(metadata[i].value));
        kept++;
    }
    hash_tensors(hex, tensors, n_tensors);
    sr_json_set(pairs, HASH, sr_json_string(hex));
    sr_json_set(pairs, SR_SAFETENSORS_SUM, sr_json_string(NO_SUM));
    const bool unique = sr_json_size(pairs) == kept + 2;
    sr_json_set(header, SR_SAFETENSORS_METADATA, pairs);
    for (size_t i = 0; i < n_tensors; i++) {
        const uint64_t end = sr_size_sum(at, sr_tensor_bytes(&tensors[i]));
        sr_json_set(header, tensors[i].name, tensor_entry(&tensors[i], at, end));
        at = end;
    }
    char *text = sr_json_text(header, 0, err);
    if (text && (!unique || sr_json_size(header) != n_tensors + 1)) {
        sr_fail(err, SR_BUG, "a name is used twice among the tensors or metadata of a weights file");
    } else if (text) {
        *length = (strlen(text) + 7) / 8 * 8;
        padded = sr_alloc(sr_size_sum(*length, 1), 1, err);
        if (padded)
            put_header(padded, *length, text);
    }
    sr_free(text);
    sr_json_free(header);
    return padded;
}

int sr_safetensors_write(const char *path, const struct sr_tensor *tensors, size_t n_tensors,
                         const struct sr_pair *metadata, size_t n_metadata, struct sr_error *err) {
    struct sr_error local;
    struct sr_atomic_file *f;
    unsigned char prefix[8];
    size_t length = 0;
    /* cppcheck-suppress uninitvar ; written to */
    err = err ? err : &local;
    char *header = header_text(&length, tensors, n_tensors, metadata, n_metadata, err);
    int status = header ? sr_atomic_file_open(&f, path, err) : err->status;
    if (header && status == SR_OK) {
        FILE *to = sr_atomic_file_stream(f);
        for (int i = 0; i < 8; i++)
            prefix[i] = (unsigned char)((uint64_t)length >> 8 * i);
        fwrite(prefix, 1, 8, to);
        fwrite(header, 1, length, to);
        for (size_t i = 0; i < n_tensors; i++)
            if (sr_tensor_items(&tensors[i]) > 0) /* else data may be NULL */
                fwrite(tensors[i].data, dtypes[tensors[i].dtype].size, sr_tensor_items(&tensors[i]), to);
        status = sr_atomic_file_commit(f, err);
    }
    sr_free(header);
    return status;
}

/* ---- reading ---- */

int sr_safetensors_bytes(void **bytes, size_t *size, const char *path, struct sr_error *err) {
    return sr_file_read_regular(bytes, size, path, SR_SAFETENSORS_WANTED, MOST, err);
}

struct sr_safetensors {
    char *path;
    struct sr_safetensors_header header; /* the tensors' data points into data */
    void *data;
    char hash[65];
};

static size_t padded(uint64_t bytes) {
    return (size_t)(sr_size_sum(bytes, 7) / 8 * 8);
}

/* Reads and hashes the tensors in file order. */
static int read_data(struct sr_safetensors *s, FILE *from, struct sr_error *err) {
    struct sr_safetensors_header *h = &s->header;
    struct sr_sha256 hash;
    unsigned char *place;
    int status = SR_OK;
    s->data = place = sr_alloc(sr_size_sum(h->data_bytes, sr_size_times(7, h->count)), 1,
                               err); /* at most 7 bytes of padding each */
    if (!place)
        return SR_NOMEM;
    sr_sha256_begin(&hash);
    for (size_t i = 0; status == SR_OK && i < h->count; i++) {
        const uint64_t bytes = sr_tensor_bytes(&h->tensors[i]);
        h->tensors[i].data = place;
        status = sr_safetensors_next_bytes(place, bytes, from, s->path, err);
        sr_sha256_add(&hash, place, bytes);
        place += padded(bytes);
    }
    sr_sha256_end(&hash, s->hash);
    return status;
}

static int read_stream(struct sr_safetensors *s, FILE *from, uint64_t file_bytes, struct sr_error *err) {
    int status = sr_safetensors_header_read(&s->header, from, file_bytes, s->path, err);
    if (status == SR_OK)
        status = read_data(s, from, err);
    const char *hash = sr_safetensors_metadata(s, HASH);
    if (status == SR_OK && hash && strcmp(hash, s->hash) != 0)
        status =
            sr_fail(err, SR_DATA,
                    "%s is damaged: the SHA-256 of its data is not the one in its metadata (where another "
                    "program changed it and kept the old metadata: leave " HASH " out)",
                    s->path);
    return status;
}

/* Takes the stream over; from NULL: there was no memory for one. */
static int open_stream(struct sr_safetensors **out, FILE *from, uint64_t file_bytes, const char *path,
                       struct sr_error *err) {
    struct sr_safetensors *s = from ? sr_alloc(1, sizeof *s, err) : NULL;
    int status = s && (s->path = sr_strdup(path, err)) ? SR_OK : sr_fail(err, SR_NOMEM, "out of memory");
    *out = NULL;
    if (status == SR_OK)
        status = read_stream(s, from, file_bytes, err);
    if (status == SR_OK)
        *out = s;
    else
        sr_safetensors_close(s);
    if (from)
        fclose(from);
    return status;
}

int sr_safetensors_open(struct sr_safetensors **out, const char *path, struct sr_error *err) {
    FILE *from;
    uint64_t file_bytes;
    *out = NULL;
    const int status = sr_file_open(&from, &file_bytes, path, SR_SAFETENSORS_WANTED, err);
    return status == SR_OK ? open_stream(out, from, file_bytes, path, err) : status;
}

int sr_safetensors_open_memory(struct sr_safetensors **out, const void *bytes, size_t size, const char *name,
                               struct sr_error *err) {
    /* fmemopen takes no empty buffer, and no const one for a stream that is only read */
    void *place = (void *)(uintptr_t)(size ? bytes : "");
    return open_stream(out, fmemopen(place, size ? size : 1, "rb"), size, name, err);
}

void sr_safetensors_close(struct sr_safetensors *s) {
    if (!s)
        return;
    sr_safetensors_header_free(&s->header);
    sr_free(s->path);
    sr_free(s->data);
    sr_free(s);
}

/* ---- looking ---- */

const char *sr_safetensors_hash(const struct sr_safetensors *s) {
    return s->hash;
}

size_t sr_safetensors_count(const struct sr_safetensors *s) {
    return s->header.count;
}

const struct sr_tensor *sr_safetensors_at(const struct sr_safetensors *s, size_t index) {
    return index < s->header.count ? &s->header.tensors[index] : NULL;
}

const struct sr_tensor *sr_safetensors_find(const struct sr_safetensors *s, const char *name) {
    for (size_t i = 0; i < s->header.count; i++)
        if (strcmp(s->header.tensors[i].name, name) == 0)
            return &s->header.tensors[i];
    return NULL;
}

/* "F32 [256, 512]" into text. */
static const char *describe(char text[SR_TENSOR_RANK * 22 + 16], enum sr_dtype dtype, int rank,
                            const uint64_t *shape) {
    int at = sprintf(text, "%s [", dtypes[dtype].name);
    for (int i = 0; i < rank; i++)
        at += sprintf(text + at, "%s%" PRIu64, i ? ", " : "", shape[i]);
    /* the size is of the longest. NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.strcpy) */
    strcpy(text + at, "]");
    return text;
}

const struct sr_tensor *sr_safetensors_need(const struct sr_safetensors *s, const char *name,
                                            enum sr_dtype dtype, int rank, const uint64_t *shape,
                                            struct sr_error *err) {
    const struct sr_tensor *t = sr_safetensors_find(s, name);
    char wanted[SR_TENSOR_RANK * 22 + 16], found[SR_TENSOR_RANK * 22 + 16];
    describe(wanted, dtype, rank, shape);
    if (!t) {
        sr_fail(err, SR_DATA, "%s: tensor '%s' %s is missing", s->path, name, wanted);
        return NULL;
    }
    if (strcmp(wanted, describe(found, t->dtype, t->rank, t->shape)) != 0) {
        sr_fail(err, SR_DATA, "%s: tensor '%s' is %s where %s is needed", s->path, name, found, wanted);
        return NULL;
    }
    return t;
}

int sr_safetensors_copy(const struct sr_safetensors *s, const struct sr_tensor *list, size_t n,
                        struct sr_error *err) {
    for (size_t i = 0; i < n; i++) {
        const struct sr_tensor *to = &list[i],
                               *from = sr_safetensors_need(s, to->name, to->dtype, to->rank, to->shape, err);
        if (!from)
            return SR_DATA;
        const size_t bytes = (size_t)sr_tensor_bytes(from);
        if (bytes > 0) /* else data may be NULL */
            memcpy(to->data, from->data, bytes);
    }
    return SR_OK;
}

const char *sr_safetensors_metadata(const struct sr_safetensors *s, const char *key) {
    for (size_t i = 0; i < s->header.pair_count; i++)
        if (strcmp(s->header.pairs[i].key, key) == 0)
            return s->header.pairs[i].value;
    return NULL;
}

const struct sr_pair *sr_safetensors_pairs(const struct sr_safetensors *s, size_t *n) {
    *n = s->header.pair_count;
    return s->header.pairs;
}

/* ---- writing anew ---- */

static size_t pair_find(const struct sr_pair *pairs, size_t n, const char *key) {
    size_t i = 0;
    while (i < n && strcmp(pairs[i].key, key) != 0)
        i++;
    return i;
}

int sr_safetensors_rewrite(const char *to, const struct sr_safetensors *from, const struct sr_pair *pairs,
                           size_t n, struct sr_error *err) {
    const size_t kept = from->header.pair_count;
    size_t all = kept;
    struct sr_pair *merged = sr_alloc(kept + n, sizeof *merged, err);
    if (!merged)
        return SR_NOMEM;
    for (size_t i = 0; i < kept; i++)
        merged[i] = from->header.pairs[i];
    for (size_t i = 0; i < n; i++) {
        const size_t at = pair_find(merged, kept, pairs[i].key);
        merged[at < kept ? at : all++] = pairs[i];
    }
    const int status = sr_safetensors_write(to, from->header.tensors, from->header.count, merged, all, err);
    sr_free(merged);
    return status;
}
