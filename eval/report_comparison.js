/* report_comparison.js: this router against the one it would replace.
 * SPDX-License-Identifier: MIT */
"use strict";

function comparisonFill(e, to) {
    if (!e.old)
        return "no baseline was given (--baseline OLD)";
    to.append(paragraph(`Baseline: ${e.baseline}, at threshold ${show(e.old.threshold, "threshold")}; this router at ` +
                        `${show(e.threshold, "threshold")}. Differences are new less old, on the same rows.`),
              ...changedDecisions(e.changed), deltaTable("Each at its own threshold", e.old, e, e.delta),
              ...equalShare(e.equal_share), ...regressions(e.regressions));
}

/* "better" and "worse" only where the interval of the difference leaves out 0. */
function verdict(delta, {key, better}) {
    const interval = delta[`${key}_ci`];
    if (!interval)
        return "";
    if (interval[0] <= 0 && interval[1] >= 0)
        return "within noise";
    const up = interval[0] > 0;
    if (better === 0)
        return up ? "more" : "less";
    return up === better > 0 ? "better" : "worse";
}

/* Rows of old, new and difference: what is not the same for any router. */
function deltaRows(old, now, delta) {
    const same = ["base_rate", "entropy_auprc", "missed_small", "missed_large"];
    const rows = FIGURES.filter(({key}) => !same.includes(key)).map((entry) => ({entry, old, now, delta}));
    for (const entry of GUARD_FIGURES)
        rows.push({entry: {...entry, label: `Both guards: ${entry.label.toLowerCase().replace("f1", "F1")}`},
                   old: old.routed, now: now.routed, delta: delta.routed});
    return rows.filter((row) => isNumber(row.delta[row.entry.key]));
}

function deltaTable(caption, old, now, delta) {
    const columns = [
        {label: "Figure", text: true, cell: (row) => row.entry.label},
        {label: "New less old", cell: (row) => figure(row.delta, row.entry.key, row.entry.kind, showSigned)},
        {label: "", text: true, cell: (row) => verdict(row.delta, row.entry)},
        {label: "Old", cell: (row) => show(row.old[row.entry.key], row.entry.kind)},
        {label: "New", cell: (row) => show(row.now[row.entry.key], row.entry.kind)},
    ];
    return table(caption, columns, deltaRows(old, now, delta));
}

function equalShare({share, threshold_new: now, threshold_old: old, ...figures}) {
    const text = `As many rows routed as by the baseline, ${show(share, "percent")}: threshold ` +
        `${show(old, "threshold")} of the baseline, ${show(now, "threshold")} of this router.`;
    return [element("h3", {}, "At equal share"), paragraph(text),
            deltaTable("Both at the baseline's share", figures.old, figures.new, figures.delta)];
}

function changedDecisions({to_large: large, to_small: small, mcnemar, ...rates}) {
    const text = `Of 1,000 rows ${show(rates.to_large_per_1000, "perThousand")} go to the large guard that did not ` +
        `(${show(large, "count")} rows), and ${show(rates.to_small_per_1000, "perThousand")} no longer do ` +
        `(${show(small, "count")} rows).`;
    const test = `Right only with the new router: ${show(mcnemar.only_new_right, "count")} rows; only with the old ` +
        `one: ${show(mcnemar.only_old_right, "count")} (McNemar's exact test: p = ${show(mcnemar.p_value, "amount")}).`;
    return [element("h3", {}, "Changed decisions"), paragraph(text), paragraph(test)];
}

function regressions(slices) {
    const heading = element("h3", {}, "Slices that became worse");
    if (slices.length === 0)
        return [heading, paragraph("None that is beyond doubt.")];
    const columns = [
        {label: "Slice", text: true, cell: ({name}) => name, value: ({name}) => name},
        {label: "Rows", cell: ({rows}) => show(rows, "count"), value: ({rows}) => rows},
        {label: "Label 1", cell: ({positives}) => show(positives, "count"), value: ({positives}) => positives},
    ];
    const change = ({key, label, kind}, of) => columns.push(
        {label, cell: (slice) => figure(of(slice), key, kind, showSigned), value: (slice) => of(slice)[key]});
    for (const entry of figuresOf("auprc", "f1", "recall", "share_routed", "missed_routed"))
        change(entry, ({delta}) => delta);
    change(GUARD_FIGURES[0], ({delta}) => delta.routed);
    return [heading, table("Differences within slices, new less old", columns, slices, {class: "wide stacked"})];
}
