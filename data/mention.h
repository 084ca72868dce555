/* mention.h: where a dump names ids besides its column of ids: what a deletion by rows leaves behind.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_MENTION_H
#define SR_MENTION_H

#include <stdio.h>

#include "data/wanted.h"

/* Writes the names of the root's strings, opaque values and attributes that hold one of the ids, ", " between
 * them, to `list`: as a value of its own, or, in an attribute and a dataset of other than `rows` rows, as a
 * word. Left out: `column`, numbers, the contract's attributes, what is in groups, attributes of datasets.
 * Takes memory for a few thousand values at once. */
int sr_mention_list(FILE *list, const struct sr_wanted *w, const struct sr_h5 *f, const char *column,
                    size_t rows, struct sr_error *err);

#endif
