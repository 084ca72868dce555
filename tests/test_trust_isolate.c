/* test_trust_isolate.c: the parts of --isolate: what the reading process may not do, and that who asks it
 * believes nothing. The program itself is in test_trust_isolate_command.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "data/sandbox.h"
#include "tests/dump_fixture.h"
#include "tests/liar.h"
#include "tests/trust.h"

/* ---- what is left to a process that is closed off ---- */

#define OUTSIDE 20 /* a descriptor that stays open */

static void *shared_page(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(page, MAP_FAILED);
    return page;
}

/* Runs `what` in a child that is closed off; its wait status. 7: what came back. */
static int closed_off(void *note, void (*what)(const void *user), const void *user) {
    const pid_t child = fork();
    if (child == 0) {
        struct sr_error err;
        if (sr_sandbox_enter(note, OUTSIDE + 1, &err) < 0)
            _exit(99);
        what(user);
        _exit(7);
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}

struct call {
    const char *name;
    long number;
    long a[6];
};

static void make_call(const void *user) {
    const struct call *c = user;
    syscall(c->number, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);
}

#define PATH_ARGUMENT ((long)"/tmp/sr_isolate_none")
#define CALL(name, ...)                                                                                      \
    {                                                                                                        \
#name, SYS_##name, {                                                                                 \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }

/* Sockets, files, programs, processes, other processes, code, and what would take the limits off. */
Test(trust_isolate, forbidden_calls_are_not_made) {
    const struct call calls[] = {
        CALL(openat, AT_FDCWD, PATH_ARGUMENT, O_RDONLY, 0),
        CALL(openat, AT_FDCWD, PATH_ARGUMENT, O_WRONLY | O_CREAT, 0600),
        CALL(openat2, AT_FDCWD, PATH_ARGUMENT, 0, 0),
        CALL(unlinkat, AT_FDCWD, PATH_ARGUMENT, 0),
        CALL(mkdirat, AT_FDCWD, PATH_ARGUMENT, 0700),
        CALL(renameat2, AT_FDCWD, PATH_ARGUMENT, AT_FDCWD, PATH_ARGUMENT, 0),
        CALL(readlinkat, AT_FDCWD, PATH_ARGUMENT, 0, 0),
        CALL(getcwd, 0, 0),
        CALL(write, 1, PATH_ARGUMENT, 1),
        CALL(pwrite64, OUTSIDE, PATH_ARGUMENT, 1, 0),
        CALL(ftruncate, OUTSIDE, 0),
        CALL(ioctl, 0, 0x5412, PATH_ARGUMENT), /* a character typed into the terminal */
        CALL(fcntl, OUTSIDE, F_SETFL, 0),
        CALL(dup, OUTSIDE),
        CALL(memfd_create, PATH_ARGUMENT, 0),
        CALL(execve, PATH_ARGUMENT, 0, 0),
        CALL(execveat, OUTSIDE, (long)"", 0, 0, AT_EMPTY_PATH),
        CALL(clone, SIGCHLD, 0, 0, 0, 0),
        CALL(clone3, 0, 0),
        CALL(socket, AF_UNIX, SOCK_STREAM, 0),
        CALL(socket, AF_INET, SOCK_STREAM, 0),
        CALL(socketpair, AF_UNIX, SOCK_STREAM, 0, 0),
        CALL(connect, OUTSIDE, 0, 0),
        CALL(kill, getpid(), 0),
        CALL(tgkill, getpid(), getpid(), 0),
        CALL(tkill, getpid(), 0),
        CALL(rt_sigaction, SIGSYS, 0, 0, 8),
        CALL(ptrace, PTRACE_TRACEME, 0, 0, 0),
        CALL(process_vm_readv, getpid(), 0, 0, 0, 0, 0),
        CALL(process_vm_writev, getpid(), 0, 0, 0, 0, 0),
        CALL(pidfd_open, getpid(), 0),
        CALL(mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
        CALL(mmap, 0, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0), /* these two no limit counts */
        CALL(mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0),
        CALL(madvise, 0x10000, 4096, MADV_HWPOISON),
        CALL(mprotect, 0x10000, 4096, PROT_READ | PROT_EXEC),
        CALL(prctl, PR_SET_DUMPABLE, 1, 0, 0, 0),
        CALL(seccomp, 0, 0, 0),
        CALL(setrlimit, RLIMIT_DATA, 0),
        CALL(prlimit64, 0, RLIMIT_DATA, 0, 0),
        CALL(setpgid, 0, 0),
        CALL(setsid, 0),
        CALL(bpf, 0, 0, 0),
        CALL(io_uring_setup, 1, 0),
        CALL(userfaultfd, 0),
        CALL(perf_event_open, 0, 0, 0, 0, 0),
        CALL(unshare, 0),
        CALL(shmget, 0, 4096, 0600),
    };
    void *note = shared_page();
    char text[64];
    cr_assert_eq(dup2(2, OUTSIDE), OUTSIDE);
    for (size_t i = 0; i < SR_COUNT(calls); i++) {
        memset(note, 0, sizeof(long));
        const int status = closed_off(note, make_call, &calls[i]);
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == SR_SANDBOX_FORBIDDEN, "%s: wait status %x",
                  calls[i].name, (unsigned)status);
        sr_sandbox_forbidden(text, note);
        cr_expect_eq(strncmp(text, calls[i].name, strlen(calls[i].name)), 0, "%s: \"%s\"", calls[i].name,
                     text);
    }
    munmap(note, 4096);
}

/* What the C library does where it finds its heap destroyed. */
static void free_twice(const void *user) {
    char *volatile block = malloc(1 << 20), *volatile inside = block + 16;
    (void)user;
    free(inside);
}

static void read_as_readers_do(const void *user) {
    const int file = *(const int *)user;
    char head[8];
    struct stat st;
    const volatile size_t some = (size_t)64 << 20,
                          most = SR_SANDBOX_MEMORY; /* that the compiler calls malloc */
    void *block = malloc(some);
    if (!block || pread(file, head, sizeof head, 0) != sizeof head || memcmp(head + 1, "HDF", 3) != 0)
        _exit(1);
    if (syscall(SYS_fstat, file, &st) < 0 || lseek(file, 0, SEEK_END) != st.st_size)
        _exit(2);
    free(block);
    if (access("/etc/passwd", R_OK) == 0 || errno != EACCES)
        _exit(3);
    if (fstatat(file, "/etc/passwd", &st, AT_EMPTY_PATH) == 0 || errno != EACCES)
        _exit(10);
    if (writev(2, &(struct iovec){head, 1}, 1) >= 0 || errno != EBADF)
        _exit(9);
    if (nanosleep(&(struct timespec){3600, 0}, NULL) != 0) /* which takes no time */
        _exit(8);
    if (malloc(most + some) || !malloc(most / 2))
        _exit(4);
    if (pread(OUTSIDE + 1, head, 1, 0) >= 0 || errno != EBADF)
        _exit(5);
    raise(SIGINT); /* the parent's matter */
    _exit(6);
}

Test(trust_isolate, reading_is_left) {
    char path[2048];
    void *note = shared_page();
    const int file = open(fixture_paths(path, "full"), O_RDONLY);
    cr_assert_eq(dup2(file, OUTSIDE), OUTSIDE);
    cr_assert_eq(dup2(file, OUTSIDE + 1), OUTSIDE + 1);
    if (*SR_SANITIZE)
        cr_skip("a sanitizer's malloc ends the process where there is no memory");
    const int status = closed_off(note, read_as_readers_do, &(int){OUTSIDE});
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 6, "wait status %x", (unsigned)status);
    munmap(note, 4096);
}

Test(trust_isolate, a_destroyed_heap_aborts) {
    void *note = shared_page();
    if (*SR_SANITIZE)
        cr_skip("a sanitizer's free says it otherwise");
    const int status = closed_off(note, free_twice, NULL);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "wait status %x", (unsigned)status);
    munmap(note, 4096);
}

