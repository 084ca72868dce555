/* calibrator_check.c: a calibrator as weights have it (nn/base/calibrator.c). What is accepted is a never
 * falling function into 0..1, and is printed and read as the same, bit by bit.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "tests/fuzz/parsers.h"

static void check(const struct sr_calibrator *c) {
    struct sr_error err = {0};
    struct sr_calibrator *again;
    double before = 0;
    char *text = sr_calibrator_text(c, &err);
    FUZZ_CHECK(text && sr_calibrator_parse(&again, text, &err) == 0, "%s", err.text);
    for (int i = 0; i <= 64; i++) {
        const double p = sr_calibrator_apply(c, i / 64.), q = sr_calibrator_apply(again, i / 64.);
        FUZZ_CHECK(p >= 0 && p <= 1 && p >= before, "%g becomes %.17g, after %.17g", i / 64., p, before);
        /* the same bits. NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-*) */
        FUZZ_CHECK(memcmp(&p, &q, sizeof p) == 0, "%.17g, printed and read %.17g", p, q);
        before = p;
    }
    FUZZ_CHECK(isnan(sr_calibrator_apply(c, (double)NAN)), "a prob from NaN");
    sr_calibrator_free(again);
    sr_free(text);
}

void fuzz_calibrator(const uint8_t *data, size_t size) {
    struct sr_error err = {0};
    struct sr_calibrator *c = NULL;
    char *text = fuzz_text(data, size);
    if (fuzz_accepted(sr_calibrator_parse(&c, text, &err), &err)) {
        check(c);
        sr_calibrator_free(c);
    }
    sr_free(text);
}
