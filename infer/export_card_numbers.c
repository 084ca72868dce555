/* export_card_numbers.c: where the router comes from and what was measured of it, with the rows that each
 * number is of; see export_card.h.
 *
 * Numbers of rows that chose something are called that: they flatter.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/data.h"
#include "eval/eval.h"
#include "infer/export_card.h"

static void put_named(FILE *to, const char *name, const char *text) {
    fprintf(to, "- %s: ", name);
    sr_card_put_code(to, text);
    putc('\n', to);
}

/* ---- threshold ---- */

/* "`budget=0.2`, as many rows routed as this share allows" where it is a rule of sweep. */
static void put_rule(FILE *to, const char *rule) {
    struct sr_rule_request request;
    fputs("- rule that chose it: ", to);
    sr_card_put_code(to, rule);
    if (rule && sr_rule_parse(&request, rule, NULL) == 0) {
        const char *help = request.rule->help;
        size_t n = strcspn(help, ";(");
        while (n > 0 && help[n - 1] == ' ')
            n--;
        fprintf(to, ": %.*s", (int)n, help);
    }
    putc('\n', to);
}

void sr_card_put_threshold(FILE *to, const struct sr_card *c) {
    const struct sr_export *e = c->e;
    char text[SR_DECIMAL_TEXT];
    const char *traffic = sr_export_of_threshold(e, "threshold_traffic");
    fputs("## Threshold\n\n", to);
    fprintf(to, "- threshold: %s\n",
            e->has_threshold ? sr_decimal_float(text, e->threshold) : "**unknown**, none is chosen yet");
    put_rule(to, e->threshold_rule);
    put_named(to, "data it was chosen on", sr_export_of_threshold(e, "threshold_data"));
    if (traffic)
        put_named(to, "unlabelled traffic it was chosen on", traffic);
    fputs(
        "\nprob is compared as float32 with the threshold rounded to float32. A row without a score (a NaN "
        "or an infinity\n"
        "among its numbers) goes to the large guard. Data is named by its data_id, a hash that a repacked or "
        "converted copy\n"
        "shares.\n\n",
        to);
}

/* ---- training ---- */

/* About how many rows a sketch in the metadata stands for. */
static void put_rows(FILE *to, const struct sr_export *e, const char *name, const char *key) {
    const char *text = sr_export_metadata(e, key);
    struct sr_sketch s;
    fprintf(to, "- %s: ", name);
    if (!text || sr_sketch_parse(&s, text, "", key, NULL) < 0) {
        fputs("**unknown**\n", to);
        return;
    }
    const double rows = sr_sketch_rows(&s);
    if (s.n == SR_SKETCH_ROWS)
        fputs("about ", to);
    sr_card_put_count(to, (uint64_t)(s.n == SR_SKETCH_ROWS ? rint(rows / 100) * 100 : rows));
    fputs(s.n == SR_SKETCH_ROWS ? " (estimated from " : " (from ", to);
    fprintf(to, "`%s`)\n", key);
}

static void put_labels(FILE *to, const struct sr_export *e) {
    static const struct sr_pair label[] = {
#define X(key, text) {#key, text},
        SR_LABEL_CONTRACT_LIST(X)
#undef X
    };
    fputs("\nA row's label is 1 where the small guard is wrong and the large one right. The labels were "
          "of:\n\n",
          to);
    for (size_t i = 0; i < SR_COUNT(label); i++) {
        fprintf(to, "- %s (`%s`): ", label[i].value, label[i].key);
        sr_card_put_code(to, sr_export_metadata(e, label[i].key));
        putc('\n', to);
    }
    putc('\n', to);
}

void sr_card_put_training(FILE *to, const struct sr_card *c) {
    const struct sr_export *e = c->e;
    const char *share = sr_export_metadata(e, "train_share");
    const double seen = share ? strtod(share, NULL) : 0;
    fputs("## Training data\n\n", to);
    put_named(to, "trained on", sr_export_metadata(e, "trained_on"));
    put_rows(to, e, "distinct rows that trained it, the parent's among them", "rows_trained");
    put_named(to, "best epoch chosen on", sr_export_metadata(e, "selected_on"));
    put_rows(to, e, "distinct rows that chose epochs", "rows_selected");
    put_rows(to, e, "distinct rows that chose the threshold or the calibration", "rows_calibrated");
    if (seen > 0 && seen < 1)
        fprintf(to, "- share of positive rows as the loss weighed them: %.4g %%\n", 100 * seen);
    else
        fputs("- share of positive rows as the loss weighed them: **unknown**\n", to);
    put_labels(to, e);
}

/* ---- measured ---- */

static void put_validation(FILE *to, const struct sr_card *c) {
    static const struct sr_pair figures[] = {{"val/auprc", "AUPRC"},
                                             {"val/base_rate", "AUPRC of chance (share of positive rows)"},
                                             {"val/auroc", "AUROC"},
                                             {"val/f1", "F1 at threshold 0.6"},
                                             {"val/recall", "recall at threshold 0.6"},
                                             {"val/precision", "precision at threshold 0.6"},
                                             {"val/share_routed", "share routed at threshold 0.6"}};
    double epoch, value;
    fputs("### Rows that chose the epoch\n\n", to);
    if (!c->metrics) {
        fputs("**Unknown**: the weights hold no metrics of training.\n\n", to);
        return;
    }
    fputs("Labels against decisions on the validation rows", to);
    if (sr_json_as_number(sr_json_get(c->metrics, "epoch"), &epoch))
        fprintf(to, ", epoch %.0f", epoch);
    fputs(". It was chosen on them: on others expect a little less.\n\n| | |\n|---|---|\n", to);
    for (size_t i = 0; i < SR_COUNT(figures); i++) {
        const struct sr_json *v = sr_json_get(c->metrics, figures[i].key);
        if (sr_json_as_number(v, &value))
            fprintf(to, "| %s | %.4f |\n", figures[i].value, value);
        else
            fprintf(to, "| %s | %s |\n", figures[i].value, sr_json_is_null(v) ? "undefined" : "**unknown**");
    }
    putc('\n', to);
}

