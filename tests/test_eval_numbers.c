/* test_eval_numbers.c: eval.h against scikit-learn (stored cases, scripts/make_eval_cases.py), against brute
 * force on random small cases, and against numbers that can be worked out by hand.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "tests/eval_vectors.h"

/* ---- confusion ---- */

Test(eval_confusion, published_row) {
    const struct sr_confusion c = {.tp = 76, .fp = 26, .tn = 74, .fn = 24};
    /* Printed with four digits. */
    cr_expect_float_eq(sr_f1(c), .7525, .00005);
    cr_expect_float_eq(sr_accuracy(c), .7500, .00005);
    cr_expect_float_eq(sr_precision(c), .7451, .00005);
    cr_expect_float_eq(sr_recall(c), .7600, .00005);
    cr_expect_float_eq(sr_share(c), .51, 1e-15);
}

Test(eval_confusion, counts_each_kind) {
    const uint8_t truth[] = {1, 1, 1, 1, 0, 0, 0, 0, 0, 0};
    const uint8_t decided[] = {1, 0, 0, 0, 1, 1, 0, 0, 0, 0};
    const struct sr_confusion c = sr_confusion_count(truth, decided, 10);
    cr_expect_eq(c.tp, 1);
    cr_expect_eq(c.fn, 3);
    cr_expect_eq(c.fp, 2);
    cr_expect_eq(c.tn, 4);
}

Test(eval_confusion, unknown_truth_is_left_out) {
    const uint8_t truth[] = {1, 255, 0, 2}, decided[] = {1, 1, 0, 0};
    const struct sr_confusion c = sr_confusion_count(truth, decided, 4);
    cr_expect(c.tp == 1 && c.fp == 0 && c.tn == 1 && c.fn == 0);
}

Test(eval_confusion, undefined_stays_undefined) {
    const struct sr_confusion nothing = {0}, no_decision = {.tn = 3, .fn = 2},
                              no_positive = {.tn = 3, .fp = 2};
    cr_expect(isnan(sr_f1(nothing)) && isnan(sr_accuracy(nothing)) && isnan(sr_share(nothing)));
    cr_expect(isnan(sr_precision(no_decision)));
    cr_expect_eq(sr_recall(no_decision), 0);
    cr_expect(isnan(sr_recall(no_positive)));
    cr_expect_eq(sr_precision(no_positive), 0);
    cr_expect_eq(sr_f1(no_positive), 0);
}

/* A table with an empty row or column: scikit-learn says 0 for MCC, and half of what is left otherwise. */
Test(eval_confusion, one_class_or_one_decision_is_undefined) {
    const struct sr_confusion empty[] = {
        {0}, {.tp = 3, .fn = 2}, {.tn = 3, .fp = 2}, {.tp = 3, .fp = 2}, {.tn = 3, .fn = 2}, {.tp = 5}};
    for (size_t i = 0; i < SR_COUNT(empty); i++) {
        const struct sr_confusion c = empty[i];
        cr_expect(isnan(sr_mcc(c)), "table %zu", i);
        if (c.tp + c.fn == 0 || c.tn + c.fp == 0)
            cr_expect(isnan(sr_balanced_accuracy(c)), "table %zu", i);
        else
            cr_expect_eq(sr_balanced_accuracy(c), .5, "table %zu", i);
    }
}

/* The product of the four sums is 2.56e38, past 2^64. */
Test(eval_confusion, large_counts_do_not_overflow) {
    const struct sr_confusion c = {.tp = 3000000000, .fp = 1000000000, .tn = 3000000000, .fn = 1000000000};
    expect_same(sr_mcc(c), .5, "MCC");
    expect_same(sr_f1(c), .75, "F1");
    expect_same(sr_balanced_accuracy(c), .75, "balanced accuracy");
}

/* MCC is Pearson's correlation of truth and decision, balanced accuracy the mean over classes of the share
 * that is right. */
