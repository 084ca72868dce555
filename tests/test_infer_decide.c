/* test_infer_decide.c: deciding: the same bits whatever the type, stride and neighbours of a row; the rule;
 * exploring; the range of training.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/router_fixture.h"

enum { ROWS = 200 };
static const int precisions[] = {SAFEROUTE_COMPUTE_FLOAT32, SAFEROUTE_COMPUTE_BFLOAT16,
                                 SAFEROUTE_COMPUTE_INT8};

/* Calls check with a router of every precision, with and without what is known of training's rows. */
static void each_router(void (*check)(const struct saferoute_router *r)) {
    for (size_t i = 0; i < SR_COUNT(precisions); i++)
        for (size_t directions = 0; directions <= DIRECTIONS; directions += DIRECTIONS) {
            struct saferoute_router *r =
                router_begin(&(struct saferoute_options){.precision = precisions[i]}, directions);
            check(r);
            saferoute_close(r);
        }
}

static struct saferoute_decision *decide(const struct saferoute_router *r, const struct saferoute_rows *rows,
                                         struct saferoute_stats *stats) {
    struct saferoute_decision *d = sr_alloc(rows->rows, sizeof *d, NULL);
    saferoute_decide(r, d, rows, stats);
    return d;
}

/* ---- the same bits ---- */

static void check_logits(const struct saferoute_router *r) {
    float *x = rows_begin(ROWS, WIDTH, 1), logit[ROWS];
    const struct saferoute_rows rows = rows_of(x, ROWS);
    struct saferoute_decision *d = decide(r, &rows, NULL);
    saferoute_logits(r, logit, &rows);
    for (size_t i = 0; i < ROWS; i++) {
        cr_expect(same_bits(&d[i].logit, &logit[i], 4) && isfinite(logit[i]));
        cr_expect_eq(d[i].prob, sr_router_prob(logit[i]));
        cr_expect_eq(d[i].threshold, SR_THRESHOLD_UNSET);
        cr_expect_eq(d[i].key, 0);
        cr_expect_eq(d[i].precision, sr_router_of(r)->precision);
        cr_expect(same_bits(d[i].artefact, sr_router_of(r)->artefact, 32));
        cr_expect(isnan(d[i].calibrated));
    }
    sr_free(d);
    sr_free(x);
}

Test(infer_decide, decides_on_the_logits) {
    each_router(check_logits);
}

/* Rows in 16 bits, and the same widened. */
static void check_halves(const struct saferoute_router *r) {
    float *x = rows_begin(ROWS, WIDTH, 2);
    uint16_t *half = sr_alloc((size_t)ROWS * WIDTH, sizeof *half, NULL);
    static const enum saferoute_dtype dtypes[] = {SAFEROUTE_FLOAT16, SAFEROUTE_BFLOAT16};
    for (size_t k = 0; k < SR_COUNT(dtypes); k++) {
        const enum saferoute_dtype dtype = dtypes[k];
        float narrow[ROWS], wide[ROWS];
        sr_vec()->float_to_half(half, x, (size_t)ROWS * WIDTH);
        (dtype == SAFEROUTE_FLOAT16 ? sr_vec()->half_to_float
                                    : sr_vec()->bfloat16_to_float)(x, half, (size_t)ROWS * WIDTH);
        struct saferoute_rows rows = rows_of(x, ROWS);
        saferoute_logits(r, wide, &rows);
        rows.features = half;
        rows.dtype = dtype;
        saferoute_logits(r, narrow, &rows);
        cr_expect(same_bits(narrow, wide, sizeof wide), "dtype %d, precision %d", dtype,
                  sr_router_of(r)->precision);
        for (size_t i = 0; dtype == SAFEROUTE_FLOAT16 && i < (size_t)ROWS * WIDTH; i++)
            x[i] = network_normal(3, i);
    }
    sr_free(half);
    sr_free(x);
}

Test(infer_decide, sixteen_bits_are_the_same_widened) {
    each_router(check_halves);
}

