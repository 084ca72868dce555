/* merge_compare.c: members of two files held against each other. See merge_compare.h.
 *
 * Two extractions write the same gold as uint8 here and bool there, the same source as text here and as a
 * number of a list there: what they say is compared, not how. So are float32 features and the same ones
 * packed to float16: they are the same once those are rounded as these were.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/merge_compare.h"

#include <math.h>
#include <string.h>

#include "data/gather.h"
#include "data/listed.h"
#include "data/role.h"
#include "data/values.h"

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

static int fail_kinds(const struct sr_merge_side *a, const struct sr_merge_side *b, struct sr_error *err) {
    return sr_fail(err, SR_DATA,
                   "/%s of %s and /%s of %s are of kinds or shapes that cannot be compared; rename one, or "
                   "let --prefer-first take the first",
                   a->name, a->file->path, b->name, b->file->path);
}

/* ---- numbers ---- */

/* The type of a dataset of floats in memory. */
static bool find_dtype(enum sr_dtype *out, const struct sr_h5_info *info) {
    if (info->kind == SR_H5_HALF || info->kind == SR_H5_BFLOAT)
        *out = info->kind == SR_H5_HALF ? SR_F16 : SR_BF16;
    else if (info->kind == SR_H5_FLOAT && (info->size == sizeof(float) || info->size == sizeof(double)))
        *out = info->size == sizeof(float) ? SR_F32 : SR_F64;
    else
        return false;
    return true;
}

/* The coarser of two types of floats; bfloat16 has fewer digits than float16. */
static enum sr_dtype coarser(enum sr_dtype a, enum sr_dtype b) {
    if (sr_dtype_size(a) != sr_dtype_size(b))
        return sr_dtype_size(a) < sr_dtype_size(b) ? a : b;
    return a == SR_BF16 ? a : b;
}

static void round_values(double *x, size_t n, enum sr_dtype to) {
    const enum sr_feature type = to == SR_F16    ? SR_FEATURE_HALF
                                 : to == SR_BF16 ? SR_FEATURE_BFLOAT
                                                 : SR_FEATURE_FLOAT;
    float scratch[256], rounded[256];
    if (to == SR_F64)
        return;
    for (size_t i = 0, k; i < n; i += k) {
        k = n - i < SR_COUNT(scratch) ? n - i : SR_COUNT(scratch);
        sr_values_to_feature(rounded, x + i, k, SR_F64, type, scratch);
        sr_values_to_double(x + i, rounded, k, to);
    }
}

/* Labels and verdicts are unknown as -1 or as NaN. */
static void unify_unknown(double *x, size_t n, const char *name) {
    const enum sr_role role = sr_role_of(name);
    for (size_t i = 0; role != SR_ROLES && sr_roles[role].form == SR_FORM_BINARY && i < n; i++)
        x[i] = x[i] == -1 ? (double)NAN : x[i];
}

static bool same_number(double a, double b) {
    return a == b || (isnan(a) && isnan(b));
}

static int compare_doubles(struct sr_merge_difference *out, const struct sr_merge_side *a,
                           const struct sr_h5_info *of_x, const struct sr_merge_side *b,
                           const struct sr_h5_info *of_y, size_t n, struct sr_error *err) {
    enum sr_dtype p, q;
    double *x = sr_alloc(a->file_rows, sizeof *x, err),
           *y = x ? sr_alloc(b->file_rows, sizeof *y, err) : NULL;
    int status = y ? sr_h5_read_doubles(a->file, a->name, x, a->file_rows, err) : SR_NOMEM;
    if (status == 0)
        status = sr_h5_read_doubles(b->file, b->name, y, b->file_rows, err);
    if (status == 0 && find_dtype(&p, of_x) && find_dtype(&q, of_y)) {
        round_values(x, a->file_rows, coarser(p, q));
        round_values(y, b->file_rows, coarser(p, q));
    }
    if (status == 0) {
        unify_unknown(x, a->file_rows, a->name);
        unify_unknown(y, b->file_rows, b->name);
    }
    for (size_t i = 0; i < n && status == 0; i++)
        if (!same_number(x[a->rows[i]], y[b->rows[i]]))
            note(out, i);
    sr_free(x);
    sr_free(y);
    return status;
}

