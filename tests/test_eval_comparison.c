/* test_eval_comparison.c: slices and comparisons as evaluations of their own; the bar over them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tests/evaluation_sample.h"

Test(comparison, a_slice_is_an_evaluation_of_its_rows) {
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
Test(comparison, progress_rises_to_its_end) {
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

Test(comparison, the_worst_slice_has_rows_enough) {
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

Test(comparison, a_comparison_is_two_evaluations) {
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
Test(comparison, twins_are_one_discordance) {
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
Test(comparison, what_the_old_one_cannot_score_it_routes) {
    const uint8_t label[] = {1, 0, 0};
    const float prob[] = {.9f, .2f, .1f}, old[] = {NAN, .9f, .1f};
    const struct sr_rows rows = {.n = 3, .label = label, .prob = prob};
    struct sr_comparison c;
    cr_assert_eq(sr_compare(&c, &rows, &point_only, old, .5f, NULL), 0);
    cr_expect_eq(c.old.value[SR_FIGURE_AUPRC], 1);
    cr_expect_eq(c.old.routed, 2);
    cr_expect(c.to_large == 0 && c.to_small == 1);
}
