/* screen.c: the first screen in words for people; see screen.h.
 *
 * A dozen lines without a blank one between them. Every number says what it is a share of; what is undefined
 * or not known says that instead. Shares are in per cent, rare harms per 1,000 rows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <math.h>

#include "eval/eval.h"
#include "eval/text.h"

/* ---- pieces ---- */

static void put_value(FILE *to, const char *format, const struct sr_evaluation *e, size_t figure,
                      double scale) {
    sr_put(to, format, e->value[figure], scale);
}

/* With its interval. */
static void put_figure(FILE *to, const char *format, const struct sr_evaluation *e, size_t figure,
                       double scale) {
    put_value(to, format, e, figure, scale);
    fputc(' ', to);
    sr_put_interval(to, format, e->ci[figure], scale);
}

static size_t f1_of(enum sr_judge judge) {
    return sr_figure(judge, SR_OF_JUDGE_F1);
}

/* ---- lines ---- */

static void print_threshold(FILE *to, const struct sr_evaluation *e, const struct sr_screen_words *w) {
    char text[SR_DECIMAL_TEXT];
    sr_put_name(to, "threshold");
    fputs(sr_decimal_float(text, e->threshold), to);
    if (w->threshold_origin)
        fprintf(to, "  (%s)", w->threshold_origin);
    fputc('\n', to);
}

static void print_rows(FILE *to, const struct sr_evaluation *e) {
    sr_put_name(to, "rows");
    sr_put_count(to, e->ranked);
    fputs(" labelled, ", to);
    sr_put_count(to, e->positives);
    fputs(" positive, base rate ", to);
    put_value(to, "%.4f", e, SR_FIGURE_BASE_RATE, 1);
    if (e->unlabelled > 0) {
        fputs("; left out: ", to);
        sr_put_count(to, e->unlabelled);
        fputs(" without a known label", to);
    }
    if (e->bad_rows > 0) {
        fputs(e->unlabelled > 0 ? ", " : "; left out: ", to);
        sr_put_count(to, e->bad_rows);
        fputs(" without a score (these are routed)", to);
    }
    fputs(e->too_few ? "; too few rows to tell much\n" : "\n", to);
}

static void print_auprc(FILE *to, const struct sr_evaluation *e) {
    sr_put_name(to, "AUPRC");
    put_figure(to, "%.4f", e, SR_FIGURE_AUPRC, 1);
    fputs(" (95 % interval), chance ", to);
    put_value(to, "%.4f", e, SR_FIGURE_BASE_RATE, 1);
    fputs(", AUROC ", to);
    put_value(to, "%.4f", e, SR_FIGURE_AUROC, 1);
    fputc('\n', to);
}

static void print_entropy(FILE *to, const struct sr_evaluation *e) {
    sr_put_name(to, "entropy alone");
    if (e->entropy_rows == 0) {
        fputs("not known: no row has the small guard's probability\n", to);
        return;
    }
    put_figure(to, "%.4f", e, SR_FIGURE_ENTROPY_AUPRC, 1);
    fputs(" AUPRC of the small guard's doubt, which needs no router", to);
    if (e->entropy_rows < e->ranked) {
        fputs(" (", to);
        sr_put_count(to, e->entropy_rows);
        fputs(" rows)", to);
    }
    fputc('\n', to);
}

static void print_routed(FILE *to, const struct sr_evaluation *e) {
    sr_put_name(to, "routed");
    put_value(to, "%.2f %%", e, SR_FIGURE_SHARE_ROUTED, 100);
    fputs(" of the rows go to the large guard: ", to);
    sr_put_count(to, e->routed);
    fputs(" of ", to);
    sr_put_count(to, e->rows);
    fputc('\n', to);
}

static void print_missed(FILE *to, const struct sr_evaluation *e) {
    fputs("per 1,000 rows: ", to);
    put_value(to, "%.1f", e, SR_FIGURE_MISSED_SMALL, 1);
    fputs(" small alone, ", to);
    put_value(to, "%.1f", e, SR_FIGURE_MISSED_ROUTED, 1);
    fputs(" routed, ", to);
    put_value(to, "%.1f", e, SR_FIGURE_MISSED_LARGE, 1);
    fputs(" large alone", to);
    if (e->system_rows < e->rows) {
        fputs("  (of the ", to);
        sr_put_count(to, e->system_rows);
        fputs(" rows with gold and both verdicts)", to);
    }
    fputc('\n', to);
}

