/* h5_attribute.c: attributes as text, both ways. See h5.h.
 *
 * Strings are read fixed or variable, as h5py, MATLAB and C programs write them; they are written variable
 * and UTF-8, as h5py writes str. A number becomes text, because a contract of features is compared, not
 * computed with.
 *
 * SPDX-License-Identifier: MIT
 */
#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#include "data/h5.h"
#include "data/h5_count.h"
#include "data/h5_disk.h"
#include "data/h5_ways.h"
#include "nn/base/sizes.h"

/* A NULL-terminated array of n strings in one block. stride 0: values are char *, else fixed size. */
static char **pack(const void *values, size_t n, size_t stride, struct sr_error *err) {
    const char *const *pointers = values;
    uint64_t bytes = (n + 1) * sizeof(char *) + n; /* n is at most SR_H5_LIST_MAX */
    for (size_t i = 0; i < n; i++)
        bytes = sr_size_sum(bytes, stride ? stride : pointers[i] ? strlen(pointers[i]) : 0);
    char **out = sr_alloc(1, bytes, err);
    if (!out)
        return NULL;
    char *to = (char *)(out + n + 1);
    for (size_t i = 0; i < n; i++) {
        const char *from = stride ? (const char *)values + i * stride : pointers[i] ? pointers[i] : "";
        const size_t used = stride ? strnlen(from, stride) : strlen(from);
        out[i] = to;
        /* the block is zeroed: the NUL is there. NOLINTNEXTLINE(bugprone-not-null-terminated-result) */
        memcpy(to, from, used);
        to += used + 1;
    }
    return out;
}

struct attribute {
    hid_t id, type; /* negative: there is none */
    const struct sr_h5 *file;
    const char *object, *name;
    hssize_t items;
    H5T_class_t class;
    size_t size; /* bytes of an item */
    htri_t variable;
};

static int fail_read(const struct attribute *a, struct sr_error *err) {
    return sr_h5_fail(err, SR_DATA, "%s: attribute %s of %s cannot be read; the file may be damaged",
                      a->file->path, a->name, a->object);
}

static int fail_why(const struct attribute *a, const struct sr_error *why, struct sr_error *err) {
    return sr_fail(err, why->status, "%s: attribute %s of %s cannot be read: %s", a->file->path, a->name,
                   a->object, why->text);
}

static int fail_size(const struct attribute *a, struct sr_error *err) {
    return sr_fail(err, SR_DATA, "%s: attribute %s of %s says that its strings have more than %d MB",
                   a->file->path, a->name, a->object, (int)(SR_H5_TEXT_MAX >> 20));
}

/* Before they are made; items: pointers, which stay NULL. */
static int check_strings(const struct attribute *a, void *items, struct sr_error *err) {
    struct sr_error why = {0};
    uint64_t bytes;
    if (sr_h5_count_attribute(a->id, a->type, items, &bytes, &why) < 0)
        return fail_why(a, &why, err);
    return bytes > SR_H5_TEXT_MAX ? fail_size(a, err) : 0;
}

static int read_strings(const struct attribute *a, size_t n, char ***out, struct sr_error *err) {
    const bool variable = a->variable > 0;
    const size_t size = variable ? sizeof(char *) : a->size;
    if (sr_size_times(n, size) > SR_H5_TEXT_MAX)
        return fail_size(a, err);
    void *items = sr_alloc(n, size, err);
    if (!items)
        return SR_NOMEM;
    int status = variable ? check_strings(a, items, err) : 0;
    if (status == 0 && H5Aread(a->id, a->type, items) < 0) {
        status = fail_read(a, err);
    } else if (status == 0) {
        *out = pack(items, n, variable ? 0 : size, err);
        status = *out ? 0 : SR_NOMEM;
        if (variable) {
            hid_t space = H5Aget_space(a->id);
            H5Dvlen_reclaim(a->type, space, H5P_DEFAULT, items);
            H5Sclose(space);
        }
    }
    sr_free(items);
    return status;
}

/* .3 is "0.3" whether it is a float or a double. */
static int read_number(const struct attribute *a, char **value, struct sr_error *err) {
    char text[SR_DECIMAL_TEXT];
    int64_t integer = 0;
    double fraction = 0;
    if (a->class == H5T_INTEGER ? H5Aread(a->id, H5T_NATIVE_INT64, &integer) < 0
                                : H5Aread(a->id, H5T_NATIVE_DOUBLE, &fraction) < 0)
        return fail_read(a, err);
    if (a->class == H5T_INTEGER)
        snprintf(text, sizeof text, "%lld", (long long)integer);
    else if (a->size <= sizeof(float))
        sr_decimal_float(text, (float)fraction);
    else
        sr_decimal(text, fraction);
    *value = sr_strdup(text, err);
    return *value ? 0 : SR_NOMEM;
}

