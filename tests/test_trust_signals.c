/* test_trust_signals.c: INT, TERM, HUP and USR1 at chosen calls: the documented status, usable files, nothing
 * half-written left; a training run goes on to the same bytes.
 *
 * Status 75 is that of a run with a checkpoint; any other command dies of the signal itself, which a shell
 * calls 128+n.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/small_run.h"
#include "tests/trust.h"
#include "tests/trust_trial.h"

static const struct {
    const char *name;
    int number;
} signals[] = {{"INT", SIGINT}, {"TERM", SIGTERM}, {"HUP", SIGHUP}, {"USR1", SIGUSR1}};

static char *folder;

/* A shell's job in the background ignores INT, and what it starts does too. */
static void take_signals(void) {
    fault_need();
    signal(SIGINT, SIG_DFL);
}

/* ---- train ---- */

static struct snapshot *whole;

static void begin(void) {
    take_signals();
    folder = folder_begin();
    small_run_dumps(folder);
    whole = small_run_whole(folder, "");
}

static void end(void) {
    snapshot_free(whole);
    folder_end(folder);
}

TestSuite(trust_signals, .init = begin, .fini = end);

static bool run_has(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/stopped/%s", folder, name);
    return access(path, F_OK) == 0;
}

static struct faulted train_until(const char *fault) {
    return run_faulted(folder, fault, "%s", small_run_go(folder, "stopped", ""));
}

static void go_on(const char *when) {
    small_run_end(folder, "stopped", "");
    small_run_same(folder, "stopped", whole, when);
    small_run_remove(folder, "stopped");
}

/* Where the run is when the signal comes, and what it ends with. */
static const struct {
    const char *fault;
    int status;
} moments[] = {
    {"read:1:signal=%s:train.h5", 75}, /* before there is a folder */
    {"mkdir:1:signal=%s:stopped", 75},
    {"fsync:1:signal=%s:data.json", 75},         /* before the first step */
    {"write:2:signal=%s:.best.safetensors", 75}, /* in the save that ends the first epoch */
    {"rename:1:signal=%s:checkpoint.safetensors", 75},
    {"write:2:signal=%s:timing.csv", 75},       /* between two epochs */
    {"write:1:signal=%s:.last.safetensors", 0}, /* the last step is done */
    {"fsync:1:signal=%s:summary.txt", 0},
};

static void stop_once(const char *fault_format, size_t signal, int status) {
    char fault[128], *at;
    snprintf(fault, sizeof fault, "%s", fault_format);
    at = strchr(fault, '%');
    snprintf(at, (size_t)(fault + sizeof fault - at), "%s%s", signals[signal].name,
             strchr(fault_format, '%') + 2);
    struct faulted f = train_until(fault);
    cr_expect_eq(f.fired, 1, "%s: never came", fault);
    cr_expect_eq(f.run.status, status, "%s: %d %s", fault, f.run.status, f.run.err);
    cr_expect(run_has("checkpoint.safetensors"), "%s", fault);
    cr_expect(status != 75 || strstr(f.run.err, "--resume"), "%s: %s", fault, f.run.err);
    faulted_end(&f);
    snapshot_expect_finished(folder, fault);
    go_on(fault);
}

Test(trust_signals, train_ends_with_a_checkpoint) {
    for (size_t i = 0; i < SR_COUNT(moments); i++)
        for (size_t s = 0; s < trust_times(SR_COUNT(signals), 1); s++)
            stop_once(moments[i].fault, (i + s) % SR_COUNT(signals), moments[i].status);
}

/* Stopped again and again, each time a little further on. */
Test(trust_signals, train_stopped_many_times) {
    size_t stopped = 0;
    struct faulted f;
    for (size_t i = 0;; i++) {
        f = train_until(
            fault_text("change:%zu:signal=%s:stopped", 2 + i % 3 * 12, signals[i % SR_COUNT(signals)].name));
        if (f.run.status != 75)
            break;
        cr_expect(run_has("checkpoint.safetensors"));
        snapshot_expect_finished(folder, "stopped");
        faulted_end(&f);
        cr_assert_lt(++stopped, (size_t)200);
    }
    cr_expect_eq(f.run.status, 0, "%d %s", f.run.status, f.run.err);
    faulted_end(&f);
    cr_expect_geq(stopped, (size_t)5, "%zu", stopped);
    small_run_same(folder, "stopped", whole, "stopped many times");
}

