/* matmul.c: the products of matmul.h by hand, compiled for AVX2 and for AVX-512 (SR_VEC_ISA).
 *
 * One tile does all the arithmetic: TILE_ROWS rows by VECTORS registers of sums that stay in registers.
 * A step of the inner index takes one row of B, which is a few registers, and one number for each row of the
 * tile, broadcast. Blocks serve as either operand as they lie; only weights are copied, a panel of PANEL by
 * SR_BLOCK at a time, which then stays in the L2 cache for all rows of the batch. OpenBLAS copies
 * both operands in every call, which takes a fifth of its time at batches of 256.
 *
 * SPDX-License-Identifier: MIT
 */
/* products of constants and counters of a tile:
 * NOLINTBEGIN(bugprone-implicit-widening-of-multiplication-result) */
#include <immintrin.h>
#include <string.h>

#include "nn/matmul.h"

#ifdef __AVX512F__
#define LANES   16
#define VECTORS 4
typedef __m512 vector;
static inline vector load(const float *x) {
    return _mm512_loadu_ps(x);
}
static inline void store(float *x, vector v) {
    _mm512_storeu_ps(x, v);
}
static inline vector broadcast(float x) {
    return _mm512_set1_ps(x);
}
static inline vector multiply_add(vector a, vector b, vector c) {
    return _mm512_fmadd_ps(a, b, c);
}
#else
#define LANES   8
#define VECTORS 2
typedef __m256 vector;
static inline vector load(const float *x) {
    return _mm256_loadu_ps(x);
}
static inline void store(float *x, vector v) {
    _mm256_storeu_ps(x, v);
}
static inline vector broadcast(float x) {
    return _mm256_set1_ps(x);
}
static inline vector multiply_add(vector a, vector b, vector c) {
    return _mm256_fmadd_ps(a, b, c);
}
#endif

#define TILE_ROWS 6   /* with VECTORS as many sums as registers allow */
#define PANEL     256 /* inner indices of weights copied at once: 64 KB */

/* An operand whose number at (row of the tile, step) is
 * x[row * row_stride + step / SR_BLOCK * block_stride + step % SR_BLOCK * step_stride]. */
struct operand {
    const float *x;
    size_t row_stride, step_stride, block_stride;
};

/* sum += a b over at most SR_BLOCK steps. */
static inline __attribute__((always_inline)) void tile_steps(vector sum[TILE_ROWS][VECTORS], const float *a,
                                                             size_t row_stride, size_t step_stride,
                                                             const float *b, size_t steps, size_t rows,
                                                             size_t vectors) {
    for (size_t s = 0; s < steps; s++) {
        vector of_b[VECTORS];
#pragma GCC unroll 4
        for (size_t v = 0; v < vectors; v++)
            of_b[v] = load(b + s * SR_BLOCK + v * LANES);
#pragma GCC unroll 6
        for (size_t i = 0; i < rows; i++) {
            const vector of_a = broadcast(a[i * row_stride + s * step_stride]);
#pragma GCC unroll 4
            for (size_t v = 0; v < vectors; v++)
                sum[i][v] = multiply_add(of_a, of_b[v], sum[i][v]);
        }
    }
}

/* c [rows, vectors * LANES] (+)= a b, over `steps` inner indices; b is rows of SR_BLOCK. rows, vectors and
 * add are constants wherever this is inlined, so that the sums are registers. */
static inline __attribute__((always_inline)) void tile(float *c, size_t c_stride, struct operand a,
                                                       const float *b, size_t steps, size_t rows,
                                                       size_t vectors, bool add) {
    vector sum[TILE_ROWS][VECTORS];
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (size_t v = 0; v < vectors; v++)
            sum[i][v] = add ? load(c + i * c_stride + v * LANES) : broadcast(0);
    for (size_t s = 0; s < steps; s += SR_BLOCK, a.x += a.block_stride) {
        if (a.step_stride == 1) /* the rows of the next tile: the jump from block to block outruns the CPU */
            for (size_t i = 0; i < TILE_ROWS * SR_BLOCK; i += 64 / sizeof(float))
                __builtin_prefetch(a.x + TILE_ROWS * a.row_stride + i);
        tile_steps(sum, a.x, a.row_stride, a.step_stride, b + s * SR_BLOCK,
                   steps - s < SR_BLOCK ? steps - s : SR_BLOCK, rows, vectors);
    }
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (size_t v = 0; v < vectors; v++)
            store(c + i * c_stride + v * LANES, sum[i][v]);
}

