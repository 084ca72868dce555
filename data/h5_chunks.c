/* h5_chunks.c: chunks read raw and unpacked in all threads. See h5_chunks.h.
 *
 * A read is one or two jobs; a job is a list of chunks that the workers take one by one, so that neither
 * their number nor their order changes what is read. Where chunks can be copied straight to where they are
 * wanted they are.
 *
 * Chunks that a filter has packed come through H5Dread_chunk, which finds one quickly among any number. That
 * function has no argument for the room there is: of a chunk without filters it copies as many bytes as the
 * file's index says, while H5Dget_chunk_storage_size tells what they should be. So these chunks are read with
 * pread where the index has them, at exactly their size. To ask HDF5 for a place takes time in proportion to
 * all chunks: it is asked once a chunk, and not at all where there are many.
 *
 * What a worker needs lives as long as a read: a set may have a thousand files, and machines have many cores.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_chunks.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "data/chunk.h"
#include "data/h5_pipeline.h"
#include "nn/base/sizes.h"

#define WORKERS_MAX ((size_t)64 << 20) /* bytes that all workers have together */
#define PLACES_MAX  ((size_t)16384)    /* chunks whose places are asked for: 2 s of asking in all */
#define NO_STRIP    SIZE_MAX

struct sr_h5_chunks {
    hid_t dataset;
    struct sr_chunk_form form;
    size_t rows, width, row_bytes; /* of the dataset */
    size_t across;                 /* chunks a strip */
    bool plain;                    /* a strip is one chunk, stored as its rows are wanted */
    int file;                      /* of HDF5, borrowed */
    haddr_t *place;       /* [chunks], along the strips, of chunks without filters; 0: not asked yet */
    unsigned char *strip; /* [form.rows, width]: the one kept; allocated when it is first needed */
    size_t kept;          /* its number, or NO_STRIP */
};

struct job {
    struct sr_h5_chunks *c;
    const char *where;
    unsigned char *out; /* rows of strip `first` and so on */
    size_t first, end;  /* strips */
    bool last_is_kept;  /* the last strip goes to c->strip instead */
    atomic_size_t next; /* chunk that nobody has taken */
    pthread_mutex_t mutex;
    size_t
        failed; /* the first chunk that could not be read, or SIZE_MAX; under the mutex like what follows */
    int status;
    struct sr_error err;
};

/* ---- opening ---- */

/* Whether there are none but the three, in chunk.h's order; of the three, shuffling is done first. */
static bool filters_are_ours(const struct sr_h5_pipeline *p, size_t value_size) {
    const uint32_t shuffle = p->bit[SR_CHUNK_SHUFFLE], gzip = p->bit[SR_CHUNK_GZIP],
                   fletcher = p->bit[SR_CHUNK_FLETCHER];
    const bool ordered = !fletcher || (shuffle | gzip) < fletcher; /* no shuffle behind gzip: h5_open.c */
    const struct sr_h5_filter *first = p->filter;
    return !p->foreign && ordered && (!shuffle || (first->values == 1 && first->value == value_size));
}

static size_t chunks_of(const struct sr_h5_chunks *c) {
    return sr_size_pieces(c->rows, c->form.rows) * c->across; /* no more than were written */
}

/* Chunks nobody wrote hold the fill value, which is HDF5's to give. */
static bool all_are_written(const struct sr_h5_chunks *c, hid_t space) {
    hsize_t written = 0;
    return H5Dget_num_chunks(c->dataset, space, &written) >= 0 &&
           written == sr_size_times(sr_size_pieces(c->rows, c->form.rows), c->across);
}