/* ---- seen from outside ---- */

/* A child that is closed off and then waits to be killed; its end of a pipe is open until then. */
static pid_t closed_off_and_waiting(volatile long *note, int outside) {
    const pid_t child = fork();
    if (child == 0) {
        struct sr_error err;
        dup2(outside, OUTSIDE);
        if (sr_sandbox_enter((void *)(uintptr_t)note, OUTSIDE + 1, &err) < 0)
            _exit(99);
        for (*note = 1;;)
            syscall(SYS_futex, note, 0 /* FUTEX_WAIT */, 1, NULL, NULL, 0);
    }
    while (*note == 0)
        usleep(1000);
    return child;
}

/* The line of /proc/PID/FILE that begins with `key`, behind it. */
static void proc_line(char text[64], pid_t of, const char *file, const char *key) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)of, file);
    FILE *from = fopen(path, "r");
    cr_assert_not_null(from);
    text[0] = '\0';
    while (fgets(line, sizeof line, from))
        if (strncmp(line, key, strlen(key)) == 0)
            snprintf(text, 64, "%s", line + strlen(key));
    fclose(from);
}

Test(trust_isolate, limits_are_set) {
    volatile long *note = shared_page();
    const pid_t child = closed_off_and_waiting(note, 2);
    struct rlimit limit;
    char text[64];
    cr_assert_eq(prlimit(child, RLIMIT_CORE, NULL, &limit), 0);
    cr_expect(limit.rlim_cur == 0 && limit.rlim_max == 0);
    cr_assert_eq(prlimit(child, RLIMIT_FSIZE, NULL, &limit), 0);
    cr_expect(limit.rlim_cur == 0 && limit.rlim_max == 0);
    cr_assert_eq(prlimit(child, RLIMIT_NPROC, NULL, &limit), 0);
    cr_expect(limit.rlim_cur == 0 && limit.rlim_max == 0);
    cr_assert_eq(prlimit(child, RLIMIT_DATA, NULL, &limit), 0);
    cr_expect(limit.rlim_max >= SR_SANDBOX_MEMORY &&
              (*SR_SANITIZE || limit.rlim_max < SR_SANDBOX_MEMORY * 2));
    proc_line(text, child, "status", "Seccomp:\t");
    cr_expect_str_eq(text, "2\n");
    proc_line(text, child, "status", "NoNewPrivs:\t");
    cr_expect_str_eq(text, "1\n");
    proc_line(text, child, "oom_score_adj", "");
    if (access("/proc/self/oom_score_adj", W_OK) == 0)
        cr_expect_str_eq(text, "1000\n");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* Its parent, in between, is gone: so is it. */
Test(trust_isolate, it_dies_with_its_parent, .timeout = 60) {
    volatile long *note = shared_page();
    int ends[2];
    char byte;
    cr_assert_eq(pipe(ends), 0);
    const pid_t between = fork();
    if (between == 0) {
        closed_off_and_waiting(note, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    waitpid(between, NULL, 0);
    cr_expect_eq(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

/* ---- how a reader ends ---- */

static void open_from(struct sr_channel *c, struct sr_error *err) {
    struct sr_h5 *f;
    char path[2048];
    sr_isolate_use(c);
    cr_expect_eq(sr_h5_open(&f, fixture_paths(path, "full"), err), SR_DATA);
    sr_isolate_use(NULL);
}

static int take_any(void *user, const void *bytes, size_t n, struct sr_error *err) {
    (void)user;
    (void)bytes;
    (void)n;
    (void)err;
    return 0;
}

/* Something whose answer may come in pieces. */
static void take_from(struct sr_channel *c, struct sr_error *err) {
    const struct sr_isolate_request q = {.op = SR_ISOLATE_TEXTS};
    cr_expect_eq(sr_channel_ask(c, &q, "full.h5", -1, take_any, NULL, NULL, err), SR_DATA);
}

static int child_socket;

/* A child that does `what` once it was asked, and how that is told. */
static void expect_end_of(void (*ask)(struct sr_channel *c, struct sr_error *err), void (*what)(void),
                          double seconds, double wait_seconds, const char *word) {
    int ends[2];
    struct sr_error err = {0}, again = {0};
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        static struct sr_isolate_request q;
        close(ends[0]);
        child_socket = ends[1];
        if (recv(ends[1], &q, sizeof q, 0) > 0)
            what();
        _exit(0);
    }
    close(ends[1]);
    struct sr_channel c = {.socket = ends[0],
                           .reader = child,
                           .window = shared_page(),
                           .seconds = seconds,
                           .wait_seconds = wait_seconds,
                           .mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP};
    ask(&c, &err);
    cr_expect(strstr(err.text, word), "\"%s\" is not in: %s", word, err.text);
    cr_expect(strstr(err.text, "full.h5"), "%s", err.text);
    cr_expect(strstr(err.text, "damaged or hostile"), "%s", err.text);
    cr_expect_eq(waitpid(child, NULL, 0), -1, "the child is left");
    ask(&c, &again);
    cr_expect_str_eq(again.text, err.text);
    sr_channel_close(&c);
}

static void expect_end(void (*what)(void), double seconds, double wait_seconds, const char *word) {
    expect_end_of(open_from, what, seconds, wait_seconds, word);
}

static void die_of_segv(void) {
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}

static void die_of_abort(void) {
    signal(SIGABRT, SIG_DFL);
    raise(SIGABRT);
}

static void die_of_kill(void) {
    raise(SIGKILL);
}

static void leave(void) {
    _exit(3);
}

static void be_stopped(void) {
    _exit(SR_SANDBOX_FORBIDDEN);
}

static void spin(void) {
    for (volatile unsigned i = 0;; i++)
        ;
}

/* Pieces of a byte, for ever. work: processor time before each. */
static void send_pieces(double work, long pause_ns) {
    static struct sr_isolate_request q;
    const struct sr_isolate_answer a = {.more = 1, .bytes = 1};
    for (;;) {
        const clock_t began = clock();
        while ((double)(clock() - began) / CLOCKS_PER_SEC < work) {
        }
        nanosleep(&(struct timespec){0, pause_ns}, NULL);
        if (send(child_socket, &a, sizeof a, MSG_NOSIGNAL) < 0 || recv(child_socket, &q, sizeof q, 0) <= 0)
            _exit(0);
    }
}

static void work_in_pieces(void) {
    send_pieces(.02, 0);
}

static void wait_in_pieces(void) {
    send_pieces(0, 10000000);
}

/* One good answer, and then work that nobody asked for. */
static void work_unasked(void) {
    const struct sr_isolate_answer a = {.status = 0};
    send(child_socket, &a, sizeof a, MSG_NOSIGNAL);
    for (volatile unsigned i = 0;; i++)
        ;
}

static void ask_after_a_while(struct sr_channel *c, struct sr_error *err) {
    const struct sr_isolate_request q = {.op = SR_ISOLATE_TEXTS};
    if (!c->failed)
        cr_expect_eq(sr_channel_ask(c, &q, "full.h5", -1, take_any, NULL, NULL, err), 0);
    struct pollfd p = {.fd = c->socket, .events = POLLIN}; /* which stays quiet */
    poll(&p, 1, 500);
    take_from(c, err);
}

static void sleep_on(void) {
    for (;;)
        pause();
}

Test(trust_isolate, the_end_of_a_reader_is_told) {
    expect_end(die_of_segv, 60, 60, "died of signal 11 (Segmentation fault)");
    expect_end(die_of_abort, 60, 60, "died of signal 6 (Aborted)");
    expect_end(die_of_kill, 60, 60, "died of signal 9 (Killed), as when the machine's memory runs out");
    expect_end(leave, 60, 60, "ended by itself with status 3");
    expect_end(be_stopped, 60, 60, "made the system call");
    expect_end(spin, .2, 600, "seconds of processor time for one answer");
    expect_end(sleep_on, 60, .2, "seconds for its answers");
}

/* However many pieces it has, and whatever else it does. */
Test(trust_isolate, an_answer_takes_no_longer_in_pieces) {
    expect_end_of(take_from, work_in_pieces, .2, 600, "seconds of processor time for one answer");
    expect_end_of(take_from, wait_in_pieces, 60, .2, "seconds for its answers");
    expect_end_of(ask_after_a_while, work_unasked, .2, 600, "seconds of processor time for one answer");
}

/* No answer takes long. */
static void doze_each_time(void) {
    static struct sr_isolate_request q;
    const struct sr_isolate_answer a = {.status = 0};
    do
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    while (send(child_socket, &a, sizeof a, MSG_NOSIGNAL) > 0 && recv(child_socket, &q, sizeof q, 0) > 0);
}

static void ask_often(struct sr_channel *c, struct sr_error *err) {
    const struct sr_isolate_request q = {.op = SR_ISOLATE_TEXTS};
    int asked = 0;
    while (asked < 40 && sr_channel_ask(c, &q, "full.h5", -1, take_any, NULL, NULL, err) == 0)
        asked++;
    cr_expect(asked < 40, "a reader may doze %d times", asked);
}

Test(trust_isolate, all_answers_together_take_no_longer) {
    expect_end_of(ask_often, doze_each_time, 60, .3, "seconds for its answers");
}

static bool has_text(char *const *list, const char *text) {
    for (; *list; list++)
        if (strcmp(*list, text) == 0)
            return true;
    return false;
}

Test(trust_isolate, a_reader_is_not_told_secrets) {
    char library[] = "LD_LIBRARY_PATH=/opt/lib", secret[] = "CLOUD_SECRET=1", threads[] = "OMP_NUM_THREADS=8";
    char *whole[] = {library, secret, threads, NULL}, **told = sr_isolate_environment(whole, NULL);
    cr_assert_not_null(told);
    cr_expect(has_text(told, library));
    cr_expect(has_text(told, "OMP_NUM_THREADS=1"));
    cr_expect_not(has_text(told, secret));
    cr_expect_not(has_text(told, threads));
    sr_free(told);
}

/* ---- answers that no reader gives ---- */

/* The first `size` bytes of *a for an answer, and what is said of it. */
static void expect_word(const struct sr_isolate_answer *a, size_t size, const char *word, const char *name) {
    int ends[2];
    struct sr_error err = {0};
    unsigned char bytes[2 * sizeof *a] = {0};
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    memcpy(bytes, a, sizeof *a);
    cr_assert_eq(send(ends[1], bytes, size, 0), (ssize_t)size); /* before it is asked */
    struct sr_channel c = {.socket = ends[0],
                           .window = shared_page(),
                           .seconds = 60,
                           .wait_seconds = 60,
                           .mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP};
    open_from(&c, &err);
    cr_expect(strstr(err.text, word), "%s: %s", name, err.text);
    sr_channel_close(&c);
    close(ends[1]);
}

static void expect_nonsense(const struct sr_isolate_answer *a, size_t size, const char *name) {
    expect_word(a, size, "answered what no reader answers", name);
}

Test(trust_isolate, answers_that_no_reader_gives) {
    const size_t size = sizeof(struct sr_isolate_answer);
    struct sr_isolate_answer endless = {.status = SR_DATA};
    memset(endless.text, 'x', sizeof endless.text);
    expect_nonsense(&(struct sr_isolate_answer){0}, size - 1, "too short");
    expect_nonsense(&(struct sr_isolate_answer){0}, size + 1, "too long");
    expect_nonsense(&(struct sr_isolate_answer){.status = 1}, size, "a status above 0");
    expect_nonsense(&(struct sr_isolate_answer){.status = SR_USAGE}, size, "a status that reading has not");
    expect_nonsense(&(struct sr_isolate_answer){.more = 2, .bytes = 8}, size, "more is 2");
    expect_nonsense(&(struct sr_isolate_answer){.more = 1}, size, "a piece of no bytes");
    expect_nonsense(&(struct sr_isolate_answer){.bytes = 8}, size, "bytes that nobody asked for");
    expect_nonsense(&(struct sr_isolate_answer){.bytes = SR_ISOLATE_WINDOW + 1}, size, "behind the window");
    expect_nonsense(&(struct sr_isolate_answer){.status = SR_DATA, .bytes = 8}, size, "an error with bytes");
    expect_nonsense(&(struct sr_isolate_answer){.status = SR_DATA, .more = 1}, size, "an error with more");
    expect_nonsense(&endless, size, "a text without an end");
    expect_word(&(struct sr_isolate_answer){.status = SR_NOMEM, .text = "x"}, size,
                "takes more memory than a reader", "what a reader lacks its file has asked for");
}

/* ---- lies ---- */

/* Everything that a command asks of a dump. */
static int ask_all(const char *path, struct sr_error *err) {
    struct sr_facts facts = {0};
    struct sr_data_options how = {.label_optional = true};
    struct sr_data *d = NULL;
    struct sr_scan scan;
    const char *title = NULL;
    int status = sr_data_facts_hdf5(&facts, &title, path, &how, err);
    sr_facts_free(&facts);
    if (status == 0)
        status = sr_data_open(&d, path, &how, err);
    if (status == 0 && (status = sr_data_scan(d, &scan, NULL, NULL, err)) == 0)
        sr_scan_free(&scan);
    sr_data_close(d);
    return status;
}

static const char *const asked[] = {"full",         "half_chunked", "full_other_sources", "verdicts",
                                    "id_s16",       "double",       "threshold_text",     "scores_long",
                                    "unknown_gold", "bfloat_opaque"};

Test(trust_isolate, an_honest_reader_is_understood) {
    for (size_t i = 0; i < SR_COUNT(asked); i++) {
        struct liar l;
        struct sr_error here = {0}, away = {0};
        char path[2048];
        fixture_paths(path, asked[i]);
        const int wanted = ask_all(path, &here);
        liar_begin(&l, i, 0);
        cr_expect_eq(ask_all(path, &away), wanted, "%s: %s", asked[i], away.text);
        cr_expect_str_eq(away.text, here.text);
        cr_expect_not(l.channel.failed);
        liar_end(&l);
    }
}

/* Whatever it answers: bad data, or a dump that is another one; no crash, nothing endless. */
Test(trust_isolate, a_lying_reader_does_no_harm, .timeout = 3600) {
    const size_t times = trust_times(100000, 1500);
    size_t refused = 0, lies = 0;
    for (size_t i = 0; i < times; i++) {
        struct liar l;
        struct sr_error err = {0};
        char path[2048];
        fixture_paths(path, asked[i % SR_COUNT(asked)]);
        liar_begin(&l, i, 1 + (unsigned)(i / SR_COUNT(asked)) % 40);
        const int status = ask_all(path, &err);
        cr_expect(status == 0 || status == SR_DATA || status == SR_IO, "seed %zu: status %d: %s", i, status,
                  err.text);
        liar_end(&l);
        refused += status < 0;
        lies += l.lies;
    }
    cr_log_info("%zu runs, %zu lies, %zu refused", times, lies, refused);
    cr_expect_gt(refused, times / 4);
    cr_expect_lt(refused, times);
}
