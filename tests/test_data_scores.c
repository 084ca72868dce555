/* test_data_scores.c: scores read back: what `infer` wrote, and everything that is no scores of these rows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "data/h5.h"
#include "tests/dump_fixture.h"
#include "tests/run_program.h"

#define VECTORS SR_SOURCE_DIR "/tests/vectors"
#define MODEL   " --model " VECTORS "/router_weights.safetensors"
#define GUARDS  " --data " VECTORS "/eval_guards.h5"
#define BAD     " --data " VECTORS "/eval_bad_rows.h5"

static char *folder, path[300];
static struct sr_error err;

static void begin(void) {
    folder = folder_begin();
    snprintf(path, sizeof path, "%s/scores.csv", folder);
}

static void end(void) {
    folder_end(folder);
}

TestSuite(data_scores, .init = begin, .fini = end);

static const struct sr_data_options features_only = {.features_only = true};

/* Reads text, as a CSV file of scores, for d. */
static int read_text(float *prob, const char *text, size_t size, const struct sr_data *d) {
    cr_assert_eq(sr_atomic_file_write(path, text, size, &err), 0, "%s", err.text);
    err = (struct sr_error){0};
    return sr_data_read_scores(prob, path, d, &err);
}

/* ---- what infer wrote ---- */

static void expect_same_scores(const char *ending) {
    struct sr_data *d = open_paths(VECTORS "/eval_bad_rows.h5", &features_only);
    float csv[6], other[6];
    snprintf(path, sizeof path, "%s/scores.csv", folder);
    struct run r = run_program(folder, "infer" MODEL BAD " --out %s/s.%s", folder, ending);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    r = run_program(folder, "infer" MODEL BAD);
    cr_assert_eq(read_text(csv, r.out, strlen(r.out), d), 0, "%s", err.text);
    run_end(&r);
    snprintf(path, sizeof path, "%s/s.%s", folder, ending);
    cr_assert_eq(sr_data_read_scores(other, path, d, &err), 0, "%s", err.text);
    for (size_t i = 0; i < 6; i++) {
        cr_expect_eq(isnan(other[i]) != 0, i == 2 || i == 4, "row %zu", i);
        cr_expect(other[i] == csv[i] || (isnan(other[i]) && isnan(csv[i])), "row %zu", i);
    }
    sr_data_close(d);
}

Test(data_scores, every_form_reads_as_the_same) {
    expect_same_scores("csv");
    expect_same_scores("H5");
    expect_same_scores("hdf5");
}

/* An evaluation as text without the model's name, which eval does not know where only scores are given. */
static char *without_model(const char *json) {
    struct sr_json *o;
    cr_assert_eq(sr_json_parse(&o, json, strlen(json), &err), 0, "%s in: %s", err.text, json);
    cr_assert_not_null(sr_json_get(o, "model"));
    sr_json_set(o, "model", sr_json_null());
    char *text = sr_json_text(o, 1, &err);
    cr_assert_not_null(text);
    sr_json_free(o);
    return text;
}

/* Of weights that say nothing of the rows they have seen, only stderr tells whether scores were made or read.
 */
Test(data_scores, eval_with_scores_is_eval) {
    const char *const endings[] = {"csv", "h5"};
    struct run model = run_program(folder, "eval" MODEL GUARDS " --json --threshold .5");
    cr_assert_eq(model.status, 0, "%s", model.err);
    char *unnamed = without_model(model.out);
    for (size_t i = 0; i < SR_COUNT(endings); i++) {
        struct run r = run_program(folder, "infer" MODEL GUARDS " --out %s/g.%s", folder, endings[i]);
        cr_assert_eq(r.status, 0, "%s", r.err);
        run_end(&r);
        for (int with_model = 0; with_model < 2; with_model++) {
            r = run_program(folder, "eval%s" GUARDS " --json --threshold .5 --scores %s/g.%s",
                            with_model ? MODEL : "", folder, endings[i]);
            cr_assert_eq(r.status, 0, "%s", r.err);
            char *text = without_model(r.out);
            cr_expect_str_eq(text, unnamed);
            if (with_model)
                cr_expect_str_eq(r.out, model.out);
            sr_free(text);
            run_end(&r);
        }
    }
    sr_free(unnamed);
    run_end(&model);
}

