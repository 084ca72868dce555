/* test_eval_evaluation.c: every figure of an evaluation against a brute force from the definitions, by hand
 * and on random rows with ties and gaps; slices and comparisons as evaluations of their own.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/eval.h"
#include "eval/view.h"

#define N 60

static const struct sr_measure_options point_only = {
    .threshold = .5f,
    .prices = {(double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN},
    .prevalence = (double)NAN,
    .train_share = (double)NAN};

static const struct sr_prices prices = {.small_ms = 10,
                                        .router_ms = 1,
                                        .large_ms = 80,
                                        .small_cost = 1,
                                        .large_cost = 8,
                                        .missed_cost = 100,
                                        .alarm_cost = 20};

static struct sr_evaluation evaluate(const struct sr_rows *rows, const struct sr_measure_options *how) {
    struct sr_evaluation e;
    struct sr_error err;
    cr_assert_eq(sr_evaluate(&e, rows, how, &err), 0, "%s", err.text);
    return e;
}

static double of(const struct sr_evaluation *e, enum sr_judge judge, enum sr_judge_figure figure) {
    return e->value[sr_figure(judge, figure)];
}

/* 1e-12: at most some hundred terms, each off by 1e-16; undefined is undefined on both sides */
static void expect_same(double got, double want, const char *what) {
    cr_expect((isnan(got) && isnan(want)) || fabs(got - want) <= 1e-12 * fmax(1, fabs(want)),
              "%s: %.17g, not %.17g", what, got, want);
}

/* ---- by hand ---- */

Test(evaluation, eight_rows_by_hand) {
    /* Each kind of row (small right or wrong, large right or wrong), unsafe and safe. Rows 2, 4 and 7 are
     * routed. */
    const uint8_t gold[] = {1, 0, 1, 0, 1, 0, 1, 0};
    const uint8_t small[] = {1, 0, 1, 0, 0, 1, 0, 1};
    const uint8_t large[] = {1, 0, 0, 1, 1, 0, 0, 1};
    const uint8_t label[] = {0, 0, 0, 0, 1, 1, 0, 0};
    const float prob[] = {.1f, .1f, .9f, .1f, .8f, .1f, .1f, .7f};
    const struct sr_rows rows = {
        .n = 8, .label = label, .prob = prob, .gold = gold, .small_pred = small, .large_pred = large};
    struct sr_measure_options how = point_only;
    how.prices = prices;
    const struct sr_evaluation e = evaluate(&rows, &how);
    cr_expect(e.cc == 2 && e.cw == 2 && e.wc == 2 && e.ww == 2);
    cr_expect(e.rows == 8 && e.routed == 3 && e.system_rows == 8 && e.groups == 8 && e.too_few);
    /* small: 1 0 1 0 0 1 0 1 -> TP 2 FN 2 FP 2 TN 2 */
    expect_same(of(&e, SR_JUDGE_SMALL, SR_OF_JUDGE_PRECISION), .5, "small precision");
    expect_same(of(&e, SR_JUDGE_SMALL, SR_OF_JUDGE_ACCURACY), .5, "small accuracy");
    /* system: 1 0 0 0 1 1 0 1 -> TP 2 FN 2 FP 2 TN 2; oracle: 1 0 1 0 1 0 0 1 -> TP 3 FN 1 FP 1 TN 3 */
    expect_same(of(&e, SR_JUDGE_ROUTED, SR_OF_JUDGE_RECALL), .5, "routed recall");
    expect_same(of(&e, SR_JUDGE_ORACLE, SR_OF_JUDGE_RECALL), .75, "oracle recall");
    expect_same(of(&e, SR_JUDGE_ORACLE, SR_OF_JUDGE_F1), .75, "oracle F1");
    expect_same(of(&e, SR_JUDGE_ROUTED, SR_OF_JUDGE_SHARE_ROUTED), .375, "share routed");
    expect_same(of(&e, SR_JUDGE_ORACLE, SR_OF_JUDGE_SHARE_ROUTED), .25, "share of the oracle");
    /* one of the three routed rows was worth it, one did harm */
    expect_same(e.value[SR_FIGURE_GAIN], 1. / 8, "gain");
    expect_same(e.value[SR_FIGURE_HARM], 1. / 8, "harm");
    expect_same(e.value[SR_FIGURE_MISSED_ROUTED], 250, "missed");
    /* decisions on rows 2, 4, 7; labels on 4, 5 */
    expect_same(e.value[SR_FIGURE_PRECISION], 1. / 3, "precision");
    expect_same(e.value[SR_FIGURE_RECALL], 1. / 2, "recall");
    expect_same(e.value[SR_FIGURE_BALANCED_ACCURACY], (1. / 2 + 4. / 6) / 2, "balanced accuracy");
    expect_same(e.value[SR_FIGURE_LATENCY_MS], 11 + .375 * 80, "latency");
    expect_same(e.value[SR_FIGURE_PRICE], 1 + .375 * 8, "price");
    expect_same(e.value[SR_FIGURE_COST], 1 + .375 * 8 + 2. / 8 * 100 + 2. / 8 * 20, "cost");
    cr_expect(isnan(of(&e, SR_JUDGE_ENTROPY, SR_OF_JUDGE_F1)), "no small_prob, no entropy");
    cr_expect(isnan(e.value[SR_FIGURE_RISK_BOUND]));
}

