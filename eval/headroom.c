/* headroom.c: the table of who is right, and what follows from it before anything is trained; see headroom.h.
 *
 * Every figure is the mean, over rows, of a value that only depends on a row's kind (gold and two verdicts,
 * eight kinds), so eight counts hold a set of rows, and a group of rows is one unit of the bootstrap. Where
 * there are more groups than UNITS, several make a unit: sums over groups thrown together vary as the groups
 * do (Wolter, Introduction to Variance Estimation, 2007, chapter 2). The spread of 20,000 of them is known to
 * half a per cent, which is less than 2,000 draws leave open, and a million rows take no longer than these.
 *
 * Intervals of weighted sums of proportions from Wilson's of each: Zou and Donner, Statistics in Medicine 27
 * (2008) 1693-1702. The proportions are of the same rows, so they are a little less sure than independent
 * ones; this half of the interval only matters where counts are so low that this does not show.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>

#include "eval/group.h"
#include "eval/part.h"
#include "eval/tally.h"

#define SEED        0     /* of the draws; the same rows always give the same intervals */
#define UNITS       20000 /* at most, of the bootstrap */
#define KINDS       8     /* gold and two verdicts */
#define SMALL_PRICE .2    /* of the small guard, in that of the large one, where nothing is given */

const char *sr_advice_text(enum sr_advice advice) {
    static const char *const text[] = {[SR_ADVICE_ROUTE] = "route",
                                       [SR_ADVICE_ALWAYS_SMALL] = "always small",
                                       [SR_ADVICE_ALWAYS_LARGE] = "always large",
                                       [SR_ADVICE_TOO_FEW] = "too few rows to tell"};
    return text[advice];
}

/* ---- terms ---- */

static double break_even(double small, double large) {
    return large > small ? 1 - small / large : 0;
}

struct sr_headroom_terms sr_headroom_terms(const struct sr_prices *p) {
    const bool cost = !isnan(p->small_cost) && !isnan(p->large_cost);
    const bool ms = !isnan(p->small_ms) && !isnan(p->large_ms);
    const bool weighed = !isnan(p->missed_cost) && !isnan(p->alarm_cost);
    const double router_ms = isnan(p->router_ms) ? 0 : p->router_ms;
    return (struct sr_headroom_terms){.break_even = cost ? break_even(p->small_cost, p->large_cost)
                                                    : ms ? break_even(p->small_ms + router_ms, p->large_ms)
                                                         : 1 - SMALL_PRICE,
                                      .by = cost ? "cost"
                                            : ms ? "ms"
                                                 : "assumed",
                                      .missed = weighed ? p->missed_cost : 1,
                                      .alarm = weighed ? p->alarm_cost : 1,
                                      .weighed = weighed,
                                      .in_money = weighed && cost,
                                      .large_cost = p->large_cost};
}

/* ---- values of kinds ---- */

enum { GAIN, HARM, NET, PROFIT, BEST, FIGURES };

/* A figure is the mean of value over rows, less `less`. */
struct values {
    double value[FIGURES][KINDS], less[FIGURES];
};

static int is_wrong(unsigned kind, unsigned guard) {
    return ((kind & guard) != 0) != ((kind & SR_KIND_GOLD) != 0);
}

/* 1: only the large guard is right, -1: only the small one. */
static int sign(unsigned kind) {
    return is_wrong(kind, SR_KIND_SMALL) - is_wrong(kind, SR_KIND_LARGE);
}

/* What all rows wrong would weigh, a row. */
static double weight_all(const struct sr_headroom_terms *terms, const struct sr_tally *t) {
    const struct sr_confusion c = sr_tally_confusion(t, SR_JUDGE_SMALL);
    const double unsafe = (double)(c.tp + c.fn), safe = (double)(c.fp + c.tn);
    return (terms->missed * unsafe + terms->alarm * safe) / (unsafe + safe);
}

