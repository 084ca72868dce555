/* bench_reading.c: see bench_reading.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "train/bench_reading.h"

#define BATCH 256 /* rows, as the recipe takes them */

static uint64_t batch_checksum(const struct sr_batch *batch, size_t width) {
    uint64_t sum = 0;
    for (size_t r = 0; r < batch->rows; r++) {
        uint64_t row = 0;
        for (size_t k = 0; k < width; k++) {
            uint32_t bits;
            memcpy(&bits, batch->x + r * width + k, sizeof bits);
            row += (k + 1) * bits;
        }
        sum += ((uint64_t)batch->row[r] + 1) * row;
    }
    return sum;
}

/* All rows of d once; adds up their checksum where one is wanted. */
static int read_rows(struct sr_data *d, const uint32_t *row, uint64_t *checksum, struct sr_error *err) {
    const struct sr_loader_options how = {.order = SR_ORDER_FILE, .batch = BATCH};
    struct sr_loader *loader;
    struct sr_batch batch;
    int got = sr_loader_create(&loader, d, row, d->rows, &how, err);
    if (got < 0)
        return got;
    got = sr_loader_start(loader, 0, 0, err);
    while (got >= 0 && (got = sr_loader_next(loader, &batch, err)) > 0)
        if (checksum)
            *checksum += batch_checksum(&batch, d->width);
    sr_loader_free(loader);
    return got;
}

static int round_time(double *seconds, const char *paths, const struct sr_data_options *how,
                      const uint32_t *row, struct sr_error *err) {
    struct sr_data *d;
    const double began = sr_log_clock();
    int status = sr_data_open(&d, paths, how, err);
    if (status < 0)
        return status;
    status = read_rows(d, row, NULL, err);
    *seconds = sr_log_clock() - began;
    sr_data_close(d);
    return status;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Shape, type and checksum; *row becomes the numbers of all rows. */
static int look(struct sr_bench_reading *b, uint32_t **row, const char *paths,
                const struct sr_data_options *how, struct sr_error *err) {
    struct sr_data *d;
    int status = sr_data_open(&d, paths, how, err);
    if (status < 0)
        return status;
    b->rows = d->rows;
    b->width = d->width;
    b->type = sr_data_feature_type(d);
    b->way = sr_data_way(d);
    *row = sr_alloc(d->rows, sizeof **row, err);
    for (size_t i = 0; *row && i < d->rows; i++)
        (*row)[i] = (uint32_t)i;
    status = *row ? read_rows(d, *row, &b->checksum, err) : SR_NOMEM;
    sr_data_close(d);
    return status;
}

int sr_bench_reading(struct sr_bench_reading *b, const char *paths, const struct sr_data_options *how,
                     size_t rounds, struct sr_error *err) {
    uint32_t *row = NULL;
    *b = (struct sr_bench_reading){.rounds = rounds};
    int status = look(b, &row, paths, how, err);
    if (status == SR_OK && !(b->seconds = sr_alloc(rounds, sizeof *b->seconds, err)))
        status = SR_NOMEM;
    for (size_t i = 0; status == SR_OK && i < rounds; i++)
        status = round_time(&b->seconds[i], paths, how, row, err);
    if (status == SR_OK)
        qsort(b->seconds, rounds, sizeof *b->seconds, ascending);
    sr_free(row);
    return status;
}
