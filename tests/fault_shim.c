/* fault_shim.c: a library for LD_PRELOAD that makes the program's n-th file operation fail.
 *
 * The C library's streams write past the symbols that a preloaded library can replace, so it is not the
 * functions that are replaced: a seccomp filter traps the system calls made from the C library's code, and
 * the handler of SIGSYS counts them, notes them, and makes the call itself or does what was asked. So nothing
 * is missed, and the loader's and the sanitizers' own files are not counted.
 *
 * SR_FAULT=KINDS:N:WHAT[:PATTERN]
 *   - the N-th call (from 1; N+: all later ones too) of these KINDS on a path that contains PATTERN
 *   - KINDS, with commas: open read write fsync rename link unlink mkdir rmdir truncate close
 *   - any: all but close; change: all that change files, so an open only with O_CREAT, O_TRUNC or O_TMPFILE
 *   - WHAT is ENOSPC, EIO or any other errno's name: the call fails so, and is not made
 *   - short: half of the bytes, at least one, are read or written
 *   - kill, kill_after: SIGKILL before or after the call
 *   - cut, empty: the file is made half as long, or empty, before the call
 *   - replace: the file PATH.new gets the name PATH before the call
 *   - signal=TERM (INT, HUP, USR1, STOP, ...): that signal before the call
 * SR_FAULT_LOG=FILE
 *   - a line for each call, whatever its path (close only where that is a KIND)
 *   - KIND RESULT OFFSET BYTES FLAGS MARK PATH TAB OTHER-PATH
 *   - RESULT as the kernel gives it: -errno a failure, and -EINTR before a signal; OFFSET or -1
 *   - FLAGS of an open, else 0; MARK: "!" the fault came here, "+" of the KINDS and PATTERN, "-" not
 * SR_FAULT_DATA=FILE
 *   - the bytes written, one call's after the other's, in the order of the log
 *
 * A thread's calls are in order; those of several threads in the order of their ends. Counts are per process;
 * a program started by this one counts anew. What it cannot do: a child of posix_spawn whose file actions
 * open or close files is killed (SIGSYS is blocked there). Linux on x86-64 only; elsewhere it ends with 99.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#define COUNT(a)   (sizeof(a) / sizeof *(a))
#define KERNEL_SET 8 /* bytes of the kernel's signal set */

static void die(const char *why) {
    fprintf(stderr, "fault_shim: %s\n", why);
    _exit(99);
}

#ifdef __x86_64__

enum kind { OPEN, READ, WRITE, FSYNC, RENAME, LINK, UNLINK, MKDIR, RMDIR, TRUNCATE, CLOSE, KINDS };
static const char *const kind_name[KINDS] = {"open",   "read",  "write", "fsync",    "rename", "link",
                                             "unlink", "mkdir", "rmdir", "truncate", "close"};

/* How a call names its file: by descriptor, by path, by folder and path, by two of either. */
enum form { FD, PATH, AT, PATHS, ATS };

static const struct call {
    int number;
    enum kind kind;
    enum form form;
} calls[] = {
    {SYS_open, OPEN, PATH},        {SYS_openat, OPEN, AT},        {SYS_creat, OPEN, PATH},
    {SYS_read, READ, FD},          {SYS_pread64, READ, FD},       {SYS_readv, READ, FD},
    {SYS_preadv, READ, FD},        {SYS_write, WRITE, FD},        {SYS_pwrite64, WRITE, FD},
    {SYS_writev, WRITE, FD},       {SYS_pwritev, WRITE, FD},      {SYS_fsync, FSYNC, FD},
    {SYS_fdatasync, FSYNC, FD},    {SYS_rename, RENAME, PATHS},   {SYS_renameat, RENAME, ATS},
    {SYS_renameat2, RENAME, ATS},  {SYS_link, LINK, PATHS},       {SYS_linkat, LINK, ATS},
    {SYS_unlink, UNLINK, PATH},    {SYS_unlinkat, UNLINK, AT},    {SYS_mkdir, MKDIR, PATH},
    {SYS_mkdirat, MKDIR, AT},      {SYS_rmdir, RMDIR, PATH},      {SYS_truncate, TRUNCATE, PATH},
    {SYS_ftruncate, TRUNCATE, FD}, {SYS_fallocate, TRUNCATE, FD}, {SYS_close, CLOSE, FD},
};

