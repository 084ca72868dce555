/* bench_scoring.c: rows a second that one thread scores, by the size of the call and the precision.
 *
 * Through the shipped library's saferoute_decide, range check included, on made-up rows of float32 in memory.
 * The limit is the roofline: products at the peak of the arithmetic, or the weights read once a call.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "train/bench_router.h"

#define MOST_ROWS 1024

static const size_t batches[] = {1, 8, 64, MOST_ROWS};
#define CASES (SR_BENCH_PRECISIONS * SR_COUNT(batches))

struct scoring {
    struct sr_bench_routers routers;
    float *x;
    struct saferoute_decision *decision;
    double *rate[CASES]; /* [rounds] */
    struct sr_arena arena;
};

/* One call. */
struct call {
    const struct saferoute_router *router;
    struct saferoute_decision *out;
    struct saferoute_rows rows;
};

static void call_run(void *user) {
    const struct call *c = user;
    saferoute_decide(c->router, c->out, &c->rows, NULL);
}

static void carve(struct scoring *s, size_t rounds) {
    s->x = sr_arena_take(&s->arena, MOST_ROWS * s->routers.width, sizeof *s->x);
    s->decision = sr_arena_take(&s->arena, MOST_ROWS, sizeof *s->decision);
    for (size_t i = 0; i < CASES; i++)
        s->rate[i] = sr_arena_take(&s->arena, rounds, sizeof(double));
}

static int scoring_begin(struct scoring *s, const struct sr_bench *b, struct sr_error *err) {
    *s = (struct scoring){0};
    int status = sr_bench_routers_open(&s->routers, b, err);
    if (status < 0)
        return status;
    carve(s, b->rounds);
    status = sr_arena_allocate(&s->arena, err);
    if (status == SR_OK) {
        carve(s, b->rounds);
        sr_bench_features(s->x, MOST_ROWS * s->routers.width);
    }
    return status;
}

static void scoring_end(struct scoring *s) {
    sr_bench_routers_close(&s->routers);
    sr_free(s->arena.base);
}

static size_t cases_count(const struct scoring *s) {
    return s->routers.n * SR_COUNT(batches);
}

static void case_round(struct scoring *s, size_t i, size_t round, double seconds) {
    const size_t rows = batches[i % SR_COUNT(batches)];
    struct call c = {s->routers.of[i / SR_COUNT(batches)].router,
                     s->decision,
                     {.features = s->x, .dtype = SAFEROUTE_FLOAT32, .rows = rows, .width = s->routers.width}};
    call_run(&c);
    s->rate[i][round] = (double)rows / sr_bench_time(call_run, &c, seconds);
}

static int case_report(struct sr_json *o, struct scoring *s, size_t i, struct sr_bench *b,
                       struct sr_error *err) {
    const struct sr_bench_router *r = &s->routers.of[i / SR_COUNT(batches)];
    const size_t rows = batches[i % SR_COUNT(batches)];
    double least;
    const int status = sr_bench_router_least(&least, r, rows, b, err);
    if (status < 0)
        return status;
    sr_json_set(o, "precision", sr_json_string(r->precision));
    sr_bench_set_integer(o, "batch", rows);
    sr_bench_set_integer(o, "threads", 1);
    const double rate = sr_bench_set(o, "rows_per_second", s->rate[i], b->rounds);
    sr_bench_set_number(o, "microseconds_per_row", 1e6 / rate);
    sr_bench_set_number(o, "giga_operations_per_second", 2e-9 * (double)r->numbers * rate);
    sr_bench_set_number(o, "of_limit", least * rate / (double)rows);
    return SR_OK;
}

static int run(struct sr_bench_result *out, struct sr_bench *b, struct sr_error *err) {
    struct scoring s;
    int status = scoring_begin(&s, b, err);
    const size_t cases = cases_count(&s);
    for (size_t r = 0; status == SR_OK && r < b->rounds; r++)
        for (size_t i = 0; i < cases; i++) {
            case_round(&s, i, r, b->seconds);
            sr_bench_progress(b, r * cases + i + 1, b->rounds * cases);
        }
    if (status == SR_OK)
        out->json = sr_json_array();
    for (size_t i = 0; status == SR_OK && i < cases; i++) {
        struct sr_json *o = sr_json_object();
        sr_json_append(out->json, o);
        status = case_report(o, &s, i, b, err);
    }
    snprintf(out->title, sizeof out->title,
             "scoring by one thread, %s\n"
             "limit: the products at the peak, or the weights read once a call, whichever takes longer",
             s.routers.title);
    scoring_end(&s);
    return status;
}

const struct sr_bench_part sr_bench_part_scoring = {
    .name = "scoring",
    .run = run,
    .column = {{"precision", .key = "precision"},
               {"rows a call", .key = "batch"},
               {"rows/s", .key = "rows_per_second", .range = true},
               {"us a row", .key = "microseconds_per_row", .decimals = 2},
               {"G(FL)OP/s", .key = "giga_operations_per_second", .decimals = 1},
               {"of limit", .key = "of_limit", .percent = true},
               {0}},
};
