/* gather.c: rows of a dataset in any order. See gather.h.
 *
 * The rows of a block are looked up in rising order, and read in spans that cover neighbours, so that rows
 * which rise are read once from front to back, and rows in any other order once a block, which is larger
 * then.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/gather.h"

#include <stdlib.h>
#include <string.h>

#define SPAN_BYTES   ((size_t)16 << 20)
#define BLOCK_BYTES  ((size_t)32 << 20)
#define BLOCK_MOST   ((size_t)256 << 20) /* where rows do not rise: each block reads the file again */
#define TEXTS        ((size_t)8192)      /* rows a block of strings, which are larger than their handles */
#define TEXTS_MOST   ((size_t)65536)
#define GAP_BYTES    ((size_t)64 << 10) /* cheaper to read than to begin another span */
#define DIRECT_BYTES ((size_t)64 << 10) /* neighbours worth a span of their own, without a copy */

struct sr_gather_place {
    uint32_t row; /* of the file */
    uint32_t at;  /* in the block */
};

static int read_rows(const struct sr_gather *g, void *out, size_t first, size_t n, struct sr_error *err) {
    const struct sr_gather_source *s = &g->from;
    return s->matrix ? sr_h5_matrix_read(s->matrix, out, first, n, s->stored, err)
                     : sr_h5_items_read(s->items, out, first, n, err);
}

static int compare_places(const void *pa, const void *pb) {
    const struct sr_gather_place *a = pa, *b = pb;
    return a->row < b->row ? -1 : a->row > b->row;
}

/* The end of the span that begins at place[k]: rows that one reading covers. */
static size_t span_end(const struct sr_gather *g, size_t k, size_t n) {
    const uint32_t first = g->place[k].row;
    size_t end = k + 1;
    for (; end < n; end++) {
        const size_t gap = g->place[end].row - g->place[end - 1].row;
        if (g->place[end].row - first >= g->span_rows || (gap > 1 && gap > GAP_BYTES / g->from.bytes))
            break;
    }
    return end;
}

/* Rows of a span to their places; handles move, so that what is left in the span can be released. */
static void scatter(const struct sr_gather *g, size_t k, size_t end) {
    const size_t bytes = g->from.bytes;
    const bool owns = sr_h5_items_own(g->from.items);
    for (size_t i = k; i < end; i++) {
        unsigned char *row = g->span + (g->place[i].row - g->place[k].row) * bytes;
        memcpy(g->block + g->place[i].at * bytes, row, bytes);
        if (owns)
            memset(row, 0, bytes);
    }
}

static int read_span(const struct sr_gather *g, size_t k, size_t end, struct sr_error *err) {
    const size_t first = g->place[k].row, n = g->place[end - 1].row - first + 1;
    const bool together = g->rising && n == end - k && n * g->from.bytes >= DIRECT_BYTES;
    if (together)
        return read_rows(g, g->block + g->place[k].at * g->from.bytes, first, n, err);
    const int status = read_rows(g, g->span, first, n, err);
    if (status == 0) {
        scatter(g, k, end);
        sr_h5_items_release(g->from.items, g->span, n);
    }
    return status;
}

int sr_gather_read(struct sr_gather *g, size_t first, size_t n, struct sr_error *err) {
    int status = 0;
    if (!g->rows)
        return read_rows(g, g->block, first, n, err);
    for (size_t i = 0; i < n; i++)
        g->place[i] = (struct sr_gather_place){g->rows[first + i], (uint32_t)i};
    if (!g->rising)
        qsort(g->place, n, sizeof *g->place, compare_places);
    for (size_t k = 0, end; k < n && status == 0; k = end) {
        end = span_end(g, k, n);
        status = read_span(g, k, end, err);
    }
    return status;
}

void sr_gather_release(struct sr_gather *g, size_t n) {
    sr_h5_items_release(g->from.items, g->block, n);
}

static bool are_rising(const uint32_t *rows, size_t n) {
    for (size_t i = 1; rows && i < n; i++)
        if (rows[i] <= rows[i - 1])
            return false;
    return true;
}

static size_t at_least_one(size_t n) {
    return n > 0 ? n : 1;
}

int sr_gather_begin(struct sr_gather *g, const struct sr_gather_source *from, const uint32_t *rows, size_t n,
                    size_t multiple, struct sr_error *err) {
    const bool owns = sr_h5_items_own(from->items), rising = are_rising(rows, n);
    const size_t texts = rising ? TEXTS : TEXTS_MOST;
    *g = (struct sr_gather){.from = *from, .rows = rows, .rising = rising};
    g->block_rows = at_least_one((rising ? BLOCK_BYTES : BLOCK_MOST) / from->bytes);
    if (owns && g->block_rows > texts)
        g->block_rows = texts;
    g->block_rows = (g->block_rows + multiple - 1) / multiple * multiple;
    g->block_rows = g->block_rows < n ? g->block_rows : at_least_one(n);
    g->span_rows = at_least_one(SPAN_BYTES / from->bytes);
    if (owns && g->span_rows > TEXTS)
        g->span_rows = TEXTS;
    g->span_rows = g->span_rows < from->rows ? g->span_rows : at_least_one(from->rows);
    g->block = sr_alloc(g->block_rows, from->bytes, err);
    g->span = sr_alloc(rows ? g->span_rows : 0, from->bytes, err);
    g->place = sr_alloc(rows ? g->block_rows : 0, sizeof *g->place, err);
    return g->block && g->span && g->place ? 0 : SR_NOMEM;
}

void sr_gather_end(struct sr_gather *g) {
    sr_free(g->block);
    sr_free(g->span);
    sr_free(g->place);
    *g = (struct sr_gather){.rows = NULL};
}
