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
static struct sr_screen_rows stored_open(struct sr_safetensors **file) {
    struct sr_error err;
    cr_assert_eq(sr_safetensors_open(file, VECTORS "/eval_screen.safetensors", &err), 0, "%s", err.text);
    const struct sr_safetensors *f = *file;
    const struct sr_tensor *label = sr_safetensors_find(f, "label");
    return (struct sr_screen_rows){
        .n = (size_t)sr_tensor_items(label),
        .label = label->data,
        .prob = sr_safetensors_find(f, "prob")->data,
        .parent_prob = sr_safetensors_find(f, "parent_prob")->data,
        .gold = sr_safetensors_find(f, "gold")->data,
        .small_pred = sr_safetensors_find(f, "small_pred")->data,
        .large_pred = sr_safetensors_find(f, "large_pred")->data,
        .small_prob = sr_safetensors_find(f, "small_prob")->data,
        .group = sr_safetensors_find(f, "group")->data,
    };
}

static struct sr_screen measure(const struct sr_screen_rows *in) {
    struct sr_screen s;
    struct sr_error err;
    cr_assert_eq(sr_screen_measure(&s, in, .6f, .55f, &err), 0, "%s", err.text);
    return s;
}

/* What is printed; free it. */
static char *text_of(const struct sr_screen *s, const struct sr_screen_words *words) {
    char *text;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    sr_screen_print(to, s, words);
    fclose(to);
    return text;
}

static void expect_lines(const char *text, const char *const *lines, size_t n) {
    for (size_t i = 0; i < n; i++)
        cr_expect(strstr(text, lines[i]), "\"%s\" is not in:\n%s", lines[i], text);
}

/* ---- numbers ---- */

static void expect_number(const struct sr_json *got, const struct sr_json *want, const char *key) {
    double a = (double)NAN, b = (double)NAN;
    cr_assert(sr_json_as_number(want, &a), "%s", key);
    /* 1e-12: sums of at most a few hundred terms, each off by 1e-16, and rates of up to 1000 */
    cr_expect(sr_json_as_number(got, &b) && fabs(a - b) <= 1e-12 * fmax(1, fabs(a)), "%s: %.17g, not %.17g",
              key, b, a);
}

Test(screen, agrees_with_numpy_and_scikit_learn) {
    struct sr_safetensors *file;
    struct sr_error err;
    const struct sr_screen_rows in = stored_open(&file);
    const struct sr_screen s = measure(&in);
    const struct sr_screen_words words = {0};
    struct sr_json *got = sr_json_object(), *want;
    char *text = slurp(VECTORS "/eval_screen.json");
    const struct sr_json *value;
    const char *key;
    void *iter = NULL;
    size_t keys = 0;
    cr_assert_eq(sr_json_parse(&want, text, strlen(text), &err), 0, "%s", err.text);
    sr_screen_json(got, &s, &words);
    for (; (key = sr_json_next(want, &iter, &value)); keys++) {
        const struct sr_json *other = sr_json_get(got, key);
        if (!sr_json_is_array(value)) {
            expect_number(other, value, key);
            continue;
        }
        cr_assert_eq(sr_json_size(other), 2, "%s", key);
        expect_number(sr_json_at(other, 0), sr_json_at(value, 0), key);
        expect_number(sr_json_at(other, 1), sr_json_at(value, 1), key);
    }
    cr_expect_eq(keys, 29);
    sr_json_free(got);
    sr_json_free(want);
    sr_free(text);
    sr_safetensors_close(file);
}

Test(screen, threads_change_nothing) {
    struct sr_safetensors *file;
    const struct sr_screen_rows in = stored_open(&file);
    const struct sr_screen_words words = {0};
    sr_cpu_threads(1);
    struct sr_screen s = measure(&in);
    char *first = text_of(&s, &words);
    for (int threads = 2; threads <= 4; threads += 2) {
        sr_cpu_threads(threads);
        const struct sr_screen again = measure(&in);
        char *text = text_of(&again, &words);
        cr_expect_str_eq(text, first, "%d threads", threads);
        cr_expect(again.auprc_ci.low == s.auprc_ci.low && again.gap_won_ci.high == s.gap_won_ci.high);
        free(text);
    }
    free(first);
    sr_safetensors_close(file);
}

