/* isolate_start.c: the program starts itself again as a reader. See isolate.h.
 *
 * By posix_spawn, before this process has a thread: one that runs is never forked. The window has one size
 * for ever (sealed), so that the reader cannot make reading it a signal.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "data/data.h"
#include "data/isolate.h"
#include "data/sandbox.h"

#define SECONDS      1.5 /* of processor time for an answer; see SR_ISOLATE_RATE */
#define WAIT_SECONDS 120 /* for a disk far away */
#define FREE_FROM    10  /* descriptors from here on are in nobody's way */

extern char **environ;

static struct sr_channel channel;

/* ---- what both have ---- */

/* The descriptor moved up, so that those that the reader gets cannot cover it. -1 with errno. */
static int move_up(int file) {
    if (file < 0)
        return -1;
    const int up = fcntl(file, F_DUPFD_CLOEXEC, FREE_FROM);
    const int reason = errno;
    close(file);
    errno = reason;
    return up;
}

static int make_window(void) {
    const int file = move_up(memfd_create("saferoute-window", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (file >= 0 && (ftruncate(file, (off_t)SR_ISOLATE_WINDOW) < 0 ||
                      fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)) {
        close(file);
        return -1;
    }
    return file;
}

static unsigned char *map_window(int file, int protection) {
    void *window = mmap(NULL, SR_ISOLATE_WINDOW, protection, MAP_SHARED, file, 0);
    return window == MAP_FAILED ? NULL : window;
}

/* ---- starting ---- */

/* What a reader is told may come back as an answer: of the environment only what libraries look at when they
 * are loaded, and not what a user keeps there (keys, tokens). */
static bool is_for_loading(const char *variable) {
    static const char *const begins[] = {"LD_",   "GLIBC_", "MALLOC_", "HDF5_", "ASAN_",
                                         "LSAN_", "UBSAN_", "TSAN_",   "GCOV_", "SR_"};
    for (size_t i = 0; i < SR_COUNT(begins); i++)
        if (strncmp(variable, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

char **sr_isolate_environment(char *const *whole, struct sr_error *err) {
    static char first[][32] = {"OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "TZ=UTC0"};
    size_t n = 0;
    while (whole[n])
        n++;
    char **all = sr_alloc(n + SR_COUNT(first) + 1, sizeof *all, err), **to = all;
    if (!all)
        return NULL;
    for (size_t i = 0; i < SR_COUNT(first); i++)
        *to++ = first[i];
    for (; *whole; whole++)
        if (is_for_loading(*whole))
            *to++ = *whole;
    return all; /* zeroed: the NULL is there */
}

/* An errno. Standard streams lead nowhere: what a reader prints is not ours. */
static int set_descriptors(posix_spawn_file_actions_t *actions, int socket, int window) {
    int reason = 0;
    for (int stream = 0; reason == 0 && stream < 3; stream++)
        reason = posix_spawn_file_actions_addopen(actions, stream, "/dev/null", O_RDWR, 0);
    if (reason == 0)
        reason = posix_spawn_file_actions_adddup2(actions, socket, SR_ISOLATE_SOCKET);
    return reason ? reason : posix_spawn_file_actions_adddup2(actions, window, SR_ISOLATE_MEMORY);
}

/* An errno. */
static int spawn_reader(pid_t *reader, int socket, int window, char **environment) {
    char name[] = "saferoute", reads[] = SR_ISOLATE_READER;
    char *const arguments[] = {name, reads, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    int reason = set_descriptors(&actions, socket, window);
    if (reason == 0)
        reason = posix_spawn(reader, "/proc/self/exe", &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    return reason;
}

static int start(int socket, int window, struct sr_error *err) {
    char **environment = sr_isolate_environment(environ, err);
    if (!environment)
        return SR_NOMEM;
    const int reason = spawn_reader(&channel.reader, socket, window, environment);
    sr_free(environment);
    if (reason)
        return sr_fail(err, SR_IO, "--isolate: the reading process cannot be started: %s", strerror(reason));
    return 0;
}

/* Both ends, -1 where there is none. False with errno. */
static bool make_ends(int ends[2]) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return false;
    ends[1] = move_up(ends[1]);
    const int reason = errno;
    ends[0] = move_up(ends[0]);
    errno = ends[1] < 0 ? reason : errno;
    return ends[0] >= 0 && ends[1] >= 0;
}

int sr_isolate_begin(struct sr_error *err) {
    int ends[2] = {-1, -1};
    const int memory = make_window();
    channel = (struct sr_channel){.socket = -1,
                                  .window = memory >= 0 ? map_window(memory, PROT_READ) : NULL,
                                  .seconds = SECONDS,
                                  .wait_seconds = WAIT_SECONDS,
                                  .most = SR_SANDBOX_MEMORY,
                                  .mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP};
    int status =
        channel.window && make_ends(ends)
            ? start(ends[1], memory, err)
            : sr_fail(err, SR_IO, "--isolate: no channel to the reading process: %s", strerror(errno));
    if (memory >= 0)
        close(memory);
    if (ends[1] >= 0)
        close(ends[1]);
    channel.socket = ends[0];
    if (status == 0)
        status = sr_channel_greet(&channel, err);
    if (status == 0)
        sr_isolate_use(&channel);
    else
        sr_channel_close(&channel);
    return status;
}

int sr_isolate_end(bool reported, struct sr_error *err) {
    if (!sr_isolate_running())
        return 0;
    sr_isolate_use(NULL);
    const bool failed = channel.failed, told = channel.told;
    sr_channel_close(&channel);
    return failed && !(told && reported) ? sr_fail(err, channel.why.status, "%s", channel.why.text) : 0;
}

/* ---- being the reader ---- */

bool sr_isolate_is_reader(int argc, char **argv) {
    return argc == 2 && strcmp(argv[1], SR_ISOLATE_READER) == 0;
}

int sr_isolate_read(struct sr_error *err) {
    unsigned char *window = map_window(SR_ISOLATE_MEMORY, PROT_READ | PROT_WRITE);
    if (!window)
        return sr_fail(err, SR_USAGE, SR_ISOLATE_READER " is not to be called by hand; --isolate starts it");
    struct sr_isolate_answer greeting = {0};
    struct sr_error why = {0};
    close(SR_ISOLATE_MEMORY);
    greeting.status = sr_sandbox_enter(window, SR_ISOLATE_MEMORY, &why);
    memcpy(greeting.text, why.text, sizeof greeting.text);
    if (send(SR_ISOLATE_SOCKET, &greeting, sizeof greeting, MSG_NOSIGNAL) < 0)
        return sr_fail(err, SR_IO, "the channel is closed");
    return greeting.status < 0 ? greeting.status : sr_isolate_answer(SR_ISOLATE_SOCKET, window, err);
}
