/* panels.h: the order in which weights lie for the kernels.
 *
 * A vector register holds several outputs, so the weights of 64 outputs (a panel) lie side by side: all for
 * input 0, then all for input 1, ... One row then reads its weights from front to back once, whatever the
 * width of the vectors, and a batch finds what its tile needs in a few cache lines. The last panel has as
 * many outputs as are left, rounded up to a multiple of 16; the weights of outputs that do not exist are 0.
 *
 *     float, bfloat16   panel p at item 64 p inputs:                 [inputs][wide]
 *     int8              panel p at byte 64 p (4 + quads 4):          [wide] int32, then [quads][wide][4]
 *
 * wide is 64 (less in the last panel), quads is inputs / 4 rounded up, with 0 behind the last input. The
 * int32 in front is -128 times the sum of the output's weights: what a kernel adds that multiplies unsigned
 * inputs, which are 128 too large (modulo 2^32, as the kernel's sums are).
 *
 * Pure functions; any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_PANELS_H
#define SR_PANELS_H

#include <stddef.h>
#include <stdint.h>

#define SR_PANEL      64 /* outputs of a whole panel */
#define SR_PANEL_STEP 16 /* a panel has a multiple of these */

/* A row of quantised inputs: n rounded up to whole quads. */
#define SR_QUADS(n) (((n) + 3) / 4 * 4)

/* Outputs that panel `first / 64` has room for. */
static inline size_t sr_panels_wide(size_t outputs, size_t first) {
    const size_t rest = outputs - first;
    return rest >= SR_PANEL ? SR_PANEL : (rest + SR_PANEL_STEP - 1) / SR_PANEL_STEP * SR_PANEL_STEP;
}

/* Items (float or uint16_t) or bytes (int8) of all panels. */
size_t sr_panels_items(size_t inputs, size_t outputs);
size_t sr_panels_bytes_int8(size_t inputs, size_t outputs);

/* From rows of weights, w [outputs, inputs], and back. Panels are zeroed before they are filled. */
void sr_panels_pack(float *panels, const float *w, size_t inputs, size_t outputs);
void sr_panels_pack_bfloat16(uint16_t *panels, const uint16_t *w, size_t inputs, size_t outputs);
void sr_panels_pack_int8(int8_t *panels, const int8_t *w, size_t inputs, size_t outputs);
void sr_panels_unpack(float *w, const float *panels, size_t inputs, size_t outputs);
void sr_panels_unpack_bfloat16(uint16_t *w, const uint16_t *panels, size_t inputs, size_t outputs);
void sr_panels_unpack_int8(int8_t *w, const int8_t *panels, size_t inputs, size_t outputs);

#endif
