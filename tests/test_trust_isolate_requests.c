/* test_trust_isolate_requests.c: what the reader of --isolate does with requests that no asker of ours sends:
 * who asks has its numbers from answers, and a hostile dump may have made those. The reader runs in a thread
 * here; what it may do as a process: test_trust_sandbox.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>

#include "tests/dump_fixture.h"
#include "tests/failing_memory.h"
#include "tests/reader_thread.h"

static void say(const struct reader_thread *r, const struct sr_isolate_request *q) {
    cr_assert_eq(send(r->socket, q, sizeof *q, MSG_NOSIGNAL), (ssize_t)sizeof *q);
}

static struct sr_isolate_answer hear(const struct reader_thread *r) {
    struct sr_isolate_answer a = {.status = SR_BUG};
    cr_assert_eq(recv(r->socket, &a, sizeof a, 0), (ssize_t)sizeof a);
    return a;
}

static struct sr_isolate_answer ask(const struct reader_thread *r, const struct sr_isolate_request *q) {
    say(r, q);
    return hear(r);
}

/* The descriptor goes along; the file's number is the answer's. */
static struct sr_isolate_answer ask_with(const struct reader_thread *r, const char *path) {
    struct sr_isolate_request q = {.op = SR_ISOLATE_OPEN, .name = "a.h5"};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {&q, sizeof q};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(file, 0);
    control.header = (struct cmsghdr){CMSG_LEN(sizeof file), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), &file, sizeof file);
    cr_assert_eq(sendmsg(r->socket, &m, MSG_NOSIGNAL), (ssize_t)sizeof q);
    close(file);
    return hear(r);
}

static uint32_t open_full(const struct reader_thread *r) {
    char path[2048];
    const struct sr_isolate_answer a = ask_with(r, fixture_paths(path, "full"));
    cr_assert_eq(a.status, 0, "%s", a.text);
    return (uint32_t)a.number;
}

static void expect_no_request(const struct reader_thread *r, const struct sr_isolate_request *q,
                              const char *what) {
    const struct sr_isolate_answer a = ask(r, q);
    cr_expect_eq(a.status, SR_BUG, "%s: %d", what, a.status);
    cr_expect_str_eq(a.text, "not a request", "%s: %s", what, a.text);
    cr_expect(a.bytes == 0 && a.more == 0, "%s", what);
}

Test(isolate_requests, numbers_that_no_answer_had) {
    struct reader_thread r;
    reader_thread_begin(&r);
    const uint32_t file = open_full(&r);
    for (uint32_t op = SR_ISOLATE_CLOSE; op <= SR_ISOLATE_ENOUGH + 1; op++) {
        const struct sr_isolate_request beyond = {.op = op, .number = file + 1},
                                        far = {.op = op, .number = UINT32_MAX};
        expect_no_request(&r, &beyond, "one behind");
        expect_no_request(&r, &far, "the last number that there is");
    }
    cr_expect_eq(reader_thread_end(&r), 0, "%s", r.err.text);
}

Test(isolate_requests, what_is_closed) {
    struct reader_thread r;
    reader_thread_begin(&r);
    const uint32_t file = open_full(&r);
    const struct sr_isolate_request matrix = {
        .op = SR_ISOLATE_MATRIX_OPEN, .number = file, .type = SR_FEATURE_HALF, .name = "features"};
    struct sr_isolate_answer a = ask(&r, &matrix);
    cr_assert_eq(a.status, 0, "%s", a.text);
    const struct sr_isolate_request closes = {.op = SR_ISOLATE_MATRIX_CLOSE, .number = (uint32_t)a.number},
                                    leaves = {.op = SR_ISOLATE_CLOSE, .number = file};
    cr_expect_eq(ask(&r, &closes).status, 0);
    for (uint32_t op = SR_ISOLATE_MATRIX_CLOSE; op <= SR_ISOLATE_ENOUGH; op++) {
        const struct sr_isolate_request q = {.op = op, .number = closes.number, .rows = 1};
        expect_no_request(&r, &q, "a closed matrix");
    }
    cr_expect_eq(ask(&r, &leaves).status, 0);
    for (uint32_t op = SR_ISOLATE_CLOSE; op <= SR_ISOLATE_MATRIX_OPEN; op++) {
        const struct sr_isolate_request q = {.op = op, .number = file, .name = "features"};
        expect_no_request(&r, &q, "a closed file");
    }
    cr_expect_eq(reader_thread_end(&r), 0, "%s", r.err.text);
}

