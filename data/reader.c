/* reader.c: reads windows ahead of their use in a thread of its own. See reader.h.
 *
 * Windows are numbered on from the one a seek went to (0), over passes. The user has window `use` and those
 * before it behind him; the thread has read windows up to `ready`, and begins one as soon as the one before
 * the last is released: ready < use + 2. Bytes are in slots of a band each. While it reads window g the
 * thread leaves the slots of g-1 alone, which may be in use, and those of g that are there already; windows
 * before are released, so whatever else a slot holds may go. Two windows of slots are always enough.
 *
 * A user who has to wait takes the rest of the window over, with all threads of OpenMP, which are his; the
 * thread has no team of its own, whose threads would spin beside those of training.
 *
 * Where the user is done with a window sooner than the next one can be read, reading ahead would only take
 * processors away from him: then he reads all of them.
 *
 * Numbers and flags are under one mutex with two conditions. Slots and the table belong to who reads, but for
 * the table's places of the window in use, which are not written. Neighbouring bands are read with one call,
 * but never many, so that other readers get their turn and stopping is quick.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/reader.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "data/set.h"

#define RUN_ALONE ((size_t)1) /* bands; so often the thread looks up */
#define RUN_ALL   ((size_t)8) /* enough chunks for all threads */
#define NO_BAND   UINT32_MAX

struct sr_reader {
    const struct sr_data *d;
    const struct sr_sequence *s;
    const unsigned char **band; /* [bands of the set]: bytes of a band, where they are in memory */
    double waited;

    bool threaded; /* features are streamed and the thread runs; what follows is for this */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t work, done;
    bool quit, cancel;
    bool reading;  /* somebody reads window `ready`: the thread, or the user who waits for it */
    bool waiting;  /* the user wants to take over */
    bool once;     /* file order, not sought before: perhaps nobody wants a second pass */
    uint64_t pass; /* of window 0, which is the pass's window `first` */
    size_t first;
    size_t use, ready;
    double use_began; /* when the user got the window he has; 0: none since the seek */
    double read_took; /* seconds that the last window took to read */
    bool ahead;       /* the user takes longer for a window than reading does */
    int status;       /* of reading window `ready`; below 0 the thread rests until the next seek */
    struct sr_error err;

    /* of who reads */
    uint32_t *order[2];     /* [bands]: bands of a pass by their places, pass % 2 */
    uint64_t order_pass[2]; /* whose order it is */
    unsigned char *bytes;   /* [slots] bands */
    uint32_t *slot_band;    /* [slots]: band that the slot holds, or NO_BAND */
    uint8_t *slot_taken;    /* [slots]: may not go */
    size_t slots;
    atomic_uint_least64_t bands_read;
};

#define NO_PASS UINT64_MAX

/* ---- the reading thread ---- */

/* The thread is asked to stop, or to leave the rest to its user. */
static bool is_interrupted(struct sr_reader *r) {
    pthread_mutex_lock(&r->mutex);
    const bool interrupted = r->cancel || r->waiting;
    pthread_mutex_unlock(&r->mutex);
    return interrupted;
}

struct places {
    const uint32_t *band;
    size_t n;
};

/* The bands of window g, ascending. */
static struct places bands_of(struct sr_reader *r, size_t g) {
    const struct sr_sequence *s = r->s;
    const uint64_t pass = r->pass + (r->first + g) / s->windows;
    const size_t window = (r->first + g) % s->windows, begin = window * s->window_bands;
    if (r->order_pass[pass % 2] != pass)
        sr_sequence_bands(s, pass, r->order[pass % 2]);
    r->order_pass[pass % 2] = pass;
    const size_t left = s->bands - begin;
    return (struct places){r->order[pass % 2] + begin, left < s->window_bands ? left : s->window_bands};
}

static size_t band_bytes(const struct sr_reader *r) {
    return SR_BAND_ROWS * r->d->in->row_bytes;
}

static size_t slot_of(const struct sr_reader *r, uint32_t band) {
    return (size_t)(r->band[band] - r->bytes) / band_bytes(r);
}

static void take_slots(struct sr_reader *r, struct places p) {
    for (size_t i = 0; i < p.n; i++)
        if (r->band[p.band[i]])
            r->slot_taken[slot_of(r, p.band[i])] = 1;
}

