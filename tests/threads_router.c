/* threads_router.c: libsaferoute used by many threads at once, and by processes forked while they use it:
 * every result has the bits that one thread alone gets.
 *
 * Nothing but saferoute.h is used. ThreadSanitizer watches it in the build of the preset "tsan"; elsewhere
 * the results alone are compared.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "infer/saferoute.h"
#include "tests/router_bytes.h"
#include "tests/selftest.h"
#include "tests/threads.h"

enum { WIDTH = ROUTER_WIDTH, ROWS = 21, THREADS = 6, TURNS = 25, KINDS = 3, FORKS = 6, SWAPS = 12 };

static const enum saferoute_dtype kinds[KINDS] = {SAFEROUTE_FLOAT32, SAFEROUTE_BFLOAT16, SAFEROUTE_FLOAT16};
static const enum saferoute_precision precisions[] = {SAFEROUTE_COMPUTE_FLOAT32, SAFEROUTE_COMPUTE_BFLOAT16,
                                                      SAFEROUTE_COMPUTE_INT8};

static struct router_bytes file[2]; /* of two routers with different weights */
static uint64_t keys[ROWS];
static float single[ROWS * WIDTH];
static uint16_t brain[ROWS * WIDTH], half[ROWS * WIDTH];
static const void *const features[KINDS] = {single, brain, half};

static struct saferoute_rows rows_of(size_t kind, size_t first, size_t n) {
    const size_t size = kinds[kind] == SAFEROUTE_FLOAT32 ? 4 : 2;
    return (struct saferoute_rows){.features = (const char *)features[kind] + first * WIDTH * size,
                                   .dtype = kinds[kind],
                                   .rows = n,
                                   .width = WIDTH,
                                   .key = keys + first};
}

static struct saferoute_router *open_router(size_t which, enum saferoute_precision precision) {
    const struct saferoute_options o = {.precision = precision, .range_cap = .5f, .explore = .25f};
    struct saferoute_router *r = NULL;
    struct saferoute_error why = {0};
    const int status = saferoute_open_memory(&r, file[which].bytes, file[which].size, &o, &why);
    MUST(status == SAFEROUTE_OK, "router %zu: %s", which, why.text);
    return r;
}

/* ---- everything that a router can be asked ---- */

static uint64_t hash_line(uint64_t hash, const struct saferoute_decision *d) {
    char line[SAFEROUTE_JSON_SIZE];
    const size_t length = saferoute_decision_json(line, sizeof line, d, "request-1");
    return selftest_hash(hash, line, length);
}

static uint64_t hash_facts(uint64_t hash, const struct saferoute_router *r) {
    const size_t width = saferoute_width(r);
    const enum saferoute_precision precision = saferoute_precision(r);
    const float limit = saferoute_range_limit(r), threshold = saferoute_threshold(r);
    const char *artefact = saferoute_artefact(r);
    hash = selftest_hash(hash, &width, sizeof width);
    hash = selftest_hash(hash, &precision, sizeof precision);
    hash = selftest_hash(hash, &limit, sizeof limit);
    hash = selftest_hash(hash, &threshold, sizeof threshold);
    CHECK(!saferoute_metadata(r, "feature_norm"), "metadata that was not written");
    return selftest_hash(hash, artefact, strlen(artefact));
}

static uint64_t hash_decisions(uint64_t hash, const struct saferoute_router *r, size_t kind, size_t step,
                               struct saferoute_stats *stats) {
    for (size_t i = 0; i < ROWS; i += step) {
        struct saferoute_decision d[ROWS];
        const size_t n = step < ROWS - i ? step : ROWS - i;
        const struct saferoute_rows rows = rows_of(kind, i, n);
        saferoute_decide(r, d, &rows, stats);
        hash = selftest_hash(hash, d, n * sizeof *d);
        hash = hash_line(hash, d);
    }
    return hash;
}

static uint64_t hash_logits(uint64_t hash, const struct saferoute_router *r, size_t kind) {
    const struct saferoute_rows rows = rows_of(kind, 0, ROWS);
    float logit[ROWS];
    saferoute_logits(r, logit, &rows);
    return selftest_hash(hash, logit, sizeof logit);
}

/* Of every entry point's results on one router: one row, a few and all of them, in each kind of number. */
static uint64_t hash_router(const struct saferoute_router *r, struct saferoute_stats *stats) {
    static const size_t steps[] = {1, 4, ROWS};
    uint64_t hash = hash_facts(SELFTEST_START, r);
    for (size_t kind = 0; kind < KINDS; kind++) {
        for (size_t i = 0; i < SR_COUNT(steps); i++)
            hash = hash_decisions(hash, r, kind, steps[i], stats);
        hash = hash_logits(hash, r, kind);
    }
    return hash;
}

