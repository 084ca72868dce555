/* tensors.c: a file of tensors, whatever its format: opened, recognised, looked into; see tensors.h.
 *
 * What all formats have in common: which one it is, ranges, names, metadata. Formats that users do have and
 * that are not read here get a message that says how to make one that is.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "data/tensors_format.h"
#include "data/values.h"
#include "nn/base/sizes.h"
#include "nn/base/utf8.h"

#define BAND 4096 /* items converted at a time */

static const struct sr_tensors_format *const formats[] = {&sr_tensors_npy, &sr_tensors_pt,
                                                          &sr_tensors_safetensors};

/* Beginnings of files that are no tensors for us: where in the file, what stands there, what to say. */
static const struct {
    size_t at, length;
    const char *bytes, *what;
} strangers[] = {
    {0, 15, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e",
     "was saved by a PyTorch before 1.6, or with _use_new_zipfile_serialization=False, as a bare pickle; "
     "load it there and torch.save it again"},
    {257, 5, "ustar", "is a tar, as PyTorch before 0.1.10 saved; load it there and torch.save it again"},
    {0, 8, SR_HDF5_MAGIC, "is HDF5: a feature dump, which needs no converting, but no file of tensors"},
    {0, 2, "\x1f\x8b", "is compressed by gzip; unpack it first"},
    {0, 2, "\x80\x02", "is a bare pickle, as Python's pickle.dump writes; torch.save its tensors instead"},
    {0, 2, "\x80\x03", "is a bare pickle, as Python's pickle.dump writes; torch.save its tensors instead"},
    {0, 2, "\x80\x04", "is a bare pickle, as Python's pickle.dump writes; torch.save its tensors instead"},
    {0, 2, "\x80\x05", "is a bare pickle, as Python's pickle.dump writes; torch.save its tensors instead"},
};

int sr_is_hdf5(const char *path, struct sr_error *err) {
    char head[sizeof SR_HDF5_MAGIC - 1];
    uint64_t bytes;
    FILE *f;
    const int status = sr_file_open(&f, &bytes, path, "a file of features", err);
    if (status < 0)
        return status;
    const bool is =
        fread(head, 1, sizeof head, f) == sizeof head && memcmp(head, SR_HDF5_MAGIC, sizeof head) == 0;
    fclose(f);
    return is;
}

static int refuse(const struct sr_tensors *t, const unsigned char *head, struct sr_error *err) {
    for (size_t i = 0; i < SR_COUNT(strangers); i++)
        if (memcmp(head + strangers[i].at, strangers[i].bytes, strangers[i].length) == 0)
            return sr_fail(err, SR_DATA, "%s %s", t->path, strangers[i].what);
    return sr_fail(err, SR_DATA,
                   "%s: by its first bytes neither a torch.save file (.pt) nor safetensors nor .npy",
                   t->path);
}

static int open_format(struct sr_tensors *t, struct sr_error *err) {
    unsigned char head[SR_TENSORS_HEAD] = {0};
    int status = sr_file_open_descriptor(&t->descriptor, &t->file_bytes, t->path, "a file of tensors", err);
    if (status == SR_OK && !(t->from = sr_stream_open(t->descriptor, "r", NULL))) {
        status = sr_fail_io(err, "read", t->path);
        close(t->descriptor);
    }
    if (status == SR_OK)
        status = sr_tensors_bytes(t, 0, head, t->file_bytes < sizeof head ? t->file_bytes : sizeof head, err);
    if (status < 0)
        return status;
    for (size_t i = 0; i < SR_COUNT(formats); i++)
        if (formats[i]->is(head)) {
            t->format = formats[i];
            return t->format->open(t, err);
        }
    return refuse(t, head, err);
}

int sr_tensors_open(struct sr_tensors **out, const char *path, struct sr_error *err) {
    *out = NULL;
    struct sr_tensors *t = sr_alloc(1, sizeof *t, err);
    if (!t)
        return SR_NOMEM;
    t->path = sr_strdup(path, err);
    const int status = t->path ? open_format(t, err) : SR_NOMEM;
    if (status == SR_OK)
        *out = t;
    else
        sr_tensors_close(t);
    return status;
}

void sr_tensors_close(struct sr_tensors *t) {
    if (!t)
        return;
    if (t->format)
        t->format->close(t);
    if (t->from)
        fclose(t->from);
    sr_free(t->info);
    sr_free(t->path);
    sr_free(t);
}

