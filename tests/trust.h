/* trust.h: how long the long loops of the trust tests are.
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

#endif
