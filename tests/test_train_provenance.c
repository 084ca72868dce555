/* test_train_provenance.c: what weights tell of the rows they come from: the sketches against those made here
 * from the dumps, the share of positives against a count.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "tests/dump_fixture.h"
#include "tests/run_program.h"

#define DUMPS SR_SOURCE_DIR "/tests/dumps/"
#define GO_ON "train --batch 32 --epochs 2 --patience 0 --threads 1 "
#define TRAIN GO_ON "--hidden 8 "

static char *folder;
static struct sr_error err;

/* Every test is a process of its own: paths are short in the folder itself. */
static void begin(void) {
    folder = folder_begin();
    cr_assert_eq(chdir(folder), 0);
    run_fine(folder, "data synth --out old.h5 --rows 700 --width 16 --seed 1");
    run_fine(folder, "data synth --out new.h5 --rows 900 --width 16 --seed 2");
    run_fine(folder, "data synth --out val.h5 --rows 300 --width 16 --seed 3");
}

static void end(void) {
    folder_end(folder);
}

TestSuite(train_provenance, .init = begin, .fini = end);

/* ---- weights ---- */

static struct sr_safetensors *weights_open(const char *name) {
    struct sr_safetensors *file;
    cr_assert_eq(sr_safetensors_open(&file, name, &err), 0, "%s", err.text);
    return file;
}

/* The value, or NULL; free with sr_free. */
static char *metadata(const char *name, const char *key) {
    struct sr_safetensors *file = weights_open(name);
    const char *value = sr_safetensors_metadata(file, key);
    char *copy = value ? sr_strdup(value, &err) : NULL;
    sr_safetensors_close(file);
    return copy;
}

static void expect_metadata(const char *name, const char *key, const char *want) {
    char *got = metadata(name, key);
    cr_assert_not_null(got, "%s has no %s", name, key);
    cr_expect_str_eq(got, want, "%s: %s", name, key);
    sr_free(got);
}

/* Writes the weights `from` with these pairs of metadata set, or removed. */
static void rewrite(const char *to, const char *from, const struct sr_pair *pairs, size_t n) {
    struct sr_safetensors *file = weights_open(from);
    cr_assert_eq(sr_safetensors_rewrite(to, file, pairs, n, &err), 0, "%s", err.text);
    sr_safetensors_close(file);
}

/* ---- what is expected ---- */

/* The sketch of all rows of these dumps (comma-separated) but those two, as text. */
static char *sketch_but(const char *dumps, size_t a, size_t b) {
    const struct sr_data_options how = {.features_only = true};
    struct sr_data *d = open_paths(dumps, &how);
    float *x = all_features(d);
    uint64_t *hash = sr_alloc(d->rows, sizeof *hash, &err);
    struct sr_sketch s;
    size_t n = 0;
    for (size_t r = 0; r < d->rows; r++)
        if (r != a && r != b)
            hash[n++] = sr_row_hash(x + r * d->width, d->width);
    sr_sketch_make(&s, hash, NULL, n);
    sr_free(hash);
    sr_free(x);
    sr_data_close(d);
    return sr_sketch_text(&s, &err);
}

static void expect_rows_but(const char *name, const char *key, const char *dumps, size_t a, size_t b) {
    char *want = sketch_but(dumps, a, b);
    expect_metadata(name, key, want);
    sr_free(want);
}

static void expect_rows(const char *name, const char *key, const char *dumps) {
    expect_rows_but(name, key, dumps, SIZE_MAX, SIZE_MAX);
}

/* Positive labels of a dump. */
static double positives(const char *dump) {
    struct sr_data *d = open_paths(dump, NULL);
    double n = 0;
    for (size_t r = 0; r < d->rows; r++)
        n += d->label[r];
    sr_data_close(d);
    return n;
}

/* ---- rows ---- */

