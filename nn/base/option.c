/* option.c: settings from text and back; see option.h.
 *
 * Parsing, printing and the description of what is expected are switches over the type of a row; nothing else
 * knows the types. Numbers are read whole or refused: "10x" is no 10.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/base/alloc.h"
#include "nn/base/decimal.h"
#include "nn/base/option.h"
#include "nn/base/words.h"

/* ---- one value from text: whether it is one, or, where memory is needed for it, a status ---- */

static bool in_range(const struct sr_option *row, double value) {
    return (row->min == 0 && row->max == 0) || (value >= row->min && value <= row->max);
}

static bool parse_integer(const struct sr_option *row, int64_t *out, const char *text) {
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return end > text && !end[strspn(end, " ")] && !errno && in_range(row, (double)*out);
}

static bool parse_real(const struct sr_option *row, double *out, const char *text) {
    char *end;
    *out = strtod(text, &end);
    return end > text && !end[strspn(end, " ")] && isfinite(*out) && in_range(row, *out);
}

static bool parse_bytes(int64_t *out, const char *text) {
    static const char units[] = "KMGT";
    char *end;
    *out = -1;
    if (strcmp(text, "auto") == 0)
        return true;
    double bytes = strtod(text, &end);
    if (end == text)
        return false;
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    if (unit) {
        bytes = ldexp(bytes, 10 * (int)(unit - units + 1));
        end++;
    }
    if (*end || !(bytes >= 0 && bytes < 0x1p62))
        return false;
    *out = (int64_t)bytes;
    return true;
}

static bool parse_switch(bool *out, const char *text) {
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < SR_COUNT(words); i++)
        if (strcmp(text, words[i]) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    return false;
}

static int parse_text(char **out, const char *text) {
    char *copy = sr_strdup(text, NULL);
    if (!copy)
        return SR_NOMEM;
    sr_free(*out);
    *out = copy;
    return SR_OK;
}

static bool parse_choice(const struct sr_option *row, int *out, const char *text) {
    const size_t n = strlen(text);
    int index = 0;
    for (const char *p = row->choices; p; index++) {
        if (n == strcspn(p, "|") && strncmp(p, text, n) == 0) {
            *out = index;
            return true;
        }
        p = strchr(p, '|');
        p = p ? p + 1 : NULL;
    }
    return false;
}

static bool parse_item(const struct sr_option *row, int64_t *integer, double *real, const char *item) {
    return row->type == SR_OPTION_INTEGERS ? parse_integer(row, integer, item) : parse_real(row, real, item);
}

/* "1024,512" or "[1024, 512]"; "" and "[]" are empty. */
static int parse_list(const struct sr_option *row, void *out, const char *text) {
    struct sr_integers integers = {0};
    struct sr_reals reals = {0};
    const size_t length = strlen(text), bracket = length >= 2 && text[0] == '[' && text[length - 1] == ']';
    char *copy = sr_strdup(text + bracket, NULL), *item;
    if (!copy)
        return SR_NOMEM;
    copy[length - 2 * bracket] = '\0';
    char *rest = copy[strspn(copy, " ")] ? copy : NULL;
    bool good = true;
    for (size_t i = 0; good && (item = strsep(&rest, ",")); i++) {
        good = i < SR_LIST_MAX && parse_item(row, &integers.v[i], &reals.v[i], item);
        integers.n = reals.n = i + 1;
    }
    sr_free(copy);
    if (good && row->type == SR_OPTION_INTEGERS)
        *(struct sr_integers *)out = integers;
    else if (good)
        *(struct sr_reals *)out = reals;
    return good ? SR_OK : SR_USAGE;
}

static void *field_of(const struct sr_options *o, size_t i) {
    return (char *)o->values + o->table[i].offset;
}

static int parse(const struct sr_options *o, size_t i, const char *text) {
    const struct sr_option *row = &o->table[i];
    void *field = field_of(o, i);
    switch (row->type) {
    case SR_OPTION_INTEGER:
        return parse_integer(row, field, text) ? SR_OK : SR_USAGE;
    case SR_OPTION_REAL:
        return parse_real(row, field, text) ? SR_OK : SR_USAGE;
    case SR_OPTION_BYTES:
        return parse_bytes(field, text) ? SR_OK : SR_USAGE;
    case SR_OPTION_SWITCH:
        return parse_switch(field, text) ? SR_OK : SR_USAGE;
    case SR_OPTION_TEXT:
        return parse_text(field, text);
    case SR_OPTION_CHOICE:
        return parse_choice(row, field, text) ? SR_OK : SR_USAGE;
    case SR_OPTION_INTEGERS:
    case SR_OPTION_REALS:
        return parse_list(row, field, text);
    }
    return SR_USAGE;
}

#define TEXT_OF(number)  #number
#define VALUE_OF(number) TEXT_OF(number) /* the macro's value, not its name */

static bool is_list(const struct sr_option *row) {
    return row->type == SR_OPTION_INTEGERS || row->type == SR_OPTION_REALS;
}

