/* test_trust_isolate.c: who asks a reading process (--isolate) believes nothing: how its end is told, answers
 * that no reader gives, and lies. What the process may do: test_trust_sandbox.c; the program itself:
 * test_trust_isolate_command.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "data/sandbox.h"
#include "tests/dump_fixture.h"
#include "tests/liar.h"
#include "tests/trust.h"

static unsigned char window[4096]; /* for what readers that send no numbers would have written there */

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
                           .window = window,
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
    expect_end(die_of_kill, 60, 60,
               "died of signal 9 (Killed), as when the machine's memory runs out or somebody kills it; if");
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

/* Two seconds' worth of bytes at SR_ISOLATE_SLOW, and then nothing more. */
static void sleep_after_bytes(void) {
    const struct sr_isolate_answer a = {.bytes = 500000};
    send(child_socket, &a, sizeof a, MSG_NOSIGNAL);
    sleep_on();
}

static void ask_twice(struct sr_channel *c, struct sr_error *err) {
    const struct sr_isolate_request q = {.op = SR_ISOLATE_TEXTS};
    if (!c->failed)
        cr_expect_eq(sr_channel_ask(c, &q, "full.h5", -1, take_any, NULL, NULL, err), 0);
    take_from(c, err);
}

/* What was answered before makes no single answer later. */
Test(trust_isolate, one_answer_has_a_limit_of_its_own) {
    expect_end_of(ask_twice, sleep_after_bytes, 60, .2, "took more than 0.2 seconds for one answer");
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
                           .window = window,
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
Test(trust_isolate, a_lying_reader_does_no_harm) {
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
