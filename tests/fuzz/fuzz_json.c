/* fuzz_json.c: every document that is JSON or stands in one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/parsers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_json(data, size);
    fuzz_calibrator(data, size);
    fuzz_contract(data, size);
    fuzz_decision(data, size);
    fuzz_gate(data, size);
    fuzz_sketch(data, size);
    return 0;
}
