/* cmd_compare.c: `saferoute data compare`: two dumps of the same rows, row by row.
 *
 * Scores come from infer, as for every command that scores.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/cmd_data.h"
#include "data/compare.h"
#include "infer/infer.h"

struct compare_options {
    char *a, *b, *model;
    double threshold, min_cosine;
    int64_t max_flips, max_missing, memory, threads;
    bool by_row, json;
    struct sr_data_options how;
};

static const struct sr_option table[] = {
    {"a", SR_OPTION_TEXT, offsetof(struct compare_options, a), .metavar = "A.h5", .operand = true,
     .help = "first dump; its rows are the ones named"},
    {"b", SR_OPTION_TEXT, offsetof(struct compare_options, b), .metavar = "B.h5", .operand = true,
     .help = "second dump"},
    {"model", SR_OPTION_TEXT, offsetof(struct compare_options, model), .metavar = "W",
     .help = "also score both with these weights: probability changes, decisions that flip"},
    {"threshold", SR_OPTION_REAL, offsetof(struct compare_options, threshold), .max = 1, .metavar = "T",
     .help = "route rows with prob > T; else the weights' own threshold, else 0.6"},
    {"by_row", SR_OPTION_SWITCH, offsetof(struct compare_options, by_row),
     .help = "join rows by their number, not by /id"},
    {"min_cosine", SR_OPTION_REAL, offsetof(struct compare_options, min_cosine), .min = -1, .max = 1,
     .metavar = "C", .help = "status 1 if a row's cosine is below C, or a row has none (NaN, infinity)"},
    {"max_flips", SR_OPTION_INTEGER, offsetof(struct compare_options, max_flips), .max = UINT32_MAX,
     .metavar = "N",
     .help = "status 1 if more than N rows have another label, guard's verdict or router's decision, or one "
             "that is known in one dump only; also if there is nothing to compare"},
    {"max_missing", SR_OPTION_INTEGER, offsetof(struct compare_options, max_missing), .max = UINT32_MAX,
     .metavar = "N",
     .help = "status 1 if more than N rows are in one dump only; 0 where one of the two above is given"},
    {"memory", SR_OPTION_BYTES, offsetof(struct compare_options, memory), .fallback = "auto",
     .metavar = "SIZE", .help = "for rows of B at a time; auto: half of what is free. Never changes results"},
    {"threads", SR_OPTION_INTEGER, offsetof(struct compare_options, threads), .fallback = "0", .max = 1024,
     .metavar = "N", .help = "threads; 0: as many as this process may use. Never changes results"},
    {"json", SR_OPTION_SWITCH, offsetof(struct compare_options, json),
     .help = "one JSON object instead of lines"},
    SR_DATA_FEATURE_OPTIONS(struct compare_options, how),
    SR_DATA_LABEL_OPTIONS(struct compare_options, how),
};

static const struct sr_command command = {
    .name = "data compare",
    .usage =
        "usage: saferoute data compare A.h5 B.h5 [--model W] [--json] [--min-cosine C] [--max-flips N]\n"
        "                              [--max-missing N]\n"
        "\n"
        "Compares two dumps of the same rows: extracted with transformers and with vLLM, say, or with "
        "two\n"
        "versions. Rows are joined by /id. Said are\n"
        "  rows      in both, and in one only\n"
        "  features  cosine of each pair of rows, the largest differences, and whether one dump is the "
        "other\n"
        "            scaled (unit-length rows, a constant factor). Of two widths they are not compared\n"
        "  columns   how far the guards' probabilities change, and which verdicts and labels do\n"
        "  router    with --model: how far its prob changes, decisions that flip, rows out of range\n"
        "  contract  keys that differ\n"
        "  verdict   the same: every number is, as float32; the same to rounding: every row's difference "
        "is\n"
        "            within what the coarser type of the two rounds away (float16 2^-10 of the row's "
        "length,\n"
        "            bfloat16 2^-8, float32 2^-23), no probability changes by more than 0.001, and "
        "nothing\n"
        "            else differs; or differ, and in what. A row, a column or a value that one dump "
        "lacks is a\n"
        "            difference; the contract is named apart\n",
    .notes = "examples:\n"
             "  saferoute data compare transformers.h5 vllm.h5\n"
             "  saferoute data compare old.h5 new.h5 --model best.safetensors --min-cosine 0.999 --max-flips "
             "0\n"
             "\n"
             "exit status: 0 compared, also where they differ, 1 --min-cosine, --max-flips or --max-missing\n"
             "does not hold, 2 usage, 65 bad data, 66 no such file, 71 out of memory, 74 I/O error\n",
    .table = table,
    .count = SR_COUNT(table),
};

/* ---- the router ---- */

