/* test_eval_calibration.c: Brier score, log loss, both calibration errors and the reliability table against
 * scikit-learn and NumPy (stored cases, scripts/make_eval_cases.py), against brute force on random small
 * cases; the shift of prob against mpmath. Calibrators: test_eval_calibrator.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/eval_vectors.h"

static struct sr_reliability *reliability(const uint8_t *label, const double *prob, size_t n) {
    struct sr_reliability *r;
    struct sr_error err;
    cr_assert_eq(sr_reliability_create(&r, label, prob, n, &err), 0, "%s", err.text);
    return r;
}

static struct sr_calibration_scores measured(const struct sr_reliability *r, const uint32_t *count) {
    struct sr_calibration_scores s;
    sr_reliability_measure(&s, r, count);
    return s;
}

/* ---- stored cases ---- */

static void expect_scores(const struct sr_reliability *r, const uint32_t *count, const double want[4],
                          const char *name) {
    const struct sr_calibration_scores s = measured(r, count);
    expect_same(s.brier, want[0], name);
    expect_same(s.log_loss, want[1], name);
    expect_same(s.ece, want[2], name);
    expect_same(s.ece_mass, want[3], name);
}

/* Rows of low, high, rows, positives, mean prob. */
static void expect_table(const struct sr_bin bin[SR_BINS], const double *want, const char *name) {
    for (size_t b = 0; b < SR_BINS; b++, want += 5) {
        expect_same(bin[b].low, want[0], name);
        expect_same(bin[b].high, want[1], name);
        cr_expect(bin[b].rows == want[2] && bin[b].positives == want[3],
                  "%s, bin %zu: %g of %g, not %g of %g", name, b, bin[b].positives, bin[b].rows, want[3],
                  want[2]);
        expect_same(bin[b].mean_prob, want[4], name);
    }
}

static void check_tables(const struct sr_safetensors *file, const char *name,
                         const struct sr_reliability *r) {
    struct sr_bin width[SR_BINS], mass[SR_BINS];
    sr_reliability_bins(width, mass, r);
    expect_table(width, vector_need(file, name, "width", SR_BINS * 5), name);
    expect_table(mass, vector_need(file, name, "mass", SR_BINS * 5), name);
}

static void check_case(const struct sr_safetensors *file, const char *name) {
    struct sr_reliability *r =
        reliability(part(file, name, "label"), part(file, name, "prob"), rows_of(file, name));
    expect_scores(r, NULL, vector_need(file, name, "scores", 4), name);
    expect_scores(r, part(file, name, "count"), vector_need(file, name, "weighted", 4), name);
    check_tables(file, name, r);
    sr_reliability_free(r);
}

Test(eval_reliability, agrees_with_scikit_learn) {
    each_case("eval_calibration", 13, check_case);
}

Test(eval_reliability, a_million_rows_agree_with_scikit_learn) {
    struct sr_safetensors *file = vectors_open("eval_million");
    struct million m = million_rows();
    struct sr_reliability *r = reliability(m.label, m.score, MILLION);
    expect_scores(r, NULL, vector_need(file, "million", "scores", 4), "once");
    expect_scores(r, m.count, vector_need(file, "million", "scores_weighted", 4), "counted");
    check_tables(file, "million", r);
    sr_reliability_free(r);
    million_free(&m);
    sr_safetensors_close(file);
}

/* Equal terms, whose roundings all go one way: one running sum would be off by some 1e-11. */
Test(eval_reliability, a_million_equal_rows_have_the_score_of_one) {
    struct million m = million_rows();
    for (size_t i = 0; i < MILLION; i++) {
        m.label[i] = 0;
        m.score[i] = .1;
    }
    struct sr_reliability *r = reliability(m.label, m.score, MILLION);
    const double want[] = {.1 * .1, -log(.9), .1, .1};
    expect_scores(r, NULL, want, "equal rows");
    sr_reliability_free(r);
    million_free(&m);
}

