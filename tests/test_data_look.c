/* test_data_look.c: what is said of scores without a dump: ranges, counts, and columns that are none.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "data/look.h"
#include "tests/dump_fixture.h"
#include "tests/run_program.h"

#define DUMPS SR_SOURCE_DIR "/tests/dumps"

static struct sr_error err;

/* Three bands, the ends of the first two and the last row unlike the rest; chunks larger than a band. */
Test(data_look, scores_of_many_bands_are_counted_row_by_row) {
    struct sr_look l;
    cr_assert_eq(sr_look_hdf5(&l, DUMPS "/scores_long.h5", &err), 0, "%s", err.text);
    cr_expect(l.is_scores && l.has_decision);
    cr_expect_eq(l.rows, 150000);
    cr_expect_eq(l.scored, 149999);
    cr_expect_eq(l.large, 2);
    cr_expect_eq(l.low, .25);
    cr_expect_eq(l.high, .75);
    /* quarters: every sum on the way is exact */
    cr_expect_eq(l.mean, (149997 * .25 + .5 + .75) / 149999);
}

/* 1.4 KB that say 2^27 rows. */
Test(data_look, rows_that_nobody_wrote_are_not_read) {
    struct sr_look l;
    cr_expect_eq(sr_look_hdf5(&l, DUMPS "/scores_unwritten.h5", &err), SR_DATA);
    expect_in(err.text, "/prob claims 134217728 bytes, of which the file stores 0: most were never written");
}

Test(data_look, a_prob_is_a_number_from_0_to_1) {
    static const char *const texts[] = {"0x1p-1", " 0.5", "0,5", "1.5", "-0.1", "inf", "much"};
    struct sr_look l;
    char *folder = folder_begin(), path[256], table[64];
    snprintf(path, sizeof path, "%s/s.csv", folder);
    for (size_t i = 0; i < SR_COUNT(texts); i++) {
        snprintf(table, sizeof table, "row,prob\n0,0.5\n1,\"%s\"\n", texts[i]);
        cr_assert_eq(sr_atomic_file_write(path, table, strlen(table), &err), 0);
        cr_expect_eq(sr_look_csv(&l, path, &err), SR_DATA, "%s", texts[i]);
        snprintf(table, sizeof table, "line 3: prob is \"%s\"", texts[i]);
        expect_in(err.text, table);
    }
    snprintf(table, sizeof table, "row,prob\n0,0.5\n1,nan\n2,\n3,1\n");
    cr_assert_eq(sr_atomic_file_write(path, table, strlen(table), &err), 0);
    cr_assert_eq(sr_look_csv(&l, path, &err), 0, "%s", err.text);
    cr_expect(l.rows == 4 && l.scored == 2 && l.mean == .75);
    cr_expect_eq(sr_look_hdf5(&l, DUMPS "/scores_above.h5", &err), SR_DATA);
    expect_in(err.text, "row 2: prob is \"1.5\"");
    folder_end(folder);
}
