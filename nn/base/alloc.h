/* alloc.h: memory. Plan, allocate once, carve.
 *
 * Blocks are zeroed, aligned to 64 bytes (a cache line, a 512-bit vector) and counted, so that a test can
 * show that a training step or a prediction allocates nothing. Sizes are multiplied with an overflow check.
 * All functions may be called by any thread.
 *
 * An arena cuts one block into pieces. Run the same carving code twice: first over an arena without memory,
 * which only adds up sizes, then over the block of that size:
 *
 *     struct sr_arena arena = {0};
 *     carve(&arena, thing);                                 // counts: thing's pointers are NULL now
 *     if (sr_arena_allocate(&arena, &err) < 0) ...
 *     carve(&arena, thing);                                 // hands out
 *     sr_free(arena.base);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_ALLOC_H
#define SR_ALLOC_H

#include <stddef.h>
#include <stdint.h>

#include "nn/base/error.h"

/* count*size zeroed bytes, aligned to 64; free with sr_free. NULL with SR_NOMEM in err if there is not as
 * much (or the product overflows). A request of 0 bytes gives a valid pointer. */
void *sr_alloc(size_t count, size_t size, struct sr_error *err);

/* A block of new_bytes holding the first old_bytes of p (NULL: empty), the rest zeroed. p is freed on success
 * and kept on failure. */
void *sr_realloc(void *p, size_t old_bytes, size_t new_bytes, struct sr_error *err);

/* A copy of a string; NULL with SR_NOMEM in err. */
char *sr_strdup(const char *text, struct sr_error *err);

void sr_free(void *p); /* NULL is fine */

/* Blocks handed out since the program began. */
uint64_t sr_alloc_count(void);

struct sr_arena {
    unsigned char *base; /* NULL while counting */
    size_t size;         /* bytes of the block */
    size_t used;         /* bytes handed out or counted so far */
};

/* count*size bytes of the arena, aligned to 64; NULL while counting. Counting saturates on overflow, so that
 * sr_arena_allocate fails instead of making a block too small. */
void *sr_arena_take(struct sr_arena *arena, size_t count, size_t size);

/* Allocates what was counted and rewinds. The caller frees arena->base. */
int sr_arena_allocate(struct sr_arena *arena, struct sr_error *err);

/* The same for what is read from front to back again and again: a block of 2 MiB or more begins on a multiple
 * of that, and the kernel is asked to map it in pages of that size. Where it does not, nothing else changes.
 */
int sr_arena_allocate_huge(struct sr_arena *arena, struct sr_error *err);

#endif
