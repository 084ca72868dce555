/* reader_shim.c: a library for LD_PRELOAD that makes the reader of --isolate fail at its n-th request.
 *
 * Only a reader calls recvmsg, and only who asks it calls sendmsg; so both can be counted in any program that
 * is loaded with this. (fault_shim.c is not for that: it filters system calls too, and a reader may not
 * allow what it needs.)
 *
 * SR_READER=N:HOW, as the reader's N-th request (from 1; a piece that is asked for counts) is received:
 *   - kill: it dies of SIGKILL
 *   - spin: it does not answer, and is busy
 *   - open: it opens a file, which it may not
 *   - read: the next read of a file fails (EIO)
 * SR_READER_LOG=FILE: how many requests were sent, written at the end of who asks
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static long long received, sent;
static bool broken; /* the next read fails */

static void fail(const char *how) {
    if (strcmp(how, "kill") == 0)
        raise(SIGKILL);
    while (strcmp(how, "spin") == 0)
        __asm__ volatile("");
    if (strcmp(how, "open") == 0)
        syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY);
    broken = strcmp(how, "read") == 0;
}

ssize_t pread(int fd, void *to, size_t n, off_t at) {
    if (broken) {
        broken = false;
        errno = EIO;
        return -1;
    }
    return syscall(SYS_pread64, fd, to, n, at);
}

ssize_t recvmsg(int socket, struct msghdr *message, int flags) {
    const ssize_t n = syscall(SYS_recvmsg, socket, message, flags);
    const char *wanted = getenv("SR_READER");
    char *how;
    if (wanted && n > 0 && ++received == strtoll(wanted, &how, 10) && *how == ':')
        fail(how + 1);
    return n;
}

ssize_t sendmsg(int socket, const struct msghdr *message, int flags) {
    sent++;
    return syscall(SYS_sendmsg, socket, message, flags);
}

__attribute__((destructor)) static void leave(void) {
    const char *path = getenv("SR_READER_LOG");
    FILE *to = path && sent > 0 ? fopen(path, "w") : NULL;
    if (!to)
        return;
    fprintf(to, "%lld\n", sent);
    fclose(to);
}
