/* shares.c: rows into parts by their shares. See shares.h.
 *
 * Groups of several rows go first, the largest first, each to the part that lags most behind its share of
 * their labels: so every part gets as many twins of every size as the whole has, where single rows would
 * otherwise fill the small parts. Rows alone then make up for what the groups did to labels and sources.
 *
 * A source with few rows has no whole row for every part. Its fraction is rounded at random, but so that the
 * sum over all sources is right (systematic sampling: sources in random order, fractions added up, a row
 * whenever the sum passes a whole number and a half). Every row has the same chance then, however many
 * sources there are and however the file is sorted. First calibration and test together, then each from
 * that, so that no source gives more than it has.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/shares.h"

#include <math.h>
#include <stdlib.h>

#include "data/deal.h"

#define LABELS ((size_t)3) /* 0, 1, unknown */

/* Strata are label by label, sources within. */
struct shares {
    const double *fraction; /* [SR_PARTS] */
    uint64_t seed;
    size_t sources, strata;
    uint32_t *stratum;               /* [rows] */
    size_t *count;                   /* [strata], of rows to deal */
    size_t *alone;                   /* [strata], of those that are a group by themselves */
    size_t *taken;                   /* [SR_PARTS, strata], rows of groups */
    size_t *quota;                   /* [SR_PARTS, strata], of rows alone */
    size_t wanted[SR_PARTS][LABELS]; /* rows in all */
};

static size_t label_of(const struct sr_data *d, size_t row) {
    return !d->label || d->label[row] == SR_UNKNOWN ? LABELS - 1 : d->label[row];
}

static void choose_wanted(struct shares *s) {
    for (size_t label = 0; label < LABELS; label++) {
        size_t all = 0, given = 0;
        for (size_t i = 0; i < s->sources; i++)
            all += s->count[label * s->sources + i];
        for (int p = SR_PART_CALIBRATION; p < SR_PARTS; p++) {
            const size_t share = (size_t)llround(s->fraction[p] * (double)all);
            s->wanted[p][label] = share < all - given ? share : all - given;
            given += s->wanted[p][label];
        }
        s->wanted[SR_PART_TRAIN][label] = all - given;
    }
}

static int shares_begin(struct shares *s, const struct sr_data *d, const uint8_t *part,
                        struct sr_error *err) {
    s->sources = d->source && d->sources > 0 ? d->sources : 1;
    s->strata = LABELS * s->sources;
    s->stratum = sr_alloc(d->rows, sizeof *s->stratum, err);
    s->count = sr_alloc(s->strata, sizeof *s->count, err);
    s->alone = sr_alloc(s->strata, sizeof *s->alone, err);
    s->taken = sr_alloc(SR_PARTS * s->strata, sizeof *s->taken, err);
    s->quota = sr_alloc(SR_PARTS * s->strata, sizeof *s->quota, err);
    if (!s->stratum || !s->count || !s->alone || !s->taken || !s->quota)
        return SR_NOMEM;
    for (size_t i = 0; i < d->rows; i++) {
        s->stratum[i] = (uint32_t)(label_of(d, i) * s->sources + (d->source ? (size_t)d->source[i] : 0));
        s->count[s->stratum[i]] += part[i] == SR_PART_TRAIN;
    }
    choose_wanted(s);
    return 0;
}

static void shares_end(struct shares *s) {
    sr_free(s->stratum);
    sr_free(s->count);
    sr_free(s->alone);
    sr_free(s->taken);
    sr_free(s->quota);
}

/* ---- groups of several rows ---- */

/* Members begin .. begin + size of the deal. */
struct block {
    size_t begin, size;
    uint64_t place; /* random, the same for groups whose first rows have the same label and source */
};

/* Large ones first. Those of one source follow each other, so that it too is dealt out by shares; the order
 * of sources, and within one, is random. */
static int compare_blocks(const void *pa, const void *pb) {
    const struct block *a = pa, *b = pb;
    if (a->size != b->size)
        return a->size > b->size ? -1 : 1;
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    return a->begin < b->begin ? -1 : a->begin > b->begin;
}

/* Lists groups of several rows, and counts the rows that are alone. */
static size_t list_blocks(struct block *out, struct shares *s, const struct sr_deal *deal) {
    size_t n = 0;
    for (size_t begin = 0, end; begin < deal->n; begin = end) {
        for (end = begin; end < deal->n && sr_deal_same(deal, begin, end); end++)
            ;
        const uint32_t stratum = s->stratum[sr_deal_row(deal, begin)];
        if (end - begin > 1)
            out[n++] = (struct block){begin, end - begin,
                                      sr_random_bits(s->seed, sr_stream(SR_STREAM_SPLIT, 4, 0), stratum)};
        else
            s->alone[stratum]++;
    }
    qsort(out, n, sizeof *out, compare_blocks);
    return n;
}

/* Of groups alone, by label. */
struct progress_of_groups {
    size_t dealt[LABELS], taken[SR_PARTS][LABELS];
};

