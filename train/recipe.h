/* recipe.h: named settings.
 *
 * A recipe is a list of values for keys of the table of settings, between the defaults and everything the
 * user says: a key that was given in any way keeps what was given.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_RECIPE_H
#define SR_RECIPE_H

#include "nn/base/base.h"

/* X(name, choice as text): seed is the published recipe, whose values are the defaults. */
#define SR_RECIPE_LIST(X)                                                                                    \
    X(AUTO, "auto")                                                                                          \
    X(SEED, "|seed")                                                                                         \
    X(PLAIN, "|plain")                                                                                       \
    X(FINETUNE, "|finetune")

enum sr_recipe {
#define X(name, text) SR_RECIPE_##name,
    SR_RECIPE_LIST(X)
#undef X
};

#define SR_RECIPE_TEXT(name, text) text
#define SR_RECIPE_CHOICES          SR_RECIPE_LIST(SR_RECIPE_TEXT)

/* Sets the recipe's keys that still have their defaults. AUTO must have been resolved. */
int sr_recipe_apply(struct sr_options *o, enum sr_recipe recipe, struct sr_error *err);

#endif
