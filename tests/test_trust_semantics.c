/* test_trust_semantics.c: data at the edges of what data can be, through the program as a user runs it.
 *
 * Constant, denormal, huge and infinite features; one class, one row, a last batch of one; scores that are
 * all equal or lie on the threshold; labels and features of other types; the training file as validation
 * file. Each has one right answer or one refusal: nothing is silently wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#include <locale.h>
#include <math.h>

#include "data/h5.h"
#include "tests/dump_fixture.h"
#include "tests/router_fixture.h"
#include "tests/run_program.h"

enum { COLUMNS = 6 };

static char *folder;

static void begin(void) {
    folder = folder_begin();
    cr_assert_eq(chdir(folder), 0);
}

static void end(void) {
    folder_end(folder);
}

TestSuite(trust_semantics, .init = begin, .fini = end);

/* ---- dumps ---- */

struct rows {
    size_t n;
    enum sr_feature type;
    float *x; /* [n, COLUMNS] */
    uint8_t *label;
};

/* Normal features; every third label is 1 and its rows lie off the others. */
static struct rows rows_make(size_t n) {
    struct rows r = {.n = n, .type = SR_FEATURE_FLOAT};
    r.x = sr_alloc(n * COLUMNS, sizeof *r.x, NULL);
    r.label = sr_alloc(n, 1, NULL);
    for (size_t i = 0; i < n; i++) {
        r.label[i] = i % 3 == 0;
        for (size_t k = 0; k < COLUMNS; k++)
            r.x[i * COLUMNS + k] = network_normal(9, i * COLUMNS + k) + (k == 1 && r.label[i] ? 2 : 0);
    }
    return r;
}

static void rows_free(struct rows *r) {
    sr_free(r->x);
    sr_free(r->label);
}

static struct sr_h5 *dump_begin(const char *path, const struct rows *r) {
    const struct sr_h5_layout layout = {.type = r->type, .rows = r->n, .width = COLUMNS};
    void *raw = sr_alloc(r->n, COLUMNS * sizeof(float), NULL);
    struct sr_h5 *f;
    sr_feature_from_float(raw, r->x, r->n * COLUMNS, r->type);
    cr_assert_eq(sr_h5_create(&f, path, path, NULL), 0);
    cr_assert_eq(sr_h5_write_layout(f, "features", &layout, 0, NULL), 0);
    cr_assert_eq(sr_h5_write_rows(f, "features", raw, 0, r->n, COLUMNS, NULL), 0);
    sr_free(raw);
    return f;
}

static void dump_write(const char *path, const struct rows *r) {
    struct sr_h5 *f = dump_begin(path, r);
    cr_assert_eq(sr_h5_write_column(f, "label", SR_H5_WRITE_U8, r->label, r->n, NULL), 0);
    cr_assert_eq(sr_h5_close(f, NULL), 0);
}

#define TRAIN "train --train t.h5 --val v.h5 --out run --hidden 8 --dropout 0 --epochs 2 --batch 32 "

static void train_and_score(const char *more) {
    char command[512];
    snprintf(command, sizeof command, TRAIN "%s", more);
    run_fine(".", command);
    run_fine(".", "infer --model run/best.safetensors --data v.h5 --out s.csv --threshold 0.5");
}

/* The logits of a file that infer wrote; free with sr_free. */
static double *logits_of(const char *path, size_t rows) {
    char *text = slurp(path), *line = strchr(text, '\n') + 1;
    double *logit = sr_alloc(rows, sizeof *logit, NULL);
    for (size_t i = 0; i < rows; i++, line = strchr(line, '\n') + 1) {
        const char *comma = strchr(strchr(line, ',') + 1, ',') + 1;
        logit[i] = strtod(comma, NULL);
        cr_expect(isfinite(logit[i]) && *comma != ',', "%s: row %zu: %.40s", path, i, line);
    }
    sr_free(text);
    return logit;
}

