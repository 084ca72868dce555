/* matmul.h: the three matrix products of a Linear layer, over blocks of columns.
 *
 * A matrix [rows, n] of activations or their gradients lies in blocks of SR_BLOCK columns: block b holds
 * columns SR_BLOCK*b.. of all rows, row-major, SR_BLOCK numbers a row. So a block is one piece of memory
 * that stays in a core's cache while layer after layer works on it, and products read it as it lies.
 * Columns behind n in the last block may be anything; what is computed from them is not used. Weights
 * [out, in] are row-major without padding.
 *
 * matmul.c does it with AVX-512 or AVX2 and FMA: an output is one chain of fused multiply-adds in the order
 * of the inner index, so both give the same bits. matmul_blas.c does it with OpenBLAS, on every other CPU and
 * in the double build.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_MATMUL_H
#define SR_MATMUL_H

#include <stdbool.h>

#include "nn/base/base.h"

#define SR_BLOCK 64 /* columns: four AVX-512 registers */

/* Blocks of n columns. */
static inline size_t sr_blocks(size_t n) {
    return (n + SR_BLOCK - 1) / SR_BLOCK;
}

/* Numbers of a matrix in blocks. */
static inline size_t sr_blocks_size(size_t rows, size_t n) {
    return sr_blocks(n) * SR_BLOCK * rows;
}

/* Where block b begins in a matrix of that many rows. */
static inline size_t sr_block_at(size_t rows, size_t b) {
    return b * SR_BLOCK * rows;
}

/* Columns of block b that are used. */
static inline size_t sr_block_columns(size_t n, size_t b) {
    return n - b * SR_BLOCK < SR_BLOCK ? n - b * SR_BLOCK : SR_BLOCK;
}

/* Kernels are pure, allocate nothing and start no thread. n <= SR_BLOCK is the number of columns of the one
 * block that is worked on; the number of rows is any. Outputs are overwritten. */
struct sr_matmul {
    const char *name;
    /* y = x w^T + bias. y: one block; x: all blocks of [rows, in]; w: n rows [n, in] and bias [n] of this
     * block's outputs. */
    void (*forward)(real *y, const real *x, const real *w, const real *bias, size_t rows, size_t in,
                    size_t n);
    /* dw = dy^T x. dw: n rows [n, in] of the weights' gradient; dy: one block; x: all blocks of [rows, in].
     */
    void (*gradient)(real *dw, const real *dy, const real *x, size_t rows, size_t in, size_t n);
    /* dx = dy w. dx: one block of [rows, in]; dy: all blocks of [rows, out]; w: the weights [out, in] from
     * this block's first column on. */
    void (*backward)(real *dx, const real *dy, const real *w, size_t rows, size_t out, size_t in, size_t n);
};

const struct sr_matmul *sr_matmul(void); /* for this CPU; see sr_isa_best */
bool sr_matmul_is_blas(void);            /* true if OpenBLAS is what multiplies */
/* What the bits of its products depend on: "fma", the same on every CPU that has it, or OpenBLAS's core. */
const char *sr_matmul_bits(void);
const struct sr_matmul *sr_matmul_for(enum sr_isa isa); /* NULL if the build or the CPU does not have it; of
                                                           SR_ISA_BASE OpenBLAS */

#endif