/* 1600 training rows are more than a sketch holds, 300 are not. */
Test(train_provenance, rows_that_trained_and_rows_that_selected) {
    static const char *const files[] = {"run/best.safetensors", "run/last.safetensors"};
    run_fine(folder, TRAIN "--train old.h5,new.h5 --val val.h5 --out run");
    for (size_t i = 0; i < SR_COUNT(files); i++) {
        expect_rows(files[i], "rows_trained", "old.h5,new.h5");
        expect_rows(files[i], "rows_selected", "val.h5");
    }
}

/* Rows 3 and 7 of the one are not finite, rows 4 and 5 of the other have no label. */
Test(train_provenance, only_rows_that_can_be_used) {
    run_fine(folder, TRAIN "--train " DUMPS "not_finite.h5 --on-bad-row skip --val " DUMPS
                           "unknown_float.h5 --labels stored --out run");
    expect_rows_but("run/best.safetensors", "rows_trained", DUMPS "not_finite.h5", 3, 7);
    expect_rows_but("run/best.safetensors", "rows_selected", DUMPS "unknown_float.h5", 4, 5);
}

static void sketch_of(struct sr_sketch *s, const char *name, const char *key) {
    char *text = metadata(name, key);
    cr_assert_eq(sr_sketch_parse(s, text, name, key, &err), 0, "%s", err.text);
    sr_free(text);
}

/* Together they are all there are, and none is in both. */
Test(train_provenance, rows_held_out_select) {
    struct sr_sketch trained, selected;
    run_fine(folder, TRAIN "--train old.h5 --val-fraction .25 --out run");
    sketch_of(&trained, "run/best.safetensors", "rows_trained");
    sketch_of(&selected, "run/best.safetensors", "rows_selected");
    cr_expect_eq(trained.n + selected.n, 700);
    cr_expect(selected.n > 150 && selected.n <= 175, "%zu of 700 rows are held out", selected.n);
    sr_sketch_merge(&trained, &selected);
    char *got = sr_sketch_text(&trained, &err), *want = sketch_but("old.h5", SIZE_MAX, SIZE_MAX);
    cr_expect_str_eq(got, want);
    sr_free(got);
    sr_free(want);
}

/* ---- the share of positives ---- */

static void expect_share(const char *settings, double want) {
    char line[256];
    snprintf(line, sizeof line, TRAIN "--train old.h5,new.h5 --val val.h5 --out run %s", settings);
    run_fine(folder, line);
    char *text = metadata("run/best.safetensors", "train_share"), *rest;
    cr_expect_eq(text == NULL, isnan(want) != 0, "no odds can be made of all or nothing");
    cr_assert_eq(system("rm -r run"), 0);
    if (!text)
        return;
    cr_expect_float_eq(strtod(text, &rest), want, 1e-15, "%s: %s, not %g", settings, text,
                       want); /* rounding */
    cr_expect_str_empty(rest);
    sr_free(text);
}

/* As a loss that weighs positives w times as much as negatives sees a share. */
static double seen(double share, double w) {
    return share * w / (share * w + 1 - share);
}

/* The default loss weighs positives .75 and negatives .25. */
Test(train_provenance, share_of_positives_as_training_sees_them) {
    const double old = positives("old.h5"), new = positives("new.h5"), all = (old + new) / (700 + 900);
    cr_assert_neq(old / 700, new / 900, "weights of files would not show");
    expect_share("", .75);
    expect_share("--train-weight 1,3", .75);
    expect_share("--alpha .5", .5);
    expect_share("--loss bce --sampler none", all);
    expect_share("--sampler none", seen(all, 3));
    expect_share("--loss bce --pos-weight 4 --sampler none", seen(all, 4));
    expect_share("--sampler none --train-weight 1,3 --alpha .5", (old + 3 * new) / (700 + 3 * 900));
    expect_share("--alpha 1", (double)NAN);
    expect_share("--sampler none --train-weight 5,1 --epoch-rows 100 --alpha .5",
                 (5 * old + new) / (5 * 700 + 900));
}

