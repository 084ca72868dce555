/* pickle_machine.h: the state of the pickle reader, what its instructions work on; private to pickle*.c.
 *
 * All functions that can fail return SR_DATA with a message made by sr_pickle_fail, or SR_NOMEM.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_PICKLE_MACHINE_H
#define SR_PICKLE_MACHINE_H

#include "data/pickle.h"

struct sr_pickle {
    const char *path; /* for messages */
    const unsigned char *bytes;
    size_t size, at, op_at; /* op_at: where the instruction being run begins */
    struct sr_pickle_value **stack, **memo;
    size_t depth, stack_room, memo_room;
    struct sr_pickle_value *plain[SR_PICKLE_MARK + 1][2]; /* see sr_pickle_plain */
    struct pool *pool;                                    /* all values, newest block first */
    struct slots *slots;                                  /* the items of all lists, newest block first */
    size_t values, slot_count;
    struct sr_pickle_value *root; /* NULL until STOP */
};

/* "F.pt: its pickle, at byte N, ...": SR_DATA. */
int sr_pickle_fail(const struct sr_pickle *p, struct sr_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A new value of that kind, or NULL with err. */
struct sr_pickle_value *sr_pickle_make(struct sr_pickle *p, enum sr_pickle_kind kind, struct sr_error *err);
/* The one value of that kind and number, made when it is first asked for: what one byte of pickle makes and
 * nothing changes (None, True, a mark, the empty tuple). */
struct sr_pickle_value *sr_pickle_plain(struct sr_pickle *p, enum sr_pickle_kind kind, bool number,
                                        struct sr_error *err);
/* The next value that was made, in any order; NULL behind the last. Begin with a cursor of zeros. */
struct sr_pickle_cursor {
    struct pool *block;
    size_t i;
    bool begun;
};
struct sr_pickle_value *sr_pickle_next(const struct sr_pickle *p, struct sr_pickle_cursor *at);
/* What only the reading needs. */
void sr_pickle_forget(struct sr_pickle *p);

/* Adds to a tuple, list or dict; makes room for as many items as it will have. */
int sr_pickle_list_add(struct sr_pickle *p, struct sr_pickle_value *list, struct sr_pickle_value *item,
                       struct sr_error *err);
int sr_pickle_list_room(struct sr_pickle *p, struct sr_pickle_value *list, size_t room, struct sr_error *err);

/* The next n bytes, or NULL with err. */
const unsigned char *sr_pickle_take(struct sr_pickle *p, size_t n, struct sr_error *err);
/* A little-endian number of n <= 8 bytes; the rest of the line, without its newline. */
int sr_pickle_take_number(struct sr_pickle *p, size_t n, uint64_t *out, struct sr_error *err);
int sr_pickle_take_line(struct sr_pickle *p, const char **line, size_t *length, struct sr_error *err);

int sr_pickle_push(struct sr_pickle *p, struct sr_pickle_value *v, struct sr_error *err);
int sr_pickle_push_new(struct sr_pickle *p, enum sr_pickle_kind kind, struct sr_error *err);
int sr_pickle_push_integer(struct sr_pickle *p, int64_t value, struct sr_error *err);
int sr_pickle_push_plain(struct sr_pickle *p, enum sr_pickle_kind kind, bool number, struct sr_error *err);

/* Fails unless the top n values are there and none is a mark. */
int sr_pickle_need(const struct sr_pickle *p, size_t n, struct sr_error *err);
/* How many values lie above the topmost mark. */
int sr_pickle_above_mark(const struct sr_pickle *p, size_t *n, struct sr_error *err);

/* Remembers the top value under a number; pushes the value of that number. */
int sr_pickle_memo_put(struct sr_pickle *p, uint64_t index, struct sr_error *err);
int sr_pickle_memo_get(struct sr_pickle *p, uint64_t index, struct sr_error *err);

#endif
