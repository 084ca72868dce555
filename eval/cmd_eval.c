/* cmd_eval.c: `saferoute eval`: a router measured on a labelled dump.
 *
 * Two questions: does the router find the rows it should (against the labels), and how safe are the two
 * guards with it in between (against gold)? The second is answered where the dump has gold and both guards'
 * verdicts. Numbers come from eval.h, scores from the code that ships; here they are only put on paper.
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
    bool json;
    int on_bad_row; /* enum on_bad_row */
};

static const struct sr_option table[] = {
    SR_SCORE_OPTIONS(struct eval_options, score),
    SR_DATA_FEATURE_OPTIONS(struct eval_options, how),
    SR_DATA_LABEL_OPTIONS(struct eval_options, how),
    {"json", SR_OPTION_SWITCH, offsetof(struct eval_options, json), .help = "print one JSON object"},
    {"on_bad_row", SR_OPTION_CHOICE, offsetof(struct eval_options, on_bad_row), .fallback = "error",
     .choices = "error|skip",
     .help = "rows with a NaN or an infinity: stop, or leave them out and count them"},
};

static const struct sr_command command = {
    .name = "eval",
    .usage = "usage: saferoute eval --model W --data D.h5[,E.h5] [--threshold T] [--json]\n"
             "\n"
             "Measures a router on a labelled feature dump: how well it finds the rows that the small guard "
             "gets wrong\n"
             "and the large guard right, and, where the dump has /gold and both guards' verdicts, how safe "
             "the two\n"
             "guards are together, beside each alone and beside an oracle that routes exactly those rows.\n"
             "A quotient 0/0 is printed as \"undefined\" (null in JSON).\n",
    .notes = "examples:\n"
             "  saferoute eval --model run/best.safetensors --data test.h5\n"
             "  saferoute eval --model best.safetensors --data test.h5 --threshold .7 --json | jq .recall\n"
             "\n"
             "exit status: 0 done, 2 usage, 65 bad data or weights, 66 no such file, 71 out of memory, 74 "
             "I/O error\n",
    .table = table,
    .count = SR_COUNT(table),
};

/* The rows that are measured: copies of the dump's columns without the bad rows. gold and the verdicts are
 * NULL where the dump lacks one of them. */
struct measured {
    size_t rows;
    uint8_t *label, *routed, *gold, *small_pred, *large_pred;
    float *prob;
    double *score;
    void *block;
};

struct result {
    size_t rows, bad_rows;
    struct sr_confusion confusion;
    double auprc, auroc;
    bool has_system;
    struct sr_system system;
};

/* ---- measuring ---- */

static void carve(struct sr_arena *arena, struct measured *m, size_t rows, bool guards) {
    m->label = sr_arena_take(arena, rows, 1);
    m->routed = sr_arena_take(arena, rows, 1);
    m->prob = sr_arena_take(arena, rows, sizeof *m->prob);
    m->score = sr_arena_take(arena, rows, sizeof *m->score);
    if (guards) {
        m->gold = sr_arena_take(arena, rows, 1);
        m->small_pred = sr_arena_take(arena, rows, 1);
        m->large_pred = sr_arena_take(arena, rows, 1);
    }
}

static int gather(struct measured *m, const struct sr_scoring *s, struct sr_error *err) {
    const struct sr_data *d = s->data;
    const bool guards = d->gold && d->small_pred && d->large_pred;
    struct sr_arena arena = {0};
    carve(&arena, m, d->rows, guards);
    const int status = sr_arena_allocate(&arena, err);
    if (status < 0)
        return status;
    m->block = arena.base;
    carve(&arena, m, d->rows, guards);
    for (size_t i = 0; i < d->rows; i++) {
        const size_t to = m->rows;
        if (isnan(s->scores.prob[i]))
            continue;
        m->label[to] = d->label[i];
        m->prob[to] = s->scores.prob[i];
        m->score[to] = (double)s->scores.prob[i];
        if (guards) {
            m->gold[to] = d->gold[i];
            m->small_pred[to] = d->small_pred[i];
            m->large_pred[to] = d->large_pred[i];
        }
        m->rows++;
    }
    return 0;
}

