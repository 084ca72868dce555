/* h5_file.c: HDF5 files: opening and closing, the lock, reasons, what is inside. See h5.h.
 *
 * Files are opened without HDF5's file locks, which fail on read-only mounts and some network file systems
 * and protect nothing here: dumps are not written while they are read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5.h"

#include <errno.h>
#include <hdf5.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/data.h"
#include "data/h5_disk.h"
#include "data/h5_superblock.h"
#include "data/h5_walk.h"
#include "data/h5_ways.h"

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

/* Every file is closed here, so there is nothing for HDF5 to do when the program ends; after a write that
 * failed it would write once more then, and crash. And it forgets how to follow links to other files. */
static void begin_once(void) {
    static bool said = false;
    if (!said) {
        H5dont_atexit();
        H5Lunregister(H5L_TYPE_EXTERNAL);
    }
    said = true;
}

void sr_h5_lock(void) {
    pthread_mutex_lock(&lock);
    begin_once();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void sr_h5_unlock(void) {
    pthread_mutex_unlock(&lock);
}

struct reason {
    char text[160];
    bool of_system; /* a call of the system failed, so the file's content is not to blame */
};

/* "ran off the end: current p = 0x5601, ...": where this process has its memory is nobody's matter, and
 * another one's message would be another. */
static void cut_addresses(char *text) {
    char *at = strstr(text, "0x");
    if (!at)
        return;
    while (at > text && *at != ':')
        at--;
    *at = '\0';
}

/* HDF5 wraps what the system said into times, addresses and a path: "..., filename = 'x', ..., errno = 5,
 * error message = 'Input/output error', ...". */
static herr_t take_innermost(unsigned n, const H5E_error2_t *error, void *user) {
    static const char before[] = "error message = '";
    struct reason *reason = user;
    const char *said = NULL;
    if (n > 0)
        return 0;
    for (const char *p = error->desc; (p = strstr(p, before));)
        said = p += strlen(before);
    reason->of_system = said != NULL;
    said = said ? said : error->desc;
    char text[sizeof reason->text];
    snprintf(text, sizeof text, "%.*s", (int)(reason->of_system ? strcspn(said, "'") : strlen(said)), said);
    cut_addresses(text);
    sr_utf8_clean(reason->text, sizeof reason->text, text); /* reasons name what is in the file */
    return 0;
}

int(sr_h5_fail)(struct sr_error *err, int status, const char *format, ...) {
    struct reason reason = {"no reason given", false};
    char text[SR_ERROR_TEXT];
    va_list args;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_innermost, &reason);
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (reason.of_system && strcmp(reason.text, strerror(ENOMEM)) == 0)
        return sr_fail(err, SR_NOMEM, "%s (HDF5: out of memory)", text);
    return sr_fail(err, reason.of_system ? SR_IO : status, "%s (HDF5: %s)", text, reason.text);
}

const char *sr_data_hdf5_version(void) {
    static char text[32];
    unsigned major = 0, minor = 0, release = 0;
    sr_h5_lock();
    H5get_libversion(&major, &minor, &release);
    snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
    sr_h5_unlock();
    return text;
}

