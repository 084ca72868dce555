/* table_jsonl.c: a JSON object a line as a table: columns go by the names of members. See table.h.
 *
 * Lines need not have the same members: one that a line lacks is not known there, and a column is one of the
 * dump when any line has it. NaN and Infinity are read, as Python's json module writes them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "data/jsonl.h"
#include "data/lines.h"
#include "data/table.h"

#define SCALAR_MOST 64 /* bytes of a number */

struct jsonl_table {
    struct sr_table t;
    struct sr_lines *lines;
    char *line;             /* the one being read */
    struct sr_jsonl object; /* its members */
};

#define OWN(table) ((struct jsonl_table *)(table))

/* One that is there twice is, too: who takes it is told. */
static bool has(const struct sr_table *t, const char *name) {
    const struct sr_jsonl *o = &((const struct jsonl_table *)t)->object;
    size_t index;
    return sr_jsonl_find(&index, o, name, NULL) < 0 || index < o->members;
}

/* Lines have not been looked at yet. */
static int bind(struct sr_table *t, struct sr_field *f, struct sr_error *err) {
    (void)t;
    (void)err;
    f->dtype = SR_F64;
    return 0;
}

/* "F.jsonl: line 7: " before the error. */
static int fail_line(const struct sr_table *t, const struct sr_error *why, struct sr_error *err) {
    char place[SR_PLACE];
    return sr_fail(err, why->status, "%s: %.200s", sr_table_place(place, t), why->text);
}

static int put_string(const struct jsonl_table *j, struct sr_field *f, const struct sr_json_span *value,
                      struct sr_error *err) {
    char place[SR_PLACE];
    struct sr_json *string;
    const int parsed = sr_json_parse(&string, value->text, value->length, NULL);
    if (parsed == SR_NOMEM)
        return sr_fail(err, SR_NOMEM, "%s: out of memory for its %.60s", sr_table_place(place, &j->t),
                       f->name);
    if (parsed < 0)
        return sr_fail(err, SR_DATA, "%s: %.60s is %.*s, which is no JSON string",
                       sr_table_place(place, &j->t), f->name, (int)(value->length < 40 ? value->length : 40),
                       value->text);
    const int status = sr_field_parse(f, &j->t, sr_json_as_string(string), err);
    sr_json_free(string);
    return status;
}

static int fail_kind(const struct jsonl_table *j, const struct sr_field *f, const struct sr_json_span *value,
                     struct sr_error *err) {
    char place[SR_PLACE];
    return sr_fail(err, SR_DATA, "%s: %.60s is %.*s, but %s is needed", sr_table_place(place, &j->t), f->name,
                   (int)(value->length < 40 ? value->length : 40), value->text,
                   sr_field_form(f) == SR_FORM_MATRIX ? "a list of numbers"
                   : sr_field_is_text(f)              ? "a string or a number"
                                                      : "a number");
}

/* A list of features is read in place, ended by a NUL: the comma or bracket behind it has done its work. */
static int put_list(struct jsonl_table *j, struct sr_field *f, const struct sr_json_span *value,
                    struct sr_error *err) {
    j->line[(size_t)(value->text - j->line) + value->length] = '\0';
    return sr_field_parse(f, &j->t, value->text, err);
}

static bool is_word(const struct sr_json_span *value, const char *word) {
    return value->length == strlen(word) && memcmp(value->text, word, value->length) == 0;
}

static int put_scalar(const struct jsonl_table *j, struct sr_field *f, const struct sr_json_span *value,
                      struct sr_error *err) {
    char text[SCALAR_MOST];
    if (is_word(value, "null") || (is_word(value, "NaN") && sr_field_is_text(f)))
        return sr_field_missing(f, &j->t, err);
    if (value->length >= SCALAR_MOST)
        return fail_kind(j, f, value, err);
    memcpy(text, value->text, value->length);
    text[value->length] = '\0';
    return sr_field_parse(f, &j->t, text, err);
}

static int put_value(struct jsonl_table *j, struct sr_field *f, const struct sr_json_span *value,
                     struct sr_error *err) {
    const bool list = *value->text == '[', matrix = sr_field_form(f) == SR_FORM_MATRIX;
    if (list != matrix || *value->text == '{')
        return fail_kind(j, f, value, err);
    if (list)
        return put_list(j, f, value, err);
    return *value->text == '"' ? put_string(j, f, value, err) : put_scalar(j, f, value, err);
}

/* A column keeps the name it was found by; lines that call it otherwise would lose their values. A better
 * name beside it would have been the one, had it been there on the line where the column appeared. */
static int check_names(const struct jsonl_table *j, const struct sr_field *f, bool found,
                       struct sr_error *err) {
    char place[SR_PLACE];
    const char *const *names = sr_roles[f->role].names;
    for (size_t i = 0; !f->key && names[i]; i++)
        if (strcmp(names[i], f->name) != 0 && (i == 0 || !found) && has(&j->t, names[i]))
            return sr_fail(err, SR_DATA,
                           "%s: the %s is called %s here, but %s on a line before; give it one name",
                           sr_table_place(place, &j->t), names[0], names[i], f->name);
    return 0;
}

static int take_field(struct jsonl_table *j, struct sr_field *f, struct sr_error *err) {
    struct sr_error why;
    size_t index = SR_JSONL_MEMBERS;
    int status = f->name ? 0 : sr_field_choose(f, &j->t, has, err);
    if (status == 0 && f->name && sr_jsonl_find(&index, &j->object, f->name, &why) < 0)
        return fail_line(&j->t, &why, err);
    if (status == 0 && f->name)
        status = check_names(j, f, index < j->object.members, err);
    if (status < 0)
        return status;
    if (index >= j->object.members)
        return sr_field_missing(f, &j->t, err);
    return put_value(j, f, &j->object.member[index].value, err);
}

/* 1: a line was taken; 0: there is none. Empty lines are none. */
static int take_line(struct jsonl_table *j, struct sr_error *err) {
    struct sr_error why;
    int status;
    do {
        status = sr_lines_next(j->lines, &j->line, err);
        j->t.line++;
    } while (status > 0 && j->line[strspn(j->line, " \t\r")] == '\0');
    if (status <= 0)
        return status;
    if (sr_jsonl_scan(&j->object, j->line, &why) < 0)
        return fail_line(&j->t, &why, err);
    for (size_t i = 0; i < j->t.fields && status >= 0; i++)
        status = take_field(j, j->t.field[i], err);
    return status < 0 ? status : 1;
}

static int read_rows(struct sr_table *t, size_t n, struct sr_error *err) {
    for (size_t i = 0; i < n; i++) {
        const int status = take_line(OWN(t), err);
        if (status <= 0)
            return status < 0 ? status : (int)i;
    }
    return (int)n;
}

static double fraction(const struct sr_table *t) {
    return sr_lines_fraction(((const struct jsonl_table *)t)->lines);
}

static void close_table(struct sr_table *t) {
    sr_lines_close(OWN(t)->lines);
    sr_free(t);
}

int sr_jsonl_table_open(struct sr_table **out, const char *path, struct sr_error *err) {
    static const struct sr_table_ops ops = {
        .bind = bind, .may_appear = true, .read = read_rows, .fraction = fraction, .close = close_table};
    struct jsonl_table *j = sr_alloc(1, sizeof *j, err);
    if (!j)
        return SR_NOMEM;
    int status = sr_table_begin(&j->t, &ops, path, err);
    if (status == 0)
        status = sr_lines_open(&j->lines, path, err);
    if (status < 0)
        sr_table_close(&j->t);
    else
        *out = &j->t;
    return status;
}
