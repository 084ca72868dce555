/* test_infer_slot.c: a router replaced while others decide: what a failed reload leaves, who closes what, and
 * decisions that are those of one router or the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>

#include "tests/router_fixture.h"

enum { ROWS = 20, THREADS = 4, SWAPS = 60 };

/* Writes a router to a new file; bias moves every logit. */
static void write_router(char path[64], size_t width, float bias) {
    const size_t widths[] = {width, 6, 1};
    struct network n;
    network_begin(&n, widths, 2, 0);
    *(float *)network_find(&n, "cls.4.bias")->data = bias;
    network_write(&n, temporary(path));
    network_end(&n);
}

static void expect_in_use(struct saferoute_slot *slot, const char *artefact) {
    const struct saferoute_router *r = saferoute_acquire(slot);
    cr_expect_str_eq(saferoute_artefact(r), artefact);
    saferoute_release(r);
}

Test(infer_slot, begins_empty) {
    struct saferoute_slot *slot = saferoute_slot_create();
    const struct saferoute_router *r = saferoute_acquire(slot);
    struct saferoute_decision d;
    float x[WIDTH] = {0};
    const struct saferoute_rows rows = rows_of(x, 1);
    cr_expect_null(r);
    saferoute_decide(r, &d, &rows, NULL);
    cr_expect_eq(d.reason, SAFEROUTE_REASON_NO_ROUTER);
    saferoute_release(r);
    cr_expect_eq(saferoute_reload(slot, "/nonexistent", NULL, NULL), SAFEROUTE_NOINPUT);
    cr_expect_null(saferoute_acquire(slot));
    saferoute_slot_destroy(slot);
    saferoute_slot_destroy(NULL);
}

Test(infer_slot, keeps_the_old_one_when_the_new_one_fails) {
    struct saferoute_slot *slot = saferoute_slot_create();
    struct saferoute_error why;
    struct sr_error err;
    char good[64], wide[64], artefact[65];
    void *bytes;
    size_t size;
    write_router(good, WIDTH, 0);
    write_router(wide, WIDTH + 1, 0);
    cr_assert_eq(saferoute_reload(slot, good, NULL, &why), 0, "%s", why.text);
    const struct saferoute_router *r = saferoute_acquire(slot);
    snprintf(artefact, sizeof artefact, "%s", saferoute_artefact(r));
    saferoute_release(r);

    cr_expect_eq(saferoute_reload(slot, wide, NULL, &why), SAFEROUTE_DATA);
    cr_expect(why.status == SAFEROUTE_DATA && strstr(why.text, "41") && strstr(why.text, "40"), "%s",
              why.text);
    expect_in_use(slot, artefact);
    cr_expect_eq(saferoute_reload(slot, "/nonexistent", NULL, &why), SAFEROUTE_NOINPUT);
    expect_in_use(slot, artefact);
    cr_expect_eq(saferoute_reload(slot, good, &(struct saferoute_options){.explore = 2}, &why),
                 SAFEROUTE_USAGE);
    expect_in_use(slot, artefact);
    cr_assert_eq(sr_file_read(&bytes, &size, good, 1 << 20, &err), 0);
    ((char *)bytes)[size - 3] ^= 4;
    cr_assert_eq(sr_atomic_file_write(good, bytes, size, &err), 0);
    cr_expect_eq(saferoute_reload(slot, good, NULL, &why), SAFEROUTE_DATA);
    expect_in_use(slot, artefact);
    sr_free(bytes);
    saferoute_slot_destroy(slot);
    unlink(good);
    unlink(wide);
}

/* The process goes on feeding the vectors of the router before. */
Test(infer_slot, keeps_the_old_one_when_the_new_one_reads_other_vectors) {
    static const struct {
        const char *norm;
        int status;
    } cases[] = {{"post", 0}, {"pre", SAFEROUTE_DATA}, {NULL, 0}, {"pre", 0}, {"post", SAFEROUTE_DATA}};
    static const size_t widths[] = {WIDTH, 4, 1};
    struct saferoute_slot *slot = saferoute_slot_create();
    struct saferoute_error why;
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        struct network n;
        char path[64];
        network_begin(&n, widths, 2, 0);
        if (cases[i].norm)
            network_says(&n, "feature_norm", cases[i].norm);
        network_write(&n, temporary(path));
        cr_expect_eq(saferoute_reload(slot, path, NULL, &why), cases[i].status, "case %zu", i);
        cr_expect(cases[i].status == 0 || strstr(why.text, "feature_norm is \""), "%s", why.text);
        unlink(path);
        network_end(&n);
    }
    saferoute_slot_destroy(slot);
}

