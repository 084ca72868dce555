/* amplification.c: bytes read for bytes wanted. See amplification.h.
 *
 * In doubles: shapes and chunks come from the file, and a count that is off by rounding is no harm here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/amplification.h"

static uint64_t greatest_divisor(uint64_t a, uint64_t b) {
    while (b > 0) {
        const uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Rows of chunks that all bands touch together: one each, and one more for each border of chunks inside a
 * band; borders of chunks that are borders of bands too come at multiples of both. */
static double chunk_rows(uint64_t rows, uint64_t chunk, uint64_t band) {
    const uint64_t bands = rows / band + (rows % band != 0), borders = (rows - 1) / chunk,
                   shared = (rows - 1) / (chunk / greatest_divisor(chunk, band)) / band;
    return (double)(bands + borders - shared);
}

struct sr_amplification sr_amplification_of(const struct sr_h5_info *info,
                                            const struct sr_h5_storage *storage, uint64_t band) {
    const uint64_t rows = info->shape[0], n = band < rows ? band : rows;
    /* a whole number of bands. NOLINTNEXTLINE(bugprone-integer-division) */
    const double item = (double)info->size, bands = (double)(rows / n + (rows % n != 0)),
                 wanted = (double)rows / bands * (double)info->shape[1] * item;
    if (storage->kind != SR_H5_CHUNKS)
        return (struct sr_amplification){0, wanted, wanted, 1, false};
    const uint64_t across = info->shape[1] / storage->chunk[1] + (info->shape[1] % storage->chunk[1] != 0);
    const double chunk = (double)storage->chunk[0] * (double)storage->chunk[1] * item,
                 chunks = (double)across * chunk_rows(rows, storage->chunk[0], n) / bands,
                 strip = (double)across * chunk;
    if (strip > (double)SR_H5_STRIP_MAX && chunk > (double)SR_H5_CACHE_MAX && !storage->filtered)
        return (struct sr_amplification){chunks, wanted, wanted, 1, false};
    return (struct sr_amplification){chunks, chunks * chunk, wanted, chunks * chunk / wanted,
                                     storage->chunk[0] >= rows && strip <= (double)SR_H5_CACHE_MAX};
}
