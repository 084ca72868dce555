/* merge.c: columns of several files side by side. See merge.h.
 *
 * Two passes of extraction write two files: the small guard's with features, the large one's without. So a
 * file is taken as it is, not as a dump; only what comes out is opened as one. Rows are matched by ids.c,
 * values held against each other by merge_compare.c, and moved by copy.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/merge.h"

#include <stdio.h>
#include <string.h>

#include "data/ids.h"
#include "data/members.h"
#include "data/merge_compare.h"
#include "data/rewrite.h"
#include "data/table.h"

struct side {
    struct sr_h5 *file;
    char **id;
    size_t file_rows;
    struct sr_ids_match match; /* of the first file's rows; not of the first file itself */
    uint32_t *rows;            /* [merging.n] */
    struct sr_h5_members members;
    const char **take; /* NULL-terminated: members that come from here */
};

struct merging {
    const struct sr_merge *how;
    const struct sr_data_options *options;
    const char *id; /* name of the column */
    struct side side[SR_MERGE_FILES];
    size_t n;     /* rows of the result */
    size_t width; /* features a row, or 0 */
    struct sr_merged *done;
    size_t file; /* being copied, for the progress */
    void (*progress)(void *user, double fraction);
    void *user;
};

/* ---- files and ids ---- */

static int open_side(struct side *s, const char *path, const char *id, struct sr_error *err) {
    struct sr_h5_info info;
    char there[200];
    int status = sr_h5_open(&s->file, path, err);
    if (status < 0)
        return status;
    if (!sr_h5_has(s->file, id)) {
        sr_h5_list(s->file, there, sizeof there);
        return sr_fail(err, SR_DATA, "%s: no dataset /%s, by which rows are joined; the file holds: %s", path,
                       id, there);
    }
    status = sr_h5_info(s->file, id, &info, err);
    if (status < 0)
        return status;
    if (info.rank != 1 || info.shape[0] == 0 || info.shape[0] > UINT32_MAX ||
        (info.kind != SR_H5_TEXT && info.kind != SR_H5_OPAQUE && info.kind != SR_H5_INTEGER))
        return sr_fail(err, SR_DATA,
                       "%s: /%s is no column of ids: strings, 16-byte values or integers, one a row", path,
                       id);
    s->file_rows = info.shape[0];
    return sr_h5_read_texts(s->file, id, &s->id, s->file_rows, err);
}

static struct sr_ids ids_of(const struct merging *m, size_t f) {
    return sr_ids_of_column(m->how->path[f], m->side[f].id, m->side[f].file_rows);
}

static int fail_missing(const struct merging *m, size_t f, struct sr_error *err) {
    const struct sr_ids_match *match = &m->side[f].match;
    const size_t has = match->only_a ? 0 : f;
    const size_t row = match->only_a ? match->first_only_a : match->first_only_b;
    return sr_fail(
        err, SR_DATA,
        "%zu ids of %s are not in %s, and %zu the other way round; first \"%.60s\" of %s, row %zu; --common "
        "keeps the rows that all files have",
        match->only_a, m->how->path[0], m->how->path[f], match->only_b, sr_ids_at(ids_of(m, has), row),
        m->how->path[has], row);
}

static bool is_everywhere(const struct merging *m, size_t row) {
    for (size_t f = 1; f < m->how->files; f++)
        if (m->side[f].match.row[row] == SR_IDS_NONE)
            return false;
    return true;
}

static int list_rows(struct merging *m, struct sr_error *err) {
    for (size_t i = 0; i < m->side[0].file_rows; i++)
        m->n += is_everywhere(m, i);
    if (m->n == 0)
        return sr_fail(err, SR_DATA, "no id is in all files, so there is nothing to merge");
    for (size_t f = 0; f < m->how->files; f++) {
        struct side *s = &m->side[f];
        size_t n = 0;
        s->rows = sr_alloc(m->n, sizeof *s->rows, err);
        if (!s->rows)
            return SR_NOMEM;
        for (size_t i = 0; i < m->side[0].file_rows; i++)
            if (is_everywhere(m, i))
                s->rows[n++] = (uint32_t)(f ? s->match.row[i] : i);
        m->done->left_out[f] = s->file_rows - m->n;
    }
    m->done->rows = m->n;
    return 0;
}

