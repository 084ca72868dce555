/* report_chart.js: charts by Chart.js in the colours of the page, each with its numbers as a table.
 *
 * A chart is described by {id, title, note, x, y, series, marker}: x and y are axes {label, min, max, log}; a
 * series is {label, x, y, value, colour, step, radius, scattered}: value is what y stands for where that is not
 * itself, colour 1 to 6, or 0 for a line of reference. marker(point) gives the {x, y} that mark the slider's
 * threshold. Colour and dash differ together, so that lines are told apart without colour.
 * SPDX-License-Identifier: MIT */
"use strict";

const DASHES = [[3, 3], [], [8, 3], [2, 2], [8, 3, 2, 3], [12, 4], [4, 6]];
const TABLE_ROWS = 21;

Chart.defaults.animation = false;
Chart.defaults.maintainAspectRatio = false;
Chart.defaults.font.family = "system-ui, sans-serif";

function themeColour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function seriesColour(series) {
    return themeColour(series.colour ? `series-${series.colour}` : "muted");
}

function seriesDataset(series) {
    const colour = seriesColour(series);
    return {
        label: series.label,
        data: series.x.map((x, i) => ({x, y: series.y[i], value: (series.value ?? series.y)[i]})),
        borderColor: colour,
        backgroundColor: colour,
        borderDash: DASHES[series.colour],
        borderWidth: series.colour ? 2 : 1.5,
        pointRadius: series.radius ?? 0,
        pointHitRadius: 6,
        pointStyle: series.radius ? "circle" : "line",
        stepped: series.step ?? false,
        showLine: !series.scattered,
        fill: false,
    };
}

/* The slider's threshold: a point, or a line where there are two. */
function markerDataset(points) {
    const colour = themeColour("text");
    return {
        label: "at the slider",
        data: points,
        borderColor: colour,
        backgroundColor: colour,
        borderWidth: 2,
        pointRadius: points.length > 1 ? 0 : 6,
        pointStyle: points.length > 1 ? "line" : "rectRot",
        showLine: points.length > 1,
        order: -1,
    };
}

function axisOptions(axis) {
    const powers = (value) => Number.isInteger(Math.log10(value)) ? value.toLocaleString("en-US") : "";
    return {
        type: axis.log ? "logarithmic" : "linear",
        min: axis.min,
        max: axis.max,
        title: {display: true, text: axis.label, color: themeColour("text")},
        ticks: {color: themeColour("muted"), maxRotation: 0, ...(axis.log ? {callback: powers} : {})},
        grid: {color: themeColour("line")},
    };
}

function tooltipLabel(item) {
    const round = (value) => Number(value.toPrecision(4));
    return `${item.dataset.label}: (${round(item.parsed.x)}, ${round(item.raw.value ?? item.parsed.y)})`;
}

function chartOptions(spec) {
    return {
        devicePixelRatio: Math.max(2, window.devicePixelRatio),
        interaction: {mode: "nearest", intersect: false},
        scales: {x: axisOptions(spec.x), y: axisOptions(spec.y)},
        plugins: {
            legend: {
                position: "bottom",
                labels: {usePointStyle: true, pointStyleWidth: 28, color: themeColour("text"), padding: 12},
            },
            tooltip: {callbacks: {label: tooltipLabel}},
        },
    };
}

function chartDraw(canvas, spec, point) {
    const datasets = spec.series.map(seriesDataset);
    if (spec.marker && point)
        datasets.push(markerDataset(spec.marker(point)));
    return new Chart(canvas, {type: "scatter", data: {datasets}, options: chartOptions(spec)});
}

function chartMark(chart, spec, point) {
    if (!spec.marker)
        return;
    chart.data.datasets[chart.data.datasets.length - 1].data = spec.marker(point);
    chart.update("none");
}

/* Every so many of n indices, the first and the last among them. */
function thinned(n) {
    const rows = Math.min(n, TABLE_ROWS);
    return Array.from({length: rows}, (unused, i) => Math.round(i * (n - 1) / Math.max(rows - 1, 1)));
}

/* Series over the same x share a table. */
function seriesTables(spec) {
    const groups = [];
    for (const series of spec.series) {
        const group = groups.find((other) => other[0].x === series.x);
        if (group)
            group.push(series);
        else
            groups.push([series]);
    }
    return groups.map((group) => seriesTable(spec, group));
}

function seriesTable(spec, group) {
    const text = (value) => isNumber(value) ? String(Number(value.toPrecision(4))) : "undefined";
    const columns = [{label: spec.x.label, cell: (i) => text(group[0].x[i])}];
    for (const series of group)
        columns.push({label: series.label, cell: (i) => text((series.value ?? series.y)[i])});
    const caption = `${spec.title}: ${group.map((series) => series.label).join(", ")}; ${spec.y.label}`;
    return table(caption, columns, thinned(group[0].x.length));
}

/* The frame of a chart: heading, what it shows, canvas, its numbers. */
function chartFrame(spec) {
    const canvas = element("canvas", {
        id: spec.id,
        role: "img",
        "aria-label": `${spec.title}. ${spec.note} Its numbers follow as a table.`,
    });
    const numbers = element("details", {}, element("summary", {}, "Numbers"), ...seriesTables(spec));
    const figure = element("figure", {}, element("h3", {}, spec.title), element("p", {class: "muted"}, spec.note),
                           element("div", {class: "canvas"}, canvas), numbers);
    return {figure, canvas};
}
