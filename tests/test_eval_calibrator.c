/* test_eval_calibrator.c: calibrators against scikit-learn and SciPy (stored cases,
 * scripts/make_eval_cases.py), against brute force, and by what holds for any of them; their text, and what
 * is no such text.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/eval_vectors.h"

static struct sr_error err;

static struct sr_calibrator *fitted(enum sr_calibrator_kind kind, const uint8_t *label, const float *prob,
                                    size_t n) {
    struct sr_calibrator *c;
    cr_assert_eq(sr_calibrator_fit(&c, kind, label, prob, n, &err), 0, "%s", err.text);
    return c;
}

static char *text_of(const struct sr_calibrator *c) {
    char *text = sr_calibrator_text(c, &err);
    cr_assert_not_null(text, "%s", err.text);
    return text;
}

static struct sr_calibrator *parsed(const char *text) {
    struct sr_calibrator *c;
    cr_assert_eq(sr_calibrator_parse(&c, text, &err), 0, "%s: %s", text, err.text);
    return c;
}

/* The only number of {"method":"temperature","temperature":1.3}. */
static double temperature_of(const struct sr_calibrator *c) {
    char *text = text_of(c);
    struct sr_json *tree;
    double t = (double)NAN;
    cr_assert_eq(sr_json_parse(&tree, text, strlen(text), &err), 0, "%s", err.text);
    cr_assert(sr_json_as_number(sr_json_get(tree, "temperature"), &t), "%s", text);
    sr_json_free(tree);
    sr_free(text);
    return t;
}

/* ---- stored cases ---- */

static void expect_applied(const struct sr_calibrator *c, const double *at, const double *want, size_t n,
                           const char *name) {
    for (size_t i = 0; i < n; i++)
        expect_same(sr_calibrator_apply(c, at[i]), want[i], name);
}

/* Its text has all of it, to the bit. */
static void check_text(const struct sr_calibrator *c, const double *at, size_t n) {
    char *text = text_of(c);
    struct sr_calibrator *back = parsed(text);
    char *again = text_of(back);
    cr_expect_str_eq(again, text);
    cr_expect_str_eq(sr_calibrator_method(back), sr_calibrator_method(c));
    for (size_t i = 0; i < n; i++) {
        const double was = sr_calibrator_apply(c, at[i]), is = sr_calibrator_apply(back, at[i]);
        cr_expect_eq(memcmp(&was, &is, sizeof was), 0, "%.17g became %.17g", was, is);
    }
    sr_calibrator_free(back);
    sr_free(again);
    sr_free(text);
}

static void check_isotonic(const struct sr_safetensors *file, const char *name, const uint8_t *label,
                           const float *prob, size_t rows) {
    const size_t n = (size_t)sr_tensor_items(vector_find(file, name, "at"));
    const double *at = part(file, name, "at");
    struct sr_calibrator *c = fitted(SR_CALIBRATOR_ISOTONIC, label, prob, rows);
    expect_applied(c, at, vector_need(file, name, "isotonic", n), n, name);
    check_text(c, at, n);
    sr_calibrator_free(c);
}

/* T is the root of a sum of n terms. The sum is off by its roundings, some 1e-15 of the sum of |margin| even
 * where it is pairwise, and the root by that over the second derivative: 1e-14 of T in these cases. By the
 * loss itself, as an optimiser of functions looks for it, T could be had to 1e-8 at best: there the loss is
 * level to its last bit. The script checks its root against scipy.optimize.minimize_scalar so far. */
static void check_temperature(const struct sr_safetensors *file, const char *name, const uint8_t *label,
                              const float *prob, size_t rows) {
    const size_t n = (size_t)sr_tensor_items(vector_find(file, name, "at"));
    const double *want = vector_need(file, name, "temperature", 2), *at = part(file, name, "at");
    struct sr_calibrator *c;
    if (isnan(want[1])) {
        cr_expect_eq(sr_calibrator_fit(&c, SR_CALIBRATOR_TEMPERATURE, label, prob, rows, &err), SR_DATA);
        cr_expect_null(c);
        return;
    }
    c = fitted(SR_CALIBRATOR_TEMPERATURE, label, prob, rows);
    const double got = temperature_of(c);
    cr_expect(fabs(got - want[1]) <= 1e-13 * want[1], "%s: T is %.17g, not %.17g", name, got, want[1]);
    expect_applied(c, at, vector_need(file, name, "scaled", n), n, name);
    check_text(c, at, n);
    sr_calibrator_free(c);
}

