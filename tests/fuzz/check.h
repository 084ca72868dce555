/* check.h: what every fuzz target of this folder shares.
 *
 * A target is a file fuzz_NAME.c with LLVMFuzzerTestOneInput, which gives the bytes to one or more parsers
 * (parsers.h). libFuzzer calls it with mutated inputs (scripts/fuzz.sh), replay.c with files (ctest). A
 * broken promise aborts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_FUZZ_CHECK_H
#define SR_FUZZ_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "nn/base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Blocks that a library may lose in each run; a target that knows of none has not got it. */
extern const long fuzz_lost_by_library __attribute__((weak));

/* Aborts with the text, as a crash does, unless it holds. */
#define FUZZ_CHECK(condition, ...)                                                                           \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: not so: %s: ", __FILE__, __LINE__, #condition);                          \
            fprintf(stderr, __VA_ARGS__);                                                                    \
            fputc('\n', stderr);                                                                             \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* What the last parser made of the last input, for replay --print. digest: of the content, "" where it makes
 * none. */
struct fuzz_outcome {
    int status;
    char text[SR_ERROR_TEXT], digest[65];
};
extern struct fuzz_outcome fuzz_outcome;

/* Notes the outcome of a parser. A failure has a status of the list, but not that of a bug, and a message of
 * one line without control characters. Returns whether the input was accepted. */
bool fuzz_accepted(int status, const struct sr_error *err);

/* The bytes as a file in memory: its path, good until the next call. number 0..3: which of several. */
const char *fuzz_file(int number, const void *data, size_t size);

/* The same as a file in fuzz_folder with that ending, for parsers that go by it or want a real path; of four
 * endings at most. */
const char *fuzz_file_named(const void *data, size_t size, const char *ending);

/* A folder of this process, removed at its end; in $TMPDIR, which is best in memory. */
const char *fuzz_folder(void);

/* Bytes taken from the front of an input; zeros behind its end. */
struct fuzz_bytes {
    const uint8_t *at;
    size_t left;
};
uint8_t fuzz_byte(struct fuzz_bytes *b);

/* A copy with a NUL behind it; free with sr_free. */
char *fuzz_text(const void *data, size_t size);

/* What can be printed, but for line ends. */
void fuzz_check_printable(const char *text, const char *what);

#endif
