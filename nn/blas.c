/* blas.c: the only file that knows OpenBLAS: one serial GEMM, and the core it runs on.
 *
 * Our own loops hold the threads; every GEMM below them is serial, so that bits do not depend on how OpenBLAS
 * would split. The pthread flavour must be told; the OpenMP flavour is serial inside a parallel region by
 * itself, and telling it would set our loops to one thread as well. A build without OpenMP has no regions,
 * and tells both.
 *
 * OpenBLAS chooses its kernels ("core") by CPU model when it is loaded. A version older than the CPU falls
 * back to a core without AVX, five times slower. Its environment variable is read at load only, so the choice
 * is made again by its own (exported, undocumented, hence weak and checked) functions. A user's
 * OPENBLAS_CORETYPE is never overridden.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "nn/nn.h"

extern void gotoblas_dynamic_quit(void) __attribute__((weak));
extern void gotoblas_dynamic_init(void) __attribute__((weak));

void sr_gemm(bool trans_a, bool trans_b, size_t m, size_t n, size_t k, const real *a, size_t lda,
             const real *b, size_t ldb, real beta, real *c, size_t ldc) {
#ifdef SR_REAL_DOUBLE
    cblas_dgemm
#else
    cblas_sgemm
#endif
        (CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans, trans_b ? CblasTrans : CblasNoTrans, (blasint)m,
         (blasint)n, (blasint)k, 1, a, (blasint)lda, b, (blasint)ldb, beta, c, (blasint)ldc);
}

/* The instruction set a core's kernels are written for; older ones do not matter. */
static enum sr_isa core_isa(const char *core) {
    static const struct {
        const char *name;
        enum sr_isa isa;
    } known[] = {
        {"SkylakeX", SR_ISA_AVX512}, {"Cooperlake", SR_ISA_AVX512}, {"SapphireRapids", SR_ISA_AVX512},
        {"Haswell", SR_ISA_AVX2},    {"Zen", SR_ISA_AVX2},          {"Excavator", SR_ISA_AVX2}};
    for (size_t i = 0; i < SR_COUNT(known); i++)
        if (strcasecmp(core, known[i].name) == 0)
            return known[i].isa;
    return SR_ISA_BASE;
}

/* What a core that fits this CPU is written for. What AVX-512 has beyond the instructions of SkylakeX is
 * nothing to a product of floats; on ARM64 OpenBLAS tells CPUs apart by their numbers, and is believed. */
static enum sr_isa core_isa_wanted(void) {
#ifdef __x86_64__
    const enum sr_isa cpu = sr_isa_cpu();
    return cpu < SR_ISA_AVX512 ? cpu : SR_ISA_AVX512;
#else
    return SR_ISA_BASE;
#endif
}

static const char *core_choose(const char *before) {
    if (core_isa(before) >= core_isa_wanted())
        return "fits this CPU, left alone";
    if (getenv("OPENBLAS_CORETYPE"))
        return "weaker than this CPU, but OPENBLAS_CORETYPE is set, so left alone";
    if (!gotoblas_dynamic_quit || !gotoblas_dynamic_init)
        return "weaker than this CPU, and this OpenBLAS cannot choose again; set OPENBLAS_CORETYPE=Haswell "
               "or SkylakeX";
    setenv("OPENBLAS_CORETYPE", "auto", 1); /* a name it does not know makes it test the CPU's features */
    gotoblas_dynamic_quit();
    gotoblas_dynamic_init();
    unsetenv("OPENBLAS_CORETYPE");
    return core_isa(openblas_get_corename()) > core_isa(before)
               ? "weaker than this CPU, replaced"
               : "weaker than this CPU, and choosing again did not help; set OPENBLAS_CORETYPE";
}

const struct sr_blas *sr_blas_begin(void) {
    static struct sr_blas blas;
    static char before[32], after[32];
    static const char *const parallel[] = {"serial", "pthread", "openmp"};
    if (blas.core)
        return &blas;
    snprintf(before, sizeof before, "%s", openblas_get_corename());
    blas.action = core_choose(before);
    snprintf(after, sizeof after, "%s", openblas_get_corename());
    const int kind = openblas_get_parallel();
#ifdef _OPENMP
    const bool ours = kind == 2; /* the threads it would take */
#else
    const bool ours = false;
#endif
    if (!ours)
        openblas_set_num_threads(1);
    blas.parallel = kind >= 0 && kind <= 2 ? parallel[kind] : "unknown";
    blas.config = openblas_get_config();
    blas.core_before = before;
    blas.core = after;
    blas.weak = core_isa(after) < core_isa_wanted();
    return &blas;
}
