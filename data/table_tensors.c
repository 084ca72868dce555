/* table_tensors.c: tensors whose first axis is the row as a table. See table.h.
 *
 * A column is the tensor of its name, or the only one of the file that fits. Tensors are read by bands, so
 * that memory does not grow with them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "data/table.h"
#include "data/tensors.h"
#include "data/values.h"
#include "nn/base/sizes.h"

struct tensors_table {
    struct sr_table t;
    struct sr_tensors *in;
};

#define LISTED 300 /* bytes of a list of tensors */

#define OWN(table)  ((struct tensors_table *)(table))
#define LOOK(table) ((const struct tensors_table *)(table))

/* ---- which tensor ---- */

static bool has(const struct sr_table *t, const char *name) {
    const struct sr_tensors *in = LOOK(t)->in;
    return sr_tensors_find(in, name) < sr_tensors_count(in);
}

static bool is_column(const struct sr_tensor_info *x) {
    return x->rank == 1 || (x->rank == 2 && x->shape[1] == 1);
}

/* NULL, or what is wrong with x as the column. */
static const char *misfit(const struct sr_field *f, const struct sr_tensor_info *x) {
    const bool floats = sr_dtype_is_float(x->dtype);
    switch (sr_field_form(f)) {
    case SR_FORM_MATRIX:
        return !floats                        ? "features are float16, bfloat16, float32 or float64"
               : x->rank != 2 && x->rank != 3 ? "features have two axes: [rows, width]"
                                              : NULL;
    case SR_FORM_PROB:
        if (!floats)
            return "probabilities are floats";
        break;
    case SR_FORM_TEXT:
    case SR_FORM_GROUP:
        if (floats || x->dtype == SR_BOOL)
            return "integers are needed; text may come from a .csv, .jsonl or .txt file";
        break;
    case SR_FORM_BINARY:
    case SR_FORM_WEIGHT:
        break;
    }
    return is_column(x) ? NULL : "a column has one value a row: [rows] or [rows, 1]";
}

#define FORM_TEXT (SR_SHAPE_TEXT + 16)

static const char *form_text(char text[FORM_TEXT], const struct sr_tensor_info *x) {
    char shape[SR_SHAPE_TEXT];
    snprintf(text, FORM_TEXT, "%s %s", sr_tensor_info_shape(x, shape), sr_dtype_name(x->dtype));
    return text;
}

/* "features [12, 8] F16, label [12] I64", cut; all, or those that are not `taken`. */
static const char *list(char text[LISTED], const struct tensors_table *s,
                        bool (*taken)(const struct sr_table *t, size_t i)) {
    const size_t most = LISTED - 80;
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < sr_tensors_count(s->in) && used < most; i++) {
        const struct sr_tensor_info *x = sr_tensors_at(s->in, i);
        char form[FORM_TEXT];
        if (taken && taken(&s->t, i))
            continue;
        used += (size_t)snprintf(text + used, LISTED - used, "%s%.40s %.60s", used ? ", " : "", x->name,
                                 form_text(form, x));
    }
    if (used >= most)
        snprintf(text + most, 80, " ...");
    return text;
}

static int fail_choice(const struct tensors_table *s, const struct sr_field *f, size_t fitting,
                       struct sr_error *err) {
    char text[LISTED];
    const char *role = sr_field_role(f);
    if (f->key)
        return sr_fail(err, SR_DATA, "%s: no tensor %.60s; the file holds: %s", s->t.path, f->key,
                       list(text, s, NULL));
    return sr_fail(err, SR_DATA,
                   "%s: %s tensor could be the %s; say which with --%s FILE:NAME; the file holds: %s",
                   s->t.path, fitting ? "more than one" : "no", role, role, list(text, s, NULL));
}

/* The only tensor that fits, where names say nothing. */
static int choose_fitting(const struct tensors_table *s, struct sr_field *f, struct sr_error *err) {
    const size_t count = sr_tensors_count(s->in);
    size_t fitting = 0;
    for (size_t i = 0; i < count; i++)
        if (count == 1 || !misfit(f, sr_tensors_at(s->in, i))) {
            fitting++;
            f->at = i;
        }
    if (f->key || fitting != 1)
        return fail_choice(s, f, fitting, err);
    const char *name = sr_tensors_at(s->in, f->at)->name;
    f->name = sr_strdup(*name ? name : sr_field_role(f), err);
    return f->name ? 0 : SR_NOMEM;
}

static int choose(const struct tensors_table *s, struct sr_field *f, struct sr_error *err) {
    int status = sr_field_choose(f, &s->t, has, err);
    if (status == 0 && f->name)
        f->at = sr_tensors_find(s->in, f->name);
    else if (status == 0 && f->required)
        status = choose_fitting(s, f, err);
    return status;
}

/* ---- what is in it ---- */

static int find_layer(uint64_t *layer, const struct tensors_table *s, const struct sr_field *f,
                      const struct sr_tensor_info *x, struct sr_error *err) {
    char form[FORM_TEXT], what[FORM_TEXT + 128];
    snprintf(what, sizeof what, "%.60s is %s: three axes, but features have two", f->name,
             form_text(form, x));
    return sr_table_layer(layer, s->t.how, x->shape[1], s->t.path, what, err);
}

/* All columns of one file have the same rows. */
static int take_rows(struct tensors_table *s, const struct sr_field *f, const struct sr_tensor_info *x,
                     struct sr_error *err) {
    if (s->t.fields > 0 && x->shape[0] != s->t.rows)
        return sr_fail(err, SR_DATA, "%s: %s has %llu rows, but %s has %zu; they must be the same rows",
                       s->t.path, f->name, (unsigned long long)x->shape[0], s->t.field[0]->name, s->t.rows);
    s->t.rows = x->shape[0];
    return 0;
}

