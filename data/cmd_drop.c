/* cmd_drop.c: `saferoute data drop`: a dump without the rows of some ids.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "data/cmd_data.h"
#include "data/drop.h"

struct drop_options {
    char *from, *out, *ids;
    bool with_group;
    struct sr_data_options data;
};

static const struct sr_option table[] = {
    {"from", SR_OPTION_TEXT, offsetof(struct drop_options, from), .metavar = "A.h5", .operand = true,
     .help = "feature dump to read"},
    {"out", SR_OPTION_TEXT, offsetof(struct drop_options, out), .metavar = "B.h5", .output = true,
     .help = "feature dump to write; may be A.h5 itself"},
    {"ids", SR_OPTION_TEXT, offsetof(struct drop_options, ids), .metavar = "F",
     .help = "ids to drop, one a line; - is standard input; ids that are bytes as hexadecimal digits, with "
             "dashes or not"},
    {"with_group", SR_OPTION_SWITCH, offsetof(struct drop_options, with_group),
     .help = "drop rows of the same /group too: twins and paraphrases of what is to go"},
    SR_DATA_FEATURE_OPTIONS(struct drop_options, data),
    SR_DATA_NAME(struct drop_options, data, group, "groups of twins"),
};

static const struct sr_command command = {
    .name = "data drop",
    .usage =
        "usage: saferoute data drop A.h5 --ids F --out B.h5 [options]\n"
        "\n"
        "Writes a dump anew without the rows of the ids in F, for requests to delete; everything else stays\n"
        "as it is. Afterwards the ids of the new file are read and compared with F before it gets its name.\n"
        "Attributes, groups and datasets that have no row for each row of features are copied whole; what\n"
        "there is of them is listed, for you to look at: they may tell of the rows that went. Other columns "
        "of\n"
        "strings, and attributes of the file, in which an id of F stands as a value or a word are named "
        "too.\n"
        "With --out A.h5 the old file is replaced; copies elsewhere, and weights trained on the rows, are\n"
        "yours to deal with. Ids that are not in A.h5 are counted; they are no failure, since one list may\n"
        "be for several files, unless none of F is there: then nothing is written and the exit status is "
        "1.\n",
    .notes =
        "examples:\n"
        "  saferoute data drop all.h5 --ids requests.txt --out all.h5 --with-group\n"
        "  echo prompt-17 | saferoute data drop all.h5 --ids - --out less.h5\n"
        "\n"
        "exit status: 0 done, 1 no id is there, 2 usage, 65 bad data, 66 no such file, 71 out of memory, 74\n"
        "  it could not be written\n",
    .table = table,
    .count = SR_COUNT(table),
};

static void print_dropped(const struct sr_dropped *done, const char *out) {
    char text[128];
    if (*done->copied.by_length)
        printf("taken for columns of rows, since they have as many: %s\n", done->copied.by_length);
    printf("%s: %zu rows; %zu dropped for %zu ids", out, done->kept, done->rows, done->found);
    if (done->twins > 0)
        printf(", %zu more of the same groups", done->twins);
    printf("; its column of ids holds none of them\n");
    if (*done->mentions)
        printf("still named in: %s\n", done->mentions);
    if (*done->whole)
        printf("copied whole, so look whether they tell of those rows: %s\n", done->whole);
    if (done->found == done->ids)
        return;
    printf("%zu ids were not there:", done->ids - done->found);
    for (size_t i = 0; i < SR_DROP_LISTED && done->missing[i]; i++)
        printf(" %s", sr_utf8_clean(text, sizeof text, done->missing[i]));
    puts(done->ids - done->found > SR_DROP_LISTED ? " ..." : "");
}

static int run(const struct drop_options *o, struct sr_error *err) {
    struct sr_dropped done;
    if (!o->from || !o->out || !o->ids)
        return sr_fail(err, SR_USAGE, "data drop: %s",
                       !o->from  ? "which dump? give its name"
                       : !o->ids ? "--ids is missing; it names the file of ids to drop"
                                 : "--out is missing; it names the dump to write");
    struct sr_log_stage stage = sr_log_stage_begin("writing");
    const int status = sr_drop_write(&done, o->out, o->from, o->ids, o->with_group, &o->data,
                                     sr_log_stage_show, &stage, err);
    if (status == 0)
        print_dropped(&done, o->out);
    sr_dropped_free(&done);
    return status;
}

int sr_cmd_data_drop(int argc, char **argv) {
    struct drop_options opts = {0};
    struct sr_options o;
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &opts, argc, argv, &err);
    if (status > 0)
        status = run(&opts, &err);
    return sr_command_end(&o, status, &err);
}
