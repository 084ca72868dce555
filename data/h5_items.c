/* h5_items.c: rows of a dataset of any type and rank, read and written as they are. See h5_copy.h.
 *
 * The type in memory is that of the file, so HDF5 has nothing to convert but handles of variable strings. A
 * new dataset begins with the properties of the old one (fill value, filters), less the times of change.
 *
 * SPDX-License-Identifier: MIT
 */
#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#include "data/chunk_pack.h"
#include "data/h5_copy.h"
#include "data/h5_count.h"
#include "data/h5_heap.h"
#include "data/h5_pipeline.h"
#include "data/h5_rows.h"
#include "data/h5_sound.h"
#include "data/h5_ways.h"
#include "nn/base/sizes.h"

struct sr_h5_items {
    hid_t dataset, space, type;            /* type: of memory and of the file */
    struct sr_h5_heap heap;                /* of one that is read and whose rows hold pointers */
    uint64_t most;                         /* bytes of that heap */
    struct sr_h5_collections *collections; /* likewise */
    int rank;
    hsize_t shape[H5S_MAX_RANK];
    uint64_t value, bytes; /* bytes of a value, and of a row of them */
    bool owns;
    int gzip; /* level at which chunks of `band` whole rows are packed here, or 0: HDF5 does what there is */
    size_t band;
    char *where;               /* "file.h5: /id" */
    struct sr_h5_sound *sound; /* of one that is read; NULL: nothing to look at */
};

static struct sr_h5_items *items_begin(const struct sr_h5 *f, const char *name, struct sr_error *err) {
    char where[SR_H5_WHERE];
    struct sr_h5_items *t = sr_alloc(1, sizeof *t, err);
    if (!t)
        return NULL;
    t->dataset = t->space = t->type = -1;
    t->where = sr_strdup(sr_h5_where(where, f, name), err);
    if (!t->where) {
        sr_free(t);
        return NULL;
    }
    return t;
}

void sr_h5_items_close(struct sr_h5_items *t) {
    if (!t)
        return;
    sr_h5_lock();
    sr_h5_sound_close(t->sound);
    sr_h5_heap_close(&t->heap);
    sr_h5_collections_close(t->collections);
    if (t->type >= 0)
        H5Tclose(t->type);
    if (t->space >= 0)
        H5Sclose(t->space);
    if (t->dataset >= 0)
        H5Dclose(t->dataset);
    sr_h5_unlock();
    sr_free(t->where);
    sr_free(t);
}

/* Shape and bytes of a row, once dataset, space and type are there. */
static int measure(struct sr_h5_items *t, struct sr_error *err) {
    t->rank = H5Sget_simple_extent_dims(t->space, t->shape, NULL);
    if (t->rank < 1)
        return sr_fail(err, SR_DATA, "%s has no rows", t->where);
    t->bytes = t->value = H5Tget_size(t->type);
    if (t->value == 0)
        return sr_h5_fail(err, SR_DATA, "%s cannot be read", t->where);
    for (int i = 1; i < t->rank; i++)
        if (!sr_size_mul(&t->bytes, t->bytes, t->shape[i]))
            return sr_fail(err, SR_DATA, "%s: a row is more than memory can address; is the file damaged?",
                           t->where);
    t->owns = sr_h5_is_variable(t->type);
    return 0;
}

static int open_items(struct sr_h5_items *t, const struct sr_h5 *f, const char *name, struct sr_error *err) {
    t->dataset = sr_h5_open_values(f, name, err);
    if (t->dataset >= 0)
        t->dataset = sr_h5_reopen_cached(f, name, t->dataset, 1, err); /* reads end within chunks */
    if (t->dataset < 0)
        return (int)t->dataset;
    t->space = H5Dget_space(t->dataset);
    const hid_t stored = H5Dget_type(t->dataset);
    t->type = H5Tcopy(stored); /* a named type is one of its file only */
    H5Tclose(stored);
    int status = measure(t, err);
    if (status == 0 && t->owns) {
        sr_h5_heap_open(&t->heap);
        t->most = sr_h5_texts_most(f);
        status = sr_h5_collections_open(&t->collections, t->dataset, err);
    }
    return status < 0 ? status : sr_h5_sound_open(&t->sound, t->dataset, t->where, err);
}

