/* label_facts.c: labels, guards and sources of a dump, as facts; see dump_facts.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/dump_facts.h"

#define SOURCES_SHOWN 24
#define GUARDS        2

/* ---- rates ---- */

struct share {
    size_t ones, known;
};

static void count(struct share *s, bool one, bool known) {
    s->ones += known && one;
    s->known += known;
}

/* NaN for 0/0. */
static double rate(const struct share *s) {
    return s->known ? (double)s->ones / (double)s->known : (double)NAN;
}

/* What is counted of rows: all of them, or those of a source. */
struct rates {
    size_t rows;
    struct share positive, unsafe;
    struct share calls[GUARDS], right[GUARDS]; /* called unsafe; agree with gold */
};

static uint8_t at(const uint8_t *column, size_t row) {
    return column ? column[row] : SR_UNKNOWN;
}

static void add_row(struct rates *r, const struct sr_data *d, size_t row) {
    const uint8_t *const preds[GUARDS] = {d->small_pred, d->large_pred};
    const uint8_t label = at(d->label, row), gold = at(d->gold, row);
    r->rows++;
    count(&r->positive, label == 1, label != SR_UNKNOWN);
    count(&r->unsafe, gold == 1, gold != SR_UNKNOWN);
    for (int g = 0; g < GUARDS; g++) {
        const uint8_t pred = at(preds[g], row);
        count(&r->calls[g], pred == 1, pred != SR_UNKNOWN);
        count(&r->right[g], pred == gold, pred != SR_UNKNOWN && gold != SR_UNKNOWN);
    }
}

/* ---- all rows ---- */

static void add_share(struct sr_facts *f, const char *key, const uint8_t *column, const struct share *s,
                      size_t rows, const char *what) {
    char one[SR_COUNT_TEXT], all[SR_COUNT_TEXT], rest[SR_COUNT_TEXT + 32] = "", n[SR_COUNT_TEXT];
    if (!column) {
        sr_facts_add(f, key, sr_json_null(), "no such column");
        return;
    }
    if (s->known < rows)
        snprintf(rest, sizeof rest, "; of %s rows not known", sr_count_text(n, rows - s->known));
    struct sr_json *value = sr_json_object();
    sr_json_set(value, "ones", sr_json_integer((int64_t)s->ones));
    sr_json_set(value, "known", sr_json_integer((int64_t)s->known));
    if (s->known == 0)
        sr_facts_add(f, key, value, "undefined: known of no row");
    else
        sr_facts_add(f, key, value, "%s of %s, %.2f %%%s%s", sr_count_text(one, s->ones),
                     sr_count_text(all, s->known), 100 * rate(s), what, rest);
}

/* Share of the rows, of those where both are known, on which a guard agrees with gold. */
static void add_accuracy(struct sr_facts *f, const char *key, const struct share *right) {
    if (right->known > 0)
        sr_facts_add(f, key, sr_json_number(rate(right)), "%.4f against gold", rate(right));
}

static void add_rates(struct sr_facts *f, const struct sr_data *d) {
    struct rates all = {0};
    for (size_t i = 0; i < d->rows; i++)
        add_row(&all, d, i);
    /* What stored labels mean without gold and verdicts only those know who made them. */
    const bool follows = d->gold && d->small_pred && d->large_pred;
    add_share(f, "positive", d->label, &all.positive, d->rows,
              follows ? " (small guard wrong, large guard right)" : "");
    add_share(f, "gold", d->gold, &all.unsafe, d->rows, " unsafe");
    add_share(f, "small_guard", d->small_pred, &all.calls[0], d->rows, " called unsafe");
    add_accuracy(f, "small_accuracy", &all.right[0]);
    add_share(f, "large_guard", d->large_pred, &all.calls[1], d->rows, " called unsafe");
    add_accuracy(f, "large_accuracy", &all.right[1]);
}

/* ---- sources ---- */

static struct sr_json *source_value(const char *name, const struct rates *r) {
    struct sr_json *value = sr_json_object();
    sr_json_set(value, "name", sr_json_string(name));
    sr_json_set(value, "rows", sr_json_integer((int64_t)r->rows));
    sr_json_set(value, "labelled", sr_json_integer((int64_t)r->positive.known));
    sr_json_set(value, "positives", sr_json_integer((int64_t)r->positive.ones));
    sr_json_set(value, "unsafe", sr_json_number(rate(&r->unsafe)));
    sr_json_set(value, "small_accuracy", sr_json_number(rate(&r->right[0])));
    sr_json_set(value, "large_accuracy", sr_json_number(rate(&r->right[1])));
    return value;
}

