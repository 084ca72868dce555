/* pickle_keys.h: whether a dict of a pickle has a key twice.
 *
 * In Python the later one replaces the earlier, so that a tensor can be in the pickle and not in the dict.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_PICKLE_KEYS_H
#define SR_PICKLE_KEYS_H

#include "data/pickle.h"

/* SR_DATA if two keys of the dict are the same text or number, by Python's rule: 1 is 1.0 and True. path is
 * for messages. SR_NOMEM. */
int sr_pickle_keys_check(const struct sr_pickle_value *dict, const char *path, struct sr_error *err);

#endif
