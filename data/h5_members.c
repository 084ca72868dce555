/* h5_members.c: what a file holds, and whether all of it can be carried over into another one. See h5_copy.h.
 *
 * H5Ocopy would turn a soft link into one that leads nowhere, and a reference into zeros, without a word. A
 * dump has no need of either, so both are refused. Many links may lead to one object: each object is looked
 * at once, and links are counted, since groups that share groups have more ways through them than objects.
 *
 * SPDX-License-Identifier: MIT
 */
#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#include "data/h5_copy.h"
#include "data/h5_count.h"
#include "data/h5_pipeline.h"
#include "data/h5_sound.h"
#include "data/h5_walk.h"
#include "data/h5_ways.h"
#include "nn/base/sizes.h"

/* ---- objects by their addresses ---- */

#define NOBODY SIZE_MAX

struct object {
    uint64_t key;      /* the address + 1; 0: none */
    size_t member;     /* of the root that it is, or NOBODY */
    bool looked_at[2]; /* as a member of the root; inside of one */
};

/* Slots by key, half of them free; room is a power of 2. */
struct objects {
    struct object *slot;
    size_t n, room;
};

static struct object *find_object(const struct objects *s, uint64_t key) {
    size_t i = (size_t)(key * 0x9e3779b97f4a7c15u >> 16) & (s->room - 1);
    while (s->slot[i].key && s->slot[i].key != key)
        i = (i + 1) & (s->room - 1);
    return &s->slot[i];
}

static int make_room(struct objects *s, struct sr_error *err) {
    struct objects more = {.n = s->n, .room = s->room ? 2 * s->room : 256};
    if (2 * s->n < s->room)
        return 0;
    if (!(more.slot = sr_alloc(more.room, sizeof *more.slot, err)))
        return SR_NOMEM;
    for (size_t i = 0; i < s->room; i++)
        if (s->slot[i].key)
            *find_object(&more, s->slot[i].key) = s->slot[i];
    sr_free(s->slot);
    *s = more;
    return 0;
}

/* The object at that address, a new one if need be; valid until the next call. NULL: no memory. */
static struct object *object_at(struct objects *s, haddr_t address, struct sr_error *err) {
    if (make_room(s, err) < 0)
        return NULL;
    struct object *o = find_object(s, (uint64_t)address + 1);
    if (!o->key) {
        *o = (struct object){.key = (uint64_t)address + 1, .member = NOBODY};
        s->n++;
    }
    return o;
}

/* ---- what cannot be carried over ---- */

#define DEPTH_MAX  64    /* HDF5 goes down by recursion, and its stack ends */
#define GROUPS_MAX 4096  /* in a member; looked for one by one */
#define LINKS_MAX  65536 /* below all members, on all ways */

struct look {
    const struct sr_h5 *file;
    haddr_t root;
    const char *member; /* of the root; the objects looked at are it and what is below */
    size_t rows;
    bool some;
    struct objects objects;
    size_t links;  /* followed so far */
    haddr_t *seen; /* [GROUPS_MAX]: groups of the member */
    size_t groups;
    int depth;
    char path[256]; /* from the root, where we are; cut */
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

/* H5Ocopy goes to the heap of the file too. */
static int look_at_lists(const struct attribute_look *a, hid_t attribute, const char *name) {
    char where[SR_H5_WHERE], what[80], clean[SR_H5_CLEAN];
    snprintf(what, sizeof what, "%.60s", name);
    snprintf(where, sizeof where, "%s: attribute %s of /%.100s", a->look->file->path,
             sr_h5_clean(clean, what), a->object);
    return sr_h5_count_whole(attribute, where, a->look->err);
}

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
    snprintf(what, sizeof what, "attribute %.60s", name);
    a->look->status = refers ? fail_reference(a->look, what, a->object) : look_at_lists(a, attribute, name);
    H5Aclose(attribute);
    return a->look->status != 0;
}

static int look_at_attributes(struct look *l, hid_t object, const char *name) {
    struct attribute_look a = {l, name};
    if (sr_h5_walk_attributes(object, look_at_attribute, &a) < 0)
        l->status = sr_h5_fail(l->err, SR_DATA, "%s: the attributes of /%.100s cannot be listed",
                               l->file->path, name);
    return l->status;
}

/* Where nobody has looked whether the index of a dataset tells the sizes of its chunks: H5Ocopy takes it at
 * its word. */
