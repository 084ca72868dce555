/* safetensors_check.c: the reader of weights (nn/base/safetensors*.c) and, on the same bytes, the one that
 * reads by parts. What is accepted is written and read again: the same tensors, the same metadata, the same
 * hash.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "nn/base/safetensors_header.h"
#include "tests/fuzz/parsers.h"

static void check_same(const struct sr_safetensors *a, const struct sr_safetensors *b) {
    size_t n, pairs_of_b, own = 0;
    const struct sr_pair *pair = sr_safetensors_pairs(a, &n);
    FUZZ_CHECK(sr_safetensors_count(a) == sr_safetensors_count(b), "another number of tensors");
    for (size_t i = 0; i < sr_safetensors_count(a); i++) {
        const struct sr_tensor *x = sr_safetensors_at(a, i), *y = sr_safetensors_find(b, x->name);
        FUZZ_CHECK(y && x->dtype == y->dtype && x->rank == y->rank &&
                       memcmp(x->shape, y->shape, (size_t)x->rank * sizeof *x->shape) == 0 &&
                       memcmp(x->data, y->data, sr_tensor_bytes(x)) == 0,
                   "%s was written and reads differently", x->name);
    }
    for (size_t i = 0; i < n; i++) {
        const char *value = sr_safetensors_metadata(b, pair[i].key);
        own += strcmp(pair[i].key, "sha256") == 0;
        FUZZ_CHECK(value && (strcmp(value, pair[i].value) == 0 || strcmp(pair[i].key, "sha256") == 0),
                   "metadata %s reads differently", pair[i].key);
    }
    sr_safetensors_pairs(b, &pairs_of_b);
    FUZZ_CHECK(pairs_of_b == n + (own == 0), "%zu pairs became %zu", n, pairs_of_b);
}

static void check_rewrite(const struct sr_safetensors *s) {
    static char path[160];
    struct sr_error err = {0};
    struct sr_safetensors *again;
    snprintf(path, sizeof path, "%s/again", fuzz_folder());
    int status = sr_safetensors_rewrite(path, s, NULL, 0, &err);
    FUZZ_CHECK(status == SR_OK, "accepted, but not to be written: %s", err.text);
    status = sr_safetensors_open(&again, path, &err);
    FUZZ_CHECK(status == SR_OK, "written, but not to be read: %s", err.text);
    check_same(s, again);
    FUZZ_CHECK(strcmp(sr_safetensors_hash(s), sr_safetensors_hash(again)) == 0, "another hash");
    sr_safetensors_close(again);
}

void fuzz_safetensors(const uint8_t *data, size_t size) {
    struct sr_error err = {0};
    struct sr_safetensors *s = NULL;
    const int status = sr_safetensors_open_memory(&s, data, size, "f.safetensors", &err);
    const bool taken = fuzz_accepted(status, &err);
    if (taken) {
        check_rewrite(s);
        for (size_t i = 0; i < sr_safetensors_count(s); i++)
            FUZZ_CHECK(sr_tensor_bytes(sr_safetensors_at(s, i)) <= size, "a tensor is larger than the file");
        sr_safetensors_close(s);
        fuzz_tensors(data, size);
    }
}
