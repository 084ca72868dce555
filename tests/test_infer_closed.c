/* test_infer_closed.c: whatever is wrong goes to the large guard, with its reason; the counters say so; and
 * deciding needs nothing but a little stack.
 *
 * SPDX-License-Identifier: MIT
 */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/router_fixture.h"

#define SANITIZED (*SR_SANITIZE != '\0')

enum { ROWS = 50 };

/* Every decision is large, for that reason, and has no score. */
static void expect_all(const struct saferoute_router *r, const struct saferoute_rows *rows, int reason) {
    struct saferoute_decision d[ROWS];
    struct saferoute_stats stats = {0};
    float logit[ROWS];
    saferoute_decide(r, d, rows, &stats);
    saferoute_logits(r, logit, rows);
    for (size_t i = 0; i < rows->rows; i++) {
        cr_expect_eq(d[i].large, 1, "%s, row %zu", saferoute_reason_name(reason), i);
        cr_expect_eq(d[i].reason, reason, "%s, not %s, row %zu", saferoute_reason_name(d[i].reason),
                     saferoute_reason_name(reason), i);
        cr_expect(isnan(d[i].logit) && isnan(d[i].prob) && isnan(d[i].calibrated) && isnan(logit[i]));
    }
    cr_expect_eq(stats.reason[reason], rows->rows);
    cr_expect_eq(stats.large, rows->rows);
    cr_expect_eq(stats.logit_sum, 0);
}

Test(infer_closed, without_router_features_or_width) {
    struct saferoute_router *r = router_begin(NULL, DIRECTIONS);
    float *x = rows_begin(ROWS, WIDTH, 1);
    struct saferoute_rows rows = rows_of(x, ROWS);
    struct saferoute_decision d = {.large = 9};
    expect_all(NULL, &rows, SAFEROUTE_REASON_NO_ROUTER);
    saferoute_decide(NULL, &d, &(struct saferoute_rows){.rows = 1}, NULL);
    cr_expect_eq(d.reason, SAFEROUTE_REASON_NO_ROUTER);
    cr_expect(isnan(d.threshold) && d.precision == 0 && d.artefact[0] == 0);
    rows.width = WIDTH - 1;
    expect_all(r, &rows, SAFEROUTE_REASON_WIDTH);
    rows.width = 0;
    expect_all(r, &rows, SAFEROUTE_REASON_WIDTH);
    rows.width = SIZE_MAX;
    expect_all(r, &rows, SAFEROUTE_REASON_WIDTH);
    rows.width = WIDTH;
    static const int none[] = {0, -1, 3, 5};
    for (size_t i = 0; i < SR_COUNT(none); i++) {
        rows.dtype = (enum saferoute_dtype)none[i];
        expect_all(r, &rows, SAFEROUTE_REASON_NO_FEATURES);
    }
    rows.dtype = SAFEROUTE_FLOAT32;
    rows.features = NULL;
    expect_all(r, &rows, SAFEROUTE_REASON_NO_FEATURES);
    rows.rows = 0;
    saferoute_decide(r, NULL, &rows, NULL);
    rows.features = x;
    saferoute_decide(r, NULL, &rows, NULL);
    saferoute_logits(r, NULL, &rows);
    sr_free(x);
    saferoute_close(r);
}

/* The first, a middle and the last feature hold a value that no row may have, in a block with good rows. */
static void check_value(const struct saferoute_router *r, float value, int reason) {
    static const size_t places[] = {0, 17, WIDTH - 1};
    float *x = rows_begin(3, WIDTH, 2);
    for (size_t i = 0; i < SR_COUNT(places); i++) {
        struct saferoute_rows rows = rows_of(x, 3);
        struct saferoute_decision d[3];
        const float before = x[WIDTH + places[i]];
        x[WIDTH + places[i]] = value;
        saferoute_decide(r, d, &rows, NULL);
        cr_expect_eq(d[1].reason, reason, "%g at %zu: %s", (double)value, places[i],
                     saferoute_reason_name(d[1].reason));
        cr_expect(d[1].large && isnan(d[1].logit) && isnan(d[1].prob));
        cr_expect(d[0].reason == SAFEROUTE_REASON_SCORE && d[2].reason == SAFEROUTE_REASON_SCORE);
        x[WIDTH + places[i]] = before;
    }
    sr_free(x);
}

