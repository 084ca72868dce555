/* calibration.c: Brier score, log loss, expected calibration error, the reliability table, and the shift of
 * prob to another share of positives.
 *
 * Rows are sorted by prob once, so that every bin of either kind is a run of rows, and so is what two bins
 * share. The rows are cut into pieces that lie in one bin of each kind; the scores are then sums over pieces
 * of three terms a row: label - prob, its square (Brier), and the log loss. For the error of a bin they
 * suffice, as rows |positives/rows - mean_prob| = |sum of label - prob|.
 *
 * A piece has at most 1,024 rows, so that a sum of a million equal terms is one of sums and its rounding
 * errors do not pile up. All sums have one order, that of prob.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "eval/eval.h"

#define PIECE_MOST 1024

struct piece {
    uint32_t end;        /* its rows: from the end of the piece before */
    uint8_t width, mass; /* its bins */
};

/* 20 bytes a row, in three arrays by rising prob: a measurement reads them once, front to back, and its only
 * jumps are to count. */
struct sr_reliability {
    size_t n, pieces;
    uint32_t *row;    /* [n], its number at creation */
    double *residual; /* [n], label - prob */
    double *loss;     /* [n], -ln P(label) */
    struct piece *piece;
    struct sr_bin width[SR_BINS], mass[SR_BINS]; /* of every row once */
};

static void carve(struct sr_arena *arena, struct sr_reliability *r) {
    r->row = sr_arena_take(arena, r->n, sizeof *r->row);
    r->residual = sr_arena_take(arena, r->n, sizeof *r->residual);
    r->loss = sr_arena_take(arena, r->n, sizeof *r->loss);
    r->piece = sr_arena_take(arena, r->n / PIECE_MOST + (size_t)2 * SR_BINS, sizeof *r->piece);
}

/* The struct itself lies in front of its arrays. */
static struct sr_reliability *allocate(size_t n, struct sr_error *err) {
    struct sr_arena arena = {0};
    struct sr_reliability counted = {.n = n}, *r;
    sr_arena_take(&arena, 1, sizeof *r);
    carve(&arena, &counted);
    if (sr_arena_allocate(&arena, err) < 0)
        return NULL;
    r = sr_arena_take(&arena, 1, sizeof *r);
    r->n = n;
    carve(&arena, r);
    return r;
}

void sr_reliability_free(struct sr_reliability *r) {
    sr_free(r);
}

/* ---- bins ---- */

static double width_edge(size_t bin) {
    return (double)bin / SR_BINS;
}

/* With 15 bins the product, rounded, is on the edge's side for all edges and the numbers next to them:
 * tested, as it is not so for any number of bins. */
static uint8_t width_bin(double prob) {
    return (uint8_t)(sr_prob_clip(prob) * SR_BINS);
}

/* Of the k-th of n rows; the first n % SR_BINS bins have one row more. */
static uint8_t mass_bin(size_t k, size_t n) {
    const size_t rows = n / SR_BINS, more = n % SR_BINS, in_larger = more * (rows + 1);
    return (uint8_t)(k < in_larger ? k / (rows + 1) : more + (k - in_larger) / rows);
}

static void bins_clear(struct sr_reliability *r) {
    for (size_t b = 0; b < SR_BINS; b++) {
        r->width[b] = (struct sr_bin){.low = width_edge(b), .high = width_edge(b + 1)};
        r->mass[b] = (struct sr_bin){.low = (double)NAN, .high = (double)NAN};
    }
}

/* mean_prob is the sum until all rows are in. */
static void bin_add(struct sr_bin *bin, double rows, double positives, double prob_sum) {
    bin->rows += rows;
    bin->positives += positives;
    bin->mean_prob += prob_sum;
}

/* ---- rows in order of prob ---- */

