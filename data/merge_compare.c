/* merge_compare.c: members of two files held against each other. See merge_compare.h.
 *
 * Two extractions write the same gold as uint8 here and bool there, the same source as text here and as a
 * number of a list there: what they say is compared, not how.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/merge_compare.h"

#include <math.h>
#include <string.h>

#include "data/gather.h"

static void note(struct sr_merge_difference *d, size_t row) {
    if (d->count++ == 0)
        d->first = row;
}

static bool is_number(const struct sr_h5_info *info) {
    return info->kind == SR_H5_HALF || info->kind == SR_H5_BFLOAT || info->kind == SR_H5_FLOAT ||
           info->kind == SR_H5_INTEGER;
}

static bool is_column(const struct sr_h5_info *info) {
    return info->rank == 1 || (info->rank == 2 && info->shape[1] == 1);
}

static bool is_text(const struct sr_h5_info *info) {
    return info->kind == SR_H5_TEXT || info->kind == SR_H5_OPAQUE;
}

static int fail_kinds(const char *name, const struct sr_merge_side *a, const struct sr_merge_side *b,
                      struct sr_error *err) {
    return sr_fail(err, SR_DATA,
                   "/%s of %s and of %s are of kinds or shapes that cannot be compared; rename one, or let "
                   "--prefer-first take the first",
                   name, a->file->path, b->file->path);
}

/* ---- numbers ---- */

static int compare_doubles(struct sr_merge_difference *out, const char *name, const struct sr_merge_side *a,
                           const struct sr_merge_side *b, size_t n, struct sr_error *err) {
    double *x = sr_alloc(a->file_rows, sizeof *x, err),
           *y = x ? sr_alloc(b->file_rows, sizeof *y, err) : NULL;
    int status = y ? sr_h5_read_doubles(a->file, name, x, a->file_rows, err) : SR_NOMEM;
    if (status == 0)
        status = sr_h5_read_doubles(b->file, name, y, b->file_rows, err);
    for (size_t i = 0; i < n && status == 0; i++) {
        const double of_a = x[a->rows[i]], of_b = y[b->rows[i]];
        if (of_a != of_b && !(isnan(of_a) && isnan(of_b)))
            note(out, i);
    }
    sr_free(x);
    sr_free(y);
    return status;
}

/* Past 2^53 doubles would be too coarse: of groups that are hashes, say. */
static int compare_integers(struct sr_merge_difference *out, const char *name, const struct sr_merge_side *a,
                            const struct sr_merge_side *b, size_t n, struct sr_error *err) {
    int64_t *x = sr_alloc(a->file_rows, sizeof *x, err),
            *y = x ? sr_alloc(b->file_rows, sizeof *y, err) : NULL;
    int status = y ? sr_h5_read_integers(a->file, name, x, a->file_rows, err) : SR_NOMEM;
    if (status == 0)
        status = sr_h5_read_integers(b->file, name, y, b->file_rows, err);
    for (size_t i = 0; i < n && status == 0; i++)
        if (x[a->rows[i]] != y[b->rows[i]])
            note(out, i);
    sr_free(x);
    sr_free(y);
    return status;
}

/* ---- text ---- */

struct texts {
    char **text;  /* [rows] */
    char **names; /* what its numbers mean, or NULL */
    size_t count;
    int64_t *number;
};

static void texts_free(struct texts *t) {
    sr_free(t->text);
    sr_free(t->names);
    sr_free(t->number);
}

static int texts_read(struct texts *t, const char *name, const struct sr_merge_side *s,
                      const struct sr_h5_info *info, struct sr_error *err) {
    int status = 0;
    *t = (struct texts){.text = NULL};
    if (info->kind == SR_H5_INTEGER)
        status = sr_h5_attribute_list(s->file, name, "names", &t->names, &t->count, err);
    if (status < 0 || !t->names)
        return status < 0 ? status : sr_h5_read_texts(s->file, name, &t->text, s->file_rows, err);
    t->number = sr_alloc(s->file_rows, sizeof *t->number, err);
    return t->number ? sr_h5_read_integers(s->file, name, t->number, s->file_rows, err) : SR_NOMEM;
}

static const char *text_at(const struct texts *t, size_t row) {
    if (!t->names)
        return t->text[row];
    return t->number[row] >= 0 && (uint64_t)t->number[row] < t->count ? t->names[t->number[row]] : "";
}

static int compare_texts(struct sr_merge_difference *out, const char *name, const struct sr_merge_side *a,
                         const struct sr_h5_info *of_a, const struct sr_merge_side *b,
                         const struct sr_h5_info *of_b, size_t n, struct sr_error *err) {
    struct texts x, y = {.text = NULL};
    int status = texts_read(&x, name, a, of_a, err);
    if (status == 0)
        status = texts_read(&y, name, b, of_b, err);
    for (size_t i = 0; i < n && status == 0; i++)
        if (strcmp(text_at(&x, a->rows[i]), text_at(&y, b->rows[i])) != 0)
            note(out, i);
    texts_free(&x);
    texts_free(&y);
    return status;
}

