/* cmd_eval_text.c: what `saferoute eval` prints for people: what decides first; see cmd_eval.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "eval/cmd_eval.h"
#include "eval/cmd_rows.h"
#include "eval/text.h"

static void print_traffic(const struct sr_eval_result *r) {
    const struct sr_traffic *t = &r->traffic;
    const bool latency = !isnan(t->latency_ms), price = !isnan(t->price);
    if (!r->has_traffic)
        return;
    sr_put_name(stdout, "traffic");
    char text[SR_TEXT];
    const double routed = (double)t->routed, rows = (double)t->rows;
    printf("%s of its ", sr_text_figure(text, "%.2f %%", routed / rows, sr_wilson(routed, rows), 100));
    sr_put_count(stdout, t->rows);
    printf(" rows go to the large guard, of the labelled ones %.2f %%\n",
           100 * r->all.value[SR_FIGURE_SHARE_ROUTED]);
    if (!latency && !price)
        return;
    sr_put_name(stdout, "");
    if (latency)
        printf("%.4g ms a row%s", t->latency_ms, price ? ", " : "\n");
    if (price)
        printf("price %.4g a row\n", t->price);
}

static void print_calibrated(const struct sr_eval_result *r) {
    const struct sr_calibration_scores *s = &r->calibrated;
    if (!r->calibrator)
        return;
    printf("\ncalibration of prob as the weights' %s corrects it\n", sr_calibrator_method(r->calibrator));
    static const char *const names[] = {"Brier", "log loss", "ECE, equal width", "ECE, equal mass"};
    double value[SR_CALIBRATION_SCORES];
    char text[SR_TEXT];
    memcpy(value, s, sizeof value);
    for (size_t i = 0; i < SR_CALIBRATION_SCORES; i++)
        printf("%-18s %s\n", names[i], sr_text_figure(text, "%.4f", value[i], r->calibrated_ci[i], 1));
}

static void print_old(const struct sr_eval_result *r) {
    char text[SR_DECIMAL_TEXT];
    if (!r->has_old)
        return;
    sr_comparison_print(stdout, "own thresholds", &r->change);
    sr_comparison_print(stdout, "equal share", &r->equal_share);
    printf("(the new one at threshold %s, where it routes as nearly as many rows as it can)\n",
           sr_decimal_float(text, r->equal_threshold));
    sr_regressions_print(stdout, sr_slices_by(&r->options->how), r->names, r->slice_change, r->slices);
}

void sr_eval_print(const struct sr_eval_result *r) {
    const struct sr_screen_words words = {
        .threshold_origin = r->scoring->threshold_origin, .labels = r->labels, .against = "old"};
    if (r->has_old)
        sr_changed_print(stdout, &r->change);
    sr_screen_print(stdout, &r->all, r->has_old ? &r->change : NULL, &words);
    sr_worst_slice_print(stdout, sr_slices_by(&r->options->how), r->names, r->slice, r->slices);
    sr_prices_print(stdout, &r->all, &r->how.prices);
    print_traffic(r);
    sr_guards_print(stdout, &r->all);
    sr_prevalence_print(stdout, &r->all, &r->how);
    print_old(r);
    if (!r->options->full)
        return;
    sr_evaluation_print(stdout, &r->all);
    print_calibrated(r);
    if (r->slices > 0)
        sr_evaluation_slices_print(stdout, sr_slices_by(&r->options->how), r->names, r->slice, r->slices);
}