static void needed_fill(struct sr_headroom *h, const struct sr_headroom_terms *terms, double all,
                        const struct sr_prices *p) {
    h->cost_routed = h->cost_large = (double)NAN;
    h->needed = SR_HEADROOM_PAYS;
    if (!terms->in_money)
        return;
    h->cost_routed = h->differ * p->large_cost + SR_HEADROOM_PAYS * all;
    h->cost_large = p->large_cost - p->small_cost;
    h->needed = fmin(h->cost_routed, h->cost_large);
}

static bool is_routing_cheaper(const struct sr_headroom *h, const struct sr_headroom_terms *terms) {
    return terms->in_money ? h->cost_routed < h->cost_large : h->differ < terms->break_even;
}

static void values_fill(struct values *v, const struct sr_headroom *h, const struct sr_headroom_terms *terms,
                        double all, const struct sr_prices *p) {
    const double of_differing = terms->in_money && is_routing_cheaper(h, terms) ? p->large_cost : 0;
    *v = (struct values){.less[PROFIT] = h->needed - of_differing * h->differ};
    for (unsigned kind = 0; kind < KINDS; kind++) {
        const double error = kind & SR_KIND_GOLD ? terms->missed : terms->alarm;
        v->value[GAIN][kind] = sign(kind) > 0;
        v->value[HARM][kind] = sign(kind) < 0;
        v->value[NET][kind] = sign(kind);
        v->value[PROFIT][kind] =
            sign(kind) * error / (terms->in_money ? 1 : all) - (sign(kind) != 0 ? of_differing : 0);
        v->value[BEST][kind] =
            sign(kind) > 0 ? fmax(0, terms->in_money ? error - p->large_cost : error / all) : 0;
    }
}

static void values_measure(double figure[FIGURES], const struct values *v, const struct sr_tally *t) {
    const double rows = (double)sr_tally_known(t);
    for (size_t f = 0; f < FIGURES; f++) {
        double sum = 0;
        for (size_t kind = 0; kind < KINDS; kind++)
            sum += v->value[f][kind] * (double)t->rows[kind];
        figure[f] = sum / rows - v->less[f];
    }
}

/* Kinds of the same value are one proportion. */
static struct sr_interval values_wilson(const double value[KINDS], double less, const struct sr_tally *t) {
    const double n = (double)sr_tally_known(t);
    double sum = 0, below = 0, above = 0;
    for (size_t kind = 0; kind < KINDS; kind++) {
        const double v = value[kind];
        bool seen = v == 0;
        double rows = 0;
        for (size_t k = 0; k < KINDS; k++) {
            seen |= k < kind && value[k] == v;
            rows += value[k] == v ? (double)t->rows[k] : 0;
        }
        if (seen)
            continue;
        const struct sr_interval w = sr_wilson(rows, n);
        const double down = v * (rows / n - (v > 0 ? w.low : w.high));
        const double up = v * ((v > 0 ? w.high : w.low) - rows / n);
        sum += v * rows / n;
        below += down * down;
        above += up * up;
    }
    return (struct sr_interval){sum - less - sqrt(below), sum - less + sqrt(above)};
}

/* ---- rows ---- */

/* Rows by unit and kind. */
struct unit {
    uint32_t rows[KINDS];
};

struct sample {
    struct unit *unit;
    size_t units, groups;
    struct sr_tally all; /* unknown ones too */
    const struct values *values;
};

/* What is needed of the rows that are known. */
struct known {
    size_t n;
    uint8_t *kind;
    uint32_t *number; /* of the group */
    int64_t *group;   /* NULL: none */
};

static uint8_t kind_of(const struct sr_rows *rows, size_t i) {
    return rows->gold ? sr_tally_kind(rows->gold[i], rows->small_pred[i], rows->large_pred[i], 0)
                      : SR_KIND_UNKNOWN;
}

static void carve(struct sr_arena *arena, struct known *k, const struct sr_rows *rows) {
    k->kind = sr_arena_take(arena, rows->n, sizeof *k->kind);
    k->number = sr_arena_take(arena, rows->n, sizeof *k->number);
    k->group = rows->group ? sr_arena_take(arena, rows->n, sizeof *k->group) : NULL;
}