Test(evaluation, routing_none_or_all_is_one_guard_alone) {
    uint8_t gold[N], small[N], large[N], label[N] = {0};
    float prob[N];
    struct sr_rows rows = {
        .n = N, .label = label, .prob = prob, .gold = gold, .small_pred = small, .large_pred = large};
    for (size_t i = 0; i < N; i++) {
        gold[i] = (uint8_t)sr_random_below(2, sr_stream(SR_STREAM_TEST, 1, 0), 3 * i, 2);
        small[i] = (uint8_t)sr_random_below(2, sr_stream(SR_STREAM_TEST, 1, 0), 3 * i + 1, 2);
        large[i] = (uint8_t)sr_random_below(2, sr_stream(SR_STREAM_TEST, 1, 0), 3 * i + 2, 2);
        prob[i] = (float)i / (2 * N);
    }
    struct sr_measure_options how = point_only;
    for (int all = 0; all < 2; all++) {
        how.threshold = all ? -1.f : 1.f;
        const struct sr_evaluation e = evaluate(&rows, &how);
        const enum sr_judge alone = all ? SR_JUDGE_LARGE : SR_JUDGE_SMALL;
        for (enum sr_judge_figure f = 0; f <= SR_OF_JUDGE_ACCURACY; f++) {
            expect_same(of(&e, SR_JUDGE_ROUTED, f), of(&e, alone, f), "routed");
            expect_same(of(&e, SR_JUDGE_RANDOM, f), of(&e, alone, f), "random");
        }
        /* The oracle is wrong only where both guards are. */
        expect_same(of(&e, SR_JUDGE_ORACLE, SR_OF_JUDGE_ACCURACY), (double)(e.cc + e.cw + e.wc) / N,
                    "oracle");
    }
}

Test(evaluation, unknown_rows_are_left_out) {
    const uint8_t gold[] = {1, 255, 0, 1, 0}, small[] = {0, 0, 2, 1, 1}, large[] = {1, 0, 0, 255, 0};
    const uint8_t label[] = {1, 255, 255, 255, 1};
    const float prob[] = {.9f, .9f, .9f, NAN, .1f};
    const struct sr_rows rows = {
        .n = 5, .label = label, .prob = prob, .gold = gold, .small_pred = small, .large_pred = large};
    struct sr_measure_options how = point_only;
    how.prices = prices;
    const struct sr_evaluation e = evaluate(&rows, &how);
    cr_expect(e.system_rows == 2 && e.wc == 2 && e.ranked == 2 && e.unlabelled == 2 && e.bad_rows == 1);
    cr_expect_eq(e.routed, 4);
    expect_same(of(&e, SR_JUDGE_ROUTED, SR_OF_JUDGE_SHARE_ROUTED), .5, "share routed");
    expect_same(of(&e, SR_JUDGE_ROUTED, SR_OF_JUDGE_ACCURACY), .5, "accuracy");
    /* The price is of all five rows, four of them routed; the cost of the two that have gold: the unsafe one
     * is routed and found, the safe one is an alarm. */
    expect_same(e.value[SR_FIGURE_PRICE], 1 + .8 * 8, "price");
    expect_same(e.value[SR_FIGURE_COST], 1 + .5 * 8 + .5 * 20, "cost");
    how.prices.alarm_cost = (double)NAN;
    const struct sr_evaluation unknown = evaluate(&rows, &how);
    expect_same(unknown.value[SR_FIGURE_PRICE], 1 + .8 * 8, "price");
    cr_expect(isnan(unknown.value[SR_FIGURE_COST]), "nobody knows what an alarm costs");
}

Test(evaluation, no_rows_is_undefined) {
    const struct sr_rows rows = {0};
    struct sr_measure_options how = point_only;
    how.draws = 10;
    const struct sr_evaluation e = evaluate(&rows, &how);
    for (size_t f = 0; f < SR_FIGURES; f++)
        cr_expect(isnan(e.value[f]) && isnan(e.ci[f].low) && isnan(e.ci[f].high), "figure %zu", f);
    cr_expect_eq(e.cc + e.cw + e.wc + e.ww, 0);
}

