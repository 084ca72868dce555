/* sequence.h: which row comes when.
 *
 * A pure function of (labels of the participating rows, seed, pass, window); see sequence.c. Memory, threads
 * and the place where features are kept have no part in it. A sequence is one pass at a time; epochs, which
 * take their draws from passes one behind the other, are the loader's, but for how an epoch is cut into
 * batches.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_SEQUENCE_H
#define SR_SEQUENCE_H

#include "data/data.h"

struct sr_sequence {
    enum sr_order order;
    uint64_t seed;
    size_t batch;

    const uint32_t *rows; /* [n] participating rows, ascending; borrowed */
    size_t n;
    const uint8_t *copies;   /* [n]: how often each item is listed; NULL: once; borrowed */
    uint32_t *class_item[2]; /* listed items of rows with label 0 and 1, where the order is balanced: 4 bytes
                                for every copy of an item */
    size_t class_count[2];
    size_t draws;      /* of a pass */
    size_t epoch_rows; /* draws of an epoch */

    uint32_t *band_begin; /* [bands + 1]: items rows[band_begin[b] .. band_begin[b+1]) lie in one band */
    size_t bands;         /* bands that hold participating rows */
    size_t window_bands;  /* bands a window; the last window may have fewer */
    size_t windows;

    /* What sr_sequence_start fills for a pass. */
    uint32_t *order_of_band; /* [bands]: window w has the bands at w*window_bands .., ascending within it */
    uint32_t *count;         /* [n]: draws of each item */
    uint32_t *draw;          /* [draws]: rows in the order they are used */
    size_t *window_begin;    /* [windows + 1]: draws of each window */
};

/* label: of all rows of the set, 0 or 1 (else SR_BUG) for those that take part; needed for SR_ORDER_BALANCED
 * only. SR_DATA if a class is missing then, SR_USAGE if a pass would have 2^32 draws or more. copies may be
 * NULL. Free with sr_sequence_free also after a failure. */
int sr_sequence_create(struct sr_sequence *s, const uint8_t *label, const uint8_t *copies,
                       const uint32_t *rows, size_t n, const struct sr_loader_options *options,
                       struct sr_error *err);
void sr_sequence_free(struct sr_sequence *s);

void sr_sequence_start(struct sr_sequence *s, uint64_t pass);

/* The bands of a pass by their places, as sr_sequence_start orders them: numbers (row / SR_BAND_ROWS) into
 * band [s->bands]. Touches nothing of s, so that another thread may call it at any time. */
void sr_sequence_bands(const struct sr_sequence *s, uint64_t pass, uint32_t *band);

/* Batches an epoch, and where in the epoch a batch begins (batch number sr_sequence_batches: at epoch_rows).
 */
size_t sr_sequence_batches(const struct sr_sequence *s);
size_t sr_sequence_begin(const struct sr_sequence *s, size_t batch);

/* Number of the band (row / SR_BAND_ROWS) at a place of order_of_band. */
size_t sr_sequence_band(const struct sr_sequence *s, size_t place);

#endif
