/* cmd_synth.c: `saferoute data synth`: a synthetic feature dump.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "data/cmd_data.h"

struct synth_options {
    char *out;
    int64_t rows, width, seed, world;
};

static const struct sr_option synth_table[] = {
    {"out", SR_OPTION_TEXT, offsetof(struct synth_options, out), .metavar = "F.h5", .output = true,
     .help = "file to write"},
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

/* Reads back what was written, so that the counts are the file's. */
static int print_dump(const char *path, struct sr_error *err) {
    const struct sr_data_options how = {.one_file = true};
    struct sr_data *d;
    int status = sr_data_open(&d, path, &how, err);
    if (status < 0)
        return status;
    printf("%s: %zu rows of %zu float16 features, %zu sources\n", path, d->rows, d->width, d->sources);
    sr_print_share("label 1 (small guard wrong, large guard right)", d->label, d->rows);
    sr_print_share(", unsafe", d->gold, d->rows);
    putchar('\n');
    sr_data_close(d);
    return 0;
}

int sr_cmd_data_synth(int argc, char **argv) {
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
