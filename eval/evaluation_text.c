/* evaluation_text.c: an evaluation as tables for people: the guards and the ways to route, counts,
 * calibration, slices, two routers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "eval/eval.h"
#include "eval/text.h"

#define CELL 26 /* columns of a figure with its interval */

static const struct sr_interval no_interval = {(double)NAN, (double)NAN};

static void put_cell(FILE *to, const char *format, double value, struct sr_interval i, double scale) {
    char text[SR_TEXT];
    fprintf(to, " %-*s", CELL, sr_text_figure(text, format, value, i, scale));
}

static void put_figure(FILE *to, const char *format, const struct sr_evaluation *e, size_t figure,
                       double scale) {
    put_cell(to, format, e->value[figure], e->ci[figure], scale);
}

/* ---- guards ---- */

void sr_guards_print(FILE *to, const struct sr_evaluation *e) {
    static const char *const names[] = {
        [SR_JUDGE_SMALL] = "small alone",     [SR_JUDGE_LARGE] = "large alone",
        [SR_JUDGE_ROUTED] = "routed",         [SR_JUDGE_ENTROPY] = "entropy instead",
        [SR_JUDGE_RANDOM] = "random instead", [SR_JUDGE_ORACLE] = "oracle"};
    static const enum sr_judge order[] = {SR_JUDGE_SMALL,  SR_JUDGE_RANDOM, SR_JUDGE_ENTROPY,
                                          SR_JUDGE_ROUTED, SR_JUDGE_ORACLE, SR_JUDGE_LARGE};
    if (e->system_rows == 0)
        return;
    fprintf(to, "\n%-15s %-*s %-*s %-*s %-*s %s\n", "safety", CELL, "F1", CELL, "precision", CELL, "recall",
            CELL, "accuracy", "routed");
    for (size_t j = 0; j < SR_COUNT(order); j++) {
        fprintf(to, "%-15s", names[order[j]]);
        if (isnan(e->value[sr_figure(order[j], SR_OF_JUDGE_SHARE_ROUTED)])) {
            fputs(" not known: rows lack the small guard's probability\n", to);
            continue;
        }
        for (enum sr_judge_figure f = SR_OF_JUDGE_F1; f <= SR_OF_JUDGE_ACCURACY; f++)
            put_figure(to, "%.4f", e, sr_figure(order[j], f), 1);
        fputc(' ', to);
        sr_put(to, "%.2f %%", e->value[sr_figure(order[j], SR_OF_JUDGE_SHARE_ROUTED)], 100);
        fputc('\n', to);
    }
}

/* ---- everything else of one evaluation ---- */

static void print_figure(FILE *to, const char *name, const char *format, const struct sr_evaluation *e,
                         size_t figure, double scale) {
    char text[SR_TEXT];
    fprintf(to, "%-18s %s\n", name, sr_text_figure(text, format, e->value[figure], e->ci[figure], scale));
}

static void print_router(FILE *to, const struct sr_evaluation *e) {
    const struct sr_confusion c = e->confusion;
    fprintf(to, "\n%-14s %12s %12s\n", "label", "routed", "not routed");
    fprintf(to, "%-14s    TP %6" PRIu64 "    FN %6" PRIu64 "\n", "positive", c.tp, c.fn);
    fprintf(to, "%-14s    FP %6" PRIu64 "    TN %6" PRIu64 "\n", "negative", c.fp, c.tn);
    print_figure(to, "F1", "%.4f", e, SR_FIGURE_F1, 1);
    print_figure(to, "precision", "%.4f", e, SR_FIGURE_PRECISION, 1);
    print_figure(to, "recall", "%.4f", e, SR_FIGURE_RECALL, 1);
    print_figure(to, "accuracy", "%.4f", e, SR_FIGURE_ACCURACY, 1);
    print_figure(to, "balanced accuracy", "%.4f", e, SR_FIGURE_BALANCED_ACCURACY, 1);
    print_figure(to, "MCC", "%.4f", e, SR_FIGURE_MCC, 1);
    fputs("\ncalibration of prob as a probability\n", to);
    print_figure(to, "Brier", "%.4f", e, SR_FIGURE_BRIER, 1);
    print_figure(to, "log loss", "%.4f", e, SR_FIGURE_LOG_LOSS, 1);
    print_figure(to, "ECE, equal width", "%.4f", e, SR_FIGURE_ECE, 1);
    print_figure(to, "ECE, equal mass", "%.4f", e, SR_FIGURE_ECE_MASS, 1);
}

