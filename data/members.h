/* members.h: what of a file has a value for each row, and what belongs to the file as a whole.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_MEMBERS_H
#define SR_MEMBERS_H

#include "data/h5_copy.h"

/* Members as sr_h5_members lists them, with by_rows decided. features: name of a dataset whose rows are those
 * meant, [rows] or [rows, ..]; width: features a row, or 0 where that is not known. Errors likewise. */
int sr_members_find(struct sr_h5_members *out, const struct sr_h5 *f, const char *features, size_t rows,
                    size_t width, bool some, struct sr_error *err);

/* True if nothing but its length says that the member has a value for each row. */
bool sr_members_unknown(const char *name, const char *features);

/* True for layers of features beside the main one: features_layer_12. */
bool sr_members_layer(const char *name);

/* True if name is in the NULL-terminated list, which may be NULL. */
bool sr_members_listed(const char *const *list, const char *name);

#endif
