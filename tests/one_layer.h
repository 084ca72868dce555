/* one_layer.h: a single layer outside a model, with its own memory, for tests of one kind of layers.def.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_ONE_LAYER_H
#define SR_TEST_ONE_LAYER_H

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "nn/nn.h"

static inline void *test_alloc(size_t count, size_t size) {
    struct sr_error err = {0};
    void *p = sr_alloc(count, size, &err);
    cr_assert(p, "%s", err.text);
    return p;
}

static inline size_t one_tensor_items(const struct sr_layer_tensor *t) {
    return t->rank == 2 ? t->shape[0] * t->shape[1] : t->rank == 1 ? t->shape[0] : 1;
}

static inline struct sr_layer one_layer(const struct sr_layer_kind *kind, size_t in, size_t out, double p,
                                        size_t max_rows) {
    struct sr_layer l = {.kind = kind, .in = in, .out = out, .p = p, .index = 3};
    if (kind->describe)
        kind->describe(&l);
    for (size_t t = 0; t < l.n_tensors; t++) {
        struct sr_layer_tensor *tensor = &l.tensor[t];
        const size_t n = one_tensor_items(tensor);
        if (tensor->role == SR_ROLE_COUNTER)
            tensor->counter = test_alloc(1, sizeof(int64_t));
        else
            tensor->data = test_alloc(n, sizeof(real));
        if (tensor->role == SR_ROLE_PARAM)
            tensor->grad = test_alloc(n, sizeof(real));
    }
    l.saved_bytes = kind->saved_size ? kind->saved_size(&l, max_rows) : 0;
    l.saved = test_alloc(l.saved_bytes, 1);
    if (kind->init)
        kind->init(&l, 1);
    return l;
}

/* Items of `size` bytes of a row-major [rows, n] into blocks of columns (nn/matmul.h), or back. What blocks
 * hold behind n is left alone. */
static inline void blocks_copy(void *blocks, void *plain, bool back, size_t rows, size_t n, size_t size) {
    for (size_t r = 0; r < rows; r++)
        for (size_t b = 0; b < sr_blocks(n); b++) {
            char *in_blocks = (char *)blocks + (sr_block_at(rows, b) + r * SR_BLOCK) * size;
            char *in_rows = (char *)plain + (r * n + b * SR_BLOCK) * size;
            memcpy(back ? in_rows : in_blocks, back ? in_blocks : in_rows, sr_block_columns(n, b) * size);
        }
}

/* A copy in blocks; NaN behind n, on which no result may depend. */
static inline real *blocks_of(const real *plain, size_t rows, size_t n) {
    const size_t size = sr_blocks_size(rows, n);
    real *blocks = test_alloc(size, sizeof *blocks);
    for (size_t i = 0; i < size; i++)
        blocks[i] = (real)NAN;
    if (plain)
        blocks_copy(blocks, (void *)(uintptr_t)plain, false, rows, n, sizeof *blocks);
    return blocks;
}

/* The kind's functions over rows as they are written down: x, dx [rows, in], y, dy [rows, out]. */
static inline void one_layer_forward(struct sr_layer *l, const struct sr_pass *pass, real *y, const real *x,
                                     size_t rows) {
    real *x_blocks = blocks_of(x, rows, l->in), *y_blocks = blocks_of(NULL, rows, l->out);
    for (size_t b = 0; b < sr_blocks(l->out); b++)
        l->kind->forward(l, pass, y_blocks, x_blocks, rows, b);
    blocks_copy(y_blocks, y, true, rows, l->out, sizeof *y);
    sr_free(x_blocks);
    sr_free(y_blocks);
}

/* dx may be NULL. Columnwise kinds work in place, as in a model. */
static inline void one_layer_backward(struct sr_layer *l, real *dx, const real *dy, const real *x,
                                      size_t rows) {
    real *x_blocks = blocks_of(x, rows, l->in), *dy_blocks = blocks_of(dy, rows, l->out);
    real *dx_blocks = l->kind->columnwise ? dy_blocks : blocks_of(NULL, rows, l->in);
    for (size_t b = 0; l->kind->gradient && b < sr_blocks(l->out); b++)
        l->kind->gradient(l, dy_blocks, x_blocks, rows, b);
    for (size_t b = 0; dx && b < sr_blocks(l->in); b++)
        l->kind->backward(l, dx_blocks, dy_blocks, x_blocks, rows, b);
    if (dx)
        blocks_copy(dx_blocks, dx, true, rows, l->in, sizeof *dx);
    if (dx_blocks != dy_blocks)
        sr_free(dx_blocks);
    sr_free(x_blocks);
    sr_free(dy_blocks);
}

static inline void one_layer_free(struct sr_layer *l) {
    for (size_t t = 0; t < l->n_tensors; t++) {
        sr_free(l->tensor[t].data);
        sr_free(l->tensor[t].grad);
        sr_free(l->tensor[t].counter);
    }
    sr_free(l->saved);
}

#endif
