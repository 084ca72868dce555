/* isolate_reader.c: the reader's loop: a request in, HDF5, an answer out. See isolate.h.
 *
 * Nobody trusts it. It has one thread and no limits of its own: what a hostile file makes of it is the other
 * side's matter. Requests are held against the file all the same, for their numbers were answers once.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "data/h5_ways.h"
#include "data/isolate.h"
#include "nn/base/sizes.h"

struct read_matrix {
    struct sr_h5_matrix *of; /* NULL: closed */
    uint64_t rows, width;
    enum sr_feature stored;
};

struct reader {
    int socket;
    unsigned char *window;
    struct sr_h5 **file;
    struct read_matrix *matrix;
    size_t files, matrices;
};

/* ---- messages ---- */

/* 1: a request, with a descriptor in *file or -1; 0: the channel is closed. */
static int receive(const struct reader *r, struct sr_isolate_request *q, int *file) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = q, .iov_len = sizeof *q};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    *file = -1;
    if (TEMP_FAILURE_RETRY(recvmsg(r->socket, &message, 0)) != (ssize_t)sizeof *q)
        return 0;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS)
        memcpy(file, CMSG_DATA(header), sizeof *file);
    return 1;
}

static int send_answer(const struct reader *r, const struct sr_isolate_answer *a) {
    const ssize_t n = TEMP_FAILURE_RETRY(send(r->socket, a, sizeof *a, MSG_NOSIGNAL));
    return n == (ssize_t)sizeof *a ? 0 : SR_IO;
}

/* Shows a piece that is in the window and waits for what comes next. SR_NO: no more is wanted. */
static int show_piece(struct reader *r, size_t bytes) {
    const struct sr_isolate_answer a = {.more = 1, .bytes = bytes};
    struct sr_isolate_request q;
    int file;
    if (send_answer(r, &a) < 0 || receive(r, &q, &file) == 0)
        return SR_IO;
    return q.op == SR_ISOLATE_GO_ON ? 0 : SR_NO;
}

/* All but the last piece, which is left in the window; its bytes to *last. */
static int show(struct reader *r, const void *from, size_t bytes, size_t *last) {
    const unsigned char *at = from;
    int status = 0;
    for (; status == 0 && bytes > SR_ISOLATE_WINDOW; at += SR_ISOLATE_WINDOW, bytes -= SR_ISOLATE_WINDOW) {
        memcpy(r->window, at, SR_ISOLATE_WINDOW);
        status = show_piece(r, SR_ISOLATE_WINDOW);
    }
    if (status == 0) {
        memcpy(r->window, at, bytes);
        *last = bytes;
    }
    return status;
}

/* What nobody asks whose numbers are those that he was given. */
static int no_request(struct sr_error *err) {
    return sr_fail(err, SR_BUG, "not a request");
}

/* As many items as the dataset has. */
static int check_rows(const struct reader *r, const struct sr_isolate_request *q, struct sr_error *err) {
    struct sr_h5_info info;
    uint64_t items;
    const int status = sr_h5_info(r->file[q->number], q->name, &info, err);
    if (status < 0)
        return status;
    const bool fine =
        info.rank <= SR_H5_RANK && sr_size_product(&items, 1, info.shape, SR_H5_RANK) && items == q->rows;
    return fine ? 0 : no_request(err);
}

/* ---- files ---- */

/* The array with room for one more, zero. */
static void *grow(void *array, size_t n, size_t each, struct sr_error *err) {
    return sr_realloc(array, n * each, (n + 1) * each, err);
}

static int answer_open(struct reader *r, const struct sr_isolate_request *q, int file,
                       struct sr_isolate_answer *a, struct sr_error *err) {
    struct sr_h5 **files = grow(r->file, r->files, sizeof *files, err);
    if (!files)
        return SR_NOMEM;
    r->file = files;
    const int status = sr_h5_here_open_descriptor(&files[r->files], file, q->name, err);
    if (status == 0)
        a->number = r->files++;
    return status;
}

static int answer_close(struct reader *r, const struct sr_isolate_request *q, struct sr_error *err) {
    const int status = sr_h5_close(r->file[q->number], err);
    r->file[q->number] = NULL;
    return status;
}

static int answer_info(struct reader *r, const struct sr_isolate_request *q, struct sr_isolate_answer *a,
                       struct sr_error *err) {
    struct sr_h5_info info;
    const int status = sr_h5_info(r->file[q->number], q->name, &info, err);
    if (status < 0)
        return status;
    struct sr_isolate_info said = {.kind = (int32_t)info.kind, .rank = info.rank, .size = info.size};
    memcpy(said.shape, info.shape, sizeof said.shape);
    snprintf(said.type, sizeof said.type, "%s", info.type);
    memcpy(r->window, &said, a->bytes = sizeof said);
    return 0;
}

