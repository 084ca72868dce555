/* isolate_client.c: what h5.h offers, asked of a reader. See isolate.h.
 *
 * Sizes are the caller's own or bounded before memory is taken, and copied out of the window before they are
 * looked at. What a dataset is said to be is asked once and kept: whoever plans memory by one answer must not
 * get another one later.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/isolate_client.h"
#include "nn/base/sizes.h"

static struct sr_channel *channel; /* of files opened from now on */

/* ---- requests ---- */

/* SR_DATA: no file has a name as long as that. */
int sr_away_request(struct sr_isolate_request *q, enum sr_isolate_op op, const struct sr_h5 *f,
                    const char *object, const char *name, struct sr_error *err) {
    *q = (struct sr_isolate_request){.op = (uint32_t)op, .number = sr_away_of(f)->number};
    const bool fits = strlen(object) < sizeof q->object && strlen(name) < sizeof q->name;
    if (!fits)
        return sr_fail(err, SR_DATA, "%s: a name of %zu bytes is too long for --isolate", f->path,
                       strlen(object) + strlen(name));
    memcpy(q->object, object, strlen(object));
    memcpy(q->name, name, strlen(name));
    return 0;
}

int sr_away_ask(const struct sr_h5 *f, const struct sr_isolate_request *q, sr_channel_take *take, void *user,
                uint64_t *number, struct sr_error *err) {
    return sr_channel_ask(sr_away_of(f)->channel, q, f->path, -1, take, user, number, err);
}

/* ---- opening and closing ---- */

void sr_isolate_use(struct sr_channel *c) {
    channel = c;
}

bool sr_isolate_running(void) {
    return channel != NULL;
}

static int open_file(const char *path, struct sr_away *a, struct sr_error *err) {
    struct stat st;
    int status = sr_h5_check_path(path, err);
    if (status < 0)
        return status;
    const int file = sr_stream_descriptor(path, O_RDONLY, 0);
    if (file < 0 || fstat(file, &st) < 0) {
        status = sr_fail(err, SR_NOINPUT, "%s: %s", path, strerror(errno));
        if (file >= 0)
            close(file);
        return status;
    }
    const uint64_t blocks = sr_size_times((uint64_t)st.st_blocks, 512);
    a->size = (uint64_t)st.st_size;
    a->stored = blocks < a->size ? blocks : a->size;
    return file;
}

/* What a reader may take for an answer grows with what it has open. */
static void count_stored(struct sr_channel *c, uint64_t bytes, bool opened) {
    pthread_mutex_lock(&c->mutex);
    c->files = opened ? c->files + bytes : c->files - bytes;
    pthread_mutex_unlock(&c->mutex);
}

/* Hands the file over. It may be another one by now than the one that was looked at: a device, a pipe. */
static int hand_over(struct sr_away *a, const char *path, struct sr_error *err) {
    struct sr_isolate_request q;
    uint64_t number = 0;
    int status = sr_away_request(&q, SR_ISOLATE_OPEN, &a->base, "", path, err);
    const int file = status < 0 ? status : open_file(path, a, err);
    if (file < 0)
        return file;
    count_stored(a->channel, a->stored, true);
    status = sr_channel_ask(a->channel, &q, path, file, NULL, NULL, &number, err);
    close(file);
    a->number = (uint32_t)number; /* any: the reader is to know it again, nobody else */
    return status;
}

static void free_file(struct sr_away *a) {
    count_stored(a->channel, a->stored, false);
    for (struct sr_known *k = a->known, *next; k; k = next) {
        next = k->next;
        sr_free(k->name);
        sr_free(k);
    }
    sr_free(a->base.path);
    sr_free(a);
}

static bool has_failed(struct sr_channel *c) {
    pthread_mutex_lock(&c->mutex);
    const bool failed = c->failed;
    pthread_mutex_unlock(&c->mutex);
    return failed;
}

