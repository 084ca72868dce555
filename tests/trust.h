/* trust.h: how long the long loops of the trust tests are, and how long a file may take to be read.
 *
 * Tests of what may happen at any moment (a kill, a full disk, a flipped bit) try many moments. Each has a
 * short form, for every change, and the full one of scripts/test.sh --long, which sets SAFEROUTE_LONG. The
 * moments of the short form are some of the full one's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_TRUST_H
#define SR_TEST_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

static inline bool trust_long(void) {
    const char *value = getenv("SAFEROUTE_LONG");
    return value && *value;
}

/* How often a loop turns: `whole` times in the long form, else `some`. */
static inline size_t trust_times(size_t whole, size_t some) {
    return trust_long() ? whole : some;
}

/* Seconds of processor time that reading a small file, or a long list in a text of 4 MB, may take. Measured
 * on a machine with twelve programs for two processors: .41 for the worst, a dump of shared links, .16 for
 * the list, .02 for all others; with gcc's sanitizers 1.03, 1.02 (6 times as long, the most of all) and .12.
 * A loop over what a file only claims, or over a list anew for each of its items, takes minutes. */
static inline double trust_seconds(void) {
    return *SR_SANITIZE ? 20 : 2;
}

#endif
