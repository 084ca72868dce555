/* copy.c: rows of a dump into a new file. See copy.h.
 *
 * A dataset is read in blocks of the rows wanted (gather.h) and written in order. Features go through struct
 * sr_h5_matrix, the fast way to read them; everything else is moved as it is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/copy.h"

#include <stdio.h>
#include <string.h>

#include "data/gather.h"
#include "data/members.h"
#include "data/narrow.h"

/* One dataset on its way. */
struct stream {
    const struct sr_copy *how;
    const char *name;
    struct sr_h5_items *from, *to;
    struct sr_h5_matrix *matrix; /* reads instead of `from`, or NULL */
    enum sr_feature stored;      /* what it reads */
    bool typed;
    enum sr_dtype dtype; /* of what is read, where typed */
    struct sr_narrow narrow;
    struct sr_gather gather;
    unsigned char *out; /* a block as it is written, where typed */
};

struct copying {
    const struct sr_copy *how;
    const struct sr_h5 *to, *from;
    size_t rows, width; /* of the file */
    size_t n;           /* written */
    struct sr_h5_members members;
    double done, all; /* bytes */
    void (*progress)(void *user, double fraction);
    void *user;
};

static bool is_wanted(const struct sr_copy *how, const char *name) {
    return !sr_members_listed(how->but, name) && (!how->only || sr_members_listed(how->only, name));
}

/* ---- one dataset ---- */

/* Nothing is written after a value that the type does not hold, but all are counted. */
static int write_block(struct stream *s, size_t first, size_t n, struct sr_error *err) {
    if (!s->typed)
        return sr_h5_items_write(s->to, s->gather.block, first, n, err);
    sr_narrow_rows(&s->narrow, s->out, s->gather.block, n, s->dtype);
    return s->narrow.overflows > 0 ? 0 : sr_h5_items_write(s->to, s->out, first, n, err);
}

static int copy_blocks(struct copying *c, struct stream *s, struct sr_error *err) {
    const size_t most = s->gather.block_rows;
    int status = 0;
    for (size_t i = 0; i < c->n && status == 0; i += most) {
        const size_t n = c->n - i < most ? c->n - i : most;
        status = sr_gather_read(&s->gather, i, n, err);
        if (status == 0)
            status = write_block(s, i, n, err);
        sr_gather_release(&s->gather, n);
        c->done += (double)n * (double)s->gather.from.bytes;
        if (c->progress)
            c->progress(c->user, c->done / c->all);
    }
    return status;
}

static void append(char list[SR_COPY_NAMES], const char *name) {
    const size_t used = strlen(list);
    snprintf(list + used, SR_COPY_NAMES - used, "%s%s", used ? ", " : "", name);
}

/* Whether the type asked for is meant for the dataset. */
static bool is_retyped(const struct sr_copy *how, const char *name) {
    return how->type != SR_CONVERT_KEEP && (strcmp(name, how->features) == 0 || sr_members_layer(name));
}

/* What a dataset's values become, and who reads them. */
static int choose_values(struct stream *s, const struct sr_h5 *from, const struct sr_h5_info *info,
                         struct sr_error *err) {
    static const enum sr_feature types[] = {[SR_CONVERT_HALF] = SR_FEATURE_HALF,
                                            [SR_CONVERT_FLOAT] = SR_FEATURE_FLOAT,
                                            [SR_CONVERT_BFLOAT] = SR_FEATURE_BFLOAT};
    const bool half = info->kind == SR_H5_HALF, whole = info->kind == SR_H5_FLOAT;
    const bool pattern = info->size == 2 && (info->kind == SR_H5_OPAQUE ||
                                             (info->kind == SR_H5_INTEGER && s->how->uint16_is_bfloat));
    const bool bfloat = info->kind == SR_H5_BFLOAT || pattern, native = sr_h5_items_native(s->from);
    if (info->rank != 2 || info->shape[1] == 0 || !(half || whole || bfloat)) {
        if (s->how->done && is_retyped(s->how, s->name))
            append(s->how->done->untouched, s->name);
        return 0;
    }
    s->stored = half ? SR_FEATURE_HALF : bfloat ? SR_FEATURE_BFLOAT : SR_FEATURE_FLOAT;
    s->typed = is_retyped(s->how, s->name);
    const bool as_double = info->size == sizeof(double) && native;
    s->dtype = as_double ? SR_F64 : sr_narrow_dtype(s->stored);
    if (as_double || !(s->typed || (native && info->size < sizeof(double))))
        return s->typed ? sr_narrow_begin(&s->narrow, types[s->how->type], info->shape[1], err) : 0;
    const int status = sr_h5_matrix_open(&s->matrix, from, s->name, s->stored, err);
    return status == 0 && s->typed ? sr_narrow_begin(&s->narrow, types[s->how->type], info->shape[1], err)
                                   : status;
}

/* Rows a chunk: what was asked for, as long as a chunk stays something to hold in memory. */
static size_t band_of(const struct stream *s, const struct sr_copy *how) {
    const size_t band = how->band ? how->band : SR_COPY_BAND, bytes = sr_h5_items_bytes(s->from);
    const size_t most = bytes > 0 && bytes < SR_COPY_CHUNK ? SR_COPY_CHUNK / bytes : 1;
    return band < most ? band : most;
}

