/* reader.h: windows of bands in memory: a table from band to the place of its bytes.
 *
 * Where features are kept the table is full from the start and nothing else happens here. Where they are
 * streamed, a thread reads one window ahead of the one in use, and on into the next pass, whose order of
 * bands it works out for itself; memory holds two windows, or all bands if those are fewer. A band that is
 * there is not read again, so that data of two windows is read once. One thread uses a reader; the reading
 * thread is its own affair. It works alone; who has to wait for it takes over, with all threads of OpenMP.
 *
 *     sr_reader_seek(r, pass, w);   // the reading thread begins
 *     for (;;) {                    // window w, w+1, ..., those of pass + 1, ...
 *         sr_reader_need(r, err);   // waits
 *         ... sr_reader_row(r, row) for rows of the window ...
 *         sr_reader_release(r);     // its bytes may go
 *     }
 *
 * Every window is needed before it is released, also one without draws. What could not be read stays failed
 * until the next seek.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_READER_H
#define SR_READER_H

#include "data/sequence.h"

struct sr_reader;

/* d and s are borrowed; of s what sr_sequence_start leaves alone. */
int sr_reader_create(struct sr_reader **out, const struct sr_data *d, const struct sr_sequence *s,
                     struct sr_error *err);
void sr_reader_free(struct sr_reader *r);

/* Goes to a window of a pass. */
void sr_reader_seek(struct sr_reader *r, uint64_t pass, size_t window);
int sr_reader_need(struct sr_reader *r, struct sr_error *err);
void sr_reader_release(struct sr_reader *r);

/* Raw bytes of a row of the window that was needed. */
const unsigned char *sr_reader_row(const struct sr_reader *r, uint32_t row);

double sr_reader_waited(const struct sr_reader *r);  /* seconds spent in sr_reader_need */
uint64_t sr_reader_bands(const struct sr_reader *r); /* read from the files so far; any thread */

#endif
