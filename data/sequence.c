/* sequence.c: which row comes when: class-balanced, shuffled, and possible to stream. See sequence.h.
 *
 * SR_ORDER_BALANCED: draw i of a pass (as many draws as rows) picks a class, each with probability 1/2, and
 * then a row of that class: what PyTorch's WeightedRandomSampler does with weights 1/class count. Draws are
 * numbered Philox values. SR_ORDER_SHUFFLED: every row once. A row of a file with weight w is listed w times
 * in either. So how often each row is used is known before a feature is read. Bands of rows are permuted;
 * each window gathers whole bands; the draws of a window's rows are permuted within the window; batches are
 * cut from the concatenation, across windows. So rows far apart in the file meet only within a window, and
 * only a window must be in memory. Data that fits one window gets a full shuffle.
 *
 * A last batch of one row would break BatchNorm and joins its neighbour. SR_ORDER_FILE is every row once,
 * ascending, in windows of WINDOW_FILE rows.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/sequence.h"

#include <stdlib.h>

#include "data/set.h"

#define WINDOW_FILE ((size_t)2048)

static size_t band_of(uint32_t row) {
    return row / SR_BAND_ROWS;
}

/* Cuts rows into bands. */
static int find_bands(struct sr_sequence *s, struct sr_error *err) {
    for (size_t i = 0; i < s->n; i++)
        s->bands += i == 0 || band_of(s->rows[i]) != band_of(s->rows[i - 1]);
    s->band_begin = sr_alloc(s->bands + 1, sizeof *s->band_begin, err);
    s->order_of_band = sr_alloc(s->bands, sizeof *s->order_of_band, err);
    if (!s->band_begin || !s->order_of_band)
        return SR_NOMEM;
    size_t b = 0;
    for (size_t i = 0; i < s->n; i++)
        if (i == 0 || band_of(s->rows[i]) != band_of(s->rows[i - 1]))
            s->band_begin[b++] = (uint32_t)i;
    s->band_begin[b] = (uint32_t)s->n;
    return 0;
}

static size_t copies_of(const struct sr_sequence *s, size_t item) {
    return s->copies ? s->copies[item] : 1;
}

static int find_classes(struct sr_sequence *s, const uint8_t *label, struct sr_error *err) {
    if (!label)
        return sr_fail(err, SR_DATA, "class-balanced draws need labels, and the data has none");
    for (size_t i = 0; i < s->n; i++) {
        if (label[s->rows[i]] > 1)
            return sr_fail(err, SR_BUG, "row %u takes part in class-balanced draws without a label",
                           s->rows[i]);
        s->class_count[label[s->rows[i]]] += copies_of(s, i);
    }
    for (int c = 0; c < 2; c++) {
        if (s->class_count[c] == 0)
            return sr_fail(err, SR_DATA,
                           "none of %zu rows has label %d; class-balanced draws need both classes", s->n, c);
        s->class_item[c] = sr_alloc(s->class_count[c], sizeof *s->class_item[c], err);
        if (!s->class_item[c])
            return SR_NOMEM;
    }
    size_t at[2] = {0, 0};
    for (size_t i = 0; i < s->n; i++) {
        uint8_t c = label[s->rows[i]];
        for (size_t k = 0; k < copies_of(s, i); k++)
            s->class_item[c][at[c]++] = (uint32_t)i;
    }
    return 0;
}

static int check(const uint32_t *rows, size_t n, const struct sr_loader_options *options,
                 struct sr_error *err) {
    if (n == 0)
        return sr_fail(err, SR_DATA, "no rows are left to use");
    if (options->batch == 0 || (options->order != SR_ORDER_FILE && options->window == 0))
        return sr_fail(err, SR_USAGE, "a batch and a window must have at least one row");
    for (size_t i = 1; i < n; i++)
        if (rows[i] <= rows[i - 1])
            return sr_fail(err, SR_BUG, "participating rows are not ascending at item %zu", i);
    return 0;
}

static int count_pass(struct sr_sequence *s, size_t epoch_rows, struct sr_error *err) {
    for (size_t i = 0; i < s->n; i++)
        s->draws += s->order == SR_ORDER_SHUFFLED ? copies_of(s, i) : 1;
    s->epoch_rows = epoch_rows > 0 && s->order != SR_ORDER_FILE ? epoch_rows : s->draws;
    if (s->draws > UINT32_MAX)
        return sr_fail(err, SR_USAGE,
                       "with their files' weights the rows are drawn %zu times; at most 2^32 - 1", s->draws);
    return 0;
}

