/* report_table.js: tables that scroll by themselves on a narrow screen and can be sorted.
 * SPDX-License-Identifier: MIT */
"use strict";

/* A column: label; cell(row) its text or element; value(row), for columns to sort by, a number or text; text:
 * set to the left. The first column names the row. */
function table(caption, columns, rows, attributes = {}) {
    const body = element("tbody");
    const heads = columns.map((column) => headCell(column));
    const node = element("table", attributes, element("caption", {}, caption),
                         element("thead", {}, element("tr", {}, ...heads)), body);
    const fill = (sorted) => body.replaceChildren(...sorted.map((row) => bodyRow(columns, row)));
    fill(rows);
    heads.forEach((head, i) => {
        if (columns[i].value)
            head.firstChild.addEventListener("click", () => fill(sortBy(heads, head, columns[i], rows)));
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

/* Rows by a column; the same column again turns the order round. Undefined values come last either way. */
function sortBy(heads, head, column, rows) {
    const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    return rows.slice().sort((a, b) => compare(column.value(a), column.value(b), sign));
}

function compare(a, b, sign) {
    const known = (value) => typeof value === "string" || isNumber(value);
    if (!known(a) || !known(b))
        return Number(known(b)) - Number(known(a));
    return a < b ? -sign : a > b ? sign : 0;
}

/* A column of a figure with its interval. of(row): the object that holds it. */
function figureColumn({key, label, kind}, of = (row) => row) {
    return {label, cell: (row) => figure(of(row), key, kind), value: (row) => of(row)?.[key]};
}

/* Counts of decision against truth, with the names of both classes. */
function confusionTable(caption, counts, truths, decisions) {
    const cells = [[counts.tp, counts.fn], [counts.fp, counts.tn]];
    const rows = truths.map((label, i) => ({label, cells: cells[i]}));
    const columns = [{label: "", text: true, cell: (row) => row.label}];
    decisions.forEach((label, i) => columns.push({label, cell: (row) => show(row.cells[i], "count")}));
    return table(caption, columns, rows);
}
