/* test_trust_kill.c: SIGKILL at any moment of a training run; the resumed run ends in the same bytes.
 *
 * A process that dies leaves what its calls have done, so a kill before each call that changes a file, and
 * after it, is all there can be; kills by the clock fall into the calls themselves too. What holds after a
 * power failure is another matter: test_trust_power.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <glob.h>
#include <time.h>

#include "tests/small_run.h"
#include "tests/trust.h"

/* Everything of the run's own, its temporary folder too. */
static const char pattern[] = "stopped";

static void expect_no_folder_left(const char *folder, const char *when) {
    char path[256];
    glob_t found;
    snprintf(path, sizeof path, "%s/.stopped.*.tmp", folder);
    cr_expect_eq(glob(path, 0, NULL, &found), GLOB_NOMATCH, "%s: %s was left behind", when,
                 found.gl_pathv[0]);
    globfree(&found);
}

/* Goes on after a kill, to the end, and holds it against the run that was never stopped. */
static void finish(const char *folder, const char *more, const struct snapshot *whole, const char *when) {
    small_run_end(folder, "stopped", more);
    small_run_same(folder, "stopped", whole, when);
    expect_no_folder_left(folder, when);
    small_run_remove(folder, "stopped");
}

/* ---- random moments ---- */

/* Where kills fall is counted in calls, which a busy machine makes as many of as an idle one. */
struct moments {
    uint64_t drawn;
    size_t calls;   /* of a whole run */
    double seconds; /* that it took once */
};

static double draw(struct moments *m) {
    const uint32_t most = 1u << 30;
    return (double)sr_random_below(8, sr_stream(SR_STREAM_TEST, 8, 0), m->drawn++, most) / most;
}

/* Lets a run that stops before a call go on for that long, if it has not ended, and kills it. */
static void kill_later(pid_t pid, double seconds) {
    const long ns = (long)(seconds * 1e9);
    siginfo_t how;
    cr_assert_eq(waitid(P_PID, (id_t)pid, &how, WSTOPPED | WEXITED | WNOWAIT), 0);
    kill(pid, SIGCONT);
    nanosleep(&(struct timespec){ns / 1000000000, ns % 1000000000}, NULL);
    kill(pid, SIGKILL);
}

/* Runs a quarter of a whole run's calls at most, and kills before the next one or behind it, in the time of
 * ten calls: true. Where nothing was left to be killed: false. */
static bool run_and_kill(struct moments *m, const char *folder, const char *more, char when[96]) {
    const bool at_once = draw(m) < .5;
    const size_t call = 1 + (size_t)(draw(m) * (double)m->calls / 4);
    const double later = at_once ? 0 : draw(m) * 10 * m->seconds / (double)m->calls;
    const pid_t pid =
        fault_start(folder, fault_text("any:%zu:%s:%s", call, at_once ? "kill" : "signal=STOP", pattern),
                    NULL, "%s", small_run_go(folder, "stopped", more));
    if (!at_once)
        kill_later(pid, later);
    struct faulted f = fault_wait(pid, folder);
    const size_t length = strlen(when);
    snprintf(when + length, 96 - length, " call %zu+%.3f s", call, later);
    cr_assert(f.signal == SIGKILL || f.run.status == 0, "%s: %d %s", when, f.run.status, f.run.err);
    const bool killed = f.signal == SIGKILL;
    faulted_end(&f);
    return killed;
}

static struct moments moments_measure(const char *folder, const char *more) {
    struct moments m = {0};
    const double began = sr_log_clock();
    m.calls = fault_count(folder, "any", pattern, "%s", small_run_begin(folder, "stopped", more));
    m.seconds = sr_log_clock() - began;
    small_run_remove(folder, "stopped");
    cr_assert_geq(m.calls, (size_t)100);
    return m;
}

/* A checkpoint after every step and one now and then, in turns; up to five kills to a run. */
Test(trust_kill, at_random_moments) {
    static const char *const cadence[] = {"--checkpoint-seconds 0", "--memory 1M",
                                          "--checkpoint-seconds 0.01"};
    fault_need();
    char *folder = folder_begin();
    const size_t wanted = trust_times(200, 12);
    size_t kills = 0, with_checkpoint = 0;
    small_run_dumps(folder);
    for (size_t round = 0; kills < wanted; round++) {
        const char *more = cadence[round % SR_COUNT(cadence)];
        static struct snapshot *whole[SR_COUNT(cadence)];
        static struct moments moments[SR_COUNT(cadence)];
        char when[96] = "killed at", path[256];
        const size_t c = round % SR_COUNT(cadence);
        if (!whole[c]) {
            whole[c] = small_run_whole(folder, more);
            moments[c] = moments_measure(folder, more);
            moments[c].drawn = 1000000 * c;
            small_run_remove(folder, "whole");
        }
        for (size_t k = 0; k < 5 && kills < wanted && run_and_kill(&moments[c], folder, more, when); k++) {
            kills++;
            snprintf(path, sizeof path, "%s/stopped/checkpoint.safetensors", folder);
            with_checkpoint += access(path, F_OK) == 0;
        }
        finish(folder, more, whole[c], when);
        cr_assert_lt(round, 20 * wanted, "only %zu kills", kills);
    }
    cr_expect_gt(with_checkpoint, kills / 4, "%zu of %zu kills behind a checkpoint", with_checkpoint, kills);
    cr_log_info("%zu kills, %zu of them behind a checkpoint", kills, with_checkpoint);
    folder_end(folder);
}

