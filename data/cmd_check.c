/* cmd_check.c: `saferoute data check`: what is wrong with dumps, before a router is trained on them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "data/check.h"
#include "data/cmd_data.h"
#include "data/near.h"

struct check_options {
    char *data, *config;
    double near;
    bool json;
    struct sr_data_options dump;
};

static const struct sr_option table[] = {
    {"data", SR_OPTION_TEXT, offsetof(struct check_options, data), .metavar = "F.h5", .operand = true,
     .repeats = true,
     .help = "dumps, the one to train on first; patterns (*, ?) stand for the files they match"},
    {"config", SR_OPTION_TEXT, offsetof(struct check_options, config), .metavar = "RUN/config.yaml",
     .help = "settings of a run, held against the classes and weights of the first dump"},
    {"near", SR_OPTION_REAL, offsetof(struct check_options, near), .fallback = "0.95", .max = 1,
     .metavar = "COSINE",
     .help = "rows are near duplicates from here on (0.8 to 1); 0: exact duplicates only"},
    {"json", SR_OPTION_SWITCH, offsetof(struct check_options, json), .help = "the findings as JSON"},
    SR_DATA_FEATURE_OPTIONS(struct check_options, dump),
    SR_DATA_LABEL_OPTIONS(struct check_options, dump),
};

#define X(name, what) "  " #name ": " what "\n"
static const struct sr_command command = {
    .name = "data check",
    .usage =
        "usage: saferoute data check TRAIN.h5 [VAL.h5 ..] [--config RUN/config.yaml] [--json]\n\n"
        "Looks through dumps for what makes wrong routers. Features are read once; rows that may be near\n"
        "duplicates are read again. What is looked for:\n"
#include "data/checks.def"
    ,
    .notes =
        "example:\n"
        "  saferoute data check train.h5 calibration.h5 test.h5\n"
        "\n"
        "exit status: 0 nothing serious, 1 something serious was found, 2 usage, 65 a file whose features\n"
        "cannot be read, 66 no such file, 71 out of memory\n",
    .table = table,
    .count = SR_COUNT(table),
};
#undef X

/* ---- settings of a run ---- */

struct run_options {
    int sampler, loss;
    double alpha, pos_weight;
};

/* Four of the settings of train, with its defaults; a test holds them to those. */
static const struct sr_option run_table[] = {
    {"sampler", SR_OPTION_CHOICE, offsetof(struct run_options, sampler), .fallback = "balanced",
     .choices = "balanced|none"},
    {"loss", SR_OPTION_CHOICE, offsetof(struct run_options, loss), .fallback = "focal",
     .choices = "focal|bce"},
    {"alpha", SR_OPTION_REAL, offsetof(struct run_options, alpha), .fallback = "0.75", .max = 1},
    {"pos_weight", SR_OPTION_REAL, offsetof(struct run_options, pos_weight), .fallback = "1", .min = 1e-6,
     .max = 1e6},
};

static int read_run(struct sr_check_imbalance *out, const char *path, struct sr_error *err) {
    struct run_options run;
    struct sr_options o;
    int status = sr_options_begin(&o, run_table, SR_COUNT(run_table), &run, err);
    if (status == 0)
        status = sr_option_file_read(&o, path, true, err);
    if (status == 0)
        *out = (struct sr_check_imbalance){.balanced = run.sampler == 0,
                                           .alpha = run.loss == 0 ? run.alpha : .5,
                                           .pos_weight = run.pos_weight};
    sr_options_end(&o);
    return status;
}

/* ---- for people ---- */

static void print_rows(const struct sr_finding *f) {
    char text[256];
    for (size_t i = 0; i < f->rows; i++) {
        const bool elsewhere = !f->path || strcmp(f->path, f->row[i].path) != 0;
        printf("%s%s%srow %zu", i == 0 ? "         e.g. " : ", ", elsewhere ? f->row[i].path : "",
               elsewhere ? " " : "", f->row[i].row);
        if (f->row[i].id)
            printf(" (%s)", sr_utf8_clean(text, sizeof text, f->row[i].id));
    }
    if (f->rows)
        putchar('\n');
}

static void print_finding(const struct sr_finding *f) {
    char text[SR_CHECK_TEXT];
    printf("%s  %s: %s%s", f->serious ? "SERIOUS" : "remark ", f->kind, f->path ? f->path : "",
           f->path ? ": " : "");
    puts(sr_utf8_clean(text, sizeof text, f->text));
    print_rows(f);
    printf("         %s\n", sr_utf8_clean(text, sizeof text, f->advice));
}

