/* table_csv.c: CSV as a table: columns go by the names of the header line. See table.h.
 *
 * Features are one column of lists ("[0.1, 0.2]", quoted) or one column a feature, PREFIX0, PREFIX1, ... (or
 * from 1 on), which may stand in any order but not miss a number.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "data/csv.h"
#include "nn/base/number.h"
#include "data/table.h"

struct csv_table {
    struct sr_table t;
    struct sr_csv *csv;
    struct sr_names header;
    size_t *place; /* features a column each: feature i is field place[i]; NULL: none */
};

#define OWN(table)  ((struct csv_table *)(table))
#define LOOK(table) ((const struct csv_table *)(table))

/* ---- the header ---- */

static bool has(const struct sr_table *t, const char *name) {
    const struct sr_names *h = &LOOK(t)->header;
    for (size_t i = 0; i < h->count; i++)
        if (strcmp(h->name[i], name) == 0)
            return true;
    return false;
}

static int read_header(struct csv_table *c, struct sr_error *err) {
    int status = sr_csv_next(c->csv, err);
    if (status == 0)
        return sr_fail(err, SR_DATA, "%s is empty; a header line with the columns' names is needed",
                       c->t.path);
    for (size_t i = 0; status > 0 && i < sr_csv_fields(c->csv); i++) {
        int32_t number;
        if (sr_names_add(&c->header, sr_csv_field(c->csv, i), &number, err) < 0)
            return SR_NOMEM;
        if ((size_t)number != i)
            return sr_fail(err, SR_DATA, "%s: line %zu: two columns are called \"%.60s\"", c->t.path,
                           sr_csv_line(c->csv), sr_csv_field(c->csv, i));
    }
    return status < 0 ? status : 0;
}

/* "row,label,f0,...", cut. */
static const char *header_text(char text[160], const struct csv_table *c) {
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < c->header.count && used < 120; i++)
        used += (size_t)snprintf(text + used, 160 - used, "%s%.30s", i ? ", " : "", c->header.name[i]);
    if (used >= 120)
        snprintf(text + 120, 40, " ...");
    return text;
}

static int fail_missing(const struct csv_table *c, const struct sr_field *f, struct sr_error *err) {
    char text[160];
    const char *name = f->key ? f->key : sr_field_role(f);
    return sr_fail(err, SR_DATA, "%s: no column %.60s; the header line has: %s%s", c->t.path, name,
                   header_text(text, c),
                   sr_field_form(f) == SR_FORM_MATRIX && !f->key
                       ? " (where features have a column each, --feature-prefix says how these begin)"
                       : "");
}

/* ---- features that have a column each ---- */

/* The number behind the prefix, or -1 where the name is another. */
static long feature_number(const char *name, const char *prefix) {
    const size_t n = strlen(prefix);
    const char *digits = name + n;
    if (strncmp(name, prefix, n) != 0 || !*digits || strlen(digits) > 6 ||
        digits[strspn(digits, "0123456789")] != '\0')
        return -1;
    long number = 0;
    for (; *digits; digits++)
        number = 10 * number + (*digits - '0');
    return number;
}

/* How many columns are features, and the lowest of their numbers. */
static size_t count_features(long *lowest, const struct csv_table *c) {
    size_t count = 0;
    for (size_t i = 0; i < c->header.count; i++) {
        const long number = feature_number(c->header.name[i], c->t.how->feature_prefix);
        if (number < 0)
            continue;
        *lowest = count == 0 || number < *lowest ? number : *lowest;
        count++;
    }
    return count;
}

static int find_places(struct csv_table *c, long lowest, size_t count, struct sr_error *err) {
    const char *prefix = c->t.how->feature_prefix;
    if (lowest > 1)
        return sr_fail(err, SR_DATA, "%s: the first feature is %s%ld; they are counted from 0 or 1 on",
                       c->t.path, prefix, lowest);
    c->place = sr_alloc(count, sizeof *c->place, err);
    if (!c->place)
        return SR_NOMEM;
    for (size_t i = 0; i < count; i++)
        c->place[i] = SR_CSV_NONE;
    for (size_t i = 0; i < c->header.count; i++) {
        const long at = feature_number(c->header.name[i], prefix) - lowest;
        if (at >= 0 && (size_t)at < count)
            c->place[at] = i;
    }
    for (size_t i = 0; i < count; i++)
        if (c->place[i] == SR_CSV_NONE)
            return sr_fail(err, SR_DATA, "%s: %zu columns begin with %s, but there is no %s%zu", c->t.path,
                           count, prefix, prefix, i + (size_t)lowest);
    return 0;
}

