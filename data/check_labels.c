/* check_labels.c: kinds labels, classes, unknown and guards: what the columns say without a look at features.
 * See checks.def.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "data/check_parts.h"

#define UNKNOWN_REMARK  .01 /* of the rows */
#define UNKNOWN_SERIOUS .5
#define GUARD_ROWS      100 /* fewer judge no guard */
#define DEVIATIONS      3.0 /* below one half by more than these: no chance */

/* ---- labels ---- */

/* The label that gold and the verdicts give. */
static uint8_t derive(const struct sr_data *d, size_t row) {
    const uint8_t gold = d->gold[row], small = d->small_pred[row], large = d->large_pred[row];
    if (gold == SR_UNKNOWN || small == SR_UNKNOWN || large == SR_UNKNOWN)
        return SR_UNKNOWN;
    return small != gold && large == gold;
}

/* Labels that were read as stored, because as checked they were refused. */
static void add_contradicted(struct sr_check_private *c, const struct sr_check_file *f) {
    const struct sr_data *d = f->data;
    struct sr_finding *found = sr_check_add(c, "labels", true, f);
    size_t n = 0, compared = 0;
    for (size_t i = 0; i < d->rows; i++) {
        const uint8_t derived = derive(d, i);
        if (derived == SR_UNKNOWN || d->label[i] == SR_UNKNOWN)
            continue;
        compared++;
        if (derived == d->label[i])
            continue;
        n++;
        sr_check_row(found, f, i);
    }
    sr_check_say(found, "%zu of %zu stored labels are not what gold and the guards' verdicts give", n,
                 compared);
    sr_check_advise(found, "give the --small-threshold and --large-threshold they were made with, or label "
                           "anew: saferoute data label");
    sr_check_number(found, "rows", (double)n);
    sr_check_number(found, "compared", (double)compared);
}

static void add_wrong(struct sr_check_private *c, const struct sr_check_file *f, const char *text) {
    struct sr_finding *found = sr_check_add(c, "labels", true, f);
    sr_check_say(found, "a column was left out: %s", sr_check_without_path(f, text));
    sr_check_advise(found, "mend the column, or name another one; what follows from it was not looked at");
}

static void add_unlabelled(struct sr_check_private *c, const struct sr_check_file *f) {
    const bool gold = f->data->gold, small = f->data->small_pred, large = f->data->large_pred;
    struct sr_finding *found = sr_check_add(c, "labels", false, f);
    sr_check_say(found, "there are no labels, and not all they follow from: missing%s%s%s",
                 gold ? "" : " gold", small ? "" : " small_prob", large ? "" : " large_prob");
    sr_check_advise(found, "rows like these can be scored, not trained on or evaluated");
}

void sr_check_labels(struct sr_check_private *c) {
    for (size_t i = 0; i < c->files; i++) {
        const struct sr_check_file *f = &c->file[i];
        const struct sr_data *d = f->data;
        const struct sr_troubles *t = &f->troubles;
        for (size_t k = 0; k < t->n && k < SR_TROUBLES; k++)
            if (!t->is_disagreement[k])
                add_wrong(c, f, t->text[k]);
        if (t->disagree > 0)
            add_contradicted(c, f);
        else if (!d->label && t->n == 0)
            add_unlabelled(c, f);
    }
}

/* ---- classes ---- */

static void look_at_classes(struct sr_check_private *c, const struct sr_check_file *f, const char *name,
                            const uint8_t *column, bool serious) {
    size_t count[2] = {0, 0};
    for (size_t i = 0; column && i < f->data->rows; i++)
        if (column[i] != SR_UNKNOWN)
            count[column[i]]++;
    const size_t known = count[0] + count[1];
    if (known == 0 || (count[0] > 0 && count[1] > 0))
        return;
    struct sr_finding *found = sr_check_add(c, "classes", serious, f);
    sr_check_say(found, "%s is %d in all %zu rows where it is known", name, count[1] > 0, known);
    sr_check_advise(found, serious
                               ? "there is nothing to learn or to measure from one class: look at how "
                                 "labels were made, and at the thresholds of the guards"
                               : "recall of unsafe texts, and so all of safety, is undefined with one class");
    sr_check_number(found, "rows", (double)known);
}

/* Rows of weight 0 are as good as none. */
static void look_at_weights(struct sr_check_private *c, const struct sr_check_file *f) {
    const struct sr_data *d = f->data;
    size_t rows[2] = {0, 0}, heavy[2] = {0, 0};
    for (size_t i = 0; d->label && d->weight && i < d->rows; i++)
        if (d->label[i] != SR_UNKNOWN) {
            rows[d->label[i]]++;
            heavy[d->label[i]] += d->weight[i] > 0;
        }
    if (rows[0] == 0 || rows[1] == 0 || (heavy[0] > 0 && heavy[1] > 0))
        return;
    struct sr_finding *found = sr_check_add(c, "classes", true, f);
    sr_check_say(found, "/weight is 0 in all %s",
                 heavy[0] + heavy[1] == 0 ? "rows"
                 : heavy[0] == 0          ? "rows of label 0"
                                          : "rows of label 1");
    sr_check_advise(found, "rows without weight teach nothing: look at how weights were made");
}