static void print_right(FILE *to, const char *name, uint64_t rows, uint64_t all) {
    const double part = (double)rows;
    char text[SR_TEXT];
    fprintf(to, "%-14s %10" PRIu64 "  %s\n", name, rows,
            sr_text_figure(text, "%.2f %%", part / (double)all, sr_wilson(part, (double)all), 100));
}

static void print_system(FILE *to, const struct sr_evaluation *e) {
    static const struct {
        const char *name;
        enum sr_judge judge;
    } curves[] = {{"router", SR_JUDGE_ROUTED},
                  {"entropy", SR_JUDGE_ENTROPY},
                  {"random", SR_JUDGE_RANDOM},
                  {"oracle", SR_JUDGE_ORACLE}};
    fputs("\nwho was right\n", to);
    print_right(to, "both", e->cc, e->system_rows);
    print_right(to, "only large", e->wc, e->system_rows);
    print_right(to, "only small", e->cw, e->system_rows);
    print_right(to, "neither", e->ww, e->system_rows);
    print_figure(to, "routed rightly", "%.2f %%", e, SR_FIGURE_GAIN, 100);
    print_figure(to, "routed wrongly", "%.2f %%", e, SR_FIGURE_HARM, 100);
    fputs("\narea under safety F1 against share routed\n", to);
    for (size_t c = 0; c < SR_COUNT(curves); c++)
        print_figure(to, curves[c].name, "%.4f", e, sr_figure(curves[c].judge, SR_OF_JUDGE_AREA), 1);
    fputs("\nlog loss above that of perfect routing\n", to);
    print_figure(to, "gap", "%.4f", e, SR_FIGURE_RISK_GAP, 1);
    print_figure(to, "bound", "%.4f", e, SR_FIGURE_RISK_BOUND, 1);
    print_figure(to, "routing error", "%.2f %%", e, SR_FIGURE_ROUTING_ERROR, 100);
}

void sr_evaluation_print(FILE *to, const struct sr_evaluation *e) {
    print_router(to, e);
    if (e->system_rows > 0)
        print_system(to, e);
}

/* With errors, of a guard that judges every row alone. What is wrong and not missed is a false alarm. */
static double alone_cost(const struct sr_evaluation *e, const struct sr_prices *p, double price,
                         enum sr_judge guard, size_t missed_figure) {
    const double missed = e->value[missed_figure] / 1000;
    const double wrong = 1 - e->value[sr_figure(guard, SR_OF_JUDGE_ACCURACY)];
    return price + missed * p->missed_cost + (wrong - missed) * p->alarm_cost;
}

static void print_cost(FILE *to, const struct sr_evaluation *e, const struct sr_prices *p) {
    char text[SR_TEXT];
    const double cost = e->value[SR_FIGURE_COST];
    if (isnan(cost))
        return;
    sr_put_name(to, "cost");
    fprintf(to, "%s a row with its errors; small alone %.4g, large alone %.4g\n",
            sr_text_figure(text, "%.4g", cost, e->ci[SR_FIGURE_COST], 1),
            alone_cost(e, p, p->small_cost, SR_JUDGE_SMALL, SR_FIGURE_MISSED_SMALL),
            alone_cost(e, p, p->large_cost, SR_JUDGE_LARGE, SR_FIGURE_MISSED_LARGE));
}

void sr_prices_print(FILE *to, const struct sr_evaluation *e, const struct sr_prices *p) {
    const double latency = e->value[SR_FIGURE_LATENCY_MS], price = e->value[SR_FIGURE_PRICE];
    if (!isnan(latency)) {
        sr_put_name(to, "latency");
        fprintf(to, "%.4g ms a row on average; small alone %.4g, large alone %.4g\n", latency, p->small_ms,
                p->large_ms);
    }
    if (!isnan(price)) {
        sr_put_name(to, "price");
        fprintf(to, "%.4g a row on average; small alone %.4g, large alone %.4g\n", price, p->small_cost,
                p->large_cost);
    }
    print_cost(to, e, p);
}

