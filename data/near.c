/* near.c: near duplicates from begin to end: exact ones by hash, near ones by signature and comparison, and
 * what they connect. See near.h.
 *
 * Exact duplicates are collapsed first: a million rows that are the same are one row for everything behind.
 * Rows are connected by union-find (Galler and Fischer 1964), the smaller number being the root, so that the
 * result does not depend on the order of the pairs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/near.h"

#include <stdlib.h>
#include <string.h>

#include "data/near_parts.h"
#include "data/progress.h"

#define SHARE_SCAN   .85 /* of the time of sr_near_groups, about */
#define SHARE_TABLES .4  /* of the time of a round */
#define SHARE_ROUND  .8  /* of the time that is left behind the rounds before */
#define SPEAKERS     64  /* of a component, in the rounds behind the first */
#define ROUNDS_MAX   8   /* each at least halves the components that are near another, behind full lists */

/* ---- begin ---- */

static int count_rows(struct sr_near *near, struct sr_error *err) {
    for (size_t s = 0; s < near->n; s++)
        near->first[s + 1] = near->first[s] + near->sets[s]->rows;
    near->rows = near->first[near->n];
    if (near->rows > UINT32_MAX)
        return sr_fail(err, SR_DATA, "%zu rows in all; at most 2^32 - 1 can be compared", near->rows);
    return 0;
}

static void find_spaces(struct sr_near *near) {
    for (size_t s = 0; s < near->n; s++) {
        const size_t width = near->sets[s]->width;
        size_t p = 0;
        while (p < near->spaces && near->space[p].width != width)
            p++;
        near->spaces += p == near->spaces;
        near->space[p].width = width;
        near->space_of[s] = p;
    }
}

static void take_block(void *user, const struct sr_scan_block *block) {
    const struct sr_near_feed *feed = user;
    struct sr_near *near = feed->near;
    const struct sr_data *d = near->sets[feed->set];
    const struct sr_near_space *space = &near->space[near->space_of[feed->set]];
    const size_t first = near->first[feed->set] + block->first;
    const bool values = near->value && d->in->type != SR_FEATURE_HALF;
    const bool sketches = sr_near_wanted(near, feed->set);
    memcpy(near->hash + first, block->hash, block->rows * sizeof *near->hash);
    memcpy(near->good + first, block->good, block->rows);
    if (!values && !sketches)
        return;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < block->rows; r++) {
        if (values)
            near->value[first + r] = sr_near_value_hash(block->x + r * d->width, d->width);
        if (sketches && block->good[r])
            sr_near_sketch(&near->bits[first + r], near, space, block->x + r * d->width);
    }
}

static int allocate_sets(struct sr_near *near, struct sr_error *err) {
    near->first = sr_alloc(near->n + 1, sizeof *near->first, err);
    near->visitor = sr_alloc(near->n, sizeof *near->visitor, err);
    near->feed = sr_alloc(near->n, sizeof *near->feed, err);
    near->space = sr_alloc(near->n, sizeof *near->space, err);
    near->space_of = sr_alloc(near->n, sizeof *near->space_of, err);
    near->own = sr_alloc(near->n, sizeof *near->own, err);
    return near->first && near->visitor && near->feed && near->space && near->space_of && near->own
               ? 0
               : SR_NOMEM;
}

static bool any_wanted(const struct sr_near *near) {
    for (size_t s = 0; s < near->n; s++)
        if (sr_near_wanted(near, s))
            return true;
    return false;
}

static bool all_half(const struct sr_near *near) {
    for (size_t s = 0; s < near->n; s++)
        if (near->sets[s]->in->type != SR_FEATURE_HALF)
            return false;
    return true;
}

static int allocate_rows(struct sr_near *near, struct sr_error *err) {
    const bool values = !all_half(near), sketches = any_wanted(near);
    near->hash = sr_alloc(near->rows, sizeof *near->hash, err);
    near->value = values ? sr_alloc(near->rows, sizeof *near->value, err) : NULL;
    near->good = sr_alloc(near->rows, 1, err);
    near->same = sr_alloc(near->rows, sizeof *near->same, err);
    near->root = sr_alloc(near->rows, sizeof *near->root, err);
    near->twin = sr_alloc(near->rows, sizeof *near->twin, err);
    near->bits = sketches ? sr_alloc(near->rows, sizeof *near->bits, err) : NULL;
    near->open = sketches ? sr_alloc(near->rows, 1, err) : NULL;
    if (!near->hash || (values && !near->value) || !near->good || !near->same || !near->root || !near->twin)
        return SR_NOMEM;
    return !sketches || (near->bits && near->open) ? 0 : SR_NOMEM;
}

