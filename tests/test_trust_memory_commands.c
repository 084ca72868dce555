/* test_trust_memory_commands.c: every command with the n-th of our allocations failing, for every n: exit
 * status 71 and a message that says out of memory, nothing leaked (blocks, file descriptors, HDF5's objects),
 * what was to be replaced untouched, no temporary file; a run of training goes on to the same bytes.
 *
 * Commands run in this process, so that no memory can be returned by its end. An allocation may also be one
 * that can be done without (the buffer of a sort): then status, output and files must be what they are
 * without the failure. The list of commands is the program's: one without a trial here is a failure.
 *
 * The short form lets each call of the source through which a lack of memory can come do so once, and takes
 * some random ones. The long form takes every n up to EVERY, which is all of most commands, beyond it the
 * first call of each stack (training asks 12,000 times and more, but from about 1,000 places), and more
 * random ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h> /* first, or the next takes its macros away */

#include <dirent.h>
#include <fcntl.h>

#include "data/cmd_data.h"
#include "tests/away.h"
#include "tests/failing_memory.h"
#include "tests/memory_trials.h"
#include "tests/trust.h"
#include "tests/trust_trial.h"

/* Failures of a trial; training's are fewer, for each is gone on with. */
enum { SOME = 4, SOME_TRAINING = 3, EVERY = 2000, EVERY_TRAINING = 300, SAMPLES = 100, ARGUMENTS = 64 };

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
#define X(name, help) {#name, sr_cmd_##name},
    SR_COMMAND_LIST(X)
#undef X
};

static int (*command_of(const char *line))(int, char **) {
    const size_t n = strcspn(line, " ");
    for (size_t i = 0; i < SR_COUNT(commands); i++)
        if (strncmp(commands[i].name, line, n) == 0 && !commands[i].name[n])
            return commands[i].run;
    return NULL;
}

/* All of trust_commands.h and memory_trials.h, one after the other; NULL behind the last. */
static const struct trust_command *trial_at(size_t i) {
    if (i < SR_COUNT(trust_written))
        return &trust_written[i];
    i -= SR_COUNT(trust_written);
    if (i < SR_COUNT(trust_printed))
        return &trust_printed[i];
    i -= SR_COUNT(trust_printed);
    return i < SR_COUNT(memory_trials) ? &memory_trials[i] : NULL;
}

static bool has_trial(const char *words) {
    const size_t n = strlen(words);
    const struct trust_command *c;
    for (size_t i = 0; (c = trial_at(i)); i++)
        if (strncmp(c->command, words, n) == 0 && (c->command[n] == ' ' || c->command[n] == '\0'))
            return true;
    return false;
}

Test(trust_memory_commands, every_command_has_a_trial) {
#define X(name, help) cr_expect(has_trial(#name), "%s", #name);
    SR_COMMAND_LIST(X)
#undef X
#define X(name, help) cr_expect(has_trial("data " #name), "data %s", #name);
    SR_DATA_COMMAND_LIST(X)
#undef X
}

/* ---- a command in this process ---- */

/* What it prints goes to files; the program's streams are given back after it. */
static int streams[2];

