/* test_infer_command.c: `saferoute infer` as a user runs it: one line out for every row in, whatever the row
 * holds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_program.h"

#include <math.h>

#include "data/data.h"
#include "data/h5.h"
#include "infer/infer.h"

#define VECTORS SR_SOURCE_DIR "/tests/vectors"
#define MODEL   "--model " VECTORS "/router_weights.safetensors"
#define GUARDS  "--data " VECTORS "/eval_guards.h5"
#define BAD     "--data " VECTORS "/eval_bad_rows.h5"
#define HEADER  "row,id,logit,prob,decision,reason\n"

static size_t count_lines(const char *text) {
    size_t n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

Test(infer_command, csv_has_the_scores_of_every_row) {
    char *folder = folder_begin();
    struct run r = run_program(folder, "infer " MODEL " " GUARDS " --threshold .5");
    cr_assert_eq(r.status, 0, "%s", r.err);
    cr_expect_eq(strncmp(r.err, "threshold 0.5: given by --threshold\n", 36), 0, "%s", r.err);
    cr_assert_eq(strncmp(r.out, HEADER, strlen(HEADER)), 0, "%s", r.out);
    cr_expect_eq(count_lines(r.out), 241);

    const struct sr_data_options plain = {0};
    struct sr_router *router;
    struct sr_data *d;
    struct sr_scores scores;
    struct sr_error err;
    cr_assert_eq(sr_router_open(&router, VECTORS "/router_weights.safetensors", &err), 0, "%s", err.text);
    cr_assert_eq(sr_data_open(&d, VECTORS "/eval_guards.h5", &plain, &err), 0, "%s", err.text);
    cr_assert_eq(sr_score_data(&scores, router, d, NULL, NULL, &err), 0, "%s", err.text);
    const char *line = strchr(r.out, '\n') + 1;
    for (size_t i = 0, routed = 0; i < 240; i++, line = strchr(line, '\n') + 1) {
        size_t row;
        float logit, prob;
        char decision[8], rest;
        cr_assert_eq(sscanf(line, "%zu,,%f,%f,%7[a-z],%c", &row, &logit, &prob, decision, &rest), 5, "%s",
                     line);
        cr_expect_eq(rest, '\n', "no reason where there is a score");
        cr_expect_eq(row, i);
        cr_expect_eq(logit, scores.logit[i], "nine digits are the same float");
        cr_expect_eq(prob, scores.prob[i]);
        cr_expect_str_eq(decision, prob > .5f ? "large" : "small");
        routed += decision[0] == 'l';
        if (i == 239)
            cr_expect_eq(routed, 54 + 78, "as eval_guards.json has it");
    }
    sr_scores_free(&scores);
    sr_data_close(d);
    sr_router_close(router);
    run_end(&r);
    folder_end(folder);
}

#define NOT_FINITE "a feature is NaN or infinite"
#define OVERFLOW   "features so large that the network overflows"

Test(infer_command, a_bad_row_goes_to_the_large_guard_and_is_counted) {
    char *folder = folder_begin();
    struct run r = run_program(folder, "infer " MODEL " " BAD " --threshold 1");
    cr_assert_eq(r.status, 0, "%s", r.err);
    cr_expect(strstr(r.err, "2 of 6 rows: " NOT_FINITE), "%s", r.err);
    cr_expect_null(strstr(r.err, OVERFLOW), "no row has that reason: %s", r.err);
    cr_expect(strstr(r.out, "\n2,\"say \"\"hi\"\"\",nan,nan,large," NOT_FINITE "\n"), "%s", r.out);
    cr_expect(strstr(r.out, ",nan,nan,large," NOT_FINITE "\n5,last,"), "%s", r.out);
    cr_expect(strstr(r.out, "\n1,\"a,b\","), "%s", r.out);
    cr_expect(strstr(r.out, "\n4,\"two\nlines\","), "%s", r.out);
    cr_expect(strstr(r.out, ",small,\n"), "a row with a score has no reason: %s", r.out);
    cr_expect_eq(count_lines(r.out), 8, "six rows, a header, and one id of two lines: %s", r.out);
    run_end(&r);
    folder_end(folder);
}

Test(infer_command, a_file_holds_what_stdout_would) {
    char *folder = folder_begin(), path[128];
    struct run on_stdout = run_program(folder, "infer " MODEL " " BAD);
    snprintf(path, sizeof path, "%s/scores.CSV", folder);
    struct run r = run_program(folder, "infer " MODEL " " BAD " --out %s", path);
    cr_assert_eq(r.status, 0, "%s", r.err);
    cr_expect_str_empty(r.out);
    char *text = slurp(path);
    cr_expect_str_eq(text, on_stdout.out);
    sr_free(text);
    run_end(&r);
    run_end(&on_stdout);
    folder_end(folder);
}

/* Strings lie in the file as they are. */
Test(infer_command, hdf5_says_why_a_row_has_no_score) {
    char *folder = folder_begin(), path[128];
    void *bytes;
    size_t size, reasons = 0;
    snprintf(path, sizeof path, "%s/scores.h5", folder);
    struct run r = run_program(folder, "infer " MODEL " " BAD " --out %s", path);
    cr_assert_eq(r.status, 0, "%s", r.err);
    cr_expect_str_empty(r.out);
    cr_expect(strstr(r.err, "2 of 6 rows: " NOT_FINITE), "%s", r.err);
    run_end(&r);
    cr_assert_eq(sr_file_read(&bytes, &size, path, 1 << 24, NULL), 0);
    const char *end = (const char *)bytes + size;
    for (const char *at = bytes; (at = memmem(at, (size_t)(end - at), NOT_FINITE, strlen(NOT_FINITE))); at++)
        reasons++;
    cr_expect_eq(reasons, 2);
    sr_free(bytes);
    /* Without /features it is no dump; the message says what there is. */
    expect_failure(run_program(folder, "infer " MODEL " --data %s", path), 65, "reason [6] strings");
    folder_end(folder);
}