static void check_case(const struct sr_safetensors *file, const char *name) {
    const uint8_t *label = part(file, name, "label");
    const float *prob = part(file, name, "prob");
    check_isotonic(file, name, label, prob, rows_of(file, name));
    check_temperature(file, name, label, prob, rows_of(file, name));
}

Test(calibrator, agrees_with_scikit_learn_and_scipy) {
    each_case("eval_calibrator", 10, check_case);
}

Test(calibrator, of_a_million_rows_agrees_with_scikit_learn_and_scipy) {
    struct sr_safetensors *file = vectors_open("eval_million");
    struct million m = million_rows();
    check_isotonic(file, "million", m.label, m.prob, MILLION);
    check_temperature(file, "million", m.label, m.prob, MILLION);
    million_free(&m);
    sr_safetensors_close(file);
}

/* ---- brute force ---- */

enum { MOST = 30, LEVELS = 10 };

struct rows {
    uint8_t label[MOST];
    float prob[MOST];
    size_t n;
};

/* Of both classes, ordered at random, with ties; labels follow prob, but not closely. */
static struct rows random_rows(uint64_t trial) {
    const uint64_t stream = sr_stream(SR_STREAM_TEST, 62, trial);
    uint64_t at = 0;
#define BELOW(n) sr_random_below(1, stream, at++, n)
    struct rows r = {.label = {0, 1}, .prob = {.3f, .6f}, .n = 2 + (size_t)BELOW(MOST - 1)};
    for (size_t i = 2; i < r.n; i++) {
        const uint64_t level = BELOW(LEVELS + 1);
        r.label[i] = BELOW(LEVELS) < level;
        r.prob[i] = (float)level / LEVELS;
    }
#undef BELOW
    return r;
}

/* Share of positives of the rows with a prob from low to high; NaN without rows. */
static double share(const struct rows *r, double low, double high) {
    double rows = 0, positives = 0;
    for (size_t i = 0; i < r->n; i++)
        if ((double)r->prob[i] >= low && (double)r->prob[i] <= high) {
            rows++;
            positives += r->label[i];
        }
    return positives / rows;
}

/* The least-squares fit by the min-max formula (Robertson, Wright and Dykstra, "Order restricted statistical
 * inference", 1988, section 1.4): at x the greatest over starts a <= x of the least over ends b >= x of the
 * mean from a to b. */
static double slow_isotonic(const struct rows *r, double x) {
    double greatest = -1;
    for (size_t a = 0; a < r->n; a++) {
        double least = 2;
        for (size_t b = 0; b < r->n && (double)r->prob[a] <= x; b++)
            if ((double)r->prob[b] >= x)
                least = fmin(least, share(r, (double)r->prob[a], (double)r->prob[b]));
        if ((double)r->prob[a] <= x)
            greatest = fmax(greatest, least);
    }
    return greatest;
}

/* The same quotients of counts: no tolerance but that of a line's end, which is one rounding. */
Test(calibrator, isotonic_agrees_with_brute_force) {
    for (uint64_t trial = 0; trial < 1000; trial++) {
        const struct rows r = random_rows(trial);
        struct sr_calibrator *c = fitted(SR_CALIBRATOR_ISOTONIC, r.label, r.prob, r.n);
        for (size_t i = 0; i < r.n; i++) {
            const double x = (double)r.prob[i], got = sr_calibrator_apply(c, x);
            cr_expect(fabs(got - slow_isotonic(&r, x)) <= 1e-16, "trial %d at %g: %.17g, not %.17g",
                      (int)trial, x, got, slow_isotonic(&r, x));
        }
        sr_calibrator_free(c);
    }
}

Test(calibrator, isotonic_by_hand) {
    /* .2 to .4 violate the order and share 1/3; a line from .4 to .8, level outside. */
    const uint8_t label[] = {0, 1, 0, 1, 0, 255, 1};
    const float prob[] = {.25f, .25f, .5f, 1, .125f, .3f, NAN};
    const double at[] = {0, .125, .1875, .25, .3, .5, .75, 1};
    const double want[] = {0, 0, 1. / 6, 1. / 3, 1. / 3, 1. / 3, 2. / 3, 1};
    struct sr_calibrator *c = fitted(SR_CALIBRATOR_ISOTONIC, label, prob, 7);
    expect_applied(c, at, want, SR_COUNT(at), "by hand");
    char *text = text_of(c);
    cr_expect_str_eq(text, "{\"method\":\"isotonic\",\"prob\":[0.125,0.25,0.5,1.0],"
                           "\"calibrated\":[0.0,0.3333333333333333,0.3333333333333333,1.0]}");
    sr_free(text);
    sr_calibrator_free(c);
}

