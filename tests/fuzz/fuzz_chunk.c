/* fuzz_chunk.c: one stored chunk of an HDF5 dataset, unpacked by ourselves (data/chunk.c). The first four
 * bytes say the form (rows, columns, filters and size of a value, filters left out), the rest is the chunk.
 * The same bytes packed as values (data/chunk_pack.c) come back.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "data/chunk.h"
#include "data/chunk_pack.h"
#include "tests/fuzz/check.h"

#define GUARD 64

static struct sr_chunk_form form_of(struct fuzz_bytes *b, uint32_t *mask) {
    struct sr_chunk_form form = {.rows = 1 + fuzz_byte(b) % 32, .width = 1 + fuzz_byte(b) % 32};
    const unsigned how = fuzz_byte(b);
    form.size = how & 1 ? 4 : 2;
    for (unsigned k = 0; k < SR_CHUNK_FILTERS; k++)
        form.bit[k] = how >> (k + 1) & 1 ? 1u << k : 0;
    *mask = fuzz_byte(b);
    return form;
}

/* All rows and columns but the last of each, with what lies between and behind them untouched. */
static void decode(const struct sr_chunk_form *form, const struct fuzz_bytes *b, uint32_t mask) {
    struct sr_chunk_decoder *d;
    struct sr_error err = {0};
    const size_t rows = form->rows - (form->rows > 1), width = form->width - (form->width > 1);
    const size_t row = width * form->size, stride = row + GUARD, room = rows * stride;
    FUZZ_CHECK(sr_chunk_decoder_create(&d, form, &err) == 0, "%s", err.text);
    const size_t most = sr_chunk_stored_max(form), size = b->left;
    unsigned char *out = sr_alloc(room, 1, NULL);
    FUZZ_CHECK(out, "out of memory");
    memset(out, 0xa5, room);
    if (size > 0)
        memcpy(sr_chunk_stored(d), b->at, size < most ? size : most);
    const char *wrong = sr_chunk_decode(d, out, stride, rows, width, size, mask);
    FUZZ_CHECK(wrong || size <= most, "%zu bytes, at most %zu", size, most);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = row; i < stride; i++)
            FUZZ_CHECK(out[r * stride + i] == 0xa5, "written behind row %zu", r);
    fuzz_outcome = (struct fuzz_outcome){.status = wrong ? SR_DATA : SR_OK};
    if (wrong)
        fuzz_check_printable(wrong, "a message");
    sr_free(out);
    sr_chunk_decoder_free(d);
}

static void check_round_trip(const struct sr_chunk_form *of, const struct fuzz_bytes *b) {
    struct sr_chunk_form form = *of;
    struct sr_chunk_packer *p;
    struct sr_chunk_decoder *d;
    struct sr_error err = {0};
    form.bit[SR_CHUNK_SHUFFLE] = 1;
    form.bit[SR_CHUNK_GZIP] = 2;
    form.bit[SR_CHUNK_FLETCHER] = 0;
    const size_t bytes = sr_chunk_bytes(&form), values = form.rows * form.width;
    const size_t n = b->left / form.size < values ? b->left / form.size : values;
    unsigned char *packed = sr_alloc(sr_chunk_pack_bound(bytes), 1, NULL), *out = sr_alloc(bytes, 1, NULL);
    FUZZ_CHECK(packed && out && sr_chunk_packer_create(&p, 1, values, form.size, &err) == 0 &&
                   sr_chunk_decoder_create(&d, &form, &err) == 0,
               "out of memory");
    const size_t size = sr_chunk_pack(p, packed, b->at, n);
    FUZZ_CHECK(size <= sr_chunk_stored_max(&form), "packed to %zu bytes", size);
    memcpy(sr_chunk_stored(d), packed, size);
    const char *wrong = sr_chunk_decode(d, out, form.width * form.size, form.rows, form.width, size, 0);
    FUZZ_CHECK(!wrong && memcmp(out, b->at, n * form.size) == 0, "packed and unpacked: %s",
               wrong ? wrong : "others");
    for (size_t i = n * form.size; i < bytes; i++)
        FUZZ_CHECK(out[i] == 0, "byte %zu is not 0", i);
    sr_chunk_packer_free(p);
    sr_chunk_decoder_free(d);
    sr_free(packed);
    sr_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_bytes b = {data, size};
    uint32_t mask;
    const struct sr_chunk_form form = form_of(&b, &mask);
    decode(&form, &b, mask);
    if (b.left > 0)
        check_round_trip(&form, &b);
    return 0;
}
