/* test_base_random.c: Philox against the published vectors, and the numbers made from it.
 *
 * Vectors: Random123's kat_vectors, lines "philox4x32 10".
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "nn/base/base.h"

#define N 100000

Test(random, philox_gives_the_published_vectors) {
    static const struct {
        uint64_t seed, stream, index;
        struct sr_philox4 result;
    } known[] = {
        {0, 0, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}},
        {~0ull, ~0ull, ~0ull, {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}},
        /* counter 243f6a88 85a308d3 13198a2e 03707344, key a4093822 299f31d0; low words come first */
        {0x299f31d0a4093822,
         0x0370734413198a2e,
         0x85a308d3243f6a88,
         {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}},
    };
    for (size_t i = 0; i < SR_COUNT(known); i++) {
        const struct sr_philox4 r = sr_philox(known[i].seed, known[i].stream, known[i].index);
        cr_expect_arr_eq(r.v, known[i].result.v, sizeof r.v, "vector %zu: %08x %08x %08x %08x", i, r.v[0],
                         r.v[1], r.v[2], r.v[3]);
    }
    cr_expect_eq(sr_random_bits(0, 0, 0), 0xe169c58d6627e8d5);
}

Test(random, uniform_is_the_top_53_bits) {
    cr_expect_eq(sr_random_uniform(0, 0, 0), (double)(0xe169c58d6627e8d5 >> 11) / 9007199254740992.0);
    double sum = 0;
    for (uint64_t i = 0; i < N; i++) {
        const double u = sr_random_uniform(1, sr_stream(SR_STREAM_TEST, 0, 0), i);
        cr_assert(u >= 0 && u < 1);
        sum += u;
    }
    /* the mean of N uniforms deviates by sqrt(1/12/N) = .0009; five times that */
    cr_expect_float_eq(sum / N, .5, .0046);
}

Test(random, normal_has_the_moments_of_a_normal) {
    double sum[5] = {0};
    for (uint64_t i = 0; i < N; i++) {
        const double x = sr_random_normal(2, sr_stream(SR_STREAM_TEST, 0, 0), i);
        for (int k = 1; k <= 4; k++)
            sum[k] += pow(x, k);
    }
    /* five deviations of each mean: the variances of x, x^2, x^3, x^4 are 1, 2, 15, 96 */
    cr_expect_float_eq(sum[1] / N, 0, 5 * sqrt(1.0 / N));
    cr_expect_float_eq(sum[2] / N, 1, 5 * sqrt(2.0 / N));
    cr_expect_float_eq(sum[3] / N, 0, 5 * sqrt(15.0 / N));
    cr_expect_float_eq(sum[4] / N, 3, 5 * sqrt(96.0 / N));
}

/* The second of a pair is a normal of its own: neither it nor its square goes with the first. */
Test(random, pairs_are_independent) {
    double sum[5] = {0}, product = 0, squares = 0;
    for (uint64_t i = 0; i < N; i++) {
        double pair[2];
        sr_random_normal_pair(pair, 2, sr_stream(SR_STREAM_TEST, 0, 0), i);
        cr_assert_eq(pair[0], sr_random_normal(2, sr_stream(SR_STREAM_TEST, 0, 0), i));
        for (int k = 1; k <= 4; k++)
            sum[k] += pow(pair[1], k);
        product += pair[0] * pair[1];
        squares += (pair[0] * pair[0] - 1) * (pair[1] * pair[1] - 1);
    }
    cr_expect_float_eq(sum[1] / N, 0, 5 * sqrt(1.0 / N));
    cr_expect_float_eq(sum[2] / N, 1, 5 * sqrt(2.0 / N));
    cr_expect_float_eq(sum[4] / N, 3, 5 * sqrt(96.0 / N));
    cr_expect_float_eq(product / N, 0, 5 * sqrt(1.0 / N));
    cr_expect_float_eq(squares / N, 0, 5 * sqrt(4.0 / N)); /* variance of x^2 - 1 is 2 */
}

Test(random, below_is_even_over_its_range) {
    int count[7] = {0};
    for (uint64_t i = 0; i < N; i++) {
        const uint64_t k = sr_random_below(3, sr_stream(SR_STREAM_TEST, 1, 0), i, 7);
        cr_assert_lt(k, 7);
        count[k]++;
    }
    for (int k = 0; k < 7; k++) /* five deviations of a binomial count: sqrt(N * 1/7 * 6/7) = 111 */
        cr_expect(abs(count[k] - N / 7) < 555, "%d times %d", count[k], k);
    cr_expect_eq(sr_random_below(3, 1, 0, 1), 0);
    /* the multiply-and-shift method keeps the top bits: 2^63 buckets of 2 */
    cr_expect_eq(sr_random_below(0, 0, 0, 1ull << 63), 0xe169c58d6627e8d5 >> 1);
}

Test(random, shuffle_permutes_and_every_order_comes_up) {
    uint32_t items[1000];
    bool seen[1000] = {false};
    for (uint32_t i = 0; i < 1000; i++)
        items[i] = i;
    sr_random_shuffle(items, 1000, 4, sr_stream(SR_STREAM_TEST, 2, 0));
    size_t moved = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        cr_assert(items[i] < 1000 && !seen[items[i]]);
        seen[items[i]] = true;
        moved += items[i] != i;
    }
    cr_expect_gt(moved, 950); /* a random permutation of 1000 keeps one item in its place on average */
    int orders[6] = {0};
    for (uint64_t seed = 0; seed < 6000; seed++) {
        uint32_t three[] = {0, 1, 2};
        sr_random_shuffle(three, 3, seed, sr_stream(SR_STREAM_TEST, 3, 0));
        orders[2 * three[0] + (three[1] > three[2])]++;
    }
    for (int k = 0; k < 6; k++) /* 1000 each; five deviations: 5 * sqrt(6000 * 1/6 * 5/6) = 144 */
        cr_expect(abs(orders[k] - 1000) < 144, "order %d: %d of 6000", k, orders[k]);
    sr_random_shuffle(items, 0, 0, 0);
}

Test(random, streams_of_different_purposes_differ) {
    cr_expect_neq(sr_stream(SR_STREAM_INIT, 0, 0), sr_stream(SR_STREAM_DROPOUT, 0, 0));
    cr_expect_neq(sr_stream(SR_STREAM_INIT, 1, 0), sr_stream(SR_STREAM_INIT, 0, 1));
    /* what does not fit is cut, not spilled into the neighbour */
    cr_expect_eq(sr_stream(SR_STREAM_INIT, 0x10000, 1ull << 40), sr_stream(SR_STREAM_INIT, 0, 0));
}
