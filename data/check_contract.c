/* check_contract.c: kind contract: what the files say of the make of features and labels, side by side. See
 * checks.def.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "data/check_parts.h"

#define VALUE 160 /* bytes of a value that are shown */

static void compare_widths(struct sr_check_private *c) {
    for (size_t i = 1; i < c->files; i++) {
        const struct sr_check_file *a = &c->file[0], *b = &c->file[i];
        if (a->data->width == b->data->width)
            continue;
        struct sr_finding *f = sr_check_add(c, "contract", true, b);
        sr_check_say(f, "rows have %zu features, those of %s have %zu", b->data->width, a->letter,
                     a->data->width);
        sr_check_advise(f, "they are of different models or layers and cannot be used together");
        sr_check_number(f, "width", (double)b->data->width);
        sr_check_number(f, "other_width", (double)a->data->width);
    }
}

/* The first file that says something of a key is what the others are held against. */
static void compare_key(struct sr_check_private *c, int k) {
    const char *key = sr_contract_key(k), *said = NULL;
    const struct sr_check_file *holder = NULL;
    char here[VALUE], there[VALUE];
    for (size_t i = 0; i < c->files; i++) {
        const struct sr_check_file *b = &c->file[i];
        const char *value = sr_check_contract_value(b, key);
        if (!value)
            continue;
        if (!holder) {
            holder = b;
            said = value;
        }
        if (strcmp(said, value) == 0)
            continue;
        struct sr_finding *f = sr_check_add(c, "contract", true, b);
        sr_check_say(f, "%s is '%s', but '%s' in %s", key, sr_utf8_clean(here, sizeof here, value),
                     sr_utf8_clean(there, sizeof there, said), holder->letter);
        sr_check_advise(
            f, k < SR_CONTRACT_FEATURES
                   ? "features of different makes are not one problem: extract one of the files anew, "
                     "or mend the attribute if it is that which is wrong"
                   : "labels are of different makes: cut all verdicts alike (saferoute data label)");
    }
}

/* Keys of features that a file says nothing of, into text. */
static size_t list_missing(char *text, size_t size, const char **first, const struct sr_check_file *f) {
    size_t n = 0, used = 0;
    for (int k = 0; k < SR_CONTRACT_FEATURES; k++)
        if (!sr_check_contract_value(f, sr_contract_key(k))) {
            used += (size_t)snprintf(text + used, used < size ? size - used : 0, "%s%s", n ? ", " : "",
                                     sr_contract_key(k));
            *first = n++ ? *first : sr_contract_key(k);
        }
    return n;
}

static void look_at_missing(struct sr_check_private *c, const struct sr_check_file *f) {
    char list[256] = "";
    const char *first = NULL;
    const size_t n = list_missing(list, sizeof list, &first, f);
    if (n == 0)
        return;
    struct sr_finding *found = sr_check_add(c, "contract", false, f);
    sr_check_say(found, "not said: %s", list);
    sr_check_advise(found,
                    "write them as root attributes (h5py: f.attrs['%s'] = '...'): nothing else can tell "
                    "later whether rows that are served are of this make",
                    first);
    sr_check_number(found, "missing", (double)n);
}

static void look_at_norm(struct sr_check_private *c, const struct sr_check_file *f) {
    const char *norm = sr_check_contract_value(f, "feature_norm");
    if (!norm || strcmp(norm, "pre") == 0 || strcmp(norm, "post") == 0 || strcmp(norm, "unit") == 0)
        return;
    struct sr_finding *found = sr_check_add(c, "contract", false, f);
    sr_check_say(found, "feature_norm is '%s', which is none of pre, post and unit", norm);
    sr_check_advise(found, "say on which side of the final norm features were taken; see infer/vectors.md");
}

void sr_check_contract(struct sr_check_private *c) {
    compare_widths(c);
    for (int k = 0; k < SR_CONTRACT_KEYS; k++)
        compare_key(c, k);
    for (size_t i = 0; i < c->files; i++) {
        look_at_missing(c, &c->file[i]);
        look_at_norm(c, &c->file[i]);
    }
}
