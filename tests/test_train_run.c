/* test_train_run.c: `saferoute train` as a user runs it: what it leaves behind, what it refuses, and that
 * threads, memory and signals never change a byte of the result. SIGKILL at any moment: test_trust_kill.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "nn/nn.h"
#include "tests/run_program.h"

/* A run small enough to be killed often: 25 epochs of 19 steps over three windows, early stopping off. */
#define SMALL "--hidden 24,12 --dropout 0.2,0.1 --batch 32 --epochs 25 --patience 0 --window 256 --threads 1"

static const char *const results[] = {"best.safetensors", "last.safetensors", "checkpoint.safetensors",
                                      "metrics.csv", "metrics.jsonl"};

static void dumps_make(const char *folder) {
    struct run r = run_program(folder, "data synth --out %s/train.h5 --rows 600 --width 32 --seed 1", folder);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    r = run_program(folder, "data synth --out %s/val.h5 --rows 200 --width 32 --seed 2", folder);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
}

static struct run train(const char *folder, const char *run, const char *more) {
    return run_program(folder, "train --train %s/train.h5 --val %s/val.h5 --out %s/%s " SMALL " %s", folder,
                       folder, folder, run, more);
}

static void train_fine(const char *folder, const char *run, const char *more) {
    struct run r = train(folder, run, more);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
}

/* Every result file of two runs, byte for byte. */
static void same_results(const char *folder, const char *a, const char *b) {
    for (size_t i = 0; i < SR_COUNT(results); i++) {
        char path[2][256];
        void *bytes[2];
        size_t size[2];
        struct sr_error err;
        snprintf(path[0], sizeof path[0], "%s/%s/%s", folder, a, results[i]);
        snprintf(path[1], sizeof path[1], "%s/%s/%s", folder, b, results[i]);
        for (int j = 0; j < 2; j++)
            cr_assert_eq(sr_file_read(&bytes[j], &size[j], path[j], 1 << 26, &err), 0, "%s", err.text);
        cr_expect(size[0] == size[1] && memcmp(bytes[0], bytes[1], size[0]) == 0,
                  "%s differs between %s and %s", results[i], a, b);
        sr_free(bytes[0]);
        sr_free(bytes[1]);
    }
}

Test(train_run, leaves_the_run_folder_behind) {
    char *folder = folder_begin(), path[256];
    dumps_make(folder);
    struct run r = train(folder, "run", "");
    cr_assert_eq(r.status, 0, "%s", r.err);
    cr_expect(strstr(r.out, "best epoch") && strstr(r.out, "best.safetensors") &&
              strstr(r.out, "none is chosen yet"));
    run_end(&r);
    const char *const files[] = {"config.yaml", "data.json", "timing.csv", "train.log"};
    for (size_t i = 0; i < SR_COUNT(files) + SR_COUNT(results); i++) {
        snprintf(path, sizeof path, "%s/run/%s", folder,
                 i < SR_COUNT(files) ? files[i] : results[i - SR_COUNT(files)]);
        cr_expect_eq(access(path, R_OK), 0, "%s is missing", path);
    }
    snprintf(path, sizeof path, "%s/run/metrics.jsonl", folder);
    char *lines = slurp(path);
    size_t n = 0;
    for (char *rest = lines, *line; (line = strsep(&rest, "\n")) && *line; n++) {
        struct sr_json *o;
        int64_t epoch;
        double auprc;
        cr_assert_eq(sr_json_parse(&o, line, strlen(line), NULL), 0);
        cr_expect(sr_json_as_integer(sr_json_get(o, "epoch"), &epoch) && epoch == (int64_t)n + 1);
        cr_expect(sr_json_as_number(sr_json_get(o, "val/auprc"), &auprc) && auprc > 0 && auprc <= 1);
        sr_json_free(o);
    }
    cr_expect_eq(n, 25);
    sr_free(lines);
    folder_end(folder);
}

