/* cmd_sweep_text.c: what `saferoute sweep` prints for people; see cmd_sweep.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>

#include "eval/cmd_rows.h"
#include "eval/cmd_sweep.h"
#include "eval/text.h"

#define CELL 26 /* columns of a figure with its interval */

/* Columns that are there only if something is known for them. */
struct shown {
    bool traffic, safety, latency, price, cost;
};

static struct shown shown_of(const struct sr_sweep_result *r) {
    const struct sr_prices *p = &r->options->prices;
    const bool safety = r->rows.gold != NULL;
    return (struct shown){
        .traffic = r->traffic.n > 0,
        .safety = safety,
        .latency = !isnan(sr_prices_latency(p, 0.5)),
        .price = !isnan(sr_prices_price(p, 0.5)),
        .cost = safety && !isnan(sr_prices_cost(p, 0.5, 0.5, 0.5)),
    };
}

static void print_rows(const struct sr_sweep_result *r) {
    const struct sr_confusion c = r->sweep.point[0].label;
    char labels[256];
    sr_data_labels_text(labels, r->scoring->data);
    sr_put_name(stdout, "rows");
    sr_put_count(stdout, c.tp + c.fp + c.tn + c.fn);
    fputs(" labelled, ", stdout);
    sr_put_count(stdout, c.tp + c.fn);
    fputs(" positive; ", stdout);
    sr_put_count(stdout, r->sweep.n);
    fputs(" thresholds\n", stdout);
    sr_put_name(stdout, "labels");
    puts(labels);
    if (r->traffic.n == 0)
        return;
    sr_put_name(stdout, "traffic");
    sr_put_count(stdout, r->traffic.rows);
    puts(" rows; budgets are chosen on them");
}

static void print_header(const struct shown *s) {
    printf("\n%-16s %-10s %9s", "rule", "threshold", "routed");
    if (s->traffic)
        printf(" %9s", "traffic");
    printf("   %-*s %-*s %-6s", CELL, "precision", CELL, "recall", "F1");
    if (s->safety)
        printf("  %-9s", "safety F1");
    if (s->latency)
        printf("  %10s", "latency ms");
    if (s->price)
        printf("  %8s", "price");
    if (s->cost)
        printf("  %8s", "cost");
    putchar('\n');
}

static void print_part(uint64_t part, uint64_t whole) {
    char text[SR_TEXT];
    printf(" %-*s", CELL,
           sr_text_figure(text, "%.4f", (double)part / (double)whole, sr_wilson((double)part, (double)whole),
                          1));
}

/* What latency and price follow from: the share of the traffic where it is known. */
static double share_shown(const struct sr_sweep_result *r, const struct sr_choice *c, const struct shown *s) {
    return s->traffic ? c->traffic_share : (double)c->point->routed / (double)r->sweep.rows;
}

static void print_prices(const struct sr_sweep_result *r, const struct sr_choice *c, const struct shown *s) {
    const struct sr_prices *p = &r->options->prices;
    const struct sr_point *at = c->point;
    const double share = share_shown(r, c, s);
    const double rows = (double)(at->safety.tp + at->safety.fp + at->safety.tn + at->safety.fn);
    if (s->latency)
        printf("  %10.4g", sr_prices_latency(p, share));
    if (s->price)
        printf("  %8.4g", sr_prices_price(p, share));
    if (s->cost)
        printf("  %8.4g", sr_prices_cost(p, (double)at->safety_routed / rows, (double)at->safety.fn / rows,
                                         (double)at->safety.fp / rows));
}

/* What the numbers of a line do not shout. */
static void print_remark(const struct sr_sweep_result *r, const struct sr_choice *c, const struct shown *s) {
    const struct sr_sweep *of = s->traffic ? &r->traffic : &r->sweep;
    const struct sr_confusion l = c->point->label;
    const double share = share_shown(r, c, s);
    if (sr_sweep_find(of, c->threshold) == of->n - 1)
        fputs("  routes no scored row: the small guard alone", stdout);
    else if (sr_prices_price(&r->options->prices, share) >= r->options->prices.large_cost)
        fputs("  costs no less than large for all", stdout);
    else if (l.tp + l.fp < SR_FEW)
        fputs("  too few rows routed to tell", stdout);
}

