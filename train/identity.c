/* identity.c: the comparison of a run's identity then and now; see identity.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "train/identity.h"

int sr_identity_check(const struct sr_identity *now, const char *(*get)(const void *from, const char *key),
                      const void *from, const char *path, struct sr_error *err) {
    const struct {
        const char *key, *now, *complaint;
    } fields[] = {
#define X(field, complaint) {#field, now->field, complaint},
        SR_IDENTITY_LIST(X)
#undef X
    };
    for (size_t i = 0; i < SR_COUNT(fields); i++) {
        const char *then = get(from, fields[i].key);
        if (!then)
            return sr_fail(
                err, SR_DATA,
                "%s: damaged, it has no \"%s\": put it back from a copy, or train anew with another "
                "--out",
                path, fields[i].key);
        if (strcmp(then, fields[i].now) != 0)
            return sr_fail(err, SR_USAGE, "%s: %s; start a new run with --out", path, fields[i].complaint);
    }
    return SR_OK;
}

static const char *member(const void *from, const char *key) {
    return sr_json_as_string(sr_json_get(from, key));
}

int sr_identity_check_json(const struct sr_identity *now, const char *text, size_t size, const char *path,
                           struct sr_error *err) {
    struct sr_json *o;
    struct sr_error why;
    int status = sr_json_parse(&o, text, size, &why);
    if (status < 0)
        return sr_fail(err, status, "%s: %.300s", path, why.text);
    status = sr_identity_check(now, member, sr_json_get(o, "identity"), path, err);
    sr_json_free(o);
    return status;
}
