/* cmd_check.c: `saferoute data check`: what is wrong with dumps, before a router is trained on them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/cmd_check.h"
#include "data/cmd_data.h"
#include "data/near.h"
#include "infer/infer.h"

struct check_options {
    char *data, *config, *ids_out;
    double near;
    bool json;
    struct sr_data_options dump;
};

static const struct sr_option table[] = {
    {"data", SR_OPTION_TEXT, offsetof(struct check_options, data), .metavar = "F.h5", .operand = true,
     .repeats = true,
     .help = "dumps, the one to train on first; patterns (*, ?) stand for the files they match"},
    {"config", SR_OPTION_TEXT, offsetof(struct check_options, config), .metavar = "RUN",
     .help = "settings of a run (its folder, or a config.yaml), held against the classes and weights of the "
             "first dump"},
    {"near", SR_OPTION_REAL, offsetof(struct check_options, near), .fallback = "0.95", .max = 1,
     .metavar = "COSINE",
     .help = "rows are near duplicates from here on (0.8 to 1); 0: exact duplicates only"},
    {"ids_out", SR_OPTION_TEXT, offsetof(struct check_options, ids_out), .metavar = "F", .output = true,
     .help = "ids of the rows that would have to go, one a line, as saferoute data drop takes them: of "
             "duplicates and twins the later row, and rows with a NaN"},
    {"json", SR_OPTION_SWITCH, offsetof(struct check_options, json), .help = "the findings as JSON"},
    SR_DATA_FEATURE_OPTIONS(struct check_options, dump),
    SR_DATA_LABEL_OPTIONS(struct check_options, dump),
};

#define X(name, what) "  " #name ": " what "\n"
static const struct sr_command command = {
    .name = "data check",
    .usage =
        "usage: saferoute data check TRAIN.h5 [VAL.h5 ..] [--config RUN] [--ids-out F] [--json]\n\n"
        "Looks through dumps for what makes wrong routers. Features are read once; rows that may be near\n"
        "duplicates are read again. What is looked for:\n"
#include "data/checks.def"
    ,
    .notes =
        "examples:\n"
        "  saferoute data check train.h5 calibration.h5 test.h5 --ids-out twins.txt\n"
        "  saferoute data drop test.h5 --ids twins.txt --out test.h5\n"
        "\n"
        "exit status: 0 nothing serious, 1 something serious was found, 2 usage, 65 no file whose features\n"
        "can be read, 66 no such file, 71 out of memory, 74 the ids could not be written\n",
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

/* A run's folder stands for its settings. */
static int find_settings(char **out, const char *path, struct sr_error *err) {
    static const char name[] = "/config.yaml";
    struct stat is;
    const bool folder = stat(path, &is) == 0 && S_ISDIR(is.st_mode);
    const size_t size = strlen(path) + sizeof name;
    *out = sr_alloc(size, 1, err);
    if (!*out)
        return SR_NOMEM;
    snprintf(*out, size, "%s%s", path, folder ? name : "");
    return 0;
}

static int read_run(struct sr_check_imbalance *out, const char *path, struct sr_error *err) {
    struct run_options run;
    struct sr_options o;
    char *file = NULL;
    int status = sr_options_begin(&o, run_table, SR_COUNT(run_table), &run, err);
    if (status == 0)
        status = find_settings(&file, path, err);
    if (status == 0)
        status = sr_option_file_read(&o, file, true, err);
    if (status == 0)
        *out = (struct sr_check_imbalance){.balanced = run.sampler == 0,
                                           .alpha = run.loss == 0 ? run.alpha : .5,
                                           .pos_weight = run.pos_weight};
    sr_free(file);
    sr_options_end(&o);
    return status;
}

/* ---- rows that would have to go ---- */

struct extra {
    const char *id, *path;
    size_t row;
};

static int compare_extra(const void *pa, const void *pb) {
    const struct extra *a = pa, *b = pb;
    const int order = strcmp(a->id, b->id);
    return order ? order : a->row < b->row ? -1 : a->row > b->row;
}

static int collect_extra(struct extra *extra, const struct sr_check *c, struct sr_error *err) {
    size_t n = 0;
    for (size_t i = 0; i < c->findings; i++) {
        const struct sr_finding *f = c->finding[i];
        for (size_t k = 0; k < f->extras; k++) {
            const char *id = sr_check_id(c, f->path, f->extra[k]);
            if (!id)
                return sr_fail(err, SR_DATA,
                               "%s has no ids, so that --ids-out cannot name its rows; give it /id", f->path);
            extra[n++] = (struct extra){id, f->path, f->extra[k]};
        }
    }
    qsort(extra, n, sizeof *extra, compare_extra);
    return 0;
}

/* Each id once: a row may be in several findings. */
static int write_extra(const char *path, const struct extra *extra, size_t n, struct sr_error *err) {
    struct sr_atomic_file *f;
    int status = sr_atomic_file_open(&f, path, err);
    if (status < 0)
        return status;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(extra[i].id, extra[i - 1].id) != 0)
            fprintf(sr_atomic_file_stream(f), "%s\n", extra[i].id);
    return sr_atomic_file_commit(f, err);
}

static int write_ids(const struct sr_check *c, const char *path, struct sr_error *err) {
    size_t n = 0;
    for (size_t i = 0; i < c->findings; i++)
        n += c->finding[i]->extras;
    struct extra *extra = sr_alloc(n + 1, sizeof *extra, err);
    int status = extra ? collect_extra(extra, c, err) : SR_NOMEM;
    if (status == 0)
        status = write_extra(path, extra, n, err);
    sr_free(extra);
    return status;
}

/* ---- the command ---- */

/* What was found is worth more than the list of ids, which may fail. */
static int print(const struct sr_check *c, const struct check_options *o, struct sr_error *err) {
    int status = 0;
    if (o->json)
        status = sr_check_print_json(c, err);
    else
        sr_check_print(c);
    if (status == 0 && o->ids_out)
        status = write_ids(c, o->ids_out, err);
    return status == 0 && c->serious ? SR_NO : status;
}

static int check_ids_out(const struct check_options *o, struct sr_error *err) {
    const struct sr_input inputs[] = {{"data", o->data, true}, {"config", o->config, false}};
    return sr_inputs_spare(inputs, SR_COUNT(inputs), "ids-out", o->ids_out, err);
}

static int run(const struct check_options *o, struct sr_error *err) {
    struct sr_check_imbalance imbalance;
    struct sr_check_options how = {.data = o->dump, .near = o->near};
    struct sr_check *check;
    if (!o->data)
        return sr_fail(err, SR_USAGE, "data check: which dumps? saferoute data check train.h5 val.h5");
    int status = check_ids_out(o, err);
    if (status == 0 && o->config)
        status = read_run(&imbalance, o->config, err);
    if (status < 0)
        return status;
    how.imbalance = o->config ? &imbalance : NULL;
    sr_cpu_threads(0);
    struct sr_log_stage stage = sr_log_stage_begin("checking");
    status = sr_check_run(&check, o->data, &how, sr_log_stage_show, &stage, err);
    if (status < 0)
        return status;
    status = print(check, o, err);
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
    const bool no = status == SR_NO; /* what was printed says it already */
    const int exit_status = sr_command_end(&o, no ? 0 : status, &err);
    return no && exit_status == 0 ? sr_status_exit(SR_NO) : exit_status;
}