/* That there is no reader any more is told elsewhere. */
static int away_close(struct sr_h5 *f, struct sr_error *err) {
    struct sr_isolate_request q;
    struct sr_error why = {0};
    sr_away_request(&q, SR_ISOLATE_CLOSE, f, "", "", NULL);
    const int status =
        has_failed(sr_away_of(f)->channel) ? 0 : sr_away_ask(f, &q, NULL, NULL, NULL, err ? err : &why);
    if (status < 0 && !err)
        sr_error_note(status, "%s", why.text);
    free_file((struct sr_away *)f);
    return status;
}

static int away_check(const struct sr_h5 *f, struct sr_error *err) {
    struct sr_isolate_request q;
    sr_away_request(&q, SR_ISOLATE_CHECK, f, "", "", NULL);
    return sr_away_ask(f, &q, NULL, NULL, NULL, err);
}

static uint64_t away_bytes(const struct sr_h5 *f) {
    return sr_away_of(f)->size;
}

/* ---- what is in a file ---- */

/* What cannot fail says no; away_check tells that from a no. */
static bool ask_whether(const struct sr_h5 *f, enum sr_isolate_op op, const char *object, const char *name) {
    struct sr_isolate_request q;
    uint64_t yes = 0;
    return sr_away_request(&q, op, f, object, name, NULL) == 0 &&
           sr_away_ask(f, &q, NULL, NULL, &yes, NULL) == 0 && yes == 1;
}

static bool away_has(const struct sr_h5 *f, const char *name) {
    return ask_whether(f, SR_ISOLATE_HAS, "", name);
}

static bool away_has_attribute(const struct sr_h5 *f, const char *object, const char *name) {
    return ask_whether(f, SR_ISOLATE_HAS_ATTRIBUTE, object, name);
}

/* Memory is taken by what a shape says before its values come. No reader of ours lets a dataset claim more
 * than its file may hold, packed. */
static bool may_hold(const struct sr_h5_info *info, uint64_t size) {
    uint64_t bytes;
    return info->kind == SR_H5_OTHER ||
           (sr_size_product(&bytes, info->size, info->shape, SR_H5_RANK) && !sr_h5_is_bomb(bytes, size));
}

static bool info_from(struct sr_h5_info *info, const struct sr_isolate_info *said, uint64_t size) {
    *info = (struct sr_h5_info){.size = (size_t)said->size, .rank = said->rank};
    memcpy(info->shape, said->shape, sizeof info->shape);
    bool fine = said->kind >= SR_H5_HALF && said->kind <= SR_H5_OTHER && said->size > 0 &&
                said->size <= SIZE_MAX / 2 && said->rank >= 0 && said->rank <= 32;
    for (int i = said->rank; fine && i < SR_H5_RANK; i++)
        fine = said->shape[i] == 1;
    if (fine)
        info->kind = (enum sr_h5_kind)said->kind;
    return fine && may_hold(info, size) && sr_take_text(info->type, said->type, sizeof info->type);
}

static int ask_info(const struct sr_h5 *f, const char *name, struct sr_h5_info *info, struct sr_error *err) {
    struct sr_isolate_request q;
    struct sr_isolate_info said;
    int status = sr_away_request(&q, SR_ISOLATE_INFO, f, "", name, err);
    if (status == 0)
        status = sr_away_exact(f, &q, &said, sizeof said, NULL, err);
    if (status == 0 && !info_from(info, &said, sr_away_of(f)->size))
        status = sr_channel_nonsense(sr_away_of(f)->channel, f->path, err);
    return status;
}

/* The list of what is known is not the file's content: the file stays as it is. */
static int keep_known(const struct sr_h5 *f, const char *name, const struct sr_h5_info *info,
                      struct sr_error *err) {
    union {
        const struct sr_h5 *file;
        struct sr_away *away;
    } mutable = {.file = f};
    struct sr_known *k = sr_alloc(1, sizeof *k, err);
    if (k)
        k->name = sr_strdup(name, err);
    if (!k || !k->name) {
        sr_free(k);
        return SR_NOMEM;
    }
    k->info = *info;
    k->next = mutable.away->known;
    mutable.away->known = k;
    return 0;
}

