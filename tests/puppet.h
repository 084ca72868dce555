/* puppet.h: a reader of --isolate that answers what a test tells it to. For test_trust_isolate_answers.c and
 * test_trust_isolate_asked.c.
 *
 *     struct puppet p;
 *     puppet_begin(&p);                      p.f: a file that it has open
 *     p.said[SR_ISOLATE_TEXTS] = ...;        the answer to that from now on
 *     ...
 *     puppet_end(&p);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_PUPPET_H
#define SR_TEST_PUPPET_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/h5_ways.h"
#include "data/isolate.h"

enum { ROWS = 12, WIDTH = 8, FILE_BYTES = 1 << 20, PUPPET_OVER = 8 };

struct said {
    const void *bytes; /* [n]; NULL: n of `fill`, the last one 0 */
    size_t n, piece;   /* bytes of a piece; 0: as many as the window holds; PUPPET_OVER more at most */
    uint64_t number;
    char fill;
};

struct puppet {
    struct said said[SR_ISOLATE_ENOUGH + 1];
    struct sr_isolate_info info; /* what said[SR_ISOLATE_INFO] is in the beginning */
    int ends[2];
    unsigned char *window;
    size_t requests;
    uint64_t most_rows; /* of a request */
    bool deaf;          /* takes no request after the one that it has answered */
    pthread_t thread;
    struct sr_channel channel;
    struct sr_h5 *f;
    char path[64];
};

/* The piece of an answer that begins at `at`. */
static inline size_t puppet_put_piece(const struct puppet *p, const struct said *s, size_t at) {
    const size_t most = s->piece ? s->piece : SR_ISOLATE_WINDOW, left = s->n - at;
    const size_t n = left < most ? left : most;
    if (s->bytes && n > 0)
        memcpy(p->window, (const char *)s->bytes + at, n);
    else
        memset(p->window, s->fill, n);
    if (!s->bytes && n > 0 && n == left)
        p->window[n - 1] = 0;
    return n;
}

static inline void *puppet_answer(void *user) {
    static _Thread_local struct sr_isolate_request q;
    struct puppet *p = user;
    const struct said *s = NULL;
    size_t at = 0;
    while (recv(p->ends[1], &q, sizeof q, 0) > 0) {
        if (q.op != SR_ISOLATE_GO_ON) {
            s = &p->said[q.op];
            at = 0;
        }
        p->requests++;
        p->most_rows = q.rows > p->most_rows ? q.rows : p->most_rows;
        struct sr_isolate_answer a = {.number = s->number, .bytes = puppet_put_piece(p, s, at)};
        at += a.bytes;
        a.more = at < s->n;
        if (p->deaf)
            shutdown(p->ends[1], SHUT_RD);
        if (send(p->ends[1], &a, sizeof a, MSG_NOSIGNAL) < 0)
            break;
    }
    return NULL;
}

/* A sparse file, whose features are said to be [ROWS, WIDTH] float16. */
static inline void puppet_begin(struct puppet *p) {
    struct sr_error err = {0};
    *p = (struct puppet){
        .info = {.kind = SR_H5_HALF, .rank = 2, .size = 2, .shape = {ROWS, WIDTH, 1, 1}, .type = "float16"}};
    p->said[SR_ISOLATE_INFO] = (struct said){.bytes = &p->info, .n = sizeof p->info};
    p->said[SR_ISOLATE_MATRIX_OPEN] = (struct said){.bytes = SR_H5_BY_CHUNKS, .n = sizeof SR_H5_BY_CHUNKS};
    p->window = sr_alloc(SR_ISOLATE_WINDOW + PUPPET_OVER, 1, NULL);
    cr_assert_not_null(p->window);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p->ends), 0);
    p->channel = (struct sr_channel){.socket = p->ends[0],
                                     .window = p->window,
                                     .seconds = 60,
                                     .wait_seconds = 60,
                                     .most = (uint64_t)1 << 30,
                                     .mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP};
    cr_assert_eq(pthread_create(&p->thread, NULL, puppet_answer, p), 0);
    snprintf(p->path, sizeof p->path, "/tmp/sr_test_answers_%d.h5", (int)getpid());
    const int file = open(p->path, O_RDWR | O_CREAT, 0600);
    cr_assert(file >= 0 && ftruncate(file, FILE_BYTES) == 0 && pwrite(file, p, 1, 0) == 1);
    close(file);
    sr_isolate_use(&p->channel);
    cr_assert_eq(sr_h5_open(&p->f, p->path, &err), 0, "%s", err.text);
}

static inline void puppet_end(struct puppet *p) {
    sr_h5_close(p->f, NULL);
    sr_isolate_use(NULL);
    sr_channel_close(&p->channel);
    pthread_join(p->thread, NULL);
    close(p->ends[1]);
    unlink(p->path);
    sr_free(p->window);
}

#endif
