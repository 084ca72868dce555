/* json.h: JSON in and out, over jansson (duplicate keys are refused).
 *
 * A value is created by its maker and owned by whoever it is put into: sr_json_set and sr_json_append take
 * the value over even when they fail. A maker that finds no memory returns NULL, putting a NULL is a failure
 * that is remembered until sr_json_forget: from then on sr_json_text fails with SR_NOMEM. So a tree is built
 * without checks and checked once, when it is written. Keys are UTF-8.
 *
 *     struct sr_json *o = sr_json_object();
 *     sr_json_set(o, "rows", sr_json_integer(4424));
 *     sr_json_set(o, "f1", sr_json_number(f1));        // NaN becomes null
 *     char *text = sr_json_text(o, 2, err);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_JSON_H
#define SR_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nn/base/error.h"

struct sr_json; /* one JSON value */

struct sr_json *sr_json_object(void);
struct sr_json *sr_json_array(void);
struct sr_json *sr_json_number(double value); /* NaN and infinities become null */
struct sr_json *sr_json_integer(int64_t value);
struct sr_json *
sr_json_string(const char *value); /* NULL becomes null; bytes that are not UTF-8 become '?' */
struct sr_json *sr_json_bool(bool value);
struct sr_json *sr_json_null(void);

void sr_json_set(struct sr_json *object, const char *key, struct sr_json *value);
void sr_json_append(struct sr_json *array, struct sr_json *value);
void sr_json_free(struct sr_json *value); /* the root only */

/* True if a value was lost for want of memory since sr_json_forget: one that was to be put somewhere, or read
 * by sr_json_parse without an err. A command that would else end well ends with SR_NOMEM then. */
bool sr_json_lost(void);
void sr_json_lose(void);

/* To be called when no tree that a value may be missing from is left: at a command's end. */
void sr_json_forget(void);

/* The text of a tree, NUL-terminated, free with sr_free; keys in the order they were set; numbers in the
 * fewest digits that read back as the same double. indent 0: one line, no spaces. */
char *sr_json_text(const struct sr_json *value, int indent, struct sr_error *err);

/* Parses length bytes. SR_DATA with line and column (in bytes, from 1) in err. Errors are: more than 64
 * levels, which a thread of a small stack still has room for, more than 2^20 values, which are 240 MB at
 * most, and duplicate keys; NUL in a string, integers of more than 64 bits and numbers that no double holds.
 */
int sr_json_parse(struct sr_json **out, const char *text, size_t length, struct sr_error *err);

/* What stands between the quotes of a string becomes what it means, in place and without a NUL; returns its
 * bytes, 0 where it is no such string. Nothing is allocated. */
size_t sr_json_unescape(char *text, size_t length);

/* Looking into a parsed tree. Kinds that do not fit give NULL, false or 0 items. Returned values and strings
 * belong to the tree. */
const struct sr_json *sr_json_get(const struct sr_json *object, const char *key);
const struct sr_json *sr_json_at(const struct sr_json *array, size_t index);
size_t sr_json_size(const struct sr_json *value); /* members of an object or array, else 0 */
bool sr_json_is_object(const struct sr_json *value);
bool sr_json_is_array(const struct sr_json *value);
bool sr_json_is_null(const struct sr_json *value); /* JSON's null; not NULL */
const char *sr_json_as_string(const struct sr_json *value);
bool sr_json_as_integer(const struct sr_json *value, int64_t *out);
bool sr_json_as_number(const struct sr_json *value, double *out);
bool sr_json_as_bool(const struct sr_json *value, bool *out);

/* Walks an object: *iter starts as NULL; returns the key or NULL at the end. */
const char *sr_json_next(const struct sr_json *object, void **iter, const struct sr_json **value);

#endif