/* `n` free slots behind each other at or behind `from`, or fewer where there are not so many. */
static size_t free_slots(const struct sr_reader *r, size_t *from, size_t n) {
    size_t k = 0;
    while (r->slot_taken[*from])
        ++*from;
    while (k < n && *from + k < r->slots && !r->slot_taken[*from + k])
        k++;
    return k;
}

static size_t rows_of_bands(const struct sr_reader *r, size_t band, size_t n) {
    const size_t left = r->d->rows - band * SR_BAND_ROWS;
    return left < n * SR_BAND_ROWS ? left : n * SR_BAND_ROWS;
}

/* Bands that follow each other in the file into slots that follow each other; what was there is forgotten
 * before. */
static int read_run(struct sr_reader *r, size_t slot, uint32_t band, size_t n, struct sr_error *err) {
    unsigned char *to = r->bytes + slot * band_bytes(r);
    for (size_t k = 0; k < n; k++) {
        if (r->slot_band[slot + k] != NO_BAND)
            r->band[r->slot_band[slot + k]] = NULL;
        r->slot_band[slot + k] = NO_BAND;
        r->slot_taken[slot + k] = 1;
    }
    const int status = sr_set_read(r->d, to, band * SR_BAND_ROWS, rows_of_bands(r, band, n), err);
    for (size_t k = 0; status == 0 && k < n; k++) {
        r->slot_band[slot + k] = (uint32_t)(band + k);
        r->band[band + k] = to + k * band_bytes(r);
    }
    atomic_fetch_add(&r->bands_read, n);
    return status;
}

/* Bands from place i on, at most `most`, that follow each other in the file and are not there. */
static size_t run_length(const struct sr_reader *r, struct places p, size_t i, size_t most) {
    size_t n = 1;
    while (n < most && i + n < p.n && p.band[i + n] == p.band[i] + n && !r->band[p.band[i + n]])
        n++;
    return n;
}

/* What is missing of window g. 1: all of it is there now; 0: the thread was interrupted. */
static int read_window(struct sr_reader *r, size_t g, bool by_user, struct sr_error *err) {
    memset(r->slot_taken, 0, r->slots);
    if (g > 0)
        take_slots(r, bands_of(r, g - 1));
    const struct places p = bands_of(r, g);
    take_slots(r, p);
    for (size_t i = 0, slot = 0; i < p.n;) {
        if (r->band[p.band[i]]) {
            i++;
            continue;
        }
        if (!by_user && is_interrupted(r))
            return 0;
        const size_t run = run_length(r, p, i, by_user ? RUN_ALL : RUN_ALONE);
        const size_t n = free_slots(r, &slot, run);
        const int status = read_run(r, slot, p.band[i], n, err);
        if (status < 0)
            return status;
        slot += n;
        i += n;
    }
    return 1;
}

/* Reads window `ready`, by the thread or by the user; under the mutex, which it leaves for the time. */
static void read_next(struct sr_reader *r, bool by_user) {
    struct sr_error err;
    const double began = sr_log_clock();
    r->reading = true;
    pthread_mutex_unlock(&r->mutex);
    const int status = read_window(r, r->ready, by_user, &err);
    pthread_mutex_lock(&r->mutex);
    r->reading = false;
    r->read_took = sr_log_clock() - began;
    r->ready += status > 0;
    if (status < 0) {
        r->status = status;
        r->err = err;
    }
    pthread_cond_broadcast(&r->done);
}

/* There is a window to read. In file order the first pass ends where it ends. */
static bool has_work(const struct sr_reader *r) {
    return r->status == 0 && r->ready < r->use + 2 && r->ahead && !r->cancel && !r->waiting && !r->reading &&
           !(r->once && r->first + r->ready >= r->s->windows);
}

static void *read_on(void *user) {
    struct sr_reader *r = user;
    sr_cpu_team(1);
    pthread_mutex_lock(&r->mutex);
    while (!r->quit)
        if (has_work(r))
            read_next(r, false);
        else
            pthread_cond_wait(&r->work, &r->mutex);
    pthread_mutex_unlock(&r->mutex);
    return NULL;
}