static int answer_storage(struct reader *r, const struct sr_isolate_request *q, struct sr_isolate_answer *a,
                          struct sr_error *err) {
    struct sr_h5_storage s;
    const int status = sr_h5_storage(r->file[q->number], q->name, &s, err);
    if (status < 0)
        return status;
    struct sr_isolate_storage said = {.kind = (int32_t)s.kind,
                                      .packed = s.packed,
                                      .filtered = s.filtered,
                                      .bytes = s.bytes,
                                      .unwritten = s.unwritten,
                                      .pieces = s.pieces};
    memcpy(said.chunk, s.chunk, sizeof said.chunk);
    memcpy(said.filters, s.filters, sizeof said.filters);
    memcpy(r->window, &said, a->bytes = sizeof said);
    return 0;
}

static int answer_list(struct reader *r, const struct sr_isolate_request *q, struct sr_isolate_answer *a) {
    char *text = (char *)r->window;
    sr_h5_list(r->file[q->number], text, q->size < SR_ISOLATE_WINDOW ? q->size : SR_ISOLATE_WINDOW);
    a->bytes = strlen(text) + 1;
    return 0;
}

/* ---- columns ---- */

static int answer_column(struct reader *r, const struct sr_isolate_request *q, struct sr_isolate_answer *a,
                         struct sr_error *err) {
    const struct sr_h5 *f = r->file[q->number];
    size_t last = 0;
    int status = check_rows(r, q, err);
    void *values = status == 0 ? sr_alloc(q->rows, sizeof(double), err) : NULL;
    if (!values)
        return status < 0 ? status : SR_NOMEM;
    status = q->op == SR_ISOLATE_INTEGERS ? sr_h5_read_integers(f, q->name, values, q->rows, err)
                                          : sr_h5_read_doubles(f, q->name, values, q->rows, err);
    if (status == 0)
        status = show(r, values, q->rows * sizeof(double), &last);
    a->bytes = last;
    sr_free(values);
    return status;
}

static int show_doubles(void *user, const double *values, size_t n, struct sr_error *err) {
    struct reader *r = user;
    (void)err;
    memcpy(r->window, values, n * sizeof *values); /* a band of h5_read.c fits */
    return show_piece(r, n * sizeof *values);
}

/* ---- texts ---- */

/* n texts that lie one behind the other in their block. */
static int show_texts(struct reader *r, char *const *texts, size_t n, struct sr_isolate_answer *a,
                      struct sr_error *err) {
    size_t bytes = 0, used = 0, last = 0;
    for (size_t i = 0; i < n; i++)
        bytes += strlen(texts[i]) + 1;
    char *all = sr_alloc(bytes, 1, err);
    if (!all)
        return SR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const size_t taken = strlen(texts[i]) + 1;
        memcpy(all + used, texts[i], taken);
        used += taken;
    }
    const int status = show(r, all, bytes, &last);
    a->bytes = last;
    a->number = n;
    sr_free(all);
    return status;
}

static int answer_texts(struct reader *r, const struct sr_isolate_request *q, struct sr_isolate_answer *a,
                        struct sr_error *err) {
    char **texts = NULL;
    int status = check_rows(r, q, err);
    if (status == 0)
        status = sr_h5_read_texts(r->file[q->number], q->name, &texts, q->rows, err);
    if (status == 0)
        status = show_texts(r, texts, q->rows, a, err);
    sr_free(texts);
    return status;
}

static int answer_attribute(struct reader *r, const struct sr_isolate_request *q, struct sr_isolate_answer *a,
                            struct sr_error *err) {
    char *value = NULL;
    int status = sr_h5_attribute(r->file[q->number], q->object, q->name, &value, err);
    if (status == 0 && value)
        status = show_texts(r, &value, 1, a, err);
    sr_free(value);
    return status;
}

static int answer_attribute_list(struct reader *r, const struct sr_isolate_request *q,
                                 struct sr_isolate_answer *a, struct sr_error *err) {
    char **texts = NULL;
    size_t n = 0;
    int status = sr_h5_attribute_list(r->file[q->number], q->object, q->name, &texts, &n, err);
    if (status == 0 && texts)
        status = show_texts(r, texts, n, a, err);
    sr_free(texts);
    return status;
}

/* ---- features ---- */

static int answer_matrix_open(struct reader *r, const struct sr_isolate_request *q,
                              struct sr_isolate_answer *a, struct sr_error *err) {
    struct sr_h5_info info;
    struct read_matrix *all = grow(r->matrix, r->matrices, sizeof *all, err);
    if (!all)
        return SR_NOMEM;
    r->matrix = all;
    struct read_matrix *m = &all[r->matrices];
    int status = sr_h5_info(r->file[q->number], q->name, &info, err);
    if (status == 0 && (info.rank != 2 || q->type > SR_FEATURE_FLOAT))
        status = no_request(err);
    if (status < 0)
        return status;
    *m = (struct read_matrix){
        .rows = info.shape[0], .width = info.shape[1], .stored = (enum sr_feature)q->type};
    status = sr_h5_matrix_open(&m->of, r->file[q->number], q->name, m->stored, err);
    if (status < 0)
        return status;
    a->bytes = (uint64_t)snprintf((char *)r->window, 64, "%s", sr_h5_matrix_way(m->of)) + 1;
    a->number = r->matrices++;
    return 0;
}

