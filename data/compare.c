/* compare.c: which rows of two dumps belong together, what their columns say. See compare.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/compare.h"

#include <math.h>
#include <string.h>

#include "data/ids.h"
#include "data/row_name.h"
#include "data/set.h"

/* ---- which rows ---- */

static int pair_rows(struct sr_pairs *out, const struct sr_data *const d[2], struct sr_error *err) {
    if (d[0]->rows != d[1]->rows)
        return sr_fail(err, SR_DATA, "%s has %zu rows, %s has %zu: they cannot be joined by number%s",
                       sr_data_path(d[0], 0), d[0]->rows, sr_data_path(d[1], 0), d[1]->rows,
                       d[0]->id && d[1]->id ? "; leave out --by-row to join them by /id" : "");
    for (size_t i = 0; i < d[0]->rows; i++) {
        out->row[0][i] = out->row[1][i] = (uint32_t)i;
        if (d[0]->id && d[1]->id && strcmp(d[0]->id[i], d[1]->id[i]) != 0 && out->strangers++ == 0)
            out->first_stranger = i;
    }
    out->n = d[0]->rows;
    return 0;
}

static int check_ids(const struct sr_data *const d[2], struct sr_error *err) {
    for (int side = 0; side < 2; side++)
        if (!d[side]->id)
            return sr_fail(err, SR_DATA,
                           "%s: no dataset /id, by which rows are joined; --id names another dataset, "
                           "--by-row joins them by number",
                           sr_data_path(d[side], 0));
    return 0;
}

static int fail_strangers(const struct sr_data *const d[2], struct sr_error *err) {
    char a[SR_ROW_NAME], b[SR_ROW_NAME];
    return sr_fail(err, SR_DATA, "%s and %s have no id in common; the first rows are %s and %s",
                   sr_data_path(d[0], 0), sr_data_path(d[1], 0), sr_row_name(a, d[0], 0),
                   sr_row_name(b, d[1], 0));
}

static int pair_ids(struct sr_pairs *out, const struct sr_data *const d[2], struct sr_error *err) {
    struct sr_ids_match m = {0};
    int status = check_ids(d, err);
    if (status == 0)
        status = sr_ids_match(&m, sr_ids_of_data(d[0]), sr_ids_of_data(d[1]), err);
    if (status == 0 && m.both == 0)
        status = fail_strangers(d, err);
    for (size_t i = 0; status == 0 && i < d[0]->rows; i++)
        if (m.row[i] != SR_IDS_NONE) {
            out->row[0][out->n] = (uint32_t)i;
            out->row[1][out->n++] = (uint32_t)m.row[i];
        }
    out->only[0] = m.only_a;
    out->only[1] = m.only_b;
    out->first_only[0] = m.first_only_a;
    out->first_only[1] = m.first_only_b;
    sr_ids_match_free(&m);
    return status;
}

int sr_pairs_make(struct sr_pairs *out, const struct sr_data *const d[2], bool by_row, struct sr_error *err) {
    *out = (struct sr_pairs){0};
    for (int side = 0; side < 2; side++)
        if (!(out->row[side] = sr_alloc(d[0]->rows, sizeof *out->row[side], err)))
            return SR_NOMEM;
    return by_row ? pair_rows(out, d, err) : pair_ids(out, d, err);
}

void sr_pairs_free(struct sr_pairs *p) {
    sr_free(p->row[0]);
    sr_free(p->row[1]);
    *p = (struct sr_pairs){0};
}

/* ---- columns ---- */

static uint8_t in_of(const void *a, const void *b) {
    return (uint8_t)((a ? SR_IN_A : 0) | (b ? SR_IN_B : 0));
}

static void add_prob(struct sr_change *c, size_t pair, float a, float b) {
    const double change = fabs((double)a - (double)b);
    if (isnan(a) || isnan(b)) {
        c->probs_one_sided += (isnan(a) != 0) != (isnan(b) != 0);
        return;
    }
    c->mean += change; /* the sum, until all are there */
    if (c->probs++ == 0 || change > c->largest) {
        c->largest = change;
        c->largest_pair = pair;
    }
}

