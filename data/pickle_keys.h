/* pickle_keys.h: whether a dict of a pickle has a key twice; private to pickle*.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_PICKLE_KEYS_H
#define SR_PICKLE_KEYS_H

#include "data/pickle_machine.h"

/* SR_DATA if two keys of any dict are the same text or number, by Python's rule: 1 is 1.0 and True. SR_NOMEM.
 * Takes time as sorting what the pickle holds does, however often keys and dicts are used in it. */
int sr_pickle_keys_check(struct sr_pickle *p, struct sr_error *err);

#endif
