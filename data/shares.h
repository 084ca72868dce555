/* shares.h: rows into parts so that each has its share of every label, source and size of group.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_SHARES_H
#define SR_SHARES_H

#include "data/parts.h"

/* Rows that are in SR_PART_TRAIN go to the others by their fractions, which are of what is in
 * SR_PART_TRAIN now (0: gets none) and leave something for it. group[row]: a number that the rows of a group
 * share; they stay together. No part but training has more than its share of a label, rounded. A function of
 * labels, sources, groups, fractions and seed; time and memory do not depend on how many sources there are.
 */
int sr_shares_deal(uint8_t *part, const struct sr_data *d, const int64_t *group,
                   const double fraction[SR_PARTS], uint64_t seed, struct sr_error *err);

#endif
