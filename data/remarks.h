/* remarks.h: plain values beside tensors, each with its name, of a file that may want to have millions
 * of them; private to tensors_*.c.
 *
 *     struct sr_remarks r = {.most = 1 << 20};
 *     sr_remarks_add(&r, "a.b", "1", err);
 *     ... r.pair[0 .. r.n)
 *     sr_remarks_free(&r);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_REMARKS_H
#define SR_REMARKS_H

#include <stddef.h>

#include "nn/base/base.h"

#define SR_REMARK_MOST 8192 /* bytes of both texts of a pair */

struct sr_remarks {
    struct sr_pair *pair; /* [n] */
    size_t n, room;
    struct sr_remark_block *blocks; /* the texts, newest first */
    size_t bytes, most;             /* that all take; most is the caller's */
};

/* Whether a pair of these texts is within `most`. */
bool sr_remarks_fit(const struct sr_remarks *p, const char *key, const char *value);
/* Adds copies of both, which are not longer than SR_REMARK_MOST. SR_NOMEM. */
int sr_remarks_add(struct sr_remarks *p, const char *key, const char *value, struct sr_error *err);
void sr_remarks_free(struct sr_remarks *p);

#endif
