/* test_infer_counters.c: saferoute_stats: what is counted, the cap on rows out of range, the histogram, and
 * the text that Prometheus reads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>

#include "tests/router_fixture.h"

/* A row of a kind: in range, far from training, or with a NaN. */
enum kind { GOOD, FAR, BAD };

struct cap {
    struct saferoute_router *r;
    float *x;
    struct saferoute_stats stats;
};

static struct cap cap_begin(float cap) {
    const struct saferoute_options o = {.range_cap = cap, .has_threshold = 1, .threshold = 1};
    struct cap c = {.r = router_begin(&o, DIRECTIONS), .x = rows_begin(3, WIDTH, 1)};
    for (size_t i = 0; i < WIDTH; i++)
        c.x[FAR * WIDTH + i] *= 100;
    c.x[BAD * WIDTH] = NAN;
    return c;
}

static void cap_end(struct cap *c) {
    saferoute_close(c->r);
    sr_free(c->x);
}

/* The reason of n rows of a kind, which must all have the same. */
static int cap_decide(struct cap *c, enum kind kind, size_t n) {
    int reason = -1;
    for (size_t i = 0; i < n; i++) {
        struct saferoute_decision d;
        const struct saferoute_rows rows = rows_of(c->x + (size_t)kind * WIDTH, 1);
        saferoute_decide(c->r, &d, &rows, &c->stats);
        cr_expect_eq(d.large, kind != GOOD);
        cr_expect(reason < 0 || d.reason == reason, "%s behind %s, row %zu", saferoute_reason_name(d.reason),
                  saferoute_reason_name(reason), i);
        reason = d.reason;
    }
    return reason;
}

/* A quarter of at least 1,024 rows: 256 may go. */
Test(infer_cap, overload_past_the_cap_and_not_before) {
    struct cap c = cap_begin(.25f);
    cr_expect_eq(cap_decide(&c, FAR, 256), SAFEROUTE_REASON_OUT_OF_RANGE);
    cr_expect_eq(cap_decide(&c, FAR, 300), SAFEROUTE_REASON_OVERLOAD);
    cr_expect_eq(cap_decide(&c, BAD, 1), SAFEROUTE_REASON_NOT_FINITE, "other reasons have no cap");
    cr_expect_eq(c.stats.reason[SAFEROUTE_REASON_OUT_OF_RANGE], 256);
    cr_expect_eq(c.stats.reason[SAFEROUTE_REASON_OVERLOAD], 300);
    cr_expect_eq(c.stats.out_of_range, 556);
    cr_expect_eq(c.stats.large, 557);
    cap_end(&c);
}

Test(infer_cap, recovers_with_good_rows) {
    struct cap c = cap_begin(.25f);
    cap_decide(&c, FAR, 256);
    cr_expect_eq(cap_decide(&c, FAR, 44), SAFEROUTE_REASON_OVERLOAD);
    cr_expect_eq(cap_decide(&c, GOOD, 727), SAFEROUTE_REASON_SCORE); /* 1,027 rows */
    cr_expect_eq(cap_decide(&c, FAR, 1), SAFEROUTE_REASON_OUT_OF_RANGE, "257 of 1,028");
    cr_expect_eq(cap_decide(&c, FAR, 1), SAFEROUTE_REASON_OVERLOAD, "258 of 1,029");
    cap_decide(&c, GOOD, 20000);
    cr_expect_leq(c.stats.recent_rows, 8192);
    cr_expect_lt(c.stats.recent_routed, 129, "old rows are forgotten");
    cr_expect_eq(cap_decide(&c, FAR, 1), SAFEROUTE_REASON_OUT_OF_RANGE);
    cap_end(&c);
}

Test(infer_cap, none_without_a_cap_or_counters) {
    struct cap c = cap_begin(0);
    cr_expect_eq(cap_decide(&c, FAR, 5000), SAFEROUTE_REASON_OUT_OF_RANGE);
    cap_end(&c);
    c = cap_begin(1e-9f);
    cr_expect_eq(cap_decide(&c, FAR, 5), SAFEROUTE_REASON_OVERLOAD);
    struct saferoute_decision d;
    const struct saferoute_rows rows = rows_of(c.x + FAR * WIDTH, 1);
    saferoute_decide(c.r, &d, &rows, NULL);
    cr_expect_eq(d.reason, SAFEROUTE_REASON_OUT_OF_RANGE);
    cap_end(&c);
}

