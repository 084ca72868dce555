/* test_trust_memory_library.c: every function of saferoute.h with the n-th allocation failing, n = 1, 2, ...
 * until none fails: its documented error, nothing leaked, and what was open before decides as before.
 *
 * Functions that allocate nothing are called too: the count of their allocations is held to 0. The list is
 * held against the header.
 *
 * SPDX-License-Identifier: MIT
 */
#include "infer/router.h"
#include "tests/failing_memory.h"
#include "tests/router_fixture.h"

enum { ROWS = 3 };

static char path[64];
static void *bytes;
static size_t size;
static float *x;
static struct saferoute_router *router;
static struct saferoute_slot *slot;
static struct saferoute_decision before[ROWS], decided[ROWS];

static struct saferoute_rows rows(void) {
    return rows_of(x, ROWS);
}

static void begin(void) {
    struct network n;
    struct sr_error err;
    network_begin(&n, SMALL, DIRECTIONS);
    network_write(&n, temporary(path));
    network_end(&n);
    cr_assert_eq(sr_file_read(&bytes, &size, path, (size_t)1 << 26, &err), 0, "%s", err.text);
    x = rows_begin(ROWS, WIDTH, 3);
    cr_assert_eq(saferoute_open(&router, path, NULL, NULL), 0);
    slot = saferoute_slot_create();
    cr_assert_not_null(slot);
    cr_assert_eq(saferoute_reload(slot, path, NULL, NULL), 0);
    const struct saferoute_rows r = rows();
    saferoute_decide(router, before, &r, NULL);
}

static void end(void) {
    saferoute_slot_destroy(slot);
    saferoute_close(router);
    sr_free(x);
    sr_free(bytes);
    unlink(path);
}

/* ---- calls: each true if it did what it is to do, false if it failed as its description says ---- */

/* A failed opening: no router, NOMEM and a text that says so, and deciding without one fails closed. */
static bool opened(int status, struct saferoute_router *r, const struct saferoute_error *why) {
    if (status == 0) {
        saferoute_close(r);
        return true;
    }
    const struct saferoute_rows all = rows();
    cr_expect_eq(status, SAFEROUTE_NOMEM, "%d: %s", status, why->text);
    cr_expect(why->status == status && strstr(why->text, "memory"), "%s", why->text);
    cr_expect_null(r);
    saferoute_decide(r, decided, &all, NULL);
    for (size_t i = 0; i < ROWS; i++)
        cr_expect(decided[i].large == 1 && decided[i].reason == SAFEROUTE_REASON_NO_ROUTER);
    return false;
}

static bool call_open(void) {
    struct saferoute_router *r = router;
    struct saferoute_error why = {0};
    const int status = saferoute_open(&r, path, NULL, &why);
    return opened(status, r, &why);
}

static bool call_open_memory(void) {
    const struct saferoute_options int8 = {.precision = SAFEROUTE_COMPUTE_INT8};
    struct saferoute_router *r = router;
    struct saferoute_error why = {0};
    const int status = saferoute_open_memory(&r, bytes, size, &int8, &why);
    return opened(status, r, &why);
}

static bool call_slot_create(void) {
    struct saferoute_slot *s = saferoute_slot_create();
    saferoute_slot_destroy(s); /* NULL is fine */
    return s != NULL;
}

/* On failure the slot keeps what it has. */
static bool call_reload(void) {
    struct saferoute_error why = {0};
    const struct saferoute_router *had = saferoute_acquire(slot);
    const int status = saferoute_reload(slot, path, NULL, &why);
    const struct saferoute_router *has = saferoute_acquire(slot);
    const struct saferoute_rows all = rows();
    saferoute_decide(has, decided, &all, NULL);
    cr_expect(same_bits(decided, before, sizeof before), "the slot decides otherwise");
    cr_expect_eq(has == had, status != 0);
    saferoute_release(has);
    saferoute_release(had);
    cr_expect(status == 0 || (status == SAFEROUTE_NOMEM && strstr(why.text, "memory")), "%d: %s", status,
              why.text);
    return status == 0;
}

static bool call_decide(void) {
    struct saferoute_stats stats = {0};
    const struct saferoute_rows all = rows();
    saferoute_decide(router, decided, &all, &stats);
    return same_bits(decided, before, sizeof before) && stats.rows == ROWS;
}

static bool call_logits(void) {
    float logit[ROWS];
    const struct saferoute_rows all = rows();
    saferoute_logits(router, logit, &all);
    return same_bits(&logit[1], &before[1].logit, sizeof *logit);
}

static bool call_acquire(void) {
    const struct saferoute_router *r = saferoute_acquire(slot);
    saferoute_release(r);
    return r != NULL;
}

static bool call_json(void) {
    char line[SAFEROUTE_JSON_SIZE];
    return saferoute_decision_json(line, sizeof line, before, "id") < sizeof line && line[0] == '{';
}

