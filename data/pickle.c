/* pickle.c: the stack machine of Python's pickle, without anything it could do harm with; see pickle.h.
 *
 * Instructions are those that PyTorch 1.6 and later write for dicts, lists, numbers, text and tensors and
 * that torch.load(weights_only=True) reads: protocol 2's. Each of the others is refused by its name, and so
 * are all names outside pickle_call.c. The stack, the memo and their limits are in pickle_machine.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "data/pickle.h"
#include "data/pickle_call.h"
#include "data/pickle_keys.h"
#include "data/pickle_machine.h"
#include "nn/base/sizes.h"
#include "nn/base/utf8.h"

/* X(byte, name) of the instructions that are run. */
#define RUN_LIST(X)                                                                                          \
    X(0x80, PROTO)                                                                                           \
    X('(', MARK)                                                                                             \
    X('.', STOP)                                                                                             \
    X('}', EMPTY_DICT)                                                                                       \
    X(']', EMPTY_LIST)                                                                                       \
    X(')', EMPTY_TUPLE)                                                                                      \
    X('t', TUPLE)                                                                                            \
    X(0x85, TUPLE1)                                                                                          \
    X(0x86, TUPLE2)                                                                                          \
    X(0x87, TUPLE3)                                                                                          \
    X('q', BINPUT)                                                                                           \
    X('r', LONG_BINPUT)                                                                                      \
    X('h', BINGET)                                                                                           \
    X('j', LONG_BINGET)                                                                                      \
    X('X', BINUNICODE)                                                                                       \
    X('J', BININT)                                                                                           \
    X('K', BININT1)                                                                                          \
    X('M', BININT2)                                                                                          \
    X(0x8a, LONG1)                                                                                           \
    X('G', BINFLOAT)                                                                                         \
    X(0x88, NEWTRUE)                                                                                         \
    X(0x89, NEWFALSE)                                                                                        \
    X('N', NONE)                                                                                             \
    X('c', GLOBAL)                                                                                           \
    X('R', REDUCE)                                                                                           \
    X('Q', BINPERSID)                                                                                        \
    X('s', SETITEM)                                                                                          \
    X('u', SETITEMS)                                                                                         \
    X('a', APPEND)                                                                                           \
    X('e', APPENDS)                                                                                          \
    X('b', BUILD)

enum instruction {
#define X(byte, name) name = byte,
    RUN_LIST(X)
#undef X
};

/* The others, for messages. */
static const struct {
    unsigned char byte;
    const char *name;
} refused[] = {{'0', "POP"},
               {'1', "POP_MARK"},
               {'2', "DUP"},
               {'F', "FLOAT"},
               {'I', "INT"},
               {'L', "LONG"},
               {'P', "PERSID"},
               {'S', "STRING"},
               {'T', "BINSTRING"},
               {'U', "SHORT_BINSTRING"},
               {'V', "UNICODE"},
               {'B', "BINBYTES"},
               {'C', "SHORT_BINBYTES"},
               {'d', "DICT"},
               {'l', "LIST"},
               {'g', "GET"},
               {'p', "PUT"},
               {'o', "OBJ"},
               {0x81, "NEWOBJ"},
               {0x82, "EXT1"},
               {0x83, "EXT2"},
               {0x84, "EXT4"},
               {0x8b, "LONG4"},
               {0x8e, "BINBYTES8"},
               {0x8f, "EMPTY_SET"},
               {0x90, "ADDITEMS"},
               {0x91, "FROZENSET"},
               {0x92, "NEWOBJ_EX"},
               {0x96, "BYTEARRAY8"},
               {0x97, "NEXT_BUFFER"},
               {0x98, "READONLY_BUFFER"}};

/* Those that torch.save writes if told to, but torch.load(weights_only=True) does not read. */
static const struct {
    unsigned char byte;
    const char *name;
} newer[] = {{0x8c, "SHORT_BINUNICODE"},
             {0x8d, "BINUNICODE8"},
             {0x93, "STACK_GLOBAL"},
             {0x94, "MEMOIZE"},
             {0x95, "FRAME"}};

/* ---- instructions ---- */

/* Python's rule: what can change is no key of a dict. Tensors are keys there by their place in memory. */
static bool may_be_key(const struct sr_pickle_value *v) {
    return v->kind <= SR_PICKLE_TEXT || (v->kind == SR_PICKLE_TUPLE && v->fixed);
}

