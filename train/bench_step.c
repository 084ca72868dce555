/* bench_step.c: see bench_step.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/bench_step.h"
#include "train/config.h"

static void carve(struct sr_bench_step *s) {
    s->exp_avg = sr_arena_take(&s->arena, s->model->n_params, sizeof(real));
    s->exp_avg_sq = sr_arena_take(&s->arena, s->model->n_params, sizeof(real));
    s->dlogit = sr_arena_take(&s->arena, s->model->max_rows, sizeof(real));
}

int sr_bench_step_create(struct sr_bench_step *s, size_t in, size_t max_rows, struct sr_error *err) {
    struct sr_config recipe;
    struct sr_options defaults;
    *s = (struct sr_bench_step){0};
    int status = sr_options_begin(&defaults, sr_config_table, sr_config_count, &recipe, err);
    if (status < 0)
        return status;
    const struct sr_model_spec spec = sr_config_model(&recipe, in);
    s->loss = sr_config_loss(&recipe);
    s->how = sr_config_adamw(&recipe, recipe.lr);
    sr_options_end(&defaults);
    status = sr_model_create(&s->model, &spec, max_rows, err);
    if (status < 0)
        return status;
    carve(s);
    status = sr_arena_allocate(&s->arena, err);
    if (status == SR_OK) {
        carve(s);
        sr_model_init(s->model, 1);
    }
    return status;
}

void sr_bench_step_free(struct sr_bench_step *s) {
    sr_model_free(s->model);
    sr_free(s->arena.base);
    *s = (struct sr_bench_step){0};
}

void sr_bench_step(struct sr_bench_step *s, const real *x, const uint8_t *y, size_t rows) {
    struct sr_model *m = s->model;
    const struct sr_pass pass = {.training = true, .seed = 1, .step = s->done++};
    const double began = sr_log_clock();
    sr_model_forward(m, &pass, x, rows);
    sr_focal_mean(s->dlogit, sr_model_logits(m), y, NULL, rows, &s->loss);
    const double forward = sr_log_clock();
    sr_model_backward(m, s->dlogit, rows);
    const double backward = sr_log_clock();
    sr_adamw_step(m->params, s->exp_avg, s->exp_avg_sq, m->grads, m->n_params, &s->how, s->done);
    const double updated = sr_log_clock();
    s->seconds[SR_PHASE_FORWARD] += forward - began;
    s->seconds[SR_PHASE_BACKWARD] += backward - forward;
    s->seconds[SR_PHASE_UPDATE] += updated - backward;
}

void sr_bench_step_work(double *forward, double *backward, const struct sr_model_spec *spec, size_t rows) {
    double in = (double)spec->in, first = 0;
    *forward = 0;
    for (size_t l = 0; l <= spec->n_hidden; l++) {
        const double out = l < spec->n_hidden ? (double)spec->hidden[l] : 1;
        const double products = 2 * (double)rows * in * out;
        first = l == 0 ? products : first;
        *forward += products;
        in = out;
    }
    *backward = 2 * *forward - first;
}
