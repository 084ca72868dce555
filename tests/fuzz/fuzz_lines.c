/* fuzz_lines.c: a value a line (data/lines.c, data/table_lines.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/table_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_table(fuzz_file_named(data, size, ".txt"), false);
    return 0;
}