static void same_bytes(const char *a, const char *b) {
    struct sr_error err;
    void *bytes[2];
    size_t size[2];
    cr_assert_eq(sr_file_read(&bytes[0], &size[0], a, 1 << 26, &err), 0, "%s", err.text);
    cr_assert_eq(sr_file_read(&bytes[1], &size[1], b, 1 << 26, &err), 0, "%s", err.text);
    cr_expect(size[0] == size[1] && memcmp(bytes[0], bytes[1], size[0]) == 0, "%s and %s differ", a, b);
    sr_free(bytes[0]);
    sr_free(bytes[1]);
}

/* ---- features ---- */

static void spoil_constant(struct rows *r) {
    for (size_t i = 0; i < r->n * COLUMNS; i++)
        r->x[i] = 3;
}

static void spoil_one_constant(struct rows *r) {
    for (size_t i = 0; i < r->n; i++)
        r->x[i * COLUMNS + 2] = -7.5f;
}

static void spoil_denormal(struct rows *r) {
    for (size_t i = 0; i < r->n * COLUMNS; i++)
        r->x[i] *= 1e-40f;
}

/* The largest and the smallest that float16 holds. */
static void spoil_extreme(struct rows *r) {
    r->type = SR_FEATURE_HALF;
    for (size_t i = 0; i < r->n; i++) {
        r->x[i * COLUMNS] = i % 2 ? 65504 : -65504;
        r->x[i * COLUMNS + 3] = i % 2 ? 0x1p-24f : -0x1p-24f;
    }
}

/* As many rows as batches of 32 leave one over. */
Test(trust_semantics, odd_features_train_and_score) {
    void (*const spoil[])(struct rows *) = {spoil_constant, spoil_one_constant, spoil_denormal,
                                            spoil_extreme};
    static const char *const normalize[] = {"none", "standard"};
    for (size_t k = 0; k < 2 * SR_COUNT(spoil); k++) {
        struct rows r = rows_make(97);
        char more[64];
        spoil[k / 2](&r);
        dump_write("t.h5", &r);
        r.n = 33;
        dump_write("v.h5", &r);
        snprintf(more, sizeof more, "--normalize %s", normalize[k % 2]);
        train_and_score(more);
        double *logit = logits_of("s.csv", 33);
        if (k / 2 == 0)
            for (size_t i = 1; i < 33; i++)
                cr_expect_eq(logit[i], logit[0], "equal rows have one score");
        run_fine(".", "eval --model run/best.safetensors --data v.h5 --json");
        sr_free(logit);
        rows_free(&r);
        cr_assert_eq(system("rm -r run"), 0);
    }
}

static const float extremes[] = {65504, -65504, 0x1p-24f, -0x1p-24f, 0x1p-14f, 0x1.ff8p-15f};

Test(trust_semantics, float16_reads_as_it_was_written) {
    struct rows r = rows_make(1);
    r.type = SR_FEATURE_HALF;
    memcpy(r.x, extremes, sizeof extremes);
    dump_write("t.h5", &r);
    struct sr_data *d = open_paths("t.h5", NULL);
    float *x = all_features(d);
    cr_expect_arr_eq(x, extremes, sizeof extremes);
    sr_free(x);
    sr_data_close(d);
    rows_free(&r);
}

/* 1e6 is an infinity in float16. */
Test(trust_semantics, infinities_are_refused_with_their_row_or_left_out_and_counted) {
    struct rows r = rows_make(97);
    dump_write("v.h5", &r);
    r.type = SR_FEATURE_HALF;
    r.x[41 * COLUMNS + 5] = 1e6f;
    r.x[77 * COLUMNS] = NAN;
    dump_write("t.h5", &r);
    expect_failure(run_program(".", TRAIN), 65, "2 of 97 rows have a NaN or an infinity in their features");
    expect_failure(run_program(".", TRAIN), 65, "t.h5: 41, 77)");
    cr_expect_eq(access("run", F_OK), -1);
    train_and_score("--on-bad-row skip");
    struct run run = run_program(".", "infer --model run/best.safetensors --data t.h5 --out b.csv");
    cr_expect_eq(run.status, 0, "%s", run.err);
    char *text = slurp("b.csv");
    expect_in(text, "\n41,,nan,nan,large,a feature is NaN"); /* no number, and to the large guard */
    expect_in(text, "\n77,,nan,nan,large,a feature is NaN");
    sr_free(text);
    run_end(&run);
    expect_failure(run_program(".", "eval --model run/best.safetensors --data t.h5"), 65, "row 41");
    rows_free(&r);
}