static bool has_long_index(hid_t dataset) {
    hsize_t n = 0;
    const hid_t space = H5Dget_space(dataset), create = H5Dget_create_plist(dataset);
    const struct sr_h5_pipeline p = sr_h5_pipeline(create);
    const bool plain = p.chunked && p.said == 0,
               found = plain && (H5Dget_num_chunks(dataset, space, &n) < 0 || n > SR_H5_INDEX_MAX);
    H5Pclose(create);
    H5Sclose(space);
    return found;
}

/* Chunks of a column are unpacked, and of what is copied whole those that may hold handles; others are not.
 */
static int look_at_storage(struct look *l, hid_t dataset, hid_t type, const char *name, bool by_rows,
                           bool inside) {
    char where[SR_H5_WHERE];
    const bool variable = sr_h5_is_variable(type), whole = variable && (!by_rows || inside);
    sr_h5_where(where, l->file, name);
    l->status = by_rows || variable ? sr_h5_check_values(dataset, where, l->err)
                                    : sr_h5_check_place(dataset, where, l->err);
    if (l->status == 0 && whole)
        l->status = sr_h5_sound_whole(dataset, where, l->err);
    if (l->status == 0 && whole)
        l->status = sr_h5_count_whole(dataset, where, l->err);
    if (l->status == 0 && whole && has_long_index(dataset))
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
    else if (look_at_storage(l, dataset, type, name, by_rows, inside) < 0)
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

/* path: from the root. */
static int look_at_object(struct look *l, hid_t object, const char *path, const H5O_info_t *info,
                          bool inside) {
    struct object *known = object_at(&l->objects, info->addr, l->err);
    if (!known)
        return l->status = SR_NOMEM;
    if (known->looked_at[inside])
        return 0;
    known->looked_at[inside] = true;
    if (info->type == H5O_TYPE_DATASET)
        look_at_dataset(l, object, path, inside);
    if (l->status == 0)
        look_at_attributes(l, object, path);
    return l->status;
}

/* ---- what is below a member ---- */

static int fail_member(const struct look *l, const char *wrong) {
    char clean[SR_H5_CLEAN];
    return sr_fail(l->err, SR_DATA, "%s: /%s %s", l->file->path, sr_h5_clean(clean, l->member), wrong);
}

static int fail_root(const struct look *l, const char *path) {
    char clean[SR_H5_CLEAN];
    return sr_fail(
        l->err, SR_DATA,
        "%s: /%s is the file's root once more (a hard link to it), so the file would be copied into "
        "itself; remove that link",
        l->file->path, sr_h5_clean(clean, path));
}

static int fail_open(const struct look *l, const char *path) {
    char clean[SR_H5_CLEAN];
    return sr_h5_fail(l->err, SR_DATA, "%s: /%s cannot be opened", l->file->path, sr_h5_clean(clean, path));
}

/* A group met again is not gone into; that its header counts one link is then a lie, which HDF5 would
 * believe. */
static bool is_new(struct look *l, const H5O_info_t *info) {
    for (size_t i = 0; i < l->groups; i++)
        if (l->seen[i] == info->addr) {
            if (info->rc < 2)
                l->status = fail_member(l, "holds itself without saying so; the file is damaged");
            return false;
        }
    if (l->groups < GROUPS_MAX)
        l->seen[l->groups++] = info->addr;
    else
        l->status = fail_member(l, "holds more than 4096 groups, which are not copied");
    return l->status == 0;
}

static herr_t follow_link(hid_t group, const char *name, const H5L_info_t *link, void *user);

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than DEPTH_MAX */
static int go_into(struct look *l, hid_t group, const H5O_info_t *info) {
    if (!is_new(l, info))
        return l->status;
    if (l->depth++ > DEPTH_MAX)
        l->status = fail_member(l, "holds groups within groups more than 64 deep");
    else if (sr_h5_walk_links(group, follow_link, l) < 0)
        l->status = fail_member(l, "holds a group whose members cannot be listed");
    l->depth--;
    return l->status;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static herr_t follow_link(hid_t group, const char *name, const H5L_info_t *link, void *user) {
    struct look *l = user;
    const size_t n = strlen(l->path);
    H5O_info_t info;
    snprintf(l->path + n, sizeof l->path - n, "/%.100s", name);
    if (link->type != H5L_TYPE_HARD)
        l->status = fail_link(l->file->path, l->path, link_kind(link->type), l->err);
    else if (++l->links > LINKS_MAX)
        l->status = fail_member(l, "leads over more links than are followed; is the file damaged?");
    else
        l->status = sr_h5_check_link(l->file, l->path, link->u.address, l->err);
    if (l->status < 0)
        return 1;
    const hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    if (object < 0 || H5Oget_info(object, &info) < 0)
        l->status = fail_open(l, l->path);
    else if (info.addr == l->root)
        l->status = fail_root(l, l->path);
    else if (look_at_object(l, object, l->path, &info, true) == 0 && info.type == H5O_TYPE_GROUP)
        go_into(l, object, &info);
    if (object >= 0)
        H5Oclose(object);
    l->path[n] = '\0';
    return l->status != 0;
}

static int look_at_member(struct look *l, hid_t member, const H5O_info_t *info) {
    l->groups = 0;
    snprintf(l->path, sizeof l->path, "%.100s", l->member);
    if (info->addr == l->root)
        l->status = fail_root(l, l->member);
    else if (look_at_object(l, member, l->member, info, false) == 0 && info->type == H5O_TYPE_GROUP)
        go_into(l, member, info);
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

/* One that is an earlier member by another name has been looked at. */
static void take_member(struct gathering *g, hid_t member, const H5O_info_t *info) {
    struct look *l = &g->look;
    const size_t n = g->out->n++;
    struct object *known = object_at(&l->objects, info->addr, l->err);
    if (!known) {
        l->status = SR_NOMEM;
        return;
    }
    struct sr_h5_member *m = &g->out->item[n];
    m->same_as = known->member == NOBODY ? n : known->member;
    m->by_rows = info->type == H5O_TYPE_DATASET && first_dimension(member) == l->rows;
    if (known->member == NOBODY) {
        known->member = n;
        look_at_member(l, member, info);
    }
}

static herr_t gather_member(hid_t group, const char *name, const H5L_info_t *link, void *user) {
    struct gathering *g = user;
    struct look *l = &g->look;
    H5O_info_t info;
    if (link->type != H5L_TYPE_HARD) {
        l->status = fail_link(l->file->path, name, link_kind(link->type), l->err);
        return 1;
    }
    l->member = name;
    l->status = sr_h5_check_link(l->file, name, link->u.address, l->err);
    if (l->status < 0)
        return 1;
    const hid_t member = H5Oopen(group, name, H5P_DEFAULT);
    if (member < 0 || H5Oget_info(member, &info) < 0)
        l->status = fail_open(l, name);
    else
        l->status = add_member(g, name, l->err);
    if (l->status == 0)
        take_member(g, member, &info);
    if (member >= 0)
        H5Oclose(member);
    return l->status != 0;
}

/* HDF5 1.10 copies a message that is shared as one of a table that the new file has not. */
static int check_shared(const struct sr_h5 *f, struct sr_error *err) {
    unsigned tables = 0;
    const hid_t create = H5Fget_create_plist(f->id);
    H5Pget_shared_mesg_nindexes(create, &tables);
    H5Pclose(create);
    if (tables == 0)
        return 0;
    return sr_fail(
        err, SR_DATA,
        "%s: its objects share messages (H5Pset_shared_mesg_nindexes), which HDF5 cannot copy; make a "
        "dump without first: saferoute data convert --dtype keep FILE --out CLEAN.h5",
        f->path);
}

int sr_h5_members(struct sr_h5_members *out, const struct sr_h5 *f, size_t rows, bool some,
                  struct sr_error *err) {
    struct gathering g = {.out = out,
                          .look = {.file = f, .member = "", .rows = rows, .some = some, .err = err}};
    *out = (struct sr_h5_members){0};
    if (sr_h5_check_here(f, err) < 0)
        return SR_USAGE;
    g.look.seen = sr_alloc(GROUPS_MAX, sizeof *g.look.seen, err);
    if (!g.look.seen)
        return SR_NOMEM;
    sr_h5_lock();
    H5O_info_t info = {.addr = HADDR_UNDEF};
    const hid_t root = H5Gopen2(f->id, "/", H5P_DEFAULT);
    H5Oget_info(root, &info);
    g.look.root = info.addr;
    g.look.status = check_shared(f, err);
    if (g.look.status == 0)
        look_at_attributes(&g.look, root, "");
    if (g.look.status == 0 && sr_h5_walk_links(root, gather_member, &g) < 0)
        g.look.status = sr_h5_fail(err, SR_DATA, "%s: its members cannot be listed", f->path);
    H5Gclose(root);
    sr_h5_unlock();
    sr_free(g.look.objects.slot);
    sr_free(g.look.seen);
    return g.look.status;
}

void sr_h5_members_free(struct sr_h5_members *m) {
    for (size_t i = 0; i < m->n; i++)
        sr_free(m->item[i].name);
    sr_free(m->item);
    *m = (struct sr_h5_members){0};
}