/* ---- what was asked ---- */

enum what { NOTHING, FAIL, SHORT, KILL, KILL_AFTER, SIGNAL, CUT, EMPTY, REPLACE };

static struct {
    bool kinds[KINDS], changes_only, and_later;
    long long at;
    enum what what;
    int number; /* errno or signal */
    char pattern[256];
} fault;

static atomic_llong seen;
static int log_file = -1, data_file = -1;
static atomic_flag log_busy = ATOMIC_FLAG_INIT;

static void read_kinds(char *list) {
    for (char *name; (name = strsep(&list, ","));) {
        bool known = false;
        const bool change = strcmp(name, "change") == 0, any = change || strcmp(name, "any") == 0;
        for (size_t k = 0; k < KINDS; k++)
            if (any ? k != CLOSE && !(change && k == READ) : strcmp(name, kind_name[k]) == 0)
                known = fault.kinds[k] = true;
        fault.changes_only |= change;
        if (!known)
            die("SR_FAULT: unknown KIND");
    }
}

static void read_what(const char *name) {
    fault.what = strcmp(name, "short") == 0         ? SHORT
                 : strcmp(name, "cut") == 0         ? CUT
                 : strcmp(name, "empty") == 0       ? EMPTY
                 : strcmp(name, "replace") == 0     ? REPLACE
                 : strcmp(name, "kill") == 0        ? KILL
                 : strcmp(name, "kill_after") == 0  ? KILL_AFTER
                 : strncmp(name, "signal=", 7) == 0 ? SIGNAL
                                                    : FAIL;
    if (fault.what == KILL || fault.what == KILL_AFTER)
        fault.number = SIGKILL;
    for (int n = 1; n < 256 && fault.number == 0; n++) {
        const char *given = fault.what == SIGNAL ? name + 7 : name;
        const char *known = fault.what == SIGNAL ? sigabbrev_np(n) : strerrorname_np(n);
        if (known && strcmp(given, known) == 0)
            fault.number = n;
    }
    const bool named =
        fault.what == FAIL || fault.what == SIGNAL || fault.what == KILL || fault.what == KILL_AFTER;
    if (named && fault.number == 0)
        die("SR_FAULT: unknown WHAT");
}

static void read_fault(const char *given) {
    char text[512], *rest = text, *end;
    snprintf(text, sizeof text, "%s", given);
    char *kinds = strsep(&rest, ":"), *at = strsep(&rest, ":"), *what = strsep(&rest, ":");
    if (!at || !what)
        die("SR_FAULT is not KINDS:N:WHAT[:PATTERN]");
    read_kinds(kinds);
    fault.at = strtoll(at, &end, 10);
    fault.and_later = *end == '+';
    if (fault.at < 1 || end[fault.and_later])
        die("SR_FAULT: N is not a number from 1");
    read_what(what);
    snprintf(fault.pattern, sizeof fault.pattern, "%s", rest ? rest : "");
}

/* ---- system calls from this library's code, which the filter leaves alone ---- */

static long raw(long number, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static void raw_write(int file, const char *bytes, size_t n) {
    while (n > 0) {
        const long got = raw(SYS_write, file, (long)bytes, (long)n, 0, 0, 0);
        if (got <= 0)
            break;
        bytes += got;
        n -= (size_t)got;
    }
}

static void block(const sigset_t *set, sigset_t *before) {
    raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)set, (long)before, KERNEL_SET, 0, 0);
}

/* A thread that blocks every signal must not block ours: a blocked SIGSYS kills. */
static int set_mask(int how, const sigset_t *set, sigset_t *before) {
    sigset_t mine;
    if (set && how != SIG_UNBLOCK) {
        mine = *set;
        sigdelset(&mine, SIGSYS);
        set = &mine;
    }
    return (int)-raw(SYS_rt_sigprocmask, how, (long)set, (long)before, KERNEL_SET, 0, 0);
}

int pthread_sigmask(int how, const sigset_t *set, sigset_t *before) {
    return set_mask(how, set, before);
}