/* The number in one column of one line (from 0, the header) of a file of comma-separated values. */
static double csv_number(const char *text, size_t line, size_t column) {
    while (line-- > 0)
        text = strchr(text, '\n') + 1;
    while (column-- > 0)
        text = strchr(text, ',') + 1;
    return strtod(text, NULL);
}

Test(train_run, learns) {
    char *folder = folder_begin(), path[256];
    dumps_make(folder);
    train_fine(folder, "run", "");
    snprintf(path, sizeof path, "%s/run/metrics.csv", folder);
    char *text = slurp(path);
    const double first = csv_number(text, 1, 3), last = csv_number(text, 25, 3);
    cr_expect_lt(last, first, "the training loss went from %g to %g", first, last);
    sr_free(text);
    folder_end(folder);
}

Test(train_run, same_bytes_for_any_threads_and_memory) {
    char *folder = folder_begin();
    dumps_make(folder);
    train_fine(folder, "two", "--threads 2");
    train_fine(folder, "one", "");
    train_fine(folder, "four", "--threads 4");
    train_fine(folder, "streamed", "--memory 1M --checkpoint-seconds 0");
    same_results(folder, "two", "one");
    same_results(folder, "two", "four");
    same_results(folder, "two", "streamed");
    train_fine(folder, "other_seed", "--seed 1");
    char a[256], b[256];
    snprintf(a, sizeof a, "%s/two/metrics.csv", folder);
    snprintf(b, sizeof b, "%s/other_seed/metrics.csv", folder);
    char *first = slurp(a), *second = slurp(b);
    cr_expect_str_neq(first, second); /* else the comparisons above would mean nothing */
    sr_free(first);
    sr_free(second);
    folder_end(folder);
}

/* Starts the program with its output thrown away. */
static pid_t start(char *const *arguments) {
    const pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        const int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execv(SR_PROGRAM, arguments);
        _exit(127);
    }
    return child;
}

static void sleep_microseconds(long us) {
    nanosleep(&(struct timespec){us / 1000000, us % 1000000 * 1000}, NULL);
}

static bool exists(const char *path) {
    return access(path, F_OK) == 0;
}

/* Begins or resumes the run in `run`, as a user would, with more flags. */
static pid_t begin_or_resume(const char *folder, const char *run, const char *more) {
    char line[2048], path[256];
    char *arguments[64];
    int n = 0;
    snprintf(path, sizeof path, "%s/%s", folder, run);
    if (exists(path))
        snprintf(line, sizeof line, "saferoute train --resume %s %s", path, more);
    else
        snprintf(line, sizeof line,
                 "saferoute train --train %s/train.h5 --val %s/val.h5 --out %s " SMALL " %s", folder, folder,
                 path, more);
    for (char *rest = line, *word; (word = strsep(&rest, " "));)
        arguments[n++] = word;
    arguments[n] = NULL;
    return start(arguments);
}

Test(train_run, a_signal_leaves_a_checkpoint_and_status_75, .timeout = 120) {
    char *folder = folder_begin(), checkpoint[256], metrics[256];
    dumps_make(folder);
    train_fine(folder, "whole", "");
    snprintf(checkpoint, sizeof checkpoint, "%s/cut/checkpoint.safetensors", folder);
    snprintf(metrics, sizeof metrics, "%s/cut/metrics.csv", folder);
    const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    int stopped = 0, raw = 0;
    for (size_t i = 0; i < SR_COUNT(signals); i++) {
        const pid_t child = begin_or_resume(folder, "cut", "--checkpoint-seconds 0.01");
        while (!exists(metrics)) /* the first epoch is over, so signals are caught */
            sleep_microseconds(1000);
        sleep_microseconds(30000);
        kill(child, signals[i]);
        cr_assert_eq(waitpid(child, &raw, 0), child);
        /* caught before it was ready, it dies as any program does; a run may also have ended before */
        stopped += WIFEXITED(raw) && WEXITSTATUS(raw) == 75;
        cr_expect(!WIFEXITED(raw) || WEXITSTATUS(raw) == 75 || WEXITSTATUS(raw) == 0, "exit status %d", raw);
    }
    cr_expect_geq(stopped, 1);
    cr_expect(exists(checkpoint));
    struct run r = run_program(folder, "train --resume %s/cut", folder);
    cr_expect_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    same_results(folder, "whole", "cut");
    folder_end(folder);
}