/* ---- one router or two, and many threads ---- */

struct use {
    const struct saferoute_router *router[2];
    uint64_t want[2];
    struct saferoute_stats once; /* counted in one turn on router 0 */
    struct saferoute_stats part[THREADS];
};

static void use_router(size_t number, void *user) {
    struct use *u = user;
    for (size_t i = 0; i < TURNS; i++) {
        const size_t which = u->router[1] ? (number + i) % 2 : 0;
        const uint64_t got = hash_router(u->router[which], &u->part[number]);
        CHECK(got == u->want[which], "thread %zu, turn %zu, router %zu: other bits", number, i, which);
    }
}

static void one_router(void) {
    for (size_t p = 0; p < SR_COUNT(precisions); p++) {
        static struct use u;
        struct saferoute_router *r = open_router(0, precisions[p]);
        u = (struct use){.router = {r}};
        u.want[0] = hash_router(r, NULL);
        threads_run(THREADS, use_router, &u);
        saferoute_close(r);
    }
}

static void two_routers(void) {
    static struct use u;
    struct saferoute_router *a = open_router(0, SAFEROUTE_COMPUTE_FLOAT32),
                            *b = open_router(1, SAFEROUTE_COMPUTE_INT8);
    u = (struct use){.router = {a, b}, .want = {hash_router(a, NULL), hash_router(b, NULL)}};
    CHECK(u.want[0] != u.want[1], "the two routers are one");
    threads_run(THREADS, use_router, &u);
    saferoute_close(a);
    saferoute_close(b);
}

/* ---- opened and closed by all at once ---- */

static void open_use_close(size_t number, void *user) {
    const uint64_t *want = user;
    for (size_t i = 0; i < TURNS / 2; i++) {
        const size_t which = (number + i) % 2;
        struct saferoute_router *r = open_router(which, SAFEROUTE_COMPUTE_BFLOAT16);
        const uint64_t got = hash_router(r, NULL);
        CHECK(got == want[which], "thread %zu, turn %zu: other bits", number, i);
        saferoute_close(r);
    }
}

static void opened_and_closed(void) {
    uint64_t want[2];
    for (size_t which = 0; which < 2; which++) {
        struct saferoute_router *r = open_router(which, SAFEROUTE_COMPUTE_BFLOAT16);
        want[which] = hash_router(r, NULL);
        saferoute_close(r);
    }
    threads_run(THREADS, open_use_close, want);
}

/* ---- counters ---- */

/* Threads count in their own and hand them over under a lock, as saferoute.h says; a reader adds them up and
 * prints them meanwhile. */
struct counting {
    struct use use;
    pthread_mutex_t lock;
    struct saferoute_stats handed[THREADS - 1];
    atomic_size_t done;
};

static void read_counters(struct counting *c) {
    uint64_t before = 0;
    while (c->done < THREADS - 1) {
        char text[SAFEROUTE_PROMETHEUS_SIZE];
        struct saferoute_stats total = {0};
        pthread_mutex_lock(&c->lock);
        for (size_t i = 0; i < THREADS - 1; i++)
            saferoute_stats_add(&total, &c->handed[i]);
        pthread_mutex_unlock(&c->lock);
        CHECK(total.rows >= before, "counters went back");
        CHECK(saferoute_stats_prometheus(text, sizeof text, &total) < sizeof text, "does not fit");
        before = total.rows;
    }
}

static void count_or_read(size_t number, void *user) {
    struct counting *c = user;
    if (number == THREADS - 1) {
        read_counters(c);
        return;
    }
    for (size_t i = 0; i < TURNS; i++) {
        hash_router(c->use.router[0], &c->use.part[number]);
        pthread_mutex_lock(&c->lock);
        c->handed[number] = c->use.part[number];
        pthread_mutex_unlock(&c->lock);
    }
    c->done++;
}

static void counters_are_read(void) {
    static struct counting c;
    struct saferoute_router *r = open_router(0, SAFEROUTE_COMPUTE_FLOAT32);
    struct saferoute_stats want = {0}, got = {0};
    c = (struct counting){.use.router = {r}, .lock = PTHREAD_MUTEX_INITIALIZER};
    threads_run(THREADS, count_or_read, &c);
    for (size_t i = 0; i < TURNS; i++)
        hash_router(r, &want);
    for (size_t i = 0; i < THREADS - 1; i++) {
        /* counted in the same order: the same bits.
         * NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-*) */
        CHECK(memcmp(&c.handed[i], &want, sizeof want) == 0, "thread %zu counted something else", i);
        saferoute_stats_add(&got, &c.handed[i]);
    }
    CHECK(got.rows == (THREADS - 1) * want.rows && got.large == (THREADS - 1) * want.large,
          "%llu rows, not %d times %llu", (unsigned long long)got.rows, THREADS - 1,
          (unsigned long long)want.rows);
    saferoute_close(r);
}

