/* report_curves.js: which curves the page shows, and of which numbers. A curve that the evaluation does not hold
 * says why instead: missing.
 * SPDX-License-Identifier: MIT */
"use strict";

const UNIT = {min: 0, max: 1};

function precisionRecallCurve(e, points) {
    const values = points.map(({label}) => ratios(label));
    const precision = values.map((value) => value.precision);
    if (!isNumber(precision[precision.length - 1])) /* nothing routed: the curve goes on level */
        precision[precision.length - 1] = precision[precision.length - 2];
    return {
        id: "chart-pr",
        title: "Precision and recall",
        note: `Area ${show(e.auprc, "ratio")} (AUPRC, average precision); by chance ${show(e.base_rate, "ratio")}.`,
        missing: isNumber(e.auprc) ? null : NO_CLASSES,
        x: {label: "Recall", ...UNIT},
        y: {label: "Precision", ...UNIT},
        series: [
            {label: "router", x: values.map(({recall}) => recall), y: precision, colour: 1, step: "before"},
            {label: "chance", x: [0, 1], y: [e.base_rate, e.base_rate], colour: 0},
        ],
        marker: ({label}) => ({x: ratios(label).recall, y: ratios(label).precision}),
    };
}

function rocCurve(e, points) {
    const rate = ({label: {fp, tn}}) => fp / (fp + tn);
    const rising = points.slice().reverse(); /* Chart.js draws spikes where many points go down within a pixel */
    return {
        id: "chart-roc",
        title: "ROC",
        note: `Area ${show(e.auroc, "ratio")} (AUROC); by chance 0.5.`,
        missing: isNumber(e.auroc) ? null : NO_CLASSES,
        x: {label: "False positive rate", ...UNIT},
        y: {label: "True positive rate", ...UNIT},
        series: [
            {label: "router", x: rising.map(rate), y: rising.map(({label}) => ratios(label).recall), colour: 1},
            {label: "chance", x: [0, 1], y: [0, 1], colour: 0},
        ],
        marker: (point) => ({x: rate(point), y: ratios(point.label).recall}),
    };
}

function shareCurve(e) {
    const {share, ...f1} = e.quality ?? {};
    const lines = [["router", 1], ["entropy", 2], ["random", 3], ["oracle", 4]].filter(([label]) => f1[label]);
    return {
        id: "chart-share",
        title: "Quality by share routed",
        note: "Safety F1 of both guards together, from the small one alone (left) to the large one alone (right).",
        missing: e.quality ? null : NO_VERDICTS,
        x: {label: "Share routed", ...UNIT},
        y: {label: "Safety F1"},
        series: lines.map(([label, colour]) => ({label, x: share, y: f1[label], colour})),
        marker: ({safetyShare, safety}) => ({x: safetyShare, y: ratios(safety).f1}),
    };
}

function sweepCurve(e, points) {
    const line = (label, colour, y) => ({label, x: e.sweep.threshold, y: points.map(y), colour, step: "before"});
    const series = [
        line("precision", 1, ({label}) => ratios(label).precision),
        line("recall", 2, ({label}) => ratios(label).recall),
        line("F1", 3, ({label}) => ratios(label).f1),
        line("safety F1", 4, ({safety}) => safety ? ratios(safety).f1 : NaN),
        line("share routed", 5, ({share}) => share),
    ];
    return {
        id: "chart-sweep",
        title: "Threshold sweep",
        note: "What each threshold does.",
        x: {label: "Threshold", ...UNIT},
        y: {label: "Share or ratio", ...UNIT},
        series: series.filter(({y}) => y.some(isNumber)),
        marker: ({chosen}) => ({x: chosen}),
    };
}

/* Counts by class. A count of 0 stands at the foot of a logarithmic axis. */
function histogramCurve(e, points, logarithmic) {
    const {low, high} = e.histogram;
    const edges = [...low, ...high.slice(-1)];
    const foot = logarithmic ? 0.5 : 0;
    const step = (label, colour) => {
        const counts = e.histogram[label], value = [...counts, ...counts.slice(-1)];
        return {label, x: edges, y: value.map((count) => Math.max(count, foot)), value, colour, step: "before",
                filled: true};
    };
    const series = [step("positive", 2), step("negative", 1), step("unlabelled", 3)];
    return {
        id: "chart-histogram",
        title: "Scores by class",
        note: `Rows by probability, in ${low.length} bins.`,
        x: {label: "Probability", ...UNIT},
        y: {label: "Rows", min: foot, log: logarithmic},
        series: series.filter(({value}) => value.some((count) => count > 0)),
        marker: ({chosen}) => ({x: chosen}),
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
        radius: filled.map((bin) => 2 + 4 * Math.sqrt(bin.rows / most)),
    };
}

