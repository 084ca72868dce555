/* cmd_repack.c: `saferoute data repack`: a dump in another form.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>

#include "data/cmd_data.h"
#include "data/repack.h"

struct repack_options {
    char *from, *out;
    int dtype;
    int64_t gzip, band;
    struct sr_data_options data;
};

static const struct sr_option table[] = {
    {"from", SR_OPTION_TEXT, offsetof(struct repack_options, from), .metavar = "A.h5", .operand = true,
     .help = "feature dump to read"},
    {"out", SR_OPTION_TEXT, offsetof(struct repack_options, out), .metavar = "B.h5", .output = true,
     .help = "feature dump to write; may be A.h5 itself"},
    {"dtype", SR_OPTION_CHOICE, offsetof(struct repack_options, dtype), .fallback = "keep",
     .choices = "float16|float32|bfloat16|keep",
     .help = "type of the features and of /features_layer_K; keep: as they are"},
    {"gzip", SR_OPTION_INTEGER, offsetof(struct repack_options, gzip), .fallback = "0", .max = 9,
     .metavar = "LEVEL",
     .help = "compress them, 1 (quick) to 9, in chunks of whole rows with shuffle; 0: not, in one piece"},
    {"band", SR_OPTION_INTEGER, offsetof(struct repack_options, band), .fallback = "256", .min = 1,
     .max = 1 << 20, .metavar = "ROWS",
     .help = "rows a chunk, of 32 MB at most; where it is given there are chunks without --gzip too"},
    SR_DATA_FEATURE_OPTIONS(struct repack_options, data),
};

static const struct sr_command command = {
    .name = "data repack",
    .usage =
        "usage: saferoute data repack A.h5 --out B.h5 [options]\n"
        "\n"
        "Writes a dump anew in another form, with every row, column, group and attribute. Not kept: room to\n"
        "grow (maxshape), chunks where nothing is compressed, filters of [rows, width] datasets other than\n"
        "gzip (lzf, fletcher32), the order of creation. What is read fastest is float16 in one piece, which\n"
        "is what --dtype float16 alone gives; float16 of a network's hidden states hardly shrinks. Values\n"
        "that the type does not hold (beyond 65504 for float16) are counted and refused. Those that become\n"
        "0 (below 3e-8 for float16) are counted, and refused where nothing else is left of a row. The\n"
        "data_id of a run stays the same unless values were rounded. Links, references and values that lead\n"
        "to other places or files are refused.\n",
    .notes =
        "examples:\n"
        "  saferoute data repack all.h5 --out all.h5 --dtype float16\n"
        "  saferoute data repack all.h5 --out archive.h5 --gzip 4\n"
        "\n"
        "exit status: 0 done, 2 usage, 65 bad data, 66 no such file, 71 out of memory, 74 it could not be\n"
        "  written\n",
    .table = table,
    .count = SR_COUNT(table),
};

static void print_sizes(const struct sr_repacked *done, const char *from, const char *out) {
    printf("%s: %zu rows of %zu features, %s, %" PRIu64 " bytes\n", from, done->rows, done->width,
           done->before, done->bytes_before);
    printf("%s: %s, %" PRIu64 " bytes, %.1f %% of that\n", out, done->after, done->bytes_after,
           100 * (double)done->bytes_after / (double)done->bytes_before);
}

static void warn(const struct sr_copied *c) {
    if (c->underflows > 0)
        sr_log_warn("%zu values are so small that --dtype made them 0, the first in row %zu of /%s",
                    c->underflows, c->underflow_row, c->underflow_of);
    if (*c->untouched)
        sr_log_warn("not [rows, width] of floats, so --dtype leaves their type as it is: %s", c->untouched);
}

static int run(const struct repack_options *o, bool band_given, struct sr_error *err) {
    const struct sr_repack how = {
        .type = o->dtype, .gzip = (int)o->gzip, .band = (size_t)o->band, .chunked = band_given};
    struct sr_repacked done;
    if (!o->from || !o->out)
        return sr_fail(err, SR_USAGE, "data repack: %s",
                       o->from ? "--out is missing; it names the dump to write"
                               : "which dump? give its name");
    struct sr_log_stage stage = sr_log_stage_begin("repacking");
    const int status =
        sr_repack_write(&done, o->out, o->from, &how, &o->data, sr_log_stage_show, &stage, err);
    if (status == 0) {
        warn(&done.copied);
        print_sizes(&done, o->from, o->out);
    }
    return status;
}

int sr_cmd_data_repack(int argc, char **argv) {
    struct repack_options opts = {0};
    struct sr_options o;
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &opts, argc, argv, &err);
    if (status > 0)
        status = run(&opts, sr_options_given(&o, "band"), &err);
    return sr_command_end(&o, status, &err);
}