static int run_tuple(struct sr_pickle *p, size_t n, size_t marks, struct sr_error *err) {
    struct sr_pickle_value *tuple = sr_pickle_make(p, SR_PICKLE_TUPLE, err);
    if (!tuple)
        return err->status;
    int status = sr_pickle_need(p, n, err);
    if (status == SR_OK)
        status = sr_pickle_list_room(p, tuple, n, err);
    for (size_t i = 0; status == SR_OK && i < n; i++)
        status = sr_pickle_list_add(p, tuple, p->stack[p->depth - n + i], err);
    if (status < 0)
        return status;
    tuple->fixed = true;
    for (size_t i = 0; i < n; i++)
        tuple->fixed = tuple->fixed && may_be_key(p->stack[p->depth - n + i]);
    p->depth -= n + marks;
    return sr_pickle_push(p, tuple, err);
}

/* The top n values into the list or dict below them (and below the mark, if there is one). */
static int run_add(struct sr_pickle *p, enum sr_pickle_kind kind, size_t n, size_t marks,
                   struct sr_error *err) {
    int status = sr_pickle_need(p, n, err);
    if (status < 0)
        return status;
    if (p->depth < n + marks + 1 || p->stack[p->depth - n - marks - 1]->kind != kind ||
        (kind == SR_PICKLE_DICT && n % 2 != 0))
        return sr_pickle_fail(p, err, "adds to something that is no %s",
                              kind == SR_PICKLE_DICT ? "dict" : "list");
    struct sr_pickle_value *to = p->stack[p->depth - n - marks - 1];
    for (size_t i = 0; kind == SR_PICKLE_DICT && i < n; i += 2)
        if (!may_be_key(p->stack[p->depth - n + i]))
            return sr_pickle_fail(p, err, "has a dict with a key that is no text, number or tuple of these");
    if (n > 1 && n > to->as.list.room - to->as.list.n) /* what would be outgrown is not made */
        status = sr_pickle_list_room(p, to, to->as.list.n + (n > to->as.list.n ? n : to->as.list.n), err);
    for (size_t i = 0; status == SR_OK && i < n; i++)
        status = sr_pickle_list_add(p, to, p->stack[p->depth - n + i], err);
    p->depth -= n + marks;
    return status;
}

/* A state dict carries versions of its layers (_metadata) as a state: looked at by nobody. */
static int run_build(struct sr_pickle *p, struct sr_error *err) {
    const int status = sr_pickle_need(p, 2, err);
    if (status < 0)
        return status;
    const struct sr_pickle_value *object = p->stack[p->depth - 2], *state = p->stack[p->depth - 1];
    if (object->kind != SR_PICKLE_DICT || !object->ordered || state->kind != SR_PICKLE_DICT)
        return sr_pickle_fail(p, err,
                              "sets the state of an object (BUILD), which is no part of a tensor; not read");
    p->depth--;
    return SR_OK;
}

/* Whether the bytes are UTF-8, of which none behind them is looked at. */
static bool is_utf8(const unsigned char *at, size_t length) {
    char last[5];
    for (size_t n; length > 0; at += n, length -= n) {
        const char *from = (const char *)at;
        if (length < sizeof last) {
            memset(last, 0, sizeof last);
            from = memcpy(last, at, length);
        }
        if ((n = sr_utf8_length(from)) == 0)
            return false;
    }
    return true;
}

static int run_text(struct sr_pickle *p, struct sr_error *err) {
    uint64_t length;
    int status = sr_pickle_take_number(p, 4, &length, err);
    const unsigned char *at = status == SR_OK ? sr_pickle_take(p, (size_t)length, err) : NULL;
    if (!at)
        return SR_DATA;
    if (!is_utf8(at, (size_t)length))
        return sr_pickle_fail(p, err, "has a text that is not UTF-8");
    status = sr_pickle_push_new(p, SR_PICKLE_TEXT, err);
    if (status < 0)
        return status;
    p->stack[p->depth - 1]->as.text.at = (const char *)at;
    p->stack[p->depth - 1]->as.text.length = (size_t)length;
    return SR_OK;
}

/* A two's complement number of any length; one past 64 bits becomes nothing. */
static int run_long(struct sr_pickle *p, struct sr_error *err) {
    uint64_t length, value = 0;
    const int status = sr_pickle_take_number(p, 1, &length, err);
    const unsigned char *b = status == SR_OK ? sr_pickle_take(p, (size_t)length, err) : NULL;
    if (!b)
        return SR_DATA;
    if (length > 8)
        return sr_pickle_push_plain(p, SR_PICKLE_NOTHING, false, err);
    for (size_t i = 0; i < 8; i++)
        value |= (uint64_t)(i < length ? b[i] : length > 0 && b[length - 1] & 0x80 ? 0xff : 0) << 8 * i;
    return sr_pickle_push_integer(p, (int64_t)value, err);
}