/* ---- bits ---- */

static int compare_blocks(struct sr_merge_difference *out, struct sr_gather *a, struct sr_gather *b, size_t n,
                          struct sr_error *err) {
    const size_t bytes = a->from.bytes, most = a->block_rows < b->block_rows ? a->block_rows : b->block_rows;
    int status = 0;
    for (size_t i = 0; i < n && status == 0; i += most) {
        const size_t got = n - i < most ? n - i : most;
        status = sr_gather_read(a, i, got, err);
        if (status == 0)
            status = sr_gather_read(b, i, got, err);
        for (size_t r = 0; r < got && status == 0; r++)
            if (memcmp(a->block + r * bytes, b->block + r * bytes, bytes) != 0)
                note(out, i + r);
    }
    return status;
}

static int compare_items(struct sr_merge_difference *out, struct sr_h5_items *of_a,
                         const struct sr_merge_side *a, struct sr_h5_items *of_b,
                         const struct sr_merge_side *b, size_t n, struct sr_error *err) {
    const size_t bytes = sr_h5_items_bytes(of_a);
    struct sr_gather x, y = {.rows = NULL};
    if (bytes == 0)
        return 0;
    int status =
        sr_gather_begin(&x, &(struct sr_gather_source){.items = of_a, .bytes = bytes, .rows = a->file_rows},
                        a->rows, n, 1, err);
    if (status == 0)
        status = sr_gather_begin(
            &y, &(struct sr_gather_source){.items = of_b, .bytes = bytes, .rows = b->file_rows}, b->rows, n,
            1, err);
    if (status == 0)
        status = compare_blocks(out, &x, &y, n, err);
    sr_gather_end(&x);
    sr_gather_end(&y);
    return status;
}

static int compare_bits(struct sr_merge_difference *out, const char *name, const struct sr_merge_side *a,
                        const struct sr_merge_side *b, size_t n, struct sr_error *err) {
    struct sr_h5_items *x = NULL, *y = NULL;
    int status = sr_h5_items_open(&x, a->file, name, err);
    if (status == 0)
        status = sr_h5_items_open(&y, b->file, name, err);
    if (status == 0 && (!sr_h5_items_alike(x, y) || sr_h5_items_own(x)))
        status = fail_kinds(name, a, b, err);
    if (status == 0)
        status = compare_items(out, x, a, y, b, n, err);
    sr_h5_items_close(x);
    sr_h5_items_close(y);
    return status;
}

/* ---- a member ---- */

int sr_merge_compare_rows(struct sr_merge_difference *out, const char *name, const struct sr_merge_side *a,
                          const struct sr_merge_side *b, size_t n, struct sr_error *err) {
    struct sr_h5_info x, y;
    *out = (struct sr_merge_difference){0};
    int status = sr_h5_info(a->file, name, &x, err);
    if (status == 0)
        status = sr_h5_info(b->file, name, &y, err);
    if (status < 0)
        return status;
    const bool listed =
        sr_h5_has_attribute(a->file, name, "names") || sr_h5_has_attribute(b->file, name, "names");
    const bool columns = is_column(&x) && is_column(&y);
    const bool texts = (is_text(&x) || x.kind == SR_H5_INTEGER) && (is_text(&y) || y.kind == SR_H5_INTEGER);
    if (columns && texts && (listed || is_text(&x) || is_text(&y)))
        return compare_texts(out, name, a, &x, b, &y, n, err);
    if (columns && x.kind == SR_H5_INTEGER && y.kind == SR_H5_INTEGER)
        return compare_integers(out, name, a, b, n, err);
    if (columns && is_number(&x) && is_number(&y))
        return compare_doubles(out, name, a, b, n, err);
    return compare_bits(out, name, a, b, n, err);
}

int sr_merge_compare_whole(const char *name, const struct sr_h5 *a, const struct sr_h5 *b,
                           struct sr_error *err) {
    struct sr_h5_info x, y;
    if (sr_h5_info(a, name, &x, NULL) < 0 || sr_h5_info(b, name, &y, NULL) < 0 || x.rank < 1 ||
        x.shape[0] != y.shape[0] || x.shape[0] > UINT32_MAX)
        return 0;
    const size_t n = x.shape[0];
    struct sr_merge_difference d;
    uint32_t *row = sr_alloc(n, sizeof *row, err);
    if (!row)
        return SR_NOMEM;
    for (size_t i = 0; i < n; i++)
        row[i] = (uint32_t)i;
    const struct sr_merge_side of_a = {a, n, row}, of_b = {b, n, row};
    struct sr_error why = {0};
    const int status = sr_merge_compare_rows(&d, name, &of_a, &of_b, n, &why);
    sr_free(row);
    if (status < 0 && status != SR_DATA)
        return sr_fail(err, status, "%s", why.text);
    return status == 0 && d.count == 0;
}
