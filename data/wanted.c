/* wanted.c: ids that somebody asked for. See wanted.h.
 *
 * A list is often copied from elsewhere: 16 bytes are printed as a UUID with dashes by one program and as
 * plain digits by another. Only ids that are bytes in the dump are spelled anew; of text, upper case and
 * dashes are part.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/wanted.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "data/lines.h"

#define BLANKS " \t\r\n"

static size_t trimmed(const char **text) {
    *text += strspn(*text, BLANKS);
    size_t n = strlen(*text);
    while (n > 0 && strchr(BLANKS, (*text)[n - 1]))
        n--;
    return n;
}

static int digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* True if text, which is not empty, is all the digits of one item: then item [bytes] holds it. bytes is 0 for
 * strings of variable length and for numbers: then no text is. */
static bool read_digits(unsigned char *item, size_t bytes, const char *text) {
    size_t n = 0;
    for (; *text; text++) {
        const int value = digit((char)tolower((unsigned char)*text));
        if (*text == '-' && n > 0 && n < 2 * bytes)
            continue;
        if (value < 0 || n == 2 * bytes)
            return false;
        item[n / 2] = (unsigned char)(n % 2 == 0 ? value << 4 : item[n / 2] | value);
        n++;
    }
    return n == 2 * bytes;
}

struct speller {
    struct sr_h5_spelling how;
    unsigned char *item; /* [how.bytes] */
    char *text;          /* [2 * how.bytes + 1] */
};

static int add_line(struct sr_wanted *w, const struct speller *s, char *line, struct sr_error *err) {
    const char *text = line;
    int32_t number;
    const size_t n = trimmed(&text);
    line[text - line + (ptrdiff_t)n] = '\0';
    if (n == 0)
        return 0;
    if (read_digits(s->item, s->how.bytes, text)) {
        sr_h5_spell(s->text, &s->how, s->item);
        text = s->text;
    }
    return sr_names_add(&w->names, text, &number, err);
}

static int read_lines(struct sr_wanted *w, const struct speller *s, const char *ids, struct sr_error *err) {
    struct sr_lines *lines;
    char *line;
    int status = sr_lines_open(&lines, strcmp(ids, "-") == 0 ? "/dev/stdin" : ids, err);
    if (status < 0)
        return status;
    while ((status = sr_lines_next(lines, &line, err)) > 0)
        if ((status = add_line(w, s, line, err)) < 0)
            break;
    sr_lines_close(lines);
    if (status == 0 && w->names.count == 0)
        return sr_fail(err, SR_DATA, "%s: holds no ids; one a line is wanted", ids);
    return status;
}

int sr_wanted_read(struct sr_wanted *w, const char *ids, const struct sr_h5 *f, const char *column,
                   struct sr_error *err) {
    struct speller s = {0};
    *w = (struct sr_wanted){0};
    int status = sr_h5_spelling(&s.how, f, column, err);
    if (status < 0)
        return status;
    s.item = sr_alloc(s.how.bytes, 1, err);
    s.text = sr_alloc(s.how.bytes + 1, 2, err);
    status = s.item && s.text ? 0 : SR_NOMEM;
    if (status == 0)
        status = read_lines(w, &s, ids, err);
    sr_free(s.item);
    sr_free(s.text);
    for (size_t i = 0; i < w->names.count; i++) {
        const size_t n = strlen(w->names.name[i]);
        w->longest = n > w->longest ? n : w->longest;
    }
    w->room = sr_alloc(w->longest + 1, 1, err);
    return status == 0 && !w->room ? SR_NOMEM : status;
}

int32_t sr_wanted_find(const struct sr_wanted *w, const char *id) {
    const int32_t number = sr_names_find(&w->names, id);
    const char *text = id;
    const size_t n = trimmed(&text);
    if (number >= 0 || n > w->longest || (text == id && id[n] == '\0'))
        return number;
    memcpy(w->room, text, n);
    w->room[n] = '\0';
    return sr_names_find(&w->names, w->room);
}

int sr_wanted_check_gone(const struct sr_wanted *w, const char *path, size_t rows,
                         const struct sr_data_options *options, struct sr_error *err) {
    struct sr_data_options how = *options;
    struct sr_data *d;
    how.one_file = true;
    int status = sr_data_open(&d, path, &how, err);
    if (status < 0)
        return status;
    for (size_t i = 0; i < d->rows && status == 0; i++)
        if (sr_wanted_find(w, d->id[i]) >= 0)
            status = sr_fail(err, SR_BUG, "%s: row %zu still has the id \"%.60s\"", path, i, d->id[i]);
    if (status == 0 && d->rows != rows)
        status = sr_fail(err, SR_BUG, "%s: %zu rows were written, not %zu", path, d->rows, rows);
    sr_data_close(d);
    return status;
}

void sr_wanted_free(struct sr_wanted *w) {
    sr_names_free(&w->names);
    sr_free(w->room);
    w->room = NULL;
}
