/* loader.c: batches: the rows of a sequence as floats. See data.h.
 *
 * The sequence says which rows (sequence.c), the reader has their bytes (reader.c), and here they become
 * floats, a batch at a time, over all OpenMP threads. A batch may reach over windows; its rows are copied out
 * of one before the next is asked for. An epoch takes its draws where the last one ended, so a batch may
 * reach over two passes too: then the sequence of the next one is made in between. Nothing is allocated after
 * creation, but what unpacking chunks of a streamed file takes for a moment (h5_chunks.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/reader.h"
#include "data/set.h"

struct sr_loader {
    const struct sr_data *d;
    struct sr_sequence sequence;
    struct sr_reader *reader;
    uint8_t *copies; /* of each item; NULL: one */
    const float *shift, *scale;
    float *x;      /* [batch + 1, width] */
    float *own_x;  /* the same, or NULL if it is borrowed */
    uint8_t *y;    /* [batch + 1], NULL without labels */
    float *weight; /* [batch + 1], NULL without weights */
    uint32_t *row; /* [batch + 1] */
    size_t next;   /* batch that comes next */
    uint64_t pass; /* the pass of the sequence; NO_PASS: none was started */
    size_t at;     /* draw of it that comes next */
    size_t window; /* the one it lies in */
};

#define NO_PASS UINT64_MAX

/* Values from which on a batch is shared out: below, threads take longer to begin than to convert. */
#define SHARED_VALUES ((size_t)1 << 16)

/* How often each item is listed: the weight of its file. */
static int copies_list(struct sr_loader *l, const uint32_t *rows, size_t n,
                       const struct sr_loader_options *options, struct sr_error *err) {
    if (!options->file_weight || options->order == SR_ORDER_FILE)
        return 0;
    for (size_t f = 0; f < l->d->files; f++)
        if (options->file_weight[f] < 1 || options->file_weight[f] > SR_FILE_WEIGHT_MAX)
            return sr_fail(err, SR_USAGE, "the weight of %s is %lld; 1 to %d are possible",
                           sr_data_path(l->d, f), (long long)options->file_weight[f], SR_FILE_WEIGHT_MAX);
    l->copies = sr_alloc(n, 1, err);
    if (!l->copies)
        return SR_NOMEM;
    for (size_t i = 0; i < n; i++)
        l->copies[i] = (uint8_t)options->file_weight[sr_data_file(l->d, rows[i])];
    return 0;
}

static int buffers_allocate(struct sr_loader *l, float *x, size_t rows, struct sr_error *err) {
    const struct sr_data *d = l->d;
    l->own_x = x ? NULL : sr_alloc(rows, d->width * sizeof *l->x, err);
    l->x = x ? x : l->own_x;
    l->row = sr_alloc(rows, sizeof *l->row, err);
    l->y = d->label ? sr_alloc(rows, 1, err) : NULL;
    l->weight = d->weight ? sr_alloc(rows, sizeof *l->weight, err) : NULL;
    return l->x && l->row && (l->y || !d->label) && (l->weight || !d->weight) ? 0 : SR_NOMEM;
}

int sr_loader_create(struct sr_loader **out, struct sr_data *d, const uint32_t *rows, size_t n,
                     const struct sr_loader_options *options, struct sr_error *err) {
    if (n > 0 && rows[n - 1] >= d->rows)
        return sr_fail(err, SR_BUG, "row %u takes part, but there are only %zu rows", rows[n - 1], d->rows);
    if (!options->shift != !options->scale)
        return sr_fail(err, SR_BUG, "features are given a %s",
                       options->shift ? "shift without a scale" : "scale without a shift");
    struct sr_loader *l = sr_alloc(1, sizeof *l, err);
    if (!l)
        return SR_NOMEM;
    l->d = d;
    l->shift = options->shift;
    l->scale = options->scale;
    l->pass = NO_PASS;
    int status = copies_list(l, rows, n, options, err);
    if (status == 0)
        status = sr_sequence_create(&l->sequence, d->label, l->copies, rows, n, options, err);
    if (status == 0)
        status = sr_reader_create(&l->reader, d, &l->sequence, err);
    if (status == 0) {
        const size_t epoch_rows = l->sequence.epoch_rows;
        status = buffers_allocate(l, options->x,
                                  options->batch < epoch_rows ? options->batch + 1 : epoch_rows, err);
        l->next = sr_loader_batches(l);
    }
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
    sr_free(l->copies);
    sr_free(l->own_x);
    sr_free(l->y);
    sr_free(l->weight);
    sr_free(l->row);
    sr_free(l);
}

size_t sr_loader_batches(const struct sr_loader *l) {
    return sr_sequence_batches(&l->sequence);
}

size_t sr_loader_rows(const struct sr_loader *l) {
    return l->sequence.epoch_rows;
}