static void streams_take(void) {
    for (int i = 0; i < 2; i++) {
        const int to = open(i ? "stderr" : "stdout", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        fflush(i ? stderr : stdout);
        streams[i] = dup(i + 1);
        cr_assert(to >= 0 && streams[i] >= 0 && dup2(to, i + 1) >= 0);
        close(to);
    }
}

static void streams_give(void) {
    for (int i = 0; i < 2; i++) {
        fflush(i ? stderr : stdout);
        dup2(streams[i], i + 1);
        close(streams[i]);
    }
}

struct outcome {
    int status;
    struct memory_report memory;
};

static int call(const char *line) {
    char copy[1024], *rest = copy, *argv[ARGUMENTS + 1] = {0};
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", line + strcspn(line, " "));
    for (char *word; (word = strsep(&rest, " '"));) /* quotes are for the shell; there is no space inside */
        if (*word && argc < ARGUMENTS)
            argv[argc++] = word;
    return command_of(line)(argc, argv);
}

enum { NEVER = INT_MAX }; /* the number of a call that no run comes to */

/* nth 0: none fails, and memory_first is filled. The reader of a command with --isolate lacks nothing. */
static struct outcome run_starved(const char *line, uint64_t nth, bool forever) {
    struct outcome o;
    struct away reader;
    const bool isolated = strstr(line, SR_ISOLATE_FLAG);
    if (isolated)
        away_begin(&reader);
    sr_cpu_threads(1); /* unless it asks for more */
    streams_take();
    if (nth == 0)
        memory_begin_survey();
    else if (forever)
        memory_begin_forever(nth);
    else
        memory_begin(nth);
    o.status = call(line);
    o.memory = memory_end();
    streams_give();
    if (isolated)
        away_end(&reader);
    return o;
}

/* ---- handles ---- */

static size_t descriptors(void) {
    size_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* HDF5's own count of what is open: files, groups, types, spaces, datasets, attributes. */
int H5Inmembers(int type, unsigned long long *members);

static unsigned long long handles(void) {
    unsigned long long all = 0, n;
    for (int type = 1; type <= 6; type++)
        if (H5Inmembers(type, &n) >= 0)
            all += n;
    return all;
}

/* ---- one trial ---- */

static char *folder;

static void begin(void) {
    setenv("OMP_NUM_THREADS", "1", 1);
    setenv("TZ", "UTC0", 1); /* else libc reads a file, and keeps its name, at every local time */
    folder = trust_begin();
    memory_inputs();
}

static void end(void) {
    trust_end(folder);
}

struct tally {
    size_t refused, without; /* runs that ended with status 71; that did without what they were not given */
};

/* Of a command without a failure: what a run with one is held against. */
struct baseline {
    struct trust_trial trial;
    size_t number; /* of the trial */
    size_t descriptors;
    unsigned long long handles;
};

static struct outcome run_whole(const struct baseline *b, uint64_t nth) {
    snapshot_restore(b->trial.old, "out");
    return run_starved(b->trial.command->command, nth, false);
}

/* The first run in a process also fills what libraries keep for good: what it asks for is not looked at.
 * Returns how often the command asks. */
static uint64_t baseline_take(struct baseline *b, size_t number) {
    b->number = number;
    trust_trial_begin(&b->trial, folder, trial_at(number));
    run_whole(b, NEVER);
    b->descriptors = descriptors();
    const struct outcome o = run_whole(b, 0);
    b->handles = handles();
    cr_assert_eq(o.status, b->trial.fine.status, "%s: status %d", b->trial.command->command, o.status);
    cr_expect_eq(o.memory.live, 0, "%s: %zu blocks are not freed, the first of call %llu",
                 b->trial.command->command, o.memory.live, (unsigned long long)o.memory.first);
    return o.memory.calls;
}

/* config.yaml says where a setting came from: another place, once a run is resumed. */
static const char *const resumed[] = {"timing.csv", "train.log", "config.yaml", NULL};

/* A run of training is gone, or can be gone on with to the same bytes. */
static void expect_usable(const struct trust_trial *t, const char *name) {
    if (access("out/run", F_OK) != 0) {
        snapshot_expect(t->old, "out", NULL, name);
        return;
    }
    streams_take();
    const int status = call("train --resume out/run --max-minutes 0");
    streams_give();
    cr_expect_eq(status, 0, "%s: --resume ends with %d", name, status);
    /* its line follows the checkpoint, and behind that of the only epoch there is none to write another */
    if (strstr(t->command->command, "--epochs 1 ") && access("out/run/timing.csv", F_OK) != 0)
        trust_text("out/run/timing.csv", "", 0);
    snapshot_expect(t->new, "out", resumed, name);
}

/* What holds after any failure. */
static void expect_clean(const struct baseline *b, const struct outcome *o, const char *name) {
    cr_expect_eq(o->memory.live, 0, "%s: %zu blocks leaked; the first is that of call %llu, %zu bytes", name,
                 o->memory.live, (unsigned long long)o->memory.first, o->memory.first_bytes);
    cr_expect_eq(descriptors(), b->descriptors, "%s: a file descriptor leaked", name);
    cr_expect_eq(handles(), b->handles, "%s: HDF5 has %llu objects open, not %llu", name, handles(),
                 b->handles);
}

static void expect_refused(const struct trust_trial *t, const char *name) {
    char *err = slurp("stderr");
    cr_expect(strstr(err, "out of memory"), "%s: \"out of memory\" is not in: %s", name, err);
    sr_free(err);
    if (trust_trains(t->command)) {
        expect_usable(t, name);
        return;
    }
    struct snapshot *now =
        snapshot_take("out"); /* or the new file is whole, and what is to be said of it failed */
    if (snapshot_differs(t->new, now, NULL)) {
        const char *differs = snapshot_differs(t->old, now, NULL);
        cr_expect_null(differs, "%s: %s", name, differs);
    }
    snapshot_free(now);
}

/* Memory that can be done without, or one whose failure came to nothing. */
static void expect_same(const struct trust_trial *t, const struct outcome *o, const char *name) {
    char *err = slurp("stderr"), *out = slurp("stdout"), *why = strstr(err, "error: ");
    cr_expect_eq(o->status, t->fine.status, "%s: status %d: %s", name, o->status, why ? why : err);
    if (o->status == t->fine.status) {
        snapshot_expect(t->new, "out", trust_clocks, name);
        cr_expect(trust_trains(t->command) || trust_prints_times(t->command) || strcmp(out, t->fine.out) == 0,
                  "%s: ended well with other output", name);
    }
    sr_free(err);
    sr_free(out);
}

/* One run with one failure; false if there was none. */
static bool attempt(const struct baseline *b, uint64_t nth, bool forever, struct tally *tally) {
    const struct trust_trial *t = &b->trial;
    char name[700];
    snprintf(name, sizeof name, "%s: allocation %llu%s", t->command->command, (unsigned long long)nth,
             forever ? " and later ones" : "");
    snapshot_restore(t->old, "out");
    const struct outcome o = run_starved(t->command->command, nth, forever);
    if (!o.memory.failed)
        return false;
    if (o.status == 71) {
        tally->refused++;
        expect_refused(t, name);
    } else {
        tally->without++;
        expect_same(t, &o, name);
    }
    expect_clean(b, &o, name);
    return true;
}

/* Long: every n up to EVERY, and beyond it each place. Short: what no trial before this one has come through.
 * Both: some places, and as many of any calls. */
static void attempt_all(const struct baseline *b, uint64_t calls, bool forever, struct tally *tally) {
    const bool trains = trust_trains(b->trial.command);
    const size_t some = trains ? SOME_TRAINING : SOME, share = forever ? 4 : 1;
    const uint64_t stream = sr_stream(SR_STREAM_TEST, b->number, forever),
                   every = trains ? EVERY_TRAINING : EVERY;
    for (uint64_t n = 1; trust_long() && !forever && n <= every && attempt(b, n, forever, tally); n++)
        ;
    for (size_t i = 0; i < memory_stacks && !forever; i++)
        if (trust_long() ? memory_first[i] > every : memory_fresh[i])
            attempt(b, memory_first[i], forever, tally);
    for (size_t i = 0; i < (trust_times(SAMPLES, some) + share - 1) / share; i++) {
        attempt(b, memory_first[sr_random_bits(7, stream, 2 * i) % memory_stacks], forever, tally);
        attempt(b, 1 + sr_random_bits(7, stream, 2 * i + 1) % calls, forever, tally);
    }
}

static void try_all(size_t number) {
    struct baseline b;
    struct tally once = {0}, forever = {0};
    const uint64_t calls = baseline_take(&b, number);
    const char *line = b.trial.command->command;
    attempt_all(&b, calls, false, &once);
    attempt_all(&b, calls, true, &forever);
    cr_expect_gt(once.refused, 0, "%s", line);
    printf("memory: %s: %llu allocations at %zu places; %zu runs with one failing, %zu with all from one on: "
           "status 71 in "
           "%zu, done without in %zu\n",
           line, (unsigned long long)calls, memory_stacks, once.refused + once.without,
           forever.refused + forever.without, once.refused + forever.refused, once.without + forever.without);
    fflush(stdout);
    trust_trial_end(&b.trial);
}

/* One failure of one trial again, with the stack of the call that was refused:
 * SR_TRUST_ONLY='eval json' SAFEROUTE_TRACE=17. */
static void try_one(size_t number, uint64_t nth) {
    struct baseline b;
    struct tally once = {0};
    baseline_take(&b, number);
    attempt(&b, nth, false, &once);
    char *out = slurp("stdout"), *err = slurp("stderr");
    printf("%s%s", out, err);
    fflush(stdout);
    sr_free(out);
    sr_free(err);
    trust_trial_end(&b.trial);
}

static void try_each(bool trains) {
    const char *trace = getenv("SAFEROUTE_TRACE");
    const struct trust_command *c;
    for (size_t i = 0; (c = trial_at(i)); i++) {
        if (!trust_chosen(c->name) || !command_of(c->command) || trust_trains(c) != trains)
            continue; /* version and help ask for nothing */
        if (trace)
            try_one(i, strtoull(trace, NULL, 10));
        else
            try_all(i);
    }
}

/* In one process: what an earlier trial has come through is known. Training last, for a run of it takes
 * longest. */
Test(trust_memory_commands, fails_with_an_error, .init = begin, .fini = end) {
    try_each(false);
    try_each(true);
}