static int match_rows(struct merging *m, struct sr_error *err) {
    int status = 0;
    for (size_t f = 1; f < m->how->files && status == 0; f++) {
        struct side *s = &m->side[f];
        status = sr_ids_match(&s->match, ids_of(m, 0), ids_of(m, f), err);
        if (status == 0 && !m->how->common && (s->match.only_a || s->match.only_b))
            status = fail_missing(m, f, err);
    }
    return status == 0 ? list_rows(m, err) : status;
}

/* ---- members ---- */

/* Two names of one column: labels of one file and label of the other. */
static bool is_same_column(const char *a, const char *b) {
    return strcmp(a, b) == 0 || (sr_role_of(a) != SR_ROLES && sr_role_of(a) == sr_role_of(b));
}

static const struct sr_h5_member *find_member(const struct side *s, const char *name) {
    for (size_t i = 0; i < s->members.n; i++)
        if (is_same_column(s->members.item[i].name, name))
            return &s->members.item[i];
    return NULL;
}

static void append(char list[SR_MERGE_LIST], const char *name, const char *of) {
    const size_t used = strlen(list);
    snprintf(list + used, SR_MERGE_LIST - used, "%s%s%s%s", used ? ", " : "", name, of ? " of " : "",
             of ? of : "");
}

static void overrule(struct merging *m, const char *name, size_t f) {
    m->done->overruled++;
    append(m->done->differs, name, m->how->path[f]);
}

/* Columns x of file e and y of file f > e, which are to be the same. */
static int compare_columns(struct merging *m, const char *x, size_t e, const char *y, size_t f,
                           struct sr_error *err) {
    const struct side *a = &m->side[e], *b = &m->side[f];
    const struct sr_merge_side of_a = {a->file, x, a->file_rows, a->rows},
                               of_b = {b->file, y, b->file_rows, b->rows};
    struct sr_merge_difference d;
    struct sr_error why = {0};
    const int status = sr_merge_compare_rows(&d, &of_a, &of_b, m->n, &why);
    if (status == 0 && d.count == 0)
        return 0;
    if (m->how->prefer_first && (status == 0 || status == SR_DATA)) {
        overrule(m, y, f);
        return 0;
    }
    if (status < 0)
        return sr_fail(err, status, "%s", why.text);
    return sr_fail(err, SR_DATA,
                   "/%s of %s and /%s of %s differ in %zu of %zu rows, first id \"%.60s\" (rows %u and %u); "
                   "--prefer-first takes the first file's",
                   x, m->how->path[e], y, m->how->path[f], d.count, m->n,
                   m->side[0].id[m->side[0].rows[d.first]], a->rows[d.first], b->rows[d.first]);
}

static int compare_members(struct merging *m, const struct sr_h5_member *x, size_t e,
                           const struct sr_h5_member *y, size_t f, struct sr_error *err) {
    int same = 0;
    if (strcmp(x->name, m->id) == 0)
        return 0;
    if (x->by_rows && y->by_rows)
        return compare_columns(m, x->name, e, y->name, f, err);
    if (!x->by_rows && !y->by_rows && strcmp(x->name, y->name) == 0)
        same = sr_merge_compare_whole(x->name, m->side[e].file, m->side[f].file, err);
    if (same != 0)
        return same < 0 ? same : 0;
    if (!m->how->prefer_first)
        return sr_fail(err, SR_DATA,
                       "/%s of %s and /%s of %s are not the same; --prefer-first takes the first file's",
                       x->name, m->how->path[e], y->name, m->how->path[f]);
    overrule(m, y->name, f);
    return 0;
}

