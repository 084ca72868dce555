/* set.h: several dumps as one set of rows, seen from inside data/.
 *
 * Features are stored as one type: the files' own if they share it, else float. SR_BAND_ROWS consecutive rows
 * of the set are a band, the unit of reading and of shuffling; the last band may be shorter. Bands have
 * nothing to do with the chunks of a file and may span two files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_SET_H
#define SR_SET_H

#include <stdatomic.h>

#include "data/dump.h"
#include "data/names.h"

#define SR_BAND_ROWS ((size_t)256)

struct sr_data_private {
    struct sr_dump **dump; /* [files] */
    size_t *first;         /* [files + 1]: first row of each file */
    enum sr_feature type;  /* of stored features */
    size_t row_bytes;
    unsigned char *kept; /* all features, or NULL */
    atomic_size_t last;  /* the file that was read last */
    struct sr_names sources;
};

static inline size_t sr_set_bands(const struct sr_data *d) {
    return (d->rows + SR_BAND_ROWS - 1) / SR_BAND_ROWS;
}

/* Group of a row that has none: 64 random bits of the row, which in practice no other group has. */
static inline int64_t sr_set_lone_group(size_t row) {
    return (int64_t)sr_random_bits(0, sr_stream(SR_STREAM_SPLIT, 1, 0), row);
}

/* Rows first .. first+rows of the set from the files to out, row_bytes each. Any thread may call it. */
int sr_set_read(const struct sr_data *d, void *out, size_t first, size_t rows, struct sr_error *err);

#endif
