/* h5_storage.c: how a dataset lies in its file: chunks, filters, bytes. See h5.h.
 *
 * Only what the file's header and its index of chunks say is looked at; no chunk is read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <hdf5.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "data/h5.h"

/* "gzip 4": filter i of the list. */
static void filter_text(char *text, size_t size, bool *packs, hid_t create, unsigned i) {
    char name[40] = "";
    unsigned flags, values[8] = {0};
    size_t n = SR_COUNT(values);
    const H5Z_filter_t filter = H5Pget_filter2(create, i, &flags, &n, values, sizeof name, name, NULL);
    *packs = filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32;
    if (filter == H5Z_FILTER_DEFLATE)
        snprintf(text, size, "gzip %u", values[0]);
    else if (filter == H5Z_FILTER_SHUFFLE || filter == H5Z_FILTER_FLETCHER32)
        snprintf(text, size, "%s", filter == H5Z_FILTER_SHUFFLE ? "shuffle" : "fletcher32");
    else
        snprintf(text, size, "%.39s (HDF5 filter %d)", *name ? name : "unnamed", (int)filter);
}

static void look_at_filters(struct sr_h5_storage *s, hid_t create) {
    const int n = H5Pget_nfilters(create);
    size_t used = 0;
    s->filtered = n > 0;
    for (int i = 0; i < n; i++) {
        char text[80];
        bool packs;
        filter_text(text, sizeof text, &packs, create, (unsigned)i);
        s->packed = s->packed || packs;
        if (used + strlen(text) + sizeof ", , ..." > sizeof s->filters) {
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
    s->kind = layout == H5D_CHUNKED                                        ? SR_H5_CHUNKS
              : layout == H5D_VIRTUAL || H5Pget_external_count(create) > 0 ? SR_H5_ELSEWHERE
                                                                           : SR_H5_ONE_PIECE;
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
        if (s->chunk[i] == 0 ||
            __builtin_mul_overflow(pieces, (info->shape[i] + s->chunk[i] - 1) / s->chunk[i], &pieces))
            return;
    s->pieces = known ? pieces : 0;
    s->unwritten = written < s->pieces ? s->pieces - written : 0;
}

/* A source of a virtual dataset is looked for in the folder of the file, as HDF5 does; a name that is a
 * pattern (%b) stands for any number of files and is not looked at. */
static bool is_absent(const char *of, const char *name) {
    char path[4096];
    const char *slash = strrchr(of, '/');
    if (strcmp(name, ".") == 0 || strchr(name, '%') || access(name, F_OK) == 0)
        return false;
    snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash - of) + 1 : 0, of, name);
    return access(path, F_OK) < 0;
}

static void look_for_sources(struct sr_h5_storage *s, const char *of, hid_t create) {
    size_t n = 0;
    H5Pget_virtual_count(create, &n);
    for (size_t i = 0; i < n && !*s->absent; i++) {
        char name[4096];
        if (H5Pget_virtual_filename(create, i, name, sizeof name) > 0 && is_absent(of, name))
            snprintf(s->absent, sizeof s->absent, "%.127s", name);
    }
}

static void look_for_external(struct sr_h5_storage *s, const char *of, hid_t create) {
    const int n = H5Pget_external_count(create);
    for (int i = 0; i < n && !*s->absent; i++) {
        char name[4096] = "";
        off_t offset;
        hsize_t size;
        if (H5Pget_external(create, (unsigned)i, sizeof name - 1, name, &offset, &size) >= 0 &&
            is_absent(of, name))
            snprintf(s->absent, sizeof s->absent, "%.127s", name);
    }
}

static void look_for_holes(struct sr_h5_storage *s, const char *of, hid_t dataset, hid_t create,
                           const struct sr_h5_info *info) {
    if (s->kind == SR_H5_CHUNKS) {
        count_chunks(s, dataset, info);
    } else if (s->kind == SR_H5_ONE_PIECE) {
        s->pieces = 1;
        s->unwritten = s->bytes == 0;
    } else if (H5Pget_layout(create) == H5D_VIRTUAL) {
        look_for_sources(s, of, create);
    } else {
        look_for_external(s, of, create);
    }
}

int sr_h5_storage(const struct sr_h5 *f, const char *name, struct sr_h5_storage *s, struct sr_error *err) {
    struct sr_h5_info info;
    *s = (struct sr_h5_storage){0};
    int status = sr_h5_info(f, name, &info, err);
    if (status < 0)
        return status;
    memcpy(s->chunk, info.shape, sizeof s->chunk);
    sr_h5_lock();
    const hid_t dataset = H5Dopen2(f->id, name, H5P_DEFAULT);
    const hid_t create = dataset < 0 ? -1 : H5Dget_create_plist(dataset);
    if (create < 0) {
        status = sr_h5_fail(err, SR_DATA, "%s: /%s says not how it is stored", f->path, name);
    } else {
        look_at_layout(s, create);
        look_at_filters(s, create);
        s->bytes = H5Dget_storage_size(dataset);
        look_for_holes(s, f->path, dataset, create, &info);
        H5Pclose(create);
    }
    if (dataset >= 0)
        H5Dclose(dataset);
    sr_h5_unlock();
    return status;
}

int sr_h5_check_filters(int64_t dataset, const char *where, struct sr_error *err) {
    const hid_t create = H5Dget_create_plist(dataset);
    const int filters = H5Pget_nfilters(create);
    int status = 0;
    for (int i = 0; i < filters && status == 0; i++) {
        char name[40] = "";
        unsigned flags;
        size_t values = 0;
        const H5Z_filter_t filter =
            H5Pget_filter2(create, (unsigned)i, &flags, &values, NULL, sizeof name, name, NULL);
        if (H5Zfilter_avail(filter) <= 0)
            status = sr_fail(
                err, SR_DATA,
                "%s is compressed with %s (HDF5 filter %d), which is not installed; write it with gzip or "
                "without compression",
                where, name, filter);
    }
    H5Pclose(create);
    return status;
}
