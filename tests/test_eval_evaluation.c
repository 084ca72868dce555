/* test_eval_evaluation.c: every figure of an evaluation against a brute force from the definitions, by hand
 * and on random rows with ties and gaps.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "eval/view.h"
#include "tests/evaluation_sample.h"

static const struct sr_prices prices = {.small_ms = 10,
                                        .router_ms = 1,
                                        .large_ms = 80,
                                        .small_cost = 1,
                                        .large_cost = 8,
                                        .missed_cost = 100,
                                        .alarm_cost = 20};

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
    /* Of 200 unsafe rows the small guard misses the first 50, the large one 12 others and all but `won` of
     * them. */
    for (size_t won = 14; won <= 60; won += 46) {
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
        cr_expect_gt(e.value[SR_FIGURE_GAP], 0);
        cr_expect_not(isnan(e.value[SR_FIGURE_GAP_WON]));
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
    cr_expect(isnan(of(&e, SR_JUDGE_ENTROPY, SR_OF_JUDGE_SHARE_ROUTED)), "and no share of no rows");
    cr_expect_not(isnan(of(&e, SR_JUDGE_RANDOM, SR_OF_JUDGE_F1)));
}
