/* near_list.c: the few rows that look nearest to one; see near_list.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/near_list.h"

bool sr_near_list_has(const struct sr_near_list *list, uint32_t row) {
    for (uint32_t i = 0; i < list->count; i++)
        if (list->nearest[i].row == row)
            return true;
    return false;
}

static bool is_nearer(struct sr_near_candidate a, struct sr_near_candidate b) {
    return a.distance != b.distance ? a.distance < b.distance : a.row < b.row;
}

static size_t count_of_set(const struct sr_near_list *list, uint16_t set) {
    size_t n = 0;
    for (uint32_t i = 0; i < list->count; i++)
        n += list->nearest[i].set == set;
    return n;
}

/* Who goes for c, or SR_NEAR_KEPT: nobody. */
static size_t find_victim(const struct sr_near_list *list, struct sr_near_candidate c) {
    const bool is_new_set = count_of_set(list, c.set) == 0;
    for (size_t i = SR_NEAR_KEPT; i-- > 0;) {
        const struct sr_near_candidate *at = &list->nearest[i];
        if (at->set != c.set && count_of_set(list, at->set) == 1)
            continue;
        return is_new_set || is_nearer(c, *at) ? i : SR_NEAR_KEPT;
    }
    return is_nearer(c, list->nearest[SR_NEAR_KEPT - 1]) ? SR_NEAR_KEPT - 1 : SR_NEAR_KEPT;
}

/* Most of a crowd are: farther than the last, which is of the same set. */
static bool is_behind(const struct sr_near_list *list, struct sr_near_candidate c) {
    const struct sr_near_candidate last = list->nearest[SR_NEAR_KEPT - 1];
    return list->count == SR_NEAR_KEPT && last.set == c.set && is_nearer(last, c);
}

void sr_near_list_offer(struct sr_near_list *list, struct sr_near_candidate c) {
    if (is_behind(list, c)) {
        list->full = 1;
        return;
    }
    if (sr_near_list_has(list, c.row))
        return;
    if (list->count == SR_NEAR_KEPT) {
        const size_t victim = find_victim(list, c);
        list->full = 1;
        if (victim == SR_NEAR_KEPT)
            return;
        list->count--;
        for (size_t i = victim; i < list->count; i++)
            list->nearest[i] = list->nearest[i + 1];
    }
    size_t at = list->count++;
    for (; at > 0 && is_nearer(c, list->nearest[at - 1]); at--)
        list->nearest[at] = list->nearest[at - 1];
    list->nearest[at] = c;
}
