/* h5_read.c: columns, whole or a band at a time. See h5.h.
 *
 * HDF5 converts them to one type; only 16-bit floats are converted by ourselves. Bands need a chunk cache
 * that holds a chunk, else each band would unpack it again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#include "data/h5.h"
#include "data/h5_sound.h"
#include "data/h5_ways.h"
#include "nn/base/sizes.h"

#define CACHE_SLOTS 12289 /* hash slots of the chunk cache; a prime, far above the chunks held */

#define CACHE_DEFAULT ((size_t)1 << 20) /* HDF5's own */

#define COLUMN_BAND  ((size_t)65536)   /* rows of a column at a time */
#define FIXED_BYTES  ((size_t)4 << 20) /* of fixed strings at a time */
#define COLUMN_RATIO 2048              /* gzip makes at most 1032 bytes of one */

/* Strings of variable length. */
#define TEXTS_BAND   ((size_t)1024)       /* rows at a time */
#define TEXTS_FIRST  ((size_t)4096)       /* bytes */
#define TEXTS_FREE   ((uint64_t)64 << 20) /* bytes that any file may make of its strings */
#define TEXTS_RATIO  64                   /* or so many for each byte it has */
#define HANDLE_BYTES 16                   /* of a string in the file */

static void swap_bytes(uint16_t *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = (uint16_t)(x[i] << 8 | x[i] >> 8);
}

static bool is_big_endian(hid_t type) {
    return H5Tget_class(type) != H5T_OPAQUE && H5Tget_order(type) == H5T_ORDER_BE;
}

/* ---- columns ---- */

/* With all its chunks looked at: a handle, or a negative status. */
static hid_t open_column(const struct sr_h5 *f, const char *name, hid_t access_list, struct sr_error *err) {
    char where[SR_H5_WHERE];
    const hid_t dataset = sr_h5_open_values(f, name, access_list, err);
    const int status = dataset < 0 ? 0 : sr_h5_sound_whole(dataset, sr_h5_where(where, f, name), err);
    if (status < 0)
        H5Dclose(dataset);
    return status < 0 ? status : dataset;
}

static int read_column(const struct sr_h5 *f, const char *name, hid_t dataset, hid_t type, void *out,
                       struct sr_error *err) {
    if (H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0)
        return sr_h5_fail(err, SR_DATA, "%s: /%s cannot be read", f->path, name);
    return 0;
}

int sr_h5_here_read_integers(const struct sr_h5 *f, const char *name, int64_t *out, size_t rows,
                             struct sr_error *err) {
    (void)rows;
    sr_h5_lock();
    const hid_t dataset = open_column(f, name, H5P_DEFAULT, err);
    int status = (int)dataset;
    if (dataset >= 0) {
        const hid_t type = H5Dget_type(dataset);
        const bool has_sign = H5Tget_class(type) == H5T_ENUM || H5Tget_sign(type) == H5T_SGN_2;
        status = read_column(f, name, dataset, has_sign ? H5T_NATIVE_INT64 : H5T_NATIVE_UINT64, out, err);
        H5Tclose(type);
        H5Dclose(dataset);
    }
    sr_h5_unlock();
    return status;
}

/* raw may be swapped in place. */
static void halves_to_doubles(double *out, uint16_t *raw, size_t n, enum sr_h5_kind kind, bool swap) {
    if (swap)
        swap_bytes(raw, n);
    for (size_t i = 0; i < n; i++) {
        float value;
        sr_feature_to_float(&value, raw + i, 1, kind == SR_H5_HALF ? SR_FEATURE_HALF : SR_FEATURE_BFLOAT);
        out[i] = (double)value;
    }
}