/* ---- labels ---- */

Test(trust_semantics, one_class_cannot_train_and_its_figures_are_undefined) {
    struct rows r = rows_make(60);
    dump_write("v.h5", &r);
    dump_write("t.h5", &r);
    train_and_score("");
    for (int all = 0; all < 2; all++) {
        memset(r.label, all, r.n);
        dump_write("t.h5", &r);
        expect_failure(run_program(".", "train --train t.h5 --val v.h5 --out other"), 65,
                       all ? "the training rows have 60 positive and 0 negative labels"
                           : "the training rows have 0 positive and 60 negative labels");
        struct run run = run_program(".", "eval --model run/best.safetensors --data t.h5 --json");
        cr_assert_eq(run.status, 0, "%s", run.err);
        struct sr_json *o = parse(run.out);
        double value;
        cr_expect_not(sr_json_as_number(sr_json_get(o, "auroc"), &value));
        cr_expect_eq(sr_json_as_number(sr_json_get(o, "recall"), &value), all == 1);
        sr_json_free(o);
        run_end(&run);
        run = run_program(".", "sweep --model run/best.safetensors --data t.h5 --rule f1");
        cr_expect_eq(run.status, 65);
        expect_in(run.err, all ? "60 are positive and 0 negative" : "0 are positive and 60 negative");
        run_end(&run);
    }
    rows_free(&r);
}

static void train_with_labels(const char *run, const struct rows *r, enum sr_h5_type type,
                              const void *labels) {
    char command[256];
    for (int v = 0; v < 2; v++) {
        struct sr_h5 *f = dump_begin(v ? "v.h5" : "t.h5", r);
        cr_assert_eq(sr_h5_write_column(f, "label", type, labels, r->n, NULL), 0);
        cr_assert_eq(sr_h5_close(f, NULL), 0);
    }
    snprintf(command, sizeof command,
             "train --train t.h5 --val v.h5 --out %s --hidden 8 --dropout 0 --epochs 2", run);
    run_fine(".", command);
}

Test(trust_semantics, labels_of_any_type_train_the_same_bytes) {
    struct rows r = rows_make(97);
    float single[97];
    double wide[97];
    int64_t whole[97];
    for (size_t i = 0; i < r.n; i++)
        single[i] = (float)(wide[i] = (double)(whole[i] = r.label[i]));
    train_with_labels("u8", &r, SR_H5_WRITE_U8, r.label);
    train_with_labels("f32", &r, SR_H5_WRITE_F32, single);
    train_with_labels("f64", &r, SR_H5_WRITE_F64, wide);
    train_with_labels("i64", &r, SR_H5_WRITE_I64, whole);
    same_bytes("u8/last.safetensors", "f32/last.safetensors");
    same_bytes("u8/last.safetensors", "f64/last.safetensors");
    same_bytes("u8/last.safetensors", "i64/last.safetensors");
    single[5] = .5f;
    struct sr_h5 *f = dump_begin("t.h5", &r);
    cr_assert_eq(sr_h5_write_column(f, "label", SR_H5_WRITE_F32, single, r.n, NULL), 0);
    cr_assert_eq(sr_h5_close(f, NULL), 0);
    expect_failure(run_program(".", "train --train t.h5 --val v.h5 --out half"), 65, "/label row 5 is 0.5");
    rows_free(&r);
}

/* ---- how many rows ---- */

