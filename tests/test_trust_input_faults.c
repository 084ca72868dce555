/* test_trust_input_faults.c: no number is wrong, whatever the n-th read of an input says, and whatever
 * somebody does to the file meanwhile.
 *
 * Every kind of input is read with a fault in the first, second, ... opening or reading of it: what comes out
 * must be that of the undisturbed run, or nothing with status 74 or 65 and a message that names the file.
 * Interruptions and short reads must not be noticed. A file that another one replaces meanwhile must give the
 * result of the one or of the other, never of a mixture; one that is cut off an error, and no SIGBUS.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fault.h"
#include "tests/snapshot.h"
#include "tests/trust.h"
#include "tests/trust_commands.h"

#define W "--model in/w.safetensors "
#define DUMP(kind, file)                                                                                     \
    { "infer, dump " kind, file, "in/b.h5", "infer " W "--data " file " --threads 1" }

/* file: the one with the fault; other: what replaces it, of the same kind. */
static const struct reading {
    const char *name, *file, *other, *command;
} readings[] = {
    DUMP("in one piece", "in/a.h5"),
    DUMP("in gzip chunks", "in/zipped.h5"),
    DUMP("in chunks", "in/chunked.h5"),
    {"repack, dump of doubles", "in/double.h5", "in/float.h5",
     "data repack in/double.h5 --dtype float32 --out out/x.h5"},
    {"eval", "in/a.h5", "in/b.h5", "eval " W "--data in/a.h5 --json --threads 1"},
    {"eval, baseline", "in/w2.safetensors", "in/w.safetensors",
     "eval " W "--baseline in/w2.safetensors --data in/a.h5 --json --threads 1"},
    {"eval, traffic", "in/b.h5", "in/a.h5", "eval " W "--data in/a.h5 --traffic in/b.h5 --json --threads 1"},
    {"eval, curves of a run", "in/run/metrics.jsonl", "in/metrics2.jsonl",
     "eval " W "--data in/a.h5 --run in/run --json --threads 1"},
    {"headroom", "in/a.h5", "in/b.h5", "eval --headroom --data in/a.h5 --json"},
    {"sweep", "in/a.h5", "in/b.h5", "sweep " W "--data in/a.h5 --csv out/c.csv --json --threads 1"},
    {"check", "in/a.h5", "in/b.h5", "data check in/a.h5 in/b.h5 --json"},
    {"check, config", "in/run/config.yaml", "in/config2.yaml", "data check in/a.h5 --config in/run --json"},
    {"compare", "in/left.h5", "in/b.h5", "data compare in/left.h5 in/a.h5 --json --threads 1"},
    {"inspect", "in/zipped.h5", "in/b.h5", "inspect in/zipped.h5 --json"},
    {"repack", "in/zipped.h5", "in/b.h5", "data repack in/zipped.h5 --dtype float32 --out out/x.h5"},
    {"label", "in/a.h5", "in/b.h5", "data label in/a.h5 --small-threshold 0.4 --out out/x.h5"},
    {"split", "in/a.h5", "in/b.h5", "data split in/a.h5 --train out/x.h5 --test out/y.h5"},
    {"merge", "in/right.h5", "in/b.h5", "data merge in/left.h5 in/right.h5 --common --out out/x.h5"},
    {"drop", "in/a.h5", "in/b.h5", "data drop in/a.h5 --ids in/ids.txt --out out/x.h5"},
    {"drop, ids", "in/ids.txt", "in/other.txt", "data drop in/a.h5 --ids in/ids.txt --out out/x.h5"},
    {"train, rows", "in/a.h5", "in/b.h5", TRUST_TRAIN "--out out/run"},
    {"train, streamed", "in/zipped.h5", "in/b.h5",
     "train --train in/zipped.h5 --val in/b.h5 --hidden 8 --dropout 0 --batch 64 --epochs 1 --threads 1 "
     "--window 256 --memory 64M --out out/run"},
    {"train, config", "in/c.yaml", "in/other.yaml", "train --config in/c.yaml --out out/run"},
    {"train, init", "in/w.safetensors", "in/w2.safetensors",
     TRUST_TRAIN "--init in/w.safetensors --out out/run"},
    {"infer, weights", "in/w.safetensors", "in/w2.safetensors", "infer " W "--data in/a.h5"},
    {"inspect, weights", "in/w.safetensors", "in/w2.safetensors", "inspect in/w.safetensors --json"},
    {"inspect, settings of a run", "in/run/config.yaml", "in/config2.yaml", "inspect in/run --json"},
    {"inspect, rows of a run", "in/run/data.json", NULL, "inspect in/run --json"},
    {"inspect, checkpoint of a run", "in/run/checkpoint.safetensors", NULL, "inspect in/run --json"},
    {"inspect, weights of a run", "in/run/best.safetensors", "in/w2.safetensors", "inspect in/run --json"},
    {"sweep, weights", "in/w.safetensors", "in/w2.safetensors",
     "sweep " W "--data in/a.h5 --rule f1 --out out/w.safetensors"},
    {"sweep, weights of another program", "in/f.safetensors", "in/f2.safetensors",
     "sweep --model in/f.safetensors --data in/a.h5 --rule f1 --out out/w.safetensors"},
    {"export, weights", "in/w.safetensors", "in/w2.safetensors", "export " W "--to onnx --out out/w.onnx"},
    {"export int8, dump", "in/a.h5", "in/b.h5",
     "export " W "--to safetensors --dtype int8 --data in/a.h5 --out out/w.safetensors"},
    {"export card, weights", "in/w.safetensors", "in/w2.safetensors", "export " W "--to card --out out/w.md"},
    {"export card, evaluation", "in/eval.json", "in/eval2.json",
     "export " W "--to card --eval in/eval.json --out out/w.md"},
    {"import pt", "in/w.pt", "in/w2.pt", "import in/w.pt --threshold 0.5 --out out/w.safetensors"},
    {"import safetensors", "in/w.safetensors", "in/w2.safetensors",
     "import in/w.safetensors --threshold 0.5 --out out/w.safetensors"},
    {"import stats", "in/a.h5", "in/b.h5",
     "import in/w.pt --threshold 0.5 --stats in/a.h5 --out out/w.safetensors"},
    {"import contract", "in/contract.json", "in/contract2.json",
     "import in/w.pt --threshold 0.5 --contract in/contract.json --out out/w.safetensors"},
    {"eval, csv scores", "in/s.csv", "in/s2.csv", "eval --scores in/s.csv --data in/a.h5 --json"},
    {"eval, h5 scores", "in/s.h5", "in/s2.h5", "eval --scores in/s.h5 --data in/a.h5 --json"},
    {"inspect, scores", "in/s.csv", "in/s2.csv", "inspect in/s.csv --json"},
    {"convert csv", "in/rows.csv", "in/rows2.csv", "data convert in/rows.csv --out out/x.h5"},
    {"convert jsonl", "in/rows.jsonl", "in/rows2.jsonl", "data convert in/rows.jsonl --out out/x.h5"},
    {"convert npy", "in/x.npy", "in/x2.npy",
     "data convert --features in/x.npy --label in/y.txt --out out/x.h5"},
    {"convert txt", "in/y.txt", "in/y2.txt",
     "data convert --features in/x.npy --label in/y.txt --out out/x.h5"},
    {"convert safetensors", "in/x.safetensors", "in/x2.safetensors",
     "data convert --features in/x.safetensors --out out/x.h5"},
    {"convert layers", "in/layers.npy", "in/layers2.npy",
     "data convert --features in/layers.npy --layer 1 --out out/x.h5"},
    {"convert hidden", "in/hidden.safetensors", "in/hidden2.safetensors",
     "data convert in/hidden.safetensors --layer 1 --pooling mean --out out/x.h5"},
    {"convert pt", "in/x.pt", "in/x2.pt", "data convert --features in/x.pt --out out/x.h5"},
    {"explain, features", "in/x.npy", "in/x2.npy",
     "explain --model in/narrow.safetensors --decision in/line.json --features in/x.npy --row 0"},
    {"explain, line", "in/line.json", "in/line2.json",
     "explain --model in/narrow.safetensors --decision in/line.json --features in/x.npy --row 0"},
    {"resume, checkpoint", "out/run/checkpoint.safetensors", NULL, "train --resume out/run"},
    {"resume, best", "out/run/best.safetensors", NULL, "train --resume out/run"},
    {"resume, parent", "out/run/parent.safetensors", NULL, "train --resume out/run"},
    {"resume, epochs", "out/run/metrics.jsonl", NULL, "train --resume out/run"},
    {"resume, finished", "in/run/summary.json", NULL, "train --resume in/run --json"},
    {"resume, settings", "out/run/config.yaml", NULL, "train --resume out/run"},
    {"resume, data.json", "out/run/data.json", NULL, "train --resume out/run"},
    {"resume, dump", "in/a.h5", "in/b.h5", "train --resume out/run"},
};

