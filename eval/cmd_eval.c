/* cmd_eval.c: `saferoute eval`: a router measured on a labelled dump.
 *
 * Two questions: does the router find the rows it should (against the labels), and how safe are the two
 * guards with it in between (against gold)? The second is answered where the dump has gold and both guards'
 * verdicts. Everything measured is one tree of JSON, which is printed, drawn by the report and checked by the
 * gate; people get the part of it that decides. Numbers come from eval.h, scores from the code that ships.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "eval/cmd_eval.h"
#include "eval/cmd_rows.h"

static const struct sr_option table[] = {
    SR_SCORE_OPTIONS(struct sr_eval_options, score),
    SR_THRESHOLD_OPTION(struct sr_eval_options, score),
    SR_SCORES_OPTION(struct sr_eval_options, score),
    {"baseline", SR_OPTION_TEXT, offsetof(struct sr_eval_options, baseline), .metavar = "OLD",
     .help = "weights to compare with on the same rows, at the threshold of each and at equal share"},
    {"gate", SR_OPTION_TEXT, offsetof(struct sr_eval_options, gate), .metavar = "CONDITIONS", .repeats = true,
     .help = "numbers of --json that must hold, else status 1: 'new.recall>=0.75, delta.auprc.low>=-0.005'"},
    {"report", SR_OPTION_TEXT, offsetof(struct sr_eval_options, report), .metavar = "F.html", .output = true,
     .help = "write all of it as one page for a browser, with curves and a threshold to move"},
    {"run", SR_OPTION_TEXT, offsetof(struct sr_eval_options, run), .metavar = "RUN",
     .help = "run folder whose training curves go into the report"},
    {"traffic", SR_OPTION_TEXT, offsetof(struct sr_eval_options, traffic), .metavar = "PROD.h5",
     .help = "unlabelled dump of what is served: share routed, latency and price there"},
    {"prevalence", SR_OPTION_REAL, offsetof(struct sr_eval_options, prevalence), .max = 1, .metavar = "P",
     .help = "restate for this share of positive rows, above 0 and below 1: that of what is served"},
    SR_PRICE_OPTIONS(struct sr_eval_options, prices),
    {"headroom", SR_OPTION_SWITCH, offsetof(struct sr_eval_options, headroom),
     .help = "no model: what routing between these two guards can win and lose, and whether to route"},
    SR_DATA_FEATURE_OPTIONS(struct sr_eval_options, how),
    SR_DATA_LABEL_OPTIONS(struct sr_eval_options, how),
    {"full", SR_OPTION_SWITCH, offsetof(struct sr_eval_options, full),
     .help = "also the counts behind it, calibration, and every /source"},
    {"json", SR_OPTION_SWITCH, offsetof(struct sr_eval_options, json),
     .help = "print all of it as one JSON object"},
    SR_BAD_ROW_OPTION(struct sr_eval_options, on_bad_row),
};

static const struct sr_command command = {
    .name = "eval",
    .usage =
        "usage: saferoute eval --model W --data D.h5[,E.h5] [--threshold T] [--full | --json] [--report "
        "F.html] [--gate C]\n"
        "       saferoute eval --model NEW --baseline OLD --data D.h5 [--gate CONDITIONS]\n"
        "       saferoute eval --data D.h5[,E.h5] --headroom [--json]\n"
        "\n"
        "Measures a router on a labelled feature dump: how well it finds the rows that the small guard "
        "gets wrong\n"
        "and the large guard right, and, where the dump has /gold and both guards' verdicts, how safe "
        "the two\n"
        "guards are together, beside the small guard's entropy and random routing at the same share. [a, b] "
        "is a\n"
        "95 % interval: Wilson's for proportions, else by 2,000 resamples of the rows (of whole groups where "
        "there\n"
        "is a /group). Rows whose label is unknown (-1) are left out where the label is needed, and counted; "
        "gold\n"
        "and verdicts likewise. A quotient 0/0 is printed as \"undefined\" (null in JSON). Slices are by "
        "/source;\n"
        "--source NAME takes another dataset.\n"
        "\n"
        "--headroom asks before there is a router whether to have one: where only the large guard is right "
        "a\n"
        "router can win, where only the small one is right it can do harm. What follows is route, always "
        "small,\n"
        "always large, or too few rows to tell; costs of guards and errors decide where they are given. No\n"
        "features are read.\n",
    .notes = "examples:\n"
             "  saferoute eval --model run/best.safetensors --data test.h5\n"
             "  saferoute eval --model best.safetensors --data test.h5 --threshold .7 --json | jq .recall\n"
             "  saferoute eval --model new.safetensors --baseline old.safetensors --data test.h5 \\\n"
             "      --gate 'delta.auprc.low>=-0.005, new.recall>=0.75, new.worst-slice.f1>=0.5'\n"
             "  saferoute eval --headroom --data test.h5 --small-cost 1 --large-cost 5\n"
             "\n"
             "exit status: 0 done, 1 a condition of --gate does not hold, 2 usage, 65 bad data or weights,\n"
             "66 no such file, 71 out of memory, 74 I/O error\n",
    .table = table,
    .count = SR_COUNT(table),
};

/* Checks the gate and adds "gate" to the evaluation that it was checked on: its conditions, or null. */
static int gate_check(struct sr_eval_result *r, struct sr_error *err) {
    struct sr_json *list = r->options->gate ? sr_json_array() : sr_json_null();
    int status = 0;
    if (r->options->gate)
        status = sr_gate_check(r->gate, &r->conditions, r->options->gate, r->evaluation, err);
    for (size_t i = 0; i < r->conditions; i++) {
        struct sr_json *one = sr_json_object();
        sr_json_set(one, "condition", sr_json_string(r->gate[i].text));
        sr_json_set(one, "holds", sr_json_bool(r->gate[i].holds));
        sr_json_append(list, one);
    }
    sr_json_set(r->evaluation, "gate", list);
    return status;
}

