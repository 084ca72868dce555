/* check_labels.c: kinds labels, classes, unknown and guards: what the columns say without a look at features.
 * See checks.def.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "data/check_parts.h"
#include "data/role.h"

#define UNKNOWN_REMARK  .01 /* of the rows */
#define UNKNOWN_SERIOUS .5
#define GUARD_ROWS      100 /* fewer judge no guard */

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

static bool has_role(const struct sr_check_file *f, enum sr_role role) {
    const struct sr_h5 *file = f->data->in->dump[0]->file;
    for (const char *const *name = sr_roles[role].names; *name; name++)
        if (sr_h5_has(file, *name))
            return true;
    return false;
}

/* Either there is nothing that labels could be made of, or what there is cannot be read. */
static void add_unlabelled(struct sr_check_private *c, const struct sr_check_file *f) {
    const bool gold = has_role(f, SR_ROLE_GOLD),
               small = has_role(f, SR_ROLE_SMALL_PROB) || has_role(f, SR_ROLE_SMALL_PRED),
               large = has_role(f, SR_ROLE_LARGE_PROB) || has_role(f, SR_ROLE_LARGE_PRED);
    const bool damaged = has_role(f, SR_ROLE_LABEL) || (gold && small && large);
    struct sr_finding *found = sr_check_add(c, "labels", damaged, f);
    if (damaged) {
        sr_check_say(found, "labels cannot be read: %s", f->refused);
        sr_check_advise(found,
                        "mend the column, or name another one; until then only features were looked at");
        return;
    }
    sr_check_say(found, "there are no labels, and not all they follow from: missing%s%s%s",
                 gold ? "" : " gold", small ? "" : " small_prob", large ? "" : " large_prob");
    sr_check_advise(found, "rows like these can be scored, not trained on or evaluated; only features were "
                           "looked at");
}

void sr_check_labels(struct sr_check_private *c) {
    for (size_t i = 0; i < c->files; i++) {
        const struct sr_check_file *f = &c->file[i];
        const struct sr_data *d = f->data;
        if (!*f->refused)
            continue;
        if (f->labelled && d->label && d->gold && d->small_pred && d->large_pred)
            add_contradicted(c, f);
        else
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

void sr_check_classes(struct sr_check_private *c) {
    for (size_t i = 0; i < c->files; i++) {
        look_at_classes(c, &c->file[i], "label", c->file[i].data->label, true);
        look_at_classes(c, &c->file[i], "gold", c->file[i].data->gold, false);
    }
}

/* ---- unknown ---- */

static void look_at_unknown(struct sr_check_private *c, const struct sr_check_file *f, const char *name,
                            const uint8_t *column) {
    const size_t rows = f->data->rows;
    size_t n = 0;
    for (size_t i = 0; column && i < rows; i++)
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

struct judged {
    size_t rows, right, unsafe;
};

static struct judged judge(const struct sr_data *d, const uint8_t *verdict) {
    struct judged j = {0};
    for (size_t i = 0; d->gold && verdict && i < d->rows; i++) {
        if (d->gold[i] == SR_UNKNOWN || verdict[i] == SR_UNKNOWN)
            continue;
        j.rows++;
        j.right += verdict[i] == d->gold[i];
        j.unsafe += d->gold[i];
    }
    return j;
}

/* By more than chance: one-sided at three deviations. */
static void look_at_guard(struct sr_check_private *c, const struct sr_check_file *f, const char *name,
                          const uint8_t *verdict) {
    const struct judged j = judge(f->data, verdict);
    const double n = (double)j.rows, accuracy = (double)j.right / n, unsafe = (double)j.unsafe / n;
    const double majority = unsafe > .5 ? unsafe : 1 - unsafe;
    if (j.rows < GUARD_ROWS || accuracy + 3 * sqrt(accuracy * (1 - accuracy) / n) >= majority)
        return;
    struct sr_finding *found = sr_check_add(c, "guards", false, f);
    sr_check_say(found,
                 "the %s guard is right in %.1f %% of %zu rows; always saying %s would be right in %.1f %%",
                 name, 100 * accuracy, j.rows, unsafe > .5 ? "unsafe" : "safe", 100 * majority);
    sr_check_advise(found,
                    "are its verdicts the right way round (1 is unsafe), at the right threshold, and of "
                    "these rows?");
    sr_check_number(found, "accuracy", accuracy);
    sr_check_number(found, "majority", majority);
    sr_check_number(found, "rows", n);
}

void sr_check_guards(struct sr_check_private *c) {
    for (size_t i = 0; i < c->files; i++) {
        look_at_guard(c, &c->file[i], "small", c->file[i].data->small_pred);
        look_at_guard(c, &c->file[i], "large", c->file[i].data->large_pred);
    }
}
