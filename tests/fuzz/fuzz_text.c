/* fuzz_text.c: what stands in fields and arguments: a number, text to show, a list of files.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/parsers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_number(data, size);
    fuzz_utf8(data, size);
    fuzz_paths(data, size);
    return 0;
}