Test(isolate_requests, rows_that_a_column_has_not) {
    static const struct {
        const char *what, *name;
        uint32_t op;
        uint64_t rows;
    } cases[] = {
        {"no rows", "gold", SR_ISOLATE_INTEGERS, 0},
        {"one row more", "gold", SR_ISOLATE_DOUBLES, FIXTURE_ROWS + 1},
        {"one row less", "id", SR_ISOLATE_TEXTS, FIXTURE_ROWS - 1},
        {"more than memory", "gold", SR_ISOLATE_INTEGERS, UINT64_MAX},
        {"more than memory", "id", SR_ISOLATE_TEXTS, UINT64_MAX / 8 + 2},
    };
    struct reader_thread r;
    reader_thread_begin(&r);
    const uint32_t file = open_full(&r);
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        struct sr_isolate_request q = {.op = cases[i].op, .number = file, .rows = cases[i].rows};
        snprintf(q.name, sizeof q.name, "%s", cases[i].name);
        expect_no_request(&r, &q, cases[i].what);
    }
    cr_expect_eq(reader_thread_end(&r), 0, "%s", r.err.text);
}

Test(isolate_requests, features_that_are_not_there) {
    static const struct {
        const char *what;
        uint64_t first, rows;
    } cases[] = {
        {"no rows", 0, 0},
        {"behind the last", FIXTURE_ROWS, 1},
        {"over the end", 1, FIXTURE_ROWS},
        {"from far behind", UINT64_MAX, 1},
        {"whose sum wraps", 8, UINT64_MAX - 4},
        {"more than the window", 0, SR_ISOLATE_WINDOW},
    };
    struct reader_thread r;
    reader_thread_begin(&r);
    const uint32_t file = open_full(&r);
    struct sr_isolate_request matrix = {
        .op = SR_ISOLATE_MATRIX_OPEN, .number = file, .type = SR_FEATURE_FLOAT + 1, .name = "features"};
    expect_no_request(&r, &matrix, "a type that is none");
    matrix.type = SR_FEATURE_HALF;
    snprintf(matrix.name, sizeof matrix.name, "gold");
    expect_no_request(&r, &matrix, "a column");
    snprintf(matrix.name, sizeof matrix.name, "features");
    const struct sr_isolate_answer a = ask(&r, &matrix);
    cr_assert_eq(a.status, 0, "%s", a.text);
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        const struct sr_isolate_request q = {.op = SR_ISOLATE_MATRIX_READ,
                                             .number = (uint32_t)a.number,
                                             .type = SR_FEATURE_FLOAT,
                                             .first = cases[i].first,
                                             .rows = cases[i].rows};
        expect_no_request(&r, &q, cases[i].what);
    }
    const struct sr_isolate_request goes_on = {.op = SR_ISOLATE_GO_ON, .number = (uint32_t)a.number};
    expect_no_request(&r, &goes_on, "the next piece of nothing");
    cr_expect_eq(reader_thread_end(&r), 0, "%s", r.err.text);
}