/* ---- against a brute force ---- */

struct sample {
    uint8_t label[N], gold[N], small[N], large[N];
    float prob[N], small_prob[N], large_prob[N];
    int64_t group[N];
    struct sr_rows rows;
};

/* Few distinct scores, so that ties are many; every tenth value is not known. */
static void sample_draw(struct sample *s, uint64_t seed) {
    const uint64_t stream = sr_stream(SR_STREAM_TEST, 2, seed);
    uint64_t at = 0;
#define BELOW(n) sr_random_below(3, stream, at++, n)
    for (size_t i = 0; i < N; i++) {
        s->small_prob[i] = BELOW(10) ? (float)BELOW(9) / 8 : NAN;
        s->large_prob[i] = BELOW(10) ? (float)BELOW(9) / 8 : NAN;
        s->gold[i] = BELOW(10) ? (uint8_t)BELOW(2) : 255;
        s->small[i] = isnan(s->small_prob[i]) ? 255 : s->small_prob[i] >= .5f;
        s->large[i] = isnan(s->large_prob[i]) ? 255 : s->large_prob[i] >= .5f;
        s->label[i] = BELOW(10) ? (uint8_t)(BELOW(3) == 0) : 255;
        s->prob[i] = BELOW(20) ? (float)BELOW(6) / 5 : NAN;
        s->group[i] = (int64_t)BELOW(N);
    }
#undef BELOW
    s->rows = (struct sr_rows){.n = N,
                               .label = s->label,
                               .prob = s->prob,
                               .gold = s->gold,
                               .small_pred = s->small,
                               .large_pred = s->large,
                               .small_prob = s->small_prob,
                               .large_prob = s->large_prob,
                               .group = s->group};
}

/* The figures that are made elsewhere, each in its place. */
Test(evaluation, figures_are_those_of_the_arrays) {
    struct sample s;
    struct sr_reliability *r;
    struct sr_calibration_scores scores;
    uint8_t label[N], decided[N];
    double prob[N], ap, area;
    sample_draw(&s, 7);
    sr_decide(decided, s.prob, N, .5f);
    for (size_t i = 0; i < N; i++) {
        label[i] = isnan(s.prob[i]) ? 255 : s.label[i];
        prob[i] = isnan(s.prob[i]) ? 0 : (double)s.prob[i];
    }
    const struct sr_confusion c = sr_confusion_count(label, decided, N);
    const struct sr_evaluation e = evaluate(&s.rows, &point_only);
    cr_assert_eq(sr_ranking(&ap, &area, label, prob, N, NULL), 0);
    cr_assert_eq(sr_reliability_create(&r, label, prob, N, NULL), 0);
    sr_reliability_measure(&scores, r, NULL);
    expect_same(e.value[SR_FIGURE_AUPRC], ap, "average precision");
    expect_same(e.value[SR_FIGURE_AUROC], area, "ROC area");
    expect_same(e.value[SR_FIGURE_BRIER], scores.brier, "Brier");
    expect_same(e.value[SR_FIGURE_LOG_LOSS], scores.log_loss, "log loss");
    expect_same(e.value[SR_FIGURE_ECE], scores.ece, "ECE");
    expect_same(e.value[SR_FIGURE_ECE_MASS], scores.ece_mass, "ECE of equal mass");
    expect_same(e.value[SR_FIGURE_PRECISION], sr_precision(c), "precision");
    expect_same(e.value[SR_FIGURE_RECALL], sr_recall(c), "recall");
    expect_same(e.value[SR_FIGURE_F1], sr_f1(c), "F1");
    expect_same(e.value[SR_FIGURE_ACCURACY], sr_accuracy(c), "accuracy");
    expect_same(e.value[SR_FIGURE_BALANCED_ACCURACY], sr_balanced_accuracy(c), "balanced accuracy");
    expect_same(e.value[SR_FIGURE_MCC], sr_mcc(c), "MCC");
    sr_reliability_free(r);
}

static bool is_known(const struct sample *s, size_t i) {
    return s->gold[i] <= 1 && s->small[i] <= 1 && s->large[i] <= 1;
}

static double score_of(const struct sample *s, size_t i, int queue) {
    const double p = (double)s->small_prob[i];
    switch (queue) {
    case 0:
        return isnan(s->prob[i]) ? (double)INFINITY : (double)s->prob[i];
    case 1:
        return p > 0 && p < 1 ? -p * log2(p) - (1 - p) * log2(1 - p) : 0;
    case 2:
        return 0;
    default:
        return (s->large[i] == s->gold[i]) - (s->small[i] == s->gold[i]);
    }
}

/* F1 when `routed` rows are, the highest scores first, a row of a tie that is cut with its part: by asking
 * each row how many stand before it and how many beside it. */
