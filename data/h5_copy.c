/* h5_copy.c: members of a file carried over into another one, and their attributes. See h5_copy.h.
 *
 * H5Ocopy would turn a soft link into one that leads nowhere, and a reference into zeros, without a word. A
 * dump has no need of either, so both are refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_copy.h"

#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#include "data/h5_sound.h"
#include "data/h5_ways.h"
#include "data/members.h"
#include "nn/base/sizes.h"

#define ATTRIBUTE_MAX ((uint64_t)64 << 20) /* bytes of one */

/* ---- what cannot be carried over ---- */

struct look {
    const struct sr_h5 *file;
    haddr_t root;
    const char *member; /* of the root; the objects looked at are it and what is below */
    size_t rows;
    bool some;
    struct sr_error *err;
    int status;
};

static int fail_link(const char *path, const char *name, const char *kind, struct sr_error *err) {
    char clean[SR_H5_CLEAN];
    return sr_fail(err, SR_DATA,
                   "%s: /%s is %s, which would lead elsewhere in a new file; put the dataset itself there "
                   "(h5repack keeps links too, h5py: v = f[name][...]; del f[name]; f[name] = v)",
                   path, sr_h5_clean(clean, name), kind);
}

static const char *link_kind(H5L_type_t type) {
    return type == H5L_TYPE_SOFT ? "a soft link" : type == H5L_TYPE_EXTERNAL ? "an external link" : "a link";
}

static herr_t look_at_link(hid_t group, const char *name, const H5L_info_t *link, void *user) {
    struct look *l = user;
    char path[256];
    (void)group;
    if (link->type == H5L_TYPE_HARD)
        return 0;
    snprintf(path, sizeof path, "%.100s/%.100s", l->member, name);
    l->status = fail_link(l->file->path, path, link_kind(link->type), l->err);
    return 1;
}

static bool has_reference(hid_t type) {
    return H5Tdetect_class(type, H5T_REFERENCE) > 0;
}

static int fail_reference(const struct look *l, const char *what, const char *name) {
    char clean[SR_H5_CLEAN], also[SR_H5_CLEAN];
    return sr_fail(
        l->err, SR_DATA,
        "%s: %s of /%s holds references to objects of the file, which a new file has not; remove it "
        "(the attributes of h5py's dimension scales are such)",
        l->file->path, sr_h5_clean(clean, what), sr_h5_clean(also, name));
}

struct attribute_look {
    struct look *look;
    const char *object;
};

static herr_t look_at_attribute(hid_t object, const char *name, const H5A_info_t *info, void *user) {
    struct attribute_look *a = user;
    char what[80], clean[SR_H5_CLEAN];
    (void)info;
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0) {
        a->look->status = sr_h5_fail(a->look->err, SR_DATA, "%s: attribute %s cannot be opened",
                                     a->look->file->path, sr_h5_clean(clean, name));
        return 1;
    }
    const hid_t type = H5Aget_type(attribute);
    const bool refers = has_reference(type);
    H5Tclose(type);
    H5Aclose(attribute);
    snprintf(what, sizeof what, "attribute %.60s", name);
    if (refers)
        a->look->status = fail_reference(a->look, what, a->object);
    return refers;
}

static int look_at_attributes(struct look *l, hid_t object, const char *name) {
    struct attribute_look a = {l, name};
    H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, look_at_attribute, &a);
    return l->status;
}

/* Where nobody has looked whether the index of a dataset tells the sizes of its chunks: H5Ocopy takes it at
 * its word. */
static bool has_long_index(hid_t dataset) {
    hsize_t n = 0;
    const hid_t space = H5Dget_space(dataset), create = H5Dget_create_plist(dataset);
    const bool plain = H5Pget_layout(create) == H5D_CHUNKED && H5Pget_nfilters(create) == 0;
    const bool known = plain && H5Dget_num_chunks(dataset, space, &n) >= 0;
    H5Pclose(create);
    H5Sclose(space);
    return plain && (!known || n > SR_H5_INDEX_MAX);
}

/* Chunks of a column are unpacked, and of what is copied whole those that may hold handles; others are not.
 */
