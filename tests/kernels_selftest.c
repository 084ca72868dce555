/* kernels_selftest.c: the kernels of the deployed router give the same bits on every architecture and
 * instruction set.
 *
 *   kernels_selftest          the instruction set that is chosen for this CPU
 *   kernels_selftest avx512   that one; exit status 77 where the CPU does not have it
 *
 * test_infer_kernels compares the instruction sets of one CPU with each other and checks the numbers; this
 * holds CPUs of different architectures to one set of values. Sizes are odd and even, starts off alignment,
 * and what lies behind the outputs is hashed too.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "infer/kernels.h"
#include "tests/hash_fill.h"
#include "tests/selftest.h"

#define ROWS    25
#define OUTPUTS 130
#define MOST    2048 /* inputs */
#define GAP     3    /* between rows, at most */
#define LONGEST (1 << 17)
#define ROOM    (SR_PANEL_STEP * (size_t)(LONGEST + 4)) /* the most weights, with the heads of int8 */

static float x[ROWS * (MOST + GAP) + 16], w[OUTPUTS * MOST + 16], bias[MOST + 16];
static uint16_t half[OUTPUTS * MOST];
static uint8_t quantised[ROWS * MOST + LONGEST];
static int8_t small[ROOM];
static float out[ROWS * (OUTPUTS + 1) + MOST];
static union { /* packed weights, from a start off alignment */
    float f[OUTPUTS * (MOST + GAP) + SR_PANEL * MOST];
    uint16_t h[OUTPUTS * (MOST + GAP) + SR_PANEL * MOST];
    int8_t i[ROOM + GAP];
} panels;

static const size_t all_inputs[] = {0, 1, 3, 8, 15, 17, 33, 64, 100, 127, 128, 129, 300, 512, MOST};
static const size_t all_rows[] = {1, 2, 3, 5, 8, 9, 14, ROWS};
static const size_t all_outputs[] = {1, 2, 15, 16, 17, 33, 49, 64, 65, 112, OUTPUTS};

/* One call. */
struct shape {
    size_t rows, in, outputs, shift;
};

static void begin(void) {
    hash_fill(x, SR_COUNT(x), 1, 4.1, 0); /* of 24 bits, so that every product is rounded */
    hash_fill(w, SR_COUNT(w), 2, 1.1, 0);
    hash_fill(bias, SR_COUNT(bias), 3, 1, 0);
    for (size_t i = 0; i < SR_COUNT(half); i++) {
        uint32_t bits;
        memcpy(&bits, &w[i], sizeof bits);
        half[i] = (uint16_t)(bits >> 16);
    }
    for (size_t i = 0; i < sizeof quantised; i++)
        quantised[i] = (uint8_t)(hash_bits(4, i) % 255 + 1);
    for (size_t i = 0; i < sizeof small; i++)
        small[i] = (int8_t)(hash_bits(5, i) % 256 - 128);
}

static uint64_t each_shape(void (*run)(const struct sr_kernels *k, const struct shape *s)) {
    uint64_t hash = SELFTEST_START;
    begin();
    for (size_t i = 0; i < SR_COUNT(all_inputs); i++)
        for (size_t way = 0; way < SR_COUNT(all_rows); way++) {
            const struct shape s = {all_rows[way], all_inputs[i],
                                    all_outputs[(3 * i + way) % SR_COUNT(all_outputs)], way % (GAP + 1)};
            hash_fill(out, SR_COUNT(out), 9, 1, 0);
            run(sr_kernels(), &s);
            hash = selftest_hash(hash, out, sizeof out);
        }
    return hash;
}

static void linear(const struct sr_kernels *k, const struct shape *s) {
    const ptrdiff_t stride = (ptrdiff_t)(s->in + s->shift % GAP);
    sr_panels_pack(panels.f + s->shift, w, s->in, s->outputs);
    k->linear(out, s->outputs + 1, x + s->shift, stride, panels.f + s->shift, s->shift ? bias : NULL, s->rows,
              s->in, s->outputs);
}
static void linear_bfloat16(const struct sr_kernels *k, const struct shape *s) {
    const ptrdiff_t stride = (ptrdiff_t)(s->in + s->shift % GAP);
    sr_panels_pack_bfloat16(panels.h + s->shift, half, s->in, s->outputs);
    k->linear_bfloat16(out, s->outputs + 1, x + s->shift, stride, panels.h + s->shift, s->shift ? bias : NULL,
                       s->rows, s->in, s->outputs);
}
static void linear_int8(const struct sr_kernels *k, const struct shape *s) {
    sr_panels_pack_int8(panels.i + s->shift, small, s->in, s->outputs);
    k->linear_int8(out, s->outputs + 1, quantised + s->shift, x, panels.i + s->shift, w,
                   s->shift ? bias : NULL, s->rows, s->in, s->outputs);
}
/* The longest sums there are, of the largest products. */
static uint64_t case_int8_extremes(void) {
    static const float ones[] = {1, 1, 1};
    for (size_t k = 0; k < LONGEST; k++) {
        small[k] = -128;
        small[LONGEST + k] = 127;
        small[2ul * LONGEST + k] = k % 3 ? 127 : -128;
    }
    memset(quantised, 255, LONGEST);
    sr_panels_pack_int8(panels.i, small, LONGEST, 3);
    sr_kernels()->linear_int8(out, 3, quantised, ones, panels.i, ones, NULL, 1, LONGEST, 3);
    memset(quantised, 1, LONGEST);
    sr_kernels()->linear_int8(out + 3, 3, quantised, ones, panels.i, ones, NULL, 1, LONGEST, 3);
    return selftest_hash(SELFTEST_START, out, 6 * sizeof *out);
}
/* The scale, and the bytes behind it. */
static void quantise(const struct sr_kernels *k, const struct shape *s) {
    out[0] = k->quantise((uint8_t *)(out + 1) + s->shift, x + s->shift, s->in);
}
static void standardise(const struct sr_kernels *k, const struct shape *s) {
    k->standardise(out + s->shift, x + s->shift, w + s->shift, w + 7, s->in);
}
static void range_sums(const struct sr_kernels *k, const struct shape *s) {
    k->range_sums(out, x + s->shift, w + s->shift, w + 7, s->in);
}

#define CASE(kernel)                                                                                         \
    static uint64_t case_##kernel(void) {                                                                    \
        return each_shape(kernel);                                                                           \
    }
CASE(linear)
CASE(linear_bfloat16)
CASE(linear_int8)
CASE(quantise)
CASE(standardise)
CASE(range_sums)

static const struct selftest_case cases[] = {
    {"linear", case_linear, 0xba20302037a1d72f},
    {"linear_bfloat16", case_linear_bfloat16, 0x05c372b5493c25dd},
    {"linear_int8", case_linear_int8, 0xbcadd8c332ffcd96},
    {"int8_extremes", case_int8_extremes, 0x2b99e85bbe5cc835},
    {"quantise", case_quantise, 0x5790b2c215deb37d},
    {"standardise", case_standardise, 0xd0c63c2e2ab8652d},
    {"range_sums", case_range_sums, 0xef8cad34fb6cc401},
};

int main(int argc, char **argv) {
    const char *asked = selftest_asks(argc, argv), *isa = sr_isa_name(sr_isa_best());
    if (asked && strcmp(asked, isa) != 0)
        return selftest_skip(asked);
    return selftest_run(cases, SR_COUNT(cases), isa);
}
