/* test_trust_power_writers.c: the power fails while a command writes; the disk holds the old file or the
 * whole new one, and once the command has ended the new one. Runs of training: test_trust_power.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/power_disk.h"
#include "tests/trust_trial.h"

struct search {
    const struct trust_trial *trial;
    const struct record *record;
    bool counts; /* only; else what is wrong fails the test */
    size_t states, wrong;
};

static const char *wrong(const struct trust_trial *t, const struct snapshot *s, bool over) {
    for (size_t i = 0; over && i < t->new->n; i++)
        if (!snapshot_same(&t->new->file[i], snapshot_find(s, t->new->file[i].name)))
            return "the command had ended, and the new file is not there";
    return trust_trial_wrong(t, s, false);
}

static void look(void *user, const struct state *s, bool over) {
    struct search *t = user;
    struct snapshot *files = state_files(s, t->record);
    const char *what = wrong(t->trial, files, over);
    snapshot_free(files);
    t->states++;
    t->wrong += what != NULL;
    cr_expect(!what || t->counts, "%s: %s: %s", t->trial->command->name, state_text(s), what);
}

/* States that are wrong where the program's requests to sync are not heard. */
static size_t unsynced(const struct trust_trial *t, struct record r, bool files) {
    struct search none = {.trial = t, .record = &r, .counts = true};
    r.no_file_syncs = files;
    r.no_folder_syncs = !files;
    power_states(&r, t->old, look, &none);
    return none.wrong;
}

static size_t fail_at_any_moment(const struct trust_command *c, const char *folder) {
    struct trust_trial t;
    trust_trial_begin(&t, folder, c);
    struct record r = record_run(folder, "/out", c->command);
    struct search all = {.trial = &t, .record = &r};
    power_states(&r, t.old, look, &all);
    cr_expect_geq(all.states, (size_t)15, "%s: %zu", c->name, all.states);
    cr_expect_gt(unsynced(&t, r, true), (size_t)0, "%s: without fsync of files nothing is wrong", c->name);
    cr_expect_gt(unsynced(&t, r, false), (size_t)0, "%s: without fsync of folders nothing is wrong", c->name);
    record_free(&r);
    trust_trial_end(&t);
    return all.states;
}

Test(trust_power_writers, old_or_new) {
    fault_need();
    char *folder = trust_begin();
    size_t states = 0;
    for (size_t i = 0; i < SR_COUNT(trust_written); i++)
        if (trust_chosen(trust_written[i].name) && !trust_trains(&trust_written[i]))
            states += fail_at_any_moment(&trust_written[i], folder);
    cr_log_info("%zu states", states);
    trust_end(folder);
}
