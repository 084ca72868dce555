/* near_same.c: exact duplicates, by hash. See near_parts.h.
 *
 * Rows whose float16 values are the same are the same where one of them is stored as float16: a repacked copy
 * is a copy. Two rows that are both stored with more must be the same in all bits: where features lie far
 * from zero, or near it, float16 rounds rows together that have nothing to do with each other.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "data/near_parts.h"

#define LANES ((size_t)4)         /* sums that do not wait for each other */
#define MIX   0x9E3779B97F4A7C15u /* odd: any will do */

uint64_t sr_near_value_hash(const float *x, size_t width) {
    uint64_t lane[LANES] = {1, 2, 3, 4}, hash = 0;
    for (size_t k = 0; k < width; k++) {
        const float value = x[k] + 0.0f; /* -0 and 0 are one */
        uint64_t *h = &lane[k % LANES];
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        *h = (*h ^ bits) * MIX;
        *h ^= *h >> 29;
    }
    for (size_t l = 0; l < LANES; l++) {
        hash = (hash ^ lane[l]) * MIX;
        hash ^= hash >> 32;
    }
    return hash;
}

struct hashed {
    uint64_t hash, value;
    uint32_t row;
};

static int compare(const void *pa, const void *pb) {
    const struct hashed *a = pa, *b = pb;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

/* Rows of one value are joined, or all of them. */
static void join(uint32_t *same, const struct hashed *h, size_t n, bool all) {
    for (size_t begin = 0, end; begin < n; begin = end) {
        uint32_t least = h[begin].row;
        for (end = begin; end < n && (all || h[end].value == h[begin].value); end++)
            least = h[end].row < least ? h[end].row : least;
        for (size_t i = begin; i < end; i++)
            same[h[i].row] = least;
    }
}

static bool has_half(const struct sr_near *near, const struct hashed *h, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (near->sets[sr_near_set(near, h[i].row)]->in->type == SR_FEATURE_HALF)
            return true;
    return false;
}

int sr_near_same_find(struct sr_near *near, struct sr_error *err) {
    struct hashed *h = sr_alloc(near->rows, sizeof *h, err);
    size_t n = 0;
    if (!h)
        return SR_NOMEM;
    for (size_t i = 0; i < near->rows; i++) {
        near->same[i] = (uint32_t)i;
        if (near->good[i])
            h[n++] = (struct hashed){near->hash[i], near->value ? near->value[i] : 0, (uint32_t)i};
    }
    qsort(h, n, sizeof *h, compare);
    for (size_t begin = 0, end; begin < n; begin = end) {
        for (end = begin + 1; end < n && h[end].hash == h[begin].hash;)
            end++;
        join(near->same, h + begin, end - begin, has_half(near, h + begin, end - begin));
    }
    sr_free(h);
    return 0;
}
