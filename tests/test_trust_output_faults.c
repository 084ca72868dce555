/* test_trust_output_faults.c: no output is lost or left half-written, whatever its n-th file operation says.
 *
 * Every command that writes is run with a fault in the first, second, ... operation on what it writes, until
 * it makes fewer. Interruptions and short writes must not be noticed; of any other fault the status is 74,
 * and the targets are the same bytes as before, or all of them the new ones where the program says so (only
 * the folder's fsync failed) or failed at looking at what it had written; or nothing is the worse for it, and
 * the status is that of an undisturbed run. In either case a write, an fsync or a rename that failed is told:
 * what, why, and no temporary file. Nothing else is left, not even where it is a removal that fails.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/trust.h"
#include "tests/trust_trial.h"

static const struct what {
    const char *name;
    int number; /* 0: is ridden out */
} whats[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EDQUOT", EDQUOT},
             {"EROFS", EROFS},   {"EINTR", 0}, {"short", 0}};

/* The call that the fault came to, of the log: its kind and path. */
struct struck {
    char kind[16], path[512];
};

static struct struck struck_read(const char *folder) {
    char path[256], line[2048], mark;
    struct struck s = {.kind = "none"};
    FILE *from = fopen(fault_path(path, sizeof path, folder, "fault.log"), "r");
    cr_assert_not_null(from);
    while (fgets(line, sizeof line, from))
        if (sscanf(line, "%*s %*d %*d %*d %*d %c", &mark) == 1 && mark == '!') {
            sscanf(line, "%15s %*d %*d %*d %*d %*c %511s", s.kind, s.path);
            break;
        }
    fclose(from);
    return s;
}

/* A run folder is written step by step: what is there must lead to the same result. */
static const char *resumes(const struct trust_trial *t) {
    static char text[600];
    if (access("out/run", F_OK) != 0)
        return NULL;
    struct run r = run_program(t->folder, "train --resume out/run");
    snprintf(text, sizeof text, "--resume ends with %d: %.400s", r.status, r.err);
    const bool fine = r.status == 0;
    run_end(&r);
    struct snapshot *now = snapshot_take("out");
    const char *differs = snapshot_differs(t->new, now, trust_clocks);
    snapshot_free(now);
    return fine ? differs : text;
}

/* What is wrong with the state of out/ after a run, or NULL. */
static const char *state_wrong(const struct trust_trial *t, const struct faulted *f, const struct struck *s,
                               const struct snapshot *now) {
    const char *from_new = snapshot_differs(t->new, now, trust_clocks);
    if (f->run.status == t->fine.status)
        return from_new;
    if (trust_trains(t->command))
        return resumes(t);
    const bool looked = strcmp(s->kind, "read") == 0 || strcmp(s->kind, "open") == 0;
    if (!from_new && (strstr(f->run.err, "it is written") || (looked && !strstr(s->path, ".tmp"))))
        return NULL;
    return snapshot_differs(t->old, now, NULL);
}

/* Also where the command ends as if nothing had happened: as a warning that a folder does not sync. */
static bool must_be_told(const struct struck *s) {
    static const char *const kinds[] = {"write", "fsync", "rename", NULL};
    return sr_is_listed(s->kind, kinds);
}

static void judge(const struct trust_trial *t, const struct what *what, size_t n, const struct faulted *f) {
    const struct struck s = struck_read(t->folder);
    char when[700];
    snprintf(when, sizeof when, "%s, %s at call %zu, %s %s: status %d", t->command->name, what->name, n,
             s.kind, s.path, f->run.status);
    const bool same = f->run.status == t->fine.status, told = !same || (what->number && must_be_told(&s));
    cr_expect(same || (what->number && f->run.status == 74), "%s, signal %d: %s", when, f->signal,
              f->run.err);
    cr_expect(!told || strstr(f->run.err, strerror(what->number)), "%s: no reason in: %s", when, f->run.err);
    cr_expect(!told || strstr(f->run.err, "out"), "%s: no name in: %s", when, f->run.err);
    cr_expect(!strstr(f->run.err, ".tmp"), "%s: a temporary file in: %s", when, f->run.err);
    struct snapshot *now = snapshot_take("out");
    const char *wrong = state_wrong(t, f, &s, now);
    cr_expect_null(wrong, "%s, but %s (%s)", when, wrong, f->run.err);
    snapshot_free(now);
}

/* False once the command makes fewer calls than n. */
static bool try(const struct trust_trial *t, const char *kinds, size_t n, const struct what *what) {
    char nth[24];
    snprintf(nth, sizeof nth, "%zu", n);
    struct faulted f = trust_trial_fault(t, kinds, nth, what->name);
    const bool came = f.fired > 0;
    judge(t, what, n, &f);
    faulted_end(&f);
    snapshot_restore(t->old, "out");
    return came;
}

/* Every fault, at all calls in the long form, else at some of them, others for each fault. How many. */
static size_t each_fault(const struct trust_trial *t) {
    static const char kinds[] = "any,close";
    const size_t calls = trust_trial_calls(t, kinds), times = trust_times(calls, calls < 3 ? calls : 3);
    for (size_t w = 0; w < SR_COUNT(whats); w++)
        for (size_t i = 0; i < times; i++) {
            const uint64_t stream = sr_stream(SR_STREAM_TEST, w, calls);
            const size_t n = times == calls ? i + 1 : 1 + sr_random_below(8, stream, i, calls);
            cr_assert(try(t, kinds, n, &whats[w]), "%s makes no call %zu", t->command->name, n);
        }
    if (times == calls)
        cr_assert_not(try(t, kinds, calls + 1, &whats[1]));
    return times * SR_COUNT(whats);
}

/* Where a later one of several targets cannot be replaced, those before it are put back. */
Test(output_faults, all_targets_or_none) {
    fault_need();
    static const char *const several[] = {"split", "export pt", "export c", "export hf"};
    char *folder = trust_begin();
    for (size_t k = 0; k < SR_COUNT(several); k++)
        for (size_t i = 0; i < SR_COUNT(trust_written); i++) {
            struct trust_trial t;
            size_t n = 1;
            if (strcmp(trust_written[i].name, several[k]) != 0)
                continue;
            trust_trial_begin(&t, folder, &trust_written[i]);
            while (try(&t, "rename", n, &whats[1]))
                n++;
            cr_expect_gt(n, 2, "%s renames %zu times", several[k], n - 1);
            trust_trial_end(&t);
        }
    trust_end(folder);
}

Test(output_faults, each_command) {
    fault_need();
    char *folder = trust_begin();
    size_t tried = 0;
    for (size_t i = 0; i < SR_COUNT(trust_written); i++) {
        struct trust_trial t;
        if (!trust_chosen(trust_written[i].name))
            continue;
        trust_trial_begin(&t, folder, &trust_written[i]);
        tried += each_fault(&t);
        trust_trial_end(&t);
    }
    cr_log_info("%zu faults", tried);
    trust_end(folder);
}
