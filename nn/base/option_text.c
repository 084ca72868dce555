/* option_text.c: settings as text: a value that can be read back, and the help.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <string.h>

#include "nn/base/decimal.h"
#include "nn/base/option.h"

/* ---- values ---- */

/* Each writes at most size bytes and returns, as snprintf does, the length there would be with enough of them
 * (or, of a list that does not fit, some length from size on). */

static int bytes_text(char *text, size_t size, int64_t bytes) {
    static const char units[] = "KMGT";
    int unit = -1;
    if (bytes < 0)
        return snprintf(text, size, "auto");
    for (; bytes > 0 && bytes % 1024 == 0 && unit < 3; unit++)
        bytes /= 1024;
    return snprintf(text, size, "%" PRId64 "%.1s", bytes, unit < 0 ? "" : units + unit);
}

static int choice_text(char *text, size_t size, const char *choices, int index) {
    for (; index > 0; index--)
        choices = strchr(choices, '|') + 1;
    return snprintf(text, size, "%.*s", (int)strcspn(choices, "|"), choices);
}

static int real_text(char *text, size_t size, double value) {
    char number[SR_DECIMAL_TEXT];
    return snprintf(text, size, "%s", sr_decimal(number, value));
}

static int integer_text(char *text, size_t size, int64_t value) {
    return snprintf(text, size, "%" PRId64, value);
}

static int list_text(char *text, size_t size, const struct sr_option *row, const void *field) {
    const struct sr_integers *integers = field;
    const struct sr_reals *reals = field;
    const bool whole = row->type == SR_OPTION_INTEGERS;
    int used = snprintf(text, size, "%s", "");
    for (size_t i = 0; i < (whole ? integers->n : reals->n) && (size_t)used < size; i++) {
        char number[SR_DECIMAL_TEXT];
        if (whole)
            integer_text(number, sizeof number, integers->v[i]);
        else
            real_text(number, sizeof number, reals->v[i]);
        used += snprintf(text + used, size - (size_t)used, "%s%s", i ? "," : "", number);
    }
    return used;
}

static int value_text(char *text, size_t size, const struct sr_option *row, const void *field) {
    switch (row->type) {
    case SR_OPTION_INTEGER:
        return integer_text(text, size, *(const int64_t *)field);
    case SR_OPTION_REAL:
        return real_text(text, size, *(const double *)field);
    case SR_OPTION_SWITCH:
        return snprintf(text, size, "%s", *(const bool *)field ? "true" : "false");
    case SR_OPTION_TEXT: {
        const char *string = *(char *const *)field;
        return snprintf(text, size, "%s", string ? string : "");
    }
    case SR_OPTION_BYTES:
        return bytes_text(text, size, *(const int64_t *)field);
    case SR_OPTION_CHOICE:
        return choice_text(text, size, row->choices, *(const int *)field);
    case SR_OPTION_INTEGERS:
    case SR_OPTION_REALS:
        return list_text(text, size, row, field);
    }
    return 0;
}

const char *sr_options_text(const struct sr_options *o, size_t i, char *text, size_t size) {
    const struct sr_option *row = &o->table[i];
    const int length = value_text(text, size, row, (const char *)o->values + row->offset);
    if ((size_t)length >= size) {
        const size_t dots = size > 3 ? 3 : size - 1;
        memset(text + size - 1 - dots, '.', dots);
    }
    return text;
}

const char *sr_origin_name(enum sr_origin origin) {
    static const char *const names[] = {"default", "recipe", "weights", "file", "--set", "flag"};
    return names[origin];
}

/* ---- help ---- */

#define FLAG_COLUMN 30 /* where the help of a row begins; behind a longer flag on the next line */

static const char *metavar(const struct sr_option *row) {
    static const char *const names[] = {
        [SR_OPTION_INTEGER] = "N",        [SR_OPTION_REAL] = "X",        [SR_OPTION_BYTES] = "SIZE",
        [SR_OPTION_SWITCH] = NULL,        [SR_OPTION_TEXT] = "TEXT",     [SR_OPTION_CHOICE] = NULL,
        [SR_OPTION_INTEGERS] = "N,N,...", [SR_OPTION_REALS] = "X,X,...",
    };
    if (row->metavar)
        return row->metavar;
    return row->type == SR_OPTION_CHOICE ? row->choices : names[row->type];
}

/* Prints text at FLAG_COLUMN, the cursor being at column `at` of the line, and breaks it between words. */
static void print_wrapped(FILE *to, const char *text, int at) {
    if (at + 2 > FLAG_COLUMN)
        at = fprintf(to, "\n") - 1;
    at += fprintf(to, "%*s", FLAG_COLUMN - at, "");
    for (int n; (n = (int)strcspn(text, " ")) > 0; text += n, text += strspn(text, " ")) {
        if (at > FLAG_COLUMN && at + 1 + n > SR_HELP_WIDTH)
            at = fprintf(to, "\n%*s", FLAG_COLUMN, "") - 1;
        else if (at > FLAG_COLUMN)
            at += fprintf(to, " ");
        at += fprintf(to, "%.*s", n, text);
    }
}

static void print_row(FILE *to, const struct sr_option *row) {
    char flag[64], text[512];
    const char *value = metavar(row), *help = row->help ? row->help : "", *fallback = row->fallback;
    snprintf(flag, sizeof flag, "  --%s", row->key);
    for (char *p = flag + 4; *p; p++)
        *p = *p == '_' ? '-' : *p;
    const int at = row->operand ? fprintf(to, "  %s", value)
                                : fprintf(to, "%s%s%s", flag, value ? " " : "", value ? value : "");
    if (fallback && *fallback)
        snprintf(text, sizeof text, "%s%s(%s)", help, *help ? " " : "", fallback);
    else
        snprintf(text, sizeof text, "%s", help);
    if (*text)
        print_wrapped(to, text, at);
    putc('\n', to);
}

void sr_options_help(const struct sr_option *table, size_t count, FILE *to) {
    for (size_t i = 0; i < count; i++)
        print_row(to, &table[i]);
}
