/* cmd_bench_table.c: see cmd_bench_table.h.
 *
 * Columns are as wide as their widest cell; texts stand left, numbers right.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "train/cmd_bench_table.h"

#define CELL 128

/* "24,700" or "12.34" */
static const char *number_text(char text[SR_COUNT_TEXT], double x, int decimals) {
    if (decimals == 0)
        return sr_count_text(text, (uint64_t)(x + 0.5));
    snprintf(text, SR_COUNT_TEXT, "%.*f", decimals, x);
    return text;
}

static void range_append(char text[CELL], const struct sr_bench_column *c, const struct sr_json *o) {
    char key[64], low[SR_COUNT_TEXT], high[SR_COUNT_TEXT];
    double least, most;
    const size_t used = strlen(text);
    snprintf(key, sizeof key, "%s_range", c->key);
    const struct sr_json *range = sr_json_get(o, key);
    if (sr_json_as_number(sr_json_at(range, 0), &least) && sr_json_as_number(sr_json_at(range, 1), &most))
        snprintf(text + used, CELL - used, " [%s, %s]", number_text(low, least, c->decimals),
                 number_text(high, most, c->decimals));
}

/* Ten times what the machine can is what a busy one has measured wrongly: "?". The JSON has the figure. */
static void percent_append(char text[CELL], double x, int digits) {
    const size_t used = strlen(text);
    if (x < 9.995)
        snprintf(text + used, CELL - used, "%*.0f %%", digits, 100 * x);
    else
        snprintf(text + used, CELL - used, "%*s %%", digits, "?");
}

/* What object o has to say in column c; "" for nothing. */
static const char *cell_text(char text[CELL], const struct sr_bench_column *c, const struct sr_json *o) {
    const struct sr_json *value = sr_json_get(o, c->key);
    const char *word = sr_json_as_string(value);
    char digits[SR_COUNT_TEXT];
    double x, share;
    text[0] = '\0';
    if (word)
        snprintf(text, CELL, "%s", word);
    else if (sr_json_as_number(value, &x) && c->percent)
        percent_append(text, x, 0);
    else if (sr_json_as_number(value, &x))
        snprintf(text, CELL, "%s", number_text(digits, x, c->decimals));
    if (c->range)
        range_append(text, c, o);
    if (c->share && sr_json_as_number(sr_json_get(o, c->share), &share))
        percent_append(text, share, 4);
    return text;
}

static size_t rows_count(const struct sr_json *rows) {
    return sr_json_is_array(rows) ? sr_json_size(rows) : 1;
}

static const struct sr_json *row_at(const struct sr_json *rows, size_t i) {
    return sr_json_is_array(rows) ? sr_json_at(rows, i) : rows;
}

static int column_width(const struct sr_bench_column *c, const struct sr_json *rows) {
    size_t width = strlen(c->heading);
    char text[CELL];
    for (size_t i = 0; i < rows_count(rows); i++) {
        const size_t n = strlen(cell_text(text, c, row_at(rows, i)));
        width = n > width ? n : width;
    }
    return (int)width;
}

/* Nothing is behind the last word of a line. */
static void line_print(const char *const cell[], const int width[], const bool left[], size_t n) {
    while (n > 0 && !*cell[n - 1])
        n--;
    for (size_t k = 0; k < n; k++) {
        const bool last = k + 1 == n;
        if (left[k])
            printf("  %-*s", last ? 0 : width[k], cell[k]);
        else
            printf("  %*s", width[k], cell[k]);
    }
    putchar('\n');
}

static void rows_print(const struct sr_bench_column *column, const struct sr_json *rows) {
    char text[SR_BENCH_COLUMNS][CELL];
    const char *cell[SR_BENCH_COLUMNS];
    int width[SR_BENCH_COLUMNS];
    bool left[SR_BENCH_COLUMNS];
    size_t n = 0;
    for (; n < SR_BENCH_COLUMNS && column[n].key; n++) {
        width[n] = column_width(&column[n], rows);
        left[n] = sr_json_as_string(sr_json_get(row_at(rows, 0), column[n].key)) != NULL;
        cell[n] = column[n].heading;
    }
    line_print(cell, width, left, n);
    for (size_t i = 0; i < rows_count(rows); i++) {
        for (size_t k = 0; k < n; k++)
            cell[k] = cell_text(text[k], &column[k], row_at(rows, i));
        line_print(cell, width, left, n);
    }
}

/* File names are somebody else's text. */
static void title_print(const char *title) {
    char line[512], text[512];
    for (const char *at = title; at; at = *at ? at + 1 : NULL) {
        const size_t length = strcspn(at, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, at);
        printf("%s\n", sr_utf8_clean(text, sizeof text, line));
        at += length;
    }
}

void sr_bench_table_print(const struct sr_bench_part *part, const struct sr_bench_result *result) {
    if (!result->json) {
        printf("%s is left out: %s\n\n", part->name, result->left_out);
        return;
    }
    title_print(result->title);
    rows_print(part->column, part->rows ? sr_json_get(result->json, part->rows) : result->json);
    putchar('\n');
    fflush(stdout);
}
