/* temporary.c: the temporary files of a process. See temporary.h.
 *
 * The list for the signal's handler is made of fixed places with no lock: a handler may interrupt any thread
 * anywhere. A place that is taken anew while a handler reads it gives at worst a path that nobody has.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "nn/base/alloc.h"
#include "nn/base/path.h"
#include "nn/base/stream.h"
#include "nn/base/temporary.h"

#define PLACES    32
#define ATTEMPTS  100
#define NAME_MOST 200 /* bytes of the target's name that go into the temporary one */

enum { FREE, FILLING, OPEN };

static struct {
    atomic_int state;
    char path[PATH_MAX];
} place[PLACES];

/* ---- those of this process ---- */

static void note(const char *name) {
    if (strlen(name) >= PATH_MAX)
        return;
    for (size_t i = 0; i < PLACES; i++) {
        int is = FREE;
        if (!atomic_compare_exchange_strong(&place[i].state, &is, FILLING))
            continue;
        /* measured above. NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.strcpy) */
        strcpy(place[i].path, name);
        atomic_store(&place[i].state, OPEN);
        return;
    }
}

void sr_temporary_forget(const char *name) {
    for (size_t i = 0; i < PLACES; i++)
        if (atomic_load(&place[i].state) == OPEN && strcmp(place[i].path, name) == 0) {
            atomic_store(&place[i].state, FREE);
            return;
        }
}

/* A file, or a folder with the files in it. Nothing here that a signal's handler may not call. */
static void remove_whole(int at, const char *name) {
    union {
        struct dirent64 entry;
        char bytes[4096];
    } list;
    if (TEMP_FAILURE_RETRY(unlinkat(at, name, 0)) == 0 || errno == ENOENT ||
        TEMP_FAILURE_RETRY(unlinkat(at, name, AT_REMOVEDIR)) == 0)
        return;
    const int folder =
        (int)TEMP_FAILURE_RETRY(openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (folder < 0)
        return;
    for (ssize_t n; (n = getdents64(folder, &list, sizeof list)) > 0;)
        for (ssize_t i = 0; i < n;) {
            const struct dirent64 *entry = (const struct dirent64 *)(list.bytes + i);
            (void)TEMP_FAILURE_RETRY(unlinkat(folder, entry->d_name, 0));
            i += entry->d_reclen;
        }
    close(folder);
    (void)TEMP_FAILURE_RETRY(unlinkat(at, name, AT_REMOVEDIR));
}

void sr_temporary_remove_all(void) {
    for (size_t i = 0; i < PLACES; i++)
        if (atomic_load(&place[i].state) == OPEN)
            remove_whole(AT_FDCWD, place[i].path);
}

/* ---- a new one ---- */

static char *new_name(const char *target, struct sr_error *err) {
    const char *name_of_target = sr_path_name(target);
    const size_t folder = (size_t)(name_of_target - target), size = folder + NAME_MOST + 56;
    struct timespec now;
    char *name = sr_alloc(size, 1, err);
    clock_gettime(CLOCK_REALTIME, &now);
    if (name)
        snprintf(name, size, "%.*s.%.*s.%ld.%lx.tmp", (int)folder, target, NAME_MOST, name_of_target,
                 (long)getpid(), (unsigned long)now.tv_nsec);
    return name;
}

/* A lock of this open file, not of the process: HDF5 opens and closes it by name meanwhile. A folder has one
 * of another kind: this one needs what is open to write. */
static bool lock(int fd, bool folder) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return folder ? flock(fd, LOCK_EX | LOCK_NB) == 0 : fcntl(fd, F_OFD_SETLK, &whole) == 0;
}

/* Locks what was just made. False where a sweep came before that, which takes it for a dead writer's. The
 * lock says that a writer is alive, no more, so a file system without locks is no failure. */
static bool claim(int fd, bool folder) {
    struct stat st;
    const bool taken = !lock(fd, folder) && (errno == EAGAIN || errno == EACCES);
    return !taken && (fstat(fd, &st) < 0 || st.st_nlink > 0);
}

/* A descriptor of the new file or folder, or -1 with errno: EEXIST, or ENOENT where it was swept, and another
 * name is to be tried. */
static int make(const char *name, unsigned mode, bool folder) {
    if (folder && TEMP_FAILURE_RETRY(mkdir(name, (mode_t)mode)) < 0)
        return -1;
    const int fd = folder ? sr_stream_descriptor(name, O_RDONLY | O_DIRECTORY, 0)
                          : sr_stream_descriptor(name, O_RDWR | O_CREAT | O_EXCL, (mode_t)mode);
    if (fd < 0 && folder) {
        const int why = errno;
        rmdir(name);
        errno = why;
    }
    if (fd < 0 || claim(fd, folder))
        return fd;
    close(fd);
    errno = ENOENT;
    return -1;
}