Test(data_scores, a_row_without_a_score_is_a_bad_row) {
    struct run r = run_program(folder, "infer" MODEL BAD " --out %s/b.h5", folder);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    r = run_program(folder, "eval" BAD " --scores %s/b.h5", folder);
    expect_failure(r, 65, "row 2 has no score to measure: no score in the file of scores (2 of 6 rows");
    r = run_program(folder, "eval" BAD " --scores %s/b.h5 --on-bad-row=skip", folder);
    cr_expect_eq(r.status, 0, "%s", r.err);
    cr_expect(strstr(r.out, "no weights were given"), "%s", r.out);
    run_end(&r);
}

Test(data_scores, only_commands_that_measure_take_them) {
    expect_failure(run_program(folder, "infer" GUARDS " --scores a.csv"), 2, "scores");
    expect_failure(run_program(folder, "eval" GUARDS), 2, "--model is missing");
    expect_failure(run_program(folder, "eval --scores a.csv"), 2, "--data is missing");
    expect_failure(run_program(folder, "eval" GUARDS " --scores a.txt"), 2, "--scores a.txt: its ending");
    expect_failure(run_program(folder, "eval" GUARDS " --scores %s/none.csv", folder), 66, "none.csv");
    expect_failure(run_program(folder, "eval" GUARDS " --scores %s/none.h5", folder), 66, "none.h5");
}

/* ---- CSV by hand; the dump "full" has 12 rows with ids row-00 to row-11 ---- */

#define REST "\n,.3\n,.4\n,.5\n,.6\n,.7\n,.8\n,.9\n,1\n,0\n,1e-3\n"

Test(data_scores, csv_as_others_write_it) {
    static const char *const good[] = {
        "id,prob\nrow-00,.1\n,.2" REST,
        "id,prob\r\nrow-00,.1\r\n,.2" REST,
        "\xef\xbb\xbf\"id\",\"prob\"\n\"row-00\",\".1\"\n,.2" REST,
        "note,prob,row,id\n\"a,\"\"\r\nb\",.1,0,row-00\n,.2,1,\n,.3,2,\n,.4,3,\n,.5,4,\n,.6,5,\n,.7,6,\n,.8,"
        "7,"
        "\n,.9,8,\n,1,9,\n,0,10,\n,1e-3,11,row-11",
    };
    const float expected[] = {.1f, .2f, .3f, .4f, .5f, .6f, .7f, .8f, .9f, 1, 0, 1e-3f};
    struct sr_data *d = open_fixture("full", &features_only);
    float prob[FIXTURE_ROWS];
    for (size_t i = 0; i < SR_COUNT(good); i++) {
        cr_expect_eq(read_text(prob, good[i], strlen(good[i]), d), 0, "%s", err.text);
        cr_expect_arr_eq(prob, expected, sizeof prob, "text %zu", i);
    }
    const char *missing = "prob,id\n,\nNaN,\nnan,\n-nan,\n0,\n0,\n0,\n0,\n0,\n0,\n0,\n0,";
    cr_expect_eq(read_text(prob, missing, strlen(missing), d), 0, "%s", err.text);
    for (size_t i = 0; i < FIXTURE_ROWS; i++)
        cr_expect_eq(isnan(prob[i]) != 0, i < 4);
    sr_data_close(d);
}

