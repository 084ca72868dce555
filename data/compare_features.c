/* compare_features.c: features of two dumps, pair by pair. See compare.h.
 *
 * The second dump fills a window of memory with rows in order; of the first, runs of rows that have partners
 * there come by. So compressed chunks of the second are unpacked once, whatever the order of the first. A
 * pair's numbers depend on its two rows alone. Pairs are put into the order of the windows once, so that many
 * windows cost no more than few.
 *
 * Runs are long: threads that meet at the end of each wait for the slowest, and between them one thread
 * reads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "data/compare.h"
#include "data/quantile.h"
#include "data/set.h"

#define WINDOW_MIN SR_BAND_ROWS       /* rows of the second dump, however little memory there is */
#define RUN_BYTES  ((size_t)32 << 20) /* of the first dump at a time, if these are WINDOW_MIN rows */
#define GAP        SR_BAND_ROWS       /* so many rows without partners are not read along */
#define BLOCK      512                /* features converted at a time: they stay in the first-level cache */
#define SAMPLE     ((size_t)64)       /* pairs whose rows are held against others */

struct comparing {
    const struct sr_pairs *p;
    const struct sr_data *a, *b;
    struct sr_row_difference *out;
    size_t room;           /* rows of a window */
    size_t run;            /* rows of a run, at most */
    uint32_t *order;       /* [p->n]: pairs, window by window, in each as they were */
    size_t *begin;         /* [windows + 1]: where each begins in order */
    size_t first;          /* first row of b in memory */
    unsigned char *window; /* [room] rows of b, as they are in the file */
    unsigned char *raw;    /* [run] rows of a, as they are in the file */
    float *sample[2];      /* [samples, width] rows of a and of their partners */
    size_t samples;
    size_t done; /* pairs */
    void (*progress)(void *user, double fraction);
    void *user;
};

/* ---- a pair ---- */

/* One over the features so far. */
struct sums {
    double aa, bb, ab, apart;
    float largest;
    uint32_t column;
    uint8_t bad;
    bool same;
};

static void add_block(struct sums *s, const float *x, const float *y, size_t n, size_t first) {
    s->bad |= (uint8_t)((sr_vec()->all_finite(x, n) ? 0 : 1) | (sr_vec()->all_finite(y, n) ? 0 : 2));
    s->same = s->same && memcmp(x, y, n * sizeof *x) == 0;
    for (size_t k = 0; k < n; k++) {
        const double a = (double)x[k], b = (double)y[k];
        s->aa += a * a;
        s->bb += b * b;
        s->ab += a * b;
        s->apart += (a - b) * (a - b);
        const float off = (float)fabs(a - b);
        s->column = off > s->largest ? (uint32_t)(first + k) : s->column;
        s->largest = off > s->largest ? off : s->largest;
    }
}

/* Equal rows have 1, which rounding may miss. */
static double cosine_of(const struct sums *s) {
    if (s->largest == 0)
        return 1;
    if (s->aa == 0 || s->bb == 0)
        return 0;
    return fmax(-1, fmin(1, s->ab / (sqrt(s->aa) * sqrt(s->bb))));
}

static struct sr_row_difference difference_of(const struct sums *s) {
    const float nan = NAN;
    if (s->bad)
        return (struct sr_row_difference){.cosine = (double)NAN,
                                          .length = {nan, nan},
                                          .relative = nan,
                                          .largest = nan,
                                          .bad = s->bad,
                                          .same = s->same};
    const double longer = sqrt(fmax(s->aa, s->bb));
    return (struct sr_row_difference){.cosine = cosine_of(s),
                                      .length = {(float)sqrt(s->aa), (float)sqrt(s->bb)},
                                      .relative = longer > 0 ? (float)(sqrt(s->apart) / longer) : 0,
                                      .largest = s->largest,
                                      .column = s->column,
                                      .same = s->same};
}

static struct sr_row_difference compare_rows(const struct comparing *c, const unsigned char *a,
                                             const unsigned char *b) {
    const enum sr_feature of_a = c->a->in->type, of_b = c->b->in->type;
    struct sums s = {.same = true};
    for (size_t k = 0; k < c->a->width; k += BLOCK) {
        float x[BLOCK], y[BLOCK];
        const size_t n = c->a->width - k < BLOCK ? c->a->width - k : BLOCK;
        sr_feature_to_float(x, a + k * sr_feature_size(of_a), n, of_a);
        sr_feature_to_float(y, b + k * sr_feature_size(of_b), n, of_b);
        add_block(&s, x, y, n, k);
    }
    return difference_of(&s);
}

/* ---- a run ---- */

/* How many of the pairs order[0..n) make a run, whose rows of a are read at once. */
static size_t run_of(const struct comparing *c, const uint32_t *order, size_t n) {
    const uint32_t *row = c->p->row[0];
    size_t i = 1;
    while (i < n && row[order[i]] - row[order[0]] < c->run && row[order[i]] - row[order[i - 1]] < GAP)
        i++;
    return i;
}

/* Pair s * pairs / samples is in the sample, at s. */
static void keep_sample(struct comparing *c, size_t pair, const unsigned char *a, const unsigned char *b) {
    const size_t n = c->p->n, s = (pair * c->samples + n - 1) / n;
    if (s >= c->samples || s * n / c->samples != pair)
        return;
    sr_feature_to_float(c->sample[0] + s * c->a->width, a, c->a->width, c->a->in->type);
    sr_feature_to_float(c->sample[1] + s * c->a->width, b, c->a->width, c->b->in->type);
}

