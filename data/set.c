/* set.c: several dumps as one set of rows: struct sr_data. See data.h and set.h.
 *
 * Columns of the files are joined when the set is opened; a column one file lacks is a column the set lacks,
 * except for groups, which keep twins together in whichever files have them. Sources are joined by name,
 * since every file numbers its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/set.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES ((size_t)32 << 20) /* read at once; bounds how long other readers wait */

/* ---- files ---- */

static char *next_path(char **rest, bool one_file) {
    char *path = *rest;
    if (!one_file)
        return strsep(rest, ",");
    *rest = NULL;
    return path;
}

/* Opens the dumps of the comma-separated list, which is cut in place. */
static int open_dumps(struct sr_data *d, char *paths, const struct sr_data_options *options,
                      struct sr_error *err) {
    size_t room = 1;
    for (const char *p = paths; *p; p++)
        room += *p == ',';
    d->in->dump = sr_alloc(room, sizeof(struct sr_dump *), err);
    d->in->first = sr_alloc(room + 1, sizeof *d->in->first, err);
    if (!d->in->dump || !d->in->first)
        return SR_NOMEM;
    for (char *path; (path = next_path(&paths, options->one_file)); d->files++) {
        int status = sr_dump_open(&d->in->dump[d->files], path, options, err);
        if (status < 0)
            return status;
        d->in->first[d->files + 1] = d->in->first[d->files] + d->in->dump[d->files]->rows;
    }
    return 0;
}

static int check_widths(struct sr_data *d, struct sr_error *err) {
    struct sr_dump **dump = d->in->dump;
    d->rows = d->in->first[d->files];
    d->width = dump[0]->width;
    d->in->type = dump[0]->type;
    for (size_t f = 1; f < d->files; f++) {
        if (dump[f]->width != d->width)
            return sr_fail(err, SR_DATA,
                           "%s has %zu features a row, %s has %zu; they cannot be used together",
                           dump[0]->path, d->width, dump[f]->path, dump[f]->width);
        if (dump[f]->type != d->in->type)
            d->in->type = SR_FEATURE_FLOAT;
    }
    d->in->row_bytes = d->width * sr_feature_size(d->in->type);
    if (d->rows > UINT32_MAX)
        return sr_fail(err, SR_DATA, "%zu rows in all; at most 2^32 - 1 can be used together", d->rows);
    if (d->rows > SIZE_MAX / d->in->row_bytes)
        return sr_fail(err, SR_DATA, "%zu rows of %zu features are more than memory can address", d->rows,
                       d->width);
    return 0;
}

/* ---- columns ---- */

struct joined {
    size_t from, to; /* offsets of the pointer in struct sr_dump and struct sr_data */
    size_t size;     /* bytes an item */
};

#define JOINED(field, of_dump)                                                                               \
    {                                                                                                        \
        offsetof(struct sr_dump, of_dump), offsetof(struct sr_data, field),                                  \
            sizeof *((struct sr_data *)0)->field                                                             \
    }

static const struct joined joined[] = {
    JOINED(label, label),
    JOINED(gold, gold),
    JOINED(small_pred, guard[SR_SMALL].pred),
    JOINED(large_pred, guard[SR_LARGE].pred),
    JOINED(small_prob, guard[SR_SMALL].prob),
    JOINED(large_prob, guard[SR_LARGE].prob),
};

static void *pointer_at(const void *base, size_t offset) {
    void *p;
    memcpy(&p, (const char *)base + offset, sizeof p);
    return p;
}

static int join_column(struct sr_data *d, const struct joined *column, struct sr_error *err) {
    for (size_t f = 0; f < d->files; f++)
        if (!pointer_at(d->in->dump[f], column->from))
            return 0;
    char *all = sr_alloc(d->rows, column->size, err);
    if (!all)
        return SR_NOMEM;
    for (size_t f = 0; f < d->files; f++)
        memcpy(all + d->in->first[f] * column->size, pointer_at(d->in->dump[f], column->from),
               d->in->dump[f]->rows * column->size);
    memcpy((char *)d + column->to, &all, sizeof all);
    return 0;
}

