/* h5_texts.c: columns of strings, opaque values and integers as text. See h5.h.
 *
 * Strings of fixed size come in bands, twice: once to measure, once to write. Those of variable length lie in
 * a heap of the file, where many rows may name the same one; what they come to is held against the file.
 *
 * SPDX-License-Identifier: MIT
 */
#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#include "data/h5.h"
#include "data/h5_count.h"
#include "data/h5_heap.h"
#include "data/h5_rows.h"
#include "data/h5_ways.h"
#include "nn/base/sizes.h"

#define FIXED_BYTES ((size_t)4 << 20) /* of fixed strings at a time */

/* Strings of variable length. */
#define TEXTS_BAND  ((size_t)1024)       /* rows at a time */
#define TEXTS_FIRST ((size_t)4096)       /* bytes */
#define TEXTS_FREE  ((uint64_t)64 << 20) /* bytes that any file may make of its strings */
#define TEXTS_RATIO 64                   /* or so many for each byte it has */

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
    size_t taken;
    for (size_t i = 0; i < n; i += taken)
        if ((taken = printable(s + i, n - i)) == 0)
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

static int read_rows(void *out, hid_t dataset, hid_t type, hid_t transfer, size_t first, size_t n,
                     const char *where, struct sr_error *err) {
    return sr_h5_read_rows(dataset, type, transfer, out, first, n)
               ? 0
               : sr_h5_fail(err, SR_DATA, "%s cannot be read", where);
}

/* Fixed strings on their way to texts: bands of them, since strings are often far shorter than the longest,
 * for which each has room in the file. */
struct fixed {
    hid_t dataset, type;
    struct sr_h5_spelling how;
    size_t rows, band;
    unsigned char *raw; /* [band, how.bytes] */
    char *text;         /* [2 * how.bytes + 1] */
    char where[SR_H5_WHERE];
};

/* Adds the bytes of all texts up, or (out) writes them one behind the other, to `to`, where there is room for
 * `most`: somebody may have changed the file since they were added up. */
static int spell_all(const struct fixed *x, size_t *bytes, char **out, char *to, size_t most,
                     struct sr_error *err) {
    int status = 0;
    for (size_t first = 0; first < x->rows && status == 0; first += x->band) {
        const size_t n = x->rows - first < x->band ? x->rows - first : x->band;
        status = read_rows(x->raw, x->dataset, x->type, H5P_DEFAULT, first, n, x->where, err);
        for (size_t i = 0; i < n && status == 0; i++) {
            sr_h5_spell(x->text, &x->how, x->raw + i * x->how.bytes);
            *bytes += strlen(x->text) + 1;
            if (out && *bytes > most) {
                status = sr_fail(err, SR_DATA, "%s changed while it was read", x->where);
            } else if (out) {
                out[first + i] = to;
                to = stpcpy(to, x->text) + 1;
            }
        }
    }
    return status;
}

static int fixed_texts(const struct fixed *x, char ***out, struct sr_error *err) {
    size_t bytes = 0, again = 0;
    const int status = x->raw && x->text ? spell_all(x, &bytes, NULL, NULL, 0, err) : SR_NOMEM;
    if (status < 0)
        return status;
    *out = sr_alloc(1, sr_size_sum(sr_size_times(x->rows, sizeof **out), bytes), err);
    return *out ? spell_all(x, &again, *out, (char *)(*out + x->rows), bytes, err) : SR_NOMEM;
}

static int read_fixed(const struct sr_h5 *f, const char *name, hid_t type, struct sr_h5_spelling how,
                      char ***out, size_t rows, struct sr_error *err) {
    struct fixed x = {.type = type, .how = how, .rows = rows};
    x.band = x.how.bytes < FIXED_BYTES ? FIXED_BYTES / x.how.bytes : 1;
    x.band = x.band < rows ? x.band : rows;
    x.dataset = sr_h5_open_column(f, name, err);
    if (x.dataset < 0)
        return (int)x.dataset;
    sr_h5_where(x.where, f, name);
    x.raw = sr_alloc(x.band, x.how.bytes, err);
    x.text = sr_alloc(sr_size_sum(x.how.bytes, 1), 2, err);
    const int status = fixed_texts(&x, out, err);
    if (status < 0) {
        sr_free(*out);
        *out = NULL;
    }
    sr_free(x.raw);
    sr_free(x.text);
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
    struct sr_h5_collections *collections;
};