static void print_verdict(const struct sr_check *c) {
    const size_t remarks = c->findings - c->serious;
    char rows[SR_COUNT_TEXT];
    if (c->serious)
        printf("%zu serious finding%s%s", c->serious, c->serious > 1 ? "s" : "", remarks ? ", " : "");
    if (remarks)
        printf("%zu remark%s", remarks, remarks > 1 ? "s" : "");
    printf("%s in %s rows of %zu file%s\n", c->findings ? "" : "nothing found", sr_count_text(rows, c->rows),
           c->files, c->files > 1 ? "s" : "");
}

/* ---- for programs ---- */

static struct sr_json *finding_json(const struct sr_finding *f) {
    struct sr_json *o = sr_json_object(), *numbers = sr_json_object(), *rows = sr_json_array();
    sr_json_set(o, "kind", sr_json_string(f->kind));
    sr_json_set(o, "severity", sr_json_string(f->serious ? "serious" : "remark"));
    sr_json_set(o, "file", sr_json_string(f->path));
    sr_json_set(o, "text", sr_json_string(f->text));
    sr_json_set(o, "advice", sr_json_string(f->advice));
    for (size_t i = 0; i < f->numbers; i++)
        sr_json_set(numbers, f->number[i].name, sr_json_number(f->number[i].value));
    for (size_t i = 0; i < f->rows; i++) {
        struct sr_json *row = sr_json_object();
        sr_json_set(row, "file", sr_json_string(f->row[i].path));
        sr_json_set(row, "row", sr_json_integer((int64_t)f->row[i].row));
        sr_json_set(row, "id", sr_json_string(f->row[i].id));
        sr_json_append(rows, row);
    }
    sr_json_set(o, "numbers", numbers);
    sr_json_set(o, "rows", rows);
    return o;
}

static int print_json(const struct sr_check *c, struct sr_error *err) {
    struct sr_json *o = sr_json_object(), *findings = sr_json_array();
    sr_json_set(o, "schema_version", sr_json_integer(1));
    sr_json_set(o, "rows", sr_json_integer((int64_t)c->rows));
    sr_json_set(o, "files", sr_json_integer((int64_t)c->files));
    sr_json_set(o, "serious", sr_json_integer((int64_t)c->serious));
    sr_json_set(o, "remarks", sr_json_integer((int64_t)(c->findings - c->serious)));
    for (size_t i = 0; i < c->findings; i++)
        sr_json_append(findings, finding_json(c->finding[i]));
    sr_json_set(o, "findings", findings);
    char *text = sr_json_text(o, 2, err);
    sr_json_free(o);
    if (!text)
        return SR_NOMEM;
    puts(text);
    sr_free(text);
    return 0;
}

/* ---- the command ---- */

static int print(const struct sr_check *c, bool json, struct sr_error *err) {
    const int status = json ? print_json(c, err) : 0;
    for (size_t i = 0; !json && i < c->findings; i++)
        print_finding(c->finding[i]);
    if (!json)
        print_verdict(c);
    if (status < 0 || c->serious == 0)
        return status;
    return sr_fail(err, SR_NO, "%zu serious finding%s", c->serious, c->serious > 1 ? "s" : "");
}

static int run(const struct check_options *o, struct sr_error *err) {
    struct sr_check_imbalance imbalance;
    struct sr_check_options how = {.data = o->dump, .near = o->near};
    struct sr_check *check;
    if (!o->data)
        return sr_fail(err, SR_USAGE, "data check: which dumps? saferoute data check train.h5 val.h5");
    int status = o->config ? read_run(&imbalance, o->config, err) : 0;
    if (status < 0)
        return status;
    how.imbalance = o->config ? &imbalance : NULL;
    sr_cpu_threads(0);
    struct sr_log_stage stage = sr_log_stage_begin("checking");
    status = sr_check_run(&check, o->data, &how, sr_log_stage_show, &stage, err);
    if (status < 0)
        return status;
    status = print(check, o->json, err);
    sr_check_free(check);
    return status;
}

int sr_cmd_data_check(int argc, char **argv) {
    struct check_options opts = {.json = false}; /* the table does not name every field */
    struct sr_options o;
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &opts, argc, argv, &err);
    if (status > 0)
        status = run(&opts, &err);
    return sr_command_end(&o, status, &err);
}
