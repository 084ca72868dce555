/* isolate_channel.c: asking a reader that may be anybody's by now. See isolate.h.
 *
 * Processor time, not time, is what a request is limited by, with all pieces of its answer: a loaded machine
 * or a slow disk is no fault of a file. It counts from the end of the answer before, so that a reader which
 * works when it is asked nothing pays for that. Waiting is limited too, far more widely; what passed while
 * this program was stopped (Ctrl-Z) counts as a tick.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "data/isolate.h"
#include "data/sandbox.h"

#define TICK_MS 50
#define ADVICE  "do not use the file unless its origin is beyond doubt; if it is, please report this"

/* ---- how a reader ends ---- */

/* Keeps the reason and ends the reader, if that is still needed. */
static void end_reader(struct sr_channel *c) {
    if (c->socket >= 0)
        close(c->socket);
    c->socket = -1;
    if (c->reader > 0) {
        kill(c->reader, SIGKILL);
        (void)TEMP_FAILURE_RETRY(waitpid(c->reader, NULL, 0));
    }
    c->reader = 0;
    c->failed = true;
}

/* The failure that everything fails with from now on. */
static int repeat_failure(struct sr_channel *c, struct sr_error *err) {
    c->told = c->told || err;
    return sr_fail(err, c->why.status, "%s", c->why.text);
}

static int fail_reader(struct sr_channel *c, const char *path, const char *what, struct sr_error *err) {
    end_reader(c);
    sr_fail(&c->why, SR_DATA, "%s: its reader (--isolate) %s the file is damaged or hostile; " ADVICE, path,
            what);
    return repeat_failure(c, err);
}

int sr_channel_nonsense(struct sr_channel *c, const char *path, struct sr_error *err) {
    pthread_mutex_lock(&c->mutex);
    const int status =
        c->failed ? repeat_failure(c, err) : fail_reader(c, path, "answered what no reader answers:", err);
    pthread_mutex_unlock(&c->mutex);
    return status;
}

/* The channel is closed at the other end: says why. */
static int fail_death(struct sr_channel *c, const char *path, struct sr_error *err) {
    char what[200] = "closed its channel:", call[64];
    int status = 0;
    if (c->reader > 0) {
        kill(c->reader, SIGKILL); /* does nothing to one that has died of something else */
        (void)TEMP_FAILURE_RETRY(waitpid(c->reader, &status, 0));
        c->reader = 0;
        if (WIFSIGNALED(status))
            snprintf(what, sizeof what, "died of signal %d (%s)%s", WTERMSIG(status),
                     strsignal(WTERMSIG(status)),
                     WTERMSIG(status) == SIGKILL
                         ? ", as when the machine's memory runs out or somebody kills it; if it was neither,"
                         : ":");
        else if (WEXITSTATUS(status) == SR_SANDBOX_FORBIDDEN)
            snprintf(what, sizeof what, "was stopped, for it made the system call %s, which it may not:",
                     sr_sandbox_forbidden(call, c->window));
        else
            snprintf(what, sizeof what, "ended by itself with status %d:", WEXITSTATUS(status));
    }
    return fail_reader(c, path, what, err);
}

/* ---- waiting ---- */

static double processor_seconds(const struct sr_channel *c) {
    struct timespec t = {0};
    clockid_t clock;
    if (c->reader > 0 && clock_getcpuclockid(c->reader, &clock) == 0)
        clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int fail_slow(struct sr_channel *c, const char *path, const char *of, double seconds,
                     struct sr_error *err) {
    char what[160];
    snprintf(what, sizeof what, "took more than %.1f seconds%s and was stopped:", seconds, of);
    return fail_reader(c, path, what, err);
}

/* poll, for a tick at most; what it took is added to what was waited. */
static int wait_tick(struct sr_channel *c) {
    struct pollfd p = {.fd = c->socket, .events = POLLIN};
    struct timespec began, ended;
    clock_gettime(CLOCK_MONOTONIC, &began);
    const int ready = poll(&p, 1, TICK_MS);
    const int reason = errno;
    clock_gettime(CLOCK_MONOTONIC, &ended);
    const double seconds =
        (double)(ended.tv_sec - began.tv_sec) + 1e-9 * (double)(ended.tv_nsec - began.tv_nsec);
    c->waited += seconds < TICK_MS * 1e-3 ? seconds : TICK_MS * 1e-3;
    errno = reason;
    return ready;
}

/* Until there is something to read. */
static int wait_for(struct sr_channel *c, const char *path, struct sr_error *err) {
    const double more = (double)c->files / SR_ISOLATE_RATE, most = c->seconds + more;
    const double began = c->waited, one = c->wait_seconds + more, all = one + c->answered / SR_ISOLATE_SLOW;
    for (;;) {
        const int ready = wait_tick(c);
        if (ready < 0 && errno != EINTR)
            return fail_reader(c, path, "cannot be waited for:", err);
        if (processor_seconds(c) - c->used > most)
            return fail_slow(c, path, " of processor time for one answer", most, err);
        if (c->waited > all)
            return fail_slow(c, path, " for its answers", all, err);
        if (c->waited - began > one)
            return fail_slow(c, path, " for one answer", one, err);
        if (ready > 0)
            return 0;
    }
}

/* ---- messages ---- */

static int send_request(struct sr_channel *c, const struct sr_isolate_request *q, const char *path, int file,
                        struct sr_error *err) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part;
    memcpy(&part.iov_base, &q, sizeof q); /* which sendmsg does not write to */
    part.iov_len = sizeof *q;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (file >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof file);
        memcpy(CMSG_DATA(&control.header), &file, sizeof file);
    }
    const ssize_t n = TEMP_FAILURE_RETRY(sendmsg(c->socket, &message, MSG_NOSIGNAL));
    return n == (ssize_t)sizeof *q ? 0 : fail_death(c, path, err);
}

