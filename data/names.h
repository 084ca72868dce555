/* names.h: a set of strings, each with a number in order of first appearance.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_NAMES_H
#define SR_NAMES_H

#include <stdint.h>

#include "nn/base/base.h"

struct sr_names {
    char **name; /* [count] */
    size_t count;
    int32_t *slot;   /* open addressing: number of the name there, or -1 */
    size_t slots;    /* a power of two */
    size_t capacity; /* items name has room for */
};

/* *number becomes that of text, a new one if it was not in the set. Begin with {0}. */
int sr_names_add(struct sr_names *names, const char *text, int32_t *number, struct sr_error *err);

/* The number of text, or -1 if it is not in the set. */
int32_t sr_names_find(const struct sr_names *names, const char *text);

void sr_names_free(struct sr_names *names);

/* 64-bit FNV-1a (Fowler, Noll, Vo). */
uint64_t sr_names_hash(const char *text);

#endif