int sr_h5_items_open(struct sr_h5_items **out, const struct sr_h5 *f, const char *name,
                     struct sr_error *err) {
    if (sr_h5_check_here(f, err) < 0)
        return SR_USAGE;
    struct sr_h5_items *t = items_begin(f, name, err);
    if (!t)
        return SR_NOMEM;
    sr_h5_lock();
    const int status = open_items(t, f, name, err);
    sr_h5_unlock();
    if (status < 0)
        sr_h5_items_close(t);
    else
        *out = t;
    return status;
}

/* ---- a new one ---- */

/* Level of the dataset's gzip, or 0. */
static int gzip_level(hid_t create) {
    const struct sr_h5_pipeline p = sr_h5_pipeline(create);
    for (int i = 0; i < p.n; i++)
        if (p.filter[i].id == H5Z_FILTER_DEFLATE)
            return p.filter[i].values > 0 && p.filter[i].value <= 9 ? (int)p.filter[i].value : 1;
    return 0;
}

static void set_chunks(hid_t list, const struct sr_h5_items *t) {
    hsize_t chunk[H5S_MAX_RANK];
    memcpy(chunk, t->shape, sizeof chunk);
    chunk[0] = t->band;
    H5Pset_chunk(list, t->rank, chunk);
}

static void lay_out(hid_t list, struct sr_h5_items *t, const struct sr_h5_form *form) {
    const int gzip = form->gzip == SR_H5_GZIP_KEEP ? gzip_level(list) : form->gzip;
    H5Premove_filter(list, H5Z_FILTER_ALL);
    H5Pset_layout(list, H5D_CONTIGUOUS);
    if (t->bytes == 0 || (gzip == 0 && !form->chunked))
        return;
    t->band = form->band < t->shape[0] ? form->band : (size_t)t->shape[0];
    t->gzip = gzip;
    set_chunks(list, t);
    if (gzip > 0) {
        H5Pset_shuffle(list);
        H5Pset_deflate(list, (unsigned)gzip);
    }
}

/* Filters and their chunks stay; chunks are no longer than the rows are. */
static void keep_layout(hid_t list, const struct sr_h5_items *t) {
    hsize_t chunk[H5S_MAX_RANK] = {0};
    const struct sr_h5_pipeline p = sr_h5_pipeline(list);
    if (p.n > 0 && H5Pget_chunk(list, H5S_MAX_RANK, chunk) == t->rank) { /* filters may lie without chunks */
        for (int i = 0; i < t->rank; i++)
            chunk[i] = chunk[i] < t->shape[i] || t->shape[i] == 0 ? chunk[i] : t->shape[i];
        H5Pset_chunk(list, t->rank, chunk);
    } else {
        H5Premove_filter(list, H5Z_FILTER_ALL);
        H5Pset_layout(list, H5D_CONTIGUOUS);
    }
}

/* Without HDF5's times of change, so that the same rows are the same bytes whenever they are written. */
static hid_t new_list(struct sr_h5_items *t, const struct sr_h5_items *like, const struct sr_h5_form *form) {
    const hid_t old = H5Dget_create_plist(like->dataset);
    const hid_t list = H5Pcopy(old);
    H5Pclose(old);
    H5Pset_obj_track_times(list, false);
    H5Pset_alloc_time(list, H5D_ALLOC_TIME_DEFAULT);
    H5Pset_fill_time(list, H5D_FILL_TIME_IFSET);
    if (form->laid_out)
        lay_out(list, t, form);
    else
        keep_layout(list, t);
    return list;
}

static int create_items(struct sr_h5_items *t, const struct sr_h5 *to, const char *name,
                        const struct sr_h5_items *like, size_t rows, const struct sr_h5_form *form,
                        struct sr_error *err) {
    hsize_t shape[H5S_MAX_RANK];
    memcpy(shape, like->shape, sizeof shape);
    shape[0] = rows;
    t->type = form->typed ? sr_h5_feature_type(form->type) : H5Tcopy(like->type);
    t->space = H5Screate_simple(like->rank, shape, NULL);
    int status = measure(t, err);
    if (status < 0)
        return status;
    t->owns = like->owns;
    const hid_t list = new_list(t, like, form);
    t->dataset = H5Dcreate2(to->id, name, t->type, t->space, H5P_DEFAULT, list, H5P_DEFAULT);
    if (t->dataset < 0)
        status = sr_h5_fail(err, SR_IO, "%s cannot be created", t->where);
    H5Pclose(list);
    return status;
}

