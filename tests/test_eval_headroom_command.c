/* test_eval_headroom_command.c: `saferoute eval --headroom` as a user runs it: against NumPy, on real dumps,
 * and what it refuses.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/run_program.h"

#include <math.h>

#include "eval/eval.h"

#define VECTORS SR_SOURCE_DIR "/tests/vectors"
#define GUARDS  " --data " VECTORS "/eval_guards.h5"
#define UNKNOWN " --data " VECTORS "/eval_unknown.h5"

static void expect_number(const struct sr_json *o, const char *key, double want) {
    double got = (double)NAN;
    cr_assert_not_null(sr_json_get(o, key), "no key %s", key);
    sr_json_as_number(sr_json_get(o, key), &got);
    cr_expect_float_eq(got, want, 1e-12, "%s: %.12g, not %.12g", key, got, want); /* rounding */
}

static struct sr_json *run_json(const char *folder, const char *arguments) {
    struct run r = run_program(folder, "eval --headroom --json%s", arguments);
    struct sr_json *o = NULL;
    struct sr_error err;
    cr_assert_eq(r.status, 0, "%s", r.err);
    cr_expect_str_empty(r.err);
    cr_assert_eq(sr_json_parse(&o, r.out, strlen(r.out), &err), 0, "%s", err.text);
    run_end(&r);
    return o;
}

/* tests/vectors/eval_guards.json comes from NumPy. */
Test(headroom_command, the_command_counts_as_numpy_does) {
    char *folder = folder_begin(), *text = slurp(VECTORS "/eval_guards.json");
    static const char *const cells[] = {"cc", "cw", "wc", "ww"};
    struct sr_json *got = run_json(folder, GUARDS), *want = NULL;
    cr_assert_eq(sr_json_parse(&want, text, strlen(text), NULL), 0);
    for (size_t i = 0; i < SR_COUNT(cells); i++) {
        double cell = (double)NAN;
        cr_assert(sr_json_as_number(sr_json_get(sr_json_get(want, "table"), cells[i]), &cell));
        expect_number(sr_json_get(got, "table"), cells[i], cell);
    }
    expect_number(got, "schema_version", 1);
    cr_expect_str_eq(sr_json_as_string(sr_json_at(sr_json_get(got, "data"), 0)), "eval_guards.h5");
    cr_expect(strstr(sr_json_as_string(sr_json_get(got, "labels")), "derived from gold and verdicts"));
    expect_number(got, "small_threshold", .5);
    cr_expect(sr_json_is_null(sr_json_get(got, "large_threshold")));
    cr_expect_str_eq(sr_json_as_string(sr_json_get(got, "advice")), "route");
    sr_json_free(got);
    sr_json_free(want);
    sr_free(text);
    folder_end(folder);
}

Test(headroom_command, the_command_says_what_is_left_out_and_takes_prices) {
    char *folder = folder_begin();
    struct run r = run_program(folder, "eval --headroom" UNKNOWN);
    cr_expect_eq(r.status, 0, "%s", r.err);
    cr_expect_eq(strncmp(r.out, "verdict        route: ", 22), 0, "%s", r.out);
    cr_expect(strstr(r.out, "212 with gold and both verdicts; left out: 28 others"), "%s", r.out);
    cr_expect(strstr(r.out, "\nforum "), "%s", r.out);
    run_end(&r);
    r = run_program(folder, "eval --headroom" GUARDS " --small-cost 4 --large-cost 5");
    cr_expect_eq(strncmp(r.out, "verdict        always large: ", 29), 0, "%s", r.out);
    cr_expect_null(strstr(r.out, "a fifth of"), "%s", r.out);
    run_end(&r);
    struct sr_json *o =
        run_json(folder, GUARDS " --small-cost 1 --large-cost 5 --missed-cost 3 --alarm-cost 1");
    cr_expect_str_eq(sr_json_as_string(sr_json_get(o, "break_even_by")), "cost");
    cr_expect_str_eq(sr_json_as_string(sr_json_get(o, "profit_in")), "money");
    expect_number(sr_json_get(o, "prices"), "missed_cost", 3);
    sr_json_free(o);
    folder_end(folder);
}

