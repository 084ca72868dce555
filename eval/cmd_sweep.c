/* cmd_sweep.c: `saferoute sweep`: a threshold chosen by what it is to achieve, on a calibration dump.
 *
 * Every distinct score is a threshold to choose from. What a rule promises is true of the rows it looked at;
 * the router that --out writes remembers them, so that eval can warn of numbers that are too good.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "eval/cmd_rows.h"
#include "eval/cmd_sweep.h"

#define RULES "f1,system-f1,budget=0.02,budget=0.05,budget=0.1,budget=0.2,budget=0.3,budget=0.5"

static const struct sr_option table[] = {
    SR_SCORE_OPTIONS(struct sr_sweep_options, score),
    SR_SCORES_OPTION(struct sr_sweep_options, score),
    {"rule", SR_OPTION_TEXT, offsetof(struct sr_sweep_options, rule), .fallback = RULES, .metavar = "R",
     .help = "what the threshold is to achieve, see below; again, or R1,R2, to see several side by side",
     .repeats = true},
    {"threshold", SR_OPTION_REAL, offsetof(struct sr_sweep_options, score.threshold), .max = 1,
     .metavar = "T", .help = "take this threshold instead of choosing one"},
    {"out", SR_OPTION_TEXT, offsetof(struct sr_sweep_options, out), .metavar = "W2", .output = true,
     .help =
         "write the router with the threshold of --rule (or --threshold) and the calibrator of --calibrate "
         "to a new file; W stays as it is"},
    {"calibrate", SR_OPTION_CHOICE, offsetof(struct sr_sweep_options, calibrate), .fallback = "none",
     .choices = "none"
#define X(NAME, name) "|" #name
     SR_CALIBRATOR_LIST(X)
#undef X
         ,
     .help = "fit a calibrated probability, an added column; moves no threshold and no decision"},
    {"traffic", SR_OPTION_TEXT, offsetof(struct sr_sweep_options, traffic), .metavar = "PROD.h5",
     .help =
         "unlabelled dump of what is served: rule budget is chosen on it, and every share is shown for it"},
    {"csv", SR_OPTION_TEXT, offsetof(struct sr_sweep_options, csv), .metavar = "F.csv", .output = true,
     .help = "write what every threshold does, one line for each distinct score"},
    {"json", SR_OPTION_SWITCH, offsetof(struct sr_sweep_options, json),
     .help = "print all of it, with the counts of every threshold, as one JSON object"},
    SR_PRICE_OPTIONS(struct sr_sweep_options, prices),
    SR_DATA_FEATURE_OPTIONS(struct sr_sweep_options, how),
    SR_DATA_LABEL_OPTIONS(struct sr_sweep_options, how),
    SR_BAD_ROW_OPTION(struct sr_sweep_options, on_bad_row),
};

static const char usage[] =
    "usage: saferoute sweep --model W --data CALIBRATION.h5 [--rule R] [--out W2]\n"
    "       saferoute sweep --scores F --data CALIBRATION.h5 [--rule R] [--csv F.csv]\n"
    "\n"
    "Chooses the threshold of a router by what it is to achieve. Every distinct score of the calibration "
    "rows is\n"
    "tried. Take rows that the router was not trained on, and measure the result with eval on yet others: a\n"
    "threshold looks better on the rows it was chosen on. Without --rule: a table of what can be had. [a, b] "
    "is\n"
    "Wilson's 95 % interval.\n";

static const char notes[] =
    "rules:\n"
#define SR_RULE(name, example, help, kind) "  " example "\n      " help "\n"
#include "eval/rules.def"
#undef SR_RULE
    "The risk of a threshold is FN/P; exact binomial tests from the safest threshold up, so that the answer "
    "may "
    "be\n"
    "that no threshold is valid.\n"
    "\n"
    "examples:\n"
    "  saferoute sweep --model run/best.safetensors --data calibration.h5\n"
    "  saferoute sweep --model run/best.safetensors --data calibration.h5 --rule recall=0.8 --out "
    "router.safetensors\n"
    "  saferoute sweep --model best.safetensors --data calibration.h5 --traffic prod.h5 --rule budget=0.1 "
    "\\\n"
    "      --calibrate isotonic --out router.safetensors\n"
    "\n"
    "exit status: 0 done, 1 no threshold is valid (no router is written), 2 usage, 65 bad data or weights,\n"
    "66 no such file, 71 out of memory, 74 I/O error\n";

static const struct sr_command command = {
    .name = "sweep", .usage = usage, .notes = notes, .table = table, .count = SR_COUNT(table)};

/* What only makes sense with something else. */
static int check_options(const struct sr_sweep_options *o, struct sr_error *err) {
    if (sr_prices_check(&o->prices, true, err) < 0)
        return SR_USAGE;
    if (o->rule_given && o->threshold_given)
        return sr_fail(err, SR_USAGE,
                       "--threshold gives the threshold and --rule chooses one; give one of them");
    if ((o->out || o->traffic) && !o->score.model)
        return sr_fail(err, SR_USAGE, "--%s needs the weights: give --model", o->out ? "out" : "traffic");
    if (!o->out)
        return 0;
    if (o->csv && strcmp(o->csv, o->out) == 0)
        return sr_fail(err, SR_USAGE, "--csv and --out name the same file");
    if (o->rule_given && strchr(o->rule, ','))
        return sr_fail(err, SR_USAGE, "--out writes one threshold; give one --rule");
    if (!o->rule_given && !o->threshold_given && o->calibrate == SR_CALIBRATE_NONE)
        return sr_fail(err, SR_USAGE, "--out has nothing to write: give --rule, --threshold or --calibrate");
    if (access(o->out, F_OK) == 0)
        return sr_fail(
            err, SR_USAGE,
            "%s exists; routers are never overwritten, so that the one before is there to go back to: "
            "name a new file",
            o->out);
    return 0;
}