static bool look_at_form(struct sr_h5_chunks *c, hid_t create, size_t size) {
    hsize_t chunk[2] = {0}, shape[H5S_MAX_RANK] = {0};
    hid_t space = H5Dget_space(c->dataset);
    const struct sr_h5_pipeline p = sr_h5_pipeline(create);
    bool ours = p.chunked;
    if (ours)
        ours = H5Pget_chunk(create, 2, chunk) == 2 && H5Sget_simple_extent_dims(space, shape, NULL) == 2 &&
               chunk[0] > 0 && chunk[1] > 0;
    if (ours) {
        c->across = sr_size_pieces(shape[1], chunk[1]);
        c->form = (struct sr_chunk_form){.rows = chunk[0], .width = chunk[1], .size = size};
        c->rows = shape[0];
        c->width = shape[1];
        c->row_bytes = sr_size_times(c->width, size);
        ours = sr_size_times(sr_size_times(sr_size_times(size, chunk[0]), chunk[1]), c->across) <=
                   SR_H5_STRIP_MAX &&
               filters_are_ours(&p, size);
        memcpy(c->form.bit, p.bit, sizeof p.bit);
        c->plain = c->form.width == c->width && p.said == 0;
    }
    ours = ours && all_are_written(c, space);
    H5Sclose(space);
    return ours;
}

static bool has_filters(const struct sr_h5_chunks *c) {
    return c->form.bit[SR_CHUNK_SHUFFLE] || c->form.bit[SR_CHUNK_GZIP] || c->form.bit[SR_CHUNK_FLETCHER];
}

/* False where HDF5 has to read. */
static bool find_way(struct sr_h5_chunks *c, hid_t create, size_t size, struct sr_error *err) {
    if (!look_at_form(c, create, size))
        return false;
    if (has_filters(c))
        return true;
    if (c->file < 0 || chunks_of(c) > PLACES_MAX)
        return false;
    c->place = sr_alloc(chunks_of(c), sizeof *c->place, err);
    return c->place != NULL;
}

int sr_h5_chunks_open(struct sr_h5_chunks **out, hid_t dataset, size_t size, int file, struct sr_error *err) {
    *out = NULL;
    struct sr_h5_chunks *c = sr_alloc(1, sizeof *c, err);
    if (!c)
        return SR_NOMEM;
    struct sr_error none = {0};
    c->dataset = dataset;
    c->file = file;
    c->kept = NO_STRIP;
    hid_t create = H5Dget_create_plist(dataset);
    if (find_way(c, create, size, &none))
        *out = c;
    else
        sr_h5_chunks_close(c);
    H5Pclose(create);
    return none.status < 0 ? sr_fail(err, none.status, "%s", none.text) : 0;
}

void sr_h5_chunks_close(struct sr_h5_chunks *c) {
    if (!c)
        return;
    sr_free(c->place);
    sr_free(c->strip);
    sr_free(c);
}

void sr_h5_chunks_forget(struct sr_h5_chunks *c) {
    sr_free(c->strip);
    c->strip = NULL;
    c->kept = NO_STRIP;
}

/* ---- one chunk ---- */

static size_t rows_of_strip(const struct sr_h5_chunks *c, size_t strip) {
    const size_t left = c->rows - strip * c->form.rows;
    return left < c->form.rows ? left : c->form.rows;
}

static void note_failure(struct job *j, size_t chunk, int status, const struct sr_error *err) {
    pthread_mutex_lock(&j->mutex);
    if (chunk < j->failed) {
        j->failed = chunk;
        j->status = status;
        j->err = *err;
    }
    pthread_mutex_unlock(&j->mutex);
}

static int fail_chunk(const struct job *j, size_t strip, int status, const char *wrong,
                      struct sr_error *err) {
    const size_t first = strip * j->c->form.rows;
    return sr_fail(err, status, "%s rows %zu to %zu cannot be read; the file may be damaged (%s)", j->where,
                   first, first + rows_of_strip(j->c, strip) - 1, wrong);
}

/* NULL, or what is wrong. */
static const char *find_place(const struct sr_h5_chunks *c, haddr_t *place, const hsize_t offset[2]) {
    hsize_t bytes = 0;
    if (*place)
        return NULL;
    sr_h5_lock();
    const bool found = H5Dget_chunk_info_by_coord(c->dataset, offset, NULL, place, &bytes) >= 0;
    sr_h5_unlock();
    if (found && *place != HADDR_UNDEF && *place != 0 && bytes == sr_chunk_bytes(&c->form))
        return NULL;
    *place = 0;
    return found && bytes != sr_chunk_bytes(&c->form) ? "a chunk has another size than its rows"
                                                      : "a chunk is not found";
}

