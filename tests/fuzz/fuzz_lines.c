/* fuzz_lines.c: a value a line (data/lines.c, data/table_lines.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/role.h"
#include "tests/fuzz/table_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *path = fuzz_file_named(data, size, ".txt");
    fuzz_table(path, SR_ROLE_SOURCE);
    fuzz_table(path, SR_ROLE_LABEL);
    return 0;
}
