/* sketch_check.c: a sketch of rows as weights have it (data/sketch.c); printed and read again it is the same
 * text.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "data/sketch.h"
#include "tests/fuzz/parsers.h"

void fuzz_sketch(const uint8_t *data, size_t size) {
    static const uint64_t hashes[] = {1, 0x123456789abcdefULL, UINT64_MAX};
    struct sr_error err = {0};
    static struct sr_sketch s;
    char *text = fuzz_text(data, size);
    if (fuzz_accepted(sr_sketch_parse(&s, text, "f.safetensors", "rows_trained", &err), &err)) {
        char *again = sr_sketch_text(&s, &err);
        FUZZ_CHECK(again && strcmp(again, text) == 0, "%s is printed as %s", text, again ? again : err.text);
        const struct sr_overlap o = sr_sketch_overlap(&s, hashes, SR_COUNT(hashes));
        FUZZ_CHECK(o.seen <= SR_COUNT(hashes) && !(o.share < 0) && !(o.share > 1), "seen %zu, share %g",
                   o.seen, o.share);
        sr_free(again);
    }
    sr_free(text);
}
