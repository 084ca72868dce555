/* peak.h: the most that a core of this machine can do: what measured speeds are a share of.
 *
 * Loops that do nothing but one thing: fused multiply-adds in registers, products of int8 in registers, a
 * read of memory, and AdamW's traffic without its arithmetic. Timing them is bench_limits.c's work. The
 * CPU's own instruction set is taken, whatever SAFEROUTE_ISA asks for. Pure, allocate nothing, start no
 * thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_PEAK_H
#define SR_PEAK_H

#include <stddef.h>

#define SR_PEAK_BYTES 512 /* read takes whole blocks of so many bytes */
#define SR_PEAK_ITEMS 64  /* update takes whole blocks of so many floats */

struct sr_peak {
    const char *fma_name, *dot_name; /* "AVX-512 FMA", "AVX-512 VNNI"; static storage */
    /* `count` turns of the loop; returns how many operations that were, a multiplication and an addition each
     * counting as one. */
    double (*fma)(size_t count);
    double (*dot)(size_t count); /* products of int8, added up in int32 */
    /* Reads p[0..bytes) once. p is aligned to 64 bytes. */
    void (*read)(const void *p, size_t bytes);
    /* w, m, v += g: four arrays of n floats read, three written, as AdamW does. Aligned to 64 bytes. */
    void (*update)(float *w, float *m, float *v, const float *g, size_t n);
};

const struct sr_peak *sr_peak(void); /* of this CPU */

#endif
