/* fuzz_pickle.c: a pickle by itself, and as that of a .pt file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/parsers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_pickle(data, size);
    fuzz_records(data, size);
    return 0;
}