Test(infer_closed, features_that_are_no_numbers) {
    for (int precision = 1; precision <= SAFEROUTE_COMPUTE_INT8; precision++)
        for (size_t directions = 0; directions <= DIRECTIONS; directions += DIRECTIONS) {
            struct saferoute_router *r =
                router_begin(&(struct saferoute_options){.precision = precision}, directions);
            check_value(r, NAN, SAFEROUTE_REASON_NOT_FINITE);
            check_value(r, INFINITY, SAFEROUTE_REASON_NOT_FINITE);
            check_value(r, -INFINITY, SAFEROUTE_REASON_NOT_FINITE);
            saferoute_close(r);
        }
}

/* A router of int8 whose one layer is float32 reads rows where they lie; what stands for a bad row among so
 * many wide ones must not be written behind the scratch. */
Test(infer_closed, no_numbers_in_many_rows_of_one_layer) {
    enum { HIGH = 100, WIDEST = 2048 };
    static const size_t widths[] = {WIDEST, 1};
    const struct saferoute_options o = {.precision = SAFEROUTE_COMPUTE_INT8};
    struct network n;
    struct saferoute_router *r;
    float *x = rows_begin(HIGH, WIDEST, 8);
    const struct saferoute_rows rows = {
        .features = x, .dtype = SAFEROUTE_FLOAT32, .rows = HIGH, .width = WIDEST};
    static struct saferoute_decision d[HIGH];
    network_begin(&n, widths, 1, 0);
    cr_assert_eq(network_open(&r, &n, &o, NULL), 0);
    network_end(&n);
    for (size_t i = 1; i < HIGH; i += 2)
        x[i * WIDEST + i] = NAN;
    saferoute_decide(r, d, &rows, NULL);
    for (size_t i = 0; i < HIGH; i++) {
        cr_expect_eq(d[i].reason, i % 2 ? SAFEROUTE_REASON_NOT_FINITE : SAFEROUTE_REASON_SCORE, "row %zu", i);
        cr_expect_eq(isnan(d[i].logit), i % 2 == 1, "row %zu", i);
    }
    saferoute_close(r);
    sr_free(x);
}

/* Rows of the largest floats: no layer may turn what overflowed in it into a number again. */
Test(infer_closed, rows_that_overflow) {
    for (int precision = 1; precision <= SAFEROUTE_COMPUTE_INT8; precision++)
        for (size_t directions = 0; directions <= DIRECTIONS; directions += DIRECTIONS)
            for (int sign = -1; sign <= 1; sign += 2) {
                const struct saferoute_options o = {.precision = precision, .range = SAFEROUTE_RANGE_OFF};
                struct saferoute_router *r = router_begin(&o, directions);
                float x[3 * WIDTH];
                for (size_t i = 0; i < SR_COUNT(x); i++)
                    x[i] = (i % 3 ? 1.f : (float)sign) * 3.4e38f;
                const struct saferoute_rows rows = rows_of(x, 3);
                expect_all(r, &rows, SAFEROUTE_REASON_OVERFLOW);
                saferoute_close(r);
            }
}

/* ---- the range of training ---- */

/* Row i times 1, .001, 100 by turns: two of three are out of range. */
static float *mixed_rows(void) {
    static const float factor[] = {1, .001f, 100};
    float *x = rows_begin(ROWS, WIDTH, 3);
    for (size_t i = 0; i < (size_t)ROWS * WIDTH; i++)
        x[i] = i / WIDTH % 3 ? x[i] * factor[i / WIDTH % 3] : x[i];
    for (size_t i = 0; i < (size_t)ROWS * WIDTH; i++) /* far below the variance of training: all means */
        x[i] = i / WIDTH % 3 == 1 ? network_mean(i % WIDTH) + x[i] * .01f : x[i];
    return x;
}

