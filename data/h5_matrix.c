/* h5_matrix.c: features in blocks of whole rows. See h5.h.
 *
 * Three ways to the same bits, the first that is possible:
 *   - Rows in one piece in the file are read with pread, by all threads that OpenMP gives the caller. Not
 *     mapped: a file that somebody cuts short must be an error, not a signal.
 *   - Chunks are read raw and unpacked by ourselves (h5_chunks.c).
 *   - HDF5 reads: float64, filters of others, rows nobody wrote. Its chunk cache holds the two strips of
 * packed chunks a block can straddle, so that reading on unpacks each chunk once; those of strips larger than
 *     SR_H5_CACHE_MAX are unpacked again for each block that touches them. Chunks are looked at before
 *     (h5_sound.h).
 * A block covers whole rows, since h5py's automatic chunks cut columns too and one row may touch 64 of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <hdf5.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "data/h5_chunks.h"
#include "data/h5_disk.h"
#include "data/h5_rows.h"
#include "data/h5_sound.h"
#include "data/h5_superblock.h"
#include "data/h5_ways.h"
#include "nn/base/sizes.h"

#define PIECE ((size_t)512 << 10) /* bytes a thread reads at once; a page cache gives them in 50 us */

struct matrix {
    struct sr_h5_matrix base; /* first: h5_ways.h */
    hid_t dataset, type;      /* type: of memory; the file's own for 16-bit values */
    enum sr_feature stored;   /* what type reads */
    size_t width, value_size; /* bytes a value, as it is read */
    bool swap;                /* read by ourselves or of 16 bits, values are big-endian */
    uint16_t *row;            /* scratch of one row, for 16-bit values wanted as float */
    char *where;              /* "file.h5: /features" */

    /* One thread reads at a time: `row`, HDF5's selection and the kept strip are the matrix's. Taken before
     * HDF5's lock. */
    pthread_mutex_t mutex;
    int file;                    /* HDF5's descriptor of the file in which rows lie in one piece; else -1 */
    uint64_t offset;             /* of the first */
    struct sr_h5_chunks *chunks; /* or NULL */
    struct sr_h5_sound *sound;   /* where HDF5 reads; made at the first read; NULL: nothing to look at */
};

/* ---- rows in one piece ---- */

/* The descriptor that HDF5 reads with, or -1: the file is the same one even where its name has got another,
 * and a set of a thousand files takes no more than a thousand. It is open as long as the dataset is. */
static int descriptor(hid_t dataset) {
    const hid_t owner = H5Iget_file_id(dataset);
    const int file = sr_h5_disk_descriptor(owner);
    H5Fclose(owner);
    return file;
}

/* Leaves m->file at -1 where HDF5 has to read. That the rows lie within the file, and have as many bytes as
 * they should, was looked at when the dataset was opened. */
static void find_piece(struct matrix *m, hid_t create) {
    const haddr_t begin = H5Dget_offset(m->dataset);
    if (H5Pget_layout(create) != H5D_CONTIGUOUS || begin == HADDR_UNDEF)
        return;
    m->file = descriptor(m->dataset);
    m->offset = begin;
}

static int read_pieces(struct matrix *m, void *out, size_t first, size_t rows, struct sr_error *err) {
    const uint64_t row_bytes = sr_size_times(m->width, m->value_size), bytes = sr_size_times(rows, row_bytes),
                   offset = sr_size_sum(m->offset, sr_size_times(first, row_bytes));
    atomic_int failed = 0;
#pragma omp parallel for schedule(dynamic) if (bytes > PIECE)
    for (size_t at = 0; at < bytes; at += PIECE) {
        const size_t n = bytes - at < PIECE ? bytes - at : PIECE;
        const int reason = sr_stream_get(m->file, (unsigned char *)out + at, n, sr_size_sum(offset, at));
        if (reason)
            atomic_store(&failed, reason);
    }
    const int reason = atomic_load(&failed);
    if (reason == ENODATA)
        return sr_fail(err, SR_DATA, "%s rows %zu to %zu cannot be read; the file was cut short", m->where,
                       first, first + rows - 1);
    if (reason)
        return sr_fail(err, SR_IO, "%s rows %zu to %zu cannot be read: %s", m->where, first, first + rows - 1,
                       strerror(reason));
    return 0;
}

/* ---- through HDF5 ---- */

