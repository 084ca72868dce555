/* test_eval_command.c: `saferoute eval` as a user runs it: its numbers against scikit-learn's, what it
 * refuses, and that threads, memory and output form change nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_program.h"

#include <math.h>

#define VECTORS SR_SOURCE_DIR "/tests/vectors"
#define MODEL   "--model " VECTORS "/router_weights.safetensors"
#define GUARDS  "--data " VECTORS "/eval_guards.h5"
#define UNKNOWN "--data " VECTORS "/eval_unknown.h5"
#define BAD     "--data " VECTORS "/eval_bad_rows.h5"

/* Every member of want is in got. 1e-9: counts are exact, scores of float32 rank like those of
 * float64. */
static void expect_same_object(const struct sr_json *got, const struct sr_json *want, const char *where) {
    void *iter = NULL;
    const struct sr_json *value;
    const char *key;
    while ((key = sr_json_next(want, &iter, &value))) {
        const struct sr_json *other = sr_json_get(got, key);
        double a = (double)NAN, b = (double)NAN;
        cr_assert_not_null(other, "%s: no key %s", where, key);
        if (sr_json_is_object(value)) {
            expect_same_object(other, value, key);
            continue;
        }
        if (sr_json_is_array(value)) {
            cr_assert_eq(sr_json_size(other), sr_json_size(value), "%s", key);
            for (size_t i = 0; i < sr_json_size(value); i++)
                expect_same_object(sr_json_at(other, i), sr_json_at(value, i), key);
            continue;
        }
        if (sr_json_as_string(value)) {
            cr_expect_str_eq(sr_json_as_string(other), sr_json_as_string(value), "%s.%s", where, key);
            continue;
        }
        cr_assert(sr_json_as_number(value, &a));
        cr_expect(sr_json_as_number(other, &b) && fabs(a - b) <= 1e-9, "%s.%s: %.12g, not %.12g", where, key,
                  b, a);
    }
}

/* What eval says of a dump at threshold .5 against a stored answer. */
static void check_json(const char *data, const char *answer) {
    char *folder = folder_begin();
    struct run r = run_program(folder, "eval " MODEL " %s --threshold .5 --json", data);
    cr_assert_eq(r.status, 0, "%s", r.err);
    char *text = slurp(answer);
    struct sr_json *got = parse(r.out), *want = parse(text);
    expect_same_object(got, want, "eval");
    cr_expect(strstr(r.err, "threshold 0.5: given"), "%s", r.err);
    sr_json_free(got);
    sr_json_free(want);
    sr_free(text);
    run_end(&r);
    folder_end(folder);
}

Test(eval_command, json_agrees_with_scikit_learn) {
    check_json(GUARDS, VECTORS "/eval_guards.json");
}

Test(eval_command, unknown_values_are_left_out_where_they_are_needed) {
    check_json(UNKNOWN, VECTORS "/eval_unknown.json");
}

Test(eval_command, unknown_values_are_counted_on_screen) {
    char *folder = folder_begin();
    struct run r = run_program(folder, "eval " MODEL " " UNKNOWN " --full");
    cr_assert_eq(r.status, 0, "%s", r.err);
    cr_expect(strstr(r.out, "230 labelled, 74 positive") && strstr(r.out, "10 without a known label"), "%s",
              r.out);
    cr_expect(strstr(r.out, "rows with gold and both verdicts)"), "%s", r.out);
    cr_expect(strstr(r.out, "labels         as stored; unsafe from: small guard 0.5 (default), large guard "
                            "unknown\n"),
              "%s", r.out);
    cr_expect(strstr(r.out, "\nsource  "), "%s", r.out);
    cr_expect(strstr(r.err, "metrics count every row as 1; /weight only matters in training"), "%s", r.err);
    run_end(&r);
    folder_end(folder);
}