/* *status becomes SR_IO where it was the system that failed. */
static const char *read_place(const struct sr_h5_chunks *c, unsigned char *to, haddr_t place, int *status) {
    const int reason = sr_stream_get(c->file, to, sr_chunk_bytes(&c->form), place);
    if (reason && reason != ENODATA)
        *status = SR_IO;
    return reason == ENODATA ? "a chunk lies behind its end" : reason ? strerror(reason) : NULL;
}

/* The bytes of a packed chunk, if they are at most `room`. */
static const char *read_packed(const struct sr_h5_chunks *c, unsigned char *to, size_t room,
                               const hsize_t offset[2], size_t *size, uint32_t *mask) {
    hsize_t bytes = 0;
    const char *wrong = NULL;
    sr_h5_lock();
    if (H5Dget_chunk_storage_size(c->dataset, offset, &bytes) < 0 || bytes == 0)
        wrong = "a chunk is not found";
    else if (bytes > room)
        wrong = "a chunk has another size than its rows";
    else if (H5Dread_chunk(c->dataset, H5P_DEFAULT, offset, mask, to) < 0)
        wrong = "HDF5 cannot read a chunk";
    sr_h5_unlock();
    *size = (size_t)bytes;
    return wrong;
}

static bool goes_to_kept(const struct job *j, size_t strip) {
    return j->last_is_kept && strip + 1 == j->end;
}

/* The chunk's bytes are its rows, and there is room for all that it has. */
static bool goes_straight(const struct job *j, size_t strip) {
    return j->c->plain && (goes_to_kept(j, strip) || rows_of_strip(j->c, strip) == j->c->form.rows);
}

/* Row n of rows that lie behind one another. */
static unsigned char *row_of(const struct sr_h5_chunks *c, unsigned char *rows, size_t n) {
    return rows + sr_size_times(n, c->row_bytes);
}

/* Chunk `at` of the job, counted along the strips. */
static int read_chunk(struct job *j, struct sr_chunk_decoder *d, size_t at, struct sr_error *err) {
    struct sr_h5_chunks *c = j->c;
    const struct sr_chunk_form *f = &c->form;
    const size_t strip = j->first + at / c->across, column = at % c->across * f->width;
    const size_t rows = rows_of_strip(c, strip), left = c->width - column;
    const size_t width = left < f->width ? left : f->width;
    const hsize_t offset[2] = {sr_size_times(strip, f->rows), column};
    unsigned char *strip_out =
        goes_to_kept(j, strip) ? c->strip : row_of(c, j->out, (strip - j->first) * f->rows);
    unsigned char *out = strip_out + column * f->size;
    const bool straight = goes_straight(j, strip);
    unsigned char *to = straight ? out : sr_chunk_stored(d);
    size_t size = sr_chunk_bytes(f);
    uint32_t mask = 0;
    const char *wrong;
    int status = SR_DATA;
    if (c->place) {
        haddr_t *place = c->place + j->first * c->across + at;
        wrong = find_place(c, place, offset);
        wrong = wrong ? wrong : read_place(c, to, *place, &status);
    } else {
        wrong = read_packed(c, to, sr_chunk_stored_max(f), offset, &size, &mask);
    }
    if (!wrong && !straight)
        wrong = sr_chunk_decode(d, out, c->row_bytes, rows, width, size, mask);
    return wrong ? fail_chunk(j, strip, status, wrong, err) : 0;
}

/* ---- many ---- */

static size_t chunks_of_job(const struct job *j) {
    return (j->end - j->first) * j->c->across;
}

/* Chunks are taken in their order, so that those before the first that fails are all looked at, and the
 * failure reported is the same for any number of workers. */
static void work(struct job *j, struct sr_chunk_decoder *d) {
    struct sr_error err;
    for (size_t at; (at = atomic_fetch_add(&j->next, 1)) < chunks_of_job(j);) {
        const int status = read_chunk(j, d, at, &err);
        if (status < 0) {
            note_failure(j, at, status, &err);
            atomic_store(&j->next, chunks_of_job(j));
        }
    }
}

