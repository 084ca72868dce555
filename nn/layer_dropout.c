/* layer_dropout.c: inverted dropout. y = x keep / (1 - p), keep drawn with probability 1 - p (Srivastava et
 * al. 2014).
 *
 * The mask of a step is a pure function of (seed, layer, step), so that a resumed run draws the same ones; it
 * is kept from forward to backward as one byte a number. Evaluation copies x.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "nn/nn.h"

#define BLOCK 16384 /* numbers a task, a multiple of the 4 of a Philox call */

static size_t saved_size(const struct sr_layer *l, size_t max_rows) {
    return max_rows * l->out;
}

static void forward(struct sr_layer *l, const struct sr_pass *pass, real *y, const real *x, size_t rows) {
    const size_t total = rows * l->out;
    const uint64_t stream = sr_stream(SR_STREAM_DROPOUT, l->index, pass->step);
    const real scale = (real)(1 / (1 - l->p));
    const struct sr_vec *vec = sr_vec();
    uint8_t *keep = l->saved;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < total; i += BLOCK) {
        const size_t n = total - i < BLOCK ? total - i : BLOCK;
        if (!pass->training) {
            memcpy(y + i, x + i, n * sizeof(real));
            continue;
        }
        if (!pass->masks_given)
            vec->dropout_mask(keep + i, n, i, l->p, pass->seed, stream);
        vec->dropout(y + i, x + i, keep + i, n, scale);
    }
}

static void backward(struct sr_layer *l, const struct sr_pass *pass, real *dx, const real *dy, const real *x,
                     size_t rows) {
    (void)pass;
    (void)x;
    if (!dx)
        return;
    const size_t total = rows * l->out;
    const real scale = (real)(1 / (1 - l->p));
    const struct sr_vec *vec = sr_vec();
    const uint8_t *keep = l->saved;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < total; i += BLOCK)
        vec->dropout(dx + i, dy + i, keep + i, total - i < BLOCK ? total - i : BLOCK, scale);
}

const struct sr_layer_kind sr_layer_dropout = {.name = "dropout",
                                               .same_width = true,
                                               .saved_size = saved_size,
                                               .forward = forward,
                                               .backward = backward};
