/* test_data_lines.c: lines of text files: long ones, the last, and what is no text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/csv.h"
#include "data/json_grammar.h"
#include "data/lines.h"
#include "tests/failing_memory.h"
#include "tests/run_program.h"

#define BUFFER ((size_t)1 << 20) /* what lines.c reads at a time */

static char *folder, path[256];
static struct sr_error err;

static void begin(void) {
    folder = folder_begin();
    snprintf(path, sizeof path, "%s/a.txt", folder);
}

static void end(void) {
    folder_end(folder);
}

TestSuite(lines, .init = begin, .fini = end);

/* Lines of so many bytes each, line i of letter 'a' + i. */
static void write_lines(const size_t *bytes, size_t n, bool last_ends) {
    FILE *to = fopen(path, "w");
    cr_assert_not_null(to);
    for (size_t i = 0; i < n; i++) {
        char *line = sr_alloc(bytes[i] + 1, 1, &err);
        cr_assert_not_null(line);
        memset(line, (int)('a' + i), bytes[i]);
        cr_assert_eq(fwrite(line, 1, bytes[i], to), bytes[i]);
        sr_free(line);
        if (last_ends || i + 1 < n)
            putc('\n', to);
    }
    cr_assert_eq(fclose(to), 0);
}

static void expect_lines(const size_t *bytes, size_t n) {
    struct sr_lines *l = NULL;
    char *text;
    cr_assert_eq(sr_lines_open(&l, path, &err), 0, "%s", err.text);
    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(sr_lines_next(l, &text, &err), 1, "line %zu: %s", i, err.text);
        cr_expect_eq(strlen(text), bytes[i], "line %zu has %zu bytes", i, strlen(text));
        cr_expect_eq(strspn(text, (char[]){(char)('a' + i), '\0'}), bytes[i], "line %zu", i);
    }
    cr_expect_eq(sr_lines_next(l, &text, &err), 0);
    cr_expect_eq(sr_lines_fraction(l), 1);
    sr_lines_close(l);
}

Test(lines, of_any_length_with_and_without_an_end) {
    static const size_t lengths[][3] = {{0, 1, 0},      {3, 0, 5},          {BUFFER - 1, 1, 2},
                                        {BUFFER, 2, 3}, {5, 3 * BUFFER, 7}, {1, 2, 2 * BUFFER + 1}};
    for (size_t i = 0; i < SR_COUNT(lengths); i++) {
        write_lines(lengths[i], 3, true);
        expect_lines(lengths[i], 3);
        write_lines(lengths[i], 3, false);
        expect_lines(lengths[i], lengths[i][2] > 0 ? 3 : 2);
    }
}

static void refused(const char *word) {
    struct sr_lines *l = NULL;
    char *text;
    cr_assert_eq(sr_lines_open(&l, path, &err), 0, "%s", err.text);
    cr_expect_eq(sr_lines_next(l, &text, &err), SR_DATA);
    cr_expect(strstr(err.text, word), "%s", err.text);
    sr_lines_close(l);
}

Test(lines, a_line_past_the_limit_is_refused) {
    const size_t most[] = {SR_LINE_MOST + 1};
    write_lines(most, 1, true);
    refused("line 1 is longer than 67108864 bytes; is this a text file?");
}

Test(lines, a_zero_byte_is_no_text) {
    FILE *to = fopen(path, "w");
    cr_assert_not_null(to);
    cr_assert_eq(fwrite("a\0b\n", 1, 4, to), 4);
    cr_assert_eq(fclose(to), 0);
    refused("line 1 has a NUL byte");
}

/* Of no bytes, and of some that its size does not tell. */
Test(lines, of_files_without_a_size) {
    struct sr_lines *l = NULL;
    char *text;
    write_lines(NULL, 0, true);
    expect_lines(NULL, 0);
    cr_assert_eq(sr_lines_open(&l, "/proc/version", &err), 0, "%s", err.text);
    cr_expect_eq(sr_lines_next(l, &text, &err), 1);
    cr_expect(strstr(text, "version"), "%s", text);
    cr_expect_eq(sr_lines_next(l, &text, &err), 0);
    sr_lines_close(l);
}

/* A value may be over several lines, though no line of a file has one. */
Test(lines, a_value_of_json_is_passed_over) {
    static const struct {
        const char *text;
        size_t taken; /* bytes; 0: it is none */
    } values[] = {{"[1,\n\t2\r\n , 3]x", 13},
                  {"{\"a\" : 1 , \"b\":[]}", 18},
                  {"{\"a\":1,}", 0},
                  {"{\"a\":1 \"b\":2}", 0},
                  {"[1 2]", 0},
                  {"{\"a\":1,\"b\"}", 0}};
    for (size_t i = 0; i < SR_COUNT(values); i++) {
        const char *at = values[i].text;
        const bool good = sr_json_skip(&at, at + strlen(at));
        cr_expect_eq(good, values[i].taken > 0, "%s", values[i].text);
        if (good)
            cr_expect_eq((size_t)(at - values[i].text), values[i].taken, "%s", values[i].text);
    }
}

/* A stream does without a buffer of its own; the line's must grow. */
Test(lines, a_line_that_there_is_no_memory_for) {
    static const size_t length[] = {4 * BUFFER};
    int refused = 0;
    bool failed = true;
    write_lines(length, 1, true);
    for (uint64_t nth = 1; failed; nth++) {
        struct sr_lines *l;
        char *line;
        cr_assert_eq(sr_lines_open(&l, path, &err), 0, "%s", err.text);
        memory_begin(nth);
        const int status = sr_lines_next(l, &line, &err);
        failed = memory_end().failed;
        cr_expect(status == 1 || (failed && status == SR_NOMEM), "%d: %d", (int)nth, status);
        refused += status == SR_NOMEM;
        sr_lines_close(l);
    }
    cr_expect_geq(refused, 2);
}

/* Of a table without bytes all is read. */
Test(lines, of_a_table_without_bytes) {
    struct sr_csv *c;
    write_lines(NULL, 0, true);
    cr_assert_eq(sr_csv_open(&c, path, &err), 0, "%s", err.text);
    cr_expect_eq(sr_csv_next(c, &err), 0, "%s", err.text);
    cr_expect_float_eq(sr_csv_fraction(c), 1, 0);
    sr_csv_close(c);
}
