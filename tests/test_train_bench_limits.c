/* test_train_bench_limits.c: what `saferoute bench` measures against: that the loops of peak.c do what they
 * count, that the products alone are the products, and that medians and percentiles are those.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "train/bench.h"
#include "train/bench_step.h"
#include "train/peak.h"

/* ---- numbers ---- */

Test(train_bench_limits, medians_and_percentiles) {
    double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2}, many[1000];
    cr_expect_eq(sr_bench_median(odd, 3), 3);
    cr_expect_eq(odd[0], 1);
    cr_expect_eq(odd[2], 5);
    cr_expect_eq(sr_bench_median(even, 4), 2.5);
    for (size_t i = 0; i < 1000; i++)
        many[i] = (double)(i + 1);
    cr_expect_eq(sr_bench_percentile(many, 1000, .5), 500);
    cr_expect_eq(sr_bench_percentile(many, 1000, .99), 990);
    cr_expect_eq(sr_bench_percentile(many, 1000, .999), 999);
    cr_expect_eq(sr_bench_percentile(many, 10, .95), 10); /* 9 of them are but 90 % */
    cr_expect_eq(sr_bench_percentile(many, 1, .999), 1);
}

Test(train_bench_limits, made_up_features_are_standardised) {
    enum { N = 100003 };
    float *x = sr_alloc(N, sizeof *x, NULL);
    double sum = 0, squares = 0;
    sr_bench_features(x, N);
    for (size_t i = 0; i < N; i++) {
        sum += (double)x[i];
        squares += (double)x[i] * (double)x[i];
    }
    cr_expect_lt(fabs(sum / N), .02); /* six standard errors */
    cr_expect_lt(fabs(squares / N - 1), .02);
    sr_free(x);
}

static void count_up(void *user) {
    ++*(int *)user;
}

Test(train_bench_limits, time_is_that_of_a_call) {
    int calls = 0;
    cr_expect_gt(sr_bench_time(count_up, &calls, 0), 0);
    cr_expect_eq(calls, 1);
    cr_expect_gt(sr_bench_time(count_up, &calls, 0.05), 0); /* time for two calls on the busiest machine */
    cr_expect_gt(calls, 2);
}

/* ---- loops ---- */

Test(train_bench_limits, loops_count_their_operations) {
    const struct sr_peak *p = sr_peak();
    cr_expect_gt(p->fma(1), 0);
    cr_expect_eq(p->fma(1000), 1000 * p->fma(1));
    cr_expect_eq(p->dot(1000), 1000 * p->dot(1));
    cr_expect_geq(p->dot(1), p->fma(1)); /* int8 packs no fewer products into a register than float32 */
    cr_expect(strlen(p->fma_name) > 0 && strlen(p->dot_name) > 0);
}

Test(train_bench_limits, update_reaches_every_number_once) {
    enum { N = 5 * SR_PEAK_ITEMS };
    float *p = sr_alloc(4 * N, sizeof *p, NULL);
    for (int i = 0; i < 4 * N; i++)
        p[i] = (float)(i % N + i / N);
    sr_peak()->update(p, p + N, p + 2 * N, p + 3 * N, N);
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < 3; k++)
            cr_assert_eq(p[k * N + i], (float)(i + k + i + 3));
        cr_assert_eq(p[3 * N + i], (float)(i + 3));
    }
    sr_free(p);
}

/* A limit is measured once, and kept. */
Test(train_bench_limits, limits_are_kept) {
    struct sr_bench b = {.seconds = 1e-3, .threads = 2, .rounds = 1};
    struct sr_error err = {0};
    double first, again, other;
    cr_expect_eq(sr_bench_fma(&b, 1), sr_bench_fma(&b, 1));
    cr_expect_eq(sr_bench_dot(&b, 2), sr_bench_dot(&b, 2));
    cr_expect(sr_bench_fma(&b, 1) > 0 && sr_bench_dot(&b, 2) > 0);
    cr_assert_eq(sr_bench_read(&first, &b, 100000, &err), 0, "%s", err.text);
    cr_assert_eq(sr_bench_read(&again, &b, 100000, &err), 0, "%s", err.text);
    cr_assert_eq(sr_bench_read(&other, &b, 200000, &err), 0, "%s", err.text);
    cr_expect(first > 0 && first == again && other > 0);
    cr_assert_eq(sr_bench_update(&first, &b, 1, 10000, &err), 0, "%s", err.text);
    cr_assert_eq(sr_bench_update(&again, &b, 1, 10000, &err), 0, "%s", err.text);
    cr_expect(first > 0 && first == again);
}

