/* inspect_tensors.c: safetensors of other programs, and the tensors of two files side by side; see inspect.h.
 *
 * Of another program's file only the header is read: it may be larger than memory. Nothing there is believed
 * beyond being shown. Two files side by side are both read whole, and have to fit into memory together.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/inspect.h"

#define LISTED 1000 /* tensors, and entries of metadata, at most */

bool sr_inspect_tensors_recognise(const struct sr_peek *p) {
    return p->header.json != NULL;
}

/* ---- one file ---- */

/* "[1024, 2048]" into text. */
static void shape_text(char text[128], const struct sr_json *shape) {
    size_t used = (size_t)snprintf(text, 128, "[");
    for (size_t i = 0; i < sr_json_size(shape) && used < 100; i++) {
        int64_t n = -1;
        sr_json_as_integer(sr_json_at(shape, i), &n);
        used += (size_t)snprintf(text + used, 128 - used, "%s%" PRId64, i ? ", " : "", n);
    }
    snprintf(text + used, 128 - used, "]");
}

static void add_tensor(struct sr_facts *f, const char *name, const struct sr_json *tensor) {
    char shape[128];
    const char *dtype = sr_json_as_string(sr_json_get(tensor, "dtype"));
    struct sr_json *value = sr_json_object();
    shape_text(shape, sr_json_get(tensor, "shape"));
    sr_json_set(value, "dtype", sr_json_string(dtype));
    sr_json_set(value, "shape", sr_json_string(shape));
    sr_facts_add(f, name, value, "%s %s", dtype ? dtype : "of no type", shape);
}

static void add_metadata(struct sr_facts *f, const struct sr_json *metadata) {
    void *iter = NULL;
    const struct sr_json *value;
    size_t n = 0;
    sr_facts_section(f, "metadata");
    for (const char *key; n < LISTED && (key = sr_json_next(metadata, &iter, &value)); n++)
        sr_facts_text(f, key, sr_json_as_string(value));
}

static void add_list(struct sr_facts *f, const struct sr_json *header, const struct sr_json *metadata) {
    void *iter = NULL;
    const struct sr_json *value;
    size_t n = 0;
    sr_facts_section(f, "tensor");
    for (const char *key; n < LISTED && (key = sr_json_next(header, &iter, &value));)
        if (value != metadata) {
            add_tensor(f, key, value);
            n++;
        }
}

int sr_inspect_tensors_look(struct sr_facts *f, const struct sr_peek *p, const char **title,
                            struct sr_error *err) {
    const struct sr_json *metadata = sr_json_get(p->header.json, "__metadata__");
    const size_t tensors = sr_json_size(p->header.json) - (metadata != NULL);
    (void)title;
    (void)err;
    sr_facts_section(f, "content");
    sr_facts_count(f, "bytes", p->size);
    sr_facts_add(f, "tensors", sr_json_integer((int64_t)tensors), "%zu%s", tensors,
                 tensors > LISTED ? ", the first thousand below" : "");
    if (p->trouble[0])
        sr_facts_add(f, "usable", sr_json_bool(false), "cannot be read: %s", p->trouble);
    sr_facts_add(f, "read_by", sr_json_null(), "%s",
                 p->trouble[0] ? "nothing here, as it is"
                               : "saferoute import, if these are the layers of a router; saferoute data "
                                 "convert, if it is a tensor of features; only the header was looked at");
    add_metadata(f, metadata);
    add_list(f, p->header.json, metadata);
    return 0;
}

/* ---- two files ---- */

static uint64_t bytes_of(const struct sr_tensor *t) {
    return sr_tensor_items(t) * sr_dtype_size(t->dtype);
}

static bool same_form(const struct sr_tensor *a, const struct sr_tensor *b) {
    return a->dtype == b->dtype && a->rank == b->rank &&
           memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape) == 0;
}