bool sr_h5_here_has_attribute(const struct sr_h5 *f, const char *object, const char *name) {
    sr_h5_lock();
    const hid_t id = sr_h5_open_object(f, object, NULL);
    const htri_t has = id >= 0 ? H5Aexists(id, name) : 0;
    if (has < 0)
        sr_h5_disk_doubt(f->id);
    if (id >= 0)
        H5Oclose(id);
    sr_h5_unlock();
    return has > 0;
}

/* SR_DATA where there is one that cannot be opened. */
static int open_attribute(struct attribute *a, const struct sr_h5 *f, const char *object, const char *name,
                          struct sr_error *err) {
    *a = (struct attribute){
        .id = -1, .type = -1, .file = f, .object = object, .name = name, .class = H5T_NO_CLASS};
    const hid_t id = sr_h5_open_object(f, object, NULL);
    const htri_t there = id >= 0 ? H5Aexists(id, name) : 0;
    a->id = there != 0 ? H5Aopen(id, name, H5P_DEFAULT) : -1;
    const int status = there != 0 && a->id < 0 ? fail_read(a, err) : 0; /* while HDF5 has the reason */
    if (id >= 0)
        H5Oclose(id);
    if (there == 0 || status < 0)
        return status;
    const hid_t space = H5Aget_space(a->id);
    a->type = H5Aget_type(a->id);
    a->items = H5Sget_simple_extent_npoints(space);
    a->class = H5Tget_class(a->type);
    a->size = H5Tget_size(a->type);
    a->variable = a->class == H5T_STRING ? H5Tis_variable_str(a->type) : 0;
    H5Sclose(space);
    if (a->items >= 0 && a->class != H5T_NO_CLASS && a->size > 0 && a->variable >= 0)
        return 0;
    a->class = H5T_NO_CLASS;
    return fail_read(a, err);
}

static void close_attribute(const struct attribute *a) {
    H5Tclose(a->type);
    H5Aclose(a->id);
}

int sr_h5_here_attribute(const struct sr_h5 *f, const char *object, const char *name, char **value,
                         struct sr_error *err) {
    struct attribute a;
    char **list = NULL;
    *value = NULL;
    sr_h5_lock();
    int status = open_attribute(&a, f, object, name, err);
    if (a.items == 1 && a.class == H5T_STRING) {
        status = read_strings(&a, 1, &list, err);
        if (status == 0 && !(*value = sr_strdup(list[0], err)))
            status = SR_NOMEM;
    } else if (a.items == 1 && (a.class == H5T_INTEGER || a.class == H5T_FLOAT)) {
        status = read_number(&a, value, err);
    }
    close_attribute(&a);
    sr_h5_unlock();
    sr_free(list);
    return status;
}

int sr_h5_here_attribute_list(const struct sr_h5 *f, const char *object, const char *name, char ***values,
                              size_t *n, struct sr_error *err) {
    struct attribute a;
    *values = NULL;
    *n = 0;
    sr_h5_lock();
    int status = open_attribute(&a, f, object, name, err);
    if (a.class == H5T_STRING && a.items > 0 && (size_t)a.items <= SR_H5_LIST_MAX) {
        *n = (size_t)a.items;
        status = read_strings(&a, *n, values, err);
    }
    close_attribute(&a);
    sr_h5_unlock();
    return status;
}

/* ---- writing ---- */

static int write_attribute(const struct sr_h5 *f, const char *object, const char *name, hid_t type,
                           hid_t space, const void *value, struct sr_error *err) {
    int status = 0;
    hid_t attribute =
        H5Acreate_by_name(f->id, object, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute < 0 || H5Awrite(attribute, type, value) < 0)
        status = sr_h5_fail(err, SR_IO, "%s: attribute %s of %s cannot be written", f->path, name, object);
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    return status;
}

int sr_h5_write_attribute_list(const struct sr_h5 *f, const char *object, const char *name,
                               const char *const *values, size_t n, struct sr_error *err) {
    hsize_t shape = n;
    sr_h5_lock();
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    int status = write_attribute(f, object, name, type, H5Screate_simple(1, &shape, NULL), values, err);
    H5Tclose(type);
    sr_h5_unlock();
    return status;
}

int sr_h5_write_attribute(const struct sr_h5 *f, const char *object, const char *name, const char *value,
                          struct sr_error *err) {
    sr_h5_lock();
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    int status = write_attribute(f, object, name, type, H5Screate(H5S_SCALAR), &value, err);
    H5Tclose(type);
    sr_h5_unlock();
    return status;
}

int sr_h5_write_attribute_integer(const struct sr_h5 *f, const char *object, const char *name, int32_t value,
                                  struct sr_error *err) {
    sr_h5_lock();
    int status = write_attribute(f, object, name, H5T_NATIVE_INT32, H5Screate(H5S_SCALAR), &value, err);
    sr_h5_unlock();
    return status;
}
