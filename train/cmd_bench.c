/* cmd_bench.c: `saferoute bench`: how fast the program is on this machine.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>

#include "train/bench_reading.h"

struct bench_options {
    char *data;
    int64_t rounds, threads;
    bool json;
    struct sr_data_options how;
};

static const struct sr_option table[] = {
    {"data", SR_OPTION_TEXT, offsetof(struct bench_options, data), .metavar = "F.h5",
     .help = "feature dump to read"},
    {"rounds", SR_OPTION_INTEGER, offsetof(struct bench_options, rounds), .fallback = "5", .min = 1,
     .max = 1000, .metavar = "N", .help = "how often it is read"},
    {"threads", SR_OPTION_INTEGER, offsetof(struct bench_options, threads), .fallback = "0", .max = 1024,
     .metavar = "N", .help = "threads; 0: as many as the machine gives"},
    {"json", SR_OPTION_SWITCH, offsetof(struct bench_options, json), .flag_only = true,
     .help = "one JSON object instead of lines"},
    SR_DATA_FEATURE_OPTIONS(struct bench_options, how),
};

static const struct sr_command command = {
    .name = "bench",
    .usage =
        "usage: saferoute bench --data F.h5 [--rounds N] [--json]\n"
        "\n"
        "Reads all features of a dump as float32, in file order and a batch at a time, as training and\n"
        "scoring read what does not fit into memory, and says how fast. The first reading, which is not\n"
        "timed, makes a checksum and leaves the file in the system's cache if it fits there.",
    .notes =
        "examples:\n"
        "  saferoute bench --data train.h5\n"
        "  saferoute bench --data 'shards/*.h5' --rounds 9 --json\n"
        "\n"
        "checksum: the sum over rows r and columns k, both from 1, of r * k * the 32 bits of the value,\n"
        "modulo 2^64. The form of the file does not change it.\n"
        "\n"
        "exit status: 0 done, 2 usage, 65 damaged or no dump, 66 no such file, 71 out of memory, 74 I/O "
        "error",
    .table = table,
    .count = SR_COUNT(table),
};

static double rows_per_second(const struct sr_bench_reading *b, size_t round) {
    return (double)b->rows / b->seconds[round];
}

/* Of an even number of rounds between the two in the middle. */
static double median_of(const struct sr_bench_reading *b) {
    return (rows_per_second(b, (b->rounds - 1) / 2) + rows_per_second(b, b->rounds / 2)) / 2;
}

static void print_text(const char *paths, const struct sr_bench_reading *b, int threads) {
    const double median = median_of(b);
    printf("%s: %zu rows of %zu %s, read %s by %d thread%s\n", paths, b->rows, b->width, b->type, b->way,
           threads, threads == 1 ? "" : "s");
    printf("reading    %.0f rows/s [%.0f, %.0f], %.0f MB/s of float32; median and range of %zu rounds\n",
           median, rows_per_second(b, b->rounds - 1), rows_per_second(b, 0),
           median * (double)b->width * sizeof(float) / 1e6, b->rounds);
    printf("checksum   %016" PRIx64 "\n", b->checksum);
}

static int print_json(const char *paths, const struct sr_bench_reading *b, int threads,
                      struct sr_error *err) {
    struct sr_json *o = sr_json_object(), *reading = sr_json_object(), *seconds = sr_json_array();
    char checksum[17];
    snprintf(checksum, sizeof checksum, "%016" PRIx64, b->checksum);
    for (size_t i = 0; i < b->rounds; i++)
        sr_json_append(seconds, sr_json_number(b->seconds[i]));
    sr_json_set(reading, "data", sr_json_string(paths));
    sr_json_set(reading, "rows", sr_json_integer((int64_t)b->rows));
    sr_json_set(reading, "features", sr_json_integer((int64_t)b->width));
    sr_json_set(reading, "type", sr_json_string(b->type));
    sr_json_set(reading, "way", sr_json_string(b->way));
    sr_json_set(reading, "threads", sr_json_integer(threads));
    sr_json_set(reading, "seconds", seconds);
    sr_json_set(reading, "rows_per_second", sr_json_number(median_of(b)));
    sr_json_set(reading, "checksum", sr_json_string(checksum));
    sr_json_set(o, "schema_version", sr_json_integer(1));
    sr_json_set(o, "reading", reading);
    char *text = sr_json_text(o, 1, err);
    sr_json_free(o);
    if (text)
        puts(text);
    sr_free(text);
    return text ? SR_OK : SR_NOMEM;
}

static int run(struct bench_options *o, struct sr_error *err) {
    struct sr_bench_reading b;
    if (!o->data)
        return sr_fail(err, SR_USAGE, "bench: --data is missing; it names the dump to read");
    const int threads = sr_cpu_threads((int)o->threads);
    o->how.features_only = true;
    int status = sr_bench_reading(&b, o->data, &o->how, (size_t)o->rounds, err);
    if (status == SR_OK && o->json)
        status = print_json(o->data, &b, threads, err);
    else if (status == SR_OK)
        print_text(o->data, &b, threads);
    sr_free(b.seconds);
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
