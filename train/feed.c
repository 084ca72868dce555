/* feed.c: dumps opened, kept in memory where they fit, scanned once, split and made into batches.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "train/feed.h"

/* Model, optimiser, libraries and buffers; what is left of the memory allowed can hold rows. */
#define PROGRAM_BYTES (256u << 20)

/* Both sets in memory if they fit, else the validation rows, else none. */
static int data_keep(struct sr_feed *f, const struct sr_config *c, struct sr_error *err) {
    const size_t allowed = c->memory < 0 ? sr_memory_available(NULL) / 4 * 3 : (size_t)c->memory;
    const size_t left = allowed > PROGRAM_BYTES ? allowed - PROGRAM_BYTES : 0;
    const size_t train = sr_data_bytes(f->train_data), val = f->val_data ? sr_data_bytes(f->val_data) : 0;
    const size_t rows = f->train_data->rows, window = (size_t)c->window < rows ? (size_t)c->window : rows;
    const size_t windows = train / rows * 2 * window; /* while streaming */
    const bool both = train <= left && val <= left - train;
    int status = SR_OK;
    if (both)
        status = sr_data_keep(f->train_data, train, err);
    if (status == SR_OK && f->val_data && (both || (windows < left && val <= left - windows)))
        status = sr_data_keep(f->val_data, val, err);
    if (status == SR_OK && !both && windows > left)
        snprintf(f->warning, sizeof f->warning,
                 "streaming holds two windows of %lld rows, %zu MB, where %zu MB are free for rows: --window "
                 "takes fewer (and draws rows in another order), --memory allows more",
                 (long long)window, windows >> 20, left >> 20);
    return status;
}

/* "a.h5: 3, 17; b.h5: 5" of the first few; the caller says how many there are. */
static void bad_rows_list(char *list, size_t size, const struct sr_data *d, const struct sr_scan *scan) {
    const char *before = NULL;
    size_t used = 0;
    list[0] = '\0';
    for (size_t i = 0; i < scan->bad_rows && i < 8 && used < size; i++) {
        const char *path;
        size_t row;
        sr_data_locate(d, scan->bad_row[i], &path, &row);
        if (path != before)
            used += (size_t)snprintf(list + used, size - used, "%s%s: %zu", before ? "; " : "", path, row);
        else
            used += (size_t)snprintf(list + used, size - used, ", %zu", row);
        before = path;
    }
}

static int bad_rows_refuse(const struct sr_data *d, const struct sr_scan *scan, struct sr_error *err) {
    char list[300];
    bad_rows_list(list, sizeof list, d, scan);
    return sr_fail(
        err, SR_DATA,
        "%zu of %zu rows have a NaN or an infinity in their features (%s%s); mend the dump, or leave them "
        "out with --on-bad-row=skip",
        scan->bad_rows, d->rows, list, scan->bad_rows > 8 ? ", ..." : "");
}

static int part_count(struct sr_part *p, const char *what, struct sr_error *err) {
    p->positives = 0;
    for (size_t i = 0; i < p->n; i++)
        p->positives += p->data->label[p->row[i]];
    if (p->positives > 0 && p->positives < p->n)
        return SR_OK;
    return sr_fail(err, SR_DATA,
                   "the %s rows have %zu positive and %zu negative labels: both classes are needed", what,
                   p->positives, p->n - p->positives);
}

/* Scans d and lists its usable rows. */
static int part_scan(struct sr_part *p, struct sr_scan *scan, struct sr_data *d, const struct sr_config *c,
                     void (*progress)(void *, double), void *user, struct sr_error *err) {
    int status = sr_data_scan(d, scan, progress, user, err);
    if (status < 0)
        return status;
    if (scan->bad_rows && c->on_bad_row == SR_ON_BAD_ROW_ERROR)
        return bad_rows_refuse(d, scan, err);
    p->data = d;
    p->hash = scan->hash;
    p->row = sr_alloc(d->rows, sizeof *p->row, err);
    if (!p->row)
        return SR_NOMEM;
    for (size_t r = 0, bad = 0; r < d->rows; r++) {
        if (bad < scan->bad_rows && scan->bad_row[bad] == r)
            bad++;
        else if (d->label[r] == SR_UNKNOWN)
            p->unlabelled++;
        else
            p->row[p->n++] = (uint32_t)r;
    }
    return SR_OK;
}

