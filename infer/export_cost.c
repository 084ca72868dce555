/* export_cost.c: a router and its rounded form on the same rows; see export_cost.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "data/data.h"
#include "eval/eval.h"
#include "infer/export_cost.h"

/* Of the rows that both score. NaN where they have no labels of both classes. */
static int ranking(double *auprc, const struct sr_data *d, const struct sr_scores *of,
                   const struct sr_scores *other, struct sr_error *err) {
    double auroc, *score = sr_alloc(d->rows, sizeof *score, err);
    uint8_t *label = sr_alloc(d->rows, 1, err);
    size_t n = 0;
    *auprc = (double)NAN;
    for (size_t i = 0; score && label && d->label && i < d->rows; i++)
        if (!isnan(of->prob[i]) && !isnan(other->prob[i])) {
            label[n] = d->label[i];
            score[n++] = (double)of->prob[i];
        }
    const int status = !score || !label ? SR_NOMEM
                       : n > 0          ? sr_ranking(auprc, &auroc, label, score, n, err)
                                        : 0;
    sr_free(label);
    sr_free(score);
    return status;
}

static void compare(struct sr_export_cost *out, const struct sr_scores *exact,
                    const struct sr_scores *rounded, float threshold) {
    double sum = 0;
    for (size_t i = 0; i < exact->rows; i++) {
        const double change = fabs((double)exact->prob[i] - (double)rounded->prob[i]);
        const bool before = sr_is_routed(exact->prob[i], threshold), /* a row without a score is large */
            after = sr_is_routed(rounded->prob[i], threshold);
        out->to_large += !before && after;
        out->to_small += before && !after;
        if (isnan(change))
            continue;
        out->rows++;
        out->largest = change > out->largest ? change : out->largest;
        sum += change;
    }
    out->mean = sum / (double)out->rows;
}

static int measure(struct sr_export_cost *out, const struct sr_export *e, struct sr_data *d,
                   void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    struct sr_scores exact = {0}, rounded = {0};
    int status = sr_score_data(&exact, e->router, d, progress, user, err);
    if (status == 0)
        status = sr_score_data(&rounded, e->rounded, d, progress, user, err);
    if (status == 0)
        compare(out, &exact, &rounded, e->threshold);
    if (status == 0 && out->rows == 0)
        status = sr_fail(err, SR_DATA, "--data: no row of it can be scored");
    if (status == 0 && (status = ranking(&out->auprc, d, &exact, &rounded, err)) == 0)
        status = ranking(&out->auprc_rounded, d, &rounded, &exact, err);
    sr_scores_free(&exact);
    sr_scores_free(&rounded);
    return status;
}

int sr_export_cost_measure(struct sr_export_cost *out, const struct sr_export *e, const char *paths,
                           void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    const struct sr_data_options unlabelled = {.features_only = true};
    struct sr_data *d = NULL;
    *out = (struct sr_export_cost){0};
    int status = sr_data_open(&d, paths, NULL, err);
    if (status == SR_DATA) /* without labels decisions can still be compared */
        status = sr_data_open(&d, paths, &unlabelled, err);
    if (status == 0)
        status = measure(out, e, d, progress, user, err);
    sr_data_close(d);
    return status;
}
