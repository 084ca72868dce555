/* model.c: the chain of layers: planning, memory, forward and backward through all of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "nn/nn.h"

const struct sr_layer_kind *const sr_layer_kinds[] = {
#define SR_LAYER(name) &sr_layer_##name,
#include "nn/layers.def"
#undef SR_LAYER
    NULL};

struct sr_model_spec sr_model_spec_seed(size_t in) {
    return (struct sr_model_spec){
        .in = in, .n_hidden = 3, .hidden = {1024, 512, 256}, .dropout = {0.3, 0.3, 0.2}};
}

static int spec_check(const struct sr_model_spec *spec, size_t max_rows, struct sr_error *err) {
    if (spec->in < 1 || spec->in > SR_WIDTH_MAX)
        return sr_fail(err, SR_USAGE, "a model cannot read %zu features a row; 1 to %d are possible",
                       spec->in, SR_WIDTH_MAX);
    if (spec->n_hidden > SR_HIDDEN_MAX)
        return sr_fail(err, SR_USAGE, "%zu hidden layers are too many; at most %d", spec->n_hidden,
                       SR_HIDDEN_MAX);
    for (size_t i = 0; i < spec->n_hidden; i++) {
        if (spec->hidden[i] < 1 || spec->hidden[i] > SR_WIDTH_MAX)
            return sr_fail(err, SR_USAGE, "hidden layer %zu has width %zu; 1 to %d are possible", i + 1,
                           spec->hidden[i], SR_WIDTH_MAX);
        if (!(spec->dropout[i] >= 0 && spec->dropout[i] < 1))
            return sr_fail(err, SR_USAGE,
                           "dropout of hidden layer %zu is %g; it must be at least 0 and below 1", i + 1,
                           spec->dropout[i]);
    }
    if (max_rows < 1 || max_rows > SR_ROWS_MAX)
        return sr_fail(err, SR_USAGE, "batches of %zu rows are not possible; 1 to %u are", max_rows,
                       SR_ROWS_MAX);
    return SR_OK;
}

static void layer_plan(struct sr_model *m, const struct sr_layer_kind *kind, size_t in, size_t out,
                       double p) {
    struct sr_layer *l = &m->layer[m->n_layers];
    *l = (struct sr_layer){.kind = kind, .in = in, .out = out, .p = p, .index = m->n_layers};
    m->n_layers++;
    if (kind->describe)
        kind->describe(l);
}

static void chain_plan(struct sr_model *m) {
    const struct sr_model_spec *spec = &m->spec;
    size_t in = spec->in;
    for (size_t i = 0; i < spec->n_hidden; i++) {
        const size_t out = spec->hidden[i];
        layer_plan(m, &sr_layer_linear, in, out, 0);
        layer_plan(m, &sr_layer_batchnorm, out, out, 0);
        layer_plan(m, &sr_layer_gelu, out, out, 0);
        layer_plan(m, &sr_layer_dropout, out, out, spec->dropout[i]);
        in = out;
    }
    layer_plan(m, &sr_layer_linear, in, 1, 0);
}

static size_t tensor_items(const struct sr_layer_tensor *t) {
    return t->rank == 2 ? t->shape[0] * t->shape[1] : t->rank == 1 ? t->shape[0] : 1;
}

/* Points every tensor of a layer into the blocks, or only counts. */
static void layer_tensors_carve(struct sr_model *m, struct sr_layer *l, size_t *params, size_t *state) {
    for (size_t t = 0; t < l->n_tensors; t++) {
        struct sr_layer_tensor *tensor = &l->tensor[t];
        size_t *used = tensor->role == SR_ROLE_PARAM ? params : state;
        if (tensor->role == SR_ROLE_COUNTER) {
            tensor->counter = sr_arena_take(&m->arena, 1, sizeof(int64_t));
            continue;
        }
        if (m->params) {
            tensor->data = (tensor->role == SR_ROLE_PARAM ? m->params : m->state) + *used;
            tensor->grad = tensor->role == SR_ROLE_PARAM ? m->grads + *used : NULL;
        }
        *used += tensor_items(tensor);
    }
}

static size_t widest(const struct sr_model *m) {
    size_t width = 1;
    for (size_t i = 0; i < m->n_layers; i++)
        width = m->layer[i].out > width ? m->layer[i].out : width;
    return width;
}

/* Once to count, once to hand out (alloc.h). n_params and n_state are known from the counting round. */
static void memory_carve(struct sr_model *m) {
    size_t params = 0, state = 0;
    m->params = sr_arena_take(&m->arena, m->n_params, sizeof(real));
    m->grads = sr_arena_take(&m->arena, m->n_params, sizeof(real));
    m->state = sr_arena_take(&m->arena, m->n_state, sizeof(real));
    for (size_t i = 0; i < m->n_layers; i++) {
        struct sr_layer *l = &m->layer[i];
        layer_tensors_carve(m, l, &params, &state);
        l->saved_bytes = l->kind->saved_size ? l->kind->saved_size(l, m->max_rows) : 0;
        l->saved = sr_arena_take(&m->arena, l->saved_bytes, 1);
        m->activation[i] = i > 0 && l->kind->in_place
                               ? m->activation[i - 1]
                               : sr_arena_take(&m->arena, sr_blocks_size(m->max_rows, l->out), sizeof(real));
    }
    m->n_params = params;
    m->n_state = state;
    for (int i = 0; i < 2; i++)
        m->dactivation[i] = sr_arena_take(&m->arena, sr_blocks_size(m->max_rows, widest(m)), sizeof(real));
    m->input = sr_arena_take(&m->arena, sr_blocks_size(m->max_rows, m->spec.in), sizeof(real));
    m->logits = sr_arena_take(&m->arena, m->max_rows, sizeof(real));
}

