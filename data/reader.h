/* reader.h: windows of bands in memory: a table from band to the place of its bytes.
 *
 * Where features are kept the table is full from the start and nothing else happens here. Where they are
 * streamed, a thread reads each window's bands into one of two buffers, one window ahead of the one in use,
 * so memory holds about two windows. One thread uses a reader; the reading thread is its own affair.
 *
 *     sr_reader_stop(r);               // before the sequence changes
 *     sr_sequence_start(s, pass);
 *     sr_reader_start(r, w);
 *     for (; w < s->windows; w++) {
 *         sr_reader_need(r, w, err);   // waits
 *         ... sr_reader_row(r, row) for rows of window w ...
 *         sr_reader_release(r, w);     // its buffer is for window w + 2 now
 *     }
 *
 * Every window is needed before it is released, also one without draws: the thread may still be writing into
 * its buffer. A window that could not be read stays failed until the next stop.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_READER_H
#define SR_READER_H

#include "data/sequence.h"

struct sr_reader;

/* d and s are borrowed. */
int sr_reader_create(struct sr_reader **out, const struct sr_data *d, const struct sr_sequence *s,
                     struct sr_error *err);
void sr_reader_free(struct sr_reader *r);

void sr_reader_stop(struct sr_reader *r);
void sr_reader_start(struct sr_reader *r, size_t window);
int sr_reader_need(struct sr_reader *r, size_t window, struct sr_error *err);
void sr_reader_release(struct sr_reader *r, size_t window);

/* Raw bytes of a row whose window is there. */
const unsigned char *sr_reader_row(const struct sr_reader *r, uint32_t row);

double sr_reader_waited(const struct sr_reader *r); /* seconds spent in sr_reader_need */

#endif
