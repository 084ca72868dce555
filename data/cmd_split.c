/* cmd_split.c: `saferoute data split`: training, calibration and test rows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/cmd_data.h"
#include "data/near.h"
#include "data/parts.h"

struct split_options {
    char *from, *out[SR_PARTS];
    struct sr_reals fractions;
    int64_t seed;
    char *hold_out;
    bool near_duplicates;
    double cosine;
    struct sr_data_options data;
};

static const struct sr_option table[] = {
    {"from", SR_OPTION_TEXT, offsetof(struct split_options, from), .metavar = "A.h5", .operand = true,
     .help = "feature dump to read"},
    {"train", SR_OPTION_TEXT, offsetof(struct split_options, out[SR_PART_TRAIN]), .metavar = "X.h5",
     .output = true, .help = "dump of the rows to train on"},
    {"calibration", SR_OPTION_TEXT, offsetof(struct split_options, out[SR_PART_CALIBRATION]),
     .metavar = "Y.h5", .output = true,
     .help = "dump of the rows to choose the threshold on; may be left out"},
    {"test", SR_OPTION_TEXT, offsetof(struct split_options, out[SR_PART_TEST]), .metavar = "Z.h5",
     .output = true, .help = "dump of the rows to measure on; may be left out"},
    {"fractions", SR_OPTION_REALS, offsetof(struct split_options, fractions), .max = 1, .metavar = "A,B,..",
     .help = "shares of the parts named, in the order train, calibration, test; default 0.15 for "
             "calibration and for test, the rest for training; with --hold-out-source none for test"},
    {"seed", SR_OPTION_INTEGER, offsetof(struct split_options, seed), .fallback = "1", .max = 1e15,
     .metavar = "S", .help = "which split; the same options give the same rows"},
    {"hold_out_source", SR_OPTION_TEXT, offsetof(struct split_options, hold_out), .metavar = "NAME,..",
     .repeats = true,
     .help = "the rows of these sources are the test rows, with their twins, and no others are"},
    {"near_duplicates", SR_OPTION_SWITCH, offsetof(struct split_options, near_duplicates),
     .help = "rows found to have nearly the same features stay together too"},
    {"cosine", SR_OPTION_REAL, offsetof(struct split_options, cosine), .min = SR_NEAR_COSINE_MIN, .max = 1,
     .help = "what --near-duplicates takes for nearly the same, 0.95 unless given: cosine of standardised "
             "features"},
    SR_DATA_FEATURE_OPTIONS(struct split_options, data),
    SR_DATA_LABEL_OPTIONS(struct split_options, data),
};

static const struct sr_command command = {
    .name = "data split",
    .usage =
        "usage: saferoute data split A.h5 --train X.h5 [--calibration Y.h5] [--test Z.h5] [options]\n"
        "\n"
        "Writes the rows of a dump as two or three dumps. Every part gets its share of label 1, 0 and\n"
        "unknown, of twins, and of every source as far as groups allow; a source with too few rows for that\n"
        "goes where the seed says. Rows of one /group (twins, paraphrases; -1: none) are never apart. With\n"
        "--near-duplicates nor are rows whose features are nearly the same, as far as they are found: those\n"
        "with the same features all are, of pairs at the default cosine about 98 in 100. The parts keep the\n"
        "order of the rows and everything else in the file; their root attributes split and split_seed say\n"
        "what they are. With --hold-out-source the test rows are of sources that training has never seen;\n"
        "the fractions of the other parts are of what is left. Existing files are replaced once all parts\n"
        "are complete.\n",
    .notes =
        "examples:\n"
        "  saferoute data split all.h5 --train train.h5 --calibration calibration.h5 --test test.h5\n"
        "  saferoute data split all.h5 --train train.h5 --test test.h5 --fractions 0.8,0.2 --seed 7\n"
        "  saferoute data split all.h5 --train train.h5 --test new.h5 --hold-out-source jailbreaks\n"
        "\n"
        "exit status: 0 done, 2 usage, 65 bad data, 66 no such file, 71 out of memory, 74 it could not be\n"
        "  written\n",
    .table = table,
    .count = SR_COUNT(table),
};

/* ---- what came out ---- */

struct tally {
    size_t rows, positives, labelled, unsafe, judged, sources;
};

/* Of part p, or of all. */
static struct tally count_part(const struct sr_data *d, const uint8_t *part, int p, uint8_t *seen) {
    struct tally t = {0};
    memset(seen, 0, d->sources);
    for (size_t i = 0; i < d->rows; i++) {
        if (p < SR_PARTS && part[i] != p)
            continue;
        t.rows++;
        t.labelled += d->label && d->label[i] != SR_UNKNOWN;
        t.positives += d->label && d->label[i] == 1;
        t.judged += d->gold && d->gold[i] != SR_UNKNOWN;
        t.unsafe += d->gold && d->gold[i] == 1;
        if (d->source && !seen[d->source[i]]) {
            seen[d->source[i]] = 1;
            t.sources++;
        }
    }
    return t;
}

/* "412 (14.7 %)", or a dash where nothing is known. */
static const char *share(char text[40], size_t n, size_t of) {
    if (of == 0)
        return "-";
    snprintf(text, 40, "%zu (%.1f %%)", n, 100 * (double)n / (double)of);
    return text;
}

