/* test_nn_blas.c: OpenBLAS on a core weaker than the CPU is put right, a user's own choice is not.
 *
 * A library that does not know the CPU is imitated by making it choose the weakest core, the way it would be
 * at load.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "nn/nn.h"

extern void gotoblas_dynamic_quit(void) __attribute__((weak));
extern void gotoblas_dynamic_init(void) __attribute__((weak));
extern int openblas_get_num_threads(void);

/* The library as it is after loading on a CPU it takes for one of this core's. */
static void load_on(const char *core) {
    if (!gotoblas_dynamic_quit || !gotoblas_dynamic_init)
        cr_skip_test("this OpenBLAS has one core only: nothing to choose");
    setenv("OPENBLAS_CORETYPE", core, 1);
    gotoblas_dynamic_quit();
    gotoblas_dynamic_init();
    unsetenv("OPENBLAS_CORETYPE");
}

static void multiplies(void) {
    const real a[] = {1, 2, 3, 4, 5, 6}, b[] = {7, 8, 9, 10, 11, 12}; /* 2 x 3, 3 x 2 */
    real c[4] = {0};
    sr_gemm(false, false, 2, 2, 3, a, 3, b, 2, 0, c, 2);
    cr_expect(c[0] == 58 && c[1] == 64 && c[2] == 139 && c[3] == 154);
}

Test(nn_blas, a_weak_core_is_replaced) {
    load_on("Prescott");
    if (!strstr(sr_cpu_features(), "avx2"))
        cr_skip_test("this CPU has no AVX2: every core fits it");
    const struct sr_blas *blas = sr_blas_begin();
    cr_expect_str_eq(blas->core_before, "Prescott");
    cr_expect_str_neq(blas->core, "Prescott");
    cr_expect(strstr(blas->action, "replaced"), "%s", blas->action);
    cr_expect_null(getenv("OPENBLAS_CORETYPE"), "the variable is left behind for child processes");
    multiplies();
}

/* Also on a CPU with more of AVX-512 than that core uses. */
Test(nn_blas, a_core_that_fits_is_left_alone) {
    const bool wide = strstr(sr_cpu_features(), "avx512vl") && strstr(sr_cpu_features(), "avx512dq");
    const char *core = wide ? "SkylakeX" : "Haswell";
    load_on(core);
    if (!strstr(sr_cpu_features(), "avx2"))
        cr_skip_test("this CPU has no AVX2: no core to choose");
    const struct sr_blas *blas = sr_blas_begin();
    cr_expect_str_eq(blas->core, core);
    cr_expect(strstr(blas->action, "left alone"), "%s", blas->action);
}

Test(nn_blas, a_users_choice_is_kept) {
    load_on("Prescott");
    setenv("OPENBLAS_CORETYPE", "Prescott", 1);
    const struct sr_blas *blas = sr_blas_begin();
    cr_expect_str_eq(blas->core, "Prescott");
    multiplies();
}

Test(nn_blas, a_second_call_changes_nothing) {
    const struct sr_blas *first = sr_blas_begin();
    cr_expect_eq(first, sr_blas_begin());
    cr_expect(first->config && first->core && first->parallel && first->action);
    multiplies();
}

/* The OpenMP flavour must not be told where our own loops are OpenMP's, and must where there are none. */
Test(nn_blas, products_are_serial) {
#ifdef _OPENMP
    const bool regions = true;
#else
    const bool regions = false;
#endif
    const bool openmp = strcmp(sr_blas_begin()->parallel, "openmp") == 0;
    cr_expect((openmp && regions) || openblas_get_num_threads() == 1, "%d threads",
              openblas_get_num_threads());
}
