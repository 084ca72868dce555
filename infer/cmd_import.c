/* cmd_import.c: `saferoute import`: a router that PyTorch saved becomes weights of ours.
 *
 * What the file does not say stays unknown, and is said to be: which guard and layer the features come from
 * decides whether a router means anything, and only its owner knows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "data/data.h"
#include "infer/import.h"

#define OWN "saferoute" /* "format" of weights of ours */

struct import_options {
    char *file, *out, *prefix, *contract, *stats;
    double threshold;
    struct sr_data_options how; /* of --stats */
};

static const struct sr_option table[] = {
    {"file", SR_OPTION_TEXT, offsetof(struct import_options, file), .metavar = "FILE", .operand = true,
     .help = "what torch.save (.pt, .pth, .bin) or safetensors wrote"},
    {"out", SR_OPTION_TEXT, offsetof(struct import_options, out), .metavar = "W", .output = true,
     .help = "weights to write (safetensors), a new file"},
    {"prefix", SR_OPTION_TEXT, offsetof(struct import_options, prefix), .metavar = "P",
     .help = "what the names of the router's tensors begin with, where the file holds several networks"},
    {"contract", SR_OPTION_TEXT, offsetof(struct import_options, contract), .metavar = "F.json",
     .help = "where its features come from, as JSON; keys below"},
    {"threshold", SR_OPTION_REAL, offsetof(struct import_options, threshold), .max = 1, .metavar = "T",
     .help = "route rows with prob > T; else the threshold is the file's or the contract's, or unset"},
    {"stats", SR_OPTION_TEXT, offsetof(struct import_options, stats), .metavar = "D.h5[,E.h5]",
     .help = "feature dumps that lie where training's features lay: what the range check measures rows by"},
    SR_DATA_FEATURE_OPTIONS(struct import_options, how),
};

static const struct sr_command command = {
    .name = "import",
    .usage =
        "usage: saferoute import FILE --out W [--stats D.h5[,E.h5]] [--contract F.json] [--threshold T]\n"
        "                        [--prefix P]\n"
        "\n"
        "Takes over a router that was trained elsewhere: a checkpoint {\"state_dict\": ..., \"layer_idx\": "
        "...}, a\n"
        "bare state dict, or safetensors; in float32, float16, bfloat16 or float64; under any prefix. The "
        "network is\n"
        "found by names and shapes: Linear layers that lead to one number, each but the last with a "
        "BatchNorm.\n"
        "Nothing in FILE is run. A pickle that asks for anything but tensors is refused by the name of "
        "that.\n",
    .notes =
        "--contract is a JSON object of any of: feature_model, feature_revision, feature_layer, "
        "feature_norm (pre,\n"
        "post or unit), feature_pooling, feature_template, large_model, large_revision, small_threshold,\n"
        "large_threshold, threshold, threshold_rule. What is not given stays unknown.\n"
        "\n"
        "--stats measures where the features of a dump lie, and stores that in W. A row far from them is "
        "then "
        "noticed\n"
        "when it is scored: a vector of another layer, or from before the final norm. Best are the features "
        "the router\n"
        "was trained on; data convert makes a dump of .pt, .npy and others. Labels are not needed, and rows "
        "with a NaN\n"
        "or an infinity are left out. What the dumps say of where their features come from is taken where "
        "neither\n"
        "FILE nor --contract says it, and a difference is warned of.\n"
        "Without --stats, W has no range check, unless FILE is weights that have one.\n"
        "\n"
        "examples:\n"
        "  saferoute import model.pt --stats train.h5 --out router.safetensors\n"
        "  saferoute import model.pt --threshold 0.6 --contract contract.json --out router.safetensors\n"
        "\n"
        "exit status: 0 done, 2 usage, 65 FILE is no router, or bad data, 66 no such file, 71 out of "
        "memory,\n"
        "74 I/O error\n",
    .table = table,
    .count = SR_COUNT(table),
};

