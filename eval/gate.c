/* gate.c: conditions on the numbers of an evaluation; see gate.h.
 *
 * Text is cut at commas and comparisons outside of quotes; a path is then walked name by name, each time
 * asking the object or array at hand which of its names the rest of the path begins with, so that no
 * character is forbidden in a name. Whatever is not understood is refused: a gate that skips a condition is
 * open.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/gate.h"

#define SHOWN 160 /* bytes of a condition that a message shows */

/* Bytes at..end of the text. */
struct span {
    const char *at, *end;
};

static size_t length(struct span s) {
    return (size_t)(s.end - s.at);
}

static int shown(struct span s) {
    return (int)(length(s) < SHOWN ? length(s) : SHOWN);
}

static struct span trim(struct span s) {
    while (s.at < s.end && isspace((unsigned char)*s.at))
        s.at++;
    while (s.at < s.end && isspace((unsigned char)s.end[-1]))
        s.end--;
    return s;
}

/* The first byte of `set` that is not in quotes, or the end. A doubled quote closes and opens again. */
static const char *find(struct span s, const char *set) {
    bool quoted = false;
    for (; s.at < s.end; s.at++) {
        quoted = quoted != (*s.at == '"');
        if (!quoted && strchr(set, *s.at))
            return s.at;
    }
    return s.end;
}

static bool is_closed(struct span s) {
    bool closed = true;
    for (; s.at < s.end; s.at++)
        closed = closed != (*s.at == '"');
    return closed;
}

static bool is(struct span s, const char *word) {
    return length(s) == strlen(word) && memcmp(s.at, word, length(s)) == 0;
}

/* ---- one condition ---- */

enum comparison { AT_LEAST, ABOVE, AT_MOST, BELOW };
static const char *const comparisons[] = {">=", ">", "<=", "<"};

struct condition {
    const char *list; /* the whole text */
    size_t number;    /* from 1 */
    struct span all, path;
    enum comparison comparison;
    double bound;
};

__attribute__((format(printf, 3, 4))) static int refuse(struct sr_error *err, const struct condition *c,
                                                        const char *format, ...) {
    char why[SR_ERROR_TEXT];
    va_list list;
    va_start(list, format);
    vsnprintf(why, sizeof why, format, list);
    va_end(list);
    return sr_fail(err, SR_USAGE, "gate: condition %zu, \"%.*s\" (from character %zu): %s", c->number,
                   shown(c->all), c->all.at, (size_t)(c->all.at - c->list) + 1, why);
}

/* s is not empty. Decimal and finite; strtod alone would take "nan", "0x1" and a leading space. */
static bool number_parse(double *out, struct span s) {
    char text[64], *end;
    if (length(s) >= sizeof text)
        return false;
    memcpy(text, s.at, length(s));
    text[length(s)] = '\0';
    *out = strtod(text, &end);
    return !text[strspn(text, "+-.0123456789eE")] && !*end && isfinite(*out);
}

static bool comparison_parse(enum comparison *out, struct span s) {
    for (size_t i = 0; i < SR_COUNT(comparisons); i++)
        if (is(s, comparisons[i])) {
            *out = (enum comparison)i;
            return true;
        }
    return false;
}

static int condition_parse(struct condition *c, struct sr_error *err) {
    static const char signs[] = "<>=!";
    struct span sign = {find(c->all, signs), c->all.end};
    const struct span behind = sign;
    for (sign.end = sign.at; sign.end < c->all.end && strchr(signs, *sign.end);)
        sign.end++;
    const struct span number = trim((struct span){sign.end, behind.end});
    c->path = trim((struct span){c->all.at, sign.at});
    if (length(c->all) == 0)
        return refuse(err, c, "is empty; a condition is PATH >= NUMBER, with a comma between two");
    if (!is_closed(c->all))
        return refuse(err, c, "a quote is opened and not closed");
    if (length(sign) == 0)
        return refuse(err, c, "compares nothing; a condition is PATH >= NUMBER (or >, <=, <)");
    if (!comparison_parse(&c->comparison, sign))
        return refuse(err, c, "\"%.*s\" is no comparison; these are: >= > <= <", shown(sign), sign.at);
    if (length(c->path) == 0)
        return refuse(err, c, "nothing stands in front of %.*s", shown(sign), sign.at);
    if (length(number) == 0)
        return refuse(err, c, "no number stands behind %.*s", shown(sign), sign.at);
    if (!number_parse(&c->bound, number))
        return refuse(err, c, "\"%.*s\" is no decimal number", shown(number), number.at);
    return 0;
}

