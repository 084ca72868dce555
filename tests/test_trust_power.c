/* test_trust_power.c: the power fails at any moment of a training run; what the disk holds then can be
 * resumed.
 *
 * The shim records every call of a whole run that changes files. This program plays the record back into a
 * model of a disk that has promised only what POSIX does: the bytes of a file are there once that file was
 * synced, its name once its folder was. For every prefix of the record the disk may hold: of each name that
 * was made, moved or removed since its folder was synced, either (all subsets); of each byte since its file
 * was synced, all, none, zeros in its place, or the first half. Each such folder, made for real, must hold
 * the old or the new file of every name, no older than what was synced, and `train --resume` must end in the
 * bytes of a run that was never stopped.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>

#include "tests/small_run.h"
#include "tests/trust.h"

#define RUNS    "/runs" /* what the program makes below the scratch folder */
#define STOPPED "runs/stopped"
#define NODES   512
#define NAMES   256
#define PENDING 60 /* changes of names whose folder was not synced since */
#define SUBSETS                                                                                              \
    10 /* up to so many of them all subsets may last; of more, as many as one likes from the first */

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

static void put(struct name *list, int *n, const struct name *name) {
    int i = 0;
    while (i < *n && (list[i].folder != name->folder || strcmp(list[i].text, name->text) != 0))
        i++;
    cr_assert_lt(i, NAMES);
    list[i] = *name;
    *n += i == *n;
}

static int get(const struct name *list, int n, int folder, const char *text) {
    for (int i = 0; i < n; i++)
        if (list[i].folder == folder && strcmp(list[i].text, text) == 0)
            return list[i].node;
    return -1;
}

/* The folder of a path below the scratch folder, and the last part of its name. -1: there is no such folder.
 */
static int walk(const struct disk *d, const char *path, char last[128]) {
    int folder = 0;
    last[0] = '\0';
    for (const char *p = path; *p && folder >= 0;) {
        const size_t length = strcspn(p, "/");
        if (last[0])
            folder = get(d->now, d->n_now, folder, last);
        if (length > 0)
            snprintf(last, 128, "%.*s", (int)length, p);
        p += length + strspn(p + length, "/");
    }
    return folder;
}

static int find(const struct disk *d, const char *path) {
    char last[128];
    const int folder = walk(d, path, last);
    return !last[0] ? 0 : folder < 0 ? -1 : get(d->now, d->n_now, folder, last);
}

static struct name name_at(const struct disk *d, const char *path, int node) {
    struct name name = {.node = node};
    name.folder = walk(d, path, name.text);
    cr_assert_geq(name.folder, 0, "%s", path);
    return name;
}

static void change(struct disk *d, const struct change *c) {
    for (int i = 0; i < c->n; i++)
        put(d->now, &d->n_now, &c->name[i]);
    cr_assert_lt(d->n_pending, PENDING);
    d->changed = true;
    d->pending[d->n_pending++] = *c;
}

static int node_new(struct disk *d, bool is_folder) {
    cr_assert_lt(d->nodes, NODES);
    d->node[d->nodes].is_folder = is_folder;
    return d->nodes++;
}

/* ---- the calls ---- */

static void create(struct disk *d, const char *path, bool is_folder) {
    struct change c = {.n = 1};
    c.name[0] = name_at(d, path, node_new(d, is_folder));
    change(d, &c);
}

static void move(struct disk *d, const char *from, const char *to) {
    struct change c = {.n = 2};
    c.name[0] = name_at(d, to, find(d, from));
    c.name[1] = name_at(d, from, -1);
    cr_assert_geq(c.name[0].node, 0, "%s", from);
    change(d, &c);
}

static void discard(struct disk *d, const char *path) {
    struct change c = {.n = 1};
    c.name[0] = name_at(d, path, -1);
    change(d, &c);
}

