/* pickle_call.h: what a pickle of tensors may ask for by name, and what becomes of a call; private to
 * pickle.c and pickle_call.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_PICKLE_CALL_H
#define SR_PICKLE_CALL_H

#include "data/pickle_machine.h"

#define SR_PICKLE_NAME 160

/* "os.system", cut where it is long. Returns text. */
const char *sr_pickle_name(char text[SR_PICKLE_NAME], const char *module, size_t module_length,
                           const char *name, size_t name_length);

/* The global module.name, or SR_DATA, which names it. Lengths in bytes, no NULs behind. */
int sr_pickle_global(const struct sr_pickle_global **out, const struct sr_pickle *p, const char *module,
                     size_t module_length, const char *name, size_t name_length, struct sr_error *err);

/* Whether a value may stand alone (a dtype), rather than only be called. */
bool sr_pickle_global_is_value(const struct sr_pickle_global *global);

/* What calling a global with a tuple of arguments makes. */
int sr_pickle_call(struct sr_pickle_value **out, struct sr_pickle *p, const struct sr_pickle_value *callee,
                   const struct sr_pickle_value *arguments, struct sr_error *err);

/* The storage that a persistent id, ("storage", type, key, device, items), stands for. */
int sr_pickle_storage(struct sr_pickle_value **out, struct sr_pickle *p, const struct sr_pickle_value *id,
                      struct sr_error *err);

#endif
