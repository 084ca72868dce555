/* test_trust_isolate_calls.c: system calls of --isolate that fail: what a signal interrupts is made again,
 * and of all else there is a reason, no reader is left and no descriptor but the channel's. Both ends run in
 * this process, which has the calls' names from here.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h> /* first, or the next takes its macros away */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "data/sandbox.h"
#include "tests/dump_fixture.h"
#include "tests/failing_memory.h"
#include "tests/reader_thread.h"

/* ---- calls that fail ---- */

static struct {
    const char *call; /* NULL: none fails */
    int reason;
    atomic_int skipped, times; /* calls that pass before; that fail then */
} failing;

static void fail_call(const char *call, int skipped, int times, int reason) {
    failing.call = call;
    failing.reason = reason;
    atomic_store(&failing.skipped, skipped);
    atomic_store(&failing.times, times);
}

static bool fails(const char *call) {
    if (!failing.call || strcmp(failing.call, call) != 0 || atomic_fetch_sub(&failing.skipped, 1) > 0 ||
        atomic_fetch_sub(&failing.times, 1) <= 0)
        return false;
    errno = failing.reason;
    return true;
}

/* The C library's function of that name. */
static void *next(const char *call) {
    void *found = dlsym(RTLD_NEXT, call);
    if (!found)
        abort();
    return found;
}

#define CALL(type, name, ...) (((type)(uintptr_t)next(name))(__VA_ARGS__))

ssize_t recv(int socket, void *bytes, size_t n, int flags) {
    return fails("recv") ? -1 : CALL(ssize_t(*)(int, void *, size_t, int), "recv", socket, bytes, n, flags);
}

ssize_t send(int socket, const void *bytes, size_t n, int flags) {
    return fails("send") ? -1
                         : CALL(ssize_t(*)(int, const void *, size_t, int), "send", socket, bytes, n, flags);
}

ssize_t sendmsg(int socket, const struct msghdr *m, int flags) {
    return fails("sendmsg") ? -1
                            : CALL(ssize_t(*)(int, const struct msghdr *, int), "sendmsg", socket, m, flags);
}

ssize_t recvmsg(int socket, struct msghdr *m, int flags) {
    return fails("recvmsg") ? -1 : CALL(ssize_t(*)(int, struct msghdr *, int), "recvmsg", socket, m, flags);
}

int poll(struct pollfd *p, nfds_t n, int timeout) {
    return fails("poll") ? -1 : CALL(int (*)(struct pollfd *, nfds_t, int), "poll", p, n, timeout);
}

pid_t waitpid(pid_t pid, int *status, int options) {
    return fails("waitpid") ? -1 : CALL(pid_t(*)(pid_t, int *, int), "waitpid", pid, status, options);
}

int clock_getcpuclockid(pid_t pid, clockid_t *clock) {
    return fails("clock_getcpuclockid")
               ? failing.reason
               : CALL(int (*)(pid_t, clockid_t *), "clock_getcpuclockid", pid, clock);
}

int memfd_create(const char *name, unsigned flags) {
    return fails("memfd_create") ? -1 : CALL(int (*)(const char *, unsigned), "memfd_create", name, flags);
}

int ftruncate(int file, off_t bytes) {
    return fails("ftruncate") ? -1 : CALL(int (*)(int, off_t), "ftruncate", file, bytes);
}

int fcntl(int file, int what, ...) {
    va_list list;
    va_start(list, what);
    void *argument = va_arg(list, void *); /* an int comes in the same register */
    va_end(list);
    const bool here = what == F_ADD_SEALS || what == F_DUPFD_CLOEXEC;
    return here && fails(what == F_ADD_SEALS ? "seal" : "move")
               ? -1
               : CALL(int (*)(int, int, void *), "fcntl", file, what, argument);
}

void *mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset) {
    return flags == MAP_SHARED && fails("mmap") ? MAP_FAILED
                                                : CALL(void *(*)(void *, size_t, int, int, int, off_t),
                                                       "mmap", at, bytes, protection, flags, file, offset);
}

int socketpair(int domain, int type, int protocol, int ends[2]) {
    return fails("socketpair")
               ? -1
               : CALL(int (*)(int, int, int, int *), "socketpair", domain, type, protocol, ends);
}

int open(const char *path, int how, ...) {
    va_list list;
    va_start(list, how);
    const mode_t mode = how & O_CREAT ? va_arg(list, mode_t) : 0;
    va_end(list);
    return strstr(path, ".h5") && fails("open")
               ? -1
               : CALL(int (*)(const char *, int, mode_t), "open", path, how, mode);
}

int fstat(int file, struct stat *st) {
    return fails("fstat") ? -1 : CALL(int (*)(int, struct stat *), "fstat", file, st);
}

