/* report.js: the page from top to bottom. It reads the evaluation, fills one section after the other, and draws
 * anew when the colours change: dark, light, paper. A filler returns why there is nothing to show, if so.
 * SPDX-License-Identifier: MIT */
"use strict";

/* ---- head ---- */

function subjectOf(e) {
    return `${e.model ?? "scores from a file"} on ${e.data.join(", ")}`;
}

function warningsOf(e) {
    const used = (key, what) => e.used[key]?.rows > 0 &&
        `At least ${show(e.used[key].rows, "count")} of these rows (about ${show(e.used[key].share, "percent")} of ` +
            `all) ${what}`;
    const negatives = e.ranked - e.positives;
    return [
        e.too_few && `Only ${show(e.positives, "count")} rows with label 1 and ${show(negatives, "count")} with ` +
            "label 0: too few to tell much.",
        e.large.f1 <= e.small.f1 && isNumber(e.large.f1) &&
            "The large guard is no better than the small one on these rows: routing has nothing to win.",
        e.entropy.f1 >= e.routed.f1 && isNumber(e.routed.f1) && e.rows_routed > 0 &&
            "The small guard's entropy, which needs no router, does no worse at the same share.",
        !e.threshold_is_set && `No threshold is chosen for this router: ${show(e.threshold, "threshold")} is used.`,
        e.bad_rows > 0 && `${show(e.bad_rows, "count")} rows cannot be scored and go to the large guard.`,
        e.unlabelled > 0 && `${show(e.unlabelled, "count")} rows have no label.`,
        used("trained", "were trained on: the figures flatter the router."),
        used("selected", "chose the epoch or the settings: the figures are somewhat too good."),
        used("calibrated", "chose the threshold or the calibration: the figures are too good."),
    ].filter(Boolean);
}

function headFill(e) {
    document.title = `Router report: ${subjectOf(e)}`;
    document.getElementById("subject").textContent = subjectOf(e);
    document.getElementById("warnings").append(
        ...warningsOf(e).map((text) => element("p", {class: "warning"}, text)));
}

function contentsFill() {
    const sections = [...document.querySelectorAll("main > section")].filter(({hidden}) => !hidden);
    document.getElementById("contents").append(...sections.map((section) =>
        element("a", {href: `#${section.id}`}, section.querySelector("h2").textContent)));
}

/* The evaluation as a file, letter by letter as it stands in the page. */
function downloadFill(text) {
    const file = new Blob([text], {type: "application/json"});
    document.getElementById("download").href = URL.createObjectURL(file);
}

/* ---- in short ---- */

function summaryWords(e) {
    const f1 = (guard) => show(e[guard].f1, "ratio");
    return [
        `At threshold ${show(e.threshold, "threshold")} the router sends ${show(e.share_routed, "percent")} of ` +
            `${show(e.rows, "count")} rows to the large guard.`,
        isNumber(e.recall) && isNumber(e.precision) &&
            `It finds ${show(e.recall, "percent")} of the rows where the small guard is wrong and the large one ` +
            `right (recall); of those it sends, ${show(e.precision, "percent")} are such (precision).`,
        e.system_rows > 0 && `Safety F1 of the whole system is then ${f1("routed")}; the small guard alone has ` +
            `${f1("small")}, the large one alone ${f1("large")}. As many rows sent at random give ${f1("random")}` +
            (isNumber(e.entropy.f1) ? `, by the small guard's entropy ${f1("entropy")}.` : "."),
    ].filter(Boolean).join(" ");
}

/* A number to look at first: what it is, and what it is to be held against. Left out where it is undefined. */
function tile(label, object, key, kind, beside) {
    return !isNumber(object[key]) ? "" :
        element("div", {class: "tile"}, element("h3", {}, label),
                element("p", {class: "big"}, figure(object, key, kind)), element("p", {class: "muted"}, beside));
}

