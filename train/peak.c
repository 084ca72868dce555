/* peak.c: loops that do nothing but reach a limit; see peak.h.
 *
 * CHAINS independent sums hide the latency of an instruction: at least latency times units a cycle are
 * needed, 8 to 12 on CPUs of today, and no more than there are registers. What a loop computes goes to a
 * volatile, so that the compiler keeps it. Written with intrinsics and per-function targets: VNNI is no level
 * of vec.c's instruction sets, and a loop that a compiler vectorised its own way would be no limit.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "train/peak.h"

static volatile float float_sink;
static volatile int32_t int_sink;
/* Read at run time: a compiler that knew the numbers could see that 1 * .75 + .25 stays 1. */
static volatile float float_start = 1.5f;
static volatile int32_t int_start = 0x30507;

#define CHAINS      12
#define CHAINS_AVX2 10 /* with a temporary each, more do not fit into 16 registers */

#if defined(__x86_64__)

/* ---- AVX-512 ---- */

#define AVX512 __attribute__((target("avx512f,avx512bw")))

AVX512 static double fma_avx512(size_t count) {
    const __m512 a = _mm512_set1_ps(0.75f), b = _mm512_set1_ps(0.25f);
    __m512 s[CHAINS], sum = b;
    for (int i = 0; i < CHAINS; i++)
        s[i] = _mm512_set1_ps(float_start);
    for (size_t n = count; n > 0; n--)
        for (int i = 0; i < CHAINS; i++)
            s[i] = _mm512_fmadd_ps(s[i], a, b);
    for (int i = 0; i < CHAINS; i++)
        sum = _mm512_add_ps(sum, s[i]);
    float_sink = _mm512_reduce_add_ps(sum);
    return 2.0 * 16 * CHAINS * (double)count;
}

__attribute__((target("avx512f,avx512bw,avx512vnni"))) static double dot_vnni(size_t count) {
    const __m512i a = _mm512_set1_epi32(int_start), b = _mm512_set1_epi32(int_start);
    __m512i s[CHAINS], sum = b;
    for (int i = 0; i < CHAINS; i++)
        s[i] = _mm512_set1_epi32(int_start);
    for (size_t n = count; n > 0; n--)
        for (int i = 0; i < CHAINS; i++)
            s[i] = _mm512_dpbusd_epi32(s[i], a, b);
    for (int i = 0; i < CHAINS; i++)
        sum = _mm512_add_epi32(sum, s[i]);
    int_sink = _mm512_reduce_add_epi32(sum);
    return 2.0 * 64 * CHAINS * (double)count;
}

/* The sum is a factor too, or the product would be taken out of the loop. */
AVX512 static double dot_avx512(size_t count) {
    const __m512i b = _mm512_set1_epi32(int_start);
    __m512i s[CHAINS], sum = b;
    for (int i = 0; i < CHAINS; i++)
        s[i] = _mm512_set1_epi32(int_start);
    for (size_t n = count; n > 0; n--)
        for (int i = 0; i < CHAINS; i++)
            s[i] = _mm512_add_epi32(s[i], _mm512_madd_epi16(s[i], b));
    for (int i = 0; i < CHAINS; i++)
        sum = _mm512_add_epi32(sum, s[i]);
    int_sink = _mm512_reduce_add_epi32(sum);
    return 2.0 * 32 * CHAINS * (double)count;
}

AVX512 static void read_avx512(const void *p, size_t bytes) {
    enum { STEP = SR_PEAK_BYTES / sizeof(__m512i) };
    const __m512i *x = p, *end = x + bytes / SR_PEAK_BYTES * STEP;
    __m512i s[STEP];
    memset(s, 0, sizeof s);
    for (; x < end; x += STEP)
        for (size_t i = 0; i < STEP; i++)
            s[i] = _mm512_xor_si512(s[i], _mm512_load_si512(x + i));
    for (size_t i = 1; i < STEP; i++)
        s[0] = _mm512_xor_si512(s[0], s[i]);
    int_sink = _mm512_reduce_add_epi32(s[0]);
}

