/* test_nn_parity.c: the float build, the one that trains, against PyTorch in float32.
 *
 * double_parity.c shows that the formulas are the same; this shows that float and its own kernels (erf and
 * exp as short formulas, fused AdamW) stay within rounding of them. A Linear bias in front of BatchNorm has
 * true gradient 0, out of whose rounding AdamW makes steps of up to lr, PyTorch against itself too: such
 * tensors, and the running means that carry them, are bounded by steps x lr.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>

#include "tests/parity.h"

/* A float has 6e-8; the sums here some ten terms, GELU 3e-7. */
#define ONCE 1e-6

static struct parity_limits limits(const struct parity_run *run, bool projected) {
    const double drift = (double)run->steps * TRAINING_LR;
    return (struct parity_limits){.relative = 1e-4, .noise = drift, .mean = drift, .projected = projected};
}

Test(nn_parity, layers) {
    layers_compare(ONCE);
}

Test(nn_parity, adamw) {
    struct sr_safetensors *file = vectors_open("optimiser");
    adamw_compare(file, "adamw.0", ONCE);
    adamw_compare(file, "adamw.1", ONCE);
    adamw_compare(file, "adamw.2", ONCE);
    sr_safetensors_close(file);
}

Test(nn_parity, fifty_steps_small) {
    const struct parity_limits l = limits(&run_small, false);
    parity_compare(&run_small, "small.f32", 1e-4, &l);
}

Test(nn_parity, ten_steps_full_size) {
    const struct parity_limits l = limits(&run_full, true);
    parity_compare(&run_full, "full.f32", 1e-4, &l);
}

/* The float32 run stays as near to the float64 one. */
Test(nn_parity, ten_steps_full_size_float64) {
    const struct parity_limits l = limits(&run_full, true);
    parity_compare(&run_full, "full.f64", 1e-4, &l);
}
