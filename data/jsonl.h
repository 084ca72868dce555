/* jsonl.h: one JSON object as spans of its text, without a tree.
 *
 * A line of features is thousands of numbers; a tree would allocate each of them. Here members are found, and
 * only what is wanted of them is read.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_JSONL_H
#define SR_JSONL_H

#include <stdbool.h>
#include <stddef.h>

#include "nn/base/base.h"

#define SR_JSONL_MEMBERS 1024

/* Text of the object, borrowed. */
struct sr_json_span {
    const char *text;
    size_t length;
};

struct sr_jsonl {
    struct {
        struct sr_json_span name;  /* what it means, without quotes and escapes */
        struct sr_json_span value; /* as it stands there; JSON, whether anybody reads it or not */
    } member[SR_JSONL_MEMBERS];
    size_t members;
};

/* Finds the members of the object that text is, whose names lose their escapes in place. SR_DATA with the
 * column: no object, not closed, text behind it, no JSON inside. Nothing is allocated. */
int sr_jsonl_scan(struct sr_jsonl *object, char *text, struct sr_error *err);

/* *index: the member of that name, or SR_JSONL_MEMBERS. SR_DATA if two have it. */
int sr_jsonl_find(size_t *index, const struct sr_jsonl *object, const char *name, struct sr_error *err);

#endif
