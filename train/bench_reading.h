/* bench_reading.h: how fast features are read: from the file to float32, by what training reads with.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_BENCH_READING_H
#define SR_BENCH_READING_H

#include "data/data.h"

struct sr_bench_reading {
    size_t rows, width;
    const char *type, *way; /* sr_data_feature_type, sr_data_way */
    /* Sum over rows r and columns k of (r + 1) * (k + 1) * the bits of the value as float32, modulo 2^64. */
    uint64_t checksum;
    size_t rounds;
    double *seconds; /* [rounds], ascending; free with sr_free */
};

/* Reads all features of paths (as sr_data_open takes them) once for the checksum, untimed, then `rounds`
 * times in file order through a loader that streams: each time from opening the files to the last row. Errors
 * of sr_data_open and the loader. */
int sr_bench_reading(struct sr_bench_reading *b, const char *paths, const struct sr_data_options *how,
                     size_t rounds, struct sr_error *err);

#endif
