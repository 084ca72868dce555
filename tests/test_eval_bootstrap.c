/* test_eval_bootstrap.c: intervals by resampling: against the definition, on cases with a known answer, and
 * for any number of threads. Against NumPy: test_eval_screen.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/eval.h"
#include "eval/group.h"

enum { N = 300, DRAWS = 500 };

struct column {
    double x[2 * N];
    size_t n;
};

static void uniform_fill(struct column *c, size_t n) {
    c->n = n;
    for (size_t i = 0; i < n; i++)
        c->x[i] = sr_random_uniform(1, sr_stream(SR_STREAM_TEST, 0, 0), i);
}

/* The mean of the counted rows, and how many rows were counted. */
static void mean(double *value, const uint32_t *count, const void *user) {
    const struct column *c = user;
    double sum = 0, rows = 0;
    for (size_t i = 0; i < c->n; i++) {
        sum += count[i] * c->x[i];
        rows += count[i];
    }
    value[0] = sum / rows;
    value[1] = rows;
}

static int rising(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int resample(struct sr_interval *out, size_t k, sr_statistic statistic, const void *user,
                    const int64_t *group, size_t n, size_t draws, uint64_t seed) {
    const struct sr_resampling how = {.group = group, .n = n, .draws = draws, .seed = seed};
    return sr_bootstrap(out, k, statistic, user, &how, NULL);
}

/* Between the two order statistics around q * (DRAWS - 1). */
static double quantile(const double *sorted, double q) {
    const double at = q * (DRAWS - 1), below = floor(at);
    return sorted[(int)below] * (1 - (at - below)) + sorted[(int)below + 1] * (at - below);
}

/* By the book: rows are drawn one by one and really taken. Row i is in group i / 3. */
Test(bootstrap, is_its_definition) {
    struct column c;
    int64_t group[N];
    struct sr_interval got[2];
    double value[DRAWS];
    uniform_fill(&c, N);
    for (int i = 0; i < N; i++)
        group[i] = i / 3;
    cr_assert_eq(resample(got, 2, mean, &c, group, N, DRAWS, 7), 0);
    for (uint64_t d = 0; d < DRAWS; d++) {
        double sum = 0;
        for (size_t k = 0; k < N / 3; k++) {
            const size_t g = sr_random_below(7, sr_stream(SR_STREAM_BOOTSTRAP, 0, d), k, N / 3);
            sum += c.x[3 * g] + c.x[3 * g + 1] + c.x[3 * g + 2];
        }
        value[d] = sum / N;
    }
    qsort(value, DRAWS, sizeof *value, rising);
    /* 1e-14: the two sums run in different orders. */
    cr_expect_float_eq(got[0].low, quantile(value, .025), 1e-14);
    cr_expect_float_eq(got[0].high, quantile(value, .975), 1e-14);
    cr_expect(got[1].low == N && got[1].high == N, "groups of one size: always as many rows");
}

Test(bootstrap, threads_change_nothing) {
    static const int threads[] = {1, 2, 4};
    struct column c;
    int64_t group[N];
    struct sr_interval first[2], got[2];
    uniform_fill(&c, N);
    for (int i = 0; i < N; i++)
        group[i] = i * i % 50 - 25;
    for (size_t t = 0; t < SR_COUNT(threads); t++) {
        sr_cpu_threads(threads[t]);
        cr_assert_eq(resample(got, 2, mean, &c, group, N, DRAWS, 7), 0);
        if (t == 0)
            memcpy(first, got, sizeof got);
        cr_expect_eq(memcmp(got, first, sizeof got), 0, "%d threads", threads[t]);
    }
    cr_expect_lt(got[1].low, got[1].high, "groups of several sizes");
}

/* The mean of n rows has the standard error s / sqrt(n), and its interval is 1.96 of those on either side. An
 * end estimated from m draws is itself off by sqrt(q (1 - q) / m) / phi(1.96) = .084 standard errors at m =
 * 1000 (Efron and Tibshirani 1993, section 19.3); 5 times that is allowed. */
Test(bootstrap, of_a_mean_is_its_standard_error) {
    struct column c;
    struct sr_interval got[2];
    double sum = 0, squares = 0;
    uniform_fill(&c, N);
    for (size_t i = 0; i < N; i++) {
        sum += c.x[i] / N;
        squares += c.x[i] * c.x[i] / N;
    }
    const double error = sqrt((squares - sum * sum) / N);
    cr_assert_eq(resample(got, 2, mean, &c, NULL, N, 1000, 0), 0);
    cr_expect_float_eq(got[0].low, sum - 1.96 * error, 5 * .084 * error);
    cr_expect_float_eq(got[0].high, sum + 1.96 * error, 5 * .084 * error);
}

/* Every row twice tells no more than every row once. */
Test(bootstrap, twins_in_one_group_are_no_new_rows) {
    struct column once, twice;
    int64_t group[2 * N];
    struct sr_interval single[2], naive[2], clustered[2];
    uniform_fill(&once, N);
    twice.n = 2 * N;
    for (int i = 0; i < 2 * N; i++) {
        twice.x[i] = once.x[i % N];
        group[i] = i % N;
    }
    cr_assert_eq(resample(single, 2, mean, &once, NULL, N, DRAWS, 3), 0);
    cr_assert_eq(resample(naive, 2, mean, &twice, NULL, 2 * N, DRAWS, 3), 0);
    cr_assert_eq(resample(clustered, 2, mean, &twice, group, 2 * N, DRAWS, 3), 0);
    /* 1e-14: sums in other orders */
    cr_expect_float_eq(clustered[0].low, single[0].low, 1e-14);
    cr_expect_float_eq(clustered[0].high, single[0].high, 1e-14);
    /* sqrt(2) times as wide in truth; the ends of either are off by a tenth of a standard error or so. */
    cr_expect_gt(clustered[0].high - clustered[0].low, 1.2 * (naive[0].high - naive[0].low));
}

Test(bootstrap, the_seed_matters) {
    struct column c;
    struct sr_interval a[2], b[2];
    uniform_fill(&c, N);
    cr_assert_eq(resample(a, 2, mean, &c, NULL, N, DRAWS, 0), 0);
    cr_assert_eq(resample(b, 2, mean, &c, NULL, N, DRAWS, 1), 0);
    cr_expect_neq(a[0].low, b[0].low);
}

/* ---- groups ---- */

Test(groups, are_counted_once_each) {
    const int64_t group[] = {7, -1, INT64_MAX, 7, INT64_MIN, 0, -1, 7, INT64_MAX - 1, INT64_MIN};
    static const size_t want[] = {0, 1, 2, 3, 3, 4, 5, 5, 5, 6, 6}; /* of the first n rows */
    for (size_t n = 0; n < SR_COUNT(want); n++) {
        size_t got = 99;
        cr_assert_eq(sr_groups_count(&got, group, n, NULL), 0);
        cr_expect_eq(got, want[n], "%zu rows are of %zu groups, not %zu", n, got, want[n]);
    }
}

Test(groups, are_numbered_by_rising_value) {
    const int64_t group[] = {7, -1, INT64_MAX, 7, INT64_MIN, 0};
    static const uint32_t want[] = {3, 1, 4, 3, 0, 2}, each[] = {0, 1, 2, 3, 4, 5};
    uint32_t got[6];
    size_t count = 99;
    cr_assert_eq(sr_groups_number(got, &count, group, 6, NULL), 0);
    cr_expect(count == 5 && memcmp(got, want, sizeof want) == 0);
    cr_assert_eq(sr_groups_number(got, &count, NULL, 6, NULL), 0);
    cr_expect(count == 6 && memcmp(got, each, sizeof each) == 0);
}

Test(groups, every_row_is_one_where_there_are_none) {
    size_t got = 99;
    cr_assert_eq(sr_groups_count(&got, NULL, 12, NULL), 0);
    cr_expect_eq(got, 12);
    cr_assert_eq(sr_groups_count(&got, NULL, 0, NULL), 0);
    cr_expect_eq(got, 0);
}

/* ---- undefined ---- */

/* Row 0 is missing from a draw of N rows with probability (1 - 1/N)^N, about .37. */
static void often_undefined(double *value, const uint32_t *count, const void *user) {
    (void)user;
    value[0] = count[0] > 0 ? (double)NAN : 1;
    value[1] = count[0] > 0 ? 1 : (double)NAN;
    value[2] = (double)NAN;
}

Test(bootstrap, undefined_draws_do_not_count_and_too_many_leave_nothing) {
    struct sr_interval got[3];
    cr_assert_eq(resample(got, 3, often_undefined, NULL, NULL, N, DRAWS, 0), 0);
    cr_expect(isnan(got[0].low) && isnan(got[0].high), "37 %% of the draws are less than half");
    cr_expect(got[1].low == 1 && got[1].high == 1, "63 %% are not");
    cr_expect(isnan(got[2].low) && isnan(got[2].high));
}

Test(bootstrap, of_nothing_is_undefined) {
    struct column c = {.n = 0};
    struct sr_interval got[2];
    cr_assert_eq(resample(got, 2, mean, &c, NULL, 0, DRAWS, 0), 0);
    cr_expect(isnan(got[0].low) && isnan(got[0].high));
    uniform_fill(&c, N);
    cr_assert_eq(resample(got, 2, mean, &c, NULL, N, 0, 0), 0);
    cr_expect(isnan(got[0].low), "no draws");
    cr_assert_eq(resample(got, 2, mean, &c, NULL, N, 1, 0), 0);
    cr_expect(got[0].low == got[0].high && !isnan(got[0].low), "one draw is its own interval");
}
