/* bench_gemm.c: the matrix products of a training step and nothing else: what GEMM reaches, whatever is done
 * around it.
 *
 * The calls of sr_matmul that layer_linear.c makes, over the same blocks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/bench_step.h"
#include "train/bench.h"

static size_t layers_count(const struct sr_bench_gemm *g) {
    return g->spec.n_hidden + 1;
}

/* Numbers that layer l reads; of the last layer and one more, the logit. */
static size_t width_of(const struct sr_bench_gemm *g, size_t l) {
    return l == 0 ? g->spec.in : l <= g->spec.n_hidden ? g->spec.hidden[l - 1] : 1;
}

static void carve(struct sr_bench_gemm *g) {
    for (size_t l = 0; l <= layers_count(g); l++) {
        g->x[l] = sr_arena_take(&g->arena, sr_blocks_size(g->max_rows, width_of(g, l)), sizeof(real));
        g->dx[l] = sr_arena_take(&g->arena, sr_blocks_size(g->max_rows, width_of(g, l)), sizeof(real));
        if (l == layers_count(g))
            break;
        g->w[l] = sr_arena_take(&g->arena, width_of(g, l) * width_of(g, l + 1), sizeof(real));
        g->dw[l] = sr_arena_take(&g->arena, width_of(g, l) * width_of(g, l + 1), sizeof(real));
    }
}

int sr_bench_gemm_create(struct sr_bench_gemm *g, const struct sr_model_spec *spec, size_t max_rows,
                         struct sr_error *err) {
    *g = (struct sr_bench_gemm){.spec = *spec, .max_rows = max_rows, .rows = max_rows};
    carve(g);
    const int status = sr_arena_allocate(&g->arena, err);
    if (status < 0)
        return status;
    carve(g);
    for (size_t l = 0; l < layers_count(g); l++) {
        sr_bench_features(g->x[l], sr_blocks_size(max_rows, width_of(g, l)));
        sr_bench_features(g->dx[l + 1], sr_blocks_size(max_rows, width_of(g, l + 1)));
        sr_bench_features(g->w[l], width_of(g, l) * width_of(g, l + 1));
    }
    return SR_OK;
}

void sr_bench_gemm_free(struct sr_bench_gemm *g) {
    sr_free(g->arena.base);
    *g = (struct sr_bench_gemm){0};
}

void sr_bench_gemm_forward(void *gemm) {
    const struct sr_bench_gemm *g = gemm;
    for (size_t l = 0; l < layers_count(g); l++) {
        const size_t in = width_of(g, l), out = width_of(g, l + 1);
#pragma omp parallel for schedule(static)
        for (size_t b = 0; b < sr_blocks(out); b++)
            sr_matmul()->forward(g->x[l + 1] + sr_block_at(g->rows, b), g->x[l], g->w[l] + b * SR_BLOCK * in,
                                 g->bias, g->rows, in, sr_block_columns(out, b));
    }
}

static void weight_gradient(const struct sr_bench_gemm *g, size_t l) {
    const size_t in = width_of(g, l), out = width_of(g, l + 1);
#pragma omp parallel for schedule(static)
    for (size_t b = 0; b < sr_blocks(out); b++)
        sr_matmul()->gradient(g->dw[l] + b * SR_BLOCK * in, g->dx[l + 1] + sr_block_at(g->rows, b), g->x[l],
                              g->rows, in, sr_block_columns(out, b));
}

static void input_gradient(const struct sr_bench_gemm *g, size_t l) {
    const size_t in = width_of(g, l), out = width_of(g, l + 1);
#pragma omp parallel for schedule(static)
    for (size_t b = 0; b < sr_blocks(in); b++)
        sr_matmul()->backward(g->dx[l] + sr_block_at(g->rows, b), g->dx[l + 1], g->w[l] + b * SR_BLOCK,
                              g->rows, out, in, sr_block_columns(in, b));
}

void sr_bench_gemm_backward(void *gemm) {
    const struct sr_bench_gemm *g = gemm;
    for (size_t l = layers_count(g); l-- > 0;) {
        weight_gradient(g, l);
        if (l > 0)
            input_gradient(g, l);
    }
}
