/* test_base_stream.c: writing to descriptors that are not ready.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nn/base/stream.h"

#define BYTES 100000

/* Reads all, late; its status is 0 if there were BYTES. */
static pid_t begin_slow_reader(const int ends[2]) {
    const pid_t child = fork();
    if (child != 0)
        return child;
    static char bytes[BYTES + 1];
    size_t all = 0;
    ssize_t n;
    close(ends[1]);
    usleep(50000); /* until then the pipe is full */
    while ((n = read(ends[0], bytes, sizeof bytes)) > 0)
        all += (size_t)n;
    _exit(all == BYTES ? 0 : 1);
}

Test(stream, a_full_pipe_that_does_not_block_is_waited_for, .timeout = 60) {
    static char bytes[BYTES];
    int ends[2], status;
    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    const pid_t reader = begin_slow_reader(ends);
    close(ends[0]);
    cr_expect(sr_stream_put(ends[1], bytes, sizeof bytes));
    close(ends[1]);
    cr_assert_eq(waitpid(reader, &status, 0), reader);
    cr_expect_eq(status, 0);
}