Test(data_scores, csv_that_is_no_scores_of_these_rows) {
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "is empty"},
        {"id,p\nrow-00,.1\n", "no column prob"},
        {"id;prob\nrow-00;.1\n", "\"id;prob\""},
        {"prob,id,prob\n", "line 1: two columns are called prob"},
        {"id,prob\n,.1\n,.2,.3\n", "line 3 has 3 fields, but the first line has 2"},
        {"id,prob\n,.1\n,\"\n\n\"\n.2\n", "line 3: prob is"},
        {"id,prob\n,.1\n\n", "line 3 has 1 fields"},
        {"id,prob\n,.1\n,1.5" REST, "line 3: prob is \"1.5\", but"},
        {"id,prob\n,.1\n,-.1" REST, "prob is \"-.1\", but"},
        {"id,prob\n,.1\n,inf" REST, "prob is \"inf\", but"},
        {"id,prob\n,.1\n,.2x" REST, "prob is \".2x\", but"},
        {"id,prob\n,.1\n,\"0,2\"" REST, "prob is \"0,2\", but"},
        {"id,prob\n,.1\nrow-02,.2" REST, "line 3: row 1 is row-02 in the scores but row-01 in the dump"},
        {"id,prob\n,.1\n,.2\n", "has 2 rows of scores, but the data has 12 rows"},
        {"id,prob\n,.1\n,.2\n,.2" REST, "more than 12 rows of scores"},
        {"row,prob\n0,.1\n2,.2\n", "line 3: row is \"2\" where 1 is due"},
        {"row,prob\n0,.1\n1.0,.2\n", "row is \"1.0\" where 1 is due"},
        {"row,prob\n0,.1\n,.2\n", "row is \"\" where 1 is due"},
        {"id,prob\n,.1\n\"row-01,.2" REST, "line 3: a quote is opened and not closed"},
        {"id,prob\n,.1\n\"row-01\"x,.2" REST, "line 3: a closing quote with more"},
        {"id,prob\n,.1\nro\"w-01\",.2" REST, "line 3: a quote inside a field"},
        {"id,prob\r,.1\r,.2", "line 1: a carriage return"},
    };
    struct sr_data *d = open_fixture("full", &features_only);
    float prob[FIXTURE_ROWS];
    for (size_t i = 0; i < SR_COUNT(bad); i++) {
        cr_expect_eq(read_text(prob, bad[i].text, strlen(bad[i].text), d), SR_DATA, "%s", bad[i].text);
        cr_expect(strstr(err.text, path) && strstr(err.text, bad[i].why), "\"%s\" is not in: %s", bad[i].why,
                  err.text);
    }
    cr_expect_eq(read_text(prob, "p\0r\0", 4, d), SR_DATA);
    cr_expect(strstr(err.text, "UTF-16"), "%s", err.text);
    sr_data_close(d);
}

/* A quote that nobody closes must not pull a large file into memory. */
Test(data_scores, an_endless_record_is_refused) {
    const size_t size = 3 << 20;
    char *text = sr_alloc(size, 1, &err);
    struct sr_data *d = open_fixture("full", &features_only);
    float prob[FIXTURE_ROWS];
    memset(text, 'x', size);
    cr_expect_eq(read_text(prob, text, size, d), SR_DATA);
    cr_expect(strstr(err.text, "line 1: a record of more than a megabyte"), "%s", err.text);
    memset(text, ',', size);
    cr_expect_eq(read_text(prob, text, size, d), SR_DATA);
    cr_expect(strstr(err.text, "line 1: more fields"), "%s", err.text);
    sr_free(text);
    sr_data_close(d);
}

/* ---- HDF5 ---- */

enum { N = FIXTURE_ROWS };

