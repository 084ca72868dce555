/* double_parity.c: the double build against PyTorch in float64: layers, losses, optimiser, schedule, whole
 * training runs.
 *
 * Both sides work with 16 digits, so that a wrong formula has no noise to hide in: 1e-9 of a tensor's norm
 * after 50 steps of a small router, and after ten of the full-size one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>

#include "tests/parity.h"

/* Sums of some hundred terms of order 1, in another order: 1e-16 each. */
#define ONCE 1e-13

Test(double_parity, layers) {
    layers_compare(ONCE);
}

Test(double_parity, losses) {
    struct sr_safetensors *file = vectors_open("losses");
    const struct sr_tensor *logit_is = sr_safetensors_find(file, "logit");
    const size_t n = sr_tensor_items(logit_is), cases = sr_safetensors_find(file, "cases")->shape[0];
    const double *logit = logit_is->data, *how = sr_safetensors_find(file, "cases")->data;
    const double *bce = sr_safetensors_find(file, "bce")->data;
    const uint8_t *label = sr_safetensors_find(file, "label")->data;
    double *dlogit = test_alloc(n, sizeof *dlogit);
    for (size_t c = 0; c < cases; c++) {
        const struct sr_focal focal = {
            .positive = how[2 * c], .negative = 1 - how[2 * c], .gamma = how[2 * c + 1]};
        char name[32];
        snprintf(name, sizeof name, "focal.%zu", c);
        const double *loss = vector_need(file, "focal", name + 6, n),
                     *grad = vector_need(file, name, "grad", n);
        for (size_t i = 0; i < n; i++) {
            double d;
            const double value = sr_focal(logit[i], label[i], &focal, &d);
            /* Relative, however small: exp amplifies its argument's rounding by up to 300. Below 1e-300
             * PyTorch loses digits to subnormals. */
            cr_expect(fabs(value - loss[i]) <= 1e-12 * loss[i] + 1e-300, "%s logit %g: %.17g, PyTorch %.17g",
                      name, logit[i], value, loss[i]);
            cr_expect(fabs(d - grad[i]) <= 1e-12 * fabs(grad[i]) + 1e-300,
                      "%s slope at %g: %.17g, PyTorch %.17g", name, logit[i], d, grad[i]);
        }
        const double mean = sr_focal_mean(dlogit, logit, label, NULL, n, &focal);
        cr_expect(fabs(mean / *vector_need(file, name, "mean", 1) - 1) < ONCE);
        for (size_t i = 0; i < n; i++)
            cr_expect(fabs(dlogit[i] * (double)n - grad[i]) <= 1e-12 * fabs(grad[i]) + 1e-300);
    }
    for (size_t i = 0; i < n; i++)
        cr_expect(fabs(sr_bce(logit[i], label[i]) - bce[i]) <= 1e-14 * bce[i], "bce at %g", logit[i]);
    sr_free(dlogit);
    sr_safetensors_close(file);
}

/* PyTorch's BCEWithLogitsLoss with pos_weight, a weight a row and smoothed targets. */
Test(double_parity, weighted_cross_entropy) {
    struct sr_safetensors *file = vectors_open("losses");
    const struct sr_tensor *logit_is = sr_safetensors_find(file, "near.logit");
    const size_t n = sr_tensor_items(logit_is), cases = sr_safetensors_find(file, "bce.cases")->shape[0];
    const double *logit = logit_is->data, *how = sr_safetensors_find(file, "bce.cases")->data;
    const uint8_t *label = sr_safetensors_find(file, "near.label")->data;
    const float *weight = sr_safetensors_find(file, "near.weight")->data;
    double *dlogit = test_alloc(n, sizeof *dlogit);
    for (size_t c = 0; c < cases; c++) {
        const struct sr_focal bce = {.positive = how[2 * c], .negative = 1, .smoothing = how[2 * c + 1]};
        char name[32];
        snprintf(name, sizeof name, "bce.%zu", c);
        const double *mean = vector_need(file, name, "mean", 1), *grad = vector_need(file, name, "grad", n);
        /* near: logits below 5, where PyTorch's own formula keeps its digits */
        cr_expect(fabs(sr_focal_mean(dlogit, logit, label, weight, n, &bce) / *mean - 1) < ONCE, "%s", name);
        for (size_t i = 0; i < n; i++)
            cr_expect(fabs(dlogit[i] - grad[i]) < 1e-15, "%s slope at %g: %.17g, PyTorch %.17g", name,
                      logit[i], dlogit[i], grad[i]);
    }
    sr_free(dlogit);
    sr_safetensors_close(file);
}