static int hold_out(struct sr_feed *f, const struct sr_config *c, struct sr_error *err) {
    struct sr_part all = f->train;
    f->val.data = all.data; /* rows without a label are counted with the training rows */
    f->val.hash = all.hash;
    f->train.row = NULL;
    const int status = sr_data_split(all.data, all.row, all.n, c->val_fraction, (uint64_t)c->split_seed,
                                     &f->train.row, &f->train.n, &f->val.row, &f->val.n, err);
    sr_free(all.row);
    return status;
}

/* Validation rows that are training rows too, under whatever name: the best epoch would be chosen by heart.
 */
static int overlap_find(struct sr_feed *f, struct sr_error *err) {
    const struct sr_part *train = &f->train, *val = &f->val;
    uint64_t *hash = sr_alloc(val->n, sizeof *hash, err);
    struct sr_sketch sketch;
    if (!hash)
        return SR_NOMEM;
    for (size_t i = 0; i < val->n; i++)
        hash[i] = val->hash[val->row[i]];
    sr_sketch_make(&sketch, train->hash, train->row, train->n);
    f->known = sr_sketch_overlap(&sketch, hash, val->n);
    sr_free(hash);
    return SR_OK;
}

/* Rows of one guard's one layer cannot validate what another's have trained. */
static int same_make(const struct sr_feed *f, const struct sr_config *c, struct sr_error *err) {
    const struct sr_data *t = f->train_data, *v = f->val_data;
    if (v->width != t->width)
        return sr_fail(err, SR_DATA,
                       "%s has %zu features a row but %s has %zu: they come from different guards", c->train,
                       t->width, c->val, v->width);
    for (size_t i = 0; i < t->contract_count; i++)
        for (size_t j = 0; j < v->contract_count; j++)
            if (strcmp(t->contract[i].key, v->contract[j].key) == 0 &&
                strcmp(t->contract[i].value, v->contract[j].value) != 0)
                return sr_fail(
                    err, SR_DATA, "%s of %s is '%.60s', of %s '%.60s': features of different makes",
                    t->contract[i].key, c->train, t->contract[i].value, c->val, v->contract[j].value);
    return SR_OK;
}

int sr_feed_open(struct sr_feed *f, const struct sr_config *c, void (*progress)(void *user, double fraction),
                 void *user, struct sr_error *err) {
    *f = (struct sr_feed){0};
    int status = sr_data_open(&f->train_data, c->train, &c->how, err);
    if (status == SR_OK && c->val)
        status = sr_data_open(&f->val_data, c->val, &c->how, err);
    if (status == SR_OK && c->train_weight.n > 0 && c->train_weight.n != f->train_data->files)
        status = sr_fail(err, SR_USAGE,
                         "%zu training files, but train_weight has %zu numbers: one for each is needed",
                         f->train_data->files, c->train_weight.n);
    if (status == SR_OK && f->val_data)
        status = same_make(f, c, err);
    if (status == SR_OK)
        status = data_keep(f, c, err);
    if (status == SR_OK)
        status = part_scan(&f->train, &f->train_scan, f->train_data, c, progress, user, err);
    if (status == SR_OK)
        status = f->val_data ? part_scan(&f->val, &f->val_scan, f->val_data, c, progress, user, err)
                             : hold_out(f, c, err);
    if (status == SR_OK)
        status = part_count(&f->train, "training", err);
    if (status == SR_OK)
        status = part_count(&f->val, "validation", err);
    return status == SR_OK ? overlap_find(f, err) : status;
}

