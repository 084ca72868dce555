/* system.c: the two guards and the router as one system, measured against gold.
 *
 * A routed row takes the large guard's verdict, every other row the small guard's. The oracle routes exactly
 * the rows that the small guard gets wrong and the large guard right: no router of this pair can be more
 * accurate. What a routed row costs is not known here.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>

#include "eval/eval.h"

static struct sr_guard guard_measure(struct sr_confusion c) {
    return (struct sr_guard){
        .f1 = sr_f1(c), .precision = sr_precision(c), .recall = sr_recall(c), .accuracy = sr_accuracy(c)};
}

/* One row of verdict against gold. */
static void count(struct sr_confusion *c, bool gold, bool verdict) {
    c->tp += gold && verdict;
    c->fp += !gold && verdict;
    c->tn += !gold && !verdict;
    c->fn += gold && !verdict;
}

void sr_system_measure(struct sr_system *out, const uint8_t *gold, const uint8_t *small_pred,
                       const uint8_t *large_pred, const uint8_t *routed, size_t n) {
    struct sr_confusion small = {0}, large = {0}, system = {0}, oracle = {0};
    uint64_t right[2][2] = {{0}}, n_routed = 0; /* right[small][large] */
    for (size_t i = 0; i < n; i++) {
        const bool unsafe = gold[i], by_small = small_pred[i], by_large = large_pred[i];
        const bool rescued = by_small != unsafe && by_large == unsafe;
        count(&small, unsafe, by_small);
        count(&large, unsafe, by_large);
        count(&system, unsafe, routed[i] ? by_large : by_small);
        count(&oracle, unsafe, rescued ? by_large : by_small);
        right[by_small == unsafe][by_large == unsafe]++;
        n_routed += routed[i] != 0;
    }
    *out = (struct sr_system){
        .small = guard_measure(small),
        .large = guard_measure(large),
        .routed = guard_measure(system),
        .oracle = guard_measure(oracle),
        .cc = right[1][1],
        .cw = right[1][0],
        .wc = right[0][1],
        .ww = right[0][0],
        .share_routed = (double)n_routed / (double)n,
        .share_oracle = (double)right[0][1] / (double)n,
    };
}
