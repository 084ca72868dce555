/* h5_sound.c: whether chunks are what their filters say. See h5_sound.h.
 *
 * Chunks are walked along strips, those that hold the same rows. Bytes are not put back into their order: the
 * shuffle comes before gzip (h5_open.c). A fletcher32 in front of gzip, as PyTables sets
 * it, only makes a chunk four bytes longer, and its sum is left to HDF5.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_sound.h"

#include <hdf5.h>
#include <string.h>

#include "data/chunk.h"
#include "data/h5_pipeline.h"
#include "nn/base/sizes.h"

#define FLETCHER_BYTES 4

struct sr_h5_sound {
    hid_t dataset;
    const char *where;
    int rank;
    hsize_t shape[H5S_MAX_RANK], chunk[H5S_MAX_RANK];
    struct sr_chunk_form form; /* a value a row */
    uint32_t inner;            /* bits of filters whose being left out changes the size before gzip */
    struct sr_chunk_decoder *decoder;
    unsigned char *seen; /* [strips]: 1: looked at */
};

/* ---- opening ---- */

/* False for a pipeline with a filter that is not one of the three. */
static bool look_at_filters(struct sr_h5_sound *s, hid_t create) {
    const struct sr_h5_pipeline p = sr_h5_pipeline(create);
    memcpy(s->form.bit, p.bit, sizeof p.bit);
    s->form.bit[SR_CHUNK_SHUFFLE] = 0;
    if (p.bit[SR_CHUNK_FLETCHER] < p.bit[SR_CHUNK_GZIP]) {
        s->inner = p.bit[SR_CHUNK_FLETCHER];
        s->form.bit[SR_CHUNK_FLETCHER] = 0;
    }
    return !p.foreign && (p.bit[SR_CHUNK_GZIP] || p.bit[SR_CHUNK_FLETCHER]);
}

/* False where there is nothing to look at. */
static bool look_at_chunks(struct sr_h5_sound *s) {
    const hid_t create = H5Dget_create_plist(s->dataset), space = H5Dget_space(s->dataset);
    uint64_t bytes = sr_h5_item_bytes(s->dataset);
    s->rank = H5Sget_simple_extent_dims(space, s->shape, NULL);
    bool ours =
        bytes > 0 && H5Pget_chunk(create, H5S_MAX_RANK, s->chunk) == s->rank && look_at_filters(s, create);
    for (int i = 0; ours && i < s->rank; i++) {
        bytes = sr_size_times(bytes, s->chunk[i]);
        ours = s->shape[i] > 0;
    }
    s->form.rows = sr_size_sum(bytes, s->inner ? FLETCHER_BYTES : 0);
    s->form.width = s->form.size = 1;
    H5Sclose(space);
    H5Pclose(create);
    return ours;
}

int sr_h5_sound_open(struct sr_h5_sound **out, int64_t dataset, const char *where, struct sr_error *err) {
    *out = NULL;
    struct sr_h5_sound *s = sr_alloc(1, sizeof *s, err);
    if (!s)
        return SR_NOMEM;
    s->dataset = dataset;
    s->where = where;
    if (!look_at_chunks(s)) {
        sr_free(s);
        return 0;
    }
    s->seen = sr_alloc(sr_size_pieces(s->shape[0], s->chunk[0]), 1, err);
    const int status = s->seen ? sr_chunk_decoder_create(&s->decoder, &s->form, err) : SR_NOMEM;
    if (status < 0)
        sr_h5_sound_close(s);
    else
        *out = s;
    return status;
}

void sr_h5_sound_close(struct sr_h5_sound *s) {
    if (!s)
        return;
    sr_chunk_decoder_free(s->decoder);
    sr_free(s->seen);
    sr_free(s);
}

/* ---- looking ---- */

/* NULL, or what is wrong. A chunk that is not there is the fill value. */
static const char *check_chunk(struct sr_h5_sound *s, const hsize_t *offset) {
    hsize_t bytes = 0;
    uint32_t mask = 0;
    if (H5Dget_chunk_storage_size(s->dataset, offset, &bytes) < 0 || bytes == 0)
        return NULL;
    if (bytes > sr_chunk_stored_max(&s->form))
        return "a chunk has more bytes than it can have";
    if (H5Dread_chunk(s->dataset, H5P_DEFAULT, offset, &mask, sr_chunk_stored(s->decoder)) < 0)
        return "HDF5 cannot read a chunk";
    if (mask & s->inner)
        return NULL;
    return sr_chunk_decode(s->decoder, NULL, 0, 0, 0, bytes, mask);
}

/* The next chunk of the strip, or false. */
static bool step(const struct sr_h5_sound *s, hsize_t *offset) {
    for (int i = s->rank - 1; i > 0; i--) {
        offset[i] = sr_size_sum(offset[i], s->chunk[i]);
        if (offset[i] < s->shape[i])
            return true;
        offset[i] = 0;
    }
    return false;
}

static int check_strip(struct sr_h5_sound *s, uint64_t strip, struct sr_error *err) {
    hsize_t offset[H5S_MAX_RANK] = {sr_size_times(strip, s->chunk[0])};
    const char *wrong;
    do
        wrong = check_chunk(s, offset);
    while (!wrong && step(s, offset));
    if (!wrong)
        return 0;
    const hsize_t left = s->shape[0] - offset[0], rows = left < s->chunk[0] ? left : s->chunk[0];
    return sr_fail(err, SR_DATA, "%s rows %llu to %llu cannot be read; the file may be damaged (%s)",
                   s->where, (unsigned long long)offset[0],
                   (unsigned long long)sr_size_sum(offset[0], rows - 1), wrong);
}

int sr_h5_sound_check(struct sr_h5_sound *s, uint64_t first, uint64_t rows, struct sr_error *err) {
    if (!s)
        return 0;
    const uint64_t end = sr_size_pieces(first + rows, s->chunk[0]);
    for (uint64_t strip = first / s->chunk[0]; strip < end; strip++) {
        const int status = s->seen[strip] ? 0 : check_strip(s, strip, err);
        if (status < 0)
            return status;
        s->seen[strip] = 1;
    }
    return 0;
}

int sr_h5_sound_whole(int64_t dataset, const char *where, struct sr_error *err) {
    struct sr_h5_sound *s;
    int status = sr_h5_sound_open(&s, dataset, where, err);
    if (status == 0 && s)
        status = sr_h5_sound_check(s, 0, s->shape[0], err);
    sr_h5_sound_close(s);
    return status;
}
