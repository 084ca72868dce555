/* run_folder.c: a run's folder: made at once, locked, its files named.
 *
 * The folder is prepared under a temporary name beside its place and renamed, so that whoever finds it finds
 * what the run began with in it: a run killed at any moment can either be resumed or never began.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "train/run_folder.h"

#define FOLDER_MOST (SR_RUN_PATH - 128) /* bytes: a temporary name, and a file's name behind it, fit too */
#define LOCK_TRIES  30
#define LOCK_PAUSE  100000000 /* ns between two */

static int parents_make(const char *folder, struct sr_error *err) {
    char path[SR_RUN_PATH];
    snprintf(path, sizeof path, "%s", folder);
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (TEMP_FAILURE_RETRY(mkdir(path, 0777)) == 0) {
            const int status = sr_rename_sync(path, err); /* a new name, which must last as well */
            if (status < 0)
                return status;
        } else if (errno != EEXIST) {
            return sr_fail(err, SR_IO, "cannot make the folder %s: %s", path, strerror(errno));
        }
        *p = '/';
    }
    return SR_OK;
}

/* A process that was killed a moment ago may not be gone yet. A file system without locks cannot tell; that
 * is no reason to refuse the run. */
static int folder_lock(struct sr_run *run, struct sr_error *err) {
    run->lock = sr_stream_descriptor(run->folder, O_RDONLY | O_DIRECTORY, 0);
    if (run->lock < 0)
        return sr_fail(err, errno == ENOENT || errno == ENOTDIR ? SR_NOINPUT : SR_IO, "no run in %s: %s",
                       run->folder, strerror(errno));
    bool taken = true;
    for (int i = 0; i < LOCK_TRIES && taken; i++) {
        if (i > 0)
            nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE}, NULL);
        taken = flock(run->lock, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    }
    if (taken) {
        sr_run_close(run);
        return sr_fail(err, SR_USAGE, "another process is working on %s: wait for it, or stop it",
                       run->folder);
    }
    return SR_OK;
}

static int folder_set(struct sr_run *run, const char *folder, struct sr_error *err) {
    run->lock = -1;
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    if (length == 0 || length > FOLDER_MOST)
        return sr_fail(err, SR_USAGE, "a run folder's name cannot be empty or longer than %d bytes",
                       FOLDER_MOST);
    snprintf(run->folder, sizeof run->folder, "%.*s", (int)length, folder);
    return SR_OK;
}

static int exists_fail(const char *folder, struct sr_error *err) {
    char path[SR_RUN_PATH + 16];
    snprintf(path, sizeof path, "%s/config.yaml", folder);
    if (access(path, F_OK) != 0)
        return sr_fail(err, SR_USAGE, "%s exists already and is no run: choose another --out", folder);
    return sr_fail(err, SR_USAGE,
                   "%s exists already: continue that run with --resume %s, or choose another --out", folder,
                   folder);
}

static int folder_place(const char *temporary, const char *folder, struct sr_error *err) {
    if (TEMP_FAILURE_RETRY(rename(temporary, folder)) == 0)
        return SR_OK;
    return errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR
               ? exists_fail(folder, err)
               : sr_fail(err, SR_IO, "cannot make the folder %s: %s", folder, strerror(errno));
}

int sr_run_absent(const char *folder, struct sr_error *err) {
    return access(folder, F_OK) == 0 ? exists_fail(folder, err) : SR_OK;
}

/* The temporary folder's lock becomes the run's. */
int sr_run_create(struct sr_run *run, const char *folder,
                  int (*fill)(void *user, const struct sr_run *run, struct sr_error *err), void *user,
                  struct sr_error *err) {
    struct sr_run made = {.lock = -1};
    char *temporary = NULL;
    int status = folder_set(run, folder, err);
    if (status == SR_OK)
        status = parents_make(run->folder, err);
    if (status == SR_OK)
        status = sr_temporary_folder(&temporary, &made.lock, run->folder, 0777, err);
    if (status < 0)
        return status;
    snprintf(made.folder, sizeof made.folder, "%s", temporary);
    status = fill(user, &made, err);
    if (status == SR_OK)
        status = folder_place(temporary, run->folder, err);
    if (status < 0) {
        sr_error_rename(err, temporary, run->folder);
        sr_temporary_folder_end(temporary, made.lock);
        return status;
    }
    sr_temporary_forget(temporary);
    sr_free(temporary);
    run->lock = made.lock;
    return sr_rename_sync(run->folder, err);
}

