/* report_chart.js: charts by Chart.js in the colours of the page, each with its numbers as a table.
 *
 * A chart is described by {id, title, note, x, y, series, marker}: x and y are axes {label, min, max, log}, y may
 * have names instead, of 0, 1, ... from the top; a series is {label, x, y, value, colour, step, radius, shape,
 * scattered, filled}: value is what y stands for where that is not itself, colour 1 to 5, or 0 for a line of reference.
 * marker(point) says where a threshold is on the chart: {x, y}, or {x} for all of a line. Colour and dash differ
 * together, so that lines are told apart without colour.
 * SPDX-License-Identifier: MIT */
"use strict";

const DASHES = [[3, 3], [], [8, 3], [2, 2], [8, 3, 2, 3], [12, 4]];
const TABLE_ROWS = 21;
const NAME_LENGTH = 18;

Chart.defaults.animation = false;
Chart.defaults.maintainAspectRatio = false;
Chart.defaults.font.family = "system-ui, sans-serif";

function themeColour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function seriesColour(series) {
    return themeColour(series.colour ? `series-${series.colour}` : "muted");
}

/* ---- series ---- */

function extent(values) {
    const known = values.filter(isNumber);
    return known.reduce((most, value) => Math.max(most, value), -Infinity) -
           known.reduce((least, value) => Math.min(least, value), Infinity);
}

/* Points of a line that an eye can tell apart: one nearer to the last than a pixel of a large screen is left out.
 * First and last stay, and gaps. */
function apart(points) {
    const width = extent(points.map(({x}) => x)) || 1, height = extent(points.map(({y}) => y)) || 1;
    let last = null;
    return points.filter((point, i) => {
        const near = last && i < points.length - 1 &&
            Math.abs(point.x - last.x) / width + Math.abs(point.y - last.y) / height < 1 / 1500;
        if (!near)
            last = point;
        return !near;
    });
}

function seriesDataset(series) {
    const colour = seriesColour(series);
    const points = series.x.map((x, i) => ({x, y: series.y[i], value: (series.value ?? series.y)[i]}));
    return {
        label: series.label,
        data: series.radius || series.scattered ? points : apart(points),
        borderColor: colour,
        backgroundColor: series.filled ? `${colour}30` : colour,
        borderDash: DASHES[series.colour],
        borderWidth: series.colour ? 2 : 1.5,
        pointRadius: series.radius ?? 0,
        pointHitRadius: 6,
        pointStyle: series.shape ?? (series.radius ? "circle" : "line"),
        stepped: series.step ?? false,
        showLine: !series.scattered,
        fill: series.filled ? "start" : false,
        clip: 8,
    };
}

/* ---- marks ---- */

/* A threshold on a chart: full where the slider is, open where one was chosen. */
function markDraw({ctx, chartArea, scales}, {x, y}, full) {
    const across = scales.x.getPixelForValue(x), down = y === undefined ? 0 : scales.y.getPixelForValue(y);
    if (!isNumber(across) || !isNumber(down))
        return;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = themeColour("text");
    ctx.lineWidth = full ? 2 : 1.5;
    ctx.setLineDash(full || y !== undefined ? [] : [5, 4]);
    ctx.beginPath();
    const corners = y === undefined ? [[0, chartArea.top], [0, chartArea.bottom]]
                                    : [[-7, down], [0, down - 7], [7, down], [0, down + 7], [-7, down]];
    corners.forEach(([aside, level]) => ctx.lineTo(across + aside, level));
    ctx.stroke();
    if (full)
        ctx.fill();
    ctx.restore();
}

function marksPlugin(spec, marks) {
    return {
        id: "marks",
        afterDatasetsDraw: (chart) => {
            if (spec.marker)
                marks().forEach(({point, full}) => markDraw(chart, spec.marker(point), full));
        },
    };
}

/* ---- axes, legend, tooltip ---- */

function axisOptions(axis) {
    const powers = (value) => Number.isInteger(Math.log10(value)) ? value.toLocaleString("en-US") : "";
    const options = {
        type: axis.log ? "logarithmic" : "linear",
        min: axis.min,
        max: axis.max,
        title: {display: Boolean(axis.label), text: axis.label, color: themeColour("text")},
        ticks: {color: themeColour("muted"), maxRotation: 0, ...(axis.log ? {callback: powers} : {})},
        grid: {color: themeColour("line")},
    };
    return axis.names ? {...options, ...namesOptions(axis.names, options)} : options;
}

