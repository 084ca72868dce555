/* power_disk.h: a disk that promises what POSIX does, filled by the record of a program's calls.
 *
 * The bytes of a file last once that file was synced, its name once its folder was. Until then the disk may
 * hold: of each name that was made, moved or removed since its folder was synced, either (all subsets); of
 * the bytes since their file was synced, all, none, zeros in their place, or the first half. A state is one
 * such choice after some of the calls; power_states gives all of them to a function.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_POWER_DISK_H
#define SR_TEST_POWER_DISK_H

#include <fcntl.h>

#include "tests/fault.h"
#include "tests/snapshot.h"

#define NODES   512
#define NAMES   512
#define PENDING 400 /* changes of names whose folder was not synced since */
#define SUBSETS 10  /* up to so many of them any may last; of more, none, the first half or all */

/* ---- the disk ---- */

/* A file's bytes as the program sees them and as they were synced; folders have none. */
struct node {
    bool is_folder, has_unsynced;
    char *bytes, *synced;
    size_t size, synced_size;
};

/* A name in a folder. node 0: the folder that all lies in. */
struct name {
    int folder, node; /* node -1: no longer there */
    char text[128];
};

/* Names that were changed by one call: they last together. */
struct change {
    int n;
    struct name name[2];
};

struct disk {
    struct node node[NODES];
    int nodes;
    struct name now[NAMES], lasting[NAMES]; /* as the program sees them, and as they were synced */
    int n_now, n_lasting;
    struct change pending[PENDING]; /* oldest first */
    int n_pending;
    bool changed; /* by the last call */
};

static inline void disk_put(struct name *list, int *n, const struct name *name) {
    int i = 0;
    while (i < *n && (list[i].folder != name->folder || strcmp(list[i].text, name->text) != 0))
        i++;
    cr_assert_lt(i, NAMES);
    list[i] = *name;
    *n += i == *n;
}

static inline int disk_get(const struct name *list, int n, int folder, const char *text) {
    for (int i = 0; i < n; i++)
        if (list[i].folder == folder && strcmp(list[i].text, text) == 0)
            return list[i].node;
    return -1;
}

/* The folder of a path below the scratch folder, and the last part of its name. -1: there is no such folder.
 */
static inline int disk_walk(const struct disk *d, const char *path, char last[128]) {
    int folder = 0;
    last[0] = '\0';
    for (const char *p = path; *p && folder >= 0;) {
        const size_t length = strcspn(p, "/");
        if (last[0])
            folder = disk_get(d->now, d->n_now, folder, last);
        if (length > 0)
            snprintf(last, 128, "%.*s", (int)length, p);
        p += length + strspn(p + length, "/");
    }
    return folder;
}

static inline int disk_find(const struct disk *d, const char *path) {
    char last[128];
    const int folder = disk_walk(d, path, last);
    return !last[0] ? 0 : folder < 0 ? -1 : disk_get(d->now, d->n_now, folder, last);
}

static inline struct name disk_name(const struct disk *d, const char *path, int node) {
    struct name name = {.node = node};
    name.folder = disk_walk(d, path, name.text);
    cr_assert_geq(name.folder, 0, "%s", path);
    return name;
}

static inline void disk_change(struct disk *d, const struct change *c) {
    for (int i = 0; i < c->n; i++)
        disk_put(d->now, &d->n_now, &c->name[i]);
    cr_assert_lt(d->n_pending, PENDING);
    d->changed = true;
    d->pending[d->n_pending++] = *c;
}

static inline int disk_node(struct disk *d, bool is_folder) {
    cr_assert_lt(d->nodes, NODES);
    d->node[d->nodes].is_folder = is_folder;
    return d->nodes++;
}

/* ---- the calls ---- */

static inline void disk_create(struct disk *d, const char *path, bool is_folder) {
    struct change c = {.n = 1};
    c.name[0] = disk_name(d, path, disk_node(d, is_folder));
    disk_change(d, &c);
}

