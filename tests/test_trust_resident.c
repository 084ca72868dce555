/* test_trust_resident.c: no command takes more than 110 % of the memory that README.md says it takes.
 *
 * The figure is what wait4 says of the finished process (ru_maxrss: the most of its pages that were in memory
 * at once, files it maps among them). Linux counts what the process was before it became the program too, so
 * this test keeps small itself. The same under a limit of a control group, where one can be made.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/run_program.h"

#define MB ((size_t)1000000)

/* What is scored and copied is larger than what that may take. */
enum { ROWS = 6000, VAL_ROWS = 1000, SCORED_ROWS = 24000, WIDTH = 2048, WINDOW = 2048 };
#define TRAIN_BYTES  ((size_t)ROWS * WIDTH * 2)
#define VAL_BYTES    ((size_t)VAL_ROWS * WIDTH * 2)
#define SCORED_BYTES ((size_t)SCORED_ROWS * WIDTH * 2)
#define WINDOW_BYTES ((size_t)WINDOW * WIDTH * 2)

/* What README.md says, and the figure of it. */
static const struct {
    const char *words;
    size_t bytes;
} documented[] = {
    {"Memory above that of the features is about 90 MB with the published network, with and without `--init`",
     90 * MB},
    {"105 MB where they are streamed", 105 * MB},
    {"35 MB more while a stopped run is read", 35 * MB},
    {"`eval`, `sweep`, `infer`, `import` and `export` take about 100 MB with it", 100 * MB},
    {"the commands of `data` that write a dump 120 MB, whatever its size", 120 * MB},
};
enum { TRAINING, STREAMING, RESUMING, SCORING, COPYING };

Test(trust_resident, figures_are_the_readmes) {
    char *text = slurp(SR_SOURCE_DIR "/README.md");
    for (char *p = text; *p; p++)
        *p = *p == '\n' ? ' ' : *p;
    for (size_t i = 0; i < SR_COUNT(documented); i++)
        expect_in(text, documented[i].words);
    sr_free(text);
}

static char *folder;

static void synth(const char *path, int rows, int seed) {
    char command[256];
    snprintf(command, sizeof command, "data synth --out %s --rows %d --width %d --seed %d", path, rows, WIDTH,
             seed);
    run_fine(folder, command);
}

static void begin(void) {
    if (*SR_SANITIZE)
        cr_skip_test("a sanitizer takes memory of its own");
    setenv("OMP_WAIT_POLICY", "passive", 1); /* or waiting threads take time, where others work too */
    folder = folder_begin();
    cr_assert_eq(chdir(folder), 0);
    synth("train.h5", ROWS, 1);
    synth("val.h5", VAL_ROWS, 2);
}

static void end(void) {
    cr_assert_eq(chdir("/"), 0);
    if (folder) /* else skipped */
        folder_end(folder);
}

/* The program by a shell, in a control group unless that is NULL; its exit status, -1 by a signal. */
static int run_measured(size_t *peak, const char *group, const char *arguments) {
    char command[2048];
    snprintf(command, sizeof command, "%s%s%s exec '%s' %s >stdout 2>stderr </dev/null",
             group ? "echo $$ >" : "", group ? group : "", group ? "/cgroup.procs &&" : "", SR_PROGRAM,
             arguments);
    const pid_t pid = fork(); /* no thread has run in this process */
    cr_assert(pid >= 0);
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    struct rusage use;
    int raw;
    cr_assert_eq(wait4(pid, &raw, 0, &use), pid);
    *peak = (size_t)use.ru_maxrss * 1024;
    return WIFEXITED(raw) ? WEXITSTATUS(raw) : -1;
}

static void expect_within(const char *arguments, size_t bytes) {
    size_t peak;
    const int status = run_measured(&peak, NULL, arguments);
    char *err = slurp("stderr");
    cr_assert_eq(status, 0, "%s: status %d: %s", arguments, status, err);
    sr_free(err);
    cr_expect_leq(peak, bytes / 10 * 11, "%s took %zu MB, which is %.0f %% of %zu MB", arguments, peak / MB,
                  100 * (double)peak / (double)bytes, bytes / MB);
    printf("resident: %s: %.1f MB, %.0f %% of the %zu MB documented\n", arguments, (double)peak / (double)MB,
           100 * (double)peak / (double)bytes, bytes / MB);
    fflush(stdout);
}

#define TRAIN   "train --train train.h5 --val val.h5 --epochs 1 --threads 2 "
#define STREAM  "--memory 1M --window 2048 "
#define WEIGHTS "--model run/best.safetensors "

/* big.h5, run, and x.npy of SCORED_ROWS rows of zeros. */
static void make_rest(void) {
    static const char head[] = "{'descr': '<f2', 'fortran_order': False, 'shape': (%d, %d), }";
    char line[128] = "\x93NUMPY\x01\0\x76";
    memset(line + 10, ' ', 117);
    line[127] = '\n';
    line[10 + snprintf(line + 10, 100, head, SCORED_ROWS, WIDTH)] = ' ';
    FILE *to = fopen("x.npy", "wb");
    cr_assert(to && fwrite(line, 1, sizeof line, to) == sizeof line);
    cr_assert(fclose(to) == 0 && truncate("x.npy", (off_t)(sizeof line + SCORED_BYTES)) == 0);
    synth("big.h5", SCORED_ROWS, 3);
    run_fine(folder, TRAIN "--out run");
}

