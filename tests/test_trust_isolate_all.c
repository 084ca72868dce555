/* test_trust_isolate_all.c: --isolate of every command: the same bytes as without it, and no half-written
 * output where the reader dies at its n-th request.
 *
 * Commands that copy dumps with HDF5 itself refuse it and write nothing. Of the others everything is
 * compared: the status, what is printed, what is written (but for times). Then the reader dies at a request,
 * at every one in the long form: the status is 65 with a reason, and the targets are the same bytes as
 * before, or all of them the new ones, where the last requests, which close files, come after them. A
 * training run is resumed, with --isolate, and ends in the bytes of
 * one whose reader lived.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/trust.h"
#include "tests/trust_trial.h"

#define NARROW "explain --model in/narrow.safetensors --decision in/line.json "

/* Besides those of trust_commands.h. */
static const struct trust_command more[] = {
    {"convert dump", "data synth --rows 30 --width 8 --out out/x.h5",
     "data convert --dtype keep in/zipped.h5 --out out/x.h5"},
    {"eval scores of a dump", NULL, "eval --scores in/s.h5 --data in/a.h5"},
    {"eval several", NULL, "eval --model in/w.safetensors --data in/zipped.h5,in/b.h5 --json"},
    {"inspect dump", NULL, "inspect in/zipped.h5 --json"},
    {"data inspect dump", NULL, "data inspect in/zipped.h5 --json"},
    {"explain dump", NULL, NARROW "--features in/table.h5 --row 0"},
    {"bench reading", NULL, "bench --parts reading --data in/a.h5 --seconds 0.01 --rounds 1 --json"},
    {"train streamed", NULL,
     "train --train in/zipped.h5 --val in/b.h5 --hidden 8 --dropout 0 --batch 32 --epochs 2 --threads 1 "
     "--window 256 --memory 1K --checkpoint-seconds 0 --out out/run"},
};

static char *folder;

static void begin(void) {
    folder = trust_begin();
}

static void end(void) {
    trust_end(folder);
}

TestSuite(trust_isolate_all, .init = begin, .fini = end);

static bool copies(const struct trust_command *c) {
    return trust_begins(c, "label") || trust_begins(c, "repack") || trust_begins(c, "drop") ||
           trust_begins(c, "merge") || trust_begins(c, "split");
}

/* No option of theirs. */
static bool reads_nothing(const struct trust_command *c) {
    return trust_begins(c, "synth") || trust_begins(c, "version") || trust_begins(c, "help") ||
           trust_begins(c, "doctor");
}

/* ---- one command ---- */

struct apart {
    struct trust_trial trial;
    size_t requests, deaths;
};

/* The command with --isolate and a reader that fails as `reader` says (NULL: it does not). */
static struct run run_away(struct apart *a, const char *reader) {
    const char *options = getenv("ASAN_OPTIONS");
    char with[600], before[512], log[256];
    snprintf(before, sizeof before, "%s", options ? options : "");
    snprintf(with, sizeof with, "%s%sverify_asan_link_order=0", before, options ? ":" : "");
    snprintf(log, sizeof log, "%s/requests", folder);
    setenv("ASAN_OPTIONS", with, 1);
    setenv("SR_READER_LOG", log, 1);
    setenv("LD_PRELOAD", SR_READER_SHIM, 1);
    if (reader)
        setenv("SR_READER", reader, 1);
    struct run r = run_program(folder, "%s --isolate", a->trial.command->command);
    unsetenv("SR_READER");
    unsetenv("LD_PRELOAD");
    unsetenv("SR_READER_LOG");
    options ? setenv("ASAN_OPTIONS", before, 1) : unsetenv("ASAN_OPTIONS");
    if (!reader && access(log, F_OK) == 0) {
        char *text = slurp(log);
        a->requests = (size_t)atol(text);
        sr_free(text);
    }
    unlink(log);
    return r;
}

/* ---- the same ---- */

static void expect_refused(struct apart *a) {
    struct run r = run_away(a, NULL);
    snapshot_expect(a->trial.old, "out", NULL, a->trial.command->name);
    expect_failure(r, 2, "saferoute data convert --isolate");
}

static void expect_same(struct apart *a) {
    const struct trust_trial *t = &a->trial;
    struct run r = run_away(a, NULL);
    cr_expect_eq(r.status, t->fine.status, "%s: %d: %s", t->command->name, r.status, r.err);
    if (!trust_prints_times(t->command))
        cr_expect_str_eq(r.out, t->fine.out, "%s", t->command->name);
    if (!trust_trains(t->command))
        cr_expect_str_eq(r.err, t->fine.err, "%s", t->command->name);
    snapshot_expect(t->new, "out", trust_clocks, t->command->name);
    run_end(&r);
    snapshot_restore(t->old, "out");
}

/* ---- the reader dies ---- */