static int join_groups(struct sr_data *d, struct sr_error *err) {
    bool any = false;
    for (size_t f = 0; f < d->files; f++)
        any = any || d->in->dump[f]->group;
    if (!any)
        return 0;
    d->group = sr_alloc(d->rows, sizeof *d->group, err);
    for (size_t f = 0; d->group && f < d->files; f++)
        for (size_t i = 0, row = d->in->first[f]; i < d->in->dump[f]->rows; i++, row++) {
            const int64_t *group = d->in->dump[f]->group;
            d->group[row] = group && group[i] != SR_GROUP_NONE ? group[i] : sr_set_lone_group(row);
        }
    return d->group ? 0 : SR_NOMEM;
}

/* A row without a weight counts as every row does where there are none. */
static int join_weights(struct sr_data *d, struct sr_error *err) {
    bool any = false;
    for (size_t f = 0; f < d->files; f++)
        any = any || d->in->dump[f]->weight;
    if (!any)
        return 0;
    d->weight = sr_alloc(d->rows, sizeof *d->weight, err);
    for (size_t f = 0; d->weight && f < d->files; f++)
        for (size_t i = 0, row = d->in->first[f]; i < d->in->dump[f]->rows; i++, row++)
            d->weight[row] = d->in->dump[f]->weight ? d->in->dump[f]->weight[i] : 1;
    return d->weight ? 0 : SR_NOMEM;
}

/* Pointers and strings in one block. */
static int join_ids(struct sr_data *d, struct sr_error *err) {
    for (size_t f = 0; f < d->files; f++)
        if (!d->in->dump[f]->id)
            return 0;
    size_t bytes = 0;
    for (size_t f = 0; f < d->files; f++)
        for (size_t i = 0; i < d->in->dump[f]->rows; i++)
            bytes += strlen(d->in->dump[f]->id[i]) + 1;
    d->id = sr_alloc(1, d->rows * sizeof *d->id + bytes, err);
    if (!d->id)
        return SR_NOMEM;
    char *to = (char *)(d->id + d->rows);
    for (size_t f = 0; f < d->files; f++)
        for (size_t i = 0; i < d->in->dump[f]->rows; i++) {
            d->id[d->in->first[f] + i] = to;
            to = stpcpy(to, d->in->dump[f]->id[i]) + 1;
        }
    return 0;
}

static int number_sources(struct sr_data *d, const struct sr_dump *dump, int32_t *out, struct sr_error *err) {
    struct sr_names *names = &d->in->sources;
    int status = 0;
    int32_t *number = sr_alloc(dump->sources, sizeof *number, err);
    if (!number)
        return SR_NOMEM;
    for (size_t s = 0; status == 0 && s < dump->sources; s++)
        status = sr_names_add(names, dump->source_list[s], &number[s], err);
    for (size_t i = 0; status == 0 && i < dump->rows; i++)
        if (dump->source)
            out[i] = number[dump->source[i]];
        else
            status = sr_names_add(names, dump->source_text[i], &out[i], err);
    sr_free(number);
    return status;
}

static int join_sources(struct sr_data *d, struct sr_error *err) {
    int status = 0;
    for (size_t f = 0; f < d->files; f++)
        if (!d->in->dump[f]->source && !d->in->dump[f]->source_text)
            return 0;
    d->source = sr_alloc(d->rows, sizeof *d->source, err);
    if (!d->source)
        return SR_NOMEM;
    for (size_t f = 0; status == 0 && f < d->files; f++)
        status = number_sources(d, d->in->dump[f], d->source + d->in->first[f], err);
    d->source_names = d->in->sources.name;
    d->sources = d->in->sources.count;
    return status;
}

static size_t count_unknown(const uint8_t *column, size_t rows) {
    size_t n = 0;
    for (size_t i = 0; column && i < rows; i++)
        n += column[i] == SR_UNKNOWN;
    return n;
}

