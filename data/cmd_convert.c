/* cmd_convert.c: `saferoute data convert`: a feature dump from tensors, CSV, JSONL and hidden-state files.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "data/cmd_data.h"

#define CONTRACT_PRINTED (SR_CONTRACT_FEATURES + 2) /* large_model and large_revision */

struct convert_options {
    char *from, *out, *column[SR_ROLES];
    int dtype, pooling;
    char *labels;
    int64_t layer, gzip;
    double small_threshold, large_threshold;
    char *feature_prefix, *contract;
    bool isolate;
};

#define COLUMN(name, ROLE, what)                                                                             \
    {                                                                                                        \
#name, SR_OPTION_TEXT, offsetof(struct convert_options, column[SR_ROLE_##ROLE]),                     \
            .metavar = "FILE[:NAME]", .help = what                                                           \
    }

static const struct sr_option table[] = {
    {"from", SR_OPTION_TEXT, offsetof(struct convert_options, from), .metavar = "FILE", .operand = true,
     .help = "a file whose columns have the names of a dump's"},
    {"out", SR_OPTION_TEXT, offsetof(struct convert_options, out), .metavar = "F.h5", .output = true,
     .help = "feature dump to write"},
    COLUMN(features, FEATURES,
           "features: [rows, width]; a pattern or a folder: hidden-state files, a row each"),
    COLUMN(label, LABEL, "labels: 1 where the small guard is wrong and the large one right"),
    COLUMN(gold, GOLD, "human labels: 1 is unsafe"),
    COLUMN(small_prob, SMALL_PROB, "the small guard's probabilities of unsafe"),
    COLUMN(small_pred, SMALL_PRED, "the small guard's verdicts: 1 is unsafe"),
    COLUMN(large_prob, LARGE_PROB, "the large guard's probabilities of unsafe"),
    COLUMN(large_pred, LARGE_PRED, "the large guard's verdicts: 1 is unsafe"),
    COLUMN(id, ID, "row ids"),
    COLUMN(group, GROUP, "groups of twins, never split between training and validation"),
    COLUMN(source, SOURCE, "sources (names of slices)"),
    COLUMN(weight, WEIGHT, "row weights"),
    {"dtype", SR_OPTION_CHOICE, offsetof(struct convert_options, dtype), .fallback = "float16",
     .choices = "float16|float32|bfloat16|keep",
     .help = "type of the features; keep: the source's, of float64 and text float32"},
    {"layer", SR_OPTION_INTEGER, offsetof(struct convert_options, layer), .min = -65536, .max = 65536,
     .metavar = "K", .help = "of features with three axes, which of the middle one; -1 is the last"},
    {"pooling", SR_OPTION_CHOICE, offsetof(struct convert_options, pooling), .fallback = "last",
     .choices = "last|mean", .help = "of hidden-state files: the last token's vector, or the mean"},
    {"feature_prefix", SR_OPTION_TEXT, offsetof(struct convert_options, feature_prefix), .fallback = "f",
     .metavar = "P", .help = "CSV columns with a feature each are called P0, P1, ..."},
    {"labels", SR_OPTION_TEXT, offsetof(struct convert_options, labels), .fallback = "checked",
     .metavar = "checked|stored|derived",
     .help =
         "labels must agree with gold and the guards' verdicts; are kept as they are; are left out, since "
         "they follow; another word is a file, as for --label"},
    {"contract", SR_OPTION_TEXT, offsetof(struct convert_options, contract), .metavar = "F.json",
     .help =
         "where the features come from: feature_model, feature_revision, feature_layer, feature_norm (pre, "
         "post, unit), feature_pooling, feature_template, large_model, large_revision"},
    {"small_threshold", SR_OPTION_REAL, offsetof(struct convert_options, small_threshold), .fallback = "0",
     .max = 1,
     .help = "the small guard says unsafe from this probability on; stored; 0: as the contract says"},
    {"large_threshold", SR_OPTION_REAL, offsetof(struct convert_options, large_threshold), .fallback = "0",
     .max = 1, .help = "the same for the large guard"},
    {"gzip", SR_OPTION_INTEGER, offsetof(struct convert_options, gzip), .fallback = "0", .max = 9,
     .metavar = "LEVEL", .help = "compress the features, 1 (quick) to 9; hidden states hardly shrink"},
    SR_ISOLATE_OPTION(struct convert_options, isolate),
};