/* A run folder that is there leads to the same result. */
static void expect_resumed(const struct trust_trial *t, const char *when) {
    if (access("out/run", F_OK) != 0)
        return;
    struct run r = run_program(folder, "train --resume out/run --isolate");
    cr_expect_eq(r.status, 0, "%s: --resume ends with %d: %s", when, r.status, r.err);
    run_end(&r);
    snapshot_expect(t->new, "out", trust_clocks, when);
}

static void expect_old_or_new(const struct trust_trial *t, const char *when) {
    struct snapshot *now = snapshot_take("out");
    if (snapshot_differs(t->old, now, NULL)) {
        const char *differs = snapshot_differs(t->new, now, trust_clocks);
        cr_expect_null(differs, "%s: %s", when, differs);
    }
    snapshot_free(now);
}

static void expect_death(struct apart *a, size_t n) {
    const struct trust_trial *t = &a->trial;
    char reader[48], when[160];
    snprintf(reader, sizeof reader, "%zu:kill", n);
    snprintf(when, sizeof when, "%s, the reader dies at request %zu of %zu", t->command->name, n,
             a->requests);
    struct run r = run_away(a, reader);
    cr_expect_eq(r.status, 65, "%s: %d: %s", when, r.status, r.err);
    cr_expect(strstr(r.err, "its reader (--isolate) died of signal 9"), "%s: %s", when, r.err);
    cr_expect(strstr(r.err, "in/") || strstr(r.err, "out/"), "%s: no name in: %s", when, r.err);
    if (!trust_prints_times(t->command))
        cr_expect_eq(strncmp(r.out, t->fine.out, strlen(r.out)), 0, "%s: printed %s", when, r.out);
    run_end(&r);
    if (trust_trains(t->command))
        expect_resumed(t, when);
    else
        expect_old_or_new(t, when);
    a->deaths++;
    snapshot_restore(t->old, "out");
}

/* Of the short form the first request, one in the middle and the last. */
static void expect_deaths(struct apart *a) {
    const size_t all = a->requests, times = trust_times(all, all < 3 ? all : 3);
    for (size_t i = 0; i < times; i++)
        expect_death(a, times == all ? i + 1 : i == 0 ? 1 : i == 1 ? all / 2 : all);
}

static void try(const struct trust_command *c, size_t *requests, size_t *deaths) {
    struct apart a = {0};
    if (reads_nothing(c) || !trust_chosen(c->name))
        return;
    trust_trial_begin(&a.trial, folder, c);
    if (copies(c)) {
        expect_refused(&a);
    } else {
        expect_same(&a);
        expect_deaths(&a);
    }
    cr_log_info("%s: %zu requests, %zu deaths", c->name, a.requests, a.deaths);
    *requests += a.requests;
    *deaths += a.deaths;
    trust_trial_end(&a.trial);
}

Test(trust_isolate_all, the_same_bytes_or_none) {
    size_t requests = 0, deaths = 0;
    for (size_t i = 0; i < SR_COUNT(trust_written); i++)
        try(&trust_written[i], &requests, &deaths);
    for (size_t i = 0; i < SR_COUNT(trust_printed); i++)
        try(&trust_printed[i], &requests, &deaths);
    for (size_t i = 0; i < SR_COUNT(more); i++)
        try(&more[i], &requests, &deaths);
    cr_log_info("%zu requests, %zu deaths of a reader", requests, deaths);
    cr_expect_gt(deaths, (size_t)(getenv("SR_TRUST_ONLY") ? 0 : 40));
}

/* ---- a read of it fails ---- */

/* HDF5 passes over some: what it then does not find is not taken as not there. */
Test(trust_isolate_all, failed_reads_are_told) {
    size_t told = 0;
    for (size_t i = 0; i < 4; i++) {
        struct apart a = {0};
        trust_trial_begin(&a.trial, folder, &more[i]);
        expect_same(&a);
        for (size_t n = 1; n <= a.requests; n++) {
            char reader[48];
            snprintf(reader, sizeof reader, "%zu:read", n);
            struct run r = run_away(&a, reader);
            cr_expect(r.status == 74 ? strstr(r.err, "Input/output error") != NULL
                                     : r.status == 0 && strcmp(r.out, a.trial.fine.out) == 0,
                      "%s, request %zu: %d: %s%s", more[i].name, n, r.status, r.out, r.err);
            told += r.status == 74;
            run_end(&r);
        }
        trust_trial_end(&a.trial);
    }
    cr_expect_gt(told, 10, "%zu", told);
}

/* ---- it does something else ---- */

Test(trust_isolate_all, one_that_hangs_or_opens_is_stopped) {
    struct apart a = {0};
    trust_trial_begin(&a.trial, folder, &more[2]);
    expect_failure(run_away(&a, "5:spin"), 65, "seconds of processor time for one answer and was stopped");
    expect_failure(run_away(&a, "5:open"), 65, "was stopped, for it made the system call openat (");
    trust_trial_end(&a.trial);
}