static void add_source(struct sr_facts *f, const char *name, const struct rates *r) {
    char rows[SR_COUNT_TEXT], positive[40] = "", unsafe[40] = "", small[40] = "", large[40] = "";
    if (r->positive.known > 0)
        snprintf(positive, sizeof positive, ", %.2f %% positive", 100 * rate(&r->positive));
    if (r->unsafe.known > 0)
        snprintf(unsafe, sizeof unsafe, ", %.2f %% unsafe", 100 * rate(&r->unsafe));
    if (r->right[0].known > 0)
        snprintf(small, sizeof small, ", accuracy small %.4f", rate(&r->right[0]));
    if (r->right[1].known > 0)
        snprintf(large, sizeof large, ", %slarge %.4f", *small ? "" : "accuracy ", rate(&r->right[1]));
    sr_facts_add(f, name, source_value(name, r), "%s rows%s%s%s%s", sr_count_text(rows, r->rows), positive,
                 unsafe, small, large);
    sr_facts_screen_only(f);
}

struct source {
    int32_t number;
    struct rates rates;
};

static int by_rows(const void *a, const void *b) {
    const struct source *x = a, *y = b;
    if (x->rates.rows != y->rates.rows)
        return x->rates.rows < y->rates.rows ? 1 : -1;
    return (x->number > y->number) - (x->number < y->number);
}

/* All in JSON, by size; on the screen the largest. */
static void list_sources(struct sr_facts *f, const struct sr_data *d, const struct source *of) {
    struct sr_json *list = sr_json_array();
    for (size_t s = 0; s < d->sources; s++)
        sr_json_append(list, source_value(d->source_names[of[s].number], &of[s].rates));
    sr_facts_add(f, "list", list, "%s", "");
    sr_facts_hush(f);
    for (size_t s = 0; s < d->sources && s < SOURCES_SHOWN; s++)
        add_source(f, d->source_names[of[s].number], &of[s].rates);
    if (d->sources > SOURCES_SHOWN) {
        sr_facts_add(f, "", sr_json_null(), "and %zu smaller ones, which --json lists",
                     d->sources - SOURCES_SHOWN);
        sr_facts_screen_only(f);
    }
}

static void add_sources(struct sr_facts *f, const struct sr_data *d) {
    struct source *of = sr_alloc(d->sources, sizeof *of, NULL);
    if (!of) {
        f->status = SR_NOMEM;
        return;
    }
    for (size_t s = 0; s < d->sources; s++)
        of[s].number = (int32_t)s;
    for (size_t i = 0; i < d->rows; i++)
        add_row(&of[d->source[i]].rates, d, i);
    qsort(of, d->sources, sizeof *of, by_rows);
    sr_facts_section(f, "sources");
    list_sources(f, d, of);
    sr_free(of);
}

/* ---- labels ---- */

void sr_trouble_facts(struct sr_facts *f, const char *key, const struct sr_troubles *t) {
    char text[SR_TROUBLES * (sizeof t->text[0] + 1) + 64] = "";
    struct sr_json *value = sr_json_array();
    for (size_t i = 0; i < t->n && i < SR_TROUBLES; i++) {
        sr_json_append(value, sr_json_string(t->text[i]));
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? "\n" : "", t->text[i]);
    }
    if (t->n > SR_TROUBLES)
        snprintf(text + strlen(text), sizeof text - strlen(text), "\nand %zu more", t->n - SR_TROUBLES);
    sr_facts_add(f, key, value, "%s", text);
    if (t->n == 0)
        sr_facts_hush(f);
}

void sr_label_facts(struct sr_facts *f, const struct sr_data *d, const struct sr_troubles *troubles) {
    char text[256];
    sr_data_labels_text(text, d);
    sr_facts_section(f, "labels");
    if (troubles->disagree > 0)
        sr_facts_add(f, "labels", sr_json_null(), "cannot be used: they disagree with gold and the verdicts");
    else if (!d->label && troubles->n > 0)
        sr_facts_add(f, "labels", sr_json_null(), "cannot be used, or there are none");
    else
        sr_facts_add(f, "labels", d->label ? sr_json_string(text) : sr_json_null(), "%s", text);
    sr_trouble_facts(f, "trouble", troubles);
    add_rates(f, d);
    if (d->source)
        add_sources(f, d);
}