int sigprocmask(int how, const sigset_t *set, sigset_t *before) {
    errno = set_mask(how, set, before);
    return errno ? -1 : 0;
}

/* ---- one call ---- */

struct event {
    const struct call *call;
    long argument[6];
    long long offset;
    char mark;
    char path[PATH_MAX], other[PATH_MAX];
};

/* The name of an open file (or with AT_FDCWD of the working folder), as the kernel knows it. */
static void name_of(char *to, int fd) {
    char link[48];
    if (fd == AT_FDCWD)
        snprintf(link, sizeof link, "/proc/self/cwd");
    else
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const long n = raw(SYS_readlink, (long)link, (long)to, PATH_MAX - 1, 0, 0, 0);
    to[n > 0 ? n : 0] = '\0';
}

static void absolute(char *to, int folder, const char *path) {
    size_t n = 0;
    if (path[0] != '/') {
        name_of(to, folder);
        n = strlen(to);
        to[n++] = '/';
    }
    for (; *path && n < PATH_MAX - 1; path++)
        to[n++] = *path;
    to[n] = '\0';
}

static const char *text(long argument) {
    return (const char *)argument;
}

static void name_files(struct event *e) {
    const long *a = e->argument;
    e->other[0] = '\0';
    switch (e->call->form) {
    case FD:
        name_of(e->path, (int)a[0]);
        break;
    case PATH:
        absolute(e->path, AT_FDCWD, text(a[0]));
        break;
    case AT:
        absolute(e->path, (int)a[0], text(a[1]));
        break;
    case PATHS:
        absolute(e->path, AT_FDCWD, text(a[0]));
        absolute(e->other, AT_FDCWD, text(a[1]));
        break;
    case ATS:
        absolute(e->path, (int)a[0], text(a[1]));
        absolute(e->other, (int)a[2], text(a[3]));
        break;
    }
}

static long open_flags(const struct event *e) {
    const int number = e->call->number;
    return number == SYS_open ? e->argument[1] : number == SYS_openat ? e->argument[2] : O_CREAT | O_TRUNC;
}

/* __O_TMPFILE has the bit of O_DIRECTORY in it: a folder that is opened is not changed. */
static bool opens_to_change(long flags) {
    return (flags & (O_CREAT | O_TRUNC)) || (flags & __O_TMPFILE) == __O_TMPFILE;
}

static enum kind kind_of(const struct event *e) {
    return e->call->number == SYS_unlinkat && (e->argument[2] & AT_REMOVEDIR) ? RMDIR : e->call->kind;
}

static char mark_of(const struct event *e) {
    const enum kind kind = kind_of(e);
    if (fault.what == NOTHING || !fault.kinds[kind])
        return '-';
    if (kind == OPEN && fault.changes_only && !opens_to_change(open_flags(e)))
        return '-';
    if (!strstr(e->path, fault.pattern) && !strstr(e->other, fault.pattern))
        return '-';
    const long long n = atomic_fetch_add(&seen, 1) + 1;
    return n == fault.at || (fault.and_later && n > fault.at) ? '!' : '+';
}

static bool is_positioned(int number) {
    return number == SYS_pread64 || number == SYS_pwrite64 || number == SYS_preadv || number == SYS_pwritev;
}

static bool is_vector(int number) {
    return number == SYS_readv || number == SYS_writev || number == SYS_preadv || number == SYS_pwritev;
}

/* Where a read or write begins; the length of a truncation. */
static long long offset_of(const struct event *e) {
    const long *a = e->argument;
    if (e->call->kind == TRUNCATE)
        return a[1];
    if (e->call->kind != READ && e->call->kind != WRITE)
        return -1;
    if (is_positioned(e->call->number))
        return a[3];
    const long flags = raw(SYS_fcntl, a[0], F_GETFL, 0, 0, 0, 0);
    const long at = raw(SYS_lseek, a[0], 0, SEEK_CUR, 0, 0, 0);
    return at < 0                                         ? -1
           : e->call->kind == WRITE && (flags & O_APPEND) ? raw(SYS_lseek, a[0], 0, SEEK_END, 0, 0, 0)
                                                          : at;
}