/* ---- products ---- */

Test(train_bench_limits, work_of_the_published_network) {
    const struct sr_model_spec spec = sr_model_spec_seed(2048);
    double forward, backward;
    sr_bench_step_work(&forward, &backward, &spec, 1);
    cr_expect_eq(forward, 2. * (2048 * 1024 + 1024 * 512 + 512 * 256 + 256));
    cr_expect_eq(forward + backward, 3 * forward - 2. * 2048 * 1024); /* 12.3 MFLOP a row */
    sr_bench_step_work(&forward, &backward, &spec, 256);
    cr_expect_eq(forward, 256 * 2. * (2048 * 1024 + 1024 * 512 + 512 * 256 + 256));
}

enum { ROWS = 7, IN = 45, HIDDEN = 70 }; /* two blocks, the last narrower */

/* Number (r, j) of a matrix in blocks. */
static double block_number(const real *x, size_t r, size_t j) {
    return (double)x[sr_block_at(ROWS, j / SR_BLOCK) + r * SR_BLOCK + j % SR_BLOCK];
}

/* k products of numbers of at most 3, each rounded to 1e-7. */
static void expect_close(double x, double want, size_t k) {
    cr_assert(fabs(x - want) <= 1e-6 * (double)(9 * k), "%g, not %g", x, want);
}

Test(train_bench_limits, products_alone_are_the_products) {
    const struct sr_model_spec spec = {.in = IN, .n_hidden = 1, .hidden = {HIDDEN}};
    struct sr_bench_gemm g;
    struct sr_error err = {0};
    double sum;
    cr_assert_eq(sr_bench_gemm_create(&g, &spec, ROWS, &err), 0, "%s", err.text);
    sr_bench_gemm_forward(&g);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t o = 0; o < HIDDEN; o++) {
            sum = 0;
            for (size_t k = 0; k < IN; k++)
                sum += block_number(g.x[0], r, k) * (double)g.w[0][o * IN + k];
            expect_close(block_number(g.x[1], r, o), sum, IN);
        }
    sr_bench_gemm_backward(&g);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t o = 0; o < HIDDEN; o++)
            expect_close(block_number(g.dx[1], r, o), block_number(g.dx[2], r, 0) * (double)g.w[1][o], 1);
    for (size_t o = 0; o < HIDDEN; o++)
        for (size_t k = 0; k < IN; k++) {
            sum = 0;
            for (size_t r = 0; r < ROWS; r++)
                sum += block_number(g.dx[1], r, o) * block_number(g.x[0], r, k);
            expect_close((double)g.dw[0][o * IN + k], sum, 3 * ROWS);
        }
    sr_bench_gemm_free(&g);
}

/* A step of the bench is a step: time passes in every phase, and weights move. */
Test(train_bench_limits, a_step_trains) {
    struct sr_bench_step s;
    struct sr_error err = {0};
    float x[16 * 8];
    uint8_t y[16];
    cr_assert_eq(sr_bench_step_create(&s, 8, 16, &err), 0, "%s", err.text);
    sr_bench_features(x, SR_COUNT(x));
    for (size_t i = 0; i < 16; i++)
        y[i] = i % 2;
    const double before = (double)s.model->params[0];
    sr_bench_step(&s, x, y, 16);
    sr_bench_step(&s, x, y, 16);
    cr_expect_neq((double)s.model->params[0], before);
    cr_expect_eq(s.done, 2);
    for (int p = 0; p < SR_PHASES; p++)
        cr_expect_gt(s.seconds[p], 0);
    sr_bench_step_free(&s);
}
