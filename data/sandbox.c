/* sandbox.c: limits first, then the filter of system calls, which cannot be taken off again. See sandbox.h.
 *
 * A forbidden call is not made; a signal tells its number, so that the message can (a filter that kills
 * outright cannot). What asks whether a file is there is told that it may not know (the C library's fstat is
 * one of these calls, so that a reader makes the system's own); who wants to sleep is
 * told that he has: HDF5 does for a nanosecond when a checksum of its own is wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STACK ((rlim_t)64 << 20) /* bytes */

static long *forbidden; /* shared with the parent */

const char *sr_sandbox_forbidden(char text[64], const void *note) {
    long number;
    memcpy(&number, note, sizeof number);
    char *name =
        number == (int)number ? seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)number) : NULL;
    snprintf(text, 64, "%.32s (%ld)", name ? name : "unknown", number);
    free(name);
    return text;
}

static void on_forbidden(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)context;
    *forbidden = info->si_syscall;
    syscall(SYS_exit_group, SR_SANDBOX_FORBIDDEN);
}

static void set_signals(void) {
    const int of_parent[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE};
    struct sigaction stop = {.sa_sigaction = on_forbidden, .sa_flags = SA_SIGINFO};
    for (size_t i = 0; i < SR_COUNT(of_parent); i++)
        signal(of_parent[i], SIG_IGN);
    sigemptyset(&stop.sa_mask);
    sigaction(SIGSYS, &stop, NULL);
}

/* Of two that want memory the kernel shall end this one. */
static void offer_to_kernel(void) {
    static const char most[] = "1000";
    const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return;
    if (write(file, most, sizeof most - 1) < 0)
        errno = 0; /* then as everybody */
    close(file);
}

/* Bytes that RLIMIT_DATA counts so far. */
static size_t data_bytes(void) {
    char text[160] = "";
    size_t pages = 0;
    const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    const ssize_t n = read(file, text, sizeof text - 1);
    close(file);
    /* the kernel's own text. NOLINTNEXTLINE(cert-err34-c) */
    if (n <= 0 || sscanf(text, "%*u %*u %*u %*u %*u %zu", &pages) != 1)
        return 0;
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static int set_limits(struct sr_error *err) {
    const rlim_t memory = data_bytes() + SR_SANDBOX_MEMORY;
    const struct {
        __rlimit_resource_t what;
        rlim_t most;
    } limits[] = {
        {RLIMIT_CORE, 0}, {RLIMIT_FSIZE, 0}, {RLIMIT_NPROC, 0}, {RLIMIT_DATA, memory}, {RLIMIT_STACK, STACK}};
    for (size_t i = 0; i < SR_COUNT(limits); i++) {
        struct rlimit limit;
        if (getrlimit(limits[i].what, &limit) < 0)
            return sr_fail(err, SR_IO, "a limit of resources cannot be read: %s", strerror(errno));
        if (limit.rlim_max > limits[i].most)
            limit.rlim_max = limits[i].most;
        if (limit.rlim_cur > limit.rlim_max)
            limit.rlim_cur = limit.rlim_max;
        if (setrlimit(limits[i].what, &limit) < 0)
            return sr_fail(err, SR_IO, "a limit of resources was refused: %s", strerror(errno));
    }
    return 0;
}

/* ---- the filter ---- */

static const int allowed[] = {
    /* reading what is open */
    SCMP_SYS(pread64), SCMP_SYS(read), SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(close),
    /* the channel */
    SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(recvfrom),
    /* memory, but for what mmap, mprotect and madvise may do with it */
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(futex),
    SCMP_SYS(sysinfo), /* of qsort, which wants to know how much there is */
    /* the end, also by abort */
    SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(getpid),
    SCMP_SYS(gettid), SCMP_SYS(clock_gettime)};

/* Of malloc and the sanitizers. */
static const int advice[] = {MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTDUMP};

static int allow_some(scmp_filter_ctx filter) {
    int status = 0;
    for (size_t i = 0; status == 0 && i < SR_COUNT(allowed); i++)
        status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    if (status == 0) /* no code, and nothing that RLIMIT_DATA does not count */
        status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                                  SCMP_A3(SCMP_CMP_MASKED_EQ, (scmp_datum_t)(MAP_SHARED | MAP_GROWSDOWN), 0));
    if (status == 0)
        status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    for (size_t i = 0; status == 0 && i < SR_COUNT(advice); i++)
        status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(madvise), 1,
                                  SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)advice[i], 0));
    if (status == 0) /* abort */
        status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                                  SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
    return status;
}

static int refuse_some(scmp_filter_ctx filter) {
    const int asks[] = {SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(newfstatat)},
              sleeps[] = {SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep)};
    int status = 0;
    for (size_t i = 0; status == 0 && i < SR_COUNT(asks); i++)
        status = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), asks[i], 0);
    for (size_t i = 0; status == 0 && i < SR_COUNT(sleeps); i++)
        status = seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), sleeps[i], 0);
    if (status == 0)
        status = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EBADF), SCMP_SYS(writev), 0);
    return status;
}

static int filter_calls(struct sr_error *err) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    int status = filter ? allow_some(filter) : -ENOMEM;
    if (status == 0)
        status = refuse_some(filter);
    if (status == 0) /* all threads, should a library have started one */
        status = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (status == 0)
        status = seccomp_load(filter);
    seccomp_release(filter);
    return status == 0 ? 0
                       : sr_fail(err, SR_IO, "the system refused the filter of system calls (seccomp): %s",
                                 strerror(-status));
}

int sr_sandbox_enter(void *note, int first, struct sr_error *err) {
    forbidden = note;
    tzset(); /* reads a file */
    offer_to_kernel();
    set_signals();
    if (close_range((unsigned)first, ~0u, 0) < 0)
        return sr_fail(err, SR_IO, "descriptors cannot be closed: %s", strerror(errno));
    int status = set_limits(err);
    if (status == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
                        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0))
        status = sr_fail(err, SR_IO, "the process cannot be closed off: %s", strerror(errno));
    return status == 0 ? filter_calls(err) : status;
}