const char *sr_tensors_format(const struct sr_tensors *t) {
    return t->format->name;
}

size_t sr_tensors_count(const struct sr_tensors *t) {
    return t->count;
}

const struct sr_tensor_info *sr_tensors_at(const struct sr_tensors *t, size_t i) {
    return i < t->count ? &t->info[i] : NULL;
}

size_t sr_tensors_find(const struct sr_tensors *t, const char *name) {
    size_t i = 0;
    while (i < t->count && strcmp(t->info[i].name, name) != 0)
        i++;
    return i;
}

uint64_t sr_tensor_info_items(const struct sr_tensor_info *info) {
    uint64_t items = 1;
    for (int i = 0; i < info->rank; i++)
        items = sr_size_times(items, info->shape[i]);
    return items;
}

const char *sr_tensor_info_shape(const struct sr_tensor_info *info, char text[SR_SHAPE_TEXT]) {
    size_t used = (size_t)snprintf(text, SR_SHAPE_TEXT, "[");
    for (int i = 0; i < info->rank; i++)
        used += (size_t)snprintf(text + used, SR_SHAPE_TEXT - used, "%s%llu", i ? ", " : "",
                                 (unsigned long long)info->shape[i]);
    snprintf(text + used, SR_SHAPE_TEXT - used, "]");
    return text;
}

/* NumPy and torch take any byte but 0 for true; what writes booleans writes 1, and as a number another is
 * none. */
static int check_bools(const struct sr_tensors *t, size_t i, uint64_t first, const unsigned char *value,
                       size_t n, struct sr_error *err) {
    char clean[SR_TENSOR_NAME];
    for (size_t k = 0; k < n; k++)
        if (value[k] > 1)
            return sr_fail(err, SR_DATA,
                           "%s: item %" PRIu64 " of the booleans '%s' is the byte %d, neither 0 nor 1",
                           t->path, sr_size_sum(first, k),
                           sr_utf8_clean(clean, sizeof clean, t->info[i].name), value[k]);
    return SR_OK;
}

int sr_tensors_read(struct sr_tensors *t, size_t i, uint64_t first, void *out, size_t n,
                    struct sr_error *err) {
    const struct sr_tensor_info *info = sr_tensors_at(t, i);
    const uint64_t items = info ? sr_tensor_info_items(info) : 0;
    if (!info || first > items || n > items - first)
        return sr_fail(err, SR_BUG, "%s: items %" PRIu64 " and %zu more of tensor %zu are not in the file",
                       t->path, first, n, i);
    if (n == 0)
        return SR_OK;
    const size_t size = sr_dtype_size(info->dtype);
    const int status =
        t->format->read(t, i, sr_size_times(first, size), out, (size_t)sr_size_times(n, size), err);
    return status == SR_OK && info->dtype == SR_BOOL ? check_bools(t, i, first, out, n, err) : status;
}

int sr_tensors_read_float(struct sr_tensors *t, size_t i, uint64_t first, float *out, size_t n,
                          struct sr_error *err) {
    const struct sr_tensor_info *info = sr_tensors_at(t, i);
    double raw[BAND]; /* aligned for any of them */
    int status = SR_OK;
    if (!info || !sr_dtype_is_float(info->dtype))
        return sr_fail(err, SR_BUG, "%s: tensor %zu is none of floats", t->path, i);
    for (size_t done = 0; status == SR_OK && done < n; done += BAND) {
        const size_t band = n - done < BAND ? n - done : BAND;
        status = sr_tensors_read(t, i, first + done, raw, band, err);
        if (status == SR_OK)
            sr_values_to_feature(out + done, raw, band, info->dtype, SR_FEATURE_FLOAT, NULL);
    }
    return status;
}

const char *sr_tensors_metadata(const struct sr_tensors *t, const char *key) {
    for (size_t i = 0; i < t->pair_count; i++)
        if (strcmp(t->pairs[i].key, key) == 0)
            return t->pairs[i].value;
    return NULL;
}

const struct sr_pair *sr_tensors_pairs(const struct sr_tensors *t, size_t *n) {
    *n = t->pair_count;
    return t->pairs;
}

int sr_tensors_bytes(const struct sr_tensors *t, uint64_t at, void *out, size_t bytes, struct sr_error *err) {
    return sr_file_read_at(t->descriptor, at, out, bytes, t->path, err);
}