static inline void disk_move(struct disk *d, const char *from, const char *to) {
    struct change c = {.n = 2};
    c.name[0] = disk_name(d, to, disk_find(d, from));
    c.name[1] = disk_name(d, from, -1);
    cr_assert_geq(c.name[0].node, 0, "%s", from);
    disk_change(d, &c);
}

static inline void disk_unlink(struct disk *d, const char *path) {
    struct change c = {.n = 1};
    c.name[0] = disk_name(d, path, -1);
    disk_change(d, &c);
}

static inline void disk_write(struct disk *d, const char *path, size_t at, const char *bytes, size_t n) {
    const int node = disk_find(d, path);
    cr_assert_geq(node, 0, "%s", path);
    struct node *f = &d->node[node];
    if (at + n > f->size) {
        f->bytes = realloc(f->bytes, at + n);
        memset(f->bytes + f->size, 0, at + n - f->size);
        f->size = at + n;
    }
    memcpy(f->bytes + at, bytes, n);
    f->has_unsynced = d->changed = true;
}

static inline void disk_truncate(struct disk *d, const char *path, size_t size) {
    struct node *f = &d->node[disk_find(d, path)];
    f->bytes = realloc(f->bytes, size + 1);
    if (size > f->size)
        memset(f->bytes + f->size, 0, size - f->size);
    f->size = size;
    f->has_unsynced = d->changed = true;
}

static inline void disk_sync_file(struct node *f) {
    f->synced = realloc(f->synced, f->size + 1);
    if (f->size)
        memcpy(f->synced, f->bytes, f->size);
    f->synced_size = f->size;
    f->has_unsynced = false;
}

/* Of a change in two folders the part in this one lasts; here there are none. */
static inline void disk_sync_folder(struct disk *d, int folder) {
    int kept = 0;
    for (int i = 0; i < d->n_pending; i++) {
        const struct change c = d->pending[i];
        if (c.name[0].folder != folder)
            d->pending[kept++] = c;
        for (int k = 0; k < c.n && c.name[0].folder == folder; k++)
            disk_put(d->lasting, &d->n_lasting, &c.name[k]);
    }
    d->n_pending = kept;
}

static inline void disk_sync(struct disk *d, int node) {
    cr_assert_geq(node, 0);
    d->changed = true;
    if (node > 0 && !d->node[node].is_folder)
        disk_sync_file(&d->node[node]);
    else
        disk_sync_folder(d, node);
}

/* ---- the record ---- */

struct record {
    char *log, *data;           /* what is left of them */
    const char *folder, *below; /* the scratch folder, and the part of it that is looked at: "/out" */
    bool no_file_syncs, no_folder_syncs; /* as if the program had not asked for them */
};

/* Plays the next call. False at the end. */
static inline bool disk_play(struct disk *d, struct record *r) {
    char kind[16], mark, *line = strsep(&r->log, "\n");
    long long result, offset, flags;
    int at;
    d->changed = false;
    if (!line || !*line)
        return false;
    cr_assert_eq(sscanf(line, "%15s %lld %lld %*d %lld %c %n", kind, &result, &offset, &flags, &mark, &at), 5,
                 "%s", line);
    char *other = line + at, *path = strsep(&other, "\t");
    const size_t root = strlen(r->folder);
    const bool below = strncmp(path, r->folder, root) == 0,
               ours = below && strncmp(path + root, r->below, strlen(r->below)) == 0;
    if (strcmp(kind, "write") == 0 && result > 0) {
        if (ours)
            disk_write(d, path + root, (size_t)offset, r->data, (size_t)result);
        r->data += result;
    }
    if (result < 0)
        return true;
    if (below && strcmp(kind, "fsync") == 0 && (ours || !path[root])) {
        const int node = disk_find(d, path + root);
        if (node > 0 && !d->node[node].is_folder ? !r->no_file_syncs : !r->no_folder_syncs)
            disk_sync(d, node);
    }
    if (!ours)
        return true;
    path += root;
    if (strcmp(kind, "mkdir") == 0)
        disk_create(d, path, true);
    if (strcmp(kind, "open") == 0 && (flags & O_CREAT) && disk_find(d, path) < 0)
        disk_create(d, path, false);
    if ((strcmp(kind, "open") == 0 && (flags & O_TRUNC)) || strcmp(kind, "truncate") == 0)
        disk_truncate(d, path, strcmp(kind, "open") == 0 ? 0 : (size_t)offset);
    if (strcmp(kind, "rename") == 0)
        disk_move(d, path, other + root);
    if (strcmp(kind, "unlink") == 0 || strcmp(kind, "rmdir") == 0)
        disk_unlink(d, path);
    cr_assert_str_neq(kind, "link");
    return true;
}

