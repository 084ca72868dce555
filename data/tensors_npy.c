/* tensors_npy.c: one array as numpy.save writes it (format 1.0 to 3.0); see tensors_format.h.
 *
 * Layout: "\x93NUMPY", two bytes of version, the header's length (2 bytes, from 2.0 on 4, little-endian), a
 * Python dict as text {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, then the items (NEP 1).
 * The dict is read by a parser that knows these three keys and nothing else. Refused: big-endian and
 * Fortran-ordered arrays, which NumPy turns round in one call, and types that are no plain numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "data/tensors_format.h"
#include "nn/base/sizes.h"
#include "nn/base/utf8.h"

#define MAGIC      "\x93NUMPY"
#define HEADER_MAX 10000 /* bytes of the dict, as NumPy's max_header_size; numpy.save pads it to some 118 */

struct in {
    uint64_t data_at; /* byte of the file where the items begin */
};

/* The dict's text while it is parsed. */
struct header {
    const char *path, *at;
    char descr[64];
    bool fortran;
    int seen; /* a bit for each of the three keys */
    struct sr_tensor_info *info;
};

static bool is_npy(const unsigned char *head) {
    return memcmp(head, MAGIC, 6) == 0;
}

static int malformed(const struct header *h, struct sr_error *err) {
    char near[32];
    return sr_fail(err, SR_DATA, "%s: the header of this .npy is not one that numpy.save writes, at \"%s\"",
                   h->path, sr_utf8_clean(near, sizeof near, h->at));
}

static bool skip(struct header *h, const char *word) {
    h->at += strspn(h->at, " \n");
    const size_t n = strlen(word);
    if (strncmp(h->at, word, n) != 0)
        return false;
    h->at += n;
    return true;
}

/* A quoted word without escapes into to. */
static bool take_quoted(struct header *h, char to[64]) {
    h->at += strspn(h->at, " \n");
    const char quote = *h->at;
    if (quote != '\'' && quote != '"')
        return false;
    const char *end = strchr(h->at + 1, quote);
    const size_t n = end ? (size_t)(end - h->at - 1) : 64;
    if (n >= 64)
        return false;
    memcpy(to, h->at + 1, n);
    to[n] = '\0';
    h->at = end + 1;
    return true;
}

static bool take_size(struct header *h, uint64_t *size) {
    h->at += strspn(h->at, " \n");
    const char *begin = h->at;
    for (*size = 0; *h->at >= '0' && *h->at <= '9'; h->at++)
        if (!sr_size_mul(size, *size, 10) || !sr_size_add(size, *size, (uint64_t)(*h->at - '0')))
            return false;
    return h->at > begin && (*begin != '0' || h->at == begin + 1); /* Python knows no 02 */
}

static int take_shape(struct header *h, struct sr_error *err) {
    struct sr_tensor_info *info = h->info;
    bool comma = false;
    if (!skip(h, "("))
        return malformed(h, err);
    for (info->rank = 0; !skip(h, ")"); info->rank++) {
        if (info->rank == SR_TENSOR_RANK)
            return sr_fail(err, SR_DATA, "%s: an array of more than %d dimensions", h->path, SR_TENSOR_RANK);
        if (!take_size(h, &info->shape[info->rank]))
            return malformed(h, err);
        if (*h->at == 'L')
            return sr_fail(err, SR_DATA,
                           "%s was saved by Python 2 (2L in its shape); numpy.load it and save it again",
                           h->path);
        comma = skip(h, ",");
        if (!comma && *h->at != ')')
            return malformed(h, err);
    }
    if (info->rank == 1 && !comma) /* (3) is a number, not a shape */
        return malformed(h, err);
    return SR_OK;
}

