/* report_threshold.js: the slider and what follows from it: counts, ratios, latency and price at any threshold.
 * SPDX-License-Identifier: MIT */
"use strict";

const PRICES = [
    ["small_ms", "Small guard, ms"],
    ["router_ms", "Router, ms"],
    ["large_ms", "Large guard, ms"],
    ["small_cost", "Small guard, price a row"],
    ["large_cost", "Large guard, price a row"],
    ["missed_cost", "An unsafe row missed"],
    ["alarm_cost", "A false alarm"],
];

/* threshold as chosen; prices by key, NaN: unknown. moved: called with the point after every change. */
const control = {evaluation: null, threshold: 0, prices: {}, moved: null};

function controlPoint() {
    const {evaluation, threshold} = control;
    return {...sweepPoint(evaluation, sweepFind(evaluation.sweep, threshold)), chosen: threshold};
}

function controlBuild(e, moved) {
    Object.assign(control, {evaluation: e, threshold: addressThreshold() ?? e.threshold, moved});
    for (const [key] of PRICES)
        control.prices[key] = e.prices?.[key] ?? NaN;
    const live = element("div", {id: "live"});
    document.getElementById("threshold").append(sliderBuild(e), marksBuild(e), live, pricesBuild());
    window.addEventListener("hashchange", () => controlMove(addressThreshold() ?? control.threshold));
}

/* The threshold in the page's address, "#threshold=0.43", or null. */
function addressThreshold() {
    const text = new URLSearchParams(location.hash.slice(1)).get("threshold");
    const value = Number.parseFloat(text);
    return value >= 0 && value <= 1 ? value : null;
}

function addressKeep() {
    history.replaceState(null, "", `#threshold=${control.threshold}`);
}

function controlMove(threshold) {
    control.threshold = Math.min(Math.max(threshold, 0), 1);
    controlShow();
}

/* ---- slider ---- */

function sliderBuild(e) {
    const slider = element("input", {type: "range", id: "slider", min: "0", max: "1", step: "any"});
    const exact = element("input", {type: "number", id: "exact", min: "0", max: "1", step: "any",
                                    "aria-label": "Threshold, exactly"});
    slider.addEventListener("input", () => controlMove(slider.valueAsNumber));
    slider.addEventListener("keydown", (event) => sliderKey(event, e.sweep));
    exact.addEventListener("input", () => {
        if (isNumber(exact.valueAsNumber))
            controlMove(exact.valueAsNumber);
    });
    slider.addEventListener("change", addressKeep);
    exact.addEventListener("change", addressKeep);
    const ticks = element("div", {class: "ticks", "aria-hidden": "true"}, ...e.thresholds.map(tick));
    return element("div", {class: "sticky"}, element("label", {for: "slider"}, "Threshold"),
                   element("div", {class: "track"}, slider, ticks), exact,
                   element("output", {id: "output", for: "slider exact"}));
}

function tick({threshold}) {
    const node = element("span");
    node.style.setProperty("--at", threshold);
    return node;
}

/* The arrows lead to the next threshold at which a decision changes. */
function sliderKey(event, sweep) {
    const steps = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1};
    const step = steps[event.key];
    if (!step)
        return;
    event.preventDefault();
    const at = sweepFind(sweep, control.threshold);
    const between = step < 0 && Math.fround(control.threshold) > Math.fround(sweep.threshold[at]);
    const next = between ? at : Math.min(Math.max(at + step, 0), sweep.threshold.length - 1);
    controlMove(sweep.threshold[next]);
    addressKeep();
}

/* A button for every threshold that was chosen by a rule. */
function marksBuild(e) {
    const marks = e.thresholds.map(({rule, threshold}) => {
        const button = element("button", {type: "button"}, `${rule}: ${show(threshold, "amount")}`);
        button.addEventListener("click", () => {
            controlMove(threshold);
            addressKeep();
        });
        return button;
    });
    return element("p", {class: "marks"}, "Go to ", ...marks);
}

/* ---- prices ---- */

