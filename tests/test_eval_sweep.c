/* test_eval_sweep.c: sweep.h against a brute force that decides every row anew at every threshold; its
 * columns (sweep_columns.h) by hand.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "eval/eval.h"

enum { MOST = 40 };

struct columns {
    uint8_t label[MOST], gold[MOST], small[MOST], large[MOST];
    float prob[MOST];
};

static uint8_t random_bit(uint64_t *at) {
    const uint8_t kinds[] = {0, 1, 0, 1, 0, 255};
    return kinds[sr_random_below(1, sr_stream(SR_STREAM_TEST, 40, 0), (*at)++, 6)];
}

/* Few levels make ties, the ends 0 and 1 are among them; one row in eight has no prob. */
static void random_columns(struct columns *c, size_t n, uint64_t *at) {
    const uint64_t stream = sr_stream(SR_STREAM_TEST, 41, 0);
    const uint64_t levels = 1 + sr_random_below(1, stream, (*at)++, 20);
    for (size_t i = 0; i < n; i++) {
        c->label[i] = random_bit(at);
        c->gold[i] = random_bit(at);
        c->small[i] = random_bit(at);
        c->large[i] = random_bit(at);
        c->prob[i] = (float)sr_random_below(1, stream, (*at)++, levels + 1) / (float)levels;
        if (sr_random_below(1, stream, (*at)++, 8) == 0)
            c->prob[i] = NAN;
    }
}

static bool same(struct sr_confusion a, struct sr_confusion b) {
    return a.tp == b.tp && a.fp == b.fp && a.tn == b.tn && a.fn == b.fn;
}

/* What the deployed router would do at the point's threshold. */
static void expect_point(const struct sr_point *p, const struct columns *c, size_t n, bool guards) {
    uint8_t decided[MOST], truth[MOST], gold[MOST], verdict[MOST];
    uint64_t routed = 0, safety_routed = 0;
    sr_decide(decided, c->prob, n, p->threshold);
    for (size_t i = 0; i < n; i++) {
        const bool known = guards && c->small[i] <= 1 && c->large[i] <= 1;
        truth[i] = isnan(c->prob[i]) ? 255 : c->label[i];
        gold[i] = known ? c->gold[i] : 255;
        verdict[i] = decided[i] ? c->large[i] : c->small[i];
        routed += decided[i];
        safety_routed += decided[i] && gold[i] <= 1;
    }
    cr_expect_eq(p->routed, routed, "threshold %g", (double)p->threshold);
    cr_expect_eq(p->safety_routed, safety_routed, "threshold %g", (double)p->threshold);
    cr_expect(same(p->label, sr_confusion_count(truth, decided, n)), "threshold %g", (double)p->threshold);
    cr_expect(same(p->safety, sr_confusion_count(gold, verdict, n)), "threshold %g", (double)p->threshold);
}

/* The thresholds: 0, then every prob above it, once and rising. */
static void expect_thresholds(const struct sr_sweep *s, const struct columns *c, size_t n) {
    cr_assert_gt(s->n, 0);
    cr_expect_eq(s->point[0].threshold, 0);
    for (size_t k = 1; k < s->n; k++) {
        size_t rows = 0;
        for (size_t i = 0; i < n; i++)
            rows += c->prob[i] == s->point[k].threshold;
        cr_expect_gt(rows, 0, "%g is no prob", (double)s->point[k].threshold);
        cr_expect_gt(s->point[k].threshold, s->point[k - 1].threshold);
        cr_expect_lt(s->point[k].routed, s->point[k - 1].routed);
    }
    for (size_t i = 0; i < n; i++)
        if (!isnan(c->prob[i]))
            cr_expect_eq(s->point[sr_sweep_find(s, c->prob[i])].threshold, c->prob[i]);
}

