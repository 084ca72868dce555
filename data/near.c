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
#define SHARE_TABLES .4  /* of the time of sr_near_finish */

/* ---- begin ---- */

static int check_sets(struct sr_near *near, struct sr_error *err) {
    for (size_t s = 0; s < near->n; s++) {
        if (near->sets[s]->width != near->width)
            return sr_fail(err, SR_DATA,
                           "%s has %zu features a row, %s has %zu; near duplicates are looked for among rows "
                           "of one width",
                           sr_data_path(near->sets[0], 0), near->width, sr_data_path(near->sets[s], 0),
                           near->sets[s]->width);
        near->first[s + 1] = near->first[s] + near->sets[s]->rows;
    }
    near->rows = near->first[near->n];
    if (near->rows > UINT32_MAX)
        return sr_fail(err, SR_DATA, "%zu rows in all; at most 2^32 - 1 can be compared", near->rows);
    return 0;
}

static void take_block(void *user, const struct sr_scan_block *block) {
    const struct sr_near_feed *feed = user;
    struct sr_near *near = feed->near;
    const size_t first = near->first[feed->set] + block->first;
    memcpy(near->hash + first, block->hash, block->rows * sizeof *near->hash);
    memcpy(near->good + first, block->good, block->rows);
    if (!near->bits)
        return;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < block->rows; r++)
        if (block->good[r])
            sr_near_sketch(&near->bits[first + r], near, block->x + r * near->width);
}

static int begin(struct sr_near *near, struct sr_error *err) {
    near->first = sr_alloc(near->n + 1, sizeof *near->first, err);
    near->visitor = sr_alloc(near->n, sizeof *near->visitor, err);
    near->feed = sr_alloc(near->n, sizeof *near->feed, err);
    if (!near->first || !near->visitor || !near->feed)
        return SR_NOMEM;
    const int status = check_sets(near, err);
    if (status < 0)
        return status;
    for (size_t s = 0; s < near->n; s++) {
        near->feed[s] = (struct sr_near_feed){near, s};
        near->visitor[s] = (struct sr_scan_visitor){take_block, &near->feed[s]};
    }
    near->hash = sr_alloc(near->rows, sizeof *near->hash, err);
    near->good = sr_alloc(near->rows, 1, err);
    near->same = sr_alloc(near->rows, sizeof *near->same, err);
    near->root = sr_alloc(near->rows, sizeof *near->root, err);
    near->twin = sr_alloc(near->rows, sizeof *near->twin, err);
    if (!near->hash || !near->good || !near->same || !near->root || !near->twin)
        return SR_NOMEM;
    if (!sr_near_wanted(near))
        return 0;
    near->bits = sr_alloc(near->rows, sizeof *near->bits, err);
    return near->bits ? sr_near_sketch_begin(near, err) : SR_NOMEM;
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
    near->width = sets[0]->width;
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

/* ---- exact duplicates ---- */

struct hashed {
    uint64_t hash;
    uint32_t row;
};

static int compare_hashed(const void *pa, const void *pb) {
    const struct hashed *a = pa, *b = pb;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static int find_same(struct sr_near *near, struct sr_error *err) {
    struct hashed *h = sr_alloc(near->rows, sizeof *h, err);
    size_t n = 0;
    if (!h)
        return SR_NOMEM;
    for (size_t i = 0; i < near->rows; i++) {
        near->same[i] = (uint32_t)i;
        if (near->good[i])
            h[n++] = (struct hashed){near->hash[i], (uint32_t)i};
    }
    qsort(h, n, sizeof *h, compare_hashed);
    for (size_t i = 1; i < n; i++)
        if (h[i].hash == h[i - 1].hash)
            near->same[h[i].row] = near->same[h[i - 1].row];
    sr_free(h);
    return 0;
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

/* ---- finish ---- */

int sr_near_finish(struct sr_near *near, void (*progress)(void *user, double fraction), void *user,
                   struct sr_error *err) {
    struct sr_progress_part tables = {progress, user, 0, SHARE_TABLES},
                            exact = {progress, user, SHARE_TABLES, 1};
    int status = find_same(near, err);
    if (status == 0 && near->bits)
        status = sr_near_tables(near, sr_progress_part_show, &tables, err);
    if (status == 0 && near->bits)
        status = sr_near_exact(near, sr_progress_part_show, &exact, err);
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

void sr_near_free(struct sr_near *near) {
    if (!near)
        return;
    void *blocks[] = {near->first, near->visitor, near->feed, near->shift, near->scale,
                      near->fold,  near->sign,    near->hash, near->good,  near->bits,
                      near->same,  near->root,    near->twin, near->pair};
    for (size_t i = 0; i < SR_COUNT(blocks); i++)
        sr_free(blocks[i]);
    sr_free(near);
}

/* ---- groups ---- */

/* Rows of one group of the data are one: like exact duplicates, with the group in place of the hash. */
static int join_groups(uint32_t *root, const struct sr_data *d, struct sr_error *err) {
    struct hashed *h = sr_alloc(d->rows, sizeof *h, err);
    if (!h)
        return SR_NOMEM;
    for (size_t i = 0; i < d->rows; i++)
        h[i] = (struct hashed){(uint64_t)d->group[i], (uint32_t)i};
    qsort(h, d->rows, sizeof *h, compare_hashed);
    for (size_t i = 1; i < d->rows; i++)
        if (h[i].hash == h[i - 1].hash)
            connect(root, h[i].row, h[i - 1].row);
    sr_free(h);
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
    struct sr_near *near;
    int status = sr_near_begin(&near, &d, 1, cosine, err);
    if (status < 0)
        return status;
    status = group_rows(group, near, d, parts, err);
    sr_near_free(near);
    return status;
}
