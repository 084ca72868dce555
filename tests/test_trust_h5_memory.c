/* test_trust_h5_memory.c: all that can be asked of an HDF5 file, with the n-th of our allocations failing,
 * for every n: SR_NOMEM, and nothing is kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/h5_everything.h"
#include "tests/failing_memory.h"

Test(trust_h5_memory, every_allocation, .timeout = 600) {
    sr_cpu_threads(1);
    for (size_t i = 0; i <= SR_COUNT(everything_files); i++) {
        char path[300];
        const char *name = i < SR_COUNT(everything_files) ? everything_files[i] : "hdf5/groups_many.h5";
        const char *file = hostile_path(path, name);
        uint64_t fine = 0, now = 0, refused = 0;
        struct sr_error err = {0};
        cr_assert_eq(everything_of(&fine, file, &err), 0, "%s", err.text);
        bool failed = true;
        for (uint64_t n = 1; failed; n++) {
            err = (struct sr_error){0};
            memory_begin(n);
            const int status = everything_of(&now, file, &err);
            const struct memory_report r = memory_end();
            failed = r.failed;
            refused += status < 0;
            cr_expect(status == (failed ? SR_NOMEM : 0) || (status == 0 && now == fine),
                      "%s: allocation %llu: status %d: %s", name, (unsigned long long)n, status, err.text);
            cr_expect_eq(r.live, 0, "%s: allocation %llu: %zu blocks are left, the first of %zu bytes", name,
                         (unsigned long long)n, r.live, r.first_bytes);
        }
        cr_expect_gt(refused, 10, "%s", name);
        cr_expect_eq(now, fine);
    }
}