/* The largest difference and the norm of the difference over that of a, in double. */
static void add_difference(struct sr_facts *out, const struct sr_tensor *a, const struct sr_tensor *b) {
    const float *x = a->data, *y = b->data;
    double largest = 0, square = 0, of_a = 0;
    for (uint64_t i = 0; i < sr_tensor_items(a); i++) {
        const double d = (double)y[i] - (double)x[i];
        largest = fmax(largest, fabs(d));
        square += d * d;
        of_a += (double)x[i] * (double)x[i];
    }
    const double relative = square == 0 ? 0 : sqrt(square / of_a);
    struct sr_json *value = sr_json_object();
    sr_json_set(value, "max_difference", sr_json_number(largest));
    sr_json_set(value, "relative_norm", sr_json_number(relative));
    if (isfinite(relative))
        sr_facts_add(out, a->name, value, "max difference %.3g, norm %.3g %% of the first's", largest,
                     100 * relative);
    else
        sr_facts_add(out, a->name, value, "max difference %.3g; the first is zero, or one is not finite",
                     largest);
}

static void add_pair(struct sr_facts *out, const struct sr_tensor *a, const struct sr_tensor *b,
                     size_t *equal) {
    if (!same_form(a, b))
        sr_facts_add(out, a->name, sr_json_string("shape"), "of another shape or type");
    else if (memcmp(a->data, b->data, (size_t)bytes_of(a)) == 0)
        ++*equal;
    else if (a->dtype == SR_F32)
        add_difference(out, a, b);
    else
        sr_facts_add(out, a->name, sr_json_string("bytes"), "other values (%s)", sr_dtype_name(a->dtype));
}

/* ---- both by name ---- */

/* A file with its tensors by name: looking each up in file order takes the square of their number. */
struct side {
    struct sr_safetensors *file;
    const struct sr_tensor **by_name; /* [n] */
    size_t n;
};

static int compare_names(const void *a, const void *b) {
    return strcmp((*(const struct sr_tensor *const *)a)->name, (*(const struct sr_tensor *const *)b)->name);
}

/* Close also after a failure. */
static int side_open(struct side *s, const char *path, struct sr_error *err) {
    const int status = sr_safetensors_open(&s->file, path, err);
    if (status < 0)
        return status;
    s->n = sr_safetensors_count(s->file);
    s->by_name = sr_alloc(s->n, sizeof *s->by_name, err);
    if (!s->by_name)
        return SR_NOMEM;
    for (size_t i = 0; i < s->n; i++)
        s->by_name[i] = sr_safetensors_at(s->file, i);
    qsort(s->by_name, s->n, sizeof *s->by_name, compare_names);
    return 0;
}

static void side_close(struct side *s) {
    sr_free(s->by_name);
    sr_safetensors_close(s->file);
}

static const struct sr_tensor *side_find(const struct side *s, const struct sr_tensor *like) {
    const struct sr_tensor *const *at = bsearch(&like, s->by_name, s->n, sizeof *s->by_name, compare_names);
    return at ? *at : NULL;
}

static void add_lonely(struct sr_facts *out, const struct side *of, const struct side *in,
                       const char *which) {
    size_t n = 0;
    const char *first = NULL;
    for (size_t i = 0; i < of->n; i++) {
        const struct sr_tensor *t = sr_safetensors_at(of->file, i);
        if (!side_find(in, t)) {
            first = first ? first : t->name;
            n++;
        }
    }
    if (n > 0)
        sr_facts_add(out, which, sr_json_integer((int64_t)n), "%zu tensors, %s the first", n, first);
}

static void add_sides(struct sr_facts *out, const struct side *one, const struct side *other) {
    size_t equal = 0, shared = 0;
    sr_facts_section(out, "tensor");
    for (size_t i = 0; i < one->n; i++) {
        const struct sr_tensor *t = sr_safetensors_at(one->file, i), *u = side_find(other, t);
        shared += u != NULL;
        if (u)
            add_pair(out, t, u, &equal);
    }
    add_lonely(out, one, other, "only_in_first");
    add_lonely(out, other, one, "only_in_second");
    sr_facts_add(out, "equal", sr_json_integer((int64_t)equal), "%zu of %zu tensors, to the bit", equal,
                 shared);
}

int sr_tensors_differ(struct sr_facts *out, const char *a, const char *b, struct sr_error *err) {
    struct side one = {0}, other = {0};
    int status = side_open(&one, a, err);
    if (status == 0)
        status = side_open(&other, b, err);
    if (status == 0)
        add_sides(out, &one, &other);
    side_close(&one);
    side_close(&other);
    return status;
}
