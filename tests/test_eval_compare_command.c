/* test_eval_compare_command.c: `saferoute eval` with a second router, conditions, traffic, prices and another
 * prevalence, as a user runs it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_program.h"

#include <math.h>

#include "eval/eval.h"

#define VECTORS SR_SOURCE_DIR "/tests/vectors"
#define WEIGHTS VECTORS "/router_weights.safetensors"
#define GUARDS  " --data " VECTORS "/eval_guards.h5 "
#define EVAL    "eval --model " WEIGHTS GUARDS "--threshold .5 "

static char *folder, other[300];
static struct sr_error err;

/* Another router: one hidden unit's way to the logit is turned round, the logit is lower, and it has a
 * threshold. */
static void begin(void) {
    struct sr_safetensors *file;
    struct sr_tensor tensor[32];
    const struct sr_pair threshold = {"threshold", "0.52"};
    folder = folder_begin();
    snprintf(other, sizeof other, "%s/other.safetensors", folder);
    cr_assert_eq(sr_safetensors_open(&file, WEIGHTS, &err), 0, "%s", err.text);
    const size_t n = sr_safetensors_count(file);
    for (size_t i = 0; i < n; i++) {
        tensor[i] = *sr_safetensors_at(file, i);
        float *value = tensor[i].data;
        if (strcmp(tensor[i].name, "cls.12.weight") == 0)
            value[1] = -value[1];
        if (strcmp(tensor[i].name, "cls.12.bias") == 0)
            value[0] -= .2f;
    }
    cr_assert_eq(sr_safetensors_write(other, tensor, n, &threshold, 1, &err), 0, "%s", err.text);
    sr_safetensors_close(file);
}

static void end(void) {
    folder_end(folder);
}

TestSuite(eval_compare, .init = begin, .fini = end);

__attribute__((format(printf, 1, 2))) static struct sr_json *eval_json(const char *format, ...) {
    char arguments[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    struct run r = run_program(folder, "eval%s--json %s", GUARDS, arguments);
    cr_assert_eq(r.status, 0, "%s", r.err);
    struct sr_json *o = parse(r.out);
    run_end(&r);
    return o;
}

/* ---- two routers ---- */

Test(eval_compare, differences_are_those_of_two_evaluations) {
    static const char *const keys[] = {"auprc", "auroc", "f1", "recall", "share_routed", "routed.f1", "harm"};
    char path[64];
    struct sr_json *both = eval_json("--model " WEIGHTS " --threshold .5 --baseline %s", other),
                   *now = eval_json("--model " WEIGHTS " --threshold .5"),
                   *then = eval_json("--model %s", other);
    for (size_t k = 0; k < SR_COUNT(keys); k++) {
        snprintf(path, sizeof path, "old.%s", keys[k]);
        cr_expect_eq(number(both, path), number(then, keys[k]), "%s, at the old one's own threshold", path);
        snprintf(path, sizeof path, "delta.%s", keys[k]);
        cr_expect_eq(number(both, path), number(now, keys[k]) - number(then, keys[k]), "%s", path);
        cr_expect_eq(number(both, keys[k]), number(now, keys[k]));
    }
    cr_expect_neq(number(both, "delta.auprc"), 0);
    cr_expect_leq(number(both, "equal_share.new.share_routed"), number(both, "old.share_routed") + 1e-12);
    cr_expect_gt(number(both, "equal_share.new.share_routed"), number(both, "old.share_routed") - .01,
                 "240 distinct scores");
    cr_expect(sr_json_is_null(sr_json_get(now, "delta")), "every key is there, and null");
    sr_json_free(both);
    sr_json_free(now);
    sr_json_free(then);
}

/* Row by row, from what infer says. */
static size_t count_routed(const char *arguments, bool *routed) {
    struct run r = run_program(folder, "infer%s%s", GUARDS, arguments);
    cr_assert_eq(r.status, 0, "%s", r.err);
    size_t n = 0;
    for (const char *line = strchr(r.out, '\n') + 1; *line; line = strchr(line, '\n') + 1)
        routed[n++] = memmem(line, strcspn(line, "\n"), ",large,", 7) != NULL;
    run_end(&r);
    return n;
}

Test(eval_compare, the_first_line_counts_decisions_that_change) {
    bool now[240], then[240];
    char arguments[400], line[200];
    size_t to_large = 0, to_small = 0;
    cr_assert_eq(count_routed("--threshold .5 --model " WEIGHTS, now), 240);
    snprintf(arguments, sizeof arguments, "--model %s", other);
    cr_assert_eq(count_routed(arguments, then), 240);
    for (size_t i = 0; i < 240; i++) {
        to_large += now[i] && !then[i];
        to_small += !now[i] && then[i];
    }
    cr_expect(to_large > 0 && to_small > 0, "both directions are seen: %zu, %zu", to_large, to_small);
    snprintf(
        line, sizeof line,
        "changed        per 1,000 rows %.1f go to the large guard that did not, %.1f no longer do (of 240",
        1000 * (double)to_large / 240, 1000 * (double)to_small / 240);
    struct run r = run_program(folder, EVAL "--baseline %s", other);
    cr_assert_eq(r.status, 0, "%s", r.err);
    cr_expect_eq(strncmp(r.out, line, strlen(line)), 0, "%s is not the beginning of %s", line, r.out);
    expect_in(r.out, "\nown thresholds ");
    expect_in(r.out, "\nequal share ");
    expect_in(r.out, "exact McNemar p = ");
    run_end(&r);
}

Test(eval_compare, nothing_differs_from_itself) {
    struct run r = run_program(folder, "eval --model %s --baseline %s" GUARDS, other, other);
    cr_assert_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "per 1,000 rows 0.0 go to the large guard that did not, 0.0 no longer do");
    expect_in(r.out, "AUPRC +0.0000 [+0.0000, +0.0000] (within noise)");
    expect_in(r.out, "exact McNemar p = 1\n");
    run_end(&r);
    r = run_program(folder, EVAL "--baseline " WEIGHTS);
    expect_in(r.err, "router_weights.safetensors has no threshold; 0.6 is used for it");
    run_end(&r);
}

