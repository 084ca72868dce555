/* capability.c: what each use of a dump needs. See capability.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/capability.h"

#include <string.h>

#include "data/set.h"

#define NEEDS(name)   (1u << SR_NEED_##name)
#define LABELS        (NEEDS(LABEL) | NEEDS(USABLE))
#define THREE_COLUMNS (NEEDS(GOLD) | NEEDS(SMALL) | NEEDS(LARGE))

const struct sr_capability sr_capabilities[SR_CAPABILITIES] = {
    {"train", "", LABELS | NEEDS(CLASSES)},
    {"eval", "", LABELS},
    {"sweep", "", LABELS},
    {"infer", "", 0},
    {"headroom", "eval --headroom", THREE_COLUMNS},
    {"routed", "eval, sweep: how safe the two guards are with the router between them", THREE_COLUMNS},
    {"relabel", "data label", THREE_COLUMNS},
    {"entropy", "eval: the small guard's entropy as a baseline", NEEDS(SMALL_PROB)},
    {"by_source", "eval: numbers of each source; data split: sources held out", NEEDS(SOURCE)},
    {"by_group", "train, data split: twins stay on one side", NEEDS(GROUP)},
    {"by_id", "data compare, merge, drop: rows are known by their ids", NEEDS(ID)},
    {"weights", "train: a weight for each row", NEEDS(WEIGHT)},
    {"verdict_head", "data check: the small guard's probabilities follow from the features",
     NEEDS(HEAD) | NEEDS(SMALL_PROB) | NEEDS(POST)},
};

const char *sr_need_text(enum sr_need need) {
    static const char *const texts[] = {
#define X(name, text) text,
        SR_NEED_LIST(X)
#undef X
    };
    return texts[need];
}

static bool has_both_classes(const struct sr_data *d) {
    return d->label && memchr(d->label, 0, d->rows) && memchr(d->label, 1, d->rows);
}

static bool is_post_norm(const struct sr_data *d) {
    for (size_t i = 0; i < d->contract_count; i++)
        if (strcmp(d->contract[i].key, "feature_norm") == 0)
            return strcmp(d->contract[i].value, "post") == 0;
    return false;
}

unsigned sr_capability_lacks(const struct sr_data *d, bool labels_usable) {
    const bool has[SR_NEEDS] = {
        [SR_NEED_LABEL] = d->label,
        [SR_NEED_USABLE] = labels_usable,
        [SR_NEED_CLASSES] = !d->label || has_both_classes(d),
        [SR_NEED_GOLD] = d->gold,
        [SR_NEED_SMALL] = d->small_pred,
        [SR_NEED_LARGE] = d->large_pred,
        [SR_NEED_SMALL_PROB] = d->small_prob,
        [SR_NEED_ID] = d->id,
        [SR_NEED_GROUP] = d->group,
        [SR_NEED_SOURCE] = d->source,
        [SR_NEED_WEIGHT] = d->weight,
        [SR_NEED_HEAD] = sr_h5_has(d->in->dump[0]->file, "verdict_head"),
        [SR_NEED_POST] = is_post_norm(d),
    };
    unsigned lacks = 0;
    for (unsigned need = 0; need < SR_NEEDS; need++)
        lacks |= has[need] ? 0 : 1u << need;
    return lacks;
}
