/* h5_disk.c: a driver of HDF5 for files on disk and for descriptors. See h5_disk.h.
 *
 * It differs from HDF5's own (sec2) in three things: every call that a signal interrupted is made again; a
 * file that becomes shorter while it is open is an error, not zeros; and what failed is remembered. What it
 * writes are the same bytes. As HDF5's own does, it reads zeros behind the end of the file where the file's
 * header says that there is more.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "data/h5.h"

#define MOST  INT64_MAX
#define DOUBT EBADMSG /* no errno of reading and writing */

struct disk {
    H5FD_t base; /* HDF5's part, first */
    struct handle {
        int descriptor;
        int failed;       /* errno of the first call that failed, DOUBT, or 0 */
        haddr_t eoa, eof; /* end of what HDF5 uses, end of the file */
    } handle;
    dev_t device;
    ino_t file;
    bool was_open; /* its name is nobody's */
};

static int given = -1; /* what the next open takes instead of the name, or -1 */

static const char *spell(int why) {
    return why == ENODATA ? "it became shorter while it was open"
           : why == DOUBT ? "HDF5 cannot tell what is in it; the file may be damaged"
                          : strerror(why);
}

/* Onto HDF5's stack of errors, in the words of its own driver: sr_h5_fail looks for them. */
static void say(int why) {
    H5Epush2(H5E_DEFAULT, __FILE__, __func__, __LINE__, H5E_ERR_CLS, H5E_IO, H5E_SEEKERROR,
             "error message = '%s'", spell(why));
}

static herr_t fail(struct disk *d, int why) {
    if (!d->handle.failed)
        d->handle.failed = why;
    say(why);
    return -1;
}

static int flags_of(unsigned flags) {
    return (flags & H5F_ACC_RDWR ? O_RDWR : O_RDONLY) | (flags & H5F_ACC_TRUNC ? O_TRUNC : 0) |
           (flags & H5F_ACC_CREAT ? O_CREAT : 0) | (flags & H5F_ACC_EXCL ? O_EXCL : 0);
}

/* fstat, but as the system call of that name: the C library's is newfstatat with an empty path, whose filter
 * could not tell it from one with a path, so that a reader of strangers' files (sandbox.h) may not make it.
 * Where the kernel's struct stat is the C library's. */
static int look_at_file(int file, struct stat *st) {
#if defined(__linux__) && defined(__LP64__) && (defined(__x86_64__) || defined(__aarch64__))
    return (int)syscall(SYS_fstat, file, st);
#else
    return fstat(file, st);
#endif
}

/* NULL, and in *why the errno of what failed. */
static struct disk *new_disk(int file, int *why) {
    struct stat st;
    const bool known = file >= 0 && look_at_file(file, &st) == 0;
    *why = errno;
    if (!known)
        return NULL;
    struct disk *d = sr_alloc(1, sizeof *d, NULL);
    *why = ENOMEM;
    if (!d)
        return NULL;
    d->handle.descriptor = file;
    d->device = st.st_dev;
    d->file = st.st_ino;
    d->handle.eof = (haddr_t)st.st_size;
    return d;
}

static H5FD_t *disk_open(const char *name, unsigned flags, hid_t access_list, haddr_t most) {
    const bool was_open = given >= 0;
    const int file = was_open ? given : sr_stream_descriptor(name, flags_of(flags), 0666);
    int why = 0;
    (void)access_list;
    (void)most; /* MOST, which no file is longer than */
    given = -1;
    struct disk *d = new_disk(file, &why);
    if (d) {
        d->was_open = was_open;
        return &d->base;
    }
    say(why);
    if (file >= 0)
        close(file);
    return NULL;
}

/* Linux has closed the descriptor even where it says EINTR. */
static herr_t disk_close(H5FD_t *base) {
    struct disk *d = (struct disk *)base;
    const bool failed = close(d->handle.descriptor) < 0 && errno != EINTR;
    if (failed)
        say(errno);
    sr_free(d);
    return failed ? -1 : 0;
}

static int disk_compare(const H5FD_t *a, const H5FD_t *b) {
    const struct disk *x = (const struct disk *)a, *y = (const struct disk *)b;
    return x->device != y->device ? (x->device < y->device ? -1 : 1)
           : x->file != y->file   ? (x->file < y->file ? -1 : 1)
                                  : 0;
}

/* Those of HDF5's own driver that do something here, so that the same bytes are written. Of a file that was
 * open they do not say that it is one of POSIX: HDF5 would ask the system what its name stands for. */
