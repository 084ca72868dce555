/* test_trust_pickle_costs.c: pickles of a few bytes that would have a reader work or remember much more: keys
 * and dicts that are used again and again, values of one byte, numbers of the memo. Time stays below 2 s,
 * memory below 64 MB and 50 bytes for each of the file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/hostile_parsers.h"

#define ROOM  ((size_t)8 << 20)
#define LEAST ((size_t)64 << 20)
#define BYTE  50

static unsigned char *bytes;
static size_t size;

static void begin(void) {
    bytes = sr_alloc(ROOM, 1, NULL);
    cr_assert_not_null(bytes);
    size = 0;
}

static void end(void) {
    sr_free(bytes);
}

TestSuite(pickle_costs, .init = begin, .fini = end);

static void put(const char *from, size_t n, size_t times) {
    cr_assert_leq(n * times, ROOM - size);
    for (size_t i = 0; i < times; i++, size += n)
        memcpy(bytes + size, from, n);
}

#define PUT(literal, times) put(literal, sizeof literal - 1, times)

/* A text of n times 'a' and one other byte. */
static void put_text(size_t n, char last) {
    const char length[4] = {(char)((n + 1) & 255), (char)((n + 1) >> 8 & 255), (char)((n + 1) >> 16)};
    PUT("X", 1);
    put(length, 4, 1);
    PUT("a", n);
    put(&last, 1, 1);
}

/* Opens the pickle as a .pt; `word`: what is said of it, NULL: it is read. */
static void expect_cheap(const char *word) {
    char *folder = folder_begin(), path[64];
    const struct sr_zip_part parts[] = {{"m/data.pkl", bytes, size}, {"m/version", "3", 1}};
    struct sr_error err = {0};
    struct sr_tensors *t;
    snprintf(path, sizeof path, "%s/m.pt", folder);
    cr_assert_eq(sr_zip_write(path, parts, SR_COUNT(parts), &err), SR_OK, "%s", err.text);
    const size_t before = sr_memory_peak();
    const double from = hostile_cpu();
    const int status = sr_tensors_open(&t, path, &err);
    const double seconds = hostile_cpu() - from;
    const size_t took = sr_memory_peak() - before;
    sr_tensors_close(t);
    folder_end(folder);
    cr_expect_eq(status, word ? SR_DATA : SR_OK, "%s", err.text);
    cr_expect(!word || strstr(err.text, word), "%s", err.text);
    cr_expect_lt(seconds, trust_seconds(), "%g s of CPU", seconds);
    if (!*SR_SANITIZE)
        cr_expect_lt(took, LEAST + BYTE * size, "%zu bytes of memory for %zu of pickle", took, size);
}

#define TWICE "has a key twice"

/* ---- time ---- */

Test(pickle_costs, a_long_key_again_and_again) {
    PUT("\x80\x02}(", 1);
    put_text(1000000, 'x');
    PUT("q\0N", 1);
    PUT("h\0N", 330000);
    PUT("u.", 1);
    expect_cheap(TWICE);
}

Test(pickle_costs, two_long_keys_by_turns) {
    PUT("\x80\x02}(", 1);
    put_text(1000000, 'x');
    PUT("q\0N", 1);
    put_text(1000000, 'y');
    PUT("q\1N", 1);
    PUT("h\0Nh\1N", 160000);
    PUT("u.", 1);
    expect_cheap(TWICE);
}

Test(pickle_costs, two_long_keys_in_many_dicts) {
    PUT("\x80\x02](}(", 1);
    put_text(1000000, 'x');
    PUT("q\0N", 1);
    put_text(1000000, 'y');
    PUT("q\1Nu", 1);
    PUT("}(h\0Nh\1Nu", 200000);
    PUT("e.", 1);
    expect_cheap(NULL);
}

Test(pickle_costs, a_dict_that_is_visited_often) {
    PUT("\x80\x02](}(", 1);
    put_text(1000000, 'x');
    PUT("N", 1);
    put_text(1000000, 'y');
    PUT("Nuq\0", 1);
    PUT("h\0", 700000);
    PUT("e.", 1);
    expect_cheap("values in its pickle, shared ones each time");
}

