/* convert.c: a dump from files of other kinds. See data.h.
 *
 * Every source is a table (table.h); a band of rows is read from each, features go on to the dump, columns
 * are kept until the end. So memory holds one band of features and the columns, as it does when a dump is
 * opened. The new file is opened as a dump before it gets its name: a label that contradicts the verdicts,
 * say, is refused here by the rule that would refuse it in training, and an older dump of that name stays.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "data/contract.h"
#include "data/convert.h"

struct conversion {
    const char *out;
    const struct sr_convert *how;
    struct sr_sources from;
    struct sr_convert_features features;
    struct sr_h5 *to;
    struct sr_converted *done;
};

/* ---- contract ---- */

static const char *given_value(const struct sr_convert *how, const char *key) {
    for (size_t i = 0; i < how->contract_count; i++)
        if (strcmp(how->contract[i].key, key) == 0)
            return how->contract[i].value;
    return NULL;
}

/* What the file with the features says. A PyTorch checkpoint's own word for the layer is layer_idx. */
static const char *found_value(const struct conversion *c, const char *key) {
    const struct sr_table *t = c->from.of[SR_ROLE_FEATURES];
    const char *value = sr_table_metadata(t, key);
    if (!value && strcmp(key, "feature_layer") == 0)
        value = sr_table_metadata(t, "layer_idx");
    return value;
}

static void note_difference(struct sr_converted *done, const char *key, const char *given,
                            const char *found) {
    const size_t i = done->differences++;
    done->differs[i].key = key;
    snprintf(done->differs[i].given, SR_CONTRACT_TEXT, "%s", given);
    snprintf(done->differs[i].found, SR_CONTRACT_TEXT, "%s", found);
}

static int write_contract(const struct conversion *c, struct sr_error *err) {
    int status = sr_h5_write_attribute_integer(c->to, "/", "version", 1, err);
    for (int k = 0; k < SR_CONTRACT_KEYS && status == 0; k++) {
        const char *key = sr_contract_key(k);
        const char *given = given_value(c->how, key), *found = found_value(c, key);
        if (given && found && strcmp(given, found) != 0)
            note_difference(c->done, key, given, found);
        if (given || found)
            status = sr_h5_write_attribute(c->to, "/", key, given ? given : found, err);
    }
    return status;
}

/* ---- rows ---- */

static int write_features(struct conversion *c, void (*progress)(void *user, double fraction), void *user,
                          struct sr_error *err) {
    const struct sr_field *f = &c->from.field[SR_ROLE_FEATURES];
    const struct sr_table *t = c->from.of[SR_ROLE_FEATURES];
    int status;
    c->features.from = t->path;
    while ((status = sr_sources_read(&c->from, err)) > 0) {
        if (c->features.narrow.rows == 0)
            status = sr_convert_features_begin(&c->features, c->to, f, t->rows, c->how, err);
        if (status >= 0)
            status = sr_convert_features_put(&c->features, f, err);
        if (status < 0)
            return status;
        if (progress)
            progress(user, sr_table_fraction(t));
    }
    return status == 0 ? sr_convert_features_end(&c->features, err) : status;
}

static int write_columns(const struct conversion *c, struct sr_error *err) {
    int status = 0;
    for (int role = 0; role < SR_ROLES && status == 0; role++) {
        const struct sr_field *f = &c->from.field[role];
        if (f->name)
            status = sr_convert_column(c->to, f, err);
        else if (f->required)
            status = sr_fail(err, SR_DATA, "%s: no row has a %.60s", c->from.of[role]->path,
                             f->key ? f->key : sr_field_role(f));
    }
    return status;
}

/* ---- ids ---- */

static int join_rows(struct conversion *c, struct sr_error *err) {
    const struct sr_table *moved = NULL, *unjoined = sr_sources_unjoined(&c->from);
    const int status = sr_sources_join(&c->from, &moved, err);
    snprintf(c->done->moved, sizeof c->done->moved, "%s", moved ? moved->path : "");
    snprintf(c->done->unjoined, sizeof c->done->unjoined, "%s", unjoined ? unjoined->path : "");
    return status;
}

/* ---- the dump ---- */

static bool is_labelled(const struct sr_sources *s) {
    return sr_sources_have(s, SR_ROLE_LABEL) ||
           (sr_sources_have(s, SR_ROLE_GOLD) &&
            (sr_sources_have(s, SR_ROLE_SMALL_PROB) || sr_sources_have(s, SR_ROLE_SMALL_PRED)) &&
            (sr_sources_have(s, SR_ROLE_LARGE_PROB) || sr_sources_have(s, SR_ROLE_LARGE_PRED)));
}

static int describe(const struct conversion *c, struct sr_error *err) {
    c->done->rows = c->features.narrow.rows;
    c->done->width = c->features.narrow.width;
    c->done->type = sr_feature_name(c->features.narrow.type);
    c->done->labelled = is_labelled(&c->from);
    c->done->bad_rows = c->features.narrow.bad_rows;
    c->done->first_bad = c->features.narrow.first_bad;
    c->done->underflows = c->features.narrow.underflows;
    c->done->first_underflow = c->features.narrow.underflow_row;
    const struct sr_table *t = c->from.of[SR_ROLE_FEATURES];
    return t->ops->left ? t->ops->left(t, c->done->left, sizeof c->done->left, err) : 0;
}

/* Messages name the file as it will be called. */
static int check_dump(const struct conversion *c, const char *path, struct sr_error *err) {
    const struct sr_data_options how = {
        .features_only = !c->done->labelled, .labels = c->how->labels, .one_file = true};
    struct sr_data *d = NULL;
    const int status = sr_data_open(&d, path, &how, err);
    if (status < 0)
        sr_error_rename(err, path, c->out);
    sr_data_close(d);
    return status;
}

static int write_dump(struct conversion *c, void (*progress)(void *user, double fraction), void *user,
                      struct sr_error *err) {
    int status = write_features(c, progress, user, err);
    if (status == 0)
        status = join_rows(c, err);
    if (status == 0)
        status = write_columns(c, err);
    if (status == 0)
        status = write_contract(c, err);
    if (status == 0)
        status = describe(c, err);
    const int closed = sr_h5_close(c->to, status < 0 ? NULL : err);
    return status < 0 ? status : closed;
}

int sr_convert_write(struct sr_converted *done, const char *out, const struct sr_convert *how,
                     void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    struct conversion c = {.out = out, .how = how, .done = done};
    struct sr_atomic_file *target = NULL;
    *done = (struct sr_converted){0};
    int status = sr_sources_open(&c.from, out, how, err);
    if (status == 0)
        status = sr_atomic_file_open_like(&target, out, c.from.of[SR_ROLE_FEATURES]->path, err);
    if (status == 0)
        status = sr_h5_create(&c.to, sr_atomic_file_path(target), out, err);
    if (status == 0)
        status = write_dump(&c, progress, user, err);
    sr_convert_features_free(&c.features);
    sr_sources_close(&c.from); /* a reader (--isolate) that its file kills at the end cannot be asked below */
    if (status == 0)
        status = check_dump(&c, sr_atomic_file_path(target), err);
    if (status == 0)
        status = sr_atomic_file_commit(target, err);
    else
        sr_atomic_file_discard(target);
    return status;
}