Test(trust_semantics, one_row) {
    struct rows r = rows_make(60);
    dump_write("t.h5", &r);
    dump_write("v.h5", &r);
    train_and_score("");
    double *all = logits_of("s.csv", 60), *alone;
    r.n = 1;
    dump_write("one.h5", &r);
    run_fine(".", "infer --model run/best.safetensors --data one.h5 --out one.csv --threshold 0.5");
    alone = logits_of("one.csv", 1);
    cr_expect_eq(alone[0], all[0]);
    run_fine(".", "eval --model run/best.safetensors --data one.h5");
    expect_failure(run_program(".", "train --train one.h5 --val v.h5 --out other"), 65,
                   "1 positive and 0 negative labels: both classes are needed");
    r.n = 2; /* one of each class */
    dump_write("one.h5", &r);
    run_fine(".", "train --train one.h5 --val v.h5 --out two --hidden 8 --epochs 2 --dropout 0");
    sr_free(all);
    sr_free(alone);
    rows_free(&r);
}

/* A batch of one has no variance: it joins the batch before. */
Test(trust_semantics, one_row_more_than_whole_batches) {
    struct rows r = rows_make(65);
    dump_write("t.h5", &r);
    dump_write("v.h5", &r);
    train_and_score("--batch 64 --sampler none");
    double *logit = logits_of("s.csv", 65);
    sr_free(logit);
    rows_free(&r);
}

/* ---- scores and thresholds ---- */

static void write_flat_router(float last_bias) {
    static const size_t widths[] = {COLUMNS, 8, 1};
    struct network n;
    network_begin(&n, widths, 2, 0);
    memset(network_find(&n, "cls.4.weight")->data, 0, 8 * sizeof(float));
    *(float *)network_find(&n, "cls.4.bias")->data = last_bias;
    network_write(&n, "flat.safetensors");
    network_end(&n);
}

static double figure(const char *threshold, const char *key) {
    struct run run =
        run_program(".", "eval --model flat.safetensors --data v.h5 --json --threshold %s", threshold);
    cr_assert_eq(run.status, 0, "%s", run.err);
    struct sr_json *o = parse(run.out);
    const double value = number(o, key);
    sr_json_free(o);
    run_end(&run);
    return value;
}

/* Every prob is exactly .5; routed is what lies above the threshold, not on it. */
Test(trust_semantics, equal_scores_and_scores_on_the_threshold) {
    struct rows r = rows_make(60);
    dump_write("v.h5", &r);
    write_flat_router(0);
    cr_expect_float_eq(figure("0.5", "auprc"), 20. / 60,
                       1e-12); /* the base rate; a division of small integers */
    cr_expect_eq(figure("0.5", "auroc"), .5);
    cr_expect_eq(figure("0.5", "share_routed"), 0);
    cr_expect_eq(figure("0.49999997", "share_routed"), 1); /* the float below */
    cr_expect_eq(figure("0", "share_routed"), 1);
    cr_expect_eq(figure("1", "share_routed"), 0);
    run_fine(".", "infer --model flat.safetensors --data v.h5 --out tie.csv --threshold 0.5");
    char *text = slurp("tie.csv");
    expect_in(text, ",small");
    cr_expect_null(strstr(text, ",large"));
    sr_free(text);
    run_fine(".", "infer --model flat.safetensors --data v.h5 --out tie.csv --threshold 0.49999997");
    text = slurp("tie.csv");
    cr_expect_null(strstr(text, ",small"));
    sr_free(text);
    rows_free(&r);
}

/* A prob of exactly 1 is not above a threshold of 1, one of exactly 0 not above 0. */
Test(trust_semantics, thresholds_at_the_ends) {
    struct rows r = rows_make(60);
    dump_write("v.h5", &r);
    write_flat_router(200);
    cr_expect_eq(figure("1", "share_routed"), 0);
    cr_expect_eq(figure("0", "share_routed"), 1);
    write_flat_router(-200);
    cr_expect_eq(figure("0", "share_routed"), 0);
    expect_failure(run_program(".", "eval --model flat.safetensors --data v.h5 --threshold 1.0001"), 2,
                   "threshold");
    expect_failure(run_program(".", "eval --model flat.safetensors --data v.h5 --threshold nan"), 2,
                   "threshold");
    rows_free(&r);
}

/* ---- several files ---- */