/* ---- every call ---- */

/* Kills before every step-th of the calls that change the run's files, from the first on; and after each,
 * which is before the next, so that it is enough in one kind of run. */
static size_t kill_at_calls(const char *folder, const char *more, size_t some, bool after_too) {
    char when[640];
    struct snapshot *whole = small_run_whole(folder, more);
    const size_t calls =
        fault_count(folder, "change", pattern, "%s", small_run_begin(folder, "stopped", more));
    const size_t step = calls / trust_times(calls, some) + (trust_long() ? 0 : 1);
    size_t kills = 0;
    small_run_remove(folder, "stopped");
    small_run_remove(folder, "whole");
    for (size_t n = 1; n <= calls; n += step)
        for (int after = 0; after < 1 + after_too; after++) {
            snprintf(when, sizeof when, "%skilled %s change %zu of %zu", more, after ? "after" : "before", n,
                     calls);
            struct faulted f =
                run_faulted(folder, fault_text("change:%zu:%s:%s", n, after ? "kill_after" : "kill", pattern),
                            "%s", small_run_begin(folder, "stopped", more));
            cr_assert_eq(f.signal, SIGKILL, "%s: %d %s", when, f.run.status, f.run.err);
            faulted_end(&f);
            finish(folder, more, whole, when);
            kills++;
        }
    snapshot_free(whole);
    cr_log_info("%s%zu kills at %zu changes", more, kills, calls);
    return kills;
}

Test(trust_kill, at_every_change_of_a_run) {
    fault_need();
    char *folder = folder_begin();
    small_run_dumps(folder);
    cr_expect_geq(kill_at_calls(folder, "", 6, true), (size_t)12);
    folder_end(folder);
}

Test(trust_kill, at_every_change_of_runs_of_other_kinds) {
    fault_need();
    char *folder = folder_begin(), init[512];
    small_run_dumps(folder);
    run_fine(folder, small_run_begin(folder, "parent", "--seed 5"));
    snprintf(init, sizeof init, "--epochs 2 --init '%s/parent/best.safetensors' ", folder);
    cr_expect_geq(kill_at_calls(folder, init, 4, false), (size_t)4);
    cr_expect_geq(kill_at_calls(folder, "--epochs 2 --seeds 2 ", 4, false), (size_t)4);
    cr_expect_geq(kill_at_calls(folder, "--epochs 1 --checkpoint-seconds 0 ", 4, false), (size_t)4);
    folder_end(folder);
}

/* ---- between two seeds ---- */

static void in_shell(const char *folder, const char *command) {
    char line[512];
    snprintf(line, sizeof line, "cd '%s' && %s", folder, command);
    cr_assert_eq(system(line), 0, "%s", line);
}

/* The arguments of a run of two seeds that begins with the weights `live`; other weights and dumps lie beside
 * it. */
static const char *seeds_begin(const char *folder) {
    static char more[512];
    small_run_dumps(folder);
    run_fine(folder, small_run_begin(folder, "parent", "--epochs 1 --seed 5"));
    run_fine(folder, small_run_begin(folder, "other", "--epochs 1 --seed 6"));
    in_shell(folder, "cp parent/best.safetensors live");
    run_fine(folder, fault_text("data synth --out '%s/other.h5' --rows 400 --width 16 --seed 3", folder));
    snprintf(more, sizeof more, "--epochs 1 --seeds 2 --init '%s/live' ", folder);
    return more;
}

static void kill_between(const char *folder, const char *more) {
    struct faulted f =
        run_faulted(folder, "mkdir:1:kill:seed-1", "%s", small_run_begin(folder, "stopped", more));
    cr_assert_eq(f.signal, SIGKILL, "%d %s", f.run.status, f.run.err);
    faulted_end(&f);
}

/* The folder is changed so, and then the run is refused with that word and left as it is. */
struct change {
    const char *command, *word;
    bool again; /* the command line that began it, with --resume auto */
};