/* ---- calibration ---- */

#define ISOTONIC "{\"method\":\"isotonic\",\"prob\":[0.1,0.4,0.9],\"calibrated\":[0,0.3,0.5]}"

/* The router's weights with that calibration, as folder/calibrated.safetensors. */
static void calibrate(const char *folder, const char *text) {
    const struct sr_pair calibration = {"calibration", text};
    struct sr_safetensors *plain;
    struct sr_tensor tensor[32];
    struct sr_error err;
    char path[128];
    snprintf(path, sizeof path, "%s/calibrated.safetensors", folder);
    cr_assert_eq(sr_safetensors_open(&plain, VECTORS "/router_weights.safetensors", &err), 0, "%s", err.text);
    const size_t n = sr_safetensors_count(plain);
    cr_assert_leq(n, SR_COUNT(tensor));
    for (size_t i = 0; i < n; i++)
        tensor[i] = *sr_safetensors_at(plain, i);
    cr_assert_eq(sr_safetensors_write(path, tensor, n, &calibration, 1, &err), 0, "%s", err.text);
    sr_safetensors_close(plain);
}

/* Every line of `plain` with one more column: prob, its fourth, calibrated. Returns the lines. */
static size_t check_column(const char *plain, const char *with, const struct sr_calibrator *c) {
    size_t lines = 0;
    for (; *plain; plain = strchr(plain, '\n') + 1, with = strchr(with, '\n') + 1, lines++) {
        const size_t length = strcspn(plain, "\n");
        float prob, calibrated;
        cr_assert_eq(strncmp(plain, with, length), 0, "%.99s", with);
        cr_assert_eq(sscanf(plain, "%*u,,%*f,%f", &prob), 1, "%.99s", plain);
        cr_assert_eq(sscanf(with + length, ",%f\n", &calibrated), 1, "%.99s", with);
        cr_expect_eq(calibrated, (float)sr_calibrator_apply(c, (double)prob), "%.99s", with);
    }
    cr_expect_str_empty(with);
    return lines;
}

