/* liar.h: a reader of --isolate whose answers are changed on their way: the honest reader in one thread, and
 * one between it and who asks that lies now and then.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_LIAR_H
#define SR_TEST_LIAR_H

#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "data/isolate.h"
#include "nn/base/base.h"
#include "tests/reader_thread.h"

struct liar {
    uint64_t seed, index; /* of the random numbers */
    unsigned often;       /* one answer in so many is a lie; 0: none */
    size_t lies;
    int ask[2]; /* sockets of asker and liar */
    unsigned char *window;
    pthread_t between;
    struct reader_thread reader;
    struct sr_channel channel; /* the asker's */
};

static inline uint32_t liar_random(struct liar *l) {
    return sr_philox(l->seed, sr_stream(SR_STREAM_TEST, 77, 0), l->index++).v[0];
}

/* Numbers that sizes and counts go wrong at. */
static inline uint64_t liar_number(struct liar *l) {
    static const uint64_t odd[] = {0,
                                   1,
                                   2,
                                   7,
                                   8,
                                   11,
                                   13,
                                   4096,
                                   SR_ISOLATE_WINDOW,
                                   SR_ISOLATE_WINDOW + 1,
                                   1u << 20,
                                   1u << 31,
                                   UINT32_MAX,
                                   1ull << 32,
                                   1ull << 61,
                                   1ull << 63,
                                   UINT64_MAX};
    const uint32_t i = liar_random(l) % (SR_COUNT(odd) + 2);
    return i < SR_COUNT(odd) ? odd[i] : (uint64_t)liar_random(l) << 32 | liar_random(l);
}

static inline void liar_flip(struct liar *l, unsigned char *bytes, size_t n) {
    if (n > 0)
        bytes[liar_random(l) % n] ^= (unsigned char)(1u << (liar_random(l) % 8));
}

/* Into the window, at a place of 8 bytes. */
static inline void liar_put(struct liar *l, size_t n) {
    const uint64_t number = liar_number(l);
    if (n >= sizeof number)
        memcpy(l->window + liar_random(l) % (n / sizeof number) * sizeof number, &number, sizeof number);
}

/* Changes an answer of *size bytes. False: the channel is to be closed instead. */
static inline bool liar_change(struct liar *l, struct sr_isolate_answer *a, size_t *size) {
    const size_t n = a->bytes <= SR_ISOLATE_WINDOW ? (size_t)a->bytes : 0;
    l->lies++;
    switch (liar_random(l) % 12) {
    case 0:
        liar_flip(l, (unsigned char *)a, sizeof *a);
        break;
    case 1:
        a->status = (int32_t)(liar_random(l) % 12) - 10;
        break;
    case 2:
        a->more = liar_random(l) % 3;
        break;
    case 3:
        a->bytes = liar_number(l);
        break;
    case 4:
        a->number = liar_number(l);
        break;
    case 5:
        memset(a->text, 27, sizeof a->text);
        a->status = liar_random(l) % 2 ? SR_DATA : 0;
        break;
    case 6:
        for (size_t i = 0; i < sizeof *a; i++)
            ((unsigned char *)a)[i] = (unsigned char)liar_random(l);
        break;
    case 7:
        *size = liar_random(l) % sizeof *a;
        break;
    case 8:
        return false;
    case 9:
        for (size_t i = 0; i < n; i++)
            l->window[i] = (unsigned char)liar_random(l);
        break;
    case 10:
        for (int i = 0; i < 4; i++)
            liar_flip(l, l->window, n);
        break;
    default:
        liar_put(l, n);
        break;
    }
    return true;
}

/* A message with the descriptor that may go along, on to the reader. False at the end. */
static inline bool liar_pass(int from, int to) {
    static _Thread_local struct sr_isolate_request q;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {&q, sizeof q};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    const ssize_t n = recvmsg(from, &m, 0);
    if (n <= 0)
        return false;
    const bool sent = sendmsg(to, &m, MSG_NOSIGNAL) == n;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&m);
    if (header) {
        int file;
        memcpy(&file, CMSG_DATA(header), sizeof file);
        close(file);
    }
    return sent;
}

static inline void *liar_between(void *user) {
    struct liar *l = user;
    struct sr_isolate_answer a;
    while (liar_pass(l->ask[1], l->reader.socket) &&
           recv(l->reader.socket, &a, sizeof a, 0) == (ssize_t)sizeof a) {
        size_t size = sizeof a;
        memcpy(l->window, l->reader.window, (size_t)a.bytes);
        if (l->often && liar_random(l) % l->often == 0 && !liar_change(l, &a, &size))
            break;
        if (send(l->ask[1], &a, size, MSG_NOSIGNAL) < 0)
            break;
    }
    shutdown(l->ask[1], SHUT_RDWR);
    shutdown(l->reader.socket, SHUT_RDWR);
    return NULL;
}

/* From now on sr_h5_open asks the liar. */
static inline void liar_begin(struct liar *l, uint64_t seed, unsigned often) {
    *l = (struct liar){.seed = seed, .often = often};
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, l->ask), 0);
    l->window = sr_alloc(SR_ISOLATE_WINDOW, 1, NULL);
    reader_thread_begin(&l->reader);
    l->channel = (struct sr_channel){.socket = l->ask[0],
                                     .window = l->window,
                                     .seconds = 60,
                                     .wait_seconds = 60,
                                     .most = (uint64_t)1 << 24,
                                     .mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP};
    cr_assert_eq(pthread_create(&l->between, NULL, liar_between, l), 0);
    sr_isolate_use(&l->channel);
}

static inline void liar_end(struct liar *l) {
    sr_isolate_use(NULL);
    sr_channel_close(&l->channel);
    pthread_join(l->between, NULL);
    reader_thread_end(&l->reader);
    close(l->ask[1]);
    sr_free(l->window);
}

#endif
