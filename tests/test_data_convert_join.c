/* test_data_convert_join.c: rows of several files: joined by their ids, or refused, or warned of.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/convert_sample.h"

TestSuite(convert_join, .init = convert_begin, .fini = convert_end);

#define REQUESTS 12

/* hidden/req-0 to req-11: the last token's vector is (n, n + 1). In the order of names req-10 is behind
 * req-1. */
static void write_numbered(void) {
    cr_assert_eq(mkdir("hidden", 0700), 0);
    for (int i = 0; i < REQUESTS; i++) {
        char name[64];
        snprintf(name, sizeof name, "hidden/req-%d.safetensors", i);
        write_hidden(name, 1, 1, (float)i);
    }
}

/* A file of a line for each request, in the order of numbers: its id and 1 from the seventh on. */
static void write_labels(const char *name, const char *head, const char *format) {
    FILE *f = fopen(name, "w");
    cr_assert_not_null(f);
    fputs(head, f);
    for (int i = 0; i < REQUESTS; i++)
        fprintf(f, format, i, i >= 6);
    cr_assert_eq(fclose(f), 0);
}

/* Every row's label is that of the request its features come from. */
static void expect_joined(const char *arguments) {
    struct run r = convert_fine("%s", arguments);
    expect_in(r.out, "rows of ");
    expect_in(r.out, "by id");
    cr_expect_null(strstr(r.err, "has no ids"), "%s", r.err);
    run_end(&r);
    struct sr_data *d = open_paths("out.h5", NULL);
    float *x = all_features(d);
    cr_assert_eq(d->rows, REQUESTS);
    cr_expect_str_eq(d->id[2], "req-10");
    for (size_t i = 0; i < REQUESTS; i++) {
        char id[16];
        snprintf(id, sizeof id, "req-%d", (int)x[2 * i]);
        cr_expect_str_eq(d->id[i], id);
        cr_expect_eq(d->label[i], x[2 * i] >= 6, "%s: row %zu", arguments, i);
    }
    sr_free(x);
    sr_data_close(d);
}

Test(convert_join, ids_put_rows_side_by_side) {
    write_numbered();
    write_labels("l.csv", "id,label\n", "req-%d,%d\n");
    write_labels("l.jsonl", "", "{\"id\":\"req-%d\",\"label\":%d}\n");
    expect_joined("--features hidden --label l.csv:label");
    expect_joined("--features hidden --label l.jsonl");
    expect_joined("--features 'hidden/*.safetensors' --label l.csv --id l.csv:id"); /* these are moved too */
    expect_joined("l.csv --features hidden");
}

Test(convert_join, other_columns_and_types_move_too) {
    write_text("x.csv", "id,f0\na,1\nb,2\nc,3\n");
    write_text("y.csv", "group,id,weight,label\ngc,c,3,1\nga,a,1,0\ngb,b,2,1\n");
    struct sr_data *d = convert_open("x.csv --label y.csv --group y.csv --weight y.csv");
    cr_expect(d->label[0] == 0 && d->label[1] == 1 && d->label[2] == 1);
    cr_expect(d->weight[0] == 1 && d->weight[1] == 2 && d->weight[2] == 3);
    cr_expect(d->group[0] != d->group[1] && d->group[1] != d->group[2]);
    sr_data_close(d);
}

/* Past the first band of rows, and in numbers as ids. */
Test(convert_join, a_thousand_rows_in_another_order) {
    enum { ROWS = 1000 };
    static float x[ROWS];
    static int64_t id[ROWS];
    struct sr_error err = {0};
    FILE *f = fopen("y.csv", "w");
    cr_assert_not_null(f);
    fputs("id,gold\n", f);
    for (int i = 0; i < ROWS; i++) {
        x[i] = (float)i;
        id[i] = 10000 + i;
        fprintf(f, "%d,%d\n", 10000 + (ROWS - 1 - i), (ROWS - 1 - i) % 7 == 0);
    }
    cr_assert_eq(fclose(f), 0);
    const struct sr_tensor tensors[] = {{"features", SR_F32, 2, {ROWS, 1}, x}, {"id", SR_I64, 1, {ROWS}, id}};
    cr_assert_eq(sr_safetensors_write("x.safetensors", tensors, 2, NULL, 0, &err), 0, "%s", err.text);
    struct sr_data *d = convert_open("x.safetensors --label y.csv:gold");
    for (int i = 0; i < ROWS; i++)
        cr_expect_eq(d->label[i], i % 7 == 0, "row %d", i);
    sr_data_close(d);
}

Test(convert_join, ids_that_do_not_meet_are_refused) {
    write_text("x.csv", "id,f0\na,1\nb,2\nc,3\n");
    write_text("y.csv", "id,label\na,1\nb,0\nd,1\n");
    convert_refuses(65, "y.csv: row 2: no row of x.csv has the id \"d\"", "x.csv --label y.csv");
    write_text("y.csv", "id,label\na,1\nc,0\nc,1\n");
    convert_refuses(65, "y.csv: row 2: the id \"c\" is there twice", "x.csv --label y.csv");
    write_text("x.csv", "id,f0\na,1\nb,2\na,3\n");
    convert_refuses(65, "x.csv: row 2: the id \"a\" is there twice", "x.csv --label y.csv");
    write_text("y.csv", "id,label\na,1\nb,0\na,1\n"); /* twice, but in the same order */
    struct sr_data *d = convert_open("x.csv --label y.csv");
    sr_data_close(d);
}

/* Which of two orders is that of features without ids, nobody can say. */
Test(convert_join, files_that_disagree_over_features_without_ids) {
    const float x[2] = {1, 2};
    write_npy("x.npy", "<f4", "(2, 1)", x, sizeof x);
    write_text("y.csv", "id,gold\na,1\nb,0\n");
    write_text("z.csv", "id,small_pred\nb,1\na,0\n");
    convert_refuses(65,
                    "row 0 is \"b\" in z.csv, but \"a\" in y.csv, and x.npy has no ids that say which is its",
                    "--features x.npy --gold y.csv --small-pred z.csv");
    write_text("z.csv", "id,small_pred\na,0\nb,1\n");
    struct sr_data *d = convert_open("--features x.npy --gold y.csv --small-pred z.csv");
    sr_data_close(d);
}

/* Nothing to compare: what a reader has to know is said. */
Test(convert_join, columns_without_ids_beside_a_folder_are_warned_of) {
    const char *const word = "rows of hidden are in the order of its files' names; gold.csv has no ids";
    write_requests();
    struct run r = convert_fine("--features hidden --layer 0 --gold gold.csv");
    expect_in(r.err, word);
    run_end(&r);
    write_text("ids.txt", "x\ny\n");
    r = convert_fine("--features hidden --layer 0 --id ids.txt"); /* other names for the rows */
    expect_in(r.err, "ids.txt has no ids");
    run_end(&r);
    r = convert_fine("--features hidden --layer 0");
    cr_expect_null(strstr(r.err, "order"), "%s", r.err);
    run_end(&r);
}
