/* dump.c: one HDF5 file checked against the contract of a feature dump. See dump.h.
 *
 * Here: features, which are looked at, not read, and the columns that are neither labels nor what these
 * follow from (see label.c, guard.c). 16-bit integers are features only when the caller says so, and a value
 * that cannot be what its column says is refused with its row.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/dump.h"

#include <math.h>
#include <stdio.h>

#include "data/column.h"
#include "data/label.h"
#include "data/listed.h"
#include "data/names.h"
#include "data/role.h"

/* ---- features ---- */

static int choose_type(struct sr_dump *d, const char *name, const struct sr_h5_info *info,
                       bool uint16_is_bfloat, struct sr_error *err) {
    bool integer16 = info->kind == SR_H5_INTEGER && info->size == 2;
    if (integer16 && !uint16_is_bfloat)
        return sr_fail(err, SR_DATA,
                       "%s: /%s holds %s: if these are bfloat16 bit patterns, say so with --uint16-is-bfloat",
                       d->path, name, info->type);
    if (info->kind == SR_H5_HALF)
        d->type = SR_FEATURE_HALF;
    else if (info->kind == SR_H5_BFLOAT || integer16 || (info->kind == SR_H5_OPAQUE && info->size == 2))
        d->type = SR_FEATURE_BFLOAT;
    else if (info->kind == SR_H5_FLOAT)
        d->type = SR_FEATURE_FLOAT;
    else
        return sr_column_kind(d, name, info, "float16, float32, float64 or bfloat16 features", err);
    return 0;
}

/* What an extraction of the large guard alone leaves. */
static bool is_large_pass(const struct sr_dump *d) {
    return sr_h5_has(d->file, "id") && (sr_h5_has(d->file, "large_prob") || sr_h5_has(d->file, "large_pred"));
}

static int open_features(struct sr_dump *d, const struct sr_data_options *options, struct sr_error *err) {
    const char *name;
    struct sr_h5_info info;
    int status = sr_column_dataset(&name, d, options->names.features, sr_roles[SR_ROLE_FEATURES].names, err);
    if (status == 0 && !name)
        status = sr_column_missing(d, "features",
                                   is_large_pass(d) ? " (nor X, embeddings, hidden_states); it is a pass of "
                                                      "the large guard, which saferoute data merge joins to "
                                                      "one with features"
                                                    : " (nor X, embeddings, hidden_states)",
                                   err);
    if (status == 0)
        status = sr_h5_info(d->file, name, &info, err);
    if (status != 0)
        return status;
    if (info.rank != 2)
        return sr_fail(err, SR_DATA, "%s: /%s has rank %d, but features have rank 2: [rows, width]", d->path,
                       name, info.rank);
    if (info.shape[0] == 0 || info.shape[1] == 0)
        return sr_fail(err, SR_DATA, "%s: /%s is empty: [%llu, %llu]", d->path, name,
                       (unsigned long long)info.shape[0], (unsigned long long)info.shape[1]);
    if (info.shape[0] > UINT32_MAX)
        return sr_fail(err, SR_DATA, "%s: /%s has more than 2^32 - 1 rows; split the file", d->path, name);
    if (info.shape[1] > SR_DATA_WIDTH_MAX)
        return sr_fail(err, SR_DATA,
                       "%s: /%s has %llu features a row; at most %d are possible, so is this a hidden state?",
                       d->path, name, (unsigned long long)info.shape[1], SR_DATA_WIDTH_MAX);
    d->rows = info.shape[0];
    d->width = info.shape[1];
    d->features_name = name;
    status = choose_type(d, name, &info, options->uint16_is_bfloat, err);
    return status < 0 ? status : sr_h5_matrix_open(&d->features, d->file, name, d->type, err);
}

/* ---- columns ---- */

static int read_ids(struct sr_dump *d, const char *given, struct sr_error *err) {
    struct sr_column c;
    int status = sr_column_find(&c, d, given, "id", err);
    if (status < 0 || !c.name)
        return status;
    if (c.info.kind != SR_H5_TEXT && c.info.kind != SR_H5_OPAQUE && c.info.kind != SR_H5_INTEGER)
        return sr_column_kind(d, c.name, &c.info, "strings, 16-byte values or integers", err);
    return sr_h5_read_texts(d->file, c.name, &d->id, d->rows, err);
}