static int write_csv(const struct sr_sweep_result *r, struct sr_error *err) {
    struct sr_atomic_file *f;
    int status = r->options->csv ? sr_atomic_file_open(&f, r->options->csv, err) : 1;
    if (status != 0)
        return status < 0 ? status : 0;
    sr_sweep_csv(sr_atomic_file_stream(f), &r->sweep, &r->options->prices);
    return sr_atomic_file_commit(f, err);
}

/* The sweep of millions of scores goes behind the rest without ever being a tree. */
static int print_json(const struct sr_sweep_result *r, struct sr_error *err) {
    struct sr_json *o = sr_sweep_result_json(r);
    char *text = sr_json_text(o, 0, err);
    sr_json_free(o);
    if (!text)
        return SR_NOMEM;
    printf("%.*s,\"sweep\":", (int)strlen(text) - 1, text); /* all but the closing brace */
    sr_sweep_print_json(stdout, &r->sweep);
    puts("}");
    sr_free(text);
    return 0;
}

/* A table of what can be had leaves out what cannot; a rule that was asked for and has no threshold fails. */
static int verdict(const struct sr_sweep_result *r, struct sr_error *err) {
    for (size_t i = 0; r->options->rule_given && i < r->choices; i++)
        if (r->choice[i].status < 0)
            return sr_fail(err, r->choice[i].status, "rule %s: %.400s", r->choice[i].rule,
                           r->choice[i].why.text);
    return 0;
}

/* Files first: what is printed has been written. */
static int say(const struct sr_sweep_result *r, struct sr_error *err) {
    const int found = verdict(r, err);
    struct sr_error why;
    int status = write_csv(r, &why);
    if (status == 0 && found == 0 && r->options->out)
        status = sr_sweep_router_write(r, &why);
    if (status == 0 && r->options->json)
        status = print_json(r, &why);
    else if (status == 0)
        sr_sweep_print(r);
    if (status < 0)
        *err = why;
    return status < 0 ? status : found;
}

static int run(const struct sr_sweep_options *o, struct sr_error *err) {
    const struct sr_input inputs[] = {{"model", o->score.model, false},
                                      {"scores", o->score.scores, false},
                                      {"data", o->score.data, true},
                                      {"traffic", o->traffic, true}};
    struct sr_scoring s = {0};
    struct sr_sweep_result r = {0};
    int status;
    if ((status = check_options(o, err)) < 0 ||
        (status = sr_inputs_spare(inputs, SR_COUNT(inputs), "csv", o->csv, err)) < 0 ||
        (status = sr_scoring_open(&s, &o->score, &o->how, o->threshold_given, err)) < 0 ||
        (status = sr_scoring_run(&s, err)) < 0 || (status = sr_rows_check(&s, o->on_bad_row, err)) < 0 ||
        (status = sr_sweep_measure(&r, o, &s, err)) < 0)
        goto out;
    status = say(&r, err);
out:
    sr_sweep_result_free(&r);
    sr_scoring_close(&s);
    return status;
}

int sr_cmd_sweep(int argc, char **argv) {
    struct sr_sweep_options opts = {0}; /* not every field of `how` is an option */
    struct sr_options o;
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &opts, argc, argv, &err);
    if (status > 0) {
        sr_prices_begin(&opts.prices, &o);
        opts.rule_given = sr_options_given(&o, "rule");
        opts.threshold_given = sr_options_given(&o, "threshold");
        status = run(&opts, &err);
    }
    return sr_command_end(&o, status, &err);
}
