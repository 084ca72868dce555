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
#include <ftw.h>
#include <sys/stat.h>

#include "data/cmd_data.h"
#include "infer/infer.h"
#include "tests/away.h"
#include "tests/dump_fixture.h"
#include "tests/failing_memory.h"
#include "tests/memory_trials.h"
#include "tests/run_program.h"
#include "tests/trust.h"

/* Failures of a trial; training's are fewer, for each is gone on with. */
enum { SOME = 8, SOME_TRAINING = 6, EVERY = 2000, EVERY_TRAINING = 300, SAMPLES = 100, ARGUMENTS = 64 };

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
#define X(name, help) {#name, sr_cmd_##name},
    SR_COMMAND_LIST(X)
#undef X
};

static bool has_trial(const char *command, const char *first) {
    const size_t n = strlen(first);
    for (size_t i = 0; i < SR_COUNT(trials); i++)
        if (strcmp(trials[i].command, command) == 0 && strncmp(trials[i].arguments, first, n) == 0 &&
            (n == 0 || trials[i].arguments[n] == ' '))
            return true;
    return false;
}

Test(trust_memory_commands, every_command_has_a_trial) {
#define X(name, help) cr_expect(has_trial(#name, ""), "%s", #name);
    SR_COMMAND_LIST(X)
#undef X
#define X(name, help) cr_expect(has_trial("data", #name), "data %s", #name);
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

static int call(const char *command, const char *arguments) {
    char copy[1024], *rest = copy, *argv[ARGUMENTS + 1] = {0};
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", arguments);
    for (char *word; (word = strsep(&rest, " "));)
        if (*word && argc < ARGUMENTS)
            argv[argc++] = word;
    for (size_t i = 0; i < SR_COUNT(commands); i++)
        if (strcmp(commands[i].name, command) == 0)
            return commands[i].run(argc, argv);
    return -1;
}

/* nth 0: none fails, and memory_first is filled. The reader of a command with --isolate lacks nothing. */
static struct outcome run_starved(const struct trial *t, uint64_t nth, bool forever) {
    struct outcome o;
    struct away reader;
    const bool isolated = strstr(t->arguments, "--isolate");
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
    o.status = call(t->command, t->arguments);
    o.memory = memory_end();
    streams_give();
    if (isolated)
        away_end(&reader);
    return o;
}

/* ---- files and handles ---- */

static void shell(const char *command) {
    cr_assert_eq(system(command), 0, "%s", command);
}

static void make_text(const char *path, const char *text) {
    struct sr_error err;
    cr_assert_eq(sr_atomic_file_write(path, text, strlen(text), &err), 0, "%s", err.text);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

/* The files that a trial replaces, or the run that it goes on with. */
static void out_begin(const struct trial *t) {
    char list[256], *rest = list;
    nftw("out", remove_one, 16, FTW_DEPTH | FTW_PHYS);
    cr_assert_eq(mkdir("out", 0700), 0);
    snprintf(list, sizeof list, "%s", t->old);
    for (char *name; *t->old && (name = strsep(&rest, " "));)
        if (strcmp(name, RUN) == 0)
            shell("cp -r in/stopped " RUN);
        else if (name[strlen(name) - 1] != '/')
            make_text(name, "old");
}

static struct sr_sha256 picture_of;
static const char *const not_the_same[] = {"timing.csv", "train.log", "config.yaml"}; /* twice */

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void picture_add(const char *path) {
    struct dirent **entry;
    const int n = scandir(path, &entry, NULL, by_name);
    sr_sha256_add(&picture_of, path, strlen(path) + 1);
    if (n < 0) {
        struct sr_error err;
        void *bytes;
        size_t size;
        cr_assert_eq(sr_file_read(&bytes, &size, path, (size_t)1 << 26, &err), 0, "%s", err.text);
        sr_sha256_add(&picture_of, bytes, size);
        sr_free(bytes);
    }
    for (int i = 0; i < n; i++) {
        char one[512];
        bool same = strcmp(entry[i]->d_name, ".") != 0 && strcmp(entry[i]->d_name, "..") != 0;
        for (size_t k = 0; k < SR_COUNT(not_the_same); k++)
            same = same && strcmp(entry[i]->d_name, not_the_same[k]) != 0;
        snprintf(one, sizeof one, "%s/%s", path, entry[i]->d_name);
        if (same)
            picture_add(one);
        free(entry[i]);
    }
    if (n >= 0)
        free(entry);
}

/* Names and bytes of what lies in out/, and of what was printed. */
struct picture {
    char files[65], printed[65];
};

static void picture_take(struct picture *p) {
    sr_sha256_begin(&picture_of);
    picture_add("out");
    sr_sha256_end(&picture_of, p->files);
    sr_sha256_begin(&picture_of);
    picture_add("stdout");
    sr_sha256_end(&picture_of, p->printed);
}

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

/* ---- inputs ---- */

static char *folder;

static void make(const char *command, const char *arguments) {
    streams_take();
    const int status = call(command, arguments);
    streams_give();
    char *err = slurp("stderr");
    cr_assert_eq(status, 0, "%s %s: %d, %s", command, arguments, status, err);
    sr_free(err);
}

static void make_tables(void) {
    char csv[4096] = "f0,f1,gold,small_prob,large_prob,id\n", jsonl[8192] = "", one[256];
    for (int i = 0; i < 12; i++) {
        snprintf(one, sizeof one, "%d.5,%d,%d,0.%d,0.%d,row-%d\n", i, 12 - i, i % 2, 1 + i % 9,
                 1 + (i + 4) % 9, i);
        strcat(csv, one);
        snprintf(one, sizeof one,
                 "{\"f\\u0065atures\": [%d.5, %d], \"gold\": %d, \"small_prob\": 0.%d, \"large_prob\": 0.%d, "
                 "\"id\": "
                 "\"row-%d\", \"source\": \"s%d\"}\n",
                 i, 12 - i, i % 2, 1 + i % 9, 1 + (i + 4) % 9, i, i % 3);
        strcat(jsonl, one);
    }
    make_text("in/rows.csv", csv);
    make_text("in/rows.jsonl", jsonl);
    make_text("in/gold.txt", "0\n1\n0\n");
    make_text("in/small.csv", "p\n0.25\n0.5\n0.75\n");
    make_text("in/contract.json", "{\"feature_model\": \"guard\", \"feature_layer\": \"last\"}");
}

/* x.npy: 3 rows of 2 numbers. */
static void make_array(void) {
    static const char head[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }";
    const float x[] = {1, 2, 3, 4, 5, 6.5f};
    char bytes[128 + sizeof x] = "\x93NUMPY\x01";
    memset(bytes + 10, ' ', 118);
    bytes[8] = 118;
    memcpy(bytes + 10, head, strlen(head));
    bytes[127] = '\n';
    memcpy(bytes + 128, x, sizeof x);
    struct sr_error err;
    cr_assert_eq(sr_atomic_file_write("in/x.npy", bytes, sizeof bytes, &err), 0, "%s", err.text);
}

static void make_line(void) {
    struct saferoute_router *r;
    struct saferoute_decision d;
    struct sr_data *data = open_paths("in/test.h5", NULL);
    float *x = all_features(data);
    char line[SAFEROUTE_JSON_SIZE];
    cr_assert_eq(saferoute_open(&r, "in/w.safetensors", NULL, NULL), 0);
    saferoute_decide(
        r, &d,
        &(struct saferoute_rows){
            .features = x + 3 * data->width, .dtype = SAFEROUTE_FLOAT32, .rows = 1, .width = data->width},
        NULL);
    saferoute_decision_json(line, sizeof line, &d, NULL);
    make_text("in/line.json", line);
    snprintf(line, sizeof line, "%s\n%s\n", data->id[5], data->id[9]);
    make_text("in/ids.txt", line);
    saferoute_close(r);
    sr_free(x);
    sr_data_close(data);
}

static void begin(void) {
    setenv("OMP_NUM_THREADS", "1", 1);
    setenv("TZ", "UTC0", 1); /* else libc reads a file, and keeps its name, at every local time */
    folder = folder_begin();
    cr_assert_eq(chdir(folder), 0);
    shell("mkdir in out");
    make("data", "synth --out in/train.h5 --rows 96 --width 16 --seed 1");
    make("data", "synth --out in/val.h5 --rows 64 --width 16 --seed 2");
    make("data", "synth --out in/test.h5 --rows 64 --width 16 --seed 3");
    make("data", "repack in/test.h5 --out in/gzip.h5 --dtype float32 --gzip 2 --band 16");
    make("data", "repack in/train.h5 --out in/again.h5 --dtype float32");
    make("train", SETS "--out in/run " TINY);
    make("train", SETS "--out in/run2 --seed 2 " TINY);
    make("sweep", "--model in/run/best.safetensors --data in/val.h5 --rule f1 --out in/w.safetensors");
    make("sweep", "--model in/run2/best.safetensors --data in/val.h5 --rule f1 --out in/w2.safetensors");
    make("export", "--model in/w.safetensors --to pt --out in/w.pt");
    streams_take();
    const int status = call("train", SETS "--out in/stopped --max-minutes 0.00001 " TINY);
    streams_give();
    cr_assert_eq(status, 75);
    shell("cp " SR_SOURCE_DIR "/tests/dumps/full.h5 in/full.h5"); /* columns of every kind */
    make_tables();
    make_array();
    make_line();
}

static void end(void) {
    cr_assert_eq(chdir("/"), 0);
    folder_end(folder);
}

/* ---- one trial ---- */

struct tally {
    size_t refused, without; /* runs that ended with status 71; that did without what they were not given */
};

/* Of a command without a failure: what a run with one is held against. */
struct baseline {
    struct picture before, after;
    size_t descriptors;
    unsigned long long handles;
    int status;
};

enum { NEVER = INT_MAX }; /* the number of a call that no run comes to */

/* The first run in a process also fills what libraries keep for good: what it asks for is not looked at. */
static uint64_t baseline_take(struct baseline *b, const struct trial *t) {
    out_begin(t);
    struct outcome o = run_starved(t, NEVER, false);
    char *err = slurp("stderr");
    cr_assert(o.status == 0 || o.status == 1, "%s %s: status %d: %s", t->command, t->arguments, o.status,
              err);
    sr_free(err);
    out_begin(t);
    picture_take(&b->before);
    b->descriptors = descriptors();
    o = run_starved(t, 0, false);
    picture_take(&b->after);
    b->handles = handles();
    b->status = o.status;
    cr_expect_eq(o.memory.live, 0, "%s %s: %zu blocks are not freed, the first of call %llu", t->command,
                 t->arguments, o.memory.live, (unsigned long long)o.memory.first);
    return o.memory.calls;
}

static bool trains(const struct trial *t) {
    return strcmp(t->command, "train") == 0;
}

/* A run of training is gone, or can be gone on with to the same bytes. */
static void expect_usable(const struct baseline *b, const char *name) {
    struct picture now;
    picture_take(&now);
    if (access(RUN, F_OK) != 0) {
        cr_expect_str_eq(now.files, b->before.files, "%s: something is left", name);
        return;
    }
    make("train", "--resume " RUN " --max-minutes 0");
    picture_take(&now);
    cr_expect_str_eq(now.files, b->after.files, "%s: another result", name);
}

/* What holds after any failure. */
static void expect_clean(const struct baseline *b, const struct outcome *o, const char *name) {
    cr_expect_eq(o->memory.live, 0, "%s: %zu blocks leaked; the first is that of call %llu, %zu bytes", name,
                 o->memory.live, (unsigned long long)o->memory.first, o->memory.first_bytes);
    cr_expect_eq(descriptors(), b->descriptors, "%s: a file descriptor leaked", name);
    cr_expect_eq(handles(), b->handles, "%s: HDF5 has %llu objects open, not %llu", name, handles(),
                 b->handles);
}

static void expect_refused(const struct trial *t, const struct baseline *b, const char *name) {
    struct picture now;
    char *err = slurp("stderr");
    cr_expect(strstr(err, "out of memory"), "%s: \"out of memory\" is not in: %s", name, err);
    sr_free(err);
    if (trains(t)) {
        expect_usable(b, name);
        return;
    }
    picture_take(&now); /* or the new file is whole, and what is to be said of it failed */
    cr_expect(strcmp(now.files, b->before.files) == 0 || strcmp(now.files, b->after.files) == 0,
              "%s: what was there has changed, or something is left", name);
}

/* Memory that can be done without, or one whose failure came to nothing. */
static void expect_same(const struct trial *t, const struct baseline *b, const struct outcome *o,
                        const char *name) {
    struct picture now;
    char *err = slurp("stderr"), *why = strstr(err, "error: ");
    cr_expect_eq(o->status, b->status, "%s: status %d: %s", name, o->status, why ? why : err);
    sr_free(err);
    if (o->status != b->status)
        return;
    picture_take(&now);
    cr_expect_str_eq(now.files, b->after.files, "%s: ended well with other files", name);
    cr_expect(t->random || strcmp(now.printed, b->after.printed) == 0, "%s: ended well with other output",
              name);
}

/* One run with one failure; false if there was none. */
static bool attempt(const struct trial *t, const struct baseline *b, uint64_t nth, bool forever,
                    struct tally *tally) {
    char name[700];
    snprintf(name, sizeof name, "%s %s: allocation %llu%s", t->command, t->arguments, (unsigned long long)nth,
             forever ? " and later ones" : "");
    out_begin(t);
    const struct outcome o = run_starved(t, nth, forever);
    if (!o.memory.failed)
        return false;
    if (o.status == 71) {
        tally->refused++;
        expect_refused(t, b, name);
    } else {
        tally->without++;
        expect_same(t, b, &o, name);
    }
    expect_clean(b, &o, name);
    return true;
}

/* Long: every n up to EVERY, and beyond it each place. Short: what no trial before this one has come through.
 * Both: some places, and as many of any calls. */
static void attempt_all(const struct trial *t, const struct baseline *b, uint64_t calls, bool forever,
                        struct tally *tally) {
    const size_t some = trains(t) ? SOME_TRAINING : SOME, share = forever ? 4 : 1;
    const uint64_t stream = sr_stream(SR_STREAM_TEST, (uint64_t)(t - trials), forever),
                   every = trains(t) ? EVERY_TRAINING : EVERY;
    for (uint64_t n = 1; trust_long() && !forever && n <= every && attempt(t, b, n, forever, tally); n++)
        ;
    for (size_t i = 0; i < memory_stacks && !forever; i++)
        if (trust_long() ? memory_first[i] > every : memory_fresh[i])
            attempt(t, b, memory_first[i], forever, tally);
    for (size_t i = 0; i < trust_times(SAMPLES, some) / share; i++) {
        attempt(t, b, memory_first[sr_random_bits(7, stream, 2 * i) % memory_stacks], forever, tally);
        attempt(t, b, 1 + sr_random_bits(7, stream, 2 * i + 1) % calls, forever, tally);
    }
}

static void try_all(const struct trial *t) {
    struct baseline b;
    struct tally once = {0}, forever = {0};
    const uint64_t calls = baseline_take(&b, t);
    attempt_all(t, &b, calls, false, &once);
    attempt_all(t, &b, calls, true, &forever);
    cr_expect_gt(once.refused, 0, "%s %s", t->command, t->arguments);
    printf("memory: %s %s: %llu allocations at %zu places; %zu runs with one failing, %zu with all from one "
           "on: status 71 in "
           "%zu, done without in %zu\n",
           t->command, t->arguments, (unsigned long long)calls, memory_stacks, once.refused + once.without,
           forever.refused + forever.without, once.refused + forever.refused, once.without + forever.without);
    fflush(stdout);
}

/* One failure of one trial again, with the stack of the call that was refused:
 * SAFEROUTE_TRIAL='eval --data' SAFEROUTE_TRACE=17. */
static void try_one(const struct trial *t, uint64_t nth) {
    struct baseline b;
    struct tally once = {0};
    baseline_take(&b, t);
    attempt(t, &b, nth, false, &once);
    char *out = slurp("stdout"), *err = slurp("stderr");
    printf("%s%s", out, err);
    fflush(stdout);
    sr_free(out);
    sr_free(err);
}

/* In one process: what an earlier trial has come through is known. */
Test(trust_memory_commands, fails_with_an_error, .init = begin, .fini = end) {
    const char *only = getenv("SAFEROUTE_TRIAL"), *trace = getenv("SAFEROUTE_TRACE");
    for (size_t i = 0; i < SR_COUNT(trials); i++) {
        char name[600];
        snprintf(name, sizeof name, "%s %s", trials[i].command, trials[i].arguments);
        if (only && !strstr(name, only))
            continue;
        if (trace)
            try_one(&trials[i], strtoull(trace, NULL, 10));
        else
            try_all(&trials[i]);
    }
}
