/* cmd_data_inspect.c: `saferoute data inspect`: what is in a dump, and what can be done with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "data/cmd_data.h"
#include "data/dump_facts.h"

struct inspect_options {
    char *file;
    bool scan, json;
    struct sr_data_options how;
};

static const struct sr_option table[] = {
    {"file", SR_OPTION_TEXT, offsetof(struct inspect_options, file), .metavar = "F.h5", .operand = true,
     .help = "feature dump to look at"},
    {"scan", SR_OPTION_SWITCH, offsetof(struct inspect_options, scan),
     .help = "read every row: moments, row lengths, NaN and infinities, duplicates, data_id"},
    {"json", SR_OPTION_SWITCH, offsetof(struct inspect_options, json),
     .help = "one JSON object instead of lines"},
    SR_DATA_FEATURE_OPTIONS(struct inspect_options, how),
    SR_DATA_LABEL_OPTIONS(struct inspect_options, how),
};

static const struct sr_command command = {
    .name = "data inspect",
    .usage = "usage: saferoute data inspect F.h5 [--scan] [--json] [names of datasets]\n"
             "\n"
             "Says what is in a feature dump; what is not known is called unknown. Nothing is written.\n"
             "  rows      datasets, shapes and types\n"
             "  storage   chunks and compression, and how many bytes are read, or unpacked, for one row and "
             "for a\n"
             "            band of 256 rows, the unit of training: chunks are read whole, those side by side "
             "together\n"
             "  labels    where labels come from; class rates and accuracies of the guards\n"
             "  sources   the same for each /source\n"
             "  contract  what the file says of the make of features and labels\n"
             "  uses      which commands the columns are enough for, and what the others lack\n"
             "  scan      with --scan: what only the features tell. Duplicates are rows that are equal as "
             "float16;\n"
             "            data_id is the same for the same rows in another form of file\n",
    .notes = "examples:\n"
             "  saferoute data inspect train.h5\n"
             "  saferoute data inspect train.h5 --scan --json\n"
             "\n"
             "exit status: 0 done, 2 usage, 65 bad data, 66 no such file, 71 out of memory, 74 I/O error\n",
    .table = table,
    .count = SR_COUNT(table),
};

static int print_json(const char *path, const char *title, const struct sr_facts *f, struct sr_error *err) {
    struct sr_json *o = sr_json_object();
    sr_json_set(o, "schema_version", sr_json_integer(1));
    sr_json_set(o, "file", sr_json_string(path));
    sr_json_set(o, "title", sr_json_string(title));
    return sr_print_facts_json(o, f, err);
}

static int print_facts(const char *path, const char *title, const struct sr_facts *f) {
    char clean[4096];
    printf("%s: %s\n\n", sr_utf8_clean(clean, sizeof clean, path), title);
    sr_facts_print(stdout, f);
    return 0;
}

static int scan(struct sr_facts *f, struct sr_data *d, const char *path, struct sr_error *err) {
    if (!d)
        return sr_fail(err, SR_DATA, "%s: holds scores of infer and no features that --scan could read",
                       path);
    struct sr_log_stage stage = sr_log_stage_begin("scanning");
    return sr_scan_facts(f, d, sr_log_stage_show, &stage, err);
}

static int run(const struct inspect_options *o, struct sr_error *err) {
    struct sr_facts f = {0};
    struct sr_data *d = NULL;
    const char *title = NULL;
    if (!o->file)
        return sr_fail(err, SR_USAGE,
                       "data inspect: which dump? usage: saferoute data inspect F.h5 [--scan]");
    int status = sr_dump_facts(&f, &title, &d, o->file, &o->how, err);
    if (status == 0 && o->scan)
        status = scan(&f, d, o->file, err);
    if (status == 0 && f.status < 0)
        status = sr_fail(err, SR_NOMEM, "out of memory for what is known of %s", o->file);
    if (status == 0)
        status = o->json ? print_json(o->file, title, &f, err) : print_facts(o->file, title, &f);
    sr_data_close(d);
    sr_facts_free(&f);
    return status;
}

int sr_cmd_data_inspect(int argc, char **argv) {
    struct inspect_options opts = {0};
    struct sr_options o;
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &opts, argc, argv, &err);
    if (status > 0)
        status = run(&opts, &err);
    return sr_command_end(&o, status, &err);
}
