/* kernels_int8.c: quantised rows by weights of int8, compiled once per instruction set (SR_VEC_ISA).
 *
 * As kernels_float.c: one row goes over a whole panel at once, more rows in tiles whose sums stay in
 * registers. Sums are integers and exact; scales and bias are floats, in one order.
 *
 * SPDX-License-Identifier: MIT
 */
/* products of constants and counters of a tile, and branches
 * that are one or two by the width of a vector:
 * NOLINTBEGIN(bugprone-implicit-widening-of-multiplication-result,bugprone-branch-clone) */
#include "infer/kernels_dots.h"

#define AHEAD 2048 /* bytes; the hardware's own prefetching stops at the pages' ends */
#define MOST  (SR_PANEL / SR_PANEL_STEP)
#define BLOCK (4 * SR_PANEL_STEP) /* bytes of four inputs' weights for 16 outputs */

#define SUMS (DOTS_ROWS * DOTS_WIDE > MOST ? DOTS_ROWS * DOTS_WIDE * SR_PANEL_STEP : SR_PANEL)

/* sum [R][N * 16] of R rows and as many outputs; heads are theirs, w their weights for the first four inputs.
 */
SR_INLINE void tile(int32_t *sum, const uint8_t *const *x, const int8_t *heads, const int8_t *w, size_t wide,
                    size_t in, const int R, const int N) {
    dots s[DOTS_ROWS][MOST];
    block b[MOST];
    SR_UNROLL
    for (int r = 0; r < R; r++)
        SR_UNROLL
    for (int i = 0; i < N; i++)
        s[r][i] = dots_zero();
    for (size_t k = 0; k < in; k += 4, w += 4 * wide) {
        SR_UNROLL
        for (int i = 0; i < N; i++) {
            if (R == 1)
                __builtin_prefetch(w + i * BLOCK + AHEAD);
            b[i] = block_load(w + i * BLOCK);
        }
        SR_UNROLL
        for (int r = 0; r < R; r++) {
            const quad q = quad_load(x[r] + k);
            SR_UNROLL
            for (int i = 0; i < N; i++)
                s[r][i] = dots_add(s[r][i], q, b[i]);
        }
    }
    SR_UNROLL
    for (int r = 0; r < R; r++)
        SR_UNROLL
    for (int i = 0; i < N; i++)
        dots_store(sum + (r * N + i) * SR_PANEL_STEP, s[r][i], heads + i * BLOCK);
}

/* A call. */
struct call {
    float *out;
    size_t out_stride;
    const uint8_t *x;
    const float *scale_x, *scale_w, *bias;
    size_t rows, in, outputs;
    int32_t *sum; /* [SUMS], of a tile or of one row by a panel */
};

/* Row r, outputs first..first+n but those that do not exist. */
SR_INLINE void put(const struct call *c, size_t r, size_t first, size_t n, const int32_t *sum) {
    float *out = c->out + r * c->out_stride + first;
    n = c->outputs - first < n ? c->outputs - first : n;
    for (size_t i = 0; i < n; i++)
        out[i] = (float)sum[i] * (c->scale_x[r] * c->scale_w[first + i]) + (c->bias ? c->bias[first + i] : 0);
}

/* Rows r..r+tall, at most R; the others repeat the first, and are not stored. */
SR_INLINE void put_tile(const struct call *c, size_t r, size_t tall, size_t first, const int8_t *heads,
                        const int8_t *w, size_t wide, const int R, const int N) {
    const uint8_t *x[DOTS_ROWS];
    for (size_t i = 0; i < (size_t)R; i++)
        x[i] = c->x + (r + (i < tall ? i : 0)) * SR_QUADS(c->in);
    tile(c->sum, x, heads, w, wide, c->in, R, N);
    for (size_t i = 0; i < tall; i++)
        put(c, r + i, first, (size_t)N * SR_PANEL_STEP, c->sum + i * (size_t)N * SR_PANEL_STEP);
}

