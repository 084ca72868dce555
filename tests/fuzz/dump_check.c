/* dump_check.c: see dump_check.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/dump_check.h"

#include <math.h>

#include "tests/fuzz/parsers.h"

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

void fuzz_dump(const char *path, const struct sr_data_options *how) {
    const char *title = NULL;
    struct sr_error err = {0};
    struct sr_facts facts = {0};
    struct sr_data *d = NULL;
    fuzz_accepted(sr_data_facts_hdf5(&facts, &title, path, how, &err), &err);
    sr_facts_free(&facts);
    if (fuzz_accepted(sr_data_open(&d, path, how, &err), &err)) {
        check_columns(d);
        read_batches(d);
    }
    sr_data_close(d);
    fuzz_rows(path);
}
