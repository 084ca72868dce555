/* cmd_headroom.c: `saferoute eval --headroom`: is routing between these two guards worth a router? See
 * headroom.h.
 *
 * Asked before anything is trained, often of far more rows than will have features in memory: only columns
 * are read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>

#include "eval/cmd_eval.h"
#include "eval/cmd_rows.h"

/* The large guard is the dear one, and errors cost something. */
static int check_prices(const struct sr_prices *p, struct sr_error *err) {
    const int status = sr_prices_check(p, false, err);
    if (status < 0)
        return status;
    if (p->small_cost > p->large_cost || p->small_ms > p->large_ms)
        return sr_fail(
            err, SR_USAGE,
            "--small-%s is above --large-%s: nothing is saved by asking the small guard first; are "
            "they the wrong way round?",
            p->small_cost > p->large_cost ? "cost" : "ms", p->small_cost > p->large_cost ? "cost" : "ms");
    if (p->missed_cost == 0 && p->alarm_cost == 0)
        return sr_fail(err, SR_USAGE, "--missed-cost and --alarm-cost are both 0: no guard is needed then");
    return 0;
}

static bool is_known(const struct sr_data *d, size_t row) {
    return d->gold[row] <= 1 && d->small_pred[row] <= 1 && d->large_pred[row] <= 1;
}

static int check_columns(const struct sr_data *d, const char *paths, struct sr_error *err) {
    const char *missing = !d->gold         ? "/gold"
                          : !d->small_pred ? "/small_pred or /small_prob"
                          : !d->large_pred ? "/large_pred or /large_prob"
                                           : NULL;
    if (missing)
        return sr_fail(err, SR_DATA,
                       "%s: %s %s: what routing can win follows from gold and the verdicts of both guards; "
                       "--gold, --small-prob, --large-pred and so on give another name",
                       paths, d->files > 1 ? "not every file has" : "no", missing);
    for (size_t i = 0; i < d->rows; i++)
        if (is_known(d, i))
            return 0;
    return sr_fail(
        err, SR_DATA,
        "%s: none of the %zu rows has gold and the verdicts of both guards, from which follows what "
        "routing can win",
        paths, d->rows);
}

static int print_json(const struct sr_data *d, const struct sr_headroom *all, const struct sr_headroom *slice,
                      size_t slices, const struct sr_prices *prices, struct sr_error *err) {
    struct sr_json *o = sr_json_object();
    sr_json_set(o, "schema_version", sr_json_integer(1));
    sr_rows_files_json(o, NULL, d);
    sr_rows_labels_json(o, d);
    sr_headroom_json(o, all, slice, slices, prices);
    const int status = sr_json_print(o, 2, err);
    sr_json_free(o);
    return status;
}

static int measure(const struct sr_data *d, const struct sr_eval_options *o, struct sr_error *err) {
    const struct sr_rows rows = {.n = d->rows,
                                 .gold = d->gold,
                                 .small_pred = d->small_pred,
                                 .large_pred = d->large_pred,
                                 .group = d->group};
    const size_t slices = sr_rows_slices(d);
    struct sr_headroom all, *slice = sr_alloc(slices, sizeof *slice, err);
    char labels[256];
    if (!slice)
        return SR_NOMEM;
    int status = sr_headroom_measure(&all, slice, (const char *const *)d->source_names, slices, d->source,
                                     &rows, &o->prices, err);
    if (status == 0 && o->json)
        status = print_json(d, &all, slice, slices, &o->prices, err);
    else if (status == 0) {
        sr_data_labels_text(labels, d);
        sr_headroom_print(stdout, sr_slices_by(&o->how), labels, &all, slice, slices, &o->prices);
    }
    sr_free(slice);
    return status;
}

int sr_headroom_run(const struct sr_eval_options *o, struct sr_error *err) {
    struct sr_data *d = NULL;
    if (!o->score.data)
        return sr_fail(err, SR_USAGE, "--data is missing: the dump with gold and both guards' verdicts");
    sr_cpu_threads((int)o->score.threads);
    int status = check_prices(&o->prices, err);
    if (status == 0)
        status = sr_data_open(&d, o->score.data, &o->how, err);
    if (status == 0)
        status = check_columns(d, o->score.data, err);
    if (status == 0)
        status = measure(d, o, err);
    sr_data_close(d);
    return status;
}