/* ---- conditions ---- */

Test(eval_compare, conditions_decide_the_exit_status) {
    struct run r =
        run_program(folder, EVAL "--baseline %s --gate 'new.recall>=.7, delta.auprc.low>=-1'", other);
    cr_expect_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "gate           new.recall>=.7 is 0.7012987012987013: yes\n");
    run_end(&r);
    r = run_program(folder, EVAL "--gate 'recall>=.7' --gate 'precision>.5' --json");
    cr_expect_eq(r.status, 1);
    struct sr_json *o = parse(r.out);
    const struct sr_json *gate = sr_json_get(o, "gate"), *second = sr_json_at(gate, 1);
    cr_expect_eq(sr_json_size(gate), 2);
    cr_expect_str_eq(sr_json_as_string(sr_json_get(second, "condition")),
                     "precision>.5 is 0.4090909090909091: no");
    sr_json_free(o);
    expect_in(r.err, "gate           precision>.5 is 0.4090909090909091: no\n");
    expect_in(r.err, "1 of 2 conditions do");
    run_end(&r);
    expect_failure(run_program(folder, EVAL "--gate 'recall>0, new.equal_share.share>=0'"), 2,
                   "as --baseline");
    expect_failure(run_program(folder, EVAL "--gate 'delta.auprc>=0'"), 2, "give it as --baseline");
    r = run_program(folder, EVAL "--gate 'recal>=.7'");
    cr_expect_eq(r.status, 2);
    expect_in(r.err, "recall");
    run_end(&r);
}

/* ---- traffic, prices, prevalence ---- */

Test(eval_compare, traffic_is_scored_like_data) {
    struct run r = run_program(folder, EVAL "--traffic " VECTORS "/eval_guards.h5," VECTORS
                                            "/eval_bad_rows.h5 --small-ms 10 --large-ms 100");
    cr_assert_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, " of its 246 rows go to the large guard, of the labelled ones 55.00 %\n");
    expect_in(r.out, "latency        65 ms a row on average; small alone 10, large alone 100\n");
    expect_in(r.err, "2 of 246 rows of traffic cannot be scored");
    run_end(&r);
    r = run_program(folder, EVAL "--traffic " VECTORS "/eval_guards.h5");
    char line[128];
    const struct sr_interval ci = sr_wilson(132, 240);
    snprintf(line, sizeof line,
             "traffic        55.00 %% [%.2f %%, %.2f %%] of its 240 rows go to the large guard", 100 * ci.low,
             100 * ci.high);
    expect_in(r.out, line);
    run_end(&r);
    struct sr_json *o =
        eval_json("--model " WEIGHTS " --threshold .5 --traffic " VECTORS
                  "/eval_guards.h5 --small-cost 1 --large-cost 4 --missed-cost 10 --alarm-cost 2");
    cr_expect_eq(number(o, "traffic.share_routed"), number(o, "share_routed"));
    cr_expect_float_eq(number(o, "price"), 1 + .55 * 4, 1e-12); /* rounding */
    cr_expect_float_eq(number(o, "traffic.price"), 1 + .55 * 4, 1e-12);
    const double missed = number(o, "missed_routed") / 1000, wrong = 1 - number(o, "routed.accuracy");
    cr_expect_float_eq(number(o, "cost"), 1 + .55 * 4 + 10 * missed + 2 * (wrong - missed), 1e-12);
    cr_expect(sr_json_is_null(sr_json_get(o, "latency_ms")));
    sr_json_free(o);
}

