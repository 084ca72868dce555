/* alloc.c: zeroed, aligned, counted memory; see alloc.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "nn/base/alloc.h"

#define ALIGNMENT 64
#define HUGE_PAGE ((size_t)1 << 21)

static atomic_uint_least64_t blocks;

/* Rounded up to whole cache lines; SIZE_MAX if that overflows. */
static size_t bytes_of(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || __builtin_add_overflow(bytes, ALIGNMENT - 1, &bytes))
        return SIZE_MAX;
    bytes = bytes / ALIGNMENT * ALIGNMENT;
    return bytes ? bytes : ALIGNMENT;
}

static void *allocate(size_t count, size_t size, bool huge, struct sr_error *err) {
    const size_t bytes = bytes_of(count, size);
    huge = huge && bytes >= HUGE_PAGE;
    void *p = NULL; /* not aligned_alloc, which wants whole pages */
    if (bytes == SIZE_MAX || posix_memalign(&p, huge ? HUGE_PAGE : ALIGNMENT, bytes) != 0) {
        sr_fail(err, SR_NOMEM, "out of memory: %zu x %zu bytes are not to be had", count, size);
        return NULL;
    }
    atomic_fetch_add(&blocks, 1);
#ifdef MADV_HUGEPAGE
    if (huge) /* before the pages are touched; whole ones only, the rest of the last may be another's */
        (void)madvise(p, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
    memset(p, 0, bytes);
    return p;
}

void *sr_alloc(size_t count, size_t size, struct sr_error *err) {
    return allocate(count, size, false, err);
}

void *sr_realloc(void *p, size_t old_bytes, size_t new_bytes, struct sr_error *err) {
    void *grown = sr_alloc(new_bytes, 1, err);
    if (!grown)
        return NULL;
    if (p)
        memcpy(grown, p, old_bytes < new_bytes ? old_bytes : new_bytes);
    sr_free(p);
    return grown;
}

char *sr_strdup(const char *text, struct sr_error *err) {
    const size_t size = strlen(text) + 1;
    char *copy = sr_alloc(size, 1, err);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

void sr_free(void *p) {
    free(p);
}

uint64_t sr_alloc_count(void) {
    return atomic_load(&blocks);
}

void *sr_arena_take(struct sr_arena *arena, size_t count, size_t size) {
    const size_t bytes = bytes_of(count, size), at = arena->used;
    if (__builtin_add_overflow(at, bytes, &arena->used))
        arena->used = SIZE_MAX;
    return arena->base ? arena->base + at : NULL;
}

static int arena_allocate(struct sr_arena *arena, bool huge, struct sr_error *err) {
    arena->base = allocate(arena->used, 1, huge, err);
    if (!arena->base)
        return SR_NOMEM;
    arena->size = arena->used;
    arena->used = 0;
    return SR_OK;
}

int sr_arena_allocate(struct sr_arena *arena, struct sr_error *err) {
    return arena_allocate(arena, false, err);
}

int sr_arena_allocate_huge(struct sr_arena *arena, struct sr_error *err) {
    return arena_allocate(arena, true, err);
}