static bool has_room(const struct shares *s, const struct progress_of_groups *g, const size_t size[LABELS],
                     int part) {
    for (size_t label = 0; label < LABELS; label++)
        if (size[label] > 0 && g->taken[part][label] + size[label] > s->wanted[part][label])
            return false;
    return true;
}

/* Rows by which the part lags behind, were the group dealt to none. */
static double lag_of(const struct shares *s, const struct progress_of_groups *g, const size_t size[LABELS],
                     int part) {
    double lag = 0;
    for (size_t label = 0; label < LABELS; label++)
        lag += (double)size[label] *
               (s->fraction[part] * (double)g->dealt[label] - (double)g->taken[part][label]);
    return lag;
}

static int choose_part(const struct shares *s, const struct progress_of_groups *g, const size_t size[LABELS],
                       bool later) {
    int best = SR_PART_TRAIN;
    double most = lag_of(s, g, size, best);
    for (int p = SR_PART_CALIBRATION; p < SR_PARTS; p++) {
        const double lag = lag_of(s, g, size, p);
        if ((lag > most || (later && !(lag < most))) && has_room(s, g, size, p)) {
            best = p;
            most = lag;
        }
    }
    return best;
}

static void deal_block(uint8_t *part, struct shares *s, struct progress_of_groups *g,
                       const struct sr_deal *deal, const struct block *b) {
    size_t size[LABELS] = {0};
    for (size_t i = 0; i < b->size; i++)
        size[s->stratum[sr_deal_row(deal, b->begin + i)] / s->sources]++;
    for (size_t label = 0; label < LABELS; label++)
        g->dealt[label] += size[label];
    const bool later = sr_random_bits(s->seed, sr_stream(SR_STREAM_SPLIT, 3, 0), b->begin) & 1;
    const int p = choose_part(s, g, size, later);
    for (size_t label = 0; label < LABELS; label++)
        g->taken[p][label] += size[label];
    for (size_t i = 0; i < b->size; i++) {
        const uint32_t row = sr_deal_row(deal, b->begin + i);
        part[row] = (uint8_t)p;
        s->taken[(size_t)p * s->strata + s->stratum[row]]++;
    }
}

/* Rows that are alone, to rows; returns how many. */
static size_t list_alone(uint32_t *rows, const struct sr_deal *deal) {
    size_t n = 0;
    for (size_t i = 0; i < deal->n; i++)
        if ((i == 0 || !sr_deal_same(deal, i - 1, i)) && (i + 1 == deal->n || !sr_deal_same(deal, i, i + 1)))
            rows[n++] = sr_deal_row(deal, i);
    return n;
}

static int deal_groups(uint8_t *part, struct shares *s, const struct sr_deal *deal, struct sr_error *err) {
    struct progress_of_groups g = {.dealt = {0}};
    struct block *block = sr_alloc(deal->n / 2 + 1, sizeof *block, err);
    if (!block)
        return SR_NOMEM;
    const size_t blocks = list_blocks(block, s, deal);
    for (size_t b = 0; b < blocks; b++)
        deal_block(part, s, &g, deal, &block[b]);
    sr_free(block);
    return 0;
}

/* ---- rows alone ---- */

/* Whole numbers, each x[i] rounded up or down, whose sum is that of x, rounded. At most `most` in all: x is
 * scaled down to it. The small number keeps sums that are whole but for rounding whole. */
static void round_all(size_t *out, const double *x, const uint32_t *order, size_t n, size_t most) {
    double all = 0, sum = 0;
    size_t given = 0;
    for (size_t i = 0; i < n; i++)
        all += x[i];
    const double scale = all > (double)most ? (double)most / all : 1;
    for (size_t i = 0; i < n; i++) {
        sum += scale * x[order[i]];
        const size_t upto = (size_t)floor(sum + .5 + 1e-9);
        out[order[i]] = upto - given;
        given = upto;
    }
}

/* Takes a row each from sources in their order until there are at most `most`: a calibration that groups have
 * filled leaves more for test than its share. */
static void cut_down(size_t *quota, const uint32_t *order, size_t n, size_t most) {
    size_t all = 0;
    for (size_t i = 0; i < n; i++)
        all += quota[i];
    for (size_t i = 0; all > most; i = i + 1 < n ? i + 1 : 0)
        if (quota[order[i]] > 0) {
            quota[order[i]]--;
            all--;
        }
}

/* What a part still lacks of a stratum. */
static double need_of(const struct shares *s, int part, size_t stratum) {
    const double need =
        s->fraction[part] * (double)s->count[stratum] - (double)s->taken[(size_t)part * s->strata + stratum];
    return need > 0 ? need : 0;
}

static size_t missing_of(const struct shares *s, int part, size_t label) {
    size_t taken = 0;
    for (size_t i = 0; i < s->sources; i++)
        taken += s->taken[(size_t)part * s->strata + label * s->sources + i];
    return s->wanted[part][label] > taken ? s->wanted[part][label] - taken : 0;
}

