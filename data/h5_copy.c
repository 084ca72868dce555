/* h5_copy.c: members and attributes of a file carried over into another one. See h5_copy.h.
 *
 * What cannot be carried over has been refused before (h5_members.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_copy.h"

#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#include "data/h5_count.h"
#include "data/h5_walk.h"
#include "data/h5_ways.h"
#include "data/members.h"
#include "nn/base/sizes.h"

#define ATTRIBUTE_MAX ((uint64_t)64 << 20) /* bytes of one */

int sr_h5_link(const struct sr_h5 *f, const char *existing, const char *name, struct sr_error *err) {
    int status = 0;
    sr_h5_lock();
    if (H5Lcreate_hard(f->id, existing, f->id, name, H5P_DEFAULT, H5P_DEFAULT) < 0)
        status = sr_h5_fail(err, SR_IO, "%s: /%s cannot be created", f->path, name);
    sr_h5_unlock();
    return status;
}

/* ---- attributes ---- */

struct attribute_copy {
    const struct sr_h5 *to, *from;
    const char *object;
    hid_t target;
    const char *const *but;
    struct sr_error *err;
    int status;
};

static int fail_attribute(const struct attribute_copy *c, const char *name) {
    char clean[SR_H5_CLEAN];
    return sr_h5_fail(c->err, SR_IO, "%s: attribute %s of %s cannot be copied from %s", c->to->path,
                      sr_h5_clean(clean, name), c->object, c->from->path);
}

static int fail_large(const struct attribute_copy *c, const char *name) {
    char clean[SR_H5_CLEAN];
    return sr_fail(c->err, SR_DATA, "%s: attribute %s of %s says that it has more than %d MB", c->from->path,
                   sr_h5_clean(clean, name), c->object, (int)(ATTRIBUTE_MAX >> 20));
}

static int fail_lists(const struct attribute_copy *c, const char *name, const struct sr_error *why) {
    char clean[SR_H5_CLEAN];
    return sr_fail(c->err, why->status, "%s: attribute %s of %s cannot be copied: %s", c->from->path,
                   sr_h5_clean(clean, name), c->object, why->text);
}

/* Before they are made; value: pointers, which stay NULL. */
static int look_at_lists(const struct attribute_copy *c, const char *name, hid_t from, hid_t type,
                         void *value) {
    struct sr_error why = {0};
    uint64_t bytes;
    if (sr_h5_count_attribute(from, type, value, &bytes, &why) < 0)
        return fail_lists(c, name, &why);
    return bytes > ATTRIBUTE_MAX ? fail_large(c, name) : 0;
}

/* The value goes through memory as the file has it; an attribute of an empty space has none. */
static int copy_value(const struct attribute_copy *c, const char *name, hid_t from, hid_t to, hid_t type,
                      hid_t space) {
    const hssize_t n = H5Sget_simple_extent_npoints(space);
    int status = 0;
    uint64_t bytes = H5Tget_size(type);
    if (n < 0 || bytes == 0)
        return fail_attribute(c, name);
    if (n == 0)
        return 0;
    if (!sr_size_mul(&bytes, bytes, (uint64_t)n) || bytes > ATTRIBUTE_MAX)
        return fail_large(c, name);
    void *value = sr_alloc(bytes, 1, c->err);
    if (!value)
        return SR_NOMEM;
    if (sr_h5_is_variable(type))
        status = look_at_lists(c, name, from, type, value);
    if (status < 0)
        ; /* no strings are there */
    else if (H5Aread(from, type, value) < 0)
        status = fail_attribute(c, name);
    else {
        if (H5Awrite(to, type, value) < 0)
            status = fail_attribute(c, name);
        H5Dvlen_reclaim(type, space, H5P_DEFAULT, value);
    }
    sr_free(value);
    return status;
}

