/* bench_training.c: a training step by phase, at several sizes of batch, on made-up rows in memory.
 *
 * Forward and backward are shares of what the Linear layers' products would take at the FMA peak of as many
 * threads, so that all that is done around them counts as lost. Clip and AdamW are a share of their memory
 * traffic: 28 bytes a parameter, and 4 more to find the gradient's norm first.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "train/bench.h"
#include "train/bench_step.h"

#define MOST_ROWS 1024
#define SCALED    256 /* the batch that is also measured on one thread */
#define CASES_MAX 4
#define POSITIVE  4 /* every so many-th row is one */

/* One line of the table, and what its rounds have given. */
struct training_case {
    size_t rows;
    int threads;
    double *phase[SR_PHASES], *whole, *rate; /* [rounds]: seconds, seconds, rows a second */
    double *forward, *backward;              /* [rounds]: seconds of the products alone */
};

struct training {
    struct sr_bench_step step;
    struct sr_bench_gemm gemm;
    real *x;
    uint8_t *y;
    struct training_case of[CASES_MAX];
    size_t cases;
    struct sr_arena arena;
};

static void cases_list(struct training *t, const struct sr_bench *b) {
    const struct training_case all[CASES_MAX] = {
        {.rows = 64, .threads = b->threads},
        {.rows = SCALED, .threads = b->threads},
        {.rows = MOST_ROWS, .threads = b->threads},
        {.rows = SCALED, .threads = 1},
    };
    memcpy(t->of, all, sizeof all);
    t->cases = b->threads > 1 ? CASES_MAX : CASES_MAX - 1;
}

static void carve(struct training *t, size_t rounds) {
    t->x = sr_arena_take(&t->arena, (size_t)MOST_ROWS * SR_BENCH_WIDTH, sizeof *t->x);
    t->y = sr_arena_take(&t->arena, MOST_ROWS, 1);
    for (size_t i = 0; i < t->cases; i++) {
        struct training_case *c = &t->of[i];
        double **const all[] = {&c->phase[SR_PHASE_FORWARD],
                                &c->phase[SR_PHASE_BACKWARD],
                                &c->phase[SR_PHASE_UPDATE],
                                &c->whole,
                                &c->rate,
                                &c->forward,
                                &c->backward};
        for (size_t k = 0; k < SR_COUNT(all); k++)
            *all[k] = sr_arena_take(&t->arena, rounds, sizeof(double));
    }
}

static int training_begin(struct training *t, const struct sr_bench *b, struct sr_error *err) {
    memset(t, 0, sizeof *t);
    cases_list(t, b);
    carve(t, b->rounds);
    int status = sr_arena_allocate(&t->arena, err);
    if (status == SR_OK)
        status = sr_bench_step_create(&t->step, SR_BENCH_WIDTH, MOST_ROWS, err);
    if (status == SR_OK)
        status = sr_bench_gemm_create(&t->gemm, &t->step.model->spec, MOST_ROWS, err);
    if (status < 0)
        return status;
    carve(t, b->rounds);
    sr_bench_features(t->x, (size_t)MOST_ROWS * SR_BENCH_WIDTH);
    for (size_t i = 0; i < MOST_ROWS; i++)
        t->y[i] = i % POSITIVE == 0;
    return SR_OK;
}

static void training_end(struct training *t) {
    sr_bench_step_free(&t->step);
    sr_bench_gemm_free(&t->gemm);
    sr_free(t->arena.base);
}

/* Steps for b->seconds, behind one that is not counted. */
static void case_steps(struct training *t, struct training_case *c, size_t round, double seconds) {
    struct sr_bench_step *s = &t->step;
    sr_bench_step(s, t->x, t->y, c->rows);
    memset(s->seconds, 0, sizeof s->seconds);
    const double began = sr_log_clock();
    double spent;
    size_t steps = 0;
    do {
        sr_bench_step(s, t->x, t->y, c->rows);
        steps++;
        spent = sr_log_clock() - began;
    } while (spent < seconds);
    for (int p = 0; p < SR_PHASES; p++)
        c->phase[p][round] = s->seconds[p] / (double)steps;
    c->whole[round] = spent / (double)steps;
    c->rate[round] = (double)(c->rows * steps) / spent;
}

static void case_round(struct training *t, struct training_case *c, size_t round, double seconds) {
    const int before = sr_cpu_team(c->threads);
    case_steps(t, c, round, seconds);
    t->gemm.rows = c->rows;
    c->forward[round] = sr_bench_time(sr_bench_gemm_forward, &t->gemm, seconds / 2);
    c->backward[round] = sr_bench_time(sr_bench_gemm_backward, &t->gemm, seconds / 2);
    sr_cpu_team(before);
}