/* True where it is another. */
static bool add_verdict(struct sr_change *c, uint8_t a, uint8_t b) {
    if (a == SR_UNKNOWN || b == SR_UNKNOWN) {
        c->one_sided += a != b;
    } else {
        c->verdicts++;
        c->to_one += b > a;
        c->to_zero += b < a;
    }
    return a != b;
}

struct sr_change sr_change_of(const struct sr_pairs *p, const float *const prob[2],
                              const uint8_t *const pred[2], uint8_t *flipped) {
    struct sr_change c = {.prob_in = in_of(prob[0], prob[1]), .verdict_in = in_of(pred[0], pred[1])};
    for (size_t i = 0; c.prob_in == SR_IN_BOTH && i < p->n; i++)
        /* cppcheck-suppress nullPointer ; SR_IN_BOTH: neither is */
        add_prob(&c, i, prob[0][p->row[0][i]], prob[1][p->row[1][i]]);
    for (size_t i = 0; c.verdict_in == SR_IN_BOTH && i < p->n; i++)
        if (add_verdict(&c, pred[0][p->row[0][i]], pred[1][p->row[1][i]]) && flipped)
            flipped[i] = 1;
    c.mean = c.probs ? c.mean / (double)c.probs : (double)NAN;
    return c;
}

/* ---- columns that are the same or not ---- */

static bool same_weight(const struct sr_data *const d[2], size_t a, size_t b) {
    return d[0]->weight[a] == d[1]->weight[b];
}

/* Rows without a group got one that follows from their number. */
static int64_t group_of(const struct sr_data *d, size_t row) {
    return d->group[row] == sr_set_lone_group(row) ? SR_GROUP_NONE : d->group[row];
}

static bool same_group(const struct sr_data *const d[2], size_t a, size_t b) {
    return group_of(d[0], a) == group_of(d[1], b);
}

static bool same_source(const struct sr_data *const d[2], size_t a, size_t b) {
    return strcmp(d[0]->source_names[d[0]->source[a]], d[1]->source_names[d[1]->source[b]]) == 0;
}

static struct sr_tag tag_of(const struct sr_comparison *c, uint8_t in,
                            bool (*same)(const struct sr_data *const d[2], size_t a, size_t b)) {
    const struct sr_pairs *p = &c->pairs;
    struct sr_tag tag = {.in = in};
    for (size_t i = 0; in == SR_IN_BOTH && i < p->n; i++)
        if (!same(c->d, p->row[0][i], p->row[1][i]) && tag.changed++ == 0)
            tag.first = i;
    return tag;
}

/* ---- together ---- */

int sr_comparison_begin(struct sr_comparison *c, const struct sr_data *const d[2], bool by_row,
                        struct sr_error *err) {
    static const float *const none[2] = {NULL, NULL};
    const struct sr_data *a = d[0], *b = d[1];
    *c = (struct sr_comparison){.d = {a, b}, .same_width = a->width == b->width};
    const int status = sr_pairs_make(&c->pairs, d, by_row, err);
    if (status < 0)
        return status;
    if (!(c->flipped = sr_alloc(c->pairs.n, 1, err)))
        return SR_NOMEM;
    c->label = sr_change_of(&c->pairs, none, (const uint8_t *const[]){a->label, b->label}, c->flipped);
    c->gold = sr_change_of(&c->pairs, none, (const uint8_t *const[]){a->gold, b->gold}, NULL);
    c->small = sr_change_of(&c->pairs, (const float *const[]){a->small_prob, b->small_prob},
                            (const uint8_t *const[]){a->small_pred, b->small_pred}, c->flipped);
    c->large = sr_change_of(&c->pairs, (const float *const[]){a->large_prob, b->large_prob},
                            (const uint8_t *const[]){a->large_pred, b->large_pred}, c->flipped);
    c->weight = tag_of(c, in_of(a->weight, b->weight), same_weight);
    c->group = tag_of(c, in_of(a->group, b->group), same_group);
    c->source = tag_of(c, in_of(a->source, b->source), same_source);
    return 0;
}

void sr_comparison_count(struct sr_comparison *c) {
    c->flips = 0;
    for (size_t i = 0; i < c->pairs.n; i++)
        c->flips += c->flipped[i];
}

void sr_comparison_free(struct sr_comparison *c) {
    sr_pairs_free(&c->pairs);
    sr_free(c->row);
    sr_free(c->flipped);
    *c = (struct sr_comparison){0};
}
