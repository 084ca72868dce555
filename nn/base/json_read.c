/* json_read.c: JSON text (RFC 8259) to a tree; see json.h.
 *
 * A reader of our own, because jansson's (2.14) does not survive a lack of memory: it drops a byte of a
 * string that it finds no room for without an error, so that a key is read as another one, or stops the
 * process by an assertion about that byte. It refuses what jansson's refuses: duplicate keys, bytes that are
 * not UTF-8, NUL, halves of a surrogate pair, numbers beyond a double or 64 bits; and more than DEPTH levels
 * or VALUES values.
 *
 * Strings lie in one buffer, as on a stack: an object's key stays there until its value has been read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/base/alloc.h"
#include "nn/base/json.h"
#include "nn/base/number.h"
#include "nn/base/utf8.h"

#define DEPTH      64
#define VALUES     (1 << 20)
#define FIRST_ROOM 256

struct reader {
    const char *text, *at, *end;
    char *kept; /* strings being read */
    size_t used, room;
    int depth, values;
    const char
        *why; /* what is wrong at `at`. The first failure ends it all; without this, memory was missing */
};

/* A value, or NULL with r->why. */
static json_t *value_read(struct reader *r);

static bool wrong(struct reader *r, const char *why) {
    r->why = why;
    return false;
}

static json_t *refuse(struct reader *r, const char *why) {
    r->why = why;
    return NULL;
}

static char peek(const struct reader *r) {
    return r->at < r->end ? *r->at : '\0'; /* which no token begins with */
}

static void skip_space(struct reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

/* True if c was next, and is behind us now. */
static bool take(struct reader *r, char c) {
    const bool is = r->at < r->end && *r->at == c;
    r->at += is;
    return is;
}

/* ---- strings ---- */

static bool keep(struct reader *r, const char *bytes, size_t n) {
    size_t room = r->room ? r->room : FIRST_ROOM;
    while (room - r->used < n)
        room *= 2;
    if (room > r->room) {
        char *grown = sr_realloc(r->kept, r->used, room, NULL);
        if (!grown)
            return false;
        r->kept = grown;
        r->room = room;
    }
    memcpy(r->kept + r->used, bytes, n);
    r->used += n;
    return true;
}

/* Four hexadecimal digits; -1 if they are not there. */
static long take_code(struct reader *r) {
    char digits[5] = "";
    if (r->end - r->at < 4)
        return -1;
    memcpy(digits, r->at, 4);
    if (strspn(digits, "0123456789abcdefABCDEF") != 4)
        return -1;
    r->at += 4;
    return strtol(digits, NULL, 16);
}

static bool keep_code(struct reader *r, unsigned long code) {
    char c[4];
    if (code < 0x80)
        return keep(r, (const char[]){(char)code}, 1);
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; code >>= 6)
        c[i] = (char)(0x80 | (code & 0x3f));
    c[0] = (char)((0xf00 >> n & 0xff) | code); /* as many ones as bytes */
    return keep(r, c, n);
}

/* Behind "\u". */
static bool take_escape_code(struct reader *r) {
    long code = take_code(r);
    if (code >= 0xd800 && code < 0xdc00 && r->end - r->at > 2 && r->at[0] == '\\' && r->at[1] == 'u') {
        r->at += 2;
        const long low = take_code(r);
        code = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) : -1;
    }
    if (code <= 0 || (code >= 0xd800 && code < 0xe000))
        return wrong(r, "\\u stands for no character that a string may hold");
    return keep_code(r, (unsigned long)code);
}

static bool take_escape(struct reader *r) {
    static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (take(r, 'u'))
        return take_escape_code(r);
    const char *name = peek(r) ? strchr(names, *r->at) : NULL;
    if (!name)
        return wrong(r, "an escape that JSON does not have");
    r->at++;
    return keep(r, &meant[name - names], 1);
}

/* The next character as it stands. sr_utf8_length reads on to a NUL only in what is none. */
static bool take_character(struct reader *r) {
    char c[5] = "";
    const size_t left = (size_t)(r->end - r->at);
    memcpy(c, r->at, left < 4 ? left : 4);
    const size_t n = sr_utf8_length(c);
    if ((unsigned char)c[0] < 0x20)
        return wrong(r, "a control character in a string");
    if (n == 0 || n > left)
        return wrong(r, "not UTF-8");
    r->at += n;
    return keep(r, c, n);
}

/* A string onto the stack, with a NUL; *from: where. */
static bool string_read(struct reader *r, size_t *from) {
    *from = r->used;
    if (!take(r, '"'))
        return wrong(r, "a string is expected here");
    for (;;) {
        if (r->at == r->end)
            return wrong(r, "a string does not end");
        if (take(r, '"'))
            return keep(r, "", 1);
        if (!(take(r, '\\') ? take_escape(r) : take_character(r)))
            return false;
    }
}

/* What is kept is never longer than what was read. */
size_t sr_json_unescape(char *text, size_t length) {
    struct reader r = {.at = text, .end = text + length, .kept = text, .room = length};
    while (r.at < r.end)
        if (!(take(&r, '\\') ? take_escape(&r) : take_character(&r)))
            return 0;
    return r.used;
}

static json_t *string_value(struct reader *r) {
    size_t from;
    json_t *value = NULL;
    if (string_read(r, &from)) {
        value = json_stringn_nocheck(r->kept + from, r->used - from - 1);
        r->used = from;
    }
    return value;
}

