/* check_rates.c: kinds rates, positives and imbalance: how many rows of a class there are, and what is done
 * about it. See checks.def.
 *
 * Two files' rates are compared by the two-proportion z test and by Cohen's h = 2 asin sqrt p - 2 asin sqrt
 * q, whose size does not grow with the rows (Cohen 1988: .2 small, .5 medium). Both must speak: among a
 * million rows a difference without meaning is no chance, among a hundred a large one may be. Rare classes
 * hardly move h, but precision goes with the ratio of the rates: so that counts too, by the end of its 95 %
 * interval that is nearer to one (logarithm, delta method; Katz and others 1978).
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
#define RATIO_REMARK   1.5
#define RATIO_SERIOUS  3.0

#define HALF_WIDTH_WANTED 0.1  /* of the 95 % interval of a recall of one half, where it is widest */
#define HALF_WIDTH_LOST   0.25 /* says next to nothing */
#define NORMAL_95         1.96
#define WEIGHTS_FOLLOW    1.5 /* mean weight of one class over the other's */
#define TIMES_PUBLISHED   2

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

/* At least so many times as frequent in one as in the other; half a row is added to each, so that none is a
 * number too. */
static double least_ratio_of(double ones, double n, double others, double m) {
    const double ratio = fabs(log((ones + .5) / (n + .5) / ((others + .5) / (m + .5))));
    const double deviation = sqrt(1 / (ones + .5) - 1 / (n + .5) + 1 / (others + .5) - 1 / (m + .5));
    return ratio > NORMAL_95 * deviation ? exp(ratio - NORMAL_95 * deviation) : 1;
}

/* Of the class whose rates differ more. */
static double least_ratio(struct rate a, struct rate b) {
    const double n = (double)a.known, m = (double)b.known, x = (double)a.ones, y = (double)b.ones;
    return fmax(least_ratio_of(x, n, y, m), least_ratio_of(n - x, n, m - y, m));
}

static const uint8_t *column_of(const struct sr_check_file *f, bool gold) {
    return gold ? f->data->gold : f->data->label;
}

/* Each file against the first that has the column: that is what the router is trained on. */
static void compare_rates(struct sr_check_private *c, const struct sr_check_file *a,
                          const struct sr_check_file *b, bool gold) {
    const struct rate p = rate_of(column_of(a, gold), a->data->rows),
                      q = rate_of(column_of(b, gold), b->data->rows);
    if (p.known == 0 || q.known == 0 || !(z_of(p, q) > Z_STRICT))
        return;
    const double ratio = least_ratio(p, q);
    if (effect(p, q) < EFFECT_REMARK && ratio < RATIO_REMARK)
        return;
    struct sr_finding *f =
        sr_check_add(c, "rates", effect(p, q) >= EFFECT_SERIOUS || ratio >= RATIO_SERIOUS, b);
    sr_check_say(f,
                 "%s is 1 in %.3g %% of %zu rows, but in %.3g %% of %zu rows of %s (z %.1f, Cohen's h %.2f, "
                 "at least %.1f times)",
                 gold ? "gold" : "label", 100 * share(q), q.known, 100 * share(p), p.known, a->letter,
                 z_of(p, q), effect(p, q), ratio);
    sr_check_advise(f, "fine where sources were held out on purpose; else split the dump they come from anew "
                       "(saferoute data split): "
                       "precision and a threshold chosen at one rate do not hold at another");
    sr_check_number(f, "rate", share(q));
    sr_check_number(f, "other_rate", share(p));
    sr_check_number(f, "z", z_of(p, q));
    sr_check_number(f, "effect", effect(p, q));
    sr_check_number(f, "ratio", ratio);
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

/* Positive rows decide recall, negative ones the false alarms; n of `all` rows are of the class. */
static void look_at_class(struct sr_check_private *c, const struct sr_check_file *f, bool positive, size_t n,
                          size_t all) {
    const double needed = ceil(pow(NORMAL_95 * .5 / HALF_WIDTH_WANTED, 2));
    const double half = fmin(NORMAL_95 * .5 / sqrt((double)n), .5), rate = (double)n / (double)all;
    if (n == 0 || (double)n >= needed) /* none: kind classes */
        return;
    struct sr_finding *found = sr_check_add(c, "positives", half > HALF_WIDTH_LOST, f);
    sr_check_say(found,
                 "only %zu of %zu rows %s %s%s: what is measured of them here is known to about +-%.2f "
                 "(95 %% interval of the %s)",
                 n, all, n == 1 ? "is" : "are", positive ? "positive" : "negative",
                 c->files == 1 ? ", too few if this file is to measure a router" : "", half,
                 positive ? "recall" : "share that is routed");
    sr_check_advise(found,
                    "+-%.2f takes %.0f of them, about %.0f rows at this rate, +-.05 four times as many; "
                    "add rows, or read differences smaller than the interval as none",
                    HALF_WIDTH_WANTED, needed, needed / rate);
    sr_check_number(found, positive ? "positives" : "negatives", (double)n);
    sr_check_number(found, "half_width", half);
    sr_check_number(found, positive ? "positives_needed" : "negatives_needed", needed);
    sr_check_number(found, "rows_needed", ceil(needed / rate));
}

/* Of files that measure: of several the first is the one to train on. */
void sr_check_positives(struct sr_check_private *c) {
    for (size_t i = c->files > 1; i < c->files; i++) {
        const struct sr_check_file *f = &c->file[i];
        const struct rate r = rate_of(f->data->label, f->data->rows);
        if (r.known == 0)
            continue;
        look_at_class(c, f, true, r.ones, r.known);
        look_at_class(c, f, false, r.known - r.ones, r.known);
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

/* Held against the classes and weights of the first file, which is the one to train on. Twice is what the
 * published recipe does (balanced draws and a focal loss of .75), and nothing to say. */
void sr_check_imbalance(struct sr_check_private *c) {
    const struct sr_check_imbalance *s = c->how->imbalance;
    if (!s)
        return;
    const struct rate r = rate_of(c->file[0].data->label, c->file[0].data->rows);
    const double ratio = weights_ratio(c->file[0].data);
    const bool drawn = s->balanced && 2 * r.ones < r.known; /* else it favours the others, or none */
    const int times = drawn + (s->alpha > .5) + (s->pos_weight > 1) + (ratio >= WEIGHTS_FOLLOW);
    char list[160] = "";
    if (times <= TIMES_PUBLISHED)
        return;
    if (drawn)
        append(list, sizeof list, "balanced draws", 0);
    if (s->alpha > .5)
        append(list, sizeof list, "alpha %.3g", s->alpha);
    if (s->pos_weight > 1)
        append(list, sizeof list, "pos_weight %.3g", s->pos_weight);
    if (ratio >= WEIGHTS_FOLLOW)
        append(list, sizeof list, "/weight %.3g times as large for them", ratio);
    struct sr_finding *f = sr_check_add(c, "imbalance", true, &c->file[0]);
    sr_check_say(f, "positive rows are favoured more than twice (%s)", list);
    sr_check_advise(f, "keep one of them, or two: probabilities run so high that few thresholds are left to "
                       "choose from");
    sr_check_number(f, "times", times);
    sr_check_number(f, "alpha", s->alpha);
    sr_check_number(f, "pos_weight", s->pos_weight);
    sr_check_number(f, "weight_ratio", ratio);
}
