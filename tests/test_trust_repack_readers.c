/* test_trust_repack_readers.c: a dump is repacked onto its own path again and again while others read it: who
 * opened it reads on in the file that he opened, and who opens it anew finds one form or the other, whole.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>

#include "tests/dump_fixture.h"
#include "tests/run_program.h"
#include "tests/trust.h"

enum { ROWS = 2000, WIDTH = 64 };

static char *folder, path[128];

static void begin(void) {
    folder = folder_begin();
    snprintf(path, sizeof path, "%s/a.h5", folder);
    struct run r =
        run_program(folder, "data synth --out %s --rows %d --width %d --seed 4", path, (int)ROWS, (int)WIDTH);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
}

static void end(void) {
    folder_end(folder);
}

TestSuite(trust_repack_readers, .init = begin, .fini = end);

/* A shell that repacks the dump onto itself, from form to form, until it is killed, a run fails or this
 * process is gone. */
static pid_t repack_on(void) {
    char script[1024];
    char *arguments[] = {(char[]){"sh"}, (char[]){"-c"}, script, NULL};
    pid_t child;
    snprintf(script, sizeof script,
             "while kill -0 %d 2>/dev/null; do for how in '--gzip 1 --band 100' '' '--gzip 4 --band 256'; do "
             "'%s' data repack '%s' --out '%s' $how >'%s/repack.out' 2>&1 || exit 9; done; done",
             (int)getpid(), SR_PROGRAM, path, path, folder);
    cr_assert_eq(posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ), 0);
    return child;
}

static bool repacks(pid_t child) {
    siginfo_t end = {0};
    cr_assert_eq(waitid(P_PID, (id_t)child, &end, WEXITED | WNOHANG | WNOWAIT), 0);
    return end.si_pid == 0;
}

/* It must have gone on until now. It ends between two of its commands or with one, whose temporary file goes
 * with the folder. */
static void repack_end(pid_t child) {
    int status = 0;
    cr_expect(repacks(child), "a repack failed: %s/repack.out says why", folder);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
}

static ino_t inode(void) {
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    return st.st_ino;
}

/* Seen before each read: another file under the name. */
struct turns {
    ino_t last;
    size_t replaced;
};

static void turn(struct turns *t) {
    const ino_t now = inode();
    t->replaced += now != t->last;
    t->last = now;
}

/* Streamed by this process: opened, read for a while, closed. */
Test(trust_repack_readers, a_process_reads_the_rows_of_the_dump) {
    struct sr_data *d = open_paths(path, NULL);
    float *want = all_features(d);
    const size_t bytes = d->rows * d->width * sizeof *want;
    struct turns t = {.last = inode()};
    const pid_t child = repack_on();
    for (size_t i = 0; (i < trust_times(1000, 60) || t.replaced < 5) && repacks(child); i++) {
        struct sr_data *now = open_paths(path, NULL);
        float *x = all_features(now);
        cr_assert(now->rows == ROWS && memcmp(x, want, bytes) == 0, "other rows in turn %zu", i);
        cr_assert_arr_eq(now->label, d->label, ROWS);
        sr_free(x);
        sr_data_close(now);
        turn(&t);
    }
    /* what was opened before all that is the file that was there then */
    float *again = all_features(d);
    cr_expect_eq(memcmp(again, want, bytes), 0);
    repack_end(child);
    sr_free(again);
    sr_free(want);
    sr_data_close(d);
}

static char *eval_now(const char *run) {
    struct run r =
        run_program(folder, "eval --model %s/%s/best.safetensors --data %s --json", folder, run, path);
    cr_assert_eq(r.status, 0, "%s", r.err);
    sr_free(r.err);
    return r.out;
}

/* Runs a training of streamed features; its metrics. */
static char *train_now(const char *run) {
    char metrics[256];
    struct run r = run_program(folder,
                               "train --train %s --val-fraction .2 --out %s/%s --epochs 3 --hidden 8 "
                               "--memory 64K --window 512",
                               path, folder, run);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    snprintf(metrics, sizeof metrics, "%s/%s/metrics.csv", folder, run);
    return slurp(metrics);
}

Test(trust_repack_readers, eval_and_train_give_the_same_results) {
    char *metrics = train_now("run"), *numbers = eval_now("run");
    struct turns t = {.last = inode()};
    const pid_t child = repack_on();
    for (size_t i = 0; (i < trust_times(200, 8) || t.replaced < 5) && repacks(child); i++) {
        char name[32];
        snprintf(name, sizeof name, "again%zu", i);
        char *m = train_now(name), *n = eval_now("run");
        cr_assert_str_eq(m, metrics, "turn %zu", i);
        cr_assert_str_eq(n, numbers, "turn %zu", i);
        sr_free(m);
        sr_free(n);
        turn(&t);
    }
    repack_end(child);
    sr_free(metrics);
    sr_free(numbers);
}
