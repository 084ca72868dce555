/* convert_sources.c: which file each column of a conversion comes from. See convert.h.
 *
 * Columns that name the same file share one table, so that a CSV file with everything in it is read once.
 * Where there are several tables each one's ids are read too, to put their rows side by side
 * (convert_join.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "data/convert.h"

/* The table of that path: one that is open, or a new one. */
static int open_table(struct sr_table **out, struct sr_sources *s, const char *path, struct sr_error *err) {
    for (size_t i = 0; i < s->tables; i++)
        if (strcmp(s->table[i]->path, path) == 0) {
            *out = s->table[i];
            return 0;
        }
    const int status = sr_table_open(out, path, &s->how, err);
    if (status == 0)
        s->table[s->tables++] = *out;
    return status;
}

/* "FILE:NAME", unless a file has the whole as its name. */
static int open_spec(struct sr_sources *s, enum sr_role role, const char *spec, struct sr_error *err) {
    const char *colon = access(spec, F_OK) == 0 ? NULL : strrchr(spec, ':');
    char *path = sr_strdup(spec, err);
    if (!path)
        return SR_NOMEM;
    if (colon) {
        path[colon - spec] = '\0';
        s->field[role].key = colon + 1;
    }
    s->field[role].required = true;
    const int status = open_table(&s->of[role], s, path, err);
    sr_free(path);
    return status;
}

/* Without a file of its own a column is looked for in the table of all. */
static int open_columns(struct sr_sources *s, const struct sr_convert *how, struct sr_error *err) {
    struct sr_table *all = NULL;
    int status = how->from ? open_table(&all, s, how->from, err) : 0;
    for (int role = 0; role < SR_ROLES && status == 0; role++) {
        s->field[role].role = role;
        if (role == SR_ROLE_LABEL && how->labels == SR_LABELS_DERIVED)
            continue;
        if (how->column[role])
            status = open_spec(s, role, how->column[role], err);
        else
            s->of[role] = all;
    }
    struct sr_table *rows = s->of[SR_ROLE_FEATURES];
    if (status == 0 && !rows)
        return sr_fail(err, SR_USAGE,
                       "no file has the features: name it with --features FILE, or a FILE with all columns");
    if (status == 0 && !s->of[SR_ROLE_ID] && rows->ops->names_rows)
        s->of[SR_ROLE_ID] = rows;
    s->field[SR_ROLE_FEATURES].required = true;
    return status;
}

static int bind_columns(struct sr_sources *s, struct sr_error *err) {
    int status = 0;
    for (int role = 0; role < SR_ROLES && status == 0; role++)
        if (s->of[role])
            status = sr_table_bind(s->of[role], &s->field[role], err);
    for (size_t i = 0; i < s->tables && s->tables > 1 && status == 0; i++) {
        s->id[i].role = SR_ROLE_ID;
        status = sr_table_bind(s->table[i], &s->id[i], err);
    }
    return status;
}

static int check_out(const struct sr_sources *s, const char *out, const char *contract,
                     struct sr_error *err) {
    bool read = contract && sr_table_same_file(contract, out);
    for (size_t i = 0; i < s->tables && !read; i++)
        read = sr_table_reads(s->table[i], out);
    return read ? sr_fail(err, SR_USAGE, "--out %s is one of the files that are read; name another", out) : 0;
}

/* ---- row counts ---- */

/* "features (a.npy) 100, label (b.csv) 99". */
static int fail_rows(const struct sr_sources *s, struct sr_error *err) {
    char text[400];
    size_t used = 0;
    text[0] = '\0';
    for (int role = 0; role < SR_ROLES && used < 300; role++)
        if (s->of[role] && (sr_sources_have(s, role) || s->field[role].required))
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s (%.80s) %zu", used ? ", " : "",
                                     sr_field_role(&s->field[role]), s->of[role]->path, s->of[role]->rows);
    return sr_fail(err, SR_DATA, "row counts differ: %s; they must be the same rows", text);
}

/* Counts the rows of a table that is not known to end yet. */
static int count_rest(struct sr_table *t, struct sr_error *err) {
    int got = 1;
    t->fields = 0;
    while (t->rows == SR_ROWS_UNKNOWN && (got = sr_table_read(t, SR_BAND_ROWS, err)) > 0)
        ;
    if (got < 0)
        return got;
    if (t->rows == SR_ROWS_UNKNOWN)
        t->rows = t->taken;
    return 0;
}

static int count_and_fail(struct sr_sources *s, struct sr_error *err) {
    for (size_t i = 0; i < s->tables; i++) {
        const int status = count_rest(s->table[i], err);
        if (status < 0)
            return status;
    }
    return fail_rows(s, err);
}

/* Where the counts are known before a row is read, so is that they differ. */
static int check_rows(struct sr_sources *s, struct sr_error *err) {
    const struct sr_table *known = NULL;
    for (size_t i = 0; i < s->tables; i++) {
        const struct sr_table *t = s->table[i];
        if (t->rows == SR_ROWS_UNKNOWN)
            continue;
        if (known && known->rows != t->rows)
            return count_and_fail(s, err);
        known = t;
    }
    return 0;
}

int sr_sources_open(struct sr_sources *s, const char *out, const struct sr_convert *how,
                    struct sr_error *err) {
    *s = (struct sr_sources){.how = {how->feature_prefix, how->layer_given, how->layer, how->mean}};
    int status = open_columns(s, how, err);
    if (status == 0)
        status = bind_columns(s, err);
    if (status == 0)
        status = check_out(s, out, how->contract_file, err);
    return status == 0 ? check_rows(s, err) : status;
}

int sr_sources_read(struct sr_sources *s, struct sr_error *err) {
    int rows = 0;
    for (size_t i = 0; i < s->tables; i++) {
        const int got = sr_table_read(s->table[i], SR_BAND_ROWS, err);
        if (got < 0)
            return got;
        if (i > 0 && got != rows)
            return count_and_fail(s, err);
        rows = got;
    }
    return rows;
}

void sr_sources_close(struct sr_sources *s) {
    for (size_t i = 0; i < s->tables; i++) {
        sr_table_close(s->table[i]);
        sr_field_free(&s->id[i]);
    }
    for (int role = 0; role < SR_ROLES; role++)
        sr_field_free(&s->field[role]);
}
