/* report_curves.js: which curves the page shows, and of which numbers. A curve that the evaluation does not hold
 * says why instead.
 * SPDX-License-Identifier: MIT */
"use strict";

const UNIT = {min: 0, max: 1};
const NO_CLASSES = "It takes labelled rows of both classes.";

function precisionRecallCurve(e) {
    const {recall, precision} = e.curves.pr;
    return {
        id: "chart-pr",
        title: "Precision and recall",
        note: `Area ${show(e.auprc, "ratio")} (average precision); by chance ${show(e.base_rate, "ratio")}.`,
        missing: recall.length > 0 ? null : NO_CLASSES,
        x: {label: "Recall", ...UNIT},
        y: {label: "Precision", ...UNIT},
        series: [
            {label: "router", x: recall, y: precision, colour: 1, step: "after"},
            {label: "chance", x: [0, 1], y: [e.base_rate, e.base_rate], colour: 0},
        ],
        marker: ({label}) => [{x: ratios(label).recall, y: ratios(label).precision}],
    };
}

function rocCurve(e) {
    const {fpr, tpr} = e.curves.roc;
    return {
        id: "chart-roc",
        title: "ROC",
        note: `Area ${show(e.auroc, "ratio")}; by chance 0.5.`,
        missing: fpr.length > 0 ? null : NO_CLASSES,
        x: {label: "False positive rate", ...UNIT},
        y: {label: "True positive rate", ...UNIT},
        series: [
            {label: "router", x: fpr, y: tpr, colour: 1},
            {label: "chance", x: [0, 1], y: [0, 1], colour: 0},
        ],
        marker: ({label}) => [{x: label.fp / (label.fp + label.tn), y: ratios(label).recall}],
    };
}

function shareCurve(e) {
    const lines = [["router", 1], ["entropy", 2], ["random", 3], ["oracle", 4]];
    return {
        id: "chart-share",
        title: "Quality by share routed",
        note: "Safety F1 of the whole system, from the small guard alone (left) to the large guard alone (right).",
        missing: e.curves.share ? null : NO_VERDICTS,
        x: {label: "Share routed", ...UNIT},
        y: {label: "Safety F1"},
        series: !e.curves.share ? [] : lines.map(([label, colour]) => {
            const {share, f1} = e.curves.share[label];
            return {label, x: share, y: f1, colour};
        }),
        marker: ({share, safety}) => [{x: share, y: safety ? ratios(safety).f1 : NaN}],
    };
}

function sweepCurve(e) {
    const points = e.sweep.threshold.map((unused, i) => sweepPoint(e, i));
    const line = (label, colour, y) => ({label, x: e.sweep.threshold, y: points.map(y), colour, step: "before"});
    const series = [
        line("precision", 1, ({label}) => ratios(label).precision),
        line("recall", 2, ({label}) => ratios(label).recall),
        line("F1", 3, ({label}) => ratios(label).f1),
        line("share routed", 5, ({share}) => share),
    ];
    if (points.some(({safety}) => safety))
        series.push(line("safety F1", 4, ({safety}) => ratios(safety).f1));
    return {
        id: "chart-sweep",
        title: "Threshold sweep",
        note: "What each threshold does; the vertical line is the slider.",
        missing: points.length > 0 ? null : "There is no row to sweep over.",
        x: {label: "Threshold", ...UNIT},
        y: {label: "Share or ratio", ...UNIT},
        series,
        marker: ({chosen}) => [{x: chosen, y: 0}, {x: chosen, y: 1}],
    };
}

/* Bins with rows: mean probability against share of positives; the larger the point, the more rows. */
function reliabilitySeries(label, colour, bins) {
    const filled = bins.filter((bin) => bin.rows > 0);
    const most = Math.max(...filled.map((bin) => bin.rows));
    return {
        label,
        colour,
        x: filled.map((bin) => bin.mean_prob),
        y: filled.map((bin) => bin.positives / bin.rows),
        radius: filled.map((bin) => 3 + 5 * Math.sqrt(bin.rows / most)),
    };
}

function reliabilityCurve(e) {
    const {width, calibrated} = e.reliability;
    const series = [reliabilitySeries("router", 1, width)];
    if (calibrated)
        series.push(reliabilitySeries("calibrated", 2, calibrated.width));
    series.push({label: "exact", x: [0, 1], y: [0, 1], colour: 0});
    return {
        id: "chart-reliability",
        title: "Reliability",
        note: "Bins of equal width: below the diagonal the probability says too much, above it too little. " +
            "Larger points hold more rows.",
        missing: series[0].x.length > 0 ? null : "It takes labelled rows.",
        x: {label: "Mean probability", ...UNIT},
        y: {label: "Share of positives", ...UNIT},
        series,
    };
}

