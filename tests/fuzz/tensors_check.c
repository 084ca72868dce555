/* tensors_check.c: what holds of every file of tensors that was opened.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/parsers.h"

#include <string.h>

#include "data/tensors.h"
#include "infer/import.h"

static int by_name(const void *a, const void *b) {
    const struct sr_tensor_info *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void check_info(const struct sr_tensors *t, size_t i, size_t size) {
    const struct sr_tensor_info *info = sr_tensors_at(t, i);
    uint64_t bytes = sr_dtype_size(info->dtype);
    FUZZ_CHECK(sr_tensors_find(t, info->name) == i, "two tensors are called %s", info->name);
    FUZZ_CHECK(info->dtype < SR_DTYPE_COUNT && info->rank >= 0 && info->rank <= SR_TENSOR_RANK, "%s",
               info->name);
    bool none = false;
    for (int k = 0; k < info->rank; k++)
        none = none || info->shape[k] == 0;
    for (int k = 0; k < info->rank; k++)
        FUZZ_CHECK(none || !__builtin_mul_overflow(bytes, info->shape[k], &bytes), "%s: beyond 64 bits",
                   info->name);
    FUZZ_CHECK(none || bytes <= size, "%s has %llu bytes, the file %zu", info->name,
               (unsigned long long)bytes, size);
}

static void add_head(struct sr_sha256 *s, const struct sr_tensor_info *info) {
    char text[SR_TENSOR_RANK * 22] = "";
    for (int k = 0; k < info->rank; k++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%llu", k ? "," : "",
                 (unsigned long long)info->shape[k]);
    sr_sha256_add(s, info->name, strlen(info->name) + 1);
    sr_sha256_add(s, sr_dtype_name(info->dtype), strlen(sr_dtype_name(info->dtype)) + 1);
    sr_sha256_add(s, text, strlen(text) + 1);
}

/* In one piece, and in two from behind: the same bytes. Returns the status of reading. */
static int read_both(struct sr_tensors *t, size_t i, struct sr_sha256 *s, struct sr_error *err) {
    const struct sr_tensor_info *info = sr_tensors_at(t, i);
    const size_t items = (size_t)sr_tensor_info_items(info), half = items / 2,
                 one = sr_dtype_size(info->dtype);
    unsigned char *whole = sr_alloc(2 * items, one, err), *parts = whole + items * one;
    FUZZ_CHECK(whole, "no memory for %zu items", items);
    struct sr_error again = {0};
    const int status = sr_tensors_read(t, i, 0, whole, items, err);
    int pieces = sr_tensors_read(t, i, half, parts + half * one, items - half, &again);
    if (pieces == SR_OK)
        pieces = sr_tensors_read(t, i, 0, parts, half, &again);
    FUZZ_CHECK(status == pieces, "in one piece %d (%s), in two %d (%s)", status, err->text, pieces,
               again.text);
    if (status == SR_OK) {
        FUZZ_CHECK(memcmp(whole, parts, items * one) == 0, "%s reads differently in parts", info->name);
        sr_sha256_add(s, whole, items * one);
    }
    sr_free(whole);
    return status;
}

static int read_all(struct sr_tensors *t, char digest[65], struct sr_error *err) {
    const size_t n = sr_tensors_count(t);
    const struct sr_tensor_info **sorted = sr_alloc(n, sizeof *sorted, err);
    struct sr_sha256 s;
    int status = SR_OK;
    FUZZ_CHECK(sorted, "no memory for %zu tensors", n);
    for (size_t i = 0; i < n; i++)
        sorted[i] = sr_tensors_at(t, i);
    qsort(sorted, n, sizeof *sorted, by_name);
    sr_sha256_begin(&s);
    for (size_t i = 0; status == SR_OK && i < n; i++) {
        add_head(&s, sorted[i]);
        status = read_both(t, (size_t)(sorted[i] - sr_tensors_at(t, 0)), &s, err);
    }
    sr_sha256_end(&s, digest);
    sr_free(sorted);
    return status;
}

void fuzz_tensors(const uint8_t *data, size_t size) {
    const char *path = fuzz_file(0, data, size);
    struct sr_error err = {0};
    struct sr_tensors *t = NULL;
    char digest[65] = "";
    int status = sr_tensors_open(&t, path, &err);
    if (status == SR_OK) {
        struct sr_import_network network;
        struct sr_error why = {0};
        size_t pairs;
        for (size_t i = 0; i < sr_tensors_count(t); i++)
            check_info(t, i, size);
        const struct sr_pair *pair = sr_tensors_pairs(t, &pairs);
        for (size_t i = 0; i < pairs; i++)
            FUZZ_CHECK(pair[i].key && pair[i].value, "pair %zu is not whole", i);
        fuzz_accepted(sr_import_find(&network, t, path, NULL, &why), &why);
        status = read_all(t, digest, &err);
    }
    if (fuzz_accepted(status, &err))
        memcpy(fuzz_outcome.digest, digest, sizeof digest);
    sr_tensors_close(t);
}