Test(double_parity, losses_stay_finite) {
    const double huge[] = {1e3, 1e6, 1e300, 1.7e308};
    const struct sr_focal cases[] = {
        {0.75, 0.25, 2, 0}, {0.5, 0.5, 0, 0.1}, {0.75, 0.25, 0.5, 0}, {1, 1, 0, 0}};
    for (size_t i = 0; i < 4; i++)
        for (size_t c = 0; c < 4; c++)
            for (int side = 0; side < 4; side++) {
                double d;
                const double value = sr_focal(side & 1 ? huge[i] : -huge[i], side >> 1, &cases[c], &d);
                cr_expect(isfinite(value) && value >= 0 && isfinite(d), "logit %g: loss %g, slope %g",
                          huge[i], value, d);
            }
}

Test(double_parity, adamw) {
    struct sr_safetensors *file = vectors_open("optimiser");
    adamw_compare(file, "adamw.0", ONCE);
    adamw_compare(file, "adamw.1", ONCE);
    adamw_compare(file, "adamw.2", ONCE);
    sr_safetensors_close(file);
}

/* As a step that moves nothing returns it. */
static double gradient_norm(const double *grads, size_t n) {
    const struct sr_adamw still = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
    double *w = test_alloc(n, sizeof *w), *m = test_alloc(n, sizeof *m), *v = test_alloc(n, sizeof *v);
    const double norm = sr_adamw_step(w, m, v, grads, n, &still, 1);
    sr_free(w);
    sr_free(m);
    sr_free(v);
    return norm;
}

Test(double_parity, clip) {
    struct sr_safetensors *file = vectors_open("optimiser");
    for (int c = 0; c < 4; c++) {
        char name[32];
        snprintf(name, sizeof name, "clip.%d", c);
        const size_t n = sr_tensor_items(vector_find(file, name, "grads"));
        const double *grads = vector_need(file, name, "grads", n),
                     *clipped = vector_need(file, name, "clipped", n);
        const double norm = gradient_norm(grads, n);
        const double scale = sr_clip_scale(norm, *vector_need(file, name, "max", 1));
        cr_expect(fabs(norm / *vector_need(file, name, "norm", 1) - 1) < ONCE);
        for (size_t i = 0; i < n; i++)
            cr_expect(fabs(grads[i] * scale - clipped[i]) <= ONCE * fabs(clipped[i]));
    }
    cr_expect_eq(sr_clip_scale(5, 0), 1);
    sr_safetensors_close(file);
}

Test(double_parity, schedule) {
    struct sr_safetensors *file = vectors_open("optimiser");
    const struct sr_schedule how = {.lr = 5e-4, .eta_min = 1e-6, .t0 = 50, .t_mult = 2};
    const double *lr = vector_need(file, "schedule", "lr", 400);
    for (uint64_t epoch = 0; epoch < 400; epoch++)
        cr_expect(fabs(sr_schedule_lr(&how, epoch) - lr[epoch]) < 1e-16, "epoch %d: %.17g, PyTorch %.17g",
                  (int)epoch, sr_schedule_lr(&how, epoch), lr[epoch]);
    sr_safetensors_close(file);
}

/* t_mult 1: every cycle is as long as the first (the vectors have t_mult 2). */
Test(double_parity, schedule_repeats) {
    const struct sr_schedule how = {.lr = 1, .eta_min = 0.25, .t0 = 4, .t_mult = 1};
    const double lr[] = {1, 0.25 + 0.75 * (1 + sqrt(0.5)) / 2, 0.625, 0.25 + 0.75 * (1 - sqrt(0.5)) / 2};
    for (uint64_t epoch = 0; epoch < 40; epoch++)
        cr_expect(fabs(sr_schedule_lr(&how, epoch) - lr[epoch % 4]) < 1e-15);
}

Test(double_parity, fifty_steps_small) {
    parity_compare(&run_small, "small.f64", 1e-11, &(struct parity_limits){.relative = 1e-9, .noise = 1e-9});
}

Test(double_parity, ten_steps_full_size) {
    parity_compare(&run_full, "full.f64", 1e-11,
                   &(struct parity_limits){.relative = 1e-9, .noise = 1e-9, .projected = true});
}
