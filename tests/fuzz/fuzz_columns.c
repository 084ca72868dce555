/* fuzz_columns.c: a file of tensors as columns of rows (data/table_tensors.c), and as the hidden states of a
 * request (data/table_hidden.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "data/role.h"
#include "tests/fuzz/table_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char folder[160];
    fuzz_table(fuzz_file_named(data, size, ".safetensors"), SR_ROLES);
    snprintf(folder, sizeof folder, "%s", fuzz_folder());
    fuzz_table(folder, SR_ROLES);
    return 0;
}
