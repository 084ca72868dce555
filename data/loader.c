/* loader.c: batches: the rows of a sequence as floats. See data.h.
 *
 * The sequence says which rows (sequence.c), the reader has their bytes (reader.c), and here they become
 * floats, a batch at a time, over all OpenMP threads. A batch may reach over windows; its rows are copied out
 * of one before the next is asked for. Nothing is allocated after creation.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/reader.h"
#include "data/set.h"

struct sr_loader {
    const struct sr_data *d;
    struct sr_sequence sequence;
    struct sr_reader *reader;
    float *x;      /* [batch + 1, width] */
    uint8_t *y;    /* [batch + 1], NULL without labels */
    size_t next;   /* batch that comes next */
    size_t window; /* the one in use */
};

int sr_loader_create(struct sr_loader **out, struct sr_data *d, const uint32_t *rows, size_t n,
                     const struct sr_loader_options *options, struct sr_error *err) {
    if (n > 0 && rows[n - 1] >= d->rows)
        return sr_fail(err, SR_BUG, "row %u takes part, but there are only %zu rows", rows[n - 1], d->rows);
    struct sr_loader *l = sr_alloc(1, sizeof *l, err);
    if (!l)
        return SR_NOMEM;
    l->d = d;
    int status = sr_sequence_create(&l->sequence, d->label, rows, n, options, err);
    if (status == 0)
        status = sr_reader_create(&l->reader, d, &l->sequence, err);
    if (status < 0)
        goto out;
    size_t most = options->batch < n ? options->batch + 1 : n;
    l->x = sr_alloc(most, d->width * sizeof(float), err);
    l->y = d->label ? sr_alloc(most, 1, err) : NULL;
    status = l->x && (l->y || !d->label) ? 0 : SR_NOMEM;
    l->next = sr_loader_batches(l);
out:
    if (status < 0)
        sr_loader_free(l);
    else
        *out = l;
    return status;
}

void sr_loader_free(struct sr_loader *l) {
    if (!l)
        return;
    sr_reader_free(l->reader);
    sr_sequence_free(&l->sequence);
    sr_free(l->x);
    sr_free(l->y);
    sr_free(l);
}

size_t sr_loader_batches(const struct sr_loader *l) {
    return sr_sequence_batches(&l->sequence);
}

int sr_loader_start(struct sr_loader *l, uint64_t epoch, size_t first, struct sr_error *err) {
    const struct sr_sequence *s = &l->sequence;
    if (first > sr_loader_batches(l))
        return sr_fail(err, SR_BUG, "batch %zu of an epoch of %zu", first, sr_loader_batches(l));
    sr_reader_stop(l->reader);
    sr_sequence_start(&l->sequence, epoch);
    l->next = first;
    l->window = 0;
    while (l->window < s->windows && s->window_begin[l->window + 1] <= sr_sequence_begin(s, first))
        l->window++;
    sr_reader_start(l->reader, l->window);
    return 0;
}

static void fill(struct sr_loader *l, size_t to, size_t from, size_t n) {
    const uint32_t *draw = l->sequence.draw + from;
    size_t width = l->d->width;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++)
        sr_feature_to_float(l->x + (to + i) * width, sr_reader_row(l->reader, draw[i]), width,
                            l->d->in->type);
    for (size_t i = 0; l->y && i < n; i++)
        l->y[to + i] = l->d->label[draw[i]];
}

int sr_loader_next(struct sr_loader *l, struct sr_batch *batch, struct sr_error *err) {
    const struct sr_sequence *s = &l->sequence;
    size_t begin = sr_sequence_begin(s, l->next), end = sr_sequence_begin(s, l->next + 1), at = begin;
    if (begin == end)
        return 0;
    while (at < end) {
        if (at == s->window_begin[l->window + 1]) {
            sr_reader_release(l->reader, l->window++);
            continue;
        }
        int status = sr_reader_need(l->reader, l->window, err);
        if (status < 0)
            return status;
        size_t stop = s->window_begin[l->window + 1] < end ? s->window_begin[l->window + 1] : end;
        fill(l, at - begin, at, stop - at);
        at = stop;
    }
    l->next++;
    *batch = (struct sr_batch){.rows = end - begin, .x = l->x, .y = l->y, .row = s->draw + begin};
    return 1;
}

double sr_loader_waited(const struct sr_loader *l) {
    return sr_reader_waited(l->reader);
}