Test(infer_command, calibration_adds_a_column_and_moves_no_decision) {
    const char *const texts[] = {ISOTONIC, "{\"method\": \"temperature\", \"temperature\": 2.5}"};
    for (size_t i = 0; i < 2; i++) {
        char *folder = folder_begin();
        struct sr_calibrator *c;
        struct sr_error err;
        calibrate(folder, texts[i]);
        cr_assert_eq(sr_calibrator_parse(&c, texts[i], &err), 0, "%s", err.text);
        struct run plain = run_program(folder, "infer " MODEL " " GUARDS);
        struct run with = run_program(folder, "infer --model %s/calibrated.safetensors " GUARDS, folder);
        cr_assert_eq(with.status, 0, "%s", with.err);
        cr_expect(strstr(with.err, sr_calibrator_method(c)), "%s", with.err);
        const char *header = "row,id,logit,prob,decision,reason,calibrated\n";
        cr_assert_eq(strncmp(with.out, header, strlen(header)), 0, "%s", with.out);
        cr_expect_eq(check_column(plain.out + strlen(HEADER), with.out + strlen(header), c), 240);
        run_end(&plain);
        run_end(&with);
        sr_calibrator_free(c);
        folder_end(folder);
    }
}

Test(infer_command, a_bad_row_has_nothing_to_calibrate) {
    char *folder = folder_begin();
    calibrate(folder, ISOTONIC);
    struct run r = run_program(folder, "infer --model %s/calibrated.safetensors " BAD, folder);
    cr_expect(strstr(r.out, ",nan,nan,large," NOT_FINITE ",nan\n"), "%s", r.out);
    run_end(&r);
    folder_end(folder);
}

