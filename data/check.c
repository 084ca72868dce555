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

static void (*const kinds[])(struct sr_check_private *) = {
#define X(name, what) sr_check_##name,
#include "data/checks.def"
#undef X
};

/* ---- the pass ---- */

static int begin_near(struct sr_check_private *c, struct sr_error *err) {
    size_t rows = 0;
    c->near_set = sr_alloc(c->files, sizeof *c->near_set, err);
    c->near_file = sr_alloc(c->files, sizeof *c->near_file, err);
    if (!c->near_set || !c->near_file)
        return SR_NOMEM;
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

static void add_columns(void *user, const struct sr_scan_block *block) {
    sr_check_columns_add(user, block);
}

/* set: number of the file's rows in near. */
static int pass_file(struct sr_check_private *c, struct sr_check_file *f, size_t set,
                     struct sr_progress_part *part, struct sr_error *err) {
    const struct sr_scan_visitor visitor[] = {
        {add_lengths, f}, {add_head, f}, {add_columns, f}, *sr_near_visitor(c->near, set)};
    int status = sr_check_lengths_begin(f, err);
    if (status == 0)
        status = sr_check_head_begin(f, err);
    if (status == 0)
        status = sr_check_columns_begin(f, err);
    if (status == 0)
        status =
            sr_scan_visit(f->data, &f->scan, visitor, SR_COUNT(visitor), sr_progress_part_show, part, err);
    return status == 0 ? sr_check_lengths_finish(f, err) : status;
}

static int pass_all(struct sr_check_private *c, void (*progress)(void *user, double fraction), void *user,
                    struct sr_error *err) {
    const double all = (double)c->check->rows;
    struct sr_progress_part finish = {progress, user, SHARE_PASS, 1};
    int status = begin_near(c, err);
    for (size_t i = 0; status == 0 && i < c->files; i++) {
        struct sr_check_file *f = &c->file[i];
        struct sr_progress_part part = {progress, user, SHARE_PASS * (double)f->first / all,
                                        SHARE_PASS * (double)(f->first + f->data->rows) / all};
        status = pass_file(c, f, i, &part, err);
    }
    return status == 0 ? sr_near_finish(c->near, sr_progress_part_show, &finish, err) : status;
}

/* ---- the run ---- */

static int rank(const struct sr_finding *f) {
    return f->serious ? 0 : f->unchecked ? 2 : 1;
}

/* By rank, each in its order. */
static int sort_findings(struct sr_check *check, struct sr_error *err) {
    struct sr_finding **sorted = sr_alloc(check->findings, sizeof *sorted, err);
    size_t n = 0;
    if (!sorted)
        return SR_NOMEM;
    for (int r = 0; r < 3; r++)
        for (size_t i = 0; i < check->findings; i++)
            if (rank(check->finding[i]) == r)
                sorted[n++] = check->finding[i];
    for (size_t i = 0; i < n; i++) {
        check->serious += rank(sorted[i]) == 0;
        check->unchecked += rank(sorted[i]) == 2;
    }
    sr_free(check->finding);
    check->finding = sorted;
    return 0;
}

static int run(struct sr_check_private *c, void (*progress)(void *user, double fraction), void *user,
               struct sr_error *err) {
    int status = sr_check_files_open(c, err);
    if (status == 0)
        status = pass_all(c, progress, user, err);
    for (size_t k = 0; status == 0 && k < SR_COUNT(kinds); k++) {
        kinds[k](c);
        status = c->status;
    }
    return status == 0 ? sort_findings(c->check, err) : status;
}

int sr_check_run(struct sr_check **out, const char *paths, const struct sr_check_options *how,
                 void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    struct sr_check *check = sr_alloc(1, sizeof *check, err);
    if (!check)
        return SR_NOMEM;
    check->in = sr_alloc(1, sizeof *check->in, err);
    int status = check->in ? sr_data_paths(&check->in->list, paths, NULL, 0, err) : SR_NOMEM;
    if (status == 0) {
        check->in->how = how;
        check->in->check = check;
        check->in->err = err;
        status = run(check->in, progress, user, err);
    }
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
    sr_free(f->columns.nonzero);
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
        sr_free(c->near_set);
        sr_free(c->near_file);
        sr_free(c->file);
        sr_free(c->refused);
        sr_free(c->list);
    }
    sr_free(c);
    sr_free(check->name);
    sr_free(check);
}
