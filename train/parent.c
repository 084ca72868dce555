/* parent.c: the weights that training begins with; see parent.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "infer/infer.h"
#include "train/parent.h"

#define PARENT_BYTES ((size_t)4 << 30) /* no router is larger */

/* Rows of the hidden layers' matrices cls.0.weight, cls.4.weight, ...; the last matrix is not hidden. */
static int widths_list(char *text, size_t size, const struct sr_safetensors *file, struct sr_error *err) {
    const struct sr_tensor *before = NULL, *w;
    char key[SR_TENSOR_NAME];
    size_t used = 0;
    text[0] = '\0';
    for (size_t l = 0;; l += 4) {
        snprintf(key, sizeof key, "cls.%zu.weight", l);
        w = sr_safetensors_find(file, key);
        if (!w)
            return SR_OK;
        if (before)
            used += (size_t)snprintf(text + used, size - used, "%s%llu", used ? "," : "",
                                     (unsigned long long)before->shape[0]);
        if (used >= size)
            return sr_fail(err, SR_DATA, "a router with too many hidden layers");
        before = w;
    }
}

int sr_parent_hidden(char *text, size_t size, const char *path, struct sr_error *err) {
    struct sr_router *router;
    struct sr_safetensors *file;
    int status = sr_router_open(&router, path, err); /* the most thorough check there is */
    if (status < 0)
        return status;
    sr_router_close(router);
    status = sr_safetensors_open(&file, path, err);
    if (status < 0)
        return status;
    status = widths_list(text, size, file, err);
    sr_safetensors_close(file);
    return status;
}

int sr_parent_fits(const char *path, size_t width, struct sr_error *err) {
    struct sr_router *router;
    int status = sr_router_open(&router, path, err);
    if (status < 0)
        return status;
    if (sr_router_width(router) != width)
        status = sr_fail(err, SR_DATA,
                         "--init %s reads %zu features a row, but the training data has %zu: they are of "
                         "different guards or layers",
                         path, sr_router_width(router), width);
    sr_router_close(router);
    return status;
}

int sr_parent_hash(char hex[65], const char *path, struct sr_error *err) {
    struct sr_safetensors *file;
    const int status = sr_safetensors_open(&file, path, err);
    if (status < 0)
        return status;
    snprintf(hex, 65, "%s", sr_safetensors_hash(file));
    sr_safetensors_close(file);
    return SR_OK;
}

int sr_parent_same(const struct sr_run *run, const char *now, struct sr_error *err) {
    char path[SR_RUN_PATH], kept[65], given[65];
    if (access(now, F_OK) != 0 || access(sr_run_file(run, SR_PARENT_FILE, path), F_OK) != 0)
        return SR_OK;
    int status = sr_parent_hash(kept, path, err);
    if (status == SR_OK)
        status = sr_parent_hash(given, now, err);
    if (status == SR_OK && strcmp(kept, given) != 0)
        status =
            sr_fail(err, SR_USAGE,
                    "%s was begun with other weights than %s holds now: finish it with --resume %s, or give "
                    "another --out",
                    run->folder, now, run->folder);
    return status;
}

const char *sr_parent_path(const struct sr_run *run, const char *from, char path[SR_RUN_PATH]) {
    if (run->lock < 0 || access(sr_run_file(run, SR_PARENT_FILE, path), F_OK) != 0)
        snprintf(path, SR_RUN_PATH, "%s", from);
    return path;
}

int sr_parent_keep(const struct sr_run *run, const char *from, const char *hash, struct sr_error *err) {
    char path[SR_RUN_PATH], kept[65];
    const bool there = access(sr_run_file(run, SR_PARENT_FILE, path), F_OK) == 0;
    int status = there ? SR_OK : sr_file_copy(path, from, PARENT_BYTES, err);
    if (status < 0)
        return status;
    status = sr_parent_hash(kept, path, err);
    const bool other = status == SR_OK && strcmp(kept, hash) != 0;
    if (!there && (other || status == SR_DATA))
        return sr_fail(
            err, SR_DATA,
            "%s changed while it was copied into the run folder: begin again once it stays as it is", from);
    return other ? sr_fail(err, SR_USAGE,
                           "%s: these are not the weights that this run began with: put them back, or start "
                           "a new run with --out",
                           path)
                 : status;
}

int sr_parent_open(struct sr_safetensors **out, const struct sr_run *run, struct sr_error *err) {
    char path[SR_RUN_PATH];
    return sr_safetensors_open(out, sr_run_file(run, SR_PARENT_FILE, path), err);
}