/* Counts by class. A count of 0 stands at the foot of a logarithmic axis. */
function histogramCurve(e, logarithmic) {
    const {low, high} = e.histogram;
    const edges = [...low, ...high.slice(-1)];
    const foot = logarithmic ? 0.5 : 0;
    const step = (label, colour, counts) => {
        const value = [...counts, ...counts.slice(-1)];
        return {label, x: edges, y: value.map((count) => Math.max(count, foot)), value, colour, step: "before"};
    };
    const series = [
        step("positive", 2, e.histogram.positive),
        step("negative", 1, e.histogram.negative),
    ];
    if (e.histogram.unlabelled.some((count) => count > 0))
        series.push(step("unlabelled", 3, e.histogram.unlabelled));
    const most = Math.max(1, ...series.flatMap(({y}) => y));
    return {
        id: "chart-histogram",
        title: "Scores",
        note: `Rows by probability, in ${low.length} bins, by label.`,
        missing: low.length > 0 ? null : "No row has a score.",
        x: {label: "Probability", ...UNIT},
        y: {label: "Rows", min: foot, log: logarithmic},
        series,
        marker: ({chosen}) => [{x: chosen, y: foot}, {x: chosen, y: most}],
    };
}

const NO_TRAINING = "The evaluation was made without the run's folder.";

function lossCurve(e) {
    const rows = e.training ?? [];
    const epochs = rows.map((row) => row.epoch);
    return {
        id: "chart-loss",
        title: "Loss by epoch",
        note: "Training loss is with dropout and over the rows drawn, so it is not to be compared in height.",
        missing: rows.length > 0 ? null : NO_TRAINING,
        x: {label: "Epoch"},
        y: {label: "Loss"},
        series: [["train/loss", "training", 1], ["val/loss", "validation", 2]].map(([key, label, colour]) => (
            {label, x: epochs, y: rows.map((row) => row[key]), colour, radius: 2})),
    };
}

/* The epoch that training keeps: the first with the greatest validation AUPRC. */
function bestEpoch(rows) {
    return rows.reduce((best, row) => row["val/auprc"] > (best?.["val/auprc"] ?? -Infinity) ? row : best, null);
}

function auprcCurve(e) {
    const rows = e.training ?? [];
    const best = bestEpoch(rows);
    const series = [{label: "validation AUPRC", x: rows.map((row) => row.epoch), y: rows.map((row) => row["val/auprc"]),
                     colour: 1, radius: 2}];
    if (best)
        series.push({label: "best epoch", x: [best.epoch], y: [best["val/auprc"]], colour: 4, radius: 7,
                     scattered: true});
    return {
        id: "chart-auprc",
        title: "AUPRC by epoch",
        note: best ? `Best epoch ${best.epoch} of ${rows.length}: ${show(best["val/auprc"], "ratio")}.` : "",
        missing: rows.length > 0 ? null : NO_TRAINING,
        x: {label: "Epoch"},
        y: {label: "Validation AUPRC"},
        series,
    };
}

const CURVES = [
    shareCurve, sweepCurve, precisionRecallCurve, rocCurve, reliabilityCurve, histogramCurve, lossCurve, auprcCurve,
];
const view = {frames: [], logarithmic: false};

/* The frames of all curves, to be drawn in. */
function curvesBuild(e, redraw) {
    const figures = CURVES.map((curve) => {
        const spec = curve(e, view.logarithmic);
        if (spec.missing)
            return element("figure", {}, element("h3", {}, spec.title), paragraph(`Left out. ${spec.missing}`));
        const frame = chartFrame(spec);
        view.frames.push({curve, spec, canvas: frame.canvas, chart: null});
        if (curve === histogramCurve)
            frame.figure.append(logarithmToggle(redraw));
        return frame.figure;
    });
    document.getElementById("charts").append(...figures);
}

function logarithmToggle(redraw) {
    const box = element("input", {type: "checkbox"});
    box.addEventListener("change", () => {
        view.logarithmic = box.checked;
        redraw();
    });
    return element("label", {class: "toggle"}, box, " Logarithmic counts");
}

/* All charts anew, in the colours of now. */
function curvesDraw(e, point) {
    for (const frame of view.frames) {
        frame.chart?.destroy();
        frame.spec = frame.curve(e, view.logarithmic);
        frame.chart = chartDraw(frame.canvas, frame.spec, point);
    }
}

/* The slider has moved. */
function curvesMark(point) {
    view.frames.forEach(({chart, spec}) => chartMark(chart, spec, point));
}
