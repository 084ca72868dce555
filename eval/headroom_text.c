/* headroom_text.c: what routing can win, in words for people; see headroom.h.
 *
 * The verdict comes first, with the number it hangs on; then the numbers behind it, and what was assumed,
 * since a verdict on assumptions that nobody reads is none.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "eval/eval.h"
#include "eval/text.h"

#define CELL  22 /* of what the verdict hangs on */
#define NAMED 8  /* slices that differ from the verdict */

/* ---- pieces ---- */

static void next_line(FILE *to) {
    sr_put_name(to, "");
}

/* What the verdict hangs on, with its interval: points of accuracy, or money. */
static const char *text_worth(char text[SR_TEXT], const struct sr_headroom *h,
                              const struct sr_headroom_terms *terms, bool in_table) {
    const struct sr_interval ci = {h->profit_ci.low + h->needed, h->profit_ci.high + h->needed};
    if (terms->in_money)
        return sr_text_figure(text, in_table ? "%+.3g" : "%+.4g", h->profit, h->profit_ci, 1);
    return sr_text_figure(text, in_table ? "%+.1f" : "%+.2f", h->worth, ci, 100);
}

static const char *unit(const struct sr_headroom_terms *terms) {
    return terms->in_money ? "a row" : terms->weighed ? "points of weighed accuracy" : "points of accuracy";
}

static const char *cheaper(const struct sr_headroom_terms *terms) {
    return strcmp(terms->by, "ms") == 0 ? "faster" : "cheaper";
}

/* Two digits: more of an estimate would be a lie. */
static void put_about(FILE *to, double n) {
    const double unit = pow(10, fmax(0, floor(log10(n)) - 1));
    sr_put_count(to, (uint64_t)(unit * ceil(n / unit)));
}

/* ---- verdict ---- */

/* "+8.28 [+6.90, +9.68] points of accuracy", or money and what it is made of. */
static void put_worth(FILE *to, const struct sr_headroom *h, const struct sr_headroom_terms *terms) {
    char text[SR_TEXT];
    fprintf(to, "%s %s\n", text_worth(text, h, terms, false), unit(terms));
    if (!terms->in_money)
        return;
    next_line(to);
    fprintf(
        to,
        "errors avoided are worth %.4g a row; sending the %.2f %% costs %.4g (a point short counted in),\n",
        h->worth, 100 * h->differ, h->cost_routed);
    next_line(to);
    fprintf(to, "large for all %.4g more than small\n", h->cost_large);
}

/* Where accuracy and misses speak against each other; is_taken: the verdict uses the large guard. */
static void print_misses(FILE *to, const struct sr_headroom *h, const struct sr_headroom_terms *terms,
                         bool is_taken) {
    const bool is_against = is_taken ? h->missed_large > h->missed_small : h->missed_large < h->missed_small;
    if (terms->weighed || !is_against)
        return;
    next_line(to);
    fprintf(to, "but the large guard misses %s that is unsafe: --missed-cost and --alarm-cost weigh that\n",
            is_taken ? "more" : "less");
}

/* No advice against routing is one against a router that knows: how good it would have to be. In money a row
 * that it sends must be one that the large guard saves more often than its price asks. */
static void print_unless(FILE *to, const struct sr_headroom *h, const struct sr_headroom_terms *terms) {
    char text[SR_TEXT];
    if (!(h->best > (terms->in_money ? 0 : SR_HEADROOM_PAYS)))
        return;
    next_line(to);
    if (!terms->in_money) {
        fprintf(to,
                "%sunless a router tells which of them is right: a perfect one wins %s points over small,\n",
                h->gain < h->harm ? "routing does harm " : "",
                sr_text_figure(text, "%.2f", h->best, h->best_ci, 100));
        next_line(to);
        fprintf(to, "sending %.2f %% of the rows; train one and see what it wins\n", 100 * h->best_share);
        return;
    }
    fprintf(to, "unless a router picks well: a perfect one saves %s a row over small,\n",
            sr_text_figure(text, "%.4g", h->best, h->best_ci, 1));
    next_line(to);
    fprintf(to, "sending %.2f %% of the rows; it pays while over %.0f %% of those sent are such rows and\n",
            100 * h->best_share, 100 * terms->large_cost / (h->best / h->best_share + terms->large_cost));
    next_line(to);
    fputs("none is one that only the small guard has right\n", to);
}