/* ---- brute force ---- */

enum { MOST = 40 };

struct rows {
    uint8_t label[MOST];
    double prob[MOST];
    uint32_t count[MOST];
    size_t n;
};

static bool is_known(const struct rows *r, size_t i) {
    return r->label[i] <= 1 && !isnan(r->prob[i]);
}

/* Few levels make ties, 0 and 1 are among them; some labels and probs are unknown. */
static struct rows random_rows(uint64_t trial) {
    const uint64_t stream = sr_stream(SR_STREAM_TEST, 60, trial);
    uint64_t at = 0;
#define BELOW(n) sr_random_below(1, stream, at++, n)
    struct rows r = {.n = (size_t)BELOW(MOST + 1)};
    const uint64_t levels = 1 + BELOW(30);
    for (size_t i = 0; i < r.n; i++) {
        r.label[i] = BELOW(10) ? (uint8_t)BELOW(2) : 255;
        r.prob[i] = BELOW(10) ? (double)BELOW(levels + 1) / (double)levels : (double)NAN;
        r.count[i] = (uint32_t)BELOW(4);
    }
#undef BELOW
    return r;
}

/* The edges are asked for one by one. */
static size_t slow_width_bin(double prob) {
    size_t bin = 0;
    while (bin + 1 < SR_BINS && prob >= (double)(bin + 1) / SR_BINS)
        bin++;
    return bin;
}

/* The bin of as many rows as have a lower prob, when SR_BINS are filled in turn. */
static size_t slow_mass_bin(const struct rows *r, double prob) {
    size_t rows = 0, below = 0, bin = 0;
    for (size_t i = 0; i < r->n; i++) {
        rows += is_known(r, i);
        below += is_known(r, i) && r->prob[i] < prob;
    }
    for (size_t end = 0; bin < SR_BINS; bin++) {
        end += rows / SR_BINS + (bin < rows % SR_BINS);
        if (below < end)
            break;
    }
    return bin;
}

/* From the definition: sum over bins of rows/n |positives/rows - mean_prob|. */
static double slow_error(const struct rows *r, bool mass, bool counted) {
    double rows[SR_BINS] = {0}, positives[SR_BINS] = {0}, probs[SR_BINS] = {0}, all = 0, sum = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (!is_known(r, i))
            continue;
        const size_t b = mass ? slow_mass_bin(r, r->prob[i]) : slow_width_bin(r->prob[i]);
        const double times = counted ? r->count[i] : 1;
        rows[b] += times;
        positives[b] += times * r->label[i];
        probs[b] += times * r->prob[i];
        all += times;
    }
    for (size_t b = 0; b < SR_BINS; b++)
        if (rows[b] > 0)
            sum += rows[b] / all * fabs(positives[b] / rows[b] - probs[b] / rows[b]);
    return all > 0 ? sum : (double)NAN;
}

/* As for a single row, rows being counted one by one. */
static struct sr_calibration_scores slow_scores(const struct rows *r, bool counted) {
    double rows = 0, brier = 0, loss = 0;
    for (size_t i = 0; i < r->n; i++)
        for (uint32_t k = 0; is_known(r, i) && k < (counted ? r->count[i] : 1); k++) {
            const double of_label = r->label[i] ? r->prob[i] : 1 - r->prob[i];
            rows++;
            brier += (1 - of_label) * (1 - of_label);
            loss -= log(fmin(fmax(of_label, 0x1p-52), 1 - 0x1p-52));
        }
    return (struct sr_calibration_scores){brier / rows, loss / rows, slow_error(r, false, counted),
                                          slow_error(r, true, counted)};
}