static double f1_at(const struct sample *s, int queue, double routed) {
    double tp = 0, wrong = 0;
    for (size_t i = 0; i < N; i++) {
        if (!is_known(s, i))
            continue;
        double before = 0, beside = 0;
        for (size_t k = 0; k < N; k++) {
            before += is_known(s, k) && score_of(s, k, queue) > score_of(s, i, queue);
            beside += is_known(s, k) && score_of(s, k, queue) == score_of(s, i, queue);
        }
        const double part = fmin(1, fmax(0, (routed - before) / beside));
        const double unsafe = part * s->large[i] + (1 - part) * s->small[i];
        tp += s->gold[i] ? unsafe : 0;
        wrong += s->gold[i] ? 1 - unsafe : unsafe;
    }
    return 2 * tp / (2 * tp + wrong);
}

/* Simpson's rule over many more pieces than there are rows: exact to 1e-9 where F1 bends. */
static double area_of(const struct sample *s, int queue, double known) {
    enum { PIECES = 40 };
    double sum = 0;
    const size_t n = (size_t)known * PIECES;
    for (size_t i = 0; i < n; i++)
        sum += f1_at(s, queue, known * (double)i / (double)n) +
               4 * f1_at(s, queue, known * ((double)i + .5) / (double)n) +
               f1_at(s, queue, known * (double)(i + 1) / (double)n);
    return sum / 6 / (double)n;
}

Test(evaluation, ways_to_route_agree_with_a_brute_force) {
    static const enum sr_judge judges[] = {SR_JUDGE_ROUTED, SR_JUDGE_ENTROPY, SR_JUDGE_RANDOM};
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct sample s;
        sample_draw(&s, seed);
        struct sr_measure_options how = point_only;
        how.threshold = (float)(seed % 6) / 5;
        const struct sr_evaluation e = evaluate(&s.rows, &how);
        double known = 0, routed = 0;
        for (size_t i = 0; i < N; i++) {
            known += is_known(&s, i);
            routed += is_known(&s, i) && (isnan(s.prob[i]) || s.prob[i] > how.threshold);
        }
        cr_assert_eq((double)e.system_rows, known);
        for (int q = 0; q < 3; q++) {
            expect_same(of(&e, judges[q], SR_OF_JUDGE_F1), f1_at(&s, q, routed), "F1 at the share");
            expect_same(of(&e, judges[q], SR_OF_JUDGE_SHARE_ROUTED), routed / known, "share");
        }
        expect_same(of(&e, SR_JUDGE_ORACLE, SR_OF_JUDGE_F1), f1_at(&s, 3, (double)e.wc), "oracle");
    }
}

/* 2e-5: one Simpson piece a run of ties, see queue.c; a run here is up to all rows */
Test(evaluation, areas_agree_with_a_brute_force) {
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct sample s;
        sample_draw(&s, seed);
        const struct sr_evaluation e = evaluate(&s.rows, &point_only);
        static const enum sr_judge judges[] = {SR_JUDGE_ROUTED, SR_JUDGE_ENTROPY, SR_JUDGE_RANDOM,
                                               SR_JUDGE_ORACLE};
        for (int q = 0; q < 4; q++) {
            const double got = of(&e, judges[q], SR_OF_JUDGE_AREA);
            const double want = area_of(&s, q, (double)e.system_rows);
            cr_expect_float_eq(got, want, 2e-5, "queue %d: %.9g, not %.9g", q, got, want);
        }
    }
}

/* The same numbers at every share, where they are drawn. */
Test(evaluation, the_curve_goes_through_the_same_points) {
    enum { POINTS = 2 * N + 1 };
    struct sample s;
    sample_draw(&s, 99);
    uint8_t kind[N];
    double score[N], curve[POINTS];
    for (int q = 0; q < 4; q++) {
        struct sr_queue queue;
        for (size_t i = 0; i < N; i++) {
            kind[i] = sr_tally_kind(s.gold[i], s.small[i], s.large[i], 0);
            score[i] = score_of(&s, i, q);
        }
        cr_assert_eq(sr_queue_sort(&queue, kind, score, N, NULL), 0);
        sr_queue_curve(curve, POINTS, &queue);
        for (size_t p = 0; p < POINTS; p++)
            expect_same(curve[p], f1_at(&s, q, (double)queue.n * (double)p / (POINTS - 1)),
                        "point of the curve");
        sr_queue_free(&queue);
    }
}

static double log_loss(float prob, bool unsafe) {
    const double p = fmin(fmax((double)prob, 0x1p-23), 1 - 0x1p-23);
    return unsafe ? -log(p) : -log1p(-p);
}