static const struct sr_command command = {
    .name = "data convert",
    .usage =
        "usage: saferoute data convert [FILE] --out F.h5 [--features FILE[:NAME]] [--label FILE[:NAME]] ...\n"
        "\n"
        "Writes a feature dump from what you have. A file may be\n"
        "  .pt, .safetensors, .npy  tensors, known by their content; NAME is that of a tensor, and not "
        "needed\n"
        "                           where only one fits\n"
        "  .csv                     with a header line; features are one column of lists (\"[0.1, 0.2]\") "
        "or\n"
        "                           columns f0, f1, ...\n"
        "  .jsonl                   an object a line; features are a list of numbers\n"
        "  .txt                     one column, a value a line\n"
        "  .h5                      another dump; of it only what is a dump's column or contract is taken\n"
        "  'folder/*.safetensors'   files of vLLM's hidden-state connector (hidden_states, token_ids): a row "
        "each,\n"
        "                           in the order of their names, which become ids\n"
        "FILE alone gives every column it has under the name of a dump's (features, label, gold, small_prob, "
        "...);\n"
        "the options take single columns from other files. Files that have a column id are joined by it,\n"
        "others row by row. Memory holds the columns, never all features. An existing --out is replaced\n"
        "only once the new one is complete.\n",
    .notes =
        "examples:\n"
        "  saferoute data convert --features train_features.pt --label train_labels.pt --out train.h5\n"
        "  saferoute data convert rows.jsonl --out rows.h5 --contract guard.json\n"
        "  saferoute data convert --isolate --dtype keep unknown.h5 --out clean.h5\n"
        "  saferoute data convert --features 'hidden/*.safetensors' --layer -1 --gold gold.csv:unsafe --out "
        "h.h5\n"
        "\n"
        "exit status: 0 done, 2 usage, 65 bad data, 66 no such file, 71 out of memory, 74 it could not be "
        "written\n",
    .table = table,
    .count = SR_COUNT(table),
};

/* ---- what was written ---- */

/* But the thresholds of guards, which the line of labels says. */
static void print_contract(const struct sr_data *d) {
    char text[4096]; /* a template may be long */
    for (int k = 0; k < CONTRACT_PRINTED; k++) {
        const char *value = "unknown";
        for (size_t i = 0; i < d->contract_count; i++)
            value = strcmp(d->contract[i].key, sr_contract_key(k)) == 0 ? d->contract[i].value : value;
        printf("%-17s %s\n", sr_contract_key(k), sr_utf8_clean(text, sizeof text, value));
    }
}

static void print_columns(const struct sr_data *d) {
    char text[256];
    sr_data_labels_text(text, d);
    printf("labels %s\n", text);
    sr_print_share("label 1 (small guard wrong, large guard right)", d->label, d->rows);
    if (d->gold)
        sr_print_share(", unsafe", d->gold, d->rows);
    putchar('\n');
}

/* Reads back what was written, so that the counts are the file's. */
static int print_dump(const char *path, const struct sr_converted *done, int labels, struct sr_error *err) {
    const struct sr_data_options how = {.features_only = !done->labelled, .labels = labels, .one_file = true};
    struct sr_data *d;
    const int status = sr_data_open(&d, path, &how, err);
    if (status < 0)
        return status;
    printf("%s: %zu rows of %zu %s features%s\n", path, d->rows, d->width, done->type,
           d->id ? ", with ids" : "");
    if (done->labelled)
        print_columns(d);
    else
        puts("no labels, nor gold and both guards' verdicts: to be scored by infer, not to train on");
    print_contract(d);
    if (done->labelled)
        printf("next: saferoute train --train %s --val-fraction 0.2 --out RUN\n", path);
    else
        printf("next: saferoute infer --model W --data %s --out scores.csv\n", path);
    sr_data_close(d);
    return 0;
}

/* What somebody may have meant otherwise, but is no fault. */
static void print_notes(const struct sr_converted *done, const char *features) {
    char text[SR_CONVERT_LEFT];
    if (*done->left)
        printf("not taken of %s: %s\n", features, sr_utf8_clean(text, sizeof text, done->left));
    if (*done->moved)
        printf("rows of %s were joined to the features by id\n", done->moved);
}

