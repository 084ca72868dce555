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

#include "data/h5_ways.h"
#include "data/isolate.h"
#include "nn/base/sizes.h"

static struct sr_channel *channel; /* of files opened from now on */

struct known {
    char *name;
    struct sr_h5_info info;
    struct known *next;
};

/* A file that the reader has open. */
struct away {
    struct sr_h5 base; /* first */
    struct sr_channel *channel;
    uint32_t number;
    uint64_t size; /* bytes of the file */
    struct known *known;
};

struct away_matrix {
    struct sr_h5_matrix base; /* first */
    struct sr_channel *channel;
    char *path;
    uint32_t number;
    size_t width;
    enum sr_feature stored;
    char way[32];
};

static const struct away *away_of(const struct sr_h5 *f) {
    return (const struct away *)f;
}

/* ---- requests ---- */

/* SR_DATA: no file has a name as long as that. */
static int fill(struct sr_isolate_request *q, enum sr_isolate_op op, const struct sr_h5 *f,
                const char *object, const char *name, struct sr_error *err) {
    *q = (struct sr_isolate_request){.op = (uint32_t)op, .number = away_of(f)->number};
    const bool fits = strlen(object) < sizeof q->object && strlen(name) < sizeof q->name;
    if (!fits)
        return sr_fail(err, SR_DATA, "%s: a name of %zu bytes is too long for --isolate", f->path,
                       strlen(object) + strlen(name));
    strcpy(q->object, object);
    strcpy(q->name, name);
    return 0;
}

static int ask(const struct sr_h5 *f, const struct sr_isolate_request *q, sr_channel_take *take, void *user,
               uint64_t *number, struct sr_error *err) {
    return sr_channel_ask(away_of(f)->channel, q, f->path, -1, take, user, number, err);
}

/* ---- what comes ---- */

/* Exactly `size` bytes. */
struct exact {
    struct sr_channel *channel;
    const char *path;
    unsigned char *to;
    size_t size, used;
};

static int take_exact(void *user, const void *bytes, size_t n, struct sr_error *err) {
    struct exact *x = user;
    if (n > x->size - x->used)
        return sr_channel_nonsense(x->channel, x->path, err);
    memcpy(x->to + x->used, bytes, n);
    x->used += n;
    return 0;
}

static int ask_exact(const struct sr_h5 *f, const struct sr_isolate_request *q, void *to, size_t size,
                     uint64_t *number, struct sr_error *err) {
    struct exact x = {.channel = away_of(f)->channel, .path = f->path, .to = to, .size = size};
    const int status = ask(f, q, take_exact, &x, number, err);
    return status == 0 && x.used != size ? sr_channel_nonsense(x.channel, f->path, err) : status;
}

/* As many as come, but no more than the channel's most. */
struct growing {
    struct sr_channel *channel;
    const char *path;
    char *bytes;
    size_t room, used;
};

static int take_growing(void *user, const void *bytes, size_t n, struct sr_error *err) {
    struct growing *g = user;
    if (n > g->channel->most - g->used)
        return sr_channel_nonsense(g->channel, g->path, err);
    if (n > g->room - g->used) {
        const size_t room = 2 * g->used + n; /* both are below `most` */
        char *bigger = sr_realloc(g->bytes, g->used, room, err);
        if (!bigger)
            return SR_NOMEM;
        g->bytes = bigger;
        g->room = room;
    }
    memcpy(g->bytes + g->used, bytes, n);
    g->used += n;
    return 0;
}

/* n texts, one behind the other, become *out: one block, free with sr_free. An extra NULL behind them. */
static int spread(char ***out, const struct growing *g, size_t n, struct sr_error *err) {
    uint64_t bytes;
    if (n > g->used || !sr_size_mul(&bytes, n + 1, sizeof **out) || !sr_size_add(&bytes, bytes, g->used) ||
        (g->used > 0 && g->bytes[g->used - 1] != '\0'))
        return sr_channel_nonsense(g->channel, g->path, err);
    char **texts = sr_alloc(bytes, 1, err);
    if (!texts)
        return SR_NOMEM;
    char *at = (char *)(texts + n + 1), *end = at + g->used;
    if (g->used > 0)
        memcpy(at, g->bytes, g->used);
    size_t i = 0;
    for (; i < n && at < end; i++) {
        texts[i] = at;
        at += strlen(at) + 1;
    }
    if (i < n || at != end) {
        sr_free(texts);
        return sr_channel_nonsense(g->channel, g->path, err);
    }
    *out = texts;
    return 0;
}

