/* away.h: the program's own reader of --isolate, asked by a test in process: the reader is the program,
 * started as isolate_start.c does, and who asks is the test. For dumps that must not be read here.
 *
 *     struct away a;
 *     away_begin(&a);       from now on sr_h5_open asks the reader
 *     ...
 *     away_end(&a);
 *
 * A limit of resources that the test has set before away_begin is the reader's too.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_AWAY_H
#define SR_TEST_AWAY_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "data/isolate.h"
#include "nn/base/base.h"
#include "tests/trust.h"

#define AWAY_FREE 20 /* descriptors from here on are not those of the reader */

struct away {
    struct sr_channel channel;
};

static inline int away_up(int file) {
    const int up = fcntl(file, F_DUPFD_CLOEXEC, AWAY_FREE);
    cr_assert_geq(up, AWAY_FREE);
    close(file);
    return up;
}

static inline pid_t away_spawn(int socket, int window) {
    extern char **environ;
    char *const arguments[] = {(char[]){"saferoute"}, (char[]){SR_ISOLATE_READER}, NULL};
    posix_spawn_file_actions_t actions;
    pid_t reader = 0;
    setenv("OMP_NUM_THREADS", "1", 1); /* after this process has looked at it */
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, socket, SR_ISOLATE_SOCKET);
    posix_spawn_file_actions_adddup2(&actions, window, SR_ISOLATE_MEMORY);
    cr_assert_eq(posix_spawn(&reader, SR_PROGRAM, &actions, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return reader;
}

static inline void away_begin(struct away *a) {
    struct sr_error err = {0};
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    const int memory = away_up(memfd_create("window", MFD_CLOEXEC)), end = away_up(ends[1]);
    cr_assert_eq(ftruncate(memory, (off_t)SR_ISOLATE_WINDOW), 0);
    void *window = mmap(NULL, SR_ISOLATE_WINDOW, PROT_READ, MAP_SHARED, memory, 0);
    cr_assert_neq(window, MAP_FAILED);
    a->channel = (struct sr_channel){.socket = away_up(ends[0]),
                                     .reader = away_spawn(end, memory),
                                     .window = window,
                                     .seconds = trust_seconds(),
                                     .wait_seconds = 600,
                                     .most = (uint64_t)1 << 30,
                                     .mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP};
    close(end);
    close(memory);
    cr_assert_eq(sr_channel_greet(&a->channel, &err), 0, "%s", err.text);
    sr_isolate_use(&a->channel);
}

static inline void away_end(struct away *a) {
    sr_isolate_use(NULL);
    sr_channel_close(&a->channel);
    munmap((void *)(uintptr_t)a->channel.window, SR_ISOLATE_WINDOW);
}

#endif
