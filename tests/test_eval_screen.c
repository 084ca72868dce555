/* test_eval_screen.c: the first screen: its numbers and intervals against NumPy and scikit-learn (stored
 * case, scripts/make_eval_cases.py), what it says in words, and what is undefined.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/eval.h"
#include "tests/run_program.h"

#define VECTORS SR_SOURCE_DIR "/tests/vectors"

/* The stored rows; the file holds the columns. */
static struct sr_rows stored_open(struct sr_safetensors **file) {
    struct sr_error err;
    cr_assert_eq(sr_safetensors_open(file, VECTORS "/eval_screen.safetensors", &err), 0, "%s", err.text);
    const struct sr_safetensors *f = *file;
    const struct sr_tensor *label = sr_safetensors_find(f, "label");
    return (struct sr_rows){
        .n = (size_t)sr_tensor_items(label),
        .label = label->data,
        .prob = sr_safetensors_find(f, "prob")->data,
        .gold = sr_safetensors_find(f, "gold")->data,
        .small_pred = sr_safetensors_find(f, "small_pred")->data,
        .large_pred = sr_safetensors_find(f, "large_pred")->data,
        .small_prob = sr_safetensors_find(f, "small_prob")->data,
        .group = sr_safetensors_find(f, "group")->data,
    };
}

/* As the stored answers were made. */
static struct sr_measure_options how(void) {
    return (struct sr_measure_options){.threshold = .6f,
                                       .draws = 1000,
                                       .prices = sr_prices_unknown,
                                       .prevalence = (double)NAN,
                                       .train_share = (double)NAN};
}

static struct sr_evaluation measure(const struct sr_rows *in) {
    const struct sr_measure_options options = how();
    struct sr_evaluation e;
    struct sr_error err;
    cr_assert_eq(sr_evaluate(&e, in, &options, &err), 0, "%s", err.text);
    return e;
}

static struct sr_comparison compare(const struct sr_rows *in, const float *old_prob, float old_threshold) {
    const struct sr_measure_options options = how();
    struct sr_comparison c;
    struct sr_error err;
    cr_assert_eq(sr_compare(&c, in, &options, old_prob, old_threshold, &err), 0, "%s", err.text);
    return c;
}

/* What is printed; free it. */
static char *text_of(const struct sr_evaluation *e, const struct sr_comparison *c,
                     const struct sr_screen_words *words) {
    char *text;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    sr_screen_print(to, e, c, words);
    fclose(to);
    return text;
}

static void expect_lines(const char *text, const char *const *lines, size_t n) {
    for (size_t i = 0; i < n; i++)
        cr_expect(strstr(text, lines[i]), "\"%s\" is not in:\n%s", lines[i], text);
}

/* ---- numbers ---- */

struct number {
    const char *key;
    double value;
};

static double answer(const struct sr_json *want, const char *key, size_t end) {
    double value = (double)NAN;
    const struct sr_json *at = sr_json_get(want, key);
    cr_assert(sr_json_as_number(sr_json_is_array(at) ? sr_json_at(at, end) : at, &value), "%s", key);
    return value;
}

/* 1e-12: sums of at most a few hundred terms, each off by 1e-16, and rates of up to 1000 */
static void expect_number(double got, const struct sr_json *want, const char *key, size_t end) {
    const double value = answer(want, key, end);
    cr_expect(fabs(got - value) <= 1e-12 * fmax(1, fabs(value)), "%s: %.17g, not %.17g", key, got, value);
}

