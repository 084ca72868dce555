/* dump.c: one HDF5 file checked against the contract of a feature dump. See dump.h.
 *
 * Nothing is guessed: a dataset goes by the contract's name, an alias, or the name the caller gives; two
 * aliases at once are refused, 16-bit integers are features only when the caller says so, and a value that
 * cannot be what its column says is refused with its row. Only columns are read here; features are looked at,
 * not read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/dump.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/names.h"

const char *const sr_contract_key[SR_CONTRACT_KEYS] = {"feature_model",   "feature_revision",
                                                       "feature_layer",   "feature_norm",
                                                       "feature_pooling", "feature_template"};

#define NAMES_MAX 5
static const char *const feature_names[NAMES_MAX] = {"features", "X", "embeddings", "hidden_states"};
static const char *const label_names[NAMES_MAX] = {"label", "labels", "y", "target"};

/* ---- finding datasets ---- */

static int fail_missing(const struct sr_dump *d, const char *name, const char *also, struct sr_error *err) {
    char there[200];
    sr_h5_list(d->file, there, sizeof there);
    return sr_fail(err, SR_DATA, "%s: no dataset /%s%s; the file holds: %s", d->path, name, also, there);
}

/* *found: the dataset that plays the role named names[0], or NULL. A name the caller gave must be there. */
static int find_dataset(const struct sr_dump *d, const char *given, const char *const names[NAMES_MAX],
                        const char **found, struct sr_error *err) {
    *found = NULL;
    if (given) {
        *found = given;
        return sr_h5_has(d->file, given) ? 0 : fail_missing(d, given, "", err);
    }
    if (sr_h5_has(d->file, names[0])) {
        *found = names[0];
        return 0;
    }
    for (const char *const *name = names + 1; *name; name++) {
        if (!sr_h5_has(d->file, *name))
            continue;
        if (*found)
            return sr_fail(err, SR_DATA, "%s: both /%s and /%s could be the %s; say which with --%s NAME",
                           d->path, *found, *name, names[0], names[0]);
        *found = *name;
    }
    return 0;
}

/* As find_dataset for a column with one name only; a column found has the right shape. */
static int find_column(const struct sr_dump *d, const char *given, const char *name, const char **found,
                       struct sr_h5_info *info, struct sr_error *err) {
    const char *const names[NAMES_MAX] = {name};
    int status = find_dataset(d, given, names, found, err);
    if (status < 0 || !*found)
        return status;
    status = sr_h5_info(d->file, *found, info, err);
    if (status < 0)
        return status;
    if (info->rank != 1 && !(info->rank == 2 && info->shape[1] == 1))
        return sr_fail(err, SR_DATA, "%s: /%s has rank %d, but a column has one value a row (rank 1)",
                       d->path, *found, info->rank);
    if (info->shape[0] != d->rows)
        return sr_fail(err, SR_DATA,
                       "%s: /%s has %llu rows, the features have %zu; they must be the same rows", d->path,
                       *found, (unsigned long long)info->shape[0], d->rows);
    return 0;
}

static int fail_kind(const struct sr_dump *d, const char *name, const struct sr_h5_info *info,
                     const char *wanted, struct sr_error *err) {
    return sr_fail(err, SR_DATA, "%s: /%s holds %s, but %s are needed", d->path, name, info->type, wanted);
}

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
        return fail_kind(d, name, info, "float16, float32, float64 or bfloat16 features", err);
    return 0;
}

static int open_features(struct sr_dump *d, const struct sr_data_options *options, struct sr_error *err) {
    const char *name;
    struct sr_h5_info info;
    int status = find_dataset(d, options->names.features, feature_names, &name, err);
    if (status == 0 && !name)
        status = fail_missing(d, "features", " (nor X, embeddings, hidden_states)", err);
    if (status == 0)
        status = sr_h5_info(d->file, name, &info, err);
    if (status < 0)
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
    status = choose_type(d, name, &info, options->uint16_is_bfloat, err);
    return status < 0 ? status : sr_h5_matrix_open(&d->features, d->file, name, d->type, err);
}

/* ---- columns ---- */

static int binary_from_integers(const struct sr_dump *d, const char *name, uint8_t *out,
                                struct sr_error *err) {
    int64_t *value = sr_alloc(d->rows, sizeof *value, err);
    int status = value ? sr_h5_read_integers(d->file, name, value, d->rows, err) : SR_NOMEM;
    for (size_t i = 0; status == 0 && i < d->rows; i++) {
        if (value[i] != 0 && value[i] != 1)
            status = sr_fail(err, SR_DATA, "%s: /%s row %zu is %lld; only 0 and 1 are allowed", d->path, name,
                             i, (long long)value[i]);
        out[i] = value[i] == 1;
    }
    sr_free(value);
    return status;
}

