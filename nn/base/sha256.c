/* sha256.c: SHA-256 as written in FIPS 180-4, section 6.2, one block of 64 bytes at a time.
 *
 * Every weights file and checkpoint is hashed whole, so the SHA instructions of x86 are used where they are:
 * five times as fast as plain C. Names of variables are those of the standard.
 *
 * SPDX-License-Identifier: MIT
 */
/* products of constants and small counters: NOLINTBEGIN(bugprone-implicit-widening-of-multiplication-result)
 */
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

#include "nn/base/cpu.h"
#include "nn/base/sha256.h"

/* First 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2). */
static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int n) {
    return x >> n | x << (32 - n);
}

static void schedule(uint32_t w[64], const unsigned char *block) {
    for (int t = 0; t < 16; t++, block += 4)
        w[t] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
    for (int t = 16; t < 64; t++) {
        const uint32_t s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3;
        const uint32_t s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = s1 + w[t - 7] + s0 + w[t - 16];
    }
}

static void compress_plain(uint32_t state[8], const unsigned char *p, size_t blocks) {
    for (; blocks > 0; blocks--, p += 64) {
        uint32_t w[64], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5],
                        g = state[6], h = state[7];
        schedule(w, p);
#pragma GCC unroll 8
        for (int t = 0; t < 64; t++) {
            const uint32_t t1 =
                h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + K[t] + w[t];
            const uint32_t t2 =
                (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
            h = g, g = f, f = e, e = d + t1;
            d = c, c = b, b = a, a = t1 + t2;
        }
        const uint32_t v[8] = {a, b, c, d, e, f, g, h};
        for (int i = 0; i < 8; i++)
            state[i] += v[i];
    }
}

#ifdef __x86_64__
static bool has_sha;

static void ask_cpu(void) {
    unsigned a, b, c, d;
    has_sha = sr_isa_best() >= SR_ISA_AVX2 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

/* Asked once: in a virtual machine each question takes longer than hashing a row. */
static bool has_instructions(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, ask_cpu);
    return has_sha;
}

/* The state is kept as the instructions want it, (f e b a) and (h g d c); one of them does two rounds, and m
 * holds the last 16 words of w. */
__attribute__((target("sha,sse4.1"))) static void
compress_instructions(uint32_t state[8], const unsigned char *p, size_t blocks) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    const __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128((const void *)state), 0xb1);
    const __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const void *)(state + 4)), 0x1b);
    __m128i feba = _mm_alignr_epi8(badc, efgh, 8), hgdc = _mm_blend_epi16(efgh, badc, 0xf0);
    for (; blocks > 0; blocks--, p += 64) {
        const __m128i feba_before = feba, hgdc_before = hgdc;
        __m128i m[4];
        for (int i = 0; i < 4; i++)
            m[i] = _mm_shuffle_epi8(_mm_loadu_si128((const void *)(p + 16 * i)), swap);
#pragma GCC unroll 16
        for (int t = 0; t < 16; t++) {
            const __m128i wk = _mm_add_epi32(m[t % 4], _mm_loadu_si128((const void *)(K + 4 * t)));
            hgdc = _mm_sha256rnds2_epu32(hgdc, feba, wk);
            feba = _mm_sha256rnds2_epu32(feba, hgdc, _mm_shuffle_epi32(wk, 0x0e));
            const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(m[t % 4], m[(t + 1) % 4]),
                                              _mm_alignr_epi8(m[(t + 3) % 4], m[(t + 2) % 4], 4));
            m[t % 4] = _mm_sha256msg2_epu32(sum, m[(t + 3) % 4]);
        }
        feba = _mm_add_epi32(feba, feba_before);
        hgdc = _mm_add_epi32(hgdc, hgdc_before);
    }
    const __m128i abef = _mm_shuffle_epi32(feba, 0x1b), dchg = _mm_shuffle_epi32(hgdc, 0xb1);
    _mm_storeu_si128((void *)state, _mm_blend_epi16(abef, dchg, 0xf0));
    _mm_storeu_si128((void *)(state + 4), _mm_alignr_epi8(dchg, abef, 8));
}
#else
static bool has_instructions(void) {
    return false;
}
#define compress_instructions compress_plain
#endif

static void compress(uint32_t state[8], const unsigned char *p, size_t blocks) {
    (has_instructions() ? compress_instructions : compress_plain)(state, p, blocks);
}

void sr_sha256_begin(struct sr_sha256 *s) {
    static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(s->state, initial, sizeof initial);
    s->bytes = 0;
}

void sr_sha256_add(struct sr_sha256 *s, const void *bytes, size_t size) {
    const unsigned char *p = bytes;
    while (size > 0) {
        const size_t used = s->bytes % 64;
        if (used == 0 && size >= 64) {
            const size_t whole = size / 64;
            compress(s->state, p, whole);
            s->bytes += 64 * whole, p += 64 * whole, size -= 64 * whole;
            continue;
        }
        const size_t n = size < 64 - used ? size : 64 - used;
        memcpy(s->block + used, p, n);
        s->bytes += n, p += n, size -= n;
        if (used + n == 64)
            compress(s->state, s->block, 1);
    }
}

void sr_sha256_end(struct sr_sha256 *s, char hex[65]) {
    static const char digit[] = "0123456789abcdef";
    const uint64_t bits = s->bytes * 8;
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(bits >> (56 - 8 * i));
    sr_sha256_add(s, "\x80", 1);
    while (s->bytes % 64 != 56)
        sr_sha256_add(s, "", 1);
    sr_sha256_add(s, length, 8);
    for (int i = 0; i < 64; i++)
        hex[i] = digit[s->state[i / 8] >> (28 - 4 * (i % 8)) & 15];
    hex[64] = '\0';
}
/* NOLINTEND(bugprone-implicit-widening-of-multiplication-result) */

void sr_sha256(const void *bytes, size_t size, char hex[65]) {
    struct sr_sha256 s;
    sr_sha256_begin(&s);
    sr_sha256_add(&s, bytes, size);
    sr_sha256_end(&s, hex);
}
