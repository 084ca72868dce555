/* isolate.h: dumps read by a process of its own. For h5_ways.c and isolate_*.c.
 *
 * HDF5 1.10 has holes that a hostile file can use. With --isolate this program starts itself again as a
 * reader (isolate_start.c), which gives up everything but reading descriptors that it is handed (sandbox.h)
 * and answers the questions of h5.h (isolate_reader.c). This process asks them (isolate_client.c) through one
 * channel (isolate_channel.c) and believes nothing: an answer may be any bytes at any time.
 *
 * A request and an answer are one message of fixed size each; the bytes of an answer lie in a window, which
 * is memory that both processes have. What does not fit comes in pieces: after each the reader waits to be
 * told to go on. One request is under way at a time; a lock sees to that.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_ISOLATE_H
#define SR_ISOLATE_H

#include <pthread.h>
#include <sys/types.h>

#include "data/h5.h"

/* ---- what goes over the channel ---- */

#define SR_ISOLATE_READER "isolated-reader" /* the argument that makes the program a reader */
#define SR_ISOLATE_SOCKET 3                 /* the reader's descriptor of the channel */
#define SR_ISOLATE_MEMORY 4                 /* and of the window */

#define SR_ISOLATE_WINDOW ((size_t)4 << 20) /* bytes */
#define SR_ISOLATE_NAME   1024
#define SR_ISOLATE_PATH   4096

enum sr_isolate_op {
    SR_ISOLATE_OPEN, /* with a descriptor; number: the file's */
    SR_ISOLATE_CLOSE,
    SR_ISOLATE_CHECK, /* whether all that it said of the file is so */
    SR_ISOLATE_HAS,
    SR_ISOLATE_INFO, /* struct sr_isolate_info */
    SR_ISOLATE_STORAGE,
    SR_ISOLATE_LIST,
    SR_ISOLATE_INTEGERS,
    SR_ISOLATE_DOUBLES,
    SR_ISOLATE_EACH_DOUBLE,
    SR_ISOLATE_TEXTS, /* one behind the other, each with its NUL */
    SR_ISOLATE_HAS_ATTRIBUTE,
    SR_ISOLATE_ATTRIBUTE,      /* number: there is one */
    SR_ISOLATE_ATTRIBUTE_LIST, /* number: of texts */
    SR_ISOLATE_MATRIX_OPEN,    /* number: the matrix's; its way as text */
    SR_ISOLATE_MATRIX_CLOSE,
    SR_ISOLATE_MATRIX_FORGET,
    SR_ISOLATE_MATRIX_READ,
    SR_ISOLATE_MATRIX_THROUGH_HDF5,
    SR_ISOLATE_GO_ON, /* the next piece */
    SR_ISOLATE_ENOUGH /* no more pieces */
};

struct sr_isolate_request {
    uint32_t op;
    uint32_t number; /* of a file or matrix */
    uint32_t type;   /* enum sr_feature */
    uint32_t unused;
    uint64_t first, rows;
    uint64_t size; /* room for a text */
    char object[SR_ISOLATE_NAME];
    char name[SR_ISOLATE_PATH];
};

struct sr_isolate_answer {
    int32_t status; /* 0 or an enum sr_status, with a text */
    uint32_t more;  /* 1: a piece follows */
    uint64_t bytes; /* in the window */
    uint64_t number;
    char text[SR_ERROR_TEXT];
};

struct sr_isolate_info {
    int32_t kind, rank;
    uint64_t size, shape[SR_H5_RANK];
    char type[32];
};

struct sr_isolate_storage {
    int32_t kind;
    uint32_t packed, filtered, unused;
    uint64_t chunk[SR_H5_RANK], bytes, unwritten, pieces;
    char filters[64];
};

/* ---- the channel, of the one who asks ---- */

struct sr_channel {
    int socket;
    pid_t reader; /* 0: none to end or to ask how it ended */
    const unsigned char *window;
    double seconds; /* of processor time that a request may take, and SR_ISOLATE_RATE bytes of files more */
    double wait_seconds; /* of waiting for an answer, whatever the reader does, and SR_ISOLATE_RATE more; and
                            for all of them, and SR_ISOLATE_SLOW more */
    double used, waited; /* processor seconds at the last answer's end; seconds waited in all */
    double answered;     /* bytes in all */
    uint64_t most;       /* bytes of any answer whose size is not known before */
    uint64_t files;      /* bytes on disk of the files that are open */
    pthread_mutex_t mutex; /* recursive: who takes a piece may end the reader */
    bool failed, told;     /* the reader is no more; whoever asked could pass that on */
    struct sr_error why;   /* of that */
};

#define SR_ISOLATE_RATE (4e6)   /* bytes of files for each second that a request may take more */
#define SR_ISOLATE_SLOW (2.5e5) /* bytes answered for each second more to wait: no disk is as slow */

/* Takes what an answer brings, a piece at a time; bytes is in the window, so it is to be copied before it is
 * looked at. Negative, with err, ends it. Not to ask the channel. */
typedef int sr_channel_take(void *user, const void *bytes, size_t n, struct sr_error *err);

/* Asks, and hands every piece to take (NULL: there must be none). The answer's number to *number (or NULL).
 * path: the file that messages name. file: a descriptor that goes along, or -1.
 *
 * Errors: the reader's own; SR_DATA where it died, was stopped, took too long, ran out of memory or answered
 * what no reader answers. After that it is ended, and everything fails. */
int sr_channel_ask(struct sr_channel *c, const struct sr_isolate_request *q, const char *path, int file,
                   sr_channel_take *take, void *user, uint64_t *number, struct sr_error *err);

/* Ends the reader: what it answered cannot be. SR_DATA. */
int sr_channel_nonsense(struct sr_channel *c, const char *path, struct sr_error *err);

/* Waits for the reader's first words, which say that it has given up what it should. */
int sr_channel_greet(struct sr_channel *c, struct sr_error *err);

void sr_channel_close(struct sr_channel *c);

/* ---- the two ends ---- */

/* Reads through the channel (NULL: no longer) what sr_h5_open opens from now on. Borrowed. */
void sr_isolate_use(struct sr_channel *c);

/* True if files are left to a reader. */
bool sr_isolate_running(void);

/* sr_h5_open, of that file. */
int sr_isolate_open(struct sr_h5 **out, const char *path, struct sr_error *err);

/* A reader's environment, of that of this process (which ends in NULL): what libraries look at when they are
 * loaded, and what keeps them from starting threads and reading files. Free with sr_free; the texts are not
 * copied. */
char **sr_isolate_environment(char *const *whole, struct sr_error *err);

/* Answers until the other end closes the channel: 0, or SR_IO. window: SR_ISOLATE_WINDOW bytes. */
int sr_isolate_answer(int socket, unsigned char *window, struct sr_error *err);

#endif