static int read_group_numbers(struct sr_dump *d, const char *name, struct sr_error *err) {
    const int status = sr_h5_read_integers(d->file, name, d->group, d->rows, err);
    for (size_t i = 0; status == 0 && i < d->rows; i++)
        if (d->group[i] == -1)
            d->group[i] = SR_GROUP_NONE;
    return status;
}

/* Integers as they are, but for -1; text, because a set of files compares groups, as 64-bit hashes, so that
 * the empty string becomes SR_GROUP_NONE. */
int sr_dump_groups(struct sr_dump *d, const char *given, struct sr_error *err) {
    struct sr_column c;
    char **text = NULL;
    int status = sr_column_find(&c, d, given, "group", err);
    if (status < 0 || !c.name)
        return status;
    if (c.info.kind != SR_H5_TEXT && c.info.kind != SR_H5_OPAQUE && c.info.kind != SR_H5_INTEGER)
        return sr_column_kind(d, c.name, &c.info, "integers or strings", err);
    d->group = sr_alloc(d->rows, sizeof *d->group, err);
    if (!d->group)
        return SR_NOMEM;
    if (c.info.kind == SR_H5_INTEGER)
        return read_group_numbers(d, c.name, err);
    status = sr_h5_read_texts(d->file, c.name, &text, d->rows, err);
    for (size_t i = 0; status == 0 && i < d->rows; i++)
        d->group[i] = (int64_t)sr_names_hash(text[i]);
    sr_free(text);
    return status;
}

static int read_sources(struct sr_dump *d, const char *given, struct sr_error *err) {
    struct sr_column c;
    int status = sr_column_find(&c, d, given, "source", err);
    if (status < 0 || !c.name)
        return status;
    if (c.info.kind != SR_H5_TEXT && c.info.kind != SR_H5_INTEGER)
        return sr_column_kind(d, c.name, &c.info, "strings or integers", err);
    struct sr_listed l = {.names = NULL};
    if (c.info.kind == SR_H5_INTEGER)
        status = sr_listed_read(&l, d->file, c.name, d->rows, err);
    if (status < 0)
        return status;
    d->source_list = l.names;
    d->sources = l.count;
    d->source = l.index;
    return l.names ? 0 : sr_h5_read_texts(d->file, c.name, &d->source_text, d->rows, err);
}

static int read_weights(struct sr_dump *d, const char *given, struct sr_error *err) {
    struct sr_column c;
    double *value = NULL;
    int status = sr_column_find(&c, d, given, "weight", err);
    if (status < 0 || !c.name)
        return status;
    status = sr_column_numbers(&value, d, &c, true, "floats or integers", err);
    if (status == 0 && !(d->weight = sr_alloc(d->rows, sizeof *d->weight, err)))
        status = SR_NOMEM;
    for (size_t i = 0; status == 0 && i < d->rows; i++) {
        d->weight[i] = (float)value[i];
        if (!(d->weight[i] >= 0 && isfinite(d->weight[i])))
            status = sr_fail(err, SR_DATA, "%s: /%s row %zu is %g, but a weight is finite and not below 0",
                             d->path, c.name, i, value[i]);
    }
    sr_free(value);
    return status;
}

/* ---- open and close ---- */

int sr_dump_forgive(const struct sr_data_options *options, int status, const struct sr_error *err) {
    struct sr_troubles *t = options->troubles;
    if (status != SR_DATA || !t)
        return status;
    if (t->n < SR_TROUBLES)
        snprintf(t->text[t->n], sizeof t->text[0], "%s", err ? err->text : "a column cannot be used");
    t->n++;
    return 0;
}

/* Who forgives a column that cannot be used does not forgive a slip of the name. */
static int check_names(const struct sr_dump *d, const struct sr_data_names *n, struct sr_error *err) {
    const char *const given[] = {n->label,      n->gold,  n->small_prob, n->small_pred, n->large_prob,
                                 n->large_pred, n->group, n->source,     n->weight};
    int status = 0;
    for (size_t i = 0; status == 0 && i < SR_COUNT(given); i++)
        status = sr_column_named(d, given[i], err);
    return status;
}