AVX512 static void update_avx512(float *w, float *m, float *v, const float *g, size_t n) {
    for (size_t i = 0; i + 16 <= n; i += 16) {
        const __m512 x = _mm512_load_ps(g + i);
        _mm512_store_ps(w + i, _mm512_add_ps(_mm512_load_ps(w + i), x));
        _mm512_store_ps(m + i, _mm512_add_ps(_mm512_load_ps(m + i), x));
        _mm512_store_ps(v + i, _mm512_add_ps(_mm512_load_ps(v + i), x));
    }
}

/* ---- AVX2 ---- */

#define AVX2 __attribute__((target("avx2,fma")))

AVX2 static double fma_avx2(size_t count) {
    const __m256 a = _mm256_set1_ps(0.75f), b = _mm256_set1_ps(0.25f);
    __m256 s[CHAINS], sum = b;
    for (int i = 0; i < CHAINS; i++)
        s[i] = _mm256_set1_ps(float_start);
    for (size_t n = count; n > 0; n--)
        for (int i = 0; i < CHAINS; i++)
            s[i] = _mm256_fmadd_ps(s[i], a, b);
    for (int i = 0; i < CHAINS; i++)
        sum = _mm256_add_ps(sum, s[i]);
    float_sink = _mm256_cvtss_f32(sum);
    return 2.0 * 8 * CHAINS * (double)count;
}

AVX2 static double dot_avx2(size_t count) {
    const __m256i b = _mm256_set1_epi32(int_start);
    __m256i s[CHAINS_AVX2], sum = b;
    for (int i = 0; i < CHAINS_AVX2; i++)
        s[i] = _mm256_set1_epi32(int_start);
    for (size_t n = count; n > 0; n--)
        for (int i = 0; i < CHAINS_AVX2; i++)
            s[i] = _mm256_add_epi32(s[i], _mm256_madd_epi16(s[i], b));
    for (int i = 0; i < CHAINS_AVX2; i++)
        sum = _mm256_add_epi32(sum, s[i]);
    int_sink = _mm256_extract_epi32(sum, 0);
    return 2.0 * 16 * CHAINS_AVX2 * (double)count;
}

AVX2 static void read_avx2(const void *p, size_t bytes) {
    enum { STEP = SR_PEAK_BYTES / 2 / sizeof(__m256i) };
    const __m256i *x = p, *end = x + bytes / SR_PEAK_BYTES * 2 * STEP;
    __m256i s[STEP];
    memset(s, 0, sizeof s);
    for (; x < end; x += STEP)
        for (size_t i = 0; i < STEP; i++)
            s[i] = _mm256_xor_si256(s[i], _mm256_load_si256(x + i));
    for (size_t i = 1; i < STEP; i++)
        s[0] = _mm256_xor_si256(s[0], s[i]);
    int_sink = _mm256_extract_epi32(s[0], 0);
}

AVX2 static void update_avx2(float *w, float *m, float *v, const float *g, size_t n) {
    for (size_t i = 0; i + 8 <= n; i += 8) {
        const __m256 x = _mm256_load_ps(g + i);
        _mm256_store_ps(w + i, _mm256_add_ps(_mm256_load_ps(w + i), x));
        _mm256_store_ps(m + i, _mm256_add_ps(_mm256_load_ps(m + i), x));
        _mm256_store_ps(v + i, _mm256_add_ps(_mm256_load_ps(v + i), x));
    }
}

#endif

/* ---- any CPU: vectors of 16 bytes, and NEON's instructions where there is NEON ---- */

typedef float floats __attribute__((vector_size(16)));
typedef int32_t ints __attribute__((vector_size(16)));

#if defined(__aarch64__)
#define FMA_NAME "NEON FMA"
static inline floats multiply_add(floats s, floats a, floats b) {
    return (floats)vfmaq_f32((float32x4_t)b, (float32x4_t)s, (float32x4_t)a);
}
#else
#define FMA_NAME "multiply and add, 128 bit"
static inline floats multiply_add(floats s, floats a, floats b) {
    return s * a + b;
}
#endif

static double fma_plain(size_t count) {
    const floats a = {0.75f, 0.75f, 0.75f, 0.75f}, b = {0.25f, 0.25f, 0.25f, 0.25f};
    floats s[CHAINS], sum = b;
    for (int i = 0; i < CHAINS; i++)
        s[i] = b * float_start;
    for (size_t n = count; n > 0; n--)
        for (int i = 0; i < CHAINS; i++)
            s[i] = multiply_add(s[i], a, b);
    for (int i = 0; i < CHAINS; i++)
        sum += s[i];
    float_sink = sum[0];
    return 2.0 * 4 * CHAINS * (double)count;
}