/* ids.txt, of the first row of s.csv. */
static void make_ids(void) {
    char *text = slurp("s.csv"), id[64];
    const char *line = strchr(text, '\n');
    cr_assert(line && sscanf(line + 1, "%*[^,],%63[^,]", id) == 1, "%.100s", text);
    FILE *to = fopen("ids.txt", "w");
    cr_assert(to && fprintf(to, "%s\n", id) > 0 && fclose(to) == 0);
    sr_free(text);
}

/* Of training: with features that are kept, or two windows of each dump. */
static size_t training(bool streams) {
    const size_t val = 2 * WINDOW_BYTES < VAL_BYTES ? 2 * WINDOW_BYTES : VAL_BYTES;
    return streams ? documented[STREAMING].bytes + 2 * WINDOW_BYTES + val
                   : documented[TRAINING].bytes + TRAIN_BYTES + VAL_BYTES;
}

Test(trust_resident, training_within_110_percent, .init = begin, .fini = end) {
    expect_within(TRAIN "--out run", training(false));
    expect_within(TRAIN STREAM "--out streamed", training(true));
    expect_within(TRAIN "--init run/best.safetensors --out tuned", training(false));
    expect_within(TRAIN STREAM "--init run/best.safetensors --out tuned_streamed", training(true));
}

Test(trust_resident, resuming_within_110_percent, .init = begin, .fini = end) {
    static const char *const stopped[] = {TRAIN "--out kept --max-minutes 0.00001",
                                          TRAIN STREAM "--out streamed --max-minutes 0.00001"};
    size_t peak;
    for (size_t i = 0; i < SR_COUNT(stopped); i++)
        cr_assert_eq(run_measured(&peak, NULL, stopped[i]), 75, "%s", stopped[i]);
    expect_within("train --resume kept --max-minutes 60", training(false) + documented[RESUMING].bytes);
    expect_within("train --resume streamed --max-minutes 60", training(true) + documented[RESUMING].bytes);
}

Test(trust_resident, scoring_and_copying_within_110_percent, .init = begin, .fini = end) {
    static const char *const scoring[] = {
        "sweep " WEIGHTS "--data val.h5 --rule f1 --out w.safetensors",
        "sweep " WEIGHTS "--data big.h5",
        "eval " WEIGHTS "--data big.h5",
        "infer " WEIGHTS "--data big.h5 --out s.csv",
        "infer " WEIGHTS "--data big.h5 --out s.h5",
        "export --model w.safetensors --to pt --out x.pt",
        "export --model w.safetensors --to onnx --out x.onnx",
        "export --model w.safetensors --to c --out x.c",
        "export --model w.safetensors --to safetensors --dtype int8 --data val.h5 --out x.safetensors",
        "import x.pt --stats big.h5 --out y.safetensors",
    };
    static const char *const copying[] = {
        "data repack big.h5 --out f.h5 --dtype float32",
        "data repack big.h5 --out z.h5 --gzip 1 --band 256",
        "data merge big.h5 z.h5 --out m.h5",
        "data split big.h5 --train a.h5 --test b.h5",
        "data label big.h5 --out l.h5",
        "data drop big.h5 --ids ids.txt --out d.h5",
        "data convert --features x.npy --out c.h5",
    };
    make_rest();
    for (size_t i = 0; i < SR_COUNT(scoring); i++)
        expect_within(scoring[i], documented[SCORING].bytes);
    make_ids();
    for (size_t i = 0; i < SR_COUNT(copying); i++)
        expect_within(copying[i], documented[COPYING].bytes);
    expect_within("infer " WEIGHTS "--data big.h5 --out kept.csv --memory 1G",
                  documented[SCORING].bytes + SCORED_BYTES);
}

/* ---- under a limit ---- */

/* A control group of version 1 or 2 with that limit, or NULL: nothing may be made here. */
static const char *group_begin(size_t limit) {
    static const char *const places[][2] = {{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
                                            {"/sys/fs/cgroup", "memory.max"}};
    static char path[128];
    for (size_t i = 0; i < SR_COUNT(places); i++) {
        char file[256];
        snprintf(path, sizeof path, "%s/sr_test_%d", places[i][0], (int)getpid());
        snprintf(file, sizeof file, "%s/%s", path, places[i][1]);
        if (mkdir(path, 0700) < 0)
            continue;
        FILE *f = fopen(file, "w");
        const bool set = f && fprintf(f, "%zu\n", limit) > 0 && fflush(f) == 0;
        if (f)
            fclose(f);
        if (set)
            return path;
        rmdir(path);
    }
    return NULL;
}

/* Status of a run of training in a control group of 110 % of `documented_bytes`. */
static int run_limited(size_t documented_bytes, const char *arguments) {
    size_t peak;
    const char *group = group_begin(documented_bytes / 10 * 11);
    if (!group)
        cr_skip_test("no control group can be made here (%s)", strerror(errno));
    const int status = run_measured(&peak, group, arguments);
    rmdir(group);
    return status;
}

/* The kernel counts what the program holds and its page tables; pages of files it can have back. Where less
 * is there than the features take, the program looks before it reads, and streams. */
Test(trust_resident, runs_within_a_limit_of_110_percent, .init = begin, .fini = end) {
    cr_expect_eq(run_limited(training(false), TRAIN "--out run --memory 1G"), 0);
    cr_expect_eq(run_limited(training(true), TRAIN STREAM "--out streamed"), 0);
    cr_expect_eq(run_limited(training(true), TRAIN "--window 2048 --out looks"), 0);
    char *err = slurp("stderr");
    expect_in(err, "streamed");
    sr_free(err);
}
