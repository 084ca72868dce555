/* deal.h: rows dealt out to parts by quotas, those of one group together.
 *
 *     struct sr_deal deal;
 *     sr_deal_begin(&deal, rows, n, group, seed, err);  // the order, a function of groups and seed
 *     sr_deal_fill(&deal, part, parts, stratum, strata, quota, err);
 *     sr_deal_end(&deal);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_DEAL_H
#define SR_DEAL_H

#include <stddef.h>
#include <stdint.h>

#include "nn/base/base.h"

struct sr_deal_member;

struct sr_deal {
    struct sr_deal_member *member; /* [n], groups in random order, the rows of each together */
    size_t n;
};

/* rows[0..n): those that take part. group: of every row of the data, or NULL: each is one of its own. */
int sr_deal_begin(struct sr_deal *deal, const uint32_t *rows, size_t n, const int64_t *group, uint64_t seed,
                  struct sr_error *err);
void sr_deal_end(struct sr_deal *deal);

/* Of members in their order: the row of one; whether two are of one group. */
uint32_t sr_deal_row(const struct sr_deal *deal, size_t member);
bool sr_deal_same(const struct sr_deal *deal, size_t a, size_t b);

/* Groups that are in part 0 now go, in their order, to the first part p >= 1 in which no stratum gets more
 * than quota[p * strata + s] rows with what the part has; where there is none they stay in 0. part[row] <
 * parts and stratum[row] < strata of every row that takes part; a group is whole in one part. */
int sr_deal_fill(const struct sr_deal *deal, uint8_t *part, size_t parts, const uint32_t *stratum,
                 size_t strata, const size_t *quota, struct sr_error *err);

#endif
