/* h5_driver.c: a driver of HDF5 for files that are open. See h5_driver.h.
 *
 * As HDF5's own does, it reads zeros behind the end of the file where the file's header says that there is
 * more, so that what is read does not depend on the driver. It cannot write. A process that uses it loads no
 * plugins of HDF5 either.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_driver.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/h5.h"

struct opened {
    H5FD_t base; /* HDF5's part, first */
    int file;
    haddr_t eoa, eof; /* end of what the header says, end of the file */
};

static hid_t driver = -1;
static int next = -1; /* what the next open takes */

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t access_list, haddr_t most) {
    struct stat st;
    const int file = next;
    (void)name;
    (void)access_list;
    next = -1;
    if (file < 0 || flags & H5F_ACC_RDWR || fstat(file, &st) < 0 || (haddr_t)st.st_size > most)
        return NULL;
    struct opened *o = sr_alloc(1, sizeof *o, NULL);
    if (!o)
        return NULL;
    o->file = file;
    o->eof = (haddr_t)st.st_size;
    return &o->base;
}

static herr_t driver_close(H5FD_t *base) {
    struct opened *o = (struct opened *)base;
    close(o->file);
    sr_free(o);
    return 0;
}

static herr_t driver_query(const H5FD_t *base, unsigned long *flags) {
    (void)base;
    *flags = H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE;
    return 0;
}

static haddr_t driver_get_eoa(const H5FD_t *base, H5FD_mem_t type) {
    (void)type;
    return ((const struct opened *)base)->eoa;
}

static herr_t driver_set_eoa(H5FD_t *base, H5FD_mem_t type, haddr_t address) {
    (void)type;
    ((struct opened *)base)->eoa = address;
    return 0;
}

static haddr_t driver_get_eof(const H5FD_t *base, H5FD_mem_t type) {
    (void)type;
    return ((const struct opened *)base)->eof;
}

static herr_t driver_get_handle(H5FD_t *base, hid_t access_list, void **handle) {
    (void)access_list;
    *handle = &((struct opened *)base)->file;
    return 0;
}

static herr_t driver_read(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size,
                          void *out) {
    const struct opened *o = (const struct opened *)base;
    (void)type;
    (void)transfer;
    if (address == HADDR_UNDEF || address > (haddr_t)INT64_MAX - size)
        return -1;
    const haddr_t left = address < o->eof ? o->eof - address : 0;
    const size_t there = size < left ? size : (size_t)left;
    memset((unsigned char *)out + there, 0, size - there);
    return sr_h5_pread(o->file, out, there, (off_t)address) == 0 ? 0 : -1;
}

static herr_t driver_write(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size,
                           const void *from) {
    (void)base;
    (void)type;
    (void)transfer;
    (void)address;
    (void)size;
    (void)from;
    return -1;
}

/* Nothing is locked; but of a driver that cannot lock HDF5 opens a file that is marked as being written. */
static herr_t driver_lock(H5FD_t *base, hbool_t writes) {
    (void)base;
    (void)writes;
    return 0;
}

static herr_t driver_unlock(H5FD_t *base) {
    (void)base;
    return 0;
}

static const H5FD_class_t driver_class = {
#if H5_VERSION_GE(1, 13, 2)
    .version = H5FD_CLASS_VERSION,
    .value = 600, /* of those that HDF Group leaves to others */
#endif
    .name = "saferoute_descriptor",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_WEAK,
    .open = driver_open,
    .close = driver_close,
    .query = driver_query,
    .get_eoa = driver_get_eoa,
    .set_eoa = driver_set_eoa,
    .get_eof = driver_get_eof,
    .get_handle = driver_get_handle,
    .read = driver_read,
    .write = driver_write,
    .lock = driver_lock,
    .unlock = driver_unlock,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

hid_t sr_h5_driver(void) {
    return driver;
}

hid_t sr_h5_driver_access(int file) {
    if (driver < 0) {
        driver = H5FDregister(&driver_class);
        H5PLset_loading_state(0); /* nor open filters of others */
    }
    const hid_t access_list = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_file_locking(access_list, false, true);
    H5Pset_driver(access_list, driver, NULL);
    next = file;
    return access_list;
}
