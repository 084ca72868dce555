/* relabel.c: labels made anew. See relabel.h, and label.c for the rule.
 *
 * What is written agrees with itself: opened without any option, the new dump gives these labels. So a
 * threshold that was given is stored, and verdicts stored beside the probabilities, which would win over it,
 * are cut anew.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/relabel.h"

#include <stdio.h>
#include <string.h>

#include "data/column.h"
#include "data/rewrite.h"

enum { LABEL, SMALL, LARGE, WEIGHT, COLUMNS };

struct relabelling {
    const char *out;
    double harm;
    const struct sr_data_options *options;
    struct sr_dump *d;         /* labels derived */
    const char *name[COLUMNS]; /* of the columns to write, NULL: stays as it is */
    const char *stored;        /* dataset of labels it has, or NULL */
    uint8_t *old;              /* [rows], of those */
    struct sr_relabelled *done;
};

/* ---- what is there ---- */

static int read_stored(struct relabelling *r, struct sr_error *err) {
    int status =
        sr_column_dataset(&r->stored, r->d, r->options->names.label, sr_roles[SR_ROLE_LABEL].names, err);
    if (status == 0 && r->stored)
        status = sr_column_binary(&r->old, r->d, r->stored, r->stored, err);
    return status;
}

static void choose_names(struct relabelling *r) {
    const struct sr_data_names *n = &r->options->names;
    const char *small = n->small_pred ? n->small_pred : "small_pred";
    const char *large = n->large_pred ? n->large_pred : "large_pred";
    r->name[LABEL] = "label";
    r->name[SMALL] = r->options->small_threshold > 0 && sr_h5_has(r->d->file, small) ? small : NULL;
    r->name[LARGE] = r->options->large_threshold > 0 && sr_h5_has(r->d->file, large) ? large : NULL;
    r->name[WEIGHT] = r->harm > 0 ? n->weight ? n->weight : "weight" : NULL;
}

/* Multiplied again, or kept beside other labels, weights would mean nothing that anybody could say. */
static int check_priced(const struct relabelling *r, struct sr_error *err) {
    if (!sr_h5_has_attribute(r->d->file, "/", "harm_price"))
        return 0;
    return sr_fail(
        err, SR_DATA,
        "%s: its /weight holds a harm price already (root attribute harm_price); label the dump that it "
        "was made from",
        r->d->path);
}

/* ---- what comes out ---- */

static bool small_only(const struct sr_dump *d, size_t row) {
    const uint8_t gold = d->gold[row], small = d->guard[SR_SMALL].pred[row],
                  large = d->guard[SR_LARGE].pred[row];
    return d->label[row] != SR_UNKNOWN && small == gold && large != gold;
}

static void count_row(struct relabelling *r, size_t row) {
    const struct sr_dump *d = r->d;
    struct sr_relabelled *t = r->done;
    const bool right = d->guard[SR_SMALL].pred[row] == d->gold[row];
    if (d->label[row] == SR_UNKNOWN)
        t->unknown++;
    else if (d->label[row] == 1)
        t->large_only++;
    else if (small_only(d, row))
        t->small_only++;
    else if (right)
        t->both++;
    else
        t->none++;
    if (!r->old || r->old[row] == SR_UNKNOWN || d->label[row] == SR_UNKNOWN)
        return;
    t->compared++;
    if (r->old[row] != d->label[row] && t->changed++ == 0)
        t->first_changed = row;
}

static int write_binary(const struct relabelling *r, const struct sr_h5 *to, const char *name,
                        const uint8_t *value, struct sr_error *err) {
    const size_t rows = r->d->rows;
    int8_t *item = sr_alloc(rows, sizeof *item, err);
    bool unknown = false;
    if (!item)
        return SR_NOMEM;
    for (size_t i = 0; i < rows; i++) {
        unknown = unknown || value[i] == SR_UNKNOWN;
        item[i] = value[i] == SR_UNKNOWN ? -1 : (int8_t)value[i];
    }
    const int status =
        sr_h5_write_column(to, name, unknown ? SR_H5_WRITE_I8 : SR_H5_WRITE_U8, item, rows, err);
    sr_free(item);
    return status;
}

static int write_weights(const struct relabelling *r, const struct sr_h5 *to, struct sr_error *err) {
    const struct sr_dump *d = r->d;
    char text[SR_DECIMAL_TEXT];
    float *weight = sr_alloc(d->rows, sizeof *weight, err);
    if (!weight)
        return SR_NOMEM;
    for (size_t i = 0; i < d->rows; i++)
        weight[i] = (d->weight ? d->weight[i] : 1) * (small_only(d, i) ? (float)r->harm : 1);
    int status = sr_h5_write_column(to, r->name[WEIGHT], SR_H5_WRITE_F32, weight, d->rows, err);
    if (status == 0)
        status = sr_h5_write_attribute(to, "/", "harm_price", sr_decimal(text, r->harm), err);
    sr_free(weight);
    return status;
}