/* What a row takes, for the message about what it does not. */
static const char *expected(const struct sr_option *row, char text[256]) {
    static const char *const kinds[] = {
        [SR_OPTION_INTEGER] = "a whole number",
        [SR_OPTION_REAL] = "a number",
        [SR_OPTION_BYTES] = "a size like 800M, 4G or auto",
        [SR_OPTION_SWITCH] = "true or false",
        [SR_OPTION_TEXT] = "text",
        [SR_OPTION_CHOICE] = "one of ",
        [SR_OPTION_INTEGERS] = "at most " VALUE_OF(SR_LIST_MAX) " whole numbers with commas between",
        [SR_OPTION_REALS] = "at most " VALUE_OF(SR_LIST_MAX) " numbers with commas between",
    };
    char low[SR_DECIMAL_TEXT], high[SR_DECIMAL_TEXT], range[2 * SR_DECIMAL_TEXT + 32] = "";
    if (row->min != 0 || row->max != 0)
        snprintf(range, sizeof range, "%s from %s to %s", is_list(row) ? ", each" : "",
                 sr_decimal(low, row->min), sr_decimal(high, row->max));
    snprintf(text, 256, "%s%s%s", kinds[row->type], row->choices ? row->choices : "", range);
    return text;
}

static void swap_letters(char *text, char from, char to) {
    for (; *text; text++)
        *text = *text == from ? to : *text;
}

static int set_row(struct sr_options *o, size_t i, const char *text, enum sr_origin origin,
                   struct sr_error *err) {
    char what[256], name[64];
    const int status = parse(o, i, text);
    if (status == SR_OK) {
        o->origins[i] = origin;
        return SR_OK;
    }
    snprintf(name, sizeof name, "%s%s", origin == SR_ORIGIN_FLAG ? "--" : "", o->table[i].key);
    if (origin == SR_ORIGIN_FLAG)
        swap_letters(name, '_', '-');
    if (status == SR_NOMEM)
        return sr_fail(err, SR_NOMEM, "out of memory for the value of %s", name);
    return sr_fail(err, SR_USAGE, "%s: '%.100s' is not %s", name, text, expected(&o->table[i], what));
}

/* ---- tables ---- */

int sr_options_begin(struct sr_options *o, const struct sr_option *table, size_t count, void *values,
                     struct sr_error *err) {
    static const size_t sizes[] = {
        [SR_OPTION_INTEGER] = sizeof(int64_t),
        [SR_OPTION_REAL] = sizeof(double),
        [SR_OPTION_BYTES] = sizeof(int64_t),
        [SR_OPTION_SWITCH] = sizeof(bool),
        [SR_OPTION_TEXT] = sizeof(char *),
        [SR_OPTION_CHOICE] = sizeof(int),
        [SR_OPTION_INTEGERS] = sizeof(struct sr_integers),
        [SR_OPTION_REALS] = sizeof(struct sr_reals),
    };
    *o = (struct sr_options){table, count, values, NULL};
    for (size_t i = 0; i < count; i++)
        memset(field_of(o, i), 0, sizes[table[i].type]);
    o->origins = sr_alloc(count, sizeof *o->origins, err);
    if (!o->origins)
        return SR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        const int status =
            table[i].fallback ? set_row(o, i, table[i].fallback, SR_ORIGIN_DEFAULT, err) : SR_OK;
        if (status < 0)
            return status;
    }
    return SR_OK;
}

void sr_options_end(struct sr_options *o) {
    for (size_t i = 0; i < o->count; i++)
        if (o->table[i].type == SR_OPTION_TEXT) {
            char **text = field_of(o, i);
            sr_free(*text);
            *text = NULL;
        }
    sr_free(o->origins);
    *o = (struct sr_options){0};
}

/* The row of key[0..length), where '-' is '_'; o->count if there is none. */
static size_t find(const struct sr_options *o, const char *key, size_t length) {
    for (size_t i = 0; i < o->count; i++) {
        const char *name = o->table[i].key;
        size_t at = 0;
        while (at < length && name[at] && name[at] == (key[at] == '-' ? '_' : key[at]))
            at++;
        if (at == length && !name[at])
            return i;
    }
    return o->count;
}

/* With the nearest of the keys that could have been meant. */
static int fail_unknown(const struct sr_options *o, const char *key, size_t length, enum sr_origin origin,
                        struct sr_error *err) {
    const bool flag = origin == SR_ORIGIN_FLAG;
    const char **keys = sr_alloc(o->count + 1, sizeof *keys, NULL);
    char word[100], hint[128] = "";
    size_t n = 0;
    snprintf(word, sizeof word, "%.*s", (int)(length < 99 ? length : 99), key);
    swap_letters(word, '-', '_');
    for (size_t i = 0; keys && i < o->count; i++)
        if (flag || !o->table[i].flag_only)
            keys[n++] = o->table[i].key;
    const char *near = keys ? sr_nearest(word, keys) : NULL;
    if (near)
        snprintf(hint, sizeof hint, "; did you mean %s%s?", flag ? "--" : "", near);
    if (flag) {
        swap_letters(word, '_', '-');
        swap_letters(hint, '_', '-');
    }
    sr_free(keys);
    return sr_fail(err, SR_USAGE, "unknown %s%s%s", flag ? "option --" : "key ", word, hint);
}

