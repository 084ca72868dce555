/* calibrator_isotonic.c: the never falling function of prob that is nearest to the labels in least squares
 * (Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD
 * 2002).
 *
 * Pool adjacent violators: rows of one prob are one block from the start; while the share of positives of a
 * block is not above that of the one before, the two are pooled. Shares are compared as integers, so
 * no rounding decides. A block's share holds from its first to its last prob, which become knots; between
 * knots the line is straight, outside it is level.
 *
 * SPDX-License-Identifier: MIT
 */
#include "eval/calibrator_fit.h"

struct block {
    double first, last; /* prob */
    uint64_t positives, rows;
};

/* Products stay below 2^64, as there are fewer than 2^32 rows. */
static bool violates(const struct block *below, const struct block *above) {
    return below->positives * above->rows >= above->positives * below->rows;
}

/* Adds a block on top; returns how many there are. */
static size_t pool(struct block *block, size_t n, struct block top) {
    for (; n > 0 && violates(&block[n - 1], &top); n--) {
        top.first = block[n - 1].first;
        top.positives += block[n - 1].positives;
        top.rows += block[n - 1].rows;
    }
    block[n] = top;
    return n + 1;
}

/* Ranks fall, so they are walked from behind; their `last` begins a tie. */
static size_t pool_all(struct block *block, const struct sr_ranks *rows, const double *prob) {
    size_t n = 0;
    struct block tie = {0};
    for (size_t k = rows->n; k-- > 0;) {
        const struct sr_place p = rows->place[k];
        if (p.last)
            tie = (struct block){.first = prob[p.row], .last = prob[p.row]};
        tie.positives += p.positive;
        tie.rows++;
        if (k == 0 || rows->place[k - 1].last)
            n = pool(block, n, tie);
    }
    return n;
}

static void add_knot(struct sr_calibrator *c, double prob, double calibrated) {
    c->prob[c->knots] = prob;
    c->calibrated[c->knots++] = calibrated;
}

/* One knot for a block of a single prob, else two. */
static struct sr_calibrator *knots_of(const struct block *block, size_t blocks, struct sr_error *err) {
    size_t knots = blocks;
    for (size_t i = 0; i < blocks; i++)
        knots += block[i].last > block[i].first;
    struct sr_calibrator *c = sr_calibrator_new(SR_CALIBRATOR_ISOTONIC, knots, err);
    if (!c)
        return NULL;
    c->knots = 0;
    for (size_t i = 0; i < blocks; i++) {
        const double share = (double)block[i].positives / (double)block[i].rows;
        add_knot(c, block[i].first, share);
        if (block[i].last > block[i].first)
            add_knot(c, block[i].last, share);
    }
    return c;
}

int sr_calibrator_fit_isotonic(struct sr_calibrator **out, const struct sr_ranks *rows, const double *prob,
                               struct sr_error *err) {
    struct block *block = sr_alloc(rows->n, sizeof *block, err);
    if (!block)
        return SR_NOMEM;
    *out = knots_of(block, pool_all(block, rows, prob), err);
    sr_free(block);
    return *out ? 0 : SR_NOMEM;
}
