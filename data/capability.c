/* capability.c: what each use of a dump needs. See capability.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/capability.h"

#include <string.h>

#include "data/set.h"

#define NEEDS(name)   (1u << SR_NEED_##name)
#define COLUMNS       (NEEDS(USABLE) | NEEDS(READABLE))
#define LABELS        (NEEDS(LABEL) | COLUMNS)
#define THREE_COLUMNS (NEEDS(GOLD) | NEEDS(SMALL) | NEEDS(LARGE))

const struct sr_capability sr_capabilities[SR_CAPABILITIES] = {
    {"train", "", LABELS | NEEDS(CLASSES)},
    {"eval", "", LABELS | NEEDS(KNOWN)},
    {"sweep", "", LABELS | NEEDS(CLASSES)},
    {"infer", "", 0},
    {"headroom", "eval --headroom", THREE_COLUMNS | NEEDS(KNOWN_THREE) | COLUMNS},
    {"routed", "eval, sweep: how safe the two guards are with the router between them",
     THREE_COLUMNS | NEEDS(KNOWN_THREE) | COLUMNS},
    {"relabel", "data label", THREE_COLUMNS | NEEDS(READABLE)},
    {"entropy", "eval: the small guard's entropy as a baseline", NEEDS(SMALL_PROB) | COLUMNS},
    {"by_source", "eval: numbers of each source; data split: sources held out", NEEDS(SOURCE) | COLUMNS},
    {"by_group", "train, data split: twins stay on one side", NEEDS(GROUP) | COLUMNS},
    {"by_id", "data compare, merge, drop: rows are known by their ids", NEEDS(ID)},
    {"weights", "train: a weight for each row", NEEDS(WEIGHT) | COLUMNS},
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

static bool has_known_label(const struct sr_data *d) {
    return d->label && d->unknown.label < d->rows;
}

static bool has_known_three(const struct sr_data *d) {
    for (size_t i = 0; i < d->rows; i++)
        if (d->gold[i] != SR_UNKNOWN && d->small_pred[i] != SR_UNKNOWN && d->large_pred[i] != SR_UNKNOWN)
            return true;
    return false;
}

static bool is_post_norm(const struct sr_data *d) {
    for (size_t i = 0; i < d->contract_count; i++)
        if (strcmp(d->contract[i].key, "feature_norm") == 0)
            return strcmp(d->contract[i].value, "post") == 0;
    return false;
}

/* Who lacks a column is told of that alone, and not of what would be in it. */
unsigned sr_capability_lacks(const struct sr_data *d, const struct sr_troubles *troubles) {
    const bool three = d->gold && d->small_pred && d->large_pred;
    const bool has[SR_NEEDS] = {
        [SR_NEED_LABEL] = d->label,
        [SR_NEED_USABLE] = troubles->disagree == 0,
        [SR_NEED_READABLE] = troubles->n == troubles->disagree,
        [SR_NEED_KNOWN] = !d->label || has_known_label(d),
        [SR_NEED_CLASSES] = !d->label || has_both_classes(d),
        [SR_NEED_KNOWN_THREE] = !three || has_known_three(d),
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