/* c [rows, columns] (+)= a b for any number of rows; columns is a multiple of vectors * LANES. */
static inline __attribute__((always_inline)) void product(float *c, size_t c_stride, struct operand a,
                                                          const float *b, size_t steps, size_t rows,
                                                          size_t columns, size_t vectors, bool add) {
    for (size_t r = 0; r < rows; r += TILE_ROWS, a.x += TILE_ROWS * a.row_stride)
        for (size_t j = 0; j < columns; j += vectors * LANES) {
            float *to = c + r * c_stride + j;
            switch (rows - r) {
            case 1:
                tile(to, c_stride, a, b + j, steps, 1, vectors, add);
                break;
            case 2:
                tile(to, c_stride, a, b + j, steps, 2, vectors, add);
                break;
            case 3:
                tile(to, c_stride, a, b + j, steps, 3, vectors, add);
                break;
            case 4:
                tile(to, c_stride, a, b + j, steps, 4, vectors, add);
                break;
            case 5:
                tile(to, c_stride, a, b + j, steps, 5, vectors, add);
                break;
            default:
                tile(to, c_stride, a, b + j, steps, TILE_ROWS, vectors, add);
            }
        }
}

/* y += x p: the first n columns of one block y, x `steps` columns of blocks from their beginning, p a panel
 * of as many rows. */
static void block_add(float *y, const float *x, const float *p, size_t rows, size_t steps, size_t n) {
    const struct operand a = {x, SR_BLOCK, 1, rows * SR_BLOCK};
    if (n <= LANES) /* the one logit */
        product(y, SR_BLOCK, a, p, steps, rows, LANES, 1, true);
    else
        product(y, SR_BLOCK, a, p, steps, rows, SR_BLOCK, VECTORS, true);
}

/* ---- forward: the panel is w turned round ---- */

#ifdef __AVX512F__
/* p[s][o] = w[o][s] for 16 by 16 numbers: pairs of rows are interleaved, then pairs of pairs, then quarters.
 */
static inline void turn(float *p, const float *w, size_t in) {
    __m512 a[16], b[16];
#pragma GCC unroll 16
    for (size_t o = 0; o < 16; o++)
        a[o] = load(w + o * in);
#pragma GCC unroll 8
    for (size_t i = 0; i < 16; i += 2) {
        b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++) {
        const size_t k = i / 2 * 4 + i % 2; /* 0 1 4 5 8 9 12 13 */
        a[i / 2 * 4 + i % 2 * 2] =
            _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(b[k]), _mm512_castps_pd(b[k + 2])));
        a[i / 2 * 4 + i % 2 * 2 + 1] =
            _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(b[k]), _mm512_castps_pd(b[k + 2])));
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        b[i] = _mm512_shuffle_f32x4(a[i], a[i + 4], 0x88);
        b[i + 4] = _mm512_shuffle_f32x4(a[i], a[i + 4], 0xdd);
        b[i + 8] = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0x88);
        b[i + 12] = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0xdd);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        store(p + i * SR_BLOCK, _mm512_shuffle_f32x4(b[i], b[i + 8], 0x88));
        store(p + (i + 4) * SR_BLOCK, _mm512_shuffle_f32x4(b[i + 4], b[i + 12], 0x88));
        store(p + (i + 8) * SR_BLOCK, _mm512_shuffle_f32x4(b[i], b[i + 8], 0xdd));
        store(p + (i + 12) * SR_BLOCK, _mm512_shuffle_f32x4(b[i + 4], b[i + 12], 0xdd));
    }
}
#else
static inline void turn(float *p, const float *w, size_t in) {
    for (size_t o = 0; o < 16; o++)
        for (size_t s = 0; s < 16; s++)
            p[s * SR_BLOCK + o] = w[o * in + s];
}
#endif

