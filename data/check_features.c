/* check_features.c: kinds bad_rows and columns. See checks.def.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "data/check_parts.h"

#define COLUMNS_SERIOUS .5   /* of the features */
#define ROWS_TO_JUDGE   100  /* before a column that is constant in one file only says something */
#define CHANCE          1e-6 /* that a column which is rarely other than zero elsewhere is never so here */
#define NEARLY_CONSTANT .01  /* deviation over mean */
#define BLOCK           ((size_t)256)

/* ---- the pass ---- */

int sr_check_columns_begin(struct sr_check_file *f, struct sr_error *err) {
    f->columns.nonzero = sr_alloc(f->data->width, sizeof *f->columns.nonzero, err);
    return f->columns.nonzero ? 0 : SR_NOMEM;
}

void sr_check_columns_add(struct sr_check_file *f, const struct sr_scan_block *block) {
    const size_t width = f->data->width;
#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < width; at += BLOCK) {
        const size_t n = width - at < BLOCK ? width - at : BLOCK;
        uint32_t count[BLOCK] = {0};
        for (size_t r = 0; r < block->rows; r++)
            for (size_t k = 0; block->good[r] && k < n; k++)
                count[k] += block->x[r * width + at + k] != 0;
        for (size_t k = 0; k < n; k++)
            f->columns.nonzero[at + k] += count[k];
    }
}

/* ---- bad_rows ---- */

void sr_check_bad_rows(struct sr_check_private *c) {
    for (size_t i = 0; i < c->files; i++) {
        const struct sr_check_file *f = &c->file[i];
        const struct sr_scan *scan = &f->scan;
        if (scan->bad_rows == 0)
            continue;
        struct sr_finding *found = sr_check_add(c, "bad_rows", true, f);
        for (size_t k = 0; k < scan->bad_rows; k++) {
            sr_check_row(found, f, scan->bad_row[k]);
            sr_check_extra(c, found, scan->bad_row[k]);
        }
        sr_check_say(found, "%zu of %zu rows %s a NaN or an infinity among their features", scan->bad_rows,
                     f->data->rows, scan->bad_rows == 1 ? "has" : "have");
        sr_check_advise(found,
                        "an infinity in float16 was a number beyond 65504: store float32 or bfloat16; else "
                        "saferoute data drop, or train --on-bad-row=skip");
        sr_check_number(found, "rows", (double)scan->bad_rows);
    }
}

/* ---- columns ---- */

static size_t good_rows(const struct sr_check_file *f) {
    return f->data->rows - f->scan.bad_rows;
}

static bool is_constant(const struct sr_check_file *f, size_t column) {
    return f->scan.deviation[column] == 0;
}

/* Could the column, which varies in `other`, be the same in all rows of f by chance? Where it is zero, as
 * likely as so many rows of the other file would all be. */
static bool is_chance(const struct sr_check_file *f, const struct sr_check_file *other, size_t column) {
    if (f->scan.mean[column] != 0)
        return false;
    const double rate = (double)other->columns.nonzero[column] / (double)good_rows(other);
    return (double)good_rows(f) * log1p(-rate) > log(CHANCE);
}

/* Does it vary in another file of the width as it does not here, by more than chance? */
static bool varies_elsewhere(const struct sr_check_private *c, const struct sr_check_file *f, size_t column) {
    for (size_t i = 0; i < c->files; i++) {
        const struct sr_check_file *other = &c->file[i];
        if (other != f && other->data->width == f->data->width && good_rows(other) > 1 &&
            !is_constant(other, column) && !is_chance(f, other, column))
            return true;
    }
    return false;
}

struct constant {
    size_t all, zero, only_here, first;
};

static struct constant count_constant(const struct sr_check_private *c, const struct sr_check_file *f) {
    struct constant n = {0};
    for (size_t k = f->data->width; k-- > 0;) {
        if (!is_constant(f, k))
            continue;
        n.all++;
        n.first = k;
        n.zero += f->scan.mean[k] == 0;
        n.only_here += varies_elsewhere(c, f, k);
    }
    return n;
}

static void look_at_columns(struct sr_check_private *c, const struct sr_check_file *f) {
    const size_t width = f->data->width;
    const struct constant n = count_constant(c, f);
    if (n.all == 0)
        return;
    const bool serious = (double)n.all >= COLUMNS_SERIOUS * (double)width ||
                         (n.only_here > 0 && good_rows(f) >= ROWS_TO_JUDGE);
    struct sr_finding *found = sr_check_add(c, "columns", serious, f);
    sr_check_say(
        found, "%zu of %zu features are the same in every row, %zu of them zero; the first is feature %zu%s",
        n.all, width, n.zero, n.first, n.only_here ? "; in another file they vary" : "");
    sr_check_advise(found, serious
                               ? "were features padded, cut or taken from another place than in the other "
                                 "files? a router that learnt them elsewhere is misled here"
                               : "they do no harm, and say nothing; a few dead units are common");
    sr_check_number(found, "constant", (double)n.all);
    sr_check_number(found, "zero", (double)n.zero);
    sr_check_number(found, "only_here", (double)n.only_here);
    sr_check_number(found, "first", (double)n.first);
}

/* Rows of one and the same text, or of the token that every template ends with, differ by rounding only. */
static void look_at_sameness(struct sr_check_private *c, const struct sr_check_file *f) {
    size_t vary = 0, nearly = 0;
    for (size_t k = 0; k < f->data->width; k++) {
        const double deviation = f->scan.deviation[k];
        vary += deviation > 0;
        nearly += deviation > 0 && deviation < NEARLY_CONSTANT * fabs(f->scan.mean[k]);
    }
    if (vary == 0 || (double)nearly < COLUMNS_SERIOUS * (double)vary)
        return;
    struct sr_finding *found = sr_check_add(c, "columns", true, f);
    sr_check_say(found,
                 "rows are all nearly the same: %zu of %zu features that vary do so by less than %g of their "
                 "mean",
                 nearly, vary, NEARLY_CONSTANT);
    sr_check_advise(found, "were features taken at a token that does not depend on the text, or was one text "
                           "extracted over and over?");
    sr_check_number(found, "nearly", (double)nearly);
    sr_check_number(found, "vary", (double)vary);
}

void sr_check_columns(struct sr_check_private *c) {
    for (size_t i = 0; i < c->files; i++)
        if (good_rows(&c->file[i]) > 1) {
            look_at_columns(c, &c->file[i]);
            look_at_sameness(c, &c->file[i]);
        }
}