static const struct what {
    const char *name;
    bool noticed;      /* may be an error */
    const char *kinds; /* cut before it is opened it is just another file */
} whats[] = {
    {"EIO", true, "open,read"}, {"EINTR", false, "open,read"}, {"short", false, "open,read"},
    {"cut", true, "read"},      {"empty", true, "read"},       {"replace", true, "open,read"},
};

/* What a run printed and left. */
struct outcome {
    struct run run;
    struct snapshot *left;
};

struct trial {
    const char *folder;
    const struct reading *reading;
    struct snapshot *in, *out;     /* before */
    struct outcome fine, replaced; /* with the file, and with the other one in its place */
    size_t tried;
};

static void outcome_take(struct outcome *o, struct run run) {
    o->run = run;
    o->left = snapshot_take("out");
}

static void outcome_free(struct outcome *o) {
    run_end(&o->run);
    snapshot_free(o->left);
}

static bool is_train(const struct trial *t) {
    return strncmp(t->reading->command, "train", 5) == 0;
}

/* Of train what is printed tells times, as two of its files do; a file that was cut stays so. */
static bool same(const struct trial *t, const struct outcome *o, const struct run *run,
                 const struct snapshot *now) {
    const char *const but[] = {"timing.csv", "train.log", strrchr(t->reading->file, '/') + 1, NULL};
    return run->status == o->run.status && (is_train(t) || strcmp(run->out, o->run.out) == 0) &&
           !snapshot_differs(o->left, now, but);
}

