/* test_eval_sweep_command.c: `saferoute sweep` as a user runs it: what it prints, writes and refuses, and
 * that a router that was written decides as was said.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_program.h"

#include <math.h>

#include "infer/infer.h"

#define VECTORS SR_SOURCE_DIR "/tests/vectors"
#define WEIGHTS VECTORS "/router_weights.safetensors"
#define MODEL   "--model " WEIGHTS
#define GUARDS  " --data " VECTORS "/eval_guards.h5 "
#define BAD     " --data " VECTORS "/eval_bad_rows.h5 "
#define SWEEP   "sweep " MODEL GUARDS

static char *folder, path[300];
static struct sr_error err;

static void begin(void) {
    folder = folder_begin();
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
}

static void end(void) {
    folder_end(folder);
}

TestSuite(sweep_command, .init = begin, .fini = end);

/* ---- on screen ---- */

Test(sweep_command, without_a_rule_it_shows_what_can_be_had) {
    struct run r = run_program(folder, SWEEP);
    cr_assert_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "rows           240 labelled, 77 positive; ");
    expect_in(r.out, "\nrule             threshold     routed   precision ");
    expect_in(r.out, "\nf1  ");
    expect_in(r.out, "\nsystem-f1  ");
    expect_in(r.out, "\nbudget=0.05 ");
    cr_expect_null(strstr(r.out, "latency"), "nothing is known of it: %s", r.out);
    run_end(&r);
}

Test(sweep_command, one_rule_puts_its_threshold_first) {
    struct run r = run_program(folder, SWEEP " --rule budget=0.1 --small-ms 10 --large-ms 100 --small-cost 1 "
                                             "--large-cost 10 --missed-cost 100 --alarm-cost 20");
    cr_assert_eq(r.status, 0, "%s", r.err);
    cr_expect(strncmp(r.out, "threshold      0.", 17) == 0 && strstr(r.out, "  (rule budget=0.1)\n"), "%s",
              r.out);
    expect_in(r.out, "10.00 %"); /* 24 of 240 rows with distinct scores */
    expect_in(r.out, "  latency ms     price      cost\n");
    expect_in(r.out, "          20         2  "); /* 10 + .1 * 100, 1 + .1 * 10 */
    expect_in(r.out, "nothing is stored without --out\n");
    run_end(&r);
    r = run_program(folder, SWEEP " --rule budget=0.9,budget=0.02,budget=0 --small-cost 1 --large-cost 10");
    expect_in(r.out, "  costs no less than large for all\n"); /* 1 + .9 * 10 */
    expect_in(r.out, "  too few rows routed to tell\n");
    expect_in(r.out, "  routes no scored row: the small guard alone\n");
    run_end(&r);
    r = run_program(folder, SWEEP " --threshold .5");
    cr_expect(strncmp(r.out, "threshold      0.5  (given by --threshold)\n", 43) == 0, "%s", r.out);
    expect_in(r.out, "0.4091 ["); /* precision, as test_eval_command has it */
    expect_in(r.out, " 55.00 %");
    run_end(&r);
}

Test(sweep_command, no_valid_threshold_is_an_answer) {
    struct run r = run_program(folder, SWEEP " --rule risk=0.01 --out %s", path);
    cr_expect_eq(r.status, 1);
    expect_in(r.out, "risk=0.01        no threshold is valid: 77 positive rows are too few");
    expect_in(r.err, "rule risk=0.01: no threshold is valid");
    cr_expect_neq(access(path, F_OK), 0, "nothing is written");
    run_end(&r);
    r = run_program(folder, SWEEP " --rule f1 --rule risk=0.01");
    cr_expect_eq(r.status, 1, "one of two has none");
    expect_in(r.out, "\nf1               0.");
    run_end(&r);
}

/* ---- JSON and CSV ---- */

