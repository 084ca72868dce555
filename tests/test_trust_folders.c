/* test_trust_folders.c: closed descriptors, folders and targets that refuse, limits, and several writers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#include "tests/trust_trial.h"

/* A shell's command; %s of it is the program. What it prints comes back as of run_program. */
static struct run shell(const char *folder, const char *format) {
    char script[4096], command[8192], out[256], err[256];
    snprintf(script, sizeof script, format, SR_PROGRAM);
    snprintf(command, sizeof command, "{ %s ; } >'%s/stdout' 2>'%s/stderr' </dev/null", script, folder,
             folder);
    const int raw = system(command);
    return (struct run){.status = WIFEXITED(raw) ? WEXITSTATUS(raw) : -1,
                        .out = slurp(fault_path(out, sizeof out, folder, "stdout")),
                        .err = slurp(fault_path(err, sizeof err, folder, "stderr"))};
}

static void expect_shell(const char *folder, const char *command, int status, const char *word) {
    struct run r = shell(folder, command);
    cr_expect_eq(r.status, status, "%s: status %d, not %d: %s", command, r.status, status, r.err);
    cr_expect(strstr(r.err, word), "%s: \"%s\" is not in: %s", command, word, r.err);
    run_end(&r);
}

/* ---- stdout and stderr ---- */

static void printing(const char *folder, const char *how, const char *word) {
    char command[2048];
    for (size_t i = 0; i < SR_COUNT(trust_printed); i++) {
        snprintf(command, sizeof command, "'%%s' %s %s", trust_printed[i].command, how);
        expect_shell(folder, command, 74, word);
    }
}

Test(folders, stdout_closed_or_full) {
    char *folder = trust_begin();
    printing(folder, ">&-", "standard output");
    printing(folder, ">/dev/full", "No space left on device");
    trust_end(folder);
}

/* A reader that is gone, whatever the shell: the pipe is ours. */
Test(folders, reader_of_stdout_is_gone) {
    char *folder = trust_begin();
    for (size_t i = 0; i < SR_COUNT(trust_printed); i++) {
        char command[2048];
        int ends[2];
        cr_assert_eq(pipe(ends), 0);
        close(ends[0]);
        cr_assert_eq(dup2(ends[1], 9), 9); /* a shell need not know larger ones */
        close(ends[1]);
        snprintf(command, sizeof command, "'%s' %s >&9 2>'%s/stderr' </dev/null", SR_PROGRAM,
                 trust_printed[i].command, folder);
        const int raw = system(command);
        close(9);
        char path[256], *err = slurp(fault_path(path, sizeof path, folder, "stderr"));
        cr_expect(WIFEXITED(raw) && WEXITSTATUS(raw) == 74, "%s: %d", trust_printed[i].command, raw);
        expect_in(err, "Broken pipe");
        sr_free(err);
    }
    trust_end(folder);
}

/* True if the n-th write to stdout came and failed as it should: interruptions and short writes are not
 * noticed, other faults are. */
static bool nth_print_fails(const char *folder, const char *command, const char *what, size_t n,
                            const struct run *fine) {
    struct faulted f =
        run_faulted(folder, fault_text("write:%zu:%s:%s/stdout", n, what, folder), "%s", command);
    const bool came = f.fired > 0;
    if (!came || strcmp(what, "EINTR") == 0 || strcmp(what, "short") == 0)
        cr_expect(f.run.status == fine->status && strcmp(f.run.out, fine->out) == 0,
                  "%s, %s at %zu: status %d: %s", command, what, n, f.run.status, f.run.err);
    else
        cr_expect(f.run.status == 74 && strstr(f.run.err, "standard output"), "%s, %s at %zu: status %d: %s",
                  command, what, n, f.run.status, f.run.err);
    faulted_end(&f);
    return came;
}