Test(isolate_requests, more_features_than_the_window_holds) {
    char path[64];
    struct reader_thread r;
    reader_thread_begin(&r);
    const struct sr_isolate_answer opened = ask_with(&r, make_synth(path, 1200, 1024, 5));
    const struct sr_isolate_request matrix = {.op = SR_ISOLATE_MATRIX_OPEN,
                                              .number = (uint32_t)opened.number,
                                              .type = SR_FEATURE_HALF,
                                              .name = "features"};
    const struct sr_isolate_answer a = ask(&r, &matrix);
    cr_assert_eq(a.status, 0, "%s", a.text);
    struct sr_isolate_request q = {.op = SR_ISOLATE_MATRIX_READ,
                                   .number = (uint32_t)a.number,
                                   .type = SR_FEATURE_FLOAT,
                                   .rows = SR_ISOLATE_WINDOW / sizeof(float) / 1024 + 1};
    expect_no_request(&r, &q, "a row more than the window");
    q.rows--;
    const struct sr_isolate_answer fits = ask(&r, &q);
    cr_expect_eq(fits.status, 0, "%s", fits.text);
    cr_expect_eq(fits.bytes, SR_ISOLATE_WINDOW);
    cr_expect_eq(reader_thread_end(&r), 0, "%s", r.err.text);
    unlink(path);
}

Test(isolate_requests, a_file_that_does_not_come_along) {
    const struct sr_isolate_request q = {.op = SR_ISOLATE_OPEN, .name = "a.h5"};
    struct reader_thread r;
    reader_thread_begin(&r);
    const struct sr_isolate_answer a = ask(&r, &q);
    cr_expect(a.status < 0 && strstr(a.text, "a.h5"), "%s", a.text);
    open_full(&r);
    cr_expect_eq(reader_thread_end(&r), 0, "%s", r.err.text);
}

/* A message may bring along who sent it; that is no descriptor, though there is one of that number. */
Test(isolate_requests, what_comes_along_is_no_file) {
    const struct sr_isolate_request q = {.op = SR_ISOLATE_OPEN, .name = "a.h5"};
    char path[2048];
    struct reader_thread r;
    const int one = 1;
    reader_thread_begin(&r);
    cr_assert_eq(setsockopt(r.end, SOL_SOCKET, SO_PASSCRED, &one, sizeof one), 0);
    const int file = open(fixture_paths(path, "full"), O_RDONLY | O_CLOEXEC),
              named = dup2(file, (int)getpid());
    cr_assert_geq(file, 0);
    const struct sr_isolate_answer a = ask(&r, &q);
    cr_expect(a.status < 0 && strstr(a.text, "a.h5"), "%s", a.text);
    if (named >= 0)
        close(named);
    close(file);
    cr_expect_eq(reader_thread_end(&r), 0, "%s", r.err.text);
}

/* Of which an answer has no room for the lengths. */
Test(isolate_requests, a_column_of_more_axes_than_are_told) {
    char path[2048];
    struct reader_thread r;
    reader_thread_begin(&r);
    const struct sr_isolate_answer opened = ask_with(&r, fixture_paths(path, "bad_axes_label"));
    const struct sr_isolate_request q = {
        .op = SR_ISOLATE_INTEGERS, .number = (uint32_t)opened.number, .rows = FIXTURE_ROWS, .name = "label"};
    expect_no_request(&r, &q, "five axes");
    cr_expect_eq(reader_thread_end(&r), 0, "%s", r.err.text);
}