/* ---- its user ---- */

/* Under the mutex: the thread rests afterwards, until cancel is taken back. */
static void stop(struct sr_reader *r) {
    r->cancel = true;
    while (r->reading)
        pthread_cond_wait(&r->done, &r->mutex);
}

void sr_reader_seek(struct sr_reader *r, uint64_t pass, size_t window) {
    if (!r->threaded)
        return;
    pthread_mutex_lock(&r->mutex);
    stop(r);
    r->once = r->s->order == SR_ORDER_FILE && r->pass == NO_PASS;
    r->pass = pass;
    r->first = window;
    r->use = r->ready = 0;
    r->status = 0;
    r->use_began = 0;
    r->ahead = true;
    r->cancel = false;
    pthread_cond_signal(&r->work);
    pthread_mutex_unlock(&r->mutex);
}

int sr_reader_need(struct sr_reader *r, struct sr_error *err) {
    if (!r->threaded)
        return 0;
    const double since = sr_log_clock();
    pthread_mutex_lock(&r->mutex);
    r->ahead = r->use_began == 0 || since - r->use_began >= r->read_took;
    if (r->first + r->use >= r->s->windows)
        r->once = false; /* a second pass is wanted after all */
    r->waiting = r->ready <= r->use;
    while (r->reading && r->ready <= r->use)
        pthread_cond_wait(&r->done, &r->mutex);
    if (r->ready <= r->use && r->status == 0)
        read_next(r, true);
    r->waiting = false;
    pthread_cond_signal(&r->work);
    const int status = r->ready > r->use ? 0 : r->status;
    if (status < 0 && err)
        *err = r->err;
    r->use_began = sr_log_clock();
    r->waited += r->use_began - since;
    pthread_mutex_unlock(&r->mutex);
    return status;
}

void sr_reader_release(struct sr_reader *r) {
    if (!r->threaded)
        return;
    pthread_mutex_lock(&r->mutex);
    r->use++;
    pthread_cond_signal(&r->work);
    pthread_mutex_unlock(&r->mutex);
}

const unsigned char *sr_reader_row(const struct sr_reader *r, uint32_t row) {
    return r->band[row / SR_BAND_ROWS] + row % SR_BAND_ROWS * r->d->in->row_bytes;
}

double sr_reader_waited(const struct sr_reader *r) {
    return r->waited;
}

uint64_t sr_reader_bands(const struct sr_reader *r) {
    return atomic_load(&r->bands_read);
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
    const struct sr_sequence *s = r->s;
    r->slots = 2 * s->window_bands < s->bands ? 2 * s->window_bands : s->bands;
    r->bytes = sr_alloc(r->slots, band_bytes(r), err);
    r->slot_band = sr_alloc(r->slots, sizeof *r->slot_band, err);
    r->slot_taken = sr_alloc(r->slots, 1, err);
    for (int i = 0; i < 2; i++) {
        r->order[i] = sr_alloc(s->bands, sizeof *r->order[i], err);
        r->order_pass[i] = NO_PASS;
    }
    if (!r->bytes || !r->slot_band || !r->slot_taken || !r->order[0] || !r->order[1])
        return SR_NOMEM;
    for (size_t i = 0; i < r->slots; i++)
        r->slot_band[i] = NO_BAND;
    r->cancel = true; /* until the first seek */
    r->pass = NO_PASS;
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

static void end_thread(struct sr_reader *r) {
    pthread_mutex_lock(&r->mutex);
    stop(r);
    r->quit = true;
    pthread_cond_signal(&r->work);
    pthread_mutex_unlock(&r->mutex);
    pthread_join(r->thread, NULL);
    pthread_cond_destroy(&r->done);
    pthread_cond_destroy(&r->work);
    pthread_mutex_destroy(&r->mutex);
}

void sr_reader_free(struct sr_reader *r) {
    if (!r)
        return;
    if (r->threaded)
        end_thread(r);
    sr_free(r->order[0]);
    sr_free(r->order[1]);
    sr_free(r->slot_band);
    sr_free(r->slot_taken);
    sr_free(r->bytes);
    sr_free(r->band);
    sr_free(r);
}