/* Keys are a promise: every one there, null where nothing is known. */
Test(eval_command, json_keys_are_always_the_same) {
    static const char *const data[] = {GUARDS, BAD " --on-bad-row=skip"};
    char *folder = folder_begin();
    struct sr_json *o[2];
    for (size_t i = 0; i < 2; i++) {
        struct run r = run_program(folder, "eval " MODEL " %s --json", data[i]);
        cr_assert_eq(r.status, 0, "%s", r.err);
        o[i] = parse(r.out);
        run_end(&r);
    }
    const struct sr_json *value;
    const char *key;
    void *iter = NULL;
    cr_expect_eq(sr_json_size(o[0]), sr_json_size(o[1]));
    while ((key = sr_json_next(o[0], &iter, &value)))
        cr_expect_not_null(sr_json_get(o[1], key), "%s", key);
    cr_expect_eq(sr_json_size(sr_json_get(o[0], "auprc_ci")), 2);
    cr_expect_eq(sr_json_size(sr_json_get(o[0], "gap_won_ci")), 2);
    cr_expect(sr_json_is_object(sr_json_get(o[0], "routed")), "the guards, not the count");
    cr_expect_eq(number(o[0], "rows_routed"), 78);
    sr_json_free(o[0]);
    sr_json_free(o[1]);
    folder_end(folder);
}

static void expect_lines(const char *text, const char *const *lines, size_t n) {
    for (size_t i = 0; i < n; i++)
        cr_expect(strstr(text, lines[i]), "\"%s\" is not in:\n%s", lines[i], text);
}

Test(eval_command, the_screen_is_first_and_all_without_full) {
    static const char *const screen[] = {"\nrows           240 labelled, 77 positive",
                                         "labels         derived from gold and verdicts; unsafe",
                                         "\nAUPRC          0.4273 [",
                                         "AUROC 0.6439",
                                         "routed         55.00 % of the rows",
                                         "small alone, 70.8 routed, 70.8 large alone\n",
                                         "\ngap won        85 % [",
                                         "\n\nsafety          F1 ",
                                         "\nlarge alone     0.8108 [",
                                         "\nentropy instead 0.",
                                         "\nrandom instead  0."};
    static const char *const full[] = {"TP     54    FN     23",      "FP     78    TN     85",
                                       "precision          0.4091 [", "only large             77",
                                       "neither                14",   "\ncalibration of prob",
                                       "\narea under safety F1"};
    const char *first = "threshold      0.5  (given by --threshold)\n";
    char *folder = folder_begin();
    struct run r = run_program(folder, "eval " MODEL " " GUARDS " --threshold .5");
    struct run more = run_program(folder, "eval " MODEL " " GUARDS " --threshold .5 --full");
    cr_assert_eq(r.status, 0, "%s", r.err);
    expect_lines(r.out, screen, SR_COUNT(screen));
    cr_expect_eq(strncmp(r.out, first, strlen(first)), 0, "nothing below holds at another one: %s", r.out);
    cr_expect_null(strstr(r.out, "calibration"), "%s", r.out);
    cr_expect_eq(strncmp(more.out, r.out, strlen(r.out)), 0, "the same screen: %s", more.out);
    expect_lines(more.out, full, SR_COUNT(full));
    run_end(&r);
    run_end(&more);
    folder_end(folder);
}

Test(eval_command, an_unset_threshold_is_said) {
    char *folder = folder_begin();
    struct run r = run_program(folder, "eval " MODEL " " GUARDS);
    cr_expect(r.out == strstr(r.out, "threshold      0.6  (unset"), "%s", r.out);
    run_end(&r);
    folder_end(folder);
}