static void put_chosen(FILE *to, const struct sr_card *c) {
    const char *chose = sr_export_of_threshold(c->e, "threshold_data"),
               *selected = sr_export_metadata(c->e, "selected_on"),
               *trained = sr_export_metadata(c->e, "trained_on");
    fputs("### Rows that chose the threshold\n\n", to);
    if (!c->threshold_metrics) {
        fputs("**Unknown**: nothing is stored that was measured where this threshold was chosen.\n\n", to);
        return;
    }
    fputs("The threshold was fitted to these rows: on others expect a little less.", to);
    if (chose && trained && strcmp(chose, trained) == 0)
        fputs(" **They are the rows of training: the numbers mean little.**", to);
    else if (chose && selected && strcmp(chose, selected) == 0)
        fputs(" They chose the epoch as well.", to);
    fputs("\n\n", to);
    sr_card_put_evaluation(to, c->threshold_metrics);
}

/* The files an evaluation names. */
static void put_files(FILE *to, const struct sr_json *evaluation) {
    const struct sr_json *files = sr_json_get(evaluation, "data");
    for (size_t i = 0; i < sr_json_size(files); i++) {
        fputs(i ? ", " : "", to);
        sr_card_put_code(to, sr_json_as_string(sr_json_at(files, i)));
    }
    if (sr_json_size(files) == 0)
        fputs("**unknown**", to);
}

/* What the rows of the evaluation had been used for before: a warning, or that this is not known. */
static void put_used(FILE *to, const struct sr_json *evaluation) {
    static const struct sr_pair uses[] = {{"trained", "trained the router"},
                                          {"selected", "chose the epoch"},
                                          {"calibrated", "chose the threshold or the calibration"}};
    size_t clean = 0;
    for (size_t i = 0; i < SR_COUNT(uses); i++) {
        const struct sr_json *use = sr_json_get(sr_json_get(evaluation, "used"), uses[i].key);
        double rows, share;
        if (!sr_json_as_number(sr_json_get(use, "rows"), &rows)) {
            fprintf(to, "Whether some of them %s is **unknown**.\n", uses[i].value);
        } else if (rows > 0) {
            fputs("**At least ", to);
            sr_card_put_count(to, (uint64_t)fmin(rows, 1e15));
            fprintf(to, " of them %s", uses[i].value);
            if (sr_json_as_number(sr_json_get(use, "share"), &share))
                fprintf(to, " (about %.3g %% of all)", 100 * share);
            fputs(": these numbers flatter.**\n", to);
        } else {
            clean++;
        }
    }
    if (clean == SR_COUNT(uses))
        fputs("None of them was seen among those that trained the router or chose epoch, threshold or "
              "calibration.\n",
              to);
    putc('\n', to);
}

static void put_test(FILE *to, const struct sr_json *evaluation) {
    if (!evaluation) {
        fputs("**Not measured on rows of its own.** The numbers here are of rows that chose something. These "
              "two commands make\n"
              "this page with numbers of rows that chose nothing:\n\n"
              "```sh\n"
              "saferoute eval --model " SR_CARD_WEIGHTS " --data TEST.h5 --json > eval.json\n"
              "saferoute export --model " SR_CARD_WEIGHTS " --to card --eval eval.json --out README.md\n"
              "```\n\n",
              to);
        return;
    }
    fputs("### Test rows\n\nFrom ", to);
    put_files(to, evaluation);
    fputs(". ", to);
    put_used(to, evaluation);
    if (!sr_json_as_string(sr_json_get(evaluation, "model_sha256")))
        fputs("The report does not say which weights it measured; the threshold is the same.\n\n", to);
    sr_card_put_evaluation(to, evaluation);
    sr_card_put_slices(to, evaluation);
}

void sr_card_put_measured(FILE *to, const struct sr_card *c) {
    fputs("## Measured\n\n", to);
    put_test(to, c->e->evaluation);
    if (c->e->router->precision != SAFEROUTE_COMPUTE_FLOAT32)
        fprintf(to, "**The numbers below are of the float32 weights, before they were rounded to %s.**\n\n",
                sr_precision_name(c->e->router->precision));
    put_chosen(to, c);
    put_validation(to, c);
}

/* ---- calibration ---- */

void sr_card_put_calibration(FILE *to, const struct sr_card *c) {
    const char *method = sr_json_as_string(sr_json_get(c->calibration, "method"));
    double temperature;
    fputs("## Calibration\n\n", to);
    if (!sr_export_metadata(c->e, "calibration")) {
        fputs("None. prob orders rows; it is no frequency.\n\n", to);
        return;
    }
    put_named(to, "method", method);
    if (sr_json_as_number(sr_json_get(c->calibration, "temperature"), &temperature))
        fprintf(to, "- temperature: %.6g; calibrated = 1/(1+exp(-logit/temperature))\n", temperature);
    put_named(to, "fitted on", sr_export_metadata(c->e, "calibration_data"));
    fputs("\nIt stands in the metadata of the weights and gives `saferoute infer` a column `calibrated`. "
          "Decisions are made\n"
          "with the raw prob; it moves none of them.\n\n",
          to);
}