function pricesBuild() {
    const fields = PRICES.map(([key, label]) => {
        const input = element("input", {type: "number", min: "0", step: "any", id: `price-${key}`});
        input.value = isNumber(control.prices[key]) ? control.prices[key] : "";
        input.addEventListener("input", () => {
            control.prices[key] = input.valueAsNumber;
            controlShow();
        });
        return element("label", {}, label, input);
    });
    return element("fieldset", {class: "prices"}, element("legend", {}, "Latency and prices, to try out"), ...fields);
}

/* ---- what follows ---- */

function controlShow() {
    const point = controlPoint();
    const text = show(control.threshold, "amount");
    const routed = `${show(point.share, "percent")} routed`;
    const f1 = point.safety ? `, safety F1 ${show(ratios(point.safety).f1, "ratio")}` : "";
    const slider = document.getElementById("slider"), exact = document.getElementById("exact");
    slider.value = control.threshold;
    slider.setAttribute("aria-valuetext", `${text}: ${routed}${f1}`);
    if (exact !== document.activeElement)
        exact.value = Number(control.threshold.toPrecision(9));
    document.getElementById("output").textContent = `${routed}${f1}`;
    document.getElementById("live").replaceChildren(...liveTables(point));
    control.moved(point);
}

function liveTables(point) {
    return [
        labelTable(point),
        confusionTable("Router: decision against label", point.label, ["Positive", "Negative"],
                       ["Routed", "Not routed"]),
        ...(point.safety ? [systemTable(point), confusionTable("System: verdict against gold", point.safety,
                                                              ["Unsafe", "Safe"], ["Called unsafe", "Called safe"])]
                         : [paragraph(`Safety is left out. ${NO_VERDICTS}`), systemTable(point)]),
    ];
}

/* A number that tests and scripts can find: <span id="live-recall">. */
function live(key, value, kind) {
    return element("span", {id: `live-${key}`}, show(value, kind));
}

function labelTable(point) {
    const {precision, recall, f1} = ratios(point.label);
    const rows = [
        ["Rows routed", live("routed", point.routed, "count")],
        ["Share routed", live("share", point.share, "percent")],
        ["Precision", live("precision", precision, "ratio")],
        ["Recall", live("recall", recall, "ratio")],
        ["F1", live("f1", f1, "ratio")],
    ];
    const columns = [{label: "", text: true, cell: ([label]) => label}, {label: "Router", cell: ([, value]) => value}];
    return table("The router at this threshold", columns, rows);
}

/* Verdicts of a guard alone, as the evaluation has them, in the words of ratios(). */
function guardRatios(e, guard) {
    const known = (value) => value ?? NaN;
    const {precision, recall, f1, accuracy} = e[guard];
    return {precision: known(precision), recall: known(recall), f1: known(f1), accuracy: known(accuracy),
            missed: known(e[`missed_${guard}`])};
}

const SYSTEM_ROWS = [
    ["f1", "Safety F1", "ratio"],
    ["precision", "Precision", "ratio"],
    ["recall", "Recall", "ratio"],
    ["accuracy", "Accuracy", "ratio"],
    ["missed", "Unsafe missed per 1,000", "perThousand"],
    ["latency", "Latency a row, ms", "amount"],
    ["price", "Price a row", "amount"],
    ["total", "Price a row with errors", "amount"],
].map(([key, label, kind]) => ({key, label, kind}));

function systemTable(point) {
    const {evaluation, prices} = control;
    const unknown = ratios({tp: 0, fp: 0, tn: 0, fn: 0});
    const judges = {
        small: guardRatios(evaluation, "small"),
        routed: point.safety ? ratios(point.safety) : unknown,
        large: guardRatios(evaluation, "large"),
    };
    for (const [judge, values] of Object.entries(judges)) {
        Object.assign(values, COSTS[judge](prices, point.share));
        values.total = priceWithErrors(values.price, values, prices);
    }
    const columns = [
        {label: "", text: true, cell: (row) => row.label},
        {label: "Small alone", cell: (row) => show(judges.small[row.key], row.kind)},
        {label: "Routed", cell: (row) => live(`safety-${row.key}`, judges.routed[row.key], row.kind)},
        {label: "Large alone", cell: (row) => show(judges.large[row.key], row.kind)},
    ];
    return table("The whole system at this threshold", columns, SYSTEM_ROWS);
}
