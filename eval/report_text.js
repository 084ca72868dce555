/* report_text.js: elements, and numbers as text. Whatever comes from the evaluation goes into the page as text,
 * never as markup.
 * SPDX-License-Identifier: MIT */
"use strict";

/* An element with attributes and children; strings become text. */
function element(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes))
        node.setAttribute(name, value);
    node.append(...children);
    return node;
}

function paragraph(...text) {
    return element("p", {}, ...text);
}

function isNumber(value) {
    return typeof value === "number" && Number.isFinite(value);
}

/* Digits as few as intervals leave any meaning to; per cent have one more below 1. */
const FORMATS = {
    count: (value) => value.toLocaleString("en-US"),
    ratio: (value) => value.toFixed(3),
    percent: (value) => `${(100 * value).toFixed(value !== 0 && Math.abs(value) < .01 ? 2 : 1)}\u00a0%`,
    perThousand: (value) => value.toFixed(1),
    amount: (value) => Math.abs(value) < 100 ? value.toPrecision(3) : Math.round(value).toLocaleString("en-US"),
    threshold: (value) => Number(value.toPrecision(4)).toString(),
};

/* Text of a number; null, and what is not there, is undefined. */
function show(value, kind) {
    return isNumber(value) ? FORMATS[kind](value).replace("-", "\u2212") : "undefined";
}

/* A difference; of shares in percentage points. */
function showSigned(value, kind) {
    const text = show(value, kind).replace("%", "pp");
    return isNumber(value) && value > 0 ? `+${text}` : text;
}

/* Text of the interval beside object[key], "" without one. */
function showInterval(object, key, kind, text = show) {
    const interval = object?.[`${key}_ci`];
    return interval ? `[${text(interval[0], kind)}, ${text(interval[1], kind)}]` : "";
}

/* A number and, small behind it, its interval. */
function figure(object, key, kind, text = show) {
    const interval = showInterval(object, key, kind, text);
    const value = element("span", isNumber(object?.[key]) ? {} : {class: "muted"}, text(object?.[key], kind));
    return interval ? element("span", {}, value, " ", element("small", {}, interval)) : value;
}

/* The figures of an evaluation in the order of the page: key, label, how it is written, and whether more is
 * better (1), less is (-1), or neither (0). */
const FIGURES = [
    ["auprc", "AUPRC", "ratio", 1],
    ["base_rate", "Base rate: AUPRC of chance", "ratio", 0],
    ["entropy_auprc", "AUPRC of entropy alone", "ratio", 0],
    ["auroc", "AUROC", "ratio", 1],
    ["share_routed", "Share routed", "percent", 0],
    ["precision", "Precision", "ratio", 1],
    ["recall", "Recall", "ratio", 1],
    ["f1", "F1", "ratio", 1],
    ["accuracy", "Accuracy", "ratio", 1],
    ["balanced_accuracy", "Balanced accuracy", "ratio", 1],
    ["mcc", "Matthews correlation", "ratio", 1],
    ["gap_won", "Gap won from small to large", "percent", 1],
    ["missed_small", "Unsafe missed per 1,000, small alone", "perThousand", -1],
    ["missed_routed", "Unsafe missed per 1,000, routed", "perThousand", -1],
    ["missed_large", "Unsafe missed per 1,000, large alone", "perThousand", -1],
    ["gain", "Routed and put right", "percent", 1],
    ["harm", "Routed and made wrong", "percent", -1],
    ["routing_error", "Routing error", "ratio", -1],
    ["risk_gap", "Risk above the oracle's", "ratio", -1],
    ["risk_bound", "Bound of that risk", "ratio", -1],
    ["brier", "Brier score", "ratio", -1],
    ["log_loss", "Log loss", "ratio", -1],
    ["ece", "Calibration error (ECE), bins of equal width", "ratio", -1],
    ["ece_mass", "Calibration error (ECE), bins of equal mass", "ratio", -1],
    ["latency_ms", "Latency a row, ms", "amount", -1],
    ["price", "Price a row", "amount", -1],
    ["cost", "Price a row with errors", "amount", -1],
].map(([key, label, kind, better]) => ({key, label, kind, better}));

function figuresOf(...keys) {
    return keys.map((key) => FIGURES.find((entry) => entry.key === key));
}

const GUARDS = [
    ["small", "Small alone"],
    ["random", "Random, same share"],
    ["entropy", "Entropy, same share"],
    ["routed", "Routed"],
    ["oracle", "Oracle"],
    ["large", "Large alone"],
].map(([key, label]) => ({key, label}));

const GUARD_FIGURES = [
    ["f1", "Safety F1", "ratio"],
    ["precision", "Precision", "ratio"],
    ["recall", "Recall", "ratio"],
    ["accuracy", "Accuracy", "ratio"],
    ["area", "Area", "ratio"],
].map(([key, label, kind]) => ({key, label, kind, better: 1}));

const NO_VERDICTS = "the dump has no rows with gold and both guards' verdicts";
const NO_CLASSES = "it takes labelled rows of both classes";
