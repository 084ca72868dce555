/* members.c: what belongs to rows. See members.h.
 *
 * A dataset of as many items as there are rows is a column of theirs, whatever its name: texts and notes that
 * people put into a dump must go with their rows, above all where rows are dropped. There are two exceptions:
 * the verdict's head has two rows whatever the dump has; and where a dump has as many rows as a row has
 * features, a plain list of numbers without a known name is rather a value for each feature, such as their
 * mean.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/members.h"

#include <string.h>

#include "data/role.h"

/* Never of rows, and columns beside those of role.h that are. */
static const char *const of_the_file[] = {"verdict_head", NULL};
static const char *const of_rows[] = {"prompt", "prompts", "text", "transcript", "messages", NULL};

bool sr_members_listed(const char *const *list, const char *name) {
    for (; list && *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

bool sr_members_layer(const char *name) {
    return strncmp(name, "features_layer_", strlen("features_layer_")) == 0;
}

bool sr_members_unknown(const char *name, const char *features) {
    return strcmp(name, features) != 0 && sr_role_of(name) == SR_ROLES && !sr_members_layer(name) &&
           !sr_members_listed(of_rows, name);
}

static bool is_value_a_feature(const struct sr_h5 *f, const char *name) {
    struct sr_h5_info info;
    return sr_h5_info(f, name, &info, NULL) == 0 && info.rank == 1 && info.kind != SR_H5_TEXT &&
           info.kind != SR_H5_OPAQUE && info.kind != SR_H5_OTHER;
}

int sr_members_find(struct sr_h5_members *out, const struct sr_h5 *f, const char *features, size_t rows,
                    size_t width, bool some, struct sr_error *err) {
    const int status = sr_h5_members(out, f, rows, some, err);
    for (size_t i = 0; i < out->n; i++) {
        struct sr_h5_member *m = &out->item[i];
        if (sr_members_listed(of_the_file, m->name) ||
            (m->by_rows && rows == width && sr_members_unknown(m->name, features) &&
             is_value_a_feature(f, m->name)))
            m->by_rows = false;
    }
    return status;
}
