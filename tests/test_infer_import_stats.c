/* test_infer_import_stats.c: `saferoute import --stats`: the range check of a router that was trained
 * elsewhere is the one that train would have stored.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "data/h5.h"
#include "infer/infer.h"
#include "tests/dump_fixture.h"
#include "tests/run_program.h"
#include "tests/tensor_files.h"

static const char *const tensors[] = {"stats.mean", "stats.var", "stats.basis", "stats.range"};
static char *folder;
static struct sr_error err;

static void begin(void) {
    folder = folder_begin();
    cr_assert_eq(chdir(folder), 0);
}

static void end(void) {
    folder_end(folder);
}

TestSuite(import_stats, .init = begin, .fini = end);

static struct sr_safetensors *open_weights(const char *path) {
    struct sr_safetensors *s;
    cr_assert_eq(sr_safetensors_open(&s, path, &err), SR_OK, "%s", err.text);
    return s;
}

static const float *values(const struct sr_safetensors *s, const char *name, size_t *n) {
    const struct sr_tensor *t = sr_safetensors_find(s, name);
    cr_assert_not_null(t, "%s", name);
    *n = (size_t)sr_tensor_items(t);
    return t->data;
}

/* The range check of both files is that of the same rows; within 0 bit by bit. */
static void expect_same_stats(const char *got, const char *wanted, double within) {
    struct sr_safetensors *a = open_weights(got), *b = open_weights(wanted);
    for (size_t k = 0; k < SR_COUNT(tensors); k++) {
        size_t n, m;
        const float *x = values(a, tensors[k], &n), *y = values(b, tensors[k], &m);
        cr_assert_eq(n, m, "%s", tensors[k]);
        for (size_t i = 0; i < n; i++)
            cr_expect(fabs((double)x[i] - (double)y[i]) <= within * fabs((double)y[i]),
                      "%s[%zu]: %.9g, not %.9g", tensors[k], i, (double)x[i], (double)y[i]);
    }
    sr_safetensors_close(a);
    sr_safetensors_close(b);
}

/* A router of ours, and the same as somebody else would have it: the network alone. */
static void train(void) {
    run_fine(folder, "data synth --out d.h5 --rows 1500 --width 16 --seed 1");
    run_fine(folder, "data synth --out v.h5 --rows 400 --width 16 --seed 2");
    run_fine(folder, "train --train d.h5 --val v.h5 --out run --hidden 8 --epochs 1 --threads 1");
    run_fine(folder,
             "export --model run/best.safetensors --threshold 0.6 --to safetensors --out bare.safetensors");
    struct sr_safetensors *s = open_weights("bare.safetensors");
    for (size_t k = 0; k < SR_COUNT(tensors); k++)
        cr_assert_null(sr_safetensors_find(s, tensors[k]), "%s", tensors[k]);
    sr_safetensors_close(s);
}

/* The farthest out and the nearest of a dump's rows. */
static void ranges(float *low, float *high, const char *weights) {
    const struct sr_data_options how = {.features_only = true};
    struct sr_data *d = open_paths("d.h5", &how);
    struct sr_router *r;
    struct sr_scores s;
    cr_assert_eq(sr_router_open(&r, weights, &err), SR_OK, "%s", err.text);
    cr_assert_eq(sr_score_data(&s, r, d, NULL, NULL, &err), SR_OK, "%s", err.text);
    *low = INFINITY;
    *high = 0;
    for (size_t i = 0; i < s.rows; i++) {
        *low = s.range[i] < *low ? s.range[i] : *low;
        *high = s.range[i] > *high ? s.range[i] : *high;
    }
    sr_scores_free(&s);
    sr_router_close(r);
    sr_data_close(d);
}

/* Limits are quantiles of one row in ten thousand: of 1,500 rows the last is a little beyond them, between it
 * and the one before. */
Test(import_stats, are_what_train_stores_for_these_rows) {
    float low, high;
    train();
    struct run r = run_program(folder, "import bare.safetensors --stats d.h5 --out w.safetensors");
    cr_assert_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "range check      from 1500 rows of d.h5\n");
    expect_in(r.err, "1500 rows are few");
    run_end(&r);
    expect_same_stats("w.safetensors", "run/best.safetensors", 0);
    ranges(&low, &high, "w.safetensors");
    cr_expect(low > 0 && low < 1 && high >= 1 && high < 2, "%g to %g", (double)low, (double)high);

    r = run_program(folder, "import bare.safetensors --out without.safetensors");
    expect_in(r.out, "range check      none: import again with --stats DUMP");
    run_end(&r);
    ranges(&low, &high, "without.safetensors");
    cr_expect(low == 0 && high == 0, "%g to %g", (double)low, (double)high);
}

/* A limit that sweep found belongs to the range that was there. */
Test(import_stats, take_the_place_of_those_of_the_file) {
    train();
    run_fine(folder, "data synth --out big.h5 --rows 1200 --width 16 --seed 3");
    run_fine(folder, "sweep --model run/best.safetensors --data big.h5 --rule f1 --out swept.safetensors");
    run_fine(folder, "import bare.safetensors --stats v.h5 --out wanted.safetensors");
    struct run r = run_program(folder, "import swept.safetensors --out kept.safetensors");
    expect_in(r.out, "range check      as in swept.safetensors\n");
    run_end(&r);
    expect_same_stats("kept.safetensors", "run/best.safetensors", 0);
    run_fine(folder, "import swept.safetensors --stats v.h5 --out w.safetensors");
    expect_same_stats("w.safetensors", "wanted.safetensors", 0);
    struct sr_safetensors *kept = open_weights("kept.safetensors"), *w = open_weights("w.safetensors");
    cr_assert_not_null(sr_safetensors_metadata(kept, SR_RANGE_LIMIT));
    cr_expect_null(sr_safetensors_metadata(w, SR_RANGE_LIMIT));
    cr_expect_str_eq(sr_safetensors_metadata(w, "threshold"), sr_safetensors_metadata(kept, "threshold"));
    sr_safetensors_close(kept);
    sr_safetensors_close(w);
}

