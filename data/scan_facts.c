/* scan_facts.c: what a pass over all features finds, as facts; see dump_facts.h.
 *
 * Rows are the same where all their features are, as float16 (sketch.h): a copy of a row in another type
 * counts as one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/dump_facts.h"
#include "data/quantile.h"
#include "data/row_name.h"
#include "data/set.h"

#define SHOWN 5 /* rows named of each kind */

static void add_bad(struct sr_facts *f, const struct sr_data *d, const struct sr_scan *scan) {
    char text[SHOWN * (SR_ROW_NAME + 8)] = "", name[SR_ROW_NAME], bad[SR_COUNT_TEXT];
    struct sr_json *value = sr_json_object(), *first = sr_json_array();
    for (size_t i = 0; i < scan->bad_rows && i < SHOWN; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? ", " : ": row ",
                 sr_row_name(name, d, scan->bad_row[i]));
        sr_json_append(first, sr_row_value(d, scan->bad_row[i]));
    }
    sr_json_set(value, "rows", sr_json_integer((int64_t)scan->bad_rows));
    sr_json_set(value, "first", first);
    sr_facts_add(f, "bad_rows", value, "%s with a NaN or an infinity%s%s", sr_count_text(bad, scan->bad_rows),
                 text, scan->bad_rows > SHOWN ? ", ..." : "");
}

/* ---- copies ---- */

static int by_hash(const void *a, const void *b, void *hash_of) {
    const uint64_t *hash = hash_of;
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return hash[x] != hash[y] ? (hash[x] > hash[y]) - (hash[x] < hash[y]) : (x > y) - (x < y);
}

/* original[i]: the first row that row i is a copy of, or i itself. Bad rows are copies of nothing. */
static int find_copies(uint32_t *original, size_t rows, const struct sr_scan *scan, struct sr_error *err) {
    uint32_t *sorted = sr_alloc(rows, sizeof *sorted, err);
    size_t n = 0;
    if (!sorted)
        return SR_NOMEM;
    for (size_t i = 0; i < rows; i++) {
        original[i] = (uint32_t)i;
        if (!isnan(scan->length[i]))
            sorted[n++] = (uint32_t)i;
    }
    qsort_r(sorted, n, sizeof *sorted, by_hash, scan->hash);
    for (size_t i = 1; i < n; i++)
        if (scan->hash[sorted[i]] == scan->hash[sorted[i - 1]])
            original[sorted[i]] = original[sorted[i - 1]];
    sr_free(sorted);
    return 0;
}

static void add_copy(char *text, size_t size, struct sr_json *list, const struct sr_data *d, size_t row,
                     size_t original) {
    struct sr_json *value = sr_row_value(d, row);
    sr_json_set(value, "of", sr_row_value(d, original));
    sr_json_append(list, value);
    char name[SR_ROW_NAME], of[SR_ROW_NAME];
    snprintf(text + strlen(text), size - strlen(text), "%s%s of %s", *text ? ", " : ": row ",
             sr_row_name(name, d, row), sr_row_name(of, d, original));
}

static int add_copies(struct sr_facts *f, const struct sr_data *d, const struct sr_scan *scan,
                      struct sr_error *err) {
    char text[SHOWN * (2 * SR_ROW_NAME + 16)] = "", count[SR_COUNT_TEXT];
    size_t copies = 0;
    uint32_t *original = sr_alloc(d->rows, sizeof *original, err);
    const int status = original ? find_copies(original, d->rows, scan, err) : SR_NOMEM;
    if (status == 0) {
        struct sr_json *value = sr_json_object(), *first = sr_json_array();
        for (size_t i = 0; i < d->rows; i++)
            if (original[i] != i && copies++ < SHOWN)
                add_copy(text, sizeof text, first, d, i, original[i]);
        sr_json_set(value, "rows", sr_json_integer((int64_t)copies));
        sr_json_set(value, "first", first);
        sr_facts_add(f, "duplicates", value, "%s with the features of an earlier row, as float16%s%s",
                     sr_count_text(count, copies), text, copies > SHOWN ? ", ..." : "");
    }
    sr_free(original);
    return status;
}

