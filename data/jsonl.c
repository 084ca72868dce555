/* jsonl.c: see jsonl.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/jsonl.h"

#include <string.h>

#include "data/json_grammar.h"

struct scan {
    char *text;
    const char *p, *end;
    struct sr_error *err;
};

static int fail(const struct scan *s, const char *what) {
    return sr_fail(s->err, SR_DATA, "column %zu: %s", (size_t)(s->p - s->text) + 1, what);
}

static int fail_json(const struct scan *s) {
    return fail(s, s->p == s->end ? "the line ends in the middle of it; was the file cut short?"
                                  : "this is no JSON");
}

/* True if c is what comes next but for spaces, and behind us now. */
static bool take(struct scan *s, char c) {
    sr_json_skip_space(&s->p, s->end);
    const bool is = s->p < s->end && *s->p == c;
    s->p += is;
    return is;
}

static int scan_name(struct scan *s, struct sr_json_span *name) {
    sr_json_skip_space(&s->p, s->end);
    char *begin = s->text + (s->p - s->text);
    if (*begin != '"')
        return fail(s, "a name in quotes is needed");
    if (!sr_json_skip_string(&s->p, s->end))
        return fail_json(s);
    name->text = begin + 1;
    name->length = sr_json_unescape(begin + 1, (size_t)(s->p - begin) - 2);
    return take(s, ':') ? 0 : fail(s, "a colon is needed behind a name");
}

static int scan_member(struct scan *s, struct sr_jsonl *object) {
    if (object->members == SR_JSONL_MEMBERS)
        return fail(s, "more members than the columns of any dump");
    struct sr_json_span *value = &object->member[object->members].value;
    if (scan_name(s, &object->member[object->members].name) < 0)
        return SR_DATA;
    sr_json_skip_space(&s->p, s->end);
    value->text = s->p;
    if (!sr_json_skip(&s->p, s->end))
        return fail_json(s);
    value->length = (size_t)(s->p - value->text);
    object->members++;
    return 0;
}

static int scan_members(struct scan *s, struct sr_jsonl *object) {
    do {
        if (scan_member(s, object) < 0)
            return SR_DATA;
    } while (take(s, ','));
    return take(s, '}') ? 0 : fail(s, "a comma or the object's end is needed");
}

int sr_jsonl_scan(struct sr_jsonl *object, char *text, struct sr_error *err) {
    struct scan s = {.text = text, .p = text, .end = text + strlen(text), .err = err};
    object->members = 0;
    if (!take(&s, '{'))
        return fail(&s, "an object, {\"name\": value, ...}, is needed on every line");
    if (!take(&s, '}') && scan_members(&s, object) < 0)
        return SR_DATA;
    sr_json_skip_space(&s.p, s.end);
    return s.p < s.end ? fail(&s, "more text behind the object") : 0;
}

int sr_jsonl_find(size_t *index, const struct sr_jsonl *object, const char *name, struct sr_error *err) {
    const size_t length = strlen(name);
    *index = SR_JSONL_MEMBERS;
    for (size_t i = 0; i < object->members; i++) {
        const struct sr_json_span *is = &object->member[i].name;
        if (is->length != length || memcmp(is->text, name, length) != 0)
            continue;
        if (*index != SR_JSONL_MEMBERS)
            return sr_fail(err, SR_DATA, "two members are called %.60s", name);
        *index = i;
    }
    return 0;
}