int sr_h5_check_path(const char *path, struct sr_error *err) {
    struct stat st;
    if (stat(path, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? sr_fail(err, SR_NOINPUT, "%s: no such file", path)
                                                   : sr_fail_io(err, "read", path);
    if (S_ISDIR(st.st_mode))
        return sr_fail(err, SR_NOINPUT, "%s is a folder, not a feature dump; name the .h5 file in it", path);
    if (!S_ISREG(st.st_mode))
        return sr_fail(err, SR_DATA, "%s: is not a regular file; HDF5 needs one", path);
    if (access(path, R_OK) < 0)
        return sr_fail_io(err, "read", path);
    if (st.st_size == 0)
        return sr_fail(err, SR_DATA, "%s: the file is empty", path);
    return 0;
}

static int wrap(struct sr_h5 **out, hid_t id, const char *path, struct sr_error *err) {
    struct sr_h5 *f = sr_alloc(1, sizeof *f, err);
    if (f)
        f->path = sr_strdup(path, err);
    if (!f || !f->path) {
        H5Fclose(id);
        sr_free(f);
        return SR_NOMEM;
    }
    f->ways = &sr_h5_here;
    f->id = id;
    *out = f;
    return 0;
}

static int check_cache(const struct sr_h5 *f, struct sr_error *err) {
    haddr_t image;
    hsize_t bytes = 0;
    if (H5Fget_mdc_image_info(f->id, &image, &bytes) >= 0 && bytes == 0)
        return 0;
    return sr_fail(
        err, SR_DATA,
        "%s: HDF5 takes its headers from an image of a cache (H5Pset_mdc_image_config), where they "
        "cannot be looked at before; write it without",
        f->path);
}

/* Its attributes are the file's, and no link leads there. Where HDF5 cannot read a piece of its header it
 * says so once; from then on it has a header without that piece, of which what was there is missing. */
static int check_root(const struct sr_h5 *f, struct sr_error *err) {
    H5O_info_t root;
    if (H5Oget_info_by_name2(f->id, "/", &root, H5O_INFO_BASIC, H5P_DEFAULT) < 0)
        return sr_h5_fail(err, SR_DATA, "%s: its root cannot be read; the file may be damaged", f->path);
    if (!sr_h5_finds_links(f->id, "/"))
        return sr_h5_settle(
            f,
            sr_h5_fail(err, SR_DATA, "%s: its root lists names that are not found in it; the file is damaged",
                       f->path),
            err);
    return sr_h5_check_link(f, "", root.addr, err);
}

/* name: what HDF5 calls the file. Without a chunk cache, see h5_cache.c. */
static int open_with(struct sr_h5 **out, const char *path, const char *name, hid_t access_list,
                     struct sr_error *err) {
    int status;
    struct sr_h5_superblock superblock;
    struct sr_error why = {0};
    H5Pset_cache(access_list, 0, 0, 0, 1.0);
    hid_t id = H5Fopen(name, H5F_ACC_RDONLY, access_list);
    if (id < 0) {
        status = sr_h5_fail(
            err, SR_DATA,
            "%s: not a readable HDF5 file; it may be damaged, cut short or of another kind: copy or make "
            "it again",
            path);
    } else if ((status = sr_h5_superblock(&superblock, id, &why)) < 0) {
        H5Fclose(id);
        sr_fail(err, status, "%s: %s", path, why.text);
    } else {
        status = wrap(out, id, path, err);
    }
    H5Pclose(access_list);
    if (status == 0 && ((status = check_cache(*out, err)) < 0 || (status = check_root(*out, err)) < 0)) {
        sr_h5_here_close(*out, NULL);
        *out = NULL;
    }
    return status;
}

int sr_h5_here_open(struct sr_h5 **out, const char *path, struct sr_error *err) {
    int status = sr_h5_check_path(path, err);
    if (status < 0)
        return status;
    sr_h5_lock();
    status = open_with(out, path, path, sr_h5_disk_access(), err);
    sr_h5_unlock();
    return status;
}

int sr_h5_here_open_descriptor(struct sr_h5 **out, int file, const char *path, struct sr_error *err) {
    sr_h5_lock();
    /* HDF5 asks where it is to complete a name that does not begin with '/'. */
    const int status = open_with(out, path, "/", sr_h5_disk_access_open(file), err);
    sr_h5_unlock();
    return status;
}

/* True if a file has the format of HDF5 1.8 on, in which an attribute may be larger than 64 KB. */
static bool is_of_18(const struct sr_h5 *f) {
    H5F_info2_t info;
    return f && H5Fget_info2(f->id, &info) >= 0 && info.super.version >= 2;
}

int sr_h5_create(struct sr_h5 **out, const char *path, const char *title, struct sr_error *err) {
    return sr_h5_create_like(out, path, title, NULL, err);
}

int sr_h5_create_like(struct sr_h5 **out, const char *path, const char *title, const struct sr_h5 *like,
                      struct sr_error *err) {
    int status = sr_h5_check_here(like, err);
    if (status < 0)
        return status;
    sr_h5_lock();
    hid_t access_list = sr_h5_disk_access();
    if (is_of_18(like))
        H5Pset_libver_bounds(access_list, H5F_LIBVER_V18, H5F_LIBVER_LATEST);
    hid_t id = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access_list);
    if (id < 0)
        status = sr_h5_fail(err, SR_IO, "%s: cannot be created", title);
    else
        status = wrap(out, id, title, err);
    H5Pclose(access_list);
    sr_h5_unlock();
    return status;
}

int sr_h5_here_close(struct sr_h5 *f, struct sr_error *err) {
    sr_h5_lock();
    const bool flushed = H5Fflush(f->id, H5F_SCOPE_GLOBAL) >= 0;
    const char *trouble;
    int status = sr_h5_disk_trouble(f->id, &trouble);
    if (status < 0)
        sr_fail(err, status, "%s: could not be written or read to the end: %s", f->path, trouble);
    if (status < 0 && !err)
        sr_error_note(status, "%s: could not be read to the end: %s", f->path, trouble);
    if ((H5Fclose(f->id) < 0 || !flushed) && status == 0)
        status = sr_h5_fail(err, SR_IO, "%s: could not be written to the end; is the disk full?", f->path);
    sr_h5_unlock();
    sr_free(f->path);
    sr_free(f);
    return status;
}

int sr_h5_here_check(const struct sr_h5 *f, struct sr_error *err) {
    const char *trouble;
    sr_h5_lock();
    const int status = sr_h5_disk_trouble(f->id, &trouble);
    sr_h5_unlock();
    return status < 0 ? sr_fail(err, status, "%s: cannot be read or written: %s", f->path, trouble) : SR_OK;
}

int sr_h5_settle(const struct sr_h5 *f, int status, struct sr_error *err) {
    struct sr_error why;
    if (!f || (status < 0 && status != SR_DATA))
        return status;
    const int found = sr_h5_check(f, &why);
    return found == SR_OK ? status : sr_fail(err, found, "%s", why.text);
}

uint64_t sr_h5_here_bytes(const struct sr_h5 *f) {
    hsize_t bytes = 0;
    sr_h5_lock();
    H5Fget_filesize(f->id, &bytes); /* 0 where that is not known */
    sr_h5_unlock();
    return bytes;
}

int sr_h5_commit(struct sr_h5 *f, struct sr_atomic_file *target, int status, struct sr_error *err) {
    int closed = sr_h5_close(f, status < 0 ? NULL : err);
    status = status < 0 ? status : closed;
    if (status == 0)
        return sr_atomic_file_commit(target, err);
    sr_atomic_file_discard(target);
    return status;
}

static enum sr_h5_kind float_kind(hid_t type, size_t size) {
    size_t sign, exponent, exponent_bits, mantissa, mantissa_bits;
    if (size == 4 || size == 8)
        return SR_H5_FLOAT;
    if (size != 2 || H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) < 0)
        return SR_H5_OTHER;
    size_t bias = H5Tget_ebias(type);
    if (sign != 15 || mantissa != 0 || exponent != mantissa_bits || H5Tget_norm(type) != H5T_NORM_IMPLIED)
        return SR_H5_OTHER;
    if (exponent_bits == 5 && mantissa_bits == 10 && bias == 15)
        return SR_H5_HALF;
    if (exponent_bits == 8 && mantissa_bits == 7 && bias == 127)
        return SR_H5_BFLOAT;
    return SR_H5_OTHER;
}

