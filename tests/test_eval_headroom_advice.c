/* test_eval_headroom_advice.c: every advice, from tables made for it, and none that sends rows to the worse
 * guard; how it is printed and stored.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/headroom_sample.h"

/* ---- every advice ---- */

static struct sr_headroom of_table(size_t cc, size_t cw, size_t wc, size_t ww, const struct sr_prices *p) {
    static struct sample s;
    sample_fill(&s, cc, cw, wc, ww);
    const struct sr_headroom h = measure(&s.rows, p ? p : &sr_prices_unknown);
    cr_expect(h.cc == cc && h.cw == cw && h.wc == wc && h.ww == ww);
    return h;
}

static char *text_of(const struct sr_headroom *h, const struct sr_prices *p) {
    char *text;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    sr_headroom_print(to, "source", "as stored", h, NULL, 0, p ? p : &sr_prices_unknown);
    fclose(to);
    return text;
}

/* The first line of what is printed begins like that, and `word` is somewhere in it. */
static void expect_advice(const struct sr_headroom *h, const struct sr_prices *p, enum sr_advice advice,
                          const char *word) {
    char *text = text_of(h, p), begin[64];
    snprintf(begin, sizeof begin, "verdict        %s: ", sr_advice_text(advice));
    cr_expect_eq(h->advice, advice, "%s", text);
    cr_expect_eq(strncmp(text, begin, strlen(begin)), 0, "%s", text);
    cr_expect(strstr(text, word), "\"%s\" is not in: %s", word, text);
    free(text);
}

Test(headroom_advice, a_large_guard_that_wins_more_than_it_loses_is_routed_to) {
    const struct sr_headroom h = of_table(1270, 140, 300, 290, NULL);
    expect_advice(&h, NULL, SR_ADVICE_ROUTE, "cheaper than large for all");
    expect_advice(&h, NULL, SR_ADVICE_ROUTE, "a small guard at a fifth of the large one's price");
}

/* 504 rows as published of one set: the small guard is right on .84 of them, the large one on .80, and a
 * perfect router would be right on .90; which is why a look at what can be gained alone misleads. */
Test(headroom_advice, a_large_guard_that_is_worse_is_never_routed_to) {
    const struct sr_headroom h = of_table(370, 53, 33, 48, NULL);
    cr_expect(h.oracle_accuracy > h.small_accuracy + .06 && h.small_accuracy > h.large_accuracy);
    expect_advice(&h, NULL, SR_ADVICE_ALWAYS_SMALL, "the large guard is worse, by -3.97 [");
    expect_advice(&h, NULL, SR_ADVICE_ALWAYS_SMALL, "routing does harm unless");
    for (size_t cw = 33; cw <= 60; cw++) {
        const struct sr_headroom close = of_table(423 - cw, cw, 33, 48, NULL);
        cr_expect_neq(close.advice, SR_ADVICE_ROUTE, "%zu rows to lose, 33 to win", cw);
    }
}

/* As many rows to lose as to win, and many of both: a perfect router wins 15 points, one that finds the rows
 * where the guards differ wins none. */
Test(headroom_advice, a_gain_as_large_as_the_harm_is_not_worth_a_router) {
    static struct sample s;
    sample_fill(&s, 1200, 300, 300, 200);
    struct sr_headroom h = measure(&s.rows, &sr_prices_unknown);
    expect_advice(&h, NULL, SR_ADVICE_TOO_FEW, "about ");
    cr_expect_gt(h.rows_to_tell, 2000);
    /* so many rows do tell: the same table as often */
    const size_t times = (size_t)ceil(h.rows_to_tell / 2000) + 1;
    uint8_t *column[3];
    const uint8_t *from[3] = {s.gold, s.small, s.large};
    for (int c = 0; c < 3; c++) {
        column[c] = sr_alloc(2000 * times, 1, NULL);
        for (size_t i = 0; i < 2000 * times; i++)
            column[c][i] = from[c][i % 2000];
    }
    const struct sr_rows rows = {
        .n = 2000 * times, .gold = column[0], .small_pred = column[1], .large_pred = column[2]};
    h = measure(&rows, &sr_prices_unknown);
    expect_advice(&h, NULL, SR_ADVICE_ALWAYS_SMALL, "better by less than 1 point");
    expect_advice(
        &h, NULL, SR_ADVICE_ALWAYS_SMALL,
        "\n               unless a router tells which of them is right: a perfect one wins 15.00 [");
    for (int c = 0; c < 3; c++)
        sr_free(column[c]);
}