/* Against itself a router gains nothing, in every resample. */
Test(screen, the_gain_is_paired) {
    struct sr_safetensors *file;
    struct sr_screen_rows in = stored_open(&file);
    in.parent_prob = in.prob;
    const struct sr_screen s = measure(&in);
    cr_expect_eq(s.parent_auprc, s.auprc);
    cr_expect(s.auprc_gain_ci.low == 0 && s.auprc_gain_ci.high == 0);
    sr_safetensors_close(file);
}

/* ---- words ---- */

Test(screen, says_in_words_what_the_numbers_are) {
    static const char *const lines[] = {
        "rows           220 labelled, 59 positive, base rate 0.2682; left out: 9 without a known label, 11 "
        "without a score (these are routed)\n",
        "labels         as stored\n",
        "AUPRC          0.7869 [0.6839, 0.8637] (95 % interval), chance 0.2682, AUROC 0.8704\n",
        "entropy alone  0.3125 [0.2219, 0.4252] AUPRC of",
        "(211 rows)\n",
        "threshold      0.6  (because)\n",
        "routed         32.92 % of the rows go to the large guard: 79 of 240\n",
        "unsafe missed  per 1,000 rows: 136.2 small alone, 61.0 routed, 65.7 large alone  (of the 213 rows",
        "gap won        99 % [70 %, 172 %] of the way",
        "safety F1 0.6178 small, 0.7812 routed, 0.7831 large\n",
        "harmed         23.5 per 1,000 rows",
        "best epoch     12 of 112\n",
        "against parent AUPRC +0.3611 [+0.1894, +0.4671] (better), unsafe missed 93.9 -> 61.0, routed 39.58 "
        "% "
        "-> 32.92 %\n"};
    const struct sr_screen_words words = {"0.6", "because", "as stored", 12, 112};
    struct sr_safetensors *file;
    const struct sr_screen_rows in = stored_open(&file);
    const struct sr_screen s = measure(&in);
    char *text = text_of(&s, &words);
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
    const struct sr_screen_words words = {0};
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        const struct sr_screen s = {.has_parent = true, .auprc_gain_ci = cases[i].gain};
        char *text = text_of(&s, &words);
        cr_expect(strstr(text, cases[i].word), "\"%s\" is not in:\n%s", cases[i].word, text);
        free(text);
    }
}

Test(screen, large_counts_are_grouped) {
    const struct sr_screen s = {.ranked = 1234567, .positives = 1000, .unlabelled = 999, .rows = 1235566};
    const struct sr_screen_words words = {.best_epoch = 0, .epochs = 5};
    char *text = text_of(&s, &words);
    cr_expect(strstr(text, "1,234,567 labelled, 1,000 positive"), "%s", text);
    cr_expect(strstr(text, "left out: 999 without"), "%s", text);
    cr_expect(strstr(text, "0 of 5: the weights that training began with"), "%s", text);
    cr_expect_null(strstr(text, "threshold"), "nothing is said of what is not given: %s", text);
    free(text);
}

/* ---- undefined ---- */

