/* stream.c: stdio over a descriptor, by fopencookie; see stream.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "nn/base/stream.h"

int sr_stream_descriptor(const char *path, int flags, mode_t mode) {
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
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
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
    }
    return done;
}

bool sr_stream_put(int fd, const void *bytes, size_t size) {
    return put(fd, bytes, size) == size;
}

/* ---- the cookie: the descriptor itself ---- */

static int descriptor(void *cookie) {
    return (int)(intptr_t)cookie;
}

static ssize_t cookie_write(void *cookie, const char *bytes, size_t size) {
    return (ssize_t)put(descriptor(cookie), bytes, size);
}

static ssize_t cookie_read(void *cookie, char *bytes, size_t size) {
    ssize_t n;
    do
        n = read(descriptor(cookie), bytes, size);
    while (n < 0 && errno == EINTR);
    return n;
}

static int cookie_seek(void *cookie, off64_t *at, int whence) {
    const off64_t now = lseek64(descriptor(cookie), *at, whence);
    if (now < 0)
        return -1;
    *at = now;
    return 0;
}

/* Linux has closed the descriptor even where it says EINTR. */
static int cookie_close(void *cookie) {
    return close(descriptor(cookie)) < 0 && errno != EINTR ? -1 : 0;
}

FILE *sr_stream_open(int fd, const char *mode) {
    return fopencookie(
        (void *)(intptr_t)fd, mode,
        (cookie_io_functions_t){
            .read = cookie_read, .write = cookie_write, .seek = cookie_seek, .close = cookie_close});
}
