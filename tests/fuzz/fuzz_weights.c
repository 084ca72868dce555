/* fuzz_weights.c: a weights file, as that of a router, as a checkpoint, and as `inspect` sees it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/parsers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_router(data, size);
    fuzz_checkpoint(data, size);
    fuzz_inspect(data, size);
    return 0;
}
