/* gather.h: rows of a dataset in any order, a block at a time.
 *
 *     struct sr_gather g;
 *     sr_gather_begin(&g, &source, rows, n, multiple, err);
 *     for (i = 0; i < n; i += got) {
 *         got = n - i < g.block_rows ? n - i : g.block_rows;
 *         sr_gather_read(&g, i, got, err);                    // g.block: rows i .. i+got of the order
 *         ...
 *         sr_gather_release(&g, got);
 *     }
 *     sr_gather_end(&g);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_GATHER_H
#define SR_GATHER_H

#include "data/h5_copy.h"

/* What is read: a dataset as it is, or, where there is a matrix, features as it reads them. Borrowed. */
struct sr_gather_source {
    struct sr_h5_items *items;
    struct sr_h5_matrix *matrix; /* or NULL */
    enum sr_feature stored;      /* what the matrix reads */
    size_t bytes;                /* a row in memory, above 0 */
    size_t rows;                 /* of the file */
};

struct sr_gather_place;

struct sr_gather {
    struct sr_gather_source from;
    const uint32_t *rows;
    bool rising;
    size_t block_rows; /* most that are read at once */
    size_t span_rows;
    unsigned char *block; /* [block_rows, bytes] */
    unsigned char *span;
    struct sr_gather_place *place;
};

/* rows[0..n): distinct rows of the file, borrowed; NULL: the first n. Blocks are whole multiples of
 * `multiple` rows. Free with sr_gather_end, also after a failure. About 50 MB, or 300 MB where rows do not
 * rise. */
int sr_gather_begin(struct sr_gather *g, const struct sr_gather_source *from, const uint32_t *rows, size_t n,
                    size_t multiple, struct sr_error *err);
void sr_gather_end(struct sr_gather *g);

int sr_gather_read(struct sr_gather *g, size_t first, size_t n, struct sr_error *err);

/* Frees what the block's first n rows point to, if they do. */
void sr_gather_release(struct sr_gather *g, size_t n);

#endif
