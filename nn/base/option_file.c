/* option_file.c: settings from a YAML file: one flat mapping of scalars and lists of scalars. See
 * option_file.h.
 *
 * libyaml's events are enough. Anchors, aliases, tags, nested mappings and repeated keys are refused, so that
 * a file means what it seems to mean. JSON is YAML's flow style, so a flat JSON object is read too.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "nn/base/alloc.h"
#include "nn/base/file.h"
#include "nn/base/option_file.h"
#include "nn/base/sizes.h"

#define FILE_BYTES (4u << 20) /* largest file */

struct reader {
    yaml_parser_t parser;
    yaml_event_t event;
    struct sr_options *o;
    bool others; /* keys that the table does not have are passed over */
    const char *path;
    char key[256], *value; /* [room] */
    size_t room;
    size_t value_bytes; /* of value: a long list is not measured anew for each item */
    bool seen[];        /* [o->count] */
};

static int refuse(const struct reader *r, struct sr_error *err, const char *what) {
    return sr_fail(err, SR_USAGE, "%s:%zu: %s; a configuration is one flat mapping, \"key: value\" a line",
                   r->path, r->event.start_mark.line + 1, what);
}

/* The next event into r->event; the one before is freed. */
static int next(struct reader *r, struct sr_error *err) {
    yaml_event_delete(&r->event);
    if (!yaml_parser_parse(&r->parser, &r->event)) {
        memset(&r->event, 0, sizeof r->event);
        if (r->parser.error == YAML_MEMORY_ERROR)
            return sr_fail(err, SR_NOMEM, "out of memory for reading %s", r->path);
        return sr_fail(err, SR_USAGE, "%s:%zu: not YAML: %s", r->path, r->parser.problem_mark.line + 1,
                       r->parser.problem ? r->parser.problem : "cannot be read");
    }
    if (r->event.type == YAML_ALIAS_EVENT)
        return refuse(r, err, "an alias");
    return SR_OK;
}

static int expect(struct reader *r, yaml_event_type_t type, const char *instead, struct sr_error *err) {
    const int status = next(r, err);
    if (status < 0)
        return status;
    return r->event.type == type ? SR_OK : refuse(r, err, instead);
}

/* Appends the scalar of the current event to the *used bytes of text, behind a comma if there are any. */
static int scalar_append(struct reader *r, char *text, size_t *used, size_t size, struct sr_error *err) {
    const char *scalar = (const char *)r->event.data.scalar.value;
    const size_t comma = *used > 0, length = r->event.data.scalar.length;
    if (r->event.data.scalar.anchor)
        return refuse(r, err, "an anchor");
    if (r->event.data.scalar.tag)
        return refuse(r, err, "a tag");
    if (strlen(scalar) != length || !sr_size_within(*used + comma + 1, length, size))
        return refuse(r, err, "a value that is too long or contains a zero byte");
    memcpy(text + *used, ",", comma);
    memcpy(text + *used + comma, scalar, sr_size_sum(length, 1)); /* with its NUL */
    *used = (size_t)sr_size_sum(*used + comma, length);
    return SR_OK;
}

static int value_read(struct reader *r, struct sr_error *err) {
    r->value[0] = '\0';
    r->value_bytes = 0;
    int status = next(r, err);
    if (status < 0)
        return status;
    if (r->event.type == YAML_SCALAR_EVENT)
        return scalar_append(r, r->value, &r->value_bytes, r->room, err);
    if (r->event.type != YAML_SEQUENCE_START_EVENT)
        return refuse(r, err, "a nested mapping");
    if (r->event.data.sequence_start.anchor || r->event.data.sequence_start.tag)
        return refuse(r, err, "an anchor or a tag");
    for (;;) {
        status = next(r, err);
        if (status < 0 || r->event.type == YAML_SEQUENCE_END_EVENT)
            return status;
        if (r->event.type != YAML_SCALAR_EVENT)
            return refuse(r, err, "a list inside a list");
        status = scalar_append(r, r->value, &r->value_bytes, r->room, err);
        if (status < 0)
            return status;
    }
}

