/* role.c: the list of a dump's columns as a table. See role.h.
 *
 * Who opens a dump and who makes one look here, so that a name one of them takes is one for the other too.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/role.h"

#include <string.h>

const struct sr_role_info sr_roles[SR_ROLES] = {
#define X(name, form, ...) {SR_FORM_##form, {__VA_ARGS__, NULL}},
    SR_ROLE_LIST(X)
#undef X
};

enum sr_role sr_role_of(const char *name) {
    for (int r = 0; r < SR_ROLES; r++)
        for (int k = 0; sr_roles[r].names[k]; k++)
            if (strcmp(sr_roles[r].names[k], name) == 0)
                return (enum sr_role)r;
    return SR_ROLES;
}
