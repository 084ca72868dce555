/* jsonl.c: members of a JSON object by a scan that knows strings and brackets; the inside of values is
 * json_grammar.c's, or who reads them. See jsonl.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/jsonl.h"

#include <string.h>

#include "data/json_grammar.h"

struct scan {
    const char *text, *p;
    struct sr_error *err;
};

static int fail(const struct scan *s, const char *what) {
    return sr_fail(s->err, SR_DATA, "column %zu: %s", (size_t)(s->p - s->text) + 1, what);
}

static void skip_space(struct scan *s) {
    s->p += strspn(s->p, " \t\r\n");
}

/* From an opening quote to behind the closing one. */
static int skip_string(struct scan *s) {
    const char *begin = s->p;
    for (s->p++; *s->p && *s->p != '"'; s->p++)
        s->p += *s->p == '\\' && s->p[1];
    if (!*s->p) {
        s->p = begin;
        return fail(s, "a string is not closed");
    }
    s->p++;
    return 0;
}

/* From an opening bracket to behind the one that closes it. */
static int skip_nested(struct scan *s) {
    const char *begin = s->p;
    size_t depth = 0;
    do {
        s->p += strcspn(s->p, "\"[]{}");
        if (!*s->p) {
            s->p = begin;
            return fail(s, "a bracket is not closed; was the file cut short?");
        }
        if (*s->p == '"') {
            if (skip_string(s) < 0)
                return SR_DATA;
            continue;
        }
        depth += *s->p == '[' || *s->p == '{' ? 1 : (size_t)-1;
        s->p++;
    } while (depth > 0);
    return 0;
}

static int skip_value(struct scan *s) {
    const char *begin = s->p;
    if (*s->p == '"')
        return skip_string(s);
    if (*s->p == '[' || *s->p == '{')
        return skip_nested(s);
    s->p += strcspn(s->p, ",:{}[]\" \t\r\n");
    return s->p == begin ? fail(s, "a value is missing") : 0;
}

static int scan_member(struct scan *s, struct sr_jsonl *object) {
    if (object->members == SR_JSONL_MEMBERS)
        return fail(s, "more members than the columns of any dump");
    struct sr_json_span *key = &object->member[object->members].key;
    struct sr_json_span *value = &object->member[object->members].value;
    if (*s->p != '"')
        return fail(s, "a name in quotes is needed");
    key->text = s->p + 1;
    if (skip_string(s) < 0)
        return SR_DATA;
    key->length = (size_t)(s->p - key->text) - 1;
    skip_space(s);
    if (*s->p != ':')
        return fail(s, "a colon is needed behind a name");
    s->p++;
    skip_space(s);
    value->text = s->p;
    if (skip_value(s) < 0)
        return SR_DATA;
    value->length = (size_t)(s->p - value->text);
    object->member[object->members++].read = false;
    skip_space(s);
    return 0;
}

static int scan_members(struct scan *s, struct sr_jsonl *object) {
    for (;;) {
        skip_space(s);
        if (scan_member(s, object) < 0)
            return SR_DATA;
        if (*s->p == '}')
            return 0;
        if (*s->p != ',')
            return fail(s, "a comma or the object's end is needed");
        s->p++;
    }
}

int sr_jsonl_scan(struct sr_jsonl *object, const char *text, struct sr_error *err) {
    struct scan s = {text, text, err};
    object->members = 0;
    skip_space(&s);
    if (*s.p != '{')
        return fail(&s, "an object, {\"name\": value, ...}, is needed on every line");
    s.p++;
    skip_space(&s);
    if (*s.p != '}' && scan_members(&s, object) < 0)
        return SR_DATA;
    s.p++;
    skip_space(&s);
    return *s.p ? fail(&s, "more text behind the object") : 0;
}

int sr_jsonl_check(const struct sr_jsonl *object, const char *text, struct sr_error *err) {
    for (size_t i = 0; i < object->members; i++) {
        const struct sr_json_span *key = &object->member[i].key, *value = &object->member[i].value;
        const char *wrong = sr_json_grammar(key->text - 1, key->length + 2);
        if (!wrong && !object->member[i].read)
            wrong = sr_json_grammar(value->text, value->length);
        if (wrong)
            return sr_fail(err, SR_DATA, "column %zu: this is no JSON, though nobody reads it",
                           (size_t)(wrong - text) + 1);
    }
    return 0;
}

/* 1 if that is its name, else 0. A key may be written with escapes, as any string. */
static int is_key(const struct sr_json_span *key, const char *name, size_t length, struct sr_error *err) {
    struct sr_json *string;
    struct sr_error why;
    if (!memchr(key->text, '\\', key->length))
        return key->length == length && memcmp(key->text, name, length) == 0;
    const int status = sr_json_parse(&string, key->text - 1, key->length + 2, &why);
    if (status < 0)
        return status == SR_NOMEM ? sr_fail(err, SR_NOMEM, "%s", why.text) : 0;
    const bool same = strcmp(sr_json_as_string(string), name) == 0;
    sr_json_free(string);
    return same;
}

int sr_jsonl_find(size_t *index, const struct sr_jsonl *object, const char *name, struct sr_error *err) {
    const size_t length = strlen(name);
    *index = SR_JSONL_MEMBERS;
    for (size_t i = 0; i < object->members; i++) {
        const int is = is_key(&object->member[i].key, name, length, err);
        if (is < 0)
            return is;
        if (!is)
            continue;
        if (*index != SR_JSONL_MEMBERS)
            return sr_fail(err, SR_DATA, "two members are called %.60s", name);
        *index = i;
    }
    return 0;
}