static int write_threshold(const struct sr_h5 *to, const char *name, double value, struct sr_error *err) {
    char text[SR_DECIMAL_TEXT];
    return value > 0 ? sr_h5_write_attribute(to, "/", name, sr_decimal(text, value), err) : 0;
}

/* Labels stored under an alias, which /label takes the place of. */
static bool is_alias(const struct relabelling *r) {
    return r->stored && !r->options->names.label && strcmp(r->stored, r->name[LABEL]) != 0;
}

static int write_columns(const struct relabelling *r, const struct sr_h5 *to, struct sr_error *err) {
    const struct sr_dump *d = r->d;
    int status = write_binary(r, to, r->name[LABEL], d->label, err);
    if (status == 0 && r->name[SMALL])
        status = write_binary(r, to, r->name[SMALL], d->guard[SR_SMALL].pred, err);
    if (status == 0 && r->name[LARGE])
        status = write_binary(r, to, r->name[LARGE], d->guard[SR_LARGE].pred, err);
    if (status == 0 && r->name[WEIGHT])
        status = write_weights(r, to, err);
    for (int c = 0; c < COLUMNS && status == 0; c++)
        if (r->name[c] && sr_h5_has(d->file, r->name[c]))
            status = sr_h5_copy_attributes(to, d->file, r->name[c], NULL, err);
    if (status == 0 && is_alias(r))
        status = sr_h5_copy_attributes_to(to, r->name[LABEL], d->file, r->stored, NULL, err);
    if (status == 0)
        status = write_threshold(to, "small_threshold", r->options->small_threshold, err);
    return status == 0 ? write_threshold(to, "large_threshold", r->options->large_threshold, err) : status;
}

/* Everything else stays. Labels under an alias go, those under a name of the caller's own stay beside. */
static int copy_rest(const struct relabelling *r, const struct sr_h5 *to,
                     void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    const char *but[COLUMNS + 2] = {NULL}, *attributes[3] = {NULL};
    size_t n = 0, a = 0;
    for (int c = 0; c < COLUMNS; c++)
        if (r->name[c])
            but[n++] = r->name[c];
    if (is_alias(r))
        but[n++] = r->stored;
    if (r->options->small_threshold > 0)
        attributes[a++] = "small_threshold";
    if (r->options->large_threshold > 0)
        attributes[a++] = "large_threshold";
    const struct sr_copy copy = {.features = r->d->features_name,
                                 .type = SR_CONVERT_KEEP,
                                 .gzip = SR_H5_GZIP_KEEP,
                                 .but = but,
                                 .but_attributes = attributes};
    return sr_copy_rows(to, r->d->file, &copy, progress, user, err);
}

static int write_dump(const struct relabelling *r, void (*progress)(void *user, double fraction), void *user,
                      struct sr_error *err) {
    struct sr_data_options again = *r->options;
    struct sr_rewrite w;
    again.labels = SR_LABELS_CHECKED;
    again.names.label = NULL;
    again.small_threshold = again.large_threshold = 0;
    int status = sr_rewrite_begin(&w, r->out, r->d->file, err);
    if (status == 0)
        status = copy_rest(r, w.to, progress, user, err);
    if (status == 0)
        status = write_columns(r, w.to, err);
    if (status == 0)
        status = sr_rewrite_check(&w, &again, err);
    return sr_rewrite_end(&w, status, err);
}

static void sum_up(struct relabelling *r) {
    struct sr_data seen = {.label = r->d->label,
                           .label_derived = true,
                           .small_pred = r->d->guard[SR_SMALL].pred,
                           .large_pred = r->d->guard[SR_LARGE].pred,
                           .small_cut = r->d->guard[SR_SMALL].cut,
                           .large_cut = r->d->guard[SR_LARGE].cut};
    r->done->rows = r->d->rows;
    r->done->had_label = r->old;
    for (size_t i = 0; i < r->d->rows; i++)
        count_row(r, i);
    r->done->positives = r->done->large_only;
    sr_data_labels_text(r->done->cuts, &seen);
}

int sr_relabel_write(struct sr_relabelled *done, const char *out, const char *path, double harm,
                     const struct sr_data_options *options, void (*progress)(void *user, double fraction),
                     void *user, struct sr_error *err) {
    struct sr_data_options derived = *options;
    struct relabelling r = {.out = out, .harm = harm, .options = options, .done = done};
    derived.labels = SR_LABELS_DERIVED;
    *done = (struct sr_relabelled){0};
    int status = sr_dump_open(&r.d, path, &derived, err);
    if (status < 0)
        return status;
    status = check_priced(&r, err);
    if (status == 0)
        status = read_stored(&r, err);
    if (status == 0) {
        choose_names(&r);
        sum_up(&r);
        status = write_dump(&r, progress, user, err);
    }
    sr_free(r.old);
    sr_dump_close(r.d);
    return status;
}
