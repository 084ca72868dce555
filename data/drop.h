/* drop.h: a dump without the rows of some ids, as a deletion request wants it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_DROP_H
#define SR_DROP_H

#include "data/copy.h"

#define SR_DROP_LISTED 5

struct sr_dropped {
    struct sr_copied copied;
    size_t ids;   /* different ones asked for */
    size_t found; /* of them in the dump */
    size_t rows;  /* dropped because of their id: more than found where an id is there twice */
    size_t twins; /* dropped because of their group */
    size_t kept;
    char *missing[SR_DROP_LISTED]; /* the first ids that are not in the dump; the rest NULL */
    char *mentions;                /* where the ids stand besides, see sr_mention_list; "" */
    char *whole; /* what was copied whole and may tell of the rows: "/about, the attribute note"; "" */
};

/* Writes the dump at path anew as out, which may be path, without the rows whose id is a line of the file ids
 * ("-": standard input; spelled as sr_wanted_read takes them), and, with_group, those that share a group with
 * one of them; then reads the ids back. Free with sr_dropped_free, also after a failure. SR_USAGE: out is the
 * file of ids. SR_NO: none of the ids is there, and nothing was written. SR_DATA: no ids in the dump or the
 * file, no row would be left. SR_BUG: an id is still there. Atomic, other errors as sr_data_open and
 * sr_copy_rows. */
int sr_drop_write(struct sr_dropped *done, const char *out, const char *path, const char *ids,
                  bool with_group, const struct sr_data_options *options,
                  void (*progress)(void *user, double fraction), void *user, struct sr_error *err);
void sr_dropped_free(struct sr_dropped *done);

#endif