/* A router that gives every row the same can send all or none; from half of them it is as far to either. */
Test(eval_compare, of_two_shares_as_near_the_lower_is_compared) {
    struct sr_safetensors *file;
    struct sr_tensor tensor[32];
    char half[300], same[300];
    snprintf(half, sizeof half, "%s/half.safetensors", folder);
    snprintf(same, sizeof same, "%s/same.safetensors", folder);
    struct run r = run_program(folder, "sweep --model " WEIGHTS GUARDS "--rule budget=0.5 --out %s", half);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    cr_assert_eq(sr_safetensors_open(&file, WEIGHTS, &err), 0, "%s", err.text);
    const size_t n = sr_safetensors_count(file);
    for (size_t i = 0; i < n; i++) {
        tensor[i] = *sr_safetensors_at(file, i);
        if (strcmp(tensor[i].name, "cls.12.weight") == 0)
            memset(tensor[i].data, 0, sr_tensor_items(&tensor[i]) * sizeof(float));
    }
    cr_assert_eq(sr_safetensors_write(same, tensor, n, NULL, 0, &err), 0, "%s", err.text);
    sr_safetensors_close(file);
    struct sr_json *o = eval_json("--model %s --threshold .5 --baseline %s", same, half);
    cr_expect_eq(number(o, "old.share_routed"), .5);
    cr_expect_eq(number(o, "equal_share.new.share_routed"), 0);
    sr_json_free(o);
}

/* A share of positives of 0 or 1 leaves nothing to correct. */
Test(eval_compare, a_share_that_is_none_is_refused) {
    static const char *const bad[] = {"1", "0", "nan", "-.2", "0.2x", ""};
    char path[300];
    struct sr_safetensors *from;
    cr_assert_eq(sr_safetensors_open(&from, WEIGHTS, &err), 0, "%s", err.text);
    snprintf(path, sizeof path, "%s/share.safetensors", folder);
    for (size_t i = 0; i < SR_COUNT(bad); i++) {
        const struct sr_pair share = {"train_share", bad[i]};
        cr_assert_eq(sr_safetensors_rewrite(path, from, &share, 1, &err), 0, "%s", err.text);
        struct run r = run_program(folder, "eval --model %s" GUARDS "--threshold .5", path);
        cr_expect_eq(r.status, 0, "without a prevalence it is not asked: %s", r.err);
        run_end(&r);
        expect_failure(run_program(folder, "eval --model %s" GUARDS "--threshold .5 --prevalence .1", path),
                       65, "train_share is ");
    }
    sr_safetensors_close(from);
}

/* Recall and the false alarm rate stay, the mixture of the classes is another. */
Test(eval_compare, prevalence_restates_precision) {
    struct sr_json *o = eval_json("--model " WEIGHTS " --threshold .5 --prevalence .05");
    const double recall = 54. / 77, fpr = 78. / 163, tp = .05 * recall, fp = .95 * fpr;
    cr_expect_float_eq(number(o, "prevalence.precision"), tp / (tp + fp), 1e-12); /* rounding */
    cr_expect_float_eq(number(o, "prevalence.share_routed"), tp + fp, 1e-12);
    cr_expect_float_eq(number(o, "prevalence.f1"), 2 * tp / (tp + fp + .05), 1e-12);
    cr_expect_eq(number(o, "prevalence_at"), .05);
    sr_json_free(o);
}

/* ---- slices ---- */

Test(eval_compare, slices_are_by_any_column) {
    struct run r = run_program(folder, EVAL "--source gold --full");
    cr_assert_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "\nworst gold     ");
    expect_in(r.out, "\ngold ");
    run_end(&r);
    r = run_program(folder, "data synth --rows 1500 --width 16 --out %s/many.h5", folder);
    run_end(&r);
    r = run_program(folder, "eval --model " WEIGHTS " --data %s/many.h5 --source group", folder);
    cr_expect_eq(r.status, 0, "%s", r.err);
    expect_in(r.err, "are too many to measure each (1000 at most)");
    run_end(&r);
}

