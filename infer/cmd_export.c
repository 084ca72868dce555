/* cmd_export.c: `saferoute export`: a router in the format that another program reads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/data.h"
#include "infer/export_card.h"
#include "infer/export_cost.h"

/* What rounding costs at most where weights and features are as they should be; more is warned of. */
#define COST_AUPRC .001
#define COST_FLIPS .01

struct export_options {
    char *model, *to, *out, *eval, *data;
    int dtype; /* enum saferoute_precision, less AS_STORED */
    double threshold;
    bool isolate;
};

static const struct sr_option table[] = {
    {"model", SR_OPTION_TEXT, offsetof(struct export_options, model), .metavar = "W",
     .help = "weights (safetensors)"},
    {"to", SR_OPTION_TEXT, offsetof(struct export_options, to), .metavar = "FORMAT",
     .help = "one of the formats below"},
    {"out", SR_OPTION_TEXT, offsetof(struct export_options, out), .metavar = "FILE", .output = true,
     .help = "file to write (a folder where the format is one); replaced only once the new one is complete"},
    {"threshold", SR_OPTION_REAL, offsetof(struct export_options, threshold), .max = 1, .metavar = "T",
     .help = "threshold to write; else the weights' own, which sweep --out stores"},
    {"eval", SR_OPTION_TEXT, offsetof(struct export_options, eval), .metavar = "F.json",
     .help = "what eval --json wrote of this router, for the card (--to card, hf)"},
    {"dtype", SR_OPTION_CHOICE, offsetof(struct export_options, dtype), .fallback = "float32",
     .choices = "float32|bfloat16|int8",
     .help = "for --to safetensors: folded weights of this type, which libsaferoute and this program read"},
    {"data", SR_OPTION_TEXT, offsetof(struct export_options, data), .metavar = "CALIBRATION.h5",
     .help = "with --dtype bfloat16 or int8: the rows on which it is measured what the rounding costs"},
    SR_ISOLATE_OPTION(struct export_options, isolate),
};

static const struct sr_command command = {
    .name = "export",
    .usage =
        "usage: saferoute export --model W --to FORMAT --out FILE [--threshold T] [--eval F.json]\n"
        "       saferoute export --model W --to safetensors --dtype int8 --data CALIBRATION.h5 --out FILE\n"
        "\n"
        "Writes a router in the format that another program reads. What was written is read back and "
        "its logits\n"
        "compared with the router's before it gets its name.\n",
    .notes = "formats:\n"
#define SR_EXPORT(name, ending, help) "  " #name "\n      " help "\n"
#include "infer/exports.def"
#undef SR_EXPORT
             "\n"
             "examples:\n"
             "  saferoute export --model router.safetensors --to onnx --out router.onnx\n"
             "  saferoute export --model run/best.safetensors --threshold 0.4 --to pt --out router.pt\n"
             "  saferoute export --model router.safetensors --to safetensors --dtype int8 --data "
             "calibration.h5 \\\n"
             "      --out router-int8.safetensors\n"
             "\n"
             "exit status: 0 done, 2 usage, 65 bad weights, 66 no such file, 70 what was written is not the "
             "router,\n"
             "71 out of memory, 74 I/O error\n",
    .table = table,
    .count = SR_COUNT(table),
};

