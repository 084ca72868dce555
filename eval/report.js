/* report.js: the page from top to bottom. It reads the evaluation, fills one section after the other, and draws
 * anew when the colours change: dark, light, paper.
 * SPDX-License-Identifier: MIT */
"use strict";

/* At 50 rows of a class the 95 % interval of a share among them is up to 14 points either way. */
const FEW_ROWS = 50;

/* ---- head ---- */

function warningsOf(e) {
    const few = (n, what) => n < FEW_ROWS && `Only ${show(n, "count")} ${what} rows: too few to rest a decision on.`;
    const used = (key, what) => e.used?.[key]?.rows > 0 &&
        `${show(e.used[key].rows, "count")} of these rows (${show(e.used[key].share, "percent")} of all) ${what}`;
    return [
        few(e.positives, "positive"),
        few(e.ranked - e.positives, "negative"),
        !e.threshold_is_set && `No threshold is chosen for this router: ${show(e.threshold, "amount")} is used.`,
        e.bad_rows > 0 && `${show(e.bad_rows, "count")} rows cannot be scored and go to the large guard.`,
        e.unlabelled > 0 && `${show(e.unlabelled, "count")} rows have no label.`,
        used("trained", "were trained on: the figures flatter the router."),
        used("selected", "chose the epoch or the settings: the figures are somewhat too good."),
        used("calibrated", "were calibrated on: the calibration looks better than it is."),
    ].filter(Boolean);
}

function headFill(e) {
    const model = baseName(e.model);
    document.title = `Router report: ${model}`;
    document.getElementById("model").textContent = `${model} on ${e.data.map(baseName).join(", ")}`;
    document.getElementById("warnings").append(
        ...warningsOf(e).map((text) => element("p", {class: "warning"}, text)));
}

/* ---- what decides ---- */

/* A number to look at first: label, the number, and what it is to be held against. */
function tile(label, value, ...beside) {
    return element("div", {class: "tile"}, element("h3", {}, label), element("p", {class: "big"}, value),
                   ...beside.map((text) => element("p", {class: "muted"}, text)));
}

function summaryFill(e, to) {
    const f1 = (guard) => show(e[guard].f1, "ratio");
    const missed = (guard) => show(e[`missed_${guard}`], "perThousand");
    to.append(element("div", {class: "tiles"},
        tile("AUPRC", figure(e, "auprc", "ratio"), `chance ${show(e.base_rate, "ratio")}`,
             element("span", {}, "entropy alone ", figure(e, "entropy_auprc", "ratio"))),
        tile("Share routed", figure(e, "share_routed", "percent"), "of all rows go to the large guard"),
        tile("Safety F1, routed", figure(e.routed, "f1", "ratio"),
             `small ${f1("small")}, large ${f1("large")}, oracle ${f1("oracle")}`),
        tile("Gap won", figure(e, "gap_won", "percent"), "of the way from small to large in safety F1"),
        tile("Unsafe missed per 1,000", figure(e, "missed_routed", "perThousand"),
             `small ${missed("small")}, large ${missed("large")}`),
        tile("Harmed", figure(e, "harm", "percent"), "of the rows: small right, large wrong, and routed")), factsTable(e));
}

function factsTable(e) {
    const count = (key) => show(e[key], "count");
    const rows = [
        ["Model", e.model],
        ["Data", e.data.join(", ")],
        ["Rows", `${count("rows")}: ${count("ranked")} labelled and scored, ${count("positives")} of them positive; ` +
            `${count("unlabelled")} unlabelled, ${count("bad_rows")} that cannot be scored; ${count("groups")} groups`],
        ["Rows with gold and verdicts", count("system_rows")],
        ["Threshold", `${show(e.threshold, "amount")} (${e.threshold_origin})`],
        ["Labels", e.labels],
    ];
    return factRows("What was measured", rows);
}

function factRows(caption, rows) {
    const columns = [{label: "", text: true, cell: ([label]) => label}, {label: "", text: true, cell: ([, text]) => text}];
    return table(caption, columns, rows, {class: "facts"});
}

/* ---- guards ---- */

function guardsFill(e, to) {
    if (!(e.system_rows > 0)) {
        to.append(paragraph(`Left out. ${NO_VERDICTS}`));
        return;
    }
    const columns = [{label: "Who judges", text: true, cell: ({label}) => label, value: ({label}) => label}];
    GUARD_FIGURES.forEach((entry) => columns.push(figureColumn(entry, ({key}) => e[key])));
    to.append(table("Guards", columns, GUARDS), rightTable(e.table));
}

function rightTable({cc, cw, wc, ww}) {
    const rows = [{label: "Small right", large: [cc, cw]}, {label: "Small wrong", large: [wc, ww]}];
    const columns = [
        {label: "", text: true, cell: ({label}) => label},
        {label: "Large right", cell: ({large}) => show(large[0], "count")},
        {label: "Large wrong", cell: ({large}) => show(large[1], "count")},
    ];
    return table("Who was right, in rows", columns, rows);
}