/* Writes to stdout; each of them has failed in each way. */
static size_t each_print_fails(const char *folder, const char *command) {
    static const char *const whats[] = {"EINTR", "short", "ENOSPC", "EDQUOT", "EIO", "EPIPE"};
    struct run fine = run_program(folder, "%s", command);
    size_t n = 0;
    for (size_t w = 0; w < SR_COUNT(whats); w++) {
        for (n = 0; nth_print_fails(folder, command, whats[w], n + 1, &fine);)
            n++;
        cr_expect_gt(n, 0, "%s prints nothing, or %s did not come", command, whats[w]);
    }
    run_end(&fine);
    return n;
}

Test(folders, stdout_fails) {
    fault_need();
    char *folder = trust_begin();
    for (size_t i = 0; i < SR_COUNT(trust_printed); i++)
        if (!trust_prints_times(&trust_printed[i]))
            each_print_fails(folder, trust_printed[i].command);
    run_fine(folder, "data synth --rows 600 --width 16 --out in/many.h5");
    cr_expect_gt(each_print_fails(folder, "infer --model in/w.safetensors --data in/many.h5"), (size_t)3,
                 "this fits into a buffer or two");
    trust_end(folder);
}

/* What is opened next must not become descriptor 1 or 2, into which words are printed. */
Test(folders, descriptors_closed_before_the_start) {
    static const char *const closed[] = {">&-", "2>&-", "<&-", ">&- 2>&- <&-"};
    static const char *const made[] = {
        "data repack in/a.h5 --dtype float32 --out out/x.h5",
        "infer --model in/w.safetensors --data in/a.h5 --out out/x.csv",
        "sweep --model in/w.safetensors --data in/a.h5 --rule f1 --out out/x.safetensors",
        "export --model in/w.safetensors --to pt --out out/x.pt", TRUST_TRAIN "--out out/run"};
    char *folder = trust_begin();
    for (size_t i = 0; i < SR_COUNT(made); i++) {
        run_fine(folder, made[i]);
        struct snapshot *want = snapshot_take("out");
        for (size_t c = 0; c < SR_COUNT(closed); c++) {
            char command[2048];
            snprintf(command, sizeof command, "'%%s' %s %s", made[i], closed[c]);
            snapshot_clear("out");
            struct run r = shell(folder, command);
            cr_expect(r.status == 0 || (r.status == 74 && strstr(closed[c], ">&-")), "%s: %d: %s", command,
                      r.status, r.err);
            snapshot_expect(want, "out", snapshot_times, command);
            run_end(&r);
        }
        snapshot_clear("out");
        snapshot_free(want);
    }
    trust_end(folder);
}

/* Files of the folder that were opened as descriptor 0, 1 or 2, by the shim's log. */
static size_t low_descriptors(const char *folder) {
    char path[256], line[2048], name[512];
    size_t n = 0;
    int fd;
    FILE *log = fopen(fault_path(path, sizeof path, folder, "fault.log"), "r");
    cr_assert_not_null(log);
    while (fgets(line, sizeof line, log))
        n += sscanf(line, "open %d %*d %*d %*d %*c %511s", &fd, name) == 2 && fd >= 0 && fd <= 2 &&
             strncmp(name, folder, strlen(folder)) == 0;
    fclose(log);
    return n;
}

Test(folders, no_file_becomes_a_standard_descriptor) {
    fault_need();
    char *folder = trust_begin(), command[2048];
    snprintf(command, sizeof command,
             "ASAN_OPTIONS=verify_asan_link_order=0 SR_FAULT_LOG='%s/fault.log' LD_PRELOAD='%s' '%%s' "
             "data repack in/a.h5 --gzip 1 --out out/x.h5 >&- 2>&- <&-",
             folder, SR_FAULT_SHIM);
    struct run r = shell(folder, command);
    cr_expect_eq(r.status, 74);
    run_end(&r);
    cr_expect_eq(low_descriptors(folder), 0);
    trust_end(folder);
}

/* ---- folders and targets that refuse ---- */

