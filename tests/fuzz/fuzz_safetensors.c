/* fuzz_safetensors.c: a safetensors file, as columns of rows and as tensors.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/parsers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_columns(data, size);
    fuzz_safetensors(data, size);
    return 0;
}
