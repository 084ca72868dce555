/* bench_step.h: training steps of the published recipe, timed by phase.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_BENCH_STEP_H
#define SR_BENCH_STEP_H

#include "nn/nn.h"
#include "train/adamw.h"

enum sr_bench_phase {
    SR_PHASE_FORWARD, /* with the loss and its derivative */
    SR_PHASE_BACKWARD,
    SR_PHASE_UPDATE, /* clip and AdamW */
    SR_PHASES
};

/* A model in training, with everything a step needs. */
struct sr_bench_step {
    struct sr_model *model;
    real *exp_avg, *exp_avg_sq; /* moments, [n_params] */
    real *dlogit;               /* [max_rows] */
    struct sr_focal loss;
    struct sr_adamw how;
    uint64_t done;             /* steps */
    double seconds[SR_PHASES]; /* spent in all of them */
    struct sr_arena arena;
};

/* The network and recipe of `saferoute train` without settings, for rows of `in` features and batches of at
 * most max_rows. Free with sr_bench_step_free, also after a failure. */
int sr_bench_step_create(struct sr_bench_step *s, size_t in, size_t max_rows, struct sr_error *err);
void sr_bench_step_free(struct sr_bench_step *s);

/* One step on x [rows, in] with labels y; adds to seconds. */
void sr_bench_step(struct sr_bench_step *s, const real *x, const uint8_t *y, size_t rows);

/* Multiplications and additions of the Linear layers in a step of `rows` rows: forward, and backward, which
 * has two products for each of forward's but for the first layer's, whose input has no gradient. */
void sr_bench_step_work(double *forward, double *backward, const struct sr_model_spec *spec, size_t rows);

/* ---- bench_gemm.c ---- */

/* Those products alone. */
struct sr_bench_gemm {
    struct sr_model_spec spec;
    size_t max_rows, rows;      /* rows: of the passes to come, at most max_rows */
    real *x[SR_HIDDEN_MAX + 2]; /* what layer l reads, and the logits; in blocks, as dx */
    real bias[SR_BLOCK];        /* 0 */
    real *w[SR_HIDDEN_MAX + 1], *dw[SR_HIDDEN_MAX + 1];
    real *dx[SR_HIDDEN_MAX + 2]; /* [0] is not used */
    struct sr_arena arena;
};

int sr_bench_gemm_create(struct sr_bench_gemm *g, const struct sr_model_spec *spec, size_t max_rows,
                         struct sr_error *err);
void sr_bench_gemm_free(struct sr_bench_gemm *g);

/* One pass; gemm is a struct sr_bench_gemm. */
void sr_bench_gemm_forward(void *gemm);
void sr_bench_gemm_backward(void *gemm);

#endif