static int answer_matrix_read(const struct reader *r, const struct read_matrix *m,
                              const struct sr_isolate_request *q, struct sr_isolate_answer *a,
                              struct sr_error *err) {
    const enum sr_feature wanted = q->type == SR_FEATURE_FLOAT ? SR_FEATURE_FLOAT : m->stored;
    const uint64_t bytes = sr_size_times(sr_feature_size(wanted), sr_size_times(q->rows, m->width));
    if (q->rows == 0 || !sr_size_within(q->first, q->rows, m->rows) || bytes > SR_ISOLATE_WINDOW)
        return no_request(err);
    const int status = sr_h5_matrix_read(m->of, r->window, q->first, q->rows, wanted, err);
    a->bytes = bytes;
    return status;
}

static int answer_matrix(const struct reader *r, struct read_matrix *m, const struct sr_isolate_request *q,
                         struct sr_isolate_answer *a, struct sr_error *err) {
    switch ((enum sr_isolate_op)q->op) {
    case SR_ISOLATE_MATRIX_READ:
        return answer_matrix_read(r, m, q, a, err);
    case SR_ISOLATE_MATRIX_CLOSE:
        sr_h5_matrix_close(m->of);
        m->of = NULL;
        return 0;
    case SR_ISOLATE_MATRIX_FORGET:
        sr_h5_matrix_forget(m->of);
        return 0;
    case SR_ISOLATE_MATRIX_THROUGH_HDF5:
        sr_h5_matrix_through_hdf5(m->of);
        return 0;
    default:
        return no_request(err);
    }
}

/* ---- all of them ---- */

static int answer_file(struct reader *r, const struct sr_isolate_request *q, struct sr_isolate_answer *a,
                       struct sr_error *err) {
    const struct sr_h5 *f = r->file[q->number];
    switch ((enum sr_isolate_op)q->op) {
    case SR_ISOLATE_CLOSE:
        return answer_close(r, q, err);
    case SR_ISOLATE_CHECK:
        return sr_h5_check(f, err);
    case SR_ISOLATE_HAS:
        a->number = sr_h5_has(f, q->name);
        return 0;
    case SR_ISOLATE_INFO:
        return answer_info(r, q, a, err);
    case SR_ISOLATE_STORAGE:
        return answer_storage(r, q, a, err);
    case SR_ISOLATE_LIST:
        return answer_list(r, q, a);
    case SR_ISOLATE_INTEGERS:
    case SR_ISOLATE_DOUBLES:
        return answer_column(r, q, a, err);
    case SR_ISOLATE_EACH_DOUBLE:
        return sr_h5_each_double(f, q->name, show_doubles, r, err);
    case SR_ISOLATE_TEXTS:
        return answer_texts(r, q, a, err);
    case SR_ISOLATE_HAS_ATTRIBUTE:
        a->number = sr_h5_has_attribute(f, q->object, q->name);
        return 0;
    case SR_ISOLATE_ATTRIBUTE:
        return answer_attribute(r, q, a, err);
    case SR_ISOLATE_ATTRIBUTE_LIST:
        return answer_attribute_list(r, q, a, err);
    case SR_ISOLATE_MATRIX_OPEN:
        return answer_matrix_open(r, q, a, err);
    default:
        return no_request(err);
    }
}

static int answer(struct reader *r, const struct sr_isolate_request *q, int file, struct sr_isolate_answer *a,
                  struct sr_error *err) {
    if (q->op == SR_ISOLATE_OPEN)
        return answer_open(r, q, file, a, err);
    if (q->op >= SR_ISOLATE_MATRIX_CLOSE)
        return q->number < r->matrices && r->matrix[q->number].of
                   ? answer_matrix(r, &r->matrix[q->number], q, a, err)
                   : no_request(err);
    return q->number < r->files && r->file[q->number] ? answer_file(r, q, a, err) : no_request(err);
}

int sr_isolate_answer(int socket, unsigned char *window, struct sr_error *err) {
    struct reader r = {.socket = socket, .window = window};
    struct sr_isolate_request q;
    int file, status = 0;
    while (status == 0 && receive(&r, &q, &file) > 0) {
        struct sr_isolate_answer a = {0};
        struct sr_error why = {0};
        a.status = answer(&r, &q, file, &a, &why);
        if (a.status == SR_NO) { /* the asker had enough */
            a = (struct sr_isolate_answer){0};
        } else if (a.status < 0) {
            a.bytes = 0;
            memcpy(a.text, why.text, sizeof a.text);
        }
        status = send_answer(&r, &a);
    }
    for (size_t i = 0; i < r.matrices; i++)
        sr_h5_matrix_close(r.matrix[i].of);
    for (size_t i = 0; i < r.files; i++)
        sr_h5_close(r.file[i], NULL);
    sr_free(r.file);
    sr_free(r.matrix);
    return status < 0 ? sr_fail(err, status, "the channel is closed") : 0;
}