/* What all files were cut at; files that were not, or elsewhere, leave nothing to say of the whole. */
static struct sr_cut join_cut(const struct sr_data *d, int guard) {
    struct sr_cut cut = d->in->dump[0]->guard[guard].cut;
    for (size_t f = 1; f < d->files; f++)
        if (d->in->dump[f]->guard[guard].cut.at != cut.at)
            cut = (struct sr_cut){(double)NAN, ""};
    return cut;
}

/* What can be said of the columns as a whole; the dumps' own are no longer needed then. */
static void sum_up(struct sr_data *d) {
    d->unknown.label = count_unknown(d->label, d->rows);
    d->unknown.gold = count_unknown(d->gold, d->rows);
    d->unknown.small = count_unknown(d->small_pred, d->rows);
    d->unknown.large = count_unknown(d->large_pred, d->rows);
    d->small_cut = join_cut(d, SR_SMALL);
    d->large_cut = join_cut(d, SR_LARGE);
    for (size_t f = 0; f < d->files; f++) {
        d->label_derived = d->label && (d->label_derived || d->in->dump[f]->label_derived);
        sr_dump_drop_columns(d->in->dump[f]);
    }
}

static int join_columns(struct sr_data *d, struct sr_error *err) {
    int status = 0;
    for (size_t c = 0; status == 0 && c < SR_COUNT(joined); c++)
        status = join_column(d, &joined[c], err);
    if (status == 0)
        status = join_groups(d, err);
    if (status == 0)
        status = join_weights(d, err);
    if (status == 0)
        status = join_ids(d, err);
    if (status == 0)
        status = join_sources(d, err);
    if (status == 0)
        sum_up(d);
    return status;
}

/* ---- the set ---- */

static int open_set(struct sr_data *d, char *paths, const struct sr_data_options *options,
                    struct sr_error *err) {
    int status = open_dumps(d, paths, options, err);
    if (status == 0)
        status = check_widths(d, err);
    if (status == 0)
        status = sr_contract_join(d, options->features_only, err);
    return status < 0 ? status : join_columns(d, err);
}

/* "a,b.h5" is two files, also where one has that name. */
static int check_comma(const char *paths, struct sr_error *err) {
    if (!strchr(paths, ',') || access(paths, F_OK) != 0)
        return 0;
    return sr_fail(
        err, SR_USAGE,
        "%s: a comma stands between the names of files, so this one cannot be named; rename it, or "
        "make a link to it",
        paths);
}

/* The files that paths names. */
static int list_of(char **list, const char *paths, const struct sr_data_options *options,
                   struct sr_error *err) {
    if (options && options->one_file)
        return (*list = sr_strdup(paths, err)) ? 0 : SR_NOMEM;
    const int status = check_comma(paths, err);
    return status == 0 ? sr_data_paths(list, paths, NULL, 0, err) : status;
}

int sr_data_open(struct sr_data **out, const char *paths, const struct sr_data_options *options,
                 struct sr_error *err) {
    const struct sr_data_options plain = {.features_only = false};
    char *list = NULL;
    int status = list_of(&list, paths, options, err);
    if (status < 0)
        return status;
    status = SR_NOMEM;
    struct sr_data *d = sr_alloc(1, sizeof *d, err);
    if (d)
        d->in = sr_alloc(1, sizeof *d->in, err);
    if (d && d->in)
        status = open_set(d, list, options ? options : &plain, err);
    if (status < 0)
        sr_data_close(d);
    else
        *out = d;
    sr_free(list);
    return status;
}

static void close_files(struct sr_data_private *in, size_t files) {
    for (size_t f = 0; in->dump && f < files; f++)
        sr_dump_close(in->dump[f]);
    sr_free(in->dump);
    sr_free(in->first);
    sr_free(in->kept);
    sr_names_free(&in->sources);
    sr_free(in);
}

