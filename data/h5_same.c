/* h5_same.c: whether an object is the same in two files. See h5_copy.h.
 *
 * For what belongs to no row: groups of notes, scalars, settings. Such things are small, so values are
 * compared whole, in memory. What cannot be held against each other here (ragged values, strings of variable
 * length inside of compound values) counts as different: a difference asks somebody, a wrong "same" does not.
 *
 * SPDX-License-Identifier: MIT
 */
#include <hdf5.h>
#include <string.h>

#include "data/h5_copy.h"
#include "data/h5_count.h"
#include "data/h5_header.h"
#include "data/h5_sound.h"
#include "data/h5_walk.h"

#define DEPTH_MAX 32 /* of groups within groups; a group that holds itself has no end */

struct pair {
    hid_t a, b;
};

struct walk {
    hid_t other; /* the object of the other file */
    int depth;
    bool same;
    struct sr_error *err;
    int status;
};

static bool is_plain(hid_t type) {
    const H5T_class_t class = H5Tget_class(type);
    return class == H5T_INTEGER || class == H5T_FLOAT || class == H5T_ENUM || class == H5T_OPAQUE ||
           class == H5T_BITFIELD || class == H5T_STRING ||
           (H5Tdetect_class(type, H5T_STRING) == 0 && H5Tdetect_class(type, H5T_VLEN) == 0 &&
            H5Tdetect_class(type, H5T_REFERENCE) == 0);
}

static bool same_bytes(hid_t type, const void *x, const void *y, size_t n) {
    if (H5Tis_variable_str(type) <= 0)
        return memcmp(x, y, n * H5Tget_size(type)) == 0;
    for (size_t i = 0; i < n; i++) {
        char *a, *b;
        memcpy(&a, (const char *)x + i * sizeof a, sizeof a);
        memcpy(&b, (const char *)y + i * sizeof b, sizeof b);
        if ((a && *a) != (b && *b) || (a && b && strcmp(a, b) != 0))
            return false;
    }
    return true;
}

