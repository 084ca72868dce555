/* deal.c: rows dealt out to parts. See deal.h.
 *
 * Groups (twins and paraphrases; a row alone where the data has none) are put into a random order by Philox,
 * keyed by the group itself, and taken for a part as long as no stratum gets more than its share. Large
 * groups that do not fit are passed over, so the shares are met as closely as the groups allow.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/deal.h"

#include <stdlib.h>

struct sr_deal_member {
    uint64_t order; /* random, the same for all rows of a group */
    uint64_t group;
    uint32_t row;
};

static int compare(const void *pa, const void *pb) {
    const struct sr_deal_member *a = pa, *b = pb;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

int sr_deal_begin(struct sr_deal *deal, const uint32_t *rows, size_t n, const int64_t *group, uint64_t seed,
                  struct sr_error *err) {
    *deal = (struct sr_deal){.member = sr_alloc(n, sizeof *deal->member, err), .n = n};
    if (!deal->member)
        return SR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const uint64_t of = group ? (uint64_t)group[rows[i]] : rows[i];
        const uint64_t order = sr_random_bits(seed, sr_stream(SR_STREAM_SPLIT, 0, 0), of);
        deal->member[i] = (struct sr_deal_member){order, of, rows[i]};
    }
    qsort(deal->member, n, sizeof *deal->member, compare);
    return 0;
}

void sr_deal_end(struct sr_deal *deal) {
    sr_free(deal->member);
    *deal = (struct sr_deal){0};
}

uint32_t sr_deal_row(const struct sr_deal *deal, size_t member) {
    return deal->member[member].row;
}

bool sr_deal_same(const struct sr_deal *deal, size_t a, size_t b) {
    return deal->member[a].group == deal->member[b].group;
}

/* Members begin .. end are a group. Adds their rows to a part's counts, or takes them away again. */
static void count_group(size_t *taken, const struct sr_deal_member *member, size_t begin, size_t end,
                        const uint32_t *stratum, size_t by) {
    for (size_t i = begin; i < end; i++)
        taken[stratum[member[i].row]] += by;
}

static bool has_room(const size_t *taken, const size_t *quota, const struct sr_deal_member *member,
                     size_t begin, size_t end, const uint32_t *stratum) {
    for (size_t i = begin; i < end; i++)
        if (taken[stratum[member[i].row]] > quota[stratum[member[i].row]])
            return false;
    return true;
}

int sr_deal_fill(const struct sr_deal *deal, uint8_t *part, size_t parts, const uint32_t *stratum,
                 size_t strata, const size_t *quota, struct sr_error *err) {
    const struct sr_deal_member *member = deal->member;
    size_t *taken = sr_alloc(parts * strata, sizeof *taken, err);
    if (!taken)
        return SR_NOMEM;
    for (size_t i = 0; i < deal->n; i++)
        taken[part[member[i].row] * strata + stratum[member[i].row]]++;
    for (size_t begin = 0, end; begin < deal->n; begin = end) {
        for (end = begin; end < deal->n && member[end].group == member[begin].group; end++)
            ;
        for (size_t p = 1; p < parts && part[member[begin].row] == 0; p++) {
            size_t *of = taken + p * strata;
            count_group(of, member, begin, end, stratum, 1);
            if (!has_room(of, quota + p * strata, member, begin, end, stratum))
                count_group(of, member, begin, end, stratum, (size_t)-1);
            else
                for (size_t i = begin; i < end; i++)
                    part[member[i].row] = (uint8_t)p;
        }
    }
    sr_free(taken);
    return 0;
}
