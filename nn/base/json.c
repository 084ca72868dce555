/* json.c: JSON over jansson, which only this file and json_read.c know; see json.h.
 *
 * A struct sr_json is jansson's json_t under another name. Storage is jansson's; text is read by json_read.c
 * and written here, because jansson prints .6 as 0.59999999999999998. A value lost for want of memory cannot
 * be marked in the tree, so one flag for the process remembers it: from then on no text is made, rather than
 * one with a hole in it, until a command has ended and all its trees are gone.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/base/alloc.h"
#include "nn/base/decimal.h"
#include "nn/base/json.h"
#include "nn/base/text_stream.h"
#include "nn/base/utf8.h"

static atomic_bool value_lost;

static struct sr_json *wrap(json_t *value) {
    return (struct sr_json *)value;
}

static json_t *unwrap(const struct sr_json *value) {
    union {
        const struct sr_json *from;
        json_t *to; /* jansson's reading functions differ in their consts */
    } cast = {.from = value};
    return cast.to;
}

/* ---- building ---- */

struct sr_json *sr_json_object(void) {
    return wrap(json_object());
}

struct sr_json *sr_json_array(void) {
    return wrap(json_array());
}

struct sr_json *sr_json_number(double value) {
    return wrap(isfinite(value) ? json_real(value) : json_null());
}

struct sr_json *sr_json_integer(int64_t value) {
    return wrap(json_integer(value));
}

struct sr_json *sr_json_bool(bool value) {
    return wrap(json_boolean(value));
}

struct sr_json *sr_json_null(void) {
    return wrap(json_null());
}

struct sr_json *sr_json_string(const char *value) {
    if (!value)
        return sr_json_null();
    char *clean = sr_strdup(value, NULL);
    if (!clean)
        return NULL;
    for (char *p = clean; *p;) {
        const size_t n = sr_utf8_length(p);
        if (n == 0)
            *p = '?';
        p += n ? n : 1;
    }
    json_t *string = json_string(clean);
    sr_free(clean);
    return wrap(string);
}

void sr_json_set(struct sr_json *object, const char *key, struct sr_json *value) {
    if (json_object_set_new(unwrap(object), key, unwrap(value)) < 0)
        atomic_store(&value_lost, true);
}

void sr_json_append(struct sr_json *array, struct sr_json *value) {
    if (json_array_append_new(unwrap(array), unwrap(value)) < 0)
        atomic_store(&value_lost, true);
}

void sr_json_free(struct sr_json *value) {
    json_decref(unwrap(value));
}

void sr_json_lose(void) {
    atomic_store(&value_lost, true);
}

bool sr_json_lost(void) {
    return atomic_load(&value_lost);
}

void sr_json_forget(void) {
    atomic_store(&value_lost, false);
}

/* ---- text ---- */

static void put(FILE *to, const json_t *value, int indent, int depth);

static void put_break(FILE *to, int indent, int depth) {
    if (indent > 0)
        fprintf(to, "\n%*s", indent * depth, "");
}

/* jansson's own words. It writes nothing at all where it finds no memory. */
static void put_as_jansson(FILE *to, const json_t *value) {
    if (json_dumpf(value, to, JSON_ENCODE_ANY) < 0)
        atomic_store(&value_lost, true);
}

static void put_scalar(FILE *to, const json_t *value) {
    char text[SR_DECIMAL_TEXT];
    if (json_typeof(value) != JSON_REAL) {
        put_as_jansson(to, value);
        return;
    }
    sr_decimal(text, json_real_value(value));
    fputs(text, to);
    if (!strpbrk(text, ".e")) /* stays a real when it is read again */
        fputs(".0", to);
}