static void warn(const struct sr_converted *done, const char *features) {
    if (*done->unjoined)
        sr_log_warn(
            "rows of %s are in the order of its files' names; %s has no ids, so its rows were taken to be "
            "in that order; a column id would have them joined by it",
            features, done->unjoined);
    for (size_t i = 0; i < done->differences; i++)
        sr_log_warn("%s is \"%s\" by --contract, but \"%s\" by the features' file; --contract was taken",
                    done->differs[i].key, done->differs[i].given, done->differs[i].found);
    if (done->bad_rows > 0)
        sr_log_warn(
            "%zu of %zu rows have a NaN or an infinity among their features, the first is row %zu; they "
            "were kept, and training leaves them out",
            done->bad_rows, done->rows, done->first_bad);
    if (done->underflows > 0)
        sr_log_warn("%zu feature values are so small that %s made them 0, the first in row %zu",
                    done->underflows, done->type, done->first_underflow);
}

/* ---- the command ---- */

/* The contract's pairs with a threshold of its option put in its place. room for two more pairs. */
static void set_threshold(struct sr_pair *pairs, size_t *n, const char *key, double value,
                          char text[SR_DECIMAL_TEXT]) {
    size_t i = 0;
    if (value == 0)
        return;
    while (i < *n && strcmp(pairs[i].key, key) != 0)
        i++;
    *n += i == *n;
    pairs[i] = (struct sr_pair){key, sr_decimal(text, value)};
}

/* --labels says in other commands how labels are taken; here people write the file of them behind it, too. */
static int take_labels(struct sr_convert *how, const struct convert_options *o, struct sr_error *err) {
    static const char *const words[] = {
        [SR_LABELS_CHECKED] = "checked", [SR_LABELS_STORED] = "stored", [SR_LABELS_DERIVED] = "derived"};
    const char *label = o->column[SR_ROLE_LABEL];
    for (int i = 0; i < (int)SR_COUNT(words); i++)
        if (!o->labels || strcmp(o->labels, words[i]) == 0) {
            how->labels = i;
            if (label && i == SR_LABELS_DERIVED)
                return sr_fail(err, SR_USAGE, "--labels=derived leaves labels out, so --label plays no part");
            return 0;
        }
    if (label)
        return sr_fail(err, SR_USAGE, "--label %s and --labels %s: which file has the labels?", label,
                       o->labels);
    how->column[SR_ROLE_LABEL] = o->labels;
    return 0;
}

static int convert(const struct convert_options *o, struct sr_convert *how, struct sr_error *err) {
    struct sr_converted done;
    for (int role = 0; role < SR_ROLES; role++)
        how->column[role] = o->column[role];
    if (take_labels(how, o, err) < 0)
        return SR_USAGE;
    struct sr_log_stage stage = sr_log_stage_begin("converting");
    const int status = sr_convert_write(&done, o->out, how, sr_log_stage_show, &stage, err);
    if (status < 0)
        return status;
    const char *features = how->column[SR_ROLE_FEATURES] ? how->column[SR_ROLE_FEATURES] : how->from;
    warn(&done, features);
    print_notes(&done, features);
    return print_dump(o->out, &done, how->labels, err);
}

static int run(const struct convert_options *o, bool layer_given, struct sr_error *err) {
    char small[SR_DECIMAL_TEXT], large[SR_DECIMAL_TEXT];
    struct sr_pair pairs[SR_CONTRACT_KEYS + 2], *read = NULL;
    size_t n = 0;
    if (!o->out)
        return sr_fail(err, SR_USAGE, "data convert: --out is missing; it names the dump to write");
    int status = o->contract ? sr_contract_file_read(&read, &n, o->contract, false, err) : 0;
    if (status < 0)
        return status;
    for (size_t i = 0; i < n; i++)
        pairs[i] = read[i];
    set_threshold(pairs, &n, "small_threshold", o->small_threshold, small);
    set_threshold(pairs, &n, "large_threshold", o->large_threshold, large);
    struct sr_convert how = {.from = o->from,
                             .type = o->dtype,
                             .gzip = (int)o->gzip,
                             .layer_given = layer_given,
                             .layer = o->layer,
                             .mean = o->pooling == 1,
                             .feature_prefix = o->feature_prefix ? o->feature_prefix : "",
                             .contract = pairs,
                             .contract_count = n,
                             .contract_file = o->contract};
    status = convert(o, &how, err);
    sr_free(read);
    return status;
}

int sr_cmd_data_convert(int argc, char **argv) {
    struct convert_options opts;
    struct sr_options o;
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &opts, argc, argv, &err);
    if (status > 0)
        status = run(&opts, sr_options_given(&o, "layer"), &err);
    return sr_command_end(&o, status, &err);
}