static void write_bytes(struct disk *d, const char *path, size_t at, const char *bytes, size_t n) {
    const int node = find(d, path);
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

static void sync_file(struct node *f) {
    f->synced = realloc(f->synced, f->size + 1);
    if (f->size)
        memcpy(f->synced, f->bytes, f->size);
    f->synced_size = f->size;
    f->has_unsynced = false;
}

/* Of a change in two folders the part in this one lasts; here there are none. */
static void sync_folder(struct disk *d, int folder) {
    int kept = 0;
    for (int i = 0; i < d->n_pending; i++) {
        const struct change c = d->pending[i];
        if (c.name[0].folder != folder)
            d->pending[kept++] = c;
        for (int k = 0; k < c.n && c.name[0].folder == folder; k++)
            put(d->lasting, &d->n_lasting, &c.name[k]);
    }
    d->n_pending = kept;
}

static void sync_node(struct disk *d, int node) {
    cr_assert_geq(node, 0);
    d->changed = true;
    if (node > 0 && !d->node[node].is_folder)
        sync_file(&d->node[node]);
    else
        sync_folder(d, node);
}

/* ---- the record ---- */

struct record {
    char *log, *data; /* what is left of them */
    const char *folder;
    bool no_file_syncs, no_folder_syncs; /* as if the program had not asked for them */
};

/* Plays the next call. False at the end. */
static bool play(struct disk *d, struct record *r) {
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
               ours = below && strncmp(path + root, RUNS, strlen(RUNS)) == 0;
    if (strcmp(kind, "write") == 0 && result > 0) {
        if (ours)
            write_bytes(d, path + root, (size_t)offset, r->data, (size_t)result);
        r->data += result;
    }
    if (result < 0)
        return true;
    if (below && strcmp(kind, "fsync") == 0 && (ours || !path[root])) {
        const int node = find(d, path + root);
        if (node > 0 && !d->node[node].is_folder ? !r->no_file_syncs : !r->no_folder_syncs)
            sync_node(d, node);
    }
    if (!ours)
        return true;
    path += root;
    if (strcmp(kind, "mkdir") == 0)
        create(d, path, true);
    if (strcmp(kind, "open") == 0 && (flags & O_CREAT) && find(d, path) < 0)
        create(d, path, false);
    if (strcmp(kind, "rename") == 0)
        move(d, path, other + root);
    if (strcmp(kind, "unlink") == 0 || strcmp(kind, "rmdir") == 0)
        discard(d, path);
    cr_assert(strcmp(kind, "truncate") != 0 && strcmp(kind, "link") != 0 && !(flags & O_TRUNC), "%s", line);
    return true;
}

/* ---- what the disk may hold ---- */

enum loss { NOTHING, UNSYNCED, ZEROED, SECOND_HALF, LOSSES };
static const char *const loss_name[LOSSES] = {"nothing", "unsynced bytes", "unsynced bytes zeroed",
                                              "half of the unsynced bytes"};

/* A state: the names that last, those changes of the pending ones that are in `subset`, and that loss. */
struct state {
    const struct disk *d;
    struct name name[NAMES];
    int n;
    uint64_t subset;
    enum loss loss;
    size_t calls; /* played */
};

static void state_make(struct state *s, const struct disk *d, uint64_t subset, enum loss loss, size_t calls) {
    *s = (struct state){.d = d, .n = d->n_lasting, .subset = subset, .loss = loss, .calls = calls};
    memcpy(s->name, d->lasting, (size_t)d->n_lasting * sizeof *s->name);
    for (int i = 0; i < d->n_pending; i++)
        for (int k = 0; (subset >> i & 1) && k < d->pending[i].n; k++)
            put(s->name, &s->n, &d->pending[i].name[k]);
}

static const char *state_text(const struct state *s) {
    static char text[160];
    snprintf(text, sizeof text, "power failed after call %zu, with the changes %llx of %d names, %s lost",
             s->calls, (unsigned long long)s->subset, s->d->n_pending, loss_name[s->loss]);
    return text;
}

/* A file's bytes in the state; free with free. */
static char *bytes_of(const struct state *s, const struct node *f, size_t *size) {
    const enum loss loss = f->has_unsynced ? s->loss : NOTHING;
    const size_t half = f->synced_size + (f->size - f->synced_size) / 2;
    *size = loss == UNSYNCED ? f->synced_size : loss == SECOND_HALF ? half : f->size;
    char *bytes = calloc(f->size + 1, 1);
    if (f->size)
        memcpy(bytes, f->bytes, f->size);
    if (loss != NOTHING && f->synced_size)
        memcpy(bytes, f->synced, f->synced_size);
    if (loss == ZEROED)
        memset(bytes + f->synced_size, 0, f->size - f->synced_size);
    return bytes;
}

/* All below a folder of the state, names with `below` before them. */
static void gather(struct snapshot *to, const struct state *s, int folder, const char *below) {
    for (int i = 0; i < s->n; i++) {
        const struct name *name = &s->name[i];
        if (name->folder != folder || name->node < 0)
            continue;
        cr_assert_lt(to->n, (size_t)SNAPSHOT_FILES);
        struct snapshot_file *f = &to->file[to->n++];
        const struct node *node = &s->d->node[name->node];
        snprintf(f->name, sizeof f->name, "%.100s%.120s%s", below, name->text, node->is_folder ? "/" : "");
        if (node->is_folder)
            gather(to, s, name->node, f->name);
        else
            f->bytes = bytes_of(s, node, &f->size);
    }
}

/* ---- what must hold of a state ---- */

static bool is_temporary(const char *name) {
    return strstr(name, ".tmp") != NULL;
}

/* What is wrong with the state, or NULL. Under every name is the file that was synced under it or one that
 * came after, and whole. */
static const char *wrong(const struct state *s) {
    for (int i = 0; i < s->n; i++) {
        const struct name *name = &s->name[i];
        if (is_temporary(name->text) || small_run_free(name->text) || name->node < 0)
            continue;
        const struct node *node = &s->d->node[name->node];
        if (name->node < get(s->d->lasting, s->d->n_lasting, name->folder, name->text))
            return "a file older than what was synced";
        if (!node->is_folder && node->has_unsynced && s->loss != NOTHING)
            return "a file has its name and not its bytes";
    }
    return NULL;
}

/* The run was over, so all of it must be there. */
static const char *wrong_in_the_end(const struct snapshot *files, const struct snapshot *whole) {
    char name[512];
    for (size_t i = 0; i < whole->n; i++) {
        snprintf(name, sizeof name, "stopped/%s", whole->file[i].name);
        if (!small_run_free(name) && !snapshot_same(&whole->file[i], snapshot_find(files, name)))
            return "the run was over, and a file of it is gone";
    }
    return NULL;
}

/* What a resumed run can make something of. */
static void digest(char hex[65], const struct snapshot *s) {
    struct sr_sha256 sha;
    sr_sha256_begin(&sha);
    for (size_t i = 0; i < s->n; i++) {
        const struct snapshot_file *f = &s->file[i];
        const bool counts = !is_temporary(f->name) && !small_run_free(f->name);
        sr_sha256_add(&sha, f->name, strlen(f->name) + 1);
        sr_sha256_add(&sha, f->bytes ? f->bytes : "", counts ? f->size : 0);
    }
    sr_sha256_end(&sha, hex);
}

/* ---- the test ---- */

struct search {
    const char *folder;
    const struct snapshot *whole;
    char (*seen)[65]; /* digests of states */
    size_t n_seen, room;
    size_t states, resumed, every; /* every: of so many different states one is resumed; 0: none */
    size_t wrong;                  /* states that are */
};

static bool is_new(struct search *t, const struct snapshot *s) {
    char hex[65];
    digest(hex, s);
    for (size_t i = 0; i < t->n_seen; i++)
        if (strcmp(t->seen[i], hex) == 0)
            return false;
    if (t->n_seen == t->room)
        t->seen = realloc(t->seen, (t->room = 2 * t->room + 64) * sizeof *t->seen);
    memcpy(t->seen[t->n_seen++], hex, sizeof hex);
    return true;
}

/* The state becomes real files, and the run goes on from them. */
static void resume(struct search *t, const struct snapshot *s, const char *when) {
    char runs[256];
    snapshot_restore(s, fault_path(runs, sizeof runs, t->folder, RUNS + 1));
    struct run r = run_program(t->folder, "%s", small_run_go(t->folder, STOPPED, ""));
    cr_expect_eq(r.status, 0, "%s: %s", when, r.err);
    if (r.status == 0)
        small_run_same(t->folder, STOPPED, t->whole, when);
    run_end(&r);
    struct snapshot *left = snapshot_take(runs);
    for (size_t i = 0; i < left->n; i++)
        cr_expect(!is_temporary(left->file[i].name), "%s: %s was left behind", when, left->file[i].name);
    snapshot_free(left);
    t->resumed++;
}

static void look(struct search *t, const struct state *s, bool over) {
    struct snapshot *files = calloc(1, sizeof *files);
    const int runs = get(s->name, s->n, 0, RUNS + 1);
    if (runs >= 0)
        gather(files, s, runs, "");
    const char *what = wrong(s);
    if (!what && over)
        what = wrong_in_the_end(files, t->whole);
    t->states++;
    t->wrong += what != NULL;
    if (t->every > 0) {
        cr_expect(!what, "%s: %s", state_text(s), what);
        if (is_new(t, files) && t->n_seen % t->every == 0)
            resume(t, files, state_text(s));
    }
    for (size_t i = 0; i < files->n; i++)
        free(files->file[i].bytes);
    free(files);
}

/* All that the disk may hold now. */
static void look_at_states(struct search *t, const struct disk *d, size_t calls, bool over) {
    static struct state s;
    bool unsynced = false;
    for (int i = 0; i < d->nodes; i++)
        unsynced |= d->node[i].has_unsynced;
    const bool all = d->n_pending <= SUBSETS;
    const uint64_t choices = all ? (uint64_t)1 << d->n_pending : (uint64_t)d->n_pending + 1;
    for (uint64_t c = 0; c < choices; c++)
        for (int loss = NOTHING; loss < (unsynced ? LOSSES : UNSYNCED); loss++) {
            state_make(&s, d, all ? c : ((uint64_t)1 << c) - 1, (enum loss)loss, calls);
            look(t, &s, over);
        }
}

static void search(struct search *t, struct record *r) {
    static struct disk d;
    size_t calls = 0;
    char *const log = strdup(r->log), *const data = r->data, *const kept = r->log;
    memset(&d, 0, sizeof d);
    d.node[0].is_folder = true;
    d.nodes = 1;
    r->log = log;
    look_at_states(t, &d, 0, false);
    while (play(&d, r)) {
        calls++;
        if (d.changed)
            look_at_states(t, &d, calls, false);
    }
    look_at_states(t, &d, calls, true);
    for (int i = 0; i < d.nodes; i++) {
        free(d.node[i].bytes);
        free(d.node[i].synced);
    }
    free(log);
    r->log = kept;
    r->data = data;
}

static struct record record_run(const char *folder) {
    char path[256], prefix[512];
    snprintf(prefix, sizeof prefix, "SR_FAULT_DATA='%s'", fault_path(path, sizeof path, folder, "data"));
    struct faulted f =
        fault_wait(fault_start(folder, NULL, prefix, "%s", small_run_begin(folder, STOPPED, "")), folder);
    cr_assert_eq(f.run.status, 0, "%s", f.run.err);
    faulted_end(&f);
    struct record r = {.folder = folder, .data = slurp(path)};
    r.log = slurp(fault_path(path, sizeof path, folder, "fault.log"));
    return r;
}

Test(trust_power, any_moment, .timeout = 1200) {
    fault_need();
    char *folder = folder_begin();
    small_run_dumps(folder);
    struct snapshot *whole = small_run_whole(folder, "");
    struct record r = record_run(folder);
    struct search t = {.folder = folder, .whole = whole, .every = trust_long() ? 1 : 16};
    search(&t, &r);
    cr_log_info("%zu states, %zu of them different, %zu resumed", t.states, t.n_seen, t.resumed);
    cr_expect_geq(t.states, (size_t)1000);
    cr_expect_geq(t.resumed, (size_t)10);
    free(t.seen);

    /* A program that did not sync would be found out. */
    struct search files = {.folder = folder, .whole = whole}, folders = files;
    r.no_file_syncs = true;
    search(&files, &r);
    cr_expect_gt(files.wrong, (size_t)10);
    r.no_file_syncs = false;
    r.no_folder_syncs = true;
    search(&folders, &r);
    cr_expect_gt(folders.wrong, (size_t)1);
    sr_free(r.log);
    sr_free(r.data);
    snapshot_free(whole);
    folder_end(folder);
}