/* Wilson's upper end of 0 in n is z^2 / (n + z^2), below .01 from n = 381 on; resampling alone would be sure
 * of nothing to win after one row. */
Test(headroom_advice, nothing_seen_to_win_is_not_nothing_to_win) {
    struct sr_headroom h = of_table(380, 0, 0, 0, NULL);
    expect_advice(&h, NULL, SR_ADVICE_TOO_FEW, "only the large guard is right on 0 rows");
    h = of_table(381, 0, 0, 0, NULL);
    expect_advice(&h, NULL, SR_ADVICE_ALWAYS_SMALL, "better by less than 1 point");
    cr_expect(isnan(h.rows_to_tell));
}

Test(headroom_advice, too_few_rows_are_said) {
    static struct sample s;
    struct sr_headroom h = of_table(0, 0, 9, 0, NULL);
    expect_advice(&h, NULL, SR_ADVICE_TOO_FEW, "fewer than 10 rows or groups");
    h = of_table(3, 0, 9, 0, NULL);
    cr_expect_gt(h.profit_ci.low, 0, "beyond doubt, but nine rows make no router");
    expect_advice(&h, NULL, SR_ADVICE_TOO_FEW, "right on 9 rows, only the small one on 0");
    h = of_table(3, 1, 9, 0, NULL);
    expect_advice(&h, NULL, SR_ADVICE_TOO_FEW, "right on 9 rows, only the small one on 1");
    cr_expect(isnan(h.rows_to_tell), "fewer rows than these would not do");
    h = of_table(3, 0, 10, 0, NULL);
    expect_advice(&h, NULL, SR_ADVICE_ROUTE, "they differ on 76.92 %");
    h = of_table(60, 15, 25, 20, NULL);
    expect_advice(&h, NULL, SR_ADVICE_TOO_FEW, "rows like these would tell");
    /* 2,000 rows that are nine */
    sample_fill(&s, 1270, 140, 300, 290);
    for (size_t i = 0; i < s.n; i++)
        s.group[i] = (int64_t)i % 9;
    rows_of(&s, true);
    h = measure(&s.rows, &sr_prices_unknown);
    expect_advice(&h, NULL, SR_ADVICE_TOO_FEW, "in 9 groups");
}

/* Prices of the guards: the same table, where the guards differ on 22 % of the rows. */
Test(headroom_advice, where_routing_saves_nothing_the_large_guard_is_for_all) {
    struct sr_prices p;
    struct sr_headroom h = of_table(1270, 140, 300, 290, money(&p, 3.9, 5, NOT_GIVEN, NOT_GIVEN));
    cr_expect_float_eq(sr_headroom_terms(&p).break_even, .22, 1e-15);
    expect_advice(&h, &p, SR_ADVICE_ALWAYS_LARGE, "cheaper only below 22 %");
    h = of_table(1270, 140, 300, 290, money(&p, 3.89, 5, NOT_GIVEN, NOT_GIVEN));
    expect_advice(&h, &p, SR_ADVICE_ROUTE, "small guard 3.89, large guard 5 a row");
    p = sr_prices_unknown;
    p.small_ms = 70;
    p.large_ms = 100;
    h = of_table(1270, 140, 300, 290, &p);
    expect_advice(&h, &p, SR_ADVICE_ROUTE, "faster than large for all");
    p.router_ms = 10; /* 80 ms before the large guard is asked */
    h = of_table(1270, 140, 300, 290, &p);
    expect_advice(&h, &p, SR_ADVICE_ALWAYS_LARGE, "faster only below 20 %");
    cr_expect_eq(sr_headroom_terms(money(&p, 0, 0, NOT_GIVEN, NOT_GIVEN)).break_even, 0);
    cr_expect_eq(sr_headroom_terms(money(&p, 2, 1, NOT_GIVEN, NOT_GIVEN)).break_even, 0);
    money(&p, 5, 5, NOT_GIVEN, NOT_GIVEN);
    h = of_table(1270, 140, 300, 290, &p);
    expect_advice(&h, &p, SR_ADVICE_ALWAYS_LARGE, "cheaper only below 0 %");
}

