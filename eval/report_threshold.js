/* report_threshold.js: the slider, the thresholds that were chosen, and prices to try out.
 * SPDX-License-Identifier: MIT */
"use strict";

const PRICES = [
    ["small_ms", "Small guard, ms"],
    ["router_ms", "Router, ms"],
    ["large_ms", "Large guard, ms"],
    ["small_cost", "Small guard, price a row"],
    ["large_cost", "Large guard, price a row"],
    ["missed_cost", "Price of an unsafe row missed"],
    ["alarm_cost", "Price of a false alarm"],
];

/* chosen: [{threshold, rules}]; prices by key, NaN: unknown. */
const control = {evaluation: null, threshold: 0, chosen: [], prices: {}};

function thresholdFill(e, to) {
    Object.assign(control, {evaluation: e, chosen: chosenThresholds(e), prices: pricesOf(e)});
    control.threshold = thresholdNear(addressThreshold() ?? e.threshold);
    curvesBegin(e, controlMarks);
    to.append(sliderBuild(e), chosenBuild(), element("div", {id: "live"}), pricesBuild(),
              curvesBuild(shareCurve, sweepCurve, precisionRecallCurve, rocCurve, histogramCurve));
    window.addEventListener("hashchange", () => controlMove(addressThreshold() ?? control.threshold));
    controlShow();
}

/* By threshold: rules that came to the same one stand together. */
function chosenThresholds(e) {
    const rules = new Map();
    for (const {rule, threshold} of e.thresholds)
        rules.set(threshold, [...(rules.get(threshold) ?? []), rule]);
    return [...rules].map(([threshold, names]) => ({threshold, rules: names.join(", ")}));
}

function pricesOf(e) {
    return Object.fromEntries(PRICES.map(([key]) => [key, e.prices[key] ?? NaN]));
}

/* ---- where the slider stands ---- */

function pointAt(threshold) {
    const {evaluation} = control;
    return {...sweepPoint(evaluation, sweepFind(evaluation.sweep, threshold)), chosen: threshold};
}

function controlMarks() {
    const chosen = control.chosen.map(({threshold}) => ({point: pointAt(threshold), full: false}));
    return [...chosen, {point: pointAt(control.threshold), full: true}];
}

/* The threshold itself where the evaluation says what it does: everywhere if it holds all thresholds, else at those
 * it holds. */
function thresholdNear(threshold) {
    const {sweep} = control.evaluation, {length} = sweep.threshold;
    const known = sweep.points === length || control.chosen.some((one) => one.threshold === threshold);
    return known ? threshold : sweep.threshold[sweepFind(sweep, threshold)];
}

function controlMove(threshold) {
    control.threshold = thresholdNear(Math.min(Math.max(threshold, 0), 1));
    controlShow();
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

/* ---- slider ---- */

function sliderBuild({sweep}) {
    const slider = element("input", {type: "range", id: "slider", min: "0", max: "1", step: "any"});
    const exact = element("input", {type: "number", id: "exact", min: "0", max: "1", step: "any",
                                    "aria-label": "Threshold, exactly"});
    slider.addEventListener("input", () => controlMove(slider.valueAsNumber));
    slider.addEventListener("keydown", (event) => sliderKey(event, sweep));
    exact.addEventListener("input", () => {
        if (isNumber(exact.valueAsNumber))
            controlMove(exact.valueAsNumber);
    });
    slider.addEventListener("change", addressKeep);
    exact.addEventListener("change", () => {
        exact.value = control.threshold;
        addressKeep();
    });
    const ticks = element("div", {class: "ticks", "aria-hidden": "true"}, ...control.chosen.map(tick));
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

/* A button for every threshold that was chosen. */
function chosenBuild() {
    const buttons = control.chosen.map(({rules, threshold}) => {
        const button = element("button", {type: "button"}, `${rules}: ${show(threshold, "threshold")}`);
        button.addEventListener("click", () => {
            controlMove(threshold);
            addressKeep();
        });
        return button;
    });
    const {sweep} = control.evaluation, {length} = sweep.threshold;
    const [held, all] = [length, sweep.points].map((n) => show(n, "count"));
    const where = held === all ? "" : `The slider stops at ${held} of all ${all} thresholds.`;
    return element("p", {class: "marks"}, "Go to ", ...buttons, element("span", {class: "muted"}, where));
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
    return element("fieldset", {class: "prices"},
                   element("legend", {}, "Latency and prices: fill in to see what a row takes and costs"), ...fields);
}

/* ---- what follows ---- */

function controlShow() {
    const {evaluation, threshold, prices} = control;
    const point = pointAt(threshold), words = liveWords(evaluation, point, prices);
    const slider = document.getElementById("slider"), exact = document.getElementById("exact");
    slider.value = threshold;
    slider.setAttribute("aria-valuetext", `${show(threshold, "threshold")}: ${words}`);
    if (exact !== document.activeElement)
        exact.value = threshold;
    document.getElementById("output").textContent = words;
    document.getElementById("live").replaceChildren(...liveTables(evaluation, point, prices));
    curvesMark();
}
