/* isolate_matrix.c: features, asked of a reader by as many rows as the window holds. See isolate_client.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "data/isolate_client.h"
#include "nn/base/sizes.h"

struct away_matrix {
    struct sr_h5_matrix base; /* first */
    struct sr_channel *channel;
    char *path;
    uint32_t number;
    size_t width;
    enum sr_feature stored;
    const char *way; /* static */
};

static int ask_matrix(const struct away_matrix *m, enum sr_isolate_op op, struct sr_isolate_request *q,
                      sr_channel_take *take, void *user, struct sr_error *err) {
    q->op = (uint32_t)op;
    q->number = m->number;
    return sr_channel_ask(m->channel, q, m->path, -1, take, user, NULL, err);
}

void sr_away_matrix_close(struct sr_h5_matrix *base) {
    struct away_matrix *m = (struct away_matrix *)base;
    struct sr_isolate_request q = {0};
    ask_matrix(m, SR_ISOLATE_MATRIX_CLOSE, &q, NULL, NULL, NULL);
    sr_free(m->path);
    sr_free(m);
}

void sr_away_matrix_forget(struct sr_h5_matrix *base) {
    struct sr_isolate_request q = {0};
    ask_matrix((struct away_matrix *)base, SR_ISOLATE_MATRIX_FORGET, &q, NULL, NULL, NULL);
}

/* One of ours, for as long as anybody wants it; NULL for any other text. */
static const char *way_of(const struct sr_growing *g) {
    static const char *const ways[] = {SR_H5_IN_ONE_PIECE, SR_H5_BY_CHUNKS, SR_H5_THROUGH_HDF5};
    for (size_t i = 0; i < SR_COUNT(ways); i++)
        if (g->used == strlen(ways[i]) + 1 && memcmp(g->bytes, ways[i], g->used) == 0)
            return ways[i];
    return NULL;
}

static int open_matrix(struct away_matrix *m, const struct sr_h5 *f, const char *name, struct sr_error *err) {
    struct sr_isolate_request q;
    struct sr_h5_info info;
    struct sr_growing g = sr_growing_of(f, sizeof SR_H5_THROUGH_HDF5);
    uint64_t number = 0;
    int status = sr_away_info(f, name, &info, err);
    if (status == 0 &&
        (info.rank != 2 || info.shape[1] == 0 || info.shape[1] > SR_ISOLATE_WINDOW / sizeof(float)))
        status = sr_fail(err, SR_DATA, "%s: /%s has rows that --isolate cannot read", f->path, name);
    if (status == 0)
        status = sr_away_request(&q, SR_ISOLATE_MATRIX_OPEN, f, "", name, err);
    if (status < 0)
        return status;
    q.type = (uint32_t)m->stored;
    m->width = (size_t)info.shape[1];
    status = sr_away_ask(f, &q, sr_take_growing, &g, &number, err);
    m->number = (uint32_t)number;
    if (status == 0 && !(m->way = way_of(&g)))
        status = sr_channel_nonsense(m->channel, f->path, err);
    sr_free(g.bytes);
    return status;
}

int sr_away_matrix_open(struct sr_h5_matrix **out, const struct sr_h5 *f, const char *name,
                        enum sr_feature type, struct sr_error *err) {
    struct away_matrix *m = sr_alloc(1, sizeof *m, err);
    if (!m)
        return SR_NOMEM;
    m->base.ways = &sr_h5_away;
    m->channel = sr_away_of(f)->channel;
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
    struct sr_exact x = {.channel = m->channel, .path = m->path, .to = out, .size = bytes};
    const int status = ask_matrix(m, SR_ISOLATE_MATRIX_READ, &q, sr_take_exact, &x, err);
    return status == 0 && x.used != bytes ? sr_channel_nonsense(m->channel, m->path, err) : status;
}

/* By as many rows as the window holds. */
int sr_away_matrix_read(struct sr_h5_matrix *base, void *out, size_t first, size_t rows,
                        enum sr_feature wanted, struct sr_error *err) {
    const struct away_matrix *m = (const struct away_matrix *)base;
    const size_t each =
        sr_size_times(m->width, sr_feature_size(wanted == SR_FEATURE_FLOAT ? wanted : m->stored));
    const size_t most = SR_ISOLATE_WINDOW / each;
    unsigned char *to = out;
    int status = 0;
    for (size_t done = 0; done < rows && status == 0; done += most) {
        const size_t n = rows - done < most ? rows - done : most;
        status = read_some(m, to + done * each, n * each, first + done, n, wanted, err);
    }
    return status;
}

const char *sr_away_matrix_way(const struct sr_h5_matrix *base) {
    return ((const struct away_matrix *)base)->way;
}

void sr_away_matrix_through_hdf5(struct sr_h5_matrix *base) {
    struct away_matrix *m = (struct away_matrix *)base;
    struct sr_isolate_request q = {0};
    ask_matrix(m, SR_ISOLATE_MATRIX_THROUGH_HDF5, &q, NULL, NULL, NULL);
    m->way = SR_H5_THROUGH_HDF5;
}