/* Past 2^53 doubles would be too coarse: of groups that are hashes, say. */
static int compare_integers(struct sr_merge_difference *out, const struct sr_merge_side *a,
                            const struct sr_merge_side *b, size_t n, struct sr_error *err) {
    int64_t *x = sr_alloc(a->file_rows, sizeof *x, err),
            *y = x ? sr_alloc(b->file_rows, sizeof *y, err) : NULL;
    int status = y ? sr_h5_read_integers(a->file, a->name, x, a->file_rows, err) : SR_NOMEM;
    if (status == 0)
        status = sr_h5_read_integers(b->file, b->name, y, b->file_rows, err);
    for (size_t i = 0; i < n && status == 0; i++)
        if (x[a->rows[i]] != y[b->rows[i]])
            note(out, i);
    sr_free(x);
    sr_free(y);
    return status;
}

/* ---- text ---- */

struct texts {
    char **text;             /* [rows], or NULL: */
    struct sr_listed listed; /* what its numbers mean */
};

static void texts_free(struct texts *t) {
    sr_free(t->text);
    sr_listed_free(&t->listed);
}

static int texts_read(struct texts *t, const struct sr_merge_side *s, const struct sr_h5_info *info,
                      struct sr_error *err) {
    int status = 0;
    *t = (struct texts){.text = NULL};
    if (info->kind == SR_H5_INTEGER)
        status = sr_listed_read(&t->listed, s->file, s->name, s->file_rows, err);
    return status < 0 || t->listed.names ? status
                                         : sr_h5_read_texts(s->file, s->name, &t->text, s->file_rows, err);
}

static const char *text_at(const struct texts *t, size_t row) {
    return t->text ? t->text[row] : t->listed.names[t->listed.index[row]];
}

static int compare_texts(struct sr_merge_difference *out, const struct sr_merge_side *a,
                         const struct sr_h5_info *of_a, const struct sr_merge_side *b,
                         const struct sr_h5_info *of_b, size_t n, struct sr_error *err) {
    struct texts x, y = {.text = NULL};
    int status = texts_read(&x, a, of_a, err);
    if (status == 0)
        status = texts_read(&y, b, of_b, err);
    for (size_t i = 0; i < n && status == 0; i++)
        if (strcmp(text_at(&x, a->rows[i]), text_at(&y, b->rows[i])) != 0)
            note(out, i);
    texts_free(&x);
    texts_free(&y);
    return status;
}

/* ---- rows of any shape ---- */

/* How the rows of two blocks are held against each other. */
struct rows {
    bool typed; /* floats of two types; else bits */
    enum sr_dtype a, b;
    size_t values; /* a row */
    double *x, *y; /* [values], where typed */
};

static bool same_row(const struct rows *how, const void *of_a, const void *of_b, size_t bytes) {
    if (!how->typed)
        return memcmp(of_a, of_b, bytes) == 0;
    sr_values_to_double(how->x, of_a, how->values, how->a);
    sr_values_to_double(how->y, of_b, how->values, how->b);
    round_values(how->x, how->values, coarser(how->a, how->b));
    round_values(how->y, how->values, coarser(how->a, how->b));
    for (size_t k = 0; k < how->values; k++)
        if (!same_number(how->x[k], how->y[k]))
            return false;
    return true;
}

static int compare_blocks(struct sr_merge_difference *out, const struct rows *how, struct sr_gather *a,
                          struct sr_gather *b, size_t n, struct sr_error *err) {
    const size_t most = a->block_rows < b->block_rows ? a->block_rows : b->block_rows;
    int status = 0;
    for (size_t i = 0; i < n && status == 0; i += most) {
        const size_t got = n - i < most ? n - i : most;
        status = sr_gather_read(a, i, got, err);
        if (status == 0)
            status = sr_gather_read(b, i, got, err);
        for (size_t r = 0; r < got && status == 0; r++)
            if (!same_row(how, a->block + r * a->from.bytes, b->block + r * b->from.bytes, a->from.bytes))
                note(out, i + r);
    }
    return status;
}

static int compare_items(struct sr_merge_difference *out, const struct rows *how, struct sr_h5_items *of_a,
                         const struct sr_merge_side *a, struct sr_h5_items *of_b,
                         const struct sr_merge_side *b, size_t n, struct sr_error *err) {
    const struct sr_gather_source from_a = {.items = of_a,
                                            .bytes = sr_h5_items_bytes(of_a),
                                            .rows = a->file_rows},
                                  from_b = {
                                      .items = of_b, .bytes = sr_h5_items_bytes(of_b), .rows = b->file_rows};
    struct sr_gather x, y = {.rows = NULL};
    if (from_a.bytes == 0)
        return 0;
    int status = sr_gather_begin(&x, &from_a, a->rows, n, 1, err);
    if (status == 0)
        status = sr_gather_begin(&y, &from_b, b->rows, n, 1, err);
    if (status == 0)
        status = compare_blocks(out, how, &x, &y, n, err);
    sr_gather_end(&x);
    sr_gather_end(&y);
    return status;
}

