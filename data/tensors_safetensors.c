/* tensors_safetensors.c: safetensors files of anyone, read by parts; see tensors_format.h.
 *
 * The header is the floor's business (nn/base/safetensors_header.h). Where the metadata has a "sha256", as
 * files of ours do, it is compared with the data once, when the file is opened: a damaged router must not be
 * taken over because it was read through this door. A file without one is not read through.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "data/tensors_format.h"
#include "nn/base/safetensors_header.h"
#include "nn/base/sizes.h"

#define HASH_BLOCK 65536

struct in {
    struct sr_safetensors_header header; /* owns t->pairs */
    uint64_t *at;                        /* [count] where in the file each tensor begins */
};

static bool is_safetensors(const unsigned char *head) {
    return head[8] == '{'; /* behind the header's length, whose upper bytes are 0 */
}

static int check_hash(const struct sr_tensors *t, const struct in *in, struct sr_error *err) {
    unsigned char block[HASH_BLOCK];
    struct sr_sha256 hash;
    char hex[65];
    const char *said = sr_tensors_metadata(t, "sha256");
    if (!said)
        return SR_OK;
    sr_sha256_begin(&hash);
    for (uint64_t done = 0; done < in->header.data_bytes;) {
        const uint64_t left = in->header.data_bytes - done;
        const size_t n = left < sizeof block ? (size_t)left : sizeof block;
        const int status = sr_tensors_bytes(t, sr_size_sum(in->header.data_at, done), block, n, err);
        if (status < 0)
            return status;
        sr_sha256_add(&hash, block, n);
        done += n;
    }
    sr_sha256_end(&hash, hex);
    if (strcmp(said, hex) != 0)
        return sr_fail(err, SR_DATA, "%s is damaged: the SHA-256 of its data is not the one in its metadata",
                       t->path);
    return SR_OK;
}

static int open_safetensors(struct sr_tensors *t, struct sr_error *err) {
    struct in *in = t->in = sr_alloc(1, sizeof *in, err);
    if (!in)
        return SR_NOMEM;
    const int status = sr_safetensors_header_read(&in->header, t->from, t->file_bytes, t->path, err);
    if (status < 0)
        return status;
    t->info = sr_alloc(in->header.count, sizeof *t->info, err);
    in->at = sr_alloc(in->header.count, sizeof *in->at, err);
    if (!t->info || !in->at)
        return SR_NOMEM;
    uint64_t at = in->header.data_at;
    for (; t->count < in->header.count; t->count++) {
        const struct sr_tensor *from = &in->header.tensors[t->count];
        struct sr_tensor_info *info = &t->info[t->count];
        info->dtype = from->dtype;
        info->rank = from->rank;
        memcpy(info->name, from->name, sizeof info->name);
        memcpy(info->shape, from->shape, sizeof info->shape);
        in->at[t->count] = at;
        at = sr_size_sum(at, sr_tensor_bytes(from));
    }
    t->pairs = in->header.pairs;
    t->pair_count = in->header.pair_count;
    return check_hash(t, in, err);
}

static void close_safetensors(struct sr_tensors *t) {
    struct in *in = t->in;
    if (!in)
        return;
    sr_safetensors_header_free(&in->header);
    sr_free(in->at);
    sr_free(in);
}

static int read_safetensors(struct sr_tensors *t, size_t i, uint64_t at, void *out, size_t bytes,
                            struct sr_error *err) {
    const struct in *in = t->in;
    return sr_tensors_bytes(t, sr_size_sum(in->at[i], at), out, bytes, err);
}

const struct sr_tensors_format sr_tensors_safetensors = {"safetensors", is_safetensors, open_safetensors,
                                                         close_safetensors, read_safetensors};
