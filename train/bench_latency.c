/* bench_latency.c: how long one row takes, as a serving process calls the router: by one caller, and by as
 * many callers on the same router as there are threads.
 *
 * Every call is timed by itself and goes to one of a few rows, which lie in the caller's cache as a row just
 * received does. Percentiles are over all calls of all rounds and callers; the range of the median is over
 * rounds. The limit is the roofline's of one row on one thread: the weights read once.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "train/bench_router.h"

#define CALLS_PER_SECOND 50000 /* of --seconds, over all rounds: 10,000 calls where it is .2 */
#define CALLS_LEAST      20
#define WARM_CALLS       20
#define ROWS             16
#define CASES_MAX        (2 * SR_BENCH_PRECISIONS)

struct latency_case {
    const struct sr_bench_router *router;
    int callers;
    size_t done;    /* calls timed */
    double *time;   /* [rounds * callers * calls], microseconds */
    double *median; /* [rounds] */
};

struct latency {
    struct sr_bench_routers routers;
    struct latency_case of[CASES_MAX];
    size_t cases, calls; /* calls of a caller in a round */
    float *x;            /* [ROWS, width] */
    struct sr_arena arena;
};

static void cases_list(struct latency *l, const struct sr_bench *b) {
    const double calls = CALLS_PER_SECOND * b->seconds / (double)b->rounds;
    l->calls = calls > CALLS_LEAST ? (size_t)calls : CALLS_LEAST;
    for (size_t i = 0; i < l->routers.n; i++)
        l->of[l->cases++] = (struct latency_case){.router = &l->routers.of[i], .callers = 1};
    for (size_t i = 0; b->threads > 1 && i < l->routers.n; i++)
        l->of[l->cases++] = (struct latency_case){.router = &l->routers.of[i], .callers = b->threads};
}

static void carve(struct latency *l, size_t rounds) {
    l->x = sr_arena_take(&l->arena, ROWS * l->routers.width, sizeof *l->x);
    for (size_t i = 0; i < l->cases; i++) {
        l->of[i].time =
            sr_arena_take(&l->arena, rounds * (size_t)l->of[i].callers * l->calls, sizeof(double));
        l->of[i].median = sr_arena_take(&l->arena, rounds, sizeof(double));
    }
}

static int latency_begin(struct latency *l, const struct sr_bench *b, struct sr_error *err) {
    *l = (struct latency){0};
    int status = sr_bench_routers_open(&l->routers, b, err);
    if (status < 0)
        return status;
    cases_list(l, b);
    carve(l, b->rounds);
    status = sr_arena_allocate(&l->arena, err);
    if (status == SR_OK) {
        carve(l, b->rounds);
        sr_bench_features(l->x, ROWS * l->routers.width);
    }
    return status;
}

static void latency_end(struct latency *l) {
    sr_bench_routers_close(&l->routers);
    sr_free(l->arena.base);
}

/* What one caller does: calls that are not timed, then `calls` that are. */
static void caller_run(double *time, const struct latency *l, const struct saferoute_router *router) {
    struct saferoute_decision d;
    struct saferoute_rows row = {.dtype = SAFEROUTE_FLOAT32, .rows = 1, .width = l->routers.width};
    for (size_t i = 0; i < WARM_CALLS + l->calls; i++) {
        row.features = l->x + i % ROWS * l->routers.width;
        const double began = sr_log_clock();
        saferoute_decide(router, &d, &row, NULL);
        if (i >= WARM_CALLS)
            time[i - WARM_CALLS] = 1e6 * (sr_log_clock() - began);
    }
}

static void case_round(struct latency *l, struct latency_case *c, size_t round) {
    double *time = c->time + c->done;
    const size_t n = (size_t)c->callers * l->calls;
#pragma omp parallel for schedule(static, 1) num_threads(c->callers)
    for (int i = 0; i < c->callers; i++)
        caller_run(time + (size_t)i * l->calls, l, c->router->router);
    c->done += n;
    c->median[round] = sr_bench_median(time, n);
}

static int case_report(struct sr_json *o, struct latency_case *c, struct sr_bench *b, struct sr_error *err) {
    double least;
    const int status = sr_bench_router_least(&least, c->router, 1, b, err);
    if (status < 0)
        return status;
    sr_bench_sort(c->time, c->done);
    sr_json_set(o, "precision", sr_json_string(c->router->precision));
    sr_json_set(o, "callers", sr_json_integer(c->callers));
    sr_bench_set_integer(o, "calls", c->done);
    const double median = sr_bench_set(o, "p50_us", c->median, b->rounds);
    sr_bench_set_number(o, "p99_us", sr_bench_percentile(c->time, c->done, .99));
    sr_bench_set_number(o, "p999_us", sr_bench_percentile(c->time, c->done, .999));
    sr_bench_set_number(o, "of_limit", 1e6 * least / median);
    return SR_OK;
}

static int run(struct sr_bench_result *out, struct sr_bench *b, struct sr_error *err) {
    struct latency l;
    int status = latency_begin(&l, b, err);
    for (size_t r = 0; status == SR_OK && r < b->rounds; r++)
        for (size_t i = 0; i < l.cases; i++) {
            case_round(&l, &l.of[i], r);
            sr_bench_progress(b, r * l.cases + i + 1, b->rounds * l.cases);
        }
    if (status == SR_OK)
        out->json = sr_json_array();
    for (size_t i = 0; status == SR_OK && i < l.cases; i++) {
        struct sr_json *o = sr_json_object();
        sr_json_append(out->json, o);
        status = case_report(o, &l.of[i], b, err);
    }
    snprintf(out->title, sizeof out->title,
             "latency of one row, %s\n"
             "callers decide with one router at once; limit: the weights read once by one thread",
             l.routers.title);
    latency_end(&l);
    return status;
}

const struct sr_bench_part sr_bench_part_latency = {
    .name = "latency",
    .run = run,
    .column = {{"precision", .key = "precision"},
               {"callers", .key = "callers"},
               {"calls", .key = "calls"},
               {"p50 us", .key = "p50_us", .decimals = 1, .range = true},
               {"p99", .key = "p99_us", .decimals = 1},
               {"p99.9", .key = "p999_us", .decimals = 1},
               {"p50 of limit", .key = "of_limit", .percent = true},
               {0}},
};
