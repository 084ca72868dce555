/* slices.c: average precision within slices of the rows (sources, files), before and after.
 *
 * Rows are sorted by slice in one pass, and every slice is ranked by itself. A slice is small where the whole
 * is not, so its numbers come without intervals: read them beside their rows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "eval/eval.h"
#include "eval/text.h"
#include "eval/part.h"

/* ---- numbers ---- */

/* The columns of the caller; before is NULL where there is no before. */
struct columns {
    const uint8_t *label;
    const float *before, *after;
};

/* What counts of a slice: `before` and `after` as the ranking takes them. */
struct ranked {
    uint8_t *label;
    double *before, *after;
};

static void carve(struct sr_arena *arena, struct ranked *r, size_t n) {
    r->label = sr_arena_take(arena, n, sizeof *r->label);
    r->before = sr_arena_take(arena, n, sizeof *r->before);
    r->after = sr_arena_take(arena, n, sizeof *r->after);
}

static bool counts(const struct columns *c, size_t i) {
    return c->label[i] <= 1 && !isnan(c->after[i]) && !(c->before && isnan(c->before[i]));
}

/* Returns how many of row[0..n) count. */
static size_t gather(struct ranked *to, const struct columns *c, const uint32_t *row, size_t n) {
    size_t at = 0;
    for (size_t k = 0; k < n; k++) {
        const size_t i = row[k];
        if (!counts(c, i))
            continue;
        to->label[at] = c->label[i];
        to->before[at] = c->before ? (double)c->before[i] : 0;
        to->after[at++] = (double)c->after[i];
    }
    return at;
}

static int slice_measure(struct sr_slice *out, const struct ranked *r, size_t n, bool has_before,
                         struct sr_error *err) {
    out->rows = n;
    out->before = (double)NAN;
    for (size_t i = 0; i < n; i++)
        out->positives += r->label[i];
    int status = sr_ranking(&out->after, NULL, r->label, r->after, n, err);
    if (status == 0 && has_before)
        status = sr_ranking(&out->before, NULL, r->label, r->before, n, err);
    return status;
}

int sr_slices_measure(struct sr_slice *out, const char *const *names, size_t n_slices, const int32_t *slice,
                      const uint8_t *label, const float *before, const float *after, size_t n,
                      struct sr_error *err) {
    const struct columns c = {.label = label, .before = before, .after = after};
    struct ranked ranked;
    struct sr_arena arena = {0};
    struct sr_parts parts;
    int status = sr_parts_sort(&parts, n_slices, slice, n, err);
    carve(&arena, &ranked, n);
    if (status == 0 && (status = sr_arena_allocate(&arena, err)) == 0)
        carve(&arena, &ranked, n);
    for (size_t s = 0; status == 0 && s < n_slices; s++) {
        const size_t first = parts.start[s];
        out[s] = (struct sr_slice){.name = names[s]};
        const size_t counted = gather(&ranked, &c, parts.row + first, parts.start[s + 1] - first);
        status = slice_measure(&out[s], &ranked, counted, before != NULL, err);
    }
    sr_free(arena.base);
    sr_parts_free(&parts);
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
    int width = sr_text_wider(SR_TEXT_NARROW, heading);
    for (size_t s = 0; s < n_slices; s++)
        width = slice[s].rows > 0 ? sr_text_wider(width, slice[s].name) : width;
    return width;
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
        sr_put_text(to, slice[s].name, width);
        fprintf(to, " %10zu %10zu ", slice[s].rows, slice[s].positives);
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