function reliabilityCurve(e) {
    const {width, calibrated} = e.reliability;
    const series = [reliabilitySeries("as scored", 1, width)];
    if (calibrated)
        series.push(reliabilitySeries("calibrated", 2, calibrated.width));
    series.push({label: "exact", x: [0, 1], y: [0, 1], colour: 0});
    return {
        id: "chart-reliability",
        title: "Reliability",
        note: "Below the diagonal the probability says too much, above it too little. Larger points hold more rows.",
        tabled: true,
        x: {label: "Mean probability", ...UNIT},
        y: {label: "Share of positives", ...UNIT},
        series,
    };
}

function lossCurve(e) {
    const epochs = e.training.map(({epoch}) => epoch);
    return {
        id: "chart-loss",
        title: "Loss by epoch",
        note: "Training loss is with dropout and over the rows drawn: compare its course, not its height.",
        x: {label: "Epoch"},
        y: {label: "Loss"},
        series: [["train/loss", "training", 1], ["val/loss", "validation", 2]].map(([key, label, colour]) => (
            {label, x: epochs, y: e.training.map((row) => row[key]), colour, radius: 2})),
    };
}

/* The epoch that training keeps: the first with the greatest validation AUPRC. */
function bestEpoch(rows) {
    return rows.reduce((best, row) => row["val/auprc"] > (best?.["val/auprc"] ?? -Infinity) ? row : best, null);
}

function auprcCurve(e) {
    const best = bestEpoch(e.training);
    const series = [{label: "validation", x: e.training.map(({epoch}) => epoch),
                     y: e.training.map((row) => row["val/auprc"]), colour: 1, radius: 2}];
    if (best)
        series.push({label: "best epoch", x: [best.epoch], y: [best["val/auprc"]], colour: 4, radius: 7,
                     scattered: true});
    return {
        id: "chart-auprc",
        title: "AUPRC by epoch",
        note: best ? `Best epoch: ${best.epoch}, with ${show(best["val/auprc"], "ratio")}.` : "Never defined.",
        x: {label: "Epoch"},
        y: {label: "Validation AUPRC"},
        series,
    };
}

/* ---- all of them ---- */

const view = {evaluation: null, points: [], marks: () => [], frames: [], logarithmic: false};

/* marks(): the thresholds to be marked now, see chartDraw. */
function curvesBegin(e, marks) {
    Object.assign(view, {evaluation: e, points: sweepPoints(e), marks});
}

/* The frames of curves, to be drawn in. */
function curvesBuild(...curves) {
    const figures = [];
    for (const curve of curves) {
        const spec = curveSpec(curve);
        if (spec.missing) {
            leaveOut(spec.title, spec.missing);
            continue;
        }
        const frame = chartFrame(spec);
        view.frames.push({curve, canvas: frame.canvas, chart: null});
        if (curve === histogramCurve)
            frame.figure.append(logarithmToggle());
        figures.push(frame.figure);
    }
    return element("div", {class: "charts"}, ...figures);
}

function curveSpec(curve) {
    return curve(view.evaluation, view.points, view.logarithmic);
}

function logarithmToggle() {
    const box = element("input", {type: "checkbox"});
    box.addEventListener("change", () => {
        view.logarithmic = box.checked;
        curvesDraw();
    });
    return element("label", {class: "toggle"}, box, " Logarithmic counts");
}

/* All charts anew, in the colours of now. */
function curvesDraw() {
    for (const frame of view.frames) {
        frame.chart?.destroy();
        frame.chart = chartDraw(frame.canvas, curveSpec(frame.curve), view.marks);
    }
}

/* The slider has moved. */
function curvesMark() {
    view.frames.forEach(({chart}) => chart?.render());
}
