/* report_comparison.js: this router against the one it would replace.
 * SPDX-License-Identifier: MIT */
"use strict";

function comparisonFill(e, to) {
    if (!e.old || !e.delta) {
        to.append(paragraph("Left out. The evaluation was made without a baseline."));
        return;
    }
    to.append(paragraph(`Baseline: ${baseName(e.old.model)}, at threshold ${show(e.old.threshold, "amount")}; this router ` +
                        `at ${show(e.threshold, "amount")}. Differences are new less old, on the same rows.`));
    to.append(deltaTable("Figures, old and new", e.old, e, e.delta));
    if (e.equal_share)
        to.append(...equalShare(e.equal_share));
    if (e.changed)
        to.append(...changedDecisions(e.changed));
    to.append(...regressions(e.regressions ?? []));
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

/* Rows of old, new and delta: the figures, and what guards come to with this router. */
function deltaRows(old, now, delta) {
    const rows = FIGURES.map((entry) => ({entry, old, now, delta}));
    for (const guard of GUARDS.filter(({key}) => key === "routed"))
        for (const entry of GUARD_FIGURES.filter(({key}) => key !== "share_routed"))
            rows.push({entry: {...entry, label: `${guard.label}: ${entry.label.toLowerCase()}`, better: 1},
                       old: old[guard.key], now: now[guard.key], delta: delta[guard.key]});
    return rows.filter(({entry, delta: of}) => of && entry.key in of);
}

function deltaTable(caption, old, now, delta) {
    const columns = [
        {label: "Figure", text: true, cell: (row) => row.entry.label},
        {label: "Old", cell: (row) => figure(row.old, row.entry.key, row.entry.kind)},
        {label: "New", cell: (row) => figure(row.now, row.entry.key, row.entry.kind)},
        {label: "New less old", cell: (row) => figure(row.delta, row.entry.key, row.entry.kind, showSigned)},
        {label: "", text: true, cell: (row) => verdict(row.delta, row.entry)},
    ];
    return table(caption, columns, deltaRows(old, now, delta));
}

function equalShare({share, threshold_new: now, threshold_old: old, ...figures}) {
    const text = `At the same share routed, ${show(share, "percent")}: threshold ${show(old, "amount")} of the baseline, ` +
        `${show(now, "amount")} of this router.`;
    return [element("h3", {}, "At equal share"), paragraph(text),
            deltaTable("Figures at equal share", figures.old, figures.new, figures.delta)];
}

function changedDecisions({to_large: large, to_small: small, mcnemar, ...rates}) {
    const text = `${show(large, "count")} rows go to the large guard that did not ` +
        `(${show(rates.to_large_per_1000, "perThousand")} per 1,000), ${show(small, "count")} no longer do ` +
        `(${show(rates.to_small_per_1000, "perThousand")} per 1,000).`;
    const test = !mcnemar ? "" : `Right only with the new router: ${show(mcnemar.only_new_right, "count")} rows; only with ` +
        `the old one: ${show(mcnemar.only_old_right, "count")} (McNemar's test, p = ${show(mcnemar.p_value, "amount")}).`;
    return [element("h3", {}, "Changed decisions"), paragraph(text), paragraph(test)];
}

function regressions(slices) {
    const heading = element("h3", {}, "Slices that became worse");
    if (slices.length === 0)
        return [heading, paragraph("None that is beyond doubt.")];
    const there = FIGURES.filter(({key}) => slices.some(({delta}) => isNumber(delta?.[key])));
    const columns = [
        {label: "Slice", text: true, cell: ({name}) => name, value: ({name}) => name},
        {label: "Rows", cell: ({rows}) => show(rows, "count"), value: ({rows}) => rows},
        {label: "Positive", cell: ({positives}) => show(positives, "count"), value: ({positives}) => positives},
        ...there.map((entry) => ({label: entry.label, value: ({delta}) => delta?.[entry.key],
                                  cell: ({delta}) => figure(delta, entry.key, entry.kind, showSigned)})),
    ];
    return [heading, table("Differences within slices, new less old", columns, slices)];
}