/* The same numbers as eval's at that threshold. */
Test(sweep_command, json_agrees_with_eval) {
    static const char *const keys[] = {"tp", "fp", "tn", "fn", "precision", "recall", "f1", "share_routed"};
    struct run r = run_program(folder, SWEEP " --rule f1 --rule risk=0.01 --json");
    cr_assert_eq(r.status, 1, "%s", r.err);
    struct sr_json *o = parse(r.out);
    const struct sr_json *c = sr_json_at(sr_json_get(o, "choices"), 0),
                         *none = sr_json_at(sr_json_get(o, "choices"), 1);
    struct run e =
        run_program(folder, "eval " MODEL GUARDS "--json --threshold %.17g", number(c, "threshold"));
    cr_assert_eq(e.status, 0, "%s", e.err);
    struct sr_json *want = parse(e.out);
    for (size_t k = 0; k < SR_COUNT(keys); k++)
        cr_expect_eq(number(c, keys[k]), number(want, keys[k]), "%s", keys[k]);
    cr_expect_eq(number(c, "safety_f1"), number(sr_json_get(want, "routed"), "f1"));
    for (size_t k = 0; k < 2; k++) {
        double a = (double)NAN, b = (double)NAN;
        sr_json_as_number(sr_json_at(sr_json_get(c, "recall_ci"), k), &a);
        sr_json_as_number(sr_json_at(sr_json_get(want, "recall_ci"), k), &b);
        cr_expect_eq(a, b, "Wilson's, as there are no groups");
    }
    cr_expect(sr_json_is_null(sr_json_get(none, "threshold")));
    expect_in(sr_json_as_string(sr_json_get(none, "why_not")), "no threshold is valid");
    const struct sr_json *sweep = sr_json_get(o, "sweep");
    const size_t n = sr_json_size(sr_json_get(sweep, "threshold"));
    cr_expect_eq(n, 241, "0 and every distinct score");
    cr_expect_eq(sr_json_size(sr_json_get(sweep, "safety_fn")), n);
    cr_expect(sr_json_is_null(sr_json_get(c, "latency_ms")), "no prices are known");
    sr_json_free(want);
    sr_json_free(o);
    run_end(&e);
    run_end(&r);
}

Test(sweep_command, csv_has_a_line_for_every_score) {
    struct run r = run_program(folder, SWEEP " --csv %s/s.csv", folder);
    cr_assert_eq(r.status, 0, "%s", r.err);
    snprintf(path, sizeof path, "%s/s.csv", folder);
    char *text = slurp(path), *line = text;
    const char *header =
        "threshold,routed,tp,fp,tn,fn,safety_routed,safety_tp,safety_fp,safety_tn,safety_fn,share_routed,"
        "precision,recall,f1,safety_precision,safety_recall,safety_f1,latency_ms,price,cost\n";
    cr_assert_eq(strncmp(text, header, strlen(header)), 0, "%s", text);
    size_t lines = 0;
    for (; (line = strchr(line, '\n')); line++)
        lines++;
    cr_expect_eq(lines, 242);
    expect_in(text, "\n0,240,77,163,0,0,");
    cr_expect_str_eq(strrchr(text, ',') - 2, ",,,\n", "no prices");
    const char *last = text + strlen(text) - 1;
    while (last > text && last[-1] != '\n')
        last--;
    expect_in(last, ",0,0,0,163,77,"); /* routes nothing: precision is undefined, and empty */
    expect_in(last, ",0,,0,0,");
    sr_free(text);
    run_end(&r);
}

/* Scores of other weights would choose a threshold for the wrong router. */
Test(sweep_command, scores_must_be_those_of_the_weights) {
    struct run r = run_program(folder, "infer " MODEL GUARDS "--out %s/s.csv", folder);
    run_end(&r);
    snprintf(path, sizeof path, "%s/s.csv", folder);
    char *text = slurp(path), *decimal = strchr(text, '\n');
    r = run_program(folder, SWEEP "--scores %s", path);
    cr_expect_eq(r.status, 0, "%s", r.err);
    expect_in(r.err, "whether the weights were made with these rows is not known");
    run_end(&r);
    for (int comma = 0; comma < 3; comma++) /* the prob of row 0 */
        decimal = strchr(decimal + 1, ',');
    decimal = strchr(decimal, '.') + 2;
    *decimal = *decimal == '5' ? '6' : '5';
    cr_assert_eq(sr_atomic_file_write(path, text, strlen(text), &err), 0, "%s", err.text);
    expect_failure(run_program(folder, SWEEP "--scores %s", path), 65, "row 0 has prob 0.");
    sr_free(text);
}

