/* scan.h: the pass over all features, with others riding on it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_SCAN_H
#define SR_SCAN_H

#include "data/data.h"

/* Some rows of the pass. */
struct sr_scan_block {
    size_t first, rows;   /* rows first .. first+rows of the set */
    const float *x;       /* [rows, width] */
    const uint8_t *good;  /* [rows]; 0: a NaN or an infinity is among the features */
    const uint64_t *hash; /* [rows], sr_row_hash of each */
};

/* Gets every block once, in the order of the rows, from the calling thread and outside any parallel region;
 * what it points to is gone after the call. Has the same bits for any thread count, if it sees to it that its
 * own sums do. */
struct sr_scan_visitor {
    void (*visit)(void *user, const struct sr_scan_block *block);
    void *user;
};

/* sr_data_scan, handing the rows to n visitors as they pass. */
int sr_scan_visit(struct sr_data *d, struct sr_scan *scan, const struct sr_scan_visitor *visitor, size_t n,
                  void (*progress)(void *user, double fraction), void *user, struct sr_error *err);

#endif
