/* wanted.h: ids that somebody asked for, found in a dump whichever way they are spelled.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_WANTED_H
#define SR_WANTED_H

#include "data/data.h"
#include "data/h5.h"
#include "data/names.h"

struct sr_wanted {
    struct sr_names names; /* different ids, in order of first appearance */
    size_t longest;        /* bytes of one, at most */
    char *room;            /* [longest + 1] */
};

/* The lines of the file ids ("-": standard input), without blanks around them, as the column `column` of f
 * spells them: where that is read from bytes, hexadecimal digits may have dashes between them and be of upper
 * case. Free with sr_wanted_free, also after a failure. SR_DATA: it holds no ids. Errors of reading. */
int sr_wanted_read(struct sr_wanted *w, const char *ids, const struct sr_h5 *f, const char *column,
                   struct sr_error *err);

/* Number of the id that a row has, blanks around it or not; -1: nobody asked for it. One thread. */
int32_t sr_wanted_find(const struct sr_wanted *w, const char *id);

/* Reads the ids of the dump at path. SR_BUG: one of w is among them, or there are
 * not `rows`. Errors of sr_data_open. */
int sr_wanted_check_gone(const struct sr_wanted *w, const char *path, size_t rows,
                         const struct sr_data_options *options, struct sr_error *err);

void sr_wanted_free(struct sr_wanted *w);

#endif
