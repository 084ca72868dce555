/* reader.c: reads windows ahead of their use in a thread of its own. See reader.h.
 *
 * Each of the two buffers is empty, wanted, being read or ready; only the user makes it wanted or empty, only
 * the thread moves it on, all under one mutex with two conditions. While a buffer is being read the thread
 * alone touches its bytes and its bands' places in the table. Neighbouring bands are read with one call, but
 * never more than RUN_BANDS, so that other readers of HDF5 get their turn and stopping is quick.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/reader.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "data/set.h"

#define RUN_BANDS ((size_t)8)

enum state { EMPTY, WANTED, READING, READY };

struct buffer {
    enum state state;
    size_t window;
    int status; /* of reading it */
    struct sr_error err;
    unsigned char *bytes;
};

struct sr_reader {
    const struct sr_data *d;
    const struct sr_sequence *s;
    const unsigned char **band; /* [bands of the set]: bytes of a band, where they are in memory */
    struct buffer buffer[2];
    double waited;

    bool threaded; /* features are streamed and the thread runs */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t work, done;
    bool quit, cancel;
};

/* ---- the reading thread ---- */

static bool is_cancelled(struct sr_reader *r) {
    pthread_mutex_lock(&r->mutex);
    bool cancelled = r->cancel;
    pthread_mutex_unlock(&r->mutex);
    return cancelled;
}

/* Bands from place on that follow each other in the file. */
static size_t run_length(const struct sr_sequence *s, size_t place, size_t end) {
    size_t n = 1, first = sr_sequence_band(s, place);
    while (n < RUN_BANDS && place + n < end && sr_sequence_band(s, place + n) == first + n)
        n++;
    return n;
}

static int read_window(struct sr_reader *r, struct buffer *b) {
    size_t place = b->window * r->s->window_bands, end = place + r->s->window_bands;
    size_t band_bytes = SR_BAND_ROWS * r->d->in->row_bytes;
    unsigned char *to = b->bytes;
    end = end < r->s->bands ? end : r->s->bands;
    while (place < end && !is_cancelled(r)) {
        size_t bands = run_length(r->s, place, end), band = sr_sequence_band(r->s, place);
        size_t first = band * SR_BAND_ROWS, rows = bands * SR_BAND_ROWS;
        rows = rows < r->d->rows - first ? rows : r->d->rows - first;
        int status = sr_set_read(r->d, to, first, rows, &b->err);
        if (status < 0)
            return status;
        for (size_t k = 0; k < bands; k++)
            r->band[band + k] = to + k * band_bytes;
        to += bands * band_bytes;
        place += bands;
    }
    return 0;
}

/* The wanted buffer whose window comes first, or NULL. */
static struct buffer *next_wanted(struct sr_reader *r) {
    struct buffer *next = NULL;
    for (int i = 0; i < 2; i++) {
        struct buffer *b = &r->buffer[i];
        if (b->state == WANTED && (!next || b->window < next->window))
            next = b;
    }
    return next;
}

static void *read_on(void *user) {
    struct sr_reader *r = user;
    pthread_mutex_lock(&r->mutex);
    while (!r->quit) {
        struct buffer *b = next_wanted(r);
        if (!b) {
            pthread_cond_wait(&r->work, &r->mutex);
            continue;
        }
        b->state = READING;
        pthread_mutex_unlock(&r->mutex);
        int status = read_window(r, b);
        pthread_mutex_lock(&r->mutex);
        b->status = status;
        b->state = READY;
        pthread_cond_broadcast(&r->done);
    }
    pthread_mutex_unlock(&r->mutex);
    return NULL;
}

/* ---- its user ---- */

/* Under the mutex. */
static void want(struct sr_reader *r, size_t window) {
    if (window >= r->s->windows)
        return;
    r->buffer[window % 2].window = window;
    r->buffer[window % 2].state = WANTED;
    pthread_cond_signal(&r->work);
}

