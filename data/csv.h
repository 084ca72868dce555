/* csv.h: a CSV file (RFC 4180), record by record.
 *
 *     sr_csv_open(&c, "scores.csv", err);
 *     sr_csv_next(c, err);                          // the header line
 *     sr_csv_column(&prob, c, "prob", err);         // where "prob" stands
 *     while ((status = sr_csv_next(c, err)) > 0)
 *         ... sr_csv_field(c, prob) ...
 *     sr_csv_close(c);
 *
 * Fields may be quoted and then hold commas, line breaks and doubled quotes. Lines end in LF or CRLF, the
 * last one may end without. A UTF-8 byte order mark is skipped. Memory does not grow with the file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CSV_H
#define SR_CSV_H

#include "nn/base/base.h"

#define SR_CSV_BYTES  ((size_t)1 << 20) /* a record at most: more is a quote that nobody closed */
#define SR_CSV_FIELDS ((size_t)1 << 16)
#define SR_CSV_NONE   SIZE_MAX

struct sr_csv;

/* SR_NOINPUT: no such file. SR_IO: it cannot be opened. */
int sr_csv_open(struct sr_csv **out, const char *path, struct sr_error *err);
void sr_csv_close(struct sr_csv *c); /* NULL is fine */

/* 1: the next record is there; 0: there is none. SR_DATA, with file and line: a quote that is not closed, or
 * that stands inside a field or before the end of one; a carriage return or a NUL byte by itself; a record
 * with more or fewer fields than the first; one past the limits. SR_IO: the file cannot be read. */
int sr_csv_next(struct sr_csv *c, struct sr_error *err);

size_t sr_csv_fields(const struct sr_csv *c);                   /* of the record */
size_t sr_csv_line(const struct sr_csv *c);                     /* on which the record begins, from 1 */
const char *sr_csv_field(const struct sr_csv *c, size_t index); /* of the record; valid until the next */

/* *index: the field of the record (the header) that reads `name`, or SR_CSV_NONE. SR_DATA if two do. */
int sr_csv_column(size_t *index, const struct sr_csv *c, const char *name, struct sr_error *err);

double sr_csv_fraction(const struct sr_csv *c); /* of the file's bytes read, 0..1 */

#endif
