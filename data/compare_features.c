/* compare_features.c: features of two dumps, pair by pair. See compare.h.
 *
 * The second dump fills a window of memory with rows in order; of the first, runs of rows that have partners
 * there come by. So compressed chunks of the second are unpacked once, whatever the order of the first. A
 * pair's numbers depend on its two rows alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "data/compare.h"
#include "data/set.h"

#define RUN_ROWS  SR_BAND_ROWS /* rows of the first dump at a time */
#define READ_ROWS (4 * SR_BAND_ROWS)

struct comparing {
    const struct sr_pairs *p;
    const struct sr_data *a, *b;
    struct sr_row_difference *out;
    size_t first, rows;    /* the window: these rows of b ... */
    unsigned char *window; /* ... as they are in the file */
    unsigned char *raw;    /* [RUN_ROWS] rows of a, as they are in the file */
    float *x, *y;          /* [RUN_ROWS, width]: rows of a run, and their partners */
    size_t pair[RUN_ROWS]; /* the run's pairs */
    size_t done;           /* pairs */
    void (*progress)(void *user, double fraction);
    void *user;
};

/* ---- a pair ---- */

static struct sr_row_difference bad_row(uint8_t bad) {
    const float nan = NAN;
    return (struct sr_row_difference){
        .cosine = (double)NAN, .length = {nan, nan}, .relative = nan, .largest = nan, .bad = bad};
}

static double cosine_of(double dot, double aa, double bb) {
    if (aa == 0 || bb == 0)
        return aa == bb;
    return fmax(-1, fmin(1, dot / (sqrt(aa) * sqrt(bb))));
}

static struct sr_row_difference difference_of(const float *x, const float *y, size_t width) {
    const uint8_t bad =
        (uint8_t)((sr_vec()->all_finite(x, width) ? 0 : 1) | (sr_vec()->all_finite(y, width) ? 0 : 2));
    double aa = 0, bb = 0, ab = 0, apart = 0;
    float largest = 0;
    uint32_t column = 0;
    if (bad)
        return bad_row(bad);
    for (size_t k = 0; k < width; k++) {
        const double a = (double)x[k], b = (double)y[k];
        aa += a * a;
        bb += b * b;
        ab += a * b;
        apart += (a - b) * (a - b);
        const float off = (float)fabs(a - b);
        column = off > largest ? (uint32_t)k : column;
        largest = off > largest ? off : largest;
    }
    const double longer = sqrt(fmax(aa, bb));
    return (struct sr_row_difference){.cosine = cosine_of(ab, aa, bb),
                                      .length = {(float)sqrt(aa), (float)sqrt(bb)},
                                      .relative = longer > 0 ? (float)(sqrt(apart) / longer) : 0,
                                      .largest = largest,
                                      .column = column};
}

/* ---- a run ---- */

static bool is_in_window(const struct comparing *c, size_t pair) {
    const size_t row = c->p->row[1][pair];
    return row >= c->first && row - c->first < c->rows;
}

/* The next pairs from *at on whose partners are in the window and whose rows of a lie within RUN_ROWS. */
static size_t take_run(struct comparing *c, size_t *at) {
    size_t n = 0;
    for (; *at < c->p->n; ++*at) {
        if (!is_in_window(c, *at))
            continue;
        if (n > 0 && c->p->row[0][*at] - c->p->row[0][c->pair[0]] >= RUN_ROWS)
            break;
        c->pair[n++] = *at;
    }
    return n;
}

static int compare_run(struct comparing *c, size_t n, struct sr_error *err) {
    const struct sr_data_private *of_a = c->a->in, *of_b = c->b->in;
    const size_t width = c->a->width, first = c->p->row[0][c->pair[0]],
                 rows = c->p->row[0][c->pair[n - 1]] - first + 1;
    const int status = sr_set_read(c->a, c->raw, first, rows, err);
    if (status < 0)
        return status;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        const size_t pair = c->pair[i], row_a = c->p->row[0][pair] - first,
                     row_b = c->p->row[1][pair] - c->first;
        float *x = c->x + i * width, *y = c->y + i * width;
        sr_feature_to_float(x, c->raw + row_a * of_a->row_bytes, width, of_a->type);
        sr_feature_to_float(y, c->window + row_b * of_b->row_bytes, width, of_b->type);
        c->out[pair] = difference_of(x, y, width);
    }
    c->done += n;
    if (c->progress)
        c->progress(c->user, (double)c->done / (double)c->p->n);
    return 0;
}

/* ---- a window ---- */

/* Narrows the window to the rows that have partners; false where none has. */
static bool narrow(struct comparing *c) {
    size_t low = SIZE_MAX, high = 0;
    for (size_t i = 0; i < c->p->n; i++)
        if (is_in_window(c, i)) {
            const size_t row = c->p->row[1][i];
            low = row < low ? row : low;
            high = row > high ? row : high;
        }
    if (low > high)
        return false;
    c->first = low;
    c->rows = high - low + 1;
    return true;
}

static int read_window(struct comparing *c, struct sr_error *err) {
    const size_t row_bytes = c->b->in->row_bytes;
    int status = 0;
    for (size_t at = 0; status == 0 && at < c->rows; at += READ_ROWS) {
        const size_t n = c->rows - at < READ_ROWS ? c->rows - at : READ_ROWS;
        status = sr_set_read(c->b, c->window + at * row_bytes, c->first + at, n, err);
    }
    return status;
}

static int compare_window(struct comparing *c, struct sr_error *err) {
    int status = narrow(c) ? read_window(c, err) : 0;
    size_t at = 0, n;
    while (status == 0 && c->rows > 0 && (n = take_run(c, &at)) > 0)
        status = compare_run(c, n, err);
    return status;
}

int sr_compare_features(struct sr_row_difference *out, const struct sr_pairs *p,
                        const struct sr_data *const d[2], size_t memory,
                        void (*progress)(void *user, double fraction), void *user, struct sr_error *err) {
    const size_t width = d[0]->width, row_bytes = d[1]->in->row_bytes, rows = d[1]->rows;
    size_t room = memory / row_bytes;
    struct comparing *c = sr_alloc(1, sizeof *c, err);
    if (!c)
        return SR_NOMEM;
    *c = (struct comparing){.p = p, .a = d[0], .b = d[1], .out = out, .progress = progress, .user = user};
    room = room < RUN_ROWS ? RUN_ROWS : room;
    room = room < rows ? room : rows;
    c->window = sr_alloc(room, row_bytes, err);
    c->raw = sr_alloc(RUN_ROWS, d[0]->in->row_bytes, err);
    c->x = sr_alloc(RUN_ROWS * sizeof(float), width, err);
    c->y = sr_alloc(RUN_ROWS * sizeof(float), width, err);
    int status = c->window && c->raw && c->x && c->y ? 0 : SR_NOMEM;
    for (size_t first = 0; status == 0 && first < rows; first += room) {
        c->first = first;
        c->rows = rows - first < room ? rows - first : room;
        status = compare_window(c, err);
    }
    sr_free(c->window);
    sr_free(c->raw);
    sr_free(c->x);
    sr_free(c->y);
    sr_free(c);
    return status;
}
