/* rows.h: what is known of the rows that are measured.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_ROWS_H
#define SR_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "eval/prices.h"

/* Columns, [n] each, borrowed. Of a label, gold or verdict 0 and 1 are known and anything else is unknown. */
struct sr_rows {
    size_t n;
    const uint8_t *label; /* 1: small wrong and large right; NULL, for who allows it: all unknown */
    const float *prob;    /* of the router; NaN: it cannot score the row, which therefore goes to the large
                             guard at any threshold */
    const uint8_t *gold, *small_pred, *large_pred; /* 1: unsafe; or NULL, all three or none */
    const float *small_prob, *large_prob;          /* P(unsafe), NaN: unknown; or NULL */
    const int64_t *group;                          /* twins share one; or NULL */
};

#endif