static void print_parts(const struct sr_data *d, const uint8_t *part, const struct sr_parting *how,
                        uint8_t *seen) {
    char rows[40], positives[40], unsafe[40];
    const size_t sources = count_part(d, part, SR_PARTS, seen).sources; /* a list may name more */
    printf("%-12s %-18s %-18s %-18s %s\n", "part", "rows", "label 1", "unsafe", "sources");
    for (int p = 0; p < SR_PARTS; p++) {
        if (!how->out[p])
            continue;
        const struct tally t = count_part(d, part, p, seen);
        printf("%-12s %-18s %-18s %-18s %zu of %zu\n", sr_part_name(p), share(rows, t.rows, d->rows),
               share(positives, t.positives, t.labelled), share(unsafe, t.unsafe, t.judged), t.sources,
               sources);
        if (d->label && t.positives == 0)
            sr_log_warn("%s has no row with label 1, so nothing can be learnt or measured on it alone",
                        sr_part_name(p));
    }
}

/* ---- the command ---- */

/* Parts that get a share: test does not where its rows are those of sources held out. */
static bool has_share(const struct sr_parting *how, int part) {
    return how->out[part] && !(part == SR_PART_TEST && how->hold_out);
}

static int take_fractions(struct sr_parting *how, const struct sr_reals *given, struct sr_error *err) {
    size_t parts = 0;
    double rest = 1;
    for (int p = 0; p < SR_PARTS; p++)
        parts += has_share(how, p);
    if (given->n > 0 && how->hold_out && given->n != parts)
        return sr_fail(
            err, SR_USAGE,
            "--fractions has %zu numbers, but with --hold-out-source the rows of those sources are "
            "the test rows; %s",
            given->n,
            parts > 1 ? "give two, for train and calibration, of the rows that are left"
                      : "all that are left are training rows, so leave it out");
    if (given->n > 0 && given->n != parts)
        return sr_fail(err, SR_USAGE, "--fractions has %zu numbers for %zu parts; one for each part named",
                       given->n, parts);
    for (int p = SR_PARTS, k = (int)parts; p-- > 0;) {
        if (!has_share(how, p))
            continue;
        how->fraction[p] = given->n > 0 ? given->v[--k] : p == SR_PART_TRAIN ? rest : .15;
        rest -= how->fraction[p];
    }
    return 0;
}

static int check_options(const struct split_options *o, struct sr_error *err) {
    if (!o->from || !o->out[SR_PART_TRAIN])
        return sr_fail(err, SR_USAGE, "data split: %s",
                       o->from ? "--train is missing; it names the dump of training rows"
                               : "which dump? give its name");
    if (!o->out[SR_PART_CALIBRATION] && !o->out[SR_PART_TEST])
        return sr_fail(err, SR_USAGE, "data split: --calibration or --test is missing; one part is no split");
    if (o->cosine > 0 && !o->near_duplicates)
        return sr_fail(err, SR_USAGE, "--cosine says what --near-duplicates looks for, which is not given");
    if (o->hold_out && !o->out[SR_PART_TEST])
        return sr_fail(err, SR_USAGE,
                       "--hold-out-source says which rows are the test rows, so --test is needed");
    return 0;
}

static int split(struct sr_data *d, uint8_t *part, const struct sr_parting *how,
                 const struct split_options *o, struct sr_error *err) {
    struct sr_log_stage looking = sr_log_stage_begin("looking for near-duplicates");
    int status = sr_parts_choose(part, d, how, sr_log_stage_show, &looking, err);
    if (status < 0)
        return status;
    uint8_t *seen = sr_alloc(d->sources, 1, err);
    if (!seen)
        return SR_NOMEM;
    struct sr_copied copied;
    struct sr_log_stage writing = sr_log_stage_begin("writing");
    status = sr_parts_write(&copied, part, d, how, &o->data, sr_log_stage_show, &writing, err);
    if (status == 0) {
        print_parts(d, part, how, seen);
        if (*copied.by_length)
            printf("taken for columns of rows, since they have as many: %s\n", copied.by_length);
    }
    sr_free(seen);
    return status;
}

static double near_of(const struct split_options *o) {
    if (!o->near_duplicates)
        return 0;
    return o->cosine > 0 ? o->cosine : SR_NEAR_COSINE;
}

static int run(struct split_options *o, struct sr_error *err) {
    struct sr_parting how = {.seed = (uint64_t)o->seed, .hold_out = o->hold_out, .near = near_of(o)};
    struct sr_data *d;
    for (int p = 0; p < SR_PARTS; p++)
        how.out[p] = o->out[p];
    int status = check_options(o, err);
    if (status == 0)
        status = take_fractions(&how, &o->fractions, err);
    if (status < 0)
        return status;
    o->data.label_optional = o->data.one_file = true;
    status = sr_data_open(&d, o->from, &o->data, err);
    if (status < 0)
        return status;
    uint8_t *part = sr_alloc(d->rows, 1, err);
    status = part ? split(d, part, &how, o, err) : SR_NOMEM;
    sr_free(part);
    sr_data_close(d);
    return status;
}

int sr_cmd_data_split(int argc, char **argv) {
    struct split_options opts = {0};
    struct sr_options o;
    struct sr_error err = {0};
    int status = sr_command_begin(&o, &command, &opts, argc, argv, &err);
    if (status > 0)
        status = run(&opts, &err);
    return sr_command_end(&o, status, &err);
}
