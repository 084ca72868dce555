/* test_eval_binomial.c: binomial.h against mpmath and SciPy (stored cases, scripts/make_eval_cases.py), and
 * against what can be worked out by hand.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>

#include "eval/eval.h"

static struct sr_safetensors *open_cases(void) {
    struct sr_safetensors *file;
    struct sr_error err;
    cr_assert_eq(sr_safetensors_open(&file, SR_SOURCE_DIR "/tests/vectors/eval_binomial.safetensors", &err),
                 0, "%s", err.text);
    return file;
}

static const struct sr_tensor *part(const struct sr_safetensors *file, const char *name) {
    const struct sr_tensor *t = sr_safetensors_find(file, name);
    cr_assert_not_null(t, "%s", name);
    return t;
}

/* Relative: p-values are compared with bounds, however small they are. */
static void expect_close(double got, double want, double tolerance, const char *what) {
    cr_expect(fabs(got - want) <= tolerance * want, "%s: got %.17g, want %.17g", what, got, want);
}

Test(eval_binomial, lower_tails_agree_with_mpmath) {
    struct sr_safetensors *file = open_cases();
    const struct sr_tensor *below = part(file, "below");
    const uint64_t *k = part(file, "below.k")->data, *n = part(file, "below.n")->data;
    const double *p = part(file, "below.p")->data, *want = below->data;
    const size_t cases = (size_t)sr_tensor_items(below);
    cr_expect_gt(cases, 250);
    for (size_t i = 0; i < cases; i++) { /* 1e-10: what the header promises */
        char what[64];
        snprintf(what, sizeof what, "P(X <= %zu of %zu at %g)", (size_t)k[i], (size_t)n[i], p[i]);
        expect_close(sr_binomial_below(k[i], n[i], p[i]), want[i], 1e-10, what);
    }
    sr_safetensors_close(file);
}

/* 1e-13: a sum of 60 terms, each of a dozen roundings. */
Test(eval_binomial, lower_tail_is_the_sum_of_terms) {
    for (uint64_t n = 1; n <= 60; n++)
        for (double p = .03; p < 1; p += .14) {
            double term = pow(1 - p, (double)n), sum = 0;
            for (uint64_t k = 0; k < n; k++) {
                sum += term;
                expect_close(sr_binomial_below(k, n, p), sum, 1e-13, "sum");
                term *= (double)(n - k) * p / ((double)(k + 1) * (1 - p));
            }
        }
}

Test(eval_binomial, ends) {
    cr_expect_eq(sr_binomial_below(0, 0, .3), 1);
    cr_expect_eq(sr_binomial_below(7, 7, .3), 1);
    cr_expect_eq(sr_binomial_below(9, 7, .3), 1);
    cr_expect_eq(sr_binomial_below(0, 7, 0), 1);
    cr_expect_eq(sr_binomial_below(6, 7, 1), 0);
    expect_close(sr_binomial_below(0, 58, .05), pow(.95, 58), 1e-14, "none of 58");
}

Test(eval_binomial, mcnemar_agrees_with_scipy) {
    struct sr_safetensors *file = open_cases();
    const struct sr_tensor *want = part(file, "mcnemar");
    const uint64_t *pairs = part(file, "mcnemar.pairs")->data;
    const double *value = want->data;
    for (size_t i = 0; i < sr_tensor_items(want); i++) /* 1e-10: as the tail */
        expect_close(sr_mcnemar(pairs[2 * i], pairs[2 * i + 1]), value[i], 1e-10, "McNemar");
    cr_expect_eq(sr_mcnemar(5, 5), 1, "never above 1");
    cr_expect_eq(sr_mcnemar(0, 0), 1);
    sr_safetensors_close(file);
}

Test(eval_binomial, wilson_agrees_with_scipy) {
    struct sr_safetensors *file = open_cases();
    const struct sr_tensor *counts = part(file, "wilson.counts");
    const double *count = counts->data, *want = part(file, "wilson")->data;
    const size_t cases = (size_t)sr_tensor_items(counts) / 2;
    cr_expect_eq(cases, 10);
    for (size_t i = 0; i < cases; i++) { /* absolute: the ends are differences of numbers below 1 */
        const struct sr_interval got = sr_wilson(count[2 * i], count[2 * i + 1]);
        cr_expect(fabs(got.low - want[2 * i]) <= 1e-14 && fabs(got.high - want[2 * i + 1]) <= 1e-14,
                  "%g of %g: [%.17g, %.17g], not [%.17g, %.17g]", count[2 * i], count[2 * i + 1], got.low,
                  got.high, want[2 * i], want[2 * i + 1]);
    }
    sr_safetensors_close(file);
}

Test(eval_binomial, wilson_ends) {
    const struct sr_interval none = sr_wilson(0, 0), zero = sr_wilson(0, 9), all = sr_wilson(9, 9);
    cr_expect(isnan(none.low) && isnan(none.high));
    cr_expect_eq(zero.low, 0);
    cr_expect_eq(all.high, 1);
    cr_expect_float_eq(zero.high, 1 - all.low, 1e-15);
}