Test(eval_compare, where_there_are_too_few_rows_nothing_is_worse) {
    struct sr_comparison c = {0};
    for (size_t f = 0; f < SR_FIGURES; f++)
        c.ci[f] = (struct sr_interval){-.2, .1};
    cr_expect_not(sr_comparison_is_worse(&c));
    c.ci[SR_FIGURE_F1].high = -.1;
    cr_expect(sr_comparison_is_worse(&c));
    c.old.too_few = true;
    cr_expect_not(sr_comparison_is_worse(&c));
}

/* A report or a table must never be written over what it is made of. */
Test(eval_compare, nothing_that_is_read_is_replaced) {
    char copy[300];
    snprintf(copy, sizeof copy, "%s/copy.h5", folder);
    cr_assert_eq(sr_file_copy(copy, VECTORS "/eval_guards.h5", (size_t)1 << 26, &err), 0, "%s", err.text);
    expect_failure(run_program(folder, "eval --model %s" GUARDS "--report %s", other, other), 2, "--model");
    expect_failure(run_program(folder, EVAL "--baseline %s --report %s", other, other), 2, "--baseline");
    expect_failure(run_program(folder, EVAL "--traffic '%s/*.h5' --report %s", folder, copy), 2, "--traffic");
    expect_failure(run_program(folder, "eval --model " WEIGHTS " --data %s --report %s", copy, copy), 2,
                   "copy.h5 is a file of --data");
}

/* The make of features, for the second router and for traffic as for the first ones. */
Test(eval_compare, contracts_are_compared) {
    struct sr_safetensors *file;
    const struct sr_pair make = {"feature_model", "another guard"};
    cr_assert_eq(sr_safetensors_open(&file, other, &err), 0, "%s", err.text);
    cr_assert_eq(sr_safetensors_rewrite(other, file, &make, 1, &err), 0, "%s", err.text);
    sr_safetensors_close(file);
    struct run r = run_program(folder, EVAL "--baseline %s", other);
    expect_in(r.err,
              "feature_model is \"guard-a\" in the dump, but \"another guard\" in the weights of --baseline");
    run_end(&r);
    r = run_program(folder, "eval --model %s" GUARDS "--traffic " VECTORS "/eval_guards.h5", other);
    expect_in(r.err, "feature_model is \"guard-a\" in the dump, but \"another guard\" in the weights\n");
    expect_in(r.err, "feature_model is \"guard-a\" in the traffic, but \"another guard\" in the weights\n");
    run_end(&r);
}

Test(eval_compare, rows_that_made_the_baseline_are_said) {
    struct run r =
        run_program(folder, "sweep --model " WEIGHTS GUARDS "--rule f1 --out %s/seen.safetensors", folder);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    r = run_program(folder, EVAL "--baseline %s/seen.safetensors --json", folder);
    expect_in(
        r.err,
        "were used to choose the threshold or the calibration of the weights of --baseline: the old router");
    struct sr_json *o = parse(r.out);
    cr_expect_eq(number(o, "old_used.calibrated.rows"), 240);
    cr_expect(sr_json_is_null(sr_json_get(sr_json_get(o, "used"), "calibrated")));
    sr_json_free(o);
    run_end(&r);
}

Test(eval_compare, refusals) {
    expect_failure(run_program(folder, "eval" GUARDS "--scores a.csv --baseline %s", other), 2, "--baseline");
    expect_failure(run_program(folder, EVAL "--scores a.csv --baseline %s", other), 2, "--scores");
    expect_failure(run_program(folder, EVAL "--gate recall --report %s/r.html", folder), 2,
                   "compares nothing");
    expect_failure(run_program(folder, EVAL "--gate 'recal>.5' --report %s/r.html", folder), 2, "recall");
    snprintf(other, sizeof other, "%s/r.html", folder);
    cr_expect_neq(access(other, F_OK), 0, "found before anything is written");
    expect_failure(run_program(folder, EVAL "--small-ms 3"), 2, "--small-ms and --large-ms");
    expect_failure(run_program(folder, EVAL "--prevalence 0"), 2, "above 0 and below 1");
    expect_failure(run_program(folder, EVAL "--run %s", folder), 2, "--report or --json");
    expect_failure(run_program(folder, EVAL "--baseline %s/none", folder), 66, "none");
    expect_failure(run_program(folder, EVAL "--traffic %s/none.h5", folder), 66, "none.h5");
    expect_failure(run_program(folder, EVAL "--report %s/none/r.html", folder), 74, "none");
}