function summaryFill(e, to) {
    const of = (key, kind) => show(e[key], kind);
    const entropy = isNumber(e.entropy_auprc) ? `, entropy of the small guard ${of("entropy_auprc", "ratio")}` : "";
    const alone = (what) => `small ${show(e.prices[`small_${what}`], "amount")}, large ` +
        show(e.prices[`large_${what}`], "amount");
    to.append(paragraph(summaryWords(e)), element("div", {class: "tiles"},
        tile("AUPRC", e, "auprc", "ratio", `chance ${of("base_rate", "ratio")}${entropy}`),
        tile("Share routed", e, "share_routed", "percent", "of all rows go to the large guard"),
        tile("Safety F1, routed", e.routed, "f1", "ratio", `small ${show(e.small.f1, "ratio")}, large ` +
             `${show(e.large.f1, "ratio")}, oracle ${show(e.oracle.f1, "ratio")}`),
        tile("Gap won", e, "gap_won", "percent", "of the way from small to large in safety F1"),
        tile("Unsafe missed per 1,000", e, "missed_routed", "perThousand",
             `small ${of("missed_small", "perThousand")}, large ${of("missed_large", "perThousand")}`),
        tile("Harmed", e, "harm", "percent", "of the rows: small right, large wrong, and routed"),
        tile("Latency a row, ms", e, "latency_ms", "amount", alone("ms")),
        tile("Price a row", e, "price", "amount", alone("cost"))), ...gateTable(e), measuredTable(e));
}

/* The conditions of --gate, if there were any, each with the number it was checked on. */
function gateTable(e) {
    const rows = (e.gate ?? []).map(({condition, holds}) => [holds ? "Holds" : "Does not hold", condition]);
    return rows.length > 0 ? [factsTable("Conditions to go out", rows)] : [];
}

function measuredTable(e) {
    const parts = [["ranked", "with label and score"], ["positives", "of them with label 1"],
                   ["unlabelled", "without a label"], ["bad_rows", "that cannot be scored"],
                   ["system_rows", "with gold and both verdicts"]];
    const rows = parts.filter(([key]) => e[key] > 0).map(([key, what]) => `${show(e[key], "count")} ${what}`);
    const groups = e.groups < e.rows ? ` in ${show(e.groups, "count")} groups` : "";
    return factsTable("What was measured", [
        ["Router", e.model ?? "scores from a file"],
        ["Data", e.data.join(", ")],
        ["Rows", `${show(e.rows, "count")}${groups}: ${rows.join(", ")}`],
        ["Threshold", `${e.threshold} (${e.threshold_origin})`],
        ["Labels", e.labels],
    ]);
}

/* ---- guards ---- */

function guardsFill(e, to) {
    if (!(e.system_rows > 0))
        return NO_VERDICTS;
    const columns = [{label: "Who judges", text: true, cell: ({label}) => label}];
    for (const {key: of, label, kind} of GUARD_FIGURES)
        columns.push({label, cell: ({key}) => isNumber(e[key][of]) ? figure(e[key], of, kind) : ""});
    columns.push({label: "Share routed", cell: ({key}) => show(e[key].share_routed, "percent")});
    const judges = GUARDS.filter(({key}) => isNumber(e[key].accuracy));
    to.append(table("Safety by who judges", columns, judges, {class: "wide"}), rightMatrix(e.table));
}

function rightMatrix({cc, cw, wc, ww}) {
    return matrix("Who is right", ["Small right", "Small wrong"], ["Large right", "Large wrong"], [
        [{count: cc, word: "nothing to win"}, {count: cw, word: "harm if routed"}],
        [{count: wc, word: "gain if routed"}, {count: ww, word: "nothing to win"}],
    ]);
}

/* ---- calibration ---- */

function calibrationFill(e, to) {
    const {width, calibrated} = e.reliability;
    if (!(e.ranked > 0))
        return "it takes labelled rows";
    const charts = curvesBuild(reliabilityCurve);
    charts.append(element("div", {}, binsTable("As scored", width),
                          ...(calibrated ? [binsTable("Calibrated", calibrated.width)] : [])));
    to.append(charts);
}

