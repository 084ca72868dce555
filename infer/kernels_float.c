/* kernels_float.c: rows by weights of float32 or bfloat16, compiled once per instruction set (SR_VEC_ISA).
 *
 * One row takes the whole width of a panel at once: its weights are read from front to back, once, and that
 * is all its time. More rows go in tiles of TILE_ROWS rows by TILE_WIDE outputs, whose sums stay in
 * registers: an input is used for several outputs and a weight for several rows each time it is loaded. All
 * rows go over a piece of a panel before the next one is read. What is computed is said in kernels.h; the
 * order of a sum is the same in both forms.
 *
 * SPDX-License-Identifier: MIT
 */
/* products of constants and counters of a tile, and branches
 * that are one or two by the width of a vector:
 * NOLINTBEGIN(bugprone-implicit-widening-of-multiplication-result,bugprone-misplaced-widening-cast,bugprone-branch-clone)
 */
#include "infer/kernels_lanes.h"

/* Bytes from a weight that is read to one that is called for: the hardware's own prefetching stops at the
 * ends of pages, and in a tile, which leaves out half a panel, it is late. */
#define AHEAD_ROW  2048
#define AHEAD_TILE 8192

#define SUMS (TILE_ROWS * TILE_WIDE > SR_PANEL ? TILE_ROWS * TILE_WIDE : SR_PANEL)

/* Panels of either type; is_half is a constant wherever this is used. */
struct weights {
    const float *f;
    const uint16_t *h;
};

SR_INLINE struct weights weights_at(struct weights w, size_t at, int is_half) {
    return is_half ? (struct weights){.h = w.h + at} : (struct weights){.f = w.f + at};
}

/* Register i from `at` on; what lies ahead is called for, a cache line at a time. */
SR_INLINE vec load_weights(struct weights w, size_t at, const int i, const int is_half, const size_t ahead) {
    const size_t place = at + (size_t)(i * VEC), size = is_half ? sizeof *w.h : sizeof *w.f;
    if ((size_t)(i * VEC) * size % 64 == 0)
        __builtin_prefetch((is_half ? (const char *)w.h : (const char *)w.f) + place * size + ahead);
    return is_half ? vec_load_bfloat16(w.h + place) : vec_load(w.f + place);
}

/* sum [R][N * VEC] of R rows and as many outputs from w on, which is in a panel of that width. */
SR_INLINE void tile(float *sum, const float *const *x, struct weights w, size_t wide, size_t in, const int R,
                    const int N, const int is_half) {
    for (size_t begin = 0; begin == 0 || begin < in; begin += SR_CHAIN) {
        const size_t end = in - begin < SR_CHAIN ? in : begin + SR_CHAIN;
        vec s[TILE_ROWS][SR_PANEL / VEC], v[SR_PANEL / VEC];
        SR_UNROLL
        for (int r = 0; r < R; r++)
            SR_UNROLL
        for (int i = 0; i < N; i++)
            s[r][i] = vec_zero();
        for (size_t k = begin; k < end; k++) {
            SR_UNROLL
            for (int i = 0; i < N; i++)
                v[i] = load_weights(w, k * wide, i, is_half, R == 1 ? AHEAD_ROW : AHEAD_TILE);
            SR_UNROLL
            for (int r = 0; r < R; r++) {
                const vec a = vec_splat(x[r] + k);
                SR_UNROLL
                for (int i = 0; i < N; i++)
                    s[r][i] = vec_fused(a, v[i], s[r][i]);
            }
        }
        SR_UNROLL
        for (int r = 0; r < R; r++)
            SR_UNROLL
        for (int i = 0; i < N; i++) {
            float *to = sum + (r * N + i) * VEC;
            vec_store(to, begin == 0 ? s[r][i] : vec_add(vec_load(to), s[r][i]));
        }
    }
}

/* A call, with the panel that it is at. */
struct call {
    float *out;
    size_t out_stride;
    const float *x;
    ptrdiff_t x_stride;
    const float *bias;
    size_t rows, in, outputs;
    float *sum; /* [SUMS], of a tile or of one row by a panel */
};

/* Row r, outputs first..first+n but those that do not exist. */
SR_INLINE void put(const struct call *c, size_t r, size_t first, size_t n, const float *sum) {
    float *out = c->out + r * c->out_stride + first;
    n = c->outputs - first < n ? c->outputs - first : n;
    for (size_t i = 0; i < n; i++)
        out[i] = sum[i] + (c->bias ? c->bias[first + i] : 0);
}