struct scored {
    struct sr_scores scores;
    uint8_t *decision; /* 1: large */
};

static int score(struct scored *out, const struct sr_router *r, struct sr_data *d, const char *name,
                 float threshold, struct sr_error *err) {
    char stage_name[32];
    snprintf(stage_name, sizeof stage_name, "scoring %s", name);
    struct sr_log_stage stage = sr_log_stage_begin(stage_name);
    sr_router_compare(r, d, name, "the weights");
    const int status = sr_score_data(&out->scores, r, d, sr_log_stage_show, &stage, err);
    if (status < 0)
        return status;
    if (!(out->decision = sr_alloc(d->rows, 1, err)))
        return SR_NOMEM;
    for (size_t i = 0; i < d->rows; i++)
        out->decision[i] =
            out->scores.reason[i] != SAFEROUTE_REASON_SCORE || sr_is_routed(out->scores.prob[i], threshold);
    return 0;
}

/* Reasons, of rows that are in both dumps. */
static void count_reasons(struct sr_comparison *c, const struct scored s[2]) {
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < c->pairs.n; i++) {
            const size_t row = c->pairs.row[side][i];
            c->out_of_range[side] += s[side].scores.reason[row] == SAFEROUTE_REASON_OUT_OF_RANGE;
            c->unscored[side] += isnan(s[side].scores.prob[row]) != 0;
        }
}

static int route(struct sr_comparison *c, struct sr_data *const d[2], const struct compare_options *o,
                 bool threshold_given, struct sr_error *err) {
    struct scored s[2] = {0};
    struct sr_router *r = NULL;
    int status = sr_router_open(&r, o->model, err);
    if (status < 0)
        return status;
    c->threshold = SR_THRESHOLD_UNSET;
    c->threshold_origin =
        sr_router_threshold(r, &c->threshold) ? "of the weights" : "the weights have none: the default";
    if (threshold_given) {
        c->threshold = (float)o->threshold;
        c->threshold_origin = "given";
    }
    for (int side = 0; status == 0 && side < 2; side++)
        status = score(&s[side], r, d[side], side ? "B" : "A", c->threshold, err);
    if (status == 0) {
        c->routed = true;
        c->router = sr_change_of(&c->pairs, (const float *const[]){s[0].scores.prob, s[1].scores.prob},
                                 (const uint8_t *const[]){s[0].decision, s[1].decision}, c->flipped);
        count_reasons(c, s);
    }
    for (int side = 0; side < 2; side++) {
        sr_scores_free(&s[side].scores);
        sr_free(s[side].decision);
    }
    sr_router_close(r);
    return status;
}

/* ---- features ---- */

static int compare_features(struct sr_comparison *c, int64_t memory, struct sr_error *err) {
    if (!c->same_width)
        return 0;
    if (!(c->row = sr_alloc(c->pairs.n, sizeof *c->row, err)))
        return SR_NOMEM;
    struct sr_log_stage stage = sr_log_stage_begin("comparing");
    double unrelated;
    const int status = sr_compare_features(c->row, &unrelated, &c->pairs, c->d,
                                           memory < 0 ? sr_memory_available(NULL) / 2 : (size_t)memory,
                                           sr_log_stage_show, &stage, err);
    return status < 0 ? status : sr_feature_summary_make(&c->features, c->row, c->pairs.n, unrelated, err);
}

/* ---- the gate ---- */

static int check_cosine(const struct sr_comparison *c, double least, struct sr_error *err) {
    const size_t *bad = c->features.bad;
    if (!c->same_width)
        return sr_fail(err, SR_NO, "--min-cosine does not hold: rows of two widths have no cosine");
    if (bad[1] + bad[2] + bad[3] > 0)
        return sr_fail(err, SR_NO,
                       "--min-cosine does not hold: rows with a NaN or an infinity have no cosine; %zu in A "
                       "alone, %zu in B alone, %zu in both",
                       bad[1], bad[2], bad[3]);
    if (!(c->features.cosine_min >= least))
        return sr_fail(err, SR_NO, "--min-cosine does not hold: %.9g is below %.9g", c->features.cosine_min,
                       least);
    return 0;
}

static size_t judged(const struct sr_change *change) {
    return change->verdicts + change->one_sided;
}

