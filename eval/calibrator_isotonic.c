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
#include "eval/calibrator.h"

#define PROB       "prob"
#define CALIBRATED "calibrated"

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

static int fit(struct sr_calibrator **out, const struct sr_ranks *rows, const double *prob,
               struct sr_error *err) {
    struct block *block = sr_alloc(rows->n, sizeof *block, err);
    if (!block)
        return SR_NOMEM;
    *out = knots_of(block, pool_all(block, rows, prob), err);
    sr_free(block);
    return *out ? 0 : SR_NOMEM;
}

/* Of the last knot that is not above prob; prob is at or above the first. */
static size_t knot_below(const struct sr_calibrator *c, double prob) {
    size_t low = 0, high = c->knots;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (c->prob[middle] <= prob)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static double apply(const struct sr_calibrator *c, double prob) {
    if (prob <= c->prob[0])
        return c->calibrated[0];
    const size_t k = knot_below(c, prob);
    const double from = c->calibrated[k];
    if (k + 1 == c->knots)
        return from;
    const double to = c->calibrated[k + 1], way = (prob - c->prob[k]) / (c->prob[k + 1] - c->prob[k]);
    return fmin(from + way * (to - from), to); /* the sum may round to above its end */
}

/* ---- text ---- */

static struct sr_json *list_of(const double *value, size_t n) {
    struct sr_json *list = sr_json_array();
    for (size_t i = 0; i < n; i++)
        sr_json_append(list, sr_json_number(value[i]));
    return list;
}

static void write_members(struct sr_json *to, const struct sr_calibrator *c) {
    sr_json_set(to, PROB, list_of(c->prob, c->knots));
    sr_json_set(to, CALIBRATED, list_of(c->calibrated, c->knots));
}

/* Numbers from 0 to 1, none below the one before, nor equal to it where they must rise. */
static int read_list(double *value, const struct sr_json *list, const char *name, bool rises,
                     struct sr_error *err) {
    for (size_t i = 0; i < sr_json_size(list); i++) {
        if (!sr_json_as_number(sr_json_at(list, i), &value[i]) || !(value[i] >= 0 && value[i] <= 1))
            return sr_fail(err, SR_DATA, "item %zu of \"%s\" is not a number from 0 to 1", i, name);
        if (i > 0 && (value[i] < value[i - 1] || (rises && value[i] == value[i - 1])))
            return sr_fail(err, SR_DATA, "item %zu of \"%s\", %.9g, is %s the one before, %.9g", i, name,
                           value[i], rises ? "not above" : "below", value[i - 1]);
    }
    return 0;
}

static int read_members(struct sr_calibrator **out, const struct sr_json *from, struct sr_error *err) {
    const struct sr_json *prob = sr_json_get(from, PROB), *calibrated = sr_json_get(from, CALIBRATED);
    if (!sr_json_is_array(prob) || !sr_json_is_array(calibrated))
        return sr_fail(err, SR_DATA, "\"" PROB "\" and \"" CALIBRATED "\" are not both lists");
    const size_t n = sr_json_size(prob);
    if (n == 0 || n != sr_json_size(calibrated))
        return sr_fail(err, SR_DATA,
                       "\"" PROB "\" has %zu items and \"" CALIBRATED "\" %zu; they must be as many, and "
                       "at least one",
                       n, sr_json_size(calibrated));
    struct sr_calibrator *c = sr_calibrator_new(SR_CALIBRATOR_ISOTONIC, n, err);
    int status = c ? read_list(c->prob, prob, PROB, true, err) : SR_NOMEM;
    if (status == 0)
        status = read_list(c->calibrated, calibrated, CALIBRATED, false, err);
    if (status == 0)
        *out = c;
    else
        sr_calibrator_free(c);
    return status;
}

static const char *const members[] = {PROB, CALIBRATED, NULL};

const struct sr_calibrator_type sr_calibrator_isotonic = {members, fit, apply, write_members, read_members};