Test(screen, agrees_with_numpy_and_scikit_learn) {
    struct sr_safetensors *file;
    struct sr_error err;
    const struct sr_rows in = stored_open(&file);
    const struct sr_evaluation e = measure(&in);
    const struct sr_comparison c = compare(&in, sr_safetensors_find(file, "parent_prob")->data, .55f);
    const struct number numbers[] = {
        {"rows", (double)e.rows},
        {"bad_rows", (double)e.bad_rows},
        {"unlabelled", (double)e.unlabelled},
        {"ranked", (double)e.ranked},
        {"positives", (double)e.positives},
        {"base_rate", e.value[SR_FIGURE_BASE_RATE]},
        {"auprc", e.value[SR_FIGURE_AUPRC]},
        {"auroc", e.value[SR_FIGURE_AUROC]},
        {"entropy_rows", (double)e.entropy_rows},
        {"entropy_auprc", e.value[SR_FIGURE_ENTROPY_AUPRC]},
        {"rows_routed", (double)e.routed},
        {"share_routed", e.value[SR_FIGURE_SHARE_ROUTED]},
        {"system_rows", (double)e.system_rows},
        {"missed_small", e.value[SR_FIGURE_MISSED_SMALL]},
        {"missed_routed", e.value[SR_FIGURE_MISSED_ROUTED]},
        {"missed_large", e.value[SR_FIGURE_MISSED_LARGE]},
        {"f1_small", e.value[sr_figure(SR_JUDGE_SMALL, SR_OF_JUDGE_F1)]},
        {"f1_routed", e.value[sr_figure(SR_JUDGE_ROUTED, SR_OF_JUDGE_F1)]},
        {"f1_large", e.value[sr_figure(SR_JUDGE_LARGE, SR_OF_JUDGE_F1)]},
        {"gap_won", e.value[SR_FIGURE_GAP_WON]},
        {"harmed", 1000 * e.value[SR_FIGURE_HARM]},
        {"parent_auprc", c.old.value[SR_FIGURE_AUPRC]},
        {"parent_share_routed", c.old.value[SR_FIGURE_SHARE_ROUTED]},
        {"parent_missed_routed", c.old.value[SR_FIGURE_MISSED_ROUTED]},
        {"auprc_gain", c.delta[SR_FIGURE_AUPRC]},
    };
    const struct {
        const char *key;
        struct sr_interval ci;
    } intervals[] = {
        {"auprc_ci", e.ci[SR_FIGURE_AUPRC]},
        {"entropy_auprc_ci", e.ci[SR_FIGURE_ENTROPY_AUPRC]},
        {"gap_won_ci", e.ci[SR_FIGURE_GAP_WON]},
        {"auprc_gain_ci", c.ci[SR_FIGURE_AUPRC]},
    };
    struct sr_json *want;
    char *text = slurp(VECTORS "/eval_screen.json");
    cr_assert_eq(sr_json_parse(&want, text, strlen(text), &err), 0, "%s", err.text);
    cr_expect_eq(sr_json_size(want), SR_COUNT(numbers) + SR_COUNT(intervals));
    for (size_t i = 0; i < SR_COUNT(numbers); i++)
        expect_number(numbers[i].value, want, numbers[i].key, 0);
    for (size_t i = 0; i < SR_COUNT(intervals); i++) {
        expect_number(intervals[i].ci.low, want, intervals[i].key, 0);
        expect_number(intervals[i].ci.high, want, intervals[i].key, 1);
    }
    sr_json_free(want);
    sr_free(text);
    sr_safetensors_close(file);
}

/* Every number and every interval, to the bit. */
Test(screen, threads_change_nothing) {
    struct sr_safetensors *file;
    const struct sr_rows in = stored_open(&file);
    sr_cpu_threads(1);
    const struct sr_evaluation first = measure(&in);
    for (int threads = 2; threads <= 4; threads += 2) {
        sr_cpu_threads(threads);
        const struct sr_evaluation again = measure(&in);
        cr_expect_eq(memcmp(first.value, again.value, sizeof first.value), 0, "%d threads", threads);
        cr_expect_eq(memcmp(first.ci, again.ci, sizeof first.ci), 0, "%d threads", threads);
    }
    sr_safetensors_close(file);
}

/* Against itself a router gains nothing, in every resample; what is undefined stays so. */
Test(screen, differences_are_paired) {
    struct sr_safetensors *file;
    struct sr_rows in = stored_open(&file);
    const struct sr_comparison c = compare(&in, in.prob, .6f);
    for (size_t f = 0; f < SR_FIGURES; f++)
        if (!isnan(c.delta[f]))
            cr_expect(c.delta[f] == 0 && c.ci[f].low == 0 && c.ci[f].high == 0, "figure %zu", f);
    cr_expect_eq(c.delta[SR_FIGURE_AUROC], 0);
    cr_expect(c.to_large == 0 && c.to_small == 0 && c.p_value == 1);
    sr_safetensors_close(file);
}

/* ---- words ---- */