/* NOLINTNEXTLINE(misc-no-recursion): a tree that was read has 64 levels at most */
static void put_object(FILE *to, const json_t *object, int indent, int depth) {
    void *iter = json_object_iter(unwrap((const struct sr_json *)object));
    putc('{', to);
    for (const char *before = ""; iter; before = ",") {
        json_t *key = json_string(json_object_iter_key(iter));
        fputs(before, to);
        put_break(to, indent, depth + 1);
        put_as_jansson(to, key); /* NULL is lost too */
        json_decref(key);
        fputs(indent > 0 ? ": " : ":", to);
        put(to, json_object_iter_value(iter), indent, depth + 1);
        iter = json_object_iter_next(unwrap((const struct sr_json *)object), iter);
    }
    if (json_object_size(object) > 0)
        put_break(to, indent, depth);
    putc('}', to);
}

/* NOLINTNEXTLINE(misc-no-recursion): a tree that was read has 64 levels at most */
static void put_array(FILE *to, const json_t *array, int indent, int depth) {
    putc('[', to);
    for (size_t i = 0; i < json_array_size(array); i++) {
        fputs(i ? "," : "", to);
        put_break(to, indent, depth + 1);
        put(to, json_array_get(array, i), indent, depth + 1);
    }
    if (json_array_size(array) > 0)
        put_break(to, indent, depth);
    putc(']', to);
}

/* NOLINTNEXTLINE(misc-no-recursion): a tree that was read has 64 levels at most */
static void put(FILE *to, const json_t *value, int indent, int depth) {
    if (json_typeof(value) == JSON_OBJECT)
        put_object(to, value, indent, depth);
    else if (json_typeof(value) == JSON_ARRAY)
        put_array(to, value, indent, depth);
    else
        put_scalar(to, value);
}

char *sr_json_text(const struct sr_json *value, int indent, struct sr_error *err) {
    struct sr_text_stream to;
    char *text = NULL;
    if (value && sr_text_stream_open(&to, NULL) == SR_OK) {
        put(to.stream, unwrap(value), indent, 0);
        text = sr_text_stream_close(&to, NULL);
    }
    if (text && !atomic_load(&value_lost))
        return text;
    sr_free(text);
    sr_fail(err, SR_NOMEM, "out of memory while writing JSON");
    return NULL;
}

/* ---- looking ---- */

const struct sr_json *sr_json_get(const struct sr_json *object, const char *key) {
    return wrap(json_object_get(unwrap(object), key));
}

const struct sr_json *sr_json_at(const struct sr_json *array, size_t index) {
    return wrap(json_array_get(unwrap(array), index));
}

size_t sr_json_size(const struct sr_json *value) {
    return sr_json_is_object(value) ? json_object_size(unwrap(value)) : json_array_size(unwrap(value));
}

bool sr_json_is_object(const struct sr_json *value) {
    return json_is_object(unwrap(value));
}

bool sr_json_is_array(const struct sr_json *value) {
    return json_is_array(unwrap(value));
}

bool sr_json_is_null(const struct sr_json *value) {
    return json_is_null(unwrap(value));
}

const char *sr_json_as_string(const struct sr_json *value) {
    return json_string_value(unwrap(value));
}

bool sr_json_as_integer(const struct sr_json *value, int64_t *out) {
    if (!json_is_integer(unwrap(value)))
        return false;
    *out = json_integer_value(unwrap(value));
    return true;
}

bool sr_json_as_number(const struct sr_json *value, double *out) {
    if (!json_is_number(unwrap(value)))
        return false;
    *out = json_number_value(unwrap(value));
    return true;
}

bool sr_json_as_bool(const struct sr_json *value, bool *out) {
    if (!json_is_boolean(unwrap(value)))
        return false;
    *out = json_typeof(unwrap(value)) == JSON_TRUE;
    return true;
}

const char *sr_json_next(const struct sr_json *object, void **iter, const struct sr_json **value) {
    json_t *o = unwrap(object);
    *iter = *iter ? json_object_iter_next(o, *iter) : json_object_iter(o);
    if (!*iter)
        return NULL;
    *value = wrap(json_object_iter_value(*iter));
    return json_object_iter_key(*iter);
}