/* The import under way. */
struct import {
    const struct import_options *o;
    bool threshold_given;
    struct sr_tensors *from;
    struct sr_import_network network;
    struct sr_pair *contract; /* of --contract */
    size_t n_contract;
    struct sr_import_stats stats;       /* of --stats */
    bool own;                           /* FILE is weights of ours */
    bool of_dump[SR_CONTRACT_FEATURES]; /* the key's value is that of --stats */
    char threshold[SR_DECIMAL_TEXT];
    struct sr_pair *pairs; /* metadata of the new file */
    size_t n_pairs;
    char sha256[65];
};

static int check_options(const struct import_options *o, struct sr_error *err) {
    const struct sr_input inputs[] = {
        {"file", o->file, false}, {"contract", o->contract, false}, {"stats", o->stats, true}};
    if (!o->file)
        return sr_fail(err, SR_USAGE, "FILE is missing: the router to import, a .pt or .safetensors file");
    if (!o->out || !*o->out)
        return sr_fail(err, SR_USAGE, "--out is missing: the weights to write");
    if (!o->stats && (o->how.names.features || o->how.names.id || o->how.uint16_is_bfloat))
        return sr_fail(err, SR_USAGE,
                       "--features, --id and --uint16-is-bfloat say how --stats is read, and there is none");
    const int status = sr_inputs_spare(inputs, SR_COUNT(inputs), "out", o->out, err);
    if (status == 0 && access(o->out, F_OK) == 0)
        return sr_fail(err, SR_USAGE,
                       "%s exists; routers are never overwritten, so that the one before is there to go back "
                       "to: name a new file",
                       o->out);
    return status;
}

/* ---- metadata ---- */

static const char *find(const struct sr_pair *pairs, size_t n, const char *key) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(pairs[i].key, key) == 0)
            return pairs[i].value;
    return NULL;
}

static const char *pair_value(const struct import *m, const char *key) {
    return find(m->pairs, m->n_pairs, key);
}

static const char *contract_value(const struct import *m, const char *key) {
    return find(m->contract, m->n_contract, key);
}

/* value NULL: the key is not to be there. */
static void pair_set(struct import *m, const char *key, const char *value) {
    size_t i = 0;
    while (i < m->n_pairs && strcmp(m->pairs[i].key, key) != 0)
        i++;
    m->pairs[i] = (struct sr_pair){key, value};
    m->n_pairs += i == m->n_pairs;
}

/* The layer that the features come from is said by the checkpoint and by the user: alike, but that one
 * counted from the end (-1) has another name in dumps. */
static int set_layer(struct import *m, struct sr_error *err) {
    const char *stored = sr_tensors_metadata(m->from, "layer_idx");
    const char *said = contract_value(m, "feature_layer");
    if (!stored)
        return 0;
    if (said && strcmp(said, stored) != 0 && (stored[0] != '-' || said[0] == '-'))
        return sr_fail(err, SR_USAGE,
                       "%s: feature_layer is '%s', but layer_idx in %s is '%s'; leave feature_layer out, or "
                       "save the checkpoint with the layer_idx that is right",
                       m->o->contract, said, m->o->file, stored);
    pair_set(m, "feature_layer", stored);
    return 0;
}

/* A new threshold takes the place of all that was said of the one before. */
static void set_threshold(struct import *m) {
    static const char *const of_the_old[] = {"threshold_data", "threshold_traffic", "threshold_metrics"};
    const char *stored = contract_value(m, "threshold");
    const char *rule = contract_value(m, "threshold_rule");
    if (m->threshold_given)
        stored = sr_decimal_float(m->threshold, (float)m->o->threshold);
    if (!stored)
        return;
    for (size_t i = 0; i < SR_COUNT(of_the_old); i++)
        if (pair_value(m, of_the_old[i]))
            pair_set(m, of_the_old[i], NULL);
    pair_set(m, "threshold", stored);
    pair_set(m, "threshold_rule", rule && !m->threshold_given ? rule : "given");
}

