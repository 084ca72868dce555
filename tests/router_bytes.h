/* router_bytes.h: the bytes of a weights file, made in memory: three hidden layers with BatchNorm and the
 * range of training's rows. For programs that know libsaferoute by its public names only.
 *
 * The weights are hash_fill's numbers of the streams `first`, `first` + 1, ...: another one is another
 * router.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_ROUTER_BYTES_H
#define SR_TEST_ROUTER_BYTES_H

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/hash_fill.h"

enum { ROUTER_WIDTH = 77, ROUTER_DIRECTIONS = 5, ROUTER_LAYERS = 4 };
static const size_t router_widths[ROUTER_LAYERS + 1] = {ROUTER_WIDTH, 45, 24, 16, 1};

/* A safetensors file: 8 bytes of length, the header in JSON, the tensors. Large: static. */
struct router_bytes {
    uint32_t first, tensors;
    char header[8192];
    size_t header_size, items;
    float data[16384];
    char bytes[8 + sizeof(char[8192]) + sizeof(float[16384])];
    size_t size; /* of bytes */
};

static inline void router_header_add(struct router_bytes *f, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    f->header_size +=
        (size_t)vsnprintf(f->header + f->header_size, sizeof f->header - f->header_size, format, arguments);
    va_end(arguments);
}

/* (outputs, inputs) of hashed numbers, or (outputs) where inputs is 0. */
static inline float *router_tensor_add(struct router_bytes *f, const char *name, size_t outputs,
                                       size_t inputs, double scale, double offset) {
    const size_t items = outputs * (inputs ? inputs : 1), end = 4 * (f->items + items);
    float *x = f->data + f->items;
    router_header_add(f, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%zu", f->tensors ? "," : "{", name, outputs);
    if (inputs)
        router_header_add(f, ",%zu", inputs);
    router_header_add(f, "],\"data_offsets\":[%zu,%zu]}", 4 * f->items, end);
    hash_fill(x, items, f->first + f->tensors, scale, offset);
    f->items += items;
    f->tensors++;
    return x;
}

static inline void router_layer_add(struct router_bytes *f, size_t l, size_t in, size_t out) {
    static const struct {
        const char *what;
        double scale, offset;
    } norm[] = {{"weight", .3, 1}, {"bias", .5, 0}, {"running_mean", .5, 0}, {"running_var", .75, 1.5}};
    char name[64];
    snprintf(name, sizeof name, "cls.%zu.weight", 4 * l);
    router_tensor_add(f, name, out, in, 2 / sqrt((double)in), 0);
    snprintf(name, sizeof name, "cls.%zu.bias", 4 * l);
    router_tensor_add(f, name, out, 0, .1, 0);
    for (size_t i = 0; l + 1 < ROUTER_LAYERS && i < SR_COUNT(norm); i++) {
        snprintf(name, sizeof name, "cls.%zu.%s", 4 * l + 1, norm[i].what);
        router_tensor_add(f, name, out, 0, norm[i].scale, norm[i].offset);
    }
}

/* Directions along the first features. */
static inline void router_range_add(struct router_bytes *f) {
    float *basis, *range;
    router_tensor_add(f, "stats.mean", ROUTER_WIDTH, 0, .5, 0);
    router_tensor_add(f, "stats.var", ROUTER_WIDTH, 0, .5, 1);
    basis = router_tensor_add(f, "stats.basis", ROUTER_DIRECTIONS, ROUTER_WIDTH, 0, 0);
    for (size_t k = 0; k < ROUTER_DIRECTIONS; k++)
        basis[k * ROUTER_WIDTH + k] = 1;
    range = router_tensor_add(f, "stats.range", 3, 0, 0, 0);
    range[0] = .2f;
    range[1] = 4;
    range[2] = .01f;
}

static inline void router_bytes_make(struct router_bytes *f, uint32_t first) {
    memset(f, 0, sizeof *f);
    f->first = first;
    for (size_t l = 0; l < ROUTER_LAYERS; l++)
        router_layer_add(f, l, router_widths[l], router_widths[l + 1]);
    router_range_add(f);
    router_header_add(f, "}");
    while (f->header_size % 8)
        router_header_add(f, " ");
    const uint64_t length = f->header_size;
    memcpy(f->bytes, &length, 8);
    memcpy(f->bytes + 8, f->header, length);
    memcpy(f->bytes + 8 + length, f->data, 4 * f->items);
    f->size = 8 + length + 4 * f->items;
}

/* Rows such as that router reads: float32, and the same in bfloat16 (cut) and other ones in float16. */
struct router_rows {
    float *single;
    uint16_t *brain, *half;
};

static inline void router_rows_fill(struct router_rows to, size_t rows) {
    hash_fill(to.single, rows * ROUTER_WIDTH, 1, 2.1, 0);
    for (size_t i = 0; i < rows * ROUTER_WIDTH; i++) {
        uint32_t bits;
        memcpy(&bits, &to.single[i], sizeof bits);
        to.brain[i] = (uint16_t)(bits >> 16);
        to.half[i] = (uint16_t)((hash_bits(2, i) & 0x83ffu) | (14u + hash_bits(3, i) % 2) << 10);
    }
}

#endif