/* Theorem 3.1 by its terms; and what it says holds. */
Test(evaluation, the_gap_of_risk_is_below_its_bound) {
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct sample s;
        sample_draw(&s, seed);
        const struct sr_evaluation e = evaluate(&s.rows, &point_only);
        double rows = 0, errors = 0, squares = 0, system = 0, perfect = 0;
        for (size_t i = 0; i < N; i++) {
            if (s.gold[i] > 1 || s.label[i] > 1 || isnan(s.small_prob[i]) || isnan(s.large_prob[i]))
                continue;
            const double small = log_loss(s.small_prob[i], s.gold[i]),
                         large = log_loss(s.large_prob[i], s.gold[i]);
            const bool routed = isnan(s.prob[i]) || s.prob[i] > .5f;
            if (isnan(s.prob[i]))
                continue;
            rows++;
            errors += routed != s.label[i];
            squares += (small - large) * (small - large);
            system += routed ? large : small;
            perfect += s.label[i] ? large : small;
        }
        expect_same(e.value[SR_FIGURE_ROUTING_ERROR], errors / rows, "routing error");
        expect_same(e.value[SR_FIGURE_RISK_GAP], (system - perfect) / rows, "gap");
        expect_same(e.value[SR_FIGURE_RISK_BOUND], sqrt(errors / rows) * sqrt(squares / rows), "bound");
        cr_expect(fabs(e.value[SR_FIGURE_RISK_GAP]) <= e.value[SR_FIGURE_RISK_BOUND] + 1e-12);
    }
}

/* At another prevalence: the same as repeating the positive rows that often. */
Test(evaluation, prevalence_is_as_if_rows_were_repeated) {
    enum { TIMES = 7 };
    struct sample s;
    sample_draw(&s, 5);
    uint8_t label[N * TIMES];
    float prob[N * TIMES];
    size_t n = 0, positives = 0;
    for (size_t i = 0; i < N; i++)
        for (int k = 0; s.label[i] <= 1 && !isnan(s.prob[i]) && k < (s.label[i] ? TIMES : 1); k++, n++) {
            label[n] = s.label[i];
            prob[n] = s.prob[i];
            positives += label[n];
        }
    struct sr_measure_options how = point_only;
    const struct sr_rows repeated = {.n = n, .label = label, .prob = prob};
    const struct sr_evaluation want = evaluate(&repeated, &how);
    how.prevalence = how.train_share = (double)positives / (double)n;
    const struct sr_evaluation got = evaluate(&s.rows, &how);
    const size_t f = SR_FIGURE_OF_PREVALENCE;
    expect_same(got.value[f + SR_OF_PREVALENCE_PRECISION], want.value[SR_FIGURE_PRECISION], "precision");
    expect_same(got.value[f + SR_OF_PREVALENCE_F1], want.value[SR_FIGURE_F1], "F1");
    expect_same(got.value[f + SR_OF_PREVALENCE_ACCURACY], want.value[SR_FIGURE_ACCURACY], "accuracy");
    expect_same(got.value[f + SR_OF_PREVALENCE_SHARE_ROUTED], want.value[SR_FIGURE_SHARE_ROUTED], "share");
    expect_same(got.value[f + SR_OF_PREVALENCE_BRIER], want.value[SR_FIGURE_BRIER], "Brier");
    expect_same(got.value[f + SR_OF_PREVALENCE_LOG_LOSS], want.value[SR_FIGURE_LOG_LOSS], "log loss");
    /* corrected odds: 4 times as many negatives make the odds a quarter */
    expect_same(sr_prior_shift(.5, .5, .2), .2, "prior shift");
}

/* A resample is its rows repeated: counts must come out as copies do, in every figure. */
Test(evaluation, counts_are_copies) {
    enum { MOST = 4 };
    for (uint64_t seed = 40; seed < 50; seed++) {
        struct sample s;
        struct sr_view view;
        uint32_t count[N];
        uint8_t label[MOST * N], gold[MOST * N], small[MOST * N], large[MOST * N];
        float prob[MOST * N], small_prob[MOST * N], large_prob[MOST * N];
        double value[SR_FIGURES];
        size_t n = 0;
        sample_draw(&s, seed);
        for (size_t i = 0; i < N; i++) {
            count[i] = (uint32_t)((i * 7 + seed) % MOST);
            for (uint32_t k = 0; k < count[i]; k++, n++) {
                label[n] = s.label[i];
                gold[n] = s.gold[i];
                small[n] = s.small[i];
                large[n] = s.large[i];
                prob[n] = s.prob[i];
                small_prob[n] = s.small_prob[i];
                large_prob[n] = s.large_prob[i];
            }
        }
        const struct sr_rows copies = {.n = n,
                                       .label = label,
                                       .prob = prob,
                                       .gold = gold,
                                       .small_pred = small,
                                       .large_pred = large,
                                       .small_prob = small_prob,
                                       .large_prob = large_prob};
        const struct sr_evaluation want = evaluate(&copies, &point_only);
        cr_assert_eq(sr_view_make(&view, &s.rows, &point_only, false, NULL), 0);
        sr_view_measure(value, NULL, &view, count);
        for (size_t f = 0; f < SR_FIGURES; f++)
            if (f != SR_FIGURE_ECE_MASS) /* its bins are those of the rows as they are */
                expect_same(value[f], want.value[f], "figure of a resample");
        sr_view_free(&view);
    }
}