static const struct change changes[] = {
    {"cp other.h5 train.h5", "training data", false},
    {"cp other.h5 val.h5", "validation data", false},
    {"sed -i 's/^epochs: 1 /epochs: 2 /' stopped/config.yaml", "settings in config.yaml", false},
    {"sed -i 's/^lr: 0.01 /lr: 0.02 /' stopped/config.yaml", "settings in config.yaml", false},
    {"sed -i 's/^seed: 0 /seed: 7 /' stopped/config.yaml", "settings in config.yaml", false},
    {"sed -i /^init:/d stopped/config.yaml", "weights given as --init", false},
    {"cp other/best.safetensors stopped/parent.safetensors", "weights given as --init", false},
    {"cp other.h5 train.h5", "training data", true},
    {"cp other/best.safetensors live", "with other weights", true},
};

/* What holds where the folder has no copy of the weights. */
static const struct change changes_without_copy[] = {
    {"cp other.h5 train.h5", "training data", false},
    {"cp other.h5 val.h5", "validation data", false},
    {"sed -i 's/^lr: 0.01 /lr: 0.02 /' stopped/config.yaml", "settings in config.yaml", false},
    {"cp other/best.safetensors live", "weights given as --init", false},
    {"cp other/best.safetensors live", "weights given as --init", true},
};

static void expect_refused(const char *folder, const char *more, const struct change *c) {
    char path[256];
    struct snapshot *before = snapshot_take(folder);
    in_shell(folder, c->command);
    struct snapshot *changed = small_run_look(folder, "stopped");
    struct run r = c->again
                       ? run_program(folder, "%s --resume auto", small_run_begin(folder, "stopped", more))
                       : run_program(folder, "train --resume '%s/stopped'", folder);
    cr_expect(r.status == 2 && strstr(r.err, c->word), "%s: %d %s", c->command, r.status, r.err);
    run_end(&r);
    snapshot_expect(changed, fault_path(path, sizeof path, folder, "stopped"), NULL, c->command);
    snapshot_restore(before, folder);
    snapshot_free(changed);
    snapshot_free(before);
}

Test(trust_kill, between_two_seeds_a_run_keeps_what_it_began_with, .timeout = 300) {
    fault_need();
    char *folder = folder_begin();
    const char *more = seeds_begin(folder);
    struct snapshot *whole = small_run_whole(folder, more);
    cr_expect(snapshot_find(whole, "data.json") && snapshot_find(whole, "parent.safetensors"));
    kill_between(folder, more);
    for (size_t i = 0; i < SR_COUNT(changes); i++)
        expect_refused(folder, more, &changes[i]);
    in_shell(folder, "rm live"); /* the run has a copy */
    finish(folder, more, whole, "killed between two seeds");
    snapshot_free(whole);
    folder_end(folder);
}

/* Where the folder of them all has lost what it said, each seed's says it. */
Test(trust_kill, between_two_seeds_what_is_lost_is_in_each, .timeout = 300) {
    fault_need();
    char *folder = folder_begin();
    const char *more = seeds_begin(folder);
    struct snapshot *whole = small_run_whole(folder, more), *seeds[2];
    seeds[0] = small_run_look(folder, "whole/seed-0");
    seeds[1] = small_run_look(folder, "whole/seed-1");
    kill_between(folder, more);
    in_shell(folder, "rm stopped/data.json stopped/parent.safetensors");
    for (size_t i = 0; i < SR_COUNT(changes_without_copy); i++)
        expect_refused(folder, more, &changes_without_copy[i]);
    small_run_end(folder, "stopped", more);
    small_run_same(folder, "stopped/seed-0", seeds[0], "seed 0");
    small_run_same(folder, "stopped/seed-1", seeds[1], "seed 1");
    snapshot_free(seeds[0]);
    snapshot_free(seeds[1]);
    snapshot_free(whole);
    folder_end(folder);
}

/* ---- what is left behind ---- */

/* The number of a dead process may be a living one's by now; in a run folder, which is locked, that is no
 * matter. */
Test(trust_kill, what_the_dead_have_left_goes_whatever_their_number) {
    fault_need();
    char *folder = folder_begin(), path[256];
    small_run_dumps(folder);
    struct snapshot *whole = small_run_whole(folder, "");
    struct faulted f = run_faulted(folder, "rename:1:kill:stopped/checkpoint.safetensors", "%s",
                                   small_run_begin(folder, "stopped", ""));
    cr_assert_eq(f.signal, SIGKILL);
    faulted_end(&f);
    snprintf(path, sizeof path, "%s/stopped/.best.safetensors.%d.1f.tmp", folder, (int)getpid());
    FILE *left = fopen(path, "w");
    cr_assert_not_null(left);
    fclose(left);
    finish(folder, "", whole, "left by a process of our number");
    snapshot_free(whole);
    folder_end(folder);
}