static void look_at_type(hid_t type, struct sr_h5_info *info) {
    H5T_class_t class = H5Tget_class(type);
    unsigned bits;
    info->size = H5Tget_size(type);
    bits = (unsigned)info->size * 8;
    info->kind = SR_H5_OTHER;
    snprintf(info->type, sizeof info->type, "another type");
    if (class == H5T_FLOAT) {
        info->kind = float_kind(type, info->size);
        snprintf(info->type, sizeof info->type, "%s%u", info->kind == SR_H5_BFLOAT ? "bfloat" : "float",
                 bits);
    } else if (class == H5T_ENUM || class == H5T_INTEGER) {
        bool has_sign = class == H5T_INTEGER && H5Tget_sign(type) == H5T_SGN_2;
        info->kind = info->size <= 8 ? SR_H5_INTEGER : SR_H5_OTHER;
        snprintf(info->type, sizeof info->type, "%s%u",
                 class == H5T_ENUM ? "enum"
                 : has_sign        ? "int"
                                   : "uint",
                 bits);
    } else if (class == H5T_STRING) {
        info->kind = SR_H5_TEXT;
        snprintf(info->type, sizeof info->type, "strings");
    } else if (class == H5T_OPAQUE) {
        info->kind = SR_H5_OPAQUE;
        snprintf(info->type, sizeof info->type, "opaque of %u bytes", bits / 8);
    }
}