/* Half of what was asked for, at least one byte. Of a vector the first part that is not empty. */
static void halve(struct event *e) {
    static _Thread_local struct iovec half;
    long *a = e->argument;
    if (e->call->kind != READ && e->call->kind != WRITE)
        return;
    if (!is_vector(e->call->number)) {
        a[2] = a[2] > 1 ? a[2] / 2 : a[2];
        return;
    }
    const struct iovec *part = (const struct iovec *)a[1];
    for (; a[2] > 1 && part->iov_len == 0; a[2]--)
        part++;
    half = *part;
    half.iov_len = half.iov_len > 1 ? half.iov_len / 2 : half.iov_len;
    a[1] = (long)&half;
    a[2] = 1;
}

/* What another process might do to the file before the call. */
static void meddle(const struct event *e, enum what what) {
    static char other[PATH_MAX];
    if (what == REPLACE) {
        snprintf(other, sizeof other, "%.*s.new", PATH_MAX - 8, e->path);
        raw(SYS_rename, (long)other, (long)e->path, 0, 0, 0, 0);
        return;
    }
    const long file = raw(SYS_open, (long)e->path, O_WRONLY | O_CLOEXEC, 0, 0, 0, 0);
    const long size = raw(SYS_lseek, file, 0, SEEK_END, 0, 0, 0);
    raw(SYS_ftruncate, file, what == CUT ? size / 2 : 0, 0, 0, 0, 0);
    raw(SYS_close, file, 0, 0, 0, 0, 0);
}

/* ---- the notes ---- */

static void note_data(const struct event *e, long result) {
    const long *a = e->argument;
    if (data_file < 0 || kind_of(e) != WRITE || result <= 0)
        return;
    if (!is_vector(e->call->number)) {
        raw_write(data_file, (const char *)a[1], (size_t)result);
        return;
    }
    size_t left = (size_t)result;
    for (const struct iovec *v = (const struct iovec *)a[1]; left > 0; v++) {
        const size_t n = v->iov_len < left ? v->iov_len : left;
        raw_write(data_file, v->iov_base, n);
        left -= n;
    }
}

static void note(const struct event *e, long result) {
    static char line[2 * PATH_MAX + 128];
    if (log_file < 0)
        return;
    const enum kind kind = kind_of(e);
    while (atomic_flag_test_and_set(&log_busy))
        ;
    const int n = snprintf(line, sizeof line, "%s %ld %lld %ld %ld %c %s\t%s\n", kind_name[kind], result,
                           e->offset, kind == READ || kind == WRITE ? e->argument[2] : 0,
                           kind == OPEN ? open_flags(e) : 0, e->mark, e->path, e->other);
    raw_write(log_file, line, (size_t)n);
    note_data(e, result);
    atomic_flag_clear(&log_busy);
}

/* ---- the trap ---- */

static void send(int number) {
    raw(SYS_tgkill, raw(SYS_getpid, 0, 0, 0, 0, 0, 0), raw(SYS_gettid, 0, 0, 0, 0, 0, 0), number, 0, 0, 0);
}

/* The call itself, with the signals that were let through where it was made: it may wait, and be interrupted.
 */
static long make(const struct event *e, const sigset_t *outside) {
    sigset_t inside;
    const long *a = e->argument;
    block(outside, &inside);
    const long result = raw(e->call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
    block(&inside, NULL);
    return result;
}

static long handle(struct event *e, const sigset_t *outside) {
    name_files(e);
    e->offset = offset_of(e);
    e->mark = mark_of(e);
    const enum what what = e->mark == '!' ? fault.what : NOTHING;
    if (what == KILL || what == SIGNAL) {
        note(e, -EINTR);
        send(fault.number);
    }
    if (what == SHORT)
        halve(e);
    if (what == CUT || what == EMPTY || what == REPLACE)
        meddle(e, what);
    const long result = what == FAIL ? -fault.number : make(e, outside);
    if (what != SIGNAL)
        note(e, result);
    if (what == KILL_AFTER)
        send(fault.number);
    return result;
}

static void on_trap(int number, siginfo_t *info, void *context) {
    (void)number;
    ucontext_t *u = context;
    greg_t *r = u->uc_mcontext.gregs;
    struct event e = {.argument = {(long)r[REG_RDI], (long)r[REG_RSI], (long)r[REG_RDX], (long)r[REG_R10],
                                   (long)r[REG_R8], (long)r[REG_R9]}};
    const int before = errno;
    for (size_t i = 0; i < COUNT(calls); i++)
        if (calls[i].number == info->si_syscall)
            e.call = &calls[i];
    if (e.call)
        r[REG_RAX] = handle(&e, &u->uc_sigmask);
    errno = before;
}

/* ---- the filter ---- */

struct range {
    uint64_t from, to;
};

static int find_c_library(struct dl_phdr_info *object, size_t size, void *user) {
    struct range *range = user;
    (void)size;
    if (!strstr(object->dlpi_name, "/libc.so"))
        return 0;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X))
            *range = (struct range){object->dlpi_addr + part->p_vaddr,
                                    object->dlpi_addr + part->p_vaddr + part->p_memsz};
    }
    return 1;
}