static int run_float(struct sr_pickle *p, struct sr_error *err) {
    const unsigned char *b = sr_pickle_take(p, 8, err);
    uint64_t bits = 0;
    double value;
    if (!b)
        return SR_DATA;
    for (size_t i = 0; i < 8; i++)
        bits = bits << 8 | b[i]; /* big-endian, the only one in a pickle */
    memcpy(&value, &bits, sizeof value);
    const int status = sr_pickle_push_new(p, SR_PICKLE_REAL, err);
    if (status == SR_OK)
        p->stack[p->depth - 1]->as.real = value;
    return status;
}

static int push_global(struct sr_pickle *p, const char *module, size_t module_length, const char *name,
                       size_t name_length, struct sr_error *err) {
    const struct sr_pickle_global *global;
    int status = sr_pickle_global(&global, p, module, module_length, name, name_length, err);
    if (status == SR_OK && sr_pickle_global_is_value(global))
        return sr_pickle_push_plain(p, SR_PICKLE_NOTHING, false, err);
    if (status == SR_OK)
        status = sr_pickle_push_new(p, SR_PICKLE_GLOBAL, err);
    if (status == SR_OK)
        p->stack[p->depth - 1]->as.global = global;
    return status;
}

static int run_global(struct sr_pickle *p, struct sr_error *err) {
    const char *module = NULL, *name = NULL;
    size_t module_length = 0, name_length = 0;
    int status = sr_pickle_take_line(p, &module, &module_length, err);
    if (status == SR_OK)
        status = sr_pickle_take_line(p, &name, &name_length, err);
    return status == SR_OK ? push_global(p, module, module_length, name, name_length, err) : status;
}

static int run_reduce(struct sr_pickle *p, struct sr_error *err) {
    struct sr_pickle_value *made = NULL;
    int status = sr_pickle_need(p, 2, err);
    if (status == SR_OK && p->stack[p->depth - 1]->kind != SR_PICKLE_TUPLE)
        status = sr_pickle_fail(p, err, "calls something with arguments that are no tuple");
    if (status == SR_OK)
        status = sr_pickle_call(&made, p, p->stack[p->depth - 2], p->stack[p->depth - 1], err);
    if (status < 0)
        return status;
    p->depth -= 2;
    return sr_pickle_push(p, made, err);
}

static int run_persistent(struct sr_pickle *p, struct sr_error *err) {
    struct sr_pickle_value *made = NULL;
    int status = sr_pickle_need(p, 1, err);
    if (status == SR_OK)
        status = sr_pickle_storage(&made, p, p->stack[p->depth - 1], err);
    if (status < 0)
        return status;
    p->depth--;
    return sr_pickle_push(p, made, err);
}

static int run_marked(struct sr_pickle *p, enum instruction op, struct sr_error *err) {
    size_t n;
    const int status = sr_pickle_above_mark(p, &n, err);
    if (status < 0)
        return status;
    return op == TUPLE ? run_tuple(p, n, 1, err)
                       : run_add(p, op == SETITEMS ? SR_PICKLE_DICT : SR_PICKLE_LIST, n, 1, err);
}

/* The one value that is left is the pickle's. */
static int run_stop(struct sr_pickle *p, struct sr_error *err) {
    if (p->depth != 1 || p->stack[0]->kind == SR_PICKLE_MARK || p->at != p->size)
        return sr_pickle_fail(p, err, "ends with something left over");
    p->root = p->stack[0];
    return SR_OK;
}

/* Instructions whose operand is a number. */
static int run_number(struct sr_pickle *p, enum instruction op, size_t bytes, struct sr_error *err) {
    uint64_t value;
    const int status = sr_pickle_take_number(p, bytes, &value, err);
    if (status < 0)
        return status;
    switch (op) {
    case PROTO:
        return p->at == 2 && value >= 2 && value <= 5
                   ? SR_OK
                   : sr_pickle_fail(p, err, "is of a protocol other than 2 to 5");
    case BINPUT:
    case LONG_BINPUT:
        return sr_pickle_memo_put(p, value, err);
    case BINGET:
    case LONG_BINGET:
        return sr_pickle_memo_get(p, value, err);
    case BININT:
        return sr_pickle_push_integer(p, (int32_t)(uint32_t)value, err);
    default:
        return sr_pickle_push_integer(p, (int64_t)value, err);
    }
}

/* INST has the name of what it makes behind it. */
static int refuse_inst(struct sr_pickle *p, struct sr_error *err) {
    const char *module = NULL, *name = NULL;
    size_t module_length = 0, name_length = 0;
    char text[SR_PICKLE_NAME], clean[SR_PICKLE_NAME];
    int status = sr_pickle_take_line(p, &module, &module_length, err);
    if (status == SR_OK)
        status = sr_pickle_take_line(p, &name, &name_length, err);
    if (status != SR_OK)
        return status;
    sr_pickle_name(text, module, module_length, name, name_length);
    return sr_pickle_fail(
        p, err,
        "asks for %s (INST), a class or function that is no part of a tensor; nothing of it "
        "is run",
        sr_utf8_clean(clean, sizeof clean, text));
}

