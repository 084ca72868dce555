/* option_text.c: settings as text: a value that can be read back, and the help.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <string.h>

#include "nn/base/decimal.h"
#include "nn/base/option.h"

/* ---- values ---- */

static void bytes_text(char *text, size_t size, int64_t bytes) {
    static const char units[] = "KMGT";
    int unit = -1;
    for (; bytes > 0 && bytes % 1024 == 0 && unit < 3; unit++)
        bytes /= 1024;
    if (bytes < 0)
        snprintf(text, size, "auto");
    else
        snprintf(text, size, unit < 0 ? "%" PRId64 : "%" PRId64 "%c", bytes, unit < 0 ? '\0' : units[unit]);
}

static void choice_text(char *text, size_t size, const char *choices, int index) {
    for (; index > 0; index--)
        choices = strchr(choices, '|') + 1;
    snprintf(text, size, "%.*s", (int)strcspn(choices, "|"), choices);
}

static void list_text(char *text, size_t size, const struct sr_option *row, const void *field) {
    const struct sr_integers *integers = field;
    const struct sr_reals *reals = field;
    const bool whole = row->type == SR_OPTION_INTEGERS;
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < (whole ? integers->n : reals->n) && used < size; i++) {
        char number[SR_DECIMAL_TEXT];
        if (whole)
            snprintf(number, sizeof number, "%" PRId64, integers->v[i]);
        else
            sr_decimal(number, reals->v[i]);
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "," : "", number);
    }
}

const char *sr_options_text(const struct sr_options *o, size_t i, char *text, size_t size) {
    const struct sr_option *row = &o->table[i];
    const void *field = (const char *)o->values + row->offset;
    char number[SR_DECIMAL_TEXT];
    const char *string = number;
    switch (row->type) {
    case SR_OPTION_INTEGER:
        snprintf(number, sizeof number, "%" PRId64, *(const int64_t *)field);
        break;
    case SR_OPTION_REAL:
        sr_decimal(number, *(const double *)field);
        break;
    case SR_OPTION_SWITCH:
        string = *(const bool *)field ? "true" : "false";
        break;
    case SR_OPTION_TEXT:
        string = *(char *const *)field;
        break;
    case SR_OPTION_BYTES:
        bytes_text(number, sizeof number, *(const int64_t *)field);
        break;
    case SR_OPTION_CHOICE:
        choice_text(text, size, row->choices, *(const int *)field);
        return text;
    case SR_OPTION_INTEGERS:
    case SR_OPTION_REALS:
        list_text(text, size, row, field);
        return text;
    }
    snprintf(text, size, "%s", string ? string : "");
    return text;
}

const char *sr_origin_name(enum sr_origin origin) {
    static const char *const names[] = {"default", "recipe", "weights", "file", "--set", "flag"};
    return names[origin];
}

/* ---- help ---- */

#define FLAG_COLUMN 30 /* where the help of a row begins, unless its flag is longer */

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

void sr_options_help(const struct sr_option *table, size_t count, FILE *to) {
    for (size_t i = 0; i < count; i++) {
        const struct sr_option *row = &table[i];
        const char *value = metavar(row);
        char flag[96];
        int used = snprintf(flag, sizeof flag, "  --%s%s%s", row->key, value ? " " : "", value ? value : "");
        for (char *p = flag + 4; *p && *p != ' '; p++)
            *p = *p == '_' ? '-' : *p;
        used = used < (int)sizeof flag ? used : (int)sizeof flag - 1;
        fprintf(to, "%s%*s%s", flag, used + 2 > FLAG_COLUMN ? 2 : FLAG_COLUMN - used, "",
                row->help ? row->help : "");
        if (row->fallback && *row->fallback)
            fprintf(to, " (%s)", row->fallback);
        putc('\n', to);
    }
}