/* Rows alone of one label: what calibration and test get of each source. */
static void choose_quotas(struct shares *s, size_t label, double *x, size_t *both, const uint32_t *order) {
    const size_t first = label * s->sources;
    size_t missing = 0;
    for (int p = SR_PART_CALIBRATION; p < SR_PARTS; p++)
        missing += missing_of(s, p, label);
    for (size_t i = 0; i < s->sources; i++) {
        x[i] = need_of(s, SR_PART_CALIBRATION, first + i) + need_of(s, SR_PART_TEST, first + i);
        x[i] = x[i] < (double)s->alone[first + i] ? x[i] : (double)s->alone[first + i];
    }
    round_all(both, x, order, s->sources, missing);
    for (size_t i = 0; i < s->sources; i++) {
        const double c = need_of(s, SR_PART_CALIBRATION, first + i), e = need_of(s, SR_PART_TEST, first + i);
        x[i] = both[i] > 0 ? (double)both[i] * c / (c + e) : 0;
    }
    size_t *of_c = s->quota + SR_PART_CALIBRATION * s->strata + first;
    round_all(of_c, x, order, s->sources, missing_of(s, SR_PART_CALIBRATION, label));
    size_t *of_e = s->quota + SR_PART_TEST * s->strata + first;
    for (size_t i = 0; i < s->sources; i++)
        of_e[i] = both[i] > of_c[i] ? both[i] - of_c[i] : 0;
    cut_down(of_e, order, s->sources, missing_of(s, SR_PART_TEST, label));
}

static int choose_all_quotas(struct shares *s, struct sr_error *err) {
    double *x = sr_alloc(s->sources, sizeof *x, err);
    size_t *both = sr_alloc(s->sources, sizeof *both, err);
    uint32_t *order = sr_alloc(s->sources, sizeof *order, err);
    const int status = x && both && order ? 0 : SR_NOMEM;
    for (size_t label = 0; label < LABELS && status == 0; label++) {
        for (size_t i = 0; i < s->sources; i++)
            order[i] = (uint32_t)i;
        sr_random_shuffle(order, s->sources, s->seed, sr_stream(SR_STREAM_SPLIT, 2, label));
        choose_quotas(s, label, x, both, order);
    }
    sr_free(x);
    sr_free(both);
    sr_free(order);
    return status;
}

/* First by label and source; what groups have left open by label alone. */
static int deal_alone(uint8_t *part, struct shares *s, const uint32_t *rows, size_t n, size_t all,
                      struct sr_error *err) {
    size_t by_label[SR_PARTS][LABELS] = {{0}};
    struct sr_deal deal = {0};
    int status = choose_all_quotas(s, err);
    if (status == 0)
        status = sr_deal_begin(&deal, rows, n, NULL, s->seed, err);
    if (status == 0)
        status = sr_deal_fill(&deal, part, SR_PARTS, s->stratum, s->strata, s->quota, err);
    for (int p = SR_PART_CALIBRATION; p < SR_PARTS; p++)
        for (size_t label = 0; label < LABELS; label++)
            by_label[p][label] = missing_of(s, p, label);
    for (size_t i = 0; i < all; i++)
        s->stratum[i] /= (uint32_t)s->sources;
    if (status == 0)
        status = sr_deal_fill(&deal, part, SR_PARTS, s->stratum, LABELS, &by_label[0][0], err);
    sr_deal_end(&deal);
    return status;
}

/* Where hardly a row is alone, groups of training rows close what gaps they fit. */
static int deal_all(uint8_t *part, struct shares *s, const struct sr_deal *deal, uint32_t *rows, size_t all,
                    struct sr_error *err) {
    int status = deal_groups(part, s, deal, err);
    if (status == 0)
        status = deal_alone(part, s, rows, list_alone(rows, deal), all, err);
    return status == 0 ? sr_deal_fill(deal, part, SR_PARTS, s->stratum, LABELS, &s->wanted[0][0], err)
                       : status;
}

int sr_shares_deal(uint8_t *part, const struct sr_data *d, const int64_t *group,
                   const double fraction[SR_PARTS], uint64_t seed, struct sr_error *err) {
    struct shares s = {.fraction = fraction, .seed = seed};
    struct sr_deal deal = {0};
    size_t n = 0;
    uint32_t *rows = sr_alloc(d->rows, sizeof *rows, err);
    for (size_t i = 0; rows && i < d->rows; i++)
        if (part[i] == SR_PART_TRAIN)
            rows[n++] = (uint32_t)i;
    int status = rows ? shares_begin(&s, d, part, err) : SR_NOMEM;
    if (status == 0)
        status = sr_deal_begin(&deal, rows, n, group, seed, err);
    if (status == 0)
        status = deal_all(part, &s, &deal, rows, d->rows, err);
    sr_deal_end(&deal);
    shares_end(&s);
    sr_free(rows);
    return status;
}
