/* double_gradients.c: every handwritten derivative against central differences, in the double build.
 *
 * A layer's loss is a fixed random projection of its output, sum R y: the plain sum would be empty through
 * BatchNorm, whose outputs always sum to the same. Each kind of layers.def is checked, so a new one is tested
 * without writing a test. Differences are signed. The canaries at the end are layers with one fault each: a
 * check that cannot fail proves nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/hash_fill.h"
#include "tests/one_layer.h"

#define LIMIT 1e-6
/* Central differences err by h^2 f'''/6 + 1e-16 f/h: h near the cube root of 1e-16. */
#define STEP 1e-5

static const struct sr_pass pass = {.training = true, .seed = 7, .step = 11};

/* One layer under check: loss = sum of r y. */
struct probe {
    struct sr_layer layer;
    size_t rows, n_in, n_out; /* numbers in x and in y */
    real *x, *r, *y[2], *dx;
};

static struct probe probe_create(const struct sr_layer_kind *kind, size_t in, size_t out, size_t rows) {
    struct probe p = {.rows = rows, .n_in = rows * in, .n_out = rows * out};
    p.layer = one_layer(kind, in, out, 0.3, rows);
    p.x = test_alloc(p.n_in, sizeof(real));
    p.dx = test_alloc(p.n_in, sizeof(real));
    p.r = test_alloc(p.n_out, sizeof(real));
    p.y[0] = test_alloc(p.n_out, sizeof(real));
    p.y[1] = test_alloc(p.n_out, sizeof(real));
    hash_fill(p.x, p.n_in, 1, 2, 0.5);
    hash_fill(p.r, p.n_out, 2, 1, 0);
    for (uint32_t t = 0; t < p.layer.n_tensors; t++)
        if (p.layer.tensor[t].role == SR_ROLE_PARAM)
            hash_fill(p.layer.tensor[t].data, one_tensor_items(&p.layer.tensor[t]), 10 + t, 1, 0);
    return p;
}

static void probe_free(struct probe *p) {
    one_layer_free(&p->layer);
    sr_free(p->x);
    sr_free(p->dx);
    sr_free(p->r);
    sr_free(p->y[0]);
    sr_free(p->y[1]);
}

/* dloss/d*v. Outputs are subtracted one by one, before they are summed: nothing large cancels. */
static double numeric(struct probe *p, real *v) {
    const double middle = *v;
    double up, down, sum = 0;
    *v = up = middle + STEP;
    one_layer_forward(&p->layer, &pass, p->y[0], p->x, p->rows);
    *v = down = middle - STEP;
    one_layer_forward(&p->layer, &pass, p->y[1], p->x, p->rows);
    *v = middle;
    for (size_t i = 0; i < p->n_out; i++)
        sum += p->r[i] * (p->y[0][i] - p->y[1][i]);
    return sum / (up - down);
}

/* Largest |analytic - numeric| over a tensor, relative to the derivative itself, or to a tenth of the
 * tensor's rms where it is smaller than that, being what large terms left over. */
static double tensor_error(struct probe *p, real *values, const real *gradient, size_t n) {
    double *want = test_alloc(n, sizeof *want), squares = 0, worst = 0;
    for (size_t i = 0; i < n; i++) {
        want[i] = numeric(p, values + i);
        squares += want[i] * want[i];
    }
    const double floor = 0.1 * sqrt(squares / (double)n);
    for (size_t i = 0; i < n; i++) {
        const double difference = gradient[i] - want[i];
        if (difference == 0)
            continue;
        const double error = fabs(difference) / fmax(fabs(want[i]), floor);
        if (!(error <= worst))
            worst = isnan(error) ? (double)INFINITY : error;
    }
    sr_free(want);
    return worst;
}

/* All gradients hold NaN before backward: they are overwritten. */
static void backward(struct probe *p, real *dx) {
    for (size_t t = 0; t < p->layer.n_tensors; t++)
        for (size_t i = 0; p->layer.tensor[t].grad && i < one_tensor_items(&p->layer.tensor[t]); i++)
            p->layer.tensor[t].grad[i] = (real)NAN;
    for (size_t i = 0; dx && i < p->n_in; i++)
        dx[i] = (real)NAN;
    one_layer_forward(&p->layer, &pass, p->y[0], p->x, p->rows);
    one_layer_backward(&p->layer, dx, p->r, p->x, p->rows);
}

/* The worst error over the input and every parameter of one layer, with and without the input's gradient. */
static double gradient_error(const struct sr_layer_kind *kind, size_t in, size_t out, size_t rows) {
    struct probe p = probe_create(kind, in, out, rows);
    backward(&p, p.dx);
    double worst = tensor_error(&p, p.x, p.dx, p.n_in);
    for (int with_dx = 1; with_dx >= 0; with_dx--) {
        backward(&p, with_dx ? p.dx : NULL);
        for (size_t t = 0; t < p.layer.n_tensors; t++) {
            struct sr_layer_tensor *tensor = &p.layer.tensor[t];
            if (tensor->role == SR_ROLE_PARAM)
                worst = fmax(worst, tensor_error(&p, tensor->data, tensor->grad, one_tensor_items(tensor)));
        }
    }
    probe_free(&p);
    return worst;
}