int close_range(unsigned first, unsigned last, int flags) {
    return fails("close_range") ? -1
                                : CALL(int (*)(unsigned, unsigned, int), "close_range", first, last, flags);
}

/* The program, not this test, is what starts itself again. */
int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]) {
    return fails("posix_spawn")
               ? failing.reason
               : CALL(int (*)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                              const posix_spawnattr_t *, char *const[], char *const[]),
                      "posix_spawn", pid, strcmp(path, "/proc/self/exe") == 0 ? SR_PROGRAM : path, actions,
                      attributes, arguments, environment);
}

int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int from, int to) {
    return fails("adddup2") ? failing.reason
                            : CALL(int (*)(posix_spawn_file_actions_t *, int, int),
                                   "posix_spawn_file_actions_adddup2", actions, from, to);
}

/* ---- a conversation ---- */

struct talk {
    struct reader_thread reader;
    struct sr_channel channel;
};

static void talk_begin(struct talk *t) {
    reader_thread_begin(&t->reader);
    t->channel = (struct sr_channel){.socket = t->reader.socket,
                                     .window = t->reader.window,
                                     .seconds = 60,
                                     .wait_seconds = 60,
                                     .most = (uint64_t)1 << 24,
                                     .mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP};
    sr_isolate_use(&t->channel);
}

static void talk_end(struct talk *t) {
    sr_isolate_use(NULL);
    t->reader.socket = dup(t->channel.socket); /* the channel closes its own */
    sr_channel_close(&t->channel);
    reader_thread_end(&t->reader);
}

/* What a dump says. */
static int converse(struct sr_error *err) {
    char path[2048];
    struct sr_data *d = NULL;
    struct sr_data_options how = {.one_file = true};
    const int status = sr_data_open(&d, fixture_paths(path, "full"), &how, err);
    if (status == 0)
        cr_expect_eq(d->rows, FIXTURE_ROWS);
    sr_data_close(d);
    return status;
}

Test(isolate_calls, what_a_signal_interrupts_is_made_again) {
    static const char *const calls[] = {"recv", "send", "sendmsg", "recvmsg", "poll"};
    for (size_t i = 0; i < SR_COUNT(calls); i++)
        for (int nth = 0; nth < 40; nth += 3) {
            struct sr_error err = {0};
            struct talk t;
            talk_begin(&t);
            fail_call(calls[i], nth, 3, EINTR);
            cr_expect_eq(converse(&err), 0, "%s %d: %s", calls[i], nth, err.text);
            cr_expect_lt(atomic_load(&failing.times), 3, "%s %d: none was interrupted", calls[i], nth);
            fail_call(NULL, 0, 0, 0);
            talk_end(&t);
        }
}

Test(isolate_calls, what_fails_is_told) {
    static const struct {
        const char *call, *word;
    } cases[] = {{"recv", "closed its channel"},
                 {"sendmsg", "closed its channel"},
                 {"send", "closed its channel"},
                 {"recvmsg", "closed its channel"},
                 {"poll", "cannot be waited for"}};
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        struct sr_error err = {0}, again = {0};
        struct talk t;
        talk_begin(&t);
        fail_call(cases[i].call, 6, 1, EIO);
        cr_expect_eq(converse(&err), SR_DATA, "%s", cases[i].call);
        cr_expect(strstr(err.text, cases[i].word), "%s: %s", cases[i].call, err.text);
        fail_call(NULL, 0, 0, 0);
        cr_expect_eq(converse(&again), SR_DATA);
        cr_expect_str_eq(again.text, err.text);
        talk_end(&t);
    }
}

/* A file that is gone, or cannot be looked at, between its name and its descriptor. */
Test(isolate_calls, a_file_that_cannot_be_handed_over) {
    static const char *const calls[] = {"open", "fstat"};
    for (size_t i = 0; i < SR_COUNT(calls); i++) {
        struct sr_error err = {0};
        struct talk t;
        talk_begin(&t);
        fail_call(calls[i], 0, 1, EMFILE);
        cr_expect_eq(converse(&err), SR_NOINPUT, "%s: %s", calls[i], err.text);
        cr_expect(strstr(err.text, "full.h5: ") && strstr(err.text, strerror(EMFILE)), "%s: %s", calls[i],
                  err.text);
        fail_call(NULL, 0, 0, 0);
        cr_expect_eq(converse(&err), 0, "%s: %s", calls[i], err.text);
        talk_end(&t);
    }
}

/* ---- starting ---- */

static int descriptors(void) {
    int n = 0;
    for (int file = 0; file < 256; file++)
        n += fcntl(file, F_GETFD) >= 0;
    return n;
}