int sr_sequence_create(struct sr_sequence *s, const uint8_t *label, const uint8_t *copies,
                       const uint32_t *rows, size_t n, const struct sr_loader_options *options,
                       struct sr_error *err) {
    *s = (struct sr_sequence){.order = options->order,
                              .seed = options->seed,
                              .batch = options->batch,
                              .copies = copies,
                              .rows = rows,
                              .n = n};
    int status = check(rows, n, options, err);
    if (status == 0)
        status = find_bands(s, err);
    if (status == 0 && s->order == SR_ORDER_BALANCED)
        status = find_classes(s, label, err);
    if (status == 0)
        status = count_pass(s, options->epoch_rows, err);
    if (status < 0)
        return status;
    size_t window = s->order == SR_ORDER_FILE ? WINDOW_FILE : options->window;
    s->window_bands = window / SR_BAND_ROWS + (window % SR_BAND_ROWS != 0);
    s->window_bands = s->window_bands < s->bands ? s->window_bands : s->bands;
    s->windows = (s->bands + s->window_bands - 1) / s->window_bands;
    s->count = sr_alloc(n, sizeof *s->count, err);
    s->draw = sr_alloc(s->draws, sizeof *s->draw, err);
    s->window_begin = sr_alloc(s->windows + 1, sizeof *s->window_begin, err);
    return s->count && s->draw && s->window_begin ? 0 : SR_NOMEM;
}

void sr_sequence_free(struct sr_sequence *s) {
    sr_free(s->class_item[0]);
    sr_free(s->class_item[1]);
    sr_free(s->band_begin);
    sr_free(s->order_of_band);
    sr_free(s->count);
    sr_free(s->draw);
    sr_free(s->window_begin);
    *s = (struct sr_sequence){0};
}

static void count_draws(struct sr_sequence *s, uint64_t pass) {
    uint64_t class_stream = sr_stream(SR_STREAM_DRAW_CLASS, 0, pass);
    uint64_t row_stream = sr_stream(SR_STREAM_DRAW_ROW, 0, pass);
    const bool balanced = s->order == SR_ORDER_BALANCED;
    for (size_t i = 0; i < s->n; i++)
        s->count[i] = balanced ? 0 : s->order == SR_ORDER_SHUFFLED ? (uint32_t)copies_of(s, i) : 1;
    for (size_t i = 0; balanced && i < s->draws; i++) {
        uint64_t c = sr_random_below(s->seed, class_stream, i, 2);
        uint64_t k = sr_random_below(s->seed, row_stream, i, s->class_count[c]);
        s->count[s->class_item[c][k]]++;
    }
}

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static size_t bands_of_window(const struct sr_sequence *s, size_t w) {
    size_t left = s->bands - w * s->window_bands;
    return left < s->window_bands ? left : s->window_bands;
}

/* Permutes the bands; each window's are then sorted, so that they are read as they lie in the file. */
static void order_bands(const struct sr_sequence *s, uint64_t pass, uint32_t *order) {
    for (size_t b = 0; b < s->bands; b++)
        order[b] = (uint32_t)b;
    if (s->order == SR_ORDER_FILE)
        return;
    sr_random_shuffle(order, s->bands, s->seed, sr_stream(SR_STREAM_BANDS, 0, pass));
    for (size_t w = 0; w < s->windows; w++)
        qsort(order + w * s->window_bands, bands_of_window(s, w), sizeof *order, ascending);
}

/* Writes the draws of window w from draw[at] on; returns where they end. */
static size_t list_draws(struct sr_sequence *s, size_t w, size_t at) {
    const uint32_t *band = s->order_of_band + w * s->window_bands;
    for (size_t k = 0; k < bands_of_window(s, w); k++)
        for (size_t i = s->band_begin[band[k]]; i < s->band_begin[band[k] + 1]; i++)
            for (uint32_t c = 0; c < s->count[i]; c++)
                s->draw[at++] = s->rows[i];
    return at;
}

void sr_sequence_start(struct sr_sequence *s, uint64_t pass) {
    count_draws(s, pass);
    order_bands(s, pass, s->order_of_band);
    for (size_t w = 0; w < s->windows; w++) {
        size_t begin = s->window_begin[w], end = list_draws(s, w, begin);
        /* The stream's two fields hold the low 16 bits of the window, and the rest of it above 24 bits of
         * pass. */
        uint64_t stream = sr_stream(SR_STREAM_WINDOW, w, (w >> 16) << 24 | (pass & 0xffffff));
        if (s->order != SR_ORDER_FILE)
            sr_random_shuffle(s->draw + begin, end - begin, s->seed, stream);
        s->window_begin[w + 1] = end;
    }
}

size_t sr_sequence_batches(const struct sr_sequence *s) {
    size_t whole = s->epoch_rows / s->batch, left = s->epoch_rows % s->batch;
    bool joins = left == 1 && whole > 0 && s->order != SR_ORDER_FILE;
    return whole + (left > 0 && !joins);
}

size_t sr_sequence_begin(const struct sr_sequence *s, size_t batch) {
    return batch >= sr_sequence_batches(s) ? s->epoch_rows : batch * s->batch;
}

static size_t number_of_band(const struct sr_sequence *s, uint32_t b) {
    return band_of(s->rows[s->band_begin[b]]);
}

void sr_sequence_bands(const struct sr_sequence *s, uint64_t pass, uint32_t *band) {
    order_bands(s, pass, band);
    for (size_t place = 0; place < s->bands; place++)
        band[place] = (uint32_t)number_of_band(s, band[place]);
}

size_t sr_sequence_band(const struct sr_sequence *s, size_t place) {
    return number_of_band(s, s->order_of_band[place]);
}
