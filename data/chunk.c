/* chunk.c: checksum, inflating and unshuffling of chunks. See chunk.h.
 *
 * zlib streams are inflated by libdeflate, which is about three times as fast as zlib; it checks the stream's
 * own checksum, and that there are exactly as many bytes as a chunk has. Bytes are unshuffled on their way
 * into the rows, so that they are touched once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/chunk.h"

#include <libdeflate.h>
#include <string.h>

#include "nn/base/sizes.h"

#define FLETCHER_BYTES ((size_t)4)
#define FLETCHER_WORDS ((size_t)360) /* so many 16-bit words can be added twice before 32 bits run over */

struct sr_chunk_decoder {
    const struct sr_chunk_form *form;
    struct libdeflate_decompressor *inflater; /* NULL without SR_CHUNK_GZIP */
    unsigned char *stored;
    unsigned char *plain; /* inflated bytes, still shuffled */
};

size_t sr_chunk_bytes(const struct sr_chunk_form *form) {
    return sr_size_times(sr_size_times(form->rows, form->width), form->size);
}

size_t sr_chunk_stored_max(const struct sr_chunk_form *form) {
    const size_t bytes = sr_chunk_bytes(form);
    return sr_size_sum(bytes, (form->bit[SR_CHUNK_GZIP] ? bytes / 8 + 1024 : 0) +
                                  (form->bit[SR_CHUNK_FLETCHER] ? FLETCHER_BYTES : 0));
}

int sr_chunk_decoder_create(struct sr_chunk_decoder **out, const struct sr_chunk_form *form,
                            struct sr_error *err) {
    struct sr_chunk_decoder *d = sr_alloc(1, sizeof *d, err);
    if (!d)
        return SR_NOMEM;
    d->form = form;
    d->stored = sr_alloc(sr_chunk_stored_max(form), 1, err);
    d->plain = sr_alloc(form->bit[SR_CHUNK_GZIP] ? sr_chunk_bytes(form) : 0, 1, err);
    if (form->bit[SR_CHUNK_GZIP])
        d->inflater = libdeflate_alloc_decompressor();
    if (d->stored && d->plain && (d->inflater || !form->bit[SR_CHUNK_GZIP])) {
        *out = d;
        return 0;
    }
    sr_chunk_decoder_free(d);
    return sr_fail(err, SR_NOMEM, "out of memory: no room to unpack a chunk of %zu bytes",
                   sr_chunk_bytes(form));
}

void sr_chunk_decoder_free(struct sr_chunk_decoder *d) {
    if (!d)
        return;
    libdeflate_free_decompressor(d->inflater);
    sr_free(d->stored);
    sr_free(d->plain);
    sr_free(d);
}

unsigned char *sr_chunk_stored(struct sr_chunk_decoder *d) {
    return d->stored;
}

/* HDF5's fletcher32: of 16-bit words, the first byte the high one; a last single byte is a high one too. */
static uint32_t fletcher32(const unsigned char *x, size_t n) {
    uint32_t a = 0, b = 0;
    for (size_t words = n / 2; words > 0;) {
        size_t some = words < FLETCHER_WORDS ? words : FLETCHER_WORDS;
        for (words -= some; some > 0; some--, x += 2) {
            a += (uint32_t)x[0] << 8 | x[1];
            b += a;
        }
        a = (a & 0xffff) + (a >> 16);
        b = (b & 0xffff) + (b >> 16);
    }
    if (n % 2 != 0) {
        a += (uint32_t)x[0] << 8;
        b += a;
        a = (a & 0xffff) + (a >> 16);
        b = (b & 0xffff) + (b >> 16);
    }
    a = (a & 0xffff) + (a >> 16);
    b = (b & 0xffff) + (b >> 16);
    return b << 16 | a;
}

/* Old versions of HDF5 stored the bytes of each half the other way round, and the new ones take both. */
static bool fletcher_agrees(const unsigned char *x, size_t n) {
    const uint32_t sum = fletcher32(x, n), other = (sum & 0x00ff00ff) << 8 | (sum >> 8 & 0x00ff00ff);
    const uint64_t stored = sr_little_endian(x + n, 4);
    return stored == sum || stored == other;
}

/* n values of `size` bytes, the first bytes of all `apart` bytes before the second ones. */
static void unshuffle(unsigned char *restrict out, const unsigned char *restrict x, size_t apart, size_t n,
                      size_t size) {
    const unsigned char *restrict y = x + apart;
    if (size == 2)
        for (size_t i = 0; i < n; i++) {
            out[2 * i] = x[i];
            out[2 * i + 1] = y[i];
        }
    else
        for (size_t i = 0; i < n; i++) {
            out[4 * i] = x[i];
            out[4 * i + 1] = y[i];
            out[4 * i + 2] = x[2 * apart + i];
            out[4 * i + 3] = x[3 * apart + i];
        }
}

const char *sr_chunk_decode(struct sr_chunk_decoder *d, unsigned char *out, size_t stride, size_t rows,
                            size_t width, size_t size, uint32_t mask) {
    const struct sr_chunk_form *f = d->form;
    const size_t bytes = sr_chunk_bytes(f), apart = sr_size_times(f->rows, f->width);
    const unsigned char *x = d->stored;
    if (size > sr_chunk_stored_max(f))
        return "a chunk has more bytes than it can have";
    if (f->bit[SR_CHUNK_FLETCHER] & ~mask) {
        if (size < FLETCHER_BYTES || !fletcher_agrees(x, size - FLETCHER_BYTES))
            return "the checksum of a chunk is wrong";
        size -= FLETCHER_BYTES;
    }
    if (f->bit[SR_CHUNK_GZIP] & ~mask) {
        if (libdeflate_zlib_decompress(d->inflater, x, size, d->plain, bytes, NULL) != LIBDEFLATE_SUCCESS)
            return "a chunk cannot be unpacked";
        x = d->plain;
    } else if (size != bytes) {
        return "a chunk has another size than its rows";
    }
    const bool shuffled = f->bit[SR_CHUNK_SHUFFLE] & ~mask;
    for (size_t r = 0; r < rows; r++)
        if (shuffled)
            unshuffle(out + r * stride, x + r * f->width, apart, width, f->size);
        else
            memcpy(out + r * stride, x + r * f->width * f->size, width * f->size);
    return NULL;
}

uint32_t sr_chunk_crc32(uint32_t crc, const void *bytes, size_t n) {
    return libdeflate_crc32(crc, bytes, n);
}