/* What neither file says of where features come from is as the dump says. */
static void take_of_dump(struct import *m) {
    const struct sr_data *d = m->stats.data;
    for (int k = 0; d && k < SR_CONTRACT_FEATURES; k++) {
        const char *key = sr_contract_key(k), *said = pair_value(m, key);
        const char *of_dump = find(d->contract, d->contract_count, key);
        if (!of_dump || !*of_dump)
            continue;
        m->of_dump[k] = !said;
        if (!said)
            pair_set(m, key, of_dump);
        else if (strcmp(said, of_dump) != 0)
            sr_log_warn("%s is \"%s\" in %s, but \"%s\" in %s, which was taken: are these features like "
                        "those of training?",
                        key, of_dump, m->o->stats, said,
                        contract_value(m, key) ? m->o->contract : m->o->file);
    }
}

static int make_metadata(struct import *m, struct sr_error *err) {
    size_t n;
    const struct sr_pair *pairs = sr_tensors_pairs(m->from, &n);
    m->pairs = sr_alloc((m->own ? n : 0) + SR_CONTRACT_KEYS + 4, sizeof *m->pairs, err);
    if (!m->pairs)
        return SR_NOMEM;
    if (!m->own) {
        pair_set(m, "format", OWN);
        pair_set(m, "format_version", "1");
    }
    for (size_t i = 0; m->own && i < n; i++)
        pair_set(m, pairs[i].key, pairs[i].value);
    const int status = set_layer(m, err);
    for (int k = 0; k < SR_CONTRACT_KEYS; k++)
        if (contract_value(m, sr_contract_key(k)))
            pair_set(m, sr_contract_key(k), contract_value(m, sr_contract_key(k)));
    take_of_dump(m);
    set_threshold(m);
    if (m->stats.data && pair_value(m, SR_RANGE_LIMIT)) /* it is a limit of the range before */
        pair_set(m, SR_RANGE_LIMIT, NULL);
    return status;
}

/* ---- what is printed ---- */

static void print_network(const struct import *m) {
    const struct sr_import_network *n = &m->network;
    uint64_t numbers = 0;
    char clean[SR_TENSOR_NAME];
    printf("%-17s", "network");
    for (size_t l = 0; l <= n->layers; l++)
        printf("%s%zu", l ? " -> " : "", n->width[l]);
    for (size_t l = 0; l < n->layers; l++)
        numbers += n->width[l + 1] * (n->width[l] + 1) + (l + 1 < n->layers ? 2 * n->width[l + 1] : 0);
    printf(" (%llu trainable numbers)\n", (unsigned long long)numbers);
    printf("%-17s%zu under '%s', %s%s\n", "tensors", n->used, sr_utf8_clean(clean, sizeof clean, n->prefix),
           sr_import_dtype(n, m->from),
           strcmp(sr_import_dtype(n, m->from), "float32") == 0 ? "" : ", converted to float32");
    if (sr_tensors_count(m->from) > n->used)
        printf("%-17s%zu other tensors of the file\n", "not looked at", sr_tensors_count(m->from) - n->used);
    printf("%-17sGELU (erf) behind each BatchNorm, eps 1e-5: the file does not say\n", "assumed");
}

static void print_contract(const struct import *m) {
    char clean[256];
    for (int k = 0; k < SR_CONTRACT_KEYS; k++) {
        const char *value = pair_value(m, sr_contract_key(k));
        const bool of_dump = k < SR_CONTRACT_FEATURES && m->of_dump[k];
        printf("%-17s%s%s%s%s\n", sr_contract_key(k),
               value ? sr_utf8_clean(clean, sizeof clean, value) : "unknown", of_dump ? " (from " : "",
               of_dump ? m->o->stats : "", of_dump ? ")" : "");
    }
    const char *threshold = pair_value(m, "threshold"), *rule = pair_value(m, "threshold_rule");
    if (threshold)
        printf("%-17s%s (%s)\n", "threshold", threshold,
               sr_utf8_clean(clean, sizeof clean, rule ? rule : "unknown"));
    else
        printf("%-17sunset: 0.6 will be used\n", "threshold");
}

static bool has_stats(const struct sr_tensors *t) {
    for (size_t i = 0; i < sr_tensors_count(t); i++)
        if (strcmp(sr_tensors_at(t, i)->name, SR_STATS_RANGE) == 0)
            return true;
    return false;
}

