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
function sweepFind({threshold}, value) {
    const limit = Math.fround(value);
    let low = 0, high = threshold.length; /* the answer is in low .. high - 1 */
    while (high - low > 1) {
        const middle = Math.floor((low + high) / 2);
        if (Math.fround(threshold[middle]) > limit)
            high = middle;
        else
            low = middle;
    }
    return low;
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
    const guarded = evaluation.system_rows > 0;
    return {
        threshold: sweep.threshold[index],
        routed: sweep.routed[index],
        share: sweep.routed[index] / evaluation.rows,
        label: counts(""),
        safety: guarded ? counts("safety_") : null,
        safetyShare: guarded ? sweep.safety_routed[index] / evaluation.system_rows : NaN,
    };
}

function sweepPoints(evaluation) {
    return evaluation.sweep.threshold.map((unused, index) => sweepPoint(evaluation, index));
}

/* What a row takes and costs where this share is routed. The small guard always runs, and before the router. */
const COSTS = {
    small: (prices) => ({latency: prices.small_ms, price: prices.small_cost}),
    large: (prices) => ({latency: prices.large_ms, price: prices.large_cost}),
    routed: (prices, share) => ({
        latency: prices.small_ms + prices.router_ms + share * prices.large_ms,
        price: prices.small_cost + share * prices.large_cost,
    }),
};

/* And with errors: missed per 1,000 and accuracy, of which the false alarms follow. */
function priceWithErrors(price, {missed, accuracy}, prices) {
    const share = missed / 1000;
    return price + share * prices.missed_cost + (1 - accuracy - share) * prices.alarm_cost;
}