static bool call_prometheus(void) {
    char text[SAFEROUTE_PROMETHEUS_SIZE];
    struct saferoute_stats stats = {0};
    saferoute_stats_add(&stats, &(struct saferoute_stats){.rows = 2});
    return saferoute_stats_prometheus(text, sizeof text, &stats) < sizeof text && stats.rows == 2;
}

static bool call_questions(void) {
    return saferoute_width(router) == WIDTH && saferoute_precision(router) == SAFEROUTE_COMPUTE_FLOAT32 &&
           saferoute_range_limit(router) > 0 && saferoute_threshold(router) > .5f &&
           strlen(saferoute_artefact(router)) == 64 && !saferoute_metadata(router, "nothing") &&
           saferoute_key("a", 1) && saferoute_reason_name(0) && saferoute_reason_text(0) &&
           saferoute_version();
}

/* One failing allocation is a whole call of each; some functions share one. */
static const struct {
    const char *names;
    bool (*call)(void);
    bool allocates;
} calls[] = {
    {"saferoute_open saferoute_close", call_open, true},
    {"saferoute_open_memory", call_open_memory, true},
    {"saferoute_slot_create saferoute_slot_destroy", call_slot_create, true},
    {"saferoute_reload", call_reload, true},
    {"saferoute_decide", call_decide, false},
    {"saferoute_logits", call_logits, false},
    {"saferoute_acquire saferoute_release", call_acquire, false},
    {"saferoute_decision_json", call_json, false},
    {"saferoute_stats_prometheus saferoute_stats_add", call_prometheus, false},
    {"saferoute_width saferoute_precision saferoute_range_limit saferoute_threshold saferoute_artefact "
     "saferoute_metadata saferoute_key saferoute_reason_name saferoute_reason_text saferoute_version",
     call_questions, false},
};

Test(trust_memory_library, the_list_is_the_headers) {
    struct sr_error err;
    void *text;
    size_t length, found = 0;
    cr_assert_eq(sr_file_read(&text, &length, SR_SOURCE_DIR "/infer/saferoute.h", (size_t)1 << 20, &err), 0);
    for (char *at = text; (at = strstr(at, "SAFEROUTE_API "));) {
        at += strlen("SAFEROUTE_API ");
        char *name = strstr(at, "saferoute_"), *open = strchr(at, '(');
        if (!name || !open || strncmp(at, "__attribute__", 13) == 0)
            continue;
        for (char *next; (next = strstr(name + 1, "saferoute_")) && next < open;)
            name = next; /* the last before the bracket is the function, not its type */
        char word[128];
        snprintf(word, sizeof word, "%.*s", (int)(open - name), name);
        bool listed = false;
        for (size_t i = 0; i < SR_COUNT(calls); i++) {
            const char *in = strstr(calls[i].names, word);
            while (in && in[strlen(word)] && in[strlen(word)] != ' ')
                in = strstr(in + 1, word);
            listed = listed || in;
        }
        cr_expect(listed, "%s is called by no test here", word);
        found++;
    }
    cr_expect_geq(found, 20, "%zu functions", found);
    sr_free(text);
}

static void try_all(size_t i) {
    cr_expect(calls[i].call(), "%s", calls[i].names); /* what is kept for good is made now */
    memory_begin(0);
    calls[i].call();
    const size_t kept = memory_end().live; /* the slot's new router, while the old one was made before */
    memory_begin(0);
    calls[i].call();
    calls[i].call();
    cr_expect_eq(memory_end().live, kept, "%s keeps more each time", calls[i].names);
    cr_expect(kept == 0 || calls[i].call == call_reload, "%s keeps %zu blocks", calls[i].names, kept);
    for (uint64_t n = 1;; n++) {
        memory_begin(n);
        const bool done = calls[i].call();
        const struct memory_report r = memory_end();
        cr_expect_eq(r.live, done ? kept : 0,
                     "%s, allocation %llu: %zu blocks leaked, the first is that of call %llu", calls[i].names,
                     (unsigned long long)n, r.live, (unsigned long long)r.first);
        cr_expect(done || r.failed, "%s failed for nothing", calls[i].names);
        cr_assert(call_decide(), "%s, allocation %llu: the router decides otherwise now", calls[i].names,
                  (unsigned long long)n);
        cr_expect(calls[i].allocates || r.calls == 0, "%s allocates", calls[i].names);
        if (r.failed)
            continue;
        printf("memory: %s: %llu allocations\n", calls[i].names, (unsigned long long)r.calls);
        fflush(stdout);
        return;
    }
}

Test(trust_memory_library, every_function_fails_with_its_error, .init = begin, .fini = end) {
    for (size_t i = 0; i < SR_COUNT(calls); i++)
        try_all(i);
}
