/* fuzz_jsonl.c: an object a line (data/jsonl.c, data/table_jsonl.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/role.h"
#include "tests/fuzz/table_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_table(fuzz_file_named(data, size, ".jsonl"), SR_ROLES);
    return 0;
}