Test(sweep_command, scores_will_do) {
    struct run r = run_program(folder, "infer " MODEL GUARDS "--out %s/s.h5", folder);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    r = run_program(folder, SWEEP);
    struct run s = run_program(folder, "sweep --scores %s/s.h5" GUARDS, folder);
    cr_assert_eq(s.status, 0, "%s", s.err);
    cr_expect_str_eq(s.out, r.out);
    run_end(&r);
    run_end(&s);
    expect_failure(run_program(folder, "sweep --scores %s/s.h5" GUARDS "--rule f1 --out %s", folder, path), 2,
                   "--out needs the weights");
}

/* ---- the router ---- */

/* A metadata value, or "" where there is none; free with free. */
static char *metadata(const char *file, const char *key) {
    struct sr_safetensors *s;
    cr_assert_eq(sr_safetensors_open(&s, file, &err), 0, "%s", err.text);
    const char *value = sr_safetensors_metadata(s, key);
    char *copy = strdup(value ? value : "");
    sr_safetensors_close(s);
    return copy;
}

static void expect_metadata(const char *file, const char *key, const char *want) {
    char *value = metadata(file, key);
    cr_expect_str_eq(value, want, "%s", key);
    free(value);
}

static char *tensors_hash(const char *file) {
    struct sr_safetensors *s;
    cr_assert_eq(sr_safetensors_open(&s, file, &err), 0, "%s", err.text);
    char *hash = strdup(sr_safetensors_hash(s));
    sr_safetensors_close(s);
    return hash;
}

Test(sweep_command, a_router_is_the_weights_with_a_threshold) {
    char *before = slurp(WEIGHTS), *then = tensors_hash(WEIGHTS);
    struct run r = run_program(folder, SWEEP " --rule recall=0.8 --json --out %s", path);
    cr_assert_eq(r.status, 0, "%s", r.err);
    struct sr_json *o = parse(r.out), *stored;
    const struct sr_json *c = sr_json_at(sr_json_get(o, "choices"), 0);
    char *after = slurp(WEIGHTS), *now = tensors_hash(path), *metrics = metadata(path, "threshold_metrics");
    cr_expect_str_eq(now, then, "a hash over the tensors alone tells that they are the same");
    cr_expect_str_eq(after, before, "the weights themselves stay as they are");
    expect_metadata(path, "threshold_rule", "recall=0.8");
    stored = parse(metrics);
    cr_expect_eq(number(stored, "recall"), number(c, "recall"));
    cr_expect_eq(number(stored, "threshold"), number(c, "threshold"));
    cr_expect_eq(sr_json_size(sr_json_get(stored, "auprc_ci")), 2, "as eval measures it");
    struct sr_router *router;
    float threshold = 0;
    cr_assert_eq(sr_router_open(&router, path, &err), 0, "%s", err.text);
    cr_expect(sr_router_threshold(router, &threshold));
    cr_expect_eq(threshold, (float)number(c, "threshold"));
    sr_router_close(router);
    run_end(&r);

    r = run_program(folder, "eval --model %s" GUARDS "--json", path);
    struct sr_json *e = parse(r.out);
    cr_expect_eq(number(e, "recall"), number(c, "recall"), "what was promised is what it does");
    cr_expect_eq(number(e, "rows_routed"), number(c, "routed"));
    expect_in(r.err, "stored in the weights, rule recall=0.8");
    cr_expect(strstr(r.err, "used to choose the threshold or the calibration of the weights"), "%s", r.err);
    run_end(&r);
    sr_json_free(o);
    sr_json_free(e);
    sr_json_free(stored);
    sr_free(before);
    sr_free(after);
    free(then);
    free(now);
    free(metrics);
}