static void print_choice(const struct sr_sweep_result *r, const struct sr_choice *c, const struct shown *s) {
    char text[SR_DECIMAL_TEXT];
    printf("%-16s ", c->rule);
    if (c->status < 0) {
        puts(c->why.text);
        return;
    }
    const struct sr_confusion l = c->point->label;
    printf("%-10s %7.2f %%", sr_decimal_float(text, c->threshold),
           100 * (double)c->point->routed / (double)r->sweep.rows);
    if (s->traffic)
        printf(" %7.2f %%", 100 * c->traffic_share);
    fputs("  ", stdout);
    print_part(l.tp, l.tp + l.fp);
    print_part(l.tp, l.tp + l.fn);
    putchar(' ');
    sr_put(stdout, "%.4f", sr_f1(l), 1);
    if (s->safety) {
        fputs("  ", stdout);
        sr_put(stdout, "%-9.4f", sr_f1(c->point->safety), 1);
    }
    print_prices(r, c, s);
    print_remark(r, c, s);
    putchar('\n');
}

/* ---- calibration ---- */

static void print_score(const char *name, double before, double after) {
    printf("%-18s %10.4f %10.4f\n", name, before, after);
}

static void print_calibration(const struct sr_calibrated *c) {
    if (!c->calibrator)
        return;
    printf("\ncalibration by %s%s\n", sr_calibrator_method(c->calibrator),
           ", on the rows it was fitted to; no decision changes");
    printf("%-18s %10s %10s\n", "", "prob", "calibrated");
    print_score("Brier", c->before.brier, c->after.brier);
    print_score("log loss", c->before.log_loss, c->after.log_loss);
    print_score("ECE, equal width", c->before.ece, c->after.ece);
    print_score("ECE, equal mass", c->before.ece_mass, c->after.ece_mass);
    printf("\n%-22s %8s %10s   %-22s %8s %10s\n", "prob", "rows", "positive", "calibrated, mean", "rows",
           "positive");
    for (size_t b = 0; b < SR_BINS; b++) {
        const struct sr_bin *x = &c->before_bins[b], *y = &c->after_bins[b];
        if (x->rows > 0)
            printf("%.4f - %.4f        %8.0f %8.2f %%", x->low, x->high, x->rows,
                   100 * x->positives / x->rows);
        else
            printf("%-22s %8s %10s", "", "", "");
        if (y->rows > 0)
            printf("   %7.2f %%              %8.0f %8.2f %%", 100 * y->mean_prob, y->rows,
                   100 * y->positives / y->rows);
        putchar('\n');
    }
}

/* One threshold was asked for: it comes first. */
static void print_threshold(const struct sr_sweep_result *r) {
    const struct sr_choice *c = &r->choice[0];
    char text[SR_DECIMAL_TEXT];
    if (r->choices != 1 || c->status < 0)
        return;
    sr_put_name(stdout, "threshold");
    if (r->options->threshold_given)
        printf("%s  (given by --threshold)\n", sr_decimal_float(text, c->threshold));
    else
        printf("%s  (rule %s)\n", sr_decimal_float(text, c->threshold), c->rule);
}

void sr_sweep_print(const struct sr_sweep_result *r) {
    const struct shown s = shown_of(r);
    print_threshold(r);
    print_rows(r);
    print_header(&s);
    for (size_t i = 0; i < r->choices; i++)
        print_choice(r, &r->choice[i], &s);
    print_calibration(&r->calibrated);
    if (!r->options->out && (r->options->rule_given || r->calibrated.calibrator))
        puts("\nnothing is stored without --out");
}