static int once(struct reader *r, struct sr_error *err) {
    for (size_t i = 0; i < r->o->count; i++)
        if (strcmp(r->o->table[i].key, r->key) == 0) {
            if (r->seen[i])
                return sr_fail(err, SR_USAGE, "%s:%zu: %s is set twice", r->path,
                               r->event.start_mark.line + 1, r->key);
            r->seen[i] = true;
        }
    return SR_OK;
}

static bool known(const struct reader *r) {
    for (size_t i = 0; i < r->o->count; i++)
        if (strcmp(r->o->table[i].key, r->key) == 0)
            return true;
    return false;
}

static int pair_set(struct reader *r, size_t line, struct sr_error *err) {
    struct sr_error inner = {0};
    const int status = sr_options_set(r->o, r->key, r->value, SR_ORIGIN_FILE, &inner);
    if (status < 0)
        sr_fail(err, status, "%s:%zu: %s", r->path, line, inner.text);
    return status;
}

static int mapping_read(struct reader *r, struct sr_error *err) {
    int status = expect(r, YAML_STREAM_START_EVENT, "not YAML", err);
    if (status == SR_OK)
        status = expect(r, YAML_DOCUMENT_START_EVENT, "an empty file", err);
    if (status == SR_OK)
        status = expect(r, YAML_MAPPING_START_EVENT, "not a mapping", err);
    if (status == SR_OK && (r->event.data.mapping_start.anchor || r->event.data.mapping_start.tag))
        status = refuse(r, err, "an anchor or a tag");
    while (status == SR_OK) {
        status = next(r, err);
        if (status < 0 || r->event.type == YAML_MAPPING_END_EVENT)
            break;
        if (r->event.type != YAML_SCALAR_EVENT)
            return refuse(r, err, "a key that is not a word");
        const size_t line = r->event.start_mark.line + 1;
        size_t key_bytes = 0;
        r->key[0] = '\0';
        status = scalar_append(r, r->key, &key_bytes, sizeof r->key, err);
        for (char *c = r->key; *c; c++)
            *c = *c == '-' ? '_' : *c; /* either spelling is the same key */
        if (status == SR_OK)
            status = once(r, err);
        if (status == SR_OK)
            status = value_read(r, err);
        if (status == SR_OK && (!r->others || known(r)))
            status = pair_set(r, line, err);
    }
    if (status == SR_OK)
        status = expect(r, YAML_DOCUMENT_END_EVENT, "more than one mapping", err);
    if (status == SR_OK)
        status = expect(r, YAML_STREAM_END_EVENT, "more than one document", err);
    return status;
}

int sr_option_file_parse(struct sr_options *o, const char *text, size_t size, const char *path, bool others,
                         struct sr_error *err) {
    struct reader *r = sr_alloc(1, sizeof *r + o->count, err);
    const size_t room =
        2 * size + 64; /* UTF-16 and escapes grow by a half at most, and lists by their commas */
    char *value = sr_alloc(room, 1, err);
    if (!r || !value || !yaml_parser_initialize(&r->parser)) {
        sr_free(value);
        sr_free(r);
        return sr_fail(err, SR_NOMEM, "out of memory for reading %s", path);
    }
    r->o = o;
    r->others = others;
    r->path = path;
    r->value = value;
    r->room = room;
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, size);
    const int status = mapping_read(r, err);
    yaml_event_delete(&r->event);
    yaml_parser_delete(&r->parser);
    sr_free(value);
    sr_free(r);
    return status;
}

int sr_option_file_read(struct sr_options *o, const char *path, bool others, struct sr_error *err) {
    void *bytes;
    size_t size;
    int status = sr_file_read(&bytes, &size, path, FILE_BYTES, err);
    if (status < 0)
        return status;
    status = sr_option_file_parse(o, bytes, size, path, others, err);
    sr_free(bytes);
    return status;
}
