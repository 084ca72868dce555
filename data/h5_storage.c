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
        char text[80] = "";
        if (i < SR_H5_FILTERS)
            filter_text(text, sizeof text, &p.filter[i]);
        if (i == SR_H5_FILTERS || used + strlen(text) + sizeof ", , ..." > sizeof s->filters) {
            snprintf(s->filters + used, sizeof s->filters - used, "%s...", used ? ", " : "");
            return;
        }
        used += (size_t)snprintf(s->filters + used, sizeof s->filters - used, "%s%s", used ? ", " : "", text);
    }
}

static void look_at_layout(struct sr_h5_storage *s, hid_t create) {
    hsize_t chunk[H5S_MAX_RANK];
    const H5D_layout_t layout = H5Pget_layout(create);
    const int rank = layout == H5D_CHUNKED ? H5Pget_chunk(create, H5S_MAX_RANK, chunk) : 0;
    s->kind = layout == H5D_CHUNKED ? SR_H5_CHUNKS : SR_H5_ONE_PIECE;
    for (int i = 0; i < rank && i < SR_H5_RANK; i++)
        s->chunk[i] = chunk[i];
}

/* ---- what is not there ---- */

static void count_chunks(struct sr_h5_storage *s, hid_t dataset, const struct sr_h5_info *info) {
    hsize_t written = 0;
    hid_t space = H5Dget_space(dataset);
    const bool known = H5Dget_num_chunks(dataset, space, &written) >= 0;
    H5Sclose(space);
    uint64_t pieces = 1;
    for (int i = 0; known && i < info->rank && i < SR_H5_RANK; i++)
        if (!sr_size_mul(&pieces, pieces, sr_size_pieces(info->shape[i], s->chunk[i])))
            return;
    s->pieces = known ? pieces : 0;
    s->unwritten = written < s->pieces ? s->pieces - written : 0;
}

static void look_for_holes(struct sr_h5_storage *s, hid_t dataset, const struct sr_h5_info *info) {
    if (s->kind == SR_H5_CHUNKS) {
        count_chunks(s, dataset, info);
    } else {
        s->pieces = 1;
        s->unwritten = s->bytes == 0;
    }
}

int sr_h5_here_storage(const struct sr_h5 *f, const char *name, struct sr_h5_storage *s,
                       struct sr_error *err) {
    struct sr_h5_info info;
    *s = (struct sr_h5_storage){0};
    int status = sr_h5_info(f, name, &info, err);
    if (status < 0)
        return status;
    memcpy(s->chunk, info.shape, sizeof s->chunk);
    sr_h5_lock();
    const hid_t dataset = sr_h5_open_dataset(f, name, H5P_DEFAULT, err);
    const hid_t create = dataset < 0 ? -1 : H5Dget_create_plist(dataset);
    if (dataset < 0) {
        status = (int)dataset;
    } else {
        look_at_layout(s, create);
        look_at_filters(s, sr_h5_pipeline(create));
        s->bytes = H5Dget_storage_size(dataset);
        look_for_holes(s, dataset, &info);
        H5Pclose(create);
        H5Dclose(dataset);
    }
    sr_h5_unlock();
    return status;
}
