/* decide.c: rows to decisions, where everything that is wrong means: to the large guard.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "infer/router.h"

#define RECENT_MOST 8192 /* rows of late; halved there, so that the share follows the last few thousand */
#define RECENT_LEAST                                                                                         \
    1024 /* the cap is a share of at least so many, or the first row of all would be over it */

/* ---- what does not need a score ---- */

static int reason_without_score(const struct sr_router *r, const struct saferoute_rows *rows) {
    if (!r)
        return SAFEROUTE_REASON_NO_ROUTER;
    if (!rows->features || (rows->dtype != SAFEROUTE_FLOAT32 && rows->dtype != SAFEROUTE_BFLOAT16 &&
                            rows->dtype != SAFEROUTE_FLOAT16))
        return SAFEROUTE_REASON_NO_FEATURES;
    return rows->width == sr_router_width(r) ? SAFEROUTE_REASON_SCORE : SAFEROUTE_REASON_WIDTH;
}

/* All but what the score decides. */
static struct saferoute_decision decision_begin(const struct sr_router *r, const struct saferoute_rows *rows,
                                                size_t row, int reason) {
    struct saferoute_decision d = {.key = rows->key ? rows->key[row] : 0,
                                   .logit = NAN,
                                   .prob = NAN,
                                   .calibrated = NAN,
                                   .threshold = r ? r->threshold : NAN,
                                   .large = 1,
                                   .reason = (uint8_t)reason};
    if (r) {
        memcpy(d.artefact, r->artefact, sizeof d.artefact);
        d.range_limit = r->range.known ? r->range.limit : 0;
        d.precision = (uint8_t)r->precision;
        d.range_mode = (uint8_t)r->options.range;
    }
    return d;
}

/* ---- what the score decides ---- */

/* 53 bits of the key, mixed with the seed, as a number of [0, 1). */
static bool is_explored(const struct saferoute_options *o, uint64_t key) {
    uint64_t x = (key ^ o->explore_seed) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    return (double)(x >> 11) * 0x1p-53 < (double)o->explore;
}

static void take_score(const struct sr_router *r, struct saferoute_decision *d, const struct sr_scored *s,
                       bool has_key) {
    d->reason = s->reason;
    d->range = s->range;
    if (s->reason != SAFEROUTE_REASON_SCORE)
        return;
    d->logit = s->logit;
    d->prob = sr_router_prob(s->logit);
    d->calibrated = r->calibrator ? (float)sr_calibrator_apply(r->calibrator, (double)d->prob) : NAN;
    if (r->options.range == SAFEROUTE_RANGE_ROUTE && d->range > d->range_limit)
        d->reason = SAFEROUTE_REASON_OUT_OF_RANGE;
    else if (!(d->large = sr_is_routed(d->prob, d->threshold)) && has_key &&
             is_explored(&r->options, d->key)) {
        d->large = 1;
        d->reason = SAFEROUTE_REASON_EXPLORE;
    }
}

/* ---- counters ---- */

/* A bucket holds its upper end, as Prometheus has it. */
static size_t bucket_of(float logit) {
    const float at = ceilf((logit + 8) * 2) - 1;
    return at <= 0 ? 0 : at >= SAFEROUTE_LOGIT_BUCKETS ? SAFEROUTE_LOGIT_BUCKETS - 1 : (size_t)at;
}

/* Counts the decision, and makes OVERLOAD of OUT_OF_RANGE past the cap. */
static void count(struct saferoute_stats *stats, const struct sr_router *r, struct saferoute_decision *d) {
    const float cap = r ? r->options.range_cap : 0;
    const bool out = d->reason == SAFEROUTE_REASON_OUT_OF_RANGE;
    if (++stats->recent_rows >= RECENT_MOST) {
        stats->recent_rows /= 2;
        stats->recent_routed /= 2;
    }
    const uint64_t of = stats->recent_rows > RECENT_LEAST ? stats->recent_rows : RECENT_LEAST;
    if (out && cap > 0 && (float)(stats->recent_routed + 1) > cap * (float)of)
        d->reason = SAFEROUTE_REASON_OVERLOAD;
    stats->recent_routed += d->reason == SAFEROUTE_REASON_OUT_OF_RANGE;
    stats->rows++;
    stats->large += d->large;
    stats->reason[d->reason]++;
    stats->out_of_range += d->range > 0 && d->range > d->range_limit;
    if (!isnan(d->logit)) {
        stats->logit[bucket_of(d->logit)]++;
        stats->logit_sum += (double)d->logit;
    }
}

void saferoute_decide(const struct saferoute_router *router, struct saferoute_decision *out,
                      const struct saferoute_rows *rows, struct saferoute_stats *stats) {
    if (!rows || !out)
        return;
    const struct sr_router *r = sr_router_of(router);
    const int reason = reason_without_score(r, rows);
    const size_t most = reason == SAFEROUTE_REASON_SCORE ? sr_forward_most(r, rows) : SR_BLOCK_MOST;
    for (size_t done = 0; done < rows->rows; done += most) {
        const size_t n = rows->rows - done < most ? rows->rows - done : most;
        struct sr_scored scored[SR_BLOCK_MOST];
        if (reason == SAFEROUTE_REASON_SCORE)
            sr_forward(r, scored, rows, done, n);
        for (size_t i = 0; i < n; i++) {
            struct saferoute_decision *d = &out[done + i];
            *d = decision_begin(r, rows, done + i, reason);
            if (reason == SAFEROUTE_REASON_SCORE)
                take_score(r, d, &scored[i], rows->key != NULL);
            if (stats)
                count(stats, r, d);
        }
    }
}

void saferoute_logits(const struct saferoute_router *router, float *logit,
                      const struct saferoute_rows *rows) {
    if (!rows || !logit)
        return;
    const struct sr_router *r = sr_router_of(router);
    const bool sound = reason_without_score(r, rows) == SAFEROUTE_REASON_SCORE;
    const size_t most = sound ? sr_forward_most(r, rows) : SR_BLOCK_MOST;
    for (size_t done = 0; done < rows->rows; done += most) {
        const size_t n = rows->rows - done < most ? rows->rows - done : most;
        struct sr_scored scored[SR_BLOCK_MOST];
        if (sound)
            sr_forward(r, scored, rows, done, n);
        for (size_t i = 0; i < n; i++)
            logit[done + i] = sound ? scored[i].logit : NAN;
    }
}

void sr_router_logits(const struct sr_router *r, float *logit, const float *x, size_t rows) {
    saferoute_logits(
        sr_router_shipped(r), logit,
        &(struct saferoute_rows){
            .features = x, .dtype = SAFEROUTE_FLOAT32, .rows = rows, .width = sr_router_width(r)});
}

uint64_t saferoute_key(const void *id, size_t size) {
    const unsigned char *byte = id;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ byte[i]) * 0x100000001b3u;
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
    h ^= h >> 33;
    return h ? h : 1;
}