Test(eval_confusion, ratios_agree_with_brute_force) {
    const uint64_t stream = sr_stream(SR_STREAM_TEST, 4, 0);
    for (uint64_t trial = 0, at = 0; trial < 2000; trial++) {
        uint8_t truth[12], decided[12];
        double x = 0, y = 0, xx = 0, yy = 0, xy = 0, right[2] = {0}, rows[2] = {0};
        const size_t n = (size_t)sr_random_below(1, stream, at++, 13);
        for (size_t i = 0; i < n; i++) {
            truth[i] = (uint8_t)sr_random_below(1, stream, at++, 2);
            decided[i] = (uint8_t)sr_random_below(1, stream, at++, 2);
            x += truth[i];
            y += decided[i];
            rows[truth[i]]++;
            right[truth[i]] += truth[i] == decided[i];
        }
        for (size_t i = 0; i < n; i++) {
            const double dx = truth[i] - x / (double)n, dy = decided[i] - y / (double)n;
            xx += dx * dx;
            yy += dy * dy;
            xy += dx * dy;
        }
        const struct sr_confusion c = sr_confusion_count(truth, decided, n);
        expect_same(sr_mcc(c), xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : (double)NAN, "MCC");
        expect_same(sr_balanced_accuracy(c), (right[0] / rows[0] + right[1] / rows[1]) / 2,
                    "balanced accuracy");
        expect_same(sr_accuracy(c), (right[0] + right[1]) / (double)n, "accuracy");
        expect_same(sr_precision(c), right[1] / y, "precision");
        expect_same(sr_recall(c), right[1] / x, "recall");
        expect_same(sr_f1(c), 2 * right[1] / (x + y), "F1");
        expect_same(sr_share(c), y / (double)n, "share");
    }
}

/* In C float .6 > double .6 is true: comparing the two would route a row at exactly the threshold. */
Test(eval_decide, exactly_the_threshold_is_not_routed) {
    const float prob[] = {0.6f, nextafterf(0.6f, 1), nextafterf(0.6f, 0), NAN, 0, 1, INFINITY};
    const uint8_t want[] = {0, 1, 0, 1, 0, 1, 1};
    uint8_t decided[7];
    sr_decide(decided, prob, 7, 0.6f);
    for (size_t i = 0; i < 7; i++)
        cr_expect_eq(decided[i], want[i], "prob %g: decided %d", (double)prob[i], decided[i]);
}

Test(eval_decide, threshold_one_routes_only_what_cannot_be_judged) {
    const float prob[] = {1, NAN};
    uint8_t decided[2];
    sr_decide(decided, prob, 2, 1);
    cr_expect_eq(decided[0], 0);
    cr_expect_eq(decided[1], 1);
}

Test(eval_entropy, is_in_bits) {
    const float prob[] = {0, 1, .5f, .25f, .75f, NAN};
    /* H(1/4) = 2 - 3/4 log2 3 */
    const double want[] = {0, 0, 1, 2 - .75 * log2(3), 2 - .75 * log2(3), (double)NAN};
    double got[6];
    sr_entropy(got, prob, 6);
    for (size_t i = 0; i < 6; i++)
        expect_same(got[i], want[i], "entropy");
    cr_expect(!signbit(got[0]) && !signbit(got[1]));
}

/* ---- stored cases ---- */

static void check_ratios(const uint8_t *label, const float *prob, size_t n, float threshold,
                         const double want[6], const char *name) {
    uint8_t *decided = sr_alloc(n, 1, NULL);
    sr_decide(decided, prob, n, threshold);
    const struct sr_confusion c = sr_confusion_count(label, decided, n);
    expect_same(sr_f1(c), want[0], name);
    expect_same(sr_precision(c), want[1], name);
    expect_same(sr_recall(c), want[2], name);
    expect_same(sr_accuracy(c), want[3], name);
    expect_same(sr_balanced_accuracy(c), want[4], name);
    expect_same(sr_mcc(c), want[5], name);
    sr_free(decided);
}

