/* h5_heap.c: a limit for what HDF5 makes while it reads. See h5_heap.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_heap.h"

#include <hdf5.h>
#include <stddef.h>
#include <string.h>

#include "data/h5.h"
#include "data/h5_rows.h"
#include "nn/base/sizes.h"

#define BAND ((uint64_t)16 << 20) /* bytes of rows at a time that are only looked at */

struct sr_h5_block {
    struct sr_h5_block *before; /* means something during the read alone */
    char bytes[];
};

static void *take(size_t size, void *user) {
    struct sr_h5_heap *h = user;
    if (h->why.status == 0 && size > h->left)
        sr_fail(&h->why, SR_DATA, "strings come to more than %llu bytes, far more than the file has",
                (unsigned long long)h->most);
    struct sr_h5_block *b = h->why.status < 0 ? NULL : sr_alloc(1, sr_size_sum(sizeof *b, size), &h->why);
    if (!b)
        return NULL;
    b->before = h->block;
    h->block = b;
    h->left -= size;
    return b->bytes;
}

/* During a read sr_h5_heap_end frees. */
static void give(void *memory, void *user) {
    const struct sr_h5_heap *h = user;
    if (memory && !h->reads)
        sr_free((char *)memory - offsetof(struct sr_h5_block, bytes));
}

void sr_h5_heap_open(struct sr_h5_heap *h) {
    *h = (struct sr_h5_heap){.transfer = H5Pcreate(H5P_DATASET_XFER)};
    H5Pset_vlen_mem_manager(h->transfer, take, h, give, h);
}

void sr_h5_heap_close(struct sr_h5_heap *h) {
    if (h->transfer > 0)
        H5Pclose(h->transfer);
    h->transfer = 0;
}

void sr_h5_heap_begin(struct sr_h5_heap *h, uint64_t left, uint64_t most) {
    h->left = left;
    h->most = most;
    h->block = NULL;
    h->reads = true;
    h->why = (struct sr_error){0};
}

void sr_h5_heap_end(struct sr_h5_heap *h, bool keep) {
    h->reads = false;
    while (!keep && h->block) {
        struct sr_h5_block *before = h->block->before;
        sr_free(h->block);
        h->block = before;
    }
}

/* ---- counting ---- */

/* In place of HDF5's own conversion, which goes to the heap of the file that a handle names, and takes as
 * much memory as the length of one string tells before it asks for more. A conversion has no argument of its
 * own; it runs under the lock. */
static struct {
    struct sr_h5_collections *collections;
    uint64_t bytes;
    struct sr_error why;
} counted;

static bool is_list(hid_t type) {
    return H5Tis_variable_str(type) > 0 || H5Tget_class(type) == H5T_VLEN;
}

/* Bytes of a piece of a list, or 0: its pieces are lists, whose handles lie in the heap themselves. */
static size_t unit_of(hid_t list) {
    const hid_t piece = H5Tget_super(list);
    const size_t unit = H5Tis_variable_str(list) > 0 ? 1 : sr_h5_is_variable(piece) ? 0 : H5Tget_size(piece);
    H5Tclose(piece);
    return unit;
}

static void count_handle(const unsigned char *handle, size_t unit) {
    const uint64_t pieces = sr_little_endian(handle, 4);
    counted.bytes = sr_size_sum(counted.bytes, sr_size_times(pieces, unit));
    if (counted.why.status < 0)
        return;
    if (unit == 0)
        sr_fail(&counted.why, SR_DATA, "lists of strings or of lists are not read");
    else
        sr_h5_collections_check(counted.collections, handle, unit, &counted.why);
}

static herr_t count_lists(hid_t from, hid_t to, H5T_cdata_t *how, size_t n, size_t stride, size_t skip,
                          void *items, void *background, hid_t transfer) {
    (void)skip;
    (void)background;
    (void)transfer;
    if (how->command == H5T_CONV_INIT)
        return is_list(from) && is_list(to) ? 0 : -1;
    if (how->command != H5T_CONV_CONV)
        return 0;
    const size_t unit = unit_of(from),
                 handle = stride ? stride : sr_h5_collections_handle(counted.collections),
                 made = H5Tis_variable_str(to) > 0 ? sizeof(char *) : sizeof(hvl_t);
    for (size_t i = 0; i < n; i++)
        count_handle((const unsigned char *)items + i * handle, unit);
    for (size_t i = 0; i < n; i++) /* no strings */
        memset((unsigned char *)items + i * (stride ? stride : made), 0, made);
    return 0;
}

