/* test_data_wanted.c: ids that somebody asked for: how they may be spelled, and the proof that none is left.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/wanted.h"
#include "tests/dump_fixture.h"

enum { ROWS = 30, BYTES = 4 };

static char dump[64], list[64];
static struct sr_error err;

static void begin(void) {
    make_synth(dump, ROWS, 8, 11);
    snprintf(list, sizeof list, "/tmp/sr_test_ids_%d", (int)getpid());
}

static void end(void) {
    unlink(dump);
    unlink(list);
}

TestSuite(wanted, .init = begin, .fini = end);

static void write_list(const char *text) {
    FILE *f = fopen(list, "w");
    fputs(text, f);
    fclose(f);
}

/* The list as the ids of the dump at path spell it. */
static struct sr_wanted read_list(const char *text, const char *path) {
    struct sr_wanted w;
    struct sr_h5 *f;
    write_list(text);
    cr_assert_eq(sr_h5_open(&f, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_wanted_read(&w, list, f, "id", &err), 0, "%s", err.text);
    sr_h5_close(f, NULL);
    return w;
}

/* The proof must be able to fail: here nobody has dropped anything. */
Test(wanted, an_id_that_is_left_is_found) {
    struct sr_data *d = open_paths(dump, NULL);
    const struct sr_data_options how = {.features_only = true};
    char text[512];
    snprintf(text, sizeof text, "nobody\n%s\n", d->id[17]);
    struct sr_wanted w = read_list(text, dump);
    cr_expect_eq(sr_wanted_check_gone(&w, dump, ROWS, &how, &err), SR_BUG);
    snprintf(text, sizeof text, "%s: row 17 still has the id \"%.60s\"", dump, d->id[17]);
    cr_expect_str_eq(err.text, text);
    sr_wanted_free(&w);
    w = read_list("nobody\n", dump);
    cr_expect_eq(sr_wanted_check_gone(&w, dump, ROWS, &how, &err), 0, "%s", err.text);
    cr_expect_eq(sr_wanted_check_gone(&w, dump, ROWS - 1, &how, &err), SR_BUG);
    snprintf(text, sizeof text, "%s: 30 rows were written, not 29", dump);
    cr_expect_str_eq(err.text, text);
    sr_wanted_free(&w);
    sr_data_close(d);
}

Test(wanted, digits_of_bytes_in_several_ways) {
    char path[64];
    const char items[2 * BYTES + 1] = "\x01\xab\xcd\xef"
                                      "abcd";
    struct sr_h5 *f;
    snprintf(path, sizeof path, "/tmp/sr_test_bytes_%d.h5", (int)getpid());
    cr_assert_eq(sr_h5_create(&f, path, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_fixed(f, "id", items, 2, BYTES, &err), 0);
    cr_assert_eq(sr_h5_close(f, &err), 0);
    struct sr_wanted w = read_list(" 01abcdef\n01AB-cdEF\r\n01-ab-cd-ef\n61626364\nabcd\n", path);
    cr_expect_eq(w.names.count, 2);
    cr_expect_eq(sr_wanted_find(&w, "01abcdef"), 0);
    cr_expect_eq(sr_wanted_find(&w, "abcd"), 1);
    cr_expect_eq(sr_wanted_find(&w, "\tabcd "), 1);
    cr_expect_eq(sr_wanted_find(&w, "abcd "), 1);
    cr_expect_eq(sr_wanted_find(&w, "abc"), -1);
    cr_expect_eq(sr_wanted_find(&w, ""), -1);
    sr_wanted_free(&w);
    w = read_list("-01abcdef\n01abcdef-\n01abcdef00\n01abcde\n01abcdeg\n", path); /* none is 4 bytes */
    cr_expect_eq(w.names.count, 5);
    cr_expect_eq(sr_wanted_find(&w, "01abcdef"), -1);
    sr_wanted_free(&w);
    unlink(path);
}

/* Strings of variable length are not spelled in another way. */
Test(wanted, variable_strings_are_as_they_are) {
    char path[64];
    const char *const texts[] = {"01abcdef", "nobody"};
    struct sr_h5 *f;
    snprintf(path, sizeof path, "/tmp/sr_test_texts_%d.h5", (int)getpid());
    cr_assert_eq(sr_h5_create(&f, path, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_column(f, "id", SR_H5_WRITE_TEXT, texts, 2, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_close(f, &err), 0);
    struct sr_wanted w = read_list("01-ab-cd-ef\n01ABCDEF\n 01abcdef \n", path);
    cr_expect_eq(w.names.count, 3);
    cr_expect_eq(sr_wanted_find(&w, "01abcdef"), 2);
    sr_wanted_free(&w);
    unlink(path);
}

/* Fixed strings are read by bands of 4 MB; here there are three, and the last is short. */
Test(wanted, fixed_strings_of_many_bands) {
    enum { ITEMS = 2500, SIZE = 4096 };
    char path[64], wanted[32], **text;
    char *items = sr_alloc(ITEMS, SIZE, &err);
    struct sr_h5 *f;
    for (int i = 0; i < ITEMS; i++)
        if (i % 7 == 3)
            items[i * SIZE] = (char)0xff;
        else
            snprintf(items + i * SIZE, SIZE, "row %d", i);
    snprintf(path, sizeof path, "/tmp/sr_test_bands_%d.h5", (int)getpid());
    cr_assert_eq(sr_h5_create(&f, path, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_fixed(f, "id", items, ITEMS, SIZE, &err), 0);
    cr_assert_eq(sr_h5_read_texts(f, "id", &text, ITEMS, &err), 0, "%s", err.text);
    for (int i = 0; i < ITEMS; i++) {
        snprintf(wanted, sizeof wanted, "row %d", i);
        cr_expect(i % 7 == 3 ? strlen(text[i]) == 2 * SIZE && strncmp(text[i], "ff00", 4) == 0
                             : strcmp(text[i], wanted) == 0,
                  "row %d: %.60s", i, text[i]);
    }
    sr_free(text);
    sr_free(items);
    cr_assert_eq(sr_h5_close(f, &err), 0);
    unlink(path);
}