Test(isolate_calls, a_reader_is_started_and_ended) {
    struct sr_error err = {0};
    cr_assert_eq(sr_isolate_begin(&err), 0, "%s", err.text);
    cr_expect(sr_isolate_running());
    fail_call("clock_getcpuclockid", 0, 1000000, ESRCH);
    cr_expect_eq(converse(&err), 0, "%s", err.text);
    fail_call("waitpid", 0, 3, EINTR);
    cr_expect_eq(sr_isolate_end(true, &err), 0, "%s", err.text);
    cr_expect_lt(atomic_load(&failing.times), 1, "none was interrupted");
    fail_call(NULL, 0, 0, 0);
    cr_expect_not(sr_isolate_running());
    cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "a reader is left");
    cr_expect_eq(sr_isolate_end(true, &err), 0, "%s", err.text);
}

/* This process has no other child. */
static void kill_reader(void) {
    cr_assert_eq(system("kill -9 $(cut -d' ' -f1 /proc/$PPID/task/$PPID/children)"), 0);
}

/* How it ended is asked until that is told, or nobody knows. */
Test(isolate_calls, a_reader_that_dies) {
    static const struct {
        int times, reason;
        const char *word;
    } cases[] = {{3, EINTR, "died of signal 9"}, {1, ECHILD, "ended by itself with status 0"}};
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        struct sr_error err = {0}, again = {0};
        cr_assert_eq(sr_isolate_begin(&err), 0, "%s", err.text);
        fail_call("waitpid", 0, cases[i].times, cases[i].reason);
        kill_reader();
        cr_expect_eq(converse(&err), SR_DATA, "%s", err.text);
        cr_expect(strstr(err.text, cases[i].word), "%s", err.text);
        fail_call(NULL, 0, 0, 0);
        cr_expect_eq(sr_isolate_end(i == 0, &again), i == 0 ? 0 : SR_DATA, "told, and reported or not");
        cr_expect_str_eq(again.text, i == 0 ? "" : err.text);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}

/* Who only looked whether something is there has not been told: the end is. */
Test(isolate_calls, a_reader_that_dies_unnoticed) {
    char path[2048];
    struct sr_error err = {0};
    struct sr_h5 *f;
    cr_assert_eq(sr_isolate_begin(&err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_open(&f, fixture_paths(path, "full"), &err), 0, "%s", err.text);
    kill_reader();
    cr_expect_not(sr_h5_has(f, "features"));
    sr_h5_close(f, NULL);
    cr_expect_eq(sr_isolate_end(true, &err), SR_DATA);
    cr_expect(strstr(err.text, "died of signal 9"), "%s", err.text);
}

/* That it ends does not hang on whether it can be waited for. */
Test(isolate_calls, a_reader_that_cannot_be_waited_for) {
    struct sr_error err = {0};
    cr_assert_eq(sr_isolate_begin(&err), 0, "%s", err.text);
    fail_call("waitpid", 0, 1, ECHILD);
    cr_expect_eq(sr_isolate_end(true, &err), 0, "%s", err.text);
    fail_call(NULL, 0, 0, 0);
    cr_expect_gt(waitpid(-1, NULL, 0), 0, "it was not ended");
}

/* For each of what starting allocates: no reader, not one with less than it needs. */
Test(isolate_calls, a_reader_that_there_is_no_memory_for) {
    bool failed = true;
    uint64_t nth = 1;
    for (; failed; nth++) {
        struct sr_error err = {0};
        const int before = descriptors();
        memory_begin(nth);
        const int status = sr_isolate_begin(&err);
        failed = memory_end().failed;
        cr_expect(failed ? status == SR_NOMEM || strstr(err.text, strerror(ENOMEM)) : status == 0,
                  "%d: %d, %s", (int)nth, status, err.text);
        cr_expect_eq(sr_isolate_end(true, &err), 0, "%s", err.text);
        cr_expect_eq(descriptors(), before, "%d: descriptors are left", (int)nth);
        cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "%d: a reader is left", (int)nth);
    }
    cr_expect_gt(nth, 2);
}

Test(isolate_calls, what_a_reader_needs_to_be_started) {
    static const struct {
        const char *call, *word;
        int skipped;
    } cases[] = {
        {"memfd_create", "no channel", 0},
        {"move", "no channel", 0},
        {"ftruncate", "no channel", 0},
        {"seal", "no channel", 0},
        {"mmap", "no channel", 0},
        {"socketpair", "no channel", 0},
        {"move", "no channel", 1},
        {"move", "no channel", 2},
        {"posix_spawn", "cannot be started", 0},
        {"adddup2", "cannot be started", 0},
        {"adddup2", "cannot be started", 1},
        {"recv", "could not be closed off", 0},
    };
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        struct sr_error err = {0};
        const int before = descriptors();
        fail_call(cases[i].call, cases[i].skipped, 1, EAGAIN);
        cr_expect_eq(sr_isolate_begin(&err), SR_IO, "%s %d", cases[i].call, cases[i].skipped);
        cr_expect_leq(atomic_load(&failing.times), 0, "%s %d was not called", cases[i].call,
                      cases[i].skipped);
        fail_call(NULL, 0, 0, 0);
        cr_expect(strstr(err.text, "--isolate: ") && strstr(err.text, cases[i].word), "%s: %s", cases[i].call,
                  err.text);
        cr_expect_not(sr_isolate_running(), "%s", cases[i].call);
        cr_expect_eq(descriptors(), before, "%s %d: descriptors are left", cases[i].call, cases[i].skipped);
        cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "%s: a reader is left", cases[i].call);
    }
}