bool sr_h5_count_begin(struct sr_h5_collections *c) {
    const hid_t any = H5Tvlen_create(H5T_NATIVE_CHAR);
    counted.collections = c;
    counted.bytes = 0;
    counted.why = (struct sr_error){0};
    const bool begun = H5Tregister(H5T_PERS_SOFT, "lengths of strings", any, any, count_lists) >= 0;
    H5Tclose(any);
    return begun;
}

uint64_t sr_h5_count_end(struct sr_error *why) {
    H5Tunregister(H5T_PERS_SOFT, "lengths of strings", -1, -1, count_lists);
    *why = counted.why;
    return counted.bytes;
}

/* ---- whole objects ---- */

struct whole {
    hid_t object, type, space;
    bool attribute;
    int rank;
    hsize_t shape[H5S_MAX_RANK];
    uint64_t row; /* bytes of one; of an attribute or where there are no axes, all */
};

static bool measure(struct whole *w) {
    w->rank = H5Sget_simple_extent_dims(w->space, w->shape, NULL);
    w->attribute = H5Iget_type(w->object) == H5I_ATTR;
    w->row = H5Tget_size(w->type);
    for (int i = w->attribute ? 0 : 1; i < w->rank; i++)
        if (!sr_size_mul(&w->row, w->row, w->shape[i]))
            return false;
    return w->rank >= 0;
}

static bool read_some(const struct whole *w, void *out, hsize_t first, hsize_t n) {
    return w->attribute ? H5Aread(w->object, w->type, out) >= 0
                        : sr_h5_read_rows(w->object, w->type, H5P_DEFAULT, out, first, n);
}

static int look_at_all(struct whole *w, struct sr_h5_collections *c, const char *where,
                       struct sr_error *err) {
    if (!measure(w))
        return sr_fail(err, SR_DATA, "%s has no shape that can be read; the file is damaged", where);
    const hsize_t rows = w->attribute || w->rank == 0 ? 1 : w->shape[0];
    if (H5Sget_simple_extent_npoints(w->space) <= 0 || H5Sget_simple_extent_type(w->space) == H5S_NULL)
        return 0;
    const hsize_t fit = w->row < BAND ? BAND / w->row : 1, band = fit < rows ? fit : rows;
    unsigned char *items = sr_alloc(band, w->row, err);
    int status = items ? 0 : SR_NOMEM;
    for (hsize_t first = 0; first < rows && status == 0; first += band) {
        struct sr_error why;
        const bool read =
            sr_h5_count_begin(c) && read_some(w, items, first, rows - first < band ? rows - first : band);
        sr_h5_count_end(&why);
        if (why.status < 0)
            status = sr_fail(err, why.status, "%s: %s", where, why.text);
        else if (!read)
            status = sr_h5_fail(err, SR_DATA, "%s cannot be read; the file may be damaged", where);
    }
    sr_free(items);
    return status;
}

int sr_h5_count_whole(int64_t object, const char *where, struct sr_error *err) {
    struct sr_h5_collections *c = NULL;
    struct whole w = {.object = object};
    const bool attribute = H5Iget_type(object) == H5I_ATTR;
    const hid_t stored = attribute ? H5Aget_type(object) : H5Dget_type(object);
    w.type = H5Tcopy(stored); /* a named type is one of its file only */
    H5Tclose(stored);
    w.space = attribute ? H5Aget_space(object) : H5Dget_space(object);
    int status = 0;
    if (sr_h5_is_variable(w.type))
        status = sr_h5_collections_open(&c, object, err);
    if (c)
        status = look_at_all(&w, c, where, err);
    sr_h5_collections_close(c);
    H5Sclose(w.space);
    H5Tclose(w.type);
    return status;
}
