/* recipe.c: the recipes; see recipe.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/recipe.h"

#define KEYS_MAX 16

/* plain: what a first course in PyTorch would do: every row once an epoch, no clipping, a higher learning
 * rate and a tenth of the epochs. */
static const struct sr_pair recipes[][KEYS_MAX] = {
    [SR_RECIPE_PLAIN] = {{"sampler", "none"}, {"lr", "1e-3"}, {"t0", "10"}, {"epochs", "30"}, {"clip", "0"}},
    [SR_RECIPE_FINETUNE] = {{"lr", "1e-4"}, {"t0", "20"}, {"epochs", "20"}, {"patience", "10"}},
};

int sr_recipe_apply(struct sr_options *o, enum sr_recipe recipe, struct sr_error *err) {
    int status = SR_OK;
    for (const struct sr_pair *p = recipes[recipe]; status == SR_OK && p->key; p++)
        if (!sr_options_given(o, p->key))
            status = sr_options_set(o, p->key, p->value, SR_ORIGIN_RECIPE, err);
    return status;
}
