/* vec_choose.c: which of the tables of vec.c this CPU uses.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/base/vec.h"

extern const struct sr_vec sr_vec_table_base;
#if defined(__x86_64__) && !defined(SR_REAL_DOUBLE)
extern const struct sr_vec sr_vec_table_avx2, sr_vec_table_avx512, sr_vec_table_avx512vnni;
#elif defined(__aarch64__) && !defined(SR_REAL_DOUBLE)
extern const struct sr_vec sr_vec_table_dotprod;
#endif
static const struct sr_vec *const tables[SR_ISA_COUNT] = {
    [SR_ISA_BASE] = &sr_vec_table_base,
#if defined(__x86_64__) && !defined(SR_REAL_DOUBLE)
    [SR_ISA_AVX2] = &sr_vec_table_avx2,
    [SR_ISA_AVX512] = &sr_vec_table_avx512,
    [SR_ISA_AVX512VNNI] = &sr_vec_table_avx512vnni,
#elif defined(__aarch64__) && !defined(SR_REAL_DOUBLE)
    [SR_ISA_DOTPROD] = &sr_vec_table_dotprod,
#endif
};

const struct sr_vec *sr_vec_for(enum sr_isa isa) {
    return isa <= sr_isa_best() ? tables[isa] : NULL;
}

const struct sr_vec *sr_vec(void) {
    const struct sr_vec *best = sr_vec_for(sr_isa_best());
    return best ? best : &sr_vec_table_base;
}
