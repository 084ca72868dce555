/* philox.h: counter-based random numbers, Philox 4x32-10.
 *
 * A value is a pure function of (seed, stream, index): there is no generator state to store, to share between
 * threads or to restore when a run is resumed, and values can be drawn in any order.
 * Formula: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 *
 * The seed is the key; the 128-bit counter is (index, stream). A stream is named by sr_stream(purpose, a, b),
 * so that two uses never share numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_PHILOX_H
#define SR_PHILOX_H

#include <stddef.h>
#include <stdint.h>

/* Results depend on these numbers: new ones go in front of SR_STREAM_TEST. */
enum sr_stream_purpose {
    SR_STREAM_INIT = 1,   /* a: parameter tensor */
    SR_STREAM_DROPOUT,    /* a: layer, b: step */
    SR_STREAM_DRAW_CLASS, /* b: pass over the rows */
    SR_STREAM_DRAW_ROW,   /* b: pass */
    SR_STREAM_BANDS,      /* b: pass */
    SR_STREAM_WINDOW,     /* a: window (low 16 bits of it), b: pass and the rest */
    SR_STREAM_SPLIT,      /* rows into parts; a: 0 order, 1 groups of rows without one, 2 order of
                             sources of label b, 3 which of two parts that lag alike, 4 order
                             of labels and sources of groups */
    SR_STREAM_SYNTH,      /* a: which column of the synthetic dump */
    SR_STREAM_BOOTSTRAP,  /* b: draw */
    SR_STREAM_STATS,      /* the first directions of stats.c */
    SR_STREAM_NEAR,       /* near-duplicates; a: 0 signs, 1 bits of table b */
    SR_STREAM_TEST
};

/* purpose in the top 8 bits, a in the next 16, b in the low 40. */
static inline uint64_t sr_stream(enum sr_stream_purpose purpose, uint64_t a, uint64_t b) {
    return (uint64_t)purpose << 56 | (a & 0xffff) << 40 | (b & 0xffffffffffu);
}

struct sr_philox4 {
    uint32_t v[4];
};

/* Ten rounds over the counter (index, stream) with the key seed. Constants: the paper, table 2. */
static inline struct sr_philox4 sr_philox(uint64_t seed, uint64_t stream, uint64_t index) {
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32);
    uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c0 = n0;
        c1 = (uint32_t)p1;
        c2 = n2;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return (struct sr_philox4){{c0, c1, c2, c3}};
}

/* 64 random bits. */
uint64_t sr_random_bits(uint64_t seed, uint64_t stream, uint64_t index);

/* Uniform in [0, 1), 53 bits. */
double sr_random_uniform(uint64_t seed, uint64_t stream, uint64_t index);

/* Standard normal (Box-Muller; libm's log and cos). */
double sr_random_normal(uint64_t seed, uint64_t stream, uint64_t index);
/* Two independent ones for little more than the price of one, which is the first (and libm's sin). */
void sr_random_normal_pair(double pair[2], uint64_t seed, uint64_t stream, uint64_t index);

/* Uniform in 0..n-1, n >= 1. The bias of the multiply-and-shift method is below n / 2^64. */
uint64_t sr_random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n);

/* Permutes items[0..n) (Fisher-Yates, Durstenfeld's form); draws indices 0..n-2 of the stream. */
void sr_random_shuffle(uint32_t *items, size_t n, uint64_t seed, uint64_t stream);

#endif