/* Levels of one share are one block: its first prob and its last are knots, what lies between is none. */
Test(calibrator, isotonic_has_no_knot_too_many) {
    const uint8_t label[] = {0, 1, 0, 1, 1, 0};
    const float prob[] = {.25f, .25f, .5f, .5f, .75f, .75f};
    struct sr_calibrator *c = fitted(SR_CALIBRATOR_ISOTONIC, label, prob, 6);
    char *text = text_of(c);
    cr_expect_str_eq(text, "{\"method\":\"isotonic\",\"prob\":[0.25,0.75],\"calibrated\":[0.5,0.5]}");
    sr_free(text);
    sr_calibrator_free(c);
}

static double log_loss(const struct rows *r, double inverse) {
    double sum = 0;
    for (size_t i = 0; i < r->n; i++) {
        const double p = fmin(fmax((double)r->prob[i], 0x1p-52), 1 - 0x1p-52), z = log(p / (1 - p));
        sum += log1p(exp(-inverse * (r->label[i] ? z : -z)));
    }
    return sum;
}

/* A part in a thousand beside it, or far away, log loss is higher. Where T is above 1,000 all is so close to
 * prob 1/2 that log loss is level to its last bit. */
Test(calibrator, temperature_has_the_least_log_loss) {
    static const double beside[] = {.999, 1.001, .5, 2, 1e-3, 20};
    size_t fits = 0;
    for (uint64_t trial = 0; trial < 1000; trial++) {
        const struct rows r = random_rows(trial);
        struct sr_calibrator *c;
        if (sr_calibrator_fit(&c, SR_CALIBRATOR_TEMPERATURE, r.label, r.prob, r.n, &err) < 0)
            continue;
        const double b = 1 / temperature_of(c), least = log_loss(&r, b);
        for (size_t k = 0; b > 1e-3 && k < SR_COUNT(beside); k++)
            cr_expect(log_loss(&r, b * beside[k]) > least, "trial %d: T = %.17g", (int)trial, 1 / b);
        sr_calibrator_free(c);
        fits++;
    }
    cr_expect_gt(fits, 500);
}

/* ---- what holds for any ---- */

static void expect_monotone(const struct sr_calibrator *c) {
    enum { GRID = 10000 };
    double last = 0;
    for (size_t i = 0; i <= GRID; i++) {
        const double got = sr_calibrator_apply(c, (double)i / GRID);
        cr_expect(got >= last && got <= 1, "%s at %g: %.17g after %.17g", sr_calibrator_method(c),
                  (double)i / GRID, got, last);
        last = got;
    }
    cr_expect(isnan(sr_calibrator_apply(c, (double)NAN)));
}

Test(calibrator, never_falls_and_stays_within_0_and_1) {
    static const char *const texts[] = {
        "{\"method\":\"temperature\",\"temperature\":1}",
        "{\"method\":\"temperature\",\"temperature\":1e-300}",
        "{\"method\":\"temperature\",\"temperature\":1e300}",
        "{\"method\":\"temperature\",\"temperature\":0.37}",
        "{\"method\":\"isotonic\",\"prob\":[0.5],\"calibrated\":[0.25]}",
        "{\"method\":\"isotonic\",\"prob\":[0,1],\"calibrated\":[0,1]}",
        "{\"method\":\"isotonic\",\"prob\":[0.1,0.1000000001,0.7],\"calibrated\":[0.1,0.9,0.9]}",
        "{\"method\":\"isotonic\",\"prob\":[0,5e-324,1],\"calibrated\":[0,0.3,1]}"};
    for (size_t i = 0; i < SR_COUNT(texts); i++) {
        struct sr_calibrator *c = parsed(texts[i]);
        expect_monotone(c);
        sr_calibrator_free(c);
    }
    for (uint64_t trial = 0; trial < 20; trial++) {
        const struct rows r = random_rows(trial);
        struct sr_calibrator *c = fitted(SR_CALIBRATOR_ISOTONIC, r.label, r.prob, r.n);
        expect_monotone(c);
        sr_calibrator_free(c);
    }
}