/* ---- sums ---- */

Test(infer_counters, rows_are_the_sum_of_reasons_and_scores_the_sum_of_buckets) {
    enum { ROWS = 300 };
    const struct saferoute_options o = {.explore = .3f};
    struct saferoute_router *r = router_begin(&o, DIRECTIONS);
    float *x = rows_begin(ROWS, WIDTH, 2);
    uint64_t key[ROWS], reason[SAFEROUTE_REASON_COUNT] = {0}, large = 0, sum = 0, scores = 0, finite = 0;
    struct saferoute_decision d[ROWS];
    struct saferoute_stats stats = {0};
    double logits = 0;
    for (size_t i = 0; i < ROWS; i++) {
        key[i] = saferoute_key(&i, sizeof i);
        x[i * WIDTH] = i % 10 == 3 ? NAN : i % 10 == 4 ? 1e6f : x[i * WIDTH];
    }
    struct saferoute_rows rows = rows_of(x, ROWS);
    rows.key = key;
    saferoute_decide(r, d, &rows, &stats);
    for (size_t i = 0; i < ROWS; i++) {
        reason[d[i].reason]++;
        large += d[i].large;
        finite += !isnan(d[i].logit);
        logits += isnan(d[i].logit) ? 0 : (double)d[i].logit;
    }
    for (size_t i = 0; i < SAFEROUTE_REASON_COUNT; i++) {
        cr_expect_eq(stats.reason[i], reason[i], "%s", saferoute_reason_name((int)i));
        sum += stats.reason[i];
    }
    for (size_t i = 0; i < SAFEROUTE_LOGIT_BUCKETS; i++)
        scores += stats.logit[i];
    cr_expect(reason[SAFEROUTE_REASON_EXPLORE] && reason[SAFEROUTE_REASON_SCORE] &&
              reason[SAFEROUTE_REASON_NOT_FINITE] == 30 && reason[SAFEROUTE_REASON_OUT_OF_RANGE] >= 30);
    cr_expect(stats.rows == ROWS && sum == ROWS && stats.large == large && scores == finite);
    cr_expect_eq(stats.logit_sum, logits);
    sr_free(x);
    saferoute_close(r);
}

Test(infer_counters, add_adds_every_field) {
    uint64_t part[sizeof(struct saferoute_stats) / sizeof(uint64_t)];
    struct saferoute_stats a, b, sum;
    for (size_t i = 0; i < SR_COUNT(part); i++)
        part[i] = i + 1;
    memcpy(&a, part, sizeof a);
    memset(&b, 0, sizeof b);
    a.logit_sum = -1.5;
    sum = a;
    saferoute_stats_add(&sum, &b);
    cr_expect(same_bits(&sum, &a, sizeof a), "zeros change nothing");
    saferoute_stats_add(&sum, &a);
    cr_expect_eq(sum.logit_sum, -3);
    sum.logit_sum = a.logit_sum;
    uint64_t twice[SR_COUNT(part)];
    memcpy(twice, &sum, sizeof sum);
    for (size_t i = 0; i < SR_COUNT(part); i++)
        cr_expect(i == offsetof(struct saferoute_stats, logit_sum) / 8 ||
                      i >= offsetof(struct saferoute_stats, reserved) / 8 || twice[i] == 2 * part[i],
                  "word %zu", i);
}

/* ---- the histogram ---- */

/* The bucket of a logit that a network without layers, w 1 and bias 0, makes of a feature. */
static size_t bucket_of(const struct saferoute_router *r, float logit) {
    struct saferoute_stats stats = {0};
    struct saferoute_decision d;
    saferoute_decide(
        r, &d,
        &(struct saferoute_rows){.features = &logit, .dtype = SAFEROUTE_FLOAT32, .rows = 1, .width = 1},
        &stats);
    cr_assert_eq(d.logit, logit);
    cr_assert_eq(stats.logit_sum, (double)logit);
    for (size_t i = 0; i < SAFEROUTE_LOGIT_BUCKETS; i++)
        if (stats.logit[i])
            return i;
    return SIZE_MAX;
}