Test(eval_sweep, agrees_with_brute_force) {
    uint64_t at = 0;
    for (size_t trial = 0; trial < 2000; trial++) {
        struct columns c;
        struct sr_sweep s;
        const bool guards = trial % 3 > 0;
        const size_t n = trial % MOST;
        random_columns(&c, n, &at);
        const struct sr_rows rows = {.n = n,
                                     .label = c.label,
                                     .prob = c.prob,
                                     .gold = guards ? c.gold : NULL,
                                     .small_pred = guards ? c.small : NULL,
                                     .large_pred = guards ? c.large : NULL};
        cr_assert_eq(sr_sweep_make(&s, &rows, NULL), 0);
        cr_expect_eq(s.rows, n);
        expect_thresholds(&s, &c, n);
        for (size_t k = 0; k < s.n; k++)
            expect_point(&s.point[k], &c, n, guards);
        sr_sweep_free(&s);
    }
}

/* Four rows; the bad one, an unsafe one that only the large guard sees, counts for safety and for no label.
 */
static struct sr_sweep sweep_by_hand(bool guards) {
    static const uint8_t label[] = {1, 0, 1, 255}, gold[] = {1, 0, 1, 0}, small[] = {0, 0, 0, 0},
                         large[] = {1, 1, 1, 0};
    static const float prob[] = {.5f, .1f, NAN, 1};
    const struct sr_rows rows = {.n = 4,
                                 .label = label,
                                 .prob = prob,
                                 .gold = guards ? gold : NULL,
                                 .small_pred = guards ? small : NULL,
                                 .large_pred = guards ? large : NULL};
    struct sr_sweep s;
    cr_assert_eq(sr_sweep_make(&s, &rows, NULL), 0);
    return s;
}

Test(eval_sweep, rows_by_hand) {
    struct sr_sweep s = sweep_by_hand(true);
    cr_assert_eq(s.n, 4);
    cr_expect_eq(s.point[0].routed, 4);
    cr_expect_eq(s.point[1].threshold, .1f);
    cr_expect_eq(s.point[1].routed, 3);
    cr_expect(same(s.point[1].label, (struct sr_confusion){.tp = 1, .tn = 1}));
    cr_expect(same(s.point[1].safety, (struct sr_confusion){.tp = 2, .tn = 2}));
    cr_expect_eq(s.point[3].threshold, 1);
    cr_expect_eq(s.point[3].routed, 1);
    cr_expect(same(s.point[3].label, (struct sr_confusion){.tn = 1, .fn = 1}));
    cr_expect(same(s.point[3].safety, (struct sr_confusion){.tp = 1, .tn = 2, .fn = 1}));
    sr_sweep_free(&s);
}

Test(eval_sweep, needs_no_labels) {
    const float prob[] = {0, 0, .5f, NAN};
    const struct sr_rows rows = {.n = 4, .prob = prob};
    struct sr_sweep s;
    cr_assert_eq(sr_sweep_make(&s, &rows, NULL), 0);
    cr_assert_eq(s.n, 2);
    cr_expect_eq(s.point[0].routed, 2, "probs of 0 are not above 0");
    cr_expect_eq(s.point[1].routed, 1);
    cr_expect(same(s.point[1].label, (struct sr_confusion){0}));
    sr_sweep_free(&s);
}

Test(eval_sweep, find_takes_any_threshold) {
    const float prob[] = {.25f, .5f, .5f};
    const struct sr_rows rows = {.n = 3, .prob = prob};
    struct sr_sweep s;
    cr_assert_eq(sr_sweep_make(&s, &rows, NULL), 0);
    const float threshold[] = {0, .1f, .25f, nextafterf(.5f, 0), .5f, 1};
    const size_t want[] = {0, 0, 1, 1, 2, 2};
    for (size_t i = 0; i < SR_COUNT(want); i++)
        cr_expect_eq(sr_sweep_find(&s, threshold[i]), want[i], "%g", (double)threshold[i]);
    sr_sweep_free(&s);
}