/* ---- slices ---- */

const SLICE_FIGURES = ["share_routed", "auprc", "f1", "precision", "recall", "missed_routed", "gap_won"];

function slicesFill(e, to) {
    if (!(e.slices?.length > 0)) {
        to.append(paragraph("Left out. The dump names no slices."));
        return;
    }
    if (e.worst_slice)
        to.append(paragraph(`Lowest F1 among those with enough rows: ${e.worst_slice.name}, ` +
                            `${show(e.worst_slice.f1, "ratio")} ${showInterval(e.worst_slice, "f1", "ratio")}.`));
    const few = (slice) => slice.too_few ? element("small", {class: "badge"}, "too few rows") : "";
    const columns = [
        {label: "Slice", text: true, cell: (slice) => element("span", {}, slice.name, " ", few(slice)),
         value: ({name}) => name},
        {label: "Rows", cell: ({rows}) => show(rows, "count"), value: ({rows}) => rows},
        {label: "Positive", cell: ({positives}) => show(positives, "count"), value: ({positives}) => positives},
    ];
    SLICE_FIGURES.forEach((key) => columns.push(figureColumn(FIGURES.find((entry) => entry.key === key))));
    for (const [guard, label] of [["small", "Small"], ["routed", "Routed"], ["large", "Large"]])
        columns.push(figureColumn({key: "f1", label: `${label}: safety F1`, kind: "ratio"}, (slice) => slice[guard]));
    const rows = e.slices.map((slice) => ({...slice, muted: slice.too_few}));
    to.append(table("Slices; a click on a heading sorts", columns, rows, {id: "slices-table"}));
}

/* ---- elsewhere: another share of positives, real traffic ---- */

function elsewhereFill(e, to) {
    to.append(...(e.prevalence ? [prevalenceTable(e)] : [paragraph("No other prevalence was asked for.")]));
    to.append(...(e.traffic ? [trafficTable(e)] : [paragraph("No dump of traffic was given.")]));
}

function besideTable(caption, elsewhere, e, label) {
    const columns = [
        {label: "Figure", text: true, cell: (entry) => entry.label},
        {label: "Here", cell: ({key, kind}) => show(e[key], kind)},
        {label, cell: ({key, kind}) => figure(elsewhere, key, kind)},
    ];
    return table(caption, columns, FIGURES.filter(({key}) => key in elsewhere));
}

function prevalenceTable(e) {
    const at = show(e.prevalence.at, "percent");
    return besideTable(`Expected where ${at} of the rows are positive (here ${show(e.base_rate, "percent")})`, e.prevalence, e,
                       `At ${at}`);
}

function trafficTable(e) {
    return besideTable(`On traffic: ${show(e.traffic.rows, "count")} rows, unlabelled`, e.traffic, e, "Traffic");
}

/* ---- all figures ---- */

function figuresFill(e, to) {
    const columns = [
        {label: "Figure", text: true, cell: ({label}) => label},
        {label: "Value", cell: ({key, kind}) => show(e[key], kind)},
        {label: "Interval", cell: ({key, kind}) => showInterval(e, key, kind)},
    ];
    to.append(table(`All figures at threshold ${show(e.threshold, "amount")}`, columns, FIGURES));
}

/* ---- the page ---- */

/* A section that fails says so in its place, and the others are there. */
function sectionFill(id, fill) {
    const to = document.getElementById(id);
    try {
        fill(to);
    } catch (error) {
        to.append(element("p", {class: "warning"}, `This section could not be made: ${error.message}`));
    }
}

function curvesFill(e) {
    const redraw = () => curvesDraw(e, controlPoint());
    curvesBuild(e, redraw);
    redraw();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    for (const [event, paper] of [["beforeprint", true], ["afterprint", false]])
        window.addEventListener(event, () => {
            document.documentElement.classList.toggle("paper", paper);
            redraw();
        });
}

function controlFill(e) {
    controlBuild(e, curvesMark);
    controlShow();
}

function main() {
    const e = JSON.parse(document.getElementById("evaluation").textContent);
    headFill(e);
    sectionFill("summary", (to) => summaryFill(e, to));
    sectionFill("threshold", () => controlFill(e));
    sectionFill("charts", () => curvesFill(e));
    sectionFill("guards", (to) => guardsFill(e, to));
    sectionFill("slices", (to) => slicesFill(e, to));
    sectionFill("elsewhere", (to) => elsewhereFill(e, to));
    sectionFill("comparison", (to) => comparisonFill(e, to));
    sectionFill("figures", (to) => figuresFill(e, to));
}

main();