static void print_gap(FILE *to, const struct sr_evaluation *e) {
    sr_put_name(to, "gap won");
    if (e->value[f1_of(SR_JUDGE_LARGE)] <= e->value[f1_of(SR_JUDGE_SMALL)]) {
        fputs("none to win: the large guard is no better than the small one", to);
    } else if (e->ci[SR_FIGURE_GAP].low <= 0) {
        fputs("too small a gap to tell: safety F1 of large less small is ", to);
        put_figure(to, "%.4f", e, SR_FIGURE_GAP, 1);
    } else {
        put_figure(to, "%.0f %%", e, SR_FIGURE_GAP_WON, 100);
        fputs(" of the way from small to large", to);
    }
    fputs("; safety F1 ", to);
    put_value(to, "%.4f", e, f1_of(SR_JUDGE_SMALL), 1);
    fputs(" small, ", to);
    put_value(to, "%.4f", e, f1_of(SR_JUDGE_ROUTED), 1);
    fputs(" routed, ", to);
    put_value(to, "%.4f", e, f1_of(SR_JUDGE_LARGE), 1);
    fputs(" large\n", to);
}

static void print_system(FILE *to, const struct sr_evaluation *e) {
    sr_put_name(to, "unsafe missed");
    if (e->system_rows == 0) {
        fputs("not known: no row has gold and both guards' verdicts\n", to);
        return;
    }
    print_missed(to, e);
    print_gap(to, e);
    sr_put_name(to, "harmed");
    put_value(to, "%.1f", e, SR_FIGURE_HARM, 1000);
    fputs(" per 1,000 rows: small right, large wrong, and routed\n", to);
}

static void print_epoch(FILE *to, const struct sr_screen_words *w) {
    if (w->epochs <= 0)
        return;
    sr_put_name(to, "best epoch");
    fprintf(to, "%" PRId64 " of %" PRId64 "%s\n", w->best_epoch, w->epochs,
            w->best_epoch == 0 ? ": the weights that training began with"
                               : ", chosen on these rows: on others expect a little less");
}

/* of a figure of which more is better, sign 1, or less, -1 */
static const char *gain_text(const struct sr_interval *gain, int sign) {
    if (isnan(gain->low))
        return "";
    return sign * gain->low > 0 && sign * gain->high > 0   ? " (better)"
           : sign * gain->low < 0 && sign * gain->high < 0 ? " (worse)"
                                                           : " (within noise)";
}

/* "93.9 -> 61.0" */
static void put_change(FILE *to, const char *format, const struct sr_evaluation *old,
                       const struct sr_evaluation *now, size_t figure, double scale) {
    put_value(to, format, old, figure, scale);
    fputs(" -> ", to);
    put_value(to, format, now, figure, scale);
}

static void print_change(FILE *to, const struct sr_evaluation *e, const struct sr_comparison *c,
                         const char *against) {
    fprintf(to, "against %-6s AUPRC ", against);
    sr_put(to, "%+.4f", c->delta[SR_FIGURE_AUPRC], 1);
    fputc(' ', to);
    sr_put_interval(to, "%+.4f", c->ci[SR_FIGURE_AUPRC], 1);
    fputs(gain_text(&c->ci[SR_FIGURE_AUPRC], 1), to);
    if (e->system_rows > 0) {
        fputs(", unsafe missed ", to);
        put_change(to, "%.1f", &c->old, e, SR_FIGURE_MISSED_ROUTED, 1);
        fputs(gain_text(&c->ci[SR_FIGURE_MISSED_ROUTED], -1), to);
    }
    fputs(", routed ", to);
    put_change(to, "%.2f %%", &c->old, e, SR_FIGURE_SHARE_ROUTED, 100);
    fputc('\n', to);
}

void sr_screen_print(FILE *to, const struct sr_evaluation *e, const struct sr_comparison *c,
                     const struct sr_screen_words *words) {
    print_threshold(to, e, words);
    print_rows(to, e);
    if (words->labels) {
        sr_put_name(to, "labels");
        fprintf(to, "%s\n", words->labels);
    }
    print_auprc(to, e);
    print_entropy(to, e);
    print_routed(to, e);
    print_system(to, e);
    print_epoch(to, words);
    if (c)
        print_change(to, e, c, words->against);
}