static void put_back(const struct trial *t) {
    snapshot_restore(t->out, "out");
    snapshot_restore(t->in, "in");
}

static void copy(const char *to, const char *from) {
    struct sr_error err = {0};
    cr_assert_eq(sr_file_copy(to, from, (size_t)1 << 26, &err), 0, "%s", err.text);
}

/* Status 1: what was found out about the rows. */
static void run_both(struct trial *t) {
    outcome_take(&t->fine, run_program(t->folder, "%s", t->reading->command));
    cr_assert_leq(t->fine.run.status, 1, "%s: %s", t->reading->command, t->fine.run.err);
    put_back(t);
    if (t->reading->other)
        copy(t->reading->file, t->reading->other);
    outcome_take(&t->replaced, run_program(t->folder, "%s", t->reading->command));
    cr_assert_geq(t->replaced.run.status, 0);
    put_back(t);
}

static bool names_file(const struct trial *t, const char *text) {
    return strstr(text, t->reading->file) != NULL;
}

static void judge(const struct trial *t, const struct what *what, const char *fault, const struct run *run) {
    struct snapshot *now = snapshot_take("out");
    const bool replaced = strcmp(what->name, "replace") == 0;
    const bool right = same(t, &t->fine, run, now) || (replaced && same(t, &t->replaced, run, now));
    const bool refused =
        what->noticed && (run->status == 74 || run->status == 65 || run->status == 66 ||
                          (replaced && run->status != 0 && run->status == t->replaced.run.status));
    /* check goes on with its other files, and tells that as a finding */
    const bool told = what->noticed && run->status == 1 && strstr(run->out, "it was not looked through: ");
    cr_expect(right || refused || told, "%s, SR_FAULT=%s: status %d where %d was right%s: %s",
              t->reading->name, fault, run->status, t->fine.run.status,
              run->status == t->fine.run.status ? ", but other numbers" : "", run->err);
    if (!right && refused && !replaced) {
        cr_expect(names_file(t, run->err), "%s, SR_FAULT=%s: no name in: %s", t->reading->name, fault,
                  run->err);
        cr_expect(run->status != 66, "%s, SR_FAULT=%s: status 66: %s", t->reading->name, fault, run->err);
        if (strcmp(what->name, "EIO") == 0)
            cr_expect(strstr(run->err, strerror(EIO)) && run->status == 74,
                      "%s, SR_FAULT=%s: status %d, reason: %s", t->reading->name, fault, run->status,
                      run->err);
    }
    const char *differs = snapshot_differs(t->out, now, NULL);
    cr_expect(right || is_train(t) || !differs, "%s, SR_FAULT=%s: status %d, but %s", t->reading->name, fault,
              run->status, differs);
    snapshot_free(now);
}

