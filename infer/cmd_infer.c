/* cmd_infer.c: `saferoute infer`: logit, probability and decision of every row of a dump.
 *
 * As many rows come out as went in. A row that cannot be scored (a NaN among its features, or numbers so
 * large that the network overflows) has prob nan, goes to the large guard and says why; one that is far from
 * the rows of training keeps its prob.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "data/data.h"
#include "eval/eval.h"
#include "infer/infer.h"

struct infer_options {
    struct sr_score_options score;
    struct sr_data_options how;
    char *out;
};

static const struct sr_option table[] = {
    SR_SCORE_OPTIONS(struct infer_options, score),
    SR_THRESHOLD_OPTION(struct infer_options, score),
    SR_DATA_FEATURE_OPTIONS(struct infer_options, how),
    {"out", SR_OPTION_TEXT, offsetof(struct infer_options, out), .metavar = "F.csv|F.h5", .output = true,
     .help = "file to write, CSV or HDF5 by its ending; without it CSV goes to stdout"},
};

static const struct sr_command command = {
    .name = "infer",
    .usage = "usage: saferoute infer --model W --data D.h5 [--out F.csv|F.h5] [--threshold T]\n"
             "\n"
             "Scores every row of a feature dump and says where it goes. Columns:\n"
             "  row         number of the row, from 0, over all dumps given\n"
             "  id          the dump's /id, empty if it has none\n"
             "  logit       output of the router\n"
             "  prob        1/(1+exp(-logit)): how likely only the large guard is right\n"
             "  decision    large if prob > threshold, else small; in HDF5 1 and 0\n"
             "  reason      why the row goes to the large guard whatever its score; empty where the score "
             "decided\n"
             "  calibrated  prob as the weights' calibration corrects it, without effect on the decision; no "
             "such column\n"
             "              where they have none\n"
             "As many rows come out as went in: one that cannot be scored (a NaN or an infinity among its "
             "features, or\n"
             "numbers so large that the network overflows) has prob nan, goes to the large guard, says why, "
             "and is\n"
             "counted on stderr; so does one whose features are far from those of training, which keeps its "
             "prob.\n"
             "Labels are not needed. An existing file is replaced only once the new one is complete.\n",
    .notes =
        "examples:\n"
        "  saferoute infer --model run/best.safetensors --data new.h5 --out scores.csv\n"
        "  saferoute infer --model best.safetensors --data new.h5 --threshold .7 | gzip > scores.csv.gz\n"
        "\n"
        "exit status: 0 done, 2 usage, 65 bad data or weights, 66 no such file, 71 out of memory,\n"
        "74 the result could not be written\n",
    .table = table,
    .count = SR_COUNT(table),
};

/* RFC 4180: quoted where a comma, quote or line break asks for it. */
static void print_field(FILE *to, const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, to);
        return;
    }
    fputc('"', to);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', to);
        fputc(*text, to);
    }
    fputc('"', to);
}

static void print_rows(FILE *to, const struct sr_data *d, const struct sr_score_columns *c) {
    fprintf(to, "row,id,logit,prob,decision,reason%s\n", c->calibrated ? ",calibrated" : "");
    for (size_t i = 0; i < d->rows; i++) {
        fprintf(to, "%zu,", i);
        print_field(to, d->id && d->id[i] ? d->id[i] : "");
        fprintf(to, ",%.9g,%.9g", (double)c->logit[i], (double)c->prob[i]);
        fprintf(to, ",%s,", c->decision[i] ? "large" : "small");
        print_field(to, c->reason[i]);
        if (c->calibrated)
            fprintf(to, ",%.9g", (double)c->calibrated[i]);
        fputc('\n', to);
    }
}

static int write_csv(const char *path, const struct sr_data *d, const struct sr_score_columns *c,
                     struct sr_error *err) {
    struct sr_atomic_file *f;
    const int status = sr_atomic_file_open(&f, path, err);
    if (status < 0)
        return status;
    print_rows(sr_atomic_file_stream(f), d, c);
    return sr_atomic_file_commit(f, err);
}

