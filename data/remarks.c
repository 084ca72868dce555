/* remarks.c: texts in blocks: two allocations of their own would take more than most of them; see
 * remarks.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "data/remarks.h"
#include "nn/base/sizes.h"

#define BLOCK (4 * (size_t)SR_REMARK_MOST)

struct sr_remark_block {
    struct sr_remark_block *next;
    size_t used;
    char text[BLOCK];
};

static size_t cost(const char *key, const char *value) {
    return (size_t)sr_size_sum(sr_size_sum(strlen(key), strlen(value)), 2 + sizeof(struct sr_pair));
}

bool sr_remarks_fit(const struct sr_remarks *p, const char *key, const char *value) {
    return sr_size_within(p->bytes, cost(key, value), p->most);
}

static int make_room(struct sr_remarks *p, struct sr_error *err) {
    const size_t more = p->room ? 2 * p->room : 32, size = sizeof *p->pair;
    if (p->n < p->room)
        return SR_OK;
    struct sr_pair *larger = sr_realloc(p->pair, p->room * size, more * size, err);
    if (!larger)
        return SR_NOMEM;
    p->pair = larger;
    p->room = more;
    return SR_OK;
}

static int make_block(struct sr_remarks *p, size_t bytes, struct sr_error *err) {
    if (p->blocks && bytes <= BLOCK - p->blocks->used)
        return SR_OK;
    struct sr_remark_block *block = sr_alloc(1, sizeof *block, err);
    if (!block)
        return SR_NOMEM;
    block->next = p->blocks;
    p->blocks = block;
    return SR_OK;
}

static const char *put(struct sr_remark_block *b, const char *text) {
    const size_t size = strlen(text) + 1;
    char *to = &b->text[b->used];
    memcpy(to, text, size);
    b->used += size;
    return to;
}

int sr_remarks_add(struct sr_remarks *p, const char *key, const char *value, struct sr_error *err) {
    int status = make_room(p, err);
    if (status == SR_OK)
        status = make_block(p, strlen(key) + strlen(value) + 2, err);
    if (status < 0)
        return status;
    p->bytes = (size_t)sr_size_sum(p->bytes, cost(key, value));
    const char *name = put(p->blocks, key);
    p->pair[p->n++] = (struct sr_pair){name, put(p->blocks, value)};
    return SR_OK;
}

void sr_remarks_free(struct sr_remarks *p) {
    while (p->blocks) {
        struct sr_remark_block *next = p->blocks->next;
        sr_free(p->blocks);
        p->blocks = next;
    }
    sr_free(p->pair);
    *p = (struct sr_remarks){0};
}