/* Of a dataset that is not there, or an attribute, which is no failure. */
Test(isolate_requests, names_that_are_not_there) {
    static const enum sr_isolate_op fail[] = {SR_ISOLATE_INFO,       SR_ISOLATE_STORAGE,
                                              SR_ISOLATE_INTEGERS,   SR_ISOLATE_DOUBLES,
                                              SR_ISOLATE_TEXTS,      SR_ISOLATE_EACH_DOUBLE,
                                              SR_ISOLATE_MATRIX_OPEN},
                                    none[] = {SR_ISOLATE_HAS, SR_ISOLATE_HAS_ATTRIBUTE, SR_ISOLATE_ATTRIBUTE,
                                              SR_ISOLATE_ATTRIBUTE_LIST};
    struct reader_thread r;
    reader_thread_begin(&r);
    const uint32_t file = open_full(&r);
    for (size_t i = 0; i < SR_COUNT(fail); i++) {
        const struct sr_isolate_request q = {.op = fail[i], .number = file, .rows = 1, .name = "nothing"};
        const struct sr_isolate_answer a = ask(&r, &q);
        cr_expect(a.status == SR_DATA && strstr(a.text, "/nothing"), "%zu: %d %s", i, a.status, a.text);
    }
    for (size_t i = 0; i < SR_COUNT(none); i++) {
        const struct sr_isolate_request q = {.op = none[i], .number = file, .object = "/", .name = "nothing"};
        const struct sr_isolate_answer a = ask(&r, &q);
        cr_expect(a.status == 0 && a.number == 0 && a.bytes == 0, "%zu: %d %s", i, a.status, a.text);
    }
    cr_expect_eq(reader_thread_end(&r), 0, "%s", r.err.text);
}

/* Which ends the reader: what else is on such a channel is not known. */
Test(isolate_requests, half_a_request) {
    static const struct sr_isolate_request q = {.op = SR_ISOLATE_OPEN};
    struct sr_isolate_answer a;
    struct reader_thread r;
    reader_thread_begin(&r);
    cr_assert_eq(send(r.socket, &q, sizeof q / 2, MSG_NOSIGNAL), (ssize_t)sizeof q / 2);
    cr_expect_eq(recv(r.socket, &a, sizeof a, 0), 0);
    cr_expect_eq(reader_thread_end(&r), 0, "%s", r.err.text);
}

/* ---- pieces ---- */

enum { MANY = 600000 }; /* rows whose doubles are two windows */

static uint32_t open_long(const struct reader_thread *r) {
    static const char each[] = {'r', 'o', 'w', '_', 'o', 'f', '_', '8'};
    char path[64];
    struct sr_h5 *f;
    snprintf(path, sizeof path, "/tmp/sr_test_requests_%d.h5", (int)getpid());
    int8_t *labels = sr_alloc(MANY, 1, NULL);
    char *ids = sr_alloc(MANY, sizeof each, NULL);
    cr_assert(labels && ids);
    for (size_t i = 0; i < MANY; i++)
        memcpy(ids + i * sizeof each, each, sizeof each);
    cr_assert_eq(sr_h5_create(&f, path, path, NULL), 0);
    cr_assert_eq(sr_h5_write_column(f, "label", SR_H5_WRITE_I8, labels, MANY, NULL), 0);
    cr_assert_eq(sr_h5_write_fixed(f, "id", ids, MANY, sizeof each, NULL), 0);
    cr_assert_eq(sr_h5_close(f, NULL), 0);
    sr_free(labels);
    sr_free(ids);
    const struct sr_isolate_answer a = ask_with(r, path);
    unlink(path);
    cr_assert_eq(a.status, 0, "%s", a.text);
    return (uint32_t)a.number;
}

static const struct sr_isolate_request go_on = {.op = SR_ISOLATE_GO_ON}, enough = {.op = SR_ISOLATE_ENOUGH};

static const enum sr_isolate_op in_pieces[] = {SR_ISOLATE_INTEGERS, SR_ISOLATE_DOUBLES,
                                               SR_ISOLATE_EACH_DOUBLE, SR_ISOLATE_TEXTS};

static struct sr_isolate_request request_of(enum sr_isolate_op op, uint32_t file) {
    struct sr_isolate_request q = {.op = op, .number = file, .rows = MANY};
    snprintf(q.name, sizeof q.name, "%s", op == SR_ISOLATE_TEXTS ? "id" : "label");
    return q;
}

