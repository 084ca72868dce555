/* facts.c: facts kept, printed, written as JSON and held against others; see facts.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "nn/base/facts.h"

#include "nn/base/alloc.h"
#include "nn/base/error.h"
#include "nn/base/option.h"
#include "nn/base/utf8.h"

#define LABEL       19 /* columns of a key */
#define SHORT       36 /* two texts of so many bytes stand on one line */
#define FIRST_FACTS 32

/* ---- the list ---- */

void sr_facts_section(struct sr_facts *f, const char *section) {
    f->section = section;
}

/* Room for one more. */
static struct sr_fact *next_fact(struct sr_facts *f) {
    if (f->n == f->room) {
        const size_t room = f->room ? 2 * f->room : FIRST_FACTS;
        struct sr_fact *grown = sr_realloc(f->fact, f->n * sizeof *grown, room * sizeof *grown, NULL);
        if (!grown)
            return NULL;
        f->fact = grown;
        f->room = room;
    }
    return &f->fact[f->n];
}

/* Takes value and text over; text may be NULL. */
static void append(struct sr_facts *f, const char *key, struct sr_json *value, char *text) {
    struct sr_fact *fact = next_fact(f);
    char *own = fact ? sr_strdup(key, NULL) : NULL;
    if (!own) {
        f->status = SR_NOMEM;
        sr_free(text);
        sr_json_free(value);
        return;
    }
    *fact = (struct sr_fact){.section = f->section, .key = own, .text = text, .value = value};
    f->n++;
}

void sr_facts_add(struct sr_facts *f, const char *key, struct sr_json *value, const char *format, ...) {
    char *text = NULL, *copy = NULL;
    if (format) {
        va_list list;
        va_start(list, format);
        const int length = vasprintf(&text, format, list);
        va_end(list);
        copy = length < 0 ? NULL : sr_strdup(text, NULL);
        if (length >= 0)
            free(text);
        if (!copy)
            f->status = SR_NOMEM;
    }
    append(f, key, value, copy);
}

void sr_facts_text(struct sr_facts *f, const char *key, const char *text) {
    char *shown = text && *text ? sr_strdup(text, NULL) : NULL;
    if (!shown) {
        f->status = text && *text ? SR_NOMEM : f->status;
        sr_facts_add(f, key, sr_json_null(), NULL);
        return;
    }
    for (char *c = shown; (c = strchr(c, '\n'));) /* it is a stranger's: not to look like another fact */
        *c = '?';
    append(f, key, sr_json_string(text), shown);
}

void sr_facts_count(struct sr_facts *f, const char *key, uint64_t n) {
    char text[SR_COUNT_TEXT];
    sr_facts_add(f, key, sr_json_integer((int64_t)n), "%s", sr_count_text(text, n));
}

void sr_facts_hush(struct sr_facts *f) {
    if (f->n > 0)
        f->fact[f->n - 1].quiet = true;
}

void sr_facts_screen_only(struct sr_facts *f) {
    if (f->n > 0)
        f->fact[f->n - 1].no_json = true;
}

void sr_facts_free(struct sr_facts *f) {
    for (size_t i = 0; i < f->n; i++) {
        sr_free(f->fact[i].key);
        sr_free(f->fact[i].text);
        sr_json_free(f->fact[i].value);
    }
    sr_free(f->fact);
    *f = (struct sr_facts){0};
}

const char *sr_count_text(char text[SR_COUNT_TEXT], uint64_t n) {
    char digits[SR_COUNT_TEXT];
    const int length = snprintf(digits, sizeof digits, "%" PRIu64, n);
    char *to = text;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return text;
}

/* True for the first fact of its section: later ones need not stand beside it. */
static bool begins_section(const struct sr_facts *f, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (strcmp(f->fact[k].section, f->fact[i].section) == 0)
            return false;
    return true;
}

/* ---- the screen ---- */

/* Bytes of the next word with the spaces before it, and its columns. */
static size_t next_word(const char *text, size_t *columns) {
    size_t n = strspn(text, " ");
    *columns = n;
    while (text[n] && text[n] != ' ' && text[n] != '\n') {
        const size_t length = sr_utf8_printable(text + n);
        n += length ? length : 1;
        ++*columns;
    }
    return n;
}

static void put_clean(FILE *to, const char *text, size_t n) {
    for (size_t i = 0; i < n;) {
        const size_t length = sr_utf8_printable(text + i);
        if (length)
            fwrite(text + i, 1, length, to);
        else
            putc('?', to);
        i += length ? length : 1;
    }
}

void sr_facts_wrap(FILE *to, const char *text, int at) {
    size_t column = (size_t)at;
    while (*text) {
        size_t columns;
        size_t n = next_word(text, &columns);
        if (*text == '\n') {
            text++;
            fprintf(to, "\n%*s", at, "");
            column = (size_t)at;
            continue;
        }
        if (column + columns > SR_HELP_WIDTH && column > (size_t)at) {
            const size_t spaces = strspn(text, " ");
            text += spaces;
            n -= spaces;
            columns -= spaces;
            fprintf(to, "\n%*s", at, "");
            column = (size_t)at;
        }
        put_clean(to, text, n);
        column += columns;
        text += n;
    }
    putc('\n', to);
}

