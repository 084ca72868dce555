/* seeds.c: mean, deviation and median of several runs; see seeds.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "train/seeds.h"

/* Runs with a lower AUPRC, or the same and a lower number: the rank of a run. */
static size_t rank(const struct sr_seeds *s, size_t run) {
    size_t below = 0;
    for (size_t i = 0; i < s->n; i++)
        below += s->best[i].val_auprc < s->best[run].val_auprc ||
                 /* cppcheck-suppress arrayIndexThenCheck ; i is below n */
                 (s->best[i].val_auprc == s->best[run].val_auprc && i < run);
    return below;
}

void sr_seeds_measure(struct sr_seeds *s) {
    const double n = (double)s->n;
    double *mean = (double *)&s->mean, *deviation = (double *)&s->deviation;
    for (size_t c = 0; c < SR_EPOCH_COLUMNS; c++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < s->n; i++)
            sum += ((const double *)&s->best[i])[c];
        for (size_t i = 0; i < s->n; i++) {
            const double off = ((const double *)&s->best[i])[c] - sum / n;
            squares += off * off;
        }
        mean[c] = sum / n;
        /* 0/0 for one run; below the rounding of the mean all are equal */
        const bool equal = s->n > 1 && squares <= n * 1e-30 * mean[c] * mean[c];
        deviation[c] = equal ? 0 : sqrt(squares / (n - 1));
    }
    for (size_t i = 0; i < s->n; i++)
        if (rank(s, i) == (s->n - 1) / 2)
            s->median = i;
}

static void number_print(FILE *to, double value) {
    if (isnan(value))
        fprintf(to, " %10s", "undefined");
    else
        fprintf(to, " %10.4g", value);
}

void sr_seeds_print(FILE *to, const struct sr_seeds *s) {
    fprintf(to, "%-18s %10s %10s %10s   at the best epoch of %zu runs\n", "", "mean", "deviation",
            "delivered", s->n);
    for (size_t c = 0; c < SR_EPOCH_COLUMNS; c++) {
        fprintf(to, "%-18s", sr_epoch_column[c].key);
        number_print(to, ((const double *)&s->mean)[c]);
        number_print(to, ((const double *)&s->deviation)[c]);
        number_print(to, ((const double *)&s->best[s->median])[c]);
        putc('\n', to);
    }
    fprintf(to, "val/auprc by seed ");
    for (size_t i = 0; i < s->n; i++)
        fprintf(to, " %lld: %.4f", (long long)s->seed[i], s->best[i].val_auprc);
    fprintf(to, "\ndelivered          seed %lld, the median run on validation\n",
            (long long)s->seed[s->median]);
}

/* A mean or a deviation: no column is a whole number. */
static struct sr_json *measure_json(const struct sr_epoch *row) {
    struct sr_json *o = sr_json_object();
    for (size_t c = 0; c < SR_EPOCH_COLUMNS; c++)
        sr_json_set(o, sr_epoch_column[c].key, sr_json_number(((const double *)row)[c]));
    return o;
}

struct sr_json *sr_seeds_json(const struct sr_seeds *s) {
    struct sr_json *o = sr_json_object(), *runs = sr_json_array();
    for (size_t i = 0; i < s->n; i++) {
        struct sr_json *run = sr_epoch_json(&s->best[i]);
        sr_json_set(run, "seed", sr_json_integer(s->seed[i]));
        sr_json_append(runs, run);
    }
    sr_json_set(o, "schema_version", sr_json_integer(1));
    sr_json_set(o, "delivered_seed", sr_json_integer(s->seed[s->median]));
    sr_json_set(o, "mean", measure_json(&s->mean));
    sr_json_set(o, "deviation", measure_json(&s->deviation));
    sr_json_set(o, "runs", runs);
    return o;
}
