/* kernels_choose.c: which of the tables of kernels_row.c this CPU uses.
 *
 * SPDX-License-Identifier: MIT
 */
#include "infer/kernels.h"

extern const struct sr_kernels sr_kernels_table_base;
#if defined(__x86_64__)
extern const struct sr_kernels sr_kernels_table_avx2, sr_kernels_table_avx512, sr_kernels_table_avx512vnni;
#elif defined(__aarch64__)
extern const struct sr_kernels sr_kernels_table_dotprod;
#endif
static const struct sr_kernels *const tables[SR_ISA_COUNT] = {
    [SR_ISA_BASE] = &sr_kernels_table_base,
#if defined(__x86_64__)
    [SR_ISA_AVX2] = &sr_kernels_table_avx2,
    [SR_ISA_AVX512] = &sr_kernels_table_avx512,
    [SR_ISA_AVX512VNNI] = &sr_kernels_table_avx512vnni,
#elif defined(__aarch64__)
    [SR_ISA_DOTPROD] = &sr_kernels_table_dotprod,
#endif
};

const struct sr_kernels *sr_kernels_for(enum sr_isa isa) {
    return isa <= sr_isa_best() ? tables[isa] : NULL;
}

const struct sr_kernels *sr_kernels(void) {
    const struct sr_kernels *best = sr_kernels_for(sr_isa_best());
    return best ? best : &sr_kernels_table_base;
}
