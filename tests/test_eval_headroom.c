/* test_eval_headroom.c: what routing can win, against a brute force from the definitions on random rows, and
 * how sure it is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/headroom_sample.h"

/* ---- a brute force ---- */

/* What one row says, counted from its bits alone. */
struct said {
    double small_wrong, large_wrong, price;
};

/* The known rows of a slice (-1: all), and what follows from prices. */
struct brute {
    size_t n, left_out, groups;
    struct said row[N_MAX];
    int64_t group[N_MAX];
    bool has_groups, in_money, weighed, is_routed;
    double gain, harm, small, large, oracle, missed[2], alarms[2];
    double price[2], large_cost, less, scale; /* of a row's worth */
};

static void brute_prices(struct brute *b, const struct sr_prices *p) {
    double all = 0;
    b->weighed = !isnan(p->missed_cost);
    b->price[0] = b->weighed ? p->missed_cost : 1;
    b->price[1] = b->weighed ? p->alarm_cost : 1;
    b->in_money = b->weighed && !isnan(p->small_cost);
    for (size_t i = 0; i < b->n; i++)
        all += b->row[i].price / (double)b->n;
    b->scale = b->in_money ? 1 : 1 / all;
    b->less = .01;
    if (!b->in_money)
        return;
    const double routed = (b->gain + b->harm) * p->large_cost + .01 * all;
    b->is_routed = routed < p->large_cost - p->small_cost;
    b->large_cost = p->large_cost;
    b->less = b->is_routed ? .01 * all : p->large_cost - p->small_cost;
}

static void brute_fill(struct brute *b, const struct sample *s, int32_t slice, const struct sr_prices *p) {
    *b = (struct brute){.has_groups = s->rows.group != NULL};
    for (size_t i = 0; i < s->n; i++) {
        if (slice >= 0 && s->slice[i] != slice)
            continue;
        if (s->gold[i] == 255 || s->small[i] == 255 || s->large[i] == 255) {
            b->left_out++;
            continue;
        }
        const bool unsafe = s->gold[i] == 1;
        const double price = isnan(p->missed_cost) ? 1 : unsafe ? p->missed_cost : p->alarm_cost;
        b->group[b->n] = s->group[i];
        b->row[b->n++] = (struct said){s->small[i] != s->gold[i], s->large[i] != s->gold[i], price};
        b->missed[0] += unsafe && s->small[i] == 0;
        b->missed[1] += unsafe && s->large[i] == 0;
        b->alarms[0] += !unsafe && s->small[i] == 1;
        b->alarms[1] += !unsafe && s->large[i] == 1;
    }
    for (size_t i = 0; i < b->n; i++) {
        const struct said *r = &b->row[i];
        bool first = true;
        for (size_t k = 0; b->has_groups && k < i; k++)
            first &= b->group[k] != b->group[i];
        b->groups += first;
        b->gain += r->small_wrong > r->large_wrong;
        b->harm += r->small_wrong < r->large_wrong;
        b->small += r->small_wrong == 0;
        b->large += r->large_wrong == 0;
        b->oracle += r->small_wrong == 0 || r->large_wrong == 0;
    }
    b->gain /= (double)b->n;
    b->harm /= (double)b->n;
    brute_prices(b, p);
}

/* win: 1 where only the large guard is right, -1 where only the small one, else 0. */
static double worth(const struct brute *b, double win, double price) {
    return win * price * b->scale - (b->is_routed && win != 0 ? b->large_cost : 0);
}

static double win_of(const struct said *r) {
    return r->small_wrong - r->large_wrong;
}

static double worth_of(const struct said *r, const struct brute *b) {
    return worth(b, win_of(r), r->price);
}

/* Gain, harm, net, profit of a resample. */
static void statistics(double *value, const uint32_t *count, const void *user) {
    const struct brute *b = user;
    double sum[4] = {0}, rows = 0;
    for (size_t i = 0; i < b->n; i++) {
        const double times = count[i], win = win_of(&b->row[i]);
        sum[0] += times * (win > 0);
        sum[1] += times * (win < 0);
        sum[2] += times * win;
        sum[3] += times * worth_of(&b->row[i], b);
        rows += times;
    }
    for (int k = 0; k < 4; k++)
        value[k] = sum[k] / rows - (k == 3 ? b->less : 0);
}

/* Zou and Donner's interval of the mean of a row's worth, or win: Wilson's of the rows that have each of the
 * four values there may be, together where two are the same. */
static struct sr_interval mover(const struct brute *b, bool net) {
    double value[4], below = 0, above = 0, mean = 0;
    for (int k = 0; k < 4; k++) {
        const double win = k < 2 ? 1 : -1;
        value[k] = net ? win : worth(b, win, b->price[k % 2]);
        bool is_new = true;
        for (int j = 0; j < k; j++)
            is_new &= value[j] != value[k];
        if (!is_new)
            continue;
        double rows = 0;
        for (size_t i = 0; i < b->n; i++)
            rows += (net ? win_of(&b->row[i]) : worth_of(&b->row[i], b)) == value[k];
        const struct sr_interval w = sr_wilson(rows, (double)b->n);
        const double p = rows / (double)b->n, a = value[k] * (p - w.low), c = value[k] * (w.high - p);
        mean += value[k] * p;
        below += value[k] > 0 ? a * a : c * c;
        above += value[k] > 0 ? c * c : a * a;
    }
    return (struct sr_interval){mean - sqrt(below), mean + sqrt(above)};
}

