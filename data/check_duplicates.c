/* check_duplicates.c: kinds duplicates and near_duplicates. See checks.def, and near.h for what the same and
 * nearly the same means.
 *
 * Across files they are serious: a test row that was trained on measures memory; near ones, which may also be
 * two texts that differ in the one word that matters, from NEAR_SERIOUS of a file's rows on: fewer hardly
 * move what is measured. Rows that differ by rounding only are one text, so across files they count as
 * duplicates. Within a file they count twice, no more, and stay together in a split only where a group says
 * so.
 *
 * Each file is held against each before it. Rows are numbers of near's, which go through all files.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "data/check_parts.h"

#define NEAR_SERIOUS .01

#define NONE UINT32_MAX

static size_t end_of(const struct sr_check_file *f) {
    return f->near_first + f->data->rows;
}

static void show_pair(const struct sr_check_private *c, struct sr_finding *found, size_t a, size_t b) {
    size_t in_file;
    const struct sr_check_file *f = sr_check_near_file(c, a, &in_file);
    sr_check_row(found, f, in_file);
    f = sr_check_near_file(c, b, &in_file);
    sr_check_row(found, f, in_file);
}

static const char *rows_have(size_t n) {
    return n == 1 ? "row has" : "rows have";
}

static const char *rows_are(size_t n) {
    return n == 1 ? "row is" : "rows are";
}

/* out[root]: the first row of the file with that root, or NONE. */
static void find_first(uint32_t *out, const struct sr_check_private *c, const struct sr_check_file *f,
                       const uint32_t *root) {
    memset(out, 0xff, c->check->rows * sizeof *out);
    for (size_t row = end_of(f); row-- > f->near_first;)
        out[root[row]] = (uint32_t)row;
}

static void advise_across(struct sr_finding *found, const char *what) {
    sr_check_advise(
        found,
        "%s: take them out here (--ids-out of data check, then saferoute data drop), or split the "
        "dump that both are of anew (saferoute data split --near-duplicates)",
        what);
}

/* ---- duplicates ---- */

/* Rows of f that are twins of a row of other. first: room for a row each. */
static void look_for_twins(struct sr_check_private *c, const struct sr_check_file *f,
                           const struct sr_check_file *other, uint32_t *first) {
    const uint32_t *twin = sr_near_twin(c->near), *same = sr_near_same(c->near);
    struct sr_finding *found = NULL;
    size_t n = 0, rounded = 0;
    find_first(first, c, other, twin);
    for (size_t row = f->near_first; row < end_of(f); row++) {
        const uint32_t original = first[twin[row]];
        if (original == NONE)
            continue;
        found = found ? found : sr_check_add(c, "duplicates", true, f);
        show_pair(c, found, original, row);
        sr_check_extra(c, found, row - f->near_first);
        rounded += same[original] != same[row];
        n++;
    }
    if (!found)
        return;
    sr_check_say(found,
                 rounded ? "%zu of %zu %s the features of a row of %s, %zu but for rounding (cosine of "
                           "standardised features %g and more)"
                         : "%zu of %zu %s the features of a row of %s",
                 n, f->data->rows, rows_have(f->data->rows), other->letter, rounded, SR_NEAR_TWIN);
    advise_across(found, "what was trained on measures nothing");
    sr_check_number(found, "rows", (double)n);
    sr_check_number(found, "share", (double)n / (double)f->data->rows);
    sr_check_number(found, "rounded", (double)rounded);
}