/* path NULL: as CSV to stdout. */
static int write_columns(const struct sr_data *d, const struct sr_score_columns *c, const char *path,
                         struct sr_error *err) {
    if (path && sr_data_scores_form("out", path, err) == SR_SCORES_HDF5)
        return sr_data_write_scores(path, d, c, err);
    if (path)
        return write_csv(path, d, c, err);
    print_rows(stdout, d, c);
    return 0;
}

/* calibrator: NULL where the weights have none. */
static int write_scores(const struct sr_scoring *s, const struct sr_calibrator *calibrator, const char *path,
                        struct sr_error *err) {
    const size_t rows = s->scores.rows;
    uint8_t *decision = sr_alloc(rows, sizeof *decision, err);
    const char **reason = sr_alloc(rows, sizeof *reason, err);
    float *calibrated = calibrator ? sr_alloc(rows, sizeof *calibrated, err) : NULL;
    int status = SR_NOMEM;
    if (decision && reason && (calibrated || !calibrator)) {
        for (size_t i = 0; i < rows; i++) {
            decision[i] = s->scores.reason[i] != SAFEROUTE_REASON_SCORE ||
                          sr_is_routed(s->scores.prob[i], s->threshold);
            reason[i] = sr_reason_text(s->scores.reason[i]);
        }
        for (size_t i = 0; calibrator && i < rows; i++)
            calibrated[i] = (float)sr_calibrator_apply(calibrator, (double)s->scores.prob[i]);
        status = write_columns(
            s->data,
            &(struct sr_score_columns){s->scores.logit, s->scores.prob, decision, reason, calibrated}, path,
            err);
    }
    sr_free(decision);
    sr_free(reason);
    sr_free(calibrated);
    return status;
}

/* A line for each reason that sent rows to the large guard whatever their score. */
static void warn_of_reasons(const struct sr_scores *s) {
    size_t rows[SAFEROUTE_REASON_COUNT] = {0};
    for (size_t i = 0; i < s->rows; i++)
        rows[s->reason[i]]++;
    for (int reason = SAFEROUTE_REASON_SCORE + 1; reason < SAFEROUTE_REASON_COUNT; reason++)
        if (rows[reason] > 0)
            sr_log_warn("%zu of %zu rows: %s; %sthey go to the large guard", rows[reason], s->rows,
                        sr_reason_text(reason),
                        reason == SAFEROUTE_REASON_OUT_OF_RANGE ? "" : "their prob is nan, and ");
}

static int run(const struct infer_options *o, bool threshold_given, struct sr_error *err) {
    const struct sr_input inputs[] = {{"model", o->score.model, false}, {"data", o->score.data, true}};
    struct sr_data_options how = o->how;
    struct sr_scoring s = {0};
    struct sr_calibrator *calibrator = NULL;
    int status;
    how.features_only = true;
    if ((o->out && (status = sr_data_scores_form("out", o->out, err)) < 0) ||
        (status = sr_scoring_open(&s, &o->score, &how, threshold_given, err)) < 0 ||
        (status = sr_inputs_spare(inputs, SR_COUNT(inputs), "out", o->out, err)) < 0)
        goto out;
    sr_log_info("threshold %s: %s", s.threshold_text, s.threshold_origin);
    if ((status = sr_calibrator_of_weights(&calibrator, o->score.model,
                                           sr_router_metadata(s.router, "calibration"), err)) < 0)
        goto out;
    if (calibrator)
        sr_log_info("calibrated by the weights' %s", sr_calibrator_method(calibrator));
    if ((status = sr_scoring_run(&s, err)) < 0)
        goto out;
    warn_of_reasons(&s.scores);
    status = write_scores(&s, calibrator, o->out, err);
out:
    sr_calibrator_free(calibrator);
    sr_scoring_close(&s);
    return status;
}

int sr_cmd_infer(int argc, char **argv) {
    struct infer_options opts = {0}; /* not every field of `how` is an option */
    struct sr_options o;
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &opts, argc, argv, &err);
    if (status > 0)
        status = run(&opts, sr_options_given(&o, "threshold"), &err);
    return sr_command_end(&o, status, &err);
}
