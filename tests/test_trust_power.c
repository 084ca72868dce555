/* test_trust_power.c: the power fails at any moment of a training run; what the disk holds then can be
 * resumed.
 *
 * Every call of a whole run is recorded and played back into power_disk.h. Each folder that the disk may hold
 * then, made for real, has the old or the new file under every name, none older than what was synced, and
 * `train --resume` ends in the bytes of a run that was never stopped.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/power_disk.h"
#include "tests/small_run.h"
#include "tests/trust.h"

#define STOPPED "runs/stopped"

/* ---- what must hold of a state ---- */

static bool is_temporary(const char *name) {
    return strstr(name, ".tmp") != NULL;
}

/* What is wrong with the state, or NULL. Under every name is the file that was synced under it or one that
 * came after, and whole. */
static const char *wrong(const struct state *s) {
    for (int i = 0; i < s->n; i++) {
        const struct name *name = &s->name[i];
        if (is_temporary(name->text) || snapshot_named(name->text, snapshot_times) || name->node < 0)
            continue;
        const struct node *node = &s->d->node[name->node];
        if (name->node < disk_get(s->d->lasting, s->d->n_lasting, name->folder, name->text))
            return "a file older than what was synced";
        if (!node->is_folder && loss_of(s, node) != NOTHING)
            return "a file has its name and not its bytes";
    }
    return NULL;
}

/* The run was over, so all of it must be there. */
static const char *wrong_in_the_end(const struct snapshot *files, const struct snapshot *whole) {
    char name[512];
    for (size_t i = 0; i < whole->n; i++) {
        snprintf(name, sizeof name, "stopped/%s", whole->file[i].name);
        if (!snapshot_named(name, snapshot_times) &&
            !snapshot_same(&whole->file[i], snapshot_find(files, name)))
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
        const bool counts = !is_temporary(f->name) && !snapshot_named(f->name, snapshot_times);
        sr_sha256_add(&sha, f->name, strlen(f->name) + 1);
        sr_sha256_add(&sha, f->bytes ? f->bytes : "", counts ? f->size : 0);
    }
    sr_sha256_end(&sha, hex);
}

/* ---- the test ---- */

struct search {
    const char *folder, *more;
    const struct record *record;
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
    snapshot_restore(s, fault_path(runs, sizeof runs, t->folder, "runs"));
    struct run r = run_program(t->folder, "%s", small_run_go(t->folder, STOPPED, t->more));
    cr_expect_eq(r.status, 0, "%s: %s", when, r.err);
    if (r.status == 0)
        small_run_same(t->folder, STOPPED, t->whole, when);
    run_end(&r);
    snapshot_expect_finished(runs, when);
    t->resumed++;
}

static void look(void *user, const struct state *s, bool over) {
    struct search *t = user;
    struct snapshot *files = state_files(s, t->record);
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
    snapshot_free(files);
}

/* A program that did not sync would be found out. */
static void expect_wrong(const struct search *t, struct record *r) {
    struct search files = {.record = r, .whole = t->whole}, folders = files;
    r->no_file_syncs = true;
    power_states(r, NULL, look, &files);
    cr_expect_gt(files.wrong, (size_t)10);
    r->no_file_syncs = false;
    r->no_folder_syncs = true;
    power_states(r, NULL, look, &folders);
    cr_expect_gt(folders.wrong, (size_t)1);
    r->no_folder_syncs = false;
}

/* Of so many different states one is resumed. */
static void fail_at_any_moment(const char *more, size_t every) {
    fault_need();
    char *folder = folder_begin();
    small_run_dumps(folder);
    struct snapshot *whole = small_run_whole(folder, more);
    struct record r = record_run(folder, "/runs", small_run_begin(folder, STOPPED, more));
    struct search t = {.folder = folder, .more = more, .record = &r, .whole = whole, .every = every};
    power_states(&r, NULL, look, &t);
    cr_log_info("%s%zu states, %zu of them different, %zu resumed", more, t.states, t.n_seen, t.resumed);
    cr_expect_geq(t.states, (size_t)500);
    cr_expect_geq(t.resumed, (size_t)5);
    expect_wrong(&t, &r);
    free(t.seen);
    record_free(&r);
    snapshot_free(whole);
    folder_end(folder);
}

Test(trust_power, any_moment_of_a_run) {
    fail_at_any_moment("", trust_long() ? 1 : 4);
}

Test(trust_power, any_moment_with_a_checkpoint_after_every_step) {
    fail_at_any_moment("--epochs 2 --checkpoint-seconds 0 ", trust_long() ? 1 : 16);
}

Test(trust_power, any_moment_of_several_seeds) {
    fail_at_any_moment("--epochs 1 --seeds 2 ", trust_long() ? 1 : 8);
}
