/* group.h: rows that count as one (twins, paraphrases), numbered; internal to eval.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_GROUP_H
#define SR_GROUP_H

#include <stddef.h>
#include <stdint.h>

#include "nn/base/base.h"

/* number[i]: which group row i is of, 0..*count - 1 by rising value of group; without groups (NULL) every row
 * is one. number: [n]. n at most 2^32 - 1. O(n log n). */
int sr_groups_number(uint32_t *number, size_t *count, const int64_t *group, size_t n, struct sr_error *err);

/* How many there are; n where group is NULL. */
int sr_groups_count(size_t *out, const int64_t *group, size_t n, struct sr_error *err);

#endif