int sr_h5_items_create(struct sr_h5_items **out, const struct sr_h5 *to, const char *name,
                       const struct sr_h5_items *like, size_t rows, const struct sr_h5_form *form,
                       struct sr_error *err) {
    struct sr_h5_items *t = items_begin(to, name, err);
    if (!t)
        return SR_NOMEM;
    sr_h5_lock();
    const int status = create_items(t, to, name, like, rows, form, err);
    sr_h5_unlock();
    if (status < 0)
        sr_h5_items_close(t);
    else
        *out = t;
    return status;
}

/* ---- rows ---- */

size_t sr_h5_items_bytes(const struct sr_h5_items *t) {
    return t->bytes;
}

bool sr_h5_items_native(const struct sr_h5_items *t) {
    sr_h5_lock();
    const bool native = H5Tget_order(t->type) == H5Tget_order(H5T_NATIVE_FLOAT);
    sr_h5_unlock();
    return native;
}

bool sr_h5_items_alike(const struct sr_h5_items *a, const struct sr_h5_items *b) {
    sr_h5_lock();
    const bool alike = a->rank == b->rank && H5Tequal(a->type, b->type) > 0 &&
                       memcmp(&a->shape[1], &b->shape[1], (size_t)(a->rank - 1) * sizeof a->shape[1]) == 0;
    sr_h5_unlock();
    return alike;
}

bool sr_h5_items_own(const struct sr_h5_items *t) {
    return t->owns;
}

/* The space of n rows in memory; the file's selection becomes rows first .. first+n. */
static hid_t select_rows(const struct sr_h5_items *t, size_t first, size_t n) {
    hsize_t start[H5S_MAX_RANK] = {first}, count[H5S_MAX_RANK];
    memcpy(count, t->shape, sizeof count);
    count[0] = n;
    H5Sselect_hyperslab(t->space, H5S_SELECT_SET, start, NULL, count, NULL);
    return H5Screate_simple(t->rank, count, NULL);
}

/* why: status 0 where only HDF5 knows. */
static int fail_rows(const struct sr_h5_items *t, const struct sr_error *why, size_t first, size_t n,
                     struct sr_error *err) {
    return why->status < 0
               ? sr_fail(err, why->status, "%s rows %zu to %zu cannot be read: %s", t->where, first,
                         first + n - 1, why->text)
               : sr_h5_fail(err, SR_DATA, "%s rows %zu to %zu cannot be read; the file may be damaged",
                            t->where, first, first + n - 1);
}

/* Before they are made; out: pointers, which stay NULL. */
static int look_at_lists(const struct sr_h5_items *t, void *out, size_t first, size_t n,
                         struct sr_error *err) {
    struct sr_error why = {0};
    uint64_t bytes;
    const int status = sr_h5_count_rows(t->collections, t->dataset, t->type, out, first, n, &bytes, &why);
    return status < 0 ? fail_rows(t, &why, first, n, err) : 0;
}

static int read_rows(struct sr_h5_items *t, void *out, size_t first, size_t n, struct sr_error *err) {
    const hid_t transfer = t->owns ? t->heap.transfer : H5P_DEFAULT;
    int status = t->owns ? look_at_lists(t, out, first, n, err) : 0;
    sr_h5_heap_begin(&t->heap, t->most, t->most);
    if (status == 0 && !sr_h5_read_rows(t->dataset, t->type, transfer, out, first, n))
        status = fail_rows(t, &t->heap.why, first, n, err);
    sr_h5_heap_end(&t->heap, status == 0);
    if (status < 0 && t->owns)
        memset(out, 0, n * t->bytes); /* pointers to nothing */
    return status;
}

int sr_h5_items_read(struct sr_h5_items *t, void *out, size_t first, size_t n, struct sr_error *err) {
    int status = 0;
    if (t->bytes == 0 || n == 0)
        return 0;
    sr_h5_lock();
    status = sr_h5_sound_check(t->sound, first, n, err);
    if (status == 0)
        status = read_rows(t, out, first, n, err);
    sr_h5_unlock();
    return status;
}