/* The stored weights with metadata of our own. */
static void write_weights(const char *path, const struct sr_pair *metadata, size_t n) {
    struct sr_safetensors *file;
    struct sr_tensor tensor[32];
    struct sr_error err;
    cr_assert_eq(sr_safetensors_open(&file, VECTORS "/router_weights.safetensors", &err), 0, "%s", err.text);
    const size_t count = sr_safetensors_count(file);
    cr_assert_leq(count, 32);
    for (size_t i = 0; i < count; i++)
        tensor[i] = *sr_safetensors_at(file, i);
    cr_assert_eq(sr_safetensors_write(path, tensor, count, metadata, n, &err), 0, "%s", err.text);
    sr_safetensors_close(file);
}

Test(eval_command, a_stored_threshold_and_its_rule_are_said) {
    const struct sr_pair metadata[] = {{"threshold", "0.45"}, {"threshold_rule", "max-f1"}};
    char *folder = folder_begin(), path[128];
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    write_weights(path, metadata, 2);
    struct run r = run_program(folder, "eval --model %s " GUARDS, path);
    cr_expect_eq(r.status, 0);
    cr_expect(r.out == strstr(r.out, "threshold      0.45  (stored in the weights, rule max-f1)\n"), "%s",
              r.out);
    run_end(&r);
    r = run_program(folder, "eval --model %s " GUARDS " --threshold 0", path);
    cr_expect(r.out == strstr(r.out, "threshold      0  (given by --threshold)\n"), "%s", r.out);
    run_end(&r);
    folder_end(folder);
}

Test(eval_command, warns_of_features_from_another_model) {
    const struct sr_pair other = {"feature_model", "guard-b"}, same = {"feature_model", "guard-a"};
    char *folder = folder_begin(), path[128];
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    write_weights(path, &other, 1);
    struct run r = run_program(folder, "eval --model %s " GUARDS, path);
    cr_expect_eq(r.status, 0);
    cr_expect(strstr(r.err, "feature_model is \"guard-a\" in the dump, but \"guard-b\""), "%s", r.err);
    run_end(&r);
    write_weights(path, &same, 1);
    r = run_program(folder, "eval --model %s " GUARDS, path);
    cr_expect_null(strstr(r.err, "feature_model"), "%s", r.err);
    run_end(&r);
    folder_end(folder);
}

Test(eval_command, warns_of_verdicts_cut_elsewhere) {
    const struct sr_pair other = {"small_threshold", "0.4"};
    char *folder = folder_begin(), path[128];
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    write_weights(path, &other, 1);
    struct run r = run_program(folder, "eval --model %s " GUARDS, path);
    cr_expect_eq(r.status, 0);
    cr_expect(strstr(r.err, "small_threshold is \"0.5\" in the dump, but \"0.4\" in the weights"), "%s",
              r.err);
    run_end(&r);
    r = run_program(folder, "eval --model %s " GUARDS " --small-threshold .4", path);
    cr_expect_null(strstr(r.err, "small_threshold"), "%s", r.err);
    cr_expect(strstr(r.out, "small guard 0.4 (given)"), "%s", r.out);
    run_end(&r);
    folder_end(folder);
}

Test(eval_command, threads_and_memory_change_nothing) {
    static const char *const how[] = {"--threads 1", "--threads 2", "--threads 7", "--memory 1G",
                                      "--memory auto"};
    char *folder = folder_begin(), *first = NULL;
    for (size_t i = 0; i < SR_COUNT(how); i++) {
        struct run r = run_program(folder, "eval " MODEL " " GUARDS " --json %s", how[i]);
        cr_assert_eq(r.status, 0, "%s", r.err);
        if (!first)
            first = strdup(r.out);
        cr_expect_str_eq(r.out, first, "%s", how[i]);
        run_end(&r);
    }
    free(first);
    folder_end(folder);
}

Test(eval_command, several_dumps_are_one_set) {
    char *folder = folder_begin();
    struct run r =
        run_program(folder, "eval " MODEL " " GUARDS "," VECTORS "/eval_guards.h5 --threshold .5 --json");
    cr_assert_eq(r.status, 0, "%s", r.err);
    struct sr_json *o = parse(r.out);
    cr_expect_eq(number(o, "rows"), 480);
    cr_expect_eq(number(o, "tp"), 2 * 54);
    sr_json_free(o);
    run_end(&r);
    folder_end(folder);
}

