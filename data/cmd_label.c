/* cmd_label.c: `saferoute data label`: labels from gold and the guards' verdicts, stored.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "data/cmd_data.h"
#include "data/relabel.h"

struct label_options {
    char *from, *out;
    double harm_price;
    struct sr_data_options data;
};

static const struct sr_option table[] = {
    {"from", SR_OPTION_TEXT, offsetof(struct label_options, from), .metavar = "A.h5", .operand = true,
     .help = "feature dump to read"},
    {"out", SR_OPTION_TEXT, offsetof(struct label_options, out), .metavar = "B.h5", .output = true,
     .help = "feature dump to write; may be A.h5 itself"},
    {"harm_price", SR_OPTION_REAL, offsetof(struct label_options, harm_price), .fallback = "0", .max = 1e6,
     .metavar = "H",
     .help = "weight of rows that only the small guard has right; 0: weights stay as they are"},
    {"small_threshold", SR_OPTION_REAL, offsetof(struct label_options, data.small_threshold), .fallback = "0",
     .max = 1,
     .help =
         "the small guard says unsafe from this probability on; stored; 0: the dump's attribute, else .5"},
    {"large_threshold", SR_OPTION_REAL, offsetof(struct label_options, data.large_threshold), .fallback = "0",
     .max = 1, .help = "the same for the large guard"},
    SR_DATA_FEATURE_OPTIONS(struct label_options, data),
    SR_DATA_NAME(struct label_options, data, label, "the labels to compare with"),
    SR_DATA_NAME(struct label_options, data, gold, "human labels"),
    SR_DATA_NAME(struct label_options, data, small_prob, "the small guard's probabilities"),
    SR_DATA_NAME(struct label_options, data, small_pred, "the small guard's verdicts"),
    SR_DATA_NAME(struct label_options, data, large_prob, "the large guard's probabilities"),
    SR_DATA_NAME(struct label_options, data, large_pred, "the large guard's verdicts"),
    SR_DATA_NAME(struct label_options, data, weight, "row weights"),
};

static const struct sr_command command = {
    .name = "data label",
    .usage =
        "usage: saferoute data label A.h5 --out B.h5 [options]\n"
        "\n"
        "Writes a dump anew with /label made from gold and the guards' verdicts: 1 where the small guard is\n"
        "wrong and the large one right, -1 where gold or a verdict is not known, else 0. A label that was\n"
        "stored is replaced, and how many changed is said. Thresholds that are given cut the verdicts anew\n"
        "and are stored, so that every command reads the new dump as it was labelled.\n"
        "\n"
        "--harm-price H makes /weight H times what it was (1 where there was none) for rows that the small\n"
        "guard has right and the large one wrong: routing them does harm, while rows on which both agree\n"
        "cost only the large guard's time. Training multiplies a row's loss by /weight, so with H = 5 such "
        "a\n"
        "row counts as much as five others that are not to be routed. The scores come out lower near such\n"
        "rows, and the threshold is to be chosen again; metrics count every row once. The price is stored "
        "as\n"
        "root attribute harm_price, and a dump that has one is not labelled again.\n",
    .notes =
        "examples:\n"
        "  saferoute data label all.h5 --out labelled.h5 --small-threshold 0.3 --large-threshold 0.5\n"
        "  saferoute data label all.h5 --out priced.h5 --harm-price 5\n"
        "\n"
        "exit status: 0 done, 2 usage, 65 bad data, 66 no such file, 71 out of memory, 74 it could not be\n"
        "  written\n",
    .table = table,
    .count = SR_COUNT(table),
};

static void print_cell(const char *what, size_t n, size_t known) {
    printf("  %-28s %8zu  %5.1f %%\n", what, n, known ? 100 * (double)n / (double)known : 0.0);
}

static void print_labels(const struct sr_relabelled *t, const char *out) {
    const size_t known = t->rows - t->unknown;
    printf("%s: %zu rows; labels %s\n", out, t->rows, t->cuts);
    print_cell("both guards right", t->both, known);
    print_cell("small guard only", t->small_only, known);
    print_cell("large guard only (label 1)", t->large_only, known);
    print_cell("none", t->none, known);
    if (t->unknown > 0)
        printf("  %-28s %8zu\n", "not known (label -1)", t->unknown);
    if (!t->had_label)
        puts("no labels were stored before");
    else if (t->changed == 0)
        printf("all %zu labels that were known before stayed\n", t->compared);
    else
        printf("%zu of %zu labels that were known before changed, the first in row %zu\n", t->changed,
               t->compared, t->first_changed);
}

static int run(const struct label_options *o, struct sr_error *err) {
    struct sr_relabelled done;
    if (!o->from || !o->out)
        return sr_fail(err, SR_USAGE, "data label: %s",
                       o->from ? "--out is missing; it names the dump to write"
                               : "which dump? give its name");
    struct sr_log_stage stage = sr_log_stage_begin("writing");
    const int status =
        sr_relabel_write(&done, o->out, o->from, o->harm_price, &o->data, sr_log_stage_show, &stage, err);
    if (status < 0)
        return status;
    print_labels(&done, o->out);
    if (o->harm_price > 0)
        printf("%zu rows that only the small guard has right weigh %g times as much\n", done.small_only,
               o->harm_price);
    return 0;
}

int sr_cmd_data_label(int argc, char **argv) {
    struct label_options opts = {0};
    struct sr_options o;
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &opts, argc, argv, &err);
    if (status > 0)
        status = run(&opts, &err);
    return sr_command_end(&o, status, &err);
}