/* Who has it first; f if nobody before. */
static size_t find_owner(const struct merging *m, const char *name, size_t f) {
    for (size_t e = 0; e < f; e++)
        if (find_member(&m->side[e], name))
            return e;
    return f;
}

static int choose_members(struct merging *m, size_t f, struct sr_error *err) {
    struct side *s = &m->side[f];
    size_t n = 0;
    int status = 0;
    s->take = sr_alloc(s->members.n + 1, sizeof *s->take, err);
    if (!s->take)
        return SR_NOMEM;
    for (size_t i = 0; i < s->members.n && status == 0; i++) {
        const struct sr_h5_member *y = &s->members.item[i];
        const size_t owner = find_owner(m, y->name, f);
        if (owner < f) {
            status = compare_members(m, find_member(&m->side[owner], y->name), owner, y, f, err);
            continue;
        }
        s->take[n++] = y->name;
        append(m->done->columns[f], y->name, NULL);
    }
    return status;
}

static const char *features_of(const struct merging *m) {
    const char *given = m->options->names.features;
    return given ? given : sr_roles[SR_ROLE_FEATURES].names[0];
}

/* Of the first file that has features. */
static size_t find_width(const struct merging *m) {
    struct sr_h5_info info;
    const char *const *names = sr_roles[SR_ROLE_FEATURES].names;
    for (size_t f = 0; f < m->how->files; f++)
        for (int k = -1; k < 0 || names[k]; k++) {
            const char *name = k < 0 ? features_of(m) : names[k];
            if (sr_h5_has(m->side[f].file, name) && sr_h5_info(m->side[f].file, name, &info, NULL) == 0 &&
                info.rank == 2)
                return info.shape[1];
        }
    return 0;
}

static int look_at_members(struct merging *m, struct sr_error *err) {
    int status = 0;
    m->width = find_width(m);
    for (size_t f = 0; f < m->how->files && status == 0; f++)
        status = sr_members_find(&m->side[f].members, m->side[f].file, features_of(m), m->side[f].file_rows,
                                 m->width, true, err);
    for (size_t f = 0; f < m->how->files && status == 0; f++)
        status = choose_members(m, f, err);
    return status;
}

/* ---- attributes ---- */

/* Attributes that parts of one dump have alike: the contract, and the hash of ids and texts that the
 * extraction states, without which rows of other texts under the same ids would be joined. */
static bool must_agree(const char *name) {
    if (strcmp(name, "prompts_sha256") == 0)
        return true;
    for (int k = 0; k < SR_CONTRACT_KEYS; k++)
        if (strcmp(sr_contract_key(k), name) == 0)
            return true;
    return false;
}

/* As text; thresholds, which may be text or a number, as numbers. */
static bool same_value(const char *a, const char *b) {
    double x, y;
    return strcmp(a, b) == 0 || (sr_decimal_parse(&x, a) && sr_decimal_parse(&y, b) && x == y);
}

/* Attribute `name` of file f, which the result has already from an earlier one. */
static int compare_attribute(struct merging *m, const struct sr_h5 *to, const char *name, size_t f,
                             struct sr_error *err) {
    char *a = NULL, *b = NULL;
    int status = sr_h5_attribute(to, "/", name, &a, err);
    if (status == 0)
        status = sr_h5_attribute(m->side[f].file, "/", name, &b, err);
    if (status == 0 && !(a && b && same_value(a, b))) {
        if (!must_agree(name)) {
            if (a && b)
                append(m->done->attributes, name, NULL);
        } else if (m->how->prefer_first)
            overrule(m, name, f);
        else
            status = sr_fail(
                err, SR_DATA,
                "root attribute %s is \"%.60s\", but \"%.60s\" in %s: these are not parts of one dump; "
                "--prefer-first takes the first",
                name, a ? a : "no text", b ? b : "no text", m->how->path[f]);
    }
    sr_free(a);
    sr_free(b);
    return status;
}