static int create(struct stream *s, const struct copying *c, const struct sr_h5_info *info,
                  struct sr_error *err) {
    const struct sr_copy *how = c->how;
    const bool matrix = info->rank == 2 && info->shape[1] > 1 && !sr_h5_items_own(s->from);
    const struct sr_h5_form form = {.typed = s->typed,
                                    .type = s->narrow.type,
                                    .laid_out = matrix,
                                    .gzip = how->gzip,
                                    .band = band_of(s, how),
                                    .chunked = how->chunked};
    return sr_h5_items_create(&s->to, c->to, s->name, s->from, c->n, &form, err);
}

/* Blocks of whole chunks, so that each is compressed once. */
static int copy_values(struct copying *c, struct stream *s, struct sr_error *err) {
    const struct sr_gather_source from = {.items = s->from,
                                          .matrix = s->matrix,
                                          .stored = s->stored,
                                          .bytes = s->typed ? s->narrow.width * sr_dtype_size(s->dtype)
                                                            : sr_h5_items_bytes(s->from),
                                          .rows = c->rows};
    if (from.bytes == 0)
        return 0;
    int status = sr_gather_begin(&s->gather, &from, c->how->rows, c->n, band_of(s, c->how), err);
    if (status == 0 && s->typed && !(s->out = sr_alloc(s->gather.block_rows, sr_h5_items_bytes(s->to), err)))
        status = SR_NOMEM;
    return status == 0 ? copy_blocks(c, s, err) : status;
}

/* The features are named by their file alone, as data convert does. */
static int end_narrowing(const struct stream *s, const struct copying *c, struct sr_error *err) {
    char where[4096 + 256];
    struct sr_copied *done = c->how->done;
    const bool main = strcmp(s->name, c->how->features) == 0;
    if (done && s->narrow.underflows > 0) {
        if (done->underflows == 0) {
            snprintf(done->underflow_of, sizeof done->underflow_of, "%s", s->name);
            done->underflow_row = s->narrow.underflow_row;
        }
        done->underflows += s->narrow.underflows;
    }
    snprintf(where, sizeof where, "%s%s%s", c->from->path, main ? "" : ": /", main ? "" : s->name);
    return sr_narrow_end(&s->narrow, main, where, err);
}

static int copy_stream(struct copying *c, struct stream *s, struct sr_error *err) {
    struct sr_h5_info info;
    int status = sr_h5_info(c->from, s->name, &info, err);
    if (status == 0)
        status = sr_h5_items_open(&s->from, c->from, s->name, err);
    if (status == 0)
        status = choose_values(s, c->from, &info, err);
    if (status == 0)
        status = create(s, c, &info, err);
    if (status == 0)
        status = copy_values(c, s, err);
    return status == 0 && s->typed ? end_narrowing(s, c, err) : status;
}

static int copy_dataset(struct copying *c, const char *name, struct sr_error *err) {
    struct stream s = {.how = c->how, .name = name};
    int status = copy_stream(c, &s, err);
    sr_narrow_free(&s.narrow);
    sr_h5_matrix_close(s.matrix);
    sr_h5_items_close(s.from);
    sr_h5_items_close(s.to);
    sr_gather_end(&s.gather);
    sr_free(s.out);
    return status == 0 ? sr_h5_copy_attributes(c->to, c->from, name, NULL, err) : status;
}

/* ---- the file ---- */

static int copy_member(struct copying *c, size_t i, struct sr_error *err) {
    const struct sr_h5_member *m = &c->members.item[i], *same = &c->members.item[m->same_as];
    if (!is_wanted(c->how, m->name))
        return 0;
    if (same != m && is_wanted(c->how, same->name))
        return sr_h5_link(c->to, same->name, m->name, err);
    if (m->by_rows && c->how->done && c->how->rows && sr_members_unknown(m->name, c->how->features))
        append(c->how->done->by_length, m->name);
    if (m->by_rows)
        return copy_dataset(c, m->name, err);
    return sr_h5_copy_whole(c->to, c->from, m->name, err);
}

/* Bytes to read, for the progress. */
static int add_up(struct copying *c, struct sr_error *err) {
    int status = 0;
    for (size_t i = 0; i < c->members.n && status == 0; i++) {
        const struct sr_h5_member *m = &c->members.item[i];
        struct sr_h5_items *t;
        if (!m->by_rows || !is_wanted(c->how, m->name) || m->same_as != i)
            continue;
        status = sr_h5_items_open(&t, c->from, m->name, err);
        if (status == 0) {
            c->all += (double)c->n * (double)sr_h5_items_bytes(t);
            sr_h5_items_close(t);
        }
    }
    return status;
}

static int copy_members(struct copying *c, struct sr_error *err) {
    int status =
        sr_members_find(&c->members, c->from, c->how->features, c->rows, c->width, c->how->rows != NULL, err);
    if (status == 0)
        status = add_up(c, err);
    for (size_t i = 0; i < c->members.n && status == 0; i++)
        status = copy_member(c, i, err);
    if (status == 0 && !c->how->only)
        status = sr_h5_copy_attributes(c->to, c->from, "/", c->how->but_attributes, err);
    sr_h5_members_free(&c->members);
    return status;
}

int sr_copy_rows(const struct sr_h5 *to, const struct sr_h5 *from, const struct sr_copy *how,
                 void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    struct sr_h5_info info;
    const int status = sr_h5_info(from, how->features, &info, err);
    if (status < 0)
        return status;
    struct copying c = {.how = how,
                        .to = to,
                        .from = from,
                        .rows = info.shape[0],
                        .width = how->width      ? how->width
                                 : info.rank > 1 ? info.shape[1]
                                                 : 0,
                        .n = how->rows ? how->n : info.shape[0],
                        .progress = progress,
                        .user = user};
    return sr_h5_settle(from, copy_members(&c, err), err);
}
