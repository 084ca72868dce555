/* field.c: values of a column, checked as they come. See field.h.
 *
 * The rules are those by which a dump is opened (column.c, guard.c, dump.c). They are applied here as well,
 * because there only the row is known and here the line of the file somebody can correct.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/field.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "nn/base/number.h"
#include "data/table.h"

void sr_field_free(struct sr_field *f) {
    sr_free(f->name);
    sr_free(f->band);
    sr_free(f->number);
    sr_free(f->begin);
    sr_free(f->bytes);
    *f = (struct sr_field){0};
}

/* ---- names ---- */

static int take_name(struct sr_field *f, const char *name, struct sr_error *err) {
    f->name = sr_strdup(name, err);
    return f->name ? 0 : SR_NOMEM;
}

int sr_field_choose(struct sr_field *f, const struct sr_table *t,
                    bool (*has)(const struct sr_table *t, const char *name), struct sr_error *err) {
    const char *const *names = sr_roles[f->role].names, *found = NULL;
    if (f->key)
        return has(t, f->key) ? take_name(f, f->key, err) : 0;
    if (has(t, names[0]))
        return take_name(f, names[0], err);
    for (size_t i = 1; names[i]; i++) {
        if (!has(t, names[i]))
            continue;
        if (found)
            return sr_fail(err, SR_DATA, "%s: both %s and %s could be the %s; say which with --%s FILE:NAME",
                           t->path, found, names[i], names[0], names[0]);
        found = names[i];
    }
    return found ? take_name(f, found, err) : 0;
}

/* ---- numbers and text ---- */

static int fail_value(const struct sr_field *f, const struct sr_table *t, const char *value, const char *why,
                      struct sr_error *err) {
    char place[SR_PLACE];
    return sr_fail(err, SR_DATA, "%s: %.60s is \"%.40s\", but %s", sr_table_place(place, t), f->name, value,
                   why);
}

/* NULL, or what a value of this form has to be. */
static const char *breaks(enum sr_form form, double value) {
    switch (form) {
    case SR_FORM_BINARY:
        return value == 0 || value == 1 || value == -1 || isnan(value)
                   ? NULL
                   : "it must be 0 or 1, or where it is not known -1, NaN or empty";
    case SR_FORM_PROB:
        return (value >= 0 && value <= 1) || isnan(value)
                   ? NULL
                   : "a probability is a number from 0 to 1, or where it is not known NaN or empty";
    case SR_FORM_WEIGHT:
        return isfinite(value) && value >= 0 ? NULL : "a weight is finite and not below 0";
    case SR_FORM_MATRIX:
    case SR_FORM_TEXT:
    case SR_FORM_GROUP:
        break;
    }
    return NULL;
}

/* Room for one row more of `each` bytes in *items. */
static int reserve(struct sr_field *f, void **items, size_t each, struct sr_error *err) {
    if (f->rows < f->room)
        return 0;
    const size_t room = f->room ? 2 * f->room : 4096;
    void *grown = sr_realloc(*items, f->room * each, room * each, err);
    if (!grown)
        return SR_NOMEM;
    *items = grown;
    f->room = room;
    return 0;
}

static int put_number(struct sr_field *f, double value, struct sr_error *err) {
    void *items = f->number;
    const int status = reserve(f, &items, sizeof *f->number, err);
    f->number = items;
    if (status == 0)
        f->number[f->rows++] = sr_field_form(f) == SR_FORM_BINARY && value == -1 ? (double)NAN : value;
    return status;
}

int sr_field_number(struct sr_field *f, const struct sr_table *t, double value, struct sr_error *err) {
    char text[SR_DECIMAL_TEXT];
    const char *why = breaks(sr_field_form(f), value);
    return why ? fail_value(f, t, sr_decimal(text, value), why, err) : put_number(f, value, err);
}

static int put_text(struct sr_field *f, const char *text, struct sr_error *err) {
    const size_t size = strlen(text) + 1;
    void *items = f->begin;
    const int status = reserve(f, &items, sizeof *f->begin, err);
    f->begin = items;
    if (status < 0)
        return status;
    if (size > f->bytes_room - f->used) {
        const size_t room = 2 * (f->bytes_room + size);
        char *grown = sr_realloc(f->bytes, f->used, room, err);
        if (!grown)
            return SR_NOMEM;
        f->bytes = grown;
        f->bytes_room = room;
    }
    memcpy(f->bytes + f->used, text, size);
    f->begin[f->rows++] = f->used;
    f->used += size;
    return 0;
}

const char *sr_field_at(const struct sr_field *f, size_t row) {
    return f->bytes + f->begin[row];
}