static int measure(struct result *r, const struct sr_scoring *s, struct sr_error *err) {
    struct measured m = {0};
    int status = gather(&m, s, err);
    if (status < 0)
        return status;
    sr_decide(m.routed, m.prob, m.rows, s->threshold);
    r->rows = m.rows;
    r->bad_rows = s->scores.bad_rows;
    r->confusion = sr_confusion_count(m.label, m.routed, m.rows);
    r->has_system = m.gold != NULL;
    if (r->has_system)
        sr_system_measure(&r->system, m.gold, m.small_pred, m.large_pred, m.routed, m.rows);
    status = sr_ranking(&r->auprc, &r->auroc, m.label, m.score, m.rows, err);
    sr_free(m.block);
    return status;
}

static int refuse_bad_rows(const struct sr_scoring *s, struct sr_error *err) {
    size_t first = 0, row;
    const char *path;
    while (!isnan(s->scores.prob[first]))
        first++;
    sr_data_locate(s->data, first, &path, &row);
    return sr_fail(
        err, SR_DATA,
        "%s: row %zu holds a NaN or an infinity (%zu of %zu rows do), so there is no score to measure: "
        "repair the dump, or leave such rows out with --on-bad-row=skip",
        path, row, s->scores.bad_rows, s->scores.rows);
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

static void print_ratio(const char *name, double value, const char *note) {
    char text[16];
    printf("%-14s %10s%s\n", name, ratio_text(text, value), note);
}

static void print_router(const struct result *r, bool derived) {
    const struct sr_confusion c = r->confusion;
    char text[16], note[64];
    const double base = (double)(c.tp + c.fn) / (double)r->rows;
    printf("%-14s %10zu\n", "rows", r->rows);
    if (r->bad_rows > 0)
        printf("%-14s %10zu   NaN or infinity, left out\n", "bad rows", r->bad_rows);
    printf("%-14s %10" PRIu64 " %10s%s\n", "positives", c.tp + c.fn, percent_text(text, base),
           derived ? ", labels made from gold and the guards' verdicts" : "");
    printf("%-14s %10" PRIu64 " %10s\n\n", "routed", c.tp + c.fp, percent_text(text, sr_share(c)));
    print_ratio("F1", sr_f1(c), "");
    print_ratio("precision", sr_precision(c), "");
    print_ratio("recall", sr_recall(c), "");
    print_ratio("accuracy", sr_accuracy(c), "");
    snprintf(note, sizeof note, "   chance: %s", ratio_text(text, base));
    print_ratio("AUPRC", r->auprc, note);
    print_ratio("AUROC", r->auroc, "   chance: 0.5000");
    printf("\n%-14s %12s %12s\n", "", "routed", "not routed");
    printf("%-14s    TP %6" PRIu64 "    FN %6" PRIu64 "\n", "positive", c.tp, c.fn);
    printf("%-14s    FP %6" PRIu64 "    TN %6" PRIu64 "\n", "negative", c.fp, c.tn);
}

static void print_guard(const char *name, const struct sr_guard *g, double share) {
    char f1[16], precision[16], recall[16], accuracy[16], routed[16];
    printf("%-14s %10s %10s %10s %10s %10s\n", name, ratio_text(f1, g->f1),
           ratio_text(precision, g->precision), ratio_text(recall, g->recall),
           ratio_text(accuracy, g->accuracy), percent_text(routed, share));
}

static void print_right(const char *name, uint64_t rows, size_t all) {
    char text[16];
    printf("%-14s %10" PRIu64 " %10s\n", name, rows, percent_text(text, (double)rows / (double)all));
}

static void print_system(const struct sr_system *s, size_t rows) {
    printf("\n%-14s %10s %10s %10s %10s %10s\n", "safety", "F1", "precision", "recall", "accuracy", "routed");
    print_guard("small alone", &s->small, 0);
    print_guard("large alone", &s->large, 1);
    print_guard("routed", &s->routed, s->share_routed);
    print_guard("oracle", &s->oracle, s->share_oracle);
    printf("\nwho was right\n");
    print_right("both", s->cc, rows);
    print_right("only large", s->wc, rows);
    print_right("only small", s->cw, rows);
    print_right("neither", s->ww, rows);
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

static void set_system(struct sr_json *o, const struct result *r) {
    const struct sr_system *s = &r->system;
    const bool has = r->has_system;
    sr_json_set(o, "small", has ? guard_json(&s->small, 0) : sr_json_null());
    sr_json_set(o, "large", has ? guard_json(&s->large, 1) : sr_json_null());
    sr_json_set(o, "routed", has ? guard_json(&s->routed, s->share_routed) : sr_json_null());
    sr_json_set(o, "oracle", has ? guard_json(&s->oracle, s->share_oracle) : sr_json_null());
    sr_json_set(o, "table", has ? right_json(s) : sr_json_null());
}

static int print_json(const struct result *r, const struct sr_scoring *s, bool skipping,
                      struct sr_error *err) {
    const struct sr_confusion c = r->confusion;
    struct sr_json *o = sr_json_object();
    sr_json_set(o, "schema_version", sr_json_integer(1));
    sr_json_set(o, "rows", sr_json_integer((int64_t)r->rows));
    if (skipping)
        sr_json_set(o, "bad_rows", sr_json_integer((int64_t)r->bad_rows));
    sr_json_set(o, "positives", sr_json_integer((int64_t)(c.tp + c.fn)));
    sr_json_set(o, "threshold", sr_json_number(strtod(s->threshold_text, NULL)));
    sr_json_set(o, "tp", sr_json_integer((int64_t)c.tp));
    sr_json_set(o, "fp", sr_json_integer((int64_t)c.fp));
    sr_json_set(o, "tn", sr_json_integer((int64_t)c.tn));
    sr_json_set(o, "fn", sr_json_integer((int64_t)c.fn));
    sr_json_set(o, "precision", sr_json_number(sr_precision(c)));
    sr_json_set(o, "recall", sr_json_number(sr_recall(c)));
    sr_json_set(o, "f1", sr_json_number(sr_f1(c)));
    sr_json_set(o, "accuracy", sr_json_number(sr_accuracy(c)));
    sr_json_set(o, "share_routed", sr_json_number(sr_share(c)));
    sr_json_set(o, "auprc", sr_json_number(r->auprc));
    sr_json_set(o, "auroc", sr_json_number(r->auroc));
    set_system(o, r);
    char *text = sr_json_text(o, 2, err);
    sr_json_free(o);
    if (!text)
        return SR_NOMEM;
    puts(text);
    sr_free(text);
    return 0;
}

static void print_text(const struct result *r, const struct sr_scoring *s) {
    printf("threshold %s: %s\n\n", s->threshold_text, s->threshold_origin);
    print_router(r, s->data->label_derived);
    if (r->has_system)
        print_system(&r->system, r->rows);
}

/* ---- the command ---- */

static void show_progress(void *user, double fraction) {
    (void)user;
    sr_log_progress(fraction, "scoring");
}

static int run(const struct eval_options *o, bool threshold_given, struct sr_error *err) {
    const bool skipping = o->on_bad_row == ON_BAD_ROW_SKIP;
    struct sr_scoring s = {0};
    struct result r = {0};
    const struct sr_pair *differs;
    size_t entry = 0;
    int status;
    if ((status = sr_scoring_open(&s, &o->score, &o->how, threshold_given, err)) < 0)
        goto out;
    while ((differs = sr_scoring_differs(&s, &entry)))
        sr_log_warn("%s is \"%s\" in the dump, but \"%s\" in the weights", differs->key, differs->value,
                    sr_router_metadata(s.router, differs->key));
    if ((status = sr_score_data(&s.scores, s.router, s.data, show_progress, NULL, err)) < 0)
        goto out;
    if (s.scores.bad_rows > 0 && !skipping) {
        status = refuse_bad_rows(&s, err);
        goto out;
    }
    if (s.scores.bad_rows > 0)
        sr_log_warn("%zu of %zu rows hold a NaN or an infinity and are left out", s.scores.bad_rows,
                    s.scores.rows);
    if ((status = measure(&r, &s, err)) < 0)
        goto out;
    if (o->json) {
        sr_log_info("threshold %s: %s", s.threshold_text, s.threshold_origin);
        status = print_json(&r, &s, skipping, err);
    } else
        print_text(&r, &s);
out:
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