static herr_t copy_attribute(hid_t object, const char *name, const H5A_info_t *info, void *user) {
    struct attribute_copy *c = user;
    (void)info;
    if (sr_members_listed(c->but, name))
        return 0;
    const hid_t from = H5Aopen(object, name, H5P_DEFAULT);
    if (from < 0) {
        c->status = fail_attribute(c, name);
        return 1;
    }
    const hid_t stored = H5Aget_type(from), space = H5Aget_space(from), type = H5Tcopy(stored);
    const hid_t to = H5Acreate2(c->target, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    c->status = to < 0 ? fail_attribute(c, name) : copy_value(c, name, from, to, type, space);
    if (to >= 0)
        H5Aclose(to);
    H5Tclose(type);
    H5Sclose(space);
    H5Tclose(stored);
    H5Aclose(from);
    return c->status != 0;
}

int sr_h5_copy_attributes(const struct sr_h5 *to, const struct sr_h5 *from, const char *object,
                          const char *const *but, struct sr_error *err) {
    return sr_h5_copy_attributes_to(to, object, from, object, but, err);
}

static int copy_all(struct attribute_copy *c, hid_t source) {
    if (sr_h5_walk_attributes(source, copy_attribute, c) < 0)
        c->status = sr_h5_fail(c->err, SR_DATA, "%s: the attributes of %s cannot be listed", c->from->path,
                               c->object);
    return c->status;
}

int sr_h5_copy_attributes_to(const struct sr_h5 *to, const char *target, const struct sr_h5 *from,
                             const char *object, const char *const *but, struct sr_error *err) {
    sr_h5_lock();
    const hid_t source = sr_h5_open_object(from, object, err);
    struct attribute_copy c = {.to = to,
                               .from = from,
                               .object = object,
                               .target = source < 0 ? source : sr_h5_open_object(to, target, err),
                               .but = but,
                               .err = err};
    const int status = c.target < 0 ? (int)c.target : copy_all(&c, source);
    if (c.target >= 0)
        H5Oclose(c.target);
    if (source >= 0)
        H5Oclose(source);
    sr_h5_unlock();
    return status;
}

/* ---- whole members ---- */

struct member_copy {
    const struct sr_h5 *to, *from;
    const char *name;
    hid_t target;
    struct sr_error *err;
    int status;
};

/* path: from the member; "." is the member itself. */
static herr_t copy_attributes_of(hid_t member, const char *path, const H5O_info_t *info, void *user) {
    struct member_copy *m = user;
    (void)info;
    const hid_t source = H5Oopen(member, path, H5P_DEFAULT);
    struct attribute_copy c = {.to = m->to,
                               .from = m->from,
                               .object = m->name,
                               .target = source < 0 ? source : H5Oopen(m->target, path, H5P_DEFAULT),
                               .err = m->err};
    if (c.target < 0)
        m->status =
            sr_h5_fail(m->err, SR_DATA, "%s: what is in /%s cannot be opened", m->from->path, m->name);
    else
        m->status = copy_all(&c, source);
    if (c.target >= 0)
        H5Oclose(c.target);
    if (source >= 0)
        H5Oclose(source);
    return m->status != 0;
}

/* HDF5 1.10 crashes where it copies strings of attributes that are stored apart from their object, so these
 * are copied here. */
int sr_h5_copy_whole(const struct sr_h5 *to, const struct sr_h5 *from, const char *name,
                     struct sr_error *err) {
    struct member_copy m = {.to = to, .from = from, .name = name, .target = -1, .err = err};
    sr_h5_lock();
    const hid_t how = H5Pcreate(H5P_OBJECT_COPY);
    H5Pset_copy_object(how, H5O_COPY_WITHOUT_ATTR_FLAG);
    if (H5Ocopy(from->id, name, to->id, name, how, H5P_DEFAULT) >= 0)
        m.target = H5Oopen(to->id, name, H5P_DEFAULT);
    if (m.target < 0)
        m.status = sr_h5_fail(err, SR_IO, "%s: /%s cannot be copied from %s", to->path, name, from->path);
    else if (H5Ovisit_by_name2(from->id, name, H5_INDEX_NAME, H5_ITER_NATIVE, copy_attributes_of, &m,
                               H5O_INFO_BASIC, H5P_DEFAULT) < 0)
        m.status = sr_h5_fail(err, SR_DATA, "%s: what is in /%s cannot be listed", from->path, name);
    if (m.target >= 0)
        H5Oclose(m.target);
    H5Pclose(how);
    sr_h5_unlock();
    return m.status;
}

/* ---- names ---- */

struct names {
    char **name, *text; /* what comes next goes here */
    size_t n, bytes;    /* of those that come: a first walk adds them up, a second one takes from them */
};

static herr_t count_name(hid_t object, const char *name, const H5A_info_t *info, void *user) {
    struct names *l = user;
    (void)object;
    (void)info;
    l->n++;
    l->bytes += strlen(name) + 1;
    return 0;
}

static herr_t list_name(hid_t object, const char *name, const H5A_info_t *info, void *user) {
    struct names *l = user;
    const size_t bytes = strlen(name) + 1;
    (void)object;
    (void)info;
    if (l->n == 0 || bytes > l->bytes)
        return -1;
    *l->name++ = memcpy(l->text, name, bytes);
    l->text += bytes;
    l->bytes -= bytes;
    l->n--;
    return 0;
}

static int list_names(hid_t object, char ***names, size_t *n, const char *where, struct sr_error *err) {
    struct names l = {.n = 0};
    if (sr_h5_walk_attributes(object, count_name, &l) < 0)
        return sr_h5_fail(err, SR_DATA, "%s cannot be listed", where);
    *n = l.n;
    *names = sr_alloc(1, l.n * sizeof **names + l.bytes, err);
    if (!*names)
        return SR_NOMEM;
    l.name = *names;
    l.text = (char *)(*names + l.n);
    if (sr_h5_walk_attributes(object, list_name, &l) >= 0 && l.n == 0)
        return 0;
    sr_free(*names);
    *names = NULL;
    return sr_h5_fail(err, SR_DATA, "%s cannot be listed", where);
}

int sr_h5_attribute_names(const struct sr_h5 *f, const char *object, char ***names, size_t *n,
                          struct sr_error *err) {
    char where[SR_H5_WHERE];
    *names = NULL;
    sr_h5_lock();
    const hid_t id = sr_h5_open_object(f, object, err);
    snprintf(where, sizeof where, "%s: the attributes of %.100s", f->path, object);
    const int status = id < 0 ? (int)id : list_names(id, names, n, where, err);
    if (id >= 0)
        H5Oclose(id);
    sr_h5_unlock();
    return status;
}