const char *const sr_run_files[SR_RUN_FILES] = {
    "best.safetensors",   "last.safetensors", "checkpoint.safetensors",
    "parent.safetensors", "config.yaml",      "data.json",
    "metrics.csv",        "metrics.jsonl",    "timing.csv",
    "summary.txt",        "summary.json",     "train.log",
    "seeds.json"};

int sr_run_open(struct sr_run *run, const char *folder, struct sr_error *err) {
    char path[SR_RUN_PATH];
    int status = folder_set(run, folder, err);
    if (status == SR_OK)
        status = folder_lock(run, err);
    if (status == SR_OK && access(sr_run_file(run, "config.yaml", path), R_OK) < 0) {
        status = sr_fail(err, SR_NOINPUT, "%s is not a run folder: it has no config.yaml", run->folder);
        sr_run_close(run);
    }
    if (status == SR_OK)
        sr_temporary_sweep_names(run->folder, sr_run_files, SR_RUN_FILES);
    return status;
}

void sr_run_close(struct sr_run *run) {
    if (run->lock >= 0)
        close(run->lock);
    run->lock = -1;
}

const char *sr_run_file(const struct sr_run *run, const char *name, char path[SR_RUN_PATH]) {
    snprintf(path, SR_RUN_PATH, "%.*s/%s", SR_RUN_PATH - 64, run->folder, name);
    return path;
}

bool sr_run_unsaved(const struct sr_run *run) {
    char path[SR_RUN_PATH];
    struct stat st;
    return lstat(sr_run_file(run, "checkpoint.safetensors", path), &st) < 0 && errno == ENOENT &&
           lstat(sr_run_file(run, "metrics.csv", path), &st) < 0 && errno == ENOENT;
}

int sr_run_write(const struct sr_run *run, const char *name, const void *bytes, size_t size,
                 struct sr_error *err) {
    char path[SR_RUN_PATH];
    void *there;
    size_t length;
    const int status =
        sr_file_read_regular(&there, &length, sr_run_file(run, name, path), "a file of a run", size, err);
    if (status < 0 && status != SR_NOINPUT && status != SR_DATA) /* SR_DATA: it is longer */
        return status;
    const bool same = status == SR_OK && length == size && memcmp(there, bytes, size) == 0;
    if (status == SR_OK)
        sr_free(there);
    return same ? SR_OK : sr_atomic_file_write(path, bytes, size, err);
}

int sr_run_timing(const struct sr_run *run, long long epoch, double seconds, double rows_per_second,
                  double waited, struct sr_error *err) {
    char path[SR_RUN_PATH], line[256];
    const int fd = sr_stream_descriptor(sr_run_file(run, "timing.csv", path),
                                        O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK, 0666);
    if (fd < 0)
        return sr_fail(err, SR_IO, "cannot write %s: %s", path, strerror(errno));
    const off_t before = lseek(fd, 0, SEEK_END);
    const int n = snprintf(line, sizeof line, "%s%lld,%.3f,%.0f,%.4f\n",
                           before == 0 ? "epoch,train_seconds,rows_per_second,waited_for_data\n" : "", epoch,
                           seconds, rows_per_second, waited);
    int why = sr_stream_put(fd, line, (size_t)n) ? 0 : errno;
    if (why && before >= 0) /* no half of a line for the next to follow */
        why = ftruncate(fd, before) < 0 ? errno : why;
    if (close(fd) < 0 && errno != EINTR && !why)
        why = errno;
    return why ? sr_fail(err, SR_IO, "cannot write %s: %s", path, strerror(why)) : SR_OK;
}