/* Before the last knot the way along the line rounds to 1 here, and from + (to - from) to above `to`. */
Test(calibrator, a_line_does_not_pass_its_end) {
    const double last = .75 + 0x1p-53, to = .875 + 0x1p-53;
    char text[256];
    snprintf(text, sizeof text,
             "{\"method\":\"isotonic\",\"prob\":[%.17g,%.17g],\"calibrated\":[%.17g,%.17g]}", 0x1p-54, last,
             .25 + 0x3p-54, to);
    struct sr_calibrator *c = parsed(text);
    cr_expect_eq(sr_calibrator_apply(c, last), to);
    cr_expect(sr_calibrator_apply(c, nextafter(last, 0)) <= to, "%.17g, past %.17g",
              sr_calibrator_apply(c, nextafter(last, 0)), to);
    sr_calibrator_free(c);
}

/* Prob 0.5 has logit 0 at any temperature; 1 leaves all as it is, and 1/2 doubles a logit: odds are squared.
 */
Test(calibrator, temperature_by_hand) {
    struct sr_calibrator *one = parsed("{\"method\":\"temperature\",\"temperature\":1}"),
                         *half = parsed("{\"temperature\":0.5,\"method\":\"temperature\"}");
    expect_same(sr_calibrator_apply(one, .3), .3, "T = 1");
    expect_same(sr_calibrator_apply(half, .5), .5, "T = 1/2 at 1/2");
    expect_same(sr_calibrator_apply(half, .75), .9, "T = 1/2: odds of 3 to 9");
    cr_expect(sr_calibrator_apply(one, 0) > 0 && sr_calibrator_apply(one, 1) < 1, "clipped");
    cr_expect_str_eq(sr_calibrator_method(one), "temperature");
    sr_calibrator_free(one);
    sr_calibrator_free(half);
    sr_calibrator_free(NULL);
}

static void expect_same_text(const struct sr_calibrator *a, const struct sr_calibrator *b) {
    char *x = text_of(a), *y = text_of(b);
    cr_expect_str_eq(x, y);
    sr_free(x);
    sr_free(y);
}

/* To the bit; and rows without a label or a prob are not there. */
Test(calibrator, order_and_unknown_rows_do_not_matter) {
    static const enum sr_calibrator_kind kinds[] = {SR_CALIBRATOR_TEMPERATURE, SR_CALIBRATOR_ISOTONIC};
    for (uint64_t trial = 0; trial < 300; trial++) {
        const struct rows r = random_rows(trial);
        uint8_t label[2 * MOST];
        float prob[2 * MOST];
        uint32_t order[2 * MOST];
        for (uint32_t i = 0; i < 2 * r.n; i++)
            order[i] = i;
        sr_random_shuffle(order, 2 * r.n, 1, sr_stream(SR_STREAM_TEST, 63, trial));
        for (size_t i = 0; i < 2 * r.n; i++) {
            const size_t from = order[i] % r.n;
            label[i] = order[i] < r.n || from % 2 ? r.label[from] : 255;
            prob[i] = order[i] < r.n || from % 2 == 0 ? r.prob[from] : NAN;
        }
        for (size_t k = 0; k < SR_COUNT(kinds); k++) {
            struct sr_calibrator *a, *b;
            const int status = sr_calibrator_fit(&a, kinds[k], r.label, r.prob, r.n, &err);
            cr_assert_eq(sr_calibrator_fit(&b, kinds[k], label, prob, 2 * r.n, &err), status);
            if (status == 0)
                expect_same_text(a, b);
            sr_calibrator_free(a);
            sr_calibrator_free(b);
        }
    }
}

/* ---- refusals ---- */

static void expect_no_fit(enum sr_calibrator_kind kind, const uint8_t *label, const float *prob, size_t n,
                          const char *word) {
    struct sr_calibrator *c = (struct sr_calibrator *)&err;
    cr_expect_eq(sr_calibrator_fit(&c, kind, label, prob, n, &err), SR_DATA);
    cr_expect_null(c);
    cr_expect(strstr(err.text, word), "no \"%s\" in: %s", word, err.text);
}

/* Temperature 1/2 takes odds to their square: .25 to .1, .5 to itself, .75 to .9. The row without a prob and
 * the one without a label are no part of it. Rounding of five terms: 1e-15. */