static herr_t disk_query(const H5FD_t *base, unsigned long *flags) {
    const struct disk *d = (const struct disk *)base; /* NULL: of the driver */
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA;
    if (!d || !d->was_open)
        *flags |=
            H5FD_FEAT_POSIX_COMPAT_HANDLE | H5FD_FEAT_SUPPORTS_SWMR_IO | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t disk_get_eoa(const H5FD_t *base, H5FD_mem_t type) {
    (void)type;
    return ((const struct disk *)base)->handle.eoa;
}

static herr_t disk_set_eoa(H5FD_t *base, H5FD_mem_t type, haddr_t address) {
    (void)type;
    ((struct disk *)base)->handle.eoa = address;
    return 0;
}

static haddr_t disk_get_eof(const H5FD_t *base, H5FD_mem_t type) {
    (void)type;
    return ((const struct disk *)base)->handle.eof;
}

static herr_t disk_get_handle(H5FD_t *base, hid_t access_list, void **handle) {
    (void)access_list;
    *handle = &((struct disk *)base)->handle;
    return 0;
}

static bool is_beyond(haddr_t address, size_t size) {
    return address == HADDR_UNDEF || address > (haddr_t)MOST || size > (haddr_t)MOST - address;
}

static herr_t disk_read(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size,
                        void *out) {
    struct disk *d = (struct disk *)base;
    (void)type;
    (void)transfer;
    if (is_beyond(address, size))
        return -1;
    const haddr_t left = address < d->handle.eof ? d->handle.eof - address : 0;
    const size_t there = size < left ? size : (size_t)left;
    memset((unsigned char *)out + there, 0, size - there);
    const int why = sr_stream_get(d->handle.descriptor, out, there, address);
    return why ? fail(d, why) : 0;
}

static herr_t disk_write(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size,
                         const void *from) {
    struct disk *d = (struct disk *)base;
    const char *bytes = from;
    (void)type;
    (void)transfer;
    if (is_beyond(address, size))
        return -1;
    while (size > 0) {
        const ssize_t n = pwrite(d->handle.descriptor, bytes, size, (off_t)address);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail(d, n < 0 ? errno : ENOSPC);
        bytes += n;
        size -= (size_t)n;
        address += (haddr_t)n;
    }
    d->handle.eof = address > d->handle.eof ? address : d->handle.eof;
    return 0;
}

/* Makes the file as long as HDF5 uses of it. */
static herr_t disk_truncate(H5FD_t *base, hid_t transfer, hbool_t closing) {
    struct disk *d = (struct disk *)base;
    (void)transfer;
    (void)closing;
    if (d->handle.eoa == d->handle.eof)
        return 0;
    if (TEMP_FAILURE_RETRY(ftruncate(d->handle.descriptor, (off_t)d->handle.eoa)) < 0)
        return fail(d, errno);
    d->handle.eof = d->handle.eoa;
    return 0;
}

/* Nothing is locked; but of a driver that cannot lock HDF5 opens a file that is marked as being written. */
static herr_t disk_lock(H5FD_t *base, hbool_t writes) {
    (void)base;
    (void)writes;
    return 0;
}

static herr_t disk_unlock(H5FD_t *base) {
    (void)base;
    return 0;
}

static const H5FD_class_t disk_class = {
#if H5_VERSION_GE(1, 13, 2)
    .version = H5FD_CLASS_VERSION,
    .value = 601, /* of those that the HDF Group leaves to others */
#endif
    .name = "saferoute_disk",
    .maxaddr = MOST,
    .fc_degree = H5F_CLOSE_WEAK,
    .open = disk_open,
    .close = disk_close,
    .cmp = disk_compare,
    .query = disk_query,
    .get_eoa = disk_get_eoa,
    .set_eoa = disk_set_eoa,
    .get_eof = disk_get_eof,
    .get_handle = disk_get_handle,
    .read = disk_read,
    .write = disk_write,
    .truncate = disk_truncate,
    .lock = disk_lock,
    .unlock = disk_unlock,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

static hid_t driver(void) {
    static hid_t registered = -1;
    if (registered < 0)
        registered = H5FDregister(&disk_class);
    return registered;
}

int64_t sr_h5_disk_access(void) {
    const hid_t access_list = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_file_locking(access_list, false, true);
    H5Pset_driver(access_list, driver(), NULL);
    return access_list;
}

int64_t sr_h5_disk_access_open(int file) {
    given = file;
    H5PLset_loading_state(0); /* nor open filters of others */
    return sr_h5_disk_access();
}

static struct handle *handle_of(hid_t file) {
    void *handle = NULL;
    const hid_t access_list = H5Fget_access_plist(file);
    const bool ours = access_list >= 0 && H5Pget_driver(access_list) == driver() &&
                      H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) >= 0;
    if (access_list >= 0)
        H5Pclose(access_list);
    return ours ? handle : NULL;
}

int sr_h5_disk_descriptor(int64_t file) {
    const struct handle *handle = handle_of(file);
    return handle ? handle->descriptor : -1;
}

uint64_t sr_h5_disk_bytes(int64_t file) {
    const struct handle *handle = handle_of(file);
    if (!handle)
        return 0;
    return handle->eoa < handle->eof ? handle->eoa : handle->eof;
}

int sr_h5_disk_trouble(int64_t file, const char **text) {
    const struct handle *handle = handle_of(file);
    if (!handle || !handle->failed)
        return 0;
    *text = spell(handle->failed);
    return handle->failed == DOUBT ? SR_DATA : SR_IO;
}

void sr_h5_disk_failed(int64_t file, int why) {
    struct handle *handle = handle_of(file);
    if (handle && !handle->failed)
        handle->failed = why;
}

void sr_h5_disk_doubt(int64_t file) {
    sr_h5_disk_failed(file, DOUBT);
}
