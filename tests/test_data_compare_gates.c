/* test_data_compare_gates.c: what `saferoute data compare` calls the same, and what its gates let through.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/compare_dump.h"

/* Rounding of cosines must not make a dump another than itself. */
Test(data_compare, a_dump_holds_every_gate_against_itself) {
    char *folder = folder_begin();
    struct rows *a = make();
    write_both(folder, a, a);
    expect_compared(folder, "--min-cosine 1 --max-flips 0 --max-missing 0", 0,
                    "\nverdict            the same: every number is, as float32\n", "");
    rows_free(a);
    folder_end(folder);
}

Test(data_compare, rows_bad_in_both_are_the_same_only_by_their_bits) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    for (size_t i = 0; i < N_ROWS; i++)
        a->x[i][3] = b->x[i][3] = NAN;
    write_both(folder, a, b);
    expect_compared(folder, "", 0, "\nverdict            the same: ", "");
    expect_compared(folder, "--min-cosine -1", 1, " 700 in both (700 of them the same)\n",
                    "0 in A alone, 0 in B alone, 700 in both");
    b->x[9][4] = 7;
    write_both(folder, a, b);
    expect_compared(folder, "", 0, "\nverdict            differ: 1 rows have a NaN or an infinity in both ",
                    "");
    for (size_t i = 0; i < N_ROWS; i++)
        b->x[i][3] = INFINITY;
    write_both(folder, a, b);
    expect_compared(folder, "", 0, "differ: 700 rows have a NaN or an infinity in both dumps and are not",
                    "");
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

Test(data_compare, what_one_dump_does_not_know_is_a_difference) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    b->small_prob[5] = b->small_prob[6] = NAN;
    write_both(folder, a, b);
    expect_compared(folder, "", 0,
                    "\nsmall_prob         the same in all 698 rows that have it in both; 2 known", "");
    expect_compared(folder, "", 0, "\nverdict            differ: 2 values of small_prob are known in one ",
                    "");
    expect_compared(folder, "--max-flips 1", 1, "none of 698 changes; 2 known in one only\n", "2 rows have");
    b->bare = true;
    write_both(folder, a, b);
    expect_compared(folder, "--min-cosine 1", 0, "\nsmall_prob         in A only\n", "");
    expect_compared(folder, "", 0, "\nverdict            differ: in A only: label, gold, small_prob, ", "");
    expect_compared(folder, "--max-flips 700", 1, "", "nothing was compared");
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

Test(data_compare, rows_in_one_dump_only_fail_a_gate) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    b->n = N_ROWS - 3;
    write_both(folder, a, b);
    expect_compared(folder, "", 0, "\nverdict            differ: 3 rows are in one dump only\n", "");
    expect_compared(folder, "", 0, "\nrows_in_both       the same: every number is, as float32, in 697 rows\n",
                    "");
    expect_compared(folder, "--max-flips 0", 1, "", "3 rows are in A only, 0 in B only");
    expect_compared(folder, "--min-cosine .5", 1, "", "--max-missing does not hold");
    expect_compared(folder, "--max-missing 2", 1, "", "--max-missing does not hold");
    expect_compared(folder, "--min-cosine 1 --max-flips 0 --max-missing 3", 0, "", "");
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

Test(data_compare, weights_and_the_contract_are_compared_too) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    for (size_t i = 0; i < N_ROWS; i++)
        a->weight[i] = b->weight[i] = 2;
    a->model = b->model = "guard";
    write_both(folder, a, b);
    expect_compared(folder, "", 0, "\nweight             none of 700 changes\n", "");
    expect_compared(folder, "", 0, "\ncontract           3 keys the same, 7 unknown to both\n", "");
    b->weight[4] = 3;
    b->model = "another";
    write_both(folder, a, b);
    expect_compared(folder, "", 0, "\nweight             1 of 700 change, the first is row 4 (id-4)\n", "");
    expect_compared(folder, "", 0, "\nfeature_model      guard -> another\n", "");
    expect_compared(folder, "", 0, "\nverdict            differ: 1 weights change\n", "");
    expect_compared(folder, "", 0, "\nbut_contract       1 key of the contract differs\n", "");
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

