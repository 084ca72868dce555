/* near_sketch.c: 256 bits a row, such that near rows differ in few of them. See near_parts.h.
 *
 * A bit is the side of a random hyperplane that the row lies on: two rows at angle t differ in a bit with
 * probability t / pi (Charikar 2002). Instead of 256 dense random vectors the standardised row is folded to
 * 256 sums under random signs, a count sketch (Charikar, Chen, Farach-Colton 2002), and those are rotated
 * twice by random signs and a Hadamard transform (Ailon and Chazelle 2009; Andoni, Indyk, Laarhoven,
 * Razenshteyn, Schmidt 2015, who rotate three times without folding). That takes 4 operations a feature
 * instead of 512.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "data/near_parts.h"

static float random_sign(uint64_t stream, size_t i) {
    return sr_random_bits(0, stream, i) >> 63 ? -1.0f : 1.0f;
}

int sr_near_sketch_begin(struct sr_near *near, struct sr_error *err) {
    const uint64_t stream = sr_stream(SR_STREAM_NEAR, 0, 0);
    near->sign = sr_alloc(2 * SR_NEAR_BITS, sizeof(float), err);
    if (!near->sign)
        return SR_NOMEM;
    for (size_t i = 0; i < 2 * SR_NEAR_BITS; i++)
        near->sign[i] = random_sign(stream, i);
    for (size_t p = 0; p < near->spaces; p++) {
        struct sr_near_space *space = &near->space[p];
        space->fold = sr_alloc(space->width, sizeof(float), err);
        if (!space->fold)
            return SR_NOMEM;
        for (size_t k = 0; k < space->width; k++)
            space->fold[k] = space->all.scale[k] * random_sign(stream, 2 * SR_NEAR_BITS + k);
    }
    return 0;
}

/* Walsh-Hadamard transform of SR_NEAR_BITS numbers, in place, not scaled. */
static void hadamard(float *y) {
    for (size_t half = 1; half < SR_NEAR_BITS; half *= 2)
        for (size_t at = 0; at < SR_NEAR_BITS; at += 2 * half)
            for (size_t i = at; i < at + half; i++) {
                const float a = y[i], b = y[i + half];
                y[i] = a + b;
                y[i + half] = a - b;
            }
}

void sr_near_sketch(struct sr_near_signature *out, const struct sr_near *near,
                    const struct sr_near_space *space, const float *x) {
    float y[SR_NEAR_BITS] = {0}, z[SR_NEAR_BITS];
    for (size_t at = 0; at < space->width; at += SR_NEAR_BITS) {
        const size_t n = space->width - at < SR_NEAR_BITS ? space->width - at : SR_NEAR_BITS;
        sr_near_standardise(z, x + at, space->all.shift + at, space->fold + at, n);
        for (size_t i = 0; i < n; i++)
            y[i] += z[i];
    }
    for (size_t turn = 0; turn < 2; turn++) {
        hadamard(y);
        for (size_t i = 0; i < SR_NEAR_BITS; i++)
            y[i] *= near->sign[turn * SR_NEAR_BITS + i];
    }
    hadamard(y);
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < SR_NEAR_BITS; i++)
        out->word[i / 64] |= (uint64_t)(y[i] > 0) << i % 64;
}