static int bind_features(struct csv_table *c, struct sr_field *f, struct sr_error *err) {
    long lowest = 0;
    const size_t count = count_features(&lowest, c);
    if (count == 0)
        return 0;
    int status = find_places(c, lowest, count, err);
    if (status == 0 && !(f->name = sr_strdup(c->t.how->feature_prefix, err)))
        status = SR_NOMEM;
    return status == 0 ? sr_field_width(f, &c->t, count, err) : status;
}

static int parse_feature(double *value, const struct csv_table *c, size_t i, struct sr_error *err) {
    char place[SR_PLACE];
    const char *text = sr_csv_field(c->csv, c->place[i]), *end;
    text += strspn(text, " ");
    *value = (double)NAN;
    if (*text && (!(end = sr_number_parse(value, text)) || end[strspn(end, " ")] != '\0'))
        return sr_fail(err, SR_DATA, "%s: column %.60s is \"%.40s\", but a number is needed",
                       sr_table_place(place, &c->t), c->header.name[c->place[i]], text);
    return 0;
}

static int take_features(const struct csv_table *c, struct sr_field *f, struct sr_error *err) {
    double *row = sr_field_row(f);
    int status = 0;
    for (size_t i = 0; i < f->width && status == 0; i++)
        status = parse_feature(row + i, c, i, err);
    f->rows++;
    return status;
}

/* ---- the table ---- */

/* A file of one column, named for one dump column, needs no name, but a header: what reads as a number is a
 * value, which would be lost and every label be that of the row behind. */
static int take_only(const struct csv_table *c, struct sr_field *f, struct sr_error *err) {
    double value;
    const char *name = c->header.name[0];
    if (sr_decimal_parse(&value, name + strspn(name, " ")))
        return sr_fail(err, SR_DATA,
                       "%s: line 1 is \"%.40s\", a number, and no header; put the column's name above it, or "
                       "call the file .txt",
                       c->t.path, name);
    f->name = sr_strdup(name, err);
    return f->name ? 0 : SR_NOMEM;
}

static int bind(struct sr_table *t, struct sr_field *f, struct sr_error *err) {
    struct csv_table *c = OWN(t);
    f->dtype = SR_F64;
    int status = sr_field_choose(f, t, has, err);
    if (status == 0 && !f->name && !f->key && sr_field_form(f) == SR_FORM_MATRIX)
        status = bind_features(c, f, err);
    if (status == 0 && !f->name && !f->key && f->required && c->header.count == 1)
        status = take_only(c, f, err);
    if (status == 0 && !f->name && f->required)
        status = fail_missing(c, f, err);
    for (size_t i = 0; status == 0 && f->name && i < c->header.count; i++)
        if (strcmp(c->header.name[i], f->name) == 0)
            f->at = i;
    return status;
}

static int take_record(struct csv_table *c, struct sr_error *err) {
    int status = 0;
    c->t.line = sr_csv_line(c->csv);
    for (size_t i = 0; i < c->t.fields && status == 0; i++) {
        struct sr_field *f = c->t.field[i];
        status = sr_field_form(f) == SR_FORM_MATRIX && c->place
                     ? take_features(c, f, err)
                     : sr_field_parse(f, &c->t, sr_csv_field(c->csv, f->at), err);
    }
    return status;
}

static int read_rows(struct sr_table *t, size_t n, struct sr_error *err) {
    for (size_t i = 0; i < n; i++) {
        int status = sr_csv_next(OWN(t)->csv, err);
        if (status == 0)
            return (int)i;
        if (status < 0 || (status = take_record(OWN(t), err)) < 0)
            return status;
    }
    return (int)n;
}

static double fraction(const struct sr_table *t) {
    return sr_csv_fraction(LOOK(t)->csv);
}

static void close_table(struct sr_table *t) {
    sr_csv_close(OWN(t)->csv);
    sr_names_free(&OWN(t)->header);
    sr_free(OWN(t)->place);
    sr_free(t);
}

int sr_csv_table_open(struct sr_table **out, const char *path, struct sr_error *err) {
    static const struct sr_table_ops ops = {
        .bind = bind, .read = read_rows, .fraction = fraction, .close = close_table};
    struct csv_table *c = sr_alloc(1, sizeof *c, err);
    if (!c)
        return SR_NOMEM;
    int status = sr_table_begin(&c->t, &ops, path, err);
    if (status == 0)
        status = sr_csv_open(&c->csv, path, err);
    if (status == 0)
        status = read_header(c, err);
    if (status < 0)
        sr_table_close(&c->t);
    else
        *out = &c->t;
    return status;
}
