/* guard.c: a guard's verdicts: stored, or cut from its probabilities. See guard.h.
 *
 * A verdict is unsafe where prob >= threshold, compared as NumPy and PyTorch compare an array with a Python
 * float: in the type of the array, to which the threshold is rounded first. So a float32 .3 is unsafe from .3
 * on, although it is above the double .3 (and the float16 .1 from .1 on, although it is below), and rows cut
 * by either tool and here have the same verdicts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/guard.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/column.h"

#define THRESHOLD_DEFAULT .5

/* ---- thresholds ---- */

static bool is_threshold(const char *text, double *value) {
    char *end;
    *value = strtod(text, &end);
    return end > text && end[strspn(end, " ")] == '\0' && *value > 0 && *value <= 1;
}

static int read_stated(struct sr_guard *g, const struct sr_dump *d, struct sr_error *err) {
    char key[24], *text = NULL;
    snprintf(key, sizeof key, "%s_threshold", g->name);
    if (!sr_h5_has_attribute(d->file, "/", key))
        return 0;
    int status = sr_h5_attribute(d->file, "/", key, &text, err);
    if (status == 0 && !(text && is_threshold(text, &g->stated)))
        status = sr_fail(err, SR_DATA,
                         "%s: root attribute %s is %.60s, but a threshold is one number above 0 and at most "
                         "1; correct it (where labels are read, --%s-threshold T overrides it)",
                         d->path, key, text ? text : "not one number", g->name);
    sr_free(text);
    return status;
}

int sr_guard_begin(struct sr_guard *g, const struct sr_dump *d, const char *name, double given,
                   struct sr_error *err) {
    *g = (struct sr_guard){.name = name, .given = given, .stated = (double)NAN, .cut = {(double)NAN, ""}};
    char text[SR_DECIMAL_TEXT];
    if (!(given >= 0 && given <= 1))
        return sr_fail(err, SR_USAGE, "--%s-threshold is %s, but must be above 0 and at most 1", name,
                       sr_decimal(text, given));
    return given > 0 ? 0 : read_stated(g, d, err);
}

/* The number nearest to x > 0 with that many significant bits, the lowest no lower than 2^lowest; a tie goes
 * to the even one. */
static double round_to(double x, int bits, int lowest) {
    int exponent;
    frexp(x, &exponent);
    const int last = exponent - bits > lowest ? exponent - bits : lowest;
    return ldexp(nearbyint(ldexp(x, -last)), last);
}

/* A threshold in the type of the column it is compared with. */
static double round_like(double x, const struct sr_h5_info *info) {
    switch (info->kind) {
    case SR_H5_HALF:
        return round_to(x, 11, -24);
    case SR_H5_BFLOAT:
        return round_to(x, 8, -133);
    default:
        return info->size == sizeof(float) ? (double)(float)x : x;
    }
}

/* ---- verdicts ---- */

static int cut(struct sr_guard *g, size_t rows, const double *value, const struct sr_h5_info *info,
               struct sr_error *err) {
    g->cut = g->given > 0        ? (struct sr_cut){g->given, "given"}
             : !isnan(g->stated) ? (struct sr_cut){g->stated, "the dump's"}
                                 : (struct sr_cut){THRESHOLD_DEFAULT, "default"};
    const double threshold = round_like(g->cut.at, info);
    g->pred = sr_alloc(rows, 1, err);
    for (size_t i = 0; g->pred && i < rows; i++)
        g->pred[i] = isnan(value[i]) ? SR_UNKNOWN : value[i] >= threshold;
    return g->pred ? 0 : SR_NOMEM;
}

static int check_probs(struct sr_guard *g, const struct sr_dump *d, const char *name, const double *value,
                       struct sr_error *err) {
    char text[SR_DECIMAL_TEXT];
    g->prob = sr_alloc(d->rows, sizeof *g->prob, err);
    for (size_t i = 0; g->prob && i < d->rows; i++) {
        g->prob[i] = (float)value[i];
        if (g->prob[i] < 0 || g->prob[i] > 1)
            return sr_fail(err, SR_DATA, "%s: /%s row %zu is %s, which is no probability (0 to 1, or NaN)",
                           d->path, name, i, sr_decimal(text, value[i]));
    }
    return g->prob ? 0 : SR_NOMEM;
}

/* Verdicts read before stay. They are cut from the values as the file has them: the nearest float of
 * 0.49999999 is .5. */
static int read_probs(struct sr_guard *g, const struct sr_dump *d, const struct sr_column *c,
                      struct sr_error *err) {
    double *value = NULL;
    int status = sr_column_numbers(&value, d, c, false, "probabilities (floats)", err);
    if (status == 0)
        status = check_probs(g, d, c->name, value, err);
    if (status == 0 && !g->pred)
        status = cut(g, d->rows, value, &c->info, err);
    sr_free(value);
    return status;
}

static int fail_recut(const struct sr_guard *g, const struct sr_dump *d, const char *name,
                      struct sr_error *err) {
    char there[200];
    sr_h5_list(d->file, there, sizeof there);
    return sr_fail(err, SR_DATA,
                   "%s: --%s-threshold cuts verdicts from probabilities, but there is no dataset /%s; the "
                   "file holds: %s",
                   d->path, g->name, name, there);
}

int sr_guard_read(struct sr_guard *g, const struct sr_dump *d, const char *prob, const char *pred,
                  struct sr_error *err) {
    char prob_name[16], pred_name[16];
    struct sr_column c;
    snprintf(prob_name, sizeof prob_name, "%s_prob", g->name);
    snprintf(pred_name, sizeof pred_name, "%s_pred", g->name);
    int status = sr_column_find(&c, d, prob, prob_name, err);
    if (status == 0 && g->given > 0 && !c.name)
        status = fail_recut(g, d, prob_name, err);
    if (status == 0)
        status = g->given > 0 ? sr_column_named(d, pred, err)
                              : sr_column_binary(&g->pred, d, pred, pred_name, err);
    return status < 0 || !c.name ? status : read_probs(g, d, &c, err);
}