static int bind(struct sr_table *t, struct sr_field *f, struct sr_error *err) {
    struct tensors_table *s = OWN(t);
    uint64_t layer;
    char form[FORM_TEXT];
    int status = choose(s, f, err);
    if (status < 0 || !f->name)
        return status;
    const struct sr_tensor_info *x = sr_tensors_at(s->in, f->at);
    const char *why = misfit(f, x);
    if (why)
        return sr_fail(err, SR_DATA, "%s: %s is %s, but %s", t->path, f->name, form_text(form, x), why);
    f->dtype = x->dtype;
    if (sr_field_form(f) == SR_FORM_MATRIX) {
        if (x->rank == 3 && (status = find_layer(&layer, s, f, x, err)) < 0)
            return status;
        status = sr_field_width(f, t, x->shape[x->rank - 1], err);
    }
    return status == 0 ? take_rows(s, f, x, err) : status;
}

/* ---- reading ---- */

static int read_features(struct tensors_table *s, struct sr_field *f, size_t n, struct sr_error *err) {
    const struct sr_tensor_info *x = sr_tensors_at(s->in, f->at);
    const uint64_t row = s->t.taken, width = f->width;
    uint64_t layer = 0;
    int status = 0;
    if (x->rank == 2) {
        status = sr_tensors_read(s->in, f->at, sr_size_times(row, width), sr_field_row(f),
                                 sr_size_times(n, width), err);
        f->rows += n;
        return status;
    }
    status = find_layer(&layer, s, f, x, err);
    for (size_t i = 0; i < n && status == 0; i++, f->rows++) {
        const uint64_t place = sr_size_times(sr_size_sum(sr_size_times(row + i, x->shape[1]), layer), width);
        status = sr_tensors_read(s->in, f->at, place, sr_field_row(f), width, err);
    }
    return status;
}

static int64_t integer_at(const void *raw, size_t i, enum sr_dtype dtype) {
    switch (dtype) {
    case SR_I8:
        return ((const int8_t *)raw)[i];
    case SR_U8:
        return ((const uint8_t *)raw)[i];
    case SR_I16:
        return ((const int16_t *)raw)[i];
    case SR_U16:
        return ((const uint16_t *)raw)[i];
    case SR_I32:
        return ((const int32_t *)raw)[i];
    case SR_U32:
        return ((const uint32_t *)raw)[i];
    default:
        return ((const int64_t *)raw)[i];
    }
}

static int put_integer(struct sr_field *f, const struct sr_table *t, const void *raw, size_t i,
                       struct sr_error *err) {
    char text[24];
    if (f->dtype == SR_U64)
        snprintf(text, sizeof text, "%llu", (unsigned long long)((const uint64_t *)raw)[i]);
    else
        snprintf(text, sizeof text, "%lld", (long long)integer_at(raw, i, f->dtype));
    return sr_field_parse(f, t, text, err);
}

static int read_column(struct tensors_table *s, struct sr_field *f, size_t n, struct sr_error *err) {
    uint64_t raw[SR_BAND_ROWS];
    double value[SR_BAND_ROWS] = {0};
    const size_t first = s->t.taken;
    int status = sr_tensors_read(s->in, f->at, first, raw, n, err);
    if (status != 0)
        return status;
    if (!sr_field_is_text(f))
        sr_values_to_double(value, raw, n, f->dtype);
    for (size_t i = 0; i < n && status == 0; i++) {
        s->t.taken = first + i;
        status = sr_field_is_text(f) ? put_integer(f, &s->t, raw, i, err)
                                     : sr_field_number(f, &s->t, value[i], err);
    }
    s->t.taken = first;
    return status;
}

static int read_rows(struct sr_table *t, size_t n, struct sr_error *err) {
    int status = 0;
    for (size_t i = 0; i < t->fields && status == 0; i++) {
        struct sr_field *f = t->field[i];
        status = sr_field_form(f) == SR_FORM_MATRIX ? read_features(OWN(t), f, n, err)
                                                    : read_column(OWN(t), f, n, err);
    }
    return status < 0 ? status : (int)n;
}

static const char *metadata(const struct sr_table *t, const char *key) {
    return sr_tensors_metadata(LOOK(t)->in, key);
}

static bool is_taken(const struct sr_table *t, size_t i) {
    for (size_t k = 0; k < t->fields; k++)
        if (t->field[k]->at == i)
            return true;
    return false;
}

static int left(const struct sr_table *t, char *text, size_t size, struct sr_error *err) {
    char all[LISTED];
    (void)err;
    snprintf(text, size, "%s", list(all, LOOK(t), is_taken));
    return 0;
}

static void close_table(struct sr_table *t) {
    sr_tensors_close(OWN(t)->in);
    sr_free(t);
}

int sr_tensors_table_open(struct sr_table **out, const char *path, struct sr_error *err) {
    static const struct sr_table_ops ops = {
        .bind = bind, .read = read_rows, .metadata = metadata, .left = left, .close = close_table};
    struct tensors_table *s = sr_alloc(1, sizeof *s, err);
    if (!s)
        return SR_NOMEM;
    int status = sr_table_begin(&s->t, &ops, path, err);
    if (status == 0)
        status = sr_tensors_open(&s->in, path, err);
    const bool hidden = status == 0 && has(&s->t, "hidden_states") && has(&s->t, "token_ids");
    if (status < 0 || hidden)
        sr_table_close(&s->t);
    else
        *out = &s->t;
    return hidden ? sr_hidden_table_open(out, path, err) : status;
}