function binsTable(name, bins) {
    const columns = [
        {label: "Probability", text: true, cell: ({low, high}) => `${low.toFixed(2)}\u2013${high.toFixed(2)}`},
        {label: "Rows", cell: ({rows}) => show(rows, "count")},
        {label: "Mean", cell: (bin) => show(bin.mean_prob, "ratio")},
        {label: "Positives", cell: ({rows, positives}) => show(positives / rows, "ratio")},
    ];
    return table(`${name}, in bins of equal width`, columns, bins.filter(({rows}) => rows > 0));
}

/* ---- elsewhere: another share of positives, real traffic ---- */

function besideTable(caption, elsewhere, e, label) {
    const columns = [
        {label: "Figure", text: true, cell: (entry) => entry.label},
        {label: "Here", cell: ({key, kind}) => show(e[key], kind)},
        {label, cell: ({key, kind}) => figure(elsewhere, key, kind)},
    ];
    return table(caption, columns, FIGURES.filter(({key}) => isNumber(elsewhere[key])));
}

function prevalenceFill(e, to) {
    if (!isNumber(e.prevalence_at))
        return "no other share of positives was given (--prevalence P)";
    const at = show(e.prevalence_at, "percent");
    to.append(besideTable(`Expected where ${at} of the rows have label 1`, e.prevalence, e, `At ${at}`));
}

function trafficFill(e, to) {
    if (!e.traffic)
        return "no dump of traffic was given (--traffic PROD.h5)";
    to.append(besideTable(`${show(e.traffic.rows, "count")} unlabelled rows of traffic`, e.traffic, e, "On traffic"));
}

/* ---- training, all figures ---- */

function trainingFill(e, to) {
    if (!(e.training?.length > 0))
        return "no folder of a training run was given (--run RUN)";
    to.append(curvesBuild(lossCurve, auprcCurve));
}

function figuresFill(e, to) {
    const columns = [
        {label: "Figure", text: true, cell: ({label}) => label},
        {label: "Value", cell: ({key, kind}) => figure(e, key, kind)},
    ];
    const known = FIGURES.filter(({key}) => isNumber(e[key]));
    to.append(table(`At threshold ${show(e.threshold, "threshold")}`, columns, known));
}

/* ---- what is not there ---- */

const absent = [];

function leaveOut(title, reason) {
    absent.push([title, reason]);
}

function absentFill(e, to) {
    if (absent.length === 0)
        return "nothing is left out";
    to.append(factsTable("What is left out, and why", absent));
}

/* ---- the page ---- */

const SECTIONS = [
    ["summary", summaryFill], ["threshold", thresholdFill], ["guards", guardsFill], ["slices", slicesFill],
    ["calibration", calibrationFill], ["prevalence", prevalenceFill], ["traffic", trafficFill],
    ["comparison", comparisonFill], ["training", trainingFill], ["figures", figuresFill], ["absent", absentFill],
];

/* A section that fails says so in its place, and the others are there. */
function sectionFill(e, id, fill) {
    const section = document.getElementById(id);
    try {
        const reason = fill(e, section);
        section.hidden = Boolean(reason);
        if (reason)
            leaveOut(section.querySelector("h2").textContent, reason);
    } catch (error) {
        section.append(element("p", {class: "warning"}, `This section could not be made: ${error.message}`));
    }
}

function drawAnew() {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", curvesDraw);
    for (const [event, paper] of [["beforeprint", true], ["afterprint", false]])
        window.addEventListener(event, () => {
            document.documentElement.classList.toggle("paper", paper);
            curvesDraw();
        });
}

function main() {
    const {textContent: text} = document.getElementById("evaluation");
    const e = JSON.parse(text);
    headFill(e);
    SECTIONS.forEach(([id, fill]) => sectionFill(e, id, fill));
    contentsFill();
    downloadFill(text);
    curvesDraw();
    drawAnew();
}

main();
