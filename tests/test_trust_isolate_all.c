/* test_trust_isolate_all.c: --isolate of every command: the same bytes as without it, and no half-written
 * output where the reader dies at its n-th request.
 *
 * Commands that copy dumps with HDF5 itself refuse it and write nothing. Of the others everything is
 * compared: the status, what is printed, what is written (but for times). Then the reader dies at a request,
 * at every one in the long form: the status is 65 with a reason, and the targets are the same bytes as
 * before, or all of them the new ones, where the last requests, which close files, come after them. A
 * training run is resumed, with
 * --isolate, and ends in the bytes of one whose reader lived. SR_TRUST_ONLY=NAME runs the commands whose name
 * has that in it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/trust.h"
#include "tests/trust_commands.h"
#include "tests/trust_folder.h"

#define NARROW "explain --model in/narrow.safetensors --decision in/line.json "

/* Besides those of trust_commands.h. */
static const struct trust_command more[] = {
    {"convert dump", "data synth --rows 30 --width 8 --out out/x.h5",
     "data convert --dtype keep in/zipped.h5 --out out/x.h5"},
    {"eval scores of a dump", NULL, "eval --scores in/s.h5 --data in/a.h5"},
    {"inspect dump", NULL, "inspect in/zipped.h5 --json"},
    {"data inspect dump", NULL, "data inspect in/zipped.h5 --json"},
    {"explain dump", NULL, NARROW "--features in/table.h5 --row 0"},
    {"bench reading", NULL, "bench --parts reading --data in/a.h5 --seconds 0.01 --rounds 1 --json"},
    {"train streamed", NULL,
     "train --train in/zipped.h5 --val in/b.h5 --hidden 8 --dropout 0 --batch 32 --epochs 2 --threads 1 "
     "--window 256 --memory 1K --checkpoint-seconds 0 --out out/run"},
};

/* What differs from run to run: times, and where a setting came from. */
static const char *const clocks[] = {"timing.csv", "train.log", "config.yaml", NULL};

static char *folder;

static void begin(void) {
    folder = trust_begin();
}

static void end(void) {
    trust_end(folder);
}

TestSuite(trust_isolate_all, .init = begin, .fini = end, .timeout = 7200);

static bool is(const struct trust_command *c, const char *word) {
    return strncmp(c->name, word, strlen(word)) == 0;
}

static bool copies(const struct trust_command *c) {
    return is(c, "label") || is(c, "repack") || is(c, "drop") || is(c, "merge") || is(c, "split");
}

static bool prints_times(const struct trust_command *c) {
    return is(c, "bench") || strcmp(c->name, "data inspect") == 0;
}

/* No option of theirs. */
static bool reads_nothing(const struct trust_command *c) {
    return is(c, "synth") || is(c, "version") || is(c, "help") || is(c, "doctor");
}

/* ---- one command ---- */

struct trial {
    const struct trust_command *command;
    struct tree empty, before, after;
    struct run fine; /* without --isolate */
    size_t requests, deaths;
};

/* out/ becomes what it was before. */
static void put_back(const struct trial *t) {
    struct tree now;
    tree_take(&now, "out");
    tree_restore(&t->before, &now);
    tree_free(&now);
}

static void trial_begin(struct trial *t, const struct trust_command *c) {
    *t = (struct trial){.command = c};
    tree_take(&t->empty, "out");
    if (c->before)
        run_fine(folder, c->before);
    tree_take(&t->before, "out");
    t->fine = run_program(folder, "%s", c->command);
    cr_assert_leq(t->fine.status, 1, "%s: %s", c->command, t->fine.err);
    tree_take(&t->after, "out");
    put_back(t);
}

static void trial_end(struct trial *t) {
    struct tree now;
    tree_take(&now, "out");
    tree_restore(&t->empty, &now);
    tree_free(&now);
    run_end(&t->fine);
    tree_free(&t->empty);
    tree_free(&t->before);
    tree_free(&t->after);
}

/* The command with --isolate and a reader that fails as `reader` says (NULL: it does not). */
static struct run run_away(struct trial *t, const char *reader) {
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
    struct run r = run_program(folder, "%s --isolate", t->command->command);
    unsetenv("SR_READER");
    unsetenv("LD_PRELOAD");
    unsetenv("SR_READER_LOG");
    options ? setenv("ASAN_OPTIONS", before, 1) : unsetenv("ASAN_OPTIONS");
    if (!reader && access(log, F_OK) == 0) {
        char *text = slurp(log);
        t->requests = (size_t)atol(text);
        sr_free(text);
    }
    unlink(log);
    return r;
}