static const struct sr_exporter *find_format(const char *name, struct sr_error *err) {
    static const char *const names[] = {
#define SR_EXPORT(name, ending, help) #name,
#include "infer/exports.def"
#undef SR_EXPORT
        NULL};
    const struct sr_exporter *to = sr_exporter_find(name);
    const char *near = sr_nearest(name, names);
    if (!to)
        sr_fail(err, SR_USAGE, "--to %.100s is no format%s%s%s (saferoute export --help lists them)", name,
                near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return to;
}

static int check_options(const struct export_options *o, struct sr_error *err) {
    const struct sr_input inputs[] = {
        {"model", o->model, false}, {"eval", o->eval, false}, {"data", o->data, true}};
    if (!o->model)
        return sr_fail(err, SR_USAGE, "--model is missing: the weights to export");
    if (!o->to)
        return sr_fail(err, SR_USAGE,
                       "--to is missing: the format to write (saferoute export --help lists them)");
    if (!o->out || !*o->out)
        return sr_fail(err, SR_USAGE, "--out is missing: the file to write");
    if (o->dtype > 0 && strcmp(o->to, "safetensors") != 0)
        return sr_fail(err, SR_USAGE, "--dtype is for --to safetensors; --to %s writes float32", o->to);
    if (o->dtype > 0 && !o->data)
        return sr_fail(
            err, SR_USAGE,
            "--data is missing: with --dtype the rows on which it is measured what rounding costs");
    if (o->data && o->dtype == 0)
        return sr_fail(err, SR_USAGE, "--data is for --dtype bfloat16 or int8: float32 costs nothing");
    return sr_inputs_spare(inputs, SR_COUNT(inputs), "out", o->out, err);
}

/* A router that decides elsewhere brings its threshold along: .6 by silence would be a guess. */
static int set_threshold(struct sr_export *e, const struct export_options *o, bool given,
                         struct sr_error *err) {
    e->threshold_rule = sr_router_metadata(e->router, "threshold_rule");
    e->has_threshold = given || sr_router_threshold(e->router, &e->threshold);
    if (!e->has_threshold)
        return sr_fail(err, SR_USAGE,
                       "%s has no threshold: choose one with saferoute sweep --rule ... --out W2, or give "
                       "--threshold T",
                       o->model);
    if (given) {
        e->threshold = (float)o->threshold;
        e->threshold_rule = "given";
    }
    return 0;
}

static int read_evaluation(struct sr_json **out, const struct sr_export *e, const struct export_options *o,
                           struct sr_error *err) {
    if (!o->eval)
        return 0;
    if (strcmp(o->to, "card") != 0 && strcmp(o->to, "hf") != 0)
        return sr_fail(err, SR_USAGE, "--eval is for the card: it plays no part in --to %s", o->to);
    return sr_card_evaluation_open(out, o->eval, e, err);
}

static void print_cost(const struct sr_export_cost *c, const char *dtype, const char *data) {
    const size_t flips = c->to_large + c->to_small;
    printf("%s instead of float32, on %zu rows of %s\n"
           "prob       changes by %.5f at most, %.5f on average\n"
           "decisions  %zu flip (%.2f %%): %zu to the large guard, %zu to the small one\n",
           dtype, c->rows, data, c->largest, c->mean, flips, 100 * (double)flips / (double)c->rows,
           c->to_large, c->to_small);
    if (isnan(c->auprc))
        puts("AUPRC      not known: the rows have no labels of both classes");
    else
        printf("AUPRC      %.5f before, %.5f after (%+.5f)\n", c->auprc, c->auprc_rounded,
               c->auprc_rounded - c->auprc);
}

/* The weights file, read once: it may be replaced under its name, and what is written is of one of the two.
 */
struct bytes {
    void *at;
    size_t size;
};

/* Opens the rounded router and says what it costs. */
static int round_weights(struct sr_router **rounded, struct sr_export *e, const struct export_options *o,
                         const struct bytes *b, struct sr_error *err) {
    struct sr_log_stage stage = sr_log_stage_begin("measuring what rounding costs");
    const struct saferoute_options options = {.precision = SAFEROUTE_COMPUTE_FLOAT32 + o->dtype};
    struct sr_export_cost cost;
    if (e->rounded)
        return sr_fail(err, SR_USAGE,
                       "%s holds weights of %s already: what rounding costs is measured against "
                       "the float32 weights they were made from",
                       o->model, sr_router_precision(e->rounded));
    int status = sr_router_open_bytes(rounded, b->at, b->size, o->model, &options, err);
    if (status < 0 || (status = sr_router_unpack(*rounded, err)) < 0)
        return status;
    e->rounded = *rounded;
    status = sr_export_cost_measure(&cost, e, o->data, sr_log_stage_show, &stage, err);
    if (status == 0)
        print_cost(&cost, sr_router_precision(*rounded), o->data);
    if (status == 0 && (cost.auprc - cost.auprc_rounded > COST_AUPRC ||
                        (double)(cost.to_large + cost.to_small) > COST_FLIPS * (double)cost.rows))
        sr_log_warn(
            "rounding costs more than it usually does (.001 AUPRC, 1 %% of the decisions); look before you "
            "deploy these weights");
    return status;
}

static void print_done(const struct sr_export *e, const struct export_options *o,
                       const struct sr_exporter *to) {
    char threshold[SR_DECIMAL_TEXT];
    printf("%s: written as %s, read back, the same router; threshold %s%s%s\n", o->out, o->to,
           sr_decimal_float(threshold, e->threshold), e->threshold_rule ? ", rule " : "",
           e->threshold_rule ? e->threshold_rule : "");
    if (e->rounded)
        printf("folded %s weights with their range check, for libsaferoute and this program\n",
               sr_router_precision(e->rounded));
    else
        printf("%s\n", to->help);
}

static int run(const struct export_options *o, bool threshold_given, struct sr_error *err) {
    const struct sr_exporter *to;
    struct sr_safetensors *file = NULL;
    struct sr_router *router = NULL, *rounded = NULL;
    struct sr_json *evaluation = NULL;
    struct sr_export e = {0};
    struct bytes b;
    int status = check_options(o, err);
    if (status < 0)
        return status;
    if (!(to = find_format(o->to, err)))
        return SR_USAGE;
    if ((status = sr_safetensors_bytes(&b.at, &b.size, o->model, err)) < 0)
        return status;
    if ((status = sr_safetensors_open_memory(&file, b.at, b.size, o->model, err)) < 0 ||
        (status = sr_router_open_bytes(&router, b.at, b.size, o->model, NULL, err)) < 0 ||
        (status = sr_router_unpack(router, err)) < 0)
        goto out;
    e.file = file;
    e.router = router;
    if ((status = set_threshold(&e, o, threshold_given, err)) < 0 ||
        (status = read_evaluation(&evaluation, &e, o, err)) < 0)
        goto out;
    e.evaluation = evaluation;
    if (router->precision != SAFEROUTE_COMPUTE_FLOAT32)
        e.rounded = router; /* the file itself holds rounded weights */
    if (o->dtype > 0 && (status = round_weights(&rounded, &e, o, &b, err)) < 0)
        goto out;
    if ((status = sr_export(&e, to, o->out, err)) == 0)
        print_done(&e, o, to);
out:
    sr_json_free(evaluation);
    sr_router_close(rounded);
    sr_router_close(router);
    sr_safetensors_close(file);
    sr_free(b.at);
    return status;
}

int sr_cmd_export(int argc, char **argv) {
    struct export_options opts = {0};
    struct sr_options o;
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &opts, argc, argv, &err);
    if (status > 0)
        status = run(&opts, sr_options_given(&o, "threshold"), &err);
    return sr_command_end(&o, status, &err);
}
