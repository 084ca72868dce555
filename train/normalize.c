/* normalize.c: column statistics of the training rows, and folding them into the first Linear; see
 * normalize.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "train/normalize.h"

#define BATCH 1024 /* rows read at a time */

/* Sums of x - reference and of its square over the training rows, [width] each. */
static int sums_add(double *sum, double *squares, const double *reference, const struct sr_part *p,
                    struct sr_error *err) {
    const struct sr_loader_options how = {.order = SR_ORDER_FILE, .batch = BATCH};
    const size_t width = p->data->width;
    struct sr_loader *loader;
    struct sr_batch b;
    int got = sr_loader_create(&loader, p->data, p->row, p->n, &how, err);
    if (got < 0)
        return got;
    got = sr_loader_start(loader, 0, 0, err);
    while (got >= 0 && (got = sr_loader_next(loader, &b, err)) > 0)
#pragma omp parallel for schedule(static)
        for (size_t k = 0; k < width; k++)
            for (size_t r = 0; r < b.rows; r++) {
                const double shifted = (double)b.x[r * width + k] - reference[k];
                sum[k] += shifted;
                squares[k] += shifted * shifted;
            }
    sr_loader_free(loader);
    return got;
}

/* Rows held out or without a label were in the scan, but do not train. */
static int moments_measure(double *mean, double *deviation, const struct sr_part *p, struct sr_error *err) {
    const size_t width = p->data->width;
    double *sum = sr_alloc(width, 2 * sizeof *sum, err);
    const int status = sum ? sums_add(sum, sum + width, mean, p, err) : SR_NOMEM;
    for (size_t k = 0; status == SR_OK && k < width; k++) {
        const double shift = sum[k] / (double)p->n, square = sum[width + k] / (double)p->n - shift * shift;
        mean[k] += shift;
        deviation[k] = sqrt(square > 0 ? square : 0);
    }
    sr_free(sum);
    return status;
}

int sr_normalization_measure(struct sr_normalization *out, const struct sr_feed *f, struct sr_error *err) {
    const struct sr_part *p = &f->train;
    const size_t width = p->data->width;
    double *mean = sr_alloc(width, 2 * sizeof *mean, err), *deviation = mean ? mean + width : NULL;
    *out = (struct sr_normalization){.width = width};
    out->shift = sr_alloc(width, sizeof *out->shift, err);
    out->scale = sr_alloc(width, sizeof *out->scale, err);
    int status = mean && out->shift && out->scale ? SR_OK : SR_NOMEM;
    for (size_t k = 0; status == SR_OK && k < width; k++) {
        mean[k] = f->train_scan.mean[k];
        deviation[k] = f->train_scan.deviation[k];
    }
    if (status == SR_OK && p->n + f->train_scan.bad_rows < p->data->rows)
        status = moments_measure(mean, deviation, p, err);
    for (size_t k = 0; status == SR_OK && k < width; k++) {
        /* below float's resolution of the mean a column is constant, and its deviation noise */
        const bool varies = deviation[k] > 1e-7 * fabs(mean[k]) && deviation[k] > 1e-30;
        out->shift[k] = (float)mean[k];
        out->scale[k] = varies ? (float)(1 / deviation[k]) : 1;
    }
    sr_free(mean);
    return status;
}

void sr_normalization_free(struct sr_normalization *n) {
    sr_free(n->shift);
    sr_free(n->scale);
    *n = (struct sr_normalization){0};
}

void sr_normalization_fold(real *weight_x, real *bias_x, const real *weight_z, const real *bias_z, size_t out,
                           const struct sr_normalization *n) {
    for (size_t o = 0; o < out; o++) {
        double moved = 0;
        for (size_t k = 0; k < n->width; k++) {
            const double w = (double)weight_z[o * n->width + k] * (double)n->scale[k];
            moved += w * (double)n->shift[k];
            weight_x[o * n->width + k] = (real)w;
        }
        bias_x[o] = (real)((double)bias_z[o] - moved);
    }
}

void sr_normalization_unfold(real *weight_z, real *bias_z, const real *weight_x, const real *bias_x,
                             size_t out, const struct sr_normalization *n) {
    for (size_t o = 0; o < out; o++) {
        double moved = 0;
        for (size_t k = 0; k < n->width; k++) {
            const double w = (double)weight_x[o * n->width + k];
            moved += w * (double)n->shift[k];
            weight_z[o * n->width + k] = (real)(w / (double)n->scale[k]);
        }
        bias_z[o] = (real)((double)bias_x[o] + moved);
    }
}