Test(infer_range, route_count_and_off) {
    float *x = mixed_rows();
    const struct saferoute_rows rows = rows_of(x, ROWS);
    for (int mode = SAFEROUTE_RANGE_ROUTE; mode <= SAFEROUTE_RANGE_OFF; mode++) {
        const struct saferoute_options o = {.range = mode, .has_threshold = 1, .threshold = 1};
        struct saferoute_router *r = router_begin(&o, DIRECTIONS);
        struct saferoute_decision d[ROWS];
        struct saferoute_stats stats = {0};
        saferoute_decide(r, d, &rows, &stats);
        for (size_t i = 0; i < ROWS; i++) {
            const bool out = i % 3 != 0, routed = out && mode == SAFEROUTE_RANGE_ROUTE;
            cr_expect_eq(d[i].large, routed, "row %zu in mode %d", i, mode);
            cr_expect_eq(d[i].reason, routed ? SAFEROUTE_REASON_OUT_OF_RANGE : SAFEROUTE_REASON_SCORE);
            cr_expect_eq(d[i].range_limit, (float)SR_RANGE_LIMIT_UNSET);
            cr_expect_eq(d[i].range > 1, mode != SAFEROUTE_RANGE_OFF && out, "row %zu: %g", i,
                         (double)d[i].range);
            cr_expect_eq(d[i].range == 0, mode == SAFEROUTE_RANGE_OFF);
            cr_expect(isfinite(d[i].logit) && isfinite(d[i].prob));
        }
        cr_expect_eq(stats.out_of_range, mode == SAFEROUTE_RANGE_OFF ? 0 : 33);
        saferoute_close(r);
    }
    sr_free(x);
}

/* Rows whose length lies all in features of which training's directions know nothing. */
Test(infer_range, other_directions) {
    struct saferoute_router *r = router_begin(NULL, DIRECTIONS);
    float *x = rows_begin(ROWS, WIDTH, 4);
    const struct saferoute_rows rows = rows_of(x, ROWS);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k < DIRECTIONS; k++)
            x[i * WIDTH + 2 * k] = 0;
    struct saferoute_decision d[ROWS];
    saferoute_decide(r, d, &rows, NULL);
    for (size_t i = 0; i < ROWS; i++)
        cr_expect_eq(d[i].reason, SAFEROUTE_REASON_OUT_OF_RANGE, "row %zu: %g", i, (double)d[i].range);
    sr_free(x);
    saferoute_close(r);
}

Test(infer_range, equals_its_definition) {
    float *x = mixed_rows();
    const struct saferoute_rows rows = rows_of(x, ROWS);
    for (int precision = 1; precision <= SAFEROUTE_COMPUTE_INT8; precision++) {
        struct saferoute_router *r =
            router_begin(&(struct saferoute_options){.precision = precision}, DIRECTIONS);
        struct saferoute_decision d[ROWS];
        saferoute_decide(r, d, &rows, NULL);
        /* Basis and rows are rounded to 8 bits there: a few percent of a share. */
        const double tolerance = precision == SAFEROUTE_COMPUTE_FLOAT32 ? 1e-5 : .1;
        for (size_t i = 0; i < ROWS; i++) {
            double t = 0, all = 0, inside = 0;
            for (size_t k = 0; k < WIDTH; k++) {
                const double v = (double)x[i * WIDTH + k], s = (double)network_deviation(k),
                             z = (v - (double)network_mean(k)) / s, u = v / s;
                t += z * z / WIDTH;
                all += u * u;
                inside += k % 2 == 0 && k < 2 * DIRECTIONS ? u * u : 0;
            }
            const double want = fmax(fmax((double).2f / t, t / 4), (double).01f * all / inside);
            cr_expect_float_eq((double)d[i].range, want, tolerance * want, "row %zu, precision %d: %g, %g", i,
                               precision, (double)d[i].range, want);
        }
        saferoute_close(r);
    }
    sr_free(x);
}

/* A row that is widened first and its coordinates lie in the scratch together. */
static int open_directions(struct saferoute_router **r, size_t width, size_t directions,
                           struct saferoute_error *why) {
    const size_t widths[] = {width, 4, 1};
    struct network n;
    network_begin(&n, widths, 2, directions);
    const int status = network_open(r, &n, NULL, why);
    network_end(&n);
    return status;
}

Test(infer_range, wide_rows_and_their_directions_have_room) {
    enum { WIDE = SR_SCRATCH - 20 };
    struct saferoute_router *r = NULL;
    struct saferoute_error why;
    cr_assert_eq(open_directions(&r, WIDE, 20, &why), 0, "%s", why.text);
    uint16_t *half = sr_alloc(WIDE, sizeof *half, NULL);
    const struct saferoute_rows rows = {
        .features = half, .dtype = SAFEROUTE_FLOAT16, .rows = 1, .width = WIDE};
    struct saferoute_decision d;
    saferoute_decide(r, &d, &rows, NULL); /* would not come back */
    cr_expect(isfinite(d.logit));
    saferoute_close(r);
    sr_free(half);
    cr_expect_eq(open_directions(&r, WIDE, 21, &why), SAFEROUTE_DATA);
    cr_expect(strstr(why.text, SR_STATS_BASIS), "%s", why.text);
    cr_expect_null(r);
}

