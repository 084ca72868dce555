/* drop.c: a dump without some rows. See drop.h.
 *
 * Groups are those of data.h: text by its hash, and rows without one are nobody's twins.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/drop.h"

#include <stdlib.h>
#include <string.h>

#include "data/lines.h"
#include "data/names.h"
#include "data/rewrite.h"

struct dropping {
    struct sr_dropped *done;
    struct sr_names wanted; /* to be dropped */
    uint8_t *found;         /* [wanted.count] */
    struct sr_dump *from;
    uint8_t *drop;  /* [rows] */
    uint32_t *keep; /* [done->kept] */
};

/* ---- ids to drop ---- */

/* Blanks around an id are hardly part of it. */
static char *trim(char *text) {
    text += strspn(text, " \t");
    size_t n = strlen(text);
    while (n > 0 && strchr(" \t\r", text[n - 1]))
        text[--n] = '\0';
    return text;
}

static int read_wanted(struct dropping *d, const char *ids, struct sr_error *err) {
    struct sr_lines *lines;
    int32_t number;
    char *text;
    int status = sr_lines_open(&lines, strcmp(ids, "-") == 0 ? "/dev/stdin" : ids, err);
    if (status < 0)
        return status;
    while ((status = sr_lines_next(lines, &text, err)) > 0)
        if (*(text = trim(text)) && (status = sr_names_add(&d->wanted, text, &number, err)) < 0)
            break;
    sr_lines_close(lines);
    d->done->ids = d->wanted.count;
    if (status == 0 && d->wanted.count == 0)
        return sr_fail(err, SR_DATA, "%s: holds no ids; one a line is wanted", ids);
    return status;
}

/* ---- rows ---- */

static int mark_ids(struct dropping *d, struct sr_error *err) {
    const struct sr_dump *from = d->from;
    d->drop = sr_alloc(from->rows, 1, err);
    d->found = sr_alloc(d->wanted.count, 1, err);
    if (!d->drop || !d->found)
        return SR_NOMEM;
    for (size_t i = 0; i < from->rows; i++) {
        const int32_t number = sr_names_find(&d->wanted, from->id[i]);
        if (number < 0)
            continue;
        d->drop[i] = 1;
        d->done->rows++;
        d->done->found += !d->found[number];
        d->found[number] = 1;
    }
    return 0;
}

static int list_missing(struct dropping *d, struct sr_error *err) {
    size_t n = 0;
    for (size_t i = 0; i < d->wanted.count && n < SR_DROP_LISTED; i++)
        if (!d->found[i] && !(d->done->missing[n++] = sr_strdup(d->wanted.name[i], err)))
            return SR_NOMEM;
    return 0;
}

static int compare_groups(const void *pa, const void *pb) {
    const int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;
    return (a > b) - (a < b);
}

static int mark_twins(struct dropping *d, const char *name, struct sr_error *err) {
    const int status = sr_dump_groups(d->from, name, err);
    const int64_t *group = d->from->group;
    size_t n = 0;
    if (status < 0)
        return status;
    if (!group)
        return sr_fail(err, SR_DATA, "%s: no dataset /group, so --with-group has nothing to go by",
                       d->from->path);
    int64_t *gone = sr_alloc(d->done->rows, sizeof *gone, err);
    if (!gone)
        return SR_NOMEM;
    for (size_t i = 0; i < d->from->rows; i++)
        if (d->drop[i] && group[i] != SR_GROUP_NONE)
            gone[n++] = group[i];
    qsort(gone, n, sizeof *gone, compare_groups);
    for (size_t i = 0; i < d->from->rows; i++)
        if (!d->drop[i] && bsearch(&group[i], gone, n, sizeof *gone, compare_groups)) {
            d->drop[i] = 1;
            d->done->twins++;
        }
    sr_free(gone);
    return 0;
}

