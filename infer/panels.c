/* panels.c: weights between rows and panels; see panels.h.
 *
 * Done once, when a router is opened; the panels are written from front to back.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "infer/panels.h"

static size_t outputs_padded(size_t outputs) {
    return (outputs + SR_PANEL_STEP - 1) / SR_PANEL_STEP * SR_PANEL_STEP;
}

size_t sr_panels_items(size_t inputs, size_t outputs) {
    return outputs_padded(outputs) * inputs;
}

size_t sr_panels_bytes_int8(size_t inputs, size_t outputs) {
    return outputs_padded(outputs) * (sizeof(int32_t) + SR_QUADS(inputs));
}

/* Where the weight of output o and input k lies. */
static size_t item_at(size_t inputs, size_t outputs, size_t o, size_t k) {
    const size_t first = o / SR_PANEL * SR_PANEL;
    return first * inputs + k * sr_panels_wide(outputs, first) + (o - first);
}

static size_t panel_at_int8(size_t inputs, size_t first) {
    return first * (sizeof(int32_t) + SR_QUADS(inputs));
}

static size_t byte_at_int8(size_t inputs, size_t outputs, size_t o, size_t k) {
    const size_t first = o / SR_PANEL * SR_PANEL, wide = sr_panels_wide(outputs, first);
    return panel_at_int8(inputs, first) + wide * sizeof(int32_t) + k / 4 * wide * 4 + (o - first) * 4 + k % 4;
}

void sr_panels_pack(float *panels, const float *w, size_t inputs, size_t outputs) {
    memset(panels, 0, sr_panels_items(inputs, outputs) * sizeof *panels);
    for (size_t o = 0; o < outputs; o++)
        for (size_t k = 0; k < inputs; k++)
            panels[item_at(inputs, outputs, o, k)] = w[o * inputs + k];
}

void sr_panels_pack_bfloat16(uint16_t *panels, const uint16_t *w, size_t inputs, size_t outputs) {
    memset(panels, 0, sr_panels_items(inputs, outputs) * sizeof *panels);
    for (size_t o = 0; o < outputs; o++)
        for (size_t k = 0; k < inputs; k++)
            panels[item_at(inputs, outputs, o, k)] = w[o * inputs + k];
}

void sr_panels_pack_int8(int8_t *panels, const int8_t *w, size_t inputs, size_t outputs) {
    memset(panels, 0, sr_panels_bytes_int8(inputs, outputs));
    for (size_t o = 0; o < outputs; o++) {
        const size_t first = o / SR_PANEL * SR_PANEL;
        uint32_t sum = 0;
        for (size_t k = 0; k < inputs; k++) {
            panels[byte_at_int8(inputs, outputs, o, k)] = w[o * inputs + k];
            sum += (uint32_t)w[o * inputs + k];
        }
        sum *= 0u - 128u;
        memcpy(panels + panel_at_int8(inputs, first) + (o - first) * sizeof sum, &sum, sizeof sum);
    }
}

void sr_panels_unpack(float *w, const float *panels, size_t inputs, size_t outputs) {
    for (size_t o = 0; o < outputs; o++)
        for (size_t k = 0; k < inputs; k++)
            w[o * inputs + k] = panels[item_at(inputs, outputs, o, k)];
}

void sr_panels_unpack_bfloat16(uint16_t *w, const uint16_t *panels, size_t inputs, size_t outputs) {
    for (size_t o = 0; o < outputs; o++)
        for (size_t k = 0; k < inputs; k++)
            w[o * inputs + k] = panels[item_at(inputs, outputs, o, k)];
}

void sr_panels_unpack_int8(int8_t *w, const int8_t *panels, size_t inputs, size_t outputs) {
    for (size_t o = 0; o < outputs; o++)
        for (size_t k = 0; k < inputs; k++)
            w[o * inputs + k] = panels[byte_at_int8(inputs, outputs, o, k)];
}
