/* check_rates.c: kinds rates, positives and imbalance: how many rows of a class there are, and what is done
 * about it. See checks.def.
 *
 * Two files' rates are compared by the two-proportion z test and by Cohen's h = 2 asin sqrt p - 2 asin sqrt
 * q, whose size does not grow with the rows (Cohen 1988: .2 small, .5 medium). Both must speak: among a
 * million rows a difference without meaning is no chance, among a hundred a large one may be.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/check_parts.h"

#define Z_STRICT       4.0 /* two-sided chance of 6e-5: some ten tests a run find one in a thousand clean dumps */
#define EFFECT_REMARK  .1
#define EFFECT_SERIOUS .5

#define HALF_WIDTH_WANTED 0.1  /* of the 95 % interval of a recall of one half, where it is widest */
#define HALF_WIDTH_LOST   0.25 /* says next to nothing */
#define NORMAL_95         1.96
#define WEIGHTS_FOLLOW    1.5 /* mean weight of one class over the other's */

/* ---- rates ---- */

struct rate {
    size_t ones, known;
};

static struct rate rate_of(const uint8_t *column, size_t rows) {
    struct rate r = {0, 0};
    for (size_t i = 0; column && i < rows; i++) {
        r.known += column[i] != SR_UNKNOWN;
        r.ones += column[i] == 1;
    }
    return r;
}

static double share(struct rate r) {
    return (double)r.ones / (double)r.known;
}

static double effect(struct rate a, struct rate b) {
    return fabs(2 * asin(sqrt(share(a))) - 2 * asin(sqrt(share(b))));
}

static double z_of(struct rate a, struct rate b) {
    const double n = (double)a.known, m = (double)b.known;
    const double pooled = ((double)a.ones + (double)b.ones) / (n + m);
    return fabs(share(a) - share(b)) / sqrt(pooled * (1 - pooled) * (1 / n + 1 / m));
}

static const uint8_t *column_of(const struct sr_check_file *f, bool gold) {
    return gold ? f->data->gold : f->data->label;
}

/* Each file against the first that has the column: that is what the router is trained on. */
static void compare_rates(struct sr_check_private *c, const struct sr_check_file *a,
                          const struct sr_check_file *b, bool gold) {
    const struct rate p = rate_of(column_of(a, gold), a->data->rows),
                      q = rate_of(column_of(b, gold), b->data->rows);
    if (p.known == 0 || q.known == 0 || !(z_of(p, q) > Z_STRICT) || effect(p, q) < EFFECT_REMARK)
        return;
    struct sr_finding *f = sr_check_add(c, "rates", effect(p, q) >= EFFECT_SERIOUS, b);
    sr_check_say(f,
                 "%s is 1 in %.1f %% of %zu rows, but in %.1f %% of %zu rows of %s (z %.1f, Cohen's h %.2f)",
                 gold ? "gold" : "label", 100 * share(q), q.known, 100 * share(p), p.known, a->path,
                 z_of(p, q), effect(p, q));
    sr_check_advise(f, "fine where sources were held out on purpose; else split anew (saferoute data split): "
                       "precision and a threshold chosen at one rate do not hold at another");
    sr_check_number(f, "rate", share(q));
    sr_check_number(f, "other_rate", share(p));
    sr_check_number(f, "z", z_of(p, q));
    sr_check_number(f, "effect", effect(p, q));
}

void sr_check_rates(struct sr_check_private *c) {
    for (int gold = 0; gold < 2; gold++) {
        const struct sr_check_file *first = NULL;
        for (size_t i = 0; i < c->files; i++) {
            if (!column_of(&c->file[i], gold))
                continue;
            if (first)
                compare_rates(c, first, &c->file[i], gold);
            else
                first = &c->file[i];
        }
    }
}

/* ---- positives ---- */

void sr_check_positives(struct sr_check_private *c) {
    const double needed = ceil(pow(NORMAL_95 * .5 / HALF_WIDTH_WANTED, 2));
    for (size_t i = 0; i < c->files; i++) {
        const struct sr_check_file *f = &c->file[i];
        const struct rate r = rate_of(f->data->label, f->data->rows);
        const double n = (double)r.ones, half = NORMAL_95 * .5 / sqrt(n);
        if (r.known == 0 || r.ones == 0 || n >= needed) /* none: kind classes */
            continue;
        struct sr_finding *found = sr_check_add(c, "positives", half > HALF_WIDTH_LOST, f);
        sr_check_say(
            found,
            "only %zu of %zu rows are positive: the 95 %% interval of a router's recall is about +-%.2f "
            "wide here",
            r.ones, r.known, half < .5 ? half : .5);
        sr_check_advise(
            found,
            "+-%.2f takes %.0f positives, about %.0f rows at this rate, +-.05 four times as many; "
            "add rows, or read differences smaller than the interval as none",
            HALF_WIDTH_WANTED, needed, needed / share(r));
        sr_check_number(found, "positives", n);
        sr_check_number(found, "half_width", half < .5 ? half : .5);
        sr_check_number(found, "positives_needed", needed);
        sr_check_number(found, "rows_needed", ceil(needed / share(r)));
    }
}

/* ---- imbalance ---- */

/* Mean weight of positive rows over that of negative ones; 1 where that cannot be said. */
static double weights_ratio(const struct sr_data *d) {
    double sum[2] = {0, 0}, rows[2] = {0, 0};
    for (size_t i = 0; d->weight && d->label && i < d->rows; i++)
        if (d->label[i] != SR_UNKNOWN) {
            sum[d->label[i]] += (double)d->weight[i];
            rows[d->label[i]]++;
        }
    return rows[0] > 0 && rows[1] > 0 && sum[0] > 0 ? sum[1] / rows[1] / (sum[0] / rows[0]) : 1;
}

static void append(char *text, size_t size, const char *format, double value) {
    const size_t used = strlen(text);
    if (used + 2 < size) {
        snprintf(text + used, size - used, used ? ", " : "");
        snprintf(text + strlen(text), size - strlen(text), format, value);
    }
}

/* The weights of the first file, which is the one to train on. */
void sr_check_imbalance(struct sr_check_private *c) {
    const struct sr_check_imbalance *s = c->how->imbalance;
    if (!s)
        return;
    const double ratio = weights_ratio(c->file[0].data);
    const int times = s->balanced + (s->alpha > .5) + (s->pos_weight > 1) + (ratio >= WEIGHTS_FOLLOW);
    char list[160] = "";
    if (times < 2)
        return;
    if (s->balanced)
        append(list, sizeof list, "balanced draws", 0);
    if (s->alpha > .5)
        append(list, sizeof list, "alpha %.3g", s->alpha);
    if (s->pos_weight > 1)
        append(list, sizeof list, "pos_weight %.3g", s->pos_weight);
    if (ratio >= WEIGHTS_FOLLOW)
        append(list, sizeof list, "/weight %.3g times as large for them", ratio);
    struct sr_finding *f = sr_check_add(c, "imbalance", times > 2, NULL);
    sr_check_say(f, "positive rows are favoured more than once (%s)", list);
    sr_check_advise(
        f, times > 2 ? "keep one of them, or two: probabilities run so high that few thresholds are left "
                       "to choose from"
                     : "probabilities run high, which a threshold chosen on calibration rows makes good; "
                       "the default recipe does so too");
    sr_check_number(f, "times", times);
    sr_check_number(f, "alpha", s->alpha);
    sr_check_number(f, "pos_weight", s->pos_weight);
    sr_check_number(f, "weight_ratio", ratio);
}