Test(eval_command, bad_rows_stop_it_unless_skipped) {
    char *folder = folder_begin();
    expect_failure(run_program(folder, "eval " MODEL " " BAD), 65, "eval_bad_rows.h5: row 2 ");
    struct run r = run_program(folder, "eval " MODEL " " BAD " --on-bad-row=skip --json");
    cr_assert_eq(r.status, 0, "%s", r.err);
    cr_expect(strstr(r.err, "2 of 6 rows"), "%s", r.err);
    struct sr_json *o = parse(r.out);
    cr_expect_eq(number(o, "rows"), 6);
    cr_expect_eq(number(o, "bad_rows"), 2);
    cr_expect_eq(number(o, "ranked"), 4);
    cr_expect_eq(number(o, "tp") + number(o, "fp") + number(o, "tn") + number(o, "fn"), 4);
    cr_expect_eq(number(o, "positives"), 1);
    double value;
    const struct sr_json *f1 = sr_json_get(sr_json_get(o, "small"), "f1");
    cr_expect(f1 && !sr_json_as_number(f1, &value), "null, not absent, without gold");
    sr_json_free(o);
    run_end(&r);
    folder_end(folder);
}

Test(eval_command, undefined_is_said) {
    char *folder = folder_begin();
    struct run r = run_program(folder, "eval " MODEL " " GUARDS " --threshold 1 --full");
    cr_expect(strstr(r.out, "precision          undefined\n"), "%s", r.out);
    cr_expect(strstr(r.out, "recall             0.0000 [0.0000, 0.0"), "%s", r.out);
    run_end(&r);
    r = run_program(folder, "eval " MODEL " " GUARDS " --threshold 1 --json");
    struct sr_json *o = parse(r.out);
    double value;
    cr_expect_not_null(sr_json_get(o, "precision"));
    cr_expect_not(sr_json_as_number(sr_json_get(o, "precision"), &value));
    cr_expect_eq(number(o, "recall"), 0);
    sr_json_free(o);
    run_end(&r);
    folder_end(folder);
}

Test(eval_command, refusals) {
    char *folder = folder_begin();
    expect_failure(run_program(folder, "eval " GUARDS), 2, "--model");
    expect_failure(run_program(folder, "eval " MODEL), 2, "--data");
    expect_failure(run_program(folder, "eval " MODEL " " GUARDS " --threshold 1.5"), 2, "threshold");
    expect_failure(run_program(folder, "eval " MODEL " " GUARDS " --treshold .5"), 2, "threshold");
    expect_failure(run_program(folder, "eval " MODEL " --data %s/none.h5", folder), 66, "none.h5");
    expect_failure(run_program(folder, "eval --model %s/none " GUARDS, folder), 66, "none");
    expect_failure(run_program(folder, "eval --model " VECTORS "/eval_guards.h5 " GUARDS), 65,
                   "eval_guards.h5");
    expect_failure(run_program(folder, "eval " MODEL " --data " VECTORS "/router_case.safetensors"), 65,
                   "router_case");
    expect_failure(run_program(folder, "eval " MODEL " " GUARDS " --features nothing"), 65, "nothing");
    folder_end(folder);
}

Test(eval_command, help_is_for_people) {
    char *folder = folder_begin();
    struct run r = run_program(folder, "eval --help");
    cr_expect_eq(r.status, 0);
    cr_expect_eq(strncmp(r.out, "usage: saferoute eval ", 22), 0, "%s", r.out);
    cr_expect(strstr(r.out, "--on-bad-row"), "%s", r.out);
    cr_expect(strstr(r.out, "exit status"), "%s", r.out);
    run_end(&r);
    folder_end(folder);
}
