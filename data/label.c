/* label.c: labels of a dump. See label.h, and enum sr_labels in data.h.
 *
 * label = 1 where the small guard is wrong and the large guard right. Where a dump has both /label and all it
 * follows from, the two are held against each other: labels that were made with another threshold than their
 * verdicts are cut at would teach the router another question than the one it is measured by.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/label.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/column.h"
#include "data/role.h"

/* ---- what labels follow from ---- */

static int read_gold(struct sr_dump *d, const struct sr_data_options *options, struct sr_error *err) {
    const int status = sr_column_binary(&d->gold, d, options->names.gold, "gold", err);
    if (status < 0) {
        sr_free(d->gold);
        d->gold = NULL;
    }
    return sr_dump_forgive(options, status, err);
}

static int read_guard(struct sr_guard *g, const struct sr_dump *d, const char *prob, const char *pred,
                      const struct sr_data_options *options, struct sr_error *err) {
    const int status = sr_guard_read(g, d, prob, pred, err);
    if (status < 0) {
        sr_free(g->prob);
        sr_free(g->pred);
        g->prob = NULL;
        g->pred = NULL;
        g->cut = (struct sr_cut){(double)NAN, ""};
    }
    return sr_dump_forgive(options, status, err);
}

static int read_verdicts(struct sr_dump *d, const struct sr_data_options *options, struct sr_error *err) {
    const struct sr_data_names *n = &options->names;
    int status = read_gold(d, options, err);
    if (status == 0)
        status = read_guard(&d->guard[SR_SMALL], d, n->small_prob, n->small_pred, options, err);
    if (status == 0)
        status = read_guard(&d->guard[SR_LARGE], d, n->large_prob, n->large_pred, options, err);
    return status;
}

static bool is_derivable(const struct sr_dump *d) {
    return d->gold && d->guard[SR_SMALL].pred && d->guard[SR_LARGE].pred;
}

static uint8_t derive(const struct sr_dump *d, size_t row) {
    const uint8_t gold = d->gold[row], small = d->guard[SR_SMALL].pred[row],
                  large = d->guard[SR_LARGE].pred[row];
    if (gold == SR_UNKNOWN || small == SR_UNKNOWN || large == SR_UNKNOWN)
        return SR_UNKNOWN;
    return small != gold && large == gold;
}

static int derive_all(struct sr_dump *d, struct sr_error *err) {
    d->label = sr_alloc(d->rows, 1, err);
    for (size_t i = 0; d->label && i < d->rows; i++)
        d->label[i] = derive(d, i);
    d->label_derived = true;
    return d->label ? 0 : SR_NOMEM;
}

static int fail_underivable(const struct sr_dump *d, const char *why, struct sr_error *err) {
    char there[200];
    sr_h5_list(d->file, there, sizeof there);
    return sr_fail(err, SR_DATA, "%s: %s%s%s%s; the file holds: %s", d->path, why, d->gold ? "" : " gold",
                   d->guard[SR_SMALL].pred ? "" : " small_prob (or small_pred)",
                   d->guard[SR_LARGE].pred ? "" : " large_prob (or large_pred)", there);
}

/* ---- stored labels ---- */

/* "small guard cut at 0.5 (default)" */
static void describe_cut(char *text, size_t size, const struct sr_guard *g) {
    char number[SR_DECIMAL_TEXT];
    if (isnan(g->cut.at))
        snprintf(text, size, "%s guard as stored", g->name);
    else
        snprintf(text, size, "%s guard cut at %s (%s)", g->name, sr_decimal(number, g->cut.at),
                 g->cut.origin);
}

static int fail_disagreement(const struct sr_dump *d, size_t count, size_t first, struct sr_error *err) {
    char small[80], large[80];
    describe_cut(small, sizeof small, &d->guard[SR_SMALL]);
    describe_cut(large, sizeof large, &d->guard[SR_LARGE]);
    return sr_fail(
        err, SR_DATA,
        "%s: %zu of %zu stored labels disagree with gold and the verdicts (%s, %s), first row %zu: "
        "%d stored, %d derived; give the --small-threshold and --large-threshold they were made with, "
        "--labels=stored to keep them, or --labels=derived",
        d->path, count, d->rows, small, large, first, d->label[first], derive(d, first));
}

static int check_stored(struct sr_dump *d, const struct sr_data_options *options, struct sr_error *err) {
    size_t count = 0, first = 0, compared = 0;
    for (size_t i = 0; i < d->rows; i++) {
        const uint8_t derived = derive(d, i);
        if (derived == SR_UNKNOWN || d->label[i] == SR_UNKNOWN)
            continue;
        compared++;
        if (derived != d->label[i] && count++ == 0)
            first = i;
    }
    d->label_agrees = compared > 0 && count == 0;
    if (count == 0)
        return 0;
    const int status = sr_dump_forgive(options, fail_disagreement(d, count, first, err), err);
    if (status == 0) {
        struct sr_troubles *t = options->troubles;
        if (t->n <= SR_TROUBLES)
            t->is_disagreement[t->n - 1] = true;
        t->disagree++;
    }
    return status;
}

/* ---- labels ---- */

static int read_column(struct sr_dump *d, const char *name, const struct sr_data_options *options,
                       struct sr_error *err) {
    const int status = sr_column_binary(&d->label, d, name, name, err);
    if (status < 0) {
        sr_free(d->label);
        d->label = NULL;
    }
    return sr_dump_forgive(options, status, err);
}

static int read_checked(struct sr_dump *d, const char *name, const struct sr_data_options *options,
                        struct sr_error *err) {
    if (!name && is_derivable(d))
        return derive_all(d, err);
    if (!name)
        return options->label_optional
                   ? 0
                   : fail_underivable(d,
                                      "no dataset /label (nor labels, y, target), nor all it follows from; "
                                      "missing:",
                                      err);
    const int status = read_column(d, name, options, err);
    return status == 0 && d->label && is_derivable(d) ? check_stored(d, options, err) : status;
}

static int read_stored(struct sr_dump *d, const char *name, const struct sr_data_options *options,
                       struct sr_error *err) {
    if (!name)
        return options->troubles
                   ? 0
                   : sr_column_missing(d, "label", " (nor labels, y, target), which --labels=stored needs",
                                       err);
    return read_column(d, name, options, err);
}

static int read_derived(struct sr_dump *d, const struct sr_data_options *options, struct sr_error *err) {
    int status = sr_column_named(d, options->names.label, err);
    if (status < 0)
        return status;
    if (is_derivable(d))
        return derive_all(d, err);
    return options->troubles ? 0 : fail_underivable(d, "--labels=derived lacks", err);
}

int sr_label_read(struct sr_dump *d, const struct sr_data_options *options, struct sr_error *err) {
    const char *name;
    int status = read_verdicts(d, options, err);
    if (status < 0)
        return status;
    if (options->labels == SR_LABELS_DERIVED)
        return read_derived(d, options, err);
    status = sr_column_dataset(&name, d, options->names.label, sr_roles[SR_ROLE_LABEL].names, err);
    if (status < 0)
        return status;
    return options->labels == SR_LABELS_STORED ? read_stored(d, name, options, err)
                                               : read_checked(d, name, options, err);
}
