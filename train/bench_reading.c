/* bench_reading.c: how fast features are read; see bench_reading.h.
 *
 * The limit is read(2) of the same files' bytes into one small buffer by one thread: the system's cache and
 * nothing else. Of compressed files there are fewer bytes, so their share says what unpacking costs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "train/bench.h"
#include "train/bench_reading.h"

#define BATCH      256 /* rows, as the recipe takes them */
#define PLAIN_READ ((size_t)1 << 18)

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
        sr_bench_sort(b->seconds, rounds);
    sr_free(row);
    return status;
}

/* ---- the part ---- */

static int file_read(const char *path, unsigned char *buffer, struct sr_error *err) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? -1 : 1;
    while (got > 0)
        got = read(file, buffer, PLAIN_READ);
    const int why = errno;
    if (file >= 0)
        close(file);
    return got < 0 ? sr_fail(err, SR_IO, "%s: %s", path, strerror(why)) : SR_OK;
}

/* Least seconds of `rounds` readings of the plain bytes. */
static int plain_time(double *least, struct sr_bench *b, struct sr_error *err) {
    struct sr_data *d;
    unsigned char *buffer = NULL;
    int status = sr_data_open(&d, b->data, &b->how, err);
    if (status < 0)
        return status;
    buffer = sr_alloc(PLAIN_READ, 1, err);
    status = buffer ? SR_OK : SR_NOMEM;
    *least = 0;
    for (size_t r = 0; status == SR_OK && r < b->rounds; r++) {
        const double began = sr_log_clock();
        for (size_t i = 0; status == SR_OK && i < d->files; i++)
            status = file_read(sr_data_path(d, i), buffer, err);
        const double seconds = sr_log_clock() - began;
        *least = r == 0 || seconds < *least ? seconds : *least;
    }
    sr_free(buffer);
    sr_data_close(d);
    return status;
}

static void report(struct sr_bench_result *out, struct sr_bench_reading *m, const struct sr_bench *b,
                   double least) {
    struct sr_json *o = out->json = sr_json_object(), *seconds = sr_json_array();
    char checksum[17];
    snprintf(checksum, sizeof checksum, "%016" PRIx64, m->checksum);
    for (size_t i = 0; i < m->rounds; i++)
        sr_json_append(seconds, sr_json_number(m->seconds[i]));
    sr_json_set(o, "data", sr_json_string(b->data));
    sr_bench_set_integer(o, "rows", m->rows);
    sr_bench_set_integer(o, "features", m->width);
    sr_json_set(o, "type", sr_json_string(m->type));
    sr_json_set(o, "way", sr_json_string(m->way));
    sr_json_set(o, "threads", sr_json_integer(b->threads));
    sr_json_set(o, "seconds", seconds);
    for (size_t i = 0; i < m->rounds; i++)
        m->seconds[i] = (double)m->rows / m->seconds[i];
    const double rate = sr_bench_set(o, "rows_per_second", m->seconds, m->rounds);
    sr_bench_set_number(o, "megabytes_per_second", rate * (double)m->width * sizeof(float) / 1e6);
    sr_bench_set_number(o, "of_limit", least * rate / (double)m->rows);
    sr_json_set(o, "checksum", sr_json_string(checksum));
    snprintf(out->title, sizeof out->title,
             "reading %.200s: %zu rows of %zu %s\n"
             "read %s by %d thread%s, as float32 in file order; limit: read(2) of the files' bytes",
             b->data, m->rows, m->width, m->type, m->way, b->threads, b->threads == 1 ? "" : "s");
}

static int run(struct sr_bench_result *out, struct sr_bench *b, struct sr_error *err) {
    struct sr_bench_reading m = {0};
    double least = 0;
    int status = sr_bench_reading(&m, b->data, &b->how, b->rounds, err);
    if (status == SR_OK)
        status = plain_time(&least, b, err);
    if (status == SR_OK)
        report(out, &m, b, least);
    sr_free(m.seconds);
    return status;
}

const struct sr_bench_part sr_bench_part_reading = {
    .name = "reading",
    .needs_data = true,
    .run = run,
    .column = {{"rows/s", .key = "rows_per_second", .range = true},
               {"MB/s of float32", .key = "megabytes_per_second"},
               {"of limit", .key = "of_limit", .percent = true},
               {"checksum", .key = "checksum"},
               {0}},
};
