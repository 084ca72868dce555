/* lines.h: a text file line by line, in memory of its longest line.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_LINES_H
#define SR_LINES_H

#include <stddef.h>

#include "nn/base/base.h"

#define SR_LINE_MOST ((size_t)64 << 20) /* bytes: more is no line of text */

struct sr_lines;

/* SR_NOINPUT: no such file. SR_IO: it cannot be opened. */
int sr_lines_open(struct sr_lines **out, const char *path, struct sr_error *err);
void sr_lines_close(struct sr_lines *l); /* NULL is fine */

/* 1: *text is the next line without its LF or CRLF, and may be written to until the next call; 0: there is
 * none. A UTF-8 byte order mark is skipped. SR_DATA: a NUL byte, or a line past SR_LINE_MOST. SR_IO. */
int sr_lines_next(struct sr_lines *l, char **text, struct sr_error *err);

double sr_lines_fraction(const struct sr_lines *l); /* of the file's bytes read, 0..1 */

#endif
