/* cmd_bench.c: `saferoute bench`: how fast the program is on this machine, and how fast it could be.
 *
 * Parts are measured in order; on the screen each is shown as soon as it is done.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "nn/nn.h"
#include "train/bench.h"
#include "train/cmd_bench_table.h"

struct bench_options {
    char *data, *model, *parts;
    int64_t rounds, threads;
    double seconds;
    bool json;
    struct sr_data_options how;
};

static const struct sr_option table[] = {
    {"data", SR_OPTION_TEXT, offsetof(struct bench_options, data), .metavar = "F.h5",
     .help = "feature dump that epoch and reading are measured on; without one they are left out"},
    {"model", SR_OPTION_TEXT, offsetof(struct bench_options, model), .metavar = "W.safetensors",
     .help = "router that scoring and latency are measured with; without one its weights are made up"},
    {"parts", SR_OPTION_TEXT, offsetof(struct bench_options, parts), .metavar = "NAME,...",
     .help = "only these parts, in the order above"},
    {"rounds", SR_OPTION_INTEGER, offsetof(struct bench_options, rounds), .fallback = "5", .min = 1,
     .max = SR_BENCH_ROUNDS_MAX, .metavar = "N",
     .help = "how often everything is measured, by turns; what is shown is the median"},
    {"seconds", SR_OPTION_REAL, offsetof(struct bench_options, seconds), .fallback = "0.2", .min = 0.001,
     .max = 60, .metavar = "S", .help = "how long one thing is measured at a time"},
    {"threads", SR_OPTION_INTEGER, offsetof(struct bench_options, threads), .fallback = "0", .max = 1024,
     .metavar = "N", .help = "threads; 0: as many as the machine gives"},
    {"json", SR_OPTION_SWITCH, offsetof(struct bench_options, json), .flag_only = true,
     .help = "one JSON object instead of tables"},
    SR_DATA_FEATURE_OPTIONS(struct bench_options, how),
};

#define PART_HELP(name, help) "\n  " help
#define PART_NAME(name, help) " " #name

static const struct sr_command command = {
    .name = "bench",
    .usage = "usage: saferoute bench [--data F.h5] [--model W.safetensors] [--parts NAME,...] [--json]\n"
             "\n"
             "Measures how fast the program is on this machine, and the most that this machine could do.\n"
             "Every figure stands beside its share of that limit. Takes about a minute.\n"
             "\n"
             "Parts:" SR_BENCH_PART_LIST(PART_HELP),
    .notes =
        "examples:\n"
        "  saferoute bench\n"
        "  saferoute bench --data train.h5 --model run/best.safetensors\n"
        "  saferoute bench --parts latency --model run/best.safetensors --threads 1 --json\n"
        "\n"
        "Quote the machine part with every figure, and measure while nothing else runs: other programs\n"
        "make the ranges wide. In brackets: the least and the most of the rounds.\n"
        "checksum: the sum over rows r and columns k, both from 1, of r * k * the 32 bits of the value,\n"
        "modulo 2^64. The form of the file does not change it.\n"
        "\n"
        "exit status: 0 done, 2 usage, or a part asked for that cannot be measured, 65 damaged or no dump "
        "or\n"
        "router, 66 no such file, 71 out of memory, 74 I/O error",
    .table = table,
    .count = SR_COUNT(table),
};

#define X(name, help) &sr_bench_part_##name,
static const struct sr_bench_part *const parts[] = {SR_BENCH_PART_LIST(X)};
#undef X
#define X(name, help) #name,
static const char *const names[] = {SR_BENCH_PART_LIST(X) NULL};
#undef X

static int fail_unknown(const char *name, struct sr_error *err) {
    const char *near = sr_nearest(name, names);
    return sr_fail(err, SR_USAGE,
                   "bench: --parts: unknown part '%.40s'%s%s%s; there are" SR_BENCH_PART_LIST(PART_NAME),
                   name, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* Which parts are wanted. Without a list those that need no dump, and with a dump all. */
