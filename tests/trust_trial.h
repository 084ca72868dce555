/* trust_trial.h: a command that is run again and again, each time with another mishap: what it finds in out/,
 * and what it leaves there where nothing happens.
 *
 *     trust_trial_begin(&t, folder, &trust_written[i]);
 *     const size_t calls = trust_trial_calls(&t, "change");
 *     for (size_t n = 1; n <= calls; n++) {
 *         ... runs t.command with a mishap at its n-th call ...
 *         trust_trial_expect(&t, false, when);
 *         snapshot_restore(t.old, "out");
 *     }
 *     trust_trial_end(&t);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_TRUST_TRIAL_H
#define SR_TEST_TRUST_TRIAL_H

#include "tests/fault.h"
#include "tests/snapshot.h"
#include "tests/trust_commands.h"

struct trust_trial {
    const char *folder;
    const struct trust_command *command;
    struct snapshot *old, *new; /* of out/ */
    struct run fine;            /* undisturbed: status 0, or 1 where it found something out about the data */
};

/* Leaves out/ as the command finds it. A command that names no file there must write none. */
static inline void trust_trial_begin(struct trust_trial *t, const char *folder,
                                     const struct trust_command *c) {
    *t = (struct trust_trial){.folder = folder, .command = c};
    if (c->before) {
        struct run r = run_program(folder, "%s", c->before);
        const bool done = r.status == 0 || r.status == 1 || r.status == 75; /* a run to go on with */
        cr_assert(done, "%s: %d: %s", c->before, r.status, r.err);
        run_end(&r);
    }
    t->old = snapshot_take("out");
    t->fine = run_program(folder, "%s", c->command);
    cr_assert(t->fine.status == 0 || t->fine.status == 1, "%s: %d: %s", c->command, t->fine.status,
              t->fine.err);
    t->new = snapshot_take("out");
    cr_assert_eq(snapshot_differs(t->old, t->new, NULL) != NULL, strstr(c->command, " out/") != NULL, "%s",
                 c->command);
    snapshot_restore(t->old, "out");
}

static inline void trust_trial_end(struct trust_trial *t) {
    snapshot_clear("out");
    snapshot_free(t->old);
    snapshot_free(t->new);
    run_end(&t->fine);
}

/* Runs the command with the fault at the n-th of these calls on what lies in out/, "2+": and at all later
 * ones. Free with faulted_end. */
#define trust_trial_fault(t, kinds, n, what)                                                                 \
    run_faulted((t)->folder, fault_text("%s:%s:%s:%s/out", kinds, n, what, (t)->folder), "%s",               \
                (t)->command->command)

/* How many such calls it makes. */
static inline size_t trust_trial_calls(const struct trust_trial *t, const char *kinds) {
    struct faulted f = trust_trial_fault(t, kinds, "1000000000", "EIO");
    const size_t calls = f.counted;
    cr_assert_eq(f.run.status, t->fine.status, "%s: %s", t->command->name, f.run.err);
    cr_assert_gt(calls, (size_t)0, "%s", t->command->name);
    faulted_end(&f);
    snapshot_restore(t->old, "out");
    return calls;
}

/* What is wrong, or NULL: every file is the old one or the whole new one, none is gone; with `clean` there is
 * no other. The text lasts until the next call. */
static inline const char *trust_trial_wrong(const struct trust_trial *t, const struct snapshot *is,
                                            bool clean) {
    static char text[400];
    for (size_t i = 0; i < is->n; i++) {
        const struct snapshot_file *f = &is->file[i], *old = snapshot_find(t->old, f->name),
                                   *new = snapshot_find(t->new, f->name);
        const bool known = old || new;
        if (known ? snapshot_same(f, old) || snapshot_same(f, new) : !clean)
            continue;
        snprintf(text, sizeof text,
                 known ? "%s is neither the old file nor the new one" : "%s was left behind", f->name);
        return text;
    }
    for (size_t i = 0; i < t->old->n; i++) {
        snprintf(text, sizeof text, "%s is gone", t->old->file[i].name);
        if (!snapshot_find(is, t->old->file[i].name))
            return text;
    }
    return NULL;
}

static inline void trust_trial_expect(const struct trust_trial *t, bool clean, const char *when) {
    struct snapshot *is = snapshot_take("out");
    const char *wrong = trust_trial_wrong(t, is, clean);
    cr_expect_null(wrong, "%s: %s", when, wrong);
    snapshot_free(is);
}

#endif
