/* cmd_doctor.c: `saferoute doctor`: this machine as the program sees it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "data/data.h"
#include "nn/nn.h"

static const char usage[] =
    "usage: saferoute doctor [--json]\n"
    "\n"
    "Shows CPU, vector kernels, BLAS build and core (and what was done about a wrong one), HDF5,\n"
    "memory and threads. Quote it with every timing and every bug report.";

struct doctor_options {
    bool json;
};

static const struct sr_option table[] = {
    {"json", SR_OPTION_SWITCH, offsetof(struct doctor_options, json), .flag_only = true,
     .help = "one JSON object instead of a table"},
};

static const char *openmp_version(void) {
#ifdef _OPENMP
    static char text[16];
    snprintf(text, sizeof text, "%d", _OPENMP);
    return text;
#else
    return "off";
#endif
}

/* Every line of the table, which is also every key of the JSON object. */
static struct sr_json *findings(void) {
    const struct sr_blas *blas = sr_blas_begin();
    const char *processors_source, *memory_source;
    const int processors = sr_cpu_count(&processors_source);
    const size_t memory = sr_memory_available(&memory_source);
    struct sr_json *o = sr_json_object();
    sr_json_set(o, "schema_version", sr_json_integer(1));
    sr_json_set(o, "version", sr_json_string(SR_VERSION));
    sr_json_set(o, "compiler", sr_json_string(__VERSION__));
    sr_json_set(o, "cpu", sr_json_string(sr_cpu_name()));
    sr_json_set(o, "cpu_features", sr_json_string(sr_cpu_features()));
    sr_json_set(o, "kernels", sr_json_string(sr_isa_name(sr_vec()->isa)));
    sr_json_set(o, "matrix_products", sr_json_string(sr_matmul()->name));
    sr_json_set(o, "processors", sr_json_integer(processors));
    sr_json_set(o, "processors_source", sr_json_string(processors_source));
    sr_json_set(o, "threads", sr_json_integer(sr_cpu_threads(0)));
    sr_json_set(o, "openmp", sr_json_string(openmp_version()));
    sr_json_set(o, "memory_available_mb", sr_json_integer((int64_t)(memory >> 20)));
    sr_json_set(o, "memory_source", sr_json_string(memory_source));
    sr_json_set(o, "blas", sr_json_string(blas->config));
    sr_json_set(o, "blas_threads", sr_json_string(blas->parallel));
    sr_json_set(o, "blas_core", sr_json_string(blas->core));
    sr_json_set(o, "blas_core_at_load", sr_json_string(blas->core_before));
    sr_json_set(o, "blas_core_action", sr_json_string(blas->action));
    sr_json_set(o, "hdf5", sr_json_string(sr_data_hdf5_version()));
    return o;
}

static void table_print(const struct sr_json *o) {
    void *iter = NULL;
    const struct sr_json *value;
    for (const char *key; (key = sr_json_next(o, &iter, &value));) {
        int64_t number;
        if (sr_json_as_integer(value, &number))
            printf("%-20s %lld\n", key, (long long)number);
        else
            printf("%-20s %s\n", key, sr_json_as_string(value));
    }
}

int sr_cmd_doctor(int argc, char **argv) {
    const struct sr_command command = {
        .name = "doctor", .usage = usage, .table = table, .count = SR_COUNT(table)};
    struct doctor_options opts;
    struct sr_options options;
    struct sr_error err = {0};
    int status = sr_command_begin(&options, &command, &opts, argc, argv, &err);
    if (status > 0) {
        struct sr_json *o = findings();
        char *text = sr_json_text(o, 1, &err);
        status = text ? SR_OK : SR_NOMEM;
        if (text && opts.json)
            puts(text);
        else if (text)
            table_print(o);
        sr_free(text);
        sr_json_free(o);
    }
    return sr_command_end(&options, status, &err);
}
