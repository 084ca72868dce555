/* capability.h: what can be done with a dump, by the columns it has, and what is missing for the rest.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CAPABILITY_H
#define SR_CAPABILITY_H

#include "data/data.h"

/* What a dump may lack. X(NAME, how a user is told) */
#define SR_NEED_LIST(X)                                                                                      \
    X(LABEL, "/label (or gold and both guards' verdicts)")                                                   \
    X(USABLE, "labels that can be used (see labels)")                                                        \
    X(READABLE, "columns that can be used (see labels, trouble)")                                            \
    X(KNOWN, "a row whose label is known")                                                                   \
    X(CLASSES, "rows of both classes")                                                                       \
    X(KNOWN_THREE, "a row where gold and both verdicts are known")                                           \
    X(GOLD, "/gold")                                                                                         \
    X(SMALL, "/small_prob or /small_pred")                                                                   \
    X(LARGE, "/large_prob or /large_pred")                                                                   \
    X(SMALL_PROB, "/small_prob")                                                                             \
    X(ID, "/id")                                                                                             \
    X(GROUP, "/group")                                                                                       \
    X(SOURCE, "/source")                                                                                     \
    X(WEIGHT, "/weight")                                                                                     \
    X(HEAD, "/verdict_head")                                                                                 \
    X(POST, "feature_norm post")

enum sr_need {
#define X(name, text) SR_NEED_##name,
    SR_NEED_LIST(X)
#undef X
        SR_NEEDS
};

struct sr_capability {
    const char *key, *what; /* "headroom"; which commands, or what they do with it */
    unsigned needs;         /* bit 1 << enum sr_need */
};

#define SR_CAPABILITIES 13
extern const struct sr_capability sr_capabilities[SR_CAPABILITIES];

/* What of enum sr_need d, a set of one dump, lacks, as bits; troubles: what opening it met. */
unsigned sr_capability_lacks(const struct sr_data *d, const struct sr_troubles *troubles);

const char *sr_need_text(enum sr_need need); /* static storage */

#endif