static size_t workers_of_job(const struct job *j) {
    const struct sr_chunk_form *f = &j->c->form;
    const size_t most = WORKERS_MAX / sr_size_sum(sr_chunk_stored_max(f), sr_chunk_bytes(f));
    size_t n = (size_t)sr_cpu_team(0);
    n = n < chunks_of_job(j) ? n : chunks_of_job(j);
    n = n < most ? n : most;
    return n > 0 ? n : 1;
}

/* A plain dataset needs no decoders but for its last strip, if that is cut short. */
static bool needs_decoders(const struct job *j) {
    return !j->c->plain || !goes_straight(j, j->end - 1);
}

static int run_job(struct job *j, struct sr_error *err) {
    const size_t n = workers_of_job(j);
    int status = 0;
    struct sr_chunk_decoder **d = sr_alloc(n, sizeof(struct sr_chunk_decoder *), err);
    if (!d)
        return SR_NOMEM;
    for (size_t w = 0; status == 0 && needs_decoders(j) && w < n; w++)
        status = sr_chunk_decoder_create(&d[w], &j->c->form, err);
    if (status == 0) {
        pthread_mutex_init(&j->mutex, NULL);
        j->failed = SIZE_MAX;
        atomic_init(&j->next, 0);
#pragma omp parallel for schedule(static, 1) if (n > 1)
        for (size_t w = 0; w < n; w++)
            work(j, d[w]);
        pthread_mutex_destroy(&j->mutex);
        status = j->status < 0 ? sr_fail(err, j->status, "%s", j->err.text) : 0;
    }
    for (size_t w = 0; w < n; w++)
        sr_chunk_decoder_free(d[w]);
    sr_free(d);
    return status;
}

/* Strips first .. end to out, but for the last one if it is to be kept. */
static int read_strips(struct sr_h5_chunks *c, unsigned char *out, size_t first, size_t end, bool keep_last,
                       const char *where, struct sr_error *err) {
    struct job j = {
        .c = c, .where = where, .out = out, .first = first, .end = end, .last_is_kept = keep_last};
    if (keep_last && !c->strip) {
        c->strip = sr_alloc(c->form.rows, c->row_bytes, err);
        if (!c->strip)
            return SR_NOMEM;
    }
    if (keep_last)
        c->kept = NO_STRIP;
    const int status = run_job(&j, err);
    if (status == 0 && keep_last)
        c->kept = end - 1;
    return status;
}

/* Rows first .. first+rows of the kept strip. */
static void copy_kept(const struct sr_h5_chunks *c, unsigned char *out, size_t first, size_t rows) {
    memcpy(out, row_of(c, c->strip, first - c->kept * c->form.rows), sr_size_times(rows, c->row_bytes));
}

int sr_h5_chunks_read(struct sr_h5_chunks *c, void *out, size_t first, size_t rows, const char *where,
                      struct sr_error *err) {
    unsigned char *to = out;
    const size_t each = c->form.rows, end = first + rows;
    size_t strip = first / each, begin = strip * each; /* its first row */
    int status = 0;
    if (c->kept == strip || first > begin || end < begin + rows_of_strip(c, strip)) {
        if (c->kept != strip)
            status = read_strips(c, NULL, strip, strip + 1, true, where, err);
        if (status < 0)
            return status;
        const size_t here = begin + rows_of_strip(c, strip) < end ? begin + rows_of_strip(c, strip) : end;
        copy_kept(c, to, first, here - first);
        to = row_of(c, to, here - first);
        strip++;
        begin += each;
    }
    if (begin >= end)
        return 0;
    const size_t last = (end - 1) / each;
    const bool keep_last = end < last * each + rows_of_strip(c, last);
    status = read_strips(c, to, strip, last + 1, keep_last, where, err);
    if (status == 0 && keep_last)
        copy_kept(c, row_of(c, to, (last - strip) * each), last * each, end - last * each);
    return status;
}