/* What reading can end in. */
static bool is_status(int32_t status) {
    return status == 0 || status == SR_DATA || status == SR_NOMEM || status == SR_IO;
}

/* 0: it may be one; what else is in it is the asker's to check. */
static int check_answer(struct sr_channel *c, const struct sr_isolate_answer *a, ssize_t n, const char *path,
                        struct sr_error *err) {
    const bool is_one = n == (ssize_t)sizeof *a && is_status(a->status) && a->more <= 1 &&
                        a->bytes <= SR_ISOLATE_WINDOW && (a->bytes > 0 || !a->more) &&
                        (a->status == 0 || (a->bytes == 0 && a->text[0])) &&
                        memchr(a->text, '\0', sizeof a->text);
    return is_one ? 0 : sr_channel_nonsense(c, path, err);
}

static int receive(struct sr_channel *c, struct sr_isolate_answer *a, const char *path,
                   struct sr_error *err) {
    const int status = wait_for(c, path, err);
    if (status < 0)
        return status;
    const ssize_t n = TEMP_FAILURE_RETRY(recv(c->socket, a, sizeof *a, MSG_TRUNC));
    return n <= 0 ? fail_death(c, path, err) : check_answer(c, a, n, path, err);
}

/* An error of the reader's as it is, but for what it cannot know: that its memory is limited for its file's
 * sake. */
static int pass_on(const struct sr_isolate_answer *a, const char *path, struct sr_error *err) {
    char text[SR_ERROR_TEXT];
    if (a->status == SR_NOMEM)
        return sr_fail(
            err, SR_DATA,
            "%s: reading it takes more memory than a reader (--isolate) may have (%d MB): the file is "
            "damaged or hostile; " ADVICE,
            path, (int)(SR_SANDBOX_MEMORY >> 20));
    return sr_fail(err, a->status, "%s", sr_utf8_clean(text, sizeof text, a->text));
}

/* ---- asking ---- */

static int next_piece(struct sr_channel *c, enum sr_isolate_op op, struct sr_isolate_answer *a,
                      const char *path, struct sr_error *err) {
    const struct sr_isolate_request q = {.op = (uint32_t)op};
    const int status = send_request(c, &q, path, -1, err);
    return status < 0 ? status : receive(c, a, path, err);
}

static int take_pieces(struct sr_channel *c, struct sr_isolate_answer *a, const char *path,
                       sr_channel_take *take, void *user, struct sr_error *err) {
    int status = 0;
    while (status == 0 && a->status == 0 && a->bytes > 0) {
        if (!take)
            return sr_channel_nonsense(c, path, err);
        c->answered += (double)a->bytes;
        status = take(user, c->window, (size_t)a->bytes, err);
        if (c->failed || !a->more)
            return status;
        const int next = next_piece(c, status < 0 ? SR_ISOLATE_ENOUGH : SR_ISOLATE_GO_ON, a, path,
                                    status < 0 ? NULL : err);
        status = status < 0 ? status : next;
    }
    return status;
}

static int ask(struct sr_channel *c, const struct sr_isolate_request *q, const char *path, int file,
               sr_channel_take *take, void *user, uint64_t *number, struct sr_error *err) {
    struct sr_isolate_answer a;
    if (c->failed)
        return repeat_failure(c, err);
    int status = send_request(c, q, path, file, err);
    if (status == 0)
        status = receive(c, &a, path, err);
    if (status == 0)
        status = take_pieces(c, &a, path, take, user, err);
    c->used = processor_seconds(c);
    if (status == 0 && a.status < 0)
        status = pass_on(&a, path, err);
    if (status == 0 && number)
        *number = a.number;
    return status;
}

int sr_channel_ask(struct sr_channel *c, const struct sr_isolate_request *q, const char *path, int file,
                   sr_channel_take *take, void *user, uint64_t *number, struct sr_error *err) {
    pthread_mutex_lock(&c->mutex);
    const int status = ask(c, q, path, file, take, user, number, err);
    pthread_mutex_unlock(&c->mutex);
    return status;
}

int sr_channel_greet(struct sr_channel *c, struct sr_error *err) {
    struct sr_isolate_answer a;
    const int status = receive(c, &a, "--isolate", NULL);
    c->used = processor_seconds(c);
    if (status == 0 && a.status == 0)
        return 0;
    char text[SR_ERROR_TEXT];
    sr_utf8_clean(text, sizeof text, status == 0 ? a.text : c->why.text);
    end_reader(c);
    return sr_fail(err, SR_IO,
                   "--isolate: the reading process could not be closed off, so nothing was read: %s", text);
}

void sr_channel_close(struct sr_channel *c) {
    pthread_mutex_lock(&c->mutex);
    end_reader(c);
    pthread_mutex_unlock(&c->mutex);
}
