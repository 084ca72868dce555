/* cmd_eval.c: `saferoute eval`: a router measured on a labelled dump.
 *
 * Two questions: does the router find the rows it should (against the labels), and how safe are the two
 * guards with it in between (against gold)? The second is answered where the dump has gold and both guards'
 * verdicts. First the screen with what decides, the rest on request. Numbers come from eval.h, scores from
 * the code that ships; here they are only put on paper.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/data.h"
#include "eval/eval.h"
#include "infer/infer.h"

enum on_bad_row { ON_BAD_ROW_ERROR, ON_BAD_ROW_SKIP };

struct eval_options {
    struct sr_score_options score;
    struct sr_data_options how;
    bool full, json;
    int on_bad_row; /* enum on_bad_row */
};

static const struct sr_option table[] = {
    SR_SCORE_OPTIONS(struct eval_options, score),
    SR_DATA_FEATURE_OPTIONS(struct eval_options, how),
    SR_DATA_LABEL_OPTIONS(struct eval_options, how),
    {"full", SR_OPTION_SWITCH, offsetof(struct eval_options, full),
     .help = "also the counts behind it, each guard's numbers, and AUPRC by /source"},
    {"json", SR_OPTION_SWITCH, offsetof(struct eval_options, json),
     .help = "print all of it as one JSON object"},
    {"on_bad_row", SR_OPTION_CHOICE, offsetof(struct eval_options, on_bad_row), .fallback = "error",
     .choices = "error|skip",
     .help = "rows that cannot be scored (NaN, infinity): stop, or leave them out and count them"},
};

static const struct sr_command command = {
    .name = "eval",
    .usage =
        "usage: saferoute eval --model W --data D.h5[,E.h5] [--threshold T] [--full | --json]\n"
        "\n"
        "Measures a router on a labelled feature dump: how well it finds the rows that the small guard "
        "gets wrong\n"
        "and the large guard right, and, where the dump has /gold and both guards' verdicts, how safe "
        "the two\n"
        "guards are together. [a, b] is a 95 % interval, by 1,000 resamples of the rows (of whole groups "
        "where\n"
        "there is a /group). Rows whose label is unknown (-1) are left out where the label is needed, "
        "and counted;\n"
        "gold and verdicts likewise. A quotient 0/0 is printed as \"undefined\" (null in JSON).\n",
    .notes = "examples:\n"
             "  saferoute eval --model run/best.safetensors --data test.h5\n"
             "  saferoute eval --model best.safetensors --data test.h5 --threshold .7 --json | jq .recall\n"
             "\n"
             "exit status: 0 done, 2 usage, 65 bad data or weights, 66 no such file, 71 out of memory, 74 "
             "I/O error\n",
    .table = table,
    .count = SR_COUNT(table),
};

struct result {
    struct sr_screen screen;
    struct sr_confusion confusion; /* of the labelled rows that have a score */
    struct sr_system system;       /* rows 0 where gold or a guard's verdicts are missing */
    struct sr_slice *source;       /* [sources] */
    size_t sources;
};

/* ---- measuring ---- */

static int measure_screen(struct result *r, const struct sr_scoring *s, struct sr_error *err) {
    const struct sr_data *d = s->data;
    const bool guards = d->gold && d->small_pred && d->large_pred;
    const struct sr_screen_rows rows = {
        .n = d->rows,
        .label = d->label,
        .prob = s->scores.prob,
        .gold = guards ? d->gold : NULL,
        .small_pred = guards ? d->small_pred : NULL,
        .large_pred = guards ? d->large_pred : NULL,
        .small_prob = d->small_prob,
        .group = d->group,
    };
    return sr_screen_measure(&r->screen, &rows, s->threshold, (float)NAN, err);
}

static int measure_counts(struct result *r, const struct sr_scoring *s, struct sr_error *err) {
    const struct sr_data *d = s->data;
    uint8_t *routed = sr_alloc(d->rows, 1, err), *truth = sr_alloc(d->rows, 1, err);
    if (routed && truth) {
        sr_decide(routed, s->scores.prob, d->rows, s->threshold);
        for (size_t i = 0; i < d->rows; i++)
            truth[i] = isnan(s->scores.prob[i]) ? SR_UNKNOWN : d->label[i];
        r->confusion = sr_confusion_count(truth, routed, d->rows);
        if (d->gold && d->small_pred && d->large_pred)
            sr_system_measure(&r->system, d->gold, d->small_pred, d->large_pred, routed, d->rows);
    }
    const int status = routed && truth ? 0 : SR_NOMEM;
    sr_free(routed);
    sr_free(truth);
    return status;
}

