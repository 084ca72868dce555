/* fuzz_h5.c: a dump as a whole. HDF5's own library is not ours: where a crash's innermost frames are in
 * libhdf5, it is what --isolate is for.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tests/fuzz/dump_check.h"

/* What LeakSanitizer is not to report: HDF5 keeps blocks of its own when an open file turns out to be none.
 */
/* The name is the sanitizer's. NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libhdf5";
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

/* In the builds that count blocks: HDF5 1.10 loses three where it cannot read a piece of a header. */
const long fuzz_lost_by_library = 3;

/* HDF5 1.10 reads a global heap ("GCOL", 4 bytes, 8 of its size, then objects) for ever where an object takes
 * no bytes. Such files are passed over, or a run would find nothing else. */
static bool hangs_hdf5(const uint8_t *data, size_t size) {
    for (const uint8_t *heap = data, *end = data + size;
         (heap = memmem(heap, (size_t)(end - heap), "GCOL", 4)); heap++)
        for (const uint8_t *object = heap + 16; end - object >= 16;) {
            uint64_t bytes;
            memcpy(&bytes, object + 8, sizeof bytes);
            const uint64_t whole = object[0] || object[1] ? 16 + (bytes + 7) / 8 * 8 : bytes;
            if (whole == 0)
                return true;
            if (whole > (uint64_t)(end - object))
                break;
            object += whole;
        }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct sr_data_options how = {
        .one_file = true, .label_optional = true, .uint16_is_bfloat = size % 2 == 1};
    if (!hangs_hdf5(data, size))
        fuzz_dump(fuzz_file_named(data, size, ".h5"), &how);
    return 0;
}
