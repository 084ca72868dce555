/* parity.h: comparing with what PyTorch computed (tests/vectors, made by scripts/make_vectors.py).
 *
 * double_parity.c and test_nn_parity.c run the same comparisons in double and in float; the tolerances are
 * theirs. A tensor's error is ||ours - theirs|| / ||theirs||. A comparison is written so that a NaN fails it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_PARITY_H
#define SR_TEST_PARITY_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/hash_fill.h"
#include "tests/training.h"
#include "tests/vectors.h"

static inline void vector_copy(real *out, const struct sr_safetensors *file, const char *prefix,
                               const char *name, size_t n) {
    const double *from = vector_need(file, prefix, name, n);
    for (size_t i = 0; i < n; i++)
        out[i] = (real)from[i];
}

static inline double largest_error(const real *ours, const double *theirs, size_t n) {
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        const double error = fabs((double)ours[i] - theirs[i]);
        if (!(error <= worst))
            worst = isnan(error) ? (double)INFINITY : error;
    }
    return worst;
}

static inline double norm_error(const real *ours, const double *theirs, size_t n) {
    double error = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = (double)ours[i] - theirs[i];
        error += d * d;
        norm += theirs[i] * theirs[i];
    }
    return sqrt(error / norm);
}

/* ---- single layers ---- */

static inline void expect_close(const struct sr_safetensors *file, const char *prefix, const char *name,
                                const real *ours, size_t n, double tolerance) {
    const double error = norm_error(ours, vector_need(file, prefix, name, n), n);
    cr_expect(error < tolerance, "%s.%s: error %g, allowed %g", prefix, name, error, tolerance);
}

static inline void layer_inputs(struct sr_layer *l, const struct sr_safetensors *file) {
    const char *kind = l->kind->name;
    for (size_t t = 0; t < l->n_tensors; t++)
        if (l->tensor[t].data)
            vector_copy(l->tensor[t].data, file, kind, l->tensor[t].name, one_tensor_items(&l->tensor[t]));
    const struct sr_tensor *keep = vector_find(file, kind, "keep");
    if (keep)
        blocks_copy(l->saved, keep->data, false, keep->shape[0], l->out, 1);
}

/* Parameter gradients and state after one step. */
static inline void layer_results(const struct sr_layer *l, const struct sr_safetensors *file,
                                 double tolerance) {
    char name[SR_TENSOR_NAME];
    for (size_t t = 0; t < l->n_tensors; t++) {
        const struct sr_layer_tensor *tensor = &l->tensor[t];
        snprintf(name, sizeof name, "%s.%s", tensor->name, tensor->role == SR_ROLE_PARAM ? "grad" : "after");
        if (tensor->role == SR_ROLE_COUNTER)
            cr_expect_eq((double)*tensor->counter, *vector_need(file, l->kind->name, name, 1));
        else
            expect_close(file, l->kind->name, name,
                         tensor->role == SR_ROLE_PARAM ? tensor->grad : tensor->data,
                         one_tensor_items(tensor), tolerance);
    }
}

/* Output, gradients and state of one kind against PyTorch's. False if there are no vectors for it. */
static inline bool layer_compare(const struct sr_layer_kind *kind, const struct sr_safetensors *file,
                                 double tolerance) {
    const struct sr_tensor *x_is = vector_find(file, kind->name, "x"),
                           *y_is = vector_find(file, kind->name, "y");
    if (!x_is || !y_is)
        return false;
    const size_t rows = x_is->shape[0], in = x_is->shape[1], out = y_is->shape[1];
    const double p = vector_find(file, kind->name, "p") ? *vector_need(file, kind->name, "p", 1) : 0;
    struct sr_layer l = one_layer(kind, in, out, p, rows);
    real *x = test_alloc(rows * in, sizeof(real)), *dx = test_alloc(rows * in, sizeof(real));
    real *y = test_alloc(rows * out, sizeof(real)), *dy = test_alloc(rows * out, sizeof(real));
    struct sr_pass pass = {.training = true, .masks_given = true};
    layer_inputs(&l, file);
    vector_copy(x, file, kind->name, "x", rows * in);
    vector_copy(dy, file, kind->name, "dy", rows * out);
    one_layer_forward(&l, &pass, y, x, rows);
    one_layer_backward(&l, dx, dy, x, rows);
    expect_close(file, kind->name, "y", y, rows * out, tolerance);
    expect_close(file, kind->name, "dx", dx, rows * in, tolerance);
    layer_results(&l, file, tolerance);
    if (vector_find(file, kind->name, "y.eval")) {
        pass.training = false;
        one_layer_forward(&l, &pass, y, x, rows);
        expect_close(file, kind->name, "y.eval", y, rows * out, tolerance);
    }
    one_layer_free(&l);
    sr_free(x);
    sr_free(dx);
    sr_free(y);
    sr_free(dy);
    return true;
}