/* ---- what the disk may hold ---- */

/* Of unsynced bytes. MIXED: each file another, by its node and the calls so far. */
enum loss { NOTHING, UNSYNCED, ZEROED, SECOND_HALF, MIXED, LOSSES };
static const char *const loss_name[LOSSES] = {"nothing", "unsynced bytes", "unsynced bytes zeroed",
                                              "half of the unsynced bytes", "of each file something else"};

/* A state: the names that last, those changes of the pending ones that `choice` says, and that loss. */
struct state {
    const struct disk *d;
    struct name name[NAMES];
    int n;
    unsigned choice; /* of the changes: a set of bits, or how many of the first */
    enum loss loss;
    size_t calls; /* played */
};

static inline bool is_chosen(const struct disk *d, unsigned choice, int i) {
    return d->n_pending <= SUBSETS ? choice >> i & 1 : (unsigned)i < choice;
}

static inline void state_make(struct state *s, const struct disk *d, unsigned choice, enum loss loss,
                              size_t calls) {
    *s = (struct state){.d = d, .n = d->n_lasting, .choice = choice, .loss = loss, .calls = calls};
    memcpy(s->name, d->lasting, (size_t)d->n_lasting * sizeof *s->name);
    for (int i = 0; i < d->n_pending; i++)
        for (int k = 0; is_chosen(d, choice, i) && k < d->pending[i].n; k++)
            disk_put(s->name, &s->n, &d->pending[i].name[k]);
}

static inline const char *state_text(const struct state *s) {
    static char text[160];
    snprintf(text, sizeof text, "power failed after call %zu, with the changes %x of %d names, %s lost",
             s->calls, s->choice, s->d->n_pending, loss_name[s->loss]);
    return text;
}

static inline enum loss loss_of(const struct state *s, const struct node *f) {
    const size_t number = (size_t)(f - s->d->node);
    if (!f->has_unsynced)
        return NOTHING;
    return s->loss == MIXED ? (enum loss)((number + s->calls) % MIXED) : s->loss;
}

/* A file's bytes in the state; free with sr_free. */
static inline char *state_bytes(const struct state *s, const struct node *f, size_t *size) {
    const enum loss loss = loss_of(s, f);
    const size_t kept = f->synced_size, more = f->size > kept ? f->size - kept : 0;
    *size = loss == UNSYNCED ? kept : loss == SECOND_HALF && more > 0 ? kept + more / 2 : f->size;
    char *bytes = sr_alloc(kept + more + 1, 1, NULL);
    if (f->size)
        memcpy(bytes, f->bytes, f->size);
    if (loss != NOTHING && kept)
        memcpy(bytes, f->synced, kept);
    if (loss == ZEROED)
        memset(bytes + kept, 0, more);
    return bytes;
}

/* All below a folder of the state, names with `below` before them. */
static inline void state_gather(struct snapshot *to, const struct state *s, int folder, const char *below) {
    for (int i = 0; i < s->n; i++) {
        const struct name *name = &s->name[i];
        if (name->folder != folder || name->node < 0)
            continue;
        const struct node *node = &s->d->node[name->node];
        struct snapshot_file *f = snapshot_more(to, below, name->text, node->is_folder);
        if (node->is_folder)
            state_gather(to, s, name->node, f->name);
        else
            f->bytes = state_bytes(s, node, &f->size);
    }
}