#if defined(__ARM_FEATURE_DOTPROD)
#define DOT_NAME     "NEON dot product"
#define DOT_PRODUCTS 16
static inline ints multiply_sum(ints s, ints b) {
    return (ints)vdotq_s32((int32x4_t)s, (int8x16_t)s, (int8x16_t)b);
}
#elif defined(__aarch64__)
#define DOT_NAME     "NEON, widened"
#define DOT_PRODUCTS 8
static inline ints multiply_sum(ints s, ints b) {
    const int8x16_t x = (int8x16_t)s;
    return (ints)vpadalq_s16((int32x4_t)s, vmull_s8(vget_low_s8(x), vget_low_s8((int8x16_t)b)));
}
#elif defined(__x86_64__)
#define DOT_NAME     "SSE2, widened"
#define DOT_PRODUCTS 8
static inline ints multiply_sum(ints s, ints b) {
    return (ints)_mm_add_epi32((__m128i)s, _mm_madd_epi16((__m128i)s, (__m128i)b));
}
#else
#define DOT_NAME     "plain"
#define DOT_PRODUCTS 4
static inline ints multiply_sum(ints s, ints b) {
    typedef uint32_t wraps __attribute__((vector_size(16)));
    return (ints)((wraps)s + (wraps)s * (wraps)b);
}
#endif

static double dot_plain(size_t count) {
    const int32_t start = int_start;
    const ints b = {start, start, start, start};
    ints s[CHAINS], sum = b;
    for (int i = 0; i < CHAINS; i++)
        s[i] = b ^ int_start << i;
    for (size_t n = count; n > 0; n--)
        for (int i = 0; i < CHAINS; i++)
            s[i] = multiply_sum(s[i], b);
    for (int i = 0; i < CHAINS; i++)
        sum ^= s[i];
    int_sink = sum[0];
    return 2.0 * DOT_PRODUCTS * CHAINS * (double)count;
}

static void read_plain(const void *p, size_t bytes) {
    enum { STEP = 8 };
    const ints *x = p, *end = x + bytes / SR_PEAK_BYTES * (SR_PEAK_BYTES / sizeof(ints));
    ints s[STEP];
    memset(s, 0, sizeof s);
    for (; x < end; x += STEP)
        for (size_t i = 0; i < STEP; i++)
            s[i] ^= x[i];
    for (size_t i = 1; i < STEP; i++)
        s[0] ^= s[i];
    int_sink = s[0][0] ^ s[0][1] ^ s[0][2] ^ s[0][3];
}

static void update_plain(float *w, float *m, float *v, const float *g, size_t n) {
    for (size_t i = 0; i < n; i++) {
        w[i] += g[i];
        m[i] += g[i];
        v[i] += g[i];
    }
}

/* ---- choosing ---- */

static const struct sr_peak plain = {.fma_name = FMA_NAME,
                                     .dot_name = DOT_NAME,
                                     .fma = fma_plain,
                                     .dot = dot_plain,
                                     .read = read_plain,
                                     .update = update_plain};

#if defined(__x86_64__)
static const struct sr_peak avx2 = {.fma_name = "AVX2 FMA",
                                    .dot_name = "AVX2, widened",
                                    .fma = fma_avx2,
                                    .dot = dot_avx2,
                                    .read = read_avx2,
                                    .update = update_avx2};
static const struct sr_peak avx512 = {.fma_name = "AVX-512 FMA",
                                      .dot_name = "AVX-512, widened",
                                      .fma = fma_avx512,
                                      .dot = dot_avx512,
                                      .read = read_avx512,
                                      .update = update_avx512};
static const struct sr_peak vnni = {.fma_name = "AVX-512 FMA",
                                    .dot_name = "AVX-512 VNNI",
                                    .fma = fma_avx512,
                                    .dot = dot_vnni,
                                    .read = read_avx512,
                                    .update = update_avx512};

const struct sr_peak *sr_peak(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
        return __builtin_cpu_supports("avx512vnni") ? &vnni : &avx512;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &avx2 : &plain;
}
#else
const struct sr_peak *sr_peak(void) {
    return &plain;
}
#endif