/* 300 rows of five features, and with `bad` three more, at the beginning, inside and last. */
static void write_rows(const char *dump, bool bad) {
    FILE *f = fopen("rows.csv", "w");
    cr_assert_not_null(f);
    fprintf(f, "f0,f1,f2,f3,f4\n");
    for (int r = 0; r < 300; r++) {
        if (bad && (r == 0 || r == 100))
            fprintf(f, "1,2,nan,4,5\n");
        for (int k = 0; k < 5; k++)
            fprintf(f, "%s%d", k ? "," : "", (r * (7 + 3 * k) + 11 * k) % (31 + k) - k);
        putc('\n', f);
    }
    fprintf(f, "%s", bad ? "inf,2,3,4,5\n" : "");
    cr_assert_eq(fclose(f), 0);
    char arguments[128];
    snprintf(arguments, sizeof arguments, "data convert rows.csv --out %s", dump);
    run_fine(folder, arguments);
}

static struct run import_checkpoint(const char *flags, const char *out) {
    char file[256];
    return run_program(folder, "import '%s' %s --out %s", vector_path(file, "checkpoint.pt"), flags, out);
}

/* The scan sums the same values in other blocks, in double: float32 may differ by a bit, 6e-8, and what
 * follows from it by a few. */
Test(import_stats, leave_out_rows_that_are_not_finite) {
    write_rows("bad.h5", true);
    write_rows("good.h5", false);
    struct run r = import_checkpoint("--stats bad.h5", "bad.safetensors");
    cr_assert_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "from 300 rows of bad.h5; 3 with a NaN or an infinity left out\n");
    run_end(&r);
    r = import_checkpoint("--stats good.h5", "good.safetensors");
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    expect_same_stats("bad.safetensors", "good.safetensors", 1e-5);
}

static void refused(const char *flags, int status, const char *word) {
    expect_failure(import_checkpoint(flags, "w.safetensors"), status, word);
    cr_expect_neq(access("w.safetensors", F_OK), 0, "a file was left, though: %s", word);
}

Test(import_stats, dumps_that_say_nothing_are_refused) {
    run_fine(folder, "data synth --out wide.h5 --rows 50 --width 8");
    refused("--stats wide.h5", 65, "--stats wide.h5 has 8 features a row, but the router of ");
    refused("--stats nowhere.h5", 66, "nowhere.h5");
    static const char same[] = "f0,f1,f2,f3,f4\n1,2,3,4,5\n1,2,3,4,5\n";
    cr_assert_eq(sr_atomic_file_write("same.csv", same, strlen(same), &err), SR_OK);
    run_fine(folder, "data convert same.csv --out same.h5");
    refused("--stats same.h5", 65, "all alike");
    const uint16_t nans[2 * 5] = {0x7e00, 0, 0, 0, 0, 0, 0, 0, 0, 0x7c00}; /* float16: a NaN, an infinity */
    struct sr_h5 *h5;
    cr_assert_eq(sr_h5_create(&h5, "none.h5", "none.h5", &err), 0);
    cr_assert_eq(sr_h5_write_matrix(h5, "features", 2, 5, &err), 0);
    cr_assert_eq(sr_h5_write_rows(h5, "features", nans, 0, 2, 5, &err), 0);
    cr_assert_eq(sr_h5_close(h5, &err), 0);
    refused("--stats none.h5", 65, "--stats none.h5: each of its 2 rows has a NaN or an infinity");
    refused("--stats same.h5 --features nothing", 65, "nothing");
    refused("--features X", 2, "say how --stats is read, and there is none");
}

/* ---- where features come from ---- */

static void expect_meta(const struct sr_safetensors *s, const char *key, const char *value) {
    const char *got = sr_safetensors_metadata(s, key);
    cr_expect(value ? got && strcmp(got, value) == 0 : !got, "%s is %s, not %s", key, got ? got : "absent",
              value ? value : "absent");
}

Test(import_stats, the_dump_says_what_nobody_else_does) {
    run_fine(folder, "data synth --out d.h5 --rows 100 --width 5");
    static const char contract[] = "{\"feature_norm\": \"post\", \"feature_pooling\": \"last\"}";
    cr_assert_eq(sr_atomic_file_write("c.json", contract, strlen(contract), &err), SR_OK);
    struct run r = import_checkpoint("--stats d.h5 --contract c.json", "w.safetensors");
    cr_assert_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "feature_model    synthetic, world 1 (from d.h5)\n");
    expect_in(r.out, "feature_layer    23\n");
    expect_in(r.out, "feature_pooling  last\n");
    expect_in(r.out, "large_model      unknown\n");
    expect_in(r.err, "feature_norm is \"pre\" in d.h5, but \"post\" in c.json, which was taken");
    expect_in(r.err, "feature_layer is \"last\" in d.h5, but \"23\" in ");
    cr_expect_null(strstr(r.err, "feature_pooling"), "%s", r.err);
    run_end(&r);
    struct sr_safetensors *s = open_weights("w.safetensors");
    expect_meta(s, "feature_model", "synthetic, world 1");
    expect_meta(s, "feature_layer", "23");
    expect_meta(s, "feature_norm", "post");
    expect_meta(s, "large_model", NULL);
    expect_meta(s, "small_threshold", NULL);
    sr_safetensors_close(s);
}
