/* listed.h: a column of integers that are indices into the names which its attribute "names" lists, the way
 * a dump keeps few texts for many rows.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_LISTED_H
#define SR_LISTED_H

#include "data/h5.h"

struct sr_listed {
    char **names; /* [count], one block; NULL: the column has no such attribute */
    size_t count;
    int64_t *index; /* [rows], each below count; NULL without names */
};

/* SR_DATA: an index outside of the list. After a failure there is nothing to free. */
int sr_listed_read(struct sr_listed *out, const struct sr_h5 *f, const char *column, size_t rows,
                   struct sr_error *err);
void sr_listed_free(struct sr_listed *l);

#endif
