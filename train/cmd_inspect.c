/* cmd_inspect.c: `saferoute inspect`: what a file is and what is known of it; what differs between two.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "train/inspect.h"

struct inspect_options {
    char *file, *other;
    bool json;
    struct sr_data_options how;
};

static const struct sr_option table[] = {
    {"file", SR_OPTION_TEXT, offsetof(struct inspect_options, file), .metavar = "FILE", .operand = true,
     .help = "file or folder to look at"},
    {"other", SR_OPTION_TEXT, offsetof(struct inspect_options, other), .metavar = "FILE2", .operand = true,
     .help = "a second one of the same kind: only what differs is shown"},
    {"json", SR_OPTION_SWITCH, offsetof(struct inspect_options, json), .flag_only = true,
     .help = "one JSON object instead of lines"},
    SR_DATA_FEATURE_OPTIONS(struct inspect_options, how),
    SR_DATA_LABEL_OPTIONS(struct inspect_options, how),
};

static const struct sr_command command = {
    .name = "inspect",
    .usage = "usage: saferoute inspect FILE [FILE2] [--json] [names of datasets]\n"
             "\n"
             "Says what a file is and what is known of it; what is not known is called unknown. Of two files "
             "it says what\n"
             "differs, of weights for every tensor. Nothing is written, and features are not read.\n",
    .notes = "known are:\n"
#define X(name, text, kin) "  " text "\n"
    SR_KIND_LIST(X)
#undef X
        "\n"
        "HDF5 files are feature dumps, or scores of infer as are tables with a column prob. Files of "
        "other formats\n"
        "(ONNX, JSON of this program, model cards) are named, with what reads them.\n"
        "\n"
        "examples:\n"
        "  saferoute inspect router.safetensors\n"
        "  saferoute inspect runs/monday runs/tuesday\n"
        "  saferoute inspect --json train.h5\n"
        "\n"
        "exit status: 0 done, also where two files differ, 2 usage or files of two kinds, 65 damaged or "
        "of no known kind,\n"
        "66 no such file, 71 out of memory, 74 I/O error\n",
    .table = table,
    .count = SR_COUNT(table),
};

static int print_json(struct sr_json *o, struct sr_error *err) {
    char *text = sr_json_text(o, 1, err);
    if (text)
        puts(text);
    sr_free(text);
    return text ? 0 : SR_NOMEM;
}

static struct sr_json *begin_json(void) {
    struct sr_json *o = sr_json_object();
    sr_json_set(o, "schema_version", sr_json_integer(1));
    return o;
}

/* "PATH: " with what does not print as '?'. */
static void print_path(const char *path) {
    char clean[4096];
    printf("%s: ", sr_utf8_clean(clean, sizeof clean, path));
}

static int print_one(const struct sr_inspection *i, bool json, struct sr_error *err) {
    if (!json) {
        print_path(i->path);
        printf("%s\n\n", i->title);
        sr_facts_print(stdout, &i->facts);
        return 0;
    }
    struct sr_json *o = begin_json();
    sr_json_set(o, "file", sr_json_string(i->path));
    sr_json_set(o, "kind", sr_json_string(i->kind->name));
    sr_json_set(o, "title", sr_json_string(i->title));
    sr_facts_json(o, &i->facts);
    const int status = print_json(o, err);
    sr_json_free(o);
    return status;
}

static int print_two(const struct sr_inspection two[2], const struct sr_facts *differences, bool json,
                     struct sr_error *err) {
    if (!json) {
        for (size_t i = 0; i < 2; i++) {
            print_path(two[i].path);
            printf("%s\n", two[i].title);
        }
        putchar('\n');
        sr_facts_print(stdout, differences);
        if (differences->n == 0)
            printf("no difference%s\n", two[0].kind->family == SR_FAMILY_ROWS
                                            ? " (features and single rows are not compared)"
                                            : "");
        return 0;
    }
    struct sr_json *o = begin_json(), *files = sr_json_array(), *tree = sr_json_object();
    for (size_t i = 0; i < 2; i++)
        sr_json_append(files, sr_json_string(two[i].path));
    sr_facts_json(tree, differences);
    sr_json_set(o, "files", files);
    sr_json_set(o, "differences", tree);
    const int status = print_json(o, err);
    sr_json_free(o);
    return status;
}

static int compare(struct sr_inspection two[2], const struct inspect_options *o, struct sr_error *err) {
    struct sr_facts differences = {0};
    int status = sr_inspect(&two[1], o->other, &o->how, err);
    if (status == 0)
        status = sr_inspect_differ(&differences, &two[0], &two[1], err);
    if (status == 0)
        status = print_two(two, &differences, o->json, err);
    sr_facts_free(&differences);
    return status;
}

static int run(const struct inspect_options *o, struct sr_error *err) {
    struct sr_inspection two[2] = {0};
    if (!o->file)
        return sr_fail(err, SR_USAGE, "inspect: which file? usage: saferoute inspect FILE [FILE2]");
    int status = sr_inspect(&two[0], o->file, &o->how, err);
    if (status == 0)
        status = o->other ? compare(two, o, err) : print_one(&two[0], o->json, err);
    sr_inspection_free(&two[0]);
    sr_inspection_free(&two[1]);
    return status;
}

int sr_cmd_inspect(int argc, char **argv) {
    struct inspect_options opts = {0};
    struct sr_options o;
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &opts, argc, argv, &err);
    if (status > 0)
        status = run(&opts, &err);
    return sr_command_end(&o, status, &err);
}