void sr_prevalence_print(FILE *to, const struct sr_evaluation *e, const struct sr_measure_options *how) {
    const size_t f = SR_FIGURE_OF_PREVALENCE;
    if (isnan(how->prevalence))
        return;
    fprintf(to, "\nwhere %.4g %% of the rows are positive\n", 100 * how->prevalence);
    print_figure(to, "precision", "%.4f", e, f + SR_OF_PREVALENCE_PRECISION, 1);
    print_figure(to, "F1", "%.4f", e, f + SR_OF_PREVALENCE_F1, 1);
    print_figure(to, "accuracy", "%.4f", e, f + SR_OF_PREVALENCE_ACCURACY, 1);
    print_figure(to, "routed", "%.2f %%", e, f + SR_OF_PREVALENCE_SHARE_ROUTED, 100);
    print_figure(to, "Brier, corrected", "%.4f", e, f + SR_OF_PREVALENCE_BRIER, 1);
    print_figure(to, "log loss, corr.", "%.4f", e, f + SR_OF_PREVALENCE_LOG_LOSS, 1);
    if (isnan(how->train_share))
        fputs("(prob corrected from the share of these rows, as what training saw is not known; all figures "
              "above are "
              "of\nthe rows as they are)\n",
              to);
    else
        fprintf(to,
                "(prob corrected from the %.4g %% that training saw by its sampler and loss; all figures "
                "above are of "
                "the\nrows as they are)\n",
                100 * how->train_share);
}

/* ---- slices ---- */

static int name_width(const char *heading, const char *const *names, const struct sr_evaluation *slice,
                      size_t n) {
    int width = sr_text_wider(SR_TEXT_NARROW, heading);
    for (size_t s = 0; s < n; s++)
        width = slice[s].rows > 0 ? sr_text_wider(width, names[s]) : width;
    return width;
}

void sr_evaluation_slices_print(FILE *to, const char *heading, const char *const *names,
                                const struct sr_evaluation *slice, size_t n) {
    const int width = name_width(heading, names, slice, n);
    fprintf(to, "\n%-*s %10s %10s %-*s %-*s %-*s %s\n", width, heading, "rows", "positives", CELL, " AUPRC",
            CELL, " F1", CELL, " safety F1", "routed");
    for (size_t s = 0; s < n; s++) {
        const struct sr_evaluation *e = &slice[s];
        if (e->rows == 0)
            continue;
        sr_put_text(to, names[s], width);
        fprintf(to, " %10zu %10zu ", e->rows, e->positives);
        put_figure(to, "%.4f", e, SR_FIGURE_AUPRC, 1);
        put_figure(to, "%.4f", e, SR_FIGURE_F1, 1);
        put_figure(to, "%.4f", e, sr_figure(SR_JUDGE_ROUTED, SR_OF_JUDGE_F1), 1);
        fputc(' ', to);
        sr_put(to, "%.2f %%", e->value[SR_FIGURE_SHARE_ROUTED], 100);
        fputs(e->too_few ? "  too few rows\n" : "\n", to);
    }
}

void sr_worst_slice_print(FILE *to, const char *heading, const char *const *names,
                          const struct sr_evaluation *slice, size_t n) {
    const size_t worst = sr_worst_slice(slice, n, SR_FIGURE_F1);
    char name[32], text[SR_TEXT];
    if (worst == n)
        return;
    const struct sr_evaluation *e = &slice[worst];
    snprintf(name, sizeof name, "worst %s", heading);
    sr_put_name(to, name);
    sr_put_text(to, names[worst], 0);
    fprintf(to, ": F1 %s, AUPRC ",
            sr_text_figure(text, "%.4f", e->value[SR_FIGURE_F1], e->ci[SR_FIGURE_F1], 1));
    sr_put(to, "%.4f", e->value[SR_FIGURE_AUPRC], 1);
    fputs(", ", to);
    sr_put_count(to, e->rows);
    fputs(" rows\n", to);
}

/* ---- two routers ---- */

void sr_changed_print(FILE *to, const struct sr_comparison *c) {
    const double rows = (double)c->old.rows;
    sr_put_name(to, "changed");
    fprintf(to, "per 1,000 rows %.1f go to the large guard that did not, %.1f no longer do (of ",
            1000 * (double)c->to_large / rows, 1000 * (double)c->to_small / rows);
    sr_put_count(to, c->old.rows);
    fputs(" rows)\n", to);
}

