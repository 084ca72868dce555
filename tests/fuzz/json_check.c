/* json_check.c: JSON documents (nn/base/json.c). What is accepted is printed, read again and printed the
 * same.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "tests/fuzz/parsers.h"

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the reader allows */
static void look(const struct sr_json *v) {
    const struct sr_json *member;
    void *iter = NULL;
    int64_t integer;
    double number;
    bool truth;
    size_t members = 0;
    const int kinds = sr_json_is_object(v) + sr_json_is_array(v) + sr_json_is_null(v) +
                      !!sr_json_as_string(v) + sr_json_as_number(v, &number) + sr_json_as_bool(v, &truth);
    FUZZ_CHECK(kinds == 1, "a value of %d kinds", kinds);
    if (sr_json_as_integer(v, &integer))
        FUZZ_CHECK(number == (double)integer, "the integer %lld is the number %g", (long long)integer,
                   number);
    FUZZ_CHECK(!sr_json_as_number(v, &number) || isfinite(number), "a number that is not finite");
    for (const char *key; sr_json_is_object(v) && (key = sr_json_next(v, &iter, &member)); members++) {
        FUZZ_CHECK(sr_json_get(v, key) == member, "%s is not found", key);
        look(member);
    }
    for (size_t i = 0; sr_json_is_array(v) && i < sr_json_size(v); i++, members++)
        look(sr_json_at(v, i));
    FUZZ_CHECK(members == sr_json_size(v), "%zu members of %zu", members, sr_json_size(v));
}

static void check_text(const struct sr_json *v, int indent) {
    struct sr_error err = {0};
    struct sr_json *again;
    char *text = sr_json_text(v, indent, &err);
    FUZZ_CHECK(text, "%s", err.text);
    FUZZ_CHECK(sr_json_parse(&again, text, strlen(text), &err) == 0, "%s: %s", err.text, text);
    char *other = sr_json_text(again, indent, &err);
    FUZZ_CHECK(other && strcmp(text, other) == 0, "printed %s, then %s", text, other);
    sr_json_free(again);
    sr_free(other);
    sr_free(text);
}

void fuzz_json(const uint8_t *data, size_t size) {
    struct sr_error err = {0};
    struct sr_json *v = NULL;
    if (!fuzz_accepted(sr_json_parse(&v, (const char *)data, size, &err), &err))
        return;
    look(v);
    if (sr_json_is_object(v) || sr_json_is_array(v)) {
        check_text(v, 0);
        check_text(v, 2);
    }
    sr_json_free(v);
}