Test(headroom_command, refusals) {
    static const char *const of_router[] = {"--model w",      "--scores f.csv",  "--threshold .5",
                                            "--baseline old", "--gate 'f1>=.5'", "--report r.html",
                                            "--run r",        "--traffic t.h5",  "--prevalence .1"};
    char *folder = folder_begin(), word[32];
    for (size_t i = 0; i < SR_COUNT(of_router); i++) {
        snprintf(word, sizeof word, "so %.*s has no part", (int)strcspn(of_router[i], " "), of_router[i]);
        expect_failure(run_program(folder, "eval --headroom" GUARDS " %s", of_router[i]), 2, word);
    }
    expect_failure(run_program(folder, "eval --headroom"), 2, "--data is missing");
    expect_failure(run_program(folder, "eval --headroom" GUARDS " --small-cost 1"), 2, "--large-cost");
    expect_failure(run_program(folder, "eval --headroom" GUARDS " --large-ms 1"), 2, "--small-ms");
    expect_failure(run_program(folder, "eval --headroom" GUARDS " --alarm-cost 1"), 2, "--missed-cost");
    expect_failure(run_program(folder, "eval --headroom" GUARDS " --small-cost 2 --large-cost 1"), 2,
                   "wrong way round");
    expect_failure(run_program(folder, "eval --headroom" GUARDS " --missed-cost 0 --alarm-cost 0"), 2,
                   "both 0");
    expect_failure(run_program(folder, "eval --headroom --data %s/none.h5", folder), 66, "none.h5");
    expect_failure(run_program(folder, "eval --headroom --data " SR_SOURCE_DIR "/tests/dumps/half.h5"), 65,
                   "half.h5: no /gold");
    expect_failure(run_program(folder, "eval --headroom --data " VECTORS "/eval_unlabelled.h5 --features "
                                       "last_hidden"),
                   65, "eval_unlabelled.h5");
    expect_failure(
        run_program(folder, "eval --headroom --data " SR_SOURCE_DIR "/tests/dumps/unknown_gold.h5"), 65,
        "unknown_gold.h5: none of the");
    folder_end(folder);
}

/* ---- real guards ---- */

/* Of the dump's description: small accuracy, large, oracle-routed; .0005 is its rounding. */
static void expect_real(const char *name, double small, double large, double oracle) {
    const char *home = getenv("SAFEROUTE_DATA");
    char path[512], arguments[640];
    snprintf(path, sizeof path, "%s/%s", home ? home : "", name);
    if (!home || access(path, R_OK) != 0)
        cr_skip_test("SAFEROUTE_DATA is not set, or holds no %s: no real dump to read", name);
    char *folder = folder_begin();
    snprintf(arguments, sizeof arguments, " --data '%s'", path);
    struct sr_json *o = run_json(folder, arguments);
    double value[3], rows = 0, all = 0;
    cr_assert(sr_json_as_number(sr_json_get(o, "small_accuracy"), &value[0]));
    cr_assert(sr_json_as_number(sr_json_get(o, "large_accuracy"), &value[1]));
    cr_assert(sr_json_as_number(sr_json_get(o, "oracle_accuracy"), &value[2]));
    cr_expect_float_eq(value[0], small, .0005 + 1e-9);
    cr_expect_float_eq(value[1], large, .0005 + 1e-9);
    cr_expect_float_eq(value[2], oracle, .0005 + 1e-9);
    cr_expect_str_eq(sr_json_as_string(sr_json_get(o, "advice")), "route");
    const struct sr_json *slices = sr_json_get(o, "slices");
    for (size_t s = 0; s < sr_json_size(slices); s++) {
        double n = 0;
        cr_assert(sr_json_as_number(sr_json_get(sr_json_at(slices, s), "rows"), &n));
        rows += n;
    }
    cr_assert(sr_json_as_number(sr_json_get(o, "rows"), &all));
    cr_expect_eq(rows, all);
    sr_json_free(o);
    folder_end(folder);
}

Test(headroom_command, real_training_rows) {
    expect_real("guard-train.h5", .681, .766, .832);
}

Test(headroom_command, real_validation_rows) {
    expect_real("guard-val.h5", .703, .785, .854);
}