/* Bucket i ends at -7.5 + i / 2, and as Prometheus has it holds its end. */
Test(infer_counters, buckets_hold_their_upper_end) {
    static const size_t identity[] = {1, 1};
    struct network n;
    struct saferoute_router *r;
    network_begin(&n, identity, 1, 0);
    *(float *)network_find(&n, "cls.0.weight")->data = 1;
    *(float *)network_find(&n, "cls.0.bias")->data = 0;
    cr_assert_eq(network_open(&r, &n, NULL, NULL), 0);
    network_end(&n);
    for (size_t i = 0; i + 1 < SAFEROUTE_LOGIT_BUCKETS; i++) {
        const float end = -7.5f + .5f * (float)i;
        cr_expect_eq(bucket_of(r, end), i, "%g", (double)end);
        cr_expect_eq(bucket_of(r, end - .001f), i, "%g", (double)end - .001);
        cr_expect_eq(bucket_of(r, end + .001f), i + 1, "%g", (double)end + .001);
    }
    cr_expect_eq(bucket_of(r, -8), 0);
    cr_expect_eq(bucket_of(r, -3e38f), 0);
    cr_expect_eq(bucket_of(r, 8), SAFEROUTE_LOGIT_BUCKETS - 1);
    cr_expect_eq(bucket_of(r, 3e38f), SAFEROUTE_LOGIT_BUCKETS - 1);
    saferoute_close(r);
}

/* ---- Prometheus ---- */

/* "name value" or "name{label=\"...\"} value", or a comment. */
static void check_line(const char *line) {
    char name[64], label[64], value[64], rest;
    const bool plain = sscanf(line, "%63[a-z_] %63[-0-9.e+]%c", name, value, &rest) == 2,
               labelled = sscanf(line, "%63[a-z_]{%63[a-z]=\"%*[-+.0-9A-Za-z_]\"} %63[0-9]%c", name, label,
                                 value, &rest) == 3;
    if (strncmp(line, "# HELP ", 7) != 0 && strncmp(line, "# TYPE ", 7) != 0)
        cr_expect(plain || labelled, "no line of Prometheus: %s", line);
}

Test(infer_counters, prometheus_text) {
    struct saferoute_stats stats = {.rows = UINT64_MAX, .large = 7, .logit_sum = -12.25};
    char text[SAFEROUTE_PROMETHEUS_SIZE], cut[SAFEROUTE_PROMETHEUS_SIZE];
    unsigned long long sum = 0, got, below = 0;
    size_t buckets = 0, reasons = 0;
    for (size_t i = 0; i < SR_COUNT(stats.reason); i++)
        stats.reason[i] = UINT64_MAX - i;
    for (size_t i = 0; i < SAFEROUTE_LOGIT_BUCKETS; i++)
        stats.logit[i] = 1000 + i;
    const size_t length = saferoute_stats_prometheus(text, sizeof text, &stats);
    cr_assert_lt(length, sizeof text);
    cr_assert_eq(length, strlen(text));
    cr_expect(text[length - 1] == '\n' && strstr(text, "saferoute_rows_total 18446744073709551615\n"));
    cr_expect(strstr(text, "\nsaferoute_large_total 7\n") && strstr(text, "\nsaferoute_logit_sum -12.25\n"));
    memcpy(cut, text, length + 1);
    for (char *rest = cut, *line; (line = strsep(&rest, "\n")) && *line;) {
        char end[16];
        check_line(line);
        reasons += strncmp(line, "saferoute_decisions_total{", 26) == 0;
        if (sscanf(line, "saferoute_logit_bucket{le=\"%15[^\"]\"} %llu", end, &got) == 2) {
            sum += stats.logit[buckets++];
            cr_expect_eq(got, sum, "bucket %s is cumulative", end);
            cr_expect_geq(got, below);
            below = got;
        } else if (sscanf(line, "saferoute_logit_count %llu", &got) == 1)
            cr_expect_eq(got, sum);
    }
    cr_expect_eq(buckets, SAFEROUTE_LOGIT_BUCKETS);
    cr_expect_eq(reasons, SAFEROUTE_REASON_COUNT);
    for (size_t size = 0; size < length + 2; size += size < 300 ? 1 : 97) {
        memset(cut, 'x', sizeof cut);
        cr_expect_eq(saferoute_stats_prometheus(size ? cut : NULL, size, &stats), length);
        if (size) {
            cr_expect_eq(strlen(cut), size <= length ? size - 1 : length);
            cr_expect(strncmp(cut, text, strlen(cut)) == 0 && cut[size] == 'x', "size %zu", size);
        }
    }
}
