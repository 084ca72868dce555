/* json_grammar.c: JSON's grammar by one pass, with a bit a level for what is to be closed. See
 * json_grammar.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "data/json_grammar.h"
#include "nn/base/utf8.h"

#define DEPTH_MAX 64 /* bits of a word */

struct at {
    const char *p, *end;
    size_t depth;
    uint64_t objects; /* a bit for each level: '{', not '[' */
};

/* The next byte; a NUL, which is none of JSON's, at the end. */
static char next(const struct at *a) {
    return a->p < a->end ? *a->p : '\0';
}

static void skip_space(struct at *a) {
    while (next(a) == ' ' || next(a) == '\t' || next(a) == '\r' || next(a) == '\n')
        a->p++;
}

static bool take(struct at *a, char c) {
    if (next(a) != c)
        return false;
    a->p++;
    return true;
}

static bool take_word(struct at *a, const char *word) {
    const size_t n = strlen(word);
    if ((size_t)(a->end - a->p) < n || memcmp(a->p, word, n) != 0)
        return false;
    a->p += n;
    return true;
}

/* Behind a backslash. */
static bool take_escape(struct at *a) {
    const char c = next(a);
    if (c == '\0' || !strchr("\"\\/bfnrtu", c))
        return false;
    a->p++;
    for (int i = 0; c == 'u' && i < 4; i++) {
        if (next(a) == '\0' || !strchr("0123456789abcdefABCDEF", next(a)))
            return false;
        a->p++;
    }
    return true;
}

/* One character of more than a byte. */
static bool take_wide(struct at *a) {
    char last[5] = {0};
    const size_t left = (size_t)(a->end - a->p);
    memcpy(last, a->p, left < 4 ? left : 4);
    const size_t n = sr_utf8_length(last);
    a->p += n;
    return n > 0;
}

static bool take_string(struct at *a) {
    if (!take(a, '"'))
        return false;
    for (;;) {
        const unsigned char c = (unsigned char)next(a);
        if (c >= 0x80) {
            if (!take_wide(a))
                return false;
            continue;
        }
        if (c < ' ')
            return false;
        a->p++;
        if (c == '"')
            return true;
        if (c == '\\' && !take_escape(a))
            return false;
    }
}

static bool take_digits(struct at *a) {
    const char *begin = a->p;
    while (next(a) >= '0' && next(a) <= '9')
        a->p++;
    return a->p > begin;
}

static bool take_number(struct at *a) {
    if (take(a, '-') && next(a) == 'I')
        return take_word(a, "Infinity");
    if (!take(a, '0') && !take_digits(a))
        return false;
    if (take(a, '.') && !take_digits(a))
        return false;
    if (!take(a, 'e') && !take(a, 'E'))
        return true;
    if (!take(a, '+'))
        take(a, '-');
    return take_digits(a);
}

static bool take_scalar(struct at *a) {
    switch (next(a)) {
    case '"':
        return take_string(a);
    case 't':
        return take_word(a, "true");
    case 'f':
        return take_word(a, "false");
    case 'n':
        return take_word(a, "null");
    case 'N':
        return take_word(a, "NaN");
    case 'I':
        return take_word(a, "Infinity");
    default:
        return take_number(a);
    }
}

static bool in_object(const struct at *a) {
    return a->objects >> (a->depth - 1) & 1;
}

/* "name": and on to its value. */
static bool take_name(struct at *a) {
    skip_space(a);
    if (!take_string(a))
        return false;
    skip_space(a);
    return take(a, ':');
}

/* A bracket, and on to its first value. *empty: there is none, and it was closed. */
static bool take_bracket(struct at *a, bool *empty) {
    const bool object = next(a) == '{';
    if (a->depth == DEPTH_MAX)
        return false;
    const uint64_t bit = (uint64_t)1 << a->depth++;
    a->objects = object ? a->objects | bit : a->objects & ~bit;
    a->p++;
    skip_space(a);
    *empty = take(a, object ? '}' : ']');
    a->depth -= *empty;
    return *empty || !object || take_name(a);
}

/* Behind a value: over the brackets that close, and a comma if there is one. *more: a value comes. */
static bool take_ends(struct at *a, bool *more) {
    *more = false;
    while (a->depth > 0) {
        skip_space(a);
        if (take(a, in_object(a) ? '}' : ']')) {
            a->depth--;
            continue;
        }
        *more = true;
        return take(a, ',') && (!in_object(a) || take_name(a));
    }
    return true;
}

bool sr_json_skip(const char **at, const char *end) {
    struct at a = {.p = *at, .end = end};
    bool good, more = true;
    do {
        bool closed = true;
        skip_space(&a);
        good = next(&a) == '[' || next(&a) == '{' ? take_bracket(&a, &closed) : take_scalar(&a);
        if (good && closed)
            good = take_ends(&a, &more);
    } while (good && more);
    *at = a.p;
    return good;
}

bool sr_json_skip_string(const char **at, const char *end) {
    struct at a = {.p = *at, .end = end};
    const bool good = take_string(&a);
    *at = a.p;
    return good;
}

void sr_json_skip_space(const char **at, const char *end) {
    struct at a = {.p = *at, .end = end};
    skip_space(&a);
    *at = a.p;
}
