/* fuzz_pt.c: a .pt file, as archive and as tensors.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/parsers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_zip(data, size);
    fuzz_columns(data, size);
    fuzz_tensors(data, size);
    return 0;
}
