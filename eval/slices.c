/* slices.c: average precision within slices of the rows (sources, files), before and after.
 *
 * Rows are laid out slice by slice in one pass (counting sort), and every slice is ranked by itself. A slice
 * is small where the whole is not, so its numbers come without intervals: read them beside their rows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "eval/eval.h"

#define NAME_MIN 14 /* columns of the table's first column */
#define NAME_MAX 40

/* ---- numbers ---- */

/* The rows that count, those of slice s at start[s] .. start[s + 1]. */
struct sorted {
    size_t *start;
    uint8_t *label;
    double *before, *after;
    void *block;
};

static void carve(struct sr_arena *arena, struct sorted *s, size_t n_slices, size_t n) {
    s->start = sr_arena_take(arena, n_slices + 2, sizeof *s->start);
    s->label = sr_arena_take(arena, n, sizeof *s->label);
    s->before = sr_arena_take(arena, n, sizeof *s->before);
    s->after = sr_arena_take(arena, n, sizeof *s->after);
}

static int sorted_allocate(struct sorted *s, size_t n_slices, size_t n, struct sr_error *err) {
    struct sr_arena arena = {0};
    carve(&arena, s, n_slices, n);
    const int status = sr_arena_allocate(&arena, err);
    if (status == 0) {
        s->block = arena.base;
        carve(&arena, s, n_slices, n);
    }
    return status;
}

/* The columns of the caller; before[i] is 0 where there is no before, so that it ranks nothing. */
struct columns {
    const int32_t *slice;
    const uint8_t *label;
    const float *before, *after;
    size_t n;
};

static bool counts(const struct columns *c, size_t i) {
    return c->slice[i] >= 0 && c->label[i] <= 1 && !isnan(c->after[i]) && !(c->before && isnan(c->before[i]));
}

/* start[] begins zeroed and one place ahead: while rows are placed, start[s + 1] is the next place of slice
 * s, and afterwards its end. */
static void sort(struct sorted *to, const struct columns *c, size_t n_slices) {
    for (size_t i = 0; i < c->n; i++)
        if (counts(c, i))
            to->start[c->slice[i] + 2]++;
    for (size_t s = 1; s < n_slices; s++)
        to->start[s + 1] += to->start[s];
    for (size_t i = 0; i < c->n; i++) {
        if (!counts(c, i))
            continue;
        const size_t at = to->start[c->slice[i] + 1]++;
        to->label[at] = c->label[i];
        to->before[at] = c->before ? (double)c->before[i] : 0;
        to->after[at] = (double)c->after[i];
    }
}

static int slice_measure(struct sr_slice *out, const struct sorted *from, size_t s, bool has_before,
                         struct sr_error *err) {
    const size_t first = from->start[s], n = from->start[s + 1] - first;
    out->rows = n;
    out->before = (double)NAN;
    for (size_t i = first; i < first + n; i++)
        out->positives += from->label[i];
    int status = sr_ranking(&out->after, NULL, from->label + first, from->after + first, n, err);
    if (status == 0 && has_before)
        status = sr_ranking(&out->before, NULL, from->label + first, from->before + first, n, err);
    return status;
}

int sr_slices_measure(struct sr_slice *out, const char *const *names, size_t n_slices, const int32_t *slice,
                      const uint8_t *label, const float *before, const float *after, size_t n,
                      struct sr_error *err) {
    const struct columns c = {.slice = slice, .label = label, .before = before, .after = after, .n = n};
    struct sorted sorted = {0};
    int status = sorted_allocate(&sorted, n_slices, n, err);
    if (status == 0)
        sort(&sorted, &c, n_slices);
    for (size_t s = 0; status == 0 && s < n_slices; s++) {
        out[s] = (struct sr_slice){.name = names[s]};
        status = slice_measure(&out[s], &sorted, s, before != NULL, err);
    }
    sr_free(sorted.block);
    return status;
}

/* ---- on paper ---- */

static bool has_before(const struct sr_slice *slice, size_t n_slices) {
    for (size_t s = 0; s < n_slices; s++)
        if (!isnan(slice[s].before))
            return true;
    return false;
}

static int name_width(const char *heading, const struct sr_slice *slice, size_t n_slices) {
    size_t width = strlen(heading) > NAME_MIN ? strlen(heading) : NAME_MIN;
    for (size_t s = 0; s < n_slices; s++)
        if (slice[s].rows > 0 && strlen(slice[s].name) > width)
            width = strlen(slice[s].name);
    return (int)(width < NAME_MAX ? width : NAME_MAX);
}

/* Ten columns. */
static void value_print(FILE *to, const char *format, double value) {
    if (isnan(value))
        fprintf(to, "  undefined");
    else
        fprintf(to, format, value);
}

void sr_slices_print(FILE *to, const char *heading, const struct sr_slice *slice, size_t n_slices) {
    const int width = name_width(heading, slice, n_slices);
    const bool both = has_before(slice, n_slices);
    fprintf(to, "\n%-*s %10s %10s", width, heading, "rows", "positives");
    fprintf(to, both ? "     AUPRC before      after       gain\n" : "      AUPRC\n");
    for (size_t s = 0; s < n_slices; s++) {
        if (slice[s].rows == 0)
            continue;
        fprintf(to, "%-*s %10zu %10zu ", width, slice[s].name, slice[s].rows, slice[s].positives);
        if (both) {
            fputs("      ", to);
            value_print(to, "%10.4f", slice[s].before);
            fputc(' ', to);
        }
        value_print(to, "%10.4f", slice[s].after);
        if (both) {
            fputc(' ', to);
            value_print(to, "%+10.4f", slice[s].after - slice[s].before);
        }
        fputc('\n', to);
    }
}

struct sr_json *sr_slices_json(const struct sr_slice *slice, size_t n_slices) {
    struct sr_json *list = sr_json_array();
    for (size_t s = 0; s < n_slices; s++) {
        if (slice[s].rows == 0)
            continue;
        struct sr_json *o = sr_json_object();
        sr_json_set(o, "name", sr_json_string(slice[s].name));
        sr_json_set(o, "rows", sr_json_integer((int64_t)slice[s].rows));
        sr_json_set(o, "positives", sr_json_integer((int64_t)slice[s].positives));
        sr_json_set(o, "before", sr_json_number(slice[s].before));
        sr_json_set(o, "after", sr_json_number(slice[s].after));
        sr_json_append(list, o);
    }
    return list;
}