static int read_halves(const struct sr_h5 *f, const char *name, hid_t dataset, double *out, size_t rows,
                       enum sr_h5_kind kind, struct sr_error *err) {
    uint16_t *raw = sr_alloc(rows, sizeof *raw, err);
    if (!raw)
        return SR_NOMEM;
    hid_t type = H5Dget_type(dataset);
    int status = read_column(f, name, dataset, type, raw, err);
    halves_to_doubles(out, raw, rows, kind, is_big_endian(type));
    H5Tclose(type);
    sr_free(raw);
    return status;
}

int sr_h5_here_read_doubles(const struct sr_h5 *f, const char *name, double *out, size_t rows,
                            struct sr_error *err) {
    struct sr_h5_info info;
    int status;
    sr_h5_lock();
    status = sr_h5_info(f, name, &info, err);
    const hid_t dataset = status < 0 ? status : open_column(f, name, H5P_DEFAULT, err);
    if (dataset >= 0) {
        if (info.kind == SR_H5_HALF || info.kind == SR_H5_BFLOAT)
            status = read_halves(f, name, dataset, out, rows, info.kind, err);
        else
            status = read_column(f, name, dataset, H5T_NATIVE_DOUBLE, out, err);
        H5Dclose(dataset);
    } else {
        status = (int)dataset;
    }
    sr_h5_unlock();
    return status;
}

/* ---- columns by bands ---- */

struct bands {
    hid_t dataset, space, type; /* type: of memory; the file's own for 16-bit values */
    enum sr_h5_kind kind;
    hsize_t rows;
    double *values; /* [COLUMN_BAND] */
    uint16_t *raw;  /* [COLUMN_BAND], of 16-bit values */
};

/* With room in the cache for one chunk: bands smaller than that would unpack it again and again. A handle, or
 * a negative status. */
static hid_t open_cached(const struct sr_h5 *f, const char *name, size_t item, struct sr_error *err) {
    hsize_t chunk = 0;
    const hid_t plain = open_column(f, name, H5P_DEFAULT, err);
    if (plain < 0)
        return plain;
    const hid_t access_list = H5Pcreate(H5P_DATASET_ACCESS), create = H5Dget_create_plist(plain);
    if (H5Pget_layout(create) == H5D_CHUNKED && H5Pget_chunk(create, 1, &chunk) == 1 &&
        chunk < SR_H5_CACHE_MAX / item && chunk * item > CACHE_DEFAULT)
        H5Pset_chunk_cache(access_list, CACHE_SLOTS, (size_t)chunk * item, 1.0);
    H5Pclose(create);
    H5Dclose(plain);
    const hid_t dataset = sr_h5_open_dataset(f, name, access_list, err);
    H5Pclose(access_list);
    return dataset;
}

static int open_bands(struct bands *b, const struct sr_h5 *f, const char *name, struct sr_error *err) {
    struct sr_h5_info info;
    const int status = sr_h5_info(f, name, &info, err);
    if (status < 0)
        return status;
    b->kind = info.kind;
    b->rows = info.shape[0];
    b->dataset = open_cached(f, name, info.size, err);
    if (b->dataset < 0)
        return (int)b->dataset;
    b->space = H5Dget_space(b->dataset);
    const bool is_half = info.kind == SR_H5_HALF || info.kind == SR_H5_BFLOAT;
    b->type = is_half ? H5Dget_type(b->dataset) : H5Tcopy(H5T_NATIVE_DOUBLE);
    const hsize_t stored = H5Dget_storage_size(b->dataset);
    if (b->rows / COLUMN_RATIO > stored / info.size)
        return sr_fail(err, SR_DATA,
                       "%s: /%s says that it has %llu rows, but the file has only %llu bytes of them: most "
                       "were never written",
                       f->path, name, (unsigned long long)b->rows, (unsigned long long)stored);
    b->values = sr_alloc(COLUMN_BAND, sizeof *b->values, err);
    b->raw = sr_alloc(is_half ? COLUMN_BAND : 0, sizeof *b->raw, err);
    return b->values && b->raw ? 0 : SR_NOMEM;
}

