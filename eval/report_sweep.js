/* report_sweep.js: what a threshold does. The only arithmetic of the page: ratios of the counts that the
 * evaluation holds for each threshold, and what guards cost. 0/0 is NaN, and shown as undefined.
 * SPDX-License-Identifier: MIT */
"use strict";

function ratios({tp, fp, tn, fn}) {
    return {
        precision: tp / (tp + fp),
        recall: tp / (tp + fn),
        f1: 2 * tp / (2 * tp + fp + fn),
        accuracy: (tp + tn) / (tp + fp + tn + fn),
        missed: 1000 * fn / (tp + fp + tn + fn),
    };
}

/* The point that a threshold decides like: the last one not above it. Probabilities and thresholds are float32
 * and are compared as such. */
function sweepFind(sweep, threshold) {
    const limit = Math.fround(threshold);
    const above = sweep.threshold.findIndex((value) => Math.fround(value) > limit);
    const last = above < 0 ? sweep.threshold.length - 1 : above - 1;
    return Math.max(last, 0);
}

/* Counts of decision against label, and of the system's verdict against gold (null without gold). */
function sweepPoint(evaluation, index) {
    const sweep = evaluation.sweep;
    const counts = (prefix) => ({
        tp: sweep[`${prefix}tp`][index],
        fp: sweep[`${prefix}fp`][index],
        tn: sweep[`${prefix}tn`][index],
        fn: sweep[`${prefix}fn`][index],
    });
    return {
        threshold: sweep.threshold[index],
        routed: sweep.routed[index],
        share: sweep.routed[index] / evaluation.rows,
        label: counts(""),
        safety: sweep.safety_tp && evaluation.system_rows > 0 ? counts("safety_") : null,
    };
}

/* What a row costs. The small guard always runs before the router; errors: missed per 1,000 and accuracy, of
 * which the false alarms follow. */
const COSTS = {
    small: (prices) => ({latency: prices.small_ms, price: prices.small_cost}),
    large: (prices) => ({latency: prices.large_ms, price: prices.large_cost}),
    routed: (prices, share) => ({
        latency: prices.small_ms + prices.router_ms + share * prices.large_ms,
        price: prices.small_cost + share * prices.large_cost,
    }),
};

function priceWithErrors(price, verdicts, prices) {
    const missed = verdicts.missed / 1000;
    return price + missed * prices.missed_cost + (1 - verdicts.accuracy - missed) * prices.alarm_cost;
}
