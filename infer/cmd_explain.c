/* cmd_explain.c: `saferoute explain`: a decision from the log of a serving process, made again.
 *
 * The line says which router decided (the hash of its file), in which precision, at which threshold. The same
 * file and the same features give the same bits on every CPU, so anything else is an answer too: another
 * router, other features, or a line that was changed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/data.h"
#include "infer/cmd_explain_line.h"
#include "infer/infer.h"

#define LINE_MOST ((size_t)1 << 20)

struct explain_options {
    char *model, *decision, *features;
    int64_t row;
    bool isolate;
};

static const struct sr_option table[] = {
    {"model", SR_OPTION_TEXT, offsetof(struct explain_options, model), .metavar = "W",
     .help = "the weights that decided"},
    {"decision", SR_OPTION_TEXT, offsetof(struct explain_options, decision), .metavar = "LINE|FILE",
     .help = "the line of JSON that saferoute_decision_json wrote, or a file that holds it"},
    {"features", SR_OPTION_TEXT, offsetof(struct explain_options, features), .metavar = "F",
     .help = "the row's features: a dump (.h5), .npy, .safetensors or .pt"},
    {"row", SR_OPTION_INTEGER, offsetof(struct explain_options, row), .fallback = "0", .min = 0,
     .max = UINT32_MAX, .metavar = "N",
     .help = "which row of F; of a dump with ids that of the line's id unless this is given"},
    SR_ISOLATE_OPTION(struct explain_options, isolate),
};

static const struct sr_command command = {
    .name = "explain",
    .usage =
        "usage: saferoute explain --model W --decision LINE --features F [--row N]\n"
        "\n"
        "Makes a logged decision again, from the router and the features it was made of, and says whether it "
        "is the\n"
        "same: the same router file, the same logit, the same decision, and why it went where it went.\n",
    .notes = "example:\n"
             "  saferoute explain --model router.safetensors --decision line.json --features row.npy\n"
             "\n"
             "exit status: 0 the same, 1 different, 2 usage, 65 bad data, 66 no such file, 74 I/O error\n",
    .table = table,
    .count = SR_COUNT(table),
};

/* ---- the line ---- */

/* The option's own text where it is JSON, else the file of that name. */
static int line_read(struct sr_explain_line *l, const char *option, struct sr_error *err) {
    void *text = NULL;
    size_t size = strlen(option);
    const bool is_line = option[strspn(option, " \t")] == '{';
    int status = is_line ? 0 : sr_file_read(&text, &size, option, LINE_MOST, err);
    if (status == 0)
        status = sr_explain_line_parse(l, is_line ? option : text, size, err);
    sr_free(text);
    return status;
}

/* ---- the features ---- */

static int need_row(const struct explain_options *o, uint64_t rows, struct sr_error *err) {
    return sr_fail(err, SR_USAGE, "%s has %llu rows; --row N says which one the line is of", o->features,
                   (unsigned long long)rows);
}

static int find_id(uint32_t *row, const struct sr_data *d, const struct sr_explain_line *l, const char *path,
                   struct sr_error *err) {
    for (size_t i = 0; i < d->rows; i++)
        if (d->id[i] && strcmp(d->id[i], l->id) == 0) {
            *row = (uint32_t)i;
            return 0;
        }
    return sr_fail(err, SR_DATA, "%s: no row has the id \"%.100s\" of the line; --row N says which one it is",
                   path, l->id);
}

/* x: allocated, free with sr_free. */
static int dump_row(void **x, size_t *width, const struct explain_options *o, bool row_given,
                    const struct sr_explain_line *l, struct sr_error *err) {
    const struct sr_data_options how = {.features_only = true};
    const struct sr_loader_options order = {.order = SR_ORDER_FILE, .batch = 1};
    struct sr_data *d = NULL;
    struct sr_loader *loader = NULL;
    struct sr_batch batch;
    uint32_t row = (uint32_t)o->row;
    int status = sr_data_open(&d, o->features, &how, err);
    if (status == 0 && !row_given && d->id && l->id[0])
        status = find_id(&row, d, l, o->features, err);
    else if (status == 0 && !row_given && d->rows > 1)
        status = need_row(o, d->rows, err);
    if (status == 0 && row >= d->rows)
        status = sr_fail(err, SR_DATA, "%s: there is no row %u, only %zu rows", o->features, row, d->rows);
    if (status == 0)
        status = sr_loader_create(&loader, d, &row, 1, &order, err);
    if (status == 0 && (status = sr_loader_start(loader, 0, 0, err)) == 0 &&
        (status = sr_loader_next(loader, &batch, err)) > 0) {
        *width = d->width;
        *x = sr_alloc(d->width, sizeof(float), err);
        status = *x ? 0 : SR_NOMEM;
        if (*x)
            memcpy(*x, batch.x, d->width * sizeof(float));
    }
    sr_loader_free(loader);
    sr_data_close(d);
    return status;
}