static void close_bands(struct bands *b) {
    if (b->type >= 0)
        H5Tclose(b->type);
    if (b->space >= 0)
        H5Sclose(b->space);
    if (b->dataset >= 0)
        H5Dclose(b->dataset);
    sr_free(b->values);
    sr_free(b->raw);
}

static int read_band(struct bands *b, const struct sr_h5 *f, const char *name, hsize_t first, hsize_t n,
                     struct sr_error *err) {
    const bool is_half = b->kind == SR_H5_HALF || b->kind == SR_H5_BFLOAT;
    const hid_t memory = H5Screate_simple(1, &n, NULL);
    int status = 0;
    if (H5Sselect_hyperslab(b->space, H5S_SELECT_SET, &first, NULL, &n, NULL) < 0 ||
        H5Dread(b->dataset, b->type, memory, b->space, H5P_DEFAULT,
                is_half ? (void *)b->raw : (void *)b->values) < 0)
        status = sr_h5_fail(err, SR_DATA, "%s: /%s cannot be read", f->path, name);
    H5Sclose(memory);
    if (status == 0 && is_half)
        halves_to_doubles(b->values, b->raw, (size_t)n, b->kind, is_big_endian(b->type));
    return status;
}

int sr_h5_here_each_double(const struct sr_h5 *f, const char *name,
                           int (*take)(void *user, const double *values, size_t n, struct sr_error *err),
                           void *user, struct sr_error *err) {
    struct bands b = {.dataset = -1, .space = -1, .type = -1};
    sr_h5_lock();
    int status = open_bands(&b, f, name, err);
    for (hsize_t first = 0; status == 0 && first < b.rows; first += COLUMN_BAND) {
        const hsize_t left = b.rows - first, n = left < COLUMN_BAND ? left : COLUMN_BAND;
        status = read_band(&b, f, name, first, n, err);
        if (status == 0)
            status = take(user, b.values, (size_t)n, err);
    }
    close_bands(&b);
    sr_h5_unlock();
    return status;
}

/* ---- columns of text ---- */