/* ---- moments ---- */

static struct sr_json *range_value(double low, double high) {
    struct sr_json *value = sr_json_object();
    sr_json_set(value, "min", sr_json_number(low));
    sr_json_set(value, "max", sr_json_number(high));
    return value;
}

static void add_range(struct sr_facts *f, const char *key, const double *x, size_t n) {
    double low = x[0], high = x[0];
    for (size_t i = 1; i < n; i++) {
        low = fmin(low, x[i]);
        high = fmax(high, x[i]);
    }
    sr_facts_add(f, key, range_value(low, high), "%.4g to %.4g", low, high);
}

/* Of all numbers together: the mean of the means, and the deviation around it. */
static void add_moments(struct sr_facts *f, const struct sr_scan *scan, size_t width) {
    double mean = 0, square = 0;
    size_t constant = 0;
    for (size_t k = 0; k < width; k++)
        mean += scan->mean[k] / (double)width;
    for (size_t k = 0; k < width; k++) {
        const double off = scan->mean[k] - mean;
        square += (scan->deviation[k] * scan->deviation[k] + off * off) / (double)width;
        constant += scan->deviation[k] == 0;
    }
    sr_facts_add(f, "mean", sr_json_number(mean), "%.4g over all features of all good rows", mean);
    sr_facts_add(f, "deviation", sr_json_number(sqrt(square)), "%.4g", sqrt(square));
    add_range(f, "column_means", scan->mean, width);
    add_range(f, "column_deviations", scan->deviation, width);
    sr_facts_count(f, "constant_columns", constant);
}

static int add_lengths(struct sr_facts *f, const struct sr_scan *scan, size_t rows, struct sr_error *err) {
    double *length = sr_alloc(rows, sizeof *length, err);
    size_t n = 0;
    if (!length)
        return SR_NOMEM;
    for (size_t i = 0; i < rows; i++)
        if (!isnan(scan->length[i]))
            length[n++] = (double)scan->length[i];
    sr_quantile_sort(length, n);
    const double low = length[0], high = length[n - 1], median = sr_quantile(length, n, .5);
    struct sr_json *value = range_value(low, high);
    sr_json_set(value, "median", sr_json_number(median));
    sr_facts_add(f, "row_lengths", value, "%.4g to %.4g, median %.4g%s", low, high, median,
                 sr_is_unit_length(low) && sr_is_unit_length(high) ? ": unit length" : "");
    sr_free(length);
    return 0;
}

/* ---- the scan ---- */

static void add_speed(struct sr_facts *f, const struct sr_data *d, double seconds) {
    const double rows = (double)d->rows / seconds, bytes = (double)sr_data_bytes(d) / seconds;
    struct sr_json *value = sr_json_object();
    sr_json_set(value, "seconds", sr_json_number(seconds));
    sr_json_set(value, "rows_per_second", sr_json_number(rows));
    sr_json_set(value, "bytes_per_second", sr_json_number(bytes));
    sr_facts_add(f, "scanned", value, "in %.3g s: %.0f rows/s, %.0f MB/s", seconds, rows, bytes / 1e6);
}

int sr_scan_facts(struct sr_facts *f, struct sr_data *d, void (*progress)(void *user, double fraction),
                  void *user, struct sr_error *err) {
    struct sr_scan scan;
    const double began = sr_log_clock();
    int status = sr_data_scan(d, &scan, progress, user, err);
    if (status < 0)
        return status;
    const double seconds = fmax(sr_log_clock() - began, 1e-9);
    sr_facts_section(f, "scan");
    add_bad(f, d, &scan);
    status = add_copies(f, d, &scan, err);
    if (scan.bad_rows < d->rows) {
        add_moments(f, &scan, d->width);
        status = status < 0 ? status : add_lengths(f, &scan, d->rows, err);
    }
    sr_facts_add(f, "data_id", sr_json_string(scan.data_id), "%s%s", scan.data_id,
                 d->label ? "" : " (without labels)");
    add_speed(f, d, seconds);
    sr_scan_free(&scan);
    return status;
}
