/* h5_heap.c: a limit for what HDF5 makes while it reads. See h5_heap.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_heap.h"

#include <hdf5.h>
#include <stddef.h>
#include <string.h>

#include "nn/base/sizes.h"

struct sr_h5_block {
    struct sr_h5_block *before; /* means something during the read alone */
    char bytes[];
};

static void *take(size_t size, void *user) {
    struct sr_h5_heap *h = user;
    if (h->why.status == 0 && size > h->left)
        sr_fail(&h->why, SR_DATA, "strings come to more than %llu bytes, far more than the file has",
                (unsigned long long)h->most);
    struct sr_h5_block *b = h->why.status < 0 ? NULL : sr_alloc(1, sr_size_sum(sizeof *b, size), &h->why);
    if (!b)
        return NULL;
    b->before = h->block;
    h->block = b;
    h->left -= size;
    return b->bytes;
}

/* During a read sr_h5_heap_end frees. */
static void give(void *memory, void *user) {
    const struct sr_h5_heap *h = user;
    if (memory && !h->reads)
        sr_free((char *)memory - offsetof(struct sr_h5_block, bytes));
}

void sr_h5_heap_open(struct sr_h5_heap *h) {
    *h = (struct sr_h5_heap){.transfer = H5Pcreate(H5P_DATASET_XFER)};
    H5Pset_vlen_mem_manager(h->transfer, take, h, give, h);
}

void sr_h5_heap_close(struct sr_h5_heap *h) {
    if (h->transfer > 0)
        H5Pclose(h->transfer);
    h->transfer = 0;
}

void sr_h5_heap_begin(struct sr_h5_heap *h, uint64_t left, uint64_t most) {
    h->left = left;
    h->most = most;
    h->block = NULL;
    h->reads = true;
    h->why = (struct sr_error){0};
}

void sr_h5_heap_end(struct sr_h5_heap *h, bool keep) {
    h->reads = false;
    while (!keep && h->block) {
        struct sr_h5_block *before = h->block->before;
        sr_free(h->block);
        h->block = before;
    }
}

/* ---- counting ---- */

/* In place of HDF5's own conversion, which takes as much memory as the length of one string tells before it
 * asks for more. A handle in the file is 4 bytes of length, a place and 4 bytes of number. A conversion has
 * no argument of its own; it runs under the lock. */
static struct {
    size_t handle;
    uint64_t bytes;
} counted;

static herr_t count_strings(hid_t from, hid_t to, H5T_cdata_t *how, size_t n, size_t stride, size_t skip,
                            void *items, void *background, hid_t transfer) {
    const unsigned char *handle = items;
    (void)skip;
    (void)background;
    (void)transfer;
    if (how->command == H5T_CONV_INIT)
        return H5Tis_variable_str(from) > 0 && H5Tis_variable_str(to) > 0 ? 0 : -1;
    if (how->command != H5T_CONV_CONV)
        return 0;
    for (size_t i = 0; i < n; i++, handle += stride ? stride : counted.handle)
        counted.bytes += (uint64_t)handle[0] | (uint64_t)handle[1] << 8 | (uint64_t)handle[2] << 16 |
                         (uint64_t)handle[3] << 24;
    for (size_t i = 0; i < n; i++) /* no strings */
        memset((unsigned char *)items + i * (stride ? stride : sizeof(char *)), 0, sizeof(char *));
    return 0;
}

bool sr_h5_count_begin(int64_t object, int64_t type) {
    size_t address = 0, length = 0;
    const hid_t file = H5Iget_file_id(object), create = H5Fget_create_plist(file);
    H5Pget_sizes(create, &address, &length);
    H5Pclose(create);
    H5Fclose(file);
    counted.handle = 4 + address + 4;
    counted.bytes = 0;
    return H5Tregister(H5T_PERS_SOFT, "lengths of strings", type, type, count_strings) >= 0;
}

uint64_t sr_h5_count_end(void) {
    H5Tunregister(H5T_PERS_SOFT, "lengths of strings", -1, -1, count_strings);
    return counted.bytes;
}
