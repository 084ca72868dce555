/* cmd_eval_text.c: what `saferoute eval` prints for people: what decides first; see cmd_eval.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>

#include "eval/cmd_eval.h"

#define SLICES "source"

static void print_traffic(const struct sr_eval_result *r) {
    const struct sr_traffic *t = &r->traffic;
    if (!r->has_traffic)
        return;
    printf("traffic        %.2f %% of its %zu rows go to the large guard, of the labelled rows %.2f %%",
           100 * (double)t->routed / (double)t->rows, t->rows, 100 * r->all.value[SR_FIGURE_SHARE_ROUTED]);
    if (!isnan(t->latency_ms))
        printf("; %.3g ms a row, labelled %.3g", t->latency_ms, r->all.value[SR_FIGURE_LATENCY_MS]);
    if (!isnan(t->price))
        printf("; price %.4g a row, labelled %.4g", t->price, r->all.value[SR_FIGURE_PRICE]);
    putchar('\n');
}

static void print_old(const struct sr_eval_result *r) {
    char text[SR_DECIMAL_TEXT], heading[96];
    if (!r->has_old)
        return;
    sr_comparison_print(stdout, "own thresholds", &r->change);
    sr_comparison_print(stdout, "equal share", &r->equal_share);
    snprintf(heading, sizeof heading,
             "(the new one at threshold %s, where it routes no more than the old one)",
             sr_decimal_float(text, r->equal_threshold));
    puts(heading);
    sr_regressions_print(stdout, SLICES, r->names, r->slice_change, r->slices);
}

void sr_eval_print(const struct sr_eval_result *r) {
    const struct sr_screen_words words = {
        .threshold_origin = r->scoring->threshold_origin, .labels = r->labels, .against = "old"};
    if (r->has_old)
        sr_changed_print(stdout, &r->change);
    sr_screen_print(stdout, &r->all, r->has_old ? &r->change : NULL, &words);
    sr_worst_slice_print(stdout, SLICES, r->names, r->slice, r->slices);
    sr_prices_print(stdout, &r->all, &r->how.prices);
    print_traffic(r);
    sr_guards_print(stdout, &r->all);
    sr_prevalence_print(stdout, &r->all, r->how.prevalence);
    print_old(r);
    if (!r->options->full)
        return;
    sr_evaluation_print(stdout, &r->all);
    if (r->slices > 0)
        sr_evaluation_slices_print(stdout, SLICES, r->names, r->slice, r->slices);
}