/* The grown sizes: sorting and counting a million rows, with ties; the points add up. */
Test(eval_sweep, takes_a_million_rows) {
    enum { N = 1000000 };
    float *prob = sr_alloc(N, sizeof *prob, NULL);
    uint8_t *label = sr_alloc(N, 1, NULL);
    struct sr_sweep s;
    for (size_t i = 0; i < N; i++) {
        prob[i] = (float)sr_random_uniform(3, sr_stream(SR_STREAM_TEST, 42, 0), i);
        label[i] = i % 7 == 0;
    }
    const struct sr_rows rows = {.n = N, .label = label, .prob = prob};
    cr_assert_eq(sr_sweep_make(&s, &rows, NULL), 0);
    cr_expect_gt(s.n, N * 9 / 10);
    cr_expect_eq(s.point[s.n - 1].routed, 0);
    cr_expect_eq(s.point[s.n - 1].label.fn, (N + 6) / 7);
    cr_expect_eq(s.point[s.n / 2].label.tp + s.point[s.n / 2].label.fp, s.point[s.n / 2].routed);
    sr_sweep_free(&s);
    sr_free(prob);
    sr_free(label);
}

/* ---- columns ---- */

static const struct sr_prices prices = {.small_ms = 10,
                                        .router_ms = 1,
                                        .large_ms = 80,
                                        .small_cost = 1,
                                        .large_cost = 8,
                                        .missed_cost = 100,
                                        .alarm_cost = 20};

static void expect_text(struct sr_json *tree, const char *want) {
    char *text = sr_json_text(tree, 0, NULL);
    cr_assert_not_null(text);
    cr_expect_str_eq(text, want);
    sr_free(text);
    sr_json_free(tree);
}

static char *printed(const struct sr_sweep *s) {
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    sr_sweep_print_json(to, s);
    fclose(to);
    return text;
}

Test(eval_sweep_columns, counts_by_hand) {
    struct sr_sweep s = sweep_by_hand(true);
    expect_text(sr_sweep_json(&s),
                "{\"threshold\":[0.0,0.1,0.5,1.0],\"routed\":[4,3,2,1],\"tp\":[1,1,0,0],\"fp\":[1,0,0,0],"
                "\"tn\":[0,1,1,1],\"fn\":[0,0,1,1],\"safety_routed\":[4,3,2,1],\"safety_tp\":[2,2,1,1],"
                "\"safety_fp\":[1,0,0,0],\"safety_tn\":[1,2,2,2],\"safety_fn\":[0,0,1,1]}");
    char *text = printed(&s);
    cr_expect_str_eq(text, "{\"threshold\":[0,0.100000001,0.5,1],\"routed\":[4,3,2,1],\"tp\":[1,1,0,0],"
                           "\"fp\":[1,0,0,0],\"tn\":[0,1,1,1],\"fn\":[0,0,1,1],\"safety_routed\":[4,3,2,1],"
                           "\"safety_tp\":[2,2,1,1],\"safety_fp\":[1,0,0,0],\"safety_tn\":[1,2,2,2],"
                           "\"safety_fn\":[0,0,1,1]}");
    free(text);
    sr_sweep_free(&s);
}

/* Latency 11 + 80 share; price 1 + 8 share; errors 100/4 for each missed and 20/4 for each alarm. */
Test(eval_sweep_columns, csv_by_hand) {
    struct sr_sweep s = sweep_by_hand(true);
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    sr_sweep_csv(to, &s, &prices);
    fclose(to);
    cr_expect_str_eq(strchr(text, '\n') + 1,
                     "0,4,1,1,0,0,4,2,1,1,0,1,0.5,1,0.666666667,0.666666667,1,0.8,91,9,14\n"
                     "0.100000001,3,1,0,1,0,3,2,0,2,0,0.75,1,1,1,1,1,1,71,7,7\n"
                     "0.5,2,0,0,1,1,2,1,0,2,1,0.5,,0,0,1,0.5,0.666666667,51,5,30\n"
                     "1,1,0,0,1,1,1,1,0,2,1,0.25,,0,0,1,0.5,0.666666667,31,3,28\n");
    free(text);
    sr_sweep_free(&s);
}