static bool try(struct trial *t, size_t n, const struct what *what) {
    char fault[256], other[256];
    snprintf(fault, sizeof fault, "%s:%zu:%s:%s/%s", what->kinds, n, what->name, t->folder, t->reading->file);
    snprintf(other, sizeof other, "%s.new", t->reading->file);
    if (strcmp(what->name, "replace") == 0)
        copy(other, t->reading->other);
    struct faulted f = run_faulted(t->folder, fault, "%s", t->reading->command);
    const bool came = f.fired > 0;
    cr_expect_eq(f.signal, 0, "%s, SR_FAULT=%s: signal %d", t->reading->name, fault, f.signal);
    unlink(other);
    t->tried += came;
    judge(t, what, fault, &f.run);
    faulted_end(&f);
    put_back(t);
    return came;
}

static size_t calls_of(const struct trial *t, const char *kinds) {
    char none[256];
    snprintf(none, sizeof none, "%s:1000000000:EIO:%s/%s", kinds, t->folder, t->reading->file);
    struct faulted f = run_faulted(t->folder, none, "%s", t->reading->command);
    const size_t n = f.counted;
    cr_assert_gt(n, 0, "%s does not read %s", t->reading->command, t->reading->file);
    faulted_end(&f);
    put_back(t);
    return n;
}

/* At all calls in the long form, else at some, others for each fault. EIO, which each step must pass on,
 * comes to all of a reading that makes few: import makes 41 of a .pt, a dump more than 80. */
static void each_fault(struct trial *t, size_t salt) {
    const size_t any = calls_of(t, "open,read"), reads = calls_of(t, "read");
    for (size_t w = 0; w < SR_COUNT(whats); w++) {
        const size_t calls = strcmp(whats[w].kinds, "read") == 0 ? reads : any,
                     few = strcmp(whats[w].name, "EIO") == 0 ? 48 : 2,
                     times = trust_times(calls, calls < few ? calls : 2);
        const uint64_t stream = sr_stream(SR_STREAM_TEST, w, salt);
        if (strcmp(whats[w].name, "replace") == 0 && !t->reading->other)
            continue;
        for (size_t i = 0; i < times; i++)
            try(t, times == calls ? i + 1 : 1 + sr_random_below(9, stream, i, calls), &whats[w]);
        if (times == calls)
            cr_assert_not(try(t, calls + 1, &whats[w]));
    }
}

/* Weights without metadata, as other programs write them. */
static void copy_bare(const char *to, const char *from) {
    void *bytes;
    size_t size;
    struct sr_error err = {0};
    cr_assert_eq(sr_file_read(&bytes, &size, from, (size_t)1 << 26, &err), 0, "%s", err.text);
    char *begin = memmem(bytes, size, "\"__metadata__\"", 14);
    cr_assert_not_null(begin);
    char *end = memmem(begin, size - (size_t)(begin - (char *)bytes), "},\"cls.", 7);
    cr_assert_not_null(end, "%.300s", begin);
    memset(begin, ' ', (size_t)(end + 2 - begin));
    trust_text(to, bytes, size);
    sr_free(bytes);
}

/* Numbers that begin with `first`: three rows of two layers, and one of three tokens of two layers. */
static void write_layers(const char *npy, const char *hidden, float first) {
    static const char head[] =
        "\x93NUMPY\1\0\x76\0{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2, 2), }";
    char bytes[128 + 12 * sizeof(float)];
    float x[12];
    int64_t ids[3] = {0};
    for (int i = 0; i < 12; i++)
        x[i] = first + (float)i;
    memset(bytes, ' ', 128);
    memcpy(bytes, head, sizeof head - 1);
    bytes[127] = '\n';
    memcpy(bytes + 128, x, sizeof x);
    trust_text(npy, bytes, sizeof bytes);
    const struct sr_tensor tensors[] = {{"hidden_states", SR_F32, 3, {3, 2, 2}, x},
                                        {"token_ids", SR_I64, 1, {3}, ids}};
    cr_assert_eq(sr_safetensors_write(hidden, tensors, SR_COUNT(tensors), NULL, 0, NULL), 0);
}

