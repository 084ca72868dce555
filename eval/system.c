/* system.c: the two guards and the router as one system, measured against gold.
 *
 * A routed row takes the large guard's verdict, every other row the small guard's. The oracle routes exactly
 * the rows that the small guard gets wrong and the large guard right: no router of this pair can be more
 * accurate. What a routed row costs is not known here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "eval/tally.h"

static struct sr_guard guard_measure(const struct sr_tally *t, enum sr_judge judge) {
    const struct sr_confusion c = sr_tally_confusion(t, judge);
    return (struct sr_guard){
        .f1 = sr_f1(c), .precision = sr_precision(c), .recall = sr_recall(c), .accuracy = sr_accuracy(c)};
}

static uint64_t right(const struct sr_tally *t, bool small, bool large) {
    return sr_tally_right(t, small, large, false) + sr_tally_right(t, small, large, true);
}

void sr_system_measure(struct sr_system *out, const uint8_t *gold, const uint8_t *small_pred,
                       const uint8_t *large_pred, const uint8_t *routed, size_t n) {
    struct sr_tally t = {{0}};
    uint64_t n_routed = 0;
    for (size_t i = 0; i < n; i++)
        t.rows[sr_tally_kind(gold[i], small_pred[i], large_pred[i], routed[i])]++;
    for (int who = 0; who < 4; who++)
        n_routed += sr_tally_right(&t, who & 1, who & 2, true);
    const double rows = (double)sr_tally_known(&t);
    *out = (struct sr_system){
        .rows = sr_tally_known(&t),
        .small = guard_measure(&t, SR_JUDGE_SMALL),
        .large = guard_measure(&t, SR_JUDGE_LARGE),
        .routed = guard_measure(&t, SR_JUDGE_ROUTED),
        .oracle = guard_measure(&t, SR_JUDGE_ORACLE),
        .cc = right(&t, true, true),
        .cw = right(&t, true, false),
        .wc = right(&t, false, true),
        .ww = right(&t, false, false),
        .share_routed = (double)n_routed / rows,
        .share_oracle = (double)right(&t, false, true) / rows,
    };
}