static void known_fill(struct known *k, struct sr_tally *all, const struct sr_rows *rows) {
    for (size_t i = 0; i < rows->n; i++) {
        const uint8_t kind = kind_of(rows, i);
        all->rows[kind]++;
        if (kind == SR_KIND_UNKNOWN)
            continue;
        k->kind[k->n] = kind;
        if (k->group)
            k->group[k->n] = rows->group[i];
        k->n++;
    }
}

static int sample_fill(struct sample *s, struct known *k, const struct sr_rows *rows, struct sr_error *err) {
    known_fill(k, &s->all, rows);
    const int status = sr_groups_number(k->number, &s->groups, k->group, k->n, err);
    if (status < 0)
        return status;
    s->units = s->groups < UNITS ? s->groups : UNITS;
    s->unit = sr_alloc(s->units, sizeof *s->unit, err);
    for (size_t i = 0; s->unit && i < k->n; i++)
        s->unit[k->number[i] % s->units].rows[k->kind[i]]++;
    return s->unit ? 0 : SR_NOMEM;
}

/* Free s->unit after a failure too. */
static int sample_make(struct sample *s, const struct sr_rows *rows, struct sr_error *err) {
    struct sr_arena arena = {0};
    struct known k = {0};
    *s = (struct sample){0};
    carve(&arena, &k, rows);
    int status = sr_arena_allocate(&arena, err);
    if (status == 0) {
        carve(&arena, &k, rows);
        status = sample_fill(s, &k, rows, err);
    }
    sr_free(arena.base);
    return status;
}

static void statistics(double *figure, const uint32_t *count, const void *user) {
    const struct sample *s = user;
    struct sr_tally t = {{0}};
    for (size_t u = 0; u < s->units; u++)
        for (size_t kind = 0; kind < KINDS; kind++)
            t.rows[kind] += (uint64_t)count[u] * s->unit[u].rows[kind];
    values_measure(figure, s->values, &t);
}

/* ---- one set of rows ---- */

static double accuracy(const struct sr_tally *t, enum sr_judge judge) {
    const struct sr_confusion c = sr_tally_confusion(t, judge);
    return (double)(c.tp + c.tn) / (double)sr_tally_known(t);
}

static void count(struct sr_headroom *h, const struct sample *s) {
    const struct sr_tally *t = &s->all;
    const struct sr_confusion small = sr_tally_confusion(t, SR_JUDGE_SMALL);
    const struct sr_confusion large = sr_tally_confusion(t, SR_JUDGE_LARGE);
    const double per = 1000 / (double)sr_tally_known(t);
    *h = (struct sr_headroom){.rows = sr_tally_known(t),
                              .left_out = t->rows[SR_KIND_UNKNOWN],
                              .groups = s->groups,
                              .cc = sr_tally_right(t, true, true, false),
                              .cw = sr_tally_right(t, true, false, false),
                              .wc = sr_tally_right(t, false, true, false),
                              .ww = sr_tally_right(t, false, false, false),
                              .small_accuracy = accuracy(t, SR_JUDGE_SMALL),
                              .large_accuracy = accuracy(t, SR_JUDGE_LARGE),
                              .oracle_accuracy = accuracy(t, SR_JUDGE_ORACLE),
                              .missed_small = (double)small.fn * per,
                              .missed_large = (double)large.fn * per,
                              .alarms_small = (double)small.fp * per,
                              .alarms_large = (double)large.fp * per};
    h->differ = (double)(h->wc + h->cw) / (double)h->rows;
}

static enum sr_advice advice(const struct sr_headroom *h, const struct sr_headroom_terms *terms) {
    if (h->groups < SR_FEW)
        return SR_ADVICE_TOO_FEW;
    if (h->profit_ci.high < 0)
        return SR_ADVICE_ALWAYS_SMALL;
    if (!(h->profit_ci.low > 0) || h->wc < SR_FEW)
        return SR_ADVICE_TOO_FEW;
    return is_routing_cheaper(h, terms) ? SR_ADVICE_ROUTE : SR_ADVICE_ALWAYS_LARGE;
}

/* Intervals shrink with the square root of the rows; a factor below 1 is that of an interval that tells. Not
 * said where there is too little to go by. */
