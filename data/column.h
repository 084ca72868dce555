/* column.h: columns of a dump found by name, checked for shape, and read as numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_COLUMN_H
#define SR_COLUMN_H

#include "data/dump.h"

struct sr_column {
    const char *name; /* NULL: the dump has none */
    struct sr_h5_info info;
};

/* SR_DATA if the caller gave a name that no dataset has. For columns that are not read: a name that is a slip
 * must not pass because something else wins over its column. */
int sr_column_named(const struct sr_dump *d, const char *given, struct sr_error *err);

/* *found: the dataset that plays the role named names[0], by that name or one alias of the NULL-terminated
 * list, or NULL. SR_DATA: a name the caller gave is not there; two aliases are. */
int sr_column_dataset(const char **found, const struct sr_dump *d, const char *given,
                      const char *const *names, struct sr_error *err);

/* The column called `given`, which must be there, or (NULL) `name`, which may be. SR_DATA if it has not one
 * value for each of the dump's rows. */
int sr_column_find(struct sr_column *c, const struct sr_dump *d, const char *given, const char *name,
                   struct sr_error *err);

/* The values of a column found; free with sr_free. SR_DATA, saying what is wanted, if they are no numbers, or
 * integers where these are not allowed. */
int sr_column_numbers(double **out, const struct sr_dump *d, const struct sr_column *c, bool integers,
                      const char *wanted, struct sr_error *err);

/* sr_column_find for a column of 0, 1 and unknown: *out is NULL where there is none; free with sr_free. */
int sr_column_binary(uint8_t **out, const struct sr_dump *d, const char *given, const char *name,
                     struct sr_error *err);

/* "F.h5: no dataset /NAME<also>; the file holds: ..." */
int sr_column_missing(const struct sr_dump *d, const char *name, const char *also, struct sr_error *err);

/* "F.h5: /NAME holds int32, but <wanted> are needed" */
int sr_column_kind(const struct sr_dump *d, const char *name, const struct sr_h5_info *info,
                   const char *wanted, struct sr_error *err);

#endif
