/* test_trust_h5_limits.c: what HDF5 files may cost and claim, where no stored file can show it: descriptors,
 * files that are large or made here. The stored ones: test_trust_hostile_h5.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5.h"
#include "data/h5_ways.h"
#include "tests/run_program.h"

/* ---- descriptors ---- */

Test(h5_limits, a_descriptor_that_cannot_be_looked_at_is_an_error_of_the_system) {
    struct sr_h5 *f = NULL;
    struct sr_error err = {0};
    cr_expect_eq(sr_h5_here_open_descriptor(&f, 1000, "given.h5", &err), SR_IO);
    cr_expect(strstr(err.text, "Bad file descriptor"), "%s", err.text);
}
