/* report_slices.js: the same figures within each slice, as a picture and as a table.
 * SPDX-License-Identifier: MIT */
"use strict";

const SLICES_DRAWN = 40;

function slicesFill(e, to) {
    if (!(e.slices.length > 0))
        return "the dump names no slices";
    if (e.worst_slice)
        to.append(paragraph("Lowest F1 of the router among those with enough rows: ",
                            element("strong", {}, e.worst_slice.name), " ", figure(e.worst_slice, "f1", "ratio"), "."));
    if (slicesDrawn(e).length > 1)
        to.append(curvesBuild(slicesCurve));
    to.append(slicesTable(e));
}

/* Those with enough rows, the largest first. */
function slicesDrawn(e) {
    return e.slices.filter((slice) => !slice.too_few).sort((a, b) => b.rows - a.rows).slice(0, SLICES_DRAWN);
}

/* A point a slice; and the intervals of the first series as lines with gaps between them. */
function slicesCurve(e) {
    const slices = slicesDrawn(e), guards = e.system_rows > 0;
    const points = (label, colour, shape, of) => (
        {label, colour, shape, x: slices.map((slice) => of(slice).f1), y: slices.map((unused, i) => i), radius: 5,
         scattered: true});
    const ends = slices.map((slice) => (guards ? slice.routed : slice).f1_ci);
    const interval = {label: "its interval", colour: 1, x: ends.flatMap((ci) => [...(ci ?? [NaN, NaN]), NaN]),
                      y: ends.flatMap((unused, i) => [i, i, NaN])};
    return {
        id: "chart-slices",
        title: guards ? "Safety F1 by slice" : "F1 of the router by slice",
        note: "Slices with enough rows, the largest first.",
        tabled: true,
        x: {label: guards ? "Safety F1" : "F1", ...UNIT},
        y: {names: slices.map(({name}) => name)},
        series: guards ? [points("routed", 1, "circle", ({routed}) => routed), interval,
                          points("small alone", 2, "triangle", ({small}) => small),
                          points("large alone", 3, "rect", ({large}) => large)]
                       : [points("router", 1, "circle", (slice) => slice), interval],
    };
}

function slicesTable(e) {
    const few = (slice) => slice.too_few ? element("small", {class: "badge"}, "too few rows") : "";
    const columns = [
        {label: "Slice", text: true, cell: (slice) => element("span", {}, slice.name, " ", few(slice)),
         value: ({name}) => name},
        {label: "Rows", cell: ({rows}) => show(rows, "count"), value: ({rows}) => rows},
        {label: "Label 1", cell: ({positives}) => show(positives, "count"), value: ({positives}) => positives},
        ...figuresOf("share_routed", "auprc", "f1", "recall").map((entry) => figureColumn(entry)),
    ];
    for (const [guard, label] of [["small", "Safety F1, small"], ["routed", "Routed"], ["large", "Large"]])
        columns.push(figureColumn({key: "f1", label, kind: "ratio"}, (slice) => slice[guard]));
    columns.push(figureColumn({key: "missed_routed", label: "Unsafe missed per 1,000", kind: "perThousand"}));
    const rows = e.slices.map((slice) => ({...slice, muted: slice.too_few}));
    return table("Slices; a click on a heading sorts", columns, rows, {id: "slices-table", class: "wide stacked"});
}