Test(calibrator, reliability_by_hand) {
    static const uint8_t label[] = {0, 1, 1, 0, 1, 255};
    static const float prob[] = {.25f, .5f, .75f, .75f, NAN, .5f};
    struct sr_calibrator *c = parsed("{\"method\":\"temperature\",\"temperature\":0.5}");
    struct sr_reliability *raw, *calibrated;
    struct sr_calibration_scores s;
    cr_assert_eq(sr_calibrator_reliability(&raw, NULL, label, prob, SR_COUNT(label), &err), 0);
    cr_assert_eq(sr_calibrator_reliability(&calibrated, c, label, prob, SR_COUNT(label), &err), 0);
    sr_reliability_measure(&s, raw, NULL);
    cr_expect_float_eq(s.brier, (.0625 + .25 + .0625 + .5625) / 4, 1e-15);
    sr_reliability_measure(&s, calibrated, NULL);
    cr_expect_float_eq(s.brier, (.01 + .25 + .01 + .81) / 4, 1e-15);
    sr_reliability_free(raw);
    sr_reliability_free(calibrated);
    sr_calibrator_free(c);
}

Test(calibrator, needs_rows_of_both_classes) {
    const uint8_t positive[] = {1, 1, 1}, negative[] = {0, 0}, unknown[] = {0, 255, 1};
    const float prob[] = {.2f, .7f, .9f}, missing[] = {.5f, .5f, NAN};
    for (enum sr_calibrator_kind k = SR_CALIBRATOR_TEMPERATURE; k <= SR_CALIBRATOR_ISOTONIC; k++) {
        expect_no_fit(k, positive, prob, 0, "0 positive and 0 negative");
        expect_no_fit(k, positive, prob, 3, "3 positive and 0 negative");
        expect_no_fit(k, negative, prob, 2, "0 positive and 2 negative");
        expect_no_fit(k, unknown, missing, 3, "0 positive and 1 negative");
    }
}

Test(calibrator, where_no_temperature_is_best_none_is_given) {
    const uint8_t reversed[] = {1, 0}, parted[] = {0, 1, 0}, flat[] = {0, 1, 1};
    const float far[] = {.1f, .8f}, apart[] = {.4f, .5f, .5f}, half[] = {.5f, .5f, .5f};
    expect_no_fit(SR_CALIBRATOR_TEMPERATURE, reversed, far, 2, "no temperature fits");
    expect_no_fit(SR_CALIBRATOR_TEMPERATURE, parted, apart, 3, "no temperature is best");
    expect_no_fit(SR_CALIBRATOR_TEMPERATURE, flat, half, 3, "no temperature fits");
    /* Isotonic has an answer for each: the share of all, a step, and the share of all. */
    struct sr_calibrator *c = fitted(SR_CALIBRATOR_ISOTONIC, reversed, far, 2);
    expect_same(sr_calibrator_apply(c, .3), .5, "reversed");
    sr_calibrator_free(c);
    c = fitted(SR_CALIBRATOR_ISOTONIC, flat, half, 3);
    expect_same(sr_calibrator_apply(c, .9), 2. / 3, "one prob");
    sr_calibrator_free(c);
}