static int measure_sources(struct result *r, const struct sr_scoring *s, struct sr_error *err) {
    const struct sr_data *d = s->data;
    if (!d->source)
        return 0;
    r->source = sr_alloc(d->sources, sizeof *r->source, err);
    if (!r->source)
        return SR_NOMEM;
    r->sources = d->sources;
    return sr_slices_measure(r->source, (const char *const *)d->source_names, d->sources, d->source, d->label,
                             NULL, s->scores.prob, d->rows, err);
}

/* ---- on paper ---- */

static const char *ratio_text(char text[16], double value) {
    snprintf(text, 16, isnan(value) ? "undefined" : "%.4f", value);
    return text;
}

static const char *percent_text(char text[16], double value) {
    snprintf(text, 16, isnan(value) ? "undefined" : "%.2f %%", 100 * value);
    return text;
}

static void print_ratio(const char *name, double value) {
    char text[16];
    printf("%-14s %10s\n", name, ratio_text(text, value));
}

static void print_router(struct sr_confusion c) {
    printf("\n%-14s %12s %12s\n", "label", "routed", "not routed");
    printf("%-14s    TP %6" PRIu64 "    FN %6" PRIu64 "\n", "positive", c.tp, c.fn);
    printf("%-14s    FP %6" PRIu64 "    TN %6" PRIu64 "\n", "negative", c.fp, c.tn);
    print_ratio("F1", sr_f1(c));
    print_ratio("precision", sr_precision(c));
    print_ratio("recall", sr_recall(c));
    print_ratio("accuracy", sr_accuracy(c));
}

static void print_guard(const char *name, const struct sr_guard *g, double share) {
    char f1[16], precision[16], recall[16], accuracy[16], routed[16];
    printf("%-14s %10s %10s %10s %10s %10s\n", name, ratio_text(f1, g->f1),
           ratio_text(precision, g->precision), ratio_text(recall, g->recall),
           ratio_text(accuracy, g->accuracy), percent_text(routed, share));
}

static void print_right(const char *name, uint64_t rows, uint64_t all) {
    char text[16];
    printf("%-14s %10" PRIu64 " %10s\n", name, rows, percent_text(text, (double)rows / (double)all));
}

static void print_system(const struct sr_system *s) {
    printf("\n%-14s %10s %10s %10s %10s %10s\n", "safety", "F1", "precision", "recall", "accuracy", "routed");
    print_guard("small alone", &s->small, 0);
    print_guard("large alone", &s->large, 1);
    print_guard("routed", &s->routed, s->share_routed);
    print_guard("oracle", &s->oracle, s->share_oracle);
    printf("\nwho was right\n");
    print_right("both", s->cc, s->rows);
    print_right("only large", s->wc, s->rows);
    print_right("only small", s->cw, s->rows);
    print_right("neither", s->ww, s->rows);
}

static void print_text(const struct result *r, const struct sr_screen_words *words, bool full) {
    sr_screen_print(stdout, &r->screen, words);
    if (!full)
        return;
    print_router(r->confusion);
    if (r->system.rows > 0)
        print_system(&r->system);
    if (r->sources > 0)
        sr_slices_print(stdout, "source", r->source, r->sources);
}

/* ---- as JSON ---- */

static struct sr_json *guard_json(const struct sr_guard *g, double share) {
    struct sr_json *o = sr_json_object();
    sr_json_set(o, "f1", sr_json_number(g->f1));
    sr_json_set(o, "precision", sr_json_number(g->precision));
    sr_json_set(o, "recall", sr_json_number(g->recall));
    sr_json_set(o, "accuracy", sr_json_number(g->accuracy));
    sr_json_set(o, "share_routed", sr_json_number(share));
    return o;
}

static struct sr_json *right_json(const struct sr_system *s) {
    struct sr_json *o = sr_json_object();
    sr_json_set(o, "cc", sr_json_integer((int64_t)s->cc));
    sr_json_set(o, "cw", sr_json_integer((int64_t)s->cw));
    sr_json_set(o, "wc", sr_json_integer((int64_t)s->wc));
    sr_json_set(o, "ww", sr_json_integer((int64_t)s->ww));
    return o;
}

static void set_router(struct sr_json *o, struct sr_confusion c) {
    sr_json_set(o, "tp", sr_json_integer((int64_t)c.tp));
    sr_json_set(o, "fp", sr_json_integer((int64_t)c.fp));
    sr_json_set(o, "tn", sr_json_integer((int64_t)c.tn));
    sr_json_set(o, "fn", sr_json_integer((int64_t)c.fn));
    sr_json_set(o, "precision", sr_json_number(sr_precision(c)));
    sr_json_set(o, "recall", sr_json_number(sr_recall(c)));
    sr_json_set(o, "f1", sr_json_number(sr_f1(c)));
    sr_json_set(o, "accuracy", sr_json_number(sr_accuracy(c)));
}

