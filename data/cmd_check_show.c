/* cmd_check_show.c: findings of a check for people and for programs. See cmd_check.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "data/cmd_check.h"

#define INDENT     2
#define ROW_INDENT 4

/* ---- for people ---- */

static const char *letter_of(const struct sr_check *c, const char *path) {
    for (size_t i = 0; i < c->names; i++)
        if (strcmp(c->name[i].path, path) == 0)
            return c->name[i].letter;
    return "";
}

/* "A 809  62d17e4d610c6116" */
static void print_row(const struct sr_check *c, const struct sr_finding *f, size_t i) {
    char text[256];
    printf("%s %zu", letter_of(c, f->row[i].path), f->row[i].row);
    if (f->row[i].id)
        printf("  %s", sr_utf8_clean(text, sizeof text, f->row[i].id));
}

/* Kinds whose rows are pairs, one behind the other. */
static bool is_paired(const struct sr_finding *f) {
    static const char *const kinds[] = {"contradictions", "duplicates", "near_duplicates", "ids"};
    for (size_t i = 0; f->rows % 2 == 0 && i < SR_COUNT(kinds); i++)
        if (strcmp(f->kind, kinds[i]) == 0)
            return true;
    return false;
}

static void print_rows(const struct sr_check *c, const struct sr_finding *f) {
    const size_t each = is_paired(f) ? 2 : 1;
    for (size_t i = 0; i < f->rows; i += each) {
        printf("%*s", ROW_INDENT, "");
        print_row(c, f, i);
        if (each == 2) {
            printf("  ~  ");
            print_row(c, f, i + 1);
        }
        putchar('\n');
    }
}

static bool say_the_same(const struct sr_finding *a, const struct sr_finding *b) {
    return strcmp(a->kind, b->kind) == 0 && a->serious == b->serious && a->unchecked == b->unchecked &&
           strcmp(a->text, b->text) == 0 && strcmp(a->advice, b->advice) == 0;
}

/* Said by a finding before? Equal ones are neighbours or nearly so. */
static bool is_said(const struct sr_check *c, size_t at) {
    for (size_t i = 0; i < at; i++)
        if (say_the_same(c->finding[i], c->finding[at]))
            return true;
    return false;
}

/* "SERIOUS  contract  A B", with the rows of each file behind the text. */
static void print_finding(const struct sr_check *c, size_t at) {
    const struct sr_finding *f = c->finding[at];
    printf("\n%s  %s", f->serious ? "SERIOUS" : f->unchecked ? "not checked" : "remark", f->kind);
    for (size_t i = at; i < c->findings; i++)
        if (c->finding[i]->path && say_the_same(c->finding[i], f))
            printf("%s%s", i == at ? "  " : " ", letter_of(c, c->finding[i]->path));
    printf("\n%*s", INDENT, "");
    sr_facts_wrap(stdout, f->text, INDENT);
    for (size_t i = at; i < c->findings; i++)
        if (say_the_same(c->finding[i], f))
            print_rows(c, c->finding[i]);
    if (!f->advice[0])
        return;
    printf("%*s> ", INDENT, "");
    sr_facts_wrap(stdout, f->advice, INDENT + 2);
}

static void print_verdict(const struct sr_check *c, size_t serious, size_t remarks) {
    char rows[SR_COUNT_TEXT];
    if (serious)
        printf("%zu serious finding%s%s", serious, serious > 1 ? "s" : "", remarks ? ", " : "");
    if (remarks)
        printf("%zu remark%s", remarks, remarks > 1 ? "s" : "");
    printf("%s in %s row%s of %zu file%s\n", serious + remarks ? "" : "nothing found",
           sr_count_text(rows, c->rows), c->rows == 1 ? "" : "s", c->files, c->files > 1 ? "s" : "");
}

static void print_names(const struct sr_check *c) {
    char text[4096];
    for (size_t i = 0; i < c->names; i++)
        printf("%*s%s  %s\n", INDENT, "", c->name[i].letter,
               sr_utf8_clean(text, sizeof text, c->name[i].path));
}

void sr_check_print(const struct sr_check *c) {
    size_t serious = 0, remarks = 0;
    for (size_t i = 0; i < c->findings; i++) {
        const bool new = !is_said(c, i);
        serious += new && c->finding[i]->serious;
        remarks += new && !c->finding[i]->serious && !c->finding[i]->unchecked;
    }
    print_verdict(c, serious, remarks);
    print_names(c);
    for (size_t i = 0; i < c->findings; i++)
        if (!is_said(c, i))
            print_finding(c, i);
}

/* ---- for programs ---- */

static struct sr_json *rows_json(const struct sr_finding *f) {
    struct sr_json *rows = sr_json_array();
    for (size_t i = 0; i < f->rows; i++) {
        struct sr_json *row = sr_json_object();
        sr_json_set(row, "file", sr_json_string(f->row[i].path));
        sr_json_set(row, "row", sr_json_integer((int64_t)f->row[i].row));
        sr_json_set(row, "id", sr_json_string(f->row[i].id));
        sr_json_append(rows, row);
    }
    return rows;
}

static struct sr_json *finding_json(const struct sr_finding *f) {
    struct sr_json *o = sr_json_object(), *numbers = sr_json_object();
    sr_json_set(o, "kind", sr_json_string(f->kind));
    sr_json_set(o, "severity",
                sr_json_string(f->serious     ? "serious"
                               : f->unchecked ? "not_checked"
                                              : "remark"));
    sr_json_set(o, "file", sr_json_string(f->path));
    sr_json_set(o, "text", sr_json_string(f->text));
    sr_json_set(o, "advice", sr_json_string(f->advice));
    for (size_t i = 0; i < f->numbers; i++)
        sr_json_set(numbers, f->number[i].name, sr_json_number(f->number[i].value));
    sr_json_set(o, "numbers", numbers);
    sr_json_set(o, "rows", rows_json(f));
    return o;
}

int sr_check_print_json(const struct sr_check *c, struct sr_error *err) {
    struct sr_json *o = sr_json_object(), *names = sr_json_object(), *findings = sr_json_array();
    sr_json_set(o, "schema_version", sr_json_integer(1));
    sr_json_set(o, "rows", sr_json_integer((int64_t)c->rows));
    sr_json_set(o, "files", sr_json_integer((int64_t)c->files));
    for (size_t i = 0; i < c->names; i++)
        sr_json_set(names, c->name[i].letter, sr_json_string(c->name[i].path));
    sr_json_set(o, "names", names);
    sr_json_set(o, "serious", sr_json_integer((int64_t)c->serious));
    sr_json_set(o, "remarks", sr_json_integer((int64_t)(c->findings - c->serious - c->unchecked)));
    sr_json_set(o, "not_checked", sr_json_integer((int64_t)c->unchecked));
    for (size_t i = 0; i < c->findings; i++)
        sr_json_append(findings, finding_json(c->finding[i]));
    sr_json_set(o, "findings", findings);
    char *text = sr_json_text(o, 2, err);
    sr_json_free(o);
    if (!text)
        return SR_NOMEM;
    puts(text);
    sr_free(text);
    return 0;
}