Test(data_compare, by_number_ids_that_do_not_agree_are_said) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    snprintf(b->id[8], 16, "stranger");
    write_both(folder, a, b);
    expect_compared(folder, "--by-row", 0, "\nother_ids          1 pairs ", "");
    expect_compared(folder, "--by-row", 0, "(stranger)", "");
    expect_compared(folder, "--by-row", 0, "differ: 1 pairs of rows have ids that are not the same\n", "");
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

/* Numbers below 2^-14 are rounded to multiples of 2^-24 as float16, however short the row is. */
Test(data_compare, rounding_of_the_smallest_float16_is_rounding) {
    char *folder = folder_begin();
    struct rows *a = make();
    for (size_t i = 0; i < N_ROWS; i++)
        for (size_t k = 0; k < N_FEATURES; k++)
            a->x[i][k] *= 0x1p-20f;
    write_rows(folder, "a.h5", a, SR_FEATURE_FLOAT);
    write_rows(folder, "b.h5", a, SR_FEATURE_HALF);
    expect_compared(folder, "", 0, "\nverdict            the same to rounding\n", "");
    a->x[11][2] += 0x1p-20f;
    write_rows(folder, "a.h5", a, SR_FEATURE_FLOAT);
    expect_compared(folder, "", 0, "\nverdict            differ: ", "");
    rows_free(a);
    folder_end(folder);
}

/* Rows of a list of files are named as they are in theirs. */
Test(data_compare, of_several_files_a_row_is_named_with_its_file) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    for (size_t i = 0; i < 20; i++)
        snprintf(b->id[i], 16, "other-%zu", i);
    b->n = 20;
    b->small_prob[4] = .9f;
    write_both(folder, a, b);
    struct run r = run_program(folder, "data compare %s/a.h5,%s/b.h5 %s/a.h5", folder, folder, folder);
    cr_expect_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "\nonly_a             20, the first is row 700 (other-0; row 0 of ");
    run_end(&r);
    snprintf(b->id[7], 16, "id-3");
    write_both(folder, a, b);
    r = run_program(folder, "data compare %s/a.h5,%s/b.h5 %s/a.h5", folder, folder, folder);
    cr_expect_eq(r.status, 65);
    expect_in(r.err, "/b.h5: row 7: the id \"id-3\" is there twice, first in row 3 of ");
    run_end(&r);
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

Test(data_compare, long_ids_keep_their_ends) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    for (size_t i = 0; i < N_ROWS; i++)
        for (int side = 0; side < 2; side++) {
            char **id = &(side ? b : a)->id[i];
            sr_free(*id);
            *id = sr_alloc(80, 1, NULL);
            snprintf(*id, 80, "a-path-that-all-of-the-rows-have-in-common/and/more/row-%zu", i);
        }
    b->small_prob[431] += .4f;
    write_both(folder, a, b);
    expect_compared(folder, "", 0, "(a-path-that-...", "");
    expect_compared(folder, "", 0, "/row-431)", "");
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}

Test(data_compare, the_number_of_threads_changes_nothing) {
    char *folder = folder_begin();
    struct rows *a = make(), *b = make();
    for (size_t i = 0; i < N_ROWS; i++)
        for (size_t k = 0; k < N_FEATURES; k++)
            b->x[i][k] += .1f * normal(4, i * N_FEATURES + k);
    permute(b);
    write_both(folder, a, b);
    struct run one = run_program(folder, "data compare %s/a.h5 %s/b.h5 --json --threads 1", folder, folder);
    struct run three =
        run_program(folder, "data compare %s/a.h5 %s/b.h5 --json --threads 3 --memory 0", folder, folder);
    cr_expect_eq(one.status, 0, "%s", one.err);
    cr_expect_str_eq(one.out, three.out);
    run_end(&one);
    run_end(&three);
    rows_free(a);
    rows_free(b);
    folder_end(folder);
}