/* /weight multiplies a row's loss, in balanced draws within its class. */
Test(train_provenance, share_of_positives_counts_row_weights) {
    static const char *const samplers[] = {"none", "balanced"};
    struct sr_data *d = open_paths(DUMPS "weight_double.h5", NULL);
    double weight[2] = {0}, rows[2] = {0};
    cr_assert_not_null(d->weight);
    for (size_t r = 0; r < d->rows; r++) {
        weight[d->label[r]] += (double)d->weight[r];
        rows[d->label[r]]++;
    }
    cr_assert_neq(weight[0] / rows[0], weight[1] / rows[1], "or the weights would not show");
    for (size_t i = 0; i < SR_COUNT(samplers); i++) {
        char line[512];
        snprintf(line, sizeof line,
                 TRAIN "--train " DUMPS "weight_double.h5 --val " DUMPS
                       "half.h5 --alpha .5 --sampler %s --out run",
                 samplers[i]);
        run_fine(folder, line);
        const double one = i ? weight[1] / rows[1] : weight[1], zero = i ? weight[0] / rows[0] : weight[0];
        char *text = metadata("run/best.safetensors", "train_share");
        cr_expect_float_eq(strtod(text, NULL), one / (one + zero), 1e-15, "%s: %s", samplers[i],
                           text); /* rounding */
        sr_free(text);
        cr_assert_eq(system("rm -r run"), 0);
    }
    sr_data_close(d);
}

/* ---- parents ---- */

/* Rows that calibrated the parent have not calibrated its child. Epoch 0, which nothing beats at this
 * learning rate, has the same metadata as any other. */
Test(train_provenance, rows_of_the_parent_are_inherited) {
    static const char *const files[] = {"child/best.safetensors", "child/last.safetensors"};
    const struct sr_pair calibrated[] = {{"rows_calibrated", "000000000000001f"}, {"train_share", "0.123"}};
    run_fine(folder, "data synth --out val2.h5 --rows 200 --width 16 --seed 4");
    run_fine(folder, TRAIN "--hidden 24,12 --epochs 20 --train old.h5 --val val.h5 --out parent");
    rewrite("parent.safetensors", "parent/best.safetensors", calibrated, 2);
    run_fine(folder,
             GO_ON "--init parent.safetensors --train new.h5 --val val2.h5 --lr 10 --epochs 1 --out child");
    struct sr_safetensors *parent = weights_open("parent.safetensors"), *best = weights_open(files[0]);
    cr_expect_str_eq(sr_safetensors_hash(best), sr_safetensors_hash(parent), "epoch 0 was beaten");
    sr_safetensors_close(parent);
    sr_safetensors_close(best);
    for (size_t i = 0; i < SR_COUNT(files); i++) {
        expect_rows(files[i], "rows_trained", i == 0 ? "old.h5" : "old.h5,new.h5");
        expect_rows(files[i], "rows_selected", "val.h5,val2.h5");
        cr_expect_null(metadata(files[i], "rows_calibrated"));
        char *share = metadata(files[i], "train_share");
        cr_expect_eq(strcmp(share, "0.123") == 0, i == 0, "of the parent, while nothing was trained: %s",
                     share);
        sr_free(share);
    }
}

Test(train_provenance, a_parent_that_says_nothing_adds_nothing) {
    const struct sr_pair nothing[] = {{"rows_trained", NULL}, {"rows_selected", NULL}};
    run_fine(folder, TRAIN "--train old.h5 --val val.h5 --out parent");
    rewrite("parent.safetensors", "parent/best.safetensors", nothing, 2);
    run_fine(folder, GO_ON "--init parent.safetensors --train new.h5 --val val.h5 --out child");
    expect_rows("child/best.safetensors", "rows_trained", "new.h5");
    expect_rows("child/best.safetensors", "rows_selected", "val.h5");
}

Test(train_provenance, a_parent_with_a_damaged_sketch_is_refused) {
    const struct sr_pair damaged = {"rows_selected", "000000000000001"};
    run_fine(folder, TRAIN "--train old.h5 --val val.h5 --out parent");
    rewrite("parent.safetensors", "parent/best.safetensors", &damaged, 1);
    expect_failure(
        run_program(folder, GO_ON "--init parent.safetensors --train new.h5 --val val.h5 --out child"), 65,
        "parent.safetensors: rows_selected has 15 characters");
}
