/* group.c: groups of rows, numbered; see group.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "eval/group.h"

struct member {
    int64_t group;
    uint32_t row;
};

static int by_group(const void *a, const void *b) {
    const int64_t x = ((const struct member *)a)->group, y = ((const struct member *)b)->group;
    return (x > y) - (x < y);
}

int sr_groups_number(uint32_t *number, size_t *count, const int64_t *group, size_t n, struct sr_error *err) {
    struct member *member = sr_alloc(n, sizeof *member, err);
    *count = 0;
    if (!member)
        return SR_NOMEM;
    for (size_t i = 0; i < n; i++)
        member[i] = (struct member){group ? group[i] : (int64_t)i, (uint32_t)i};
    qsort(member, n, sizeof *member, by_group);
    for (size_t k = 0; k < n; k++) {
        *count += k == 0 || member[k].group != member[k - 1].group;
        number[member[k].row] = (uint32_t)(*count - 1);
    }
    sr_free(member);
    return 0;
}

int sr_groups_count(size_t *out, const int64_t *group, size_t n, struct sr_error *err) {
    *out = n;
    if (!group)
        return 0;
    uint32_t *number = sr_alloc(n, sizeof *number, err);
    const int status = number ? sr_groups_number(number, out, group, n, err) : SR_NOMEM;
    sr_free(number);
    return status;
}
