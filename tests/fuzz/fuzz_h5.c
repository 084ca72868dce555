/* fuzz_h5.c: a dump as a whole: `inspect` (data/dump_facts.c), then opened and all features read in batches.
 * HDF5's own library is not ours: where a crash's innermost frames are in libhdf5, it is what --isolate is
 * for.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "data/data.h"
#include "tests/fuzz/check.h"

/* What LeakSanitizer is not to report: HDF5 keeps blocks of its own when an open file turns out to be none.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libhdf5";
}

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

static void read_batches(struct sr_data *d) {
    const struct sr_loader_options how = {.order = SR_ORDER_FILE, .batch = 64};
    struct sr_error err = {0};
    struct sr_loader *l = NULL;
    struct sr_batch b;
    size_t rows = 0;
    uint32_t *row = sr_alloc(d->rows, sizeof *row, NULL);
    FUZZ_CHECK(row, "no memory for %zu rows", d->rows);
    for (size_t i = 0; i < d->rows; i++)
        row[i] = (uint32_t)i;
    int status = sr_loader_create(&l, d, row, d->rows, &how, &err);
    if (status == 0)
        status = sr_loader_start(l, 0, 0, &err);
    while (status == 0 && (status = sr_loader_next(l, &b, &err)) > 0) {
        FUZZ_CHECK(b.rows > 0 && b.rows <= 64, "%zu rows a batch", b.rows);
        rows += b.rows;
        status = 0;
    }
    if (fuzz_accepted(status, &err))
        FUZZ_CHECK(rows == d->rows, "%zu rows of %zu", rows, d->rows);
    sr_loader_free(l);
    sr_free(row);
}

static bool is_flag(const uint8_t *column, size_t i) {
    return !column || column[i] <= 1 || column[i] == SR_UNKNOWN;
}

static void check_columns(const struct sr_data *d) {
    FUZZ_CHECK(d->rows > 0 && d->rows <= UINT32_MAX && d->width > 0 && d->width <= SR_DATA_WIDTH_MAX,
               "%zu x %zu", d->rows, d->width);
    for (size_t i = 0; i < d->rows; i++) {
        FUZZ_CHECK(is_flag(d->label, i) && is_flag(d->gold, i), "row %zu has a label that is none", i);
        FUZZ_CHECK(!d->weight || (isfinite(d->weight[i]) && d->weight[i] >= 0), "row %zu has a weight", i);
        FUZZ_CHECK(!d->id || d->id[i], "row %zu has no id", i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sr_data_options how = {.one_file = true, .label_optional = true};
    if (hangs_hdf5(data, size))
        return 0;
    const char *path = fuzz_file_named(data, size, ".h5"), *title = NULL;
    struct sr_error err = {0};
    struct sr_facts facts = {0};
    struct sr_data *d = NULL;
    how.uint16_is_bfloat = size % 2 == 1;
    fuzz_accepted(sr_data_facts_hdf5(&facts, &title, path, &how, &err), &err);
    sr_facts_free(&facts);
    if (fuzz_accepted(sr_data_open(&d, path, &how, &err), &err)) {
        check_columns(d);
        read_batches(d);
    }
    sr_data_close(d);
    return 0;
}
