/* test_base_alloc.c: blocks, arenas, the counter, errors.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "nn/base/base.h"

/* Under AddressSanitizer a block too large to exist is to be refused, as without it. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}

static bool all_zero(const unsigned char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

Test(alloc, blocks_are_zeroed_aligned_and_counted) {
    const uint64_t before = sr_alloc_count();
    for (size_t n = 0; n < 300; n += 7) {
        unsigned char *p = sr_alloc(n, 3, NULL);
        cr_assert_not_null(p);
        cr_expect_eq((uintptr_t)p % 64, 0);
        cr_expect(all_zero(p, 3 * n));
        memset(p, 0xff, 3 * n); /* so that the next block, likely the same bytes, must be cleared */
        sr_free(p);
    }
    cr_expect_eq(sr_alloc_count() - before, 43);
    sr_free(NULL);
}

Test(alloc, what_is_too_much_fails_with_a_message) {
    static const size_t sizes[][2] = {
        {SIZE_MAX, 2}, {SIZE_MAX / 2, 3}, {SIZE_MAX, 1}, {SIZE_MAX - 62, 1}, {1ull << 62, 1}};
    for (size_t i = 0; i < SR_COUNT(sizes); i++) {
        struct sr_error err = {0};
        cr_expect_null(sr_alloc(sizes[i][0], sizes[i][1], &err), "case %zu", i);
        cr_expect_eq(err.status, SR_NOMEM);
        cr_expect(strstr(err.text, "memory"), "%s", err.text);
    }
}

Test(alloc, realloc_keeps_the_old_and_zeroes_the_new) {
    struct sr_error err = {0};
    char *p = sr_strdup("abc", &err);
    p = sr_realloc(p, 4, 100, &err);
    cr_assert_not_null(p);
    cr_expect_str_eq(p, "abc");
    cr_expect(all_zero((unsigned char *)p + 4, 96));
    cr_expect_null(sr_realloc(p, 100, SIZE_MAX, &err));
    cr_expect_str_eq(p, "abc"); /* kept on failure */
    p = sr_realloc(p, 100, 2, &err);
    cr_expect(memcmp(p, "ab", 2) == 0);
    sr_free(p);
    p = sr_realloc(NULL, 0, 8, &err);
    cr_expect(all_zero((unsigned char *)p, 8));
    sr_free(p);
}

struct pieces {
    char *a;
    double *b;
    int *none, *c;
};

static void carve(struct sr_arena *arena, struct pieces *p) {
    p->a = sr_arena_take(arena, 3, 1);
    p->b = sr_arena_take(arena, 17, sizeof *p->b);
    p->none = sr_arena_take(arena, 0, sizeof *p->none);
    p->c = sr_arena_take(arena, 1, sizeof *p->c);
}

Test(alloc, arena_counts_then_hands_out_pieces_that_do_not_touch) {
    struct sr_arena arena = {0};
    struct pieces p;
    carve(&arena, &p);
    cr_expect(!p.a && !p.b && !p.c);
    const size_t counted = arena.used;
    const uint64_t before = sr_alloc_count();
    cr_assert_eq(sr_arena_allocate(&arena, NULL), SR_OK);
    carve(&arena, &p);
    cr_expect_eq(sr_alloc_count() - before, 1);
    cr_expect_eq(arena.used, counted);
    cr_expect_eq(arena.size, counted);
    cr_expect((uintptr_t)p.a % 64 == 0 && (uintptr_t)p.b % 64 == 0 && (uintptr_t)p.c % 64 == 0);
    cr_expect(p.a + 3 <= (char *)p.b && (char *)(p.b + 17) <= (char *)p.c);
    cr_expect((unsigned char *)(p.c + 1) <= arena.base + arena.size);
    sr_free(arena.base);
}

/* Of a size that is no multiple of the page's, and of less than one. */
Test(alloc, huge_arena_begins_on_a_huge_page) {
    static const size_t sizes[] = {((size_t)3 << 20) + 64, 1000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct sr_arena arena = {0};
        sr_arena_take(&arena, sizes[i], 1);
        const size_t counted = arena.used;
        const uint64_t before = sr_alloc_count();
        cr_assert_eq(sr_arena_allocate_huge(&arena, NULL), SR_OK);
        cr_expect_eq(sr_alloc_count() - before, 1);
        cr_expect(arena.size == counted && arena.used == 0);
        cr_expect_eq((uintptr_t)arena.base % (i == 0 ? (size_t)1 << 21 : 64), 0);
        cr_expect(all_zero(arena.base, counted));
        sr_free(arena.base);
    }
}

Test(alloc, arena_that_overflows_cannot_be_allocated) {
    struct sr_error err = {0};
    struct sr_arena arena = {0};
    sr_arena_take(&arena, SIZE_MAX / 4, 8);
    sr_arena_take(&arena, 100, 1); /* must not wrap around to something small */
    cr_expect_eq(sr_arena_allocate(&arena, &err), SR_NOMEM);
    struct sr_arena sum = {0};
    sr_arena_take(&sum, SIZE_MAX / 2, 1);
    sr_arena_take(&sum, SIZE_MAX / 2, 1);
    sr_arena_take(&sum, SIZE_MAX / 2, 1);
    cr_expect_eq(sr_arena_allocate(&sum, &err), SR_NOMEM);
}

Test(error, text_is_cut_and_status_returned) {
    struct sr_error err;
    char lang[2 * SR_ERROR_TEXT];
    memset(lang, 'x', sizeof lang);
    lang[sizeof lang - 1] = '\0';
    cr_expect_eq(sr_fail(&err, SR_DATA, "row %d: %s", 7, lang), SR_DATA);
    cr_expect_eq(err.status, SR_DATA);
    cr_expect_eq(strlen(err.text), SR_ERROR_TEXT - 1);
    cr_expect(strncmp(err.text, "row 7: xxx", 10) == 0);
    cr_expect_eq(sr_fail(NULL, SR_IO, "nobody listens"), SR_IO);
}

Test(error, exit_statuses_are_the_documented_ones) {
    static const int known[][2] = {{SR_OK, 0},       {SR_NO, 1},   {SR_USAGE, 2},  {SR_DATA, 65},
                                   {SR_NOINPUT, 66}, {SR_BUG, 70}, {SR_NOMEM, 71}, {SR_IO, 74},
                                   {SR_STOPPED, 75}, {-99, 70},    {5, 70}};
    for (size_t i = 0; i < SR_COUNT(known); i++)
        cr_expect_eq(sr_status_exit(known[i][0]), known[i][1], "status %d", known[i][0]);
}
