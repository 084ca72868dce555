/* philox.c: numbers of common shapes from Philox; see philox.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "nn/base/philox.h"

uint64_t sr_random_bits(uint64_t seed, uint64_t stream, uint64_t index) {
    const struct sr_philox4 r = sr_philox(seed, stream, index);
    return (uint64_t)r.v[1] << 32 | r.v[0];
}

double sr_random_uniform(uint64_t seed, uint64_t stream, uint64_t index) {
    return (double)(sr_random_bits(seed, stream, index) >> 11) * 0x1p-53;
}

void sr_random_normal_pair(double pair[2], uint64_t seed, uint64_t stream, uint64_t index) {
    const struct sr_philox4 r = sr_philox(seed, stream, index);
    const uint64_t a = (uint64_t)r.v[1] << 32 | r.v[0], b = (uint64_t)r.v[3] << 32 | r.v[2];
    const double u = ((double)(a >> 11) + 1) * 0x1p-53; /* (0, 1] */
    const double angle = 6.28318530717958647692 * ((double)(b >> 11) * 0x1p-53);
    const double radius = sqrt(-2 * log(u));
    pair[0] = radius * cos(angle);
    pair[1] = radius * sin(angle);
}

double sr_random_normal(uint64_t seed, uint64_t stream, uint64_t index) {
    double pair[2];
    sr_random_normal_pair(pair, seed, stream, index);
    return pair[0];
}

uint64_t sr_random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n) {
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)((wide)sr_random_bits(seed, stream, index) * n >> 64);
}

void sr_random_shuffle(uint32_t *items, size_t n, uint64_t seed, uint64_t stream) {
    for (size_t i = n; i > 1; i--) {
        const size_t j = (size_t)sr_random_below(seed, stream, n - i, i);
        const uint32_t item = items[i - 1];
        items[i - 1] = items[j];
        items[j] = item;
    }
}