Test(infer_command, hdf5_holds_the_calibrated_column) {
    char *folder = folder_begin(), path[128];
    double prob[240], calibrated[240];
    struct sr_calibrator *c;
    struct sr_h5 *f;
    struct sr_error err;
    calibrate(folder, ISOTONIC);
    cr_assert_eq(sr_calibrator_parse(&c, ISOTONIC, &err), 0, "%s", err.text);
    snprintf(path, sizeof path, "%s/scores.h5", folder);
    struct run r =
        run_program(folder, "infer --model %s/calibrated.safetensors " GUARDS " --out %s", folder, path);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    cr_assert_eq(sr_h5_open(&f, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_read_doubles(f, "prob", prob, 240, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_read_doubles(f, "calibrated", calibrated, 240, &err), 0, "%s", err.text);
    for (size_t i = 0; i < 240; i++)
        cr_expect_eq(calibrated[i], (double)(float)sr_calibrator_apply(c, prob[i]), "row %zu", i);
    cr_expect_eq(sr_h5_close(f, &err), 0);
    r = run_program(folder, "infer " MODEL " " GUARDS " --out %s", path);
    cr_assert_eq(sr_h5_open(&f, path, &err), 0, "%s", err.text);
    cr_expect_not(sr_h5_has(f, "calibrated"), "the weights have no calibration");
    cr_expect_eq(sr_h5_close(f, &err), 0);
    run_end(&r);
    sr_calibrator_free(c);
    folder_end(folder);
}

Test(infer_command, a_malformed_calibration_is_bad_data) {
    char *folder = folder_begin();
    calibrate(folder, "{\"method\":\"temperature\",\"temperature\":-1}");
    expect_failure(
        run_program(folder, "infer --model %s/calibrated.safetensors " GUARDS, folder), 65,
        "/calibrated.safetensors: metadata \"calibration\": \"temperature\" is not a number above 0");
    folder_end(folder);
}

/* Every batch of the program lands at its rows: against the same rows read in other batches. */
Test(infer_score, rows_keep_their_places) {
    char *folder = folder_begin(), path[128];
    const struct sr_synth how = {.rows = 3000, .width = 16, .seed = 1, .world = 1};
    const struct sr_loader_options other = {.order = SR_ORDER_FILE, .batch = 77};
    const struct sr_data_options plain = {0};
    struct sr_router *router;
    struct sr_data *d;
    struct sr_scores scores;
    struct sr_loader *loader;
    struct sr_batch batch;
    struct sr_error err;
    uint32_t row[3000];
    size_t seen = 0;
    snprintf(path, sizeof path, "%s/many.h5", folder);
    cr_assert_eq(sr_synth_write(path, &how, &err), 0, "%s", err.text);
    cr_assert_eq(sr_router_open(&router, VECTORS "/router_weights.safetensors", &err), 0, "%s", err.text);
    cr_assert_eq(sr_data_open(&d, path, &plain, &err), 0, "%s", err.text);
    cr_assert_eq(sr_score_data(&scores, router, d, NULL, NULL, &err), 0, "%s", err.text);
    for (uint32_t i = 0; i < 3000; i++)
        row[i] = i;
    cr_assert_eq(sr_loader_create(&loader, d, row, 3000, &other, &err), 0, "%s", err.text);
    cr_assert_eq(sr_loader_start(loader, 0, 0, &err), 0, "%s", err.text);
    for (; sr_loader_next(loader, &batch, &err) > 0; seen += batch.rows) {
        float logit[77];
        sr_router_logits(router, logit, batch.x, batch.rows);
        cr_expect_eq(memcmp(logit, scores.logit + batch.row[0], batch.rows * sizeof *logit), 0, "at row %u",
                     batch.row[0]);
        cr_expect_eq(scores.prob[batch.row[0]], sr_router_prob(logit[0]));
    }
    cr_expect_eq(seen, 3000);
    cr_expect_eq(scores.rows, 3000);
    sr_loader_free(loader);
    sr_scores_free(&scores);
    sr_data_close(d);
    sr_router_close(router);
    folder_end(folder);
}

Test(infer_command, threads_change_nothing) {
    char *folder = folder_begin(), path[128], *first = NULL;
    struct sr_error err;
    snprintf(path, sizeof path, "%s/many.h5", folder);
    const struct sr_synth how = {.rows = 5000, .width = 16, .seed = 1, .world = 1};
    cr_assert_eq(sr_synth_write(path, &how, &err), 0, "%s", err.text);
    for (int threads = 1; threads < 6; threads++) {
        struct run r = run_program(folder, "infer " MODEL " --data %s --threads %d", path, threads);
        cr_assert_eq(r.status, 0, "%s", r.err);
        cr_expect_eq(count_lines(r.out), 5001);
        if (!first)
            first = strdup(r.out);
        cr_expect(strcmp(r.out, first) == 0, "%d threads", threads);
        run_end(&r);
    }
    free(first);
    folder_end(folder);
}

Test(infer_command, labels_are_not_needed) {
    char *folder = folder_begin();
    struct run r =
        run_program(folder, "infer " MODEL " --data " VECTORS "/eval_unlabelled.h5 --features last_hidden");
    cr_expect_eq(r.status, 0, "%s", r.err);
    cr_expect_eq(count_lines(r.out), 4);
    cr_expect(strstr(r.out, "\n2,,nan,nan,large," OVERFLOW "\n"), "%s", r.out);
    cr_expect(strstr(r.err, "1 of 3 rows: " OVERFLOW), "%s", r.err);
    cr_expect_null(strstr(r.err, NOT_FINITE), "%s", r.err);
    run_end(&r);
    expect_failure(
        run_program(folder, "eval " MODEL " --data " VECTORS "/eval_unlabelled.h5 --features last_hidden"),
        65, "label");
    folder_end(folder);
}

Test(infer_command, widths_that_differ_are_refused_with_both_numbers) {
    char *folder = folder_begin(), path[128];
    struct sr_error err;
    snprintf(path, sizeof path, "%s/wide.h5", folder);
    const struct sr_synth how = {.rows = 200, .width = 24, .seed = 1, .world = 1};
    cr_assert_eq(sr_synth_write(path, &how, &err), 0, "%s", err.text);
    struct run r = run_program(folder, "infer " MODEL " --data %s", path);
    cr_expect_eq(r.status, 65);
    cr_expect(strstr(r.err, "24 features") && strstr(r.err, "reads 16"), "%s", r.err);
    run_end(&r);
    expect_failure(run_program(folder, "eval " MODEL " --data %s", path), 65, "24 features");
    folder_end(folder);
}

Test(infer_command, refusals_leave_an_older_file_alone) {
    char *folder = folder_begin(), path[128];
    struct sr_error err;
    snprintf(path, sizeof path, "%s/old.csv", folder);
    cr_assert_eq(sr_atomic_file_write(path, "old", 3, &err), 0, "%s", err.text);
    expect_failure(run_program(folder, "infer " MODEL " --data none.h5 --out %s", path), 66, "none.h5");
    char *text = slurp(path);
    cr_expect_str_eq(text, "old");
    sr_free(text);
    expect_failure(run_program(folder, "infer " MODEL " " GUARDS " --out %s/x.txt", folder), 2, ".csv");
    expect_failure(run_program(folder, "infer " MODEL " " GUARDS " --out %s/x", folder), 2, ".csv");
    expect_failure(run_program(folder, "infer " MODEL " " GUARDS " --out %s/no/x.csv", folder), 74, "x.csv");
    expect_failure(run_program(folder, "infer " GUARDS), 2, "--model");
    folder_end(folder);
}

/* Spelt otherwise, second in the list, matched by a pattern, or by a link: the file is the same. */
Test(infer_command, out_is_never_a_file_that_is_read) {
    char *folder = folder_begin(), command[1024];
    void *before, *after;
    size_t size, size_after;
    snprintf(command, sizeof command,
             "cp " VECTORS "/eval_guards.h5 %s/d.h5 && cp " VECTORS "/router_weights.safetensors %s/w.h5 && "
             "ln -s w.h5 %s/w.csv",
             folder, folder, folder);
    cr_assert_eq(system(command), 0);
    snprintf(command, sizeof command, "%s/d.h5", folder);
    cr_assert_eq(sr_file_read(&before, &size, command, 1 << 24, NULL), 0);
    expect_failure(run_program(folder, "infer " MODEL " " GUARDS ",%s/d.h5 --out %s/./d.h5", folder, folder),
                   2, "/./d.h5 is a file of --data");
    expect_failure(run_program(folder, "infer " MODEL " --data '%s/d*.h5' --out %s/d.h5", folder, folder), 2,
                   "/d.h5 is a file of --data");
    cr_assert_eq(sr_file_read(&after, &size_after, command, 1 << 24, NULL), 0);
    cr_expect(size == size_after && memcmp(before, after, size) == 0, "the dump was touched");
    expect_failure(run_program(folder, "infer --model %s/w.h5 " GUARDS " --out %s/w.csv", folder, folder), 2,
                   "w.csv is a file of --model");
    sr_free(before);
    sr_free(after);
    folder_end(folder);
}

Test(infer_command, help_is_for_people) {
    char *folder = folder_begin();
    struct run r = run_program(folder, "infer --help");
    cr_expect_eq(r.status, 0);
    cr_expect_eq(strncmp(r.out, "usage: saferoute infer ", 23), 0, "%s", r.out);
    cr_expect(strstr(r.out, "--threshold"), "%s", r.out);
    run_end(&r);
    folder_end(folder);
}
