/* stream.h: stdio over a descriptor, that a signal does not disturb.
 *
 * A stream of fopen takes a write or read that a signal interrupted (EINTR, as network and FUSE file systems
 * and pipes return it) for a failure, and bytes of its buffer are lost with it. These repeat the call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_STREAM_H
#define SR_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* open(2) that is repeated after EINTR; close-on-exec. */
int sr_stream_descriptor(const char *path, int flags, mode_t mode);

/* All bytes, unless something but a signal is in the way. False with errno. */
bool sr_stream_put(int fd, const void *bytes, size_t size);

/* Reads all bytes at that place of a file: 0, or an errno; ENODATA where the file ends before. */
int sr_stream_get(int fd, void *to, size_t size, uint64_t at);

/* A stream over fd, which belongs to it from then on: fclose closes it. mode "r" or "w". *failed, unless it
 * is NULL: 0, and the errno of the first read or write that failed, which stdio itself forgets; it must live
 * until fclose. NULL with errno, and fd is still the caller's. fileno knows nothing of it. */
FILE *sr_stream_open(int fd, const char *mode, int *failed);

#endif