int sr_away_info(const struct sr_h5 *f, const char *name, struct sr_h5_info *info, struct sr_error *err) {
    for (const struct sr_known *k = sr_away_of(f)->known; k; k = k->next)
        if (strcmp(k->name, name) == 0) {
            *info = k->info;
            return 0;
        }
    const int status = ask_info(f, name, info, err);
    return status < 0 ? status : keep_known(f, name, info, err);
}

static bool storage_from(struct sr_h5_storage *s, const struct sr_isolate_storage *said) {
    *s = (struct sr_h5_storage){.packed = said->packed != 0,
                                .filtered = said->filtered != 0,
                                .bytes = said->bytes,
                                .unwritten = said->unwritten,
                                .pieces = said->pieces};
    memcpy(s->chunk, said->chunk, sizeof s->chunk);
    if (said->kind < SR_H5_ONE_PIECE || said->kind > SR_H5_CHUNKS)
        return false;
    s->kind = (enum sr_h5_layout_kind)said->kind;
    for (int i = 0; i < SR_H5_RANK; i++)
        if (s->kind == SR_H5_CHUNKS && (s->chunk[i] == 0 || s->chunk[i] > UINT32_MAX)) /* HDF5's limit */
            return false;
    return sr_take_text(s->filters, said->filters, sizeof s->filters);
}

static int away_storage(const struct sr_h5 *f, const char *name, struct sr_h5_storage *s,
                        struct sr_error *err) {
    struct sr_isolate_request q;
    struct sr_isolate_storage said;
    int status = sr_away_request(&q, SR_ISOLATE_STORAGE, f, "", name, err);
    if (status == 0)
        status = sr_away_exact(f, &q, &said, sizeof said, NULL, err);
    if (status == 0 && !storage_from(s, &said))
        status = sr_channel_nonsense(sr_away_of(f)->channel, f->path, err);
    return status;
}

static void away_list(const struct sr_h5 *f, char *text, size_t size) {
    struct sr_exact x = {
        .channel = sr_away_of(f)->channel, .path = f->path, .to = (unsigned char *)text, .size = size};
    struct sr_isolate_request q;
    sr_away_request(&q, SR_ISOLATE_LIST, f, "", "", NULL);
    q.size = size;
    if (sr_away_ask(f, &q, sr_take_exact, &x, NULL, NULL) == 0 && x.used > 0 && text[x.used - 1] == '\0')
        sr_utf8_clean(text, size, text);
    else
        snprintf(text, size, "nothing");
}

const struct sr_h5_ways sr_h5_away = {
    .close = away_close,
    .check = away_check,
    .bytes = away_bytes,
    .has = away_has,
    .info = sr_away_info,
    .storage = away_storage,
    .list = away_list,
    .read_integers = sr_away_read_integers,
    .read_doubles = sr_away_read_doubles,
    .each_double = sr_away_each_double,
    .read_texts = sr_away_read_texts,
    .has_attribute = away_has_attribute,
    .attribute = sr_away_attribute,
    .attribute_list = sr_away_attribute_list,
    .matrix_open = sr_away_matrix_open,
    .matrix_close = sr_away_matrix_close,
    .matrix_forget = sr_away_matrix_forget,
    .matrix_read = sr_away_matrix_read,
    .matrix_way = sr_away_matrix_way,
    .matrix_through_hdf5 = sr_away_matrix_through_hdf5,
};

int sr_isolate_open(struct sr_h5 **out, const char *path, struct sr_error *err) {
    struct sr_away *a = sr_alloc(1, sizeof *a, err);
    if (!a)
        return SR_NOMEM;
    a->base.ways = &sr_h5_away;
    a->base.id = -1;
    a->channel = channel;
    a->base.path = sr_strdup(path, err);
    const int status = a->base.path ? hand_over(a, path, err) : SR_NOMEM;
    if (status < 0)
        free_file(a);
    else
        *out = &a->base;
    return status;
}
