/* look.c: what an HDF5 file or a table of scores holds, without a look at features; see look.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/look.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/csv.h"
#include "data/h5.h"

/* False for what is neither a probability nor NaN, which a row without one has. */
static bool take_prob(struct sr_look *l, double prob) {
    l->rows++;
    if (isnan(prob))
        return true;
    if (!(prob >= 0 && prob <= 1))
        return false;
    l->scored++;
    l->mean += prob; /* the sum, until all are there */
    l->low = fmin(l->low, prob);
    l->high = fmax(l->high, prob);
    return true;
}

static void begin(struct sr_look *l) {
    *l = (struct sr_look){.low = (double)NAN, .high = (double)NAN};
}

static void end(struct sr_look *l) {
    l->mean = l->scored ? l->mean / (double)l->scored : (double)NAN;
}

/* ---- HDF5 ---- */

static bool may_be_features(const struct sr_h5 *f) {
    static const char *const names[] = {"features", "X", "embeddings", "hidden_states"};
    for (size_t i = 0; i < SR_COUNT(names); i++)
        if (sr_h5_has(f, names[i]))
            return true;
    return false;
}

struct taking {
    struct sr_look *look;
    const struct sr_h5 *file;
};

static int take_probs(void *user, const double *values, size_t n, struct sr_error *err) {
    const struct taking *t = user;
    char text[SR_DECIMAL_TEXT];
    for (size_t i = 0; i < n; i++)
        if (!take_prob(t->look, values[i]))
            return sr_fail(err, SR_DATA, "%s: row %zu: prob is \"%s\", no number from 0 to 1", t->file->path,
                           t->look->rows - 1, sr_decimal(text, values[i]));
    return 0;
}

static int take_decisions(void *user, const double *values, size_t n, struct sr_error *err) {
    const struct taking *t = user;
    (void)err;
    for (size_t i = 0; i < n; i++)
        t->look->large += values[i] == 1;
    return 0;
}

static int look_at_probs(struct sr_look *l, const struct sr_h5 *f, struct sr_error *err) {
    struct taking t = {l, f};
    struct sr_h5_info info;
    int status = sr_h5_info(f, "prob", &info, err);
    if (status < 0)
        return status;
    if (info.rank != 1 || info.kind == SR_H5_TEXT || info.kind == SR_H5_OPAQUE || info.kind == SR_H5_OTHER)
        return sr_fail(err, SR_DATA, "%s: /prob is not a column of numbers", f->path);
    return sr_h5_each_double(f, "prob", take_probs, &t, err);
}

static int look_at_decisions(struct sr_look *l, const struct sr_h5 *f, struct sr_error *err) {
    struct taking t = {l, f};
    struct sr_h5_info info;
    if (!sr_h5_has(f, "decision"))
        return 0;
    const int status = sr_h5_info(f, "decision", &info, err);
    if (status < 0 || info.rank != 1 || info.kind != SR_H5_INTEGER || info.shape[0] != l->rows)
        return status;
    l->has_decision = true;
    return sr_h5_each_double(f, "decision", take_decisions, &t, err);
}

int sr_look_hdf5(struct sr_look *out, const char *path, struct sr_error *err) {
    struct sr_h5 *f;
    begin(out);
    int status = sr_h5_open(&f, path, err);
    if (status < 0)
        return status;
    sr_h5_list(f, out->columns, sizeof out->columns);
    out->is_scores = sr_h5_has(f, "prob") && !may_be_features(f);
    if (out->is_scores && (status = look_at_probs(out, f, err)) == 0)
        status = look_at_decisions(out, f, err);
    end(out);
    status = sr_h5_settle(f, status, err);
    sr_h5_close(f, NULL);
    return status;
}

/* ---- CSV ---- */

static int fail_prob(const char *path, const struct sr_csv *csv, const char *text, struct sr_error *err) {
    return sr_fail(err, SR_DATA, "%s: line %zu: prob is \"%.40s\", no number from 0 to 1", path,
                   sr_csv_line(csv), text);
}

static int take_records(struct sr_look *l, const char *path, struct sr_csv *csv, size_t prob, size_t decision,
                        struct sr_error *err) {
    int status;
    while ((status = sr_csv_next(csv, err)) > 0) {
        const char *text = sr_csv_field(csv, prob);
        double value = (double)NAN; /* an empty prob is how pandas writes it */
        if ((*text && !sr_decimal_parse(&value, text)) || !take_prob(l, value))
            return fail_prob(path, csv, text, err);
        l->large += l->has_decision && strcmp(sr_csv_field(csv, decision), "large") == 0;
    }
    return status;
}

int sr_look_csv(struct sr_look *out, const char *path, struct sr_error *err) {
    struct sr_csv *csv;
    size_t prob = SR_CSV_NONE, decision = SR_CSV_NONE;
    begin(out);
    int status = sr_csv_open(&csv, path, err);
    if (status < 0)
        return status;
    if ((status = sr_csv_next(csv, err)) > 0 && (status = sr_csv_column(&prob, csv, "prob", err)) == 0)
        status = sr_csv_column(&decision, csv, "decision", err);
    if (status == 0 && prob == SR_CSV_NONE)
        status = sr_fail(err, SR_DATA, "%s: a table without a column prob", path);
    if (status == 0) {
        out->is_scores = true;
        out->has_decision = decision != SR_CSV_NONE;
        status = take_records(out, path, csv, prob, decision, err);
    }
    end(out);
    sr_csv_close(csv);
    return status;
}
