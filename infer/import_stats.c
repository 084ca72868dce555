/* import_stats.c: where the features lie that an imported router was trained on; see import.h.
 *
 * The file of a router trained elsewhere does not say it, and without it a vector of another layer is scored
 * like any other. It is measured here as train measures it, on a dump that the user vouches for. All rows
 * are taken, labelled or not: only features count.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/data.h"
#include "infer/import.h"

static int check_width(const struct sr_data *d, const char *dumps, size_t width, const char *router,
                       struct sr_error *err) {
    if (d->width == width)
        return 0;
    return sr_fail(err, SR_DATA,
                   "--stats %s has %zu features a row, but the router of %s reads %zu: they are of another "
                   "guard or layer",
                   dumps, d->width, router, width);
}

/* The rows that are not among the bad ones, ascending; free with sr_free. */
static uint32_t *good_rows(size_t *n, const struct sr_data *d, const struct sr_scan *scan,
                           struct sr_error *err) {
    uint32_t *row = sr_alloc(d->rows, sizeof *row, err);
    *n = 0;
    for (size_t r = 0, bad = 0; row && r < d->rows; r++)
        if (bad < scan->bad_rows && scan->bad_row[bad] == r)
            bad++;
        else
            row[(*n)++] = (uint32_t)r;
    return row;
}

static int measure(struct sr_import_stats *s, const struct sr_scan *scan, const char *dumps,
                   struct sr_error *err) {
    s->bad_rows = scan->bad_rows;
    if (scan->bad_rows == s->data->rows)
        return sr_fail(err, SR_DATA, "--stats %s: each of its %zu rows has a NaN or an infinity", dumps,
                       s->data->rows);
    uint32_t *row = good_rows(&s->rows, s->data, scan, err);
    int status = row ? sr_stats_measure(&s->stats, s->data, scan, row, s->rows, err) : SR_NOMEM;
    if (status == 0 && !s->stats.block)
        status =
            sr_fail(err, SR_DATA,
                    "--stats %s: its rows are all alike, which says of no other row how far it is", dumps);
    sr_free(row);
    return status;
}

int sr_import_stats_measure(struct sr_import_stats *s, const char *dumps, const struct sr_data_options *how,
                            size_t width, const char *router, void (*progress)(void *user, double fraction),
                            void *user, struct sr_error *err) {
    struct sr_scan scan;
    *s = (struct sr_import_stats){0};
    int status = sr_data_open(&s->data, dumps, how, err);
    if (status == 0)
        status = check_width(s->data, dumps, width, router, err);
    if (status < 0)
        return status;
    status = sr_data_scan(s->data, &scan, progress, user, err);
    if (status < 0)
        return status;
    status = measure(s, &scan, dumps, err);
    sr_scan_free(&scan);
    return status;
}

void sr_import_stats_free(struct sr_import_stats *s) {
    sr_stats_free(&s->stats);
    sr_data_close(s->data);
    *s = (struct sr_import_stats){0};
}
