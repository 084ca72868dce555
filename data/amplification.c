/* amplification.c: bytes read for bytes wanted. See amplification.h.
 *
 * In doubles: shapes and chunks come from the file, and a count that is off by rounding is no harm here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/amplification.h"

/* Rows of chunks that a band touches, on average. Where bands begin in their chunks repeats after as many
 * bands as a chunk has rows, so no more of them are looked at. */
static double chunk_rows(uint64_t rows, uint64_t chunk, uint64_t band) {
    const uint64_t bands = rows / band + (rows % band != 0), looked_at = bands < chunk ? bands : chunk;
    double touched = 0;
    if (band == 1)
        return 1;
    for (uint64_t b = 0; b < looked_at; b++) {
        const uint64_t first = b * band, left = rows - first, n = left < band ? left : band;
        touched += (double)((first + n - 1) / chunk - first / chunk + 1);
    }
    return touched / (double)looked_at;
}

struct sr_amplification sr_amplification_of(const struct sr_h5_info *info,
                                            const struct sr_h5_storage *storage, uint64_t band) {
    const uint64_t rows = info->shape[0], n = band < rows ? band : rows;
    const double item = (double)info->size, bands = (double)(rows / n + (rows % n != 0)),
                 wanted = (double)rows / bands * (double)info->shape[1] * item;
    if (storage->kind != SR_H5_CHUNKS)
        return (struct sr_amplification){0, wanted, wanted, 1};
    const uint64_t across = info->shape[1] / storage->chunk[1] + (info->shape[1] % storage->chunk[1] != 0);
    const double chunks = (double)across * chunk_rows(rows, storage->chunk[0], n),
                 bytes = chunks * (double)storage->chunk[0] * (double)storage->chunk[1] * item;
    return (struct sr_amplification){chunks, bytes, wanted, bytes / wanted};
}
