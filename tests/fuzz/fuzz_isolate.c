/* fuzz_isolate.c: what the reader of --isolate answers (data/isolate*.c), which a hostile dump may have taken
 * over: the input is the answers, one behind the other, to what `inspect` and reading a dump ask.
 *
 * An answer: a byte of flags; the status, if that is flagged; the number; the size; as many bytes for the
 * window, or what is left. Behind the last one the channel is closed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "data/data.h"
#include "data/isolate.h"
#include "tests/fuzz/dump_check.h"

/* Flags; the lowest two bits: how many bytes the size has. */
enum { MORE = 4, WIDE = 8, FAILS = 16, TEXT = 32, SHORT = 64, ENDLESS = 128 };

struct answerer {
    struct fuzz_bytes input;
    int socket;
    unsigned char *window;
    sem_t begin, end;
};

static uint64_t number(struct fuzz_bytes *b, int bytes) {
    uint64_t n = 0;
    for (int i = 0; i < bytes; i++)
        n |= (uint64_t)fuzz_byte(b) << 8 * i;
    return n;
}

/* The size of the message. */
static size_t answer_make(struct answerer *a, struct sr_isolate_answer *answer) {
    static const int bytes_of_size[] = {0, 1, 2, 8};
    const unsigned how = fuzz_byte(&a->input);
    *answer = (struct sr_isolate_answer){.more = how & MORE ? 1 : 0};
    if (how & FAILS) /* below 0 too. NOLINTNEXTLINE(bugprone-signed-char-misuse,cert-str34-c) */
        answer->status = (int8_t)fuzz_byte(&a->input);
    answer->number = number(&a->input, how & WIDE ? 8 : 1);
    answer->bytes = number(&a->input, bytes_of_size[how & 3]);
    const size_t most = a->input.left < SR_ISOLATE_WINDOW ? a->input.left : SR_ISOLATE_WINDOW,
                 n = answer->bytes < most ? (size_t)answer->bytes : most;
    memcpy(a->window, a->input.at, n);
    a->input.at += n;
    a->input.left -= n;
    for (size_t i = 0; how & TEXT && i < sizeof answer->text; i++)
        answer->text[i] = (char)(i < 16 ? fuzz_byte(&a->input) : how & ENDLESS ? 'a' : 0);
    return how & SHORT ? sizeof *answer / 2 : sizeof *answer;
}

/* The descriptors that come along are not taken: the kernel closes them. */
static void answer_all(struct answerer *a) {
    struct sr_isolate_request q;
    struct sr_isolate_answer answer;
    while (recv(a->socket, &q, sizeof q, 0) == (ssize_t)sizeof q && a->input.left > 0) {
        const size_t size = answer_make(a, &answer);
        if (send(a->socket, &answer, size, MSG_NOSIGNAL) < 0)
            break;
    }
    shutdown(a->socket, SHUT_RDWR);
}

/* One thread for all inputs: a sanitizer keeps some bytes of each thread that there has been. */
static void *answer(void *user) {
    struct answerer *a = user;
    for (;;) {
        (void)TEMP_FAILURE_RETRY(sem_wait(&a->begin));
        answer_all(a);
        sem_post(&a->end);
    }
    return NULL; /* gcc wants it */
}

static struct answerer *answerer(void) {
    static unsigned char window[SR_ISOLATE_WINDOW];
    static struct answerer a = {.window = window};
    static bool begun;
    pthread_t thread;
    if (!begun) {
        FUZZ_CHECK(sem_init(&a.begin, 0, 0) == 0 && sem_init(&a.end, 0, 0) == 0, "no semaphores");
        FUZZ_CHECK(pthread_create(&thread, NULL, answer, &a) == 0, "no thread");
        begun = true;
    }
    return &a;
}

/* A dump's size, and its first bytes; the rest is what the answers say. */
static const char *dump(void) {
    static unsigned char bytes[16384];
    memcpy(bytes, SR_HDF5_MAGIC, 8); /* no text. NOLINT(bugprone-not-null-terminated-result) */
    return fuzz_file_named(bytes, sizeof bytes, ".h5");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct sr_data_options how = {.one_file = true, .label_optional = true};
    int ends[2];
    struct answerer *a = answerer();
    const char *path = dump();
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0, "no sockets");
    a->input = (struct fuzz_bytes){data, size};
    a->socket = ends[1];
    struct sr_channel channel = {.socket = ends[0],
                                 .window = a->window,
                                 .seconds = 60,
                                 .wait_seconds = 60,
                                 .most = (uint64_t)1 << 24,
                                 .mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP};
    sem_post(&a->begin);
    sr_isolate_use(&channel);
    fuzz_dump(path, &how);
    sr_isolate_use(NULL);
    sr_channel_close(&channel);
    (void)TEMP_FAILURE_RETRY(sem_wait(&a->end));
    close(ends[1]);
    return 0;
}