static void print_route(FILE *to, const struct sr_headroom *h, const struct sr_headroom_terms *terms) {
    fputs(terms->in_money ? "route: the large guard, sent where the two differ, saves "
                          : "route: the large guard is better, by ",
          to);
    put_worth(to, h, terms);
    if (!terms->in_money) {
        next_line(to);
        fprintf(to, "they differ on %.2f %% of the rows; sending under %.4g %% is %s than large for all\n",
                100 * h->differ, 100 * terms->break_even, cheaper(terms));
    }
    print_misses(to, h, terms, true);
}

static void print_large(FILE *to, const struct sr_headroom *h, const struct sr_headroom_terms *terms) {
    fputs(terms->in_money ? "always large: it saves " : "always large: it is better, by ", to);
    put_worth(to, h, terms);
    if (!terms->in_money) {
        next_line(to);
        fprintf(to, "they differ on %.2f %% of the rows; sending all of those is %s only below %.4g %%\n",
                100 * h->differ, cheaper(terms), 100 * terms->break_even);
    }
    print_misses(to, h, terms, true);
    if (terms->in_money ? h->best > h->profit : h->oracle_accuracy - h->large_accuracy > SR_HEADROOM_PAYS)
        print_unless(to, h, terms);
}

static void print_small(FILE *to, const struct sr_headroom *h, const struct sr_headroom_terms *terms) {
    const bool is_worse = h->profit_ci.high + h->needed < 0;
    fputs(terms->in_money ? "always small: the large guard costs more than it saves, "
          : is_worse      ? "always small: the large guard is worse, by "
                          : "always small: the large guard is better by less than 1 point, ",
          to);
    put_worth(to, h, terms);
    print_misses(to, h, terms, false);
    print_unless(to, h, terms);
}

static void print_too_few(FILE *to, const struct sr_headroom *h, const struct sr_headroom_terms *terms) {
    fputs(terms->in_money ? "too few rows to tell: what the large guard saves is "
                          : "too few rows to tell: accuracy of large less small is ",
          to);
    put_worth(to, h, terms);
    next_line(to);
    if (h->groups < SR_FEW)
        fprintf(to, "fewer than %d rows or groups of rows tell nothing\n", SR_FEW);
    else if (h->rows_to_tell > 0) {
        fputs("about ", to);
        put_about(to, h->rows_to_tell);
        fputs(terms->in_money
                  ? " rows like these would tell, if it stays at that\n"
                  : " rows like these would tell whether it pays (a point), if it stays at that\n",
              to);
    } else
        fprintf(to, "only the large guard is right on %" PRIu64 " rows, only the small one on %" PRIu64 "\n",
                h->wc, h->cw);
}

static void print_verdict(FILE *to, const struct sr_headroom *h, const struct sr_headroom_terms *terms) {
    static void (*const print[])(FILE *, const struct sr_headroom *,
                                 const struct sr_headroom_terms *) = {[SR_ADVICE_ROUTE] = print_route,
                                                                      [SR_ADVICE_ALWAYS_SMALL] = print_small,
                                                                      [SR_ADVICE_ALWAYS_LARGE] = print_large,
                                                                      [SR_ADVICE_TOO_FEW] = print_too_few};
    sr_put_name(to, "verdict");
    print[h->advice](to, h, terms);
}

/* ---- numbers ---- */