static void set_system(struct sr_json *o, const struct sr_system *s) {
    const bool has = s->rows > 0;
    sr_json_set(o, "small", has ? guard_json(&s->small, 0) : sr_json_null());
    sr_json_set(o, "large", has ? guard_json(&s->large, 1) : sr_json_null());
    sr_json_set(o, "routed", has ? guard_json(&s->routed, s->share_routed) : sr_json_null());
    sr_json_set(o, "oracle", has ? guard_json(&s->oracle, s->share_oracle) : sr_json_null());
    sr_json_set(o, "table", has ? right_json(s) : sr_json_null());
}

static void set_cut(struct sr_json *o, const char *key, const char *key_origin, const struct sr_cut *cut) {
    const bool known = cut->at > 0;
    sr_json_set(o, key, known ? sr_json_number(cut->at) : sr_json_null());
    sr_json_set(o, key_origin, sr_json_string(known ? cut->origin : NULL));
}

static int print_json(const struct result *r, const struct sr_screen_words *words, const struct sr_data *d,
                      struct sr_error *err) {
    struct sr_json *o = sr_json_object();
    sr_json_set(o, "schema_version", sr_json_integer(1));
    sr_screen_json(o, &r->screen, words);
    set_cut(o, "small_threshold", "small_threshold_origin", &d->small_cut);
    set_cut(o, "large_threshold", "large_threshold_origin", &d->large_cut);
    set_router(o, r->confusion);
    set_system(o, &r->system);
    sr_json_set(o, "slices", sr_slices_json(r->source, r->sources));
    char *text = sr_json_text(o, 2, err);
    sr_json_free(o);
    if (!text)
        return SR_NOMEM;
    puts(text);
    sr_free(text);
    return 0;
}

/* ---- what to know of the rows ---- */

/* Bad rows are an error or, if they are to be skipped, a warning. */
static int check_bad_rows(const struct sr_scoring *s, bool skip, struct sr_error *err) {
    const struct sr_scores *scores = &s->scores;
    size_t first = 0, row;
    const char *path;
    if (scores->bad_rows == 0)
        return 0;
    if (skip) {
        sr_log_warn("%zu of %zu rows cannot be scored: left out of what compares scores with labels, and "
                    "routed to the large guard everywhere else",
                    scores->bad_rows, scores->rows);
        return 0;
    }
    while (!isnan(scores->prob[first]))
        first++;
    sr_data_locate(s->data, first, &path, &row);
    return sr_fail(err, SR_DATA,
                   "%s: row %zu has no score to measure: %s (%zu of %zu rows have none): repair the dump, or "
                   "leave such rows out with --on-bad-row=skip",
                   path, row, sr_reason_text(scores->reason[first]), scores->bad_rows, scores->rows);
}

/* ---- the command ---- */

static int report(const struct eval_options *o, const struct sr_scoring *s, struct sr_error *err) {
    char labels[256];
    const struct sr_screen_words words = {
        .threshold = s->threshold_text, .threshold_origin = s->threshold_origin, .labels = labels};
    struct result r = {0};
    int status;
    sr_data_labels_text(labels, s->data);
    if ((status = measure_screen(&r, s, err)) == 0 && (status = measure_counts(&r, s, err)) == 0 &&
        (status = measure_sources(&r, s, err)) == 0) {
        if (s->data->weight)
            sr_log_info("metrics count every row as 1; /weight only matters in training");
        if (o->json) {
            sr_log_info("threshold %s: %s", s->threshold_text, s->threshold_origin);
            status = print_json(&r, &words, s->data, err);
        } else
            print_text(&r, &words, o->full);
    }
    sr_free(r.source);
    return status;
}

static int run(const struct eval_options *o, bool threshold_given, struct sr_error *err) {
    struct sr_scoring s = {0};
    int status = sr_scoring_open(&s, &o->score, &o->how, threshold_given, err);
    if (status == 0)
        status = sr_scoring_run(&s, err);
    if (status == 0)
        status = check_bad_rows(&s, o->on_bad_row == ON_BAD_ROW_SKIP, err);
    if (status == 0)
        status = report(o, &s, err);
    sr_scoring_close(&s);
    return status;
}

int sr_cmd_eval(int argc, char **argv) {
    struct eval_options opts = {0}; /* not every field of `how` is an option */
    struct sr_options o;
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &opts, argc, argv, &err);
    if (status > 0)
        status = run(&opts, sr_options_given(&o, "threshold"), &err);
    return sr_command_end(&o, status, &err);
}