/* ---- the layers ---- */

/* Thousands of forward passes over a few numbers each: waking threads would cost more than the work. */
static void one_thread(void) {
    sr_cpu_threads(1);
}

TestSuite(gradients, .init = one_thread);

/* Widths around the blocks of 64 columns, odd ones, single columns. */
static const size_t shapes[][3] = {{1, 1, 3},   {5, 3, 4},  {7, 1, 9},   {1, 6, 5},
                                   {33, 17, 6}, {3, 67, 5}, {130, 35, 4}};

Test(gradients, every_layer_kind) {
    for (const struct sr_layer_kind *const *kind = sr_layer_kinds; *kind; kind++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            const size_t in = shapes[s][0], out = (*kind)->columnwise ? in : shapes[s][1],
                         rows = shapes[s][2];
            const double error = gradient_error(*kind, in, out, rows);
            cr_expect(error < LIMIT, "%s [%zu, %zu] -> %zu: error %g", (*kind)->name, rows, in, out, error);
        }
}

/* ---- the loss ---- */

Test(gradients, focal) {
    const struct sr_focal cases[] = {{0.75, 0.25, 2, 0}, {0.25, 0.75, 2, 0.1}, {3, 1, 0, 0},
                                     {1, 1, 0, 0.2},     {0.9, 0.1, 0.5, 0},   {0.75, 0.25, 1, 0},
                                     {0.6, 0.4, 5, 0}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (int i = -120; i <= 120; i++) {
            const double logit = i / 4.0 + 0.01;
            for (int label = 0; label < 2; label++) {
                double d;
                sr_focal(logit, label, &cases[c], &d);
                const double up = sr_focal(logit + STEP, label, &cases[c], NULL);
                const double down = sr_focal(logit - STEP, label, &cases[c], NULL);
                const double want = (up - down) / (2 * STEP);
                cr_expect(fabs(d - want) <= LIMIT * fabs(want),
                          "weight %g gamma %g logit %g label %d: %g, not %g", cases[c].positive,
                          cases[c].gamma, logit, label, d, want);
            }
        }
}

/* ---- a whole model ---- */

enum { ROWS = 9, WIDTH = 7 };
static const struct sr_model_spec spec = {
    .in = WIDTH, .n_hidden = 2, .hidden = {6, 5}, .dropout = {0.3, 0.2}};
static const struct sr_focal focal = {.positive = 0.75, .negative = 0.25, .gamma = 2};

static double model_loss(struct sr_model *m, const real *x, const uint8_t *y, real *dlogit) {
    sr_model_forward(m, &pass, x, ROWS);
    return sr_focal_mean(dlogit, sr_model_logits(m), y, NULL, ROWS, &focal);
}

Test(gradients, model) {
    struct sr_error err = {0};
    struct sr_model *m = NULL;
    cr_assert_eq(sr_model_create(&m, &spec, ROWS, &err), SR_OK, "%s", err.text);
    sr_model_init(m, 3);
    real x[ROWS * WIDTH], dlogit[ROWS];
    uint8_t y[ROWS];
    double squares = 0;
    double *want = test_alloc(m->n_params, sizeof *want);
    hash_fill(x, ROWS * WIDTH, 1, 1, 0);
    for (size_t r = 0; r < ROWS; r++)
        y[r] = r % 3 == 0;
    for (size_t i = 0; i < m->n_params; i++) {
        const real middle = m->params[i];
        m->params[i] = middle + STEP;
        const double up = model_loss(m, x, y, NULL);
        m->params[i] = middle - STEP;
        want[i] = (up - model_loss(m, x, y, NULL)) / (2 * STEP);
        m->params[i] = middle;
        squares += want[i] * want[i];
    }
    const double floor = 0.1 * sqrt(squares / (double)m->n_params);
    for (int times = 0; times < 2; times++) { /* the second backward overwrites the first */
        model_loss(m, x, y, dlogit);
        sr_model_backward(m, dlogit, ROWS);
        for (size_t i = 0; i < m->n_params; i++) {
            const double error = fabs(m->grads[i] - want[i]) / fmax(fabs(want[i]), floor);
            cr_expect(error < LIMIT, "parameter %zu, backward %d: %g, not %g", i, times, m->grads[i],
                      want[i]);
        }
    }
    sr_free(want);
    sr_model_free(m);
}

/* ---- canaries: one fault each ---- */

static void scaled_input(struct sr_layer *l, real *dx, const real *dy, const real *x, size_t rows, size_t b) {
    sr_layer_linear.backward(l, dx, dy, x, rows, b);
    for (size_t i = 0; i < rows * SR_BLOCK; i++)
        dx[sr_block_at(rows, b) + i] *= 1.001;
}

static void flipped_bias(struct sr_layer *l, const real *dy, const real *x, size_t rows, size_t b) {
    sr_layer_linear.gradient(l, dy, x, rows, b);
    if (b == 0)
        l->tensor[1].grad[0] *= -1;
}

/* Adds to the gradient of the step before, as some frameworks do. */
static void adding(struct sr_layer *l, const real *dy, const real *x, size_t rows, size_t b) {
    const real before = l->tensor[0].grad[b * SR_BLOCK * l->in];
    sr_layer_linear.gradient(l, dy, x, rows, b);
    l->tensor[0].grad[b * SR_BLOCK * l->in] += before;
}

static void adding_input(struct sr_layer *l, real *dx, const real *dy, const real *x, size_t rows, size_t b) {
    const real before = dx[sr_block_at(rows, b)];
    sr_layer_linear.backward(l, dx, dy, x, rows, b);
    dx[sr_block_at(rows, b)] += before;
}

static void first_block_only(struct sr_layer *l, const real *dy, const real *x, size_t rows, size_t b) {
    if (b == 0)
        sr_layer_batchnorm.gradient(l, dy, x, rows, b);
}

/* dx = gamma/deviation (dy - mean(dy) - xhat mean(dy xhat)) without mean(dy). saved: mean, 1/deviation. */
static void without_mean(struct sr_layer *l, real *dx, const real *dy, const real *x, size_t rows, size_t b) {
    const real *scale = (const real *)l->saved + l->out, *sum = l->tensor[1].grad;
    sr_layer_batchnorm.backward(l, dx, dy, x, rows, b);
    for (size_t j = 0; j < sr_block_columns(l->out, b); j++)
        for (size_t r = 0; r < rows; r++) {
            const size_t c = b * SR_BLOCK + j;
            dx[sr_block_at(rows, b) + r * SR_BLOCK + j] +=
                l->tensor[0].data[c] * scale[c] * sum[c] / (double)rows;
        }
}

static void forgotten_scale(struct sr_layer *l, real *dx, const real *dy, const real *x, size_t rows,
                            size_t b) {
    sr_layer_dropout.backward(l, dx, dy, x, rows, b);
    for (size_t i = 0; i < rows * SR_BLOCK; i++)
        dx[sr_block_at(rows, b) + i] *= 1 - l->p;
}

static void tanh_slope(struct sr_layer *l, real *dx, const real *dy, const real *x, size_t rows, size_t b) {
    (void)l;
    const size_t at = sr_block_at(rows, b);
    for (size_t i = at; i < at + rows * SR_BLOCK; i++) {
        const double u = 0.7978845608028654 * (x[i] + 0.044715 * x[i] * x[i] * x[i]), t = tanh(u);
        dx[i] = dy[i] * (0.5 * (1 + t) +
                         0.5 * x[i] * (1 - t * t) * 0.7978845608028654 * (1 + 3 * 0.044715 * x[i] * x[i]));
    }
}

/* A sound kind with one function replaced, over two blocks. */
Test(gradients, canaries_are_caught) {
    static const struct {
        const char *fault;
        const struct sr_layer_kind *sound;
        struct sr_layer_kind faulty;
    } canary[] = {
        {"input gradient 0.1 % too large", &sr_layer_linear, {.backward = scaled_input}},
        {"sign of one bias gradient", &sr_layer_linear, {.gradient = flipped_bias}},
        {"weight gradient added", &sr_layer_linear, {.gradient = adding}},
        {"input gradient added", &sr_layer_linear, {.backward = adding_input}},
        {"gradient of the first block alone", &sr_layer_batchnorm, {.gradient = first_block_only}},
        {"BatchNorm without the mean term", &sr_layer_batchnorm, {.backward = without_mean}},
        {"dropout without its scale", &sr_layer_dropout, {.backward = forgotten_scale}},
        {"slope of the tanh form of GELU", &sr_layer_gelu, {.backward = tanh_slope}},
    };
    for (size_t c = 0; c < sizeof canary / sizeof *canary; c++) {
        struct sr_layer_kind kind = *canary[c].sound;
        kind.gradient = canary[c].faulty.gradient ? canary[c].faulty.gradient : kind.gradient;
        kind.backward = canary[c].faulty.backward ? canary[c].faulty.backward : kind.backward;
        const double sound = gradient_error(canary[c].sound, 66, 66, 6),
                     error = gradient_error(&kind, 66, 66, 6);
        cr_expect(sound < LIMIT, "%s: the sound layer errs by %g", canary[c].fault, sound);
        cr_expect_not(error < 100 * LIMIT, "%s: not caught, error %g", canary[c].fault, error);
    }
}