/* ---- the first words ---- */

static void expect_greeting(const struct sr_isolate_answer *a, size_t bytes, int status, const char *word) {
    static unsigned char window[64];
    struct sr_error err = {0};
    int ends[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    struct sr_channel c = {.socket = ends[0],
                           .window = window,
                           .seconds = 60,
                           .wait_seconds = 60,
                           .mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP};
    cr_assert_eq(send(ends[1], a, bytes, 0), (ssize_t)bytes);
    close(ends[1]);
    cr_expect_eq(sr_channel_greet(&c, &err), status, "%s", err.text);
    cr_expect(strstr(err.text, word), "\"%s\" is not in: %s", word, err.text);
    sr_channel_close(&c);
}

Test(isolate_calls, a_reader_that_is_not_closed_off_is_not_used) {
    const struct sr_isolate_answer good = {.status = 0},
                                   bad = {.status = SR_IO, .text = "seccomp: no such thing"};
    expect_greeting(&good, sizeof good, 0, "");
    expect_greeting(&bad, sizeof bad, SR_IO,
                    "could not be closed off, so nothing was read: seccomp: no such thing");
    expect_greeting(&good, 4, SR_IO, "answered what no reader answers");
    expect_greeting(&good, 0, SR_IO, "closed its channel");
}

/* ---- by hand ---- */

Test(isolate_calls, a_reader_without_a_window) {
    struct sr_error err = {0};
    fail_call("mmap", 0, 1, EBADF);
    cr_expect_eq(sr_isolate_read(&err), SR_USAGE);
    cr_expect(strstr(err.text, "not to be called by hand"), "%s", err.text);
    char *by_hand[] = {(char[]){"saferoute"}, (char[]){"train"}, NULL};
    cr_expect_not(sr_isolate_is_reader(2, by_hand));
    cr_expect_not(sr_isolate_is_reader(1, by_hand));
}

/* The reader's two descriptors, and what was there before. */
struct ends {
    int kept[2], socket;
};

static void ends_begin(struct ends *e) {
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    const int memory = memfd_create("window", 0);
    cr_assert_eq(ftruncate(memory, (off_t)SR_ISOLATE_WINDOW), 0);
    const int from[] = {fcntl(pair[1], F_DUPFD_CLOEXEC, 30), fcntl(memory, F_DUPFD_CLOEXEC, 30)};
    e->socket = fcntl(pair[0], F_DUPFD_CLOEXEC, 30);
    close(pair[0]);
    close(pair[1]);
    close(memory);
    for (int i = 0; i < 2; i++) {
        e->kept[i] = fcntl(SR_ISOLATE_SOCKET + i, F_DUPFD_CLOEXEC, 40);
        cr_assert_eq(dup2(from[i], SR_ISOLATE_SOCKET + i), SR_ISOLATE_SOCKET + i);
        close(from[i]);
    }
}

static void ends_end(struct ends *e) {
    close(e->socket);
    for (int i = 0; i < 2; i++) {
        close(SR_ISOLATE_SOCKET + i);
        if (e->kept[i] >= 0)
            dup2(e->kept[i], SR_ISOLATE_SOCKET + i);
        close(e->kept[i]);
    }
}

/* It says so, if there is anybody to tell, and answers nothing. */
Test(isolate_calls, a_reader_that_cannot_be_closed_off) {
    char *is_one[] = {(char[]){"saferoute"}, (char[]){SR_ISOLATE_READER}, NULL};
    struct sr_isolate_answer a;
    struct sr_error err = {0};
    struct ends e;
    cr_expect(sr_isolate_is_reader(2, is_one));
    ends_begin(&e);
    fail_call("close_range", 0, 1, ENOSYS);
    cr_expect_eq(sr_isolate_read(&err), SR_IO);
    cr_expect_eq(recv(e.socket, &a, sizeof a, 0), (ssize_t)sizeof a);
    cr_expect(a.status == SR_IO && strstr(a.text, "descriptors cannot be closed"), "%s", a.text);
    ends_end(&e);
    ends_begin(&e);
    shutdown(e.socket, SHUT_RDWR);
    fail_call("close_range", 0, 1, ENOSYS);
    cr_expect_eq(sr_isolate_read(&err), SR_IO);
    cr_expect_str_eq(err.text, "the channel is closed");
    ends_end(&e);
}
