/* test_trust_kill_writers.c: SIGKILL while a command writes; the target is the old file or the whole new one,
 * and the next writer removes what the dead one has left. Runs of training: test_trust_kill.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/trust.h"
#include "tests/trust_trial.h"

/* Again, undisturbed: the new files and nothing else. */
static void expect_done_again(const struct trust_trial *t, const char *when) {
    struct snapshot *is = snapshot_take("out");
    const bool there = snapshot_find(is, t->new->file[0].name);
    snapshot_free(is);
    if (there && !t->command->before)
        return; /* whole, as was seen, so it would be refused */
    struct run r = run_program(t->folder, "%s", t->command->command);
    cr_expect_eq(r.status, t->fine.status, "%s: %s", when, r.err);
    run_end(&r);
    snapshot_expect(t->new, "out", NULL, when);
}

static void kill_at(const struct trust_trial *t, size_t n, const char *what) {
    char when[256], nth[24];
    snprintf(nth, sizeof nth, "%zu", n);
    snprintf(when, sizeof when, "%s: %s, change %zu", t->command->name, what, n);
    snapshot_restore(t->old, "out");
    struct faulted f = trust_trial_fault(t, "change", nth, what);
    cr_expect_eq(f.signal, SIGKILL, "%s: %d %s", when, f.run.status, f.run.err);
    faulted_end(&f);
    trust_trial_expect(t, false, when);
    expect_done_again(t, when);
}

static size_t kill_writer(const struct trust_command *c, const char *folder) {
    struct trust_trial t;
    trust_trial_begin(&t, folder, c);
    const size_t calls = trust_trial_calls(&t, "change"), times = trust_times(calls, 3);
    size_t kills = 0;
    cr_expect_geq(calls, (size_t)5, "%s: %zu", c->name, calls);
    for (size_t i = 0; i < times; i++, kills++) /* the last ones are renames, where it matters most */
        kill_at(&t, calls - i * (calls - 1) / (times > 1 ? times - 1 : 1), i % 2 ? "kill" : "kill_after");
    for (size_t i = 0; trust_long() && i < times; i++, kills++)
        kill_at(&t, i + 1, "kill");
    trust_trial_end(&t);
    return kills;
}

Test(trust_kill_writers, old_or_new) {
    fault_need();
    char *folder = trust_begin();
    size_t kills = 0;
    for (size_t i = 0; i < SR_COUNT(trust_written); i++)
        if (trust_chosen(trust_written[i].name) && !trust_trains(&trust_written[i]))
            kills += kill_writer(&trust_written[i], folder);
    cr_log_info("%zu kills", kills);
    trust_end(folder);
}
