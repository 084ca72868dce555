/* table_dump.c: a feature dump as a table. See table.h.
 *
 * What a dump has under the names of a dump is read anew and written anew, and nothing else: with --isolate
 * that makes a file of known origin from one of unknown origin. The rules are those of dump.c. Columns are in
 * memory whole, as they are when a dump is opened; features come band by band.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "data/contract.h"
#include "data/h5.h"
#include "data/listed.h"
#include "data/table.h"
#include "nn/base/sizes.h"

#define LISTED 400 /* bytes of a list of datasets */

/* One of these of a field. */
struct column {
    struct sr_h5_matrix *features;
    enum sr_feature type; /* of these */
    double *number;
    char **text;
    struct sr_listed listed; /* texts that a list of names has; few for many rows, so never written out */
    int64_t *group;          /* integers, whose bits count */
};

struct dump_table {
    struct sr_table t;
    struct sr_h5 *file;
    struct column column[SR_ROLES + 1]; /* of field i */
    char *contract[SR_CONTRACT_KEYS];
};

#define OWN(table)  ((struct dump_table *)(table))
#define LOOK(table) ((const struct dump_table *)(table))

/* ---- which dataset ---- */

static bool has(const struct sr_table *t, const char *name) {
    return sr_h5_has(LOOK(t)->file, name);
}

static int fail_missing(const struct dump_table *s, const struct sr_field *f, struct sr_error *err) {
    char there[LISTED];
    sr_h5_list(s->file, there, sizeof there);
    return sr_fail(err, SR_DATA, "%s: no dataset /%.60s; the file holds: %.300s", s->t.path,
                   f->key ? f->key : sr_field_role(f), there);
}

static bool is_number(const struct sr_h5_info *info) {
    return info->kind == SR_H5_HALF || info->kind == SR_H5_BFLOAT || info->kind == SR_H5_FLOAT ||
           info->kind == SR_H5_INTEGER;
}

/* NULL, or what is wrong with the dataset as the column. */
static const char *misfit(const struct sr_field *f, const struct sr_h5_info *info) {
    const bool matrix = sr_field_form(f) == SR_FORM_MATRIX;
    const bool texts = info->kind == SR_H5_TEXT || info->kind == SR_H5_OPAQUE || info->kind == SR_H5_INTEGER;
    if (matrix && info->rank != 2)
        return "features have two axes: [rows, width]";
    if (matrix && !is_number(info) && !(info->kind == SR_H5_OPAQUE && info->size == 2))
        return "features are float16, float32, float64 or bfloat16";
    if (matrix && info->kind == SR_H5_INTEGER)
        return "features are floats; saferoute data repack takes bit patterns of bfloat16";
    if (!matrix && info->rank != 1 && !(info->rank == 2 && info->shape[1] == 1))
        return "a column has one value a row: [rows] or [rows, 1]";
    if (!matrix && (sr_field_is_text(f) ? !texts : !is_number(info)))
        return sr_field_is_text(f) ? "strings or integers are needed" : "numbers are needed";
    return NULL;
}

static enum sr_feature feature_of(const struct sr_h5_info *info) {
    return info->kind == SR_H5_HALF    ? SR_FEATURE_HALF
           : info->kind == SR_H5_FLOAT ? SR_FEATURE_FLOAT
                                       : SR_FEATURE_BFLOAT;
}

/* As it is read: features of 64 bits as 32, other numbers as 64. */
static enum sr_dtype dtype_of(const struct sr_field *f, const struct sr_h5_info *info) {
    if (info->kind == SR_H5_FLOAT)
        return info->size == sizeof(float) || sr_field_form(f) == SR_FORM_MATRIX ? SR_F32 : SR_F64;
    return info->kind == SR_H5_HALF                                           ? SR_F16
           : info->kind == SR_H5_BFLOAT || sr_field_form(f) == SR_FORM_MATRIX ? SR_BF16
                                                                              : SR_F64;
}

/* ---- columns ---- */

