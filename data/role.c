/* role.c: the list of a dump's columns as a table. See role.h.
 *
 * Who opens a dump and who makes one look here, so that a name one of them takes is one for the other too.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/role.h"

const struct sr_role_info sr_roles[SR_ROLES] = {
#define X(name, form, ...) {SR_FORM_##form, {__VA_ARGS__}},
    SR_ROLE_LIST(X)
#undef X
};
