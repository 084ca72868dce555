/* queue.c: safety against share; see queue.h.
 *
 * Routing a row moves its verdict from the small guard to the large one, which changes true and false
 * positives by -1, 0 or 1; unsafe and safe rows stay as many as they are. Within a run of equal scores both
 * change evenly with the share, F1 = 2TP / (TP + FP + unsafe) is then a ratio of two lines, and the area
 * under it is taken by Simpson's rule: for single rows that is exact to rounding, and for one run over all
 * rows, as in random routing, off by less than 1e-4 of what F1 changes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>

#include "eval/queue.h"

struct scored {
    double score;
    uint32_t row;
};

/* NaN first, then falling scores; equal ones by row, so that memory is walked in order. */
static int by_falling_score(const void *a, const void *b) {
    const struct scored *x = a, *y = b;
    const int nan = isnan(y->score) - isnan(x->score);
    if (nan || isnan(x->score))
        return nan ? nan : (x->row > y->row) - (x->row < y->row);
    const int score = (x->score < y->score) - (x->score > y->score);
    return score ? score : (x->row > y->row) - (x->row < y->row);
}

static bool is_tied(double x, double y) {
    return x == y || (isnan(x) && isnan(y));
}

int sr_queue_sort(struct sr_queue *out, const uint8_t *kind, const double *score, size_t n,
                  struct sr_error *err) {
    struct sr_queue q = {0};
    *out = q;
    struct scored *row = sr_alloc(n, sizeof *row, err);
    if (!row)
        return SR_NOMEM;
    for (size_t i = 0; i < n; i++)
        if (kind[i] < SR_KIND_UNKNOWN)
            row[q.n++] = (struct scored){score[i], (uint32_t)i};
    qsort(row, q.n, sizeof *row, by_falling_score);
    q.stand = sr_alloc(q.n, sizeof *q.stand, err);
    for (size_t k = 0; q.stand && k < q.n; k++)
        q.stand[k] = (struct sr_stand){row[k].row, kind[row[k].row] & (SR_KIND_ROUTED - 1),
                                       k + 1 == q.n || !is_tied(row[k].score, row[k + 1].score)};
    sr_free(row);
    if (!q.stand)
        return SR_NOMEM;
    *out = q;
    return 0;
}

void sr_queue_free(struct sr_queue *q) {
    sr_free(q->stand);
    *q = (struct sr_queue){0};
}

double sr_mass_f1(struct sr_mass m) {
    return 2 * m.tp / (2 * m.tp + m.fp + m.fn);
}

/* By kind: what routing a row does to true and false positives. */
static const int8_t tp_change[SR_KIND_ROUTED] = {
    [SR_KIND_GOLD | SR_KIND_SMALL] = -1,
    [SR_KIND_GOLD | SR_KIND_LARGE] = 1,
};
static const int8_t fp_change[SR_KIND_ROUTED] = {
    [SR_KIND_SMALL] = -1,
    [SR_KIND_LARGE] = 1,
};

/* Where the queue begins: nothing is routed, all verdicts are the small guard's. */
struct start {
    double rows, unsafe, tp, fp;
};

static struct start queue_start(const struct sr_queue *q, const uint32_t *count) {
    uint64_t rows[SR_KIND_ROUTED] = {0};
    for (size_t k = 0; k < q->n; k++)
        rows[q->stand[k].kind] += count ? count[q->stand[k].row] : 1;
    struct start s = {0};
    for (unsigned kind = 0; kind < SR_KIND_ROUTED; kind++) {
        const double n = (double)rows[kind];
        s.rows += n;
        s.unsafe += kind & SR_KIND_GOLD ? n : 0;
        s.tp += (kind & SR_KIND_GOLD) && (kind & SR_KIND_SMALL) ? n : 0;
        s.fp += !(kind & SR_KIND_GOLD) && (kind & SR_KIND_SMALL) ? n : 0;
    }
    return s;
}

static double f1(double tp, double fp, double unsafe) {
    return 2 * tp / (tp + fp + unsafe);
}

/* The next run of equal scores from stand k on; returns the stand behind it. */
struct run {
    int64_t rows, tp, fp;
};

static size_t run_next(struct run *r, const struct sr_queue *q, size_t k, const uint32_t *count) {
    *r = (struct run){0};
    do {
        const struct sr_stand s = q->stand[k];
        const int64_t times = count ? (int64_t)count[s.row] : 1;
        r->rows += times;
        r->tp += tp_change[s.kind] * times;
        r->fp += fp_change[s.kind] * times;
    } while (!q->stand[k++].last);
    return k;
}

struct sr_mass sr_queue_measure(double *area, const struct sr_queue *q, double routed,
                                const uint32_t *count) {
    const struct start s = queue_start(q, count);
    double tp = s.tp, fp = s.fp, done = 0, sum = 0, quality = f1(tp, fp, s.unsafe);
    struct sr_mass at = {.tp = tp, .fp = fp};
    struct run r;
    for (size_t k = 0; k < q->n;) {
        k = run_next(&r, q, k, count);
        if (r.rows == 0)
            continue;
        const double rows = (double)r.rows, run_tp = (double)r.tp, run_fp = (double)r.fp;
        if (routed > done) {
            const double part = routed - done < rows ? (routed - done) / rows : 1;
            at.tp = tp + part * run_tp;
            at.fp = fp + part * run_fp;
        }
        const double middle = f1(tp + run_tp / 2, fp + run_fp / 2, s.unsafe);
        tp += run_tp;
        fp += run_fp;
        done += rows;
        const double end = f1(tp, fp, s.unsafe);
        sum += rows * (quality + 4 * middle + end) / 6;
        quality = end;
    }
    if (area)
        *area = s.unsafe > 0 ? sum / s.rows : (double)NAN;
    at.fn = s.unsafe - at.tp;
    at.tn = s.rows - s.unsafe - at.fp;
    return at;
}

void sr_queue_curve(double *out, size_t n, const struct sr_queue *q) {
    const struct start s = queue_start(q, NULL);
    double tp = s.tp, fp = s.fp, done = 0;
    struct run r = {0};
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        const double routed = s.rows * (double)i / (double)(n - 1);
        while (k < q->n && (r.rows == 0 || done + (double)r.rows < routed)) {
            done += (double)r.rows;
            tp += (double)r.tp;
            fp += (double)r.fp;
            k = run_next(&r, q, k, NULL);
        }
        const double part = r.rows > 0 ? fmin(1, (routed - done) / (double)r.rows) : 0;
        out[i] = f1(tp + part * (double)r.tp, fp + part * (double)r.fp, s.unsafe);
    }
}
