/* fuzz_run.c: settings of a run, as a configuration file and as its folder.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/parsers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_config(data, size);
    fuzz_run(data, size);
    return 0;
}
