/* tally.h: rows counted by kind; internal to eval.
 *
 * Everything that is asked about two guards and a router as one system hangs on four bits of a row: its gold,
 * the two verdicts, and where it was routed. So sixteen counts hold all of it, and a resample of the rows is
 * sixteen other counts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TALLY_H
#define SR_TALLY_H

#include "eval/eval.h"

/* Bits of a kind; SR_KIND_UNKNOWN: gold or a verdict is not known. */
enum { SR_KIND_GOLD = 1, SR_KIND_SMALL = 2, SR_KIND_LARGE = 4, SR_KIND_ROUTED = 8, SR_KIND_UNKNOWN = 16 };

struct sr_tally {
    uint64_t rows[SR_KIND_UNKNOWN + 1];
};

/* gold and verdicts: 0, 1, anything else is unknown; routed: 0 or not 0. */
uint8_t sr_tally_kind(uint8_t gold, uint8_t small_pred, uint8_t large_pred, uint8_t routed);

/* Row i is counted count[i] times; NULL: every row once. */
struct sr_tally sr_tally_count(const uint8_t *kind, const uint32_t *count, size_t n);

/* Of the known rows, verdict against gold. The oracle takes the large guard's verdict where that is right and
 * the small guard's is wrong. judge: SMALL, LARGE, ROUTED or ORACLE; the others route by more than kinds. */
struct sr_confusion sr_tally_confusion(const struct sr_tally *t, enum sr_judge judge);

uint64_t sr_tally_known(const struct sr_tally *t);
uint64_t sr_tally_routed(const struct sr_tally *t); /* of the known rows */

/* Known rows by who was right, first the small guard: routed ones and others. */
uint64_t sr_tally_right(const struct sr_tally *t, bool small_right, bool large_right, bool routed);

#endif
