/* staged.c: see staged.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "nn/base/atomic_file.h"
#include "nn/base/path.h"
#include "nn/base/staged.h"
#include "nn/base/temporary.h"

int sr_staged_open(struct sr_staged *s, const char *target, struct sr_error *err) {
    *s = (struct sr_staged){.target = target, .lock = -1};
    const int status = sr_temporary_folder(&s->folder, &s->lock, target, 0700, err);
    if (status < 0)
        return status;
    const int length = snprintf(s->path, sizeof s->path, "%s/%s", s->folder, sr_path_name(target));
    return length < (int)sizeof s->path ? SR_OK : sr_fail(err, SR_USAGE, "%s: the path is too long", target);
}

int sr_staged_name(struct sr_staged *s, struct sr_error *err) {
    return sr_rename_new(s->path, s->target, err);
}

int sr_staged_close(struct sr_staged *s, int status, struct sr_error *err) {
    if (status < 0 && s->folder)
        sr_error_rename(err, s->path, s->target);
    sr_temporary_folder_end(s->folder, s->lock);
    s->folder = NULL;
    return status;
}