static int parts_pick(bool wanted[SR_COUNT(parts)], const char *list, struct sr_error *err) {
    for (size_t i = 0; i < SR_COUNT(parts); i++)
        wanted[i] = !list;
    for (const char *at = list; at; at = *at ? at + 1 : NULL) {
        char name[41];
        size_t i = 0;
        const size_t length = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)(length < 40 ? length : 40), at);
        while (i < SR_COUNT(parts) && strcmp(parts[i]->name, name) != 0)
            i++;
        if (i == SR_COUNT(parts))
            return fail_unknown(name, err);
        wanted[i] = true;
        at += length;
    }
    return SR_OK;
}

static int part_run(struct sr_bench_result *result, const struct sr_bench_part *part, struct sr_bench *b,
                    struct sr_error *err) {
    struct sr_log_stage stage = sr_log_stage_begin(part->name);
    *result = (struct sr_bench_result){0};
    if (part->needs_data && !b->data) {
        snprintf(result->left_out, sizeof result->left_out, "no dump is given (--data)");
        return SR_OK;
    }
    b->progress = sr_log_stage_show;
    /* cppcheck-suppress autoVariables ; only for the call below */
    b->user = &stage;
    return part->run(result, b, err);
}

/* Measures a part, shows it, and puts it into the object for programs. */
static int part_measure(struct sr_json *o, struct sr_json *left_out, const struct sr_bench_part *part,
                        struct sr_bench *b, const struct bench_options *opts, struct sr_error *err) {
    struct sr_bench_result result;
    int status = part_run(&result, part, b, err);
    if (status == SR_OK && !result.json && !result.left_out[0])
        status = sr_fail(err, SR_NOMEM, "bench: out of memory for the figures of %s", part->name);
    if (status == SR_OK && !result.json && opts->parts)
        status = sr_fail(err, SR_USAGE, "bench: %s cannot be measured: %s", part->name, result.left_out);
    if (status == SR_OK && !opts->json)
        sr_bench_table_print(part, &result);
    if (status == SR_OK && !result.json)
        sr_json_set(left_out, part->name, sr_json_string(result.left_out));
    sr_json_set(o, part->name, result.json ? result.json : sr_json_null());
    return status;
}

static int measure(struct sr_json *o, struct sr_bench *b, const struct bench_options *opts,
                   struct sr_error *err) {
    bool wanted[SR_COUNT(parts)];
    struct sr_json *left_out = sr_json_object();
    int status = parts_pick(wanted, opts->parts, err);
    for (size_t i = 0; status == SR_OK && i < SR_COUNT(parts); i++)
        if (wanted[i])
            status = part_measure(o, left_out, parts[i], b, opts, err);
    sr_json_set(o, "left_out", left_out);
    return status;
}

static int run(struct bench_options *opts, struct sr_error *err) {
    struct sr_bench b = {.data = opts->data,
                         .model = opts->model,
                         .how = opts->how,
                         .rounds = (size_t)opts->rounds,
                         .seconds = opts->seconds};
    struct sr_json *o = sr_json_object();
    b.how.features_only = true;
    sr_blas_begin();
    b.threads = sr_cpu_threads((int)opts->threads);
    sr_json_set(o, "schema_version", sr_json_integer(1));
    int status = measure(o, &b, opts, err);
    char *text = status == SR_OK ? sr_json_text(o, 1, err) : NULL;
    sr_json_free(o);
    if (text && opts->json)
        puts(text);
    status = status == SR_OK && !text ? SR_NOMEM : status;
    sr_free(text);
    return status;
}

int sr_cmd_bench(int argc, char **argv) {
    struct bench_options opts = {0};
    struct sr_options o;
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &opts, argc, argv, &err);
    if (status > 0)
        status = run(&opts, &err);
    return sr_command_end(&o, status, &err);
}