/* No two are the same, and all begin with the same 2000 bytes. */
Test(pickle_costs, long_keys_that_differ_late) {
    PUT("\x80\x02}(", 1);
    for (size_t i = 0; i < 3000; i++) {
        char name[16];
        PUT("X\xd8\x07\0\0", 1);
        PUT("a", 2000);
        snprintf(name, sizeof name, "%08zu", i * 1999 % 3000);
        put(name, 8, 1);
        PUT("N", 1);
    }
    PUT("u.", 1);
    expect_cheap(NULL);
}

/* In dicts of 400000, since the stack has its limit. */
static void put_keys(size_t n) {
    PUT("\x80\x02]", 1);
    for (size_t i = 0; i < n; i++) {
        const unsigned key = (unsigned)i * 2654435761u;
        const char number[4] = {(char)key, (char)(key >> 8), (char)(key >> 16), (char)(key >> 24)};
        if (i % 400000 == 0)
            PUT("}(", 1);
        PUT("J", 1);
        put(number, 4, 1);
        PUT("N", 1);
        if (i % 400000 == 399999 || i == n - 1)
            PUT("ua", 1);
    }
    PUT(".", 1);
}

Test(pickle_costs, a_million_keys) {
    put_keys(1000000);
    expect_cheap(NULL);
}

Test(pickle_costs, more_keys_than_that) {
    put_keys(1100000);
    expect_cheap("dicts of its pickle have more than 1048576 keys");
}

/* ---- memory ---- */

static void put_name(void) {
    PUT("\x80\x02}(X\x64\0\0\0", 1);
    PUT("k", 100);
}

Test(pickle_costs, numbers_under_a_long_name) {
    put_name();
    PUT("](", 1);
    PUT("K\1", 500000);
    PUT("e(", 1);
    PUT("K\1", 500000);
    PUT("eu.", 1);
    expect_cheap("make more than");
}

Test(pickle_costs, a_million_flags) {
    PUT("\x80\x02}(X\1\0\0\0k](", 1);
    PUT("\x88", 500000);
    PUT("e(", 1);
    PUT("\x89", 500000);
    PUT("eu.", 1);
    expect_cheap(NULL);
}

Test(pickle_costs, nothing_four_million_times) {
    PUT("\x80\x02]", 1);
    for (int i = 0; i < 4; i++) {
        PUT("(", 1);
        PUT("N", 1000000);
        PUT("e", 1);
    }
    PUT(".", 1);
    expect_cheap("values in its pickle, shared ones each time");
}

Test(pickle_costs, empty_lists_and_dicts) {
    PUT("\x80\x02]", 1);
    for (int i = 0; i < 4; i++) {
        PUT("(", 1);
        PUT("]}", 500000);
        PUT("e", 1);
    }
    PUT(".", 1);
    expect_cheap("values in its pickle, shared ones each time");
}

Test(pickle_costs, lists_that_grow_by_one) {
    PUT("\x80\x02]", 1);
    PUT("]a", 2000000);
    PUT(".", 1);
    expect_cheap("values in its pickle, shared ones each time");
}

Test(pickle_costs, tuples_in_tuples) {
    PUT("\x80\x02)", 1);
    PUT("\x85", 4000000);
    PUT(".", 1);
    expect_cheap("nested deeper");
}

Test(pickle_costs, marks) {
    PUT("\x80\x02", 1);
    PUT("(", 4000000);
    expect_cheap("stacks more than");
}

/* A pickler counts the values that it remembers. */
Test(pickle_costs, a_number_of_the_memo_far_from_any_before) {
    const size_t least = sr_memory_peak();
    PUT("\x80\x02Nr\xff\xff\x3f\0.", 1);
    expect_cheap("remembers a value by a number larger than that of all values before");
    cr_expect(*SR_SANITIZE || sr_memory_peak() - least < (size_t)16 << 20, "%zu bytes",
              sr_memory_peak() - least);
}

Test(pickle_costs, numbers_of_the_memo_in_turn) {
    PUT("\x80\x02](", 1);
    for (size_t i = 0; i < 500000; i++) {
        const char number[4] = {(char)(i & 255), (char)(i >> 8 & 255), (char)(i >> 16)};
        PUT("]r", 1);
        put(number, 4, 1);
    }
    PUT("e.", 1);
    expect_cheap(NULL);
}
