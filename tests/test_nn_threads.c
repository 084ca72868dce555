/* test_nn_threads.c: full-size training steps give the same bits on 1, 2 and 4 threads, and allocate nothing.
 *
 * A build without OpenMP still shows that a rerun has the same bits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/hash_fill.h"
#include "tests/training.h"

#define BATCH 64
#define STEPS 3

static void step(struct training *t) {
    const struct sr_pass pass = {.training = true, .seed = 5, .step = t->step};
    hash_fill(t->x, t->batch * t->model->spec.in, 1000 + (uint32_t)t->step, 1, 0);
    for (size_t r = 0; r < t->batch; r++)
        t->y[r] = hash_bits(2000 + (uint32_t)t->step, r) >> 30 == 0;
    training_step(t, &pass);
}

static struct training trained(int threads, size_t batch) {
    sr_cpu_threads(threads);
    const struct sr_model_spec spec = sr_model_spec_seed(2048);
    struct training t = training_create(&spec, batch);
    sr_model_init(t.model, 9);
    for (int i = 0; i < STEPS; i++)
        step(&t);
    return t;
}

static void same_bits(const char *what, const void *a, const void *b, size_t bytes) {
    cr_expect(memcmp(a, b, bytes) == 0, "%s differ", what);
}

static void compare(int threads, size_t batch) {
    struct training one = trained(1, batch), many = trained(threads, batch);
    const size_t bytes = one.model->n_params * sizeof(real);
    same_bits("weights", one.model->params, many.model->params, bytes);
    same_bits("gradients", one.model->grads, many.model->grads, bytes);
    same_bits("first moments", one.exp_avg, many.exp_avg, bytes);
    same_bits("second moments", one.exp_avg_sq, many.exp_avg_sq, bytes);
    same_bits("running statistics", one.model->state, many.model->state, one.model->n_state * sizeof(real));
    same_bits("losses", &one.loss, &many.loss, sizeof one.loss);
    same_bits("norms", &one.norm, &many.norm, sizeof one.norm);
    training_free(&one);
    training_free(&many);
}

Test(nn_threads, two) {
    compare(2, BATCH);
}

Test(nn_threads, four) {
    compare(4, BATCH);
}

/* Rows that divide by nothing. */
Test(nn_threads, odd_batch) {
    compare(3, 67);
}

/* The evaluation pass, and inputs changed by one bit: a comparison that could not fail would say nothing. */
Test(nn_threads, evaluation) {
    struct training t = trained(1, BATCH);
    const struct sr_pass pass = {.training = false};
    real logits[BATCH];
    sr_model_forward(t.model, &pass, t.x, BATCH);
    memcpy(logits, sr_model_logits(t.model), sizeof logits);
    sr_cpu_threads(4);
    sr_model_forward(t.model, &pass, t.x, BATCH);
    same_bits("logits", logits, sr_model_logits(t.model), sizeof logits);
    t.x[0] += 1;
    sr_model_forward(t.model, &pass, t.x, BATCH);
    cr_expect(memcmp(logits, sr_model_logits(t.model), sizeof logits) != 0);
    training_free(&t);
}

Test(nn_threads, steps_allocate_nothing) {
    struct training t = trained(2, BATCH);
    const uint64_t before = sr_alloc_count();
    for (int i = 0; i < STEPS; i++)
        step(&t);
    cr_expect_eq(sr_alloc_count(), before, "%d steps made %d allocations", STEPS,
                 (int)(sr_alloc_count() - before));
    sr_free(test_alloc(1, 1));
    cr_expect_eq(sr_alloc_count(), before + 1);
    training_free(&t);
}
