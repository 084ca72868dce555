/* fuzz_table.c: a file of rows in every form of text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/parsers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_scores(data, size);
    fuzz_csv(data, size);
    fuzz_jsonl(data, size);
    fuzz_lines(data, size);
    return 0;
}