/* Every change below out/ is refused, as on a read-only mount or without the right to write. */
Test(folders, nothing_may_be_changed) {
    fault_need();
    static const char *const whats[] = {"EROFS", "EACCES"};
    char *folder = trust_begin();
    for (size_t i = 0; i < SR_COUNT(trust_written); i++) {
        struct trust_trial t;
        trust_trial_begin(&t, folder, &trust_written[i]);
        for (size_t w = 0; w < SR_COUNT(whats); w++) {
            struct faulted f = trust_trial_fault(&t, "change", "1+", whats[w]);
            cr_expect_eq(f.run.status, 74, "%s, %s: %d: %s", t.command->name, whats[w], f.run.status,
                         f.run.err);
            cr_expect(strstr(f.run.err, w ? "Permission denied" : "Read-only file system") &&
                          strstr(f.run.err, "out"),
                      "%s: %s", t.command->name, f.run.err);
            snapshot_expect(t.old, "out", NULL, t.command->name);
            faulted_end(&f);
            snapshot_restore(t.old, "out");
        }
        trust_trial_end(&t);
    }
    trust_end(folder);
}

/* A finished or stopped run in a folder that may only be read is as it was. */
Test(folders, run_folder_may_only_be_read) {
    fault_need();
    char *folder = trust_begin();
    struct faulted f = run_faulted(folder, "rename:1:signal=TERM:metrics.csv", TRUST_TRAIN "--out out/run");
    cr_assert_eq(f.run.status, 75, "%s", f.run.err);
    faulted_end(&f);
    struct snapshot *before = snapshot_take("out");
    f = run_faulted(folder, "change,unlink:1+:EROFS:out/run", "train --resume out/run");
    cr_expect_eq(f.run.status, 74, "%s", f.run.err);
    expect_in(f.run.err, "Read-only file system");
    expect_in(f.run.err, "out/run");
    faulted_end(&f);
    snapshot_expect(before, "out", NULL, "out/run may only be read");
    run_fine(folder, "train --resume out/run");
    snapshot_free(before);
    trust_end(folder);
}

/* Of several seeds it is the run of them all that is gone on with. */
Test(folders, a_full_disk_says_how_to_go_on) {
    fault_need();
    static const char *const begin[] = {TRUST_TRAIN "--out out/run", TRUST_TRAIN "--seeds 2 --out out/run"};
    char *folder = trust_begin();
    for (size_t i = 0; i < SR_COUNT(begin); i++) {
        struct faulted f = run_faulted(folder, "write:1+:ENOSPC:best.safetensors", "%s", begin[i]);
        cr_expect_eq(f.run.status, 74, "%s", f.run.err);
        expect_in(f.run.err, "No space left on device; once that is mended, go on with: "
                             "saferoute train --resume out/run\n");
        faulted_end(&f);
        run_fine(folder, "train --resume out/run");
        snapshot_clear("out");
    }
    trust_end(folder);
}

/* A finished run needs nothing but its folder, and not to write in it either; of several seeds too. */
Test(folders, finished_run_may_only_be_read) {
    fault_need();
    static const char *const begin[] = {TRUST_TRAIN "--out out/run", TRUST_TRAIN "--seeds 2 --out out/run"};
    char *folder = trust_begin();
    for (size_t i = 0; i < SR_COUNT(begin); i++) {
        run_fine(folder, begin[i]);
        struct snapshot *before = snapshot_take("out");
        struct faulted f = run_faulted(folder, "change,unlink:1+:EROFS:out/run", "train --resume out/run");
        cr_expect_eq(f.run.status, 0, "%s", f.run.err);
        expect_in(f.run.out, "best.safetensors");
        faulted_end(&f);
        snapshot_expect(before, "out", NULL, begin[i]);
        snapshot_free(before);
        snapshot_clear("out");
    }
    trust_end(folder);
}

/* The path that a command's --out names, "out/x.h5". */
static const char *target_of(const char *command, char path[64]) {
    sscanf(strstr(command, " out/"), " %63s", path);
    if (path[strlen(path) - 1] == '/')
        path[strlen(path) - 1] = '\0';
    return path;
}

