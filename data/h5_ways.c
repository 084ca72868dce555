/* h5_ways.c: what h5.h offers, handed to whoever reads the file. See h5_ways.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_ways.h"

#include "data/isolate.h"

const struct sr_h5_ways sr_h5_here = {
    .close = sr_h5_here_close,
    .check = sr_h5_here_check,
    .bytes = sr_h5_here_bytes,
    .has = sr_h5_here_has,
    .info = sr_h5_here_info,
    .storage = sr_h5_here_storage,
    .list = sr_h5_here_list,
    .read_integers = sr_h5_here_read_integers,
    .read_doubles = sr_h5_here_read_doubles,
    .each_double = sr_h5_here_each_double,
    .read_texts = sr_h5_here_read_texts,
    .has_attribute = sr_h5_here_has_attribute,
    .attribute = sr_h5_here_attribute,
    .attribute_list = sr_h5_here_attribute_list,
    .matrix_open = sr_h5_here_matrix_open,
    .matrix_close = sr_h5_here_matrix_close,
    .matrix_forget = sr_h5_here_matrix_forget,
    .matrix_read = sr_h5_here_matrix_read,
    .matrix_way = sr_h5_here_matrix_way,
    .matrix_through_hdf5 = sr_h5_here_matrix_through_hdf5,
};

int sr_h5_check_here(const struct sr_h5 *f, struct sr_error *err) {
    if (!f || f->ways == &sr_h5_here)
        return 0;
    return sr_fail(
        err, SR_USAGE,
        "%.120s: this command copies dumps with HDF5 itself, which cannot be left to --isolate; make "
        "a clean one first, of the columns that are a dump's: saferoute data convert --isolate "
        "--dtype keep %.120s --out CLEAN.h5",
        f->path, f->path);
}

int sr_h5_open(struct sr_h5 **out, const char *path, struct sr_error *err) {
    return sr_isolate_running() ? sr_isolate_open(out, path, err) : sr_h5_here_open(out, path, err);
}

int sr_h5_close(struct sr_h5 *f, struct sr_error *err) {
    return f ? f->ways->close(f, err) : 0;
}

int sr_h5_check(const struct sr_h5 *f, struct sr_error *err) {
    return f->ways->check(f, err);
}

bool sr_h5_has(const struct sr_h5 *f, const char *name) {
    return f->ways->has(f, name);
}

int sr_h5_info(const struct sr_h5 *f, const char *name, struct sr_h5_info *info, struct sr_error *err) {
    return f->ways->info(f, name, info, err);
}

int sr_h5_storage(const struct sr_h5 *f, const char *name, struct sr_h5_storage *s, struct sr_error *err) {
    return f->ways->storage(f, name, s, err);
}

uint64_t sr_h5_bytes(const struct sr_h5 *f) {
    return f->ways->bytes(f);
}

void sr_h5_list(const struct sr_h5 *f, char *text, size_t size) {
    f->ways->list(f, text, size);
}

int sr_h5_read_integers(const struct sr_h5 *f, const char *name, int64_t *out, size_t rows,
                        struct sr_error *err) {
    return f->ways->read_integers(f, name, out, rows, err);
}

int sr_h5_read_doubles(const struct sr_h5 *f, const char *name, double *out, size_t rows,
                       struct sr_error *err) {
    return f->ways->read_doubles(f, name, out, rows, err);
}

int sr_h5_each_double(const struct sr_h5 *f, const char *name,
                      int (*take)(void *user, const double *values, size_t n, struct sr_error *err),
                      void *user, struct sr_error *err) {
    return f->ways->each_double(f, name, take, user, err);
}

int sr_h5_read_texts(const struct sr_h5 *f, const char *name, char ***out, size_t rows,
                     struct sr_error *err) {
    return f->ways->read_texts(f, name, out, rows, err);
}

bool sr_h5_has_attribute(const struct sr_h5 *f, const char *object, const char *name) {
    return f->ways->has_attribute(f, object, name);
}

int sr_h5_attribute(const struct sr_h5 *f, const char *object, const char *name, char **value,
                    struct sr_error *err) {
    return f->ways->attribute(f, object, name, value, err);
}

int sr_h5_attribute_list(const struct sr_h5 *f, const char *object, const char *name, char ***values,
                         size_t *n, struct sr_error *err) {
    return f->ways->attribute_list(f, object, name, values, n, err);
}

int sr_h5_matrix_open(struct sr_h5_matrix **out, const struct sr_h5 *f, const char *name,
                      enum sr_feature type, struct sr_error *err) {
    return f->ways->matrix_open(out, f, name, type, err);
}

void sr_h5_matrix_close(struct sr_h5_matrix *m) {
    if (m)
        m->ways->matrix_close(m);
}

void sr_h5_matrix_forget(struct sr_h5_matrix *m) {
    m->ways->matrix_forget(m);
}

int sr_h5_matrix_read(struct sr_h5_matrix *m, void *out, size_t first, size_t rows, enum sr_feature wanted,
                      struct sr_error *err) {
    return m->ways->matrix_read(m, out, first, rows, wanted, err);
}

const char *sr_h5_matrix_way(const struct sr_h5_matrix *m) {
    return m->ways->matrix_way(m);
}

void sr_h5_matrix_through_hdf5(struct sr_h5_matrix *m) {
    m->ways->matrix_through_hdf5(m);
}
