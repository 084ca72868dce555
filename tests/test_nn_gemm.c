/* test_nn_gemm.c: sr_gemm against three plain loops: transposes, strides wider than the rows, beta, odd
 * sizes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>

#include "tests/hash_fill.h"
#include "tests/one_layer.h"

#define PAD 3 /* columns behind each row, which nobody may touch */

static double at(const real *a, bool trans, size_t i, size_t j, size_t ld) {
    return (double)(trans ? a[j * ld + i] : a[i * ld + j]);
}

static void check(bool ta, bool tb, size_t m, size_t n, size_t k, real beta) {
    const size_t lda = (ta ? m : k) + PAD, ldb = (tb ? k : n) + PAD, ldc = n + PAD;
    const size_t na = (ta ? k : m) * lda, nb = (tb ? n : k) * ldb, nc = m * ldc;
    real *a = test_alloc(na, sizeof(real)), *b = test_alloc(nb, sizeof(real));
    real *c = test_alloc(nc, sizeof(real)), *before = test_alloc(nc, sizeof(real));
    hash_fill(a, na, 1, 1, 0);
    hash_fill(b, nb, 2, 1, 0);
    hash_fill(c, nc, 3, 1, 0);
    hash_fill(before, nc, 3, 1, 0);
    for (size_t i = 0; beta == 0 && i < nc; i++) /* with beta 0, C is not read */
        if (i % ldc < n)
            c[i] = (real)NAN;
    sr_gemm(ta, tb, m, n, k, a, lda, b, ldb, beta, c, ldc);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < ldc; j++) {
            double want = (double)before[i * ldc + j];
            if (j < n) {
                want = beta == 0 ? 0 : (double)beta * want;
                for (size_t l = 0; l < k; l++)
                    want += at(a, ta, i, l, lda) * at(b, tb, l, j, ldb);
            }
            /* k terms of at most 1, each rounded to 6e-8 at the running sum's size */
            cr_assert(fabs((double)c[i * ldc + j] - want) <= (j < n ? 1e-7 * (double)(k + 1) : 0),
                      "%d%d %zux%zux%zu beta %g at (%zu, %zu): %g, not %g", ta, tb, m, n, k, (double)beta, i,
                      j, (double)c[i * ldc + j], want);
        }
    sr_free(a);
    sr_free(b);
    sr_free(c);
    sr_free(before);
}

Test(nn_gemm, against_loops) {
    static const size_t sizes[][3] = {{1, 1, 1}, {3, 5, 7}, {17, 1, 33}, {1, 31, 64}, {65, 47, 129}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int flags = 0; flags < 8; flags++)
            check(flags & 1, flags & 2, sizes[s][0], sizes[s][1], sizes[s][2], (real)(flags >> 2));
}