static void print_share(FILE *to, const char *name, double share, struct sr_interval ci, const char *what) {
    char text[SR_TEXT];
    sr_put_name(to, name);
    fprintf(to, "%s of the rows at most: %s\n", sr_text_figure(text, "%.2f %%", share, ci, 100), what);
}

static void print_per_1000(FILE *to, const char *name, double small, double large) {
    sr_put_name(to, name);
    fprintf(to, "per 1,000 rows: %.1f small alone, %.1f large alone\n", small, large);
}

static void print_rows(FILE *to, const struct sr_headroom *h) {
    sr_put_name(to, "rows");
    sr_put_count(to, h->rows);
    fputs(" with gold and both verdicts", to);
    if (h->groups < h->rows) {
        fputs(", in ", to);
        sr_put_count(to, h->groups);
        fputs(" groups", to);
    }
    if (h->left_out > 0) {
        fputs("; left out: ", to);
        sr_put_count(to, h->left_out);
        fputs(" others", to);
    }
    fputs("; [a, b]: 95 % intervals\n", to);
}

static void print_numbers(FILE *to, const struct sr_headroom *h, const char *labels) {
    sr_put_name(to, "accuracy");
    fprintf(to, "%.4f small alone, %.4f large alone, %.4f oracle, which routes what it wins\n",
            h->small_accuracy, h->large_accuracy, h->oracle_accuracy);
    print_share(to, "gain", h->gain, h->gain_ci, "small wrong, large right");
    print_share(to, "harm", h->harm, h->harm_ci, "small right, large wrong");
    sr_put_name(to, "differ");
    fprintf(to, "%.2f %% of the rows have one guard right; there it is the large one in ", 100 * h->differ);
    sr_put(to, "%.1f %%\n", h->gain / h->differ, 100);
    print_per_1000(to, "unsafe missed", h->missed_small, h->missed_large);
    print_per_1000(to, "false alarms", h->alarms_small, h->alarms_large);
    print_rows(to, h);
    if (labels) {
        sr_put_name(to, "labels");
        fprintf(to, "%s\n", labels);
    }
}

/* ---- prices, and what stands in for them ---- */

static void print_prices(FILE *to, const struct sr_headroom_terms *terms, const struct sr_prices *p) {
    const bool is_cost = strcmp(terms->by, "cost") == 0, is_ms = strcmp(terms->by, "ms") == 0;
    if (!is_cost && !is_ms && !terms->weighed)
        return;
    sr_put_name(to, "prices");
    if (is_cost)
        fprintf(to, "small guard %.6g, large guard %.6g a row", p->small_cost, p->large_cost);
    if (is_ms)
        fprintf(to, "small guard %.6g ms, router %.6g, large guard %.6g", p->small_ms, p->router_ms,
                p->large_ms);
    if (terms->weighed)
        fprintf(to, "%sunsafe row missed %.6g, false alarm %.6g", is_cost || is_ms ? "; " : "", terms->missed,
                terms->alarm);
    fputc('\n', to);
}

static void print_assumed(FILE *to, const struct sr_headroom_terms *terms) {
    sr_put_name(to, "assumed");
    fputs("rows like those that are served, not picked for being hard\n", to);
    if (strcmp(terms->by, "assumed") == 0) {
        next_line(to);
        fputs("a small guard at a fifth of the large one's price (--small-cost, --large-cost; -ms)\n", to);
    }
    if (!terms->weighed) {
        next_line(to);
        fputs("an unsafe row missed is as bad as a false alarm (--missed-cost, --alarm-cost)\n", to);
    }
    next_line(to);
    fputs(terms->in_money
              ? "a router that falls a point of accuracy short of the large guard\n"
              : "less than a point of accuracy does not pay (given all four costs, money decides)\n",
          to);
}

/* ---- slices ---- */

static size_t count_slices(const struct sr_headroom *slice, size_t n, enum sr_advice advice) {
    size_t count = 0;
    for (size_t s = 0; s < n; s++)
        count += slice[s].rows > 0 && slice[s].advice == advice;
    return count;
}

