/* safetensors.c: reads and writes the weights file; see safetensors.h.
 *
 * Nothing of a file is believed: the header's length is held against the file's before it is read, the
 * tensors' bytes must tile the data section exactly, and only then is memory taken for them. Each tensor is
 * read into a place of its own, aligned for its type whatever its offset in the file, and hashed on the way.
 * The file is read rather than mapped: a mapped file that somebody truncates kills the process.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "nn/base/alloc.h"
#include "nn/base/atomic_file.h"
#include "nn/base/json.h"
#include "nn/base/safetensors.h"
#include "nn/base/sha256.h"

#define HEADER_MAX 100000000u /* the format's own limit */
#define METADATA   "__metadata__"
#define HASH       "sha256"

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
        items *= t->shape[i];
    return items;
}

/* ---- writing ---- */

static void hash_tensors(char hex[65], const struct sr_tensor *tensors, size_t n) {
    struct sr_sha256 s;
    sr_sha256_begin(&s);
    for (size_t i = 0; i < n; i++)
        sr_sha256_add(&s, tensors[i].data, sr_tensor_items(&tensors[i]) * dtypes[tensors[i].dtype].size);
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

/* The header's text, padded with spaces so that the data section starts at a multiple of 8. NULL: a status in
 * err. */
static char *header_text(size_t *length, const struct sr_tensor *tensors, size_t n_tensors,
                         const struct sr_pair *metadata, size_t n_metadata, struct sr_error *err) {
    struct sr_json *header = sr_json_object(), *pairs = sr_json_object();
    char hex[65], *padded = NULL;
    uint64_t at = 0;
    size_t kept = 0;
    for (size_t i = 0; i < n_metadata; i++) {
        if (!metadata[i].value || strcmp(metadata[i].key, HASH) == 0)
            continue;
        sr_json_set(pairs, metadata[i].key, sr_json_string(metadata[i].value));
        kept++;
    }
    hash_tensors(hex, tensors, n_tensors);
    sr_json_set(pairs, HASH, sr_json_string(hex));
    const bool unique = sr_json_size(pairs) == kept + 1;
    sr_json_set(header, METADATA, pairs);
    for (size_t i = 0; i < n_tensors; i++) {
        const uint64_t end = at + sr_tensor_items(&tensors[i]) * dtypes[tensors[i].dtype].size;
        sr_json_set(header, tensors[i].name, tensor_entry(&tensors[i], at, end));
        at = end;
    }
    char *text = sr_json_text(header, 0, err);
    if (text && (!unique || sr_json_size(header) != n_tensors + 1)) {
        sr_fail(err, SR_BUG, "a name is used twice among the tensors or metadata of a weights file");
    } else if (text) {
        *length = (strlen(text) + 7) / 8 * 8;
        padded = sr_alloc(*length + 1, 1, err);
        if (padded)
            snprintf(padded, *length + 1, "%-*s", (int)*length, text);
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
    err = err ? err : &local;
    char *header = header_text(&length, tensors, n_tensors, metadata, n_metadata, err);
    int status = header ? sr_atomic_file_open(&f, path, err) : err->status;
    if (status == SR_OK) {
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

struct sr_safetensors {
    char *path;
    struct sr_json *header; /* owns the strings of pairs */
    struct sr_tensor *tensors;
    size_t count;
    struct sr_pair *pairs;
    size_t pair_count;
    void *data;
    char hash[65];
};

struct extent { /* a tensor's bytes in the data section */
    uint64_t begin, end;
    size_t index; /* in the header */
};

struct reader {
    struct sr_safetensors *s;
    FILE *from;
    const char *path;
    uint64_t data_bytes;
    struct extent *extents; /* [count] */
};

static int read_exactly(struct reader *r, void *to, uint64_t bytes, struct sr_error *err) {
    errno = 0;
    if (fread(to, 1, bytes, r->from) == bytes)
        return SR_OK;
    if (ferror(r->from))
        return sr_fail(err, SR_IO, "cannot read %s: %s", r->path, strerror(errno ? errno : EIO));
    return sr_fail(err, SR_DATA, "%s became shorter while it was read", r->path);
}

static int open_file(struct reader *r, uint64_t *file_bytes, struct sr_error *err) {
    struct stat st;
    r->from = fopen(r->path, "rbe");
    if (!r->from && (errno == ENOENT || errno == ENOTDIR))
        return sr_fail(err, SR_NOINPUT, "%s: no such file", r->path);
    if (!r->from || fstat(fileno(r->from), &st) < 0)
        return sr_fail(err, SR_IO, "cannot read %s: %s", r->path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return sr_fail(err, SR_NOINPUT,
                       "%s is a folder, not a weights file; in a run folder that is best.safetensors",
                       r->path);
    if (!S_ISREG(st.st_mode))
        return sr_fail(err, SR_NOINPUT, "%s is not a regular file", r->path);
    *file_bytes = (uint64_t)st.st_size;
    return SR_OK;
}

/* Length, text and syntax of the header; leaves the stream at the data section. */
static int read_header(struct reader *r, struct sr_error *err) {
    unsigned char prefix[8];
    uint64_t file_bytes = 0, length = 0;
    struct sr_error why;
    int status = open_file(r, &file_bytes, err);
    if (status < 0)
        return status;
    if (file_bytes < 8)
        return sr_fail(err, SR_DATA,
                       "%s is not a safetensors file: %" PRIu64 " bytes, too short for a header", r->path,
                       file_bytes);
    status = read_exactly(r, prefix, 8, err);
    if (status < 0)
        return status;
    for (int i = 0; i < 8; i++)
        length |= (uint64_t)prefix[i] << 8 * i;
    if (length > HEADER_MAX || length > file_bytes - 8)
        return sr_fail(err, SR_DATA,
                       "%s is not a whole safetensors file: its first 8 bytes announce a header of %" PRIu64
                       " bytes, but the file has %" PRIu64 " (and %u is the limit)",
                       r->path, length, file_bytes, HEADER_MAX);
    r->data_bytes = file_bytes - 8 - length;
    char *text = sr_alloc(length + 1, 1, err);
    if (!text)
        return SR_NOMEM;
    status = read_exactly(r, text, length, err);
    if (status == SR_OK && text[0] != '{')
        status = sr_fail(err, SR_DATA, "%s is not a safetensors file: its header does not begin with '{'",
                         r->path);
    if (status == SR_OK && (status = sr_json_parse(&r->s->header, text, length, &why)) < 0)
        sr_fail(err, status, "%s: header: %.400s", r->path, why.text);
    sr_free(text);
    return status;
}

static int read_metadata(struct reader *r, const struct sr_json *metadata, struct sr_error *err) {
    void *iter = NULL;
    const struct sr_json *value;
    if (!sr_json_is_object(metadata))
        return sr_fail(err, SR_DATA, "%s: header: " METADATA " is not an object", r->path);
    r->s->pairs = sr_alloc(sr_json_size(metadata), sizeof *r->s->pairs, err);
    if (!r->s->pairs)
        return SR_NOMEM;
    for (const char *key; (key = sr_json_next(metadata, &iter, &value));) {
        const char *text = sr_json_as_string(value);
        if (!text)
            return sr_fail(err, SR_DATA, "%s: header: " METADATA " '%.100s' is not a string", r->path, key);
        r->s->pairs[r->s->pair_count++] = (struct sr_pair){key, text};
    }
    return SR_OK;
}

static int fail_tensor(const struct reader *r, const char *name, struct sr_error *err, const char *what) {
    return sr_fail(err, SR_DATA, "%s: tensor '%.100s': %s", r->path, name, what);
}

static bool dtype_from(const char *text, enum sr_dtype *dtype) {
    for (int i = 0; text && i < SR_DTYPE_COUNT; i++)
        if (strcmp(text, dtypes[i].name) == 0) {
            *dtype = (enum sr_dtype)i;
            return true;
        }
    return false;
}

/* Rank, shape, and the bytes they make; false if the shape is none or too much. */
static bool shape_from(const struct sr_json *shape, struct sr_tensor *t, uint64_t *bytes) {
    *bytes = dtypes[t->dtype].size;
    if (!sr_json_is_array(shape) || sr_json_size(shape) > SR_TENSOR_RANK)
        return false;
    t->rank = (int)sr_json_size(shape);
    for (int i = 0; i < t->rank; i++) {
        int64_t extent;
        if (!sr_json_as_integer(sr_json_at(shape, (size_t)i), &extent) || extent < 0 ||
            __builtin_mul_overflow(*bytes, (uint64_t)extent, bytes))
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
    struct sr_tensor *t = &r->s->tensors[r->s->count];
    struct extent *e = &r->extents[r->s->count];
    uint64_t bytes;
    if (strlen(name) >= sizeof t->name)
        return fail_tensor(r, name, err, "its name is longer than 127 bytes");
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
    e->index = r->s->count++;
    return SR_OK;
}

static int read_entries(struct reader *r, struct sr_error *err) {
    const size_t room = sr_json_size(r->s->header);
    void *iter = NULL;
    const struct sr_json *value;
    int status = SR_OK;
    r->s->tensors = sr_alloc(room, sizeof *r->s->tensors, err);
    r->extents = sr_alloc(room, sizeof *r->extents, err);
    if (!r->s->tensors || !r->extents)
        return SR_NOMEM;
    for (const char *key; status == SR_OK && (key = sr_json_next(r->s->header, &iter, &value));)
        status = strcmp(key, METADATA) == 0 ? read_metadata(r, value, err) : read_entry(r, key, value, err);
    return status;
}

static int by_place(const void *a, const void *b) {
    const struct extent *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) /* an empty tensor comes before the one that begins at the same place */
        return x->end < y->end ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

/* Puts extents into file order and shows that they tile the data section. */
static int check_tiling(struct reader *r, struct sr_error *err) {
    uint64_t at = 0;
    qsort(r->extents, r->s->count, sizeof *r->extents, by_place);
    for (size_t i = 0; i < r->s->count; i++) {
        const struct extent *e = &r->extents[i];
        if (e->begin != at)
            return sr_fail(err, SR_DATA,
                           "%s: tensor '%s' begins at byte %" PRIu64 " of the data, %s at %" PRIu64, r->path,
                           r->s->tensors[e->index].name, e->begin,
                           e->begin < at ? "inside another that ends" : "behind a hole that begins", at);
        at = e->end;
    }
    if (at != r->data_bytes)
        return sr_fail(
            err, SR_DATA, "%s: its tensors take %" PRIu64 " bytes, but %" PRIu64 " follow the header: %s",
            r->path, at, r->data_bytes, at > r->data_bytes ? "the file is cut off" : "trailing bytes");
    return SR_OK;
}

static size_t padded(uint64_t bytes) {
    return (size_t)((bytes + 7) / 8 * 8);
}

/* Reads and hashes the tensors in file order, and puts the table of tensors into that order. */
static int read_data(struct reader *r, char hex[65], struct sr_error *err) {
    struct sr_safetensors *s = r->s;
    struct sr_sha256 hash;
    unsigned char *place;
    s->data = place = sr_alloc(r->data_bytes + 7 * s->count, 1, err); /* at most 7 bytes of padding each */
    struct sr_tensor *ordered = sr_alloc(s->count, sizeof *ordered, err);
    int status = place && ordered ? SR_OK : SR_NOMEM;
    sr_sha256_begin(&hash);
    for (size_t i = 0; status == SR_OK && i < s->count; i++) {
        const struct extent *e = &r->extents[i];
        ordered[i] = s->tensors[e->index];
        ordered[i].data = place;
        status = read_exactly(r, place, e->end - e->begin, err);
        sr_sha256_add(&hash, place, e->end - e->begin);
        place += padded(e->end - e->begin);
    }
    sr_sha256_end(&hash, hex);
    if (status < 0) {
        sr_free(ordered);
        return status;
    }
    sr_free(s->tensors);
    s->tensors = ordered;
    return SR_OK;
}

int sr_safetensors_open(struct sr_safetensors **out, const char *path, struct sr_error *err) {
    struct reader r = {.path = path};
    *out = NULL;
    r.s = sr_alloc(1, sizeof *r.s, err);
    if (!r.s)
        return SR_NOMEM;
    r.s->path = sr_strdup(path, err);
    int status = r.s->path ? read_header(&r, err) : SR_NOMEM;
    if (status == SR_OK)
        status = read_entries(&r, err);
    if (status == SR_OK)
        status = check_tiling(&r, err);
    if (status == SR_OK)
        status = read_data(&r, r.s->hash, err);
    const char *hash = sr_safetensors_metadata(r.s, HASH);
    if (status == SR_OK && hash && strcmp(hash, r.s->hash) != 0)
        status = sr_fail(err, SR_DATA,
                         "%s is damaged: the SHA-256 of its data is not the one in its metadata", path);
    if (r.from)
        fclose(r.from);
    sr_free(r.extents);
    if (status == SR_OK)
        *out = r.s;
    else
        sr_safetensors_close(r.s);
    return status;
}

void sr_safetensors_close(struct sr_safetensors *s) {
    if (!s)
        return;
    sr_free(s->path);
    sr_json_free(s->header);
    sr_free(s->tensors);
    sr_free(s->pairs);
    sr_free(s->data);
    sr_free(s);
}

/* ---- looking ---- */

const char *sr_safetensors_hash(const struct sr_safetensors *s) {
    return s->hash;
}

size_t sr_safetensors_count(const struct sr_safetensors *s) {
    return s->count;
}

const struct sr_tensor *sr_safetensors_at(const struct sr_safetensors *s, size_t index) {
    return index < s->count ? &s->tensors[index] : NULL;
}

const struct sr_tensor *sr_safetensors_find(const struct sr_safetensors *s, const char *name) {
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->tensors[i].name, name) == 0)
            return &s->tensors[i];
    return NULL;
}

/* "F32 [256, 512]" into text. */
static const char *describe(char text[SR_TENSOR_RANK * 22 + 16], enum sr_dtype dtype, int rank,
                            const uint64_t *shape) {
    int at = sprintf(text, "%s [", dtypes[dtype].name);
    for (int i = 0; i < rank; i++)
        at += sprintf(text + at, "%s%" PRIu64, i ? ", " : "", shape[i]);
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
        const size_t bytes = (size_t)sr_tensor_items(from) * dtypes[from->dtype].size;
        if (bytes > 0) /* else data may be NULL */
            memcpy(to->data, from->data, bytes);
    }
    return SR_OK;
}

const char *sr_safetensors_metadata(const struct sr_safetensors *s, const char *key) {
    for (size_t i = 0; i < s->pair_count; i++)
        if (strcmp(s->pairs[i].key, key) == 0)
            return s->pairs[i].value;
    return NULL;
}

const struct sr_pair *sr_safetensors_pairs(const struct sr_safetensors *s, size_t *n) {
    *n = s->pair_count;
    return s->pairs;
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
    const size_t kept = from->pair_count;
    size_t all = kept;
    struct sr_pair *merged = sr_alloc(kept + n, sizeof *merged, err);
    if (!merged)
        return SR_NOMEM;
    for (size_t i = 0; i < kept; i++)
        merged[i] = from->pairs[i];
    for (size_t i = 0; i < n; i++) {
        const size_t at = pair_find(merged, kept, pairs[i].key);
        merged[at < kept ? at : all++] = pairs[i];
    }
    const int status = sr_safetensors_write(to, from->tensors, from->count, merged, all, err);
    sr_free(merged);
    return status;
}