/* Texts come from files that strangers made. */
Test(calibrator, refuses_other_texts_with_a_word) {
#define TEMPERATURE(rest)          "{\"method\":\"temperature\"" rest "}"
#define ISOTONIC(prob, calibrated) "{\"method\":\"isotonic\",\"prob\":" prob ",\"calibrated\":" calibrated "}"
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"", "line 1"},
        {"temperature", "line 1"},
        {TEMPERATURE(",\"temperature\":1.3") "x", "line 1"},
        {TEMPERATURE(",\"temperature\":1,\"temperature\":2"), "duplicate"},
        {TEMPERATURE(",\"temperature\":1e999"), "line 1"},
        {"[]", "not a JSON object"},
        {"1.3", "not a JSON object"},
        {"{}", "\"method\" is missing"},
        {"{\"method\":1,\"temperature\":1.3}", "\"method\" is missing or not a string"},
        {"{\"method\":\"platt\"}", "unknown method \"platt\"; there are: temperature isotonic"},
        {"{\"method\":\"\"}", "unknown method \"\""},
        {"{\"method\":\"Temperature\",\"temperature\":1}", "unknown method \"Temperature\""},
        {TEMPERATURE(""), "no \"temperature\""},
        {TEMPERATURE(",\"temperature\":0"), "not a number above 0"},
        {TEMPERATURE(",\"temperature\":-0.0"), "not a number above 0"},
        {TEMPERATURE(",\"temperature\":-1.3"), "not a number above 0"},
        {TEMPERATURE(",\"temperature\":\"1.3\""), "not a number above 0"},
        {TEMPERATURE(",\"temperature\":null"), "not a number above 0"},
        {TEMPERATURE(",\"temperature\":true"), "not a number above 0"},
        {TEMPERATURE(",\"temperature\":[1.3]"), "not a number above 0"},
        {TEMPERATURE(",\"temperature\":1.3,\"prob\":[0]"), "\"prob\" does not belong"},
        {TEMPERATURE(",\"temperature\":1.3,\"\":0"), "\"\" does not belong"},
        {"{\"method\":\"isotonic\",\"calibrated\":[0.5]}", "no \"prob\""},
        {"{\"method\":\"isotonic\",\"prob\":[0.5]}", "no \"calibrated\""},
        {"{\"method\":\"isotonic\",\"prob\":[0.5],\"calibrated\":[0.5],\"temperature\":1}",
         "\"temperature\" does not belong"},
        {ISOTONIC("0.5", "[0.5]"), "not both lists"},
        {ISOTONIC("[0.5]", "{\"0\":0.5}"), "not both lists"},
        {ISOTONIC("[]", "[]"), "0 items"},
        {ISOTONIC("[0.1,0.2]", "[0.5]"), "\"prob\" has 2 items and \"calibrated\" 1"},
        {ISOTONIC("[0.1]", "[0.5,0.6]"), "\"prob\" has 1 items and \"calibrated\" 2"},
        {ISOTONIC("[0.1,\"0.2\"]", "[0.5,0.6]"), "item 1 of \"prob\" is not a number"},
        {ISOTONIC("[0.1,null]", "[0.5,0.6]"), "item 1 of \"prob\" is not a number"},
        {ISOTONIC("[0.1,1.0000001]", "[0.5,0.6]"), "item 1 of \"prob\" is not a number from 0 to 1"},
        {ISOTONIC("[-0.1,0.2]", "[0.5,0.6]"), "item 0 of \"prob\" is not a number from 0 to 1"},
        {ISOTONIC("[0.1,0.2]", "[0.5,1.5]"), "item 1 of \"calibrated\" is not a number from 0 to 1"},
        {ISOTONIC("[0.1,0.2]", "[[0.5],0.6]"), "item 0 of \"calibrated\" is not a number"},
        {ISOTONIC("[0.1,0.1]", "[0.5,0.6]"), "item 1 of \"prob\", 0.1, is not above"},
        {ISOTONIC("[0.1,0.3,0.2]", "[0.5,0.6,0.7]"), "item 2 of \"prob\", 0.2, is not above"},
        {ISOTONIC("[0.1,0.2,0.3]", "[0.5,0.7,0.6]"), "item 2 of \"calibrated\", 0.6, is below"},
    };
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        struct sr_calibrator *c = (struct sr_calibrator *)&err;
        cr_expect_eq(sr_calibrator_parse(&c, cases[i].text, &err), SR_DATA, "%s", cases[i].text);
        cr_expect_null(c, "%s", cases[i].text);
        cr_expect(strstr(err.text, cases[i].word), "%s: no \"%s\" in: %s", cases[i].text, cases[i].word,
                  err.text);
    }
}

Test(calibrator, of_weights_that_have_none_or_a_broken_one) {
    struct sr_calibrator *c = (struct sr_calibrator *)&err;
    cr_expect_eq(sr_calibrator_of_weights(&c, "w.safetensors", NULL, &err), 0);
    cr_expect_null(c);
    cr_expect_eq(sr_calibrator_of_weights(&c, "w.safetensors", "", &err), 0);
    cr_expect_null(c);
    cr_assert_eq(sr_calibrator_of_weights(&c, "w.safetensors", TEMPERATURE(",\"temperature\":0.5"), &err), 0);
    expect_same(sr_calibrator_apply(c, .75), .9, "odds of 3 to 9");
    sr_calibrator_free(c);
    cr_expect_eq(sr_calibrator_of_weights(&c, "w.safetensors", TEMPERATURE(""), &err), SR_DATA);
    cr_expect_null(c);
    cr_expect_str_eq(err.text, "w.safetensors: metadata \"calibration\": no \"temperature\"");
}
