/* stream.c: stdio over a descriptor, by fopencookie; see stream.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "nn/base/alloc.h"
#include "nn/base/stream.h"

int sr_stream_descriptor(const char *path, int flags, mode_t mode) {
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* A pipe that somebody else made non-blocking, and that is full, is waited for. */
static bool may_go_on(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return errno == EINTR || (errno == EAGAIN && (poll(&p, 1, -1) > 0 || errno == EINTR));
}

/* How many bytes got there; fewer than size with errno. */
static size_t put(int fd, const char *bytes, size_t size) {
    size_t done = 0;
    while (done < size) {
        const ssize_t n = write(fd, bytes + done, size - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0)
            errno = ENOSPC; /* no device refuses without a reason; never turn here for ever */
        if (n == 0 || (n < 0 && !may_go_on(fd)))
            break;
    }
    return done;
}

bool sr_stream_put(int fd, const void *bytes, size_t size) {
    return put(fd, bytes, size) == size;
}

int sr_stream_get(int fd, void *to, size_t size, uint64_t at) {
    char *next = to;
    while (size > 0) {
        const ssize_t n = pread(fd, next, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : ENODATA;
        next += n;
        size -= (size_t)n;
        at += (uint64_t)n;
    }
    return 0;
}

/* ---- the cookie ---- */

struct cookie {
    int fd, *failed;
};

static void note(const struct cookie *c) {
    if (c->failed && !*c->failed)
        *c->failed = errno;
}

static ssize_t cookie_write(void *cookie, const char *bytes, size_t size) {
    const struct cookie *c = cookie;
    const size_t done = put(c->fd, bytes, size);
    if (done < size)
        note(c);
    return (ssize_t)done;
}

static ssize_t cookie_read(void *cookie, char *bytes, size_t size) {
    const struct cookie *c = cookie;
    ssize_t n;
    do
        n = read(c->fd, bytes, size);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        note(c);
    return n;
}

static int cookie_seek(void *cookie, off64_t *at, int whence) {
    const off64_t now = lseek64(((const struct cookie *)cookie)->fd, *at, whence);
    if (now < 0)
        return -1;
    *at = now;
    return 0;
}

/* Linux has closed the descriptor even where it says EINTR. */
static int cookie_close(void *cookie) {
    const int fd = ((struct cookie *)cookie)->fd;
    sr_free(cookie);
    return close(fd) < 0 && errno != EINTR ? -1 : 0;
}

FILE *sr_stream_open(int fd, const char *mode, int *failed) {
    struct cookie *c = sr_alloc(1, sizeof *c, NULL);
    if (!c) {
        errno = ENOMEM;
        return NULL;
    }
    *c = (struct cookie){fd, failed};
    if (failed)
        *failed = 0;
    FILE *stream = fopencookie(
        c, mode,
        (cookie_io_functions_t){
            .read = cookie_read, .write = cookie_write, .seek = cookie_seek, .close = cookie_close});
    if (!stream)
        sr_free(c);
    return stream;
}