/* ---- numbers ---- */

static size_t take_digits(struct reader *r) {
    const char *from = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return (size_t)(r->at - from);
}

/* -0, 12, 1.5e-3: the grammar; *whole: an integer. */
static bool take_number(struct reader *r, bool *whole) {
    take(r, '-');
    const bool zero = peek(r) == '0';
    if (zero ? !take(r, '0') : take_digits(r) == 0)
        return false;
    *whole = true;
    if (take(r, '.')) {
        *whole = false;
        if (take_digits(r) == 0)
            return false;
    }
    if (peek(r) == 'e' || peek(r) == 'E') {
        *whole = false;
        r->at++;
        if (peek(r) == '+' || peek(r) == '-')
            r->at++;
        if (take_digits(r) == 0)
            return false;
    }
    return true;
}

static json_t *number_value(struct reader *r) {
    const char *begin = r->at;
    const size_t from = r->used;
    bool whole;
    if (!take_number(r, &whole))
        return refuse(r, "a number is not written so");
    if (!keep(r, begin, (size_t)(r->at - begin)) || !keep(r, "", 1))
        return NULL;
    const char *text = r->kept + from;
    r->used = from;
    if (whole) {
        errno = 0;
        const long long n = strtoll(text, NULL, 10);
        return errno == ERANGE ? refuse(r, "an integer of more than 64 bits") : json_integer(n);
    }
    double real = (double)INFINITY;
    sr_number_parse(&real, text); /* it is one, as take_number has seen */
    return isfinite(real) ? json_real(real) : refuse(r, "a number too large");
}

/* ---- the rest ---- */

static json_t *word_value(struct reader *r) {
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++) {
        const size_t n = strlen(words[i]);
        if ((size_t)(r->end - r->at) < n || memcmp(r->at, words[i], n) != 0)
            continue;
        r->at += n;
        return i == 0 ? json_true() : i == 1 ? json_false() : json_null();
    }
    return refuse(r,
                  r->at == r->end ? "the text ends where a value is expected" : "a value is expected here");
}

static bool member_read(struct reader *r, json_t *object) {
    size_t from;
    skip_space(r);
    const char *begin = r->at;
    if (!string_read(r, &from))
        return false;
    if (json_object_get(object, r->kept + from)) {
        r->at = begin;
        return wrong(r, "a duplicate key");
    }
    skip_space(r);
    if (!take(r, ':'))
        return wrong(r, "':' is expected here");
    json_t *value = value_read(r);
    if (!value)
        return false;
    const bool put = json_object_set_new_nocheck(object, r->kept + from, value) == 0;
    r->used = from;
    return put;
}

static bool item_read(struct reader *r, json_t *array) {
    json_t *value = value_read(r);
    return value && json_array_append_new(array, value) == 0;
}

/* Behind '{' or '[': members or items with commas between. */
static bool items_read(struct reader *r, json_t *to, bool (*one)(struct reader *r, json_t *to), char close) {
    skip_space(r);
    if (take(r, close))
        return true;
    do {
        if (!one(r, to))
            return false;
        skip_space(r);
    } while (take(r, ','));
    if (take(r, close))
        return true;
    return wrong(r, close == '}' ? "',' or '}' is expected here" : "',' or ']' is expected here");
}

static json_t *nested_value(struct reader *r, json_t *to, bool (*one)(struct reader *r, json_t *to),
                            char close) {
    bool whole = to != NULL;
    if (whole && r->depth == DEPTH)
        whole = wrong(r, "nested too deeply");
    r->depth++;
    r->at++;
    if (whole && items_read(r, to, one, close)) {
        r->depth--;
        return to;
    }
    json_decref(to);
    return NULL;
}

static json_t *value_read(struct reader *r) {
    skip_space(r);
    if (r->values++ == VALUES)
        return refuse(r, "more values than any file of ours has");
    switch (peek(r)) {
    case '{':
        return nested_value(r, json_object(), member_read, '}');
    case '[':
        return nested_value(r, json_array(), item_read, ']');
    case '"':
        return string_value(r);
    default:
        return strchr("-0123456789", peek(r)) && peek(r) ? number_value(r) : word_value(r);
    }
}

static int fail(const struct reader *r, struct sr_error *err) {
    int line = 1;
    const char *begin = r->text;
    for (const char *p = r->text; p < r->at; p++)
        if (*p == '\n') {
            line++;
            begin = p + 1;
        }
    return sr_fail(err, SR_DATA, "line %d, column %" PRIu64 ": not JSON: %s", line,
                   (uint64_t)(r->at - begin) + 1, r->why);
}

int sr_json_parse(struct sr_json **out, const char *text, size_t length, struct sr_error *err) {
    struct reader r = {.text = text, .at = text, .end = text + length};
    json_t *tree = value_read(&r);
    if (tree)
        skip_space(&r);
    if (tree && r.at < r.end) {
        json_decref(tree);
        tree = refuse(&r, "something stands behind the value");
    }
    sr_free(r.kept);
    *out = (struct sr_json *)tree;
    if (tree)
        return SR_OK;
    if (r.why)
        return fail(&r, err);
    if (!err) /* who does not ask why may take it for a text that is no JSON */
        sr_json_lose();
    return sr_fail(err, SR_NOMEM, "out of memory while reading JSON");
}