static int list_kept(struct dropping *d, struct sr_error *err) {
    size_t n = 0;
    d->done->kept = d->from->rows - d->done->rows - d->done->twins;
    if (d->done->kept == 0)
        return sr_fail(err, SR_DATA, "%s: no row would be left; remove the file instead", d->from->path);
    d->keep = sr_alloc(d->done->kept, sizeof *d->keep, err);
    for (size_t i = 0; d->keep && i < d->from->rows; i++)
        if (!d->drop[i])
            d->keep[n++] = (uint32_t)i;
    return d->keep ? 0 : SR_NOMEM;
}

static int choose_rows(struct dropping *d, const char *ids, bool with_group,
                       const struct sr_data_options *options, struct sr_error *err) {
    int status = read_wanted(d, ids, err);
    if (status == 0)
        status = mark_ids(d, err);
    if (status == 0)
        status = list_missing(d, err);
    if (status == 0 && d->done->found == 0)
        status = sr_fail(err, SR_NO, "%s has none of the %zu ids of %s, so nothing was written",
                         d->from->path, d->done->ids, ids);
    if (status == 0 && with_group)
        status = mark_twins(d, options->names.group, err);
    return status == 0 ? list_kept(d, err) : status;
}

/* ---- the file ---- */

/* Reads what was written: a promise to somebody is not kept by a count alone. */
static int prove(const struct dropping *d, const struct sr_rewrite *w, const struct sr_data_options *options,
                 struct sr_error *err) {
    struct sr_data *again;
    int status = sr_data_open(&again, sr_rewrite_path(w), options, err);
    if (status < 0)
        return status;
    for (size_t i = 0; i < again->rows && status == 0; i++)
        if (sr_names_find(&d->wanted, again->id[i]) >= 0)
            status = sr_fail(err, SR_BUG, "%s: row %zu still has the id \"%.60s\"", w->out, i, again->id[i]);
    if (status == 0 && again->rows != d->done->kept)
        status =
            sr_fail(err, SR_BUG, "%s: %zu rows were written, not %zu", w->out, again->rows, d->done->kept);
    sr_data_close(again);
    return status;
}

static int write_rows(const struct dropping *d, const char *out, const struct sr_data_options *options,
                      void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    const struct sr_copy copy = {.features = d->from->features_name,
                                 .rows = d->keep,
                                 .n = d->done->kept,
                                 .type = SR_CONVERT_KEEP,
                                 .gzip = SR_H5_GZIP_KEEP};
    struct sr_rewrite w;
    int status = sr_rewrite_begin(&w, out, err);
    if (status == 0)
        status = sr_copy_rows(w.to, d->from->file, &copy, progress, user, err);
    if (status == 0)
        status = sr_rewrite_check(&w, options, err);
    if (status == 0)
        status = prove(d, &w, options, err);
    return sr_rewrite_end(&w, status, err);
}

int sr_drop_write(struct sr_dropped *done, const char *out, const char *path, const char *ids,
                  bool with_group, const struct sr_data_options *options,
                  void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    struct sr_data_options looks = *options;
    struct dropping d = {.done = done};
    looks.features_only = true;
    *done = (struct sr_dropped){0};
    int status = sr_dump_open(&d.from, path, &looks, err);
    if (status == 0 && !d.from->id)
        status =
            sr_fail(err, SR_DATA,
                    "%s: no dataset /id, so nobody's rows can be found; --id NAME says where ids are", path);
    if (status == 0)
        status = choose_rows(&d, ids, with_group, options, err);
    if (status == 0)
        status = write_rows(&d, out, &looks, progress, user, err);
    sr_names_free(&d.wanted);
    sr_free(d.found);
    sr_free(d.drop);
    sr_free(d.keep);
    sr_dump_close(d.from);
    return status;
}

void sr_dropped_free(struct sr_dropped *done) {
    for (size_t i = 0; i < SR_DROP_LISTED; i++)
        sr_free(done->missing[i]);
}