Test(infer_slot, a_router_lives_until_it_is_given_back) {
    struct saferoute_slot *slot = saferoute_slot_create();
    char a[64], b[64];
    write_router(a, WIDTH, 0);
    write_router(b, WIDTH, 1);
    cr_assert_eq(saferoute_reload(slot, a, NULL, NULL), 0);
    const struct saferoute_router *first = saferoute_acquire(slot), *again = saferoute_acquire(slot);
    cr_expect_eq(first, again);
    cr_expect_eq(sr_router_of(first)->users, 3);
    cr_assert_eq(saferoute_reload(slot, b, NULL, NULL), 0);
    cr_expect_eq(sr_router_of(first)->users, 2);
    saferoute_release(again);
    cr_expect_eq(sr_router_of(first)->users, 1);
    const struct saferoute_router *second = saferoute_acquire(slot);
    cr_expect_str_neq(saferoute_artefact(first), saferoute_artefact(second));
    saferoute_slot_destroy(slot);
    cr_expect_eq(saferoute_width(first), WIDTH);
    cr_expect_eq(sr_router_of(second)->users, 1);
    saferoute_release(first);
    saferoute_release(second);
    unlink(a);
    unlink(b);
}

/* ---- while others decide ---- */

struct shared {
    struct saferoute_slot *slot;
    const float *x;
    struct saferoute_decision want[2][ROWS]; /* of either router */
    atomic_bool stop;
    atomic_size_t decided[2], wrong;
};

static void *decide_on(void *user) {
    struct shared *s = user;
    const struct saferoute_rows rows = rows_of(s->x, ROWS);
    while (!s->stop) {
        struct saferoute_decision d[ROWS];
        const struct saferoute_router *r = saferoute_acquire(s->slot);
        saferoute_decide(r, d, &rows, NULL);
        saferoute_release(r);
        size_t which = 0;
        while (which < 2 && !same_bits(d, s->want[which], sizeof d))
            which++;
        if (which < 2)
            s->decided[which]++;
        else
            s->wrong++;
    }
    return NULL;
}

Test(infer_slot, swaps_while_others_decide) {
    char path[2][64];
    float *x = rows_begin(ROWS, WIDTH, 2);
    const struct saferoute_rows rows = rows_of(x, ROWS);
    struct shared *s = sr_alloc(1, sizeof *s, NULL);
    pthread_t thread[THREADS];
    s->slot = saferoute_slot_create();
    s->x = x;
    for (int i = 0; i < 2; i++) {
        struct saferoute_router *r;
        write_router(path[i], WIDTH, (float)i);
        cr_assert_eq(saferoute_open(&r, path[i], NULL, NULL), 0);
        saferoute_decide(r, s->want[i], &rows, NULL);
        saferoute_close(r);
    }
    cr_assert_not(same_bits(s->want[0], s->want[1], sizeof s->want[0]));
    cr_assert_eq(saferoute_reload(s->slot, path[0], NULL, NULL), 0);
    for (size_t i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, decide_on, s), 0);
    for (size_t i = 1; i < SWAPS || !s->decided[0] || !s->decided[1]; i++)
        cr_assert_eq(saferoute_reload(s->slot, path[i % 2], NULL, NULL), 0);
    s->stop = true;
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    cr_expect_eq(s->wrong, 0, "%zu decisions of neither router", (size_t)s->wrong);
    saferoute_slot_destroy(s->slot);
    unlink(path[0]);
    unlink(path[1]);
    sr_free(s);
    sr_free(x);
}

/* Of two reloads at once, with routers of two widths, one wins and the other is refused. */
static void *reload_on(void *user) {
    struct {
        struct saferoute_slot *slot;
        const char *path;
        int status;
    } *job = user;
    job->status = saferoute_reload(job->slot, job->path, NULL, NULL);
    return NULL;
}

Test(infer_slot, two_reloads_at_once) {
    char path[2][64];
    write_router(path[0], WIDTH, 0);
    write_router(path[1], WIDTH + 1, 0);
    for (int round = 0; round < 30; round++) {
        struct {
            struct saferoute_slot *slot;
            const char *path;
            int status;
        } job[2];
        pthread_t thread[2];
        struct saferoute_slot *slot = saferoute_slot_create();
        for (int i = 0; i < 2; i++) {
            job[i].slot = slot;
            job[i].path = path[i];
            cr_assert_eq(pthread_create(&thread[i], NULL, reload_on, &job[i]), 0);
        }
        pthread_join(thread[0], NULL);
        pthread_join(thread[1], NULL);
        cr_expect((job[0].status == 0) + (job[1].status == 0) == 1, "%d and %d", job[0].status,
                  job[1].status);
        saferoute_slot_destroy(slot);
    }
    unlink(path[0]);
    unlink(path[1]);
}