/* ---- intervals ---- */

/* Nothing found in twelve tries is not "never": the bootstrap alone would say [0, 0]. */
Test(evaluation, an_interval_around_nothing_is_not_empty) {
    uint8_t label[24];
    float prob[24];
    for (size_t i = 0; i < 24; i++) {
        label[i] = i % 2;
        prob[i] = label[i] ? .1f : .2f;
    }
    const struct sr_rows rows = {.n = 24, .label = label, .prob = prob};
    struct sr_measure_options how = point_only;
    how.draws = 200;
    const struct sr_evaluation e = evaluate(&rows, &how);
    cr_expect(e.value[SR_FIGURE_RECALL] == 0 && e.ci[SR_FIGURE_RECALL].low == 0);
    /* Wilson for 0 of 12: z^2 / (n + z^2) */
    cr_expect_float_eq(e.ci[SR_FIGURE_RECALL].high, 3.841458820694124 / (12 + 3.841458820694124), 1e-12);
    cr_expect(e.value[SR_FIGURE_F1] == 0 && e.ci[SR_FIGURE_F1].high > .3, "%g", e.ci[SR_FIGURE_F1].high);
}

/* Ten copies of every row in one group: the interval must not shrink as if there were ten times the rows. */
Test(evaluation, twins_do_not_make_intervals_narrow) {
    enum { ROWS = 40, TWINS = 10 };
    uint8_t label[ROWS * TWINS];
    float prob[ROWS * TWINS];
    int64_t group[ROWS * TWINS];
    for (size_t i = 0; i < ROWS * TWINS; i++) {
        label[i] = (i / TWINS) % 3 == 0;
        prob[i] = (float)((i / TWINS) * 7 % ROWS) / ROWS;
        group[i] = (int64_t)(i / TWINS);
    }
    struct sr_rows rows = {.n = ROWS * TWINS, .label = label, .prob = prob};
    struct sr_measure_options how = point_only;
    how.draws = 1000;
    const struct sr_evaluation alone = evaluate(&rows, &how);
    rows.group = group;
    const struct sr_evaluation twins = evaluate(&rows, &how);
    static const size_t figures[] = {SR_FIGURE_RECALL, SR_FIGURE_PRECISION, SR_FIGURE_AUPRC, SR_FIGURE_F1};
    for (size_t f = 0; f < SR_COUNT(figures); f++) {
        const struct sr_interval a = alone.ci[figures[f]], b = twins.ci[figures[f]];
        cr_expect(b.high - b.low > 2 * (a.high - a.low), "figure %zu: [%g, %g], alone [%g, %g]", figures[f],
                  b.low, b.high, a.low, a.high);
    }
}

/* A thousand twins are one row. */
Test(evaluation, a_few_groups_tell_nothing) {
    struct sample s;
    sample_draw(&s, 40);
    struct sr_measure_options how = point_only;
    how.draws = 100;
    for (size_t groups = SR_FEW - 1; groups <= SR_FEW; groups++) {
        for (size_t i = 0; i < N; i++)
            s.group[i] = (int64_t)(i % groups);
        const struct sr_evaluation e = evaluate(&s.rows, &how);
        cr_expect_eq(e.too_few, groups < SR_FEW);
        cr_expect_eq(isnan(e.ci[SR_FIGURE_AUPRC].low) != 0, groups < SR_FEW, "%zu groups", groups);
        cr_expect_eq(isnan(e.ci[SR_FIGURE_RECALL].low) != 0, groups < SR_FEW, "Wilson's would be of rows");
    }
}

