/* pickle_machine.c: the stack, the memo and the values of pickle.c, with their limits; see pickle_machine.h.
 *
 * Every read is held against the end of the bytes. The number of values, the depth of the stack and the memo
 * are limited, because a few bytes of pickle can ask for gigabytes. A byte of pickle takes 50 bytes here at
 * most (an empty list, its place on the stack and in another list).
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "data/pickle_machine.h"
#include "nn/base/sizes.h"

#define VALUES_MAX 4194304u /* a tensor with its name takes about 20 */
#define DEPTH_MAX  1048576u
#define SLOTS_MAX  16777216u /* items of all lists, and what they outgrew */
#define MEMO_LEAST 4096      /* numbers of the memo; past these they are less than the bytes so far, as a */
#define POOL_BLOCK 1024      /* pickler numbers values in turn and each takes a byte */
#define SLOT_BLOCK 4096

struct pool { /* values are never moved: others point to them */
    struct pool *next;
    size_t n;
    struct sr_pickle_value value[POOL_BLOCK];
};

struct slots { /* items of lists; small ones share a block, since a byte of pickle can make one */
    struct slots *next;
    size_t used, room;
    struct sr_pickle_value *item[];
};

int sr_pickle_fail(const struct sr_pickle *p, struct sr_error *err, const char *format, ...) {
    char what[320];
    va_list list;
    va_start(list, format);
    vsnprintf(what, sizeof what, format, list);
    va_end(list);
    return sr_fail(err, SR_DATA, "%s: its pickle, at byte %zu, %s", p->path, p->op_at, what);
}

bool sr_pickle_is(const struct sr_pickle_value *text, const char *word) {
    return text->kind == SR_PICKLE_TEXT && text->as.text.length == strlen(word) &&
           memcmp(text->as.text.at, word, text->as.text.length) == 0;
}

/* ---- values ---- */

struct sr_pickle_value *sr_pickle_make(struct sr_pickle *p, enum sr_pickle_kind kind, struct sr_error *err) {
    if (p->values++ >= VALUES_MAX) {
        sr_pickle_fail(p, err, "makes more than %u values", VALUES_MAX);
        return NULL;
    }
    if (!p->pool || p->pool->n == POOL_BLOCK) {
        struct pool *block = sr_alloc(1, sizeof *block, err);
        if (!block)
            return NULL;
        block->next = p->pool;
        p->pool = block;
    }
    struct sr_pickle_value *v = &p->pool->value[p->pool->n++];
    v->kind = kind;
    return v;
}

struct sr_pickle_value *sr_pickle_plain(struct sr_pickle *p, enum sr_pickle_kind kind, bool number,
                                        struct sr_error *err) {
    struct sr_pickle_value **one = &p->plain[kind][number];
    if (!*one && (*one = sr_pickle_make(p, kind, err))) {
        if (kind == SR_PICKLE_BOOL)
            (*one)->as.integer = number;
        (*one)->fixed = kind == SR_PICKLE_TUPLE;
    }
    return *one;
}

struct sr_pickle_value *sr_pickle_next(const struct sr_pickle *p, struct sr_pickle_cursor *at) {
    if (!at->begun)
        *at = (struct sr_pickle_cursor){p->pool, 0, true};
    while (at->block && at->i == at->block->n)
        *at = (struct sr_pickle_cursor){at->block->next, 0, true};
    return at->block ? &at->block->value[at->i++] : NULL;
}

static void pool_free(struct pool *pool) {
    while (pool) {
        struct pool *next = pool->next;
        for (size_t i = 0; i < pool->n; i++)
            if (pool->value[i].kind == SR_PICKLE_TENSOR)
                sr_free(pool->value[i].as.tensor);
        sr_free(pool);
        pool = next;
    }
}

/* Room for one more pointer in an array of n. */
static int grow(struct sr_pickle_value ***array, size_t n, size_t *room, struct sr_error *err) {
    if (n < *room)
        return SR_OK;
    const size_t more = *room ? 2 * *room : 8, size = sizeof **array;
    struct sr_pickle_value **larger = sr_realloc(*array, *room * size, more * size, err);
    if (!larger)
        return SR_NOMEM;
    *array = larger;
    *room = more;
    return SR_OK;
}

int sr_pickle_list_room(struct sr_pickle *p, struct sr_pickle_value *list, size_t room,
                        struct sr_error *err) {
    struct slots *s = p->slots;
    if (room > SLOTS_MAX - p->slot_count)
        return sr_pickle_fail(p, err, "makes lists of more than %u items", SLOTS_MAX);
    if (!s || room > s->room - s->used) {
        const size_t size = room > SLOT_BLOCK ? room : SLOT_BLOCK;
        s = sr_alloc(1, sizeof *s + size * sizeof *s->item, err);
        if (!s)
            return SR_NOMEM;
        s->room = size;
        s->next = p->slots;
        p->slots = s;
    }
    struct sr_pickle_value **item = s->item + s->used;
    if (list->as.list.n > 0)
        memcpy(item, list->as.list.item, list->as.list.n * sizeof(*item));
    s->used += room;
    p->slot_count += room;
    list->as.list.item = item;
    list->as.list.room = room;
    return SR_OK;
}

