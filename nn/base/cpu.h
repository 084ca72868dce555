/* cpu.h: this machine as far as the code cares: instruction set, processors, memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CPU_H
#define SR_CPU_H

#include <stdbool.h>
#include <stddef.h>

/* Instruction sets the kernels are compiled for, weakest first: BASE everywhere; on x86-64 AVX2 (with FMA and
 * F16C), AVX512 (F, VL, BW and DQ), AVX512VNNI (and products of int8); on ARM64, whose BASE has NEON, DOTPROD
 * (ARMv8.2 with products of int8). Each gives the same bits. */
enum sr_isa { SR_ISA_BASE, SR_ISA_AVX2, SR_ISA_AVX512, SR_ISA_AVX512VNNI, SR_ISA_DOTPROD, SR_ISA_COUNT };

const char *sr_isa_name(enum sr_isa isa); /* "base", "avx2", "avx512", "avx512vnni", "dotprod" */

/* True if an instruction set has this name. */
bool sr_isa_known(const char *name);

/* The strongest this CPU has, whatever anybody asked for. */
enum sr_isa sr_isa_cpu(void);

/* The strongest this CPU has and this build holds; SAFEROUTE_ISA=base|avx2|avx512|avx512vnni|dotprod asks for
 * a weaker one. Read once. */
enum sr_isa sr_isa_best(void);

/* "Intel(R) Xeon(R) ..." or "unknown"; static storage. */
const char *sr_cpu_name(void);

/* Space-separated features that matter here (avx2 fma avx512f avx512_vnni ...); static storage. */
const char *sr_cpu_features(void);

/* Processors this process may use, at least 1: its affinity mask, or less where the CPU quota of a cgroup (v1
 * or v2; itself or any above it) allows fewer, rounded down. *source (may be NULL) says which: "affinity
 * mask", "cgroup limit"; static storage. */
int sr_cpu_count(const char **source);

/* Lets OpenMP use `wanted` threads (0: OMP_NUM_THREADS, else sr_cpu_count) and returns how many it gives. To
 * be called before any work: BLAS is serial under our threads only after it. */
int sr_cpu_threads(int wanted);

/* Lets the parallel regions that the calling thread begins have `wanted` threads (0: as many as before);
 * returns how many they had. Of the calling thread alone, and cheap. 1 without OpenMP. */
int sr_cpu_team(int wanted);

/* Bytes this process can still expect to get: the kernel's MemAvailable, or less where a cgroup (v1 or v2)
 * sets a limit. 0 if unknown. *source (may be NULL) says which: "free memory", "cgroup limit", "unknown";
 * static storage. */
size_t sr_memory_available(const char **source);

/* Largest resident size so far in bytes (VmHWM). */
size_t sr_memory_peak(void);

#endif
