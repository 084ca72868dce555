/* check_head.c: kind verdict_head: P(unsafe) made again from the features and the two rows of the small
 * guard's output head that the dump brings along, against /small_prob. See checks.def.
 *
 * That holds the whole contract at once: the right model, layer, token, side of the norm and template. Logits
 * are compared in double with float32 sums in mind: 2048 products added in any order are off by some 1e-5 of
 * the sum of their sizes, hence probabilities by less than OFF. Where a guard's own 16-bit logits made
 * /small_prob they are rounded by up to 1/16 each (bfloat16 at 16 to 32), which moves a probability by up to
 * .03: a remark. FAR is what no rounding does.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/check_parts.h"

#define DATASET "verdict_head"
#define OFF     1e-3
#define FAR     .05
#define LANES   16

/* Where both are sure to the last digit any features agree: rows that can tell have a margin below this. */
#define MARGIN_TELLS 4.0
#define ROWS_TO_TELL 20

/* ---- reading ---- */

static int read_rows(struct sr_check_head *h, const struct sr_h5 *file, size_t width, enum sr_feature type,
                     struct sr_error *err) {
    struct sr_h5_matrix *m;
    int status = sr_h5_matrix_open(&m, file, DATASET, type, err);
    if (status < 0)
        return status;
    h->row = sr_alloc(2 * sizeof *h->row, width, err);
    status = h->row ? sr_h5_matrix_read(m, h->row, 0, 2, SR_FEATURE_FLOAT, err) : SR_NOMEM;
    sr_h5_matrix_close(m);
    return status;
}

/* Widened to float either way. */
static bool feature_of(const struct sr_h5_info *info, enum sr_feature *type) {
    *type = info->kind == SR_H5_HALF ? SR_FEATURE_HALF
            : info->kind == SR_H5_BFLOAT || (info->kind == SR_H5_OPAQUE && info->size == 2)
                ? SR_FEATURE_BFLOAT
                : SR_FEATURE_FLOAT;
    return *type != SR_FEATURE_FLOAT || info->kind == SR_H5_FLOAT;
}

static void describe_wrong(char *text, size_t size, const struct sr_h5_info *info, size_t width) {
    char shape[80];
    if (info->rank == 1)
        snprintf(shape, sizeof shape, "[%llu]", (unsigned long long)info->shape[0]);
    else if (info->rank == 2)
        snprintf(shape, sizeof shape, "[%llu, %llu]", (unsigned long long)info->shape[0],
                 (unsigned long long)info->shape[1]);
    else
        snprintf(shape, sizeof shape, "of rank %d", info->rank);
    snprintf(text, size, "/" DATASET " is %s %s, not [2, %zu] floats", shape, info->type, width);
}

int sr_check_head_begin(struct sr_check_file *f, struct sr_error *err) {
    const struct sr_h5 *file = f->data->in->dump[0]->file;
    struct sr_check_head *h = &f->head;
    struct sr_h5_info info;
    enum sr_feature type;
    if (!sr_h5_has(file, DATASET))
        return 0;
    int status = sr_h5_info(file, DATASET, &info, err);
    if (status < 0)
        return status;
    if (info.rank != 2 || info.shape[0] != 2 || info.shape[1] != f->data->width ||
        !feature_of(&info, &type)) {
        describe_wrong(h->wrong, sizeof h->wrong, &info, f->data->width);
        return 0;
    }
    status = read_rows(h, file, f->data->width, type, err);
    if (status == 0 && !sr_vec()->all_finite(h->row, 2 * f->data->width)) {
        snprintf(h->wrong, sizeof h->wrong, "/" DATASET " has a NaN or an infinity");
        sr_free(h->row);
        h->row = NULL;
    }
    return status;
}

/* ---- the pass ---- */

/* The unsafe logit less the safe one. */
static double margin(const float *x, const float *safe, const float *unsafe, size_t width) {
    double lane[LANES] = {0}, sum = 0;
    size_t at = 0;
    for (; at + LANES <= width; at += LANES)
        for (size_t i = 0; i < LANES; i++)
            lane[i] += (double)x[at + i] * ((double)unsafe[at + i] - (double)safe[at + i]);
    for (; at < width; at++)
        lane[0] += (double)x[at] * ((double)unsafe[at] - (double)safe[at]);
    for (size_t i = 0; i < LANES; i++)
        sum += lane[i];
    return sum;
}

static void compare(struct sr_check_head *h, double margin, double stored, size_t row) {
    const double made = 1 / (1 + exp(-margin)), apart = fabs(made - stored);
    h->compared++;
    h->telling += fabs(margin) < MARGIN_TELLS;
    h->largest = apart > h->largest ? apart : h->largest;
    h->off += apart > OFF;
    if (apart <= FAR)
        return;
    if (h->far < SR_CHECK_ROWS)
        h->far_row[h->far] = row;
    h->far++;
    h->swapped += fabs(1 - made - stored) <= FAR;
}