int sr_pickle_list_add(struct sr_pickle *p, struct sr_pickle_value *list, struct sr_pickle_value *item,
                       struct sr_error *err) {
    const size_t room = list->as.list.room;
    const int status =
        list->as.list.n < room ? SR_OK : sr_pickle_list_room(p, list, room > 0 ? 2 * room : 2, err);
    if (status == SR_OK)
        list->as.list.item[list->as.list.n++] = item;
    return status;
}

/* ---- bytes ---- */

/* The next n bytes, or NULL with err. */
const unsigned char *sr_pickle_take(struct sr_pickle *p, size_t n, struct sr_error *err) {
    if (!sr_size_within(p->at, n, p->size)) {
        sr_pickle_fail(p, err, "is cut off");
        return NULL;
    }
    p->at += n;
    return p->bytes + p->at - n;
}

/* A little-endian number of n <= 8 bytes. */
int sr_pickle_take_number(struct sr_pickle *p, size_t n, uint64_t *out, struct sr_error *err) {
    const unsigned char *b = sr_pickle_take(p, n, err);
    *out = b ? sr_little_endian(b, n) : 0;
    return b ? SR_OK : SR_DATA;
}

/* The rest of the line, without its newline. */
int sr_pickle_take_line(struct sr_pickle *p, const char **line, size_t *length, struct sr_error *err) {
    const unsigned char *start = p->bytes + p->at, *end = memchr(start, '\n', p->size - p->at);
    if (!end)
        return sr_pickle_fail(p, err, "is cut off");
    *line = (const char *)start;
    *length = (size_t)(end - start);
    p->at = (size_t)sr_size_sum(p->at, sr_size_sum(*length, 1));
    return SR_OK;
}

/* ---- stack and memo ---- */

int sr_pickle_push(struct sr_pickle *p, struct sr_pickle_value *v, struct sr_error *err) {
    if (p->depth >= DEPTH_MAX)
        return sr_pickle_fail(p, err, "stacks more than %u values", DEPTH_MAX);
    const int status = grow(&p->stack, p->depth, &p->stack_room, err);
    if (status == SR_OK)
        p->stack[p->depth++] = v;
    return status;
}

int sr_pickle_push_new(struct sr_pickle *p, enum sr_pickle_kind kind, struct sr_error *err) {
    struct sr_pickle_value *v = sr_pickle_make(p, kind, err);
    return v ? sr_pickle_push(p, v, err) : err->status;
}

int sr_pickle_push_plain(struct sr_pickle *p, enum sr_pickle_kind kind, bool number, struct sr_error *err) {
    struct sr_pickle_value *v = sr_pickle_plain(p, kind, number, err);
    return v ? sr_pickle_push(p, v, err) : err->status;
}

int sr_pickle_push_integer(struct sr_pickle *p, int64_t value, struct sr_error *err) {
    const int status = sr_pickle_push_new(p, SR_PICKLE_INTEGER, err);
    if (status == SR_OK)
        p->stack[p->depth - 1]->as.integer = value;
    return status;
}

/* The top n values, none of them a mark, are there. */
int sr_pickle_need(const struct sr_pickle *p, size_t n, struct sr_error *err) {
    bool good = p->depth >= n;
    for (size_t i = 0; good && i < n; i++)
        good = p->stack[p->depth - 1 - i]->kind != SR_PICKLE_MARK;
    return good ? SR_OK : sr_pickle_fail(p, err, "takes a value from an empty stack");
}

/* Values above the topmost mark. */
int sr_pickle_above_mark(const struct sr_pickle *p, size_t *n, struct sr_error *err) {
    for (*n = 0; *n < p->depth; ++*n)
        if (p->stack[p->depth - 1 - *n]->kind == SR_PICKLE_MARK)
            return SR_OK;
    return sr_pickle_fail(p, err, "closes a list that was not begun");
}

int sr_pickle_memo_put(struct sr_pickle *p, uint64_t index, struct sr_error *err) {
    int status = sr_pickle_need(p, 1, err);
    if (status == SR_OK && index >= VALUES_MAX)
        return sr_pickle_fail(p, err, "remembers more than %u values", VALUES_MAX);
    if (status == SR_OK && index >= sr_size_sum(p->at, MEMO_LEAST))
        return sr_pickle_fail(p, err, "remembers a value by a number larger than that of all values before");
    while (status == SR_OK && index >= p->memo_room)
        status = grow(&p->memo, p->memo_room, &p->memo_room, err);
    if (status < 0)
        return status;
    p->memo[index] = p->stack[p->depth - 1];
    return SR_OK;
}

int sr_pickle_memo_get(struct sr_pickle *p, uint64_t index, struct sr_error *err) {
    if (index >= p->memo_room || !p->memo[index])
        return sr_pickle_fail(p, err, "asks for a value that it did not remember");
    return sr_pickle_push(p, p->memo[index], err);
}

void sr_pickle_forget(struct sr_pickle *p) {
    sr_free(p->stack);
    sr_free(p->memo);
    p->stack = p->memo = NULL;
    p->depth = p->stack_room = p->memo_room = 0;
}

void sr_pickle_free(struct sr_pickle *p) {
    if (!p)
        return;
    pool_free(p->pool);
    while (p->slots) {
        struct slots *next = p->slots->next;
        sr_free(p->slots);
        p->slots = next;
    }
    sr_pickle_forget(p);
    sr_free(p);
}
