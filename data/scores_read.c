/* scores_read.c: probabilities that were written before, held against the rows they are said to be of. See
 * data.h.
 *
 * Scores of other rows are the one mistake that no number shows afterwards. So the count must be that of the
 * dump, the column `row`, if there is one, must say 0, 1, 2, ..., and ids must agree where both sides have
 * one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "data/column.h"
#include "data/csv.h"
#include "data/data.h"

struct scores {
    const char *path;
    const struct sr_data *d;
    float *prob;
    size_t line; /* of the CSV file; 0: HDF5, which has rows only */
};

int sr_data_scores_form(const char *option, const char *path, struct sr_error *err) {
    const char *dot = strrchr(path, '.');
    if (dot && strcasecmp(dot, ".csv") == 0)
        return SR_SCORES_CSV;
    if (dot && (strcasecmp(dot, ".h5") == 0 || strcasecmp(dot, ".hdf5") == 0))
        return SR_SCORES_HDF5;
    return sr_fail(err, SR_USAGE, "--%s %s: its ending says no format; use .csv, .h5 or .hdf5", option, path);
}

/* "scores.csv: line 18", "scores.h5: row 17". */
static const char *place(char text[512], const struct scores *s, size_t row) {
    snprintf(text, 512, "%.480s: %s %zu", s->path, s->line > 0 ? "line" : "row", s->line > 0 ? s->line : row);
    return text;
}

/* value is neither NaN nor 0..1, or no number at all: what the file says is text. */
static int fail_prob(const struct scores *s, size_t row, const char *text, struct sr_error *err) {
    char where[512];
    return sr_fail(err, SR_DATA, "%s: prob is \"%.40s\", but a probability is a number from 0 to 1",
                   place(where, s, row), text);
}

static bool is_prob(double value) {
    return isnan(value) || (value >= 0 && value <= 1);
}

/* A row without an id on either side says nothing. */
static int check_id(const struct scores *s, size_t row, const char *id, struct sr_error *err) {
    const char *own = s->d->id ? s->d->id[row] : "", *path;
    char where[512];
    size_t row_in_file;
    if (!*id || !*own || strcmp(id, own) == 0)
        return 0;
    sr_data_locate(s->d, row, &path, &row_in_file);
    return sr_fail(err, SR_DATA,
                   "%s: row %zu is %.60s in the scores but %.60s in the dump (%s): these are scores of other "
                   "rows, or of rows in another order",
                   place(where, s, row), row, id, own, path);
}

static int fail_row(const struct scores *s, size_t row, const char *text, struct sr_error *err) {
    char where[512];
    return sr_fail(err, SR_DATA,
                   "%s: row is \"%.40s\" where %zu is due: rows must be those of the dump, in its order",
                   place(where, s, row), text, row);
}

static int fail_count(const struct scores *s, const char *more, size_t rows, struct sr_error *err) {
    return sr_fail(err, SR_DATA, "%s has %s%zu rows of scores, but the data has %zu rows: not scores of it",
                   s->path, more, rows, s->d->rows);
}

/* ---- CSV ---- */

struct columns {
    size_t prob, row, id; /* SR_CSV_NONE: there is none */
};

static int find_columns(struct columns *at, const struct scores *s, struct sr_csv *csv,
                        struct sr_error *err) {
    int status = sr_csv_next(csv, err);
    if (status == 0)
        return sr_fail(err, SR_DATA, "%s is empty; a header line with a column prob is needed", s->path);
    if (status < 0 || (status = sr_csv_column(&at->prob, csv, "prob", err)) < 0 ||
        (status = sr_csv_column(&at->row, csv, "row", err)) < 0 ||
        (status = sr_csv_column(&at->id, csv, "id", err)) < 0)
        return status;
    if (at->prob == SR_CSV_NONE)
        return sr_fail(err, SR_DATA,
                       "%s: no column prob; its first line, where the columns' names are, begins with "
                       "\"%.60s\"",
                       s->path, sr_csv_field(csv, 0));
    return 0;
}

/* An empty prob is how pandas writes NaN. */
static int take_prob(struct scores *s, size_t row, const char *text, struct sr_error *err) {
    double value = (double)NAN;
    if ((*text && !sr_decimal_parse(&value, text)) || !is_prob(value))
        return fail_prob(s, row, text, err);
    s->prob[row] = (float)value;
    return 0;
}

static int check_row(const struct scores *s, size_t row, const char *text, struct sr_error *err) {
    char *end;
    const unsigned long long value = strtoull(text, &end, 10);
    return end == text || *end || value != row ? fail_row(s, row, text, err) : 0;
}