/* What a perfect router wins: all that is to gain or, in money, the rows that are worth their price. */
Test(headroom_advice, the_best_there_is_is_said_beside_an_advice_against_routing) {
    struct sr_prices p;
    struct sr_headroom h = of_table(1270, 140, 300, 290, &sr_prices_unknown);
    cr_expect_float_eq(h.best, .15, 1e-12); /* rounding */
    cr_expect(h.best_ci.low < .15 && h.best_ci.high > .15 && h.best_ci.low > .13);
    h = of_table(1270, 140, 300, 290, money(&p, 1, 5, 10, 10));
    cr_expect_float_eq(h.best, .15 * (10 - 5), 1e-12);
    cr_expect_eq(h.best_share, .15);
    expect_advice(&h, &p, SR_ADVICE_ALWAYS_SMALL, "a perfect one saves 0.75 [");
    expect_advice(&h, &p, SR_ADVICE_ALWAYS_SMALL, "it pays while over 50 % of those sent");
    h = of_table(1270, 140, 300, 290, money(&p, 1, 5, 4, 4)); /* no row is worth what it costs to send */
    cr_expect_eq(h.best, 0);
    char *text = text_of(&h, &p);
    cr_expect_null(strstr(text, "unless"), "%s", text);
    free(text);
}

/* All in money: 8 % of the rows are won, on 22 % the guards differ; small 1, large 5. Of routing all of
 * those, a row costs 1.1 and a point of accuracy more. */
Test(headroom_advice, money_decides_where_all_is_priced) {
    struct sr_prices p;
    struct sr_headroom h = of_table(1270, 140, 300, 290, money(&p, 1, 5, 10, 10)); /* .8 less 1.2 */
    expect_advice(&h, &p, SR_ADVICE_ALWAYS_SMALL, "costs more than it saves, -0.4 [");
    h = of_table(1270, 140, 300, 290, money(&p, 1, 5, 16, 16)); /* 1.28 less 1.26 */
    expect_advice(&h, &p, SR_ADVICE_TOO_FEW, "what the large guard saves is +0.02 [");
    h = of_table(1270, 140, 300, 290, money(&p, 1, 5, 50, 50)); /* 4 less 1.6 */
    expect_advice(&h, &p, SR_ADVICE_ROUTE, "saves +2.4 [");
    expect_advice(&h, &p, SR_ADVICE_ROUTE,
                  "worth 4 a row; sending the 22.00 % costs 1.6 (a point short counted in),\n");
    /* a router that falls a point short loses more than the large guard for all costs */
    h = of_table(1270, 140, 300, 290, money(&p, 1, 5, 300, 300)); /* 24 less 4, or 1.1 + 3 */
    expect_advice(&h, &p, SR_ADVICE_ALWAYS_LARGE, "it saves +20 [");
    cr_expect_float_eq(h.cost_routed, 4.1, 1e-12);
}

/* The large guard misses 30 unsafe rows less and gives 160 false alarms more. */
static void careful_fill(struct sample *s) {
    sample_fill(s, 2000, 0, 0, 0);
    for (size_t i = 0; i < 2000; i++) {
        if (s->gold[i] == 1)
            s->small[i] = i >= 80; /* 40 missed */
        if (s->gold[i] == 1)
            s->large[i] = i >= 20; /* 10 missed */
        if (s->gold[i] == 0)
            s->large[i] = i < 320; /* 160 alarms */
    }
    rows_of(s, false);
}