int sr_field_reorder(struct sr_field *f, const size_t *order, struct sr_error *err) {
    const bool text = sr_field_is_text(f);
    double *number = text ? NULL : sr_alloc(f->room, sizeof *number, err);
    size_t *begin = text ? sr_alloc(f->room, sizeof *begin, err) : NULL;
    if (!number && !begin)
        return SR_NOMEM;
    for (size_t i = 0; i < f->rows; i++)
        if (text)
            begin[i] = f->begin[order[i]];
        else
            number[i] = f->number[order[i]];
    sr_free(text ? (void *)f->begin : f->number);
    f->begin = begin;
    f->number = number;
    return 0;
}

int sr_field_missing(struct sr_field *f, const struct sr_table *t, struct sr_error *err) {
    char place[SR_PLACE];
    if (sr_field_is_text(f))
        return put_text(f, "", err);
    if (sr_field_form(f) == SR_FORM_MATRIX || (sr_field_form(f) == SR_FORM_WEIGHT && f->name))
        return sr_fail(err, SR_DATA, "%s: no %.60s, which every row needs", sr_table_place(place, t),
                       f->name  ? f->name
                       : f->key ? f->key
                                : sr_field_role(f));
    return put_number(f, (double)NAN, err);
}

/* ---- features ---- */

int sr_field_width(struct sr_field *f, const struct sr_table *t, size_t width, struct sr_error *err) {
    char place[SR_PLACE];
    if (f->width > 0 && width != f->width)
        return sr_fail(err, SR_DATA, "%s: %zu features, but the rows before have %zu",
                       sr_table_place(place, t), width, f->width);
    if (width == 0 || width > SR_DATA_WIDTH_MAX)
        return sr_fail(err, SR_DATA,
                       "%s: %zu features a row; 1 to %d are possible, so is this a hidden state?",
                       sr_table_place(place, t), width, SR_DATA_WIDTH_MAX);
    if (f->band)
        return 0;
    f->width = width;
    f->band = sr_alloc(SR_BAND_ROWS * width, sr_dtype_size(f->dtype), err);
    return f->band ? 0 : SR_NOMEM;
}

void *sr_field_row(const struct sr_field *f) {
    return f->band + f->rows * f->width * sr_dtype_size(f->dtype);
}

/* Commas of "[1, 2, 3]" and one more. */
static size_t count_items(const char *text) {
    size_t items = 1;
    while ((text = strchr(text, ',')))
        text++, items++;
    return items;
}

static const char *skip_space(const char *p) {
    return p + strspn(p, " \t\r\n");
}

/* One number of a list: null is how JSON writers that know no NaN write it. */
static const char *parse_item(double *value, const char *p) {
    p = skip_space(p);
    if (strncmp(p, "null", 4) == 0) {
        *value = (double)NAN;
        p += 4;
    } else if (!(p = sr_number_parse(value, p)))
        return NULL;
    return skip_space(p);
}

static int fail_item(const struct sr_field *f, const struct sr_table *t, size_t i, const char *at,
                     struct sr_error *err) {
    char place[SR_PLACE];
    return sr_fail(err, SR_DATA,
                   "%s: %.60s, value %zu: numbers between commas in brackets are needed, not \"%.30s\"",
                   sr_table_place(place, t), f->name, i, at);
}

static int parse_list(struct sr_field *f, const struct sr_table *t, const char *text, struct sr_error *err) {
    const char *p = skip_space(text);
    if (*p++ != '[')
        return fail_item(f, t, 0, text, err);
    const int status = sr_field_width(f, t, *skip_space(p) == ']' ? 0 : count_items(p), err);
    if (status < 0)
        return status;
    double *row = sr_field_row(f);
    for (size_t i = 0; i < f->width; i++, p++) {
        const char *end = parse_item(row + i, p);
        if (!end || *end != (i + 1 < f->width ? ',' : ']'))
            return fail_item(f, t, i, end ? end : skip_space(p), err);
        p = end;
    }
    f->rows++;
    return *skip_space(p) ? fail_item(f, t, f->width, p, err) : 0;
}

/* ---- text of unknown kind ---- */

static bool parse_value(double *value, const char *text) {
    const char *end = sr_number_parse(value, text = skip_space(text));
    if (strncasecmp(text, "true", 4) == 0 || strncasecmp(text, "false", 5) == 0) {
        *value = *text == 't' || *text == 'T';
        end = text + (*value == 1 ? 4 : 5);
    }
    return end && !*skip_space(end);
}

int sr_field_parse(struct sr_field *f, const struct sr_table *t, const char *text, struct sr_error *err) {
    double value;
    if (sr_field_is_text(f))
        return put_text(f, text, err);
    if (sr_field_form(f) == SR_FORM_MATRIX)
        return parse_list(f, t, text, err);
    if (!*skip_space(text))
        return sr_field_missing(f, t, err);
    if (!parse_value(&value, text))
        return fail_value(f, t, text, "a number is needed", err);
    return sr_field_number(f, t, value, err);
}