int sr_model_create(struct sr_model **out, const struct sr_model_spec *spec, size_t max_rows,
                    struct sr_error *err) {
    *out = NULL;
    int status = spec_check(spec, max_rows, err);
    if (status < 0)
        return status;
    struct sr_model *m = sr_alloc(1, sizeof *m, err);
    if (!m)
        return SR_NOMEM;
    const size_t n_layers = 4 * spec->n_hidden + 1;
    m->spec = *spec;
    m->max_rows = max_rows;
    status = SR_NOMEM;
    m->layer = sr_alloc(n_layers, sizeof *m->layer, err);
    m->activation = sr_alloc(n_layers, sizeof *m->activation, err);
    if (!m->layer || !m->activation)
        goto out;
    chain_plan(m);
    memory_carve(m); /* n_params and n_state */
    m->arena = (struct sr_arena){0};
    memory_carve(m); /* bytes */
    status = sr_arena_allocate(&m->arena, err);
    if (status < 0)
        goto out;
    memory_carve(m);
    *out = m;
    m = NULL;
out:
    sr_model_free(m);
    return status;
}

void sr_model_free(struct sr_model *m) {
    if (!m)
        return;
    sr_free(m->arena.base);
    sr_free(m->layer);
    sr_free(m->activation);
    sr_free(m);
}

void sr_model_init(struct sr_model *m, uint64_t seed) {
    for (size_t i = 0; i < m->n_layers; i++)
        if (m->layer[i].kind->init)
            m->layer[i].kind->init(&m->layer[i], seed);
}

/* ---- passes ----
 *
 * A section of the chain is a layer that reads all columns of what is below it, and the columnwise layers on
 * top of it. One thread takes a block of its columns through the whole section, while it is in the cache;
 * threads wait for each other only between sections. Backward, a block begins as its part of the input
 * gradient of the section above and ends as the rows of the weight gradient that belong to it.
 */

static size_t section_end(const struct sr_model *m, size_t first) {
    size_t end = first + 1;
    while (end < m->n_layers && m->layer[end].kind->columnwise)
        end++;
    return end;
}

static size_t section_first(const struct sr_model *m, size_t end) {
    size_t first = end - 1;
    while (first > 0 && m->layer[first].kind->columnwise)
        first--;
    return first;
}

static const real *input_of(const struct sr_model *m, size_t layer) {
    return layer > 0 ? m->activation[layer - 1] : m->input;
}

/* Row r of features into its place in every block of m->input. */
static void input_take(struct sr_model *m, const real *x, size_t rows, size_t r) {
    const size_t in = m->spec.in;
    for (size_t b = 0; b < sr_blocks(in); b++)
        memcpy(m->input + sr_block_at(rows, b) + r * SR_BLOCK, x + r * in + b * SR_BLOCK,
               sr_block_columns(in, b) * sizeof *x);
}

void sr_model_forward(struct sr_model *m, const struct sr_pass *pass, const real *x, size_t rows) {
#pragma omp parallel
    {
#pragma omp for schedule(static)
        for (size_t r = 0; r < rows; r++)
            input_take(m, x, rows, r);
        for (size_t first = 0, end; first < m->n_layers; first = end) {
            end = section_end(m, first);
#pragma omp for schedule(static)
            for (size_t b = 0; b < sr_blocks(m->layer[first].out); b++)
                for (size_t i = first; i < end; i++)
                    m->layer[i].kind->forward(&m->layer[i], pass, m->activation[i], input_of(m, i), rows, b);
        }
    }
    for (size_t r = 0; r < rows; r++)
        m->logits[r] = m->activation[m->n_layers - 1][r * SR_BLOCK];
}

const real *sr_model_logits(const struct sr_model *m) {
    return m->logits;
}

/* Block b of d becomes the gradient of the outputs of layer `first`; above is that of layer `end`. */
static void section_backward(struct sr_model *m, size_t first, size_t end, real *d, const real *above,
                             size_t rows, size_t b) {
    if (end < m->n_layers)
        m->layer[end].kind->backward(&m->layer[end], d, above, input_of(m, end), rows, b);
    for (size_t i = end; i-- > first;) {
        struct sr_layer *l = &m->layer[i];
        if (l->kind->gradient)
            l->kind->gradient(l, d, input_of(m, i), rows, b);
        if (i > first)
            l->kind->backward(l, d, d, input_of(m, i), rows, b);
    }
}

void sr_model_backward(struct sr_model *m, const real *dlogit, size_t rows) {
    for (size_t r = 0; r < rows; r++)
        m->dactivation[0][r * SR_BLOCK] = dlogit[r];
#pragma omp parallel
    for (size_t end = m->n_layers, first, turn = 0; end > 0; end = first, turn = !turn) {
        first = section_first(m, end);
#pragma omp for schedule(static)
        for (size_t b = 0; b < sr_blocks(m->layer[first].out); b++)
            section_backward(m, first, end, m->dactivation[turn], m->dactivation[!turn], rows, b);
    }
}
