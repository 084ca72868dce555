/* ending.h: what a name ends in.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_ENDING_H
#define SR_ENDING_H

#include <stdbool.h>

/* True if text ends in ending (or is it), letters of either case: ROWS.CSV ends in .csv. */
bool sr_ends_in(const char *text, const char *ending);

#endif