void sr_data_close(struct sr_data *d) {
    if (!d)
        return;
    for (size_t c = 0; c < SR_COUNT(joined); c++)
        sr_free(pointer_at(d, joined[c].to));
    sr_free(d->weight);
    sr_free(d->group);
    sr_free(d->source);
    sr_free(d->id);
    sr_free(d->contract);
    if (d->in)
        close_files(d->in, d->files);
    sr_free(d);
}

/* ---- labels in words ---- */

static const char *cut_text(char text[64], const struct sr_cut *cut) {
    char number[SR_DECIMAL_TEXT];
    if (cut->at > 0)
        snprintf(text, 64, "%s (%s)", sr_decimal(number, cut->at), cut->origin);
    else
        snprintf(text, 64, "unknown");
    return text;
}

void sr_data_labels_text(char text[256], const struct sr_data *d) {
    const char *labels = !d->label          ? "none"
                         : d->label_derived ? "derived from gold and verdicts"
                                            : "as stored";
    char small[64], large[64];
    if (d->small_pred || d->large_pred)
        snprintf(text, 256, "%s; unsafe from: small guard %s, large guard %s", labels,
                 cut_text(small, &d->small_cut), cut_text(large, &d->large_cut));
    else
        snprintf(text, 256, "%s", labels);
}

/* ---- features ---- */

size_t sr_data_bytes(const struct sr_data *d) {
    return d->rows * d->in->row_bytes;
}

bool sr_data_kept(const struct sr_data *d) {
    return d->in->kept;
}

size_t sr_data_file(const struct sr_data *d, size_t row) {
    size_t f = 0;
    while (row >= d->in->first[f + 1])
        f++;
    return f;
}

const char *sr_data_path(const struct sr_data *d, size_t file) {
    return d->in->dump[file]->path;
}

void sr_data_locate(const struct sr_data *d, size_t row, const char **path, size_t *row_in_file) {
    size_t f = sr_data_file(d, row);
    *path = d->in->dump[f]->path;
    *row_in_file = row - d->in->first[f];
}

const char *sr_data_way(const struct sr_data *d) {
    const char *way = sr_h5_matrix_way(d->in->dump[0]->features);
    for (size_t f = 1; f < d->files; f++)
        if (strcmp(way, sr_h5_matrix_way(d->in->dump[f]->features)) != 0)
            return "in several ways";
    return way;
}

const char *sr_data_feature_type(const struct sr_data *d) {
    return sr_feature_name(d->in->type);
}

/* One file of a set holds memory for reading on: a thousand of them would hold a thousand strips of chunks.
 */
static struct sr_h5_matrix *features_of(const struct sr_data *d, size_t file) {
    const size_t last = atomic_exchange(&d->in->last, file);
    if (last != file)
        sr_h5_matrix_forget(d->in->dump[last]->features);
    return d->in->dump[file]->features;
}

int sr_set_read(const struct sr_data *d, void *out, size_t first, size_t rows, struct sr_error *err) {
    const size_t most = d->in->row_bytes < READ_BYTES ? READ_BYTES / d->in->row_bytes : 1;
    int status = 0;
    unsigned char *to = out;
    while (status == 0 && rows > 0) {
        size_t f = sr_data_file(d, first), n = d->in->first[f + 1] - first;
        n = n < rows ? n : rows;
        n = n < most ? n : most;
        status = sr_h5_matrix_read(features_of(d, f), to, first - d->in->first[f], n, d->in->type, err);
        to += n * d->in->row_bytes;
        first += n;
        rows -= n;
    }
    return status;
}

int sr_data_keep(struct sr_data *d, size_t memory, struct sr_error *err) {
    if (d->in->kept || sr_data_bytes(d) > memory)
        return 0;
    unsigned char *kept = sr_alloc(d->rows, d->in->row_bytes, err);
    if (!kept)
        return SR_NOMEM;
    int status = sr_set_read(d, kept, 0, d->rows, err);
    if (status < 0)
        sr_free(kept);
    else
        d->in->kept = kept;
    return status;
}