Test(train_run, a_finished_run_is_left_as_it_is) {
    char *folder = folder_begin();
    dumps_make(folder);
    train_fine(folder, "run", "");
    train_fine(folder, "copy", "");
    struct run r = run_program(folder, "train --resume %s/run", folder);
    cr_expect_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    same_results(folder, "run", "copy");
    folder_end(folder);
}

Test(train_run, refuses_what_it_cannot_do) {
    char *folder = folder_begin(), path[256];
    dumps_make(folder);
    train_fine(folder, "run", "");
    expect_failure(train(folder, "run", ""), 2, "exists already");
    expect_failure(train(folder, "x", "--epocs 3"), 2, "epochs");
    expect_failure(train(folder, "x", "--lr fast"), 2, "lr");
    expect_failure(train(folder, "x", "--val-fraction 0.1"), 2, "contradict");
    expect_failure(train(folder, "x", "--dropout 0.1,0.2,0.3"), 2, "dropout");
    expect_failure(train(folder, "x", "--set batch=1"), 2, "batch");
    expect_failure(train(folder, "x", "--hidden 8,8,8,8,8,8,8,8,8,8,8,8,8,8,8,8,8 --dropout 0"), 2,
                   "at most 16");
    expect_failure(
        run_program(folder, "train --train %s/none.h5 --val %s/val.h5 --out %s/y", folder, folder, folder),
        66, "none.h5");
    expect_failure(run_program(folder, "train --train %s/train.h5 --out %s/y2", folder, folder), 2, "--val");
    expect_failure(run_program(folder, "train --resume %s/nowhere", folder), 66, "nowhere");
    expect_failure(run_program(folder, "train --resume %s/run --epochs 99", folder), 2, "epochs");
    char odd_name[256];
    snprintf(path, sizeof path, "%s/val.h5", folder);
    snprintf(odd_name, sizeof odd_name, "%s/\xff.h5", folder);
    cr_assert_eq(link(path, odd_name), 0);
    struct run odd =
        run_program(folder, "train --train %s/train.h5 --val '%s' --out %s/z", folder, odd_name, folder);
    expect_failure(odd, 2, "UTF-8");
    const char *const none[] = {"x", "y", "y2", "z"};
    for (size_t i = 0; i < SR_COUNT(none); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, none[i]);
        cr_expect(!exists(path), "a refused run left the folder %s", none[i]);
    }
    folder_end(folder);
}

/* Kills a run once it is under way: behind its first epoch, or only behind its first file. */
static void stop_early(const char *folder, const char *run, const char *file, const char *more) {
    char path[256];
    int raw;
    const pid_t child = begin_or_resume(folder, run, more);
    snprintf(path, sizeof path, "%s/%s/%s", folder, run, file);
    while (!exists(path))
        sleep_microseconds(500);
    kill(child, SIGKILL);
    cr_assert_eq(waitpid(child, &raw, 0), child);
}

