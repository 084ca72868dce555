/* drop.c: a dump without some rows. See drop.h.
 *
 * Groups are those of data.h: text by its hash, and rows without one are nobody's twins.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/drop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/mention.h"
#include "data/rewrite.h"
#include "data/table.h"
#include "data/wanted.h"

struct dropping {
    struct sr_dropped *done;
    const char *column;      /* of the ids */
    struct sr_wanted wanted; /* to be dropped */
    uint8_t *found;          /* [wanted.names.count] */
    struct sr_dump *from;
    uint8_t *drop;  /* [rows] */
    uint32_t *keep; /* [done->kept] */
};

/* ---- rows ---- */

static int mark_ids(struct dropping *d, struct sr_error *err) {
    const struct sr_dump *from = d->from;
    d->drop = sr_alloc(from->rows, 1, err);
    d->found = sr_alloc(d->wanted.names.count, 1, err);
    if (!d->drop || !d->found)
        return SR_NOMEM;
    for (size_t i = 0; i < from->rows; i++) {
        const int32_t number = sr_wanted_find(&d->wanted, from->id[i]);
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
    for (size_t i = 0; i < d->wanted.names.count && n < SR_DROP_LISTED; i++)
        if (!d->found[i] && !(d->done->missing[n++] = sr_strdup(d->wanted.names.name[i], err)))
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
    int status = sr_wanted_read(&d->wanted, ids, d->from->file, d->column, err);
    d->done->ids = d->wanted.names.count;
    if (status == 0)
        status = mark_ids(d, err);
    if (status == 0)
        status = list_missing(d, err);
    if (status == 0 && d->done->found == 0)
        status = sr_fail(
            err, SR_NO, "%s has none of the %zu ids of %s, so nothing was written; its first id is \"%.60s\"",
            d->from->path, d->done->ids, ids, d->from->id[0]);
    if (status == 0 && with_group)
        status = mark_twins(d, options->names.group, err);
    return status == 0 ? list_kept(d, err) : status;
}

/* ---- the file ---- */

/* True if a member has as many rows in both files, or none: then it was not cut, since fewer rows are left.
 */
static bool is_whole(const struct sr_h5 *from, const struct sr_h5 *to, const char *name) {
    struct sr_h5_info was, is;
    if (sr_h5_info(from, name, &was, NULL) < 0 || sr_h5_info(to, name, &is, NULL) < 0)
        return true;
    return was.rank == 0 || was.shape[0] == is.shape[0];
}

static int list_whole(FILE *list, const struct sr_h5 *from, const struct sr_h5 *to, struct sr_error *err) {
    struct sr_h5_members members;
    char **attribute = NULL;
    size_t n = 0;
    int status = sr_h5_members(&members, from, 0, false, err);
    for (size_t i = 0; status == 0 && i < members.n; i++)
        if (strcmp(members.item[i].name, "verdict_head") != 0 && is_whole(from, to, members.item[i].name))
            fprintf(list, "%s/%s", ftell(list) > 0 ? ", " : "", members.item[i].name);
    sr_h5_members_free(&members);
    if (status == 0)
        status = sr_h5_attribute_names(from, "/", &attribute, &n, err);
    for (size_t i = 0; status == 0 && i < n; i++)
        if (!sr_contract_is_key(attribute[i]))
            fprintf(list, "%sthe attribute %s", ftell(list) > 0 ? ", " : "", attribute[i]);
    sr_free(attribute);
    return status;
}

/* What may still tell of a row that was dropped. */
static int list_rest(const struct dropping *d, const struct sr_h5 *to, struct sr_error *err) {
    struct sr_text_stream whole = {0}, mentions = {0};
    int status = sr_text_stream_open(&whole, err);
    if (status == 0)
        status = sr_text_stream_open(&mentions, err);
    if (status == 0)
        status = list_whole(whole.stream, d->from->file, to, err);
    if (status == 0)
        status = sr_mention_list(mentions.stream, &d->wanted, to, d->column, d->done->kept, err);
    d->done->whole = sr_text_stream_close(&whole, status == 0 ? err : NULL);
    d->done->mentions = sr_text_stream_close(&mentions, status == 0 ? err : NULL);
    return status == 0 && !(d->done->whole && d->done->mentions) ? SR_NOMEM : status;
}

static int write_rows(const struct dropping *d, const char *out, const struct sr_data_options *options,
                      void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    const struct sr_copy copy = {.features = d->from->features_name,
                                 .done = &d->done->copied,
                                 .rows = d->keep,
                                 .n = d->done->kept,
                                 .type = SR_CONVERT_KEEP,
                                 .gzip = SR_H5_GZIP_KEEP};
    struct sr_rewrite w;
    int status = sr_rewrite_begin(&w, out, d->from->file, err);
    if (status == 0)
        status = sr_copy_rows(w.to, d->from->file, &copy, progress, user, err);
    if (status == 0)
        status = list_rest(d, w.to, err);
    if (status == 0)
        status = sr_rewrite_check(&w, options, err);
    if (status == 0) /* a promise to somebody is not kept by a count alone */
        status = sr_wanted_check_gone(&d->wanted, sr_rewrite_path(&w), d->done->kept, options, err);
    return sr_rewrite_end(&w, status, err);
}

int sr_drop_write(struct sr_dropped *done, const char *out, const char *path, const char *ids,
                  bool with_group, const struct sr_data_options *options,
                  void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    struct sr_data_options looks = *options;
    struct dropping d = {.done = done, .column = options->names.id ? options->names.id : "id"};
    looks.features_only = true;
    *done = (struct sr_dropped){0};
    if (sr_table_same_file(out, ids))
        return sr_fail(err, SR_USAGE, "--out %s is the list of ids; give the dump another name", out);
    int status = sr_dump_open(&d.from, path, &looks, err);
    if (status == 0 && !d.from->id)
        status =
            sr_fail(err, SR_DATA,
                    "%s: no dataset /id, so nobody's rows can be found; --id NAME says where ids are", path);
    if (status == 0)
        status = choose_rows(&d, ids, with_group, options, err);
    if (status == 0)
        status = write_rows(&d, out, &looks, progress, user, err);
    sr_wanted_free(&d.wanted);
    sr_free(d.found);
    sr_free(d.drop);
    sr_free(d.keep);
    sr_dump_close(d.from);
    return status;
}

void sr_dropped_free(struct sr_dropped *done) {
    for (size_t i = 0; i < SR_DROP_LISTED; i++)
        sr_free(done->missing[i]);
    sr_free(done->whole);
    sr_free(done->mentions);
}
