/* test_nn_matmul.c: the products of a Linear layer, every instruction set against OpenBLAS and each other.
 *
 * Columns behind the used ones are NaN, and memory behind a result is watched. A chain of k products of
 * numbers in +-1 has a running sum of about sqrt(k)/3, and each step rounds it by up to 6e-8 of that, up or
 * down: about 2e-8 k in all. The limit is five times as much, 1e-7 (k + 1).
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <math.h>

#include "tests/hash_fill.h"
#include "tests/one_layer.h"

#define GUARD 16 /* numbers behind a result that nobody may touch */

/* One Linear layer's numbers, row-major or in blocks. */
struct product {
    size_t rows, in, out;
    real *x, *dy, *w, *bias; /* x and dy in blocks */
    real *y, *dx, *dw;       /* results; y and dx in blocks */
};

static real *filled(size_t n, uint32_t stream) {
    real *p = test_alloc(n, sizeof *p);
    hash_fill(p, n, stream, 1, 0);
    return p;
}

static real *filled_blocks(size_t rows, size_t n, uint32_t stream) {
    real *plain = filled(rows * n, stream), *blocks = blocks_of(plain, rows, n);
    sr_free(plain);
    return blocks;
}

static real *guarded(size_t n) {
    real *p = test_alloc(n + GUARD, sizeof *p);
    for (size_t i = 0; i < n + GUARD; i++)
        p[i] = i < n ? (real)NAN : 7;
    return p;
}

static struct product product_of(const struct sr_matmul *by, size_t rows, size_t in, size_t out) {
    struct product p = {.rows = rows,
                        .in = in,
                        .out = out,
                        .x = filled_blocks(rows, in, 1),
                        .dy = filled_blocks(rows, out, 2),
                        .w = filled(out * in, 3),
                        .bias = filled(out, 4),
                        .y = guarded(sr_blocks_size(rows, out)),
                        .dx = guarded(sr_blocks_size(rows, in)),
                        .dw = guarded(out * in)};
    for (size_t b = 0; b < sr_blocks(out); b++) {
        const size_t at = sr_block_at(rows, b), o = b * SR_BLOCK, n = sr_block_columns(out, b);
        by->forward(p.y + at, p.x, p.w + o * in, p.bias + o, rows, in, n);
        by->gradient(p.dw + o * in, p.dy + at, p.x, rows, in, n);
    }
    for (size_t b = 0; b < sr_blocks(in); b++)
        by->backward(p.dx + sr_block_at(rows, b), p.dy, p.w + b * SR_BLOCK, rows, out, in,
                     sr_block_columns(in, b));
    return p;
}

static void product_free(struct product *p) {
    real *all[] = {p->x, p->dy, p->w, p->bias, p->y, p->dx, p->dw};
    for (size_t i = 0; i < SR_COUNT(all); i++)
        sr_free(all[i]);
}

/* Results of a and b, at most `limit` apart; NaN where nothing was computed fails. */
static void expect_same(const char *what, const real *a, const real *b, size_t n, double limit) {
    for (size_t i = 0; i < n; i++)
        cr_assert(fabs((double)a[i] - (double)b[i]) <= limit, "%s %zu: %.9g, not %.9g", what, i, (double)a[i],
                  (double)b[i]);
}

static void compare(const struct product *a, const struct product *b, double scale) {
    const size_t rows = a->rows, in = a->in, out = a->out;
    real *plain[2] = {test_alloc(rows * (in + out), sizeof(real)),
                      test_alloc(rows * (in + out), sizeof(real))};
    const struct product *both[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        blocks_copy(both[i]->y, plain[i], true, rows, out, sizeof(real));
        blocks_copy(both[i]->dx, plain[i] + rows * out, true, rows, in, sizeof(real));
        for (size_t g = 0; g < GUARD; g++)
            cr_assert(both[i]->y[sr_blocks_size(rows, out) + g] == 7 &&
                          both[i]->dx[sr_blocks_size(rows, in) + g] == 7 && both[i]->dw[out * in + g] == 7,
                      "written behind the end");
    }
    expect_same("y", plain[0], plain[1], rows * out, scale * (double)(in + 1));
    expect_same("dx", plain[0] + rows * out, plain[1] + rows * out, rows * in, scale * (double)(out + 1));
    expect_same("dw", a->dw, b->dw, out * in, scale * (double)(rows + 1));
    sr_free(plain[0]);
    sr_free(plain[1]);
}

/* rows, in, out: around tiles of 6 rows, turns of 16, blocks of 64, panels of 256. */
static const size_t shapes[][3] = {{1, 1, 1},    {2, 3, 5},     {5, 16, 17},    {6, 64, 64},   {7, 63, 65},
                                   {13, 130, 1}, {67, 257, 33}, {256, 300, 70}, {4, 512, 128}, {9, 70, 300}};

Test(nn_matmul, every_isa_gives_openblas_numbers) {
    const struct sr_matmul *blas = sr_matmul_for(SR_ISA_BASE);
    int tables = 0;
    for (int isa = SR_ISA_BASE + 1; isa < SR_ISA_COUNT; isa++) {
        const struct sr_matmul *by = sr_matmul_for((enum sr_isa)isa);
        for (size_t s = 0; by && s < SR_COUNT(shapes); s++) {
            struct product a = product_of(by, shapes[s][0], shapes[s][1], shapes[s][2]),
                           b = product_of(blas, shapes[s][0], shapes[s][1], shapes[s][2]);
            compare(&a, &b, 1e-7);
            product_free(&a);
            product_free(&b);
        }
        tables += by != NULL;
    }
    if (!tables)
        cr_skip_test("this CPU or SAFEROUTE_ISA leaves only OpenBLAS: nothing to compare");
}

Test(nn_matmul, avx2_and_avx512_give_the_same_bits) {
    const struct sr_matmul *narrow = sr_matmul_for(SR_ISA_AVX2), *wide = sr_matmul_for(SR_ISA_AVX512);
    if (!narrow || !wide)
        cr_skip_test("this CPU or SAFEROUTE_ISA leaves only one of the two");
    for (size_t s = 0; s < SR_COUNT(shapes); s++) {
        struct product a = product_of(narrow, shapes[s][0], shapes[s][1], shapes[s][2]),
                       b = product_of(wide, shapes[s][0], shapes[s][1], shapes[s][2]);
        compare(&a, &b, 0);
        product_free(&a);
        product_free(&b);
    }
}

/* Row r of y does not depend on the rows around it. */
Test(nn_matmul, a_row_is_the_same_alone) {
    enum { ROWS = 11, IN = 70, OUT = 20 };
    const struct sr_matmul *by = sr_matmul_for(SR_ISA_AVX2);
    if (!by)
        cr_skip_test("OpenBLAS promises no such thing");
    struct product p = product_of(by, ROWS, IN, OUT);
    real x[IN], y[ROWS * OUT], alone[SR_BLOCK];
    real *plain = test_alloc(ROWS * IN, sizeof *plain);
    blocks_copy(p.y, y, true, ROWS, OUT, sizeof *y);
    blocks_copy(p.x, plain, true, ROWS, IN, sizeof *plain);
    for (size_t r = 0; r < ROWS; r++) {
        memcpy(x, plain + r * IN, sizeof x);
        real *one = blocks_of(x, 1, IN);
        by->forward(alone, one, p.w, p.bias, 1, IN, OUT);
        cr_expect_eq(memcmp(alone, y + r * OUT, OUT * sizeof *y), 0, "row %zu", r);
        sr_free(one);
    }
    sr_free(plain);
    product_free(&p);
}