void sr_check_head_add(struct sr_check_file *f, const struct sr_scan_block *block) {
    struct sr_check_head *h = &f->head;
    const float *stored = f->data->small_prob;
    const size_t width = f->data->width;
    double found[SR_CHECK_BLOCK];
    if (!h->row || !stored)
        return;
    for (size_t at = 0; at < block->rows; at += SR_CHECK_BLOCK) {
        const size_t n = block->rows - at < SR_CHECK_BLOCK ? block->rows - at : SR_CHECK_BLOCK;
#pragma omp parallel for schedule(static)
        for (size_t r = 0; r < n; r++)
            found[r] = margin(block->x + (at + r) * width, h->row, h->row + width, width);
        for (size_t r = 0; r < n; r++) {
            const size_t row = block->first + at + r;
            if (block->good[at + r] && !isnan(stored[row]))
                compare(h, found[r], (double)stored[row], row);
        }
    }
}

/* ---- the finding ---- */

static struct sr_finding *add_numbers(struct sr_check_private *c, const struct sr_check_file *f,
                                      bool serious) {
    struct sr_finding *found = sr_check_add(c, "verdict_head", serious, f);
    sr_check_number(found, "compared", (double)f->head.compared);
    sr_check_number(found, "off", (double)f->head.off);
    sr_check_number(found, "far", (double)f->head.far);
    sr_check_number(found, "largest", f->head.largest);
    return found;
}

static void add_far(struct sr_check_private *c, const struct sr_check_file *f, const char *norm) {
    const struct sr_check_head *h = &f->head;
    struct sr_finding *found = add_numbers(c, f, true);
    for (size_t i = 0; i < h->far && i < SR_CHECK_ROWS; i++)
        sr_check_row(found, f, h->far_row[i]);
    sr_check_say(found,
                 "/" DATASET
                 " does not give /small_prob in %zu of %zu rows: differences of up to %.3g, beyond any "
                 "rounding",
                 h->far, h->compared, h->largest);
    if (h->swapped == h->far)
        sr_check_advise(found, "with its two rows exchanged it would: row 0 is safe, row 1 unsafe");
    else if (norm && strcmp(norm, "post") != 0)
        sr_check_advise(found, "feature_norm is '%s', and the head reads features behind the final norm only",
                        norm);
    else
        sr_check_advise(found,
                        "features are of another token, layer, side of the norm, template or model than the "
                        "verdicts: extract anew");
}

static void add_off(struct sr_check_private *c, const struct sr_check_file *f) {
    struct sr_finding *found = add_numbers(c, f, false);
    sr_check_say(found,
                 "/" DATASET
                 " gives /small_prob but for %.3g at most, in %zu of %zu rows more than float32 sums "
                 "explain",
                 f->head.largest, f->head.off, f->head.compared);
    sr_check_advise(found,
                    "as where 16-bit logits made /small_prob; verdicts near the threshold may differ from "
                    "those that serving gives");
}

/* It gives the probabilities: so features are what the head reads. */
static void add_post(struct sr_check_private *c, const struct sr_check_file *f, const char *norm) {
    struct sr_finding *found = add_numbers(c, f, norm != NULL);
    sr_check_say(
        found,
        "/" DATASET
        " gives /small_prob in all %zu rows, %zu of them unsure, so features are behind the final norm",
        f->head.compared, f->head.telling);
    if (norm)
        sr_check_advise(found, "but feature_norm says '%s': it is 'post'", norm);
    else
        sr_check_advise(found, "feature_norm is not said: write 'post' as a root attribute");
}

static void look(struct sr_check_private *c, const struct sr_check_file *f) {
    const struct sr_check_head *h = &f->head;
    const char *norm = sr_check_contract_value(f, "feature_norm");
    const bool post = norm && strcmp(norm, "post") == 0;
    if (*h->wrong) {
        struct sr_finding *found = sr_check_add(c, "verdict_head", true, f);
        sr_check_say(found, "%s", h->wrong);
        sr_check_advise(found,
                        "it is of another model than the features, or was written wrongly: extract anew");
    } else if (h->row && h->compared == 0) {
        struct sr_finding *found = sr_check_add(c, "verdict_head", false, f);
        sr_check_say(found, "there is /" DATASET ", but no /small_prob that is known to hold it against");
        sr_check_advise(found, "store /small_prob: the two prove that features are those of the verdict");
    } else if (h->far > 0) {
        add_far(c, f, norm);
    } else if (h->row && !post && h->telling >= ROWS_TO_TELL) {
        add_post(c, f, norm);
    } else if (h->off > 0) {
        add_off(c, f);
    }
}

void sr_check_verdict_head(struct sr_check_private *c) {
    for (size_t i = 0; i < c->files; i++)
        look(c, &c->file[i]);
}
