/* rename_all.c: several files get their names, or none does; see rename_all.h.
 *
 * A file that is replaced goes to the name that its successor had, in one step, so that the way back is the
 * same step again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nn/base/atomic_file.h"
#include "nn/base/rename_all.h"

static int move(const char *from, const char *to, unsigned flags) {
    return (int)TEMP_FAILURE_RETRY(renameat2(AT_FDCWD, from, AT_FDCWD, to, flags));
}

/* Old file systems refuse the exchange; where there is no old file there is nothing to exchange. */
static int put(struct sr_renaming *r) {
    r->exchanged = move(r->from, r->to, RENAME_EXCHANGE) == 0;
    if (r->exchanged)
        return 0;
    return errno == ENOENT || errno == EINVAL || errno == ENOSYS ? move(r->from, r->to, 0) : -1;
}

/* What is new below a name that nobody had goes back too. */
static void put_back(const struct sr_renaming *r) {
    if (r->exchanged)
        move(r->from, r->to, RENAME_EXCHANGE);
    else
        move(r->to, r->from, RENAME_NOREPLACE);
}

/* An exchange would take a folder, which a rename refuses; links that lead nowhere and devices are refused as
 * by sr_atomic_file_open. */
static int check_targets(const struct sr_renaming *r, size_t n, struct sr_error *err) {
    struct stat st;
    for (size_t i = 0; i < n; i++)
        if (lstat(r[i].to, &st) == 0 && (stat(r[i].to, &st) < 0 || !S_ISREG(st.st_mode)))
            return sr_fail(err, SR_IO,
                           "cannot replace %s: only a regular file can be replaced, and it is none", r[i].to);
    return SR_OK;
}

int sr_rename_all(struct sr_renaming *r, size_t n, struct sr_error *err) {
    size_t done = 0;
    int status = check_targets(r, n, err);
    if (status < 0)
        return status;
    if (n == 1) { /* nothing could have to go back */
        r->exchanged = false;
        done = move(r->from, r->to, 0) == 0;
    } else {
        while (done < n && put(&r[done]) == 0)
            done++;
    }
    if (done < n) {
        status = sr_fail(err, SR_IO, "cannot replace %s: %s", r[done].to, strerror(errno));
        while (done-- > 0)
            put_back(&r[done]);
        return status;
    }
    for (size_t i = 0; i < n; i++) {
        const int synced = sr_rename_sync(r[i].to, status < 0 ? NULL : err);
        status = status < 0 ? status : synced;
        if (r[i].exchanged)
            unlink(r[i].from);
    }
    return status;
}