void sr_comparison_print(FILE *to, const char *heading, const struct sr_comparison *c) {
    static const struct {
        const char *name, *format, *signed_format;
        size_t figure;
        double scale;
    } lines[] = {
        {"AUPRC", "%.4f", "%+.4f", SR_FIGURE_AUPRC, 1},
        {"AUROC", "%.4f", "%+.4f", SR_FIGURE_AUROC, 1},
        {"F1", "%.4f", "%+.4f", SR_FIGURE_F1, 1},
        {"precision", "%.4f", "%+.4f", SR_FIGURE_PRECISION, 1},
        {"recall", "%.4f", "%+.4f", SR_FIGURE_RECALL, 1},
        {"routed", "%.2f %%", "%+.2f %%", SR_FIGURE_SHARE_ROUTED, 100},
        {"safety F1", "%.4f", "%+.4f", SR_FIGURE_OF_JUDGES + SR_JUDGE_ROUTED * SR_OF_JUDGE, 1},
        {"unsafe missed", "%.1f", "%+.1f", SR_FIGURE_MISSED_ROUTED, 1},
        {"harmed", "%.1f", "%+.1f", SR_FIGURE_HARM, 1000},
    };
    fprintf(to, "\n%-16s %10s %10s  %s\n", heading, "old", "new", "difference");
    for (size_t l = 0; l < SR_COUNT(lines); l++) {
        const size_t f = lines[l].figure;
        const double old = c->old.value[f];
        char text[SR_TEXT];
        if (isnan(c->delta[f]))
            continue;
        fprintf(to, "%-16s ", lines[l].name);
        fprintf(to, "%10s ", sr_text_figure(text, lines[l].format, old, no_interval, lines[l].scale));
        fprintf(to, "%10s  ",
                sr_text_figure(text, lines[l].format, old + c->delta[f], no_interval, lines[l].scale));
        fprintf(to, "%s\n",
                sr_text_figure(text, lines[l].signed_format, c->delta[f], c->ci[f], lines[l].scale));
    }
    fprintf(to,
            "rows whose verdict only one has right: %" PRIu64 " the new one, %" PRIu64
            " the old one; exact McNemar p = %.3g\n",
            c->only_new_right, c->only_old_right, c->p_value);
}

/* The differences that should not be negative. */
static const size_t judged[] = {SR_FIGURE_AUPRC, SR_FIGURE_F1,
                                SR_FIGURE_OF_JUDGES + (SR_JUDGE_ROUTED * SR_OF_JUDGE)};
static const char *const judged_names[] = {"AUPRC", "F1", "safety F1"};

bool sr_comparison_is_worse(const struct sr_comparison *c) {
    for (size_t f = 0; !c->old.too_few && f < SR_COUNT(judged); f++)
        if (c->ci[judged[f]].high < 0)
            return true;
    return false;
}

/* How many slices are compared at all, and how many differences look worse if nothing has changed: each does
 * so in 2.5 % of the cases. */
static size_t count_compared(const struct sr_comparison *c, size_t n, double *by_chance) {
    size_t compared = 0, differences = 0;
    for (size_t s = 0; s < n; s++) {
        if (c[s].old.too_few)
            continue;
        compared++;
        for (size_t f = 0; f < SR_COUNT(judged); f++)
            differences += !isnan(c[s].ci[judged[f]].high);
    }
    *by_chance = .025 * (double)differences;
    return compared;
}

void sr_regressions_print(FILE *to, const char *heading, const char *const *names,
                          const struct sr_comparison *c, size_t n) {
    char text[SR_TEXT];
    size_t worse = 0;
    double by_chance;
    const size_t compared = count_compared(c, n, &by_chance);
    for (size_t s = 0; s < n; s++) {
        if (!sr_comparison_is_worse(&c[s]))
            continue;
        if (worse++ == 0)
            fprintf(
                to,
                "\nworse by %s: the interval of a difference lies below 0 (%zu have rows enough to compare; "
                "chance alone gives about %.1f)\n",
                heading, compared, by_chance);
        sr_put_text(to, names[s], SR_TEXT_NARROW);
        for (size_t f = 0; f < SR_COUNT(judged); f++)
            fprintf(to, "%s %s %s%s", f ? "," : "", judged_names[f],
                    sr_text_figure(text, "%+.4f", c[s].delta[judged[f]], c[s].ci[judged[f]], 1),
                    c[s].ci[judged[f]].high < 0 ? " (worse)" : "");
        fputc('\n', to);
    }
    if (compared > 0 && worse == 0)
        fprintf(to, "\nno %s is clearly worse (%zu have rows enough to compare)\n", heading, compared);
}