/* Of many at once one gets the name, and the others leave nothing. */
Test(sweep_command, a_name_is_taken_once) {
    char command[2048];
    snprintf(command, sizeof command,
             "for i in 1 2 3 4 5 6; do ('%s' " SWEEP " --rule budget=0.$i --out %s >/dev/null 2>&1; echo $? "
             ">>%s/status) & done; wait",
             SR_PROGRAM, path, folder);
    cr_assert_eq(system(command), 0);
    snprintf(command, sizeof command, "%s/status", folder);
    char *text = slurp(command);
    size_t written = 0, refused = 0;
    for (const char *c = text; *c; c++) {
        written += *c == '0';
        refused += *c == '2';
    }
    cr_expect(written == 1 && refused == 5, "%s", text);
    sr_free(text);
    snprintf(command, sizeof command, "test $(ls %s | wc -l) -eq 2", folder);
    cr_expect_eq(system(command), 0, "the router and the list, and no temporary file");
    char *rule = metadata(path, "threshold_rule");
    cr_expect_eq(strncmp(rule, "budget=0.", 9), 0);
    free(rule);
}

/* A new threshold takes nothing over from the one before but what it does not replace. */
Test(sweep_command, thresholds_and_calibrations_are_replaced_one_by_one) {
    char second[300];
    snprintf(second, sizeof second, "%s/second.safetensors", folder);
    struct run r = run_program(folder,
                               SWEEP " --calibrate temperature --rule budget=0.2 --traffic " VECTORS
                                     "/eval_guards.h5 --out %s",
                               path);
    cr_assert_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "traffic        240 rows; budgets are chosen on them");
    expect_in(r.out, "calibration by temperature");
    run_end(&r);
    char *traffic = metadata(path, "threshold_traffic"), *calibration = metadata(path, "calibration");
    cr_expect_eq(strlen(traffic), 64);
    expect_in(calibration, "{\"method\":\"temperature\",\"temperature\":");
    r = run_program(folder, "sweep --model %s" GUARDS "--threshold 0.7 --out %s", path, second);
    cr_assert_eq(r.status, 0, "%s", r.err);
    expect_metadata(second, "threshold", "0.7");
    expect_metadata(second, "threshold_rule", "given");
    expect_metadata(second, "threshold_traffic", "");
    expect_metadata(second, "calibration", calibration);
    run_end(&r);
    free(traffic);
    free(calibration);
}

/* Isotonic calibration gives the rows it was fitted to the share of positives among those of one value, so
 * nothing is left to correct: 1e-12 is the rounding of 240 terms. eval finds the same of the same rows. */
Test(sweep_command, what_a_calibration_is_worth_is_what_eval_finds) {
    static const char *const scores[] = {"brier", "log_loss", "ece", "ece_mass"};
    struct run r = run_program(folder, SWEEP " --calibrate isotonic --json --out %s", path);
    cr_assert_eq(r.status, 0, "%s", r.err);
    struct sr_json *said = parse(r.out);
    run_end(&r);
    r = run_program(folder, "eval --model %s" GUARDS "--threshold 0.5 --json", path);
    cr_assert_eq(r.status, 0, "%s", r.err);
    struct sr_json *found = parse(r.out);
    cr_expect_gt(number(said, "calibration.before.ece"), .1);
    cr_expect_lt(number(said, "calibration.after.ece"), 1e-12);
    for (size_t s = 0; s < SR_COUNT(scores); s++) {
        char key[64];
        snprintf(key, sizeof key, "calibration.before.%s", scores[s]);
        const double before = number(said, key);
        snprintf(key, sizeof key, "calibration.after.%s", scores[s]);
        const double after = number(said, key);
        cr_expect_lt(after, before, "%s", scores[s]);
        snprintf(key, sizeof key, "calibrated.%s", scores[s]);
        cr_expect_eq(number(found, key), after, "%s", scores[s]);
        snprintf(key, sizeof key, "%s_ci", scores[s]);
        cr_expect_eq(sr_json_size(sr_json_get(sr_json_get(found, "calibrated"), key)), 2, "%s", key);
    }
    sr_json_free(said);
    sr_json_free(found);
    run_end(&r);
}