/* The part of a gap that may be none is no number to give an interval of. */
Test(evaluation, a_gap_that_may_be_none_has_no_parts) {
    enum { ROWS = 400 };
    static uint8_t label[ROWS], gold[ROWS], small[ROWS], large[ROWS];
    static float prob[ROWS];
    struct sr_measure_options how = point_only;
    how.draws = 200;
    for (size_t won = 12; won <= 60;
         won += 48) { /* the large guard is right on so many more, of 200 unsafe */
        for (size_t i = 0; i < ROWS; i++) {
            gold[i] = i % 2;
            small[i] = gold[i] && i > 100;
            large[i] = gold[i] && (i < 100 ? i < 2 * won : i > 124);
            prob[i] = i < 2 * won ? .9f : .1f;
        }
        const struct sr_rows rows = {
            .n = ROWS, .label = label, .prob = prob, .gold = gold, .small_pred = small, .large_pred = large};
        const struct sr_evaluation e = evaluate(&rows, &how);
        const bool clear = e.ci[SR_FIGURE_GAP].low > 0;
        cr_expect_eq(clear, won == 60, "[%g, %g]", e.ci[SR_FIGURE_GAP].low, e.ci[SR_FIGURE_GAP].high);
        cr_expect_eq(!isnan(e.ci[SR_FIGURE_GAP_WON].low), clear);
    }
}

/* Where doubt is not known of a row it stands nowhere, so there is no such way to route. */
Test(evaluation, entropy_needs_every_probability) {
    const uint8_t label[] = {1, 0, 0, 0}, gold[] = {1, 1, 0, 255}, small[] = {0, 1, 0, 0},
                  large[] = {1, 1, 0, 0};
    const float prob[] = {.9f, .2f, .1f, .1f};
    float small_prob[] = {.4f, .6f, .1f, NAN};
    const struct sr_rows rows = {.n = 4,
                                 .label = label,
                                 .prob = prob,
                                 .gold = gold,
                                 .small_pred = small,
                                 .large_pred = large,
                                 .small_prob = small_prob};
    struct sr_evaluation e = evaluate(&rows, &point_only);
    cr_expect_not(isnan(of(&e, SR_JUDGE_ENTROPY, SR_OF_JUDGE_F1)), "row 3 has no gold, so it is not asked");
    small_prob[2] = NAN;
    e = evaluate(&rows, &point_only);
    cr_expect(isnan(of(&e, SR_JUDGE_ENTROPY, SR_OF_JUDGE_F1)));
    cr_expect(isnan(of(&e, SR_JUDGE_ENTROPY, SR_OF_JUDGE_AREA)));
    cr_expect_not(isnan(of(&e, SR_JUDGE_RANDOM, SR_OF_JUDGE_F1)));
}

/* ---- slices and comparisons ---- */

Test(evaluation, a_slice_is_an_evaluation_of_its_rows) {
    struct sample s;
    struct sr_evaluation slice[3];
    int32_t number[N];
    sample_draw(&s, 21);
    for (size_t i = 0; i < N; i++)
        number[i] = i < 20 ? 0 : i < 50 ? 2 : -1;
    struct sr_measure_options how = point_only;
    how.draws = 50;
    cr_assert_eq(sr_evaluate_slices(slice, 3, number, &s.rows, &how, NULL), 0);
    struct sr_rows rows = s.rows;
    rows.n = 20;
    const struct sr_evaluation want = evaluate(&rows, &how);
    cr_expect_eq(slice[0].rows, 20);
    cr_expect_eq(slice[1].rows, 0);
    cr_expect_eq(slice[2].rows, 30);
    cr_expect_eq(memcmp(slice[0].value, want.value, sizeof want.value), 0);
    cr_expect_eq(memcmp(slice[0].ci, want.ci, sizeof want.ci), 0);
}

static void note_progress(void *user, double fraction) {
    double *last = user;
    cr_expect(fraction >= *last && fraction <= 1 + 1e-12, "%g after %g", fraction, *last); /* rounding */
    *last = fraction;
}

/* One bar over all slices. */
Test(evaluation, progress_rises_to_its_end) {
    struct sample s;
    struct sr_evaluation slice[3];
    struct sr_comparison change[3];
    int32_t number[N];
    double last = 0;
    sample_draw(&s, 21);
    for (size_t i = 0; i < N; i++)
        number[i] = (int32_t)(i % 3);
    struct sr_measure_options how = point_only;
    how.draws = 20;
    how.progress = note_progress;
    how.progress_user = &last;
    sr_cpu_threads(1); /* else another thread may make the last draw, and it does not call */
    cr_assert_eq(sr_evaluate_slices(slice, 3, number, &s.rows, &how, NULL), 0);
    cr_expect_float_eq(last, 1, 1e-12);
    last = 0;
    cr_assert_eq(sr_compare_slices(change, 3, number, &s.rows, &how, s.small_prob, .5f, NULL), 0);
    cr_expect_float_eq(last, 1, 1e-12);
}

