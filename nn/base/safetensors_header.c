/* safetensors_header.c: the header of a weights file, read and held against the format; see
 * safetensors_header.h.
 *
 * Nothing of a file is believed: the header's length is held against the file's before it is read, shapes
 * against offsets, and the tensors' bytes must tile the data section exactly. The data is not touched.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "nn/base/alloc.h"
#include "nn/base/json.h"
#include "nn/base/safetensors_header.h"
#include "nn/base/sha256.h"
#include "nn/base/sizes.h"

struct extent { /* a tensor's bytes in the data section */
    uint64_t begin, end;
    size_t index; /* in the header */
};

struct reader {
    struct sr_safetensors_header *h;
    FILE *from;
    uint64_t file_bytes;
    const char *path;
    struct extent *extents; /* [count] */
    char sum[65];           /* of the header, as it is; "" where it has none */
    bool minus;             /* the header has a '-' outside of a text */
};

uint64_t sr_tensor_bytes(const struct sr_tensor *t) {
    return sr_size_times(sr_tensor_items(t), sr_dtype_size(t->dtype));
}

int sr_safetensors_next_bytes(void *to, uint64_t bytes, FILE *from, const char *path, struct sr_error *err) {
    errno = 0;
    if (fread(to, 1, bytes, from) == bytes)
        return SR_OK;
    if (ferror(from))
        return sr_fail_io(err, "read", path);
    return sr_fail(err, SR_DATA, "%s became shorter while it was read", path);
}

char *sr_safetensors_sum(char hex[65], char *text, size_t length) {
    static const char name[] = "\"" SR_SAFETENSORS_SUM "\":\"";
    const size_t before = sizeof name - 1;
    unsigned char prefix[8];
    char value[64];
    struct sr_sha256 hash;
    char *at = memmem(text, length, name, before);
    if (!at || !sr_size_within((size_t)(at - text), before + sizeof value, length))
        return NULL;
    at += before;
    memcpy(value, at, sizeof value);
    memset(at, '0', sizeof value);
    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)((uint64_t)length >> 8 * i);
    sr_sha256_begin(&hash);
    sr_sha256_add(&hash, prefix, sizeof prefix);
    sr_sha256_add(&hash, text, length);
    sr_sha256_end(&hash, hex);
    memcpy(at, value, sizeof value);
    return at;
}

/* In a text of JSON. There are no negative numbers in a header; -0 would be read as 0. */
static bool has_minus(const char *text, size_t length) {
    bool quoted = false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"')
            quoted = !quoted;
        else if (quoted && text[i] == '\\')
            i++;
        else if (!quoted && text[i] == '-')
            return true;
    }
    return false;
}

/* What is given for weights by mistake begins with no length of a header. */
static int fail_kind(const struct reader *r, const unsigned char prefix[8], uint64_t length,
                     struct sr_error *err) {
    if (memcmp(prefix, "\x89HDF\r\n\x1a\n", 8) == 0)
        return sr_fail(err, SR_DATA, "%s is no safetensors file but HDF5, as feature dumps are", r->path);
    if (memcmp(prefix, "PK\3\4", 4) == 0)
        return sr_fail(
            err, SR_DATA,
            "%s is no safetensors file but an archive, as torch.save writes; saferoute import makes weights "
            "of it",
            r->path);
    if (length > SR_SAFETENSORS_HEADER_MAX)
        return sr_fail(err, SR_DATA,
                       "%s is no safetensors file: its first 8 bytes announce a header of %" PRIu64
                       " bytes, and at most %u are read",
                       r->path, length, SR_SAFETENSORS_HEADER_MAX);
    return sr_fail(err, SR_DATA,
                   "%s is not a whole safetensors file: its first 8 bytes announce a header of %" PRIu64
                   " bytes, but the file has %" PRIu64,
                   r->path, length, r->file_bytes);
}

/* Length, text and syntax of the header; leaves the stream at the data section. */
static int read_header(struct reader *r, struct sr_error *err) {
    unsigned char prefix[8];
    const uint64_t file_bytes = r->file_bytes;
    struct sr_error why;
    if (file_bytes < 8)
        return sr_fail(err, SR_DATA,
                       "%s is not a safetensors file: %" PRIu64 " bytes, too short for a header", r->path,
                       file_bytes);
    int status = sr_safetensors_next_bytes(prefix, 8, r->from, r->path, err);
    if (status < 0)
        return status;
    const uint64_t length = sr_little_endian(prefix, 8);
    if (length > SR_SAFETENSORS_HEADER_MAX || !sr_size_within(8, length, file_bytes))
        return fail_kind(r, prefix, length, err);
    r->h->data_at = sr_size_sum(8, length);
    r->h->data_bytes = file_bytes - r->h->data_at;
    char *text = sr_alloc(sr_size_sum(length, 1), 1, err);
    if (!text)
        return SR_NOMEM;
    status = sr_safetensors_next_bytes(text, length, r->from, r->path, err);
    if (status == SR_OK && text[0] != '{')
        status = sr_fail(err, SR_DATA, "%s is not a safetensors file: its header does not begin with '{'",
                         r->path);
    if (status == SR_OK && (status = sr_json_parse(&r->h->json, text, length, &why)) < 0)
        sr_fail(err, status, "%s: header: %.400s", r->path, why.text);
    if (status == SR_OK && !sr_safetensors_sum(r->sum, text, length))
        r->sum[0] = '\0';
    r->minus = status == SR_OK && has_minus(text, length);
    sr_free(text);
    return status;
}