Test(folders, targets_of_another_kind) {
    char *folder = trust_begin();
    struct snapshot *empty = snapshot_take("out");
    for (size_t i = 0; i < SR_COUNT(trust_written); i++) {
        const char *name = trust_written[i].name, *command = trust_written[i].command;
        char path[64];
        target_of(command, path);
        const bool is_folder = strncmp(name, "train", 5) == 0 || strcmp(name, "export hf") == 0;
        const bool in_place = strcmp(name, "repack in place") == 0;
        if (in_place)
            continue;
        struct run r;
        if (!is_folder) {
            cr_assert_eq(mkdir(path, 0777), 0);
            r = run_program(folder, "%s", command);
            cr_expect(r.status == 74 || r.status == 2, "%s onto a folder: %d: %s", name, r.status, r.err);
            cr_expect(strstr(r.err, path) != NULL, "%s: %s", name, r.err);
            run_end(&r);
            cr_expect_eq(rmdir(path), 0, "%s: the folder is no more", name);
        }
        cr_assert_eq(symlink("nowhere/at/all", path), 0);
        r = run_program(folder, "%s", command);
        cr_expect(r.status == 74 || r.status == 2, "%s onto a dangling link: %d: %s", name, r.status, r.err);
        cr_expect(strstr(r.err, path) != NULL, "%s: %s", name, r.err);
        run_end(&r);
        cr_expect_eq(unlink(path), 0, "%s: the link is no more", name);
        cr_assert_eq(mkfifo(path, 0666), 0);
        r = run_program(folder, "%s", command);
        cr_expect(r.status == 74 || r.status == 2, "%s onto a pipe: %d: %s", name, r.status, r.err);
        run_end(&r);
        cr_expect_eq(unlink(path), 0, "%s: the pipe is no more", name);
        snapshot_expect(empty, "out", NULL, name);
        snapshot_clear("out");
    }
    snapshot_free(empty);
    trust_end(folder);
}

/* It is told before anything is read, which is not there either. */
Test(folders, no_folder_for_the_target) {
    char *folder = trust_begin();
    cr_assert_eq(rename("in", "away"), 0);
    cr_assert_eq(rmdir("out"), 0);
    for (size_t i = 0; i < SR_COUNT(trust_written); i++)
        if (!trust_trains(&trust_written[i]))
            expect_failure(run_program(folder, "%s", trust_written[i].command), 74,
                           ": there is no folder out; make it first");
    trust_end(folder);
}

/* ---- limits ---- */

/* A command under a limit: done, or an error and nothing changed, but of training, which leaves a run to go
 * on with. */
static void expect_limited(const struct trust_trial *t, const char *limit) {
    char command[2048];
    snprintf(command, sizeof command, "%s '%%s' %s >/dev/null", limit, t->command->command);
    struct run r = shell(t->folder, command);
    cr_expect(r.status == t->fine.status || r.status == 74, "%s: status %d: %s", command, r.status, r.err);
    if (r.status != 74)
        snapshot_expect(t->new, "out", trust_clocks, command);
    else if (!trust_trains(t->command))
        snapshot_expect(t->old, "out", NULL, command);
    snapshot_expect_finished("out", command);
    run_end(&r);
    snapshot_restore(t->old, "out");
}

/* Too few descriptors, and files that may not grow past a block. */
Test(folders, limits_of_the_system) {
    static const char *const limits[] = {"prlimit --nofile=4", "prlimit --nofile=5", "prlimit --nofile=7",
                                         "prlimit --fsize=0", "prlimit --fsize=700"};
    char *folder = trust_begin();
    for (size_t i = 0; i < SR_COUNT(trust_written); i++) {
        struct trust_trial t;
        trust_trial_begin(&t, folder, &trust_written[i]);
        for (size_t l = 0; l < SR_COUNT(limits); l++)
            expect_limited(&t, limits[l]);
        trust_trial_end(&t);
    }
    trust_end(folder);
}

/* ---- several writers ---- */