static inline void layers_compare(double tolerance) {
    struct sr_safetensors *file = vectors_open("layers");
    size_t compared = 0;
    for (const struct sr_layer_kind *const *kind = sr_layer_kinds; *kind; kind++) {
        if (layer_compare(*kind, file, tolerance))
            compared++;
        else
            cr_log_warn("no vectors for layer kind %s: not compared with PyTorch", (*kind)->name);
    }
    cr_expect_geq(compared, 4);
    sr_safetensors_close(file);
}

/* ---- AdamW ---- */

/* Every step's weights of case adamw.CASE. */
static inline void adamw_compare(const struct sr_safetensors *file, const char *name, double tolerance) {
    const double *how = vector_need(file, name, "how", 5);
    const struct sr_adamw adamw = {
        .lr = how[0], .beta1 = how[1], .beta2 = how[2], .eps = how[3], .weight_decay = how[4]};
    const struct sr_tensor *grads = vector_find(file, name, "grads");
    const size_t steps = grads->shape[0], n = grads->shape[1];
    const double *weights = vector_need(file, name, "weights", steps * n);
    real *g = test_alloc(steps * n, sizeof(real)), *w = test_alloc(n, sizeof(real));
    real *m = test_alloc(n, sizeof(real)), *v = test_alloc(n, sizeof(real));
    vector_copy(g, file, name, "grads", steps * n);
    vector_copy(w, file, name, "before", n);
    for (size_t t = 0; t < steps; t++) {
        sr_adamw_step(w, m, v, g + t * n, n, &adamw, t + 1);
        const double error = largest_error(w, weights + t * n, n);
        cr_expect(error < tolerance, "%s step %zu: error %g, allowed %g", name, t + 1, error, tolerance);
    }
    sr_free(g);
    sr_free(w);
    sr_free(m);
    sr_free(v);
}

/* ---- whole training runs ---- */

struct parity_run {
    struct sr_model_spec spec;
    size_t batch, steps;
};

static const struct parity_run run_small = {
    {.in = 24, .n_hidden = 3, .hidden = {16, 12, 8}, .dropout = {0.3, 0.3, 0.2}}, 32, 50};
static const struct parity_run run_full = {
    {.in = 2048, .n_hidden = 3, .hidden = {1024, 512, 256}, .dropout = {0.3, 0.3, 0.2}}, 256, 10};

#define LOUD                                                                                                 \
    4 /* on the first weights of the last layer: brings gradient norms to both sides of the clip's 1 */

static inline void parity_fill(struct sr_model *m) {
    uint32_t stream = 100;
    for (size_t i = 0; i < m->n_layers; i++)
        for (size_t t = 0; t < m->layer[i].n_tensors; t++, stream++) {
            const struct sr_layer_tensor *tensor = &m->layer[i].tensor[t];
            const size_t n = one_tensor_items(tensor);
            if (tensor->role == SR_ROLE_COUNTER)
                continue;
            if (tensor->rank == 2) {
                const double kaiming = exp2(round(log2(sqrt(6.0 / (double)tensor->shape[1]))));
                hash_fill(tensor->data, n, stream, tensor->shape[0] == 1 ? LOUD * kaiming : kaiming, 0);
            } else if (!strcmp(tensor->name, "weight") || !strcmp(tensor->name, "running_var"))
                hash_fill(tensor->data, n, stream, 0.25, 1);
            else
                hash_fill(tensor->data, n, stream, 0.125, 0);
        }
}

static inline void keep_fill(struct sr_layer *l, size_t rows, uint32_t stream) {
    uint8_t *keep = test_alloc(rows * l->out, 1);
    hash_keep(keep, rows * l->out, stream, l->p);
    blocks_copy(l->saved, keep, false, rows, l->out, 1);
    sr_free(keep);
}

static inline void parity_step_inputs(struct training *t) {
    const uint32_t step = (uint32_t)t->step;
    uint32_t drop = 0;
    hash_fill(t->x, t->batch * t->model->spec.in, 1000 + step, 1, 0);
    for (size_t r = 0; r < t->batch; r++)
        t->y[r] = hash_bits(2000 + step, r) >> 30 == 0;
    for (size_t i = 0; i < t->model->n_layers; i++) {
        struct sr_layer *l = &t->model->layer[i];
        if (l->kind == &sr_layer_dropout)
            keep_fill(l, t->batch, 10000 + 100 * step + drop++);
    }
}