static int begin(struct sr_near *near, struct sr_error *err) {
    int status = allocate_sets(near, err);
    if (status == 0)
        status = count_rows(near, err);
    if (status < 0)
        return status;
    find_spaces(near);
    for (size_t s = 0; s < near->n; s++) {
        near->feed[s] = (struct sr_near_feed){near, s};
        near->visitor[s] = (struct sr_scan_visitor){take_block, &near->feed[s]};
    }
    status = allocate_rows(near, err);
    if (status == 0 && near->bits)
        status = sr_near_sample(near, err);
    return status == 0 && near->bits ? sr_near_sketch_begin(near, err) : status;
}

int sr_near_begin(struct sr_near **out, struct sr_data *const *sets, size_t n, double cosine,
                  struct sr_error *err) {
    if (cosine != 0 && !(cosine >= SR_NEAR_COSINE_MIN && cosine <= 1))
        return sr_fail(err, SR_USAGE,
                       "near duplicates from cosine %g on: give %g to 1, or 0 for exact ones only", cosine,
                       SR_NEAR_COSINE_MIN);
    struct sr_near *near = sr_alloc(1, sizeof *near, err);
    if (!near)
        return SR_NOMEM;
    near->sets = sets;
    near->n = n;
    near->cosine = cosine;
    const int status = begin(near, err);
    if (status < 0)
        sr_near_free(near);
    else
        *out = near;
    return status;
}

const struct sr_scan_visitor *sr_near_visitor(struct sr_near *near, size_t i) {
    return &near->visitor[i];
}

/* ---- connections ---- */

/* Halves the path on its way. */
static uint32_t find_root(uint32_t *root, uint32_t row) {
    while (root[row] != row) {
        root[row] = root[root[row]];
        row = root[row];
    }
    return row;
}

static void connect(uint32_t *root, uint32_t a, uint32_t b) {
    a = find_root(root, a);
    b = find_root(root, b);
    if (a < b)
        root[b] = a;
    else
        root[a] = b;
}

/* Through exact duplicates and pairs from a cosine on. */
static void connect_all(uint32_t *root, const struct sr_near *near, double cosine) {
    for (size_t i = 0; i < near->rows; i++)
        root[i] = near->same[i];
    for (size_t i = 0; i < near->pairs; i++)
        if (near->pair[i].cosine >= (float)cosine)
            connect(root, near->pair[i].a, near->pair[i].b);
    for (size_t i = 0; i < near->rows; i++)
        root[i] = find_root(root, (uint32_t)i);
}

/* ---- rounds ---- */

static int append(struct sr_near *near, const struct sr_near_pair *pair, size_t pairs, struct sr_error *err) {
    struct sr_near_pair *grown =
        sr_realloc(near->pair, near->pairs * sizeof *pair, (near->pairs + pairs) * sizeof *pair, err);
    if (!grown)
        return SR_NOMEM;
    memcpy(grown + near->pairs, pair, pairs * sizeof *pair);
    near->pair = grown;
    near->pairs += pairs;
    return 0;
}

/* Candidates found and compared. *found: how many are near. */
static int search_round(size_t *found, struct sr_near *near, size_t round, struct sr_progress_part *way,
                        struct sr_error *err) {
    const double middle = way->from + SHARE_TABLES * (way->to - way->from);
    struct sr_progress_part tables = *way, exact = *way;
    struct sr_near_pair *pair = NULL;
    tables.to = exact.from = middle;
    int status = sr_near_tables(&pair, found, near, round, sr_progress_part_show, &tables, err);
    if (status == 0)
        status = sr_near_exact(pair, found, near, sr_progress_part_show, &exact, err);
    if (status == 0 && *found > 0)
        status = append(near, pair, *found, err);
    sr_free(pair);
    return status;
}

static bool any_open(const struct sr_near *near) {
    for (size_t i = 0; i < near->rows; i++)
        if (near->open[i])
            return true;
    return false;
}

/* Of the open rows of a component at most SPEAKERS stay so, spread over them: two crowds are near by many of
 * their pairs or hardly at all. */
static int choose_speakers(struct sr_near *near, struct sr_error *err) {
    uint32_t *count = sr_alloc(near->rows, sizeof *count, err),
             *seen = sr_alloc(near->rows, sizeof *seen, err);
    for (size_t i = 0; count && i < near->rows; i++)
        count[near->root[i]] += near->open[i];
    for (size_t i = 0; count && seen && i < near->rows; i++) {
        const uint32_t root = near->root[i], step = (count[root] + SPEAKERS - 1) / SPEAKERS;
        if (near->open[i])
            near->open[i] = seen[root]++ % step == 0;
    }
    const int status = count && seen ? 0 : SR_NOMEM;
    sr_free(count);
    sr_free(seen);
    return status;
}