static int refuse(struct sr_pickle *p, unsigned char op, struct sr_error *err) {
    if (op == 'i')
        return refuse_inst(p, err);
    for (size_t i = 0; i < SR_COUNT(refused); i++)
        if (refused[i].byte == op)
            return sr_pickle_fail(p, err,
                                  "uses the instruction %s, which tensors do not need; nothing of it is run",
                                  refused[i].name);
    for (size_t i = 0; i < SR_COUNT(newer); i++)
        if (newer[i].byte == op)
            return sr_pickle_fail(
                p, err,
                "uses the instruction %s, which torch.load(weights_only=True) does not read "
                "either; torch.save it without pickle_protocol=%d",
                newer[i].name, p->bytes[1]);
    return sr_pickle_fail(p, err, "has the byte 0x%02x, which is no instruction", op);
}

static int run(struct sr_pickle *p, enum instruction op, struct sr_error *err) {
    switch (op) {
    case PROTO:
    case BINPUT:
    case BINGET:
    case BININT1:
        return run_number(p, op, 1, err);
    case BININT2:
        return run_number(p, op, 2, err);
    case LONG_BINPUT:
    case LONG_BINGET:
    case BININT:
        return run_number(p, op, 4, err);
    case MARK:
        return sr_pickle_push_plain(p, SR_PICKLE_MARK, false, err);
    case EMPTY_DICT:
        return sr_pickle_push_new(p, SR_PICKLE_DICT, err);
    case EMPTY_LIST:
        return sr_pickle_push_new(p, SR_PICKLE_LIST, err);
    case EMPTY_TUPLE:
        return sr_pickle_push_plain(p, SR_PICKLE_TUPLE, false, err);
    case NONE:
        return sr_pickle_push_plain(p, SR_PICKLE_NOTHING, false, err);
    case NEWTRUE:
    case NEWFALSE:
        return sr_pickle_push_plain(p, SR_PICKLE_BOOL, op == NEWTRUE, err);
    case TUPLE1:
    case TUPLE2:
    case TUPLE3:
        return run_tuple(p, (size_t)op - TUPLE1 + 1, 0, err);
    case TUPLE:
    case SETITEMS:
    case APPENDS:
        return run_marked(p, op, err);
    case SETITEM:
        return run_add(p, SR_PICKLE_DICT, 2, 0, err);
    case APPEND:
        return run_add(p, SR_PICKLE_LIST, 1, 0, err);
    case BINUNICODE:
        return run_text(p, err);
    case LONG1:
        return run_long(p, err);
    case BINFLOAT:
        return run_float(p, err);
    case GLOBAL:
        return run_global(p, err);
    case REDUCE:
        return run_reduce(p, err);
    case BINPERSID:
        return run_persistent(p, err);
    case BUILD:
        return run_build(p, err);
    case STOP:
        return run_stop(p, err);
    }
    return refuse(p, (unsigned char)op, err);
}

static int run_all(struct sr_pickle *p, struct sr_error *err) {
    int status = SR_OK;
    if (p->size > SR_PICKLE_LARGEST)
        return sr_pickle_fail(p, err, "is of %zu bytes; %zu are the limit", p->size, SR_PICKLE_LARGEST);
    if (p->size < 2 || p->bytes[0] != PROTO)
        return sr_pickle_fail(p, err, "does not begin with a protocol");
    while (status == SR_OK && !p->root) {
        p->op_at = p->at;
        const unsigned char *op = sr_pickle_take(p, 1, err);
        status = op ? run(p, (enum instruction)op[0], err) : SR_DATA;
    }
    return status;
}

int sr_pickle_read(struct sr_pickle **out, const void *bytes, size_t size, const char *path,
                   struct sr_error *err) {
    struct sr_error local;
    /* cppcheck-suppress uninitvar ; written to */
    err = err ? err : &local;
    *out = NULL;
    struct sr_pickle *p = sr_alloc(1, sizeof *p, err);
    if (!p)
        return SR_NOMEM;
    *p = (struct sr_pickle){.path = path, .bytes = bytes, .size = size};
    int status = run_all(p, err);
    sr_pickle_forget(p);
    if (status == SR_OK)
        status = sr_pickle_keys_check(p, err);
    if (status == SR_OK)
        *out = p;
    else
        sr_pickle_free(p);
    return status;
}

const struct sr_pickle_value *sr_pickle_root(const struct sr_pickle *p) {
    return p->root;
}
