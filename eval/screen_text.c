/* screen_text.c: the first screen in words for people, and as JSON for programs.
 *
 * A dozen lines without a blank one between them. Every number says what it is a share of; what is undefined
 * or not known says that instead. Shares are in per cent, rare harms per 1,000 rows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "eval/eval.h"

#define UNDEFINED "undefined"

/* ---- pieces of a line ---- */

static void put_name(FILE *to, const char *name) {
    fprintf(to, "%-14s ", name);
}

/* 13319 as 13,319. */
static void put_count(FILE *to, size_t n) {
    if (n >= 1000) {
        put_count(to, n / 1000);
        fprintf(to, ",%03zu", n % 1000);
    } else
        fprintf(to, "%zu", n);
}

/* A number in `format`, which takes a double. */
static void put(FILE *to, const char *format, double value) {
    if (isnan(value))
        fputs(UNDEFINED, to);
    else
        fprintf(to, format, value);
}

static void put_interval(FILE *to, const char *format, struct sr_interval i, double scale) {
    fputc('[', to);
    put(to, format, scale * i.low);
    if (!isnan(i.low)) {
        fputs(", ", to);
        put(to, format, scale * i.high);
    }
    fputc(']', to);
}

/* ---- lines ---- */

static void print_rows(FILE *to, const struct sr_screen *s) {
    put_name(to, "rows");
    put_count(to, s->ranked);
    fputs(" labelled, ", to);
    put_count(to, s->positives);
    fputs(" positive, base rate ", to);
    put(to, "%.4f", s->base_rate);
    if (s->unlabelled > 0) {
        fputs("; left out: ", to);
        put_count(to, s->unlabelled);
        fputs(" without a known label", to);
    }
    if (s->bad_rows > 0) {
        fputs(s->unlabelled > 0 ? ", " : "; left out: ", to);
        put_count(to, s->bad_rows);
        fputs(" without a score (these are routed)", to);
    }
    fputc('\n', to);
}

static void print_auprc(FILE *to, const struct sr_screen *s) {
    put_name(to, "AUPRC");
    put(to, "%.4f", s->auprc);
    fputc(' ', to);
    put_interval(to, "%.4f", s->auprc_ci, 1);
    fputs(" (95 % interval), chance ", to);
    put(to, "%.4f", s->base_rate);
    fputs(", AUROC ", to);
    put(to, "%.4f", s->auroc);
    fputc('\n', to);
}

static void print_entropy(FILE *to, const struct sr_screen *s) {
    put_name(to, "entropy alone");
    if (s->entropy_rows == 0) {
        fputs("not known: no row has the small guard's probability\n", to);
        return;
    }
    put(to, "%.4f", s->entropy_auprc);
    fputc(' ', to);
    put_interval(to, "%.4f", s->entropy_auprc_ci, 1);
    fputs(" AUPRC of the small guard's doubt, which needs no router", to);
    if (s->entropy_rows < s->ranked) {
        fputs(" (", to);
        put_count(to, s->entropy_rows);
        fputs(" rows)", to);
    }
    fputc('\n', to);
}

static void print_threshold(FILE *to, const struct sr_screen *s, const struct sr_screen_words *w) {
    if (w->threshold) {
        put_name(to, "threshold");
        fputs(w->threshold, to);
        if (w->threshold_origin)
            fprintf(to, "  (%s)", w->threshold_origin);
        fputc('\n', to);
    }
    put_name(to, "routed");
    put(to, "%.2f %%", 100 * s->share_routed);
    fputs(" of the rows go to the large guard: ", to);
    put_count(to, s->routed);
    fputs(" of ", to);
    put_count(to, s->rows);
    fputc('\n', to);
}

static void print_gap(FILE *to, const struct sr_screen *s) {
    put_name(to, "gap won");
    if (s->f1_large <= s->f1_small) {
        fputs("none to win: the large guard is no better than the small one", to);
    } else {
        put(to, "%.0f %%", 100 * s->gap_won);
        fputc(' ', to);
        put_interval(to, "%.0f %%", s->gap_won_ci, 100);
        fputs(" of the way from small to large", to);
    }
    fputs("; safety F1 ", to);
    put(to, "%.4f", s->f1_small);
    fputs(" small, ", to);
    put(to, "%.4f", s->f1_routed);
    fputs(" routed, ", to);
    put(to, "%.4f", s->f1_large);
    fputs(" large\n", to);
}

static void print_system(FILE *to, const struct sr_screen *s) {
    put_name(to, "unsafe missed");
    if (s->system_rows == 0) {
        fputs("not known: no row has gold and both guards' verdicts\n", to);
        return;
    }
    fputs("per 1,000 rows: ", to);
    put(to, "%.1f", s->missed_small);
    fputs(" small alone, ", to);
    put(to, "%.1f", s->missed_routed);
    fputs(" routed, ", to);
    put(to, "%.1f", s->missed_large);
    fputs(" large alone", to);
    if (s->system_rows < s->rows) {
        fputs("  (of the ", to);
        put_count(to, s->system_rows);
        fputs(" rows with gold and both verdicts)", to);
    }
    fputc('\n', to);
    print_gap(to, s);
    put_name(to, "harmed");
    put(to, "%.1f", s->harmed);
    fputs(" per 1,000 rows: small right, large wrong, and routed\n", to);
}