/* A key that one flipped bit makes SR_SAFETENSORS_SUM. */
static bool is_nearly_sum(const char *key) {
    static const char sum[] = SR_SAFETENSORS_SUM;
    int bits = 0;
    if (strlen(key) != sizeof sum - 1)
        return false;
    for (size_t i = 0; i < sizeof sum - 1; i++)
        bits += __builtin_popcount((unsigned char)(key[i] ^ sum[i]));
    return bits == 1;
}

/* SR_NO: the pair is another. */
static int check_sum(const struct reader *r, const char *key, const char *value, struct sr_error *err) {
    if (strcmp(key, SR_SAFETENSORS_SUM) == 0 ? strcmp(value, r->sum) != 0 : is_nearly_sum(key))
        return sr_fail(
            err, SR_DATA,
            "%s is damaged: the SHA-256 of its header is not the one in its metadata (where another "
            "program wrote it anew with the old metadata: leave " SR_SAFETENSORS_SUM " out)",
            r->path);
    return strcmp(key, SR_SAFETENSORS_SUM) == 0 ? SR_OK : SR_NO;
}

static int read_metadata(struct reader *r, const struct sr_json *metadata, struct sr_error *err) {
    void *iter = NULL;
    const struct sr_json *value;
    if (!sr_json_is_object(metadata))
        return sr_fail(err, SR_DATA, "%s: header: " SR_SAFETENSORS_METADATA " is not an object", r->path);
    r->h->pairs = sr_alloc(sr_json_size(metadata), sizeof *r->h->pairs, err);
    if (!r->h->pairs)
        return SR_NOMEM;
    for (const char *key; (key = sr_json_next(metadata, &iter, &value));) {
        const char *text = sr_json_as_string(value);
        if (!text)
            return sr_fail(err, SR_DATA, "%s: header: " SR_SAFETENSORS_METADATA " '%.100s' is not a string",
                           r->path, key);
        const int status = check_sum(r, key, text, err);
        if (status == SR_NO)
            r->h->pairs[r->h->pair_count++] = (struct sr_pair){key, text};
        else if (status < 0)
            return status;
    }
    return SR_OK;
}

static int fail_tensor(const struct reader *r, const char *name, struct sr_error *err, const char *what) {
    return sr_fail(err, SR_DATA, "%s: tensor '%.100s': %s", r->path, name, what);
}

static bool dtype_from(const char *text, enum sr_dtype *dtype) {
    for (int i = 0; text && i < SR_DTYPE_COUNT; i++)
        if (strcmp(text, sr_dtype_name((enum sr_dtype)i)) == 0) {
            *dtype = (enum sr_dtype)i;
            return true;
        }
    return false;
}

/* Rank, shape, and the bytes they make; false if the shape is none or too much. */
static bool shape_from(const struct sr_json *shape, struct sr_tensor *t, uint64_t *bytes) {
    *bytes = sr_dtype_size(t->dtype);
    if (!sr_json_is_array(shape) || sr_json_size(shape) > SR_TENSOR_RANK)
        return false;
    t->rank = (int)sr_json_size(shape);
    for (int i = 0; i < t->rank; i++) {
        int64_t extent;
        if (!sr_json_as_integer(sr_json_at(shape, (size_t)i), &extent) || extent < 0 ||
            !sr_size_mul(bytes, *bytes, (uint64_t)extent))
            return false;
        t->shape[i] = (uint64_t)extent;
    }
    return true;
}

static bool offsets_from(const struct sr_json *offsets, struct extent *e) {
    int64_t begin, end;
    if (!sr_json_is_array(offsets) || sr_json_size(offsets) != 2 ||
        !sr_json_as_integer(sr_json_at(offsets, 0), &begin) ||
        !sr_json_as_integer(sr_json_at(offsets, 1), &end) || begin < 0 || end < begin)
        return false;
    e->begin = (uint64_t)begin;
    e->end = (uint64_t)end;
    return true;
}