/* Where results go to stdout as JSON, the gate speaks on stderr. */
static void gate_print(const struct sr_eval_result *r) {
    FILE *to = r->options->json ? stderr : stdout;
    for (size_t i = 0; i < r->conditions; i++)
        fprintf(to, "gate           %s\n", r->gate[i].text);
}

static int say(struct sr_eval_result *r, struct sr_error *err) {
    const struct sr_eval_options *o = r->options;
    struct sr_error why;
    int status = sr_eval_json(r, err);
    const int verdict = status == 0 ? gate_check(r, err) : status;
    if (verdict < 0 && verdict != SR_NO)
        return verdict;
    if (o->report)
        status = sr_report_write(o->report, r->evaluation, &why);
    if (status == 0 && o->json) {
        sr_log_info("threshold %s: %s", r->scoring->threshold_text, r->scoring->threshold_origin);
        status = sr_json_print(r->evaluation, 2, &why);
    } else if (status == 0)
        sr_eval_print(r);
    if (status < 0) {
        *err = why;
        return status;
    }
    gate_print(r);
    return verdict;
}

static int run(const struct sr_eval_options *o, bool threshold_given, struct sr_error *err) {
    char metrics[4096];
    snprintf(metrics, sizeof metrics, "%s/metrics.jsonl", o->run ? o->run : "");
    const struct sr_input inputs[] = {
        {"run", o->run ? metrics : NULL, false}, {"model", o->score.model, false},
        {"baseline", o->baseline, false},        {"scores", o->score.scores, false},
        {"data", o->score.data, true},           {"traffic", o->traffic, true}};
    struct sr_scoring s = {0};
    struct sr_eval_result r = {0};
    int status = sr_inputs_spare(inputs, SR_COUNT(inputs), "report", o->report, err);
    if (status == 0)
        status = sr_scoring_open(&s, &o->score, &o->how, threshold_given, err);
    if (status == 0)
        status = sr_scoring_run(&s, err);
    if (status == 0)
        status = sr_rows_check(&s, o->on_bad_row, err);
    if (status == 0)
        status = sr_eval_measure(&r, o, &s, err);
    if (status == 0)
        status = say(&r, err);
    sr_eval_free(&r);
    sr_scoring_close(&s);
    return status;
}

/* Options that say something about a router. */
static int check_headroom(const struct sr_options *given, struct sr_error *err) {
    static const char *const of_router[] = {"model",      "scores", "threshold",  "baseline",
                                            "gate",       "report", "run",        "traffic",
                                            "prevalence", "full",   "on_bad_row", "memory"};
    for (size_t i = 0; i < SR_COUNT(of_router); i++)
        if (sr_options_given(given, of_router[i]))
            return sr_fail(err, SR_USAGE,
                           "--headroom needs no router, so --%s has no part in it; leave one of them out",
                           of_router[i]);
    return 0;
}

/* True if a condition is on what there is only beside another router. */
static bool asks_for_difference(const char *gate) {
    static const char *const keys[] = {"delta.",   "old.",         "old_used.",    "old-used.",
                                       "changed.", "equal_share.", "equal-share.", "regressions."};
    for (const char *at = gate; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        at += strspn(at, " \t\n");
        at += strncmp(at, "new.", 4) == 0 ? 4 : 0;
        for (size_t i = 0; i < SR_COUNT(keys); i++)
            if (strncmp(at, keys[i], strlen(keys[i])) == 0)
                return true;
    }
    return false;
}

/* What only makes sense with something else. */
static int check_options(struct sr_eval_options *o, const struct sr_options *given, struct sr_error *err) {
    if (o->headroom)
        return check_headroom(given, err);
    if (!sr_options_given(given, "prevalence"))
        o->prevalence = (double)NAN;
    else if (o->prevalence <= 0 || o->prevalence >= 1)
        return sr_fail(err, SR_USAGE,
                       "--prevalence is a share of positive rows above 0 and below 1, e.g. .05");
    if (sr_prices_check(&o->prices, true, err) < 0)
        return SR_USAGE;
    if (o->gate && sr_gate_check(NULL, NULL, o->gate, NULL, err) < 0)
        return SR_USAGE;
    if (o->gate && !o->baseline && asks_for_difference(o->gate))
        return sr_fail(err, SR_USAGE,
                       "--gate asks for a difference from another router; give it as --baseline");
    if (o->baseline && !o->score.model)
        return sr_fail(err, SR_USAGE, "--baseline compares with a new --model; give both");
    if (o->baseline && o->score.scores)
        return sr_fail(err, SR_USAGE,
                       "--baseline scores the data itself, so --scores cannot stand in for it");
    if (o->traffic && !o->score.model)
        return sr_fail(err, SR_USAGE, "--traffic is scored with --model; give the weights");
    if (o->run && !o->report && !o->json)
        return sr_fail(err, SR_USAGE, "--run adds training curves to --report or --json; give one of them");
    return 0;
}

int sr_cmd_eval(int argc, char **argv) {
    struct sr_eval_options opts = {0}; /* not every field of `how` is an option */
    struct sr_options o;
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &opts, argc, argv, &err);
    if (status > 0) {
        sr_prices_begin(&opts.prices, &o);
        status = check_options(&opts, &o, &err);
        if (status == 0 && opts.headroom)
            status = sr_headroom_run(&opts, &err);
        else if (status == 0)
            status = run(&opts, sr_options_given(&o, "threshold"), &err);
    }
    return sr_command_end(&o, status, &err);
}