void sr_feed_close(struct sr_feed *f) {
    struct sr_part *parts[] = {&f->train, &f->val};
    for (size_t i = 0; i < 2; i++)
        sr_free(parts[i]->row);
    sr_scan_free(&f->train_scan);
    sr_scan_free(&f->val_scan);
    sr_data_close(f->train_data);
    sr_data_close(f->val_data);
    *f = (struct sr_feed){0};
}

const char *sr_feed_val_id(const struct sr_feed *f) {
    return f->val_data ? f->val_scan.data_id : f->train_scan.data_id;
}

static struct sr_json *numbers_json(const double *v, size_t n) {
    struct sr_json *a = sr_json_array();
    for (size_t i = 0; i < n; i++)
        sr_json_append(a, sr_json_number(v[i]));
    return a;
}

static struct sr_json *part_json(const struct sr_part *p, const char *data_id, size_t bad_rows) {
    struct sr_json *o = sr_json_object();
    sr_json_set(o, "rows", sr_json_integer((int64_t)p->n));
    sr_json_set(o, "positives", sr_json_integer((int64_t)p->positives));
    sr_json_set(o, "negatives", sr_json_integer((int64_t)(p->n - p->positives)));
    sr_json_set(o, "unlabelled", sr_json_integer((int64_t)p->unlabelled));
    sr_json_set(o, "bad_rows", sr_json_integer((int64_t)bad_rows));
    sr_json_set(o, "features", sr_json_integer((int64_t)p->data->width));
    sr_json_set(o, "labels_derived", sr_json_bool(p->data->label_derived));
    sr_json_set(o, "data_id", sr_json_string(data_id));
    return o;
}

struct sr_json *sr_feed_json(const struct sr_feed *f) {
    const size_t width = f->train_data->width;
    struct sr_json *o = sr_json_object();
    sr_json_set(o, "schema_version", sr_json_integer(1));
    sr_json_set(o, "train", part_json(&f->train, f->train_scan.data_id, f->train_scan.bad_rows));
    sr_json_set(o, "val", part_json(&f->val, sr_feed_val_id(f), f->val_scan.bad_rows));
    sr_json_set(o, "mean", numbers_json(f->train_scan.mean, width));
    sr_json_set(o, "deviation", numbers_json(f->train_scan.deviation, width));
    return o;
}

void sr_feed_rows_hash(const struct sr_feed *f, bool by_file, char hex[65]) {
    const struct sr_part *parts[] = {&f->train, &f->val};
    struct sr_sha256 s;
    sr_sha256_begin(&s);
    for (size_t i = 0; i < SR_COUNT(parts); i++) {
        const uint64_t n = parts[i]->n;
        sr_sha256_add(&s, &n, sizeof n);
        sr_sha256_add(&s, parts[i]->row, parts[i]->n * sizeof *parts[i]->row);
    }
    const struct sr_data *d = f->train_data, *v = f->val.data;
    if (d->weight)
        sr_sha256_add(&s, d->weight, d->rows * sizeof *d->weight);
    for (size_t i = 0; by_file && i < f->train.n; i++) {
        const uint64_t file = sr_data_file(d, f->train.row[i]);
        sr_sha256_add(&s, &file, sizeof file);
    }
    const struct {
        const void *column;
        size_t size;
    } reported[] = {{v->gold, 1},
                    {v->small_pred, 1},
                    {v->large_pred, 1},
                    {v->small_prob, sizeof *v->small_prob},
                    {v->group, sizeof *v->group},
                    {v->source, sizeof *v->source}};
    for (size_t i = 0; i < SR_COUNT(reported); i++)
        if (reported[i].column)
            sr_sha256_add(&s, reported[i].column, v->rows * reported[i].size);
    sr_sha256_add(&s, f->train_scan.values_id, strlen(f->train_scan.values_id));
    sr_sha256_add(&s, f->val_scan.values_id, strlen(f->val_scan.values_id)); /* "": they are training's */
    sr_sha256_end(&s, hex);
}
