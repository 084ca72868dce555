/* contract.c: the contract of features and labels. See contract.h, and data.h for its pairs.
 *
 * Everything is compared as text: thresholds become the shortest decimal of their number first, so that .30
 * and 0.3 are the same. What a guard's verdicts were cut at counts before what the file says of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/contract.h"

#include <math.h>
#include <string.h>

#include "data/set.h"

#define FEATURES    "features of different makes"
#define LABELS      "labels made with different large guards"
#define CUTS(guard) "verdicts cut at different thresholds; give --" guard "-threshold T to cut all alike"

#define ATTRIBUTES 8 /* keys that are attributes as they are */

static const struct {
    const char *name, *contradiction;
} key[SR_CONTRACT_KEYS] = {
    {"feature_model", FEATURES},
    {"feature_revision", FEATURES},
    {"feature_layer", FEATURES},
    {"feature_norm", FEATURES},
    {"feature_pooling", FEATURES},
    {"feature_template", FEATURES},
    {"large_model", LABELS},
    {"large_revision", LABELS},
    {"small_threshold", CUTS("small")},
    {"large_threshold", CUTS("large")},
};

const char *sr_contract_key(int k) {
    return key[k].name;
}

bool sr_contract_is_key(const char *name) {
    for (int k = 0; k < SR_CONTRACT_KEYS; k++)
        if (strcmp(name, sr_contract_key(k)) == 0)
            return true;
    return false;
}

const char *sr_contract_value(const struct sr_data *d, int k) {
    for (size_t i = 0; i < d->contract_count; i++)
        if (strcmp(d->contract[i].key, key[k].name) == 0)
            return d->contract[i].value;
    return NULL;
}

/* A default that nobody stated is passed on only where the labels are known to follow from it. */
static int claim_threshold(struct sr_claim *claim, const struct sr_dump *d, const struct sr_guard *g,
                           struct sr_error *err) {
    char text[SR_DECIMAL_TEXT];
    const double at = isnan(g->cut.at) ? g->stated : g->cut.at;
    if (isnan(at))
        return 0;
    claim->silent = !(g->given > 0) && isnan(g->stated) && !d->label_derived && !d->label_agrees;
    claim->value = sr_strdup(sr_decimal(text, at), err);
    return claim->value ? 0 : SR_NOMEM;
}

int sr_contract_read(struct sr_dump *d, struct sr_error *err) {
    int status = 0;
    for (int k = 0; k < ATTRIBUTES && status == 0; k++)
        status = sr_h5_attribute(d->file, "/", key[k].name, &d->contract[k].value, err);
    for (int g = 0; g < SR_GUARDS && status == 0; g++)
        status = claim_threshold(&d->contract[ATTRIBUTES + g], d, &d->guard[g], err);
    return status;
}

/* *agreed: the value all dumps have and claim, else NULL. */
static int join_key(const char **agreed, const struct sr_data *d, int k, bool features_only,
                    struct sr_error *err) {
    const struct sr_dump *holder = NULL; /* the first that has a value */
    bool everywhere = true;
    *agreed = NULL;
    for (size_t f = 0; f < d->files; f++) {
        const struct sr_dump *dump = d->in->dump[f];
        const struct sr_claim *claim = &dump->contract[k];
        everywhere = everywhere && claim->value && !claim->silent;
        if (!claim->value)
            continue;
        holder = holder ? holder : dump;
        if (strcmp(holder->contract[k].value, claim->value) == 0)
            continue;
        if (!features_only || k < SR_CONTRACT_FEATURES)
            return sr_fail(err, SR_DATA, "%s of %s is '%.60s', of %s '%.60s': %s", key[k].name, holder->path,
                           holder->contract[k].value, dump->path, claim->value, key[k].contradiction);
        everywhere = false;
    }
    if (everywhere && holder)
        *agreed = holder->contract[k].value;
    return 0;
}

int sr_contract_join(struct sr_data *d, bool features_only, struct sr_error *err) {
    d->contract = sr_alloc(SR_CONTRACT_KEYS, sizeof *d->contract, err);
    if (!d->contract)
        return SR_NOMEM;
    for (int k = 0; k < SR_CONTRACT_KEYS; k++) {
        const char *value;
        int status = join_key(&value, d, k, features_only, err);
        if (status < 0)
            return status;
        if (value)
            d->contract[d->contract_count++] = (struct sr_pair){key[k].name, value};
    }
    return 0;
}