Test(headroom_advice, what_errors_weigh_turns_the_verdict) {
    static struct sample s;
    struct sr_prices p;
    careful_fill(&s);
    struct sr_headroom h = measure(&s.rows, &sr_prices_unknown);
    cr_expect(h.missed_small == 20 && h.missed_large == 5 && h.alarms_small == 0 && h.alarms_large == 80);
    expect_advice(&h, NULL, SR_ADVICE_ALWAYS_SMALL, "misses less that is unsafe: --missed-cost");
    h = measure(&s.rows, money(&p, NOT_GIVEN, NOT_GIVEN, 20, 1));
    expect_advice(&h, &p, SR_ADVICE_ROUTE, "points of weighed accuracy");
    cr_expect_float_eq(h.worth, (20. * 30 - 160) / (20 * 1000 + 1000), 1e-12);
    cr_expect_lt(h.net_ci.high, 0, "less accurate, and worth its price all the same");
    h = measure(&s.rows, money(&p, NOT_GIVEN, NOT_GIVEN, 1, 20));
    expect_advice(&h, &p, SR_ADVICE_ALWAYS_SMALL, "the large guard is worse");
    /* the other way round: more accurate, but it misses more */
    const struct sr_rows swapped = {.n = s.n, .gold = s.gold, .small_pred = s.large, .large_pred = s.small};
    h = measure(&swapped, &sr_prices_unknown);
    expect_advice(&h, NULL, SR_ADVICE_ROUTE, "misses more that is unsafe: --missed-cost");
}

Test(headroom_advice, nobody_is_told_to_route_where_large_may_be_worse) {
    static struct sample s;
    size_t seen[4] = {0};
    for (uint64_t seed = 100; seed < 500; seed++) {
        struct sr_prices p = sr_prices_unknown;
        sample_draw(&s, 30 + seed, seed);
        if (seed % 2)
            money(&p, 1, 1 + (double)(seed % 4), NOT_GIVEN, NOT_GIVEN);
        if (seed % 4 == 3) /* in money, and an error is an error */
            p.missed_cost = p.alarm_cost = (double)(seed % 40);
        const struct sr_headroom h = measure(&s.rows, &p);
        seen[h.advice]++;
        if (h.advice == SR_ADVICE_ROUTE || h.advice == SR_ADVICE_ALWAYS_LARGE)
            cr_expect(h.wc >= 10 && h.groups >= 10 && h.profit_ci.low > 0, "seed %llu",
                      (unsigned long long)seed);
        if (h.advice == SR_ADVICE_ROUTE)
            cr_expect(h.net_ci.low > 0 && h.differ < sr_headroom_terms(&p).break_even, "seed %llu",
                      (unsigned long long)seed);
        if (h.advice == SR_ADVICE_ALWAYS_SMALL)
            cr_expect_lt(h.profit_ci.high, 0);
    }
    for (int a = 0; a < 4; a++)
        cr_expect_geq(seen[a], 5, "%s is seldom seen: %zu", sr_advice_text((enum sr_advice)a), seen[a]);
}

/* ---- on paper ---- */

/* Route for all; "calm" is worse off with the large guard, "rare" has few rows and "empty" none. */
static void slices_measure(struct sr_headroom *all, struct sr_headroom slice[4]) {
    static const char *const names[] = {"busy", "calm", "rare", "empty"};
    static struct sample s;
    sample_fill(&s, 1270, 140, 300, 290);
    for (size_t i = 0; i < s.n; i++)
        s.slice[i] = i % 100 == 0 ? 2 : i >= 1270 && i < 1410 ? 1 : i < 400 ? 1 : 0;
    cr_assert_eq(sr_headroom_measure(all, slice, names, 4, s.slice, &s.rows, &sr_prices_unknown, NULL), 0);
}

Test(headroom_advice, slices_that_differ_from_the_verdict_are_named) {
    struct sr_headroom all, slice[4];
    char *text;
    size_t size;
    slices_measure(&all, slice);
    FILE *to = open_memstream(&text, &size);
    sr_headroom_print(to, "source", "derived", &all, slice, 4, &sr_prices_unknown);
    fclose(to);
    static const char *const lines[] = {"verdict        route: ",
                                        "\nlabels         derived\n",
                                        "\nby source      1 route, 1 always small, 1 too few rows to tell\n",
                                        "\ndiffering      calm: always small, -25.8",
                                        "\n\nsource            rows  gain, %",
                                        "\nrare                20  ",
                                        "\nall               2000  15.0 ["};
    for (size_t i = 0; i < SR_COUNT(lines); i++)
        cr_expect(strstr(text, lines[i]), "\"%s\" is not in:\n%s", lines[i], text);
    cr_expect_null(strstr(text, "empty"), "%s", text);
    for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
        cr_expect_leq(end - line, 100, "%.*s", (int)(end - line), line);
    free(text);
}