/* Until no row whose list was full is near to one that it is not connected to. */
static int search(struct sr_near *near, void (*progress)(void *user, double fraction), void *user,
                  struct sr_error *err) {
    for (size_t i = 0; i < near->rows; i++)
        near->open[i] = near->good[i] && near->same[i] == i && sr_near_wanted(near, sr_near_set(near, i));
    double done = 0;
    for (size_t round = 0, found = 1; found > 0 && round < ROUNDS_MAX && any_open(near); round++) {
        struct sr_progress_part way = {progress, user, done, done + SHARE_ROUND * (1 - done)};
        int status = search_round(&found, near, round, &way, err);
        if (status < 0)
            return status;
        connect_all(near->root, near, near->cosine);
        status = choose_speakers(near, err);
        if (status < 0)
            return status;
        done = way.to;
    }
    if (near->pairs > 0)
        qsort(near->pair, near->pairs, sizeof *near->pair, sr_near_compare_pairs);
    return 0;
}

/* ---- finish ---- */

int sr_near_finish(struct sr_near *near, void (*progress)(void *user, double fraction), void *user,
                   struct sr_error *err) {
    int status = sr_near_same_find(near, err);
    if (status == 0 && near->bits)
        status = search(near, progress, user, err);
    if (status < 0)
        return status;
    connect_all(near->root, near, near->cosine);
    connect_all(near->twin, near, SR_NEAR_TWIN);
    return 0;
}

const struct sr_near_pair *sr_near_pairs(const struct sr_near *near, size_t *count) {
    *count = near->pairs;
    return near->pair;
}

const uint32_t *sr_near_root(const struct sr_near *near) {
    return near->root;
}

const uint32_t *sr_near_same(const struct sr_near *near) {
    return near->same;
}

const uint32_t *sr_near_twin(const struct sr_near *near) {
    return near->twin;
}

static void free_scale(struct sr_near_scale *scale) {
    sr_free(scale->shift);
    sr_free(scale->scale);
}

void sr_near_free(struct sr_near *near) {
    if (!near)
        return;
    for (size_t p = 0; near->space && p < near->spaces; p++) {
        free_scale(&near->space[p].all);
        sr_free(near->space[p].fold);
    }
    for (size_t s = 0; near->own && s < near->n; s++)
        free_scale(&near->own[s]);
    void *blocks[] = {near->first, near->visitor, near->feed,  near->space, near->space_of, near->own,
                      near->sign,  near->hash,    near->value, near->good,  near->bits,     near->open,
                      near->same,  near->root,    near->twin,  near->pair};
    for (size_t i = 0; i < SR_COUNT(blocks); i++)
        sr_free(blocks[i]);
    sr_free(near);
}

/* ---- groups ---- */

struct grouped {
    int64_t group;
    uint32_t row;
};

static int compare_groups(const void *pa, const void *pb) {
    const struct grouped *a = pa, *b = pb;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

/* Rows of one group of the data are one. */
static int join_groups(uint32_t *root, const struct sr_data *d, struct sr_error *err) {
    struct grouped *g = sr_alloc(d->rows, sizeof *g, err);
    if (!g)
        return SR_NOMEM;
    for (size_t i = 0; i < d->rows; i++)
        g[i] = (struct grouped){d->group[i], (uint32_t)i};
    qsort(g, d->rows, sizeof *g, compare_groups);
    for (size_t i = 1; i < d->rows; i++)
        if (g[i].group == g[i - 1].group)
            connect(root, g[i].row, g[i - 1].row);
    sr_free(g);
    return 0;
}

static int group_rows(int64_t *group, struct sr_near *near, struct sr_data *d,
                      struct sr_progress_part parts[2], struct sr_error *err) {
    struct sr_scan scan;
    int status = sr_scan_visit(d, &scan, sr_near_visitor(near, 0), 1, sr_progress_part_show, &parts[0], err);
    if (status < 0)
        return status;
    sr_scan_free(&scan);
    status = sr_near_finish(near, sr_progress_part_show, &parts[1], err);
    if (status == 0 && d->group)
        status = join_groups(near->root, d, err);
    for (size_t i = 0; status == 0 && i < d->rows; i++)
        group[i] = (int64_t)find_root(near->root, (uint32_t)i);
    return status;
}

int sr_near_groups(int64_t *group, struct sr_data *d, double cosine,
                   void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    struct sr_progress_part parts[2] = {{progress, user, 0, SHARE_SCAN}, {progress, user, SHARE_SCAN, 1}};
    struct sr_near *near = NULL;
    int status = sr_near_begin(&near, &d, 1, cosine, err);
    if (status < 0)
        return status;
    status = group_rows(group, near, d, parts, err);
    sr_near_free(near);
    return status;
}
