/* h5_heap.c: a limit for what HDF5 makes while it reads. See h5_heap.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_heap.h"

#include <hdf5.h>
#include <stddef.h>

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
