/* guard.h: one of the two guards as a dump knows it: probabilities, verdicts, threshold.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_GUARD_H
#define SR_GUARD_H

#include "data/data.h"

struct sr_dump;

enum { SR_SMALL, SR_LARGE, SR_GUARDS };

struct sr_guard {
    const char *name; /* "small", "large" */
    double given;     /* threshold of the caller; 0: none */
    double stated;    /* threshold the file's attribute states; NaN: none, or another is given */
    float *prob;      /* [rows], NaN: unknown; NULL where absent */
    uint8_t *pred;    /* [rows], 0, 1 or SR_UNKNOWN; NULL where absent */
    struct sr_cut cut;
};

/* Begins *g: takes the threshold given, or reads what the file states. SR_USAGE: one given outside 0..1.
 * SR_DATA: one stated outside 0..1, or 0, or no number. */
int sr_guard_begin(struct sr_guard *g, const struct sr_dump *d, const char *name, double given,
                   struct sr_error *err);

/* Reads probabilities and verdicts; prob and pred are names of datasets, NULL: the contract's. */
int sr_guard_read(struct sr_guard *g, const struct sr_dump *d, const char *prob, const char *pred,
                  struct sr_error *err);

#endif