Test(eval_sweep_columns, what_is_not_known_is_null) {
    struct sr_sweep s = sweep_by_hand(false);
    const char *want = "\"fn\":[0,0,1,1],\"safety_routed\":null,\"safety_tp\":null,\"safety_fp\":null,"
                       "\"safety_tn\":null,\"safety_fn\":null}";
    struct sr_json *o = sr_sweep_json(&s);
    char *tree = sr_json_text(o, 0, NULL), *text = printed(&s);
    cr_expect(strstr(tree, want), "%s", tree);
    cr_expect(strstr(text, want), "%s", text);
    sr_json_free(o);
    sr_free(tree);
    free(text);
    sr_sweep_free(&s);
}

/* 0/0 is null. Latency 11 + 80 share; price 1 + 8 share, and the cost of errors is of all four rows, which
 * have gold: 100/4 for each missed, 20/4 for each alarm. */
Test(eval_sweep_columns, of_one_point) {
    struct sr_sweep s = sweep_by_hand(true);
    struct sr_json *o = sr_json_object(), *bare = sr_json_object();
    sr_point_json(o, &s, &s.point[2], &prices);
    expect_text(o, "{\"threshold\":0.5,\"routed\":2,\"tp\":0,\"fp\":0,\"tn\":1,\"fn\":1,\"safety_routed\":2,"
                   "\"safety_tp\":1,"
                   "\"safety_fp\":0,\"safety_tn\":2,\"safety_fn\":1,\"share_routed\":0.5,"
                   "\"precision\":null,\"recall\":0.0,\"f1\":0.0,\"safety_precision\":1.0,"
                   "\"safety_recall\":0.5,\"safety_f1\":0.6666666666666666,\"latency_ms\":51.0,"
                   "\"price\":5.0,\"cost\":30.0}");
    sr_sweep_free(&s);
    s = sweep_by_hand(false);
    sr_point_json(bare, &s, &s.point[3], &sr_prices_unknown);
    expect_text(
        bare,
        "{\"threshold\":1.0,\"routed\":1,\"tp\":0,\"fp\":0,\"tn\":1,\"fn\":1,"
        "\"safety_routed\":null,\"safety_tp\":null,\"safety_fp\":null,\"safety_tn\":null,\"safety_fn\":null,"
        "\"share_routed\":0.25,\"precision\":null,\"recall\":0.0,\"f1\":0.0,"
        "\"safety_precision\":null,\"safety_recall\":null,\"safety_f1\":null,"
        "\"latency_ms\":null,\"price\":null,\"cost\":null}");
    sr_sweep_free(&s);
}

/* Rows without gold or a verdict are routed too, at the large guard's price; errors are of rows that have
 * them, and so is the share that cost weighs them with. */
Test(eval_sweep_columns, cost_is_of_the_rows_that_have_gold) {
    const uint8_t gold[] = {1, 0, 255, 1}, small[] = {0, 1, 0, 1}, large[] = {1, 0, 1, 255};
    const float prob[] = {.1f, .2f, .9f, .9f};
    const struct sr_rows rows = {
        .n = 4, .prob = prob, .gold = gold, .small_pred = small, .large_pred = large};
    struct sr_sweep s;
    double price, cost;
    cr_assert_eq(sr_sweep_make(&s, &rows, NULL), 0);
    struct sr_json *o = sr_json_object();
    sr_point_json(o, &s, &s.point[1], &prices); /* above .1: row 0 is missed, row 1 is routed and right */
    cr_assert(sr_json_as_number(sr_json_get(o, "price"), &price));
    cr_assert(sr_json_as_number(sr_json_get(o, "cost"), &cost));
    cr_expect_eq(price, 1 + .75 * 8);
    cr_expect_eq(cost, 1 + .5 * 8 + .5 * 100);
    sr_json_free(o);
    sr_sweep_free(&s);
}