/* Rows of f that a row before in f is the same as. */
static void look_for_copies(struct sr_check_private *c, const struct sr_check_file *f, uint32_t *first) {
    const uint32_t *same = sr_near_same(c->near);
    struct sr_finding *found = NULL;
    size_t n = 0;
    find_first(first, c, f, same);
    for (size_t row = f->near_first; row < end_of(f); row++) {
        const uint32_t original = first[same[row]];
        if (original == row)
            continue;
        found = found ? found : sr_check_add(c, "duplicates", false, f);
        show_pair(c, found, original, row);
        sr_check_extra(c, found, row - f->near_first);
        n++;
    }
    if (!found)
        return;
    sr_check_say(found, "%zu of %zu %s the features of a row before", n, f->data->rows,
                 rows_have(f->data->rows));
    sr_check_advise(found, "they count twice; saferoute data split --near-duplicates keeps them together, "
                           "saferoute data drop takes them out (--ids-out of data check)");
    sr_check_number(found, "rows", (double)n);
    sr_check_number(found, "share", (double)n / (double)f->data->rows);
}

void sr_check_duplicates(struct sr_check_private *c) {
    uint32_t *first = sr_check_alloc(c, c->check->rows, sizeof *first);
    for (size_t s = 0; first && s < c->near_sets; s++)
        for (size_t t = 0; t < s; t++)
            look_for_twins(c, &c->file[c->near_file[s]], &c->file[c->near_file[t]], first);
    for (size_t s = 0; first && s < c->near_sets; s++)
        look_for_copies(c, &c->file[c->near_file[s]], first);
    sr_free(first);
}

/* ---- near duplicates ---- */

struct near_search {
    struct sr_check_private *c;
    uint32_t *twin;  /* [rows]: the first row of the other file by its twin's root, or NONE */
    uint32_t *first; /* [rows]: by that of the same rows, or by root */
    uint32_t *near;  /* [rows]: the row of the other file nearest to all rows that are the same, or NONE */
    float *cosine;   /* [rows]: of these two */
};

struct near_count {
    size_t rows, pairs;
    float nearest;
};

static void say_near(const struct sr_check_private *c, struct sr_finding *found, const struct near_count *n,
                     const struct sr_check_file *f, const char *what, const char *path) {
    sr_check_say(found,
                 "%zu of %zu %s nearly the same as a row %s%s (cosine of standardised features %g and more, "
                 "up to %.4f)",
                 n->rows, f->data->rows, rows_are(f->data->rows), what, path, c->how->near,
                 (double)n->nearest);
    sr_check_number(found, "rows", (double)n->rows);
    sr_check_number(found, "share", (double)n->rows / (double)f->data->rows);
    sr_check_number(found, "pairs", (double)n->pairs);
    sr_check_number(found, "cosine", c->how->near);
    sr_check_number(found, "nearest", (double)n->nearest);
}

static void note_near(struct near_search *s, uint32_t row, uint32_t other, float cosine) {
    if (other == NONE || (s->near[row] != NONE && s->cosine[row] >= cosine))
        return;
    s->near[row] = other;
    s->cosine[row] = cosine;
}

/* Fills s for another file. Of pairs the first of the rows that are the same takes part: their copies are as
 * near. */
static void find_near_of(struct near_search *s, const struct sr_check_file *other) {
    size_t pairs;
    const struct sr_near_pair *pair = sr_near_pairs(s->c->near, &pairs);
    find_first(s->twin, s->c, other, sr_near_twin(s->c->near));
    find_first(s->first, s->c, other, sr_near_same(s->c->near));
    memset(s->near, 0xff, s->c->check->rows * sizeof *s->near);
    for (size_t i = 0; i < pairs; i++) {
        note_near(s, pair[i].a, s->first[pair[i].b], pair[i].cosine);
        note_near(s, pair[i].b, s->first[pair[i].a], pair[i].cosine);
    }
}