static double rows_to_tell(const struct sr_headroom *h) {
    const double reach = h->profit > 0 ? h->profit - h->profit_ci.low : h->profit_ci.high - h->profit;
    const double factor = reach / h->profit * (reach / h->profit);
    const bool is_known = h->groups >= SR_FEW && h->wc + h->cw >= SR_FEW;
    return is_known && factor > 1 && isfinite(factor) ? factor * (double)h->rows : (double)NAN;
}

/* ci comes as the bootstrap's. */
static void intervals_choose(struct sr_headroom *h, struct sr_interval ci[FIGURES], const struct values *v,
                             const struct sr_tally *t) {
    for (size_t f = 0; f < FIGURES; f++) {
        const struct sr_interval wilson = values_wilson(v->value[f], v->less[f], t);
        const bool is_proportion = f == GAIN || f == HARM;
        ci[f] = is_proportion && h->groups == h->rows ? wilson : sr_interval_hull(ci[f], wilson);
    }
    h->gain_ci = ci[GAIN];
    h->harm_ci = ci[HARM];
    h->net_ci = ci[NET];
    h->profit_ci = ci[PROFIT];
    h->best_ci = ci[BEST];
}

static double best_share(const struct values *v, const struct sr_tally *t) {
    uint64_t rows = 0;
    for (size_t kind = 0; kind < KINDS; kind++)
        rows += v->value[BEST][kind] > 0 ? t->rows[kind] : 0;
    return (double)rows / (double)sr_tally_known(t);
}

static int measure(struct sr_headroom *h, const struct sr_rows *rows, const struct sr_prices *prices,
                   struct sr_error *err) {
    const struct sr_headroom_terms terms = sr_headroom_terms(prices);
    struct sample s;
    struct values v;
    struct sr_interval ci[FIGURES];
    double figure[FIGURES];
    int status = sample_make(&s, rows, err);
    if (status == 0) {
        count(h, &s);
        const double all = weight_all(&terms, &s.all);
        needed_fill(h, &terms, all, prices);
        values_fill(&v, h, &terms, all, prices);
        values_measure(figure, &v, &s.all);
        h->gain = figure[GAIN];
        h->harm = figure[HARM];
        h->net = figure[NET];
        h->profit = figure[PROFIT];
        h->worth = h->profit + h->needed;
        h->best = figure[BEST];
        h->best_share = best_share(&v, &s.all);
        s.values = &v;
        status = sr_bootstrap(ci, FIGURES, statistics, &s,
                              &(struct sr_resampling){.n = s.units, .draws = SR_DRAWS, .seed = SEED}, err);
    }
    if (status == 0) {
        intervals_choose(h, ci, &v, &s.all);
        h->advice = advice(h, &terms);
        h->rows_to_tell = rows_to_tell(h);
    }
    sr_free(s.unit);
    return status;
}

/* ---- all rows, and slices ---- */

static int slices_measure(struct sr_headroom *slice, const char *const *names, size_t n_slices,
                          const int32_t *number, const struct sr_rows *rows, const struct sr_prices *prices,
                          struct sr_error *err) {
    struct sr_parts parts;
    int status = sr_parts_sort(&parts, n_slices, number, rows->n, err);
    for (size_t s = 0; status == 0 && s < n_slices; s++) {
        struct sr_part p;
        status = sr_part_take(&p, &parts, s, rows, NULL, err);
        if (status == 0)
            status = measure(&slice[s], &p.rows, prices, err);
        if (status == 0)
            slice[s].name = names[s];
        sr_part_free(&p);
    }
    sr_parts_free(&parts);
    return status;
}

int sr_headroom_measure(struct sr_headroom *all, struct sr_headroom *slice, const char *const *names,
                        size_t n_slices, const int32_t *number, const struct sr_rows *rows,
                        const struct sr_prices *prices, struct sr_error *err) {
    const struct sr_rows needed = {.n = rows->n,
                                   .gold = rows->gold,
                                   .small_pred = rows->small_pred,
                                   .large_pred = rows->large_pred,
                                   .group = rows->group};
    const int status = measure(all, &needed, prices, err);
    if (status < 0)
        return status;
    if (all->rows == 0)
        return sr_fail(err, SR_DATA,
                       "no row has gold and both guards' verdicts, so nothing says what routing can win");
    return n_slices == 0 ? 0 : slices_measure(slice, names, n_slices, number, &needed, prices, err);
}

