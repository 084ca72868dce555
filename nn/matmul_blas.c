/* matmul_blas.c: the products of matmul.h by OpenBLAS, a block at a time, and which table a CPU gets.
 *
 * What the other tables are tested against, and what CPUs without AVX2 and FMA train with.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "nn/nn.h"

static void forward(real *y, const real *x, const real *w, const real *bias, size_t rows, size_t in,
                    size_t n) {
    for (size_t r = 0; r < rows; r++)
        memcpy(y + r * SR_BLOCK, bias, n * sizeof *bias);
    for (size_t b = 0; b < sr_blocks(in); b++)
        sr_gemm(false, true, rows, n, sr_block_columns(in, b), x + sr_block_at(rows, b), SR_BLOCK,
                w + b * SR_BLOCK, in, 1, y, SR_BLOCK);
}

static void gradient(real *dw, const real *dy, const real *x, size_t rows, size_t in, size_t n) {
    for (size_t b = 0; b < sr_blocks(in); b++)
        sr_gemm(true, false, n, sr_block_columns(in, b), rows, dy, SR_BLOCK, x + sr_block_at(rows, b),
                SR_BLOCK, 0, dw + b * SR_BLOCK, in);
}

static void backward(real *dx, const real *dy, const real *w, size_t rows, size_t out, size_t in, size_t n) {
    for (size_t b = 0; b < sr_blocks(out); b++)
        sr_gemm(false, false, rows, n, sr_block_columns(out, b), dy + sr_block_at(rows, b), SR_BLOCK,
                w + b * SR_BLOCK * in, in, b > 0, dx, SR_BLOCK);
}

static const struct sr_matmul blas = {
    .name = "OpenBLAS", .forward = forward, .gradient = gradient, .backward = backward};

#if defined(__x86_64__) && !defined(SR_REAL_DOUBLE)
extern const struct sr_matmul sr_matmul_table_avx2, sr_matmul_table_avx512;
static const struct sr_matmul *const tables[SR_ISA_COUNT] = {
    [SR_ISA_BASE] = &blas, [SR_ISA_AVX2] = &sr_matmul_table_avx2, [SR_ISA_AVX512] = &sr_matmul_table_avx512};
#else
static const struct sr_matmul *const tables[SR_ISA_COUNT] = {[SR_ISA_BASE] = &blas};
#endif

const struct sr_matmul *sr_matmul_for(enum sr_isa isa) {
    return isa <= sr_isa_best() ? tables[isa] : NULL;
}

const struct sr_matmul *sr_matmul(void) {
    int isa = (int)sr_isa_best();
    while (!tables[isa])
        isa--;
    return tables[isa];
}

bool sr_matmul_is_blas(void) {
    return sr_matmul() == &blas;
}

const char *sr_matmul_bits(void) {
    return sr_matmul_is_blas() ? sr_blas_begin()->core : "fma";
}