static int look_at_storage(struct look *l, hid_t dataset, hid_t type, const char *name, bool by_rows) {
    char where[SR_H5_WHERE];
    sr_h5_where(where, l->file, name);
    l->status = by_rows || sr_h5_is_variable(type) ? sr_h5_check_values(dataset, where, l->err)
                                                   : sr_h5_check_place(dataset, where, l->err);
    if (l->status == 0 && !by_rows && sr_h5_is_variable(type))
        l->status = sr_h5_sound_whole(dataset, where, l->err);
    if (l->status == 0 && !by_rows && sr_h5_is_variable(type) && has_long_index(dataset))
        l->status = sr_fail(l->err, SR_DATA,
                            "%s has strings or lists of variable length in more than %d chunks without "
                            "compression, which are not copied; write it with larger chunks or with gzip",
                            where, (int)SR_H5_INDEX_MAX);
    return l->status;
}

static hsize_t first_dimension(hid_t dataset) {
    hsize_t shape[H5S_MAX_RANK] = {0};
    const hid_t space = H5Dget_space(dataset);
    const int rank = H5Sget_simple_extent_dims(space, shape, NULL);
    H5Sclose(space);
    return rank > 0 ? shape[0] : 0;
}

static int look_at_dataset(struct look *l, hid_t dataset, const char *name, bool inside) {
    char clean[SR_H5_CLEAN];
    const bool by_rows = first_dimension(dataset) == l->rows;
    const hid_t type = H5Dget_type(dataset);
    if (has_reference(type))
        l->status = fail_reference(l, "the type", name);
    else if (look_at_storage(l, dataset, type, name, by_rows) < 0)
        ;
    else if (inside && l->some && by_rows)
        l->status =
            sr_fail(l->err, SR_DATA,
                    "%s: /%s has %zu rows as the features have, but lies in a group; whether they are "
                    "the same rows nobody can know: move it to the root, or remove it",
                    l->file->path, sr_h5_clean(clean, name), l->rows);
    H5Tclose(type);
    return l->status;
}

static herr_t look_at_object(hid_t member, const char *name, const H5O_info_t *info, void *user) {
    struct look *l = user;
    char path[256], clean[SR_H5_CLEAN];
    const bool inside = strcmp(name, ".") != 0;
    snprintf(path, sizeof path, "%.100s%s%.100s", l->member, inside ? "/" : "", inside ? name : "");
    if (info->addr == l->root) {
        l->status = sr_fail(l->err, SR_DATA,
                            "%s: /%s is the file's root once more (a hard link to it), so the file would be "
                            "copied into itself; remove that link",
                            l->file->path, sr_h5_clean(clean, path));
        return 1;
    }
    const hid_t object = H5Oopen(member, name, H5P_DEFAULT);
    if (object < 0) {
        l->status =
            sr_h5_fail(l->err, SR_DATA, "%s: /%s cannot be opened", l->file->path, sr_h5_clean(clean, path));
        return 1;
    }
    if (info->type == H5O_TYPE_DATASET)
        look_at_dataset(l, object, path, inside);
    if (l->status == 0)
        look_at_attributes(l, object, path);
    H5Oclose(object);
    return l->status != 0;
}

/* ---- how deep groups are nested ---- */

#define DEPTH_MAX  64   /* HDF5 goes down by recursion, and its stack ends */
#define GROUPS_MAX 4096 /* looked at one by one */

struct descent {
    struct look *look;
    int depth;
    haddr_t *seen; /* [GROUPS_MAX] */
    size_t n;
};

static int fail_nesting(const struct descent *d, const char *wrong) {
    char clean[SR_H5_CLEAN];
    return sr_fail(d->look->err, SR_DATA, "%s: /%s %s", d->look->file->path,
                   sr_h5_clean(clean, d->look->member), wrong);
}

/* A group met again is not gone into; that its header counts one link is then a lie, which HDF5 would
 * believe. The root is for look_at_object to refuse. */
static bool is_new(struct descent *d, const H5O_info_t *info) {
    if (info->addr == d->look->root)
        return false;
    for (size_t i = 0; i < d->n; i++)
        if (d->seen[i] == info->addr) {
            if (info->rc < 2)
                d->look->status = fail_nesting(d, "holds itself without saying so; the file is damaged");
            return false;
        }
    if (d->n < GROUPS_MAX)
        d->seen[d->n++] = info->addr;
    else
        d->look->status = fail_nesting(d, "holds more than 4096 groups, which are not copied");
    return d->n <= GROUPS_MAX && d->look->status == 0;
}

