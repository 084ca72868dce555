/* fuzz_npy.c: a file of tensors as it lies on the disk; the seeds are npy files.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/tensors_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_tensors(fuzz_file(0, data, size), size);
    return 0;
}