static bool same_shape(const struct sr_h5_info *x, const struct sr_h5_info *y) {
    bool same = x->rank == y->rank && x->rank <= SR_H5_RANK;
    for (int i = 1; i < x->rank && same; i++)
        same = x->shape[i] == y->shape[i];
    return same;
}

/* Rows of floats of two types need room for a row of each as doubles. */
static int choose_rows(struct rows *how, const struct sr_h5_items *x, const struct sr_h5_info *of_x,
                       const struct sr_h5_items *y, const struct sr_h5_info *of_y,
                       const struct sr_merge_side *a, const struct sr_merge_side *b, struct sr_error *err) {
    if (sr_h5_items_alike(x, y) && !sr_h5_items_own(x))
        return 0;
    if (!same_shape(of_x, of_y) || !find_dtype(&how->a, of_x) || !find_dtype(&how->b, of_y) ||
        !sr_h5_items_native(x) || !sr_h5_items_native(y))
        return fail_kinds(a, b, err);
    how->typed = true;
    how->values = sr_h5_items_bytes(x) / sr_dtype_size(how->a);
    how->x = sr_alloc(how->values, sizeof *how->x, err);
    how->y = how->x ? sr_alloc(how->values, sizeof *how->y, err) : NULL;
    return how->y ? 0 : SR_NOMEM;
}

static int compare_rows(struct sr_merge_difference *out, const struct sr_merge_side *a,
                        const struct sr_h5_info *of_x, const struct sr_merge_side *b,
                        const struct sr_h5_info *of_y, size_t n, struct sr_error *err) {
    struct sr_h5_items *x = NULL, *y = NULL;
    struct rows how = {.typed = false};
    int status = sr_h5_items_open(&x, a->file, a->name, err);
    if (status == 0)
        status = sr_h5_items_open(&y, b->file, b->name, err);
    if (status == 0)
        status = choose_rows(&how, x, of_x, y, of_y, a, b, err);
    if (status == 0)
        status = compare_items(out, &how, x, a, y, b, n, err);
    sr_free(how.x);
    sr_free(how.y);
    sr_h5_items_close(x);
    sr_h5_items_close(y);
    return status;
}

/* ---- a member ---- */

int sr_merge_compare_rows(struct sr_merge_difference *out, const struct sr_merge_side *a,
                          const struct sr_merge_side *b, size_t n, struct sr_error *err) {
    struct sr_h5_info x, y;
    *out = (struct sr_merge_difference){0};
    int status = sr_h5_info(a->file, a->name, &x, err);
    if (status == 0)
        status = sr_h5_info(b->file, b->name, &y, err);
    if (status != 0)
        return status;
    const bool listed =
        sr_h5_has_attribute(a->file, a->name, "names") || sr_h5_has_attribute(b->file, b->name, "names");
    const bool columns = is_column(&x) && is_column(&y);
    const bool texts = (is_text(&x) || x.kind == SR_H5_INTEGER) && (is_text(&y) || y.kind == SR_H5_INTEGER);
    if (columns && texts && (listed || is_text(&x) || is_text(&y)))
        return compare_texts(out, a, &x, b, &y, n, err);
    if (columns && x.kind == SR_H5_INTEGER && y.kind == SR_H5_INTEGER)
        return compare_integers(out, a, b, n, err);
    if (columns && is_number(&x) && is_number(&y))
        return compare_doubles(out, a, &x, b, &y, n, err);
    return compare_rows(out, a, &x, b, &y, n, err);
}

int sr_merge_compare_whole(const char *name, const struct sr_h5 *a, const struct sr_h5 *b,
                           struct sr_error *err) {
    struct sr_h5_info x, y;
    if (sr_h5_info(a, name, &x, NULL) < 0 || sr_h5_info(b, name, &y, NULL) < 0 || x.rank < 1)
        return sr_h5_same(a, b, name, err);
    if (x.shape[0] != y.shape[0] || x.shape[0] > UINT32_MAX)
        return 0;
    const size_t n = x.shape[0];
    struct sr_merge_difference d;
    uint32_t *row = sr_alloc(n, sizeof *row, err);
    if (!row)
        return SR_NOMEM;
    for (size_t i = 0; i < n; i++)
        row[i] = (uint32_t)i;
    const struct sr_merge_side of_a = {a, name, n, row}, of_b = {b, name, n, row};
    struct sr_error why = {0};
    const int status = sr_merge_compare_rows(&d, &of_a, &of_b, n, &why);
    sr_free(row);
    if (status < 0 && status != SR_DATA)
        return sr_fail(err, status, "%s", why.text);
    return status == 0 && d.count == 0;
}
