/* reader_thread.h: the reader of --isolate as a thread of the test, at one end of a channel.
 *
 *     struct reader_thread r;
 *     reader_thread_begin(&r);        r.socket: the other end; r.window: what both have
 *     ...
 *     status = reader_thread_end(&r); closes the channel; what sr_isolate_answer returned, with r.err
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_READER_THREAD_H
#define SR_TEST_READER_THREAD_H

#include <criterion/criterion.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "data/isolate.h"
#include "nn/base/base.h"

struct reader_thread {
    int socket, end;
    unsigned char *window;
    pthread_t thread;
    struct sr_error err;
    int status;
};

static inline void *reader_thread_run(void *user) {
    struct reader_thread *r = user;
    r->status = sr_isolate_answer(r->end, r->window, &r->err);
    close(r->end);
    return NULL;
}

static inline void reader_thread_begin(struct reader_thread *r) {
    int ends[2];
    *r = (struct reader_thread){.window = sr_alloc(SR_ISOLATE_WINDOW, 1, NULL)};
    cr_assert_not_null(r->window);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    r->socket = ends[0];
    r->end = ends[1];
    cr_assert_eq(pthread_create(&r->thread, NULL, reader_thread_run, r), 0);
}

static inline int reader_thread_end(struct reader_thread *r) {
    close(r->socket);
    pthread_join(r->thread, NULL);
    sr_free(r->window);
    return r->status;
}

#endif