Test(screen, says_in_words_what_the_numbers_are) {
    static const char *const lines[] = {
        "\nrows           220 labelled, 59 positive, base rate 0.2682; left out: 9 without a known label, 11 "
        "without a score (these are routed)\n",
        "labels         as stored\n",
        "AUPRC          0.7869 [0.6839, 0.8637] (95 % interval), chance 0.2682, AUROC 0.8704\n",
        "entropy alone  0.3125 [0.2219, 0.4252] AUPRC of",
        "(211 rows)\n",
        "routed         32.92 % of the rows go to the large guard: 79 of 240\n",
        "unsafe missed  per 1,000 rows: 136.2 small alone, 61.0 routed, 65.7 large alone  (of the 213 rows",
        "gap won        99 % [70 %, 172 %] of the way",
        "safety F1 0.6178 small, 0.7812 routed, 0.7831 large\n",
        "harmed         23.5 per 1,000 rows",
        "best epoch     12 of 112, chosen on these rows: on others expect a little less\n",
        "against parent AUPRC +0.3611 [+0.1894, +0.4671] (better), unsafe missed 93.9 -> 61.0 "
        "(within noise), routed 39.58 % -> 32.92 %\n"};
    const struct sr_screen_words words = {"because", "as stored", "parent", 12, 112};
    struct sr_safetensors *file;
    const struct sr_rows in = stored_open(&file);
    const struct sr_evaluation e = measure(&in);
    const struct sr_comparison c = compare(&in, sr_safetensors_find(file, "parent_prob")->data, .55f);
    char *text = text_of(&e, &c, &words);
    const char *first = "threshold      0.6  (because)\n";
    cr_expect_eq(strncmp(text, first, strlen(first)), 0, "nothing below holds at another one: %s", text);
    expect_lines(text, lines, SR_COUNT(lines));
    cr_expect_null(strstr(text, "\n\n"), "no blank line:\n%s", text);
    free(text);
    sr_safetensors_close(file);
}

Test(screen, a_gain_is_judged_by_its_interval) {
    static const struct {
        struct sr_interval gain;
        const char *word;
    } cases[] = {{{-.01, .02}, " (within noise),"},
                 {{0, .02}, " (within noise),"},
                 {{.01, .02}, " (better),"},
                 {{-.03, -.02}, " (worse),"},
                 {{(double)NAN, (double)NAN}, "[undefined],"}};
    static const char *const of_missed[] = {"0.0 (within noise)", "0.0 (within noise)", "0.0 (worse)",
                                            "0.0 (better)", "0.0, routed"};
    const struct sr_screen_words words = {.against = "parent"};
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        const struct sr_evaluation e = {.system_rows = 1};
        struct sr_comparison c = {0};
        c.ci[SR_FIGURE_AUPRC] = c.ci[SR_FIGURE_MISSED_ROUTED] = cases[i].gain; /* the more missed the worse */
        char *text = text_of(&e, &c, &words);
        cr_expect(strstr(text, cases[i].word), "\"%s\" is not in:\n%s", cases[i].word, text);
        cr_expect(strstr(text, of_missed[i]), "\"%s\" is not in:\n%s", of_missed[i], text);
        free(text);
    }
}

Test(screen, large_counts_are_grouped) {
    const struct sr_evaluation e = {.ranked = 1234567, .positives = 1000, .unlabelled = 999, .rows = 1235566};
    const struct sr_screen_words words = {.best_epoch = 0, .epochs = 5};
    char *text = text_of(&e, NULL, &words);
    cr_expect(strstr(text, "1,234,567 labelled, 1,000 positive"), "%s", text);
    cr_expect(strstr(text, "left out: 999 without"), "%s", text);
    cr_expect(strstr(text, "0 of 5: the weights that training began with"), "%s", text);
    free(text);
}

/* ---- undefined ---- */

/* No label is 1, and nothing is known of the guards. */
Test(screen, what_is_undefined_says_so) {
    static const char *const lines[] = {"AUPRC          undefined [undefined]", "AUROC undefined",
                                        "entropy alone  not known", "unsafe missed  not known",
                                        "too few rows"};
    const uint8_t label[] = {0, 0, 0};
    const float prob[] = {.2f, .9f, .7f};
    const struct sr_rows in = {.n = 3, .label = label, .prob = prob};
    const struct sr_evaluation e = measure(&in);
    const struct sr_screen_words words = {0};
    struct sr_json *o = sr_json_object();
    double value;
    char *text = text_of(&e, NULL, &words);
    cr_expect_eq(e.value[SR_FIGURE_BASE_RATE], 0);
    cr_expect(isnan(e.value[SR_FIGURE_AUPRC]) && isnan(e.ci[SR_FIGURE_AUPRC].low));
    cr_expect(isnan(e.value[SR_FIGURE_AUROC]) && isnan(e.value[SR_FIGURE_GAP_WON]));
    cr_expect(isnan(e.value[SR_FIGURE_MISSED_ROUTED]) && isnan(e.value[SR_FIGURE_HARM]));
    cr_expect_eq(e.routed, 2);
    expect_lines(text, lines, SR_COUNT(lines));
    cr_expect_null(strstr(text, "gap won"), "%s", text);
    cr_expect_null(strstr(text, "against"), "%s", text);
    cr_expect_null(strstr(text, "nan"), "%s", text);
    sr_evaluation_json(o, &e);
    cr_expect_not_null(sr_json_get(o, "auprc_ci"));
    cr_expect_eq(sr_json_size(sr_json_get(o, "auprc_ci")), 0, "null, not [null, null]");
    cr_expect_not(sr_json_as_number(sr_json_get(o, "gap_won"), &value));
    sr_json_free(o);
    free(text);
}

