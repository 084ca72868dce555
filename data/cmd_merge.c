/* cmd_merge.c: `saferoute data merge`: columns of several files, joined by their ids.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "data/cmd_data.h"
#include "data/merge.h"

struct merge_options {
    char *files, *out;
    bool common, prefer_first;
    struct sr_data_options data;
};

static const struct sr_option table[] = {
    {"from", SR_OPTION_TEXT, offsetof(struct merge_options, files), .metavar = "A.h5 B.h5 ..",
     .operand = true, .repeats = true, .help = "files to merge; the first gives rows and order"},
    {"out", SR_OPTION_TEXT, offsetof(struct merge_options, out), .metavar = "C.h5", .output = true,
     .help = "feature dump to write"},
    {"common", SR_OPTION_SWITCH, offsetof(struct merge_options, common),
     .help = "leave rows out that not all files have"},
    {"prefer_first", SR_OPTION_SWITCH, offsetof(struct merge_options, prefer_first),
     .help = "where files contradict each other, take what the first of them says"},
    {"labels", SR_OPTION_CHOICE, offsetof(struct merge_options, data.labels), .fallback = "checked",
     .choices = "checked|stored|derived",
     .help = "how the result is opened: labels in it must agree with gold and the guards' verdicts; need "
             "not; are "
             "not looked at"},
    SR_DATA_FEATURE_OPTIONS(struct merge_options, data),
};

static const struct sr_command command = {
    .name = "data merge",
    .usage =
        "usage: saferoute data merge A.h5 B.h5 [..] --out C.h5 [options]\n"
        "\n"
        "Puts the columns of several files side by side, joined by /id: the rows of A.h5 in their order,\n"
        "every column from the first file that has it. So two passes of extraction, of the small guard and\n"
        "of the large one, become one dump; only one file needs features. A column that two files have,\n"
        "label and labels being one, must hold the same values in both but for the rounding of the coarser\n"
        "type, and what they say of models, layers and thresholds must not differ.\n"
        "Ids that one file lacks are counted and refused, unless --common says to leave their rows out.\n"
        "Without a /label the labels follow from gold and both guards' verdicts when the dump is read.\n",
    .notes =
        "examples:\n"
        "  saferoute data merge small.h5 large.h5 --out all.h5\n"
        "  saferoute data merge all.h5 newer-gold.h5 --out both.h5 --common\n"
        "\n"
        "exit status: 0 done, 2 usage, 65 bad data, 66 no such file, 71 out of memory, 74 it could not be\n"
        "  written\n",
    .table = table,
    .count = SR_COUNT(table),
};

static void print_merged(const struct sr_merged *done, const struct sr_merge *how, const char *out) {
    printf("%s: %zu rows\n", out, done->rows);
    for (size_t f = 0; f < how->files; f++) {
        printf("from %s: %s", how->path[f], *done->columns[f] ? done->columns[f] : "nothing");
        if (done->left_out[f] > 0)
            printf("; %zu rows left out", done->left_out[f]);
        putchar('\n');
    }
    if (done->overruled > 0)
        printf("left out, since an earlier file has it otherwise: %s\n", done->differs);
    if (*done->attributes)
        printf("root attributes that differ and are the first file's: %s\n", done->attributes);
}

/* Cuts the list in place. */
static int take_files(struct sr_merge *how, char *list, struct sr_error *err) {
    for (char *path; (path = strsep(&list, ","));) {
        if (how->files == SR_MERGE_FILES)
            return sr_fail(err, SR_USAGE, "data merge: at most %d files at once", SR_MERGE_FILES);
        if (access(path, F_OK) < 0)
            return sr_fail(err, SR_NOINPUT, "%s: %s (a comma separates names, so none may have one in it)",
                           path, strerror(errno));
        how->path[how->files++] = path;
    }
    return how->files > 1 ? 0 : sr_fail(err, SR_USAGE, "data merge: one file alone is nothing to merge");
}

static int run(const struct merge_options *o, struct sr_error *err) {
    struct sr_merge how = {.common = o->common, .prefer_first = o->prefer_first};
    struct sr_merged done;
    if (!o->files || !o->out)
        return sr_fail(err, SR_USAGE, "data merge: %s",
                       o->files ? "--out is missing; it names the dump to write"
                                : "which files? give their names");
    char *list = sr_strdup(o->files, err);
    int status = list ? take_files(&how, list, err) : SR_NOMEM;
    struct sr_log_stage stage = sr_log_stage_begin("merging");
    if (status == 0)
        status = sr_merge_write(&done, o->out, &how, &o->data, sr_log_stage_show, &stage, err);
    if (status == 0)
        print_merged(&done, &how, o->out);
    sr_free(list);
    return status;
}

int sr_cmd_data_merge(int argc, char **argv) {
    struct merge_options opts = {0};
    struct sr_options o;
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &opts, argc, argv, &err);
    if (status > 0)
        status = run(&opts, &err);
    return sr_command_end(&o, status, &err);
}