static herr_t descend(hid_t group, const char *name, const H5L_info_t *link, void *user) {
    struct descent *d = user;
    H5O_info_t info;
    if (link->type != H5L_TYPE_HARD)
        return 0;
    if (H5Oget_info_by_name(group, name, &info, H5P_DEFAULT) < 0)
        d->look->status = fail_nesting(d, "holds something that cannot be opened; the file is damaged");
    else if (info.type == H5O_TYPE_GROUP && is_new(d, &info)) {
        if (++d->depth > DEPTH_MAX)
            d->look->status = fail_nesting(d, "holds groups within groups more than 64 deep");
        else if (H5Literate_by_name(group, name, H5_INDEX_NAME, H5_ITER_INC, NULL, descend, d, H5P_DEFAULT) <
                     0 &&
                 d->look->status == 0)
            d->look->status = fail_nesting(d, "holds a group whose members cannot be listed");
        d->depth--;
    }
    return d->look->status != 0;
}

static int look_at_nesting(struct look *l, hid_t member) {
    H5O_info_t info;
    struct descent d = {.look = l, .seen = sr_alloc(GROUPS_MAX, sizeof *d.seen, l->err)};
    if (!d.seen)
        l->status = SR_NOMEM;
    else if (H5Oget_info(member, &info) >= 0 && is_new(&d, &info) &&
             H5Literate(member, H5_INDEX_NAME, H5_ITER_INC, NULL, descend, &d) < 0 && l->status == 0)
        l->status = fail_nesting(&d, "is a group whose members cannot be listed");
    sr_free(d.seen);
    return l->status;
}

static int look_at_member(struct look *l, hid_t member) {
    if (H5Iget_type(member) == H5I_GROUP && look_at_nesting(l, member) == 0)
        H5Lvisit(member, H5_INDEX_NAME, H5_ITER_INC, look_at_link, l);
    if (l->status == 0)
        H5Ovisit(member, H5_INDEX_NAME, H5_ITER_INC, look_at_object, l);
    return l->status;
}

/* ---- members ---- */

struct gathering {
    struct sr_h5_members *out;
    size_t room;
    struct look look;
};

static int add_member(struct gathering *g, const char *name, struct sr_error *err) {
    if (g->out->n == g->room) {
        const size_t room = g->room ? 2 * g->room : 32;
        struct sr_h5_member *item =
            sr_realloc(g->out->item, g->room * sizeof *item, room * sizeof *item, err);
        if (!item)
            return SR_NOMEM;
        g->out->item = item;
        g->room = room;
    }
    g->out->item[g->out->n].name = sr_strdup(name, err);
    return g->out->item[g->out->n].name ? 0 : SR_NOMEM;
}

/* The member of that name, or an earlier one that is the same object. */
static size_t find_same(const struct gathering *g, hid_t group, haddr_t address, unsigned names) {
    H5O_info_t other;
    for (size_t i = 0; names > 1 && i < g->out->n; i++)
        if (H5Oget_info_by_name(group, g->out->item[i].name, &other, H5P_DEFAULT) >= 0 &&
            other.addr == address)
            return i;
    return g->out->n;
}

static herr_t gather_member(hid_t group, const char *name, const H5L_info_t *link, void *user) {
    struct gathering *g = user;
    struct look *l = &g->look;
    H5O_info_t info;
    if (link->type != H5L_TYPE_HARD) {
        l->status = fail_link(l->file->path, name, link_kind(link->type), l->err);
        return 1;
    }
    const hid_t member = H5Oopen(group, name, H5P_DEFAULT);
    if (member < 0 || H5Oget_info(member, &info) < 0) {
        char clean[SR_H5_CLEAN];
        l->status =
            sr_h5_fail(l->err, SR_DATA, "%s: /%s cannot be opened", l->file->path, sr_h5_clean(clean, name));
        if (member >= 0)
            H5Oclose(member);
        return 1;
    }
    l->member = name;
    l->status = add_member(g, name, l->err);
    if (l->status == 0) {
        struct sr_h5_member *m = &g->out->item[g->out->n];
        m->same_as = find_same(g, group, info.addr, info.rc);
        m->by_rows = info.type == H5O_TYPE_DATASET && first_dimension(member) == l->rows;
        g->out->n++;
        look_at_member(l, member);
    }
    H5Oclose(member);
    return l->status != 0;
}