static int take_entry(struct header *h, struct sr_error *err) {
    char key[64];
    int bit = 0;
    if (!take_quoted(h, key) || !skip(h, ":"))
        return malformed(h, err);
    if (strcmp(key, "descr") == 0) {
        bit = 1;
        if (skip(h, "["))
            return sr_fail(err, SR_DATA, "%s: a structured array; save each of its fields by itself",
                           h->path);
        if (!take_quoted(h, h->descr))
            return malformed(h, err);
    } else if (strcmp(key, "fortran_order") == 0) {
        bit = 2;
        h->fortran = skip(h, "True");
        if (!h->fortran && !skip(h, "False"))
            return malformed(h, err);
    } else if (strcmp(key, "shape") == 0) {
        bit = 4;
        const int status = take_shape(h, err);
        if (status < 0)
            return status;
    }
    if (bit == 0 || h->seen & bit)
        return malformed(h, err);
    h->seen |= bit;
    return SR_OK;
}

static int parse_dict(struct header *h, struct sr_error *err) {
    int status = SR_OK;
    if (*h->at != '{') /* a line in front of it would be one of Python's */
        return malformed(h, err);
    h->at++;
    while (status == SR_OK && !skip(h, "}")) {
        status = take_entry(h, err);
        if (status == SR_OK && !skip(h, ",") && *h->at != '}')
            status = malformed(h, err);
    }
    skip(h, ""); /* what is behind it */
    if (status == SR_OK && *h->at != '\0')
        status = malformed(h, err);
    return status == SR_OK && h->seen != 7 ? malformed(h, err) : status;
}

/* "<f4" and so on. One-byte types have no order and are written with "|". */
static bool dtype_from(const char *descr, enum sr_dtype *dtype) {
    static const struct {
        const char *descr;
        enum sr_dtype dtype;
    } known[] = {{"<f2", SR_F16}, {"<f4", SR_F32}, {"<f8", SR_F64}, {"|b1", SR_BOOL},
                 {"|u1", SR_U8},  {"|i1", SR_I8},  {"<i2", SR_I16}, {"<u2", SR_U16},
                 {"<i4", SR_I32}, {"<u4", SR_U32}, {"<i8", SR_I64}, {"<u8", SR_U64}};
    for (size_t i = 0; i < SR_COUNT(known); i++)
        if (strcmp(descr, known[i].descr) == 0) {
            *dtype = known[i].dtype;
            return true;
        }
    return false;
}

static int check_type(struct header *h, struct sr_error *err) {
    char clean[64];
    if (dtype_from(h->descr, &h->info->dtype))
        return SR_OK;
    sr_utf8_clean(clean, sizeof clean, h->descr);
    if (h->descr[0] == '>')
        return sr_fail(err, SR_DATA,
                       "%s holds big-endian values (%s); save x.astype(x.dtype.newbyteorder('<')) instead",
                       h->path, clean);
    if (h->descr[0] && h->descr[1] == 'O')
        return sr_fail(err, SR_DATA,
                       "%s holds Python objects (%s), a pickle that could run a program when it is loaded; "
                       "save an array of numbers",
                       h->path, clean);
    return sr_fail(err, SR_DATA,
                   "%s holds values of type '%s'; read are float16 to float64, bool and integers%s", h->path,
                   clean,
                   h->descr[0] && h->descr[1] == 'V' ? " (bfloat16: save a safetensors or .pt file)" : "");
}

/* NumPy counts in int64, and leaves out the dimensions of 0 when it looks whether an array is too big. */
static bool numpy_counts(const struct sr_tensor_info *info) {
    uint64_t bytes = sr_dtype_size(info->dtype);
    bool fits = true;
    for (int i = 0; i < info->rank; i++)
        fits = (info->shape[i] == 0 || sr_size_mul(&bytes, bytes, info->shape[i])) && fits;
    return fits && bytes <= INT64_MAX;
}

/* Items times their size must be what is left of the file. */
static int check_size(const struct sr_tensors *t, const struct header *h, uint64_t left,
                      struct sr_error *err) {
    uint64_t bytes = sr_dtype_size(h->info->dtype);
    bool fits = true;
    for (int i = 0; i < h->info->rank; i++)
        fits = sr_size_mul(&bytes, bytes, h->info->shape[i]) && fits;
    if (fits && bytes == left && !numpy_counts(h->info))
        return sr_fail(
            err, SR_DATA,
            "%s: its shape has a 0, but its other sizes make more than 2^63 bytes, which NumPy refuses",
            t->path);
    if (fits && bytes == left)
        return SR_OK;
    return sr_fail(err, SR_DATA,
                   "%s: its shape makes %s%" PRIu64 " bytes, but %" PRIu64 " follow the header: %s", t->path,
                   fits ? "" : "more than 2^64, modulo that ", bytes, left,
                   fits && bytes < left ? "more than one array was saved into it" : "it is cut off");
}

