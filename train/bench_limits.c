/* bench_limits.c: what this machine can do at most, measured by the loops of peak.c.
 *
 * A limit is the best of many short runs, a maximum and no median: a run that the system interrupted says
 * nothing about the CPU. Memory is asked for in huge pages, as the router asks for its weights', so that the
 * walk over page tables is no part of the limit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/bench.h"
#include "train/peak.h"

#define TURNS      100000            /* of a loop of peak.c: about half a millisecond */
#define RUN_BYTES  ((size_t)1 << 28) /* a run reads so much: a few milliseconds */
#define TASK_ITEMS 16384             /* floats of each array that a thread takes at a time */

/* Freed with sr_free(arena->base). */
static void *huge_alloc(struct sr_arena *arena, size_t bytes, struct sr_error *err) {
    *arena = (struct sr_arena){0};
    sr_arena_take(arena, bytes, 1);
    return sr_arena_allocate_huge(arena, err) < 0 ? NULL : arena->base;
}

/* ---- arithmetic ---- */

/* Operations a second of `threads` threads at once. */
static double loops_rate(double (*loop)(size_t), int threads, double seconds) {
    const double began = sr_log_clock();
    double best = 0, now = began;
    do {
        const double from = now;
        double operations = 0;
#pragma omp parallel for schedule(static, 1) reduction(+ : operations) num_threads(threads)
        for (int i = 0; i < threads; i++)
            operations += loop(TURNS);
        now = sr_log_clock();
        const double rate = operations / (now - from);
        best = rate > best ? rate : best;
    } while (now - began < seconds);
    return best;
}

double sr_bench_fma(struct sr_bench *b, int threads) {
    double *rate = &b->limits.fma[threads > 1];
    if (*rate == 0)
        *rate = loops_rate(sr_peak()->fma, threads, b->seconds);
    return *rate;
}

double sr_bench_dot(struct sr_bench *b, int threads) {
    double *rate = &b->limits.dot[threads > 1];
    if (*rate == 0)
        *rate = loops_rate(sr_peak()->dot, threads, b->seconds);
    return *rate;
}

/* ---- memory ---- */

static double read_rate(const void *p, size_t bytes, double seconds) {
    const struct sr_peak *peak = sr_peak();
    const size_t passes = bytes < RUN_BYTES ? RUN_BYTES / bytes : 1;
    const double began = sr_log_clock();
    double best = 0, now = began;
    do {
        const double from = now;
        for (size_t i = 0; i < passes; i++)
            peak->read(p, bytes);
        now = sr_log_clock();
        const double rate = (double)(bytes * passes) / (now - from);
        best = rate > best ? rate : best;
    } while (now - began < seconds);
    return best;
}

int sr_bench_read(double *rate, struct sr_bench *b, size_t bytes, struct sr_error *err) {
    size_t i = 0;
    for (; i < SR_BENCH_READS && b->limits.read[i].bytes; i++)
        if (b->limits.read[i].bytes == bytes) {
            *rate = b->limits.read[i].rate;
            return SR_OK;
        }
    struct sr_arena arena;
    const size_t whole = (bytes + SR_PEAK_BYTES - 1) / SR_PEAK_BYTES * SR_PEAK_BYTES;
    const void *p = huge_alloc(&arena, whole, err);
    if (!p)
        return SR_NOMEM;
    *rate = read_rate(p, whole, b->seconds);
    sr_free(arena.base);
    if (i < SR_BENCH_READS) {
        b->limits.read[i].bytes = bytes;
        b->limits.read[i].rate = *rate;
    }
    return SR_OK;
}

struct update {
    float *w, *m, *v, *g;
    size_t n;
};

static void update_run(void *user) {
    const struct update *u = user;
    const struct sr_peak *peak = sr_peak();
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < u->n; i += TASK_ITEMS)
        peak->update(u->w + i, u->m + i, u->v + i, u->g + i, u->n - i < TASK_ITEMS ? u->n - i : TASK_ITEMS);
}

/* The best of many passes, of a team that the caller has set. */
static double update_rate(struct update *u, double seconds) {
    const double began = sr_log_clock();
    double least = 0;
    do {
        const double once = sr_bench_time(update_run, u, 0);
        least = least > 0 && least < once ? least : once;
    } while (sr_log_clock() - began < seconds);
    return 7 * sizeof(float) * (double)u->n / least;
}

int sr_bench_update(double *rate, struct sr_bench *b, int threads, size_t n, struct sr_error *err) {
    double *kept = &b->limits.update[threads > 1];
    n = n / SR_PEAK_ITEMS * SR_PEAK_ITEMS;
    if (*kept == 0) {
        struct sr_arena arena;
        float *p = huge_alloc(&arena, 4 * n * sizeof *p, err);
        if (!p)
            return SR_NOMEM;
        struct update u = {p, p + n, p + 2 * n, p + 3 * n, n};
        const int before = sr_cpu_team(threads);
        update_run(&u);
        *kept = update_rate(&u, b->seconds);
        sr_cpu_team(before);
        sr_free(arena.base);
    }
    *rate = *kept;
    return SR_OK;
}
