/* model_tensors.c: a model as the named tensors of a weights file, PyTorch's state-dict keys (cls.N.weight,
 * ...).
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "nn/nn.h"

const char *sr_model_key(const struct sr_layer *l, const struct sr_layer_tensor *t,
                         char key[SR_TENSOR_NAME]) {
    snprintf(key, SR_TENSOR_NAME, "cls.%zu.%s", l->index, t->name);
    return key;
}

size_t sr_model_tensor_count(const struct sr_model *m) {
    size_t n = 0;
    for (size_t i = 0; i < m->n_layers; i++)
        n += m->layer[i].n_tensors;
    return n;
}

void sr_model_tensors(const struct sr_model *m, struct sr_tensor *list) {
    for (size_t i = 0; i < m->n_layers; i++)
        for (size_t t = 0; t < m->layer[i].n_tensors; t++, list++) {
            const struct sr_layer_tensor *tensor = &m->layer[i].tensor[t];
            const bool counter = tensor->role == SR_ROLE_COUNTER;
            *list = (struct sr_tensor){.dtype = counter             ? SR_I64
                                                : sizeof(real) == 4 ? SR_F32
                                                                    : SR_F64,
                                       .rank = tensor->rank,
                                       .shape = {tensor->shape[0], tensor->shape[1]},
                                       .data = counter ? (void *)tensor->counter : (void *)tensor->data};
            sr_model_key(&m->layer[i], tensor, list->name);
        }
}

int sr_model_load(struct sr_model *m, const struct sr_safetensors *file, struct sr_error *err) {
    const size_t n = sr_model_tensor_count(m);
    struct sr_tensor *list = sr_alloc(n, sizeof *list, err);
    if (!list)
        return SR_NOMEM;
    sr_model_tensors(m, list);
    const int status = sr_safetensors_copy(file, list, n, err);
    sr_free(list);
    return status;
}
