/* file.c: files to read; see file.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nn/base/alloc.h"
#include "nn/base/atomic_file.h"
#include "nn/base/file.h"
#include "nn/base/stream.h"

/* The rest of a stream, which may be a pipe, into a growing block. */
static int read_all(void **bytes, size_t *size, FILE *from, const char *path, size_t limit, size_t room,
                    struct sr_error *err) {
    char *block = sr_alloc(room, 1, err);
    size_t used = 0, got;
    if (!block)
        return SR_NOMEM;
    while ((got = fread(block + used, 1, room - 1 - used, from)) > 0) {
        used += got;
        if (used > limit) {
            sr_free(block);
            return sr_fail(err, SR_DATA, "%s is larger than %zu bytes, the most that is read here", path,
                           limit);
        }
        if (used < room - 1)
            continue;
        char *grown = room <= SIZE_MAX / 2 ? sr_realloc(block, used, 2 * room, err) : NULL;
        if (!grown) {
            sr_free(block);
            return sr_fail(err, SR_NOMEM, "out of memory while reading %s", path);
        }
        block = grown;
        room *= 2;
    }
    if (ferror(from)) {
        sr_free(block);
        return sr_fail_io(err, "read", path);
    }
    block[used] = '\0';
    *bytes = block;
    *size = used;
    return SR_OK;
}

/* *fd is -1 after a failure. */
static int open_any(int *fd, struct stat *st, const char *path, int flags, struct sr_error *err) {
    *fd = sr_stream_descriptor(path, O_RDONLY | flags, 0);
    if (*fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return sr_fail(err, SR_NOINPUT, "%s: no such file", path);
    if (*fd >= 0 && fstat(*fd, st) == 0)
        return SR_OK;
    const int status = sr_fail_io(err, "read", path);
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    return status;
}

/* The descriptor belongs to *out, or is closed. */
static int stream(FILE **out, int fd, const char *path, struct sr_error *err) {
    *out = sr_stream_open(fd, "r", NULL);
    if (*out)
        return SR_OK;
    const int status = sr_fail_io(err, "read", path);
    close(fd);
    return status;
}

static int open_stream(FILE **out, struct stat *st, const char *path, int flags, struct sr_error *err) {
    int fd;
    *out = NULL;
    const int status = open_any(&fd, st, path, flags, err);
    return status < 0 ? status : stream(out, fd, path, err);
}

int sr_file_open_any(FILE **out, uint64_t *bytes, const char *path, struct sr_error *err) {
    struct stat st = {0};
    const int status = open_stream(out, &st, path, 0, err);
    *bytes = status == SR_OK && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    return status;
}

int sr_file_open_descriptor(int *fd, uint64_t *bytes, const char *path, const char *wanted,
                            struct sr_error *err) {
    struct stat st = {0};
    const int status = open_any(fd, &st, path, O_NONBLOCK, err);
    if (status < 0)
        return status;
    *bytes = (uint64_t)st.st_size;
    if (S_ISREG(st.st_mode))
        return SR_OK;
    close(*fd);
    *fd = -1;
    return S_ISDIR(st.st_mode) ? sr_fail(err, SR_NOINPUT, "%s is a folder, not %s", path, wanted)
                               : sr_fail(err, SR_NOINPUT, "%s is not a regular file", path);
}

int sr_file_open(FILE **out, uint64_t *bytes, const char *path, const char *wanted, struct sr_error *err) {
    int fd;
    *out = NULL;
    const int status = sr_file_open_descriptor(&fd, bytes, path, wanted, err);
    return status < 0 ? status : stream(out, fd, path, err);
}

int sr_file_read_at(int fd, uint64_t at, void *out, size_t bytes, const char *path, struct sr_error *err) {
    const int why = sr_stream_get(fd, out, bytes, at);
    if (why == ENODATA)
        return sr_fail(err, SR_DATA, "%s became shorter while it was read", path);
    return why ? sr_fail(err, SR_IO, "cannot read %s: %s", path, strerror(why)) : SR_OK;
}

/* Closes the stream; known: its bytes, 0 where nobody knows. */
static int read_stream(void **bytes, size_t *size, FILE *from, size_t known, const char *path, size_t limit,
                       struct sr_error *err) {
    int status = known > limit ? sr_fail(err, SR_DATA, "%s has %zu bytes; at most %zu are read here", path,
                                         known, limit)
                               : read_all(bytes, size, from, path, limit, known + 4096, err);
    fclose(from);
    if (status == SR_OK && *size < known) {
        sr_free(*bytes);
        *bytes = NULL;
        status = sr_fail(err, SR_DATA, "%s became shorter while it was read", path);
    }
    return status;
}

int sr_file_read(void **bytes, size_t *size, const char *path, size_t limit, struct sr_error *err) {
    struct stat st = {0};
    FILE *from;
    *bytes = NULL;
    *size = 0;
    const int status = open_stream(&from, &st, path, 0, err);
    if (status < 0)
        return status;
    if (!S_ISDIR(st.st_mode))
        return read_stream(bytes, size, from, S_ISREG(st.st_mode) ? (size_t)st.st_size : 0, path, limit, err);
    fclose(from);
    return sr_fail(err, SR_NOINPUT, "%s is a folder, not a file", path);
}

int sr_file_read_regular(void **bytes, size_t *size, const char *path, const char *wanted, size_t limit,
                         struct sr_error *err) {
    uint64_t known;
    FILE *from;
    *bytes = NULL;
    *size = 0;
    const int status = sr_file_open(&from, &known, path, wanted, err);
    return status < 0 ? status : read_stream(bytes, size, from, (size_t)known, path, limit, err);
}

int sr_file_copy(const char *to, const char *from, size_t limit, struct sr_error *err) {
    void *bytes;
    size_t size;
    int status = sr_file_read(&bytes, &size, from, limit, err);
    if (status < 0)
        return status;
    status = sr_atomic_file_write(to, bytes, size, err);
    sr_free(bytes);
    return status;
}
