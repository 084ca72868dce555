/* check_features.c: kinds bad_rows and columns. See checks.def.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "data/check_parts.h"

#define COLUMNS_SERIOUS .5  /* of the features */
#define ROWS_TO_JUDGE   100 /* before a column that is constant in one file only says something */

void sr_check_bad_rows(struct sr_check_private *c) {
    for (size_t i = 0; i < c->files; i++) {
        const struct sr_check_file *f = &c->file[i];
        const struct sr_scan *scan = &f->scan;
        if (scan->bad_rows == 0)
            continue;
        struct sr_finding *found = sr_check_add(c, "bad_rows", true, f);
        for (size_t k = 0; k < scan->bad_rows; k++)
            sr_check_row(found, f, scan->bad_row[k]);
        sr_check_say(found, "%zu of %zu rows have a NaN or an infinity among their features", scan->bad_rows,
                     f->data->rows);
        sr_check_advise(found,
                        "an infinity in float16 was a number beyond 65504: store float32 or bfloat16; else "
                        "saferoute data drop, or train --on-bad-row=skip");
        sr_check_number(found, "rows", (double)scan->bad_rows);
    }
}

static size_t good_rows(const struct sr_check_file *f) {
    return f->data->rows - f->scan.bad_rows;
}

static bool is_constant(const struct sr_check_file *f, size_t column) {
    return f->scan.deviation[column] == 0;
}

/* Does any other file of the width, with rows enough, have the column vary? */
static bool varies_elsewhere(const struct sr_check_private *c, const struct sr_check_file *f, size_t column) {
    for (size_t i = 0; i < c->files; i++) {
        const struct sr_check_file *other = &c->file[i];
        if (other != f && other->data->width == f->data->width && good_rows(other) > 1 &&
            !is_constant(other, column))
            return true;
    }
    return false;
}

static void look_at_columns(struct sr_check_private *c, const struct sr_check_file *f) {
    const size_t width = f->data->width;
    size_t n = 0, dead = 0, only_here = 0, first = 0;
    for (size_t k = width; k-- > 0;) {
        if (!is_constant(f, k))
            continue;
        n++;
        first = k;
        dead += f->scan.mean[k] == 0;
        only_here += varies_elsewhere(c, f, k);
    }
    if (n == 0)
        return;
    const bool serious =
        (double)n >= COLUMNS_SERIOUS * (double)width || (only_here > 0 && good_rows(f) >= ROWS_TO_JUDGE);
    struct sr_finding *found = sr_check_add(c, "columns", serious, f);
    sr_check_say(
        found, "%zu of %zu features are the same in every row, %zu of them zero; the first is feature %zu%s",
        n, width, dead, first, only_here ? "; in another file they vary" : "");
    sr_check_advise(found, serious
                               ? "were features padded, cut or taken from another place than in the other "
                                 "files? a router that learnt them elsewhere is misled here"
                               : "they do no harm, and say nothing; a few dead units are common");
    sr_check_number(found, "constant", (double)n);
    sr_check_number(found, "zero", (double)dead);
    sr_check_number(found, "only_here", (double)only_here);
    sr_check_number(found, "first", (double)first);
}

void sr_check_columns(struct sr_check_private *c) {
    for (size_t i = 0; i < c->files; i++)
        if (good_rows(&c->file[i]) > 1)
            look_at_columns(c, &c->file[i]);
}
