/* report_table.js: tables that scroll by themselves on a narrow screen and can be sorted.
 * SPDX-License-Identifier: MIT */
"use strict";

/* A column: label; cell(row) its text or element; value(row), for columns to sort by, a number or text; text:
 * set to the left. The first column names the row. A column without one known value is left out. */
function table(caption, columns, rows, attributes = {}) {
    const known = columns.filter(({value}) => !value || rows.some((row) => isKnown(value(row))));
    const body = element("tbody");
    const heads = known.map(headCell);
    const node = element("table", attributes, element("caption", {}, caption),
                         element("thead", {}, element("tr", {}, ...heads)), body);
    const fill = (sorted) => body.replaceChildren(...sorted.map((row) => bodyRow(known, row)));
    fill(rows);
    heads.forEach((head, i) => {
        if (known[i].value)
            head.firstChild.addEventListener("click", () => fill(sortBy(heads, head, known[i], rows)));
    });
    return element("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": caption}, node);
}

function headCell(column) {
    const attributes = {scope: "col", ...(column.text ? {class: "text"} : {})};
    const sortable = Boolean(column.value);
    return element("th", attributes, sortable ? element("button", {type: "button"}, column.label) : column.label);
}

function bodyRow(columns, row) {
    const cells = columns.map((column, i) => {
        const attributes = column.text ? {class: "text"} : {};
        return i === 0 ? element("th", {scope: "row", class: "text"}, column.cell(row))
                       : element("td", attributes, column.cell(row));
    });
    return element("tr", row.muted ? {class: "muted"} : {}, ...cells);
}

function isKnown(value) {
    return typeof value === "string" || isNumber(value);
}

/* Rows by a column; the same column again turns the order round. Undefined values come last either way. */
function sortBy(heads, head, column, rows) {
    const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    return rows.slice().sort((a, b) => compare(column.value(a), column.value(b), sign));
}

function compare(a, b, sign) {
    if (!isKnown(a) || !isKnown(b))
        return Number(isKnown(b)) - Number(isKnown(a));
    return a < b ? -sign : a > b ? sign : 0;
}

/* A column of a figure with its interval. of(row): the object that holds it. */
function figureColumn({key, label, kind}, of = (row) => row) {
    return {label, cell: (row) => figure(of(row), key, kind), value: (row) => of(row)?.[key]};
}

/* Label and text, without a heading. */
function factsTable(caption, facts) {
    const columns = [0, 1].map((i) => ({label: "", text: true, cell: (fact) => fact[i]}));
    return table(caption, columns, facts, {class: "facts"});
}

/* Four counts, two by two: rows and columns by name, cells {id, count, word}, with each cell's share of its row
 * as text and as a bar. */
function matrix(caption, rows, columns, cells) {
    const body = rows.map((name, i) => {
        const whole = cells[i][0].count + cells[i][1].count;
        return element("tr", {}, element("th", {scope: "row", class: "text"}, name),
                       ...cells[i].map((cell) => matrixCell(cell, cell.count / whole)));
    });
    const heads = ["", ...columns].map((name) => element("th", {scope: "col"}, name));
    return element("table", {class: "matrix"}, element("caption", {}, caption),
                   element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...body));
}

function matrixCell({id, count, word}, share) {
    const part = isNumber(share) ? `, ${show(share, "percent")}` : "";
    const node = element("td", {}, element("strong", id ? {id} : {}, show(count, "count")),
                         element("small", {}, `${word}${part}`));
    node.style.setProperty("--part", isNumber(share) ? share : 0);
    return node;
}