function namesOptions(names, {ticks}) {
    const short = (name) => name.length > NAME_LENGTH ? `${name.slice(0, NAME_LENGTH - 1)}\u2026` : name;
    return {
        min: -0.5,
        max: names.length - 0.5,
        reverse: true,
        afterBuildTicks: (axis) => {
            axis.ticks = names.map((unused, value) => ({value}));
        },
        ticks: {...ticks, autoSkip: false, color: themeColour("text"), callback: (value) => short(names[value])},
    };
}

/* Chart.js would put points into a legend, without dashes; a line is shown as a line. */
function legendItems(chart) {
    return Chart.defaults.plugins.legend.labels.generateLabels(chart).map((item) => {
        const {borderDash, showLine} = chart.data.datasets[item.datasetIndex];
        return showLine ? {...item, lineDash: borderDash, lineWidth: 2, pointStyle: "line"} : {...item, lineDash: []};
    });
}

function legendOptions(spec) {
    const lines = spec.series.every(({scattered}) => !scattered);
    return {
        position: "bottom",
        onClick: null,
        labels: {usePointStyle: true, ...(lines ? {pointStyleWidth: 32} : {}), color: themeColour("text"), padding: 12,
                 generateLabels: legendItems},
    };
}

function tooltipLabel(spec, item) {
    const round = (value) => Number(value.toPrecision(4));
    const {x, y} = item.parsed;
    if (spec.y.names)
        return `${item.dataset.label}, ${spec.y.names[y]}: ${round(x)}`;
    return `${item.dataset.label}: ${round(item.raw.value ?? y)} at ${spec.x.label.toLowerCase()} ${round(x)}`;
}

function chartOptions(spec) {
    return {
        devicePixelRatio: Math.max(2, window.devicePixelRatio),
        interaction: {mode: "nearest", intersect: false},
        scales: {x: axisOptions(spec.x), y: axisOptions(spec.y)},
        plugins: {
            legend: legendOptions(spec),
            tooltip: {callbacks: {label: (item) => tooltipLabel(spec, item)}},
        },
    };
}

/* marks(): the thresholds to be marked now, [{point, full}]. */
function chartDraw(canvas, spec, marks) {
    return new Chart(canvas, {
        type: "scatter",
        data: {datasets: spec.series.map(seriesDataset)},
        options: chartOptions(spec),
        plugins: [marksPlugin(spec, marks)],
    });
}

/* ---- frame ---- */

/* Every so many of n indices, the first and the last among them. */
function thinned(n) {
    const rows = Math.min(n, TABLE_ROWS);
    return Array.from({length: rows}, (unused, i) => Math.round(i * (n - 1) / Math.max(rows - 1, 1)));
}

/* Series over the same x share a table; lines of reference have none. */
function seriesTables(spec) {
    const groups = new Map();
    for (const series of spec.series.filter(({colour}) => colour))
        groups.set(series.x, [...(groups.get(series.x) ?? []), series]);
    return [...groups.values()].map((group) => seriesTable(spec, group));
}

function seriesTable(spec, group) {
    const text = (value) => isNumber(value) ? String(Number(value.toPrecision(4))) : "undefined";
    const columns = [{label: spec.x.label, cell: (i) => text(group[0].x[i])}];
    for (const series of group)
        columns.push({label: series.label, cell: (i) => text((series.value ?? series.y)[i])});
    return table(`${spec.title}: ${spec.y.label}`, columns, thinned(group[0].x.length));
}

/* The frame of a chart: heading, what it shows, canvas, its numbers unless a table beside it has them. */
function chartFrame(spec) {
    const canvas = element("canvas", {id: spec.id, role: "img", "aria-label": `${spec.title}. ${spec.note}`});
    const box = element("div", {class: "canvas"}, canvas);
    const figure = element("figure", {}, element("h3", {}, spec.title), element("p", {class: "muted"}, spec.note), box);
    if (spec.y.names) {
        box.classList.add("names");
        box.style.setProperty("--names", spec.y.names.length);
    }
    if (!spec.tabled)
        figure.append(element("details", {}, element("summary", {}, "Numbers"), ...seriesTables(spec)));
    return {figure, canvas};
}
