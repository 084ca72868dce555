/* check.c: files opened one by one, one pass over their features, then every kind of checks.def. See check.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/check.h"

#include <stdio.h>
#include <string.h>

#include "data/check_parts.h"
#include "data/progress.h"

#define SHARE_PASS .85 /* of the time, about; the rest is looking for near duplicates */

static const struct {
    const char *name, *what;
    void (*look)(struct sr_check_private *c);
} kinds[] = {
#define X(name, what) {#name, what, sr_check_##name},
#include "data/checks.def"
#undef X
};

const char *sr_check_kind(size_t i, const char **what) {
    if (i >= SR_COUNT(kinds))
        return NULL;
    *what = kinds[i].what;
    return kinds[i].name;
}

/* ---- files ---- */

/* Labels may be refused; features and contract are looked at nevertheless. */
static int open_file(struct sr_check_file *f, const char *path, const struct sr_data_options *how,
                     struct sr_error *err) {
    struct sr_data_options other = *how;
    struct sr_error why = {0};
    f->labelled = true;
    int status = sr_data_open(&f->data, path, how, &why);
    if (status == SR_DATA) {
        snprintf(f->refused, sizeof f->refused, "%s", why.text);
        other.labels = SR_LABELS_STORED;
        status = sr_data_open(&f->data, path, &other, err);
    }
    if (status == SR_DATA) {
        f->labelled = false;
        other.features_only = true;
        status = sr_data_open(&f->data, path, &other, err);
    } else if (status < 0 && !*f->refused) {
        return sr_fail(err, status, "%s", why.text);
    }
    if (status == 0)
        f->path = sr_data_path(f->data, 0);
    return status;
}

static int open_files(struct sr_check_private *c, char *list, struct sr_error *err) {
    size_t room = 1;
    for (const char *p = list; *p; p++)
        room += *p == ',';
    c->file = sr_alloc(room, sizeof *c->file, err);
    c->near_set = sr_alloc(room, sizeof *c->near_set, err);
    c->near_file = sr_alloc(room, sizeof *c->near_file, err);
    if (!c->file || !c->near_set || !c->near_file)
        return SR_NOMEM;
    for (char *path; (path = strsep(&list, ","));) {
        struct sr_check_file *f = &c->file[c->files];
        const int status = open_file(f, path, &c->how->data, err);
        if (status < 0)
            return status;
        c->files++;
        f->first = c->check->rows;
        c->check->rows += f->data->rows;
    }
    c->check->files = c->files;
    return 0;
}

/* ---- the pass ---- */

static int begin_near(struct sr_check_private *c, struct sr_error *err) {
    size_t rows = 0;
    for (size_t i = 0; i < c->files; i++) {
        struct sr_check_file *f = &c->file[i];
        f->near_first = rows;
        rows += f->data->rows;
        c->near_file[c->near_sets] = (uint32_t)i;
        c->near_set[c->near_sets++] = f->data;
    }
    return sr_near_begin(&c->near, c->near_set, c->near_sets, c->how->near, err);
}

static void add_lengths(void *user, const struct sr_scan_block *block) {
    sr_check_lengths_add(user, block);
}

static void add_head(void *user, const struct sr_scan_block *block) {
    sr_check_head_add(user, block);
}

/* set: number of the file's rows in near. */
static int pass_file(struct sr_check_private *c, struct sr_check_file *f, size_t set,
                     struct sr_progress_part *part, struct sr_error *err) {
    struct sr_scan_visitor visitor[3] = {{add_lengths, f}, {add_head, f}};
    size_t n = 2;
    visitor[n++] = *sr_near_visitor(c->near, set);
    int status = sr_check_lengths_begin(f, err);
    if (status == 0)
        status = sr_check_head_begin(f, err);
    if (status == 0)
        status = sr_scan_visit(f->data, &f->scan, visitor, n, sr_progress_part_show, part, err);
    return status == 0 ? sr_check_lengths_finish(f, err) : status;
}

static int pass_all(struct sr_check_private *c, void (*progress)(void *user, double fraction), void *user,
                    struct sr_error *err) {
    const double all = (double)c->check->rows;
    struct sr_progress_part finish = {progress, user, SHARE_PASS, 1};
    int status = begin_near(c, err);
    for (size_t i = 0, set = 0; status == 0 && i < c->files; i++) {
        struct sr_check_file *f = &c->file[i];
        struct sr_progress_part part = {progress, user, SHARE_PASS * (double)f->first / all,
                                        SHARE_PASS * (double)(f->first + f->data->rows) / all};
        status = pass_file(c, f, set, &part, err);
        set++;
    }
    return status == 0 ? sr_near_finish(c->near, sr_progress_part_show, &finish, err) : status;
}

/* ---- the run ---- */

/* Serious ones first, each half in its order. */
static int sort_findings(struct sr_check *check, struct sr_error *err) {
    struct sr_finding **sorted = sr_alloc(check->findings, sizeof *sorted, err);
    size_t n = 0;
    if (!sorted)
        return SR_NOMEM;
    for (int serious = 1; serious >= 0; serious--)
        for (size_t i = 0; i < check->findings; i++) {
            if (check->finding[i]->serious == (serious == 1))
                sorted[n++] = check->finding[i];
            check->serious += serious == 1 && check->finding[i]->serious;
        }
    sr_free(check->finding);
    check->finding = sorted;
    return 0;
}

static int run(struct sr_check_private *c, char *list, void (*progress)(void *user, double fraction),
               void *user, struct sr_error *err) {
    int status = open_files(c, list, err);
    if (status == 0)
        status = pass_all(c, progress, user, err);
    for (size_t k = 0; status == 0 && k < SR_COUNT(kinds); k++) {
        kinds[k].look(c);
        status = c->status;
    }
    return status == 0 ? sort_findings(c->check, err) : status;
}

int sr_check_run(struct sr_check **out, const char *paths, const struct sr_check_options *how,
                 void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    char *list = NULL;
    struct sr_check *check = sr_alloc(1, sizeof *check, err);
    if (!check)
        return SR_NOMEM;
    check->in = sr_alloc(1, sizeof *check->in, err);
    int status = check->in ? sr_data_paths(&list, paths, NULL, 0, err) : SR_NOMEM;
    if (status == 0) {
        check->in->how = how;
        check->in->check = check;
        check->in->err = err;
        status = run(check->in, list, progress, user, err);
    }
    sr_free(list);
    if (status < 0)
        sr_check_free(check);
    else
        *out = check;
    return status;
}

static void free_file(struct sr_check_file *f) {
    sr_scan_free(&f->scan);
    sr_free(f->lengths.sample);
    sr_free(f->head.row);
    sr_data_close(f->data);
}

void sr_check_free(struct sr_check *check) {
    if (!check)
        return;
    struct sr_check_private *c = check->in;
    for (size_t i = 0; i < check->findings; i++)
        sr_check_finding_free(check->finding[i]);
    sr_free(check->finding);
    for (size_t i = 0; c && i < c->files; i++)
        free_file(&c->file[i]);
    if (c) {
        sr_near_free(c->near);
        sr_free(c->file);
        sr_free(c->near_set);
        sr_free(c->near_file);
    }
    sr_free(c);
    sr_free(check);
}
