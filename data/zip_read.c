/* zip_read.c: the content of a zip archive's entries, by parts and never unchecked; see zip.h.
 *
 * Stored entries are ranges of the file: no unpacking, and no library that could have a hole. What lies where
 * is zip_directory.c's business.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "data/chunk.h"
#include "data/zip_directory.h"
#include "nn/base/sizes.h"

#define BLOCK 65536

static int open_archive(struct sr_zip *z, struct sr_error *err) {
    const int status = sr_zip_directory_read(z, err);
    if (status < 0)
        return status;
    z->checked = sr_alloc(z->count, sizeof *z->checked, err);
    return z->checked ? SR_OK : SR_NOMEM;
}

int sr_zip_open(struct sr_zip **out, int fd, uint64_t file_bytes, const char *path, struct sr_error *err) {
    *out = NULL;
    struct sr_zip *z = sr_alloc(1, sizeof *z, err);
    if (!z)
        return SR_NOMEM;
    z->fd = fd;
    z->file_bytes = file_bytes;
    z->path = sr_strdup(path, err);
    const int status = z->path ? open_archive(z, err) : SR_NOMEM;
    if (status == SR_OK)
        *out = z;
    else
        sr_zip_close(z);
    return status;
}

void sr_zip_close(struct sr_zip *z) {
    if (!z)
        return;
    sr_free(z->entries);
    sr_free(z->place);
    sr_free(z->sorted);
    sr_free(z->checked);
    sr_free(z->names);
    sr_free(z->folded);
    sr_free(z->sought);
    sr_free(z->path);
    sr_free(z);
}

size_t sr_zip_count(const struct sr_zip *z) {
    return z->count;
}

const struct sr_zip_entry *sr_zip_at(const struct sr_zip *z, size_t i) {
    return &z->entries[i];
}

size_t sr_zip_find(const struct sr_zip *z, const char *name) {
    size_t low = 0, high = z->count, n = strlen(name);
    if (n > z->longest)
        return z->count;
    for (z->sought[n] = '\0'; n > 0; n--)
        z->sought[n - 1] = sr_zip_lower(name[n - 1]);
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(sr_zip_folded(z, z->sorted[middle]), z->sought);
        if (order == 0)
            return z->sorted[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return z->count;
}

int sr_zip_stored(const struct sr_zip *z, struct sr_error *err) {
    for (size_t i = 0; i < z->count; i++)
        if (!z->entries[i].stored)
            return sr_zip_fail_entry(z, i,
                                     "is compressed, which torch.save never does; load the file in Python "
                                     "and torch.save it again",
                                     err);
    return SR_OK;
}

/* ---- content ---- */

static int check_sum(const struct sr_zip *z, size_t i, uint32_t crc, struct sr_error *err) {
    if (crc == z->place[i].crc)
        return SR_OK;
    return sr_zip_fail_entry(z, i,
                             "is damaged: its checksum does not fit; or the file was saved with "
                             "torch.serialization.set_crc32_options(False): torch.save it again without",
                             err);
}

/* Reads an entry through for its checksum alone. */
static int check_whole(const struct sr_zip *z, size_t i, struct sr_error *err) {
    const uint64_t size = z->entries[i].size;
    uint32_t crc = 0;
    int status = SR_OK;
    unsigned char *block = sr_alloc(BLOCK, 1, err);
    if (!block)
        return SR_NOMEM;
    for (uint64_t at = 0; status == SR_OK && at < size; at += BLOCK) {
        const size_t n = size - at < BLOCK ? (size_t)(size - at) : BLOCK;
        status = sr_zip_bytes(z, sr_size_sum(z->place[i].data_at, at), block, n, err);
        if (status == SR_OK)
            crc = sr_chunk_crc32(crc, block, n);
    }
    sr_free(block);
    return status == SR_OK ? check_sum(z, i, crc, err) : status;
}

int sr_zip_read(struct sr_zip *z, size_t i, uint64_t at, void *out, size_t bytes, struct sr_error *err) {
    const bool whole = bytes == z->entries[i].size;
    int status = SR_OK;
    if (!z->checked[i] && !whole)
        status = check_whole(z, i, err);
    if (status == SR_OK)
        status = sr_zip_bytes(z, sr_size_sum(z->place[i].data_at, at), out, bytes, err);
    if (status == SR_OK && !z->checked[i] && whole)
        status = check_sum(z, i, sr_chunk_crc32(0, out, bytes), err);
    z->checked[i] = status == SR_OK;
    return status;
}