/* Calibration adds a number and moves no decision. */
Test(sweep_command, calibration_moves_no_decision) {
    static const char *const kinds[] = {"temperature", "isotonic"};
    struct run plain = run_program(folder, "infer " MODEL GUARDS);
    for (size_t k = 0; k < SR_COUNT(kinds); k++) {
        snprintf(path, sizeof path, "%s/%s.safetensors", folder, kinds[k]);
        struct run r = run_program(folder, SWEEP " --calibrate %s --out %s", kinds[k], path);
        cr_assert_eq(r.status, 0, "%s", r.err);
        run_end(&r);
        expect_metadata(path, "threshold", "");
        r = run_program(folder, "infer --model %s" GUARDS, path);
        const char *a = strchr(plain.out, '\n'), *b = strchr(r.out, '\n');
        expect_in(r.out, ",reason,calibrated\n");
        while (a[1] && b[1]) { /* every line is the same up to the added column */
            const size_t n = strcspn(a + 1, "\n");
            cr_assert_eq(strncmp(a + 1, b + 1, n), 0, "%.80s against %.80s", a, b);
            cr_assert_eq(b[1 + n], ',');
            a = strchr(a + 1, '\n');
            b = strchr(b + 1, '\n');
        }
        cr_expect_eq(a[1], b[1], "as many lines");
        run_end(&r);
    }
    run_end(&plain);
}

/* ---- bad rows ---- */

Test(sweep_command, rows_without_a_score_are_routed_at_any_threshold) {
    expect_failure(run_program(folder, "sweep " MODEL BAD), 65, "eval_bad_rows.h5: row 2 ");
    struct run r = run_program(folder, "sweep " MODEL BAD "--on-bad-row=skip --rule budget=0.1");
    cr_expect_eq(r.status, 1);
    expect_in(r.err, "33.33 % of the rows cannot be scored and are routed at any");
    run_end(&r);
}

/* Scores of no row at all, even. */
Test(sweep_command, rows_without_any_score_are_compared_with_nothing) {
    snprintf(path, sizeof path, "%s/none.csv", folder);
    const char *none = "row,prob\n0,\n1,\n2,\n3,\n4,\n5,\n";
    cr_assert_eq(sr_atomic_file_write(path, none, strlen(none), &err), 0);
    struct run r =
        run_program(folder, "sweep " MODEL BAD "--scores %s --on-bad-row skip --rule budget=1", path);
    cr_expect_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "  routes no scored row: the small guard alone");
    run_end(&r);
}

/* A tenth of the traffic is to the row; the labelled rows score otherwise, and what is routed of them
 * follows. */
Test(sweep_command, a_budget_is_spent_on_the_traffic) {
    struct run r = run_program(folder, "data synth --rows 500 --width 16 --out %s/t.h5", folder);
    run_end(&r);
    r = run_program(folder, SWEEP "--traffic %s/t.h5 --rule budget=0.1 --json", folder);
    cr_assert_eq(r.status, 0, "%s", r.err);
    struct sr_json *o = parse(r.out);
    const struct sr_json *choice = sr_json_at(sr_json_get(o, "choices"), 0);
    cr_expect_eq(number(choice, "traffic_share_routed"), .1);
    cr_expect_gt(fabs(number(choice, "share_routed") - .1), .02, "%g", number(choice, "share_routed"));
    sr_json_free(o);
    run_end(&r);
}

/* Of rows made here some are twins; those of the vectors have no groups. */
Test(sweep_command, a_risk_on_twins_is_warned_of) {
    struct run r = run_program(folder, "data synth --rows 500 --width 16 --out %s/t.h5", folder);
    run_end(&r);
    r = run_program(folder, "sweep " MODEL " --data %s/t.h5 --rule risk=0.9@0.5", folder);
    expect_in(r.err, "rule risk=0.9@0.5 takes rows as independent, but the 500 rows are of 4");
    run_end(&r);
    r = run_program(folder, "sweep " MODEL " --data %s/t.h5 --rule f1", folder);
    cr_expect_null(strstr(r.err, "independent"), "%s", r.err);
    run_end(&r);
    r = run_program(folder, SWEEP "--rule risk=0.9@0.5");
    cr_expect_null(strstr(r.err, "independent"), "%s", r.err);
    run_end(&r);
}