/* ---- fork ---- */

struct forking {
    struct use use;
    atomic_bool stop;
    atomic_size_t turns; /* of all that predict */
};

static void child_predicts(const struct forking *f) {
    const pid_t child = fork();
    MUST(child >= 0, "no child");
    if (child == 0) { /* no exit handlers: they belong to the parent */
        const bool same = hash_router(f->use.router[0], NULL) == f->use.want[0];
        _exit(same ? 42 : 1);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child, "the child is gone");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42, "the child ended with %#x", (unsigned)status);
}

/* One forks while the others predict, and predicts in the parent as well. */
static void predict_or_fork(size_t number, void *user) {
    struct forking *f = user;
    if (number > 0) {
        for (; !f->stop; f->turns++)
            CHECK(hash_router(f->use.router[0], NULL) == f->use.want[0], "thread %zu: other bits", number);
        return;
    }
    for (size_t i = 0; i < FORKS; i++) {
        const size_t before = f->turns;
        while (f->turns == before) /* they are at it */
            nanosleep(&(struct timespec){0, 100000}, NULL);
        child_predicts(f);
    }
    f->stop = true;
}

static void forked_after_open(void) {
    static struct forking f;
    struct saferoute_router *r = open_router(0, SAFEROUTE_COMPUTE_FLOAT32);
    f = (struct forking){.use = {.router = {r}}};
    f.use.want[0] = hash_router(r, NULL);
    child_predicts(&f);
    threads_run(4, predict_or_fork, &f);
    CHECK(hash_router(r, NULL) == f.use.want[0], "other bits in the parent afterwards");
    saferoute_close(r);
}

/* ---- a slot whose router is replaced ---- */

struct swapping {
    struct saferoute_slot *slot;
    char path[2][64];
    uint64_t want[2];
    atomic_bool stop;
};

static void use_or_swap(size_t number, void *user) {
    struct swapping *s = user;
    for (size_t i = 0; number == 0 && i < SWAPS; i++) {
        struct saferoute_error why = {0};
        CHECK(saferoute_reload(s->slot, s->path[i % 2], NULL, &why) == SAFEROUTE_OK, "%s", why.text);
    }
    if (number == 0)
        s->stop = true;
    while (!s->stop) {
        const struct saferoute_router *r = saferoute_acquire(s->slot);
        const uint64_t got = hash_router(r, NULL);
        saferoute_release(r);
        CHECK(got == s->want[0] || got == s->want[1], "thread %zu: bits of neither router", number);
    }
}

static void write_router(char path[64], const struct router_bytes *f) {
    snprintf(path, 64, "/tmp/sr_threads_XXXXXX");
    const int fd = mkstemp(path);
    MUST(fd >= 0 && write(fd, f->bytes, f->size) == (ssize_t)f->size && close(fd) == 0, "%s", path);
}

static void replaced_in_use(void) {
    static struct swapping s;
    s = (struct swapping){.slot = saferoute_slot_create()};
    for (size_t which = 2; which-- > 0;) { /* the slot begins with router 0 */
        write_router(s.path[which], &file[which]);
        MUST(saferoute_reload(s.slot, s.path[which], NULL, NULL) == SAFEROUTE_OK, "router %zu", which);
        const struct saferoute_router *r = saferoute_acquire(s.slot);
        s.want[which] = hash_router(r, NULL);
        saferoute_release(r);
    }
    threads_run(4, use_or_swap, &s);
    saferoute_slot_destroy(s.slot);
    unlink(s.path[0]);
    unlink(s.path[1]);
}

static const struct threads_case cases[] = {
    {"many threads predict with one router, in each precision", one_router},
    {"two routers of different weights at once", two_routers},
    {"routers opened and closed by all threads at once", opened_and_closed},
    {"counters are read while threads count", counters_are_read},
    {"children forked while threads predict get the same bits", forked_after_open},
    {"a slot's router is replaced while threads use it", replaced_in_use},
};

int main(void) {
    for (size_t i = 0; i < ROWS; i++)
        keys[i] = saferoute_key(&i, sizeof i);
    router_rows_fill((struct router_rows){single, brain, half}, ROWS);
    router_bytes_make(&file[0], 100);
    router_bytes_make(&file[1], 300);
    return threads_cases(cases, SR_COUNT(cases));
}