/* Values that every type holds; the set reads as one file of floats does. */
Test(trust_semantics, files_of_different_types_are_one_set) {
    static const enum sr_feature types[] = {SR_FEATURE_HALF, SR_FEATURE_FLOAT, SR_FEATURE_BFLOAT};
    struct rows r = rows_make(40);
    char path[16];
    for (size_t i = 0; i < r.n * COLUMNS; i++)
        r.x[i] = rintf(4 * r.x[i]) / 4 + 0; /* no -0 */
    dump_write("v.h5", &r);
    for (size_t k = 0; k < SR_COUNT(types); k++) {
        r.type = types[k];
        snprintf(path, sizeof path, "p%zu.h5", k);
        dump_write(path, &r);
    }
    struct sr_data *d = open_paths("p0.h5,p1.h5,p2.h5", NULL);
    float *x = all_features(d);
    for (size_t k = 0; k < SR_COUNT(types); k++)
        cr_expect_arr_eq(x + k * r.n * COLUMNS, r.x, r.n * COLUMNS * sizeof *x);
    sr_free(x);
    sr_data_close(d);
    run_fine(".", "train --train p0.h5,p1.h5,p2.h5 --val v.h5 --out mixed --hidden 8 --dropout 0 --epochs 2");
    rows_free(&r);
}

Test(trust_semantics, training_rows_as_validation_rows_are_refused_or_warned_of) {
    struct rows r = rows_make(97);
    dump_write("t.h5", &r);
    cr_assert_eq(symlink("t.h5", "link.h5"), 0);
    cr_assert_eq(link("t.h5", "v.h5"), 0);
    expect_failure(run_program(".", "train --train t.h5 --val ./t.h5 --out run"), 2,
                   "both in --train and in --val");
    expect_failure(run_program(".", "train --train t.h5 --val link.h5 --out run"), 2,
                   "both in --train and in --val");
    struct run run = run_program(".", TRAIN);
    cr_expect_eq(run.status, 0);
    expect_in(run.err, "about 100 % of the validation rows (at least 97) are training rows too");
    run_end(&run);
    cr_assert_eq(system("rm -r run"), 0);
    for (size_t i = 0; i < r.n * COLUMNS; i++)
        r.x[i] += .25f;
    cr_assert_eq(unlink("v.h5"), 0);
    dump_write("v.h5", &r);
    run = run_program(".", TRAIN);
    cr_expect_eq(run.status, 0);
    cr_expect_null(strstr(run.err, "are training rows too"));
    run_end(&run);
    rows_free(&r);
}

/* ---- a locale with decimal commas ---- */

Test(trust_semantics, a_comma_locale_changes_no_byte) {
    struct rows r = rows_make(97);
    dump_write("t.h5", &r);
    dump_write("v.h5", &r);
    (void)!system("localedef -i de_DE -f UTF-8 ./de_DE.UTF-8 2>/dev/null"); /* status 1: with warnings */
    setenv("LOCPATH", folder, 1);
    if (!setlocale(LC_ALL, "de_DE.UTF-8") || *localeconv()->decimal_point != ',')
        cr_skip_test("no locale with commas: install the package locales");
    setlocale(LC_ALL, "C");
    for (int comma = 0; comma < 2; comma++) {
        setenv("LC_ALL", comma ? "de_DE.UTF-8" : "C", 1);
        train_and_score("--lr 0.0005");
        run_fine(
            ".",
            "sweep --model run/best.safetensors --data v.h5 --rule f1 --csv sweep.csv --out w.safetensors");
        cr_assert_eq(system(comma ? "mkdir comma && mv run s.csv sweep.csv w.safetensors comma"
                                  : "mkdir plain && mv run s.csv sweep.csv w.safetensors plain"),
                     0);
    }
    static const char *const files[] = {
        "run/last.safetensors", "run/metrics.csv", "run/metrics.jsonl", "run/data.json", "run/config.yaml",
        "run/summary.json",     "s.csv",           "sweep.csv",         "w.safetensors"};
    for (size_t i = 0; i < SR_COUNT(files); i++) {
        char a[64], b[64];
        snprintf(a, sizeof a, "plain/%s", files[i]);
        snprintf(b, sizeof b, "comma/%s", files[i]);
        same_bytes(a, b);
    }
    rows_free(&r);
}