static int read_hdf5(struct matrix *m, void *out, size_t first, size_t rows, struct sr_error *err) {
    int status = 0;
    sr_h5_lock();
    if (!m->sound)
        status = sr_h5_sound_open(&m->sound, m->dataset, m->where, err);
    if (status == 0)
        status = sr_h5_sound_check(m->sound, first, rows, err);
    if (status == 0 && !sr_h5_read_rows(m->dataset, m->type, H5P_DEFAULT, out, first, rows))
        status = sr_h5_fail(err, SR_DATA, "%s rows %zu to %zu cannot be read; the file may be damaged",
                            m->where, first, first + rows - 1);
    sr_h5_unlock();
    return status;
}

/* ---- opening and closing ---- */

static bool is_big_endian(hid_t type) {
    return H5Tget_class(type) != H5T_OPAQUE && H5Tget_order(type) == H5T_ORDER_BE;
}

/* Values that are the same in memory, but perhaps for the order of their bytes. */
static bool is_raw(const struct matrix *m, hid_t file_type) {
    return m->stored != SR_FEATURE_FLOAT || H5Tequal(file_type, H5T_IEEE_F32LE) > 0 ||
           H5Tequal(file_type, H5T_IEEE_F32BE) > 0;
}

/* Places of chunks do not count a user block in all versions of HDF5. */
static int chunk_file(hid_t dataset) {
    struct sr_h5_superblock superblock;
    const int status = sr_h5_superblock(&superblock, dataset, NULL);
    return status == 0 && superblock.base == 0 ? descriptor(dataset) : -1;
}

/* Looks for a way without HDF5. */
static int find_way(struct matrix *m, hid_t create, struct sr_error *err) {
    hid_t file_type = H5Dget_type(m->dataset);
    const bool raw = is_raw(m, file_type), swap = is_big_endian(file_type);
    H5Tclose(file_type);
    int status = 0;
    if (raw)
        find_piece(m, create);
    if (raw && m->file < 0)
        status = sr_h5_chunks_open(&m->chunks, m->dataset, m->value_size, chunk_file(m->dataset), err);
    m->swap = swap && (m->file >= 0 || m->chunks || m->stored != SR_FEATURE_FLOAT);
    return status;
}

static int open_matrix(struct matrix *m, const struct sr_h5 *f, const char *name, struct sr_error *err) {
    hsize_t shape[H5S_MAX_RANK];
    m->dataset = sr_h5_open_values(f, name, err);
    if (m->dataset < 0)
        return (int)m->dataset;
    const hid_t space = H5Dget_space(m->dataset);
    const int rank = H5Sget_simple_extent_dims(space, shape, NULL);
    H5Sclose(space);
    m->value_size = sr_feature_size(m->stored);
    m->type = m->stored == SR_FEATURE_FLOAT ? H5Tcopy(H5T_NATIVE_FLOAT) : H5Dget_type(m->dataset);
    if (rank != 2 || H5Tget_size(m->type) != m->value_size)
        return sr_fail(err, SR_DATA, "%s has not rows of values of %zu bytes", m->where, m->value_size);
    m->width = shape[1];
    m->row = sr_alloc(m->width, sizeof *m->row, err);
    if (!m->row)
        return SR_NOMEM;
    hid_t create = H5Dget_create_plist(m->dataset);
    const int status = find_way(m, create, err);
    H5Pclose(create);
    if (status < 0 || m->file >= 0 || m->chunks)
        return status;
    m->dataset = sr_h5_reopen_cached(f, name, m->dataset, 2, err);
    return m->dataset < 0 ? (int)m->dataset : 0;
}

int sr_h5_here_matrix_open(struct sr_h5_matrix **out, const struct sr_h5 *f, const char *name,
                           enum sr_feature type, struct sr_error *err) {
    char where[SR_H5_WHERE];
    struct matrix *m = sr_alloc(1, sizeof *m, err);
    if (!m)
        return SR_NOMEM;
    m->base.ways = &sr_h5_here;
    m->dataset = m->type = -1;
    m->file = -1;
    m->stored = type;
    pthread_mutex_init(&m->mutex, NULL);
    m->where = sr_strdup(sr_h5_where(where, f, name), err);
    sr_h5_lock();
    int status = m->where ? open_matrix(m, f, name, err) : SR_NOMEM;
    sr_h5_unlock();
    if (status < 0)
        sr_h5_here_matrix_close(&m->base);
    else
        *out = &m->base;
    return status;
}