void sr_check_classes(struct sr_check_private *c) {
    for (size_t i = 0; i < c->files; i++) {
        look_at_weights(c, &c->file[i]);
        look_at_classes(c, &c->file[i], "label", c->file[i].data->label, true);
        look_at_classes(c, &c->file[i], "gold", c->file[i].data->gold, false);
    }
}

/* ---- unknown ---- */

static void look_at_unknown(struct sr_check_private *c, const struct sr_check_file *f, const char *name,
                            const uint8_t *column) {
    const size_t rows = f->data->rows;
    size_t n = 0;
    if (!column)
        return;
    for (size_t i = 0; i < rows; i++)
        n += column[i] == SR_UNKNOWN;
    const double share = (double)n / (double)rows;
    if (share < UNKNOWN_REMARK)
        return;
    struct sr_finding *found = sr_check_add(c, "unknown", share >= UNKNOWN_SERIOUS, f);
    for (size_t i = 0; i < rows; i++)
        if (column[i] == SR_UNKNOWN)
            sr_check_row(found, f, i);
    sr_check_say(found, "%s is not known in %zu of %zu rows (%.1f %%)", name, n, rows, 100 * share);
    sr_check_advise(found,
                    "such rows are left out; if they are not like the others (long, foreign, refused by "
                    "the verdict parser), what is learnt and measured is about the others");
    sr_check_number(found, "rows", (double)n);
    sr_check_number(found, "share", share);
}

void sr_check_unknown(struct sr_check_private *c) {
    for (size_t i = 0; i < c->files; i++) {
        const struct sr_data *d = c->file[i].data;
        look_at_unknown(c, &c->file[i], "gold", d->gold);
        look_at_unknown(c, &c->file[i], "the small guard's verdict", d->small_pred);
        look_at_unknown(c, &c->file[i], "the large guard's verdict", d->large_pred);
        if (!d->label_derived) /* else it says the same again */
            look_at_unknown(c, &c->file[i], "label", d->label);
    }
}

/* ---- guards ---- */

/* Rows by gold: how many, and how many the guard is right in. */
struct judged {
    size_t rows[2], right[2];
};

static struct judged judge(const struct sr_data *d, const uint8_t *verdict) {
    struct judged j = {0};
    for (size_t i = 0; d->gold && verdict && i < d->rows; i++) {
        if (d->gold[i] == SR_UNKNOWN || verdict[i] == SR_UNKNOWN)
            continue;
        j.rows[d->gold[i]]++;
        j.right[d->gold[i]] += verdict[i] == d->gold[i];
    }
    return j;
}

/* Mean of the two rates of being right, which no share of unsafe rows makes better or worse than chance; its
 * deviation with two rows added to each class, one of them right, so that none is nothing (Agresti and Coull
 * 1998). */
static double balanced_accuracy(const struct judged *j, double *deviation) {
    double sum = 0, variance = 0;
    for (int gold = 0; gold < 2; gold++) {
        const double n = (double)j->rows[gold], right = (double)j->right[gold];
        const double p = (right + 1) / (n + 2);
        sum += right / n;
        variance += p * (1 - p) / (n + 2);
    }
    *deviation = sqrt(variance) / 2;
    return sum / 2;
}

static void look_at_guard(struct sr_check_private *c, const struct sr_check_file *f, const char *name,
                          const uint8_t *verdict) {
    const struct judged j = judge(f->data, verdict);
    const size_t rows = j.rows[0] + j.rows[1];
    double deviation;
    if (rows < GUARD_ROWS || j.rows[0] == 0 || j.rows[1] == 0)
        return;
    const double balanced = balanced_accuracy(&j, &deviation),
                 accuracy = ((double)j.right[0] + (double)j.right[1]) / (double)rows;
    if (balanced + DEVIATIONS * deviation >= .5)
        return;
    struct sr_finding *found = sr_check_add(c, "guards", true, f);
    sr_check_say(found,
                 "the %s guard is wrong more often than chance: right in %.1f %% of %zu rows, in %.1f %% of "
                 "the unsafe and %.1f %% of the safe ones",
                 name, 100 * accuracy, rows, 100 * (double)j.right[1] / (double)j.rows[1],
                 100 * (double)j.right[0] / (double)j.rows[0]);
    sr_check_advise(found,
                    "are its verdicts the right way round (1 is unsafe, %s_prob is P(unsafe)), and of these "
                    "rows?",
                    name);
    sr_check_number(found, "accuracy", accuracy);
    sr_check_number(found, "balanced_accuracy", balanced);
    sr_check_number(found, "rows", (double)rows);
}

void sr_check_guards(struct sr_check_private *c) {
    for (size_t i = 0; i < c->files; i++) {
        look_at_guard(c, &c->file[i], "small", c->file[i].data->small_pred);
        look_at_guard(c, &c->file[i], "large", c->file[i].data->large_pred);
    }
}