/* All rows by N times 16 outputs. */
SR_INLINE void put_rows(const struct call *c, size_t first, const int8_t *heads, const int8_t *w, size_t wide,
                        const int N) {
    size_t r = 0;
    for (; c->rows - r >= DOTS_ROWS; r += DOTS_ROWS)
        put_tile(c, r, DOTS_ROWS, first, heads, w, wide, DOTS_ROWS, N);
    const size_t rest = c->rows - r;
    if (DOTS_ROWS > 8 && rest > 4 && rest <= 8)
        put_tile(c, r, rest, first, heads, w, wide, DOTS_ROWS < 8 ? DOTS_ROWS : 8, N);
    else if (rest > 4)
        put_tile(c, r, rest, first, heads, w, wide, DOTS_ROWS, N);
    else if (rest > 2)
        put_tile(c, r, rest, first, heads, w, wide, DOTS_ROWS < 4 ? DOTS_ROWS : 4, N);
    else if (rest > 0)
        put_tile(c, r, rest, first, heads, w, wide, 2, N);
}

/* Functions of their own: every tile of a function would have its own place on the stack. */
static __attribute__((noinline)) void put_rows_wide(const struct call *c, size_t first, const int8_t *heads,
                                                    const int8_t *w, size_t wide) {
    put_rows(c, first, heads, w, wide, DOTS_WIDE);
}

static __attribute__((noinline)) void put_rows_narrow(const struct call *c, size_t first, const int8_t *heads,
                                                      const int8_t *w, size_t wide) {
    put_rows(c, first, heads, w, wide, 1);
}

/* One row by n times 16 outputs: all of a panel that has as many. */
#define TILE_OF_ONE(n)                                                                                       \
    static __attribute__((noinline)) void tile_of_one_##n(const struct call *c, const int8_t *heads,         \
                                                          const int8_t *w, size_t wide) {                    \
        tile(c->sum, &c->x, heads, w, wide, c->in, 1, n);                                                    \
    }
TILE_OF_ONE(1)
TILE_OF_ONE(2)
TILE_OF_ONE(3)
TILE_OF_ONE(4)

/* One row by a whole panel. */
SR_INLINE void put_one(const struct call *c, size_t first, const int8_t *heads, const int8_t *w,
                       size_t wide) {
    switch (wide / SR_PANEL_STEP) {
    case 1:
        tile_of_one_1(c, heads, w, wide);
        break;
    case 2:
        tile_of_one_2(c, heads, w, wide);
        break;
    case 3:
        tile_of_one_3(c, heads, w, wide);
        break;
    default:
        tile_of_one_4(c, heads, w, wide);
    }
    put(c, 0, first, wide, c->sum);
}

void SR_ISA_NAME(sr_linear_int8)(float *out, size_t out_stride, const uint8_t *x, const float *scale_x,
                                 const int8_t *w, const float *scale_w, const float *bias, size_t rows,
                                 size_t in, size_t outputs) {
    int32_t sum[SUMS];
    const struct call c = {out, out_stride, x, scale_x, scale_w, bias, rows, in, outputs, sum};
    for (size_t first = 0; first < outputs && rows > 0; first += SR_PANEL) {
        const size_t wide = sr_panels_wide(outputs, first);
        const int8_t *heads = w + first * (sizeof(int32_t) + SR_QUADS(in)), *panel = heads + 4 * wide;
        if (rows == 1) {
            put_one(&c, first, heads, panel, wide);
            continue;
        }
        size_t done = 0;
        for (; wide - done >= DOTS_WIDE * SR_PANEL_STEP; done += DOTS_WIDE * SR_PANEL_STEP)
            put_rows_wide(&c, first + done, heads + 4 * done, panel + 4 * done, wide);
        if (done < wide)
            put_rows_narrow(&c, first + done, heads + 4 * done, panel + 4 * done, wide);
    }
}
/* NOLINTEND(bugprone-implicit-widening-of-multiplication-result,bugprone-branch-clone) */