static int fail_write(const struct sr_h5_items *t, size_t first, size_t n, struct sr_error *err) {
    return sr_h5_fail(err, SR_IO, "%s rows %zu to %zu cannot be written; is the disk full?", t->where, first,
                      first + n - 1);
}

static int write_plain(struct sr_h5_items *t, const void *rows, size_t first, size_t n,
                       struct sr_error *err) {
    int status = 0;
    const hid_t memory = select_rows(t, first, n);
    if (H5Dwrite(t->dataset, t->type, memory, t->space, H5P_DEFAULT, rows) < 0)
        status = fail_write(t, first, n, err);
    H5Sclose(memory);
    return status;
}

/* Chunks in the form they have in the file. */
struct packed {
    size_t chunks, room;   /* bytes for each */
    unsigned char *stored; /* [chunks, room] */
    size_t *bytes;         /* [chunks] */
};

/* By all threads; which one packs a chunk does not change its bytes. */
static int pack_chunks(const struct sr_h5_items *t, struct packed *p, const unsigned char *rows, size_t n,
                       struct sr_error *err) {
    const size_t values = t->bytes / t->value;
    int status = 0;
#pragma omp parallel
    {
        struct sr_chunk_packer *packer = NULL;
        struct sr_error why = {0};
        const int made = sr_chunk_packer_create(&packer, t->gzip, t->band * values, t->value, &why);
#pragma omp for schedule(dynamic)
        for (size_t k = 0; k < p->chunks; k++) {
            const size_t here = n - k * t->band < t->band ? n - k * t->band : t->band;
            if (made == 0)
                p->bytes[k] = sr_chunk_pack(packer, p->stored + k * p->room, rows + k * t->band * t->bytes,
                                            here * values);
        }
        if (made < 0) {
#pragma omp critical(sr_h5_items_pack)
            status = sr_fail(err, made, "%s", why.text);
        }
        sr_chunk_packer_free(packer);
    }
    return status;
}

static int write_chunks(struct sr_h5_items *t, const struct packed *p, size_t first, size_t n,
                        struct sr_error *err) {
    for (size_t k = 0; k < p->chunks; k++) {
        hsize_t offset[H5S_MAX_RANK] = {first + k * t->band};
        if (H5Dwrite_chunk(t->dataset, H5P_DEFAULT, 0, offset, p->bytes[k], p->stored + k * p->room) < 0)
            return fail_write(t, first, n, err);
    }
    return 0;
}

static int write_packed(struct sr_h5_items *t, const void *rows, size_t first, size_t n,
                        struct sr_error *err) {
    struct packed p = {.chunks = (n + t->band - 1) / t->band,
                       .room = sr_chunk_pack_bound(t->band * t->bytes)};
    p.stored = sr_alloc(p.chunks, p.room, err);
    p.bytes = sr_alloc(p.chunks, sizeof *p.bytes, err);
    int status = p.stored && p.bytes ? pack_chunks(t, &p, rows, n, err) : SR_NOMEM;
    if (status == 0)
        status = write_chunks(t, &p, first, n, err);
    sr_free(p.stored);
    sr_free(p.bytes);
    return status;
}

int sr_h5_items_write(struct sr_h5_items *t, const void *rows, size_t first, size_t n, struct sr_error *err) {
    if (t->bytes == 0 || n == 0)
        return 0;
    sr_h5_lock();
    const bool whole = t->gzip > 0 && first % t->band == 0 && (n % t->band == 0 || first + n == t->shape[0]);
    const int status = whole ? write_packed(t, rows, first, n, err) : write_plain(t, rows, first, n, err);
    sr_h5_unlock();
    return status;
}

void sr_h5_items_release(const struct sr_h5_items *t, void *rows, size_t n) {
    if (!t->owns)
        return;
    sr_h5_lock();
    hsize_t count[H5S_MAX_RANK];
    memcpy(count, t->shape, sizeof count);
    count[0] = n;
    const hid_t memory = H5Screate_simple(t->rank, count, NULL);
    H5Dvlen_reclaim(t->type, memory, t->heap.transfer, rows);
    H5Sclose(memory);
    sr_h5_unlock();
    memset(rows, 0, n * t->bytes); /* a read that fails may leave them as they are */
}