/* All steps of the run; loss and gradient norm of each against the file's PREFIX.history. */
static inline struct training parity_train(const struct parity_run *run, const struct sr_safetensors *file,
                                           const char *prefix, double tolerance) {
    const struct sr_pass pass = {.training = true, .masks_given = true};
    const double *history = vector_need(file, prefix, "history", 2 * run->steps);
    struct training t = training_create(&run->spec, run->batch);
    parity_fill(t.model);
    for (size_t i = 0; i < run->steps; i++) {
        parity_step_inputs(&t);
        training_step(&t, &pass);
        const double loss_error = fabs(t.loss / history[2 * i] - 1),
                     norm_off = fabs(t.norm / history[2 * i + 1] - 1);
        cr_expect(loss_error < tolerance, "%s step %zu: loss %.17g, PyTorch %.17g", prefix, i + 1, t.loss,
                  history[2 * i]);
        cr_expect(norm_off < tolerance, "%s step %zu: norm %.17g, PyTorch %.17g", prefix, i + 1, t.norm,
                  history[2 * i + 1]);
    }
    return t;
}

/* A bias that BatchNorm takes away again: its true gradient is 0, and AdamW makes steps of up to lr out of
 * rounding. */
static inline bool gradient_is_noise(const struct sr_layer *l, const struct sr_layer_tensor *t) {
    return l->kind == &sr_layer_linear && l->out > 1 && !strcmp(t->name, "bias");
}

#define PROJECTIONS 16

struct tensor_error {
    double absolute, relative;
};

/* ||ours - theirs|| from the whole tensor. */
static inline struct tensor_error error_whole(const real *ours, const double *theirs, size_t n) {
    return (struct tensor_error){largest_error(ours, theirs, n), norm_error(ours, theirs, n)};
}

/* The same, estimated: theirs holds the norm and 16 sums under hashed signs; rms of their differences.
 * Absolute: that norm over sqrt(n), an average instead of the largest. */
static inline struct tensor_error error_projected(const real *ours, const double *theirs, size_t n,
                                                  uint32_t stream) {
    double sum[PROJECTIONS] = {0}, squares = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t signs = hash_bits(stream, i);
        for (int k = 0; k < PROJECTIONS; k++)
            sum[k] += signs >> k & 1 ? (double)ours[i] : -(double)ours[i];
    }
    for (int k = 0; k < PROJECTIONS; k++)
        squares += (sum[k] - theirs[k + 1]) * (sum[k] - theirs[k + 1]);
    const double norm = sqrt(squares / PROJECTIONS);
    return (struct tensor_error){norm / sqrt((double)n), norm / theirs[0]};
}

struct parity_limits {
    double relative; /* of a tensor's norm */
    double noise;    /* largest difference where the gradient is noise */
    double
        mean; /* largest difference of running means, which carry that noise; 0: relative, like the others */
    bool projected;
};

static inline void parity_tensor(const struct sr_layer *l, const struct sr_layer_tensor *tensor,
                                 uint32_t stream, const struct sr_safetensors *file, const char *prefix,
                                 const struct parity_limits *limits) {
    char key[SR_TENSOR_NAME];
    const size_t n = one_tensor_items(tensor);
    const double *theirs =
        vector_need(file, prefix, sr_model_key(l, tensor, key), limits->projected ? PROJECTIONS + 1 : n);
    if (tensor->role == SR_ROLE_COUNTER) {
        cr_expect_eq((double)*tensor->counter, theirs[0], "%s.%s", prefix, key);
        return;
    }
    const struct tensor_error error = limits->projected ? error_projected(tensor->data, theirs, n, stream)
                                                        : error_whole(tensor->data, theirs, n);
    const double absolute = gradient_is_noise(l, tensor)                                ? limits->noise
                            : limits->mean > 0 && !strcmp(tensor->name, "running_mean") ? limits->mean
                                                                                        : 0;
    if (absolute > 0)
        cr_expect(error.absolute < absolute, "%s.%s: off by %g, allowed %g", prefix, key, error.absolute,
                  absolute);
    else
        cr_expect(error.relative < limits->relative, "%s.%s: error %g, allowed %g", prefix, key,
                  error.relative, limits->relative);
}

/* Trains and compares every tensor. */
static inline void parity_compare(const struct parity_run *run, const char *prefix, double history,
                                  const struct parity_limits *limits) {
    struct sr_safetensors *file = vectors_open("routers");
    struct training t = parity_train(run, file, prefix, history);
    uint32_t stream = 500;
    for (size_t i = 0; i < t.model->n_layers; i++)
        for (size_t k = 0; k < t.model->layer[i].n_tensors; k++, stream++)
            parity_tensor(&t.model->layer[i], &t.model->layer[i].tensor[k], stream, file, prefix, limits);
    training_free(&t);
    sr_safetensors_close(file);
}

#endif