/* Rows r..r+tall, at most R; the others repeat the first, and are not stored. */
SR_INLINE void put_tile(const struct call *c, size_t r, size_t tall, size_t first, struct weights w,
                        size_t wide, const int R, const int N, const int is_half) {
    const float *x[TILE_ROWS];
    for (size_t i = 0; i < (size_t)R; i++)
        x[i] = c->x + (ptrdiff_t)(r + (i < tall ? i : 0)) * c->x_stride;
    tile(c->sum, x, w, wide, c->in, R, N, is_half);
    for (size_t i = 0; i < tall; i++)
        put(c, r + i, first, (size_t)(N * VEC), c->sum + i * (size_t)(N * VEC));
}

/* All rows by N registers of outputs. */
SR_INLINE void put_rows(const struct call *c, size_t first, struct weights w, size_t wide, const int N,
                        const int is_half) {
    size_t r = 0;
    for (; c->rows - r >= TILE_ROWS; r += TILE_ROWS)
        put_tile(c, r, TILE_ROWS, first, w, wide, TILE_ROWS, N, is_half);
    const size_t rest = c->rows - r;
    if (TILE_ROWS > 8 && rest > 8)
        put_tile(c, r, rest, first, w, wide, TILE_ROWS, N, is_half);
    else if (TILE_ROWS > 8 && rest > 4)
        put_tile(c, r, rest, first, w, wide, TILE_ROWS < 8 ? TILE_ROWS : 8, N, is_half);
    else if (TILE_ROWS > 4 && rest > 4)
        put_tile(c, r, rest, first, w, wide, TILE_ROWS, N, is_half);
    else if (TILE_ROWS > 2 && rest > 2)
        put_tile(c, r, rest, first, w, wide, TILE_ROWS < 4 ? TILE_ROWS : 4, N, is_half);
    else if (rest > 0)
        put_tile(c, r, rest, first, w, wide, 2, N, is_half);
}

/* One row by a whole panel. */
SR_INLINE void put_one(const struct call *c, size_t first, struct weights w, size_t wide, const int is_half) {
    switch (wide / SR_PANEL_STEP) {
    case 1:
        tile(c->sum, &c->x, w, wide, c->in, 1, SR_PANEL_STEP / VEC, is_half);
        break;
    case 2:
        tile(c->sum, &c->x, w, wide, c->in, 1, 2 * SR_PANEL_STEP / VEC, is_half);
        break;
    case 3:
        tile(c->sum, &c->x, w, wide, c->in, 1, 3 * SR_PANEL_STEP / VEC, is_half);
        break;
    default:
        tile(c->sum, &c->x, w, wide, c->in, 1, SR_PANEL / VEC, is_half);
    }
    put(c, 0, first, wide, c->sum);
}

SR_INLINE void linear_any(const struct call *c, struct weights w, const int is_half) {
    for (size_t first = 0; first < c->outputs && c->rows > 0; first += SR_PANEL) {
        const size_t wide = sr_panels_wide(c->outputs, first);
        const struct weights panel = weights_at(w, first * c->in, is_half);
        if (c->rows == 1) {
            put_one(c, first, panel, wide, is_half);
            continue;
        }
        size_t done = 0;
        for (; wide - done >= TILE_WIDE; done += TILE_WIDE)
            put_rows(c, first + done, weights_at(panel, done, is_half), wide, TILE_WIDE / VEC, is_half);
        if (TILE_WIDE > SR_PANEL_STEP && done < wide)
            put_rows(c, first + done, weights_at(panel, done, is_half), wide, SR_PANEL_STEP / VEC, is_half);
    }
}

void SR_ISA_NAME(sr_linear)(float *out, size_t out_stride, const float *x, ptrdiff_t x_stride, const float *w,
                            const float *bias, size_t rows, size_t in, size_t outputs) {
    float sum[SUMS];
    const struct call c = {out, out_stride, x, x_stride, bias, rows, in, outputs, sum};
    linear_any(&c, (struct weights){.f = w}, 0);
}

void SR_ISA_NAME(sr_linear_bfloat16)(float *out, size_t out_stride, const float *x, ptrdiff_t x_stride,
                                     const uint16_t *w, const float *bias, size_t rows, size_t in,
                                     size_t outputs) {
    float sum[SUMS];
    const struct call c = {out, out_stride, x, x_stride, bias, rows, in, outputs, sum};
    linear_any(&c, (struct weights){.h = w}, 1);
}
/* NOLINTEND(bugprone-implicit-widening-of-multiplication-result,bugprone-misplaced-widening-cast,bugprone-branch-clone)
 */