int sr_h5_members(struct sr_h5_members *out, const struct sr_h5 *f, size_t rows, bool some,
                  struct sr_error *err) {
    struct gathering g = {.out = out,
                          .look = {.file = f, .member = "", .rows = rows, .some = some, .err = err}};
    *out = (struct sr_h5_members){0};
    if (sr_h5_check_here(f, err) < 0)
        return SR_USAGE;
    sr_h5_lock();
    H5O_info_t info = {.addr = HADDR_UNDEF};
    const hid_t root = H5Gopen2(f->id, "/", H5P_DEFAULT);
    H5Oget_info(root, &info);
    g.look.root = info.addr;
    look_at_attributes(&g.look, root, "");
    if (g.look.status == 0 && H5Literate(root, H5_INDEX_NAME, H5_ITER_INC, NULL, gather_member, &g) < 0)
        g.look.status = sr_h5_fail(err, SR_DATA, "%s: its members cannot be listed", f->path);
    H5Gclose(root);
    sr_h5_unlock();
    return g.look.status;
}

void sr_h5_members_free(struct sr_h5_members *m) {
    for (size_t i = 0; i < m->n; i++)
        sr_free(m->item[i].name);
    sr_free(m->item);
    *m = (struct sr_h5_members){0};
}

int sr_h5_copy_whole(const struct sr_h5 *to, const struct sr_h5 *from, const char *name,
                     struct sr_error *err) {
    int status = 0;
    sr_h5_lock();
    if (H5Ocopy(from->id, name, to->id, name, H5P_DEFAULT, H5P_DEFAULT) < 0)
        status = sr_h5_fail(err, SR_IO, "%s: /%s cannot be copied from %s", to->path, name, from->path);
    sr_h5_unlock();
    return status;
}

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

/* The value goes through memory as the file has it; an attribute of an empty space has none. */
static int copy_value(const struct attribute_copy *c, const char *name, hid_t from, hid_t to, hid_t type,
                      hid_t space) {
    const hssize_t n = H5Sget_simple_extent_npoints(space);
    int status = 0;
    if (H5Sget_simple_extent_type(space) == H5S_NULL || n <= 0)
        return 0;
    uint64_t bytes;
    if (!sr_size_mul(&bytes, (uint64_t)n, H5Tget_size(type)) || bytes > ATTRIBUTE_MAX)
        return sr_fail(c->err, SR_DATA, "%s: attribute %s of %s says that it has more than %d MB",
                       c->from->path, name, c->object, (int)(ATTRIBUTE_MAX >> 20));
    void *value = sr_alloc(bytes, 1, c->err);
    if (!value)
        return SR_NOMEM;
    if (H5Aread(from, type, value) < 0)
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
    if (c.target < 0)
        c.status = (int)c.target;
    else if (H5Aiterate2(source, H5_INDEX_NAME, H5_ITER_INC, NULL, copy_attribute, &c) < 0 && c.status == 0)
        c.status = sr_h5_fail(err, SR_DATA, "%s: the attributes of %s cannot be listed", from->path, object);
    if (c.target >= 0)
        H5Oclose(c.target);
    if (source >= 0)
        H5Oclose(source);
    sr_h5_unlock();
    return c.status;
}

struct name_list {
    char **name; /* NULL: sizes are added up */
    char *to;
    size_t n, bytes;
};

static herr_t list_name(hid_t object, const char *name, const H5A_info_t *info, void *user) {
    struct name_list *l = user;
    (void)object;
    (void)info;
    if (l->name) {
        l->name[l->n] = l->to;
        l->to = stpcpy(l->to, name) + 1;
    }
    l->n++;
    l->bytes += strlen(name) + 1;
    return 0;
}

int sr_h5_attribute_names(const struct sr_h5 *f, const char *object, char ***names, size_t *n,
                          struct sr_error *err) {
    struct name_list l = {.name = NULL};
    *names = NULL;
    sr_h5_lock();
    const hid_t id = sr_h5_open_object(f, object, err);
    if (id < 0) {
        sr_h5_unlock();
        return (int)id;
    }
    H5Aiterate2(id, H5_INDEX_NAME, H5_ITER_INC, NULL, list_name, &l);
    *n = l.n;
    *names = sr_alloc(1, l.n * sizeof **names + l.bytes, err);
    if (*names) {
        l = (struct name_list){.name = *names, .to = (char *)(*names + l.n)};
        H5Aiterate2(id, H5_INDEX_NAME, H5_ITER_INC, NULL, list_name, &l);
    }
    H5Oclose(id);
    sr_h5_unlock();
    return *names ? 0 : SR_NOMEM;
}
