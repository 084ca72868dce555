/* threads.h: programs of threads that ThreadSanitizer can watch: plain pthreads, no Criterion, which does not
 * start under it, and no OpenMP, whose barriers it does not see.
 *
 * A check that fails is printed at once; threads_case counts a case as failed that had one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_THREADS_H
#define SR_TEST_THREADS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS_MOST = 8 };

static atomic_size_t threads_wrong; /* checks that failed */

/* In any thread. */
#define CHECK(condition, ...)                                                                                \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            threads_wrong++;                                                                                 \
            printf("%s:%d: %s: ", __FILE__, __LINE__, #condition);                                           \
            printf(__VA_ARGS__);                                                                             \
            putchar('\n');                                                                                   \
            fflush(stdout);                                                                                  \
        }                                                                                                    \
    } while (0)

/* What cannot be done without. */
#define MUST(condition, ...)                                                                                 \
    do {                                                                                                     \
        CHECK(condition, __VA_ARGS__);                                                                       \
        if (threads_wrong)                                                                                   \
            exit(EXIT_FAILURE);                                                                              \
    } while (0)

/* One of several threads that begin together. */
struct threads_one {
    size_t number;
    void *shared;
    void (*run)(size_t number, void *shared);
    pthread_barrier_t *gate;
};

static inline void *threads_enter(void *user) {
    const struct threads_one *t = user;
    pthread_barrier_wait(t->gate);
    t->run(t->number, t->shared);
    return NULL;
}

/* run(0..n-1, shared), each in a thread of its own; back when all are done. n up to THREADS_MOST. */
static inline void threads_run(size_t n, void (*run)(size_t number, void *shared), void *shared) {
    pthread_t thread[THREADS_MOST];
    struct threads_one one[THREADS_MOST];
    pthread_barrier_t gate;
    MUST(pthread_barrier_init(&gate, NULL, (unsigned)n) == 0, "no barrier for %zu threads", n);
    for (size_t i = 0; i < n; i++) {
        one[i] = (struct threads_one){.number = i, .shared = shared, .run = run, .gate = &gate};
        MUST(pthread_create(&thread[i], NULL, threads_enter, &one[i]) == 0, "no thread %zu", i);
    }
    for (size_t i = 0; i < n; i++)
        pthread_join(thread[i], NULL);
    pthread_barrier_destroy(&gate);
}

struct threads_case {
    const char *name;
    void (*run)(void);
};

/* Runs them all; the exit status. The last line is one that scripts/test.sh counts. */
static inline int threads_cases(const struct threads_case *cases, size_t n) {
    size_t failed = 0;
    for (size_t i = 0; i < n; i++) {
        threads_wrong = 0;
        cases[i].run();
        const size_t wrong = threads_wrong;
        printf("%-60s %s\n", cases[i].name, wrong ? "FAILED" : "fine");
        fflush(stdout);
        failed += wrong > 0;
    }
    printf("Synthesis: Tested: %zu | Passing: %zu | Failing: %zu | Crashing: 0\n", n, n - failed, failed);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