/* With a checkpoint or still without: a run goes on with its own data only. */
Test(train_run, refuses_to_go_on_with_other_data) {
    char *folder = folder_begin();
    dumps_make(folder);
    stop_early(folder, "begun", "data.json", "--epochs 100000 --checkpoint-seconds 1000");
    stop_early(folder, "saved", "checkpoint.safetensors", "--epochs 100000 --checkpoint-seconds 0");
    train_fine(folder, "done", "");
    struct run r = run_program(folder, "data synth --out %s/train.h5 --rows 600 --width 32 --seed 5", folder);
    cr_assert_eq(r.status, 0);
    run_end(&r);
    expect_failure(run_program(folder, "train --resume %s/begun", folder), 2, "training data");
    expect_failure(run_program(folder, "train --resume %s/saved", folder), 2, "training data");
    r = run_program(folder, "train --resume %s/done", folder);
    cr_expect_eq(r.status, 0, "a finished run needs its data no more: %s", r.err);
    run_end(&r);
    char path[256];
    snprintf(path, sizeof path, "%s/begun/data.json", folder);
    cr_assert_eq(sr_atomic_file_write(path, "{\"identity\":", 12, NULL), 0);
    expect_failure(run_program(folder, "train --resume %s/begun", folder), 65, "/begun/data.json: ");
    folder_end(folder);
}

/* The lock of a dead process is gone; that of a living one is waited for a little, then respected. */
Test(train_run, two_processes_do_not_share_a_run) {
    char *folder = folder_begin(), path[256];
    dumps_make(folder);
    train_fine(folder, "run", "");
    snprintf(path, sizeof path, "%s/run", folder);
    const int fd = open(path, O_RDONLY | O_DIRECTORY);
    cr_assert_eq(flock(fd, LOCK_EX), 0);
    expect_failure(run_program(folder, "train --resume %s/run", folder), 2, "another process");
    close(fd);
    struct run r = run_program(folder, "train --resume %s/run", folder);
    cr_expect_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    folder_end(folder);
}

/* OpenMP can be told to give fewer threads than asked for; OpenBLAS must not wait for the others. */
Test(train_run, few_threads_by_environment, .timeout = 60) {
    static const char *const settings[] = {"OMP_THREAD_LIMIT", "OMP_MAX_ACTIVE_LEVELS", "OMP_DYNAMIC"};
    static const char *const values[] = {"1", "0", "true"};
    char *folder = folder_begin();
    dumps_make(folder);
    const char *big = "--hidden 256,128 --batch 256 --epochs 3 --threads 2";
    train_fine(folder, "plain", big);
    for (size_t i = 0; i < SR_COUNT(settings); i++) {
        setenv(settings[i], values[i], 1);
        train_fine(folder, settings[i], big);
        unsetenv(settings[i]);
        same_results(folder, "plain", settings[i]);
    }
    folder_end(folder);
}

Test(train_run, a_signal_switched_off_stays_off) {
    char *folder = folder_begin();
    int raw;
    dumps_make(folder);
    signal(SIGHUP, SIG_IGN); /* as nohup does; the child inherits it */
    const pid_t child = begin_or_resume(folder, "run", "--epochs 200");
    char path[256];
    snprintf(path, sizeof path, "%s/run/metrics.csv", folder);
    while (!exists(path))
        sleep_microseconds(500);
    kill(child, SIGHUP);
    cr_assert_eq(waitpid(child, &raw, 0), child);
    cr_expect(WIFEXITED(raw) && WEXITSTATUS(raw) == 0, "exit status %d", raw);
    folder_end(folder);
}

/* Goes on with the run in `cut`, for a step; the warning it must or must not give. */
static void resume_expect(const char *folder, const char *warning, bool given) {
    struct run r = run_program(folder, "train --resume %s/cut --max-minutes 1e-9", folder);
    cr_expect_eq(r.status, 75, "%s", r.err);
    cr_expect_eq(strstr(r.err, warning) != NULL, given, "\"%s\" in: %s", warning, r.err);
    run_end(&r);
}