static bool read_value(hid_t object, hid_t type, void *out) {
    return H5Iget_type(object) == H5I_ATTR ? H5Aread(object, type, out) >= 0
                                           : H5Dread(object, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0;
}

/* Of two datasets, or two attributes, of one type and space. */
static int same_values(struct pair p, hid_t type, hid_t space, struct sr_error *err) {
    const hssize_t points = H5Sget_simple_extent_npoints(space);
    const size_t n = points > 0 ? (size_t)points : 0;
    if (n == 0)
        return 1;
    void *x = sr_alloc(n, H5Tget_size(type), err), *y = x ? sr_alloc(n, H5Tget_size(type), err) : NULL;
    int same = y ? 0 : SR_NOMEM;
    if (y && sr_h5_count_whole(p.a, "", NULL) == 0 && sr_h5_count_whole(p.b, "", NULL) == 0 &&
        read_value(p.a, type, x)) {
        if (read_value(p.b, type, y)) {
            same = same_bytes(type, x, y, n);
            H5Dvlen_reclaim(type, space, H5P_DEFAULT, y);
        }
        H5Dvlen_reclaim(type, space, H5P_DEFAULT, x);
    }
    sr_free(x);
    sr_free(y);
    return same;
}

static int same_data(struct pair p, struct sr_error *err) {
    const bool attribute = H5Iget_type(p.a) == H5I_ATTR;
    const hid_t type = attribute ? H5Aget_type(p.a) : H5Dget_type(p.a),
                other = attribute ? H5Aget_type(p.b) : H5Dget_type(p.b),
                space = attribute ? H5Aget_space(p.a) : H5Dget_space(p.a),
                beside = attribute ? H5Aget_space(p.b) : H5Dget_space(p.b);
    int same = H5Tequal(type, other) > 0 && H5Sextent_equal(space, beside) > 0 && is_plain(type);
    if (same)
        same = same_values(p, type, space, err);
    H5Sclose(beside);
    H5Sclose(space);
    H5Tclose(other);
    H5Tclose(type);
    return same;
}

/* ---- attributes ---- */

static herr_t compare_attribute(hid_t object, const char *name, const H5A_info_t *info, void *user) {
    struct walk *w = user;
    (void)info;
    w->same = H5Aexists(w->other, name) > 0;
    if (!w->same)
        return 1;
    const struct pair p = {H5Aopen(object, name, H5P_DEFAULT), H5Aopen(w->other, name, H5P_DEFAULT)};
    const int same = p.a >= 0 && p.b >= 0 ? same_data(p, w->err) : 0;
    if (p.b >= 0)
        H5Aclose(p.b);
    if (p.a >= 0)
        H5Aclose(p.a);
    w->status = same < 0 ? same : 0;
    w->same = same > 0;
    return !w->same;
}

static int same_attributes(struct pair p, struct sr_error *err) {
    H5O_info_t a, b;
    struct walk w = {.other = p.b, .same = true, .err = err};
    if (H5Oget_info(p.a, &a) < 0 || H5Oget_info(p.b, &b) < 0 || a.num_attrs != b.num_attrs)
        return 0;
    if (sr_h5_walk_attributes(p.a, compare_attribute, &w) < 0)
        return 0;
    return w.status < 0 ? w.status : w.same;
}

/* ---- objects ---- */

static int same_objects(struct pair p, int depth, struct sr_error *err);

/* Not a link that is not followed, nor a dataset that is not opened. */
static bool may_be_opened(hid_t group, const char *name) {
    H5L_info_t link;
    if (H5Lget_info(group, name, &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD)
        return false;
    const hid_t file = H5Iget_file_id(group);
    const enum sr_h5_header header = sr_h5_header(file, link.u.address);
    H5Fclose(file);
    return header == SR_H5_HEADER_FINE;
}

static herr_t compare_link(hid_t group, const char *name, const H5L_info_t *link, void *user) {
    struct walk *w = user;
    w->same = link->type == H5L_TYPE_HARD && H5Lexists(w->other, name, H5P_DEFAULT) > 0;
    if (!w->same)
        return 1;
    if (!may_be_opened(group, name) || !may_be_opened(w->other, name)) {
        w->same = false;
        return 1;
    }
    const struct pair p = {H5Oopen(group, name, H5P_DEFAULT), H5Oopen(w->other, name, H5P_DEFAULT)};
    const int same = p.a >= 0 && p.b >= 0 ? same_objects(p, w->depth + 1, w->err) : 0;
    if (p.b >= 0)
        H5Oclose(p.b);
    if (p.a >= 0)
        H5Oclose(p.a);
    w->status = same < 0 ? same : 0;
    w->same = same > 0;
    return !w->same;
}

static int same_members(struct pair p, int depth, struct sr_error *err) {
    H5G_info_t a, b;
    struct walk w = {.other = p.b, .depth = depth, .same = true, .err = err};
    if (H5Gget_info(p.a, &a) < 0 || H5Gget_info(p.b, &b) < 0 || a.nlinks != b.nlinks)
        return 0;
    if (sr_h5_walk_links(p.a, compare_link, &w) < 0)
        return 0;
    return w.status < 0 ? w.status : w.same;
}

/* Values that may be read. */
static bool is_readable(hid_t dataset) {
    return sr_h5_check_values(dataset, "", NULL) == 0 && sr_h5_sound_whole(dataset, "", NULL) == 0;
}

static int same_objects(struct pair p, int depth, struct sr_error *err) {
    const H5I_type_t kind = H5Iget_type(p.a);
    if (depth > DEPTH_MAX || kind != H5Iget_type(p.b) || (kind != H5I_GROUP && kind != H5I_DATASET))
        return 0;
    if (kind == H5I_DATASET && !(is_readable(p.a) && is_readable(p.b)))
        return 0;
    const int same = kind == H5I_GROUP ? same_members(p, depth, err) : same_data(p, err);
    return same > 0 ? same_attributes(p, err) : same;
}

int sr_h5_same(const struct sr_h5 *a, const struct sr_h5 *b, const char *name, struct sr_error *err) {
    sr_h5_lock();
    const struct pair p = {sr_h5_open_object(a, name, NULL), sr_h5_open_object(b, name, NULL)};
    const int same = p.a >= 0 && p.b >= 0 ? same_objects(p, 0, err) : 0;
    if (p.b >= 0)
        H5Oclose(p.b);
    if (p.a >= 0)
        H5Oclose(p.a);
    sr_h5_unlock();
    return same;
}