/* A pass of the sequence, from its first draw on. In file order all passes are the same. */
static void pass_begin(struct sr_loader *l, uint64_t pass) {
    if (l->pass == NO_PASS || (l->pass != pass && l->sequence.order != SR_ORDER_FILE))
        sr_sequence_start(&l->sequence, pass);
    l->pass = pass;
    l->at = 0;
    l->window = 0;
}

/* Goes to a draw of a pass, unless it stands there already. The reader has read on into the next pass, so
 * that from the end of one to the beginning of the next nothing need be sought. */
static void pass_enter(struct sr_loader *l, uint64_t pass, size_t at) {
    const struct sr_sequence *s = &l->sequence;
    const bool is_next = pass == l->pass + 1 || s->order == SR_ORDER_FILE;
    if (l->pass == pass && l->at == at)
        return;
    /* windows behind the last draw were not passed over */
    const bool reads_on = l->pass != NO_PASS && l->window == s->windows && at == 0 && is_next;
    pass_begin(l, pass);
    if (reads_on)
        return;
    l->at = at;
    while (l->window < s->windows && s->window_begin[l->window + 1] <= at)
        l->window++;
    sr_reader_seek(l->reader, pass, l->window);
}

int sr_loader_start(struct sr_loader *l, uint64_t epoch, size_t first, struct sr_error *err) {
    const struct sr_sequence *s = &l->sequence;
    if (first > sr_loader_batches(l))
        return sr_fail(err, SR_BUG, "batch %zu of an epoch of %zu", first, sr_loader_batches(l));
    /* (epoch + 1) * epoch_rows < UINT64_MAX, so that no pass is NO_PASS */
    if (epoch >= (UINT64_MAX - 1) / s->epoch_rows)
        return sr_fail(err, SR_USAGE, "epoch %llu of %zu rows begins beyond 2^64 draws; take fewer of either",
                       (unsigned long long)epoch, s->epoch_rows);
    const uint64_t draw = epoch * s->epoch_rows + sr_sequence_begin(s, first);
    pass_enter(l, draw / s->draws, (size_t)(draw % s->draws));
    l->next = first;
    return 0;
}

static void normalize(const struct sr_loader *l, float *x) {
    for (size_t k = 0; l->shift && k < l->d->width; k++)
        x[k] = (x[k] - l->shift[k]) * l->scale[k];
}

/* Draws from .. from+n of the pass into the batch from its row `to` on. */
static void fill(struct sr_loader *l, size_t to, size_t from, size_t n) {
    const uint32_t *draw = l->sequence.draw + from;
    size_t width = l->d->width;
#pragma omp parallel for schedule(static) if (n * width >= SHARED_VALUES)
    for (size_t i = 0; i < n; i++) {
        float *x = l->x + (to + i) * width;
        sr_feature_to_float(x, sr_reader_row(l->reader, draw[i]), width, l->d->in->type);
        normalize(l, x);
    }
    for (size_t i = 0; i < n; i++) {
        l->row[to + i] = draw[i];
        if (l->y)
            l->y[to + i] = l->d->label[draw[i]];
        if (l->weight)
            l->weight[to + i] = l->d->weight[draw[i]];
    }
}

/* Fills the batch from its row `done` on with what is left of the window, at most n rows; *taken is how many.
 * A window without draws is waited for as well: the thread must be done with a buffer that is released. */
static int window_take(struct sr_loader *l, size_t done, size_t n, size_t *taken, struct sr_error *err) {
    const size_t end = l->sequence.window_begin[l->window + 1];
    int status = sr_reader_need(l->reader, err);
    if (status < 0)
        return status;
    *taken = end - l->at < n ? end - l->at : n;
    fill(l, done, l->at, *taken);
    l->at += *taken;
    if (l->at == end) {
        sr_reader_release(l->reader);
        l->window++;
    }
    return 0;
}

int sr_loader_next(struct sr_loader *l, struct sr_batch *batch, struct sr_error *err) {
    const struct sr_sequence *s = &l->sequence;
    const size_t rows = sr_sequence_begin(s, l->next + 1) - sr_sequence_begin(s, l->next);
    for (size_t done = 0, taken = 0; done < rows; done += taken) {
        if (l->at == s->draws)
            pass_enter(l, l->pass + 1, 0);
        int status = window_take(l, done, rows - done, &taken, err);
        if (status < 0) {
            l->pass = NO_PASS; /* so that the next start reads again */
            return status;
        }
    }
    if (rows == 0)
        return 0;
    l->next++;
    *batch = (struct sr_batch){.rows = rows, .x = l->x, .y = l->y, .weight = l->weight, .row = l->row};
    return 1;
}

double sr_loader_waited(const struct sr_loader *l) {
    return sr_reader_waited(l->reader);
}