static struct growing growing_of(const struct sr_h5 *f) {
    return (struct growing){.channel = away_of(f)->channel, .path = f->path};
}

/* ---- opening and closing ---- */

void sr_isolate_use(struct sr_channel *c) {
    channel = c;
}

bool sr_isolate_running(void) {
    return channel != NULL;
}

static int open_file(const char *path, uint64_t *size, struct sr_error *err) {
    struct stat st;
    int status = sr_h5_check_path(path, err);
    if (status < 0)
        return status;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &st) < 0) {
        status = sr_fail(err, SR_NOINPUT, "%s: %s", path, strerror(errno));
        if (file >= 0)
            close(file);
        return status;
    }
    *size = (uint64_t)st.st_size;
    return file;
}

/* Hands the file over. It may be another one by now than the one that was looked at: a device, a pipe. */
static int hand_over(struct away *a, const char *path, struct sr_error *err) {
    struct sr_isolate_request q;
    uint64_t number = 0;
    int status = fill(&q, SR_ISOLATE_OPEN, &a->base, "", path, err);
    const int file = status < 0 ? status : open_file(path, &a->size, err);
    if (file < 0)
        return file;
    pthread_mutex_lock(&a->channel->mutex);
    a->channel->files += a->size;
    pthread_mutex_unlock(&a->channel->mutex);
    status = sr_channel_ask(a->channel, &q, path, file, NULL, NULL, &number, err);
    close(file);
    a->number = (uint32_t)number; /* any: the reader is to know it again, nobody else */
    return status;
}

static void free_file(struct away *a) {
    for (struct known *k = a->known, *next; k; k = next) {
        next = k->next;
        sr_free(k->name);
        sr_free(k);
    }
    sr_free(a->base.path);
    sr_free(a);
}

static int away_close(struct sr_h5 *f, struct sr_error *err) {
    struct sr_isolate_request q;
    fill(&q, SR_ISOLATE_CLOSE, f, "", "", NULL);
    (void)err;
    ask(f, &q, NULL, NULL, NULL, NULL); /* nothing was written that could be lost */
    free_file((struct away *)f);
    return 0;
}

static int away_check(const struct sr_h5 *f, struct sr_error *err) {
    struct sr_channel *c = away_of(f)->channel;
    pthread_mutex_lock(&c->mutex);
    const bool failed = c->failed;
    c->told = c->told || (failed && err);
    pthread_mutex_unlock(&c->mutex);
    return failed ? sr_fail(err, c->why.status, "%s", c->why.text) : 0;
}

/* ---- what is in a file ---- */

/* What cannot fail says no; away_check tells that from a no. */
static bool ask_whether(const struct sr_h5 *f, enum sr_isolate_op op, const char *object, const char *name) {
    struct sr_isolate_request q;
    uint64_t yes = 0;
    return fill(&q, op, f, object, name, NULL) == 0 && ask(f, &q, NULL, NULL, &yes, NULL) == 0 && yes == 1;
}

static bool away_has(const struct sr_h5 *f, const char *name) {
    return ask_whether(f, SR_ISOLATE_HAS, "", name);
}

static bool away_has_attribute(const struct sr_h5 *f, const char *object, const char *name) {
    return ask_whether(f, SR_ISOLATE_HAS_ATTRIBUTE, object, name);
}

/* A text of an answer into one of ours. False if it has no end. */
static bool take_text(char *to, const char *from, size_t size) {
    if (!memchr(from, '\0', size))
        return false;
    sr_utf8_clean(to, size, from);
    return true;
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
    return fine && may_hold(info, size) && take_text(info->type, said->type, sizeof info->type);
}