static int read_ids_or_none(struct sr_dump *d, const struct sr_data_options *options, struct sr_error *err) {
    int status = sr_column_named(d, options->names.id, err);
    if (status == 0 && (status = read_ids(d, options->names.id, err)) < 0) {
        sr_free(d->id);
        d->id = NULL;
        status = sr_dump_forgive(options, status, err);
    }
    return status;
}

static int read_groups(struct sr_dump *d, const struct sr_data_options *options, struct sr_error *err) {
    const int status = sr_dump_groups(d, options->names.group, err);
    if (status < 0) {
        sr_free(d->group);
        d->group = NULL;
    }
    return sr_dump_forgive(options, status, err);
}

static int read_sources_or_none(struct sr_dump *d, const struct sr_data_options *options,
                                struct sr_error *err) {
    const int status = read_sources(d, options->names.source, err);
    if (status < 0) {
        sr_free(d->source);
        sr_free(d->source_list);
        sr_free(d->source_text);
        d->source = NULL;
        d->source_list = d->source_text = NULL;
        d->sources = 0;
    }
    return sr_dump_forgive(options, status, err);
}

static int read_weights_or_none(struct sr_dump *d, const struct sr_data_options *options,
                                struct sr_error *err) {
    const int status = read_weights(d, options->names.weight, err);
    if (status < 0) {
        sr_free(d->weight);
        d->weight = NULL;
    }
    return sr_dump_forgive(options, status, err);
}

static int read_labels(struct sr_dump *d, const struct sr_data_options *options, struct sr_error *err) {
    int status = check_names(d, &options->names, err);
    if (status == 0)
        status = sr_label_read(d, options, err);
    if (status == 0)
        status = read_groups(d, options, err);
    if (status == 0)
        status = read_sources_or_none(d, options, err);
    return status < 0 ? status : read_weights_or_none(d, options, err);
}

static int read_dump(struct sr_dump *d, const struct sr_data_options *options, struct sr_error *err) {
    const bool labels = !options->features_only;
    int status = sr_h5_open(&d->file, d->path, err);
    if (status == 0)
        status = open_features(d, options, err);
    if (status == 0)
        status = read_ids_or_none(d, options, err);
    if (status == 0)
        status = sr_guard_begin(&d->guard[SR_SMALL], d, "small", labels ? options->small_threshold : 0, err);
    if (status == 0)
        status = sr_guard_begin(&d->guard[SR_LARGE], d, "large", labels ? options->large_threshold : 0, err);
    if (status == 0 && labels)
        status = read_labels(d, options, err);
    if (status == 0)
        status = sr_contract_read(d, err);
    return sr_h5_settle(d->file, status, err);
}

int sr_dump_open(struct sr_dump **out, const char *path, const struct sr_data_options *options,
                 struct sr_error *err) {
    struct sr_dump *d = sr_alloc(1, sizeof *d, err);
    if (!d)
        return SR_NOMEM;
    d->path = sr_strdup(path, err);
    int status = d->path ? read_dump(d, options, err) : SR_NOMEM;
    if (status < 0)
        sr_dump_close(d);
    else
        *out = d;
    return status;
}

void sr_dump_drop_columns(struct sr_dump *d) {
    void *columns[] = {d->label, d->gold,   d->weight,      d->group,
                       d->id,    d->source, d->source_list, d->source_text};
    for (size_t i = 0; i < SR_COUNT(columns); i++)
        sr_free(columns[i]);
    d->label = d->gold = NULL;
    d->weight = NULL;
    d->group = d->source = NULL;
    d->id = d->source_list = d->source_text = NULL;
    for (int g = 0; g < SR_GUARDS; g++) {
        sr_free(d->guard[g].prob);
        sr_free(d->guard[g].pred);
        d->guard[g].prob = NULL;
        d->guard[g].pred = NULL;
    }
}

void sr_dump_close(struct sr_dump *d) {
    if (!d)
        return;
    sr_dump_drop_columns(d);
    for (int k = 0; k < SR_CONTRACT_KEYS; k++)
        sr_free(d->contract[k].value);
    sr_h5_matrix_close(d->features);
    sr_h5_close(d->file, NULL);
    sr_free(d->path);
    sr_free(d);
}