/* No label is 1, and nothing is known of the guards. */
Test(screen, what_is_undefined_says_so) {
    static const char *const lines[] = {"AUPRC          undefined [undefined]", "AUROC undefined",
                                        "entropy alone  not known", "unsafe missed  not known"};
    const uint8_t label[] = {0, 0, 0};
    const float prob[] = {.2f, .9f, .7f};
    const struct sr_screen_rows in = {.n = 3, .label = label, .prob = prob};
    const struct sr_screen s = measure(&in);
    const struct sr_screen_words words = {0};
    struct sr_json *o = sr_json_object();
    double value;
    char *text = text_of(&s, &words);
    cr_expect_eq(s.base_rate, 0);
    cr_expect(isnan(s.auprc) && isnan(s.auprc_ci.low) && isnan(s.auroc) && isnan(s.gap_won));
    cr_expect(isnan(s.missed_routed) && isnan(s.harmed) && isnan(s.parent_auprc));
    cr_expect_eq(s.routed, 2);
    expect_lines(text, lines, SR_COUNT(lines));
    cr_expect_null(strstr(text, "gap won"), "%s", text);
    cr_expect_null(strstr(text, "parent"), "%s", text);
    cr_expect_null(strstr(text, "nan"), "%s", text);
    sr_screen_json(o, &s, &words);
    cr_expect_not_null(sr_json_get(o, "auprc_ci"));
    cr_expect_eq(sr_json_size(sr_json_get(o, "auprc_ci")), 0, "null, not [null, null]");
    cr_expect_not(sr_json_as_number(sr_json_get(o, "gap_won"), &value));
    sr_json_free(o);
    free(text);
}

/* Few positives: some resamples have none, the interval is of the others. All rows bad: nothing is ranked. */
Test(screen, one_positive_and_none_that_can_be_scored) {
    const uint8_t label[] = {1, 0, 0, 0};
    const float prob[] = {.2f, .9f, .7f, .1f}, bad[] = {NAN, NAN, NAN, NAN};
    struct sr_screen_rows in = {.n = 4, .label = label, .prob = prob};
    struct sr_screen s = measure(&in);
    cr_expect_float_eq(s.auprc, 1. / 3, 1e-15);
    cr_expect(s.auprc_ci.low > 0 && s.auprc_ci.high == 1);
    in.prob = bad;
    s = measure(&in);
    cr_expect(s.ranked == 0 && s.bad_rows == 4 && s.routed == 4 && s.unlabelled == 0);
    cr_expect(isnan(s.base_rate) && isnan(s.auprc) && isnan(s.auprc_ci.low));
}

/* The large guard misses as much: there is no gap, and a gain divided by it is not a number. */
Test(screen, without_a_gap_there_is_nothing_to_win) {
    const uint8_t label[] = {0, 1, 0, 0}, gold[] = {1, 1, 0, 0};
    const uint8_t small[] = {1, 0, 0, 0}, large[] = {0, 1, 0, 0};
    const float prob[] = {.1f, .9f, .1f, .1f};
    const struct sr_screen_rows in = {
        .n = 4, .label = label, .prob = prob, .gold = gold, .small_pred = small, .large_pred = large};
    const struct sr_screen s = measure(&in);
    const struct sr_screen_words words = {0};
    char *text = text_of(&s, &words);
    cr_expect(s.f1_small == s.f1_large && s.f1_routed == 1);
    cr_expect(isnan(s.gap_won) && isnan(s.gap_won_ci.low), "no interval around what is undefined");
    cr_expect(strstr(text, "gap won        none to win"), "%s", text);
    cr_expect_eq(s.missed_small, 250);
    cr_expect_eq(s.missed_routed, 0);
    free(text);
}

/* Routing one of the two rows that only the large guard gets wrong loses part of what the large guard loses:
 * (F1 routed - F1 small) / (F1 large - F1 small) is above 0, and says the opposite of what happened. */
Test(screen, a_share_of_a_loss_is_no_gain) {
    const uint8_t label[] = {0, 0, 0, 0}, gold[] = {1, 1, 1, 0};
    const uint8_t small[] = {1, 1, 1, 0}, large[] = {0, 0, 1, 0};
    const float prob[] = {.1f, .9f, .1f, .1f};
    const struct sr_screen_rows in = {
        .n = 4, .label = label, .prob = prob, .gold = gold, .small_pred = small, .large_pred = large};
    const struct sr_screen s = measure(&in);
    cr_expect(s.f1_large < s.f1_routed && s.f1_routed < s.f1_small);
    cr_expect(isnan(s.gap_won) && isnan(s.gap_won_ci.low), "gap won %g", s.gap_won);
}
