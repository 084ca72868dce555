/* json.c: JSON over jansson, the only file that knows it; see json.h.
 *
 * A struct sr_json is jansson's json_t under another name. Parsing and storage are jansson's; text is written
 * here, because jansson prints .6 as 0.59999999999999998. A value lost for want of memory cannot be marked in
 * the tree, so one flag for the process remembers it: from then on no text is made, rather than one with a
 * hole in it.
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

/* ---- text ---- */

static void put(FILE *to, const json_t *value, int indent, int depth);

static void put_break(FILE *to, int indent, int depth) {
    if (indent > 0)
        fprintf(to, "\n%*s", indent * depth, "");
}

static void put_scalar(FILE *to, const json_t *value) {
    char text[SR_DECIMAL_TEXT];
    if (!json_is_real(value)) {
        json_dumpf(value, to, JSON_ENCODE_ANY);
        return;
    }
    sr_decimal(text, json_real_value(value));
    fputs(text, to);
    if (!strpbrk(text, ".e")) /* stays a real when it is read again */
        fputs(".0", to);
}

/* NOLINTNEXTLINE(misc-no-recursion): jansson parses 2,048 levels at most */
static void put_object(FILE *to, const json_t *object, int indent, int depth) {
    void *iter = json_object_iter(unwrap((const struct sr_json *)object));
    putc('{', to);
    for (const char *before = ""; iter; before = ",") {
        json_t *key = json_string(json_object_iter_key(iter));
        fputs(before, to);
        put_break(to, indent, depth + 1);
        if (!key)
            atomic_store(&value_lost, true);
        json_dumpf(key, to, JSON_ENCODE_ANY);
        json_decref(key);
        fputs(indent > 0 ? ": " : ":", to);
        put(to, json_object_iter_value(iter), indent, depth + 1);
        iter = json_object_iter_next(unwrap((const struct sr_json *)object), iter);
    }
    if (json_object_size(object) > 0)
        put_break(to, indent, depth);
    putc('}', to);
}

/* NOLINTNEXTLINE(misc-no-recursion): jansson parses 2,048 levels at most */
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

/* NOLINTNEXTLINE(misc-no-recursion): jansson parses 2,048 levels at most */
static void put(FILE *to, const json_t *value, int indent, int depth) {
    if (json_is_object(value))
        put_object(to, value, indent, depth);
    else if (json_is_array(value))
        put_array(to, value, indent, depth);
    else
        put_scalar(to, value);
}

char *sr_json_text(const struct sr_json *value, int indent, struct sr_error *err) {
    char *text = NULL, *copy = NULL;
    size_t size = 0;
    FILE *to = value ? open_memstream(&text, &size) : NULL;
    if (to) {
        put(to, unwrap(value), indent, 0);
        const bool written = !ferror(to);
        if (fclose(to) == 0 && written && !atomic_load(&value_lost))
            copy = sr_strdup(text, err);
    }
    free(text);
    if (!copy)
        sr_fail(err, SR_NOMEM, "out of memory while writing JSON");
    return copy;
}

int sr_json_parse(struct sr_json **out, const char *text, size_t length, struct sr_error *err) {
    json_error_t where;
    *out = wrap(json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where));
    if (*out)
        return SR_OK;
    if (json_error_code(&where) == json_error_out_of_memory)
        return sr_fail(err, SR_NOMEM, "out of memory while reading JSON");
    return sr_fail(err, SR_DATA, "line %d, column %d: not JSON: %s", where.line, where.column, where.text);
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
    *out = json_is_true(unwrap(value));
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
