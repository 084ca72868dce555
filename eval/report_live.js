/* report_live.js: what follows from a threshold and from prices: counts, ratios, latency and price.
 * SPDX-License-Identifier: MIT */
"use strict";

/* A number that tests and scripts can find: <span id="live-recall">. */
function live(key, value, kind) {
    return element("span", {id: `live-${key}`}, show(value, kind));
}

function liveTables(e, point, prices) {
    const system = systemTable(e, point, prices);
    return [
        element("div", {}, labelMatrix(point.label), labelTable(point)),
        element("div", {}, ...(point.safety ? [safetyMatrix(point.safety)] : []), ...(system ? [system] : [])),
    ];
}

function labelMatrix({tp, fp, tn, fn}) {
    return matrix("Router: decision against label", ["Label 1: route", "Label 0: keep"], ["Routed", "Kept"], [
        [{id: "live-tp", count: tp, word: "found"}, {id: "live-fn", count: fn, word: "missed"}],
        [{id: "live-fp", count: fp, word: "in vain"}, {id: "live-tn", count: tn, word: "spared"}],
    ]);
}

function safetyMatrix({tp, fp, tn, fn}) {
    return matrix("Both guards: verdict against gold", ["Unsafe", "Safe"], ["Called unsafe", "Called safe"], [
        [{id: "live-safety-tp", count: tp, word: "caught"}, {id: "live-safety-fn", count: fn, word: "missed"}],
        [{id: "live-safety-fp", count: fp, word: "false alarm"}, {id: "live-safety-tn", count: tn, word: "cleared"}],
    ]);
}

function labelTable(point) {
    const {precision, recall, f1} = ratios(point.label);
    const rows = [
        ["Rows routed", live("routed", point.routed, "count")],
        ["Share routed", live("share", point.share, "percent")],
        ["Precision: routed rows that have label 1", live("precision", precision, "ratio")],
        ["Recall: rows with label 1 that are routed", live("recall", recall, "ratio")],
        ["F1", live("f1", f1, "ratio")],
    ];
    const columns = [{label: "", text: true, cell: ([label]) => label}, {label: "Router", cell: ([, value]) => value}];
    return table("The router at this threshold", columns, rows);
}

const SYSTEM_ROWS = [
    ["f1", "Safety F1", "ratio"],
    ["precision", "Precision", "ratio"],
    ["recall", "Recall", "ratio"],
    ["accuracy", "Accuracy", "ratio"],
    ["missed", "Unsafe missed per 1,000", "perThousand"],
    ["latency", "Latency a row, ms", "amount"],
    ["price", "Price a row", "amount"],
    ["cost", "Price a row with errors", "amount"],
].map(([key, label, kind]) => ({key, label, kind}));

/* Ratios and costs of the small guard alone, of both with the router between them, of the large guard alone. */
function judgesAt(e, point, prices) {
    const judges = {
        small: {...e.small, missed: e.missed_small},
        routed: point.safety ? ratios(point.safety) : {},
        large: {...e.large, missed: e.missed_large},
    };
    for (const [judge, values] of Object.entries(judges)) {
        Object.assign(values, COSTS[judge](prices, point.share));
        const {price} = COSTS[judge](prices, point.safetyShare);
        values.cost = priceWithErrors(price, {missed: values.missed ?? NaN, accuracy: values.accuracy ?? NaN}, prices);
    }
    return judges;
}

/* null where nothing is known of any. */
function systemTable(e, point, prices) {
    const {small, routed, large} = judgesAt(e, point, prices);
    const rows = SYSTEM_ROWS.filter(({key}) => [small, routed, large].some((judge) => isNumber(judge[key])));
    const columns = [
        {label: "", text: true, cell: ({label}) => label},
        {label: "Small alone", cell: ({key, kind}) => show(small[key], kind)},
        {label: "Routed", cell: ({key, kind}) => live(`safety-${key}`, routed[key], kind)},
        {label: "Large alone", cell: ({key, kind}) => show(large[key], kind)},
    ];
    return rows.length > 0 ? table("The whole system at this threshold", columns, rows) : null;
}

/* The same in one line, beside the slider. */
function liveWords(e, point, prices) {
    const {latency, price, f1} = judgesAt(e, point, prices).routed;
    return [
        `${show(point.share, "percent")} routed`,
        isNumber(f1) && `safety F1 ${show(f1, "ratio")}`,
        isNumber(latency) && `${show(latency, "amount")} ms`,
        isNumber(price) && `price ${show(price, "amount")}`,
    ].filter(Boolean).join(" \u00b7 ");
}
