/* fuzz_npy.c: a file of tensors, as columns of rows and as tensors; the seeds are .npy files.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/parsers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_columns(data, size);
    fuzz_tensors(data, size);
    return 0;
}