static int ask_info(const struct sr_h5 *f, const char *name, struct sr_h5_info *info, struct sr_error *err) {
    struct sr_isolate_request q;
    struct sr_isolate_info said;
    int status = fill(&q, SR_ISOLATE_INFO, f, "", name, err);
    if (status == 0)
        status = ask_exact(f, &q, &said, sizeof said, NULL, err);
    if (status == 0 && !info_from(info, &said, away_of(f)->size))
        status = sr_channel_nonsense(away_of(f)->channel, f->path, err);
    return status;
}

/* The list of what is known is not the file's content: the file stays as it is. */
static int keep_known(const struct sr_h5 *f, const char *name, const struct sr_h5_info *info,
                      struct sr_error *err) {
    union {
        const struct sr_h5 *file;
        struct away *away;
    } mutable = {.file = f};
    struct known *k = sr_alloc(1, sizeof *k, err);
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

static int away_info(const struct sr_h5 *f, const char *name, struct sr_h5_info *info, struct sr_error *err) {
    for (const struct known *k = away_of(f)->known; k; k = k->next)
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
    return take_text(s->filters, said->filters, sizeof s->filters);
}

static int away_storage(const struct sr_h5 *f, const char *name, struct sr_h5_storage *s,
                        struct sr_error *err) {
    struct sr_isolate_request q;
    struct sr_isolate_storage said;
    int status = fill(&q, SR_ISOLATE_STORAGE, f, "", name, err);
    if (status == 0)
        status = ask_exact(f, &q, &said, sizeof said, NULL, err);
    if (status == 0 && !storage_from(s, &said))
        status = sr_channel_nonsense(away_of(f)->channel, f->path, err);
    return status;
}

static void away_list(const struct sr_h5 *f, char *text, size_t size) {
    struct sr_isolate_request q;
    snprintf(text, size, "nothing");
    if (fill(&q, SR_ISOLATE_LIST, f, "", "", NULL) < 0 || size == 0)
        return;
    struct growing g = growing_of(f);
    q.size = size;
    if (ask(f, &q, take_growing, &g, NULL, NULL) == 0 && g.used > 0 && g.bytes[g.used - 1] == '\0')
        sr_utf8_clean(text, size, g.bytes);
    sr_free(g.bytes);
}

/* ---- columns ---- */

static int ask_column(const struct sr_h5 *f, enum sr_isolate_op op, const char *name, void *out, size_t rows,
                      size_t each, struct sr_error *err) {
    struct sr_isolate_request q;
    uint64_t bytes = 0;
    int status = fill(&q, op, f, "", name, err);
    if (status == 0 && !sr_size_mul(&bytes, rows, each))
        status = sr_fail(err, SR_DATA, "%s: /%s has more rows than memory can hold", f->path, name);
    q.rows = rows;
    return status < 0 ? status : ask_exact(f, &q, out, bytes, NULL, err);
}

static int away_read_integers(const struct sr_h5 *f, const char *name, int64_t *out, size_t rows,
                              struct sr_error *err) {
    return ask_column(f, SR_ISOLATE_INTEGERS, name, out, rows, sizeof *out, err);
}

static int away_read_doubles(const struct sr_h5 *f, const char *name, double *out, size_t rows,
                             struct sr_error *err) {
    return ask_column(f, SR_ISOLATE_DOUBLES, name, out, rows, sizeof *out, err);
}

/* Doubles on their way to the caller. */
struct passing {
    struct sr_channel *channel;
    const char *path;
    double *values; /* [SR_ISOLATE_WINDOW / sizeof(double)] */
    uint64_t left;
    int (*take)(void *user, const double *values, size_t n, struct sr_error *err);
    void *user;
};

static int take_passing(void *user, const void *bytes, size_t n, struct sr_error *err) {
    struct passing *p = user;
    if (n % sizeof *p->values != 0 || n / sizeof *p->values > p->left)
        return sr_channel_nonsense(p->channel, p->path, err);
    memcpy(p->values, bytes, n);
    p->left -= n / sizeof *p->values;
    return p->take(p->user, p->values, n / sizeof *p->values, err);
}

static int away_each_double(const struct sr_h5 *f, const char *name,
                            int (*take)(void *user, const double *values, size_t n, struct sr_error *err),
                            void *user, struct sr_error *err) {
    struct sr_isolate_request q;
    struct sr_h5_info info;
    int status = fill(&q, SR_ISOLATE_EACH_DOUBLE, f, "", name, err);
    if (status == 0)
        status = away_info(f, name, &info, err);
    if (status < 0)
        return status;
    struct passing p = {
        .channel = away_of(f)->channel, .path = f->path, .left = info.shape[0], .take = take, .user = user};
    p.values = sr_alloc(SR_ISOLATE_WINDOW, 1, err);
    status = p.values ? ask(f, &q, take_passing, &p, NULL, err) : SR_NOMEM;
    if (status == 0 && p.left > 0)
        status = sr_channel_nonsense(p.channel, f->path, err);
    sr_free(p.values);
    return status;
}

/* ---- texts ---- */

static int away_read_texts(const struct sr_h5 *f, const char *name, char ***out, size_t rows,
                           struct sr_error *err) {
    struct sr_isolate_request q;
    struct growing g = growing_of(f);
    *out = NULL;
    int status = fill(&q, SR_ISOLATE_TEXTS, f, "", name, err);
    q.rows = rows;
    if (status == 0)
        status = ask(f, &q, take_growing, &g, NULL, err);
    if (status == 0)
        status = spread(out, &g, rows, err);
    sr_free(g.bytes);
    return status;
}

static int away_attribute(const struct sr_h5 *f, const char *object, const char *name, char **value,
                          struct sr_error *err) {
    struct sr_isolate_request q;
    struct growing g = growing_of(f);
    uint64_t there = 0;
    char **texts = NULL;
    *value = NULL;
    int status = fill(&q, SR_ISOLATE_ATTRIBUTE, f, object, name, err);
    if (status == 0)
        status = ask(f, &q, take_growing, &g, &there, err);
    if (status == 0)
        status = spread(&texts, &g, there ? 1 : 0, err);
    if (status == 0 && there && !(*value = sr_strdup(texts[0], err)))
        status = SR_NOMEM;
    sr_free(texts);
    sr_free(g.bytes);
    return status;
}

static int away_attribute_list(const struct sr_h5 *f, const char *object, const char *name, char ***values,
                               size_t *n, struct sr_error *err) {
    struct sr_isolate_request q;
    struct growing g = growing_of(f);
    uint64_t texts = 0;
    *values = NULL;
    *n = 0;
    int status = fill(&q, SR_ISOLATE_ATTRIBUTE_LIST, f, object, name, err);
    if (status == 0)
        status = ask(f, &q, take_growing, &g, &texts, err);
    if (status == 0 && texts > 0 && (status = spread(values, &g, texts, err)) == 0)
        *n = texts;
    sr_free(g.bytes);
    return status;
}

/* ---- features ---- */

static int ask_matrix(const struct away_matrix *m, enum sr_isolate_op op, struct sr_isolate_request *q,
                      sr_channel_take *take, void *user, struct sr_error *err) {
    q->op = (uint32_t)op;
    q->number = m->number;
    return sr_channel_ask(m->channel, q, m->path, -1, take, user, NULL, err);
}

static void away_matrix_close(struct sr_h5_matrix *base) {
    struct away_matrix *m = (struct away_matrix *)base;
    struct sr_isolate_request q = {0};
    ask_matrix(m, SR_ISOLATE_MATRIX_CLOSE, &q, NULL, NULL, NULL);
    sr_free(m->path);
    sr_free(m);
}

static void away_matrix_forget(struct sr_h5_matrix *base) {
    struct sr_isolate_request q = {0};
    ask_matrix((struct away_matrix *)base, SR_ISOLATE_MATRIX_FORGET, &q, NULL, NULL, NULL);
}

static int open_matrix(struct away_matrix *m, const struct sr_h5 *f, const char *name, struct sr_error *err) {
    struct sr_isolate_request q;
    struct sr_h5_info info;
    struct growing g = growing_of(f);
    uint64_t number = 0;
    int status = away_info(f, name, &info, err);
    if (status == 0 &&
        (info.rank != 2 || info.shape[1] == 0 || info.shape[1] > SR_ISOLATE_WINDOW / sizeof(float)))
        status = sr_fail(err, SR_DATA, "%s: /%s has rows that --isolate cannot read", f->path, name);
    if (status == 0)
        status = fill(&q, SR_ISOLATE_MATRIX_OPEN, f, "", name, err);
    if (status < 0)
        return status;
    q.type = (uint32_t)m->stored;
    m->width = (size_t)info.shape[1];
    status = ask(f, &q, take_growing, &g, &number, err);
    m->number = (uint32_t)number;
    if (status == 0 && (g.used == 0 || g.used > sizeof m->way || !take_text(m->way, g.bytes, g.used)))
        status = sr_channel_nonsense(m->channel, f->path, err);
    sr_free(g.bytes);
    return status;
}

static const struct sr_h5_ways away;

static int away_matrix_open(struct sr_h5_matrix **out, const struct sr_h5 *f, const char *name,
                            enum sr_feature type, struct sr_error *err) {
    struct away_matrix *m = sr_alloc(1, sizeof *m, err);
    if (!m)
        return SR_NOMEM;
    m->base.ways = &away;
    m->channel = away_of(f)->channel;
    m->stored = type;
    m->path = sr_strdup(f->path, err);
    const int status = m->path ? open_matrix(m, f, name, err) : SR_NOMEM;
    if (status < 0) {
        sr_free(m->path);
        sr_free(m);
    } else {
        *out = &m->base;
    }
    return status;
}

static int read_some(const struct away_matrix *m, void *out, size_t bytes, size_t first, size_t rows,
                     enum sr_feature wanted, struct sr_error *err) {
    struct sr_isolate_request q = {.first = first, .rows = rows, .type = (uint32_t)wanted};
    struct exact x = {.channel = m->channel, .path = m->path, .to = out, .size = bytes};
    const int status = ask_matrix(m, SR_ISOLATE_MATRIX_READ, &q, take_exact, &x, err);
    return status == 0 && x.used != bytes ? sr_channel_nonsense(m->channel, m->path, err) : status;
}

/* By as many rows as the window holds. */
static int away_matrix_read(struct sr_h5_matrix *base, void *out, size_t first, size_t rows,
                            enum sr_feature wanted, struct sr_error *err) {
    const struct away_matrix *m = (const struct away_matrix *)base;
    const size_t each = m->width * sr_feature_size(wanted == SR_FEATURE_FLOAT ? wanted : m->stored);
    const size_t most = SR_ISOLATE_WINDOW / each;
    unsigned char *to = out;
    int status = 0;
    for (size_t done = 0; done < rows && status == 0; done += most) {
        const size_t n = rows - done < most ? rows - done : most;
        status = read_some(m, to + done * each, n * each, first + done, n, wanted, err);
    }
    return status;
}

static const char *away_matrix_way(const struct sr_h5_matrix *base) {
    return ((const struct away_matrix *)base)->way;
}

static void away_matrix_through_hdf5(struct sr_h5_matrix *base) {
    struct away_matrix *m = (struct away_matrix *)base;
    struct sr_isolate_request q = {0};
    ask_matrix(m, SR_ISOLATE_MATRIX_THROUGH_HDF5, &q, NULL, NULL, NULL);
    snprintf(m->way, sizeof m->way, "through HDF5");
}

static const struct sr_h5_ways away = {
    .close = away_close,
    .check = away_check,
    .has = away_has,
    .info = away_info,
    .storage = away_storage,
    .list = away_list,
    .read_integers = away_read_integers,
    .read_doubles = away_read_doubles,
    .each_double = away_each_double,
    .read_texts = away_read_texts,
    .has_attribute = away_has_attribute,
    .attribute = away_attribute,
    .attribute_list = away_attribute_list,
    .matrix_open = away_matrix_open,
    .matrix_close = away_matrix_close,
    .matrix_forget = away_matrix_forget,
    .matrix_read = away_matrix_read,
    .matrix_way = away_matrix_way,
    .matrix_through_hdf5 = away_matrix_through_hdf5,
};

int sr_isolate_open(struct sr_h5 **out, const char *path, struct sr_error *err) {
    struct away *a = sr_alloc(1, sizeof *a, err);
    if (!a)
        return SR_NOMEM;
    a->base.ways = &away;
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