/* Tensors of one row, or rows by --row. */
static int tensor_row(void **x, size_t *width, enum saferoute_dtype *dtype, const struct explain_options *o,
                      bool row_given, struct sr_error *err) {
    struct sr_tensors *file;
    int status = sr_tensors_open(&file, o->features, err);
    if (status < 0)
        return status;
    const struct sr_tensor_info *t = sr_tensors_count(file) == 1 ? sr_tensors_at(file, 0) : NULL;
    const bool fits = t && (t->dtype == SR_F32 || t->dtype == SR_F16 || t->dtype == SR_BF16) &&
                      (t->rank == 1 || t->rank == 2) && t->shape[t->rank - 1] <= SR_DATA_WIDTH_MAX;
    if (!fits)
        status = sr_fail(err, SR_DATA, "%s: not one tensor [D] or [N, D] of float32, float16 or bfloat16",
                         o->features);
    else if (!row_given && t->rank == 2 && t->shape[0] > 1)
        status = need_row(o, t->shape[0], err);
    else if ((uint64_t)o->row >= (t->rank == 2 ? t->shape[0] : 1))
        status = sr_fail(err, SR_DATA, "%s: there is no row %" PRId64, o->features, o->row);
    if (status == 0) {
        *width = (size_t)t->shape[t->rank - 1];
        *dtype = t->dtype == SR_F32   ? SAFEROUTE_FLOAT32
                 : t->dtype == SR_F16 ? SAFEROUTE_FLOAT16
                                      : SAFEROUTE_BFLOAT16;
        *x = sr_alloc(*width, sizeof(float), err);
        status = *x ? sr_tensors_read(file, 0, (uint64_t)o->row * *width, *x, *width, err) : SR_NOMEM;
    }
    sr_tensors_close(file);
    return status;
}

/* ---- the decision, again ---- */

/* What the serving process had set. */
static struct saferoute_options options_of(const struct sr_explain_line *l) {
    return (struct saferoute_options){.precision = (enum saferoute_precision)l->precision,
                                      .range = strcmp(l->range_mode, "off") == 0     ? SAFEROUTE_RANGE_OFF
                                               : strcmp(l->range_mode, "count") == 0 ? SAFEROUTE_RANGE_COUNT
                                                                                     : SAFEROUTE_RANGE_ROUTE,
                                      .has_threshold = !isnan(l->threshold),
                                      .threshold = l->threshold};
}

static bool same_number(float a, float b) {
    return a == b || (!isfinite(a) && !isfinite(b)); /* both null in the line */
}

static void print_word(const char *name, const char *then, const char *now) {
    if (strcmp(then, now) == 0)
        printf("%-12s %s\n", name, now);
    else
        printf("%-12s %s, in the line %s\n", name, now, then);
}

/* As the line has it. */
static const char *number_text(char text[SR_DECIMAL_TEXT], float value) {
    return isfinite(value) ? sr_decimal_float(text, value) : "null";
}

static void print_number(const char *name, float then, float now) {
    char a[SR_DECIMAL_TEXT], b[SR_DECIMAL_TEXT];
    print_word(name, number_text(a, then), number_text(b, now));
}

/* EXPLORE and OVERLOAD are made of what a serving process knew besides the row. */
static const char *expected_reason(const char *reason) {
    if (strcmp(reason, saferoute_reason_name(SAFEROUTE_REASON_EXPLORE)) == 0)
        return saferoute_reason_name(SAFEROUTE_REASON_SCORE);
    if (strcmp(reason, saferoute_reason_name(SAFEROUTE_REASON_OVERLOAD)) == 0)
        return saferoute_reason_name(SAFEROUTE_REASON_OUT_OF_RANGE);
    return reason;
}

