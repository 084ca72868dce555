/* test_base_ending.c: what a name ends in.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>

#include "nn/base/base.h"

Test(ending, is_told_by_the_last_bytes) {
    cr_expect(sr_ends_in("a.csv", ".csv"));
    cr_expect(sr_ends_in("A.CSV", ".csv"));
    cr_expect(sr_ends_in(".csv", ".csv"));
    cr_expect(sr_ends_in("", ""));
    cr_expect_not(sr_ends_in("csv", ".csv"));
    cr_expect_not(sr_ends_in("a.csv.gz", ".csv"));
    cr_expect_not(sr_ends_in("", ".csv"));
}