static void look_at_shape(hid_t dataset, struct sr_h5_info *info) {
    hsize_t shape[H5S_MAX_RANK];
    hid_t space = H5Dget_space(dataset);
    info->rank = H5Sget_simple_extent_dims(space, shape, NULL);
    for (int i = 0; i < SR_H5_RANK; i++)
        info->shape[i] = i < info->rank ? shape[i] : 1;
    H5Sclose(space);
}

int sr_h5_here_info(const struct sr_h5 *f, const char *name, struct sr_h5_info *info, struct sr_error *err) {
    int status = 0;
    sr_h5_lock();
    const hid_t dataset = sr_h5_open_dataset(f, name, H5P_DEFAULT, err);
    if (dataset < 0) {
        status = (int)dataset;
    } else {
        const hid_t type = H5Dget_type(dataset);
        look_at_shape(dataset, info);
        look_at_type(type, info);
        H5Tclose(type);
        H5Dclose(dataset);
    }
    sr_h5_unlock();
    return status;
}

#define LISTED 61 /* of a name */

struct listing {
    const struct sr_h5 *file;
    char *text;
    size_t size, used;
};

/* Stops the walk (returns 1) when the text is full. */
static herr_t list_member(hid_t group, const char *name, const H5L_info_t *link, void *user) {
    struct listing *l = user;
    struct sr_h5_info info;
    char item[192], clean[LISTED];
    (void)group;
    int n =
        snprintf(item, sizeof item, "%s%s", l->used ? ", " : "", sr_utf8_clean(clean, sizeof clean, name));
    if (link->type != H5L_TYPE_HARD) {
        snprintf(item + n, sizeof item - (size_t)n, " (a link)");
    } else if (sr_h5_info(l->file, name, &info, NULL) == 0) {
        for (int i = 0; i < info.rank && i < SR_H5_RANK; i++)
            n += snprintf(item + n, sizeof item - (size_t)n, "%s%llu", i ? "," : " [",
                          (unsigned long long)info.shape[i]);
        snprintf(item + n, sizeof item - (size_t)n, "%s %s", info.rank > 0 ? "]" : "", info.type);
    }
    if (l->used + strlen(item) + sizeof ", ..." > l->size) {
        snprintf(l->text + l->used, l->size - l->used, ", ...");
        return 1;
    }
    l->used += (size_t)snprintf(l->text + l->used, l->size - l->used, "%s", item);
    return 0;
}

void sr_h5_here_list(const struct sr_h5 *f, char *text, size_t size) {
    struct listing l = {f, text, size, 0};
    snprintf(text, size, "nothing");
    sr_h5_lock();
    if (sr_h5_walk_links(f->id, list_member, &l) < 0)
        sr_h5_disk_doubt(f->id);
    sr_h5_unlock();
}