/* The files below r->below in the state. Free with snapshot_free. */
static inline struct snapshot *state_files(const struct state *s, const struct record *r) {
    struct snapshot *files = calloc(1, sizeof *files);
    const int top = disk_get(s->name, s->n, 0, r->below + 1);
    if (top >= 0)
        state_gather(files, s, top, "");
    return files;
}

/* ---- all of them ---- */

/* over: the program has ended. */
typedef void power_look(void *user, const struct state *s, bool over);

static inline void power_now(const struct disk *d, size_t calls, bool over, power_look *look, void *user) {
    static struct state s;
    int unsynced = 0;
    for (int i = 0; i < d->nodes; i++)
        unsynced += d->node[i].has_unsynced;
    const int losses = unsynced == 0 ? UNSYNCED : unsynced == 1 ? MIXED : LOSSES;
    const unsigned n = (unsigned)d->n_pending, all = n <= SUBSETS ? (1u << n) - 1 : n;
    for (unsigned c = 0; c <= all; c += n <= SUBSETS ? 1 : (n + 1) / 2)
        for (int loss = NOTHING; loss < losses; loss++) {
            state_make(&s, d, c, (enum loss)loss, calls);
            look(user, &s, over);
        }
}

/* What lies on the disk before the first call. */
static inline void power_begin(struct disk *d, const struct record *r, const struct snapshot *before) {
    char path[512];
    memset(d, 0, sizeof *d);
    d->node[0].is_folder = true;
    d->nodes = 1;
    if (!before)
        return;
    disk_create(d, r->below, true);
    disk_sync(d, 0);
    for (size_t i = 0; i < before->n; i++) {
        const struct snapshot_file *f = &before->file[i];
        char last[128];
        snprintf(path, sizeof path, "%s/%s", r->below, f->name);
        disk_create(d, path, f->name[strlen(f->name) - 1] == '/');
        disk_sync(d, disk_walk(d, path, last));
        if (f->bytes) {
            disk_write(d, path, 0, f->bytes, f->size);
            disk_sync(d, disk_find(d, path));
        }
    }
}

/* Gives every state that the record can leave to look; before: the files there were, or NULL. */
static inline void power_states(struct record *r, const struct snapshot *before, power_look *look,
                                void *user) {
    static struct disk d;
    size_t calls = 0;
    char *const log = strdup(r->log), *const data = r->data, *const kept = r->log;
    power_begin(&d, r, before);
    r->log = log;
    power_now(&d, 0, false, look, user);
    while (disk_play(&d, r)) {
        calls++;
        if (d.changed)
            power_now(&d, calls, false, look, user);
    }
    power_now(&d, calls, true, look, user);
    for (int i = 0; i < d.nodes; i++) {
        free(d.node[i].bytes);
        free(d.node[i].synced);
    }
    free(log);
    r->log = kept;
    r->data = data;
}

/* Runs the program to a good end, or to a finding about the data, and records its calls. Free with
 * record_free. */
static inline struct record record_run(const char *folder, const char *below, const char *arguments) {
    char path[256], prefix[512];
    snprintf(prefix, sizeof prefix, "SR_FAULT_DATA='%s'", fault_path(path, sizeof path, folder, "data"));
    unlink(path);
    struct faulted f = fault_wait(fault_start(folder, NULL, prefix, "%s", arguments), folder);
    cr_assert(f.run.status == 0 || f.run.status == 1, "%d: %s", f.run.status, f.run.err);
    faulted_end(&f);
    struct record r = {.folder = folder, .below = below, .data = slurp(path)};
    r.log = slurp(fault_path(path, sizeof path, folder, "fault.log"));
    return r;
}

static inline void record_free(struct record *r) {
    sr_free(r->log);
    sr_free(r->data);
}

#endif