static enum sr_advice advice_of(const struct sr_headroom *h, const struct brute *b, double break_even) {
    if (h->groups < 10)
        return SR_ADVICE_TOO_FEW;
    if (h->profit_ci.high < 0)
        return SR_ADVICE_ALWAYS_SMALL;
    if (h->profit_ci.low <= 0 || (!b->weighed && h->net_ci.low <= 0) || h->wc < 10)
        return SR_ADVICE_TOO_FEW;
    return (b->in_money ? b->is_routed : h->gain + h->harm < break_even) ? SR_ADVICE_ROUTE
                                                                         : SR_ADVICE_ALWAYS_LARGE;
}

static void expect_counts(const struct sr_headroom *h, const struct brute *b) {
    const double n = (double)b->n;
    cr_expect_eq(h->rows, b->n);
    cr_expect_eq(h->left_out, b->left_out);
    cr_expect_eq(h->groups, b->has_groups ? b->groups : b->n);
    cr_expect_eq(h->cc + h->cw + h->wc + h->ww, b->n);
    cr_expect_eq((double)(h->cc + h->cw), b->small);
    cr_expect_eq((double)(h->cc + h->wc), b->large);
    expect_near(h->gain, b->gain, "gain");
    expect_near(h->harm, b->harm, "harm");
    expect_near(h->net, b->gain - b->harm, "net");
    expect_near(h->differ, b->gain + b->harm, "differ");
    expect_near(h->small_accuracy, b->small / n, "small");
    expect_near(h->large_accuracy, b->large / n, "large");
    expect_near(h->oracle_accuracy, b->oracle / n, "oracle");
    expect_near(h->missed_small, 1000 * b->missed[0] / n, "missed small");
    expect_near(h->missed_large, 1000 * b->missed[1] / n, "missed large");
    expect_near(h->alarms_small, 1000 * b->alarms[0] / n, "alarms small");
    expect_near(h->alarms_large, 1000 * b->alarms[1] / n, "alarms large");
}

static void expect_brute(const struct sr_headroom *h, const struct sample *s, int32_t slice,
                         const struct sr_prices *p) {
    static struct brute b;
    struct sr_interval ci[4], gain, harm;
    brute_fill(&b, s, slice, p);
    if (b.n == 0)
        return;
    expect_counts(h, &b);
    double profit = -b.less;
    for (size_t i = 0; i < b.n; i++)
        profit += worth_of(&b.row[i], &b) / (double)b.n;
    expect_near(h->profit, profit, "profit");
    expect_near(h->worth - h->needed, profit, "worth less what is needed");
    const struct sr_resampling how = {.group = b.has_groups ? b.group : NULL, .n = b.n, .draws = 2000};
    cr_assert_eq(sr_bootstrap(ci, 4, statistics, &b, &how, NULL), 0);
    gain = sr_wilson((double)h->wc, (double)b.n);
    harm = sr_wilson((double)h->cw, (double)b.n);
    const bool twins = h->groups < h->rows;
    expect_interval(h->gain_ci, twins ? sr_interval_hull(gain, ci[0]) : gain, "gain");
    expect_interval(h->harm_ci, twins ? sr_interval_hull(harm, ci[1]) : harm, "harm");
    expect_interval(h->net_ci, sr_interval_hull(ci[2], mover(&b, true)), "net");
    struct sr_interval wilson = mover(&b, false);
    wilson = (struct sr_interval){wilson.low - b.less, wilson.high - b.less};
    expect_interval(h->profit_ci, sr_interval_hull(ci[3], wilson), "profit");
    cr_expect_eq(h->advice, advice_of(h, &b, sr_headroom_terms(p).break_even));
}

Test(headroom, agrees_with_a_brute_force) {
    static const char *const names[SLICES] = {"forum", "chat", "news"};
    static struct sample s;
    struct sr_prices prices;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct sr_headroom all, slice[SLICES];
        sample_draw(&s, 20 + 4 * (seed % 20), seed);
        money(&prices, seed % 4 == 1 ? .1 : NOT_GIVEN,
              seed % 4 == 1 ? .1 * (double)(1 + seed % 5) : NOT_GIVEN, seed % 4 < 2 ? 2 : NOT_GIVEN,
              seed % 4 < 2 ? (double)(seed % 3) : NOT_GIVEN);
        cr_assert_eq(sr_headroom_measure(&all, slice, names, SLICES, s.slice, &s.rows, &prices, NULL), 0);
        cr_expect_null(all.name);
        expect_brute(&all, &s, -1, &prices);
        for (int32_t k = 0; k < SLICES; k++) {
            cr_expect_str_eq(slice[k].name, names[k]);
            expect_brute(&slice[k], &s, k, &prices);
        }
    }
}

