/* pickle.h: the part of Python's pickle that torch.save needs for tensors, as a tree of values.
 *
 * A pickle is a program for a small stack machine, and one instruction of that machine calls any function of
 * Python by its name: who unpickles a file runs it. This reader has no functions to call. It knows the names
 * of a dozen things that are in every file of tensors, makes values of them, and refuses all others by name,
 * as it refuses every instruction that tensors do not need.
 *
 *     struct sr_pickle *p;
 *     sr_pickle_read(&p, bytes, size, "model.pt", err);
 *     walk(sr_pickle_root(p));
 *     sr_pickle_free(p);
 *
 * Values may be shared, and a list can hold itself: whoever walks limits depth and steps. A dict that has a
 * key twice is refused: in Python the later one replaces the earlier, so that a tensor would be in the pickle
 * and not in the dict.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_PICKLE_H
#define SR_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nn/base/base.h"

enum sr_pickle_kind {
    SR_PICKLE_NOTHING, /* None, and what carries nothing we need: a device, a dtype, an integer past 64 bits
                        */
    SR_PICKLE_BOOL,
    SR_PICKLE_INTEGER,
    SR_PICKLE_REAL,
    SR_PICKLE_TEXT,
    SR_PICKLE_TUPLE,
    SR_PICKLE_LIST,
    SR_PICKLE_DICT,
    SR_PICKLE_STORAGE, /* the numbers behind tensors, which are in a record of their own */
    SR_PICKLE_TENSOR,
    SR_PICKLE_GLOBAL, /* a name that only calls use */
    SR_PICKLE_MARK    /* only while reading */
};

struct sr_pickle_value;
struct sr_pickle_global;

/* A tensor: contiguous, row-major, inside its storage. */
struct sr_pickle_tensor {
    const struct sr_pickle_value *storage;
    uint64_t offset; /* items of the storage before the first */
    int rank;
    uint64_t shape[SR_TENSOR_RANK];
};

struct sr_pickle_value {
    enum sr_pickle_kind kind;
    bool ordered; /* a dict that is an OrderedDict */
    bool fixed;   /* a tuple of scalars and of such tuples, so that it may be a key */
    union {
        struct {
            union {
                int64_t integer; /* of a bool too */
                double real;
                struct {
                    const char *at; /* into the pickle's bytes; no NUL behind it */
                    size_t length;
                } text;
            };
            uint32_t rank; /* of a key of a dict, from 1: equal keys, and only these, have the same */
        };
        struct {
            struct sr_pickle_value **item; /* [n]; of a dict key, value, key, value, ... */
            size_t n, room;
        } list;
        struct {
            enum sr_dtype dtype;
            const struct sr_pickle_value *key; /* text: the record is data/KEY */
            uint64_t items;
        } storage;
        struct sr_pickle_tensor *tensor;
        const struct sr_pickle_global *global;
    } as;
};

#define SR_PICKLE_LARGEST ((size_t)64 << 20) /* bytes of a pickle; tensors' numbers are not in it */

struct sr_pickle;

/* The bytes must outlive the tree. SR_DATA: not a pickle, cut off, or one that asks for something that is no
 * part of a tensor, which the message names; path is for messages. */
int sr_pickle_read(struct sr_pickle **out, const void *bytes, size_t size, const char *path,
                   struct sr_error *err);
void sr_pickle_free(struct sr_pickle *p); /* NULL is fine */
const struct sr_pickle_value *sr_pickle_root(const struct sr_pickle *p);

/* Whether it is this text. */
bool sr_pickle_is(const struct sr_pickle_value *text, const char *word);

#endif