/* The second one of a kind ends the run at once, in the middle of the save that the first one asked for. */
Test(trust_signals, train_and_an_impatient_user) {
    for (size_t s = 0; s < SR_COUNT(signals); s++) {
        char when[64];
        snprintf(when, sizeof when, "two %s", signals[s].name);
        struct faulted f =
            train_until(fault_text("write,fsync:1+:signal=%s:.checkpoint.safetensors", signals[s].name));
        cr_expect_eq(f.signal, signals[s].number, "%s: %d %s", when, f.run.status, f.run.err);
        cr_expect_eq(f.fired, 2, "%s: %zu", when, f.fired);
        cr_expect(!run_has("checkpoint.safetensors"), "%s: it was saved after all", when);
        faulted_end(&f);
        snapshot_expect_finished(folder, when);
        go_on(when);
    }
}

/* Two of different kinds are two wishes for the same. */
Test(trust_signals, train_and_two_kinds) {
    const pid_t pid = fault_start(folder, "write:1:signal=STOP:.best.safetensors", NULL, "%s",
                                  small_run_go(folder, "stopped", ""));
    int raw;
    cr_assert_eq(waitpid(pid, &raw, WUNTRACED), pid);
    cr_assert(WIFSTOPPED(raw), "%x", raw);
    kill(pid, SIGINT);
    kill(pid, SIGTERM);
    kill(pid, SIGCONT);
    struct faulted f = fault_wait(pid, folder);
    cr_expect_eq(f.run.status, 75, "%d %s", f.run.status, f.run.err);
    faulted_end(&f);
    go_on("INT and TERM");
}

/* ---- commands that write ---- */

static void begin_commands(void) {
    take_signals();
    folder = trust_begin();
}

static void end_commands(void) {
    trust_end(folder);
}

TestSuite(trust_signals_commands, .init = begin_commands, .fini = end_commands);

/* must_come: the command makes that call in any case. */
static void signal_at(const struct trust_trial *t, const char *fault, size_t signal, bool must_come) {
    char when[256];
    snprintf(when, sizeof when, "%s: %s", t->command->name, fault);
    struct faulted f = run_faulted(t->folder, fault, "%s", t->command->command);
    cr_expect(f.signal == signals[signal].number || (!must_come && f.fired == 0), "%s: %d %s", when,
              f.run.status, f.run.err);
    faulted_end(&f);
    trust_trial_expect(t, true, when);
    snapshot_restore(t->old, "out");
}

static size_t signal_writer(const struct trust_command *c, size_t first) {
    struct trust_trial t;
    char fault[256];
    trust_trial_begin(&t, folder, c);
    const size_t calls = trust_trial_calls(&t, "change"), times = trust_times(calls, 2);
    for (size_t k = 0; k < times; k++) { /* or the last and one that is another for each command */
        const size_t some = k == 0 ? calls : 1 + first % calls, n = trust_long() ? k + 1 : some,
                     s = (first + k) % SR_COUNT(signals);
        snprintf(fault, sizeof fault, "change:%zu:signal=%s:%s/out", n, signals[s].name, folder);
        signal_at(&t, fault, s, true);
    }
    /* While it still reads; a reader's thread may get as far as the end before the signal comes. */
    const size_t s = first % SR_COUNT(signals);
    snprintf(fault, sizeof fault, "read:1:signal=%s:%s/in/", signals[s].name, folder);
    signal_at(&t, fault, s, false);
    trust_trial_end(&t);
    return times;
}

Test(trust_signals_commands, half_written_files_are_taken_along) {
    size_t sent = 0;
    for (size_t i = 0; i < SR_COUNT(trust_written); i++)
        if (trust_chosen(trust_written[i].name) && !trust_trains(&trust_written[i]))
            sent += signal_writer(&trust_written[i], i);
    cr_log_info("%zu signals", sent);
}

/* ---- commands that only print ---- */

Test(trust_signals_commands, nothing_is_printed) {
    static const char *const words[] = {"eval", "eval --json", "sweep --rule f1", "infer"};
    for (size_t i = 0; i < SR_COUNT(words); i++)
        for (size_t s = 0; s < SR_COUNT(signals); s++) {
            struct faulted f = run_faulted(folder, fault_text("read:2:signal=%s:/in/a.h5", signals[s].name),
                                           "%s --model in/w.safetensors --data in/a.h5", words[i]);
            cr_expect_eq(f.signal, signals[s].number, "%s, %s: %d %s", words[i], signals[s].name,
                         f.run.status, f.run.err);
            cr_expect_str_empty(f.run.out, "%s, %s: %s", words[i], signals[s].name, f.run.out);
            faulted_end(&f);
        }
}