static bool differs(const struct sr_headroom *slice, const struct sr_headroom *all) {
    return slice->rows > 0 && slice->advice != all->advice && slice->advice != SR_ADVICE_TOO_FEW;
}

/* "source         2 always small, 13 too few rows to tell" */
static void print_advices(FILE *to, const char *heading, const struct sr_headroom *slice, size_t n) {
    char name[32];
    const char *comma = "";
    snprintf(name, sizeof name, "by %s", heading);
    sr_put_name(to, name);
    for (enum sr_advice a = SR_ADVICE_ROUTE; a <= SR_ADVICE_TOO_FEW; a++) {
        const size_t count = count_slices(slice, n, a);
        if (count == 0)
            continue;
        fprintf(to, "%s%zu %s", comma, count, sr_advice_text(a));
        comma = ", ";
    }
    fputc('\n', to);
}

static void print_differing(FILE *to, const struct sr_headroom *all, const struct sr_headroom *slice,
                            size_t n, const struct sr_headroom_terms *terms) {
    char text[SR_TEXT];
    size_t count = 0;
    for (size_t s = 0; s < n; s++) {
        if (!differs(&slice[s], all) || count++ >= NAMED)
            continue;
        sr_put_name(to, count == 1 ? "differing" : "");
        sr_put_text(to, slice[s].name, 0);
        fprintf(to, ": %s, %s %s\n", sr_advice_text(slice[s].advice),
                text_worth(text, &slice[s], terms, false), unit(terms));
    }
    if (count > NAMED) {
        next_line(to);
        fprintf(to, "and %zu more\n", count - NAMED);
    }
}

static int name_width(const char *heading, const struct sr_headroom *slice, size_t n) {
    int width = sr_text_wider(SR_TEXT_NARROW, heading);
    for (size_t s = 0; s < n; s++)
        width = slice[s].rows > 0 ? sr_text_wider(width, slice[s].name) : width;
    return width;
}

/* The advice without its last words, "to tell". */
static void print_line(FILE *to, int width, const char *name, const struct sr_headroom *h,
                       const struct sr_headroom_terms *terms) {
    char text[SR_TEXT];
    sr_put_text(to, name, width);
    fprintf(to, " %7" PRIu64, h->rows);
    fprintf(to, "  %-17s", sr_text_figure(text, "%.1f", h->gain, h->gain_ci, 100));
    fprintf(to, "  %-17s", sr_text_figure(text, "%.1f", h->harm, h->harm_ci, 100));
    fprintf(to, "  %-*s  %.12s\n", CELL, text_worth(text, h, terms, true), sr_advice_text(h->advice));
}

static void print_table(FILE *to, const char *heading, const struct sr_headroom *all,
                        const struct sr_headroom *slice, size_t n, const struct sr_headroom_terms *terms) {
    const int width = name_width(heading, slice, n);
    fprintf(to, "\n%-*s %7s  %-17s  %-17s  %-*s  %s\n", width, heading, "rows", "gain, %", "harm, %", CELL,
            terms->in_money ? "saved a row" : "net, points", "advice");
    for (size_t s = 0; s < n; s++)
        if (slice[s].rows > 0)
            print_line(to, width, slice[s].name, &slice[s], terms);
    print_line(to, width, "all", all, terms);
}

void sr_headroom_print(FILE *to, const char *heading, const char *labels, const struct sr_headroom *all,
                       const struct sr_headroom *slice, size_t n_slices, const struct sr_prices *prices) {
    const struct sr_headroom_terms terms = sr_headroom_terms(prices);
    print_verdict(to, all, &terms);
    print_numbers(to, all, labels);
    print_prices(to, &terms, prices);
    print_assumed(to, &terms);
    if (n_slices == 0)
        return;
    print_advices(to, heading, slice, n_slices);
    print_differing(to, all, slice, n_slices, &terms);
    print_table(to, heading, all, slice, n_slices, &terms);
}