static bool holds(const struct condition *c, double value) {
    return c->comparison == AT_LEAST  ? value >= c->bound
           : c->comparison == ABOVE   ? value > c->bound
           : c->comparison == AT_MOST ? value <= c->bound
                                      : value < c->bound;
}

/* ---- names ---- */

/* A member of an object, or an item of an array under its "name"; name NULL: it has none. */
struct member {
    const char *name;
    const struct sr_json *value;
};

static struct member member_at(const struct sr_json *in, size_t i, void **iter) {
    struct member m = {0};
    if (sr_json_is_object(in)) {
        m.name = sr_json_next(in, iter, &m.value);
    } else {
        m.value = sr_json_at(in, i);
        m.name = sr_json_as_string(sr_json_get(m.value, "name"));
    }
    return m;
}

static char folded(char c) {
    return c == '-' ? '_' : c;
}

/* Bytes of the path that spell the name, quotes and all, and end at a dot or at its end; 0: it does not. */
static size_t quoted_match(struct span path, const char *name) {
    const char *p = path.at + 1;
    for (; p < path.end; p++, name++) {
        if (*p == '"' && (++p == path.end || *p != '"'))
            break;
        if (*p != *name)
            return 0;
    }
    return *name == '\0' && (p == path.end || *p == '.') ? (size_t)(p - path.at) : 0;
}

static size_t match(struct span path, const char *name) {
    size_t n = 0;
    if (path.at < path.end && *path.at == '"')
        return quoted_match(path, name);
    while (n < length(path) && name[n] && folded(name[n]) == folded(path.at[n]))
        n++;
    return name[n] == '\0' && (n == length(path) || path.at[n] == '.') ? n : 0;
}

/* The member whose name the path begins with: the longest, of two in the same letters the one with the same
 * '-' and '_'. Returns the bytes of it, 0 without one. */
static size_t find_member(struct member *out, const struct sr_json *in, struct span path) {
    size_t longest = 0;
    void *iter = NULL;
    for (size_t i = 0; i < sr_json_size(in); i++) {
        const struct member m = member_at(in, i, &iter);
        const size_t n = m.name ? match(path, m.name) : 0;
        if (n > longest || (n > 0 && n == longest && memcmp(m.name, path.at, n) == 0 &&
                            memcmp(out->name, path.at, n) != 0)) {
            *out = m;
            longest = n;
        }
    }
    return longest;
}

/* `where`: the path so far, empty at the root. */
static int refuse_name(struct sr_error *err, const struct condition *c, const struct sr_json *in,
                       struct span path, struct span where) {
    const char **names = sr_alloc(sr_json_size(in) + 1, sizeof *names, err), *near;
    char word[SHOWN + 1];
    void *iter = NULL;
    size_t n = 0;
    if (!names)
        return SR_NOMEM;
    for (size_t i = 0; i < sr_json_size(in); i++) {
        const struct member m = member_at(in, i, &iter);
        if (m.name)
            names[n++] = m.name;
    }
    path.end = find(path, ".");
    snprintf(word, sizeof word, "%.*s", shown(path), path.at);
    for (char *p = word; *p && sr_json_is_object(in); p++)
        *p = folded(*p);
    near = sr_nearest(word, names);
    const int status = refuse(err, c, "there is no \"%.*s\" in %.*s%s%s%s", shown(path), path.at,
                              length(where) ? shown(where) : 14, length(where) ? where.at : "the evaluation",
                              near ? "; did you mean \"" : "",
                              near ? near : "; see `eval --json` for all there is", near ? "\"?" : "");
    sr_free(names);
    return status;
}

/* ---- the path ---- */

/* Where a path leads; value NaN: undefined, because of the null at `null`. */
struct target {
    double value;
    struct span null;
};

static int refuse_kind(struct sr_error *err, const struct condition *c, const struct sr_json *value,
                       struct span where) {
    return refuse(err, c, "%.*s is no number but %s", shown(where), where.at,
                  sr_json_is_object(value)   ? "an object; name one of its members"
                  : sr_json_is_array(value)  ? "an array"
                  : sr_json_as_string(value) ? "a text"
                                             : "true or false");
}

static void target_set(struct target *t, const struct sr_json *value, struct span where) {
    if (!sr_json_as_number(value, &t->value)) {
        t->value = (double)NAN;
        t->null = where;
    }
}

/* An end of the interval beside the member m of `in`; `where` leads to m. */
static int find_end(struct target *t, const struct sr_json *in, struct member m, bool high, struct span where,
                    const struct condition *c, struct sr_error *err) {
    char key[256];
    snprintf(key, sizeof key, "%s_ci", m.name);
    const struct sr_json *interval = sr_json_get(in, key);
    if (!sr_json_is_null(interval) && sr_json_size(interval) != 2)
        return refuse(err, c, "%.*s has no interval", shown(where), where.at);
    if (sr_json_is_null(interval))
        target_set(t, interval, c->path);
    else
        target_set(t, sr_json_at(interval, high), c->path);
    return 0;
}