static int binary_from_floats(const struct sr_dump *d, const char *name, uint8_t *out, struct sr_error *err) {
    char text[SR_DECIMAL_TEXT];
    double *value = sr_alloc(d->rows, sizeof *value, err);
    int status = value ? sr_h5_read_doubles(d->file, name, value, d->rows, err) : SR_NOMEM;
    for (size_t i = 0; status == 0 && i < d->rows; i++) {
        if (value[i] != 0 && value[i] != 1)
            status = sr_fail(err, SR_DATA, "%s: /%s row %zu is %s; only 0 and 1 are allowed", d->path, name,
                             i, sr_decimal(text, value[i]));
        out[i] = value[i] == 1;
    }
    sr_free(value);
    return status;
}

static bool is_number(const struct sr_h5_info *info) {
    return info->kind == SR_H5_HALF || info->kind == SR_H5_BFLOAT || info->kind == SR_H5_FLOAT ||
           info->kind == SR_H5_INTEGER;
}

static int read_binary(const struct sr_dump *d, const char *given, const char *name, uint8_t **out,
                       struct sr_error *err) {
    struct sr_h5_info info;
    int status = find_column(d, given, name, &name, &info, err);
    if (status < 0 || !name)
        return status;
    if (!is_number(&info))
        return fail_kind(d, name, &info, "integers, bools or floats 0 and 1", err);
    *out = sr_alloc(d->rows, 1, err);
    if (!*out)
        return SR_NOMEM;
    return info.kind == SR_H5_INTEGER ? binary_from_integers(d, name, *out, err)
                                      : binary_from_floats(d, name, *out, err);
}

/* Probabilities as float; verdicts, unless pred is NULL, from the values as the file has them: the nearest
 * float of 0.49999999 is .5. */
static int probs_from_doubles(const struct sr_dump *d, const char *name, float *prob, uint8_t *pred,
                              struct sr_error *err) {
    double *value = sr_alloc(d->rows, sizeof *value, err);
    int status = value ? sr_h5_read_doubles(d->file, name, value, d->rows, err) : SR_NOMEM;
    for (size_t i = 0; status == 0 && i < d->rows; i++) {
        prob[i] = (float)value[i];
        if (!(prob[i] >= 0.0f && prob[i] <= 1.0f))
            status = sr_fail(err, SR_DATA, "%s: /%s row %zu is %g, which is no probability (0 to 1)", d->path,
                             name, i, value[i]);
        if (pred)
            pred[i] = value[i] >= .5;
    }
    sr_free(value);
    return status;
}

/* A guard's verdicts are its own column, read before, else its probabilities at .5. */
static int read_prob(const struct sr_dump *d, const char *given, const char *name, float **prob,
                     uint8_t **pred, struct sr_error *err) {
    struct sr_h5_info info;
    int status = find_column(d, given, name, &name, &info, err);
    if (status < 0 || !name)
        return status;
    if (!is_number(&info) || info.kind == SR_H5_INTEGER)
        return fail_kind(d, name, &info, "probabilities (floats)", err);
    const bool derived = !*pred;
    *prob = sr_alloc(d->rows, sizeof **prob, err);
    if (derived)
        *pred = sr_alloc(d->rows, 1, err);
    if (!*prob || !*pred)
        return SR_NOMEM;
    return probs_from_doubles(d, name, *prob, derived ? *pred : NULL, err);
}

static int derive_label(struct sr_dump *d, bool optional, struct sr_error *err) {
    if (!d->gold || !d->small_pred || !d->large_pred)
        return optional
                   ? 0
                   : fail_missing(d, "label",
                                  " (nor labels, y, target), nor all it follows from: gold, small_prob or "
                                  "small_pred, large_prob or large_pred",
                                  err);
    d->label = sr_alloc(d->rows, 1, err);
    for (size_t i = 0; d->label && i < d->rows; i++)
        d->label[i] = d->small_pred[i] != d->gold[i] && d->large_pred[i] == d->gold[i];
    d->label_derived = true;
    return d->label ? 0 : SR_NOMEM;
}

static int read_label(struct sr_dump *d, const struct sr_data_options *options, struct sr_error *err) {
    const char *name;
    int status = find_dataset(d, options->names.label, label_names, &name, err);
    if (status < 0)
        return status;
    return name ? read_binary(d, name, name, &d->label, err) : derive_label(d, options->features_only, err);
}

static int read_verdicts(struct sr_dump *d, const struct sr_data_names *n, struct sr_error *err) {
    int status = read_binary(d, n->gold, "gold", &d->gold, err);
    if (status == 0)
        status = read_binary(d, n->small_pred, "small_pred", &d->small_pred, err);
    if (status == 0)
        status = read_binary(d, n->large_pred, "large_pred", &d->large_pred, err);
    if (status == 0)
        status = read_prob(d, n->small_prob, "small_prob", &d->small_prob, &d->small_pred, err);
    if (status == 0)
        status = read_prob(d, n->large_prob, "large_prob", &d->large_prob, &d->large_pred, err);
    return status;
}