/* ---- how sure ---- */

/* Guards that are equally good, in 500 draws of rows: at most 2.5 % of 95 % intervals lie above 0 by
 * chance, 12.5 of 500, and three deviations more are 23; the point of accuracy that is needed comes on top.
 */
Test(headroom, chance_alone_seldom_looks_like_a_better_guard) {
    static struct sample s;
    size_t better = 0, routed = 0;
    s.n = 300;
    for (uint64_t seed = 0; seed < 500; seed++) {
        const uint64_t stream = sr_stream(SR_STREAM_TEST, 1, seed);
        for (size_t i = 0; i < s.n; i++) {
            s.gold[i] = (uint8_t)(i % 2);
            s.small[i] = s.gold[i] ^ (sr_random_below(5, stream, 2 * i, 5) == 0);
            s.large[i] = s.gold[i] ^ (sr_random_below(5, stream, 2 * i + 1, 5) == 0);
        }
        rows_of(&s, false);
        const struct sr_headroom h = measure(&s.rows, &sr_prices_unknown);
        better += h.net_ci.low > 0;
        routed += h.advice == SR_ADVICE_ROUTE;
    }
    cr_expect_leq(better, 23);
    cr_expect_leq(routed, better);
}

/* More groups than units of the bootstrap: 30,000 of two twins each. The deviation of net is that of 30,000
 * rows. An end from 2,000 draws is off by .06 deviations (see test_eval_bootstrap.c), the deviation itself by
 * 1 / sqrt(2 * 20,000); four times that is allowed. Groups torn apart would make it 1.96 (1 - 1 / sqrt 2) =
 * .57 too narrow. */
Test(headroom, many_groups_are_sampled_as_groups) {
    enum { GROUPS = 30000 };
    uint8_t *gold = sr_alloc(2 * GROUPS, 1, NULL), *small = sr_alloc(2 * GROUPS, 1, NULL),
            *large = sr_alloc(2 * GROUPS, 1, NULL);
    int64_t *group = sr_alloc(2 * GROUPS, sizeof *group, NULL);
    const uint64_t stream = sr_stream(SR_STREAM_TEST, 2, 0);
    for (uint64_t g = 0; g < GROUPS; g++)
        for (size_t i = g; i < 2 * GROUPS; i += GROUPS) {
            small[i] = sr_random_below(6, stream, 2 * g, 5) == 0;
            large[i] = sr_random_below(6, stream, 2 * g + 1, 8) == 0;
            group[i] = (int64_t)(g * g * 7919); /* no order that tells */
        }
    const struct sr_rows rows = {
        .n = 2 * GROUPS, .gold = gold, .small_pred = small, .large_pred = large, .group = group};
    const struct sr_headroom h = measure(&rows, &sr_prices_unknown);
    const double deviation = sqrt((h.differ - h.net * h.net) / GROUPS);
    cr_expect_eq(h.groups, GROUPS);
    cr_expect_float_eq(h.net_ci.low, h.net - 1.96 * deviation, .25 * deviation);
    cr_expect_float_eq(h.net_ci.high, h.net + 1.96 * deviation, .25 * deviation);
    sr_free(gold);
    sr_free(small);
    sr_free(large);
    sr_free(group);
}

Test(headroom, threads_change_nothing) {
    static const int threads[] = {1, 2, 5};
    static struct sample s;
    struct sr_headroom first, h;
    sample_draw(&s, 500, 4);
    for (size_t t = 0; t < SR_COUNT(threads); t++) {
        sr_cpu_threads(threads[t]);
        h = measure(&s.rows, &sr_prices_unknown);
        if (t == 0)
            first = h;
        cr_expect_eq(memcmp(&h.net_ci, &first.net_ci, sizeof h.net_ci), 0);
        cr_expect_eq(memcmp(&h.profit_ci, &first.profit_ci, sizeof h.profit_ci), 0);
        cr_expect_eq(memcmp(&h.gain_ci, &first.gain_ci, sizeof h.gain_ci), 0);
    }
}

Test(headroom, no_known_row_is_an_error) {
    const uint8_t gold[] = {1, 255}, small[] = {255, 1}, large[] = {1, 1};
    const struct sr_rows unknown = {.n = 2, .gold = gold, .small_pred = small, .large_pred = large};
    const struct sr_rows none = {.n = 2};
    struct sr_headroom h;
    struct sr_error err;
    cr_expect_eq(sr_headroom_measure(&h, NULL, NULL, 0, NULL, &unknown, &sr_prices_unknown, &err), SR_DATA);
    cr_expect_eq(sr_headroom_measure(&h, NULL, NULL, 0, NULL, &none, &sr_prices_unknown, &err), SR_DATA);
    cr_expect(strstr(err.text, "gold"));
}