/* count: rows counted several times or not at all, against scikit-learn's sample_weight. */
static void check_ranking(const uint8_t *label, const double *score, size_t n, const uint32_t *count,
                          const double want[2], const char *name) {
    struct sr_ranks ranks;
    double ap, area;
    cr_assert_eq(sr_ranks_sort(&ranks, label, score, n, NULL), 0);
    sr_ranks_measure(&ap, &area, &ranks, count);
    expect_same(ap, want[0], name);
    expect_same(area, want[1], name);
    sr_ranks_free(&ranks);
}

static void check_case(const struct sr_safetensors *file, const char *name) {
    const size_t n = rows_of(file, name);
    const uint8_t *label = part(file, name, "label");
    const double *score = part(file, name, "score"), *want = vector_need(file, name, "ranking", 2);
    const float *threshold = part(file, name, "threshold");
    double ap, area;
    cr_assert_eq(sr_ranking(&ap, &area, label, score, n, NULL), 0);
    expect_same(ap, want[0], name);
    expect_same(area, want[1], name);
    check_ranking(label, score, n, part(file, name, "count"), vector_need(file, name, "weighted", 2), name);
    check_ratios(label, part(file, name, "prob"), n, *threshold, vector_need(file, name, "ratios", 6), name);
}

Test(eval_stored, agrees_with_scikit_learn) {
    each_case("eval_cases", 12, check_case);
}

Test(eval_stored, a_million_rows_agree_with_scikit_learn) {
    struct sr_safetensors *file = vectors_open("eval_million");
    struct million m = million_rows();
    const uint64_t *positives = part(file, "million", "positives");
    uint64_t drawn = 0;
    for (size_t i = 0; i < MILLION; i++)
        drawn += m.label[i];
    cr_assert_eq(drawn, *positives, "other rows were drawn: %zu positive ones", (size_t)drawn);
    check_ranking(m.label, m.score, MILLION, NULL, vector_need(file, "million", "ranking", 2), "once");
    check_ranking(m.label, m.score, MILLION, m.count, vector_need(file, "million", "weighted", 2), "counted");
    check_ratios(m.label, m.prob, MILLION, .6f, vector_need(file, "million", "ratios", 6), "ratios");
    million_free(&m);
    sr_safetensors_close(file);
}

/* ---- ranking by brute force ---- */

/* Every distinct score as threshold, counted from scratch each time. */
static double slow_average_precision(const uint8_t *label, const double *score, size_t n) {
    double sum = 0, last_recall = 0, threshold = (double)INFINITY;
    size_t positives = 0;
    for (size_t i = 0; i < n; i++)
        positives += label[i];
    for (;;) {
        double next = -(double)INFINITY;
        size_t taken = 0, right = 0;
        for (size_t i = 0; i < n; i++)
            if (score[i] < threshold && score[i] > next)
                next = score[i];
        if (isinf(next))
            return positives ? sum : (double)NAN;
        threshold = next;
        for (size_t i = 0; i < n; i++)
            if (score[i] >= threshold) {
                taken++;
                right += label[i];
            }
        const double recall = (double)right / (double)positives;
        sum += (recall - last_recall) * (double)right / (double)taken;
        last_recall = recall;
    }
}

/* Every pair of a positive and a negative. */
static double slow_roc_area(const uint8_t *label, const double *score, size_t n) {
    double won = 0, pairs = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            if (label[i] && !label[j]) {
                won += score[i] > score[j] ? 1 : score[i] == score[j] ? .5 : 0;
                pairs++;
            }
    return won / pairs;
}

Test(eval_ranking, agrees_with_brute_force) {
    const uint64_t stream = sr_stream(SR_STREAM_TEST, 0, 0);
    uint64_t draw = 0;
    for (size_t trial = 0; trial < 2000; trial++) {
        uint8_t label[40];
        double score[40], ap, area;
        const size_t n = (size_t)sr_random_below(1, stream, draw++, 40);
        const uint64_t levels = 1 + sr_random_below(1, stream, draw++, 30); /* few levels: many ties */
        for (size_t i = 0; i < n; i++) {
            label[i] = (uint8_t)sr_random_below(1, stream, draw++, 2);
            score[i] = (double)sr_random_below(1, stream, draw++, levels) - 7;
        }
        cr_assert_eq(sr_ranking(&ap, &area, label, score, n, NULL), 0);
        expect_same(ap, slow_average_precision(label, score, n), "average precision");
        expect_same(area, slow_roc_area(label, score, n), "ROC area");
    }
}

