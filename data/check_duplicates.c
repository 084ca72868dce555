/* check_duplicates.c: kinds duplicates and near_duplicates. See checks.def, and near.h for what the same
 * and nearly the same means.
 *
 * Across files they are serious: a test row that was trained on measures memory; near ones, which may also be
 * two texts that differ in the one word that matters, from NEAR_SERIOUS of a file's rows on: fewer hardly
 * move what is measured. Within a file they count twice, no more, and stay together in a split only where a
 * group says so.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "data/check_parts.h"

#define NEAR_SERIOUS .01

/* ---- duplicates ---- */

/* Of one file: rows whose features a row before has, in this file or in another. */
static void look_for_same(struct sr_check_private *c, const struct sr_check_file *f, bool across) {
    const uint32_t *same = sr_near_same(c->near);
    const struct sr_check_file *other = NULL;
    struct sr_finding *found = NULL;
    size_t n = 0;
    for (size_t i = 0; i < f->data->rows; i++) {
        const size_t row = f->near_first + i, root = same[row];
        if (root == row || (root < f->near_first) != across)
            continue;
        size_t in_other;
        const struct sr_check_file *at = sr_check_near_file(c, root, &in_other);
        other = other ? other : at;
        found = found ? found : sr_check_add(c, "duplicates", across, f);
        sr_check_row(found, at, in_other);
        sr_check_row(found, f, i);
        n++;
    }
    if (!found)
        return;
    sr_check_say(found,
                 across ? "%zu of %zu rows have the same features as a row of %s"
                        : "%zu of %zu rows have the same features as a row before",
                 n, f->data->rows, other->path);
    sr_check_advise(found,
                    across ? "what was trained on measures nothing: drop them here (saferoute data drop), "
                             "or split anew (saferoute data split --near-duplicates)"
                           : "they count twice; saferoute data split --near-duplicates keeps them together, "
                             "saferoute data drop takes them out");
    sr_check_number(found, "rows", (double)n);
    sr_check_number(found, "share", (double)n / (double)f->data->rows);
}

void sr_check_duplicates(struct sr_check_private *c) {
    for (int across = 1; across >= 0; across--)
        for (size_t s = 0; s < c->near_sets; s++)
            look_for_same(c, &c->file[c->near_file[s]], across == 1);
}

/* ---- near duplicates ---- */

struct near_count {
    size_t rows, pairs;
    float nearest;
};

/* A pair is a finding of the file of its later row. Within a file, twins that share a group are known. */
static bool is_of(const struct sr_near_pair *pair, const struct sr_check_file *f, bool across) {
    const size_t a = pair->a, b = pair->b, end = f->near_first + f->data->rows;
    if (b < f->near_first || b >= end || (a < f->near_first) != across)
        return false;
    return across || !f->data->group ||
           f->data->group[a - f->near_first] != f->data->group[b - f->near_first];
}

static void show_pair(const struct sr_check_private *c, struct sr_finding *found,
                      const struct sr_near_pair *pair) {
    size_t in_file;
    const struct sr_check_file *f = sr_check_near_file(c, pair->a, &in_file);
    sr_check_row(found, f, in_file);
    f = sr_check_near_file(c, pair->b, &in_file);
    sr_check_row(found, f, in_file);
}

/* The later rows of the pairs are counted, each once. */
static void look_for_near(struct sr_check_private *c, const struct sr_check_file *f, uint8_t *marked,
                          bool across) {
    struct sr_finding *found = NULL;
    struct near_count count = {0, 0, 0};
    size_t pairs;
    const struct sr_near_pair *pair = sr_near_pairs(c->near, &pairs);
    memset(marked, 0, f->data->rows);
    for (size_t i = 0; i < pairs; i++) {
        if (!is_of(&pair[i], f, across))
            continue;
        found = found ? found : sr_check_add(c, "near_duplicates", false, f);
        show_pair(c, found, &pair[i]);
        uint8_t *mark = &marked[pair[i].b - f->near_first];
        count.rows += !*mark;
        *mark = 1;
        count.pairs++;
        count.nearest = pair[i].cosine > count.nearest ? pair[i].cosine : count.nearest;
    }
    if (!found)
        return;
    found->serious = across && (double)count.rows >= NEAR_SERIOUS * (double)f->data->rows;
    sr_check_say(found,
                 "%zu of %zu rows are nearly the same as a row %s (cosine of centred features %.3g and more, "
                 "up to %.4f)",
                 count.rows, f->data->rows, across ? "of another file" : "before, of another group",
                 c->how->near, (double)count.nearest);
    sr_check_advise(
        found, across ? "look at a few; if they are twins, drop them here (saferoute data drop) or "
                        "split anew (saferoute data split --near-duplicates)"
                      : "give twins one /group, or split with saferoute data split --near-duplicates, so "
                        "that they stay on one side");
    sr_check_number(found, "rows", (double)count.rows);
    sr_check_number(found, "pairs", (double)count.pairs);
    sr_check_number(found, "cosine", c->how->near);
    sr_check_number(found, "nearest", (double)count.nearest);
}

void sr_check_near_duplicates(struct sr_check_private *c) {
    uint8_t *marked = sr_check_alloc(c, c->check->rows, 1);
    for (int across = 1; marked && across >= 0; across--)
        for (size_t s = 0; s < c->near_sets; s++)
            look_for_near(c, &c->file[c->near_file[s]], marked, across == 1);
    sr_free(marked);
}