/* Rows of f that are near a row of other and are no twins of one. */
static void look_across(struct near_search *s, const struct sr_check_file *f,
                        const struct sr_check_file *other) {
    const uint32_t *same = sr_near_same(s->c->near), *twin = sr_near_twin(s->c->near);
    struct sr_finding *found = NULL;
    struct near_count n = {0, 0, 0};
    find_near_of(s, other);
    for (size_t row = f->near_first; row < end_of(f); row++) {
        const uint32_t at = same[row];
        if (s->near[at] == NONE || s->twin[twin[row]] != NONE)
            continue;
        found = found ? found : sr_check_add(s->c, "near_duplicates", false, f);
        show_pair(s->c, found, s->near[at], row);
        sr_check_extra(s->c, found, row - f->near_first);
        n.nearest = s->cosine[at] > n.nearest ? s->cosine[at] : n.nearest;
        n.rows++;
        n.pairs++;
    }
    if (!found)
        return;
    found->serious = (double)n.rows >= NEAR_SERIOUS * (double)f->data->rows;
    say_near(s->c, found, &n, f, "of ", other->letter);
    advise_across(found, "look at a few; if they are twins");
}

static bool share_group(const struct sr_check_file *f, size_t a, size_t b) {
    return f->data->group && f->data->group[a - f->near_first] == f->data->group[b - f->near_first];
}

/* Pairs of f whose rows no group keeps together; the finding shows the first. */
static struct sr_finding *find_pairs(struct near_search *s, const struct sr_check_file *f,
                                     struct near_count *n) {
    struct sr_finding *found = NULL;
    size_t pairs;
    const struct sr_near_pair *pair = sr_near_pairs(s->c->near, &pairs);
    find_first(s->first, s->c, f, sr_near_same(s->c->near));
    for (size_t i = 0; i < pairs; i++) {
        const uint32_t a = s->first[pair[i].a], b = s->first[pair[i].b];
        if (a == NONE || b == NONE || share_group(f, a, b))
            continue;
        found = found ? found : sr_check_add(s->c, "near_duplicates", false, f);
        show_pair(s->c, found, a < b ? a : b, a < b ? b : a);
        n->nearest = pair[i].cosine > n->nearest ? pair[i].cosine : n->nearest;
        n->pairs++;
    }
    return found;
}

/* Rows are counted by what connects them: of a crowd only some pairs are compared. */
static void look_within(struct near_search *s, const struct sr_check_file *f) {
    const uint32_t *root = sr_near_root(s->c->near), *same = sr_near_same(s->c->near);
    struct near_count n = {0, 0, 0};
    struct sr_finding *found = find_pairs(s, f, &n);
    if (!found)
        return;
    find_first(s->first, s->c, f, root);
    for (size_t row = f->near_first; row < end_of(f); row++) {
        const uint32_t first = s->first[root[row]];
        if (same[row] == same[first] || share_group(f, first, row))
            continue;
        sr_check_extra(s->c, found, row - f->near_first);
        n.rows++;
    }
    say_near(s->c, found, &n, f, f->data->group ? "before, of another group" : "before", "");
    sr_check_advise(found, "give twins one /group, or split with saferoute data split --near-duplicates, so "
                           "that they stay on one side");
}

static bool begin_search(struct near_search *s, struct sr_check_private *c) {
    const size_t rows = c->check->rows;
    *s = (struct near_search){.c = c};
    s->twin = sr_check_alloc(c, rows, sizeof *s->twin);
    s->first = sr_check_alloc(c, rows, sizeof *s->first);
    s->near = sr_check_alloc(c, rows, sizeof *s->near);
    s->cosine = sr_check_alloc(c, rows, sizeof *s->cosine);
    return s->twin && s->first && s->near && s->cosine;
}

void sr_check_near_duplicates(struct sr_check_private *c) {
    struct near_search s;
    const bool ready = begin_search(&s, c);
    for (size_t i = 0; ready && i < c->near_sets; i++)
        for (size_t k = 0; k < i; k++)
            look_across(&s, &c->file[c->near_file[i]], &c->file[c->near_file[k]]);
    for (size_t i = 0; ready && i < c->near_sets; i++)
        look_within(&s, &c->file[c->near_file[i]]);
    void *blocks[] = {s.twin, s.first, s.near, s.cosine};
    for (size_t i = 0; i < SR_COUNT(blocks); i++)
        sr_free(blocks[i]);
}