Test(isolate_requests, pieces_come_to_all_there_is) {
    struct reader_thread r;
    reader_thread_begin(&r);
    const uint32_t file = open_long(&r);
    for (size_t i = 0; i < SR_COUNT(in_pieces); i++) {
        const struct sr_isolate_request q = request_of(in_pieces[i], file);
        uint64_t bytes = 0;
        size_t pieces = 1;
        struct sr_isolate_answer a = ask(&r, &q);
        for (; a.status == 0 && a.more; pieces++) {
            cr_assert_leq(a.bytes, SR_ISOLATE_WINDOW);
            bytes += a.bytes;
            a = ask(&r, &go_on);
        }
        bytes += a.bytes;
        cr_expect_eq(a.status, 0, "%s", a.text);
        cr_expect_geq(pieces, 2, "%zu", i);
        cr_expect_eq(bytes, MANY * (in_pieces[i] == SR_ISOLATE_TEXTS ? sizeof "row_of_8" : sizeof(double)),
                     "%zu", i);
    }
    cr_expect_eq(reader_thread_end(&r), 0, "%s", r.err.text);
}

Test(isolate_requests, who_has_enough_can_ask_for_more) {
    struct reader_thread r;
    reader_thread_begin(&r);
    const uint32_t file = open_long(&r);
    for (size_t i = 0; i < SR_COUNT(in_pieces); i++) {
        const struct sr_isolate_request q = request_of(in_pieces[i], file);
        struct sr_isolate_answer a = ask(&r, &q);
        cr_expect(a.status == 0 && a.more, "%zu: %s", i, a.text);
        a = ask(&r, &enough);
        cr_expect(a.status == 0 && !a.more && a.bytes == 0, "%zu: %s", i, a.text);
    }
    cr_expect_eq(reader_thread_end(&r), 0, "%s", r.err.text);
}

Test(isolate_requests, who_goes_in_the_middle_ends_the_reader) {
    for (size_t i = 0; i < SR_COUNT(in_pieces); i++) {
        struct reader_thread r;
        reader_thread_begin(&r);
        const struct sr_isolate_request q = request_of(in_pieces[i], open_long(&r));
        const struct sr_isolate_answer a = ask(&r, &q);
        cr_expect(a.status == 0 && a.more, "%zu: %s", i, a.text);
        cr_expect_eq(reader_thread_end(&r), SR_IO, "%zu", i);
        cr_expect(strstr(r.err.text, "channel is closed"), "%zu: %s", i, r.err.text);
    }
}

/* It is not there to be waited for, but its socket is. */
Test(isolate_requests, who_does_not_listen_ends_the_reader) {
    for (size_t i = 0; i < SR_COUNT(in_pieces); i++) {
        struct reader_thread r;
        reader_thread_begin(&r);
        const struct sr_isolate_request q = request_of(in_pieces[i], open_long(&r));
        cr_assert_eq(shutdown(r.socket, SHUT_RD), 0);
        say(&r, &q);
        pthread_join(r.thread, NULL);
        cr_expect_eq(r.status, SR_IO, "%zu", i);
        cr_expect(strstr(r.err.text, "channel is closed"), "%zu: %s", i, r.err.text);
        close(r.socket);
        sr_free(r.window);
    }
}

/* ---- features ---- */

static struct sr_isolate_answer ask_first_row(const struct reader_thread *r, uint32_t matrix) {
    const struct sr_isolate_request q = {
        .op = SR_ISOLATE_MATRIX_READ, .number = matrix, .type = SR_FEATURE_FLOAT, .rows = 1};
    return ask(r, &q);
}

