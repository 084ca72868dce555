/* h5_open.c: objects of a file by name, and what is refused before a value is read. See h5.h.
 *
 * Nothing is followed: each step of a path is asked what kind of link it is before HDF5 may take it, and
 * external links are taken from HDF5 altogether. A dataset whose values lie elsewhere is refused as soon as
 * it is open, before HDF5 looks for those files. Then what the header claims is held against what is stored:
 * a file of a few bytes may say that it has 2^60 rows or chunks of 4 GB, which HDF5 would set out to read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/h5.h"
#include "data/h5_count.h"
#include "data/h5_disk.h"
#include "data/h5_header.h"
#include "data/h5_pipeline.h"
#include "data/h5_rows.h"
#include "data/h5_superblock.h"
#include "data/h5_walk.h"
#include "data/h5_ways.h"
#include "nn/base/sizes.h"

#define DEPTH_MAX 64   /* steps of a path */
#define PATH_MOST 1024 /* bytes of a path */
#define FREE_BYTES                                                                                           \
    ((uint64_t)4 << 20)                 /* a dataset may claim so many without having them: the fill value;  \
                                           in memory a byte of a column becomes 8, of an id 37 */
#define FREE_CHUNK ((uint64_t)64 << 20) /* bytes that a chunk may always have */
#define RATIO      2048                 /* beyond that, bytes for each stored one; gzip makes at most 1032 */
#define FREE_GRID  ((uint64_t)4096)     /* chunks that nobody wrote, likewise */

/* ---- paths ---- */

enum step { STEP_NONE, STEP_HARD, STEP_SOFT, STEP_EXTERNAL, STEP_OTHER };

static const char *const step_names[] = {"", "", "a soft link", "an external link", "a link of another kind"};

