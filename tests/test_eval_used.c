/* test_eval_used.c: `saferoute eval` sees rows that its weights have seen, whatever file they are in now:
 * runs trained on dumps made here, and weights whose metadata says what no run would.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "data/h5.h"
#include "infer/infer.h"
#include "tests/dump_fixture.h"
#include "tests/run_program.h"

#define DUMPS   SR_SOURCE_DIR "/tests/dumps/"
#define WARNING "(at least " /* in every warning of this kind, and in no other line */
#define TRAINED " were used to train the weights: what is measured here is too good"

enum { TRAIN = 1500, VAL = 400, FRESH = 500 };

static char *folder;
static struct sr_error err;

/* Every test is a process of its own: paths are short in the folder itself. */
static void begin(void) {
    folder = folder_begin();
    cr_assert_eq(chdir(folder), 0);
    run_fine(folder, "data synth --out train.h5 --rows 1500 --width 16 --seed 1");
    run_fine(folder, "data synth --out val.h5 --rows 400 --width 16 --seed 2");
    run_fine(folder, "data synth --out fresh.h5 --rows 500 --width 16 --seed 3");
    run_fine(folder, "train --train train.h5 --val val.h5 --out run --hidden 8 --epochs 1 --threads 1");
}

static void end(void) {
    folder_end(folder);
}

TestSuite(eval_used, .init = begin, .fini = end);

/* ---- what eval says ---- */

/* One evaluation: what it printed as JSON, and its warnings. Free with said_end. */
struct said {
    struct sr_json *evaluation;
    const struct sr_json *used;
    char *warnings;
};

static struct said eval_with(const char *weights, const char *data, const char *more) {
    struct run r = run_program(folder, "eval --model %s --data %s --json %s", weights, data, more);
    struct said s = {.warnings = r.err};
    cr_assert_eq(r.status, 0, "%s", r.err);
    cr_assert_eq(sr_json_parse(&s.evaluation, r.out, strlen(r.out), &err), 0, "%s", err.text);
    s.used = sr_json_get(s.evaluation, "used");
    sr_free(r.out);
    return s;
}

static struct said eval(const char *data) {
    return eval_with("run/best.safetensors", data, "");
}

static void said_end(struct said *s) {
    sr_json_free(s->evaluation);
    sr_free(s->warnings);
}

/* A share within `tolerance` (NaN: null), and that many rows (0: any number of them but 0). */
static void expect_used(const struct said *s, const char *use, size_t rows, double share, double tolerance) {
    const struct sr_json *o = sr_json_get(s->used, use);
    int64_t seen = -1;
    double got = (double)NAN;
    cr_assert(sr_json_is_object(o), "%s is not known", use);
    sr_json_as_integer(sr_json_get(o, "rows"), &seen);
    sr_json_as_number(sr_json_get(o, "share"), &got);
    cr_expect(rows > 0 ? seen == (int64_t)rows : seen > 0, "%s: %lld rows", use, (long long)seen);
    cr_expect(isnan(share) ? isnan(got) : fabs(got - share) <= tolerance, "%s: share %g, not %g", use, got,
              share);
}

static void expect_clean(const struct said *s, const char *use) {
    const struct sr_json *o = sr_json_get(s->used, use);
    int64_t seen = -1;
    double share = (double)NAN;
    sr_json_as_integer(sr_json_get(o, "rows"), &seen);
    sr_json_as_number(sr_json_get(o, "share"), &share);
    cr_expect(seen == 0 && share == 0, "%s: %lld rows, share %g", use, (long long)seen, share);
}

/* null, which sr_json_get tells from a missing key. */
static void expect_unknown(const struct said *s, const char *use) {
    const struct sr_json *o = sr_json_get(s->used, use);
    cr_expect_not_null(o, "no key %s", use);
    cr_expect_not(sr_json_is_object(o), "%s is known", use);
}

static void expect_warning(const struct said *s, const char *text) {
    cr_expect(strstr(s->warnings, text), "\"%s\" is not in: %s", text, s->warnings);
}

static void expect_no_warning(const struct said *s, const char *text) {
    cr_expect_not(strstr(s->warnings, text), "%s", s->warnings);
}

/* ---- runs ---- */

Test(eval_used, rows_that_trained) {
    struct said s = eval("train.h5");
    expect_used(&s, "trained", SR_SKETCH_ROWS, 1, 0);
    expect_clean(&s, "selected");
    expect_unknown(&s, "calibrated");
    expect_warning(&s, "warning: about 100 % of these rows (at least 1024)" TRAINED);
    expect_no_warning(&s, "used to select");
    said_end(&s);
}

Test(eval_used, rows_that_selected) {
    struct said s = eval("val.h5");
    expect_used(&s, "selected", VAL, 1, 0);
    expect_clean(&s, "trained");
    expect_warning(&s, "warning: about 100 % of these rows (at least 400) were used to select the best epoch "
                       "of the weights: ");
    expect_no_warning(&s, "used to train");
    said_end(&s);
}

