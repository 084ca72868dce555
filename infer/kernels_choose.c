/* kernels_choose.c: which of the tables of kernels_row.c this CPU uses.
 *
 * SPDX-License-Identifier: MIT
 */
#include "infer/kernels.h"

extern const struct sr_kernels sr_kernels_table_base;
#ifdef __x86_64__
extern const struct sr_kernels sr_kernels_table_avx2, sr_kernels_table_avx512, sr_kernels_table_avx512vnni;
static const struct sr_kernels *const tables[SR_ISA_COUNT] = {
    &sr_kernels_table_base, &sr_kernels_table_avx2, &sr_kernels_table_avx512, &sr_kernels_table_avx512vnni};
#else
static const struct sr_kernels *const tables[SR_ISA_COUNT] = {&sr_kernels_table_base};
#endif

const struct sr_kernels *sr_kernels_for(enum sr_isa isa) {
    return isa <= sr_isa_best() ? tables[isa] : NULL;
}

const struct sr_kernels *sr_kernels(void) {
    const struct sr_kernels *best = sr_kernels_for(sr_isa_best());
    return best ? best : &sr_kernels_table_base;
}