/* A new file of one column, of 12 rows if it is called prob (a good one then, unless items are given). */
static void write_scores(const char *name, enum sr_h5_type type, const void *items, size_t rows) {
    const float good[N] = {0, .1f, .2f, .3f, .4f, .5f, .6f, .7f, .8f, .9f, 1, NAN};
    struct sr_h5 *f;
    cr_assert_eq(sr_h5_create(&f, path, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_column(f, name, type, items, rows, &err), 0, "%s", err.text);
    if (strcmp(name, "row") == 0 || strcmp(name, "id") == 0)
        cr_assert_eq(sr_h5_write_column(f, "prob", SR_H5_WRITE_F32, good, N, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_close(f, &err), 0, "%s", err.text);
}

static void expect_refused(const char *why) {
    struct sr_data *d = open_fixture("full", &features_only);
    float prob[N];
    cr_expect_eq(sr_data_read_scores(prob, path, d, &err), SR_DATA, "%s", why);
    cr_expect(strstr(err.text, path) && strstr(err.text, why), "\"%s\" is not in: %s", why, err.text);
    sr_data_close(d);
}

Test(data_scores, hdf5_that_is_no_scores_of_these_rows) {
    const float large[N] = {0, 0, 0, 0, 1.5f}, infinite[N] = {0, 0, 0, 0, 0, INFINITY}, zero[N] = {0};
    const uint32_t reversed[N] = {11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
    char ids[N][8], *id[N];
    for (size_t i = 0; i < N; i++)
        snprintf(id[i] = ids[i], sizeof ids[i], "row-%02zu", i < 7 ? i : i + 1);
    snprintf(path, sizeof path, "%s/bad.h5", folder);
    write_scores("p", SR_H5_WRITE_F32, zero, N);
    expect_refused("no dataset /prob; the file holds: p [12] float32");
    write_scores("prob", SR_H5_WRITE_F32, zero, N - 1);
    expect_refused("has 11 rows of scores, but the data has 12 rows");
    write_scores("prob", SR_H5_WRITE_TEXT, id, N);
    expect_refused("floats are needed");
    write_scores("prob", SR_H5_WRITE_F32, large, N);
    expect_refused("row 4: prob is \"1.5\", but");
    write_scores("prob", SR_H5_WRITE_F32, infinite, N);
    expect_refused("row 5: prob is \"inf\", but");
    write_scores("row", SR_H5_WRITE_U32, reversed, N);
    expect_refused("row 0: row is \"11\" where 0 is due");
    write_scores("id", SR_H5_WRITE_TEXT, id, N);
    expect_refused("row 7 is row-08 in the scores but row-07 in the dump");
    write_scores("id", SR_H5_WRITE_F32, zero, N);
    expect_refused("strings, 16-byte values or integers are needed");
}

/* ---- ids of other kinds than infer writes ---- */

static int read_fixture(const char *of, const char *scores) {
    char dump[2048], file[2048];
    float prob[FIXTURE_ROWS];
    struct sr_data *d = open_paths(fixture_paths(dump, of), &features_only);
    err = (struct sr_error){0};
    const int status = sr_data_read_scores(prob, fixture_paths(file, scores), d, &err);
    for (size_t i = 0; status == 0 && i < FIXTURE_ROWS; i++)
        cr_expect_float_eq(prob[i], .25f, 0);
    sr_data_close(d);
    return status;
}

static void expect_fixture_refused(const char *of, const char *scores, const char *why) {
    cr_expect_eq(read_fixture(of, scores), SR_DATA, "%s", scores);
    cr_expect(strstr(err.text, why), "%s: \"%s\" is not in: %s", scores, why, err.text);
}

Test(data_scores, ids_of_every_kind) {
    cr_expect_eq(read_fixture("full_other_sources", "scores_id_opaque"), 0, "%s", err.text);
    cr_expect_eq(read_fixture("half", "scores_id_opaque"), 0, "a dump without ids: %s", err.text);
    cr_expect_eq(read_fixture("id_some", "scores_id_integer"), 0, "%s", err.text);
    expect_fixture_refused("id_s16", "scores_id_opaque", "these are scores of other rows");
    expect_fixture_refused("full", "scores_id_integer", "row 0 is 0 in the scores but row-00 in the dump");
    expect_fixture_refused("full", "scores_id_rank", "/id has rank 2");
}

Test(data_scores, a_prob_that_is_no_column) {
    expect_fixture_refused("full", "scores_scalar", "/prob has rank 0");
    expect_fixture_refused("full", "scores_group", "/prob is not a readable dataset but a group");
}

Test(data_scores, csv_with_a_column_twice) {
    static const char *const header[] = {"prob,prob\n", "prob,row,row\n", "prob,id,id\n"};
    float prob[FIXTURE_ROWS];
    struct sr_data *d = open_fixture("full", &features_only);
    for (size_t i = 0; i < SR_COUNT(header); i++) {
        cr_expect_eq(read_text(prob, header[i], strlen(header[i]), d), SR_DATA, "%s", header[i]);
        cr_expect(strstr(err.text, "two columns are called"), "%s: %s", header[i], err.text);
    }
    sr_data_close(d);
}
