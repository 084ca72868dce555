/* identity.c: a run's identity: made, written into data.json, compared with that of now; see identity.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "nn/nn.h"
#include "train/identity.h"

#define DATA_JSON     "data.json"
#define DATA_JSON_MAX ((size_t)64 << 20) /* bytes of one that is read */

void sr_identity_make(struct sr_identity *id, const struct sr_feed *feed, const struct sr_config *c,
                      const char *parent) {
    *id = (struct sr_identity){0};
    snprintf(id->train_id, sizeof id->train_id, "%s", feed->train_scan.data_id);
    snprintf(id->val_id, sizeof id->val_id, "%s", sr_feed_val_id(feed));
    sr_feed_rows_hash(feed, c->train_weight.n > 0, id->rows);
    snprintf(id->parent, sizeof id->parent, "%s", parent);
    snprintf(id->products, sizeof id->products, "%s", sr_matmul_bits());
}

/* ---- data.json ---- */

int sr_identity_keep(const struct sr_identity *id, const struct sr_feed *feed, const struct sr_run *run,
                     struct sr_error *err) {
    char path[SR_RUN_PATH];
    if (access(sr_run_file(run, DATA_JSON, path), F_OK) == 0)
        return SR_OK;
    struct sr_json *o = sr_feed_json(feed), *identity = sr_json_object();
#define X(field, complaint) sr_json_set(identity, #field, sr_json_string(id->field));
    SR_IDENTITY_LIST(X)
#undef X
    sr_json_set(o, "identity", identity);
    char *text = sr_json_text(o, 1, err);
    sr_json_free(o);
    const int status = text ? sr_atomic_file_write(path, text, strlen(text), err) : SR_NOMEM;
    sr_free(text);
    return status;
}

int sr_identity_agree(const struct sr_identity *now, const struct sr_run *run, struct sr_error *err) {
    char path[SR_RUN_PATH];
    void *text;
    size_t size;
    struct sr_error why = {0};
    if (access(sr_run_file(run, DATA_JSON, path), F_OK) != 0 && errno == ENOENT)
        return SR_OK;
    int status = sr_file_read_regular(&text, &size, path, "a run's data.json", DATA_JSON_MAX, &why);
    if (status < 0) /* SR_NOINPUT is left to the data: this is there, and no file */
        return sr_fail(err, status == SR_NOINPUT ? SR_IO : status, "%s", why.text);
    status = sr_identity_check_json(now, text, size, path, err);
    sr_free(text);
    return status;
}

/* ---- then and now ---- */

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
