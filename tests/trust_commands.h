/* trust_commands.h: every command of the program, as what is done to one may be done to each, and a folder
 * with small inputs of every kind for them: in/ is read, out/ is written. The working folder is that folder.
 *
 * SR_TRUST_ONLY=NAME leaves the commands whose name has that in it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_TRUST_COMMANDS_H
#define SR_TEST_TRUST_COMMANDS_H

#include <stdbool.h>
#include <sys/stat.h>

#include "infer/infer.h"
#include "tests/run_program.h"

/* before: what makes the targets that are there already, with other bytes; NULL where the command refuses
 * what is there. --threads 1 where calls are counted. */
struct trust_command {
    const char *name, *before, *command;
};

#define TRUST_TRAIN                                                                                          \
    "train --train in/a.h5 --val in/b.h5 --hidden 8 --dropout 0 --batch 64 --epochs 2 --threads 1 "          \
    "--checkpoint-seconds 0 "
#define TRUST_EXPORT "export --model in/w.safetensors --threshold 0.5 "
#define TRUST_OLD    "export --model in/w2.safetensors --threshold 0.25 "

static const struct trust_command trust_written[] = {
    {"synth", "data synth --rows 40 --width 8 --seed 3 --world 1 --out out/x.h5",
     "data synth --rows 40 --width 8 --seed 3 --world 2 --out out/x.h5"},
    {"label", "data synth --rows 30 --width 8 --out out/x.h5",
     "data label in/a.h5 --small-threshold 0.4 --out out/x.h5"},
    {"repack", "data synth --rows 30 --width 8 --out out/x.h5",
     "data repack in/a.h5 --dtype float32 --gzip 4 --band 16 --out out/x.h5"},
    {"repack in place", "data repack in/a.h5 --dtype float32 --gzip 4 --out out/x.h5",
     "data repack out/x.h5 --out out/x.h5"},
    {"drop", "data synth --rows 30 --width 8 --out out/x.h5",
     "data drop in/a.h5 --ids in/ids.txt --out out/x.h5"},
    {"merge", "data synth --rows 30 --width 8 --out out/x.h5",
     "data merge in/left.h5 in/right.h5 --out out/x.h5"},
    {"split", "data split in/a.h5 --train out/x.h5 --calibration out/y.h5 --test out/z.h5 --seed 8",
     "data split in/a.h5 --train out/x.h5 --calibration out/y.h5 --test out/z.h5"},
    {"convert csv", "data synth --rows 30 --width 8 --out out/x.h5",
     "data convert in/rows.csv --out out/x.h5"},
    {"convert jsonl", "data synth --rows 30 --width 8 --out out/x.h5",
     "data convert in/rows.jsonl --out out/x.h5"},
    {"convert npy", "data synth --rows 30 --width 8 --out out/x.h5",
     "data convert --features in/x.npy --out out/x.h5"},
    {"check ids", "data check in/a.h5 in/fewer.h5 --ids-out out/ids.txt",
     "data check in/a.h5 in/left.h5 --ids-out out/ids.txt"},
    {"infer csv", "infer --model in/w.safetensors --data in/b.h5 --out out/s.csv",
     "infer --model in/w.safetensors --data in/a.h5 --out out/s.csv --threads 1"},
    {"infer h5", "infer --model in/w.safetensors --data in/b.h5 --out out/s.h5",
     "infer --model in/w.safetensors --data in/a.h5 --out out/s.h5 --threads 1"},
    {"eval report", "eval --model in/w.safetensors --data in/b.h5 --report out/r.html",
     "eval --model in/w.safetensors --data in/a.h5 --report out/r.html --threads 1"},
    {"sweep router", NULL,
     "sweep --model in/w.safetensors --data in/a.h5 --rule f1 --calibrate isotonic --out out/w.safetensors "
     "--threads 1"},
    {"sweep csv", "sweep --model in/w.safetensors --data in/b.h5 --csv out/c.csv",
     "sweep --model in/w.safetensors --data in/a.h5 --csv out/c.csv --threads 1"},
    {"import", NULL, "import in/w.pt --threshold 0.5 --out out/w.safetensors"},
    {"import stats", NULL, "import in/w.pt --stats in/a.h5 --out out/w.safetensors"},
    {"export int8", TRUST_OLD "--to safetensors --out out/w.safetensors",
     TRUST_EXPORT "--to safetensors --dtype int8 --data in/a.h5 --out out/w.safetensors"},
#define SR_EXPORT(format, ending, help)                                                                      \
    {"export " #format, TRUST_OLD "--to " #format " --out out/w" ending,                                     \
     TRUST_EXPORT "--to " #format " --out out/w" ending},
#include "infer/exports.def"
#undef SR_EXPORT
    {"train", NULL, TRUST_TRAIN "--out out/run"},
    {"train seeds", NULL, TRUST_TRAIN "--seeds 2 --out out/run"},
    {"train init", NULL, TRUST_TRAIN "--init in/w.safetensors --out out/run"},
};

/* They write nothing but what they print. */
static const struct trust_command trust_printed[] = {
    {"version", NULL, "version"},
    {"help", NULL, "help train"},
    {"doctor", NULL, "doctor"},
    {"eval", NULL, "eval --model in/w.safetensors --data in/a.h5 --full"},
    {"eval json", NULL, "eval --model in/w.safetensors --data in/a.h5 --json"},
    {"eval scores", NULL, "eval --scores in/s.csv --data in/a.h5"},
    {"headroom", NULL, "eval --headroom --data in/a.h5"},
    {"sweep", NULL, "sweep --model in/w.safetensors --data in/a.h5"},
    {"sweep json", NULL, "sweep --scores in/s.h5 --data in/a.h5 --json"},
    {"infer", NULL, "infer --model in/w.safetensors --data in/a.h5"},
    {"inspect", NULL, "inspect in/run"},
    {"inspect json", NULL, "inspect in/w.safetensors --json"},
    {"data inspect", NULL, "data inspect in/a.h5 --scan --json"},
    {"data check", NULL, "data check in/a.h5 in/b.h5 --json"},
    {"data compare", NULL, "data compare in/left.h5 in/right.h5"},
    {"explain", NULL,
     "explain --model in/narrow.safetensors --decision in/line.json --features in/x.npy --row 0"},
    {"bench json", NULL, "bench --parts latency --model in/w.safetensors --seconds 0.01 --rounds 1 --json"},
    {"train summary", NULL, "train --resume in/run --json"},
};

static inline bool trust_begins(const struct trust_command *c, const char *word) {
    return strncmp(c->name, word, strlen(word)) == 0;
}

/* A run folder is written step by step, and gone on with. */
static inline bool trust_trains(const struct trust_command *c) {
    return strncmp(c->command, "train", 5) == 0;
}

/* No two runs print the same. */
static inline bool trust_prints_times(const struct trust_command *c) {
    return trust_begins(c, "doctor") || trust_begins(c, "bench") ||
           strncmp(c->command, "data inspect", 12) == 0;
}

static inline bool trust_chosen(const char *name) {
    const char *only = getenv("SR_TRUST_ONLY");
    return !only || strstr(name, only);
}

/* Where it is not the bytes that count: they hold times. */
static const char *const trust_clocks[] = {"timing.csv", "train.log", NULL};

static inline void trust_text(const char *path, const char *text, size_t size) {
    struct sr_error err = {0};
    cr_assert_eq(sr_atomic_file_write(path, text, size, &err), 0, "%s", err.text);
}

enum { TRUST_TABLE = 40, TRUST_WIDTH = 4 };

static inline double trust_value(size_t row, size_t k) {
    return (double)((7 * row + 3 * k) % 17) / 8 - 1;
}

/* in/rows.csv and in/rows.jsonl: the same table; in/x.npy, in/x.safetensors: its features; in/y.txt: labels.
 */
static inline void trust_tables(void) {
    static char csv[1 << 14], json[1 << 14], labels[256], npy[128 + 4 * TRUST_TABLE * TRUST_WIDTH];
    size_t c = (size_t)sprintf(csv, "id,label,f0,f1,f2,f3\n"), j = 0, l = 0;
    float *x = (float *)(npy + 128);
    for (size_t r = 0; r < TRUST_TABLE; r++) {
        c += (size_t)sprintf(csv + c, "row-%zu,%zu", r, r % 5 == 0 ? (size_t)1 : 0);
        j += (size_t)sprintf(json + j, "{\"id\": \"row-%zu\", \"label\": %d, \"f\\u0065atures\": [", r,
                             r % 5 == 0);
        l += (size_t)sprintf(labels + l, "%d\n", r % 5 == 0);
        for (size_t k = 0; k < TRUST_WIDTH; k++) {
            x[TRUST_WIDTH * r + k] = (float)trust_value(r, k);
            c += (size_t)sprintf(csv + c, ",%g", trust_value(r, k));
            j += (size_t)sprintf(json + j, "%s%g", k ? ", " : "", trust_value(r, k));
        }
        c += (size_t)sprintf(csv + c, "\n");
        j += (size_t)sprintf(json + j, "]}\n");
    }
    char head[119];
    snprintf(head, sizeof head, "%-117s\n", "{'descr': '<f4', 'fortran_order': False, 'shape': (40, 4), }");
    memcpy(npy, "\x93NUMPY\x01\x00\x76\x00", 10);
    memcpy(npy + 10, head, 118);
    const struct sr_tensor t = {
        .name = "features", .dtype = SR_F32, .rank = 2, .shape = {TRUST_TABLE, TRUST_WIDTH}, .data = x};
    struct sr_error err = {0};
    cr_assert_eq(sr_safetensors_write("in/x.safetensors", &t, 1, NULL, 0, &err), 0, "%s", err.text);
    trust_text("in/rows.csv", csv, c);
    trust_text("in/rows.jsonl", json, j);
    trust_text("in/y.txt", labels, l);
    trust_text("in/x.npy", npy, sizeof npy);
}

/* in/line.json: what a serving process would have logged of row 0 of in/x.npy with in/narrow.safetensors. */
static inline void trust_line(void) {
    struct saferoute_router *r;
    struct saferoute_decision d;
    char line[SAFEROUTE_JSON_SIZE];
    float x[TRUST_WIDTH];
    for (size_t k = 0; k < TRUST_WIDTH; k++)
        x[k] = (float)trust_value(0, k);
    cr_assert_eq(saferoute_open(&r, "in/narrow.safetensors", NULL, NULL), 0);
    saferoute_decide(
        r, &d,
        &(struct saferoute_rows){.features = x, .dtype = SAFEROUTE_FLOAT32, .rows = 1, .width = TRUST_WIDTH},
        NULL);
    saferoute_close(r);
    trust_text("in/line.json", line, saferoute_decision_json(line, sizeof line, &d, NULL));
}

/* The folder, with in/ filled and out/ empty; it becomes the working folder. Free with trust_end. */
static inline char *trust_begin(void) {
    static const char *const make[] = {
        "data synth --rows 150 --width 16 --seed 1 --out in/a.h5",
        "data synth --rows 90 --width 16 --seed 2 --out in/b.h5",
        "data repack in/a.h5 --gzip 4 --band 32 --dtype float32 --out in/zipped.h5",
        "data repack in/a.h5 --band 32 --dtype float32 --out in/chunked.h5",
        "data repack in/a.h5 --dtype float32 --out in/left.h5",
        "data repack in/a.h5 --dtype float32 --gzip 1 --out in/right.h5",
        TRUST_TRAIN "--out in/run",
        ("sweep --model in/run/best.safetensors --data in/b.h5 --rule f1 --calibrate isotonic --out "
         "in/w.safetensors"),
        "sweep --model in/run/last.safetensors --data in/b.h5 --rule recall=0.9 --out in/w2.safetensors",
        "export --model in/w.safetensors --to pt --out in/w.pt",
        "infer --model in/w.safetensors --data in/a.h5 --out in/s.csv",
        "infer --model in/w.safetensors --data in/a.h5 --out in/s.h5",
        "data convert in/rows.csv --out in/table.h5",
        "train --train in/table.h5 --val-fraction 0.3 --hidden 4 --dropout 0 --epochs 1 --out in/narrow",
    };
    setenv("OMP_WAIT_POLICY", "passive", 1); /* or waiting threads take time, where others work too */
    char *folder = folder_begin();
    cr_assert_eq(chdir(folder), 0);
    cr_assert_eq(mkdir("in", 0777), 0);
    cr_assert_eq(mkdir("out", 0777), 0);
    trust_tables();
    for (size_t i = 0; i < SR_COUNT(make); i++)
        run_fine(folder, make[i]);
    cr_assert_eq(rename("in/narrow/best.safetensors", "in/narrow.safetensors"), 0);
    trust_line();
    struct run r = run_program(folder, "data check in/a.h5 in/left.h5 --ids-out in/ids.txt");
    cr_assert_eq(r.status, 1, "%s", r.err);
    run_end(&r);
    char *ids = slurp("in/ids.txt"), *end = ids;
    for (int i = 0; i < 10; i++)
        end = strchr(end, '\n') + 1;
    trust_text("in/ids.txt", ids, (size_t)(end - ids));
    sr_free(ids);
    run_fine(folder, "data drop in/a.h5 --ids in/ids.txt --out in/fewer.h5");
    return folder;
}

static inline void trust_end(char *folder) {
    cr_assert_eq(chdir("/"), 0);
    folder_end(folder);
}

#endif