/* Not known to be anything else. */
static bool may_be_group(hid_t file, const char *path) {
    H5O_info_t info;
    return H5Oget_info_by_name2(file, path, &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0 ||
           info.type == H5O_TYPE_GROUP;
}

/* What the last step of a path is, whose other steps are hard links. place: where it leads, if it is one.
 * That the root finds its links is known from opening the file. */
static enum step look_at_step(hid_t file, const char *path, haddr_t *place) {
    char before[PATH_MOST];
    H5L_info_t link;
    const htri_t exists = H5Lexists(file, path, H5P_DEFAULT);
    if (exists <= 0 || H5Lget_info(file, path, &link, H5P_DEFAULT) < 0) {
        const bool in_root = !strchr(path + 1, '/');
        sr_path_folder(before, sizeof before, path);
        if (exists == 0 ? !in_root && !sr_h5_finds_links(file, before) : may_be_group(file, before))
            sr_h5_disk_doubt(file);
        return STEP_NONE;
    }
    *place = link.type == H5L_TYPE_HARD ? link.u.address : HADDR_UNDEF;
    return link.type == H5L_TYPE_HARD       ? STEP_HARD
           : link.type == H5L_TYPE_SOFT     ? STEP_SOFT
           : link.type == H5L_TYPE_EXTERNAL ? STEP_EXTERNAL
                                            : STEP_OTHER;
}

/* The first step that is no hard link, cut off into path [PATH_MOST], or STEP_HARD. */
static enum step walk(hid_t file, char *path, const char *name, haddr_t *place) {
    const size_t n = strlen(name);
    enum step step = STEP_HARD;
    int depth = 0;
    if (n >= PATH_MOST)
        return STEP_NONE;
    for (size_t i = 1; i <= n && step == STEP_HARD; i++) {
        if ((name[i] != '/' && name[i] != '\0') || name[i - 1] == '/')
            continue;
        memcpy(path, name, i);
        path[i] = '\0';
        step = ++depth > DEPTH_MAX ? STEP_NONE : look_at_step(file, path, place);
    }
    return depth > 0 ? step : STEP_NONE;
}

const char *sr_h5_clean(char to[SR_H5_CLEAN], const char *name) {
    return sr_utf8_clean(to, SR_H5_CLEAN, name);
}

static int fail_step(const struct sr_h5 *f, enum step step, const char *path, struct sr_error *err) {
    char clean[SR_H5_CLEAN];
    sr_h5_clean(clean, path);
    if (step == STEP_NONE)
        return sr_fail(err, SR_DATA, "%s: there is no /%s", f->path, clean);
    return sr_fail(
        err, SR_DATA,
        "%s: /%s is %s, and links are not followed: what is at their end may be in another file, or "
        "be exchanged unseen; put the values themselves there (h5py: v = f[\"%s\"][...]; "
        "del f[\"%s\"]; f[\"%s\"] = v)",
        f->path, clean, step_names[step], clean, clean, clean);
}

static int fail_place(const char *where, const char *kind, struct sr_error *err) {
    return sr_fail(
        err, SR_DATA,
        "%s is %s dataset: its values lie in other files, which are not read, since they may be any "
        "file of this machine or not be there; write the values into one file, where all of them are "
        "(h5py: v = f[name][...]; del f[name]; f[name] = v)",
        where, kind);
}

int sr_h5_check_link(const struct sr_h5 *f, const char *name, uint64_t place, struct sr_error *err) {
    char where[SR_H5_WHERE];
    sr_h5_where(where, f, name);
    switch (sr_h5_header(f->id, place)) {
    case SR_H5_HEADER_VIRTUAL:
        return fail_place(where, "a virtual", err);
    case SR_H5_HEADER_DAMAGED:
        return sr_h5_settle(
            f, sr_fail(err, SR_DATA, "%s has a header that is damaged, and is not read", where), err);
    case SR_H5_HEADER_FINE:
        break;
    }
    return 0;
}

static int check_path(const struct sr_h5 *f, const char *name, struct sr_error *err) {
    char path[PATH_MOST];
    snprintf(path, sizeof path, "%s", name);
    haddr_t place = HADDR_UNDEF;
    const enum step step = walk(f->id, path, name, &place);
    return step == STEP_HARD ? sr_h5_check_link(f, name, place, err) : fail_step(f, step, path, err);
}

bool sr_h5_here_has(const struct sr_h5 *f, const char *name) {
    char path[PATH_MOST];
    haddr_t place;
    sr_h5_lock();
    const bool has = walk(f->id, path, name, &place) != STEP_NONE;
    sr_h5_unlock();
    return has;
}

/* ---- values that lie elsewhere ---- */

int sr_h5_check_place(int64_t dataset, const char *where, struct sr_error *err) {
    struct sr_error why = {0};
    if (sr_h5_count_fill(dataset, &why) < 0)
        return sr_fail(err, why.status, "%s cannot be read: %s", where, why.text);
    const hid_t create = H5Dget_create_plist(dataset);
    const bool is_virtual = H5Pget_layout(create) == H5D_VIRTUAL,
               is_external = H5Pget_external_count(create) != 0;
    H5Pclose(create);
    if (!is_virtual && !is_external)
        return 0;
    return fail_place(where, is_virtual ? "a virtual" : "an external", err);
}

/* ---- claims ---- */

struct claim {
    const char *where;
    int rank;
    uint64_t shape[H5S_MAX_RANK], chunk[H5S_MAX_RANK];
    bool chunked;
    uint64_t size, bytes, stored; /* of a value; of all values; in the file */
};

/* Those that there are and that the file says it uses: behind either HDF5 reads what its memory held before.
 */
static uint64_t file_bytes(hid_t dataset) {
    const hid_t file = H5Iget_file_id(dataset);
    const uint64_t bytes = sr_h5_disk_bytes(file);
    H5Fclose(file);
    return bytes;
}

bool sr_h5_is_bomb(uint64_t bytes, uint64_t stored) {
    return bytes > FREE_BYTES && bytes / RATIO > stored;
}

static int check_bytes(struct claim *c, struct sr_error *err) {
    if (!sr_size_product(&c->bytes, c->size, c->shape, (size_t)c->rank))
        return sr_fail(err, SR_DATA, "%s claims a shape of more than 2^64 bytes; the file is damaged",
                       c->where);
    if (sr_h5_is_bomb(c->bytes, c->stored))
        return sr_fail(
            err, SR_DATA,
            "%s claims %llu bytes, of which the file stores %llu: most were never written, or the file "
            "is damaged; write it with the shape that it has",
            c->where, (unsigned long long)c->bytes, (unsigned long long)c->stored);
    return 0;
}

/* Bytes of items of one size that lie in so many rows, columns and so on; 2^64 - 1: more than there are. */
static uint64_t bytes_of(uint64_t item, const uint64_t *extent, int rank) {
    for (int i = 0; i < rank; i++)
        item = sr_size_times(item, extent[i]);
    return item;
}

static int check_chunk(const struct claim *c, struct sr_error *err) {
    const uint64_t bytes = bytes_of(c->size, c->chunk, c->rank);
    if (bytes <= FREE_CHUNK || (bytes / 2 <= c->bytes && !sr_h5_is_bomb(bytes, c->stored)))
        return 0;
    return sr_fail(
        err, SR_DATA,
        "%s has chunks of %llu bytes for %llu bytes of values, of which the file stores %llu; lay it out "
        "anew with chunks that its rows fill (h5py: chunks=True)",
        c->where, (unsigned long long)bytes, (unsigned long long)c->bytes, (unsigned long long)c->stored);
}

/* HDF5 looks for each chunk that there could be, and reads a row of chunks as one (h5_rows.h). */
static int check_grid(const struct claim *c, hid_t dataset, struct sr_error *err) {
    uint64_t strip = 1, grid = 1;
    hsize_t written = 0;
    for (int i = c->rank; i-- > 0;) {
        strip = grid; /* without rows, which come last */
        grid = sr_size_times(grid, sr_size_pieces(c->shape[i], c->chunk[i]));
    }
    if (strip > SR_H5_STRIP_CHUNKS)
        return sr_fail(err, SR_DATA,
                       "%s has %llu chunks side by side; lay it out anew with chunks of whole rows (h5py: "
                       "chunks=True)",
                       c->where, (unsigned long long)strip);
    if (grid <= FREE_GRID)
        return 0;
    const hid_t space = H5Dget_space(dataset);
    H5Dget_num_chunks(dataset, space, &written); /* 0 where that is not known */
    H5Sclose(space);
    if (grid - FREE_GRID <= written)
        return 0;
    return sr_fail(
        err, SR_DATA,
        "%s claims %llu chunks, of which %llu are in the file; the file is damaged, or most rows were "
        "never written",
        c->where, (unsigned long long)grid, (unsigned long long)written);
}

/* Handles of strings and lists of variable length are of another size in memory than in the file: a length,
 * and a place in a heap. */
uint64_t sr_h5_item_bytes(int64_t dataset) {
    struct sr_h5_superblock superblock;
    const int status = sr_h5_superblock(&superblock, dataset, NULL);
    const hid_t type = H5Dget_type(dataset);
    uint64_t size = H5Tget_size(type);
    if (status == 0 && (H5Tis_variable_str(type) > 0 || H5Tget_class(type) == H5T_VLEN))
        size = 4 + superblock.place_bytes + 4;
    else if (sr_h5_is_variable(type))
        size = 0;
    H5Tclose(type);
    return size;
}

/* NOLINTNEXTLINE(misc-no-recursion): HDF5 has built the type, at every level */
bool sr_h5_is_variable(int64_t type) {
    const H5T_class_t class = H5Tget_class(type);
    bool found = class == H5T_VLEN || H5Tis_variable_str(type) > 0;
    if (class == H5T_ARRAY) {
        const hid_t item = H5Tget_super(type);
        found = sr_h5_is_variable(item);
        H5Tclose(item);
    }
    for (int i = 0, n = class == H5T_COMPOUND ? H5Tget_nmembers(type) : 0; i < n && !found; i++) {
        const hid_t member = H5Tget_member_type(type, (unsigned)i);
        found = sr_h5_is_variable(member);
        H5Tclose(member);
    }
    return found;
}

static int look_at_claim(struct claim *c, hid_t dataset, struct sr_error *err) {
    hsize_t shape[H5S_MAX_RANK] = {0}, chunk[H5S_MAX_RANK] = {0};
    const hid_t space = H5Dget_space(dataset), type = H5Dget_type(dataset),
                create = H5Dget_create_plist(dataset);
    c->rank = H5Sget_simple_extent_dims(space, shape, NULL);
    c->size = H5Tget_size(type); /* in memory */
    c->chunked = H5Pget_layout(create) == H5D_CHUNKED;
    bool whole = c->rank >= 0 && c->size > 0 &&
                 (!c->chunked || (c->rank > 0 && H5Pget_chunk(create, H5S_MAX_RANK, chunk) == c->rank));
    for (int i = 0; whole && i < c->rank; i++) {
        c->shape[i] = shape[i];
        c->chunk[i] = chunk[i];
        whole = !c->chunked || chunk[i] > 0;
    }
    H5Pclose(create);
    H5Tclose(type);
    H5Sclose(space);
    c->stored = H5Dget_storage_size(dataset);
    return whole ? 0
                 : sr_fail(err, SR_DATA,
                           "%s has no shape that can be read, or values of 0 bytes; the file is damaged",
                           c->where);
}

static int check_claim(hid_t dataset, const char *where, struct sr_error *err) {
    struct claim c = {.where = where};
    const uint64_t file = file_bytes(dataset);
    int status = look_at_claim(&c, dataset, err);
    if (file > 0 && c.stored > file) /* an index may tell any size */
        c.stored = file;
    if (status == 0)
        status = check_bytes(&c, err);
    if (status == 0 && c.chunked)
        status = check_chunk(&c, err);
    if (status == 0 && c.chunked)
        status = check_grid(&c, dataset, err);
    return status;
}

/* ---- filters ---- */

static int check_filter(const struct sr_h5_filter *f, const char *where, struct sr_error *err) {
    const H5Z_filter_t filter = f->id;
    char clean[SR_H5_CLEAN];
    if (filter == H5Z_FILTER_SZIP || filter == H5Z_FILTER_NBIT || filter == H5Z_FILTER_SCALEOFFSET)
        return sr_fail(
            err, SR_DATA,
            "%s is packed with %s, and what HDF5 unpacks that with trusts the file; write it with gzip or "
            "without compression",
            where,
            filter == H5Z_FILTER_SZIP   ? "szip"
            : filter == H5Z_FILTER_NBIT ? "nbit"
                                        : "scaleoffset");
    if (H5Zfilter_avail(filter) <= 0)
        return sr_fail(
            err, SR_DATA,
            "%s is compressed with %s (HDF5 filter %d), which is not installed; write it with gzip or "
            "without compression",
            where, *f->name ? sr_h5_clean(clean, f->name) : "an unnamed filter", filter);
    return 0;
}

/* A filter twice unpacks a thousand times a thousand bytes of one, and what is shuffled behind gzip cannot be
 * looked at before HDF5 unpacks it. */
static int check_order(const struct sr_h5_filter *f, const struct sr_h5_filter *before, const char *where,
                       struct sr_error *err) {
    if (f->id == before->id)
        return sr_fail(err, SR_DATA, "%s goes through the HDF5 filter %d twice; write it with gzip once",
                       where, f->id);
    if (before->id == H5Z_FILTER_DEFLATE && f->id == H5Z_FILTER_SHUFFLE)
        return sr_fail(err, SR_DATA,
                       "%s is shuffled after it was compressed, which is not read; write it with h5py's "
                       "compression=\"gzip\", shuffle=True",
                       where);
    return 0;
}

static int check_filters(const struct sr_h5_pipeline *p, const char *where, struct sr_error *err) {
    if (p->said > SR_H5_FILTERS)
        return sr_fail(err, SR_DATA, "%s goes through %d filters; more than %d are not read", where, p->said,
                       SR_H5_FILTERS);
    if (p->edges)
        return sr_fail(err, SR_DATA,
                       "%s leaves filters out for chunks at its edges (H5Pset_chunk_opts), which is not "
                       "read; write it without that option",
                       where);
    int status = 0;
    for (int i = 0; i < p->n && status == 0; i++) {
        status = check_filter(&p->filter[i], where, err);
        for (int k = 0; k < i && status == 0; k++)
            status = check_order(&p->filter[i], &p->filter[k], where, err);
    }
    return status;
}

/* ---- where chunks are ---- */

struct extent {
    uint64_t at, bytes, row; /* row: its first */
};

static int by_place(const void *a, const void *b) {
    const uint64_t x = ((const struct extent *)a)->at, y = ((const struct extent *)b)->at;
    return (x > y) - (x < y);
}

/* Asked of HDF5 one by one. */
static int gather_extents(struct extent *extent, hsize_t n, hid_t dataset, const char *where,
                          struct sr_error *err) {
    const hid_t space = H5Dget_space(dataset);
    int status = 0;
    for (hsize_t i = 0; i < n && status == 0; i++) {
        hsize_t offset[H5S_MAX_RANK] = {0}, bytes = 0;
        haddr_t at = HADDR_UNDEF;
        unsigned mask;
        if (H5Dget_chunk_info(dataset, space, i, offset, &mask, &at, &bytes) < 0)
            status =
                sr_h5_fail(err, SR_DATA, "%s: its chunks cannot be found; the file may be damaged", where);
        extent[i] = (struct extent){at, bytes, offset[0]};
    }
    H5Sclose(space);
    return status;
}

/* What is wrong with one, behind the one before it in the file, or NULL. exact: bytes each has to take, 0
 * where filters change that. */
static const char *check_extent(const struct extent *e, const struct extent *before, uint64_t exact,
                                uint64_t file) {
    if (exact && e->bytes != exact)
        return "a chunk has another size than its rows";
    if (!sr_size_within(e->at, e->bytes, file))
        return "a chunk lies behind its end";
    return before && e->at - before->at < before->bytes ? "two chunks lie at one place" : NULL;
}

static int check_extents(const struct extent *extent, hsize_t n, uint64_t exact, uint64_t file,
                         const struct claim *c, struct sr_error *err) {
    for (hsize_t i = 0; i < n; i++) {
        const uint64_t left = c->shape[0] - extent[i].row, rows = left < c->chunk[0] ? left : c->chunk[0];
        const char *wrong = check_extent(&extent[i], i > 0 ? &extent[i - 1] : NULL, exact, file);
        if (wrong)
            return sr_fail(err, SR_DATA, "%s rows %llu to %llu cannot be read; the file may be damaged (%s)",
                           c->where, (unsigned long long)extent[i].row,
                           (unsigned long long)(extent[i].row + rows - 1), wrong);
    }
    return 0;
}

/* What is wrong is said here where chunks are few; nothing depends on it, since what HDF5 unpacks is looked
 * at (h5_sound.h), and of what is not packed it never uses the size that the index tells (h5_cache.c). */
static int check_index(hid_t dataset, const struct sr_h5_pipeline *p, const struct claim *c,
                       struct sr_error *err) {
    hsize_t n = 0;
    const uint64_t exact = p->said == 0 ? bytes_of(sr_h5_item_bytes(dataset), c->chunk, c->rank) : 0;
    const hid_t space = H5Dget_space(dataset);
    const bool known = p->chunked && H5Dget_num_chunks(dataset, space, &n) >= 0;
    H5Sclose(space);
    if (!known || n == 0 || n > SR_H5_INDEX_MAX)
        return 0;
    struct extent *extent = sr_alloc(n, sizeof *extent, err);
    int status = extent ? gather_extents(extent, n, dataset, c->where, err) : SR_NOMEM;
    if (status == 0) {
        qsort(extent, n, sizeof *extent, by_place);
        status = check_extents(extent, n, exact, file_bytes(dataset), c, err);
    }
    sr_free(extent);
    return status;
}

/* HDF5 reads what lies behind the end of the file as zeros, and of a piece that is too short what comes next.
 * So it does in memory where the piece is in the header. */
static int check_piece(hid_t dataset, const struct claim *c, struct sr_error *err) {
    const hid_t create = H5Dget_create_plist(dataset);
    const H5D_layout_t layout = H5Pget_layout(create);
    const haddr_t at = H5Dget_offset(dataset);
    const bool in_header = layout == H5D_COMPACT,
               in_one = in_header || (layout == H5D_CONTIGUOUS && at != HADDR_UNDEF);
    const uint64_t item = sr_h5_item_bytes(dataset), file = file_bytes(dataset);
    H5Pclose(create);
    if (!in_one)
        return 0;
    if (item > 0 && bytes_of(item, c->shape, c->rank) != c->stored)
        return sr_fail(err, SR_DATA, "%s has another size in the file than its rows; the file is damaged",
                       c->where);
    if (!in_header && !sr_size_within(at, c->stored, file))
        return sr_fail(err, SR_DATA,
                       "%s has rows behind the end of the file, which has or uses %llu bytes; it is damaged "
                       "or cut short",
                       c->where, (unsigned long long)file);
    return 0;
}

/* What of a dataset whose claim is checked must be so before a value is read. */
static int check_stored(hid_t dataset, const char *where, struct sr_error *err) {
    struct claim c = {.where = where};
    const hid_t create = H5Dget_create_plist(dataset);
    const struct sr_h5_pipeline p = sr_h5_pipeline(create);
    H5Pclose(create);
    int status = check_filters(&p, where, err);
    if (status == 0)
        status = look_at_claim(&c, dataset, err);
    if (status == 0)
        status = check_piece(dataset, &c, err);
    return status < 0 ? status : check_index(dataset, &p, &c, err);
}

int sr_h5_check_values(int64_t dataset, const char *where, struct sr_error *err) {
    int status = sr_h5_check_place(dataset, where, err);
    if (status == 0)
        status = check_claim(dataset, where, err);
    return status < 0 ? status : check_stored(dataset, where, err);
}

/* ---- opening ---- */

/* A group or a committed type is no dataset; a damaged object is none either. */
static int open_checked(hid_t *out, const struct sr_h5 *f, const char *name, hid_t access_list,
                        struct sr_error *err) {
    char where[SR_H5_WHERE];
    H5O_info_t info;
    int status = check_path(f, name, err);
    if (status < 0)
        return status;
    sr_h5_where(where, f, name);
    if (H5Oget_info_by_name(f->id, name, &info, H5P_DEFAULT) < 0)
        return sr_h5_fail(err, SR_DATA, "%s is not a readable dataset", where);
    if (info.type != H5O_TYPE_DATASET)
        return sr_fail(err, SR_DATA, "%s is not a readable dataset but a %s", where,
                       info.type == H5O_TYPE_GROUP            ? "group"
                       : info.type == H5O_TYPE_NAMED_DATATYPE ? "data type"
                                                              : "thing of another kind");
    const hid_t dataset = H5Dopen2(f->id, name, access_list);
    if (dataset < 0)
        return sr_h5_fail(err, SR_DATA, "%s is not a readable dataset", where);
    status = sr_h5_check_place(dataset, where, err);
    if (status == 0)
        status = check_claim(dataset, where, err);
    if (status < 0)
        H5Dclose(dataset);
    else
        *out = dataset;
    return status;
}

const char *sr_h5_where(char to[SR_H5_WHERE], const struct sr_h5 *f, const char *name) {
    char clean[SR_H5_CLEAN];
    snprintf(to, SR_H5_WHERE, "%s: /%s", f->path, sr_h5_clean(clean, name));
    return to;
}

int64_t sr_h5_open_dataset(const struct sr_h5 *f, const char *name, int64_t access_list,
                           struct sr_error *err) {
    hid_t dataset = -1;
    const int status = open_checked(&dataset, f, name, access_list, err);
    return status < 0 ? status : dataset;
}

int64_t sr_h5_open_values(const struct sr_h5 *f, const char *name, struct sr_error *err) {
    char where[SR_H5_WHERE];
    hid_t dataset = -1;
    int status = open_checked(&dataset, f, name, H5P_DEFAULT, err);
    if (status < 0)
        return status;
    status = check_stored(dataset, sr_h5_where(where, f, name), err);
    if (status < 0)
        H5Dclose(dataset);
    return status < 0 ? status : dataset;
}

int64_t sr_h5_open_object(const struct sr_h5 *f, const char *name, struct sr_error *err) {
    const int status = strcmp(name, "/") == 0 ? 0 : check_path(f, name, err);
    if (status < 0)
        return status;
    const hid_t object = H5Oopen(f->id, name, H5P_DEFAULT);
    if (object >= 0)
        return object;
    sr_h5_disk_doubt(f->id);
    return sr_h5_fail(err, SR_DATA, "%s: %s cannot be opened", f->path, name);
}
