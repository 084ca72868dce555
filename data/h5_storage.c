/* h5_storage.c: how a dataset lies in its file: chunks, filters, bytes. See h5.h.
 *
 * Only what the file's header and its index of chunks say is looked at; no chunk is read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#include "data/h5.h"
#include "data/h5_pipeline.h"
#include "data/h5_ways.h"
#include "nn/base/sizes.h"

/* "gzip 4". */
static void filter_text(char *text, size_t size, const struct sr_h5_filter *f) {
    if (f->id == H5Z_FILTER_DEFLATE)
        snprintf(text, size, "gzip %u", f->value);
    else if (f->id == H5Z_FILTER_SHUFFLE || f->id == H5Z_FILTER_FLETCHER32)
        snprintf(text, size, "%s", f->id == H5Z_FILTER_SHUFFLE ? "shuffle" : "fletcher32");
    else
        snprintf(text, size, "%s (HDF5 filter %d)", *f->name ? f->name : "unnamed", f->id);
}

static void look_at_filters(struct sr_h5_storage *s, struct sr_h5_pipeline p) {
    size_t used = 0;
    s->filtered = p.n > 0;
    s->packed = p.bit[SR_CHUNK_GZIP] || p.foreign;
    for (int i = 0; i < p.n; i++) {
        char text[80];
        filter_text(text, sizeof text, &p.filter[i]);
        if (used + strlen(text) + sizeof ", , ..." > sizeof s->filters) {
            snprintf(s->filters + used, sizeof s->filters - used, "%s...", used ? ", " : "");
            return;
        }
        used += (size_t)snprintf(s->filters + used, sizeof s->filters - used, "%s%s", used ? ", " : "", text);
    }
}

/* Pieces of it: chunks, or the shape as a whole. */
static void look_at_layout(struct sr_h5_storage *s, hid_t dataset, hid_t create) {
    hsize_t piece[H5S_MAX_RANK] = {0};
    const hid_t space = H5Dget_space(dataset);
    const int rank = H5Sget_simple_extent_dims(space, piece, NULL);
    H5Sclose(space);
    s->kind = H5Pget_layout(create) == H5D_CHUNKED ? SR_H5_CHUNKS : SR_H5_ONE_PIECE;
    if (s->kind == SR_H5_CHUNKS)
        H5Pget_chunk(create, H5S_MAX_RANK, piece);
    for (int i = 0; i < SR_H5_RANK; i++)
        s->chunk[i] = i < rank ? piece[i] : 1;
}

/* ---- what is not there ---- */

/* Of all dimensions, more than s has. */
static void count_chunks(struct sr_h5_storage *s, hid_t dataset, hid_t create) {
    hsize_t written = 0, shape[H5S_MAX_RANK], chunk[H5S_MAX_RANK];
    const hid_t space = H5Dget_space(dataset);
    const int rank = H5Sget_simple_extent_dims(space, shape, NULL);
    const bool known =
        H5Pget_chunk(create, H5S_MAX_RANK, chunk) == rank && H5Dget_num_chunks(dataset, space, &written) >= 0;
    H5Sclose(space);
    if (!known)
        return;
    s->pieces = 1;
    for (int i = 0; i < rank; i++)
        s->pieces = sr_size_times(s->pieces, sr_size_pieces(shape[i], chunk[i]));
    s->unwritten = written < s->pieces ? s->pieces - written : 0;
}

static void look_for_holes(struct sr_h5_storage *s, hid_t dataset, hid_t create) {
    if (s->kind == SR_H5_CHUNKS) {
        count_chunks(s, dataset, create);
    } else {
        s->pieces = 1;
        s->unwritten = s->bytes == 0;
    }
}

int sr_h5_here_storage(const struct sr_h5 *f, const char *name, struct sr_h5_storage *s,
                       struct sr_error *err) {
    int status = 0;
    *s = (struct sr_h5_storage){0};
    sr_h5_lock();
    const hid_t dataset = sr_h5_open_dataset(f, name, H5P_DEFAULT, err);
    if (dataset < 0) {
        status = (int)dataset;
    } else {
        const hid_t create = H5Dget_create_plist(dataset);
        look_at_layout(s, dataset, create);
        look_at_filters(s, sr_h5_pipeline(create));
        s->bytes = H5Dget_storage_size(dataset);
        look_for_holes(s, dataset, create);
        H5Pclose(create);
        H5Dclose(dataset);
    }
    sr_h5_unlock();
    return status;
}
