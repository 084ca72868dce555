/* part.c: rows in parts: a counting sort of row numbers, and columns gathered; see part.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "eval/part.h"

/* start[] begins zeroed and one place ahead: while rows are placed, start[s + 1] is the next place of part s,
 * and afterwards its end. */
int sr_parts_sort(struct sr_parts *out, size_t n, const int32_t *number, size_t rows, struct sr_error *err) {
    *out = (struct sr_parts){.start = sr_alloc(n + 2, sizeof *out->start, err),
                             .row = sr_alloc(rows, sizeof *out->row, err)};
    if (!out->start || !out->row)
        return SR_NOMEM;
    for (size_t i = 0; i < rows; i++)
        if (number[i] >= 0)
            out->start[number[i] + 2]++;
    for (size_t s = 1; s < n; s++)
        out->start[s + 1] += out->start[s];
    for (size_t i = 0; i < rows; i++)
        if (number[i] >= 0)
            out->row[out->start[number[i] + 1]++] = (uint32_t)i;
    return 0;
}

void sr_parts_free(struct sr_parts *p) {
    sr_free(p->start);
    sr_free(p->row);
}

/* The rows row[0..n) of a column, from the arena; NULL while counting, and of a column that is not there. */
static const void *gather(struct sr_arena *arena, const void *column, size_t size, const uint32_t *row,
                          size_t n) {
    unsigned char *to = column ? sr_arena_take(arena, n, size) : NULL;
    for (size_t i = 0; to && i < n; i++)
        memcpy(to + i * size, (const unsigned char *)column + row[i] * size, size);
    return to;
}

static void carve(struct sr_part *p, const struct sr_rows *from, const float *old_prob, const uint32_t *row) {
    struct sr_arena *a = &p->arena;
    const size_t n = p->rows.n;
    p->rows.label = gather(a, from->label, sizeof *from->label, row, n);
    p->rows.prob = gather(a, from->prob, sizeof *from->prob, row, n);
    p->rows.gold = gather(a, from->gold, sizeof *from->gold, row, n);
    p->rows.small_pred = gather(a, from->small_pred, sizeof *from->small_pred, row, n);
    p->rows.large_pred = gather(a, from->large_pred, sizeof *from->large_pred, row, n);
    p->rows.small_prob = gather(a, from->small_prob, sizeof *from->small_prob, row, n);
    p->rows.large_prob = gather(a, from->large_prob, sizeof *from->large_prob, row, n);
    p->rows.group = gather(a, from->group, sizeof *from->group, row, n);
    p->old_prob = gather(a, old_prob, sizeof *old_prob, row, n);
}

int sr_part_take(struct sr_part *p, const struct sr_parts *parts, size_t s, const struct sr_rows *from,
                 const float *old_prob, struct sr_error *err) {
    const uint32_t *row = parts->row + parts->start[s];
    *p = (struct sr_part){.rows.n = parts->start[s + 1] - parts->start[s]};
    carve(p, from, old_prob, row);
    const int status = sr_arena_allocate(&p->arena, err);
    if (status == 0)
        carve(p, from, old_prob, row);
    return status;
}

void sr_part_free(struct sr_part *p) {
    sr_free(p->arena.base);
}