static int read_ids(struct sr_dump *d, const char *given, struct sr_error *err) {
    const char *name;
    struct sr_h5_info info;
    int status = find_column(d, given, "id", &name, &info, err);
    if (status < 0 || !name)
        return status;
    if (info.kind != SR_H5_TEXT && info.kind != SR_H5_OPAQUE && info.kind != SR_H5_INTEGER)
        return fail_kind(d, name, &info, "strings, 16-byte values or integers", err);
    return sr_h5_read_texts(d->file, name, &d->id, d->rows, err);
}

/* Integers as they are; text, because a set of files compares groups, as 64-bit hashes, so that the empty
 * string becomes SR_GROUP_NONE. */
static int read_groups(struct sr_dump *d, const char *given, struct sr_error *err) {
    const char *name;
    struct sr_h5_info info;
    char **text = NULL;
    int status = find_column(d, given, "group", &name, &info, err);
    if (status < 0 || !name)
        return status;
    if (info.kind != SR_H5_TEXT && info.kind != SR_H5_OPAQUE && info.kind != SR_H5_INTEGER)
        return fail_kind(d, name, &info, "integers or strings", err);
    d->group = sr_alloc(d->rows, sizeof *d->group, err);
    if (!d->group)
        return SR_NOMEM;
    if (info.kind == SR_H5_INTEGER)
        return sr_h5_read_integers(d->file, name, d->group, d->rows, err);
    status = sr_h5_read_texts(d->file, name, &text, d->rows, err);
    for (size_t i = 0; status == 0 && i < d->rows; i++)
        d->group[i] = (int64_t)sr_names_hash(text[i]);
    sr_free(text);
    return status;
}

static int read_listed_sources(struct sr_dump *d, const char *name, struct sr_error *err) {
    d->source = sr_alloc(d->rows, sizeof *d->source, err);
    int status = d->source ? sr_h5_read_integers(d->file, name, d->source, d->rows, err) : SR_NOMEM;
    for (size_t i = 0; status == 0 && i < d->rows; i++)
        if (d->source[i] < 0 || (uint64_t)d->source[i] >= d->sources)
            status = sr_fail(err, SR_DATA, "%s: /%s row %zu is %lld, but its attribute names lists only %zu",
                             d->path, name, i, (long long)d->source[i], d->sources);
    return status;
}

static int read_sources(struct sr_dump *d, const char *given, struct sr_error *err) {
    const char *name;
    struct sr_h5_info info;
    int status = find_column(d, given, "source", &name, &info, err);
    if (status < 0 || !name)
        return status;
    if (info.kind != SR_H5_TEXT && info.kind != SR_H5_INTEGER)
        return fail_kind(d, name, &info, "strings or integers", err);
    if (info.kind == SR_H5_INTEGER)
        status = sr_h5_attribute_list(d->file, name, "names", &d->source_list, &d->sources, err);
    if (status < 0)
        return status;
    return d->source_list ? read_listed_sources(d, name, err)
                          : sr_h5_read_texts(d->file, name, &d->source_text, d->rows, err);
}

static int read_contract(struct sr_dump *d, struct sr_error *err) {
    int status = 0;
    for (int k = 0; k < SR_CONTRACT_KEYS && status == 0; k++)
        status = sr_h5_attribute(d->file, "/", sr_contract_key[k], &d->contract[k], err);
    return status;
}

/* ---- open and close ---- */

static int read_dump(struct sr_dump *d, const struct sr_data_options *options, struct sr_error *err) {
    int status = sr_h5_open(&d->file, d->path, err);
    if (status == 0)
        status = open_features(d, options, err);
    if (status == 0)
        status = read_verdicts(d, &options->names, err);
    if (status == 0)
        status = read_label(d, options, err);
    if (status == 0)
        status = read_ids(d, options->names.id, err);
    if (status == 0)
        status = read_groups(d, options->names.group, err);
    if (status == 0)
        status = read_sources(d, options->names.source, err);
    if (status == 0)
        status = read_contract(d, err);
    return status;
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
    void *columns[] = {d->label, d->gold, d->small_pred, d->large_pred,  d->small_prob, d->large_prob,
                       d->group, d->id,   d->source,     d->source_list, d->source_text};
    for (size_t i = 0; i < SR_COUNT(columns); i++)
        sr_free(columns[i]);
    d->label = d->gold = d->small_pred = d->large_pred = NULL;
    d->small_prob = d->large_prob = NULL;
    d->group = d->source = NULL;
    d->id = d->source_list = d->source_text = NULL;
}

void sr_dump_close(struct sr_dump *d) {
    if (!d)
        return;
    sr_dump_drop_columns(d);
    for (int k = 0; k < SR_CONTRACT_KEYS; k++)
        sr_free(d->contract[k]);
    sr_h5_matrix_close(d->features);
    sr_h5_close(d->file, NULL);
    sr_free(d->path);
    sr_free(d);
}
