/* check_contradictions.c: kind contradictions: rows that are the same, with opposite labels or gold. See
 * checks.def.
 *
 * Rows that are the same but for rounding are a remark: of the guard data we have one text in a thousand
 * differs from another in the one word that matters, and comes as near. Shown are pairs: the first row of its
 * like whose value is known, and one that says the opposite.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "data/check_parts.h"

#define NONE UINT32_MAX

struct search {
    struct sr_check_private *c;
    bool gold;            /* else label */
    const uint32_t *root; /* [rows of near]: the first row that is the same, or a twin */
    uint32_t *first;      /* [rows of near] by root: the first row whose value is known, or NONE */
    uint8_t *seen;        /* [rows of near] by root: bits 1 << value */
    uint8_t *told;        /* [rows of near]: the row contradicts one that is the same */
};

static const uint8_t *column_of(const struct search *s, const struct sr_check_file *f) {
    return s->gold ? f->data->gold : f->data->label;
}

/* The value of a row of near. */
static uint8_t value_of(const struct search *s, size_t row) {
    size_t in_file;
    const struct sr_check_file *f = sr_check_near_file(s->c, row, &in_file);
    return column_of(s, f)[in_file];
}

static void collect_values(struct search *s) {
    memset(s->first, 0xff, s->c->check->rows * sizeof *s->first);
    memset(s->seen, 0, s->c->check->rows);
    for (size_t k = 0; k < s->c->near_sets; k++) {
        const struct sr_check_file *f = &s->c->file[s->c->near_file[k]];
        const uint8_t *column = column_of(s, f);
        for (size_t i = 0; column && i < f->data->rows; i++) {
            const uint32_t root = s->root[f->near_first + i];
            if (column[i] == SR_UNKNOWN)
                continue;
            s->seen[root] |= (uint8_t)(1 << column[i]);
            if (s->first[root] == NONE)
                s->first[root] = (uint32_t)(f->near_first + i);
        }
    }
}

static void say(struct sr_finding *found, const struct search *s, size_t rows, size_t distinct) {
    sr_check_say(found, "%zu rows have features that another row has too%s, with the opposite %s", rows,
                 found->serious ? "" : " but for rounding", s->gold ? "gold" : "label");
    if (!found->serious)
        sr_check_advise(found,
                        "look at a few: two texts that differ in the one word that matters may come as "
                        "near; of twins drop one (saferoute data drop)");
    else
        sr_check_advise(found, s->gold ? "one of them is labelled wrong, or the text was cut before what "
                                         "tells them apart: decide, then drop the other (saferoute data drop)"
                                       : "no router can get both right: the guards' verdicts or gold differ "
                                         "for one text; decide, then drop the other (saferoute data drop)");
    sr_check_number(found, "rows", (double)rows);
    sr_check_number(found, "distinct", (double)distinct);
}

static void show(const struct search *s, struct sr_finding *found, size_t first, size_t row) {
    const size_t rows[] = {first, row};
    for (size_t i = 0; i < SR_COUNT(rows); i++) {
        size_t in_file;
        const struct sr_check_file *f = sr_check_near_file(s->c, rows[i], &in_file);
        sr_check_row(found, f, in_file);
    }
}

static void look(struct search *s, bool exact) {
    struct sr_finding *found = NULL;
    size_t rows = 0, distinct = 0;
    s->root = exact ? sr_near_same(s->c->near) : sr_near_twin(s->c->near);
    collect_values(s);
    for (size_t k = 0; k < s->c->near_sets; k++) {
        const struct sr_check_file *f = &s->c->file[s->c->near_file[k]];
        const uint8_t *column = column_of(s, f);
        for (size_t i = 0; column && i < f->data->rows; i++) {
            const size_t row = f->near_first + i, first = s->first[s->root[row]];
            if (s->seen[s->root[row]] != 3 || column[i] == SR_UNKNOWN || s->told[row])
                continue;
            found = found ? found : sr_check_add(s->c, "contradictions", exact, NULL);
            s->told[row] = 1;
            rows++;
            distinct += first == row;
            if (column[i] != value_of(s, first))
                show(s, found, first, row);
        }
    }
    if (found)
        say(found, s, rows, distinct);
}

void sr_check_contradictions(struct sr_check_private *c) {
    const size_t rows = c->check->rows;
    struct search s = {.c = c};
    s.first = sr_check_alloc(c, rows, sizeof *s.first);
    s.seen = sr_check_alloc(c, rows, 1);
    s.told = sr_check_alloc(c, rows, 1);
    for (int gold = 0; s.first && s.seen && s.told && gold < 2; gold++) {
        s.gold = gold == 1;
        memset(s.told, 0, rows);
        look(&s, true);
        look(&s, false);
    }
    sr_free(s.first);
    sr_free(s.seen);
    sr_free(s.told);
}
