/* scores_check.c: a CSV file as records (data/csv.c) and as scores (data/scores_read.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "data/csv.h"
#include "data/data.h"
#include "data/dump.h"
#include "data/set.h"
#include "tests/fuzz/parsers.h"

#define ROWS 3

static void read_records(const char *path) {
    struct sr_error err = {0};
    struct sr_csv *c = NULL;
    size_t fields = 0, records = 0, at;
    int status = sr_csv_open(&c, path, &err);
    while (status >= 0 && (status = sr_csv_next(c, &err)) > 0) {
        FUZZ_CHECK(records++ == 0 || sr_csv_fields(c) == fields, "another number of fields");
        fields = sr_csv_fields(c);
        size_t bytes = 0;
        for (size_t i = 0; i < fields; i++)
            bytes += strlen(sr_csv_field(c, i)) + 1;
        FUZZ_CHECK(bytes <= SR_CSV_BYTES, "a record of %zu bytes", bytes);
        struct sr_error two = {0};
        if (fuzz_accepted(sr_csv_column(&at, c, sr_csv_field(c, 0), &two), &two))
            FUZZ_CHECK(at == 0, "the first column is found as %zu", at);
    }
    fuzz_accepted(status, &err);
    sr_csv_close(c);
}

static void read_scores(const char *path) {
    char first[] = "a", second[] = "b", none[] = "";
    char *id[ROWS] = {first, second, none};
    char name[] = "d.h5";
    size_t begin[] = {0, ROWS};
    struct sr_dump dump = {.path = name}, *dumps[] = {&dump};
    struct sr_data_private in = {.dump = dumps, .first = begin};
    const struct sr_data d = {.rows = ROWS, .width = 4, .files = 1, .id = id, .in = &in};
    struct sr_error err = {0};
    float prob[ROWS];
    if (fuzz_accepted(sr_data_read_scores(prob, path, &d, &err), &err))
        for (size_t i = 0; i < ROWS; i++)
            FUZZ_CHECK(isnan(prob[i]) || (prob[i] >= 0 && prob[i] <= 1), "prob %g", (double)prob[i]);
}

void fuzz_scores(const uint8_t *data, size_t size) {
    const char *path = fuzz_file_named(data, size, ".csv");
    read_records(path);
    read_scores(path);
}