/* Few positives: some resamples have none, the interval is of the others. All rows bad: nothing is ranked.
 * Less than ten rows: no resample is like others. */
Test(screen, one_positive_and_none_that_can_be_scored) {
    const uint8_t label[12] = {1};
    const float prob[12] = {.2f, .9f, .7f, .1f}, bad[4] = {NAN, NAN, NAN, NAN};
    struct sr_rows in = {.n = 12, .label = label, .prob = prob};
    struct sr_evaluation e = measure(&in);
    cr_expect_float_eq(e.value[SR_FIGURE_AUPRC], 1. / 3, 1e-15);
    cr_expect(e.ci[SR_FIGURE_AUPRC].low > 0 && e.ci[SR_FIGURE_AUPRC].high == 1);
    in.n = 4;
    e = measure(&in);
    cr_expect_float_eq(e.value[SR_FIGURE_AUPRC], 1. / 3, 1e-15);
    cr_expect(isnan(e.ci[SR_FIGURE_AUPRC].low) && !isnan(e.ci[SR_FIGURE_RECALL].low));
    in.prob = bad;
    e = measure(&in);
    cr_expect(e.ranked == 0 && e.bad_rows == 4 && e.routed == 4 && e.unlabelled == 0);
    cr_expect(isnan(e.value[SR_FIGURE_BASE_RATE]) && isnan(e.value[SR_FIGURE_AUPRC]));
    cr_expect(isnan(e.ci[SR_FIGURE_AUPRC].low));
}

/* The large guard misses as much: there is no gap, and a gain divided by it is not a number. */
Test(screen, without_a_gap_there_is_nothing_to_win) {
    const uint8_t label[] = {0, 1, 0, 0}, gold[] = {1, 1, 0, 0};
    const uint8_t small[] = {1, 0, 0, 0}, large[] = {0, 1, 0, 0};
    const float prob[] = {.1f, .9f, .1f, .1f};
    const struct sr_rows in = {
        .n = 4, .label = label, .prob = prob, .gold = gold, .small_pred = small, .large_pred = large};
    const struct sr_evaluation e = measure(&in);
    const struct sr_screen_words words = {0};
    char *text = text_of(&e, NULL, &words);
    cr_expect_eq(e.value[sr_figure(SR_JUDGE_ROUTED, SR_OF_JUDGE_F1)], 1);
    cr_expect(isnan(e.value[SR_FIGURE_GAP_WON]) && isnan(e.ci[SR_FIGURE_GAP_WON].low),
              "no interval around what is undefined");
    cr_expect(strstr(text, "gap won        none to win"), "%s", text);
    cr_expect_eq(e.value[SR_FIGURE_MISSED_SMALL], 250);
    cr_expect_eq(e.value[SR_FIGURE_MISSED_ROUTED], 0);
    free(text);
}

/* Routing one of the two rows that only the large guard gets wrong loses part of what the large guard loses:
 * (F1 routed - F1 small) / (F1 large - F1 small) is above 0, and says the opposite of what happened. */
Test(screen, a_share_of_a_loss_is_no_gain) {
    const uint8_t label[] = {0, 0, 0, 0}, gold[] = {1, 1, 1, 0};
    const uint8_t small[] = {1, 1, 1, 0}, large[] = {0, 0, 1, 0};
    const float prob[] = {.1f, .9f, .1f, .1f};
    const struct sr_rows in = {
        .n = 4, .label = label, .prob = prob, .gold = gold, .small_pred = small, .large_pred = large};
    const struct sr_evaluation e = measure(&in);
    const double small_f1 = e.value[sr_figure(SR_JUDGE_SMALL, SR_OF_JUDGE_F1)];
    const double routed_f1 = e.value[sr_figure(SR_JUDGE_ROUTED, SR_OF_JUDGE_F1)];
    cr_expect(e.value[sr_figure(SR_JUDGE_LARGE, SR_OF_JUDGE_F1)] < routed_f1 && routed_f1 < small_f1);
    cr_expect(isnan(e.value[SR_FIGURE_GAP_WON]) && isnan(e.ci[SR_FIGURE_GAP_WON].low));
}
