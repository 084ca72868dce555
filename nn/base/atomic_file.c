/* atomic_file.c: the old file or the whole new one; see atomic_file.h.
 *
 * The temporary file (temporary.h) lies in the target's folder, because rename is atomic only within a file
 * system. Its name holds the process id and the clock, and it is created exclusively, so that no two writers
 * share one. A target that is a symbolic link stays one: its destination is replaced.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "nn/base/alloc.h"
#include "nn/base/atomic_file.h"
#include "nn/base/path.h"
#include "nn/base/rename_all.h"
#include "nn/base/stream.h"
#include "nn/base/temporary.h"

struct sr_atomic_file {
    FILE *stream;
    int descriptor, failed; /* the stream's; the errno of its first write that failed, or 0 */
    int lock; /* the descriptor once more: the lock of the temporary file lasts until it has its name */
    bool sealed;
    char *target, *temporary;
};

static void forget(struct sr_atomic_file *f) {
    if (f->stream)
        fclose(f->stream);
    if (f->temporary)
        sr_temporary_forget(f->temporary);
    if (f->lock >= 0)
        close(f->lock);
    sr_free(f->target);
    sr_free(f->temporary);
    sr_free(f);
}

/* *real: where the bytes shall end up, behind a symbolic link, and nowhere but in a regular file. */
static int resolve(char **real, const char *path, mode_t *mode, struct sr_error *err) {
    struct stat st;
    *real = NULL;
    *mode = 0;
    if (stat(path, &st) < 0) {
        const int why = errno;
        if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
            return sr_fail(
                err, SR_IO,
                "cannot write %s: it is a symbolic link that leads nowhere (%s); remove it or make "
                "its destination",
                path, strerror(why));
        errno = why; /* a name too long, a folder closed to us: now, not when all the work is done */
        if (why != ENOENT)
            return sr_fail_io(err, "write", path);
        *real = sr_strdup(path, err);
        return *real ? SR_OK : SR_NOMEM;
    }
    if (!S_ISREG(st.st_mode))
        return sr_fail(err, SR_IO, "cannot write %s: it is %s, and only a regular file can be replaced", path,
                       S_ISDIR(st.st_mode) ? "a folder" : "a device or pipe");
    *mode = st.st_mode & 07777;
    char *behind = realpath(path, NULL);
    if (!behind && errno == ENOMEM) /* else a link would be replaced instead of what it points to */
        return sr_fail_io(err, "write", path);
    *real = sr_strdup(behind ? behind : path, err);
    free(behind);
    return *real ? SR_OK : SR_NOMEM;
}

/* What others may do with a new file: no more than with `like`. */
static unsigned mode_like(const char *like) {
    struct stat st;
    return like && stat(like, &st) == 0 ? (st.st_mode & 0666) | 0600 : 0666;
}

static int open_temporary(struct sr_atomic_file *f, const char *path, const char *like, mode_t mode,
                          struct sr_error *err) {
    int fd;
    sr_temporary_sweep(f->target);
    if (sr_temporary_create(&f->temporary, &fd, f->target, mode ? 0600 : mode_like(like), err) < 0)
        return f->temporary ? sr_fail_io(err, "create", path) : SR_NOMEM;
    if (mode)
        fchmod(fd, mode);
    f->descriptor = fd;
    f->lock = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    f->stream = sr_stream_open(fd, "w", &f->failed);
    if (f->stream)
        return SR_OK;
    const int status = sr_fail_io(err, "write", path);
    close(fd);
    unlink(f->temporary);
    return status;
}

int sr_atomic_file_open_like(struct sr_atomic_file **out, const char *path, const char *like,
                             struct sr_error *err) {
    mode_t mode;
    *out = NULL;
    struct sr_atomic_file *f = sr_alloc(1, sizeof *f, err);
    if (!f)
        return SR_NOMEM;
    f->lock = -1;
    int status = resolve(&f->target, path, &mode, err);
    if (status == SR_OK)
        status = open_temporary(f, path, like, mode, err);
    if (status < 0)
        forget(f);
    else
        *out = f;
    return status;
}

int sr_atomic_file_open(struct sr_atomic_file **out, const char *path, struct sr_error *err) {
    return sr_atomic_file_open_like(out, path, NULL, err);
}

/* path: what is to be written. */
static int check_folder(const char *path, const char *folder, struct sr_error *err) {
    struct stat st;
    if (stat(folder, &st) < 0 && errno == ENOENT)
        return sr_fail(err, SR_IO, "cannot create %s: there is no folder %s; make it first", path, folder);
    if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) < 0)
        return sr_fail(err, SR_IO, "cannot create %s in the folder %s: %s", path, folder, strerror(errno));
    return SR_OK;
}

int sr_atomic_file_possible(const char *path, struct sr_error *err) {
    char *target, folder[PATH_MAX];
    struct stat st;
    mode_t mode;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return check_folder(path, path, err);
    int status = resolve(&target, path, &mode, err);
    if (!target)
        return status;
    for (size_t n = strlen(target); n > 1 && target[n - 1] == '/'; n--)
        target[n - 1] = '\0';
    if (sr_path_folder(folder, sizeof folder, target)) /* else the system will say so */
        status = check_folder(path, folder, err);
    sr_free(target);
    return status;
}

FILE *sr_atomic_file_stream(struct sr_atomic_file *f) {
    return f->stream;
}