/* p[s][o] = w[o][s], s < steps, and 0 for o from n to SR_BLOCK. */
static void panel_turned(float *p, const float *w, size_t in, size_t steps, size_t n) {
    const size_t whole_n = n / 16 * 16, whole_steps = steps / 16 * 16;
    for (size_t o = 0; o < whole_n; o += 16)
        for (size_t s = 0; s < whole_steps; s += 16)
            turn(p + s * SR_BLOCK + o, w + o * in + s, in);
    for (size_t s = 0; s < steps; s++)
        for (size_t o = s < whole_steps ? whole_n : 0; o < SR_BLOCK; o++)
            p[s * SR_BLOCK + o] = o < n ? w[o * in + s] : 0;
}

static void forward(float *y, const float *x, const float *w, const float *bias, size_t rows, size_t in,
                    size_t n) {
    _Alignas(64) float panel[PANEL * SR_BLOCK], first[SR_BLOCK] = {0};
    memcpy(first, bias, n * sizeof *bias);
    for (size_t r = 0; r < rows; r++)
        memcpy(y + r * SR_BLOCK, first, sizeof first);
    for (size_t s = 0; s < in; s += PANEL) {
        const size_t steps = in - s < PANEL ? in - s : PANEL;
        panel_turned(panel, w + s, in, steps, n);
        block_add(y, x + s * rows, panel, rows, steps, n);
    }
}

/* ---- backward: the panel is w as it is ---- */

static void backward(float *dx, const float *dy, const float *w, size_t rows, size_t out, size_t in,
                     size_t n) {
    _Alignas(64) float panel[PANEL * SR_BLOCK];
    memset(dx, 0, rows * SR_BLOCK * sizeof *dx);
    if (n < SR_BLOCK)
        memset(panel, 0, sizeof panel);
    for (size_t o = 0; o < out; o += PANEL) {
        const size_t steps = out - o < PANEL ? out - o : PANEL;
        for (size_t s = 0; s < steps; s++)
            memcpy(panel + s * SR_BLOCK, w + (o + s) * in, n * sizeof *w);
        block_add(dx, dy + o * rows, panel, rows, steps, n);
    }
}

/* ---- gradient: blocks against blocks ---- */

static void gradient(float *dw, const float *dy, const float *x, size_t rows, size_t in, size_t n) {
    const struct operand a = {dy, 1, SR_BLOCK, SR_BLOCK * SR_BLOCK};
    const size_t whole = in / SR_BLOCK * SR_BLOCK;
    for (size_t k = 0; k < whole; k += SR_BLOCK)
        product(dw + k, in, a, x + k * rows, rows, n, SR_BLOCK, VECTORS, false);
    if (in > whole) {
        _Alignas(64) float part[SR_BLOCK * SR_BLOCK];
        product(part, SR_BLOCK, a, x + whole * rows, rows, n, SR_BLOCK, VECTORS, false);
        for (size_t o = 0; o < n; o++)
            memcpy(dw + o * in + whole, part + o * SR_BLOCK, (in - whole) * sizeof *dw);
    }
}

#define NAME_JOIN(isa) sr_matmul_table_##isa
#define NAME(isa)      NAME_JOIN(isa)
#define TEXT_JOIN(isa) #isa
#define TEXT(isa)      TEXT_JOIN(isa)

extern const struct sr_matmul NAME(SR_VEC_ISA);
const struct sr_matmul NAME(SR_VEC_ISA) = {
    .name = TEXT(SR_VEC_ISA), .forward = forward, .gradient = gradient, .backward = backward};
/* NOLINTEND(bugprone-implicit-widening-of-multiplication-result) */