/* A remark is of what stands in its line: of the traffic, where there is some. */
Test(sweep_command, remarks_are_of_the_traffic) {
    struct run r = run_program(folder, "data synth --rows 500 --width 16 --out %s/t.h5", folder);
    run_end(&r);
    r = run_program(folder, SWEEP "--traffic %s/t.h5 --rule budget=0.1 --small-cost 1 --large-cost 1.2",
                    folder);
    cr_assert_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "  10.00 %  ");
    cr_expect_null(strstr(r.out, "costs no less"), "1 + .1 * 1.2 is less than 1.2: %s", r.out);
    run_end(&r);
}

Test(sweep_command, refusals) {
    char to[300];
    expect_failure(run_program(folder, "sweep" GUARDS), 2, "--model");
    expect_failure(run_program(folder, "sweep " MODEL), 2, "--data");
    expect_failure(run_program(folder, SWEEP " --rule f3"), 2, "did you mean f1?");
    expect_failure(run_program(folder, SWEEP " --rule ''"), 2, "no rule is called ''");
    expect_failure(run_program(folder, SWEEP " --rule f1 --threshold .5"), 2, "give one of them");
    expect_failure(run_program(folder, SWEEP " --rule f1,recall=.8 --out %s", path), 2, "give one --rule");
    expect_failure(run_program(folder, SWEEP " --out %s", path), 2, "nothing to write");
    expect_failure(run_program(folder, SWEEP " --rule cost"), 2, "--missed-cost");
    expect_failure(run_program(folder, SWEEP " --large-cost 2"), 2, "--small-cost and --large-cost");
    expect_failure(run_program(folder, SWEEP " --missed-cost 2 --alarm-cost 1"), 2, "give --small-cost");
    expect_failure(run_program(folder, SWEEP " --router-ms 2"), 2, "--small-ms and --large-ms");
    expect_failure(run_program(folder, SWEEP " --rule f1 --out %s --csv %s", path, path), 2, "the same file");
    expect_failure(run_program(folder, SWEEP " --rule f1 --out " WEIGHTS), 2, "never overwritten");
    expect_failure(run_program(folder, SWEEP " --rule f1 --out %s/none/w", folder), 74, "none");
    expect_failure(run_program(folder, SWEEP " --csv %s/none/w.csv", folder), 74, "none");
    snprintf(to, sizeof to, "%s/copy.h5", folder);
    cr_assert_eq(sr_file_copy(to, VECTORS "/eval_guards.h5", (size_t)1 << 26, &err), 0, "%s", err.text);
    expect_failure(run_program(folder, SWEEP "--traffic %s --csv %s", to, to), 2, "is a file of --traffic");
    expect_failure(run_program(folder, "sweep " MODEL " --data '%s/c*.h5' --csv %s", folder, to), 2,
                   "is a file of --data, which it would destroy");
}

/* Rules, threads and where features are kept change nothing but what was asked for. */
Test(sweep_command, threads_change_nothing) {
    static const char *const how[] = {"--threads 1", "--threads 5", "--memory 1G"};
    char *first = NULL;
    for (size_t i = 0; i < SR_COUNT(how); i++) {
        struct run r = run_program(folder, SWEEP " --calibrate isotonic --json %s", how[i]);
        cr_assert_eq(r.status, 0, "%s", r.err);
        first = first ? first : strdup(r.out);
        cr_expect_str_eq(r.out, first, "%s", how[i]);
        run_end(&r);
    }
    free(first);
}

Test(sweep_command, help_names_every_rule) {
    static const char *const rules[] = {
#define SR_RULE(name, example, help, kind) "\n  " example "\n",
#include "eval/rules.def"
#undef SR_RULE
    };
    struct run r = run_program(folder, "sweep --help");
    cr_expect_eq(r.status, 0);
    for (size_t i = 0; i < SR_COUNT(rules); i++)
        expect_in(r.out, rules[i]);
    run_end(&r);
}