/* What a checkpoint's bits began with, and one of the time before that was written down. */
Test(train_run, going_on_with_other_bits_is_warned_of) {
    static const char warning[] = "will not be the same bits";
    static const struct sr_pair none = {"products", NULL};
    char *folder = folder_begin(), path[256];
    struct sr_safetensors *s;
    struct sr_error err;
    dumps_make(folder);
    setenv("SAFEROUTE_ISA", "base", 1);
    struct run r = train(folder, "cut", "--max-minutes 1e-9");
    cr_assert_eq(r.status, 75, "%s", r.err);
    run_end(&r);
    resume_expect(folder, warning, false);
    unsetenv("SAFEROUTE_ISA");
    resume_expect(folder, "now they are by fma: results will not be the same bits",
                  sr_matmul_for(SR_ISA_AVX2) != NULL);
    resume_expect(folder, warning, false);
    snprintf(path, sizeof path, "%s/cut/checkpoint.safetensors", folder);
    cr_assert_eq(sr_safetensors_open(&s, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_safetensors_rewrite(path, s, &none, 1, &err), 0, "%s", err.text);
    sr_safetensors_close(s);
    resume_expect(folder, "an earlier version", true);
    folder_end(folder);
}

static struct run train_with_file(const char *folder, const char *text) {
    char path[256];
    struct sr_error err;
    snprintf(path, sizeof path, "%s/settings.yaml", folder);
    cr_assert_eq(sr_atomic_file_write(path, text, strlen(text), &err), 0, "%s", err.text);
    return run_program(folder, "train --train %s/train.h5 --val %s/val.h5 --out %s/filed --config %s", folder,
                       folder, folder, path);
}

Test(train_run, settings_come_from_a_file_too) {
    char *folder = folder_begin();
    dumps_make(folder);
    train_fine(folder, "flagged", "");
    struct run r = train_with_file(folder, "# as SMALL\nhidden: [24, 12]\ndropout: [0.2, 0.1]\nbatch: 32\n"
                                           "epochs: 25\npatience: 0\nwindow: 256\nthreads: 1\n");
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    same_results(folder, "flagged", "filed");
    folder_end(folder);
}

Test(train_run, refuses_files_that_are_not_one_flat_mapping) {
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"epocs: 3\n", "epochs"},
        {"epochs: 3\nepochs: 4\n", "twice"},
        {"epochs: &a 3\n", "anchor"},
        {"epochs: !!int 3\n", "tag"},
        {"a: {b: 1}\n", "nested"},
        {"- epochs\n", "not a mapping"},
        {"hidden: [[1]]\n", "list"},
        {"epochs: 0\n", "epochs"},
        {"epochs: 3\n---\nlr: 1\n", "one"},
        {"epochs: [1, 2\n", "YAML"},
        {"", "empty"},
        {"out: x\n", "out"},
    };
    char *folder = folder_begin();
    dumps_make(folder);
    for (size_t i = 0; i < SR_COUNT(cases); i++)
        expect_failure(train_with_file(folder, cases[i].text), 2, cases[i].word);
    folder_end(folder);
}

Test(train_run, holds_validation_rows_out) {
    char *folder = folder_begin();
    dumps_make(folder);
    struct run r =
        run_program(folder, "train --train %s/train.h5,%s/val.h5 --val-fraction 0.25 --out %s/run " SMALL,
                    folder, folder, folder);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    char path[256];
    snprintf(path, sizeof path, "%s/run/data.json", folder);
    char *text = slurp(path);
    struct sr_json *o;
    int64_t train_rows, val_rows;
    cr_assert_eq(sr_json_parse(&o, text, strlen(text), NULL), 0);
    cr_assert(sr_json_as_integer(sr_json_get(sr_json_get(o, "train"), "rows"), &train_rows));
    cr_assert(sr_json_as_integer(sr_json_get(sr_json_get(o, "val"), "rows"), &val_rows));
    cr_expect_eq(train_rows + val_rows, 800);
    cr_expect(val_rows >= 190 && val_rows <= 210, "%d rows held out of 800, 200 asked for", (int)val_rows);
    sr_json_free(o);
    sr_free(text);
    folder_end(folder);
}