/* A long name may stand for many rows, which are all written out in the end. */
static int check_names(const struct sr_listed *l, const struct dump_table *s, const struct sr_field *f,
                       size_t rows, struct sr_error *err) {
    const uint64_t most = sr_h5_texts_most(s->file);
    uint64_t bytes = 0;
    for (size_t i = 0; i < rows; i++)
        bytes = sr_size_sum(bytes, strlen(l->names[l->index[i]]) + 1);
    if (bytes > most)
        return sr_fail(err, SR_DATA,
                       "%s: /%s: strings come to more than %llu bytes, far more than the file has", s->t.path,
                       f->name, (unsigned long long)most);
    return 0;
}

static int read_column(struct column *c, const struct dump_table *s, const struct sr_field *f,
                       const struct sr_h5_info *info, size_t rows, struct sr_error *err) {
    int status = 0;
    if (!sr_field_is_text(f)) {
        c->number = sr_alloc(rows, sizeof *c->number, err);
        return c->number ? sr_h5_read_doubles(s->file, f->name, c->number, rows, err) : SR_NOMEM;
    }
    if (sr_field_form(f) == SR_FORM_GROUP && info->kind == SR_H5_INTEGER) {
        c->group = sr_alloc(rows, sizeof *c->group, err);
        return c->group ? sr_h5_read_integers(s->file, f->name, c->group, rows, err) : SR_NOMEM;
    }
    if (f->role == SR_ROLE_SOURCE && info->kind == SR_H5_INTEGER)
        status = sr_listed_read(&c->listed, s->file, f->name, rows, err);
    if (status == 0 && c->listed.names)
        status = check_names(&c->listed, s, f, rows, err);
    return status < 0 || c->listed.names ? status : sr_h5_read_texts(s->file, f->name, &c->text, rows, err);
}

/* ---- binding ---- */

static int open_features(struct dump_table *s, struct column *c, struct sr_field *f,
                         const struct sr_h5_info *info, struct sr_error *err) {
    const int status = sr_field_width(f, &s->t, (size_t)info->shape[1], err);
    c->type = feature_of(info);
    return status < 0 ? status : sr_h5_matrix_open(&c->features, s->file, f->name, c->type, err);
}

/* All columns of one dump have the same rows. */
static int take_rows(struct dump_table *s, const struct sr_field *f, const struct sr_h5_info *info,
                     struct sr_error *err) {
    if (s->t.fields > 0 && info->shape[0] != s->t.rows)
        return sr_fail(err, SR_DATA, "%s: /%s has %llu rows, but /%s has %zu; they must be the same rows",
                       s->t.path, f->name, (unsigned long long)info->shape[0], s->t.field[0]->name,
                       s->t.rows);
    if (info->shape[0] > UINT32_MAX)
        return sr_fail(err, SR_DATA, "%s: /%s has more than 2^32 - 1 rows", s->t.path, f->name);
    s->t.rows = (size_t)info->shape[0];
    return 0;
}

static int bind(struct sr_table *t, struct sr_field *f, struct sr_error *err) {
    struct dump_table *s = OWN(t);
    struct column *c = &s->column[t->fields];
    struct sr_h5_info info = {0};
    int status = sr_h5_settle(s->file, sr_field_choose(f, t, has, err), err);
    if (status == 0 && !f->name)
        return f->required ? sr_h5_settle(s->file, fail_missing(s, f, err), err) : 0;
    if (status == 0)
        status = sr_h5_info(s->file, f->name, &info, err);
    if (status < 0)
        return status;
    const char *why = misfit(f, &info);
    if (why)
        return sr_fail(err, SR_DATA, "%s: /%s holds %s of rank %d, but %s", t->path, f->name, info.type,
                       info.rank, why);
    f->dtype = dtype_of(f, &info);
    f->text = info.kind == SR_H5_TEXT || info.kind == SR_H5_OPAQUE;
    if ((status = take_rows(s, f, &info, err)) < 0)
        return status;
    return sr_field_form(f) == SR_FORM_MATRIX ? open_features(s, c, f, &info, err)
                                              : read_column(c, s, f, &info, t->rows, err);
}