void sr_reader_stop(struct sr_reader *r) {
    if (!r->threaded)
        return;
    pthread_mutex_lock(&r->mutex);
    r->cancel = true;
    for (int i = 0; i < 2; i++) {
        while (r->buffer[i].state == READING)
            pthread_cond_wait(&r->done, &r->mutex);
        r->buffer[i].state = EMPTY;
    }
    r->cancel = false;
    pthread_mutex_unlock(&r->mutex);
}

void sr_reader_start(struct sr_reader *r, size_t window) {
    if (!r->threaded)
        return;
    pthread_mutex_lock(&r->mutex);
    want(r, window);
    want(r, window + 1);
    pthread_mutex_unlock(&r->mutex);
}

int sr_reader_need(struct sr_reader *r, size_t window, struct sr_error *err) {
    if (!r->threaded)
        return 0;
    struct buffer *b = &r->buffer[window % 2];
    double since = sr_log_clock();
    pthread_mutex_lock(&r->mutex);
    while (b->state != READY)
        pthread_cond_wait(&r->done, &r->mutex);
    int status = b->status;
    pthread_mutex_unlock(&r->mutex);
    r->waited += sr_log_clock() - since;
    if (status < 0 && err)
        *err = b->err;
    return status;
}

void sr_reader_release(struct sr_reader *r, size_t window) {
    if (!r->threaded)
        return;
    pthread_mutex_lock(&r->mutex);
    r->buffer[window % 2].state = EMPTY;
    want(r, window + 2);
    pthread_mutex_unlock(&r->mutex);
}

const unsigned char *sr_reader_row(const struct sr_reader *r, uint32_t row) {
    return r->band[row / SR_BAND_ROWS] + row % SR_BAND_ROWS * r->d->in->row_bytes;
}

double sr_reader_waited(const struct sr_reader *r) {
    return r->waited;
}

/* ---- life ---- */

/* The thread takes no signals: they are the program's to handle. */
static int start_thread(struct sr_reader *r, struct sr_error *err) {
    sigset_t all, before;
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->work, NULL);
    pthread_cond_init(&r->done, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&r->thread, NULL, read_on, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return sr_fail(err, SR_NOMEM, "no thread for reading ahead: %s", strerror(failed));
    r->threaded = true;
    return 0;
}

static int begin_streaming(struct sr_reader *r, struct sr_error *err) {
    for (size_t i = 0; i < 2 && i < r->s->windows; i++) {
        r->buffer[i].bytes = sr_alloc(r->s->window_bands * SR_BAND_ROWS, r->d->in->row_bytes, err);
        if (!r->buffer[i].bytes)
            return SR_NOMEM;
    }
    return start_thread(r, err);
}

int sr_reader_create(struct sr_reader **out, const struct sr_data *d, const struct sr_sequence *s,
                     struct sr_error *err) {
    int status = SR_NOMEM;
    struct sr_reader *r = sr_alloc(1, sizeof *r, err);
    if (!r)
        return SR_NOMEM;
    r->d = d;
    r->s = s;
    r->band = sr_alloc(sr_set_bands(d), sizeof *r->band, err);
    if (!r->band)
        goto out;
    for (size_t b = 0; d->in->kept && b < sr_set_bands(d); b++)
        r->band[b] = d->in->kept + b * SR_BAND_ROWS * d->in->row_bytes;
    status = d->in->kept ? 0 : begin_streaming(r, err);
out:
    if (status < 0)
        sr_reader_free(r);
    else
        *out = r;
    return status;
}

void sr_reader_free(struct sr_reader *r) {
    if (!r)
        return;
    if (r->threaded) {
        sr_reader_stop(r);
        pthread_mutex_lock(&r->mutex);
        r->quit = true;
        pthread_cond_signal(&r->work);
        pthread_mutex_unlock(&r->mutex);
        pthread_join(r->thread, NULL);
        pthread_cond_destroy(&r->done);
        pthread_cond_destroy(&r->work);
        pthread_mutex_destroy(&r->mutex);
    }
    sr_free(r->buffer[0].bytes);
    sr_free(r->buffer[1].bytes);
    sr_free(r->band);
    sr_free(r);
}