/* The next row, one before here.end, joins the last piece if it may. */
static void piece_extend(struct sr_reliability *r, struct piece here) {
    const uint32_t begin = r->pieces > 1 ? r->piece[r->pieces - 2].end : 0;
    struct piece *last = r->pieces > 0 ? &r->piece[r->pieces - 1] : NULL;
    if (last && last->width == here.width && last->mass == here.mass && here.end - begin <= PIECE_MOST)
        *last = here;
    else
        /* carved with the struct. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
        r->piece[r->pieces++] = here;
}

/* Ranks fall, rows here rise: place n-1-k is row k, and the last of a score is the first of a tie. */
static void rows_fill(struct sr_reliability *r, const struct sr_ranks *ranks, const double *prob) {
    uint8_t mass = 0;
    for (size_t k = 0; k < r->n; k++) {
        const struct sr_place p = ranks->place[r->n - 1 - k];
        const double q = prob[p.row], clipped = sr_prob_clip(q);
        r->row[k] = p.row;
        r->residual[k] = p.positive - q;
        r->loss[k] = -log(p.positive ? clipped : 1 - clipped);
        if (p.last)
            mass = mass_bin(k, r->n);
        piece_extend(r, (struct piece){(uint32_t)(k + 1), width_bin(q), mass});
    }
}

static void bins_fill(struct sr_reliability *r, const struct sr_ranks *ranks, const double *prob) {
    bins_clear(r);
    for (size_t i = 0, k = 0; i < r->pieces; i++) {
        const struct piece piece = r->piece[i];
        struct sr_bin *width = r->width + piece.width, *mass = r->mass + piece.mass;
        const double rows = (double)(piece.end - k);
        double positives = 0, prob_sum = 0;
        if (isnan(mass->low))
            mass->low = prob[r->row[k]];
        for (; k < piece.end; k++) {
            positives += ranks->place[r->n - 1 - k].positive;
            prob_sum += prob[r->row[k]];
        }
        mass->high = prob[r->row[k - 1]];
        bin_add(width, rows, positives, prob_sum);
        bin_add(mass, rows, positives, prob_sum);
    }
    for (size_t b = 0; b < SR_BINS; b++) {
        r->width[b].mean_prob /= r->width[b].rows;
        r->mass[b].mean_prob /= r->mass[b].rows;
    }
}

int sr_reliability_create(struct sr_reliability **out, const uint8_t *label, const double *prob, size_t n,
                          struct sr_error *err) {
    struct sr_ranks ranks;
    *out = NULL;
    const int status = sr_ranks_sort(&ranks, label, prob, n, err);
    if (status < 0)
        return status;
    struct sr_reliability *r = allocate(ranks.n, err);
    if (r) {
        rows_fill(r, &ranks, prob);
        bins_fill(r, &ranks, prob);
    }
    sr_ranks_free(&ranks);
    *out = r;
    return r ? 0 : SR_NOMEM;
}

void sr_reliability_bins(struct sr_bin width[SR_BINS], struct sr_bin mass[SR_BINS],
                         const struct sr_reliability *r) {
    for (size_t b = 0; b < SR_BINS; b++) {
        width[b] = r->width[b];
        mass[b] = r->mass[b];
    }
}

/* ---- scores ---- */

struct sums {
    double rows, residual, brier, loss;
};

static struct sums piece_sum(const struct sr_reliability *r, size_t begin, size_t end,
                             const uint32_t *count) {
    struct sums s = {0};
    for (size_t k = begin; k < end; k++) {
        const double times = count ? count[r->row[k]] : 1, residual = r->residual[k];
        s.rows += times;
        s.residual += times * residual;
        s.brier += times * (residual * residual);
        s.loss += times * r->loss[k];
    }
    return s;
}

static double error_sum(const double residual[SR_BINS]) {
    double sum = 0;
    for (size_t b = 0; b < SR_BINS; b++)
        sum += fabs(residual[b]);
    return sum;
}

void sr_reliability_measure(struct sr_calibration_scores *out, const struct sr_reliability *r,
                            const uint32_t *count) {
    double width[SR_BINS] = {0}, mass[SR_BINS] = {0}, rows = 0, brier = 0, loss = 0;
    for (size_t i = 0, begin = 0; i < r->pieces; begin = r->piece[i++].end) {
        const struct sums s = piece_sum(r, begin, r->piece[i].end, count);
        rows += s.rows;
        brier += s.brier;
        loss += s.loss;
        width[r->piece[i].width] += s.residual;
        mass[r->piece[i].mass] += s.residual;
    }
    *out = (struct sr_calibration_scores){brier / rows, loss / rows, error_sum(width) / rows,
                                          error_sum(mass) / rows};
}

const char *sr_calibration_key(size_t score) {
    static const char *const keys[] = {
#define X(key) #key,
        SR_CALIBRATION_SCORE_LIST(X)
#undef X
    };
    return keys[score];
}

double sr_prior_shift(double prob, double from, double to) {
    const double positive = prob * (to / from), negative = (1 - prob) * ((1 - to) / (1 - from));
    return positive / (positive + negative);
}
