/* cmd_check.h: what `saferoute data check` found, on stdout.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CMD_CHECK_H
#define SR_CMD_CHECK_H

#include "data/check.h"

/* For people: what was found in how many rows, the files by letter, then finding by finding; one that several
 * files have in the same words is told once. Lines of at most SR_HELP_WIDTH columns where words allow it. */
void sr_check_print(const struct sr_check *check);

/* For programs, as one JSON object. */
int sr_check_print_json(const struct sr_check *check, struct sr_error *err);

#endif
