/* table.c: which format a file is of, and what all formats share. See table.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/table.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool is_pattern(const char *path) {
    struct stat st;
    if (stat(path, &st) == 0)
        return S_ISDIR(st.st_mode);
    return strpbrk(path, "*?[") != NULL;
}

static int open_format(struct sr_table **out, const char *path, struct sr_error *err) {
    if (is_pattern(path))
        return sr_hidden_table_open(out, path, err);
    if (sr_ends_in(path, ".csv"))
        return sr_csv_table_open(out, path, err);
    if (sr_ends_in(path, ".jsonl") || sr_ends_in(path, ".ndjson"))
        return sr_jsonl_table_open(out, path, err);
    if (sr_ends_in(path, ".txt"))
        return sr_lines_table_open(out, path, err);
    const int dump = sr_ends_in(path, ".h5") || sr_ends_in(path, ".hdf5") ? 1 : sr_is_hdf5(path, err);
    if (dump < 0)
        return dump;
    return dump ? sr_dump_table_open(out, path, err) : sr_tensors_table_open(out, path, err);
}

int sr_table_open(struct sr_table **out, const char *path, const struct sr_table_how *how,
                  struct sr_error *err) {
    *out = NULL;
    const int status = open_format(out, path, err);
    if (status == 0)
        (*out)->how = how;
    return status;
}

int sr_table_begin(struct sr_table *t, const struct sr_table_ops *ops, const char *path,
                   struct sr_error *err) {
    t->ops = ops;
    t->rows = SR_ROWS_UNKNOWN;
    t->path = sr_strdup(path, err);
    return t->path ? 0 : SR_NOMEM;
}

void sr_table_close(struct sr_table *t) {
    if (!t)
        return;
    char *path = t->path;
    t->ops->close(t);
    sr_free(path);
}

int sr_table_bind(struct sr_table *t, struct sr_field *f, struct sr_error *err) {
    const int status = t->ops->bind(t, f, err);
    if (status == 0 && (f->name || t->ops->may_appear))
        t->field[t->fields++] = f;
    return status;
}

int sr_table_read(struct sr_table *t, size_t n, struct sr_error *err) {
    for (size_t i = 0; i < t->fields; i++)
        if (sr_field_form(t->field[i]) == SR_FORM_MATRIX)
            t->field[i]->rows = 0;
    if (t->rows != SR_ROWS_UNKNOWN && n > t->rows - t->taken)
        n = t->rows - t->taken;
    if (n == 0)
        return 0;
    const size_t before = t->taken;
    const int got = t->ops->read(t, n, err);
    if (got > 0)
        t->taken = before + (size_t)got;
    return got;
}

double sr_table_fraction(const struct sr_table *t) {
    if (t->ops->fraction)
        return t->ops->fraction(t);
    return t->rows > 0 && t->rows != SR_ROWS_UNKNOWN ? (double)t->taken / (double)t->rows : 1;
}

const char *sr_table_metadata(const struct sr_table *t, const char *key) {
    return t->ops->metadata ? t->ops->metadata(t, key) : NULL;
}

bool sr_table_same_file(const char *a, const char *b) {
    struct stat of_a, of_b;
    return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
}

bool sr_table_reads(const struct sr_table *t, const char *path) {
    for (size_t i = 0;; i++) {
        const char *file = t->ops->file ? t->ops->file(t, i) : i == 0 ? t->path : NULL;
        if (!file)
            return false;
        if (sr_table_same_file(file, path))
            return true;
    }
}

int sr_table_layer(uint64_t *layer, const struct sr_table_how *how, uint64_t count, const char *path,
                   const char *what, struct sr_error *err) {
    const int64_t layers = (int64_t)count, at = how->layer < 0 ? how->layer + layers : how->layer;
    if (!how->layer_given && count != 1)
        return sr_fail(err, SR_DATA,
                       "%s: %s; --layer K takes the K-th of the middle axis (layers, or tokens; -1 is the "
                       "last)",
                       path, what);
    if (at < 0 || at >= layers)
        return sr_fail(err, SR_USAGE, "%s: %s: there is no --layer %lld", path, what, (long long)how->layer);
    *layer = (uint64_t)at;
    return 0;
}

const char *sr_table_place(char text[SR_PLACE], const struct sr_table *t) {
    if (t->line > 0)
        snprintf(text, SR_PLACE, "%.260s: line %zu", t->path, t->line);
    else
        snprintf(text, SR_PLACE, "%.260s: row %zu", t->path, t->taken);
    return text;
}