/* Undefined is no number. */
static void expect_number(const struct sr_json *o, const char *key, double want) {
    double got = (double)NAN;
    cr_assert_not_null(sr_json_get(o, key), "no key %s", key);
    sr_json_as_number(sr_json_get(o, key), &got);
    expect_near(got, want, key);
}

static void expect_pair(const struct sr_json *o, const char *key, struct sr_interval want) {
    double low = (double)NAN, high = (double)NAN;
    const struct sr_json *pair = sr_json_get(o, key);
    cr_assert_eq(sr_json_size(pair), 2, "%s", key);
    sr_json_as_number(sr_json_at(pair, 0), &low);
    sr_json_as_number(sr_json_at(pair, 1), &high);
    expect_interval((struct sr_interval){low, high}, want, key);
}

static void expect_json(const struct sr_json *o, const struct sr_headroom *h) {
    const struct sr_json *table = sr_json_get(o, "table");
    cr_expect_str_eq(sr_json_as_string(sr_json_get(o, "advice")), sr_advice_text(h->advice));
    expect_number(o, "rows", (double)h->rows);
    expect_number(o, "left_out", (double)h->left_out);
    expect_number(o, "groups", (double)h->groups);
    expect_number(table, "cc", (double)h->cc);
    expect_number(table, "cw", (double)h->cw);
    expect_number(table, "wc", (double)h->wc);
    expect_number(table, "ww", (double)h->ww);
    expect_number(o, "gain", h->gain);
    expect_pair(o, "gain_ci", h->gain_ci);
    expect_number(o, "harm", h->harm);
    expect_pair(o, "harm_ci", h->harm_ci);
    expect_number(o, "net", h->net);
    expect_pair(o, "net_ci", h->net_ci);
    expect_number(o, "differ", h->differ);
    expect_number(o, "worth", h->worth);
    expect_number(o, "needed", h->needed);
    expect_number(o, "cost_routed", h->cost_routed);
    expect_number(o, "cost_large", h->cost_large);
    expect_number(o, "profit", h->profit);
    expect_pair(o, "profit_ci", h->profit_ci);
    expect_number(o, "best", h->best);
    expect_pair(o, "best_ci", h->best_ci);
    expect_number(o, "best_share", h->best_share);
    expect_number(o, "small_accuracy", h->small_accuracy);
    expect_number(o, "large_accuracy", h->large_accuracy);
    expect_number(o, "oracle_accuracy", h->oracle_accuracy);
    expect_number(o, "missed_small", h->missed_small);
    expect_number(o, "missed_large", h->missed_large);
    expect_number(o, "alarms_small", h->alarms_small);
    expect_number(o, "alarms_large", h->alarms_large);
    expect_number(o, "rows_to_tell", h->rows_to_tell);
}

Test(headroom_advice, json_has_every_key_always) {
    struct sr_headroom all, slice[4];
    struct sr_json *o = sr_json_object();
    slices_measure(&all, slice);
    sr_headroom_json(o, &all, slice, 4, &sr_prices_unknown);
    expect_json(o, &all);
    const struct sr_json *list = sr_json_get(o, "slices");
    cr_assert_eq(sr_json_size(list), 3, "without rows: left out");
    for (size_t s = 0; s < 3; s++) {
        cr_expect_str_eq(sr_json_as_string(sr_json_get(sr_json_at(list, s), "name")), slice[s].name);
        expect_json(sr_json_at(list, s), &slice[s]);
    }
    expect_number(o, "break_even", .8);
    cr_expect_str_eq(sr_json_as_string(sr_json_get(o, "break_even_by")), "assumed");
    cr_expect_str_eq(sr_json_as_string(sr_json_get(o, "profit_in")), "accuracy");
    cr_expect_not_null(sr_json_get(o, "errors_weighed"));
    expect_number(sr_json_get(o, "prices"), "missed_cost", (double)NAN);
    sr_json_free(o);
}