static int case_report(struct sr_json *o, struct training *t, struct training_case *c, struct sr_bench *b,
                       struct sr_error *err) {
    const struct sr_model *m = t->step.model;
    const size_t n = b->rounds;
    const double peak = sr_bench_fma(b, c->threads);
    double forward, backward, bandwidth;
    const int status = sr_bench_update(&bandwidth, b, c->threads, m->n_params, err);
    if (status < 0)
        return status;
    sr_bench_step_work(&forward, &backward, &m->spec, c->rows);
    const double traffic = 8 * sizeof(float) * (double)m->n_params;
    sr_bench_set_integer(o, "batch", c->rows);
    sr_json_set(o, "threads", sr_json_integer(c->threads));
    const double f = sr_bench_set_milliseconds(o, "forward_ms", c->phase[SR_PHASE_FORWARD], n);
    const double g = sr_bench_set_milliseconds(o, "backward_ms", c->phase[SR_PHASE_BACKWARD], n);
    const double u = sr_bench_set_milliseconds(o, "update_ms", c->phase[SR_PHASE_UPDATE], n);
    const double whole = sr_bench_set_milliseconds(o, "step_ms", c->whole, n);
    sr_bench_set(o, "rows_per_second", c->rate, n);
    sr_bench_set_number(o, "forward_of_peak", forward / peak / f);
    sr_bench_set_number(o, "backward_of_peak", backward / peak / g);
    sr_bench_set_number(o, "update_of_limit", traffic / bandwidth / u);
    sr_bench_set_number(o, "step_of_peak", (forward + backward) / peak / whole);
    sr_bench_set_number(o, "gemm_forward_of_peak", forward / peak / sr_bench_median(c->forward, n));
    sr_bench_set_number(o, "gemm_backward_of_peak", backward / peak / sr_bench_median(c->backward, n));
    return SR_OK;
}

/* The last case against the same batch on all threads. */
static void scaling_report(char *text, size_t size, struct sr_json *last, const struct training *t,
                           const struct sr_bench *b) {
    const struct training_case *one = &t->of[t->cases - 1], *all = one;
    for (size_t i = 0; i + 1 < t->cases; i++)
        all = t->of[i].rows == one->rows ? &t->of[i] : all;
    const double times = sr_bench_median(all->rate, b->rounds) / sr_bench_median(one->rate, b->rounds);
    sr_bench_set_number(last, "scaling", times);
    snprintf(text, size, "\n%d threads train %.2f times as many rows a second as one (batch %d)", b->threads,
             times, SCALED);
}

static int training_report(struct sr_bench_result *out, struct training *t, struct sr_bench *b,
                           struct sr_error *err) {
    int status = SR_OK;
    char scaling[128] = "";
    struct sr_json *o = NULL;
    out->json = sr_json_array();
    for (size_t i = 0; status == SR_OK && i < t->cases; i++) {
        sr_json_append(out->json, o = sr_json_object());
        status = case_report(o, t, &t->of[i], b, err);
    }
    if (status == SR_OK && b->threads > 1)
        scaling_report(scaling, sizeof scaling, o, t, b);
    snprintf(out->title, sizeof out->title,
             "training, %d features, float32: milliseconds of a step's phases and share of the limit: FMA\n"
             "peak of as many threads, for clip + AdamW memory; last, the products alone (GEMM)%s",
             SR_BENCH_WIDTH, scaling);
    return status;
}

static int run(struct sr_bench_result *out, struct sr_bench *b, struct sr_error *err) {
    struct training t;
    int status = training_begin(&t, b, err);
    for (size_t r = 0; status == SR_OK && r < b->rounds; r++)
        for (size_t i = 0; i < t.cases; i++) {
            case_round(&t, &t.of[i], r, b->seconds);
            sr_bench_progress(b, r * t.cases + i + 1, b->rounds * t.cases);
        }
    if (status == SR_OK)
        status = training_report(out, &t, b, err);
    training_end(&t);
    return status;
}

const struct sr_bench_part sr_bench_part_training = {
    .name = "training",
    .run = run,
    .column = {{"batch", .key = "batch"},
               {"threads", .key = "threads"},
               {"forward", .key = "forward_ms", .decimals = 2, .share = "forward_of_peak"},
               {"backward", .key = "backward_ms", .decimals = 2, .share = "backward_of_peak"},
               {"update", .key = "update_ms", .decimals = 2, .share = "update_of_limit"},
               {"rows/s", .key = "rows_per_second", .range = true},
               {"GEMM fwd", .key = "gemm_forward_of_peak", .percent = true},
               {"bwd", .key = "gemm_backward_of_peak", .percent = true},
               {0}},
};