static int check_flips(const struct sr_comparison *c, size_t most, struct sr_error *err) {
    if (judged(&c->label) + judged(&c->small) + judged(&c->large) + judged(&c->router) == 0)
        return sr_fail(err, SR_NO,
                       "--max-flips does not hold: no label or guard's verdict is known in both dumps, so "
                       "nothing was compared; --model compares a router's decisions");
    if (c->flips > most)
        return sr_fail(err, SR_NO,
                       "--max-flips does not hold: %zu rows have another label, verdict or decision, or one "
                       "that is known in one dump only",
                       c->flips);
    return 0;
}

static int check_missing(const struct sr_comparison *c, size_t most, struct sr_error *err) {
    if (sr_comparison_missing(c) > most)
        return sr_fail(err, SR_NO,
                       "--max-missing does not hold: %zu rows are in A only, %zu in B only, and were not "
                       "compared; more than %zu",
                       c->pairs.only[0], c->pairs.only[1], most);
    return 0;
}

static int check_gate(const struct sr_comparison *c, const struct compare_options *o,
                      const struct sr_options *given, struct sr_error *err) {
    const bool cosine = sr_options_given(given, "min_cosine"), flips = sr_options_given(given, "max_flips");
    int status = cosine ? check_cosine(c, o->min_cosine, err) : 0;
    if (status == 0 && flips)
        status = check_flips(c, (size_t)o->max_flips, err);
    if (status == 0 && (cosine || flips || sr_options_given(given, "max_missing")))
        status = check_missing(c, (size_t)o->max_missing, err);
    return status;
}

/* ---- the command ---- */

static int print(const struct sr_comparison *c, const struct compare_options *o, struct sr_error *err) {
    struct sr_facts f = {0};
    char clean[2][4096];
    int status = 0;
    sr_comparison_facts(&f, c);
    if (f.status < 0) {
        status = sr_fail(err, SR_NOMEM, "out of memory for what differs");
    } else if (o->json) {
        struct sr_json *head = sr_json_object();
        sr_json_set(head, "schema_version", sr_json_integer(1));
        sr_json_set(head, "a", sr_json_string(o->a));
        sr_json_set(head, "b", sr_json_string(o->b));
        status = sr_print_facts_json(head, &f, err);
    } else {
        printf("A: %s\nB: %s\n\n", sr_utf8_clean(clean[0], sizeof clean[0], o->a),
               sr_utf8_clean(clean[1], sizeof clean[1], o->b));
        sr_facts_print(stdout, &f);
    }
    sr_facts_free(&f);
    return status;
}

static int open_both(struct sr_data *d[2], struct sr_troubles troubles[2], const struct compare_options *o,
                     struct sr_error *err) {
    struct sr_data_options how = o->how;
    how.label_optional = true;
    how.troubles = &troubles[0];
    int status = sr_data_open(&d[0], o->a, &how, err);
    how.troubles = &troubles[1];
    return status < 0 ? status : sr_data_open(&d[1], o->b, &how, err);
}

static int run(const struct compare_options *o, const struct sr_options *given, struct sr_error *err) {
    struct sr_data *d[2] = {NULL, NULL};
    struct sr_troubles troubles[2] = {0};
    struct sr_comparison c = {0};
    if (!o->a || !o->b)
        return sr_fail(err, SR_USAGE, "data compare: two dumps are needed: saferoute data compare A.h5 B.h5");
    if (sr_options_given(given, "threshold") && !o->model)
        return sr_fail(err, SR_USAGE, "--threshold is of a router's decisions; --model names the router");
    sr_cpu_threads((int)o->threads);
    int status = open_both(d, troubles, o, err);
    if (status == 0)
        status = sr_comparison_begin(&c, (const struct sr_data *const[]){d[0], d[1]}, o->by_row, err);
    c.troubles = troubles;
    if (status == 0)
        status = compare_features(&c, o->memory, err);
    if (status == 0 && o->model)
        status = route(&c, d, o, sr_options_given(given, "threshold"), err);
    if (status == 0) {
        sr_comparison_count(&c);
        status = print(&c, o, err);
    }
    if (status == 0)
        status = check_gate(&c, o, given, err);
    sr_comparison_free(&c);
    sr_data_close(d[0]);
    sr_data_close(d[1]);
    return status;
}

int sr_cmd_data_compare(int argc, char **argv) {
    struct compare_options opts = {0};
    struct sr_options o;
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &opts, argc, argv, &err);
    if (status > 0)
        status = run(&opts, &o, &err);
    return sr_command_end(&o, status, &err);
}
