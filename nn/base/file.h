/* file.h: files to read, opened and read whole.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_FILE_H
#define SR_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "nn/base/error.h"

/* Opens a regular file to read; *bytes: its size. Unlike fopen it does not wait at a pipe that nobody writes
 * to. `wanted` ("a weights file") is for the message about a folder. SR_NOINPUT: there is none, or it is a
 * folder, a pipe, a device. SR_IO. *out is NULL after a failure. */
int sr_file_open(FILE **out, uint64_t *bytes, const char *path, const char *wanted, struct sr_error *err);

/* The same as a descriptor, -1 after a failure. */
int sr_file_open_descriptor(int *fd, uint64_t *bytes, const char *path, const char *wanted,
                            struct sr_error *err);

/* Reads all bytes at that place of a descriptor. SR_IO; SR_DATA where the file ends before. */
int sr_file_read_at(int fd, uint64_t at, void *out, size_t bytes, const char *path, struct sr_error *err);

/* Opens whatever has that name: a pipe too, where it waits for a writer. *bytes is 0 where nobody knows. */
int sr_file_open_any(FILE **out, uint64_t *bytes, const char *path, struct sr_error *err);

/* Reads a whole file of at most limit bytes into a new block (free with sr_free) with a NUL behind it; a pipe
 * until its writer closes it. SR_NOINPUT if there is none or it is a folder, SR_DATA if it is larger, SR_IO
 * if it cannot be read. */
int sr_file_read(void **bytes, size_t *size, const char *path, size_t limit, struct sr_error *err);

/* The same of a regular file only, opened as sr_file_open does. */
int sr_file_read_regular(void **bytes, size_t *size, const char *path, const char *wanted, size_t limit,
                         struct sr_error *err);

/* Copies a whole file of at most limit bytes; `to` is replaced atomically. Errors of both. */
int sr_file_copy(const char *to, const char *from, size_t limit, struct sr_error *err);

#endif
