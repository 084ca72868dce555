/* training.h: the seed's training step as tests run it, on a model of any size: focal loss (alpha .75, gamma
 * 2, mean), backward, clip to norm 1, AdamW lr 5e-4 with decay .01 on every parameter.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_TRAINING_H
#define SR_TEST_TRAINING_H

#include "tests/one_layer.h"
#include "train/train.h"

#define TRAINING_LR 5e-4

struct training {
    struct sr_model *model;
    size_t batch;
    uint64_t step; /* steps done */
    real *exp_avg, *exp_avg_sq, *x, *dlogit;
    uint8_t *y;
    double loss, norm; /* of the last step; the norm before clipping */
};

static inline struct training training_create(const struct sr_model_spec *spec, size_t batch) {
    struct sr_error err = {0};
    struct training t = {.batch = batch};
    cr_assert_eq(sr_model_create(&t.model, spec, batch, &err), SR_OK, "%s", err.text);
    t.exp_avg = test_alloc(t.model->n_params, sizeof(real));
    t.exp_avg_sq = test_alloc(t.model->n_params, sizeof(real));
    t.x = test_alloc(batch * spec->in, sizeof(real));
    t.dlogit = test_alloc(batch, sizeof(real));
    t.y = test_alloc(batch, 1);
    return t;
}

static inline void training_free(struct training *t) {
    sr_model_free(t->model);
    sr_free(t->exp_avg);
    sr_free(t->exp_avg_sq);
    sr_free(t->x);
    sr_free(t->dlogit);
    sr_free(t->y);
}

/* One step on t->x and t->y. */
static inline void training_step(struct training *t, const struct sr_pass *pass) {
    const struct sr_focal focal = {.positive = 0.75, .negative = 0.25, .gamma = 2};
    const struct sr_adamw adamw = {
        .lr = TRAINING_LR, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.01, .max_norm = 1};
    struct sr_model *m = t->model;
    sr_model_forward(m, pass, t->x, t->batch);
    t->loss = sr_focal_mean(t->dlogit, sr_model_logits(m), t->y, NULL, t->batch, &focal);
    sr_model_backward(m, t->dlogit, t->batch);
    t->step++;
    t->norm = sr_adamw_step(m->params, t->exp_avg, t->exp_avg_sq, m->grads, m->n_params, &adamw, t->step);
}

#endif