/* One entry of the header into the next tensor and extent. */
static int read_entry(struct reader *r, const char *name, const struct sr_json *entry, struct sr_error *err) {
    struct sr_tensor *t = &r->h->tensors[r->h->count];
    struct extent *e = &r->extents[r->h->count];
    uint64_t bytes;
    if (strlen(name) >= sizeof t->name)
        return fail_tensor(r, name, err, "its name is longer than 127 bytes");
    /* measured above. NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.strcpy) */
    strcpy(t->name, name);
    if (!dtype_from(sr_json_as_string(sr_json_get(entry, "dtype")), &t->dtype))
        return fail_tensor(r, name, err, "dtype is missing or not one of those known here");
    if (!shape_from(sr_json_get(entry, "shape"), t, &bytes))
        return fail_tensor(r, name, err, "shape is not a list of at most 8 sizes with a product below 2^64");
    if (!offsets_from(sr_json_get(entry, "data_offsets"), e))
        return fail_tensor(r, name, err, "data_offsets are not two ascending numbers");
    if (e->end - e->begin != bytes)
        return sr_fail(err, SR_DATA,
                       "%s: tensor '%s': its shape makes %" PRIu64 " bytes, its data_offsets %" PRIu64,
                       r->path, name, bytes, e->end - e->begin);
    e->index = r->h->count++;
    return SR_OK;
}

static int read_entries(struct reader *r, struct sr_error *err) {
    const size_t room = sr_json_size(r->h->json);
    void *iter = NULL;
    const struct sr_json *value;
    int status = SR_OK;
    r->h->tensors = sr_alloc(room, sizeof *r->h->tensors, err);
    r->extents = sr_alloc(room, sizeof *r->extents, err);
    if (!r->h->tensors || !r->extents)
        return SR_NOMEM;
    for (const char *key; status == SR_OK && (key = sr_json_next(r->h->json, &iter, &value));)
        status = strcmp(key, SR_SAFETENSORS_METADATA) == 0 ? read_metadata(r, value, err)
                                                           : read_entry(r, key, value, err);
    return status;
}

static int by_place(const void *a, const void *b) {
    const struct extent *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) /* an empty tensor comes before the one that begins at the same place */
        return x->end < y->end ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Puts extents into file order and shows that they tile the data section. */
static int check_tiling(struct reader *r, struct sr_error *err) {
    uint64_t at = 0;
    qsort(r->extents, r->h->count, sizeof *r->extents, by_place);
    for (size_t i = 0; i < r->h->count; i++) {
        const struct extent *e = &r->extents[i];
        if (e->begin != at)
            return sr_fail(err, SR_DATA,
                           "%s: tensor '%s' begins at byte %" PRIu64 " of the data, %s at %" PRIu64, r->path,
                           r->h->tensors[e->index].name, e->begin,
                           e->begin < at ? "inside another that ends" : "behind a hole that begins", at);
        at = e->end;
    }
    if (at != r->h->data_bytes)
        return sr_fail(
            err, SR_DATA, "%s: its tensors take %" PRIu64 " bytes, but %" PRIu64 " follow the header: %s",
            r->path, at, r->h->data_bytes, at > r->h->data_bytes ? "the file is cut off" : "trailing bytes");
    return SR_OK;
}

/* The table of tensors into the order of their bytes. */
static int sort_tensors(struct reader *r, struct sr_error *err) {
    struct sr_tensor *ordered = sr_alloc(r->h->count, sizeof *ordered, err);
    if (!ordered)
        return SR_NOMEM;
    for (size_t i = 0; i < r->h->count; i++)
        ordered[i] = r->h->tensors[r->extents[i].index];
    sr_free(r->h->tensors);
    r->h->tensors = ordered;
    return SR_OK;
}

int sr_safetensors_header_read(struct sr_safetensors_header *h, FILE *from, uint64_t file_bytes,
                               const char *path, struct sr_error *err) {
    struct reader r = {.h = h, .from = from, .file_bytes = file_bytes, .path = path};
    *h = (struct sr_safetensors_header){0};
    int status = read_header(&r, err);
    if (status == SR_OK)
        status = read_entries(&r, err);
    if (status == SR_OK && r.minus)
        status = sr_fail(err, SR_DATA, "%s: header: a number with a minus", path);
    if (status == SR_OK)
        status = check_tiling(&r, err);
    if (status == SR_OK)
        status = sort_tensors(&r, err);
    sr_free(r.extents);
    return status;
}

void sr_safetensors_header_free(struct sr_safetensors_header *h) {
    sr_free(h->tensors);
    sr_free(h->pairs);
    sr_json_free(h->json);
    *h = (struct sr_safetensors_header){0};
}
