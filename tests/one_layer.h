/* one_layer.h: a single layer outside a model, with its own memory, for tests of one kind of layers.def.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_ONE_LAYER_H
#define SR_TEST_ONE_LAYER_H

#include <criterion/criterion.h>

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

static inline void one_layer_free(struct sr_layer *l) {
    for (size_t t = 0; t < l->n_tensors; t++) {
        sr_free(l->tensor[t].data);
        sr_free(l->tensor[t].grad);
        sr_free(l->tensor[t].counter);
    }
    sr_free(l->saved);
}

#endif
