/* near_list.h: the few rows that look nearest to one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_NEAR_LIST_H
#define SR_NEAR_LIST_H

#include "data/near.h"

struct sr_near_candidate {
    uint32_t row;
    uint16_t distance; /* bits in which the signatures differ */
    uint16_t set;      /* that the row is of, modulo 2^16 */
};

/* Ascending by (distance, row). Begins as all zeros. */
struct sr_near_list {
    struct sr_near_candidate nearest[SR_NEAR_KEPT];
    uint16_t count;
    uint16_t full; /* a row had to go */
};

/* A row that is there already is left alone. Where the list is full the farthest goes, but not the only one
 * of its set, as long as one of them is of a set that has more. */
void sr_near_list_offer(struct sr_near_list *list, struct sr_near_candidate c);
bool sr_near_list_has(const struct sr_near_list *list, uint32_t row);

#endif