static bool one_dimension(const struct sr_tensor_info *info) {
    int long_ones = 0;
    for (int i = 0; i < info->rank; i++)
        if (info->shape[i] != 1)
            long_ones++;
    return long_ones <= 1;
}

/* Version and length of the dict; *at: where it begins. */
static int read_length(const struct sr_tensors *t, uint64_t *at, uint32_t *length, struct sr_error *err) {
    unsigned char start[12] = {0};
    const size_t n = t->file_bytes < sizeof start ? (size_t)t->file_bytes : sizeof start;
    const int status = sr_tensors_bytes(t, 0, start, n, err);
    if (status < 0)
        return status;
    if (start[6] < 1 || start[6] > 3 || start[7] != 0)
        return sr_fail(err, SR_DATA, "%s is of .npy version %d.%d; 1.0 to 3.0 are known", t->path, start[6],
                       start[7]);
    *at = start[6] == 1 ? 10 : 12;
    *length = (uint32_t)start[8] | (uint32_t)start[9] << 8;
    if (start[6] > 1)
        *length |= (uint32_t)start[10] << 16 | (uint32_t)start[11] << 24;
    if (*length > HEADER_MAX || !sr_size_within(*at, *length, t->file_bytes))
        return sr_fail(err, SR_DATA,
                       "%s: its header is to have %" PRIu32 " bytes; the file has %" PRIu64
                       ", and more than %d are not read",
                       t->path, *length, t->file_bytes, HEADER_MAX);
    return SR_OK;
}

static int read_header(struct sr_tensors *t, struct in *in, char *text, uint64_t at, uint32_t length,
                       struct sr_error *err) {
    struct header h = {.path = t->path, .at = text, .info = t->info};
    int status = sr_tensors_bytes(t, at, text, length, err);
    if (status == SR_OK)
        status = parse_dict(&h, err);
    if (status == SR_OK && (size_t)(h.at - text) < length) /* behind a NUL */
        status = malformed(&h, err);
    if (status == SR_OK)
        status = check_type(&h, err);
    if (status == SR_OK && h.fortran && !one_dimension(h.info))
        status = sr_fail(err, SR_DATA,
                         "%s lies column by column (fortran_order); save np.ascontiguousarray(x) instead",
                         t->path);
    in->data_at = sr_size_sum(at, length);
    return status == SR_OK ? check_size(t, &h, t->file_bytes - in->data_at, err) : status;
}

static int open_npy(struct sr_tensors *t, struct sr_error *err) {
    uint64_t at = 0;
    uint32_t length = 0;
    t->in = sr_alloc(1, sizeof(struct in), err);
    t->info = sr_alloc(1, sizeof *t->info, err);
    int status = t->in && t->info ? read_length(t, &at, &length, err) : SR_NOMEM;
    if (status < 0)
        return status;
    char *text = sr_alloc(sr_size_sum(length, 1), 1, err);
    status = text ? read_header(t, t->in, text, at, length, err) : SR_NOMEM;
    t->count = status == SR_OK ? 1 : 0;
    sr_free(text);
    return status;
}

static void close_npy(struct sr_tensors *t) {
    sr_free(t->in);
}

static int read_npy(struct sr_tensors *t, size_t i, uint64_t at, void *out, size_t bytes,
                    struct sr_error *err) {
    const struct in *in = t->in;
    (void)i;
    return sr_tensors_bytes(t, sr_size_sum(in->data_at, at), out, bytes, err);
}

const struct sr_tensors_format sr_tensors_npy = {".npy", is_npy, open_npy, close_npy, read_npy};
