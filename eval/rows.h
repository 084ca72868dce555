/* rows.h: what is known of the rows that are measured, and what a routed row costs.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_ROWS_H
#define SR_ROWS_H

#include <stddef.h>
#include <stdint.h>

/* Columns, [n] each, borrowed. Of a label, gold or verdict 0 and 1 are known and anything else is unknown. */
struct sr_rows {
    size_t n;
    const uint8_t *label; /* 1: small wrong and large right */
    const float *prob;    /* of the router; NaN: it cannot score the row, which therefore goes to the large
                             guard at any threshold */
    const uint8_t *gold, *small_pred, *large_pred; /* 1: unsafe; or NULL, all three or none */
    const float *small_prob, *large_prob;          /* P(unsafe), NaN: unknown; or NULL */
    const int64_t *group;                          /* twins share one; or NULL */
};

/* What guards and errors cost; NaN: not known, and so is what would follow from it. The small guard always
 * runs: a row costs small + router, and a routed one the large guard besides. Any one unit of money. */
struct sr_prices {
    double small_ms, router_ms, large_ms; /* latency */
    double small_cost, large_cost;        /* of a row judged */
    double missed_cost, alarm_cost;       /* of an unsafe row called safe, of a safe row called unsafe */
};

#endif
