/* text.h: pieces of a line for people; internal to eval. What is undefined says so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEXT_H
#define SR_TEXT_H

#include <stdio.h>

#include "eval/interval.h"

#define SR_TEXT 64

void sr_put_name(FILE *to, const char *name); /* the head of a line, 15 columns */
void sr_put_count(FILE *to, uint64_t n);      /* 13319 as 13,319 */

/* A name from a file in a column of that many characters; what does not print is '?'. */
void sr_put_text(FILE *to, const char *text, int width);
#define SR_TEXT_NARROW 14 /* a column of names has so many at least, and SR_TEXT_WIDE at most */
#define SR_TEXT_WIDE   40
int sr_text_wider(int width, const char *text); /* that text fits, too */

/* value * scale in a format that takes one double: "%.4f". */
void sr_put(FILE *to, const char *format, double value, double scale);
void sr_put_interval(FILE *to, const char *format, struct sr_interval i, double scale); /* "[0.1, 0.2]" */

/* "0.5651 [0.5447, 0.5850]" into text. Returns text. */
const char *sr_text_figure(char text[SR_TEXT], const char *format, double value, struct sr_interval i,
                           double scale);

#endif