static void expect_tree(const struct trial *t, const struct tree *wanted, const char *when) {
    struct tree now;
    tree_take(&now, "out");
    const char *wrong = tree_differs(&now, wanted, clocks);
    cr_expect(!wrong, "%s, %s: %s", t->command->name, when, wrong);
    tree_free(&now);
}

/* ---- the same ---- */

static void expect_refused(struct trial *t) {
    struct run r = run_away(t, NULL);
    expect_tree(t, &t->before, "refused");
    expect_failure(r, 2, "saferoute data convert --isolate");
}

static void expect_same(struct trial *t) {
    struct run r = run_away(t, NULL);
    cr_expect_eq(r.status, t->fine.status, "%s: %d: %s", t->command->name, r.status, r.err);
    if (!prints_times(t->command))
        cr_expect_str_eq(r.out, t->fine.out, "%s", t->command->name);
    if (!is(t->command, "train"))
        cr_expect_str_eq(r.err, t->fine.err, "%s", t->command->name);
    expect_tree(t, &t->after, "with --isolate");
    run_end(&r);
    put_back(t);
}

/* ---- the reader dies ---- */

/* A run folder that is there leads to the same result. */
static void expect_resumed(const struct trial *t, const char *when) {
    if (access("out/run", F_OK) != 0)
        return;
    struct run r = run_program(folder, "train --resume out/run --isolate");
    cr_expect_eq(r.status, 0, "%s, %s: --resume ends with %d: %s", t->command->name, when, r.status, r.err);
    run_end(&r);
    expect_tree(t, &t->after, when);
}

static void expect_death(struct trial *t, size_t n) {
    char reader[48], when[80];
    struct tree now;
    snprintf(reader, sizeof reader, "%zu:kill", n);
    snprintf(when, sizeof when, "the reader dies at request %zu of %zu", n, t->requests);
    struct run r = run_away(t, reader);
    cr_expect_eq(r.status, 65, "%s, %s: %d: %s", t->command->name, when, r.status, r.err);
    cr_expect(strstr(r.err, "its reader (--isolate) died of signal 9"), "%s, %s: %s", t->command->name, when,
              r.err);
    cr_expect(strstr(r.err, "in/") || strstr(r.err, "out/"), "%s, %s: no name in: %s", t->command->name, when,
              r.err);
    if (!prints_times(t->command))
        cr_expect_eq(strncmp(r.out, t->fine.out, strlen(r.out)), 0, "%s, %s: printed %s", t->command->name,
                     when, r.out);
    run_end(&r);
    tree_take(&now, "out");
    const char *from_old = tree_differs(&now, &t->before, NULL),
               *from_new = from_old ? tree_differs(&now, &t->after, clocks) : NULL;
    tree_free(&now);
    if (is(t->command, "train"))
        expect_resumed(t, when);
    else
        cr_expect(!from_old || !from_new, "%s, %s: %s", t->command->name, when, from_new);
    t->deaths++;
    put_back(t);
}

/* Of the short form the first request, one in the middle and the last. */
static void expect_deaths(struct trial *t) {
    const size_t times = trust_times(t->requests, t->requests < 3 ? t->requests : 3);
    for (size_t i = 0; i < times; i++)
        expect_death(t, times == t->requests ? i + 1 : i == 0 ? 1 : i == 1 ? t->requests / 2 : t->requests);
}

static void try(const struct trust_command *c, size_t *requests, size_t *deaths) {
    const char *only = getenv("SR_TRUST_ONLY");
    struct trial t;
    if (reads_nothing(c) || (only && !strstr(c->name, only)))
        return;
    trial_begin(&t, c);
    if (copies(c)) {
        expect_refused(&t);
    } else {
        expect_same(&t);
        expect_deaths(&t);
    }
    cr_log_info("%s: %zu requests, %zu deaths", c->name, t.requests, t.deaths);
    *requests += t.requests;
    *deaths += t.deaths;
    trial_end(&t);
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

/* ---- it does something else ---- */

Test(trust_isolate_all, one_that_hangs_or_opens_is_stopped) {
    struct trial t;
    trial_begin(&t, &more[2]);
    expect_failure(run_away(&t, "5:spin"), 65, "seconds of processor time for one answer and was stopped");
    expect_failure(run_away(&t, "5:open"), 65, "was stopped, for it made the system call openat (");
    trial_end(&t);
}