/* -1 with errno; then *name may be NULL. */
static int create(char **name, const char *target, unsigned mode, bool folder, struct sr_error *err) {
    int fd = -1, why = EEXIST;
    *name = NULL;
    for (int attempt = 0; fd < 0 && (why == EEXIST || why == ENOENT) && attempt < ATTEMPTS; attempt++) {
        sr_free(*name);
        *name = new_name(target, err);
        if (!*name)
            return -1;
        note(*name); /* before it is there: a signal may come right behind it */
        fd = make(*name, mode, folder);
        why = errno;
        if (fd < 0)
            sr_temporary_forget(*name);
    }
    errno = why;
    return fd;
}

int sr_temporary_create(char **name, int *fd, const char *target, unsigned mode, struct sr_error *err) {
    *fd = create(name, target, mode, false, err);
    return *fd < 0 ? -1 : 0;
}

int sr_temporary_folder(char **name, int *fd, const char *target, unsigned mode, struct sr_error *err) {
    sr_temporary_sweep(target);
    *fd = create(name, target, mode, true, err);
    if (*fd >= 0)
        return SR_OK;
    const int status =
        *name ? sr_fail(err, SR_IO, "cannot create %s: %s", target, strerror(errno)) : SR_NOMEM;
    sr_free(*name);
    *name = NULL;
    return status;
}

void sr_temporary_folder_end(char *name, int fd) {
    if (!name)
        return;
    remove_whole(AT_FDCWD, name);
    sr_temporary_forget(name);
    close(fd);
    sr_free(name);
}

/* ---- those of others ---- */

/* The number of the process that made the temporary file called entry for a target called name, or 0. */
static pid_t maker(const char *entry, const char *name) {
    const size_t n = strnlen(name, NAME_MOST);
    char *end;
    if (entry[0] != '.' || strncmp(entry + 1, name, n) != 0 || entry[1 + n] != '.')
        return 0;
    const char *number = entry + n + 2;
    const long pid = isdigit((unsigned char)*number) ? strtol(number, &end, 10) : 0;
    if (pid <= 0 || pid > INT_MAX || *end != '.')
        return 0;
    const size_t digits = strspn(end + 1, "0123456789abcdef");
    return digits > 0 && strcmp(end + 1 + digits, ".tmp") == 0 ? (pid_t)pid : 0;
}

bool sr_temporary_is(const char *path) {
    const char *entry = sr_path_name(path);
    for (size_t i = 0; i < PLACES; i++)
        if (atomic_load(&place[i].state) == OPEN && strcmp(sr_path_name(place[i].path), entry) == 0)
            return true;
    return false;
}

/* In a container each program may have the number 1: what has this one's number and is not known here is of
 * one before it. */
static bool is_gone(pid_t pid, const char *entry) {
    return pid == getpid() ? !sr_temporary_is(entry) : kill(pid, 0) < 0 && errno == ESRCH;
}

/* What has a lock has a writer, in whatever container or machine. */
static void remove_unlocked(int folder, const char *entry) {
    struct stat st;
    int fd = openat(folder, entry, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    const bool is_folder = fd < 0 && errno == EISDIR;
    if (is_folder)
        fd = openat(folder, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    if ((is_folder || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))) && lock(fd, is_folder))
        remove_whole(folder, entry);
    close(fd);
}

/* any: whether a process of that number lives is no matter. */
static void sweep(const char *folder, const char *const *names, size_t n, bool any) {
    DIR *d = opendir(folder);
    if (!d)
        return;
    for (const struct dirent *entry; (entry = readdir(d));)
        for (size_t i = 0; i < n; i++) {
            const pid_t pid = maker(entry->d_name, names[i]);
            if (pid > 0 && (any || is_gone(pid, entry->d_name)))
                remove_unlocked(dirfd(d), entry->d_name);
        }
    closedir(d);
}

void sr_temporary_sweep_names(const char *folder, const char *const *names, size_t n) {
    sweep(folder, names, n, true);
}

void sr_temporary_sweep(const char *target) {
    const char *name = sr_path_name(target);
    char folder[PATH_MAX];
    if (sr_path_folder(folder, sizeof folder, target))
        sweep(folder, &name, 1, false);
}
