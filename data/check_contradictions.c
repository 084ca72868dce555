/* check_contradictions.c: kind contradictions: rows that are the same, with opposite labels or gold. See
 * checks.def.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "data/check_parts.h"

static void note_value(uint8_t *seen, uint8_t value) {
    if (value != SR_UNKNOWN)
        *seen |= (uint8_t)(1 << value);
}

/* seen[row of near]: values of the column that rows with these features have. */
static void collect_values(uint8_t *seen, const struct sr_check_private *c, bool gold) {
    const uint32_t *same = sr_near_same(c->near);
    for (size_t s = 0; s < c->near_sets; s++) {
        const struct sr_data *d = c->near_set[s];
        const uint8_t *column = gold ? d->gold : d->label;
        const size_t first = c->file[c->near_file[s]].near_first;
        for (size_t i = 0; column && i < d->rows; i++)
            note_value(&seen[same[first + i]], column[i]);
    }
}

static void look_for_opposites(struct sr_check_private *c, uint8_t *seen, bool gold) {
    const uint32_t *same = sr_near_same(c->near);
    const size_t rows = c->check->rows;
    struct sr_finding *found = NULL;
    size_t n = 0, kinds = 0;
    memset(seen, 0, rows);
    collect_values(seen, c, gold);
    for (size_t s = 0; s < c->near_sets; s++) {
        const struct sr_check_file *f = &c->file[c->near_file[s]];
        const uint8_t *column = gold ? f->data->gold : f->data->label;
        for (size_t i = 0; column && i < f->data->rows; i++) {
            if (seen[same[f->near_first + i]] != 3 || column[i] == SR_UNKNOWN)
                continue;
            found = found ? found : sr_check_add(c, "contradictions", true, NULL);
            sr_check_row(found, f, i);
            n++;
            kinds += same[f->near_first + i] == f->near_first + i;
        }
    }
    if (!found)
        return;
    sr_check_say(found, "%zu rows have features that another row has too, with the opposite %s", n,
                 gold ? "gold" : "label");
    sr_check_advise(found, gold ? "one of them is labelled wrong, or the text was cut before what tells them "
                                  "apart: decide, then drop the other (saferoute data drop)"
                                : "no router can get both right: the guards' verdicts or gold differ for one "
                                  "text; decide, then drop the other (saferoute data drop)");
    sr_check_number(found, "rows", (double)n);
    sr_check_number(found, "distinct", (double)kinds);
}

void sr_check_contradictions(struct sr_check_private *c) {
    uint8_t *seen = sr_check_alloc(c, c->check->rows, 1);
    if (!seen)
        return;
    look_for_opposites(c, seen, false);
    look_for_opposites(c, seen, true);
    sr_free(seen);
}