/* Traps the calls whose instruction lies in range, and nothing else. The filter outlives an exec, the handler
 * does not; but then the C library lies elsewhere, and the next shim adds a filter of its own. */
static void filter_set(struct range range) {
    enum { HEAD = 12, LOW = 8, CALL = 11 };
    struct sock_filter program[HEAD + COUNT(calls) + 2];
    const uint32_t high = (uint32_t)(range.from >> 32), next = (uint32_t)(range.to >> 32);
    size_t n = 0, last = HEAD + COUNT(calls); /* of allow; trap follows */
    const size_t pointer = offsetof(struct seccomp_data, instruction_pointer);
#define LOAD(at) program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(at))
#define UNLESS(how, k)                                                                                       \
    (program[n] =                                                                                            \
         (struct sock_filter)BPF_JUMP(BPF_JMP | how | BPF_K, (uint32_t)(k), 0, (uint8_t)(last - n - 1)),     \
     n++)
#define IF(how, k, goal)                                                                                     \
    (program[n] =                                                                                            \
         (struct sock_filter)BPF_JUMP(BPF_JMP | how | BPF_K, (uint32_t)(k), (uint8_t)((goal)-n - 1), 0),     \
     n++)
    LOAD(offsetof(struct seccomp_data, arch));
    UNLESS(BPF_JEQ, AUDIT_ARCH_X86_64);
    LOAD(pointer + 4);
    IF(BPF_JEQ, high, LOW);
    UNLESS(BPF_JEQ, next); /* the code lies on both sides of a 4 GiB border */
    LOAD(pointer);
    IF(BPF_JGE, range.to, last);
    IF(BPF_JGE, 0, CALL);
    LOAD(pointer);
    UNLESS(BPF_JGE, range.from);
    IF(BPF_JGE, high == next ? (uint32_t)range.to : UINT32_MAX, last);
    LOAD(offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < COUNT(calls); i++)
        IF(BPF_JEQ, calls[i].number, last + (calls[i].kind != CLOSE || fault.kinds[CLOSE]));
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    const struct sock_fprog whole = {.len = (unsigned short)n, .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &whole) != 0)
        die("seccomp is not offered here");
}

/* A file of ours, out of the way of the program's own descriptors. */
static int notes_open(const char *name) {
    const char *path = getenv(name);
    if (!path)
        return -1;
    const int low = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    const int file = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, 500);
    if (file < 0)
        die("a file of the log cannot be opened");
    close(low);
    return file;
}

__attribute__((constructor)) static void begin(void) {
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    struct range range = {0};
    sigset_t ours;
    if (getenv("SR_FAULT"))
        read_fault(getenv("SR_FAULT"));
    log_file = notes_open("SR_FAULT_LOG");
    data_file = notes_open("SR_FAULT_DATA");
    dl_iterate_phdr(find_c_library, &range);
    if (range.to == 0)
        die("the C library is not found");
    sigfillset(&action.sa_mask);
    sigemptyset(&ours);
    sigaddset(&ours, SIGSYS);
    if (sigaction(SIGSYS, &action, NULL) < 0 || sigprocmask(SIG_UNBLOCK, &ours, NULL) < 0)
        die("SIGSYS cannot be caught");
    filter_set(range);
}

#else

__attribute__((constructor)) static void begin(void) {
    die("only on x86-64");
}

#endif