/* ---- JSON ---- */

static void set_count(struct sr_json *to, const char *key, uint64_t n) {
    sr_json_set(to, key, sr_json_integer((int64_t)n));
}

static struct sr_json *table_json(const struct sr_headroom *h) {
    struct sr_json *table = sr_json_object();
    set_count(table, "cc", h->cc);
    set_count(table, "cw", h->cw);
    set_count(table, "wc", h->wc);
    set_count(table, "ww", h->ww);
    return table;
}

static void set_figure(struct sr_json *to, const char *key, double value, struct sr_interval ci) {
    char key_ci[32];
    snprintf(key_ci, sizeof key_ci, "%s_ci", key);
    sr_json_set(to, key, sr_json_number(value));
    sr_json_set(to, key_ci, sr_interval_json(ci));
}

static void set_rows(struct sr_json *to, const struct sr_headroom *h) {
    sr_json_set(to, "advice", sr_json_string(sr_advice_text(h->advice)));
    set_count(to, "rows", h->rows);
    set_count(to, "left_out", h->left_out);
    set_count(to, "groups", h->groups);
    sr_json_set(to, "table", table_json(h));
    set_figure(to, "gain", h->gain, h->gain_ci);
    set_figure(to, "harm", h->harm, h->harm_ci);
    set_figure(to, "net", h->net, h->net_ci);
    sr_json_set(to, "differ", sr_json_number(h->differ));
    sr_json_set(to, "worth", sr_json_number(h->worth));
    sr_json_set(to, "needed", sr_json_number(h->needed));
    sr_json_set(to, "cost_routed", sr_json_number(h->cost_routed));
    sr_json_set(to, "cost_large", sr_json_number(h->cost_large));
    set_figure(to, "profit", h->profit, h->profit_ci);
    set_figure(to, "best", h->best, h->best_ci);
    sr_json_set(to, "best_share", sr_json_number(h->best_share));
    sr_json_set(to, "small_accuracy", sr_json_number(h->small_accuracy));
    sr_json_set(to, "large_accuracy", sr_json_number(h->large_accuracy));
    sr_json_set(to, "oracle_accuracy", sr_json_number(h->oracle_accuracy));
    sr_json_set(to, "missed_small", sr_json_number(h->missed_small));
    sr_json_set(to, "missed_large", sr_json_number(h->missed_large));
    sr_json_set(to, "alarms_small", sr_json_number(h->alarms_small));
    sr_json_set(to, "alarms_large", sr_json_number(h->alarms_large));
    sr_json_set(to, "rows_to_tell", sr_json_number(h->rows_to_tell));
}

void sr_headroom_json(struct sr_json *to, const struct sr_headroom *all, const struct sr_headroom *slice,
                      size_t n_slices, const struct sr_prices *prices) {
    const struct sr_headroom_terms terms = sr_headroom_terms(prices);
    struct sr_json *slices = sr_json_array();
    set_rows(to, all);
    sr_json_set(to, "prices", sr_prices_json(prices));
    sr_json_set(to, "break_even", sr_json_number(terms.break_even));
    sr_json_set(to, "break_even_by", sr_json_string(terms.by));
    sr_json_set(to, "errors_weighed", sr_json_bool(terms.weighed));
    sr_json_set(to, "profit_in", sr_json_string(terms.in_money ? "money" : "accuracy"));
    for (size_t s = 0; s < n_slices; s++) {
        if (slice[s].rows == 0)
            continue;
        struct sr_json *o = sr_json_object();
        sr_json_set(o, "name", sr_json_string(slice[s].name));
        set_rows(o, &slice[s]);
        sr_json_append(slices, o);
    }
    sr_json_set(to, "slices", slices);
}