/* Rows i at from + i * stride, copied there from x. */
static void check_stride(const struct saferoute_router *r, const float *x, const float *want,
                         ptrdiff_t stride, size_t shift) {
    const size_t step = (size_t)(stride < 0 ? -stride : stride), item = WIDTH * sizeof *x;
    char *bytes = sr_alloc(ROWS * step + item + 64, 1, NULL);
    char *first = bytes + shift + (stride < 0 ? (ROWS - 1) * step : 0);
    float logit[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        memcpy(first + (ptrdiff_t)i * stride, x + i * WIDTH, item);
    struct saferoute_rows rows = rows_of((const float *)(const void *)first, ROWS);
    rows.stride = stride;
    saferoute_logits(r, logit, &rows);
    cr_expect(same_bits(logit, want, sizeof logit), "stride %td, shift %zu, precision %d", stride, shift,
              sr_router_of(r)->precision);
    sr_free(bytes);
}

static void check_strides(const struct saferoute_router *r) {
    const ptrdiff_t strides[] = {160, 164, 161, 162, 320, -160, -164, -163};
    float *x = rows_begin(ROWS, WIDTH, 4), want[ROWS];
    struct saferoute_rows rows = rows_of(x, ROWS);
    saferoute_logits(r, want, &rows);
    for (size_t i = 0; i < SR_COUNT(strides); i++)
        for (size_t shift = 0; shift < 5; shift++)
            check_stride(r, x, want, strides[i], shift);
    sr_free(x);
}

Test(infer_decide, rows_lie_at_any_stride) {
    each_router(check_strides);
}

static void check_alone(const struct saferoute_router *r) {
    float *x = rows_begin(ROWS, WIDTH, 5);
    x[3 * WIDTH + 1] = NAN; /* a bad neighbour changes nothing */
    x[7 * WIDTH] = INFINITY;
    x[9 * WIDTH] = 3e38f;
    const struct saferoute_rows rows = rows_of(x, ROWS);
    struct saferoute_decision *d = decide(r, &rows, NULL);
    for (size_t i = 0; i < ROWS; i++) {
        const struct saferoute_rows row = rows_of(x + i * WIDTH, 1);
        struct saferoute_decision *alone = decide(r, &row, NULL);
        cr_expect(same_bits(alone, &d[i], sizeof *d), "row %zu, precision %d: %.9g alone, %.9g among others",
                  i, sr_router_of(r)->precision, (double)alone->logit, (double)d[i].logit);
        sr_free(alone);
    }
    sr_free(d);
    sr_free(x);
}

Test(infer_decide, a_row_is_the_same_alone) {
    each_router(check_alone);
}

Test(infer_decide, many_blocks_of_rows) {
    static const size_t widths[] = {2048, 64, 1}; /* 5 rows of 2048 + 64 numbers fit the scratch */
    struct network n;
    struct saferoute_router *r;
    network_begin(&n, widths, 2, 0);
    cr_assert_eq(network_open(&r, &n, NULL, NULL), 0);
    network_end(&n);
    float *x = rows_begin(131, 2048, 6), logit[131], alone;
    uint16_t *half = sr_alloc(131 * 2048, sizeof *half, NULL);
    sr_vec()->float_to_half(half, x, 131 * 2048);
    struct saferoute_rows rows = {.features = half, .dtype = SAFEROUTE_FLOAT16, .rows = 131, .width = 2048};
    saferoute_logits(r, logit, &rows);
    for (size_t i = 0; i < 131; i++) {
        struct saferoute_rows row = rows;
        row.features = half + i * 2048;
        row.rows = 1;
        saferoute_logits(r, &alone, &row);
        cr_expect(same_bits(&alone, &logit[i], 4), "row %zu", i);
    }
    sr_free(half);
    sr_free(x);
    saferoute_close(r);
}

/* ---- the rule ---- */

Test(infer_decide, large_above_the_threshold_and_not_at_it) {
    float *x = rows_begin(ROWS, WIDTH, 7), logit[ROWS];
    const struct saferoute_rows rows = rows_of(x, ROWS);
    struct saferoute_router *r = router_begin(NULL, 0);
    saferoute_logits(r, logit, &rows);
    saferoute_close(r);
    const float own = sr_router_prob(logit[17]);
    const float thresholds[] = {0, own, nextafterf(own, 0), nextafterf(own, 1), .5f, 1};
    for (size_t t = 0; t < SR_COUNT(thresholds); t++) {
        r = router_begin(&(struct saferoute_options){.has_threshold = 1,
                                                     .threshold = thresholds[t],
                                                     .range = SAFEROUTE_RANGE_OFF},
                         0);
        cr_expect_eq(saferoute_threshold(r), thresholds[t]);
        struct saferoute_decision *d = decide(r, &rows, NULL);
        for (size_t i = 0; i < ROWS; i++)
            cr_expect_eq(d[i].large, sr_router_prob(logit[i]) > thresholds[t], "row %zu at %g", i,
                         (double)thresholds[t]);
        cr_expect_eq(d[17].large, own > thresholds[t]);
        sr_free(d);
        saferoute_close(r);
    }
    sr_free(x);
}

Test(infer_decide, calibration_is_told_and_moves_nothing) {
    static const char text[] = "{\"method\":\"isotonic\",\"prob\":[0.1,0.5,0.9],\"calibrated\":[0,0.2,1]}";
    float *x = rows_begin(ROWS, WIDTH, 7);
    const struct saferoute_rows rows = rows_of(x, ROWS);
    struct network n;
    struct saferoute_router *r, *plain = router_begin(NULL, 0);
    struct sr_calibrator *c;
    network_begin(&n, SMALL, 0);
    network_says(&n, "calibration", text);
    cr_assert_eq(network_open(&r, &n, NULL, NULL), 0);
    cr_assert_eq(sr_calibrator_parse(&c, text, NULL), 0);
    struct saferoute_decision *d = decide(r, &rows, NULL), *before = decide(plain, &rows, NULL);
    for (size_t i = 0; i < ROWS; i++) {
        cr_expect_eq(d[i].calibrated, (float)sr_calibrator_apply(c, (double)d[i].prob));
        cr_expect(d[i].prob == before[i].prob && d[i].large == before[i].large);
    }
    sr_calibrator_free(c);
    sr_free(d);
    sr_free(before);
    network_end(&n);
    saferoute_close(r);
    saferoute_close(plain);
    sr_free(x);
}

/* ---- exploring ---- */

enum { KEYS = 100000 };

/* Of KEYS rows of which none would be large: how many were explored, and which. */
static size_t explore(float share, uint64_t seed, bool keys, uint8_t *large) {
    const struct saferoute_options o = {
        .explore = share, .explore_seed = seed, .has_threshold = 1, .threshold = 1};
    struct saferoute_router *r = router_begin(&o, 0);
    float *x = rows_begin(1, WIDTH, 8);
    uint64_t *key = sr_alloc(KEYS, sizeof *key, NULL);
    size_t found = 0;
    for (size_t i = 0; i < KEYS; i++) {
        char id[32];
        const int length = snprintf(id, sizeof id, "request-%zu", i);
        key[i] = saferoute_key(id, (size_t)length);
        cr_assert_neq(key[i], 0);
    }
    for (size_t i = 0; i < KEYS; i += 500) {
        struct saferoute_decision d[500];
        float *many = sr_alloc(500 * WIDTH, sizeof *many, NULL);
        for (size_t k = 0; k < 500; k++)
            memcpy(many + k * WIDTH, x, WIDTH * sizeof *x);
        struct saferoute_rows rows = rows_of(many, 500);
        rows.key = keys ? key + i : NULL;
        saferoute_decide(r, d, &rows, NULL);
        for (size_t k = 0; k < 500; k++) {
            cr_assert_eq(d[k].reason, d[k].large ? SAFEROUTE_REASON_EXPLORE : SAFEROUTE_REASON_SCORE);
            cr_assert_eq(d[k].key, keys ? key[i + k] : 0);
            found += large[i + k] = d[k].large;
        }
        sr_free(many);
    }
    sr_free(key);
    sr_free(x);
    saferoute_close(r);
    return found;
}

Test(infer_explore, a_share_of_the_rows) {
    static uint8_t a[KEYS], b[KEYS], c[KEYS];
    const double p = .02, n = KEYS, five = 5 * sqrt(n * p * (1 - p)); /* five deviations of a binomial */
    const size_t found = explore(.02f, 1, true, a), other = explore(.02f, 2, true, c);
    cr_expect(fabs((double)found - n * p) < five, "%zu", found);
    cr_expect(fabs((double)other - n * p) < five, "%zu", other);
    cr_expect_eq(explore(.02f, 1, true, b), found);
    cr_expect(same_bits(a, b, KEYS), "the same seed explores the same rows");
    size_t both = 0;
    for (size_t i = 0; i < KEYS; i++)
        both += a[i] && c[i];
    cr_expect_lt(both, 100, "%zu rows in common, 40 by chance", both);
    cr_expect_eq(explore(.02f, 1, false, a), 0, "nothing without keys");
    cr_expect_eq(explore(0, 1, true, a), 0);
    cr_expect_eq(explore(1, 1, true, a), KEYS);
}

Test(infer_explore, leaves_rows_that_are_large_already) {
    const struct saferoute_options o = {.explore = 1, .has_threshold = 1, .threshold = .5f};
    struct saferoute_router *r = router_begin(&o, DIRECTIONS);
    float *x = rows_begin(ROWS, WIDTH, 9);
    uint64_t key[ROWS];
    x[0] = NAN;
    for (size_t i = 0; i < ROWS; i++)
        key[i] = i + 1;
    for (size_t k = 0; k < WIDTH; k++)
        x[WIDTH + k] *= 100;
    struct saferoute_rows rows = rows_of(x, ROWS);
    rows.key = key;
    struct saferoute_decision *d = decide(r, &rows, NULL);
    cr_expect_eq(d[0].reason, SAFEROUTE_REASON_NOT_FINITE);
    cr_expect_eq(d[1].reason, SAFEROUTE_REASON_OUT_OF_RANGE);
    size_t kinds[2] = {0};
    for (size_t i = 2; i < ROWS; i++) {
        cr_expect_eq(d[i].reason, d[i].prob > .5f ? SAFEROUTE_REASON_SCORE : SAFEROUTE_REASON_EXPLORE);
        cr_expect_eq(d[i].large, 1);
        kinds[d[i].prob > .5f]++;
    }
    cr_expect(kinds[0] > 0 && kinds[1] > 0);
    sr_free(d);
    sr_free(x);
    saferoute_close(r);
}

Test(infer_explore, keys_of_ids) {
    cr_expect_neq(saferoute_key("a", 1), saferoute_key("b", 1));
    cr_expect_neq(saferoute_key("a", 1), saferoute_key("a\0", 2));
    cr_expect_neq(saferoute_key(NULL, 0), 0);
    cr_expect_eq(saferoute_key("abc", 3), saferoute_key("abcd", 3));
}
