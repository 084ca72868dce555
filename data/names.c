/* names.c: interned strings in an open-addressing hash table, at most half full. See names.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/names.h"

#include <string.h>

uint64_t sr_names_hash(const char *text) {
    uint64_t h = 0xcbf29ce484222325u;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3u;
    return h;
}

/* The slot that holds text, or the free one where it belongs. */
static size_t find_slot(const struct sr_names *n, const char *text) {
    size_t s = sr_names_hash(text) & (n->slots - 1);
    while (n->slot[s] >= 0 && strcmp(n->name[n->slot[s]], text) != 0)
        s = (s + 1) & (n->slots - 1);
    return s;
}

static int grow(struct sr_names *n, struct sr_error *err) {
    size_t capacity = n->capacity ? 2 * n->capacity : 64;
    char **name = sr_realloc(n->name, n->capacity * sizeof *name, capacity * sizeof *name, err);
    if (!name)
        return SR_NOMEM;
    n->name = name;
    int32_t *slot = sr_alloc(2 * capacity, sizeof *slot, err);
    if (!slot)
        return SR_NOMEM;
    sr_free(n->slot);
    n->slot = slot;
    n->slots = 2 * capacity;
    n->capacity = capacity;
    memset(slot, -1, n->slots * sizeof *slot);
    for (size_t i = 0; i < n->count; i++)
        slot[find_slot(n, n->name[i])] = (int32_t)i;
    return 0;
}

int sr_names_add(struct sr_names *n, const char *text, int32_t *number, struct sr_error *err) {
    if (n->count == n->capacity && grow(n, err) < 0)
        return SR_NOMEM;
    size_t s = find_slot(n, text);
    if (n->slot[s] < 0) {
        char *copy = sr_strdup(text, err);
        if (!copy)
            return SR_NOMEM;
        n->name[n->count] = copy;
        n->slot[s] = (int32_t)n->count++;
    }
    *number = n->slot[s];
    return 0;
}

int32_t sr_names_find(const struct sr_names *n, const char *text) {
    return n->slots ? n->slot[find_slot(n, text)] : -1;
}

void sr_names_free(struct sr_names *n) {
    for (size_t i = 0; i < n->count; i++)
        sr_free(n->name[i]);
    sr_free(n->name);
    sr_free(n->slot);
    *n = (struct sr_names){0};
}