/* The other files, and a run that was stopped after its first epoch. */
static void more_inputs(const char *folder) {
    static const char *const copies[][2] = {
        {"in/double.h5", SR_SOURCE_DIR "/tests/dumps/double.h5"},
        {"in/float.h5", SR_SOURCE_DIR "/tests/dumps/float.h5"},
        {"in/x.pt", SR_SOURCE_DIR "/tests/vectors/convert/features.pt"},
        {"in/x2.pt", SR_SOURCE_DIR "/tests/vectors/convert/layers.pt"},
        {"in/x2.npy", "in/x.npy"},
        {"in/x2.safetensors", "in/x.safetensors"},
    };
    for (size_t i = 0; i < SR_COUNT(copies); i++)
        copy(copies[i][0], copies[i][1]);
    FILE *f = fopen("in/x2.npy", "r+b");
    fseek(f, 128, SEEK_SET);
    fwrite("\0\0\200\77", 1, 4, f);
    fclose(f);
    cr_assert_eq(mkdir("in/two", 0777), 0);
    run_fine(folder, "export --model in/w2.safetensors --to pt --out in/two/w.pt");
    copy("in/w2.pt", "in/two/w.pt");
    write_layers("in/layers.npy", "in/hidden.safetensors", 1);
    write_layers("in/layers2.npy", "in/hidden2.safetensors", 2);
    copy_bare("in/f.safetensors", "in/w.safetensors");
    copy_bare("in/f2.safetensors", "in/w2.safetensors");
    run_fine(folder, "infer --model in/w2.safetensors --data in/a.h5 --out in/s2.csv");
    run_fine(folder, "infer --model in/w2.safetensors --data in/a.h5 --out in/s2.h5");
#define TEXT(path, text) trust_text(path, text, strlen(text))
    TEXT("in/c.yaml",
         "train: in/a.h5\nval: in/b.h5\nhidden: 8\ndropout: 0\nbatch: 64\nepochs: 1\nthreads: 1\n");
    TEXT("in/other.yaml", "train: in/a.h5\nval: in/b.h5\nhidden: 4\ndropout: 0\nepochs: 1\nthreads: 1\n");
    TEXT("in/config2.yaml", "label: stored\n");
    TEXT("in/contract.json", "{\"feature_model\": \"one\", \"feature_norm\": \"post\"}\n");
    TEXT("in/contract2.json", "{\"feature_model\": \"two\", \"feature_norm\": \"pre\"}\n");
    TEXT("in/rows2.csv", "id,label,f0,f1,f2,f3\nx,1,1,2,3,4\ny,0,4,3,2,1\n");
    TEXT("in/rows2.jsonl", "{\"id\": \"x\", \"label\": 1, \"features\": [1, 2]}\n");
    char *ids = slurp("in/ids.txt"), *labels = slurp("in/y.txt"), *line = slurp("in/line.json"),
         *epochs = slurp("in/run/metrics.jsonl");
    trust_text("in/other.txt", ids, (size_t)(strchr(ids, '\n') + 1 - ids));
    trust_text("in/metrics2.jsonl", epochs, (size_t)(strchr(epochs, '\n') + 1 - epochs));
    for (char *p = labels; *p; p++)
        *p = *p == '1' ? '0' : *p == '0' ? '1' : *p;
    trust_text("in/y2.txt", labels, strlen(labels));
    trust_text("in/line2.json", line, strlen(line));
    sr_free(ids);
    sr_free(labels);
    sr_free(line);
    sr_free(epochs);
    for (int i = 0; i < 2; i++) {
        struct run r =
            run_program(folder, "eval --model in/w%s.safetensors --data in/b.h5 --json", i ? "2" : "");
        cr_assert_eq(r.status, 0, "%s", r.err);
        trust_text(i ? "in/eval2.json" : "in/eval.json", r.out, strlen(r.out));
        run_end(&r);
    }
}

static void stopped_run(const char *folder) {
    struct faulted f = run_faulted(folder, "rename:1:signal=TERM:metrics.csv",
                                   TRUST_TRAIN "--init in/w.safetensors --out out/run");
    cr_assert_eq(f.run.status, 75, "%s", f.run.err);
    faulted_end(&f);
}

static void trial_run(struct trial *t, size_t salt) {
    t->in = snapshot_take("in");
    if (strncmp(t->reading->name, "resume", 6) == 0)
        stopped_run(t->folder);
    t->out = snapshot_take("out");
    run_both(t);
    each_fault(t, salt);
    snapshot_clear("out");
    snapshot_free(t->in);
    snapshot_free(t->out);
    outcome_free(&t->fine);
    outcome_free(&t->replaced);
}

Test(input_faults, each_kind_of_input) {
    fault_need();
    char *folder = trust_begin();
    size_t tried = 0;
    more_inputs(folder);
    for (size_t i = 0; i < SR_COUNT(readings); i++) {
        struct trial t = {.folder = folder, .reading = &readings[i]};
        if (!trust_chosen(readings[i].name))
            continue;
        trial_run(&t, i);
        tried += t.tried;
    }
    cr_log_info("%zu faults", tried);
    trust_end(folder);
}