/* ---- reading ---- */

/* number [24] becomes a group's. */
static const char *text_of(const struct column *c, size_t i, char number[24]) {
    if (c->listed.names)
        return c->listed.names[c->listed.index[i]];
    if (c->text)
        return c->text[i];
    snprintf(number, 24, "%lld", (long long)c->group[i]);
    return number;
}

static int put_column(struct sr_field *f, struct sr_table *t, const struct column *c, size_t n,
                      struct sr_error *err) {
    const size_t first = t->taken;
    int status = 0;
    for (size_t i = first; i < first + n && status == 0; i++) {
        char number[24];
        t->taken = i;
        status = c->number ? sr_field_number(f, t, c->number[i], err)
                           : sr_field_parse(f, t, text_of(c, i, number), err);
    }
    t->taken = first;
    return status;
}

static int read_rows(struct sr_table *t, size_t n, struct sr_error *err) {
    int status = 0;
    for (size_t i = 0; i < t->fields && status == 0; i++) {
        struct sr_field *f = t->field[i];
        const struct column *c = &LOOK(t)->column[i];
        if (c->features) {
            status = sr_h5_matrix_read(c->features, sr_field_row(f), t->taken, n, c->type, err);
            f->rows += n;
        } else {
            status = put_column(f, t, c, n, err);
        }
    }
    status = sr_h5_settle(LOOK(t)->file, status, err);
    return status < 0 ? status : (int)n;
}

static const char *metadata(const struct sr_table *t, const char *key) {
    for (int k = 0; k < SR_CONTRACT_KEYS; k++)
        if (strcmp(sr_contract_key(k), key) == 0)
            return LOOK(t)->contract[k];
    return NULL;
}

static bool is_taken(const struct sr_table *t, const char *name, size_t length) {
    for (size_t i = 0; i < t->fields; i++)
        if (strlen(t->field[i]->name) == length && strncmp(t->field[i]->name, name, length) == 0)
            return true;
    return false;
}

/* Of "features [12,8] float16, label [12] uint8" the datasets that no field has. */
static int left(const struct sr_table *t, char *text, size_t size, struct sr_error *err) {
    char all[LISTED];
    size_t used = 0;
    text[0] = '\0';
    sr_h5_list(LOOK(t)->file, all, sizeof all);
    for (char *rest = all, *item; (item = rest) != NULL && used < size;) {
        rest = strstr(item, ", ");
        if (rest) {
            *rest = '\0';
            rest += 2;
        }
        if (!is_taken(t, item, strcspn(item, " ")))
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", item);
    }
    return sr_h5_settle(LOOK(t)->file, 0, err);
}

static void close_table(struct sr_table *t) {
    struct dump_table *s = OWN(t);
    for (size_t i = 0; i < SR_COUNT(s->column); i++) {
        sr_h5_matrix_close(s->column[i].features);
        sr_free(s->column[i].number);
        sr_free(s->column[i].text);
        sr_listed_free(&s->column[i].listed);
        sr_free(s->column[i].group);
    }
    for (int k = 0; k < SR_CONTRACT_KEYS; k++)
        sr_free(s->contract[k]);
    sr_h5_close(s->file, NULL);
    sr_free(s);
}

int sr_dump_table_open(struct sr_table **out, const char *path, struct sr_error *err) {
    static const struct sr_table_ops ops = {
        .bind = bind, .read = read_rows, .metadata = metadata, .left = left, .close = close_table};
    struct dump_table *s = sr_alloc(1, sizeof *s, err);
    if (!s)
        return SR_NOMEM;
    int status = sr_table_begin(&s->t, &ops, path, err);
    if (status == 0)
        status = sr_h5_open(&s->file, path, err);
    for (int k = 0; k < SR_CONTRACT_KEYS && status == 0; k++)
        status = sr_h5_attribute(s->file, "/", sr_contract_key(k), &s->contract[k], err);
    if (status < 0)
        sr_table_close(&s->t);
    else
        *out = &s->t;
    return status;
}