const char *sr_atomic_file_path(const struct sr_atomic_file *f) {
    return f->temporary;
}

/* ---- the folder ---- */

static char unsynced[PATH_MAX + 128]; /* written once, under the lock, and never changed after */
static pthread_mutex_t unsynced_lock = PTHREAD_MUTEX_INITIALIZER;

/* Of a folder that has not got its name yet, the one that it lies in is told. */
static void remember_unsynced(const char *folder, int why) {
    char around[PATH_MAX];
    if (sr_temporary_is(folder) && sr_path_folder(around, sizeof around, folder))
        folder = around;
    pthread_mutex_lock(&unsynced_lock);
    if (!unsynced[0])
        snprintf(unsynced, sizeof unsynced, "%s: %s", folder, strerror(why));
    pthread_mutex_unlock(&unsynced_lock);
}

const char *sr_atomic_file_unsynced(void) {
    pthread_mutex_lock(&unsynced_lock);
    const char *text = unsynced[0] ? unsynced : NULL;
    pthread_mutex_unlock(&unsynced_lock);
    return text;
}

static int sync_descriptor(int fd) {
    return (int)TEMP_FAILURE_RETRY(fsync(fd));
}

/* Makes the rename last. Only what says that the disk has lost or refused it is a failure; network, FUSE and
 * read-protected folders refuse with many other errors, and nothing more can be done there. */
static int sync_folder(const char *path) {
    char folder[PATH_MAX];
    sr_path_folder(folder, sizeof folder, path);
    const int fd = sr_stream_descriptor(folder, O_RDONLY | O_DIRECTORY, 0);
    const int why = fd < 0 || sync_descriptor(fd) < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    errno = why;
    if (why == EIO || why == ENOSPC || why == EDQUOT)
        return -1;
    if (why)
        remember_unsynced(folder, why);
    return 0;
}

int sr_rename_sync(const char *path, struct sr_error *err) {
    return sync_folder(path) < 0
               ? sr_fail_io(err, "make permanent (it is written, but the folder does not sync)", path)
               : SR_OK;
}

/* Some file systems know the one way, some the other. */
static int link_new(const char *from, const char *to) {
    if (TEMP_FAILURE_RETRY(renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE)) == 0)
        return 0;
    return errno == EINVAL || errno == ENOSYS ? (int)TEMP_FAILURE_RETRY(link(from, to)) : -1;
}

int sr_rename_new(const char *from, const char *to, struct sr_error *err) {
    if (link_new(from, to) == 0)
        return sr_rename_sync(to, err);
    if (errno == EEXIST)
        return sr_fail(err, SR_USAGE, "%s exists by now; routers are never overwritten: name a new file", to);
    return sr_fail(err, SR_IO, "%s cannot be made: %s", to, strerror(errno));
}

/* ---- commit ---- */

/* Bytes safely on disk and the stream closed. If not, errno says what went wrong, 0 if only the stream knew.
 */
static bool flush_and_close(struct sr_atomic_file *f) {
    errno = 0;
    const bool safe = fflush(f->stream) == 0 && !ferror(f->stream) && sync_descriptor(f->descriptor) == 0;
    const int why = f->failed ? f->failed : errno;
    const bool closed = fclose(f->stream) == 0;
    f->stream = NULL;
    if (!safe)
        errno = why;
    return safe && closed;
}

int sr_atomic_file_seal(struct sr_atomic_file *f, struct sr_error *err) {
    if (!f->sealed && !flush_and_close(f))
        return sr_fail_io(err, "write", f->target);
    f->sealed = true;
    return SR_OK;
}

int sr_atomic_file_commit(struct sr_atomic_file *f, struct sr_error *err) {
    int status = sr_atomic_file_seal(f, err);
    if (status == SR_OK && TEMP_FAILURE_RETRY(rename(f->temporary, f->target)) < 0)
        status = sr_fail_io(err, "replace", f->target);
    if (status < 0)
        (void)TEMP_FAILURE_RETRY(unlink(f->temporary));
    else
        status = sr_rename_sync(f->target, err);
    forget(f);
    return status;
}

int sr_atomic_file_commit_all(struct sr_atomic_file **f, size_t n, struct sr_error *err) {
    struct sr_renaming names[SR_RENAMINGS];
    size_t count = 0;
    int status = n <= SR_RENAMINGS ? SR_OK : sr_fail(err, SR_BUG, "%zu files at once", n);
    for (size_t i = 0; i < n && status == SR_OK; i++) {
        if (!f[i])
            continue;
        names[count++] = (struct sr_renaming){f[i]->temporary, f[i]->target, false};
        status = sr_atomic_file_seal(f[i], err);
    }
    if (status == SR_OK)
        status = sr_rename_all(names, count, err);
    for (size_t i = 0; i < n; i++)
        sr_atomic_file_discard(f[i]);
    return status;
}

void sr_atomic_file_discard(struct sr_atomic_file *f) {
    if (!f)
        return;
    (void)TEMP_FAILURE_RETRY(unlink(f->temporary));
    forget(f);
}

int sr_atomic_file_write(const char *path, const void *bytes, size_t size, struct sr_error *err) {
    struct sr_atomic_file *f;
    const int status = sr_atomic_file_open(&f, path, err);
    if (status < 0)
        return status;
    fwrite(bytes, 1, size, f->stream);
    return sr_atomic_file_commit(f, err);
}