static int compare_run(struct comparing *c, const uint32_t *order, size_t n, struct sr_error *err) {
    const uint32_t *row_a = c->p->row[0], *row_b = c->p->row[1];
    const size_t first = row_a[order[0]], bytes_a = c->a->in->row_bytes, bytes_b = c->b->in->row_bytes;
    const int status = sr_set_read(c->a, c->raw, first, row_a[order[n - 1]] - first + 1, err);
    if (status < 0)
        return status;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        const size_t pair = order[i];
        const unsigned char *a = c->raw + (row_a[pair] - first) * bytes_a,
                            *b = c->window + (row_b[pair] - c->first) * bytes_b;
        c->out[pair] = compare_rows(c, a, b);
        keep_sample(c, pair, a, b);
    }
    c->done += n;
    if (c->progress)
        c->progress(c->user, (double)c->done / (double)c->p->n);
    return 0;
}

/* ---- a window ---- */

/* Reads the rows of b from the first that has a partner among order[0..n) to the last. */
static int read_window(struct comparing *c, const uint32_t *order, size_t n, struct sr_error *err) {
    size_t low = SIZE_MAX, high = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t row = c->p->row[1][order[i]];
        low = row < low ? row : low;
        high = row > high ? row : high;
    }
    c->first = low;
    return sr_set_read(c->b, c->window, low, high - low + 1, err);
}

static int compare_window(struct comparing *c, size_t window, struct sr_error *err) {
    const uint32_t *order = c->order + c->begin[window];
    size_t left = c->begin[window + 1] - c->begin[window];
    int status = left > 0 ? read_window(c, order, left, err) : 0;
    while (status == 0 && left > 0) {
        const size_t n = run_of(c, order, left);
        status = compare_run(c, order, n, err);
        order += n;
        left -= n;
    }
    return status;
}

/* Fills order and begin: a counting sort by the window of the pair's row of b. */
static void order_pairs(struct comparing *c, size_t windows) {
    const uint32_t *row = c->p->row[1];
    for (size_t i = 0; i < c->p->n; i++)
        c->begin[row[i] / c->room + 1]++;
    for (size_t w = 0; w < windows; w++)
        c->begin[w + 1] += c->begin[w];
    for (size_t i = 0; i < c->p->n; i++)
        c->order[c->begin[row[i] / c->room]++] = (uint32_t)i;
    memmove(c->begin + 1, c->begin, windows * sizeof *c->begin); /* each is now where the next begins */
    c->begin[0] = 0;
}

/* ---- rows that do not belong together ---- */

/* Of each row of the sample with the partners of the next and of the one half the sample away. */
static double cosine_of_unrelated(const struct comparing *c) {
    const size_t width = c->a->width, m = c->samples;
    double cosine[2 * SAMPLE];
    size_t n = 0;
    for (size_t i = 0; i < 2 * m; i++) {
        const size_t a = i / 2, b = (a + (i % 2 ? (m + 1) / 2 : 1)) % m;
        struct sums s = {.same = true};
        add_block(&s, c->sample[0] + a * width, c->sample[1] + b * width, width, 0);
        if (a != b && !s.bad)
            cosine[n++] = cosine_of(&s);
    }
    sr_quantile_sort(cosine, n);
    return sr_quantile(cosine, n, .5);
}

/* ---- all of it ---- */

static int allocate(struct comparing *c, size_t windows, struct sr_error *err) {
    const size_t width = c->a->width;
    c->order = sr_alloc(c->p->n, sizeof *c->order, err);
    c->begin = sr_alloc(windows + 1, sizeof *c->begin, err);
    c->window = sr_alloc(c->room, c->b->in->row_bytes, err);
    c->raw = sr_alloc(c->run, c->a->in->row_bytes, err);
    for (int side = 0; side < 2; side++)
        c->sample[side] = sr_alloc(c->samples * sizeof(float), width, err);
    return c->order && c->begin && c->window && c->raw && c->sample[0] && c->sample[1] ? 0 : SR_NOMEM;
}

int sr_compare_features(struct sr_row_difference *out, double *unrelated, const struct sr_pairs *p,
                        const struct sr_data *const d[2], size_t memory,
                        void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    const size_t rows = d[1]->rows;
    size_t room = memory / d[1]->in->row_bytes;
    room = room < WINDOW_MIN ? WINDOW_MIN : room;
    room = room < rows ? room : rows;
    size_t run = RUN_BYTES / d[0]->in->row_bytes;
    run = run < WINDOW_MIN ? WINDOW_MIN : run;
    struct comparing c = {.p = p,
                          .a = d[0],
                          .b = d[1],
                          .out = out,
                          .room = room,
                          .run = run < d[0]->rows ? run : d[0]->rows,
                          .samples = p->n < SAMPLE ? p->n : SAMPLE,
                          .progress = progress,
                          .user = user};
    const size_t windows = (rows + room - 1) / room;
    int status = allocate(&c, windows, err);
    if (status == 0)
        order_pairs(&c, windows);
    for (size_t w = 0; status == 0 && w < windows; w++)
        status = compare_window(&c, w, err);
    if (status == 0)
        *unrelated = cosine_of_unrelated(&c);
    sr_free(c.order);
    sr_free(c.begin);
    sr_free(c.window);
    sr_free(c.raw);
    sr_free(c.sample[0]);
    sr_free(c.sample[1]);
    return status;
}