/* ---- nothing is needed ---- */

Test(infer_closed, deciding_allocates_nothing) {
    float *x = rows_begin(ROWS, WIDTH, 5);
    const struct saferoute_rows rows = rows_of(x, ROWS);
    for (int precision = 1; precision <= SAFEROUTE_COMPUTE_INT8; precision++) {
        struct saferoute_router *r =
            router_begin(&(struct saferoute_options){.precision = precision}, DIRECTIONS);
        struct saferoute_decision d[ROWS];
        struct saferoute_stats stats = {0};
        char line[SAFEROUTE_JSON_SIZE];
        const uint64_t before = sr_alloc_count();
        const struct mallinfo2 heap = mallinfo2();
        saferoute_decide(r, d, &rows, &stats);
        saferoute_decision_json(line, sizeof line, &d[0], "id");
        cr_expect_eq(mallinfo2().uordblks, heap.uordblks);
        cr_expect_eq(sr_alloc_count(), before);
        saferoute_close(r);
    }
    sr_free(x);
}

/* ---- stack ---- */

#define STACK ((size_t)1 << 20)

struct job {
    const struct saferoute_router *r; /* NULL: does nothing */
    const struct saferoute_rows *rows;
    struct saferoute_decision *d;
};

static void *run_job(void *user) {
    const struct job *j = user;
    if (j->r)
        saferoute_decide(j->r, j->d, j->rows, NULL);
    return NULL;
}

/* Bytes of its stack that a thread with this job touches. */
static size_t stack_used(struct job *j) {
    unsigned char *stack =
        mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    pthread_attr_t how;
    pthread_t thread;
    size_t clean = 0;
    cr_assert_neq(stack, MAP_FAILED);
    memset(stack, 0xa5, STACK);
    pthread_attr_init(&how);
    pthread_attr_setstack(&how, stack, STACK);
    cr_assert_eq(pthread_create(&thread, &how, run_job, j), 0);
    pthread_join(thread, NULL);
    while (stack[clean] == 0xa5)
        clean++;
    munmap(stack, STACK);
    pthread_attr_destroy(&how);
    return STACK - clean;
}

/* The most bytes of stack that the job takes by any of the kernels this CPU has. */
static size_t stack_most(struct saferoute_router *router, struct job *j) {
    struct sr_router *r = (struct sr_router *)router;
    struct job none = {0};
    const size_t idle = stack_used(&none);
    size_t most = 0;
    for (int isa = 0; isa < SR_ISA_COUNT; isa++) {
        if (!sr_kernels_for((enum sr_isa)isa))
            continue;
        r->kernels = sr_kernels_for((enum sr_isa)isa);
        r->vec = sr_vec_for((enum sr_isa)isa);
        const size_t used = stack_used(j) - idle;
        most = used > most ? used : most;
    }
    return most;
}

Test(infer_closed, at_most_64_KiB_of_stack) {
    if (SANITIZED)
        cr_skip_test("sanitizers make frames larger");
    float *x = rows_begin(ROWS, WIDTH, 6);
    const struct saferoute_rows rows = rows_of(x, ROWS);
    struct saferoute_decision d[ROWS];
    for (int precision = 1; precision <= SAFEROUTE_COMPUTE_INT8; precision++) {
        struct saferoute_router *r =
            router_begin(&(struct saferoute_options){.precision = precision}, DIRECTIONS);
        struct job job = {r, &rows, d};
        const size_t used = stack_most(r, &job);
        cr_expect_leq(used, 65536, "precision %d: %zu bytes", precision, used);
        cr_expect_gt(used, 32768, "precision %d: %zu bytes: is this measured at all?", precision, used);
        saferoute_close(r);
    }
    sr_free(x);
}

/* More rows than go into the small scratch of a network like this. */
enum { MANY = 100, WIDE = 700 };

static struct saferoute_router *wide_begin(int precision) {
    static const size_t widths[] = {WIDE, 1024, 512, 1};
    struct network n;
    struct saferoute_router *r;
    network_begin(&n, widths, 3, DIRECTIONS);
    cr_assert_eq(network_open(&r, &n, &(struct saferoute_options){.precision = precision}, NULL), 0);
    network_end(&n);
    return r;
}

