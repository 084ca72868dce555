/* test_trust_sandbox.c: what the reading process of --isolate may not do once it is closed off
 * (data/sandbox.h), and what is left to it. Who asks it: test_trust_isolate.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "data/sandbox.h"
#include "tests/dump_fixture.h"

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
Test(trust_sandbox, forbidden_calls_are_not_made) {
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

Test(trust_sandbox, reading_is_left) {
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

Test(trust_sandbox, a_destroyed_heap_aborts) {
    void *note = shared_page();
    if (*SR_SANITIZE)
        cr_skip("a sanitizer's free says it otherwise");
    const int status = closed_off(note, free_twice, NULL);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "wait status %x", (unsigned)status);
    munmap(note, 4096);
}

/* ---- seen from outside ---- */

enum { NOBODY = 65534 };

/* What a process of root's has in /proc is root's anyway, and the test would see nothing. A change of ids
 * makes a process undumpable: that is undone, so that only the sandbox can have done it. */
static void be_nobody(void) {
    if (geteuid() == 0 && (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
                           prctl(PR_SET_DUMPABLE, 1) < 0))
        _exit(errno);
}

/* A child that is closed off and then waits to be killed; its end of a pipe is open until then. */
static pid_t closed_off_and_waiting(volatile long *note, int outside, bool nobody) {
    const pid_t child = fork();
    if (child == 0) {
        struct sr_error err;
        dup2(outside, OUTSIDE);
        if (nobody)
            be_nobody();
        if (sr_sandbox_enter((void *)(uintptr_t)note, OUTSIDE + 1, &err) < 0)
            _exit(99);
        for (*note = 1;;)
            syscall(SYS_futex, note, 0 /* FUTEX_WAIT */, 1, NULL, NULL, 0);
    }
    while (*note == 0) {
        int status = 0;
        cr_assert_eq(waitpid(child, &status, WNOHANG), 0, "it ended before: wait status %x",
                     (unsigned)status);
        usleep(1000);
    }
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

Test(trust_sandbox, limits_are_set) {
    volatile long *note = shared_page();
    const pid_t child = closed_off_and_waiting(note, 2, false);
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

/* proc(5): what is not dumpable has nothing there that is its user's, and none but root may trace it. */
Test(trust_sandbox, its_user_may_not_look_into_it, .timeout = 60) {
    volatile long *note = shared_page();
    const pid_t child = closed_off_and_waiting(note, 2, true);
    const uid_t user = geteuid() == 0 ? NOBODY : geteuid();
    struct stat st;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)child);
    cr_expect(stat(path, &st) < 0 || st.st_uid != user); /* hidepid: not even that it is there */
    cr_expect_eq(waitpid(child, NULL, WNOHANG), 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* Its parent, in between, is gone: so is it. */
Test(trust_sandbox, it_dies_with_its_parent, .timeout = 60) {
    volatile long *note = shared_page();
    int ends[2];
    char byte;
    cr_assert_eq(pipe(ends), 0);
    const pid_t between = fork();
    if (between == 0) {
        closed_off_and_waiting(note, ends[1], false);
        _exit(0);
    }
    close(ends[1]);
    waitpid(between, NULL, 0);
    cr_expect_eq(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}