Test(eval_reliability, agrees_with_brute_force) {
    for (uint64_t trial = 0; trial < 2000; trial++) {
        const struct rows r = random_rows(trial);
        struct sr_reliability *made = reliability(r.label, r.prob, r.n);
        for (int counted = 0; counted < 2; counted++) {
            const struct sr_calibration_scores got = measured(made, counted ? r.count : NULL),
                                               want = slow_scores(&r, counted);
            expect_same(got.brier, want.brier, "Brier");
            expect_same(got.log_loss, want.log_loss, "log loss");
            expect_same(got.ece, want.ece, "ECE");
            expect_same(got.ece_mass, want.ece_mass, "ECE of equal mass");
        }
        sr_reliability_free(made);
    }
}

/* ---- what holds for any rows ---- */

/* Sums of a table are those of the rows, and the error follows from it. */
static void expect_whole(const struct sr_bin bin[SR_BINS], const struct rows *r, double error) {
    double rows = 0, positives = 0, probs = 0, sum = 0, known = 0, labels = 0, prob = 0;
    for (size_t i = 0; i < r->n; i++) {
        known += is_known(r, i);
        labels += is_known(r, i) ? r->label[i] : 0;
        prob += is_known(r, i) ? r->prob[i] : 0;
    }
    for (size_t b = 0; b < SR_BINS; b++) {
        cr_expect((bin[b].rows == 0) == isnan(bin[b].mean_prob));
        if (bin[b].rows == 0)
            continue;
        rows += bin[b].rows;
        positives += bin[b].positives;
        probs += bin[b].rows * bin[b].mean_prob;
        sum += bin[b].rows / known * fabs(bin[b].positives / bin[b].rows - bin[b].mean_prob);
    }
    cr_expect(rows == known && positives == labels, "%g of %g, not %g of %g", positives, rows, labels, known);
    expect_same(probs, prob, "sum of probs");
    expect_same(known > 0 ? sum : (double)NAN, error, "error from the table");
}

/* Each bin of equal mass ends below where the next one begins, so no tie is cut. */
static void expect_ties_whole(const struct sr_bin mass[SR_BINS]) {
    double end = -1;
    for (size_t b = 0; b < SR_BINS; b++) {
        cr_expect((mass[b].rows == 0) == isnan(mass[b].low) && isnan(mass[b].low) == isnan(mass[b].high));
        if (mass[b].rows == 0)
            continue;
        cr_expect(mass[b].low > end && mass[b].high >= mass[b].low, "bin %zu: %g..%g after %g", b,
                  mass[b].low, mass[b].high, end);
        cr_expect(mass[b].mean_prob >= mass[b].low - 1e-15 && mass[b].mean_prob <= mass[b].high + 1e-15);
        end = mass[b].high;
    }
}

Test(eval_reliability, bins_add_up_and_ties_stay_together) {
    for (uint64_t trial = 0; trial < 500; trial++) {
        struct sr_bin width[SR_BINS], mass[SR_BINS];
        const struct rows r = random_rows(trial);
        struct sr_reliability *made = reliability(r.label, r.prob, r.n);
        sr_reliability_bins(width, mass, made);
        expect_whole(width, &r, measured(made, NULL).ece);
        expect_whole(mass, &r, measured(made, NULL).ece_mass);
        expect_ties_whole(mass);
        sr_reliability_free(made);
    }
}

/* To the bit: ties are summed in one order too. */
Test(eval_reliability, the_order_of_rows_does_not_matter) {
    for (uint64_t trial = 0; trial < 300; trial++) {
        const struct rows r = random_rows(trial);
        struct rows moved = r;
        uint32_t order[MOST];
        for (uint32_t i = 0; i < r.n; i++)
            order[i] = i;
        sr_random_shuffle(order, r.n, 1, sr_stream(SR_STREAM_TEST, 61, trial));
        for (size_t i = 0; i < r.n; i++) {
            moved.label[i] = r.label[order[i]];
            moved.prob[i] = r.prob[order[i]];
        }
        struct sr_reliability *a = reliability(r.label, r.prob, r.n),
                              *b = reliability(moved.label, moved.prob, r.n);
        const struct sr_calibration_scores x = measured(a, NULL), y = measured(b, NULL);
        cr_expect_eq(memcmp(&x, &y, sizeof x), 0, "trial %d: %.17g %.17g %.17g %.17g, then %.17g %.17g ...",
                     (int)trial, x.brier, x.log_loss, x.ece, x.ece_mass, y.brier, y.log_loss);
        sr_reliability_free(a);
        sr_reliability_free(b);
    }
}