Test(eval_ranking, counts_are_rows_repeated) {
    enum { N = 40, MOST = 4 };
    const uint64_t stream = sr_stream(SR_STREAM_TEST, 3, 0);
    for (uint64_t trial = 0, at = 0; trial < 500; trial++) {
        uint8_t label[N], labels[N * MOST];
        double score[N], scores[N * MOST], ap, area, want_ap, want_area;
        uint32_t count[N];
        size_t n = 0;
        struct sr_ranks ranks;
        for (size_t i = 0; i < N; i++) {
            label[i] = (uint8_t)sr_random_below(1, stream, at++, 5) == 0;
            score[i] = (double)sr_random_below(1, stream, at++, 12);
            count[i] = (uint32_t)sr_random_below(1, stream, at++, MOST + 1);
            for (uint32_t k = 0; k < count[i]; k++, n++) {
                labels[n] = label[i];
                scores[n] = score[i];
            }
        }
        cr_assert_eq(sr_ranks_sort(&ranks, label, score, N, NULL), 0);
        sr_ranks_measure(&ap, &area, &ranks, count);
        cr_assert_eq(sr_ranking(&want_ap, &want_area, labels, scores, n, NULL), 0);
        cr_expect(memcmp(&ap, &want_ap, sizeof ap) == 0 && memcmp(&area, &want_area, sizeof area) == 0,
                  "trial %d: %.17g %.17g, not %.17g %.17g", (int)trial, ap, area, want_ap, want_area);
        sr_ranks_free(&ranks);
    }
}

Test(eval_ranking, rows_that_cannot_be_ranked_are_left_out) {
    const uint8_t label[] = {1, 255, 0, 1, 1, 7};
    const double score[] = {.9, .8, .7, .6, (double)NAN, (double)NAN};
    struct sr_ranks ranks;
    double ap;
    cr_assert_eq(sr_ranks_sort(&ranks, label, score, 6, NULL), 0);
    cr_expect(ranks.n == 3 && ranks.positives == 2);
    sr_ranks_measure(&ap, NULL, &ranks, NULL);
    expect_same(ap, .5 + .5 * 2 / 3, "average precision");
    sr_ranks_free(&ranks);
    cr_assert_eq(sr_ranking(&ap, NULL, label, score, 4, NULL), 0);
    expect_same(ap, .5 + .5 * 2 / 3, "unknown labels are no negatives");
}

Test(eval_ranking, infinite_scores_are_ranked) {
    const uint8_t label[] = {1, 0, 1};
    const double score[] = {(double)INFINITY, 0, -(double)INFINITY};
    double ap, area;
    cr_assert_eq(sr_ranking(&ap, &area, label, score, 3, NULL), 0);
    expect_same(ap, .5 + .5 * 2 / 3, "average precision");
    expect_same(area, .5, "ROC area");
}

Test(eval_ranking, refuses_nan) {
    const uint8_t label[] = {1, 0};
    const double score[] = {.5, (double)NAN};
    double ap = -1;
    struct sr_error err;
    cr_expect_eq(sr_ranking(&ap, NULL, label, score, 2, &err), SR_BUG);
    cr_expect(strstr(err.text, "row 1"), "%s", err.text);
    cr_expect_eq(ap, -1);
}

Test(eval_ranking, either_output_may_be_left_out) {
    const uint8_t label[] = {1, 0};
    const double score[] = {.5, .2};
    double ap = 0, area = 0;
    cr_expect_eq(sr_ranking(&ap, NULL, label, score, 2, NULL), 0);
    cr_expect_eq(sr_ranking(NULL, &area, label, score, 2, NULL), 0);
    cr_expect_eq(ap, 1);
    cr_expect_eq(area, 1);
}
