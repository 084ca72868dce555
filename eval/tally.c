/* tally.c: rows counted by kind; see tally.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "eval/tally.h"

uint8_t sr_tally_kind(uint8_t gold, uint8_t small_pred, uint8_t large_pred, uint8_t routed) {
    if (gold > 1 || small_pred > 1 || large_pred > 1)
        return SR_KIND_UNKNOWN;
    return (uint8_t)(gold * SR_KIND_GOLD | small_pred * SR_KIND_SMALL | large_pred * SR_KIND_LARGE |
                     (routed ? SR_KIND_ROUTED : 0));
}

struct sr_tally sr_tally_count(const uint8_t *kind, const uint32_t *count, size_t n) {
    struct sr_tally t = {{0}};
    for (size_t i = 0; i < n; i++)
        t.rows[kind[i]] += count ? count[i] : 1;
    return t;
}

static bool has(unsigned kind, unsigned bit) {
    return (kind & bit) != 0;
}

static bool is_right(unsigned kind, unsigned guard) {
    return has(kind, guard) == has(kind, SR_KIND_GOLD);
}

static bool verdict(unsigned kind, enum sr_judge judge) {
    const bool rescued = !is_right(kind, SR_KIND_SMALL) && is_right(kind, SR_KIND_LARGE);
    const bool to_large = judge == SR_JUDGE_LARGE ||
                          (judge == SR_JUDGE_ROUTED && has(kind, SR_KIND_ROUTED)) ||
                          (judge == SR_JUDGE_ORACLE && rescued);
    return has(kind, to_large ? SR_KIND_LARGE : SR_KIND_SMALL);
}

struct sr_confusion sr_tally_confusion(const struct sr_tally *t, enum sr_judge judge) {
    uint64_t rows[2][2] = {{0}}; /* [gold][verdict] */
    for (unsigned kind = 0; kind < SR_KIND_UNKNOWN; kind++)
        rows[has(kind, SR_KIND_GOLD)][verdict(kind, judge)] += t->rows[kind];
    return (struct sr_confusion){.tp = rows[1][1], .fp = rows[0][1], .tn = rows[0][0], .fn = rows[1][0]};
}

uint64_t sr_tally_known(const struct sr_tally *t) {
    uint64_t rows = 0;
    for (unsigned kind = 0; kind < SR_KIND_UNKNOWN; kind++)
        rows += t->rows[kind];
    return rows;
}

uint64_t sr_tally_routed(const struct sr_tally *t) {
    uint64_t rows = 0;
    for (unsigned kind = SR_KIND_ROUTED; kind < SR_KIND_UNKNOWN; kind++)
        rows += t->rows[kind];
    return rows;
}

uint64_t sr_tally_right(const struct sr_tally *t, bool small_right, bool large_right, bool routed) {
    uint64_t rows = 0;
    for (unsigned kind = 0; kind < SR_KIND_UNKNOWN; kind++)
        if (is_right(kind, SR_KIND_SMALL) == small_right && is_right(kind, SR_KIND_LARGE) == large_right &&
            has(kind, SR_KIND_ROUTED) == routed)
            rows += t->rows[kind];
    return rows;
}
