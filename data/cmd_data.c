/* cmd_data.c: saferoute data: making feature dumps. A sub-command is one function and one line of the list.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "data/cmd_data.h"

/* ---- data synth ---- */

struct synth_options {
    char *out;
    int64_t rows, width, seed, world;
};

static const struct sr_option synth_table[] = {
    {"out", SR_OPTION_TEXT, offsetof(struct synth_options, out), .metavar = "F.h5", .help = "file to write"},
    {"rows", SR_OPTION_INTEGER, offsetof(struct synth_options, rows), .fallback = "4000", .min = 1,
     .max = UINT32_MAX, .metavar = "N", .help = "rows"},
    {"width", SR_OPTION_INTEGER, offsetof(struct synth_options, width), .fallback = "2048", .min = 1,
     .max = SR_DATA_WIDTH_MAX, .metavar = "D", .help = "features a row"},
    {"seed", SR_OPTION_INTEGER, offsetof(struct synth_options, seed), .fallback = "1", .max = 1e15,
     .metavar = "S", .help = "which rows; another seed gives other rows of the same problem"},
    {"world", SR_OPTION_INTEGER, offsetof(struct synth_options, world), .fallback = "1", .max = 1e15,
     .metavar = "W", .help = "which problem; training and validation rows need the same"},
};

static const struct sr_command synth_command = {
    .name = "data synth",
    .usage = "usage: saferoute data synth --out F.h5 [options]\n\n"
             "Writes a synthetic feature dump shaped like a real one: correlated float16 features, two\n"
             "guards' probabilities, gold, sources, groups of twins. The same options give the same bytes.",
    .notes = "example:\n"
             "  saferoute data synth --out train.h5 --rows 4000 --seed 1\n"
             "  saferoute data synth --out val.h5 --rows 1000 --seed 2",
    .table = synth_table,
    .count = SR_COUNT(synth_table),
};

void sr_print_share(const char *what, const uint8_t *column, size_t rows) {
    size_t ones = 0, known = 0;
    for (size_t i = 0; i < rows; i++) {
        ones += column[i] == 1;
        known += column[i] != SR_UNKNOWN;
    }
    printf("%s: %zu (%.1f %%)", what, ones, known ? 100 * (double)ones / (double)known : 0.0);
    if (known < rows)
        printf(", unknown: %zu", rows - known);
}

int sr_print_facts_json(struct sr_json *head, const struct sr_facts *f, struct sr_error *err) {
    sr_facts_json(head, f);
    char *text = sr_json_text(head, 1, err);
    if (text)
        puts(text);
    sr_json_free(head);
    sr_free(text);
    return text ? 0 : SR_NOMEM;
}

/* Reads back what was written, so that the counts are the file's. */
static int print_dump(const char *path, struct sr_error *err) {
    struct sr_data *d;
    int status = sr_data_open(&d, path, NULL, err);
    if (status < 0)
        return status;
    printf("%s: %zu rows of %zu float16 features, %zu sources\n", path, d->rows, d->width, d->sources);
    sr_print_share("label 1 (small guard wrong, large guard right)", d->label, d->rows);
    sr_print_share(", unsafe", d->gold, d->rows);
    putchar('\n');
    sr_data_close(d);
    return 0;
}

static int synth(int argc, char **argv) {
    struct synth_options opts;
    struct sr_options o;
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &synth_command, &opts, argc, argv, &err);
    if (status > 0) {
        struct sr_synth how = {(size_t)opts.rows, (size_t)opts.width, (uint64_t)opts.seed,
                               (uint64_t)opts.world};
        if (opts.out)
            status = sr_synth_write(opts.out, &how, &err);
        else
            status = sr_fail(&err, SR_USAGE, "data synth: --out is missing; it names the file to write");
        if (status == 0)
            status = print_dump(opts.out, &err);
    }
    return sr_command_end(&o, status, &err);
}

/* ---- saferoute data ---- */

/* X(name, function, one line of help) */
#define DATA_COMMANDS(X)                                                                                     \
    X(check, sr_cmd_data_check, "what is wrong with dumps, before training on them")                         \
    X(compare, sr_cmd_data_compare, "two dumps of the same rows, row by row")                                \
    X(convert, sr_cmd_data_convert, "a feature dump from tensors, CSV, JSONL or hidden-state files")         \
    X(drop, sr_cmd_data_drop, "a dump without the rows of some ids")                                         \
    X(inspect, sr_cmd_data_inspect, "what is in a dump, and what can be done with it")                       \
    X(label, sr_cmd_data_label, "labels from gold and the guards' verdicts, stored")                         \
    X(merge, sr_cmd_data_merge, "columns of several files side by side, joined by ids")                      \
    X(repack, sr_cmd_data_repack, "a dump in another form: type, chunks, compression")                       \
    X(split, sr_cmd_data_split, "training, calibration and test rows")                                       \
    X(synth, synth, "a synthetic feature dump")

static int run(const char *name, int argc, char **argv, bool *found) {
    *found = true;
#define X(command, function, help)                                                                           \
    if (strcmp(name, #command) == 0)                                                                         \
        return function(argc, argv);
    DATA_COMMANDS(X)
#undef X
    *found = false;
    return 0;
}

#define X(command, function, help) "  " #command ": " help "\n"
static const struct sr_command data_command = {
    .name = "data",
    .usage = "usage: saferoute data COMMAND [options]\n\ncommands:\n" DATA_COMMANDS(X),
    .notes = "saferoute data COMMAND --help lists the options of one.",
};
#undef X

static int fail_unknown(const char *name, struct sr_error *err) {
#define X(command, function, help) #command,
    static const char *const names[] = {DATA_COMMANDS(X) NULL};
#undef X
    const char *nearest = name ? sr_nearest(name, names) : NULL;
    if (!name)
        return sr_fail(err, SR_USAGE, "data: which command? see saferoute data --help");
    if (nearest)
        return sr_fail(err, SR_USAGE, "data has no command %s; did you mean %s?", name, nearest);
    return sr_fail(err, SR_USAGE, "data has no command %s; see saferoute data --help", name);
}

int sr_cmd_data(int argc, char **argv) {
    struct sr_options o = {0};
    struct sr_error err = {0};
    bool found = false;
    if (argc > 0 && argv[0][0] != '-') {
        int result = run(argv[0], argc - 1, argv + 1, &found);
        if (found)
            return result;
        return sr_command_end(&o, fail_unknown(argv[0], &err), &err);
    }
    int status = sr_command_begin(&o, &data_command, NULL, argc, argv, &err);
    if (status > 0)
        status = fail_unknown(NULL, &err);
    return sr_command_end(&o, status, &err);
}