/* What it comes to has been counted. */
static int add_text(struct texts *t, const char *text, struct sr_error *err) {
    const size_t n = text ? strlen(text) + 1 : 1, end = t->used + n;
    if (end > t->room) {
        const size_t room = end < TEXTS_FIRST ? TEXTS_FIRST : 2 * end;
        char *grown = sr_realloc(t->bytes, t->used, room, err);
        if (!grown)
            return SR_NOMEM;
        t->bytes = grown;
        t->room = room;
    }
    /* there is room from the first text on. NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
    memcpy(t->bytes + t->used, text ? text : "", n);
    t->used = end;
    return 0;
}

/* SR_DATA where the strings of a band come to more than may be, or one is not where the file says. */
static int count_band(const struct texts *t, hid_t dataset, hid_t type, char **strings, size_t first,
                      size_t n, const char *where, struct sr_error *err) {
    struct sr_error why = {0};
    uint64_t bytes;
    if (sr_h5_count_rows(t->collections, dataset, type, strings, first, n, &bytes, &why) < 0)
        return sr_fail(err, why.status, "%s cannot be read: %s", where, why.text);
    if (sr_size_sum(bytes, n) > t->most - t->used)
        return sr_fail(err, SR_DATA, "%s: strings come to more than %llu bytes, far more than the file has",
                       where, (unsigned long long)t->most);
    return 0;
}

static int read_texts_band(struct texts *t, hid_t dataset, hid_t type, char **strings, size_t first, size_t n,
                           const char *where, struct sr_error *err) {
    struct sr_h5_heap heap;
    int status = count_band(t, dataset, type, strings, first, n, where, err);
    if (status < 0)
        return status;
    sr_h5_heap_open(&heap);
    sr_h5_heap_begin(&heap, t->most - t->used, t->most);
    status = read_rows(strings, dataset, type, heap.transfer, first, n, where, err);
    for (size_t i = 0; status == 0 && heap.why.status == 0 && i < n; i++) {
        t->at[first + i] = t->used;
        add_text(t, strings[i], &heap.why);
    }
    sr_h5_heap_end(&heap, false);
    sr_h5_heap_close(&heap);
    return heap.why.status < 0 ? sr_fail(err, heap.why.status, "%s: %s", where, heap.why.text) : status;
}

/* Texts become pointers into a block of their own. */
static char **hand_out(const struct texts *t, size_t rows, struct sr_error *err) {
    char **out = sr_alloc(1, sr_size_sum(sr_size_times(rows, sizeof *out), t->used), err);
    if (!out)
        return NULL;
    char *to = (char *)(out + rows);
    for (size_t i = 0; i < rows; i++)
        out[i] = to + t->at[i];
    if (t->used > 0)
        memcpy(to, t->bytes, t->used);
    return out;
}

uint64_t sr_h5_texts_most(const struct sr_h5 *f) {
    const uint64_t bytes = sr_h5_bytes(f);
    return bytes < TEXTS_FREE / TEXTS_RATIO ? TEXTS_FREE : bytes * TEXTS_RATIO;
}

static int open_collections(struct texts *t, hid_t dataset, const char *where, struct sr_error *err) {
    struct sr_error why = {0};
    const int status = sr_h5_collections_open(&t->collections, dataset, &why);
    return status < 0 ? sr_fail(err, status, "%s: %s", where, why.text) : 0;
}

static int read_variable(const struct sr_h5 *f, const char *name, hid_t type, char ***out, size_t rows,
                         struct sr_error *err) {
    char where[SR_H5_WHERE];
    const hid_t dataset = sr_h5_open_column(f, name, err);
    if (dataset < 0)
        return (int)dataset;
    struct texts t = {.at = sr_alloc(rows, sizeof *t.at, err), .most = sr_h5_texts_most(f)};
    char **strings = sr_alloc(TEXTS_BAND, sizeof *strings, err);
    int status = t.at && strings ? open_collections(&t, dataset, sr_h5_where(where, f, name), err) : SR_NOMEM;
    for (size_t first = 0; first < rows && status == 0; first += TEXTS_BAND)
        status = read_texts_band(&t, dataset, type, strings, first,
                                 rows - first < TEXTS_BAND ? rows - first : TEXTS_BAND, where, err);
    if (status == 0 && !(*out = hand_out(&t, rows, err)))
        status = SR_NOMEM;
    sr_h5_collections_close(t.collections);
    sr_free(t.at);
    sr_free(t.bytes);
    sr_free(strings);
    H5Dclose(dataset);
    return status;
}

#define DECIMAL 21 /* bytes of the longest, with its NUL */

static int read_decimals(const struct sr_h5 *f, const char *name, hid_t type, char ***out, size_t rows,
                         struct sr_error *err) {
    const bool natural = H5Tget_sign(type) == H5T_SGN_NONE;
    int64_t *values = sr_alloc(rows, sizeof *values, err);
    int status = values ? sr_h5_read_integers(f, name, values, rows, err) : SR_NOMEM;
    if (status == 0 && !(*out = sr_alloc(rows, sizeof **out + DECIMAL, err)))
        status = SR_NOMEM;
    for (size_t i = 0; status == 0 && i < rows; i++) {
        (*out)[i] = (char *)(*out + rows) + i * DECIMAL;
        snprintf((*out)[i], DECIMAL, natural ? "%llu" : "%lld", (long long)values[i]);
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
        const struct sr_h5_spelling how = spelling_of(type);
        H5Dclose(dataset);
        if (how.bytes > 0)
            status = read_fixed(f, name, type, how, out, rows, err);
        else if (H5Tis_variable_str(type) > 0)
            status = read_variable(f, name, type, out, rows, err);
        else
            status = read_decimals(f, name, type, out, rows, err);
        H5Tclose(type);
    }
    sr_h5_unlock();
    return status;
}