/* The key in its column; one that does not fit has a line to itself. */
static void put_label(FILE *to, const char *key) {
    put_clean(to, key, strlen(key));
    if (strlen(key) >= LABEL)
        fprintf(to, "\n%*s", LABEL, "");
    else
        fprintf(to, "%*s", LABEL - (int)strlen(key), "");
}

static void put_fact(FILE *to, const struct sr_fact *fact) {
    put_label(to, fact->key);
    sr_facts_wrap(to, fact->text ? fact->text : "unknown", LABEL);
}

void sr_facts_print(FILE *to, const struct sr_facts *f) {
    bool anything = false;
    for (size_t i = 0; i < f->n; i++) {
        bool begun = false;
        if (!begins_section(f, i))
            continue;
        for (size_t k = i; k < f->n; k++) {
            if (f->fact[k].quiet || strcmp(f->fact[k].section, f->fact[i].section) != 0)
                continue;
            if (anything && !begun)
                putc('\n', to);
            anything = begun = true;
            put_fact(to, &f->fact[k]);
        }
    }
}

/* ---- JSON ---- */

/* A second reference to the same value: facts stay the owner of theirs. */
static struct sr_json *value_copy(const struct sr_json *value) {
    struct sr_json *copy = NULL;
    char *text = sr_json_text(value, 0, NULL);
    if (text)
        sr_json_parse(&copy, text, strlen(text), NULL);
    sr_free(text);
    return copy;
}

/* Keys may be long: those of what differs are names from files. */
static void set_fact(struct sr_json *section, const struct sr_fact *fact) {
    const size_t size = strlen(fact->key) + 1;
    char *key = sr_alloc(size, 1, NULL);
    if (key)
        sr_json_set(section, sr_utf8_clean(key, size, fact->key), value_copy(fact->value));
    else
        sr_json_set(section, "", NULL); /* which is remembered */
    sr_free(key);
}

void sr_facts_json(struct sr_json *to, const struct sr_facts *f) {
    for (size_t i = 0; i < f->n; i++) {
        if (!begins_section(f, i))
            continue;
        struct sr_json *section = sr_json_object();
        for (size_t k = i; k < f->n; k++)
            if (!f->fact[k].no_json && strcmp(f->fact[k].section, f->fact[i].section) == 0)
                set_fact(section, &f->fact[k]);
        sr_json_set(to, f->fact[i].section, section);
    }
}

/* ---- what differs ---- */

static int by_place(const void *a, const void *b) {
    const struct sr_fact *x = *(const struct sr_fact *const *)a, *y = *(const struct sr_fact *const *)b;
    const int of_section = strcmp(x->section, y->section);
    return of_section ? of_section : strcmp(x->key, y->key);
}

/* The facts by section and key, to be searched; free with sr_free. NULL: out of memory. */
static const struct sr_fact **index_of(const struct sr_facts *f) {
    const struct sr_fact **index = sr_alloc(f->n, sizeof *index, NULL);
    for (size_t i = 0; index && i < f->n; i++)
        index[i] = &f->fact[i];
    if (index)
        qsort(index, f->n, sizeof *index, by_place);
    return index;
}

static const struct sr_fact *find(const struct sr_fact *const *index, size_t n, const struct sr_fact *like) {
    const struct sr_fact *const *at = bsearch(&like, index, n, sizeof *index, by_place);
    return at ? *at : NULL;
}

static const char *side_text(const struct sr_fact *fact) {
    return !fact ? "(absent)" : fact->text ? fact->text : "unknown";
}

static void add_pair(struct sr_facts *out, const char *section, const char *key, const struct sr_fact *a,
                     const struct sr_fact *b) {
    const char *one = side_text(a), *other = side_text(b);
    const bool is_short = strlen(one) <= SHORT && strlen(other) <= SHORT;
    struct sr_json *pair = sr_json_array();
    sr_json_append(pair, a ? value_copy(a->value) : sr_json_null());
    sr_json_append(pair, b ? value_copy(b->value) : sr_json_null());
    sr_facts_section(out, section);
    sr_facts_add(out, key, pair, is_short ? "%s -> %s" : "%s\n-> %s", one, other);
}

void sr_facts_differ(struct sr_facts *out, const struct sr_facts *a, const struct sr_facts *b) {
    const struct sr_fact **of_a = index_of(a), **of_b = index_of(b);
    if (!of_a || !of_b)
        out->status = SR_NOMEM;
    for (size_t i = 0; out->status == 0 && i < a->n; i++) {
        const struct sr_fact *one = &a->fact[i], *other = find(of_b, b->n, one);
        if (!other || strcmp(side_text(one), side_text(other)) != 0)
            add_pair(out, one->section, one->key, one, other);
    }
    for (size_t i = 0; out->status == 0 && i < b->n; i++)
        if (!find(of_a, a->n, &b->fact[i]))
            add_pair(out, b->fact[i].section, b->fact[i].key, NULL, &b->fact[i]);
    sr_free(of_a);
    sr_free(of_b);
}