static bool is_same(const struct sr_explain_line *l, const struct saferoute_decision *d,
                    const char *decision) {
    const bool explored = strcmp(l->reason, saferoute_reason_name(SAFEROUTE_REASON_EXPLORE)) == 0;
    return same_number(l->logit, d->logit) && same_number(l->prob, d->prob) &&
           same_number(l->calibrated, d->calibrated) && same_number(l->range, d->range) &&
           same_number(l->range_limit, d->range_limit) && strcmp(l->decision, decision) == 0 &&
           !(explored && d->large) &&
           strcmp(expected_reason(l->reason), saferoute_reason_name(d->reason)) == 0;
}

/* A serving process may have been given another one than the file's. */
static void print_threshold(const struct sr_explain_line *l, const struct saferoute_router *r) {
    const char *stored = saferoute_metadata(r, "threshold");
    char text[SR_DECIMAL_TEXT], clean[64];
    double number = (double)NAN;
    printf("%-12s %s", "threshold", sr_decimal_float(text, l->threshold));
    if (!stored)
        puts(", in the router's file none");
    else if (!sr_decimal_parse(&number, stored) || (float)number != l->threshold)
        printf(", in the router's file %s\n", sr_utf8_clean(clean, sizeof clean, stored));
    else
        putchar('\n');
}

static int report(const struct sr_explain_line *l, const struct saferoute_decision *d,
                  const struct saferoute_router *r, struct sr_error *err) {
    const bool explored = strcmp(l->reason, saferoute_reason_name(SAFEROUTE_REASON_EXPLORE)) == 0;
    const char *decision = d->large || explored ? "large" : "small", *artefact = saferoute_artefact(r);
    const bool same_router = strcmp(l->artefact, artefact) == 0,
               same = same_router && is_same(l, d, decision);
    printf("%s\n\n", same ? "same: the router decides again as the line says" : "different");
    print_word("router", l->artefact, artefact);
    printf("%-12s %s\n", "precision", sr_precision_name(l->precision));
    print_number("logit", l->logit, d->logit);
    print_number("prob", l->prob, d->prob);
    print_number("calibrated", l->calibrated, d->calibrated);
    print_threshold(l, r);
    print_number("range", l->range, d->range);
    print_number("range_limit", l->range_limit, d->range_limit);
    printf("%-12s %s\n", "range_mode", l->range_mode);
    print_word("decision", l->decision, decision);
    print_word("reason", l->reason, explored || same ? l->reason : saferoute_reason_name(d->reason));
    printf("%-12s %s\n", "",
           explored ? saferoute_reason_text(SAFEROUTE_REASON_EXPLORE) : saferoute_reason_text(d->reason));
    if (same)
        return 0;
    return sr_fail(err, SR_NO,
                   same_router
                       ? "the same router gives another result: the features are not those of the line, or "
                         "the line was changed"
                       : "these are not the weights that decided; find the file whose sha256sum is %s",
                   l->artefact);
}

static int run(const struct explain_options *o, bool row_given, struct sr_error *err) {
    struct sr_explain_line l = {0};
    struct saferoute_error why;
    struct saferoute_router *router = NULL;
    struct saferoute_decision d;
    void *x = NULL;
    size_t width = 0;
    enum saferoute_dtype dtype = SAFEROUTE_FLOAT32;
    if (!o->model || !o->decision || !o->features)
        return sr_fail(err, SR_USAGE, "--%s is missing",
                       !o->model      ? "model"
                       : !o->decision ? "decision"
                                      : "features");
    int status = line_read(&l, o->decision, err);
    if (status == 0 && (status = sr_is_hdf5(o->features, err)) >= 0)
        status = status ? dump_row(&x, &width, o, row_given, &l, err)
                        : tensor_row(&x, &width, &dtype, o, row_given, err);
    const struct saferoute_options options = options_of(&l);
    if (status == 0 && (status = saferoute_open(&router, o->model, &options, &why)) < 0)
        sr_fail(err, status, "%s", why.text);
    if (status == 0) {
        saferoute_decide(
            router, &d,
            &(struct saferoute_rows){.features = x, .dtype = dtype, .rows = 1, .width = width, .key = &l.key},
            NULL);
        status = report(&l, &d, router, err);
    }
    saferoute_close(router);
    sr_free(x);
    return status;
}

int sr_cmd_explain(int argc, char **argv) {
    struct explain_options opts = {0};
    struct sr_options o;
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &opts, argc, argv, &err);
    if (status > 0)
        status = run(&opts, sr_options_given(&o, "row"), &err);
    return sr_command_end(&o, status, &err);
}