static void print_range(const struct import *m) {
    const struct sr_import_stats *s = &m->stats;
    printf("%-17s", "range check");
    if (s->data) {
        printf("from %zu rows of %s", s->rows, m->o->stats);
        if (s->bad_rows > 0)
            printf("; %zu with a NaN or an infinity left out", s->bad_rows);
        putchar('\n');
    } else if (m->own && has_stats(m->from))
        printf("as in %s\n", m->o->file);
    else
        puts("none: import again with --stats DUMP of features like those of training, and rows far from "
             "them will be\n                 noticed");
}

static void print_done(const struct import *m) {
    printf("%s: a router, read from %s (%s)\n", m->o->out, m->o->file, sr_tensors_format(m->from));
    print_network(m);
    print_contract(m);
    print_range(m);
    printf("%-17s%s\n", "sha256", m->sha256);
    if (pair_value(m, "threshold"))
        printf("next: saferoute eval --model %s --data D.h5\n", m->o->out);
    else
        printf("next: saferoute sweep --model %s --data D.h5 --rule f1 --out ROUTER\n", m->o->out);
}

/* ---- the command ---- */

static int check_format(struct import *m, struct sr_error *err) {
    const char *format = sr_tensors_metadata(m->from, "format");
    m->own = strcmp(sr_tensors_format(m->from), "safetensors") == 0 && format && strcmp(format, OWN) == 0;
    if (format && strcmp(format, "saferoute-checkpoint") == 0)
        return sr_fail(err, SR_DATA,
                       "%s is a checkpoint of a run, to go on with by train --resume; its router is "
                       "best.safetensors beside it",
                       m->o->file);
    if (m->own && sr_tensors_metadata(m->from, SR_FOLDED_KEY))
        return sr_fail(
            err, SR_DATA,
            "%s is a folded router (export --dtype), from which the weights do not come back; it is "
            "used as it is, and import takes what it was exported from",
            m->o->file);
    return 0;
}

static int measure(struct import *m, struct sr_error *err) {
    struct sr_data_options how = m->o->how;
    how.features_only = true;
    sr_cpu_threads(0);
    struct sr_log_stage stage = sr_log_stage_begin("measuring");
    const int status = sr_import_stats_measure(&m->stats, m->o->stats, &how, m->network.width[0], m->o->file,
                                               sr_log_stage_show, &stage, err);
    if (status == 0 && m->stats.rows < SR_STATS_ROWS)
        sr_log_warn(
            "%zu rows are few to measure a range by: of rows like them, more than one in ten thousand "
            "will be found far outside",
            m->stats.rows);
    return status;
}

static int make(struct import *m, bool prefix_given, struct sr_error *err) {
    const struct import_options *o = m->o;
    int status = sr_tensors_open(&m->from, o->file, err);
    if (status == 0)
        status = check_format(m, err);
    if (status == 0)
        status = sr_import_find(&m->network, m->from, o->file, prefix_given ? o->prefix : NULL, err);
    if (status == 0 && o->stats)
        status = measure(m, err);
    if (status == 0)
        status = make_metadata(m, err);
    if (status == 0)
        status = sr_import_write(o->out, m->sha256, &m->network, m->from, o->file, m->pairs, m->n_pairs,
                                 m->own, o->stats ? &m->stats.stats : NULL, err);
    return status;
}

static int run(const struct import_options *o, bool threshold_given, bool prefix_given,
               struct sr_error *err) {
    struct import m = {.o = o, .threshold_given = threshold_given};
    int status = check_options(o, err);
    if (status == 0 && o->contract)
        status = sr_contract_file_read(&m.contract, &m.n_contract, o->contract, true, err);
    if (status == 0)
        status = make(&m, prefix_given, err);
    if (status == 0)
        print_done(&m);
    sr_free(m.pairs);
    sr_free(m.contract);
    sr_import_stats_free(&m.stats);
    sr_tensors_close(m.from);
    return status;
}

int sr_cmd_import(int argc, char **argv) {
    struct import_options opts = {0}; /* not every field of `how` is an option */
    struct sr_options o;
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &opts, argc, argv, &err);
    if (status > 0)
        status = run(&opts, sr_options_given(&o, "threshold"), sr_options_given(&o, "prefix"), &err);
    return sr_command_end(&o, status, &err);
}
