/* test_data_chunk.c: what unpacks chunks, where memory ends. What it makes of chunks: test_data_forms.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <string.h>

#include "data/chunk.h"
#include "tests/failing_memory.h"

Test(data_chunk, a_decoder_lacks_no_part) {
    const struct sr_chunk_form form = {.rows = 4, .width = 8, .size = 2, .bit = {1, 2, 4}};
    for (uint64_t n = 1;; n++) {
        struct sr_chunk_decoder *d = NULL;
        struct sr_error err = {0};
        memory_begin(n);
        const int status = sr_chunk_decoder_create(&d, &form, &err);
        if (status == 0)
            sr_chunk_decoder_free(d);
        const struct memory_report r = memory_end();
        cr_assert_eq(r.live, 0, "allocation %llu: %zu blocks are left", (unsigned long long)n, r.live);
        cr_assert_eq(status, r.failed ? SR_NOMEM : 0, "allocation %llu: %s", (unsigned long long)n, err.text);
        if (r.failed)
            continue;
        cr_expect_geq(n, 5); /* itself, two buffers and libdeflate's */
        return;
    }
}