/* What is kept of a matrix may be forgotten, and HDF5 may be asked for all of it: the rows are the same. */
Test(isolate_requests, every_way_gives_the_same_rows) {
    static const enum sr_isolate_op between[] = {SR_ISOLATE_MATRIX_FORGET, SR_ISOLATE_MATRIX_THROUGH_HDF5};
    struct reader_thread r;
    reader_thread_begin(&r);
    const struct sr_isolate_request matrix = {
        .op = SR_ISOLATE_MATRIX_OPEN, .number = open_full(&r), .type = SR_FEATURE_HALF, .name = "features"};
    const struct sr_isolate_answer opened = ask(&r, &matrix);
    cr_assert_eq(opened.status, 0, "%s", opened.text);
    for (size_t i = 0; i <= SR_COUNT(between); i++) {
        const struct sr_isolate_answer a = ask_first_row(&r, (uint32_t)opened.number);
        cr_assert_eq(a.status, 0, "%s", a.text);
        cr_assert_eq(a.bytes, FIXTURE_WIDTH * sizeof(float));
        for (size_t k = 0; k < FIXTURE_WIDTH; k++)
            cr_expect_float_eq(((const float *)r.window)[k], fixture_value(0, k), 0);
        if (i == SR_COUNT(between))
            break;
        const struct sr_isolate_request q = {.op = between[i], .number = (uint32_t)opened.number};
        cr_expect_eq(ask(&r, &q).status, 0, "%zu", i);
    }
    cr_expect_eq(reader_thread_end(&r), 0, "%s", r.err.text);
}

/* ---- memory ---- */

/* Each allocation of the reader's fails once: it says so, and answers as ever when it is asked again. */
Test(isolate_requests, what_the_reader_has_no_memory_for) {
    static const struct {
        enum sr_isolate_op op;
        const char *object, *name;
    } asked[] = {{SR_ISOLATE_INTEGERS, "", "gold"},
                 {SR_ISOLATE_DOUBLES, "", "gold"},
                 {SR_ISOLATE_TEXTS, "", "id"},
                 {SR_ISOLATE_ATTRIBUTE, "/", "feature_model"},
                 {SR_ISOLATE_ATTRIBUTE_LIST, "source", "names"},
                 {SR_ISOLATE_MATRIX_OPEN, "", "features"}};
    struct reader_thread r;
    reader_thread_begin(&r);
    const uint32_t file = open_full(&r);
    for (size_t i = 0; i < SR_COUNT(asked); i++) {
        struct sr_isolate_request q = {
            .op = asked[i].op, .number = file, .type = SR_FEATURE_HALF, .rows = FIXTURE_ROWS};
        snprintf(q.object, sizeof q.object, "%s", asked[i].object);
        snprintf(q.name, sizeof q.name, "%s", asked[i].name);
        cr_expect_eq(ask(&r, &q).status, 0, "%zu", i);
        uint64_t nth = 1;
        for (bool failed = true; failed; nth++) {
            memory_begin(nth);
            const struct sr_isolate_answer a = ask(&r, &q);
            failed = memory_end().failed;
            cr_expect_eq(a.status, failed ? SR_NOMEM : 0, "%zu, allocation %d: %s", i, (int)nth, a.text);
        }
        cr_expect_gt(nth, 2, "%zu asks for no memory", i);
    }
    cr_expect_eq(reader_thread_end(&r), 0, "%s", r.err.text);
}

static struct sr_isolate_answer ask_to_open(struct reader_thread *r) {
    char path[2048];
    return ask_with(r, fixture_paths(path, "full"));
}

Test(isolate_requests, a_file_that_there_is_no_memory_for) {
    struct reader_thread r;
    reader_thread_begin(&r);
    open_full(&r);
    memory_begin(1);
    const struct sr_isolate_answer a = ask_to_open(&r);
    cr_expect(memory_end().failed);
    cr_expect_eq(a.status, SR_NOMEM, "%d: %s", a.status, a.text);
    cr_expect_eq(ask_to_open(&r).number, 1);
    cr_expect_eq(reader_thread_end(&r), 0, "%s", r.err.text);
}

Test(isolate_requests, an_environment_that_there_is_no_memory_for) {
    static char loads[] = "LD_LIBRARY_PATH=/x", keeps[] = "TOKEN=secret";
    char *const whole[] = {loads, keeps, NULL};
    struct sr_error err = {0};
    memory_begin(1);
    char **all = sr_isolate_environment(whole, &err);
    memory_end();
    cr_expect_null(all);
    cr_expect_eq(err.status, SR_NOMEM);
}