Test(evaluation, the_worst_slice_has_rows_enough) {
    struct sr_evaluation slice[4];
    memset(slice, 0, sizeof slice);
    slice[0].too_few = true;
    slice[0].value[SR_FIGURE_F1] = .1;
    slice[1].value[SR_FIGURE_F1] = (double)NAN;
    slice[2].value[SR_FIGURE_F1] = .4;
    slice[3].value[SR_FIGURE_F1] = .3;
    cr_expect_eq(sr_worst_slice(slice, 4, SR_FIGURE_F1), 3);
    cr_expect_eq(sr_worst_slice(slice, 2, SR_FIGURE_F1), 2);
}

Test(evaluation, a_comparison_is_two_evaluations) {
    struct sample s, old;
    struct sr_comparison c;
    sample_draw(&s, 30);
    sample_draw(&old, 31);
    for (size_t i = 0; i < N; i++) /* where only one of them has a score: below */
        if (isnan(s.prob[i]) || isnan(old.prob[i]))
            s.prob[i] = old.prob[i] = .5f;
    const struct sr_evaluation now = evaluate(&s.rows, &point_only);
    cr_assert_eq(sr_compare(&c, &s.rows, &point_only, old.prob, .3f, NULL), 0);
    struct sr_measure_options how = point_only;
    how.threshold = .3f;
    struct sr_rows rows = s.rows;
    rows.prob = old.prob;
    const struct sr_evaluation then = evaluate(&rows, &how);
    size_t to_large = 0, to_small = 0, won = 0, lost = 0;
    for (size_t i = 0; i < N; i++) {
        const bool a = s.prob[i] > .5f, b = old.prob[i] > .3f;
        to_large += a && !b;
        to_small += b && !a;
        if (!is_known(&s, i))
            continue;
        const bool a_right = (a ? s.large[i] : s.small[i]) == s.gold[i];
        const bool b_right = (b ? s.large[i] : s.small[i]) == s.gold[i];
        won += a_right && !b_right;
        lost += b_right && !a_right;
    }
    cr_expect(c.to_large == to_large && c.to_small == to_small && to_large > 0);
    cr_expect(c.only_new_right == won && c.only_old_right == lost);
    for (size_t f = 0; f < SR_FIGURES; f++) {
        expect_same(c.old.value[f], then.value[f], "old");
        expect_same(c.delta[f], now.value[f] - then.value[f], "delta");
    }
}

/* Rows that are there eight times, in the same groups, are no more evidence. */
Test(evaluation, twins_are_one_discordance) {
    enum { TIMES = 8 };
    static uint8_t label[TIMES * N], gold[TIMES * N], small[TIMES * N], large[TIMES * N];
    static float prob[TIMES * N], old_prob[TIMES * N];
    static int64_t group[TIMES * N];
    struct sample s, old;
    struct sr_comparison once, often, rows_alone;
    sample_draw(&s, 33);
    sample_draw(&old, 34);
    for (size_t i = 0; i < N; i++)
        s.group[i] = (int64_t)i;
    for (size_t i = 0; i < TIMES * N; i++) {
        label[i] = s.label[i % N];
        gold[i] = s.gold[i % N];
        small[i] = s.small[i % N];
        large[i] = s.large[i % N];
        prob[i] = s.prob[i % N];
        old_prob[i] = old.prob[i % N];
        group[i] = s.group[i % N];
    }
    struct sr_rows rows = {.n = TIMES * N,
                           .label = label,
                           .prob = prob,
                           .gold = gold,
                           .small_pred = small,
                           .large_pred = large,
                           .group = group};
    cr_assert_eq(sr_compare(&once, &s.rows, &point_only, old.prob, .3f, NULL), 0);
    cr_assert_eq(sr_compare(&often, &rows, &point_only, old_prob, .3f, NULL), 0);
    rows.group = NULL;
    cr_assert_eq(sr_compare(&rows_alone, &rows, &point_only, old_prob, .3f, NULL), 0);
    cr_expect_eq(often.p_value, once.p_value);
    cr_expect_eq(often.only_new_right, TIMES * once.only_new_right);
    cr_expect_lt(rows_alone.p_value, once.p_value);
    cr_expect_eq(rows_alone.p_value, sr_mcnemar(often.only_new_right, often.only_old_right));
}

/* A row that only the old router could not score was routed by it, and ranks first. */
Test(evaluation, what_the_old_one_cannot_score_it_routes) {
    const uint8_t label[] = {1, 0, 0};
    const float prob[] = {.9f, .2f, .1f}, old[] = {NAN, .9f, .1f};
    const struct sr_rows rows = {.n = 3, .label = label, .prob = prob};
    struct sr_comparison c;
    cr_assert_eq(sr_compare(&c, &rows, &point_only, old, .5f, NULL), 0);
    cr_expect_eq(c.old.value[SR_FIGURE_AUPRC], 1);
    cr_expect_eq(c.old.routed, 2);
    cr_expect(c.to_large == 0 && c.to_small == 1);
}