Test(eval_reliability, no_rows_are_undefined) {
    const uint8_t label[] = {255, 1};
    const double prob[] = {.5, (double)NAN}, one = .5;
    const uint32_t never = 0;
    struct sr_bin width[SR_BINS], mass[SR_BINS];
    struct sr_reliability *r = reliability(label, prob, 2);
    struct sr_calibration_scores s = measured(r, NULL);
    cr_expect(isnan(s.brier) && isnan(s.log_loss) && isnan(s.ece) && isnan(s.ece_mass));
    sr_reliability_bins(width, mass, r);
    for (size_t b = 0; b < SR_BINS; b++) {
        cr_expect(width[b].rows == 0 && width[b].positives == 0 && isnan(width[b].mean_prob));
        cr_expect(mass[b].rows == 0 && isnan(mass[b].low) && isnan(mass[b].high) && isnan(mass[b].mean_prob));
    }
    sr_reliability_free(r);
    r = reliability(label + 1, &one, 1);
    s = measured(r, &never);
    cr_expect(isnan(s.brier) && isnan(s.log_loss) && isnan(s.ece) && isnan(s.ece_mass), "a row taken never");
    sr_reliability_free(r);
    sr_reliability_free(NULL);
}

Test(eval_reliability, three_rows_by_hand) {
    const uint8_t label[] = {1, 0, 1};
    const double prob[] = {.5, .5, 1};
    struct sr_reliability *r = reliability(label, prob, 3);
    const struct sr_calibration_scores s = measured(r, NULL);
    expect_same(s.brier, .5 / 3, "Brier");
    expect_same(s.log_loss, (2 * log(2) - log(1 - 0x1p-52)) / 3, "log loss");
    expect_same(s.ece, 0, "ECE");
    expect_same(s.ece_mass, 0, "ECE of equal mass");
    sr_reliability_free(r);
}

/* ---- the prior ---- */

/* 1e-15 of the number: nine roundings of at most 2^-53 each. */
Test(eval_prior, shift_agrees_with_mpmath) {
    struct sr_safetensors *file = vectors_open("eval_calibration");
    const size_t n = (size_t)sr_tensor_items(sr_safetensors_find(file, "shift.prob"));
    const double *prob = part(file, "shift", "prob"), *from = part(file, "shift", "from"),
                 *to = part(file, "shift", "to"), *want = part(file, "shift", "shifted");
    for (size_t i = 0; i < n; i++) {
        const double got = sr_prior_shift(prob[i], from[i], to[i]);
        cr_expect(fabs(got - want[i]) <= 1e-15 * want[i], "%g from %g to %g: %.17g, not %.17g", prob[i],
                  from[i], to[i], got, want[i]);
    }
    cr_expect_eq(n, 54);
    cr_expect(isnan(sr_prior_shift((double)NAN, .5, .2)));
    sr_safetensors_close(file);
}

/* Bayes by counting: of rows with one prob, keep every positive and a third of the negatives. */
Test(eval_prior, shift_is_what_leaving_rows_out_does) {
    const double positives = 30, negatives = 60, others_positive = 20, others_negative = 30;
    const double from = (positives + others_positive) /
                        (positives + others_positive + negatives + others_negative),
                 to = (positives + others_positive) /
                      (positives + others_positive + (negatives + others_negative) / 3);
    expect_same(sr_prior_shift(positives / (positives + negatives), from, to),
                positives / (positives + negatives / 3), "shifted");
}