static int take_record(struct scores *s, size_t row, const struct sr_csv *csv, const struct columns *at,
                       struct sr_error *err) {
    int status = 0;
    if (row == s->d->rows)
        return fail_count(s, "more than ", row, err);
    s->line = sr_csv_line(csv);
    if (at->row != SR_CSV_NONE)
        status = check_row(s, row, sr_csv_field(csv, at->row), err);
    if (status == 0 && at->id != SR_CSV_NONE)
        status = check_id(s, row, sr_csv_field(csv, at->id), err);
    return status == 0 ? take_prob(s, row, sr_csv_field(csv, at->prob), err) : status;
}

static int read_csv(struct scores *s, struct sr_error *err) {
    struct sr_csv *csv;
    struct columns at;
    size_t rows = 0;
    int status = sr_csv_open(&csv, s->path, err);
    if (status < 0)
        return status;
    status = find_columns(&at, s, csv, err);
    while (status == 0 && (status = sr_csv_next(csv, err)) > 0)
        status = take_record(s, rows++, csv, &at, err);
    sr_csv_close(csv);
    return status == 0 && rows != s->d->rows ? fail_count(s, "", rows, err) : status;
}

/* ---- HDF5 ---- */

static int take_probs(struct scores *s, const struct sr_dump *file, struct sr_error *err) {
    struct sr_column c;
    char text[SR_DECIMAL_TEXT];
    double *value = NULL;
    int status = sr_column_find(&c, file, "prob", "prob", err);
    if (status == 0)
        status = sr_column_numbers(&value, file, &c, false, "floats", err);
    for (size_t i = 0; status == 0 && i < file->rows; i++) {
        s->prob[i] = (float)value[i];
        if (!is_prob(value[i]))
            status = fail_prob(s, i, sr_decimal(text, value[i]), err);
    }
    sr_free(value);
    return status;
}

static int check_rows(const struct scores *s, const struct sr_dump *file, struct sr_error *err) {
    struct sr_column c;
    char text[SR_DECIMAL_TEXT];
    double *value = NULL;
    int status = sr_column_find(&c, file, NULL, "row", err);
    if (status < 0 || !c.name)
        return status;
    status = sr_column_numbers(&value, file, &c, true, "integers", err);
    for (size_t i = 0; status == 0 && i < file->rows; i++)
        if (value[i] != (double)i)
            status = fail_row(s, i, sr_decimal(text, value[i]), err);
    sr_free(value);
    return status;
}

static int check_ids(const struct scores *s, const struct sr_dump *file, struct sr_error *err) {
    struct sr_column c;
    char **id = NULL;
    int status = sr_column_find(&c, file, NULL, "id", err);
    if (status < 0 || !c.name || !s->d->id)
        return status;
    if (c.info.kind != SR_H5_TEXT && c.info.kind != SR_H5_OPAQUE && c.info.kind != SR_H5_INTEGER)
        return sr_column_kind(file, c.name, &c.info, "strings, 16-byte values or integers", err);
    status = sr_h5_read_texts(file->file, c.name, &id, file->rows, err);
    for (size_t i = 0; status == 0 && i < file->rows; i++)
        status = check_id(s, i, id[i], err);
    sr_free(id);
    return status;
}

static int check_count(const struct scores *s, const struct sr_h5 *file, struct sr_error *err) {
    struct sr_h5_info info;
    const bool there = sr_h5_has(file, "prob");
    int status = there ? sr_h5_info(file, "prob", &info, err) : 0;
    if (status == 0 && there && info.rank > 0 && info.shape[0] != s->d->rows)
        return fail_count(s, "", (size_t)info.shape[0], err);
    return status;
}

/* A file of scores is a dump without features, as far as its columns go. */
static int read_hdf5(struct scores *s, struct sr_error *err) {
    struct sr_dump file = {.rows = s->d->rows};
    int status = sr_h5_open(&file.file, s->path, err);
    if (status < 0)
        return status;
    file.path = file.file->path;
    if ((status = check_count(s, file.file, err)) == 0 && (status = take_probs(s, &file, err)) == 0 &&
        (status = check_rows(s, &file, err)) == 0)
        status = check_ids(s, &file, err);
    status = sr_h5_settle(file.file, status, err);
    sr_h5_close(file.file, NULL);
    return status;
}

int sr_data_read_scores(float *prob, const char *path, const struct sr_data *d, struct sr_error *err) {
    struct scores s = {.path = path, .d = d, .prob = prob};
    const int form = sr_data_scores_form("scores", path, err);
    if (form < 0)
        return form;
    return form == SR_SCORES_CSV ? read_csv(&s, err) : read_hdf5(&s, err);
}
