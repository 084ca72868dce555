/* test_data_ids.c: rows of one file found in another by their ids.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "data/ids.h"

/* A column of ids from words; at most 8. */
struct column {
    char text[64], *id[8];
};

static struct sr_ids ids(struct column *c, const char *path, const char *words) {
    size_t rows = 0;
    snprintf(c->text, sizeof c->text, "%s", words);
    for (char *rest = c->text, *word; (word = strsep(&rest, " "));)
        if (*word)
            c->id[rows++] = word;
    return sr_ids_of_column(path, c->id, rows);
}

static int match(struct sr_ids_match *m, const char *a, const char *b, struct sr_error *err) {
    struct column of_a, of_b;
    return sr_ids_match(m, ids(&of_a, "a", a), ids(&of_b, "b", b), err);
}

Test(ids, rows_are_found_in_any_order) {
    struct sr_ids_match m;
    cr_assert_eq(match(&m, "one two three four", "four six one five", NULL), 0);
    cr_expect_eq(m.row[0], 2);
    cr_expect_eq(m.row[1], SR_IDS_NONE);
    cr_expect_eq(m.row[2], SR_IDS_NONE);
    cr_expect_eq(m.row[3], 0);
    cr_expect_eq(m.both, 2);
    cr_expect_eq(m.only_a, 2);
    cr_expect_eq(m.only_b, 2);
    cr_expect_eq(m.first_only_a, 1);
    cr_expect_eq(m.first_only_b, 1);
    sr_ids_match_free(&m);
}

static void expect_twice(const char *a, const char *b, const char *text) {
    struct sr_ids_match m;
    struct sr_error err = {0};
    cr_expect_eq(match(&m, a, b, &err), SR_DATA);
    cr_expect_not_null(strstr(err.text, text), "%s", err.text);
    sr_ids_match_free(&m);
}

Test(ids, an_id_that_is_there_twice_is_refused) {
    expect_twice("y z z", "x y", "a: row 2: the id \"z\"");
    expect_twice("x y", "y z z", "b: row 2: the id \"z\""); /* one that only b has */
    expect_twice("x y", "y x y", "b: row 2: the id \"y\"");
}

Test(ids, files_without_rows_have_nothing_in_common) {
    struct sr_ids_match m;
    cr_assert_eq(match(&m, "", "x", NULL), 0);
    cr_expect_eq(m.both + m.only_a, 0);
    cr_expect_eq(m.only_b, 1);
    sr_ids_match_free(&m);
}