static int unite_attributes(struct merging *m, const struct sr_h5 *to, size_t f, struct sr_error *err) {
    char **names = NULL;
    size_t n = 0, known = 0;
    int status = sr_h5_attribute_names(m->side[f].file, "/", &names, &n, err);
    const char **but = status == 0 ? sr_alloc(n + 1, sizeof *but, err) : NULL;
    if (status == 0 && !but)
        status = SR_NOMEM;
    for (size_t i = 0; i < n && status == 0; i++) {
        if (!sr_h5_has_attribute(to, "/", names[i]))
            continue;
        but[known++] = names[i];
        status = compare_attribute(m, to, names[i], f, err);
    }
    if (status == 0)
        status = sr_h5_copy_attributes(to, m->side[f].file, "/", but, err);
    sr_free(but);
    sr_free(names);
    return status;
}

/* ---- the file ---- */

static void show(void *user, double fraction) {
    const struct merging *m = user;
    if (m->progress)
        m->progress(m->user, ((double)m->file + fraction) / (double)m->how->files);
}

static int copy_side(struct merging *m, const struct sr_h5 *to, size_t f, struct sr_error *err) {
    const struct side *s = &m->side[f];
    const struct sr_copy copy = {.features = m->id,
                                 .width = m->width,
                                 .rows = s->rows,
                                 .n = m->n,
                                 .type = SR_CONVERT_KEEP,
                                 .gzip = SR_H5_GZIP_KEEP,
                                 .only = s->take};
    m->file = f;
    const int status = sr_copy_rows(to, s->file, &copy, show, m, err);
    return status == 0 ? unite_attributes(m, to, f, err) : status;
}

static int write_dump(struct merging *m, const char *out, struct sr_error *err) {
    struct sr_rewrite w;
    int status = sr_rewrite_begin(&w, out, m->side[0].file, err);
    for (size_t f = 0; f < m->how->files && status == 0; f++)
        status = copy_side(m, w.to, f, err);
    if (status == 0)
        status = sr_rewrite_check(&w, m->options, err);
    for (size_t f = 0; f < m->how->files; f++)
        status = sr_h5_settle(m->side[f].file, status, err);
    return sr_rewrite_end(&w, status, err);
}

static int check_out(const char *out, const struct sr_merge *how, struct sr_error *err) {
    for (size_t f = 0; f < how->files; f++)
        if (sr_table_same_file(how->path[f], out))
            return sr_fail(err, SR_USAGE,
                           "--out %s is one of the files to merge; give the result another name", out);
    return 0;
}

int sr_merge_write(struct sr_merged *done, const char *out, const struct sr_merge *how,
                   const struct sr_data_options *options, void (*progress)(void *user, double fraction),
                   void *user, struct sr_error *err) {
    struct sr_data_options looks = *options;
    struct merging m = {.how = how,
                        .options = &looks,
                        .id = options->names.id ? options->names.id : "id",
                        .done = done,
                        .progress = progress,
                        .user = user};
    looks.label_optional = true;
    *done = (struct sr_merged){0};
    int status = check_out(out, how, err);
    for (size_t f = 0; f < how->files && status == 0; f++)
        status = open_side(&m.side[f], how->path[f], m.id, err);
    if (status == 0)
        status = match_rows(&m, err);
    if (status == 0)
        status = look_at_members(&m, err);
    if (status == 0)
        status = write_dump(&m, out, err);
    for (size_t f = 0; f < how->files; f++) {
        struct side *s = &m.side[f];
        status = sr_h5_settle(s->file, status, err);
        sr_ids_match_free(&s->match);
        sr_h5_members_free(&s->members);
        sr_free(s->take);
        sr_free(s->rows);
        sr_free(s->id);
        sr_h5_close(s->file, NULL);
    }
    return status;
}