Test(eval_used, rows_never_seen) {
    struct said s = eval("fresh.h5");
    expect_clean(&s, "trained");
    expect_clean(&s, "selected");
    expect_unknown(&s, "calibrated");
    expect_no_warning(&s, WARNING);
    said_end(&s);
}

/* Standard deviation of an estimate p from the K smallest of training rows that all are in the dump: p
 * sqrt((1 - p) / K); see test_data_sketch.c. */
static double deviation(double p) {
    return p * sqrt((1 - p) / SR_SKETCH_ROWS);
}

Test(eval_used, several_dumps_in_one) {
    const double all = TRAIN + VAL + FRESH;
    struct said s = eval("fresh.h5,train.h5,val.h5");
    expect_used(&s, "trained", SR_SKETCH_ROWS, TRAIN / all, 5 * deviation(TRAIN / all));
    expect_used(&s, "selected", VAL, VAL / all, 0);
    expect_warning(&s, "(at least 1024)" TRAINED);
    expect_warning(&s, "warning: about 16.7 % of these rows (at least 400) were used to select");
    said_end(&s);
}

/* A new dump of every `step`-th row of a set, as float16. */
static void dump_write(const char *to, const char *from, size_t step) {
    struct sr_data *d = open_paths(from, NULL);
    const size_t rows = d->rows / step;
    float *x = all_features(d);
    uint16_t *half = sr_alloc(rows * d->width, sizeof *half, &err);
    uint8_t *label = sr_alloc(rows, 1, &err);
    struct sr_h5 *f;
    for (size_t i = 0; i < rows; i++) {
        sr_vec()->float_to_half(half + i * d->width, x + i * step * d->width, d->width);
        label[i] = d->label[i * step];
    }
    cr_assert_eq(sr_h5_create(&f, to, to, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_matrix(f, "features", rows, d->width, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_rows(f, "features", half, 0, rows, d->width, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_column(f, "label", SR_H5_WRITE_U8, label, rows, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_close(f, &err), 0, "%s", err.text);
    sr_free(x);
    sr_free(half);
    sr_free(label);
    sr_data_close(d);
}

Test(eval_used, some_of_the_rows_in_a_file_of_their_own) {
    dump_write("part.h5", "train.h5,fresh.h5", 10);
    struct said s = eval("part.h5");
    /* 150 of 200 rows, of which about 200 * 1024 / 1500 are low enough to tell */
    expect_used(&s, "trained", 0, .75, 5 * sqrt(.75 * .25 / 137));
    expect_warning(&s, TRAINED);
    said_end(&s);
    dump_write("part.h5", "train.h5", 25);
    s = eval("part.h5");
    expect_used(&s, "trained", 0, 1, 0);
    said_end(&s);
}

Test(eval_used, the_same_rows_in_another_form) {
    static const char *const forms[] = {"double", "bfloat", "half_big_endian", "half_chunked"};
    char path[256];
    run_fine(folder, "train --train " DUMPS "half.h5 --val " DUMPS "float.h5 --out forms --epochs 1");
    for (size_t i = 0; i < SR_COUNT(forms); i++) {
        snprintf(path, sizeof path, DUMPS "%s.h5", forms[i]);
        struct said s = eval_with("forms/best.safetensors", path, "");
        expect_used(&s, "trained", FIXTURE_ROWS, 1, 0);
        expect_used(&s, "selected", FIXTURE_ROWS, 1, 0);
        said_end(&s);
    }
}

/* ---- where it is not known ---- */

static void expect_nothing_known(struct said s) {
    expect_unknown(&s, "trained");
    expect_unknown(&s, "selected");
    expect_unknown(&s, "calibrated");
    expect_no_warning(&s, WARNING);
    said_end(&s);
}

/* Weights with these pairs of metadata, or without. */
static void rewrite(const char *to, const struct sr_pair *pairs, size_t n) {
    struct sr_safetensors *file;
    cr_assert_eq(sr_safetensors_open(&file, "run/best.safetensors", &err), 0, "%s", err.text);
    cr_assert_eq(sr_safetensors_rewrite(to, file, pairs, n, &err), 0, "%s", err.text);
    sr_safetensors_close(file);
}

Test(eval_used, scores_from_a_file_are_of_unknown_rows) {
    run_fine(folder, "infer --model run/best.safetensors --data train.h5 --out s.csv");
    expect_nothing_known(eval_with("run/best.safetensors", "train.h5", "--scores s.csv"));
}

Test(eval_used, weights_that_do_not_say) {
    const struct sr_pair nothing[] = {{"rows_trained", NULL}, {"rows_selected", NULL}};
    rewrite("w.safetensors", nothing, 2);
    expect_nothing_known(eval_with("w.safetensors", "train.h5", ""));
}

Test(eval_used, metadata_that_is_no_sketch) {
    static const char *const bad[] = {"x", "0000000000000002 000000000000001", "000000000000001"};
    for (size_t i = 0; i < SR_COUNT(bad); i++) {
        const struct sr_pair pair = {i ? "rows_selected" : "rows_trained", bad[i]};
        char where[64];
        snprintf(where, sizeof where, "w.safetensors: %s", pair.key);
        rewrite("w.safetensors", &pair, 1);
        expect_failure(run_program(folder, "eval --model w.safetensors --data fresh.h5"), 65, where);
    }
}

/* ---- what no run would say ---- */

/* Weights whose key holds that sketch. */
static void rewrite_sketch(const char *to, const char *key, const struct sr_sketch *s) {
    char *text = sr_sketch_text(s, &err);
    rewrite(to, &(struct sr_pair){key, text}, 1);
    sr_free(text);
}

Test(eval_used, rows_that_calibrated) {
    struct sr_data *d = open_paths("fresh.h5", NULL);
    struct sr_scan scan = scan_of(d);
    struct sr_sketch s;
    sr_sketch_make(&s, scan.hash, NULL, 50);
    rewrite_sketch("w.safetensors", "rows_calibrated", &s);
    struct said said = eval_with("w.safetensors", "fresh.h5", "");
    expect_used(&said, "calibrated", 50, .1, 0);
    expect_warning(&said, "about 10 % of these rows (at least 50) were used to choose the threshold or the "
                          "calibration of the weights");
    said_end(&said);
    sr_scan_free(&scan);
    sr_data_close(d);
}

/* One row of 1500; and the lowest row of them as the greatest of a full sketch, which says of no other row
 * whether it is in the set. */
Test(eval_used, shares_too_small_or_unknown_are_said_in_words) {
    struct sr_data *d = open_paths("train.h5", NULL);
    struct sr_scan scan = scan_of(d);
    struct sr_sketch all, s = {.n = 1, .hash = {scan.hash[7]}};
    rewrite_sketch("w.safetensors", "rows_trained", &s);
    struct said said = eval_with("w.safetensors", "train.h5", "");
    expect_used(&said, "trained", 1, 1 / 1500.0, 0);
    expect_warning(&said, "warning: less than 0.1 % of these rows (at least 1)" TRAINED);
    said_end(&said);
    sr_sketch_make(&all, scan.hash, NULL, d->rows);
    for (s.n = 0; s.n + 1 < SR_SKETCH_ROWS; s.n++)
        s.hash[s.n] = s.n;
    s.hash[s.n++] = all.hash[0];
    rewrite_sketch("w.safetensors", "rows_trained", &s);
    said = eval_with("w.safetensors", "train.h5", "");
    expect_used(&said, "trained", 1, (double)NAN, 0);
    expect_warning(&said, "warning: some of these rows (at least 1)" TRAINED);
    said_end(&said);
    s.hash[s.n - 1]--;
    rewrite_sketch("w.safetensors", "rows_trained", &s);
    said = eval_with("w.safetensors", "train.h5", "");
    expect_unknown(&said, "trained");
    expect_no_warning(&said, "used to train");
    said_end(&said);
    sr_scan_free(&scan);
    sr_data_close(d);
}

/* ---- scoring ---- */

Test(eval_used, scores_have_the_hashes_of_their_rows) {
    const uint32_t row[] = {0, 3, 1023, 1024, 1499};
    struct sr_data *d = open_paths("train.h5", NULL);
    struct sr_scan scan = scan_of(d);
    struct sr_router *router;
    struct sr_scores scores;
    cr_assert_eq(sr_router_open(&router, "run/best.safetensors", &err), 0, "%s", err.text);
    cr_assert_eq(sr_score_data(&scores, router, d, NULL, NULL, &err), 0, "%s", err.text);
    cr_expect_arr_eq(scores.hash, scan.hash, d->rows * sizeof *scan.hash);
    sr_scores_free(&scores);
    cr_expect_null(scores.hash);
    cr_assert_eq(sr_score_rows(&scores, router, d, row, SR_COUNT(row), NULL, NULL, &err), 0, "%s", err.text);
    for (size_t i = 0; i < SR_COUNT(row); i++)
        cr_expect_eq(scores.hash[i], scan.hash[row[i]], "row %u", row[i]);
    sr_scores_free(&scores);
    sr_router_close(router);
    sr_scan_free(&scan);
    sr_data_close(d);
}

/* ---- what sweep says ---- */

/* Rows that calibrated the weights are what a new calibration is made on: of those there is no word. */
Test(eval_used, sweep_warns_of_rows_that_trained_or_selected) {
    static const char *const rows[] = {"train.h5", "val.h5", "fresh.h5"};
    static const char *const want[] = {"were used to train the weights: on new rows the threshold",
                                       "were used to select the best epoch of the weights: on new rows the",
                                       NULL};
    run_fine(folder, "sweep --model run/best.safetensors --data fresh.h5 --rule f1 --out w.safetensors");
    for (size_t i = 0; i < SR_COUNT(rows); i++) {
        struct run r = run_program(folder, "sweep --model w.safetensors --data %s", rows[i]);
        cr_assert_eq(r.status, 0, "%s", r.err);
        if (want[i])
            expect_in(r.err, want[i]);
        else
            cr_expect_null(strstr(r.err, WARNING), "%s", r.err);
        run_end(&r);
    }
}