/* ---- many rows ---- */

/* 10^7 rows of 2048 float16 values are 38 GiB, of which only three rows are written: the file has holes. Row
 * numbers times width times size pass 2^32 and 2^35 on the way. */
enum { MANY_WIDTH = 2048, MANY_SHOWN = 3 };
static const size_t many = 10000000, many_shown[MANY_SHOWN] = {1048577, 8388609, 9999999};

static void many_write(void) {
    const struct sr_h5_layout layout = {.type = SR_FEATURE_HALF, .rows = many, .width = MANY_WIDTH};
    uint8_t *label = sr_alloc(many, 1, NULL);
    uint16_t raw[MANY_WIDTH];
    struct sr_h5 *f;
    for (size_t i = 0; i < many; i++)
        label[i] = i % 2;
    cr_assert_eq(sr_h5_create(&f, "many.h5", "many.h5", NULL), 0);
    cr_assert_eq(sr_h5_write_layout(f, "features", &layout, 0, NULL), 0);
    for (int k = 0; k < MANY_SHOWN; k++) {
        for (size_t c = 0; c < MANY_WIDTH; c++)
            raw[c] = (uint16_t)(0x3c00 + MANY_WIDTH / 2 * k + c % 1024);
        cr_assert_eq(sr_h5_write_rows(f, "features", raw, many_shown[k], 1, MANY_WIDTH, NULL), 0);
    }
    cr_assert_eq(sr_h5_write_column(f, "label", SR_H5_WRITE_U8, label, many, NULL), 0);
    cr_assert_eq(sr_h5_close(f, NULL), 0);
    sr_free(label);
}

/* Reads the rows shown and their neighbours, which are zero. */
static void many_read(struct sr_data *d, enum sr_order order) {
    uint32_t rows[2 * MANY_SHOWN];
    const struct sr_loader_options how = {.order = order, .batch = 4, .window = 32768};
    struct sr_error err = {0};
    struct sr_loader *l;
    struct sr_batch b;
    size_t seen = 0;
    for (size_t k = 0; k < MANY_SHOWN; k++) {
        rows[2 * k] = (uint32_t)many_shown[k] - 1;
        rows[2 * k + 1] = (uint32_t)many_shown[k];
    }
    cr_assert_eq(sr_loader_create(&l, d, rows, 2 * MANY_SHOWN, &how, &err), 0, "%s", err.text);
    cr_assert_eq(sr_loader_start(l, 0, 0, &err), 0, "%s", err.text);
    while (sr_loader_next(l, &b, &err) > 0)
        for (size_t i = 0; i < b.rows; i++, seen++) {
            size_t k = 0;
            while (k < MANY_SHOWN && many_shown[k] != b.row[i])
                k++;
            cr_expect_eq(b.y[i], b.row[i] % 2);
            for (size_t c = 0; c < MANY_WIDTH; c++) {
                const uint16_t half = (uint16_t)(0x3c00 + MANY_WIDTH / 2 * k + c % 1024);
                float wanted = 0;
                if (k < MANY_SHOWN)
                    sr_feature_to_float(&wanted, &half, 1, SR_FEATURE_HALF);
                cr_assert_eq(b.x[i * MANY_WIDTH + c], wanted, "row %u, feature %zu", b.row[i], c);
            }
        }
    cr_expect_eq(seen, 2 * MANY_SHOWN);
    sr_loader_free(l);
}

Test(trust_semantics, ten_million_rows) {
    const char *path;
    size_t row;
    many_write();
    struct sr_data *d = open_paths("many.h5", NULL);
    cr_assert_eq(d->rows, many);
    cr_expect_eq(sr_data_bytes(d), many * MANY_WIDTH * 2);
    many_read(d, SR_ORDER_FILE);
    many_read(d, SR_ORDER_SHUFFLED);
    sr_data_locate(d, many - 1, &path, &row);
    cr_expect_eq(row, many - 1);
    sr_data_close(d);
}
