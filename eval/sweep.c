/* sweep.c: every threshold there is, and what each one does; see sweep.h.
 *
 * Rows are sorted by prob once. Before the first threshold every row is routed; as the threshold rises, each
 * row it passes moves from routed to not routed, in the table of decisions and in that of the system's
 * verdicts. A row without a prob is passed by none.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "eval/sweep.h"

struct item {
    float prob;
    uint8_t label, gold, small, large; /* 0, 1, else unknown */
};

static bool has_safety(const struct item *r) {
    return r->gold <= 1 && r->small <= 1 && r->large <= 1;
}

static struct item item_of(const struct sr_rows *rows, size_t i) {
    const bool guards = rows->gold && rows->small_pred && rows->large_pred;
    return (struct item){
        .prob = rows->prob[i],
        .label = rows->label ? rows->label[i] : UINT8_MAX,
        .gold = guards ? rows->gold[i] : UINT8_MAX,
        .small = guards ? rows->small_pred[i] : UINT8_MAX,
        .large = guards ? rows->large_pred[i] : UINT8_MAX,
    };
}

static int by_prob(const void *a, const void *b) {
    const float x = ((const struct item *)a)->prob, y = ((const struct item *)b)->prob;
    return (x > y) - (x < y);
}

/* ---- what a threshold does ---- */

/* Truth against verdict, counted. */
struct state {
    uint64_t routed, safety_routed;
    uint64_t label[2][2], safety[2][2]; /* [truth][verdict] */
};

static void route(struct state *s, const struct item *r) {
    s->routed++;
    if (r->label <= 1 && !isnan(r->prob))
        s->label[r->label][1]++;
    if (has_safety(r)) {
        s->safety_routed++;
        s->safety[r->gold][r->large]++;
    }
}

/* A row that was routed is no more. */
static void keep(struct state *s, const struct item *r) {
    s->routed--;
    if (r->label <= 1) {
        s->label[r->label][1]--;
        s->label[r->label][0]++;
    }
    if (has_safety(r)) {
        s->safety_routed--;
        s->safety[r->gold][r->large]--;
        s->safety[r->gold][r->small]++;
    }
}

static struct sr_confusion confusion_of(uint64_t count[2][2]) {
    return (struct sr_confusion){.tp = count[1][1], .fp = count[0][1], .tn = count[0][0], .fn = count[1][0]};
}

/* ---- all of them ---- */

/* The rows that have a prob, sorted; all rows routed. Returns how many have one. */
static size_t begin(struct item *item, struct state *s, const struct sr_rows *rows) {
    size_t n = 0;
    for (size_t i = 0; i < rows->n; i++) {
        const struct item r = item_of(rows, i);
        route(s, &r);
        if (!isnan(r.prob))
            item[n++] = r;
    }
    qsort(item, n, sizeof *item, by_prob);
    return n;
}

/* Threshold 0, and every prob above it. */
static size_t count_points(const struct item *item, size_t n) {
    size_t points = 1;
    float last = 0;
    for (size_t i = 0; i < n; i++) {
        points += item[i].prob > last;
        last = item[i].prob;
    }
    return points;
}

static void fill(struct sr_sweep *out, struct state *s, const struct item *item, size_t n) {
    size_t i = 0;
    float threshold = 0;
    for (size_t k = 0; k < out->n; k++) {
        for (; i < n && item[i].prob <= threshold; i++)
            keep(s, &item[i]);
        out->point[k] = (struct sr_point){.threshold = threshold,
                                          .routed = s->routed,
                                          .label = confusion_of(s->label),
                                          .safety = confusion_of(s->safety),
                                          .safety_routed = s->safety_routed};
        if (i < n)
            threshold = item[i].prob;
    }
}

int sr_sweep_make(struct sr_sweep *out, const struct sr_rows *rows, struct sr_error *err) {
    struct state s = {0};
    struct item *item = sr_alloc(rows->n, sizeof *item, err);
    *out = (struct sr_sweep){0};
    if (!item)
        return SR_NOMEM;
    const size_t n = begin(item, &s, rows), points = count_points(item, n);
    struct sr_point *point = sr_alloc(points, sizeof *point, err);
    if (point) {
        *out = (struct sr_sweep){.point = point, .n = points, .rows = rows->n};
        fill(out, &s, item, n);
    }
    sr_free(item);
    return point ? 0 : SR_NOMEM;
}

void sr_sweep_free(struct sr_sweep *s) {
    sr_free(s->point);
    *s = (struct sr_sweep){0};
}

size_t sr_sweep_find(const struct sr_sweep *s, float threshold) {
    size_t low = 0, high = s->n; /* the answer is in low .. high - 1 */
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (s->point[middle].threshold > threshold)
            high = middle;
        else
            low = middle;
    }
    return low;
}