static void print_epoch(FILE *to, const struct sr_screen_words *w) {
    if (w->epochs <= 0)
        return;
    put_name(to, "best epoch");
    fprintf(to, "%" PRId64 " of %" PRId64 "%s\n", w->best_epoch, w->epochs,
            w->best_epoch == 0 ? ": the weights that training began with" : "");
}

static const char *gain_text(const struct sr_interval *gain) {
    return isnan(gain->low) ? ""
           : gain->low > 0  ? " (better)"
           : gain->high < 0 ? " (worse)"
                            : " (within noise)";
}

static void print_parent(FILE *to, const struct sr_screen *s) {
    if (!s->has_parent)
        return;
    put_name(to, "against parent");
    fputs("AUPRC ", to);
    put(to, "%+.4f", s->auprc - s->parent_auprc);
    fputc(' ', to);
    put_interval(to, "%+.4f", s->auprc_gain_ci, 1);
    fputs(gain_text(&s->auprc_gain_ci), to);
    if (s->system_rows > 0) {
        fputs(", unsafe missed ", to);
        put(to, "%.1f", s->parent_missed_routed);
        fputs(" -> ", to);
        put(to, "%.1f", s->missed_routed);
    }
    fputs(", routed ", to);
    put(to, "%.2f %%", 100 * s->parent_share_routed);
    fputs(" -> ", to);
    put(to, "%.2f %%", 100 * s->share_routed);
    fputc('\n', to);
}

void sr_screen_print(FILE *to, const struct sr_screen *s, const struct sr_screen_words *words) {
    print_rows(to, s);
    if (words->labels) {
        put_name(to, "labels");
        fprintf(to, "%s\n", words->labels);
    }
    print_auprc(to, s);
    print_entropy(to, s);
    print_threshold(to, s, words);
    print_system(to, s);
    print_epoch(to, words);
    print_parent(to, s);
}

/* ---- JSON ---- */

static void set_count(struct sr_json *to, const char *key, size_t n) {
    sr_json_set(to, key, sr_json_integer((int64_t)n));
}

static void set_number(struct sr_json *to, const char *key, double value) {
    sr_json_set(to, key, sr_json_number(value));
}

static void set_interval(struct sr_json *to, const char *key, struct sr_interval i) {
    struct sr_json *pair = isnan(i.low) ? sr_json_null() : sr_json_array();
    if (!isnan(i.low)) {
        sr_json_append(pair, sr_json_number(i.low));
        sr_json_append(pair, sr_json_number(i.high));
    }
    sr_json_set(to, key, pair);
}

static void set_words(struct sr_json *to, const struct sr_screen_words *w) {
    const bool has_epochs = w->epochs > 0;
    set_number(to, "threshold", w->threshold ? strtod(w->threshold, NULL) : (double)NAN);
    sr_json_set(to, "threshold_origin", sr_json_string(w->threshold_origin));
    sr_json_set(to, "labels", sr_json_string(w->labels));
    sr_json_set(to, "best_epoch", has_epochs ? sr_json_integer(w->best_epoch) : sr_json_null());
    sr_json_set(to, "epochs", has_epochs ? sr_json_integer(w->epochs) : sr_json_null());
}

static void set_parent(struct sr_json *to, const struct sr_screen *s) {
    sr_json_set(to, "has_parent", sr_json_bool(s->has_parent));
    set_number(to, "parent_auprc", s->parent_auprc);
    set_number(to, "parent_missed_routed", s->parent_missed_routed);
    set_number(to, "parent_share_routed", s->parent_share_routed);
    set_number(to, "auprc_gain", s->auprc - s->parent_auprc);
    set_interval(to, "auprc_gain_ci", s->auprc_gain_ci);
}

void sr_screen_json(struct sr_json *to, const struct sr_screen *s, const struct sr_screen_words *words) {
    set_count(to, "rows", s->rows);
    set_count(to, "bad_rows", s->bad_rows);
    set_count(to, "unlabelled", s->unlabelled);
    set_count(to, "ranked", s->ranked);
    set_count(to, "positives", s->positives);
    set_number(to, "base_rate", s->base_rate);
    set_words(to, words);
    set_number(to, "auprc", s->auprc);
    set_interval(to, "auprc_ci", s->auprc_ci);
    set_number(to, "auroc", s->auroc);
    set_count(to, "entropy_rows", s->entropy_rows);
    set_number(to, "entropy_auprc", s->entropy_auprc);
    set_interval(to, "entropy_auprc_ci", s->entropy_auprc_ci);
    set_count(to, "rows_routed", s->routed);
    set_number(to, "share_routed", s->share_routed);
    set_count(to, "system_rows", s->system_rows);
    set_number(to, "missed_small", s->missed_small);
    set_number(to, "missed_routed", s->missed_routed);
    set_number(to, "missed_large", s->missed_large);
    set_number(to, "f1_small", s->f1_small);
    set_number(to, "f1_routed", s->f1_routed);
    set_number(to, "f1_large", s->f1_large);
    set_number(to, "gap_won", s->gap_won);
    set_interval(to, "gap_won_ci", s->gap_won_ci);
    set_number(to, "harmed", s->harmed);
    set_parent(to, s);
}