int sr_options_set(struct sr_options *o, const char *key, const char *value, enum sr_origin origin,
                   struct sr_error *err) {
    const size_t i = find(o, key, strlen(key));
    if (i == o->count || (origin != SR_ORIGIN_FLAG && o->table[i].flag_only))
        return fail_unknown(o, key, strlen(key), origin, err);
    return set_row(o, i, value, origin, err);
}

bool sr_options_given(const struct sr_options *o, const char *key) {
    return sr_options_origin(o, key) != SR_ORIGIN_DEFAULT;
}

enum sr_origin sr_options_origin(const struct sr_options *o, const char *key) {
    const size_t i = find(o, key, strlen(key));
    return i < o->count ? o->origins[i] : SR_ORIGIN_DEFAULT;
}

/* ---- flags ---- */

/* "key=value" behind --set. */
static int set_pair(struct sr_options *o, const char *pair, struct sr_error *err) {
    const size_t length = strcspn(pair, "="), i = find(o, pair, length);
    if (!pair[length])
        return sr_fail(err, SR_USAGE, "--set %.100s: write --set key=value", pair);
    if (i == o->count || o->table[i].flag_only)
        return fail_unknown(o, pair, length, SR_ORIGIN_SET, err);
    return set_row(o, i, pair + length + 1, SR_ORIGIN_SET, err);
}

/* A flag with its value. Where the row repeats and this call has seen the flag before, the value is added to
 * those; a --set between them begins anew, for the later one wins. */
static int set_flag(struct sr_options *o, size_t i, const char *value, bool *seen, struct sr_error *err) {
    const bool more = o->table[i].repeats && seen[i] && o->origins[i] == SR_ORIGIN_FLAG;
    seen[i] = true;
    if (!more)
        return set_row(o, i, value, SR_ORIGIN_FLAG, err);
    const char *before = *(char *const *)field_of(o, i);
    const size_t size = strlen(before) + strlen(value) + 2;
    char *joined = sr_alloc(size, 1, err);
    if (!joined)
        return SR_NOMEM;
    snprintf(joined, size, "%s,%s", before, value);
    const int status = set_row(o, i, joined, SR_ORIGIN_FLAG, err);
    sr_free(joined);
    return status;
}

/* A word without a flag: the value of the first operand that has none, else one more of the operand that
 * repeats. */
static int take_operand(struct sr_options *o, const char *word, bool *seen, struct sr_error *err) {
    for (size_t i = 0; word[0] != '-' && i < o->count; i++)
        if (o->table[i].operand && (o->origins[i] == SR_ORIGIN_DEFAULT || o->table[i].repeats))
            return set_flag(o, i, word, seen, err);
    return sr_fail(err, SR_USAGE, "unexpected argument '%.100s': options are written --name VALUE", word);
}

/* One flag at argv[*at]; *at moves to the last argument it took. seen: the rows whose flags were met so far.
 */
static int take_flag(struct sr_options *o, bool *seen, int *at, int argc, char **argv, struct sr_error *err) {
    const char *flag = argv[*at], *name = flag + 2;
    if (strncmp(flag, "--", 2) != 0 || !*name)
        return take_operand(o, flag, seen, err);
    const size_t length = strcspn(name, "=");
    const bool is_set = strncmp(name, "set", length) == 0 && length == 3;
    const char *value = name[length] ? name + length + 1 : NULL;
    size_t i = find(o, name, length);
    if (i < o->count && o->table[i].type == SR_OPTION_SWITCH)
        return set_row(o, i, value ? value : "true", SR_ORIGIN_FLAG, err);
    if (i == o->count && !value && strncmp(name, "no-", 3) == 0) {
        i = find(o, name + 3, length - 3);
        if (i < o->count && o->table[i].type == SR_OPTION_SWITCH)
            return set_row(o, i, "false", SR_ORIGIN_FLAG, err);
        i = o->count;
    }
    if (i == o->count && !is_set)
        return fail_unknown(o, name, length, SR_ORIGIN_FLAG, err);
    if (!value) {
        if (*at + 1 == argc || strncmp(argv[*at + 1], "--", 2) == 0)
            return sr_fail(err, SR_USAGE, "%s needs a value", flag);
        value = argv[++*at];
    }
    return is_set ? set_pair(o, value, err) : set_flag(o, i, value, seen, err);
}

int sr_options_arguments(struct sr_options *o, int argc, char **argv, struct sr_error *err) {
    bool *seen = sr_alloc(o->count, sizeof *seen, err);
    int status = seen ? SR_OK : SR_NOMEM;
    for (int at = 0; status == SR_OK && at < argc; at++)
        status = take_flag(o, seen, &at, argc, argv, err);
    sr_free(seen);
    return status;
}