/* The second is refused with its reason, whether it would begin or go on; the first does not notice. */
Test(folders, two_runs_in_one) {
    fault_need();
    char *folder = trust_begin();
    run_fine(folder, TRUST_TRAIN "--out out/run");
    struct snapshot *want = snapshot_take("out");
    snapshot_clear("out");
    const pid_t first =
        fault_start(folder, "rename:1:signal=STOP:metrics.csv", NULL, TRUST_TRAIN "--out out/run");
    int raw;
    cr_assert_eq(waitpid(first, &raw, WUNTRACED), first);
    cr_assert(WIFSTOPPED(raw), "status %x", raw);
    char other[256];
    cr_assert_eq(mkdir(fault_path(other, sizeof other, folder, "second"), 0777), 0);
    expect_failure(run_program(other, "train --resume out/run"), 2, "another process is working on");
    expect_failure(run_program(other, "train --resume auto --train in/a.h5 --val in/b.h5 --out out/run"), 2,
                   "out/run");
    expect_failure(run_program(other, TRUST_TRAIN "--out out/run"), 2, "exists already");
    cr_assert_eq(kill(first, SIGCONT), 0);
    struct faulted f = fault_wait(first, folder);
    cr_expect_eq(f.run.status, 0, "%s", f.run.err);
    faulted_end(&f);
    snapshot_expect(want, "out", snapshot_times, "two runs in one");
    snapshot_free(want);
    trust_end(folder);
}

/* Of two that write the same target each writes a whole file; the last one's is there, and nothing else. */
Test(folders, two_writers_of_one_target) {
    fault_need();
    char *folder = trust_begin(), other[256];
    run_fine(folder, TRUST_EXPORT "--to pt --out out/w.pt");
    struct snapshot *want = snapshot_take("out");
    cr_assert_eq(mkdir(fault_path(other, sizeof other, folder, "second"), 0777), 0);
    const pid_t first =
        fault_start(other, "rename:1:signal=STOP:w.pt", NULL, TRUST_EXPORT "--to pt --out out/w.pt");
    int raw;
    cr_assert_eq(waitpid(first, &raw, WUNTRACED), first);
    cr_assert(WIFSTOPPED(raw), "status %x", raw);
    run_fine(folder, TRUST_OLD "--to pt --out out/w.pt");
    cr_assert_eq(kill(first, SIGCONT), 0);
    struct faulted f = fault_wait(first, other);
    cr_expect_eq(f.run.status, 0, "%s", f.run.err);
    faulted_end(&f);
    snapshot_expect(want, "out", NULL, "two writers of one");
    snapshot_free(want);
    trust_end(folder);
}

/* A temporary file of a dead process is removed by the next writer; of a living one, a locked one, and what
 * only looks like one is left alone. */
Test(folders, temporary_files_of_others) {
    char *folder = trust_begin(), dead[64], locked[64], living[64];
    const pid_t child = fork();
    if (child == 0)
        _exit(0);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    snprintf(dead, sizeof dead, "out/.x.h5.%ld.1a.tmp", (long)child);
    snprintf(locked, sizeof locked, "out/.x.h5.%ld.1b.tmp", (long)child);
    snprintf(living, sizeof living, "out/.x.h5.%ld.1c.tmp", (long)getpid());
    trust_text("out/.x.h5.tmp", "x", 1);
    trust_text(dead, "x", 1);
    trust_text(locked, "x", 1);
    trust_text(living, "x", 1);
    const int fd = open(locked, O_RDWR | O_CLOEXEC);
    cr_assert_eq(fcntl(fd, F_OFD_SETLK, &(struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET}), 0);
    run_fine(folder, trust_written[0].command);
    cr_expect_neq(access(dead, F_OK), 0, "%s is still there", dead);
    cr_expect_eq(access(locked, F_OK), 0, "%s is gone, and its writer lives", locked);
    cr_expect_eq(access(living, F_OK), 0, "%s is gone, and its writer lives", living);
    cr_expect_eq(access("out/.x.h5.tmp", F_OK), 0, "a file of another name is gone");
    close(fd);
    trust_end(folder);
}