Test(infer_closed, at_most_400_KiB_of_stack_for_many_rows) {
    if (SANITIZED)
        cr_skip_test("sanitizers make frames larger");
    float *x = rows_begin(MANY, WIDE, 6);
    const struct saferoute_rows rows = {
        .features = x, .dtype = SAFEROUTE_FLOAT32, .rows = MANY, .width = WIDE};
    static struct saferoute_decision d[MANY], one;
    for (int precision = 1; precision <= SAFEROUTE_COMPUTE_INT8; precision++) {
        struct saferoute_router *r = wide_begin(precision);
        struct job job = {r, &rows, d};
        const size_t used = stack_most(r, &job);
        cr_expect_leq(used, 400 * 1024, "precision %d: %zu bytes", precision, used);
        cr_expect_gt(used, 65536, "precision %d: %zu bytes: is this measured at all?", precision, used);
        for (size_t i = 0; i < MANY; i++) { /* among others in the one scratch, alone in the other */
            const struct saferoute_rows alone = {
                .features = x + i * WIDE, .dtype = SAFEROUTE_FLOAT32, .rows = 1, .width = WIDE};
            saferoute_decide(r, &one, &alone, NULL);
            cr_expect_eq(memcmp(&one, &d[i], sizeof one), 0, "precision %d, row %zu", precision, i);
        }
        saferoute_close(r);
    }
    sr_free(x);
}

/* A thread whose stack is too small for many rows ends in its guard page: the scratch does not begin beyond
 * it, in memory of others. */
Test(infer_closed, a_stack_too_small_is_seen) {
    enum { SHORT = 128 << 10, GUARD = 64 << 10, OTHERS = 1 << 20 };
    if (SANITIZED)
        cr_skip_test("sanitizers catch the signal");
    unsigned char *others =
        mmap(NULL, OTHERS + GUARD + SHORT, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(others, MAP_FAILED);
    cr_assert_eq(mprotect(others + OTHERS, GUARD, PROT_NONE), 0);
    memset(others, 0xa5, OTHERS);
    struct saferoute_router *r = wide_begin(SAFEROUTE_COMPUTE_FLOAT32);
    float *x = rows_begin(MANY, WIDE, 9);
    const struct saferoute_rows rows = {
        .features = x, .dtype = SAFEROUTE_FLOAT32, .rows = MANY, .width = WIDE};
    static struct saferoute_decision d[MANY];
    struct job job = {r, &rows, d};
    const pid_t child = fork();
    if (child == 0) {
        pthread_attr_t how;
        pthread_t thread;
        signal(SIGSEGV, SIG_DFL);
        pthread_attr_init(&how);
        pthread_attr_setstack(&how, others + OTHERS + GUARD, SHORT);
        _exit(pthread_create(&thread, &how, run_job, &job) || pthread_join(thread, NULL));
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %d", status);
    for (size_t i = 0; i < OTHERS; i++)
        cr_assert_eq(others[i], 0xa5, "%zu bytes below the guard", OTHERS - i);
    munmap(others, OTHERS + GUARD + SHORT);
    sr_free(x);
    saferoute_close(r);
}

/* ---- threads ---- */

Test(infer_closed, eight_threads_on_one_router) {
    enum { THREADS = 8 };
    float *x = rows_begin(ROWS, WIDTH, 7);
    const struct saferoute_rows rows = rows_of(x, ROWS);
    for (int precision = 1; precision <= SAFEROUTE_COMPUTE_INT8; precision++) {
        struct saferoute_router *r =
            router_begin(&(struct saferoute_options){.precision = precision}, DIRECTIONS);
        struct saferoute_decision want[ROWS], got[THREADS][ROWS];
        struct job job[THREADS];
        pthread_t thread[THREADS];
        saferoute_decide(r, want, &rows, NULL);
        for (size_t i = 0; i < THREADS; i++) {
            job[i] = (struct job){r, &rows, got[i]};
            cr_assert_eq(pthread_create(&thread[i], NULL, run_job, &job[i]), 0);
        }
        for (size_t i = 0; i < THREADS; i++) {
            pthread_join(thread[i], NULL);
            cr_expect(same_bits(got[i], want, sizeof want), "thread %zu, precision %d", i, precision);
        }
        saferoute_close(r);
    }
    sr_free(x);
}