static int find_target(struct target *t, const struct sr_json *in, const struct condition *c,
                       struct sr_error *err) {
    struct span rest = c->path, where = {rest.at, rest.at};
    struct member m = {0};
    if (length(rest) > 4 && memcmp(rest.at, "new.", 4) == 0 && !sr_json_get(in, "new"))
        rest.at += 4;
    for (double number;; in = m.value) {
        const size_t n = find_member(&m, in, rest);
        if (n == 0)
            return refuse_name(err, c, in, rest, where);
        where.end = rest.at + n;
        const bool leaf = sr_json_as_number(m.value, &number) || sr_json_is_null(m.value);
        const bool last = where.end == rest.end;
        rest.at = where.end + !last;
        if (leaf && (is(rest, "low") || is(rest, "high")))
            return find_end(t, in, m, is(rest, "high"), where, c, err);
        if (sr_json_is_null(m.value) || (leaf && last)) {
            target_set(t, m.value, where);
            return 0;
        }
        if (leaf)
            return refuse(err, c, "%.*s is a number: only .low and .high may follow it", shown(where),
                          where.at);
        if (last || !(sr_json_is_object(m.value) || sr_json_is_array(m.value)))
            return refuse_kind(err, c, m.value, where);
    }
}

/* ---- all of them ---- */

/* A line of a terminal: what stands between the words of a condition is a space, what does not print is '?'.
 */
static void line_clean(struct sr_gate_line *line) {
    for (char *p = line->text; *p; p++)
        if (isspace((unsigned char)*p))
            *p = ' ';
    sr_utf8_clean(line->text, sizeof line->text, line->text);
}

static void line_write(struct sr_gate_line *line, const struct condition *c, const struct target *t) {
    const char *cut = length(c->all) > SHOWN ? "..." : "";
    char value[SR_DECIMAL_TEXT];
    line->holds = holds(c, t->value);
    if (!isnan(t->value))
        snprintf(line->text, sizeof line->text, "%.*s%s is %s: %s", shown(c->all), c->all.at, cut,
                 sr_decimal(value, t->value), line->holds ? "yes" : "no");
    else if (length(t->null) == length(c->path))
        snprintf(line->text, sizeof line->text, "%.*s%s is undefined: no", shown(c->all), c->all.at, cut);
    else
        snprintf(line->text, sizeof line->text, "%.*s%s is undefined (%.*s is null): no", shown(c->all),
                 c->all.at, cut, length(t->null) < 50 ? (int)length(t->null) : 50, t->null.at);
    line_clean(line);
}

static int verdict(const struct sr_gate_line *line, size_t n, struct sr_error *err) {
    char text[SR_ERROR_TEXT] = "";
    size_t failed = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t used = strlen(text);
        if (!line[i].holds)
            snprintf(text + used, sizeof text - used, "%s%s", failed++ ? "; " : "", line[i].text);
    }
    return failed == 0 ? 0
                       : sr_fail(err, SR_NO, "gate: %zu of %zu conditions %s not hold: %s", failed, n,
                                 failed == 1 ? "does" : "do", text);
}

static int check(struct sr_gate_line *line, struct condition *c, const struct sr_json *evaluation,
                 struct sr_error *err) {
    struct target t = {0};
    int status = condition_parse(c, err);
    if (status < 0 || !evaluation)
        return status;
    status = find_target(&t, evaluation, c, err);
    if (status == 0)
        line_write(line, c, &t);
    return status;
}

int sr_gate_check(struct sr_gate_line *line, size_t *n, const char *text, const struct sr_json *evaluation,
                  struct sr_error *err) {
    struct span rest = {text, text + strlen(text)};
    size_t count = 0;
    if (evaluation)
        *n = 0;
    for (bool more = true; more; count++) {
        const struct span all = {rest.at, find(rest, ",")};
        struct condition c = {.list = text, .number = count + 1, .all = trim(all)};
        if (count == SR_GATE_MAX)
            return refuse(err, &c, "is one too many: at most %d are checked", SR_GATE_MAX);
        const int status = check(evaluation ? &line[count] : NULL, &c, evaluation, err);
        if (status < 0)
            return status;
        more = all.end < rest.end;
        rest.at = all.end + more;
    }
    if (!evaluation)
        return 0;
    *n = count;
    return verdict(line, count, err);
}