/* Bytes of the UTF-8 character at s that prints, 0 if there is none. */
static size_t printable(const unsigned char *s, size_t n) {
    size_t length = *s < 0x80                 ? 1
                    : *s >= 0xc2 && *s < 0xe0 ? 2
                    : *s >= 0xe0 && *s < 0xf0 ? 3
                    : *s >= 0xf0              ? 4
                                              : 0;
    if (length == 0 || length > n || *s > 0xf4 || *s < 0x20 || *s == 0x7f)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

static bool all_printable(const unsigned char *s, size_t n) {
    size_t length;
    for (size_t i = 0; i < n; i += length)
        if ((length = printable(s + i, n - i)) == 0)
            return false;
    return true;
}

/* Length of a fixed string without its padding. */
static size_t trimmed(const unsigned char *s, size_t size, H5T_str_t pad) {
    if (pad == H5T_STR_NULLTERM)
        return strnlen((const char *)s, size);
    while (size > 0 && s[size - 1] == (pad == H5T_STR_SPACEPAD ? ' ' : '\0'))
        size--;
    return size;
}

void sr_h5_spell(char *text, const struct sr_h5_spelling *how, const void *item) {
    static const char digits[] = "0123456789abcdef";
    const unsigned char *s = item;
    const size_t n = trimmed(s, how->bytes, (H5T_str_t)how->pad);
    if (!how->opaque && all_printable(s, n)) {
        memcpy(text, s, n);
        text[n] = '\0';
        return;
    }
    for (size_t k = 0; k < how->bytes; k++) {
        text[2 * k] = digits[s[k] >> 4];
        text[2 * k + 1] = digits[s[k] & 15];
    }
    text[2 * how->bytes] = '\0';
}

static struct sr_h5_spelling spelling_of(hid_t type) {
    const H5T_class_t class = H5Tget_class(type);
    const bool fixed = class == H5T_STRING && H5Tis_variable_str(type) == 0;
    return (struct sr_h5_spelling){.bytes = fixed || class == H5T_OPAQUE ? H5Tget_size(type) : 0,
                                   .opaque = class == H5T_OPAQUE,
                                   .pad = fixed ? (int)H5Tget_strpad(type) : (int)H5T_STR_NULLPAD};
}

int sr_h5_spelling(struct sr_h5_spelling *how, const struct sr_h5 *f, const char *name,
                   struct sr_error *err) {
    struct sr_h5_info info;
    if (sr_h5_check_here(f, err) < 0)
        return SR_USAGE;
    sr_h5_lock();
    const int status = sr_h5_info(f, name, &info, err);
    if (status == 0) {
        const hid_t dataset = sr_h5_open_dataset(f, name, H5P_DEFAULT, err), type = H5Dget_type(dataset);
        *how = spelling_of(type);
        H5Tclose(type);
        H5Dclose(dataset);
    }
    sr_h5_unlock();
    return status;
}

/* Fixed strings on their way to texts: bands of them, since strings are often far shorter than the longest,
 * for which each has room in the file. */
struct fixed {
    hid_t dataset, type, space;
    struct sr_h5_spelling how;
    size_t rows, band;
    unsigned char *raw; /* [band, how.bytes] */
    char *text;         /* [2 * how.bytes + 1] */
};

static int read_fixed_band(const struct fixed *x, const struct sr_h5 *f, const char *name, size_t first,
                           size_t n, struct sr_error *err) {
    hsize_t start[H5S_MAX_RANK] = {first}, count[H5S_MAX_RANK];
    const int rank = H5Sget_simple_extent_dims(x->space, count, NULL);
    int status = 0;
    if (rank == 0) /* one value, or none */
        return read_column(f, name, x->dataset, x->type, x->raw, err);
    count[0] = n;
    const hid_t memory = H5Screate_simple(rank, count, NULL);
    if (H5Sselect_hyperslab(x->space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
        H5Dread(x->dataset, x->type, memory, x->space, H5P_DEFAULT, x->raw) < 0)
        status = sr_h5_fail(err, SR_DATA, "%s: /%s cannot be read", f->path, name);
    H5Sclose(memory);
    return status;
}

/* Adds the bytes of all texts up, or (out) writes them one behind the other, to `to`. */
static int spell_all(const struct fixed *x, const struct sr_h5 *f, const char *name, size_t *bytes,
                     char **out, char *to, struct sr_error *err) {
    int status = 0;
    for (size_t first = 0; first < x->rows && status == 0; first += x->band) {
        const size_t n = x->rows - first < x->band ? x->rows - first : x->band;
        status = read_fixed_band(x, f, name, first, n, err);
        for (size_t i = 0; i < n && status == 0; i++) {
            sr_h5_spell(x->text, &x->how, x->raw + i * x->how.bytes);
            *bytes += strlen(x->text) + 1;
            if (out) {
                out[first + i] = to;
                to = stpcpy(to, x->text) + 1;
            }
        }
    }
    return status;
}

static int fixed_texts(const struct fixed *x, const struct sr_h5 *f, const char *name, char ***out,
                       struct sr_error *err) {
    size_t bytes = 0, again = 0;
    const int status = x->raw && x->text ? spell_all(x, f, name, &bytes, NULL, NULL, err) : SR_NOMEM;
    if (status < 0)
        return status;
    uint64_t total;
    if (!sr_size_mul(&total, x->rows, sizeof **out) || !sr_size_add(&total, total, bytes))
        return sr_fail(err, SR_DATA, "%s: /%s holds more than 2^64 bytes", f->path, name);
    *out = sr_alloc(1, total, err);
    return *out ? spell_all(x, f, name, &again, *out, (char *)(*out + x->rows), err) : SR_NOMEM;
}

static int read_fixed(const struct sr_h5 *f, const char *name, hid_t type, char ***out, size_t rows,
                      struct sr_error *err) {
    struct fixed x = {.type = type, .how = spelling_of(type), .rows = rows};
    /* not 0: sr_h5_info refuses such a type. NOLINTNEXTLINE(clang-analyzer-core.DivideZero) */
    x.band = x.how.bytes < FIXED_BYTES ? FIXED_BYTES / x.how.bytes : 1;
    x.band = x.band < rows ? x.band : rows;
    x.dataset = open_cached(f, name, x.how.bytes, err);
    if (x.dataset < 0)
        return (int)x.dataset;
    x.space = H5Dget_space(x.dataset);
    uint64_t room;
    x.raw = sr_alloc(x.band, x.how.bytes, err);
    x.text = sr_size_add(&room, x.how.bytes, 1) ? sr_alloc(room, 2, err) : NULL;
    const int status = fixed_texts(&x, f, name, out, err);
    if (status < 0) {
        sr_free(*out);
        *out = NULL;
    }
    sr_free(x.raw);
    sr_free(x.text);
    H5Sclose(x.space);
    H5Dclose(x.dataset);
    return status;
}

/* Strings of variable length, one behind the other. Many rows may name one string of the file, so a band of
 * them is read at a time, and what they come to is held against the file. */
struct texts {
    size_t *at; /* [rows] */
    char *bytes;
    size_t used, room;
    uint64_t most;
};

static int add_text(struct texts *t, const char *text, struct sr_error *err) {
    const size_t n = text ? strlen(text) + 1 : 1;
    uint64_t end;
    if (!sr_size_add(&end, t->used, n) || end > t->most)
        return sr_fail(err, SR_DATA, "strings come to more than %llu bytes, far more than the file has",
                       (unsigned long long)t->most);
    if (end > t->room) {
        const size_t room = end < TEXTS_FIRST ? TEXTS_FIRST : 2 * (size_t)end;
        char *grown = sr_realloc(t->bytes, t->used, room, err);
        if (!grown)
            return SR_NOMEM;
        t->bytes = grown;
        t->room = room;
    }
    memcpy(t->bytes + t->used, text ? text : "", n);
    t->used = (size_t)end;
    return 0;
}

static int read_texts_band(struct texts *t, hid_t dataset, hid_t type, char **strings, size_t first, size_t n,
                           const char *where, struct sr_error *err) {
    struct sr_error why = {0};
    hsize_t start[H5S_MAX_RANK] = {first}, count[H5S_MAX_RANK];
    const hid_t space = H5Dget_space(dataset);
    const int rank = H5Sget_simple_extent_dims(space, count, NULL);
    count[0] = n;
    const hid_t memory = H5Screate_simple(rank > 0 ? rank : 1, count, NULL);
    int status = 0;
    if (H5Sget_simple_extent_type(space) != H5S_NULL &&
        ((rank > 0 && H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) < 0) ||
         H5Dread(dataset, type, memory, space, H5P_DEFAULT, strings) < 0))
        status = sr_h5_fail(err, SR_DATA, "%s cannot be read", where);
    for (size_t i = 0; status == 0 && i < n; i++) {
        t->at[first + i] = t->used;
        if ((status = add_text(t, strings[i], &why)) < 0)
            status = sr_fail(err, why.status, "%s: %s", where, why.text);
    }
    H5Dvlen_reclaim(type, memory, H5P_DEFAULT, strings);
    memset(strings, 0, n * sizeof *strings);
    H5Sclose(memory);
    H5Sclose(space);
    return status;
}

/* Texts become pointers into a block of their own. */
static char **hand_out(const struct texts *t, size_t rows, struct sr_error *err) {
    uint64_t bytes;
    if (!sr_size_mul(&bytes, rows, sizeof(char *)) || !sr_size_add(&bytes, bytes, t->used))
        return NULL;
    char **out = sr_alloc(1, bytes, err), *to = (char *)(out + rows);
    for (size_t i = 0; out && i < rows; i++)
        out[i] = to + t->at[i];
    if (out && t->used > 0)
        memcpy(to, t->bytes, t->used);
    return out;
}

static uint64_t texts_most(hid_t dataset) {
    hsize_t bytes = 0;
    const hid_t file = H5Iget_file_id(dataset);
    H5Fget_filesize(file, &bytes);
    H5Fclose(file);
    return bytes < TEXTS_FREE / TEXTS_RATIO ? TEXTS_FREE : bytes * TEXTS_RATIO;
}

static int read_variable(const struct sr_h5 *f, const char *name, hid_t type, char ***out, size_t rows,
                         struct sr_error *err) {
    char where[SR_H5_WHERE];
    const hid_t dataset = open_cached(f, name, HANDLE_BYTES, err);
    if (dataset < 0)
        return (int)dataset;
    struct texts t = {.at = sr_alloc(rows, sizeof *t.at, err), .most = texts_most(dataset)};
    char **strings = sr_alloc(TEXTS_BAND, sizeof *strings, err);
    int status = t.at && strings ? 0 : SR_NOMEM;
    for (size_t first = 0; first < rows && status == 0; first += TEXTS_BAND)
        status = read_texts_band(&t, dataset, type, strings, first,
                                 rows - first < TEXTS_BAND ? rows - first : TEXTS_BAND,
                                 sr_h5_where(where, f, name), err);
    if (status == 0 && !(*out = hand_out(&t, rows, err)))
        status = SR_NOMEM;
    sr_free(t.at);
    sr_free(t.bytes);
    sr_free(strings);
    H5Dclose(dataset);
    return status;
}

/* An empty block of rows strings of up to `longest` bytes. */
static char **text_block(size_t rows, size_t longest, struct sr_error *err) {
    size_t each = sizeof(char *) + longest + 1;
    char **out = each > longest ? sr_alloc(rows, each, err) : NULL;
    if (!out)
        return NULL;
    char *text = (char *)(out + rows);
    for (size_t i = 0; i < rows; i++)
        out[i] = text + i * (longest + 1);
    return out;
}

static int read_decimals(const struct sr_h5 *f, const char *name, hid_t type, char ***out, size_t rows,
                         struct sr_error *err) {
    const bool natural = H5Tget_class(type) == H5T_INTEGER && H5Tget_sign(type) == H5T_SGN_NONE;
    int64_t *values = sr_alloc(rows, sizeof *values, err);
    int status = values ? sr_h5_read_integers(f, name, values, rows, err) : SR_NOMEM;
    if (status == 0) {
        *out = text_block(rows, 20, err);
        status = *out ? 0 : SR_NOMEM;
        for (size_t i = 0; *out && i < rows; i++)
            snprintf((*out)[i], 21, natural ? "%llu" : "%lld", (long long)values[i]);
    }
    sr_free(values);
    return status;
}

int sr_h5_here_read_texts(const struct sr_h5 *f, const char *name, char ***out, size_t rows,
                          struct sr_error *err) {
    *out = NULL;
    sr_h5_lock();
    const hid_t dataset = sr_h5_open_dataset(f, name, H5P_DEFAULT, err);
    int status = (int)dataset;
    if (dataset >= 0) {
        const hid_t type = H5Dget_type(dataset);
        const H5T_class_t class = H5Tget_class(type);
        H5Dclose(dataset);
        if (class == H5T_STRING && H5Tis_variable_str(type) > 0)
            status = read_variable(f, name, type, out, rows, err);
        else if (class == H5T_STRING || class == H5T_OPAQUE)
            status = read_fixed(f, name, type, out, rows, err);
        else
            status = read_decimals(f, name, type, out, rows, err);
        H5Tclose(type);
    }
    sr_h5_unlock();
    return status;
}
