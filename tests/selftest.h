/* selftest.h: tests that need no test framework, so that they run where only the C library is:
 * cross-compiled, under an emulator, on a small machine.
 *
 * A case computes a hash of every bit of its results; the value it must have is written beside it and holds
 * for every architecture and instruction set. A change that is meant to change bits changes these values: a
 * failed case prints the new one. Inputs are hash_fill's. Little-endian machines only, as everything here.
 * A NaN that an operation makes has another sign on x86 than on ARM, so no case makes one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_SELFTEST_H
#define SR_TEST_SELFTEST_H

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define SELFTEST_SKIPPED 77 /* exit status that ctest knows */
#define SELFTEST_START   UINT64_C(0xcbf29ce484222325)

struct selftest_case {
    const char *name;
    uint64_t (*run)(void);
    uint64_t want;
};

/* FNV-1a, 64 bits (Fowler, Noll, Vo); begins with SELFTEST_START. */
static inline uint64_t selftest_hash(uint64_t hash, const void *bytes, size_t n) {
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* The instruction set named on the command line, which is then asked for; NULL if none is. To be called
 * before anything chooses one. */
static inline const char *selftest_asks(int argc, char **argv) {
    if (argc < 2)
        return NULL;
    setenv("SAFEROUTE_ISA", argv[1], 1);
    return argv[1];
}

static inline int selftest_skip(const char *isa) {
    printf("[SKIP] %s: this CPU or build does not have it\n", isa);
    return SELFTEST_SKIPPED;
}

/* Runs them all; the exit status. The last line is one that scripts/test.sh counts. */
static inline int selftest_run(const struct selftest_case *cases, size_t n, const char *where) {
    size_t failed = 0;
    for (size_t i = 0; i < n; i++) {
        const uint64_t got = cases[i].run();
        const int wrong = got != cases[i].want;
        printf("%-8s %-20s %016" PRIx64, where, cases[i].name, got);
        if (wrong)
            printf("  FAILED: must be %016" PRIx64, cases[i].want);
        putchar('\n');
        failed += (size_t)wrong;
    }
    printf("Synthesis: Tested: %zu | Passing: %zu | Failing: %zu | Crashing: 0\n", n, n - failed, failed);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