/* The two ways without HDF5 come to an end. */
static void close_ways(struct matrix *m) {
    sr_h5_chunks_close(m->chunks);
    m->chunks = NULL;
    m->file = -1;
}

void sr_h5_here_matrix_close(struct sr_h5_matrix *base) {
    struct matrix *m = (struct matrix *)base;
    close_ways(m);
    sr_h5_lock();
    sr_h5_sound_close(m->sound);
    if (m->type >= 0)
        H5Tclose(m->type);
    if (m->dataset >= 0)
        H5Dclose(m->dataset);
    sr_h5_unlock();
    pthread_mutex_destroy(&m->mutex);
    sr_free(m->row);
    sr_free(m->where);
    sr_free(m);
}

const char *sr_h5_here_matrix_way(const struct sr_h5_matrix *base) {
    const struct matrix *m = (const struct matrix *)base;
    return m->file >= 0 ? SR_H5_IN_ONE_PIECE : m->chunks ? SR_H5_BY_CHUNKS : SR_H5_THROUGH_HDF5;
}

void sr_h5_here_matrix_forget(struct sr_h5_matrix *base) {
    struct matrix *m = (struct matrix *)base;
    pthread_mutex_lock(&m->mutex);
    if (m->chunks)
        sr_h5_chunks_forget(m->chunks);
    pthread_mutex_unlock(&m->mutex);
}

void sr_h5_here_matrix_through_hdf5(struct sr_h5_matrix *base) {
    struct matrix *m = (struct matrix *)base;
    close_ways(m);
    m->swap = m->swap && m->stored != SR_FEATURE_FLOAT;
}

/* ---- reading ---- */

static void swap_values(void *values, size_t n, size_t size) {
    if (size == sizeof(uint16_t)) {
        uint16_t *x = values;
        for (size_t i = 0; i < n; i++)
            x[i] = __builtin_bswap16(x[i]);
    } else {
        uint32_t *x = values;
        for (size_t i = 0; i < n; i++)
            x[i] = __builtin_bswap32(x[i]);
    }
}

/* n rows of 16-bit values in the second half of out become floats over all of it, front to back: row r is
 * written where rows up to r alone were, and goes through scratch because it may overlap itself. */
static void widen(struct matrix *m, float *out, size_t n) {
    /* cppcheck-suppress invalidPointerCast ; 16-bit values as the file has them */
    const uint16_t *raw = (const uint16_t *)out + n * m->width;
    for (size_t r = 0; r < n; r++) {
        memcpy(m->row, raw + r * m->width, m->width * sizeof *m->row);
        sr_feature_to_float(out + r * m->width, m->row, m->width, m->stored);
    }
}

/* SR_DATA, unless what HDF5 was asked for on the way failed in the system. */
static int of_system(const struct matrix *m, size_t first, size_t rows, struct sr_error *err) {
    sr_h5_lock();
    const hid_t file = H5Iget_file_id(m->dataset);
    const char *trouble;
    const int status = sr_h5_disk_trouble(file, &trouble);
    H5Fclose(file);
    sr_h5_unlock();
    return status == SR_IO ? sr_fail(err, SR_IO, "%s rows %zu to %zu cannot be read: %s", m->where, first,
                                     first + rows - 1, trouble)
                           : SR_DATA;
}

int sr_h5_here_matrix_read(struct sr_h5_matrix *base, void *out, size_t first, size_t rows,
                           enum sr_feature wanted, struct sr_error *err) {
    struct matrix *m = (struct matrix *)base;
    int status;
    const bool wider = wanted == SR_FEATURE_FLOAT && m->stored != SR_FEATURE_FLOAT;
    void *to = wider ? (uint16_t *)out + rows * m->width : out;
    pthread_mutex_lock(&m->mutex);
    if (m->file >= 0)
        status = read_pieces(m, to, first, rows, err);
    else if (m->chunks)
        status = sr_h5_chunks_read(m->chunks, to, first, rows, m->where, err);
    else
        status = read_hdf5(m, to, first, rows, err);
    if (status == 0 && m->swap)
        swap_values(to, rows * m->width, m->value_size);
    if (status == 0 && wider)
        widen(m, out, rows);
    pthread_mutex_unlock(&m->mutex);
    return status == SR_DATA ? of_system(m, first, rows, err) : status;
}
