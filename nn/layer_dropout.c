/* layer_dropout.c: inverted dropout. y = x keep / (1 - p), keep drawn with probability 1 - p (Srivastava et
 * al. 2014).
 *
 * The mask of a step is a pure function of (seed, layer, step), so that a resumed run draws the same ones; it
 * is kept from forward to backward as one byte a number, in blocks as x is. Evaluation copies x.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "nn/nn.h"

static size_t saved_size(const struct sr_layer *l, size_t max_rows) {
    return sr_blocks_size(max_rows, l->out);
}

static real scale_of(const struct sr_layer *l) {
    return (real)(1 / (1 - l->p));
}

static void forward(struct sr_layer *l, const struct sr_pass *pass, real *y, const real *x, size_t rows,
                    size_t b) {
    const size_t at = sr_block_at(rows, b), n = rows * SR_BLOCK;
    uint8_t *keep = (uint8_t *)l->saved + at;
    if (!pass->training) {
        if (y != x)
            memcpy(y + at, x + at, n * sizeof(real));
        return;
    }
    if (!pass->masks_given) /* a row's numbers do not depend on how many rows there are */
        sr_vec()->dropout_mask(keep, n, sr_block_at(SR_ROWS_MAX, b), l->p, pass->seed,
                               sr_stream(SR_STREAM_DROPOUT, l->index, pass->step));
    sr_vec()->dropout(y + at, x + at, keep, n, scale_of(l));
}

static void backward(struct sr_layer *l, real *dx, const real *dy, const real *x, size_t rows, size_t b) {
    (void)x;
    const size_t at = sr_block_at(rows, b);
    sr_vec()->dropout(dx + at, dy + at, (const uint8_t *)l->saved + at, rows * SR_BLOCK, scale_of(l));
}

const struct sr_layer_kind sr_layer_dropout = {.name = "dropout",
                                               .columnwise = true,
                                               .in_place = true,
                                               .saved_size = saved_size,
                                               .forward = forward,
                                               .backward = backward};
